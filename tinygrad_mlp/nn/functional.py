"""What layers and losses compute, as functions: PyTorch's ``torch.nn.functional``.

The losses take logits, x for σ(x) or softmax(x), and no intermediate of theirs overflows.
"""

from __future__ import annotations

import warnings
from reprlib import repr as brief
from typing import Any

import numpy as np
from numpy import ndarray

from ..core import ops
from ..core.tape import current
from ..core.tensor import run
from ..torch.accepts import FLOAT, as_int, as_number
from ..torch.functions import log_softmax, relu, sigmoid, softmax, tanh
from ..torch.grad_fn import shown, shown_as
from ..torch.hints import module_getattr
from ..torch.tensor import Tensor, constant, permute, wrap

__all__ = [
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "linear",
    "log_softmax",
    "logsigmoid",
    "mse_loss",
    "relu",
    "sigmoid",
    "softmax",
    "tanh",
]

__getattr__ = module_getattr(__name__)

REDUCTIONS = ("none", "mean", "sum")


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x Wᵀ + b: shape (…, in) to (…, out), for a weight of (out, in) and a bias of (out,).

    ValueError where the shapes do not fit.

    >>> import tinygrad_mlp as tg
    >>> tg.nn.functional.linear(tg.ones(2, 3), tg.ones(4, 3)).shape
    (2, 4)
    """
    if not isinstance(input, Tensor):
        (input,) = as_tensors("linear", input)
    if weight.ndim != 2 or input.ndim == 0 or input.shape[-1] != weight.shape[1]:
        raise ValueError(
            f"linear: an input of shape {input.shape} and a weight of {weight.shape} do not fit: "
            "the weight is (out, in), and the last axis of the input is as long as in"
        )
    out = input @ permute(weight, ((1, 0),))
    if bias is None:
        return out
    return shown(out + bias, "Addmm0" if input.ndim == 2 else "View0")


@shown_as("LogSigmoid0")
def logsigmoid(input: Tensor) -> Tensor:
    """log σ(x) of each entry, accurate to the last digits for any x.

    >>> import tinygrad_mlp as tg
    >>> tg.nn.functional.logsigmoid(tg.tensor([-100.0, 0.0]))
    tensor([-100.0000,   -0.6931])
    """
    (input,) = as_tensors("logsigmoid", input)
    return input.minimum(0) - (-input.abs()).exp().log1p()


@shown_as("MseLoss0")
def mse_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """(x − y)² of each entry: their mean, their sum, or with "none" each, in the entries' shape.

    ValueError where the shapes do not broadcast. Where they differ but do, it warns, as PyTorch
    does: an (n,) against an (n, 1) makes n² differences, which nobody means.

    >>> import tinygrad_mlp as tg
    >>> tg.nn.functional.mse_loss(tg.tensor([1.0, 2.0]), tg.tensor([1.0, 4.0]))
    tensor(2.)
    """
    require_reduction("mse_loss", reduction)
    input, target = as_tensors("mse_loss", input, target)
    if input.shape != target.shape:
        warnings.warn(
            f"mse_loss: the target's shape {target.shape} is not the input's, {input.shape}; "
            "they broadcast, which is seldom meant: reshape one of the two",
            stacklevel=3,
        )
    return reduced((input - target) ** 2, reduction)


@shown_as("BinaryCrossEntropyWithLogits0")
def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """−y log σ(x) − (1 − y) log(1 − σ(x)) of each entry; y is a probability, of x's shape.

    ``weight`` multiplies each entry's loss, ``pos_weight`` the term of y; both broadcast. The
    result is the mean, the sum, or with "none" each.

    ValueError where target and input differ in shape.

    >>> import tinygrad_mlp as tg
    >>> x, y = tg.tensor([0.0, 100.0]), tg.tensor([1.0, 1.0])
    >>> tg.nn.functional.binary_cross_entropy_with_logits(x, y, reduction="none")
    tensor([6.9315e-01, 3.7835e-44])
    """
    require_reduction("binary_cross_entropy_with_logits", reduction)
    input, target, weight, pos_weight = as_tensors(
        "binary_cross_entropy_with_logits", input, target, weight, pos_weight
    )
    if input.shape != target.shape:
        raise ValueError(
            f"binary_cross_entropy_with_logits: the target's shape {target.shape} must be the "
            f"input's, {input.shape}"
        )
    # −log σ(x) in two parts. The small one comes first, so that the walk back adds it last, when
    # the gradients of the large ones have cancelled.
    small, large = (-input.abs()).exp().log1p(), (-input).maximum(0)
    if pos_weight is not None:
        positive = 1 + (pos_weight - 1) * target
        small, large = positive * small, positive * large
    loss = ((1 - target) * input + large) + small
    return reduced(loss if weight is None else loss * weight, reduction)


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """−log softmax(x) at the class that is right, for logits x of shape (n, C), (C,) or (n, C, …).

    ``target`` holds class indices, integers of shape (n,), () or (n, …), of which those that equal
    ``ignore_index`` do not count; or probabilities, floats of the input's shape. ``weight`` is one
    number for each class. ``label_smoothing``, from 0 to 1, is the share of the target that is
    spread over all classes. The result is the mean, of what counts and by weight, the sum, or with
    "none" each loss.

    ValueError where the shapes do not fit; IndexError for a class that there is not.

    >>> import tinygrad_mlp as tg
    >>> tg.nn.functional.cross_entropy(tg.tensor([[0.0, 0.0]]), tg.tensor([1]))
    tensor(0.6931)
    """
    require_reduction("cross_entropy", reduction)
    input, target, weight = as_tensors("cross_entropy", input, target, weight)
    ignore_index = as_int("cross_entropy", "ignore_index", ignore_index)
    label_smoothing = as_number("cross_entropy", "label_smoothing", label_smoothing)
    if input.ndim == 0:
        raise ValueError("cross_entropy: logits of shape (C,), (n, C) or (n, C, …) are needed")
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"cross_entropy: label_smoothing {label_smoothing} is not from 0 to 1")
    axis = min(1, input.ndim - 1)
    classes = input.shape[axis]
    if weight is not None:
        if weight.shape != (classes,):
            raise ValueError(
                f"cross_entropy: a weight of shape {weight.shape} for {classes} classes"
            )
        weight = weight.reshape(classes, *(1,) * (input.ndim - axis - 1))
    logp = input.log_softmax(axis)
    if target.dtype.kind == "f":
        if target.shape != input.shape:
            raise ValueError(
                f"cross_entropy: probabilities of shape {target.shape} for logits of {input.shape}"
            )
        if ignore_index >= 0:
            raise ValueError("cross_entropy: ignore_index is for class indices, not probabilities")
        if label_smoothing:
            target = target * (1 - label_smoothing) + label_smoothing / classes
        terms = logp * target if weight is None else logp * (target * weight)
        if reduction == "none":
            return -terms.sum(axis)
        if reduction == "sum":
            return -terms.sum()
        return shown(terms.sum() / -(input.numel() / (classes or np.nan)), "Div1")
    if current().tracing and target._node is not None:
        raise RuntimeError(
            "cross_entropy: class indices that are an argument of the function cannot be checked "
            "in a compiled program; pass probabilities instead, floats that are 1 at the class, "
            "such as np.eye(classes)[indices]"
        )
    picked, counts = at_classes(target._array, input.shape, axis, ignore_index)
    shares = None if weight is None else weight._array
    total = np.sum(picked if shares is None else picked * shares, dtype=input.dtype)
    chosen = run(ops.where, (wrap(picked), logp, wrap(np.zeros((), logp.dtype))))
    if weight is not None:
        chosen = chosen * weight
    if label_smoothing:
        all_of = logp if weight is None else logp * weight
        all_of = run(ops.where, (wrap(counts), all_of, wrap(np.zeros((), logp.dtype))))
        chosen = chosen * (1 - label_smoothing) + all_of * (label_smoothing / classes)
    if reduction == "none":
        loss = -chosen.sum(axis)
    elif reduction == "sum":
        loss = -chosen.sum()
    else:
        # No terms: 0 / nan, which gives nan as 0 / 0 would, but no warning.
        loss = chosen.sum() / -(float(total) or np.nan)
    if label_smoothing:
        return shown(loss, "Add0")
    return shown(loss, "NllLoss0" if input.ndim < 3 else "NllLoss2D0")


def at_classes(
    target: ndarray, shape: tuple[int, ...], axis: int, ignored: int
) -> tuple[ndarray, ndarray]:
    """Where in an array of this shape the target's classes are, and which of them count."""
    if target.shape != shape[:axis] + shape[axis + 1 :]:
        raise ValueError(
            f"cross_entropy: class indices of shape {target.shape} for logits of shape {shape}; "
            f"{shape[:axis] + shape[axis + 1 :]} is needed, or probabilities, as floats, of {shape}"
        )
    if target.dtype.kind == "b":
        raise TypeError("cross_entropy: class indices are integers, not bool; use .long()")
    wrong = (target != ignored) & ((target < 0) | (target >= shape[axis]))
    if wrong.any():
        raise IndexError(
            f"cross_entropy: class {target[wrong].flat[0]} is not one of {shape[axis]}, "
            f"0 to {shape[axis] - 1}"
        )
    index = np.expand_dims(target, axis)
    classes = np.arange(shape[axis]).reshape(-1, *(1,) * (len(shape) - axis - 1))
    counts = index != ignored
    return (index == classes) & counts, counts


def as_tensors(caller: str, *given: Any) -> Any:
    """Tensors as they are, arrays and numbers as Tensors, None as None; TypeError for others."""
    return [x if isinstance(x, Tensor | None) else constant(x, FLOAT, caller) for x in given]


def reduced(loss: Tensor, reduction: str) -> Tensor:
    return loss if reduction == "none" else loss.mean() if reduction == "mean" else loss.sum()


def require_reduction(caller: str, reduction: Any) -> None:
    if reduction not in REDUCTIONS:
        raise ValueError(
            f"{caller}: reduction {brief(reduction)} is not one of {', '.join(REDUCTIONS)}"
        )
