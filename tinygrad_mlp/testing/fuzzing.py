"""Programs by the thousand, each checked against oracles; what fails is made small and kept."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np

from .mistakes import broken
from .oracles import Unavailable, difference, oracle, tape
from .programs import OPS, SPECS, Program, generate, shrink, two_layer

CHUNK = 100
MARK = "# program: "
TWO_LAYER_EVERY = 16


class Failure(NamedTuple):
    """What is wrong with a program's answer."""

    example: int | str  # its number, or the file it came from
    text: str
    program: str  # as JSON


@dataclass(frozen=True)
class Plan:
    """What to run: which programs, against what, on which copy of the package."""

    against: tuple[str, ...] = ("complex",)
    seed: int = 0
    ops: tuple[str, ...] = OPS
    order: int = 1
    mistake: tuple[str, str] | None = None
    most: int = 8

    def program(self, example: int) -> Program:
        """The example of this number, the same each time."""
        # A seed that is a str is hashed by its bytes, the same in every process.
        seed = f"{self.seed}:{example}"
        experiment = self.against == ("closed-form",)
        if experiment or (self.ops == OPS and example % TWO_LAYER_EVERY == TWO_LAYER_EVERY - 1):
            draw = Random(seed).random
            return two_layer(lambda n: int(draw() * n))
        return generate(seed=seed, ops=self.ops, most=self.most)

    def failure(self, program: Program) -> str | None:
        """How the tape's answer differs from an oracle's; None if it does not."""
        with np.errstate(all="ignore"):
            try:
                mine = answer_of(self.mistake)(program, self.order).quantities
            except Exception as error:
                return f"tinygrad_mlp raised {type(error).__name__}: {error}"
            for name in self.against:
                try:
                    found = difference(program, mine, oracle(name), self.order)
                except Unavailable:
                    continue
                except Exception as error:
                    return f"{name} raised {type(error).__name__}: {error}"
                if found is not None:
                    return str(found)
        return None


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

    def add(self, program: Program) -> None:
        n = len(program.leaves)
        self.programs += 1
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


def run_chunk(plan: Plan, start: int, size: int) -> tuple[Coverage, Failure | None]:
    """Some examples in a row, up to the first that fails."""
    coverage = Coverage()
    for example in range(start, start + size):
        program = plan.program(example)
        coverage.add(program)
        text = plan.failure(program)
        if text is not None:
            return coverage, Failure(example, text, program.to_json())
    return coverage, None


def chunks(plan: Plan, examples: int | None) -> Iterator[tuple[int, int]]:
    start = 0
    while examples is None or start < examples:
        size = CHUNK if examples is None else min(CHUNK, examples - start)
        yield start, size
        start += size


@dataclass
class Report:
    """What a run came to."""

    plan: Plan
    coverage: Coverage = field(default_factory=Coverage)
    seconds: float = 0.0
    failure: Failure | None = None
    shrunk: Program | None = None
    text: str = ""
    interrupted: bool = False

    @property
    def rate(self) -> float:
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
    reported is the first. Unavailable where what an oracle needs is not installed.

    >>> report = fuzz(Plan(mistake=("sigmoid", "factor")))
    >>> len(report.shrunk.steps)
    1
    """
    plan = plan or Plan()
    for name in plan.against:
        oracle(name)
    report = Report(plan)
    start = time.perf_counter()
    last = start + 60 * minutes if minutes is not None else None
    limit = None if minutes is not None else examples
    try:
        for coverage, failure in results(plan, limit, jobs, last):
            report.coverage.update(coverage)
            report.seconds = time.perf_counter() - start
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
    report.seconds = time.perf_counter() - start
    if report.failure is not None:
        program = Program.from_json(report.failure.program)
        report.shrunk, report.text = smallest(plan, program, report.failure.text)
    return report


def smallest(plan: Plan, program: Program, text: str) -> tuple[Program, str]:
    """A smaller program that fails in the same way: raises what it raised, or differs."""
    raised = text.split(":")[0] if " raised " in text.split(":")[0] else None

    def fails(candidate: Program) -> bool:
        found = plan.failure(candidate)
        if found is None:
            return False
        return found.startswith(raised) if raised else " raised " not in found.split(":")[0]

    small = shrink(program, fails)
    return small, plan.failure(small) or text


def results(
    plan: Plan, examples: int | None, jobs: int, last: float | None
) -> Iterator[tuple[Coverage, Failure | None]]:
    """Chunk by chunk, in order, from this process or from several."""

    def out_of_time() -> bool:
        return last is not None and time.perf_counter() > last

    work = chunks(plan, examples)
    if jobs == 1:
        for start, size in work:
            yield run_chunk(plan, start, size)
            if out_of_time():
                return
        return
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), initializer=ignore_interrupts)
    try:
        waiting: list[Future[tuple[Coverage, Failure | None]]] = []
        for start, size in work:
            waiting.append(pool.submit(run_chunk, plan, start, size))
            if len(waiting) > 2 * jobs:
                yield waiting.pop(0).result()
            if out_of_time():
                break
        for future in waiting:
            if out_of_time():
                break
            yield future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def ignore_interrupts() -> None:
    # Ctrl-C goes to all processes of the terminal; the parent decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


# Files.


def save(folder: Path, plan: Plan, program: Program, text: str) -> Path:
    """A script that shows the failure, with the program in it for ``replay``."""
    folder.mkdir(parents=True, exist_ok=True)
    ops = "-".join(step.op for step in program.steps[-3:])
    n = 1
    while (path := folder / f"{ops}-{n}.py").exists():
        n += 1
    path.write_text(script_of(plan, program, text), encoding="utf-8")
    return path


def script_of(plan: Plan, program: Program, text: str) -> str:
    return f"{program.script(plan.order, text)}\n{MARK}{program.to_json()}\n"


def load(path: Path) -> Program:
    """The program in a file that was saved, or in one of JSON; ValueError where there is none."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: {error}") from None
    for line in text.splitlines():
        if line.startswith(MARK):
            text = line.removeprefix(MARK)
    try:
        return Program.from_json(text)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def replay(paths: Sequence[Path], plan: Plan) -> list[Failure]:
    """Which of these saved programs fail."""
    failures = []
    for path in paths:
        program = load(path)
        text = plan.failure(program)
        if text is not None:
            failures.append(Failure(str(path), text, program.to_json()))
    return failures


