"""Formulas in MathML.

An element is a list: its tag, perhaps a dict of attributes, then its children, which are elements
or text. A page builds its own elements from that, and ``markup`` writes it as text, so that no name
is ever taken for markup.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import chain
from typing import Any

from ...core.ops import Op
from .mathematics import Mathematics
from .names import Element, Elements, mathml_of
from .templates import ATOM, CHOICE, TIGHT, Place
from .terms import Term


def math(formula: Elements, text: str, display: bool = True) -> Element:
    """A whole <math>, with the formula as text for who cannot see it."""
    attributes = {"alttext": text, "display": "block" if display else "inline"}
    return ["math", attributes, grouped(formula)]


def equation(left: Elements, relation: str, right: Elements) -> Elements:
    return (*left, *sign(relation), *right)


def markup(element: Element | str) -> str:
    """An element as text, escaped.

    >>> markup(["mfrac", ["mi", {"id": "x"}, "<x>"], ["mn", "2"]])
    '<mfrac><mi id="x">&lt;x&gt;</mi><mn>2</mn></mfrac>'
    """
    if isinstance(element, str):
        return escape(element, quote=False)
    tag, *rest = element
    attributes = rest.pop(0) if rest and isinstance(rest[0], dict) else {}
    inside = "".join(f' {name}="{escape(value)}"' for name, value in attributes.items())
    return f"<{tag}{inside}>{''.join(map(markup, rest))}</{tag}>"


def grouped(elements: Elements) -> Element:
    """One element for several."""
    return elements[0] if len(elements) == 1 else ["mrow", *elements]


def sign(text: str) -> Elements:
    return (["mo", text],)


SPACE: Elements = (["mspace", {"width": "0.17em"}],)
TALL = {"mfrac", "mtable", "msqrt"}


def fenced(opening: str, inside: Elements, closing: str) -> Elements:
    """Between brackets, which grow with what is in them."""
    # Some fonts put space around what may stretch, even where it does not.
    attributes = {} if any(map(is_tall, inside)) else {"stretchy": "false"}
    ends = [["mo", attributes, end] for end in (opening, closing) if end]
    return (["mrow", ends[0], *inside, *ends[1:]],)


def is_tall(part: Any) -> bool:
    """Whether an element has a fraction, a table or a root in it; text and attributes have not."""
    return isinstance(part, list) and (part[0] in TALL or any(map(is_tall, part[1:])))


def scripted(base: Elements, script: Elements, tag: str = "msup") -> Elements:
    """A superscript or, for msub, a subscript."""
    if tag == "msup" and len(base) == 1 and base[0][0] == "msub":
        return (["msubsup", *base[0][1:], grouped(script)],)
    return ([tag, grouped(base), grouped(script)],)


class MathML(Mathematics[Elements]):
    """Elements in a row."""

    plus, less, minus, times, dot = sign("+"), sign("−"), sign("−"), sign("⊙"), sign("·")
    space, gap, nonzero = SPACE, (), (["mo", "≠"], ["mn", "0"])
    one, infinity, nan = (["mn", "𝟏"],), (["mi", "∞"],), (["mi", "nan"],)
    sigma: Elements = (["mo", {"largeop": "false", "movablelimits": "false"}, "∑"],)
    by, ellipsis = sign("×"), sign("…")

    def name_of(self, symbol: Term) -> Elements:
        return self.names.mathml(symbol)

    def template_of(self, op: Op) -> str:
        return op.formula

    def tightness(self, place: Place) -> int:
        return CHOICE if place.before in ("√", "^", "_") else place.tightness

    def filled(
        self, op: Op, pieces: Sequence[tuple[str | Place, Elements | None]], level: int
    ) -> tuple[Elements, int]:
        elements = Filled(self.sigma).all(pieces)
        is_root = len(elements) == 1 and elements[0][0] == "msqrt"
        return elements, ATOM if is_root else level

    def word(self, text: str) -> Elements:
        number = text.removeprefix("-")
        if number.isdigit():
            return (*(self.minus if number != text else ()), ["mn", number])
        return sign(text) if text in (":", "()") else (["mi", text],) if text else ()

    def other(self, text: str) -> Elements:
        return mathml_of(text)

    def joined(self, *parts: Elements) -> Elements:
        return tuple(chain(*parts))

    def between(self, sign: Elements, parts: Iterable[Elements]) -> Elements:
        listed = [x for part in parts for x in (sign, part)]
        return self.joined(*listed[1:])

    def listed(self, parts: Iterable[Elements]) -> Elements:
        return self.between(sign(","), parts)

    def parenthesised(self, inside: Elements) -> Elements:
        return fenced("(", inside, ")")

    def in_brackets(self, inside: Elements) -> Elements:
        return fenced("[", inside, "]")

    def digits(self, short: str) -> Elements:
        mantissa, _, exponent = short.partition("e")
        if not exponent:
            return (["mn", mantissa],)
        power = scripted((["mn", "10"],), self.word(str(int(exponent))))
        return self.joined((["mn", mantissa],), self.dot, power)

    def begins_with_digit(self, written: Elements) -> bool:
        return written[0][0] == "mn" and written[:1] != self.one

    def ratio(self, p: int, q: int) -> tuple[Elements, int]:
        return (["mfrac", ["mn", str(p)], ["mn", str(q)]],), ATOM

    def quotient(
        self, above: tuple[Elements, int], below: tuple[Elements, int]
    ) -> tuple[Elements, int]:
        return (["mfrac", grouped(above[0]), grouped(below[0])],), TIGHT

    def raised(self, base: Elements, p: Elements) -> Elements:
        return scripted(base, p)

    def transposed(self, base: Elements) -> Elements:
        return scripted(base, (["mi", "⊤"],))

    def normed(self, inside: Elements, is_matrix: bool, p: int) -> Elements:
        norm = fenced("‖", inside, "‖")
        norm = scripted(norm, (["mi", "F"],), "msub") if is_matrix else norm
        return norm if p == 1 else scripted(norm, self.word(str(p)))

    def function(self, name: str) -> Elements:
        return (["mi", name],)

    def called(self, function: Elements, *arguments: Elements) -> Elements:
        inside = self.between(sign(";"), arguments)
        return self.joined(function, fenced("(", inside, ")"))

    def indicator(self, condition: Elements) -> Elements:
        return self.joined(self.one, fenced("[", condition, "]"))


CLOSING = {"(": ")", "[": "]", "{": "}", "|": "|", "‖": "‖"}
RAISED = {"ᵀ": ["mi", "⊤"], "²": ["mn", "2"], "³": ["mn", "3"]}
SPACED = set("+−-=≠<≤>≥∧∨⊻⊙⋆∘·×/*,;")  # signs that MathML puts space around by itself
IF: Elements = (["mtext", "if"],)
ELSE: Elements = (["mtext", "else"],)
WORDS = {"if": IF, "else": ELSE}


class Filled:
    """The elements of a template with what is written at its places."""

    def __init__(self, sigma: Elements) -> None:
        self.sigma = sigma
        # What is open, from the outside in: the sign that opened it, and the elements in it.
        self.open: list[tuple[str, list[Elements]]] = [("", [])]

    def all(self, pieces: Sequence[tuple[str | Place, Elements | None]]) -> Elements:
        for i, (piece, elements) in enumerate(pieces):
            if elements is not None:
                self.put(elements)
            else:
                beside = {x for x, _ in pieces[max(i - 1, 0) : i + 2]}
                self.constant(str(piece), beside)
        while len(self.open) > 1:  # a bracket that nothing closes is a sign
            opening, inside = self.open.pop()
            self.open[-1][1].extend([sign(opening), *inside])
        return self.cases() or tuple(chain(*self.open[0][1]))

    def put(self, elements: Elements) -> None:
        """At the end, or where a root or a script waits for it."""
        opening, inside = self.open[-1]
        if opening == "√":
            self.open.pop()
            self.put((["msqrt", grouped(elements)],))
        elif opening in ("^", "_"):
            self.open.pop()
            before = self.open[-1][1]
            base = before.pop() if before else ((["mrow"],))
            self.put(scripted(base, elements, "msup" if opening == "^" else "msub"))
        else:
            inside.append(elements)

    def constant(self, piece: str, beside: set[str | Place]) -> None:
        """A piece of the template that is no place."""
        opening, inside = self.open[-1]
        is_closing = piece == CLOSING.get(opening) and not (piece == "|" and " " in beside)
        if is_closing:
            self.open.pop()
            self.put(fenced(opening, tuple(chain(*inside)), piece))
        elif piece in "√^_" or (piece in CLOSING and not (piece == "|" and " " in beside)):
            self.open.append((piece, []))
        elif piece in RAISED and inside:
            inside.append(scripted(inside.pop(), (RAISED[piece],)))
        elif piece == " ":
            inside.append(() if beside & SPACED else SPACE)
        elif piece == "Σ":
            self.put(self.sigma)
        elif piece in WORDS:
            inside.append(WORDS[piece])
        elif piece.isdecimal() and inside and inside[-1] and inside[-1][-1][0] == "mn":
            inside[-1] = (["mn", inside[-1][-1][1] + piece],)
        else:
            self.put(([kind(piece), piece.removeprefix("\\")],))

    def cases(self) -> Elements:
        """``x if condition else y``, as a choice is written."""
        whole = [x for x in self.open[0][1] if x not in ((), SPACE)]
        words = [i for i, x in enumerate(whole) if x is IF or x is ELSE]
        if len(words) != 2:
            return ()
        x, condition, y = (whole[: words[0]], whole[words[0] + 1 : words[1]], whole[words[1] + 1 :])
        rows = ((x, condition), (y, [ELSE]))
        table = [["mtr", *(["mtd", *chain(*cell)] for cell in cells)] for cells in rows]
        return fenced("{", (["mtable", *table],), "")


def kind(piece: str) -> str:
    """The tag of a word, a number or a sign."""
    if piece.isdecimal():
        return "mn"
    return "mi" if piece[-1].isalpha() or piece == "∞" else "mo"
