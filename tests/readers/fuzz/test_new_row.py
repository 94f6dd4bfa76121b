"""Adding an op is adding a row: everything that checks gradients follows, from that one line."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tinygrad_mlp

PACKAGE = Path(tinygrad_mlp.__file__).parent

ROWS = {
    "sinh": 'row("sinh", "sinh(x)", np.sinh, lambda g, out: g * sqrt(1 + out * out))',
    "softsign": 'row("softsign", "x / (1 + |x|)", lambda x: x / (1 + np.abs(x)), '
    "lambda g, x: g / ((1 + abs(x)) * (1 + abs(x))), domain=lambda x: x != 0)",
    "arcsin": 'row("arcsin", "arcsin(x)", np.arcsin, lambda g, x: g / sqrt(1 - x * x), '
    "domain=lambda x: abs(x) < 1)",
    "hypot": 'row("hypot", "√(x² + y²)", np.hypot, lambda g, x, out: g * (x / out), '
    "lambda g, y, out: g * (y / out), broadcasts=True, "
    "domain=lambda x, y: (x != 0) | (y != 0))",
    "squares": 'row("squares", "Σ x²", '
    "lambda x, axes, keepdims: np.sum(x * x, axis=axes, keepdims=keepdims), "
    "lambda g, x, shape, axes: spread(g, shape, axes) * (2 * x))",
}

CODE = """
import sys
from tinygrad_mlp.commands.cli import main
from tinygrad_mlp.readers.fuzz.mistakes import mistakes
from tinygrad_mlp.testing import Plan, check_op, fuzz

new = tuple(sys.argv[1:])
for plan, examples in (Plan(), 100), (Plan(ops=(*new, "mul", "sum")), 100):
    report = fuzz(plan, examples)
    assert report.failure is None, report.text
    assert report.coverage.ops.keys() >= set(new)
assert main(["fuzz", "--against", "complex", "--ops", ",".join(new), "--examples", "20"]) == 0
for op in new:
    mistake = next(iter(mistakes(op)))
    report = fuzz(Plan(ops=(op, "mul", "sum", "sin"), mistake=(op, mistake)), 600)
    assert report.shrunk is not None, mistake
    assert [step.op for step in report.shrunk.steps] == [op], (mistake, report.shrunk)
    # NumPy has no hypot of complex numbers, and finite differences of second order take their time.
    if op != "hypot":
        check_op(op, examples=4)
"""

WRONG = """
import sys
from tinygrad_mlp.testing import Plan, check_op, fuzz, script

op = sys.argv[1]
report = fuzz(Plan(), 600)
assert [step.op for step in report.shrunk.steps] == [op]
assert max(len(leaf.values) for leaf in report.shrunk.leaves) == 1
print(script(report.shrunk))
try:
    check_op(op, examples=4)
except AssertionError as error:
    assert f"{op}: value and VJP: df/dx" in str(error)
else:
    raise AssertionError("check_op has not noticed")
"""


def with_row(folder: Path, row: str) -> dict[str, str]:
    """A copy of the package whose table has one more row, and the environment to import it in."""
    shutil.copytree(
        PACKAGE,
        folder / "tinygrad_mlp",
        ignore=shutil.ignore_patterns("__pycache__"),
        copy_function=shutil.copyfile,  # not the rights, which may be to read alone
    )
    table = folder / "tinygrad_mlp" / "core" / "ops.py"
    table.write_text(f"{table.read_text('utf-8')}\n{row}\n", encoding="utf-8")
    return {**os.environ, "PYTHONPATH": str(folder), "PYTHONUTF8": "1"}


def python(environment: dict[str, str], folder: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, *words], env=environment, cwd=folder, capture_output=True,
        encoding="utf-8",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_row_is_all_that_a_new_op_needs(tmp_path: Path) -> None:
    python(with_row(tmp_path, "\n".join(ROWS.values())), tmp_path, "-c", CODE, *ROWS)


def test_a_wrong_vjp_of_a_new_row_is_found_and_shown_in_one_step(tmp_path: Path) -> None:
    environment = with_row(tmp_path, ROWS["sinh"].replace("1 + out", "2 + out"))
    source = python(environment, tmp_path, "-c", WRONG, "sinh")
    (tmp_path / "found.py").write_text(source, encoding="utf-8")
    assert "df/dx0 = " in python(environment, tmp_path, "found.py")


def test_a_row_with_options_that_nothing_tells_how_to_choose(tmp_path: Path) -> None:
    row = 'row("scaled", "k x", lambda x, k: x * k, lambda g, k: g * k)'
    code = "from tinygrad_mlp.testing import generate; generate(ops=['scaled'])"
    environment = with_row(tmp_path, row)
    with pytest.raises(AssertionError, match="scaled: nothing says how a program chooses k"):
        python(environment, tmp_path, "-c", code)
