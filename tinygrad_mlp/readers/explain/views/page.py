"""The page that walks a tape: one HTML file, made of page.html, page.css, page.js and the data.

The data is JSON in the page, and the script makes elements and text of it, never markup: a name
that looks like HTML is shown as it is. The page's Content-Security-Policy allows its own script and
style by their hashes, and nothing from anywhere else.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from hashlib import sha256
from html import escape
from importlib.resources import files
from math import isfinite
from typing import Any

import numpy as np
from numpy import ndarray

from ...derive.mathml import equation, math
from ..explanation import Backward, Entry, ExplainedTape, Input, Leaving
from ..rules import Written
from .graph import graph_of, layout
from .summary import cells, sizes, summary

BUDGET = 200_000  # cells in a page, some megabytes
MOST, LEAST = 4096, 16  # cells of one array


def page(explanation: ExplainedTape) -> str:
    """The page."""
    script, style = asset("page.js"), asset("page.css")
    heading, _, about = explanation.title.partition("\n")
    parts = {
        "title": escape(f"The tape of {heading or explanation.output.text}"),
        "heading": escape(heading or f"The tape of {explanation.output.text}"),
        "about": escape(about),
        "script": script,
        "style": style,
        "script-hash": digest(script),
        "style-hash": digest(style),
        "data": as_json(Data(explanation).all()),
    }
    # In one pass, so that nothing is looked for in what was put in.
    return re.sub(r"\{\{([\w-]+)\}\}", lambda found: parts[found[1]], asset("page.html"))


def asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def digest(text: str) -> str:
    return "sha256-" + b64encode(sha256(text.encode()).digest()).decode()


def as_json(data: Any) -> str:
    """JSON in which nothing can end the element that it stands in."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


class Data:
    """What the script gets. Arrays that are equal are one, named by its number in a list."""

    def __init__(self, explanation: ExplainedTape) -> None:
        self.explanation = explanation
        self.arrays: list[ndarray] = []
        self.numbers: dict[Any, int] = {}

    def all(self) -> dict[str, Any]:
        explanation = self.explanation
        graph = graph_of(explanation)
        places = layout(graph)
        return {
            "output": explanation.output.text,
            "entries": [self.entry(entry) for entry in explanation.entries],
            "back": [self.back(step) for step in explanation.backward],
            "leaves": [
                {
                    "entry": leaf.entry,
                    "before": self.array(leaf.before),
                    "gradient": self.array(leaf.gradient),
                    "after": self.array(leaf.after),
                }
                for leaf in explanation.leaves
            ],
            "graph": {
                "vertices": [
                    [v.number, *places[v.number], v.name, v.op or v.shape] for v in graph.vertices
                ],
                "edges": graph.edges,
            },
            "arrays": self.described(),
        }

    def entry(self, entry: Entry) -> dict[str, Any]:
        computes = entry.computes
        return {
            "name": entry.name.text,
            "math": formula(entry.name),
            "derivative": formula(self.explanation.derivative(entry)),
            "op": entry.op,
            "inputs": [self.input(x) for x in entry.inputs],
            "shape": sizes(entry.shape),
            "value": self.array(entry.value),
            "formula": None if computes is None else formula(entry.name, "=", computes),
        }

    def input(self, x: Input) -> int | dict[str, Any]:
        """The number of an entry, or a constant."""
        if x.entry is not None:
            return x.entry
        return {"name": x.name.text, "math": formula(x.name), "value": self.array(x.value)}

    def back(self, step: Backward) -> dict[str, Any]:
        return {
            "entry": step.entry,
            "arrives": self.array(step.arrives),
            "leaves": [self.leaving(x) for x in step.leaves],
        }

    def leaving(self, x: Leaving) -> dict[str, Any]:
        return {
            "input": x.input,
            "entry": x.entry,
            "rule": formula(x.derivative, "+=" if x.adds else "=", x.rule),
            "cotangent": self.array(x.cotangent),
            "total": self.array(x.total),
        }

    def array(self, x: ndarray | None) -> int | None:
        if x is None:
            return None
        key = (x.shape, x.dtype.str, sha256(np.ascontiguousarray(x).tobytes()).digest())
        if key not in self.numbers:
            self.numbers[key] = len(self.arrays)
            self.arrays.append(x)
        return self.numbers[key]

    def described(self) -> list[dict[str, Any]]:
        most = max(min(MOST, BUDGET // max(len(self.arrays), 1)), LEAST)
        return [described(x, most) for x in self.arrays]


def formula(left: Written, sign: str = "", right: Written | None = None) -> Any:
    """The MathML of a formula, or of an equation."""
    if right is None:
        return math(left.mathml, left.text, display=False)
    return math(equation(left.mathml, sign, right.mathml), f"{left.text} {sign} {right.text}")


def described(x: ndarray, most: int) -> dict[str, Any]:
    """An array's figures, and its cells row by row."""
    figures, table = summary(x), cells(x, most)
    return {
        "shape": list(x.shape),
        "size": sizes(x.shape),
        "dtype": str(x.dtype),
        "range": figures.range,
        "norm": plain(figures.norm, 4),
        "rows": table.rows,
        "columns": table.columns,
        "block": table.block,
        "cells": numbers(table.means)
        if table.block == (1, 1)
        else [plain(mean, 8) for mean in table.means.ravel().tolist()],
    }


def numbers(x: ndarray) -> list[Any]:
    """The entries with the digits that tell each from its neighbours in the dtype, no more."""
    if x.dtype.kind != "f":
        return [int(entry) for entry in x.ravel()]
    return [plain(float(word)) for word in x.ravel().astype(str)]


def plain(x: float, digits: int = 17) -> float | str:
    """A number as JSON has it, or the word for one that JSON lacks."""
    return float(f"{x:.{digits}g}") if isfinite(x) else str(x)
