"""Random programs over the table of ops, as plain data.

A program is a few leaves with their numbers and a list of steps, each an op on what came before.
As data it can be run under this package, under PyTorch and on plain arrays, printed as a Python
script, kept in a file, and made smaller.

Every step stays away from the places where its derivative does not exist, so two right answers
differ by rounding alone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import product
from random import Random
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from ..ops import TABLE, Op, parameters

Shape = tuple[int, ...]
Choose = Callable[[int], int]  # of n, a number from 0 to n − 1; smaller is simpler

MARGIN = 1 / 64  # how far a program keeps from kinks and poles
LARGEST = 1e4  # of what it computes
DTYPES = ("float64", "float32")
FORMAT = 1


class Leaf(NamedTuple):
    """An input: its shape, its dtype, its entries row by row, and whether it has a gradient."""

    shape: Shape
    dtype: str
    values: tuple[float, ...]
    requires_grad: bool = True

    def array(self) -> ndarray:
        return np.array(self.values, self.dtype).reshape(self.shape)


class Step(NamedTuple):
    """An op, the places of its inputs among the leaves and the steps before it, its options."""

    op: str
    inputs: tuple[int, ...]
    options: dict[str, Any]


class Program(NamedTuple):
    """Leaves, then steps; a value's place is its number in that order. ``outputs`` are places.

    >>> program = generate(seed=3)
    >>> Program.from_json(program.to_json()) == program
    True
    """

    leaves: tuple[Leaf, ...]
    steps: tuple[Step, ...]
    outputs: tuple[int, ...]

    def to_json(self) -> str:
        """The program as JSON, which ``from_json`` reads."""
        return json.dumps(
            {
                "format": FORMAT,
                "leaves": [leaf._asdict() for leaf in self.leaves],
                "steps": [step._asdict() for step in self.steps],
                "outputs": self.outputs,
            },
            allow_nan=False,
        )

    @staticmethod
    def from_json(text: str) -> Program:
        """A program from JSON; ValueError where it is not one that can run."""
        try:
            data = json.loads(text)
            if data["format"] != FORMAT:
                raise ValueError(f"format {data['format']} is not {FORMAT}")
            program = Program(
                tuple(
                    Leaf(
                        tuple(map(whole, x["shape"])),
                        str(x["dtype"]),
                        tuple(map(float, x["values"])),
                        bool(x["requires_grad"]),
                    )
                    for x in data["leaves"]
                ),
                tuple(
                    Step(str(s["op"]), tuple(map(whole, s["inputs"])), frozen(dict(s["options"])))
                    for s in data["steps"]
                ),
                tuple(map(whole, data["outputs"])),
            )
        except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
            raise ValueError(f"not a program: {type(error).__name__}: {error}") from None
        trace(program)
        return program

    @property
    def size(self) -> tuple[int, int]:
        """How many steps there are, and how many entries the largest leaf has."""
        return len(self.steps), max((len(leaf.values) for leaf in self.leaves), default=0)

    def script(self, order: int = 1, note: str = "") -> str:
        """The program as a Python script that runs it under this package and under PyTorch."""
        return script(self, order, note)


def whole(value: Any) -> int:
    if type(value) is not int:
        raise ValueError(f"not a program: {value!r} is not a whole number")
    return value


def frozen(value: Any) -> Any:
    """Lists as tuples, all the way down."""
    if isinstance(value, dict):
        return {str(k): frozen(v) for k, v in value.items()}
    return tuple(map(frozen, value)) if isinstance(value, (list, tuple)) else value


def weights(shape: Shape, dtype: Any = np.float64) -> ndarray:
    """Cotangents 1, −2, 3, …: plain numbers of which no two are equal, nor do they sum to 0."""
    n = np.arange(math.prod(shape))
    return ((n + 1) * (1 - 2 * (n % 2))).reshape(shape).astype(dtype)


# What an op is to a program.


class Spec(NamedTuple):
    """How a program uses an op.

    ``tensors`` is the op in the words that this package and PyTorch share, ``arrays`` in those of
    ``Arrays``, with {x}, {y} and {z} for inputs and {name} for an option. ``build`` chooses inputs
    and options. ``distance(values, options)`` is how far, elementwise, the inputs are from where
    the derivative does not exist. ``kinds`` are leaves that are far enough, for each input.
    """

    tensors: str | Callable[[dict[str, Any]], str]
    arrays: str
    build: Callable[[Maker, bool], tuple[tuple[int, ...], dict[str, Any]] | None]
    options: tuple[str, ...] = ()
    distance: Callable[[list[ndarray], dict[str, Any]], Any] | None = None
    kinds: tuple[str, ...] = ()

    def text(self, options: dict[str, Any]) -> str:
        return self.tensors if isinstance(self.tensors, str) else self.tensors(options)


class Arrays:
    """The ops on arrays of a library that looks like NumPy.

    Branches are taken by the real part, so that complex numbers x + ih give the derivative.
    """

    def __init__(self, xp: Any = np) -> None:
        self.xp = xp

    def __getattr__(self, name: str) -> Any:
        return getattr(self.xp, name)

    def absolute(self, x: Any) -> Any:
        return self.xp.where(self.xp.real(x) < 0, -x, x)

    def relu(self, x: Any) -> Any:
        return self.xp.where(self.xp.real(x) > 0, x, 0.0)

    def sign(self, x: Any) -> Any:
        return self.xp.sign(self.xp.real(x))

    def sigmoid(self, x: Any) -> Any:
        e = self.xp.exp(-self.absolute(x))
        return self.xp.where(self.xp.real(x) >= 0, 1.0, e) / (1.0 + e)

    def larger(self, x: Any, y: Any) -> Any:
        return self.either(self.xp.real(x) >= self.xp.real(y), x, y)

    def smaller(self, x: Any, y: Any) -> Any:
        return self.either(self.xp.real(x) <= self.xp.real(y), x, y)

    def clamp(self, x: Any, low: float | None, high: float | None) -> Any:
        x = x if low is None else self.larger(x, low)
        return x if high is None else self.smaller(x, high)

    def power(self, x: Any, p: Any) -> Any:
        # NumPy takes a complex power by way of logarithms.
        if isinstance(p, int) and abs(p) <= 3:
            out = self.xp.ones_like(x)
            for _ in range(abs(p)):
                out = out * x
            return out if p >= 0 else 1.0 / out
        return x**p

    def choice(self, c: Any, x: Any, y: Any) -> Any:
        return self.either(self.xp.real(c) > 0, x, y)

    def either(self, condition: Any, x: Any, y: Any) -> Any:
        # autograd's where cannot be differentiated where it broadcasts.
        return condition * 1.0 * x + (~condition) * 1.0 * y

    def scatter(self, x: Any, index: Any, into: Shape) -> Any:
        if self.xp is not np:
            return self.xp.zeros(into).at[index].add(x)
        out = np.zeros(into, x.dtype)
        np.add.at(out, index, x)
        return out

    def average(self, x: Any, axis: Any, keepdims: bool) -> Any:
        out = self.xp.sum(x, axis=axis, keepdims=keepdims)
        return out / (x.size / out.size if x.size else math.nan)

    def tensor(self, data: Any) -> ndarray:
        return np.array(data)


def scatter(lib: Any, x: Any, index: tuple[Any, ...], into: Shape) -> Any:
    """Zeros with x added at the index: in PyTorch's words, and as the op that has no public name"""
    if lib.__name__ == "torch":
        places = lib.arange(math.prod(into)).reshape(into)[index]
        zeros = lib.zeros(math.prod(into), dtype=x.dtype)
        return zeros.index_add(0, places.flatten(), x.flatten()).reshape(into)
    plain = tuple(i.numpy() if hasattr(i, "numpy") else i for i in index)
    return lib.ops.scatter(x, plain, into)


