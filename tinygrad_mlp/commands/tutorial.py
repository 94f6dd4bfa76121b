"""``tinygrad-mlp tutorial``: the notebooks."""

from __future__ import annotations

import shutil
import sys
from argparse import ArgumentParser, Namespace
from importlib import util
from pathlib import Path
from shlex import join

from ..tutorial.lessons import LESSONS, title
from ..tutorial.writing import write

PARENTS = ()


def add(parser: ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", metavar="DIR", help="where to write the notebooks")
    parser.add_argument("--list", action="store_true", help="list the notebooks, write nothing")
    parser.add_argument(
        "--force", action="store_true", help="write into a folder that has files; see --list"
    )


def run(parser: ArgumentParser, given: Namespace) -> int:
    """You build a tape, write ops, find mistakes in them, and train a network. All it
    takes is some calculus and Python. The folder is made if it is not there, and
    nothing is overwritten without --force. The exit status is 0 if all notebooks
    were written, and 2 if they could not be.
    """
    if given.list:
        for lesson in LESSONS:
            print(f"{lesson}.ipynb  {title(lesson)}")
        return 0
    if given.folder is None:
        parser.error("give the folder to write to, such as: tinygrad-mlp tutorial lessons")
    try:
        paths = write(given.folder, given.force)
    except OSError as error:
        place = error.filename or given.folder
        parser.error(f"{place}: {error.strerror}; nothing new was left there")
    except ValueError as error:  # also of a name that cannot be a folder's
        parser.error(str(error))
    print("\n".join(map(str, paths)), end="\n\n")
    if util.find_spec("jupyterlab") is None:
        print("Next: pip install 'tinygrad-mlp[tutorial]', and then")
    else:
        print("Next:")
    # In an environment that is not active, the shell would not find it.
    beside = Path(sys.executable).with_name("jupyter")
    jupyter = beside if beside.exists() and shutil.which("jupyter") != str(beside) else "jupyter"
    print("  " + join([str(jupyter), "lab", given.folder]))
    print(f"and open {LESSONS[0]}.ipynb.")
    return 0
