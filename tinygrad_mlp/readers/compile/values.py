"""The values of a program, and what there is to know of one: its shape, dtype, memory and kind."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy import ndarray

from ...core import ops
from ...core.ops import Op, Shape
from . import limits


@dataclass(frozen=True, eq=False)
class Value:
    """An argument of a program, a constant in it, or an op on other values."""

    shape: Shape
    dtype: np.dtype[Any]
    op: Op | None = None
    inputs: tuple[Value, ...] = ()
    options: tuple[Any, ...] = ()
    array: ndarray | None = None  # of a constant
    name: str = ""  # of an argument

    @cached_property
    def number(self) -> Any:
        """The one number that all entries of a constant are; None if it is not like that."""
        if self.array is None or self.array.size == 0:
            return None
        first = self.array.flat[0]
        same = self.array == first
        if self.dtype.kind == "f":
            same &= np.signbit(self.array) == np.signbit(first)  # 0.0 is not -0.0
        return first if same.all() else None


@dataclass(frozen=True)
class Graph:
    """What a program computes: values, each after those it needs, and those that it returns."""

    values: list[Value]
    outputs: list[Value | None]


INNER = Op("inner", "Σ x ⊙ y", lambda x, y: np.vdot(x, y), numpy="np.vdot(x, y)")
REDUCTIONS = {ops.sum: "add", ops.amax: "maximum", ops.amin: "minimum"}
VIEWS = frozenset({ops.reshape, ops.permute, ops.expand})


def is_ufunc(op: Op | None) -> bool:
    """Whether the forward is a function of NumPy's that goes entry by entry."""
    forward = op and op.forward
    return isinstance(forward, np.ufunc) and forward.signature is None and forward.nout == 1


def is_elementwise(v: Value) -> bool:
    return v.op is ops.sigmoid or is_ufunc(v.op)


def writes_out(v: Value) -> bool:
    """Whether the op can write its result into a given array."""
    return is_elementwise(v) or v.op in REDUCTIONS or v.op in (ops.matmul, ops.cat)


def is_basic(index: tuple[Any, ...]) -> bool:
    return not any(isinstance(entry, ndarray) for entry in index)


def is_view(v: Value) -> bool:
    return v.op in VIEWS or (v.op is ops.getitem and is_basic(v.options[0]))


def is_broadcast(v: Value) -> bool:
    """Whether entries of this view may share memory."""
    while is_view(v) and v.op is not ops.expand:
        v = v.inputs[0]
    return is_view(v)


def is_thin(v: Value) -> bool:
    """Whether this is a product of matrices with few terms in each sum."""
    return (
        v.op is ops.matmul
        and all(len(x.shape) == 2 for x in v.inputs)
        and v.inputs[0].shape[1] <= limits.THIN
    )


def size(v: Value) -> int:
    return prod(v.shape) * v.dtype.itemsize


def is_large(v: Value) -> bool:
    return size(v) >= limits.LARGE
