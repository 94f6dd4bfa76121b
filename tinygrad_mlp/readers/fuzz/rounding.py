"""What is a difference between two answers beyond what rounding does to them, as measured."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from .answers import Oracle, Quantities
from .jitter import Jitter
from .programs import Program


class Difference(NamedTuple):
    """A quantity on which the tape and an oracle differ by more than rounding explains."""

    quantity: str
    oracle: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.quantity}: {self.found}, but by {self.oracle} {self.expected}"


ROUNDS = 5
SAFETY = 32


def difference(
    program: Program, mine: Quantities, oracle: Oracle, order: int = 1
) -> Difference | None:
    """The first quantity on which an answer and an oracle differ by more than rounding explains.

    What rounding can do is measured: the oracle answers again, with each entry of each intermediate
    result moved by a few units in the last place, at random (stochastic arithmetic, after Vignes).
    """
    theirs = oracle.answer(program, order, None)
    if lacking := [name for name in mine if name not in theirs.quantities]:
        raise ValueError(f"the answer lacks {', '.join(lacking)}")
    if other := [name for name in theirs.quantities if name not in mine]:
        raise ValueError(f"the answer has {', '.join(other)}, which was not asked for")
    suspicious = []
    coarse = any(leaf.dtype == "float32" for leaf in program.leaves) or any(
        step.options.get("dtype") == "float32" for step in program.steps
    )
    eps = float(np.finfo("float32" if coarse else "float64").eps)
    for name, b in theirs.quantities.items():
        a = mine[name]
        if a.shape != b.shape or (oracle.exact_dtypes and a.dtype != b.dtype):
            return Difference(name, oracle.name, f"{a.dtype}{a.shape}", f"{b.dtype}{b.shape}")
        if a.size == 0:
            continue
        # In most programs rounding is far less than this, and nothing needs to be measured.
        error = theirs.errors.get(name, 0.0)
        if not near(a, b, 16 * eps * np.abs(b), error).all():
            suspicious.append(name)
    if not suspicious:
        return None
    moved = [
        oracle.answer(program, order, Jitter(program, seed)).quantities for seed in range(ROUNDS)
    ]
    spread = {name: np.ptp([found[name] for found in moved], 0) for name in suspicious}
    for name in suspicious:
        a, b = mine[name].astype(np.float64), theirs.quantities[name].astype(np.float64)
        least = float(np.finfo("float32" if coarse else "float64").tiny) * LARGEST_SLOPE
        rounding = SAFETY * (spread[name] + eps * np.abs(b)) + least
        off = ~near(a, b, rounding, theirs.errors.get(name, 0.0))
        if off.any():
            at = tuple(map(int, np.argwhere(off)[0]))
            where = f"{name}{list(at)}" if at else name
            return Difference(where, oracle.name, repr(a[at].item()), repr(b[at].item()))
    return None


LARGEST_SLOPE = 1e6  # that an underflow may meet


def near(a: ndarray, b: ndarray, rounding: ndarray, error: Any) -> ndarray:
    """Where a number agrees with an oracle's b: the same, or both finite and not far apart.

    Where the oracle's own error is infinite, it has not said anything.
    """
    close = np.isfinite(b) & (np.abs(a - b) <= rounding + SAFETY * error)
    return np.asarray((a == b) | np.isinf(error) | close)
