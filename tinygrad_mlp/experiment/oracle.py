"""The closed form as an oracle of the fuzzer."""

from __future__ import annotations

import numpy as np

from ..readers.fuzz.answers import Answer, Oracle, Unavailable, array_leaves, wanted
from ..readers.fuzz.generating import TWO_LAYER
from ..readers.fuzz.jitter import Jitter
from ..readers.fuzz.programs import Program
from .bounds import error_bounds
from .closed_form import closed_form as by_hand
from .two_layer import NAMES


def closed_form() -> Oracle:
    """The formulas worked out by hand, for two-layer programs."""

    def answer(program: Program, order: int = 1, jitter: Jitter | None = None) -> Answer:
        if program.steps != TWO_LAYER or order > 1:
            raise Unavailable("the closed form is of the two-layer network's first derivatives")
        f, gradients = by_hand(*array_leaves(program))
        bound, bounds = error_bounds(*(leaf.array() for leaf in program.leaves))
        found, errors = {"x13": np.asarray(f)}, {"x13": np.asarray(bound)}
        for i in wanted(program)[: len(NAMES) * order]:
            name = NAMES[i]
            found[f"df/dx{i}"], errors[f"df/dx{i}"] = gradients[name], bounds[name]
        return Answer(found, errors)

    return Oracle("closed-form", answer, two_layer_only=True)
