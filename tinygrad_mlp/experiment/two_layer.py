"""The experiment: a network of two layers, its loss, and random data for it.

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

from numpy.typing import DTypeLike

from ..torch.random import manual_seed
from ..torch.random.creation import randn
from ..torch.tensor import Tensor

NAMES = ("x", "y", "w1", "w2", "b1", "b2")
LETTERS = ("X", "Y", "W1", "W2", "b1", "b2")  # as formulas have them
FORMULA = "f = ‖Y − σ(X W1 + b1) W2 − b2‖²"
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


def named_loss(x: Tensor, y: Tensor, w1: Tensor, w2: Tensor, b1: Tensor, b2: Tensor) -> Tensor:
    """The same with names for the hidden layer and the prediction, by which they go in formulas.

    >>> import tinygrad_mlp as tg
    >>> from tinygrad_mlp.experiment.two_layer import NAMES, named_loss, problem
    >>> print(tg.formula(named_loss, **dict(zip(NAMES, problem()))))
    ‖y − Y_p‖²_F
    """
    h_s = (x.mm(w1) + b1).sigmoid().named("h_s")
    y_p = (h_s.mm(w2) + b2).named("Y_p")
    return (y - y_p).pow(2).sum()


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
