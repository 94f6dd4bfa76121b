"""The tape against the closed form, and the closed form against a slow one in many digits."""

from collections.abc import Iterator
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy import ndarray

import tinygrad_mlp as tg
from tinygrad_mlp.experiment.bounds import error_bounds
from tinygrad_mlp.experiment.closed_form import closed_form
from tinygrad_mlp.experiment.two_layer import BIASES, NAMES, loss, problem

Arrays = list[ndarray]


def shapes(n: int, d: int, h: int, o: int, bias: str) -> list[tuple[int, ...]]:
    b1, b2 = {
        "full": ((n, h), (n, o)),
        "row": ((1, h), (1, o)),
        "vector": ((h,), (o,)),
        "scalar": ((), ()),
    }[bias]
    return [(n, d), (n, o), (d, h), (h, o), b1, b2]


# Values. The largest are far beyond what saturates σ, and their sums of squares are finite.


def ordinary(width: int) -> st.SearchStrategy[float]:
    return st.floats(-3, 3, width=width)


def saturating(width: int) -> st.SearchStrategy[float]:
    return st.floats(-(2.0**13), 2.0**13, width=width)


def tiny(width: int) -> st.SearchStrategy[float]:
    least, normal = {32: (2.0**-149, 2.0**-126), 64: (2.0**-1074, 2.0**-1022)}[width]
    return st.sampled_from([0.0, -0.0, least, -least, 3 * least, normal, -normal, normal - least])


def values(width: int) -> st.SearchStrategy[Any]:
    kinds = [ordinary(width), saturating(width), tiny(width)]
    return st.sampled_from([*kinds, st.one_of(*kinds)])


@st.composite
def small(draw: Any, dtype: str) -> Arrays:
    """Sizes of 0 to 8, each array with values of its own kind."""
    n, d, h, o = (draw(st.integers(0, 8)) for _ in range(4))
    width = np.dtype(dtype).itemsize * 8
    return [
        draw(hnp.arrays(dtype, shape, elements=draw(values(width))))
        for shape in shapes(n, d, h, o, draw(st.sampled_from(BIASES)))
    ]


@st.composite
def large(draw: Any, dtype: str) -> Arrays:
    """One or two sizes of a few hundred, normal values of a scale for each array."""
    sizes = [draw(st.integers(0, 8)) for _ in range(4)]
    for place in draw(st.sets(st.integers(0, 3), min_size=1, max_size=2)):
        sizes[place] = draw(st.integers(100, 400))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    return [
        (random.standard_normal(shape) * draw(st.sampled_from([1e-30, 0.1, 1, 1e3]))).astype(dtype)
        for shape in shapes(*sizes, draw(st.sampled_from(BIASES)))
    ]


dtypes = st.sampled_from(["float32", "float64"])
arrays = dtypes.flatmap(
    lambda dtype: st.integers(0, 9).flatmap(
        lambda one_in_ten: small(dtype) if one_in_ten else large(dtype)
    )
)


def by_tape(inputs: Arrays) -> tuple[ndarray, dict[str, ndarray]]:
    tensors = [tg.tensor(a, requires_grad=True) for a in inputs]
    value = loss(*tensors)
    value.backward()
    return np.asarray(value.detach()), {
        name: np.asarray(t.grad) for name, t in zip(NAMES, tensors, strict=True)
    }


def pairs(*answers: tuple[Any, dict[str, Any]]) -> Iterator[tuple[Any, ...]]:
    """The losses, then the gradients of each name, of several answers side by side."""
    yield "loss", *(value for value, _ in answers)
    for name in NAMES:
        yield name, *(gradients[name] for _, gradients in answers)


def close(name: str, a: Any, b: Any, allowed: Any) -> None:
    off = np.abs(np.float64(a) - np.float64(b)) > allowed
    assert not np.any(off), (name, np.argwhere(off)[0].tolist(), np.max(np.abs(a - b)))


@given(arrays)
def test_tape_agrees_with_closed_form(inputs: Arrays) -> None:
    tape, closed, bounds = by_tape(inputs), closed_form(*inputs), error_bounds(*inputs)
    for (name, a, b, bound), x in zip(pairs(tape, closed, bounds), [np.zeros(()), *inputs]):
        assert a.shape == b.shape == x.shape
        assert a.dtype == b.dtype == inputs[0].dtype
        close(name, a, b, 2 * bound)


@given(st.integers(0, 9).flatmap(lambda i: small("float32") if i else large("float32")))
def test_float32_is_as_close_to_float64_as_its_rounding_allows(inputs: Arrays) -> None:
    doubles = [a.astype(np.float64) for a in inputs]
    reference, double_bounds = closed_form(*doubles), error_bounds(*doubles)
    for answer in (by_tape(inputs), closed_form(*inputs)):
        for name, a, b, bound, more in pairs(
            answer, reference, error_bounds(*inputs), double_bounds
        ):
            close(name, a, b, bound + more)


# An oracle that shares nothing with the formulas: the loss written as loops, in 200 digits, and its
# difference quotient over a step so small that what the quotient leaves out, of the order of the
# step squared, begins some 80 digits after the point.

STEP = Decimal("1e-50")


def slow_loss(x: Any, y: Any, w1: Any, w2: Any, b1: Any, b2: Any) -> Decimal:
    total = Decimal(0)
    for i in range(x.shape[0]):
        hidden = []
        for j in range(w1.shape[1]):
            h = b1[i, j] + sum(x[i, k] * w1[k, j] for k in range(x.shape[1]))
            hidden.append(1 / (1 + (-h).exp()))
        for j in range(w2.shape[1]):
            y_p = b2[i, j] + sum(s * w for s, w in zip(hidden, w2[:, j], strict=True))
            total += (y[i, j] - y_p) ** 2
    return total


