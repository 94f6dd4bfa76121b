"""The package's own instruments: programs, oracles, checks, and whether they notice mistakes."""

import contextlib
import functools
import io
import json
import math
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from itertools import count
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st
from support import CHECKED, MISTAKES, THOROUGH

import tinygrad_mlp as tg
from tinygrad_mlp.core import ops
from tinygrad_mlp.experiment import two_layer
from tinygrad_mlp.experiment.oracle import closed_form
from tinygrad_mlp.readers.fuzz import mistakes as mistaking
from tinygrad_mlp.readers.fuzz.generating import two_layer as two_layer_program
from tinygrad_mlp.readers.fuzz.kinks import MARGIN
from tinygrad_mlp.readers.fuzz.mistakes import HARMLESS, SECOND_ORDER, broken, mistakes
from tinygrad_mlp.readers.fuzz.programs import Leaf, Step, trace
from tinygrad_mlp.readers.fuzz.rounding import difference
from tinygrad_mlp.readers.fuzz.slopes import derivative
from tinygrad_mlp.readers.fuzz.specs import spec
from tinygrad_mlp.readers.fuzz.targets import needed, tape
from tinygrad_mlp.testing import (
    OPS,
    Answer,
    Oracle,
    Plan,
    Program,
    Unavailable,
    check_op,
    forms,
    fuzz,
    generate,
    gradcheck,
    gradgradcheck,
    oracle,
    register,
    rows,
    script,
    shrink,
    strategies,
)
from tinygrad_mlp.testing.check_op import FUNCTION_CHECKS
from tinygrad_mlp.testing.gradcheck import check_first

STEPS = count()
register("closed-form", closed_form)


# Programs.


def test_every_row_can_be_in_a_program() -> None:
    for op in ops.TABLE:
        assert spec(op).row is ops.TABLE[op]


def test_programs_use_every_op_and_keep_from_kinks() -> None:
    seen = set()
    for seed in range(600):
        program = generate(seed=seed)
        values = trace(program).values
        for step in program.steps:
            seen.add(step.op)
            xs = [values[i] for i in step.inputs]
            assert spec(step.op).smooth(xs, step.options)
            domain = ops.TABLE[step.op].domain
            if domain is not None and step.op != "clamp":
                assert np.all(domain(*xs, *step.options.values()))
    assert seen == ops.TABLE.keys()
    assert MARGIN > 0


def test_programs_share_broadcast_and_chain() -> None:
    seen = set()
    for seed in range(1000):
        program = generate(seed=seed)
        traced = trace(program)
        n = len(program.leaves)
        uses = Counter(i for step in program.steps for i in step.inputs)
        seen |= {"a leaf is shared" for i, k in uses.items() if i < n and k > 1}
        seen |= {"a result is shared" for i, k in uses.items() if i >= n and k > 1}
        seen |= {"several outputs" for _ in program.outputs[1:]}
        seen |= {"mixed dtypes" for _ in list({x.dtype for x in program.leaves})[1:]}
        for step in program.steps:
            shapes = {traced.values[i].shape for i in step.inputs}
            made_by = {program.steps[i - n].op for i in step.inputs if i >= n}
            seen |= {"broadcast " + step.op for _ in list(shapes)[1:]}
            seen |= {f"{step.op} of {op}" for op in made_by}
    assert {
        "a leaf is shared", "a result is shared", "several outputs", "mixed dtypes",
        "broadcast add", "broadcast mul", "broadcast where", "broadcast matmul",
        "matmul of matmul",
    } <= seen  # fmt: skip


def test_hypothesis_makes_programs_smaller() -> None:
    def has_two(program: Program) -> bool:
        return any(step.op == "matmul" and len(set(step.inputs)) == 2 for step in program.steps)

    # Smaller by Hypothesis's own means, which do not know what a program is.
    few = settings(max_examples=200, database=None, derandomize=True, deadline=None)
    found = find(strategies.programs(["add", "matmul"], most=4), has_two, settings=few)
    assert len(found.steps) <= 2
    assert found.size[1] <= 2


@given(strategies.programs())
def test_programs_survive_json(program: Program) -> None:
    assert Program.from_json(program.to_json()) == program


def test_the_same_seed_gives_the_same_program() -> None:
    assert generate(seed="1:2") == generate(seed="1:2")
    assert generate(seed="1:2") != generate(seed="1:3")


