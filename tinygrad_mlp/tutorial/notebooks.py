"""Lessons as Jupyter notebooks."""

from __future__ import annotations

import json
from typing import Any

from .lessons import blocks


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
