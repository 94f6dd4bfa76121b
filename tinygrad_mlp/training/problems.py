"""What a network is trained on: a table split in two, and scaled by the larger part."""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from .tables import Table

SHARE = 5  # one row of so many is for validation


class Problem(NamedTuple):
    """A table split and scaled: what a network is trained on, and what it is validated on.

    The targets are class indices, (rows,) of int64; for two classes 0 and 1, (rows, 1) of the
    dtype; for a regression (rows, outputs) of the dtype, scaled as the inputs are.
    """

    name: str
    task: str  # "classes", "two classes" or "regression"
    classes: list[str] | None
    outputs: int
    x: ndarray
    y: ndarray
    valid_x: ndarray
    valid_y: ndarray

    @property
    def measure(self) -> str:
        """What the validation score is."""
        return "R²" if self.task == "regression" else "accuracy"

    def digest(self) -> str:
        """A SHA-256 of all the numbers."""
        found = sha256()
        for array in self[4:]:
            found.update(f"{array.dtype} {array.shape}".encode())
            found.update(np.ascontiguousarray(array).data)
        return found.hexdigest()


def words_of(seed: int) -> list[int]:
    """A seed of 64 bits as RandomState takes it."""
    seed %= 2**64
    return [seed % 2**32, seed // 2**32]


def problem(found: Table, seed: int = 0, dtype: str = "float32") -> Problem:
    """One row in five, drawn by the seed, is for validation; all is scaled by the other rows.

    ValueError where a number is too large for the dtype, or a regression's target is the same in
    all rows of a part.
    """
    rows = np.random.RandomState(words_of(seed)).permutation(len(found.x))
    held = len(rows) // SHARE
    train, valid = rows[held:], rows[:held]
    x = scaled(found.x, train, dtype, found.name)
    if found.classes is None:
        y = scaled(found.y, train, dtype, found.name)
        for part in (y[train], y[valid]):
            if (part == part[0]).all(0).any():
                raise ValueError(f"{found.name}: the target is the same in all rows of a part")
        task, outputs = "regression", y.shape[1]
    elif len(found.classes) == 2:
        y, task, outputs = found.y.astype(dtype)[:, None], "two classes", 1
    else:
        y, task, outputs = found.y, "classes", len(found.classes)
    return Problem(found.name, task, found.classes, outputs, x[train], y[train], x[valid], y[valid])


def scaled(x: ndarray, train: ndarray, dtype: str, name: str) -> ndarray:
    """Columns of mean 0 and standard deviation 1 in these rows; one that is constant stays so."""
    with np.errstate(all="ignore"):
        mean, spread = x[train].mean(0), x[train].std(0)
        # What rounding leaves of a constant column is no spread.
        constant = spread <= 1e-12 * np.abs(mean)
        out = ((x - mean) / np.where(constant, 1, spread)).astype(dtype)
    if not np.isfinite(out).all():
        raise ValueError(f"{name}: some numbers are too large to train on")
    return np.asarray(out)
