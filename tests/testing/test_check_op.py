"""check_op: of Functions, of a choice of checks, and one cause told once."""

from typing import Any

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.core import ops
from tinygrad_mlp.readers.fuzz import mistakes as mistaking
from tinygrad_mlp.readers.fuzz.mistakes import broken
from tinygrad_mlp.testing import check_op

INPUTS = ([1.0, -2.0, 0.5],)


class Cube(tg.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        (x,) = ctx.saved_tensors
        return g * 3 * x**2


class Half(Cube):
    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        (x,) = ctx.saved_tensors
        return g * 1.5 * x**2


class Frozen(Cube):
    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        (x,) = ctx.saved_tensors
        return g * 3 * x.detach() ** 2


class Writing(Cube):
    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        (x,) = ctx.saved_tensors
        return (g * 3 * x**2).float().double()


def test_functions_have_neither_a_formula_nor_a_compiled_form() -> None:
    for function in (Cube, Cube.apply, lambda x: Cube.apply(x) * x):
        check_op(function, INPUTS)
    check_op(lambda x: x * 2 if x.sum().item() > 0 else x * 3, INPUTS)


@pytest.mark.parametrize(
    ("function", "line"),
    [
        (Half, "Half: VJP: the gradient of output 0[0] by input 0[0] is 1.5, but"),
        (Frozen, "Frozen: second order: the second gradient, of df/dx0[0] by input 0[0] is 0.0"),
        (Half.apply, "Half: VJP: "),
        (lambda x: Half.apply(x) * x, "<lambda>: VJP: "),
        (tg.op(np.sin, lambda g: g, name="s"), "s: VJP: "),
        (tg.op(np.sin, lambda g, x: g * tg.cos(x), numpy="np.cos(x)", name="s"), "s: formula: "),
    ],
)
def test_one_cause_is_one_line(function: Any, line: str) -> None:
    with pytest.raises(AssertionError) as failed:
        check_op(function, INPUTS)
    (only,) = str(failed.value).splitlines()
    assert only.startswith(line)


def test_an_op_that_cannot_be_traced_is_wrong() -> None:
    def asking(x: Any) -> Any:
        return x * 2

    def vjp(g: Any) -> Any:
        return g * 2 if isinstance(g, np.ndarray) else g * (2 + 0 * g.sum().item())

    with pytest.raises(AssertionError, match="formula: RuntimeError"):
        check_op(tg.op(asking, vjp), order=1)


def test_a_choice_of_checks() -> None:
    check_op(Half, INPUTS, checks=["value", "dtypes"])
    check_op(Frozen, INPUTS, order=1)
    check_op("exp", checks=["dtypes"], examples=2)
    with pytest.raises(AssertionError, match="^Half: VJP"):
        check_op(Half, INPUTS, checks=["VJP"])
    with pytest.raises(ValueError, match="'vjp' is not a check; there are: value, VJP, second ord"):
        check_op(Half, INPUTS, checks=["vjp"])
    with pytest.raises(ValueError, match="'VJP' is not a check; there are: value and VJP, second"):
        check_op("exp", checks=["VJP"])
    with pytest.raises(ValueError, match="order is 1 or 2, not 3"):
        check_op(Half, INPUTS, order=3)


def test_a_row_whose_vjp_takes_the_cotangent_for_a_constant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vjp = "lambda g, out: (g.detach() if hasattr(g, 'detach') else g) * out"
    monkeypatch.setattr(mistaking, "mistakes", lambda op: {vjp: vjp})
    library = broken("exp", vjp)
    with pytest.raises(AssertionError, match="^exp: second order: d2f/dx"):
        check_op(ops.exp, library=library, examples=4)
    check_op(ops.exp, library=library, examples=4, order=1)
