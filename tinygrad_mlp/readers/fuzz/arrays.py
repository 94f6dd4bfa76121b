"""The ops on arrays, in the words of any library that looks like NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable
from dis import get_instructions
from functools import lru_cache
from types import FunctionType
from typing import Any

import numpy as np
from numpy import ndarray

from ...core.ops import Op, Shape


class Arrays:
    """The ops on arrays of a library that looks like NumPy.

    A method is here for an op whose forward is not what such libraries can differentiate, and for a
    function of NumPy that forwards call. Branches are taken by the real part, so that complex
    numbers x + ih give the derivative.
    """

    def __init__(self, xp: Any = np) -> None:
        self.xp = xp

    def __getattr__(self, name: str) -> Any:
        return getattr(self.xp, name)

    def absolute(self, x: Any) -> Any:
        return self.xp.where(self.xp.real(x) < 0, -x, x)

    abs = absolute

    def relu(self, x: Any) -> Any:
        return self.xp.where(self.xp.real(x) > 0, x, 0.0)

    def sign(self, x: Any) -> Any:
        return self.xp.sign(self.xp.real(x))

    def sigmoid(self, x: Any) -> Any:
        e = self.xp.exp(-self.absolute(x))
        return self.xp.where(self.xp.real(x) >= 0, 1.0, e) / (1.0 + e)

    def maximum(self, x: Any, y: Any) -> Any:
        return self.where(self.xp.real(x) >= self.xp.real(y), x, y)

    def minimum(self, x: Any, y: Any) -> Any:
        return self.where(self.xp.real(x) <= self.xp.real(y), x, y)

    def clip(self, x: Any, low: float | None, high: float | None) -> Any:
        x = x if low is None else self.maximum(x, low)
        return x if high is None else self.minimum(x, high)

    clamp = clip

    def pow(self, x: Any, p: Any) -> Any:
        # NumPy takes a complex power by way of logarithms.
        if isinstance(p, int) and abs(p) <= 3:
            out = self.xp.ones_like(x)
            for _ in range(abs(p)):
                out = out * x
            return out if p >= 0 else 1.0 / out
        return x**p

    def matmul(self, x: Any, y: Any) -> Any:
        return self.xp.matmul(x, y)

    def where(self, condition: Any, x: Any, y: Any) -> Any:
        # autograd's where cannot be differentiated where it broadcasts.
        return condition * 1.0 * x + (~condition) * 1.0 * y

    def choice(self, c: Any, x: Any, y: Any) -> Any:
        return self.where(self.xp.real(c) > 0, x, y)

    def sum(self, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        return self.xp.sum(x, axis=axis, keepdims=keepdims)

    def mean(self, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        out = self.sum(x, axis, keepdims)
        return out / (x.size / out.size if x.size else math.nan)

    def expand(self, x: Any, shape: Shape) -> Any:
        return self.xp.broadcast_to(x, shape)

    def scatter(self, x: Any, index: Any, into: Shape) -> Any:
        if self.xp is not np:
            return self.xp.zeros(into).at[index].add(x)
        out = np.zeros(into, x.dtype)
        np.add.at(out, index, x)
        return out

    def cat(self, xs: Any, axis: int) -> Any:
        return self.xp.concatenate(xs, axis)

    def cast(self, x: Any, dtype: str) -> Any:
        return x

    def tensor(self, data: Any) -> ndarray:
        return np.array(data)


NUMPY = Arrays()


def realised(lib: Any, index: tuple[Any, ...]) -> tuple[Any, ...]:
    """An index as data, as the library takes it."""

    def entry(e: Any) -> Any:
        if isinstance(e, tuple):
            return slice(*e[1:]) if e[0] == "slice" else lib.tensor(list(e[1]))
        return ... if e == "..." else e

    return tuple(map(entry, index))


@lru_cache(maxsize=1024)
def on_arrays(row: Op, lib: Arrays) -> Callable[..., Any]:
    """A row's forward in the words of a library: a method, a function, or what it says of NumPy.

    ValueError where its forward calls anything but ``np``, and there is no method of its name.
    """
    if hasattr(Arrays, row.name):
        method: Callable[..., Any] = getattr(lib, row.name)
        return method
    if isinstance(row.forward, np.ufunc):
        function: Callable[..., Any] = getattr(lib, row.forward.__name__)
        return function
    code, known = row.forward.__code__, row.forward.__globals__
    words = [x.argval for x in get_instructions(code) if x.opname == "LOAD_GLOBAL"]
    if others := [x for x in words if known.get(x) is not np]:
        raise ValueError(
            f"the forward of {row.name} calls {', '.join(others)}; "
            f"say in a method of Arrays what {row.name} is in NumPy alone"
        )
    return FunctionType(code, {"np": lib}, closure=row.forward.__closure__)
