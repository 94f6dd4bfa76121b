"""The formulas that come out are the ones that a person works out by hand."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given

import tinygrad_mlp as tg
from tinygrad_mlp import Tensor
from tinygrad_mlp.experiment import two_layer
from tinygrad_mlp.experiment.bounds import error_bounds
from tinygrad_mlp.experiment.closed_form import closed_form
from tinygrad_mlp.nn.functional import cross_entropy
from tinygrad_mlp.readers.derive.formula import Formula
from tinygrad_mlp.readers.derive.names import GREEK
from tinygrad_mlp.readers.fuzz.answers import Answer, Oracle, wanted, weights
from tinygrad_mlp.readers.fuzz.jitter import Jitter
from tinygrad_mlp.readers.fuzz.programs import Program
from tinygrad_mlp.readers.fuzz.rounding import difference
from tinygrad_mlp.readers.fuzz.running import run
from tinygrad_mlp.readers.fuzz.specs import OPS
from tinygrad_mlp.readers.fuzz.targets import tape, tape_answer
from tinygrad_mlp.testing import generate
from tinygrad_mlp.testing.strategies import programs

NAMES = ("X", "Y", "W1", "W2", "b1", "b2")
INNER = "(Y − Y_p) W2ᵀ ⊙ h_s ⊙ (1 − h_s)"
EXPERIMENT = {
    "X": f"−2 ({INNER}) W1ᵀ",
    "Y": "2 (Y − Y_p)",
    "W1": f"−2 Xᵀ ({INNER})",
    "W2": "−2 h_sᵀ (Y − Y_p)",
    "b1": f"−2 ({INNER})",
    "b2": "−2 (Y − Y_p)",
}
BIASES = {
    "full": (f"−2 ({INNER})", "−2 (Y − Y_p)"),
    "row": (f"−2 𝟏ᵀ ({INNER})", "−2 𝟏ᵀ (Y − Y_p)"),
    "vector": (f"−2 ({INNER})ᵀ 𝟏", "−2 (Y − Y_p)ᵀ 𝟏"),
    "scalar": (f"−2 Σ ({INNER})", "−2 Σ (Y − Y_p)"),
}


def experiment(
    shape: tuple[int, int, int, int] = (5, 2, 3, 4), bias: str = "full", named: bool = True
) -> tuple[Tensor, list[Tensor]]:
    tensors = two_layer.problem(0, shape, bias, "float64")
    x, y, w1, w2, b1, b2 = leaves = [t.named(name) for t, name in zip(tensors, NAMES)]
    hidden = (x @ w1 + b1).sigmoid()
    hidden = hidden.named("h_s") if named else hidden
    predicted = hidden @ w2 + b2
    predicted = predicted.named("Y_p") if named else predicted
    return ((y - predicted) ** 2).sum(), leaves


def arrays(tensors: list[Tensor]) -> dict[str | None, Any]:
    return {t.name: t.detach().numpy() for t in tensors}


# The experiment.


@pytest.mark.parametrize("shape", [(5, 2, 3, 4), (100, 1, 20, 1), (5, 1, 1, 1), (0, 3, 4, 2)])
@pytest.mark.parametrize("bias", BIASES)
def test_the_experiment_has_its_closed_form(bias: str, shape: tuple[int, int, int, int]) -> None:
    f, leaves = experiment(shape, bias)
    found = tg.derive(f, leaves)
    expected = {**EXPERIMENT, **dict(zip(("b1", "b2"), BIASES[bias]))}
    assert dict(zip(NAMES, map(str, found))) == expected
    assert [repr(g).split(" = ")[0] for g in found] == [f"∂f/∂{name}" for name in NAMES]


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("bias", BIASES)
def test_the_experiment_in_numpy(bias: str, named: bool) -> None:
    """Against the closed form worked out by hand, and with its bounds on what rounding can do."""
    f, leaves = experiment((5, 2, 3, 4), bias, named)
    values = arrays(leaves)
    _, expected = closed_form(*values.values())
    _, bounds = error_bounds(*values.values())
    for name, formula in zip(NAMES, tg.derive(f, leaves)):
        found = formula(values)
        assert np.shape(found) == expected[name.lower()].shape
        assert (np.abs(found - expected[name.lower()]) <= 2 * bounds[name.lower()]).all()


def test_what_has_no_name_is_written_out() -> None:
    f, leaves = experiment(named=False)
    gradient = tg.derive(f, leaves[2])
    s = "σ(X W1 + b1)"
    assert repr(tg.formula(f)) == f"f = ‖Y − ({s} W2 + b2)‖²_F"
    assert repr(gradient) == f"∂f/∂W1 = −2 Xᵀ ((Y − ({s} W2 + b2)) W2ᵀ ⊙ {s} ⊙ (1 − {s}))"
    assert gradient.definitions == {}
    assert gradient.arguments == NAMES


def test_what_has_a_name_is_listed_below() -> None:
    f, leaves = experiment()
    assert repr(tg.derive(f, leaves[3])).splitlines() == [
        "∂f/∂W2 = −2 h_sᵀ (Y − Y_p)",
        "    Y_p = h_s W2 + b2",
        "    h_s = σ(X W1 + b1)",
    ]
    assert repr(tg.formula(f)).splitlines()[0] == "f = ‖Y − Y_p‖²_F"
    assert tg.derive(f, leaves[3]).arguments == ("Y", "h_s", "Y_p")


def test_steps_of_the_experiment() -> None:
    f, leaves = experiment()
    steps = tg.derive(f, leaves[2]).steps
    inner = f"−2 ({INNER})"
    assert [(s.op, s.computes, s.rule) for s in steps] == [
        ("sum", "f = Σ v1", "∂f/∂v1 = 𝟏 𝟏ᵀ"),
        ("pow", "v1 = v2²", "∂f/∂v2 = 2 (∂f/∂v1 ⊙ v2)"),
        ("sub", "v2 = Y − Y_p", "∂f/∂Y_p = −∂f/∂v2"),
        ("add", "Y_p = v3 + b2", "∂f/∂v3 = ∂f/∂Y_p"),
        ("matmul", "v3 = h_s W2", "∂f/∂h_s = ∂f/∂v3 W2ᵀ"),
        ("sigmoid", "h_s = σ(v4)", "∂f/∂v4 = ∂f/∂h_s ⊙ h_s ⊙ (1 − h_s)"),
        ("add", "v4 = v5 + b1", "∂f/∂v5 = ∂f/∂v4"),
        ("matmul", "v5 = X W1", "∂f/∂W1 = Xᵀ ∂f/∂v5"),
    ]
    # What went out of one step comes into the next.
    assert [s.came_in for s in steps[1:]] == [s.went_out for s in steps[:-1]]
    assert steps[0].came_in == "∂f/∂f = 1"
    assert steps[4].went_out == "∂f/∂h_s = −2 (Y − Y_p) W2ᵀ"
    assert steps[-1].went_out == f"∂f/∂W1 = −2 Xᵀ ({INNER})"
    assert str(steps[-1]).split("  ") == [
        "matmul",
        "",
        "v5 = X W1",
        *[""] * 6,
        " " + f"∂f/∂v5 = {inner}",
        "⟹",
        f"∂f/∂W1 = Xᵀ ∂f/∂v5 = −2 Xᵀ ({INNER})",
    ]


def test_a_derivative_is_transposed_as_a_whole() -> None:
    gradient = tg.derive(lambda A, X: (A * X.T).sum(), "X", A=matrix(3, 4), X=matrix(4, 3))
    assert [step.rule for step in gradient.steps][1:] == [
        "∂f/∂v2 = ∂f/∂v1 ⊙ A",
        "∂f/∂X = (∂f/∂v2)ᵀ",
    ]


def test_steps_add_up_where_an_input_is_used_twice() -> None:
    gradient = tg.derive(lambda x: (x * x.exp()).sum(), x=[1.0, 2.0])
    assert [step.rule for step in gradient.steps][1:] == [
        "∂f/∂x = ∂f/∂v1 ⊙ v2",
        "∂f/∂v2 = ∂f/∂v1 ⊙ x",
        "∂f/∂x += ∂f/∂v2 ⊙ v2",
    ]
    assert tg.formula(lambda x: x.sum(), x=[1.0]).steps == ()


# The textbook.


def matrix(*shape: int) -> Any:
    n = np.arange(1.0, np.prod(shape) + 1)
    return np.cos(n).reshape(shape)


Case = tuple[Callable[..., Tensor], dict[str, Any], str, dict[str, str]]
SQUARE = {"A": matrix(3, 3), "x": matrix(3)}
TALL = {"A": matrix(4, 3), "x": matrix(3), "y": matrix(4)}
DATA = {"X": matrix(4, 3), "w": matrix(3), "y": np.array([1.0, -1.0, -1.0, 1.0])}
LABELS = {"X": matrix(4, 3), "W": matrix(3, 2), "Y": np.eye(2)[[0, 1, 1, 0]]}
LAYER = {"X": matrix(4, 3), "W": matrix(3, 2), "b": matrix(2), "Y": matrix(4, 2)}


def ridge(X: Tensor, w: Tensor, y: Tensor, λ: Tensor) -> Tensor:
    return ((X @ w - y) ** 2).sum() + λ * (w**2).sum()


def logistic(X: Tensor, w: Tensor, y: Tensor) -> Tensor:
    return (1 + (-y * (X @ w)).exp()).log().sum()


def log_sum_exp(X: Tensor, W: Tensor, Y: Tensor) -> Tensor:
    return (X @ W).exp().sum(1).log().sum() - (Y * (X @ W)).sum()


def by_softmax(X: Tensor, W: Tensor, Y: Tensor) -> Tensor:
    return -(Y * ((X @ W).exp() / (X @ W).exp().sum(1, keepdim=True)).log()).sum()


def of_pytorch(X: Tensor, W: Tensor, Y: Tensor) -> Tensor:
    return cross_entropy(X @ W, Y, reduction="sum")


TEXTBOOK: dict[str, Case] = {
    "quadratic form": (
        lambda A, x: 0.5 * (x @ A @ x),
        SQUARE,
        "½ xᵀ A x",
        {"x": "½ (A + Aᵀ) x", "A": "½ x xᵀ"},
    ),
    "quadratic form of a column": (
        lambda A, x: (0.5 * (x.T @ A @ x)).sum(),
        {"A": matrix(3, 3), "x": matrix(3, 1)},
        "½ xᵀ A x",
        {"x": "½ (A + Aᵀ) x", "A": "½ x xᵀ"},
    ),
    "least squares": (
        lambda A, x, y: ((A @ x - y) ** 2).sum(),
        TALL,
        "‖A x − y‖²",
        {"x": "2 Aᵀ (A x − y)", "A": "2 (A x − y) xᵀ", "y": "−2 (A x − y)"},
    ),
    "matrix factorization": (
        lambda Q, K, Y: ((Q @ K.T - Y) ** 2).sum(),
        {"Q": matrix(4, 2), "K": matrix(3, 2), "Y": matrix(4, 3)},
        "‖Q Kᵀ − Y‖²_F",
        {"Q": "2 (Q Kᵀ − Y) K", "K": "2 (Q Kᵀ − Y)ᵀ Q"},
    ),
    "outer product": (
        lambda u, v, A: ((A - u[:, None] * v) ** 2).sum(),
        {"u": matrix(4), "v": matrix(3), "A": matrix(4, 3)},
        "‖A − u vᵀ‖²_F",
        {"A": "2 (A − u vᵀ)", "u": "−2 (A − u vᵀ) v"},
    ),
    "mean squared error": (
        lambda A, x, y: ((A @ x - y) ** 2).mean(),
        TALL,
        "¼ ‖A x − y‖²",
        {"x": "½ Aᵀ (A x − y)"},
    ),
    "ridge": (
        ridge,
        {**DATA, "λ": 0.5},
        "‖X w − y‖² + λ ‖w‖²",
        {"w": "2 (Xᵀ (X w − y) + λ w)", "λ": "‖w‖²"},
    ),
    "logistic regression": (
        logistic,
        DATA,
        "Σ log(1 + exp(−y ⊙ X w))",
        {"w": "−Xᵀ (y ⊙ σ(−y ⊙ X w))", "X": "−(y ⊙ σ(−y ⊙ X w)) wᵀ"},
    ),
    "logistic regression by log1p": (
        lambda X, w, y: (-y * (X @ w)).exp().log1p().sum(),
        DATA,
        "Σ log(1 + exp(−y ⊙ X w))",
        {"w": "−Xᵀ (y ⊙ σ(−y ⊙ X w))"},
    ),
    "cross-entropy of one row": (
        lambda z, y: z.exp().sum().log() - y @ z,
        {"z": matrix(3), "y": np.array([0.0, 1.0, 0.0])},
        "log(Σ exp(z)) − yᵀ z",
        {"z": "softmax(z) − y"},
    ),
    "softmax with cross-entropy": (
        log_sum_exp,
        LABELS,
        "Σ log(exp(X W) 𝟏) − Σ (Y ⊙ X W)",
        {"W": "Xᵀ (softmax(X W) − Y)", "X": "(softmax(X W) − Y) Wᵀ"},
    ),
    # Where Y is not known to have rows that sum to 1, their sums Y 𝟏 stay.
    "cross-entropy of softmax": (
        by_softmax,
        LABELS,
        "−Σ (Y ⊙ log(softmax(X W)))",
        {"W": "Xᵀ (Y 𝟏 𝟏ᵀ ⊙ softmax(X W) − Y)", "Y": "−log(softmax(X W))"},
    ),
    "cross-entropy by its function": (
        of_pytorch,
        LABELS,
        "−Σ ((X W − max(X W; 1) 𝟏ᵀ − log(exp(X W − max(X W; 1) 𝟏ᵀ) 𝟏) 𝟏ᵀ) ⊙ Y)",
        {"W": "Xᵀ (Y 𝟏 𝟏ᵀ ⊙ softmax(X W) − Y)"},
    ),
    "tanh layer": (
        lambda X, W, b, Y: (((X @ W + b).tanh() - Y) ** 2).sum(),
        LAYER,
        "‖tanh(X W + 𝟏 bᵀ) − Y‖²_F",
        {
            "W": "2 Xᵀ ((tanh(X W + 𝟏 bᵀ) − Y) ⊙ (1 − tanh(X W + 𝟏 bᵀ)²))",
            "b": "2 ((tanh(X W + 𝟏 bᵀ) − Y) ⊙ (1 − tanh(X W + 𝟏 bᵀ)²))ᵀ 𝟏",
        },
    ),
    "relu layer": (
        lambda X, W, b, Y: (((X @ W + b).relu() - Y) ** 2).sum(),
        LAYER,
        "‖max(X W + 𝟏 bᵀ, 0) − Y‖²_F",
        {
            "W": "2 Xᵀ ((max(X W + 𝟏 bᵀ, 0) − Y) ⊙ 1[X W + 𝟏 bᵀ > 0])",
            "X": "2 ((max(X W + 𝟏 bᵀ, 0) − Y) ⊙ 1[X W + 𝟏 bᵀ > 0]) Wᵀ",
        },
    ),
    "relu alone": (lambda X: X.relu().sum(), {"X": matrix(2, 3)}, "Σ max(X, 0)", {"X": "1[X > 0]"}),
    "tr(A X)": (
        lambda A, X: (A * X.T).sum(),
        {"A": matrix(3, 4), "X": matrix(4, 3)},
        "Σ (A ⊙ Xᵀ)",
        {"X": "Aᵀ", "A": "Xᵀ"},
    ),
    "tr(A X) from the diagonal": (
        lambda A, X: ((A @ X) * tg.eye(3, dtype="float64")).sum(),
        {"A": matrix(3, 4), "X": matrix(4, 3)},
        "Σ (A X ⊙ I)",
        {"X": "Aᵀ", "A": "Xᵀ"},
    ),
    "bilinear form": (
        lambda a, X, b: a @ X @ b,
        {"a": matrix(4), "X": matrix(4, 3), "b": matrix(3)},
        "aᵀ X b",
        {"X": "a bᵀ", "a": "X b", "b": "Xᵀ a"},
    ),
    "norm": (lambda x: (x**2).sum().sqrt(), {"x": matrix(3)}, "‖x‖", {"x": "x / ‖x‖"}),
    "Rayleigh quotient": (
        lambda A, x: (x @ A @ x) / (x @ x),
        SQUARE,
        "xᵀ A x / (xᵀ x)",
        {"x": "A x / (xᵀ x) + Aᵀ x / (xᵀ x) − 2 (xᵀ A x) x / (xᵀ x)²"},
    ),
    "a minus before a sum": (
        lambda x, y: -(y * (x - y)).sum(),
        {"x": matrix(3), "y": matrix(3)},
        "−Σ (y ⊙ (x − y))",
        {"x": "−y", "y": "y − (x − y)"},
    ),
}


@pytest.mark.parametrize("case", TEXTBOOK.values(), ids=TEXTBOOK)
def test_textbook(case: Case) -> None:
    function, inputs, f, gradients = case
    assert str(tg.formula(function, **inputs)) == f
    assert {x: str(tg.derive(function, x, **inputs)) for x in gradients} == gradients
    leaves = {x: tg.tensor(a, "float64", requires_grad=True) for x, a in inputs.items()}
    expected = tg.grad(function(**leaves), list(leaves.values()), allow_unused=True)
    for x, slope in zip(inputs, expected):
        assert slope is not None
        found = tg.derive(function, x, **{k: np.float64(a) for k, a in inputs.items()})(inputs)
        scale = np.abs(slope.numpy()).max()
        np.testing.assert_allclose(found, slope.numpy(), rtol=1e-14, atol=1e-14 * scale)


def test_class_targets() -> None:
    targets = tg.tensor([0, 1, 1, 0])
    gradient = tg.derive(lambda X, W: cross_entropy(X @ W, targets), "W", **LAYER_INPUTS)
    assert str(gradient) == "¼ Xᵀ (1[c1] 𝟏 𝟏ᵀ ⊙ softmax(X W) − 1[c1])"
    np.testing.assert_array_equal(
        gradient._reader.constants[next(iter(gradient._reader.constants))],
        [[True, False], [False, True], [False, True], [True, False]],
    )


LAYER_INPUTS = {"X": matrix(4, 3), "W": matrix(3, 2)}


@pytest.mark.parametrize(
    ("function", "formula"),
    [
        (lambda X: (X - X.mean(0)).pow(2).sum(), "‖X − ¼ 𝟏 𝟏ᵀ X‖²_F"),
        (lambda X: (X @ X.sum(0)).sum(), "Σ (X Xᵀ 𝟏)"),
        (lambda X: X.sum(0).exp() @ tg.ones(3, dtype="float64"), "Σ exp(Xᵀ 𝟏)"),
        (lambda X: (X / X.sum(1, keepdim=True)).sum(), "Σ (X / (X 𝟏 𝟏ᵀ))"),
        (lambda X: X[1:, ::2].sum(), "Σ X[1:, ::2]"),
        (lambda X: X.reshape(6, 2).exp().sum(), "Σ exp(reshape(X; 6×2))"),
        (lambda X: tg.where(X > 0, X, X.exp()).sum(), "Σ (X if X > 0 else exp(X))"),
        (
            lambda X: (X[:, :, None] * X[0, :2]).exp().sum(),
            "Σ exp(reshape(X; 4×3×1) ⊙ X[0, :2])",
        ),
        (lambda X: X.clamp(0, 1).abs().sum(), "Σ |min(max(X, 0), 1)|"),
        (lambda X: X.clamp(min=0).sum() + X.clamp(max=2).sum(), "Σ max(X, 0) + Σ min(X, 2)"),
        (
            lambda X: (X[:, :1] / X[:1] + X.sum(1, keepdim=True)).sum(),
            "Σ (X[:, :1] 𝟏ᵀ / (𝟏 X[:1]) + X 𝟏 𝟏ᵀ)",
        ),
        (lambda X: (X**2 / 3 + X**-0.5).sum(), "Σ (⅓ X² + X^−½)"),
        (lambda X: (X - 1e-5).log().sum(), "Σ log(X − 1e−05)"),
    ],
)
def test_notation(function: Any, formula: str) -> None:
    assert str(tg.formula(function, X=np.abs(matrix(4, 3)))) == formula


# Any program.


def names_of(program: Program) -> list[str]:
    return [f"x{i}" for i in range(len(program.leaves))]


def weighted(outputs: list[Tensor]) -> Tensor | None:
    """Σ weights ⊙ output, over those that have a gradient."""
    total = None
    for y in outputs:
        if y.requires_grad:
            term = (y * tg.tensor(weights(y.shape))).sum()
            total = term if total is None else total + term
    return total


def of_tape(program: Program, order: int, jitter: Jitter | None) -> Answer:
    """What the tape answers, as an oracle that can be disturbed to measure rounding."""
    leaves = [tg.tensor(x.array(), requires_grad=x.requires_grad) for x in program.leaves]
    if jitter is not None:
        jitter.convert = tg.from_numpy
    return tape_answer(
        tg, tg.grad, program, order, leaves, lambda t: t.detach().numpy(), None, jitter
    )


# 1 ⊙ x, x ⊙ 1, a transpose of a transpose, double signs, and parentheses around parentheses.
UGLY = re.compile(r"(^|[( ]\()𝟏 ⊙|⊙ 𝟏($|\)| ⊙)|ᵀᵀ|[−+] ?−|/ 1$|\(\([^()]*\)\)$")


def check(program: Program, order: int) -> None:
    """The NumPy form of each gradient, or second derivative, gives what the tape gives.

    Where the largest difference is more than 1e-12 of the largest entry, what rounding does to this
    program is measured, and the difference may not be more than that explains.
    """
    names = names_of(program)
    leaves = [
        tg.tensor(leaf.array(), requires_grad=leaf.requires_grad, name=name)
        for leaf, name in zip(program.leaves, names)
    ]
    values = run(program, tg, leaves)
    f = weighted([values[i] for i in program.outputs])
    places = wanted(program)
    if order == 2 and f is not None:
        inputs = [leaves[i] for i in places]
        first = tg.grad(f, inputs, create_graph=True, allow_unused=True)
        f = weighted([g for g in first if g is not None])
    given = dict(zip(names, (leaf.array() for leaf in program.leaves)))
    expected = tape(tg)(program, order).quantities
    found = dict(expected)
    near = True
    for i in places:
        name = f"{'d' * (order == 1)}{'d2' * (order == 2)}f/dx{i}"
        try:
            if f is None:
                raise RuntimeError("the output does not depend on anything")
            formula = tg.derive(f, leaves[i])
        except RuntimeError as error:
            assert "does not depend" in str(error)
            assert not expected[name].any()
            continue
        for text in (str(formula), repr(formula), formula.latex, formula._repr_latex_()):
            assert balanced(text)
            assert not UGLY.search(text), text
        # A formula may work out once, as a number, what the tape has for no entry at all: a power
        # that is nan, or the mean of nothing, which the rules may even take out of an empty sum.
        with np.errstate(all="ignore"):
            value = np.asarray(formula(given))
        assert value.shape == expected[name].shape
        if np.isnan(value).any() and any(x.numel() == 0 for x in values):
            continue
        found[name] = value
        off = np.abs(value - expected[name]).max(initial=0)
        near = near and bool(off <= 1e-12 * np.abs(expected[name]).max(initial=0))
    if not near:
        failure = difference(program, found, Oracle("the tape", of_tape), order)
        assert failure is None, failure


@given(programs(dtypes=["float64"]))
def test_gradients_of_random_programs(program: Program) -> None:
    check(program, 1)


@given(programs(most=5, dtypes=["float64"]))
def test_second_derivatives_of_random_programs(program: Program) -> None:
    check(program, 2)


@pytest.mark.soak
@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("part", range(10))
def test_many_random_programs(part: int, order: int) -> None:
    for seed in range(part * 5000, (part + 1) * 5000):
        check(generate(seed=seed, dtypes=["float64"]), order)


@pytest.mark.parametrize("op", OPS)
def test_every_op(op: str) -> None:
    for seed in range(3):
        program = generate(seed=seed, ops=[op], most=3, dtypes=["float64"])
        check(program, 1)
        check(program, 2)


@pytest.mark.parametrize("op", OPS)
def test_every_op_is_written_in_its_own_words(op: str) -> None:
    """The text, the LaTeX and the NumPy form of each op, of leaves and of an intermediate."""
    program = generate(seed=1, ops=[op], most=1, dtypes=["float64"])
    names = names_of(program)

    def function(**inputs: Tensor) -> Tensor:
        return run(program, tg, list(inputs.values()))[-1]

    given = dict(zip(names, (leaf.array() for leaf in program.leaves)))
    formula = tg.formula(function, **given)
    expected = run(program, tg, [tg.tensor(a) for a in given.values()])[-1].numpy()
    np.testing.assert_allclose(formula(given), expected, rtol=1e-14)
    assert compiles(formula.latex)
    assert all(name in str(formula) for name in formula.arguments)


# LaTeX.

# The commands that formulas are made of. All of them are LaTeX's own or amsmath's: pdflatex has
# set thousands of formulas made of these, with nothing but \usepackage{amsmath}.
LISTED = r"""
\backslash \begin \cdot \cos \displaystyle \end \exp \frac \ge \infty \land \langle \ldots \le \left
\lnot \log \lor \mathbf \mathrm \mathtt \max \min \ne \odot \operatorname \oplus \partial \prime
\rangle \right \sim \sin \sqrt \star \sum \surd \tanh \text \textstyle \tfrac \times \top \wedge
"""
COMMANDS = {*LISTED.split(), *(f"\\{letter}" for letter in GREEK)}
SYMBOLS = {f"\\{c}" for c in r"{}$&#_%|\, "}


def balanced(text: str) -> bool:
    """Whether brackets close in the order in which they opened, outside of quoted names."""
    open_brackets: list[str] = []
    text = re.sub(r'"(?:\\.|[^"\\])*"|\\[{}]', "", text)
    for c in text:
        if c in "([{":
            open_brackets.append(c)
        elif c in ")]}" and (not open_brackets or open_brackets.pop() + c not in "()[]{}"):
            return False
    return not open_brackets


def compiles(latex: str) -> bool:
    r"""Whether commands are known, braces match, and each \left has its \right in its group."""
    found = re.findall(r"\\(?:[A-Za-z]+|.)", latex, re.DOTALL)
    assert set(found) <= COMMANDS | SYMBOLS, set(found) - COMMANDS - SYMBOLS
    assert latex.isascii()
    assert latex.isprintable()
    plain = re.sub(r"\\[^A-Za-z]", " ", latex)
    assert not re.search(r"[$#%&~]", plain.replace("&=", "").replace(" & ", ""))
    assert not re.search(r"\^\{[^{}]*\}\s*\^", plain), "double superscript"
    groups = [0]
    for token in re.findall(r"\\left\b|\\right\b|[{}]", plain):
        if token == "{":
            groups.append(0)
        elif token == "}":
            if groups.pop() or not groups:
                return False
        else:
            groups[-1] += 1 if token == "\\left" else -1
            if groups[-1] < 0:
                return False
    return groups == [0]


def test_latex_of_the_experiment() -> None:
    f, leaves = experiment()
    assert tg.formula(f).latex == r"\left\|Y - Y_{p}\right\|_F^{2}"
    assert tg.derive(f, leaves[2]).latex == (
        r"-2 \, X^{\top} \, \left(\left(Y - Y_{p}\right) \, W_{2}^{\top} \odot h_{s} \odot "
        r"\left(1 - h_{s}\right)\right)"
    )
    assert tg.derive(f, leaves[3])._repr_latex_() == (
        r"$\displaystyle \begin{aligned} \frac{\partial f}{\partial W_{2}} &= "
        r"-2 \, h_{s}^{\top} \, \left(Y - Y_{p}\right) \\ Y_{p} &= h_{s} \, W_{2} + b_{2} \\ "
        r"h_{s} &= \sigma \left(X \, W_{1} + b_{1}\right) \end{aligned}$"
    )


@pytest.mark.parametrize("case", TEXTBOOK.values(), ids=TEXTBOOK)
def test_latex_of_the_textbook(case: Case) -> None:
    function, inputs, _, _ = case
    for formula in (tg.formula(function, **inputs), *tg.derive(function, list(inputs), **inputs)):
        assert compiles(formula.latex)


@pytest.mark.parametrize(
    ("broken", "why"),
    [(r"\left(x", "left"), (r"{x", "brace"), (r"\frac{\left(x}{\right)}", "group")],
)
def test_latex_that_would_not_compile_is_noticed(broken: str, why: str) -> None:
    assert not compiles(broken)


# An op of the user's own.


def test_an_op_carries_its_own_notation() -> None:
    mix = tg.op(
        lambda x, y, k: x + k * y,
        lambda g: g,
        lambda g, k: k * g,
        name="mix",
        formula="x ⋆ y",
        broadcasts=True,
    )
    a, b = np.ones(3), np.full(3, 2.0)
    f = tg.formula(lambda a, b: mix(a + b, b.exp(), 3.0).sum(), a=a, b=b)
    assert str(f) == "Σ ((a + b) ⋆ exp(b))"
    assert f.latex == (
        r"{\textstyle\sum} \left(\left(a + b\right) \star  \exp\left(b\right)\right)"
    )
    assert compiles(f.latex)
    # It has no NumPy form, so the function takes its forward.
    assert f.numpy.splitlines()[-1] == "    return mix(a + b, np.exp(b), 3.0).sum()"
    np.testing.assert_allclose(f(a=a, b=b), (3 + 3 * np.exp(b)).sum())
    assert str(tg.derive(lambda a, b: mix(a, b, 3.0).sum(), "b", a=a, b=b)) == "3 𝟏"


def test_an_op_has_a_notation_by_default_or_in_all_forms() -> None:
    def forward(x: Any, k: float) -> Any:
        return np.log1p(np.exp(k * x))

    def vjp(g: Any, x: Any, k: float) -> Any:
        return g * k * tg.sigmoid(k * x)

    plain = tg.op(forward, vjp, name="softplus")
    full = tg.op(
        forward,
        vjp,
        name="softplus",
        formula="ζ(x; k)",
        latex=r"\zeta_{k}\left({x}\right)",
        numpy="np.log1p(np.exp(k * x))",
    )
    x = np.array([0.5, -1.0])
    assert str(tg.formula(lambda x: plain(2 * x, 3.0), x=x)) == "softplus(2 x; 3)"
    f = tg.formula(lambda x: full(x + 1, 3.0), x=x)
    assert str(f) == "ζ(x + 1; 3)"
    assert f.latex == r"\zeta_{3}\left({x + 1}\right)"
    assert f.numpy.splitlines()[-1] == "    return np.log1p(np.exp(3.0 * (x + 1)))"
    np.testing.assert_allclose(f(x=x), forward(x + 1, 3.0))
    assert str(tg.derive(lambda x: full(x, 3.0).sum(), x=x)) == "3 σ(3 x)"


def test_a_parameter_may_be_raised_in_a_notation() -> None:
    quadratic = tg.op(
        lambda x, y: x * x + y.T,
        lambda g, x: 2 * g * x,
        lambda g: g.T,
        name="quadratic",
        formula="x² + yᵀ",
    )
    f = tg.formula(lambda a, b: quadratic(a + b, b), a=matrix(2, 2), b=matrix(2, 2))
    assert str(f) == "(a + b)² + bᵀ"
    assert f.latex == r"\left(a + b\right)^{2} + b^{\top}"
    assert "<msup><mi>b</mi><mi>⊤</mi></msup>" in f.mathml


# Size.


def deep(n: int) -> tuple[Tensor, Tensor]:
    x = tg.tensor(matrix(2, 2), name="X")
    weight = first = tg.tensor(matrix(2, 2), requires_grad=True, name="W")
    for _ in range(n):
        x = (x @ weight).tanh()
        weight = tg.tensor(matrix(2, 2))
    return (x**2).sum(), first


def recurrent(n: int) -> tuple[Tensor, Tensor]:
    x = tg.tensor(matrix(2, 2), name="X")
    weight = tg.tensor(matrix(2, 2), requires_grad=True, name="W")
    for _ in range(n):
        x = (x @ weight).tanh()
    return x.sum(), weight


def doubling(n: int) -> tuple[Tensor, Tensor]:
    x = first = tg.tensor([0.5, 0.25], requires_grad=True, name="x")
    for _ in range(n):
        x = (x * x + x.sin()) / 2  # twice as long each time, written out
    return x.sum(), first


def long_sum(n: int) -> tuple[Tensor, Tensor]:
    x = tg.tensor([0.5, 0.25], requires_grad=True, name="x")
    return tg.cat([(x * (i + 2)).sin() for i in range(n)]).sum(), x


def long_product(n: int) -> tuple[Tensor, Tensor]:
    x = tg.tensor([0.5, 0.25], requires_grad=True, name="x")
    out = x
    for i in range(n):
        out = out * (x / (i + 2)).cos()
    return out.sum(), x


@pytest.mark.parametrize("made", [deep, recurrent, doubling, long_sum, long_product])
def test_formulas_are_as_long_as_the_graph(made: Callable[[int], tuple[Tensor, Tensor]]) -> None:
    """As many nodes more give as much text more, but for longer numbers in names."""
    sizes: list[list[int]] = []
    for n in (40, 80, 120):
        f, x = made(n)
        gradient = tg.derive(f, x)
        steps = "\n".join(map(str, gradient.steps))
        forms = (
            repr(gradient),
            gradient._repr_latex_(),
            gradient.numpy,
            steps,
            repr(tg.formula(f)),
        )
        sizes.append([len(form) for form in forms])
        assert max(map(len, repr(gradient).splitlines())) < 800
    for small, middle, large in zip(*sizes):
        assert large - middle < 1.25 * (middle - small)
        assert small < 1000 * 40


def test_ten_layers_fit_a_page() -> None:
    f, w = deep(10)
    gradient = tg.derive(f, w)
    assert len(repr(gradient)) < 600
    assert list(gradient.definitions) == [f"t{i}" for i in range(1, 11)]
    assert gradient.definitions["t2"] == "tanh(t1 c1)"


def test_hundreds_of_layers() -> None:
    f, w = deep(400)
    gradient = tg.derive(f, w)
    assert len(repr(gradient)) < 40_000
    expected, *_ = tg.grad(f, w)
    np.testing.assert_allclose(gradient({"W": matrix(2, 2), "X": matrix(2, 2)}), expected.numpy())


# Names are data.

HOSTILE = [
    *("np", "gradient", "value", "sigmoid", "softmax", "t1", "arg1", "c1", "x1", "v1", "f"),
    *(
        "lambda",
        "class",
        "None",
        "print",
        "",
        "0",
        "x.y",
        "a b",
        "a_b_c",
        "x²",
        "Σ",
        "é",
        "中",
        "ﬁ",
    ),
    *("__import__('os').abort()", "x):\n    raise SystemExit\n\ndef g(x", "x\x00y", "\u202ex"),
    *(
        r"\input{x}",
        r"\end{document}",
        "%",
        "$",
        "{",
        "}",
        "\\",
        "^",
        "#",
        "~",
        "&",
        '"',
        '\\"',
        "'",
    ),
    *("x^2^3", "_", "x__y", "^^M", "]", "|", "−", "⊙", "\n"),
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_data(name: str) -> None:
    x = tg.tensor([[1.0, 2.0]], "float64", requires_grad=True, name=name)
    h = (x.sigmoid() * 2).named(name + "h")
    same = (h.exp() / h).named(name)
    f = (same**2 * x).sum()
    gradient = tg.derive(f, x)
    expected, *_ = tg.grad(f, x)
    np.testing.assert_allclose(gradient({name: [[1.0, 2.0]]}), expected.numpy(), rtol=1e-14)
    assert len(set(gradient.arguments)) == len(gradient.arguments)
    for line in (str(gradient), *map(str, gradient.steps), *gradient.definitions.values()):
        assert line.isprintable()
        assert balanced(line)
    assert compiles(gradient.latex)
    assert compiles(gradient._repr_latex_()[1:-1])
    # Nothing of a name that is not a plain word is in the source.
    words = set(re.findall(r"[^\W\d]\w*", gradient.numpy))
    assert name in words or not (name.isidentifier() and name.isascii()) or name in RENAMED


RENAMED = {"np", "gradient", "value", "t1", "arg1", "lambda", "class", "None", "print", "_"} | {
    "sigmoid",
    "softmax",
}


def test_names_that_are_equal_are_told_apart() -> None:
    a = tg.tensor([1.0, 2.0], requires_grad=True, name="x")
    b = tg.tensor([3.0, 4.0], requires_grad=True, name="x")
    by_a, by_b = tg.derive((a * b.exp()).sum(), (a, b))
    assert (repr(by_a), repr(by_b)) == ("∂f/∂x = exp(x_2)", "∂f/∂x_2 = x ⊙ exp(x_2)")
    np.testing.assert_allclose(by_b({"x": [1.0, 2.0], "x_2": [0.0, 0.0]}), [1.0, 2.0])


def test_an_input_keeps_its_name_beside_an_intermediate_of_the_same_name() -> None:
    f = tg.formula(lambda x: x.exp().named("x").sum(), x=[1.0, 2.0])
    assert repr(f) == "f = Σ x_2\n    x_2 = exp(x)"
    np.testing.assert_allclose(f(x=[0.0, 0.0]), 2)


def test_a_gradient_that_is_given_goes_by_its_name() -> None:
    x = tg.tensor([1.0, 2.0], dtype="float64", requires_grad=True, name="x")
    for dtype in ("float32", "float64"):
        g = tg.tensor([3.0, 4.0], dtype=dtype, name="g")
        assert str(tg.derive(x**2, x, grad_outputs=g)) == "2 (g ⊙ x)"


def test_an_input_by_the_name_of_the_output() -> None:
    assert repr(tg.derive(lambda f: f**2, f=3.0)) == "∂L/∂f = 2 f"
    assert repr(tg.formula(lambda f: f**2, f=3.0)) == "L = f²"


# Odd ends.


def test_a_function_that_returns_an_input() -> None:
    assert repr(tg.derive(lambda x: x, x=2.0)) == "∂x/∂x = 1"
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    gradient = tg.derive(x, x, grad_outputs=tg.tensor([3.0, 4.0], name="g"))
    assert repr(gradient) == "∂f/∂f = g"
    assert gradient.steps == ()


def test_an_input_that_is_not_used() -> None:
    with pytest.raises(RuntimeError, match="does not depend on 'y'"):
        tg.derive(lambda x, y: x.sum(), x=[1.0], y=[2.0])
    x, y = tg.tensor(1.0, requires_grad=True), tg.tensor(2.0, requires_grad=True)
    with pytest.raises(RuntimeError, match="does not depend on input 1"):
        tg.derive(x.sin(), (x, y))


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (1, 1), (2, 0, 3)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_small_shapes_and_dtypes(shape: tuple[int, ...], dtype: str) -> None:
    x = tg.tensor(np.full(shape, 0.5, dtype), requires_grad=True, name="x")
    f = (x.sigmoid() * 3 + (x + 1).log() / x).sum()
    found = tg.derive(f, x)(x=np.full(shape, 0.5, dtype))
    expected, *_ = tg.grad(f, x)
    assert (np.shape(found), np.asarray(found).dtype) == (shape, dtype)
    np.testing.assert_allclose(found, expected.numpy(), rtol=8 * np.finfo(dtype).eps)


def test_a_gradient_that_is_a_number() -> None:
    gradient = tg.derive(lambda x: 3 * x, x=2.0)
    assert str(gradient) == "3"
    assert type(gradient()) is float


def test_indices_and_masks_of_data() -> None:
    gradient = tg.derive(lambda x, i: x[i].sum(), x=[1.0, 2.0, 3.0], i=[0, 0, 2])
    assert str(gradient) == "scatter(𝟏; [0, 0, 2])"
    np.testing.assert_array_equal(gradient(), [2.0, 0.0, 1.0])
    # A mask that happens to look like the identity is none.
    mask = tg.tensor(np.eye(2, dtype=bool))
    gradient = tg.derive(lambda x, y: tg.where(mask, x, y).sum(), "y", x=1.0, y=np.ones((2, 2)))
    assert str(gradient) == "1[¬c1]"
    np.testing.assert_array_equal(gradient(), 1 - np.eye(2))


def test_an_inner_product_that_is_used_twice() -> None:
    """As a 1×1 matrix with a name of its own in the source."""

    def function(r: Tensor, c: Tensor) -> Tensor:
        one = r.reshape(1, 3) @ c.reshape(3, 1)
        return (one.exp() * one + one.sin() @ one).sum()

    inputs = {"r": matrix(3), "c": matrix(3) + 1}
    for name, gradient in zip(inputs, tg.derive(function, **inputs)):
        leaves = {x: tg.tensor(a, requires_grad=True) for x, a in inputs.items()}
        (expected,) = tg.grad(function(**leaves), leaves[name])
        np.testing.assert_allclose(gradient(inputs), expected.numpy(), rtol=1e-14)


def test_the_graph_stays_usable() -> None:
    x = tg.tensor([5.0, 6.0], requires_grad=True, name="x")
    f = (x**2).sum()
    tg.derive(f, x)
    tg.formula(f)
    assert x.grad is None
    f.backward()
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.numpy(), [10.0, 12.0])
    with pytest.raises(RuntimeError, match="retain_graph=True"):
        tg.derive(f, x)


def test_a_second_derivative_has_a_formula() -> None:
    (slope,) = tg.grad(
        (x := tg.tensor(2.0, requires_grad=True, name="x")) ** 3, x, None, None, True
    )
    assert str(tg.derive(slope, x)) == "6 x"
    f, leaves = experiment(named=False)
    slope = tg.derive(f, leaves[5]).tensor
    assert repr(tg.derive(slope.sum().named("g"), leaves[3])) == "∂g/∂W2 = 2 σ(X W1 + b1)ᵀ 𝟏 𝟏ᵀ"


def test_values_that_are_missing() -> None:
    f, leaves = experiment()
    gradient = tg.derive(f, leaves[3])
    with pytest.raises(TypeError, match="needs a value for X; it takes"):
        gradient(Y=np.ones((5, 4)))
    # An intermediate may be given, or is computed from what it is made of.
    given = gradient(Y=np.ones((5, 4)), h_s=np.ones((5, 3)), Y_p=np.zeros((5, 4)))
    np.testing.assert_array_equal(given, np.full((3, 4), -10.0))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: tg.derive(x.sum()), TypeError, "give the Tensor"),
        (lambda x: tg.derive(x.sum(), 3), TypeError, "wrt is a Tensor or several of them, not 3"),
        (lambda x: tg.derive(x, x), ValueError, "needs a gradient of that shape"),
        (lambda x: tg.derive(x.sum(), x, y=x), TypeError, "y= is for a function"),
        (lambda x: tg.derive(3, x=x), TypeError, "a function of Tensors is needed, not 3"),
        (lambda x: tg.derive(lambda x: 3, x=x), TypeError, "must return a Tensor, not int"),
        (lambda x: tg.derive(lambda x: x.sum(), "z", x=x), ValueError, "'z' is not an input"),
        (lambda x: tg.formula(tg.ones(2)), RuntimeError, "formula"),
    ],
)
def test_bad_input(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(tg.tensor([1.0, 2.0], requires_grad=True))


def test_formulas_are_what_is_returned() -> None:
    x = tg.tensor([1.0, 2.0], requires_grad=True, name="x")
    f = (x**2).sum()
    assert isinstance(tg.derive(f, x), Formula)
    assert [type(g) for g in tg.derive(f, [x])] == [Formula]
    assert repr(tg.derive(f, iter([x]))) == "(∂f/∂x = 2 x,)"
