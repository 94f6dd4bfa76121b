"""What callers may write for data, dtypes, axes, shapes and indices, in one form or refused."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from operator import index
from reprlib import repr as brief
from types import EllipsisType
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np
from numpy import ndarray

from ..core import ops
from ..core.ops import Axes, Op, Shape

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from .tensor import Tensor

    Sizes = SupportsIndex | Sequence[SupportsIndex]
    Entry = int | slice | EllipsisType | ndarray | None
    Index = tuple[Entry, ...]

NUMBERS = (bool, int, float, np.bool, np.integer, np.floating)
DTYPES = frozenset(map(np.dtype, ("?", "u1", "i1", "i2", "i4", "i8", "f2", "f4", "f8")))
FLOAT, DOUBLE, LONG = np.dtype("f4"), np.dtype("f8"), np.dtype("i8")


def as_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """One of the dtypes that a Tensor may have, in the machine's byte order."""
    try:
        found = np.dtype(dtype)
        found = np.dtype(found.type)
    except (TypeError, ValueError, RecursionError):
        found = np.dtype(object)
    if found not in DTYPES:
        raise TypeError(
            f"dtype {brief(dtype)} is not one of a Tensor's: bool, uint8, int8 to int64, "
            "float16, float32, float64"
        )
    return found


def as_number(caller: object, name: str, value: Any) -> int | float:
    """A number as Python's own, of one or of a Tensor or an array with one entry.

    TypeError for what is no number, ValueError for several.
    """
    if type(value) is float or type(value) is int:
        return value
    try:
        number = value.item() if hasattr(value, "item") else value
    except ValueError:
        raise ValueError(
            f"{caller}: {name} is one number, not several, of shape {value.shape}"
        ) from None
    if not isinstance(number, int | float):
        raise TypeError(
            f"{caller}: {name} is a number, not {brief(value)}, a {type(value).__name__}; "
            "convert it first, with float() say"
        )
    return number


def as_float(op: str, name: str, value: object, dtype: np.dtype[np.floating] = DOUBLE) -> float:
    """A number as a float; ValueError for a finite one that the dtype has only as infinite."""
    try:
        number = float(as_number(op, name, value))
    except OverflowError:
        raise ValueError(f"{op}: {name} is too large for a float") from None
    if float(np.finfo(dtype).max) < abs(number) < inf:
        raise ValueError(f"{op}: {name} is {number:g}, which is too large for {dtype}")
    return number


def as_int(op: str, name: str, value: object, dtype: np.dtype[np.integer] = LONG) -> int:
    """A number without its fraction; ValueError where an integer dtype does not have it."""
    number = as_number(op, name, value)
    fits = np.iinfo(dtype)
    if not fits.min - 1 < number < fits.max + 1:
        raise ValueError(f"{op}: {name} is {brief(number)}, which does not fit {dtype}")
    return int(number)


def wider(a: np.dtype[Any], b: np.dtype[Any]) -> np.dtype[Any]:
    if (a.kind == "f") != (b.kind == "f"):
        return a if a.kind == "f" else b
    return np.promote_types(a, b)


def as_array(data: object, dtype: DTypeLike | None = None) -> ndarray:
    """A new array of what the caller gave: floats make float32, an array keeps its dtype."""
    if isinstance(data, np.ma.MaskedArray):
        raise TypeError("tensor: a masked array has entries without a value; fill them first")
    try:
        array = np.array(data, order="C", subok=False)
    except ValueError:
        raise ValueError(
            "tensor: the rows of a nested list must all have the same length; this one is ragged"
        ) from None
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"tensor: numbers are needed, not {type(data).__name__} with entries of "
            f"dtype {array.dtype}"
        )
    first = data
    while isinstance(first, list | tuple) and first:
        first = first[0]
    typed = isinstance(first, ndarray | np.generic) or hasattr(first, "__array__")
    if dtype is None:
        dtype = array.dtype if typed or array.dtype.kind != "f" else FLOAT
    target = as_dtype(dtype)
    of_numbers = not typed or isinstance(first, np.generic)
    if of_numbers and array.size and array.dtype.kind != "b" and target.kind in "iu":
        fits = np.iinfo(target)
        if not (array.min().item() >= fits.min and array.max().item() <= fits.max):
            raise ValueError(f"tensor: numbers up to {array.max()} do not fit {target}")
    return array.astype(target, copy=False)


def as_axes(op: str, ndim: int, axis: object, dim: object = None) -> Axes:
    """The axes as places from 0; None for all of them, which () means too, as in PyTorch."""
    if dim is not None:
        if axis is not None:
            raise TypeError(f"{op}: axis and dim are the same; give one of them")
        axis = dim
    if axis is None or (isinstance(axis, (tuple, list)) and not axis):
        return None
    given = axis if isinstance(axis, (tuple, list)) else (axis,)
    places = tuple(as_axis(op, ndim, a) for a in given)
    if len(set(places)) < len(places):
        raise ValueError(f"{op}: an axis is named twice in {given}")
    return places if ndim else None


