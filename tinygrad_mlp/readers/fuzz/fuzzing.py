"""Programs by the thousand, each checked against oracles; what fails is made small and kept."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import count, takewhile
from multiprocessing import get_context
from pathlib import Path
from random import Random
from threading import Thread
from typing import Any, NamedTuple

import numpy as np

from .generating import generate, two_layer
from .mistakes import broken
from .oracles import Unavailable, oracle, tape
from .programs import Program, wrong_dtype
from .rounding import difference
from .scripts import script
from .shrinking import shrink
from .specs import DTYPES, OPS

CHUNK = 50  # programs that a worker takes at a time
MARK = "# program: "
LONGEST = 10**7  # characters of a file with a program, which has some thousands
TWO_LAYER_EVERY = 16


class Verdict(NamedTuple):
    """What is wrong with the tape's answer to a program, or None, by whom, and who answered.

    ``refused`` are oracles that have no answer, with the reason.
    """

    text: str | None
    oracle: str | None
    answered: tuple[str, ...]
    refused: tuple[tuple[str, str], ...] = ()


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
        refused: list[tuple[str, str]] = []
        with np.errstate(all="ignore"):
            try:
                mine = answer_of(self.mistake)(program, self.order).quantities
            except Exception as error:
                text = f"tinygrad_mlp raised {type(error).__name__}: {error}"
                return Verdict(text, None, self.against)
            # Not every oracle computes in the program's own dtypes.
            if (wrong := wrong_dtype(program, mine)) is not None:
                return Verdict(wrong, None, self.against)
            for name in self.against:
                try:
                    found = difference(program, mine, oracle(name), self.order)
                except Unavailable as reason:
                    refused.append((name, str(reason)))
                    continue
                except Exception as error:
                    return Verdict(f"{name} raised {type(error).__name__}: {error}", name, ())
                answered.append(name)
                if found is not None:
                    return Verdict(str(found), name, tuple(answered), tuple(refused))
        return Verdict(None, None, tuple(answered), tuple(refused))

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
    refusals: Counter[tuple[str, str]] = field(default_factory=Counter)  # by oracle and reason

    def add(self, program: Program, verdict: Verdict) -> None:
        n = len(program.leaves)
        self.programs += 1
        self.answers.update(verdict.answered)
        self.refusals.update(verdict.refused)
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
            (self.refusals, other.refusals),
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
        with closing(results(plan, None if minutes else examples, jobs, last)) as found:
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


def results(
    plan: Plan, examples: int | None, jobs: int, last: float | None
) -> Generator[Result, None, None]:
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
    context = get_context("spawn")
    theirs, mine = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(jobs, context, initializer=work_until_closed, initargs=(theirs,))
    try:
        waiting: deque[Future[Result]] = deque()
        for arguments in work:
            with interrupts_held():
                waiting.append(pool.submit(run_chunk, *arguments))
            if len(waiting) > 2 * jobs:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        # Nobody waits for what the workers still do; and a second Ctrl-C would leave them behind.
        with interrupts_held():
            mine.close()
            pool.shutdown()
            theirs.close()


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Ctrl-C waits for the end of this, and never reaches a process that is started in it."""
    if not hasattr(signal, "pthread_sigmask"):  # as on Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def work_until_closed(pipe: Any) -> None:
    """In a worker: end when the parent closes its end of a pipe, or when it ends itself."""
    # Ctrl-C goes to all processes of the terminal; the parent decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        with suppress(EOFError, OSError):
            pipe.recv()
        os._exit(0)

    Thread(target=watch, daemon=True).start()


# Files.


def save(folder: Path, program: Program, order: int, text: str) -> Path:
    """A script that shows the failure, with the program in it for ``replay``."""
    folder.mkdir(parents=True, exist_ok=True)
    ops = "-".join(step.op for step in program.steps[-3:])
    data = json.dumps({**json.loads(program.to_json()), "order": order})
    for n in count(1):
        path = folder / f"{ops}-{n}.py"
        try:
            file = path.open("x", encoding="utf-8")
        except FileExistsError:
            if load(path) == (program, order):
                return path  # it is kept already
            continue
        try:
            with file:
                file.write(f"{script(program, order, text)}\n{MARK}{data}\n")
        except BaseException:  # as where the disk is full; half a program could not be replayed
            path.unlink()
            raise
        return path
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
        # An OSError that has words of the system's own says the path again after them.
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"{path}: {reason}") from None


class Replayed(NamedTuple):
    """A saved program that was run again: how it fails, if it does, and who answered or refused."""

    path: Path
    failure: Failure | None
    verdict: Verdict


def replay(paths: Iterable[Path], plan: Plan) -> Iterator[Replayed]:
    """Run saved programs again, each at the order at which it failed or a higher one."""
    for path in paths:
        program, order = load(path)
        order = max(order, plan.order)
        verdict = replace(plan, order=order).verdict(program)
        failure = None
        if verdict.text is not None:
            failure = Failure(str(path), verdict.text, verdict.oracle, program, order)
        yield Replayed(path, failure, verdict)
