"""A method of Tensor as a function, for arrays too."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import numpy as np
from numpy import ndarray

from .accepts import NUMBERS
from .hints import refuse_unknown
from .tensor import Tensor, constant

R = TypeVar("R")


def as_function(method: Callable[..., R], starred: str | None = None) -> Callable[..., R]:
    """A method as a function: of a Tensor, a Tensor; of an array, as VJPs have, an array.

    ``starred`` is what the function calls that which the method takes one by one, too.
    """
    name = method.__name__.strip("_")

    @wraps(method)
    def call(input: Any, *args: Any, **options: Any) -> Any:
        if isinstance(input, Tensor):
            if starred in options:
                args = (options.pop(starred),)
            try:
                return method(input, *args, **options)
            except TypeError:
                refuse_unknown(name, method, options)
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
