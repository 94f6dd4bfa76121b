"""What NumPy reports on the walk back, an overflow say, with the name of the op.

NumPy itself names the function it was in, which on the walk back is one that a VJP is made of:
log's VJP divides. So during a walk NumPy calls ``report`` instead, which does what the user has
asked NumPy to do with such a thing, by ``numpy.seterr`` or ``numpy.errstate``: to warn, unless told
otherwise.
"""

from __future__ import annotations

import sys
import warnings
from contextvars import Context, ContextVar, copy_context
from os.path import dirname, sep
from types import FrameType
from typing import Any, cast

import numpy as np

PACKAGE = dirname(dirname(__file__)) + sep
MODES = {
    "divide by zero": "divide",
    "invalid value": "invalid",
    "overflow": "over",
    "underflow": "under",
}

# NumPy's settings outside of the walk.
users: ContextVar[Any] = ContextVar("users")


def report(kind: str, flag: int) -> None:
    """Do with a report of NumPy's what the user's settings say."""
    context = copy_context()
    context.run(settings.set, users.get())
    modes: Any = context.run(np.geterr)
    mode, call = modes[MODES[kind]], cast("Any", context.run(np.geterrcall))
    name = op_on_the_way()
    text = f"{name}, backward: {kind} encountered" if name else f"{kind} encountered"
    if mode in ("log", "call") and call is None:
        raise NameError(f"{text}, and numpy.seterrcall() has not been told what to do with it")
    if mode == "raise":
        raise FloatingPointError(text)
    if mode == "print":
        print(f"Warning: {text}", file=sys.stderr)
    elif mode == "log":
        call.write(f"Warning: {text}\n")
    elif mode == "call" and call is not report:
        call(kind, flag)
    elif mode != "ignore":
        warnings.warn(text, RuntimeWarning, stacklevel=1 + users_frame(sys._getframe())[1])


def op_on_the_way() -> str | None:
    """The name of the op that the innermost walk is at.

    None where the walk is over, as for an asyncio task that a VJP has started.
    """
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        if frame.f_globals.get("__name__") == f"{__package__}.tape" and "op" in frame.f_locals:
            name: str = frame.f_locals["op"].name
            return name
        frame = frame.f_back
    return None


def users_frame(frame: FrameType) -> tuple[FrameType | None, int]:
    """The latest call of code outside of this package, None if there is none; how far it is."""
    found: FrameType | None = frame
    n = 0
    while found is not None and found.f_code.co_filename.startswith(PACKAGE):
        n, found = n + 1, found.f_back
    return found, n


def settings_with(**modes: Any) -> tuple[ContextVar[Any], Any]:
    """The context variable in which NumPy keeps its settings, and its value for these."""
    before = copy_context()
    with np.errstate(call=report, **modes):
        after = copy_context()
    ((variable, value),) = ((v, x) for v, x in after.items() if before.get(v) is not x)
    return variable, value


settings, every_call = settings_with(all="call")
# Underflow, which NumPy is silent about by itself, is frequent, and each call takes time.
_, usual_calls = settings_with(divide="call", over="call", invalid="call", under="ignore")
_, silent = settings_with(all="ignore")
untouched = Context().run(settings.get)


def reporting() -> dict[ContextVar[Any], Any]:
    """What to set context variables to for the time of a walk."""
    now = settings.get()
    if now is usual_calls or now is every_call:
        return {}  # Within another walk, of a custom op's VJP.
    return {settings: usual_calls if now is untouched else every_call, users: now}
