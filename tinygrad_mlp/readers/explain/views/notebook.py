"""What Jupyter shows: a Tensor, and an explained tape, as HTML without a script."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import islice

import numpy as np
from numpy import ndarray

from ....torch.tensor import Tensor
from ...derive.mathml import equation, markup, math
from ...derive.names import text_of
from ..explanation import Backward, Entry, ExplainedTape, Leaf
from ..rules import Written
from .summary import cells, number, summary

MOST = 64  # cells of a heatmap: a table of a notebook is no place for more
ROWS = 200  # of a table, likewise

# In the colours of the notebook's theme, of which nothing is known: a tint over what is behind.
NEGATIVE, POSITIVE = "30,110,200", "215,95,10"
GRID = "border-collapse:collapse;border:1px solid rgba(128,128,128,.5);margin:2px 0"


def tensor_html(tensor: Tensor) -> str:
    """A Tensor's printed form, with its shape, range and norm, and a heatmap."""
    array = tensor._array
    facts = [str(summary(array)), str(array.dtype)]
    if tensor._node is not None:
        op = tensor._node.op
        facts.append("a leaf that requires grad" if op is None else f"made by {op.name}")
    name = "" if tensor.name is None else f"<strong>{escape(text_of(tensor.name))}</strong> "
    return (
        f"<div>{name}<small>{escape(' · '.join(facts))}</small>"
        f"<div style='display:flex;flex-wrap:wrap;gap:1em;align-items:flex-start'>"
        f"{heatmap(array)}<pre style='margin:0'>{escape(repr(tensor))}</pre></div></div>"
    )


def heatmap(array: ndarray) -> str:
    """Cells as a table, tinted: blue below 0, orange above; nothing for a single number."""
    if array.size < 2:
        return ""
    table = cells(array, MOST)
    means = table.means.astype(np.float64).reshape(table.rows, table.columns)
    finite = np.abs(means[np.isfinite(means)])
    largest = float(finite.max(initial=0.0)) or 1.0
    side = "width:10px;height:10px;padding:0;border:0"
    rows = "".join(
        f"<tr style='background:none'>{''.join(tinted(x, largest, side) for x in row)}</tr>"
        for row in means.tolist()
    )
    label = escape(f"heatmap, {summary(array)}")
    return f"<table role='img' aria-label='{label}' style='{GRID}'>{rows}</table>"


def tinted(x: float, largest: float, side: str) -> str:
    if not np.isfinite(x):
        shade = "176,38,159,1"
    else:
        shade = f"{NEGATIVE if x < 0 else POSITIVE},{abs(x) / largest:.2f}"
    return f"<td title='{number(x)}' style='{side};background:rgba({shade})'></td>"


def tape_html(explanation: ExplainedTape) -> str:
    """A tape: what went forward, what flows back, and what backward leaves in ``.grad``."""
    parts = [f"<p><strong>{escape(explanation.title)}</strong></p>"] if explanation.title else []
    parts += [
        section("Forward", ("#", "op", "formula", "value", ""), map(forward, explanation.entries)),
        section(
            "Back",
            ("#", "op", "formula", "cotangent", ""),
            (line for step in explanation.backward for line in back(explanation, step)),
        ),
        section(
            "What backward() leaves in .grad",
            ("#", "leaf", "", "", ""),
            (left(explanation, leaf) for leaf in explanation.leaves),
        ),
    ]
    return f"<div>{''.join(parts)}</div>"


def section(title: str, head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    heads = "".join(f"<th style='text-align:left'>{text}</th>" for text in head)
    cell = "<td style='text-align:left'>{}</td>".format
    shown = list(islice(rows, ROWS))
    body = "".join(f"<tr>{''.join(map(cell, row))}</tr>" for row in shown)
    if more := sum(1 for _ in rows):
        body += f"<tr><td colspan='5'>… and {more} more; save_html(path) shows all</td></tr>"
    return (
        f"<table><caption style='text-align:left'><strong>{title}</strong></caption>"
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
    )


def forward(entry: Entry) -> tuple[str, ...]:
    formula = entry.computes
    shown = typeset(entry.name) if formula is None else typeset(entry.name, "=", formula)
    return (str(entry.place), escape(entry.op or "leaf"), shown, *figures(entry.value))


def back(explanation: ExplainedTape, step: Backward) -> Iterator[tuple[str, ...]]:
    op = escape(explanation.entries[step.entry].op or "")
    arriving = f"{typeset(step.derivative)} arrives"
    yield (str(step.entry), op, arriving, *figures(step.arrives))
    for x in step.leaves:
        rule = typeset(x.derivative, "+=" if x.adds else "=", x.rule)
        yield ("", "", rule, *figures(x.cotangent))


def left(explanation: ExplainedTape, leaf: Leaf) -> tuple[str, ...]:
    name = typeset(explanation.entries[leaf.entry].name)
    if leaf.after is None:
        return str(leaf.entry), name, "", "nothing: no cotangent arrives", ""
    return (str(leaf.entry), name, typeset(leaf.derivative), *figures(leaf.after))


def figures(array: ndarray | None) -> tuple[str, str]:
    if array is None:
        return "no longer held", ""
    return escape(str(summary(array))), heatmap(array)


def typeset(left: Written, sign: str = "", right: Written | None = None) -> str:
    if right is None:
        return markup(math(left.mathml, left.text, display=False))
    formula = equation(left.mathml, sign, right.mathml)
    return markup(math(formula, f"{left.text} {sign} {right.text}", display=False))
