"""The tape: what an op leaves behind, and the walk back along it that gives the gradients.

Each recorded op leaves a node, which takes the next position from one counter. Inputs come before
outputs, so a walk over the nodes that an output was made from, highest position first, meets each
node after everything that used it: when it arrives, the node's cotangent is complete. That is the
whole of reverse mode. There is no recursion, so a tape may be as long as memory allows.

A node is not a Tensor. It knows where it came from and the few values its VJPs asked for; anything
else that was computed on the way is freed as soon as nobody holds it.
"""

from __future__ import annotations

from _thread import RLock  # which threading has too, but takes longer to import
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from heapq import heapify, heappop, heappush
from itertools import chain, count, starmap
from math import inf
from operator import attrgetter
from typing import Any, NamedTuple

from numpy import ndarray

from .ops import Op, Shape, Value
from .ops import sum as sum_of

next_position = count().__next__
position = attrgetter("position")


class Constant:
    """An input that is not on the tape: its value, and its name if it has one."""

    __slots__ = ("array", "name", "shape")

    def __init__(self, array: ndarray, name: str | None = None) -> None:
        self.array = array
        self.name = name
        self.shape: Shape = array.shape


# For each input of an op: what it is, and what its VJP takes after the cotangent, or None where no
# gradient flows.
Links = tuple[tuple["Node | Constant", tuple[Any, ...] | None], ...]
Lift = Callable[[Value, "Node | Constant"], Value]


class Node:
    """An entry of the tape: the result of an op, or a leaf, which has no op.

    All that it knows of where it came from is in ``links``, which are None once it is released.
    Readers of the graph find there what the op was applied to, and in ``options`` what comes after
    that in the forward's arguments.
    """

    __slots__ = ("__dict__", "links", "op", "options", "position", "shape")

    op: Op | None
    links: Links | None
    options: tuple[Any, ...]
    shape: Shape
    position: int

    # What few nodes have: a name; whether a gradient stays here, and the one that did; and what
    # the layers above this one have to remember.
    name: str | None = None
    keeps_grad = False
    grad: Any = None
    note: Any = None

    @property
    def inputs(self) -> tuple[Node | Constant, ...]:
        """What the op was applied to; RuntimeError once released."""
        return tuple(source for source, _ in self.links or released(self))

    @property
    def sources(self) -> list[Node]:
        """The inputs that a gradient flows to; of a released node, none."""
        return [x for x, saved in self.links or () if saved is not None and type(x) is Node]

    @property
    def flows(self) -> bool:
        """Whether a gradient that arrives here goes on, or stays."""
        return self.op is None or self.links is None or bool(self.sources)

    def pull(
        self, g: Value, useful: Container[Node] | None = None, lift: Lift | None = None
    ) -> Iterator[tuple[int, Node, Value]]:
        """The chain rule: the places of the inputs, the inputs, and what of g goes to each of them.

        With ``useful``, to these inputs only. With ``lift``, which puts a saved array back on the
        tape as a Tensor, the VJPs run on Tensors.
        """
        op: Any = self.op
        vjps = op.vjps
        i = -1
        try:
            for source, saved in self.links or released(self):
                i += 1
                if saved is None or (useful is not None and source not in useful):
                    continue
                if lift is not None:
                    if not source.flows:  # type: ignore[union-attr]
                        continue
                    saved = self.lifted(i, saved, lift)
                share = vjps[i](g, *saved)
                if share.shape != source.shape:
                    share = unbroadcast(share, source.shape, op)
                yield i, source, share  # type: ignore[misc]
        except FloatingPointError as error:
            error.add_note(f"in the VJP of {op.name} for input {i}")
            raise

    def lifted(self, i: int, saved: tuple[Any, ...], lift: Lift) -> Iterator[Any]:
        """What a VJP takes, with the output and the inputs of the op back on the tape."""
        assert self.op is not None
        # A variadic op has its inputs in one list, which its VJP does not ask for.
        origins = (self,) if self.op.variadic else (self, *self.inputs)
        return (
            lift(value, origins[place]) if place < len(origins) else value
            for place, value in zip(self.op.wants[i], saved, strict=True)
        )


new = object.__new__


def record(op: Op | None, links: Links, shape: Shape, options: tuple[Any, ...] = ()) -> Node:
    """A new node at the next position."""
    # To fill an empty object takes two thirds of the time of a class with an __init__.
    node = new(Node)
    node.op = op
    node.links = links
    node.options = options
    node.shape = shape
    node.position = next_position()
    return node


def leaf(shape: Shape) -> Node:
    """A node for a Tensor that nobody computed: gradients end there, and stay."""
    node = record(None, (), shape)
    node.keeps_grad = True
    return node


# How ops run.


class Mode(NamedTuple):
    """Whether ops are recorded; whether those are too that no gradient flows through; who looks.

    A watcher is told of all that is computed, to find the first nan say, by methods of these names:
    ``computed(op, arrays, out, node)`` when an op was run, ``pulled(node, i, g, share)`` when the
    VJP of a node's input i was, ``walked(gradients)`` at the end of a walk; and ``within()`` is who
    looks at what the VJPs compute on their way.
    """

    recording: bool = True
    tracing: bool = False
    watcher: Any = None


# A context variable is separate in each thread and in each asyncio task.
usual = Mode()
mode: ContextVar[Mode] = ContextVar("mode", default=usual)
current = mode.get


