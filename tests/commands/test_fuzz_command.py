"""The command ``fuzz``: its exit statuses, its files, its report."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from support import ROOT

from tinygrad_mlp.commands.cli import main
from tinygrad_mlp.experiment.oracle import closed_form
from tinygrad_mlp.readers.fuzz import corpus, plans, search
from tinygrad_mlp.readers.fuzz.corpus import load
from tinygrad_mlp.readers.fuzz.oracles import ORACLES
from tinygrad_mlp.readers.fuzz.programs import Leaf, Step
from tinygrad_mlp.readers.fuzz.search import run_chunk
from tinygrad_mlp.readers.fuzz.shrinking import cost, smaller
from tinygrad_mlp.testing import Answer, Oracle, Plan, Program, oracle, register

COMPLEX = ["--against", "complex"]
register("closed-form", closed_form)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Failures are saved in the folder that the command runs in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine with a mistake in it, which the command does not know of."""
    right = plans.answer_of
    monkeypatch.setattr(plans, "answer_of", lambda mistake: right(("tanh", "factor")))


def run(*options: str) -> int:
    return main(["fuzz", *options])


def python(*words: str) -> str:
    """What Python prints in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        [sys.executable, *words], env=environment, stdout=subprocess.PIPE, check=True,
        encoding="utf-8",
    ).stdout  # fmt: skip


def test_nothing_found(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    assert run(*COMPLEX, "--examples", "30") == 0
    out, err = capsys.readouterr()
    assert "30 programs" in out
    assert "No difference found." in out
    assert "against complex" in out
    assert err == ""
    assert list(folder.iterdir()) == []


@pytest.mark.usefixtures("wrong")
def test_a_difference_is_saved_and_replayed(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(*COMPLEX, "--jobs", "1") == 1
    out = capsys.readouterr().out
    assert "FOUND: program" in out
    (saved,) = (folder / "fuzz-failures").iterdir()
    assert str(saved.relative_to(folder)) in out
    program, order, by = load(saved)
    assert ([step.op for step in program.steps], order, by) == (["tanh"], 1, "complex")
    # Kept programs come first, and one that fails still is found.
    assert run(*COMPLEX, "--examples", "1", "--seed", "5") == 1
    assert "df/dx0" in capsys.readouterr().out
    assert run(*COMPLEX, "--replay", str(saved)) == 1
    assert "df/dx0" in capsys.readouterr().out
    # The script runs by itself, on the package as it is.
    assert "df/dx0 = " in python(str(saved))
    # Once the mistake is put right the kept program is no failure any more.
    monkeypatch.undo()
    assert run(*COMPLEX, "--replay", str(saved)) == 0
    assert "no difference" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("by", "op"), [("finite", "tanh"), ("closed-form", "sigmoid"), ("autograd", "tanh")]
)
def test_a_finding_is_replayed_against_the_oracle_that_it_failed_by(
    by: str,
    op: str,
    capsys: pytest.CaptureFixture[str],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if by == "autograd":
        pytest.importorskip("autograd", reason="HIPS autograd is not installed")
    right = plans.answer_of
    monkeypatch.setattr(plans, "answer_of", lambda mistake: right((op, "factor")))
    ops = [] if by == "closed-form" else ["--ops", op]
    assert run("--against", by, "--jobs", "1", *ops) == 1
    (saved,) = (folder / "fuzz-failures").iterdir()
    (line,) = (x for x in saved.read_text("utf-8").splitlines() if x.startswith(corpus.MARK))
    kept = json.loads(line.removeprefix(corpus.MARK))
    assert (kept["oracle"], kept["dtypes"]) == (by, ["float64"])
    assert by == "closed-form" or re.search(r"\d+\.\d+", kept["version"])
    assert f"By {by}" in saved.read_text("utf-8")
    capsys.readouterr()
    assert run("--replay", str(saved)) == 1
    assert f", but by {by} " in capsys.readouterr().out
    assert run(*COMPLEX, "--replay", str(saved)) == 1
    assert ", but by complex " in capsys.readouterr().out
    first, *_, last = python(str(saved)).split("\n\n")[0].splitlines()
    assert first == by
    assert last.startswith("df/d")
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    assert run("--replay", str(saved)) == 0
    assert f"no difference, against {by}\n" in capsys.readouterr().out


def test_a_search_asks_the_oracle_of_a_kept_program_too(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def negated() -> Oracle:
        def answer(*given: Any) -> Answer:
            found, errors = oracle("complex").answer(*given)
            return Answer({name: -x for name, x in found.items()}, errors)

        return Oracle("negated", answer)

    monkeypatch.setitem(ORACLES, "negated", negated)
    corpus.save(folder / "fuzz-failures", Plan(ops=("exp",)).program(0), 1, "", "negated")
    assert run(*COMPLEX, "--examples", "1") == 1
    assert ", but by negated " in capsys.readouterr().out


def test_what_a_file_names_is_not_imported(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "stranger.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(folder)
    saved = corpus.save(folder, Plan(ops=("exp",)).program(0), 1, "")
    text = saved.read_text("utf-8").replace('"oracle": null', '"oracle": "stranger:oracle"')
    assert "stranger" in text
    for by in (text, text.replace('"stranger:oracle"', "[1]")):
        saved.write_text(by, "utf-8")
        assert run(*COMPLEX, "--replay", str(saved)) == 0
        assert not load(saved).known


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*COMPLEX, "--examples", "20", "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["programs"], result["seed"], result["failure"]) == (20, 0, None)
    assert result["coverage"]["ops"]


def test_break_shows_each_mistake(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    assert run(*COMPLEX, "--break", "sigmoid") == 0
    out = capsys.readouterr().out
    assert out.count("caught after") == 5
    assert out.count("made smaller to 1 op, 1 entry") == 5
    assert list(folder.iterdir()) == []


def test_break_of_one_mistake_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*COMPLEX, "--break", "exp:factor", "--json") == 0
    (result,) = json.loads(capsys.readouterr().out)
    assert result["break"] == "exp:factor"
    assert (result["failure"]["ops"], result["failure"]["entries"]) == (1, 1)


def test_a_mistake_that_is_missed(capsys: pytest.CaptureFixture[str]) -> None:
    """As where CI sees whether what it runs would notice anything."""
    assert run("--against", "closed-form", "--break", "tanh:sign", "--examples", "5") == 1
    assert "not caught in 5 programs" in capsys.readouterr().out
    assert run(*COMPLEX, "--break", "all:swapped", "--examples", "1") == 1
    with pytest.raises(SystemExit):
        run("--help")
    assert "1 if one was missed" in capsys.readouterr().out


def test_a_mistake_that_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*COMPLEX, "--break", "sign:sign", "--examples", "50") == 0
    assert "not caught in 50 programs" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--ops", "foo"], "'foo' is not an op; the ops are: add"),
        (["--break", "foo"], "'foo' is not an op"),
        (["--break", "exp:foo"], "exp has no mistake 'foo'; it has: sign, factor"),
        (["--break", "exp:"], "exp has no mistake ''; it has: sign, factor"),
        (["--break", "all:foo"], "no op has a mistake 'foo'; there are: sign, factor, unbroadcast"),
        (["--against", "foo"], "'foo' is not an oracle; there are: torch"),
        (["--replay", "missing.py"], "fuzz: missing.py: No such file or directory ("),
        (["--examples", "0"], "not a whole number from 1"),
        (["--minutes", "x"], "not a number of minutes"),
        (["--minutes", "-1"], "not a number of minutes"),
        (["--order", "3"], "invalid choice"),
    ],
)
def test_what_cannot_run(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit:
        run(*COMPLEX, *options)
    out, err = capsys.readouterr()
    assert exit.value.code == 2
    assert out == ""
    assert message in err
    assert err.count("\n") == 1


def test_a_file_that_is_no_program(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "x.py").write_text("print('hello')", encoding="utf-8")
    with pytest.raises(SystemExit) as exit:
        run(*COMPLEX, "--replay", "x.py")
    assert exit.value.code == 2
    assert "x.py: not a program" in capsys.readouterr().err


def test_a_failure_of_second_derivatives_is_replayed_as_one(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, mistake = plans.answer_of, ("pow_tensor", "argument-x-4")
    monkeypatch.setattr(plans, "answer_of", lambda _: right(mistake))
    assert run(*COMPLEX, "--order", "2", "--ops", "pow_tensor") == 1
    (saved,) = (folder / "fuzz-failures").iterdir()
    assert load(saved)[1] == 2
    assert "d2f/dx0 = " in python(str(saved))
    capsys.readouterr()
    assert run(*COMPLEX, "--replay", str(saved)) == 1
    assert "d2f/dx" in capsys.readouterr().out
    # What is kept already is not kept twice.
    program, order, by = load(saved)
    assert corpus.save(saved.parent, program, order, "", by) == saved
    assert len(list(saved.parent.iterdir())) == 1


def test_an_oracle_that_has_no_answer(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--against", "complex,closed-form", "--examples", "32") == 0
    line = "closed-form has an answer to 2 of them: the closed form is of the two-layer network's"
    assert line in capsys.readouterr().out
    for options in (["--ops", "exp"], ["--order", "2"]):
        with pytest.raises(SystemExit) as exit:
            run("--against", "closed-form", "--examples", "5", *options)
        assert exit.value.code == 2
        assert "the two-layer network's first derivatives" in capsys.readouterr().err


def test_a_kept_program_to_which_an_oracle_has_no_answer(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    saved = corpus.save(folder / "fuzz-failures", Plan(ops=("exp",)).program(0), 1, "")
    with pytest.raises(SystemExit) as exit:
        run("--against", "closed-form", "--replay", str(saved))
    assert exit.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "closed-form: the closed form is of the two-layer network's" in err
    assert run("--against", "closed-form", "--examples", "16") == 0
    line = "1 kept program run again, no difference; only 0 of them have an answer."
    assert line in capsys.readouterr().out
    assert run("--against", "closed-form,complex", "--replay", str(saved)) == 0
    assert "no difference, against complex\n" in capsys.readouterr().out


def test_ops_named_twice_count_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--against", "complex,complex", "--ops", "exp,exp", "--examples", "3") == 0
    out = capsys.readouterr().out
    assert "against complex\n" in out
    assert "ops 1/1, pairs 0/1" in out


def test_hips_autograd_has_no_second_derivative_of_a_power_of_0() -> None:
    leaves = (Leaf((), "float64", (2.0,)), Leaf((), "float64", (0.0,)))
    program = Program(leaves, (Step("pow_tensor", (0, 1), {}),), (2,))
    pytest.importorskip("autograd", reason="HIPS autograd is not installed")
    assert Plan(against=("autograd",)).verdict(program).answered == ("autograd",)
    verdict = Plan(against=("autograd", "complex"), order=2).verdict(program)
    assert verdict.text is None
    assert verdict.answered == ("complex",)
    assert "wrong where y is 0" in verdict.refused[0][1]


def test_an_oracle_of_your_own(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "own_oracle.py").write_text(
        "from tinygrad_mlp.testing import Answer, Oracle, oracle\n"
        "def wrong():\n"
        "    def answer(program, order, jitter):\n"
        "        found, errors = oracle('complex').answer(program, order, jitter)\n"
        "        return Answer({name: -x for name, x in found.items()}, errors)\n"
        "    return Oracle('wrong', answer)\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(folder)
    assert run("--against", "own_oracle:wrong", "--ops", "exp") == 1
    assert "but by own_oracle:wrong -2.7" in capsys.readouterr().out
    assert run("--against", "own_oracle:wrong", "--ops", "exp") == 1
    assert len(list((folder / "fuzz-failures").iterdir())) == 1  # it is kept already
    capsys.readouterr()
    for name, message in (("own_oracle:x", "no attribute 'x'"), ("no_such:x", "No module named")):
        with pytest.raises(SystemExit) as exit:
            run("--against", name)
        assert exit.value.code == 2
        assert message in capsys.readouterr().err


def test_break_all_is_a_table(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tinygrad_mlp.readers.fuzz.specs.OPS", ("exp", "sign"))
    assert run(*COMPLEX, "--break", "all", "--examples", "60") == 0
    head, sign, factor, harmless, last = capsys.readouterr().out.splitlines()
    assert head.split()[:5] == ["mistake", "program", "seconds", "ops", "entries"]
    assert (sign.split()[0], sign.split()[3:5]) == ("exp:sign", ["1", "1"])
    assert (factor.split()[0], factor.split()[3:5]) == ("exp:factor", ["1", "1"])
    assert harmless.endswith("(the derivative is 0 with either sign)")
    assert last.startswith("2 of 2 mistakes that change a derivative are caught, after ")
    assert last.endswith("2 of 2 are shown in at most 3 ops and 2 entries")


def test_break_of_one_kind(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tinygrad_mlp.readers.fuzz.specs.OPS", ("exp", "sub", "sign"))
    assert run(*COMPLEX, "--break", "all:sign", "--examples", "60") == 0
    _, *rows, last = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows] == ["exp:sign", "sub:sign-x", "sub:sign-y", "sign:sign"]
    assert last.startswith("3 of 3 mistakes")
    assert run(*COMPLEX, "--break", "sub:sign", "--examples", "60") == 0
    assert capsys.readouterr().out.count("caught after") == 2


def test_an_interrupted_search_has_not_missed_a_mistake(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(plan: Plan, start: int, size: int, last: Any) -> Any:
        if plan.mistake == ("exp", "factor"):
            raise KeyboardInterrupt
        return run_chunk(plan, start, size)

    monkeypatch.setattr("tinygrad_mlp.readers.fuzz.specs.OPS", ("exp",))
    monkeypatch.setattr(search, "run_chunk", interrupted)
    assert run(*COMPLEX, "--break", "all") == 130
    _, row, *end = capsys.readouterr().out.splitlines()
    assert row.startswith("exp:sign ")
    assert end[0] == "Interrupted."
    assert end[1].startswith("1 of 1 mistakes")


@pytest.mark.usefixtures("wrong")
def test_what_cannot_be_saved_is_shown_all_the_same(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "file").write_text("", encoding="utf-8")
    assert run(*COMPLEX, "--jobs", "1", "--corpus", "file/below") == 1
    out, err = capsys.readouterr()
    assert "x0.tanh()" in out
    assert "saved:" not in out
    assert err.startswith("not saved: ")
    assert run(*COMPLEX, "--jobs", "1", "--corpus", "file", "--json") == 1
    assert json.loads(capsys.readouterr().out)["file"] is None

    def full(*given: Any) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(corpus, "script", full)
    assert run(*COMPLEX, "--jobs", "1") == 1
    assert "not saved: [Errno 28] No space left" in capsys.readouterr().err
    assert list((folder / "fuzz-failures").iterdir()) == []


def test_output_that_nobody_reads(folder: Path) -> None:
    words = [sys.executable, "-m", "tinygrad_mlp", "fuzz", *COMPLEX, "--break", "sigmoid"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read().endswith(b" fuzz: what it prints is no longer read\n")
    assert process.returncode == 2


@pytest.mark.skipif(os.name != "posix", reason="Windows has no signals to groups of processes")
def test_ctrl_c_twice_leaves_no_worker_behind() -> None:
    code = (
        "from tinygrad_mlp.testing import fuzz\n"
        "report = fuzz(None, 10**6, jobs=2, progress=lambda report: print('on', flush=True))\n"
        "assert report.interrupted\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"on\n"
            for _ in range(2):
                os.killpg(process.pid, signal.SIGINT)
                time.sleep(0.02)
            # The workers have these pipes too, which end when all of them have.
            process.communicate(timeout=60)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def test_minutes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*COMPLEX, "--minutes", "0.005", "--jobs", "1") == 0
    assert "No difference found." in capsys.readouterr().out


def test_interrupted(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(plan: Plan, start: int, size: int, last: Any) -> Any:
        if start == 100:
            raise KeyboardInterrupt
        return run_chunk(plan, start, size)

    monkeypatch.setattr(search, "run_chunk", interrupted)
    assert run(*COMPLEX, "--examples", "1000") == 130
    out = capsys.readouterr().out
    assert "100 programs" in out
    assert "Interrupted." in out


@pytest.mark.usefixtures("wrong")
def test_interrupted_while_a_program_is_made_smaller(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(program: Program, fails: Any) -> Program:
        for candidate in smaller(program):
            if cost(candidate) < cost(program) and fails(candidate):
                raise KeyboardInterrupt
        raise AssertionError

    monkeypatch.setattr(search, "shrink", interrupted)
    assert run(*COMPLEX, "--jobs", "1") == 1
    out = capsys.readouterr().out
    assert "Interrupted." in out
    assert "FOUND: program" in out
    (saved,) = (folder / "fuzz-failures").iterdir()
    assert any(step.op == "tanh" for step in load(saved)[0].steps)


@pytest.mark.parametrize("options", [["--examples", "40"], ["--minutes", "0.02"]])
def test_progress_on_a_terminal(
    options: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert run(*COMPLEX, "--jobs", "1", *options) == 0
    assert re.search(r"%\|.*\| \d+ programs, \d+/s, ops \d+/34, pairs", capsys.readouterr().err)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert run(*COMPLEX, "--jobs", "1", "--examples", "2") == 0
    assert "pip install 'tinygrad-mlp[fuzz]'" in capsys.readouterr().err


def test_workers_find_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    reports = []
    for jobs in ("1", "2"):
        assert run(*COMPLEX, "--examples", "150", "--jobs", jobs, "--json") == 0
        reports.append(json.loads(capsys.readouterr().out))
    assert reports[0]["coverage"] == reports[1]["coverage"]


def test_an_engine_that_raises_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def raising(mistake: Any) -> Any:
        def answer(program: Any, order: int) -> Any:
            if any(step.op == "cat" for step in program.steps):
                raise RuntimeError("no cats")
            return tape(program, order)

        return answer

    tape = plans.answer_of(None)
    monkeypatch.setattr(plans, "answer_of", raising)
    report = search.fuzz(Plan(), 200)
    assert report.text == "tinygrad_mlp raised RuntimeError: no cats"
    assert report.shrunk is not None
    assert [step.op for step in report.shrunk.steps] == ["cat"]


def test_a_dtype_is_checked_against_oracles_that_compute_in_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def widening(mistake: Any) -> Any:
        def answer(program: Any, order: int) -> Any:
            found = right(program, order)
            return found._replace(
                quantities={
                    name: x.astype("float64") if name.startswith("df") else x
                    for name, x in found.quantities.items()
                }
            )

        return answer

    right = plans.answer_of(None)
    monkeypatch.setattr(plans, "answer_of", widening)
    report = search.fuzz(Plan(("complex",)), 100)
    assert report.text == "df/dx0 is of float64, not float32"


def test_two_layer_programs_are_among_the_examples() -> None:
    plan = Plan(against=("closed-form",))
    assert all(len(plan.program(i).steps) == 8 for i in range(5))
    assert run_chunk(plan, 0, 50)[1] is None
    assert any(len(Plan().program(i).steps) == 8 for i in range(16))


def test_examples_do_not_depend_on_the_process() -> None:
    code = (
        "from tinygrad_mlp.testing import Plan; "
        "print([Plan(seed=3).program(i).to_json() for i in range(5)])"
    )
    here = str([Plan(seed=3).program(i).to_json() for i in range(5)])
    assert python("-c", code).strip() == here