def slow_derivative(inputs: Arrays, which: int, place: tuple[int, ...]) -> Decimal:
    n, h, o = inputs[0].shape[0], *inputs[3].shape
    sides = []
    for step in (STEP, -STEP):
        moved = [np.vectorize(Decimal, otypes=[object])(a) for a in inputs]
        moved[which][place] += step
        moved[4] = np.broadcast_to(moved[4], (n, h))
        moved[5] = np.broadcast_to(moved[5], (n, o))
        sides.append(slow_loss(*moved))
    return (sides[0] - sides[1]) / (2 * STEP)


@st.composite
def few(draw: Any) -> Arrays:
    """Sizes of 1 to 3, and hidden values of at most 4 · 5 · 5, where σ(h) has 44 zeros."""
    n, d, h, o = (draw(st.integers(1, 3)) for _ in range(4))
    elements = st.just(0.0) | st.floats(0.001, 5) | st.floats(-5, -0.001)
    return [
        draw(hnp.arrays("float64", shape, elements=elements, fill=st.nothing()))
        for shape in shapes(n, d, h, o, draw(st.sampled_from(BIASES)))
    ]


@given(few(), st.data())
def test_closed_form_agrees_with_difference_quotients_in_200_digits(
    inputs: Arrays, data: Any
) -> None:
    value, gradients = closed_form(*inputs)
    bound, bounds = error_bounds(*inputs)
    with localcontext(prec=200):
        for which, name in enumerate(NAMES):
            place = tuple(data.draw(st.integers(0, n - 1)) for n in inputs[which].shape)
            exact = slow_derivative(inputs, which, place)
            off = abs(Decimal(float(gradients[name][place])) - exact)
            assert off <= Decimal(float(bounds[name][place])), (name, place, exact)
        n, h, o = inputs[0].shape[0], *inputs[3].shape
        full = [*inputs[:4], np.broadcast_to(inputs[4], (n, h)), np.broadcast_to(inputs[5], (n, o))]
        exact = slow_loss(*(np.vectorize(Decimal, otypes=[object])(a) for a in full))
        assert abs(Decimal(float(value)) - exact) <= Decimal(float(bound))


@given(arrays, st.floats(0, 1))
def test_gradients_of_shards_sum_to_the_whole(inputs: Arrays, where: float) -> None:
    x, y, w1, w2, b1, b2 = inputs
    cut = round(where * len(x))
    full = b1.shape == (len(x), w1.shape[1]) and len(x) != 1
    shards = [
        [x[rows], y[rows], w1, w2, b1[rows] if full else b1, b2[rows] if full else b2]
        for rows in (slice(cut), slice(cut, None))
    ]
    unit = np.finfo(x.dtype).eps / 2
    by_row = {"x", "y", "b1", "b2"} if full else {"x", "y"}
    for name, whole, first, second, *bounds in pairs(
        by_tape(inputs), *map(by_tape, shards), *(error_bounds(*a) for a in (inputs, *shards))
    ):
        if name in by_row:
            allowed = bounds[0] + np.concatenate(bounds[1:])
            close(name, whole, np.concatenate([first, second]), allowed)
        else:
            rounding = unit * (np.abs(first) + np.abs(second))
            close(name, whole, first + second, sum(bounds) + rounding)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bias", BIASES)
def test_bounds_are_small_enough_to_prove_something(bias: str, dtype: str) -> None:
    inputs = [t.detach().numpy() for t in problem(bias=bias, dtype=dtype)]
    eps = np.finfo(dtype).eps
    for name, value, bound in pairs(closed_form(*inputs), error_bounds(*inputs)):
        # In float32 that is 0.6%. The worst is a scalar b1: a sum of 2000 terms of either sign.
        assert np.max(bound) < 5e4 * eps * np.max(np.abs(value)), name


@given(
    st.tuples(*[st.integers(0, 4)] * 4),
    st.sampled_from(BIASES),
    dtypes,
    st.integers(-(2**63), 2**64 - 1),
)
def test_problem(sizes: Any, bias: str, dtype: str, seed: int) -> None:
    tensors = problem(seed, sizes, bias, dtype)
    assert [t.shape for t in tensors] == shapes(*sizes, bias)
    assert all(t.requires_grad and t.is_leaf and t.dtype == dtype for t in tensors)
    tg.manual_seed(seed)
    for t in tensors:
        assert np.array_equal(tg.randn(*t.shape, dtype=dtype), t.detach())


def test_problem_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="bias is one of full, row, vector, scalar, not 'col'"):
        problem(bias="col")
    with pytest.raises(ValueError, match="negative"):
        problem(shape=(1, -1, 1, 1))
    with pytest.raises(TypeError, match="float16"):
        problem(dtype="float16")


@pytest.mark.parametrize("which", range(6))
@pytest.mark.parametrize("function", [closed_form, error_bounds])
def test_closed_form_refuses_shapes_that_would_broadcast_unnoticed(
    function: Any, which: int
) -> None:
    inputs = [np.ones(shape) for shape in shapes(4, 2, 3, 5, "vector")]
    inputs[which] = np.ones((1, 4, 1))
    with pytest.raises(ValueError, match=rf"{NAMES[which]} \(1, 4, 1\)"):
        function(*inputs)
    inputs[which] = np.ones(7)
    with pytest.raises(ValueError, match=rf"{NAMES[which]} \(7,\)"):
        function(*inputs)