GOOD: dict[str, Any] = {
    "format": 1,
    "leaves": [{"shape": [2], "dtype": "float64", "values": [1.0, 2.0], "requires_grad": True}],
    "steps": [{"op": "exp", "inputs": [0], "options": {}}],
    "outputs": [1],
}


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"outputs": [2]},
        {"outputs": []},
        {"outputs": [True]},
        {"leaves": "x"},
        {"leaves": [{**GOOD["leaves"][0], "dtype": "object"}]},
        {"leaves": [{**GOOD["leaves"][0], "values": [1.0]}]},
        {"leaves": [{**GOOD["leaves"][0], "values": [1.0, math.nan]}]},
        {"leaves": [{**GOOD["leaves"][0], "dtype": "float32", "values": [1.0, 0.1]}]},
        {"leaves": [{**GOOD["leaves"][0], "shape": [-1, -2]}]},
        {"steps": [{"op": "__import__", "inputs": [0], "options": {}}]},
        {"steps": [{"op": "exp", "inputs": [1], "options": {}}]},
        {"steps": [{"op": "exp", "inputs": [0, 0], "options": {}}]},
        {"steps": [{"op": "exp", "inputs": [0], "options": {"p": 2}}]},
        {"steps": [{"op": "pow", "inputs": [0], "options": {"p": "__import__('os')"}}]},
        {"steps": [{"op": "getitem", "inputs": [0], "options": {"index": ["exit()"]}}]},
        {"steps": [{"op": "getitem", "inputs": [0], "options": {"index": [7]}}]},
        {"steps": [{"op": "expand", "inputs": [0], "options": {"shape": [10**9, 2]}}]},
        {"steps": [{"op": "cast", "inputs": [0], "options": {"dtype": "ops"}}]},
        {"steps": [{"op": "sum", "inputs": [0], "options": {"axes": [5], "keepdim": False}}]},
    ],
    ids=lambda change: json.dumps(change)[:60],
)
def test_programs_from_files_are_validated(change: dict[str, Any]) -> None:
    Program.from_json(json.dumps(GOOD))
    with pytest.raises(ValueError, match=r"\w"):
        Program.from_json(json.dumps({**GOOD, **change}))


@pytest.mark.parametrize("text", ["", "[]", "{}", "nan", '{"format": 1}', "1"])
def test_what_is_no_program(text: str) -> None:
    with pytest.raises(ValueError, match="not a program"):
        Program.from_json(text)


@pytest.mark.parametrize("order", [1, 2])
def test_scripts_run_and_print_the_gradients(order: int) -> None:
    for seed in range(40):
        program = generate(seed=seed)
        mine = tape(tg)(program, order).quantities
        source = script(program, order).replace("import torch", "import no_such_library")
        output = io.StringIO()
        with contextlib.redirect_stdout(output), np.errstate(all="ignore"):
            exec(compile(source, "script", "exec"), {})
        printed = dict(
            line.split(" = ") for line in output.getvalue().splitlines() if " = " in line
        )
        assert printed == {name: repr(array.tolist()) for name, array in mine.items()}


# Shrinking.


def test_a_program_shrinks_to_the_one_step_that_matters() -> None:
    def fails(program: Program) -> bool:
        return any(step.op == "matmul" for step in program.steps)

    found = next(
        p
        for p in (generate(seed=i) for i in range(100))
        if len(p.steps) > 4 and all(x.values for x in p.leaves) and fails(p)
    )
    small = shrink(found, fails)
    assert [step.op for step in small.steps] == ["matmul"]
    assert [leaf.values for leaf in small.leaves] == [(1.0,)]


def test_numbers_shrink_to_plain_ones() -> None:
    leaf = Leaf((3,), "float32", (1.7000000476837158, -2.5, 0.0))
    program = Program((leaf,), (Step("exp", (0,), {}), Step("sin", (1,), {})), (2,))
    small = shrink(program, lambda p: any(v > 1 for x in p.leaves for v in x.values))
    assert small.leaves == (Leaf((), "float64", (2.0,)),)


