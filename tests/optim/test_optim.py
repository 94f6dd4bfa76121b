"""Optimisers and schedules: their steps by hand, their state, and what they refuse."""

from collections.abc import Callable
from math import sqrt
from typing import Any

import numpy as np
import pytest
from support import value

import tinygrad_mlp as tg
from tinygrad_mlp import optim

MAKERS: dict[str, Callable[[Any], optim.Optimizer]] = {
    "SGD": lambda p: optim.SGD(p, lr=0.1),
    "momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.5, weight_decay=0.1),
    "Nesterov": lambda p: optim.SGD(p, lr=0.1, momentum=0.5, nesterov=True),
    "Adam": lambda p: optim.Adam(p, lr=0.1, amsgrad=True),
    "AdamW": lambda p: optim.AdamW(p, lr=0.1),
}


def parameters(dtype: str = "float64") -> list[tg.Tensor]:
    arrays = [np.array([1.0, -2.0], dtype), np.array([[0.5]], dtype)]
    return [tg.tensor(a, requires_grad=True) for a in arrays]


def loss(params: list[tg.Tensor]) -> tg.Tensor:
    return sum(((p**2).sum() * (i + 1) for i, p in enumerate(params)), tg.tensor(0.0))


def steps(params: list[tg.Tensor], optimiser: optim.Optimizer, n: int) -> None:
    for _ in range(n):
        optimiser.zero_grad()
        loss(params).backward()
        optimiser.step()


# The rules by hand: compiled steps use the same, so that they are no witness.


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"momentum": 0.5, "weight_decay": 0.25},
        {"momentum": 0.5, "dampening": 0.25, "maximize": True},
        {"momentum": 0.5, "nesterov": True, "weight_decay": 0.25},
    ],
)
def test_sgd_by_hand(options: dict[str, Any]) -> None:
    p = tg.tensor(np.array(1.0), requires_grad=True)
    optimiser = optim.SGD([p], lr=0.5, **options)
    momentum, dampening = options.get("momentum", 0), options.get("dampening", 0)
    expected, v = 1.0, None
    for _ in range(4):
        optimiser.zero_grad()
        (3 * p).backward()
        optimiser.step()
        g = (-3 if "maximize" in options else 3) + options.get("weight_decay", 0) * expected
        v = g if v is None else momentum * v + (1 - dampening) * g
        expected -= 0.5 * (g + momentum * v if "nesterov" in options else v)
        # All of these numbers have a few binary digits.
        assert p.item() == expected


@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("decoupled", [False, True])
def test_adam_by_hand(decoupled: bool, maximize: bool, amsgrad: bool) -> None:
    p = tg.tensor(np.array(1.0), requires_grad=True)
    make = optim.AdamW if decoupled else optim.Adam
    flags = {"maximize": maximize, "amsgrad": amsgrad}
    optimiser = make([p], lr=0.1, betas=(0.5, 0.75), eps=0.01, weight_decay=0.5, **flags)
    x, m, v, most = 1.0, 0.0, 0.0, 0.0
    for t in range(1, 6):
        optimiser.zero_grad()
        slope = 3 / t**2  # less and less, so that the largest v is none of the latest
        (slope * p).backward()
        optimiser.step()
        g = -slope if maximize else slope
        g += 0 if decoupled else 0.5 * x
        m, v = 0.5 * m + 0.5 * g, 0.75 * v + 0.25 * g * g
        most = max(most, v) if amsgrad else v
        x -= 0.1 * 0.5 * x if decoupled else 0
        x -= 0.1 * (m / (1 - 0.5**t)) / (sqrt(most / (1 - 0.75**t)) + 0.01)
        assert p.item() == pytest.approx(x, rel=1e-14)


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_step_goes_down_and_keeps_the_dtype(name: str, dtype: str) -> None:
    params = parameters(dtype)
    before = loss(params).item()
    steps(params, MAKERS[name](params), 3)
    assert loss(params).item() < before
    assert {p.dtype for p in params} == {np.dtype(dtype)}
    assert all(p.is_leaf and p.requires_grad for p in params)


@pytest.mark.parametrize("name", MAKERS)
def test_a_step_leaves_a_tape_alone(name: str) -> None:
    """Gradients of an output from before the step are those of before the step."""
    params = parameters()
    optimiser = MAKERS[name](params)
    out = loss(params)
    expected = [2 * (i + 1) * value(p).copy() for i, p in enumerate(params)]
    steps(params, optimiser, 2)
    for g, e in zip(tg.grad(out, params), expected, strict=True):
        np.testing.assert_array_equal(value(g), e)


