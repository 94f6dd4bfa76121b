"""Words as uniform numbers in [0, 1): as many random bits as the dtype holds, over 2 to that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .stream import Stream


def fill(flat: NDArray[np.floating], stream: Stream) -> None:
    """Uniform numbers into a flat array: a word for each of float32, two for each of float64."""
    bits = np.finfo(flat.dtype).nmant + 1
    for block in blocks(flat):
        words = stream.words(block.size, 8 * flat.itemsize)
        block[:] = (words & (2**bits - 1)) * 2.0**-bits


def blocks(flat: NDArray[np.floating]) -> Iterator[NDArray[np.floating]]:
    """Parts short enough for what is computed of one to stay in the cache; multiples of 16."""
    size = 2**15
    return (flat[start : start + size] for start in range(0, flat.size, size))
