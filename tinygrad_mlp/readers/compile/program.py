"""A graph as a straight-line NumPy program.

The graph is read from its outputs back: what no output needs is not in the program. Equal values
are made once, and a few rules make some of them simpler. Then each value gets a place to live,
shared with values that are no longer needed, and each op one line.
"""

from __future__ import annotations

import linecache
import re
from bisect import insort
from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import count
from math import prod
from textwrap import wrap
from typing import Any
from weakref import finalize

import numpy as np
from numpy import ndarray

from ...core import ops
from ...core.ops import Op, Shape
from ...core.tape import Constant, Node, position
from ...torch.tensor import Tensor

# 1. From the graph to values, fewer of them.


class Value:
    """What a line of the program computes, or an argument of it, or a constant."""

    def __init__(
        self,
        shape: Shape,
        dtype: np.dtype[Any],
        op: Op | None = None,
        inputs: tuple[Value, ...] = (),
        options: tuple[Any, ...] = (),
        array: ndarray | None = None,
        name: str = "",
    ) -> None:
        self.shape = shape
        self.dtype = dtype
        self.op = op
        self.inputs = inputs
        self.options = options
        self.array = array  # of a constant
        self.name = name
        self.parts: tuple[Value, ...] = ()  # of a fused one

    @cached_property
    def number(self) -> Any:
        """The one number that all entries of a constant are; None if it is not like that."""
        if self.array is None or self.array.size == 0:
            return None
        first = self.array.flat[0]
        same = self.array == first
        if self.dtype.kind == "f":
            same &= np.signbit(self.array) == np.signbit(first)  # 0.0 is not -0.0
        return first if same.all() else None


class Values:
    """The values of a program: equal ones are made once, and simpler ones where a rule applies."""

    def __init__(self) -> None:
        self.known: dict[Any, Value] = {}
        self.order: list[Value] = []

    def constant(self, array: ndarray) -> Value:
        value = Value(array.shape, array.dtype, array=array)
        number = value.number
        key = ("constant", array.shape, array.dtype, id(array) if number is None else repr(number))
        return self.known.setdefault(key, value)

    def apply(
        self, op: Op, inputs: tuple[Value, ...], options: tuple[Any, ...], like: ndarray
    ) -> Value:
        """The value of an op; ``like`` is an array of its shape and dtype, from the trace."""
        if all(x.array is not None for x in inputs):
            return self.constant(like)
        simpler = self.simplified(op, inputs, options, like)
        if simpler is not None:
            return simpler
        key = (op, tuple(map(id, inputs)), frozen(options))
        if key not in self.known:
            self.known[key] = Value(like.shape, like.dtype, op, inputs, options)
            self.order.append(self.known[key])
        return self.known[key]

    def simplified(
        self, op: Op, inputs: tuple[Value, ...], options: tuple[Any, ...], like: ndarray
    ) -> Value | None:
        x = inputs[0]
        same = x.shape == like.shape and x.dtype == like.dtype
        if same and (
            op in (ops.cast, ops.reshape, ops.expand, ops.detached)
            or (op is ops.permute and options[0] == tuple(range(len(x.shape))))
            or (op is ops.pow and options[0] == 1)
        ):
            return x
        floats = like.dtype.kind == "f"
        if op is ops.neg and floats:
            return self.scaled(x, like.dtype.type(-1), like)
        if op is ops.mean and 0 not in x.shape:
            n = self.constant(np.asarray(ops.terms(x.shape, options[0]), like.dtype))
            return self.apply(ops.div, (self.apply(ops.sum, inputs, options, like), n), (), like)
        if op is ops.pow and options[0] == 2:
            return self.apply(ops.mul, (x, x), (), like)
        if op is ops.permute and x.op is ops.permute:
            order = tuple(x.options[0][a] for a in options[0])
            return self.apply(ops.permute, x.inputs, (order,), like)
        if op is ops.reshape and x.op is ops.reshape:
            return self.apply(ops.reshape, x.inputs, options, like)
        if op is ops.mul and floats:
            for x, y in (inputs, inputs[::-1]):
                if y.number is not None and x.shape == like.shape:
                    return self.scaled(x, y.number, like)
        if isinstance(op.forward, np.ufunc) and len(inputs) == 2:
            # A ufunc broadcasts by itself.
            for i, y in enumerate(inputs):
                if y.op is ops.expand and inputs[1 - i].shape == like.shape:
                    bare = (y.inputs[0], inputs[1]) if i == 0 else (inputs[0], y.inputs[0])
                    return self.apply(op, bare, options, like)
        return None

    def scaled(self, x: Value, factor: Any, like: ndarray) -> Value:
        """x times a number, as one factor if x is such a product already."""
        if x.op is ops.mul and x.inputs[1].number is not None and x.inputs[0].shape == x.shape:
            first = x.inputs[1].number
            with np.errstate(all="ignore"):
                both = first * factor
            # Nothing may overflow or underflow on one of the two ways and not on the other.
            grow = min(abs(first), abs(factor)) >= 1 and np.isfinite(both)
            shrink = max(abs(first), abs(factor)) <= 1 and abs(both) >= np.finfo(both.dtype).tiny
            if grow or shrink:
                x, factor = x.inputs[0], both
        if factor == 1:
            return x
        key = (ops.mul, id(x), repr(factor))
        if key not in self.known:
            number = self.constant(np.asarray(factor, like.dtype))
            self.known[key] = Value(like.shape, like.dtype, ops.mul, (x, number))
            self.order.append(self.known[key])
        return self.known[key]


