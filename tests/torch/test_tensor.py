"""Tensors: made from data, of one dtype or another, in one shape or another, and out again."""

import copy
import operator
import pickle
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from support import arrays, leaf, value

import tinygrad_mlp as tg

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]
FLOATS = ["float16", "float32", "float64"]

# Made.


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        (1, "int64"),
        (1.0, "float32"),
        (True, "bool"),
        ([1, 2.5], "float32"),
        ([[1, 2], [3, 4]], "int64"),
        ((1.0, 2.0), "float32"),
        ([], "float32"),
        ([[], []], "float32"),
        (np.float64(1), "float64"),
        (np.float16(1), "float16"),
        (np.int8(1), "int8"),
        ([np.float64(1), np.float64(2)], "float64"),
        (np.ones(2), "float64"),
        (np.ones(2, ">f4"), "float32"),
        ([np.ones(2), np.ones(2)], "float64"),
        (range(3), "int64"),
        ([tg.tensor(1.0), tg.tensor(2.0)], "float32"),
        ([tg.tensor(np.float64(1))], "float64"),
        *((np.ones((2, 0), dtype), dtype) for dtype in DTYPES),
    ],
)
def test_tensor(data: Any, dtype: str) -> None:
    for made in (tg.tensor(data), tg.Tensor(data)):
        expected = np.array(data)
        assert (made.dtype, made.shape) == (np.dtype(dtype), expected.shape)
        np.testing.assert_array_equal(made.numpy(), expected)
        assert made.dtype.isnative
        assert not made.requires_grad
    for other in ("float64", np.float16, tg.int32, float):
        assert tg.tensor(data, dtype=other).dtype == np.dtype(other)


def test_tensor_copies() -> None:
    array = np.ones((2, 3))[:, ::-1]
    made = [tg.tensor(array), tg.Tensor(array), tg.from_numpy(array), tg.tensor(array, "float64")]
    array[:] = 5
    assert [x.tolist() for x in made] == [[[1] * 3] * 2] * 4
    x = leaf([1.0, 2.0])
    y = tg.tensor(x)
    assert (y.tolist(), y.requires_grad, y.dtype) == ([1, 2], False, np.float64)


def test_filled() -> None:
    assert tg.zeros(2, 3).tolist() == tg.zeros((2, 3)).tolist() == [[0] * 3] * 2
    assert tg.ones([2]).tolist() == [1, 1]
    assert tg.zeros().shape == tg.zeros(()).shape == ()
    assert tg.ones(0, 2).shape == (0, 2)
    assert tg.full((2,), 7).tolist() == tg.full(2, 7).tolist() == [7, 7]
    dtypes = [tg.full((1,), v).dtype for v in (7, 7.0, True)]
    assert dtypes == [np.int64, np.float32, np.bool]
    assert tg.zeros(1, dtype="float64").dtype == np.float64
    assert tg.ones(1, requires_grad=True).requires_grad
    for x in (tg.tensor([1, 2]), tg.tensor([[1.0]]), tg.tensor(np.ones(2, "f2"))):
        zeros, ones = tg.zeros_like(x), tg.ones_like(x)
        assert zeros.dtype == ones.dtype == x.dtype
        assert zeros.shape == ones.shape == x.shape
        assert not zeros.any()
        assert ones.all()
    assert tg.zeros_like(tg.tensor([1]), dtype="float64").dtype == np.float64


def test_counted() -> None:
    assert tg.arange(4).tolist() == [0, 1, 2, 3]
    assert (tg.arange(1, 3).dtype, tg.arange(0.0, 1.0, 0.5).dtype) == (np.int64, np.float32)
    assert tg.arange(0.0, 1.0, 0.5).tolist() == [0, 0.5]
    assert tg.arange(5, 0, -2).tolist() == [5, 3, 1]
    assert tg.linspace(0, 1, 5).tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert (tg.linspace(0, 1, 5).dtype, tg.linspace(0, 1, 0).shape) == (np.float32, (0,))
    assert tg.eye(2, 3).tolist() == [[1, 0, 0], [0, 1, 0]]
    assert (tg.eye(2).dtype, tg.eye(2, dtype="float64").dtype) == (np.float32, np.float64)


# Dtypes.


def kind(dtype: Any) -> int:
    return {"b": 0, "i": 1, "u": 1, "f": 2}[np.dtype(dtype).kind]


def promoted(a: Any, a_ndim: int, b: Any, b_ndim: int) -> Any:
    """PyTorch's rule: bool < int < float; within a kind a 0-d operand does not count."""
    a, b = np.dtype(a), np.dtype(b)
    if bool(a_ndim) != bool(b_ndim):
        weak, strong = (a, b) if a_ndim == 0 else (b, a)
        if kind(weak) <= kind(strong):
            return strong
    if kind(a) != kind(b):
        return max(a, b, key=kind)
    return np.promote_types(a, b)


