"""What symbols are called.

A name is data: it may be anything, and two Tensors may have the same. Here each symbol gets a name
of its own, in a form that is safe where it stands: in text, in LaTeX, in Python source.
"""

from __future__ import annotations

import builtins
import keyword
import re
import unicodedata
from typing import Any

Element = list[Any]  # of MathML: its tag, perhaps a dict of attributes, then children and text
Elements = tuple[Element, ...]  # in a row

# What the source of a formula calls things of its own.
OWN = ("np", "gradient", "value", "sigmoid", "softmax", "scatter")


class Names:
    """The names of symbols, which may be any hashable objects."""

    def __init__(self) -> None:
        self.given: dict[Any, tuple[str | None, str]] = {}
        self.labels: dict[Any, str] = {}
        self.shown: dict[Any, tuple[str, str, Elements]] = {}
        self.fractions: set[Any] = set()
        self.identifiers: dict[Any, str] = {}
        self.taken: set[str] = set()  # labels
        self.reserved: set[str] = set()  # names given to something that may not have its label yet
        self.inputs: dict[str, set[Any]] = {}  # from a name to the inputs that were given it
        self.latest: dict[str, int] = {}

    def add(self, symbol: Any, name: str | None, letter: str, is_input: bool = False) -> None:
        """A symbol of this name; or, where there is none, x1, x2, … for the letter x."""
        if symbol not in self.given:
            self.given[symbol] = name, letter
            if name is not None:
                self.reserved.add(name)
                if is_input:
                    self.inputs.setdefault(name, set()).add(symbol)

    def show(
        self,
        symbol: Any,
        text: str,
        latex: str,
        mathml: Elements = (),
        *,
        is_fraction: bool = False,
    ) -> None:
        """A symbol that is written like this; a fraction needs parentheses before ᵀ."""
        self.shown[symbol] = text, latex, mathml or (["mtext", text],)
        if is_fraction:
            self.fractions.add(symbol)

    def label(self, symbol: Any) -> str:
        """The symbol's name or, if another has that already or is an input, one with a number."""
        if symbol not in self.labels:
            name, letter = self.given[symbol]
            if name is None:
                name = self.fresh(letter, 1)
            elif name in self.taken or symbol not in self.inputs.get(name, {symbol}):
                name = self.fresh(name + "_", 2)
            self.labels[symbol] = name
            self.taken.add(name)
        return self.labels[symbol]

    def fresh(self, stem: str, first: int) -> str:
        k = self.latest.get(stem, first)
        while f"{stem}{k}" in self.taken or f"{stem}{k}" in self.reserved:
            k += 1
        self.latest[stem] = k
        return f"{stem}{k}"

    def text(self, symbol: Any) -> str:
        return self.shown[symbol][0] if symbol in self.shown else text_of(self.label(symbol))

    def latex(self, symbol: Any) -> str:
        return self.shown[symbol][1] if symbol in self.shown else latex_of(self.label(symbol))

    def mathml(self, symbol: Any) -> Elements:
        return self.shown[symbol][2] if symbol in self.shown else mathml_of(self.label(symbol))

    def of_output(self, name: str | None) -> tuple[str, str]:
        """What a formula is of, as text and in LaTeX: its name, or a letter that is no name."""
        if name is None:
            name = next((x for x in "fLJgh" if x not in self.reserved), "output")
        return text_of(name), latex_of(name)

    def identifier(self, symbol: Any) -> str:
        """The label if it is a plain word that means nothing in the source, or arg1, arg2, …"""
        if symbol not in self.identifiers:
            label = self.label(symbol)
            if not is_plain(label):
                label = self.fresh("arg", 1)
                self.taken.add(label)
            self.identifiers[symbol] = label
        return self.identifiers[symbol]


def is_plain(name: str) -> bool:
    return bool(
        re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name)
        and not re.fullmatch(r"(t|arg)\d+", name)
        and not keyword.iskeyword(name)
        and not hasattr(builtins, name)
        and name not in OWN
    )


def text_of(name: str) -> str:
    """A name as text: in quotes if it could be taken for anything else."""
    if name.isidentifier() and name.isprintable():
        return name
    characters = (
        "\\" + c if c in '"\\' else c if c.isprintable() else c.encode("unicode_escape").decode()
        for c in name
    )
    return f'"{"".join(characters)}"'


def subscripted(name: str) -> list[str] | None:
    """The letters of a name and its subscripts: W and 1 for W1, h and s for h_s; not of others."""
    found = re.fullmatch(r"([^\W\d_]+?)(?:_?(\d+)|_([^\W_]+))?", name)
    if found and all(c.isascii() or greek(c) for c in name):
        return [part for part in found.groups() if part]
    return None


def mathml_of(name: str) -> Elements:
    """A name in MathML, likewise; others as they are, but for what has no shape of its own."""
    parts = subscripted(name)
    if parts:
        words = [["mn" if part.isdigit() else "mi", part] for part in parts]
        return (["msub", *words] if len(words) > 1 else words[0],)
    spelled = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
    return (["mtext", "".join(spelled) or '""'],)


def latex_of(name: str) -> str:
    r"""A name in LaTeX: W_{1} for W1, h_{s} for h_s, \sigma for σ; others letter by letter."""
    parts = subscripted(name)
    if parts:
        return word(parts[0]) + "".join(f"_{{{word(sub)}}}" for sub in parts[1:])
    characters = (
        ESCAPED.get(c) or (c if "!" <= c <= "~" else rf"\langle {ord(c):X}\rangle ")
        for c in name or '""'
    )
    return rf"\mathtt{{{''.join(characters)}}}"


ESCAPED = {
    "\\": r"\backslash ", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_",
    "%": r"\%", "~": r"{\sim}", "^": r"{\wedge}", " ": r"\ ", "'": r"{\prime}",
}  # fmt: skip


def word(letters: str) -> str:
    if letters.isdigit():
        return letters
    if len(letters) == 1:
        return greek(letters) or letters
    return r"\mathrm{" + "".join(greek(c) or c for c in letters) + "}"


def greek(c: str) -> str:
    """The command for a Greek letter; nothing for other letters."""
    found = re.fullmatch(r"GREEK (SMALL|CAPITAL) LETTER (\w+)", unicodedata.name(c, ""))
    if found is None:
        return ""
    letter = found[2].replace("LAMDA", "LAMBDA")
    letter = letter.lower() if found[1] == "SMALL" else letter.capitalize()
    return f"\\{letter} " if letter in GREEK else ""


GREEK = {
    *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"),
    *("lambda", "mu", "nu", "xi", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi"),
    *("omega", "Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi"),
    "Omega",
}
