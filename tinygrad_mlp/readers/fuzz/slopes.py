"""Derivatives of a program on plain arrays by varying its inputs, in float64 throughout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import ndarray

from .answers import Answer, Oracle, Quantities, array_leaves, wanted, weighted, weights
from .arrays import NUMPY
from .jitter import Jitter
from .programs import Program
from .running import run

Point = list[Any]  # an array for each leaf
Line = dict[int, ndarray]  # a direction for some leaves
Slope = Callable[[Callable[[Point], Any], Point, Line], tuple[Any, Any]]


def moved(point: Point, along: Line, t: Any) -> Point:
    return [x + t * along[i] if i in along else x for i, x in enumerate(point)]


STEP = 1e-30


def complex_slope(f: Callable[[Point], Any], x: Point, v: Line) -> tuple[float, float]:
    """Im f(x + ihv) / h: for small h the derivative to the last digit, as nothing is subtracted.

    By finite differences where NumPy has no complex form of a function, such as hypot.
    """
    try:
        value = f(moved(x, v, 1j * STEP))
    except TypeError:
        return finite_slope(f, x, v)
    # What is left of h² shows where the derivative itself is 0.
    return float(np.imag(value) / STEP), STEP


def finite_slope(f: Callable[[Point], Any], x: Point, v: Line) -> tuple[float, float]:
    """(f(x + hv) − f(x − hv)) / 2h at several steps h, extrapolated to h = 0."""
    return derivative(lambda t: f(moved(x, v, t)), 1 / 128)


def by_slopes(name: str, slope: Slope) -> Oracle:
    """An oracle that knows the derivative of f at x along v, and asks for it along each axis."""

    def answer(program: Program, order: int = 1, jitter: Jitter | None = None) -> Answer:
        leaves, places = array_leaves(program), wanted(program)
        every = {i: weights(leaves[i].shape) for i in places}

        def f(x: Point) -> Any:
            return weighted(program, run(program, NUMPY, x, None, jitter))

        def curvature(v: Line) -> tuple[float, float]:
            worst = 0.0

            def inner(t: float) -> float:
                nonlocal worst
                d, error = slope(f, moved(leaves, v, t), every)
                worst = max(worst, float(error))
                return float(d)

            # The smallest of 5 steps from 1/32 is 1/512, by which errors of f′ are divided.
            d, error = derivative(inner, 1 / 32, 5)
            return d, error + 512 * worst

        with np.errstate(all="ignore"):
            values = run(program, NUMPY, leaves, None, jitter)
            found: Quantities = {f"x{i}": values[i] for i in program.outputs}
            errors: Quantities = {}
            for order_of, name in ((1, "df"), (2, "d2f"))[:order]:
                for i in places:
                    d, e = np.zeros(leaves[i].shape), np.zeros(leaves[i].shape)
                    for at in np.ndindex(d.shape):
                        v = {i: np.zeros(d.shape)}
                        v[i][at] = 1
                        d[at], e[at] = slope(f, leaves, v) if order_of == 1 else curvature(v)
                    found[f"{name}/dx{i}"], errors[f"{name}/dx{i}"] = d, e
        return Answer(found, errors)

    return Oracle(name, answer, version=f"NumPy {np.__version__}")


def derivative(
    f: Callable[[float], Any],
    start: float = 1 / 32,
    steps: int = 8,
    eps: float = float(np.finfo(np.float64).eps),
    noise: Any = 0.0,
) -> tuple[Any, Any]:
    """f′(0) by central differences at halved steps, extrapolated to step 0, and its error.

    This is Richardson's scheme, in Ridders' form. An entry of the table is taken to be as far off
    as it is from those it was made of, and the best one is returned; where steps are too large or
    rounding too coarse, neighbours differ, and the error says so. ``f`` may return arrays; where it
    computes with another ``eps``, or is off by ``noise`` beyond that, say so.

    >>> d, error = derivative(lambda t: (1 + t) ** 3)
    >>> bool(abs(d - 3) <= error < 1e-9)
    True
    """
    rows: list[list[Any]] = []
    best: Any = None
    best_error: Any = None
    size: Any = 0.0
    h = start
    for k in range(steps):
        ends = np.asarray(f(h), np.float64), np.asarray(f(-h), np.float64)
        # A large step may leave the domain, which says nothing of the smaller ones.
        largest = np.maximum(np.abs(ends[0]), np.abs(ends[1]))
        size = np.maximum(size, np.where(np.isfinite(largest), largest, 0.0))
        row = [(ends[0] - ends[1]) / (2 * h)]
        rounding = 4 * (eps * size + noise) / h
        for m in range(1, min(k, 4) + 1):
            row.append(row[-1] + (row[-1] - rows[-1][m - 1]) / (4**m - 1))
            error = np.maximum(np.abs(row[m] - row[m - 1]), np.abs(row[m] - rows[-1][m - 1]))
            error = np.where(np.isfinite(error), error + rounding, np.inf)
            if best is None:
                best, best_error = row[m], error
            else:
                better = error < best_error
                best, best_error = (
                    np.where(better, row[m], best),
                    np.where(better, error, best_error),
                )
        rows.append(row)
        h /= 2
    return best[()], best_error[()]
