"""From the nodes of a graph to terms."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from math import inf
from typing import Any

import numpy as np
from numpy import ndarray

from ...core import ops
from ...core.tape import Constant, Node, ancestors, record, switched
from ...torch.tensor import Tensor, wrap
from .algebra import Algebra
from .names import Names
from .notation import Listed, Opaque, Slice
from .rows import apply
from .terms import Term, parts


def tracing() -> AbstractContextManager[None]:
    """A context in which comparisons are recorded too."""
    return switched(recording=True, tracing=True)


class Reader:
    """Makes a term of each node; of one that has a name, a symbol."""

    def __init__(self) -> None:
        self.algebra = Algebra()
        self.names = Names()
        self.terms: dict[Node, Term] = {}
        self.constants: dict[Term, ndarray] = {}
        self.of_array: dict[int, Term] = {}  # by the identity of a constant's array, its symbol
        self.lifted: dict[int, Node] = {}  # likewise, the node that stands for it
        # Of the walk back, once there was one: its cotangents, and the position of its first node.
        self.cotangents: set[Node] = set()
        self.turn: float = inf

    def lift(self, array: ndarray, origin: Node | Constant) -> Tensor:
        """As ``Tensor._lift``, but puts constants on the tape too, so that Xᵀ is not a new one."""
        if isinstance(origin, Node):
            return Tensor._lift(array, origin)
        key = id(origin.array)
        if key not in self.lifted:
            self.lifted[key] = record(ops.detached, ((origin, None),), origin.shape)
        return wrap(array, self.lifted[key])

    def of(self, x: Tensor) -> Term:
        if x._node is None:
            return self.constant(Constant(x._array, x.name))
        return self.term(x._node)

    def term(self, root: Node) -> Term:
        if root not in self.terms:
            for node in ancestors([root], known=self.terms, flowing=False):
                self.terms[node] = self.read(node)
        return self.terms[root]

    def read(self, node: Node) -> Term:
        if node.op is not None and node.name is None:
            return self.applied(node)
        symbol = self.algebra.symbol(node, node.shape)
        self.names.add(symbol, node.name, "x", is_input=node.op is None)
        if node.op is not None and node.links is not None:
            self.algebra.define(symbol, self.applied(node))
        return symbol

    def applied(self, node: Node) -> Term:
        assert node.op is not None
        args = [self.constant(x) if isinstance(x, Constant) else self.terms[x] for x in node.inputs]
        known = [isinstance(x, Node) and x in self.cotangents for x in node.inputs]
        if node.op is ops.mul and known == [False, True]:
            # A VJP that ends in the cotangent reads better from there.
            c, above, below = parts(args[0])
            factors = [self.algebra.factor(c), args[1], *reversed(above)]
            return self.algebra.product(node.shape, factors, below)
        if node.op is ops.add and node.position >= self.turn:
            args.reverse()  # what came by the first use of an input was added last
        return self.apply(node, args)

    def apply(self, node: Node, args: Iterable[Term]) -> Term:
        """The term of a node's op at these arguments."""
        assert node.op is not None
        keys = tuple(map(self.option, node.options))
        if node.op is ops.cast and node.links and node.links[0][1]:
            keys += node.links[0][1]  # its VJP keeps the dtype that it came from
        return apply(self.algebra, node.op, tuple(args), keys, node.shape)

    def option(self, value: Any) -> Any:
        """An option of an op, in a form that equals another if it means the same."""
        if isinstance(value, ndarray):
            if value.ndim == 1 and value.size <= 8 and value.dtype.kind in "bi":
                return Listed(value.tolist())
            return self.symbol(Constant(value, None))
        if isinstance(value, slice):
            return Slice(value.start, value.stop, value.step)
        if isinstance(value, (tuple, list)):
            return tuple(map(self.option, value))
        if isinstance(value, np.generic):
            return value.item()
        if value is None or value is ... or isinstance(value, (bool, int, float, str, np.dtype)):
            return value
        return Opaque(value)

    def constant(self, constant: Constant) -> Term:
        array, name = constant.array, constant.name
        if is_number(constant):
            return self.algebra.number(number_of(array), array.shape)
        is_float = name is None and array.dtype.kind == "f"
        if is_float and array.ndim == 2 and np.array_equal(array, np.eye(len(array))):
            return self.algebra.make("identity", (), (), array.shape)
        return self.symbol(constant)

    def symbol(self, constant: Constant) -> Term:
        key = id(constant.array)
        if key not in self.of_array:
            symbol = self.algebra.symbol(Opaque(constant.array), constant.array.shape)
            self.names.add(symbol, constant.name, "c", is_input=True)
            self.constants[symbol] = constant.array
            self.of_array[key] = symbol
        return self.of_array[key]


def is_number(constant: Constant) -> bool:
    """Whether it has no name and its entries are all the same."""
    array, name = constant.array, constant.name
    if name is not None:
        return False
    return array.size == 0 or np.array_equal(array, np.full_like(array, array.flat[0]), True)


def number_of(array: ndarray) -> float:
    """The number that all entries are, as it was before it was rounded to a narrower dtype."""
    if array.size == 0:
        return 1.0  # any will do
    entry = array.flat[0]
    if array.dtype in (np.float16, np.float32) and np.isfinite(entry) and entry:
        n = round(1 / float(entry))
        return 1 / n if n and array.dtype.type(1 / n) == entry else float(str(entry))
    return float(entry)
