"""Changes in place: ``x += 1``, ``x[0] = 1``, ``x.t().zero_()``, and everybody who sees them.

In PyTorch a Tensor, its views, as ``x[0]`` and ``x.t()``, and ``x.detach()`` lie in the same
memory, so that a change of one is a change of all. Here they share an array too, but nothing ever
writes into an array, since a tape may hold it. So a change takes three steps:

1. The new values are computed, as the result of ops that leave nodes like all others.
2. The memory is copied with the new values in their place, and every Tensor that lives in it, the
   *family*, moves to the copy. Who holds the old array, as the tape does, keeps the old values.
3. Where gradients flow, the Tensor at the bottom of the views gets a node that says "what it was,
   but with the new values in that part", and each view is taken of it anew:

       x[0] = y        x becomes  where(the places of x[0], y, x)
       x.t().mul_(2)   x becomes  (x.t() * 2).t()

>>> import tinygrad_mlp as tg
>>> x = tg.zeros(2, 2)
>>> row = x[0]
>>> x.t().add_(tg.tensor([1.0, 2.0]))
tensor([[1., 2.],
        [1., 2.]])
>>> row
tensor([1., 1.])
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from math import prod
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np
from numpy import ndarray

from ..core import ops
from ..core.ops import Op
from ..core.tape import Change, Node, assign, current, lock
from .grad_fn import name_of, of_index, shown

if TYPE_CHECKING:
    from ..core.tensor import Options
    from .tensor import Tensor

# A result may not be of a kind above that of the Tensor it goes to.
RANK = {"b": 0, "i": 1, "u": 1, "f": 2}

# Arrays that Tensors are to have.
Values = dict["Tensor", ndarray]

# Tensors that were changed while a function was traced, and what each was before that.
Before = tuple["ref[Tensor]", ndarray, "Node | None"]
watched: ContextVar[list[Before] | None] = ContextVar("watched", default=None)


def in_place(function: Callable[..., Tensor], name: str) -> Callable[..., Tensor]:
    """The form of a method that changes its Tensor, as ``add_`` is of ``add``."""

    def method(self: Tensor, *args: Any, **options: Any) -> Tensor:
        with lock:
            return become(self, function(self, *args, **options))

    method.__name__ = name
    method.__doc__ = f"``{function.__name__}`` in place: the Tensor itself becomes the result."
    return method


def become(x: Tensor, result: Tensor) -> Tensor:
    """x itself, with the result of an op as its value.

    ValueError where the result has another shape, TypeError where it is a float and x is not, or
    whole numbers and x bools; RuntimeError for a leaf that requires grad while the tape records,
    and for a Tensor of which one number in memory is several entries.
    """
    if result.shape != x.shape:
        raise ValueError(
            f"in place: the result's shape {result.shape} is not that of the Tensor, {x.shape}"
        )
    if RANK[result.dtype.kind] > RANK[x.dtype.kind]:
        raise TypeError(f"in place: a result of {result.dtype} does not fit a Tensor of {x.dtype}")
    if result.dtype != x.dtype:
        made_by = result._node
        result = result.to(x.dtype)
        result = result if made_by is None else shown(result, name_of(made_by))
    views = lineage(x)
    base = views[-1]
    refuse_leaves(x, base)
    values: Values = {}
    rewrite(x, result._array, values)
    changes: list[Change] = []
    recorded = current().recording and any(t._node is not None for t in (result, *views))
    if not recorded or len(values) == 1:
        if current().recording:
            changes = renewed(x, result._node)
    else:
        from .tensor import wrap

        whole = result
        for view in views[:-1]:
            whole = source_with(view, whole)
        # What each of them is to be, while those that there are stay as they are.
        whole = whole if x is base else shown(whole, "CopySlices")
        anew = {base: wrap(values[base], whole._node)}
        changes = renewed(base, whole._node)
        # A view comes after what it is a view of, whose node it needs.
        for view in sorted(values, key=lambda t: len(lineage(t))):
            if view.is_leaf and view.requires_grad:
                anew[view] = wrap(values[view], view._node)
            elif lineage(view)[-1] is base is not view:
                source, op, options = view._source
                anew[view] = shown(op(anew[source], *options), "AsStrided0")
                changes += renewed(view, anew[view]._node)
    return settle(x, values, changes)


def set_part(x: Tensor, index: Options, value: Tensor, number: bool) -> None:
    """x[index] = value, which was a number or was a Tensor."""
    if current().recording and (x._node is not None or value._node is not None):
        name = "CopySlices"
        if any(isinstance(entry, ndarray) for entry in index):
            name = "IndexPut0"
        elif index == (slice(None),) or of_index(index, x.shape) == "Alias0":
            name = "Fill3" if number else "CopyBackwards"
        become(x, shown(with_part(x, index, value), name))
    else:
        refuse_leaves(x, lineage(x)[-1])
        values: Values = {}
        rewrite(x, array_with_part(x, index, value), values)
        settle(x, values)


def set_data(x: Tensor, value: Tensor) -> None:
    """x.data = value: x leaves its memory for that of the value."""
    if is_same_memory(x, value):
        return  # It is the end of x.data += 1.
    assign(*moved(x, value._array))
    if hasattr(value, "_family"):
        value._family.forget(x)  # It may be the one that x has left.
    related(x, value)


def moved(x: Tensor, array: ndarray) -> tuple[list[tuple[Any, str, Any]], list[tuple[Any, str]]]:
    """What gives x an array of its own, which those who shared the old one do not see.

    Attributes to set, and others to do without.
    """
    changes: list[tuple[Any, str, Any]] = [(x, "_array", array)]
    if hasattr(x, "_family"):
        views = [t for t in x._family.living() if hasattr(t, "_source") and t._source[0] is x]
        if views:
            stays = x.detach()
            stays._node = x._node
            changes += [(view, "_source", (stays, *view._source[1:])) for view in views]
    gone = [(x, name) for name in ("_family", "_source") if hasattr(x, name)]
    return changes, gone


def refuse_leaves(*tensors: Tensor) -> None:
    if current().recording and any(t.is_leaf and t.requires_grad for t in tensors):
        raise RuntimeError(
            "in place: a leaf that requires grad cannot be changed while the tape records; "
            "do it under no_grad()"
        )


def refuse_overlap(caller: str, part: ndarray, value: ndarray) -> None:
    """RuntimeError where the result of copying a value to its own memory depends on the order.

    PyTorch does it in some order, so that an entry may be overwritten before it is copied.
    """
    if owner(part) is not owner(value) or not np.shares_memory(part, value):
        return
    try:
        value = np.squeeze(value, tuple(range(value.ndim - part.ndim)))
        value = np.broadcast_to(value, part.shape)
    except ValueError:
        return  # which is refused with other words
    sources, targets = addresses(value), addresses(part)
    different = (part != value) & ((part == part) | (value == value))
    if np.isin(targets[different], sources[sources != targets]).any():
        raise RuntimeError(
            f"{caller}: the value lies in the same memory as what it is copied to, and an entry "
            "would be overwritten before it is copied; clone() the value"
        )


# Who lies in the same memory.


class Family(dict["ref[Tensor]", None]):
    """Those Tensors that PyTorch would keep in the same memory; who dies leaves by itself."""

    __slots__ = ()

    def add(self, member: Tensor) -> None:
        self[ref(member, self.pop)] = None

    def forget(self, member: Tensor) -> None:
        for known in [r for r in self.copy() if r() is member]:
            del self[known]

    def living(self) -> list[Tensor]:
        found = (r() for r in self.copy())
        return [t for t in found if t is not None and getattr(t, "_family", None) is self]


def related(made: Tensor, x: Tensor, op: Op | None = None, *options: Any) -> Tensor:
    """A Tensor made from another, of whose family it is if it lies in the same memory."""
    if made._array is x._array or owner(made._array) is owner(x._array):
        family = getattr(x, "_family", None)
        if family is None:
            family = x._family = Family()
            family.add(x)
        family.add(made)
        made._family = family
        if op is not None:
            made._source = (x, op, options)
    return made


def lineage(x: Tensor) -> list[Tensor]:
    """A view, what it is a view of, and so on."""
    found = [x]
    while hasattr(found[-1], "_source"):
        found.append(found[-1]._source[0])
    return found


def owner(array: ndarray) -> ndarray:
    while type(array.base) is ndarray:
        array = array.base
    return array


def address(array: ndarray) -> int:
    return int(array.__array_interface__["data"][0])


def addresses(array: ndarray) -> ndarray:
    """Where in memory each entry is."""
    found = np.full(array.shape, address(array))
    grid: Any = np.indices(array.shape, sparse=True)
    for places, step in zip(grid, array.strides, strict=True):
        found += places * step
    return found


def is_part_of(x: Tensor, y: Tensor) -> bool:
    """Whether x, just made from y, lies in y's memory."""
    return owner(x._array) is owner(y._array)


