"""Schedules of the learning rate: PyTorch's ``torch.optim.lr_scheduler``.

>>> import tinygrad_mlp as tg
>>> optimiser = tg.optim.SGD([tg.zeros(1, requires_grad=True)], lr=1.0)
>>> schedule = tg.optim.lr_scheduler.StepLR(optimiser, step_size=2, gamma=0.5)
>>> for epoch in range(4):
...     optimiser.step()  # for each batch, then once an epoch:
...     schedule.step()
>>> schedule.get_last_lr()
[0.25]
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from copy import copy
from itertools import chain, repeat
from math import cos, pi
from operator import setitem
from typing import Any

from ..torch.accepts import as_number
from ..torch.hints import module_getattr
from ..torch.modes import no_grad
from ..torch.tensor import Tensor

__all__ = ["CosineAnnealingLR", "ExponentialLR", "LRScheduler", "StepLR"]


__getattr__ = module_getattr(__name__)


class LRScheduler:
    """What schedules share; a subclass says in ``next`` what the rate of a group becomes.

    Each step changes the rate that is there, so that several schedules can act on one optimiser.
    To go on with an earlier run, load the ``state_dict`` of its schedule and of its optimiser.

    TypeError for what is no optimiser; ValueError for a ``last_epoch`` other than -1, a new run's.
    """

    def __init__(self, optimizer: Any, last_epoch: int = -1) -> None:
        if not hasattr(optimizer, "param_groups"):
            raise TypeError(
                f"{type(self).__name__}: an optimiser is needed, not {type(optimizer).__name__}"
            )
        if last_epoch != -1:
            raise ValueError(
                f"{type(self).__name__}: last_epoch is -1, not {last_epoch}; to go on with an "
                "earlier run, load_state_dict() what its schedule and its optimiser gave"
            )
        self.optimizer = optimizer
        self.last_epoch = 0
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", rate_of(group))
        self.base_lrs = [base_of(group) for group in optimizer.param_groups]

    def next(self, lr: float, base: float) -> float:
        """The rate of epoch ``last_epoch``, from that of the epoch before."""
        raise NotImplementedError

    def step(self) -> None:
        """Go on to the next epoch."""
        groups = self.optimizer.param_groups
        ahead = copy(self)
        ahead.last_epoch += 1
        # Groups may have been added since the latest step.
        ahead.base_lrs = [*self.base_lrs, *map(base_of, groups[len(self.base_lrs) :])]
        rates: list[Any] = [ahead.next(*both) for both in zip(map(rate_of, groups), ahead.base_lrs)]
        with no_grad():
            for i, group in enumerate(groups):
                if isinstance(group["lr"], Tensor):
                    # As in PyTorch, it stays the same one.
                    rates[i] = group["lr"].fill_(rates[i])
        lrs = map(setitem, groups, repeat("lr"), rates)
        deque(chain(lrs, map(vars(self).update, [vars(ahead)])), maxlen=0)

    def get_last_lr(self) -> list[float]:
        """The rate of each group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """All that it knows, but for the optimiser."""
        return {k: v for k, v in self.__dict__.items() if k != "optimizer"}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what ``state_dict`` gave; ValueError if another kind of schedule gave it."""
        if state_dict.keys() != self.state_dict().keys():
            raise ValueError(
                f"{type(self).__name__}: the state of a schedule has {sorted(self.state_dict())}, "
                f"not {sorted(state_dict)}"
            )
        self.__dict__.update(state_dict)


class StepLR(LRScheduler):
    """The rate times gamma, every ``step_size`` epochs."""

    def __init__(
        self, optimizer: Any, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        super().__init__(optimizer, last_epoch)
        self.step_size = at_least_1("StepLR", "step_size", step_size)
        self.gamma = as_number("StepLR", "gamma", gamma)

    def next(self, lr: float, base: float) -> float:
        """The rate of epoch ``last_epoch``."""
        return lr if self.last_epoch % self.step_size else lr * self.gamma


class ExponentialLR(LRScheduler):
    """The rate times gamma, every epoch."""

    def __init__(self, optimizer: Any, gamma: float, last_epoch: int = -1) -> None:
        super().__init__(optimizer, last_epoch)
        self.gamma = as_number("ExponentialLR", "gamma", gamma)

    def next(self, lr: float, base: float) -> float:
        """The rate of epoch ``last_epoch``."""
        return lr * self.gamma


class CosineAnnealingLR(LRScheduler):
    """From the first rate to ``eta_min`` in ``T_max`` epochs, along half a period of a cosine."""

    def __init__(
        self, optimizer: Any, T_max: int, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        super().__init__(optimizer, last_epoch)
        self.T_max = at_least_1("CosineAnnealingLR", "T_max", T_max)
        self.eta_min = as_number("CosineAnnealingLR", "eta_min", eta_min)

    def next(self, lr: float, base: float) -> float:
        """The rate of epoch ``last_epoch``."""
        t = self.last_epoch
        if (t - 1 - self.T_max) % (2 * self.T_max) == 0:
            return lr + (base - self.eta_min) * (1 - cos(pi / self.T_max)) / 2
        above = (1 + cos(pi * t / self.T_max)) / (1 + cos(pi * (t - 1) / self.T_max))
        return above * (lr - self.eta_min) + self.eta_min


def rate_of(group: Mapping[str, Any]) -> float:
    return as_number("lr_scheduler", "lr", group["lr"])


def base_of(group: Mapping[str, Any]) -> float:
    return as_number("lr_scheduler", "initial_lr", group.get("initial_lr", group["lr"]))


def at_least_1(caller: str, name: str, value: Any) -> float:
    number = as_number(caller, name, value)
    if number < 1:
        raise ValueError(f"{caller}: {name} is 1 or more, not {number}")
    return number
