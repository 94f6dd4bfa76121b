"""FILE.py:FUNCTION and --shapes are the same words after each command that takes a function."""

import json
from argparse import ArgumentTypeError
from pathlib import Path

import pytest

from tinygrad_mlp.commands import cli
from tinygrad_mlp.commands.functions import CodeError, Function, running
from tinygrad_mlp.commands.words import shape

SOURCE = """
from __future__ import annotations
from dataclasses import dataclass
import tinygrad_mlp as tg
from neighbour import half

@dataclass
class Scale:
    by: float = 2.0

def attention(q, k, v, scale=Scale()):
    return (((q @ k.T / scale.by).softmax(dim=1) @ v) ** 2).mean()

def powers(x, p=2.0, weights=1.0):
    return (x ** p * weights).sum() * half

def places(x, w, /):
    return (x @ w).sum()

def several(x1, *xs, scale, shift=0.0):
    return sum((x * scale + shift).sum() for x in (x1, *xs))

def forgets(x):
    (x ** 2).sum()

def exits(x):
    raise SystemExit(3)

def fails(x):
    x = x * 2
    raise KeyError("inside")

number = 3
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "package").mkdir()
    for name in ("mine.py", "package/module.py", "package/__init__.py"):
        (tmp_path / name).write_text(SOURCE, encoding="utf-8")
    (tmp_path / "neighbour.py").write_text("half = 0.5\n", encoding="utf-8")
    (tmp_path / "broken.py").write_text("def f(x:\n", encoding="utf-8")
    (tmp_path / "raises.py").write_text("\nraise ValueError('at import')\n", encoding="utf-8")
    (tmp_path / "asks.py").write_text("import no_such_module\n", encoding="utf-8")
    (tmp_path / "leaves.py").write_text("raise SystemExit(3)\n", encoding="utf-8")
    (tmp_path / "text.txt").write_text("", encoding="utf-8")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("3x4", ("", (3, 4))),
        ("3", ("", (3,))),
        ("0x2", ("", (0, 2))),
        ("5×3", ("", (5, 3))),
        ("2,3", ("", (2, 3))),
        ("3,", ("", (3,))),
        ("scalar", ("", ())),
        ("()", ("", ())),
        ("X=5x3", ("X", (5, 3))),
        ("lam=scalar", ("lam", ())),
    ],
)
def test_shapes_as_words(word: str, expected: object) -> None:
    assert shape(word) == expected


@pytest.mark.parametrize(
    "word",
    [
        *["", "x", "3x", "-1", "3.5", "a", "x=", "=3", "a b=3", "x=y=3"],
        *["100000x100000", "9" * 5000, "1" + "x1" * 64],
    ],
)
def test_other_words_are_no_shapes(word: str) -> None:
    with pytest.raises(ArgumentTypeError):
        shape(word)


COMMANDS = pytest.mark.parametrize("command", ["explain", "derive"])


@COMMANDS
@pytest.mark.parametrize("place", ["mine.py", "./mine.py", "package.module", "package"])
def test_shapes_come_in_order_or_by_name(
    place: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = []
    for shapes in (["3x4", "5×4", "5,2"], ["v=5x2", "q=3×4", "k=5,4"]):
        assert cli.main([command, f"{place}:attention", "--json", "--shapes", *shapes]) == 0
        found.append(json.loads(capsys.readouterr().out))
    assert found[0] == found[1]


@COMMANDS
@pytest.mark.parametrize(
    ("name", "shapes", "expected"),
    [
        ("powers", "x=3 weights=scalar", {"x": [3], "weights": []}),
        ("places", "2x3 3", {"x": [2, 3], "w": [3]}),
        ("several", "3 3 3 scalar", {"x1": [3], "xs0": [3], "xs1": [3], "scale": []}),
        ("several", "shift=2 scale=scalar x1=2 xs0=2",
         {"x1": [2], "xs0": [2], "scale": [], "shift": [2]}),
    ],
)  # fmt: skip
def test_each_argument_gets_its_shape(
    name: str,
    shapes: str,
    expected: dict[str, list[int]],
    command: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main([command, f"mine.py:{name}", "--shapes", *shapes.split(), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    if command == "derive":
        got = [(name, entry["shape"]) for name, entry in found["gradients"].items()]
    else:
        got = [(leaf["name"], leaf["gradient"]["shape"]) for leaf in found["leaves"]]
    assert got == list(expected.items())


def test_what_is_called_by_place_and_what_by_name() -> None:
    found = Function("mine.py:powers").arranged({"x": 1, "p": 2, "weights": 3})
    assert found == ([1, 2, 3], {})
    assert Function("mine.py:powers").arranged({"x": 1, "weights": 3}) == ([1], {"weights": 3})
    several = Function("mine.py:several").arranged({"x1": 1, "xs0": 2, "scale": 3})
    assert several == ([1, 2], {"scale": 3})


@COMMANDS
@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("mine", "'mine' is not of the form FILE.py:FUNCTION or package.module:FUNCTION"),
        ("mine.py:", "'mine.py:' is not of the form"),
        ("nowhere.py:f", "there is no file nowhere.py"),
        ("..:f", "there is no file .."),
        ("nowhere.module:f", "there is no file nowhere.module, and no module of that name"),
        ("text.txt:f", "text.txt is not a Python file"),
        ("broken.py:f", "broken.py: SyntaxError: '(' was never closed (broken.py, line 1)"),
        ("leaves.py:f", "leaves.py exits when it is run"),
        ("mine.py:exits --shapes 3", "mine.py:exits exits when it is run"),
        ("mine.py:nothing", "mine.py has no function 'nothing'; the functions there are: at"),
        ("mine.py:number", "mine.py has no function 'number'"),
        ("mine.py:attention --shapes 3y", "'3y' is not a shape; write 3x4"),
        ("mine.py:attention", "mine.py:attention takes q, k, v, scale, and there are 0 shapes;"),
        ("mine.py:attention --shapes 3x4", "takes q, k, v, scale, and there is 1 shape; give"),
        ("mine.py:attention --shapes q=3 4 5", "some have none; name all of them or none"),
        ("mine.py:attention --shapes q=3 k=4", "takes q, k, v, scale, and"),
        ("mine.py:attention --shapes q=3 k=3 v=3 w=3", "takes q, k, v, scale, and"),
        ("mine.py:attention --shapes q=3 q=3 k=3 v=3", "takes q, k, v, scale, and"),
        ("mine.py:forgets --shapes 3", "mine.py:forgets must return a Tensor, not NoneType"),
        ("os:system --shapes 3", "os:system: TypeError: expected str, bytes or os.Pa"),
        ("--shapes 3", "--shapes: for a function only; the two-layer network takes --shape"),
        ("mine.py:forgets --shape 1 1 1 1 --bias row", "--shape and --bias: for the two-layer net"),
    ],
)  # fmt: skip
def test_bad_usage_is_one_line(
    words: str, message: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([command, *words.split()])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert message in error.replace(f"{Path.cwd()}/", "")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("place", "message", "last"),
    [
        ("mine.py:fails", "mine.py:fails: line 31: KeyError: 'inside'", "KeyError: 'inside'"),
        ("package.module:fails", "package.module:fails: line 31: KeyError: 'inside'", "KeyError"),
        ("raises.py:f", "raises.py: line 2: ValueError: at import", "ValueError: at import"),
        ("raises:f", "raises: line 2: ValueError: at import", "ValueError: at import"),
        (
            "asks:f",
            "asks: line 1: ModuleNotFoundError: No module named 'no_such_",
            "ModuleNotFound",
        ),
    ],
)
def test_errors_of_the_users_code_say_the_line(
    place: str, message: str, last: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["derive", place, "--shapes", "3"])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    # explain shows Python's account, from the user's code on.
    assert cli.main(["explain", place, "--shapes", "3"]) == 1
    head, first, *_, end = capsys.readouterr().err.splitlines()
    assert head == "Traceback (most recent call last):"
    assert place.partition(":")[0].removesuffix(".py").replace(".", "/") + '.py", line ' in first
    assert end.startswith(last)


def test_a_line_of_other_files_is_not_said() -> None:
    error = pytest.raises(CodeError, match="^f: JSONDecodeError: ")
    with error as raised, running("f", "losses.py"):
        json.loads("{")
    assert raised.value.traceback == ""
