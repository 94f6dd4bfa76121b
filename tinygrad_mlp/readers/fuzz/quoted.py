"""What a program needs to run under this package and under PyTorch; scripts quote its source.

In here is nothing but what the two libraries share, and ``math``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any


def scatter(lib: Any, x: Any, index: Any, into: Any) -> Any:
    """Zeros with x added at the index: an op that has no public name, and PyTorch's words for it"""
    if lib.__name__ == "torch":
        places = lib.arange(math.prod(into)).reshape(into)[index]
        zeros = lib.zeros(math.prod(into), dtype=x.dtype)
        return zeros.index_add(0, places.flatten(), x.flatten()).reshape(into)
    plain = tuple(i.numpy() if hasattr(i, "numpy") else i for i in index)
    return lib.ops.scatter(x, plain, into)


def called(lib: Any, name: str) -> Any:
    """An op that Tensors have no method for: PyTorch's function of that name, or a row."""
    return getattr(lib, name) if lib.__name__ == "torch" else lib.ops.TABLE[name]


def answers(lib: Any, grad: Callable[..., Any], outputs: Any, inputs: Any, order: int) -> Any:
    """The outputs; the gradients of f = Σ weights ⊙ output; and those of Σ weights ⊙ gradient.

    The weights are 1, −2, 3, …: plain numbers of which no two are equal, nor do they sum to 0.
    """
    found = dict(outputs)
    of = list(outputs.values())
    for f, graph in (("df", order > 1), ("d2f", False))[:order]:
        of = [y for y in of if y is not None and y.requires_grad]
        weights = [
            lib.tensor([(1 - i % 2 * 2) * (i + 1) for i in range(y.numel())], dtype=y.dtype)
            for y in of
        ]
        weights = [w.reshape(y.shape) for w, y in zip(weights, of)]
        slopes = [None] * len(inputs)
        if of:
            xs = list(inputs.values())
            slopes = grad(of, xs, weights, create_graph=graph, allow_unused=True)
        for (name, x), d in zip(inputs.items(), slopes):
            found[f"{f}/d{name}"] = lib.zeros_like(x) if d is None else d
        of = list(slopes)
    return found
