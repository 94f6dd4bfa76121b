"""What is printed is worth what it stands for, read as mathematics with vectors as columns."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from numpy import ndarray
from printed import Misfit, Unsized, Value, evaluated

import tinygrad_mlp as tg
from tinygrad_mlp.readers.derive.formula import Formula
from tinygrad_mlp.readers.fuzz.answers import Answer, Oracle, wanted, weights
from tinygrad_mlp.readers.fuzz.jitter import Jitter
from tinygrad_mlp.readers.fuzz.programs import Program
from tinygrad_mlp.readers.fuzz.rounding import difference
from tinygrad_mlp.readers.fuzz.running import run
from tinygrad_mlp.readers.fuzz.targets import tape, tape_answer
from tinygrad_mlp.testing import generate
from tinygrad_mlp.testing.strategies import programs


def worth(formula: Formula, given: dict[str, Any]) -> Value:
    """The printed formula, worked out from the values of its leaves and its definitions."""
    names = dict(given)
    reader = formula._reader
    for symbol, array in reader.constants.items():
        names.setdefault(reader.names.text(symbol), array)
    (_, text), *definitions = formula.equations()
    for name, right in definitions:
        names[name] = evaluated(right, names)
    return evaluated(text, names)


def entries(formula: Formula, given: dict[str, Any], shape: tuple[int, ...]) -> ndarray:
    """What the printed formula is worth, as an array of this shape."""
    try:
        found = worth(formula, given)
        if found.array.size == math.prod(shape) == 1:
            array = found.array
        else:
            array = found.fitted((*shape, 1) if len(shape) == 1 else shape)
    except Misfit as error:
        raise type(error)(f"{formula!r}, of shape {shape}: {error}") from None
    return np.asarray(array).reshape(shape)


def weighted(outputs: list[tg.Tensor]) -> tg.Tensor | None:
    """Σ weights ⊙ output, over those that have a gradient."""
    terms = [(y * tg.tensor(weights(y.shape))).sum() for y in outputs if y.requires_grad]
    return sum(terms[1:], start=terms[0]) if terms else None


def formulas_of(program: Program, order: int) -> dict[str, Formula]:
    """The gradients of a program's outputs; or those of its gradients' sum."""
    leaves = [
        tg.tensor(leaf.array(), requires_grad=leaf.requires_grad, name=f"x{i}")
        for i, leaf in enumerate(program.leaves)
    ]
    values = run(program, tg, leaves)
    f = weighted([values[i] for i in program.outputs])
    places = wanted(program)
    inputs = [leaves[i] for i in places]
    if order == 2 and f is not None:
        slopes = tg.grad(f, inputs, create_graph=True, allow_unused=True)
        f = weighted([g for g in slopes if g is not None])
    if f is None:
        return {}
    slopes = tg.grad(f, inputs, retain_graph=True, allow_unused=True)
    letter = "d2" if order == 2 else "d"
    return {
        f"{letter}f/dx{i}": tg.derive(f, x)
        for i, x, g in zip(places, inputs, slopes)
        if g is not None
    }


def of_tape(program: Program, order: int, jitter: Jitter | None) -> Answer:
    """What the tape answers, as an oracle that can be disturbed to measure rounding."""
    leaves = [tg.tensor(x.array(), requires_grad=x.requires_grad) for x in program.leaves]
    if jitter is not None:
        jitter.convert = tg.from_numpy
    return tape_answer(
        tg, tg.grad, program, order, leaves, lambda t: t.detach().numpy(), None, jitter
    )


def values_of(program: Program) -> list[tg.Tensor]:
    return run(program, tg, [tg.tensor(leaf.array()) for leaf in program.leaves])


def has_entries(program: Program) -> bool:
    return all(x.numel() for x in values_of(program))


def check_program(program: Program, order: int) -> None:
    """Each printed gradient, or second derivative, is worth what the tape says.

    Where the largest difference is more than 1e-9 of the largest entry, what rounding does to this
    program is measured, and the difference may not be more than that explains.
    """
    if not has_entries(program):
        return
    given = {f"x{i}": leaf.array() for i, leaf in enumerate(program.leaves)}
    expected = tape(tg)(program, order).quantities
    found, near = dict(expected), True
    for name, formula in formulas_of(program, order).items():
        if not np.isfinite(expected[name]).all() or "scatter" in repr(formula):
            continue
        try:
            value = entries(formula, given, expected[name].shape)
        except Unsized:
            continue  # as cat(𝟏, x; 0)[2:3], whose value depends on how many ones there are
        found[name] = value
        off = np.abs(value - expected[name]).max(initial=0)
        near = near and bool(off <= 1e-9 * np.abs(expected[name]).max(initial=0))
    if not near:
        failure = difference(program, found, Oracle("the tape", of_tape), order)
        assert failure is None, failure


@given(programs(dtypes=["float64"]))
def test_random_programs(program: Program) -> None:
    check_program(program, 1)


@given(programs(most=4, dtypes=["float64"]))
def test_second_derivatives_of_random_programs(program: Program) -> None:
    check_program(program, 2)


@pytest.mark.soak
@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("part", range(10))
def test_many_random_programs(part: int, order: int) -> None:
    for seed in range(part * 5000, (part + 1) * 5000):
        check_program(generate(seed=seed, most=4, dtypes=["float64"]), order)


def test_what_is_broadcast_is_written_as_what_it_is() -> None:
    X = np.arange(9.0).reshape(3, 3)
    printed = {
        str(tg.formula(function, X=X, v=X[0], w=X[1]))
        for function in (
            lambda X, v, w: X * v,
            lambda X, v, w: X * v[:, None],
            lambda X, v, w: X + v,
            lambda X, v, w: X + v[:, None],
            lambda X, v, w: v - w,
            lambda X, v, w: v[:, None] - w,
            lambda X, v, w: v - w[:, None],
            lambda X, v, w: X / X.sum(0),
            lambda X, v, w: X / X.sum(1),
            lambda X, v, w: X / X.sum(1, keepdim=True),
            lambda X, v, w: X - X.amax(1),
            lambda X, v, w: X - X.amax(1, keepdim=True),
            lambda X, v, w: X.maximum(v),
            lambda X, v, w: X.maximum(v[:, None]),
        )
    }
    assert printed == {
        "X ⊙ 𝟏 vᵀ",
        "X ⊙ v 𝟏ᵀ",
        "X + 𝟏 vᵀ",
        "X + v 𝟏ᵀ",
        "v − w",
        "v 𝟏ᵀ − 𝟏 wᵀ",
        "𝟏 vᵀ − w 𝟏ᵀ",
        "X / (𝟏 𝟏ᵀ X)",
        "X / (𝟏 𝟏ᵀ Xᵀ)",
        "X / (X 𝟏 𝟏ᵀ)",
        "X − 𝟏 max(X; 1)ᵀ",
        "X − max(X; 1) 𝟏ᵀ",
        "max(X, 𝟏 vᵀ)",
        "max(X, v 𝟏ᵀ)",
    }


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("X + v", "sizes"),
        ("X v vᵀ v w", "product"),
        ("vᵀ + v", "sizes"),
        ("𝟏ᵀ 𝟏", "as much as there are ones"),
        ("v w", "product"),
        ("‖X‖", "Frobenius"),
        ("X + ", "too early"),
        ("(X", "missing"),
        ("Y", "means nothing"),
    ],
)
def test_what_means_nothing_is_noticed(text: str, why: str) -> None:
    X = np.arange(9.0).reshape(3, 3)
    with pytest.raises(Misfit, match=why):
        evaluated(text, {"X": X, "v": X[0], "w": X[1]})
