"""Normal numbers of pairs of uniform ones, by Box and Muller: a radius and an angle each.

Fewer than 16 are made one by one in double precision, 16 or more in blocks of 16 in their dtype.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from . import cephes
from .uniform import blocks, fill

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .stream import Stream

    Doubles = NDArray[np.float64]
    Floats = NDArray[np.floating]


def fill_normal(flat: Floats, stream: Stream) -> None:
    """Normal numbers into a flat array."""
    if flat.size < 16:
        # The zeros added are PyTorch's mean, which turns a -0.0 into 0.0.
        flat[:] = [one(stream) + 0 for _ in range(flat.size)]
        return
    rest = flat.size % 16
    last = np.empty(16 if rest else 0, flat.dtype)
    fill(flat, stream)
    fill(last, stream)
    for block in blocks(flat[: flat.size - rest]):
        block[:] = of_uniform(block)
    if rest:
        flat[-16:] = of_uniform(last)


def one(stream: Stream) -> float:
    """The cosine's number of a pair, and in the next call the sine's."""
    if stream.kept is not None:
        value, stream.kept = stream.kept, None
        return value
    pair = np.empty(2)
    fill(pair, stream)
    u1, u2 = pair.tolist()
    radius, angle = math.sqrt(-2 * math.log1p(-u2)), 2 * math.pi * u1
    stream.kept = radius * math.sin(angle)
    return radius * math.cos(angle)


def of_uniform(uniforms: Floats) -> Floats:
    """Of each 16, the first 8 make the radii and the other 8 the angles."""
    u1, u2 = uniforms.reshape(-1, 2, 8).swapaxes(0, 1)
    single = uniforms.dtype == np.float32
    log, sin_cos = (cephes.log, cephes.sin_cos) if single else (log_64, sin_cos_64)
    radius = np.sqrt(-2 * log(1 - u1))
    sin, cos = sin_cos(2 * math.pi * u2)
    numbers: Floats = np.stack([radius * cos, radius * sin], axis=1).reshape(-1)
    return numbers + 0


def log_64(x: Floats) -> Doubles:
    # NumPy's own logarithm is at times one unit in the last place away from the C library's.
    return np.fromiter(map(math.log, x.flat), np.float64, x.size).reshape(x.shape)


def sin_cos_64(x: Floats) -> tuple[Floats, Floats]:
    return np.sin(x), np.cos(x)
