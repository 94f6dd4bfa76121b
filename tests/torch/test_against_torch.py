"""Values, gradients and second gradients beside PyTorch's in float64, and its rules of dtypes."""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy import ndarray
from support import CASES, Case, leaf, weights

import tinygrad_mlp as tg

pytestmark = pytest.mark.torch
torch.set_num_threads(1)  # for such small Tensors more are slower

RELATIVE = 1e-12


def arrays_of(tensors: Any) -> list[ndarray | None]:
    # PyTorch has Tensors of zeros that have no memory, which only force=True makes arrays of.
    force = {} if any(isinstance(t, tg.Tensor) for t in tensors) else {"force": True}
    return [None if t is None else t.detach().numpy(**force) for t in tensors]


def derivatives(lib: Any, run: Callable[..., Any], inputs: list[Any]) -> dict[str, Any]:
    """Value, gradients, and the gradients of a weighted sum of those gradients."""
    out = run(lib, *inputs)
    g = lib.tensor(weights(tuple(out.shape)), dtype=inputs[0].dtype, requires_grad=True)
    grad = tg.grad if lib is tg else torch.autograd.grad
    first = grad([out], inputs, [g], create_graph=True, allow_unused=True)
    graphed = [
        (d, lib.tensor(weights(tuple(d.shape), 9 * i), dtype=d.dtype))
        for i, d in enumerate(first)
        if d is not None and d.requires_grad
    ]
    second: Any = [None] * (len(inputs) + 1)
    if graphed:
        ds, ws = zip(*graphed, strict=True)
        second = grad(ds, [*inputs, g], ws, allow_unused=True)
    found = {"value": [out], "gradient": first, "second gradient": second}
    return {kind: arrays_of(tensors) for kind, tensors in found.items()}


class Compared(NamedTuple):
    what: str
    ours: ndarray
    theirs: ndarray
    rounding: float  # how far PyTorch is from it in float32

    def check(self) -> None:
        """To 1e-12; of a sum that cancels, to what rounding may leave.

        That is measured in float32, whose digits are 2**29 times as coarse, and allowed 64 times.
        """
        absolute = 1e-14 + 64 * 2.0**-29 * self.rounding
        np.testing.assert_allclose(self.ours, self.theirs, RELATIVE, absolute, err_msg=self.what)


def compared(run: Callable[..., Any], inputs: list[ndarray]) -> Iterator[Compared]:
    """Where one has no gradient and the other zeros, they agree."""
    with np.errstate(all="ignore"):
        ours = derivatives(tg, run, [leaf(x) for x in inputs])
    narrow, theirs = (
        derivatives(torch, run, [torch.tensor(x, dtype=d, requires_grad=True) for x in inputs])
        for d in (torch.float32, torch.float64)
    )
    shapes = {"value": [None], "gradient": inputs, "second gradient": [*inputs, theirs["value"][0]]}
    for kind, like in shapes.items():
        found = zip(ours[kind], theirs[kind], narrow[kind], like, strict=True)
        for i, (a, b, c, x) in enumerate(found):
            a, b, c = (np.zeros_like(x) if t is None else t for t in (a, b, c))
            assert (a.shape, a.dtype) == (b.shape, b.dtype), kind
            with np.errstate(all="ignore"):
                off = np.abs(b - c)
            yield Compared(f"{kind} {i}", a, b, max([0.0, *off[np.isfinite(off)].ravel()]))


def check_case(name: str, run: Callable[..., Any], inputs: list[ndarray]) -> None:
    for found in compared(run, inputs):
        if name == "pow_tensor" and "second" in found.what and not all(map(np.all, inputs)):
            # Where x or y is 0 PyTorch has nan, or leaves out the 1/x in ∂²xʸ/∂x∂y.
            continue
        found.check()


@pytest.mark.parametrize("name", CASES)
@given(data=st.data())
def test_ops(name: str, data: st.DataObject) -> None:
    case: Case = data.draw(CASES[name])
    check_case(name, case.run, case.inputs)


@pytest.mark.parametrize("name", CASES)
@given(data=st.data())
def test_ops_at_whole_numbers(name: str, data: st.DataObject) -> None:
    """At zeros, kinks and ties."""
    case: Case = data.draw(CASES[name])
    check_case(name, case.run, [np.round(x) + 0.0 for x in case.inputs])


