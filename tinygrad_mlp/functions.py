"""The methods of Tensor as functions: ``exp(x)`` is ``x.exp()``, and of an array it is an array."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
from numpy import ndarray

from .arguments import NUMBERS
from .tensor import Tensor, constant


def function(name: str) -> Callable[..., Any]:
    """A method as a function: of a Tensor, a Tensor; of an array, as VJPs have, an array."""
    method = getattr(Tensor, name)

    @wraps(method)
    def call(input: Any, *args: Any, **options: Any) -> Any:
        if isinstance(input, Tensor):
            return method(input, *args, **options)
        like = next((a for a in args if isinstance(a, Tensor)), None)
        if like is not None and isinstance(input, (ndarray, *NUMBERS)):
            return method(constant(input, like.dtype, name), *args, **options)
        if isinstance(input, (ndarray, np.generic)):
            return method(Tensor(input), *args, **options).numpy()
        raise TypeError(
            f"{name}: a Tensor or an array is needed, not {type(input).__name__}; "
            "make one with tensor(...)"
        )

    call.__name__ = call.__qualname__ = name
    return call


METHODS = (
    "abs", "add", "amax", "amin", "argmax", "argmin", "clamp", "cos", "div", "exp", "flatten",
    "log", "log1p", "log_softmax", "matmul", "max", "maximum", "mean", "min", "minimum", "mm",
    "mul", "neg", "permute", "pow", "relu", "reshape", "sigmoid", "sign", "sin", "softmax",
    "sqrt", "square", "squeeze", "sub", "sum", "t", "tanh", "transpose", "unsqueeze",
)  # fmt: skip
globals().update({name: function(name) for name in METHODS})
__all__ = list(METHODS)