@pytest.mark.parametrize("place", range(6))
@pytest.mark.parametrize("op", ["exp", "sum", "add"])
def test_one_entry_shrinks_to_itself_wherever_it_is(place: int, op: str) -> None:
    leaf = Leaf((2, 3), "float64", tuple(0.25 if i == place else 1.0 for i in range(6)))
    options = {"axes": (1,), "keepdim": False} if op == "sum" else {}
    inputs, leaves = ((0, 1), (leaf, leaf)) if op == "add" else ((0,), (leaf,))
    program = Program(leaves, (Step(op, inputs, options),), (len(leaves),))
    small = shrink(program, lambda p: any(0 < v < 0.4 for x in p.leaves for v in x.values))
    assert [x.values for x in small.leaves] == [(0.25,)]


def test_programs_of_what_there_is_none_of() -> None:
    with pytest.raises(ValueError, match="'foo' is not an op; the ops are: add"):
        generate(ops=["foo"])
    with pytest.raises(ValueError, match="'float16' is not a dtype of programs; those are: float"):
        generate(dtypes=["float16"])
    for nothing in ({"ops": []}, {"dtypes": []}):
        with pytest.raises(ValueError, match="give at least one op and one dtype"):
            generate(**nothing)  # type: ignore[arg-type]


# Oracles.


@pytest.mark.parametrize(
    ("f", "exact"),
    [
        (math.exp, 1.0),
        (lambda t: math.sin(1e3 * t), 1e3),
        (lambda t: 1e9 + t, 1.0),
        (lambda t: (2 + t) ** 7, 448.0),
        (lambda t: 1 / (0.1 + t), -100.0),
        (lambda t: abs(0.001 + t), 1.0),
        (lambda t: math.tanh(50 * t), 50.0),
    ],
)
def test_finite_differences_know_their_error(f: Callable[[float], float], exact: float) -> None:
    found, error = derivative(f)
    assert abs(found - exact) <= 8 * error


def test_an_error_estimate_is_large_at_a_kink() -> None:
    assert derivative(lambda t: max(t, 2 * t))[1] > 1e-3 or derivative(lambda t: abs(t - 1e-9))[1]


@pytest.mark.parametrize(
    ("name", "order", "n"), [("complex", 1, 150), ("complex", 2, 12), ("finite", 1, 25)]
)
def test_oracles_agree_with_the_tape(name: str, order: int, n: int) -> None:
    for seed in range(n):
        program = generate(seed=seed)
        with np.errstate(all="ignore"):
            mine = tape(tg)(program, order).quantities
            assert difference(program, mine, oracle(name), order) is None


@pytest.mark.parametrize("op", ["sigmoid", "tanh"])
@pytest.mark.parametrize("x", [27.0, -27.0, 9.0, 100.0])
def test_what_is_lost_where_a_function_saturates_is_rounding(op: str, x: float) -> None:
    program = Program((Leaf((), "float64", (x,)),), (Step(op, (0,), {}),), (1,))
    for order in (1, 2):
        mine = tape(tg)(program, order).quantities
        assert difference(program, mine, oracle("complex"), order) is None


def test_second_derivatives_by_finite_differences_alone() -> None:
    program = generate(seed=2, ops=["sin", "mul"], most=2, dtypes=["float64"])
    mine = tape(tg)(program, 2).quantities
    assert difference(program, mine, oracle("finite"), 2) is None


@pytest.mark.parametrize("against", ["closed-form", "complex"])
def test_two_layer_programs_agree(against: str) -> None:
    for seed in range(40):
        program = two_layer_program(Random(seed).randrange)
        mine = tape(tg)(program, 1).quantities
        assert difference(program, mine, oracle(against), 1) is None


def test_the_closed_form_has_no_other_programs() -> None:
    with pytest.raises(Unavailable, match="two-layer"):
        oracle("closed-form").answer(generate(seed=0), 1, None)


def test_an_answer_must_be_whole_and_finite() -> None:
    program = generate(seed=0, ops=["exp"])
    mine = tape(tg)(program, 1).quantities

    def answering(change: Callable[[Any], Any]) -> Oracle:
        def answer(*given: Any) -> Answer:
            return Answer(change(oracle("complex").answer(*given).quantities), {})

        return Oracle("own", answer)

    assert difference(program, mine, answering(lambda found: found)) is None
    for value in (math.inf, math.nan):
        wrong = answering(lambda found, v=value: {name: x * v for name, x in found.items()})  # type: ignore[misc]
        with np.errstate(all="ignore"):
            off = difference(program, mine, wrong)
        assert off is not None
        assert off.expected == str(value)
    with pytest.raises(ValueError, match="the answer lacks df/dx0"):
        difference(program, mine, answering(lambda found: {"x1": found["x1"]}))
    with pytest.raises(ValueError, match="the answer has y, which was not asked for"):
        difference(program, mine, answering(lambda found: {**found, "y": found["x1"]}))


