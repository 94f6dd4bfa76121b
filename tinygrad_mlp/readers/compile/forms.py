"""An op on named arrays as NumPy: by its row, or in a form that writes into a given array."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite, prod
from types import EllipsisType, NoneType
from typing import Any

import numpy as np
from numpy import ndarray

from ...core import ops
from ...core.ops import Op, Shape
from ..derive.templates import SUM, Place, template
from . import limits
from .constants import Constants, given, ones
from .values import INNER, REDUCTIONS, Value, is_basic, is_broadcast, is_ufunc, is_view


@dataclass(frozen=True)
class Target:
    """Where a result goes: into an array, or without one it makes its own."""

    shape: Shape  # that of the value, or of a block of it
    out: str = ""
    scratch: str = ""  # another array of that shape and dtype, free to use

    @property
    def into(self) -> str:
        return self.out and f", out={self.out}"


def statements(constants: Constants, v: Value, inputs: list[str], target: Target) -> list[str]:
    """The op on these inputs: as one expression, or as statements that write it into the target."""
    assert v.op is not None
    form = FORMS.get(v.op)
    return (form and form(constants, v, inputs, target)) or [by_row(constants, v, inputs, target)]


def by_row(constants: Constants, v: Value, inputs: list[str], target: Target) -> str:
    op = v.op
    assert op is not None
    if is_ufunc(op):
        name = op.forward.__name__
        known = getattr(np, name, None) is op.forward
        function = f"np.{name}" if known else given(constants, op.forward)
        return f"{function}({', '.join(inputs)}{target.into})"
    options = [option_text(constants, o) for o in v.options]
    if op.numpy is not None and needs_numpy_alone(op.numpy, op.parameters):
        text = filled(op, op.numpy, inputs, options)
    else:
        called = [f"({', '.join(inputs)},)"] if op.variadic else inputs
        text = f"{given(constants, op.forward)}({', '.join([*called, *options])})"
    # What an op of somebody's own returns may be a view, a number, or of another dtype.
    return text if op in OWN_ARRAY or is_view(v) else f"np.array({text}, np.{v.dtype})"


OWN_ARRAY = {INNER, ops.where, ops.cast, ops.whole, ops.scatter, ops.sigmoid}


@lru_cache
def needs_numpy_alone(text: str, parameters: tuple[str, ...]) -> bool:
    try:
        nodes = list(ast.walk(ast.parse(text, mode="eval")))
    except SyntaxError:
        return False
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    return names <= {"np", *parameters, *dir(builtins)}


def filled(op: Op, text: str, inputs: list[str], options: list[str]) -> str:
    """A template of an op, with these words for its parameters."""
    words = dict(zip(op.parameters, [", ".join(inputs)] if op.variadic else inputs))
    words.update(zip(op.parameters[len(words) :], options))
    pieces, _ = template(text, op.parameters)
    return "".join(p if isinstance(p, str) else placed(words[p.parameter], p) for p in pieces)


def placed(word: str, place: Place) -> str:
    return f"({word})" if word.startswith("-") and place.tightness > SUM else word


def option_text(constants: Constants, option: Any) -> str:
    """An option as Python, or a name for it."""
    if type(option) is tuple:
        listed = [option_text(constants, o) for o in option]
        return f"({', '.join(listed)}{',' * (len(listed) == 1)})"
    if isinstance(option, np.dtype):
        return f"np.{option}"
    plain = type(option) in (bool, int, str, NoneType) or (
        type(option) is float and isfinite(option)
    )
    return repr(option) if plain else given(constants, option)


def index_text(constants: Constants, index: tuple[Any, ...]) -> str:
    """An index as it is written; a basic one so that it gives a view even of one entry."""

    def text(entry: Any) -> str:
        if isinstance(entry, ndarray):
            return given(constants, entry)
        if isinstance(entry, slice):
            bounds = ("" if b is None else str(b) for b in (entry.start, entry.stop))
            return ":".join(bounds) + ("" if entry.step is None else f":{entry.step}")
        return "..." if isinstance(entry, EllipsisType) else repr(entry)

    entries = [text(entry) for entry in index]
    if is_basic(index) and "..." not in entries:
        entries.append("...")
    return ", ".join(entries) + ("," if len(entries) == 1 else "")


# The forms that are not those of the rows: they are faster, or write into a given array.

Form = Callable[[Constants, Value, list[str], Target], list[str] | None]


def matmul(constants: Constants, v: Value, inputs: list[str], target: Target) -> list[str]:
    small = all(len(x.shape) == 2 for x in v.inputs) and prod(target.shape) <= ops.DOT_MOST
    x, y = inputs
    return [f"{x}.dot({y}{target.into})" if small else f"np.matmul({x}, {y}{target.into})"]


def reduction(constants: Constants, v: Value, inputs: list[str], target: Target) -> list[str]:
    assert v.op is not None
    axes, keep = v.options
    keeping = ", keepdims=True" if keep else ""
    function = f"np.{REDUCTIONS[v.op]}.reduce"
    return [f"{function}({inputs[0]}, axis={axes}{keeping}{target.into})"]


def total(constants: Constants, v: Value, inputs: list[str], target: Target) -> list[str]:
    """A sum along one axis of a matrix as a product with ones, which is faster."""
    (source,), (axes, keep), (x,) = v.inputs, v.options, inputs
    if len(source.shape) == 2 and v.dtype.char in "fd" and not is_broadcast(source):
        n, k = source.shape
        if axes == (0,):
            row = ones(constants, (1, n) if keep else (n,), v.dtype)
            return [f"{row}.dot({x}{target.into})"]
        if axes == (1,) and k <= limits.ROW_MOST:
            column = ones(constants, (k, 1) if keep else (k,), v.dtype)
            return [f"{x}.dot({column}{target.into})"]
    return reduction(constants, v, inputs, target)


def sigmoid(constants: Constants, v: Value, inputs: list[str], target: Target) -> list[str] | None:
    """eˣ / (1 + eˣ) as in ``ops.logistic``, but in arrays that are there."""
    if not target.out:
        return None
    one, enough = ops.SIGMOID[v.dtype.char]
    (x,), out, scratch = inputs, target.out, target.scratch
    if prod(v.shape):
        x = f"{x} if {x}.item({x}.argmax()) <= {enough} else np.minimum({x}, {enough})"
    return [
        f"np.exp({x}, out={out})",
        f"np.add({out}, {given(constants, one)}, out={scratch})",
        f"np.divide({out}, {scratch}, out={out})",
    ]


def cat(constants: Constants, v: Value, inputs: list[str], target: Target) -> list[str]:
    return [f"np.concatenate(({', '.join(inputs)},), axis={v.options[0]}{target.into})"]


def getitem(constants: Constants, v: Value, inputs: list[str], target: Target) -> list[str]:
    return [f"{inputs[0]}[{index_text(constants, v.options[0])}]"]


def permute(constants: Constants, v: Value, inputs: list[str], target: Target) -> list[str] | None:
    (axes,) = v.options
    return [f"{inputs[0]}.T"] if axes == tuple(range(len(axes)))[::-1] else None


FORMS: dict[Op, Form] = {
    ops.matmul: matmul,
    ops.sum: total,
    ops.amax: reduction,
    ops.amin: reduction,
    ops.sigmoid: sigmoid,
    ops.cat: cat,
    ops.getitem: getitem,
    ops.permute: permute,
}
