"""Functions of each entry: PyTorch's, made of the ops, which have the VJPs."""

from __future__ import annotations

from math import inf, log
from typing import TYPE_CHECKING

import numpy as np

from .grad_fn import shown_as

if TYPE_CHECKING:
    from .tensor import Tensor


@shown_as("Reciprocal0")
def reciprocal(input: Tensor) -> Tensor:
    """1 / x of each entry; of whole numbers in float32."""
    return 1 / input


@shown_as("Rsqrt0")
def rsqrt(input: Tensor) -> Tensor:
    """1 / √x of each entry; of whole numbers in float32."""
    return 1 / input.sqrt()


@shown_as("Tan0")
def tan(input: Tensor) -> Tensor:
    """The tangent of each entry, in radians."""
    return input.sin() / input.cos()


@shown_as("Log20")
def log2(input: Tensor) -> Tensor:
    """The logarithm to base 2 of each entry.

    >>> import tinygrad_mlp as tg
    >>> tg.tensor([0.5, 1.0, 8.0]).log2()
    tensor([-1.,  0.,  3.])
    """
    return input.log() / log(2)


@shown_as("Log100")
def log10(input: Tensor) -> Tensor:
    """The logarithm to base 10 of each entry."""
    return input.log() / log(10)


# Where something holds: bool Tensors, off the tape.


def isnan(input: Tensor) -> Tensor:
    """Where an entry is not a number."""
    found: Tensor = input != input
    return found


def isinf(input: Tensor) -> Tensor:
    """Where an entry is infinite."""
    found: Tensor = input.abs() == inf
    return found


def isfinite(input: Tensor) -> Tensor:
    """Where an entry is neither infinite nor not a number.

    >>> import tinygrad_mlp as tg
    >>> tg.tensor([1.0, tg.inf, tg.nan]).isfinite()
    tensor([ True, False, False])
    """
    found: Tensor = (input == input) & (input.abs() != inf)
    return found


def isclose(
    input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Tensor:
    """Where |x − y| ≤ atol + rtol |y|; not a number is close to itself if ``equal_nan``.

    TypeError where the other is no Tensor, or of another dtype.

    >>> import tinygrad_mlp as tg
    >>> tg.tensor([1.0, 2.0]).isclose(tg.tensor([1.1, 2.0]), rtol=0.01)
    tensor([False,  True])
    """
    if not isinstance(other, type(input)):
        raise TypeError(f"isclose: a Tensor is needed, not {type(other).__name__}")
    x, y = input.detach().numpy(), other.detach().numpy()
    if x.dtype != y.dtype:
        raise TypeError(
            f"isclose: both need the same dtype, not {x.dtype} and {y.dtype}; convert with to()"
        )
    return input.detach().new_tensor(np.isclose(x, y, rtol, atol, equal_nan), dtype=bool)


def logical_not(input: Tensor) -> Tensor:
    """Where an entry is 0 or false."""
    found: Tensor = input == 0
    return found


def logical_and(input: Tensor, other: Tensor) -> Tensor:
    """Where both are neither 0 nor false."""
    found: Tensor = (input != 0) & (other != 0)
    return found


def logical_or(input: Tensor, other: Tensor) -> Tensor:
    """Where one of two is neither 0 nor false."""
    found: Tensor = (input != 0) | (other != 0)
    return found


def logical_xor(input: Tensor, other: Tensor) -> Tensor:
    """Where exactly one of two is neither 0 nor false."""
    found: Tensor = (input != 0) ^ (other != 0)
    return found