ELEMENTWISE: dict[str, tuple[Callable[..., Any], int]] = {
    "add": (lambda lib, x, y: x + y, 2),
    "sub": (lambda lib, x, y: x - y, 2),
    "mul": (lambda lib, x, y: x * y, 2),
    "div": (lambda lib, x, y: x / y, 2),
    "pow_tensor": (lambda lib, x, y: x**y, 2),
    "maximum": (lambda lib, x, y: lib.maximum(x, y), 2),
    "minimum": (lambda lib, x, y: lib.minimum(x, y), 2),
    "where": (lambda lib, x, y: lib.where(x < y, x, y), 2),
    "neg": (lambda lib, x: -x, 1),
    "exp": (lambda lib, x: lib.exp(x), 1),
    "log": (lambda lib, x: lib.log(x), 1),
    "log1p": (lambda lib, x: lib.log1p(x), 1),
    "sqrt": (lambda lib, x: lib.sqrt(x), 1),
    "sin": (lambda lib, x: lib.sin(x), 1),
    "cos": (lambda lib, x: lib.cos(x), 1),
    "tanh": (lambda lib, x: lib.tanh(x), 1),
    "sigmoid": (lambda lib, x: lib.sigmoid(x), 1),
    "relu": (lambda lib, x: lib.relu(x), 1),
    "abs": (lambda lib, x: lib.abs(x), 1),
    "sign": (lambda lib, x: lib.sign(x), 1),
    "clamp": (lambda lib, x: lib.clamp(x, -1, 2), 1),
    "clamp to nothing": (lambda lib, x: lib.clamp(x, 2, 1), 1),
    "number / x": (lambda lib, x: 2 / x, 1),
    **{f"x**{p}": ((lambda lib, x, p=p: x**p), 1) for p in (0, 1, 2, 3, -1, -2, 0.5, -0.5, 2.5)},
    **{f"{b}**x": ((lambda lib, x, b=b: b**x), 1) for b in (0, 2, 0.5)},
}
SPECIAL = [
    0.0, -0.0, 1, -1, 2, -2, 3, 0.5, -0.5, 1e-300, 1e-160, 1e160, 700.0, -745.0, 20.0, -20.0,
    np.inf, -np.inf, np.nan, 5e-324,
]  # fmt: skip


def ours_differs(name: str, what: str, xs: list[ndarray]) -> Any:
    """Where the answer is meant to be another than PyTorch's."""
    x, second = xs[0], "second" in what
    if name in ("sign", "abs"):
        return np.isnan(x)  # nan, not 0
    if name in ("x**0.5", "x**-0.5"):
        # As C's pow, and PyTorch's for a Tensor of exponents, have it; not the square root.
        return np.isneginf(x) | ((x == 0) & np.signbit(x))
    if name == "pow_tensor" and second:
        return (x == 0) | (xs[1] == 0)  # as in check_case
    return (name == "0**x") & second


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_special_values(name: str) -> None:
    """Entry by entry, so that no error hides behind a larger entry."""
    run, n = ELEMENTWISE[name]
    xs = [np.array(column) for column in zip(*product(SPECIAL, repeat=n), strict=True)]
    # σ and tanh have derivatives that are a difference from 1; else only subnormals are excused.
    absolute = 8 * np.finfo(np.float64).eps if name in ("sigmoid", "tanh") else 1e-300
    for what, ours, theirs, _ in compared(run, xs):
        same = np.isclose(ours, theirs, RELATIVE, absolute, equal_nan=True)
        wrong = np.flatnonzero(~same & ~ours_differs(name, what, xs))
        assert not [(what, *(x[k] for x in xs), ours[k], theirs[k]) for k in wrong]


# Programs of several ops.


class Program(NamedTuple):
    inputs: list[ndarray]
    steps: list[tuple[str, tuple[int, ...]]]  # an op, and which of the values so far it takes

    def __call__(self, lib: Any, *values: Any) -> Any:
        found = list(values)
        for name, places in self.steps:
            found.append(PARTS[name](lib, *(found[p] for p in places)))
        return found[-1]


