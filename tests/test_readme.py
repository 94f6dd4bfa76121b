"""What README.md shows is what comes out."""

import re
from collections.abc import Sequence
from decimal import Decimal
from importlib.util import find_spec

import pytest
import readme

TEXT = readme.README.read_text(encoding="utf-8")
EXAMPLES = readme.examples(TEXT)
COMMANDS = [e for e in EXAMPLES if e.language == "console"]
# .ci/run runs the tests; tests/torch trains beside PyTorch.
RUN_HERE = [e for e in EXAMPLES if "pytest" not in e.source and " train " not in e.source]
# What stands in lines that say how far answers differ, or how long they took.
MACHINE = ("largest difference", "losses differ", "ms an epoch", "times ours")

# Without PyTorch, ``torch`` is still found, as a package without an origin: a folder of tests.
TORCH = find_spec("torch")
WITHOUT_TORCH = TORCH is None or TORCH.origin is None

NUMBER = re.compile(r"-?\d+\.\d+(?:e[+-]\d+)?")
SECONDS = re.compile(r"\d+\.\d+ s\b")
ANY_NUMBER = re.compile(r"[\d.]+(e[+-]?\d+)?( [mµ]?s| [kM]?B| threads?)?")


def alike(shown: str, printed: str) -> bool:
    """Equal but for what depends on the machine: last digits, times, how far answers differ."""
    shown, printed = (SECONDS.sub("# s", line) for line in (shown, printed))
    if NUMBER.sub("#", shown).split() != NUMBER.sub("#", printed).split():
        return False
    if any(words in shown for words in MACHINE):
        return True
    pairs = zip(NUMBER.findall(shown), NUMBER.findall(printed), strict=True)
    return all(
        abs(Decimal(a) - Decimal(b)) <= Decimal(1).scaleb(Decimal(a).as_tuple().exponent)
        for a, b in pairs
    )


def matches(shown: Sequence[str], printed: Sequence[str]) -> bool:
    if not shown:
        return not printed
    if shown[0] == "...":
        return any(matches(shown[1:], printed[i:]) for i in range(len(printed) + 1))
    return bool(printed) and alike(shown[0], printed[0]) and matches(shown[1:], printed[1:])


@pytest.mark.parametrize("example", RUN_HERE, ids=lambda e: e.source.strip().splitlines()[-1])
def test_example_prints_what_is_shown(example: readme.Example) -> None:
    assert example.output
    if "compare" in example.source:
        is_alike_but_for_numbers(example)
        return
    printed = readme.run(example)
    assert matches(example.output.splitlines(), printed.splitlines()), printed


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
    assert readme.table() in TEXT, "out of date: run python tests/readme.py update"


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
    assert matches(shown.split("\n"), printed.split("\n")) is expected
