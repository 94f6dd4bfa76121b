"""Broadcasts, reshapes and transposes: a vector is a column, two of a kind are one."""

from __future__ import annotations

from math import prod

from ...core.ops import Shape
from .operations import MANY, Operations
from .terms import Term, is_condition, is_ones, parts


class Arrangement(Operations):
    """The fourth rule."""

    def expand(self, x: Term, shape: Shape) -> Term:
        """x broadcast to the shape; an array of one number has the form c 1."""
        if x.shape == shape:
            return x
        if x.head == "expand":
            return self.expand(x.args[0], shape)
        if is_condition(x):
            return self.make("expand", (x,), (), shape)
        if prod(x.shape) == 1:
            c, front, under = parts(self.item(x))
            return self.times(c, (*front, self.ones(shape)), under, shape)
        if prod(x.shape) == prod(shape):
            return self.reshape(x, shape)
        c, front, under, core = self.scalars(x)
        inner = core.args[0] if core.head == "expand" else core
        return self.times(c, (*front, self.make("expand", (inner,), (), shape)), under, shape)

    def reshape(self, x: Term, shape: Shape) -> Term:
        if x.shape == shape:
            return x
        if not x.shape:
            return self.expand(x, shape)
        return self.linear(x, shape, lambda core: self.reshaped(core, shape))

    def reshaped(self, x: Term, shape: Shape) -> Term:
        """A term without scalars in another shape: if it is a row or a column, by a transpose."""
        n = prod(shape)
        if is_ones(x):
            return self.ones(shape)
        if x.head == "reshape" or (x.head == "permute" and not shape):
            return self.reshape(x.args[0], shape)
        if x.head == "sum":
            (inner,), (axes,) = x.args, x.options
            if shape == ():
                return self.sum(inner, None, ())
            kept = tuple(1 if a in axes else m for a, m in enumerate(inner.shape))
            if shape in (kept, tuple(m for a, m in enumerate(inner.shape) if a not in axes)):
                return self.make("sum", x.args, x.options, shape)
            if kept == (1, n) and shape == (n, 1):
                return self.transpose(self.reshape(x, kept))
        if n == 1 and shape:
            return self.expand(self.reshape(x, ()), shape)
        if (x.shape, shape) == ((n,), (1, n)):
            return self.transpose(self.reshape(x, (n, 1)))
        if (x.shape, shape) == ((1, n), (n,)):
            return self.reshape(self.transpose(x), (n,))
        if {x.shape, shape} == {(1, n), (n, 1)}:
            return self.transpose(x)
        return self.make("reshape", (x,), (), shape)

    def transpose(self, x: Term) -> Term:
        n = len(x.shape)
        return self.permute(x, (*range(n - 2), n - 1, n - 2))

    def permute(self, x: Term, axes: tuple[int, ...]) -> Term:
        if axes == tuple(range(len(axes))):
            return x
        shape = tuple(x.shape[a] for a in axes)
        return self.linear(x, shape, lambda core: self.permuted(core, axes, shape))

    def permuted(self, x: Term, axes: tuple[int, ...], shape: Shape) -> Term:
        """A term without scalars, with other axes; the transpose of a row is taken of its parts."""
        if is_ones(x):
            return self.ones(shape)
        if x.head == "permute":
            return self.permute(x.args[0], tuple(x.options[0][a] for a in axes))
        n = len(shape)
        if axes == (*range(n - 2), n - 1, n - 2) and is_turned(x, shape):
            left, right = x.args
            return self.matmul(self.transpose(right), self.transpose(left), shape)
        if len(shape) == 2 and 1 in shape:
            if x.head == "sum" and x.args[0].head == "permute" and len(x.args[0].shape) == 2:
                return self.sum(x.args[0].args[0], tuple(1 - a for a in x.options[0]), shape)
            if x.head in ("add", "product", "power") and len(x.args) <= MANY:
                args = [
                    self.reshape(a, a.shape[::-1] if len(a.shape) == 2 else (*a.shape, 1))
                    if a.shape
                    else a
                    for a in x.args
                ]
                if x.head == "add":
                    return self.add(shape, args)
                if x.head == "power":
                    return self.power(args[0], x.options[0])
                return self.product(shape, args[: x.options[1]], args[x.options[1] :])
        return self.make("permute", (x,), (axes,), shape)


def is_turned(x: Term, shape: Shape) -> bool:
    """Whether a matrix product reads better as that of its factors' transposes, of this shape."""
    if x.head != "matmul" or (len(shape) == 2 and 1 in shape):
        return x.head == "matmul"
    factors = [x]
    for y in factors:  # grows while it is walked
        if y.head == "matmul" and len(factors) <= MANY:
            factors += y.args
    return len(factors) <= MANY and any(y.head == "permute" for y in factors)