def test_oracles_that_are_not_there() -> None:
    with pytest.raises(Unavailable, match="there are: torch, jax"):
        oracle("tensorflow")
    with pytest.raises(Unavailable, match="No is not installed; pip install no-such"):
        needed("no_such_module", "No", "no-such")


# Checks of functions.


def test_gradcheck_of_functions_of_several_inputs_and_outputs() -> None:
    assert gradcheck(lambda x, y: (x @ y, x.sum(), y.exp()), (np.ones((2, 3)), np.ones((3, 1))))
    assert gradgradcheck(lambda x, y: (x @ y).sigmoid(), (np.ones((2, 3)), np.ones((3, 1))))
    assert gradcheck(lambda x: x.sum(), np.ones((0, 3)))


def test_gradcheck_of_a_number_that_float64_does_not_hold() -> None:
    with pytest.raises(ValueError, match="checked in float64: int too large"):
        gradcheck(lambda x: x, 10**400)


def test_gradcheck_of_two_layers() -> None:
    assert gradcheck(two_layer.loss, two_layer.problem(shape=(3, 2, 4, 2), bias="row"))


def test_gradcheck_names_what_is_wrong() -> None:
    wrong = tg.op(lambda x, y: x * y, lambda g, y: g * y, lambda g, x: g * x * x)
    with pytest.raises(AssertionError, match=r"by input 1\[0\] is 9.0, but by .* 3.0"):
        gradcheck(wrong, ([3.0], [2.0]))


def test_gradgradcheck_finds_a_vjp_that_cannot_be_differentiated() -> None:
    lazy = tg.op(
        lambda x: x**3, lambda g, x: g * 3 * (x.detach() if hasattr(x, "detach") else x) ** 2
    )
    assert gradcheck(lazy, [2.0])
    with pytest.raises(AssertionError, match="second gradient"):
        gradgradcheck(lazy, [2.0])


@pytest.mark.parametrize("function", [lambda x: x.relu(), lambda x: 1 / x, lambda x: x.sqrt()])
def test_gradcheck_at_a_kink_or_a_pole(function: Any) -> None:
    with pytest.raises(ValueError, match="do not settle: .* choose inputs away from kinks"):
        gradcheck(function, 0.0)


def test_gradcheck_of_outputs_that_have_no_gradient() -> None:
    assert gradcheck(lambda x: (x.sum(), x.argmax(), tg.ones(2)), [1.0, 2.0])
    with pytest.raises(AssertionError, match=r"input 0\[1\] is 0.0, but .* 1"):
        gradcheck(lambda x: x.detach().sum() + x[0] - x[0].detach(), [1.0, 2.0])
    with pytest.raises(TypeError, match="must return Tensors, not float"):
        gradcheck(lambda x: x.item(), 1.0)


@pytest.mark.parametrize(
    ("function", "inputs"),
    [
        (lambda x: x.log(), 1e-8),
        (lambda x: x.sqrt(), [0.01, 1e-4]),
        (lambda x: 1 / x, 1e-5),
        (lambda x: (1e4 * x).sin(), 0.3),
        (lambda x: (1000 * x).sigmoid(), [0.001, 0.3]),
        (lambda x: x.relu(), [1e-5, -1e-5]),
    ],
)
def test_gradcheck_takes_steps_that_are_small_enough(function: Any, inputs: Any) -> None:
    assert gradcheck(function, inputs)
    assert gradgradcheck(function, inputs)
    with pytest.raises(AssertionError):
        gradcheck(lambda x: function(x.detach()) + 0 * x, inputs)


def test_gradcheck_of_a_function_in_float32() -> None:
    assert gradcheck(lambda x: x.float().sin(), [1.1, 2.0])
    assert gradgradcheck(lambda x: x.float().sin(), [1.1, 2.0])
    with pytest.raises(AssertionError, match="the gradient"):
        gradcheck(lambda x: x.float().detach().sin() + 0 * x.float(), [1.1, 2.0])


