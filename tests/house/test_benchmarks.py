"""The benchmark runs, refuses contenders whose answers differ, and README shows its results."""

import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest
from support import ROOT

SCRIPT = ROOT / "benchmarks" / "compare.py"
RESULTS = ROOT / "benchmarks" / "results.json"


def run(*arguments: str, script: str | None = None) -> Any:
    command = [sys.executable, *([str(SCRIPT)] if script is None else ["-c", script]), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(command, capture_output=True, encoding="utf-8", env=environment, cwd=ROOT)


SHORT = ("--shape", "7", "3", "5", "2", "--seconds", "0.01", "--threads", "1")
OURS = ("--only", "tape", "compiled")


def test_times_of_one_shape_as_json_and_as_a_table() -> None:
    done = run(*SHORT, *OURS, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["measured on"]["threads"] == 1
    assert [case["dtype"] for case in found["times"]] == ["float32", "float64"]
    for case in found["times"]:
        assert case["rounds"] >= 5
        assert list(case["ratio"]) == ["closed form", "tape", "compiled"]
        for low, middle, high in case["ratio"].values():
            assert 0 < low <= middle <= high
    done = run(*SHORT, *OURS)
    assert done.returncode == 0, done.stderr
    assert "| N D H O, dtype | closed form | tape | compiled |" in done.stdout
    assert re.search(r"\| 7 3 5 2, float64 \| \d+ µs \| \d", done.stdout)


def test_a_contender_with_another_answer_is_not_timed() -> None:
    wrong = (
        "import sys; sys.path.insert(0, 'benchmarks'); sys.argv[0] = 'compare.py'\n"
        "import compare\n"
        "right = compare.CONTENDERS['tape']\n"
        "def tape(arrays):\n"
        "    call = right(arrays)\n"
        "    return lambda: [call()[0] * 1.01, *call()[1:]]\n"
        "compare.CONTENDERS['tape'] = tape\n"
        "compare.main()\n"
    )
    done = run(*SHORT, *OURS, script=wrong)
    assert done.returncode == 1
    assert "tape gives another answer than the closed form" in done.stderr


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--only", "pytorch"), "no pytorch; there are closed form, tape, compiled, PyTorch"),
        (("--threads", "0"), "--threads is a number from 1"),
        (("--seconds", "nan"), "--seconds is a number from 0"),
        (("--shape", "7", "0", "5", "2"), "--shape is four numbers from 1"),
        (("--plot", "nowhere/times.png"), "there is no folder nowhere"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_timed(
    more: tuple[str, ...], says: str
) -> None:
    done = run(*SHORT, *OURS, *more)
    assert done.returncode == 2
    assert says in done.stderr
    assert "..." not in done.stderr.splitlines()[0]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("more", [("--only", "tape"), SHORT])
def test_update_is_of_everything_or_refused(more: tuple[str, ...]) -> None:
    before = RESULTS.read_bytes()
    done = run("--update", *more)
    assert done.returncode == 2
    assert "--update writes all of it" in done.stderr
    assert RESULTS.read_bytes() == before


def test_readme_shows_the_results_that_are_here() -> None:
    script = (
        "import sys, json, pathlib; sys.path.insert(0, 'benchmarks'); sys.argv = ['compare.py']\n"
        "import compare\n"
        "print(compare.table(json.loads(pathlib.Path('benchmarks/results.json').read_text('utf-8'))))\n"
    )
    done = run(script=script)
    assert done.returncode == 0, done.stderr
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = readme.split("<!-- benchmarks -->")[1].split("<!-- /benchmarks -->")[0]
    assert shown.strip() == done.stdout.strip()


def test_results_say_on_what_they_were_measured() -> None:
    on = json.loads(RESULTS.read_text(encoding="utf-8"))["measured on"]
    assert {"processor", "system", "cores", "threads", "versions", "BLAS"} <= on.keys()
    assert {"Python", "NumPy", "tinygrad_mlp"} <= on["versions"].keys()
