"""The lessons, as the Markdown files beside this one have them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

LESSONS = (
    "1_a_tape_in_forty_lines",
    "2_the_two_layer_loss",
    "3_your_own_op",
    "4_derivatives_of_derivatives",
    "5_train_and_watch",
)
FENCE = re.compile(r"^```python *(exercise|solution)? *(\w*)\n(.*?)^```$\n?", re.M | re.S)


class Block(NamedTuple):
    """A part of a lesson: "text", "code", or an "exercise" or a "solution" with its name."""

    kind: str
    name: str
    source: str


def text_of(lesson: str) -> str:
    return Path(__file__).with_name(f"{lesson}.md").read_text(encoding="utf-8")


def blocks(lesson: str) -> Iterator[Block]:
    """The parts of a lesson in their order.

    >>> from tinygrad_mlp.tutorial import LESSONS, blocks
    >>> next(blocks(LESSONS[0])).source.splitlines()[0]
    '# 1 · A tape in forty lines'
    """
    text, at = text_of(lesson), 0
    for fence in FENCE.finditer(text):
        if between := text[at : fence.start()]:
            yield Block("text", "", between)
        yield Block(fence[1] or "code", fence[2], fence[3])
        at = fence.end()
    if rest := text[at:]:
        yield Block("text", "", rest)


def solution(name: str) -> str:
    """The source of an exercise's solution; KeyError where there is no exercise of this name.

    >>> from tinygrad_mlp.tutorial import solution
    >>> "math.cos" in solution("sin")
    True
    """
    found = (block for lesson in LESSONS for block in blocks(lesson) if block.kind == "solution")
    return {block.name: block.source for block in found}[name]


def title(lesson: str) -> str:
    """A lesson's title.

    >>> from tinygrad_mlp.tutorial import LESSONS, title
    >>> title(LESSONS[0])
    'A tape in forty lines'
    """
    return text_of(lesson).partition("\n")[0].partition("·")[2].strip()
