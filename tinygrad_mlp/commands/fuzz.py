"""``tinygrad-mlp fuzz``: random programs against other libraries."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from dataclasses import replace
from importlib.util import find_spec
from itertools import tee
from pathlib import Path
from typing import Any

from ..experiment.oracle import closed_form
from ..readers.fuzz import report
from ..readers.fuzz.answers import Unavailable
from ..readers.fuzz.corpus import load, replay, save
from ..readers.fuzz.demonstration import chosen, demonstrate, missed
from ..readers.fuzz.oracles import register
from ..readers.fuzz.plans import Plan, planned
from ..readers.fuzz.progress import bar
from ..readers.fuzz.search import fuzz
from ..readers.fuzz.specs import OPS
from . import options
from .endings import INTERRUPTED
from .printing import print_json, show
from .words import count, jobs, listed, minutes

PARENTS = (options.drawn("of the programs", None), options.output(json="the report as JSON"))


def add(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("--against", type=listed, metavar="ORACLE,…", help="one oracle or more")
    add("--examples", type=count, default=1000, metavar="N", help="(1000)")
    add("--minutes", type=minutes, metavar="M", help="in place of --examples")
    add("--ops", type=listed, default=OPS, metavar="OP,…", help="of these ops only")
    add("--order", type=int, choices=(1, 2), default=1, help="of derivatives (1)")
    mistake = "make a classic mistake in an op's VJP, or each in turn, and see it caught"
    add("--break", dest="mistake", metavar="OP[:MISTAKE]", help=mistake)
    add("--replay", metavar="FILE", help="run a saved program only")
    corpus = "where failures are saved, and replayed from first (fuzz-failures)"
    add("--corpus", default="fuzz-failures", metavar="FOLDER", help=corpus)
    add("--jobs", type=jobs, metavar="N", help="processes (one per CPU)")


def run(parser: ArgumentParser, given: Namespace) -> int:
    """Runs random programs over the table of ops and compares values, gradients
    and, with --order 2, gradients of gradients with one or more oracles. What
    differs by more than rounding explains is made as small as it gets, printed,
    and saved as a script that asks both. What was saved is run again first, the
    next time, against the oracle that it failed by too. The exit status is 0 if
    no difference was found, 1 if one was, and 2 where the command could not run.
    Ctrl-C ends it with a report of what was done, and the exit status 130 if
    nothing was found.

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
    one of them, as OP:sign or all:sign. The exit status is then 0 if all of them
    that change a derivative were caught, and 1 if one was missed.
    """
    register("closed-form", closed_form)
    try:
        against = given.against or ["complex" if find_spec("torch") is None else "torch"]
        plan = planned(against, given.seed, given.ops, given.order)
        does = once_more if given.replay else mistaken if given.mistake else searched
        status, data = does(given, plan)
    except (Unavailable, ValueError) as error:
        parser.error(str(error))
    if given.json:
        print_json(data)
    return status


def searched(given: Namespace, plan: Plan) -> tuple[int, Any]:
    """Kept programs, then new ones; the exit status and the report for JSON."""
    folder, path = Path(given.corpus), None
    kept = list(replay(sorted(folder.glob("*.py")) if folder.is_dir() else [], plan))
    failed = [old.failure for old in kept if old.failure is not None]
    show(report.again(kept), given.json)
    # A worker has to import everything first, which takes a second or two.
    few = given.minutes is None and given.examples <= 2000
    processes = given.jobs or (1 if few else os.cpu_count() or 1)
    with bar(given.examples, given.minutes) as move:
        found = fuzz(plan, given.examples, given.minutes, processes, move)
    show(report.found(found, clean=not failed), given.json)
    if found.shrunk is not None:
        try:
            by = found.failure.oracle if found.failure else None
            path = save(folder, found.shrunk, plan.order, found.text, by)
        except OSError as error:
            print(f"not saved: {error}", file=sys.stderr)
        else:
            show(report.saved(path), given.json)
    status = 1 if found.failure or failed else INTERRUPTED if found.interrupted else 0
    return status, report.search_as_json(found, failed, path)


def once_more(given: Namespace, plan: Plan) -> tuple[int, Any]:
    """One saved program, against the oracle that it failed by unless others are given."""
    path = Path(given.replay)
    if not given.against and load(path).known:
        plan = replace(plan, against=())
    (old,) = replay([path], plan, by_plan_alone=bool(given.against))
    show(report.once_more(old), given.json)
    failures = [] if old.failure is None else [report.failure_as_json(old.failure)]
    return len(failures), failures


def mistaken(given: Namespace, plan: Plan) -> tuple[int, Any]:
    """Mistakes, to see them caught; the exit status is 1 if one was missed."""
    mistakes, every = chosen(given.mistake), given.mistake.partition(":")[0] == "all"
    shown, kept = tee(demonstrate(plan, mistakes, given.examples, given.minutes))
    show(report.demonstration(shown, every), given.json)
    reports = list(kept)
    status = 1 if any(map(missed, reports)) else INTERRUPTED if reports[-1].interrupted else 0
    return status, list(map(report.as_json, reports))
