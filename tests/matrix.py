"""Runs the tests as strangers would: on other processors, in other places, versions and orders.

    python tests/matrix.py                     every run; less than 40 minutes on two cores
    python tests/matrix.py --list              what each run is
    python tests/matrix.py --only old ascii    these runs alone
    python tests/matrix.py --only old -- -x tests/nn    with words for pytest

A run has several conditions at once, of which none changes what another one does; to find the one
that a failure comes from, leave some out of its command, which is at the top of its log. Each run
has a copy of the tree and an environment of its own, from pip, and all tests in one process, in
their order unless the run says otherwise. As many run at once as there are processors. Ends
non-zero if a test failed in any of them.
"""

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from shlex import quote
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
KEPT_OUT = shutil.ignore_patterns(
    ".git", ".venv", ".*_cache", "__pycache__", ".hypothesis", "build"
)

# What pyproject.toml allows at least.
OLDEST = ["numpy==2.0.0", "hypothesis==6.100.0", "pytest==8.0.0", "pytest-xdist==3.5.0"]

PLAIN = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
STRICT = {"PYTHONWARNINGS": "error", "PYTHONDEVMODE": "1", "PYTHONWARNDEFAULTENCODING": "1"}
OPTIMISED = {"PYTHONOPTIMIZE": "1"}

# The processors that OpenBLAS knows these kernels for, by what they must be able to do.
KERNELS = {"Prescott": "pni", "Nehalem": "sse4_2", "Haswell": "avx2", "Zen": "avx2",
           "SkylakeX": "avx512f"}  # fmt: skip


class Run(NamedTuple):
    says: str
    kernel: str  # of OpenBLAS
    threads: int
    order: int = 0  # the seed of a random order
    words: tuple[str, ...] = ()  # for pytest
    oldest: bool = False
    python: str = ""  # such as 3.12; this one if it is not said
    variables: dict[str, str] = {}  # noqa: RUF012
    stranger: bool = False  # may write to nothing but a temporary folder; the path is odd


RUNS = {
    "parallel": Run("two processes", "SkylakeX", 1, words=("-n", "2")),
    "order-1": Run("random order", "Haswell", 1, 1),
    "order-2": Run("random order, 40 columns", "Zen", 2, 2, variables={"COLUMNS": "40"}),
    "order-3": Run("random order, 300 columns", "Nehalem", 1, 3, variables={"COLUMNS": "300"}),
    # The one that .ci/run has.
    "old": Run("random order, oldest NumPy …", "Prescott", 2, 4, oldest=True),
    "3.12": Run("Python 3.12", "Haswell", 2, python="3.12"),
    "3.13": Run("Python 3.13", "Prescott", 1, python="3.13"),
    "3.14": Run("Python 3.14", "Zen", 1, python="3.14"),
    "ascii": Run("C locale, prints ASCII", "Zen", 1, variables=PLAIN),
    "stranger": Run("no rights, read-only, odd path", "SkylakeX", 2, stranger=True),
    "strict": Run("-W error, -X dev, encodings", "Nehalem", 2, variables=STRICT),
    "optimised": Run("python -O", "Haswell", 1, variables=OPTIMISED),
}


MOST = 30 * 60  # seconds for one run
NOBODY = 65534
SUMMARY = re.compile(r"^=* ?(\d+ (?:passed|failed|errors?|skipped).*?) in [\d.]+s", re.MULTILINE)


class Result(NamedTuple):
    outcome: str
    good: bool
    seconds: float = 0


def python_of(run: Run) -> str | None:
    """The path of a Python of the run's version, which its user may run."""
    version = run.python or "{}.{}".format(*sys.version_info)
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    found = [sys.executable, *map(str, sorted(pyenv.glob(f"{version}.*/bin/python")))]
    found += [shutil.which(f"python{version}") or "", f"/usr/bin/python{version}"]
    ask = "import ensurepip, sys; print('{}.{}'.format(*sys.version_info))"
    for python in filter(os.path.isfile, found):
        try:
            said = subprocess.run([python, "-c", ask], capture_output=True, **user(run))
        except PermissionError:
            continue
        if said.stdout.decode().strip() == version:
            return python
    return None


def user(run: Run) -> Any:
    """Who runs it, for subprocess: for a stranger somebody without rights, where we may say so."""
    if not run.stranger or os.geteuid():
        return {}
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []}


def missing(run: Run) -> str:
    """What this machine lacks for a run."""
    if python_of(run) is None:
        return "not run: no Python for it here"
    cpu = Path("/proc/cpuinfo")
    known = platform.machine() in ("x86_64", "AMD64") and cpu.exists()
    if known and KERNELS[run.kernel] not in cpu.read_text(encoding="utf-8"):
        return f"not run: no processor for {run.kernel}"
    return ""


