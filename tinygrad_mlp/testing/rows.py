"""Whether a row of the table is right: random programs of that op alone, by the complex step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from numpy import ndarray

from ..core import ops
from ..readers.fuzz.answers import wanted
from ..readers.fuzz.generating import generate
from ..readers.fuzz.oracles import oracle
from ..readers.fuzz.programs import Leaf, Program, Step, trace, wrong_dtype
from ..readers.fuzz.rounding import difference
from ..readers.fuzz.running import run
from ..readers.fuzz.scripts import statements
from ..readers.fuzz.shrinking import shrink
from ..readers.fuzz.targets import tape
from .forms import Gradients, by_compiled, by_formula
from .functions import Function

LARGE, TOO_LARGE = 3, 10  # between them functions saturate, but have digits left that show it
PATIENCE = 1000  # programs
RowCheck = Callable[[Any, Program], str | None]  # what is wrong


def row_failures(
    op: str, lib: Any, examples: int, seed: int, checks: Mapping[str, RowCheck]
) -> Iterator[tuple[str, str]]:
    """The checks of a row that fail, each once, at the smallest program found for it."""
    if op not in ops.TABLE:
        raise ValueError(f"{op!r} is not an op; the ops are: {', '.join(ops.TABLE)}")
    failed: set[str] = set()
    for program in of_one_op(op, examples, seed):
        for check, test in checks.items():
            # What else fails then comes of the same VJP.
            if check in failed or "value and VJP" in failed:
                continue
            text = test(lib, program)
            if text is not None:
                failed.add(check)
                small = shrink(program, lambda p, test=test: test(lib, p) is not None, 300)  # type: ignore[misc]
                yield check, f"{test(lib, small)}, in {'; '.join(statements(small))}"


def of_one_op(op: str, examples: int, seed: int) -> Iterator[Program]:
    """Programs of this op alone: some at random, then more until all kinds of inputs are there."""
    missing = {"no entries", "broadcast"} if ops.TABLE[op].broadcasts else {"no entries"}
    missing -= {"no entries"} if op in ("amax", "amin") else set()
    # Not every op takes both of these.
    large = {(k, sign) for k in range(len(ops.TABLE[op].vjps)) for sign in (-1, 1)}
    for example in range(examples + 2000):
        program = generate(seed=f"{seed}:{example}", ops=[op], most=1)
        traced = trace(program)
        inputs = program.steps[0].inputs
        shapes = [traced.values[i].shape for i in inputs]
        found = set()
        for k, sign in large:
            # In float32, rounding would hide much of it.
            if k < len(inputs) and traced.dtypes[inputs[k]] == "float64":
                x = sign * traced.values[inputs[k]]
                if ((x >= LARGE) & (x <= TOO_LARGE)).any():
                    found.add((k, sign))
        kinds = set()
        if any(0 in shape for shape in shapes):
            kinds.add("no entries")
        if any(s != traced.values[-1].shape for s in shapes) and traced.values[-1].size > 1:
            kinds.add("broadcast")
        if example < examples or kinds & missing or found:
            missing -= kinds
            large -= found
            yield program
        elif not missing and (not large or example > examples + PATIENCE):
            return
    if missing:
        raise AssertionError(f"{op}: no program of it has inputs with {' or '.join(missing)}")


def second_order(lib: Any, program: Program) -> str | None:
    """The gradients of gradients, where the cotangent of the op depends on a leaf too."""
    program = times_a_leaf(program)
    return against_complex(program, lambda: tape(lib)(program, 2).quantities, 2)


def times_a_leaf(program: Program) -> Program:
    """The program with its last value times a new leaf, whose entries all differ."""
    (leaves, steps, _), traced = program, trace(program)
    n, shape = len(leaves), traced.values[-1].shape
    entries = tuple((1 - i % 2 * 2) * (1 - i / 128) for i in range(math.prod(shape)))
    moved = [step._replace(inputs=tuple(i + (i >= n) for i in step.inputs)) for step in steps]
    out = n + len(steps)
    return Program(
        (*leaves, Leaf(shape, traced.dtypes[-1], entries)),
        (*moved, Step("mul", (out, n), {})),
        (out + 1,),
    )


def first_order(lib: Any, program: Program) -> str | None:
    return against_complex(program, lambda: tape(lib)(program, 1).quantities, 1)


def against_complex(program: Program, answer: Callable[[], Any], order: int) -> str | None:
    try:
        mine = answer()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    found = difference(program, mine, oracle("complex"), order)
    return None if found is None else str(found)


def dtypes(lib: Any, program: Program) -> str | None:
    """Values have the dtype that PyTorch's rules give, gradients that of their leaf."""
    try:
        mine = tape(lib)(program, 2).quantities
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return wrong_dtype(program, mine)


def of_program(lib: Any, program: Program) -> Function:
    """A program as a function of its leaves."""

    def function(*leaves: Any) -> list[Any]:
        values = run(program, lib, leaves)
        return [values[i] for i in program.outputs]

    return function


def by_other_form(by: Callable[[Any, Function, Sequence[ndarray]], Gradients]) -> RowCheck:
    """The gradients of a program, in another form than the tape's."""

    def test(lib: Any, program: Program) -> str | None:
        def answer() -> Any:
            arrays = [leaf.array() for leaf in program.leaves]
            for array in arrays:
                array.flags.writeable = False
            found = by(lib, of_program(lib, program), arrays)
            slopes = {f"df/dx{i}": found[i] for i in wanted(program)}
            return {**tape(lib)(program, 0).quantities, **slopes}

        return against_complex(program, answer, 1)

    return test


ROW_CHECKS: dict[str, RowCheck] = {
    "value and VJP": first_order,
    "second order": second_order,
    "dtypes": dtypes,
    "compiled form": by_other_form(by_compiled),
    "formula": by_other_form(by_formula),
}
