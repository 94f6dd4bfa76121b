"""How a term is written: as text, in LaTeX, and as NumPy source.

Sums, products, powers, transposes and matrix products are written here. Any other op is written by
its row of the table: its formula is a template in which the forward's parameters stand for the
arguments, and where these need parentheses follows from the template itself.
"""

from __future__ import annotations

import builtins
import keyword
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from functools import lru_cache
from math import inf, isnan
from types import EllipsisType
from typing import Any, NamedTuple

import numpy as np

from . import ops
from .algebra import Term, parts
from .ops import Op, Shape, parameters

# How tightly something is written together, from a choice to a name.
CHOICE, SUM, BIG, PRODUCT, JOINED, TIGHT, ATOM = range(7)

LONGEST = 100  # so many names, numbers and ops a formula may have before its parts are named
WORDS = re.compile(r"\\?[^\W\d]\w*|.", re.DOTALL)
BRACKETS = re.compile(r"\([^()\[\]{}]*\)|\[[^()\[\]{}]*\]|\{[^()\[\]{}]*\}|\|\S[^|]*\||‖[^‖]*‖")
SUPERSCRIPTS = str.maketrans({"ʸ": "^y", "ᵖ": "^p", "ⁿ": "^n", "ˣ": "^x"})
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


# Names.


class Slice(NamedTuple):
    """A slice that can be a key."""

    start: int | None
    stop: int | None
    step: int | None


class Opaque:
    """An option that is only itself."""

    def __init__(self, value: Any) -> None:
        self.value = value


class Names:
    """What symbols are called: each by a name of its own, whatever they were named."""

    def __init__(self) -> None:
        self.given: dict[Any, str | None] = {}
        self.letters: dict[Any, str] = {}
        self.labels: dict[Any, str] = {}
        self.identifiers: dict[Any, str] = {}
        self.written: dict[Any, tuple[str, str]] = {}

    def add(self, symbol: Any, name: str | None, letter: str) -> None:
        """A symbol of this name, or without one: x1, x2, … for the letter x."""
        self.given.setdefault(symbol, name)
        self.letters.setdefault(symbol, letter)

    def write(self, symbol: Any, text: str, latex: str) -> None:
        """A symbol that is written like this."""
        self.written[symbol] = text, latex

    def fresh(self, letter: str) -> str:
        """The next of x1, x2, … that nothing is called yet."""
        used = {*self.given.values(), *self.labels.values()}
        k = 1
        while f"{letter}{k}" in used:
            k += 1
        return f"{letter}{k}"

    def label(self, symbol: Any) -> str:
        if symbol not in self.labels:
            name = self.given[symbol]
            if name is None:
                name = self.fresh(self.letters[symbol])
            elif name in self.labels.values():
                name = self.fresh(name + "_1"[: 1 + name[-1:].isdigit()])
            self.labels[symbol] = name
        return self.labels[symbol]

    def text(self, symbol: Any) -> str:
        return self.written[symbol][0] if symbol in self.written else text_of(self.label(symbol))

    def latex(self, symbol: Any) -> str:
        return self.written[symbol][1] if symbol in self.written else latex_of(self.label(symbol))

    def identifier(self, symbol: Any) -> str:
        """The symbol's name if it is a plain one, or else arg1, arg2, …"""
        if symbol not in self.identifiers:
            name = self.label(symbol)
            taken = {*self.identifiers.values(), *self.labels.values()} - {name}
            if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) or is_reserved(name):
                name = next(f"arg{k}" for k in range(1, len(taken) + 2) if f"arg{k}" not in taken)
            self.identifiers[symbol] = name
        return self.identifiers[symbol]


def is_reserved(name: str) -> bool:
    return (
        keyword.iskeyword(name)
        or keyword.issoftkeyword(name)
        or hasattr(builtins, name)
        or name in ("np", "gradient", "value", *HELPERS)
        or re.fullmatch(r"(t|arg)\d+", name) is not None
    )


def text_of(name: str) -> str:
    """A name as text: as it is, or in quotes if it could be taken for something else."""
    if name.isidentifier() and name.isprintable():
        return name
    escaped = (
        "\\" + c if c in '"\\' else c if c.isprintable() else c.encode("unicode_escape").decode()
        for c in name
    )
    return f'"{"".join(escaped)}"'


