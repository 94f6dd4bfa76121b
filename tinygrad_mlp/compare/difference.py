"""How far two arrays are from each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import numpy as np
from numpy import ndarray

FEW = 5  # entries of an array that are shown


@dataclass(frozen=True)
class Difference:
    """How far the entries of two arrays of one shape are from each other, at most.

    ``ulps`` counts in units in the last place of the larger of the two entries, ``relative`` is
    to it, and ``scaled`` is to the largest entry of the whole array. All are 0 where two entries
    are equal or both nan, and infinite where only one of the two is finite.

    >>> import numpy as np
    >>> difference = Difference.between("x", np.float32([1.0, 0.1]), np.float32([1.0000001, 0.1]))
    >>> difference.ulps, difference.shape, difference.equal
    (1.0, (2,), 1)
    """

    name: str
    shape: tuple[int, ...]
    ulps: float
    relative: float
    absolute: float
    scaled: float
    equal: int  # how many entries are the same, bit for bit but for the sign of 0
    ours: ndarray = field(repr=False, compare=False)
    theirs: ndarray = field(repr=False, compare=False)

    @classmethod
    def between(cls, name: str, ours: ndarray, theirs: ndarray) -> Difference:
        """Of two arrays; ValueError where their shapes or dtypes differ."""
        if (ours.shape, ours.dtype) != (theirs.shape, theirs.dtype):
            raise ValueError(
                f"compare: {name} has shape {ours.shape} and dtype {ours.dtype} here, and shape "
                f"{theirs.shape} and dtype {theirs.dtype} under PyTorch"
            )
        if not ours.size:
            return cls(name, ours.shape, 0.0, 0.0, 0.0, 0.0, 0, ours, theirs)
        a, b = (x if x.dtype.kind == "f" else x.astype(np.float64) for x in (ours, theirs))
        with np.errstate(all="ignore"):
            same = (a == b) | (np.isnan(a) & np.isnan(b))
            one = np.where(same, 0, np.abs(a.astype(np.longdouble) - b))
            larger = np.maximum(np.abs(a), np.abs(b))
            apart = np.where(same | np.isfinite(one), one, np.inf)
            info = np.finfo(a.dtype)
            # np.spacing has none for the largest number.
            exponent = np.maximum(np.frexp(larger)[1] - 1, info.minexp) - info.nmant
            ulps = np.where(same, 0, apart / np.ldexp(np.longdouble(1), exponent))
            relative = np.where(same, 0, apart / larger)
            largest = np.max(larger, initial=0, where=np.isfinite(larger))
            scaled = np.where(same, 0, apart / (largest or 1))
        worst = (np.where(np.isnan(x), np.inf, x).max() for x in (ulps, relative, apart, scaled))
        by_ulps, by_size, by_itself, by_largest = map(float, worst)
        equal = int(same.sum())
        return cls(name, ours.shape, by_ulps, by_size, by_itself, by_largest, equal, ours, theirs)

    def to_dict(self, most: int | None = FEW) -> dict[str, Any]:
        """The same for JSON, with at most so many of the entries, or with all."""
        return {
            "shape": list(self.shape),
            "ulps": finite(self.ulps),
            "relative": finite(self.relative),
            "absolute": finite(self.absolute),
            "relative_to_largest_entry": finite(self.scaled),
            "equal_entries": self.equal,
            "here": [finite(x) for x in self.ours.ravel()[:most].tolist()],
            "under_torch": [finite(x) for x in self.theirs.ravel()[:most].tolist()],
        }


def finite(number: float) -> float | None:
    return number if isfinite(number) else None
