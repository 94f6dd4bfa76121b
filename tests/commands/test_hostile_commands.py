"""Commands with words that nobody should give: a documented exit status and one clear line, soon.

Every command is called with options from its own parser and values from a list of the worst there
are, among good ones so that the deeper code is reached. That happens in a process of its own with
little memory, in which each call has twenty seconds.
"""

import contextlib
import io
import json
import os
import random
import re
import resource
import signal
import socket
import subprocess
import sys
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.commands import COMMANDS, cli

STATUSES = {0, 1, 2, 130}
SECONDS = 20  # of the processor; ten times that on a clock, for what waits

FUNCTIONS = """
import sys
import tinygrad_mlp as tg
def good(x, w): return ((x * w) ** 2).sum()
def one(x): return (x * x).sum()
def keyword(x, *, w): return (x * w).sum()
def many(*x): return sum(y.sum() for y in x)
def vector(x): return x * 2
def nothing(x): return None
def constant(x): return 3
def unused(x): return tg.ones(1).sum()
def two(x): return x.sum(), x
def nan(x): return (x / 0).sum()
def negative(x): return (-x * x).log().sum()
def raises(x): raise ValueError("many\\nlines\\x1b[31m")
def deep(x): return deep(x)
def text(x): return "<script>alert(1)</script>"
def titled(x): return (x.named("]-->\\"`$(touch executed)") * x).sum()
def prints(x): print("\\ud800"); return x.sum()
def interrupted(x): raise KeyboardInterrupt
def greedy(x): return tg.ones(10**6, 10**6).sum()
class Class: pass
number = 3
"""
FILES: dict[str, bytes] = {
    "functions.py": FUNCTIONS.encode(),
    "raises.py": b"raise ValueError('at import')",
    "exits.py": b"import sys; sys.exit(3)",
    "syntax.py": b"def f(:",
    "binary.py": bytes(range(256)),
    "null.py": b"def one(x): return x.sum()\0",
    "binary.bin": bytes(range(256)) * 40,
    "empty": b"",
    "empty.py": b"",
    "a folder/inside.txt": b"",
    "data.csv": b"a,b,y\n" + b"".join(b"%d,%d,%d\n" % (i, i * i % 7, i % 2) for i in range(40)),
    "numbers.csv": b"".join(b"%d.5,%d.25\n" % (i, i * 3 % 11) for i in range(40)),
    "one row.csv": b"a,y\n1,2\n",
    "ragged.csv": b"a,b\n1,2\n3\n" * 9,
    "words.csv": "é‮💥,<b>\nx,y\n".encode() * 9,
    "long.csv": b"9" * 200_000 + b",1\n",
    "huge.csv": b"1e308,1\n-1e308,2\n1e-320,3.5\n" * 9,
    "nan.csv": b"nan,1\ninf,2\n" * 9,
    "latin.csv": b"\xe9,\xff\n1,2\n",
    "nested.json": b"[" * 100_000,
    "a\nb.csv": b"1,2\n3,4\n" * 9,
    "\x1b[31mred.csv": b"1,2\n3,4\n" * 9,
}
# No path leads out of the folder that the calls are made in and the one above but to what
# cannot be written: whoever runs this may be allowed to write anywhere.
HOSTILE = [
    "/proc/nowhere/x", "/proc/version",
    "", " ", "-", "--", "-1", "0", "-0", "1.5", "nan", "inf", "-inf", "1e400", "1e308", "1e-320",
    "NaN", "0x10", "1_000", "²", "١٢٣", "２", "9" * 18, "9" * 5000, "-" + "9" * 5000, "1" * 400,
    "True", "None", "null", "\n", "a\nb", "a\tb", "\x1b[2J\x1b[31m", "\x00", "a\x00b", "\ud800",
    "é\u202e💥", "a" * 5000, "../up", ".", "..",
    "pipe", "socket", "<script>alert(1)</script>",
    "`touch executed`", "$(touch executed)", "; touch executed",
    "__import__('os').mkdir('executed')", "$x^", "{0.__class__}", "%s%n", "\\", "'", '"', ",",
    ",,", "=", ":", "x=", "=3", "x", "xx", "3x", "3x-2", "3x4x", "1x1e9",
    "99999999999x99999999999", "100000x100000", "0", "0x0", "5x0", "x=3x3", "scalar", "x=scalar",
    "1" + "x1" * 31, "1" + "x1" * 70, "x=1" + "x1" * 70, "os:system", "builtins:exec", "this:s",
    "os.py:system", "nowhere.py:f", "a folder:f", "a folder.py:f", "functions.py:", ":one", "-h",
    "--version", "@functions.py", "all", "all:sign", "exp:all", "exp:", ":sign", "nowhere:f",
    "torch,torch", "torch,nowhere", *FILES,
]  # fmt: skip
PLACES = [
    *(f"functions.py:{name}" for name in re.findall(r"(?:def|class) (\w+)", FUNCTIONS)),
    *(f"{file}:one" for file in FILES if file.endswith(".py")),
    "functions.py:number", "functions.py:nowhere",
]  # fmt: skip
# What reaches deeper; the others of an option's values come from HOSTILE.
GOOD: dict[str, list[str]] = {
    "function": ["functions.py:good", "functions.py:one", *PLACES],
    "shapes": ["3", "2x3", "x=3", "w=3", "scalar", "x=2x3", "w=2x3", "x0=2"],
    "shape": ["1", "2", "3", "0", "7"],
    "seed": ["0", "-1", "7"],
    "examples": ["1", "3"],
    "minutes": ["0.0001"],
    "seconds": ["0", "0.001"],
    "tolerance": ["0", "0.1"],
    "jobs": ["1"],
    "epochs": ["1", "2"],
    "patience": ["0", "1"],
    "hidden": ["1", "3"],
    "batch": ["1", "8"],
    "threads": ["1"],
    "data": ["data.csv", "numbers.csv", "data.npz"],
    "target": ["1", "y", "b"],
    "inputs": ["a", "1,2"],
    "html": ["page.html"],
    "plot": ["plot.svg", "plot.png", "plot"],
    "checkpoint": ["state", "state2"],
    "corpus": ["corpus"],
    "replay": ["corpus/kept.py"],
    "wrt": ["x", "w", "x,w", "X"],
    "folder": ["lessons", "a/b/c"],
    "mistake": ["exp", "exp:sign"],
    "against": ["complex", "finite", "closed-form", "torch"],
    "ops": ["exp", "add,mul"],
}
# That many epochs or minutes are asked for, so they may take that long.
ENDLESS = {"epochs", "minutes", "seconds", "examples"}
# What would take long in each call is left out unless it is chosen.
ALWAYS = {
    "train": ["--epochs=2", "--data=data.csv"],
    "fuzz": ["--examples=2", "--against=complex"],
    "compare": ["--seconds=0"],
}


