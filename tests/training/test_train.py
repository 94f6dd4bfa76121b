"""``train``: what it reads, what it computes, and that it goes on where it was killed."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from select import select
from typing import Any

import numpy as np
import pytest
from support import ROOT, value

import tinygrad_mlp as tg
from tinygrad_mlp.commands import cli
from tinygrad_mlp.training import loop
from tinygrad_mlp.training.loop import OURS, DivergedError, Run, Settings, score
from tinygrad_mlp.training.problems import problem
from tinygrad_mlp.training.report import LINES
from tinygrad_mlp.training.tables import Table, table


def waves(rows: int = 40, outputs: int = 1) -> Table:
    """Numbers to learn, which are smooth in the inputs."""
    x = np.random.RandomState(0).randn(rows, 3)
    return Table("waves", x, np.sin(x @ np.ones((3, outputs)) + np.arange(outputs)), None)


def blobs(rows: int = 60, classes: int = 3) -> Table:
    """Classes that lie apart."""
    draw = np.random.RandomState(0)
    y = draw.randint(0, classes, rows)
    return Table("blobs", draw.randn(rows, 2) + 4 * y[:, None], y, [str(c) for c in range(classes)])


def write(path: Path, rows: Any, header: str = "a,b,kind") -> str:
    lines = [header] * bool(header) + [",".join(map(str, row)) for row in rows]
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return str(path)


@pytest.fixture
def csv(tmp_path: Path) -> str:
    """A CSV file of two inputs and three classes."""
    found = blobs()
    return write(tmp_path / "blobs.csv", [(*x, "abc"[y]) for x, y in zip(found.x, found.y)])


def run(*words: str) -> int:
    """The exit status of the command, in this process."""
    try:
        return cli.main(["train", *words])
    except SystemExit as end:
        return int(end.code or 0)


def bits(state: Any) -> Any:
    """What was saved, but for the times, in a form that compares bit for bit."""
    if isinstance(state, tg.Tensor):
        return value(state).shape, value(state).tobytes()
    if isinstance(state, dict):
        return {k: bits(v) for k, v in state.items() if k != "seconds"}
    return [bits(v) for v in state] if isinstance(state, list) else state


# What it computes.


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("outputs", [1, 2])
def test_the_losses_are_those_of_formulas_worked_out_by_hand(compiled: bool, outputs: int) -> None:
    """SGD with momentum on f = mean((σ(x W1ᵀ + b1) W2ᵀ + b2 − y)²), in plain NumPy."""
    found = problem(waves(outputs=outputs), 3, "float64")
    settings = Settings(5, 7, "sgd", 0.1, 0.9, "float64", 3, compiled)  # 7 does not divide 32
    training = Run(found, settings)
    w1, b1, w2, b2 = (value(p).copy() for p in training.ours.net.parameters())
    speeds = [0 * w for w in (w1, b1, w2, b2)]
    for epoch in range(3):
        training.advance()
        order = np.random.RandomState([3, 0, epoch]).permutation(len(found.x))
        total = 0.0
        for start in range(0, len(order), 7):
            rows = order[start : start + 7]
            x, y = found.x[rows], found.y[rows]
            s = 1 / (1 + np.exp(-(x @ w1.T + b1)))
            r = s @ w2.T + b2 - y
            total += (r**2).sum() / outputs
            by_out = 2 * r / r.size
            by_h = by_out @ w2 * s * (1 - s)
            slopes = [by_h.T @ x, by_h.sum(0), by_out.T @ s, by_out.sum(0)]
            speeds = [0.9 * v + g for v, g in zip(speeds, slopes)]
            w1, b1, w2, b2 = (w - 0.1 * v for w, v in zip((w1, b1, w2, b2), speeds))
        assert training.histories[OURS].loss[-1] == pytest.approx(total / len(order), rel=1e-12)
    for p, w in zip(training.ours.net.parameters(), (w1, b1, w2, b2)):
        np.testing.assert_allclose(value(p), w, 1e-11)


@pytest.mark.parametrize("found", [waves(), blobs(classes=2), blobs()], ids=["R²", "two", "three"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_the_tape_and_the_program_give_the_same_curves(found: Table, optimizer: str) -> None:
    histories = []
    for compiled in (False, True):
        settings = Settings(4, 16, optimizer, 0.05, dtype="float64", compile=compiled)
        training = Run(problem(found, 0, "float64"), settings)
        for _ in range(10):
            training.advance()
        histories.append(training.histories[OURS])
    assert histories[0].loss[-1] < histories[0].loss[0]
    np.testing.assert_allclose(histories[0].loss, histories[1].loss, 1e-10)
    assert histories[0].score == pytest.approx(histories[1].score, rel=1e-9)


def test_all_tasks_are_learned() -> None:
    for found, least in ((waves(400), 0.9), (blobs(200, 2), 0.95), (blobs(200), 0.95)):
        training = Run(problem(found), Settings(16, 16, lr=0.03))
        for _ in range(40):
            training.advance()
        assert training.best_score() > least
        best = training.histories[OURS].score[training.best_epoch - 1]
        assert best == training.best_score()


def test_the_weights_kept_are_those_of_the_best_epoch() -> None:
    training = Run(problem(waves()), Settings(8, 8, lr=0.3))
    for _ in range(20):
        training.advance()
    assert training.best_epoch < 20, "make the rate larger, so that the last is not the best"
    training.ours.net.load_state_dict(training.best_weights)
    out = training.ours.outputs(training.problem.valid_x)
    assert score(training.problem, out) == training.best_score()


def test_scores_by_hand() -> None:
    three = problem(blobs(10))
    right = np.eye(3)[three.valid_y]
    assert score(three, right) == 1
    assert score(three, np.roll(right, 1, 1)) == 0
    assert np.isnan(score(three, right * np.nan))
    two = problem(blobs(10, 2))
    assert score(two, two.valid_y - 0.5) == 1
    assert score(two, 0.5 - two.valid_y) == 0
    number = problem(waves(10))
    assert score(number, number.valid_y) == 1
    assert score(number, 0 * number.valid_y + number.valid_y.mean()) == pytest.approx(0, abs=1e-6)


def test_a_problem_is_split_without_loss_and_scaled_by_what_is_trained_on() -> None:
    x = np.arange(50.0)[:, None] * [1, 100, 0] + [0, 0, 0.1]
    found = problem(Table("rows", x, x[:, :1], None), 1, "float64")
    both = np.concatenate([found.x, found.valid_x])
    assert len(found.valid_x) == 10
    assert len(np.unique(both[:, 0].round(9))) == 50
    np.testing.assert_allclose(found.x.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(found.x[:, :2].std(0), 1, 1e-12)
    np.testing.assert_allclose(found.x[:, 2], 0, atol=1e-12)  # which was constant
    np.testing.assert_allclose(found.y[:, 0], found.x[:, 1], atol=1e-12)
    assert problem(Table("rows", x, x[:, :1], None), 2).digest() != found.digest()


def test_a_loss_that_is_not_finite_ends_the_training(csv: str, capsys: Any) -> None:
    training = Run(problem(waves()), Settings(4, 8, "sgd", 1e30))
    with pytest.raises(DivergedError, match=r"epoch \d+; choose a smaller --lr than 1e\+30"):
        any(training.advance() for _ in range(50))  # type: ignore[func-returns-value]
    assert run("--data", csv, "--lr", "1e300") == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "choose a smaller --lr" in err


# What it reads.


def test_a_csv_file(tmp_path: Path) -> None:
    rows = [(i, -i, 2 * i + 0.5) for i in range(10)]
    found = table(write(tmp_path / "a.csv", rows))
    assert found.x.tolist() == [[i, -i] for i in range(10)]
    assert (found.y.tolist(), found.classes) == ([[2 * i + 0.5] for i in range(10)], None)
    # Without names; with other delimiters; with a byte order mark, spaces and quotes.
    assert table(write(tmp_path / "b.csv", rows, "")).x.tolist() == found.x.tolist()
    text = (tmp_path / "a.csv").read_text(encoding="utf-8")
    (tmp_path / "c.csv").write_text(text.replace(",", ";"), encoding="utf-8-sig")
    (tmp_path / "d.tsv").write_text(text.replace(",", "\t") + "\n", encoding="utf-8")
    (tmp_path / "e.csv").write_text(text.replace("3,-3", '"3", -3 '), encoding="utf-8")
    for name in ("c.csv", "d.tsv", "e.csv"):
        assert table(str(tmp_path / name)).x.tolist() == found.x.tolist()
    # Columns by name and by number.
    path = str(tmp_path / "a.csv")
    assert table(path, ["b"], "a").x.tolist() == [[-i] for i in range(10)]
    assert table(path, ["kind", "2"], "1").x[1].tolist() == [2.5, -1]
    # Names, or none where the first row has numbers above numbers, as the second.
    plain = write(tmp_path / "f.csv", [(i, "ab"[i % 2]) for i in range(10)], "")
    assert len(table(plain).x) == 10
    years = write(tmp_path / "g.csv", rows, "2001,2002,mean")
    assert table(years, ["2002"]).x.tolist() == [[-i] for i in range(10)]


def test_which_targets_are_classes(tmp_path: Path) -> None:
    def of(values: Any, task: str | None = None) -> Any:
        path = write(tmp_path / "t.csv", [(i, i, v) for i, v in enumerate(values)])
        return table(path, task=task).classes

    assert of(["no", "yes"] * 10) == ["no", "yes"]
    assert of([3, 1, 2, 1] * 5) == ["1", "2", "3"]
    assert of([0.5, 1] * 10) is None
    assert of([0.5, 1] * 10, "classify") == ["0.5", "1"]
    assert of([0, 1] * 10, "regress") is None
    assert of(range(21)) is None
    assert of([1, "1a"] * 10) == ["1", "1a"]


def test_an_npz_file(tmp_path: Path) -> None:
    path = str(tmp_path / "a.npz")
    x, y = np.random.rand(12, 2, 3), np.arange(12) % 3
    np.savez(path, x=x, y=y)
    found = table(path)
    np.testing.assert_array_equal(found.x, x.reshape(12, 6))
    assert (found.y.tolist(), found.classes) == (y.tolist(), ["0", "1", "2"])
    np.savez_compressed(path, a=x, b=np.array(["p", "q"] * 6), c=np.random.rand(12, 2))
    assert table(path, ["a"], "b").classes == ["p", "q"]
    assert table(path, ["a"], "c").y.shape == (12, 2)
    np.savez(path, X=x[:, :, 0], y=y > 0)
    assert table(path).classes == ["False", "True"]


TWELVE = [(i, i * i, "xy"[i % 2]) for i in range(12)]


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([], {}, "the file is empty"),
        ([("a", "b", "c")], {}, "0 rows; at least 10 are needed"),
        ([*TWELVE, (1, 2)], {}, "line 13 has 2 values, and the first 3"),
        ([*TWELVE, (1, "", "x")], {}, "line 13, column '2' is empty; fill it in"),
        ([*TWELVE, (1, "nan", "x")], {}, "line 13, column '2' is nan; give it a number"),
        ([*TWELVE, (1, "-inf", "x")], {}, "line 13, column '2' is -inf"),
        (
            [*TWELVE, (1, "one", "x")],
            {},
            "line 13, column '2': 'one' is not a number; choose other",
        ),
        ([*TWELVE, (1, "1_0", "x")], {}, "'1_0' is not a number"),
        ([*TWELVE, (1, 2, "")], {}, "line 13, column '3' is empty"),
        ([(i, 1, i / 2) for i in range(12)] + [(1, 2, "nan")], {}, "line 13, column '3' is nan"),
        ([*TWELVE, (1, '"2', 3)], {}, "line 13: unexpected end of data"),
        (TWELVE, {"target": "kind"}, "--target: there is no column 'kind'; there are: 1, 2, 3"),
        (TWELVE, {"target": "4"}, "there is no column '4'"),
        (TWELVE, {"inputs": ["1", "x"]}, "--inputs: there is no column 'x'"),
        (TWELVE, {"inputs": ["3"]}, "column '3' is the target, and cannot be an input too"),
        (TWELVE, {"task": "regress"}, "the target 'x' is not a number; --task classify?"),
        ([(1, 2, 3)] * 12, {}, "the target is 3 in every row"),
        ([(1, 2, 3)] * 12, {"task": "regress"}, "the target is 3 in every row"),
        ([(1, 2, f"n{i}") for i in range(12)], {}, "12 classes in 12 rows are too many; choose"),
        ([(i,) for i in range(12)], {}, "there are no inputs beside the target"),
        ([("n", "n", "t"), *TWELVE], {"target": "n"}, "there are 2 columns 'n'; count from 1"),
    ],
)
def test_bad_csv(tmp_path: Path, rows: list[Any], options: dict[str, Any], message: str) -> None:
    path = write(tmp_path / "bad.csv", rows, "")
    with pytest.raises(ValueError, match=f"^{re.escape(path)}: .*{re.escape(message)}"):
        table(path, **options)


def test_a_name_that_is_misspelled_is_met_with_the_nearest(csv: str) -> None:
    with pytest.raises(ValueError, match="no column 'knd'; did you mean 'kind'"):
        table(csv, target="knd")
    with pytest.raises(ValueError, match="digts: there is no such file; did you mean digits"):
        table("digts")
    with pytest.raises(ValueError, match="digits has inputs and a target of its own"):
        table("digits", target="y")


@pytest.mark.parametrize(
    ("arrays", "options", "message"),
    [
        ({"x": np.ones((12, 2))}, {}, "there is no array 'y' or 'Y' or 'target', but x; name one"),
        ({}, {}, "but none at all"),
        ({"x": np.ones(12), "y": np.ones(11)}, {}, "shape (12,) and a target of (11,) do not fit"),
        ({"x": 1, "y": 2}, {}, "shape () and a target of () do not fit"),
        ({"x": np.ones(12, complex), "y": np.arange(12.0)}, {}, "not of dtype complex128"),
        ({"x": [["a"]] * 12, "y": np.arange(12.0)}, {}, "the inputs are numbers, not of dtype <U1"),
        ({"x": [[1], [np.nan]] * 6, "y": np.arange(12)}, {}, "inputs[1, 0] is nan; give it"),
        ({"x": np.ones(12), "y": [0.5, np.inf] * 6}, {}, "target[1] is inf; give it"),
        ({"x": np.array([None] * 12), "y": np.ones(12)}, {}, "it holds Python objects"),
        ({"x": np.ones(12), "y": np.ones((12, 2, 2))}, {}, "shape (12, 2, 2) is of no use"),
        ({"x": np.ones(12), "y": np.ones((12, 2))}, {"task": "classify"}, "cannot be classes"),
        ({"x": np.ones(12)}, {"inputs": ["x", "y"]}, "one array of an .npz file, not 2"),
    ],
)
def test_bad_npz(
    tmp_path: Path, arrays: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    path = tmp_path / "bad.npz"
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))}: .*{re.escape(message)}"):
        table(str(path), **options)


def test_a_damaged_npz_file(tmp_path: Path) -> None:
    path = tmp_path / "bad.npz"
    np.savez(path, x=np.linspace(0, 1, 24).reshape(12, 2), y=np.arange(12) % 2)
    whole, good = path.read_bytes(), table(str(path))
    for data in (b"", b"text", whole[:100], whole[:-30], flipped(whole, 200, 0xFF)):
        path.write_bytes(data)
        with pytest.raises(ValueError, match="bad.npz: not a good .npz file: it is damaged, or no"):
            table(str(path))
    for place in range(len(whole)):
        for bits in (0x01, 0x08, 0x80, 0xFF):
            path.write_bytes(flipped(whole, place, bits))
            with contextlib.suppress(ValueError):
                found = table(str(path))
                # What zipfile does not look at, such as the time.
                assert (found.x.tolist(), found.y.tolist()) == (good.x.tolist(), good.y.tolist())


def flipped(data: bytes, place: int, bits: int) -> bytes:
    return data[:place] + bytes([data[place] ^ bits]) + data[place + 1 :]


def test_numbers_too_large_are_refused() -> None:
    x = np.array([[1e308], [-1e308]] * 6)
    with pytest.raises(ValueError, match="rows: some numbers are too large"):
        problem(Table("rows", x, np.arange(12.0)[:, None], None))


# The command.


def test_the_report(csv: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--data", csv, "--hidden", "5", "--epochs", "30", "--lr", "0.02") == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[:3] == [
        "blobs.csv: 48 rows to train on, 12 to validate on",
        "2 inputs, 5 hidden units, 3 outputs; cross-entropy",
        "adam, lr 0.02, batches of 64, float32, seed 0",
    ]
    assert lines[4].split() == ["epoch", "loss", "accuracy"]
    shown = [line.split() for line in lines[5 : lines.index("", 5)]]
    assert [shown[0][0], shown[-1][0]] == ["1", "30"]
    assert len(shown) <= LINES
    assert sum(row[-1] == "best" for row in shown) == 1
    assert float(shown[-1][1]) < float(shown[0][1])
    assert lines[-2] == "done: 30 epochs"
    assert lines[-1].startswith("best accuracy ")
    assert max(map(len, lines)) <= 80
    assert run("--data", csv, "--epochs", "30", "--full") == 0
    assert sum(line[:5].strip().isdecimal() for line in capsys.readouterr().out.splitlines()) == 30


def test_json(csv: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--data", csv, "--epochs", "4", "--json", "--optimizer", "sgd", "--no-compile")
    assert run(*words) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["data"]["rows"] + found["data"]["validation_rows"] == 60
    assert found["data"]["classes"] == ["a", "b", "c"]
    assert found["settings"]["lr"] == 0.5
    assert (found["epochs"], found["ended"], found["measure"]) == (4, "epochs", "accuracy")
    history = found["history"][OURS]
    assert [len(history[k]) for k in ("loss", "score", "seconds")] == [4, 4, 4]
    assert found["best"]["score"] == max(history["score"])
    assert found["best"]["epoch"] == 1 + history["score"].index(found["best"]["score"])
    assert run(*words) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["history"][OURS]["loss"] == history["loss"]
    assert run(*words, "--seed", "-1") == 0
    other = json.loads(capsys.readouterr().out)
    assert other["history"][OURS]["loss"] != history["loss"]


def test_it_stops_where_it_gets_no_better(csv: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--data", csv, "--patience", "3", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ended"] == "patience"
    assert found["epochs"] == found["best"]["epoch"] + 3
    assert run("--data", csv, "--patience", "0", "--epochs", "50", "--json") == 0
    assert json.loads(capsys.readouterr().out)["epochs"] == 50


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--data nowhere.csv", "nowhere.csv: there is no such file"),
        ("--data .", ".: this is not a file"),
        ("--lr 0", "'0' is not a number above 0"),
        ("--lr nan", "'nan' is not a number above 0"),
        ("--momentum 1", "'1' is not a number from 0 to less than 1"),
        ("--momentum 0.5", "--momentum is of --optimizer sgd, not of adam"),
        ("--batch 0", "'0' is not a whole number from 1"),
        ("--optimizer lbfgs", "'lbfgs' (choose from"),
        ("--against jax", "--against: 'jax' is not one of torch, sklearn"),
        ("--resume", "--resume needs --checkpoint"),
        ("--checkpoint nowhere/at/all", "nowhere/at/all: cannot be written: No such file"),
        ("--checkpoint .", ".: this is a folder"),
        ("--plot a.doc", "a.doc: a plot's name ends in .png, .svg, .pdf, .jpg"),
        ("--plot nowhere/a.png", "nowhere/a.png: cannot be written"),
        ("--checkpiont x", "did you mean --checkpoint?"),
    ],
)
def test_bad_usage_gets_one_line(
    words: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*words.split()) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert message in err


@pytest.mark.parametrize(
    ("module", "words", "install"),
    [
        (
            "sklearn",
            "",
            "scikit-learn is not installed: pip install 'tinygrad-mlp[train]'; or give",
        ),
        ("sklearn", "--data {} --against sklearn", "scikit-learn is not installed: pip install"),
        ("torch", "--data {} --against torch", "torch is not installed: pip install 'tinygrad-mlp"),
        ("matplotlib", "--data {} --plot a.png", "pip install 'tinygrad-mlp[plot]'"),
        ("threadpoolctl", "--data {} --threads 1", "pip install 'tinygrad-mlp[train]'"),
        ("safetensors", "--data {} --checkpoint a", "pip install 'tinygrad-mlp[save]'"),
    ],
)
def test_what_is_not_installed_is_said_in_one_line(
    module: str,
    words: str,
    install: str,
    csv: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)  # so that to import it fails
    assert run(*words.format(csv).split()) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert install in err


# Checkpoints.


@pytest.mark.parametrize("words", ["", "--optimizer sgd --dtype float64", "--no-compile"])
def test_a_run_that_goes_on_comes_to_the_same_bits(csv: str, tmp_path: Path, words: str) -> None:
    options = ("--data", csv, "--patience", "0", *words.split())
    whole, parts = str(tmp_path / "whole"), str(tmp_path / "parts")
    assert run(*options, "--epochs", "9", "--checkpoint", whole) == 0
    for epochs in ("1", "2", "6", "9", "9"):
        assert run(*options, "--epochs", epochs, "--checkpoint", parts, "--resume") == 0
    assert bits(tg.load(parts)) == bits(tg.load(whole))


def test_a_checkpoint_that_does_not_fit_is_refused(
    csv: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "state")
    options = ("--data", csv, "--epochs", "2", "--checkpoint", path)
    assert run(*options) == 0
    before = Path(path).read_bytes()
    other = write(tmp_path / "other.csv", [(*x, "abc"[y]) for x, y in zip(*blobs(90)[1:3])])
    for words, message in (
        (options, "is there; --resume goes on from it, or remove it first"),
        ((*options, "--resume", "--against", "torch"), "--against starts from the beginning"),
        ((*options, "--resume", "--hidden", "5"), "it does not fit: --hidden 64 there and 5 here"),
        ((*options, "--resume", "--lr", "3"), "--lr 0.01 there and 3.0 here"),
        ((*options, "--resume", "--no-compile"), "--compile True there and False here"),
        ((*options, "--resume", "--data", other), "it does not fit: other rows of blobs.csv there"),
        ((*options, "--resume", "--checkpoint", csv), "it is truncated, damaged or no safetensors"),
    ):
        assert run(*words) == 2
        err = capsys.readouterr().err
        assert message in err
        assert err.count("\n") == 1
    assert Path(path).read_bytes() == before


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.pop("history"),
        lambda s: s["history"]["loss"].append(1.0),
        lambda s: s["net"].pop("0.weight"),
        lambda s: s["best"]["net"].update({"0.weight": tg.zeros(1)}),
        lambda s: s["optimizer"].update(state={0: {"exp_avg": tg.zeros(1)}}),
        lambda s: s["settings"].pop("lr"),
        lambda s: s.update(settings=3),
        lambda s: s.update(best=None),
        lambda s: s.update(format="another"),
    ],
)
def test_a_state_that_lacks_something_changes_nothing(change: Callable[[Any], Any]) -> None:
    training = Run(problem(blobs()), Settings(4))
    training.advance()
    state = training.state()
    heir = Run(problem(blobs()), Settings(4))
    before = bits(heir.state())
    heir.restore(state)
    assert heir.epoch == 1
    heir = Run(problem(blobs()), Settings(4))
    change(state)
    with pytest.raises(ValueError, match="it (does not fit|is not a)"):
        heir.restore(state)
    assert bits(heir.state()) == before


def started(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tinygrad_mlp", "train", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 60
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_run_that_is_killed_goes_on_to_the_same_bits(csv: str, tmp_path: Path) -> None:
    options = ("--data", csv, "--batch", "1", "--patience", "0")
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    process = started(*options, "--epochs", "1000000", "--checkpoint", str(parts))
    wait_for(parts, process)
    process.kill()
    process.communicate()
    reached = len(tg.load(parts)["history"]["loss"])
    assert reached >= 1
    epochs = ("--epochs", str(reached + 5))
    assert run(*options, *epochs, "--checkpoint", str(parts), "--resume") == 0
    assert run(*options, *epochs, "--checkpoint", str(whole)) == 0
    assert bits(tg.load(parts)) == bits(tg.load(whole))


@pytest.mark.skipif(os.name == "nt", reason="there Ctrl-C is sent to a whole console")
def test_ctrl_c_ends_the_epoch_saves_and_stops(csv: str, tmp_path: Path) -> None:
    path = tmp_path / "state"
    options = ("--data", csv, "--patience", "0", "--checkpoint", str(path))
    process = started(*options, "--epochs", "100000000")
    wait_for(path, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")
    reached = len(tg.load(path)["history"]["loss"])
    stopped = f"stopped by Ctrl-C after epoch {reached}; the same command with --resume goes on\n"
    assert stopped in out
    assert out.endswith(f"state in {path}\n")
    assert run(*options, "--resume", "--epochs", str(reached + 1)) == 0
    assert len(tg.load(path)["history"]["loss"]) == reached + 1


def test_ctrl_c_twice_stops_at_once(
    monkeypatch: pytest.MonkeyPatch, csv: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def twice(self: Run) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("it went on")

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(loop.Run, "advance", twice)
    assert run("--data", csv) == 130
    assert capsys.readouterr() == ("", "")
    assert signal.getsignal(signal.SIGINT) is before


def test_a_checkpoint_that_cannot_be_written_later_is_said(
    monkeypatch: pytest.MonkeyPatch,
    csv: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device", "state")

    monkeypatch.setattr("tinygrad_mlp.torch.saving.os.fsync", full)
    assert run("--data", csv, "--checkpoint", str(tmp_path / "state")) == 2
    assert "stopped after epoch 1, which is not saved: state: No space" in capsys.readouterr().out
    assert os.listdir(tmp_path) == ["blobs.csv"]


def test_it_runs_outside_of_the_main_thread(csv: str) -> None:
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(run("--data", csv, "--epochs", "2")))
    thread.start()
    thread.join()
    assert found == [0]


@pytest.mark.skipif(os.name == "nt", reason="there are no pseudo-terminals")
def test_on_a_terminal_there_is_a_bar_or_a_word_on_how_to_get_one(csv: str) -> None:
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 40, 120, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "tinygrad_mlp", "train", "--data", csv, "--epochs", "3"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    out, _ = process.communicate(timeout=60)
    assert select([ours], [], [], 0)[0], "nothing was shown"
    shown = os.read(ours, 10000).decode()
    os.close(theirs)
    os.close(ours)
    assert process.returncode == 0
    assert out.decode().count("done: 3 epochs") == 1
    if find_spec("tqdm"):
        assert "0/3" in shown
    else:
        assert shown == "(for a progress bar: pip install 'tinygrad-mlp[train]')\r\n"
