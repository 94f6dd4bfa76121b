r"""Formulas as MathML, from the LaTeX that ``formulas`` writes.

An element is a list: its tag, perhaps a dict of attributes, then its children, which are elements
or text. A page builds its own elements from that, and ``markup`` writes it as text, so that no name
is ever taken for markup.

>>> print(markup(mathml(r"\frac{x_{1}}{2}")))
<mfrac><msub><mi>x</mi><mn>1</mn></msub><mn>2</mn></mfrac>
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape
from typing import Any

from ..derive.names import GREEK
from ..derive.notation import COMMANDS as FUNCTIONS

Element = list[Any]

TOKENS = re.compile(r"\\[A-Za-z]+|\\.|\d+(?:\.\d+)?|\s+|\+=|.", re.DOTALL)

SIGNS = {
    r"\odot": "⊙", r"\cdot": "·", r"\times": "×", r"\ne": "≠", r"\le": "≤", r"\ge": "≥",
    r"\land": "∧", r"\lor": "∨", r"\oplus": "⊻", r"\lnot": "¬", r"\surd": "√", r"\star": "⋆",
    r"\circ": "∘", r"\ldots": "…", r"\sum": "∑", r"\|": "‖", r"\{": "{", r"\}": "}", "-": "−",
    r"\langle": "⟨", r"\rangle": "⟩",
}  # fmt: skip
SYMBOLS = {r"\infty": "∞", r"\partial": "∂", r"\top": "⊤"}
TALL = {"mfrac", "mtable", "msqrt"}
SPACES = {r"\,": "0.17em", r"\ ": "0.25em"}
LETTERS = {
    "epsilon": "ϵ", "phi": "ϕ", "theta": "θ", "lambda": "λ", "Lambda": "Λ",
}  # fmt: skip
# Inside of \mathtt: how ``latex_of`` spells characters that LaTeX keeps for itself, or lacks.
TYPED = re.compile(r"\\langle ([0-9A-F]+)\\rangle |(\\backslash )|{\\(sim|wedge|prime)}|\\(.)")
SPELLED = {"sim": "~", "wedge": "^", "prime": "'"}


def mathml(latex: str) -> Element:
    """One element for a formula."""
    return row(Parser(latex).sequence(lambda token: False))


def math(latex: str, text: str, display: bool = True) -> Element:
    """A whole <math>, with the formula as text for who cannot see it."""
    attributes = {"alttext": text, "display": "block" if display else "inline"}
    return ["math", attributes, mathml(latex)]


def markup(element: Element | str) -> str:
    """An element as text, escaped."""
    if isinstance(element, str):
        return escape(element, quote=False)
    tag, *rest = element
    attributes = rest.pop(0) if rest and isinstance(rest[0], dict) else {}
    inside = "".join(f' {name}="{escape(value)}"' for name, value in attributes.items())
    return f"<{tag}{inside}>{''.join(map(markup, rest))}</{tag}>"


def row(elements: list[Element]) -> Element:
    return elements[0] if len(elements) == 1 else ["mrow", *elements]


class Parser:
    """Reads LaTeX token by token. What it does not know stays as it is, as text."""

    def __init__(self, latex: str) -> None:
        self.tokens = TOKENS.findall(latex)
        self.place = 0

    def peek(self) -> str:
        return self.tokens[self.place] if self.place < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self.place += 1
        return token

    def sequence(self, ends: Callable[[str], bool]) -> list[Element]:
        """Elements up to a token that ends them, which is not taken."""
        found: list[Element] = []
        while (token := self.peek()) and not ends(token):
            if token in "^_":
                self.take()
                tag = "msup" if token == "^" else "msub"
                base = found.pop() if found else ["mrow"]
                script = self.argument()
                if tag == "msup" and base[0] == "msub":
                    found.append(["msubsup", *base[1:], script])
                else:
                    found.append([tag, base, script])
            else:
                found += self.atom()
        return found

    def argument(self) -> Element:
        """What is in braces, or the next thing."""
        while self.peek().isspace():
            self.take()
        if self.peek() != "{":
            return row(self.atom())
        self.take()
        inside = row(self.sequence(lambda token: token == "}"))
        self.take()
        return inside

    def raw(self) -> list[str]:
        """The tokens in braces."""
        found, depth = [], 0
        while token := self.take():
            depth += (token == "{") - (token == "}")
            if depth == 0:
                break
            found.append(token)
        return found[1:]

    def atom(self) -> list[Element]:
        token = self.take()
        if token == "{":
            self.place -= 1
            return [self.argument()]
        if token in (r"\frac", r"\tfrac"):
            return [["mfrac", self.argument(), self.argument()]]
        if token == r"\sqrt":
            return [["msqrt", self.argument()]]
        if token == r"\left":
            opening = self.take()
            inside = self.sequence(lambda token: token == r"\right")
            self.take()
            tall = any(map(is_tall, inside))
            return [["mrow", fence(opening, tall), *inside, fence(self.take(), tall)]]
        if token == r"\begin":
            return [self.cases()]
        if token == r"\mathtt":
            return [["mtext", typed("".join(self.raw()))]]
        if token in (r"\mathrm", r"\text"):
            return [["mi" if token == r"\mathrm" else "mtext", letters(self.raw())]]
        if token == r"\operatorname":
            words = [t for t in self.raw() if t not in (r"\mathrm", r"\mathtt", "{", "}")]
            return [["mi", letters(words)]]
        if token == r"\mathbf":
            return [["mn", letters(self.raw()).replace("1", "𝟏")]]
        if token == r"\textstyle" or token.isspace() or not token:
            return []
        return [single(token)]

    def cases(self) -> Element:
        self.raw()  # cases, the only environment there is
        lines: list[Element] = [["mtr"]]
        while (token := self.peek()) and token != r"\end":
            cell = self.sequence(lambda token: token in ("&", r"\\", r"\end"))
            lines[-1].append(["mtd", *cell])
            if self.peek() == "&":
                self.take()
            elif self.peek() == r"\\":
                self.take()
                lines.append(["mtr"])
        self.take()
        self.raw()
        return ["mrow", fence("{", True), ["mtable", *lines]]


def fence(token: str, tall: bool) -> Element:
    # Some fonts put space around what may stretch, even where it does not.
    attributes = {} if tall else {"stretchy": "false"}
    return ["mo", attributes, SIGNS.get(token, token)]


def is_tall(part: Any) -> bool:
    """Whether an element has a fraction, a table or a root in it; text and attributes have not."""
    return isinstance(part, list) and (part[0] in TALL or any(map(is_tall, part[1:])))


def single(token: str) -> Element:
    """The element of one token."""
    if token in SPACES:
        return ["mspace", {"width": SPACES[token]}]
    if token == r"\sum":
        return ["mo", {"largeop": "false", "movablelimits": "false"}, SIGNS[token]]
    if token in SIGNS:
        return ["mo", SIGNS[token]]
    if token in SYMBOLS:
        return ["mi", SYMBOLS[token]]
    if token[0].isdigit():
        return ["mn", token]
    if token[0] == "\\":
        name = token[1:]
        if name in GREEK:
            return ["mi", greek(name)]
        return ["mi" if name in FUNCTIONS else "mtext", name]
    return ["mi" if token.isalpha() else "mo", token]


def greek(name: str) -> str:
    if name in LETTERS:
        return LETTERS[name]
    case = "CAPITAL" if name[0].isupper() else "SMALL"
    return f"\\N{{GREEK {case} LETTER {name.upper()}}}".encode().decode("unicode_escape")


def letters(tokens: list[str]) -> str:
    """Words, in which Greek letters may be."""
    found = (
        greek(t[1:]) if t[1:] in GREEK else t.replace("\\", "") for t in tokens if not t.isspace()
    )
    return "".join(found)


def typed(latex: str) -> str:
    """The name that ``latex_of`` wrote letter by letter."""

    def character(found: re.Match[str]) -> str:
        code, backslash, word, escaped = found.groups()
        if code:
            c = chr(int(code, 16))
            return c if c.isprintable() else c.encode("unicode_escape").decode()
        return "\\" if backslash else SPELLED.get(word, escaped)

    return TYPED.sub(character, latex)