@pytest.mark.parametrize("a", DTYPES)
@pytest.mark.parametrize("b", DTYPES)
def test_promotion(a: str, b: str) -> None:
    for shapes in product([(), (2,)], repeat=2):
        x, y = (tg.tensor(np.ones(s, d)) for s, d in zip(shapes, (a, b), strict=True))
        expected = promoted(a, x.ndim, b, y.ndim)
        results = [x + y, x * y, tg.where(tg.tensor(True), x, y), x.maximum(y), tg.minimum(x, y)]
        if x.ndim and y.ndim:
            results.append(x @ y)
        if x.shape == y.shape:
            results.append(tg.stack([x, y]))
        assert {r.dtype for r in results} == {np.dtype(expected)}
        assert (x / y).dtype == (expected if kind(expected) == 2 else np.float32)
        assert (x == y).dtype == np.bool
        assert (x == y).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("number", [True, 2, 2.5, np.float64(2.5), np.float32(2.5), np.int8(2)])
@pytest.mark.parametrize("shape", [(), (2,)])
def test_numbers_do_not_change_the_dtype(dtype: str, number: Any, shape: tuple[int, ...]) -> None:
    """Unless they are of a higher kind: then it is the default of that kind."""
    x = tg.tensor(np.ones(shape, dtype))
    default = {0: "bool", 1: "int64", 2: "float32"}[kind(type(number))]
    expected = dtype if kind(type(number)) <= kind(dtype) else default
    results = [
        x + number,
        number + x,
        x * number,
        x.maximum(number),
        tg.where(tg.ones_like(x) > 0, x, number),
    ]
    if dtype != "bool":
        results += [x.clamp(max=number)]
    if dtype != "bool" and not isinstance(number, bool):
        results += [x - number, number - x, tg.maximum(x, number), tg.sub(number, x), x**number]
    assert [r.dtype for r in results] == [np.dtype(expected)] * len(results)
    np.testing.assert_array_equal(
        (x + number).numpy(), value(x).astype(expected) + np.dtype(expected).type(number)
    )
    assert (x / number).dtype == (expected if kind(expected) == 2 else np.float32)


def test_numbers_keep_their_digits() -> None:
    x = tg.tensor(np.ones(1))
    for y in (
        x * 0.1,
        0.1 * x,
        tg.mul(0.1, x),
        tg.mul(x, 0.1),
        tg.maximum(0.1, x * 0),
        x.clamp(max=0.1),
    ):
        assert y.item() == 0.1


@pytest.mark.parametrize("dtype", DTYPES)
def test_functions_of_whole_numbers_are_float32(dtype: str) -> None:
    x = tg.tensor(np.ones(2, dtype))
    expected = dtype if dtype in FLOATS else "float32"
    for name in ("exp", "log", "sqrt", "sin", "cos", "tanh", "sigmoid"):
        y = getattr(x, name)()
        assert y.dtype == expected
        np.testing.assert_allclose(y.numpy(), getattr(x.double(), name)().numpy(), rtol=1e-3)


def test_reductions_of_whole_numbers() -> None:
    x = tg.tensor([[1, 2], [3, 4]], dtype="int8")
    assert (x.sum().dtype, x.sum().item()) == (np.int64, 10)
    assert (x.sum(dtype="float64").dtype, (x > 1).sum().tolist()) == (np.float64, 3)
    assert (x.amax().dtype, x.max(0).values.tolist()) == (np.int8, [3, 4])
    assert x.to("uint8").sum().dtype == x.bool().sum(1).dtype == np.int64
    with pytest.raises(
        TypeError, match=r"mean: a float dtype is needed, not int8; use \.float\(\)"
    ):
        x.mean()


def test_conversions() -> None:
    x = tg.tensor([0.0, 1.5, -1.5])
    assert x.to("float32") is x
    # The dtype of an unpickled array is equal to NumPy's own, but another object.
    y = tg.tensor(pickle.loads(pickle.dumps(np.ones(2))))
    assert y.to("float64") is y
    assert (x.long().tolist(), x.bool().tolist()) == ([0, 1, -1], [False, True, True])
    dtypes = [t.dtype for t in (x.double(), x.float(), x.long(), x.bool(), x.astype("int8"))]
    assert dtypes == [np.dtype(d) for d in ("f8", "f4", "i8", "?", "i1")]


# Between Tensors, arrays and Python.


BINARY = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]