SCATTER = '''
def scatter(lib, x, index, into):
    """Zeros with x added at the index."""
    if lib is not tg:
        places = lib.arange(math.prod(into)).reshape(into)[index]
        zeros = lib.zeros(math.prod(into), dtype=x.dtype)
        return zeros.index_add(0, places.flatten(), x.flatten()).reshape(into)
    return tg.ops.scatter(x, tuple(i.numpy() if hasattr(i, "numpy") else i for i in index), into)

'''


# Making a program.


class Maker:
    """A program in the making: its values so far, and choices."""

    def __init__(self, choose: Choose, dtypes: Sequence[str]) -> None:
        self.choose = choose
        self.dtypes = dtypes
        self.items: list[Leaf | Step] = []
        self.values: list[ndarray] = []
        self.kinds: list[str] = []  # dtypes

    def pick(self, choices: Sequence[Any]) -> Any:
        return choices[self.choose(len(choices))]

    def shape(self) -> Shape:
        sides = (1, 2, 3, 2, 3, 2, 1, 0) if self.choose(8) == 7 else (1, 2, 3, 2)
        return tuple(self.pick(sides) for _ in range(self.pick((0, 1, 2, 2, 1, 3))))

    def leaf(self, shape: Shape, kind: str = "any", dtype: str | None = None) -> int:
        dtype = dtype or self.pick(self.dtypes)
        array = np.array(self.entries(math.prod(shape), kind), dtype)
        self.items.append(Leaf(shape, dtype, tuple(array.tolist()), self.choose(8) != 7))
        self.values.append(array.astype(np.float64).reshape(shape))
        self.kinds.append(dtype)
        return len(self.items) - 1

    def entries(self, n: int, kind: str) -> list[float]:
        if kind.startswith("apart"):
            order = sorted(range(n), key=lambda _: self.choose(1 << 16))
            return [(i - n // 2) / 4 + (0.125 if kind == "apart2" else 0.0) for i in order]
        style = self.choose(8)
        if style == 5:
            found = [self.pick((1.0, 0.0, 2.0, -1.0)) for _ in range(n)]
        elif style == 6:
            found = [self.choose(1 << 24) / (1 << 22) - 2 for _ in range(n)]
        else:
            found = [signed(self.choose(17)) / 4 for _ in range(n)]
        if style == 7:
            found = [self.pick(SPECIAL) if self.choose(2) else x for x in found]
        if kind == "any":
            return found
        found = [x if abs(x) >= 0.25 else 1.0 for x in found]
        return [abs(x) for x in found] if kind == "positive" else found

    def any(self, kind: str = "any", fresh: bool = False, ndim: int = 0) -> int:
        """Some value there is, or a new leaf."""
        fitting = [i for i, v in enumerate(self.values) if v.ndim >= ndim]
        if not fitting or fresh or self.choose(4) == 3:
            shape = self.shape()
            while len(shape) < ndim:
                shape = (self.pick((2, 1, 3)), *shape)
            return self.leaf(shape, kind)
        # Later values are likelier, so that programs become deep.
        return fitting[-1 - min(self.choose(len(fitting)), self.choose(len(fitting)))]

    def beside(self, shape: Shape, kind: str = "any", fresh: bool = False) -> int:
        """Some value that broadcasts with a shape, or a new leaf that does."""
        fitting = [i for i, v in enumerate(self.values) if broadcasts(v.shape, shape)]
        # With one value to choose from, it is the one that asks: x + x.
        often = 3 if len(fitting) > 1 else 4
        if fitting and not fresh and (self.choose(often) > 0) == (len(fitting) > 1):
            return int(self.pick(fitting))
        like = self.pick((0, 0, 1, 2, 3))
        if like == 1:
            shape = shape[1:]
        elif like == 2:
            shape = tuple(1 if self.choose(2) else n for n in shape)
        elif like == 3 and len(shape) < 3:
            shape = (self.pick((2, 1)), *shape)
        return self.leaf(shape, kind)

    def grow(self, op: str) -> bool:
        """Add a step of this op, if values can be found for it."""
        spec = SPECS[op]
        for attempt in range(4):
            before = len(self.items)
            built = spec.build(self, attempt >= 2)
            if built is not None:
                inputs, options = built
                xs = [self.values[i] for i in inputs]
                if far_enough(spec, xs, options):
                    with np.errstate(all="ignore"):
                        out = run_arrays(NUMPY, op, xs, options)
                    if acceptable(out):
                        self.items.append(Step(op, inputs, options))
                        self.values.append(out)
                        self.kinds.append(
                            result_dtype(
                                op, [(self.kinds[i], self.values[i].ndim) for i in inputs], options
                            )
                        )
                        return True
            del self.items[before:], self.values[before:], self.kinds[before:]
        return False

    def program(self) -> Program:
        """What was made, leaves first; its outputs are the steps that no other step uses."""
        leaves = [i for i, item in enumerate(self.items) if isinstance(item, Leaf)]
        steps = [i for i, item in enumerate(self.items) if isinstance(item, Step)]
        if leaves and not any(self.items[i].requires_grad for i in leaves):  # type: ignore[union-attr]
            self.items[leaves[0]] = self.items[leaves[0]]._replace(requires_grad=True)  # type: ignore[call-arg]
        place = {old: new for new, old in enumerate(leaves + steps)}
        made = [
            item._replace(inputs=tuple(place[j] for j in item.inputs))
            for item in self.items
            if isinstance(item, Step)
        ]
        used = {j for step in made for j in step.inputs}
        outputs = [place[i] for i in steps if place[i] not in used]
        return Program(tuple(self.items[i] for i in leaves), tuple(made), tuple(outputs))  # type: ignore[misc]


SPECIAL = (0.0, 1.0, -0.0, -1.0, 20.0, -20.0, 1e-20, -1e-20, 1e-310, 100.0, -100.0)


def signed(i: int) -> int:
    """0, 1, −1, 2, −2, …"""
    return (i + 1) // 2 if i % 2 else -(i // 2)


def broadcasts(a: Shape, b: Shape) -> bool:
    return all(m == n or m == 1 or n == 1 for m, n in zip(a[::-1], b[::-1], strict=False))


def acceptable(out: ndarray) -> bool:
    return out.size <= 64 and out.ndim <= 4 and bool((np.abs(out) <= LARGEST).all())


def far_enough(spec: Spec, xs: list[ndarray], options: dict[str, Any]) -> bool:
    if spec.distance is None:
        return True
    return float(np.min(spec.distance(xs, options), initial=np.inf)) >= MARGIN


def result_dtype(op: str, inputs: list[tuple[str, int]], options: dict[str, Any]) -> str:
    """The dtype by PyTorch's rules: a 0-d input does not count beside one with axes."""
    if op == "cast":
        return str(options["dtype"])
    if op == "where":
        inputs = inputs[1:]
    deciding = [dtype for dtype, ndim in inputs if ndim] if op != "cat" else []
    return "float64" if "float64" in (deciding or [d for d, _ in inputs]) else "float32"


# How each op chooses.

Built = tuple[tuple[int, ...], dict[str, Any]] | None


def unary(kind: str = "any") -> Callable[[Maker, bool], Built]:
    return lambda m, fresh: ((m.any(kind, fresh),), {})


def binary(left: str = "any", right: str = "any") -> Callable[[Maker, bool], Built]:
    def build(m: Maker, fresh: bool) -> Built:
        x = m.any(left, fresh)
        y = m.beside(m.values[x].shape, right, fresh)
        return ((y, x) if left == right and m.choose(2) else (x, y)), {}

    return build


def build_pow(m: Maker, fresh: bool) -> Built:
    p = m.pick((2, 3, 1, 0, -1, 0.5, 1.5, -2, 2.0, -0.5))
    return (m.any("positive", fresh),), {"p": p}


def build_matmul(m: Maker, fresh: bool) -> Built:
    x = m.any(fresh=fresh, ndim=1)
    k = m.values[x].shape[-1]
    vector, lead = m.choose(6) == 5, m.values[x].shape[:-2]

    def fits(v: ndarray) -> bool:
        return v.ndim > 0 and v.shape[-min(2, v.ndim)] == k and broadcasts(v.shape[:-2], lead)

    # PyTorch multiplies matrices of one dtype only.
    dtype = m.kinds[x]
    fitting = [i for i, v in enumerate(m.values) if m.kinds[i] == dtype and fits(v)]
    if fitting and not fresh and m.choose(2):
        return (x, m.pick(fitting)), {}
    shape = (k,) if vector else (k, m.pick((1, 2, 3)))
    if lead and not vector and m.choose(2):
        shape = (m.pick((1, lead[-1])), *shape)
    return (x, m.leaf(shape, dtype=dtype)), {}


def build_clamp(m: Maker, fresh: bool) -> Built:
    low, high = m.pick(((-1.0, 1.0), (0.0, None), (None, 0.5), (-0.5, 2.0), (0, 1)))
    return (m.any("nonzero", fresh),), {"low": low, "high": high}


def clamp_distance(xs: list[ndarray], o: dict[str, Any]) -> Any:
    bounds = [b for b in (o["low"], o["high"]) if b is not None]
    return np.min([np.abs(xs[0] - b) for b in bounds], 0)


def build_where(m: Maker, fresh: bool) -> Built:
    x = m.any(fresh=fresh)
    y = m.beside(m.values[x].shape)
    both = np.broadcast_shapes(m.values[x].shape, m.values[y].shape)
    return (m.beside(both, "nonzero", fresh), x, y), {}


def build_reduction(kind: str) -> Callable[[Maker, bool], Built]:
    def build(m: Maker, fresh: bool) -> Built:
        x = m.any(kind, fresh)
        ndim = m.values[x].ndim
        if ndim == 0 or not m.choose(3):
            return (x,), {"axes": None, "keepdim": False}
        axes = tuple(a for a in range(ndim) if m.choose(2)) or (m.choose(ndim),)
        if m.choose(4) == 3:
            axes = tuple(a - ndim for a in axes)
        return (x,), {"axes": axes, "keepdim": bool(m.choose(2))}

    return build


def gap(sign: int) -> Callable[[list[ndarray], dict[str, Any]], Any]:
    """How far the largest entry (or, negated, the smallest) is ahead of the next."""

    def distance(xs: list[ndarray], o: dict[str, Any]) -> Any:
        x = sign * xs[0]
        axes = range(x.ndim) if o["axes"] is None else [a % x.ndim for a in o["axes"]]
        n = math.prod(x.shape[a] for a in axes)
        if n == 0 or x.ndim == 0 != len(axes):
            return 0.0  # there is no largest entry of none
        if n == 1:
            return np.inf
        kept = [a for a in range(x.ndim) if a not in axes]
        flat = x.transpose((*kept, *axes)).reshape(*(x.shape[a] for a in kept), n)
        best = np.sort(flat, -1)
        return best[..., -1] - best[..., -2]

    return distance


def build_reshape(m: Maker, fresh: bool) -> Built:
    x = m.any(fresh=fresh)
    shape = m.values[x].shape
    n = math.prod(shape)
    forms = [(n,), shape[::-1], (1, *shape), (*shape, 1), tuple(k for k in shape if k != 1)]
    if n:
        forms += [(-1,), (n, 1), (-1, *shape[:1])]
    return (x,), {"to": m.pick(forms)}


def build_permute(m: Maker, fresh: bool) -> Built:
    x = m.any(fresh=fresh, ndim=m.pick((2, 1, 3, 0)))
    ndim = m.values[x].ndim
    axes = sorted(range(ndim), key=lambda a: (m.choose(3), -a))
    return (x,), {"axes": tuple(axes)}


def build_expand(m: Maker, fresh: bool) -> Built:
    x = m.any(fresh=fresh)
    shape = tuple(m.pick((2, 3, 1)) if n == 1 else n for n in m.values[x].shape)
    if m.choose(2) and len(shape) < 3:
        shape = (m.pick((2, 1, 3)), *shape)
    return (x,), {"shape": shape}


def indices(m: Maker, shape: Shape) -> tuple[Any, ...]:
    """An index for this shape that NumPy, PyTorch and this package read alike."""
    index: list[Any] = []
    arrays = 0
    for n in shape[: m.choose(len(shape) + 1)]:
        if m.choose(8) == 7:
            index.append(None)
        kind = m.choose(5)
        if kind <= 1:
            a, b = m.choose(n + 1), m.choose(n + 1)
            index.append(("slice", min(a, b), max(a, b) or None, m.pick((1, 1, 2))))
        elif kind == 2 and n and not arrays:
            index.append(m.choose(n) - n * m.choose(2))
        elif kind == 3 and n and not arrays and not any(isinstance(i, int) for i in index):
            arrays += 1
            index.append(("array", tuple(m.choose(n) for _ in range(m.pick((2, 3, 1))))))
        else:
            index.append(("slice", None, None, None))
    if m.choose(4) == 3:
        index.append("...")
    return tuple(index)


def build_getitem(m: Maker, fresh: bool) -> Built:
    x = m.any(fresh=fresh, ndim=m.pick((1, 0, 2)))
    return (x,), {"index": indices(m, m.values[x].shape)}


def build_scatter(m: Maker, fresh: bool) -> Built:
    into = m.shape()
    index = indices(m, into)
    wanted = np.zeros(into)[realised(NUMPY, index)].shape
    fitting = [i for i, v in enumerate(m.values) if v.shape == wanted]
    x = m.pick(fitting) if fitting and not fresh and m.choose(4) else m.leaf(wanted)
    return (x,), {"index": index, "into": into}


def build_cat(m: Maker, fresh: bool) -> Built:
    x = m.any(fresh=fresh, ndim=1)
    shape = m.values[x].shape
    axis = m.choose(len(shape))
    others = [x]
    for _ in range(m.pick((1, 2, 0))):
        fitting = [
            i
            for i, v in enumerate(m.values)
            if v.ndim == len(shape)
            and v.shape[:axis] + v.shape[axis + 1 :] == shape[:axis] + shape[axis + 1 :]
        ]
        if m.choose(2):
            others.append(m.pick(fitting))
        else:
            others.append(m.leaf((*shape[:axis], m.pick((1, 2, 0)), *shape[axis + 1 :])))
    return tuple(others), {"axis": axis - len(shape) * m.choose(2)}


def build_cast(m: Maker, fresh: bool) -> Built:
    return (m.any(fresh=fresh),), {"dtype": m.pick(m.dtypes)}


def pow_distance(xs: list[ndarray], o: dict[str, Any]) -> Any:
    p = o["p"]
    if p != int(p):
        return xs[0]
    return np.abs(xs[0]) if p < 0 else np.inf


def reducing(name: str) -> Callable[[dict[str, Any]], str]:
    def text(options: dict[str, Any]) -> str:
        if options["axes"] is None and not options["keepdim"]:
            return f"{{x}}.{name}()"
        return f"{{x}}.{name}({{axes}}, keepdim={{keepdim}})"

    return text


def simple(name: str, arrays: str = "", kind: str = "any", distance: Any = None) -> Spec:
    return Spec(f"{{x}}.{name}()", arrays or f"lib.{name}({{x}})", unary(kind), (), distance)


def reduction(name: str, array: str, kind: str = "any", distance: Any = None) -> Spec:
    arrays = f"lib.{array}({{x}}, axis={{axes}}, keepdims={{keepdim}})"
    return Spec(reducing(name), arrays, build_reduction(kind), ("axes", "keepdim"), distance)


def magnitude(xs: list[ndarray], o: dict[str, Any]) -> Any:
    return np.abs(xs[0])


def itself(xs: list[ndarray], o: dict[str, Any]) -> Any:
    return xs[0]


def apart(xs: list[ndarray], o: dict[str, Any]) -> Any:
    return np.abs(xs[0] - xs[1])


SPECS: dict[str, Spec] = {
    "add": Spec("{x} + {y}", "{x} + {y}", binary()),
    "sub": Spec("{x} - {y}", "{x} - {y}", binary()),
    "mul": Spec("{x} * {y}", "{x} * {y}", binary()),
    "div": Spec("{x} / {y}", "{x} / {y}", binary(right="nonzero"), (), lambda xs, o: np.abs(xs[1])),
    "neg": Spec("-{x}", "-{x}", unary()),
    "pow": Spec("{x} ** {p}", "lib.power({x}, {p})", build_pow, ("p",), pow_distance),
    "pow_tensor": Spec("{x} ** {y}", "{x} ** {y}", binary("positive"), (), itself),
    "matmul": Spec("{x} @ {y}", "lib.matmul({x}, {y})", build_matmul),
    "exp": simple("exp"),
    "log": simple("log", kind="positive", distance=itself),
    "sqrt": simple("sqrt", kind="positive", distance=itself),
    "sin": simple("sin"),
    "cos": simple("cos"),
    "tanh": simple("tanh"),
    "sigmoid": simple("sigmoid"),
    "relu": simple("relu", kind="nonzero", distance=magnitude),
    "abs": simple("abs", "lib.absolute({x})", "nonzero", magnitude),
    "sign": simple("sign", kind="nonzero", distance=magnitude),
    "clamp": Spec(
        "{x}.clamp({low}, {high})",
        "lib.clamp({x}, {low}, {high})",
        build_clamp,
        ("low", "high"),
        clamp_distance,
    ),
    "maximum": Spec(
        "lib.maximum({x}, {y})", "lib.larger({x}, {y})", binary("apart", "apart2"), (), apart
    ),
    "minimum": Spec(
        "lib.minimum({x}, {y})", "lib.smaller({x}, {y})", binary("apart", "apart2"), (), apart
    ),
    "where": Spec(
        "lib.where({x} > 0, {y}, {z})", "lib.choice({x}, {y}, {z})", build_where, (), magnitude
    ),
    "sum": reduction("sum", "sum"),
    "mean": reduction("mean", "average"),
    "amax": reduction("amax", "max", "apart", gap(1)),
    "amin": reduction("amin", "min", "apart", gap(-1)),
    "reshape": Spec("{x}.reshape({to})", "lib.reshape({x}, {to})", build_reshape, ("to",)),
    "permute": Spec("{x}.permute({axes})", "lib.transpose({x}, {axes})", build_permute, ("axes",)),
    "expand": Spec(
        "{x}.expand({shape})", "lib.broadcast_to({x}, {shape})", build_expand, ("shape",)
    ),
    "getitem": Spec("{x}[{index}]", "{x}[{index}]", build_getitem, ("index",)),
    "scatter": Spec(
        "scatter(lib, {x}, {index}, {into})",
        "lib.scatter({x}, {index}, {into})",
        build_scatter,
        ("index", "into"),
    ),
    "cat": Spec("lib.cat({xs}, {axis})", "lib.concatenate({xs}, {axis})", build_cat, ("axis",)),
    "cast": Spec("{x}.to({dtype})", "{x}", build_cast, ("dtype",)),
}


def from_row(row: Op) -> Spec | None:
    """How a program uses a row that is not listed above, if it has only inputs, one or two."""
    names = parameters(row.forward)
    if row.variadic or len(names) != len(row.vjps) or len(names) > 2 or not hasattr(np, row.name):
        return None

    def distance(xs: list[ndarray], o: dict[str, Any]) -> Any:
        if row.domain is None:
            return np.inf
        moved = product(*((x - MARGIN, x, x + MARGIN) for x in xs))
        return MARGIN if all(np.all(row.domain(*ys)) for ys in moved) else 0.0

    inputs = ", ".join("{x}{y}"[3 * i : 3 * i + 3] for i in range(len(names)))
    build = unary("positive") if len(names) == 1 else binary("positive", "positive")
    return Spec(f"lib.{row.name}({inputs})", f"lib.{row.name}({inputs})", build, (), distance)


for row in TABLE.values():
    made = None if row.name in SPECS else from_row(row)
    if made is not None:
        SPECS[row.name] = made
OPS = tuple(SPECS)
NUMPY = Arrays()


def generate(
    choose: Choose | None = None,
    *,
    seed: Any = 0,
    ops: Sequence[str] = OPS,
    most: int = 8,
    dtypes: Sequence[str] = DTYPES,
) -> Program:
    """A random program of at most ``most`` steps of these ops.

    ``choose(n)`` gives numbers from 0 to n − 1; without it, they come from ``seed``. ValueError
    for an op that there is none of.

    >>> generate(seed=0, ops=["sigmoid"], most=1).steps[0].op
    'sigmoid'
    """
    for op in ops:
        if op not in SPECS:
            raise ValueError(f"{op!r} is not an op; the ops are: {', '.join(OPS)}")
    if choose is None:
        draw = Random(seed).random
        choose = lambda n: int(draw() * n)  # noqa: E731
    maker = Maker(choose, dtypes)
    single = len(ops) == 1 or most == 1
    for _ in range(1 + (0 if single else choose(most))):
        maker.grow(maker.pick(ops))
    while not any(isinstance(item, Step) for item in maker.items):
        maker.grow(maker.pick(ops))
    return maker.program()


def two_layer(choose: Choose) -> Program:
    """The experiment f = ‖Y − σ(X W1 + b1) W2 − b2‖² at random sizes, biases and numbers."""
    while True:
        program = two_layer_of(choose)
        try:
            trace(program)
        except ValueError:
            continue  # too large a loss
        return program


def two_layer_of(choose: Choose) -> Program:
    maker = Maker(choose, DTYPES)
    n, d, h, o = (maker.pick((2, 1, 3, 0) if choose(8) == 7 else (2, 1, 3)) for _ in range(4))
    dtype = maker.pick(DTYPES)
    biases = [maker.pick(((n, k), (1, k), (k,), ())) for k in (h, o)]
    for shape in ((n, d), (n, o), (d, h), (h, o), *biases):
        maker.leaf(shape, dtype=dtype)
    leaves = tuple(x._replace(requires_grad=True) for x in maker.items if isinstance(x, Leaf))
    return Program(leaves, TWO_LAYER, (13,))


TWO_LAYER = (
    Step("matmul", (0, 2), {}),
    Step("add", (6, 4), {}),
    Step("sigmoid", (7,), {}),
    Step("matmul", (8, 3), {}),
    Step("add", (9, 5), {}),
    Step("sub", (1, 10), {}),
    Step("pow", (11,), {"p": 2}),
    Step("sum", (12,), {"axes": None, "keepdim": False}),
)


# Running a program.


def realised(lib: Any, index: tuple[Any, ...]) -> tuple[Any, ...]:
    """An index as data, as the library takes it."""

    def entry(e: Any) -> Any:
        if e == "...":
            return ...
        if isinstance(e, tuple):
            kind, *rest = e
            if kind == "slice" and len(rest) == 3:
                return slice(*rest)
            if kind == "array" and len(rest) == 1:
                return lib.tensor(list(rest[0]))
            raise ValueError(f"{e!r} is not an entry of an index")
        return e

    return tuple(map(entry, index))


@cache
def compiled(text: str, options: tuple[str, ...]) -> Callable[..., Any]:
    """An op's text as a function of the library, the inputs and the options."""
    filled = text.format(
        x="xs[0]", y="xs[1]", z="xs[2]", xs="xs", **{k: f"options[{k!r}]" for k in options}
    )
    function: Callable[..., Any] = eval(f"lambda lib, xs, options: {filled}", {"scatter": scatter})
    return function


def prepared(lib: Any, options: dict[str, Any]) -> dict[str, Any]:
    if "index" in options:
        return {**options, "index": realised(lib, options["index"])}
    if "dtype" in options and not isinstance(lib, Arrays):
        return {"dtype": getattr(lib, options["dtype"])}
    return options


def run_arrays(lib: Arrays, op: str, xs: list[Any], options: dict[str, Any]) -> Any:
    spec = SPECS[op]
    return compiled(spec.arrays, spec.options)(lib, xs, prepared(lib, options))


def run(
    program: Program,
    lib: Any,
    leaves: Sequence[Any],
    after: Callable[[Any], Any] | None = None,
    jitter: Jitter | None = None,
) -> list[Any]:
    """All values of a program under a library: the leaves, as given, then each step's result.

    ``lib`` is this package, PyTorch or an ``Arrays``. ``after(value)`` sees every value; ``jitter``
    disturbs them.
    """
    values: list[Any] = list(leaves)
    if after is not None:
        for x in leaves:
            after(x)
    for step in program.steps:
        spec = SPECS[step.op]
        text = spec.arrays if isinstance(lib, Arrays) else spec.text(step.options)
        function = compiled(text, spec.options)
        xs = [values[i] for i in step.inputs]
        if jitter is not None:
            xs = [jitter(i, x) for i, x in zip(step.inputs, xs, strict=True)]
        out = function(lib, xs, prepared(lib, step.options))
        if jitter is not None:
            if step.op in ("sigmoid", "tanh"):
                # Their derivatives are made of 1 − out, which has the rounding error of the 1.
                out = out + jitter.of_slopes(step.inputs[0], xs[0])
            out = jitter(len(values), out)
        if after is not None:
            after(out)
        values.append(out)
    return values


class Jitter:
    """Moves values, and apart from that their derivatives, by a few units in the last place.

    x becomes x + δ x₀ + ε (x − x₀), where x₀ is the value that x has, as a constant, and δ and ε
    are random: another value by δ, and another derivative by ε. Done to each input and result of
    each step, this is what rounding does, but more of it, in values and in gradients. All of it is
    in float64, where δ and ε are as small as the dtypes of the program have them.
    """

    def __init__(self, program: Program, seed: int) -> None:
        self.traced = trace(program)
        self.random = np.random.Generator(np.random.PCG64(seed))
        self.state = self.random.bit_generator.state
        self.convert: Callable[[ndarray], Any] = lambda array: array

    def restart(self) -> Jitter:
        """Give the same numbers again."""
        self.random.bit_generator.state = self.state
        return self

    def __call__(self, place: int, x: Any) -> Any:
        base, delta = self.at(place)
        return x + self.convert(np.asarray(delta * base)) + self.of_slope(place, x)

    def of_slope(self, place: int, x: Any) -> Any:
        base, epsilon = self.at(place)
        return (x - self.convert(base)) * self.convert(epsilon)

    def of_slopes(self, place: int, x: Any) -> Any:
        """The same for the first derivative and, apart from that, for the second."""
        moved = x - self.convert(self.at(place)[0])
        return self.of_slope(place, x) + self.of_slope(place, x) * moved

    def at(self, place: int) -> tuple[ndarray, ndarray]:
        value, dtype = self.traced.values[place], self.traced.dtypes[place]
        factors = np.finfo(dtype).eps * self.random.uniform(-4, 4, value.shape)
        return value, np.asarray(factors)


class Traced(NamedTuple):
    values: list[ndarray]  # in float64
    dtypes: list[str]


def trace(program: Program) -> Traced:
    """All values of a program on plain arrays; ValueError where it cannot run, or near a kink."""
    leaves, steps, outputs = program
    values: list[Any] = []
    dtypes: list[str] = []
    for i, leaf in enumerate(leaves):
        if leaf.dtype not in DTYPES:
            raise ValueError(f"leaf {i}: dtype {leaf.dtype!r} is not one of {', '.join(DTYPES)}")
        if any(n < 0 for n in leaf.shape) or math.prod(leaf.shape) != len(leaf.values):
            raise ValueError(f"leaf {i}: {len(leaf.values)} values do not fill {leaf.shape}")
        array = leaf.array()
        if not np.isfinite(array).all() or array.ravel().tolist() != list(leaf.values):
            raise ValueError(f"leaf {i}: an entry is not a finite {leaf.dtype}")
        values.append(array.astype(np.float64))
        dtypes.append(leaf.dtype)
    for step in steps:
        place = len(values)
        if step.op not in SPECS:
            raise ValueError(f"step {place}: {step.op!r} is not an op of a program")
        spec = SPECS[step.op]
        check_options(place, step)
        if not step.inputs or any(not 0 <= i < place for i in step.inputs):
            raise ValueError(f"step {place}: an input is not an earlier value")
        xs = [values[i] for i in step.inputs]
        if step.op == "matmul" and len({dtypes[i] for i in step.inputs}) > 1:
            raise ValueError(f"step {place}: matmul: PyTorch multiplies matrices of one dtype")
        try:
            near = not far_enough(spec, xs, step.options)
            with np.errstate(all="ignore"):
                out = np.asarray(run_arrays(NUMPY, step.op, xs, step.options))
        except (IndexError, TypeError, ValueError, ArithmeticError) as error:
            raise ValueError(f"step {place}: {step.op}: {error}") from None
        if near or not acceptable(out):
            raise ValueError(f"step {place}: {step.op}: near a kink or a pole, or too large")
        values.append(out)
        kinds = [(dtypes[i], values[i].ndim) for i in step.inputs]
        dtypes.append(result_dtype(step.op, kinds, step.options))
    if not outputs or any(not 0 <= i < len(values) for i in outputs):
        raise ValueError("an output is not a value of the program")
    return Traced(values, dtypes)


NUMBER = (int, float)
OPTIONS: dict[str, Callable[[Any], bool]] = {
    "p": lambda v: type(v) in NUMBER and math.isfinite(v),
    "low": lambda v: v is None or (type(v) in NUMBER and math.isfinite(v)),
    "high": lambda v: v is None or (type(v) in NUMBER and math.isfinite(v)),
    "axes": lambda v: v is None or all_whole(v),
    "keepdim": lambda v: type(v) is bool,
    "to": lambda v: all_whole(v),
    "shape": lambda v: all_whole(v),
    "into": lambda v: all_whole(v) and math.prod(v) <= 64,
    "axis": lambda v: type(v) is int,
    "dtype": lambda v: v in DTYPES,
    "index": lambda v: isinstance(v, tuple) and all(map(is_entry, v)),
}
ARITY = {op: 3 if "{z}" in s.arrays else 2 if "{y}" in s.arrays else 1 for op, s in SPECS.items()}


def all_whole(value: Any) -> bool:
    return isinstance(value, tuple) and all(type(n) is int for n in value)


def is_entry(e: Any) -> bool:
    if isinstance(e, tuple):
        if len(e) == 4 and e[0] == "slice":
            return all(n is None or type(n) is int for n in e[1:]) and (e[3] is None or e[3] > 0)
        return len(e) == 2 and e[0] == "array" and all_whole(e[1])
    return e is None or type(e) is int or (isinstance(e, str) and e == "...")


def check_options(place: int, step: Step) -> None:
    spec = SPECS[step.op]
    if "{xs}" not in spec.arrays and len(step.inputs) != ARITY[step.op]:
        raise ValueError(f"step {place}: {step.op} has not {len(step.inputs)} inputs")
    if set(step.options) != set(spec.options):
        raise ValueError(f"step {place}: {step.op} has the options {', '.join(spec.options)}")
    for name, value in step.options.items():
        if not OPTIONS[name](value):
            raise ValueError(f"step {place}: {step.op}: {value!r} is no {name}")
    if step.op == "expand" and math.prod(step.options["shape"]) > 64:
        raise ValueError(f"step {place}: expand: too large")
    if step.op == "clamp" and step.options["low"] is None is step.options["high"]:
        raise ValueError(f"step {place}: clamp: give low or high")


# A program as a script.


def source(name: str, value: Any) -> str:
    if name == "dtype":
        return f"lib.{value}"
    if name != "index":
        return repr(value)

    def entry(e: Any) -> str:
        if isinstance(e, tuple):
            return repr(slice(*e[1:])) if e[0] == "slice" else f"lib.tensor({list(e[1])})"
        return str(e)

    inner = ", ".join(map(entry, value))
    return f"({inner},)" if value else "()"


def script(program: Program, order: int = 1, note: str = "") -> str:
    """The program as a Python script that runs it under this package and under PyTorch."""
    lines = []
    n = len(program.leaves)
    wanted = [f"x{i}" for i, leaf in enumerate(program.leaves) if leaf.requires_grad]
    for i, leaf in enumerate(program.leaves):
        array = leaf.array()
        data = f"lib.tensor({array.tolist()!r}, dtype=lib.{leaf.dtype})"
        if 0 in leaf.shape:
            data = f"lib.zeros({leaf.shape}, dtype=lib.{leaf.dtype})"
        lines.append(f"x{i} = {data}" + ".requires_grad_()" * leaf.requires_grad)
    for i, step in enumerate(program.steps, n):
        spec = SPECS[step.op]
        names = [f"x{j}" for j in step.inputs]
        letters = dict(zip("xyz", names, strict=False))
        options = {k: source(k, v) for k, v in step.options.items()}
        text = spec.text(step.options).format(**letters, xs=f"[{', '.join(names)}]", **options)
        lines.append(f"x{i} = {text}")
    traced = trace(program)
    differentiable = [i for i in program.outputs if i in with_gradient(program)]

    def listed(places: Iterable[int]) -> str:
        return f"[{', '.join(f'x{i}' for i in places)}]"

    def cotangents(places: Iterable[int]) -> str:
        return ", ".join(
            f"lib.tensor({weights(v.shape).tolist()!r}, dtype=lib.{d})"
            if v.size
            else f"lib.zeros({v.shape}, dtype=lib.{d})"
            for v, d in ((traced.values[i], traced.dtypes[i]) for i in places)
        )

    shown = "'=', None if d is None else d.tolist())"
    for i in program.outputs:
        lines.append(f"print('x{i} =', x{i}.tolist())")
    if differentiable:
        graph = ", create_graph=True" if order == 2 else ""
        lines.append(f"outputs, inputs = {listed(differentiable)}, [{', '.join(wanted)}]")
        lines.append(f"cotangents = [{cotangents(differentiable)}]")
        lines.append(f"gradients = grad(outputs, inputs, cotangents, allow_unused=True{graph})")
        lines.append(f"for name, d in zip({[f'df/d{x}' for x in wanted]!r}, gradients):")
        lines.append(f"    print(name, {shown}")
    if differentiable and order == 2:
        places = [i for i, leaf in enumerate(program.leaves) if leaf.requires_grad]
        lines.append(f"weights = [{cotangents(places)}]")
        lines.append("pairs = [(d, w) for d, w in zip(gradients, weights)")
        lines.append("         if d is not None and d.requires_grad]")
        lines.append("if pairs:")
        lines.append("    ds, ws = zip(*pairs)")
        names = [f"d2f/d{x}" for x in wanted]
        lines.append(f"    for name, d in zip({names!r}, grad(ds, inputs, ws, allow_unused=True)):")
        lines.append(f"        print(name, {shown}")
    body = "\n".join("    " + line for line in lines)
    header = '"""A program that was found by tinygrad-mlp fuzz."""\n\n'
    if note:
        header = (
            '"""A program that was found by tinygrad-mlp fuzz.\n\n' + note.strip() + '\n"""\n\n'
        )
    helper = SCATTER if any(s.op == "scatter" for s in program.steps) else ""
    imports = "import math\n\n" if helper else ""
    imports += "import tinygrad_mlp as tg\n" + ("import tinygrad_mlp.ops\n" if helper else "")
    return (
        header
        + imports
        + helper
        + "\n\ndef run(lib, grad):\n"
        + body
        + "\n\n\nprint('tinygrad_mlp')\nrun(tg, tg.grad)\n"
        + "try:\n    import torch\nexcept ImportError:\n"
        + "    print('PyTorch is not installed: pip install torch')\nelse:\n"
        + "    print('PyTorch')\n    run(torch, torch.autograd.grad)\n"
    )


def with_gradient(program: Program) -> set[int]:
    """The places to which a gradient flows."""
    found = {i for i, leaf in enumerate(program.leaves) if leaf.requires_grad}
    for place, step in enumerate(program.steps, len(program.leaves)):
        # The condition of a where has no gradient.
        if found & set(step.inputs[1:] if step.op == "where" else step.inputs):
            found.add(place)
    return found


# Making a program smaller.


def cost(program: Program) -> tuple[Any, ...]:
    """What shrinking makes smaller: steps, then entries, then axes, then how plain it all is."""
    leaves, steps, outputs = program
    numbers = [v for leaf in leaves for v in leaf.values]
    return (
        len(steps),
        sum(len(leaf.values) for leaf in leaves),
        len(leaves),
        sum(len(leaf.shape) for leaf in leaves),
        len(outputs),
        sum(leaf.dtype != "float64" for leaf in leaves),
        sum(len(repr(step.options)) for step in steps),
        sum(plainness(v) for v in numbers),
    )


def plainness(v: float) -> float:
    """0 for 1, then 2, 3, −1, 0, 0.5, …, and any number with a long repr last."""
    order = {1.0: 0, 2.0: 1, 3.0: 2, -1.0: 3, 0.0: 5 if math.copysign(1, v) > 0 else 9, 0.5: 4}
    return order.get(v, 10 + len(repr(v)) + min(abs(v), 1e3) / 1e3)


def shrink(program: Program, fails: Callable[[Program], bool], limit: int = 3000) -> Program:
    """A smaller program for which ``fails`` holds too, found greedily.

    Fewest ops first, then smallest shapes, then plainest numbers. ``fails`` is only asked about
    programs that can run.
    """
    tried = 0
    seen = {program.to_json()}
    found = True
    while found:
        found = False
        for candidate in smaller(program):
            if tried >= limit:
                return program
            try:
                if cost(candidate) >= cost(program):
                    continue
                text = candidate.to_json()
                if text in seen:
                    continue
                seen.add(text)
                trace(candidate)
            except (ValueError, IndexError, TypeError, ArithmeticError):
                continue
            tried += 1
            if fails(candidate):
                program, found = candidate, True
                break
    return program


def pruned(leaves: Sequence[Leaf], steps: Sequence[Step], outputs: Sequence[int]) -> Program:
    """The same without what no output needs; an output that is a leaf is dropped if others stay."""
    n = len(leaves)
    needed: set[int] = set()
    frontier = [i for i in outputs if i >= n] or list(outputs)[:1]
    keep = list(dict.fromkeys(frontier))
    while frontier:
        i = frontier.pop()
        if i not in needed:
            needed.add(i)
            if i >= n:
                frontier += steps[i - n].inputs
    order = sorted(needed)
    place = {old: new for new, old in enumerate(order)}
    return Program(
        tuple(leaves[i] for i in order if i < n),
        tuple(
            steps[i - n]._replace(inputs=tuple(place[j] for j in steps[i - n].inputs))
            for i in order
            if i >= n
        ),
        tuple(place[i] for i in keep),
    )


def smaller(program: Program) -> Iterator[Program]:
    """Programs that are simpler in one way; not all of them can run."""
    leaves, steps, outputs = program
    n = len(leaves)
    # Fewer steps: one output alone; a step as an output; a step as a leaf; a step left out.
    if len(outputs) > 1:
        for out in outputs:
            yield pruned(leaves, steps, [out])
    for i in range(n, n + len(steps)):
        if i not in outputs:
            yield pruned(leaves, steps, [i])
    traced = trace(program)
    for i in reversed(range(n, n + len(steps))):
        if i in outputs and len(steps) == 1:
            continue
        value, dtype = traced.values[i].astype(traced.dtypes[i]), traced.dtypes[i]
        if value.size <= 64 and np.isfinite(value).all():
            leaf = Leaf(value.shape, dtype, tuple(value.ravel().tolist()), True)
            yield replaced(program, i, leaf)
            rounded = np.round(value * 4) / 4
            yield replaced(program, i, leaf._replace(values=tuple(rounded.ravel().tolist())))
    for i in range(n, n + len(steps)):
        for j in dict.fromkeys(steps[i - n].inputs):
            bypassed = [
                s._replace(inputs=tuple(j if k == i else k for k in s.inputs)) for s in steps
            ]
            yield pruned(leaves, bypassed, [j if k == i else k for k in outputs])
    # Fewer inputs of a step that takes any number, or one value for two.
    for i, step in enumerate(steps):
        if "{xs}" in SPECS[step.op].arrays and len(step.inputs) > 1:
            for k in range(len(step.inputs)):
                rest = step.inputs[:k] + step.inputs[k + 1 :]
                yield pruned(leaves, swapped(steps, i, step._replace(inputs=rest)), outputs)
        for j in step.inputs:
            for k, other in enumerate(step.inputs):
                if other != j:
                    some = (*step.inputs[:k], j, *step.inputs[k + 1 :])
                    yield pruned(leaves, swapped(steps, i, step._replace(inputs=some)), outputs)
    # Smaller shapes: a size everywhere at once, one axis of one leaf, an axis less.
    for size in sorted({k for leaf in leaves for k in leaf.shape if k > 1}, reverse=True):
        for to in range(1, size):
            yield program._replace(
                leaves=tuple(
                    resized(x, tuple(to if k == size else k for k in x.shape)) for x in leaves
                ),
                steps=tuple(resized_step(s, size, to) for s in steps),
            )
    for i, leaf in enumerate(leaves):
        for a, size in enumerate(leaf.shape):
            for to in range(1, size):
                shape = (*leaf.shape[:a], to, *leaf.shape[a + 1 :])
                yield with_leaf(program, i, resized(leaf, shape))
            yield with_leaf(program, i, resized(leaf, leaf.shape[:a] + leaf.shape[a + 1 :]))
    every = max((len(leaf.shape) for leaf in leaves), default=0)
    for a in range(every):
        fewer = tuple(
            resized(x, x.shape[: -1 - a] + x.shape[len(x.shape) - a :]) if len(x.shape) > a else x
            for x in leaves
        )
        yield program._replace(leaves=fewer)
        yield program._replace(leaves=fewer, steps=tuple(map(without_axes, steps)))
    # Plainer options.
    for i, step in enumerate(steps):
        for option, value in step.options.items():
            for other in plainer(option, value, [traced.values[j].shape for j in step.inputs]):
                plain = step._replace(options={**step.options, option: other})
                yield program._replace(steps=tuple(swapped(steps, i, plain)))
    # Plainer leaves and numbers.
    for i, leaf in enumerate(leaves):
        if leaf.dtype != "float64":
            yield with_leaf(program, i, leaf._replace(dtype="float64"))
    if any(leaf.dtype != "float64" for leaf in leaves):
        yield program._replace(leaves=tuple(x._replace(dtype="float64") for x in leaves))
    for i, leaf in enumerate(leaves):
        for number in (1.0, 2.0, -1.0):
            yield with_leaf(program, i, leaf._replace(values=(number,) * len(leaf.values)))
        counted = tuple(float(k + 1) for k in range(len(leaf.values)))
        yield with_leaf(program, i, leaf._replace(values=counted))
    for i, leaf in enumerate(leaves):
        for k, v in enumerate(leaf.values):
            for number in (
                1.0,
                2.0,
                3.0,
                -1.0,
                0.0,
                0.5,
                float(round(v)),
                round(v * 4) / 4,
                abs(v),
            ):
                if number != v or (v == 0 and math.copysign(1, v) < 0):
                    values = (*leaf.values[:k], number, *leaf.values[k + 1 :])
                    yield with_leaf(program, i, leaf._replace(values=values))


def replaced(program: Program, i: int, leaf: Leaf) -> Program:
    """The program with a new leaf for a step."""
    n = len(program.leaves)

    def at(j: int) -> int:
        return n if j == i else j + (j >= n)

    steps = [s._replace(inputs=tuple(map(at, s.inputs))) for s in program.steps]
    return pruned([*program.leaves, leaf], steps, [at(j) for j in program.outputs])


def with_leaf(program: Program, i: int, leaf: Leaf) -> Program:
    return program._replace(leaves=(*program.leaves[:i], leaf, *program.leaves[i + 1 :]))


def swapped(steps: Sequence[Step], i: int, step: Step) -> list[Step]:
    return [*steps[:i], step, *steps[i + 1 :]]


def resized(leaf: Leaf, shape: Shape) -> Leaf:
    """The first of its entries, in another shape."""
    n = math.prod(shape)
    values = leaf.values[:n]
    return leaf._replace(shape=shape, values=values + (1.0,) * (n - len(values)))


def resized_step(step: Step, size: int, to: int) -> Step:
    options = {
        k: tuple(to if n == size else n for n in v) if k in ("to", "shape", "into") else v
        for k, v in step.options.items()
    }
    return step._replace(options=options)


def without_axes(step: Step) -> Step:
    options = dict(step.options)
    if "keepdim" in options:
        options.update(axes=None, keepdim=False)
    for name in ("shape", "into", "to"):
        if name in options:
            options[name] = options[name][1:]
    if "axes" in options and options["axes"] is not None:
        options["axes"] = tuple(a for a in options["axes"] if a != len(options["axes"]) - 1)
    return step._replace(options=options)


def plainer(option: str, value: Any, shapes: list[Shape]) -> Iterator[Any]:
    """Simpler values for an option."""
    if option == "p":
        yield from (2, 3, 0.5)
    elif option == "keepdim":
        yield False
    elif option == "axis":
        yield 0
    elif option == "low" and value is not None:
        yield from (None, 0.0)
    elif option == "high" and value is not None:
        yield from (None, 1.0)
    elif option == "axes":
        yield None
        if value is not None:
            yield from (value[:k] + value[k + 1 :] for k in range(len(value)))
            yield tuple(range(len(shapes[0])))
    elif option in ("to", "shape", "into"):
        yield (math.prod(shapes[0]),)
        yield from (value[:k] + value[k + 1 :] for k in range(len(value)))
        for k, n in enumerate(value):
            yield from ((*value[:k], m, *value[k + 1 :]) for m in range(1, n))
    elif option == "index":
        yield (0,)
        yield (("array", (0, 0)),)
        yield from (value[:k] + value[k + 1 :] for k in range(len(value)))
        for k, e in enumerate(value):
            if isinstance(e, tuple) and e[0] == "array":
                rest = e[1]
                for j in range(len(rest)):
                    yield (*value[:k], ("array", rest[:j] + rest[j + 1 :]), *value[k + 1 :])
                yield (*value[:k], ("array", (0,) * len(rest)), *value[k + 1 :])
            elif e != 0:
                yield (*value[:k], 0, *value[k + 1 :])
                yield (*value[:k], ("slice", None, None, None), *value[k + 1 :])
