"""The tutorial: five lessons, written in Markdown, that become notebooks.

A lesson is a Markdown file beside this one. Each block of Python in it becomes a cell of code, and
what stands between them cells of text. A block ``python exercise NAME`` is to be completed by the
reader; one ``python solution NAME`` is its solution, which stays in the text, folded away.
``checks`` says what is wrong with an answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from . import checks

__all__ = ["LESSONS", "Block", "blocks", "checks", "notebook", "optional", "solution", "title"]

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


def notebook(lesson: str) -> str:
    """A lesson as the text of a Jupyter notebook, format 4.5, its cells not run yet.

    >>> import json
    >>> from tinygrad_mlp.tutorial import LESSONS, notebook
    >>> json.loads(notebook(LESSONS[0]))["nbformat"]
    4
    """
    cells: list[dict[str, Any]] = []

    def cell(kind: str, source: str, **fields: Any) -> None:
        lines = source.strip("\n").splitlines(keepends=True)
        name = f"{lesson.partition('_')[0]}-{len(cells) + 1}"
        cells.append({"cell_type": kind, "id": name, "metadata": {}, "source": lines, **fields})

    def texts(text: str) -> None:
        # What comes after a folded solution has a cell of its own, as it is no part of it.
        for part in text.replace("</details>\n", "</details>\f").split("\f"):
            if part.strip():
                cell("markdown", part)

    text = ""
    for block in blocks(lesson):
        if block.kind == "text":
            text += block.source
        elif block.kind == "solution":
            text += f"```python\n{block.source}```\n"
        else:
            texts(text)
            text = ""
            tags = {"metadata": {"tags": ["exercise"]}} if block.kind == "exercise" else {}
            cell("code", block.source, execution_count=None, outputs=[], **tags)
    texts(text)
    whole = {
        "cells": cells,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    # As Jupyter writes it, so that saving a notebook changes only what the reader changed.
    return json.dumps(whole, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def optional(module: str, install: str) -> Any:
    """A module, or None where it is missing, after saying how to ``install`` it.

    >>> from tinygrad_mlp.tutorial import optional
    >>> optional("math", "math").pi
    3.141592653589793
    >>> optional("no_such_module", "'tinygrad-mlp[plot]'")
    no_such_module is not installed; this notebook goes on without it.
    To have it, run: pip install 'tinygrad-mlp[plot]'
    """
    try:
        return import_module(module)
    except ImportError:
        name = module.partition(".")[0]
        print(f"{name} is not installed; this notebook goes on without it.")
        print(f"To have it, run: pip install {install}")
        return None
