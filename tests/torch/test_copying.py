"""Copies: whose memory they share, and what of a Tensor they have."""

import copy
from typing import Any

import numpy as np
import pytest
from support import value

import tinygrad_mlp as tg
from tinygrad_mlp import nn


def test_what_shares_memory_shares_it_in_a_deep_copy() -> None:
    x = tg.arange(6.0).named("x")
    parts = {"x": x, "odd": x[1::2], "matrix": [x.view(2, 3), x.view(2, 3).t()], "off": x.detach()}
    twin = copy.deepcopy(parts)
    twin["odd"].mul_(10)
    assert twin["x"].tolist() == twin["off"].tolist() == [0, 10, 2, 30, 4, 50]
    assert twin["matrix"][0].tolist() == [[0, 10, 2], [30, 4, 50]]
    assert twin["matrix"][1].tolist() == [[0, 30], [10, 4], [2, 50]]
    assert twin["x"].name == "x"
    twin["matrix"][1].zero_()
    assert not any(value(t).any() for t in (twin["x"], twin["odd"], *twin["matrix"]))
    # But not with what it was made from, nor from one copy to the next.
    assert x.tolist() == [0, 1, 2, 3, 4, 5]
    x.fill_(7.0)
    again = copy.deepcopy(twin)
    again["x"].fill_(8.0)
    assert not value(twin["off"]).any()


def test_a_deep_copy_that_is_a_leaf_gets_its_own_gradient() -> None:
    w = tg.ones(3, requires_grad=True)
    w.grad = tg.tensor([1.0, 2.0, 3.0])
    twin, seen, gradient = copy.deepcopy([w, w.detach()[1:], w.grad])
    assert twin.grad is gradient
    with tg.no_grad():
        twin += 1
    assert seen.tolist() == [2, 2]
    (twin * twin).sum().backward()
    assert gradient.tolist() == [5, 6, 7]
    assert w.grad.tolist() == [1, 2, 3]
    assert not seen.requires_grad


def test_a_gradient_that_has_a_graph_is_not_copied() -> None:
    w = tg.ones(3, requires_grad=True)
    (w**3).sum().backward(create_graph=True)
    with pytest.raises(RuntimeError, match="only leaves can be"):
        copy.deepcopy(w)


@pytest.mark.parametrize("frozen", [False, True])
def test_a_parameter_is_copied_without_its_gradient(frozen: bool) -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    net.tied = net[0].weight
    net.register_buffer("seen", net[0].weight.detach())
    net(tg.ones(4, 2)).sum().backward()
    net.requires_grad_(not frozen)
    twin = copy.deepcopy(net)
    assert all(p.grad is not None for p in net.parameters())
    assert [p.grad for p in twin.parameters()] == [None] * 4
    assert [p.requires_grad for p in twin.parameters()] == [not frozen] * 4
    assert all(isinstance(p, nn.Parameter) for p in twin.parameters())
    assert twin.tied is twin[0].weight
    # In PyTorch, too, it is in memory of its own.
    with tg.no_grad():
        twin.tied.zero_()
    np.testing.assert_array_equal(value(twin.seen), value(net[0].weight))


def test_an_optimiser_is_copied_with_its_parameters() -> None:
    w = tg.zeros(2, requires_grad=True)
    optimiser = tg.optim.SGD([w], lr=1.0, momentum=0.5)
    w.grad = tg.ones(2)
    optimiser.step()
    twin, its, seen = copy.deepcopy([w, optimiser, w.detach()])
    assert its.param_groups[0]["params"][0] is twin
    its.step()
    assert twin.tolist() == seen.tolist() == [-2.5, -2.5]
    assert w.tolist() == [-1, -1]


def test_a_copy_shares_memory() -> None:
    w = nn.Parameter(tg.zeros(2)).named("w")
    w.grad = tg.ones(2)
    twin = copy.copy(w)
    assert isinstance(twin, nn.Parameter)
    assert (twin.name, twin.requires_grad, twin.grad) == ("w", True, None)
    with tg.no_grad():
        twin += 1
    assert w.tolist() == [1, 1]


def test_a_copy_of_a_part_has_the_strides_of_the_part() -> None:
    x: Any = tg.zeros(4, 6)
    for part in (x, x.t(), x[::2], x[:, 1], x[0, 0].expand(3)):
        for again in (copy.copy, copy.deepcopy):
            assert again(part).stride() == part.stride()