def as_axis(op: str, ndim: int, axis: Any) -> int:
    try:
        place = index(axis)
    except TypeError:
        raise TypeError(f"{op}: an axis is an int, not {type(axis).__name__}") from None
    # A 0-d Tensor takes 0 and -1, as in PyTorch.
    if not -max(ndim, 1) <= place < max(ndim, 1):
        raise ValueError(f"{op}: axis {place} is out of range for a Tensor with {ndim} axes")
    return place % max(ndim, 1)


def size_of(op: str, shape: Shape, axis: SupportsIndex) -> int:
    """The size of an axis, which a 0-d Tensor has none of."""
    place = as_axis(op, len(shape), axis)
    if not shape:
        raise ValueError(f"{op}: a 0-d Tensor has no axis {axis}; reshape(1) gives it one")
    return shape[place]


def require_entries(op: str, shape: Shape, axes: Axes) -> None:
    if 0 in (shape if axes is None else [shape[a] for a in axes]):
        along = "" if axes is None else f" along axes {axes}"
        raise ValueError(f"{op}: there is nothing to choose from{along} in shape {shape}")


def require_axes(op: str, *given: tuple[Tensor, int]) -> None:
    """ValueError where a Tensor has not so many axes."""
    for x, ndim in given:
        if x.ndim != ndim:
            raise ValueError(f"{op}: {ndim} axes are needed, not those of shape {x.shape}")


def as_shape(op: str, sizes: Sequence[Sizes], unknown: bool = False) -> Shape:
    """Sizes given one by one or as one sequence; -1 where an unknown one may stand."""
    first = sizes[0] if len(sizes) == 1 else None
    given: Sequence[Any] = first if isinstance(first, (tuple, list)) else sizes
    try:
        shape = tuple(map(index, given))
    except TypeError:
        raise TypeError(f"{op}: sizes are ints, not {brief(given)}") from None
    if any(n < (-1 if unknown else 0) for n in shape):
        raise ValueError(f"{op}: a size is negative in {shape}")
    return shape


def as_index(key: object) -> Index:
    """An index as a tuple of ints, slices, None, ... and arrays of our own."""
    entries = []
    for entry in key if isinstance(key, tuple) else (key,):
        if isinstance(entry, list | bool | np.bool) or hasattr(entry, "__array__"):
            entry = np.array(entry)
            if entry.size == 0 and entry.dtype.kind == "f":
                entry = entry.astype(np.int64)
            if entry.ndim == 0 and entry.dtype.kind in "iu":
                entry = int(entry)
            elif entry.dtype.kind not in "biu":
                raise TypeError(f"getitem: an index array is of ints or bools, not {entry.dtype}")
        elif isinstance(entry, slice):
            # The bounds may be Tensors, which can change in place.
            bounds = (entry.start, entry.stop, entry.step)
            entry = slice(*(None if b is None else index(b) for b in bounds))
        elif not isinstance(entry, EllipsisType | None):
            try:
                entry = index(entry)
            except TypeError:
                raise TypeError(
                    f"getitem: {type(entry).__name__} is not an index; "
                    "use ints, slices, None, ..., or arrays of ints or bools"
                ) from None
        if isinstance(entry, int) and abs(entry) >= 2**63:
            raise IndexError("getitem: an index beyond 64 bits is out of bounds of any Tensor")
        entries.append(entry)
    return tuple(entries)


def in_two_steps(entries: Index) -> tuple[Index, Index] | None:
    """An index whose ints stand apart from its arrays, as one by the ints and one by the rest.

    PyTorch goes by the ints first. NumPy takes them for arrays too, and where arrays stand apart
    their axes come out in front.
    """
    arrays = [isinstance(entry, ndarray) for entry in entries]
    places = [i for i, entry in enumerate(entries) if arrays[i] or isinstance(entry, int)]
    if not any(arrays) or len(places) == sum(arrays) or places[-1] - places[0] < len(places):
        return None
    ints: list[Entry] = []
    for entry in entries:
        if isinstance(entry, ndarray):
            ints += [slice(None)] * (entry.ndim if entry.dtype.kind == "b" else 1)
        elif entry is not None:
            ints.append(slice(None) if isinstance(entry, slice) else entry)
    return tuple(ints), tuple(entry for entry in entries if not isinstance(entry, int))


def misfit(op: Op, error: ValueError, *shapes: Shape) -> ValueError:
    """What is wrong where an op's forward gave this error; most often it is the shapes."""
    listed = " and ".join(map(str, shapes))
    if not op.broadcasts:
        return error
    if op is ops.matmul:
        return ValueError(
            f"matmul: shapes {listed} do not fit: the last axis of the first must be as long as "
            "the last but one of the second, and any axes before them must broadcast"
        )
    if broadcasts(shapes):
        return ValueError(f"{op.name}: {error}")
    return ValueError(
        f"{op.name}: shapes {listed} do not broadcast: from the last axis backwards, sizes must be "
        "equal or one of them 1; reshape or unsqueeze one of the two"
    )


def broadcasts(shapes: tuple[Shape, ...]) -> bool:
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        return False
    return True