@pytest.mark.parametrize("op", BINARY)
@pytest.mark.parametrize("other", [np.array([1.0, 2.0]), np.float64(3), 3, 2.5, np.array(2.0)])
def test_arithmetic_with_arrays_and_numbers(op: Any, other: Any) -> None:
    x = leaf([3.0, 4.0])
    for left, right in ((x, other), (other, x)):
        y = op(left, right)
        plain = op(*(value(t) if isinstance(t, tg.Tensor) else t for t in (left, right)))
        assert isinstance(y, tg.Tensor)
        assert y.requires_grad
        np.testing.assert_allclose(value(y), plain, rtol=1e-15)
    assert (np.ones((2, 2)) @ x).requires_grad


def test_augmented_assignment_to_an_array() -> None:
    """NumPy cannot do it in place, and says so; nothing is lost unnoticed."""
    array, x = np.ones(2), leaf([1.0, 2.0])
    with pytest.raises(TypeError):
        array += x
    assert array.tolist() == [1, 1]


def test_numpy_functions_do_not_drop_the_gradient() -> None:
    x = leaf([1.0, 2.0])
    with pytest.raises(TypeError):
        np.add(np.ones(2), x)
    with pytest.raises(
        RuntimeError, match=r"numpy: a NumPy array cannot carry.*\.detach\(\)\.numpy"
    ):
        np.asarray(x)
    with pytest.raises(RuntimeError, match=r"\.detach\(\)"):
        x.numpy()


def test_arrays_of_tensors() -> None:
    x = tg.tensor([[1.0, 2.0]])
    assert np.asarray(x).dtype == np.float32
    assert np.shares_memory(np.asarray(x), x.numpy())
    assert np.asarray(x, np.float64).dtype == np.float64
    assert np.array(x).flags.writeable
    assert not np.shares_memory(np.array(x), x.numpy())
    with pytest.raises(ValueError, match="copy"):
        np.asarray(x, np.float64, copy=False)
    assert np.concatenate([x, x]).shape == (2, 2)


def test_numbers_of_tensors() -> None:
    for x in (tg.tensor(2.5), tg.tensor([2.5]), leaf([[2.5]])):
        assert (float(x), int(x), bool(x), x.item()) == (2.5, 2, True, 2.5)
    assert type(tg.tensor(2.5).item()) is float
    assert type(tg.tensor(2).item()) is int
    assert [range(5)[tg.tensor(2)], *range(tg.tensor([2]))] == [2, 0, 1]
    assert f"{tg.tensor(2.5):.3f}" == "2.500"
    assert f"{tg.tensor([2.5, 1.0])}" == "tensor([2.5000, 1.0000])"
    assert (bool(tg.tensor(0.0)), bool(tg.tensor([[False]]))) == (False, False)
    assert leaf([1.0, 2.0]).tolist() == [1, 2]


def test_len_and_iteration() -> None:
    x = leaf([[1.0, 2.0], [3.0, 4.0]])
    assert len(x) == 2
    rows = list(x)
    assert [row.tolist() for row in rows] == [[1, 2], [3, 4]]
    assert tg.grad(rows[1].sum(), x)[0].tolist() == [[0, 0], [1, 1]]
    a, b = x.sum(0)
    assert (a.item(), b.item()) == (4, 6)
    assert list(tg.ones(0, 2)) == []
    for f in (len, iter):
        with pytest.raises(TypeError, match="0-d Tensor"):
            f(tg.tensor(1.0))
    assert (1 in x, 5 in x, None in x, "1" in x) == (True, False, False, False)


COMPARISONS = [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge]


@pytest.mark.parametrize("op", COMPARISONS)
def test_comparisons(op: Any) -> None:
    a, b = np.array([1.0, 2.0, np.nan]), np.array([2.0, 2.0, 2.0])
    x, y = leaf(a), tg.tensor(b)
    for left, right in ((x, y), (x, b), (a, y), (x, 2), (2, x), (x, np.float64(2)), (x, y[:1])):
        found = op(left, right)
        assert isinstance(found, tg.Tensor)
        plain = op(*(value(t) if isinstance(t, tg.Tensor) else t for t in (left, right)))
        assert (found.dtype, found.requires_grad) == (np.bool, False)
        assert found.tolist() == plain.tolist()
    assert getattr(x, op.__name__)(y).tolist() == op(a, b).tolist()


def test_comparisons_in_the_tensors_own_dtype() -> None:
    """0.1 is not a float32, but the float32 made of 0.1 is what is meant."""
    x = tg.tensor([0.1])
    for tenth in (0.1, np.float64(0.1), tg.tensor(0.1), tg.tensor(np.float64(0.1))):
        assert (x == tenth).all()
    assert not (x == tg.tensor(np.array([0.1]))).any()
    small = tg.tensor([0, 255], dtype="uint8")
    assert [(small > -1).tolist(), (small < 256).tolist()] == [[True] * 2] * 2
    assert (small == 0.5).tolist() == [False, False]
    assert [(t < 10**30).tolist() for t in (small, small.bool())] == [[True] * 2] * 2


