"""Functions of several Tensors that are not methods: where, cat, stack and the like."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from reprlib import repr as brief
from typing import cast

from numpy import ndarray

from ..core import ops
from ..core.tensor import run
from .accepts import as_axis
from .grad_fn import shown
from .tensor import Number, Tensor, choose, jointly


def where(
    condition: Tensor | ndarray | bool, x: Tensor | ndarray | Number, y: Tensor | ndarray | Number
) -> Tensor:
    """x where the condition holds, y elsewhere; all three broadcast.

    >>> import tinygrad_mlp as tg
    >>> x = tg.tensor([-1.0, 2.0])
    >>> tg.where(x > 0, x, 0)
    tensor([0., 2.])
    """
    return choose(condition, x, y)


def cat(tensors: Sequence[Tensor], dim: int = 0, *, axis: int | None = None) -> Tensor:
    """Tensors one after the other along an axis that they have; the other axes must agree.

    >>> import tinygrad_mlp as tg
    >>> tg.cat([tg.tensor([1.0]), tg.tensor([2.0, 3.0])])
    tensor([1., 2., 3.])
    """
    xs = several("cat", tensors)
    like = next((x.shape for x in xs if x.ndim > 1), xs[0].shape)
    place = as_axis("cat", max(len(like), 1), dim if axis is None else axis)
    if len(like) > 1:
        # As in PyTorch, this fits anything.
        nothing = (*like[:place], 0, *like[place + 1 :])
        xs = [x.reshape(nothing) if x.shape == (0,) else x for x in xs]
    others = {x.shape[:place] + x.shape[place + 1 :] for x in xs}
    if len(others) > 1 or any(x.ndim != max(xs[0].ndim, 1) for x in xs):
        raise ValueError(
            f"cat: shapes {', '.join(str(x.shape) for x in xs)} must be alike but for axis {place} "
            "and have at least one axis"
        )
    starts = tuple(accumulate((x.shape[place] for x in xs), initial=0))
    return run(ops.cat, xs, (place, starts))


def stack(tensors: Sequence[Tensor], dim: int = 0, *, axis: int | None = None) -> Tensor:
    """Tensors of one shape, side by side along a new axis.

    >>> import tinygrad_mlp as tg
    >>> tg.stack([tg.tensor([1.0, 2.0]), tg.tensor([3.0, 4.0])]).shape
    (2, 2)
    """
    xs = several("stack", tensors)
    if len({x.shape for x in xs}) > 1:
        raise ValueError(f"stack: shapes {', '.join(str(x.shape) for x in xs)} must be equal")
    place = as_axis("stack", xs[0].ndim + 1, dim if axis is None else axis)
    return shown(cat([x.unsqueeze(place) for x in xs], place), "Stack0")


def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors side by side: along the second axis, or vectors along their only one.

    >>> import tinygrad_mlp as tg
    >>> tg.hstack([tg.tensor([1.0]), tg.tensor([2.0])])
    tensor([1., 2.])
    """
    xs = [x if x.ndim else x.reshape(1) for x in several("hstack", tensors)]
    return cat(xs, 0 if xs[0].ndim == 1 else 1)


def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors one below the other: along the first axis, where a vector is a row.

    >>> import tinygrad_mlp as tg
    >>> tg.vstack([tg.tensor([1.0, 2.0]), tg.tensor([3.0, 4.0])]).shape
    (2, 2)
    """
    return cat([x if x.ndim > 1 else x.reshape(1, -1) for x in several("vstack", tensors)])


def meshgrid(*tensors: Tensor | Sequence[Tensor], indexing: str = "ij") -> tuple[Tensor, ...]:
    """The coordinates of a grid, from those along each axis: vectors, or one list of them.

    With ``indexing="xy"`` the first two axes of the grid are exchanged.

    >>> import tinygrad_mlp as tg
    >>> x, y = tg.meshgrid(tg.arange(2), tg.arange(3))
    >>> x
    tensor([[0, 0, 0],
            [1, 1, 1]])
    """
    if indexing not in ("ij", "xy"):
        raise ValueError(f"meshgrid: indexing is 'ij' or 'xy', not {brief(indexing)}")
    listed = len(tensors) == 1 and not isinstance(tensors[0], Tensor)
    xs = cast("list[Tensor]", list(tensors[0] if listed else tensors))
    order = [1, 0, *range(2, len(xs))] if indexing == "xy" and len(xs) > 1 else range(len(xs))
    shape = [xs[i].numel() for i in order]
    grids = []
    for i, x in enumerate(xs):
        place = list(order).index(i)
        along = x.reshape([-1 if a == place else 1 for a in range(len(xs))])
        grids.append(along.expand(shape))
    return tuple(grids)


def several(op: str, tensors: Sequence[Tensor]) -> list[Tensor]:
    """A list of at least one Tensor, all of the same dtype."""
    if isinstance(tensors, Tensor) or not all(isinstance(x, Tensor) for x in tensors):
        raise TypeError(f"{op}: a list of Tensors is needed")
    if not tensors:
        raise ValueError(f"{op}: a list of at least one Tensor is needed")
    return jointly(op, tensors)