@contextmanager
def switched(**changes: Any) -> Iterator[None]:
    """A context in which ops run in another mode."""
    token = mode.set(current()._replace(**changes))
    try:
        yield
    finally:
        mode.reset(token)


# The walk back.


def walk(
    cotangents: dict[Node, Value], keep: set[Node] | None = None, lift: Lift | None = None
) -> tuple[dict[Node, Value], list[Node]]:
    """Take the cotangents of some outputs back to the leaves, and list the nodes passed through.

    With ``keep``, the cotangents of these nodes are wanted, and only what they need is computed;
    without, those of all leaves and of the nodes that keep theirs. With ``lift``, the VJPs run on
    Tensors and record in their turn.
    """
    watcher = current().watcher
    if lift is None and watcher is None:
        return back(cotangents, keep, lift, watcher)
    changes: dict[str, Any] = {} if lift is None else {"recording": True}
    with switched(watcher=watcher and watcher.within(), **changes):
        found = back(cotangents, keep, lift, watcher)
    if watcher is not None:
        watcher.walked(found[0])
    return found


def back(
    cotangents: dict[Node, Value],
    keep: set[Node] | None,
    lift: Lift | None,
    watcher: Any,
) -> tuple[dict[Node, Value], list[Node]]:
    between = useful = None
    if keep is not None:
        between = passages(keep, cotangents)
        useful = between | keep
    frontier = [(-node.position, node) for node in cotangents]
    heapify(frontier)
    passed = []
    kept = {}
    sums = set()
    while frontier:
        node = heappop(frontier)[1]
        g = cotangents.pop(node)
        if node.keeps_grad if keep is None else node in keep:
            kept[node] = g
        if node.op is None or (between is not None and node not in between):
            continue
        for i, source, share in node.pull(g, useful, lift):
            if watcher is not None:
                watcher.pulled(node, i, g, share)
            if source not in cotangents:
                cotangents[source] = share
                if source.op is not None:
                    heappush(frontier, (-source.position, source))
            elif source in sums:
                cotangents[source] += share
            else:
                cotangents[source] = cotangents[source] + share
                if lift is None:
                    # That sum is a buffer of our own: what else comes may be added in place.
                    sums.add(source)
        passed.append(node)
    cotangents.update(kept)
    return cotangents, passed


def released(node: Node) -> Any:
    """Raise the error of a node whose links are gone; those of an op without inputs are empty."""
    if node.links is None:
        raise RuntimeError(
            f"{node.op and node.op.name}: this part of the graph was released by an earlier "
            "backward or grad; pass retain_graph=True to that earlier call, or compute the output "
            "again"
        )
    return ()


def ancestors(
    outputs: Iterable[Node], known: Container[Node] = (), flowing: bool = True
) -> list[Node]:
    """What outputs were made from, and they, by position, inputs first.

    By way of inputs that a gradient flows to, or of all; it ends at nodes that are known, which are
    not listed.
    """
    found = list(outputs)
    seen = set(found)
    for node in found:  # grows while it is walked
        for source in node.sources if flowing else node.inputs:
            if type(source) is Node and source not in seen and source not in known:
                seen.add(source)
                found.append(source)
    return sorted(found, key=position)


def passages(targets: set[Node], outputs: Iterable[Node]) -> set[Node]:
    """What the outputs were made from, them included, that was itself made from a target."""
    oldest = min(map(position, targets), default=inf)
    found: set[Node] = set()
    for node in ancestors(outputs):
        if node.links is None:
            # Released: it may have been made from any target that is older.
            if node.position > oldest:
                found.add(node)
        elif any(source in found or source in targets for source in node.sources):
            found.add(node)
    return found


@cache
def widened(wide: Shape, shape: Shape) -> tuple[int, ...] | None:
    """The axes along which a shape was broadcast to a wider one; None where it was not."""
    extra = len(wide) - len(shape)
    axes = tuple(a for a in range(len(wide)) if a < extra or shape[a - extra] == 1)
    rest = tuple(1 if a in axes else n for a, n in enumerate(wide))
    return axes if rest[max(extra, 0) :] == shape else None


def unbroadcast(g: Value, shape: Shape, op: Op) -> Value:
    """The cotangent of an input of this shape, from that of its broadcast form."""
    axes = widened(g.shape, shape) if op.broadcasts else None
    if axes is None:
        raise ValueError(
            f"{op.name}: a VJP returned the shape {g.shape} for an input of shape {shape}; "
            "a VJP must return its input's shape"
        )
    return sum_of(g, axes, True).reshape(shape)


# Changes that happen in full or not at all: what computes them comes first, and may raise; then
# one call of a C function makes them, while no other thread does the like.

lock = RLock()
Change = tuple[Any, str, Any]  # an object, the name of an attribute, its value to be


def assign(changes: Iterable[Change], gone: Iterable[tuple[Any, str]] = ()) -> None:
    """Set attributes, and delete others."""
    deque(chain(starmap(setattr, changes), starmap(delattr, gone)), maxlen=0)


def releases(nodes: list[Node]) -> list[Change]:
    """What lets go of all that these nodes saved and of where they came from."""
    for node in nodes:
        if node.links is None:
            released(node)  # Another thread has been through it since this one walked it.
    return [(node, "links", None) for node in nodes]