def test_comparisons_with_other_things() -> None:
    x = tg.tensor([1.0])
    for other in (None, "1", [1.0], object()):
        assert (x == other) is False
        assert (x != other) is True
        with pytest.raises(TypeError, match="not supported between"):
            x < other  # noqa: B015


def test_logic() -> None:
    x, y = tg.tensor([True, True, False]), tg.tensor([True, False, False])
    assert (x & y).tolist() == [True, False, False]
    assert (x | y).tolist() == [True, True, False]
    assert (x ^ y).tolist() == [False, True, False]
    assert (~x).tolist() == [False, False, True]
    assert (x & True).tolist() == x.tolist()
    assert (tg.tensor([5]) & 4).tolist() == [4]
    assert (x.any().item(), x.all().item(), tg.ones(0).all().item()) == (True, False, True)
    assert x.any().dtype == np.bool


def test_tensors_are_hashable_by_identity() -> None:
    x, y = tg.tensor([1.0]), tg.tensor([1.0])
    assert len({x, y, x}) == 2


@pytest.mark.parametrize(
    "again", [copy.deepcopy, copy.copy, lambda x: pickle.loads(pickle.dumps(x))]
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_copies(again: Any, dtype: str) -> None:
    x = tg.tensor(np.array([[1, 0]], dtype), name="x")
    if dtype in FLOATS:
        x.requires_grad_()
    y = again(x)
    assert y is not x
    assert (y.dtype, y.shape, y.tolist(), y.name) == (x.dtype, x.shape, x.tolist(), "x")
    assert (y.requires_grad, y.is_leaf) == (x.requires_grad, True)
    if y.requires_grad:
        (y * y).sum().backward()
        assert x.grad is None


def test_deep_copies_of_models() -> None:
    x = leaf([1.0, 2.0])
    x.grad = tg.tensor(np.array([3.0, 4.0]))
    both = copy.deepcopy({"a": x, "b": x})
    assert both["a"] is both["b"]
    assert both["a"].grad.tolist() == [3, 4]
    both["a"].grad += 1
    assert x.grad.tolist() == [3, 4]
    for again in (copy.deepcopy, pickle.dumps, copy.copy):
        with pytest.raises(RuntimeError, match=r"only leaves can be .*use \.detach\(\)"):
            again(x * 2)


# Shapes.


@given(data=st.data(), shape=hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3))
def test_shapes(data: st.DataObject, shape: tuple[int, ...]) -> None:
    array = np.arange(float(np.prod(shape))).reshape(shape)
    x = leaf(array)
    n = len(shape)
    assert (x.shape, x.size(), x.ndim, x.dim(), x.numel()) == (shape, shape, n, n, array.size)
    assert [x.size(a) for a in range(-n, n)] == [*shape, *shape]
    order = data.draw(st.permutations(range(n)))
    signed = [a - n * data.draw(st.booleans()) for a in order]
    a, b = (
        data.draw(st.integers(-n, n - 1)) if n else -1,
        data.draw(st.integers(0, n - 1)) if n else 0,
    )
    start, end = sorted((a % n, b)) if n else (0, 0)
    flat = (*shape[:start], int(np.prod(shape[start : end + 1])), *shape[end + 1 :])
    cases: list[tuple[tg.Tensor, Any]] = [
        (x.permute(*signed), array.transpose(order)),
        (x.permute(signed), array.transpose(order)),
        (x.T, array.T),
        (x.transpose(a, b), array.swapaxes(a, b) if n else array),
        (x.flatten(), array.reshape(-1)),
        (x.flatten(start, end), array.reshape(flat)),
        (x.squeeze(), array.squeeze()),
        (x.squeeze(a), array.squeeze(a) if n and shape[a] == 1 else array),
        (x.squeeze(axis=(a,)), array.squeeze(a) if n and shape[a] == 1 else array),
        (x.unsqueeze(b), np.expand_dims(array, b)),
        (x.unsqueeze(-1), array[..., None]),
        (x.unsqueeze(axis=0), array[None]),
        (x.reshape(array.size), array.reshape(-1)),
        (x.view(1, *shape), array[None]),
        (x.reshape((*shape, 1)), array[..., None]),
        (x.reshape([*shape]), array),
        (x.expand(2, *shape), np.broadcast_to(array, (2, *shape))),
        (x.expand(2, *[-1] * n), np.broadcast_to(array, (2, *shape))),
        (x.unsqueeze(0).broadcast_to((0, *shape)), np.broadcast_to(array, (0, *shape))),
        (x[None, ..., None], array[None, ..., None]),
        (x.clone(), array),
    ]  # fmt: skip
    if n == 2:
        cases += [(x.t(), array.T)]
    if n >= 2:
        cases += [(x.mT, array.swapaxes(-1, -2))]
    else:
        cases += [(x.t(), array)]
    if array.size:
        cases += [(x.reshape(-1), array.reshape(-1)), (x.view(-1, 1), array.reshape(-1, 1))]
    for k, (found, expected) in enumerate(cases):
        assert found.shape == expected.shape, k
        np.testing.assert_array_equal(value(found), expected)
        # Each entry went somewhere; what it gets back is how often.
        (d,) = tg.grad(found, x, np.ones(found.shape))
        times = found.numel() // x.numel() if x.numel() else 1
        assert (value(d) == times).all()


