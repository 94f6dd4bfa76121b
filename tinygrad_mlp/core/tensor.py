"""The Tensor: an array, and its node where it is on the tape.

An op on Tensors runs its forward on their arrays and leaves a node; ``backward`` and ``grad`` walk
back from there. That is all that the mathematics needs. PyTorch's names and habits are those of a
subclass, in ``torch``, which has its own of the methods that begin with an underscore.

>>> x = Tensor([1.0, 2.0], requires_grad=True)
>>> (x * x).sum().backward()
>>> x.grad
Tensor([2., 4.])
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self, TypeVar

import numpy as np
from numpy import ndarray

from . import ops
from .ops import Op, Shape, Value
from .tape import Change, Constant, Node, assign, current, leaf, lock, new, record, releases, walk

Options = tuple[Any, ...]
T = TypeVar("T", bound="Tensor")


# From an op to the function of Tensors that computes it and records it. ``run`` is the general
# case; ``unary`` and ``binary`` are the same written out for one and for two inputs, which nearly
# all ops have: the time that a small program takes is spent here.


def unary(op: Op, doc: str = "") -> Callable[[T], T]:
    (pick,) = op.picks
    forward = op.forward

    def function(self: T, options: Options = ()) -> T:
        x = self._array
        out = forward(x, *options) if options else forward(x)
        if type(out) is not ndarray:
            out = np.asarray(out)
        made = new(type(self))
        made._array = out
        made._node = None
        node = self._node
        mode = current()
        if node is not None and mode.recording:
            saved = pick((out, x, *options, x.shape, x.dtype) if options else (out, x))
            made._node = record(op, ((node, saved),), out.shape, options)
        if mode.watcher is not None:
            mode.watcher.computed(op, (x,), out, made._node)
        return made

    function.__name__ = op.name
    function.__doc__ = doc or f"{op.formula}, entry by entry."
    return function


def with_options(op: Op) -> Callable[[T, Options], T]:
    """``unary`` of an op that has options."""
    function: Any = unary(op)
    return function  # type: ignore[no-any-return]


def binary(op: Op, doc: str = "") -> Callable[[T, Any], T]:
    pick_x, pick_y = op.picks
    forward = op.forward

    def function(self: T, other: Any) -> T:
        if type(self) is not type(other) or self._array.dtype is not other._array.dtype:
            self, other = self._together(op, self, other)
        x = self._array
        y = other._array
        try:
            out = forward(x, y)
        except ValueError as error:
            raise self._misfit(op, error, x.shape, y.shape) from None
        if type(out) is not ndarray:
            out = np.asarray(out)
        made = new(type(self))
        made._array = out
        made._node = None
        m = self._node
        n = other._node
        mode = current()
        if (m is not None or n is not None) and mode.recording:
            values = (out, x, y)
            made._node = record(op, (
                (self._as_constant(), None) if m is None else (m, pick_x(values)),
                (other._as_constant(), None) if n is None else (n, pick_y(values)),
            ), out.shape)  # fmt: skip
        if mode.watcher is not None:
            mode.watcher.computed(op, (x, y), out, made._node)
        return made

    function.__name__ = op.name
    function.__doc__ = doc or f"{op.formula}, entry by entry."
    return function


def run(op: Op, tensors: Sequence[T], options: Options = ()) -> T:
    arrays = [x._array for x in tensors]
    inputs = [arrays] if op.variadic else arrays
    try:
        out = np.asarray(op.forward(*inputs, *options))
    except ValueError as error:
        raise tensors[0]._misfit(op, error, *(a.shape for a in arrays)) from None
    made = tensors[0]._of(out)
    mode = current()
    flows = [x._node is not None and op.vjps[i] is not None for i, x in enumerate(tensors)]
    # What no gradient flows through is on the tape where a reader wants all of the formula.
    known = any(flows) or (mode.tracing and any(x._node for x in tensors))
    if known and mode.recording:
        links: list[Any] = []
        for i, x in enumerate(tensors):
            values = (out, *inputs, *options, x.shape, x.dtype, i)
            links.append((x._node or x._as_constant(), op.picks[i](values) if flows[i] else None))
        made._node = record(op, tuple(links), out.shape, options)
    if mode.watcher is not None:
        mode.watcher.computed(op, arrays, out, made._node)
    return made


def compared(op: Op) -> Callable[[T, Any], T]:
    def function(self: T, other: Any) -> T:
        return self._compare(op, other)

    function.__name__ = op.name
    function.__doc__ = f"Where {op.formula}, entry by entry."
    return function


class Tensor:
    """An array that remembers how it was computed.

    The array is the Tensor's own: it was copied from what the caller gave, and nothing ever writes
    into it, so a value on the tape cannot change behind the tape's back.
    """

    __slots__ = ("__weakref__", "_array", "_constant", "_node")

    # NumPy leaves ``array + tensor`` to the Tensor.
    __array_ufunc__ = None

    _array: ndarray
    _node: Node | None
    _constant: Constant  # what the tape knows of it where there is no node; set when it is asked

    def __init__(self, data: Any, requires_grad: bool = False) -> None:
        self._array = np.array(data)
        self._node = leaf(self._array.shape) if requires_grad else None

    @classmethod
    def _of(cls, array: ndarray, node: Node | None = None) -> Self:
        """A Tensor of this very array, which nobody may write into from now on."""
        made = new(cls)
        made._array = array
        made._node = node
        return made

    @classmethod
    def _lift(cls, array: ndarray, origin: Node | Constant) -> Self:
        """A saved array as a Tensor that is on the tape where the array came from."""
        made = cls._of(array)
        if isinstance(origin, Node):
            made._node = origin
        else:
            made._constant = origin
        return made

    @staticmethod
    def _misfit(op: Op, error: ValueError, *shapes: Shape) -> ValueError:
        """What to raise where an op's forward gave this error."""
        return ValueError(f"{op.name}: {error}")

    def _as_constant(self) -> Constant:
        """What the tape knows of a Tensor that is not on it."""
        known = getattr(self, "_constant", None)
        if known is None or known.array is not self._array:
            known = self._constant = Constant(self._array, known and known.name)
        return known

    @property
    def shape(self) -> Shape:
        """The size of each axis."""
        return self._array.shape

    @property
    def ndim(self) -> int:
        """How many axes there are."""
        return self._array.ndim

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy dtype of the entries."""
        return self._array.dtype

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to it."""
        return self._node is not None

    @property
    def grad(self) -> Any:
        """What backward has accumulated here: a Tensor of the same shape and dtype, or None."""
        return None if self._node is None else self._node.grad

    def numpy(self) -> ndarray:
        """The value as a read-only array."""
        # Neither its flags nor its base make it writable again.
        return np.asarray(self._array.data.toreadonly())

    def __repr__(self) -> str:
        return f"Tensor({np.array2string(self._array, separator=', ')})"

    # Python's operators.

    def _together(self, op: Op, *values: Any) -> Sequence[Self]:
        """Inputs of an op, this one among them, as Tensors of one dtype: a number takes this."""
        of_number = {bool: self.dtype, int: self.dtype, float: self.dtype}
        tensors = [
            x if isinstance(x, type(self)) else self._of(np.array(x, of_number.get(type(x))))
            for x in values
        ]
        dtype = np.result_type(*(x._array for x in tensors))
        return [x if x.dtype == dtype else x.astype(dtype) for x in tensors]

    __add__ = binary(ops.add)
    __sub__ = binary(ops.sub)
    __mul__ = binary(ops.mul)
    __truediv__ = binary(ops.div)
    __matmul__ = binary(ops.matmul)
    __neg__ = unary(ops.neg)
    __abs__ = unary(ops.abs)

    def __radd__(self, other: Any) -> Self:
        x, y = self._together(ops.add, other, self)
        return x + y

    def __rsub__(self, other: Any) -> Self:
        x, y = self._together(ops.sub, other, self)
        return x - y

    def __rmul__(self, other: Any) -> Self:
        x, y = self._together(ops.mul, other, self)
        return x * y

    def __rtruediv__(self, other: Any) -> Self:
        x, y = self._together(ops.div, other, self)
        return x / y

    def __pow__(self, exponent: Any) -> Self:
        """x to a power: a number, or a Tensor, which may require grad itself."""
        if isinstance(exponent, (bool, int, float)):
            return pow_number(self, (exponent,))
        return pow_tensor(self, exponent)

    def __getitem__(self, index: Any) -> Self:
        return getitem(self, (index,))

    def _compare(self, op: Op, *other: Any) -> Self:
        """A comparison with another Tensor or a number; or ¬x."""
        return run(op, self._together(op, self, *other))

    __eq__ = compared(ops.equal)  # type: ignore[assignment]
    __ne__ = compared(ops.not_equal)  # type: ignore[assignment]
    __lt__, __le__ = compared(ops.less), compared(ops.less_equal)
    __gt__, __ge__ = compared(ops.greater), compared(ops.greater_equal)
    __and__, __or__, __xor__ = compared(ops.both), compared(ops.either), compared(ops.differ)

    def __invert__(self) -> Self:
        return self._compare(ops.opposite)

    __hash__ = object.__hash__

    # What the VJPs and the experiment need besides.

    sigmoid = unary(ops.sigmoid)

    def sum(self, axes: Any = None, keepdims: bool = False) -> Self:
        """The sum over one axis, several, or all."""
        given = (axes,) if isinstance(axes, int) else axes
        return summed(self, (given and tuple(a % self.ndim for a in given), keepdims))

    def reshape(self, *shape: Any) -> Self:
        """The entries in the same order and another shape."""
        return reshape(self, (shape[0] if isinstance(shape[0], tuple) else shape,))

    @property
    def mT(self) -> Self:
        """With the last two axes exchanged."""
        n = self.ndim
        return permute(self, ((*range(n - 2), n - 1, n - 2),))

    def astype(self, dtype: Any) -> Self:
        """With entries of another dtype; no gradient flows through whole numbers and bools."""
        to = np.dtype(dtype)
        return cast(self, (to,)) if to.kind == "f" else run(ops.whole, (self,), (to,))

    def apply(self, op: Op, *args: Any) -> Self:
        """The Tensor that an op makes of its inputs, this one among them, and of its options."""
        n = len(op.vjps)
        if n == 1:
            return run(op, (self,), args[1:])
        # A condition has no dtype that the others should agree with.
        alone = (x if isinstance(x, type(self)) else self._of(np.asarray(x)) for x in args[: n - 2])
        return run(op, (*alone, *self._together(op, *args[n - 2 : n])), args[n:])

    # The walk back.

    def backward(
        self, gradient: Any = None, retain_graph: bool | None = None, create_graph: bool = False
    ) -> None:
        """Accumulate the gradient of this Tensor into ``.grad`` of the leaves it was made from.

        ``gradient`` is the cotangent to start from, of this Tensor's shape; a Tensor of one entry
        starts from 1. The graph is released, so that a second backward through any part of it
        raises, unless ``retain_graph``; ``create_graph`` retains it too, and gives gradients that
        can be differentiated again. All leaves get their gradients together at the end, or none
        does if anything raises.

        RuntimeError where there is no graph, or no longer; ValueError for a wrong shape.
        """
        given = None if gradient is None else (gradient,)
        backward((self,), given, retain_graph, create_graph)

    @classmethod
    def _accumulated(cls, gradients: dict[Node, Value]) -> list[Change]:
        """The changes that add gradients to those that nodes keep."""
        changes: list[Change] = []
        for node, g in gradients.items():
            g = g if isinstance(g, Tensor) else cls._of(np.asarray(g))
            changes.append((node, "grad", g if node.grad is None else node.grad + g))
        return changes


