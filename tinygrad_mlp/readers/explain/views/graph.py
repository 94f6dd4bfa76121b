"""The graph of a tape: for Mermaid, for Graphviz, and laid out in layers for the page."""

from __future__ import annotations

from typing import NamedTuple

from ..explanation import ExplainedTape, Input
from .summary import sizes

MERMAID = {"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "&": "#amp;", "`": "#96;"}
DOT = {"\\": "\\\\", '"': '\\"'}


class Vertex(NamedTuple):
    """A node of the graph: an entry of the tape or, with a negative number, a constant array."""

    number: int
    name: str
    op: str | None
    shape: str

    @property
    def lines(self) -> tuple[str, ...]:
        first = self.name if self.op is None else f"{self.name} = {self.op}"
        return (first, self.shape) if self.shape else (first,)


class Graph(NamedTuple):
    """The vertices in the order of the tape, and the edges forward, from input to op."""

    vertices: list[Vertex]
    edges: list[tuple[int, int]]


def graph_of(explanation: ExplainedTape) -> Graph:
    """The graph; constants that are a single number are left to the formulas."""
    vertices, edges, constants = list[Vertex](), list[tuple[int, int]](), dict[str, int]()
    for entry in explanation.entries:
        for x in entry.inputs:
            if x.entry is None and is_drawn(x) and x.name.text not in constants:
                constants[x.name.text] = -1 - len(constants)
                assert x.value is not None
                shape = sizes(x.value.shape) if x.value.shape else ""
                vertices.append(Vertex(constants[x.name.text], x.name.text, None, shape))
        shape = sizes(entry.shape) if entry.shape else ""
        vertices.append(Vertex(entry.place, entry.name.text, entry.op, shape))
        for x in entry.inputs:
            if x.entry is not None:
                edges.append((x.entry, entry.place))
            elif is_drawn(x):
                edges.append((constants[x.name.text], entry.place))
    return Graph(vertices, edges)


def is_drawn(constant: Input) -> bool:
    return constant.value is not None and constant.value.ndim > 0


def mermaid(explanation: ExplainedTape) -> str:
    """The graph as a Mermaid flowchart, in which rounded nodes are leaves and constants."""
    graph = graph_of(explanation)
    escape = str.maketrans(MERMAID)
    lines = ["flowchart TD"]
    for vertex in graph.vertices:
        label = "<br/>".join(line.translate(escape) for line in vertex.lines)
        opening, closing = ("([", "])") if vertex.op is None else ("[", "]")
        lines.append(f'    {key(vertex.number)}{opening}"{label}"{closing}')
    lines += [f"    {key(a)} --> {key(b)}" for a, b in graph.edges]
    return "\n".join(lines)


def dot(explanation: ExplainedTape) -> str:
    """The graph for Graphviz; constants are dashed."""
    graph = graph_of(explanation)
    escape = str.maketrans(DOT)
    lines = ["digraph tape {", "    node [shape=box]"]
    for vertex in graph.vertices:
        label = r"\n".join(line.translate(escape) for line in vertex.lines)
        form = ", shape=ellipse" if vertex.op is None else ""
        dashed = ", style=dashed" if vertex.number < 0 else ""
        lines.append(f'    {key(vertex.number)} [label="{label}"{form}{dashed}]')
    lines += [f"    {key(a)} -> {key(b)}" for a, b in graph.edges]
    return "\n".join([*lines, "}"])


def key(number: int) -> str:
    return f"n{number}" if number >= 0 else f"c{-number}"


def layout(graph: Graph) -> dict[int, tuple[float, int]]:
    """A place for each vertex: across, from 0, and the layer, from 0 down.

    An op is one layer below the lowest of its inputs, a leaf just above the first op that uses it.
    Within a layer vertices stand in the order of the middles of their inputs.
    """
    inputs: dict[int, list[int]] = {v.number: [] for v in graph.vertices}
    users: dict[int, list[int]] = {v.number: [] for v in graph.vertices}
    for a, b in graph.edges:
        inputs[b].append(a)
        users[a].append(b)
    layer: dict[int, int] = {}
    for vertex in graph.vertices:
        if vertex.op is not None:
            depths = [layer.get(x, 0) for x in inputs[vertex.number]]
            layer[vertex.number] = 1 + max(depths, default=0)
    for vertex in graph.vertices:
        if vertex.op is None:
            layer[vertex.number] = min((layer[u] for u in users[vertex.number]), default=1) - 1
    layers: list[list[int]] = [[] for _ in range(max(layer.values(), default=0) + 1)]
    for number, depth in layer.items():
        layers[depth].append(number)
    across: dict[int, float] = {}
    for row in layers:
        wanted = {}
        for number in row:
            placed = [across[x] for x in inputs[number] if x in across]
            # What has no inputs goes to the right of what its user already has above it.
            beside = [across[x] for u in users[number] for x in inputs[u] if x in across]
            wanted[number] = mean(placed) if placed else mean(beside) + 1 if beside else 0.0
        row.sort(key=lambda number: (wanted[number], number))
        shift = mean([wanted[number] for number in row]) - (len(row) - 1) / 2
        for i, number in enumerate(row):
            across[number] = shift + i
    left = min(across.values(), default=0.0)
    return {number: (x - left, layer[number]) for number, x in across.items()}


def mean(numbers: list[float]) -> float:
    return sum(numbers) / len(numbers)
