"""The Optimizer: groups of parameters, a step that changes them all or none, and its state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ..core.atomic import Change, assign, carry_out
from ..core.ops import Value
from ..core.tape import enable_grad
from ..nn.parameter import loaded, zero_grad
from ..torch.tensor import Tensor, wrap
from ..torch.views import Values, changed, rewrite

Group = dict[str, Any]
State = dict[str, Any]


class Optimizer:
    """What optimisers share; a subclass says how one parameter changes, in ``updated``.

    ``params`` are Tensors, or dicts of which each is a group: its ``params``, and the options that
    are other than the optimiser's. ``param_groups`` lists the groups, whose options, such as
    ``lr``, may be changed at any time. ``state`` holds for each parameter what is kept from step
    to step: arrays, and numbers. ``foreach`` and ``fused``, which tell PyTorch how to run a step,
    are taken and change nothing.

    TypeError for parameters that are not Tensors; ValueError where there is none, one comes twice
    or is not a leaf, or an option is out of its range.
    """

    # The names of the arrays of a parameter's state; each has the parameter's shape.
    kept: tuple[str, ...] = ()

    def __init__(self, params: Iterable[Any], defaults: Mapping[str, Any]) -> None:
        self.defaults = dict(defaults)
        self.state: dict[Tensor, State] = {}
        self.param_groups: list[Group] = []
        if isinstance(params, Tensor):
            raise TypeError(f"{self}: params is a list of Tensors, not one")
        groups = list(params)
        if not groups:
            raise ValueError(f"{self}: there are no parameters to train")
        if not isinstance(groups[0], Mapping):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def __str__(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        lines = [f"{self} ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {k}: {v}" for k, v in sorted(group.items()) if k != "params"]
        return "\n".join([*lines, ")"])

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Train more parameters: ``{"params": […], …}``, with options of their own if need be."""
        params = param_group["params"]
        params = [params] if isinstance(params, Tensor) else list(params)
        # As named_parameters gives them.
        params = [p[1] if isinstance(p, tuple) and len(p) == 2 else p for p in params]
        known = {id(p) for group in self.param_groups for p in group["params"]}
        for p in params:
            if not isinstance(p, Tensor):
                raise TypeError(f"{self}: a parameter is a Tensor, not {type(p).__name__}")
            if not p.is_leaf:
                raise ValueError(
                    f"{self}: a parameter is a leaf, not the result of an op; "
                    "make one with .detach().clone().requires_grad_()"
                )
            if id(p) in known:
                raise ValueError(f"{self}: a parameter of shape {p.shape} is given twice")
            known.add(id(p))
        group = {"params": params, **self.defaults, **{**param_group, "params": params}}
        unknown = group.keys() - self.defaults.keys() - {"params", "initial_lr"}
        if unknown:
            raise TypeError(
                f"{self}: {', '.join(sorted(unknown))} is not an option; "
                f"the options are {', '.join(self.defaults)}"
            )
        self.check(group)
        self.param_groups.append(group)

    def check(self, group: Group) -> None:
        """ValueError where an option of a group is out of its range."""
        require(self, group, "lr", group["lr"] >= 0, "is not negative")
        require(self, group, "weight_decay", group["weight_decay"] >= 0, "is not negative")

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
        return self._change(loss)

    def _change(self, loss: Tensor | None) -> Tensor | None:
        before = self.state
        state = dict(before)
        values: Values = {}
        for group in self.param_groups:
            for p in group["params"]:
                if (grad := p.grad) is None:
                    continue
                old, array = values.get(p, (p._array, p._array))
                have = before.get(p, {})
                t = have.get("step", 0) + 1
                new, kept = self.updated(group, array, grad._array, have, t)
                # What such a step does not use, momentum that was turned off say, stays.
                arrays = {k: np.asarray(v) if k in self.kept else v for k, v in kept.items()}
                state[p] = {**have, **arrays}
                rewrite(p, new, values, old)
        # If another thread was faster, once more.
        return loss if self.settle(values, before, state) else self._change(loss)

    def settle(
        self, values: Values, before: dict[Tensor, State], after: dict[Tensor, State]
    ) -> bool:
        """Let a step's results be the parameters' values and the state: all of them or none.

        False where they are not what the step started from, for another thread was faster.
        """
        return carry_out([*changed(values), Change(self, "state", before, after)])

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
            places[p]: {k: wrap(v.copy()) if k in self.kept else v for k, v in kept.items()}
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
            raise ValueError(f"{self}: this is not what state_dict() returned") from None
        if sizes != [len(group["params"]) for group in self.param_groups]:
            raise ValueError(
                f"{self}: groups of {sizes} parameters, but the optimiser has "
                f"{[len(group['params']) for group in self.param_groups]}"
            )
        new_groups: list[Group] = []
        new_state: dict[Tensor, State] = {}
        for mine, group in zip(self.param_groups, groups):
            unknown = self.defaults.keys() - group.keys()
            if unknown:
                raise ValueError(f"{self}: the option {', '.join(sorted(unknown))} is missing")
            options = {k: v for k, v in group.items() if k in self.defaults or k == "initial_lr"}
            new_groups.append({**options, "params": mine["params"]})
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
        state: State = {}
        for name, value in given.items():
            if name in self.kept and value is not None:
                array = loaded(value).astype(p.dtype)
                if array.shape != p.shape:
                    raise ValueError(
                        f"{self}: {name} of parameter {place} has the shape {array.shape}; "
                        f"{p.shape} is needed"
                    )
                state[name] = array
            elif name == "step":
                state[name] = int(value)
            elif value is not None:
                raise ValueError(f"{self}: a state has no {name!r}")
        return state


def require(optimiser: Optimizer, group: Group, name: str, holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(f"{optimiser}: {name} {what}; it is {group[name]}")