# Those that choose are given only numbers that both libraries have exactly, lest rounding decides.
CHOOSING: dict[str, Callable[..., Any]] = {
    "relu": lambda lib, x: lib.relu(x),
    "abs": lambda lib, x: abs(x),
    "clamp": lambda lib, x: x.clamp(-0.5, 1),
    "amax": lambda lib, x: x.amax(),
    "amin": lambda lib, x: x.amin(-1, keepdim=True),
    "max": lambda lib, x: x.max(dim=0).values,
    "maximum": lambda lib, x, y: lib.maximum(x, y),
    "minimum": lambda lib, x, y: lib.minimum(x, y),
    "where": lambda lib, x, y: lib.where(x < y, x * 2, y),
}
EXACT: dict[str, Callable[..., Any]] = {
    "neg": lambda lib, x: -x,
    "sum": lambda lib, x: x.sum(0),
    "sums": lambda lib, x: x.sum(-1, keepdim=True),
    "total": lambda lib, x: x.sum(),
    "T": lambda lib, x: x.transpose(0, -1),
    "flatten": lambda lib, x: x.reshape(-1),
    "unsqueeze": lambda lib, x: x.unsqueeze(1),
    "squeeze": lambda lib, x: x.squeeze(),
    "first": lambda lib, x: x[0],
    "last": lambda lib, x: x[..., -1:],
    "repeated": lambda lib, x: x[[0, 0, -1]],
    "square": lambda lib, x: x**2,
    "detached": lambda lib, x: x * x.detach(),
    "add": lambda lib, x, y: x + y,
    "sub": lambda lib, x, y: x - y,
    "mul": lambda lib, x, y: x * y,
    "matmul": lambda lib, x, y: x @ y,
    "cat": lambda lib, x, y: lib.cat([x, y, x]),
    "stack": lambda lib, x, y: lib.stack([x, y], -1),
    "expand": lambda lib, x, y: x.expand(y.shape),
    **CHOOSING,
}
PARTS: dict[str, Callable[..., Any]] = {
    "sin": lambda lib, x: lib.sin(x),
    "cos": lambda lib, x: x.cos(),
    "tanh": lambda lib, x: lib.tanh(x),
    "sigmoid": lambda lib, x: lib.sigmoid(x),
    "exp": lambda lib, x: lib.exp(-x * x),
    "log": lambda lib, x: lib.log(1 + x * x),
    "sqrt": lambda lib, x: (x * x + 0.5).sqrt(),
    "reciprocal": lambda lib, x: 1 / (x * x + 1),
    "cube": lambda lib, x: 0.1 * x**3,
    "mean": lambda lib, x: x.mean(),
    "means": lambda lib, x: x.mean(0, keepdim=True),
    "div": lambda lib, x, y: x / (1 + y * y),
    "pow": lambda lib, x, y: (x * x + 0.5) ** (y * y + 0.25),
    **EXACT,
}


@st.composite
def programs(draw: Any) -> Program:
    """Steps that fit the shapes so far and keep the numbers small."""
    quarters = st.integers(-8, 8).map(lambda k: k / 4)
    shapes = draw(st.permutations([(2, 3), (3,), (), (2, 1), (3, 3), (1,)]))[:3]
    inputs = [np.array(draw(st.lists(quarters, min_size=n, max_size=n))).reshape(s)
              for s in shapes for n in [int(np.prod(s))]]  # fmt: skip
    values, steps = [torch.tensor(x) for x in inputs], []
    exact = [True] * len(inputs)
    for name in draw(st.lists(st.sampled_from(list(PARTS)), min_size=1, max_size=10)):
        run = PARTS[name]
        latest = st.integers(max(0, len(values) - 4), len(values) - 1)
        places = tuple(draw(latest) for _ in range(run.__code__.co_argcount - 1))
        sure = name in EXACT and all(exact[p] for p in places)
        if name in CHOOSING and not sure:
            continue
        try:
            out = run(torch, *(values[p] for p in places))
        except (IndexError, RuntimeError):
            continue  # the shapes do not fit
        if out.numel() <= 60 and (out.abs() <= 8).all():
            values.append(out)
            steps.append((name, places))
            exact.append(sure and bool((out * 2**20 % 1 == 0).all()))
    return Program(inputs, steps)


