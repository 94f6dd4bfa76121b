"""The way back from an output, one use of the chain rule after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from numpy import ndarray

from ...core.tape import Constant, Node, leaf, record
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
        # Nodes as they were before anybody released them, and which those are.
        self.passed = {record(x.op, x.links or (), x.shape, x.options): x for x in passed}
        self.symbols: dict[Node, Term] = {}
        self.leaves: dict[Term, Node] = {}

    def symbol(self, node: Node) -> Term:
        """A node by its name; those without are v1, v2, …"""
        if node not in self.symbols:
            if node is self.root:
                term = self.reader.algebra.symbol((self, "output"), node.shape)
                self.reader.names.show(term, *self.name)
            elif node.op is None or node.name is not None:
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

    # What a VJP saved is read as a symbol, or as all that it was computed from.

    def lift(self, array: ndarray, origin: Node | Constant) -> Tensor:
        if isinstance(origin, Constant):
            return self.reader.lift(array, origin)
        return wrap(array, self.leaf(self.symbol(self.passed.get(origin, origin))))

    def lift_whole(self, array: ndarray, origin: Node | Constant) -> Tensor:
        node = self.passed.get(origin, origin) if isinstance(origin, Node) else origin
        return self.reader.lift(array, node)

    def steps(self, target: Node) -> Iterator[Step]:
        """The uses of the chain rule on the way to a node."""
        reader, text = self.reader, Text(self.reader.names)
        useful = {target}
        for known, node in reversed(self.passed.items()):
            if any(source in useful for source in known.sources):
                useful.add(node)
                self.symbol(node)
        reached: set[Node] = set()
        for known, node in self.passed.items():
            if node not in useful:
                continue
            symbol, g = self.symbol(node), self.cotangents[node]
            args = [
                reader.constant(x) if isinstance(x, Constant) else self.symbol(x)
                for x in known.inputs
            ]
            made = reader.apply(known, args)
            assert known.op is not None
            name = known.op.name
            right = f"{name}(…)" if text.is_long(made) else text.write(made)
            computes = f"{text.name_of(symbol)} = {right}"
            came_in = self.equation(text, self.derivative(node)[0], "=", reader.of(g))
            incoming = g if node is self.root else wrap(g._array, self.incoming(node))
            with tracing():
                rules = [*known.pull(incoming, useful, self.lift)]
                results = [*known.pull(g, useful, self.lift_whole)]
            for (_, source, rule), (*_, result) in zip(rules, results):
                left = self.derivative(source)[0]
                sign = "+=" if source in reached else "="
                reached.add(source)
                yield Step(
                    name,
                    computes,
                    came_in,
                    f"{left} {sign} {text.write(reader.of(rule))}",
                    self.equation(text, left, sign, reader.of(result)),
                )

    def equation(self, text: Text, left: str, sign: str, right: Term) -> str:
        return left if text.is_long(right) else f"{left} {sign} {text.write(right)}"

    def incoming(self, node: Node) -> Node:
        """A node that is read as ∂f/∂x."""
        term = self.reader.algebra.symbol((self, node, "derivative"), node.shape)
        self.reader.names.show(term, *self.derivative(node), is_fraction=True)
        self.reader.cotangents.add(self.leaf(term))
        return self.leaf(term)
