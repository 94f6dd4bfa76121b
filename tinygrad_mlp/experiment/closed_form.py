"""The gradients of the two-layer loss, worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray

from .two_layer import NAMES


def closed_form(
    x: ndarray, y: ndarray, w1: ndarray, w2: ndarray, b1: ndarray, b2: ndarray
) -> tuple[Any, dict[str, ndarray]]:
    """The same loss, and its gradients for all six inputs by name, on arrays and by formula.

    With A : B for the sum of the entries of A ⊙ B, df = 2 R : dR. From
    dR = dY − dS W2 − S dW2 − dB2 follow

        ∂f/∂Y  = 2 R                            N×O
        ∂f/∂B2 = −2 R                           N×O
        ∂f/∂W2 = −2 Sᵀ R                        H×O

    and ∂f/∂S = −2 R W2ᵀ. With σ′ = σ (1 − σ), that is dS = S ⊙ (1 − S) ⊙ dH, and with
    dH = dX W1 + X dW1 + dB1,

        ∂f/∂B1 = −2 R W2ᵀ ⊙ S ⊙ (1 − S)         N×H
        ∂f/∂X  = ∂f/∂B1 W1ᵀ                     N×D
        ∂f/∂W1 = Xᵀ ∂f/∂B1                      D×H

    A bias that was broadcast stands in many places; its gradient is the sum over them: over the
    rows for a row or a vector, over everything for a scalar.

    ValueError where shapes do not fit. Source: the derivation above.

    >>> from tinygrad_mlp.experiment.closed_form import closed_form
    >>> from tinygrad_mlp.experiment.two_layer import problem
    >>> f, gradients = closed_form(*(t.detach().numpy() for t in problem()))
    >>> print(f"{f:.4f}", gradients["w2"].shape)
    326.1264 (20, 1)
    """
    check(x, y, w1, w2, b1, b2)
    s = sigma(x @ w1 + b1)
    r = y - (s @ w2 + b2)
    by_b2 = -2 * r
    by_b1 = by_b2 @ w2.T * s * (1 - s)
    gradients = {
        "x": by_b1 @ w1.T,
        "y": 2 * r,
        "w1": x.T @ by_b1,
        "w2": s.T @ by_b2,
        "b1": summed(by_b1, b1.shape),
        "b2": summed(by_b2, b2.shape),
    }
    return (r * r).sum(), gradients


def sigma(h: ndarray) -> ndarray:
    """1 / (1 + e⁻ʰ) where h ≥ 0, eʰ / (1 + eʰ) elsewhere: neither can overflow."""
    e = np.exp(-np.abs(h))
    return np.asarray(np.where(h >= 0, 1, e) / (1 + e))


def summed(g: ndarray, shape: tuple[int, ...]) -> ndarray:
    """A full gradient, N×H or N×O, summed to the shape of a bias."""
    if g.shape == shape:
        return g
    return np.asarray(g.sum()) if shape == () else g.sum(0).reshape(shape)


def check(x: ndarray, y: ndarray, w1: ndarray, w2: ndarray, b1: ndarray, b2: ndarray) -> None:
    """ValueError unless these are the shapes of the experiment."""
    given = dict(zip(NAMES, (a.shape for a in (x, y, w1, w2, b1, b2)), strict=True))
    if x.ndim == w1.ndim == w2.ndim == 2:
        n, d, h, o = *x.shape, *w2.shape
        fits = (
            y.shape == (n, o)
            and w1.shape == (d, h)
            and b1.shape in ((n, h), (1, h), (h,), ())
            and b2.shape in ((n, o), (1, o), (o,), ())
        )
        if fits:
            return
    raise ValueError(
        "closed_form: x is N×D, y N×O, w1 D×H, w2 H×O, b1 N×H, 1×H, H or (), and b2 N×O, 1×O, O "
        f"or (); not {', '.join(f'{name} {shape}' for name, shape in given.items())}"
    )
