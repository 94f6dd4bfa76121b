"""The same entries in another arrangement, in parts, repeated, or elsewhere in memory."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from operator import index as as_int
from typing import TYPE_CHECKING, overload

import numpy as np

from .accepts import as_axes, as_axis, as_shape, size_of
from .grad_fn import shown, shown_as

if TYPE_CHECKING:
    from .accepts import Sizes
    from .tensor import Tensor


# In memory.


@overload
def stride(input: Tensor, dim: None = None) -> tuple[int, ...]: ...
@overload
def stride(input: Tensor, dim: int) -> int: ...
def stride(input: Tensor, dim: int | None = None) -> int | tuple[int, ...]:
    """How many entries apart in memory the neighbours along each axis are, or along one.

    >>> import tinygrad_mlp as tg
    >>> tg.zeros(2, 3).stride(), tg.zeros(2, 3).t().stride()
    ((3, 1), (1, 3))
    """
    strides = tuple(s // input.itemsize for s in input._array.strides)
    return strides if dim is None else strides[as_axis("stride", input.ndim, dim)]


def is_contiguous(input: Tensor) -> bool:
    """Whether the entries lie in memory row by row."""
    return input._array.flags.c_contiguous


def contiguous(input: Tensor) -> Tensor:
    """The same with the entries row by row in memory: itself, or a copy."""
    if is_contiguous(input):
        return input
    return shown(input.reshape(-1).clone().reshape(input.shape), "Clone0")


# In another shape.


def view_as(input: Tensor, other: Tensor) -> Tensor:
    """``view`` in the shape of another Tensor."""
    return input.view(other.shape)


def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    """``reshape`` to the shape of another Tensor."""
    return input.reshape(other.shape)


def expand_as(input: Tensor, other: Tensor) -> Tensor:
    """Broadcast to the shape of another Tensor."""
    return input.expand(other.shape)


def ravel(input: Tensor) -> Tensor:
    """All entries along one axis."""
    return shown(input.reshape(-1), "View0")


def swapaxes(input: Tensor, axis0: int, axis1: int) -> Tensor:
    """With two axes exchanged."""
    return input.transpose(axis0, axis1)


def movedim(input: Tensor, source: int, destination: int) -> Tensor:
    """With an axis moved to another place.

    >>> import tinygrad_mlp as tg
    >>> tg.zeros(2, 3, 4).movedim(0, -1).shape
    (3, 4, 2)
    """
    start = as_axis("movedim", input.ndim, source)
    order = [a for a in range(input.ndim) if a != start]
    order.insert(as_axis("movedim", input.ndim, destination), start)
    return input.permute(order)


@shown_as("Flip0")
def flip(input: Tensor, *dims: Sizes) -> Tensor:
    """With the entries in reverse order along axes, given one by one or as one sequence.

    >>> import tinygrad_mlp as tg
    >>> tg.tensor([1, 2, 3]).flip(0)
    tensor([3, 2, 1])
    """
    axes = as_axes("flip", input.ndim, dims[0] if len(dims) == 1 else dims) or ()
    for axis in sorted(axes):
        input = input[(slice(None),) * axis + (np.arange(input.shape[axis])[::-1],)]
    return input


@shown_as("Repeat0")
def repeat(input: Tensor, *repeats: Sizes) -> Tensor:
    """The whole, so many times along each axis; more numbers than axes make new ones in front.

    ValueError for fewer numbers than axes.

    >>> import tinygrad_mlp as tg
    >>> tg.tensor([1, 2]).repeat(2, 2)
    tensor([[1, 2, 1, 2],
            [1, 2, 1, 2]])
    """
    times = as_shape("repeat", repeats)
    if len(times) < input.ndim:
        raise ValueError(f"repeat: {times} has no number for each of {input.ndim} axes")
    old = (1,) * (len(times) - input.ndim) + input.shape
    spaced = input.reshape([n for size in old for n in (1, size)])
    wide = spaced.expand([n for pair in zip(times, old, strict=True) for n in pair])
    return wide.reshape([m * n for m, n in zip(times, old, strict=True)]).clone()


# In parts, which are views.


def narrow(input: Tensor, dim: int, start: int, length: int) -> Tensor:
    """So many places along an axis, from a start; ValueError where they are not all there.

    >>> import tinygrad_mlp as tg
    >>> tg.arange(5).narrow(0, 1, 3)
    tensor([1, 2, 3])
    """
    place = as_axis("narrow", input.ndim, dim)
    n = size_of("narrow", input.shape, dim)
    if not (-n <= start <= n and length >= 0 and start % max(n, 1) + length <= n):
        raise ValueError(f"narrow: {length} places from {start} are not all within {n}")
    start = start + n if start < 0 else start
    return input[(slice(None),) * place + (slice(start, start + length),)]


def split(input: Tensor, split_size: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Parts along an axis: of one size, with a smaller last one, or of the sizes given.

    ValueError for a size below 1, or sizes that do not add up.

    >>> import tinygrad_mlp as tg
    >>> tg.arange(5).split(2)
    (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    """
    n = size_of("split", input.shape, dim)
    if isinstance(split_size, Sequence):
        if sum(split_size) != n:
            raise ValueError(f"split: the sizes {split_size} do not add up to {n}")
        return shown(parts(input, list(split_size), dim), "SplitWithSizes0")
    size = as_int(split_size)
    if size < 1:
        raise ValueError(f"split: a size from 1 is needed, not {size}")
    return shown(parts(input, [min(size, n - i) for i in range(0, n, size)] or [0], dim), "Split0")


def parts(input: Tensor, sizes: list[int], dim: int) -> tuple[Tensor, ...]:
    starts = accumulate(sizes, initial=0)
    return tuple(narrow(input, dim, start, size) for start, size in zip(starts, sizes))


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most so many parts along an axis, of the same size but for the last.

    ValueError for fewer than one.
    """
    chunks = as_int(chunks)
    if chunks < 1:
        raise ValueError(f"chunk: at least 1 part is needed, not {chunks}")
    if chunks >= 2**63:
        raise ValueError("chunk: there cannot be 2**63 parts or more")
    n = size_of("chunk", input.shape, dim)
    return split(input, [0] * chunks if n == 0 else -(-n // chunks), dim)


@shown_as("Unbind0")
def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """What is at each place along an axis."""
    n = size_of("unbind", input.shape, dim)
    return tuple(input.select(dim, i) for i in range(n))
