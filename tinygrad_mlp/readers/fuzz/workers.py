"""Work done in order, by this process or by several that end when this one does."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")


def in_order(
    function: Callable[..., T],
    work: Iterable[tuple[Any, ...]],
    jobs: int,
    prepare: Callable[[], Any],
) -> Generator[T, None, None]:
    """``function(*arguments)`` for each of the arguments, by so many processes.

    ``prepare()`` is what each of several processes starts with. An iterator that is closed early
    leaves no process behind.
    """
    if jobs == 1:
        yield from (function(*arguments) for arguments in work)
        return
    context = get_context("spawn")
    theirs, mine = context.Pipe(duplex=False)
    with deaf():  # also the process that multiprocessing itself starts
        pool = ProcessPoolExecutor(jobs, context, initializer=serve, initargs=(theirs, prepare))
    try:
        waiting: deque[Future[T]] = deque()
        for arguments in work:
            with deaf():
                waiting.append(pool.submit(function, *arguments))
            if len(waiting) > 2 * jobs:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        # Nobody waits for what the workers still do.
        mine.close()
        pool.shutdown()
        theirs.close()


@contextmanager
def deaf() -> Iterator[None]:
    """A process that is started in here never hears what goes to all processes of a terminal.

    That is Ctrl-C, and that the terminal is closed; who started them decides.
    """
    if not hasattr(signal, "pthread_sigmask"):  # as on Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def serve(pipe: Any, prepare: Callable[[], Any]) -> None:
    """In a worker: end when the parent closes its end of a pipe, or when it ends itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where nothing could be inherited

    def watch() -> None:
        with suppress(EOFError, OSError):
            pipe.recv()
        os._exit(0)

    Thread(target=watch, daemon=True).start()
    prepare()
