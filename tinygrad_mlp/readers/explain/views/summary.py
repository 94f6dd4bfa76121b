"""An array in a few words and figures, and in few cells."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from ....core.ops import Shape


class Summary(NamedTuple):
    """The range of an array, nan left out, its Euclidean norm, and how many entries are nan."""

    shape: Shape
    dtype: str
    least: float
    largest: float
    norm: float
    nans: int

    @property
    def range(self) -> str:
        """The least and the largest entry: -2.5 … 1.25."""
        return self.span(4)

    def span(self, digits: int) -> str:
        """The range in so many digits."""
        if 0 in self.shape:
            return "no entries"
        if self.nans == prod(self.shape):
            return "nan"
        ends = number(self.least, digits), number(self.largest, digits)
        text = ends[0] if ends[0] == ends[1] else " … ".join(ends)
        return text + f" and {self.nans} nan" * (self.nans > 0)

    def __str__(self) -> str:
        if self.shape == ():
            return self.range
        return f"{sizes(self.shape)}  {self.range}  norm {number(self.norm)}"


def summary(array: ndarray) -> Summary:
    """The summary of an array of numbers or of bools.

    >>> import numpy as np
    >>> str(summary(np.array([[3.0, -4.0]])))
    '1×2  -4 … 3  norm 5'
    >>> str(summary(np.array(0.25)))
    '0.25'
    """
    entries = array.astype(np.float64).ravel()
    known = entries[~np.isnan(entries)]
    nans = entries.size - known.size
    if not known.size:
        edge = np.nan if nans else 0.0
        return Summary(array.shape, str(array.dtype), edge, edge, edge, nans)
    largest = float(np.abs(known).max())
    norm = largest
    if 0 < largest < np.inf:
        # Scaled, since squares may overflow.
        norm = largest * float(np.sqrt(np.square(known / largest).sum()))
    norm = np.nan if nans else norm
    return Summary(
        array.shape, str(array.dtype), float(known.min()), float(known.max()), norm, nans
    )


def number(x: float, digits: int = 4) -> str:
    """The first digits of a number."""
    return f"{x:.{digits}g}"


def sizes(shape: Shape) -> str:
    """A shape in words: 100×20, or a number."""
    if len(shape) == 1:
        return f"{shape[0]}"
    return "×".join(map(str, shape)) or "a number"


class Cells(NamedTuple):
    """An array as a table of at most so many cells, each the mean of a block of entries."""

    rows: int
    columns: int
    means: ndarray
    block: tuple[int, int]  # the largest block


def cells(array: ndarray, most: int) -> Cells:
    """The last axis across, all others down; a vector across.

    >>> import numpy as np
    >>> cells(np.arange(8.0).reshape(2, 4), most=4).means.tolist()
    [[0.5, 2.5], [4.5, 6.5]]
    """
    columns = array.shape[-1] if array.ndim else 1
    rows = array.size // columns if columns else 0
    table = array.reshape(rows, columns)
    if array.size <= most:
        return Cells(rows, columns, table, (1, 1))
    down, across = 1, 1
    while -(-rows // down) * -(-columns // across) > most:
        # The longer side of what is left gives way.
        if rows / down >= columns / across:
            down += 1
        else:
            across += 1
    means = table.astype(np.float64)
    # Scaled by a power of two, since sums may overflow.
    scale = np.frexp(np.abs(means[np.isfinite(means)]).max(initial=0.0))[1]
    means = np.ldexp(means, -scale)
    with np.errstate(invalid="ignore"):  # infinities of both signs have no mean
        for axis, step in ((0, down), (1, across)):
            n = means.shape[axis]
            starts = np.arange(0, n, step)
            counts = np.minimum(step, n - starts)
            means = np.add.reduceat(means, starts, axis) / np.expand_dims(counts, 1 - axis)
    rows, columns = means.shape
    return Cells(rows, columns, np.ldexp(means, scale), (down, across))
