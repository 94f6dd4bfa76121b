"""Sums over axes and matrix products: what is constant along them comes out."""

from __future__ import annotations

from math import prod

from ...core import ops
from ...core.ops import Shape
from .operations import Operations
from .terms import Term, is_entered, is_ones, parts


class Contraction(Operations):
    """The first and second rule."""

    def sum(self, x: Term, axes: tuple[int, ...] | None, shape: Shape) -> Term:
        """The sum over these axes or all; the shape tells whether they stay, with a size of 1."""
        if not x.shape:
            return x
        over = tuple(range(len(x.shape))) if axes is None else tuple(sorted(axes))
        return self.linear(x, shape, lambda core: self.summed(core, over, shape))

    def summed(self, x: Term, axes: tuple[int, ...], shape: Shape) -> Term:
        """The sum of a term without scalars; what is constant along the axes comes out of it."""
        sizes = x.shape

        def aligned(y: Term) -> Shape:
            return (1,) * (len(sizes) - len(y.shape)) + y.shape

        def reduced(y: Term) -> Term:
            """A part of x that lacks some of the axes, summed over the others."""
            own = tuple(a for a in axes if aligned(y)[a] != 1)
            kept = tuple(1 if a in own else n for a, n in enumerate(aligned(y)))
            y = self.sum(self.reshape(y, aligned(y)), own, kept) if own else y
            is_kept = len(shape) == len(sizes)
            to = kept if is_kept else tuple(n for a, n in enumerate(kept) if a not in axes)
            return self.reshape(y, to)

        if all(sizes[a] == 1 for a in axes):
            return self.reshape(x, shape)
        if x.head == "expand":
            inner = x.args[0]
            times = prod(sizes[a] for a in axes if aligned(inner)[a] == 1)
            return self.product(shape, [self.factor(float(times)), reduced(inner)])
        if x.head in ("permute", "reshape") and prod(shape) == 1:
            return self.reshape(self.sum(x.args[0], None, ()), shape)
        if x.head is ops.scatter and shape == ():
            return self.sum(x.args[0], None, ())
        _, above, below = parts(x)
        constant = {y for y in (*above, *below) if all(aligned(y)[a] == 1 for a in axes)}
        if constant:
            out = [[reduced(y) for y in side if y in constant] for side in (above, below)]
            rest = [[y for y in side if y not in constant] for side in (above, below)]
            total = self.sum(self.product(sizes, *rest), axes, shape)
            return self.product(shape, [total, *out[0]], out[1])
        weighted = self.weighted(x, axes, shape) if len(sizes) == 2 and len(axes) == 1 else None
        if weighted is not None:
            return weighted
        if shape == ():
            axes = tuple(range(len(sizes)))
        elif len(shape) == len(sizes):
            axes = tuple(a for a in axes if sizes[a] != 1)
        return self.make("sum", (x,), (axes,), shape)

    def weighted(self, x: Term, axes: tuple[int, ...], shape: Shape) -> Term | None:
        """(A ⊙ 𝟏 vᵀ) 𝟏 as A v, and (A ⊙ u 𝟏ᵀ)ᵀ 𝟏 as Aᵀ u."""
        _, above, below = parts(x)
        n, m = x.shape
        across = ((m,), (1, m)) if axes == (1,) else ((n, 1),)
        weights = [y for y in above if y.shape in across and y.shape != x.shape]
        rest = [y for y in above if y not in weights and not is_ones(y)]
        if not weights or x.shape not in [y.shape for y in rest]:
            return None
        matrix = self.product(x.shape, rest, below)
        matrix, k = (matrix, m) if axes == (1,) else (self.transpose(matrix), n)
        vector = self.product((k, 1), [self.reshape(y, (k, 1)) for y in weights])
        column = self.matmul(matrix, vector, (matrix.shape[0], 1))
        return self.reshape(column, shape)

    def matmul(self, x: Term, y: Term, shape: Shape) -> Term:
        """The matrix product, of stacks of matrices if there are more than two axes."""
        return self.linear(
            x, shape, lambda a: self.linear(y, shape, lambda b: self.multiplied(a, b, shape))
        )

    def multiplied(self, x: Term, y: Term, shape: Shape) -> Term:
        """The product of terms without scalars; one by a 1×1 result is scaled by it instead."""
        if x.head == "identity" and y.shape == shape:
            return y
        if y.head == "identity" and x.shape == shape:
            return x
        if any(prod(a.shape) == 1 and not is_entered(a) for a in (x, y)):
            return self.product(shape, [x, y])
        if len(x.shape) == len(y.shape) == 2:
            (n, _), (_, k) = x.shape, y.shape
            if is_ones(x):
                return self.expand(self.sum(y, (0,), (1, k)), shape)
            if is_ones(y):
                return self.expand(self.sum(x, (1,), (n, 1)), shape)
        return self.make("matmul", (x, y), (), shape)