def is_same_memory(x: Tensor, y: Tensor) -> bool:
    a, b = x._array, y._array
    return address(a) == address(b) and (a.shape, a.strides) == (b.shape, b.strides)


def is_expanded(array: ndarray) -> bool:
    return any(s == 0 and n > 1 for s, n in zip(array.strides, array.shape, strict=True))


# Their values.


def rewrite(x: Tensor, array: ndarray, values: Values) -> None:
    """Put other values for x, and with it for the others of its family, into ``values``."""
    family = x._family.living() if hasattr(x, "_family") else []
    if len(family) <= 1:
        # As a copy where it is a view, of other memory or of a single entry expanded.
        array = np.asarray(array)
        values[x] = array if array.base is None else array.copy()
        return
    # By those that are in values already.
    have = {t: values.get(t, t._array) for t in family}
    if is_expanded(have[x]):
        raise RuntimeError(
            "in place: entries of an expanded Tensor are the same in several places; clone() it"
        )
    whole = owner(have[x])
    new = whole.ravel("K").copy()
    start = address(whole)
    for t, its in have.items():
        moved = ndarray(t.shape, t.dtype, new, address(its) - start, its.strides)
        if t is x:
            moved[...] = array
        values[t] = moved


def settle(x: Tensor, values: Values, changes: Sequence[Change] = ()) -> Tensor:
    """x, after Tensors were given these values and what else is to change was: all or nothing."""
    seen = watched.get()
    if seen is not None:
        seen += [(ref(t), t._array, t._node) for t in values]
    assign([*changed(values), *changes])
    return x


