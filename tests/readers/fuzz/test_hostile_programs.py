"""Saved programs of the fuzzer that were tampered with, and names that would like to be more.

What is no program is refused in one line, and nothing of a file is ever executed.
"""

import ast
import copy
import io
import json
import os
import random
import re
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinygrad_mlp.commands.cli import main
from tinygrad_mlp.readers.fuzz.corpus import MARK, save
from tinygrad_mlp.testing import generate

CODE = "__import__('os').mkdir('executed')"
VALUES = [
    None, True, -1, 0, 2**70, 10**9, 1.5, 1e308, -1e-320, float("nan"), float("inf"), "", "exp",
    CODE, "{0.__class__}", "x}", "\ud800", "\n" + CODE + "\n#", [], {}, [None], [[]], [10**9] * 9,
    {"a": 1}, {CODE: CODE}, {"x": 1}, {"lib": 1}, {"index": [["slice", 0, None, 0]]},
    {"dtype": CODE}, ["slice", 1], ["array", [2**70]], ["array", "ab"], "...", [0] * 99,
    [-(2**62)] * 3,
]  # fmt: skip


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(*words: str) -> tuple[Any, str, str]:
    """The exit status of a command, and what it printed."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            status: Any = main(words)
        except SystemExit as end:
            status = end.code
    return status, out.getvalue(), err.getvalue()


def refused(path: Path) -> None:
    """By name, and as one of the corpus."""
    for words in (["--replay", path.name], ["--corpus", "."]):
        status, out, err = said("fuzz", "--against", "complex", "--examples", "1", *words)
        assert (status, out) == (2, ""), (words, out)
        assert err.startswith("python -m tinygrad_mlp fuzz: ")
        assert err.count("\n") == 1
        assert err.removesuffix("\n").isprintable()
    assert not os.path.exists("executed")


def replayed(path: Path) -> str:
    """How it was: refused, or run, with a result; never anything else."""
    status, out, err = said("fuzz", "--against", "complex", "--replay", path.name)
    assert not os.path.exists("executed")
    assert (status == 2) == (out == "") == (err.count("\n") == 1)
    assert status in (0, 1, 2)
    return "refused" if status == 2 else "run"


def places(data: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The ways to all parts of JSON data."""
    parts = (
        data.items()
        if isinstance(data, dict)
        else enumerate(data)
        if isinstance(data, list)
        else ()
    )
    return [at, *(place for key, part in parts for place in places(part, (*at, key)))]


def put(data: Any, at: tuple[Any, ...], value: Any) -> Any:
    if not at:
        return value
    found = data
    for key in at[:-1]:
        found = found[key]
    found[at[-1]] = value
    return data


def doctored(choice: random.Random, data: Any) -> str:
    """The program with something else in it: another value, another key, or one less."""
    data = copy.deepcopy(data)
    for _ in range(choice.choice([1, 1, 1, 2, 3])):
        at = choice.choice(places(data))
        kind = choice.randrange(4)
        inside: Any = data
        for key in at[:-1]:
            inside = inside[key]
        if kind == 0 and at:
            del inside[at[-1]]
        elif kind == 1 and at and isinstance(inside, dict):
            inside[choice.choice([CODE, "x", "xs", "index", "dtype", "into", "lib"])] = inside[
                at[-1]
            ]
        else:
            data = put(data, at, copy.deepcopy(choice.choice(VALUES)))
    return json.dumps(data)


@pytest.mark.parametrize("tries", [500, pytest.param(100_000, marks=pytest.mark.soak)])
def test_tampered_programs_are_refused_or_are_programs(tries: int, folder: Path) -> None:
    choice = random.Random(0)
    path = folder / "kept.py"
    how = {"refused": 0, "run": 0}
    for k in range(tries):
        text = generate(seed=k % 200).to_json()
        whole = f"import os; {CODE}\n{MARK}{text}\n"
        spoiled = bytearray(whole.encode())
        kind = choice.randrange(5)
        a, b = sorted(choice.sample(range(len(spoiled)), 2))
        if kind == 0:
            del spoiled[a:]
        elif kind == 1:
            for _ in range(choice.randint(1, 3)):
                spoiled[choice.randrange(len(spoiled))] ^= 1 << choice.randrange(8)
        elif kind == 2:
            spoiled[a:b] = choice.randbytes(b - a)
        else:
            spoiled = bytearray(f"{CODE}\n{MARK}{doctored(choice, json.loads(text))}\n".encode())
        path.write_bytes(spoiled)
        how[replayed(path)] += 1
    assert how["refused"] > tries / 2
    print(f"programs tried: {how}")


