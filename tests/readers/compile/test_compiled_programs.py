"""A compiled program gives what the tape gives, for the programs that the fuzzer makes.

How far they may differ is what rounding does to the tape's own answer, measured as the fuzzer
measures it; values, gradients and second derivatives are compared.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import tinygrad_mlp as tg
from tinygrad_mlp.readers.compile import limits, writer
from tinygrad_mlp.readers.fuzz import rounding
from tinygrad_mlp.readers.fuzz.answers import Answer, Oracle, wanted
from tinygrad_mlp.readers.fuzz.plans import Plan
from tinygrad_mlp.readers.fuzz.programs import Program
from tinygrad_mlp.readers.fuzz.quoted import answers
from tinygrad_mlp.readers.fuzz.running import run
from tinygrad_mlp.readers.fuzz.targets import tape_answer, widened
from tinygrad_mlp.testing.strategies import programs


def array_of(x: tg.Tensor) -> Any:
    return x.detach().numpy()


def by_tape(program: Program, order: int = 1, jitter: Any = None) -> Answer:
    if jitter is not None:
        jitter.convert = tg.tensor
        program = widened(program)
    leaves = [tg.tensor(x.array(), requires_grad=x.requires_grad) for x in program.leaves]
    return tape_answer(tg, tg.grad, program, order, leaves, array_of, None, jitter)


TAPE = Oracle("the tape", by_tape, exact_dtypes=True)


def function_of(program: Program, order: int) -> tuple[Callable[..., Any], list[str]]:
    """The program as a function of its leaves, and the names of what it returns."""
    names: list[str] = []

    def function(*leaves: tg.Tensor) -> tuple[tg.Tensor, ...]:
        # Off the tape, as the program has it; an argument is on it.
        xs = [x if p.requires_grad else x.detach() for x, p in zip(leaves, program.leaves)]
        values = run(program, tg, xs)
        outputs = {f"x{i}": values[i] for i in program.outputs}
        inputs = {f"x{i}": xs[i] for i in wanted(program)}
        found = answers(tg, tg.grad, outputs, inputs, order)
        names[:] = found
        return tuple(found.values())

    return function, names


def differs(program: Program, order: int) -> str | None:
    """How a second call of the compiled program differs from the tape."""
    function, names = function_of(program, order)
    step = tg.compile(function, gradients=False)
    arrays = [leaf.array() for leaf in program.leaves]
    with np.errstate(all="ignore"):
        # What the trace has seen is not what is asked for.
        step(*(np.zeros_like(a) for a in arrays))
        found = dict(zip(names, map(np.asarray, step(*arrays)), strict=True))
        difference = rounding.difference(program, found, TAPE, order)
    return None if difference is None else f"{difference}\n{step.source}"


@pytest.fixture(params=["as it is", "in blocks, large"])
def sizes(request: Any, monkeypatch: Any) -> None:
    """What is done for large arrays only, done for small ones too."""
    if "blocks" in request.param:
        for name, value in {"FUSE": 2, "BLOCK": 32, "LARGE": 8}.items():
            monkeypatch.setattr(limits, name, value)


@pytest.mark.usefixtures("sizes")
@given(programs())
@settings(
    max_examples=max(1, settings().max_examples // 2),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_random_programs_and_their_second_derivatives(program: Program) -> None:
    assert differs(program, 2) is None


@pytest.mark.usefixtures("sizes")
def test_the_programs_of_the_fuzzer() -> None:
    plan = Plan(against=("complex",), seed=7, order=2, most=12)
    for example in range(40):
        program = plan.program(example)
        found = differs(program, 2)
        assert found is None, f"{program}\n{found}"


@pytest.mark.soak
@pytest.mark.usefixtures("sizes")
def test_many_programs_of_the_fuzzer() -> None:
    plan = Plan(against=("complex",), seed=8, order=2, most=20)
    for example in range(20_000):
        program = plan.program(example)
        found = differs(program, 2)
        assert found is None, f"{program}\n{found}"


def test_a_wrong_program_is_noticed(monkeypatch: Any) -> None:
    plan = Plan(against=("complex",), seed=7, order=1)
    found = [plan.program(i) for i in range(40)]
    used = [p for p in found if any(step.op == "sin" for step in p.steps)]
    assert used
    statements = writer.statements

    def wrong(*args: Any) -> list[str]:
        return [line.replace("np.sin(", "np.tan(") for line in statements(*args)]

    monkeypatch.setattr(writer, "statements", wrong)
    assert any(differs(p, 1) for p in used)
