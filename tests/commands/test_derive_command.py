"""``tinygrad-mlp derive``, run as a person runs it."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import ROOT

import tinygrad_mlp as tg
from tinygrad_mlp.commands import cli
from tinygrad_mlp.experiment import two_layer
from tinygrad_mlp.experiment.bounds import error_bounds
from tinygrad_mlp.experiment.closed_form import closed_form
from tinygrad_mlp.readers.derive.source import Source

NAMES = ("X", "Y", "W1", "W2", "b1", "b2")
INNER = "(Y − Y_p) W2ᵀ ⊙ h_s ⊙ (1 − h_s)"
SPREAD = {"row": "𝟏 b1", "vector": "𝟏 b1ᵀ"}  # b1 as a matrix
BIASES = {
    "full": ("−2 (", ")", "−2 (Y − Y_p)"),
    "row": ("−2 𝟏ᵀ (", ")", "−2 𝟏ᵀ (Y − Y_p)"),
    "vector": ("−2 (", ")ᵀ 𝟏", "−2 (Y − Y_p)ᵀ 𝟏"),
    "scalar": ("−2 Σ (", ")", "−2 Σ (Y − Y_p)"),
}
LOSSES = """
import tinygrad_mlp as tg
from neighbour import SCALE


def ridge(X, w, y, lam=SCALE):
    r = (X @ w - y).named("r")
    return (r**2).sum() + lam * (w**2).sum()


def logs(x, z):
    return x.log().sum()


def misfit(X, w):
    return (X @ w).sum() + (X @ X).sum()


def rows(x):
    return 2 * x


def constant(x):
    return tg.ones(1).sum()


def named_f(f, shape, loss):
    return (f * shape * loss).sum()

"""


class Printed:
    """What a command printed, and how it ended."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err
        self.lines = out.splitlines()


@pytest.fixture
def derive(capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*words: str) -> Printed:
        try:
            status = cli.main(["derive", *words])
        except SystemExit as end:
            status = int(str(end.code))
        return Printed(status, *capsys.readouterr())

    return run


