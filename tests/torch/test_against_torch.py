"""Values, gradients and second gradients beside PyTorch's, in float64; and its rules of dtypes."""

import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy import ndarray
from support import CASES, Case, leaf, weights

import tinygrad_mlp as tg

pytestmark = pytest.mark.torch

RELATIVE = 1e-12


def arrays_of(tensors: Any) -> list[ndarray | None]:
    # PyTorch has Tensors of zeros that have no memory, which only force=True makes arrays of.
    force = {} if any(isinstance(t, tg.Tensor) for t in tensors) else {"force": True}
    return [None if t is None else t.detach().numpy(**force) for t in tensors]


def derivatives(lib: Any, run: Callable[..., Any], inputs: list[Any]) -> dict[str, Any]:
    """Value, gradients, and the gradients of a weighted sum of those gradients."""
    out = run(lib, *inputs)
    g = lib.tensor(weights(tuple(out.shape)))
    g.requires_grad_()
    grad = tg.grad if lib is tg else torch.autograd.grad
    first = grad([out], inputs, [g], create_graph=True, allow_unused=True)
    found = {"value": [out], "gradients": first}
    graphed = [(d, weights(tuple(d.shape), 2)) for d in first if d is not None and d.requires_grad]
    if graphed:
        ds, ws = zip(*graphed, strict=True)
        found["second gradients"] = grad(
            ds, [*inputs, g], [lib.tensor(w) for w in ws], allow_unused=True
        )
    return {kind: arrays_of(tensors) for kind, tensors in found.items()}


def both(run: Callable[..., Any], inputs: list[ndarray]) -> Iterator[tuple[str, Any, Any]]:
    ours = derivatives(tg, run, [leaf(x) for x in inputs])
    theirs = derivatives(torch, run, [torch.tensor(x, requires_grad=True) for x in inputs])
    for kind in theirs.keys() | ours.keys():
        # Where one has no gradient and the other one of zeros, they agree.
        like = arrays_of([*map(torch.tensor, inputs), torch.tensor(theirs["value"][0])])
        pairs = zip(ours.get(kind) or like, theirs.get(kind) or like, like, strict=False)
        for i, (a, b, x) in enumerate(pairs):
            a = np.zeros_like(x) if a is None or kind not in ours else a
            b = np.zeros_like(x) if b is None or kind not in theirs else b
            assert (a.shape, a.dtype) == (b.shape, b.dtype), kind
            yield f"{kind} [{i}]", a, b


@pytest.mark.parametrize("name", CASES)
@given(data=st.data())
def test_ops(name: str, data: st.DataObject) -> None:
    case: Case = data.draw(CASES[name])
    for kind, ours, theirs in both(case.run, case.inputs):
        # Sums may cancel: relative to the terms, none of which is smaller than these.
        scale = RELATIVE * max([1.0, *np.abs(theirs).ravel()])
        np.testing.assert_allclose(ours, theirs, RELATIVE, scale, err_msg=kind)


ELEMENTWISE: dict[str, tuple[Callable[..., Any], int]] = {
    "add": (lambda lib, x, y: x + y, 2),
    "sub": (lambda lib, x, y: x - y, 2),
    "mul": (lambda lib, x, y: x * y, 2),
    "div": (lambda lib, x, y: x / y, 2),
    "pow_tensor": (lambda lib, x, y: x**y, 2),
    "maximum": (lambda lib, x, y: lib.maximum(x, y), 2),
    "minimum": (lambda lib, x, y: lib.minimum(x, y), 2),
    "where": (lambda lib, x, y: lib.where(x < y, x, y), 2),
    "neg": (lambda lib, x: -x, 1),
    "exp": (lambda lib, x: lib.exp(x), 1),
    "log": (lambda lib, x: lib.log(x), 1),
    "sqrt": (lambda lib, x: lib.sqrt(x), 1),
    "sin": (lambda lib, x: lib.sin(x), 1),
    "cos": (lambda lib, x: lib.cos(x), 1),
    "tanh": (lambda lib, x: lib.tanh(x), 1),
    "sigmoid": (lambda lib, x: lib.sigmoid(x), 1),
    "relu": (lambda lib, x: lib.relu(x), 1),
    "abs": (lambda lib, x: lib.abs(x), 1),
    "sign": (lambda lib, x: lib.sign(x), 1),
    "clamp": (lambda lib, x: lib.clamp(x, -1, 2), 1),
    "clamp to nothing": (lambda lib, x: lib.clamp(x, 2, 1), 1),
    "number / x": (lambda lib, x: 2 / x, 1),
    **{f"x**{p}": ((lambda lib, x, p=p: x**p), 1) for p in (0, 1, 2, 3, -1, -2, 0.5, -0.5, 2.5)},
    **{f"{b}**x": ((lambda lib, x, b=b: b**x), 1) for b in (0, 2, 0.5)},
}
SPECIAL = [0.0, -0.0, 1, -1, 2, -2, 3, 0.5, -0.5, 1e-300, 1e-160, 1e160, 700.0, -745.0, 20.0, -20.0,
           np.inf, -np.inf, np.nan, 5e-324]


if __name__ == "__main__":
    import warnings
    warnings.simplefilter("ignore"); np.seterr(all="ignore")
    for name, (run, n) in ELEMENTWISE.items():
        bad = {}
        for xs in product(SPECIAL, repeat=n):
            for kind, a, b in both(run, [np.array([x], float) for x in xs]):
                if not np.allclose(a, b, 1e-12, 0, equal_nan=True):
                    bad.setdefault(kind, []).append((xs, float(a[0]), float(b[0])))
        for kind, l in bad.items(): print(name, kind, len(l), l[:8])
