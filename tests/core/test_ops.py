"""Every row of the table of ops, against plain NumPy and against finite differences."""

import math
from collections.abc import Callable
from decimal import Decimal, localcontext
from itertools import permutations, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy import ndarray
from support import CASES, Case, arrays, frozen, leaf, value, weights

import tinygrad_mlp as tg
from tinygrad_mlp.core import ops

every_op = pytest.mark.parametrize("name", CASES)
STEP = 1 / 512
EPS = np.finfo(np.float64).eps


def test_every_row_has_a_case() -> None:
    assert ops.TABLE.keys() <= CASES.keys()


# Finite differences.


def central(f: Callable[[ndarray], float], x: ndarray, i: tuple[int, ...], step: float) -> Any:
    """(f(x + step) − f(x − step)) / 2 step along entry i, and the size of f there."""
    ends = []
    for signed in (step, -step):
        moved = x.copy()
        moved[i] += signed
        ends.append(f(moved))
    return (ends[0] - ends[1]) / (2 * step), max(map(abs, ends))


def check_gradient(
    f: Callable[..., ndarray], inputs: list[ndarray], cotangent: ndarray, found: list[ndarray]
) -> None:
    """Whether these are the gradients of Σ cotangent ⊙ f(inputs).

    Two central differences give a third without their leading error. What they differ by bounds the
    error that is left in it; rounding adds some EPS of the sum, and of what the sum was made of.
    """
    for k, x in enumerate(inputs):
        assert found[k].shape == x.shape

        def total(moved: ndarray, k: int = k) -> float:
            terms = cotangent * f(*inputs[:k], moved, *inputs[k + 1 :])
            return float(np.nansum(terms))

        for i in np.ndindex(x.shape):
            wide, size = central(total, x, i, STEP)
            narrow, _ = central(total, x, i, STEP / 2)
            best = (4 * narrow - wide) / 3
            rounding = 100 * EPS * (size + cotangent.size) / STEP
            assert abs(found[k][i] - best) <= abs(wide - narrow) + rounding


@every_op
@given(data=st.data())
def test_forward_and_gradient(name: str, data: st.DataObject) -> None:
    case: Case = data.draw(CASES[name])
    tensors = [leaf(x) for x in case.inputs]
    out = frozen(case.run(tg, *tensors))
    expected = case.numpy(*case.inputs)
    np.testing.assert_allclose(value(out), expected, rtol=1e-14, atol=1e-14)
    g = weights(out.shape)
    gradients = tg.grad(out, tensors, frozen(tg.tensor(g)))
    check_gradient(case.numpy, case.inputs, g, [value(d) for d in gradients])


@every_op
@given(data=st.data())
def test_second_gradient(name: str, data: st.DataObject) -> None:
    case: Case = data.draw(CASES[name])
    n = len(case.inputs)

    def gradients(*arrays: ndarray) -> ndarray:
        """All first gradients, of the inputs and the cotangent, weighted and in one row."""
        tensors = [leaf(x) for x in arrays[:n]]
        found = tg.grad(case.run(tg, *tensors), tensors, arrays[n])
        return np.concatenate([value(d).ravel() for d in found])

    tensors = [leaf(x) for x in case.inputs]
    out = case.run(tg, *tensors)
    g = leaf(weights(out.shape))
    first = tg.grad(out, tensors, g, create_graph=True)
    flat = tg.cat([d.reshape(-1) for d in first])
    weight = weights(flat.shape, 2)
    second = tg.grad(flat, [*tensors, g], weight, allow_unused=True)
    found = [np.zeros(x.shape) if d is None else value(d) for d, x in zip(second, [*tensors, g])]
    check_gradient(gradients, [*case.inputs, value(g)], weight, found)


@every_op
@given(data=st.data())
def test_vjps_are_linear(name: str, data: st.DataObject) -> None:
    case: Case = data.draw(CASES[name])
    tensors = [leaf(x) for x in case.inputs]
    out = case.run(tg, *tensors)
    p, q = weights(out.shape), weights(out.shape, 5)
    a, b = data.draw(st.floats(-10, 10)), data.draw(st.floats(-10, 10))

    def pulled(g: ndarray) -> list[ndarray]:
        return [value(d) for d in tg.grad(out, tensors, g, retain_graph=True)]

    of_sum, of_p, of_q = pulled(a * p + b * q), pulled(p), pulled(q)
    for s, from_p, from_q in zip(of_sum, of_p, of_q, strict=True):
        # Sums of at most 27 terms; those of x⁻² are the largest, at most 20 times 2 · 0.1⁻³.
        tolerance = 27 * EPS * 27 * 20 * 2000
        np.testing.assert_allclose(s, a * from_p + b * from_q, rtol=0, atol=tolerance)