LATEX_SPECIAL = {
    "\\": r"\backslash ", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_",
    "%": r"\%", "~": r"{\sim}", "^": r"{\wedge}", " ": r"\ ", "'": r"\text{'}",
}  # fmt: skip


def latex_of(name: str) -> str:
    """A name in LaTeX: W1 as W₁, h_s as hₛ, Greek letters by their commands, the rest in verbatim."""
    found = re.fullmatch(r"([^\W\d_]+?)(?:_?(\d+)|_([^\W_]+))?", name)
    if found and all(c.isascii() or latex_letter(c) for c in name):
        stem, *subs = found.groups(default="")
        return word(stem) + "".join(f"_{{{word(sub)}}}" for sub in subs if sub)
    verbatim = (
        LATEX_SPECIAL.get(c) or (c if " " < c < "\x7f" else rf"\langle {ord(c):X}\rangle ")
        for c in name
    )
    return rf"\mathtt{{{''.join(verbatim)}}}"


def word(letters: str) -> str:
    if len(letters) == 1 or letters.isdigit():
        return latex_letter(letters) or letters
    return r"\mathrm{" + "".join(latex_letter(c) or c for c in letters) + "}"


def latex_letter(c: str) -> str:
    """The command for a Greek letter; nothing for others."""
    name = unicodedata.name(c, "")
    for size, form in (("SMALL", str.lower), ("CAPITAL", str.capitalize)):
        letter = form(name.removeprefix(f"GREEK {size} LETTER ").replace("LAMDA", "LAMBDA"))
        if name.startswith("GREEK") and letter in GREEK:
            return "\\" + letter + " "
    return ""


GREEK = set(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau "
    "upsilon phi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega".split()
)


# Templates.


class Place(NamedTuple):
    """Where a template has a parameter, and how tight what comes there must be."""

    parameter: str
    tightness: int
    after: str  # the character before it


@lru_cache
def template(text: str, names: tuple[str, ...]) -> tuple[tuple[str | Place, ...], int]:
    """The pieces of a template, and how tight the whole is."""
    text = text.translate(SUPERSCRIPTS)
    level = tightness(text)
    pieces: list[str | Place] = []
    for found in WORDS.finditer(text):
        if found[0] not in names:
            pieces.append(found[0])
            continue
        before, after = text[: found.start()], text[found.end() :]
        left, right = before.rstrip()[-1:], after.lstrip()[:1]
        if left in ("", *"([{|‖,;") and right in ("", *")]}|‖,;"):
            need = CHOICE
        elif before[-1:] in ("", " ") and after[:1] in ("", " "):
            need = level + 1
        else:
            need = ATOM
        pieces.append(Place(found[0], need, left))
    return tuple(pieces), level


def tightness(text: str) -> int:
    outside = text
    while (shorter := BRACKETS.sub("", outside)) != outside:
        outside = shorter
    outside = outside.strip()
    if re.search(r" ([=≠<≤>≥∧∨⊻|&^]|[=!<>]=|if) ", outside):
        return CHOICE
    if re.search(r" [+−-] ", outside) or outside[:1] in ("−", "-"):
        return SUM
    if re.search(r" \W+ ", outside):
        return PRODUCT
    if " " in outside:
        return JOINED
    return ATOM if re.fullmatch(r"[\w.\\]*", outside) and outside != text else TIGHT


# Writing.


