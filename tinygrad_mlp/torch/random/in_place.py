"""Tensors that become random numbers: ``uniform_`` and ``normal_``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .generator import Generator, source

if TYPE_CHECKING:
    from ..tensor import Tensor


def uniform_(
    input: Tensor, low: float = 0, high: float = 1, *, generator: Generator | None = None
) -> Tensor:
    """Become uniform random numbers from ``low`` to ``high``, PyTorch's for the same seed."""
    drawn = source("uniform_", generator).uniform_between(low, high, input.shape, input.dtype)
    return input.copy_(drawn)


def normal_(
    input: Tensor, mean: float = 0, std: float = 1, *, generator: Generator | None = None
) -> Tensor:
    """Become normal random numbers of this mean and standard deviation, PyTorch's."""
    drawn = source("normal_", generator).normal_around(mean, std, input.shape, input.dtype)
    return input.copy_(drawn)
