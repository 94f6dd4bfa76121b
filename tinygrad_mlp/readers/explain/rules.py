"""What each op does, and each VJP, as a formula.

A VJP is run once more, on Tensors that stand for the op's inputs, its output and the cotangent that
arrives. The graph that this leaves, written down by ``formulas``, is the rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from ...core.tape import Constant, Node, leaf
from ...core.tensor import run
from ...torch.tensor import Tensor, wrap
from ..derive.mathml import MathML
from ..derive.names import Elements
from ..derive.notation import Latex, Text
from ..derive.reader import Reader, is_number, tracing
from .record import Flow, Record


class Written(NamedTuple):
    """A formula as one line of text, in LaTeX and in MathML."""

    text: str
    latex: str
    mathml: Elements


class Rules:
    """Writes the formulas of one tape."""

    def __init__(self, record: Record, names: Mapping[Node | int, str]) -> None:
        """``names`` are of nodes, and of constants by the identity of their array."""
        self.record = record
        self.reader = Reader()
        self.constants: dict[int, Constant] = {}
        self.symbols: dict[object, Tensor] = {}
        self.texts: dict[object, Written] = {}
        name_constants = {key: name for key, name in names.items() if isinstance(key, int)}
        for node in record.nodes:
            for x in node.inputs:
                if isinstance(x, Constant):
                    name = name_constants.get(id(x.array)) if x.name is None else x.name
                    self.constants[id(x.array)] = Constant(x.array, name)
            name = node.name
            if name is None:
                name = names.get(node, "f" if node is record.root else None)
            self.symbol(node, node.shape, self.value(node), name, "x" if node.op is None else "v")
        for node in record.nodes:
            self.derivative(node)

    def symbol(
        self, key: object, shape: tuple[int, ...], value: ndarray, name: str | None, letter: str
    ) -> Tensor:
        """A Tensor that is read as a symbol."""
        term = self.reader.algebra.symbol((self, key), shape)
        names = self.reader.names
        if isinstance(key, Node):
            names.add(term, name, letter)
            self.texts[key] = Written(names.text(term), names.latex(term), names.mathml(term))
        else:
            names.show(term, *self.texts[key], is_fraction=True)
        node = leaf(shape)
        self.reader.terms[node] = term
        self.symbols[key] = wrap(value, node)
        return self.symbols[key]

    def value(self, node: Node) -> ndarray:
        """The node's value, or where nobody holds it zeros: the formula is the same."""
        value = self.record.values.get(node)
        return np.zeros(node.shape) if value is None else value

    def name(self, x: Node | Constant) -> Written:
        """What a node or a constant is called."""
        if isinstance(x, Node):
            return self.texts[x]
        constant = self.constants[id(x.array)]
        if x.array.size and is_number(constant):
            constant = Constant(x.array.reshape(-1)[0].reshape(()), None)  # just the number
        return self.write(wrap_constant(constant))

    def derivative(self, node: Node) -> Written:
        """∂f/∂x for a node x."""
        key = ("derivative", node)
        if key not in self.texts:
            f, x = self.texts[self.record.root], self.texts[node]
            self.texts[key] = Written(
                f"∂{f.text}/∂{x.text}",
                rf"\frac{{\partial {f.latex}}}{{\partial {x.latex}}}",
                (["mfrac", *(["mrow", ["mi", "∂"], *y.mathml] for y in (f, x))],),
            )
            g = self.record.arrivals.get(node)
            if g is not None:
                symbol = self.symbol(key, node.shape, np.asarray(g), None, "")
                assert symbol._node is not None
                self.reader.cotangents.add(symbol._node)
        return self.texts[key]

    def write(self, x: Tensor) -> Written:
        term, names = self.reader.of(x), self.reader.names
        return Written(Text(names).write(term), Latex(names).write(term), MathML(names).write(term))

    def tensor(self, x: Node | Constant) -> Tensor:
        """The Tensor that stands for an input of an op."""
        if isinstance(x, Node):
            return self.symbols[x]
        return self.reader.lift(x.array, self.constants[id(x.array)])

    def op(self, node: Node) -> Written:
        """What the op made of its inputs."""
        assert node.op is not None
        inputs = [self.tensor(x) for x in node.inputs]
        with np.errstate(all="ignore"), tracing():
            return self.write(run(node.op, inputs, node.options))

    def vjp(self, node: Node, flow: Flow) -> Written:
        """What the VJP makes of the cotangent."""
        g = self.symbols["derivative", node]
        with np.errstate(all="ignore"), tracing():
            for i, _, share in node.pull(g, {flow.target}, self.lift):
                if i == flow.place:
                    return self.write(share)
        raise AssertionError("a flow leaves by a VJP")

    def lift(self, array: ndarray, origin: Node | Constant) -> Tensor:
        return self.tensor(origin)


def wrap_constant(constant: Constant) -> Tensor:
    tensor = wrap(constant.array)
    tensor._constant = constant
    return tensor