@pytest.mark.parametrize("name", ["max", "min"])
@given(data=st.data(), shape=hnp.array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=3))
def test_max_and_min(name: str, data: st.DataObject, shape: tuple[int, ...]) -> None:
    array = data.draw(arrays(shape, st.sampled_from([0.0, 1.0, 2.0, np.inf, -np.inf])))
    x = tg.tensor(array)
    of_all = getattr(x, name)()
    assert (of_all.shape, of_all.item()) == ((), getattr(array, name)())
    index = getattr(x, f"arg{name}")()
    assert (index.dtype, index.item()) == (np.int64, getattr(array, f"arg{name}")())
    for axis in range(-len(shape), len(shape)):
        for keep in (False, True):
            values, indices = getattr(x, name)(axis, keepdims=keep)
            np.testing.assert_array_equal(value(values), getattr(array, name)(axis, keepdims=keep))
            expected = getattr(array, f"arg{name}")(axis, keepdims=keep)
            np.testing.assert_array_equal(value(indices), expected)
            for found in (
                getattr(x, f"arg{name}")(axis, keep),
                getattr(x, f"arg{name}")(dim=axis, keepdim=keep),
                getattr(tg, name)(x, dim=axis, keepdim=keep).indices,
            ):
                np.testing.assert_array_equal(value(found), expected)
                assert found.dtype == np.int64


def test_other_forms_of_max_and_min() -> None:
    x = leaf([[1.0, 5.0], [3.0, 2.0]])
    assert (
        tg.max(x, tg.tensor(2.5)).tolist() == x.max(tg.tensor(2.5)).tolist() == [[2.5, 5], [3, 2.5]]
    )
    assert tg.min(x, tg.tensor(2.5)).tolist() == [[1, 2.5], [2.5, 2]]
    assert (x.max((0, 1)).item(), x.max(()).item(), x.min([0]).tolist()) == (5, 5, [1, 2])
    zero = leaf(4.0)
    for axis in (0, -1):
        values, indices = zero.max(axis)
        assert (values.item(), values.shape, indices.item(), indices.shape) == (4, (), 0, ())
        assert tg.grad(values, zero)[0].item() == 1
    values, indices = tg.tensor([1.0, np.nan, 3.0]).max(0)
    assert (np.isnan(values.item()), indices.item()) == (True, 1)
    values, indices = tg.ones(0, 3).max(1)
    assert values.shape == indices.shape == (0,)


def test_cat_and_stack() -> None:
    x, y = leaf([[1.0, 2.0]]), leaf([[3.0, 4.0], [5.0, 6.0]])
    assert tg.cat([x, y]).tolist() == tg.cat((x, y), axis=-2).tolist() == [[1, 2], [3, 4], [5, 6]]
    assert tg.stack([x, x], dim=-1).tolist() == [[[1, 1], [2, 2]]]
    assert tg.stack([x], axis=0).shape == (1, 1, 2)
    (d,) = tg.grad(tg.cat([x, y, x]), x, np.array([[1.0, 2], [0, 0], [0, 0], [10, 20]]))
    assert d.tolist() == [[11, 22]]
    mixed = tg.cat([tg.tensor([1]), tg.tensor([2.5]), tg.tensor(np.array([3.5]))])
    assert (mixed.dtype, mixed.tolist()) == (np.float64, [1, 2.5, 3.5])


