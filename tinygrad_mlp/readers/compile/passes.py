"""The values of a program made simpler, where a rule says how, and equal ones made once.

A rule is asked about each op as the graph is read, with its inputs as simple as they get. It gives
a value that is the same and takes less, often one of another op, or None.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from numpy import ndarray

from ...core import ops
from ...core.ops import Op
from . import limits
from .values import INNER, Value, is_ufunc

# The values that there are, in the order they came; the keys of equal ones are equal.
Known = dict[Any, Value]
Inputs = tuple[Value, ...]
Options = tuple[Any, ...]
# ``like`` is an array of the result's shape and dtype, from the trace.
Rule = Callable[[Known, Inputs, Options, ndarray], Value | None]


def constant(known: Known, array: ndarray) -> Value:
    value = Value(array.shape, array.dtype, array=array)
    number = value.number
    key = ("constant", array.shape, array.dtype, id(array) if number is None else repr(number))
    return known.setdefault(key, value)


def computed(known: Known, op: Op, inputs: Inputs, options: Options, like: ndarray) -> Value:
    """The value of an op, as it stands."""
    key = (op, tuple(map(id, inputs)), frozen(options))
    if key not in known:
        known[key] = Value(like.shape, like.dtype, op, inputs, options)
    return known[key]


def simplest(known: Known, op: Op, inputs: Inputs, options: Options, like: ndarray) -> Value:
    """The value of an op, or one that equals it and is simpler."""
    if all(x.array is not None for x in inputs):
        return constant(known, like)
    rule = RULES.get(op)
    found = rule and rule(known, inputs, options, like)
    return (
        found
        or unexpanded(known, op, inputs, options, like)
        or computed(known, op, inputs, options, like)
    )


def frozen(option: Any) -> Any:
    """A key that is equal for equal options; that of an array, say, is its identity."""
    if isinstance(option, tuple):
        return tuple(map(frozen, option))
    plain = isinstance(option, (bool, int, float, str, slice, np.dtype, type(None), type(...)))
    return repr(option) if plain else id(option)


def unused_left_out(known: Known, outputs: list[Value | None]) -> list[Value]:
    """The values that are computed and that an output needs, in order."""
    needed = {id(v) for v in outputs}
    found = []
    for v in reversed(known.values()):
        if v.op is not None and id(v) in needed:
            needed.update(map(id, v.inputs))
            found.append(v)
    return found[::-1]


# The rules.


def unchanged(known: Known, inputs: Inputs, options: Options, like: ndarray) -> Value | None:
    (x,) = inputs
    return x if (x.shape, x.dtype) == (like.shape, like.dtype) else None


def reshape(known: Known, inputs: Inputs, options: Options, like: ndarray) -> Value | None:
    (x,) = inputs
    if x.op is ops.reshape:
        return simplest(known, ops.reshape, x.inputs, options, like)
    return unchanged(known, inputs, options, like)


def permute(known: Known, inputs: Inputs, options: Options, like: ndarray) -> Value | None:
    (x,), (axes,) = inputs, options
    if x.op is ops.permute:
        order = tuple(x.options[0][a] for a in axes)
        return simplest(known, ops.permute, x.inputs, (order,), like)
    return x if axes == tuple(range(len(axes))) else None


def neg(known: Known, inputs: Inputs, options: Options, like: ndarray) -> Value | None:
    return scaled(known, inputs[0], like.dtype.type(-1), like) if like.dtype.kind == "f" else None


def mul(known: Known, inputs: Inputs, options: Options, like: ndarray) -> Value | None:
    for x, y in (inputs, inputs[::-1]):
        if like.dtype.kind == "f" and y.number is not None and x.shape == like.shape:
            return scaled(known, x, y.number, like)
    return None


def scaled(known: Known, x: Value, factor: Any, like: ndarray) -> Value:
    """x times a number, as one factor if x is such a product already."""
    if x.op is ops.mul and x.inputs[1].number is not None and x.inputs[0].shape == x.shape:
        first = x.inputs[1].number
        both = first * factor
        # Nothing may overflow or underflow on one of the two ways and not on the other.
        grow = min(abs(first), abs(factor)) >= 1 and np.isfinite(both)
        shrink = max(abs(first), abs(factor)) <= 1 and abs(both) >= np.finfo(both.dtype).tiny
        if grow or shrink:
            x, factor = x.inputs[0], both
    if factor == 1:
        return x
    return computed(known, ops.mul, (x, number(known, factor, like)), (), like)


def pow(known: Known, inputs: Inputs, options: Options, like: ndarray) -> Value | None:
    (x,), (p,) = inputs, options
    if x.dtype != like.dtype:
        return None
    if p == 1:
        return x
    if p == 2:
        return simplest(known, ops.mul, (x, x), (), like)
    if p == -1 and like.dtype.kind == "f":
        return simplest(known, ops.div, (number(known, 1, like), x), (), like)
    if p == 0.5:
        return simplest(known, ops.sqrt, inputs, (), like)
    return simplest(known, ops.pow_tensor, (x, number(known, p, like)), (), like)


def relu(known: Known, inputs: Inputs, options: Options, like: ndarray) -> Value:
    return simplest(known, ops.maximum, (*inputs, number(known, 0, like)), (), like)


def clamp(known: Known, inputs: Inputs, options: Options, like: ndarray) -> Value:
    (x,) = inputs
    for op, bound, none in zip((ops.maximum, ops.minimum), options, (-np.inf, np.inf)):
        if bound is not None and bound != none:
            if like.dtype.kind in "iu":  # a bound beyond all whole numbers of the dtype
                bound = min(max(bound, np.iinfo(like.dtype).min), np.iinfo(like.dtype).max)
            x = simplest(known, op, (x, number(known, bound, like)), (), like)
    return x


def mean(known: Known, inputs: Inputs, options: Options, like: ndarray) -> Value:
    n = number(known, ops.terms(inputs[0].shape, options[0]), like)
    return simplest(known, ops.div, (simplest(known, ops.sum, inputs, options, like), n), (), like)


def inner(known: Known, inputs: Inputs, options: Options, like: ndarray) -> Value | None:
    """A sum of products as one op, where that is as accurate as two."""
    (x,) = inputs
    if (
        (like.shape == () and x.op is ops.mul and prod(x.shape) <= limits.INNER_MOST)
        and (x.dtype == like.dtype and x.dtype.char in "fd")
        and all(y.shape == x.shape for y in x.inputs)
    ):
        return computed(known, INNER, x.inputs, (), like)
    return None


def unexpanded(
    known: Known, op: Op, inputs: Inputs, options: Options, like: ndarray
) -> Value | None:
    """The op on what one of two inputs is an expansion of: a ufunc broadcasts by itself."""
    if is_ufunc(op) and len(inputs) == 2:
        for i, y in enumerate(inputs):
            if y.op is ops.expand and inputs[1 - i].shape == like.shape:
                bare = (y.inputs[0], inputs[1]) if i == 0 else (inputs[0], y.inputs[0])
                return simplest(known, op, bare, options, like)
    return None


def number(known: Known, x: Any, like: ndarray) -> Value:
    return constant(known, np.asarray(x, like.dtype))


RULES: dict[Op, Rule] = {
    ops.cast: unchanged,
    ops.expand: unchanged,
    ops.detached: unchanged,
    ops.reshape: reshape,
    ops.permute: permute,
    ops.neg: neg,
    ops.mul: mul,
    ops.pow: pow,
    ops.relu: relu,
    ops.clamp: clamp,
    ops.mean: mean,
    ops.sum: inner,
}
