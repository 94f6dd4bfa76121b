"""Reverse-mode automatic differentiation on NumPy, small enough to read in one sitting.

>>> import tinygrad_mlp as tg
>>> x = tg.tensor([1.0, 2.0], requires_grad=True)
>>> (x**2).sum().backward()
>>> x.grad
tensor([2., 4.])

Start with ``ops``, the table of ops and their VJPs, then ``tape`` and ``tensor``.
"""

import numpy as _np

from . import nn, optim
from .compile import compile
from .creation import (
    arange,
    eye,
    from_numpy,
    full,
    linspace,
    ones,
    ones_like,
    rand,
    randn,
    tensor,
    zeros,
    zeros_like,
)
from .custom import op
from .derive import derive, formula
from .functional import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from .functions import *
from .functions import METHODS as _METHODS
from .joining import cat, stack, where
from .printing import get_printoptions, set_printoptions
from .random import Generator, manual_seed
from .saving import load, save
from .tape import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from .tensor import Tensor

__version__ = "0.1.0"

float16 = half = _np.dtype("float16")
float32 = float = _np.dtype("float32")
float64 = double = _np.dtype("float64")
uint8 = _np.dtype("uint8")
int8 = _np.dtype("int8")
int16 = short = _np.dtype("int16")
int32 = int = _np.dtype("int32")
int64 = long = _np.dtype("int64")
bool = _np.dtype("bool")

__all__ = [
    "Generator",
    "Tensor",
    "arange",
    "bool",
    "cat",
    "compile",
    "derive",
    "double",
    "enable_grad",
    "eye",
    "float",
    "float16",
    "float32",
    "float64",
    "formula",
    "from_numpy",
    "full",
    "get_printoptions",
    "grad",
    "half",
    "hessian",
    "hvp",
    "int",
    "int16",
    "int32",
    "int64",
    "int8",
    "is_grad_enabled",
    "jacobian",
    "jvp",
    "linspace",
    "load",
    "long",
    "manual_seed",
    "nn",
    "no_grad",
    "ones",
    "ones_like",
    "op",
    "optim",
    "rand",
    "randn",
    "save",
    "set_grad_enabled",
    "set_printoptions",
    "short",
    "stack",
    "tensor",
    "uint8",
    "value_and_grad",
    "vjp",
    "where",
    "zeros",
    "zeros_like",
    *_METHODS,
]
