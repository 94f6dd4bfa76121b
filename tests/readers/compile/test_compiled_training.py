"""A compiled training step changes parameters and state as the function, backward and step() do."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy import ndarray

import tinygrad_mlp as tg
from tinygrad_mlp import nn, optim

X = np.linspace(-1, 1, 24).reshape(12, 2)
Y = np.sin(X.sum(1, keepdims=True))


def network(dtype: str = "float64") -> Any:
    tg.manual_seed(1)
    options = {"dtype": dtype}
    return nn.Sequential(nn.Linear(2, 5, **options), nn.Sigmoid(), nn.Linear(5, 1, **options))


def loss_of(model: Any) -> Callable[..., tg.Tensor]:
    return lambda x, y: ((model(x) - y) ** 2).mean()


def uncompiled(function: Callable[..., tg.Tensor], optimizer: Any, *arrays: ndarray) -> float:
    optimizer.zero_grad()
    value = function(*map(tg.tensor, arrays))
    value.backward()
    optimizer.step()
    return value.item()


def assert_alike(mine: Any, theirs: Any, steps: int, dtype: str = "float64") -> None:
    """That two optimisers have come to the same, but for some roundings in each step.

    These are to the largest value of any parameter, as roundings of one reach all; steps away from
    a minimum let both grow alike.
    """
    a, b = mine.state_dict()["state"], theirs.state_dict()["state"]
    assert a.keys() == b.keys()
    kinds: dict[str, list[tuple[ndarray, ndarray]]] = {}
    for place, state in b.items():
        assert a[place].keys() == state.keys()
        for name, value in state.items():
            found = a[place][name]
            if name == "step":
                assert type(found) is int
                assert found == value
            else:
                assert (found.dtype, found.shape) == (value.dtype, value.shape)
                kinds.setdefault(name, []).append((found.numpy(), value.numpy()))
    for group, other in zip(mine.param_groups, theirs.param_groups, strict=True):
        for p, q in zip(group["params"], other["params"], strict=True):
            assert (p.dtype, p.shape) == (q.dtype, q.shape)
            kinds.setdefault("params", []).append((p.detach().numpy(), q.detach().numpy()))
    for name, pairs in kinds.items():
        largest = max(np.abs(value).max(initial=1) for _, value in pairs)
        allowed = steps * 64 * np.finfo(dtype).eps * largest
        for found, value in pairs:
            assert np.abs(found - value).max(initial=0) <= allowed, name


OPTIMISERS: list[tuple[Any, dict[str, Any]]] = [
    (optim.SGD, {}),
    (optim.SGD, {"momentum": 0.9}),
    (optim.SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    (optim.SGD, {"momentum": 0.5, "dampening": 0.25, "maximize": True}),
    (optim.Adam, {}),
    (optim.Adam, {"weight_decay": 0.1, "amsgrad": True}),
    (optim.Adam, {"betas": (0.5, 0.75), "eps": 0.1, "maximize": True}),
    (optim.AdamW, {}),
    (optim.AdamW, {"amsgrad": True, "weight_decay": 0.5}),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("kind", "options"), OPTIMISERS)
def test_a_step_is_that_of_the_optimiser(kind: Any, options: dict[str, Any], dtype: str) -> None:
    mine, theirs = network(dtype), network(dtype)
    a = kind(mine.parameters(), lr=0.05, **options)
    b = kind(theirs.parameters(), lr=0.05, **options)
    step, function = tg.compile(loss_of(mine), optimizer=a), loss_of(theirs)
    x, y = X.astype(dtype), Y.astype(dtype)
    start = [p.tolist() for p in mine.parameters()]
    for _ in range(20):
        value = step(x, y)
        expected = uncompiled(function, b, x, y)
        assert abs(value - expected) <= 20 * 64 * np.finfo(dtype).eps * max(1, abs(expected))
        assert value.dtype == dtype
    assert_alike(a, b, 20, dtype)
    assert start != [p.tolist() for p in mine.parameters()]
    # One program for a first step, where there is no state yet, and one for those after it.
    assert len(step.programs) <= 2
    assert all(p.grad is None and p.is_leaf for p in mine.parameters())
    assert step.source.count("def program") == 1


def test_compiled_and_other_steps_take_turns() -> None:
    mine, theirs = network(), network()
    a, b = (optim.Adam(m.parameters(), lr=0.1) for m in (mine, theirs))
    step = tg.compile(loss_of(mine), optimizer=a)
    for k in range(10):
        if k % 3:
            step(X, Y)
        else:
            uncompiled(loss_of(mine), a, X, Y)
        uncompiled(loss_of(theirs), b, X, Y)
    assert_alike(a, b, 10)


def test_a_schedule_changes_the_rate_of_a_program_that_stays() -> None:
    mine, theirs = network(), network()
    a, b = (optim.Adam(m.parameters(), lr=0.1) for m in (mine, theirs))
    schedules = [optim.lr_scheduler.ExponentialLR(o, 0.5) for o in (a, b)]
    step = tg.compile(loss_of(mine), optimizer=a)
    for _ in range(6):
        step(X, Y)
        uncompiled(loss_of(theirs), b, X, Y)
        for schedule in schedules:
            schedule.step()
    assert_alike(a, b, 6)
    assert len(step.programs) == 2


def test_another_option_makes_another_program() -> None:
    mine, theirs = network(), network()
    a, b = (optim.SGD(m.parameters(), lr=0.1) for m in (mine, theirs))
    step = tg.compile(loss_of(mine), optimizer=a)
    for decay in (0.0, 0.5, 0.0):
        for o in (a, b):
            o.param_groups[0]["weight_decay"] = decay
        step(X, Y)
        uncompiled(loss_of(theirs), b, X, Y)
    assert_alike(a, b, 3)
    assert len(step.programs) == 2


def test_state_that_a_step_does_not_use_stays() -> None:
    mine, theirs = network(), network()
    a, b = (optim.SGD(m.parameters(), lr=0.1, momentum=0.5) for m in (mine, theirs))
    step = tg.compile(loss_of(mine), optimizer=a)
    for momentum in (0.5, 0.5, 0.0, 0.5):
        for o in (a, b):
            o.param_groups[0]["momentum"] = momentum
        step(X, Y)
        uncompiled(loss_of(theirs), b, X, Y)
    assert_alike(a, b, 4)


def groups(kind: Any) -> tuple[Any, Callable[..., tg.Tensor]]:
    """Parameters of two groups and of all kinds: with and without axes, frozen, unused."""
    w = tg.tensor([1.0, -2.0], requires_grad=True).named("w")
    b = tg.tensor(0.5, requires_grad=True).named("b")  # a float32, in products with a float64 lr
    d = tg.tensor([[3.0]], dtype="float64", requires_grad=True)
    frozen = tg.tensor([1.0, 1.0])
    unused = tg.tensor([7.0], requires_grad=True)
    optimizer = kind(
        [{"params": [w, unused], "lr": 0.1}, {"params": [b, d, frozen], "weight_decay": 0.1}],
        lr=0.01,
    )
    return optimizer, lambda x: ((x * w + b + frozen) ** 2).sum() + (d * d).sum().float()


@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam, optim.AdamW])
def test_groups_and_parameters_of_all_kinds(kind: Any) -> None:
    (a, mine), (b, theirs) = groups(kind), groups(kind)
    step = tg.compile(mine, optimizer=a)
    for _ in range(5):
        step(np.array([1.0, 2.0], np.float32))
        uncompiled(theirs, b, np.array([1.0, 2.0], np.float32))
    assert_alike(a, b, 5, "float32")
    assert a.param_groups[0]["params"][1].tolist() == [7.0]
    assert "w, " in step.source
    assert "new w: " in step.source


def test_a_parameter_may_be_frozen_for_some_steps() -> None:
    """And change in between: what it was when it was frozen before is not in the program."""

    def trained(compiled: bool) -> list[Any]:
        w = tg.tensor([1.0, 2.0], requires_grad=True)
        v = tg.tensor([4.0, 1.0], requires_grad=True)
        a = optim.SGD([w, v], lr=0.25)
        step = tg.compile(lambda: (w * v).sum(), optimizer=a)
        found = []
        for k in range(6):
            v.requires_grad_(k % 2 == 1)
            found.append(step() if compiled else uncompiled(step.function, a))
        if compiled:
            assert len(step.programs) == 2
        return [found, w.tolist(), v.tolist()]

    assert trained(True) == trained(False)


def test_what_stays_cannot_be_changed_in_place() -> None:
    w, mean = tg.tensor([1.0, 2.0], requires_grad=True), tg.zeros(2)

    def function(x: tg.Tensor) -> tg.Tensor:
        mean.mul_(0.5).add_(x)
        return (w * mean).sum()

    step = tg.compile(function, optimizer=optim.SGD([w], lr=0.25))
    with pytest.raises(RuntimeError, match="in place that it did not make"):
        step(np.ones(2, np.float32))
    assert (w.tolist(), mean.tolist()) == ([1.0, 2.0], [0.0, 0.0])


def test_new_parameters_and_new_shapes_are_traced_anew() -> None:
    w = tg.tensor([1.0], requires_grad=True)
    v = tg.tensor([1.0], requires_grad=True)
    a = optim.SGD([w], lr=0.5)
    fixed = v.detach()
    step = tg.compile(lambda x: (x * w + fixed).sum(), optimizer=a)
    step(np.ones(2, np.float32))
    step(np.ones((2, 2), np.float32))
    assert w.tolist() == [1.0 - 1.0 - 2.0]
    both = tg.compile(lambda x: (x * w + v).sum(), optimizer=a)
    with pytest.raises(RuntimeError, match="not one of its arguments"):
        both(np.ones(2, np.float32))
    assert w.tolist() == [-2.0]
    a.add_param_group({"params": [v], "lr": 0.25})
    both(np.ones(2, np.float32))
    assert (w.tolist(), v.tolist()) == ([-3.0], [0.5])


def test_an_argument_that_requires_grad_is_data() -> None:
    w = tg.tensor([2.0], requires_grad=True)
    x = tg.tensor([3.0], requires_grad=True)
    step = tg.compile(lambda x: (x * w).sum(), optimizer=optim.SGD([w], lr=1.0))
    assert step(x) == 6.0
    assert w.tolist() == [-1.0]
    assert x.grad is None


def test_views_and_those_who_hold_a_parameter_see_what_they_would() -> None:
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    detached, copied, array = w.detach(), w.detach().clone(), w.detach().numpy()
    step = tg.compile(lambda: (w * w).sum(), optimizer=optim.SGD([w], lr=0.25))
    assert step() == 5.0
    assert w.tolist() == detached.tolist() == [0.5, 1.0]
    assert copied.tolist() == array.tolist() == [1.0, 2.0]


def test_threads_take_one_step_after_the_other() -> None:
    w = tg.zeros(3, dtype="float64", requires_grad=True)
    step = tg.compile(lambda x: (w * x).sum(), optimizer=optim.SGD([w], lr=1.0))

    def work() -> None:
        for _ in range(200):
            step(np.ones(3))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert w.tolist() == [-1200.0] * 3


class Other(optim.SGD):
    """An optimiser of somebody's own."""


