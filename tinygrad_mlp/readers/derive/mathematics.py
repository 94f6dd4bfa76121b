"""What formulas have in common as text, in LaTeX and in MathML: the notation of the field."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from math import inf, isnan
from typing import Any

import numpy as np

from ...core import ops
from ...core.ops import Op
from .names import Names
from .templates import ATOM, BIG, CHOICE, JOINED, PRODUCT, RELATION, SUM, TIGHT, Place
from .terms import Term, Terms, is_ones, joint_shape, parts
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

    def __init__(self, names: Names) -> None:
        super().__init__(names)
        self.rows: set[Term] = set()  # vectors that read as a row, like 1ᵀ X

    def form(self, x: Term) -> tuple[S, int]:
        if x.head == "sum":
            is_row = len(x.args[0].shape) == 2 and x.options[0] == (0,)
        else:
            is_row = any(a in self.rows and a.shape == x.shape for a in x.args)
        if is_row and len(x.shape) == 1:
            self.rows.add(x)
        return super().form(x)

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
                out.append(self.bracketed(self.product(a, -1), BIG))
            else:
                out += [self.plus] if out else []
                out.append(self.at(a, SUM))
        return self.joined(*out), SUM

    def product(self, x: Term, sign: int = 1) -> tuple[S, int]:
        c, above, below = parts(x)
        written = self.numerator(abs(c), above)
        if below:
            written = self.quotient(written, self.chain(below))
        if c * sign < 0:
            return self.joined(self.minus, self.bracketed(written, BIG)), SUM
        return written

    def numerator(self, c: float, above: Terms) -> tuple[S, int]:
        words = [] if c == 1 else [self.bracketed(self.decimal(c), ATOM)]
        level = JOINED if above or not words else ATOM
        scalars = [a for a in above if not a.shape]
        arrays = [a for a in above if a.shape]
        if c != 1 or scalars:  # 2 as a 1×1 matrix is just 2
            arrays = [a for a in arrays if not is_ones(a) or any(n != 1 for n in a.shape)]
        varied = [a for a in arrays if not is_ones(a)]
        shape = joint_shape(tuple(varied)) if varied else ()
        if len(shape) > 2:  # which they have together without the ones
            arrays = [a for a in arrays if a in varied or a.shape != shape]
        for a in scalars:
            is_last = a is scalars[-1] and not arrays
            if is_last and self.written[a][1] == BIG:
                level = BIG
            # (xᵀ y) z, but ½ xᵀ y
            words.append(self.at(a, min(level, JOINED) if is_last else TIGHT))
        if arrays:
            chain = self.outer(arrays) or self.chain(tuple(arrays))
            if not words:
                return chain
            words.append(self.bracketed(chain, JOINED))
        if not words:
            return self.decimal(1.0)
        if c != 1 and len(words) > 1 and self.begins_with_digit(words[1]):
            words[:2] = [self.joined(words[0], self.dot, words[1])]
        return self.row(words), level

    def chain(self, factors: Terms) -> tuple[S, int]:
        if len(factors) == 1:
            return self.written[factors[0]]
        levels = (PRODUCT if a.head == "mask" else JOINED for a in factors)
        return self.between(self.times, map(self.at, factors, levels)), PRODUCT

    def outer(self, factors: list[Term]) -> tuple[S, int] | None:
        """u vᵀ, u 1ᵀ or 1 vᵀ, if these are broadcast to a matrix by the ones among them."""
        ones = [a for a in factors if is_ones(a) and len(a.shape) == 2]
        columns = [a for a in factors if len(a.shape) == 2 and a.shape[1] == 1 != a.shape[0]]
        rows = [a for a in factors if a.shape[:-1] in ((), (1,)) and a.shape[-1] != 1]
        if not ones or not (columns or rows) or len(ones + columns + rows) != len(factors):
            return None
        turned = [
            self.turned(self.written[a])
            if len(a.shape) == 1 and a not in self.rows
            else self.written[a]
            for a in rows
        ]
        left = self.chain(tuple(columns)) if columns else (self.one, ATOM)
        right = self.between(self.times, [self.bracketed(w, JOINED) for w in turned]), PRODUCT
        if len(turned) < 2:
            right = turned[0] if turned else self.turned((self.one, ATOM))
        return self.row(self.bracketed(side, JOINED) for side in (left, right)), JOINED

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
            if source.head == "reshape" and source.args[0] in self.rows:
                return self.written[source.args[0]]
            return self.transpose(source)
        return self.by_row(ops.permute, x.args, x.options)

    def transpose(self, x: Term) -> tuple[S, int]:
        if x.head == "sum" and len(x.args[0].shape) == 2 and x not in self.cut:
            turned = self.turned(self.written[x.args[0]])[0]
            is_row = x.options[0] == (0,)  # 1ᵀ A, of which the transpose is Aᵀ 1
            words = (turned, self.one) if is_row else (self.turned((self.one, ATOM))[0], turned)
            return self.row(words), JOINED
        return self.turned(self.written[x])

    def turned(self, written: tuple[S, int]) -> tuple[S, int]:
        return self.transposed(self.bracketed(written, ATOM)), TIGHT

    def reshape(self, x: Term) -> tuple[S, int]:
        (source,) = x.args
        if source in self.rows and x.shape == (*source.shape, 1):
            return self.transpose(source)
        longer, shorter = sorted((source.shape, x.shape), key=len, reverse=True)
        if not shorter or (longer == (*shorter, 1) and len(shorter) == 1):
            return self.written[source]
        return self.by_row(ops.reshape, x.args, (x.shape,))

    def expand(self, x: Term) -> tuple[S, int]:
        (inner,), shape = x.args, x.shape
        across = self.turned((self.one, ATOM))
        if is_ones(x):
            if len(shape) != 2 or shape[1] == 1:
                return self.one, ATOM
            return across if shape[0] == 1 else (self.row((self.one, across[0])), JOINED)
        if len(shape) == 2 and len(inner.shape) == 1 and inner not in self.rows:
            return self.row((self.one, self.turned(self.written[inner])[0])), JOINED
        if len(shape) == 2 and (len(inner.shape) == 1 or inner.shape[0] == 1):
            return self.row((self.one, self.at(inner, JOINED))), JOINED
        if len(shape) == 2:
            return self.row((self.at(inner, JOINED), across[0])), JOINED
        return self.by_row(ops.expand, x.args, (shape,))

    def sum(self, x: Term) -> tuple[S, int]:
        (inner,), (axes,) = x.args, x.options
        n = len(inner.shape)
        if self.is_square_sum(x):
            return self.norm(inner.args[0], 2), TIGHT
        if axes == tuple(range(n)):
            return self.joined(self.sigma, self.gap, self.at(inner, TIGHT)), BIG
        if n == 2:
            words = [self.turned((self.one, ATOM))[0], self.at(inner, JOINED)]
            return self.row(words if axes == (0,) else [words[1], self.one]), JOINED
        place = Place("axes", CHOICE, ";")
        return self.called(self.sigma, self.at(inner, CHOICE), self.option(axes, place)), ATOM

    def is_square_sum(self, x: Term) -> bool:
        """Whether it is the sum of all squares, and not just a name for it here."""
        if x.head != "sum" or self.cut & {x, *x.args}:
            return False
        (inner,), (axes,) = x.args, x.options
        return inner.head == "power" and inner.options == (2,) and len(axes) == len(inner.shape)

    def norm(self, x: Term, p: int) -> S:
        return self.normed(self.at(x, CHOICE), len(x.shape) > 1, p)

    def by_row(self, op: Op, args: Terms, options: tuple[Any, ...]) -> tuple[S, int]:
        x, last = args[0], args[-1]
        if op is ops.sqrt and self.is_square_sum(x):
            return self.norm(x.args[0].args[0], 1), ATOM
        is_guard = op is ops.greater_equal and x.head is ops.abs and x not in self.cut
        if is_guard and last.head == "number" and last.options[0] in TINY:
            return self.joined(self.at(x.args[0], SUM), self.nonzero), RELATION
        return super().by_row(op, args, options)

    def softmax(self, x: Term) -> tuple[S, int]:
        return self.called(self.function("softmax"), self.at(x.args[0], CHOICE)), ATOM

    def mask(self, x: Term) -> tuple[S, int]:
        kept, condition = x.args
        indicator = self.indicator(self.at(condition, CHOICE))
        if kept.head == "number":
            return indicator, ATOM
        return self.joined(self.at(kept, PRODUCT), self.times, indicator), PRODUCT

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


VULGAR = {1 / 2: "½", 1 / 3: "⅓", 2 / 3: "⅔", 1 / 4: "¼", 3 / 4: "¾"}
TINY = {float(np.finfo(t).tiny) for t in (np.float16, np.float32, np.float64)}
