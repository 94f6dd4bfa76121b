"""Making Tensors: from data, filled with one value, counted."""

from __future__ import annotations

from math import ceil, inf
from operator import index
from typing import TYPE_CHECKING, Any

import numpy as np

from .accepts import DOUBLE, FLOAT, LONG, as_dtype, as_float, as_int, as_number, as_shape
from .devices import require_cpu
from .fused import multiply_add
from .hints import says_what_it_takes
from .tensor import Number, Tensor, wrap

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from .accepts import Sizes
    from .devices import DeviceLike


@says_what_it_takes
def tensor(
    data: ArrayLike | Tensor,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: DeviceLike | None = None,
    name: str | None = None,
) -> Tensor:
    """A Tensor of a copy of the data: a number, nested lists, an array or a Tensor.

    Floats in lists make float32, whole numbers int64; an array keeps its dtype. ``name`` is for
    formulas and pictures of the tape. ValueError for a ragged list, TypeError for what is not
    numbers, or for ``requires_grad`` with a dtype that is not a float.

    >>> import tinygrad_mlp as tg
    >>> tg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    tensor([[1., 2.],
            [3., 4.]], requires_grad=True)
    """
    return finished(Tensor(data, dtype), requires_grad, device, name)


@says_what_it_takes
def as_tensor(
    data: ArrayLike | Tensor, dtype: DTypeLike | None = None, device: DeviceLike | None = None
) -> Tensor:
    """The data itself where it is a Tensor of this dtype, or else a Tensor made of it.

    >>> import tinygrad_mlp as tg
    >>> x = tg.tensor([1.0, 2.0])
    >>> tg.as_tensor(x) is x
    True
    """
    if isinstance(data, Tensor):
        return data.to(dtype, device=device)
    return tensor(data, dtype, device=device)


@says_what_it_takes
def from_numpy(ndarray: np.ndarray) -> Tensor:
    """A Tensor of a copy of the array; in PyTorch it would share the array's memory.

    >>> import numpy as np
    >>> import tinygrad_mlp as tg
    >>> tg.from_numpy(np.array([1, 2]))
    tensor([1, 2])
    """
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"from_numpy: an array is needed, not {type(ndarray).__name__}")
    return Tensor(ndarray)


@says_what_it_takes
def full(
    size: Sizes,
    fill_value: Number,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: DeviceLike | None = None,
) -> Tensor:
    """A Tensor of one number throughout; without a dtype, of the number's own.

    >>> import tinygrad_mlp as tg
    >>> tg.full((2,), 7)
    tensor([7, 7])
    """
    value = Tensor(fill_value, dtype)
    shape = as_shape("full", size if isinstance(size, (tuple, list)) else (size,))
    return finished(wrap(np.full(shape, value._array)), requires_grad, device)


@says_what_it_takes
def zeros(
    *size: Sizes,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: DeviceLike | None = None,
) -> Tensor:
    """A Tensor of zeros, float32 unless told otherwise.

    >>> import tinygrad_mlp as tg
    >>> tg.zeros(2, 3).shape
    (2, 3)
    """
    return full(as_shape("zeros", size), 0.0, dtype, requires_grad, device)


@says_what_it_takes
def ones(
    *size: Sizes,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: DeviceLike | None = None,
) -> Tensor:
    """A Tensor of ones, float32 unless told otherwise.

    >>> import tinygrad_mlp as tg
    >>> tg.ones(3)
    tensor([1., 1., 1.])
    """
    return full(as_shape("ones", size), 1.0, dtype, requires_grad, device)


@says_what_it_takes
def full_like(
    input: Tensor,
    fill_value: Number,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: DeviceLike | None = None,
) -> Tensor:
    """One number in the shape and, unless told otherwise, the dtype of another Tensor."""
    target = input.dtype if dtype is None else as_dtype(dtype)
    # In memory the entries lie in the same order, too.
    array = np.full_like(input._array, Tensor(fill_value, target)._array, target)
    return finished(wrap(array), requires_grad, device)


@says_what_it_takes
def zeros_like(
    input: Tensor,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: DeviceLike | None = None,
) -> Tensor:
    """Zeros of the shape and, unless told otherwise, the dtype of another Tensor."""
    return full_like(input, 0, dtype, requires_grad, device)


@says_what_it_takes
def ones_like(
    input: Tensor,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: DeviceLike | None = None,
) -> Tensor:
    """Ones of the shape and, unless told otherwise, the dtype of another Tensor."""
    return full_like(input, 1, dtype, requires_grad, device)


# What PyTorch leaves in them is no use to anybody.
empty, empty_like = zeros, zeros_like


