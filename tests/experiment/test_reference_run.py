"""Every figure that the reference run printed, without PyTorch."""

from collections.abc import Callable
from decimal import Decimal

import numpy as np
import pytest
from numpy import ndarray
from reference import CANCELS, PRINTED, REFERENCE, as_printed, matches, unit

import tinygrad_mlp as tg
from tinygrad_mlp.experiment.bounds import error_bounds
from tinygrad_mlp.experiment.closed_form import closed_form
from tinygrad_mlp.experiment.two_layer import NAMES, loss, problem

Answer = tuple[float, dict[str, ndarray]]


def by_tape(*inputs: ndarray) -> Answer:
    tensors = [tg.tensor(a, requires_grad=True) for a in inputs]
    value = loss(*tensors)
    value.backward()
    return value.item(), {n: np.asarray(t.grad) for n, t in zip(NAMES, tensors, strict=True)}


def by_closed_form(*inputs: ndarray) -> Answer:
    value, gradients = closed_form(*inputs)
    return float(value), gradients


INPUTS = [t.detach().numpy() for t in problem()]
EXACT = [a.astype(np.float64) for a in INPUTS]


def test_the_problem_is_the_reference_runs() -> None:
    tensors = problem()
    assert list(NAMES) == REFERENCE["draw_order"]
    shapes = {n: list(t.shape) for n, t in zip(NAMES, tensors, strict=True)}
    assert shapes == REFERENCE["shapes"]
    assert {t.dtype for t in tensors} == {np.dtype("float32")}


@pytest.mark.parametrize("run", [by_tape, by_closed_form])
def test_every_figure(run: Callable[..., Answer]) -> None:
    """In float64, where what a processor rounds otherwise is far below what was printed."""
    value, gradients = run(*EXACT)
    assert matches(value, REFERENCE["loss"], cancels=False)
    assert sum(map(len, PRINTED.values())) == 376
    wrong = [
        (name, i, figure, printed)
        for name in NAMES
        for i, (figure, printed) in enumerate(
            zip(as_printed(name, gradients[name]), PRINTED[name], strict=True)
        )
        if not matches(figure, printed, (name, i) in CANCELS)
    ]
    assert wrong == []


@pytest.mark.parametrize("run", [by_tape, by_closed_form])
def test_every_figure_in_float32(run: Callable[..., Answer]) -> None:
    """To within the print's last digit, and the error bounds of the reference's run and of ours."""
    value, gradients = run(*INPUTS)
    bound, bounds = error_bounds(*INPUTS)
    allowed = unit(REFERENCE["loss"]) / 2 + 2 * Decimal(float(bound))
    assert abs(Decimal(value) - Decimal(REFERENCE["loss"])) <= allowed
    for name in NAMES:
        figures, most = as_printed(name, gradients[name]), as_printed(name, bounds[name])
        for i, (figure, printed) in enumerate(zip(figures, PRINTED[name], strict=True)):
            allowed = unit(printed) / 2 + 2 * Decimal(most[i])
            assert abs(Decimal(figure) - Decimal(printed)) <= allowed, (name, i, figure, printed)


@pytest.mark.parametrize(
    ("figure", "printed", "cancels", "expected"),
    [
        (0.12345, "0.1234", False, True),
        (0.1236, "0.1234", False, False),
        (-1.99e-1, "-1.9933e-01", False, False),
        (-1.9934e-1, "-1.9933e-01", False, True),
        (7.7769e-05 + 9e-7, "7.7769e-05", False, False),
        (7.7769e-05 + 9e-7, "7.7769e-05", True, True),
        (7.7769e-05 + 2e-6, "7.7769e-05", True, False),
    ],
)
def test_what_counts_as_a_match(figure: float, printed: str, cancels: bool, expected: bool) -> None:
    assert matches(figure, printed, cancels) is expected
