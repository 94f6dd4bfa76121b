"""The gradients of a function in each of their forms: by the tape, compiled, as a formula."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from .functions import Function, gradients, leaves_of, outputs_of, total

Gradients = Sequence[ndarray]


def by_tape(lib: Any, function: Function, arrays: Sequence[ndarray]) -> Gradients:
    return [d.detach().numpy() for d in gradients(lib, function, leaves_of(lib, arrays))]


def by_compiled(lib: Any, function: Function, arrays: Sequence[ndarray]) -> Gradients:
    function, given = of_floats(lib, function, arrays)
    _, found = lib.compile(lambda *xs: total(lib, outputs_of(function, xs)))(*given.values())
    return with_zeros(arrays, dict(zip(given, map(np.asarray, found), strict=True)))


def by_formula(lib: Any, function: Function, arrays: Sequence[ndarray]) -> Gradients:
    """The formulas of the gradients, run as NumPy source."""
    derive = lib.derive
    function, places = of_floats(lib, function, arrays)
    given = {f"x{k}": a for k, a in places.items()}

    def loss(**xs: Any) -> Any:
        return total(lib, outputs_of(function, list(xs.values())))

    found = {}
    for k, x in places.items():
        try:
            slope = derive(loss, f"x{k}", **given)
        except RuntimeError as error:
            if "does not depend on" not in str(error):
                raise
        else:
            found[k] = np.broadcast_to(np.asarray(slope(**given)), x.shape)
    return with_zeros(arrays, found)


def of_floats(
    lib: Any, function: Function, arrays: Sequence[ndarray]
) -> tuple[Function, dict[int, ndarray]]:
    """The function of its float inputs alone, and these by their places.

    A compiled form and a formula hold for one mask or index, which decides what they are.
    """
    given = {k: a for k, a in enumerate(arrays) if a.dtype.kind == "f"}
    if len(given) == len(arrays):
        return function, given

    def of(*xs: Any) -> Any:
        leaves = leaves_of(lib, arrays)
        for k, x in zip(given, xs, strict=True):
            leaves[k] = x
        return function(*leaves)

    return of, given


def with_zeros(arrays: Sequence[ndarray], found: dict[int, ndarray]) -> Gradients:
    return [found[k] if k in found else np.zeros(a.shape) for k, a in enumerate(arrays)]
