"""A function of Tensors as a straight-line NumPy program, with its gradients.

The function is run once, on Tensors, and so are the VJPs of what it recorded. The graph of its
outputs and gradients is the program: what no output needs is not in it. A few rewrites later, each
value gets a place to live, shared with values that are no longer needed, and each op one line.
"""

from __future__ import annotations

import inspect
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy import ndarray

from . import ops
from .arguments import as_array
from .functional import gradients_of
from .ops import Op, Shape
from .tape import Constant, Node, is_tracing, leaf, position, record
from .tensor import Tensor, wrap


def compile(function: Callable[..., Any], gradients: bool = True, reuse: bool = False) -> Compiled:
    """Make a program of a function of Tensors and of its gradients.

    After ``step = compile(function)``, call ``value, gradients = step(*arrays)``. ``function``
    takes Tensors and returns a Tensor of one entry; ``step`` takes arrays, Tensors or numbers and
    returns what NumPy would, arrays or 0-d scalars: the value, and a tuple of the gradients with
    respect to the arguments of float dtypes, with None for the others. With ``gradients=False``,
    ``function`` returns a Tensor or a tuple of them, of any shapes, and ``step`` their arrays. It
    may call ``grad`` itself, so that a whole training step can be one program.

    The function is traced once for each signature, the shapes and dtypes of the arguments. What
    Python does meanwhile is fixed: the way its branches went, how often its loops ran, the numbers
    and Tensors it took from elsewhere. So a function that asks for a value that depends on an
    argument (in an ``if``, by ``item()``, as an index), draws random numbers, or changes an
    argument in place cannot be compiled, and raises RuntimeError that says what to do.

    The results are arrays of their own; with ``reuse`` the next call overwrites them, which saves
    making them anew. Calls from several threads are safe, each working in its own buffers; with
    ``reuse`` they share the results.

    ``step.source`` is the program, to read.

    >>> import tinygrad_mlp as tg
    >>> step = tg.compile(lambda x, y: (x * y).sum())
    >>> step([1.0, 2.0], [3.0, 4.0])
    (np.float32(11.0), (array([3., 4.], dtype=float32), array([1., 2.], dtype=float32)))
    """
    return Compiled(function, gradients, reuse)


class Compiled:
    """A compiled function; ``compile`` makes one."""

    def __init__(self, function: Callable[..., Any], gradients: bool, reuse: bool) -> None:
        self.function = function
        self.gradients = gradients
        self.reuse = reuse
        self.programs: dict[Any, Program] = {}
        self.latest: Program | None = None
        self.lock = threading.Lock()

    @property
    def source(self) -> str:
        """The program made last; RuntimeError before the first call."""
        if self.latest is None:
            raise RuntimeError("source: there is none yet; call the function once with arguments")
        return self.latest.source

    def __call__(self, *args: Any) -> Any:
        program = self.latest
        if program is not None and len(args) == program.arity and program.fits(*args):
            return program(args)
        arrays = [a._array if isinstance(a, Tensor) else as_array(a) for a in args]
        return self.made(arrays)(arrays)

    def made(self, arrays: list[ndarray]) -> Program:
        """The program for arguments like these, from a trace if there is none yet."""
        signature = tuple((a.shape, a.dtype) for a in arrays)
        with self.lock:
            program = self.programs.get(signature)
            if program is None:
                nodes, results, form = trace(self.function, arrays, self.gradients)
                names = argument_names(self.function, len(arrays))
                lines, outputs = values_of(nodes, results, arrays, names)
                program = Program(names, arrays, lines, outputs, form, self.reuse)
                self.programs[signature] = program
            self.latest = program
            return program


def argument_names(function: Callable[..., Any], n: int) -> list[str]:
    """The function's own names for its arguments, where they cannot be mistaken for others."""
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        names = []
    usable = len(names) == n and not any(
        re.fullmatch(r"np|buffers|(buffer|const|view|out)\d+", x) for x in names
    )
    return names if usable else [f"x{i}" for i in range(n)]


