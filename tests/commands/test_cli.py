"""The commands, run as a person runs them."""

import json
import os
import subprocess
import sys
import tomllib
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from support import ROOT

import tinygrad_mlp
from tinygrad_mlp.commands import COMMANDS, cli
from tinygrad_mlp.experiment import check, two_layer

COMMAND = [sys.executable, "-m", "tinygrad_mlp"]
NAMES = ["x", "y", "w1", "w2", "b1", "b2"]


def run(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *options],
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "COLUMNS": "80", **environment},
        capture_output=True,
        encoding="utf-8",
    )


def test_experiment() -> None:
    result = run()
    assert (result.returncode, result.stderr) == (0, "")
    assert "loss 326.1264, by the closed form 326.1264\n" in result.stdout
    assert result.stdout.count("agree: largest difference") == 6
    assert result.stdout.endswith("\nAll agree: no difference is larger than rounding explains.\n")
    for name, shape in zip(NAMES, ["100×1", "100×1", "1×20", "20×1", "100×20", "100×1"]):
        assert f"\n∂f/∂{name}  {shape}\n  tape " in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert run("experiment").stdout == result.stdout


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("bias", "b1", "b2"),
    [("full", [7, 5], [7, 2]), ("row", [1, 5], [1, 2]), ("vector", [5], [2]), ("scalar", [], [])],
)
def test_json(
    bias: str, b1: list[int], b2: list[int], dtype: str, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--seed", "-3", "--shape", "7", "3", "5", "2", "--bias", bias, "--dtype", dtype]
    assert cli.main([*options, "--json", "--full"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["seed"], found["bias"], found["dtype"], found["agree"]) == (-3, bias, dtype, True)
    assert found["shape"] == {"N": 7, "D": 3, "H": 5, "O": 2}

    tensors = two_layer.problem(-3, (7, 3, 5, 2), bias, dtype)
    value = two_layer.loss(*tensors)
    value.backward()
    assert found["loss"] == value.item()
    shapes = [[7, 3], [7, 2], [3, 5], [5, 2], b1, b2]
    for name, tensor, shape in zip(NAMES, tensors, shapes, strict=True):
        gradient = found["gradients"][name]
        assert gradient["shape"] == shape
        assert gradient["tape"] == np.asarray(tensor.grad).ravel().tolist()
        assert len(gradient["closed_form"]) == len(gradient["tape"])
        assert gradient["agree"] is True

    assert cli.main([*options, "--json"]) == 0
    few = json.loads(capsys.readouterr().out)["gradients"]["x"]
    assert few["tape"] == found["gradients"]["x"]["tape"][: len(few["tape"])]
    assert 0 < len(few["tape"]) < 21


def test_full_prints_every_figure(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--full", "--shape", "9", "1", "3", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    start = lines.index("∂f/∂b1  9×3")
    end = next(i for i in range(start, len(lines)) if "agree" in lines[i])
    words = " ".join(lines[start + 1 : end]).split()
    figures = [word for word in words if word not in ("tape", "closed", "form")]
    tensors = two_layer.problem(shape=(9, 1, 3, 2))
    two_layer.loss(*tensors).backward()
    expected = [f"{g:.4e}" for g in np.asarray(tensors[4].grad).ravel()]
    assert figures[:27] == expected
    assert len(figures) == 54
    assert max(map(len, lines)) <= 80
    assert not any("…" in line for line in lines)


@pytest.mark.parametrize("sizes", ["0 1 20 1", "5 0 2 1", "5 1 0 1", "5 1 2 0", "0 0 0 0"])
def test_sizes_of_0(sizes: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--shape", *sizes.split()]) == 0
    assert "All agree" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--shape 100 1 -20 1", "'-20' is not a size; sizes are whole numbers, 0 to 100000000"),
        ("--shape 1.5 1 20 1", "'1.5' is not a size"),
        ("--shape 99999999999 1 20 1", "'99999999999' is not a size"),
        ("--shape 100000 1 20000 1", "100000×20000 is too large a matrix"),
        ("--shape 100 1", "expected 4 arguments"),
        ("--shpe 1 1 1 1", "'--shpe' is not an option; did you mean --shape?"),
        ("--zzz", "'--zzz' is not an option ("),
        ("--bias column", "'column' (choose from"),
        ("--dtype float16", "'float16' (choose from"),
        ("--seed one", "'one' is not a whole number"),
        ("--seed 18446744073709551616", "is not a whole number from -2**63 to 2**64 - 1"),
        ("--seed", "expected one argument"),
        ("experimnt", "'experimnt' is not a command; the commands are: experiment"),
        ("experiment 3", "'3' is not an option"),
    ],
)
def test_bad_usage_gets_one_line(options: str, message: str) -> None:
    result = run(*options.split())
    assert (result.returncode, result.stdout) == (2, "")
    assert message in result.stderr
    assert result.stderr.startswith("python -m tinygrad_mlp")
    assert result.stderr.endswith("(--help says more)\n")
    assert result.stderr.count("\n") == 1


def test_too_little_memory_is_bad_usage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def greedy(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(two_layer, "problem", greedy)
    with pytest.raises(SystemExit) as end:
        cli.main([])
    assert end.value.code == 2
    assert "needs more memory than there is; choose smaller sizes" in capsys.readouterr().err


def doctor(monkeypatch: pytest.MonkeyPatch, name: str, change: Any) -> None:
    """Change one of the gradients of the closed form."""
    right = check.closed_form

    def wrong(*inputs: Any) -> Any:
        value, gradients = right(*inputs)
        if name == "loss":
            return change(value), gradients
        return value, {**gradients, name: change(gradients[name])}

    monkeypatch.setattr(check, "closed_form", wrong)


@pytest.mark.parametrize("name", ["loss", *NAMES])
def test_a_wrong_figure_is_noticed(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    doctor(monkeypatch, name, lambda g: g * np.float32(1.001))
    assert cli.main([]) == 1
    out = capsys.readouterr().out
    title = "the loss" if name == "loss" else f"∂f/∂{name}"
    assert out.endswith(f"\nDISAGREE by more than rounding explains: {title}\n")
    assert out.count("  DISAGREE: largest difference") == (name != "loss")
    assert cli.main(["--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["agree"] is False
    assert found["loss_agrees"] is (name != "loss")
    disagree = [n for n in NAMES if not found["gradients"][n]["agree"]]
    assert disagree == ([] if name == "loss" else [name])


def test_nan_does_not_agree(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    doctor(monkeypatch, "w1", lambda g: g * np.float32("nan"))
    assert cli.main([]) == 1
    assert "nan" in capsys.readouterr().out
    assert cli.main(["--json"]) == 1
    assert json.loads(capsys.readouterr().out)["gradients"]["w1"]["closed_form"][0] is None


def test_a_gradient_of_another_shape_does_not_agree(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    doctor(monkeypatch, "x", lambda g: g[None])
    assert cli.main([]) == 1


def test_help_fits_the_terminal_and_lists_the_commands() -> None:
    for options in ("--help", "experiment --help"):
        result = run(*options.split())
        assert result.returncode == 0
        assert "--shape N D H O" in result.stdout
        assert max(map(len, result.stdout.splitlines())) <= 80
    for command in COMMANDS:
        assert f"\n  {command} " in run("--help").stdout


def test_help_waits_for_no_other_command() -> None:
    code = (
        "import sys; from tinygrad_mlp.commands import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: print(*sys.modules, file=sys.stderr)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    ).stderr.split()
    own = [name for name in loaded if name.startswith("tinygrad_mlp.")]
    rooms = ("compare", "training", "tutorial", "testing", "readers.fuzz", "readers.compile")
    rooms += ("readers.derive", "readers.explain.record", "commands.functions", "optim")
    assert [name for name in own if name.split(".", 1)[1].startswith(rooms)] == []


def test_version() -> None:
    assert run("--version").stdout == f"tinygrad-mlp {tinygrad_mlp.__version__}\n"


def test_console_script_is_main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    module, _, function = project["scripts"]["tinygrad-mlp"].partition(":")
    assert getattr(import_module(module), function) is cli.main


def test_output_where_the_encoding_lacks_characters() -> None:
    result = run(PYTHONIOENCODING="ascii")
    assert (result.returncode, result.stderr) == (0, "")
    assert "loss 326.1264" in result.stdout
    assert "?f/?w1" in result.stdout


def test_interrupt_is_quiet(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(two_layer, "problem", interrupted)
    assert cli.main([]) == 130
    assert capsys.readouterr() == ("", "")


def test_only_numpy_and_the_standard_library_are_imported() -> None:
    code = """if True:
        import sys, numpy
        before = set(sys.modules)
        from tinygrad_mlp.commands.cli import main
        main(["--shape", "3", "1", "2", "1"])
        new = [sys.modules[name] for name in set(sys.modules) - before]
        # What is compiled into an extension has no file of its own.
        names = {m.__name__.partition(".")[0] for m in new if getattr(m, "__file__", None)}
        print(sorted(names - set(sys.stdlib_module_names) - {"numpy"}))
    """
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    )
    assert result.stdout.splitlines()[-1] == "['tinygrad_mlp']"
