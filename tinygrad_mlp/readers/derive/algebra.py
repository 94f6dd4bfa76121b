"""The rules that simplify formulas.

Each operation makes a term of terms that are simple already; nothing is rewritten later, and no
rule walks a whole term. The rules are

1. Numbers and scalars come to the front: out of ⊙, /, sums, matrix products, transposes, reshapes,
   broadcasts and indexing. Out of a sum also comes what is constant along its axes.
2. x ⊙ 1 = x + 0 = x and x ⊙ 0 = 0. Nothing is broadcast that an operand broadcasts anyway, and a
   sum of a broadcast value is a multiple of it; of a scattered one, the sum of it. Weighted sums
   are products: (A ⊙ 𝟏 vᵀ) 𝟏 = A v.
3. Equal things combine: x + x = 2 x, x ⊙ x = x², A x + B x = (A + B) x, 2 x + 2 y = 2 (x + y).
4. A transpose of a transpose and a reshape of a reshape are one. A vector is a column, and the
   transpose of a row is a column: (xᵀ A)ᵀ = Aᵀ x; and (Aᵀ B)ᵀ = Bᵀ A. Also A I = A, and some of
   many ones are ones.
5. x / y / z = x / (y ⊙ z). What is never zero, like exp(x), cancels, if need be in each term of a
   sum. exp(x) / (1 + exp(x)) = σ(x) and exp(x) / Σ exp(x) = softmax(x) = softmax(x + c).
6. What has a name goes by it.

and a seventh, for conditions, in ``rows``. They hold for real numbers. So a formula may differ from
the tape in the last digits, and where the tape meets nan or an infinity.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...core import ops
from ...core.ops import Op, Shape
from .additions import Additions
from .arrangement import Arrangement
from .contraction import Contraction
from .products import Products
from .terms import Term, Terms, is_ones, joint_shape


class Algebra(Products, Additions, Arrangement, Contraction):
    """Makes terms, simplified."""

    def make(
        self, head: Op | str, args: Terms, options: tuple[Any, ...] = (), shape: Shape = ()
    ) -> Term:
        if head is ops.getitem and is_ones(args[0]):
            return self.ones(shape)
        return super().make(head, args, options, shape)

    def elementwise(
        self, head: Op | str, args: Iterable[Term], options: tuple[Any, ...], shape: Shape
    ) -> Term:
        """An op that broadcasts its arguments by itself."""
        args = tuple(map(self.natural, args))
        inner_shape = joint_shape(args)
        return self.expand(self.make(head, args, options, inner_shape), shape)
