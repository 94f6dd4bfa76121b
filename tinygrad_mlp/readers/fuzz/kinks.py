"""Whether a derivative exists at a place and everywhere near it, by an op's domain."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy import ndarray

MARGIN = 1 / 64  # how far a program keeps from kinks and poles


class Around:
    """An array and all that is within a margin of it: a comparison holds where it does for all."""

    __array_ufunc__ = None

    def __init__(self, low: Any, high: Any) -> None:
        self.low = low
        self.high = high

    def __gt__(self, other: Any) -> Any:
        return self.low > bounds(other)[1]

    def __lt__(self, other: Any) -> Any:
        return self.high < bounds(other)[0]

    def __ge__(self, other: Any) -> Any:
        return self.low >= bounds(other)[1]

    def __le__(self, other: Any) -> Any:
        return self.high <= bounds(other)[0]

    def __ne__(self, other: Any) -> Any:
        return np.True_ if other is None else (self < other) | (self > other)

    def __eq__(self, other: Any) -> Any:
        return (self <= other) & (self >= other)

    def __abs__(self) -> Around:
        ends = np.abs(self.low), np.abs(self.high)
        inside = (self.low < 0) & (self.high > 0)
        return Around(np.where(inside, 0.0, np.minimum(*ends)), np.maximum(*ends))

    __hash__ = None  # type: ignore[assignment]


def bounds(x: Any) -> tuple[Any, Any]:
    return (x.low, x.high) if isinstance(x, Around) else (x, x)


def smooth(
    domain: Callable[..., Any] | None,
    xs: Sequence[ndarray],
    options: Sequence[Any] = (),
    margin: float = MARGIN,
) -> bool:
    """Whether these inputs, and all that are within the margin of them, are in an op's domain.

    >>> smooth(lambda x: x != 0, [np.array([1.0, -0.01])])
    False
    """
    if domain is None:
        return True
    try:
        found = [domain(*(Around(x - margin, x + margin) for x in xs), *options)]
    except (TypeError, AttributeError):  # it does more to its inputs than to compare them
        near = product(*((x - margin, x, x + margin) for x in xs))
        found = [domain(*some, *options) for some in near]
    return all(bool(np.all(x)) for x in found)


def ahead(x: ndarray, axes: Sequence[int] | None) -> bool:
    """Whether the largest entry over some axes is well ahead of the next; there has to be one."""
    axes = range(x.ndim) if axes is None else [a % x.ndim for a in axes]
    n = math.prod(x.shape[a] for a in axes)
    if n == 0 or x.ndim == 0 != len(axes):
        return False
    if n == 1:
        return True
    kept = [a for a in range(x.ndim) if a not in axes]
    flat = x.transpose((*kept, *axes)).reshape(*(x.shape[a] for a in kept), n)
    best = np.sort(flat, -1)
    return bool((best[..., -1] - best[..., -2] >= MARGIN).all())
