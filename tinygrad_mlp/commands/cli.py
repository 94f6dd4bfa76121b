"""``python -m tinygrad_mlp``, or ``tinygrad-mlp`` where installed: finds a command and runs it."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from inspect import getdoc
from pathlib import Path
from typing import Any, NoReturn

from .. import __version__, commands
from .arguments import Run, printable

BAD_USAGE = 2
INTERRUPTED = 130  # 128 + SIGINT, as shells report it
BROKEN_PIPE = 141  # 128 + SIGPIPE


class Parser(ArgumentParser):
    """An ArgumentParser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        try:
            print(end="", flush=True)
        except OSError:
            discard_output()
        self.exit(BAD_USAGE, f"{self.prog}: {printable(message)} (--help says more)\n")


def parsed(words: list[str]) -> tuple[Parser, Run, Namespace]:
    """The parser of the command that the words name, what it runs, and its options."""
    named = bool(words) and not words[0].startswith("-")
    script = Path(sys.argv[0]).stem == "tinygrad-mlp"
    parser = Parser(
        prog="tinygrad-mlp" if script else "python -m tinygrad_mlp",
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"tinygrad-mlp {__version__}")
    if named and words[0] not in commands.NAMES:
        known = ", ".join(commands.NAMES)
        parser.error(f"{words[0]!r} is not a command; the commands are: {known}")
    command = commands.command(words[0] if named else commands.DEFAULT)
    parser.description = getdoc(command)
    if named:
        parser.prog += f" {words[0]}"
    else:
        lines = [f"  {name:12}{title(commands.command(name))}" for name in commands.NAMES]
        default = f"\nWithout a command: {commands.DEFAULT}."
        parser.epilog = "\n".join(["commands:", *lines, default])
    run = command(parser)
    for word in words[named:]:
        if word.startswith("--") and word.endswith("=--"):  # which argparse takes for a list
            parser.error(f"argument {word[:-3]}: '--' is not a value")
    options, unknown = parser.parse_known_args(words[named:])
    if unknown:
        from difflib import get_close_matches

        near = get_close_matches(unknown[0], parser._option_string_actions, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        parser.error(f"{unknown[0]!r} is not an option{hint}")
    return parser, run, options


def discard_output() -> None:
    """Leave stdout, which takes no more, such that Python can flush it when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def title(command: Callable[..., Any]) -> str:
    return (getdoc(command) or "").partition("\n")[0]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name, or the experiment; returns the exit status.

    ``arguments`` are by default those of the process. SystemExit after --help and --version, and
    after bad usage, which gets one line that says what is wrong.

    >>> from tinygrad_mlp.commands.cli import main
    >>> status = main(["--shape", "2", "1", "3", "1", "--bias", "row"])  # doctest: +ELLIPSIS
    f = ‖Y − σ(X W1 + b1) W2 − b2‖²
    N = 2, D = 1, H = 3, O = 1, bias row, float32, seed 0
    ...
    All agree: no difference is larger than rounding explains.
    """
    # What a terminal's encoding lacks becomes a question mark.
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    try:
        parser, run, options = parsed(list(sys.argv[1:] if arguments is None else arguments))
        try:
            status = run(options)
            print(end="", flush=True)
        except MemoryError:
            parser.error("this needs more memory than there is; choose smaller sizes or files")
        except BrokenPipeError:
            discard_output()
            return BROKEN_PIPE
        except OSError as error:  # as where the disk is full that the output goes to
            parser.error(str(error))
    except KeyboardInterrupt:
        return INTERRUPTED
    return status
