"""Test cases for every op, which several files run against different oracles, and small helpers.

A case is an op at random inputs. ``run`` is written so that the same lines work under this package
and under PyTorch, ``numpy`` is the same on arrays, and the inputs lie where the op is smooth.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy import ndarray

import tinygrad_mlp as tg
from tinygrad_mlp.core import ops
from tinygrad_mlp.readers.fuzz.mistakes import HARMLESS, mistakes
from tinygrad_mlp.torch.accepts import as_index

ROOT = Path(__file__).parents[2]
THOROUGH = os.environ.get("HYPOTHESIS_PROFILE", "quick") != "quick"

MISTAKES = [(op, m) for op in ops.TABLE for m in mistakes(op) if (op, m) not in HARMLESS]
# All of them take minutes; the quick run has one of each op.
CHECKED = MISTAKES if THOROUGH else list({op: (op, m) for op, m in MISTAKES}.values())


class Case(NamedTuple):
    what: str  # with the options, for a failure's report
    inputs: list[ndarray]
    run: Callable[..., Any]  # of the library and its tensors
    numpy: Callable[..., Any]  # of arrays


def leaf(array: Any, dtype: Any = None) -> tg.Tensor:
    """A leaf that requires grad, whose array fails the test if anything writes into it."""
    return frozen(tg.tensor(np.asarray(array, dtype), requires_grad=True))


def frozen(tensor: tg.Tensor) -> tg.Tensor:
    tensor._array.flags.writeable = False
    return tensor


def weights(shape: tuple[int, ...], start: int = 1, dtype: Any = np.float64) -> ndarray:
    """Cotangents that differ from entry to entry and are not 0, so that no term goes unnoticed."""
    n = np.arange(start, start + int(np.prod(shape)))
    return np.cos(n).reshape(shape).astype(dtype)


def value(tensor: tg.Tensor) -> ndarray:
    return tensor.detach().numpy()


@contextmanager
def often_another_thread() -> Iterator[None]:
    """Threads take turns after microseconds, so that what one of them disturbs is disturbed."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)


# Values. Steps of finite differences are 1/512, so 0.1 is far from a kink.

reals = st.floats(-3, 3)
positive = st.floats(0.3, 3)
nonzero = st.floats(0.1, 3) | st.floats(-3, -0.1)
shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
full_shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=3)
pairs = hnp.mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_side=3, max_dims=3)


def arrays(shape: Any, values: st.SearchStrategy[float] = reals) -> st.SearchStrategy[ndarray]:
    return hnp.arrays(np.float64, shape, elements=values, fill=st.nothing())


@st.composite
def distinct(draw: Any, *some_shapes: tuple[int, ...]) -> list[ndarray]:
    """Arrays of which no two entries are closer than 0.25."""
    sizes = [int(np.prod(shape)) for shape in some_shapes]
    places = np.array(draw(st.permutations(range(sum(sizes)))), np.float64)
    parts = np.split((places - sum(sizes) / 2) / 4, np.cumsum(sizes)[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, some_shapes, strict=True)]


@st.composite
def some_axes(draw: Any, ndim: int) -> Any:
    """None, an axis or several, counted from either end."""
    if ndim == 0 or draw(st.booleans()):
        return None
    axes = draw(st.lists(st.integers(0, ndim - 1), min_size=1, unique=True))
    axes = [a - ndim * draw(st.booleans()) for a in axes]
    return axes[0] if len(axes) == 1 and draw(st.booleans()) else tuple(axes)


@st.composite
def indices(draw: Any, shape: tuple[int, ...]) -> Any:
    """An index that NumPy and PyTorch read alike: basic, or a mask, or with arrays in it."""
    kind = draw(st.sampled_from(["basic", "mask", "arrays"]))
    if kind == "mask":
        return draw(hnp.arrays(bool, shape[: draw(st.integers(0, len(shape)))]))
    if kind == "basic" or 0 in shape or not shape:
        index = draw(hnp.basic_indices(shape, allow_newaxis=True))
        parts = index if isinstance(index, tuple) else (index,)
        if any(isinstance(p, slice) and (p.step or 1) < 0 for p in parts):
            return (..., None)  # PyTorch has no negative steps
        return index
    many = draw(hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=4))
    parts = [
        draw(st.just(slice(None)) | st.just(None) | hnp.arrays(np.int64, many, elements=places))
        for places in (st.integers(-n, n - 1) for n in shape)
    ]
    return tuple(slice(None) if p is None else p for p in parts)


def index_for(lib: Any, index: Any) -> Any:
    """The index with the library's tensors in place of arrays."""
    if isinstance(index, tuple):
        return tuple(index_for(lib, entry) for entry in index)
    return lib.tensor(index) if isinstance(index, ndarray) else index


def added_at(index: Any, into: tuple[int, ...], x: ndarray) -> ndarray:
    out = np.zeros(into, x.dtype)
    np.add.at(out, index, x)
    return out


