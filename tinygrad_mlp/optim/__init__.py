"""Optimisers, which change parameters by their gradients: PyTorch's ``torch.optim``.

>>> import tinygrad_mlp as tg
>>> w = tg.tensor([1.0, 2.0], requires_grad=True)
>>> optimiser = tg.optim.SGD([w], lr=0.25)
>>> (w**2).sum().backward()
>>> optimiser.step()
>>> w
tensor([0.5000, 1.0000], requires_grad=True)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray

from ..core.atomic import Change, assign, carry_out, swap
from ..core.tape import recording, run_with
from ..nn import loaded, zero_grad
from ..torch.hints import absent
from ..torch.later import first_use
from ..torch.tensor import Tensor, wrap
from ..torch.views import Values, changed, rewrite

if TYPE_CHECKING:
    from . import lr_scheduler

__all__ = ["Adam", "AdamW", "Optimizer", "SGD", "lr_scheduler"]

NEAREST = {"RMSprop": "Adam", "Adagrad": "Adam", "LBFGS": "Adam", "RAdam": "Adam", "NAdam": "Adam"}


RULES = (
    (r"(?i)lr|schedul|swa", "lr_scheduler"),
    (r"(?i)adam|rms|ada|prop|lion", "Adam, or AdamW, SGD"),
    (r"", "SGD, or Adam, AdamW"),
)


def __getattr__(name: str) -> Any:
    if name == "lr_scheduler":
        return first_use(__name__, name, name)
    raise absent("optim", name, __all__, NEAREST, RULES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


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
        # What the state was before the latest step, whose arrays the next one may write into.
        self._spare: dict[Tensor, State] | None = None
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
        loss = None if closure is None else run_with({recording: True}, closure)
        return self._change(loss)

    def _change(self, loss: Tensor | None) -> Tensor | None:
        before, spare = self.state, self._spare
        if spare is None or not swap([self], ["_spare"], [spare], [None]):
            spare = {}
        state = dict(before)
        values: Values = {}
        for group in self.param_groups:
            for p in group["params"]:
                if (grad := p.grad) is not None:
                    old, array = values.get(p, (p._array, p._array))
                    kept = state[p] = dict(before.get(p, {}))
                    # What the latest step did not change is in both.
                    old_ones = spare.get(p, {}).items()
                    free = {k: v for k, v in old_ones if v is not kept.get(k)}
                    new = self.updated(group, array, grad._array, kept, free)
                    rewrite(p, new, values, old)
        kept_too = [Change(self, "state", before, state), Change(self, "_spare", None, before)]
        # If another thread was faster, once more.
        return loss if carry_out([*changed(values), *kept_too]) else self._change(loss)

    def updated(self, group: Group, p: ndarray, g: ndarray, state: State, spare: State) -> ndarray:
        """The new value of a parameter, from its value and gradient, which a tape may hold.

        What is to be kept is put into ``state``. Its arrays are not written into, for the step may
        yet fail, but those of ``spare`` may be: they are like them and no longer needed.
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
        assign([(self, "param_groups", groups), (self, "state", new_state), (self, "_spare", None)])

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


