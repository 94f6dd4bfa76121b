"""The tape: what an op leaves behind, and the walk back along it that gives the gradients.

Each recorded op leaves a node, which takes the next position from one counter. Inputs come before
outputs, so a walk over the nodes that an output was made from, highest position first, meets each
node after everything that used it: when it arrives, the node's cotangent is complete. That is the
whole of reverse mode. There is no recursion, so a tape may be as long as memory allows.

A node is not a Tensor. It knows where it came from and the few values its VJPs asked for; anything
else that was computed on the way is freed as soon as nobody holds it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import ContextVar, copy_context
from heapq import heapify, heappop, heappush
from itertools import count
from math import inf
from operator import attrgetter
from typing import Any, NamedTuple

from numpy import ndarray

from .atomic import swap
from .decorator import Decorator
from .ops import Op, Shape, Value
from .reports import reporting

next_position = count().__next__
position = attrgetter("position")
new = object.__new__


class Tag:
    """What only some nodes have: a name, a gradient's place, how it is shown, a leaf's Tensor."""

    __slots__ = ("grad", "name", "retains_grad", "shown", "tensor")

    def __init__(self, name: str | None = None, retains_grad: bool = False) -> None:
        self.name = name
        self.retains_grad = retains_grad
        self.grad: Any = None
        self.shown: str | None = None  # PyTorch's name for what made it
        self.tensor: Callable[[], Any] | None = None  # a weak reference, for readers of the graph


class Constant(NamedTuple):
    """An input that is not on the tape: its value, and its name if it has one."""

    array: ndarray
    name: str | None


# For each input of an op: what it is, which of the op's VJPs leads there, and what that VJP takes
# after the cotangent, or None where no gradient flows.
Links = tuple[tuple[Any, int, tuple[Any, ...] | None], ...]
Edges = tuple[tuple["Node", int, tuple[Any, ...]], ...]


class Node:
    """An entry of the tape: the result of an op, or a leaf, which has no op.

    All that it knows of where it came from is in ``links``, which are None once the node is
    released: the walk back follows those through which a gradient flows, the ``edges``, and who
    reads the graph as a formula or a program finds in ``inputs`` what the op was applied to, and in
    ``options`` what comes after them in the forward's arguments.
    """

    __slots__ = ("links", "op", "options", "position", "shape", "tag")

    op: Op | None
    links: Links | None
    options: tuple[Any, ...]
    shape: Shape
    position: int
    tag: Tag | None

    @property
    def inputs(self) -> tuple[Node | Constant, ...] | None:
        """What the op was applied to, or None once released."""
        return None if self.links is None else tuple(source for source, *_ in self.links)

    @property
    def edges(self) -> Edges | None:
        """The links through which a gradient flows, or None once released."""
        if self.links is None:
            return None
        return tuple((node, i, saved) for node, i, saved in self.links if saved is not None)


def record(op: Op | None, links: Links, shape: Shape, options: tuple[Any, ...] = ()) -> Node:
    """A new node at the next position."""
    # To fill an empty object takes two thirds of the time of a class with an __init__.
    node = Node()
    node.op = op
    node.links = links
    node.options = options
    node.shape = shape
    node.position = next_position()
    node.tag = None
    return node


def leaf(shape: Shape) -> Node:
    """A node for a Tensor that nobody computed: gradients end there, and stay."""
    node = record(None, (), shape)
    node.tag = Tag(retains_grad=True)
    return node


def tag_of(node: Node) -> Tag:
    """The node's tag, a new one if it has none."""
    if node.tag is None:
        node.tag = Tag()
    return node.tag


# A context variable is separate in each thread and in each asyncio task.
recording = ContextVar("recording", default=True)
is_grad_enabled = recording.get


# Whether what no gradient flows through is recorded too, for readers of the graph to whom a
# comparison is part of the formula or of the program.
is_tracing = ContextVar("is_tracing", default=False)

# What ``recording`` was before each of the contexts below that this thread or task is inside of:
# before the latest, and the earlier ones in the same form. Threads may share such a context.
Modes = tuple[bool, Any] | None
entered: ContextVar[Modes] = ContextVar("entered", default=None)