# 1. From a function to its graph.

ARGUMENT = Op("argument", "x", np.positive)  # of a dtype that no gradient flows to


def trace(
    function: Callable[..., Any], arrays: list[ndarray], gradients: bool
) -> tuple[list[Node], list[Tensor | None], str]:
    """The nodes of the arguments, what the program is to return, and in which form."""
    arguments = [wrap(a) for a in arrays]
    for x in arguments:
        floats = x.dtype.kind == "f"
        x._node = leaf(x.shape) if floats else record(ARGUMENT, (), (), x.shape)
    nodes = [x._node for x in arguments if x._node is not None]
    tracing = is_tracing.set(True)
    try:
        result = function(*arguments)
        results = list(result) if isinstance(result, (tuple, list)) else [result]
        for r in results:
            if not isinstance(r, Tensor):
                raise TypeError(
                    f"compile: the function must return Tensors, not {type(r).__name__}"
                )
        if not gradients:
            form = ", ".join(["{}"] * len(results))
            return nodes, results, f"({form},)" if isinstance(result, (tuple, list)) else form
        if len(results) != 1 or results[0].numel() != 1:
            raise ValueError(
                "compile: for gradients the function must return one Tensor of one entry; "
                "pass gradients=False for the outputs alone"
            )
        by = tuple(x for x in arguments if x.dtype.kind == "f")
        found = iter(gradients_of(results[0], by, None, create_graph=True))
        slopes = [next(found) if x.dtype.kind == "f" else None for x in arguments]
        form = "{}, (" + "{}, " * len(slopes) + ")"
        return nodes, results + slopes, form
    finally:
        is_tracing.reset(tracing)


# 2. From the graph to values, fewer of them.


@dataclass(eq=False)
class Value:
    """What a line of the program computes, or an argument of it, or a constant."""

    shape: Shape
    dtype: np.dtype[Any]
    op: Op | None = None
    inputs: tuple[Value, ...] = ()
    options: tuple[Any, ...] = ()
    array: ndarray | None = None  # of a constant
    name: str = ""

    @property
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
            op in (ops.cast, ops.reshape, ops.expand)
            or (op is ops.permute and options[0] == tuple(range(len(x.shape))))
            or (op is ops.pow and options[0] == 1)
        ):
            return x
        if op is ops.neg:
            return self.scaled(x, like.dtype.type(-1), like)
        if op is ops.pow and options[0] == 2:
            return self.apply(ops.mul, (x, x), (), like)
        if op is ops.permute and x.op is ops.permute:
            order = tuple(x.options[0][a] for a in options[0])
            return self.apply(ops.permute, x.inputs, (order,), like)
        if op is ops.reshape and x.op is ops.reshape:
            return self.apply(ops.reshape, x.inputs, options, like)
        if op is ops.mul:
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
            x, factor = x.inputs[0], factor * x.inputs[1].number
        if factor == 1:
            return x
        key = (ops.mul, id(x), repr(factor))
        if key not in self.known:
            number = self.constant(np.asarray(factor, like.dtype))
            self.known[key] = Value(like.shape, like.dtype, ops.mul, (x, number))
            self.order.append(self.known[key])
        return self.known[key]


def frozen(option: Any) -> Any:
    """A key that is equal for equal options; an array's is its identity."""
    if isinstance(option, tuple):
        return tuple(map(frozen, option))
    return id(option) if isinstance(option, ndarray) else repr(option)


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
    with np.errstate(all="ignore"):
        for node in sorted(seen, key=position):
            if node in known:
                continue
            if node.op is None or node.inputs is None:
                raise RuntimeError(
                    "compile: the function uses a Tensor from outside that requires grad; "
                    "pass it as an argument, or use its detach()"
                )
            sources = [s.array if isinstance(s, Constant) else actual[s] for s in node.inputs]
            called = [sources] if node.op.variadic else sources
            actual[node] = np.asarray(node.op.forward(*called, *node.options))
            inputs = tuple(
                values.constant(s.array) if isinstance(s, Constant) else known[s]
                for s in node.inputs
            )
            known[node] = values.apply(node.op, inputs, node.options, actual[node])
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