class Notation:
    """Writes terms one after the other, each from its parts; what is too long is named t1, t2, …"""

    longest = LONGEST

    def __init__(self, names: Names) -> None:
        self.names = names
        self.done: dict[Term, tuple[str, int]] = {}
        self.cut: dict[Term, str] = {}
        self.definitions: list[tuple[str, str]] = []

    def write(self, root: Term) -> str:
        """The term, in which those that got names stand for themselves."""
        order = self.reachable(root)
        named = self.named(root, order)
        for x in order:
            if x in self.done and x is not root:
                continue
            text = self.form(x)
            self.done[x] = text
            if x in named and x is not root:
                self.cut[x] = name = self.names.fresh("t")
                self.names.add(x, name, "t")
                self.definitions.append((self.name_of(x), text[0]))
                self.done[x] = self.name_of(x), ATOM
        return self.done.pop(root)[0]

    def reachable(self, root: Term) -> list[Term]:
        seen, found = {root}, [root]
        for x in found:  # grows while it is walked
            if x is root or x not in self.cut:
                new = [a for a in dict.fromkeys(x.args) if a not in seen]
                seen.update(new)
                found.extend(new)
        return sorted(found, key=lambda x: x.order)

    def named(self, root: Term, order: list[Term]) -> set[Term]:
        """Which terms to name, so that nothing is written twice and no line is too long."""
        sizes: dict[Term, int] = {}
        for x in order:
            sizes[x] = 1 + sum(sizes.get(a, 1) for a in x.args)
        if sizes[root] <= self.longest and not self.shares:
            return set()
        uses = Counter(a for x in order for a in set(x.args))
        found = set()
        for x in order:
            size = 1 + sum(1 if a in found or a in self.cut else sizes[a] for a in x.args)
            sizes[x] = size
            once = uses[x] < 2 or size < 4
            if x.head not in ("symbol", "number", "expand") and not (once and size <= self.longest):
                found.add(x)
        return found

    shares = False

    def at(self, x: Term, level: int) -> str:
        """A term where something as tight as this is needed."""
        text, found = self.done[x]
        return text if found >= level else self.parenthesised(text)

    def parenthesised(self, text: str) -> str:
        return f"({text})"

    def name_of(self, symbol: Term) -> str:
        return self.names.text(symbol)

    def form(self, x: Term) -> tuple[str, int]:
        if x.head == "symbol":
            return self.name_of(x), ATOM
        if isinstance(x.head, str):
            found: tuple[str, int] = getattr(self, x.head)(x)
            return found
        return self.by_row(x.head, x)

    def by_row(self, op: Op, x: Term) -> tuple[str, int]:
        """An op as its row of the table says."""
        names = parameters(op.forward)
        inputs: list[Any] = [x.args] if op.variadic else list(x.args)
        values = dict(zip(names, [*inputs, *x.options]))
        text, convert = self.template_of(op)
        pieces, level = template(text, names)
        if len(pieces) == 1 and isinstance(pieces[0], Place):
            return self.done[values[pieces[0].parameter]]
        out: list[str] = []
        for piece in pieces:
            if isinstance(piece, str):
                out.append(convert(piece))
                continue
            value = values[piece.parameter]
            if isinstance(value, Term):
                out.append(self.at(value, piece.tightness))
            elif value is x.args and op.variadic:
                out.append(", ".join(self.at(a, CHOICE) for a in value))
            elif value is None and "".join(out[-2:]).strip() == ";":
                del out[-2:]
            else:
                out.append(self.option(value, piece))
        return "".join(out), level

    def template_of(self, op: Op) -> tuple[str, Callable[[str], str]]:
        return op.formula, str

    def option(self, value: Any, place: Place) -> str:
        """An option of an op, as text."""
        if isinstance(value, tuple) and not isinstance(value, Slice):
            by = self.by if place.parameter in ("shape", "to", "into") else ", "
            return by.join(self.option(v, place) for v in value) or "()"
        if isinstance(value, Slice):
            bounds = ["" if b is None else str(b) for b in value]
            return ":".join(bounds[: 2 + bool(bounds[2])])
        if isinstance(value, Term):
            return self.name_of(value)
        if isinstance(value, EllipsisType):
            return "…"
        if isinstance(value, float):
            return self.decimal(value)[0]
        return self.plain(value.value if isinstance(value, Opaque) else value)

    by = "×"

    def plain(self, value: Any) -> str:
        return str(value) if isinstance(value, (int, np.dtype)) else text_of(str(value))

    def decimal(self, c: float) -> tuple[str, int]:
        raise NotImplementedError


