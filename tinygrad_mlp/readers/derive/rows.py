"""What each op of the table is in the algebra; and conditions, with their one rule.

The seventh rule: x ≠ x is false, ¬(x < y) is x ≥ y, and max(x, 0) ≠ 0 is x > 0; a choice between x
and 0 is a mask 1[…] on x, which is linear in x; and 1[…]² = 1[…].
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

import numpy as np

from ...core import ops
from ...core.ops import Op, Shape
from .algebra import Algebra
from .notation import Slice
from .terms import CONDITIONS, NEGATED, REFLEXIVE, Term, Terms, is_condition, is_zero, meaning


def apply(a: Algebra, op: Op, args: Terms, options: tuple[Any, ...], shape: Shape) -> Term:
    """The term of an op at these arguments, with these options, of this shape."""
    if op in READINGS:
        return READINGS[op](a, shape, *args, *options)
    if op in CONDITIONS:
        return relation(a, op, args, shape)
    if op in (ops.getitem, ops.scatter) and is_whole(options[0]):
        return a.reshape(args[0], shape)
    if op in (ops.getitem, ops.scatter) and args[0].shape:
        return a.linear(args[0], shape, lambda x: a.make(op, (x,), options, shape))
    if op.broadcasts and not op.variadic:
        return a.elementwise(op, args, options, shape)
    return a.make(op, args, options, shape)


def is_whole(index: Any) -> bool:
    """Whether an index, like [:, None], gives all entries in their order."""
    parts = index if type(index) is tuple else (index,)
    return all(p is None or p is ... or p == Slice(None, None, None) for p in parts)


def converted(a: Algebra, x: Term, shape: Shape, op: Op, dtype: Any, source: Any = None) -> Term:
    """x in another dtype, from one that may not be known."""
    if is_condition(x) or source == np.bool:
        return mask(a, a.one, x, shape)
    if source is not None and (source == dtype or source.kind != "f"):
        return x
    if op is ops.cast and shape:
        return a.linear(x, shape, lambda core: a.make(op, (core,), (dtype,), shape))
    return a.make(op, (x,), (dtype,), shape)


def clamped(a: Algebra, x: Term, low: Any, high: Any, shape: Shape) -> Term:
    """x between two bounds, or one where the other is infinite."""
    if low == -inf:
        return x if high == inf else a.elementwise(ops.minimum, (x, a.factor(high)), (), shape)
    if high == inf:
        return a.elementwise(ops.maximum, (x, a.factor(low)), (), shape)
    return a.make(ops.clamp, (x,), (low, high), shape)


# Conditions, and what depends on one.


def where(a: Algebra, shape: Shape, condition: Term, x: Term, y: Term) -> Term:
    condition = a.natural(condition)
    if condition.head == "number":
        return a.expand(x if condition.options[0] else y, shape)
    if x is y:
        return a.expand(x, shape)
    if is_zero(y):
        return a.linear(x, shape, lambda core: mask(a, core, condition, shape))
    if is_zero(x):
        return where(a, shape, negated(a, condition), y, x)
    return a.elementwise(ops.where, (condition, x, y), (), shape)


def mask(a: Algebra, x: Term, condition: Term, shape: Shape) -> Term:
    """x where the condition holds, 0 elsewhere."""
    if x.head == "mask" and x.args[1] is condition:
        return x
    return a.elementwise("mask", (x, condition), (), shape)


def negated(a: Algebra, condition: Term) -> Term:
    if condition.head == "number":
        return a.number(float(not condition.options[0]))
    if condition.head == "reshape":
        return a.reshape(negated(a, condition.args[0]), condition.shape)
    if condition.head is ops.opposite:
        return condition.args[0]
    head = NEGATED.get(condition.head)
    if head is not None:
        return a.make(head, condition.args, (), condition.shape)
    return a.make(ops.opposite, (condition,), (), condition.shape)


def relation(a: Algebra, op: Op, args: Terms, shape: Shape) -> Term:
    x = a.natural(args[0])
    if op is ops.opposite:
        return a.expand(negated(a, x), shape)
    y = a.natural(args[1])
    x, y = unnamed(a, x, y), unnamed(a, y, x)
    if op in NEGATED and x is y:
        return a.number(float(op in REFLEXIVE), shape)
    if op is ops.not_equal and is_zero(y) and meaning(x).head is ops.relu:
        x = x.args[0] if x.head is ops.relu else x
        return a.elementwise(ops.greater, (x, y), (), shape)
    if y.head == "number" and (op, y.options[0]) in UNBOUNDED:
        return a.number(1.0, shape)
    for p, q in ((x, y), (y, x)):
        if op in (ops.both, ops.either) and p.head == "number":
            return a.expand(p if bool(p.options[0]) is (op is ops.either) else q, shape)
    return a.elementwise(op, (x, y), (), shape)


def unnamed(a: Algebra, y: Term, x: Term) -> Term:
    """max(x) even if it has a name: it equals an entry of x only if it is computed from it."""
    symbol = y.args[0] if y.head == "reshape" else y
    if symbol.definition is None or x not in symbol.definition.args:
        return y
    return a.reshape(symbol.definition, y.shape)


UNBOUNDED = ((ops.greater_equal, -inf), (ops.less_equal, inf))

READINGS: dict[Op, Callable[..., Term]] = {
    ops.add: lambda a, shape, x, y: a.add(shape, (x, y)),
    ops.sub: lambda a, shape, x, y: a.add(shape, (x, a.scaled(-1, y))),
    ops.mul: lambda a, shape, x, y: a.product(shape, (x, y)),
    ops.div: lambda a, shape, x, y: a.product(shape, (x,), (y,)),
    ops.neg: lambda a, shape, x: a.scaled(-1, x),
    ops.pow: lambda a, shape, x, p: a.power(x, p),
    ops.matmul: lambda a, shape, x, y: a.matmul(x, y, shape),
    ops.sum: lambda a, shape, x, axes, keepdims: a.sum(x, axes, shape),
    ops.mean: lambda a, shape, x, axes, keepdims: a.product(
        shape, (a.sum(x, axes, shape),), (a.factor(float(ops.terms(x.shape, axes))),)
    ),
    ops.reshape: lambda a, shape, x, to: a.reshape(x, shape),
    ops.permute: lambda a, shape, x, axes: a.permute(x, axes),
    ops.expand: lambda a, shape, x, to: a.expand(x, shape),
    ops.where: where,
    ops.cast: lambda a, shape, x, *dtypes: converted(a, x, shape, ops.cast, *dtypes),
    ops.whole: lambda a, shape, x, *dtypes: converted(a, x, shape, ops.whole, *dtypes),
    ops.clamp: lambda a, shape, x, low, high: clamped(a, x, low, high, shape),
    ops.detached: lambda a, shape, x: x,
}
