"""A function out of a user's file, and random arguments for it."""

from __future__ import annotations

import inspect
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module, util
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from numpy import ndarray

from ..creation import randn
from ..derive import derive
from ..ops import Shape
from ..random import manual_seed
from ..tensor import Tensor
from .explanation import Explanation


class UsageError(ValueError):
    """Something the user can put right; the message says how."""


def load(where: str) -> Callable[..., Any]:
    """The function that FILE.py:FUNCTION or package.module:FUNCTION names.

    UsageError where there is none; what the file itself raises passes through.
    """
    file, colon, name = where.rpartition(":")
    if not colon or not file or not name:
        raise UsageError(f"{where!r} does not name a function; write path/to/file.py:function")
    path = Path(file)
    if file.startswith(".") and not path.exists() and path.suffix != ".py":
        raise UsageError(f"there is no file {file}")
    if path.suffix == ".py" or path.exists():
        if not path.is_file():
            raise UsageError(f"there is no file {file}")
        spec = util.spec_from_file_location(path.stem, path)
        if spec is None or spec.loader is None:
            raise UsageError(f"{file} is not a Python file")
        module = util.module_from_spec(spec)
        sys.path.insert(0, str(path.parent.resolve()))
        try:
            spec.loader.exec_module(module)
        except SystemExit as error:
            raise UsageError(f"{file} exits when it is run") from error
        except SyntaxError as error:
            raise UsageError(f"{file} is not Python: {error}") from error
        except ValueError as error:
            # As of CPython 3.11.4 null bytes are a SyntaxError as well.
            if path.suffix == ".py" and b"\0" in path.read_bytes():
                raise UsageError(f"{file} is not Python: {error}") from error
            raise
    else:
        sys.path.insert(0, "")
        try:
            module = import_module(file)
        except ModuleNotFoundError as error:
            raise UsageError(
                f"there is no file {file}, and no module of that name: {error}"
            ) from None
    found = getattr(module, name, None)
    if not callable(found):
        names = [
            n for n, f in vars(module).items()
            if inspect.isfunction(f) and f.__module__ == module.__name__
        ]  # fmt: skip
        there = f"the functions there are: {', '.join(names)}" if names else "it has no functions"
        raise UsageError(f"{file} has no function {name!r}; {there}")
    return found  # type: ignore[no-any-return]


def inputs_for(
    function: Callable[..., Any], shapes: Sequence[tuple[str, Shape]], seed: int, dtype: str
) -> dict[str, Tensor]:
    """Normal random leaves for the function's arguments, in its order, after ``manual_seed(seed)``.

    The shapes come in that order, with "" for a name, or by name. Arguments that have a default may
    be left out; those of them that go by keyword alone get a shape by name alone. UsageError where
    shapes are missing or too many.
    """
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        raise UsageError("the function does not say what its arguments are") from None
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    named = {name for name, _ in shapes}
    names = [p.name for p in parameters if p.kind in kinds]
    by_keyword = [
        p.name
        for p in parameters
        if p.kind is p.KEYWORD_ONLY and (p.default is p.empty or p.name in named)
    ]
    needed = {p.name for p in parameters if p.name in names + by_keyword and p.default is p.empty}
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        names += [f"x{i}" for i in range(1, len(shapes) - len(names + by_keyword) + 1)]
    names += by_keyword
    if len(set(map(bool, named))) > 1:
        raise UsageError("some of --shapes have names and some have none; name all of them or none")
    given = dict(shapes if shapes and shapes[0][0] else zip(names, (s for _, s in shapes)))
    if len(given) != len(shapes) or not needed <= given.keys() <= set(names):
        raise UsageError(
            f"the function takes {', '.join(names) or 'no arguments'}, and there "
            f"{'is 1 shape' if len(shapes) == 1 else f'are {len(shapes)} shapes'}; give the shape "
            "of each, as in --shapes 5x3 3 scalar"
        )
    manual_seed(seed)
    return {
        name: randn(*given[name], dtype=dtype, requires_grad=True)
        for name in names
        if name in given
    }


def arranged(
    function: Callable[..., Any], inputs: dict[str, Tensor]
) -> tuple[list[Tensor], dict[str, Tensor]]:
    """The arguments to call with: by name where the function takes them so, or by place."""
    kinds = {name: p.kind for name, p in inspect.signature(function).parameters.items()}
    by_name: list[Any] = [inspect.Parameter.KEYWORD_ONLY]
    if inspect.Parameter.VAR_POSITIONAL not in kinds.values():
        by_name += [inspect.Parameter.POSITIONAL_OR_KEYWORD]
    by_place = [x for name, x in inputs.items() if kinds.get(name) not in by_name]
    return by_place, {name: x for name, x in inputs.items() if kinds.get(name) in by_name}


def by_formula(
    function: Callable[..., Any], inputs: dict[str, Tensor], explanation: Explanation
) -> dict[str, tuple[ndarray, ndarray]]:
    """For each input that a gradient arrives at, it and what the formula of ``derive`` gives.

    TypeError or ValueError where there is no formula that can be evaluated.
    """
    arrived = {name: explanation.gradient(x) for name, x in inputs.items()}
    formulas = derive(function, [name for name, g in arrived.items() if g is not None], **inputs)
    values = {name: x.detach().numpy() for name, x in inputs.items()}
    found = {}
    for formula, (name, g) in zip(
        formulas, ((name, g) for name, g in arrived.items() if g is not None), strict=True
    ):
        given = {name: values[name] for name in formula.arguments if name in values}
        value = np.asarray(formula(given))
        found[f"∂{explanation.output.text}/∂{name}"] = g, np.broadcast_to(value, g.shape)
    return found


def traceback_of(error: Exception, function: Callable[..., Any] | None) -> str:
    """The error as Python prints it, from the user's own code on."""
    code = getattr(function, "__code__", None)
    where = error.__traceback__
    while where is not None and not (
        where.tb_frame.f_code is code if code is not None else is_outside(where.tb_frame)
    ):
        where = where.tb_next
    return "".join(traceback.format_exception(type(error), error, where or error.__traceback__))


def is_outside(frame: FrameType) -> bool:
    """Whether a frame is neither this package's nor of the import system."""
    package = Path(__file__).parent.parent
    file = frame.f_code.co_filename
    return not file.startswith("<") and package not in Path(file).parents