@pytest.fixture
def losses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "losses.py").write_text(LOSSES, encoding="utf-8")
    (tmp_path / "neighbour.py").write_text("SCALE = 0.5\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    return "losses.py"


# The experiment.


@pytest.mark.parametrize("bias", BIASES)
def test_all_six_formulas(derive: Any, bias: str) -> None:
    printed = derive("--bias", bias)
    assert (printed.status, printed.err) == (0, "")
    left, right, b2 = BIASES[bias]
    expected = [
        "f = ‖Y − Y_p‖²_F",
        "    Y_p = h_s W2 + b2",
        f"    h_s = σ(X W1 + {SPREAD.get(bias, 'b1')})",
        f"  N = 100, D = 1, H = 20, O = 1, bias {bias}, float64, seed 0",
        f"∂f/∂X = −2 ({INNER}) W1ᵀ",
        "∂f/∂Y = 2 (Y − Y_p)",
        f"∂f/∂W1 = −2 Xᵀ ({INNER})",
        "∂f/∂W2 = −2 h_sᵀ (Y − Y_p)",
        f"∂f/∂b1 = {left}{INNER}{right}",
        f"∂f/∂b2 = {b2}",
        "All agree: what the formulas give is what the tape gives, up to rounding.",
    ]
    checks = [line for line in printed.lines if line.startswith("  agree: largest difference ")]
    assert [line for line in printed.lines if line and line not in checks] == expected
    assert len(checks) == 7
    assert max(map(len, printed.lines)) <= 80


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", ["5 2 3 4", "1 1 1 1", "0 2 3 1", "1 3 4 2"])
@pytest.mark.parametrize("names", [[], ["--expand"]])
def test_formulas_agree_with_the_tape(
    derive: Any, bias: str, dtype: str, shape: str, names: list[str]
) -> None:
    words = ["--bias", bias, "--dtype", dtype, "--shape", *shape.split(), "--seed", "3", *names]
    printed = derive(*words)
    assert printed.status == 0
    assert printed.lines[-1].startswith("All agree")


def test_expanded(derive: Any) -> None:
    printed = derive("--expand", "--wrt", "b2,W2")
    assert [line for line in printed.lines if "∂" in line] == [
        "∂f/∂b2 = −2 (Y − (σ(X W1 + b1) W2 + b2))",
        "∂f/∂W2 = −2 σ(X W1 + b1)ᵀ (Y − (σ(X W1 + b1) W2 + b2))",
    ]
    assert printed.lines[0] == "f = ‖Y − (σ(X W1 + b1) W2 + b2)‖²_F"


def test_steps(derive: Any) -> None:
    printed = derive("--steps", "--wrt", "W2")
    assert [" ".join(line.split()) for line in printed.lines if "⟹" in line] == [
        "sum f = Σ v1 ∂f/∂f = 1 ⟹ ∂f/∂v1 = 𝟏",
        "pow v1 = v2² ∂f/∂v1 = 𝟏 ⟹ ∂f/∂v2 = 2 (∂f/∂v1 ⊙ v2) = 2 (Y − Y_p)",
        "sub v2 = Y − Y_p ∂f/∂v2 = 2 (Y − Y_p) ⟹ ∂f/∂Y_p = −∂f/∂v2 = −2 (Y − Y_p)",
        "add Y_p = v3 + b2 ∂f/∂Y_p = −2 (Y − Y_p) ⟹ ∂f/∂v3 = ∂f/∂Y_p = −2 (Y − Y_p)",
        "matmul v3 = h_s W2 ∂f/∂v3 = −2 (Y − Y_p) ⟹ ∂f/∂W2 = h_sᵀ ∂f/∂v3 = −2 h_sᵀ (Y − Y_p)",
    ]


def test_latex_is_one_display(derive: Any) -> None:
    printed = derive("--latex", "--steps", "--bias", "row")
    assert printed.status == 0
    lines = [line for line in printed.lines if not line.lstrip().startswith("%")]
    assert (lines[0], lines[-1]) == (r"\begin{align*}", r"\end{align*}")
    assert all(line.isascii() for line in lines)
    rows = lines[1:-1]
    assert len(rows) == 9
    assert all(row.endswith(r" \\") for row in rows[:-1])
    assert rows[-1] == (
        r"  \frac{\partial f}{\partial b_{2}} &= "
        r"-2 \, \mathbf{1}^{\top} \, \left(Y - Y_{p}\right)"
    )
    assert sum("agree: largest" in line for line in printed.lines) == 7


def test_numpy_is_a_module(derive: Any) -> None:
    printed = derive("--numpy", "--expand", "--bias", "row", "--shape", "5", "2", "3", "4")
    assert printed.out.count("def sigmoid") == printed.out.count("import numpy") == 1
    scope: dict[str, Any] = {}
    exec(printed.out, scope)
    tensors = two_layer.problem(1, (5, 2, 3, 4), "row", "float64")
    arrays = dict(zip(NAMES, (t.detach().numpy() for t in tensors)))
    f, gradients = closed_form(*arrays.values())
    bound, bounds = error_bounds(*arrays.values())
    for name in NAMES:
        function = scope[f"gradient_{name}"]
        words = function.__code__.co_varnames[: function.__code__.co_argcount]
        found = function(**{word: arrays[word] for word in words})
        assert (np.abs(found - gradients[name.lower()]) <= 2 * bounds[name.lower()]).all()
    assert abs(scope["value"](**arrays) - f) <= 2 * bound


def test_json(derive: Any) -> None:
    found = json.loads(derive("--json", "--bias", "vector", "--seed", "-3").out)
    assert found["shape"] == {"N": 100, "D": 1, "H": 20, "O": 1}
    assert (found["bias"], found["dtype"], found["seed"]) == ("vector", "float64", -3)
    assert (found["agree"], found["unused"]) == (True, [])
    assert found["loss"]["text"] == "‖Y − Y_p‖²_F"
    assert list(found["gradients"]) == list(NAMES)
    by_b1 = found["gradients"]["b1"]
    assert (by_b1["text"], by_b1["shape"]) == (f"−2 ({INNER})ᵀ 𝟏", [20])
    assert by_b1["arguments"] == ["Y", "W2", "h_s", "Y_p"]
    assert by_b1["definitions"] == {"Y_p": "h_s W2 + b2", "h_s": "σ(X W1 + 𝟏 b1ᵀ)"}
    assert by_b1["latex"].endswith(r"^{\top} \, \mathbf{1}")
    assert by_b1["numpy"].startswith("import numpy as np\n")
    assert by_b1["steps"][0]["op"] == "sum"
    assert set(by_b1["steps"][0]) == {"op", "computes", "came_in", "rule", "went_out"}
    assert 0 <= by_b1["largest_difference"] < 1e-12 < by_b1["largest_entry"]


def test_a_formula_that_is_wrong_is_noticed(derive: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    right = Source.matmul
    monkeypatch.setattr(Source, "matmul", lambda self, x: (f"1.0001 * ({right(self, x)[0]})", 0))
    printed = derive("--wrt", "Y,W2")
    assert printed.status == 1
    assert printed.lines[-1] == "Not found to agree with the tape: f, ∂f/∂Y, ∂f/∂W2"
    assert sum("  DISAGREE: largest difference" in line for line in printed.lines) == 3


@pytest.mark.parametrize("words", ["", "--latex", "--numpy", "--json"])
def test_output_where_the_encoding_lacks_characters(words: str) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "tinygrad_mlp", "derive", *words.split()],
        cwd=ROOT,
        env={"PYTHONIOENCODING": "ascii", "PATH": ""},
        capture_output=True,
    )
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.isascii()


