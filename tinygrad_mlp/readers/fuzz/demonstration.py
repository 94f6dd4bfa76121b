"""Mistakes made on purpose, each to be caught by a search of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from . import specs
from .mistakes import HARMLESS, SECOND_ORDER, mistakes
from .plans import Plan
from .search import Report, fuzz


def chosen(words: str) -> list[tuple[str, str]]:
    """The mistakes that OP, OP:MISTAKE, all or all:KIND names; ValueError where there is none.

    >>> chosen("sigmoid:factor")
    [('sigmoid', 'factor')]
    """
    op, colon, kind = words.partition(":")
    every = op == "all"
    known = [(o, name) for o in (specs.OPS if every else [op]) for name in mistakes(o)]
    if not colon:
        return known
    # By its name, or else by the kind that its name starts with.
    found = [] if every else [c for c in known if c[1] == kind]
    found = found or [c for c in known if c[1].partition("-")[0] == kind]
    if not found and every:
        kinds = dict.fromkeys(name.partition("-")[0] for _, name in known)
        raise ValueError(f"no op has a mistake {kind!r}; there are: {', '.join(kinds)}")
    if not found:
        raise ValueError(f"{op} has no mistake {kind!r}; it has: {', '.join(mistakes(op))}")
    return found


def demonstrate(
    plan: Plan, mistakes: Iterable[tuple[str, str]], examples: int, minutes: float | None = None
) -> Iterator[Report]:
    """A search for each mistake, up to one that is interrupted."""
    for mistake in mistakes:
        own = replace(plan, mistake=mistake)
        if mistake in SECOND_ORDER:
            own = replace(own, ops=mistake[:1], order=2, against=("complex",))
        report = fuzz(own, examples, minutes)
        yield report
        if report.interrupted:
            return


def missed(report: Report) -> bool:
    """Whether a search came to its end without the mistake, which changes a derivative."""
    return report.failure is None and not report.interrupted and report.plan.mistake not in HARMLESS