def test_clamp() -> None:
    x = tg.tensor([-2.0, 0.5, 3.0])
    assert x.clamp(-1, 1).tolist() == x.clip(min=-1, max=1).tolist() == [-1, 0.5, 1]
    assert x.clamp(min=0).tolist() == tg.clamp(x, 0).tolist() == [0, 0.5, 3]
    assert x.clamp(max=np.float64(1)).dtype == np.float32
    assert np.isnan(tg.tensor(np.nan).clamp(0, 1).item())
    whole = tg.tensor([1, 5, 9], dtype="int8")
    assert (whole.clamp(2, 6).tolist(), whole.clamp(2, 6).dtype) == ([2, 5, 6], np.int8)
    assert (whole.clamp(min=2).tolist(), whole.clamp(max=5).tolist()) == ([2, 5, 9], [1, 5, 5])
    assert (whole.clamp(2.5).tolist(), whole.clamp(2.5).dtype) == ([2.5, 5, 9], np.float32)
    assert ((whole > 1).clamp(max=0).tolist(), (whole > 1).clamp(max=0).dtype) == (
        [0] * 3,
        np.int64,
    )


def test_where() -> None:
    x = leaf([1.0, 2.0])
    for condition in ([True, False], np.array([True, False]), tg.tensor([True, False])):
        y = tg.where(condition, x, 0)
        assert (y.tolist(), y.dtype) == ([1, 0], np.float64)
        assert x.where(condition, -x).tolist() == [1, -2]
    assert tg.where(x > 1, 1.5, 2).tolist() == [2, 1.5]
    assert (tg.where(x > 1, 1, 2).dtype, tg.where(x > 1, 1, 2.0).dtype) == (np.int64, np.float32)
    assert tg.where(True, x, np.zeros((2, 1))).shape == (2, 2)
    nan = tg.tensor([np.nan, 1.0])
    assert tg.where(nan == nan, nan, 0).tolist() == [0, 1]


def test_functions_of_arrays_are_arrays() -> None:
    array = np.array([[1.0, 4.0]])
    for name in ("exp", "sqrt", "sum", "t", "abs", "sigmoid"):
        found = getattr(tg, name)(array)
        assert isinstance(found, np.ndarray)
        np.testing.assert_array_equal(found, getattr(tg.tensor(array), name)().numpy())
    assert isinstance(tg.exp(np.float32(1)), np.ndarray)
    assert tg.matmul(array, tg.tensor(array.T)).item() == 17
    assert tg.add(array, leaf(1.0)).requires_grad


def test_everything_is_exported() -> None:
    names: dict[str, Any] = {}
    exec("from tinygrad_mlp import *", names)
    assert names["tensor"] is tg.tensor
    assert set(tg.__all__) <= names.keys()


def test_ints_of_an_index_come_before_its_arrays() -> None:
    x = tg.tensor(np.arange(24.0).reshape(2, 3, 4), requires_grad=True)
    y = x * 1
    assert y[1, :, [0, 3]].tolist() == [[12, 15], [16, 19], [20, 23]]
    y[0, :, [0, 3]] = tg.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    assert y[0].tolist() == [[1, 1, 2, 2], [3, 5, 6, 4], [5, 9, 10, 6]]
    y[1, :, [0, 3]].sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[[0] * 4] * 3, [[1, 0, 0, 1]] * 3]
    with pytest.raises(IndexError, match="getitem: index 4 is out of bounds"):
        y[1, :, [0, 4]]
    with pytest.raises(IndexError, match="getitem: index 2 is out of bounds"):
        y[2, :, [0, 1]] = 0


def test_sums_and_differences_with_a_factor() -> None:
    x, y = tg.tensor([1.0, 2.0]), tg.tensor([3.0, 4.0])
    for alpha in (0.5, 1, -2, 0, 3):
        for way, sign in (("add", 1), ("sub", -1)):
            found = getattr(x, way)(y, alpha=alpha)
            assert found.tolist() == [1 + sign * alpha * 3, 2 + sign * alpha * 4]
            assert getattr(x, way)(3, alpha=alpha).tolist() == [
                1 + sign * alpha * 3,
                2 + sign * alpha * 3,
            ]
    assert x.add(y).tolist() == [4, 6]
    assert x.sub(y).tolist() == [-2, -2]


def test_square() -> None:
    assert tg.tensor([-3.0, 0.5]).square().tolist() == [9, 0.25]


def test_whole_numbers_and_bools_are_indices_of_lists() -> None:
    for i in (True, 1, np.uint8(1)):
        assert [10, 20][tg.tensor(i)] == 20
    with pytest.raises(TypeError, match="an index is an integer"):
        [10, 20][tg.tensor(1.0)]


@pytest.mark.parametrize("way", ["softmax", "log_softmax"])
@pytest.mark.parametrize("shape", [(2, 0), (0, 2)])
@pytest.mark.parametrize("axis", [0, 1])
def test_softmax_of_nothing(way: str, shape: tuple[int, ...], axis: int) -> None:
    assert getattr(tg.zeros(*shape), way)(axis).shape == shape


