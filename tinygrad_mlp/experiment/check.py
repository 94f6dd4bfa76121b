"""The tape against the closed form, at random numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import two_layer
from .bounds import error_bounds
from .closed_form import closed_form


def compared(seed: int, shape: tuple[int, int, int, int], bias: str, dtype: str) -> dict[str, Any]:
    """The loss and the gradients of the experiment, from the tape and from the closed form."""
    tensors = two_layer.problem(seed, shape, bias, dtype)
    value = two_layer.loss(*tensors)
    value.backward()
    arrays = [t.detach().numpy() for t in tensors]
    closed_value, closed = closed_form(*arrays)
    bound, bounds = error_bounds(*arrays)
    gradients = {
        name: agreement(t.grad, closed[name], bounds[name])
        for name, t in zip(two_layer.NAMES, tensors, strict=True)
    }
    loss = agreement(value.detach(), closed_value, bound)
    return {
        "seed": seed,
        "shape": dict(zip("NDHO", shape, strict=True)),
        "bias": bias,
        "dtype": dtype,
        "loss": loss["tape"][0],
        "closed_form_loss": loss["closed_form"][0],
        "loss_agrees": loss["agree"],
        "gradients": gradients,
        "agree": loss["agree"] and all(found["agree"] for found in gradients.values()),
    }


def agreement(tape: Any, closed: Any, bound: Any) -> dict[str, Any]:
    """Two answers, each at most ``bound`` off, and how far they are from each other."""
    tape, closed = np.asarray(tape), np.asarray(closed)
    difference = np.abs(tape - closed)
    larger = np.maximum(np.abs(tape), np.abs(closed))
    relative = np.divide(difference, larger, out=np.zeros_like(larger), where=larger != 0)
    return {
        "shape": list(tape.shape),
        "tape": tape.ravel().tolist(),
        "closed_form": closed.ravel().tolist(),
        "largest_absolute_difference": float(difference.max(initial=0)),
        "largest_relative_difference": float(relative.max(initial=0)),
        "agree": tape.shape == closed.shape and bool((difference <= 2 * bound).all()),
    }
