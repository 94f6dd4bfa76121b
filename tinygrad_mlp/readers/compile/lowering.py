"""From the nodes of a graph to the values of a program."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from ...core.tape import Constant, Node, ancestors
from . import passes
from .trace import Trace
from .values import Graph, Value


def graph_of(trace: Trace) -> Graph:
    """What the results of a trace are computed from, with nothing that none of them needs."""
    known: passes.Known = {}
    value: dict[Node, Value] = {}
    array: dict[Node, ndarray] = {}
    for node, a, name in zip(trace.arguments, trace.arrays, trace.names, strict=True):
        value[node], array[node] = Value(a.shape, a.dtype, name=name), a
    made = [y._node for y in trace.results if y is not None and y._node is not None]
    order = ancestors(made, flowing=False)
    # An array is let go of when the last that needs it has been computed.
    last = {x: node for node in order for x in node.inputs if isinstance(x, Node)}
    with np.errstate(all="ignore"):
        for node in order:
            if node in value:
                continue
            if node.op is None:
                raise RuntimeError(
                    "compile: the function uses a Tensor that requires grad and is not one of its "
                    "arguments, nor a parameter of its optimizer; pass it as an argument, or call "
                    "detach() outside of the function and use what that returns"
                )
            arrays = [x.array if isinstance(x, Constant) else array[x] for x in node.inputs]
            called = [arrays] if node.op.variadic else arrays
            array[node] = np.asarray(node.op.forward(*called, *node.options))
            inputs = tuple(
                passes.constant(known, x.array) if isinstance(x, Constant) else value[x]
                for x in node.inputs
            )
            value[node] = passes.simplest(known, node.op, inputs, node.options, array[node])
            for x in {x for x in node.inputs if isinstance(x, Node)}:
                if last[x] is node:
                    del array[x]
        outputs = [
            None if y is None
            else passes.constant(known, y._array) if y._node is None
            else value[y._node]
            for y in trace.results
        ]  # fmt: skip
    return Graph(passes.unused_left_out(known, outputs), outputs)
