"""Making Tensors: from data, filled with one value, counted, random."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .accepts import FLOAT, as_dtype, as_shape
from .devices import require_cpu
from .hints import says_what_it_takes
from .random import Generator
from .random.fused import multiply_add
from .random.generator import source
from .tensor import Number, Tensor, wrap

if TYPE_CHECKING:
    from numpy.typing import DTypeLike


@says_what_it_takes
def tensor(
    data: Any,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: Any = None,
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
def as_tensor(data: Any, dtype: DTypeLike | None = None, device: Any = None) -> Tensor:
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
    size: Any,
    fill_value: Number,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: Any = None,
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
    *size: Any, dtype: DTypeLike | None = None, requires_grad: bool = False, device: Any = None
) -> Tensor:
    """A Tensor of zeros, float32 unless told otherwise.

    >>> import tinygrad_mlp as tg
    >>> tg.zeros(2, 3).shape
    (2, 3)
    """
    return full(as_shape("zeros", size), 0.0, dtype, requires_grad, device)


@says_what_it_takes
def ones(
    *size: Any, dtype: DTypeLike | None = None, requires_grad: bool = False, device: Any = None
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
    device: Any = None,
) -> Tensor:
    """One number in the shape and, unless told otherwise, the dtype of another Tensor."""
    target = input.dtype if dtype is None else as_dtype(dtype)
    # In memory the entries lie in the same order, too.
    array = np.full_like(input._array, Tensor(fill_value, target)._array, target)
    return finished(wrap(array), requires_grad, device)


@says_what_it_takes
def zeros_like(
    input: Tensor, dtype: DTypeLike | None = None, requires_grad: bool = False, device: Any = None
) -> Tensor:
    """Zeros of the shape and, unless told otherwise, the dtype of another Tensor."""
    return full_like(input, 0, dtype, requires_grad, device)


@says_what_it_takes
def ones_like(
    input: Tensor, dtype: DTypeLike | None = None, requires_grad: bool = False, device: Any = None
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
    device: Any = None,
) -> Tensor:
    """The numbers from a start, 0 if only the end is given, up to but without the end.

    >>> import tinygrad_mlp as tg
    >>> tg.arange(3)
    tensor([0, 1, 2])
    """
    if step == 0:
        raise ValueError("arange: the step is 0")
    if end is None:
        start, end = 0, start
    try:
        numbers = np.arange(start, end, step)
    except OverflowError as error:
        raise ValueError(f"arange: {error}") from error
    if dtype is None and numbers.dtype.kind == "f":
        dtype = FLOAT
    return finished(Tensor(numbers, dtype), requires_grad, device)


@says_what_it_takes
def linspace(
    start: float,
    end: float,
    steps: int,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: Any = None,
) -> Tensor:
    """So many numbers at equal distances, the start and the end included; float32 by default.

    >>> import tinygrad_mlp as tg
    >>> tg.linspace(0, 1, 3)
    tensor([0.0000, 0.5000, 1.0000])
    """
    target = as_dtype(dtype or FLOAT)
    if steps < 0:
        raise ValueError(f"linspace: the number of steps is 0 or more, not {steps}")
    if target.kind != "f" or target == np.float16:
        numbers = np.linspace(start, end, steps)
    else:
        # As PyTorch's kernel: from both ends to the middle, each product fused with its sum.
        first, last = target.type(start), target.type(end)
        step = (last - first) / target.type(max(steps - 1, 1))
        i = np.arange(steps, dtype=target)
        back = i[::-1] if steps else i
        rising, falling = multiply_add(i, step, first), multiply_add(back, -step, last)
        numbers = np.where(np.arange(steps) < steps // 2, rising, falling)
        if steps == 1:
            numbers = np.array([first])
    return finished(Tensor(numbers, target), requires_grad, device)


@says_what_it_takes
def eye(
    n: int,
    m: int | None = None,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: Any = None,
) -> Tensor:
    """The n×n identity matrix, or the n×m one; float32 unless told otherwise.

    >>> import tinygrad_mlp as tg
    >>> tg.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    shape = as_shape("eye", (n, n if m is None else m))
    return finished(wrap(np.eye(*shape, dtype=as_dtype(dtype or FLOAT))), requires_grad, device)