@pytest.mark.parametrize("index", [1, [2, 0], np.array([0, 2]), tg.tensor([1])])
def test_gradcheck_with_an_index_among_the_inputs(index: Any) -> None:
    x = [1.0, 2.0, 3.0]
    assert gradcheck(lambda i, x: x[i] ** 2, (index, x))
    assert gradgradcheck(lambda i, x: x[i] ** 2, (index, x))
    with pytest.raises(AssertionError, match="by input 1"):
        gradcheck(lambda i, x: x[i] * x[i].detach(), (index, x))


def test_gradcheck_with_masks_and_whole_numbers_among_the_inputs() -> None:
    mask = np.array([True, False])
    assert gradcheck(lambda x, m: tg.where(m, x, 0.0), ([1.0, 2.0], mask))
    with pytest.raises(AssertionError, match="by input 0"):
        gradcheck(lambda x, y: x.detach() * y, (np.array([1, 2]), [1.0, 2.0]))


@pytest.mark.parametrize("slope", [math.inf, -math.inf, math.nan])
def test_a_gradient_that_is_not_finite_is_wrong_where_the_true_one_is(slope: float) -> None:
    with pytest.raises(AssertionError, match=f"is {slope}, but by finite differences 0.9"):
        gradcheck(tg.op(np.sin, lambda g: g * slope), 0.25)
    # For a random input too, though it may have fallen near a kink.
    bad = tg.op(np.sin, lambda g, x: g * tg.ops.where(tg.ops.cos(x), slope, x > 0))
    with pytest.raises(AssertionError, match=f"sin: VJP: .* is {slope}, but"):
        check_op(bad)


@pytest.mark.parametrize("check", [gradcheck, gradgradcheck])
def test_gradcheck_of_what_has_no_gradient(check: Any) -> None:
    with pytest.raises(TypeError, match="returns nothing of a float dtype"):
        check(lambda x: x.argmax(), [1.0, 2.0])
    with pytest.raises(ValueError, match="no input is of a float dtype"):
        check(lambda: tg.ones(2), ())
    with pytest.raises(ValueError, match="no input is of a float dtype"):
        check(lambda m: tg.where(m, 1.0, tg.ones(2)), np.array([True, False]))
    with pytest.raises(TypeError, match="no complex numbers"):
        check(lambda x: x, 1j)
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        check(lambda x, y: x * y, 3)


def test_gradients_are_checked_where_recording_is_off() -> None:
    with tg.no_grad():
        assert gradcheck(lambda x: x.sin(), [1.0])
        assert gradgradcheck(lambda x: x.sin(), [1.0])
        check_op(DOUBLE)


# Checks of ops.


@pytest.mark.parametrize("op", ops.TABLE)
def test_rows(op: str) -> None:
    check_op(op, examples=40 if THOROUGH else 4)


def test_own_ops() -> None:
    check_op(tg.op(lambda x, y: x * y, lambda g, y: g * y, lambda g, x: g * x, broadcasts=True))
    check_op(tg.op(np.log, lambda g, x: g / x, domain=lambda x: x > 0))
    check_op(lambda x: (x @ x).sum(), np.eye(2) + 1)


@pytest.mark.parametrize("constant", [np.array([True, False, True]), np.array([2, 0])])
def test_functions_of_masks_and_indices(constant: Any) -> None:
    x = [1.0, 2.0, 3.0]
    check_op(lambda x, i: x[i] ** 2, (x, constant))
    with pytest.raises(
        AssertionError, match=r"VJP: the gradient of output 0\[.\] by inp"
    ) as failed:
        check_op(lambda i, x: x[i] * x[i].detach(), (constant, x))
    (line,) = str(failed.value).splitlines()
    assert "by input 1[" in line


