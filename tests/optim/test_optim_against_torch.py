"""Optimisers and schedules beside PyTorch's, and their state that goes there and back."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy import ndarray

import tinygrad_mlp as tg

pytestmark = pytest.mark.torch

LIBRARIES = (tg, torch)


def value(tensor: Any) -> ndarray:
    return np.asarray(tensor.detach().numpy())


def network(lib: Any, sizes: tuple[int, ...] = (5, 7, 3), between: str = "Sigmoid") -> Any:
    layers: list[Any] = []
    for m, n in zip(sizes, sizes[1:], strict=False):
        layers += [lib.nn.Linear(m, n), getattr(lib.nn, between)()]
    return lib.nn.Sequential(lib.nn.Flatten(), *layers[:-1]).double()


def trained(lib: Any, make: Callable[[Any, Any], Any], loss: str, steps: int = 1000) -> list[float]:
    """The loss at each step, from the same weights on the same batches."""
    draw = np.random.RandomState(0)
    x = draw.randn(64, 5)
    y = draw.randint(0, 3, 64) if loss == "CrossEntropyLoss" else np.sin(x[:, :3])
    if loss == "BCEWithLogitsLoss":
        y = (y > 0).astype(float)
    lib.manual_seed(1)
    net, criterion = network(lib, between="Tanh"), getattr(lib.nn, loss)()
    optimiser = make(lib, net)
    found = []
    for step in range(steps):
        rows = slice(step % 4 * 16, step % 4 * 16 + 16)
        optimiser.zero_grad()
        error = criterion(net(lib.tensor(x[rows])), lib.tensor(y[rows]))
        error.backward()
        optimiser.step()
        found.append(error.item())
    return found


OPTIMISERS: dict[str, Callable[[Any, Any], Any]] = {
    "SGD": lambda lib, net: lib.optim.SGD(net.parameters(), lr=0.1),
    "SGD, decay": lambda lib, net: lib.optim.SGD(net.parameters(), 0.1, weight_decay=1e-3),
    "momentum": lambda lib, net: lib.optim.SGD(net.parameters(), lr=0.02, momentum=0.9),
    "dampening": lambda lib, net: lib.optim.SGD(net.parameters(), 0.1, 0.9, 0.5, 1e-4),
    "Nesterov": lambda lib, net: lib.optim.SGD(
        net.parameters(), lr=0.02, momentum=0.9, nesterov=True, weight_decay=1e-4
    ),
    "Adam": lambda lib, net: lib.optim.Adam(net.parameters(), lr=0.01),
    "Adam, decay": lambda lib, net: lib.optim.Adam(net.parameters(), weight_decay=0.01),
    "AMSGrad": lambda lib, net: lib.optim.Adam(net.parameters(), betas=(0.8, 0.9), amsgrad=True),
    "AdamW": lambda lib, net: lib.optim.AdamW(net.parameters(), lr=0.01),
    "groups": lambda lib, net: lib.optim.Adam(
        [{"params": net[1].parameters(), "lr": 0.02}, {"params": [net[3].weight]}], eps=1e-6
    ),
}


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        *((name, "CrossEntropyLoss") for name in OPTIMISERS),
        *(
            (name, loss)
            for name in ("momentum", "Adam")
            for loss in ("MSELoss", "BCEWithLogitsLoss")
        ),
    ],
)
def test_a_thousand_steps_of_training(name: str, loss: str) -> None:
    ours, theirs = (trained(lib, OPTIMISERS[name], loss) for lib in LIBRARIES)
    assert ours[-1] < ours[0]
    np.testing.assert_allclose(ours, theirs, 1e-9, 0)


def test_maximize_climbs() -> None:
    for name in ("SGD", "Adam", "AdamW"):
        found = []
        for lib in LIBRARIES:
            w = lib.tensor(np.array([1.0, -2.0]), requires_grad=True)
            optimiser = getattr(lib.optim, name)([w], lr=0.1, maximize=True)
            for _ in range(3):
                optimiser.zero_grad()
                (w**2).sum().backward()
                optimiser.step()
            found.append(value(w))
        np.testing.assert_allclose(*found, 1e-14)


SCHEDULES: dict[str, Callable[[Any, Any], Any]] = {
    "StepLR": lambda s, o: s.StepLR(o, step_size=3, gamma=0.5),
    "ExponentialLR": lambda s, o: s.ExponentialLR(o, gamma=0.9),
    "CosineAnnealingLR": lambda s, o: s.CosineAnnealingLR(o, T_max=7, eta_min=0.01),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules(name: str) -> None:
    found = []
    for lib in LIBRARIES:
        groups = [{"params": [lib.zeros(1)]}, {"params": [lib.zeros(1)], "lr": 0.5}]
        optimiser = lib.optim.SGD(groups, lr=0.1)
        schedule = SCHEDULES[name](lib.optim.lr_scheduler, optimiser)
        rates = [schedule.get_last_lr()]
        for _ in range(30):
            optimiser.step()
            schedule.step()
            rates.append([group["lr"] for group in optimiser.param_groups])
        found.append(rates)
    np.testing.assert_allclose(*found, 1e-14, 1e-17)


def test_two_schedules_act_on_one_optimiser() -> None:
    found = []
    for lib in LIBRARIES:
        optimiser = lib.optim.SGD([lib.zeros(1)], lr=0.1)
        both = [make(lib.optim.lr_scheduler, optimiser) for make in SCHEDULES.values()]
        for _ in range(5):
            optimiser.step()
            for schedule in both:
                schedule.step()
        found.append(optimiser.param_groups[0]["lr"])
    np.testing.assert_allclose(*found, 1e-14)


@pytest.mark.parametrize("name", ["momentum", "AMSGrad", "AdamW"])
def test_an_optimisers_state_goes_on_in_pytorch(name: str) -> None:
    """Three steps here, three there, are six there."""

    def steps(lib: Any, net: Any, optimiser: Any, n: int) -> None:
        x = lib.tensor(np.random.RandomState(0).randn(4, 5))
        for _ in range(n):
            optimiser.zero_grad()
            (net(x) ** 2).sum().backward()
            optimiser.step()

    tg.manual_seed(5)
    torch.manual_seed(5)
    ours, theirs, heirs = network(tg), network(torch), network(torch)
    mine, yours, its = (
        OPTIMISERS[name](lib, net) for lib, net in ((tg, ours), (torch, theirs), (torch, heirs))
    )
    steps(tg, ours, mine, 3)
    state = mine.state_dict()
    for kept in state["state"].values():
        kept.update({k: torch.tensor(np.asarray(v, np.float64)) for k, v in kept.items()})
    full = its.state_dict()
    full["state"] = state["state"]
    its.load_state_dict(full)
    heirs.load_state_dict({k: torch.tensor(v.numpy()) for k, v in ours.state_dict().items()})
    steps(torch, heirs, its, 3)
    steps(torch, theirs, yours, 6)
    for p, q in zip(heirs.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(value(p), value(q), 1e-12)
    # And from there to here.
    last = OPTIMISERS[name](tg, ours)
    last.load_state_dict(yours.state_dict())
    ours.load_state_dict(theirs.state_dict())
    steps(tg, ours, last, 2)
    steps(torch, theirs, yours, 2)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(value(p), value(q), 1e-12)


@pytest.mark.parametrize("name", ["StepLR", "ExponentialLR"])
@pytest.mark.parametrize("after", [0, 4])
def test_a_group_that_comes_after_the_schedule_is_scheduled(name: str, after: int) -> None:
    """PyTorch's CosineAnnealingLR fails then."""
    found = []
    for lib in LIBRARIES:
        optimiser = lib.optim.SGD([lib.zeros(1)], lr=0.1)
        schedule = SCHEDULES[name](lib.optim.lr_scheduler, optimiser)
        rates = []
        for step in range(12):
            if step == after:
                optimiser.add_param_group({"params": [lib.zeros(1)], "lr": 0.7})
            optimiser.step()
            schedule.step()
            rates += [group["lr"] for group in optimiser.param_groups]
        found.append(rates)
    np.testing.assert_allclose(*found, 1e-14)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_rate_that_is_a_tensor_stays_the_same_tensor(name: str) -> None:
    found = []
    for lib in LIBRARIES:
        rate = lib.tensor(0.5, dtype=lib.float64)
        optimiser = lib.optim.SGD([lib.zeros(1)], lr=rate)
        schedule = SCHEDULES[name](lib.optim.lr_scheduler, optimiser)
        for _ in range(4):
            optimiser.step()
            schedule.step()
        assert optimiser.param_groups[0]["lr"] is rate
        found.append(rate.item())
    np.testing.assert_allclose(*found, 1e-14)