def run_with(modes: dict[ContextVar[Any], Any], function: Callable[..., Any], *args: Any) -> Any:
    """What a function returns while context variables have these values.

    However it ends, they are then as before: an interrupt can come between a with statement and
    what is to happen at its end, but not here.
    """
    context = copy_context()
    for variable, value in modes.items():
        context.run(variable.set, value)
    return context.run(function, *args)


def leave(modes: Modes) -> None:
    if modes is not None:
        recording.set(modes[0])
        entered.set(modes[1])


class Recording(Decorator):
    """A context or a decorator in which ops are recorded, or not; per thread and asyncio task."""

    def __init__(self, mode: bool) -> None:
        self.mode = bool(mode)

    def __enter__(self) -> None:
        before = recording.get()
        earlier = entered.get()
        try:
            self.switch()
            entered.set((before, earlier))
        except BaseException:
            recording.set(before)
            entered.set(earlier)
            raise

    def switch(self) -> None:
        if is_tracing.get() and not self.mode:
            raise RuntimeError(
                "no_grad: while a function is compiled everything has to be recorded; "
                "use detach() for values that no gradient shall flow through"
            )
        recording.set(self.mode)

    def __exit__(self, *exception: object) -> None:
        modes = None
        try:
            modes = entered.get()
            leave(modes)
        except BaseException:
            # An interrupt ends what is being done, but does not leave the user without a tape.
            leave(modes or entered.get())
            raise


class set_grad_enabled(Recording):
    """Record ops, or do not, from here on; per thread and asyncio task.

    As a context or a decorator, that is so inside of it alone.

    >>> import tinygrad_mlp as tg
    >>> w = tg.tensor(2.0, requires_grad=True)
    >>> with tg.set_grad_enabled(False):
    ...     (w * w).requires_grad
    False
    >>> (w * w).requires_grad
    True
    """

    def __init__(self, mode: bool) -> None:
        super().__init__(mode)
        self.before = recording.get()
        self.switch()

    def __enter__(self) -> None:
        recording.set(self.before)
        super().__enter__()

    def __call__(self, function: Callable[..., Any]) -> Any:
        recording.set(self.before)
        return Recording(self.mode)(function)


class NoParameters(Recording):
    def __new__(cls, function: Callable[..., Any] | None = None) -> Any:
        # As PyTorch, @no_grad and @no_grad() both decorate.
        return super().__new__(cls) if function is None else cls()(function)


class no_grad(NoParameters):
    """A context or a decorator in which nothing is recorded; per thread and asyncio task.

    >>> import tinygrad_mlp as tg
    >>> w = tg.tensor(2.0, requires_grad=True)
    >>> with tg.no_grad():
    ...     w -= 0.5  # w stays a leaf
    >>> w
    tensor(1.5000, requires_grad=True)
    """

    def __init__(self) -> None:
        super().__init__(False)


class enable_grad(NoParameters):
    """A context or a decorator in which ops are recorded, inside of ``no_grad`` too.

    >>> import tinygrad_mlp as tg
    >>> w = tg.tensor(2.0, requires_grad=True)
    >>> with tg.no_grad(), tg.enable_grad():
    ...     (w * w).requires_grad
    True
    """

    def __init__(self) -> None:
        super().__init__(True)


Lift = Callable[[Value, Node | Constant], Value]
Vjps = tuple[Callable[..., Value], ...]


def walk(
    cotangents: dict[Node, Value],
    keep: set[Node] | None = None,
    lift: Lift | None = None,
    vjps_of: Callable[[Node], Vjps] | None = None,
) -> tuple[dict[Node, Value], list[Node]]:
    """Take the cotangents of some outputs back to the leaves, and list the nodes passed through.

    With ``keep``, the cotangents of these nodes are wanted, and only what they need is computed;
    without, those of all leaves and of the nodes that retain theirs. With ``lift``, which puts a
    saved array back on the tape as a Tensor, the VJPs run on Tensors and record in their turn.
    ``vjps_of`` may give others for a node than its op's.
    """
    modes = reporting()
    if lift is not None:
        modes[recording] = True
    found: tuple[dict[Node, Value], list[Node]] = run_with(
        modes, back, cotangents, keep, lift, vjps_of
    )
    return found


