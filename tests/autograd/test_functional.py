"""Derivatives of functions, against those worked out by hand."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy import ndarray
from support import arrays, leaf, value

import tinygrad_mlp as tg

sizes = st.integers(0, 4)


def close(found: Any, expected: Any) -> None:
    assert isinstance(found, tg.Tensor)
    assert found.shape == np.shape(expected)
    # Sums of at most 64 products of numbers up to 3: two such sums, one after the other.
    np.testing.assert_allclose(value(found), expected, rtol=1e-13, atol=1e-12)


def wide(array: Any) -> tg.Tensor:
    return tg.tensor(np.asarray(array, np.float64))


def quadratic(a: ndarray, b: ndarray) -> Callable[[tg.Tensor], tg.Tensor]:
    """xᵀ A x + b x, whose gradient is (A + Aᵀ) x + b, and whose Hessian is A + Aᵀ."""
    return lambda x: x @ wide(a) @ x + (wide(b) * x).sum()


@given(st.data(), sizes)
def test_a_quadratic(data: st.DataObject, n: int) -> None:
    a, b, x, v = (data.draw(arrays(s)) for s in ((n, n), (n,), (n,), (n,)))
    f = quadratic(a, b)
    slope, hessian = (a + a.T) @ x + b, a + a.T
    f_x, d = tg.value_and_grad(f, 0)(wide(x))
    close(f_x, x @ a @ x + b @ x)
    close(d, slope)
    for found, expected in (
        (tg.vjp(f, wide(x)), slope),
        (tg.jvp(f, wide(x), wide(v)), slope @ v),
        (tg.hvp(f, wide(x), wide(v)), hessian @ v),
    ):
        close(found[0], x @ a @ x + b @ x)
        close(found[1], expected)
    close(tg.jacobian(f, wide(x)), slope)
    close(tg.hessian(f, wide(x)), hessian)
    # grad of grad, row by row.
    t = leaf(x)
    (first,) = tg.grad(f(t), t, create_graph=True)
    for i in range(n):
        close(tg.grad(first[i], t, retain_graph=True)[0], hessian[i])


@given(st.data(), sizes, sizes)
def test_a_map_of_vectors(data: st.DataObject, n: int, m: int) -> None:
    """y = A sin x: J = A diag(cos x)."""
    a, x, u, v = (data.draw(arrays(s)) for s in ((m, n), (n,), (m,), (n,)))
    j = a * np.cos(x)

    def f(x: tg.Tensor) -> tg.Tensor:
        return wide(a) @ x.sin()

    close(tg.jacobian(f, wide(x)), j)
    close(tg.vjp(f, wide(x), wide(u))[1], u @ j)
    close(tg.jvp(f, wide(x), wide(v))[1], j @ v)


@given(st.data(), sizes, sizes)
def test_several_inputs_and_outputs(data: st.DataObject, n: int, m: int) -> None:
    """f(x, y) = (xᵀ M y, x ⊙ x): linear in y, and the second does not depend on it."""
    x, y, a = (data.draw(arrays(s)) for s in ((n,), (m,), (n, m)))
    dx, dy, u = (data.draw(arrays(s)) for s in ((n,), (m,), (n,)))

    def f(x: tg.Tensor, y: tg.Tensor) -> tuple[tg.Tensor, tg.Tensor]:
        return x @ wide(a) @ y, x * x

    inputs = (wide(x), wide(y))
    (p, q), (gx, gy) = tg.vjp(f, inputs, (tg.tensor(2.0), wide(u)))
    close(p, x @ a @ y)
    close(q, x * x)
    close(gx, 2 * a @ y + 2 * u * x)
    close(gy, 2 * x @ a)
    (p, q), (tp, tq) = tg.jvp(f, inputs, (wide(dx), wide(dy)))
    close(p, x @ a @ y)
    close(tp, dx @ a @ y + x @ a @ dy)
    close(tq, 2 * x * dx)
    blocks = tg.hessian(lambda x, y: f(x, y)[0] + f(x, y)[1].sum(), inputs)
    for row, expected in zip(blocks, ((2 * np.eye(n), a), (a.T, np.zeros((m, m)))), strict=True):
        for found, block in zip(row, expected, strict=True):
            close(found, block)
    (hx, hy) = tg.hvp(lambda x, y: f(x, y)[0], inputs, (wide(dx), wide(dy)))[1]
    close(hx, a @ dy)
    close(hy, dx @ a)
    jx, jy = tg.jacobian(lambda x, y: x * y.sum(), inputs)
    close(jx, y.sum() * np.eye(n))
    close(jy, np.tile(x[:, None], (1, m)))


def test_shapes_of_jacobians_and_hessians() -> None:
    x = wide(np.arange(6.0).reshape(2, 3))
    j = tg.jacobian(lambda x: x.T, x)
    expected = np.eye(6).reshape(2, 3, 2, 3).transpose(1, 0, 2, 3)
    close(j, expected)
    h = tg.hessian(lambda x: (x**3).sum(), x)
    close(h, (np.eye(6) * 6 * np.arange(6.0)).reshape(2, 3, 2, 3))
    close(tg.hessian(lambda x: x**3, tg.tensor(2.0)), 12.0)
    close(tg.jacobian(lambda x: x.expand(2), tg.tensor(2.0)), [1.0, 1.0])
    assert tg.jacobian(lambda x: x[:0], wide(np.ones(3))).shape == (0, 3)
    assert tg.jacobian(lambda x: x.sum(), wide(np.ones((0, 2)))).shape == (0, 2)
    assert tg.hessian(lambda x: x.sum(), wide(np.ones((0, 2)))).shape == (0, 2, 0, 2)


# Results that do not depend on an input.


def test_zeros_where_nothing_depends_on_an_input() -> None:
    x, y = wide([1.0, 2.0]), wide([[3.0]])
    one = tg.tensor(1.0)
    for f in (lambda x, y: x.sum(), lambda x, y: one, lambda x, y: x.detach().sum()):
        _, (_, gy) = tg.value_and_grad(f)(x, y)
        close(gy, [[0.0]])
        close(tg.vjp(f, (x, y))[1][1], [[0.0]])
        close(tg.jacobian(f, (x, y))[1], [[0.0]])
        close(tg.hvp(f, (x, y), (x, y))[1][1], [[0.0]])
        assert [[b.shape for b in row] for row in tg.hessian(f, (x, y))] == [
            [(2, 2), (2, 1, 1)],
            [(1, 1, 2), (1, 1, 1, 1)],
        ]
    close(tg.jvp(lambda x: one, x, x)[1], 0.0)
    close(tg.jvp(lambda x: (one, x), x, x)[1][0], 0.0)
    close(tg.hvp(lambda x: x.sum(), x, x)[1], [0.0, 0.0])


def test_an_input_that_is_the_output() -> None:
    x = wide([1.0, 2.0])
    close(tg.jacobian(lambda x: x, x), np.eye(2))
    close(tg.jvp(lambda x: x, x, wide([5.0, 6.0]))[1], [5.0, 6.0])
    close(tg.vjp(lambda x: x, x, wide([5.0, 6.0]))[1], [5.0, 6.0])
    close(tg.value_and_grad(lambda x: x, 0)(tg.tensor(3.0))[1], 1.0)


# What may be passed.


def test_arguments_of_value_and_grad() -> None:
    def f(x: Any, n: Any, scale: float = 1.0) -> tg.Tensor:
        return scale * (x**n).sum()

    for x in (wide([1.0, 2.0]), np.array([1.0, 2.0]), [1.0, 2.0]):
        f_x, d = tg.value_and_grad(f, argnums=0)(x, 3, scale=2.0)
        close(f_x, 18.0)
        close(d, [6.0, 24.0])
    _, found = tg.value_and_grad(f, argnums=(0,))(np.array([1.0, 2.0]), 2)
    assert isinstance(found, tuple)
    close(found[0], [2.0, 4.0])
    _, (by_n, by_x) = tg.value_and_grad(f, argnums=[1, 0])(wide([1.0, 2.0]), tg.tensor(2.0))
    close(by_n, np.float32(4 * np.log(2)) * 1.0 if by_n.dtype == np.float32 else 4 * np.log(2))
    close(by_x, [2.0, 4.0])
    close(tg.value_and_grad(f, argnums=-1)(wide([1.0, np.e]), wide(2.0))[1], np.e**2)
    assert tg.value_and_grad(lambda: tg.tensor(1.0))() == (tg.tensor(1.0), ())


def test_arguments_are_left_alone() -> None:
    x = leaf([1.0, 2.0])
    x.grad = wide([7.0, 7.0])
    for call in (
        tg.value_and_grad(lambda x: (x * x).sum()),
        lambda x: tg.vjp(lambda x: x * x, x, x),
        lambda x: tg.jvp(lambda x: x * x, x, x),
        lambda x: tg.hvp(lambda x: (x * x).sum(), x, x),
        lambda x: tg.jacobian(lambda x: x * x, x),
        lambda x: tg.hessian(lambda x: (x * x).sum(), x),
    ):
        call(x)
        assert x.grad.tolist() == [7, 7]
        assert (x.is_leaf, x.requires_grad, x.tolist()) == (True, True, [1, 2])


def test_functions_of_arrays_and_options() -> None:
    for x in (np.array([1.0, 2.0]), wide([1.0, 2.0])):
        close(tg.jacobian(lambda x: x**2, x), [[2.0, 0.0], [0.0, 4.0]])
        close(tg.vjp(lambda x: x**2, x, np.array([1.0, 10.0]))[1], [2.0, 40.0])
        close(tg.jvp(lambda x: x**2, x, np.array([1.0, 10.0]))[1], [2.0, 40.0])
        close(tg.hvp(lambda x: (x**3).sum(), x, np.array([1.0, 10.0]))[1], [6.0, 120.0])
    assert tg.jacobian(lambda x: x**2, np.ones(2, "f4")).dtype == np.float32
    close(tg.jvp(lambda x: x**2, tg.tensor(3.0))[1], 6.0)
    close(tg.hvp(lambda x: x**3, tg.tensor(3.0))[1], 18.0)
    (gx,) = tg.vjp(lambda x: x**2, (tg.tensor(3.0),))[1]
    close(gx, 6.0)


# Graphs of the results, nested use.


# By name: a call that gives the derivative of a function of one number, and that one's order.
CALLS: dict[str, tuple[Callable[..., Any], int]] = {
    "value_and_grad": (lambda f, x: tg.value_and_grad(f, 0)(x)[1], 1),
    "vjp": (lambda f, x, **options: tg.vjp(f, x, **options)[1], 1),
    "jvp": (lambda f, x, **options: tg.jvp(f, x, **options)[1], 1),
    "jacobian": (tg.jacobian, 1),
    "hvp": (lambda f, x, **options: tg.hvp(f, x, **options)[1], 2),
    "hessian": (tg.hessian, 2),
}
every_call = pytest.mark.parametrize("name", CALLS)


def factorial(n: int, k: int) -> float:
    """n (n − 1) … of k factors: the k-th derivative of xⁿ at 1."""
    return float(np.prod(np.arange(n, n - k, -1.0)))


@every_call
def test_results_have_a_graph_where_one_can_be_used(name: str) -> None:
    call, order = CALLS[name]
    x = leaf(1.0)
    for at, context in ((tg.tensor(1.0), tg.enable_grad()), (x, tg.no_grad())):
        with context:
            found = call(lambda x: x**5, at)
        close(found, factorial(5, order))
        assert not found.requires_grad
    found = call(lambda x: x**5, x)
    close(found, factorial(5, order))
    close(tg.grad(found, x)[0], factorial(5, order + 1))


@pytest.mark.parametrize("name", [name for name in CALLS if name != "value_and_grad"])
@pytest.mark.parametrize("context", [tg.enable_grad, tg.no_grad])
def test_create_graph(name: str, context: Any) -> None:
    call, order = CALLS[name]
    with context():
        found = call(lambda x: x**5, tg.tensor(1.0), create_graph=True)
    close(found, factorial(5, order))
    assert found.requires_grad


@every_call
def test_what_a_function_has_from_outside(name: str) -> None:
    """d/dw of d/dx w x⁵ is not lost, though x does not require grad and w is no argument."""
    call, order = CALLS[name]
    w = leaf(1.0)
    found = call(lambda x: w * x**5, tg.tensor(1.0))
    close(found, factorial(5, order))
    close(tg.grad(found, w)[0], factorial(5, order))


@pytest.mark.parametrize("outer", CALLS)
@pytest.mark.parametrize("inner", CALLS)
def test_nested(outer: str, inner: str) -> None:
    (take, p), (take_inner, q) = CALLS[outer], CALLS[inner]
    found = take(lambda x: take_inner(lambda y: y**7, x), tg.tensor(1.0))
    close(found, factorial(7, p + q))
    assert not found.requires_grad


@pytest.mark.parametrize("outer", CALLS)
@pytest.mark.parametrize("inner", CALLS)
def test_nested_in_different_variables(outer: str, inner: str) -> None:
    """The inner function has the outer one's variable from outside."""
    (take, p), (take_inner, q) = CALLS[outer], CALLS[inner]
    one = tg.tensor(1.0)
    found = take(lambda a: take_inner(lambda b: a**4 * b**5, one), one)
    close(found, factorial(4, p) * factorial(5, q))
    assert not found.requires_grad


