"""Making Tensors: from data, filled with one value, counted, random."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray
from numpy.typing import DTypeLike

from .arguments import FLOAT, as_dtype, as_shape
from .random import default_generator
from .tape import is_tracing
from .tensor import Number, Tensor, wrap


def tensor(
    data: Any,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
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
    return finished(Tensor(data, dtype), requires_grad, name)


def from_numpy(array: ndarray) -> Tensor:
    """A Tensor of a copy of the array; in PyTorch it would share the array's memory.

    >>> import numpy as np
    >>> import tinygrad_mlp as tg
    >>> tg.from_numpy(np.array([1, 2]))
    tensor([1, 2])
    """
    if not isinstance(array, ndarray):
        raise TypeError(f"from_numpy: an array is needed, not {type(array).__name__}")
    return Tensor(array)


def full(
    size: Any, fill_value: Number, dtype: DTypeLike | None = None, requires_grad: bool = False
) -> Tensor:
    """A Tensor of one number throughout; without a dtype, of the number's own.

    >>> import tinygrad_mlp as tg
    >>> tg.full((2,), 7)
    tensor([7, 7])
    """
    value = Tensor(fill_value, dtype)
    shape = as_shape("full", size if isinstance(size, (tuple, list)) else (size,))
    return finished(wrap(np.full(shape, value._array)), requires_grad)


def zeros(*size: Any, dtype: DTypeLike | None = None, requires_grad: bool = False) -> Tensor:
    """A Tensor of zeros, float32 unless told otherwise.

    >>> import tinygrad_mlp as tg
    >>> tg.zeros(2, 3).shape
    (2, 3)
    """
    return full(as_shape("zeros", size), 0.0, dtype, requires_grad)


def ones(*size: Any, dtype: DTypeLike | None = None, requires_grad: bool = False) -> Tensor:
    """A Tensor of ones, float32 unless told otherwise.

    >>> import tinygrad_mlp as tg
    >>> tg.ones(3)
    tensor([1., 1., 1.])
    """
    return full(as_shape("ones", size), 1.0, dtype, requires_grad)


def zeros_like(x: Tensor, dtype: DTypeLike | None = None, requires_grad: bool = False) -> Tensor:
    """Zeros of the shape and, unless told otherwise, the dtype of another Tensor."""
    return full(x.shape, 0, x.dtype if dtype is None else dtype, requires_grad)


def ones_like(x: Tensor, dtype: DTypeLike | None = None, requires_grad: bool = False) -> Tensor:
    """Ones of the shape and, unless told otherwise, the dtype of another Tensor."""
    return full(x.shape, 1, x.dtype if dtype is None else dtype, requires_grad)


def arange(
    start: Number,
    end: Number | None = None,
    step: Number = 1,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
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
    numbers = np.arange(start, end, step)
    if dtype is None and numbers.dtype.kind == "f":
        dtype = FLOAT
    return finished(Tensor(numbers, dtype), requires_grad)


def linspace(
    start: float,
    end: float,
    steps: int,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """So many numbers at equal distances, the start and the end included; float32 by default.

    >>> import tinygrad_mlp as tg
    >>> tg.linspace(0, 1, 3)
    tensor([0.0000, 0.5000, 1.0000])
    """
    return finished(Tensor(np.linspace(start, end, steps), dtype or FLOAT), requires_grad)


def eye(
    n: int, m: int | None = None, dtype: DTypeLike | None = None, requires_grad: bool = False
) -> Tensor:
    """The n×n identity matrix, or the n×m one; float32 unless told otherwise.

    >>> import tinygrad_mlp as tg
    >>> tg.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    shape = as_shape("eye", (n, n if m is None else m))
    return finished(wrap(np.eye(*shape, dtype=as_dtype(dtype or FLOAT))), requires_grad)


def rand(*size: Any, dtype: DTypeLike | None = None, requires_grad: bool = False) -> Tensor:
    """Uniform random numbers in [0, 1), the same as PyTorch's for the same seed.

    >>> import tinygrad_mlp as tg
    >>> _ = tg.manual_seed(0)
    >>> tg.rand(3)
    tensor([0.4963, 0.7682, 0.0885])
    """
    untraced("rand")
    shape = as_shape("rand", size)
    return finished(wrap(default_generator.uniform(shape, as_dtype(dtype or FLOAT))), requires_grad)


def randn(*size: Any, dtype: DTypeLike | None = None, requires_grad: bool = False) -> Tensor:
    """Normal random numbers, of mean 0 and variance 1, the same as PyTorch's for the same seed.

    >>> import tinygrad_mlp as tg
    >>> _ = tg.manual_seed(0)
    >>> tg.randn(3)
    tensor([ 1.5410, -0.2934, -2.1788])
    """
    untraced("randn")
    shape = as_shape("randn", size)
    return finished(wrap(default_generator.normal(shape, as_dtype(dtype or FLOAT))), requires_grad)


def finished(made: Tensor, requires_grad: bool, name: str | None = None) -> Tensor:
    if requires_grad:
        made.requires_grad_()
    return made if name is None else made.named(name)


def untraced(caller: str) -> None:
    if is_tracing.get():
        raise RuntimeError(
            f"{caller}: a compiled program would use the same numbers in every call; "
            "draw them outside, and pass them as an argument"
        )
