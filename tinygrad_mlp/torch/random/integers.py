"""Words as whole numbers below a bound, and as an order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .stream import Stream


def between(stream: Stream, low: int, high: int, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """From ``low`` up to but without ``high``."""
    # One word each, or for wider ranges two.
    words = stream.words(shape, 32 if high - low < 2**28 else 64)
    drawn = np.asarray(words, np.uint64) % np.uint64(high - low)
    return np.asarray(drawn.astype(np.int64) + np.int64(low))


def permutation(stream: Stream, n: int) -> NDArray[np.int64]:
    """The numbers from 0 up to but without n, each exchanged with itself or a later one."""
    words = stream.words(max(n - 1, 0), 32).tolist()
    order = list(range(n))
    for i, word in enumerate(words):
        j = i + word % (n - i)
        order[i], order[j] = order[j], order[i]
    return np.array(order, np.int64)
