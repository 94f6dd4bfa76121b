"""How a program uses each op of the table: how it is written, and how its inputs are chosen.

A program keeps away from the places where a derivative does not exist, so two right answers differ
by rounding alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy import ndarray

from ...core.ops import TABLE, Op, Shape, parameters
from .arrays import NUMPY, realised

if TYPE_CHECKING:
    from .generating import Maker

MARGIN = 1 / 64  # how far a program keeps from kinks and poles
DTYPES = ("float64", "float32")

Options = dict[str, Any]
Built = tuple[tuple[int, ...], Options]  # places of the inputs, and options
Builder = Callable[["Maker", bool], Built]
Distance = Callable[[list[ndarray], Options], Any]


class Spec(NamedTuple):
    """How a program uses an op.

    ``tensors`` is the op in the words that this package and PyTorch share, ``arrays`` in those of
    ``Arrays``, with {x}, {y} and {z} for inputs, {xs} for a list of any number, and {name} for an
    option. ``build(maker, fresh)`` chooses inputs, new leaves if they are to be fresh, and options.
    ``distance(values, options)`` is how far, elementwise, the inputs are from where the derivative
    does not exist; None is far everywhere.
    """

    tensors: str | Callable[[Options], str]
    arrays: str
    build: Builder
    options: tuple[str, ...] = ()
    distance: Distance | None = None

    def text(self, options: Options) -> str:
        return self.tensors if isinstance(self.tensors, str) else self.tensors(options)

    @property
    def arity(self) -> int | None:
        """How many inputs it has; None for any number."""
        return None if "{xs}" in self.arrays else sum(f"{{{x}}}" in self.arrays for x in "xyz")


def broadcasts(a: Shape, b: Shape) -> bool:
    return all(m == n or m == 1 or n == 1 for m, n in zip(a[::-1], b[::-1], strict=False))


# Distances from where the derivative does not exist.


def clamp_distance(xs: list[ndarray], o: Options) -> Any:
    bounds = [b for b in (o["low"], o["high"]) if b is not None]
    return np.min([np.abs(xs[0] - b) for b in bounds], 0)


def gap(sign: int) -> Distance:
    """How far the largest entry (or, negated, the smallest) is ahead of the next."""

    def distance(xs: list[ndarray], o: Options) -> Any:
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


def pow_distance(xs: list[ndarray], o: Options) -> Any:
    p = o["p"]
    if p != int(p):
        return xs[0]
    return np.abs(xs[0]) if p < 0 else np.inf


def magnitude(xs: list[ndarray], o: Options) -> Any:
    return np.abs(xs[0])


def itself(xs: list[ndarray], o: Options) -> Any:
    return xs[0]


def apart(xs: list[ndarray], o: Options) -> Any:
    return np.abs(xs[0] - xs[1])


# How each op chooses.


def unary(kind: str = "any") -> Builder:
    return lambda m, fresh: ((m.any(kind, fresh),), {})


def binary(left: str = "any", right: str = "any") -> Builder:
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


def build_where(m: Maker, fresh: bool) -> Built:
    x = m.any(fresh=fresh)
    y = m.beside(m.values[x].shape)
    both = np.broadcast_shapes(m.values[x].shape, m.values[y].shape)
    return (m.beside(both, "nonzero", fresh), x, y), {}


def build_reduction(kind: str) -> Builder:
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


def reducing(name: str) -> Callable[[Options], str]:
    def text(options: Options) -> str:
        if options["axes"] is None and not options["keepdim"]:
            return f"{{x}}.{name}()"
        return f"{{x}}.{name}({{axes}}, keepdim={{keepdim}})"

    return text


def simple(name: str, arrays: str = "", kind: str = "any", distance: Any = None) -> Spec:
    return Spec(f"{{x}}.{name}()", arrays or f"lib.{name}({{x}})", unary(kind), (), distance)


def reduction(name: str, array: str, kind: str = "any", distance: Any = None) -> Spec:
    arrays = f"lib.{array}({{x}}, axis={{axes}}, keepdims={{keepdim}})"
    return Spec(reducing(name), arrays, build_reduction(kind), ("axes", "keepdim"), distance)


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

    def distance(xs: list[ndarray], o: Options) -> Any:
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
