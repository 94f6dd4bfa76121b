"""The gradients that arrived at a function's inputs, beside those that ``derive`` gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy import ndarray

from ...torch.tensor import Tensor
from ..derive.deriving import derive
from .explanation import ExplainedTape


def by_formula(
    function: Callable[..., Tensor], inputs: Mapping[str, Tensor], explanation: ExplainedTape
) -> dict[str, tuple[ndarray, ndarray]]:
    """For each input that a gradient arrives at, it and what the formula of ``derive`` gives.

    TypeError or ValueError where there is no formula that can be evaluated.
    """
    found = ((name, explanation.gradient(x)) for name, x in inputs.items())
    arrived = {name: g for name, g in found if g is not None}
    formulas = derive(function, list(arrived), **inputs)
    values = {name: x.detach().numpy() for name, x in inputs.items()}
    pairs = {}
    for formula, (name, g) in zip(formulas, arrived.items(), strict=True):
        given = {name: values[name] for name in formula.arguments if name in values}
        value = np.broadcast_to(formula(given), g.shape)
        pairs[f"∂{explanation.output.text}/∂{name}"] = g, value
    return pairs
