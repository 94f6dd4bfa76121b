"""What the algebra makes of terms, each operation by the rules of a module of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import prod

from ...core.ops import Shape
from .terms import Builder, Term, Terms, is_condition, parts

MANY = 16  # sums and products of more than so many terms are left in parts, for time's sake


class Operations(Builder):
    """The operations, which need each other; and what is linear: the first rule."""

    def product(self, shape: Shape, factors: Iterable[Term], divisors: Iterable[Term] = ()) -> Term:
        """The factors, multiplied entry by entry, over the divisors; broadcast to the shape."""
        raise NotImplementedError

    def power(self, x: Term, p: float) -> Term:
        raise NotImplementedError

    def add(self, shape: Shape, terms: Iterable[Term]) -> Term:
        """The sum of these terms, broadcast to the shape."""
        raise NotImplementedError

    def expand(self, x: Term, shape: Shape) -> Term:
        """x broadcast to the shape."""
        raise NotImplementedError

    def reshape(self, x: Term, shape: Shape) -> Term:
        raise NotImplementedError

    def transpose(self, x: Term) -> Term:
        raise NotImplementedError

    def sum(self, x: Term, axes: tuple[int, ...] | None, shape: Shape) -> Term:
        """The sum over these axes or all; the shape tells whether they stay, with a size of 1."""
        raise NotImplementedError

    def matmul(self, x: Term, y: Term, shape: Shape) -> Term:
        """The matrix product, of stacks of matrices if there are more than two axes."""
        raise NotImplementedError

    def scalars(self, x: Term) -> tuple[float, Terms, Terms, Term]:
        """A term as a number, scalar factors and scalar divisors, and what is left of it."""
        if x.head != "product" and x.shape:
            return 1.0, (), (), x
        c, above, below = parts(x)
        front, under = (tuple(a for a in side if not a.shape) for side in (above, below))
        above, below = (tuple(a for a in side if a.shape) for side in (above, below))
        return c, front, under, self.times(1, above, below, x.shape)

    def linear(self, x: Term, shape: Shape, function: Callable[[Term], Term]) -> Term:
        """A linear function of x, with the scalars before it."""
        c, front, under, core = self.scalars(x)
        return self.product(shape, [self.factor(c), *front, function(core)], under)

    def item(self, x: Term, shape: Shape = ()) -> Term:
        """An array of one entry, unless of this shape, as a scalar; others as they are."""
        return self.reshape(x, ()) if prod(x.shape) == 1 and x.shape != shape else x

    def natural(self, x: Term) -> Term:
        """Without the broadcast in it."""
        if is_condition(x):
            return x.args[0] if x.head == "expand" else x
        c, front, under, core = self.scalars(x)
        if core.head != "expand":
            return x
        inner = core.args[0]
        return self.product(inner.shape, [self.factor(c), *front, inner], under)
