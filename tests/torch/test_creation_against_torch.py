"""What arange and linspace count, beside PyTorch: a grid of arguments, in every dtype."""

from itertools import product
from math import inf, nan
from typing import Any

import numpy as np
import pytest
import torch

import tinygrad_mlp as tg

pytestmark = pytest.mark.torch

WHOLE = ("uint8", "int8", "int16", "int32", "int64")
FLOATS = ("float16", "float32", "float64")
NUMBERS = [
    0,
    1,
    -1,
    3,
    -4,
    7,
    300,
    0.5,
    -0.5,
    2.5,
    1 / 3,
    -0.0,
    True,
    -1e3,
    1e10,
    2**53 + 1,
    nan,
    inf,
]
STEPS = [1, 2, -1, 3, True, 0.5, -0.5, 0.1, 0.7, 2.5, -1.5, 1e9, 0, 0.0, nan, inf, -inf]


def made(lib: Any, name: str, *args: Any, dtype: str | None) -> Any:
    """The array, or None where the arguments are refused."""
    try:
        found = getattr(lib, name)(*args, dtype=dtype and getattr(lib, dtype))
    except (RuntimeError, ValueError):  # PyTorch's errors are of either kind, ours a ValueError
        return None
    return found.numpy()


def bits(array: Any) -> Any:
    """All there is to know of an array, but for the many forms of nan."""
    if array.dtype.kind == "f":
        array = np.where(np.isnan(array), np.array(nan, array.dtype), array)
    return array.dtype, array.shape, array.tobytes()


def ranges() -> list[tuple[Any, ...]]:
    short = [t for t in product(NUMBERS, NUMBERS, STEPS) if not 1e4 < abs(t[1] - t[0]) < inf]
    return [
        *short,
        *((n,) for n in NUMBERS if not abs(n) > 1e4),
        *product(NUMBERS[:9], NUMBERS[:9]),
    ]


@pytest.mark.parametrize("dtype", WHOLE)
def test_arange_into_integers(dtype: str) -> None:
    for args in ranges():
        theirs, ours = (made(lib, "arange", *args, dtype=dtype) for lib in (torch, tg))
        assert (ours is None) == (theirs is None), args
        assert ours is None or bits(ours) == bits(theirs), args


@pytest.mark.parametrize("dtype", [*FLOATS, None])
def test_arange_into_floats(dtype: str | None) -> None:
    for args in ranges():
        theirs, ours = (made(lib, "arange", *args, dtype=dtype) for lib in (torch, tg))
        assert (ours is None) == (theirs is None), args
        if ours is not None:
            assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape), args
            if ours.dtype == np.int64:
                assert (ours == theirs).all(), args
            elif ours.size:
                # PyTorch rounds the first of each few, and then their sums with multiples of the
                # step; here there is one rounding, or in float64 two.
                top = max(abs(ours[0]), abs(ours[-1]), np.finfo(ours.dtype).tiny)
                assert (np.abs(ours - theirs) <= 3 * np.spacing(top)).all(), args


@pytest.mark.parametrize("dtype", [*WHOLE, *FLOATS, None])
def test_linspace(dtype: str | None) -> None:
    for *ends, steps in product(NUMBERS, NUMBERS, [0, 1, 2, 3, 5, 8, 17, 1000, -1]):
        theirs, ours = (made(lib, "linspace", *ends, steps, dtype=dtype) for lib in (torch, tg))
        if ours is None or theirs is None:
            # PyTorch does not look at an end that it does not reach, and takes -1, but not -0.5,
            # for the uint8 255.
            assert steps < 2 or dtype == "uint8" or ours is theirs, (ends, steps)
        else:
            assert bits(ours) == bits(theirs), (ends, steps)
