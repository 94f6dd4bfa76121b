"""The experiment: a network of two layers, its loss, and the gradients worked out by hand.

With N rows of D inputs, H hidden units and O outputs,

    H  = X W1 + B1        N×H
    S  = σ(H)             N×H
    Yₚ = S W2 + B2        N×O
    R  = Y − Yₚ           N×O
    f  = ‖R‖²_F           the sum of the squares of all entries

The biases may be full (B1 N×H, B2 N×O), a row (1×H, 1×O), a vector (H, O) or a scalar, and are
broadcast to their full shape.
"""

from __future__ import annotations

from reprlib import repr as brief
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray
from numpy.typing import DTypeLike

from ..torch.creation import randn
from ..torch.random import manual_seed
from ..torch.tensor import Tensor

NAMES = ("x", "y", "w1", "w2", "b1", "b2")
BIASES = ("full", "row", "vector", "scalar")


def loss(x: Tensor, y: Tensor, w1: Tensor, w2: Tensor, b1: Tensor, b2: Tensor) -> Tensor:
    """f = ‖Y − σ(X W1 + B1) W2 − B2‖²_F, a 0-d Tensor; PyTorch's Tensors do as well.

    x is N×D, y N×O, w1 D×H and w2 H×O; for the biases see above. ValueError where the shapes of a
    product or a sum do not fit.

    >>> from tinygrad_mlp.experiment.two_layer import loss, problem
    >>> loss(*problem())
    tensor(326.1264, grad_fn=<SumBackward0>)
    """
    h_s = (x.mm(w1) + b1).sigmoid()
    y_p = h_s.mm(w2) + b2
    return (y - y_p).pow(2).sum()


def closed_form(
    x: ndarray, y: ndarray, w1: ndarray, w2: ndarray, b1: ndarray, b2: ndarray
) -> tuple[Any, dict[str, ndarray]]:
    """The same loss, and its gradients for all six inputs by name, on arrays and by formula.

    With A : B for the sum of the entries of A ⊙ B, df = 2 R : dR. From
    dR = dY − dS W2 − S dW2 − dB2 follow

        ∂f/∂Y  = 2 R                            N×O
        ∂f/∂B2 = −2 R                           N×O
        ∂f/∂W2 = −2 Sᵀ R                        H×O

    and ∂f/∂S = −2 R W2ᵀ. With σ′ = σ (1 − σ), that is dS = S ⊙ (1 − S) ⊙ dH, and with
    dH = dX W1 + X dW1 + dB1,

        ∂f/∂B1 = −2 R W2ᵀ ⊙ S ⊙ (1 − S)         N×H
        ∂f/∂X  = ∂f/∂B1 W1ᵀ                     N×D
        ∂f/∂W1 = Xᵀ ∂f/∂B1                      D×H

    A bias that was broadcast stands in many places; its gradient is the sum over them: over the
    rows for a row or a vector, over everything for a scalar.

    ValueError where shapes do not fit. Source: the derivation above.

    >>> from tinygrad_mlp.experiment.two_layer import closed_form, problem
    >>> f, gradients = closed_form(*(t.detach().numpy() for t in problem()))
    >>> print(f"{f:.4f}", gradients["w2"].shape)
    326.1264 (20, 1)
    """
    check(x, y, w1, w2, b1, b2)
    s = sigma(x @ w1 + b1)
    r = y - (s @ w2 + b2)
    by_b2 = -2 * r
    by_b1 = by_b2 @ w2.T * s * (1 - s)
    gradients = {
        "x": by_b1 @ w1.T,
        "y": 2 * r,
        "w1": x.T @ by_b1,
        "w2": s.T @ by_b2,
        "b1": summed(by_b1, b1.shape),
        "b2": summed(by_b2, b2.shape),
    }
    return (r * r).sum(), gradients


def problem(
    seed: int = 0,
    shape: tuple[int, int, int, int] = (100, 1, 20, 1),
    bias: str = "full",
    dtype: DTypeLike = "float32",
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """x, y, w1, w2, b1, b2: normal random leaves, drawn in this order after ``manual_seed(seed)``.

    ``shape`` is (N, D, H, O), each 0 or more; ``bias`` is full, row, vector or scalar; ``dtype`` is
    float32 or float64. ValueError, or for the dtype TypeError, where they are anything else.

    >>> from tinygrad_mlp.experiment.two_layer import problem
    >>> [t.shape for t in problem(shape=(5, 2, 3, 1), bias="row")]
    [(5, 2), (5, 1), (2, 3), (3, 1), (1, 3), (1, 1)]
    """
    n, d, h, o = shape
    if bias not in BIASES:
        raise ValueError(f"problem: bias is one of {', '.join(BIASES)}, not {brief(bias)}")
    rows = {"full": (n,), "row": (1,), "vector": ()}
    biases = ((), ()) if bias == "scalar" else ((*rows[bias], h), (*rows[bias], o))
    manual_seed(seed)
    x, y, w1, w2, b1, b2 = (
        randn(size, dtype=dtype, requires_grad=True)
        for size in ((n, d), (n, o), (d, h), (h, o), *biases)
    )
    return x, y, w1, w2, b1, b2


def sigma(h: ndarray) -> ndarray:
    """1 / (1 + e⁻ʰ) where h ≥ 0, eʰ / (1 + eʰ) elsewhere: neither can overflow."""
    e = np.exp(-np.abs(h))
    return np.asarray(np.where(h >= 0, 1, e) / (1 + e))


def summed(g: ndarray, shape: tuple[int, ...]) -> ndarray:
    """A full gradient, N×H or N×O, summed to the shape of a bias."""
    if g.shape == shape:
        return g
    return np.asarray(g.sum()) if shape == () else g.sum(0).reshape(shape)


def check(x: ndarray, y: ndarray, w1: ndarray, w2: ndarray, b1: ndarray, b2: ndarray) -> None:
    """ValueError unless these are the shapes of the experiment."""
    given = dict(zip(NAMES, (a.shape for a in (x, y, w1, w2, b1, b2)), strict=True))
    if x.ndim == w1.ndim == w2.ndim == 2:
        n, d, h, o = *x.shape, *w2.shape
        fits = (
            y.shape == (n, o)
            and w1.shape == (d, h)
            and b1.shape in ((n, h), (1, h), (h,), ())
            and b2.shape in ((n, o), (1, o), (o,), ())
        )
        if fits:
            return
    raise ValueError(
        "closed_form: x is N×D, y N×O, w1 D×H, w2 H×O, b1 N×H, 1×H, H or (), and b2 N×O, 1×O, O "
        f"or (); not {', '.join(f'{name} {shape}' for name, shape in given.items())}"
    )


# How far from each other two right answers may be.


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

    >>> from tinygrad_mlp.experiment.two_layer import error_bounds, problem
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