def frozen(option: Any) -> Any:
    """A key that is equal for equal options; that of an array, say, is its identity."""
    if isinstance(option, tuple):
        return tuple(map(frozen, option))
    plain = isinstance(option, (bool, int, float, str, slice, np.dtype, type(None), type(...)))
    return repr(option) if plain else id(option)


def values_of(
    arguments: list[Node], outputs: list[Tensor | None], arrays: list[ndarray], names: list[str]
) -> tuple[list[Value], list[Value | None]]:
    """The lines of the program for a graph, in order, and its outputs."""
    values = Values()
    known: dict[Node, Value] = {}
    actual: dict[Node, ndarray] = {}
    for node, array, name in zip(arguments, arrays, names, strict=True):
        known[node] = Value(array.shape, array.dtype, name=name)
        actual[node] = array
    nodes = [y._node for y in outputs if y is not None and y._node is not None]
    seen = set(nodes)
    for node in nodes:  # grows while it is walked
        for source in node.inputs or ():
            if isinstance(source, Node) and source not in seen:
                seen.add(source)
                nodes.append(source)
    order = sorted(seen, key=position)
    # An array is let go of when the last that needs it has been computed.
    last = {x: node for node in order for x in node.inputs or () if isinstance(x, Node)}
    with np.errstate(all="ignore"):
        for node in order:
            if node in known:
                continue
            if node.op is None or node.inputs is None:
                raise RuntimeError(
                    "compile: the function uses a Tensor that requires grad and is not one of its "
                    "arguments, nor a parameter of its optimizer; pass it as an argument, or call "
                    "detach() outside of the function and use what that returns"
                )
            sources = [s.array if isinstance(s, Constant) else actual[s] for s in node.inputs]
            called = [sources] if node.op.variadic else sources
            actual[node] = np.asarray(node.op.forward(*called, *node.options))
            inputs = tuple(
                values.constant(s.array) if isinstance(s, Constant) else known[s]
                for s in node.inputs
            )
            known[node] = values.apply(node.op, inputs, node.options, actual[node])
            for x in {x for x in node.inputs if isinstance(x, Node)}:
                if last[x] is node:
                    del actual[x]
    found = [
        None if y is None else values.constant(y._array) if y._node is None else known[y._node]
        for y in outputs
    ]
    needed = {id(v) for v in found}
    for value in reversed(values.order):
        if id(value) in needed:
            needed.update(map(id, value.inputs))
    lines = [v for v in values.order if id(v) in needed]
    return lines, found


# 2. From values to lines, and to the arrays they write into.


VIEWS = frozenset({ops.reshape, ops.permute, ops.expand})
REDUCTIONS = {ops.sum: "add", ops.amax: "maximum", ops.amin: "minimum"}
SHORT = {-1: "reciprocal", 0.5: "sqrt"}
Kind = tuple[Shape, np.dtype[Any]]

