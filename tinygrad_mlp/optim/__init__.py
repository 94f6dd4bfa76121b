"""Optimisers, which change parameters by their gradients: PyTorch's ``torch.optim``.

>>> import tinygrad_mlp as tg
>>> w = tg.tensor([1.0, 2.0], requires_grad=True)
>>> optimiser = tg.optim.SGD([w], lr=0.25)
>>> (w**2).sum().backward()
>>> optimiser.step()
>>> w
tensor([0.5000, 1.0000], requires_grad=True)
"""

from typing import TYPE_CHECKING

from ..torch.hints import module_getattr

if TYPE_CHECKING:
    from . import lr_scheduler
    from .optimizer import Optimizer
    from .rules import SGD, Adam, AdamW

__all__ = ["Adam", "AdamW", "Optimizer", "SGD", "lr_scheduler"]

LATER = {
    "Adam": "rules",
    "AdamW": "rules",
    "Optimizer": "optimizer",
    "SGD": "rules",
    "lr_scheduler": "lr_scheduler",
}
__getattr__ = module_getattr(__name__, LATER)


def __dir__() -> list[str]:
    return sorted({*globals(), *LATER})
