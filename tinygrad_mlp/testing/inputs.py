"""Random inputs for an op of somebody's own, in its domain and of the shapes that it takes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, islice
from typing import Any

import numpy as np
from numpy import ndarray

from ..core.ops import Op, Shape
from ..readers.fuzz.kinks import smooth
from .functions import Function, outputs_of

NOT_FINITE = "it is not finite there"


def inputs_for(
    made: Op, function: Function, lib: Any, seed: int, reasons: list[str]
) -> Iterator[list[ndarray]]:
    """Random inputs in the domain, from plain ones on, some of them without entries.

    For each shape there are plain ones, and some of either sign, or if need be positive; for shapes
    that broadcast, only these.
    Shapes that the op does not take are left out, with the reason in ``reasons``; but those that
    broadcast an op must take if it says that it broadcasts.
    """
    n = len(made.vjps)
    broad: list[tuple[Shape, ...]] = []
    if made.broadcasts and n > 1:
        one_less: list[Shape] = [(), (1,)]
        broad = [((2,),) * k + (one,) + ((2,),) * (n - 1 - k) for one in one_less for k in range(n)]
        for some in ((2, 3), (3,), (1,), ()), ((2, 1), (1, 3), (3,), ()):
            broad.append(tuple(islice(cycle(some), n)))
            broad.append(broad[-1][::-1])
    alike: list[Shape] = [(), (2,), (2, 3), (2, 2), (1,), (2, 1, 2), (0,)]
    random = np.random.default_rng(seed)
    for shapes in (*((shape,) * n for shape in alike), *broad):
        for attempt in range(shapes in broad, 81):
            # None of these is a whole number or half of one, where functions have kinks.
            low = -2.0 if attempt <= 40 else 0.25
            arrays = [
                np.floor(random.uniform(low, 2, shape) * 64) / 64 + 1 / 128
                if attempt
                else 0.5 + np.arange(int(np.prod(shape))).reshape(shape) / 4
                for shape in shapes
            ]
            if smooth(made.domain, arrays):
                reason = refusal(function, lib, arrays)
                if reason is None or (shapes in broad and reason != NOT_FINITE):
                    yield arrays
                    if attempt or not all(map(np.prod, shapes)):
                        break
                else:
                    reasons.append(reason)


def refusal(function: Function, lib: Any, arrays: list[ndarray]) -> str | None:
    """Why a function does not take these inputs."""
    try:
        found = outputs_of(function, [lib.tensor(a) for a in arrays])
    except (ValueError, IndexError, TypeError) as error:
        # To write into what it was given is no way to say no.
        return None if "writes into its arguments" in str(error) else str(error)
    finite = all(np.isfinite(y.detach().numpy()).all() for y in found)
    return None if finite else NOT_FINITE
