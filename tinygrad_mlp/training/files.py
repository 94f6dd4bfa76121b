"""CSV files and .npz files as arrays of inputs and of what is to be learned."""

from __future__ import annotations

import csv
import math
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

import numpy as np
from numpy import ndarray

LONGEST = 10**7  # characters of a CSV file's first line
NAMES = {"inputs": ("x", "X", "data"), "target": ("y", "Y", "target")}  # of arrays in an .npz file


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
    given = {"inputs": inputs[0] if inputs else None, "target": target}
    with open(path, "rb") as raw:
        try:
            with np.load(raw, allow_pickle=False) as file:
                x, y = (member(file, option, name) for option, name in given.items())
        except KeyError as error:
            raise ValueError(f"{path}: {error.args[0]}") from None
        # zipfile has RuntimeError for a password and OSError for a place outside the file.
        except (ValueError, EOFError, RuntimeError, OSError, zipfile.BadZipFile, zlib.error) as e:
            why = "it is damaged, or none"
            if zipfile.is_zipfile(path) and "pickle" in str(e):
                why = "it holds Python objects, which are not loaded"
            raise ValueError(f"{path}: not a good .npz file: {why}") from None
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


def member(file: Mapping[str, ndarray], option: str, name: str | None) -> ndarray:
    known = [n for n in ([name] if name else NAMES[option]) if n in file]
    if not known:
        wanted = repr(name) if name else " or ".join(map(repr, NAMES[option]))
        raise KeyError(
            f"there is no array {wanted}, but {listed([*file]) or 'none at all'}; "
            f"name one with --{option}"
        )
    return np.asarray(file[known[0]])
