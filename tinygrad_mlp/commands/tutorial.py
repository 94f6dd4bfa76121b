"""``tinygrad-mlp tutorial``: the notebooks."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from .arguments import Run


def tutorial(parser: ArgumentParser) -> Run:
    """Write the tutorial: five notebooks, into a folder.

    You build a tape, write ops, find mistakes in them, and train a network. All it
    takes is some calculus and Python. The folder is made if it is not there, and
    nothing is overwritten without --force. The exit status is 0 if all notebooks
    were written, and 2 if they could not be.
    """
    parser.add_argument("folder", nargs="?", metavar="DIR", help="where to write the notebooks")
    parser.add_argument("--list", action="store_true", help="list the notebooks, write nothing")
    parser.add_argument(
        "--force", action="store_true", help="write into a folder that has files; see --list"
    )

    def run(options: Namespace) -> int:
        from ..tutorial import LESSONS, title

        if options.list:
            for lesson in LESSONS:
                print(f"{lesson}.ipynb  {title(lesson)}")
            return 0
        if options.folder is None:
            parser.error("give the folder to write to, such as: tinygrad-mlp tutorial lessons")
        write(parser, options.folder, options.force)
        return 0

    return run


def write(parser: ArgumentParser, given: str, force: bool) -> None:
    """Write all notebooks and say what to do next, or leave things as they were."""
    import shlex
    import sys
    from importlib.util import find_spec
    from pathlib import Path
    from shutil import which

    from ..torch.saving import replace_file
    from ..tutorial import LESSONS, notebook

    folder = Path(given)
    texts = {folder / f"{lesson}.ipynb": notebook(lesson).encode() for lesson in LESSONS}
    made: list[Path] = []  # to take away again, should anything fail
    try:
        if folder.exists() and not folder.is_dir():
            parser.error(f"{given} is a file; give a folder")
        if not force and folder.exists() and any(folder.iterdir()):
            there = [path.name for path in texts if path.exists()]
            lost = f"replaces {' and '.join(there)}" if there else "writes beside them"
            if len(there) > 2:
                lost = f"replaces the {len(there)} notebooks there, with your answers in them"
            parser.error(f"{given} has files in it; give another folder, or --force, which {lost}")
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
        for path in reversed(missing):
            path.mkdir()
            made.append(path)
        for path, text in texts.items():
            new = not path.exists()
            replace_file(path, [text])
            if new:
                made.append(path)
    except BaseException as error:
        for path in reversed(made):
            path.rmdir() if path.is_dir() else path.unlink()
        if isinstance(error, OSError):
            parser.error(f"{error.filename or given}: {error.strerror}; nothing new was left there")
        if isinstance(error, ValueError):  # of a name that cannot be a folder's
            parser.error(f"{given}: {error}")
        raise
    for path in texts:
        print(path)
    print()
    if find_spec("jupyterlab") is None:
        print("Next: pip install 'tinygrad-mlp[tutorial]', and then")
    else:
        print("Next:")
    # In an environment that is not active, the shell would not find it.
    beside = Path(sys.executable).with_name("jupyter")
    jupyter = beside if beside.exists() and which("jupyter") != str(beside) else "jupyter"
    print("  " + shlex.join([str(jupyter), "lab", given]))
    print(f"and open {LESSONS[0]}.ipynb.")