# 3. From values to lines, and to the arrays they write into.


VIEWS = frozenset({ops.reshape, ops.permute, ops.expand})
REDUCTIONS = {ops.sum: "add", ops.mean: "add", ops.amax: "maximum", ops.amin: "minimum"}
SHORT = {-1: "reciprocal", 0.5: "sqrt"}
Kind = tuple[Shape, np.dtype[Any]]


class Writer:
    """Writes a line for each value, and finds a buffer for each that needs one.

    A value whose last use has passed leaves its buffer to the next of the same shape and dtype;
    an elementwise op writes over an input it is the last to use. What the program returns is made
    anew, unless it is to be reused.
    """

    def __init__(self, lines: list[Value], outputs: list[Value | None], reuse: bool) -> None:
        self.scope: dict[str, Any] = {"np": np}
        self.constants: list[str] = []
        self.making: list[str] = []
        self.kinds: dict[str, Kind] = {}
        self.free: dict[Kind, list[str]] = {}
        self.body: list[str] = []
        self.views = 0
        self.home: dict[Value, str] = {}
        # The root of a view is the value whose memory it shows.
        self.root: dict[Value, Value] = {}
        for v in lines:
            self.root[v] = self.root_of(v.inputs[0]) if v.op in VIEWS else v
        kept = {self.root_of(v) for v in outputs if v is not None}
        self.users: dict[Value, set[Value]] = {}
        for v in lines:
            for x in v.inputs:
                self.users.setdefault(self.root_of(x), set()).add(v)
        lines = self.scheduled(lines, kept)
        last = {self.root_of(x): i for i, v in enumerate(lines) for x in v.inputs}
        fresh = set() if reuse else kept.copy()
        # What is returned may be built up in place, from a first part that is made anew.
        grown: dict[Value, Value] = {}
        for i, v in reversed(list(enumerate(lines))):
            if v in fresh and elementwise(v):
                for x in v.inputs:
                    ends = last[self.root_of(x)] == i and x not in kept
                    if ends and self.root_of(x) is x and x.op is not None and alike(x, v):
                        grown[v] = x
                        fresh.add(x)
                        break
        for i, v in enumerate(lines):
            ending = {r for r in map(self.root_of, v.inputs) if last[r] == i and r not in kept}
            if v.op in VIEWS:
                self.view(v)
            elif v in grown:
                v.name = grown[v].name
                self.write(v, v.name)
            elif v in fresh or not writes_out(v):
                v.name = f"out{i}"
                self.write(v, None)
            else:
                v.name = self.home[v] = self.buffer(v, ending)
                self.write(v, v.name)
            for r in ending:
                name = self.home.pop(r, v.name)
                if name != v.name:
                    self.free[self.kinds[name]].append(name)
        self.returns = self.returned(outputs)

    def scheduled(self, lines: list[Value], kept: set[Value]) -> list[Value]:
        """The lines in the order that keeps least in memory, as far as one step ahead shows."""
        waiting = {v: {x for x in v.inputs if x in self.root} for v in lines}
        consumers: dict[Value, list[Value]] = {}
        for v, sources in waiting.items():
            for x in sources:
                consumers.setdefault(x, []).append(v)
        pending = {r: set(users) for r, users in self.users.items()}
        place = {v: i for i, v in enumerate(lines)}

        def growth(v: Value, done: Value | None = None) -> int:
            if v.op in VIEWS:
                return 0
            ending = [
                r
                for r in {self.root_of(x) for x in v.inputs}
                if r.op is not None and r not in kept and pending[r] <= {v, done}
            ]
            return size(v) - sum(map(size, ending))

        ready = [v for v in lines if not waiting[v]]
        order = []
        while ready:
            costs = {}
            for v in ready:
                after = [w for w in consumers.get(v, ()) if len(waiting[w]) == 1]
                costs[v] = growth(v) + min([0, *(growth(w, v) for w in after)])
            v = min(ready, key=lambda v: (costs[v], place[v]))
            ready.remove(v)
            order.append(v)
            for x in {self.root_of(x) for x in v.inputs}:
                pending[x].discard(v)
            for w in consumers.get(v, ()):
                waiting[w].discard(v)
                if not waiting[w]:
                    ready.append(w)
        return order

    def root_of(self, v: Value) -> Value:
        return self.root.get(v, v)

    def buffer(self, v: Value, ending: set[Value]) -> str:
        kind = (v.shape, v.dtype)
        if elementwise(v):
            for x in v.inputs:
                if x in ending and x in self.home and self.kinds[self.home[x]] == kind:
                    return self.home[x]
        return self.take(kind)

    def take(self, kind: Kind) -> str:
        free = self.free.setdefault(kind, [])
        if free:
            return free.pop()
        name = f"buffer{len(self.kinds)}"
        self.kinds[name] = kind
        self.making.append(f"{name} = np.empty({kind[0]}, np.{kind[1]})")
        return name

    def view(self, v: Value) -> None:
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
        else:
            expression = f"np.broadcast_to({name}, {v.shape})"
        self.views += 1
        if self.root_of(v) in self.home and not (v.op is ops.reshape and x.op in VIEWS):
            # A buffer stays where it is, so its view is made once. (A reshape may have to copy.)
            v.name = f"view{self.views}"
            self.making.append(f"{v.name} = {expression}")
        else:
            v.name = f"view{self.views}"
            self.body.append(f"{v.name} = {expression}")

    def name_of(self, v: Value, elementwise: bool = False) -> str:
        if v.array is None:
            return v.name
        if elementwise and v.number is not None:
            return self.given(np.asarray(v.number, v.dtype))
        if not v.name:
            v.name = self.given(v.array)
        return v.name

    def given(self, array: Any) -> str:
        """A name for something that the program finds made."""
        for name, have in self.scope.items():
            if have is array or (
                isinstance(array, ndarray)
                and array.ndim == 0
                and isinstance(have, ndarray)
                and (have.shape, have.dtype, have.tobytes()) == ((), array.dtype, array.tobytes())
            ):
                return name
        name = f"const{len(self.constants)}"
        self.scope[name] = array
        if isinstance(array, ndarray):
            what = array.item() if array.ndim == 0 else f"an array of shape {array.shape}"
            self.constants.append(f"# {name}: {what}, {array.dtype}")
        else:
            self.constants.append(f"# {name}: {getattr(array, '__name__', type(array).__name__)}")
        return name

    def write(self, v: Value, out: str | None) -> None:
        op, options = v.op, v.options
        assert op is not None
        ufunc = isinstance(op.forward, np.ufunc)
        ins = [self.name_of(x, ufunc) for x in v.inputs]
        into = "" if out is None else f", out={out}"
        lines: list[str]
        if op is ops.matmul and len(v.shape) == 2 == len(v.inputs[0].shape):
            lines = [f"{ins[0]}.dot({ins[1]}{into})"]
        elif ufunc:
            lines = [f"np.{op.forward.__name__}({', '.join(ins)}{into})"]
        elif op is ops.matmul:
            lines = [f"np.matmul({ins[0]}, {ins[1]}{into})"]
        elif op is ops.relu:
            lines = [f"np.maximum({ins[0]}, {self.given(np.zeros((), v.dtype))}{into})"]
        elif op is ops.pow:
            p = options[0]
            function = f"{SHORT[p]}({ins[0]}" if p in SHORT else f"power({ins[0]}, {p!r}"
            lines = [f"np.{function}{into})"]
        elif op is ops.clamp:
            low, high = (float(b) for b in options)
            bounds = ", ".join(self.given(np.asarray(b, v.dtype)) for b in (low, high))
            lines = [f"np.clip({ins[0]}, {bounds}{into})"]
        elif op in REDUCTIONS:
            axes, keep = options
            keeping = ", keepdims=True" if keep else ""
            lines = [f"np.{REDUCTIONS[op]}.reduce({ins[0]}, axis={axes}{keeping}{into})"]
            if op is ops.mean:
                n = self.given(np.asarray(ops.terms(v.inputs[0].shape, axes), v.dtype))
                if out is None:
                    lines = [f"np.divide({lines[0]}, {n})"]
                else:
                    lines.append(f"np.divide({out}, {n}, out={out})")
        elif op is ops.sigmoid and out is not None:
            one, enough = (self.given(a) for a in ops.SIGMOID[v.dtype.char])
            if size(v) <= 2**16:
                # np.minimum takes half as long with an array of them.
                enough = self.given(np.full(v.shape, ops.SIGMOID[v.dtype.char][1]))
            scratch = self.take((v.shape, v.dtype))
            lines = [
                f"np.minimum({ins[0]}, {enough}, out={out})",
                f"np.exp({out}, out={out})",
                f"np.add({out}, {one}, out={scratch})",
                f"np.divide({out}, {scratch}, out={out})",
            ]
            self.free[v.shape, v.dtype].append(scratch)
        elif op is ops.cat:
            lines = [f"np.concatenate(({', '.join(ins)},), axis={options[0]}{into})"]
        elif op is ops.where:
            lines = [f"np.where({ins[2]}, {ins[0]}, {ins[1]})"]
        elif op is ops.cast:
            lines = [f"{ins[0]}.astype(np.{v.dtype})"]
        else:
            called = f"({', '.join(ins)},)" if op.variadic else ", ".join(ins)
            given = "".join(f", {self.given(o)}" for o in options)
            lines = [f"np.asarray({self.given(op.forward)}({called}{given}))"]
        if out is None:
            lines[0] = f"{v.name} = {lines[0]}"
        lines[0] += f"  # {op.name}, {v.shape}"
        self.body += lines

    def returned(self, outputs: list[Value | None]) -> list[str]:
        """What to return for each output: a value of the caller's own, so each root only once."""
        given: set[Value] = set()
        names = []
        for v in outputs:
            if v is None:
                names.append("None")
                continue
            root = self.root_of(v)
            name = self.name_of(v)
            shared = root.op is None or root in given or v.op is ops.expand
            given.add(root)
            names.append(f"{name}.copy()" if shared else name)
        return names


