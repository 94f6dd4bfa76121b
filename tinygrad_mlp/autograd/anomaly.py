"""The first nan or infinity, found where it comes up: PyTorch's ``detect_anomaly``.

Nothing in the rest of the package knows of this module. While such a context is open, two functions
that every op and every walk back goes through are replaced by others that look at what comes out.
"""

from __future__ import annotations

import linecache
import sys
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from types import FrameType
from typing import Any

import numpy as np
from numpy import ndarray

from ..core.atomic import assign
from ..core.decorator import Decorator
from ..core.ops import Op, Value
from ..core.reports import settings, users_frame
from ..core.tape import Constant, Node, run_with, walk
from ..torch.tensor import Tensor, wrap
from . import derivatives as functional

__all__ = ["detect_anomaly"]

# By the position of a node, the line of the user's code that made it; None outside of the contexts.
lines: ContextVar[dict[int, str] | None] = ContextVar("lines", default=None)
# Within a walk back, it is the VJP's result that counts, and not those of the ops in it.
walking: ContextVar[bool] = ContextVar("walking", default=False)
# By its module's name, for the package's own ``tensor`` is a function.
replaced: tuple[Any, ...] = (sys.modules[Tensor.__module__], functional)
# One entry for each context that is open, in whichever thread.
opened: set[object] = set()
# That of the latest context that this thread or task is in, and the variables outside of it, this
# one among them.
entered: ContextVar[Any] = ContextVar("entered", default=None)


class detect_anomaly(Decorator):
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
        outside = lines.get(), settings.get(), entered.get()
        me = object()
        try:
            opened.add(me)
            replace()
            quiet = copy_context().run(quietened)
            set_variables({} if self.check_nan else None, quiet, (me, outside))
        except BaseException:
            leave(me, outside)
            raise

    def __exit__(self, *exception: object) -> None:
        inside = None
        try:
            inside = entered.get()
            leave(*inside)
        except BaseException:
            # An interrupt, say: all of it or nothing.
            leave(*inside or entered.get())
            raise


def set_variables(*values: Any) -> None:
    """Set what is per thread and task in one call of a C function, which no interrupt divides."""
    all(map(ContextVar.set, (lines, settings, entered), values))


def quietened() -> Any:
    """NumPy's settings where it reports nothing, in a context of its own."""
    np.seterr(all="ignore")
    return settings.get()


def leave(me: object, outside: tuple[Any, ...]) -> None:
    opened.discard(me)
    replace()
    set_variables(*outside)


def replace() -> None:
    """Have the functions in place that there are to be; to do it twice does no harm."""
    done = None
    # No lock, which an interrupt may leave closed: who comes last sees what the others did.
    while done is not (on := bool(opened)):
        functions = (checked_wrap, checked_walk) if on else (wrap, walk)
        assign([(m, n, f) for m in replaced for n, f in zip(("wrap", "walk"), functions)])
        done = on


def checked_wrap(array: ndarray, node: Node | None = None) -> Tensor:
    """``tensor.wrap``, after a look at the result of an op."""
    made_by = lines.get()
    frame = sys._getframe(1)
    op = frame.f_locals.get("op")
    if made_by is not None and isinstance(op, Op) and frame.f_locals.get("out") is array:
        line = users_line(frame)
        if node is not None:
            made_by[node.position] = line
        if not walking.get() and (bad := spoiled(array)):
            local = frame.f_locals
            inputs = local["arrays"] if "arrays" in local else [local["x"], local.get("y")]
            raise RuntimeError(
                f"{op.name}: it returned {bad}"
                + "".join(
                    f"\n  {'xyz'[i] if i < 3 else f'input {i}'}: {summary(x)}"
                    for i, x in enumerate(inputs)
                    if x is not None
                )
                + f"\n  the op was run by {line}"
            )
    return wrap(array, node)


def checked_walk(
    cotangents: dict[Node, Value],
    keep: set[Node] | None = None,
    lift: Callable[[Value, Node | Constant], Value] | None = None,
) -> tuple[dict[Node, Value], list[Node]]:
    """``tape.walk``, with a look at what each VJP returns."""
    made_by = lines.get()
    if made_by is None:
        return walk(cotangents, keep, lift)

    # The graph itself stays as it is, for other threads may walk it too.
    def vjps_of(node: Node) -> tuple[Callable[..., Value], ...]:
        assert node.op is not None
        return looking(node.op, made_by.get(node.position, "code outside of the context"))

    found: dict[Node, Value]
    found, passed = run_with({walking: True}, walk, cotangents, keep, lift, vjps_of)
    for g in found.values():
        if bad := spoiled(g):
            raise RuntimeError(f"backward: the sum of a Tensor's gradients has {bad}")
    return found, passed


def looking(op: Op, where: str) -> tuple[Callable[..., Value], ...]:
    """The op's VJPs, which raise if they return a nan or an infinity."""

    def checked(i: int, vjp: Callable[..., Value]) -> Callable[..., Value]:
        def call(g: Value, *args: Any) -> Value:
            result = vjp(g, *args)
            if bad := spoiled(result):
                known = ["out", "x", "y"]
                lines_of = [f"\n  g: {summary(g)}"]
                for place, x in zip(op.wants[i], args, strict=False):
                    if isinstance(x, ndarray | Tensor):
                        name = known[place] if place < len(known) else "an option"
                        lines_of.append(f"\n  {name}: {summary(x)}")
                raise RuntimeError(
                    f"{op.name}, backward: its VJP for input {i} returned {bad}"
                    + "".join(lines_of)
                    + f"\n  the op was run by {where}"
                )
            return result

        return call

    return tuple(checked(i, vjp) for i, vjp in enumerate(op.vjps))


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
    found, _ = users_frame(frame)
    if found is None:
        return "an unknown line"
    name, number = found.f_code.co_filename, found.f_lineno
    source = linecache.getline(name, number).strip()
    return f"{name}:{number}, in {found.f_code.co_name}" + (f": {source}" if source else "")
