"""Changes that happen in full or not at all, whatever interrupts and whichever threads run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, starmap
from operator import is_not
from typing import Any, NamedTuple


class Change(NamedTuple):
    """An attribute's value to be, and the one that it must have for that."""

    of: Any
    name: str
    old: Any
    new: Any


def swap(
    objects: Sequence[Any], names: Sequence[str], old: Sequence[Any], new: Sequence[Any]
) -> bool:
    """Set attributes that still have their old values: all of them or, returning False, none.

    All of it is one call of a C function, in which CPython runs no other thread, handles no signal
    and, where the attributes exist, allocates nothing. Should an interrupt come at the very end of
    that call, it is undone: if ``swap`` raises, nothing has happened.

    >>> from types import SimpleNamespace
    >>> a = SimpleNamespace(x=None, y=None)
    >>> swap([a, a], ["x", "y"], [None, None], [1, 2]), swap([a], ["x"], [None], [3]), a.x
    (True, False, 1)
    """
    try:
        # The first that differs ends it, as another thread was faster; setattr returns None.
        return not any(chain(differ(objects, names, old), map(setattr, objects, names, new)))
    except BaseException:
        any(chain(differ(objects, names, new), map(setattr, objects, names, old)))
        raise


def differ(objects: Sequence[Any], names: Sequence[str], values: Sequence[Any]) -> Iterator[bool]:
    return map(is_not, map(getattr, objects, names), values)


def carry_out(changes: Sequence[Change]) -> bool:
    """``swap`` of a list of changes."""
    return not changes or swap(*zip(*changes, strict=True))


def assign(new: Sequence[tuple[Any, str, Any]], gone: Sequence[tuple[Any, str]] = ()) -> None:
    """Set attributes, and delete others, whatever they were: likewise in one call."""
    any(chain(starmap(setattr, new), starmap(delattr, gone)))