@pytest.mark.parametrize("way", ["softmax", "log_softmax"])
def test_softmax_in_another_dtype(way: str) -> None:
    assert getattr(tg.zeros(2), way)(0).dtype == np.float32
    assert getattr(tg.zeros(2, dtype="int64"), way)(0, dtype="float64").dtype == np.float64


def test_arrays_of_another_dtype() -> None:
    x = tg.tensor([1.5, 2.5])
    assert x.__array__("float64").dtype == np.float64
    assert np.asarray(x, "int64").tolist() == [1, 2]


@pytest.mark.parametrize(("shape", "index"), [((), ()), ((), ...), ((2,), 1), ((2, 2), (1, 0))])
def test_a_single_entry_is_a_view(shape: Any, index: Any) -> None:
    x = tg.zeros(*shape)
    x[index].add_(5.0)
    assert x.sum().item() == x[index].item() == 5


def test_flatten_keeps_the_axes_around() -> None:
    x = tg.zeros(2, 3, 4, 5)
    for start, end in ((0, 1), (1, 2), (2, 3), (0, 2), (-3, -1), (0, -1), (1, 1)):
        a, b = start % 4, end % 4
        size = int(np.prod(x.shape[a : b + 1]))
        assert x.flatten(start, end).shape == (*x.shape[:a], size, *x.shape[b + 1 :])
    assert x.flatten(1, 1) is x


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_means_keep_the_axes_on_request(dtype: str) -> None:
    x = tg.zeros(2, 3, dtype=dtype)
    assert x.mean(1, keepdims=True).shape == x.mean(1, keepdim=True).shape == (2, 1)
    assert x.mean(1).shape == (2,)


def test_data_of_another_shape_or_dtype_is_refused() -> None:
    x = leaf([1.0, 2.0])
    for other in (tg.zeros(3, dtype="float64"), tg.zeros(2, dtype="float32")):
        with pytest.raises(ValueError, match="data"):
            x.data = other
    x.data = tg.tensor(np.array([3.0, 4.0]))
    assert x.tolist() == [3, 4]


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64"])
@pytest.mark.parametrize("way", ["softmax", "log_softmax"])
def test_softmax_needs_floats(way: str, dtype: str) -> None:
    with pytest.raises(TypeError, match=f"{way}: a float dtype is needed"):
        getattr(tg.zeros(2, dtype=dtype), way)(0)


@pytest.mark.parametrize(
    ("x", "y", "name"),
    [
        ((2, 3), (3, 4), "MmBackward0"),
        ((2, 3), (5, 3, 4), "CloneBackward0"),
        ((5, 2, 3), (3, 4), "UnsafeViewBackward0"),
        ((5, 2, 3), (5, 3, 4), "UnsafeViewBackward0"),
        ((3,), (3,), "DotBackward0"),
        ((2, 3), (3,), "MvBackward0"),
        ((3,), (3, 4), "SqueezeBackward4"),
    ],
)
def test_products_are_named_as_in_pytorch(x: Any, y: Any, name: str) -> None:
    for product_of in (leaf(np.ones(x)) @ leaf(np.ones(y)), np.ones(x) @ leaf(np.ones(y))):
        assert product_of.grad_fn.name() == name


# What an op was made by, and what its options are called.


@pytest.mark.parametrize(("way", "expected"), [("softmax", 1), ("log_softmax", 0)])
def test_softmax_of_a_single_number(way: str, expected: float) -> None:
    assert getattr(tg.tensor(1000.0), way)(0).item() == expected


def test_softmax_sums_to_one() -> None:
    np.testing.assert_allclose(tg.tensor([0.0, np.log(3.0)]).softmax(0).numpy(), [0.25, 0.75], 1e-6)


def test_alpha_is_a_factor_of_the_other() -> None:
    x, y = tg.tensor([1.0, 2.0]), tg.tensor([10.0, 20.0])
    assert x.add(other=y, alpha=2).tolist() == [21, 42]
    assert x.sub(other=y, alpha=2).tolist() == [-19, -38]
    assert x.sub(y).tolist() == [-9, -18]


def test_a_whole_number_to_the_power_0_is_1() -> None:
    assert (tg.tensor([0, 2, -3]) ** 0).tolist() == [1, 1, 1]


def test_powers_of_bools_are_whole_numbers() -> None:
    for p, expected in ((0, [1, 1]), (1, [0, 1]), (2, [0, 1])):
        y = tg.tensor([False, True]) ** p
        assert (y.tolist(), y.dtype) == (expected, np.int64)


