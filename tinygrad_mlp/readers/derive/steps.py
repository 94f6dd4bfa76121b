"""The way back from an output, one use of the chain rule after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from numpy import ndarray

from ...core.ops import Op
from ...core.tape import Constant, Edges, Lift, Node, leaf, unbroadcast
from ...torch.tensor import Tensor, wrap
from .notation import Text
from .reader import Reader, tracing
from .terms import Term


class Step(NamedTuple):
    """One use of the chain rule: through an op, to one of its inputs.

    What is too long for a line is left out.
    """

    op: str
    computes: str  # what the op did: v2 = X W1
    came_in: str  # ∂f/∂v2 = −2 (Y − v2)
    rule: str  # its VJP: ∂f/∂W1 = Xᵀ ∂f/∂v2; += where an input has a part of it already
    went_out: str  # what the VJP made of what came in: ∂f/∂W1 = −2 Xᵀ (Y − v2)

    def __str__(self) -> str:
        _, _, value = self.went_out.partition("= ")
        again = not value or self.rule.endswith(f"= {value}")
        result = "" if again else f" = {value}"
        return f"{self.op:9} {self.computes:22}  {self.came_in}  ⟹  {self.rule}{result}"


class Recorded(NamedTuple):
    """A node as it was before anybody released it."""

    node: Node
    op: Op
    inputs: tuple[Node | Constant, ...]
    edges: Edges


class Journey:
    """The walk back that gave the gradients."""

    def __init__(
        self,
        reader: Reader,
        root: Node,
        name: str | None,
        cotangents: Mapping[Node, Tensor],
        passed: list[Node],
    ) -> None:
        self.reader = reader
        self.root = root
        self.name = reader.names.of_output(name)
        self.cotangents = cotangents
        self.passed = [
            Recorded(x, x.op, x.inputs, x.edges) for x in passed if x.op and x.inputs and x.edges
        ]
        self.symbols: dict[Node, Term] = {}
        self.leaves: dict[Term, Node] = {}

    def symbol(self, node: Node) -> Term:
        """A node by its name; those without are v1, v2, …"""
        if node not in self.symbols:
            if node is self.root:
                term = self.reader.algebra.symbol((self, "output"), node.shape)
                self.reader.names.show(term, *self.name)
            elif node.op is None or (node.tag is not None and node.tag.name is not None):
                term = self.reader.term(node)
            else:
                term = self.reader.algebra.symbol((self, node), node.shape)
                self.reader.names.add(term, None, "v")
            self.symbols[node] = term
        return self.symbols[node]

    def derivative(self, node: Node) -> tuple[str, str]:
        """∂f/∂x, as text and in LaTeX."""
        text, latex = self.name
        x = self.symbol(node)
        return (
            f"∂{text}/∂{self.reader.names.text(x)}",
            rf"\frac{{\partial {latex}}}{{\partial {self.reader.names.latex(x)}}}",
        )

    def leaf(self, term: Term) -> Node:
        """A node that is read as this symbol."""
        if term not in self.leaves:
            self.leaves[term] = node = leaf(term.shape)
            self.reader.terms[node] = term
        return self.leaves[term]

    def lift(self, array: ndarray, origin: Node | Constant) -> Tensor:
        if isinstance(origin, Constant):
            return self.reader.lift(array, origin)
        return wrap(array, self.leaf(self.symbol(origin)))

    def steps(self, target: Node) -> Iterator[Step]:
        """The uses of the chain rule on the way to a node."""
        reader, text = self.reader, Text(self.reader.names)
        useful = {target}
        for node, _, _, edges in reversed(self.passed):
            if any(source in useful for source, *_ in edges):
                useful.add(node)
                self.symbol(node)
        reached: set[Node] = set()
        for recorded in self.passed:
            node, op, inputs, edges = recorded
            if node not in useful:
                continue
            symbol, g = self.symbol(node), self.cotangents[node]
            args = [
                reader.constant(x) if isinstance(x, Constant) else self.symbol(x) for x in inputs
            ]
            made = reader.apply(op, args, node.options, edges, node.shape)
            right = f"{op.name}(…)" if text.is_long(made) else text.write(made)
            computes = f"{text.name_of(symbol)} = {right}"
            came_in = self.equation(text, self.derivative(node)[0], "=", reader.of(g))
            incoming = g if node is self.root else wrap(g._array, self.incoming(node))
            for edge in edges:
                source = edge[0]
                if source not in useful:
                    continue
                left = self.derivative(source)[0]
                sign = "+=" if source in reached else "="
                reached.add(source)
                rule = text.write(reader.of(through(recorded, edge, incoming, self.lift)))
                went_out = reader.of(through(recorded, edge, g, reader.lift))
                yield Step(
                    op.name,
                    computes,
                    came_in,
                    f"{left} {sign} {rule}",
                    self.equation(text, left, sign, went_out),
                )

    def equation(self, text: Text, left: str, sign: str, right: Term) -> str:
        return left if text.is_long(right) else f"{left} {sign} {text.write(right)}"

    def incoming(self, node: Node) -> Node:
        """A node that is read as ∂f/∂x."""
        term = self.reader.algebra.symbol((self, node, "derivative"), node.shape)
        self.reader.names.show(term, *self.derivative(node), is_fraction=True)
        self.reader.cotangents.add(self.leaf(term))
        return self.leaf(term)


def through(recorded: Recorded, edge: Any, g: Tensor, lift: Lift) -> Tensor:
    """What a VJP makes of a cotangent, on Tensors."""
    node, op, inputs, _ = recorded
    source, i, arguments = edge
    origins = (node,) if op.variadic else (node, *inputs)
    lifted = (
        lift(value, origins[place]) if place < len(origins) else value
        for place, value in zip(op.wants[i], arguments, strict=True)
    )
    with tracing():
        out: Tensor = op.vjps[i](g, *lifted)
        return out if out.shape == source.shape else unbroadcast(out, source.shape, op)
