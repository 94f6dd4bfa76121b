"""How a term is written, as text and in LaTeX.

Sums, products, powers, transposes and matrix products are written here; any other op is written as
its row of the table says.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from fractions import Fraction
from math import inf, isnan
from types import EllipsisType
from typing import Any, NamedTuple

import numpy as np

from ...core import ops
from ...core.ops import Op
from .names import Names, latex_of, text_of
from .templates import ATOM, BIG, CHOICE, JOINED, PRODUCT, RELATION, SUM, TIGHT, Place, template
from .terms import Term, Terms, is_ones, joint_shape, parts

# What is written, and how tightly its parts hold together.
Written = tuple[str, int]


class Slice(NamedTuple):
    """A slice among the options of an op."""

    start: int | None
    stop: int | None
    step: int | None


class Listed(tuple[int, ...]):
    """A short list of indices among the options of an op."""

    __slots__ = ()


class Opaque:
    """Anything else among the options of an op."""

    def __init__(self, value: Any) -> None:
        self.value = value


class Notation:
    """Writes terms, each from what was written of its arguments.

    Once a term would be longer than ``longest`` names, numbers and signs, what occurs in it twice,
    and what is so long itself, is written once, under the names t1, t2, …
    """

    longest = 100
    shares = False  # whether what occurs twice in a short term gets a name too

    def __init__(self, names: Names) -> None:
        self.names = names
        self.written: dict[Term, Written] = {}
        self.cut: set[Term] = set()
        self.sizes: dict[Term, int] = {}
        self.definitions: list[tuple[str, str]] = []  # of t1, t2, …

    def write(self, root: Term) -> str:
        order = self.reachable(root)
        names = self.to_name(root, order)
        for x in order:
            if x is root or x not in self.written:
                self.written[x] = self.form(x)
            if x in names:
                self.name(x)
        text = self.written.pop(root)[0]
        if root in self.cut:
            self.written[root] = self.name_of(root), ATOM
        return text

    def reachable(self, root: Term) -> list[Term]:
        """The term and what it is made of, that first; not what has been named."""
        seen, found = {root}, [root]
        for x in found:  # grows while it is walked
            if x is root or x not in self.cut:
                new = [a for a in dict.fromkeys(x.args) if a not in seen]
                seen.update(new)
                found.extend(new)
        return sorted(found, key=lambda x: x.order)

    def is_long(self, root: Term) -> bool:
        """Whether the term, if nothing in it had a name, would be longer than ``longest``."""
        new = [root]
        for x in new:  # grows while it is walked
            for a in x.args:
                if a not in self.sizes:
                    self.sizes[a] = 0  # seen
                    new.append(a)
        for x in sorted(new, key=lambda x: x.order):
            self.sizes[x] = min(1 + sum(self.sizes[a] for a in x.args), self.longest + 1)
        return self.sizes[root] > self.longest

    def to_name(self, root: Term, order: list[Term]) -> set[Term]:
        if not self.shares and not self.is_long(root):
            return set()
        sizes: dict[Term, int] = {}
        uses = Counter(a for x in order for a in set(x.args))
        found = set()
        for x in order:
            if x is not root and x in self.cut:
                sizes[x] = 1
                continue
            size = 1 + sum(sizes[a] for a in x.args)
            for a in sorted(set(x.args), key=lambda a: -sizes[a]):
                if size <= self.longest or sizes[a] < 4:
                    break
                found.add(a)
                size -= (sizes[a] - 1) * x.args.count(a)
                sizes[a] = 1
            if uses[x] > 1 and size > 3 and x.head != "reshape":
                found.add(x)
                size = 1
            sizes[x] = size
        return found

    def name(self, x: Term) -> None:
        """Write the term down as a definition, and as a name from now on."""
        self.names.add(x, None, "t")
        self.definitions.append((self.name_of(x), self.written[x][0]))
        self.written[x] = self.name_of(x), ATOM
        self.cut.add(x)

    def name_of(self, symbol: Term) -> str:
        return self.names.text(symbol)

    def at(self, x: Term, level: int) -> str:
        """A term where something as tight as this has to stand."""
        return self.bracketed(self.written[x], level)

    def bracketed(self, written: Written, level: int) -> str:
        return written[0] if written[1] >= level else self.parenthesised(written[0])

    def parenthesised(self, text: str) -> str:
        return f"({text})"

    def form(self, x: Term) -> Written:
        """A term, of whose arguments all are written."""
        if x.head == "symbol":
            return self.name_of(x), TIGHT if x in self.names.fractions else ATOM
        if isinstance(x.head, Op):
            return self.by_row(x.head, x.args, x.options)
        found: Written = getattr(self, x.head)(x)
        return found

    # Ops by their rows.

    def by_row(self, op: Op, args: Terms, options: tuple[Any, ...]) -> Written:
        inputs = (args,) if op.variadic else args
        names = op.parameters
        values = dict(zip(names, (*inputs, *options), strict=False))
        text, transcribe = self.template_of(op)
        pieces, level = template(text, names)
        if len(pieces) == 1 and isinstance(pieces[0], Place):
            return self.written[values[pieces[0].parameter]]
        out: list[str] = []
        for i, piece in enumerate(pieces):
            if isinstance(piece, str):
                beside = {p for p in pieces[max(i - 1, 0) : i + 2] if isinstance(p, str)}
                out.append(" " if piece == " " and beside & SPACED else transcribe(piece))
                continue
            value = values[piece.parameter]
            if value is None and piece.before == ";":  # "; axes" where all axes are meant
                del out[-2:]
            elif value is args:
                out.append(", ".join(self.at(a, CHOICE) for a in args))
            elif value in args:
                out.append(self.argument(self.at(value, piece.tightness), piece))
            else:
                out.append(self.option(value, piece))
        return "".join(out), level

    def template_of(self, op: Op) -> tuple[str, Callable[[str], str]]:
        """The template, and what to do to those of its pieces that are not parameters."""
        return op.formula, str

    def argument(self, text: str, place: Place) -> str:
        return text

    def option(self, value: Any, place: Place) -> str:
        if isinstance(value, Listed):
            return f"[{', '.join(map(str, value))}]"
        if isinstance(value, Slice):
            bounds = ["" if b is None else str(b) for b in value]
            return ":".join(bounds if bounds[2] else bounds[:2])
        if isinstance(value, tuple):
            by = self.by if place.parameter in ("shape", "to", "into") else ", "
            return by.join(self.option(v, place) for v in value) or "()"
        if isinstance(value, Term):
            return self.name_of(value)
        if isinstance(value, EllipsisType):
            return self.ellipsis
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return self.decimal(float(value))[0]
        return self.other(type(value.value).__name__ if isinstance(value, Opaque) else str(value))

    by, ellipsis = "×", "…"

    def other(self, value: str) -> str:
        return text_of(value)

    def decimal(self, c: float) -> Written:
        raise NotImplementedError


class Text(Notation):
    """One line of Unicode."""

    minus, times, dot, space, one, top = "−", " ⊙ ", " · ", " ", "1", "ᵀ"
    infinity, nan, sigma, nonzero = "∞", "nan", "Σ", " ≠ 0"

    def __init__(self, names: Names) -> None:
        super().__init__(names)
        self.rows: set[Term] = set()  # vectors that read as a row, like 1ᵀ X

    def form(self, x: Term) -> Written:
        if x.head == "sum":
            is_row = len(x.args[0].shape) == 2 and x.options[0] == (0,)
        else:
            is_row = any(a in self.rows and a.shape == x.shape for a in x.args)
        if is_row and len(x.shape) == 1:
            self.rows.add(x)
        return super().form(x)

    # Numbers.

    def number(self, x: Term) -> Written:
        return self.decimal(x.options[0])

    def decimal(self, c: float) -> Written:
        if c < 0:
            return self.minus + self.decimal(-c)[0], SUM
        if isnan(c) or c == inf:
            return (self.nan if isnan(c) else self.infinity), ATOM
        short = repr(c).removesuffix(".0")
        ratio = Fraction(c).limit_denominator(10_000)
        is_ratio = float(ratio) == c and ratio.denominator > 1
        if is_ratio and (len(short) > 6 or c in VULGAR):
            return self.ratio(ratio.numerator, ratio.denominator)
        return self.digits(short), ATOM

    def digits(self, short: str) -> str:
        return short.replace("-", self.minus)

    def ratio(self, p: int, q: int) -> Written:
        return (VULGAR[p / q], ATOM) if p / q in VULGAR else (f"{p}/{q}", PRODUCT)

    # Sums, products, powers.

    def add(self, x: Term) -> Written:
        out = ""
        for a in x.args:
            if a not in self.cut and parts(a)[0] < 0:
                sign = f" {self.minus} " if out else self.minus
                out += sign + self.bracketed(self.product(a, -1), BIG)
            else:
                out += (" + " if out else "") + self.at(a, SUM)
        return out, SUM

    def product(self, x: Term, sign: int = 1) -> Written:
        c, above, below = parts(x)
        written = self.numerator(abs(c), above)
        if below:
            written = self.quotient(written, self.chain(below))
        return (self.minus + self.bracketed(written, BIG), SUM) if c * sign < 0 else written

    def numerator(self, c: float, above: Terms) -> Written:
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
            return "1", ATOM
        if c != 1 and len(words) > 1 and words[1][0].isdigit():
            words[:2] = [words[0] + self.dot + words[1]]
        return self.row(words), level

    def chain(self, factors: Terms) -> Written:
        if len(factors) == 1:
            return self.written[factors[0]]
        levels = (PRODUCT if a.head == "mask" else JOINED for a in factors)
        return self.times.join(map(self.at, factors, levels)), PRODUCT

    def outer(self, factors: list[Term]) -> Written | None:
        """u vᵀ, u 1ᵀ or 1 vᵀ, if these are broadcast to a matrix by the ones among them."""
        ones = [a for a in factors if is_ones(a) and len(a.shape) == 2]
        columns = [a for a in factors if len(a.shape) == 2 and a.shape[1] == 1 != a.shape[0]]
        rows = [a for a in factors if a.shape[:-1] in ((), (1,)) and a.shape[-1] != 1]
        if not ones or not (columns or rows) or len(ones + columns + rows) != len(factors):
            return None
        turned = [
            (self.at(a, ATOM) + self.top, TIGHT)
            if len(a.shape) == 1 and a not in self.rows
            else self.written[a]
            for a in rows
        ]
        left = self.chain(tuple(columns)) if columns else (self.one, ATOM)
        right = self.times.join(self.bracketed(w, JOINED) for w in turned), PRODUCT
        if len(turned) < 2:
            right = turned[0] if turned else (self.one + self.top, TIGHT)
        return self.row(self.bracketed(side, JOINED) for side in (left, right)), JOINED

    def quotient(self, above: Written, below: Written) -> Written:
        return f"{self.bracketed(above, PRODUCT)} / {self.bracketed(below, TIGHT)}", PRODUCT

    def power(self, x: Term) -> Written:
        p = x.options[0]
        text = str(p) if isinstance(p, int) else self.decimal(p)[0]
        return self.raised(self.at(x.args[0], ATOM), text), TIGHT

    def raised(self, base: str, p: str) -> str:
        return base + (p.translate(RAISED) if re.fullmatch(r"-?\d+", p) else f"^{p}")

    # Matrices.

    def row(self, words: Iterable[str]) -> str:
        return self.space.join(words)

    def matmul(self, x: Term) -> Written:
        return self.row(self.at(a, JOINED) for a in x.args), JOINED

    def identity(self, x: Term) -> Written:
        return "I", ATOM

    def permute(self, x: Term) -> Written:
        (axes,) = x.options
        n = len(axes)
        (source,) = x.args
        if axes == (*range(n - 2), n - 1, n - 2):
            if source.head == "reshape" and source.args[0] in self.rows:
                return self.written[source.args[0]]
            return self.transpose(source)
        return self.by_row(ops.permute, x.args, x.options)

    def transpose(self, x: Term) -> Written:
        if x.head == "sum" and len(x.args[0].shape) == 2 and x not in self.cut:
            turned = self.at(x.args[0], ATOM) + self.top
            is_row = x.options[0] == (0,)  # 1ᵀ A, of which the transpose is Aᵀ 1
            words = (turned, self.one) if is_row else (self.one + self.top, turned)
            return self.row(words), JOINED
        return self.at(x, ATOM) + self.top, TIGHT

    def reshape(self, x: Term) -> Written:
        (source,) = x.args
        if source in self.rows and x.shape == (*source.shape, 1):
            return self.transpose(source)
        longer, shorter = sorted((source.shape, x.shape), key=len, reverse=True)
        if not shorter or (longer == (*shorter, 1) and len(shorter) == 1):
            return self.written[source]
        return self.by_row(ops.reshape, x.args, (x.shape,))

    def expand(self, x: Term) -> Written:
        (inner,), shape = x.args, x.shape
        across = self.one + self.top
        if is_ones(x):
            if len(shape) != 2 or shape[1] == 1:
                return self.one, ATOM
            return (across, TIGHT) if shape[0] == 1 else (self.row((self.one, across)), JOINED)
        if len(shape) == 2 and len(inner.shape) == 1 and inner not in self.rows:
            return self.row((self.one, self.at(inner, ATOM) + self.top)), JOINED
        if len(shape) == 2 and (len(inner.shape) == 1 or inner.shape[0] == 1):
            return self.row((self.one, self.at(inner, JOINED))), JOINED
        if len(shape) == 2:
            return self.row((self.at(inner, JOINED), across)), JOINED
        return self.by_row(ops.expand, x.args, (shape,))

    def sum(self, x: Term) -> Written:
        (inner,), (axes,) = x.args, x.options
        n = len(inner.shape)
        if self.is_square_sum(x):
            return self.norm(inner.args[0], "2"), TIGHT
        if axes == tuple(range(n)):
            return f"{self.sigma} {self.at(inner, TIGHT)}", BIG
        if n == 2:
            words = [self.one + self.top, self.at(inner, JOINED)]
            return self.row(words if axes == (0,) else [words[1], self.one]), JOINED
        place = Place("axes", CHOICE, ";")
        return self.call(self.sigma, inner, self.option(axes, place))

    def is_square_sum(self, x: Term) -> bool:
        """Whether it is the sum of all squares, and not just a name for it here."""
        if x.head != "sum" or self.cut & {x, *x.args}:
            return False
        (inner,), (axes,) = x.args, x.options
        return inner.head == "power" and inner.options == (2,) and len(axes) == len(inner.shape)

    def norm(self, x: Term, p: str) -> str:
        text = f"‖{self.at(x, CHOICE)}‖"
        return (self.raised(text, p) if p else text) + "_F" * (len(x.shape) > 1)

    def by_row(self, op: Op, args: Terms, options: tuple[Any, ...]) -> Written:
        x, last = args[0], args[-1]
        if op is ops.sqrt and self.is_square_sum(x):
            return self.norm(x.args[0].args[0], ""), ATOM
        is_guard = op is ops.greater_equal and x.head is ops.abs and x not in self.cut
        if is_guard and last.head == "number" and last.options[0] in TINY:
            return self.at(x.args[0], SUM) + self.nonzero, RELATION
        return super().by_row(op, args, options)

    def softmax(self, x: Term) -> Written:
        return self.call("softmax", x.args[0])

    def call(self, name: str, x: Term, *options: str) -> Written:
        return f"{name}({'; '.join((self.at(x, CHOICE), *options))})", ATOM

    def mask(self, x: Term) -> Written:
        kept, condition = x.args
        indicator = self.indicator(self.at(condition, CHOICE))
        if kept.head == "number":
            return indicator, ATOM
        return self.at(kept, PRODUCT) + self.times + indicator, PRODUCT

    def indicator(self, condition: str) -> str:
        return f"1[{condition}]"


VULGAR = {1 / 2: "½", 1 / 3: "⅓", 2 / 3: "⅔", 1 / 4: "¼", 3 / 4: "¾"}
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
TINY = {float(np.finfo(t).tiny) for t in (np.float16, np.float32, np.float64)}


class Latex(Text):
    """LaTeX for math mode, under amsmath."""

    minus, times, dot, space = "-", r" \odot ", r" \cdot ", r" \, "
    one, top = r"\mathbf{1}", r"^{\top}"
    infinity, nan, sigma, nonzero = r"\infty", r"\mathrm{nan}", r"{\textstyle\sum}", r" \ne 0"
    by, ellipsis = r" \times ", r"\ldots"

    def name_of(self, symbol: Term) -> str:
        return self.names.latex(symbol)

    def parenthesised(self, text: str) -> str:
        return rf"\left({text}\right)"

    def template_of(self, op: Op) -> tuple[str, Callable[[str], str]]:
        return (op.formula, transcribed) if op.latex is None else (op.latex, str)

    def argument(self, text: str, place: Place) -> str:
        return f"{{{text}}}" if place.before in ("^", "_") else text

    def other(self, value: str) -> str:
        return latex_of(value)

    def digits(self, short: str) -> str:
        mantissa, _, exponent = short.partition("e")
        return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else mantissa

    def ratio(self, p: int, q: int) -> Written:
        return rf"\tfrac{{{p}}}{{{q}}}", ATOM

    def quotient(self, above: Written, below: Written) -> Written:
        return rf"\frac{{{above[0]}}}{{{below[0]}}}", TIGHT

    def raised(self, base: str, p: str) -> str:
        return f"{base}^{{{p}}}"

    def norm(self, x: Term, p: str) -> str:
        text = rf"\left\|{self.at(x, CHOICE)}\right\|" + "_F" * (len(x.shape) > 1)
        return self.raised(text, p) if p else text

    def call(self, name: str, x: Term, *options: str) -> Written:
        name = name if name == self.sigma else rf"\operatorname{{{name}}}"
        return rf"{name}\left({'; '.join((self.at(x, CHOICE), *options))}\right)", ATOM

    def indicator(self, condition: str) -> str:
        return rf"\mathbf{{1}}\left[{condition}\right]"


def transcribed(piece: str) -> str:
    """A word or a sign of a formula, in LaTeX."""
    if len(piece) > 1:
        return f"\\{piece}" if piece in COMMANDS else rf"\operatorname{{{latex_of(piece)}}}"
    is_plain = piece in "+-*/=<>!?.,;:^|0123456789"
    return SIGNS.get(piece) or (piece if is_plain else latex_of(piece))


SPACED = set("+−-=≠<≤>≥∧∨⊻⊙⋆∘·×/*,;")  # signs that LaTeX puts space around by itself
COMMANDS = {"exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "max", "min"}
SIGNS = {
    "⊙": r"\odot ", "−": "-", "≠": r"\ne ", "≤": r"\le ", "≥": r"\ge ", "∧": r"\land ",
    "∨": r"\lor ", "⊻": r"\oplus ", "¬": r"\lnot ", "√": r"\surd ", "·": r"\cdot ",
    "×": r"\times ", "⋆": r"\star ", "∘": r"\circ ", "…": r"\ldots ", "∞": r"\infty ",
    "Σ": r"{\textstyle\sum} ", "‖": r"\|", "ᵀ": r"^{\top}", "²": "^{2}", "³": "^{3}",
    "(": r"\left(", ")": r"\right)", "[": r"\left[", "]": r"\right]", "{": r"\left\{",
    "}": r"\right\}", " ": r"\, ",
}  # fmt: skip
