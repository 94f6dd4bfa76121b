"""Copies beside PyTorch's: of Tensors that share memory in random ways."""

import copy
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_mlp as tg

pytestmark = pytest.mark.torch

VIEWS: dict[str, Any] = {
    "detach": lambda lib, x: x.detach(),
    "row": lambda lib, x: x[1:],
    "every other": lambda lib, x: x[::2],
    "turned": lambda lib, x: x.t(),
    "wide": lambda lib, x: x[:1].expand(4, *x.shape[1:]),
    "Parameter": lambda lib, x: lib.nn.Parameter(x),
    "copy": lambda lib, x: copy.copy(x),
    "other": lambda lib, x: x * 1,
}
Step = tuple[int, str]


def strides(t: Any) -> list[int]:
    """Of the axes along which there is more than one entry."""
    return [n for n, size in zip(t.stride(), t.shape, strict=True) if size > 1]


def copied(lib: Any, steps: list[Step], changed: list[int], again: str) -> list[Any]:
    """What becomes of Tensors and of their copies when some of these are changed in place."""
    tensors = [lib.arange(12.0).reshape(3, 4), lib.ones(3, 4, requires_grad=True)]
    tensors[1].grad = lib.full((3, 4), 5.0)
    for place, view in steps:
        # Off the tape, for only leaves are copied.
        tensors.append(VIEWS[view](lib, tensors[place % len(tensors)].detach()))
    if again == "deepcopy":
        twins = copy.deepcopy([*tensors, tensors[1].grad])
    else:
        twins = [copy.copy(t) for t in tensors]
    for place in changed:
        twin = twins[place % len(twins)]
        if twin.numel() and 0 not in twin.stride():
            with lib.no_grad():
                twin.add_(place + 1)
    found = [(t.tolist(), strides(t), t.requires_grad) for t in (*tensors, *twins)]
    return [found, [None if t.grad is None else t.grad.tolist() for t in twins]]


@pytest.mark.parametrize("again", ["copy", "deepcopy"])
@given(
    steps=st.lists(st.tuples(st.integers(0, 9), st.sampled_from(sorted(VIEWS))), max_size=6),
    changed=st.lists(st.integers(0, 9), max_size=5),
)
def test_copies_share_what_pytorchs_share(
    again: str, steps: list[Step], changed: list[int]
) -> None:
    assert copied(tg, steps, changed, again) == copied(torch, steps, changed, again)
