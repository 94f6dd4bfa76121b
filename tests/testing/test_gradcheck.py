"""What gradcheck and gradgradcheck see that one sum of all outputs, or one cotangent, hides."""

from typing import Any

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.testing import Unsettled, check_op, gradcheck, gradgradcheck

SQUARE_WRONG_NEAR_0 = tg.op(
    lambda x: x * x, lambda g, x: g * np.where(np.abs(x) < 0.01, -2 * x, 2 * x), name="sq"
)


def constant(g: Any) -> Any:
    return g.detach() if isinstance(g, tg.Tensor) else g


@pytest.mark.parametrize("large", [3.0, 3e4, 3e8])
def test_a_large_output_does_not_hide_a_small_one(large: float) -> None:
    message = r"the gradient of output 0\[1\] by input 0\[1\] is -0.0002, but .* 0.000"
    with pytest.raises(AssertionError, match=message):
        gradcheck(SQUARE_WRONG_NEAR_0, np.array([large, 1e-4]))
    assert gradcheck(lambda x: x * x, np.array([large, 1e-4]))


def test_an_output_among_several_is_named() -> None:
    def function(x: Any, y: Any) -> Any:
        return x * y, SQUARE_WRONG_NEAR_0(x)

    with pytest.raises(AssertionError, match=r"of output 1\[2\] by input 0\[2\] is -0.0002"):
        gradcheck(function, ([1.0, 2.0, 1e-4], [1e9, 1e9, 1e9]))


def test_an_error_as_large_as_the_derivative_settles_nothing() -> None:
    """Of a sum that the caller takes, only that much can be told."""
    for square in (SQUARE_WRONG_NEAR_0, lambda x: x * x):
        for function in (lambda x: square(x).sum(), lambda x: square(x[1:]).sum() + 1e9):  # noqa: B023
            for small in (1e-4, 1e-6, 1e-9):
                with pytest.raises(Unsettled, match=r"\[1\] do not settle.* hide a derivative"):
                    gradcheck(function, np.array([3e4, small]))


@pytest.mark.parametrize(
    ("function", "inputs"),
    [
        (lambda x: 0 * x + 1e9, [1.0, 2.0]),
        (lambda x: x.cos(), [0.0, np.pi, 1e-9]),
        (lambda x: x.sigmoid(), [40.0, -40.0, 300.0]),
        (lambda x: x**3, [0.0, 1e-3]),
        (lambda x: x[0] * 1e9, [1.0, 2.0]),
        (lambda x: x.detach(), [1.0, 2.0][:0]),
    ],
)
def test_a_derivative_may_be_0(function: Any, inputs: Any) -> None:
    assert gradcheck(function, inputs)
    assert gradgradcheck(function, inputs)


@pytest.mark.parametrize(
    "vjp",
    [
        lambda g, x: g * g * 2 * x,
        lambda g, x: g.max() * 2 * x,
        lambda g, x: abs(g) * 2 * x,
        lambda g, x: g * 2 * x + g.sum() * (g.sum() != g.max()) / 64,
    ],
)
def test_a_vjp_that_is_not_linear_in_the_cotangent(vjp: Any) -> None:
    with pytest.raises(AssertionError, match="the gradient of "):
        gradcheck(tg.op(lambda x: x * x, vjp), [1.0, -3.0])


def test_where_a_function_saturates_its_derivative_is_lost_in_rounding() -> None:
    assert gradcheck(lambda x: x.sigmoid(), [33.0, 36.0])
    assert gradcheck(lambda x: x.softmax(0), [0.0, 30.0, 34.0])


def test_a_vjp_that_is_right_for_each_output_alone() -> None:
    wrong = tg.op(lambda x: 2 * x, lambda g: 2 * g * (1 + (np.count_nonzero(g) > 1)))
    with pytest.raises(AssertionError, match="of all outputs together by input 0"):
        gradcheck(wrong, [1.0, 2.0])


def test_a_vjp_may_use_the_cotangent_only_as_what_it_can_be_differentiated_by() -> None:
    ex = tg.op(np.exp, lambda g, out: constant(g) * out, name="ex")
    assert gradcheck(ex, [1.0, 2.0])
    with pytest.raises(AssertionError, match=r"of df/dx0\[0\] by cotangent 0\[0\] is 0.0, but"):
        gradgradcheck(ex, [1.0, 2.0])
    with pytest.raises(AssertionError, match="^ex: second order: the second gradient by cotange"):
        check_op(ex)
    assert gradgradcheck(lambda x, y: (x @ y, x.sin()), (np.ones((2, 3)), np.ones(3)))
    assert gradgradcheck(lambda x: x.float().tanh(), [0.5, 1.0])
