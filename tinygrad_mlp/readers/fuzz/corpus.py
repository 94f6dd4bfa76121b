"""Programs kept in files: each is a script that shows what was wrong, and can be run again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import NamedTuple

from .plans import Plan, Verdict
from .programs import Program
from .scripts import script
from .search import Failure

MARK = "# program: "
LONGEST = 10**7  # characters of a file with a program, which has some thousands


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