pow_number, pow_tensor = with_options(ops.pow), binary(ops.pow_tensor)
summed, permute = with_options(ops.sum), with_options(ops.permute)
reshape, getitem = with_options(ops.reshape), with_options(ops.getitem)
cast = with_options(ops.cast)

Tensors = Tensor | Sequence[Tensor]


def backward(
    outputs: Tensors,
    gradients: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
) -> None:
    """``Tensor.backward`` for one output or several at once."""
    if current().tracing:
        raise RuntimeError(
            "backward: a compiled program has no .grad to leave gradients in; use grad()"
        )
    start, kind = seeds("backward", outputs, gradients, "grad_tensors", create_graph)
    found, passed = walk(start, lift=kind._lift if create_graph else None)
    retained = create_graph if retain_graph is None else retain_graph
    with lock:
        kept = {node: g for node, g in found.items() if node.keeps_grad}
        assign(kind._accumulated(kept) + ([] if retained else releases(passed)))


def grad(
    outputs: Tensors,
    inputs: Tensors,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Any, ...]:
    """The gradients of the sum of some outputs with respect to some inputs.

    As ``torch.autograd.grad``: ``grad_outputs`` are the cotangents to start from, one for each
    output and of its shape; an output of one entry needs none. An input may be a leaf or the result
    of an op. The result is a tuple of Tensors of the inputs' shapes; no ``.grad`` changes. The part
    of the graph that was used is released unless ``retain_graph`` or ``create_graph``.

    RuntimeError if an output has no graph, or an input none, or if an output does not depend on
    an input (with ``allow_unused`` None stands there instead); ValueError for wrong shapes.

    >>> x = Tensor(3.0, requires_grad=True)
    >>> (slope,) = grad(x * x * x, x, create_graph=True)
    >>> grad(slope, x)
    (Tensor(18.),)
    """
    # A traced program has to hold the gradient's own steps.
    create_graph = create_graph or current().tracing
    start, kind = seeds("grad", outputs, grad_outputs, "grad_outputs", create_graph)
    wanted = [root_of(x, "grad") for x in listed("grad", inputs)]
    found, passed = walk(start, set(wanted), kind._lift if create_graph else None)
    for i, node in enumerate(wanted):
        if not allow_unused and node not in found:
            raise RuntimeError(
                f"grad: the outputs do not depend on input {i}; "
                "pass allow_unused=True to get None for such an input"
            )
    gradients = tuple(
        g if g is None or isinstance(g, Tensor) else kind._of(np.asarray(g))
        for g in map(found.get, wanted)
    )
    if not (create_graph if retain_graph is None else retain_graph):
        assign((node, "links", None) for node in passed)
    return gradients


