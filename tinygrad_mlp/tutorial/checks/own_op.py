"""Notebook 3: VJPs of one's own."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.tensor import grad
from ...torch.creation import tensor
from .verdict import AnswerError, among, close, exercise


def pulled_back(op: Any, x: Any, g: Any) -> np.ndarray[Any, Any]:
    """What the VJP of an op of one input makes of a cotangent."""
    leaf = tensor(np.asarray(x, np.float64), requires_grad=True)
    (found,) = grad(op(leaf), leaf, tensor(np.asarray(g, np.float64)))
    assert found is not None
    return np.array(found.numpy())


@exercise
def elu(op: Any) -> str:
    """Notebook 3: the VJP of elu."""
    x = np.array([-2.0, -1.0, -0.25, 0.5, 3.0])
    ones = np.ones(5)
    slope = np.where(x > 0, 1.0, np.exp(x))
    value = np.asarray(op(_leaf(x)).detach().numpy())
    if not close(value, np.where(x > 0, x, np.expm1(x))):
        raise AnswerError("The values of elu have changed. Only the VJP is to be mended.")
    found = pulled_back(op, x, ones)
    if close(found, pulled_back(op, x, 3 * ones)):
        raise AnswerError("The VJP gives the same whatever g is: multiply by g.")
    left, right = found[x < 0], found[x > 0]
    if not close(right, slope[x > 0]):
        raise AnswerError(
            f"On the right the slope is 1, but now the VJP says {right[0]:.4f}. "
            "There it was right before."
        )
    among(
        left,
        slope[x < 0],
        {
            "Still the same on the left: out is eˣ − 1, but the slope is eˣ.": np.expm1(x[x < 0]),
            "You subtract 1 where it has to be added: out = eˣ − 1.": np.expm1(x[x < 0]) - 1,
            "This is 1 − out. The slope is eˣ, and out = eˣ − 1.": 1 - np.expm1(x[x < 0]),
            "On the left you have the exponential of out; the slope is eˣ itself.": np.exp(
                np.expm1(x[x < 0])
            ),
        },
        "On the left, the gradient",
    )
    return "Right: eˣ = out + 1."


@exercise
def logsumexp(op: Any) -> str:
    """Notebook 3: the VJP of log-sum-exp."""
    x = np.array([[0.5, -1.0, 2.0], [1.0, 0.0, -0.5], [3.0, 1.5, 0.25]])
    g = np.array([1.0, -2.0, 0.5])
    softmax = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    log = np.log(np.exp(x).sum(axis=1))
    mistakes = {
        "g has one entry for each row, and you multiply the columns by it: g[:, None].": g
        * softmax,
        "The VJP does not use g. Multiply by it, as a column: g[:, None].": softmax,
        "out has one entry for each row: make it a column, out[:, None].": g[:, None]
        * np.exp(x - log),
        "Both g and out have one entry for each row: make columns of them, [:, None].": g
        * np.exp(x - log),
        "This is g eˣ. Divide by the sum of the row, or subtract out first.": g[:, None]
        * np.exp(x),
        "The sign of the exponent is wrong: it is x − out.": g[:, None] * np.exp(log[:, None] - x),
    }
    try:
        found = pulled_back(op, x, g)
        among(found, g[:, None] * softmax, mistakes, "On a 3 × 3 matrix, the gradient")
        pulled_back(op, x[:2], g[:2])
    except ValueError as error:
        raise AnswerError(
            "What the VJP returns must have the shape of x; make columns of g and of out, "
            f"[:, None]. The message was: {error}"
        ) from None
    try:
        leaf = _leaf(x)
        (slope,) = grad(op(leaf).sum(), leaf, create_graph=True)
        graph = slope is not None and slope.requires_grad
    except (RuntimeError, TypeError):
        graph = False
    if not graph:
        raise AnswerError(
            "The numbers are right. But use tg.exp in place of np.exp: it works on Tensors "
            "too, so that the VJP can be differentiated again."
        )
    return "Right, for any number of rows and columns."


def _leaf(x: Any) -> Any:
    return tensor(np.asarray(x, np.float64), requires_grad=True)
