"""Formulas as one line of text, and in LaTeX."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ...core.ops import Op
from .entrywise import VULGAR
from .mathematics import Mathematics
from .names import latex_of, text_of
from .options import Listed, Opaque, Slice
from .templates import ATOM, PRODUCT, TIGHT, Place
from .terms import Term

__all__ = ["Latex", "Listed", "Opaque", "Slice", "Text"]


class Text(Mathematics[str]):
    """One line of Unicode."""

    plus, less, minus, times, dot = " + ", " − ", "−", " ⊙ ", " · "
    space, gap, nonzero, one, top = " ", " ", " ≠ 0", "𝟏", "ᵀ"
    infinity, nan, sigma, by, ellipsis = "∞", "nan", "Σ", "×", "…"

    def name_of(self, symbol: Term) -> str:
        return self.names.text(symbol)

    def template_of(self, op: Op) -> str:
        return op.formula

    def filled(
        self, op: Op, pieces: Sequence[tuple[str | Place, str | None]], level: int
    ) -> tuple[str, int]:
        return "".join(str(x) if text is None else text for x, text in pieces), level

    def word(self, text: str) -> str:
        return text

    def other(self, text: str) -> str:
        return text_of(text)

    def joined(self, *parts: str) -> str:
        return "".join(parts)

    def between(self, sign: str, parts: Iterable[str]) -> str:
        return sign.join(parts)

    def listed(self, parts: Iterable[str]) -> str:
        return ", ".join(parts)

    def parenthesised(self, inside: str) -> str:
        return f"({inside})"

    def in_brackets(self, inside: str) -> str:
        return f"[{inside}]"

    def digits(self, short: str) -> str:
        return short.replace("-", self.minus)

    def begins_with_digit(self, written: str) -> bool:
        return written[0] in "0123456789"

    def ratio(self, p: int, q: int) -> tuple[str, int]:
        return (VULGAR[p / q], ATOM) if p / q in VULGAR else (f"{p}/{q}", PRODUCT)

    def quotient(self, above: tuple[str, int], below: tuple[str, int]) -> tuple[str, int]:
        return f"{self.bracketed(above, PRODUCT)} / {self.bracketed(below, TIGHT)}", PRODUCT

    def raised(self, base: str, p: str) -> str:
        is_whole = re.fullmatch(r"-?\d+", p)
        return base + (p.translate(RAISED) if is_whole else f"^{p}")

    def transposed(self, base: str) -> str:
        return base + self.top

    def normed(self, inside: str, is_matrix: bool, p: int) -> str:
        norm = f"‖{inside}‖"
        return (norm if p == 1 else self.raised(norm, str(p))) + "_F" * is_matrix

    def function(self, name: str) -> str:
        return name

    def called(self, function: str, *arguments: str) -> str:
        return f"{function}({'; '.join(arguments)})"

    def indicator(self, condition: str) -> str:
        return f"1[{condition}]"


RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Latex(Text):
    """LaTeX for math mode, under amsmath."""

    less, minus, times, dot, space = " - ", "-", r" \odot ", r" \cdot ", r" \, "
    nonzero, one, top = r" \ne 0", r"\mathbf{1}", r"^{\top}"
    infinity, nan, sigma = r"\infty", r"\mathrm{nan}", r"{\textstyle\sum}"
    by, ellipsis = r" \times ", r"\ldots"

    def name_of(self, symbol: Term) -> str:
        return self.names.latex(symbol)

    def template_of(self, op: Op) -> str:
        return op.formula if op.latex is None else op.latex

    def filled(
        self, op: Op, pieces: Sequence[tuple[str | Place, str | None]], level: int
    ) -> tuple[str, int]:
        out = []
        for i, (piece, text) in enumerate(pieces):
            if isinstance(piece, Place):
                assert text is not None
                out.append(f"{{{text}}}" if piece.before in ("^", "_") else text)
            elif op.latex is not None:
                out.append(piece)
            else:
                beside = {x for x, _ in pieces[max(i - 1, 0) : i + 2]}
                out.append(" " if piece == " " and beside & SPACED else transcribed(piece))
        return "".join(out), level

    def other(self, text: str) -> str:
        return latex_of(text)

    def parenthesised(self, inside: str) -> str:
        return rf"\left({inside}\right)"

    def digits(self, short: str) -> str:
        mantissa, _, exponent = short.partition("e")
        return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else mantissa

    def ratio(self, p: int, q: int) -> tuple[str, int]:
        return rf"\tfrac{{{p}}}{{{q}}}", ATOM

    def quotient(self, above: tuple[str, int], below: tuple[str, int]) -> tuple[str, int]:
        return rf"\frac{{{above[0]}}}{{{below[0]}}}", TIGHT

    def raised(self, base: str, p: str) -> str:
        return f"{base}^{{{p}}}"

    def normed(self, inside: str, is_matrix: bool, p: int) -> str:
        norm = rf"\left\|{inside}\right\|" + "_F" * is_matrix
        return norm if p == 1 else self.raised(norm, str(p))

    def function(self, name: str) -> str:
        return rf"\operatorname{{{name}}}"

    def called(self, function: str, *arguments: str) -> str:
        return rf"{function}\left({'; '.join(arguments)}\right)"

    def indicator(self, condition: str) -> str:
        return rf"\mathbf{{1}}\left[{condition}\right]"


def transcribed(piece: str) -> str:
    """A word or a sign of a formula, in LaTeX."""
    if len(piece) > 1:
        return f"\\{piece}" if piece in COMMANDS else rf"\operatorname{{{latex_of(piece)}}}"
    is_plain = piece in "+-*/=<>!?.,;:^|0123456789"
    return SIGNS.get(piece) or (piece if is_plain else latex_of(piece))


SPACED: set[str | Place] = set(
    "+−-=≠<≤>≥∧∨⊻⊙⋆∘·×/*,;"
)  # signs that LaTeX puts space around by itself
COMMANDS = {"exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "max", "min"}
SIGNS = {
    "⊙": r"\odot ", "−": "-", "≠": r"\ne ", "≤": r"\le ", "≥": r"\ge ", "∧": r"\land ",
    "∨": r"\lor ", "⊻": r"\oplus ", "¬": r"\lnot ", "√": r"\surd ", "·": r"\cdot ",
    "×": r"\times ", "⋆": r"\star ", "∘": r"\circ ", "…": r"\ldots ", "∞": r"\infty ",
    "Σ": r"{\textstyle\sum} ", "‖": r"\|", "ᵀ": r"^{\top}", "²": "^{2}", "³": "^{3}",
    "(": r"\left(", ")": r"\right)", "[": r"\left[", "]": r"\right]", "{": r"\left\{",
    "}": r"\right\}", " ": r"\, ",
}  # fmt: skip
