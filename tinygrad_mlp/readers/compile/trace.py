"""A function run on Tensors that stand for its arguments, so that the tape has all that it does."""

from __future__ import annotations

import gc
import re
from collections.abc import Callable
from dataclasses import dataclass
from keyword import iskeyword
from typing import Any

import numpy as np
from numpy import ndarray

from ...autograd.derivatives import gradients_of
from ...core.ops import Op
from ...core.tape import Node, current, leaf, record, switched
from ...torch.accepts import as_array
from ...torch.tensor import Tensor, wrap
from ...torch.views import Before, undo, watched

ARGUMENT = Op("argument", "x", np.positive)  # of a dtype that no gradient flows to


@dataclass(frozen=True)
class Trace:
    """The graph of a function, from the nodes of its arguments to what a program is to return."""

    arguments: list[Node]
    arrays: list[ndarray]  # the arguments that it was traced with
    names: list[str]
    results: list[Tensor | None]
    form: str  # of what is returned, with {} for each result
    titles: list[str]  # what the results are, if there is more to say than that


def run_traced(function: Callable[..., Any], *args: Any) -> Any:
    """What a function returns while everything is recorded, and no value can be asked for."""
    # NumPy is silent, for the program, which is run next, reports the same.
    with np.errstate(all="ignore"), switched(recording=True, tracing=True):
        return function(*args)


def given(args: tuple[Any, ...]) -> list[ndarray]:
    """The arguments of a call as arrays."""
    if current().tracing and any(isinstance(a, Tensor) and a.requires_grad for a in args):
        raise RuntimeError(
            "compile: a compiled function cannot be a part of another function that is being "
            "compiled or derived; call the function that it was made from"
        )
    return [a._array if isinstance(a, Tensor) else as_array(a) for a in args]


def trace(function: Callable[..., Any], arrays: list[ndarray], gradients: bool) -> Trace:
    """The graph of a function and, if they are wanted, of its gradients."""
    arguments = [argument(a) for a in arrays]
    nodes = nodes_of(arguments)
    names = argument_names(function, len(arrays))
    result = result_of(function, arguments, arguments)
    results = list(result) if isinstance(result, (tuple, list)) else [result]
    for r in results:
        if not isinstance(r, Tensor):
            raise TypeError(f"compile: the function must return Tensors, not {type(r).__name__}")
    if not gradients:
        form = "{}" if isinstance(result, Tensor) else in_brackets(len(results))
        return Trace(nodes, arrays, names, results, form, [])
    if len(results) != 1 or results[0].numel() != 1:
        raise ValueError(
            "compile: for gradients the function must return one Tensor of one entry; "
            "pass gradients=False for the outputs alone"
        )
    by = tuple(x for x in arguments if x.dtype.kind == "f")
    found = iter(gradients_of(results[0], by, None, create_graph=True))
    slopes = [next(found) if x.dtype.kind == "f" else None for x in arguments]
    form = f"{{}}, {in_brackets(len(slopes))}"
    titles = ["the value", *(f"∂/∂{name}" for name in names)]
    return Trace(nodes, arrays, names, results + slopes, form, titles)


def in_brackets(n: int) -> str:
    return "(" + "{}, " * n + ")"


def argument(array: ndarray) -> Tensor:
    """A Tensor that stands for an argument while a function is traced."""
    floats = array.dtype.kind == "f"
    return wrap(array, leaf(array.shape) if floats else record(ARGUMENT, (), array.shape))


def nodes_of(tensors: list[Tensor]) -> list[Node]:
    return [x._node for x in tensors if x._node is not None]


def result_of(function: Callable[..., Any], arguments: list[Tensor], fixed: list[Tensor]) -> Any:
    """What a function returns while it is traced.

    RuntimeError if it changes one of the fixed Tensors, or another that there is after it has
    ended: a program makes new arrays, and would leave that one as it is.
    """
    nodes = nodes_of(fixed)
    seen: list[Before] = []
    token = watched.set(seen)
    try:
        # Tensors of our own, so that those which only the function had are gone.
        result = bare(function(*arguments))
        if nodes_of(fixed) != nodes:
            raise RuntimeError("compile: the function changes an argument in place")
        if any_left(seen):
            raise RuntimeError(
                "compile: the function changes a Tensor in place that it did not make, or that it "
                "keeps; take that as an argument, and return what it shall become"
            )
    except BaseException:
        undo(seen)
        raise
    finally:
        watched.reset(token)
    return result


def bare(result: Any) -> Any:
    if isinstance(result, (tuple, list)):
        return tuple(map(bare, result))
    return wrap(result._array, result._node) if isinstance(result, Tensor) else result


def any_left(seen: list[Before]) -> bool:
    """Whether one of these Tensors is in use, which one that is in a cycle only seems to be."""

    def left() -> bool:
        return any(known() is not None for known, *_ in seen)

    if not left():
        return False
    gc.collect()
    return left()


def argument_names(function: Callable[..., Any], n: int) -> list[str]:
    """The function's own names for its arguments, where they cannot be mistaken for others."""
    code = getattr(function, "__code__", None)
    names = list(code.co_varnames[: code.co_argcount]) if code else []
    return clear(names if len(names) == n else [""] * n)


def clear(names: list[str]) -> list[str]:
    """These names if none is there twice or is one that a program uses itself; or else x0, x1, …"""
    own = re.compile(r"|np|i|range|buffers|(buffer|const|view|out|rows|v)\d+")
    if len(set(names)) == len(names) and not any(own.fullmatch(x) or iskeyword(x) for x in names):
        return names
    return [f"x{i}" for i in range(len(names))]
