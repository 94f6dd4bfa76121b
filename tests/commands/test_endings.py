"""How commands end: a documented exit status, and at most one line that says why."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import ROOT

from tinygrad_mlp.commands import COMMANDS, cli

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals, devices and permissions")

COMMAND = [sys.executable, "-m", "tinygrad_mlp"]
SQUARE = "def square(x):\n    return (x * x).sum()\n"
SHORT = {
    "experiment": ["--shape", "3", "1", "2", "1"],
    "derive": ["--bias", "row"],
    "explain": ["--shape", "3", "1", "2", "1"],
    "fuzz": ["--examples", "2", "--against", "complex"],
    "train": ["--data", "data.csv", "--epochs", "2"],
    "tutorial": ["--list"],
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    rows = "".join(f"{i},{i * i % 7},{i % 2}\n" for i in range(40))
    (tmp_path / "data.csv").write_text(f"a,b,y\n{rows}", encoding="utf-8")
    (tmp_path / "mine.py").write_text(SQUARE, encoding="utf-8")
    slow = ["import time", "def f(x):", "    print('on', flush=True)", "    time.sleep(60)"]
    (tmp_path / "slow.py").write_text("\n".join([*slow, "    return x.sum()"]), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def environment(**more: str) -> dict[str, str]:
    own = {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": ""}
    return {**os.environ, **own, **more}


# Output that nobody takes.

# Each call has a process of its own, forked from one that has imported everything.
FORKED = """
import json, os, sys
from importlib import import_module
from tinygrad_mlp.commands import COMMANDS, cli

for name in COMMANDS:
    import_module(f"tinygrad_mlp.commands.{name}")
read, write = os.pipe()
os.close(read)
places = {"pipe": write}
for name in ("null", "full"):
    places[name] = os.open(f"/dev/{name}", os.O_WRONLY)
ended = []
for words, out, error in json.loads(sys.argv[1]):
    read, places["kept"] = os.pipe()
    child = os.fork()
    if not child:
        os.dup2(places[out], 1)
        os.dup2(places[error], 2)
        os.close(places["kept"])
        sys.exit(cli.main(words))
    os.close(places["kept"])
    said = open(read, encoding="utf-8").read()
    ended.append([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said])
