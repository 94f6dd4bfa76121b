"""The rules by which parameters change: SGD, Adam and AdamW. Source: PyTorch's documentation.

Each is written once, with operators that arrays and Tensors have. ``Optimizer.step`` uses it on
arrays; ``compile`` uses it on Tensors, and so has it in its program.
"""

# A term that was just computed stands on the left of + and *: there NumPy writes the result over it
# where it is large, rather than into new memory.

from __future__ import annotations

from collections.abc import Iterable
from reprlib import repr as brief
from typing import Any

from ..core import ops
from ..core.ops import Value
from ..torch.accepts import as_number
from .optimizer import Group, Optimizer, State, require, require_not_negative


class SGD(Optimizer):
    """p ← p − lr · v, where v is the gradient or, with momentum, v ← momentum · v + gradient.

    ``dampening`` takes its share from each gradient but the first; ``nesterov`` adds momentum · v
    to the gradient instead; ``weight_decay`` adds weight_decay · p to it; ``maximize`` climbs.
    """

    numbers = "lr", "momentum", "dampening", "weight_decay"
    flags = "nesterov", "maximize"
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
        """TypeError or ValueError where an option of a group cannot be what it is."""
        o = self.options(group)
        require_not_negative(self, o, "lr", "momentum", "weight_decay")
        plain = not o["nesterov"] or (o["momentum"] > 0 and o["dampening"] == 0)
        require(self, o, "nesterov", plain, "takes a momentum and no dampening")

    def updated(
        self, group: Group, p: Value, g: Value, state: State, t: Value
    ) -> tuple[Value, State]:
        """One step of one parameter."""
        momentum, kept = group["momentum"], {}
        if group["maximize"]:
            g = -g
        if group["weight_decay"]:
            g = p * group["weight_decay"] + g
        if momentum:
            v = state.get("momentum_buffer")
            share = g if v is None or not group["dampening"] else g * (1 - group["dampening"])
            v = share if v is None else v * momentum + share
            kept["momentum_buffer"] = v
            g = v * momentum + g if group["nesterov"] else v
        return g * -group["lr"] + p, kept


class Adam(Optimizer):
    """p ← p − lr · m / (√v + eps): m and v are running means of the gradient and of its square.

    ``betas`` are the shares that the means keep of themselves in each step; both are corrected for
    their start at 0. ``weight_decay`` adds weight_decay · p to the gradient; ``amsgrad`` takes for
    v the largest it has been; ``maximize`` climbs.
    """

    numbers = "lr", "eps", "weight_decay"
    flags = "amsgrad", "maximize"
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
        """TypeError or ValueError where an option of a group cannot be what it is."""
        o = self.options(group)
        require_not_negative(self, o, "lr", "eps", "weight_decay")
        within = len(o["betas"]) == 2 and all(0 <= beta < 1 for beta in o["betas"])
        require(self, o, "betas", within, "are two numbers, from 0 to less than 1")

    def options(self, group: Group) -> Group:
        """A group's options in the form in which ``updated`` takes them."""
        try:
            betas = tuple(as_number(self._name, "each of betas", beta) for beta in group["betas"])
        except TypeError as error:
            raise TypeError(
                f"{self._name}: betas are two numbers, not {brief(group['betas'])}"
            ) from error
        return {**super().options(group), "betas": betas}

    def updated(
        self, group: Group, p: Value, g: Value, state: State, t: Value
    ) -> tuple[Value, State]:
        """One step of one parameter."""
        (b1, b2), lr, decay = group["betas"], group["lr"], group["weight_decay"]
        if group["maximize"]:
            g = -g
        if decay and self.decoupled:
            p = p * (1 - lr * decay)
        elif decay:
            g = p * decay + g
        m, v = g * (1 - b1), g * g * (1 - b2)
        if state:
            before = state["exp_avg"]
            m = (g - before) * (1 - b1) + before
            v = v + state["exp_avg_sq"] * b2
        kept = {"step": t, "exp_avg": m, "exp_avg_sq": v}
        if group["amsgrad"]:
            largest = state.get("max_exp_avg_sq")
            kept["max_exp_avg_sq"] = v = v if largest is None else ops.maximum(largest, v)
        root = ops.sqrt(v) / (1 - b2**t) ** 0.5 + group["eps"]
        return m / root * (-lr / (1 - b1**t)) + p, kept


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
