"""An explained tape as numbers, lists and dicts."""

from __future__ import annotations

from typing import Any

from numpy import ndarray

from ..explanation import Backward, Entry, ExplainedTape, Leaf
from .summary import summary


def as_dict(explanation: ExplainedTape, entries: int | None) -> dict[str, Any]:
    """The tape, the walk back, and what it would leave in ``.grad``."""

    def array(x: ndarray | None) -> dict[str, Any] | None:
        if x is None:
            return None
        found = summary(x)
        return {
            "shape": list(found.shape),
            "dtype": found.dtype,
            "min": found.least,
            "max": found.largest,
            "norm": found.norm,
            "nan": found.nans,
            "entries": x.ravel()[:entries].tolist(),
        }

    def forward(entry: Entry) -> dict[str, Any]:
        return {
            "position": entry.place,
            "name": entry.name.text,
            "op": entry.op,
            "inputs": [x.name.text if x.entry is None else x.entry for x in entry.inputs],
            "formula": None if entry.computes is None else entry.computes.text,
            "value": array(entry.value),
        }

    def back(step: Backward) -> dict[str, Any]:
        return {
            "position": step.entry,
            "arrives": array(step.arrives),
            "leaves": [
                {
                    "input": x.input,
                    "position": x.entry,
                    "derivative": x.derivative.text,
                    "vjp": x.rule.text,
                    "latex": x.rule.latex,
                    "cotangent": array(x.cotangent),
                }
                for x in step.leaves
            ],
        }

    def leaf(x: Leaf) -> dict[str, Any]:
        return {
            "position": x.entry,
            "name": explanation.entries[x.entry].name.text,
            "gradient": array(x.gradient),
            "grad_before": array(x.before),
            "grad_after": array(x.after),
        }

    return {
        "output": explanation.output.text,
        "forward": list(map(forward, explanation.entries)),
        "backward": list(map(back, explanation.backward)),
        "leaves": list(map(leaf, explanation.leaves)),
    }
