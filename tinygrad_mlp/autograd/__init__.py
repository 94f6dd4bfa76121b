"""PyTorch's ``torch.autograd``: derivatives, and Functions with a backward of their own.

>>> import tinygrad_mlp as tg
>>> x = tg.tensor(3.0, requires_grad=True)
>>> tg.autograd.grad(x * x, x)
(tensor(6.),)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..core import tensor as core
from ..core.tensor import grad
from ..torch.hints import module_getattr
from ..torch.modes import Recording, enable_grad, no_grad, set_grad_enabled
from ..torch.tensor import Tensor

if TYPE_CHECKING:
    from . import functional
    from .anomaly import detect_anomaly
    from .function import Function

__all__ = [
    "Function",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "functional",
    "grad",
    "inference_mode",
    "no_grad",
    "set_grad_enabled",
]

LATER = {"Function": "function", "detect_anomaly": "anomaly", "functional": "functional"}
__getattr__ = module_getattr(__name__, LATER)


def __dir__() -> list[str]:
    return sorted({*globals(), *LATER})


def backward(
    tensors: Tensor | Sequence[Tensor],
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
) -> None:
    """Accumulate the gradient of the sum of some Tensors into ``.grad`` of their leaves.

    ``grad_tensors`` are the cotangents to start from, as ``Tensor.backward`` has one; it says what
    is raised.

    >>> import tinygrad_mlp as tg
    >>> x = tg.tensor(3.0, requires_grad=True)
    >>> tg.autograd.backward([x * x, 2 * x])
    >>> x.grad
    tensor(8.)
    """
    core.backward(tensors, grad_tensors, retain_graph, create_graph)


def inference_mode(mode: Any = True) -> Any:
    """``no_grad``, which here is as fast: a context or a decorator in which nothing is recorded.

    As PyTorch's, ``@inference_mode`` and ``@inference_mode()`` both decorate.

    >>> import tinygrad_mlp as tg
    >>> w = tg.tensor(2.0, requires_grad=True)
    >>> with tg.inference_mode():
    ...     (w * w).requires_grad
    False
    """
    return no_grad(mode) if callable(mode) else Recording(not mode)  # type: ignore[call-arg]