@every_op
@given(data=st.data(), dtype=st.sampled_from(["float16", "float32"]))
def test_dtypes_are_kept(name: str, dtype: str, data: st.DataObject) -> None:
    case: Case = data.draw(CASES[name])
    tensors = [leaf(x, dtype) for x in case.inputs]
    out = case.run(tg, *tensors)
    g = leaf(weights(out.shape), dtype)
    first = tg.grad(out, tensors, g, create_graph=True)
    graphed = [d for d in first if d.requires_grad]
    # The second gradient of 1 / x at 0.1 may be beyond float16, and the difference of two such nan.
    with np.errstate(over="ignore", invalid="ignore"):
        second = graphed and tg.grad(graphed, [*tensors, g], graphed, allow_unused=True)
    assert {t.dtype for t in (out, *first, *second) if t is not None} == {np.dtype(dtype)}


def test_casts() -> None:
    x = leaf([1.5, 2.5], "float32")
    y = x.double()
    assert (y.dtype, y.tolist()) == (np.float64, [1.5, 2.5])
    (d,) = tg.grad(y, x, np.array([1.0, 1e-10]))
    assert (d.dtype, d.tolist()) == (np.float32, [1, np.float32(1e-10)])
    (d,) = tg.grad((x.double() ** 2).to("float16"), x, np.array([1.0, 2.0]), create_graph=True)
    assert (d.dtype, d.tolist()) == (np.float32, [3, 10])
    assert tg.grad(d, x, np.ones(2))[0].tolist() == [2, 4]
    assert not x.long().requires_grad
    assert not x.bool().float().requires_grad
    assert tg.grad((x * x.long()).sum(), x)[0].tolist() == [1, 2]


# Each row by itself, on arrays.


@pytest.mark.parametrize(
    ("x", "axes", "expected"),
    [((0,), None, np.nan), ((2, 0), (1,), [np.nan] * 2), ((0, 2), (1,), []), ((), None, 1)],
)
def test_mean_of_nothing(x: Any, axes: Any, expected: Any) -> None:
    x = leaf(np.ones(x))
    mean = x.mean(axes)
    np.testing.assert_array_equal(value(mean), np.asarray(expected, np.float64))
    (d,) = tg.grad(mean, x, np.ones(mean.shape))
    assert d.shape == x.shape


@pytest.mark.parametrize(("x", "y"), [((0,), (2, 0)), ((1, 0), (3, 0)), ((1,), (0,))])
def test_nothing_broadcasts(x: Any, y: Any) -> None:
    a, b = leaf(np.ones(x)), leaf(np.ones(y))
    for d, t in zip(tg.grad((a + b).sum(), (a, b)), (a, b), strict=True):
        np.testing.assert_array_equal(value(d), np.zeros(t.shape))


def test_sum_of_nothing_is_zero() -> None:
    x = leaf(np.ones((2, 0)))
    assert x.sum(1).tolist() == [0, 0]
    assert tg.grad(x.sum(), x)[0].shape == (2, 0)


def test_float16_means_of_more_than_a_float16_can_count() -> None:
    x = leaf(np.full(100_000, 3), "float16")
    mean = x.mean()
    assert (mean.dtype, mean.item()) == (np.float16, 3)
    (d,) = tg.grad(mean, x)
    assert (d.dtype, d[0].item()) == (np.float16, np.float16(1e-5))


# The sigmoid.


def sigmoid_of(x: float) -> Decimal:
    return 1 / (1 + (-Decimal(x)).exp())


def finite(dtype: str) -> st.SearchStrategy[ndarray]:
    width = np.dtype(dtype).itemsize * 8
    largest = float(np.finfo(dtype).max)
    values = st.floats(-largest, largest, width=width) | st.floats(-750, 750, width=width)
    return hnp.arrays(dtype, st.integers(0, 5), elements=values)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@given(data=st.data())