def prepared(run: Run, place: Path) -> tuple[Path, Path]:
    """A copy of the tree, and the Python of a new environment that has it and what it needs."""
    tree = place / ("dossier à moi 🙂" if run.stranger else "tree") / "tinygrad-mlp"
    shutil.copytree(ROOT, tree, ignore=KEPT_OUT)
    python = place / "venv" / "bin" / "python"
    subprocess.run([python_of(run) or "", "-m", "venv", place / "venv"], check=True)
    packages = [*OLDEST * run.oldest, *["pytest-randomly"] * bool(run.order)]
    pip = [python, "-m", "pip", "install", "-q", "-e", f"{tree}[test]", *packages]
    subprocess.run(pip, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    for folder in ("home", "tmp"):
        (place / folder).mkdir()
    if run.stranger:
        (place / "tmp").chmod(0o777)
        for path in (place / "home", tree, *tree.rglob("*")):
            path.chmod(path.stat().st_mode & ~0o222)
    return tree, python


def done(name: str, words: list[str], work: Path, logs: Path) -> Result:
    """Run the tests in one of the ways; what comes out is in a log of that name."""
    run, place = RUNS[name], work / name
    if missing(run):
        return Result(missing(run), True)
    start = time.monotonic()
    place.mkdir()
    try:
        tree, python = prepared(run, place)
    except subprocess.CalledProcessError as error:
        (logs / f"{name}.txt").write_bytes(error.stdout or b"")
        return Result("no environment for it", False, time.monotonic() - start)
    ours = {
        "OPENBLAS_CORETYPE": run.kernel,
        "OPENBLAS_NUM_THREADS": str(run.threads),
        "CI": "true",  # the same examples each time
        **run.variables,
    }
    order = ["-p", "no:randomly"] if not run.order else [f"--randomly-seed={run.order}"]
    command = [str(python), "-m", "pytest", "-q", *order, *run.words, *words]
    shown = [*(f"{k}={v}" for k, v in ours.items()), *command]
    theirs = ("PYTHON", "HYPOTHESIS", "COLUMNS", "OPENBLAS", "PYTEST", "VIRTUAL_ENV")
    variables = {k: v for k, v in os.environ.items() if not k.startswith(theirs)}
    variables |= {**ours, "HOME": str(place / "home"), "TMPDIR": str(place / "tmp")}
    log = logs / f"{name}.txt"
    with log.open("wb") as out:
        out.write(f"{' '.join(map(quote, shown))}\n\n".encode())
        out.flush()
        process = subprocess.Popen(
            command, cwd=tree, env=variables, stdout=out, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, **user(run),
        )  # fmt: skip
        try:
            status = process.wait(MOST)
        except subprocess.TimeoutExpired:
            process.kill()
            status = process.wait()
    found = SUMMARY.findall(log.read_text(encoding="utf-8", errors="replace"))
    outcome = found[-1] if found else f"ended with status {status}"
    return Result(outcome, status == 0, time.monotonic() - start)


def line(name: str, result: Result | None = None) -> str:
    run = RUNS[name]
    text = f"{name:10} {run.says:33} {run.kernel:9} {run.threads} "
    text += "thread " if run.threads == 1 else "threads"
    return f"{text}  {result.seconds:5.0f} s  {result.outcome}" if result else text


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--list", action="store_true", help="say what each run is, and run nothing")
    parser.add_argument("--only", nargs="+", choices=RUNS, metavar="RUN", help="these runs alone")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="so many at once")
    parser.add_argument("--logs", type=Path, default=ROOT / "build" / "matrix", metavar="DIR",
                        help="for what each run prints (default build/matrix)")  # fmt: skip
    parser.add_argument("words", nargs="*", help="for pytest, after --")
    options = parser.parse_args()
    names = options.only or list(RUNS)
    if options.list:
        print(*map(line, names), sep="\n")
        return
    options.logs.mkdir(parents=True, exist_ok=True)
    results = {}
    with (
        tempfile.TemporaryDirectory(prefix="matrix") as folder,
        ThreadPoolExecutor(options.jobs) as pool,
    ):
        os.chmod(folder, 0o755)
        waiting = {
            pool.submit(done, name, options.words, Path(folder), options.logs): name
            for name in names
        }
        for future in as_completed(waiting):
            name = waiting[future]
            results[name] = future.result()
            print(f"ended: {line(name, results[name])}", flush=True)
    print()
    for name in names:
        print(line(name, results[name]))
    bad = [name for name in names if not results[name].good]
    for name in bad:
        log = options.logs / f"{name}.txt"
        print(f"\n{name}, the end of {log}:")
        print(*log.read_text(encoding="utf-8", errors="replace").splitlines()[-60:], sep="\n")
    sys.exit(f"\nfailed: {', '.join(bad)}" if bad else 0)


if __name__ == "__main__":
    main()
