"""What rounding does to a program's answer, measured; and what is a difference beyond that."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy import ndarray

from .programs import Program, trace

if TYPE_CHECKING:
    from .oracles import Oracle, Quantities


class Jitter:
    """Moves values, and apart from that their derivatives, by a few units in the last place.

    x becomes x + δ x₀ + ε (x − x₀) + η (x − x₀)² / |x₀|, where x₀ is the value that x has, as a
    constant, and δ, ε and η are random: another value by δ, another derivative by ε, and another
    second one by η. Done to each input and result of each step, this is what rounding does, but
    more of it, in values and in gradients. All of it is in float64, where δ, ε and η are as small
    as the dtypes of the program have them.
    """

    def __init__(self, program: Program, seed: int) -> None:
        self.traced = trace(program)
        self.random = np.random.Generator(np.random.PCG64(seed))
        self.state = self.random.bit_generator.state
        self.convert: Callable[[ndarray], Any] = lambda array: array

    def restart(self) -> None:
        """Give the same numbers again, for the program to run another time."""
        self.random.bit_generator.state = self.state

    def __call__(self, place: int, x: Any) -> Any:
        base, delta = self.at(place)
        return x + self.convert(np.asarray(delta * base)) + self.of_slope(place, x, curved=True)

    def of_slope(self, place: int, x: Any, curved: bool = False) -> Any:
        base, epsilon = self.at(place)
        moved = x - self.convert(base)
        slope = moved * self.convert(epsilon)
        if not curved:
            return slope
        # Not by an x₀ that is smaller than what x may have been moved by.
        root = np.sqrt(np.finfo(self.traced.dtypes[place]).eps)
        curve = self.at(place)[1] / np.maximum(np.abs(base), root)
        return slope + moved * moved * self.convert(np.asarray(curve))

    def of_slopes(self, place: int, x: Any) -> Any:
        """The same for the first derivative and, apart from that, for the second."""
        moved = x - self.convert(self.at(place)[0])
        return self.of_slope(place, x) + self.of_slope(place, x) * moved

    def at(self, place: int) -> tuple[ndarray, ndarray]:
        value, dtype = self.traced.values[place], self.traced.dtypes[place]
        factors = np.finfo(dtype).eps * self.random.uniform(-4, 4, value.shape)
        return value, np.asarray(factors)


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
