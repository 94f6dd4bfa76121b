"""In-place work on Tensors, their views, parts and detached forms: random programs, in both."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_mlp as tg

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore:Use of .* on expanded tensors is deprecated"),
]

# How a Tensor is made of another: those that share its memory in PyTorch, and two that do not.
VIEWS = (
    "t", "reshape", "view", "row", "rows", "column", "entry", "every other", "new axis", "unbind",
    "squeeze", "detach", "expand", "clone", "double", "leaf",
)  # fmt: skip
CHANGES = (
    "add", "mul", "zero", "set", "set row", "set mask", "set list", "copy", "fill", "neg", "data",
    "new data", "part", "part of a view",
)  # fmt: skip


def viewed(x: Any, kind: str, i: int) -> Any:
    """A view of x, or x itself where its shape has none of this kind."""
    n = len(x.shape)
    if kind == "t" and n == 2:
        return x.t()
    if kind == "reshape" and n:
        # A view where the layout of the memory allows for it, or else a copy: here as there.
        return x.reshape(-1) if i else x.reshape(-1, 1)
    if kind == "view" and n:
        return x.view(-1)
    if kind == "every other" and n == 2:
        return x[:, ::2]
    if kind == "new axis" and n < 2:
        return x[None] if i else x.unsqueeze(-1)
    if kind == "squeeze":
        return x.squeeze()
    if kind == "unbind" and n:
        return x.unbind()[-1] if i else next(iter(x))
    if kind == "row" and n:
        return x[i % x.shape[0]]
    if kind == "rows" and n:
        return x[min(i % 2, x.shape[0] - 1) :]
    if kind == "column" and n == 2:
        return x[:, i % x.shape[1]]
    if kind == "entry" and n:
        return x[(0,) * n]
    if kind == "detach":
        return x.detach()
    if kind == "expand" and n < 2:
        return x.expand(2, *x.shape)
    return x.clone() if kind == "clone" else x * 2 if kind == "double" else x


def changed(x: Any, kind: str, i: int, other: Any) -> None:
    n = len(x.shape)
    if kind == "add":
        x += other.sum()
    elif kind == "mul":
        x.mul_(i - 2)
    elif kind == "zero":
        x.zero_()
    elif kind == "set" and n:
        x[i % x.shape[0]] = other.mean()
    elif kind == "set row" and n == 2:
        x[0] = x[-1]
    elif kind == "set mask" and n:
        x[x > i - 2] = i
    elif kind == "copy" and other.shape == x.shape:
        x.copy_(other)
    elif kind == "set list" and n:
        x[[i % x.shape[0]]] = other.mean()
    elif kind == "fill":
        x.fill_(i)
    elif kind == "neg":
        x.sub_(i / 2).neg_()
    elif kind == "part of a view" and n == 2:
        x.t()[1:].mul_(i - 1)
    elif kind == "new data" and other.shape == x.shape and not x.requires_grad:
        # Where gradients flow, PyTorch takes what was a view of x for one of its new memory too.
        x.data = other.data if i else other.data * 2
    elif kind == "data":
        x.data += i
    elif kind == "part" and n:
        x[: i % 3] *= other.mean()


def run(lib: Any, program: list[Any], recorded: bool) -> list[Any]:
    """All Tensors after each step, and in the end the gradient; None where it was refused."""
    w = lib.tensor(np.arange(1.0, 7).reshape(2, 3) / 4, requires_grad=recorded)
    tensors = [w * 1]
    seen: list[Any] = []
    for what, at, i, j in program:
        x, other = tensors[at % len(tensors)], tensors[j % len(tensors)]
        try:
            if what == "leaf":
                with lib.no_grad():
                    changed(w.t() if i else w, CHANGES[j % len(CHANGES)], i, other)
            elif what in VIEWS:
                tensors.append(viewed(x, what, i))
            else:
                changed(x, what, i, other)
            seen.append([np.array(t.detach().tolist()) for t in tensors])
        except RuntimeError:
            return [*seen, None]
    if recorded:
        try:
            total = sum((i + 1) * t.sum() for i, t in enumerate(tensors))
            total.backward()
        except RuntimeError:
            return [*seen, None]
        seen.append([np.array(w.grad.tolist())])
    return seen


programs = st.lists(
    st.tuples(
        st.sampled_from(VIEWS + CHANGES), st.integers(0, 9), st.integers(0, 4), st.integers(0, 9)
    ),
    min_size=1,
    max_size=10,
)


@pytest.mark.parametrize("recorded", [False, True])
@given(program=programs)
def test_every_tensor_has_pytorchs_value_or_the_step_is_refused(
    recorded: bool, program: list[Any]
) -> None:
    ours, theirs = run(tg, program, recorded), run(torch, program, recorded)
    for mine, yours in zip(ours, theirs, strict=False):
        if mine is None or yours is None:
            return
        for a, b in zip(mine, yours, strict=True):
            np.testing.assert_allclose(a, b, 1e-12, 1e-12)
    assert len(ours) == len(theirs)