def test_vectors_may_require_grad() -> None:
    v = leaf([1.0, 10.0])
    x = wide([2.0, 3.0])
    for found, expected in (
        (tg.vjp(lambda x: x**2, x, v)[1], [4, 6]),
        (tg.jvp(lambda x: x**2, x, v)[1], [4, 6]),
        (tg.hvp(lambda x: (x**3).sum(), x, v)[1], [12, 18]),
    ):
        assert tg.grad(found.sum(), v)[0].tolist() == expected


def test_third_derivatives() -> None:
    x = wide([0.5, 2.0])
    found = tg.jacobian(lambda x: tg.hessian(lambda y: y.sin().sum() * y[0], x), x)
    s, c = np.sin(value(x)), np.cos(value(x))
    expected = np.zeros((2, 2, 2))
    # f = x₀ (sin x₀ + sin x₁)
    expected[0, 0, 0] = -3 * s[0] - 0.5 * c[0]
    for i, j, k in ((0, 1, 1), (1, 0, 1), (1, 1, 0)):
        expected[i, j, k] = -s[1]
    expected[1, 1, 1] = -0.5 * c[1]
    close(found, expected)


def test_the_outer_graph_is_not_released() -> None:
    x = leaf([1.0, 2.0])
    h = x * x
    for _ in range(2):
        tg.value_and_grad(lambda y: (y * h).sum())(wide([1.0, 1.0]))
    assert tg.grad(h.sum(), x)[0].tolist() == [2, 4]


