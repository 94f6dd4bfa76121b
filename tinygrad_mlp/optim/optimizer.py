"""The Optimizer: groups of parameters, a step that changes them all or none, and its state."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from reprlib import repr as brief
from typing import Any

import numpy as np
from numpy import ndarray

from ..core.ops import Value
from ..core.tape import assign, lock
from ..nn.parameter import loaded, zero_grad
from ..torch.accepts import as_number
from ..torch.modes import enable_grad
from ..torch.tensor import Tensor, wrap
from ..torch.views import Values, changed, rewrite

Group = dict[str, Any]
State = dict[str, Any]
States = defaultdict[Tensor, State]


class Optimizer:
    """What optimisers share; a subclass says how one parameter changes, in ``updated``.

    It may also have a ``step`` of its own, as under PyTorch, and keep in ``state`` what it likes.

    ``params`` are Tensors, or dicts of which each is a group: its ``params``, and the options that
    are other than the optimiser's, ``defaults``. ``param_groups`` lists the groups, whose options,
    such as ``lr``, may be changed at any time. ``state`` holds for each parameter what is kept from
    step to step: arrays, and numbers. Where an option is a number, a Tensor of one entry may stand
    for it. ``foreach`` and ``fused``, which tell PyTorch how to run a step, are taken and change
    nothing.

    TypeError for parameters that are not Tensors, or an option of another type; ValueError where
    there is no parameter, one comes twice or is not a leaf, or an option is out of its range.

    >>> import tinygrad_mlp as tg
    >>> class Signs(tg.optim.Optimizer):
    ...     def __init__(self, params, lr):
    ...         super().__init__(params, {"lr": lr})
    ...
    ...     def updated(self, group, p, g, state, t):
    ...         return p - group["lr"] * np.sign(g), {}
    >>> w = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> w.grad = tg.tensor([5.0, -3.0])
    >>> Signs([w], lr=0.5).step()
    >>> w
    tensor([0.5000, 2.5000], requires_grad=True)
    """

    # Which options are numbers, and which are True or False; of others a subclass knows.
    numbers: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    # The names of the arrays of a parameter's state, of its shape; None where they may be any.
    kept: tuple[str, ...] | None = None

    def __init__(self, params: Iterable[Any], defaults: Mapping[str, Any]) -> None:
        self.defaults = dict(defaults)
        self.state: States = defaultdict(dict)
        self.param_groups: list[Group] = []
        if isinstance(params, Tensor | Mapping) or not isinstance(params, Iterable):
            kind = type(params).__name__
            raise TypeError(
                f"{self._name}: params is a list of Tensors, or of groups, not one {kind}"
            )
        groups = list(params)
        if not groups:
            raise ValueError(f"{self._name}: there are no parameters to train")
        if not isinstance(groups[0], Mapping):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    @property
    def _name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        lines = [f"{self._name} ("]
        for i, group in enumerate(self.param_groups):
            options = (f"    {k}: {v}\n" for k, v in sorted(group.items()) if k != "params")
            lines.append(f"Parameter Group {i}\n{''.join(options)}")
        return "\n".join(lines) + ")"

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Train more parameters: ``{"params": […], …}``, with options of their own if need be."""
        if not isinstance(param_group, Mapping) or "params" not in param_group:
            raise TypeError(
                f'{self._name}: a group is a dict, {{"params": [...]}}, with its options'
            )
        params = param_group["params"]
        params = [params] if isinstance(params, Tensor) else list(params)
        # As named_parameters gives them.
        params = [p[1] if isinstance(p, tuple) and len(p) == 2 else p for p in params]
        known = {id(p) for group in self.param_groups for p in group["params"]}
        for p in params:
            if not isinstance(p, Tensor):
                raise TypeError(f"{self._name}: a parameter is a Tensor, not {type(p).__name__}")
            if not p.is_leaf:
                raise ValueError(
                    f"{self._name}: a parameter is a leaf, not the result of an op; "
                    "make one with .detach().clone().requires_grad_()"
                )
            if id(p) in known:
                raise ValueError(f"{self._name}: a parameter of shape {p.shape} is given twice")
            known.add(id(p))
        group = {"params": params, **self.defaults, **{**param_group, "params": params}}
        unknown = group.keys() - self.defaults.keys() - {"params", "initial_lr"}
        if unknown:
            raise TypeError(
                f"{self._name}: {', '.join(sorted(unknown))} is not an option; "
                f"the options are {', '.join(self.defaults)}"
            )
        self.check(group)
        self.param_groups.append(group)

    def check(self, group: Group) -> None:
        """TypeError or ValueError where an option of a group cannot be what it is."""
        self.options(group)

    def options(self, group: Group) -> Group:
        """A group's options in the form in which ``updated`` takes them."""
        for name in self.flags:
            if not isinstance(group[name], int | np.bool):
                raise TypeError(f"{self._name}: {name} is True or False, not {brief(group[name])}")
        return {**group, **{k: as_number(self._name, k, group[k]) for k in self.numbers}}

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Let go of the gradients of all parameters, or set them to zeros."""
        for group in self.param_groups:
            for p in group["params"]:
                zero_grad(p, set_to_none)

    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """Change each parameter that has a gradient; ``closure``, if given, computes the loss.

        All of them change, and what is kept of each, or if anything raises nothing does.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        with lock:
            self._change()
        return loss

    def _change(self) -> None:
        before = self.state
        state = before.copy()
        values: Values = {}
        for group in self.param_groups:
            options = self.options(group)
            for p in group["params"]:
                if (grad := p.grad) is None:
                    continue
                array = values.get(p, p._array)
                have = before.get(p, {})
                t = have.get("step", 0) + 1
                new, kept = self.updated(options, array, grad._array, have, t)
                # What such a step does not use, momentum that was turned off say, stays.
                state[p] = {**have, **{k: as_kept(v, grad._array) for k, v in kept.items()}}
                rewrite(p, new, values)
        self.settle(values, state)

    def settle(self, values: Values, state: States) -> None:
        """Let a step's results be the parameters' values and the state, all of them at once."""
        assign([*changed(values), (self, "state", state)])

    def updated(
        self, group: Group, p: Value, g: Value, state: State, t: Value
    ) -> tuple[Value, State]:
        """The new value of a parameter and what is to be kept of it for the next step.

        From the options, the value p, its gradient g, what was kept, and the number t of this
        step. None of them is changed: a tape may hold them, and the step may yet fail.
        """
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """A copy of the state and of the options, in PyTorch's form.

        ``state`` is by the parameters' places, counted over all groups, as in each group's
        ``params``; arrays are Tensors in it.
        """
        places: dict[Tensor, int] = {}
        groups = []
        for group in self.param_groups:
            for p in group["params"]:
                places[p] = len(places)
            groups.append({**group, "params": [places[p] for p in group["params"]]})
        state = {
            places[p]: {k: copied(v) for k, v in kept.items()}
            for p, kept in self.state.items()
            if kept
        }
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what ``state_dict`` gave: all of it or, if anything does not fit, nothing.

        ValueError where the groups, the number of parameters or their shapes differ.
        """
        try:
            groups, states = list(state_dict["param_groups"]), dict(state_dict["state"])
            sizes = [len(group["params"]) for group in groups]
        except (TypeError, KeyError, ValueError):
            raise ValueError(f"{self._name}: this is not what state_dict() returned") from None
        if sizes != [len(group["params"]) for group in self.param_groups]:
            raise ValueError(
                f"{self._name}: groups of {sizes} parameters, but the optimiser has "
                f"{[len(group['params']) for group in self.param_groups]}"
            )
        new_groups: list[Group] = []
        new_state: States = defaultdict(dict)
        for mine, group in zip(self.param_groups, groups):
            unknown = self.defaults.keys() - group.keys()
            if unknown:
                raise ValueError(
                    f"{self._name}: the option {', '.join(sorted(unknown))} is missing"
                )
            options = {k: v for k, v in group.items() if k in self.defaults or k == "initial_lr"}
            new_groups.append({**deepcopy(options), "params": mine["params"]})
            self.check(new_groups[-1])
            for p, place in zip(mine["params"], group["params"]):
                # Text in JSON, where keys are.
                given = states.get(place, states.get(str(place)))
                if given is not None:
                    new_state[p] = self.fitting(p, place, given)
        groups = [{**mine, **group} for mine, group in zip(self.param_groups, new_groups)]
        assign([(self, "param_groups", groups), (self, "state", new_state)])

    def fitting(self, p: Tensor, place: int, given: Mapping[str, Any]) -> State:
        """The state of one parameter, from a state_dict, where it fits."""
        if self.kept is None:
            return {k: copied(v, p.dtype) for k, v in given.items()}
        state: State = {}
        for name, value in given.items():
            if name in self.kept and value is not None:
                array = loaded(value).astype(p.dtype)
                if array.shape != p.shape:
                    raise ValueError(
                        f"{self._name}: {name} of parameter {place} has the shape {array.shape}; "
                        f"{p.shape} is needed"
                    )
                state[name] = array
            elif name == "step":
                state[name] = int(value)
            elif value is not None:
                raise ValueError(f"{self._name}: a state has no {name!r}")
        return state


def as_kept(value: Any, gradient: ndarray) -> Any:
    """What a rule returned to be kept: NumPy makes bare numbers of arrays without axes.

    The gradient itself may be in memory that a program writes into again; of it a copy is kept.
    """
    if value is gradient:
        return value.copy()
    return np.asarray(value) if isinstance(value, np.generic) else value


def copied(value: Any, dtype: np.dtype[Any] | None = None) -> Any:
    """Of what is kept a copy, in which arrays are Tensors, of this dtype where they are floats."""
    if isinstance(value, ndarray):
        return wrap(value.copy())
    if not isinstance(value, Tensor):
        return deepcopy(value)
    copy = value.detach().clone()
    return copy if dtype is None or copy.dtype.kind != "f" else copy.to(dtype)


def require(optimiser: Optimizer, group: Group, name: str, holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(f"{optimiser._name}: {name} {what}; it is {group[name]}")


def require_not_negative(optimiser: Optimizer, group: Group, *names: str) -> None:
    for name in names:
        require(optimiser, group, name, group[name] >= 0, "is not negative")
