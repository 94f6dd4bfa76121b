"""Terms: what formulas are made of, and what can be told of them.

Equal terms are one object, so terms share what the tape shared, and to compare two is to compare
identities.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np

from ...core import ops
from ...core.ops import Op, Shape


class Term:
    """An op of the table, or an operation of the algebra by its name, at other terms.

    The algebra's own are: symbol, number, identity; product, power, add; expand, reshape, permute;
    sum, matmul, softmax, mask.
    """

    __slots__ = ("args", "definition", "head", "options", "order", "positive", "shape")

    def __init__(
        self, head: Op | str, args: Terms, options: tuple[Any, ...], shape: Shape, order: int = 0
    ) -> None:
        self.head = head
        self.args = args
        self.options = options
        self.shape = shape
        self.order = order  # later than its arguments'
        self.definition: Term | None = None  # of a symbol that has one
        self.positive = is_positive(self)


Terms = tuple[Term, ...]

NEGATED: dict[Op | str, Op] = {
    ops.equal: ops.not_equal,
    ops.not_equal: ops.equal,
    ops.less: ops.greater_equal,
    ops.less_equal: ops.greater,
    ops.greater: ops.less_equal,
    ops.greater_equal: ops.less,
}
REFLEXIVE = (ops.equal, ops.less_equal, ops.greater_equal)
CONDITIONS = {*NEGATED, ops.both, ops.either, ops.differ, ops.opposite}


# What can be told of a term.


def parts(x: Term) -> tuple[float, Terms, Terms]:
    """A term as a number, times factors, over divisors."""
    if x.head == "number":
        return x.options[0], (), ()
    if x.head == "product":
        c, n = x.options
        return c, x.args[:n], x.args[n:]
    return 1.0, (x,), ()


def base(x: Term) -> tuple[Term, int]:
    """A factor as a whole power of another."""
    if x.head == "power" and isinstance(x.options[0], int) and x.options[0] > 0:
        return x.args[0], x.options[0]
    return x, 1


def bare(x: Term) -> Term:
    """Without the broadcast around it, or the reshape."""
    return x.args[0] if x.head in ("expand", "reshape") else x


def meaning(x: Term) -> Term:
    """What a symbol stands for."""
    return x.definition or x


def is_ones(x: Term) -> bool:
    return x.head == "expand" and x.args[0].head == "number"


def is_entered(x: Term) -> bool:
    """Whether it is a symbol, or the transpose of one."""
    return (x.args[0] if x.head == "permute" else x).head == "symbol"


def is_zero(x: Term) -> bool:
    return bool(parts(x)[0] == 0)


def is_condition(x: Term) -> bool:
    """Whether it is true or false, and so nothing to multiply with."""
    while x.head in ("expand", "reshape"):
        x = x.args[0]
    return x.head in CONDITIONS


def is_positive(x: Term) -> bool:
    """Whether it is larger than 0 whatever its symbols are."""
    if x.head == "number":
        return bool(x.options[0] > 0)
    if x.head == "product":
        return x.options[0] > 0 and all(a.positive for a in x.args)
    if x.head == "add" and x.args[0].head == "number" and len(x.args) == 2:
        c, above, below = parts(x.args[1])
        if (x.args[0].options[0], c, len(above), len(below)) == (1, -1, 1, 0):
            return meaning(above[0]).head is ops.sigmoid  # 1 − σ(x)
    if x.head in ("add", "sum", "power", "permute", "reshape", "expand"):
        return 0 not in x.args[0].shape and all(a.positive for a in x.args)
    return x.head in (ops.exp, ops.sigmoid, "softmax")


def joint_shape(terms: Terms) -> Shape:
    shapes = {x.shape for x in terms}
    return shapes.pop() if len(shapes) == 1 else np.broadcast_shapes(*shapes)


def joint_number(c: float, k: float, is_factor: bool = True) -> float | None:
    """c k, or c / k; None if that could lose digits which the whole formula does not."""
    if not is_factor and k == 0:
        return None
    number = c * k if is_factor else c / k
    is_tame = 1e-100 < abs(number) < 1e100 or c in (0, 1) or k in (0, 1)
    return number if is_tame or not isfinite(c) or not isfinite(k) else None


def raised(c: float, p: float) -> float | None:
    """cᵖ, or None as above."""
    try:
        number = float(c**p)
    except OverflowError:
        return None
    return number if 1e-100 < abs(number) < 1e100 or c in (0, 1) else None


class Builder:
    """Makes terms as they are asked for."""

    def __init__(self) -> None:
        self.terms: dict[Any, Term] = {}
        self.names: dict[Term, Term] = {}  # from the definition of a symbol to the symbol
        self.one = self.factor(1.0)

    def make(
        self, head: Op | str, args: Terms, options: tuple[Any, ...] = (), shape: Shape = ()
    ) -> Term:
        """This very term; or, if a symbol is defined as it, the symbol."""
        key = (head, args, options, shape)
        term = self.terms.get(key)
        if term is None:
            term = self.terms[key] = Term(head, args, options, shape, len(self.terms))
        return self.names.get(term, term)

    def symbol(self, key: Any, shape: Shape) -> Term:
        return self.make("symbol", (), (key,), shape)

    def define(self, symbol: Term, definition: Term) -> None:
        """From now on, what equals the definition goes by the symbol."""
        symbol.definition = definition
        symbol.positive = definition.positive
        _, above, _ = parts(definition)
        if definition.head != "symbol" and not all(map(is_ones, above)):
            self.names.setdefault(definition, symbol)

    def number(self, c: float, shape: Shape = ()) -> Term:
        """An array of one number throughout."""
        return self.times(c, (), (), shape)

    def ones(self, shape: Shape) -> Term:
        return self.make("expand", (self.one,), (), shape) if shape else self.one

    def factor(self, c: float) -> Term:
        """A number, even if it is 0 or 1, for use among factors."""
        return self.make("number", (), (c,))

    def times(self, c: float, above: Terms, below: Terms, shape: Shape) -> Term:
        """A number times factors over divisors, which are as they should be but for the shape."""
        if c == 0:
            above = below = ()
        if shape and not any(x.shape == shape for x in above + below):
            above = (*above, self.ones(shape))
        if not above and not below:
            return self.factor(c)
        if c == 1 and len(above) == 1 and not below:
            return above[0]
        return self.make("product", above + below, (c, len(above)), shape)

    def scaled(self, c: float, x: Term) -> Term:
        k, above, below = parts(x)
        number = joint_number(c, k)
        if number is None:
            return self.times(c, (x,), (), x.shape)
        return self.times(number, above, below, x.shape)