@says_what_it_takes
def arange(
    start: Number = 0,
    end: Number | None = None,
    step: Number = 1,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: DeviceLike | None = None,
) -> Tensor:
    """The numbers from a start, 0 if only the end is given, up to but without the end.

    Of whole numbers they are int64, else float32. To an integer dtype the start and the step come
    without their fractions, as in PyTorch. ValueError for a step of 0 or one away from the end, and
    for numbers that are not finite or too large.

    >>> import tinygrad_mlp as tg
    >>> tg.arange(3), tg.arange(1, 2, 0.25)
    (tensor([0, 1, 2]), tensor([1.0000, 1.2500, 1.5000, 1.7500]))
    """
    if end is None:
        start, end = 0, start
    given = {"start": start, "end": end, "step": step}
    if dtype is None:
        whole = all(isinstance(as_number("arange", *x), int) for x in given.items())
        dtype = LONG if whole else FLOAT
    target = counted("arange", dtype)
    first, last, by = (as_float("arange", *x) for x in given.items())
    if not by * by > 0:
        raise ValueError(f"arange: the step is {by:g}")
    if not 0 <= (last - first if by > 0 else first - last) < inf:
        raise ValueError(f"arange: steps of {by:g} do not lead from {first:g} to {last:g}")
    n = ceil((last - first) / by)
    if target.kind == "f":
        # As PyTorch counts; NumPy adds up the first difference, which is rounded already.
        wide = FLOAT if target == np.float16 else DOUBLE
        i: NDArray[np.floating] = np.arange(n).astype(wide)
        numbers: np.ndarray = wide.type(first) + i * wide.type(by)
    else:
        low, high, stride = (as_int("arange", *x) for x in given.items())
        if target == LONG:
            if stride == 0:
                raise ValueError(f"arange: the step {by:g} is 0 in int64")
            n = len(range(low, high, stride))
        numbers = low + np.arange(n) * stride
    return finished(Tensor(numbers, target), requires_grad, device)


@says_what_it_takes
def linspace(
    start: Number,
    end: Number,
    steps: int,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: DeviceLike | None = None,
) -> Tensor:
    """So many numbers at equal distances, the start and the end included; float32 by default.

    To an integer dtype the start and the end come without their fractions, and what lies between
    them loses its own, as in PyTorch. ValueError for a number that the dtype has not.

    >>> import tinygrad_mlp as tg
    >>> tg.linspace(0, 1, 3)
    tensor([0.0000, 0.5000, 1.0000])
    """
    target = counted("linspace", dtype or FLOAT)
    try:
        steps = index(steps)
    except TypeError:
        raise TypeError(f"linspace: steps is an int, not {type(steps).__name__}") from None
    if steps < 0:
        raise ValueError(f"linspace: the number of steps is 0 or more, not {steps}")
    fitted = as_float if target.kind == "f" else as_int
    first = fitted("linspace", "start", start, target)
    last = fitted("linspace", "end", end, target)
    if steps < 2:
        return finished(Tensor(np.full(steps, first), target), requires_grad, device)
    # As PyTorch's kernel: from both ends to the middle, each product fused with its sum.
    wide = target if target.kind == "f" else DOUBLE
    with np.errstate(all="ignore"):
        step = (wide.type(last) - wide.type(first)) / wide.type(steps - 1)
        i = np.arange(steps)
        rising = multiply_add(i.astype(wide), step, wide.type(first))
        falling = multiply_add(i[::-1].astype(wide), -step, wide.type(last))
        numbers = np.where(i < steps // 2, rising, falling)
        return finished(Tensor(numbers, target), requires_grad, device)


@says_what_it_takes
def eye(
    n: int,
    m: int | None = None,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: DeviceLike | None = None,
) -> Tensor:
    """The n×n identity matrix, or the n×m one; float32 unless told otherwise.

    >>> import tinygrad_mlp as tg
    >>> tg.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    shape = as_shape("eye", (n, n if m is None else m))
    return finished(wrap(np.eye(*shape, dtype=as_dtype(dtype or FLOAT))), requires_grad, device)


def counted(op: str, dtype: DTypeLike) -> np.dtype[Any]:
    """A dtype to count in."""
    target = as_dtype(dtype)
    if target.kind == "b":
        raise TypeError(f"{op}: bools are not counted; make numbers and take them .bool()")
    return target


def finished(
    made: Tensor, requires_grad: bool, device: DeviceLike | None, name: str | None = None
) -> Tensor:
    require_cpu(device)
    if requires_grad:
        made.requires_grad_()
    return made if name is None else made.named(name)