def test_sigmoid_is_accurate_for_all_finite_numbers(dtype: str, data: st.DataObject) -> None:
    x = leaf(data.draw(finite(dtype)))
    y = x.sigmoid()
    info = np.finfo(dtype)
    assert y.dtype == dtype
    with localcontext(prec=40, Emin=-(10**6), Emax=10**6):
        for a, b in zip(x.tolist(), y.tolist(), strict=True):
            exact = sigmoid_of(max(a, -10_000))
            # exp, +, / and the last rounding: 2 + 3 × ½ units. Below the normal numbers, absolute.
            unit = max(float(exact), float(info.tiny)) * float(info.eps)
            assert abs(Decimal(b) - exact) <= Decimal(4 * unit)
    (d,) = tg.grad(y, x, np.ones(x.shape, dtype), create_graph=True)
    np.testing.assert_array_less(value(d), 0.25 + float(info.eps))
    (dd,) = tg.grad(d, x, np.ones(x.shape, dtype))
    assert np.isfinite(value(dd)).all()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_sigmoid_at_the_ends(dtype: str) -> None:
    x = leaf([-np.inf, np.inf, np.nan, -0.0], dtype)
    np.testing.assert_array_equal(value(x.sigmoid()), [0, 1, np.nan, 0.5])
    assert tg.tensor(np.array(-100.0, dtype)).sigmoid().shape == ()


# Where the derivative does not exist, PyTorch's.


def gradients(run: Callable[..., Any], *inputs: Any) -> list[Any]:
    tensors = [leaf(np.asarray(x, np.float64)) for x in inputs]
    out = run(*tensors)
    return [d.tolist() for d in tg.grad(out, tensors, np.ones(out.shape))]


@pytest.mark.parametrize(
    ("run", "inputs", "expected"),
    [
        (lambda x: x.relu(), [[-0.0, 0.0, 1e-300, math.nan]], [[0, 0, 1, 1]]),
        (lambda x: x.abs(), [[0.0, -0.0]], [[0, 0]]),
        (lambda x: x.sign(), [[0.0, 2.0]], [[0, 0]]),
        (lambda x: x.clamp(-1, 1), [[-1, 1, 2, -2, 0]], [[1, 1, 0, 0, 1]]),
        (lambda x: x.clamp(2, 1), [[0, 1, 2, 3]], [[0, 0, 0, 0]]),
        (lambda x, y: x.maximum(y), [[1, 2, 3], [2, 2, 2]], [[0, 0.5, 1], [1, 0.5, 0]]),
        (lambda x, y: x.minimum(y), [[1, 2, 3], [2, 2, 2]], [[1, 0.5, 0], [0, 0.5, 1]]),
        (lambda x: x.amax(), [[2, 1, 2, 2]], [[1 / 3, 0, 1 / 3, 1 / 3]]),
        (lambda x: x.amin(1), [[[1, 1], [2, 3]]], [[[0.5, 0.5], [1, 0]]]),
        (lambda x: x.max(), [[2, 1, 2]], [[0.5, 0, 0.5]]),
        (lambda x: x.max(), [[2, math.nan, 3]], [[0, 1, 0]]),
        (lambda x: x.amin(0), [[[2, math.nan], [1, 3]]], [[[0, 1], [1, 0]]]),
        (lambda x: x.max(0).values, [[2, 1, 2]], [[1, 0, 0]]),
        (lambda x: x.min(0).values, [[1, 1, 2]], [[1, 0, 0]]),
        (lambda x: x**0, [[0, 2, -1]], [[0, 0, 0]]),
        (lambda x: x**1, [[0, 2, -1]], [[1, 1, 1]]),
        (lambda x: x**2, [[0, 2, -1]], [[0, 4, -2]]),
        (lambda x: x**3.0, [[0, 2, -1]], [[0, 12, 3]]),
        (lambda x, y: x**y, [[0, 0, 0, 1], [0, 1, 2, 0]], [[0, 1, 0, 0], [0, 0, 0, 0]]),
        (lambda x, y: x**y, [[-2, -2, -0.5], [2, 3, 2]], [[-4, 12, -1], [math.nan] * 3]),
        (lambda x: 0**x, [[0, 1, 2]], [[0, 0, 0]]),
        (lambda x: tg.where(x > 0, x, 0), [[0, 1, -1]], [[0, 1, 0]]),
    ],
)
def test_kinks_ties_and_zeros(run: Any, inputs: list[Any], expected: list[Any]) -> None:
    """Without a warning, as the numbers are ordinary ones."""
    for found, wanted in zip(gradients(run, *inputs), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    ("run", "x", "expected"),
    [
        (lambda x: x.log(), 0, [-np.inf, np.inf]),
        (lambda x: x.sqrt(), 0, [0, np.inf]),
        (lambda x: 1 / x, 0, [np.inf, -np.inf]),
        (lambda x: x**-1, 0, [np.inf, -np.inf]),
        (lambda x: x**0.5, -1, [np.nan, np.nan]),
        (lambda x: x.exp(), 1000, [np.inf, np.inf]),
    ],
)
def test_numbers_without_a_finite_result(run: Any, x: float, expected: list[float]) -> None:
    """NumPy's warning is the user's; the value and the gradient are what the limit gives."""
    with np.errstate(all="ignore"):
        a = leaf(float(x))
        out = run(a)
        np.testing.assert_array_equal([out.item(), tg.grad(out, a)[0].item()], expected)


