"""x y + z rounded once, as a processor does it that multiplies and adds in one instruction.

What is exact is kept in two numbers until the end; rounding to odd before it then keeps the last
rounding right (Boldo and Melquiond, Emulation of FMA and correctly rounded sums, 2008).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]
    Doubles = NDArray[np.float64]


@np.errstate(over="ignore", invalid="ignore")
def multiply_add(x: Floats, y: Floats | np.floating, z: Floats | np.floating) -> Floats:
    """x y + z in the dtype of x; for float16, as processors have none, with both rounded."""
    if x.dtype == np.float16:
        return x * y + z
    a, b, c = (np.asarray(v, np.float64) for v in (x, y, z))
    product = a * b
    if x.dtype == np.float32:  # of which float64 holds the product exactly
        return to_odd(product, c).astype(np.float32)
    (a1, a2), (b1, b2) = halves(a), halves(b)
    error = a2 * b2 - (((product - a1 * b1) - a2 * b1) - a1 * b2)
    high, low = two_sum(c, error)
    total, rest = two_sum(product, high)
    result = total + to_odd(rest, low)
    # What it is made of may be infinite where it is nearly so, and a zero has no sign there.
    return np.where(np.isfinite(result) & (result != 0), result, product + c)


def halves(x: Doubles) -> tuple[Doubles, Doubles]:
    """Two numbers of half as many digits, which add up to x."""
    high = x * (2**27 + 1)
    high = high - (high - x)
    return high, x - high


def two_sum(x: Doubles, y: Doubles) -> tuple[Doubles, Doubles]:
    """x + y rounded, and what the rounding took."""
    total = x + y
    part = total - x
    return total, (x - (total - part)) + (y - part)


def to_odd(x: Doubles, y: Doubles) -> Doubles:
    """x + y where that is exact; else, of its two neighbours, the one with an odd last bit."""
    total, error = two_sum(x, y)
    even = total.view(np.int64) & 1 == 0
    odd = np.nextafter(total, np.copysign(np.inf, error))
    return np.asarray(np.where((error != 0) & even, odd, total))
