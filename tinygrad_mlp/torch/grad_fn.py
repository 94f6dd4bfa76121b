"""``x.grad_fn``: what made a Tensor, under the name that PyTorch has for it.

Where PyTorch has one op, there may be several here, and where it has several, one. Most names
follow from the node; where they do not, the method that made it leaves one in the node's note.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar

from numpy import ndarray

from ..core import ops
from ..core.ops import Op, Shape
from ..core.tape import Node

P = ParamSpec("P")
R = TypeVar("R")

NAMES: dict[Op, str] = {
    ops.pow_tensor: "Pow1",
    ops.log1p: "Log1P0",
    ops.clamp: "Clamp1",
    ops.cast: "ToCopy0",
    ops.reshape: "View0",
}


class Note:
    """What PyTorch's habits have to remember of a node."""

    __slots__ = ("moved_to", "shown", "tensor")

    def __init__(self) -> None:
        self.shown: str | None = None  # PyTorch's name for what made it
        self.tensor: Callable[[], Any] | None = None  # a leaf's Tensor, as a weak reference
        self.moved_to: Node | None = None  # where on the tape the value is now


def note_of(node: Node) -> Note:
    """The node's note, a new one if it has none."""
    if node.note is None:
        node.note = Note()
    note: Note = node.note
    return note


class GradFn:
    """The node that made a Tensor, as PyTorch shows it.

    >>> import tinygrad_mlp as tg
    >>> x = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> made_by = (2 * x).sum().grad_fn
    >>> made_by.name(), made_by.next_functions[0][0].name()
    ('SumBackward0', 'MulBackward0')
    """

    __slots__ = ("_node",)

    def __init__(self, node: Node) -> None:
        self._node = node

    def name(self) -> str:
        """PyTorch's name for it."""
        return type(self).__name__

    @property
    def next_functions(self) -> tuple[tuple[GradFn | None, int], ...]:
        """The same for each of its inputs, None where nothing flows; empty once it is released."""
        inputs = self._node.inputs if self._node.links else ()
        return tuple((grad_fn(x) if isinstance(x, Node) else None, 0) for x in inputs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GradFn) and self._node is other._node

    def __hash__(self) -> int:
        return hash(self._node)

    def __repr__(self) -> str:
        return f"<{self.name()} object at {hex(id(self._node))}>"


@cache
def kind(name: str) -> type[GradFn]:
    return type(name, (GradFn,), {"__slots__": (), "__doc__": GradFn.__doc__})


def grad_fn(node: Node) -> GradFn:
    return kind(name_of(node))(node)


def name_of(node: Node) -> str:
    """PyTorch's name for what made the result of a node."""
    op = node.op
    if op is None:
        return "AccumulateGrad"
    if node.note is not None and node.note.shown is not None:
        return str(node.note.shown)
    if op in NAMES:
        name = NAMES[op]
    elif op is ops.getitem:
        name = of_index(node.options[0], shape_of(node))
    elif op is ops.matmul:
        name = "Mm0" if len(node.shape) == 2 else "Bmm0"
    elif op is ops.sum or op is ops.mean:
        name = op.name.title() + ("0" if node.options and node.options[0] is None else "1")
    else:
        name = op.name.title().replace("_", "") + "0"
    return with_number(name)


def with_number(name: str) -> str:
    """``Mm0`` as ``MmBackward0``; what has its Backward already, or none, as it is."""
    plain = "Backward" in name or not name[-1].isdigit()
    return name if plain else f"{name[:-1]}Backward{name[-1]}"


def shape_of(node: Node) -> Shape | None:
    """The shape of a node's first input, while that is known."""
    return node.links[0][0].shape if node.links else None


def of_index(index: tuple[Any, ...], shape: Shape | None) -> str:
    """PyTorch takes an index entry by entry: named is the last that does something."""
    if any(isinstance(entry, ndarray) for entry in index):
        return "Index0"
    name = "Slice0" if len(index) == 1 and isinstance(index[0], slice) else "Alias0"
    axis = 0
    for entry in index:
        if entry is None:
            name = "Unsqueeze0"
        elif entry is ...:
            axis = 0 if shape is None else len(shape) - axes_after(index)
        elif isinstance(entry, slice):
            if shape is None or entry.indices(shape[axis]) != (0, shape[axis], 1):
                name = "Slice0"
            axis += 1
        else:
            name = "Select0"
            axis += 1
    return name


def axes_after(index: tuple[Any, ...]) -> int:
    """How many axes an index names after its dots."""
    return sum(entry is not None for entry in index[index.index(...) + 1 :])


def shown(made: R, name: str) -> R:
    """The same Tensor, or the same tuple of them, whose ``grad_fn`` has this name from now on."""
    several: Any = made if isinstance(made, tuple) else (made,)
    for x in several:
        if x._node is not None and x._node.op is not None:
            note_of(x._node).shown = with_number(name)
    return made


def shown_as(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """For a function whose result PyTorch makes with one op."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def call(*args: P.args, **options: P.kwargs) -> R:
            return shown(function(*args, **options), name)

        return call

    return decorate