class Text(Notation):
    """One line of Unicode."""

    minus, times, dot, one, thin = "−", " ⊙ ", " · ", "1", " "
    infinity = "∞"

    def number(self, x: Term) -> tuple[str, int]:
        c = x.options[0]
        if c < 0:
            return self.minus + self.decimal(-c)[0], SUM
        return self.decimal(c)

    def decimal(self, c: float) -> tuple[str, int]:
        if isnan(c):
            return self.nan, ATOM
        if c < 0:
            return self.minus + self.decimal(-c)[0], SUM
        if c == inf:
            return self.infinity, ATOM
        short = repr(c).removesuffix(".0")
        if len(short) <= 6 and c not in VULGAR:
            return self.digits(short), ATOM
        exact = Fraction(c).limit_denominator(10_000)
        if float(exact) == c and exact.denominator > 1:
            return self.ratio(exact.numerator, exact.denominator)
        return self.digits(short), ATOM

    nan = "nan"

    def digits(self, short: str) -> str:
        return short.replace("-", self.minus)

    def ratio(self, p: int, q: int) -> tuple[str, int]:
        return (VULGAR[p / q], ATOM) if p / q in VULGAR else (f"{p}/{q}", PRODUCT)

    def product(self, x: Term, flipped: bool = False) -> tuple[str, int]:
        c, above, below = parts(x)
        negative = (c < 0) != flipped
        text, level = self.numerator(abs(c), above)
        if below:
            text, level = self.quotient(text, level, below)
        return (self.minus + text, SUM) if negative else (text, level)

    def numerator(self, c: float, above: tuple[Term, ...]) -> tuple[str, int]:
        scalars = [a for a in above if not a.shape]
        arrays = [a for a in above if a.shape]
        if c != 1 or scalars:
            arrays = [a for a in arrays if any(n != 1 for n in a.shape) or a.head != "expand"]
        level = JOINED
        front = [] if c == 1 else [self.bracketed(*self.decimal(c))]
        if len(scalars) == 1 and not arrays and self.done[scalars[0]][1] == BIG:
            front.append(self.at(scalars[0], BIG))
            level = BIG
        else:
            front += [self.at(a, JOINED) for a in scalars]
        if arrays:
            body, tight = self.chain(arrays)
            if not front:
                return body, tight
            front.append(body if tight >= JOINED else self.parenthesised(body))
        if len(front) < 2:
            return (front[0], self.done[scalars[0]][1] if scalars else ATOM) if front else ("1", ATOM)
        return self.row(front), level

    def bracketed(self, text: str, level: int) -> str:
        return text if level == ATOM else self.parenthesised(text)

    def row(self, words: Iterable[str]) -> str:
        """Words side by side; a dot keeps digits apart."""
        first, *others = words
        for w in others:
            digit = w[0] in "0123456789∞" + "".join(VULGAR.values()) or w.startswith(self.one)
            first += (self.dot if digit else self.thin) + w
        return first

    def chain(self, factors: list[Term]) -> tuple[str, int]:
        if len(factors) == 1:
            return self.done[factors[0]]
        return self.times.join(
            self.at(a, PRODUCT if a.head == "mask" else JOINED) for a in factors
        ), PRODUCT

    def quotient(self, above: str, level: int, below: tuple[Term, ...]) -> tuple[str, int]:
        under, tight = self.chain(list(below))
        over = above if level >= PRODUCT else self.parenthesised(above)
        return f"{over} / {under if tight >= TIGHT else self.parenthesised(under)}", PRODUCT

    def add(self, x: Term) -> tuple[str, int]:
        out = []
        for a in x.args:
            if a.head in ("product", "number") and a not in self.cut and parts(a)[0] < 0:
                text, level = self.product(a, flipped=True)
                sign = f" {self.minus} " if out else self.minus
                need = BIG
            else:
                (text, level), sign, need = self.done[a], " + " if out else "", SUM
            out.append(sign + (text if level >= need else self.parenthesised(text)))
        return "".join(out), SUM

    def power(self, x: Term) -> tuple[str, int]:
        p = x.options[0]
        if isinstance(p, int):
            return self.raised(self.at(x.args[0], ATOM), str(p)), TIGHT
        return self.raised(self.at(x.args[0], ATOM), self.decimal(p)[0]), TIGHT

    def raised(self, base: str, p: str) -> str:
        return base + (p.translate(RAISED) if re.fullmatch(r"-?\d+", p) else f"^{p}")

    def matmul(self, x: Term) -> tuple[str, int]:
        return self.row(self.at(a, JOINED) for a in x.args), JOINED

    def permute(self, x: Term) -> tuple[str, int]:
        (axes,) = x.options
        n = len(axes)
        if axes == (*range(n - 2), n - 1, n - 2):
            return self.transposed(self.at(x.args[0], ATOM)), TIGHT
        return self.by_row(ops.permute, x)

    def transposed(self, text: str) -> str:
        return text + "ᵀ"

    def reshape(self, x: Term) -> tuple[str, int]:
        source = x.args[0].shape
        if not x.shape or {source, x.shape} == {(max(source),), (max(source), 1)}:
            return self.done[x.args[0]]
        return self.by_row(ops.reshape, Term(ops.reshape, x.args, (x.shape,), x.shape, 0))

    def expand(self, x: Term) -> tuple[str, int]:
        inner, shape = x.args[0], x.shape
        across = self.transposed(self.one)
        if inner.head == "number":
            if len(shape) == 2 and shape[0] == 1 != shape[1]:
                return across, TIGHT
            if len(shape) == 2 and shape[1] != 1:
                return self.row((self.one, across)), JOINED
            return self.one, ATOM
        if len(shape) == 2 and len(inner.shape) == 1 and inner.head != "sum":
            return self.row((self.one, self.transposed(self.at(inner, ATOM)))), JOINED
        if len(shape) == 2 and len(inner.shape) in (1, 2):
            if inner.shape[0] == 1 or len(inner.shape) == 1:
                return self.row((self.one, self.at(inner, JOINED))), JOINED
            return self.row((self.at(inner, JOINED), across)), JOINED
        return self.by_row(ops.expand, Term(ops.expand, x.args, (shape,), shape, 0))

    def sum(self, x: Term) -> tuple[str, int]:
        (inner,), (axes,) = x.args, x.options
        n = len(inner.shape)
        if axes == tuple(range(n)):
            if inner.head == "power" and inner.options[0] == 2:
                return self.norm(self.at(inner.args[0], CHOICE), n > 1), TIGHT
            return self.total(self.at(inner, PRODUCT)), BIG
        if n == 2 and axes == (0,):
            return self.row((self.transposed(self.one), self.at(inner, JOINED))), JOINED
        if n == 2 and axes == (1,):
            return self.row((self.at(inner, JOINED), self.one)), JOINED
        place = Place("axes", CHOICE, ";")
        return self.call(self.sigma, self.at(inner, CHOICE), self.option(axes, place)), ATOM

    sigma = "Σ"

    def total(self, text: str) -> str:
        return f"Σ {text}"

    def norm(self, text: str, frobenius: bool) -> str:
        return f"‖{text}‖²" + "_F" * frobenius

    def call(self, name: str, *arguments: str) -> str:
        return f"{name}({'; '.join(arguments)})"

    def softmax(self, x: Term) -> tuple[str, int]:
        return self.call("softmax", self.at(x.args[0], CHOICE)), ATOM

    def identity(self, x: Term) -> tuple[str, int]:
        return "I", ATOM

    def mask(self, x: Term) -> tuple[str, int]:
        kept, condition = x.args
        indicator = self.indicator(self.at(condition, CHOICE))
        if kept.head == "number":
            return indicator, ATOM
        return self.at(kept, PRODUCT) + self.times + indicator, PRODUCT

    def indicator(self, condition: str) -> str:
        return f"1[{condition}]"