@says_what_it_takes
def rand(
    *size: Any,
    generator: Generator | None = None,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: Any = None,
) -> Tensor:
    """Uniform random numbers in [0, 1), the same as PyTorch's for the same seed.

    >>> import tinygrad_mlp as tg
    >>> _ = tg.manual_seed(0)
    >>> tg.rand(3)
    tensor([0.4963, 0.7682, 0.0885])
    """
    array = source("rand", generator).uniform(as_shape("rand", size), as_dtype(dtype or FLOAT))
    return finished(wrap(array), requires_grad, device)


@says_what_it_takes
def randn(
    *size: Any,
    generator: Generator | None = None,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: Any = None,
) -> Tensor:
    """Normal random numbers, of mean 0 and variance 1, the same as PyTorch's for the same seed.

    >>> import tinygrad_mlp as tg
    >>> _ = tg.manual_seed(0)
    >>> tg.randn(3)
    tensor([ 1.5410, -0.2934, -2.1788])
    """
    array = source("randn", generator).normal(as_shape("randn", size), as_dtype(dtype or FLOAT))
    return finished(wrap(array), requires_grad, device)


@says_what_it_takes
def rand_like(
    input: Tensor, dtype: DTypeLike | None = None, requires_grad: bool = False, device: Any = None
) -> Tensor:
    """``rand`` of the shape and, unless told otherwise, the dtype of another Tensor."""
    dtype = input.dtype if dtype is None else dtype
    return rand(input.shape, dtype=dtype, requires_grad=requires_grad, device=device)


@says_what_it_takes
def randn_like(
    input: Tensor, dtype: DTypeLike | None = None, requires_grad: bool = False, device: Any = None
) -> Tensor:
    """``randn`` of the shape and, unless told otherwise, the dtype of another Tensor."""
    dtype = input.dtype if dtype is None else dtype
    return randn(input.shape, dtype=dtype, requires_grad=requires_grad, device=device)


@says_what_it_takes
def normal(
    mean: float,
    std: float,
    size: Any,
    *,
    generator: Generator | None = None,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: Any = None,
) -> Tensor:
    """Normal random numbers of this mean and standard deviation, which are numbers.

    >>> import tinygrad_mlp as tg
    >>> _ = tg.manual_seed(0)
    >>> tg.normal(10.0, 0.1, (2,))
    tensor([10.1541,  9.9707])
    """
    if isinstance(mean, Tensor) or isinstance(std, Tensor):
        raise TypeError("normal: mean and std are numbers; of Tensors, mean + std * randn(shape)")
    shape = as_shape("normal", (size,))
    array = source("normal", generator).normal_around(mean, std, shape, as_dtype(dtype or FLOAT))
    return finished(wrap(array), requires_grad, device)


@says_what_it_takes
def randint(
    low: int,
    high: Any,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: Any = None,
) -> Tensor:
    """Whole random numbers from ``low``, or 0, up to but without ``high``: PyTorch's.

    >>> import tinygrad_mlp as tg
    >>> _ = tg.manual_seed(0)
    >>> tg.randint(10, (4,)), tg.randint(5, 7, (2,))
    (tensor([4, 9, 3, 0]), tensor([6, 6]))
    """
    if size is None:
        low, high, size = 0, low, high
    array = source("randint", generator).integers(low, high, as_shape("randint", (size,)))
    return finished(Tensor(array, dtype), requires_grad, device)


@says_what_it_takes
def randperm(
    n: int,
    *,
    generator: Generator | None = None,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: Any = None,
) -> Tensor:
    """The numbers from 0 up to but without ``n`` in random order: PyTorch's for the same seed.

    >>> import tinygrad_mlp as tg
    >>> _ = tg.manual_seed(0)
    >>> tg.randperm(4)
    tensor([0, 1, 3, 2])
    """
    array = source("randperm", generator).permutation(n)
    return finished(Tensor(array, dtype), requires_grad, device)


def finished(made: Tensor, requires_grad: bool, device: Any, name: str | None = None) -> Tensor:
    require_cpu(device)
    if requires_grad:
        made.requires_grad_()
    return made if name is None else made.named(name)