@pytest.mark.parametrize(
    "content",
    [b"", CODE.encode(), bytes(range(256)), b"[" * 100_000, b'{"leaves":' * 100_000, b"9" * 100_000,
     b"\x80\x04]\x94.", b"a" * (10**7 + 1), MARK.encode(), MARK.encode() + b"[" * 10**6,
     b'{"format": 1, "leaves": "' + b"[" * 10**5 + b'"}'],
    ids=range(11),
)  # fmt: skip
def test_what_is_no_program_is_refused(content: bytes, folder: Path) -> None:
    (folder / "x.py").write_bytes(content)
    refused(folder / "x.py")


def test_a_number_that_its_dtype_does_not_hold_is_refused(folder: Path) -> None:
    leaf = {"shape": [], "dtype": "float32", "values": [1e308], "requires_grad": True}
    data = {"format": 1, "leaves": [leaf], "steps": [], "outputs": [0]}
    (folder / "x.py").write_text(json.dumps(data), encoding="utf-8")
    refused(folder / "x.py")


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices are POSIX's")
def test_what_is_no_file_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe.py")
    refused(folder / "pipe.py")
    (folder / "pipe.py").unlink()
    (folder / "device.py").symlink_to("/dev/zero")
    refused(folder / "device.py")
    (folder / "device.py").unlink()
    (folder / "folder.py").mkdir()
    refused(folder / "folder.py")


def test_a_script_is_read_and_not_run(folder: Path) -> None:
    path = save(folder, generate(seed=1), 1, "")
    path.write_text(f"{CODE}\n{path.read_text(encoding='utf-8')}\n{CODE}\n", encoding="utf-8")
    assert said("fuzz", "--against", "complex", "--replay", path.name)[0] == 0
    assert not os.path.exists("executed")


def test_a_note_is_never_code(folder: Path) -> None:
    """A failure's text stands in the docstring of the script that is saved."""
    for note in ('"""', f'"""\n{CODE}\n"""', "\\", '\\"""' + CODE, '"', "\ud800", "\0", "{title}"):
        path = save(folder, generate(seed=1), 1, note)
        tree = ast.parse(path.read_text(encoding="utf-8"))
        plain = ast.parse(
            save(folder / "plain", generate(seed=1), 1, "note").read_text(encoding="utf-8")
        )
        assert [type(x) for x in tree.body] == [type(x) for x in plain.body], note
        assert "mkdir" not in ast.dump(ast.Module(tree.body[1:], []))
        path.unlink()


# Names of files and of what is in them.

NAMES = [
    f"a\n{CODE}\n",
    f"a\r{CODE}\r",
    "\\end{align*}\\input{x}",
    '"""',
    "%",
    "$x^",
    "\x1b[31m",
    "\u2028x",
]


def function(folder: Path, name: str) -> str:
    """A function in a file of that name, which names its Tensors so as well."""
    path = folder / f"{name}.py"
    path.write_text(
        f"def f(x):\n    return ((x * 2).named({name!r}) * x).sum().named({name!r})\n",
        encoding="utf-8",
    )
    return f"{name}.py:f"


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_names_are_never_code_in_what_derive_writes(name: str, folder: Path) -> None:
    place = function(folder, name)
    status, source, _ = said("derive", place, "--shapes", "x=3", "--numpy", "--steps")
    assert status == 0
    for statement in ast.parse(source).body:
        assert isinstance(statement, (ast.FunctionDef, ast.Import)), ast.dump(statement)
    assert not re.search(r"^[^#\n]*mkdir", source, re.MULTILINE)
    status, latex, _ = said("derive", place, "--shapes", "x=3", "--latex", "--steps")
    assert status == 0
    lines = latex.splitlines()
    assert latex.count("\n") == len(lines)
    written = [line for line in lines if not line.lstrip().startswith("%")]
    assert (written[0], written[-1]) == (r"\begin{align*}", r"\end{align*}")
    assert not re.search(
        r"\\(input|end)\b|[^\x20-\x7e]", "\n".join(written[1:-1]).replace("\n", "")
    )


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_names_of_files_are_one_line(name: str, folder: Path) -> None:
    place = function(folder, name)
    for words in (["derive", place, "--shapes", "x=3"], ["explain", place, "--shapes", "3"]):
        status, out, err = said(*words)
        assert status == 0, err
        assert all(line.isprintable() for line in out.split("\n"))


@pytest.mark.parametrize("name", ["a\nb", "$\\frac{$", "\udc80", "é‮💥", "<b>&"], ids=ascii)
def test_names_are_never_markup_in_plots(name: str, folder: Path) -> None:
    rows = "".join(f"{i},{i * i % 7}.5\n" for i in range(20))
    (folder / f"{name}.csv").write_text(rows, encoding="utf-8")
    status, out, err = said("train", "--data", f"{name}.csv", "--epochs", "2", "--plot", "x.svg")
    assert status == 0, err
    assert all(line.isprintable() for line in out.split("\n"))
    drawn = Path("x.svg").read_text(encoding="utf-8")
    assert "<script" not in drawn
    assert np.isin(sorted(os.listdir(folder)), [f"{name}.csv", "x.svg"]).all()