def back(
    cotangents: dict[Node, Value],
    keep: set[Node] | None,
    lift: Lift | None,
    vjps_of: Callable[[Node], Vjps] | None,
) -> tuple[dict[Node, Value], list[Node]]:
    """``walk``, where NumPy reports with the op's name and, with ``lift``, ops are recorded."""
    between = wanted = None
    if keep is not None:
        between = passages(keep, cotangents)
        wanted = between | keep
    frontier = [(-node.position, node) for node in cotangents]
    heapify(frontier)
    passed = []
    kept = {}
    sums = set()
    while frontier:
        node = heappop(frontier)[1]
        g = cotangents.pop(node)
        if keep is not None:
            if node in keep:
                kept[node] = g
        elif node.tag is not None and node.tag.retains_grad:
            kept[node] = g
        op = node.op
        if op is None or (between is not None and node not in between):
            continue
        links = node.links
        if links is None:
            raise RuntimeError(RELEASED.format(op.name))
        passed.append(node)
        vjps = op.vjps if vjps_of is None else vjps_of(node)
        for source, i, arguments in links:
            if arguments is None or (wanted is not None and source not in wanted):
                continue
            if lift is not None:
                if source.op is not None and source.edges == ():
                    continue
                arguments = lifted(node, i, arguments, lift)
            contribution = vjps[i](g, *arguments) if arguments else vjps[i](g)
            if contribution.shape != source.shape:
                contribution = unbroadcast(contribution, source.shape, op)
            if source not in cotangents:
                cotangents[source] = contribution
                if source.op is not None:
                    heappush(frontier, (-source.position, source))
            elif source in sums:
                cotangents[source] += contribution
            else:
                cotangents[source] = cotangents[source] + contribution
                if lift is None:
                    # That sum is a buffer of our own: what else comes may be added in place.
                    sums.add(source)
    cotangents.update(kept)
    return cotangents, passed


RELEASED = (
    "{}: this part of the graph was released by an earlier backward or grad; pass "
    "retain_graph=True to that earlier call, or compute the output again"
)


def passages(targets: set[Node], outputs: Iterable[Node]) -> set[Node]:
    """What the outputs were made from, them included, that was itself made from a target."""
    nodes = list(outputs)
    seen = set(nodes)
    for node in nodes:  # grows while it is walked
        for source, *_ in node.edges or ():
            if source not in seen:
                seen.add(source)
                nodes.append(source)
    oldest = min(map(position, targets), default=inf)
    found: set[Node] = set()
    for node in sorted(nodes, key=position):
        if node.edges is None:
            # Released: it may have been made from any target that is older.
            if node.position > oldest:
                found.add(node)
        elif any(source in found or source in targets for source, *_ in node.edges):
            found.add(node)
    return found


def unbroadcast(g: Value, shape: Shape, op: Op) -> Value:
    """The cotangent of an input of this shape, from that of its broadcast form."""
    extra = g.ndim - len(shape)
    ones = tuple(a for a, n in enumerate(shape, extra) if n == 1)
    summed = tuple(1 if a in ones else n for a, n in enumerate(g.shape))
    if not op.broadcasts or summed[extra:] != shape:
        raise ValueError(
            f"{op.name}: a VJP returned the shape {g.shape} for an input of shape {shape}; "
            "a VJP must return its input's shape"
        )
    return g.sum((*range(extra), *ones), keepdims=True).reshape(shape)


def lifted(node: Node, i: int, arguments: tuple[Any, ...], lift: Lift) -> tuple[Any, ...]:
    """What a VJP takes, with the output and the inputs of the op back on the tape."""
    assert node.op is not None
    assert node.inputs is not None
    # A variadic op has its inputs in one list, which its VJP does not ask for.
    origins = (node,) if node.op.variadic else (node, *node.inputs)
    return tuple(
        lift(value, origins[place]) if place < len(origins) else value
        for place, value in zip(node.op.wants[i], arguments, strict=True)
    )


links_of = attrgetter("links")


def release(nodes: list[Node]) -> bool:
    """Let go of what these nodes saved and of where they came from; returns True."""
    n = len(nodes)
    return swap(nodes, ["links"] * n, list(map(links_of, nodes)), [None] * n) or True
