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
    lib: Any, function: Function, leaves: Sequence[Any], cotangents: Sequence[Any] | None = None
) -> list[Any]:
    """Of Σ weights ⊙ output, with zeros where the function does not depend on an input.

    With a graph where cotangents are given, which stand in the place of the weights.
    """
    given = floats(outputs_of(function, leaves))
    ws = list(map(lib.tensor, map(weights_of, given))) if cotangents is None else cotangents
    pairs = [(y, w.to(y.dtype)) for y, w in zip(given, ws, strict=True) if y.requires_grad]
    slopes = slopes_of(lib, pairs, leaves, create_graph=cotangents is not None)
    return [lib.zeros_like(x) if d is None else d for x, d in zip(leaves, slopes, strict=True)]


def slopes_of(
    lib: Any, pairs: Sequence[tuple[Any, Any]], leaves: Sequence[Any], **options: Any
) -> list[Any]:
    """The gradients of outputs with these cotangents, None where there is none."""
    found: list[Any] = [None] * len(leaves)
    places = [k for k, x in enumerate(leaves) if x.requires_grad]
    if pairs and places:
        outputs, cotangents = map(list, zip(*pairs, strict=True))
        of = [leaves[k] for k in places]
        slopes = lib.grad(outputs, of, cotangents, allow_unused=True, **options)
        for k, d in zip(places, slopes, strict=True):
            found[k] = d
    return found


def jacobian(
    lib: Any, function: Function, arrays: Sequence[ndarray]
) -> tuple[list[list[ndarray]], list[str], list[float]]:
    """For each entry of each output its gradients by all inputs, its name, and its weight.

    The cotangent is that weight, since with 1 a VJP that squares it would pass.
    """
    leaves = leaves_of(lib, arrays)
    outputs = outputs_of(function, leaves)
    floats(outputs)
    rows, names, ws = [], [], []
    for i, y in enumerate(outputs):
        if y.dtype.kind != "f":
            continue
        weight = weights_of(y)
        for at in np.ndindex(y.shape):
            slopes: list[Any] = [None] * len(leaves)
            if y.requires_grad:
                g = np.zeros_like(weight)
                g[at] = weight[at]
                slopes = slopes_of(lib, [(y, lib.tensor(g))], leaves, retain_graph=True)
            w = float(weight[at])
            rows.append(
                [
                    np.zeros(x.shape) if d is None else d.detach().numpy() / w
                    for x, d in zip(arrays, slopes, strict=True)
                ]
            )
            names.append(f"{i}{list(at) if at else ''}")
            ws.append(w)
    return rows, names, ws


def weights_of(y: Any) -> ndarray:
    """1, −2, 3, … for the entries of an output."""
    return weights(y.shape).astype(y.dtype)


def cotangents_of(lib: Any, function: Function, arrays: Sequence[ndarray]) -> list[ndarray]:
    """The weights of all outputs, in float64, to be inputs of the gradients."""
    outputs = floats(outputs_of(function, leaves_of(lib, arrays)))
    return [weights(y.shape) for y in outputs]


def total(lib: Any, outputs: Sequence[Any]) -> Any:
    """Σ weights ⊙ output, of the outputs of a float dtype."""
    parts = [(y * lib.tensor(weights_of(y))).sum() for y in floats(outputs)]
    return sum(parts[1:], parts[0])


def floats(outputs: Sequence[Any]) -> list[Any]:
    """The outputs that can have a gradient."""
    found = [y for y in outputs if y.dtype.kind == "f"]
    if not found:
        raise TypeError("the function returns nothing of a float dtype, which alone has gradients")
    return found