def undo(seen: Iterable[Before]) -> None:
    """Give the Tensors that there are still what they were before."""
    for known, array, node in [*seen][::-1]:
        if (t := known()) is not None:
            assign([(t, "_array", array), (t, "_node", node)])


def changed(values: Values) -> list[Change]:
    return [(t, "_array", array) for t, array in values.items()]


def array_with_part(x: Tensor, index: Options, value: Tensor) -> ndarray:
    """A copy of x's array with the value, broadcast, in place of x[index]."""
    array = x._array.copy()
    entries = value._array.astype(x.dtype)
    try:
        # A single entry fits everywhere, but NumPy has it 0-d where the part is.
        array[index] = entries.reshape(()) if entries.size == 1 else entries
    except IndexError as error:
        raise IndexError(f"setitem: {error}; the shape is {x.shape}") from None
    except ValueError:
        raise ValueError(
            f"setitem: a value of shape {value.shape} does not broadcast to the shape of this "
            f"part, {x._array[index].shape}"
        ) from None
    return array


# Their places on the tape.


def with_part(x: Tensor, index: Options, value: Tensor) -> Tensor:
    """x with the value, broadcast, in place of x[index], as the result of ops."""
    shape = array_with_part(x, index, value)[index].shape
    # Which entry of the part comes to which place: the last one, where an index has it twice.
    places = np.full(x.shape, -1)
    places[index] = np.arange(prod(shape)).reshape(shape)
    value = value.to(x.dtype)
    entries = value.reshape(value.shape[max(0, value.ndim - len(shape)) :]).expand(shape)
    if not entries.numel():
        return x
    return x.where(places < 0, entries.reshape(-1)[np.maximum(places, 0)])


def source_with(view: Tensor, value: Tensor) -> Tensor:
    """What the source of a view has to become for the view to have this value."""
    source, op, options = view._source
    if op is ops.getitem:
        return with_part(source, options[0], value)
    if op is ops.expand:
        raise RuntimeError("in place: this is part of an expanded Tensor; clone() that")
    # These only rearrange the entries, and so their VJPs put them back.
    back: Tensor = op.vjps[0](value, source.shape if op is ops.reshape else options[0])
    return back


def renewed(x: Tensor, node: Node | None) -> list[Change]:
    """What puts a Tensor at another place on the tape, or off it."""
    old = x._node
    changes: list[Change] = [(x, "_node", node)]
    if old is not None and old.keeps_grad:
        # As in PyTorch, it is the gradient of the value it has now that it retains.
        changes.append((old, "keeps_grad", False))
        if node is not None:
            changes.append((node, "keeps_grad", True))
    return changes
