"""Which programs to run, and what is asked about each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any, NamedTuple

import numpy as np

import tinygrad_mlp

from .answers import Unavailable
from .generating import generate, two_layer
from .mistakes import broken
from .oracles import oracle
from .programs import Program, wrong_dtype
from .rounding import difference
from .specs import DTYPES, OPS
from .targets import tape

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
        only = all(oracle(name).two_layer_only for name in self.against)
        often = 1 if only else TWO_LAYER_EVERY
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


def planned(against: Iterable[str], seed: int, ops: Iterable[str], order: int) -> Plan:
    """A plan with these oracles and ops; ValueError or Unavailable where one cannot be had."""
    plan = Plan(tuple(dict.fromkeys(against)), seed, tuple(dict.fromkeys(ops)), order)
    for op in plan.ops:
        if op not in OPS:
            raise ValueError(f"{op!r} is not an op; the ops are: {', '.join(OPS)}")
    for name in plan.against:
        oracle(name)
    return plan


@cache
def answer_of(mistake: tuple[str, str] | None) -> Callable[..., Any]:
    return tape(tinygrad_mlp if mistake is None else broken(*mistake))
