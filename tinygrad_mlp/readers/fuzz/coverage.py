"""What the programs that have run had in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from .plans import Verdict
from .programs import Program


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
