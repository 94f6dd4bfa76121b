"""``tinygrad-mlp fuzz``: random programs against other libraries."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .arguments import Run, count, duration, printable, seed, words

if TYPE_CHECKING:
    from ..readers.fuzz.plans import Plan
    from ..readers.fuzz.search import Failure, Report

MOST_JOBS = 256  # each takes some hundred megabytes


def fuzz(parser: ArgumentParser) -> Run:
    """Check the gradients of random programs against other libraries.

    Runs random programs over the table of ops and compares values, gradients
    and, with --order 2, gradients of gradients with one or more oracles. What
    differs by more than rounding explains is made as small as it gets, printed,
    and saved as a script that runs under both libraries. What was saved is run
    again first, the next time. The exit status is 0 if no difference was found,
    1 if one was, and 2 where the command could not run. Ctrl-C ends it with a
    report of what was done, and the exit status 130 if nothing was found.

    oracles:
      torch        PyTorch, the default where it is installed
      jax          JAX
      autograd     HIPS autograd
      complex      Im f(x + ih) / h, exact to rounding; else the default
      finite       finite differences, with an error estimate
      closed-form  the two-layer network's gradients, worked out by hand
      MODULE:NAME  your own: a function that returns a tinygrad_mlp.testing.Oracle

    mistakes, for --break: sign, factor (one left out), argument (one in place
    of another), transpose (a missing one), unbroadcast (a forgotten one) and
    swapped (the two VJPs); each of them, as OP, or each of every op, as all;
    one of them, as OP:sign or all:sign.
    """
    parser.add_argument("--against", type=words, metavar="ORACLE,…", help="one oracle or more")
    parser.add_argument("--examples", type=count, default=1000, metavar="N", help="(1000)")
    parser.add_argument("--minutes", type=duration, metavar="M", help="in place of --examples")
    parser.add_argument("--seed", type=seed, default=0, help="of the programs (0)")
    parser.add_argument("--ops", type=words, metavar="OP,…", help="of these ops only")
    parser.add_argument("--order", type=int, choices=(1, 2), default=1, help="of derivatives (1)")
    parser.add_argument(
        "--break",
        dest="mistake",
        metavar="OP[:MISTAKE]",
        help="make a classic mistake in an op's VJP, or each in turn, and see it caught",
    )
    parser.add_argument("--replay", metavar="FILE", help="run a saved program only")
    parser.add_argument(
        "--corpus",
        default="fuzz-failures",
        metavar="FOLDER",
        help="where failures are saved, and replayed from first (fuzz-failures)",
    )
    parser.add_argument("--jobs", type=count, metavar="N", help="processes (one per CPU)")
    parser.add_argument("--json", action="store_true", help="the report as JSON")

    def run(options: Namespace) -> int:
        from ..readers.fuzz.answers import Unavailable

        try:
            plan = plan_of(options)
            if options.replay:
                return replay(options, plan)
            return demonstrate(options, plan) if options.mistake else search(options, plan)
        except BrokenPipeError:
            raise
        except (Unavailable, ValueError, OSError) as error:
            parser.error(str(error))

    return run


def plan_of(options: Namespace) -> Plan:
    """What the options ask for; ValueError or Unavailable where it cannot be had."""
    from importlib.util import find_spec

    from ..experiment.oracle import closed_form
    from ..testing import OPS, Plan, oracle, register

    register("closed-form", closed_form)
    against = options.against or ["complex" if find_spec("torch") is None else "torch"]
    against = dict.fromkeys(against)
    ops = dict.fromkeys(options.ops or OPS)
    for op in ops:
        if op not in OPS:
            raise ValueError(f"{op!r} is not an op; the ops are: {', '.join(OPS)}")
    for name in against:
        oracle(name)
    return Plan(tuple(against), options.seed, tuple(ops), options.order)


def sayer(options: Namespace) -> Callable[[str], None]:
    """What prints a line, unless the report is JSON."""
    return lambda line: None if options.json else print(line, flush=True)


def plural(n: int, noun: str) -> str:
    return f"{n} {noun if n == 1 else noun.removesuffix('y') + ('ies' if noun[-1] == 'y' else 's')}"


# Looking for differences.


def search(options: Namespace, plan: Plan) -> int:
    """Kept programs, then new ones; returns the exit status."""
    from pathlib import Path
    from shlex import quote

    from ..readers.fuzz.corpus import replay, save
    from ..testing import fuzz

    say = sayer(options)
    folder = Path(options.corpus)
    kept = list(replay(sorted(folder.glob("*.py")) if folder.is_dir() else [], plan))
    again = [old.failure for old in kept if old.failure is not None]
    for failure in again:
        say(f"FOUND: {printable(str(failure.example))}: {failure.text}")
    if kept and not again:
        answered = sum(bool(old.verdict.answered) for old in kept)
        some = "" if answered == len(kept) else f"; only {answered} of them have an answer"
        say(f"{plural(len(kept), 'kept program')} run again, no difference{some}.")

    close, progress = progress_bar(options, plan)
    try:
        report = fuzz(plan, options.examples, options.minutes, jobs_for(options), progress)
    finally:
        close()
    result = as_json(report)
    result["replayed"] = [as_data(failure) for failure in again]
    coverage = report.coverage
    say(
        f"{plural(coverage.programs, 'program')} in {report.seconds:.1f} s ({report.rate:.0f}/s), "
        f"seed {plan.seed}, order {plan.order}, against {', '.join(plan.against)}"
    )
    say(f"covered: {coverage.line(len(plan.ops))}")
    for name in plan.against:
        reasons = [reason for by, reason in coverage.refusals if by == name]
        if reasons and report.failure is None:
            say(f"{name} has an answer to {coverage.answers[name]} of them: {'; '.join(reasons)}")
    if report.interrupted:
        say("Interrupted.")
    if report.failure is not None and report.shrunk is not None:
        say(f"FOUND: program {report.failure.example}: {report.text}")
        show(say, report, "  ")
        try:
            path = save(folder, report.shrunk, plan.order, report.text)
        except OSError as error:
            result["file"] = None
            print(f"not saved: {error}", file=sys.stderr)
        else:
            result["file"] = str(path)
            name = quote(printable(str(path)))
            say(f"saved: {name}; run it with Python, or: tinygrad-mlp fuzz --replay {name}")
    elif coverage.programs and not again:
        say("No difference found.")
    print_json(options, result)
    if report.failure is not None or again:
        return 1
    return 130 if report.interrupted else 0


def replay(options: Namespace, plan: Plan) -> int:
    """One saved program; returns the exit status."""
    from pathlib import Path

    from ..readers.fuzz.corpus import replay as replayed
    from ..testing import Unavailable

    say = sayer(options)
    (old,) = replayed([Path(options.replay)], plan)
    if not old.verdict.answered and old.failure is None:
        raise Unavailable("; ".join(f"{name}: {reason}" for name, reason in old.verdict.refused))
    if old.failure is None:
        by = ", ".join(old.verdict.answered)
        say(f"{printable(options.replay)}: no difference, against {by}")
    else:
        say(f"FOUND: {printable(options.replay)}: {old.failure.text}")
    print_json(options, [] if old.failure is None else [as_data(old.failure)])
    return 0 if old.failure is None else 1


def jobs_for(options: Namespace) -> int:
    """How many processes: a worker has to import everything first, which takes a second or two."""
    import os

    few = options.minutes is None and options.examples <= 2000
    if options.jobs and options.jobs > MOST_JOBS:
        raise ValueError(f"--jobs: at most {MOST_JOBS}")
    return options.jobs or (1 if few else os.cpu_count() or 1)


def show(say: Callable[[str], None], report: Report, indent: str) -> None:
    """The lines of the smaller program."""
    from ..readers.fuzz.scripts import statements

    assert report.shrunk is not None
    for line in statements(report.shrunk):
        say(indent + line)


def progress_bar(
    options: Namespace, plan: Plan
) -> tuple[Callable[[], None], Callable[[Report], None] | None]:
    """What ends a progress bar, and what moves it; on a terminal only."""
    if not sys.stderr.isatty():
        return lambda: None, None
    try:
        from tqdm import tqdm  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        print("for a progress bar: pip install 'tinygrad-mlp[fuzz]'", file=sys.stderr)
        return lambda: None, None
    form = "{percentage:3.0f}%|{bar:16}| {desc}"
    bar = tqdm(total=1.0, bar_format=form, dynamic_ncols=True, leave=False, mininterval=0.2)

    def move(report: Report) -> None:
        done = report.coverage.programs / options.examples
        if options.minutes is not None:
            done = report.seconds / (60 * options.minutes)
        bar.set_description_str(
            f"{report.coverage.programs} programs, {report.rate:.0f}/s, "
            f"{report.coverage.line(len(plan.ops))}",
            refresh=False,
        )
        bar.update(min(done, 1.0) - bar.n)
        if done >= 1:
            bar.refresh()
        if report.failure is not None:
            bar.set_description_str(f"program {report.failure.example} fails; making it smaller …")

    return bar.close, move


# Mistakes made on purpose.


def demonstrate(options: Namespace, plan: Plan) -> int:
    """Make mistakes and see them caught; returns the exit status, 1 if any was."""
    from ..readers.fuzz.mistakes import mistakes
    from ..readers.fuzz.specs import OPS

    say = sayer(options)
    op, _, kind = options.mistake.partition(":")
    every = op == "all"
    chosen = [(o, name) for o in (OPS if every else [op]) for name in mistakes(o)]
    if ":" in options.mistake:
        # By its name, or else by the kind that its name starts with.
        known = chosen
        chosen = [c for c in known if c[1] == kind] if not every else []
        chosen = chosen or [c for c in known if c[1].partition("-")[0] == kind]
        if not chosen:
            if not every:
                raise ValueError(f"{op} has no mistake {kind!r}; it has: {', '.join(mistakes(op))}")
            kinds = dict.fromkeys(name.partition("-")[0] for _, name in known)
            raise ValueError(f"no op has a mistake {kind!r}; there are: {', '.join(kinds)}")
    if every:
        say(f"{'mistake':26} {'program':>7} {'seconds':>7} {'ops':>3} {'entries':>7}  the VJP then")
    reports = []
    for name, kind in chosen:
        report = made(options, plan, name, kind)
        reports.append(report)
        if report.failure is not None or not report.interrupted:
            (brief if every else full)(say, report, mistakes(name)[kind])
        if report.interrupted:
            say("Interrupted.")
            break
    found = [r for r in reports if r.failure is not None]
    if every and found:
        summary(say, reports, found)
    print_json(options, [as_json(r) for r in reports])
    return 1 if found else 130 if reports[-1].interrupted else 0


def made(options: Namespace, plan: Plan, op: str, kind: str) -> Report:
    """The search for one mistake."""
    from dataclasses import replace

    from ..readers.fuzz.mistakes import SECOND_ORDER
    from ..testing import fuzz

    if (op, kind) in SECOND_ORDER:
        plan = replace(plan, ops=(op,), order=2, against=("complex",))
    return fuzz(replace(plan, mistake=(op, kind)), options.examples, options.minutes)


def full(say: Callable[[str], None], report: Report, text: str) -> None:
    from ..readers.fuzz.mistakes import HARMLESS

    mistake = report.plan.mistake
    assert mistake is not None
    say(f"{':'.join(mistake)}    {text}")
    programs = plural(report.coverage.programs, "program")
    if report.shrunk is None:
        why = f": {HARMLESS[mistake]}" if mistake in HARMLESS else ""
        say(f"  not caught in {programs}{why}")
        return
    steps, entries = report.shrunk.size
    say(
        f"  caught after {programs}, {report.seconds:.2f} s; made smaller to "
        f"{plural(steps, 'op')}, {plural(entries, 'entry')}"
    )
    say(f"  {report.text}")
    show(say, report, "      ")


def brief(say: Callable[[str], None], report: Report, text: str) -> None:
    from ..readers.fuzz.mistakes import HARMLESS

    mistake = report.plan.mistake
    assert mistake is not None
    figures = f"{'-':>7} {'-':>7} {'-':>3} {'-':>7}"
    if report.shrunk is not None:
        steps, entries = report.shrunk.size
        figures = f"{report.coverage.programs:7} {report.seconds:7.2f} {steps:3} {entries:7}"
    elif mistake in HARMLESS:
        text += f"    ({HARMLESS[mistake]})"
    say(f"{':'.join(mistake):26} {figures}  {text}")


def summary(say: Callable[[str], None], reports: list[Report], found: list[Report]) -> None:
    from statistics import median

    from ..readers.fuzz.mistakes import HARMLESS

    harmful = [
        r
        for r in reports
        if r.plan.mistake not in HARMLESS and (r.failure is not None or not r.interrupted)
    ]
    sizes = [r.shrunk.size for r in found if r.shrunk is not None]
    small = sum(steps <= 3 and entries <= 2 for steps, entries in sizes)
    say(
        f"{len(found)} of {len(harmful)} mistakes that change a derivative are caught, after "
        f"{median(r.coverage.programs for r in found):g} programs in the median; {small} of "
        f"{len(found)} are shown in at most 3 ops and 2 entries"
    )


# JSON.


def print_json(options: Namespace, data: Any) -> None:
    import json

    if options.json:
        print(json.dumps(data, indent=2))


def as_data(failure: Failure) -> dict[str, Any]:
    return {**failure._asdict(), "program": failure.program.to_json()}


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