@pytest.mark.parametrize("name", MAKERS)
def test_state_goes_on_in_another_optimiser(name: str, tmp_path: Any) -> None:
    one, two = parameters(), parameters()
    first = MAKERS[name](one)
    steps(one, first, 3)
    tg.save({"optimiser": first.state_dict(), "params": one}, tmp_path / "state")
    second = optim.SGD(two, lr=9) if "Adam" not in name else type(first)(two, lr=9)
    state = tg.load(tmp_path / "state")
    second.load_state_dict(state["optimiser"])
    with tg.no_grad():
        for p, saved in zip(two, state["params"], strict=True):
            p.copy_(saved)
    steps(one, first, 3)
    steps(two, second, 3)
    for p, q in zip(one, two, strict=True):
        np.testing.assert_array_equal(value(p), value(q))


def test_a_state_dict_is_a_copy() -> None:
    params = parameters()
    optimiser = MAKERS["Adam"](params)
    steps(params, optimiser, 1)
    state = optimiser.state_dict()
    saved = value(state["state"][0]["exp_avg"]).copy()
    steps(params, optimiser, 1)
    np.testing.assert_array_equal(value(state["state"][0]["exp_avg"]), saved)
    optimiser.load_state_dict(state)
    steps(params, optimiser, 1)
    np.testing.assert_array_equal(value(state["state"][0]["exp_avg"]), saved)
    # Whoever writes into the optimiser's arrays does not change it either.
    state = optimiser.state_dict()
    before = value(state["state"][0]["exp_avg"]).copy()
    optimiser.state[params[0]]["exp_avg"][:] = 9
    np.testing.assert_array_equal(value(state["state"][0]["exp_avg"]), before)


