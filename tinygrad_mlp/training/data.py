"""Tables to learn from: scikit-learn's digits and diabetes, a CSV file, or an .npz file.

A ``Table`` is what was read; ``problem`` splits its rows in two, to train on and to validate on,
and gives every column the mean 0 and the standard deviation 1 on the former.
"""

from __future__ import annotations

import csv
import math
import zipfile
import zlib
from collections.abc import Sequence
from difflib import get_close_matches
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy import ndarray

BUNDLED = ("digits", "diabetes")
MOST_CLASSES = 20  # different whole numbers that still are taken for classes
FEWEST = 10  # rows
LONGEST = 10**7  # characters of a CSV file's first line
SHARE = 5  # one row of so many is for validation
NAMES = {"inputs": ("x", "X", "data"), "target": ("y", "Y", "target")}  # of arrays in an .npz file


class Table(NamedTuple):
    """Rows of inputs, and what is to be learned of each: classes, or numbers."""

    name: str
    x: ndarray  # (rows, columns) of float64
    y: ndarray  # (rows,) of places in ``classes``, or (rows, outputs) of float64
    classes: list[str] | None


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


# Files.


def from_csv(
    path: Path, inputs: Sequence[str] | None, target: str | None
) -> tuple[ndarray, ndarray]:
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            first = file.readline(LONGEST)
            if len(first) == LONGEST:
                raise ValueError(f"{path}: line 1 is too long for a CSV file")
            delimiter = max(",;\t", key=first.count)
            file.seek(0)
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if row]
    except UnicodeDecodeError:
        raise ValueError(f"{path}: this is not text in UTF-8, so not a CSV file") from None
    except csv.Error as error:
        raise ValueError(f"{path}: line {reader.line_num}: {error}") from None
    if not rows:
        raise ValueError(f"{path}: the file is empty")
    width = len(rows[0][1])
    names = [str(i + 1) for i in range(width)]
    if is_header(rows[0][1], rows[1][1] if len(rows) > 1 else []):
        names = rows.pop(0)[1]
    for line, row in rows:
        if len(row) != width:
            raise ValueError(f"{path}: line {line} has {len(row)} values, and the first {width}")
    at = column(path, names, target, "target") if target else width - 1
    chosen = [column(path, names, name, "inputs") for name in inputs or ()]
    if at in chosen:
        raise ValueError(f"{path}: column {names[at]!r} is the target, and cannot be an input too")
    chosen = chosen or [i for i in range(width) if i != at]
    x = np.empty((len(rows), len(chosen)))
    for i, (line, row) in enumerate(rows):
        for j, place in enumerate(chosen):
            x[i, j] = number(row[place], f"{path}: line {line}, column {names[place]!r}")
    words = [row[at] for _, row in rows]
    for (line, _), word in zip(rows, words):
        if not word or (is_number(word) and not math.isfinite(float(word))):
            number(word, f"{path}: line {line}, column {names[at]!r}")
    numeric = all(map(is_number, words))
    return x, np.array([float(word) for word in words]) if numeric else np.array(words)


def is_header(first: list[str], second: list[str]) -> bool:
    """Whether the first row has names: none is a number, or one stands above a number."""
    above = any(not is_number(a) and is_number(b) for a, b in zip(first, second))
    return above or not any(map(is_number, first))


def column(path: Path, names: list[str], name: str, option: str) -> int:
    """The place of a column, by its name or counted from 1."""
    if names.count(name) > 1:
        raise ValueError(f"{path}: there are {names.count(name)} columns {name!r}; count from 1")
    if name in names:
        return names.index(name)
    if name.isdecimal() and 1 <= int(name) <= len(names):
        return int(name) - 1
    near = get_close_matches(name, names, 1)
    known = f"did you mean {near[0]!r}?" if near else f"there are: {listed(names)}"
    raise ValueError(f"{path}: --{option}: there is no column {name!r}; {known}")


def listed(names: Sequence[str], most: int = 8) -> str:
    shown = ", ".join(names[:most])
    return f"{shown}, … ({len(names)} in all)" if len(names) > most else shown


def is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return "_" not in word


def number(word: str, place: str) -> float:
    """A cell as a number; ValueError that says where it stands if it is none."""
    if not word:
        raise ValueError(f"{place} is empty; fill it in, or leave the row out")
    if not is_number(word):
        raise ValueError(f"{place}: {word!r} is not a number; choose other columns with --inputs")
    value = float(word)
    if not math.isfinite(value):
        raise ValueError(f"{place} is {word}; give it a number, or leave the row out")
    return value


def from_npz(
    path: Path, inputs: Sequence[str] | None, target: str | None
) -> tuple[ndarray, ndarray]:
    if inputs and len(inputs) > 1:
        raise ValueError(f"{path}: --inputs names one array of an .npz file, not {len(inputs)}")
    try:
        with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
            found = []
            for option, given in (("inputs", inputs[0] if inputs else None), ("target", target)):
                known = [n for n in ([given] if given else NAMES[option]) if n in file]
                if not known:
                    wanted = repr(given) if given else " or ".join(map(repr, NAMES[option]))
                    raise KeyError(
                        f"there is no array {wanted}, but {listed(file.files) or 'none at all'}; "
                        f"name one with --{option}"
                    )
                found.append(np.asarray(file[known[0]]))
    except KeyError as error:
        raise ValueError(f"{path}: {error.args[0]}") from None
    except (ValueError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        objects = zipfile.is_zipfile(path) and "pickle" in str(error)
        why = (
            "it holds Python objects, which are not loaded" if objects else "it is damaged, or none"
        )
        raise ValueError(f"{path}: not a good .npz file: {why}") from None
    x, y = found
    if x.ndim < 1 or y.ndim < 1 or len(x) != len(y):
        raise ValueError(f"{path}: inputs of shape {x.shape} and a target of {y.shape} do not fit")
    if x.dtype.kind not in "biuf":
        raise ValueError(f"{path}: the inputs are numbers, not of dtype {x.dtype}")
    x = x.reshape(len(x), math.prod(x.shape[1:])).astype(np.float64)
    for name, array in (("inputs", x), ("target", y)):
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            place = tuple(map(int, np.argwhere(~np.isfinite(array))[0]))
            raise ValueError(
                f"{path}: {name}{list(place)} is {array[place]}; give it a number, or leave row "
                f"{place[0]} out"
            )
    return x, y


# Targets.


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


# From a table to a problem.


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
