"""The float32 logarithm, sine and cosine of PyTorch's kernels, the same bits on any machine.

They are the polynomials of Moshier's Cephes library, each product fused with the sum that takes it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]

LOG = np.array([
    7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
    -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
], np.float32)  # fmt: skip
LN2 = np.array([-2.12194440e-4, 0.693359375], np.float32)
PI_4 = np.array([0.78515625, 2.4187564849853515625e-4, 3.77489497744594108e-8], np.float32)
SIN = np.array([-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1], np.float32)
COS = np.array([2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2], np.float32)


def fused(a: Floats | np.float32, b: Floats | np.float32, c: Floats | np.float32) -> Floats:
    """a b + c; float64 holds the product exactly, and the sum nearly so."""
    return np.asarray(np.multiply(a, b, dtype=np.float64) + c, np.float32)


def polynomial(coefficients: Floats, x: Floats) -> Floats:
    value = coefficients[:1]
    for coefficient in coefficients[1:]:
        value = fused(value, x, coefficient)
    return value


def log(x: Floats) -> Floats:
    """The natural logarithm of each entry."""
    m, e = np.frexp(x)  # x = m * 2**e
    low = m < np.float32(math.sqrt(0.5))
    e = (e - low).astype(np.float32)
    m = np.where(low, m - 1 + m, m - 1)
    z = m * m
    y = fused(polynomial(LOG, m) * m, z, e * LN2[0])
    y = fused(z, np.float32(-0.5), y)
    return fused(e, LN2[1], m + y)


def sin_cos(x: Floats) -> tuple[Floats, Floats]:
    """The sine and the cosine of each entry, which is in radians and not negative."""
    octant = (x * np.float32(4 / math.pi)).astype(np.int32) + 1 & -2
    for part in PI_4:
        x = fused(octant.astype(np.float32), -part, x)
    z = x * x
    sin = fused(polynomial(SIN, z) * z, x, x)
    cos = fused(polynomial(COS, z) * z, z, z * np.float32(-0.5)) + 1
    exchanged = octant & 2 != 0
    sin, cos = np.where(exchanged, cos, sin), np.where(exchanged, sin, cos)
    return np.where(octant & 4, -sin, sin), np.where(octant + 2 & 4, -cos, cos)