class SGD(Optimizer):
    """p ← p − lr · v, where v is the gradient or, with momentum, v ← momentum · v + gradient.

    ``dampening`` takes its share from each gradient but the first; ``nesterov`` adds momentum · v
    to the gradient instead; ``weight_decay`` adds weight_decay · p to it; ``maximize`` climbs.
    """

    kept = ("momentum_buffer",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def check(self, group: Group) -> None:
        """ValueError where an option of a group is out of its range."""
        super().check(group)
        momentum, dampening = group["momentum"], group["dampening"]
        require(self, group, "momentum", momentum >= 0, "is not negative")
        plain = not group["nesterov"] or (momentum > 0 and dampening == 0)
        require(self, group, "nesterov", plain, "takes a momentum and no dampening")

    def updated(self, group: Group, p: ndarray, g: ndarray, state: State, spare: State) -> ndarray:
        """One step of one parameter."""
        if group["maximize"]:
            g = -g
        if group["weight_decay"]:
            g = g + group["weight_decay"] * p
        momentum = group["momentum"]
        if momentum:
            v = state.get("momentum_buffer")
            if v is None:
                v = np.empty_like(p)
                v[...] = g
            else:
                v = np.multiply(v, momentum, spare_of(spare, "momentum_buffer", v))
                v += (1 - group["dampening"]) * g if group["dampening"] else g
            state["momentum_buffer"] = v
            g = g + momentum * v if group["nesterov"] else v
        out = np.empty_like(p)
        np.multiply(g, -group["lr"], out)
        out += p
        return out


class Adam(Optimizer):
    """p ← p − lr · m / (√v + eps): m and v are running means of the gradient and of its square.

    ``betas`` are the shares that the means keep of themselves in each step; both are corrected for
    their start at 0. ``weight_decay`` adds weight_decay · p to the gradient; ``amsgrad`` takes for
    v the largest it has been; ``maximize`` climbs.
    """

    kept = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")
    decoupled = False  # weight decay acts on p itself

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def check(self, group: Group) -> None:
        """ValueError where an option of a group is out of its range."""
        super().check(group)
        require(self, group, "eps", group["eps"] >= 0, "is not negative")
        betas = tuple(group["betas"])
        within = len(betas) == 2 and all(0 <= beta < 1 for beta in betas)
        require(self, group, "betas", within, "are two numbers, from 0 to less than 1")

    def updated(self, group: Group, p: ndarray, g: ndarray, state: State, spare: State) -> ndarray:
        """One step of one parameter."""
        (b1, b2), lr, decay = group["betas"], group["lr"], group["weight_decay"]
        if group["maximize"]:
            g = -g
        if decay and self.decoupled:
            p = p * (1 - lr * decay)
        elif decay:
            g = g + decay * p
        t = state["step"] = state.get("step", 0) + 1
        if t == 1:
            state["exp_avg"], state["exp_avg_sq"] = np.zeros_like(p), np.zeros_like(p)
        m, v = state["exp_avg"], state["exp_avg_sq"]
        out = np.empty_like(p)  # for each term in turn, and in the end for the result
        np.subtract(g, m, out)
        out *= 1 - b1
        m = state["exp_avg"] = np.add(m, out, spare_of(spare, "exp_avg", m))
        v = state["exp_avg_sq"] = np.multiply(v, b2, spare_of(spare, "exp_avg_sq", v))
        np.multiply(g, g, out)
        out *= 1 - b2
        v += out
        if group["amsgrad"]:
            largest = state.get("max_exp_avg_sq")
            largest = np.zeros_like(v) if largest is None else largest
            v = np.maximum(largest, v, out=spare_of(spare, "max_exp_avg_sq", v))
            state["max_exp_avg_sq"] = v
        np.sqrt(v, out)
        out /= sqrt(1 - b2**t)
        out += group["eps"]
        np.divide(m, out, out)
        out *= -lr / (1 - b1**t)
        out += p
        return out


class AdamW(Adam):
    """Adam, in which ``weight_decay`` acts on p itself: p ← p − lr · weight_decay · p comes first.

    >>> import tinygrad_mlp as tg
    >>> w = tg.tensor([1.0], requires_grad=True)
    >>> tg.optim.AdamW([w]).defaults["weight_decay"]
    0.01
    """

    decoupled = True

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)


def spare_of(spare: State, name: str, like: ndarray) -> ndarray:
    """An array to write into, of the shape and dtype of another."""
    found = spare.get(name)
    return found if found is not None and fits(found, like) else np.empty_like(like)


def fits(array: ndarray, like: ndarray) -> bool:
    return (array.shape, array.dtype) == (like.shape, like.dtype)


def require(optimiser: Optimizer, group: Group, name: str, holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(f"{optimiser}: {name} {what}; it is {group[name]}")