def scattered(lib: Any, index: Any, into: tuple[int, ...], x: Any) -> Any:
    """The op ``scatter``, which has no public name, and the same in PyTorch."""
    if lib is tg:
        return ops.scatter(x, as_index(index), into)
    zeros = lib.zeros(into, dtype=x.dtype)
    if any(isinstance(p, ndarray) for p in (index if isinstance(index, tuple) else (index,))):
        places = lib.arange(zeros.numel()).reshape(into)[index_for(lib, index)]
        return zeros.flatten().index_add(0, places.flatten(), x.flatten()).reshape(into)
    zeros[index] = x
    return zeros


# Cases.


def unary(run: Any, numpy: Any, values: Any = reals) -> st.SearchStrategy[Case]:
    return arrays(shapes, values).map(lambda x: Case("", [x], run, numpy))


@st.composite
def binary(draw: Any, run: Any, numpy: Any, left: Any = reals, right: Any = reals) -> Case:
    x, y = draw(pairs).input_shapes
    return Case("", [draw(arrays(x, left)), draw(arrays(y, right))], run, numpy)


@st.composite
def larger_or_smaller(draw: Any, run: Any, numpy: Any) -> Case:
    return Case("", draw(distinct(*draw(pairs).input_shapes)), run, numpy)


@st.composite
def products(draw: Any) -> Case:
    signature = hnp.mutually_broadcastable_shapes(
        signature=np.matmul.signature, min_side=0, max_side=3, max_dims=2
    )
    x, y = draw(signature).input_shapes
    return Case("", [draw(arrays(x)), draw(arrays(y))], lambda lib, x, y: x @ y, np.matmul)


@st.composite
def powers(draw: Any) -> Case:
    p = draw(st.sampled_from([0, 1, 2, 3, -1, -2, 0.0, 1.0, 0.5, 1.5, 2.5, -0.5]))
    x = draw(arrays(shapes, nonzero if p == int(p) else positive))
    return Case(f"x**{p}", [x], lambda lib, x: x**p, lambda x: x**p)


@st.composite
def clamps(draw: Any) -> Case:
    low, high = draw(st.sampled_from([(-1, 1), (-1.0, None), (None, 1), (1, -1)]))
    x = draw(arrays(shapes, st.floats(-0.9, 0.9) | st.floats(1.1, 3) | st.floats(-3, -1.1)))
    return Case(
        f"clamp({low}, {high})",
        [x],
        lambda lib, x: lib.clamp(x, low, high),
        lambda x: np.clip(x, low, high),
    )


@st.composite
def choices(draw: Any) -> Case:
    three = hnp.mutually_broadcastable_shapes(num_shapes=3, min_side=0, max_side=3, max_dims=3)
    c, x, y = draw(three).input_shapes
    condition = draw(hnp.arrays(bool, c))
    return Case(
        f"where({condition.tolist()}, …)",
        [draw(arrays(x)), draw(arrays(y))],
        lambda lib, x, y: lib.where(lib.tensor(condition), x, y),
        lambda x, y: np.where(condition, x, y),
    )


def mean(x: ndarray, axis: Any, keepdims: bool) -> Any:
    n = np.sum(np.ones_like(x), axis=axis, keepdims=keepdims)
    return np.where(n > 0, np.sum(x, axis=axis, keepdims=keepdims) / np.maximum(n, 1), np.nan)


@st.composite
def reductions(draw: Any, name: str, numpy: Any) -> Case:
    chooses = name in ("amax", "amin")
    shape = draw(full_shapes if chooses else shapes)
    axes = draw(some_axes(len(shape)))
    # In PyTorch amax(None) does not exist, nor does sum(None, keepdim=True).
    options = {} if axes is None else {"dim": axes, "keepdim": draw(st.booleans())}
    return Case(
        f"{name}({options})",
        draw(distinct(shape)) if chooses else [draw(arrays(shape))],
        lambda lib, x: getattr(x, name)(**options),
        lambda x: numpy(x, axis=axes, keepdims=options.get("keepdim", False)),
    )


@st.composite
def extrema(draw: Any) -> Case:
    """max and min over one axis, which give indices too."""
    shape = draw(full_shapes.filter(len))
    name, axis = draw(st.sampled_from(["max", "min"])), draw(st.integers(-len(shape), -1))
    return Case(
        f"{name}(axis={axis}).values",
        draw(distinct(shape)),
        lambda lib, x: getattr(x, name)(dim=axis).values,
        lambda x: getattr(np, name)(x, axis=axis),
    )


