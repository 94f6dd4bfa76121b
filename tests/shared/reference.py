"""The figures that the reference run printed, and when another agrees with one of them."""

import json
from decimal import Decimal
from pathlib import Path

import numpy as np
from numpy import ndarray

REFERENCE = json.loads((Path(__file__).parent / "reference_run.json").read_text(encoding="utf-8"))
PRINTED: dict[str, list[str]] = REFERENCE["printed_gradients"]

# Where the residual is so much smaller than its terms that float32 leaves less than was printed.
CANCELS = {("x", 16), ("x", 45), ("y", 16), ("b2", 16), ("y", 44), ("b2", 44)}


def as_printed(name: str, gradient: ndarray) -> list[float]:
    if name == "b1":
        gradient = gradient[np.ix_([0, 1, 2, 97, 98, 99], [0, 1, 2, 17, 18, 19])]
    return gradient.ravel().tolist()


def unit(printed: str) -> Decimal:
    return Decimal(1).scaleb(Decimal(printed).as_tuple().exponent)


def matches(figure: float, printed: str, cancels: bool) -> bool:
    last = unit(printed)
    allowed = max(last, Decimal("1e-6")) if cancels else last
    return abs(Decimal(figure) - Decimal(printed)) <= allowed
