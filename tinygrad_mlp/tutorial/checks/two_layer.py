"""Notebook 2: the gradients of the two-layer loss."""

from __future__ import annotations

from typing import Any

import numpy as np

from .verdict import AnswerError, among, array, close, exercise


@exercise
def by_w2(answer: Any, s: Any, r: Any) -> str:
    """Notebook 2: ∂f/∂W2."""
    if close(answer, -2 * r.T @ s):
        raise AnswerError(
            "This is the transpose of the gradient. Swap the factors: Sᵀ comes first."
        )
    found = array(answer, (s.shape[1], r.shape[1]), "by_w2")
    right = -2 * s.T @ r
    among(
        found,
        right,
        {
            "The sign is wrong: what arrives at Ŷ is −2R, not 2R. Use by_y_p.": -right,
            "A factor of 2 is missing: the derivative of R² is 2R. Use by_y_p.": right / 2,
            "The factor −2 is missing: what arrives is −2R, not R. Use by_y_p.": right / -2,
        },
        "by_w2",
    )
    return "Right: ∂f/∂W2 = Sᵀ · ∂f/∂Ŷ = −2 SᵀR."


@exercise
def by_h(answer: Any, by_s: Any, s: Any, h: Any) -> str:
    """Notebook 2: ∂f/∂H."""
    among(
        array(answer, s.shape, "by_h"),
        by_s * s * (1 - s),
        {
            "You have passed the sigmoid as if it were not there: multiply by its slope.": by_s,
            "This is the slope alone. It multiplies what arrives, by_s.": s * (1 - s),
            "A factor is missing: σ′ = σ (1 − σ), and you multiply by σ.": by_s * s,
            "A factor is missing: σ′ = σ (1 − σ), and you multiply by 1 − σ.": by_s * (1 - s),
            "The slope is σ(h) (1 − σ(h)), and σ(h) is s; you took h itself.": by_s * h * (1 - h),
        },
        "by_h",
    )
    return "Right: ∂f/∂H = ∂f/∂S ⊙ S ⊙ (1 − S)."


@exercise
def by_b1(answer: Any, by_h: Any) -> str:
    """Notebook 2: ∂f/∂b1."""
    right = by_h.sum(axis=0, keepdims=True)
    if answer is not ... and answer is not None:
        if close(answer, by_h):
            raise AnswerError(
                "This is ∂f/∂(X W1 + b1), one row for each example. The one row of b1 went into "
                "all of them: add them up."
            )
        if close(answer, right[0]):
            raise AnswerError(
                "The numbers are right, but the shape is (5,), and b1 has (1, 5): keepdims=True."
            )
        if close(np.ravel(answer), by_h.sum(axis=1)):
            raise AnswerError(
                "You have added along the rows, axis 1. Add the rows to each other, axis 0."
            )
        if close(np.ravel(answer), [by_h.sum()]):
            raise AnswerError(
                "This is the sum of everything. Add the rows to each other only: axis=0."
            )
    among(
        array(answer, right.shape, "by_b1"),
        right,
        {"This is the mean of the rows. Contributions are added, not averaged.": right / len(by_h)},
        "by_b1",
    )
    return "Right. Used n times, so n contributions are added."
