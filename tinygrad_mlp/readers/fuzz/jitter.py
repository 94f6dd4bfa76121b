"""What rounding does to the values and the derivatives of a program, done to it on purpose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import ndarray

from .programs import Program, trace


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
