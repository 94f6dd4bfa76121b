"""Your own op: one forward, its VJPs, done."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import ndarray

from .ops import Op
from .tensor import Tensor, apply, jointly


def op(
    forward: Callable[..., Any],
    *vjps: Callable[..., Any],
    name: str | None = None,
    formula: str | None = None,
    broadcasts: bool = False,
    domain: Callable[..., Any] | None = None,
) -> Callable[..., Tensor]:
    """Make an op of a function on arrays and of one VJP for each of its inputs.

    The first parameters of ``forward`` are the op's inputs, as many as there are VJPs; any others
    are options. A VJP takes the cotangent first, an array of the output's shape, and returns that
    of its input, in that input's shape. After it, it names what it needs: parameters of
    ``forward``, or ``out`` for what ``forward`` returned. Written with plain operators and this
    package's functions, which take arrays and Tensors alike, a VJP can be differentiated in turn.

    With ``broadcasts``, the inputs broadcast, and each cotangent is summed to its input's shape.
    ``name`` and ``formula`` are how the op shows in a printed tape and in formulas; ``domain`` says
    of inputs, elementwise, where the derivative exists.

    TypeError if a VJP asks for something that is not there. When the op runs: ValueError where a
    VJP returns another shape than its input's, or ``forward`` or a VJP writes into its arguments.

    >>> import tinygrad_mlp as tg
    >>> cube = tg.op(lambda x: x**3, lambda g, x: g * 3 * x**2, name="cube")
    >>> x = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> y = cube(x)
    >>> y.sum().backward()
    >>> x.grad
    tensor([ 3., 12.])
    """
    if not vjps:
        raise TypeError("op: give a VJP for each input, after the forward")
    name = name or (forward.__name__ if forward.__name__.isidentifier() else "custom")
    signature = inspect.signature(forward)
    try:
        formula = formula or f"{name}(x)"
        made = Op(name, formula, forward, *vjps, broadcasts=broadcasts, domain=domain)
    except ValueError as missing:
        raise TypeError(
            f"{name}: a VJP asks for what is neither a parameter of the forward nor out: {missing}"
        ) from None
    made.forward = guarded(forward)
    made.vjps = tuple(map(guarded, vjps))

    def function(*args: Any, **options: Any) -> Tensor:
        bound = signature.bind(*args, **options)
        bound.apply_defaults()
        inputs = jointly(name, bound.args[: len(vjps)])
        return apply(made, inputs, bound.args[len(vjps) :])

    function.__name__ = function.__qualname__ = name
    function.__doc__ = forward.__doc__
    function.op = made  # type: ignore[attr-defined]
    return function


def guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function on read-only arrays: a value on the tape may not be written into.

    Its result is a copy for the same reason, as it may be a buffer that the function uses again.
    """

    def call(*args: Any) -> Any:
        result = function(*map(read_only, args))
        return result if isinstance(result, Tensor) else np.array(result)

    return call


def read_only(value: Any) -> Any:
    if not isinstance(value, ndarray):
        return value
    view = value.view()
    view.flags.writeable = False
    return view
