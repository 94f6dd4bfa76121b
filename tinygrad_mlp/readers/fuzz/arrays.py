"""The ops on arrays, in the words of any library that looks like NumPy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy import ndarray

from ...core.ops import Shape


class Arrays:
    """The ops on arrays of a library that looks like NumPy.

    Branches are taken by the real part, so that complex numbers x + ih give the derivative.
    """

    def __init__(self, xp: Any = np) -> None:
        self.xp = xp

    def __getattr__(self, name: str) -> Any:
        return getattr(self.xp, name)

    def absolute(self, x: Any) -> Any:
        return self.xp.where(self.xp.real(x) < 0, -x, x)

    def relu(self, x: Any) -> Any:
        return self.xp.where(self.xp.real(x) > 0, x, 0.0)

    def sign(self, x: Any) -> Any:
        return self.xp.sign(self.xp.real(x))

    def sigmoid(self, x: Any) -> Any:
        e = self.xp.exp(-self.absolute(x))
        return self.xp.where(self.xp.real(x) >= 0, 1.0, e) / (1.0 + e)

    def larger(self, x: Any, y: Any) -> Any:
        return self.either(self.xp.real(x) >= self.xp.real(y), x, y)

    def smaller(self, x: Any, y: Any) -> Any:
        return self.either(self.xp.real(x) <= self.xp.real(y), x, y)

    def clamp(self, x: Any, low: float | None, high: float | None) -> Any:
        x = x if low is None else self.larger(x, low)
        return x if high is None else self.smaller(x, high)

    def power(self, x: Any, p: Any) -> Any:
        # NumPy takes a complex power by way of logarithms.
        if isinstance(p, int) and abs(p) <= 3:
            out = self.xp.ones_like(x)
            for _ in range(abs(p)):
                out = out * x
            return out if p >= 0 else 1.0 / out
        return x**p

    def choice(self, c: Any, x: Any, y: Any) -> Any:
        return self.either(self.xp.real(c) > 0, x, y)

    def either(self, condition: Any, x: Any, y: Any) -> Any:
        # autograd's where cannot be differentiated where it broadcasts.
        return condition * 1.0 * x + (~condition) * 1.0 * y

    def scatter(self, x: Any, index: Any, into: Shape) -> Any:
        if self.xp is not np:
            return self.xp.zeros(into).at[index].add(x)
        out = np.zeros(into, x.dtype)
        np.add.at(out, index, x)
        return out

    def average(self, x: Any, axis: Any, keepdims: bool) -> Any:
        out = self.xp.sum(x, axis=axis, keepdims=keepdims)
        return out / (x.size / out.size if x.size else math.nan)

    def tensor(self, data: Any) -> ndarray:
        return np.array(data)


NUMPY = Arrays()


def realised(lib: Any, index: tuple[Any, ...]) -> tuple[Any, ...]:
    """An index as data, as the library takes it."""

    def entry(e: Any) -> Any:
        if isinstance(e, tuple):
            return slice(*e[1:]) if e[0] == "slice" else lib.tensor(list(e[1]))
        return ... if e == "..." else e

    return tuple(map(entry, index))