def listed(caller: str, tensors: Any) -> tuple[Any, ...]:
    """One Tensor or several as a tuple; TypeError for what is none."""
    many = isinstance(tensors, Iterable) and not isinstance(tensors, Tensor)
    found = tuple(tensors) if many else (tensors,)
    for x in found:
        if not isinstance(x, Tensor):
            raise TypeError(f"{caller}: a Tensor is needed, not {type(x).__name__}")
    return found


def root_of(output: Tensor, caller: str) -> Node:
    if output._node is None:
        raise RuntimeError(
            f"{caller}: this Tensor does not require grad and was not made from one that does; "
            "set requires_grad=True on an input, and check that no_grad and detach are not at work"
        )
    return output._node


def seed(output: T, gradient: Any, caller: str) -> T:
    """The cotangent of an output to start from: 1, if none is given and it has one entry."""
    if gradient is None:
        if output._array.size != 1:
            raise ValueError(
                f"{caller}: an output of shape {output.shape} needs a gradient of that shape; "
                "pass one, or reduce the output to one number, with .sum() say"
            )
        gradient = output._of(np.ones(output.shape, output.dtype))
    elif not isinstance(gradient, Tensor):
        gradient = type(output)(gradient)
    if gradient.shape != output.shape:
        raise ValueError(
            f"{caller}: the gradient's shape {gradient.shape} is not the output's, {output.shape}"
        )
    g: T = gradient if gradient.dtype == output.dtype else gradient.astype(output.dtype)
    return g


def seeds(
    caller: str, outputs: Tensors, gradients: Any, given: str, create_graph: bool
) -> tuple[dict[Node, Value], type[Tensor]]:
    """The cotangents to start from: Tensors if there is to be a graph, or arrays; of what class."""
    outputs = listed(caller, outputs)
    if gradients is None:
        gradients = (None,) * len(outputs)
    elif not isinstance(gradients, (tuple, list)):
        gradients = (gradients,)
    if len(gradients) != len(outputs):
        raise ValueError(f"{caller}: {len(outputs)} outputs, but {len(gradients)} {given}")
    start: dict[Node, Value] = {}
    for output, gradient in zip(outputs, gradients):
        root = root_of(output, caller)
        g = seed(output, gradient, caller)
        share = g if create_graph else g._array
        start[root] = start[root] + share if root in start else share
    return start, type(outputs[0]) if outputs else Tensor