print(json.dumps(ended))
"""
CALLS = [
    ["--help"], ["--version"], *([name, "--help"] for name in COMMANDS),
    *([name, *words] for name, words in SHORT.items()), ["explain", "--dot"], ["derive", "--json"],
]  # fmt: skip


def ended(calls: list[tuple[list[str], str, str]]) -> Any:
    """For each call, which has its output and its errors somewhere, its status and its errors."""
    words = [sys.executable, "-c", FORKED, json.dumps(calls)]
    done = subprocess.run(words, env=environment(), capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return zip(calls, json.loads(done.stdout), strict=True)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a full disk is Linux's")
@pytest.mark.parametrize(
    ("place", "why"),
    [("full", "No space left on device"), ("pipe", "what it prints is no longer read")],
)
def test_output_that_nobody_takes_is_2_and_one_line(place: str, why: str) -> None:
    for call, (status, error) in ended([(words, place, "kept") for words in CALLS]):
        assert (status, error.count("\n")) == (2, 1), (call, error)
        assert error.endswith(f": {why}\n"), call


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a full disk is Linux's")
def test_errors_that_nobody_takes_leave_the_status() -> None:
    wrong = [
        ["--nonsense"],
        ["fuzz", "--jobs", "x"],
        ["nothing"],
        ["fuzz", "--against=complex", "--replay=x"],
    ]
    calls = [(w, out, err) for w in wrong for out in ("null", "full") for err in ("full", "pipe")]
    calls += [(words, "full", "full") for words in CALLS]
    for call, (status, _) in ended(calls):
        assert status == 2, call


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a full disk is Linux's")
@pytest.mark.parametrize("words", [["--help"], ["explain"]])
def test_a_full_disk_behind_output_without_a_buffer(words: list[str]) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(
            [*COMMAND, *words], env=environment(PYTHONUNBUFFERED="1"), stdout=full,
            stderr=subprocess.PIPE, encoding="utf-8",
        )  # fmt: skip
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.endswith(": No space left on device\n")


@pytest.mark.parametrize(
    ("name", "closed"),
    [*((name, "<&- >&- 2>&-") for name in SHORT), ("explain", ">&-"), ("explain", "<&-")],
)
def test_streams_that_are_closed_from_the_start(name: str, closed: str) -> None:
    words = ["sh", "-c", f'"$@" {closed}', "sh", *COMMAND, name, *SHORT[name]]
    done = subprocess.run(words, env=environment(), capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


# Signals.

FUZZ = ["fuzz", "--minutes", "9", "--against", "complex", "--jobs", "2"]
SLOW = ["explain", "slow.py:f", "--shapes", "3"]
TRAIN = ["train", "--data", "data.csv", "--epochs", "99999999", "--patience=0", "--checkpoint=kept"]


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
@pytest.mark.parametrize(
    ("words", "send"),
    [
        (FUZZ, os.kill),
        (FUZZ, os.killpg),
        (TRAIN, os.kill),
        (["explain", "slow.py:f", "--shapes=3"], os.kill),
    ],
    ids=["fuzz", "fuzz, all processes", "train", "explain"],
)
def test_a_signal_to_end_is_143_and_one_line(
    words: list[str], send: Callable[[int, int], None], name: str, folder: Path
) -> None:
    with subprocess.Popen(
        [*COMMAND, *words], env=environment(), start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        try:
            # In the midst of its work.
            while not (folder / "kept").exists() and words is TRAIN:
                time.sleep(0.05)
            if words is FUZZ:
                time.sleep(3)  # it says nothing until it has found something
            elif words is not TRAIN:
                assert process.stdout is not None
                assert process.stdout.readline() == b"on\n"
            send(process.pid, getattr(signal, name))
            # Whatever it has started has its pipes too, which end when all of them have.
            _, error = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, error) == (143, f"tinygrad-mlp: stopped by {name}\n".encode())
    assert not [path for path in folder.iterdir() if path.name.endswith(".part")]


def test_nohup_is_obeyed() -> None:
    code = (
        "import os, signal; from tinygrad_mlp.commands import cli\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN); os.kill(os.getpid(), signal.SIGHUP)\n"
        "from tinygrad_mlp.experiment import check; right = check.compared\n"
        "def compared(*args): os.kill(os.getpid(), signal.SIGHUP); return right(*args)\n"
        "from tinygrad_mlp.commands import experiment; experiment.compared = compared\n"
        "status = cli.main([]); assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL\n"
        "raise SystemExit(status)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


# Files.

PLACES = [
    "folder", "folder/", "folder.png", "folder.png/", ".", "..", "loop", "loop/x.png",
    "data.csv/x.png", "closed/x.png", "closed/mine.py", "open/x.png", "nowhere/x.svg",
    "/proc/nowhere/x.png", "/dev/full", "x" * 300 + ".png",
]  # fmt: skip
DRAWN = ("folder", "closed/x.png", "/dev/full")
NETWORK = ["--shape", "2", "1", "2", "1"]
ONCE = ["train", "--data", "data.csv", "--epochs", "1"]
USES = {
    "experiment --plot": ["experiment", *NETWORK, "--plot", "{}"],
    "explain --plot": ["explain", *NETWORK, "--plot", "{}"],
    "explain --html": ["explain", *NETWORK, "--html", "{}"],
    "explain": ["explain", "{}:square", "--shapes", "3"],
    "derive": ["derive", "{}:square", "--shapes", "3"],
    "train --data": ["train", "--epochs", "1", "--data", "{}"],
    "train --plot": [*ONCE, "--plot", "{}"],
    "train --checkpoint": [*ONCE, "--checkpoint", "{}"],
    "train --resume": [*ONCE, "--checkpoint", "{}", "--resume"],
    "fuzz --replay": ["fuzz", "--against", "complex", "--replay", "{}"],
    "tutorial": ["tutorial", "{}"],
}
# In a process that gives up what root may do; its imports come before, as from /root.
UNPRIVILEGED = """
import contextlib, io, json, os, sys
from tinygrad_mlp.commands import cli