# The command.


def default_oracle() -> str:
    from importlib.util import find_spec

    return "torch" if find_spec("torch") is not None else "complex"


def command(options: Any) -> int:
    """What ``tinygrad-mlp fuzz`` does with its options; the exit status."""
    import json

    from .mistakes import mistakes

    ops = tuple(options.ops) if options.ops else OPS
    unknown = [op for op in ops if op not in SPECS]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not an op; the ops are: {', '.join(OPS)}")
    plan = Plan(tuple(options.against or (default_oracle(),)), options.seed, ops, options.order)
    examples, jobs = options.examples, options.jobs or jobs_for(options)
    for name in plan.against:
        oracle(name)
    out: list[dict[str, Any]] = []

    def say(line: str) -> None:
        if not options.json:
            print(line, flush=True)

    if options.replay:
        failures = replay([Path(options.replay)], plan)
        for failure in failures:
            say(f"{failure.example}: {failure.text}")
        if not failures:
            say(f"{options.replay}: no difference, against {', '.join(plan.against)}")
        if options.json:
            print(json.dumps([f._asdict() for f in failures], indent=2))
        return 1 if failures else 0

    if options.mistake:
        op, _, one = options.mistake.partition(":")
        kinds = mistakes(op)
        if one and one not in kinds:
            raise ValueError(f"{op} has no mistake {one!r}; it has: {', '.join(kinds)}")
        found = False
        for kind in [one] if one else kinds:
            report = fuzz(replace(plan, mistake=(op, kind)), examples, options.minutes, 1, None)
            out.append(as_json(report))
            found |= report.failure is not None
            say(f"{op}:{kind}    {kinds[kind]}")
            if report.failure is None or report.shrunk is None:
                say(f"  not caught in {report.coverage.programs} programs")
            else:
                steps, entries = report.shrunk.size
                say(
                    f"  caught by program {report.coverage.programs}, made smaller to "
                    f"{steps} {'op' if steps == 1 else 'ops'}, "
                    f"{entries} {'entry' if entries == 1 else 'entries'}"
                )
                say(f"  {report.text}")
                for line in short(report.shrunk):
                    say(f"      {line}")
            if report.interrupted:
                break
        if options.json:
            print(json.dumps(out, indent=2))
        return 1 if found else 0

    folder = Path(options.corpus)
    kept = sorted(folder.glob("*.py")) if folder.is_dir() else []
    again = replay(kept, plan)
    for failure in again:
        say(f"{failure.example}: {failure.text}")
    if kept and not again:
        say(f"{len(kept)} kept programs replayed, no difference")
    report = fuzz(plan, examples, options.minutes, jobs, None if options.json else progress_line)
    if sys.stderr.isatty() and not options.json:
        print(file=sys.stderr)
    result = as_json(report)
    result["replayed"] = [f._asdict() for f in again]
    say(
        f"{report.coverage.programs} programs in {report.seconds:.1f} s ({report.rate:.0f}/s), "
        f"seed {plan.seed}, order {plan.order}, against {', '.join(plan.against)}"
    )
    say(f"covered: {report.coverage.line(len(ops))}")
    if report.failure is not None and report.shrunk is not None:
        path = save(folder, plan, report.shrunk, report.text)
        result["file"] = str(path)
        say(f"FOUND: program {report.failure.example}: {report.text}")
        for line in short(report.shrunk):
            say(f"  {line}")
        say(f"saved: {path}; run it with Python, or: tinygrad-mlp fuzz --replay {path}")
    elif not again:
        say("No difference found." + " Interrupted." * report.interrupted)
    if options.json:
        print(json.dumps(result, indent=2))
    if report.failure is not None or again:
        return 1
    return 130 if report.interrupted else 0


def jobs_for(options: Any) -> int:
    # A worker has to import everything first, which a few programs do not make up for.
    few = options.minutes is None and options.examples <= 2000
    return 1 if few else os.cpu_count() or 1


def short(program: Program) -> list[str]:
    """The lines of a program's script that compute."""
    lines = program.script().split("def run(lib, grad):\n")[1].splitlines()
    return [line.strip() for line in lines if line.strip().startswith("x")]


def progress_line(report: Report) -> None:
    if sys.stderr.isatty():
        line = (
            f"{report.coverage.programs} programs, {report.rate:.0f}/s, "
            f"{report.coverage.line(len(report.plan.ops))}"
        )
        print(f"\r{line}", end="", file=sys.stderr, flush=True)


def as_json(report: Report) -> dict[str, Any]:
    plan, coverage = report.plan, report.coverage
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
        },
        "failure": None
        if report.failure is None or report.shrunk is None
        else {
            "example": report.failure.example,
            "text": report.text,
            "ops": len(report.shrunk.steps),
            "entries": report.shrunk.size[1],
            "program": report.shrunk.to_json(),
        },
    }
