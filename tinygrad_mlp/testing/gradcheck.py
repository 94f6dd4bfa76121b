"""Whether the gradients of a function are right, by finite differences that know their error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy import ndarray

import tinygrad_mlp as lib

from ..readers.fuzz.slopes import derivative
from .forms import Gradients, by_tape
from .functions import (
    Function,
    cotangents_of,
    floats,
    gradients,
    inputs_of,
    jacobian,
    leaves_of,
    outputs_of,
    total,
)

SAFETY = 8  # times the error that finite differences estimate for themselves
UNCLEAR = 1e-3  # of a derivative: with a larger error than that, finite differences say nothing
STARTS = tuple(2.0**-k for k in (5, 13, 21, 29, 31))  # of steps, for what varies in smaller ones
EPS = float(np.finfo(np.float64).eps)


class Unsettled(ValueError):  # noqa: N818 - it says nothing of what is checked
    """Finite differences cannot tell what the derivative is."""


def gradcheck(function: Function, inputs: Any) -> bool:
    """Compare the gradients of a function with finite differences, of each output by each input.

    ``inputs`` is a Tensor, array or number, or a tuple of them; they are taken in float64, apart
    from masks of bools, and from whole numbers where the function takes nothing else, as an index.
    The function takes as many Tensors and returns one or a tuple of them, of any shapes. There is
    no tolerance to choose: central differences at several steps, extrapolated to step 0, come with
    an estimate of their own error. True, or else AssertionError that says which gradient is wrong;
    ``Unsettled``, a ValueError, where finite differences do not tell: where the function is not
    smooth enough, or a derivative so small beside the values that rounding hides it. TypeError
    where the function returns something else.

    >>> import tinygrad_mlp as tg
    >>> from tinygrad_mlp.testing import gradcheck
    >>> gradcheck(lambda x, y: (x * y).sin(), ([1.0, 2.0], [[3.0], [4.0]]))
    True
    """
    with lib.enable_grad():
        check_first(lib, function, inputs_of(lib, function, inputs))
    return True


def gradgradcheck(function: Function, inputs: Any) -> bool:
    """``gradcheck`` of the function's gradients, as functions of inputs and cotangents.

    >>> from tinygrad_mlp.testing import gradgradcheck
    >>> gradgradcheck(lambda x: x.tanh(), [0.5, -1.0])
    True
    """
    with lib.enable_grad():
        check_second(lib, function, inputs_of(lib, function, inputs))
    return True


def check_first(
    lib: Any,
    function: Function,
    arrays: Sequence[ndarray],
    what: str = "gradient",
    of: str = " of output ",
    eps: float | None = None,
    inputs: Sequence[str] = (),
) -> None:
    """Each output's gradients against finite differences of it, and whether gradients add up."""

    def values(at: Sequence[ndarray]) -> ndarray:
        outputs = floats(outputs_of(function, leaves_of(lib, at)))
        return np.concatenate([np.ravel(y.detach().numpy()) for y in outputs]).astype(np.float64)

    with np.errstate(all="ignore"):
        rows, names, ws = jacobian(lib, function, arrays)
        eps = eps or precision(lib, function, arrays)
        many = len(rows) > 1
        wheres = [f"{what}{of}{name}" if many else what for name in names]
        against_differences(values, arrays, rows, wheres, eps, inputs)
        # Where each output's own are right, another sum is the fault of a VJP that is not linear.
        sums = by_tape(lib, function, arrays)
        for k, x in enumerate(arrays):
            if many and x.dtype.kind == "f":
                parts = np.array([w * row[k] for w, row in zip(ws, rows, strict=True)])
                rounding = 64 * eps * np.abs(parts).sum(0)
                if not (np.abs(sums[k] - parts.sum(0)) <= rounding).all():
                    check_total(lib, function, arrays, by_tape, f"{what} of all outputs together")


def check_total(
    lib: Any, function: Function, arrays: Sequence[ndarray], by: Any, what: str = "gradient"
) -> None:
    """The gradients of Σ weights ⊙ output, in some form, against finite differences of it."""

    def value(at: Sequence[ndarray]) -> ndarray:
        outputs = outputs_of(function, leaves_of(lib, at))
        return np.asarray([float(total(lib, outputs).detach())])

    with np.errstate(all="ignore"):
        found = by(lib, function, arrays)
        against_differences(value, arrays, [found], [what], precision(lib, function, arrays))


def against_differences(
    values: Callable[[Sequence[ndarray]], ndarray],
    arrays: Sequence[ndarray],
    rows: Sequence[Gradients],
    wheres: Sequence[str],
    eps: float,
    inputs: Sequence[str] = (),
) -> None:
    """The gradients of each value, a row of them each, against finite differences by each entry."""
    unclear = None
    for k, x in enumerate(arrays):
        for at in np.ndindex(x.shape if x.dtype.kind == "f" else (0,)):

            def along(t: float, k: int = k, at: Any = at) -> ndarray:
                moved = [np.array(a) for a in arrays]
                moved[k][at] += t
                return values(moved)

            by = f"{inputs[k] if inputs else f'input {k}'}{list(at) if at else ''}"
            mine = np.array([float(row[k][at]) for row in rows])
            try:
                ulp = EPS * (abs(float(x[at])) or 1.0)
                agree([f"{where} by {by}" for where in wheres], mine, along, eps, ulp)
            except Unsettled as error:
                unclear = unclear or error
    if unclear is not None:
        raise unclear


