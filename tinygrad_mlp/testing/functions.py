"""A function under check: what it is given, what it returns, and its gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from ..readers.fuzz.answers import weights

Function = Callable[..., Any]


def given_arrays(inputs: Any) -> list[ndarray]:
    given = inputs if isinstance(inputs, tuple) else (inputs,)
    return [np.asarray(x.detach().numpy() if hasattr(x, "detach") else x) for x in given]


def inputs_of(lib: Any, function: Function, inputs: Any) -> list[ndarray]:
    """The inputs in float64, but those that the function takes only as they are."""
    given = given_arrays(inputs)
    if any(b.dtype.kind == "c" for b in given):
        raise TypeError("the inputs are checked in float64, which has no complex numbers")
    try:
        arrays = [np.array(x, np.float64) for x in given]
    except OverflowError as error:
        raise ValueError(f"the inputs are checked in float64: {error}") from error
    arrays = [b if b.dtype.kind == "b" else a for a, b in zip(arrays, given, strict=True)]
    if any(b.dtype.kind in "iu" for b in given):
        try:
            outputs_of(function, leaves_of(lib, arrays))
        except TypeError:
            if all(b.dtype.kind in "biu" for b in given):
                raise
            arrays = [b if b.dtype.kind in "iu" else a for a, b in zip(arrays, given, strict=True)]
    if not any(a.dtype.kind == "f" for a in arrays):
        raise ValueError("there is no gradient to check: no input is of a float dtype")
    return arrays


def leaves_of(lib: Any, arrays: Sequence[ndarray], dtype: Any = np.float64) -> list[Any]:
    """Leaves that nobody may write into; those of ints and bools have no gradient."""
    leaves = [
        lib.tensor(a.astype(dtype), requires_grad=True) if a.dtype.kind == "f" else lib.tensor(a)
        for a in arrays
    ]
    for leaf in leaves:
        leaf._array.flags.writeable = False
    return leaves


def outputs_of(function: Function, leaves: Sequence[Any]) -> list[Any]:
    found = function(*leaves)
    outputs = list(found) if isinstance(found, (tuple, list)) else [found]
    for y in outputs:
        if not hasattr(y, "requires_grad"):
            raise TypeError(f"the function must return Tensors, not {type(y).__name__}")
    return outputs


def gradients(
    lib: Any, function: Function, leaves: Sequence[Any], graph: bool = False
) -> list[Any]:
    """Of Σ weights ⊙ output, with zeros where the function does not depend on an input."""
    outputs = [y for y in outputs_of(function, leaves) if y.requires_grad]
    places = [k for k, x in enumerate(leaves) if x.requires_grad]
    found: dict[int, Any] = {}
    if outputs:
        ws = [lib.tensor(weights(y.shape).astype(y.dtype)) for y in outputs]
        of = [leaves[k] for k in places]
        slopes = lib.grad(outputs, of, ws, create_graph=graph, allow_unused=True)
        found = {k: d for k, d in zip(places, slopes, strict=True) if d is not None}
    return [found[k] if k in found else lib.zeros_like(x) for k, x in enumerate(leaves)]


def total(lib: Any, outputs: Sequence[Any]) -> Any:
    """Σ weights ⊙ output, of the outputs of a float dtype."""
    parts = [(y * lib.tensor(weights(y.shape).astype(y.dtype))).sum() for y in floats(outputs)]
    return sum(parts[1:], parts[0])


def floats(outputs: Sequence[Any]) -> list[Any]:
    """The outputs that can have a gradient."""
    found = [y for y in outputs if y.dtype.kind == "f"]
    if not found:
        raise TypeError("the function returns nothing of a float dtype, which alone has gradients")
    return found