def test_what_cannot_be_compiled_says_so_and_changes_nothing() -> None:
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    a = optim.SGD([w], lr=0.1, momentum=0.5)
    with pytest.raises(TypeError, match="SGD, Adam, AdamW can be compiled, not those of Other"):
        tg.compile(lambda: w.sum(), optimizer=Other([w]))
    with pytest.raises(TypeError, match="not those of float"):
        tg.compile(lambda: w.sum(), optimizer=0.1)
    for options in ({"reuse": True}, {"gradients": False}):
        with pytest.raises(ValueError, match="with an optimizer"):
            tg.compile(lambda: w.sum(), optimizer=a, **options)
    wrong: list[tuple[Any, Any, str]] = [
        (lambda: w, ValueError, "one Tensor of one entry"),
        (lambda: None, TypeError, "must return a Tensor, not NoneType"),
        (lambda: w.sum() if w[0] > 0 else -w.sum(), RuntimeError, "bool: this value depends"),
        (lambda: w.sum() * w.tolist()[0], RuntimeError, "tolist: this value depends"),
        (lambda: tg.tensor(1.0), RuntimeError, "does not require grad"),
        (lambda: w.sum() * (1 / 0), ZeroDivisionError, "division"),
    ]
    for function, error, says in wrong:
        step = tg.compile(function, optimizer=a)
        for _ in range(2):
            with pytest.raises(error, match=says):
                step()
    assert w.tolist() == [1.0, 2.0]
    assert w.is_leaf
    assert a.state_dict()["state"] == {}
    assert (w * 2).sum().item() == 6.0  # nothing is still being traced


def test_the_whole_step_is_in_the_source() -> None:
    model = network()
    step = tg.compile(loss_of(model), optimizer=optim.Adam(model.parameters()))
    for _ in range(2):
        step(X, Y)
    (line,) = [x for x in step.source.splitlines() if x.startswith("def program")]
    assert "x, y, p0, p0_exp_avg, p0_exp_avg_sq, p1, " in line
    assert line.endswith(", lr0, t0):")
    # b2**t is computed once for all parameters.
    assert step.source.count("0.999^t0") == 1
    assert "new p3_exp_avg_sq: " in step.source