def precision(lib: Any, function: Function, arrays: Sequence[ndarray]) -> float:
    """The eps of the coarsest dtype among the outputs."""
    outputs = outputs_of(function, leaves_of(lib, arrays))
    return max([EPS, *(float(np.finfo(y.dtype).eps) for y in floats(outputs))])


def noise_of(along: Callable[[float], ndarray], ulp: float) -> ndarray:
    """How far each value moves when the input does by a unit in the last place or two."""
    spread = np.ptp([along(k * ulp) for k in (-2, -1, 0, 1, 2)], 0)
    return np.where(np.isfinite(spread), spread, 0.0)


def agree(
    wheres: Sequence[str],
    mine: ndarray,
    along: Callable[[float], ndarray],
    eps: float,
    ulp: float,
) -> None:
    """Derivatives of some values against finite differences along a line.

    Where larger steps do not tell, smaller ones may; and since what varies within a step can look
    smooth, a difference is believed once smaller steps do not contradict it.
    """
    pending, noise = np.ones(len(mine), bool), noise_of(along, ulp)
    hidden = np.zeros(len(mine), bool)
    doubts: dict[int, tuple[float, float]] = {}
    first: tuple[ndarray, ndarray] | None = None
    # One that is infinite or nan is right nowhere, however large it is.
    scale = np.where(np.isfinite(mine), np.abs(mine), 0.0)
    for start in STARTS:
        expected, error = derivative(along, start, eps=eps, noise=noise)
        first = first or (expected, error)
        rounding = 64 * eps * (scale + np.abs(expected))
        for j in [j for j in doubts if pending[j] and error[j] < np.inf]:
            by, off = doubts[j]
            if abs(expected[j] - by) <= SAFETY * (error[j] + off) + rounding[j]:
                raise AssertionError(
                    f"the {wheres[j]} is {mine[j].item()!r}, "
                    f"but by finite differences {by!r} ± {off:.1e}"
                )
        doubts = {}
        settled = error <= UNCLEAR * (1 + np.abs(expected))
        close = np.abs(mine - expected) <= SAFETY * error + rounding
        told = settled & (SAFETY * error < np.maximum(scale, np.abs(expected)))
        unseen = pending & close & ~told
        if (unseen & ~hidden).any():
            told |= unseen & ~hidden & is_nothing(along, start, mine, error, eps, noise)
        hidden |= settled & close & ~told  # smaller steps would see less
        pending &= ~(close & told)
        wrong = pending & settled & ~close
        if wrong.any():
            wrong &= ~is_kink(along, start, eps)
            doubts = {int(j): (float(expected[j]), float(error[j])) for j in np.flatnonzero(wrong)}
        if not pending.any():
            return
    assert first is not None
    j = int(np.flatnonzero(pending)[0])
    raise Unsettled(
        f"finite differences of the {wheres[j]} do not settle: "
        f"{first[0][j].item()!r} ± {first[1][j]:.1e}; choose inputs away from kinks and poles, "
        "and where values are not so large that they hide a derivative"
    )


def is_nothing(
    along: Callable[[float], ndarray],
    start: float,
    mine: ndarray,
    error: ndarray,
    eps: float,
    noise: ndarray,
) -> ndarray:
    """Whether a derivative that is no larger than its error is 0 as far as anyone can see.

    So it is where nothing moves but by rounding, and nothing is said to; or beside what moves
    within a step.
    """
    ends = np.array([along(-start), along(0.0), along(start)])
    moved = np.abs(ends - ends[1]).max(0)
    still = np.maximum(moved, np.abs(mine) * start) <= 4 * (eps * np.abs(ends[1]) + noise)
    return np.asarray(still | (error <= UNCLEAR * np.minimum(moved / start, 1)))


def is_kink(along: Callable[[float], ndarray], start: float, eps: float) -> ndarray:
    """Whether the slopes on both sides of 0 stay as different as they are, however near to it."""
    middle = along(0.0)
    far, near = (np.abs(along(h) - 2 * middle + along(-h)) / h for h in (start, start / 32))
    size = np.abs(middle)
    least = np.maximum(1e-9 * size, 16 * eps * size / (start / 32))
    return np.asarray(near > np.maximum(far / 4, least))


def check_second(lib: Any, function: Function, arrays: Sequence[ndarray]) -> None:
    """The gradients as a function of inputs and of cotangents, in both of which it is checked."""
    cotangents = cotangents_of(lib, function, arrays)
    n = len(arrays)

    # Finite differences recompute the gradient, which is a graph of its own each time.
    def slopes(*leaves: Any) -> list[Any]:
        return gradients(lib, function, leaves[:n], leaves[n:])

    names = [f"input {k}" for k in range(n)] + [f"cotangent {k}" for k in range(len(cotangents))]
    check_first(
        lib,
        slopes,
        [*arrays, *cotangents],
        "second gradient",
        ", of df/dx",
        precision(lib, function, arrays),
        names,
    )
