"""Every figure that the reference run printed, without PyTorch."""

import numpy as np
import pytest
from numpy import ndarray
from reference import CANCELS, PRINTED, REFERENCE, as_printed, matches

from tinygrad_mlp.experiment.closed_form import closed_form
from tinygrad_mlp.experiment.two_layer import NAMES, loss, problem


def by_tape() -> tuple[float, dict[str, ndarray]]:
    tensors = problem()
    value = loss(*tensors)
    value.backward()
    return value.item(), {n: np.asarray(t.grad) for n, t in zip(NAMES, tensors, strict=True)}


def by_closed_form() -> tuple[float, dict[str, ndarray]]:
    value, gradients = closed_form(*(t.detach().numpy() for t in problem()))
    return float(value), gradients


def test_the_problem_is_the_reference_runs() -> None:
    tensors = problem()
    assert list(NAMES) == REFERENCE["draw_order"]
    shapes = {n: list(t.shape) for n, t in zip(NAMES, tensors, strict=True)}
    assert shapes == REFERENCE["shapes"]
    assert {t.dtype for t in tensors} == {np.dtype("float32")}


@pytest.mark.parametrize("run", [by_tape, by_closed_form])
def test_loss(run) -> None:
    value, _ = run()
    assert matches(value, REFERENCE["loss"], cancels=False)


@pytest.mark.parametrize("run", [by_tape, by_closed_form])
def test_every_figure(run) -> None:
    _, gradients = run()
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
