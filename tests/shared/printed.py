"""Reads a formula as it is printed, and works it out as a person would.

A vector is a column, 𝟏 the vector of ones of whatever length fits, I the identity likewise. Entry
by entry, arrays must have the same shape, but for numbers. Nothing broadcasts otherwise, and
nothing is known of how the formula came about. Arrays of three axes or more are as in NumPy.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy import ndarray

VULGAR = {"½": 1 / 2, "⅓": 1 / 3, "⅔": 2 / 3, "¼": 1 / 4, "¾": 3 / 4}
RAISED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
TOKENS = re.compile(
    r"(?P<number>[0-9]+(\.[0-9]+)?(e[−-]?[0-9]+)?(/[0-9]+)?|[½⅓⅔¼¾])|(?P<raised>[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)|(?P<ones>𝟏)"
    r"|(?P<name>[^\W\dᵀ](?:(?![ᵀ⁰¹²³⁴⁵⁶⁷⁸⁹])\w)*)|(?P<space> +)|(?P<sign>.)"
)


NONE: frozenset[int] = frozenset()


class Misfit(Exception):  # noqa: N818 (it says what is wrong, not that something is)
    """The formula means nothing by the rules."""


class Unsized(Misfit):
    """It means something only for one who knows how many ones there are."""


@dataclass(frozen=True)
class Value:
    """An array of two axes whose free axes are as long as need be; a number; or a larger array."""

    array: ndarray
    free: frozenset[int] = NONE
    is_identity: bool = False
    is_matrix: bool = False  # reshaped to n×1, which among larger arrays is no vector
    axes: int | None = None  # of what was entered

    @property
    def is_number(self) -> bool:
        return self.array.ndim == 0

    def fitted(self, shape: tuple[int, ...]) -> ndarray:
        """The entries in this shape, if that is its own or differs along free axes alone."""
        if self.is_identity:
            if len(shape) != 2 or shape[0] != shape[1]:
                raise Misfit(f"an identity of shape {shape}")
            return np.eye(shape[0]) * self.array
        own = self.array.shape
        if len(shape) > 2 and self.free:
            return np.broadcast_to(self.array, shape)
        if len(own) != len(shape) or any(
            a != b and i not in self.free for i, (a, b) in enumerate(zip(own, shape))
        ):
            raise Misfit(f"{own} is not {shape}")
        return np.broadcast_to(self.array, shape)


def value_of(array: Any) -> Value:
    """An array as a formula means it: one entry is a number, a vector a column."""
    array = np.asarray(array)
    if array.dtype.kind not in "b":
        array = array.astype(float)
    if array.size == 1 and array.ndim < 3:
        return Value(array.reshape(()))
    if array.ndim == 1:
        return Value(array[:, None])
    return Value(array)


def elementwise(function: Callable[..., Any], *values: Value) -> Value:
    values = tuple(as_number(v) for v in values)
    arrays = [v for v in values if not v.is_number]
    if any(v.array.ndim > 2 for v in arrays):
        plain = [as_in_numpy(v) for v in values]
        found = np.asarray(function(*plain))
        return Value(found, max((v.free for v in arrays), key=len) if found.size == 1 else NONE)
    if not arrays:
        return Value(np.asarray(function(*(v.array for v in values))))
    sizes = []
    for axis in (0, 1):
        fixed = {v.array.shape[axis] for v in arrays if axis not in v.free and not v.is_identity}
        if len(fixed) > 1:
            raise Misfit(f"sizes {fixed} along axis {axis}")
        sizes.append(fixed.pop() if fixed else None)
    free = frozenset(axis for axis, n in enumerate(sizes) if n is None)
    shape = tuple(1 if n is None else n for n in sizes)
    if len(arrays) == len(values) == 1 and arrays[0].is_identity:
        raise Misfit("a function of I, of which nobody knows how large it is")
    found = function(*(v.array if v.is_number else v.fitted(shape) for v in values))
    return Value(np.asarray(found), free, is_matrix=any(v.is_matrix for v in arrays))


def as_number(v: Value) -> Value:
    return Value(v.array.reshape(())) if v.array.ndim > 2 and v.array.size == 1 else v


def as_in_numpy(v: Value) -> ndarray:
    return v.array[:, 0] if is_column(v) and not v.is_matrix else v.array


def is_column(v: Value) -> bool:
    return v.array.ndim == 2 and v.array.shape[1] == 1 and not v.free


def multiplied(x: Value, y: Value) -> Value:
    """The matrix product, or a multiple."""
    for scaled, number in ((y, x), (x, y)):
        if number.is_number or (number.array.size == 1 and number.array.ndim > 2):
            c = number.array.reshape(())
            return replace(scaled, array=scaled.array * c)
    if x.is_identity or y.is_identity:
        other, identity = (y, x) if x.is_identity else (x, y)
        return Value(other.array * identity.array, other.free, other.is_identity)
    if x.array.ndim > 2 or y.array.ndim > 2:
        left = x.fitted((x.array.shape[0], y.array.shape[-2])) if 1 in x.free else x.array
        right = y.fitted((x.array.shape[-1], y.array.shape[1])) if 0 in y.free else y.array
        return Value(left @ right, x.free - {1} | y.free - {0})
    if 1 in x.free and 0 in y.free:
        raise Misfit("𝟏ᵀ 𝟏, which is as much as there are ones")
    left = x.fitted((x.array.shape[0], y.array.shape[0])) if 1 in x.free else x.array
    right = y.fitted((x.array.shape[1], y.array.shape[1])) if 0 in y.free else y.array
    if left.shape[1] != right.shape[0]:
        raise Misfit(f"a product of {left.shape} and {right.shape}")
    return whole(left @ right, x.free - {1} | y.free - {0})


def whole(array: ndarray, free: frozenset[int] = NONE) -> Value:
    return Value(array, free) if free or array.size != 1 else Value(array.reshape(()))


def transposed(x: Value) -> Value:
    return Value(x.array.mT, frozenset(1 - a for a in x.free), x.is_identity) if x.array.ndim else x


def known(x: Value) -> ndarray:
    """The entries of an array whose size is known."""
    if x.free or x.is_identity:
        raise Unsized("nobody knows how large it is")
    return x.array


def softmax(x: Value) -> Value:
    array = known(x)
    axis = 0 if is_column(x) else -1
    e = np.exp(array - array.max(axis, keepdims=True))
    return Value(e / e.sum(axis, keepdims=True))


def reduced(function: Callable[..., Any], x: Value, axes: str) -> Value:
    if x.is_number:
        return x
    if not axes:
        return Value(np.asarray(function(known(x))))
    places = tuple(int(a) for a in axes.split(","))
    if len(x.free) == 1 and places in ((0,), (1,)) and x.array.ndim == 2:
        (free,) = x.free
        if places[0] == free:
            raise Unsized("nobody knows how many there are")
        return Value(np.reshape(function(x.array), (1, 1)), frozenset([0]))
    array = known(x)
    if is_column(x) and places == (0,):
        return Value(np.asarray(function(array)))
    return value_of(function(array, axis=places))


def shaped(x: Value, to: str, broadcasts: bool) -> Value:
    """The entries row by row in another shape, or broadcast to it as in NumPy."""
    shape = tuple(map(int, re.findall(r"\d+", to)))
    if broadcasts or x.is_number:
        found = np.broadcast_to(as_in_numpy(x), shape)
    else:
        sizes = dict(enumerate(x.array.shape))
        for axis in x.free:
            sizes[x.array.ndim - 2 + axis] = math.prod(shape) // max(x.array.size, 1)
        found = x.fitted(tuple(sizes.values())).reshape(shape)
    return Value(found, is_matrix=True) if len(shape) > 1 and found.size > 1 else value_of(found)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "exp": np.exp, "log": np.log, "sin": np.sin, "cos": np.cos, "tanh": np.tanh, "sign": np.sign,
    "σ": lambda x: 1 / (1 + np.exp(-x)), "min": np.minimum, "max": np.maximum,
}  # fmt: skip
SIGNS: dict[str, Callable[..., Any]] = {
    "=": np.equal, "≠": np.not_equal, "<": np.less, "≤": np.less_equal, ">": np.greater,
    "≥": np.greater_equal, "∧": np.logical_and, "∨": np.logical_or, "⊻": np.logical_xor,
}  # fmt: skip


def evaluated(text: str, names: Mapping[str, Any]) -> Value:
    """What the right-hand side of a formula is worth."""
    with np.errstate(all="ignore"):
        reader = Reading(text, names)
        found = reader.choice()
        if reader.place < len(reader.tokens):
            raise Misfit(f"{text!r} goes on behind its end: {reader.tokens[reader.place :]}")
    return found


class Reading:
    """A descent through the text, from what holds least together to what does most."""

    def __init__(self, text: str, names: Mapping[str, Any]) -> None:
        self.names = names
        self.tokens = [(str(m.lastgroup), m[0]) for m in TOKENS.finditer(text)]
        self.place = 0

    def peek(self, ahead: int = 0) -> str:
        place = self.place + ahead
        return self.tokens[place][1] if place < len(self.tokens) else ""

    def took(self, *texts: str) -> str:
        """The next token if it is one of these, with the spaces around it."""
        ahead = 1 if self.peek().isspace() else 0
        if self.peek(ahead) not in texts or not self.peek(ahead):
            return ""
        found = self.peek(ahead)
        self.place += ahead + 1
        if ahead and self.peek().isspace():
            self.place += 1
        return found

    def choice(self) -> Value:
        x = self.logic()
        if self.took("if"):
            condition = self.logic()
            if not self.took("else"):
                raise Misfit("an if without an else")
            return elementwise(lambda c, a, b: np.where(c, a, b), condition, x, self.choice())
        return x

    def logic(self) -> Value:
        return self.chained(self.relation, "∧", "∨", "⊻")

    def relation(self) -> Value:
        return self.chained(self.sum, *"=≠<≤>≥")

    def chained(self, part: Callable[[], Value], *signs: str) -> Value:
        x = part()
        while sign := self.took(*signs):
            x = elementwise(SIGNS[sign], x, part())
        return x

    def sum(self) -> Value:
        x = self.negative() if self.took("−") else self.product()
        while sign := self.took("+", "−"):
            y = self.product()
            x = elementwise(np.add if sign == "+" else np.subtract, x, y)
        return x

    def negative(self) -> Value:
        return multiplied(Value(np.array(-1.0)), self.product())

    def product(self) -> Value:
        x = self.juxtaposed()
        while sign := self.took("⊙", "/"):
            y = self.juxtaposed()
            x = elementwise(np.multiply if sign == "⊙" else np.divide, x, y)
        return x

    def juxtaposed(self) -> Value:
        factors = [self.tight()]
        while True:
            if self.took("·"):
                factors.append(self.tight())
            elif self.peek().isspace() and self.begins_a_factor(1):
                self.place += 1
                factors.append(self.tight())
            else:
                break
        x = factors[0]
        for y in factors[1:]:
            x = multiplied(x, y)
        return x

    def begins_a_factor(self, ahead: int) -> bool:
        kind, text = self.tokens[self.place + ahead]
        return (
            kind in ("number", "name", "ones") and text not in ("if", "else")
        ) or text in "([‖|√¬"

    def tight(self) -> Value:
        x = self.atom()
        while True:
            kind = self.tokens[self.place][0] if self.place < len(self.tokens) else ""
            if self.peek() == "ᵀ":
                self.place += 1
                x = transposed(x)
            elif kind == "raised":
                p = int(self.peek().translate(RAISED))
                self.place += 1
                x = elementwise(lambda a, p=p: np.power(a, float(p)), x)
            elif self.peek() == "^":
                self.place += 1
                sign = -1.0 if self.took("−") else 1.0
                x = elementwise(lambda a, b, sign=sign: np.power(a, sign * b), x, self.atom())
            elif self.peek() == "[":
                x = self.indexed(x)
            else:
                return x

    def inside(self, closing: str) -> Value:
        found = self.choice()
        self.expect(closing)
        return found

    def expect(self, text: str) -> None:
        if self.peek() != text:
            raise Misfit(f"{text!r} is missing before {self.tokens[self.place :]}")
        self.place += 1

    def atom(self) -> Value:
        if self.place == len(self.tokens):
            raise Misfit("it ends too early")
        kind, text = self.tokens[self.place]
        self.place += 1
        if kind == "number":
            if text == "1" and self.peek() == "[":
                self.place += 1
                condition = self.inside("]")
                return elementwise(lambda c: c.astype(float), condition)
            return Value(np.array(number(text)))
        if kind == "ones":
            return Value(np.ones((1, 1)), frozenset([0]))
        if text == "(":
            return self.inside(")")
        if text == "|":
            return elementwise(np.abs, self.inside("|"))
        if text == "‖":
            return self.norm()
        if text == "√":
            return elementwise(np.sqrt, self.tight())
        if text == "¬":
            return elementwise(np.logical_not, self.atom())
        if text == "Σ" and self.peek() == " ":
            self.place += 1
            return Value(np.asarray(known(self.tight()).sum()))
        if text == "I" and "I" not in self.names:
            return Value(np.ones((1, 1)), frozenset([0, 1]), True)
        if text in ("∞", "nan"):
            return Value(np.array(float(text.replace("∞", "inf"))))
        if kind == "name" and self.peek() == "(" and text not in self.names:
            return self.call(text)
        if text in self.names:
            found = self.names[text]
            if isinstance(found, Value):
                return found
            return replace(value_of(found), axes=np.ndim(found))
        raise Misfit(f"{text!r} means nothing")

    def norm(self) -> Value:
        x = known(self.inside("‖"))
        squared = float((x * x).sum())
        power = 1.0
        if self.peek().translate(RAISED).isdigit():
            power = float(self.peek().translate(RAISED))
            self.place += 1
        is_matrix = self.peek() == "_F"
        self.place += is_matrix
        if is_matrix != (x.ndim > 1 and x.shape[1] != 1) and x.ndim and 1 not in x.shape:
            raise Misfit("a vector has no Frobenius norm, a matrix has")
        return Value(np.array(squared ** (power / 2)))

    def call(self, name: str) -> Value:
        self.expect("(")
        if name == "log" and [self.peek(i) for i in range(4)] == ["1", " ", "+", " "]:
            self.place += 4
            small = self.sum()
            self.expect(")")
            return elementwise(np.log1p, small)  # which is the same but for rounding
        args = [self.choice()]
        while self.took(","):
            self.took(" ")
            args.append(self.choice_after_space())
        options = self.options() if self.peek() == ";" else ""
        self.expect(")")
        if name in ("max", "min") and len(args) == 1:
            return reduced(np.max if name == "max" else np.min, args[0], options)
        if name == "Σ":
            return reduced(np.sum, args[0], options)
        if name == "softmax":
            return softmax(args[0])
        if name in ("reshape", "expand"):
            return shaped(args[0], options, name == "expand")
        if name == "permute" and not args[0].is_number:
            return Value(known(args[0]).transpose([int(a) for a in options.split(",")]))
        if name == "permute":
            return args[0]
        if name == "cat":
            axis = int(options)
            arrays = [np.atleast_2d(known(a)) for a in args]
            return value_of(np.concatenate(arrays, axis))
        return elementwise(FUNCTIONS[name], *args)

    def choice_after_space(self) -> Value:
        if self.peek().isspace():
            self.place += 1
        return self.choice()

    def options(self) -> str:
        """What follows the semicolon, up to the bracket that closes."""
        found, depth = "", 0
        self.place += 1
        while self.peek() and not (depth == 0 and self.peek() == ")"):
            depth += (self.peek() in "([") - (self.peek() in ")]")
            found += self.peek()
            self.place += 1
        return found.strip()

    def indexed(self, x: Value) -> Value:
        found, depth = "", 0
        while True:
            depth += (self.peek() == "[") - (self.peek() == "]")
            found += self.peek()
            self.place += 1
            if depth == 0:
                break
        text = found.replace("−", "-").replace("…", "...")
        index = eval(f"np.index_exp{text}", {"np": np}, self.constants())
        whole_axes = {a for a in x.free if index[a : a + 1] in ((), (slice(None),))}
        if x.free and whole_axes == x.free and all(isinstance(i, slice) for i in index):
            return Value(x.array[index], x.free)
        array = x.fitted(tuple(9 if a in x.free else n for a, n in enumerate(x.array.shape)))
        entries = [i for i in index if i is not None and i is not ...]
        open_ended = [isinstance(i, slice) and i.stop is None for i in entries]
        if any(open_ended[a] for a in x.free if a < len(entries)):
            raise Unsized("the end of what is as long as need be")
        if is_column(x) and x.axes != 2 and len(entries) < 2:
            array = array[:, 0]
        elif x.is_number:
            array = array.reshape((1,) * len(entries))
        return value_of(array[index])

    def constants(self) -> dict[str, Any]:
        return {name: np.asarray(a) for name, a in self.names.items() if not isinstance(a, Value)}


def number(text: str) -> float:
    if text in VULGAR:
        return VULGAR[text]
    above, _, below = text.replace("−", "-").partition("/")
    return float(above) / float(below or 1)
