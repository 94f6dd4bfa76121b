"""Reverse-mode automatic differentiation on NumPy, small enough to read in one sitting.

>>> import tinygrad_mlp as tg
>>> x = tg.tensor([1.0, 2.0], requires_grad=True)
>>> (x**2).sum().backward()
>>> x.grad
tensor([2., 4.])

Start with ``core``: ``ops``, the table of ops and their VJPs, then ``tape`` and ``tensor``.
"""

import builtins as _builtins
import sys as _sys
from typing import TYPE_CHECKING

import numpy as _np

from . import nn
from .autograd.derivatives import hessian, hvp, jacobian, jvp, value_and_grad, vjp
from .core import ops as ops
from .core.tensor import grad
from .torch import random as random
from .torch.creation import (
    arange,
    as_tensor,
    empty,
    empty_like,
    eye,
    from_numpy,
    full,
    full_like,
    linspace,
    ones,
    ones_like,
    tensor,
    zeros,
    zeros_like,
)
from .torch.devices import accelerator, cuda, device, mps, xpu
from .torch.functions import *
from .torch.hints import module_getattr as _module_getattr
from .torch.joining import cat, hstack, meshgrid, stack, vstack, where
from .torch.later import Package as _Package
from .torch.modes import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from .torch.printing import get_printoptions, set_printoptions
from .torch.random import Generator, manual_seed
from .torch.random.creation import (
    normal,
    rand,
    rand_like,
    randint,
    randn,
    randn_like,
    randperm,
)
from .torch.tensor import Tensor

if TYPE_CHECKING:
    from . import autograd, optim
    from .autograd import inference_mode
    from .autograd.own_op import op
    from .compare import Comparison, compare
    from .readers.compile import compile
    from .readers.derive.deriving import derive, formula
    from .readers.explain.explaining import explain
    from .torch.saving import load, save

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

e, inf, nan, pi = _np.e, _np.inf, _np.nan, _np.pi
Size = tuple[_builtins.int, ...]
concat = concatenate = cat
dtype = _np.dtype


def is_tensor(obj: object) -> _builtins.bool:
    """Whether it is a Tensor."""
    return isinstance(obj, Tensor)


# The other names, by the modules they are in, which are imported when one is first asked for: with
# them all, the import would take twice as long.
_LATER = {
    "Comparison": "compare",
    "autograd": "autograd",
    "compare": "compare",
    "compile": "readers.compile",
    "derive": "readers.derive.deriving",
    "explain": "readers.explain.explaining",
    "formula": "readers.derive.deriving",
    "inference_mode": "autograd",
    "load": "torch.saving",
    "op": "autograd.own_op",
    "optim": "optim",
    "save": "torch.saving",
}
__getattr__ = _module_getattr(__name__, _LATER)
_sys.modules[__name__].__class__ = _Package


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})


__all__ = [
    "Comparison",
    "Generator",
    "Size",
    "Tensor",
    "accelerator",
    "arange",
    "as_tensor",
    "autograd",
    "bool",
    "cat",
    "compare",
    "compile",
    "concat",
    "concatenate",
    "cuda",
    "derive",
    "device",
    "double",
    "dtype",
    "e",
    "empty",
    "empty_like",
    "enable_grad",
    "explain",
    "eye",
    "float",
    "float16",
    "float32",
    "float64",
    "formula",
    "from_numpy",
    "full",
    "full_like",
    "get_printoptions",
    "grad",
    "half",
    "hessian",
    "hstack",
    "hvp",
    "inf",
    "inference_mode",
    "int",
    "int16",
    "int32",
    "int64",
    "int8",
    "is_grad_enabled",
    "is_tensor",
    "jacobian",
    "jvp",
    "linspace",
    "load",
    "long",
    "manual_seed",
    "meshgrid",
    "mps",
    "nan",
    "nn",
    "no_grad",
    "normal",
    "ones",
    "ones_like",
    "op",
    "optim",
    "pi",
    "rand",
    "rand_like",
    "randint",
    "randn",
    "randn_like",
    "randperm",
    "save",
    "set_grad_enabled",
    "set_printoptions",
    "short",
    "stack",
    "tensor",
    "uint8",
    "value_and_grad",
    "vjp",
    "vstack",
    "where",
    "xpu",
    "zeros",
    "zeros_like",
]
# The methods as functions.
__all__ += [
    "abs", "absolute", "add", "addmm", "all", "allclose", "amax", "amin", "any", "argmax",
    "argmin", "argsort", "bmm", "broadcast_to", "chunk", "clamp", "clip", "clone", "cos",
    "count_nonzero", "detach", "diag", "div", "divide", "dot", "eq", "equal", "exp", "flatten",
    "flip", "gather", "ge", "gt", "index_select", "is_floating_point", "isclose", "isfinite",
    "isinf", "isnan", "le", "log", "log10", "log1p", "log2", "log_softmax", "logical_and",
    "logical_not", "logical_or", "logical_xor", "logsumexp", "lt", "masked_fill",
    "masked_select", "matmul", "max", "maximum", "mean", "min", "minimum", "mm", "movedim",
    "mul", "multiply", "mv", "narrow", "ne", "neg", "negative", "nonzero", "norm", "numel",
    "outer", "permute", "pow", "ravel", "reciprocal", "relu", "reshape", "rsqrt", "select",
    "sigmoid", "sign", "sin", "softmax", "sort", "split", "sqrt", "square", "squeeze", "std",
    "sub", "subtract", "sum", "swapaxes", "t", "tan", "tanh", "topk", "trace", "transpose",
    "tril", "triu", "true_divide", "unbind", "unsqueeze", "var",
]  # fmt: skip