@pytest.mark.parametrize(
    ("op", "message"),
    [
        (tg.op(np.sin, lambda g, x: g * tg.sin(x)), "VJP: the gradient by input 0 is"),
        (tg.op(np.exp, lambda g: g), "VJP"),
        (
            tg.op(lambda x, y: x - y, lambda g: g, lambda g: g, broadcasts=True),
            "the gradient by input 1",
        ),
    ],
)
def test_own_ops_that_are_wrong(op: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_op(op)


DOUBLE = tg.op(lambda x: 2 * x, lambda g: 2 * g, name="double")


def wider(x: Any) -> Any:
    return DOUBLE(x).double()


wider.op = DOUBLE.op  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("op", "message"),
    [
        (tg.op(lambda x: x + next(STEPS), lambda g: g), "value: "),
        (tg.op(lambda x, y: x.dot(y), lambda g: g, lambda g: g, broadcasts=True), "value: "),
        (tg.op(lambda x: 2 * x, lambda g, x: np.multiply(g, 2, out=g)), "VJP: .* writes into"),
        (tg.op(np.sin, lambda g, x: g * np.cos(np.asarray(x))), "second order: "),
        (wider, "dtypes: float32 inputs, but a float64 output"),
    ],
)
def test_each_check_of_an_op_can_fail(op: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_op(op)


def writing(x: Any) -> Any:
    return np.multiply(x, 2, out=x) if x.ndim == 2 else 2 * x


def scalar(x: Any) -> int:
    return 2 if x.shape == () else 1


@pytest.mark.parametrize(
    ("op", "message"),
    [
        (tg.op(np.square, lambda g, x: g * 2 * abs(x)), "VJP: .* for "),
        (tg.op(np.square, lambda g, x: g * x * (3 if x.shape == (1,) else 2)), "VJP: "),
        (tg.op(np.square, lambda g, x: g * x * (3 if x.ndim == 3 else 2)), "VJP: "),
        (
            tg.op(
                np.multiply,
                lambda g, y: g * y,
                lambda g, x, y: g * x * scalar(y) / scalar(x),
                broadcasts=True,
            ),
            "VJP: .* for ",
        ),
        (
            tg.op(lambda x: 2 * x, lambda g: g * (3 if g.dtype == np.float32 else 2)),
            r"dtypes: the gradient by input 0 is \[3.0\] in float32, but \[2.0\] in float64",
        ),
        (
            tg.op(lambda x: x * (3 if x.dtype == np.float32 else 2), lambda g: g * 2),
            r"dtypes: the output is \[1.5\] in float32, but \[1.0\] in float64",
        ),
        (tg.op(writing, lambda g: g * 2), "writes into its arguments"),
        (tg.op(np.sin, lambda g, x: g * tg.ops.cos(x), numpy="np.cos(x)"), "formula: "),
    ],
)
def test_mistakes_for_some_inputs_only(op: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_op(op)


def test_own_ops_that_are_right_but_not_everywhere() -> None:
    check_op(tg.op(np.floor, lambda g: g * 0))
    check_op(tg.op(np.log, lambda g, x: g / x))
    check_op(tg.op(np.abs, lambda g, x: g * tg.ops.sign(x)))


def test_own_ops_with_options() -> None:
    right = tg.op(lambda x, k, n=1: x * k * n, lambda g, k, n: g * k * n, name="scale")
    wrong = tg.op(lambda x, k, n=1: x * k * n, lambda g, k: g * k, name="scale")
    for options in ({"k": 3.0}, {"k": 3.0, "n": 2}, {"n": 1, "k": 0.5}):
        check_op(functools.partial(right, **options))
    check_op(right, ([1.0, 2.0], 3.0))
    check_op(right, ([1.0, 2.0], 3.0, 2))
    with pytest.raises(AssertionError, match="scale: VJP: .* is 3.0, but .* 6.0"):
        check_op(functools.partial(wrong, k=3.0, n=2))
    with pytest.raises(AssertionError, match="scale: VJP: .* is 3.0, but .* 6.0"):
        check_op(wrong, ([1.0, 2.0], 3.0, 2))


@pytest.mark.parametrize("op", ["exp", DOUBLE])
def test_the_other_forms_of_an_op_are_checked(op: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def doubled(lib: Any, function: Any, arrays: Any) -> Any:
        return [2 * d for d in forms.by_tape(lib, function, arrays)]

    for form in ("compiled form", "formula"):
        monkeypatch.setitem(rows.ROW_CHECKS, form, rows.by_other_form(doubled))
        test: Any = functools.partial(check_first, by=doubled)
        monkeypatch.setitem(FUNCTION_CHECKS, form, test)
    with pytest.raises(AssertionError) as failed:
        check_op(op)
    lines = str(failed.value).splitlines()
    assert [line.split(": ")[1] for line in lines] == ["compiled form", "formula"]


def test_check_op_of_what_it_cannot_check() -> None:
    with pytest.raises(ValueError, match="'foo' is not an op"):
        check_op("foo")
    with pytest.raises(ValueError, match="<op double: .*> is not a row of the table"):
        check_op(DOUBLE.op)  # type: ignore[attr-defined]
    check_op(ops.neg, examples=1)
    with pytest.raises(ValueError, match="give the inputs of a plain function"):
        check_op(lambda x: x)
    with pytest.raises(ValueError, match=r"none of the random inputs \(.*argument: 'k'.* options"):
        check_op(tg.op(lambda x, k: x * k, lambda g, k: g * k))
    with pytest.raises(ValueError, match="none is in its domain"):
        check_op(tg.op(np.exp, lambda g, out: g * out, domain=lambda x: x > 9))


# Mistakes.


def test_every_op_has_mistakes() -> None:
    assert all(mistakes(op) for op in ops.TABLE)
    kinds = {m.partition("-")[0] for _, m in MISTAKES}
    assert kinds == {"sign", "factor", "argument", "transpose", "unbroadcast", "swapped"}


def test_a_broken_copy_leaves_the_package_alone() -> None:
    lib = broken("mul", "sign-x")
    for package, slope in ((lib, -3), (tg, 3)):
        x = package.tensor(2.0, requires_grad=True)
        assert package.grad(x * 3, x)[0].item() == slope


@pytest.mark.parametrize(("op", "mistake"), CHECKED)
def test_every_mistake_is_reported(op: str, mistake: str) -> None:
    with pytest.raises(AssertionError, match=op):
        check_op(op, library=broken(op, mistake))
    second = (op, mistake) in SECOND_ORDER
    plan = Plan(ops=(op,) if second else OPS, mistake=(op, mistake), order=1 + second)
    report = fuzz(plan, 600)
    assert report.shrunk is not None
    assert plan.failure(report.shrunk) == report.text
    steps, entries = report.shrunk.size
    assert steps <= 3
    assert entries <= 2


@pytest.mark.parametrize(
    ("op", "vjp"),
    [
        ("sigmoid", "lambda g, out: where((1 - out) * out * g, 0.0, out < 0.95)"),
        ("sigmoid", "lambda g, out: where((1 - out) * out * g, 0.0, out > 0.05)"),
        ("tanh", "lambda g, out: where(g * (1 - out * out), 0.0, out < 0.99)"),
        ("exp", "lambda g, out: where(g * out, 0.0, out < 50)"),
        ("clamp", "lambda g, x, low, high: where(g, 0.0, (x > 2.5) | (x >= low) & (x <= high))"),
    ],
)
def test_a_mistake_for_large_entries_alone_is_reported(
    op: str, vjp: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mistaking, "mistakes", lambda op: {vjp: vjp})
    with pytest.raises(AssertionError, match=f"^{op}: value and VJP: df/dx0"):
        check_op(op, library=broken(op, vjp))


@pytest.mark.parametrize(("op", "mistake"), sorted(HARMLESS))
def test_the_other_mistakes_change_nothing(op: str, mistake: str) -> None:
    check_op(op, library=broken(op, mistake), examples=5)


# Strategies.


@given(strategies.broadcastable_shapes(3))
def test_shapes_broadcast(shapes: Any) -> None:
    np.broadcast_shapes(*shapes)


@given(strategies.tensors(dtype=np.float32, special=True))
def test_tensors_are_finite_leaves(x: tg.Tensor) -> None:
    assert x.requires_grad
    assert x.dtype == np.float32
    assert np.isfinite(x.detach().numpy()).all()


@given(strategies.two_layer_problems())
def test_two_layer_problems_run(problem: Any) -> None:
    with np.errstate(all="ignore"):
        two_layer.loss(*problem).backward()
    assert all(t.grad.shape == t.shape for t in problem)


def test_the_package_does_not_import_hypothesis() -> None:
    code = (
        "import sys, tinygrad_mlp, tinygrad_mlp.testing; "
        "assert not {'hypothesis', 'torch'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@given(st.data())
def test_programs_of_some_ops_only(data: st.DataObject) -> None:
    program = data.draw(strategies.programs(ops=["exp", "sum"], most=3))
    assert {step.op for step in program.steps} <= {"exp", "sum"}
    assert len(program.steps) <= 3
