"""compare, as a library function and as a command, with PyTorch itself."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from support import ROOT
from torch import relu

import tinygrad_mlp as tg
from tinygrad_mlp.commands import cli
from tinygrad_mlp.experiment import two_layer

pytestmark = pytest.mark.torch
torch.set_num_threads(1)

MODEL = """
import torch as T
from torch import nn
import torch.nn.functional as F
from helper import half

def hidden(x, w):
    return T.tanh(x @ w)

def loss(x, w, b):
    return nn.MSELoss()(F.relu(hidden(x, w)) + b, T.ones(4, 2)) * half

def noisy(x):
    return (x * T.rand(3)).sum()

def wrong(x):
    return x.sum() if type(x).__module__.startswith("torch") else x.sum() + 1

def fails(x):
    return x.cumsum(0)

def not_a_tensor(x):
    return 3

def optional(x, p=2.0, weights=1.0, *, shift=0.0):
    return (x ** p * weights + shift).sum()

def several(*xs, scale):
    return sum((x * scale).sum() for x in xs)
"""


def run(*options: str) -> int:
    return cli.main(["compare", "--seconds", "0", *options])


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "helper.py").write_text("half = 0.5\n", encoding="utf-8")
    (tmp_path / "model.py").write_text(MODEL, encoding="utf-8")
    return str(tmp_path / "model.py")


def test_the_experiment() -> None:
    arrays = [t.detach().numpy() for t in two_layer.problem(dtype="float64")]
    found = tg.compare(two_layer.loss, *arrays, seconds=0)
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    value: Any = two_layer.loss(*theirs)  # type: ignore[arg-type]
    value.backward()
    assert found.value.theirs.item() == value.item()
    assert list(found.gradients) == ["x", "y", "w1", "w2", "b1", "b2"]
    for t, gradient in zip(theirs, found.gradients.values()):
        assert gradient.theirs.tolist() == t.grad.tolist()
        assert gradient.scaled < 1e-13
    assert found.value.ours.item() == two_layer.loss(*map(tg.tensor, arrays)).item()
    assert found.rounds >= 3
    assert all(t > 0 for t in found.seconds.values())


def outside(x: Any) -> Any:
    return F.softmax(x, dim=-1)


def test_each_run_sees_its_own_library_under_the_names_of_the_body() -> None:
    seen = []

    def body(x: Any, w: Any) -> Any:
        y = relu(outside(x) @ w) + tg.ones(2, dtype=tg.float64)
        seen.append(type(y))
        return torch.nn.Sigmoid()(y).sum()

    found = tg.compare(body, np.ones((3, 4)), np.ones((4, 2)), seconds=0)
    assert {tg.Tensor, torch.Tensor} == set(seen)
    assert found.largest.scaled < 1e-15
    with pytest.raises(AttributeError):
        tg.compare(lambda x: x.no_such_method(), 1.0)


def test_random_numbers_are_the_same() -> None:
    found = tg.compare(lambda x: (x * torch.randn(20)).sum(), np.ones(20, "f4"), seed=3, seconds=0)
    assert found.gradients["x"].ulps == 0


def test_whole_numbers_choose_and_other_arrays_have_gradients() -> None:
    found = tg.compare(lambda x, i: x[i], [[1.0, 2.0], [3.0, 4.0]], [1, 1], seconds=0)
    assert list(found.gradients) == ["x"]
    assert found.gradients["x"].ours.tolist() == [[0, 0], [2, 2]]
    assert found.value.shape == (2, 2)


def test_memory_of_a_call() -> None:
    n = 100_000
    found = tg.compare(lambda x: (x.exp() * x).sum(), np.ones(n), seconds=0)
    for peak in found.peak_bytes.values():
        assert 2 * 8 * n <= peak <= 5 * 8 * n + 10_000


def test_the_command_on_the_experiment(capsys: pytest.CaptureFixture[str]) -> None:
    for options in ([], ["--shape", "7", "3", "5", "2", "--bias", "row", "--dtype", "float64"]):
        assert run(*options) == 0
        printed = capsys.readouterr().out
        assert printed.endswith("The two agree.\n")
        assert len(re.findall("^∂/∂", printed, re.MULTILINE)) == 6
        assert max(map(len, printed.splitlines())) <= 80


def test_the_command_on_a_file(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(f"{model}:loss", "--shapes", "4x3", "3x2", "2", "--json", "--full") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["function"] == "loss(x, w, b)"
    assert found["agree"] is True
    assert {k: g["shape"] for k, g in found["gradients"].items()} == {
        "x": [4, 3],
        "w": [3, 2],
        "b": [2],
    }
    assert all(g["ulps"] < 1e4 for g in found["gradients"].values())
    assert len(found["gradients"]["x"]["here"]) == 12
    # The arrays are PyTorch's own for this seed.
    torch.manual_seed(0)
    x, w, b = torch.randn(4, 3), torch.randn(3, 2), torch.randn(2)
    hidden = torch.relu(torch.tanh(x @ w)) + b
    assert found["value"]["under_torch"] == [
        (torch.nn.MSELoss()(hidden, torch.ones(4, 2)) / 2).item()
    ]
    assert run(f"{model}:noisy", "--shapes", "3", "--tolerance", "1e-6") == 0


@pytest.mark.parametrize(
    ("place", "shapes", "expected"),
    [
        ("{}:loss", "b=2 w=3×2 x=4,3", {"x": [4, 3], "w": [3, 2], "b": [2]}),
        ("model:loss", "4x3 3x2 scalar", {"x": [4, 3], "w": [3, 2], "b": []}),
        ("{}:optional", "x=3 weights=scalar shift=3", {"x": [3], "weights": [], "shift": [3]}),
        ("{}:several", "3 3 scalar", {"xs0": [3], "xs1": [3], "scale": []}),
    ],
)
def test_functions_and_shapes_are_named_as_for_the_other_commands(
    place: str,
    shapes: str,
    expected: object,
    model: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(Path(model).parent)
    assert run(place.format(model), "--shapes", *shapes.split(), "--json") == 0
    found = json.loads(capsys.readouterr().out)["gradients"]
    assert {k: g["shape"] for k, g in found.items()} == expected


def test_a_difference_is_reported(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(f"{model}:wrong", "--shapes", "3", "--tolerance", "1e-6") == 1
    assert capsys.readouterr().out.endswith("The two DISAGREE.\n")
    assert run(f"{model}:wrong", "--shapes", "3", "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert found["agree"] is False
    assert found["tolerance"] == 2**-11.5
    assert run(f"{model}:wrong", "--shapes", "3", "--tolerance", "10") == 0
    assert capsys.readouterr().out.endswith("1.0e+01 scaled.\nThe two agree.\n")


@pytest.mark.parametrize(
    ("name", "shapes", "message"),
    [
        (
            "fails",
            "3",
            r"fails: line 20: Attr.*Tensor has no 'cumsum'.*\(raised under tinygrad_mlp\)",
        ),
        ("not_a_tensor", "3", "the function must return a Tensor, not int"),
        ("nothing", "3", "no function 'nothing'; the functions there are: hidden, loss"),
        ("loss", "3", "loss takes x, w, b, and there is 1 shape; give"),
    ],
)
def test_what_goes_wrong_is_one_line(
    model: str, name: str, shapes: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(f"{model}:{name}", "--shapes", shapes)
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert re.search(message, error), error
    assert error.count("\n") == 1


def test_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("nowhere.py:f", "--shapes", "3")
    assert "there is no file nowhere.py" in capsys.readouterr().err


def test_nothing_is_written_to_stderr() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tinygrad_mlp", "compare", "--seconds", "0"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "value 326.126434 here, 326.126404 there" in done.stdout
