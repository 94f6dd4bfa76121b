"""What is asked of a program: its values and derivatives, by name, of whoever has an answer.

An answer has quantities by name: ``x3`` for the value of an output, ``df/dx0`` for the gradient of
f = Σ weights ⊙ output at a leaf, and at order 2 ``d2f/dx0`` for the gradient of Σ weights ⊙ df/dx
over all leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from ...core.ops import Shape
from .jitter import Jitter
from .programs import Program

Quantities = dict[str, ndarray]


class Answer(NamedTuple):
    """An oracle's quantities, and for some of them how far off they may be."""

    quantities: Quantities
    errors: Quantities


class Unavailable(RuntimeError):  # noqa: N818 - it is the oracle's state, as StopIteration is
    """An oracle cannot be asked: what it needs is not installed, or it has no such op or order."""


class Oracle(NamedTuple):
    """A way to a program's derivatives: ``answer(program, order, jitter)`` gives an ``Answer``.

    ``run(program, lib, leaves, None, jitter)`` runs a program under a library; a ``Jitter``, if
    there is one, disturbs what it computes, so that the answer shows what rounding can do to it.
    """

    name: str
    answer: Callable[[Program, int, Jitter | None], Answer]
    exact_dtypes: bool = False  # whether it computes in the program's own dtypes
    two_layer_only: bool = False  # whether it has an answer to two-layer programs alone
    version: str = ""  # of the library that it asks


def wanted(program: Program) -> list[int]:
    """The leaves that have a gradient."""
    return [i for i, leaf in enumerate(program.leaves) if leaf.requires_grad]


def weights(shape: Shape) -> ndarray:
    """1, −2, 3, … in this shape, as in ``answers``."""
    n = np.arange(np.prod(shape, dtype=int))
    return np.asarray((n + 1.0) * (1 - 2 * (n % 2))).reshape(shape)


def array_leaves(program: Program) -> list[ndarray]:
    return [leaf.array().astype(np.float64) for leaf in program.leaves]


def weighted(program: Program, values: Sequence[Any], xp: Any = np) -> Any:
    """f = Σ weights ⊙ output."""
    return sum(xp.sum(weights(values[i].shape) * values[i]) for i in program.outputs)
