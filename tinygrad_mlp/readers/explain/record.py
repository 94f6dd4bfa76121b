"""What a tape holds: the values that went forward, and the cotangents that flow back.

There is no second backward here. The cotangent that arrives at a node is the one that ``tape.walk``
brings there: the walk is asked for those of all nodes. What leaves a node, for each of its inputs,
is what ``Node.pull`` makes of it once more; and what leaves for a node has to add up to what the
walk brought there, without any rounding between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy import ndarray

from ...core.tape import Constant, Node, ancestors, walk
from ...core.tensor import root_of, seed
from ...torch.tensor import Tensor, wrap


@dataclass(frozen=True)
class Flow:
    """A cotangent that leaves a node for one of its inputs."""

    place: int  # which input
    target: Node
    cotangent: ndarray
    total: ndarray  # the target's cotangent so far, this one added


@dataclass(frozen=True)
class Record:
    """A tape, read."""

    root: Node
    nodes: list[Node]  # what the output was made from, in the order of the tape
    values: dict[Node, ndarray]  # without those that neither the tape nor anybody else holds
    arrivals: dict[Node, ndarray]
    passed: list[Node] = field(default_factory=list)  # in the order of the walk
    flows: dict[Node, list[Flow]] = field(default_factory=dict)


def record(output: Tensor, gradient: Any = None) -> Record:
    """Read the tape from an output down; nothing on it changes.

    RuntimeError where there is no graph, or no longer, or where a VJP called twice gives two
    answers; ValueError for a cotangent of a wrong shape.
    """
    root = root_of(output, "explain")
    start = seed(output, gradient, "explain")._array
    nodes = ancestors([root], flowing=False)
    # What there was to warn of was said when the values were computed.
    with np.errstate(all="ignore"):
        values = values_of(nodes, root, output._array, start)
        arrivals, passed = walk({root: start}, set(nodes))
        found = Record(root, nodes, values, arrivals, passed)
        add_flows(found)
    return found


def values_of(
    nodes: Sequence[Node], root: Node, output: ndarray, start: ndarray
) -> dict[Node, ndarray]:
    """The value of each node: saved on the tape, held by a leaf's Tensor, or computed again.

    What a leaf's Tensor holds is its value now. Where values that were saved, and the output, do
    not follow from it, it has been changed in place since, and is not taken for the one used.
    """
    saved = {root: output}

    def keep(array: ndarray, origin: Node | Constant) -> Tensor:
        if isinstance(origin, Node):
            saved[origin] = array
        return wrap(array)

    walk({root: wrap(start)}, set(nodes), keep)
    held = {}
    for node in nodes:
        tensor = node.note and node.note.tensor and node.note.tensor()
        if tensor is not None and tensor._node is node and node not in saved:
            held[node] = tensor._array
    values = saved | held
    if not completed(values, nodes, saved):
        values = dict(saved)
        completed(values, nodes, {})
    return values


def completed(
    values: dict[Node, ndarray], nodes: Sequence[Node], saved: dict[Node, ndarray]
) -> bool:
    """Add the values that follow from these; whether all that do so and were saved are the same."""
    for node in nodes:
        if node.op is None or (node in values and node not in saved):
            continue
        arrays = [values.get(x) if isinstance(x, Node) else x.array for x in node.inputs]
        if any(a is None for a in arrays):
            continue
        inputs = [arrays] if node.op.variadic else arrays
        again = np.asarray(node.op.forward(*inputs, *node.options))
        if node in saved and not same(again, saved[node]):
            return False
        values.setdefault(node, again)
    return True


def add_flows(found: Record) -> None:
    totals: dict[Node, ndarray] = {found.root: found.arrivals[found.root]}
    for node in found.passed:
        flows = found.flows[node] = []
        for i, source, share in node.pull(found.arrivals[node], found.arrivals.keys()):
            out = np.asarray(share)
            total = np.asarray(totals[source] + out) if source in totals else out
            totals[source] = total
            flows.append(Flow(i, source, out, total))
    for node, total in totals.items():
        if not same(total, np.asarray(found.arrivals[node])):
            name = node.op.name if node.op is not None else "a leaf"
            raise RuntimeError(
                f"explain: what flows to {name} of shape {node.shape} came out differently when a "
                "VJP was called again; a VJP must depend on nothing but its arguments"
            )


def same(x: ndarray, y: ndarray) -> bool:
    """Whether two arrays are equal, without any tolerance; nan is nan."""
    return x.dtype == y.dtype and np.array_equal(x, y, equal_nan=x.dtype.kind == "f")