def write_files(folder: Path) -> None:
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    rows = np.arange(60.0).reshape(20, 3)
    np.savez(folder / "data.npz", x=rows, y=rows[:, 0] % 2)
    np.savez(folder / "objects.npz", x=np.array([{}] * 20), y=rows[:, 0], allow_pickle=True)
    with open(folder / "gigabytes.csv", "wb") as file:
        file.truncate(2**36)
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as listener, contextlib.chdir(folder):
        listener.bind("socket")


def value(choice: random.Random, dest: str) -> str:
    good = GOOD.get(dest, [])
    if dest in ENDLESS:
        plain = {w: w.replace("_", "").strip("9²") for w in HOSTILE}
        numbers = [w for w in HOSTILE if not plain[w].isdecimal() and w not in ("1.5", "1e308")]
        return choice.choice(good * 9 + numbers)
    if good and choice.random() < 0.6:
        return choice.choice(good)
    return choice.choice(HOSTILE)


def words_for(choice: random.Random, name: str) -> list[str]:
    """A call of the command, with some of its options."""
    _, parser = cli.prepared([name])
    actions = [a for a in parser._actions if a.dest not in ("help", "step", "version")]
    chosen = choice.sample(actions, choice.randint(0, min(6, len(actions))))
    own = [a for a in actions if not a.option_strings and choice.random() < 0.6]
    found = list(ALWAYS.get(name, []))
    for action in {a.dest: a for a in [*own, *chosen]}.values():
        if action.choices is not None and choice.random() < 0.8:
            given = [choice.choice([str(c) for c in action.choices])]
        elif action.nargs == 0 or type(action).__name__ == "BooleanOptionalAction":
            given = []
        elif isinstance(action.nargs, int):
            given = [value(choice, action.dest) for _ in range(action.nargs)]
        elif action.nargs == "+":
            given = [value(choice, action.dest) for _ in range(choice.choice([1, 1, 2, 2, 3]))]
        else:
            given = [value(choice, action.dest)]
        options = action.option_strings
        if not options:
            found = [*given, *found] if choice.random() < 0.9 else [*found, *given]
        elif len(given) == 1 and choice.random() < 0.8:
            found.append(f"{options[0]}={given[0]}")
        else:
            found += [choice.choice(options), *given]
    if choice.random() < 0.05:
        found.insert(choice.randint(0, len(found)), choice.choice(HOSTILE))
    return [name, *found]


