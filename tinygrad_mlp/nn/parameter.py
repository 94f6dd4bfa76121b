"""Parameters: how one is made, how it takes other values, and how it lets its gradient go."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray

from ..core.tape import assign, lock
from ..torch.tensor import Tensor, mark_parameter, wrap
from ..torch.views import Values, changed, rewrite


class IsParameter(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor) and hasattr(instance, "_parameter")


class Parameter(metaclass=IsParameter):
    """A Tensor that is trained: a leaf, which a Module lists once it is an attribute of it.

    ``data`` is a Tensor, whose values it shares as in PyTorch, or an array or nested lists, which
    are copied. TypeError where it is not of a float dtype and ``requires_grad``.

    >>> import tinygrad_mlp as tg
    >>> tg.nn.Parameter(tg.tensor([1.0, 2.0]))
    Parameter containing:
    tensor([1., 2.], requires_grad=True)
    """

    # Not a subclass: an op tells a Tensor by its exact type, in a third of the time.
    def __new__(cls, data: Any, requires_grad: bool = True) -> Any:
        made = data.detach() if isinstance(data, Tensor) else Tensor(data)
        return mark_parameter(made.requires_grad_(requires_grad))


def loaded(value: Any) -> ndarray:
    """A value of a state_dict as an array of its own."""
    if not hasattr(value, "__array__"):
        raise TypeError(f"a Tensor or an array is needed, not {type(value).__name__}")
    if hasattr(value, "detach"):
        value = value.detach()
    # In two steps, since PyTorch's __array__ does not know of copies.
    array = np.array(np.asarray(value))
    if array.dtype.kind not in "biuf":
        raise TypeError(f"numbers are needed, not entries of dtype {array.dtype}")
    return array


def replace(new: list[tuple[Tensor, ndarray]]) -> None:
    """Give Tensors new values, of their shapes."""
    values: Values = {}
    with lock:
        for tensor, array in new:
            rewrite(tensor, array.astype(tensor.dtype, copy=False), values)
        assign(changed(values))


def zero_grad(parameter: Tensor, set_to_none: bool) -> None:
    if set_to_none or parameter.grad is None:
        parameter.grad = None
    elif parameter.grad.requires_grad:
        parameter.grad = wrap(np.zeros_like(parameter.grad._array))
    else:
        parameter.grad.zero_()
