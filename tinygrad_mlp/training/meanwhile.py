"""What goes on while a run trains: Ctrl-C is noted, a bar moves, threads are counted."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from .loop import Run


@contextmanager
def interrupts() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed, which here stops nothing by itself; a second time it does."""
    pressed: list[int] = []

    def note(number: int, frame: Any) -> None:
        pressed.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    try:
        before = signal.signal(signal.SIGINT, note)
    except ValueError:  # not in the main thread, which alone is told of signals
        yield lambda: False
        return
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def progress(training: Run, epochs: int) -> Iterator[Callable[[], None]]:
    """A bar on a terminal, nothing elsewhere; what is given is called after each epoch."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    if find_spec("tqdm") is None:
        print("(for a progress bar: pip install 'tinygrad-mlp[train]')", file=sys.stderr)
        yield lambda: None
        return
    tqdm = import_module("tqdm").tqdm
    with tqdm(total=epochs, initial=training.epoch, unit="epoch", leave=False) as bar:

        def show() -> None:
            last = next(iter(training.histories.values()))
            bar.set_postfix_str(
                f"loss {last.loss[-1]:.4f}, {training.problem.measure} {last.score[-1]:.4f}, "
                f"best {training.best_score():.4f}",
                refresh=False,
            )
            bar.update()

        yield show


@contextmanager
def threads(number: int | None) -> Iterator[None]:
    """Have every library compute in so many threads."""
    if number is None:
        yield
        return
    torch = sys.modules.get("torch")
    before = torch and torch.get_num_threads()
    with import_module("threadpoolctl").threadpool_limits(number):
        if torch:
            torch.set_num_threads(number)
        try:
            yield
        finally:
            if torch:
                torch.set_num_threads(before)