# Several elementwise ops in a row, one of which only feeds the next, are done block by block if
# they are this large: a block stays in the processor's cache, where an op takes half as long.
FUSED = Op("fused", "x", np.positive)
FUSE = 2**15  # entries
BLOCK = 2**17  # bytes
# A product of matrices with this few terms in each sum takes little more time by blocks than as a
# whole. Made that way, it needs no array that would be large.
THIN = 16
# OpenBLAS makes a product of this many terms or fewer in one thread, which starts at once.
ALONE = 2**18
# The sum of so few products is as accurate when BLAS takes it as when np.add does, which adds by
# pairs. Of the sums along one axis of a matrix, those over the rows are: np.add adds row to row.
INNER = Op("inner", "Σ x ⊙ y", lambda x, y: np.vdot(x, y))
INNER_MOST = 2**10
ROW_MOST = 2**7
# An array this large is made when it is needed and let go of when it is not: it would be most of
# the memory between the calls, and making it takes little of the time that filling it does.
LARGE = 2**22  # bytes


def users_of(lines: list[Value]) -> dict[Value, list[Value]]:
    users: dict[Value, list[Value]] = {}
    for v in lines:
        for x in v.inputs:
            users.setdefault(x, []).append(v)
    return users


def with_inner_products(lines: list[Value], outputs: list[Value | None]) -> list[Value]:
    """The lines, with a sum of products as one op where that is as accurate as two."""
    users = users_of(lines)
    gone = set()
    for v in lines:
        (x, *_) = v.inputs
        if (
            (v.op is ops.sum and v.shape == () and x.op is ops.mul and users[x] == [v])
            and (x not in outputs and prod(x.shape) <= INNER_MOST and x.dtype.char in "fd")
            and all(y.shape == x.shape for y in x.inputs)
        ):
            gone.add(x)
            v.op, v.inputs, v.options = INNER, x.inputs, ()
    return [v for v in lines if v not in gone]


def fused(lines: list[Value], outputs: list[Value | None]) -> list[Value]:
    """The lines, with those that only feed another of the same shape made part of that."""
    users = users_of(lines)
    into: dict[Value, Value] = {}
    parts: dict[Value, list[Value]] = {}
    for v in reversed(lines):
        if len(v.shape) == 0 or v.shape[0] < 2 or prod(v.shape) < FUSE:
            continue
        thin = is_thin(v) and size(v) >= LARGE
        if not thin and not elementwise(v):
            continue
        end = None
        if v not in outputs:
            ends = {None if is_thin(user) else into.get(user) for user in users[v]}
            end = ends.pop()
            if ends or end is None or end.shape != v.shape:
                end = None
        if end is not None or not thin:
            into[v] = end or v
            parts.setdefault(into[v], []).insert(0, v)
    for end, members in parts.items():
        if len(members) > 1 or end.op is ops.sigmoid:
            last = Value(end.shape, end.dtype, end.op, end.inputs, end.options)
            end.parts = (*members[:-1], last)
            given = {x: None for v in end.parts for x in v.inputs if x not in members}
            end.op, end.inputs, end.options = FUSED, tuple(given), ()
    return [v for v in lines if into.get(v, v) is v]


