"""Numbers, sums, products and powers in the notation of the field, and what is broadcast."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from math import inf, isnan

from ...core.ops import Shape
from .templates import ATOM, BIG, CHOICE, JOINED, PRODUCT, SUM, TIGHT, Place
from .terms import Term, Terms, is_ones, joint_shape, parts
from .writing import Notation, S


class Entrywise(Notation[S]):
    """What is worked out entry by entry. A vector is a column, and 𝟏 the vector of ones."""

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
        if x.head == "product" and x not in self.cut and len(shape) > 1:
            arrays = [a for a in x.args if a.shape]
            if len(arrays) == 1 and arrays[0] in parts(x)[1]:
                return self.product(x, sign, shape)  # ½ 𝟏 vᵀ, not 𝟏 (½ v)ᵀ
        return self.spread(self.written[x] if sign > 0 else self.product(x, sign), x, shape)

    def spread(self, written: tuple[S, int], x: Term, shape: Shape) -> tuple[S, int]:
        if x.shape == shape or not x.shape or is_ones(x):
            return written
        if len(shape) > 2 and x.shape[1:] == (1,) != x.shape[:1]:
            # A vector would lie along the last axis.
            return self.reshaped(written, x.shape)
        if is_down(x, shape):
            laid = self.lying(written, x)
            return laid if shape[0] == 1 else self.beside((self.one, ATOM), laid)
        if is_across(x, shape):
            return self.beside(written, self.turned((self.one, ATOM)))
        return written

    def beside(self, left: tuple[S, int], right: tuple[S, int]) -> tuple[S, int]:
        return self.row(self.bracketed(side, JOINED) for side in (left, right)), JOINED

    def reshaped(self, written: tuple[S, int], shape: Shape) -> tuple[S, int]:
        sizes = self.option(shape, Place("shape", CHOICE, ";"))
        return self.called(self.function("reshape"), written[0], sizes), ATOM

    def lying(self, written: tuple[S, int], x: Term) -> tuple[S, int]:
        """What is written of a vector, or of a row, as a row."""
        if len(x.shape) == 2:
            return written
        return self.transpose(x) if written is self.written[x] else self.turned(written)

    def power(self, x: Term) -> tuple[S, int]:
        p = x.options[0]
        written = self.word(str(p)) if isinstance(p, int) else self.decimal(p)[0]
        return self.raised(self.at(x.args[0], ATOM), written), TIGHT

    def row(self, words: Iterable[S]) -> S:
        return self.between(self.space, words)

    def turned(self, written: tuple[S, int]) -> tuple[S, int]:
        return self.transposed(self.bracketed(written, ATOM)), TIGHT

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

    def function(self, name: str) -> S:
        raise NotImplementedError

    def called(self, function: S, *arguments: S) -> S:
        """f(x; options)."""
        raise NotImplementedError

    def transpose(self, x: Term) -> tuple[S, int]:
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