@pytest.mark.parametrize("extremum", ["maximum", "minimum"])
def test_a_tie_shares_any_cotangent(extremum: str) -> None:
    x, y = leaf(2.0), leaf(2.0)
    assert [d.item() for d in tg.grad(getattr(x, extremum)(y), (x, y), np.array(6.0))] == [3, 3]


def test_a_mixed_derivative_of_pow_at_exponent_0() -> None:
    """∂²xʸ/∂x∂y = xʸ⁻¹ (1 + y log x), which is 1/x at y = 0; in either order."""
    tiny = np.finfo(np.float64).tiny  # the smallest whose inverse is finite for sure
    x, y = leaf([0.5, 2.0, 3.0, tiny]), leaf([0.0, 0.0, 0.0, 0.0])
    for first, second in ((x, y), (y, x)):
        (d,) = tg.grad((x**y).sum(), first, create_graph=True)
        np.testing.assert_allclose(
            value(tg.grad(d.sum(), second)[0]), [2, 1 / 2, 1 / 3, 1 / tiny], rtol=1e-15
        )


def test_powers_at_the_pole() -> None:
    """As in PyTorch, both derivatives of xʸ are −∞ at x = 0, y = −1."""
    x, y = leaf(0.0), leaf(-1.0)
    with np.errstate(all="ignore"):
        assert [d.item() for d in tg.grad(x**y, (x, y))] == [-np.inf, -np.inf]
        # Beside it, the slope is too large for a float64 where the power is not yet.
        x, y = leaf(1e-310), tg.tensor(np.array(-0.5))
        assert tg.grad(x**y, x)[0].item() == -np.inf


def test_quotients_do_not_overflow_on_the_way() -> None:
    x, y = leaf(1e250), leaf(1e100)
    found = [d.item() for d in tg.grad(x / y, (x, y), np.array(1e200))]
    np.testing.assert_allclose(found, [1e100, -1e250], rtol=1e-15)


LINE = np.array([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0])


@pytest.mark.parametrize(
    ("name", "more", "outside"),
    [
        ("pow", (0.5,), [-2, -1, -0.5, 0]),
        ("pow", (1.5,), [-2, -1, -0.5, 0]),
        ("pow", (-0.5,), [-2, -1, -0.5, 0]),
        ("pow", (-1,), [0]),
        ("pow", (-2.0,), [0]),
        ("pow", (0,), []),
        ("pow", (1,), []),
        ("pow", (2.0,), []),
        ("pow_tensor", (-1.0,), [-2, -1, -0.5, 0]),
        ("log", (), [-2, -1, -0.5, 0]),
        ("log1p", (), [-2, -1]),
        ("sqrt", (), [-2, -1, -0.5, 0]),
        ("relu", (), [0]),
        ("abs", (), [0]),
        ("sign", (), [0]),
        ("clamp", (-1, 0.5), [-1, 0.5]),
        ("maximum", (1.0,), [1]),
        ("minimum", (-0.5,), [-0.5]),
    ],
)
def test_domains(name: str, more: Any, outside: list[float]) -> None:
    domain = ops.TABLE[name].domain
    assert domain is not None
    assert LINE[~np.broadcast_to(domain(LINE, *more), LINE.shape)].tolist() == outside


def test_domains_of_second_inputs() -> None:
    domains = {name: op.domain for name, op in ops.TABLE.items() if op.domain}
    assert LINE[~domains["div"](1.0, LINE)].tolist() == [0]
    assert domains["pow_tensor"](0.5, LINE)
    assert len(domains) == 12


def test_what_vjps_can_ask_for() -> None:
    ops.Op("one", "", lambda x: x, lambda g, shape, dtype, x, out: g)
    with pytest.raises(ValueError, match="tuple"):
        ops.Op("two", "", lambda x, y: x, lambda g: g, lambda g, shape: g)
    assert not ops.Op("one", "", lambda x: x).broadcasts


