"""Programs by the thousand, each checked against oracles; what fails is made small and kept."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import count, takewhile
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np

from .generating import generate, two_layer
from .mistakes import broken
from .oracles import Unavailable, oracle, tape
from .programs import Program
from .rounding import difference
from .scripts import script
from .shrinking import shrink
from .specs import DTYPES, OPS

CHUNK = 50  # programs that a worker takes at a time
MARK = "# program: "
LONGEST = 10**7  # characters of a file with a program, which has some thousands
TWO_LAYER_EVERY = 16


class Verdict(NamedTuple):
    """What is wrong with the tape's answer to a program, or None, by whom, and who answered."""

    text: str | None
    oracle: str | None
    answered: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What to run: which programs, against what, on which copy of the package.

    ``against`` names oracles, ``ops`` rows of the table; ``order`` is that of the derivatives, 1 or
    2; ``mistake`` is an op and a mistake to make in it; ``most`` is how many steps a program may
    have; ``dtypes`` are those of its leaves.
    """

    against: tuple[str, ...] = ("complex",)
    seed: int = 0
    ops: tuple[str, ...] = OPS
    order: int = 1
    mistake: tuple[str, str] | None = None
    most: int = 8
    dtypes: tuple[str, ...] = DTYPES

    def program(self, example: int) -> Program:
        """The example of this number, the same each time."""
        # A seed that is a str is hashed by its bytes, the same in every process.
        seed = f"{self.seed}:{example}"
        often = 1 if self.against == ("closed-form",) else TWO_LAYER_EVERY
        if self.ops == OPS and example % often == often - 1:
            draw = Random(seed).random
            return two_layer(lambda n: int(draw() * n), self.dtypes)
        return generate(seed=seed, ops=self.ops, most=self.most, dtypes=self.dtypes)

    def verdict(self, program: Program) -> Verdict:
        """Whether the tape's answer differs from an oracle's; an oracle may have no answer."""
        answered: list[str] = []
        with np.errstate(all="ignore"):
            try:
                mine = answer_of(self.mistake)(program, self.order).quantities
            except Exception as error:
                text = f"tinygrad_mlp raised {type(error).__name__}: {error}"
                return Verdict(text, None, self.against)
            for name in self.against:
                try:
                    found = difference(program, mine, oracle(name), self.order)
                except Unavailable:
                    continue
                except Exception as error:
                    return Verdict(f"{name} raised {type(error).__name__}: {error}", name, ())
                answered.append(name)
                if found is not None:
                    return Verdict(str(found), name, tuple(answered))
        return Verdict(None, None, tuple(answered))

    def failure(self, program: Program) -> str | None:
        """How the tape's answer differs from an oracle's; None if it does not."""
        return self.verdict(program).text


@cache
def answer_of(mistake: tuple[str, str] | None) -> Callable[..., Any]:
    import tinygrad_mlp

    return tape(tinygrad_mlp if mistake is None else broken(*mistake))


@dataclass
class Coverage:
    """What the programs so far had in them."""

    programs: int = 0
    ops: Counter[str] = field(default_factory=Counter)
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    dtypes: Counter[str] = field(default_factory=Counter)
    shapes: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)  # by oracle

    def add(self, program: Program, answered: Sequence[str]) -> None:
        n = len(program.leaves)
        self.programs += 1
        self.answers.update(answered)
        for step in program.steps:
            self.ops[step.op] += 1
            for i in step.inputs:
                if i >= n:
                    self.pairs[program.steps[i - n].op, step.op] += 1
        kinds = {leaf.dtype for leaf in program.leaves}
        self.dtypes["mixed" if len(kinds) > 1 else next(iter(kinds))] += 1
        for leaf in program.leaves:
            self.shapes.update(shape_classes(leaf.shape))

    def update(self, other: Coverage) -> None:
        self.programs += other.programs
        for mine, theirs in (
            (self.ops, other.ops),
            (self.pairs, other.pairs),
            (self.dtypes, other.dtypes),
            (self.shapes, other.shapes),
            (self.answers, other.answers),
        ):
            mine.update(theirs)  # type: ignore[arg-type]

    def line(self, ops: int) -> str:
        return (
            f"ops {len(self.ops)}/{ops}, pairs {len(self.pairs)}/{ops * ops}, "
            f"dtypes {len(self.dtypes)}/{len(KINDS)}, shapes {len(self.shapes)}/{len(CLASSES)}"
        )


KINDS = ("float64", "float32", "mixed")
CLASSES = ("0-d", "1-d", "2-d", "3-d", "axis of 1", "axis of 0")


def shape_classes(shape: Sequence[int]) -> Iterator[str]:
    yield f"{min(len(shape), 3)}-d"
    if 1 in shape:
        yield "axis of 1"
    if 0 in shape:
        yield "axis of 0"


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
        text, by, answered = plan.verdict(program)
        coverage.add(program, answered)
        if text is not None:
            return coverage, Failure(example, text, by, program, plan.order)
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
        for coverage, failure in results(plan, None if minutes else examples, jobs, last):
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


def results(plan: Plan, examples: int | None, jobs: int, last: float | None) -> Iterator[Result]:
    """Chunk by chunk, in order, from this process or from several."""

    def in_time() -> bool:
        return last is None or time.time() < last

    size = 1 if jobs == 1 else CHUNK
    starts = takewhile(
        lambda start: in_time() and (examples is None or start < examples), count(0, size)
    )
    work = (
        (plan, start, size if examples is None else min(size, examples - start), last)
        for start in starts
    )
    if jobs == 1:
        yield from (run_chunk(*arguments) for arguments in work)
        return
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), initializer=ignore_interrupts)
    try:
        waiting: deque[Future[Result]] = deque()
        for arguments in work:
            waiting.append(pool.submit(run_chunk, *arguments))
            if len(waiting) > 2 * jobs:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def ignore_interrupts() -> None:
    # Ctrl-C goes to all processes of the terminal; the parent decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


# Files.


def save(folder: Path, program: Program, order: int, text: str) -> Path:
    """A script that shows the failure, with the program in it for ``replay``."""
    folder.mkdir(parents=True, exist_ok=True)
    ops = "-".join(step.op for step in program.steps[-3:])
    data = json.dumps({**json.loads(program.to_json()), "order": order})
    for n in count(1):
        try:
            with (path := folder / f"{ops}-{n}.py").open("x", encoding="utf-8") as file:
                file.write(f"{script(program, order, text)}\n{MARK}{data}\n")
            return path
        except FileExistsError:
            if load(path) == (program, order):
                return path  # it is kept already
    raise AssertionError


def load(path: Path) -> tuple[Program, int]:
    """The program in a file that was saved, and the order of derivatives at which it failed.

    ValueError where there is none.
    """
    try:
        # A pipe would be waited for, and a device may have no end.
        if path.exists() and not path.is_file():
            raise ValueError("this is not a file")
        with path.open(encoding="utf-8") as file:
            text = file.read(LONGEST + 1)
        if len(text) > LONGEST:
            raise ValueError("not a program: it is too long")
        for line in text.splitlines():
            if line.startswith(MARK):
                text = line.removeprefix(MARK)
        program = Program.from_json(text)
        return program, 2 if json.loads(text).get("order") == 2 else 1
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None


def replay(paths: Iterable[Path], plan: Plan) -> Iterator[Failure]:
    """Which of these saved programs fail, at the order at which they did or a higher one."""
    for path in paths:
        program, order = load(path)
        order = max(order, plan.order)
        text, by, _ = replace(plan, order=order).verdict(program)
        if text is not None:
            yield Failure(str(path), text, by, program, order)
