"""Formulas against the tape: each one's NumPy form, run on the inputs of the tape."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from ...core.tensor import grad
from ...torch.creation import tensor
from ...torch.tensor import Tensor
from .deriving import derive, formula
from .formula import Formula


class Problem(NamedTuple):
    """What is derived, and what the formulas are checked at."""

    function: Callable[..., Tensor]
    inputs: dict[str, ndarray]
    about: dict[str, Any]
    # How far the gradient for an input, or f for None, may be from the tape's, given that.
    bound: Callable[[str | None, ndarray], Any]


class Checked(NamedTuple):
    """A formula, and how far what it gives is from what the tape gives."""

    formula: Formula
    shape: tuple[int, ...]
    difference: float  # the largest
    entry: float  # the largest, by absolute value
    agree: bool

    def __str__(self) -> str:
        if not isfinite(self.entry):
            return "NOT CHECKED: the tape's answer is not finite; try --positive, or another --seed"
        return (
            f"{'agree' if self.agree else 'DISAGREE'}: largest difference {self.difference:.1e}, "
            f"largest entry {self.entry:.1e}"
        )


class Derived(NamedTuple):
    """The formulas of a function and, by the names of inputs, of its gradients."""

    f: Checked
    gradients: dict[str, Checked]
    unused: list[str]  # inputs that it does not depend on

    def all(self) -> list[Checked]:
        return [self.f, *self.gradients.values()]


def derived(problem: Problem, wrt: list[str] | None) -> Derived:
    """The formulas, checked."""
    inputs = problem.inputs
    for name in wrt or ():
        if name not in inputs:
            raise ValueError(f"--wrt: {name!r} is not an input; they are {', '.join(inputs)}")
    with np.errstate(all="ignore"):
        leaves = {name: tensor(x, requires_grad=True) for name, x in inputs.items()}
        value = problem.function(**leaves)
        if not value.requires_grad:
            raise ValueError("the function's result does not depend on any of its inputs")
        gradients = zip(leaves, grad(value, list(leaves.values()), allow_unused=True))
        used = {name: g for name, g in gradients if g is not None}
        chosen = wrt or list(used)

        def check(name: str | None, formula: Formula, tape: Tensor) -> Checked:
            found = tape.numpy()
            return checked(formula, found, inputs, problem.bound(name, found))

        formulas = derive(problem.function, chosen, **inputs)
        return Derived(
            check(None, formula(problem.function, **inputs), value.detach()),
            {x: check(x, f, used[x]) for x, f in zip(chosen, formulas, strict=True)},
            [] if wrt else [name for name in inputs if name not in used],
        )


def checked(formula: Formula, tape: ndarray, inputs: dict[str, ndarray], bound: Any) -> Checked:
    """The formula's NumPy form at these inputs, against the tape's answer."""
    mine = np.asarray(formula(inputs))
    difference = np.abs(mine - tape)
    return Checked(
        formula,
        tape.shape,
        float(difference.max(initial=0)),
        float(np.abs(tape).max(initial=0)),
        mine.shape == tape.shape and bool((difference <= bound).all()),
    )