VULGAR = {1 / 2: "½", 1 / 3: "⅓", 2 / 3: "⅔", 1 / 4: "¼", 3 / 4: "¾"}
FUNCTIONS = {"exp", "log", "sin", "cos", "tanh", "max", "min"}
LATEX = {
    "⊙": r"\odot ", "−": "-", "≠": r"\ne ", "≤": r"\le ", "≥": r"\ge ", "∧": r"\land ",
    "∨": r"\lor ", "⊻": r"\oplus ", "¬": r"\lnot ", "√": r"\surd ", "·": r"\cdot ",
    "×": r"\times ", "⋆": r"\star ", "(": r"\left(", ")": r"\right)", "[": r"\left[",
    "]": r"\right]", " ": r"\ ", "…": r"\ldots ", "ᵀ": r"^{\top}", "²": "^{2}", "³": "^{3}",
    "⁻": "^{-}", "¹": "^{1}", "∞": r"\infty ", "Σ": r"\sum ", "∂": r"\partial ", "‖": r"\|",
}  # fmt: skip


class Latex(Text):
    """LaTeX in math mode, under amsmath."""

    minus, times, dot, one, thin = "-", r" \odot ", r" \cdot ", r"\mathbf{1}", r" \, "
    infinity, nan, by, sigma = r"\infty", r"\mathrm{nan}", r" \times ", r"\textstyle\sum"

    def parenthesised(self, text: str) -> str:
        return rf"\left({text}\right)"

    def name_of(self, symbol: Term) -> str:
        return self.names.latex(symbol)

    def plain(self, value: Any) -> str:
        return str(value) if isinstance(value, int) else latex_of(str(value))

    def template_of(self, op: Op) -> tuple[str, Callable[[str], str]]:
        if op.latex is not None:
            return op.latex, str
        return op.formula, transcribed

    def digits(self, short: str) -> str:
        mantissa, _, exponent = short.partition("e")
        return mantissa + rf" \cdot 10^{{{int(exponent)}}}" * bool(exponent)

    def ratio(self, p: int, q: int) -> tuple[str, int]:
        return rf"\tfrac{{{p}}}{{{q}}}", ATOM

    def quotient(self, above: str, level: int, below: tuple[Term, ...]) -> tuple[str, int]:
        return rf"\frac{{{above}}}{{{self.chain(list(below))[0]}}}", TIGHT

    def raised(self, base: str, p: str) -> str:
        return f"{base}^{{{p}}}"

    def transposed(self, text: str) -> str:
        return text + r"^{\top}"

    def total(self, text: str) -> str:
        return r"\textstyle\sum " + text

    def norm(self, text: str, frobenius: bool) -> str:
        return rf"\left\|{text}\right\|" + "_F" * frobenius + "^2"

    def call(self, name: str, *arguments: str) -> str:
        name = name if name.startswith("\\") else rf"\operatorname{{{name}}}"
        return rf"{name}\left({'; '.join(arguments)}\right)"

    def indicator(self, condition: str) -> str:
        return rf"\mathbf{{1}}\left[{condition}\right]"


