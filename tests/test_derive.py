"""The formulas that come out are the ones that a person works out by hand."""

from typing import Any

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp import Tensor
from tinygrad_mlp.two_layer import problem

NAMES = ("X", "Y", "W1", "W2", "b1", "b2")
EXPERIMENT = {
    "X": "−2 ((Y − Y_p) W2ᵀ ⊙ h_s ⊙ (1 − h_s)) W1ᵀ",
    "Y": "2 (Y − Y_p)",
    "W1": "−2 Xᵀ ((Y − Y_p) W2ᵀ ⊙ h_s ⊙ (1 − h_s))",
    "W2": "−2 h_sᵀ (Y − Y_p)",
    "b1": "−2 ((Y − Y_p) W2ᵀ ⊙ h_s ⊙ (1 − h_s))",
    "b2": "−2 (Y − Y_p)",
}


def inputs() -> list[Tensor]:
    return [x.named(name) for x, name in zip(problem(seed=0), NAMES)]


def test_the_experiment_has_its_closed_form() -> None:
    x, y, w1, w2, b1, b2 = leaves = inputs()
    hidden = (x @ w1 + b1).sigmoid().named("h_s")
    predicted = (hidden @ w2 + b2).named("Y_p")
    f = ((y - predicted) ** 2).sum()
    found = tg.derive(f, leaves)
    assert dict(zip(NAMES, map(str, found))) == EXPERIMENT


def test_the_loss() -> None:
    x, y, w1, w2, b1, b2 = inputs()
    f = ((y - ((x @ w1 + b1).sigmoid() @ w2 + b2)) ** 2).sum()
    assert repr(tg.formula(f)) == "f = ‖Y − (σ(X W1 + b1) W2 + b2)‖²_F"


A, B, v, u = [[1.0, 2.0], [3.0, 4.0]], [[1.0, 0.5], [2.0, 3.0]], [5.0, 6.0], [0.5, 2.0]


@pytest.mark.parametrize(
    ("function", "arguments", "wrt", "formula"),
    [
        (lambda A, x: 0.5 * (x @ A @ x), {"A": A, "x": v}, "x", "½ (A + Aᵀ) x"),
        (
            lambda A, x, y: ((A @ x - y) ** 2).sum(),
            {"A": A, "x": v, "y": u},
            "x",
            "2 Aᵀ (A x − y)",
        ),
        (lambda w, y: ((w - y) ** 2).sum(), {"w": v, "y": u}, "y", "−2 (w − y)"),
    ],
)
def test_textbook_cases(function: Any, arguments: Any, wrt: str, formula: str) -> None:
    found = tg.derive(function, wrt, **arguments)
    assert str(found) == formula


def test_the_graph_stays_usable() -> None:
    x = tg.tensor(v, requires_grad=True, name="x")
    f = (x**2).sum()
    tg.derive(f, x)
    assert x.grad is None
    f.backward()
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.numpy(), [10.0, 12.0])
