"""Many entries to one, or to fewer, over axes or over all."""

from __future__ import annotations

from math import inf, nan
from reprlib import repr as brief
from typing import TYPE_CHECKING

import numpy as np

from .accepts import as_axes
from .grad_fn import shown_as

if TYPE_CHECKING:
    from .tensor import AxisLike, Tensor


@shown_as("Var0")
def var(
    input: Tensor,
    dim: AxisLike = None,
    unbiased: bool = True,
    keepdim: bool = False,
    *,
    correction: int | None = None,
) -> Tensor:
    """The mean square distance from the mean, over one axis, several, or all.

    The sum of n squares is over n − ``correction``, which is 1, or 0 where not ``unbiased``; where
    that is not positive, the variance is not a number. TypeError for a dtype that is not a float.

    >>> import tinygrad_mlp as tg
    >>> tg.tensor([1.0, 2.0, 3.0]).var()
    tensor(1.)
    """
    if isinstance(dim, bool):  # as PyTorch, var(False)
        unbiased, dim = dim, None
    if input.dtype.kind != "f":
        raise TypeError(f"var: a float dtype is needed, not {input.dtype}; use .float() first")
    axes = as_axes("var", input.ndim, None, dim)
    sizes = input.shape if axes is None else [input.shape[a] for a in axes]
    n = int(np.prod(sizes)) - (unbiased if correction is None else correction)
    squares = (input - input.mean(axes, True)) ** 2
    return squares.sum(axes, keepdim) / (n if n > 0 else nan)


@shown_as("Std0")
def std(
    input: Tensor,
    dim: AxisLike = None,
    unbiased: bool = True,
    keepdim: bool = False,
    *,
    correction: int | None = None,
) -> Tensor:
    """The square root of ``var``; where it is 0, so is its gradient."""
    return root(var(input, dim, unbiased, keepdim, correction=correction))


@shown_as("LinalgVectorNorm0")
def norm(
    input: Tensor, p: float | str = "fro", dim: AxisLike = None, keepdim: bool = False
) -> Tensor:
    """(Σ |x|ᵖ)¹ᐟᵖ for p = 2, which is "fro", 1 or infinity; where it is 0, so is its gradient.

    ValueError for another p.

    >>> import tinygrad_mlp as tg
    >>> x = tg.tensor([3.0, -4.0])
    >>> x.norm(), x.norm(1), x.norm(tg.inf)
    (tensor(5.), tensor(7.), tensor(4.))
    """
    if p == 1:
        return input.abs().sum(dim, keepdim)
    if p == inf:
        return input.abs().amax(dim, keepdim)
    if p not in ("fro", 2):
        raise ValueError(f"norm: p is 1, 2, inf or 'fro', not {brief(p)}")
    return root((input * input).sum(dim, keepdim))


@shown_as("Logsumexp0")
def logsumexp(input: Tensor, dim: AxisLike, keepdim: bool = False) -> Tensor:
    """log Σ eˣ over axes, finite for any finite x.

    >>> import tinygrad_mlp as tg
    >>> tg.tensor([1000.0, 1000.0]).logsumexp(0)
    tensor(1000.6932)
    """
    axes = as_axes("logsumexp", input.ndim, None, dim)
    if not input.numel():
        return input.sum(axes, keepdim) - inf  # the logarithm of 0
    largest = input.detach().amax(axes, True)
    largest = largest.where(largest.isfinite(), 0.0)
    total = (input - largest).exp().sum(axes, True).log() + largest
    return total if keepdim else total.squeeze(axes)


@shown_as("Trace0")
def trace(input: Tensor) -> Tensor:
    """The sum of the diagonal of a matrix; ValueError for another shape."""
    return input.diag().sum()


def count_nonzero(input: Tensor, dim: AxisLike = None) -> Tensor:
    """How many entries are not 0, in int64."""
    others: Tensor = input != 0
    return others.sum(dim)


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether two Tensors have the same shape and the same entries."""
    return input.shape == other.shape and bool((input == other).all())


def allclose(
    input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> bool:
    """Whether |x − y| ≤ atol + rtol |y| everywhere; raises as ``isclose`` does."""
    return bool(input.isclose(other, rtol, atol, equal_nan).all())


def root(x: Tensor) -> Tensor:
    """The square root, whose gradient is 0, PyTorch's choice, where it is 0."""
    zero = x == 0
    return x.where(~zero, 1.0).sqrt().where(~zero, 0.0)