def transcribed(piece: str) -> str:
    """A word or a character of a formula, in LaTeX."""
    if piece in FUNCTIONS:
        return "\\" + piece
    if len(piece) > 1:
        return rf"\operatorname{{{latex_of(piece)}}}" if piece.isascii() else latex_of(piece)
    if piece == "|":
        return r"\lvert " if False else "|"
    return LATEX.get(piece) or (piece if piece in "+-*/=<>!?.,;:^'" else latex_of(piece))


# NumPy.

HELPERS = {
    "sigmoid": """\
def sigmoid(x):
    e = np.exp(np.minimum(x, 40))
    return e / (1 + e)
""",
    "softmax": """\
def softmax(x):
    e = np.exp(x)
    return e / e.sum(-1, keepdims=True)
""",
    "scatter": """\
def scatter(x, index, into):
    out = np.zeros(into, x.dtype)
    np.add.at(out, index, x)
    return out
""",
}


class NumPy(Notation):
    """Python source that needs NumPy alone."""

    longest = 40
    shares = True

    def __init__(self, names: Names) -> None:
        super().__init__(names)
        self.flat: dict[Term, tuple[str, int]] = {}  # of one-row and one-column terms, the vector
        self.constants: dict[str, Any] = {}  # what the source calls things that have no source

    def function(self, name: str, root: Term, arguments: Iterable[Term]) -> str:
        """The source of a function of these symbols."""
        listed = ", ".join(map(self.name_of, arguments))
        result = self.write(root)
        lines = [f"    {t} = {text}\n" for t, text in self.definitions]
        listed = ", ".join([*filter(None, [listed]), *self.constants])
        body = f"def {name}({listed}):\n{''.join(lines)}    return {result}\n"
        needed = [text for helper, text in HELPERS.items() if f"{helper}(" in body]
        return "\n\n".join(["import numpy as np\n", *needed, body])

    def name_of(self, symbol: Term) -> str:
        return self.names.identifier(symbol)
