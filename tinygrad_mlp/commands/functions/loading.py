"""The function that FILE.py:FUNCTION or package.module:FUNCTION names, and what its code raises."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import util
from inspect import isfunction
from os.path import isfile
from pathlib import Path
from traceback import extract_tb, format_exception
from typing import Any


class UsageError(ValueError):
    """Something the user can put right; the message says how."""


class CodeError(UsageError):
    """What the user's own code raised, in one line.

    ``traceback`` is Python's account of it, from that code on; "" where it did not get so far.
    """

    def __init__(self, message: str, traceback: str) -> None:
        super().__init__(message)
        self.traceback = traceback


@contextmanager
def running(where: str, file: str | None = None) -> Iterator[None]:
    """For code of the user's: what it raises becomes a CodeError, with the line where known.

    ``file`` is the name of the file that it is in; without it, that of the first code on the way
    that is neither this package's nor of the import system. MemoryError passes through.
    """
    package = Path(__file__).parents[2]
    try:
        yield
    except (MemoryError, UsageError):
        raise
    except SystemExit as error:
        raise UsageError(f"{where} exits when it is run") from error
    except Exception as error:
        own = error.__traceback__
        while own is not None:
            name = own.tb_frame.f_code.co_filename
            if name == file if file else name[:1] != "<" and package not in Path(name).parents:
                break
            own = own.tb_next
        lines = [frame.lineno for frame in extract_tb(own) if frame.filename == name]
        words = [where, *(f"line {n}" for n in lines[-1:]), type(error).__name__, str(error)]
        notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
        account = "".join(format_exception(type(error), error, own)) if own else ""
        raise CodeError(" ".join((": ".join(words) + notes).split()), account) from error


def load(place: str) -> Callable[..., Any]:
    """The function that FILE.py:FUNCTION or package.module:FUNCTION names.

    UsageError where there is none, CodeError for what the file itself raises.
    """
    file, _, name = place.rpartition(":")
    path = Path(file)
    if isfile(file):
        spec = util.spec_from_file_location("user_file", path.resolve())
        if spec is None or spec.loader is None:
            raise UsageError(f"{file} is not a Python file")
        # As Python has it for a script.
        sys.path.insert(0, str(path.resolve().parent))
        module = sys.modules[spec.name] = util.module_from_spec(spec)
        with running(file):
            spec.loader.exec_module(module)
    elif path.suffix == ".py" or file.startswith("."):
        raise UsageError(f"there is no file {file}")
    else:
        sys.path.insert(0, "")
        with running(file):
            try:
                __import__(file)  # import_module would be in the account of what that raises
            except ModuleNotFoundError as error:
                if not f"{file}.".startswith(f"{error.name}."):
                    raise
                raise UsageError(
                    f"there is no file {file}, and no module of that name: {error}"
                ) from None
        module = sys.modules[file]
    found = getattr(module, name, None)
    if not callable(found):
        names = [
            n for n, f in vars(module).items()
            if isfunction(f) and f.__module__ == module.__name__
        ]  # fmt: skip
        there = f"the functions there are: {', '.join(names)}" if names else "it has no functions"
        raise UsageError(f"{file} has no function {name!r}; {there}")
    return found  # type: ignore[no-any-return]
