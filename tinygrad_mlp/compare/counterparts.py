"""One function body under either library: each run sees its own in place of the other."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from importlib import import_module
from types import CellType, FunctionType, ModuleType
from typing import Any

from .libraries import OURS, THEIRS


def under(function: Callable[..., Any], library: str) -> Callable[..., Any]:
    """The function, in which what belongs to either library is this library's."""
    if not isinstance(function, FunctionType):
        found: Callable[..., Any] = counterpart(function, library)
        return found
    return Namespace(function, library).remade(function)


class Namespace(dict[str, Any]):
    """The globals of a function, which give each name as the library has it."""

    def __init__(self, function: FunctionType, library: str) -> None:
        super().__init__(__builtins__=builtins)
        self.library = library
        self.home = function.__globals__
        self.done: dict[int, Any] = {}
        self.update((k, v) for k, v in self.home.items() if k != "__builtins__")
        for name, value in self.home.items():
            if name != "__builtins__":
                self[name] = self.seen(value)

    def seen(self, value: Any) -> Any:
        if isinstance(value, FunctionType) and value.__globals__ is self.home:
            return self.remade(value)
        return counterpart(value, self.library)

    def remade(self, function: FunctionType) -> FunctionType:
        if id(function) in self.done:
            found: FunctionType = self.done[id(function)]
            return found
        cells = tuple(CellType() for _ in function.__closure__ or ())
        made = FunctionType(
            function.__code__, self, function.__name__, function.__defaults__, cells or None
        )
        made.__kwdefaults__ = function.__kwdefaults__
        self.done[id(function)] = made
        for cell, original in zip(cells, function.__closure__ or (), strict=True):
            cell.cell_contents = self.seen(original.cell_contents)
        return made


PARTS = ("", "nn", "nn.functional", "optim", "autograd", "autograd.functional")


def counterpart(value: Any, library: str) -> Any:
    """What a library has in place of a module, function, class or dtype of the other one."""
    other = THEIRS if library == OURS else OURS
    if isinstance(value, ModuleType):
        name, _, inside = value.__name__.partition(".")
        if name != other:
            return value
        try:
            return import_module(f"{library}.{inside}" if inside else library)
        except ImportError:
            return value
    is_dtype = type(value).__name__.lower().endswith("dtype")
    named: Any = str(value).removeprefix("torch.") if is_dtype else getattr(value, "__name__", None)
    if not isinstance(named, str):
        return value
    for part in PARTS:
        try:
            place = import_module(f"{other}.{part}" if part else other)
            if getattr(place, named, None) is value:
                mine = import_module(f"{library}.{part}" if part else library)
                return getattr(mine, named)
        except (ImportError, AttributeError):
            continue
    return value
