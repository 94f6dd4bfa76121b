"""What goes by a dtype: conversions to one, and new Tensors of a Tensor's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .accepts import as_shape

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

    from .accepts import Sizes
    from .tensor import Number, Tensor


def is_floating_point(input: Tensor) -> bool:
    """Whether the dtype is a float."""
    return input.dtype.kind == "f"


def half(input: Tensor) -> Tensor:
    """As float16."""
    return input.to(np.float16)


def short(input: Tensor) -> Tensor:
    """As int16."""
    return input.to(np.int16)


def int(input: Tensor) -> Tensor:
    """As int32."""
    return input.to(np.int32)


def byte(input: Tensor) -> Tensor:
    """As uint8."""
    return input.to(np.uint8)


def char(input: Tensor) -> Tensor:
    """As int8."""
    return input.to(np.int8)


def type_as(input: Tensor, other: Tensor) -> Tensor:
    """In the dtype of another Tensor."""
    return input.to(other.dtype)


# New ones, of this dtype unless told otherwise.


def new_tensor(
    input: Tensor,
    data: ArrayLike | Tensor,
    *,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """A Tensor of a copy of the data; raises as ``tensor`` does.

    >>> import tinygrad_mlp as tg
    >>> tg.tensor([1.0], dtype=tg.float64).new_tensor([2, 3])
    tensor([2., 3.], dtype=torch.float64)
    """
    made = type(input)(data, input.dtype if dtype is None else dtype)
    return made.requires_grad_(requires_grad)


def new_full(
    input: Tensor,
    size: Sizes,
    fill_value: Number,
    *,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """A Tensor of one number throughout."""
    array = np.full(as_shape("new_full", (size,)), fill_value)
    return new_tensor(input, array, dtype=dtype, requires_grad=requires_grad)


def new_zeros(
    input: Tensor, *size: Sizes, dtype: DTypeLike | None = None, requires_grad: bool = False
) -> Tensor:
    """A Tensor of zeros."""
    shape = as_shape("new_zeros", size)
    return new_full(input, shape, 0, dtype=dtype, requires_grad=requires_grad)


def new_ones(
    input: Tensor, *size: Sizes, dtype: DTypeLike | None = None, requires_grad: bool = False
) -> Tensor:
    """A Tensor of ones."""
    shape = as_shape("new_ones", size)
    return new_full(input, shape, 1, dtype=dtype, requires_grad=requires_grad)