def writes_out(v: Value) -> bool:
    """Whether the op can write its result into a given array."""
    return elementwise(v) or v.op in REDUCTIONS or v.op in (ops.matmul, ops.cat)


def size(v: Value) -> int:
    return prod(v.shape) * v.dtype.itemsize


def alike(v: Value, w: Value) -> bool:
    return v.shape == w.shape and v.dtype == w.dtype


def elementwise(v: Value) -> bool:
    return v.op in (ops.relu, ops.pow, ops.clamp, ops.sigmoid) or (
        v.op is not None and isinstance(v.op.forward, np.ufunc)
    )


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
    ) -> None:
        writer = Writer(lines, outputs, reuse)
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
        exec(self.source, scope)
        # The signature as straight-line code too, for it is tested at each call.
        tests = (
            f"type({x}) is array and {x}.dtype is {x}_dtype and {x}.shape == {a.shape}"
            for x, a in zip(names, arrays, strict=True)
        )
        types = {"array": ndarray, **{f"{x}_dtype": a.dtype for x, a in zip(names, arrays)}}
        fits = f"lambda {', '.join(names)}: {' and '.join(tests) or True}"
        self.fits: Callable[..., bool] = eval(fits, types)
        self.make: Callable[[], Any] = scope["make_buffers"]
        self.run: Callable[..., Any] = scope["program"]
        self.idle: list[Any] = []

    def __call__(self, arrays: Sequence[ndarray]) -> Any:
        # Taken and given back in one step each: a second thread that calls meanwhile makes its own.
        try:
            buffers = self.idle.pop()
        except IndexError:
            buffers = self.make()
        result = self.run(buffers, *arrays)
        self.idle.append(buffers)
        return result
