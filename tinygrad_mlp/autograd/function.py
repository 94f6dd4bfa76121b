"""``autograd.Function``: an op of PyTorch's making, with a forward, a backward and a context."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import ndarray

from ..core.ops import Op, picker
from ..core.tape import current, record, switched
from ..torch.grad_fn import shown
from ..torch.tensor import Tensor, wrap


class Context:
    """What a forward leaves for the backward: attributes, and the Tensors it saves."""

    __slots__ = ("__dict__", "_saved", "_unpacked")

    needs_input_grad: tuple[bool, ...]
    _saved: tuple[Tensor | None, ...]
    _unpacked: tuple[Tensor | None, ...]

    def __init__(self, needs_input_grad: tuple[bool, ...]) -> None:
        self.needs_input_grad = needs_input_grad
        self._saved = self._unpacked = ()

    def unpacked(self, tensors: tuple[Tensor | None, ...]) -> Context:
        """A context of the same attributes, with these as its saved Tensors.

        Each backward has its own, as threads may be in that of one call at the same time.
        """
        made = Context(self.needs_input_grad)
        made.__dict__ = self.__dict__
        made._unpacked = tensors
        return made

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep Tensors, for ``saved_tensors`` to be in the backward."""
        if not all(t is None or isinstance(t, Tensor) for t in tensors):
            raise TypeError("save_for_backward: Tensors or None; set others as attributes of ctx")
        self._saved = tensors

    @property
    def saved_tensors(self) -> tuple[Tensor | None, ...]:
        """The Tensors that the forward saved."""
        return self._unpacked

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Nothing to do for a Function of one output, which has a backward."""

    def set_materialize_grads(self, value: bool) -> None:
        """Nothing to do: there is one output, and backward runs only with its cotangent."""


class FunctionOp(Op):
    """The op of one call of a Function."""

    make: Callable[[], tuple[Callable[..., Any], ...]]

    @property
    def vjps(self) -> tuple[Callable[..., Any], ...]:  # type: ignore[override]
        """New ones for each visit of a walk back, which share one run of the backward.

        So no walk gets what backward has returned to another one.
        """
        return self.make()


class Function:
    """An op with a forward and a backward that you write, as ``torch.autograd.Function``.

    ``forward(ctx, *args)`` computes a Tensor from Tensors and other arguments, and nothing it does
    is recorded; ``backward(ctx, g)`` returns the cotangent of each argument, or None. Both are
    static methods; PyTorch's newer form with ``setup_context`` is taken as well. Where backward is
    made of ops, it can be differentiated again. A saved input or output is on the tape there, and
    anything else that is saved is a constant, as in PyTorch. Tensors that were saved, or that are
    attributes of ``ctx``, have there the values that they had when forward returned.

    RuntimeError inside of ``compile`` and ``derive``, and TypeError for several outputs; ``op``
    makes an op of arrays that those can read.

    >>> import tinygrad_mlp as tg
    >>> class Exp(tg.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         y = x.exp()
    ...         ctx.save_for_backward(y)
    ...         return y
    ...
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         (y,) = ctx.saved_tensors
    ...         return g * y
    >>> x = tg.tensor([0.0, 1.0], requires_grad=True)
    >>> Exp.apply(x)
    tensor([1.0000, 2.7183], grad_fn=<ExpBackward>)
    >>> Exp.apply(x).sum().backward()
    >>> x.grad
    tensor([1.0000, 2.7183])
    """

    setup_context: Callable[..., None] | None = None

    @staticmethod
    def forward(*args: Any, **options: Any) -> Any:
        """What the Function computes; a subclass says what."""
        raise NotImplementedError("a Function needs a static method forward(ctx, *args)")

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """The cotangents of the arguments, from that of the output; a subclass says how."""
        raise NotImplementedError("a Function needs a static method backward(ctx, g)")

    @classmethod
    def apply(cls, *args: Any) -> Tensor:
        """The output of forward, on the tape with backward as its VJP."""
        name = cls.__name__
        if current().tracing:
            raise RuntimeError(
                f"{name}: compile and derive do not see into a Function; make it with op()"
            )
        places = [i for i, x in enumerate(args) if isinstance(x, Tensor)]
        inputs = [args[i] for i in places]
        ctx = Context(tuple(isinstance(x, Tensor) and x.requires_grad for x in args))
        with switched(recording=False):
            out = computed_by(cls, ctx, args)
        if not isinstance(out, Tensor):
            raise TypeError(
                f"{name}: forward must return one Tensor, not {type(out).__name__}; "
                "several can be one with cat() or stack()"
            )
        if not current().recording or not any(x.requires_grad for x in inputs):
            return out
        return on_tape(cls, ctx, places, inputs, out)


def computed_by(cls: type[Function], ctx: Context, args: tuple[Any, ...]) -> Any:
    if cls.setup_context is None:
        return cls.forward(ctx, *args)
    out = cls.forward(*args)
    cls.setup_context(ctx, args, out)
    return out


def as_it_is(value: Any) -> Any:
    """A Tensor, or a tuple of them, in which a change in place of the original does not show."""
    if type(value) is tuple:
        return tuple(map(as_it_is, value))
    return wrap(value._array, value._node) if isinstance(value, Tensor) else value


def on_tape(
    cls: type[Function], ctx: Context, places: list[int], inputs: list[Tensor], out: Tensor
) -> Tensor:
    # The inputs and the output are saved by the tape, so that a second derivative finds where they
    # came from, and so that they go when the graph is released.
    known: list[Tensor] = [out, *inputs]
    origin = [next((k for k, t in enumerate(known) if t is s), None) for s in ctx._saved]
    saved, ctx._saved = as_it_is(ctx._saved), ()
    for name, value in vars(ctx).items():
        setattr(ctx, name, as_it_is(value))
    wanted = tuple(sorted({k for k in origin if k is not None}))
    arrays = [t._array for t in known]

    places_of = [(place, x.shape, x.dtype) for place, x in zip(places, inputs, strict=True)]

    def vjps() -> tuple[Callable[..., Any], ...]:
        computed: list[Any] = []  # what backward made of the cotangent, for all inputs

        def vjp(place: int) -> Callable[..., Any]:
            def call(g: Any, *values: Any) -> Any:
                graph = isinstance(g, Tensor)
                if not computed:
                    computed.append(run(g, graph, values))
                return cotangent(cls.__name__, computed[0], place, len(ctx.needs_input_grad), graph)

            return call

        return tuple(shaped(vjp(place), shape, dtype) for place, shape, dtype in places_of)

    def run(g: Any, graph: bool, values: tuple[Any, ...]) -> Any:
        found = dict(zip(wanted, values, strict=True))
        mine = ctx.unpacked(
            tuple(
                as_it_is(s) if k is None else found[k] if graph else wrap(found[k])
                for s, k in zip(saved, origin, strict=True)
            )
        )
        if graph:
            return cls.backward(mine, as_it_is(g))
        with switched(recording=False):
            return cls.backward(mine, wrap(g))

    op = FunctionOp.__new__(FunctionOp)
    op.name = cls.__name__
    op.formula = f"{cls.__name__}({', '.join('xyzuvw'[i % 6] for i in range(len(inputs)))})"
    op.latex = op.numpy = op.domain = None
    op.broadcasts = op.variadic = False
    op.forward = unavailable(cls.__name__)
    op.make = vjps
    op.wants = (wanted,) * len(inputs)
    op.picks = (picker(wanted),) * len(inputs)
    values = tuple(arrays[k] for k in wanted)
    links = tuple(
        (x._as_constant(), None) if x._node is None else (x._node, values) for x in inputs
    )
    made = wrap(out._array, record(op, links, out.shape))
    return shown(made, f"{cls.__name__}Backward")


def cotangent(name: str, result: Any, place: int, n: int, graph: bool) -> Any:
    """That of one argument, among what backward returned for all n."""
    found = result if isinstance(result, tuple) else (result,)
    if len(found) != n:
        raise RuntimeError(
            f"{name}: backward must return a cotangent or None for each of {n} arguments of "
            f"forward, and returned {len(found)}"
        )
    mine = found[place]
    if mine is None:
        return None
    if not isinstance(mine, Tensor):
        raise TypeError(f"{name}: backward must return Tensors or None, not {type(mine).__name__}")
    return as_it_is(mine) if graph else mine._array


def shaped(vjp: Callable[..., Any], shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    """The VJP with zeros for None, in the dtype of the input."""

    def call(g: Any, *values: Any) -> Any:
        result = vjp(g, *values)
        if result is None:
            zeros: ndarray = np.zeros(shape, dtype)
            return wrap(zeros) if isinstance(g, Tensor) else zeros
        return result.to(dtype) if isinstance(result, Tensor) else result.astype(dtype, copy=False)

    return call


def unavailable(name: str) -> Callable[..., Any]:
    def forward(*arrays: Any) -> Any:
        raise RuntimeError(f"{name}: a Function cannot be run again from its graph; use op()")

    return forward
