"""An explained tape: its entries, and the steps forward and back, for any way to show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from numpy import ndarray

from ...core.ops import Shape
from ...core.tape import Constant, Node
from ...torch.tensor import Tensor
from .record import record
from .rules import Rules, Written


@dataclass(frozen=True)
class Input:
    """What an op took: an entry of the tape, or a constant."""

    name: Written
    entry: int | None
    value: ndarray | None


@dataclass(frozen=True)
class Entry:
    """A node of the tape. Its place is counted from 0 in the order of this tape."""

    place: int
    name: Written
    op: str | None  # None for a leaf
    inputs: tuple[Input, ...]
    shape: Shape
    value: ndarray | None  # None where neither the tape nor anybody else holds it
    computes: Written | None  # what the op made of its inputs
    given_name: bool


@dataclass(frozen=True)
class Leaving:
    """A cotangent that leaves a node for an input."""

    input: int
    entry: int
    derivative: Written  # ∂f/∂x
    rule: Written  # what it is by the VJP
    cotangent: ndarray
    total: ndarray  # of the entry so far, this one added
    adds: bool  # whether the entry had got some before


@dataclass(frozen=True)
class Backward:
    """A step of the walk back."""

    entry: int
    derivative: Written
    arrives: ndarray
    leaves: tuple[Leaving, ...]


@dataclass(frozen=True)
class Leaf:
    """A leaf, or another entry that keeps its gradient, and what backward would leave there."""

    entry: int
    derivative: Written
    before: ndarray | None  # its .grad
    gradient: ndarray | None  # None where nothing arrives

    @property
    def after(self) -> ndarray | None:
        """Its .grad after backward."""
        if self.gradient is None or self.before is None:
            return self.before if self.gradient is None else self.gradient
        total: ndarray = self.before + self.gradient
        return total


class ExplainedTape:
    """A tape with names and formulas for what is on it."""

    def __init__(
        self,
        output: Tensor,
        gradient: Any = None,
        names: Mapping[Any, str] | None = None,
        title: str = "",
    ) -> None:
        self.title = title
        self._record = record(output, gradient)
        self._rules = Rules(self._record, names or {})
        self._places = {node: i for i, node in enumerate(self._record.nodes)}
        self._named = {node for node in self._record.nodes if node in (names or {})}

    @property
    def output(self) -> Written:
        """What the output is called."""
        return self._rules.name(self._record.root)

    def gradient(self, x: Tensor) -> ndarray | None:
        """The cotangent that arrives at a Tensor, or None where none does."""
        return None if x._node is None else self._record.arrivals.get(x._node)

    def derivative(self, entry: Entry) -> Written:
        """∂f/∂x for an entry x."""
        return self._rules.derivative(self._record.nodes[entry.place])

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """The nodes in the order of the tape: forward."""
        return tuple(self._entry(i, node) for i, node in enumerate(self._record.nodes))

    def _entry(self, place: int, node: Node) -> Entry:
        rules, values = self._rules, self._record.values
        return Entry(
            place,
            rules.name(node),
            None if node.op is None else node.op.name,
            tuple(map(self._input, node.inputs)),
            node.shape,
            values.get(node),
            None if node.op is None else rules.op(node),
            node in self._named or node.name is not None,
        )

    def _input(self, x: Node | Constant) -> Input:
        if isinstance(x, Node):
            return Input(self._rules.name(x), self._places[x], self._record.values.get(x))
        return Input(self._rules.name(x), None, x.array)

    @cached_property
    def backward(self) -> tuple[Backward, ...]:
        """The steps of the walk back, in its order."""
        return tuple(map(self._backward, self._record.passed))

    def _backward(self, node: Node) -> Backward:
        rules, record = self._rules, self._record
        leaves = []
        for flow in record.flows[node]:
            leaves.append(
                Leaving(
                    flow.place,
                    self._places[flow.target],
                    rules.derivative(flow.target),
                    rules.vjp(node, flow),
                    flow.cotangent,
                    flow.total,
                    flow.total is not flow.cotangent,
                )
            )
        return Backward(
            self._places[node], rules.derivative(node), record.arrivals[node], tuple(leaves)
        )

    @cached_property
    def leaves(self) -> tuple[Leaf, ...]:
        """Where backward accumulates in ``.grad``."""
        found = []
        for node in self._record.nodes:
            if node.keeps_grad:
                before = None if node.grad is None else node.grad.detach().numpy()
                gradient = self._record.arrivals.get(node)
                derivative = self._rules.derivative(node)
                found.append(Leaf(self._places[node], derivative, before, gradient))
        return tuple(found)
