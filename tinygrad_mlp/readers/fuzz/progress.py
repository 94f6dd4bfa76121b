"""A bar on a terminal that says how far a search is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .search import Report


@contextmanager
def bar(examples: int, minutes: float | None) -> Iterator[Callable[[Report], None] | None]:
    """What moves it, or None where stderr is no terminal, or tqdm is not installed."""
    if not sys.stderr.isatty():
        yield None
        return
    try:
        from tqdm import tqdm  # type: ignore[import-untyped,unused-ignore]  # noqa: PLC0415 - an extra
    except ImportError:
        print("for a progress bar: pip install 'tinygrad-mlp[fuzz]'", file=sys.stderr)
        yield None
        return
    form = "{percentage:3.0f}%|{bar:16}| {desc}"
    how = {"bar_format": form, "dynamic_ncols": True, "leave": False, "mininterval": 0.2}
    with tqdm(total=1.0, **how) as shown:

        def move(report: Report) -> None:
            done = report.coverage.programs / examples
            if minutes is not None:
                done = report.seconds / (60 * minutes)
            shown.set_description_str(
                f"{report.coverage.programs} programs, {report.rate:.0f}/s, "
                f"{report.coverage.line(len(report.plan.ops))}",
                refresh=False,
            )
            shown.update(min(done, 1.0) - shown.n)
            if done >= 1:
                shown.refresh()
            if report.failure is not None:
                number = report.failure.example
                shown.set_description_str(f"program {number} fails; making it smaller …")

        yield move