def test_where_the_largest_and_smallest_are() -> None:
    x = tg.tensor([[1.0, 5.0], [7.0, 2.0]])
    assert x.argmax(axis=0, keepdims=True).tolist() == [[1, 0]]
    assert x.argmin(dim=1, keepdim=True).tolist() == [[0], [1]]


@pytest.mark.parametrize("name", ["sum", "mean", "amax", "amin", "any", "all", "argmax", "argmin"])
def test_axes_may_be_named(name: str) -> None:
    x = tg.tensor([[1.0, 5.0, 0.0], [7.0, 2.0, 4.0]])
    expected = getattr(np, name)(x.numpy(), axis=1, keepdims=True).tolist()
    for names in (("axis", "keepdims"), ("dim", "keepdim")):
        assert getattr(x, name)(**dict(zip(names, (1, True), strict=True))).tolist() == expected


def test_axes_of_size_1_may_be_named() -> None:
    x = tg.zeros(2, 1)
    for name in ("axis", "dim"):
        assert (x.squeeze(**{name: 1}).shape, x.unsqueeze(**{name: 0}).shape) == ((2,), (1, 2, 1))


def test_products_of_long_axes() -> None:
    """Python has one object for a small number, but not for one above 256."""
    x, y = np.arange(300.0), np.arange(600.0).reshape(300, 2)
    assert (tg.tensor(x) @ tg.tensor(y)).tolist() == (x @ y).tolist()


@pytest.mark.parametrize("number", [-128.0, -2.7, 0.0, 2.7, 127.0, np.float64(2.7)])
def test_whole_numbers_take_floats_that_fit(number: float) -> None:
    x, y = tg.zeros(2, dtype="int8"), tg.zeros(2, dtype="int8")
    x[0] = number
    assert (x.tolist(), y.fill_(number).tolist()) == ([int(number), 0], [int(number)] * 2)


@pytest.mark.parametrize("number", [-129.0, 128.0, -1e30])
def test_whole_numbers_refuse_floats_that_do_not_fit(number: float) -> None:
    x = tg.zeros(2, dtype="int8")
    with pytest.raises(ValueError, match=r"setitem: .* does not fit int8"):
        x[0] = number


def test_floats_take_any_number() -> None:
    x = tg.zeros(2)
    x[0] = 0.5
    x[1] = True
    assert (x.tolist(), x.fill_(2.5).tolist(), x.fill_(3).tolist()) == (
        [0.5, 1],
        [2.5] * 2,
        [3] * 2,
    )


def test_what_is_printed_says_where_it_stands() -> None:
    x = tg.tensor([1.0], requires_grad=True)
    assert repr(x) == "tensor([1.], requires_grad=True)"
    assert repr(x * 2) == "tensor([2.], grad_fn=<MulBackward0>)"
    assert repr(x.detach()) == "tensor([1.])"


def test_to_a_device_and_a_dtype() -> None:
    x = tg.tensor([1.0])
    assert x.to("cpu") is x
    assert x.to("cpu", "float64").dtype == np.float64
    assert x.to("float64").dtype == np.float64
    # In PyTorch non_blocking and copy may follow without their names.
    for first in (("cpu", "float32"), ("float32",), (x,)):
        assert x.to(*first, True) is x.to(*first, True, False) is x
        assert x.to(*first, False, True) is not x
    assert x.to("cpu", "float64", True).dtype == np.float64
    with pytest.raises(TypeError, match="to: after the dtype come non_blocking and copy"):
        x.to("cpu", "float64", False, True, True)


def test_ops_of_the_table_take_tensors() -> None:
    x, y = leaf([1.0, 4.0]), leaf([3.0, 2.0])
    assert tg.ops.maximum(x, y).tolist() == [3, 4]
    assert tg.ops.exp(x).grad_fn is not None


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (lambda x: x.max(), "MaxBackward1"),
        (lambda x: x.max((0, 1)), "AmaxBackward0"),
        (lambda x: x.squeeze(), "SqueezeBackward0"),
        (lambda x: x.squeeze(0), "SqueezeBackward1"),
        (lambda x: x.squeeze((0, 1)), "SqueezeBackward2"),
        (lambda x: x.reshape(3), "ViewBackward0"),
        (lambda x: x.expand(2, 3).t().reshape(6), "UnsafeViewBackward0"),
    ],
)
def test_grad_fn_says_how(made: Any, name: str) -> None:
    assert made(leaf([[1.0, 2.0, 3.0]])).grad_fn.name() == name


def test_gradients_have_memory_of_their_own() -> None:
    x = leaf([1.0, 2.0])
    x.sum().backward()
    assert x.grad is not None
    assert x.grad.is_contiguous()