@given(programs())
def test_programs(program: Program) -> None:
    for found in compared(program, program.inputs):
        found.check()


# Dtypes.


DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]
OPERATORS: dict[str, Callable[..., Any]] = {
    "add": lambda lib, x, y: x + y,
    "sub": lambda lib, x, y: x - y,
    "mul": lambda lib, x, y: x * y,
    "div": lambda lib, x, y: x / y,
    "pow": lambda lib, x, y: x**y,
    "rsub": lambda lib, x, y: y - x,
    "rdiv": lambda lib, x, y: y / x,
    "where": lambda lib, x, y: lib.where(lib.tensor(True), x, y),
    "less": lambda lib, x, y: x < y,
    "equal": lambda lib, x, y: x == y,
    "maximum": lambda lib, x, y: lib.maximum(x, y),
    "cat": lambda lib, x, y: lib.cat([x, y]),
    "stack": lambda lib, x, y: lib.stack([x, y]),
}


def outcome(lib: Any, run: Callable[..., Any], *operands: Any) -> str | None:
    """The dtype and the values, or None for an exception."""
    make = lib.tensor if lib is tg else torch.from_numpy
    tensors = [make(x.copy()) if isinstance(x, ndarray) else x for x in operands]
    try:
        out = run(lib, *tensors)
    except (TypeError, ValueError, RuntimeError, AttributeError):
        return None
    return f"{str(out.dtype).removeprefix('torch.')} {out.tolist()}"


def check_dtypes(run: Callable[..., Any], *operands: Any) -> None:
    """Whatever PyTorch takes we take, with the same dtype and values; what it refuses is open."""
    theirs = outcome(torch, run, *operands)
    assert theirs in (None, outcome(tg, run, *operands)), operands


@pytest.mark.parametrize("name", OPERATORS)
def test_dtypes_of_two_tensors(name: str) -> None:
    for a, b, left, right in product(DTYPES, DTYPES, [(), (2,)], [(), (2,)]):
        check_dtypes(OPERATORS[name], np.full(left, 1, a), np.full(right, 1, b))


@pytest.mark.parametrize("name", [name for name in OPERATORS if name not in ("cat", "stack")])
@pytest.mark.parametrize("number", [True, 2, 2.5])
def test_dtypes_with_a_number(name: str, number: float) -> None:
    for dtype, shape in product(DTYPES, [(), (2,)]):
        if (name, dtype, number) != ("pow", "bool", True):
            check_dtypes(OPERATORS[name], np.full(shape, 1, dtype), number)


UNARY = ["abs", "neg", "exp", "log", "sqrt", "sin", "cos", "tanh", "sigmoid", "relu", "sign",
         "sum", "mean", "amax", "max", "argmax", "clone", "float", "double", "long", "bool", "t",
         "square", "any", "all"]  # fmt: skip


@pytest.mark.parametrize("name", UNARY)
def test_dtypes_of_one_tensor(name: str) -> None:
    for dtype in DTYPES:
        if (name, dtype) not in [("sign", "bool"), ("any", "uint8"), ("all", "uint8")]:
            # At 0, where all of these are whole, or nan or infinite.
            with np.errstate(all="ignore"):
                check_dtypes(lambda _, x: getattr(x, name)(), np.zeros(2, dtype))


@pytest.mark.parametrize("bounds", [(0, 2), (None, 2), (0.5, None), (0, 1.5)])
def test_dtypes_of_clamp(bounds: Any) -> None:
    for dtype in DTYPES:
        check_dtypes(lambda lib, x: lib.clamp(x, *bounds), np.full(2, 1, dtype))


@pytest.mark.parametrize(
    "data", [1, 1.5, True, [1, 2.5], [], [[True]], np.float64(1), np.ones(1, "f2"), [np.float32(1)]]
)
def test_dtypes_of_data(data: Any) -> None:
    ours, theirs = (
        (str(x.dtype).removeprefix("torch."), x.tolist())
        for x in (tg.tensor(data), torch.tensor(data))
    )
    assert ours == theirs
