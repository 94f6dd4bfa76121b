"""The first nan or infinity, found where it comes up: PyTorch's ``detect_anomaly``."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Sequence
from contextlib import ContextDecorator
from contextvars import ContextVar
from os.path import dirname, sep
from types import FrameType
from typing import Any

import numpy as np
from numpy import ndarray

from ..core.ops import Op, Value
from ..core.tape import Node, current, mode
from ..torch.tensor import Tensor

__all__ = ["detect_anomaly"]

PACKAGE = dirname(dirname(__file__)) + sep


class Lookout:
    """Looks at what every op and every VJP returns, and raises at the first that is not finite."""

    def __init__(self, made_by: dict[int, str], walking: bool = False) -> None:
        self.made_by = made_by  # by the position of a node, the line of the user's code
        # Within a walk back, it is the VJP's result that counts, and not those of the ops in it.
        self.walking = walking

    def within(self) -> Lookout:
        return Lookout(self.made_by, walking=True)

    def computed(self, op: Op, arrays: Sequence[ndarray], out: ndarray, node: Node | None) -> None:
        line = users_line(sys._getframe(1))
        if node is not None:
            self.made_by[node.position] = line
        if not self.walking and (bad := spoiled(out)):
            inputs = "".join(
                f"\n  {'xyz'[i] if i < 3 else f'input {i}'}: {summary(x)}"
                for i, x in enumerate(arrays)
            )
            raise RuntimeError(f"{op.name}: it returned {bad}{inputs}\n  the op was run by {line}")

    def pulled(self, node: Node, i: int, g: Value, share: Value) -> None:
        if bad := spoiled(share):
            op: Any = node.op
            assert node.links is not None
            known = ["g", "out", "x", "y"]
            given = [(-1, g), *zip(op.wants[i], node.links[i][1] or ())]
            taken = "".join(
                f"\n  {known[place + 1] if place < 3 else 'an option'}: {summary(x)}"
                for place, x in given
                if isinstance(x, (ndarray, Tensor))
            )
            line = self.made_by.get(node.position, "code outside of the context")
            raise RuntimeError(
                f"{op.name}, backward: its VJP for input {i} returned {bad}{taken}"
                f"\n  the op was run by {line}"
            )

    def walked(self, gradients: dict[Node, Value]) -> None:
        for g in gradients.values():
            if bad := spoiled(g):
                raise RuntimeError(f"backward: the sum of a Tensor's gradients has {bad}")


# The settings outside of each context that this thread or task is in, the latest first.
outside: ContextVar[Any] = ContextVar("outside", default=None)


class detect_anomaly(ContextDecorator):
    """A context in which the first nan or infinity that an op or its VJP returns is an error.

    RuntimeError with the op, a summary of its inputs, and the line of your code that ran it, in the
    forward and in the walk back. Per thread and asyncio task; meanwhile NumPy gives no warnings of
    its own for the same. Without such a context nothing is looked at, and nothing costs time.

    >>> import tinygrad_mlp as tg
    >>> x = tg.tensor([0.0, 1.0], requires_grad=True)
    >>> with tg.autograd.detect_anomaly():
    ...     x.sqrt().sum().backward()  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    RuntimeError: sqrt, backward: its VJP for input 0 returned inf in 1 of 2 entries
      g: shape (2,), float32, from 1 to 1
      out: shape (2,), float32, from 0 to 1
      the op was run by ...
    """

    def __init__(self, check_nan: bool = True) -> None:
        self.check_nan = check_nan

    def __enter__(self) -> None:
        quiet = np.errstate(all="ignore")
        quiet.__enter__()
        outside.set((quiet, current().watcher, outside.get()))
        mode.set(current()._replace(watcher=Lookout({}) if self.check_nan else None))

    def __exit__(self, *exception: object) -> None:
        quiet, watcher, earlier = outside.get()
        mode.set(current()._replace(watcher=watcher))
        outside.set(earlier)
        quiet.__exit__()


def array_of(x: Value) -> ndarray:
    return x._array if isinstance(x, Tensor) else np.asarray(x)


def spoiled(x: Value) -> str:
    """Which of nan and the infinities are in it, and in how many entries; "" if none is."""
    array = array_of(x)
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return ""
    kinds: dict[str, Any] = {"nan": np.isnan, "inf": np.isposinf, "-inf": np.isneginf}
    found = " and ".join(name for name, test in kinds.items() if test(array).any())
    return f"{found} in {(~np.isfinite(array)).sum()} of {array.size} entries"


def summary(x: Value) -> str:
    array = array_of(x)
    text = f"shape {array.shape}, {array.dtype}"
    finite = array[np.isfinite(array)] if array.dtype.kind == "f" else array
    if finite.size:
        text += f", from {finite.min():.6g} to {finite.max():.6g}"
    bad = spoiled(array)
    return f"{text}, and {bad}" if bad else text


def users_line(frame: FrameType) -> str:
    """The line outside of this package that is being run."""
    found: FrameType | None = frame
    while found is not None and found.f_code.co_filename.startswith(PACKAGE):
        found = found.f_back
    if found is None:
        return "an unknown line"
    name, number = found.f_code.co_filename, found.f_lineno
    source = linecache.getline(name, number).strip()
    return f"{name}:{number}, in {found.f_code.co_name}" + (f": {source}" if source else "")