# Each of these once ended in a traceback, or not at all.
REFUSED = [
    ["experiment", "--seed=--"],
    ["tutorial", "\0"],
    ["train", "--data=data.csv", "--hidden", "9" * 18],
    ["train", "--data=data.csv", "--plot=\ud800"],
    ["train", "--data=gigabytes.csv"],
    ["train", "--data=pipe"],
    ["train", "--data=/dev/zero"],
    ["explain", "functions.py:one", "--shapes=100000x100000"],
    ["explain", "functions.py:one", "--shapes=1" + "x1" * 70],
    ["explain", "functions.py:greedy", "--shapes=1"],
    ["explain", "exits.py:one"],
    ["explain", "--html=\ud800"],
    ["explain", "--html=\0"],
    ["explain", "syntax.py:one"],
    ["explain", "binary.py:one"],
    ["explain", "null.py:one"],
    ["explain", "..:f"],
    ["derive", "functions.py:one", "--shapes=x=100000x100000"],
    ["derive", "functions.py:raises", "--shapes=x=3"],
    ["derive", "functions.py:Class"],
    ["derive", "exits.py:one"],
    ["fuzz", "--replay=gigabytes.csv"],
    ["fuzz", "--replay=/dev/zero"],
    ["fuzz", "--replay=pipe"],
    ["fuzz", "--replay=nested.json"],
    ["fuzz", "--replay=a\0b"],
    ["fuzz", "--against=os:system"],
    ["fuzz", "--replay=" + "9" * 5000],
    ["fuzz", "--jobs=99999"],
]


class TooSlowError(BaseException):
    pass


def too_slow(*_: Any) -> None:
    raise TooSlowError


def fault(words: list[str], expected: set[int]) -> str | None:
    """What is wrong with how the command ended."""
    out, err = io.StringIO(), io.StringIO()
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.setitimer(signal.ITIMER_REAL, 10 * SECONDS)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status: Any = cli.main(words)
    except SystemExit as end:
        status = end.code
    except BaseException as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(last.filename).name}:{last.lineno}"
        return f"{type(error).__name__} {where}: {str(error)[:100]}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
    said = err.getvalue()
    if status not in expected:
        return f"status {status}"
    if status == 2 and out.getvalue() == "" and said.count("\n") != 1:
        return f"{said.count(chr(10))} lines: {said[:300]!r}"
    if status == 2 and not all(c.isprintable() for c in said.rstrip("\n")):
        return f"unprintable: {said[:300]!r}"
    if status == 2 and len(said) > 6000:
        return f"a line of {len(said)} characters"
    # explain shows where in the user's own function an error arose.
    own = words[0] == "explain" and status == 1 and '.py", line' in said
    if "Traceback" in said and not (own and "tinygrad_mlp/commands" not in said):
        return f"a traceback: {said[-300:]!r}"
    return None


def attack(seed: int, calls: int, names: Sequence[str]) -> dict[str, Any]:
    """Make calls of these commands, and say which went wrong."""
    choice = random.Random(seed)
    wrong: dict[str, str] = {}
    signal.signal(signal.SIGALRM, too_slow)
    signal.signal(signal.SIGPROF, too_slow)
    for k in range(-len(REFUSED), calls):
        name = names[k % len(names)]
        words = REFUSED[k] if k < 0 else words_for(choice, name)
        modules, path = dict(sys.modules), list(sys.path)
        wrongly = fault(words, {2} if k < 0 else STATUSES)
        # What one call imported is not to answer the next one.
        sys.path[:] = path
        for module in set(sys.modules) - set(modules):
            if os.getcwd() in str(getattr(sys.modules[module], "__file__", None)):
                del sys.modules[module]
        if wrongly is not None:
            wrong.setdefault(f"{words[0]} {wrongly[:60]}", f"{wrongly} {[w[:60] for w in words]}")
        if os.path.exists("executed"):
            return {"wrong": [f"executed {words}"]}
    return {"wrong": list(wrong.values())}


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory, pipes and /proc are Linux's")
@pytest.mark.parametrize("calls", [150, pytest.param(10_000, marks=pytest.mark.soak)])
def test_every_command_under_every_word(calls: int, tmp_path: Path) -> None:
    seeds = [0] if calls < 10_000 else range(1, 5)
    for seed in seeds:
        assert found_wrong(tmp_path, seed, calls // len(seeds)) == []
    print(f"calls made: {calls}")


@pytest.mark.torch
@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory, pipes and /proc are Linux's")
def test_compare_under_every_word(tmp_path: Path) -> None:
    assert found_wrong(tmp_path, 0, 100, "compare") == []


def found_wrong(tmp_path: Path, seed: int, calls: int, *names: str) -> Any:
    """What went wrong in a process of its own; with names, these commands, and PyTorch is there."""
    folder = tmp_path / str(seed)
    folder.mkdir()
    write_files(folder)
    process = subprocess.run(
        [sys.executable, __file__, str(seed), str(calls), *names],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(tg.__file__).parent.parent)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=3000,
    )
    assert process.returncode == 0, process.stderr[-3000:]
    return json.loads(process.stdout.splitlines()[-1])["wrong"]


if __name__ == "__main__":
    gigabytes = 3
    if sys.argv[3:]:
        gigabytes = 12
    else:
        # Without PyTorch, which needs more memory than is allowed here.
        sys.modules["torch"] = None  # type: ignore[assignment]
    resource.setrlimit(resource.RLIMIT_AS, (gigabytes * 2**30,) * 2)
    warnings.simplefilter("ignore")
    print(json.dumps(attack(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:] or list(COMMANDS))))
