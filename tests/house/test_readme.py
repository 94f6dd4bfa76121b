"""What README.md shows is what comes out."""

import re
from importlib.util import find_spec

import pytest
import readme

TEXT = readme.README.read_text(encoding="utf-8")
EXAMPLES = readme.examples(TEXT)
COMMANDS = [e for e in EXAMPLES if e.language == "console"]
# .ci/run runs the tests; tests/training trains beside PyTorch.
RUN_HERE = [e for e in EXAMPLES if "pytest" not in e.source and " train " not in e.source]

WITHOUT_TORCH = find_spec("torch") is None

ANY_NUMBER = re.compile(r"[\d.]+(e[+-]?\d+)?( [mµ]?s| [kM]?B| threads?)?")


@pytest.mark.parametrize("example", RUN_HERE, ids=lambda e: e.source.strip().splitlines()[-1])
def test_example_prints_what_is_shown(example: readme.Example) -> None:
    assert example.output
    if "compare" in example.source:
        is_alike_but_for_numbers(example)
        return
    printed = readme.run(example)
    assert readme.matches(example.output.splitlines(), printed.splitlines()), printed


def is_alike_but_for_numbers(example: readme.Example) -> None:
    """What it takes, and how many units in the last place, is the machine's; or it says no."""
    if WITHOUT_TORCH:
        with pytest.raises(AssertionError, match="status 2"):
            readme.run(example)
        return
    # In words, since a number's length may move the end of a line.
    shown, printed = (
        ANY_NUMBER.sub("#", text).split() for text in (example.output, readme.run(example))
    )
    assert shown == printed


def test_the_first_command_runs_the_experiment_the_second_the_tests() -> None:
    first, second, *_ = COMMANDS
    make = "python3 -m venv .venv && .venv/bin/pip install -q "
    assert first.source == make + ". && .venv/bin/tinygrad-mlp"
    assert "loss 326.1264" in first.output
    # .ci/run runs this one, whole.
    assert second.source == make + '-e ".[test]" && .venv/bin/python -m pytest -q -n auto'
    counts = r"\d+ passed(, \d+ skipped)? in [\d.]+s( \([\d:]+\))?"
    assert re.fullmatch(rf"\.\.\.\n{counts}\n", second.output)
    assert [readme.command(1), readme.command(2)] == [first.source, second.source]


def test_table_of_ops() -> None:
    assert readme.table() in TEXT, "out of date: run python tests/shared/readme.py update"


@pytest.mark.parametrize(
    ("shown", "printed", "expected"),
    [
        ("a\n...\nz", "a\nz", True),
        ("a\n...\nz", "a\nb\nc\nz", True),
        ("a\n...\nz", "a\nb", False),
        ("a", "a\nb", False),
        ("a\nb", "a", False),
        ("loss 326.1264", "loss 326.1264", True),
        ("tape -1.9933e-01", "tape -1.9934e-01", True),
        ("10 programs, 0.76 s", "10 programs, 1.20 s", True),
        ("10 programs, 0.76 s", "11 programs, 0.76 s", False),
        ("tape -1.9933e-01", "tape -1.9935e-01", False),
        ("tape -1.9933e-01", "tape  1.9933e-01", False),
        ("agree: largest difference 9.5e-07", "agree: largest difference 0.0e+00", True),
        ("agree: largest difference 9.5e-07", "DISAGREE: largest difference 9.5e-07", False),
    ],
)  # fmt: skip
def test_what_counts_as_a_match(shown: str, printed: str, expected: bool) -> None:
    assert readme.matches(shown.split("\n"), printed.split("\n")) is expected
