"""The options that several commands share, as parents of their parsers."""

from __future__ import annotations

from argparse import Action, ArgumentError, ArgumentParser, Namespace
from collections.abc import Sequence
from typing import Any

from ..experiment.two_layer import BIASES
from .words import LARGEST, place, seed, shape, size


def parent() -> ArgumentParser:
    return ArgumentParser(add_help=False, allow_abbrev=False)


class Sizes(Action):
    """N, D, H and O, of which no two make too large a matrix."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option: Any = None) -> None:
        n, d, h, o = values
        for rows, columns in ((n, d), (n, o), (d, h), (h, o), (n, h)):
            if rows * columns > LARGEST:
                raise ArgumentError(
                    self,
                    f"{rows}×{columns} is too large a matrix; "
                    f"choose sizes that give at most {LARGEST} entries",
                )
        setattr(namespace, self.dest, tuple(values))


def network() -> ArgumentParser:
    """--shape and --bias, None where they are not given; ``network_of`` says what they are then."""
    options = parent()
    options.add_argument(
        "--shape",
        type=size,
        nargs=4,
        action=Sizes,
        metavar=("N", "D", "H", "O"),
        help="of the network: rows, inputs, hidden units, outputs (100 1 20 1)",
    )
    options.add_argument(
        "--bias",
        choices=BIASES,
        help="shapes of b1 and b2: N×H and N×O, 1×H and 1×O, H and O, or one number (full)",
    )
    return options


def network_of(options: Namespace) -> tuple[tuple[int, int, int, int], str]:
    """The network's sizes and the kind of its biases."""
    return options.shape or (100, 1, 20, 1), options.bias or "full"


def function() -> ArgumentParser:
    """A function of the user's, and the shapes of its arguments."""
    options = parent()
    options.add_argument(
        "function",
        nargs="?",
        type=place,
        metavar="FILE.py:FUNCTION",
        help="a function of yours, or package.module:FUNCTION (the two-layer loss)",
    )
    options.add_argument(
        "--shapes",
        type=shape,
        nargs="+",
        default=(),
        metavar="SHAPE",
        help="of the function's arguments, in order or by name: 5x3, 3, scalar, X=5x3",
    )
    return options


def refuse_misplaced(
    parser: ArgumentParser,
    options: Namespace,
    networks: Sequence[str] = ("shape", "bias"),
    functions: Sequence[str] = ("shapes",),
) -> None:
    """Bad usage if an option of the two-layer network comes with a function, or the reverse."""
    own = options.function is not None
    wrong = " and ".join(f"--{x}" for x in (networks if own else functions) if getattr(options, x))
    if wrong and own:
        parser.error(f"{wrong}: for the two-layer network only; a function takes --shapes")
    if wrong:
        parser.error(f"{wrong}: for a function only; the two-layer network takes --shape")


def drawn(of: str = "of the random numbers", dtype: str | None = "float32") -> ArgumentParser:
    """--seed and, with a default for it, --dtype."""
    options = parent()
    options.add_argument("--seed", type=seed, default=0, help=f"{of} (0)")
    if dtype:
        kinds = ("float32", "float64")
        options.add_argument("--dtype", choices=kinds, default=dtype, help=f"({dtype})")
    return options


def output(
    json: str, full: str | None = None, plot: str | None = None, **others: str
) -> ArgumentParser:
    """--json, or one of the other forms; --full and --plot where it is said what they do."""
    options = parent()
    forms = options.add_mutually_exclusive_group()
    for name, does in {**others, "json": json}.items():
        forms.add_argument(f"--{name}", action="store_true", help=does)
    if full:
        options.add_argument("--full", action="store_true", help=full)
    if plot:
        options.add_argument("--plot", metavar="FILE", help=plot)
    return options