@pytest.mark.parametrize("name", ["Adam", "AdamW"])
@pytest.mark.parametrize("shape", [(), (1,)])
def test_a_rate_may_be_a_tensor(name: str, shape: tuple[int, ...]) -> None:
    found = []
    for lib in LIBRARIES:
        w = lib.tensor(np.array([1.0, -2.0]), requires_grad=True)
        # PyTorch computes with it in its dtype.
        rate = lib.full(shape, 0.25, dtype=lib.float64)
        optimiser = getattr(lib.optim, name)([w], lr=rate, weight_decay=0.5)
        for _ in range(4):
            optimiser.zero_grad()
            (w**2).sum().backward()
            optimiser.step()
        found.append(value(w))
    np.testing.assert_allclose(*found, 1e-14)


def own(lib: Any, *args: Any, **options: Any) -> Any:
    """An optimiser of somebody's own: what works under PyTorch works here, word for word."""

    class Lion(lib.optim.Optimizer):  # type: ignore[misc]
        def __init__(self, params: Any, rate: float = 0.1, beta: float = 0.75) -> None:
            super().__init__(params, {"rate": rate, "beta": beta})

        @lib.no_grad()
        def step(self, closure: Any = None) -> Any:
            loss = None
            if closure is not None:
                with lib.enable_grad():
                    loss = closure()
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is None:
                        continue
                    state = self.state[p]
                    if len(state) == 0:
                        state["step"] = 0
                        state["mean"] = lib.zeros_like(p)
                    state["step"] += 1
                    state["mean"].mul_(group["beta"]).add_(p.grad, alpha=1 - group["beta"])
                    p.add_(state["mean"].sign(), alpha=-group["rate"] / state["step"])
            return loss

    return Lion(*args, **options)


