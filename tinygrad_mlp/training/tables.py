"""Tables to learn from: scikit-learn's digits and diabetes, a CSV file, or an .npz file."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from .files import from_csv, from_npz, is_number

BUNDLED = ("digits", "diabetes")
MOST_CLASSES = 20  # different whole numbers that still are taken for classes
FEWEST = 10  # rows


class Table(NamedTuple):
    """Rows of inputs, and what is to be learned of each: classes, or numbers."""

    name: str
    x: ndarray  # (rows, columns) of float64
    y: ndarray  # (rows,) of places in ``classes``, or (rows, outputs) of float64
    classes: list[str] | None


def table(
    data: str,
    inputs: Sequence[str] | None = None,
    target: str | None = None,
    task: str | None = None,
) -> Table:
    """Read "digits" or "diabetes", or the file of that name.

    ``inputs`` and ``target`` name columns of a CSV file, which may also be counted from 1, or
    arrays of an .npz file. ``task`` is "classify" or "regress"; without it text, bools, and up to
    20 different whole numbers are classes, and other targets numbers.

    ValueError for anything that cannot be learned from, with the place; OSError for a file that
    cannot be read; ImportError where scikit-learn, whose data it is, is not installed.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
    ...     _ = file.write("size,kind\\n" + "1.5,a\\n2.5,b\\n" * 5)
    ...     file.flush()
    ...     found = table(file.name)
    >>> found.x.shape, found.classes
    ((10, 1), ['a', 'b'])
    """
    if data in BUNDLED:
        if inputs or target:
            raise ValueError(f"{data} has inputs and a target of its own; name none")
        return bundled(data, task)
    path = Path(data)
    if not path.exists():
        near = get_close_matches(data, BUNDLED, 1)
        hint = f"; did you mean {near[0]}?" if near else ", nor is it digits or diabetes"
        raise ValueError(f"{data}: there is no such file{hint}")
    if not path.is_file():
        raise ValueError(f"{data}: this is not a file")
    x, y = (from_npz if path.suffix == ".npz" else from_csv)(path, inputs, target)
    if len(x) < FEWEST:
        raise ValueError(f"{data}: {len(x)} rows; at least {FEWEST} are needed")
    if x.shape[1] == 0:
        raise ValueError(f"{data}: there are no inputs beside the target")
    return Table(path.name, x, *targets(data, y, task))


def bundled(data: str, task: str | None) -> Table:
    load = getattr(import_module("sklearn.datasets"), f"load_{data}")
    x, y = load(return_X_y=True)
    return Table(data, np.asarray(x, np.float64), *targets(data, y, task))


def targets(data: str, y: ndarray, task: str | None) -> tuple[ndarray, list[str] | None]:
    """Targets as class indices and the names of the classes, or as numbers and None."""
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    kind = y.dtype.kind
    if kind not in "biufU" or (y.ndim > 1 and kind == "U") or y.ndim > 2 or 0 in y.shape:
        raise ValueError(f"{data}: a target of dtype {y.dtype} and shape {y.shape} is of no use")
    if task is None:
        whole = kind != "U" and y.ndim == 1 and bool((y == np.round(y)).all())
        few = whole and len(np.unique(y)) <= min(MOST_CLASSES, len(y) // 2)
        task = "classify" if kind in "bU" or few else "regress"
    if task == "regress":
        if kind == "U":
            word = next(w for w in y.tolist() if not is_number(w))
            raise ValueError(f"{data}: the target {word!r} is not a number; --task classify?")
        y = y.astype(np.float64).reshape(len(y), -1)
        if (y == y[0]).all(0).any():
            raise ValueError(f"{data}: the target is {y[0, 0]:g} in every row")
        return y, None
    if y.ndim > 1:
        raise ValueError(f"{data}: a target of shape {y.shape} cannot be classes; --task regress?")
    values, places = np.unique(y, return_inverse=True)
    if len(values) < 2:
        name = f"{values[0]:g}" if kind == "f" else values[0]
        raise ValueError(f"{data}: the target is {name} in every row")
    if 2 * len(values) > len(y):
        hint = "choose another with --target" if kind == "U" else "--task regress?"
        raise ValueError(f"{data}: {len(values)} classes in {len(y)} rows are too many; {hint}")
    names = [f"{v:g}" if kind == "f" else str(v) for v in values.tolist()]
    return places.astype(np.int64), names
