"""Some of the entries: by place, by a mask, by order; and with others in the place of some."""

from __future__ import annotations

from operator import index as as_int
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy import ndarray

from .accepts import as_axis, require_axes
from .grad_fn import shown, shown_as

if TYPE_CHECKING:
    from .tensor import Number, Tensor


# By place.


def select(input: Tensor, dim: int, index: int) -> Tensor:
    """What is at one place along an axis, without that axis."""
    return input[(slice(None),) * as_axis("select", input.ndim, dim) + (index,)]


@shown_as("IndexSelect0")
def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """What is at the places of an index along an axis, which becomes as long as the index.

    ValueError where the index is no vector, IndexError for a place that is not there.

    >>> import tinygrad_mlp as tg
    >>> tg.tensor([[1, 2, 3], [4, 5, 6]]).index_select(1, tg.tensor([2, 0]))
    tensor([[3, 1],
            [6, 4]])
    """
    require_axes("index_select", (index, 1))
    return input[(slice(None),) * as_axis("index_select", input.ndim, dim) + (index,)]


@shown_as("Gather0")
def gather(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """For each entry of the index, what is at that place along an axis: the index's shape.

    ValueError where the index has not as many axes, IndexError for a place that is not there.

    >>> import tinygrad_mlp as tg
    >>> tg.tensor([[1, 2, 3], [4, 5, 6]]).gather(1, tg.tensor([[0], [2]]))
    tensor([[1],
            [6]])
    """
    require_axes("gather", (index, input.ndim))
    if not input.ndim:
        return gather(input.reshape(1), dim, index.reshape(1)).reshape(())
    grid: list[ndarray | Tensor] = list(np.indices(index.shape, sparse=True))
    grid[as_axis("gather", input.ndim, dim)] = index
    return input[tuple(grid)]


def diag(input: Tensor) -> Tensor:
    """The diagonal of a matrix, or the matrix with this diagonal and zeros elsewhere.

    ValueError for another number of axes than 1 or 2.

    >>> import tinygrad_mlp as tg
    >>> tg.tensor([1, 2]).diag()
    tensor([[1, 0],
            [0, 2]])
    """
    if input.ndim == 1:
        elsewhere = ~np.eye(input.shape[0], dtype=bool)
        return shown(input.expand(input.shape * 2).masked_fill(elsewhere, 0), "DiagEmbed0")
    require_axes("diag", (input, 2))
    places = np.arange(min(input.shape))
    return shown(input[places, places], "DiagonalBackward0_copy")


@shown_as("Tril0")
def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """With zeros above a diagonal of a matrix, or of each of a batch.

    ``diagonal`` counts from the main one to the upper right. ValueError for fewer than two axes.
    """
    return input.masked_fill(~below("tril", input, as_int(diagonal)), 0)


@shown_as("Triu0")
def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """With zeros below a diagonal of a matrix, or of each of a batch; else as ``tril``.

    >>> import tinygrad_mlp as tg
    >>> tg.ones(2, 3).triu(1)
    tensor([[0., 1., 1.],
            [0., 0., 1.]])
    """
    return input.masked_fill(below("triu", input, as_int(diagonal) - 1), 0)


def below(name: str, x: Tensor, diagonal: int) -> ndarray:
    """Where an entry of a matrix is on a diagonal or below it."""
    if x.ndim < 2:
        raise ValueError(f"{name}: a matrix, or a batch of them, is needed, not shape {x.shape}")
    n, m = x.shape[-2:]
    return np.tri(n, m, max(-n - 1, min(diagonal, m + 1)), np.bool)


# By a mask.


@shown_as("MaskedSelect0")
def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The entries where the mask holds, along one axis; the two broadcast.

    >>> import tinygrad_mlp as tg
    >>> x = tg.tensor([1.0, -2.0, 3.0])
    >>> x.masked_select(x > 0)
    tensor([1., 3.])
    """
    shape = np.broadcast_shapes(input.shape, mask.shape)
    return input.expand(shape)[mask.expand(shape)]


@shown_as("MaskedFill0")
def masked_fill(input: Tensor, mask: Tensor | ndarray, value: Number | Tensor) -> Tensor:
    """With the value, in this dtype, where the mask holds."""
    if input.dtype.kind != "f":
        value = value.to(input.dtype) if isinstance(value, type(input)) else input.new_tensor(value)
    return input.where(~mask, value)


def nonzero(input: Tensor) -> Tensor:
    """Where entries are not 0: a row of places for each, in int64.

    >>> import tinygrad_mlp as tg
    >>> tg.tensor([[0, 7], [8, 0]]).nonzero()
    tensor([[0, 1],
            [1, 0]])
    """
    found = np.argwhere((input != 0).numpy())
    return input.detach().new_tensor(found, dtype=np.int64)


# By order.


class Sorted(NamedTuple):
    """Entries in order, and where they were."""

    values: Tensor
    indices: Tensor


def argsort(
    input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool = True
) -> Tensor:
    """The places of the entries along an axis from the smallest to the largest, or back.

    Equals stay in their order.
    """
    array = input.detach().numpy()
    place = as_axis("argsort", input.ndim, dim)
    if not input.ndim:
        return input.new_tensor(0, dtype=np.int64)
    if descending:
        # Of the reverse, so that equals stay in their order.
        back = np.flip(array, place)
        order = input.shape[place] - 1 - np.flip(np.argsort(back, place, kind="stable"), place)
    else:
        order = np.argsort(array, place, kind="stable")
    return input.new_tensor(order, dtype=np.int64)


@shown_as("Sort0")
def sort(input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool = True) -> Sorted:
    """The entries along an axis from the smallest to the largest, or back, and their places.

    >>> import tinygrad_mlp as tg
    >>> tg.tensor([3.0, 1.0, 2.0]).sort()
    Sorted(values=tensor([1., 2., 3.]), indices=tensor([1, 2, 0]))
    """
    indices = argsort(input, dim, descending)
    return Sorted(gather(input, dim, indices) if input.ndim else input.clone(), indices)


@shown_as("Topk0")
def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Sorted:
    """The k largest entries along an axis, or smallest, in order, and their places.

    ValueError where there are fewer than k.

    >>> import tinygrad_mlp as tg
    >>> tg.tensor([3.0, 1.0, 2.0]).topk(2).values
    tensor([3., 2.])
    """
    n = (input.shape or (1,))[as_axis("topk", input.ndim, dim)]
    if not 0 <= k <= n:
        raise ValueError(f"topk: there are {n} entries along the axis, and k is {k}")
    if not input.ndim:
        one = argsort(input) if k else argsort(input).reshape(1)[:0]
        return Sorted(input.reshape(1)[:k].reshape(one.shape), one)
    indices = argsort(input, dim, largest).narrow(dim, 0, k)
    return Sorted(gather(input, dim, indices), indices)