@st.composite
def arrangements(draw: Any, name: str) -> Case:
    """One of the ways to give the same entries another shape."""
    shape = draw(shapes)
    x = draw(arrays(shape))
    axis = draw(st.integers(-len(shape) - 1, len(shape)))
    order = draw(st.permutations(range(len(shape))))
    a, b = (draw(st.sampled_from(order)) for _ in "ab") if shape else (0, 0)
    to = draw(st.sampled_from([shape[::-1], (x.size,), (x.size, 1), (1, *shape)]))
    wide = draw(hnp.broadcastable_shapes(shape, min_dims=len(shape), min_side=0, max_side=3))
    wide = np.broadcast_shapes(shape, wide)
    runs: dict[str, tuple[Any, Any]] = {
        "reshape": (lambda x: x.reshape(to), lambda x: x.reshape(to)),
        "flatten": (lambda x: x.flatten(), lambda x: x.reshape(-1)),
        "squeeze": (lambda x: x.squeeze(), np.squeeze),
        "unsqueeze": (lambda x: x.unsqueeze(axis), lambda x: np.expand_dims(x, axis)),
        "permute": (lambda x: x.permute(order), lambda x: x.transpose(order)),
        "transpose": (lambda x: x.transpose(a, b), lambda x: np.swapaxes(x, a, b) if shape else x),
        "expand": (lambda x: x.expand(wide), lambda x: np.broadcast_to(x, wide)),
    }
    run, numpy = runs[name]
    what = f"{name} (to={to}, axis={axis}, order={order}, a={a}, b={b}, wide={wide})"
    return Case(what, [x], lambda lib, x: run(x), numpy)


@st.composite
def selections(draw: Any) -> Case:
    shape = draw(shapes)
    index = draw(indices(shape))
    return Case(
        f"x[{index}]",
        [draw(arrays(shape))],
        lambda lib, x: x[index_for(lib, index)],
        lambda x: x[index],
    )


@st.composite
def scatterings(draw: Any) -> Case:
    into = draw(shapes)
    index = draw(indices(into))
    return Case(
        f"zeros({into})[{index}] += x",
        [draw(arrays(np.zeros(into)[index].shape))],
        lambda lib, x: scattered(lib, index, into, x),
        lambda x: added_at(index, into, x),
    )


@st.composite
def joinings(draw: Any, name: str) -> Case:
    shape = list(draw(shapes.filter(len) if name == "cat" else shapes))
    axis = draw(st.integers(-len(shape), len(shape) - 1 if name == "cat" else len(shape)))
    if name == "stack" and axis < 0:
        axis -= 1
    inputs = []
    for _ in range(draw(st.integers(1, 3))):
        if name == "cat":
            shape[axis] = draw(st.integers(0, 3))
        inputs.append(draw(arrays(tuple(shape))))
    join = np.concatenate if name == "cat" else np.stack
    return Case(
        f"{name}(…, {axis})",
        inputs,
        lambda lib, *xs: getattr(lib, name)(xs, dim=axis),
        lambda *xs: join(xs, axis=axis),
    )


# By the names of the rows; and under names of their own, functions composed of several.
CASES: dict[str, st.SearchStrategy[Case]] = {
    "add": binary(lambda lib, x, y: x + y, np.add),
    "sub": binary(lambda lib, x, y: x - y, np.subtract),
    "mul": binary(lambda lib, x, y: x * y, np.multiply),
    "div": binary(lambda lib, x, y: x / y, np.divide, right=nonzero),
    "neg": unary(lambda lib, x: -x, np.negative),
    "pow": powers(),
    "pow_tensor": binary(
        lambda lib, x, y: x**y, np.power, positive, st.sampled_from([0.0, 1.0, 2.0]) | reals
    ),
    "matmul": products(),
    "exp": unary(lambda lib, x: lib.exp(x), np.exp),
    "log": unary(lambda lib, x: lib.log(x), np.log, positive),
    "log1p": unary(lambda lib, x: lib.log1p(x), np.log1p, positive),
    "sqrt": unary(lambda lib, x: lib.sqrt(x), np.sqrt, positive),
    "sin": unary(lambda lib, x: lib.sin(x), np.sin),
    "cos": unary(lambda lib, x: lib.cos(x), np.cos),
    "tanh": unary(lambda lib, x: lib.tanh(x), np.tanh),
    "sigmoid": unary(lambda lib, x: lib.sigmoid(x), lambda x: 1 / (1 + np.exp(-x))),
    "relu": unary(lambda lib, x: lib.relu(x), lambda x: np.maximum(x, 0), nonzero),
    "abs": unary(lambda lib, x: lib.abs(x), np.abs, nonzero),
    "sign": unary(lambda lib, x: lib.sign(x), np.sign, nonzero),
    "clamp": clamps(),
    "maximum": larger_or_smaller(lambda lib, x, y: lib.maximum(x, y), np.maximum),
    "minimum": larger_or_smaller(lambda lib, x, y: lib.minimum(x, y), np.minimum),
    "where": choices(),
    "sum": reductions("sum", np.sum),
    "mean": reductions("mean", mean),
    "amax": reductions("amax", np.max),
    "amin": reductions("amin", np.min),
    "reshape": arrangements("reshape"),
    "permute": arrangements("permute"),
    "expand": arrangements("expand"),
    "getitem": selections(),
    "scatter": scatterings(),
    "cat": joinings("cat"),
    "cast": unary(lambda lib, x: x.clone(), np.copy),
    "max and min": extrema(),
    "flatten": arrangements("flatten"),
    "squeeze": arrangements("squeeze"),
    "unsqueeze": arrangements("unsqueeze"),
    "transpose": arrangements("transpose"),
    "stack": joinings("stack"),
}
