"""A graph drawn with Matplotlib: the inputs above, each op below what it was made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..readers.explain.explaining import Explanation


def draw(explanation: Explanation, axis: Any) -> None:
    """Draw the graph of an explained tape on an axis of Matplotlib: leaves boxed, ops round."""
    rows: list[list[int]] = []
    depth: list[int] = []
    for entry in explanation.entries:
        above = [depth[i.entry] for i in entry.inputs if i.entry is not None]
        depth.append(1 + max(above, default=-1))
        rows.extend([] for _ in range(depth[-1] + 1 - len(rows)))
        rows[depth[-1]].append(entry.place)
    places = {
        entry: ((i + 1) / (len(row) + 1), -level)
        for level, row in enumerate(rows)
        for i, entry in enumerate(row)
    }
    for entry in explanation.entries:
        for source in {i.entry for i in entry.inputs if i.entry is not None}:
            arrow = {"arrowstyle": "-|>", "color": "gray", "shrinkA": 12, "shrinkB": 12}
            # One that passes a row goes round what stands there.
            if depth[entry.place] - depth[source] > 1:
                arrow["connectionstyle"] = "arc3,rad=0.25"
            axis.annotate("", places[entry.place], places[source], arrowprops=arrow)
        leaf = entry.op is None
        axis.text(
            *places[entry.place],
            entry.name.text if leaf else entry.op,
            ha="center",
            va="center",
            bbox={
                "boxstyle": "square" if leaf else "round",
                "facecolor": "lightyellow" if leaf else "lightblue",
                "edgecolor": "gray",
            },
        )
    axis.set_xlim(0, 1)
    axis.set_ylim(-len(rows) + 0.5, 0.5)
    axis.set_axis_off()
