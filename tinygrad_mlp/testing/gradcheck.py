"""Whether the gradients of a function are right, by finite differences that know their error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy import ndarray

import tinygrad_mlp as lib

from ..readers.fuzz.slopes import derivative
from .forms import by_tape
from .functions import Function, floats, gradients, inputs_of, leaves_of, outputs_of, total

SAFETY = 8  # times the error that finite differences estimate for themselves
UNCLEAR = 1e-3  # of a derivative: with a larger error than that, finite differences say nothing
STARTS = tuple(2.0**-k for k in (5, 13, 21, 29, 31))  # of steps, for what varies in smaller ones
EPS = float(np.finfo(np.float64).eps)


class Unsettled(ValueError):  # noqa: N818 - it says nothing of what is checked
    """Finite differences cannot tell what the derivative is."""


def gradcheck(function: Function, inputs: Any) -> bool:
    """Compare the gradients of a function with finite differences, entry by entry.

    ``inputs`` is a Tensor, array or number, or a tuple of them; they are taken in float64, apart
    from masks of bools, and from whole numbers where the function takes nothing else, as an index.
    The function takes as many Tensors and returns one or a tuple of them, of any shapes. There is
    no tolerance to choose: central differences at several steps, extrapolated to step 0, come with
    an estimate of their own error. True, or else AssertionError that says which gradient is wrong;
    ValueError where the function is not smooth enough to tell, TypeError where it returns something
    else.

    >>> import tinygrad_mlp as tg
    >>> from tinygrad_mlp.testing import gradcheck
    >>> gradcheck(lambda x, y: (x * y).sin(), ([1.0, 2.0], [[3.0], [4.0]]))
    True
    """
    with lib.enable_grad():
        check_first(lib, function, inputs_of(lib, function, inputs))
    return True


def gradgradcheck(function: Function, inputs: Any) -> bool:
    """``gradcheck`` of the function's gradients: whether its second derivatives are right.

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
    by: Any = by_tape,
    what: str = "",
    eps: float | None = None,
) -> None:
    """The gradients of Σ weights ⊙ output against finite differences of it."""

    def value(at: Sequence[ndarray]) -> float:
        return float(total(lib, outputs_of(function, leaves_of(lib, at))).detach())

    unclear = None
    with np.errstate(all="ignore"):
        found = by(lib, function, arrays)
        eps = eps or precision(lib, function, arrays)
        noise = None
        for k, x in enumerate(arrays):
            for at in np.ndindex(x.shape if x.dtype.kind == "f" else (0,)):

                def along(t: float, k: int = k, at: Any = at) -> float:
                    moved = [np.array(a) for a in arrays]
                    moved[k][at] += t
                    return value(moved)

                noise = noise_of(value, arrays) if noise is None else noise
                where = f"{what or 'gradient'} by input {k}{list(at) if at else ''}"
                try:
                    agree(where, float(found[k][at]), along, eps, noise)
                except Unsettled as error:
                    unclear = unclear or error
    if unclear is not None:
        raise unclear


def precision(lib: Any, function: Function, arrays: Sequence[ndarray]) -> float:
    """The eps of the coarsest dtype among the outputs."""
    outputs = outputs_of(function, leaves_of(lib, arrays))
    return max([EPS, *(float(np.finfo(y.dtype).eps) for y in floats(outputs))])


def noise_of(value: Callable[[Sequence[ndarray]], float], arrays: Sequence[ndarray]) -> float:
    """How far a value moves when its inputs do by a unit in the last place or two."""
    random = np.random.default_rng(0)
    found = [
        value(
            [
                a * (1 + EPS * random.integers(-2, 3, a.shape)) if a.dtype.kind == "f" else a
                for a in arrays
            ]
        )
        for _ in range(6)
    ]
    spread = max(found) - min(found)
    return spread if np.isfinite(spread) else 0.0


def agree(
    what: str, mine: float, along: Callable[[float], float], eps: float, noise: float
) -> None:
    """A derivative against finite differences of the function along its line.

    Where larger steps do not tell, smaller ones may; and since what varies within a step can look
    smooth, a difference is believed once smaller steps do not contradict it.
    """
    doubt: tuple[float, float] | None = None
    first = ""
    # One that is infinite or nan is right nowhere, however large it is.
    scale = abs(mine) if np.isfinite(mine) else 0.0
    for start in STARTS:
        expected, error = map(float, derivative(along, start, eps=eps, noise=noise))
        first = first or f"{expected!r} ± {error:.1e}"
        rounding = 64 * eps * (scale + abs(expected))
        if doubt is not None and error < np.inf:
            by, off = doubt
            if abs(expected - by) <= SAFETY * (error + off) + rounding:
                raise AssertionError(
                    f"the {what} is {mine!r}, but by finite differences {by!r} ± {off:.1e}"
                )
        doubt = None
        if error <= UNCLEAR * (1 + abs(expected)):
            if abs(mine - expected) <= SAFETY * error + rounding:
                return
            if not is_kink(along, start, eps):
                doubt = expected, error
    raise Unsettled(
        f"finite differences of the {what} do not settle: {first}; "
        "choose inputs away from kinks and poles"
    )


def is_kink(along: Callable[[float], float], start: float, eps: float) -> bool:
    """Whether the slopes on both sides of 0 stay as different as they are, however near to it."""
    middle = along(0.0)
    far, near = (abs(along(h) - 2 * middle + along(-h)) / h for h in (start, start / 32))
    return near > max(far / 4, 1e-9 * abs(middle), 16 * eps * abs(middle) / (start / 32))


def check_second(lib: Any, function: Function, arrays: Sequence[ndarray]) -> None:
    # Finite differences recompute the gradient, which is a graph of its own each time.
    def slopes(*leaves: Any) -> list[Any]:
        return gradients(lib, function, list(leaves), graph=True)

    eps = precision(lib, function, arrays)
    check_first(lib, slopes, arrays, what="second gradient", eps=eps)
