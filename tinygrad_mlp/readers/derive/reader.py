"""From the nodes of a graph to terms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from math import inf
from typing import Any

import numpy as np
from numpy import ndarray

from ...core import ops
from ...core.ops import Op, Shape
from ...core.tape import RELEASED, Constant, Edges, Node, enable_grad, is_tracing, position, record
from ...torch.tensor import Tensor, lift, wrap
from .algebra import Algebra
from .names import Names
from .notation import Listed, Opaque, Slice
from .rows import apply
from .terms import Term, parts


@contextmanager
def tracing() -> Iterator[None]:
    """A context in which comparisons are recorded too."""
    token = is_tracing.set(True)
    try:
        with enable_grad():
            yield
    finally:
        is_tracing.reset(token)


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
        """As ``tensor.lift``, but puts constants on the tape too, so that Xᵀ is not a new one."""
        if isinstance(origin, Node):
            return lift(array, origin)
        key = id(origin.array)
        if key not in self.lifted:
            self.lifted[key] = record(ops.detached, ((origin, 0, None),), origin.array.shape)
        return wrap(array, self.lifted[key])

    def of(self, x: Tensor) -> Term:
        if x._node is None:
            return self.constant(Constant(x._array, x.name))
        return self.term(x._node)

    def term(self, root: Node) -> Term:
        nodes, seen = [root], {root}
        for node in nodes:  # grows while it is walked
            for source in () if node in self.terms else node.inputs or ():
                if isinstance(source, Node) and source not in seen:
                    seen.add(source)
                    nodes.append(source)
        for node in sorted(nodes, key=position):
            if node not in self.terms:
                self.terms[node] = self.read(node)
        return self.terms[root]

    def read(self, node: Node) -> Term:
        name = None if node.tag is None else node.tag.name
        if node.op is not None and name is None:
            return self.applied(node)
        symbol = self.algebra.symbol(node, node.shape)
        self.names.add(symbol, name, "x", is_input=node.op is None)
        if node.op is not None and node.inputs is not None:
            self.algebra.define(symbol, self.applied(node))
        return symbol

    def applied(self, node: Node) -> Term:
        assert node.op is not None
        if node.inputs is None:
            raise RuntimeError(RELEASED.format(node.op.name))
        args = [self.constant(x) if isinstance(x, Constant) else self.terms[x] for x in node.inputs]
        known = [isinstance(x, Node) and x in self.cotangents for x in node.inputs]
        if node.op is ops.mul and known == [False, True]:
            # A VJP that ends in the cotangent reads better from there.
            c, above, below = parts(args[0])
            factors = [self.algebra.factor(c), args[1], *reversed(above)]
            return self.algebra.product(node.shape, factors, below)
        if node.op is ops.add and node.position >= self.turn:
            args.reverse()  # what came by the first use of an input was added last
        return self.apply(node.op, args, node.options, node.edges, node.shape)

    def apply(
        self,
        op: Op,
        args: Iterable[Term],
        options: Sequence[Any],
        edges: Edges | None,
        shape: Shape,
    ) -> Term:
        keys = tuple(map(self.option, options))
        if op is ops.cast and edges:
            keys += edges[0][2]  # its VJP keeps the dtype that it came from
        return apply(self.algebra, op, tuple(args), keys, shape)

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
        array, name = constant
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
    array, name = constant
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
