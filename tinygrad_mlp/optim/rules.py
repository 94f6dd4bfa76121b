"""The steps of the optimisers as formulas, which ``compile`` traces.

``Optimizer.updated`` does the same to arrays, in place. Here p, its gradient g, what is kept of it
from step to step, the learning rate and the number t of this step are Tensors; the other options
are numbers. Source: PyTorch's documentation of ``torch.optim``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..torch.tensor import Tensor
from . import SGD, Adam, AdamW, Optimizer

State = dict[str, Tensor]
# From the options, p, g, the state and t to the new p and the new state.
Rule = Callable[[dict[str, Any], Tensor, Tensor, State, Tensor], tuple[Tensor, State]]


def sgd(
    group: dict[str, Any], p: Tensor, g: Tensor, state: State, t: Tensor
) -> tuple[Tensor, State]:
    """p ← p − lr · v, where v is the gradient or a running sum of it."""
    momentum = group["momentum"]
    if group["maximize"]:
        g = -g
    if group["weight_decay"]:
        g = g + group["weight_decay"] * p
    if not momentum:
        return p - group["lr"] * g, {}
    v = state.get("momentum_buffer")
    v = g if v is None else momentum * v + (1 - group["dampening"]) * g
    step = g + momentum * v if group["nesterov"] else v
    return p - group["lr"] * step, {"momentum_buffer": v}


def adam(
    group: dict[str, Any], p: Tensor, g: Tensor, state: State, t: Tensor, decoupled: bool = False
) -> tuple[Tensor, State]:
    """p ← p − lr · m / (√v + eps), with running means m of the gradient and v of its square."""
    (b1, b2), lr, decay = group["betas"], group["lr"], group["weight_decay"]
    if group["maximize"]:
        g = -g
    if decay and decoupled:
        p = p * (1 - lr * decay)
    elif decay:
        g = g + decay * p
    m = state["exp_avg"] + (1 - b1) * (g - state["exp_avg"]) if state else (1 - b1) * g
    v = b2 * state["exp_avg_sq"] + (1 - b2) * (g * g) if state else (1 - b2) * (g * g)
    kept = {"step": t, "exp_avg": m, "exp_avg_sq": v}
    if group["amsgrad"]:
        v = state["max_exp_avg_sq"].maximum(v) if "max_exp_avg_sq" in state else v
        kept["max_exp_avg_sq"] = v
    root = v.sqrt() / (1 - b2**t) ** 0.5 + group["eps"]
    return p - (lr / (1 - b1**t)) * (m / root), kept


def adamw(
    group: dict[str, Any], p: Tensor, g: Tensor, state: State, t: Tensor
) -> tuple[Tensor, State]:
    """Adam, in which weight decay acts on p itself."""
    return adam(group, p, g, state, t, decoupled=True)


RULES: dict[type[Optimizer], Rule] = {SGD: sgd, Adam: adam, AdamW: adamw}


def rule_of(optimizer: Any) -> Rule:
    """The rule of an optimiser; TypeError where there is none."""
    # A subclass may do something else in a step.
    rule = RULES.get(type(optimizer))
    if rule is None:
        raise TypeError(
            f"compile: the steps of {', '.join(t.__name__ for t in RULES)} can be compiled, not "
            f"those of {type(optimizer).__name__}; leave optimizer out, and call its step()"
        )
    return rule
