"""What a program finds made, by the names that it has there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy import ndarray

from ...core.ops import Shape
from .values import Value


@dataclass
class Constants:
    scope: dict[str, Any] = field(default_factory=dict)
    names: dict[Any, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)  # what each is, as comments


def given(constants: Constants, x: Any) -> str:
    """A name for something that the program finds made."""
    single = isinstance(x, ndarray) and x.ndim == 0
    key = (x.dtype, x.tobytes()) if single else id(x)
    if key not in constants.names:
        name = constants.names[key] = f"const{len(constants.notes)}"
        constants.scope[name] = x
        constants.notes.append(f"# {name}: {described(x)}")
    return constants.names[key]


def described(x: Any) -> str:
    if not isinstance(x, ndarray):
        return str(getattr(x, "__name__", type(x).__name__))
    if x.ndim == 0:
        return f"{x.item():g}, {x.dtype}"
    number = Value(x.shape, x.dtype, array=x).number
    entries = "an array" if number is None else f"{number:g} in each entry"
    return f"{entries}, {'×'.join(map(str, x.shape))}, {x.dtype}"


def number(constants: Constants, x: Any, dtype: np.dtype[Any]) -> str:
    with np.errstate(over="ignore"):
        return given(constants, np.asarray(x, dtype))


def ones(constants: Constants, shape: Shape, dtype: np.dtype[Any]) -> str:
    key = "ones", shape, dtype
    if key not in constants.names:
        constants.names[key] = given(constants, np.ones(shape, dtype))
    return constants.names[key]