class Writer:
    """Writes a line for each value, and finds an array for each that needs one.

    A value whose last use has passed leaves its buffer to the next of the same shape and dtype;
    an elementwise op writes over an input it is the last to use. What the program returns is made
    anew in each call, unless it is to be reused.
    """

    def __init__(
        self,
        lines: list[Value],
        outputs: list[Value | None],
        reuse: bool,
        titles: Sequence[str] = (),
    ) -> None:
        self.scope: dict[str, Any] = {"np": np}
        self.names: dict[Any, str] = {}
        self.constants: list[str] = []
        self.making: list[str] = []
        self.kinds: dict[str, Kind] = {}
        self.free: dict[Kind, list[str]] = {}
        self.body: list[str] = []
        self.home: dict[Value, str] = {}
        self.fixed: set[Value] = set()
        self.showing: dict[str, list[str]] = {}
        self.labels: dict[Value, str] = {}
        lines = fused(with_inner_products(lines, outputs), outputs)
        # The root of a view is the value whose memory it shows.
        self.root: dict[Value, Value] = {}
        for v in lines:
            self.root[v] = self.root_of(v.inputs[0]) if is_view(v) else v
        kept = {self.root_of(v) for v in outputs if v is not None}
        lines = self.scheduled(lines, kept)
        last = {self.root_of(x): i for i, v in enumerate(lines) for x in v.inputs}
        ending = [
            {r for r in map(self.root_of, v.inputs) if last[r] == i and r not in kept}
            for i, v in enumerate(lines)
        ]
        # Which arrays are made anew. To be written over one of its inputs, an output needs that
        # to be made anew too.
        self.anew = {
            v for v in lines if (v in kept and not reuse) or not writes_out(v) or size(v) >= LARGE
        }
        for v, ends in zip(reversed(lines), reversed(ending)):
            over = self.overwritten(v, ends)
            if v in self.anew and over is not None and over.shape:
                self.anew.add(over)
        for i, (v, ends) in enumerate(zip(lines, ending)):
            if is_view(v):
                self.view(v, i)
                continue
            over = self.overwritten(v, ends)
            if over is not None and (over in self.anew) >= (v in self.anew) and over.shape:
                v.name = over.name
                if over in self.home:
                    self.home[v] = self.home.pop(over)
                self.write(v, v.name)
            elif v in self.anew:
                v.name = f"out{i}"
                self.write(v, None)
            else:
                v.name = self.home[v] = self.take((v.shape, v.dtype))
                self.write(v, v.name)
            for r in ends:
                if r in self.home:
                    self.free[r.shape, r.dtype].append(self.home.pop(r))
                elif r in self.anew and r.name != v.name and size(r) >= LARGE:
                    self.body.append(f"del {', '.join([r.name, *self.showing.get(r.name, ())])}")
        self.returns = self.returned(outputs)
        if titles:
            pairs = zip(titles, outputs, strict=True)
            said = "; ".join(f"{t}: {self.label(v)}" for t, v in pairs if v is not None)
            self.body += wrap(said, 92, initial_indent="# ", subsequent_indent="# ")

    def scheduled(self, lines: list[Value], kept: set[Value]) -> list[Value]:
        """The lines in the order that keeps least in memory, as far as one step ahead shows."""
        waiting = {v: {x for x in v.inputs if x in self.root} for v in lines}
        consumers: dict[Value, list[Value]] = {}
        pending: dict[Value, set[Value]] = {}
        for v in lines:
            for x in waiting[v]:
                consumers.setdefault(x, []).append(v)
            for x in v.inputs:
                pending.setdefault(self.root_of(x), set()).add(v)
        place = {v: i for i, v in enumerate(lines)}

        def growth(v: Value, done: Value | None = None) -> int:
            if is_view(v):
                return 0
            ending = [
                r
                for r in {self.root_of(x) for x in v.inputs}
                if r.op is not None and r not in kept and pending[r] <= {v, done}
            ]
            return size(v) - sum(map(size, ending))

        def cost(v: Value) -> int:
            after = [w for w in consumers.get(v, ()) if len(waiting[w]) == 1]
            return growth(v) + min([0, *(growth(w, v) for w in after)])

        ready = [v for v in lines if not waiting[v]]
        order = []
        while ready:
            v = min(ready[:16], key=cost)  # of all would take long in a program that is wide
            ready.remove(v)
            order.append(v)
            for x in {self.root_of(x) for x in v.inputs}:
                pending[x].discard(v)
            for w in consumers.get(v, ()):
                waiting[w].discard(v)
                if not waiting[w]:
                    insort(ready, w, key=place.__getitem__)
        return order

    def root_of(self, v: Value) -> Value:
        return self.root.get(v, v)

    def overwritten(self, v: Value, ending: set[Value]) -> Value | None:
        """An input whose array the value may be written into."""
        if not elementwise(v):
            return None
        roots = [self.root_of(x) for x in v.inputs]
        for x in v.inputs:
            # Another view of that array would be read when part of it is written over already.
            whole = x in ending and roots.count(x) == v.inputs.count(x)
            whole = whole and not any(p.op is ops.matmul and x is p.inputs[1] for p in v.parts)
            if whole and x.op is not None and (x.shape, x.dtype) == (v.shape, v.dtype):
                return x
        return None

    def take(self, kind: Kind) -> str:
        free = self.free.setdefault(kind, [])
        if free:
            return free.pop()
        name = f"buffer{len(self.kinds)}"
        self.kinds[name] = kind
        self.making.append(f"{name} = np.empty({kind[0]}, np.{kind[1]})")
        return name

    def view(self, v: Value, i: int) -> None:
        x = v.inputs[0]
        name = self.name_of(x)
        if v.op is ops.permute:
            (axes,) = v.options
            expression = (
                f"{name}.T"
                if axes == tuple(range(len(axes)))[::-1]
                else f"{name}.transpose({axes})"
            )
        elif v.op is ops.reshape:
            expression = f"{name}.reshape({v.shape})"
        elif v.op is ops.getitem:
            expression = f"{name}[{self.index(v.options[0])}]"
        else:
            expression = f"np.broadcast_to({name}, {v.shape})"
        v.name = f"view{i}"
        if not expression.endswith(".T"):
            expression += self.comment(v)
        if x in self.home or (x in self.fixed and v.op is not ops.reshape):
            # A buffer stays where it is, so its view is made once. (A reshape may have to copy.)
            self.fixed.add(v)
            self.making.append(f"{v.name} = {expression}")
        else:
            self.body.append(f"{v.name} = {expression}")
            self.showing.setdefault(self.root_of(v).name, []).append(v.name)

    def index(self, index: tuple[Any, ...]) -> str:
        """An index as it is written; a basic one so that it gives a view even of one entry."""

        def text(entry: Any) -> str:
            if isinstance(entry, ndarray):
                return self.given(entry)
            if isinstance(entry, slice):
                bounds = ("" if b is None else str(b) for b in (entry.start, entry.stop))
                return ":".join(bounds) + ("" if entry.step is None else f":{entry.step}")
            return "..." if entry is ... else repr(entry)

        entries = [text(entry) for entry in index]
        if is_basic(index) and "..." not in entries:
            entries.append("...")
        return ", ".join(entries) + ("," if len(entries) == 1 else "")

    def name_of(self, v: Value) -> str:
        if v.array is not None and not v.name:
            v.name = self.given(v.array)
        return v.name

    def operands(self, v: Value, name: Callable[[Value], str]) -> list[str]:
        """The names of the inputs; where a ufunc will broadcast it, a number for a constant."""
        names = []
        for i, x in enumerate(v.inputs):
            others = (*v.inputs[:i], *v.inputs[i + 1 :])
            broadcast = isinstance(v.op and v.op.forward, np.ufunc) and any(
                y.array is None and y.shape == v.shape for y in others
            )
            single = broadcast and x.number is not None
            names.append(self.number(x.number, x.dtype) if single else name(x))
        return names

    def number(self, x: Any, dtype: np.dtype[Any]) -> str:
        with np.errstate(over="ignore"):
            return self.given(np.asarray(x, dtype))

    def given(self, x: Any) -> str:
        """A name for something that the program finds made."""
        single = isinstance(x, ndarray) and x.ndim == 0
        key = (x.dtype, x.tobytes()) if single else id(x)
        if key not in self.names:
            name = self.names[key] = f"const{len(self.constants)}"
            self.scope[name] = x
            if single:
                what = f"{x.item():g}, {x.dtype}"
            elif isinstance(x, ndarray):
                number = Value(x.shape, x.dtype, array=x).number
                entries = "an array" if number is None else f"{number:g} in each entry"
                what = f"{entries}, {'×'.join(map(str, x.shape))}, {x.dtype}"
            else:
                what = getattr(x, "__name__", type(x).__name__)
            self.constants.append(f"# {name}: {what}")
        return self.names[key]

    def write(self, v: Value, out: str | None) -> None:
        if v.op is FUSED:
            if out is None:
                self.body.append(f"{v.name} = np.empty({v.shape}, np.{v.dtype})")
            self.body += self.blocks(v)
            return
        assert v.op is not None
        lines = self.lines(v, self.operands(v, self.name_of), out, v.shape)
        if out is None:
            lines[0] = f"{v.name} = {lines[0]}"
        lines[0] += self.comment(v)
        self.body += lines

    def comment(self, v: Value) -> str:
        """What a line computes, in the notation of the op's row."""
        return (
            f"  # {self.label(v)} = {self.formula(v)}, {'×'.join(map(str, v.shape)) or 'a number'}"
        )

    def label(self, v: Value) -> str:
        """A value's name in the comments, which unlike that of its array is its own."""
        if v.op is None and v.array is None:
            return v.name
        if v.array is not None:
            return f"{v.number:g}" if v.number is not None else self.name_of(v)
        if v.op is ops.permute and len(v.shape) == 2:
            return f"{self.label(v.inputs[0])}ᵀ"
        return self.labels.setdefault(v, f"v{len(self.labels) + 1}")

    def formula(self, v: Value) -> str:
        assert v.op is not None
        inputs = [self.label(x) for x in v.inputs]
        if v.op is FUSED:
            return f"a function of {', '.join(inputs)}"
        options = [
            self.index(o).removesuffix(", ...")
            if i == 0 and v.op in (ops.getitem, ops.scatter)
            else short(o)
            for i, o in enumerate(v.options)
        ]
        if v.op.variadic:
            inputs = [", ".join(inputs)]
        stands = dict(zip(v.op.parameters, [*inputs, *options]))
        text = v.op.formula.translate(SUPERSCRIPTS)
        text = re.sub(r"\w+", lambda word: stands.get(word[0], word[0]), text)
        return " ".join(text.split())  # a formula of somebody's own may have several lines

    def blocks(self, v: Value) -> list[str]:
        """A loop that computes the parts of a value some rows at a time."""
        n, *rest = v.shape
        most = BLOCK // (prod(rest) * v.dtype.itemsize)
        for part in v.parts:
            if part.op is ops.matmul:
                most = min(most, ALONE // max(1, prod(part.inputs[1].shape)))
        # A power of two more often divides n.
        rows = min(n, 1 << max(1, most).bit_length() - 1)
        shape = (rows, *rest)
        short = "" if n % rows == 0 else f"[: {n} - i]"  # the last block is what is left
        last = {x: i for i, part in enumerate(v.parts) for x in part.inputs}
        scratch: dict[Value, str] = {}
        cuts: dict[str, str] = {}

        def cut(array: str) -> str:
            return cuts.setdefault(array, f"rows{len(cuts)}")

        def name(x: Value) -> str:
            if x in scratch:
                return scratch[x] + short
            whole = self.name_of(x)
            return cut(whole) if (len(x.shape), *x.shape[:1]) == (len(v.shape), n) else whole

        lines = []
        for i, part in enumerate(v.parts):
            assert part.op is not None
            if part.op is ops.matmul:
                ins = [name(part.inputs[0]), self.name_of(part.inputs[1])]
            else:
                ins = self.operands(part, name)
            ends = [x for x in dict.fromkeys(part.inputs) if x in scratch and last[x] == i]
            if part is v.parts[-1]:
                out = cut(v.name)
            else:
                over = next((x for x in ends if x.dtype == part.dtype), None)
                scratch[part] = scratch.pop(over) if over else self.take((shape, part.dtype))
                out = name(part)
            written = self.lines(part, ins, out, shape, short)
            label = self.label(v if part is v.parts[-1] else part)
            lines += [f"{written[0]}  # {label} = {self.formula(part)}", *written[1:]]
            for x in ends:
                if x in scratch:
                    self.free[shape, x.dtype].append(scratch.pop(x))
        return [
            f"for i in range(0, {n}, {rows}):{self.comment(v)}, by {rows} rows",
            *(f"    {part} = {array}[i : i + {rows}]" for array, part in cuts.items()),
            *(f"    {line}" for line in lines),
            f"del {', '.join(cuts.values())}",
        ]

    def lines(
        self, v: Value, ins: list[str], out: str | None, shape: Shape, short: str = ""
    ) -> list[str]:
        """The op on these inputs, into an array of this shape, or as one expression.

        ``short`` is what to write after other arrays of this shape, should the last be shorter.
        """
        op, options = v.op, v.options
        assert op is not None
        into = "" if out is None else f", out={out}"
        if op is ops.matmul:
            two = all(len(x.shape) == 2 for x in v.inputs) and prod(shape) <= ops.DOT_MOST
            return [
                f"{ins[0]}.dot({ins[1]}{into})" if two else f"np.matmul({', '.join(ins)}{into})"
            ]
        if isinstance(op.forward, np.ufunc):
            return [f"np.{op.forward.__name__}({', '.join(ins)}{into})"]
        if op is ops.relu:
            return [f"np.maximum({ins[0]}, {self.number(0, v.dtype)}{into})"]
        if op is ops.pow:
            p = options[0]
            if p in SHORT:
                return [f"np.{SHORT[p]}({ins[0]}{into})"]
            exponent = repr(p) if np.isfinite(p) else self.given(p)
            return [f"np.power({ins[0]}, {exponent}{into})"]
        if op is ops.clamp:
            bounds = zip(("maximum", "minimum"), options, (-np.inf, np.inf))
            x, lines = ins[0], []
            for name, bound, none in bounds:
                if bound is not None and bound != none:
                    if v.dtype.kind in "iu":  # a bound beyond all whole numbers of the dtype
                        bound = min(max(bound, np.iinfo(v.dtype).min), np.iinfo(v.dtype).max)
                    lines.append(f"np.{name}({x}, {self.number(bound, v.dtype)}{into})")
                    x = lines[-1] if out is None else out
            return (lines if out else lines[-1:]) or [f"np.positive({x}{into})"]
        if op in REDUCTIONS:
            axes, keep = options
            reduced = self.summed(v, ins[0], into) if op is ops.sum else None
            if reduced is None:
                keeping = ", keepdims=True" if keep else ""
                reduced = f"np.{REDUCTIONS[op]}.reduce({ins[0]}, axis={axes}{keeping}{into})"
            return [reduced]
        if op is ops.sigmoid and out is not None:
            one, enough = ops.SIGMOID[v.dtype.char]
            (x,) = ins
            if prod(v.shape):
                x = f"{x} if {x}.item({x}.argmax()) <= {enough} else np.minimum({x}, {enough})"
            scratch = self.take((shape, v.dtype))
            self.free[shape, v.dtype].append(scratch)
            scratch += short
            return [
                f"np.exp({x}, out={out})",
                f"np.add({out}, {self.given(one)}, out={scratch})",
                f"np.divide({out}, {scratch}, out={out})",
            ]
        if op is INNER:
            return [f"np.vdot({', '.join(ins)})"]
        if op is ops.cat:
            return [f"np.concatenate(({', '.join(ins)},), axis={options[0]}{into})"]
        if op is ops.where:
            return [f"np.where({ins[2]}, {ins[0]}, {ins[1]})"]
        if op is ops.cast:
            return [f"{ins[0]}.astype(np.{v.dtype})"]
        if op is ops.getitem:
            return [f"{ins[0]}[{self.index(options[0])}]"]
        called = f"({', '.join(ins)},)" if op.variadic else ", ".join(ins)
        given = "".join(f", {self.given(o)}" for o in options)
        return [f"np.asarray({self.given(op.forward)}({called}{given}))"]

    def summed(self, v: Value, x: str, into: str) -> str | None:
        """A sum along one axis of a matrix as a product with ones, which is faster."""
        (source,), (axes, keep) = v.inputs, v.options
        if len(source.shape) != 2 or v.dtype.char not in "fd" or is_broadcast(source):
            return None
        n, k = source.shape
        if axes == (0,):
            return f"{self.ones((1, n) if keep else (n,), v.dtype)}.dot({x}{into})"
        if axes == (1,) and k <= ROW_MOST:
            return f"{x}.dot({self.ones((k, 1) if keep else (k,), v.dtype)}{into})"
        return None

    def ones(self, shape: Shape, dtype: np.dtype[Any]) -> str:
        key = ("ones", shape, dtype)
        if key not in self.names:
            self.names[key] = self.given(np.ones(shape, dtype))
        return self.names[key]

    def returned(self, outputs: list[Value | None]) -> list[str]:
        """What to return for each output: an array of the caller's own, so each root only once."""
        given: set[Value] = set()
        names = []
        for v in outputs:
            if v is None:
                names.append("None")
                continue
            root = self.root_of(v)
            own = root.op is not None and root not in given and not is_broadcast(v)
            given.add(root)
            names.append(self.name_of(v) if own else f"{self.name_of(v)}.copy()")
        return names


SUPERSCRIPTS = str.maketrans({"ᵖ": "^p", "ʸ": "^y"})


def short(option: Any) -> str:
    """An option of an op as it stands in a comment."""
    text = "all" if option is None else repr(option)
    return text if len(text) <= 40 else "…"


def is_basic(index: tuple[Any, ...]) -> bool:
    return not any(isinstance(entry, ndarray) for entry in index)


def is_view(v: Value) -> bool:
    return v.op in VIEWS or (v.op is ops.getitem and is_basic(v.options[0]))


def is_broadcast(v: Value) -> bool:
    """Whether entries of this view may share memory."""
    while is_view(v) and v.op is not ops.expand:
        v = v.inputs[0]
    return is_view(v)


def writes_out(v: Value) -> bool:
    """Whether the op can write its result into a given array."""
    return elementwise(v) or v.op in REDUCTIONS or v.op in (ops.matmul, ops.cat)


def is_thin(v: Value) -> bool:
    """Whether this is a product of matrices with few terms in each sum."""
    return (
        v.op is ops.matmul
        and all(len(x.shape) == 2 for x in v.inputs)
        and v.inputs[0].shape[1] <= THIN
    )


def elementwise(v: Value) -> bool:
    return v.op in (ops.relu, ops.pow, ops.clamp, ops.sigmoid) or (
        v.op is not None and isinstance(v.op.forward, np.ufunc)
    )


def size(v: Value) -> int:
    return prod(v.shape) * v.dtype.itemsize


def is_within(array: Any, owners: set[int]) -> bool:
    """Whether an array is one of these or a view of one, by a memoryview or the like too."""
    while array is not None:
        if id(array) in owners:
            return True
        array = array.obj if isinstance(array, memoryview) else getattr(array, "base", None)
    return False


next_number = count(1).__next__


class Program:
    """The program for one signature: its source, and buffers for each call under way."""

    def __init__(
        self,
        names: list[str],
        arrays: list[ndarray],
        lines: list[Value],
        outputs: list[Value | None],
        form: str,
        reuse: bool,
        titles: Sequence[str] = (),
    ) -> None:
        writer = Writer(lines, outputs, reuse, titles)
        buffers = "".join(f"{line.split(' ')[0]}, " for line in writer.making)
        self.arity = len(names)
        self.source = "\n".join(
            [
                *writer.constants,
                "def make_buffers():",
                *(f"    {line}" for line in writer.making),
                f"    return ({buffers})",
                "",
                f"def program(buffers, {', '.join(names)}):",
                *([f"    ({buffers}) = buffers"] if buffers else []),
                *(f"    {line}" for line in writer.body),
                f"    return {form.format(*writer.returns)}",
                "",
            ]
        )
        scope = writer.scope
        # By this name Python finds the line to show in tracebacks and with NumPy's warnings.
        file = f"<compiled program {next_number()}>"
        linecache.cache[file] = len(self.source), None, self.source.splitlines(True), file
        finalize(self, linecache.cache.pop, file, None)
        exec(compile(self.source, file, "exec"), scope)
        # The signature as straight-line code too, for it is tested at each call.
        tests = (
            f"type(x{i}) is array and x{i}.dtype is dtype{i} and x{i}.shape == {a.shape}"
            for i, a in enumerate(arrays)
        )
        types = {"array": ndarray, **{f"dtype{i}": a.dtype for i, a in enumerate(arrays)}}
        inputs = ", ".join(f"x{i}" for i in range(len(arrays)))
        self.fits: Callable[..., bool] = eval(
            f"lambda {inputs}: {' and '.join(tests) or True}", types
        )
        self.make: Callable[[], Any] = scope["make_buffers"]
        self.run: Callable[..., Any] = scope["program"]
        self.idle: list[Any] = []
        self.reuse = reuse
        self.owners: set[int] = set()

    def __call__(self, arrays: Sequence[ndarray]) -> Any:
        # Taken and given back in one step each: a second thread that calls meanwhile makes its own.
        try:
            buffers = self.idle.pop()
        except IndexError:
            buffers = self.make()
            if self.reuse:
                self.owners.update(map(id, buffers))
        if self.owners:
            # A result of an earlier call would be written over while it is read.
            arrays = [a.copy() if is_within(a, self.owners) else a for a in arrays]
        result = self.run(buffers, *arrays)
        self.idle.append(buffers)
        return result
