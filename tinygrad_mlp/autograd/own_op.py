"""Your own op: one forward, its VJPs, done."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
from numpy import ndarray

from ..core.ops import Op, parameters
from ..core.tensor import run
from ..torch.accepts import as_dtype
from ..torch.tensor import Tensor, jointly, wrap


def op(
    forward: Callable[..., Any],
    *vjps: Callable[..., Any],
    name: str | None = None,
    formula: str | None = None,
    latex: str | None = None,
    numpy: str | None = None,
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
    ``name`` and ``formula`` are how the op shows in a printed tape and in formulas, where the
    parameters of ``forward`` stand for themselves: ``"x ⋆ y"``, by default ``"name(x, y)"``.
    ``latex`` is for where LaTeX should have it otherwise; ``numpy`` is the forward as NumPy source,
    such as ``"np.cbrt(x)"``, without which source takes the forward as an argument. ``domain`` says
    of inputs, elementwise, where the derivative exists.

    The output and the cotangents have the dtype of the inputs, if that is a float one. Arrays and
    lists among the options are copied, since a VJP may need them later.

    TypeError if a VJP asks for something that is not there, or ``forward`` has other parameters
    than plain ones; ValueError if ``name`` or ``formula`` is not one line of printable characters.
    When the op runs: ValueError where a VJP returns another shape than its input's, or ``forward``
    or a VJP writes into its arguments; TypeError where an option requires grad, for it has no VJP.

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
    given = getattr(forward, "__name__", "")
    name = name or (given if given.isidentifier() else "custom")
    for text in (name, formula or ""):
        if not isinstance(text, str):
            raise TypeError(f"op: a name or a formula is a str, not {type(text).__name__}")
        if not text.isprintable():
            raise ValueError(
                f"op: {text!r}: a name or a formula is one line of printable characters"
            )
    signature = plain_signature(forward, name)
    inputs = list(signature.parameters)[: len(vjps)]
    if len(inputs) < len(vjps):
        raise TypeError(f"{name}: {len(vjps)} VJPs, but the forward has only {len(inputs)} inputs")
    known = {"out", *signature.parameters, *(("shape", "dtype", "i") if len(vjps) == 1 else ())}
    for x, vjp in zip(inputs, vjps):
        asks = list(plain_signature(vjp, name, f"VJP of {x}").parameters)
        if not asks:
            raise TypeError(f"{name}: the VJP of {x} takes no cotangent; it is the first parameter")
        for asked in asks[1:]:
            if asked not in known:
                raise TypeError(
                    f"{name}: the VJP of {x} asks for {asked}, which is neither a parameter of the "
                    f"forward nor out"
                )
    options = [f"; {option}" for option in list(signature.parameters)[len(vjps) :]]
    formula = formula or f"{name}({', '.join(inputs)}{''.join(options)})"
    made = Op(
        name,
        formula,
        forward,
        *vjps,
        broadcasts=broadcasts,
        domain=domain,
        latex=latex,
        numpy=numpy,
    )
    made.forward = guarded(forward, f"{name}: the forward")
    made.forward.__name__ = name
    vjps = tuple(guarded(vjp, f"{name}: the VJP of {x}") for vjp, x in zip(vjps, inputs))
    made.vjps = vjps

    def function(*args: Any, **options: Any) -> Tensor:
        try:
            bound = signature.bind(*args, **options)
        except TypeError as error:
            raise TypeError(f"{name}: {error}") from None
        bound.apply_defaults()
        tensors = jointly(name, bound.args[: len(vjps)])
        return run(made, tensors, tuple(option(name, o) for o in bound.args[len(vjps) :]))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = forward.__doc__
    function.op = made  # type: ignore[attr-defined]
    return function


def plain_signature(
    function: Callable[..., Any], name: str, what: str = "forward"
) -> inspect.Signature:
    """The signature of the forward or of a VJP, where its parameters go by their names alone."""
    if isinstance(function, np.ufunc):
        kind = inspect.Parameter.POSITIONAL_ONLY
        return inspect.Signature([inspect.Parameter(x, kind) for x in parameters(function)])
    if not inspect.isfunction(function):
        raise TypeError(f"{name}: the {what} must be a def, a lambda or a ufunc of NumPy")
    signature = inspect.signature(function, follow_wrapped=False)
    for x in signature.parameters.values():
        if x.kind not in (x.POSITIONAL_ONLY, x.POSITIONAL_OR_KEYWORD):
            raise TypeError(f"{name}: the parameter {x} of the {what} is not a plain one")
    return signature


def option(name: str, value: Any) -> Any:
    """An option that nobody else can change."""
    if isinstance(value, Tensor):
        if value.requires_grad:
            raise TypeError(
                f"{name}: an option has no VJP, so it cannot be a Tensor that requires grad; "
                "use .detach(), or give the op a VJP for it"
            )
        return value.numpy()
    return deepcopy(value) if isinstance(value, (ndarray, list, dict, set)) else value


def guarded(function: Callable[..., Any], what: str) -> Callable[..., Any]:
    """The function on read-only arrays: a value on the tape may not be written into.

    Its result is a copy for the same reason, as it may be a buffer that the function uses again.
    """

    def call(x: Any, *more: Any) -> Any:
        args = [read_only(x), *map(read_only, more)]
        try:
            result = function(*args)
        except ValueError as error:
            if "read-only" not in str(error):
                raise
            raise ValueError(f"{what} writes into its arguments; let it work on a copy") from error
        on_tape = any(isinstance(a, Tensor) for a in args)
        if not isinstance(result, Tensor):
            result = np.asarray(result)
        elif not on_tape:
            result = result.detach().numpy()
        if result.dtype.kind not in "biuf":
            raise TypeError(f"{what} must return an array, not entries of dtype {result.dtype}")
        result = result.astype(x.dtype if x.dtype.kind == "f" else as_dtype(result.dtype))
        if isinstance(result, Tensor):
            return read_only(result)
        return Tensor(result) if on_tape else result

    return call


def read_only(value: Any) -> Any:
    """The same value, such that nothing done to it in place shows anywhere else."""
    if isinstance(value, Tensor):
        return wrap(value._array, value._node)
    if not isinstance(value, ndarray):
        return value
    view = value.view()
    view.flags.writeable = False
    return view
