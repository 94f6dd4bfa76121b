"""The tutorial: every cell runs, every check tells right from wrong, and the command writes it."""

import json
import os
import re
import sys
from functools import cache
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import notebooks
import pytest

from tinygrad_mlp.commands import cli
from tinygrad_mlp.tutorial import LESSONS, blocks, checks, notebook, solution, title

SOLUTIONS = {b.name: b.source for lesson in LESSONS for b in blocks(lesson) if b.kind == "solution"}
EXERCISES = {b.name: lesson for lesson in LESSONS for b in blocks(lesson) if b.kind == "exercise"}
OPTIONAL = {"matplotlib.pyplot": "matplotlib", "torch": "torch", "sklearn.datasets": "scikit-learn"}


def without(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    """Make these packages and what is in them fail to import."""
    for name in modules:
        for part in (name, name.partition(".")[0]):
            monkeypatch.setitem(sys.modules, part, None)


def figures(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Where Matplotlib is installed, the sizes of the pictures that are shown, as they come."""
    drawn: list[int] = []
    if find_spec("matplotlib"):
        import matplotlib
        import matplotlib.pyplot as plt

        def show() -> None:
            for number in plt.get_fignums():
                picture = BytesIO()
                plt.figure(number).savefig(picture)
                drawn.append(picture.tell())
            plt.close("all")

        matplotlib.use("agg")
        plt.close("all")  # what another test has left
        monkeypatch.setattr(plt, "show", show)
    return drawn


@pytest.mark.parametrize("lesson", LESSONS)
def test_runs_untouched_and_without_what_is_optional(
    lesson: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, *OPTIONAL)
    shown = "".join(printed for _, printed in notebooks.run(lesson))
    imports = [
        m for m in OPTIONAL if f'optional("{m}"' in "".join(b.source for b in blocks(lesson))
    ]
    assert "matplotlib.pyplot" in imports
    for module in imports:
        assert f"To have it, run: pip install {OPTIONAL[module]}\n" in shown
    assert shown.count("✗") == sum(home == lesson for home in EXERCISES.values())
    assert "✓" not in shown


@pytest.mark.parametrize("lesson", LESSONS)
def test_runs_solved(lesson: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # PyTorch takes seconds to import; the test marked torch has it.
    if lesson == LESSONS[1]:
        without(monkeypatch, "torch")
    drawn = figures(monkeypatch)
    shown = "".join(printed for _, printed in notebooks.run(lesson, SOLUTIONS))
    assert "✗" not in shown
    assert shown.count("✓") == sum(home == lesson for home in EXERCISES.values())
    for line in SHOWN[lesson]:
        assert line in shown
    if find_spec("matplotlib"):
        assert len(drawn) == sum("plt.show()" in block.source for block in blocks(lesson))


# What the text around the cells speaks of.
SHOWN = {
    LESSONS[0]: ["∂f/∂x = 2.58385316345", "6.0\n12.0", "from 1.9 to 0.0000", "from 2.2 to 4.9132"],
    LESSONS[1]: ["H (6, 5)  S (6, 5)  Ŷ (6, 2)  f ()", "−2 h_sᵀ (Y − Y_p)", "pip install torch"],
    LESSONS[2]: ["x=array(-0.25)", "shape ()      -0.25\n", "of none are wrong", "(1, 3) True"],
    LESSONS[3]: ["x ⊙ cos(x) + sin(x)", "derivative 0:   2 entries", "[1. 1.]", "-0.16667"],
    LESSONS[4]: ["2410 weights", "-log(1/10) = 2.302"],
}


@pytest.mark.skipif(find_spec("sklearn") is None, reason="scikit-learn is not installed")
def test_the_network_learns_digits() -> None:
    assert share_right(LESSONS[4]) > 0.95


def test_the_network_learns_patterns(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "sklearn.datasets")
    assert share_right(LESSONS[4]) > 0.95


def share_right(lesson: str) -> float:
    shown = "".join(printed for _, printed in notebooks.run(lesson))
    found = re.search(r"([\d.]+)% of the pictures it has never seen are right", shown)
    assert found is not None
    return float(found[1]) / 100


def test_the_tape_has_as_many_lines_as_its_text_says() -> None:
    parts = ("# The tape\n", "# Two ops\n", "# Backward\n")
    sources = [
        b.source.partition("\n")[2] for b in blocks(LESSONS[0]) if b.source.startswith(parts)
    ]
    assert len(sources) == 3
    sources += [SOLUTIONS[name] for name in ("sin", "walk", "sigmoid")]
    lines = [line for source in sources for line in source.splitlines() if line]
    assert len(lines) == 30


# The exercises.


@cache
def solved(lesson: str) -> dict[str, Any]:
    """What a reader's names stand for at the end, all exercises solved."""
    namespace: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        without(patch, *OPTIONAL)
        for _ in notebooks.run(lesson, SOLUTIONS, namespace):
            pass
    return namespace


def verdict(name: str, answer: str) -> str:
    """What the cell after an exercise prints, of an answer."""
    lesson = EXERCISES[name]
    cells = [block for block in blocks(lesson) if block.kind in ("code", "exercise")]
    check = next(after for cell, after in zip(cells, cells[1:]) if cell.name == name)
    namespace = dict(solved(lesson))
    notebooks.run_cell(answer, namespace)
    return notebooks.run_cell(check.source, namespace)


def changed(name: str, old: str, new: str) -> str:
    assert old in SOLUTIONS[name]
    return SOLUTIONS[name].replace(old, new)


def test_each_exercise_has_a_solution_and_a_check() -> None:
    assert list(SOLUTIONS) == list(EXERCISES)
    assert {name for name, *_ in MISTAKES} == set(EXERCISES)
    for name in EXERCISES:
        assert f"Notebook {EXERCISES[name][0]}" in str(getattr(checks, name).__doc__)
        assert solution(name) == SOLUTIONS[name]


@pytest.mark.parametrize("name", EXERCISES)
def test_the_solution_is_right(name: str) -> None:
    assert re.fullmatch(r"✓ Right.+\n|✓ Right\.\n", verdict(name, SOLUTIONS[name]))


FILL_IN = "There is still a ..."
MISTAKES = [
    ("sin", "math.cos(x.value)", "math.sin(x.value)", "By its derivative, please"),
    ("sin", "math.cos", "-math.cos", "The sign is wrong"),
    ("sin", "g * math.cos(x.value)", "math.cos(x.value)", "whatever g is"),
    ("sin", "g * math.cos(x.value)", "math.cos(g)", "cosine of g"),
    ("sin", "g * math.cos(x.value)", "g", "You pass g on as it is"),
    ("sin", "cos(x.value),)", "cos(x.value))", "Mind the comma"),
    ("sin", "cos(x.value)", "cos(x)", "must be real number, not Number"),
    ("sin", "g * math.cos(x.value)", "x * x", "is a Number; a plain number is wanted"),
    ("sin", "math.cos(x.value)", "x.value", "A nudge of x says that it should become"),
    ("sin", "g * math.cos(x.value)", "...", FILL_IN),
    ("sin", "    return ", "    ", "Is a return missing?"),
    ("sin", "math.sin(x.value)", "math.sin(2 * x.value)", "the value is"),
    ("sin", "(x,), ", "(), ", "There should be one input"),
    ("sin", "g * math.cos(x.value)", "(g * math.cos(x.value),)", "a comma too many"),
    ("walk", "+=", "=", "one of the contributions is lost"),
    ("walk", "reversed(tape)", "tape", "Go from the end of the tape"),
    ("walk", "reversed(tape)", "...", FILL_IN),
    ("walk", "+= vjp(g[number])", "= ...", FILL_IN),
    ("walk", "vjp(g[number])", "vjp(1.0)", "Each vjp takes the cotangent of"),
    ("walk", "vjp(g[number])", "vjp(g[x])", "Each vjp takes the cotangent of"),
    ("walk", "    return g", "    pass", "walk returns None"),
    ("walk", "vjp(g[number])", "vjp(g[f])", "Each vjp takes the cotangent of"),
    ("walk", "g[f] = 1.0", "g[f] = 2.0", "The cotangent of f should stay 1"),
    ("walk", "+= vjp(g[number])", "-= vjp(g[number])", "✗ "),
    ("walk", "vjp(g[number])", "Number(vjp(g[number])).value", "itself puts Numbers on the tape"),
    ("walk", "vjp(g[number])", "vjp(g[number]) + (x.value == 3)", "the derivative by y is 10.0"),
    ("sigmoid", "g * out * (1 - out)", "...", FILL_IN),
    ("sigmoid", "g * out * (1 - out)", "out * (1 - out)", "whatever g is"),
    ("sigmoid", "g * out * (1 - out)", "g * out", "this is σ."),
    ("sigmoid", "g * out * (1 - out)", "g * (1 - out)", "this is 1 − σ."),
    ("sigmoid", "g * out", "-g * out", "The sign is wrong"),
    ("sigmoid", "out * (1 - out)", "x.value * (1 - x.value)", "This is x (1 − x)"),
    ("sigmoid", "(1 - out)", "(1 + out)", "it should be σ (1 − σ)"),
    ("sigmoid", "(1 - out),)", "(1 - out))", "Mind the comma"),
    ("sigmoid", "g * out * (1 - out)", "g * x * (1 - x)", "✗ "),
    ("by_w2", "s.T @ by_y_p", "...", FILL_IN),
    ("by_w2", "s.T @ by_y_p", "by_y_p.T @ s", "Sᵀ comes first"),
    ("by_w2", "s.T @ by_y_p", "s.T @ by_y", "The sign is wrong"),
    ("by_w2", "s.T @ by_y_p", "-s.T @ r", "A factor of 2 is missing"),
    ("by_w2", "s.T @ by_y_p", "s.T @ r", "The factor −2 is missing"),
    ("by_w2", "s.T @ by_y_p", "s @ w2", "has the shape (6, 2)"),
    ("by_w2", "s.T @ by_y_p", "w2", "other entries"),
    ("by_w2", "s.T @ by_y_p", "None", "is None"),
    ("by_h", "by_s * s * (1 - s)", "...", FILL_IN),
    ("by_h", "by_s * s * (1 - s)", "by_s", "as if it were not there"),
    ("by_h", "by_s * s * (1 - s)", "s * (1 - s)", "This is the slope alone"),
    ("by_h", "by_s * s * (1 - s)", "by_s * s", "you multiply by σ."),
    ("by_h", "by_s * s * (1 - s)", "by_s * (1 - s)", "you multiply by 1 − σ."),
    ("by_h", "by_s * s * (1 - s)", "by_s * h * (1 - h)", "you took h itself"),
    ("by_h", "by_s * s * (1 - s)", "by_s.T @ s", "has the shape (5, 5)"),
    ("by_h", "by_s * s", "-by_s * s", "other entries"),
    ("by_b1", "by_h.sum(axis=0, keepdims=True)", "...", FILL_IN),
    ("by_b1", "by_h.sum(axis=0, keepdims=True)", "by_h", "add them up"),
    ("by_b1", ", keepdims=True", "", "keepdims=True"),
    ("by_b1", "axis=0", "axis=1", "Add the rows to each other, axis 0"),
    ("by_b1", "axis=0, ", "", "This is the sum of everything"),
    ("by_b1", "sum", "mean", "added, not averaged"),
    ("by_b1", "by_h.sum(axis=0", "by_y_p.sum(axis=0", "has the shape (1, 2)"),
    ("by_b1", "by_h.sum", "-by_h.sum", "other entries"),
    ("elu", "out + 1", "out", "Still the same on the left"),
    ("elu", "out + 1", "out - 1", "You subtract 1"),
    ("elu", "out + 1", "1 - out", "This is 1 − out"),
    ("elu", "out + 1", "np.exp(out)", "the exponential of out"),
    ("elu", "g * ", "", "whatever g is"),
    ("elu", "np.where(x > 0, 1.0, out + 1)", "(out + 1)", "On the right the slope is 1"),
    ("elu", "out + 1", "2.0", "other entries"),
    ("elu", "g * np.where(x > 0, 1.0, out + 1)", "...", FILL_IN),
    ("elu", "elu_forward", "lambda x: np.where(x > 0, x, np.exp(x))", "Only the VJP"),
    ("logsumexp", "g[:, None] * tg.exp(x - out[:, None])", "...", FILL_IN),
    ("logsumexp", "g[:, None]", "g", "you multiply the columns by it"),
    ("logsumexp", "g[:, None] * ", "", "The VJP does not use g"),
    ("logsumexp", "out[:, None]", "out", "make it a column, out[:, None]"),
    ("logsumexp", "g[:, None] * tg.exp(x - out[:, None])", "g * tg.exp(x - out)", "Both g and out"),
    ("logsumexp", "tg.exp(x - out[:, None])", "tg.exp(x)", "This is g eˣ"),
    ("logsumexp", "x - out[:, None]", "out[:, None] - x", "The sign of the exponent"),
    ("logsumexp", "g[:, None] * tg.exp(x - out[:, None])", "g", "must have the shape of x"),
    ("logsumexp", "tg.exp", "np.exp", "use tg.exp in place of np.exp"),
    ("logsumexp", "tg.exp", "tg.sin", "other entries"),
    ("taylor", "derivative.item() / math.factorial(k)", "...", FILL_IN),
    ("taylor", "tg.grad(derivative, x, create_graph=True)", "...", FILL_IN),
    ("taylor", " / math.factorial(k)", "", "the derivatives divided by k!"),
    ("taylor", "math.factorial(k)", "max(k, 1)", "You divide by k; it should be by k!"),
    ("taylor", "/ math", "* math", "You multiply by k!"),
    ("taylor", ", create_graph=True", "", "create_graph=True"),
    ("taylor", "derivative.item()", "derivative", "plain numbers: .item()"),
    ("taylor", "(derivative,) = tg.grad(derivative", "_ = tg.grad(derivative", "put the next one"),
    ("taylor", "(derivative,) = tg.grad(derivative", "_ = tg.grad(derivative", "same derivative"),
    ("taylor", "order + 1", "order", "there are 6 coefficients"),
    ("taylor", "    return coefficients", "", "taylor returns None"),
    ("taylor", "derivative.item()", "-derivative.item()", "they should begin"),
    ("hvp", "tg.grad((gradient * v).sum(), x)", "...", FILL_IN),
    ("hvp", "return product", "return ...", FILL_IN),
    ("hvp", "gradient * v", "gradient", "v is not in it"),
    ("hvp", "tg.grad((gradient * v).sum(), x)", "gradient * v,", "Sum it, and differentiate"),
    ("hvp", "tg.grad((gradient * v).sum(), x)", "tg.grad(gradient.sum(), x)[0] * v,", "before"),
    ("hvp", "tg.grad((gradient * v).sum(), x)", "gradient,", "This is the gradient, the first"),
    ("hvp", "    return product", "", "hvp returns None"),
    ("hvp", "(product,) =", "product =", "grad returns a tuple"),
    ("hvp", "gradient * v", "gradient * gradient", "other entries"),
    ("hvp", "x, create_graph=True", "x", "✗ "),
    ("accuracy", "(answers == labels).mean()", "...", FILL_IN),
    ("accuracy", ".mean()", ".sum()", "This is how many are right"),
    ("accuracy", ".mean()", ".mean() * 100", "This is in percent"),
    ("accuracy", "==", "!=", "the share of wrong answers"),
    ("accuracy", ".mean()", "", "Take their mean"),
    ("accuracy", "(answers == labels)", "answers", "not 0.5"),
    ("accuracy", "    return ", "    ", "Is a return missing?"),
    ("step", "loss_of(net(x), target)", "...", FILL_IN),
    ("step", "    optimizer.zero_grad()\n", "", "zero_grad() is missing"),
    ("step", "    optimizer.step()\n", "", "the weights do not change"),
    ("step", "    loss.backward()\n", "", "the weights do not change"),
    ("step", "    loss.backward()\n    optimizer.step()\n",
     "    optimizer.step()\n    loss.backward()\n", "the weights do not change"),
    ("step", "    optimizer.zero_grad()\n    loss.backward()\n",
     "    loss.backward()\n    optimizer.zero_grad()\n", "zero_grad() stand between"),
    ("step", "loss.backward()", "(3 * loss).backward()", "not by lr times the gradient"),
    ("step", "    return loss.item()", "", "Is a return missing?"),
    ("step", "loss_of(net(x), target)", "loss_of(net(x), target) * 2", "The loss that it returns"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "old", "new", "message"), MISTAKES)
def test_a_mistake_is_explained(name: str, old: str, new: str, message: str) -> None:
    said = verdict(name, changed(name, old, new))
    assert said.startswith("✗ ")
    assert message in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("name", [n for n, source in SOLUTIONS.items() if "def " in source])
def test_an_answer_that_raises_is_no_end(name: str) -> None:
    broken = re.sub(r"^(def .*:\n)", r"\1    oops = 1 / 0\n", SOLUTIONS[name], flags=re.M)
    assert verdict(name, broken) == "✗ Your code raises ZeroDivisionError: division by zero\n"


# The notebooks.


@pytest.mark.parametrize("lesson", LESSONS)
def test_notebook_is_as_jupyter_wants_it(lesson: str) -> None:
    found = json.loads(notebook(lesson))
    assert (found["nbformat"], found["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in found["cells"]]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", i) for i in ids)
    text = "".join("".join(c["source"]) for c in found["cells"] if c["cell_type"] == "markdown")
    assert not re.search(r"```python \w", text)
    ends = [c["source"] for c in found["cells"] if "</details>" in "".join(c["source"])]
    assert len(ends) == sum(home == lesson for home in EXERCISES.values())
    assert all(source[-1].strip() == "</details>" for source in ends)
    for cell in found["cells"]:
        assert cell["source"]
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)
    assert text.startswith(f"# {lesson[0]} · {title(lesson)}\n")
    for link in re.findall(r"\]\((.*?)\)", text):
        assert link.removesuffix(".ipynb") in LESSONS


@pytest.mark.parametrize("lesson", LESSONS)
def test_cells_are_short_and_lines_fit(lesson: str) -> None:
    for block in blocks(lesson):
        lines = block.source.splitlines()
        assert max(map(len, lines)) <= 110
        if block.kind != "text":
            assert len(lines) <= 24, block.source
    headings = [line for b in blocks(lesson) if b.kind == "text" for line in b.source.splitlines()]
    assert sum(line.startswith("### Exercise") for line in headings) == sum(
        home == lesson for home in EXERCISES.values()
    )
    assert sum("*Predict:*" in line for line in headings) >= 3


# The command.


def test_writes_the_notebooks_and_says_what_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "some where" / "lessons"
    assert cli.main(["tutorial", str(folder)]) == 0
    out = capsys.readouterr().out
    assert f"jupyter lab '{folder}'\n" in out
    assert sorted(p.name for p in folder.iterdir()) == [f"{lesson}.ipynb" for lesson in LESSONS]
    for lesson in LESSONS:
        path = folder / f"{lesson}.ipynb"
        assert f"{path}\n" in out
        assert path.read_text(encoding="utf-8") == notebook(lesson)


@pytest.mark.parametrize("installed", [True, False])
def test_says_what_to_install(
    installed: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object() if installed else None)
    assert cli.main(["tutorial", str(tmp_path)]) == 0
    assert ("pip install 'tinygrad-mlp[tutorial]'" in capsys.readouterr().out) is not installed


@pytest.mark.parametrize("active", [True, False])
def test_names_the_jupyter_of_its_environment(
    active: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    jupyter = tmp_path / "bin" / "jupyter"
    jupyter.parent.mkdir()
    jupyter.touch()
    monkeypatch.setattr(sys, "executable", str(jupyter.with_name("python")))
    monkeypatch.setattr("shutil.which", lambda name: str(jupyter) if active else None)
    folder = tmp_path / "lessons"
    assert cli.main(["tutorial", str(folder)]) == 0
    named = "jupyter" if active else jupyter
    assert f"\n  {named} lab {folder}\n" in capsys.readouterr().out


def test_help_fits_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        cli.main(["tutorial", "--help"])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_list_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["tutorial", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition("  ")[0] for line in lines] == [f"{lesson}.ipynb" for lesson in LESSONS]
    assert [line.partition("  ")[2] for line in lines] == [title(lesson) for lesson in LESSONS]


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as end:
        cli.main(["tutorial", *words])
    assert end.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    return said.err


def test_without_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert "give the folder to write to, such as: " in refused([], capsys)


def test_nothing_is_overwritten_without_force(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / f"{LESSONS[0]}.ipynb"
    mine.write_text("my answers", encoding="utf-8")
    other = tmp_path / "notes.txt"
    other.write_text("notes", encoding="utf-8")
    message = refused([str(tmp_path)], capsys)
    assert f"{tmp_path} has files in it" in message
    assert f"--force, which replaces {mine.name}" in message
    assert (mine.read_text(encoding="utf-8"), sorted(tmp_path.iterdir())) == (
        "my answers",
        [mine, other],
    )

    assert cli.main(["tutorial", str(tmp_path), "--force"]) == 0
    assert mine.read_text(encoding="utf-8") == notebook(LESSONS[0])
    assert other.read_text(encoding="utf-8") == "notes"
    assert len(list(tmp_path.iterdir())) == len(LESSONS) + 1
    capsys.readouterr()
    assert "replaces the 5 notebooks there, with your answers" in refused([str(tmp_path)], capsys)


def test_a_folder_with_other_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("notes", encoding="utf-8")
    assert "--force, which writes beside them" in refused([str(tmp_path)], capsys)


def test_a_file_is_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "file"
    path.write_text("here", encoding="utf-8")
    assert f"{path} is a file; give a folder" in refused([str(path)], capsys)
    assert f"{path}" in refused([str(path / "below")], capsys)
    assert path.read_text(encoding="utf-8") == "here"


@pytest.mark.skipif(os.name == "nt", reason="permissions are another thing there")
def test_all_or_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tinygrad_mlp.torch import saving

    real, calls = saving.replace_file, []

    def full(path: Path, chunks: list[Any]) -> None:
        calls.append(path)
        if len(calls) == 4:
            raise OSError(28, "No space left on device", str(path))
        real(path, chunks)

    monkeypatch.setattr(saving, "replace_file", full)
    message = refused([str(tmp_path / "a" / "b")], capsys)
    assert "No space left on device; nothing new was left there" in message
    assert list(tmp_path.iterdir()) == []

    # What was there before stays, be it the old one or the new.
    mine = tmp_path / f"{LESSONS[0]}.ipynb"
    mine.write_text("my answers", encoding="utf-8")
    calls.clear()
    refused([str(tmp_path), "--force"], capsys)
    assert list(tmp_path.iterdir()) == [mine]
