"""Making Tensors of random numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..accepts import FLOAT, as_dtype, as_shape
from ..creation import finished
from ..hints import says_what_it_takes
from ..tensor import Tensor, wrap
from .generator import Generator, source

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from ..accepts import Sizes
    from ..devices import DeviceLike


@says_what_it_takes
def rand(
    *size: Sizes,
    generator: Generator | None = None,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: DeviceLike | None = None,
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
    *size: Sizes,
    generator: Generator | None = None,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: DeviceLike | None = None,
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
    input: Tensor,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: DeviceLike | None = None,
) -> Tensor:
    """``rand`` of the shape and, unless told otherwise, the dtype of another Tensor."""
    dtype = input.dtype if dtype is None else dtype
    return rand(input.shape, dtype=dtype, requires_grad=requires_grad, device=device)


@says_what_it_takes
def randn_like(
    input: Tensor,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: DeviceLike | None = None,
) -> Tensor:
    """``randn`` of the shape and, unless told otherwise, the dtype of another Tensor."""
    dtype = input.dtype if dtype is None else dtype
    return randn(input.shape, dtype=dtype, requires_grad=requires_grad, device=device)


@says_what_it_takes
def normal(
    mean: float,
    std: float,
    size: Sizes,
    *,
    generator: Generator | None = None,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: DeviceLike | None = None,
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
    size: Sizes | None = None,
    *,
    generator: Generator | None = None,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: DeviceLike | None = None,
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
    device: DeviceLike | None = None,
) -> Tensor:
    """The numbers from 0 up to but without ``n`` in random order: PyTorch's for the same seed.

    >>> import tinygrad_mlp as tg
    >>> _ = tg.manual_seed(0)
    >>> tg.randperm(4)
    tensor([0, 1, 3, 2])
    """
    array = source("randperm", generator).permutation(n)
    return finished(Tensor(array, dtype), requires_grad, device)