def called(words):
    error = io.StringIO()
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(error):
            return cli.main(words), error.getvalue()
    except SystemExit as end:
        return end.code, error.getvalue()

def files():
    return sorted(os.path.join(d, name) for d, _, names in os.walk('.') for name in names)

warm, calls = json.loads(sys.argv[1])
for words in warm:
    assert called(words)[0] == 0, words
os.chmod('closed', 0), os.chmod('open', 0o555)
if os.geteuid() == 0:
    os.setgroups([]), os.setgid(65534), os.setuid(65534)
before = files()
print(json.dumps([[*called(words), files() != before] for words in calls]))
"""


def test_places_that_cannot_be_read_or_written_are_one_line(folder: Path) -> None:
    for name in ("folder", "folder.png", "closed", "open", "warm"):
        (folder / name).mkdir()
    (folder / "closed/mine.py").write_text(SQUARE, encoding="utf-8")
    (folder / "folder/file").touch()
    (folder / "folder.png/file").touch()
    (folder / "loop").symlink_to("loop")
    folder.chmod(0o777)
    warm = [["fuzz", "--examples", "1", "--against", "complex"], ["tutorial", "warm"]]
    warm += [["experiment", *NETWORK, "--plot", "warm/x.png"]]
    warm += [["explain", *NETWORK, "--html", "warm/x"]]
    warm += [["explain", "mine.py:square", "--shapes", "3", "--plot=warm/x.svg", "--html=warm/x"]]
    warm += [["derive", "mine.py:square", "--shapes", "3"]]
    warm += [[*ONCE, "--plot", "warm/x.png", "--checkpoint", "warm/state"]]
    warm += [[*ONCE, "--plot", "warm/x.svg", "--checkpoint", "warm/state", "--resume"]]
    calls = [
        [word.format(place) for word in words]
        for words in USES.values()
        for place in PLACES
        # It is drawn first, which takes a second.
        if "--plot" not in words or words[0] == "train" or place in DRAWN
        # Which is no fault: it is made.
        if (words[0], place) != ("tutorial", "nowhere/x.svg")
        and not (place == "loop" and "--checkpoint" in words)
    ]
    done = subprocess.run(
        [sys.executable, "-c", UNPRIVILEGED, json.dumps([warm, calls])],
        env=environment(), capture_output=True, encoding="utf-8",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for words, (status, error, wrote) in zip(calls, json.loads(done.stdout), strict=True):
        assert (status, error.count("\n"), wrote) == (2, 1, False), (words, error)
        assert "Errno" not in error


@pytest.mark.parametrize("command", ["experiment", "explain"])
def test_a_plot_is_written_to_its_name_or_nowhere(
    command: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "taken").mkdir()
    before = sorted(folder.iterdir())
    for name in ("taken", "taken/"):
        with pytest.raises(SystemExit) as ended:
            cli.main([command, *NETWORK, "--plot", name])
        assert ended.value.code == 2
        assert f"argument --plot: {name}: Is a directory" in capsys.readouterr().err
    assert sorted(folder.iterdir()) == before
    assert cli.main([command, *NETWORK, "--plot", "name"]) == 0
    assert (folder / "name").read_bytes().startswith(b"\x89PNG")
    assert len(list(folder.iterdir())) == len(before) + 1


def test_a_checkpoint_takes_the_place_of_a_link_that_leads_nowhere(folder: Path) -> None:
    (folder / "loop").symlink_to("loop")
    assert cli.main([*ONCE, "--checkpoint", "loop"]) == 0
    assert (folder / "loop").is_file()