def test_rows_that_broadcast() -> None:
    assert {name for name, op in ops.TABLE.items() if op.broadcasts} == {
        "add", "sub", "mul", "div", "pow_tensor", "matmul", "maximum", "minimum", "where", "expand",
    }  # fmt: skip


# Axes and indices, in all their forms.


@pytest.mark.parametrize("name", ["sum", "mean", "amax", "amin"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 1, 3)])
def test_axes(name: str, shape: tuple[int, ...]) -> None:
    array = weights(shape)
    x = leaf(array)
    n = len(shape)
    every = [axes for k in range(n + 1) for axes in permutations(range(-n, n), k)]
    for axes in [None, *range(-n, n), *every, *map(list, every)]:
        places = axes if isinstance(axes, (tuple, list)) else [axes]
        if None not in places and len({a % n for a in places}) < len(places):
            continue  # refused, as test_bad_input has it
        # No axes are all of them, as in PyTorch.
        wanted = (tuple(axes) or None) if isinstance(axes, (tuple, list)) else axes
        for keep in (False, True):
            expected = getattr(np, name)(array, axis=wanted, keepdims=keep)
            for axis, keepdims in product(("axis", "dim"), ("keepdims", "keepdim")):
                out = getattr(x, name)(**{axis: axes, keepdims: keep})
                np.testing.assert_allclose(value(out), expected, rtol=1e-15, atol=1e-16)
                assert out.shape == expected.shape
            (d,) = tg.grad(out.sum(), x)
            # Euler: all four scale with x.
            total = (value(d) * array).sum()
            np.testing.assert_allclose(total, expected.sum(), rtol=1e-14, atol=1e-15)


@given(data=st.data(), shape=hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
def test_any_index_that_numpy_takes(data: st.DataObject, shape: tuple[int, ...]) -> None:
    array = data.draw(arrays(shape))
    index = data.draw(
        hnp.basic_indices(shape, allow_newaxis=True)
        | hnp.arrays(bool, shape)
        | (hnp.integer_array_indices(shape) if shape and 0 not in shape else st.just(...))
    )
    x = leaf(array)
    y = x[index]
    np.testing.assert_array_equal(value(y), array[index])
    g = weights(y.shape)
    expected = np.zeros(shape)
    np.add.at(expected, index, g)
    np.testing.assert_allclose(value(tg.grad(y, x, g)[0]), expected, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize(
    "index",
    [
        [0, 0, 1],
        ([0, 0], [1, 1]),
        (0, [True, False, True]),
        ([0, 1], slice(None, None, -1)),
        (tg.tensor([1, 1]), None, tg.tensor(0)),
        (..., tg.tensor(-1)),
        tg.tensor([[True, False, True], [False, False, True]]),
        (np.int64(1), slice(tg.tensor(1), np.array(3))),
        (True, 1),
        False,
        [],
        (),
    ],
    ids=str,
)
def test_indices_in_other_forms(index: Any) -> None:
    array = weights((2, 3))
    entries = index if isinstance(index, tuple) else (index,)
    plain = tuple(value(e) if isinstance(e, tg.Tensor) else e for e in entries)
    plain = tuple(
        np.array(e, int if e == [] else None) if isinstance(e, list) else e for e in plain
    )
    x = leaf(array)
    y = x[index]
    np.testing.assert_array_equal(value(y), array[plain])
    expected = np.zeros((2, 3))
    np.add.at(expected, plain, weights(y.shape))
    np.testing.assert_allclose(value(tg.grad(y, x, weights(y.shape))[0]), expected, rtol=1e-15)


@pytest.mark.parametrize("x", [(), (3,), (2, 3), (2, 1, 3, 3)])
@pytest.mark.parametrize("y", [(), (3,), (3, 2), (4, 3, 1)])
def test_matmul_of_vectors_matrices_and_batches(x: Any, y: Any) -> None:
    """With an operand on the right or the left, Tensor or array, as NumPy has it."""
    p, q = weights(x), weights(y, 9)
    if not x or not y:
        with pytest.raises(ValueError, match="0-d Tensor has no matrix product"):
            leaf(p) @ leaf(q)
        return
    expected = p @ q
    for product_of in (leaf(p) @ leaf(q), p @ leaf(q), leaf(p) @ q, leaf(p).matmul(leaf(q))):
        np.testing.assert_allclose(value(product_of), expected, rtol=1e-14, atol=1e-15)
        assert product_of.shape == expected.shape
        assert product_of.requires_grad