def test_an_optimiser_of_ones_own() -> None:
    found = []
    for lib in LIBRARIES:
        w, v = (lib.tensor(np.array([1.0, -2.0]), requires_grad=True) for _ in range(2))
        one = own(lib, [{"params": [w], "rate": 0.5}])
        two = own(lib, [v])

        def steps(optimiser: Any, p: Any, n: int) -> list[float]:
            def closure() -> Any:
                optimiser.zero_grad()
                loss = ((p - 0.5) ** 2).sum()
                loss.backward()
                return loss

            return [optimiser.step(closure).item() for _ in range(n)]

        losses = steps(one, w, 3)
        two.load_state_dict(one.state_dict())
        losses += steps(two, v, 3)
        state = two.state_dict()
        printed = repr(two), state["param_groups"], state["state"][0]["step"]
        found.append((printed, [*losses, *value(w), *value(v), *state["state"][0]["mean"]]))
    assert found[0][0] == found[1][0]
    np.testing.assert_allclose(found[0][1], found[1][1], 1e-14)


def test_the_printed_form() -> None:
    found = []
    for lib in LIBRARIES:
        w = [lib.zeros(1) for _ in range(3)]
        optimisers = [own(lib, w, rate=0.5), own(lib, [{"params": [x]} for x in w], beta=0.25)]
        found.append([f"{form(o)}" for o in optimisers for form in (str, repr)])
    assert found[0] == found[1]
