"""Schedules: whose rates they change, their state, and what they refuse."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp import optim


def parameters(dtype: str = "float64") -> list[tg.Tensor]:
    arrays = [np.array([1.0, -2.0], dtype), np.array([[0.5]], dtype)]
    return [tg.tensor(a, requires_grad=True) for a in arrays]


SCHEDULES: dict[str, Callable[..., Any]] = {
    "StepLR": partial(optim.lr_scheduler.StepLR, step_size=2, gamma=0.5),
    "ExponentialLR": partial(optim.lr_scheduler.ExponentialLR, gamma=0.5),
    "CosineAnnealingLR": partial(optim.lr_scheduler.CosineAnnealingLR, T_max=3),
}
WRONG = ["0.1", b"0.1", None, [0.1], 1j, {}]


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("StepLR", "step_size"),
        ("StepLR", "gamma"),
        ("ExponentialLR", "gamma"),
        ("CosineAnnealingLR", "T_max"),
        ("CosineAnnealingLR", "eta_min"),
    ],
)
def test_an_argument_of_a_schedule_that_is_no_number_is_refused(
    kind: str, name: str, wrong: Any
) -> None:
    optimiser = optim.SGD(parameters())
    with pytest.raises(TypeError, match=f"{kind}: {name} is a number, not .*; convert it first"):
        SCHEDULES[kind](optimiser, **{name: wrong})


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize(("after", "then"), [(0, 10), (1, 2)])
def test_a_group_that_comes_after_the_schedule_is_scheduled(
    name: str, after: int, then: int
) -> None:
    """Its rate goes on as that of one that had the same rate at the time."""
    optimiser = optim.SGD(parameters(), lr=1.0)
    schedule = SCHEDULES[name](optimiser)
    for _ in range(after):
        schedule.step()
    rate = 3 * optimiser.param_groups[0]["lr"]
    optimiser.add_param_group({"params": [tg.ones(1)], "lr": rate})
    for _ in range(then):
        schedule.step()
        one, late = schedule.get_last_lr()
        assert late == pytest.approx(3 * one, rel=1e-12, abs=1e-15)
    assert late != rate
    # A copy of its state goes on alike.
    heir = optim.SGD(parameters(), lr=1.0)
    heir.add_param_group({"params": [tg.ones(1)], "lr": 3.0})
    goes_on = SCHEDULES[name](heir)
    goes_on.load_state_dict(schedule.state_dict())
    heir.load_state_dict(optimiser.state_dict())
    goes_on.step()
    schedule.step()
    assert goes_on.get_last_lr() == schedule.get_last_lr()


def test_a_group_that_comes_may_say_what_its_rate_was_at_first() -> None:
    optimiser = optim.SGD(parameters(), lr=1.0)
    schedule = SCHEDULES["CosineAnnealingLR"](optimiser)
    schedule.step()
    group = {"params": [tg.ones(1)], "lr": 0.75 * 2, "initial_lr": 2.0}
    optimiser.add_param_group(group)
    for _ in range(9):
        schedule.step()
        one, late = schedule.get_last_lr()
        assert late == pytest.approx(2 * one, rel=1e-12, abs=1e-15)


def test_schedules_save_their_state() -> None:
    optimiser = optim.SGD(parameters(), lr=1.0)
    schedule = optim.lr_scheduler.StepLR(optimiser, 2, 0.5)
    for _ in range(3):
        schedule.step()
    assert schedule.get_last_lr() == [0.5]
    state, rates = schedule.state_dict(), optimiser.state_dict()
    other = optim.SGD(parameters(), lr=1.0)
    heir = optim.lr_scheduler.StepLR(other, 9, 9.0)
    other.load_state_dict(rates)
    heir.load_state_dict(state)
    heir.step()
    assert heir.get_last_lr() == [0.25]
    with pytest.raises(ValueError, match="the state of a schedule has"):
        optim.lr_scheduler.ExponentialLR(other, 0.5).load_state_dict(state)


def test_a_rate_that_is_a_tensor_may_change_in_place() -> None:
    """As PyTorch's schedules change it; and a state that was saved does not follow."""
    lr = tg.tensor(0.5)
    optimiser = optim.SGD(parameters(), lr=lr)
    schedule = optim.lr_scheduler.ExponentialLR(optimiser, 0.5)
    saved = optimiser.state_dict()
    optimiser.load_state_dict(saved)
    held = optimiser.param_groups[0]["lr"]
    for _ in range(2):
        schedule.step()
    assert optimiser.param_groups[0]["lr"] is held
    assert (held.item(), lr.item(), saved["param_groups"][0]["lr"].item()) == (0.125, 0.5, 0.5)
    params = optimiser.param_groups[0]["params"]
    params[0].grad = tg.ones(2, dtype="float64")
    held.mul_(4)
    optimiser.step()
    assert params[0].tolist() == [0.5, -2.5]
