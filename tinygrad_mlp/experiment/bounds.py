"""How far from each other two right answers to the experiment may be."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from .closed_form import check, sigma, summed


class Near(NamedTuple):
    """A value in float64, and how far it, or one computed in some dtype, is from the exact one."""

    value: ndarray
    error: ndarray

    @property
    def size(self) -> ndarray:
        """No smaller than the absolute value of the exact value, or of any computed one."""
        size: ndarray = np.abs(self.value) + 2 * self.error
        return size


def error_bounds(
    x: ndarray, y: ndarray, w1: ndarray, w2: ndarray, b1: ndarray, b2: ndarray
) -> tuple[Any, dict[str, ndarray]]:
    """How far rounding can take the loss, and each entry of each gradient, from its exact value.

    It holds for any way to compute the loss and the formulas of ``closed_form`` in the dtype of
    the arrays, as long as nothing overflows; so two of them differ by at most twice the bound. In
    the form of ``closed_form``'s answer: a number, and for each name an array of that name's shape.

    This is the standard running error analysis (N. J. Higham, Accuracy and Stability of Numerical
    Algorithms, chapter 3), carried along with the values. With u half the distance from 1 to the
    next number, η the smallest positive number, γₙ = nu / (1 − nu), and a value a at most e_a off,

        a + b           e_a + e_b + u (|a| + |b|)
        Σ of n terms    Σ e_a + γₙ Σ |a|                        in any order of summation
        A B, length n   e_A |B| + |A| e_B + γₙ |A| |B| + n η    in any order, with FMA or without
        a ⊙ b ⊙ c       likewise; a product that underflows is η off, times the third factor
        σ(h)            σ(h + e_h) − σ(h − e_h) + 16 u σ(h) + η, as σ is monotonic, and exp by
                        NumPy at most 4 units in the last place, that is 8 u, off

    where |a| takes in the error of a itself. Doubling is exact. One more term than there are is
    counted in each γ, which covers the rounding of the bound itself.

    >>> from tinygrad_mlp.experiment.bounds import error_bounds
    >>> from tinygrad_mlp.experiment.two_layer import problem
    >>> bound, bounds = error_bounds(*(t.detach().numpy() for t in problem()))
    >>> print(f"{bound:.4f} {bounds['y'].max():.5f}")
    0.0076 0.00005
    """
    check(x, y, w1, w2, b1, b2)
    info = np.finfo(np.result_type(x, y, w1, w2, b1, b2))
    u, least = float(info.eps) / 2, float(info.smallest_subnormal)

    def gamma(n: int) -> float:
        return (n + 1) * u / (1 - (n + 1) * u)

    def exact(a: ndarray) -> Near:
        return Near(a.astype(np.float64), np.zeros(a.shape))

    def plus(a: Near, b: Near) -> Near:
        return Near(a.value + b.value, a.error + b.error + gamma(1) * (a.size + b.size))

    def total(a: Near, shape: tuple[int, ...]) -> Near:
        n = a.value.size // max(int(np.prod(shape)), 1)
        return Near(
            summed(a.value, shape), summed(a.error, shape) + gamma(n) * summed(a.size, shape)
        )

    def product(a: Near, b: Near) -> Near:
        n = a.value.shape[1]
        error = a.error @ b.size + a.size @ b.error + gamma(n) * (a.size @ b.size) + n * least
        return Near(a.value @ b.value, error)

    def transposed(a: Near) -> Near:
        return Near(a.value.T, a.error.T)

    def scaled(a: Near, by: float) -> Near:
        return Near(by * a.value, abs(by) * a.error)

    def logistic(h: Near) -> Near:
        low, high = sigma(h.value - 2 * h.error), sigma(h.value + 2 * h.error)
        return Near(sigma(h.value), high - low + 16 * u * high + least)

    def times(a: Near, b: Near, c: Near) -> Near:
        carried = a.error * b.size * c.size + a.size * b.error * c.size + a.size * b.size * c.error
        rounded = gamma(2) * a.size * b.size * c.size + least * (a.size + b.size + c.size + 1)
        return Near(a.value * b.value * c.value, carried + rounded)

    X, Y, W1, W2, B1, B2 = map(exact, (x, y, w1, w2, b1, b2))
    S = logistic(plus(product(X, W1), B1))
    R = plus(Y, scaled(plus(product(S, W2), B2), -1))
    one = exact(np.ones(()))
    by_b2 = scaled(R, -2)
    by_b1 = times(product(by_b2, transposed(W2)), S, plus(one, scaled(S, -1)))
    gradients = {
        "x": product(by_b1, transposed(W1)),
        "y": by_b2,
        "w1": product(transposed(X), by_b1),
        "w2": product(transposed(S), by_b2),
        "b1": total(by_b1, b1.shape),
        "b2": total(by_b2, b2.shape),
    }
    f = total(times(R, R, one), ())
    return f.error, {name: g.error for name, g in gradients.items()}
