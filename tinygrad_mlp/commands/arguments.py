"""What the commands share: the types of their arguments, and numbers as JSON has them."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from math import isfinite, prod
from typing import Any

Run = Callable[[Namespace], int]

LARGEST = 10**8  # entries of a matrix, which take some gigabytes and a minute
AXES = 64  # which are NumPy's most


def seed(word: str) -> int:
    """--seed, as manual_seed takes it."""
    if not word.removeprefix("-").isdecimal() or not -(2**63) <= int(word) < 2**64:
        raise ArgumentTypeError(f"{word!r} is not a whole number from -2**63 to 2**64 - 1")
    return int(word)


def size(word: str) -> int:
    """One of the numbers of --shape."""
    if not word.isdecimal() or int(word) > LARGEST:
        raise ArgumentTypeError(f"{word!r} is not a size; sizes are whole numbers, 0 to {LARGEST}")
    return int(word)


def too_large(shape: tuple[int, ...]) -> str | None:
    """What is wrong with a shape that is too large, or None."""
    if len(shape) > AXES:
        return f"has more than {AXES} axes"
    return f"has more than {LARGEST} entries" if prod(shape) > LARGEST else None


def words(text: str) -> list[str]:
    """Words with commas between them."""
    return text.split(",")


def count(word: str) -> int:
    """A whole number from 1."""
    if not word.isdecimal() or int(word) < 1:
        raise ArgumentTypeError(f"{word!r} is not a whole number from 1")
    return int(word)


def duration(word: str) -> float:
    """A number of minutes."""
    try:
        minutes = float(word)
    except ValueError:
        minutes = 0.0
    if not 0 < minutes < 1e6:
        raise ArgumentTypeError(f"{word!r} is not a number of minutes")
    return minutes


def plot(parser: ArgumentParser, path: str, gradients: Any, how: str, title: str) -> None:
    """--plot: pairs of gradients by name, the tape's first, drawn into a file; or bad usage."""
    from ..readers.explain.views.plot import save

    try:
        save(path, gradients, how, title)
    except OSError as error:
        parser.error(f"argument --plot: {path}: {error.strerror}")
    except (ImportError, ValueError) as error:
        parser.error(f"argument --plot: {error}")


def printable(text: str) -> str:
    r"""The same in one line: the name of a file may end a comment, or tell a terminal what to do.

    >>> print(printable("a\nb\x1b[31m.py"))
    a\nb\x1b[31m.py
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def finite(value: Any) -> Any:
    """The same with None for nan and the infinities, which JSON does not have."""
    if isinstance(value, dict):
        return {key: finite(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [finite(entry) for entry in value]
    return None if isinstance(value, float) and not isfinite(value) else value
