"""``tinygrad-mlp experiment``: the tape against the closed form on the two-layer network."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

import numpy as np

from ..experiment.check import compared
from ..experiment.report import FEW, report
from ..experiment.two_layer import FORMULA
from . import options
from .printing import draw, print_json, show

PARENTS = (
    options.network(),
    options.drawn(),
    options.output(
        json="as JSON, each array row by row",
        full="every figure, not the first few",
        plot="draw both gradients and their difference, as PNG, PDF, SVG, …",
    ),
)


def add(parser: ArgumentParser) -> None:
    """It takes what others take."""


def run(parser: ArgumentParser, given: Namespace) -> int:
    """Prints the loss f = ‖Y − σ(X W1 + b1) W2 − b2‖² of random data and, for each
    of the six inputs, the first few gradients that the tape and the closed form
    give and how far they differ. They agree where no difference is larger than
    rounding can explain. The exit status is 0 if all agree, 1 if any does not,
    and 2 for options that make no sense.
    """
    result = compared(given.seed, *options.network_of(given), given.dtype)
    gradients = result["gradients"]
    if given.plot is not None:
        pairs = {
            f"∂f/∂{name}": [np.reshape(g[way], g["shape"]) for way in ("tape", "closed_form")]
            for name, g in gradients.items()
        }
        draw(parser, given.plot, pairs, "closed form", FORMULA)
    if not given.full:
        for g in gradients.values():
            g["tape"], g["closed_form"] = g["tape"][:FEW], g["closed_form"][:FEW]
    if given.json:
        print_json(result)
    else:
        show(report(result))
    return 0 if result["agree"] else 1
