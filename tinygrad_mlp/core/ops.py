"""The table of ops: one row per op, with its forward on arrays and one VJP per input.

Reverse-mode differentiation needs to know one thing about an op: how a cotangent g = ∂f/∂out
becomes a cotangent ∂f/∂x, for each input x. That map is the vector-Jacobian product, the VJP.

A VJP asks for what it needs by naming it. ``lambda g, y: g * y`` is the VJP of x ⊙ y for x: it
needs the other factor and nothing else, so the tape keeps nothing else. The names are

- the parameters of the op's forward: its inputs (x, y), then its options (axes, …);
- ``out``, what the forward returned;
- where an op has one VJP, ``shape`` and ``dtype`` of its input; and where that VJP serves any
  number of inputs, ``i``, the place of the input among them.

An input that no cotangent flows to, as the condition of ``where``, has None for its VJP.

VJPs are written with the rows themselves. On arrays that is plain NumPy and gives the gradient;
on Tensors the same line goes on the tape and gives a gradient that can be differentiated again.

Where an op broadcasts its inputs, the tape sums each cotangent down to its input's shape, so no
row has to.
"""

# mypy: disable-error-code="has-type"
# (rows use rows that come after them)

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import prod
from operator import itemgetter
from typing import Any

import numpy as np
from numpy import ndarray

# An array, or a Tensor where the gradient is to have a graph. What a row does to it, both can do.
Value = Any
Shape = tuple[int, ...]
Axes = tuple[int, ...] | None  # None is all of them


Vjp = Callable[..., Value]


class Op:
    """A row of the table.

    ``forward(*inputs, *options)`` maps arrays to an array; ``vjps[i](g, …)`` maps the cotangent of
    the output to the cotangent of input i. ``wants[i]`` lists what that VJP asks for, as places in
    (out, *inputs, *options, shape, dtype, i), and ``picks[i]`` takes it from such a tuple.

    For the readers of the graph, ``formula`` is the op in mathematical notation, in which the
    forward's parameters stand for themselves; ``latex`` is the same where it is not a transcription
    of that, and ``numpy`` is the forward in NumPy. ``domain`` says, elementwise and of arrays,
    where the derivative exists; None means everywhere.
    """

    def __init__(
        self,
        name: str,
        formula: str,
        forward: Callable[..., Any],
        *vjps: Vjp | None,
        broadcasts: bool = False,
        variadic: bool = False,
        domain: Callable[..., Any] | None = None,
        latex: str | None = None,
        numpy: str | None = None,
    ) -> None:
        self.name = name
        self.formula = formula
        self.latex = latex
        self.numpy = numpy
        self.forward = forward
        self.broadcasts = broadcasts
        self.variadic = variadic
        self.domain = domain
        self.parameters = parameters(forward)
        self.wire(*vjps)

    def wire(self, *vjps: Vjp | None) -> None:
        """Give the op these VJPs, and see what each of them asks for."""
        names = ("out", *self.parameters)
        if len(vjps) == 1:
            names += ("shape", "dtype", "i")
        wants = [vjp and tuple(map(names.index, parameters(vjp)[1:])) for vjp in vjps]
        of_input: type[tuple[Any, ...]] = Same if self.variadic else tuple
        self.vjps = of_input(vjps)
        self.wants = of_input(wants)
        self.picks = of_input(None if places is None else picker(places) for places in wants)

    def __call__(self, *args: Any) -> Value:
        """The op on arrays, which gives an array, or on Tensors, which gives one on the tape."""
        for x in args:
            if hasattr(x, "apply"):
                return x.apply(self, *args)
        return self.forward(*args)

    def __repr__(self) -> str:
        return f"<op {self.name}: {self.formula}>"


class Same(tuple[Any, ...]):
    """The one VJP that serves any number of inputs: the same at every place."""

    def __getitem__(self, i: Any) -> Any:
        return super().__getitem__(0)


def parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of a function's parameters; NumPy's ufuncs have x, or x and y."""
    if isinstance(function, np.ufunc):
        return ("x", "y")[: function.nin]
    code = function.__code__
    return code.co_varnames[: code.co_argcount]


def picker(places: tuple[int, ...]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    """A function from a tuple to the tuple of its entries at these places."""
    if len(places) > 1:
        return itemgetter(*places)
    # itemgetter of one place gives the bare entry; of a slice, a tuple.
    return itemgetter(slice(places[0], places[0] + 1) if places else slice(0))


TABLE: dict[str, Op] = {}


def row(name: str, formula: str, forward: Callable[..., Any], *vjps: Any, **fields: Any) -> Op:
    """Add an op to the table."""
    TABLE[name] = Op(name, formula, forward, *vjps, **fields)
    return TABLE[name]


def relation(name: str, formula: str, forward: np.ufunc, numpy: str) -> Op:
    """A comparison, which no cotangent flows back through, so that it is no row of the table."""
    return Op(name, formula, forward, *(None,) * forward.nin, broadcasts=True, numpy=numpy)


# What the rows need beyond one expression.


DOT_MOST = 2**14  # entries


def product(x: Value, y: Value) -> Value:
    # For small matrices @ takes three times as long as dot, which fills a large result with zeros
    # first.
    small = type(x) is ndarray and x.ndim == 2 == y.ndim and len(x) * y.shape[1] <= DOT_MOST
    return x.dot(y) if small else x @ y


def power(x: Value, p: float) -> Value:
    return x if p == 1 else x**p


# 1, and an x from which on 1 + eˣ rounds to eˣ, so that a larger x gives the same σ(x) = 1; by the
# character of the dtype. The 1 is an array, since NumPy takes twice as long for a Python number.
SIGMOID = {t: (np.array(1, t), enough) for t, enough in (("e", 11), ("f", 40), ("d", 40))}


def logistic(x: ndarray) -> ndarray:
    """eˣ / (1 + eˣ), which unlike 1 / (1 + e⁻ˣ) is accurate to the last digits for any x < 0."""
    one, enough = SIGMOID[x.dtype.char]
    # To find the largest entry takes a third of the time of np.minimum; nan counts as the largest.
    if x.size and not x.item(x.argmax()) <= enough:
        x = np.minimum(x, enough)
    t = np.asarray(np.exp(x))
    np.divide(t, t + one, t)
    return t


def log_base(x: Value, y: Value) -> Value:
    """The log x in ∂xʸ/∂y = xʸ log x: as in PyTorch, 0 where x = 0 ≤ y, and nan where x < 0."""
    return log(where((x != 0) | (y < 0), where(x >= 0, x, np.nan), 1))


def lowered(x: Value, y: Value) -> Value:
    """The 1 in ∂xʸ/∂x = y xʸ⁻¹; but 0 where y = 0 and 1 / x is not finite, for 0 · x⁰ to be 0."""
    return (y != 0) | (abs(x) >= np.finfo(x.dtype).tiny)


def repeat(x: ndarray, shape: Shape) -> ndarray:
    if x.shape == () and type(x) is ndarray:
        # The same view as np.broadcast_to gives, in a sixth of the time.
        return ndarray(shape, x.dtype, x, 0, (0,) * len(shape))
    return np.broadcast_to(x, shape)


BLOCK = 128  # terms


@cache
def ones(n: int, dtype: np.dtype[Any]) -> ndarray:
    return np.ones(n, dtype)


def sums(x: ndarray) -> Any:
    """Σ x over the middle one of three axes: of a block of terms by a product, of many by blocks.

    NumPy adds so many terms one by one, by which float32 loses all digits but three at 10⁶ terms.
    """
    n = x.shape[1]
    if n > BLOCK:
        rest = n % BLOCK
        blocks = x[:, : n - rest].reshape(len(x), n // BLOCK, BLOCK, x.shape[2])
        return sums(ones(BLOCK, x.dtype) @ blocks) + sums(x[:, n - rest :])
    return ones(n, x.dtype) @ x if len(x) == 1 else np.add.reduce(x, 1)


def total(x: ndarray, axes: Axes, keepdims: bool) -> Any:
    """Σ x over axes, with an error that grows as the logarithm of the number of terms."""
    if x.dtype.char == "e":
        return half(total(x.astype(np.float32), axes, keepdims))
    if x.ndim < 2 or x.dtype.kind != "f":
        # What np.sum comes to in the end, which along one axis adds pairwise.
        return np.add.reduce(x, axes, None, None, keepdims)  # type: ignore[call-overload]
    if axes is None:
        out = np.add.reduce(x.ravel("K"))
        return out.reshape((1,) * x.ndim) if keepdims else out
    out = np.ascontiguousarray(x)
    for axis in sorted(axes, reverse=True):
        n, before, after = out.shape[axis], out.shape[:axis], out.shape[axis + 1 :]
        if prod(after) == 1:
            out = np.add.reduce(out.reshape(prod(before), n), 1)
        else:
            out = sums(out.reshape(prod(before), n, prod(after)))
        out = out.reshape((*before, 1, *after))
    return out if keepdims else out.reshape([n for a, n in enumerate(x.shape) if a not in axes])


def average(x: ndarray, axes: Axes, keepdims: bool) -> Any:
    if x.dtype.char == "e":
        return half(average(x.astype(np.float32), axes, keepdims))
    return total(x, axes, keepdims) / terms(x.shape, axes)


def half(x: Any) -> Any:
    """A float32 as float16, without the warning of what is too large, which is infinite then."""
    with np.errstate(over="ignore"):
        return x.astype(np.float16)


def spread(g: Value, shape: Shape, axes: Axes) -> Value:
    """A value for each sum over these axes, copied to every term of that sum."""
    if axes is not None and g.ndim:
        g = g.reshape(tuple(1 if a in axes else n for a, n in enumerate(shape)))
    return repeat(g, shape) if type(g) is ndarray else expand(g, shape)


def terms(shape: Shape, axes: Axes, none: float = np.nan) -> float:
    """How many terms a mean over these axes has; nan for none, as 0 / nan gives no warning."""
    return prod(shape if axes is None else [shape[a] for a in axes]) or none


def share(g: Value, x: Value, y: Value) -> Value:
    """The cotangent of x in max(x, y): half in a tie, none where y is larger, all elsewhere."""
    return where(x < y, 0.0, where(x == y, g * 0.5, g))


def ties(g: Value, x: Value, out: Value, axes: Axes) -> Value:
    """The cotangent of x in max x or min x: shared equally by the entries that equal it."""
    winners = (x == spread(out, x.shape, axes)) | (x != x)
    n = winners.sum(axes, keepdims=True)
    return where(winners, divided(spread(g, x.shape, axes), n), 0.0)


def divided(g: Value, n: Value) -> Value:
    """g / n for whole numbers n, of which float16 has none above 65504."""
    if g.dtype == np.float16:
        return cast(divided(cast(g, np.dtype("f4")), n), g.dtype)
    return g / (n if isinstance(n, (int, float)) else n.astype(g.dtype))


def scattered(x: ndarray, index: tuple[Any, ...], into: Shape) -> ndarray:
    """Zeros, with x added at the index. Only an index with arrays in it can name a place twice."""
    out = np.zeros(into, x.dtype)
    if ndarray in map(type, index):
        np.add.at(out, index, x)
    else:
        out[index] = x
    return out


def piece(g: Value, i: int, axis: int, starts: tuple[int, ...]) -> Value:
    return g[(slice(None),) * axis + (slice(starts[i], starts[i + 1]),)]


# fmt: off
# Arithmetic.
add = row("add", "x + y", np.add, lambda g: g, lambda g: g, broadcasts=True)
sub = row("sub", "x − y", np.subtract, lambda g: g, lambda g: -g, broadcasts=True)
mul = row("mul", "x ⊙ y", np.multiply, lambda g, y: g * y, lambda g, x: g * x, broadcasts=True)
div = row("div", "x / y", np.divide,
          lambda g, y: g / y, lambda g, y, out: -g * (out / y),
          broadcasts=True, domain=lambda x, y: y != 0)
neg = row("neg", "−x", np.negative, lambda g: -g)
pow = row("pow", "xᵖ", lambda x, p: x**p,
          lambda g, x, p: g * (p * power(x, p - (p != 0))),
          domain=lambda x, p: (x > 0) | (p % 1 == 0) & ((p >= 0) | (x != 0)), numpy="x**p")
pow_tensor = row("pow_tensor", "xʸ", np.power,
                 lambda g, x, y: g * (y * x ** (y - lowered(x, y))),
                 lambda g, x, y, out: g * out * log_base(x, y),
                 broadcasts=True, domain=lambda x, y: x > 0, latex="x^{y}")
matmul = row("matmul", "x y", product,
             lambda g, y: product(g, y.mT), lambda g, x: product(x.mT, g), broadcasts=True,
             numpy="x @ y")

# Functions of one variable.
exp = row("exp", "exp(x)", np.exp, lambda g, out: g * out)
log = row("log", "log(x)", np.log, lambda g, x: g / x, domain=lambda x: x > 0)
log1p = row("log1p", "log(1 + x)", np.log1p, lambda g, x: g / (1 + x), domain=lambda x: x > -1,
            numpy="np.log1p(x)")
sqrt = row("sqrt", "√x", np.sqrt, lambda g, out: g / (2 * out), domain=lambda x: x > 0,
           latex=r"\sqrt{x}")
sin = row("sin", "sin(x)", np.sin, lambda g, x: g * cos(x))
cos = row("cos", "cos(x)", np.cos, lambda g, x: -g * sin(x))
tanh = row("tanh", "tanh(x)", np.tanh, lambda g, out: g * (1 - out * out))
sigmoid = row("sigmoid", "σ(x)", logistic, lambda g, out: (1 - out) * out * g,
              numpy="sigmoid(x)")
relu = row("relu", "max(x, 0)", lambda x: np.maximum(x, 0),
           lambda g, out: where(out != 0, g, 0.0), domain=lambda x: x != 0,
           numpy="np.maximum(x, 0)")
abs = row("abs", "|x|", np.abs, lambda g, x: g * sign(x), domain=lambda x: x != 0,
          latex=r"\left|{x}\right|")
sign = row("sign", "sign(x)", np.sign, lambda g: where(False, g, 0.0), domain=lambda x: x != 0)
clamp = row("clamp", "min(max(x, low), high)", lambda x, low, high: np.clip(x, low, high),
            lambda g, x, low, high: where((x >= low) & (x <= high), g, 0.0),
            domain=lambda x, low, high: (x != low) & (x != high), numpy="np.clip(x, low, high)")

# A choice between two.
maximum = row("maximum", "max(x, y)", np.maximum,
              lambda g, x, y: share(g, x, y), lambda g, x, y: share(g, y, x),
              broadcasts=True, domain=lambda x, y: x != y)
minimum = row("minimum", "min(x, y)", np.minimum,
              lambda g, x, y: share(g, y, x), lambda g, x, y: share(g, x, y),
              broadcasts=True, domain=lambda x, y: x != y)
where = row("where", "x if condition else y",
            lambda condition, x, y: np.where(condition, x, y), None,
            lambda g, condition: where(condition, g, 0.0),
            lambda g, condition: where(condition, 0.0, g),
            broadcasts=True, numpy="np.where(condition, x, y)",
            latex=r"\begin{cases} {x} & {condition} \\ {y} & \text{else} \end{cases}")

# Reductions over the axes given.
sum = row("sum", "Σ x", total,
          lambda g, shape, axes: spread(g, shape, axes))
mean = row("mean", "mean(x; axes)", average,
           lambda g, shape, axes: spread(divided(g, terms(shape, axes, none=1)), shape, axes))
amax = row("amax", "max(x; axes)", lambda x, axes, keepdims: np.max(x, axes, keepdims=keepdims),
           lambda g, x, out, axes: ties(g, x, out, axes),
           numpy="np.max(x, axes, None, keepdims)")
amin = row("amin", "min(x; axes)", lambda x, axes, keepdims: np.min(x, axes, keepdims=keepdims),
           lambda g, x, out, axes: ties(g, x, out, axes),
           numpy="np.min(x, axes, None, keepdims)")

# The same numbers in another arrangement.
reshape = row("reshape", "reshape(x; to)", lambda x, to: x.reshape(to),
              lambda g, shape: g.reshape(shape), numpy="x.reshape(to)")
permute = row("permute", "permute(x; axes)", lambda x, axes: x.transpose(axes),
              lambda g, axes: permute(g, tuple(map(axes.index, range(len(axes))))),
              numpy="x.transpose(axes)")
expand = row("expand", "expand(x; shape)", repeat, lambda g: g, broadcasts=True,
             numpy="np.broadcast_to(x, shape)")
getitem = row("getitem", "x[index]", lambda x, index: x[index],
              lambda g, shape, index: scatter(g, index, shape), numpy="x[index]")
scatter = row("scatter", "scatter(x; index)", scattered, lambda g, index: g[index],
              numpy="scatter(x, index, into)")
cat = row("cat", "cat(xs; axis)", lambda xs, axis, starts: np.concatenate(xs, axis),
          lambda g, i, axis, starts: piece(g, i, axis, starts), variadic=True,
          numpy="np.concatenate([xs], axis)")
cast = row("cast", "x", lambda x, to: x.astype(to), lambda g, dtype: cast(g, dtype),
           numpy="x.astype(to)")

# No cotangent flows back through these, so they are not rows of the table.
equal = relation("equal", "x = y", np.equal, "x == y")
not_equal = relation("not_equal", "x ≠ y", np.not_equal, "x != y")
less = relation("less", "x < y", np.less, "x < y")
less_equal = relation("less_equal", "x ≤ y", np.less_equal, "x <= y")
greater = relation("greater", "x > y", np.greater, "x > y")
greater_equal = relation("greater_equal", "x ≥ y", np.greater_equal, "x >= y")
both = relation("both", "x ∧ y", np.bitwise_and, "x & y")
either = relation("either", "x ∨ y", np.bitwise_or, "x | y")
differ = relation("differ", "x ⊻ y", np.bitwise_xor, "x ^ y")
opposite = relation("opposite", "¬x", np.invert, "~x")
whole = Op("whole", "x", lambda x, to: x.astype(to), None, numpy="x.astype(to)")
detached = Op("detached", "x", lambda x: x.copy(), None, numpy="x")
