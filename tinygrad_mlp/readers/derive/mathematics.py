"""Formulas as text, in LaTeX and in MathML have this in common: the notation of the field."""

from __future__ import annotations

import numpy as np

from ...core import ops
from ...core.ops import Op, Shape
from .entrywise import Entrywise
from .templates import ATOM, BIG, CHOICE, JOINED, PRODUCT, RELATION, SUM, TIGHT, Place
from .terms import CONDITIONS, Term, is_ones
from .writing import S


class Mathematics(Entrywise[S]):
    """Transposes, sums over axes and matrix products; any other op by its row."""

    def matmul(self, x: Term) -> tuple[S, int]:
        return self.beside(*map(self.factor, x.args))

    def factor(self, x: Term) -> tuple[S, int]:
        """A factor of a matrix product: a stack of ones as one of the matrices in it."""
        if not is_ones(x) or len(x.shape) < 3:
            return self.written[x]
        n, m = x.shape[-2:]
        column, row = (self.one, ATOM), self.turned((self.one, ATOM))
        return column if m == 1 else row if n == 1 else self.beside(column, row)

    def identity(self, x: Term) -> tuple[S, int]:
        return self.word("I"), ATOM

    def permute(self, x: Term) -> tuple[S, int]:
        (axes,) = x.options
        n = len(axes)
        (source,) = x.args
        if axes == (*range(n - 2), n - 1, n - 2):
            return self.transpose(source)
        return self.by_row(ops.permute, x.args, x.options)

    def transpose(self, x: Term) -> tuple[S, int]:
        """A term on its side; A 𝟏 as 𝟏ᵀ Aᵀ."""
        inner = x.args[0] if x.head == "reshape" and x not in self.cut else x
        if inner.head == "sum" and len(inner.args[0].shape) == 2 and inner not in self.cut:
            along = inner.options[0]
            if along == (0,) and len(inner.shape) == 2:
                return self.beside(self.other_way(inner.args[0]), (self.one, ATOM))
            if len(along) == 1:
                summed = self.written[inner.args[0]]
                right = summed if along == (0,) else self.other_way(inner.args[0])
                return self.beside(self.turned((self.one, ATOM)), right)
        return self.turned(self.written[x])

    def other_way(self, x: Term) -> tuple[S, int]:
        """The transpose of a matrix."""
        is_turned = x.head == "permute" and x not in self.cut
        return self.written[x.args[0]] if is_turned else self.turned(self.written[x])

    def reshape(self, x: Term) -> tuple[S, int]:
        (source,) = x.args
        longer, shorter = sorted((source.shape, x.shape), key=len, reverse=True)
        if not shorter or (longer == (*shorter, 1) and len(shorter) == 1):
            return self.written[source]
        return self.by_row(ops.reshape, x.args, (x.shape,))

    def expand(self, x: Term) -> tuple[S, int]:
        (inner,), shape = x.args, x.shape
        if is_ones(x):
            across = self.turned((self.one, ATOM))
            if len(shape) != 2 or shape[1] == 1:
                return self.one, ATOM
            return across if shape[0] == 1 else self.beside((self.one, ATOM), across)
        if len(shape) == 2:
            return self.fitted(inner, shape)
        return self.by_row(ops.expand, x.args, (shape,), shape)

    def sum(self, x: Term) -> tuple[S, int]:
        (inner,), (axes,) = x.args, x.options
        n = len(inner.shape)
        if self.is_square_sum(x):
            return self.norm(inner.args[0], 2), TIGHT
        if axes == tuple(range(n)):
            return self.joined(self.sigma, self.gap, self.at(inner, TIGHT)), BIG
        if n == 2:
            if axes == (1,):
                return self.beside(self.written[inner], (self.one, ATOM))
            if len(x.shape) == 2:
                return self.beside(self.turned((self.one, ATOM)), self.written[inner])
            return self.beside(self.other_way(inner), (self.one, ATOM))
        option = self.option(axes, Place("axes", CHOICE, ";"))
        found = self.called(self.sigma, self.at(inner, CHOICE), option), ATOM
        return self.kept(found, x.shape) if len(x.shape) == n else found

    def kept(self, written: tuple[S, int], shape: Shape) -> tuple[S, int]:
        """What is written without the axes that it went along, where these are kept."""
        if len(shape) < 3:
            return self.turned(written) if shape[:1] == (1,) != shape else written
        return self.reshaped(written, shape)

    def is_square_sum(self, x: Term) -> bool:
        """Whether it is the sum of all squares, and not just a name for it here."""
        if x.head != "sum" or self.cut & {x, *x.args}:
            return False
        (inner,), (axes,) = x.args, x.options
        return inner.head == "power" and inner.options == (2,) and len(axes) == len(inner.shape)

    def norm(self, x: Term, p: int) -> S:
        return self.normed(self.at(x, CHOICE), len(x.shape) > 1, p)

    def operation(self, x: Term, op: Op) -> tuple[S, int]:
        first, last = x.args[0], x.args[-1]
        if op is ops.sqrt and self.is_square_sum(first):
            return self.norm(first.args[0].args[0], 1), ATOM
        is_guard = op is ops.greater_equal and first.head is ops.abs and first not in self.cut
        if is_guard and last.head == "number" and last.options[0] in TINY:
            return self.joined(self.at(first.args[0], SUM), self.nonzero), RELATION
        is_broadcast = op.broadcasts or op in CONDITIONS
        written = self.by_row(op, x.args, x.options, x.shape if is_broadcast else None)
        options = dict(zip(op.parameters[::-1], x.options[::-1], strict=False))
        return self.kept(written, x.shape) if options.get("keepdims") is True else written

    def softmax(self, x: Term) -> tuple[S, int]:
        return self.called(self.function("softmax"), self.at(x.args[0], CHOICE)), ATOM

    def mask(self, x: Term) -> tuple[S, int]:
        kept, condition = x.args
        indicator = self.indicator(self.at(condition, CHOICE)), ATOM
        if kept.head == "number":
            return indicator
        left, right = self.fitted(kept, x.shape), self.spread(indicator, condition, x.shape)
        return self.between(
            self.times, (self.bracketed(left, PRODUCT), self.bracketed(right, JOINED))
        ), PRODUCT

    # What each notation has its own way for.

    def normed(self, inside: S, is_matrix: bool, p: int) -> S:
        """‖inside‖ᵖ; of a matrix it is Frobenius' norm."""
        raise NotImplementedError

    def indicator(self, condition: S) -> S:
        """1 where the condition holds, 0 elsewhere."""
        raise NotImplementedError


TINY = {float(np.finfo(t).tiny) for t in (np.float16, np.float32, np.float64)}
