"""The notation of an op, as its row of the table gives it.

A formula is a template: the forward's parameters stand for the arguments. Where an argument needs
parentheses follows from the formula too: nowhere between brackets and commas, as in exp(x); where
it is joined less tightly than its surroundings if there are spaces around it, as in x + y; and
next to a sign, as in √x, unless it is a single thing.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

# How tightly the parts of something hold together, from a choice to a single thing.
CHOICE, LOGIC, RELATION, BITS, SUM, BIG, PRODUCT, JOINED, TIGHT, ATOM = range(10)

# Words, of which ² and ᵀ are no part though they count as letters and digits; signs.
PIECES = re.compile(r"\\?[^\W\dᵀ](?:(?![ᵀ⁰¹²³⁴⁵⁶⁷⁸⁹])\w)*|.", re.DOTALL)
BRACKETED = re.compile(r"\([^()\[\]{}]*\)|\[[^()\[\]{}]*\]|\{[^()\[\]{}]*\}|\|\S[^|]*\||‖[^‖]*‖")
SIGNS = (
    (CHOICE, r" if "),
    (LOGIC, r" [∧∨⊻] "),
    (RELATION, r" ([=≠<≤>≥]|[=!<>]=) "),
    (BITS, r" [|&^] "),
    (SUM, r" [+−-] |^[−-]"),
    (PRODUCT, r" \W+ "),
    (JOINED, r" "),
    (TIGHT, r"[^\w.\\]"),
)
SUPERSCRIPTS = str.maketrans({"ʸ": "^y", "ᵖ": "^p", "ⁿ": "^n", "ˣ": "^x"})


class Place(NamedTuple):
    """Where a template has a parameter, and how tight what comes there has to be."""

    parameter: str
    tightness: int
    before: str  # the character before it


@lru_cache
def template(text: str, parameters: tuple[str, ...]) -> tuple[tuple[str | Place, ...], int]:
    """The pieces of a template, and how tight the whole is."""
    text = text.translate(SUPERSCRIPTS)
    pieces: list[str | Place] = []
    for found in PIECES.finditer(text):
        if found[0] not in parameters:
            pieces.append(found[0])
            continue
        start, end = found.span()
        around = surroundings(text, start, end).strip()
        if around == found[0]:
            need = CHOICE
        elif text[start - 1 : start] in ("", *" ([{") and text[end : end + 1] in ("", *" )]}"):
            need = tightness(around) + 1
        else:
            need = ATOM
        pieces.append(Place(found[0], need, text[:start].rstrip()[-1:]))
    return tuple(pieces), tightness(text)


def surroundings(text: str, start: int, end: int) -> str:
    """What is around a place, from bracket or comma to bracket or comma."""
    left, right = start, end
    depth = 0
    while left and not (depth == 0 and text[left - 1] in "([{,;"):
        depth += (text[left - 1] in ")]}") - (text[left - 1] in "([{")
        left -= 1
    depth = 0
    while right < len(text) and not (depth == 0 and text[right] in ")]},;"):
        depth += (text[right] in "([{") - (text[right] in ")]}")
        right += 1
    around = text[left:right]
    bars = text[start - 1 : start] + text[end : end + 1]
    return text[start:end] if bars in ("||", "‖‖") else around


def tightness(text: str) -> int:
    """How tight a template is, by the signs that are outside of any brackets."""
    outside = text
    while (shorter := BRACKETED.sub("", outside)) != outside:
        outside = shorter
    for level, signs in SIGNS:
        if re.search(signs, outside.strip()):
            return level
    return ATOM if outside != text else TIGHT