# Errors.


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (
            lambda x: tg.value_and_grad(lambda x: x)(x),
            ValueError,
            r"^value_and_grad: .*shape \(2,\); reduce",
        ),
        (lambda x: tg.value_and_grad(lambda x: 5)(x), TypeError, "must return a Tensor, not int"),
        (lambda x: tg.value_and_grad(lambda x: x)(x.long()), TypeError, "needs a float dtype"),
        (lambda x: tg.vjp(lambda x: x, x), ValueError, r"^vjp: .*shape \(2,\) needs a v"),
        (
            lambda x: tg.vjp(lambda x: x, x, x[:1]),
            ValueError,
            r"\(1,\) is not the output's, \(2,\)",
        ),
        (lambda x: tg.vjp(lambda x: x, x, (x, x)), ValueError, "v has 2 parts.* 1 output"),
        (lambda x: tg.vjp(lambda x: [1], x, x), TypeError, "must return a Tensor, not int"),
        (lambda x: tg.jvp(lambda x: x, x), ValueError, "jvp: .* need a v of their shapes"),
        (lambda x: tg.jvp(lambda x: x, x, x[:1]), ValueError, r"jvp: v has .*\(1,\).*\(2,\)"),
        (lambda x: tg.jvp(lambda x: None, x, x), TypeError, "a Tensor, not NoneType"),
        (lambda x: tg.hvp(lambda x: x.sum(), x), ValueError, "hvp: .* need a v of their shapes"),
        (lambda x: tg.hvp(lambda x: x.sum(), x, (x, x)), ValueError, "hvp: v has the shapes"),
        (lambda x: tg.hvp(lambda x: x, x, x), ValueError, r"^hvp: .*shape \(2,\); reduce"),
        (lambda x: tg.jacobian(lambda x: (x, x), x), TypeError, "must return one Tensor"),
        (lambda x: tg.jacobian(lambda x: x, x.long()), TypeError, "needs a float dtype"),
        (lambda x: tg.hessian(lambda x: x, x), ValueError, r"^hessian: .*shape \(2,\); reduce"),
        (lambda x: tg.hessian(lambda x: 1.0, x), TypeError, "must return a Tensor, not float"),
    ],
)
def test_errors(call: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        call(wide([1.0, 2.0]))
    assert tg.is_grad_enabled()
