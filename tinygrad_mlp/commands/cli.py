"""``python -m tinygrad_mlp``, or ``tinygrad-mlp`` where installed: finds a command and runs it."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from inspect import cleandoc
from pathlib import Path
from typing import Any, NoReturn

from .. import __version__
from ..readers.printable import printable
from . import COMMANDS, DEFAULT
from .endings import (
    BAD_USAGE,
    INTERRUPTED,
    STOPPED,
    Stopped,
    complain,
    flush,
    open_all,
    reason,
    stopping,
)


class Parser(ArgumentParser):
    """An ArgumentParser whose errors are one line, one of which is that help cannot be printed."""

    def error(self, message: str) -> NoReturn:
        flush()
        complain(f"{self.prog}: {printable(message)} (--help says more)")
        sys.exit(BAD_USAGE)

    def failed(self, why: str) -> NoReturn:
        """The same where the usage was good."""
        flush()
        complain(f"{self.prog}: {printable(why)}")
        sys.exit(BAD_USAGE)

    def _print_message(self, message: str, file: Any = None) -> None:
        # argparse's own drops what cannot be written, and exits as if it were.
        print(message, end="", file=file or sys.stderr, flush=True)


def prepared(words: list[str]) -> tuple[Any, Parser]:
    """The module of the command that the words name, and its parser; the name is taken off."""
    script = Path(sys.argv[0]).stem == "tinygrad-mlp"
    program = "tinygrad-mlp" if script else "python -m tinygrad_mlp"
    named = bool(words) and not words[0].startswith("-")
    name = words.pop(0) if named else DEFAULT
    if name not in COMMANDS:
        known = ", ".join(COMMANDS)
        Parser(program).error(f"{name!r} is not a command; the commands are: {known}")
    # Only this one, so that no command waits for what only another one needs.
    command: Any = import_module(f"{__package__}.{name}")
    lines = ["commands:", *(f"  {name:12}{does}" for name, does in COMMANDS.items())]
    parser = Parser(
        f"{program} {name}" if named else program,
        description=f"{COMMANDS[name]}\n\n{cleandoc(command.run.__doc__)}",
        epilog=None if named else "\n".join([*lines, "", f"Without a command: {DEFAULT}."]),
        parents=command.PARENTS,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"tinygrad-mlp {__version__}")
    command.add(parser)
    return command, parser


def parsed(parser: Parser, words: list[str]) -> Namespace:
    for word in words:
        if word.startswith("--") and word.endswith("=--"):  # which argparse takes for a list
            parser.error(f"argument {word[:-3]}: '--' is not a value")
    options, unknown = parser.parse_known_args(words)
    if unknown:
        near = get_close_matches(unknown[0], parser._option_string_actions, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        parser.error(f"{unknown[0]!r} is not an option{hint}")
    return options


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
    words = list(sys.argv[1:] if arguments is None else arguments)
    open_all()
    try:
        with stopping():
            command, parser = prepared(words)
            try:
                status: int = command.run(parser, parsed(parser, words))
                print(end="", flush=True)
            except MemoryError:
                parser.failed("this needs more memory than there is; choose smaller sizes or files")
            except BrokenPipeError:
                parser.failed("what it prints is no longer read")
            except OSError as error:  # as where the disk is full that the output goes to
                parser.failed(reason(error))
    except KeyboardInterrupt:
        return INTERRUPTED
    except Stopped as signal:
        flush()
        complain(f"tinygrad-mlp: stopped by {signal}")
        return STOPPED
    return status
