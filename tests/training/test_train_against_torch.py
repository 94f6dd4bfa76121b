"""``train`` beside PyTorch and scikit-learn: the same weights and batches, so the same curves."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import readme
import torch

from tinygrad_mlp.commands import cli
from tinygrad_mlp.training.against import TRAINERS
from tinygrad_mlp.training.loop import OURS, Run, Settings, network, score
from tinygrad_mlp.training.problems import problem
from tinygrad_mlp.training.tables import Table, table

pytestmark = [pytest.mark.torch, pytest.mark.usefixtures("one_thread")]

sklearn = pytest.importorskip("sklearn", reason="scikit-learn has the data and is an oracle")


@pytest.fixture
def one_thread() -> Any:
    """Tests run side by side already."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def trained(found: Table, settings: Settings, epochs: int, *names: str) -> Run:
    data = problem(found, settings.seed, settings.dtype)
    rivals = {name: TRAINERS[name][1](data, settings, network(data, settings)) for name in names}
    run = Run(data, settings, rivals)
    for _ in range(epochs):
        run.advance()
    return run


def blobs(classes: int) -> Table:
    draw = np.random.RandomState(0)
    y = draw.randint(0, classes, 60)
    x = draw.randn(60, 3) + np.outer(y, [2, -1, 0])
    return Table("blobs", x, y, [str(c) for c in range(classes)])


def waves(outputs: int) -> Table:
    x = np.random.RandomState(0).randn(60, 3)
    return Table("waves", x, np.sin(x @ np.ones((3, outputs)) + np.arange(outputs)), None)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_thousand_steps_on_digits_follow_pytorch(optimizer: str, compiled: bool) -> None:
    rate = {"sgd": 0.5, "adam": 0.01}[optimizer]
    settings = Settings(64, 64, optimizer, rate, dtype="float64", compile=compiled)
    run = trained(table("digits"), settings, 44, "torch")
    steps = 44 * -(-len(run.problem.x) // 64)
    assert steps >= 1000
    ours, theirs = run.histories[OURS], run.histories["torch"]
    np.testing.assert_allclose(ours.loss, theirs.loss, 1e-9)
    assert ours.score == theirs.score


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_float32_curves_cannot_be_told_apart_in_the_plot(optimizer: str) -> None:
    """Their axes are 430 dots high for at least a tenfold change: a dot is more than 0.5 %."""
    rate = {"sgd": 0.5, "adam": 0.01}[optimizer]
    run = trained(table("digits"), Settings(optimizer=optimizer, lr=rate), 20, "torch", "sklearn")
    ours = run.histories[OURS]
    assert ours.loss[-1] < ours.loss[0] / 10
    for name in ("torch", "sklearn"):
        np.testing.assert_allclose(ours.loss, run.histories[name].loss, 0.0025)


def test_digits_are_learned() -> None:
    for seed, least in ((0, 0.98), (1, 0.97)):
        run = trained(table("digits"), Settings(seed=seed), 30)
        assert run.best_score() >= least


@pytest.mark.parametrize(
    "found", [blobs(2), blobs(3), waves(1), waves(3)], ids=["two", "three", "one", "several"]
)
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_every_task_is_trained_alike(found: Table, optimizer: str) -> None:
    """The last batch is smaller than the others, and the learning rate large enough to matter."""
    settings = Settings(5, 14, optimizer, 0.05, dtype="float64", seed=3)
    run = trained(found, settings, 12, "torch", "sklearn")
    ours = run.histories[OURS]
    assert ours.loss[-1] < 0.9 * ours.loss[0]
    np.testing.assert_allclose(ours.loss, run.histories["torch"].loss, 1e-11)
    # Its Adam adds ε before the correction of √v, so ε counts √(1 − β₂ᵗ) times as much, at most
    # 30 times at first: 1e-8 of that beside gradients of 1e-3 and more.
    close = 1e-11 if optimizer == "sgd" else 1e-3
    np.testing.assert_allclose(ours.loss, run.histories["sklearn"].loss, close)
    assert ours.score == pytest.approx(run.histories["torch"].score, rel=1e-9)


@pytest.mark.parametrize("found", [blobs(2), blobs(3), waves(1), waves(3)])
def test_scores_are_scikit_learns(found: Table) -> None:
    from sklearn.metrics import accuracy_score, r2_score

    data = problem(found, 1, "float64")
    out = np.random.RandomState(0).randn(len(data.valid_y), data.outputs)
    if data.task == "regression":
        expected = r2_score(data.valid_y, out)
    else:
        places = out.argmax(1) if data.task == "classes" else out[:, 0] > 0
        expected = accuracy_score(data.valid_y.reshape(-1), places)
    assert score(data, out) == pytest.approx(expected, rel=1e-12)


def test_a_bad_rate_is_met_without_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    run = trained(waves(1), Settings(4, 60, "sgd", 1.0), 1, "sklearn", "torch")
    run.trainers["sklearn"].model._optimizer.learning_rate = 1e300  # type: ignore[attr-defined]
    for _ in range(3):
        run.advance()
    assert np.isnan(run.histories["sklearn"].loss[-1])
    assert np.isfinite(run.histories[OURS].loss).all()


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib", reason="it draws the plot")
    words = "train --data diabetes --against torch,sklearn --epochs 3 --threads 1 --dtype float64"
    for ending, magic in ((".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")):
        plot = tmp_path / f"curves{ending}"
        assert cli.main([*words.split(), "--plot", str(plot)]) == 0
        assert plot.read_bytes().startswith(magic)
    out = capsys.readouterr().out
    lines = out[: out.index(f"curves in {tmp_path}")].splitlines()
    assert lines[0] == "diabetes: 354 rows to train on, 88 to validate on"
    assert lines[4].split() == ["epoch", OURS, "PyTorch", "scikit-learn", "R²"]
    assert len(set(lines[5].split()[1:3])) == 1
    assert max(map(len, lines)) <= 80
    assert cli.main([*words.split(), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found["history"]) == [OURS, "PyTorch", "scikit-learn"]
    beside = found["comparison"]["PyTorch"]
    assert beside["largest_relative_difference"] < 1e-12
    assert found["comparison"][OURS]["times_ours"] == 1
    ours, theirs = (found["history"][name]["seconds"] for name in (OURS, "PyTorch"))
    assert beside["times_ours"] == pytest.approx(
        sorted(b / a for a, b in zip(ours, theirs, strict=True))[1]
    )
    assert torch.get_num_threads() == 1


def test_readme_shows_what_the_command_prints() -> None:
    (example,) = [e for e in readme.examples(readme.README.read_text("utf-8")) if " train " in e[1]]
    printed = readme.run(example)
    assert readme.matches(example.output.splitlines(), printed.splitlines()), printed
    assert sys.executable