# A function of one's own.


def test_a_function_from_a_file(derive: Any, losses: str) -> None:
    printed = derive(f"{losses}:ridge", "--shapes", "X=5x3", "w=3", "y=5", "lam=scalar")
    assert (printed.status, printed.err) == (0, "")
    formulas = [line for line in printed.lines if re.match(r"[f∂ ]\S* = |    ", line)]
    assert formulas == [
        "f = ‖r‖² + lam ‖w‖²",
        "    r = X w − y",
        "∂f/∂X = 2 r wᵀ",
        "∂f/∂w = 2 (Xᵀ r + lam w)",
        "∂f/∂y = −2 r",
        "∂f/∂lam = ‖w‖²",
    ]
    assert "  losses.py:ridge, X 5×3, w 3, y 5, lam scalar, float64, seed 0" in printed.lines
    # What has a default keeps it.
    printed = derive(f"{losses}:ridge", "--shapes", "X=5×3", "w=3", "y=5", "--wrt", "w")
    assert "∂f/∂w = 2 (Xᵀ r + 0.5 w)" not in printed.lines
    assert "∂f/∂w = 2 Xᵀ r + w" in printed.lines


def test_inputs_that_are_not_used_or_out_of_reach(derive: Any, losses: str) -> None:
    printed = derive(f"{losses}:logs", "--shapes", "x=9", "z=2")
    assert printed.status == 1
    assert "  NOT CHECKED: the tape's answer is not finite" in printed.out
    assert printed.lines[-1] == "Not found to agree with the tape: f"
    printed = derive(f"{losses}:logs", "--shapes", "x=9", "z=2", "--positive", "--json")
    assert (printed.status, json.loads(printed.out)["unused"]) == (0, ["z"])
    printed = derive(f"{losses}:logs", "--shapes", "x=9", "z=2", "--positive")
    assert "∂f/∂z = 0, as f does not depend on z" in printed.lines


def test_inputs_by_the_names_of_other_things(derive: Any, losses: str) -> None:
    words = (f"{losses}:named_f", "--shapes", "f=2", "shape=2", "loss=2")
    assert "∂L/∂f = loss ⊙ shape" in derive(*words).lines
    found = json.loads(derive(*words, "--json").out)
    assert found["shapes"] == {"f": [2], "shape": [2], "loss": [2]}
    assert list(found["gradients"]) == ["f", "shape", "loss"]
    assert found["loss"]["text"] == "Σ (f ⊙ shape ⊙ loss)"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--wrt Z", "--wrt: 'Z' is not an input; they are X, Y, W1, W2, b1, b2"),
        ("--positive", "--positive: for a function only"),
        ("--shape 100000 100000 1 1", "too large a matrix"),
        ("--latex --numpy", "not allowed with argument"),
        ("losses.py:logs --shapes x=3 z=1 --expand", "--expand: for the two-layer network only"),
        ("losses.py:logs --shapes x=3 z=1 --wrt z", "the output does not depend on 'z'"),
        ("losses.py:misfit --shapes X=5x3 w=3", "losses.py:misfit: line 16: ValueError: matmul"),
        ("losses.py:rows --shapes x=3", "needs a gradient of that shape"),
        ("losses.py:constant --shapes x=3", "result does not depend on any of its inputs"),
    ],
)
def test_bad_usage_is_one_line(derive: Any, losses: str, words: str, message: str) -> None:
    printed = derive(*words.split())
    assert (printed.status, printed.out) == (2, "")
    assert message in printed.err
    assert len(printed.err.splitlines()) == 1


def test_help_fits_the_terminal(derive: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    printed = derive("--help")
    assert printed.status == 0
    assert max(map(len, printed.lines)) <= 80
    assert "The exit status is 0 if all formulas agree" in printed.out


def test_the_tapes_answer_is_not_the_formulas_own(
    derive: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A VJP that is wrong on arrays alone makes formula and tape differ."""
    op = tg.ops.sigmoid
    right = op.vjps[0]

    def wrong(g: Any, out: Any) -> Any:
        return right(g, out) if isinstance(out, tg.Tensor) else 1.01 * right(g, out)

    monkeypatch.setattr(op, "vjps", (wrong,))
    printed = derive("--wrt", "b1,b2")
    assert printed.status == 1
    assert printed.lines[-1] == "Not found to agree with the tape: ∂f/∂b1"
