"""What every check does: read an answer, find the typical mistake, say it."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

UNFILLED = "There is still a ... in the cell above: write your code in its place, and run the cell."


class AnswerError(Exception):
    """What is wrong with an answer, in words for who gave it."""


def exercise(judge: Callable[..., str]) -> Callable[..., bool]:
    """A check, from a function that returns praise or raises AnswerError."""

    @wraps(judge)
    def verdict(*answer: Any) -> bool:
        try:
            praise = judge(*answer)
        except AnswerError as wrong:
            print(f"✗ {wrong}")
        except Exception as error:
            message = f"Your code raises {type(error).__name__}: {error}"
            print(f"✗ {UNFILLED if unfilled(error) else message}")
        else:
            print(f"✓ {praise}")
            return True
        return False

    return verdict


def unfilled(error: Exception) -> bool:
    """Whether what went wrong is that an Ellipsis was taken for something else."""
    return any(word in str(error) for word in ("ellipsis", "Ellipsis", "dtype object"))


def number(value: Any, what: str, number_class: type | None = None) -> float:
    """The value, where it is a plain number."""
    if value is ...:
        raise AnswerError(UNFILLED)
    if value is None:
        raise AnswerError(f"{what} is None. Is a return missing?")
    if number_class is not None and isinstance(value, number_class):
        raise AnswerError(f"{what} is a Number; a plain number is wanted. Use .value.")
    if isinstance(value, tuple):
        raise AnswerError(f"{what} is a tuple. Is there a comma too many?")
    return float(value)


def near(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-9)


def array(value: Any, shape: tuple[int, ...], what: str) -> np.ndarray[Any, Any]:
    """The answer as an array, where it can be one of numbers."""
    if value is ...:
        raise AnswerError(UNFILLED)
    if value is None:
        raise AnswerError(f"{what} is None.")
    found = np.asarray(value, dtype=np.float64)
    if found.shape != shape:
        raise AnswerError(
            f"{what} has the shape {found.shape}, but a gradient has the shape of what it is the "
            f"gradient by: {shape}."
        )
    return found


def close(a: Any, b: Any) -> bool:
    return np.shape(a) == np.shape(b) and np.allclose(a, b, rtol=1e-9, atol=1e-12)


def among(found: Any, right: Any, mistakes: dict[str, Any], what: str) -> None:
    """AnswerError unless the answer is right, with the message of the mistake if it is typical."""
    if close(found, right):
        return
    for message, wrong in mistakes.items():
        if close(found, wrong):
            raise AnswerError(message)
    raise AnswerError(
        f"{what} has the right shape, but other entries. Its first should be "
        f"{np.ravel(right)[0]:.6f}, and yours is {np.ravel(found)[0]:.6f}."
    )
