"""What formulas have in common as text, in LaTeX and in MathML: the notation of the field."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from math import inf, isnan

import numpy as np

from ...core import ops
from ...core.ops import Op, Shape
from .templates import ATOM, BIG, CHOICE, JOINED, PRODUCT, RELATION, SUM, TIGHT, Place
from .terms import CONDITIONS, Term, Terms, is_ones, joint_shape, parts
from .writing import Notation, S


class Mathematics(Notation[S]):
    """Sums, products, powers, transposes and matrix products; any other op by its row."""

    plus: S
    less: S  # the minus between two terms, and then the one before a term
    minus: S
    times: S
    dot: S  # between numbers
    space: S
    gap: S  # behind Σ
    nonzero: S
    one: S  # the vector of ones
    infinity: S
    nan: S
    sigma: S

    # Numbers.

    def number(self, x: Term) -> tuple[S, int]:
        return self.decimal(x.options[0])

    def decimal(self, c: float) -> tuple[S, int]:
        if c < 0:
            return self.joined(self.minus, self.decimal(-c)[0]), SUM
        if isnan(c) or c == inf:
            return (self.nan if isnan(c) else self.infinity), ATOM
        short = repr(c).removesuffix(".0")
        ratio = Fraction(c).limit_denominator(10_000)
        is_ratio = float(ratio) == c and ratio.denominator > 1
        if is_ratio and (len(short) > 6 or c in VULGAR):
            return self.ratio(ratio.numerator, ratio.denominator)
        return self.digits(short), ATOM

    # Sums, products, powers.

    def add(self, x: Term) -> tuple[S, int]:
        out: list[S] = []
        for a in x.args:
            if a not in self.cut and parts(a)[0] < 0:
                out.append(self.less if out else self.minus)
                out.append(self.bracketed(self.fitted(a, x.shape, -1), BIG))
            else:
                out += [self.plus] if out else []
                out.append(self.bracketed(self.fitted(a, x.shape), SUM))
        return self.joined(*out), SUM

    def product(self, x: Term, sign: int = 1, shape: Shape | None = None) -> tuple[S, int]:
        shape = x.shape if shape is None else shape
        c, above, below = parts(x)
        written = self.numerator(abs(c), above, shape)
        if below:
            written = self.quotient(written, self.chain(below, shape))
        if c * sign < 0:
            return self.joined(self.minus, self.bracketed(written, BIG)), SUM
        return written

    def numerator(self, c: float, above: Terms, shape: Shape) -> tuple[S, int]:
        words = [] if c == 1 else [self.bracketed(self.decimal(c), ATOM)]
        level = JOINED if above or not words else ATOM
        scalars = [a for a in above if not a.shape]
        arrays = [a for a in above if a.shape]
        if c != 1 or scalars:  # 2 as a 1×1 matrix is just 2
            arrays = [a for a in arrays if not is_ones(a) or any(n != 1 for n in a.shape)]
        varied = [a for a in arrays if not is_ones(a)]
        together = joint_shape(tuple(varied)) if varied else ()
        if len(together) > 2:  # which they have together without the ones
            arrays = [a for a in arrays if a in varied or a.shape != together]
        for a in scalars:
            is_last = a is scalars[-1] and not arrays
            if is_last and self.written[a][1] == BIG:
                level = BIG
            # (xᵀ y) z, but ½ xᵀ y
            words.append(self.at(a, min(level, JOINED) if is_last else TIGHT))
        if arrays:
            chain = self.chain(tuple(arrays), shape)
            if not words:
                return chain
            words.append(self.bracketed(chain, JOINED))
        if not words:
            return self.decimal(1.0)
        if c != 1 and len(words) > 1 and self.begins_with_digit(words[1]):
            words[:2] = [self.joined(words[0], self.dot, words[1])]
        return self.row(words), level

    def chain(self, factors: Terms, shape: Shape) -> tuple[S, int]:
        """Factors entry by entry; a column and a row that are broadcast by each other as u vᵀ."""
        ones = [a for a in factors if is_ones(a) and a.shape == shape]
        columns = [a for a in factors if is_across(a, shape)]
        rows = [a for a in factors if is_down(a, shape)]
        if len(shape) != 2 or not (columns or rows):
            return self.multiplied([self.fitted(a, shape) for a in factors])
        broadcast = self.outer(columns, rows)
        out = []
        for a in factors:
            if a not in ones and (a in columns or a in rows):
                out += [broadcast] if broadcast not in out else []
            elif a not in ones:
                out.append(self.fitted(a, shape))
        return self.multiplied(out)

    def multiplied(self, factors: list[tuple[S, int]]) -> tuple[S, int]:
        if len(factors) == 1:
            return factors[0]
        return self.between(self.times, [self.bracketed(w, JOINED) for w in factors]), PRODUCT

    def outer(self, columns: list[Term], rows: list[Term]) -> tuple[S, int]:
        """u vᵀ, u 𝟏ᵀ or 𝟏 vᵀ."""
        left = self.multiplied([self.written[a] for a in columns] or [(self.one, ATOM)])
        turned = [self.lying(self.written[a], a) for a in rows]
        return self.beside(left, self.multiplied(turned or [self.turned((self.one, ATOM))]))

    # What is broadcast is written as what it is: a vector is a column.

    def fitted(self, x: Term, shape: Shape, sign: int = 1) -> tuple[S, int]:
        """A term, or minus it, where its surroundings have this shape."""
        if x.head == "product" and x not in self.cut and len(shape) == 2:
            arrays = [a for a in x.args if a.shape]
            if len(arrays) == 1 and arrays[0] in parts(x)[1]:
                return self.product(x, sign, shape)  # ½ 𝟏 vᵀ, not 𝟏 (½ v)ᵀ
        return self.spread(self.written[x] if sign > 0 else self.product(x, sign), x, shape)

    def spread(self, written: tuple[S, int], x: Term, shape: Shape) -> tuple[S, int]:
        if x.shape == shape or not x.shape or is_ones(x):
            return written
        if len(shape) > 2 and len(x.shape) == 2 and 1 in x.shape and x.head != "symbol":
            return self.by_row(ops.reshape, (x,), (x.shape,))  # no vector, which is another thing
        if is_down(x, shape):
            laid = self.lying(written, x)
            return laid if shape[0] == 1 else self.beside((self.one, ATOM), laid)
        if is_across(x, shape):
            return self.beside(written, self.turned((self.one, ATOM)))
        return written

    def beside(self, left: tuple[S, int], right: tuple[S, int]) -> tuple[S, int]:
        return self.row(self.bracketed(side, JOINED) for side in (left, right)), JOINED

    def lying(self, written: tuple[S, int], x: Term) -> tuple[S, int]:
        """What is written of a vector, or of a row, as a row."""
        if len(x.shape) == 2:
            return written
        return self.transpose(x) if written is self.written[x] else self.turned(written)

    def power(self, x: Term) -> tuple[S, int]:
        p = x.options[0]
        written = self.word(str(p)) if isinstance(p, int) else self.decimal(p)[0]
        return self.raised(self.at(x.args[0], ATOM), written), TIGHT

    # Matrices.

    def row(self, words: Iterable[S]) -> S:
        return self.between(self.space, words)

    def matmul(self, x: Term) -> tuple[S, int]:
        return self.row(self.at(a, JOINED) for a in x.args), JOINED

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

    def turned(self, written: tuple[S, int]) -> tuple[S, int]:
        return self.transposed(self.bracketed(written, ATOM)), TIGHT

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
        return self.by_row(ops.expand, x.args, (shape,))

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
        sizes = self.option(shape, Place("shape", CHOICE, ";"))
        return self.called(self.function("reshape"), written[0], sizes), ATOM

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

    def joined(self, *parts: S) -> S:
        raise NotImplementedError

    def digits(self, short: str) -> S:
        """A number as Python writes it."""
        raise NotImplementedError

    def begins_with_digit(self, written: S) -> bool:
        raise NotImplementedError

    def ratio(self, p: int, q: int) -> tuple[S, int]:
        raise NotImplementedError

    def quotient(self, above: tuple[S, int], below: tuple[S, int]) -> tuple[S, int]:
        raise NotImplementedError

    def raised(self, base: S, p: S) -> S:
        raise NotImplementedError

    def transposed(self, base: S) -> S:
        raise NotImplementedError

    def normed(self, inside: S, is_matrix: bool, p: int) -> S:
        """‖inside‖ᵖ; of a matrix it is Frobenius' norm."""
        raise NotImplementedError

    def function(self, name: str) -> S:
        raise NotImplementedError

    def called(self, function: S, *arguments: S) -> S:
        """f(x; options)."""
        raise NotImplementedError

    def indicator(self, condition: S) -> S:
        """1 where the condition holds, 0 elsewhere."""
        raise NotImplementedError


def is_down(x: Term, shape: Shape) -> bool:
    """Whether a vector or a row becomes the rows of a matrix."""
    if len(shape) != 2 or x.shape == shape:
        return False
    return x.shape in ((shape[1],), (1, shape[1])) and shape != (1, 1)


def is_across(x: Term, shape: Shape) -> bool:
    """Whether a column becomes the columns of a matrix."""
    return len(shape) == 2 and x.shape != shape and x.shape == (shape[0], 1)


VULGAR = {1 / 2: "½", 1 / 3: "⅓", 2 / 3: "⅔", 1 / 4: "¼", 3 / 4: "¾"}
TINY = {float(np.finfo(t).tiny) for t in (np.float16, np.float32, np.float64)}
