"""Notebook 4: derivatives of derivatives."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...core import ops
from ...torch.creation import tensor
from .verdict import UNFILLED, AnswerError, among, array, close, exercise


@exercise
def taylor(function: Any) -> str:
    """Notebook 4: the coefficients of Taylor's polynomials."""
    try:
        sine, exponential = function(ops.sin, 5), function(ops.exp, 5)
    except RuntimeError as error:
        raise AnswerError(
            "There is no graph to take the next derivative of. Ask for it each time: "
            f"create_graph=True. (The message was: {error})"
        ) from None
    for found, derivatives in ((sine, [0.0, 1, 0, -1, 0, 1]), (exponential, [1.0] * 6)):
        if found is None:
            raise AnswerError("taylor returns None. Is the return missing?")
        if len(found) != 6:
            raise AnswerError(f"For order 5 there are 6 coefficients, c₀ to c₅, not {len(found)}.")
        if any(c is ... for c in found):
            raise AnswerError(UNFILLED)
        if any(hasattr(c, "detach") for c in found):
            raise AnswerError("The coefficients should be plain numbers: .item()")
        right = [d / math.factorial(k) for k, d in enumerate(derivatives)]
        mistakes = {
            "These are the derivatives. The coefficients are the derivatives divided by k!.": [
                *derivatives
            ],
            "You divide by k; it should be by k!, math.factorial(k).": [
                d / max(k, 1) for k, d in enumerate(derivatives)
            ],
            "All are the same derivative: put the next one in place of derivative.": [
                derivatives[0] / math.factorial(k) for k in range(6)
            ],
            "You multiply by k!; it should be divided by.": [
                d * math.factorial(k) for k, d in enumerate(derivatives)
            ],
            "They come one too early: c₀ is f(0) itself. First append, then differentiate.": [
                d / math.factorial(k) for k, d in enumerate([*derivatives[1:], derivatives[2]])
            ],
        }
        # The derivatives of exp are all 1, so that it tells fewer mistakes apart than the sine.
        name = "sin" if found is sine else "exp"
        for message, wrong in mistakes.items():
            if close(found, wrong) and not close(found, right):
                raise AnswerError(message)
        if not close(found, right):
            raise AnswerError(f"Of {name} they should begin {right[:4]}, but yours do {found[:4]}.")
    return "Right. Five derivatives, each taken of the one before."


@exercise
def hvp(function: Any) -> str:
    """Notebook 4: the Hessian times a vector."""
    x = tensor(np.array([1.0, 2.0, 3.0]), requires_grad=True)
    v = tensor(np.array([1.0, -1.0, 2.0]))

    def cubes(x: Any) -> Any:
        return x[0] * x[1] * x[2] + (x**3).sum()

    product = function(cubes, x, v)
    if product is ...:
        raise AnswerError(UNFILLED)
    if product is None:
        raise AnswerError("hvp returns None. Is a return missing?")
    if isinstance(product, tuple):
        raise AnswerError("grad returns a tuple; hvp should return its one entry: (product,) = …")
    found = array(product.detach().numpy(), (3,), "The product")
    a, b, c = 1.0, 2.0, 3.0
    hessian = np.array([[6 * a, c, b], [c, 6 * b, a], [b, a, 6 * c]])
    gradient = np.array([b * c, a * c, a * b]) + 3 * np.array([a, b, c]) ** 2
    w = np.array([1.0, -1.0, 2.0])
    among(
        found,
        hessian @ w,
        {
            "v is not in it: this is H times ones. Multiply the gradient by v, then sum.": hessian
            @ np.ones(3),
            "This is the gradient times v. Sum it, and differentiate that once more.": gradient * w,
            "You multiply by v after the second gradient; it has to be before.": hessian
            @ np.ones(3)
            * w,
            "This is the gradient, the first derivative.": gradient,
        },
        "The product",
    )
    return "Right. H itself was never there."