def test_what_is_kept_is_in_memory_of_its_own() -> None:
    """Of a first gradient, too, which a compiled program may write into again."""
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    optimiser = optim.SGD([w], lr=0.25, momentum=0.5)
    w.grad = gradient = tg.ones(2)
    optimiser.step()
    kept = optimiser.state[w]["momentum_buffer"]
    assert kept.tolist() == [1, 1]
    assert not np.shares_memory(kept, gradient.numpy())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s["param_groups"][0]["params"].append(2), r"\[3\] parameters, .* has \[2\]"),
        (lambda s: s["param_groups"].append({"params": []}), r"\[2, 0\]"),
        (lambda s: s["param_groups"][0].pop("betas"), "betas is missing"),
        (lambda s: s["param_groups"][0].update(lr=-1), "lr is not negative; it is -1"),
        (lambda s: s["state"][1].update(exp_avg=tg.zeros(3)), r"exp_avg of parameter 1 .* \(3,\)"),
        (lambda s: s["state"][1].update(velocity=tg.zeros(1, 1)), "has no 'velocity'"),
        (lambda s: s.pop("state"), r"not what state_dict\(\) returned"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(
    change: Callable[[Any], Any], message: str
) -> None:
    params = parameters()
    optimiser = MAKERS["Adam"](params)
    steps(params, optimiser, 2)
    state = optimiser.state_dict()
    for kept in state["state"].values():
        kept["step"] = 99
    change(state)
    with pytest.raises(ValueError, match=message):
        optimiser.load_state_dict(state)
    assert [kept["step"] for kept in optimiser.state.values()] == [2, 2]
    assert optimiser.param_groups[0]["lr"] == 0.1


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda w: optim.SGD([]), ValueError, "SGD: there are no parameters"),
        (lambda w: optim.SGD(w), TypeError, "a list of Tensors, or of groups, not one Tensor"),
        (lambda w: optim.SGD({"params": [w]}), TypeError, "or of groups, not one dict"),
        (lambda w: optim.SGD(None), TypeError, "a list of Tensors, or of groups, not one NoneType"),
        (lambda w: optim.SGD([{"lr": 1}]), TypeError, 'a group is a dict, {"params"'),
        (lambda w: optim.SGD([w]).add_param_group([w]), TypeError, "a group is a dict"),
        (lambda w: optim.SGD([1.0]), TypeError, "a parameter is a Tensor, not float"),
        (lambda w: optim.SGD([w * 2]), ValueError, "a parameter is a leaf"),
        (lambda w: optim.Adam([w, w]), ValueError, r"Adam: .* shape \(2,\) is given twice"),
        (lambda w: optim.SGD([w], lr=-1), ValueError, "lr is not negative; it is -1"),
        (lambda w: optim.SGD([w], lr=float("nan")), ValueError, "lr"),
        (lambda w: optim.SGD([w], momentum=-1), ValueError, "momentum is not negative"),
        (lambda w: optim.SGD([w], nesterov=True), ValueError, "takes a momentum"),
        (lambda w: optim.SGD([w], 1, 0.5, 0.5, nesterov=True), ValueError, "no dampening"),
        (lambda w: optim.Adam([w], betas=(0.9, 1)), ValueError, "from 0 to less than 1"),
        (lambda w: optim.Adam([w], eps=-1), ValueError, "eps is not negative"),
        (lambda w: optim.AdamW([w], weight_decay=-1), ValueError, "weight_decay"),
        (lambda w: optim.SGD([{"params": [w], "rate": 1}]), TypeError, "rate is not an option"),
        (lambda w: optim.lr_scheduler.StepLR(optim.SGD([w]), 0), ValueError, "step_size"),
        (lambda w: optim.lr_scheduler.CosineAnnealingLR(optim.SGD([w]), 0), ValueError, "T_max"),
        (
            lambda w: optim.lr_scheduler.ExponentialLR(optim.SGD([w]), 1, last_epoch=3),
            ValueError,
            "last_epoch is -1",
        ),
        (lambda w: optim.lr_scheduler.StepLR([w], 1), TypeError, "an optimiser is needed"),
    ],
)
def test_bad_input(call: Callable[[tg.Tensor], Any], error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        call(tg.ones(2, requires_grad=True))


def test_parameters_without_a_gradient_stay() -> None:
    params = parameters()
    optimiser = optim.Adam(params)
    (params[0] ** 2).sum().backward()
    optimiser.step()
    assert value(params[1]).tolist() == [[0.5]]
    assert params[1] not in optimiser.state


def test_views_of_a_parameter_change_with_it() -> None:
    params = parameters()
    views = [params[0][0], params[1].view(1), params[0].detach()]
    optimiser = optim.SGD(params, lr=1.0)
    loss(params).backward()
    optimiser.step()
    assert [view.tolist() for view in views] == [-1, [-1.5], [-1, 2]]


def test_a_view_that_is_gone_is_no_hindrance() -> None:
    w = tg.ones(2, 3, requires_grad=True)
    optimiser = optim.SGD([w], lr=1.0)
    out = tg.ones(1, 3) @ w.t()
    out.sum().backward()
    optimiser.step()
    assert not value(w).any()


def test_closure_is_recorded_and_returned() -> None:
    params = parameters()
    optimiser = optim.SGD(params)

    def closure() -> tg.Tensor:
        optimiser.zero_grad()
        out = loss(params)
        out.backward()
        return out

    with tg.no_grad():
        found = optimiser.step(closure)
    assert found is not None
    assert found.item() == 5.5
    assert value(params[0])[0] < 1


def test_groups_have_options_of_their_own_and_names_are_taken() -> None:
    net = tg.nn.Linear(2, 1)
    optimiser = optim.SGD([{"params": net.weight, "lr": 0.5}], lr=0.1, momentum=0.9)
    optimiser.add_param_group({"params": [net.bias]})
    assert [group["lr"] for group in optimiser.param_groups] == [0.5, 0.1]
    assert optim.SGD(net.named_parameters()).param_groups[0]["params"][1] is net.bias
    assert repr(optimiser).startswith("SGD (\nParameter Group 0\n    dampening: 0\n    lr: 0.5\n")


@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_a_network_learns(name: str) -> None:
    """XOR, which needs the hidden layer."""
    tg.manual_seed(0)
    nn = tg.nn
    net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2))
    optimiser = {
        "SGD": lambda: optim.SGD(net.parameters(), lr=0.5, momentum=0.9),
        "Adam": lambda: optim.Adam(net.parameters(), lr=0.05),
    }[name]()
    x, y = tg.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), tg.tensor([0, 1, 1, 0])
    for _ in range(100):
        optimiser.zero_grad()
        nn.CrossEntropyLoss()(net(x), y).backward()
        optimiser.step()
    assert net(x).argmax(dim=1).tolist() == y.tolist()
    assert nn.CrossEntropyLoss()(net(x), y).item() < 0.05


@pytest.mark.parametrize(
    ("kind", "options"), [(optim.SGD, {"momentum": 0.5}), (optim.Adam, {"amsgrad": True})]
)
def test_a_step_that_fails_leaves_a_state_that_the_one_before_did_not_change(
    kind: Any, options: Any
) -> None:
    w, v = tg.tensor([1.0, 2.0], requires_grad=True), tg.tensor([1.0], requires_grad=True)
    optimiser = kind([{"params": [w]}, {"params": [v]}], lr=0.25, **options)
    for gradient in (tg.ones(2), tg.ones(2), None):
        w.grad, v.grad = gradient, tg.ones(1)
        optimiser.step()
    w.grad = tg.ones(2)
    optimiser.param_groups[1]["lr"] = "none"
    before = {k: np.copy(kept) for k, kept in optimiser.state[w].items()}
    with pytest.raises(TypeError):
        optimiser.step()
    for k, kept in optimiser.state[w].items():
        np.testing.assert_array_equal(kept, before[k])
