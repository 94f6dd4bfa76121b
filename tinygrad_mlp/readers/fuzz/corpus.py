"""Programs kept in files: each is a script that shows what was wrong, and can be run again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import NamedTuple

from .oracles import ORACLES, oracle
from .plans import Plan, Verdict
from .programs import Program
from .scripts import script
from .search import Failure

MARK = "# program: "
LONGEST = 10**7  # characters of a file with a program, which has some thousands


class Kept(NamedTuple):
    """A program in a file, the order of derivatives at which it failed, and by which oracle."""

    program: Program
    order: int
    oracle: str | None = None

    @property
    def known(self) -> bool:
        """Whether the oracle has a name here. A file may come from anybody: no other is asked."""
        return self.oracle in ORACLES


def save(folder: Path, program: Program, order: int, text: str, by: str | None = None) -> Path:
    """A script that shows the failure, with the program in it for ``replay``.

    ``by`` names the oracle, whose version is kept with it, and the dtypes; the script asks it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ops = "-".join(step.op for step in program.steps[-3:])
    found = {
        "order": order,
        "oracle": by,
        "version": by and oracle(by).version,
        "dtypes": sorted({leaf.dtype for leaf in program.leaves}),
    }
    data = json.dumps({**json.loads(program.to_json()), **found})
    for n in count(1):
        path = folder / f"{ops}-{n}.py"
        try:
            file = path.open("x", encoding="utf-8")
        except FileExistsError:
            if load(path) == (program, order, by):
                return path  # it is kept already
            continue
        try:
            with file:
                file.write(f"{script(program, order, text, by)}\n{MARK}{data}\n")
        except BaseException:  # as where the disk is full; half a program could not be replayed
            path.unlink()
            raise
        return path
    raise AssertionError


def load(path: Path) -> Kept:
    """The program in a file that was saved, and how it failed; ValueError where there is none."""
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
        data = json.loads(text)
        by = data.get("oracle")
        order = 2 if data.get("order") == 2 else 1
        return Kept(program, order, by if isinstance(by, str) else None)
    except (OSError, ValueError) as error:
        # An OSError that has words of the system's own says the path again after them.
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"{path}: {reason}") from None


class Replayed(NamedTuple):
    """A saved program that was run again: how it fails, if it does, and who answered or refused."""

    path: Path
    failure: Failure | None
    verdict: Verdict


def replay(paths: Iterable[Path], plan: Plan, by_plan_alone: bool = False) -> Iterator[Replayed]:
    """Run saved programs again, each at the order at which it failed or a higher one.

    They run against the oracles of the plan and, unless by these alone, the one they failed by.
    """
    for path in paths:
        kept = load(path)
        program, order, against = kept.program, max(kept.order, plan.order), plan.against
        if kept.oracle is not None and kept.known and not by_plan_alone:
            against = tuple(dict.fromkeys((*against, kept.oracle)))
        verdict = replace(plan, order=order, against=against).verdict(program)
        failure = None
        if verdict.text is not None:
            failure = Failure(str(path), verdict.text, verdict.oracle, program, order)
        yield Replayed(path, failure, verdict)
