"""The types of options: what a word on the command line stands for, or what is wrong with it."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from collections.abc import Callable
from math import inf, prod

LARGEST = 10**8  # entries of a matrix, which take some gigabytes and a minute
AXES = 64  # which are NumPy's most
MOST_JOBS = 256


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


def count(word: str) -> int:
    """A whole number from 1."""
    if not word.isdecimal() or int(word) < 1:
        raise ArgumentTypeError(f"{word!r} is not a whole number from 1")
    return int(word)


def jobs(word: str) -> int:
    """--jobs, of which each takes some hundred megabytes."""
    if count(word) > MOST_JOBS:
        raise ArgumentTypeError(f"at most {MOST_JOBS}")
    return int(word)


def listed(text: str) -> list[str]:
    """Words with commas between them."""
    return text.split(",")


def number(what: str, fits: Callable[[float], bool]) -> Callable[[str], float]:
    """A type for numbers that fit; ``what`` says of others what they are not.

    >>> number("a number from 0", lambda x: x >= 0)("1e-3")
    0.001
    """

    def read(word: str) -> float:
        try:
            if fits(value := float(word)):
                return value
        except ValueError:
            pass
        raise ArgumentTypeError(f"{word!r} is not {what}")

    return read


minutes = number("a number of minutes", lambda x: 0 < x < 1e6)
positive = number("a number above 0", lambda x: 0 < x < inf)
not_negative = number("a number from 0", lambda x: 0 <= x < 1e6)
share = number("a number from 0 to less than 1", lambda x: 0 <= x < 1)


def place(word: str) -> str:
    """Where a function is: FILE.py:FUNCTION, or package.module:FUNCTION."""
    file, _, name = word.rpartition(":")
    if not file or not name.isidentifier():
        raise ArgumentTypeError(
            f"{word!r} is not of the form FILE.py:FUNCTION or package.module:FUNCTION"
        )
    return word


def shape(word: str) -> tuple[str, tuple[int, ...]]:
    """One of --shapes: the argument's name, or "" where it has none, and its shape.

    >>> shape("5x3"), shape("w=3"), shape("lam=scalar")
    (('', (5, 3)), ('w', (3,)), ('lam', ()))
    """
    name, equals, sizes = word.rpartition("=")
    try:
        if name.isidentifier() != bool(equals):
            raise ArgumentTypeError
        numbers = [] if sizes in ("scalar", "()") else re.split("[x×,]", sizes.removesuffix(","))
        found = tuple(map(size, numbers))
    except (ArgumentTypeError, ValueError):
        raise ArgumentTypeError(
            f"{word!r} is not a shape; write 3x4, or 5 for a vector, or scalar, "
            "or with the argument's name X=3x4"
        ) from None
    if len(found) > AXES:
        raise ArgumentTypeError(f"{word} has more than {AXES} axes")
    if prod(found) > LARGEST:
        raise ArgumentTypeError(f"{word} has more than {LARGEST} entries")
    return name, found
