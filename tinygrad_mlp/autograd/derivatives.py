"""Derivatives of Python functions, made of walks back: grad, vjp, jvp, hvp, jacobian, hessian."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.tape import ancestors, switched
from ..core.tensor import grad
from ..torch.joining import stack
from ..torch.modes import enable_grad, is_grad_enabled
from ..torch.tensor import Tensor, wrap

Tensors = Tensor | tuple[Tensor, ...]


def value_and_grad(
    function: Callable[..., Tensor], argnums: int | Sequence[int] | None = None
) -> Callable[..., tuple[Tensor, Any]]:
    """A function that returns the value of another and its gradients, for the same arguments.

    ``function`` takes Tensors and returns a Tensor of one entry. The gradients are with respect to
    the positional arguments that ``argnums`` lists, or all: a tuple, or for one int the gradient
    itself. Arguments may be Tensors, arrays or numbers; ``.grad`` of none of them changes. Where
    an argument requires grad, or a Tensor that the function has from outside, the result has a
    graph, so that such functions can be nested.

    TypeError where an argument to differentiate is not of a float dtype.

    >>> import tinygrad_mlp as tg
    >>> tg.value_and_grad(lambda x, y: (x * y).sum())(tg.tensor([1.0, 2.0]), tg.tensor([3.0, 4.0]))
    (tensor(11.), (tensor([3., 4.]), tensor([1., 2.])))
    """

    def differentiated(*args: Any, **options: Any) -> tuple[Tensor, Any]:
        picked = range(len(args)) if argnums is None else as_tuple(argnums)
        mine = list(args)

        def of_picked(*primals: Tensor) -> Tensor:
            for i, x in zip(picked, primals, strict=True):
                mine[i] = x
            return function(*mine, **options)

        primals, value, keep = evaluated(of_picked, [args[i] for i in picked])
        require_one_entry("value_and_grad", value)
        gradients = gradients_of(value, primals, None, keep)
        return off_tape(value, keep), gradients[0] if isinstance(argnums, int) else gradients

    return differentiated


def vjp(
    function: Callable[..., Tensors], inputs: Any, v: Any = None, create_graph: bool = False
) -> tuple[Tensors, Tensors]:
    """The value of a function and vᵀJ, v being a cotangent of the output's shape, J the Jacobian.

    ``inputs`` is a Tensor or a tuple of them, and vᵀJ comes in the same form. Without ``v``, 1.

    >>> import tinygrad_mlp as tg
    >>> tg.vjp(lambda x: x**2, tg.tensor([1.0, 2.0]), tg.tensor([1.0, 10.0]))
    (tensor([1., 4.]), tensor([ 2., 40.]))
    """
    primals, value, keep = evaluated(function, as_tuple(inputs), v, create_graph)
    if v is None and isinstance(value, Tensor) and value.numel() != 1:
        raise ValueError(f"vjp: an output of shape {value.shape} needs a v of that shape")
    gradients = gradients_of(value, primals, v, keep)
    return off_tape(value, keep), like(inputs, gradients)


def jvp(
    function: Callable[..., Tensors], inputs: Any, v: Any = None, create_graph: bool = False
) -> tuple[Tensors, Tensors]:
    """The value of a function and Jv, v being a tangent: Tensors of the inputs' shapes.

    vᵀJ is linear in v, so its own VJP is J: two walks back make one forward.

    >>> import tinygrad_mlp as tg
    >>> tg.jvp(lambda x: x.sum(), tg.tensor([1.0, 2.0]), tg.tensor([1.0, 10.0]))
    (tensor(3.), tensor(11.))
    """
    primals, value, keep = evaluated(function, as_tuple(inputs), v, create_graph)
    tangents = tangents_for(primals, v, "jvp")
    with enable_grad():
        outputs = as_tuple(value)
        dual = tuple(Tensor(np.zeros(y.shape, y.dtype)).requires_grad_() for y in outputs)
        pulled = gradients_of(value, primals, dual, True)
        linear = [(g, t) for g, t in zip(pulled, tangents, strict=True) if g.requires_grad]
        pushed: tuple[Tensor | None, ...] = (None,) * len(outputs)
        if linear:
            gs, ts = zip(*linear, strict=True)
            pushed = grad(gs, dual, ts, create_graph=keep, allow_unused=True)
    filled = tuple(
        wrap(np.zeros(y.shape, y.dtype)) if p is None else p
        for y, p in zip(outputs, pushed, strict=True)
    )
    return off_tape(value, keep), like(value, filled)


def hvp(
    function: Callable[..., Tensor], inputs: Any, v: Any = None, create_graph: bool = False
) -> tuple[Tensor, Tensors]:
    """The value of a function of one entry and Hv, H being its Hessian and v of the inputs' shapes.

    >>> import tinygrad_mlp as tg
    >>> tg.hvp(lambda x: (x**3).sum(), tg.tensor([1.0, 2.0]), tg.tensor([1.0, 1.0]))
    (tensor(9.), tensor([ 6., 12.]))
    """
    primals, value, keep = evaluated(function, as_tuple(inputs), v, create_graph)
    require_one_entry("hvp", value)
    tangents = tangents_for(primals, v, "hvp")
    with enable_grad():
        first = gradients_of(value, primals, None, True)
        linear = [(g, t) for g, t in zip(first, tangents, strict=True) if g.requires_grad]
        second = zeros_for(primals)
        if linear:
            gs, ts = zip(*linear, strict=True)
            second = gradients_of(gs, primals, ts, keep)
    return off_tape(value, keep), like(inputs, second)


def jacobian(function: Callable[..., Tensor], inputs: Any, create_graph: bool = False) -> Any:
    """All the partial derivatives: for each input a Tensor of shape (*output.shape, *input.shape).

    One walk back for each entry of the output.

    >>> import tinygrad_mlp as tg
    >>> tg.jacobian(lambda x: x**2, tg.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    primals, value, keep = evaluated(function, as_tuple(inputs), None, create_graph)
    if not isinstance(value, Tensor):
        raise TypeError("jacobian: the function must return one Tensor; cat() or stack() several")
    return like(inputs, rows(value, primals, keep))


def hessian(function: Callable[..., Tensor], inputs: Any, create_graph: bool = False) -> Any:
    """All the second derivatives of a function of one entry.

    For one input a Tensor of shape (*input.shape, *input.shape); for a tuple of inputs, a tuple of
    tuples, [i][j] for the derivative by input i, then by input j.

    >>> import tinygrad_mlp as tg
    >>> tg.hessian(lambda x: x[0] * x[1], tg.tensor([2.0, 3.0]))
    tensor([[0., 1.],
            [1., 0.]])
    """
    primals, value, keep = evaluated(function, as_tuple(inputs), None, create_graph)
    require_one_entry("hessian", value)
    first = gradients_of(value, primals, None, True)
    blocks = tuple(like(inputs, rows(g, primals, keep)) for g in first)
    return like(inputs, blocks)


def rows(value: Tensor, primals: tuple[Tensor, ...], keep: bool) -> tuple[Tensor, ...]:
    """The Jacobian of a value, one walk back a row."""
    if value.numel() == 0 or not value.requires_grad:
        return tuple(wrap(np.zeros(value.shape + x.shape, x.dtype)) for x in primals)
    parts = []
    for i in range(value.numel()):
        one = np.zeros(value.numel(), value.dtype)
        one[i] = 1
        v = wrap(one.reshape(value.shape))
        parts.append(gradients_of(value, primals, v, keep, retain_graph=True))
    with enable_grad():
        return tuple(
            stack(column).reshape(value.shape + x.shape)
            for column, x in zip(zip(*parts, strict=True), primals, strict=True)
        )


def gradients_of(
    value: Any,
    primals: tuple[Tensor, ...],
    v: Any,
    create_graph: bool,
    retain_graph: bool | None = None,
) -> tuple[Tensor, ...]:
    """``grad``, with zeros where the value does not depend on an input."""
    outputs = as_tuple(value)
    cotangents = (None,) * len(outputs) if v is None else as_tuple(v)
    if len(cotangents) != len(outputs):
        raise ValueError(f"v has {len(cotangents)} parts, and the function {len(outputs)} outputs")
    used = [(y, c) for y, c in zip(outputs, cotangents, strict=True) if y.requires_grad]
    zeros = zeros_for(primals)
    if not used:
        return zeros
    ys, cs = zip(*used, strict=True)
    found = grad(ys, primals, cs, retain_graph, create_graph, allow_unused=True)
    return tuple(z if g is None else g for g, z in zip(found, zeros, strict=True))


def zeros_for(primals: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(wrap(np.zeros(x.shape, x.dtype)) for x in primals)


def evaluated(
    function: Callable[..., Any], inputs: Sequence[Any], v: Any = None, create_graph: bool = False
) -> tuple[tuple[Tensor, ...], Any, bool]:
    """Inputs of our own, the function's value there, and whether derivatives need a graph.

    They do if anything from outside the function requires grad: an outer derivative may be taken.
    """
    tensors = [x if isinstance(x, Tensor) else Tensor(x) for x in inputs]
    recorded = is_grad_enabled()
    primals = tuple(
        x.clone() if recorded and x.requires_grad else x.detach().requires_grad_() for x in tensors
    )
    with switched(recording=True):
        value = function(*primals)
    outputs = as_tuple(value)
    for y in outputs:
        if not isinstance(y, Tensor):
            raise TypeError(f"the function must return a Tensor, not {type(y).__name__}")
    given = [*tensors, *(t for t in as_tuple(v) if isinstance(t, Tensor))]
    nested = any(x.requires_grad for x in given) or goes_beyond(primals, outputs)
    return primals, value, create_graph or (recorded and nested)


def require_one_entry(caller: str, value: Any) -> None:
    if isinstance(value, Tensor) and value.numel() != 1:
        raise ValueError(
            f"{caller}: the function must return one entry, not the shape {value.shape}; "
            "reduce what it returns to one number, with .sum() say"
        )


def goes_beyond(primals: Sequence[Tensor], outputs: Sequence[Tensor]) -> bool:
    """Whether the outputs were also made from something that was on a tape before."""
    start = min((x._node.position for x in primals if x._node is not None), default=0)
    made = ancestors(y._node for y in outputs if y._node is not None)
    return bool(made) and made[0].position < start


def tangents_for(primals: tuple[Tensor, ...], v: Any, caller: str) -> tuple[Tensor, ...]:
    if v is None:
        if any(x.numel() != 1 for x in primals):
            raise ValueError(f"{caller}: inputs of more than one entry need a v of their shapes")
        return tuple(wrap(np.ones(x.shape, x.dtype)) for x in primals)
    tangents = tuple(t if isinstance(t, Tensor) else Tensor(t) for t in as_tuple(v))
    shapes, expected = [t.shape for t in tangents], [x.shape for x in primals]
    if shapes != expected:
        raise ValueError(f"{caller}: v has the shapes {shapes}, the inputs {expected}")
    return tangents


def off_tape(value: Any, keep: bool) -> Any:
    if keep:
        return value
    return like(value, tuple(y.detach() for y in as_tuple(value)))


def as_tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def like(form: Any, values: tuple[Any, ...]) -> Any:
    """The values as a tuple if the form is one, or else the only one."""
    return values if isinstance(form, (tuple, list)) else values[0]
