"""The methods of Tensor as functions: ``exp(x)`` is ``x.exp()``, and of an array it is an array."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any

import numpy as np
from numpy import ndarray

from .accepts import NUMBERS
from .hints import without
from .tensor import Tensor, constant

# What these methods take one by one or as one sequence, and the functions under this name.
STARRED = {"broadcast_to": "size", "flip": "dims", "permute": "dims", "reshape": "shape"}


def function(name: str) -> Callable[..., Any]:
    """A method as a function: of a Tensor, a Tensor; of an array, as VJPs have, an array."""
    method = getattr(Tensor, name)
    starred = STARRED.get(name)

    @wraps(method)
    def call(input: Any, *args: Any, **options: Any) -> Any:
        if isinstance(input, Tensor):
            if starred in options:
                args = (options.pop(starred),)
            try:
                return method(input, *args, **options)
            except TypeError:
                known = signature(method).parameters
                for keyword in options:
                    if keyword not in known:
                        raise without(name, keyword, list(known)[1:]) from None
                raise
        like = next((a for a in args if isinstance(a, Tensor)), None)
        if like is not None and isinstance(input, (ndarray, *NUMBERS)):
            return method(constant(input, like.dtype, name), *args, **options)
        if isinstance(input, (ndarray, np.generic)):
            result = method(Tensor(input), *args, **options)
            return result.numpy() if isinstance(result, Tensor) else result
        raise TypeError(
            f"{name}: a Tensor or an array is needed, not {type(input).__name__}; "
            "make one with tensor(...)"
        )

    call.__name__ = call.__qualname__ = name
    return call


METHODS = (
    "abs", "absolute", "add", "addmm", "all", "allclose", "amax", "amin", "any", "argmax", "argmin",
    "argsort", "bmm", "broadcast_to", "chunk", "clamp", "clip", "clone", "cos", "count_nonzero",
    "detach", "diag", "div", "divide", "dot", "eq", "equal", "exp", "flatten", "flip", "gather",
    "ge", "gt", "index_select", "is_floating_point", "isclose", "isfinite", "isinf", "isnan", "le",
    "log", "log10", "log1p", "log2", "log_softmax", "logical_and", "logical_not", "logical_or",
    "logical_xor", "logsumexp", "lt", "masked_fill", "masked_select", "matmul", "max", "maximum",
    "mean", "min", "minimum", "mm", "movedim", "mul", "multiply", "mv", "narrow", "ne", "neg",
    "negative", "nonzero", "norm", "numel", "outer", "permute", "pow", "ravel", "reciprocal",
    "relu", "reshape", "rsqrt", "select", "sigmoid", "sign", "sin", "softmax", "sort", "split",
    "sqrt", "square", "squeeze", "std", "sub", "subtract", "sum", "swapaxes", "t", "tan", "tanh",
    "topk", "trace", "transpose", "tril", "triu", "true_divide", "unbind", "unsqueeze", "var",
)  # fmt: skip
globals().update({name: function(name) for name in METHODS})
__all__ = list(METHODS)
