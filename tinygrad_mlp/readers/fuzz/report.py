"""What a search came to, in lines for a terminal and for JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from shlex import quote
from statistics import median
from typing import Any

from ..printable import printable
from .answers import Unavailable
from .corpus import Replayed
from .mistakes import HARMLESS, mistakes
from .scripts import statements
from .search import Failure, Report

HEAD = f"{'mistake':26} {'program':>7} {'seconds':>7} {'ops':>3} {'entries':>7}  the VJP then"


def plural(n: int, noun: str) -> str:
    """
    >>> plural(1, "entry"), plural(2, "entry"), plural(2, "op")
    ('1 entry', '2 entries', '2 ops')
    """
    return f"{n} {noun if n == 1 else noun.removesuffix('y') + ('ies' if noun[-1] == 'y' else 's')}"


# A search.


def again(kept: Sequence[Replayed]) -> Iterator[str]:
    """What became of the programs that were kept."""
    failures = [old.failure for old in kept if old.failure is not None]
    for failure in failures:
        yield f"FOUND: {printable(str(failure.example))}: {failure.text}"
    if kept and not failures:
        answered = sum(bool(old.verdict.answered) for old in kept)
        some = "" if answered == len(kept) else f"; only {answered} of them have an answer"
        yield f"{plural(len(kept), 'kept program')} run again, no difference{some}."


def found(report: Report, clean: bool) -> Iterator[str]:
    """What the programs were, and what was found; ``clean`` is whether no kept one failed."""
    plan, coverage = report.plan, report.coverage
    yield (
        f"{plural(coverage.programs, 'program')} in {report.seconds:.1f} s ({report.rate:.0f}/s), "
        f"seed {plan.seed}, order {plan.order}, against {', '.join(plan.against)}"
    )
    yield f"covered: {coverage.line(len(plan.ops))}"
    for name in plan.against:
        reasons = [reason for by, reason in coverage.refusals if by == name]
        if reasons and report.failure is None:
            yield f"{name} has an answer to {coverage.answers[name]} of them: {'; '.join(reasons)}"
    if report.interrupted:
        yield "Interrupted."
    if report.failure is not None and report.shrunk is not None:
        yield f"FOUND: program {report.failure.example}: {report.text}"
        yield from (f"  {line}" for line in statements(report.shrunk))
    elif coverage.programs and clean:
        yield "No difference found."


def saved(path: Path) -> Iterator[str]:
    """Where a smaller program is now, and what to do with it."""
    name = quote(printable(str(path)))
    yield f"saved: {name}; run it with Python, or: tinygrad-mlp fuzz --replay {name}"


def once_more(old: Replayed) -> Iterator[str]:
    """What became of one program that was kept; Unavailable where nobody has an answer to it."""
    name = printable(str(old.path))
    if old.failure is not None:
        yield f"FOUND: {name}: {old.failure.text}"
    elif old.verdict.answered:
        yield f"{name}: no difference, against {', '.join(old.verdict.answered)}"
    else:
        raise Unavailable("; ".join(f"{by}: {reason}" for by, reason in old.verdict.refused))


# Mistakes made on purpose.


def demonstration(reports: Iterable[Report], every: bool) -> Iterator[str]:
    """How mistakes are caught, each when it is: all of them as a table, or some at length."""
    done: list[Report] = []
    if every:
        yield HEAD
    for report in reports:
        done.append(report)
        if report.failure is not None or not report.interrupted:
            yield from [row(report)] if every else caught(report)
        if report.interrupted:
            yield "Interrupted."
    if every:
        yield from summary(done)


def caught(report: Report) -> Iterator[str]:
    """How one mistake was caught, with the smaller program."""
    mistake = report.plan.mistake
    assert mistake is not None
    yield f"{':'.join(mistake)}    {mistakes(mistake[0])[mistake[1]]}"
    programs = plural(report.coverage.programs, "program")
    if report.shrunk is None:
        why = f": {HARMLESS[mistake]}" if mistake in HARMLESS else ""
        yield f"  not caught in {programs}{why}"
        return
    steps, entries = report.shrunk.size
    yield (
        f"  caught after {programs}, {report.seconds:.2f} s; made smaller to "
        f"{plural(steps, 'op')}, {plural(entries, 'entry')}"
    )
    yield f"  {report.text}"
    yield from (f"      {line}" for line in statements(report.shrunk))


def row(report: Report) -> str:
    """The same as a row of a table under ``HEAD``."""
    mistake = report.plan.mistake
    assert mistake is not None
    text = mistakes(mistake[0])[mistake[1]]
    figures = f"{'-':>7} {'-':>7} {'-':>3} {'-':>7}"
    if report.shrunk is not None:
        steps, entries = report.shrunk.size
        figures = f"{report.coverage.programs:7} {report.seconds:7.2f} {steps:3} {entries:7}"
    elif mistake in HARMLESS:
        text += f"    ({HARMLESS[mistake]})"
    return f"{':'.join(mistake):26} {figures}  {text}"


def summary(reports: Sequence[Report]) -> Iterator[str]:
    """How many mistakes were caught, and after how long; nothing if none was."""
    caught = [r for r in reports if r.failure is not None]
    harmful = [
        r
        for r in reports
        if r.plan.mistake not in HARMLESS and (r.failure is not None or not r.interrupted)
    ]
    sizes = [r.shrunk.size for r in caught if r.shrunk is not None]
    small = sum(steps <= 3 and entries <= 2 for steps, entries in sizes)
    if caught:
        yield (
            f"{len(caught)} of {len(harmful)} mistakes that change a derivative are caught, after "
            f"{median(r.coverage.programs for r in caught):g} programs in the median; {small} of "
            f"{len(caught)} are shown in at most 3 ops and 2 entries"
        )


# JSON.


def failure_as_json(failure: Failure) -> dict[str, Any]:
    return {**failure._asdict(), "program": failure.program.to_json()}


def search_as_json(report: Report, failed: Sequence[Failure], saved: Path | None) -> dict[str, Any]:
    """A report, with the kept programs that failed, and the file that a new one is in."""
    return {
        **as_json(report),
        "replayed": list(map(failure_as_json, failed)),
        "file": None if saved is None else str(saved),
    }


def as_json(report: Report) -> dict[str, Any]:
    plan, coverage = report.plan, report.coverage
    failure = None
    if report.failure is not None and report.shrunk is not None:
        failure = {
            "example": report.failure.example,
            "text": report.text,
            "ops": report.shrunk.size[0],
            "entries": report.shrunk.size[1],
            "program": report.shrunk.to_json(),
        }
    return {
        "programs": coverage.programs,
        "seconds": round(report.seconds, 3),
        "rate": round(report.rate, 1),
        "seed": plan.seed,
        "order": plan.order,
        "against": list(plan.against),
        "break": None if plan.mistake is None else ":".join(plan.mistake),
        "interrupted": report.interrupted,
        "coverage": {
            "ops": dict(coverage.ops),
            "pairs": len(coverage.pairs),
            "dtypes": dict(coverage.dtypes),
            "shapes": dict(coverage.shapes),
            "answers": dict(coverage.answers),
            "refusals": [
                {"oracle": by, "reason": reason, "programs": n}
                for (by, reason), n in coverage.refusals.items()
            ],
        },
        "failure": failure,
    }
