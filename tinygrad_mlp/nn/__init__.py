"""Layers and losses, and the Module that holds their parameters: PyTorch's ``torch.nn``.

>>> import tinygrad_mlp as tg
>>> _ = tg.manual_seed(0)
>>> net = tg.nn.Sequential(tg.nn.Linear(2, 3), tg.nn.Tanh(), tg.nn.Linear(3, 1))
>>> net(tg.ones(5, 2)).shape
(5, 1)
"""

from ..torch.hints import module_getattr
from . import functional
from .layers import (
    Flatten,
    Identity,
    Linear,
    LogSoftmax,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    Tanh,
)
from .losses import BCEWithLogitsLoss, CrossEntropyLoss, MSELoss
from .module import Module
from .parameter import Parameter

__all__ = [
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "Flatten",
    "Identity",
    "Linear",
    "LogSoftmax",
    "MSELoss",
    "Module",
    "Parameter",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "functional",
]

__getattr__ = module_getattr(__name__)
