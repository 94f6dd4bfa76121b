"""Copies of Tensors: ``copy.copy`` shares memory and ``copy.deepcopy`` copies it, as in PyTorch.

>>> from copy import deepcopy
>>> import tinygrad_mlp as tg
>>> x = tg.zeros(3)
>>> y, row = deepcopy([x, x[:2]])
>>> y += 1
>>> x, row
(tensor([0., 0., 0.]), tensor([1., 1.]))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy import ndarray

from ..core.tape import new
from .views import address, is_expanded, owner, related

if TYPE_CHECKING:
    from .tensor import Tensor


def shallow(x: Tensor) -> Tensor:
    """A leaf of its own, without a gradient, in the same memory; RuntimeError for no leaf."""
    require_leaf(x)
    return alike(x, related(made_of(x, x._array), x))


def deep(x: Tensor, memo: dict[int, Any]) -> Tensor:
    """A leaf with the gradient, in memory that it shares with the copies of who shares x's.

    A Parameter's copy shares no memory and has no gradient. RuntimeError for no leaf.
    """
    require_leaf(x)
    parameter = hasattr(x, "_parameter")
    alone = parameter or not hasattr(x, "_family")
    copy = alike(x, made_of(x, dense(x._array)) if alone else moved_along(x, memo))
    if x.grad is not None and not parameter:
        # Who has stopped requiring grad keeps it too.
        grad = memo.get(id(x.grad))
        if grad is None:
            grad = memo[id(x.grad)] = deep(x.grad, memo)
        copy.requires_grad_().grad = grad
        copy.requires_grad_(x.requires_grad)
    return copy


def require_leaf(x: Tensor) -> None:
    if not x.is_leaf:
        raise RuntimeError(
            "only leaves can be pickled or copied, for a copy has no graph; use .detach() first"
        )


def moved_along(x: Tensor, memo: dict[int, Any]) -> Tensor:
    """A Tensor in the copy of x's memory, which is made for the first of its family."""
    family, whole = x._family, owner(x._array)
    known = memo.get(id(family))
    memory = whole.ravel("K").copy() if known is None else owner(known[1]._array)
    offset = address(x._array) - address(whole)
    made = made_of(x, ndarray(x.shape, x.dtype, memory, offset, x._array.strides))
    # The family with it: its number must not become that of another.
    first = memo.setdefault(id(family), (family, made))[1]
    return made if first is made else related(made, first)


def dense(array: ndarray) -> ndarray:
    """A copy without gaps, and with the axes in their order in memory, if they have one."""
    return array.copy("C" if is_expanded(array) else "K")


def made_of(x: Tensor, array: ndarray) -> Tensor:
    made: Tensor = new(type(x))
    made._array = array
    made._node = None
    return made


def alike(x: Tensor, made: Tensor) -> Tensor:
    """A Tensor with all that x is besides its value and its gradient."""
    if hasattr(x, "_parameter"):
        made._parameter = True
    made.requires_grad_(x.requires_grad)
    return made if x.name is None else made.named(x.name)
