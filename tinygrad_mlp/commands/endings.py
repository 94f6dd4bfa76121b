"""How a command ends that cannot go on: its exit statuses, signals, and output nobody takes."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TextIO

BAD_USAGE = 2  # or what it needs is not there, or its output has no place
INTERRUPTED = 130  # 128 + SIGINT, as shells report it
STOPPED = 143  # 128 + SIGTERM


class Stopped(BaseException):
    """A signal that ends the process: raised, so that files and processes are left in order."""


@contextmanager
def stopping() -> Iterator[None]:
    """SIGTERM and SIGHUP, unless who started the process has them ignored, raise ``Stopped``."""

    def stop(number: int, frame: Any) -> NoReturn:
        raise Stopped(signal.Signals(number).name)

    known = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in known}
    try:
        for number in known:
            if before[number] is signal.SIG_DFL:
                signal.signal(number, stop)
    except ValueError:  # not in the main thread, which alone is told of signals
        pass
    try:
        yield
    finally:
        for number in known:
            if signal.getsignal(number) is stop:
                signal.signal(number, before[number])


def open_all() -> None:
    """Have something in place of a stream that was closed before the start."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - for as long as it runs
    # What a terminal's encoding lacks becomes a question mark.
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")


def reason(error: OSError) -> str:
    """What the system says of a file, as of a disk that is full, in words for a person."""
    place = f"{error.filename}: " if error.filename is not None else ""
    return f"{place}{error.strerror or error}"


def flush() -> None:
    """Write what was printed; what cannot be written is dropped."""
    try:
        sys.stdout.flush()
    except OSError:
        discard(sys.stdout)


def complain(line: str) -> None:
    """A line on stderr, if that takes any."""
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        discard(sys.stderr)


def discard(stream: TextIO) -> None:
    """Leave a stream that takes no more such that Python can flush it when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
