"""Programs by the thousand, each checked against oracles; the first that fails is made small."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count, takewhile
from typing import NamedTuple

from .answers import Unavailable
from .coverage import Coverage
from .oracles import ORACLES, know, oracle
from .plans import Plan
from .programs import Program
from .shrinking import shrink
from .workers import in_order

CHUNK = 50  # programs that a worker takes at a time


class Failure(NamedTuple):
    """A program whose answer is wrong, its number or its file, and what is wrong by whom."""

    example: int | str
    text: str
    oracle: str | None
    program: Program
    order: int


Result = tuple[Coverage, Failure | None]


def run_chunk(plan: Plan, start: int, size: int, last: float | None = None) -> Result:
    """Some examples in a row, up to the first that fails, or until that time."""
    coverage = Coverage()
    for example in range(start, start + size):
        if last is not None and time.time() > last:
            break
        program = plan.program(example)
        verdict = plan.verdict(program)
        coverage.add(program, verdict)
        if verdict.text is not None:
            failure = Failure(example, verdict.text, verdict.oracle, program, plan.order)
            return coverage, failure
    return coverage, None


@dataclass
class Report:
    """What a run came to: ``failure`` is the first program that failed, ``shrunk`` a smaller one.

    ``text`` is what is wrong with the smaller one; ``interrupted`` is whether Ctrl-C ended the run.
    """

    plan: Plan
    coverage: Coverage = field(default_factory=Coverage)
    seconds: float = 0.0
    failure: Failure | None = None
    shrunk: Program | None = None
    text: str = ""
    interrupted: bool = False

    @property
    def rate(self) -> float:
        """Programs per second."""
        return self.coverage.programs / max(self.seconds, 1e-9)


def fuzz(
    plan: Plan | None = None,
    examples: int | None = 1000,
    minutes: float | None = None,
    jobs: int = 1,
    progress: Callable[[Report], None] | None = None,
) -> Report:
    """Run programs until one fails, or until that many, or that long; make the one smaller.

    The examples are the same for the same seed, whatever the number of ``jobs``, and the failure
    reported is the first. Ctrl-C ends it early, also while a program is made smaller, with what was
    found so far. Unavailable where what an oracle needs is not installed, or where one has no
    answer to any of the programs.

    >>> from tinygrad_mlp.testing import Plan, fuzz
    >>> report = fuzz(Plan(mistake=("sigmoid", "factor")))
    >>> len(report.shrunk.steps)
    1
    """
    plan = plan or Plan()
    for name in plan.against:
        oracle(name)
    report = Report(plan)
    start = time.time()
    last = None if minutes is None else start + 60 * minutes
    try:
        work = chunks(plan, None if minutes else examples, 1 if jobs == 1 else CHUNK, last)
        with closing(in_order(run_chunk, work, jobs, partial(know, dict(ORACLES)))) as found:
            for coverage, failure in found:
                report.coverage.update(coverage)
                report.seconds = time.time() - start
                report.failure = failure
                if progress is not None:
                    progress(report)
                if failure is not None:
                    break
    except KeyboardInterrupt:
        report.interrupted = True
    except BrokenProcessPool:
        raise Unavailable(
            f"a worker died after program {report.coverage.programs}; --jobs 1 shows where"
        ) from None
    report.seconds = time.time() - start
    if report.failure is not None:
        make_smaller(report, report.failure)
    elif report.coverage.programs:
        for name in plan.against:
            if not report.coverage.answers[name]:
                oracle(name).answer(plan.program(0), plan.order, None)  # which says why
    return report


def chunks(
    plan: Plan, examples: int | None, size: int, last: float | None
) -> Iterator[tuple[Plan, int, int, float | None]]:
    """The arguments of ``run_chunk`` for so many examples, or for as many as there is time for."""

    def in_time() -> bool:
        return last is None or time.time() < last

    starts = count(0, size) if examples is None else range(0, examples, size)
    for start in takewhile(lambda _: in_time(), starts):
        yield plan, start, size if examples is None else min(size, examples - start), last


def make_smaller(report: Report, failure: Failure) -> None:
    """Find a smaller program that fails in the same way: raises what it raised, or differs."""
    report.shrunk, report.text = failure.program, failure.text
    plan = report.plan
    if failure.oracle is not None:
        plan = replace(plan, against=(failure.oracle,))
    kind = kind_of(failure.text)

    def fails(candidate: Program) -> bool:
        text = plan.failure(candidate)
        if text is None or kind_of(text) != kind:
            return False
        report.shrunk, report.text = candidate, text
        return True

    try:
        shrink(failure.program, fails)
    except KeyboardInterrupt:
        report.interrupted = True


def kind_of(text: str) -> str:
    """Who raised what, or that there is a difference."""
    first = text.partition(":")[0]
    return first if " raised " in first else "difference"
