"""The Tensor: an array, and its node where it is on the tape."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import ref

import numpy as np
from numpy import ndarray

from ..core import ops
from ..core import tensor as core
from ..core.ops import Op, Shape
from ..core.tape import Change, Constant, Node, assign, current, leaf
from ..core.tensor import Options, binary, run, unary, with_options
from . import copying
from .accepts import (
    FLOAT,
    NUMBERS,
    as_array,
    as_axes,
    as_axis,
    as_dtype,
    as_index,
    as_shape,
    in_two_steps,
    misfit,
    require_entries,
    size_of,
    wider,
)
from .devices import is_device, require_cpu
from .grad_fn import GradFn, grad_fn, name_of, note_of, shown
from .hints import say_what_is_missing, say_what_they_take, without
from .names import Names
from .printing import format_tensor
from .views import (
    Family,
    Values,
    become,
    changed,
    in_place,
    is_part_of,
    is_same_memory,
    owner,
    refuse_overlap,
    related,
    rewrite,
    set_data,
    set_part,
)

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

Number = bool | int | float
AxisLike = int | Sequence[int] | None


def real(op: Op, doc: str) -> Callable[..., Tensor]:
    """A function of one variable that takes whole numbers in float32, as PyTorch does."""
    function: Callable[[Tensor], Tensor] = unary(op)

    def method(self: Tensor) -> Tensor:
        return function(self if self._array.dtype.kind == "f" else self.float())

    method.__name__ = op.name
    method.__doc__ = doc
    return method


def compare(op: Op, x: Tensor, y: Any) -> Tensor:
    if not isinstance(y, (Tensor, ndarray, *NUMBERS)):
        return NotImplemented  # type: ignore[no-any-return]
    if isinstance(y, NUMBERS) and x.dtype.kind != "f":
        # A number keeps its own value here: a uint8 may be compared with −1.
        y = wrap(np.asarray(y))
    else:
        x, y = agree(op, x, y)
    return logic(op, x, y)


def logic(op: Op, *tensors: Tensor) -> Tensor:
    try:
        return run(op, tensors)
    except TypeError:
        dtypes = " and ".join(str(x.dtype) for x in tensors)
        raise TypeError(
            f"{op.name}: bools or whole numbers are needed, not {dtypes}; compare first"
        ) from None


def reduction(op: Op, doc: str) -> Callable[..., Tensor]:
    """A method that reduces over one axis, several, or all; axis and dim are the same."""
    function: Callable[[Tensor, Options], Tensor] = with_options(op)

    def method(
        self: Tensor,
        axis: AxisLike = None,
        keepdims: bool = False,
        *,
        dim: AxisLike = None,
        keepdim: bool = False,
        dtype: DTypeLike | None = None,
        **unknown: Any,
    ) -> Tensor:
        if unknown:
            raise without(op.name, next(iter(unknown)), ("dim", "keepdim", "dtype"))
        axes = None
        if axis is not None or dim is not None:
            axes = as_axes(op.name, self._array.ndim, axis, dim)
        x = self if dtype is None else self.to(dtype)
        if op is ops.sum:
            if x._array.dtype.kind in "biu":
                x = x.to(np.int64)
        elif op is ops.mean:
            if x._array.dtype.kind != "f":
                raise TypeError(f"mean: a float dtype is needed, not {x.dtype}; use .float() first")
            if x._array.dtype == np.float16:
                # The sum, or the number of terms, may be too large for a float16.
                found = function(x.float(), (axes, bool(keepdims or keepdim))).to(np.float16)
                return shown(found, "Mean0" if axes is None else "Mean1")
        else:
            require_entries(op.name, x.shape, axes)
        return function(x, (axes, bool(keepdims or keepdim)))

    method.__name__ = op.name
    method.__doc__ = doc
    return method


def truth(over: Callable[..., Any], doc: str) -> Callable[..., Tensor]:
    """A method that says whether any or all entries are true, over axes as ``reduction``'s."""
    name = over.__name__

    def method(
        self: Tensor,
        axis: AxisLike = None,
        keepdims: bool = False,
        *,
        dim: AxisLike = None,
        keepdim: bool = False,
    ) -> Tensor:
        axes = as_axes(name, self._array.ndim, axis, dim)
        return wrap(np.asarray(over(known(self, name), axes, keepdims=bool(keepdims or keepdim))))

    method.__name__ = name
    method.__doc__ = doc
    return method


class Tensor(Names, core.Tensor):
    """An array that remembers how it was computed.

    ``Tensor(data)`` is ``tensor(data)``; ops on Tensors make the others. The array is the Tensor's
    own: it was copied from what the caller gave, leaves only as a read-only view, and nothing ever
    writes into it, so a value on the tape cannot change behind the tape's back.
    """

    __slots__ = ("_family", "_frozen", "_parameter", "_source")

    # These are set only where they say something, so that ops need not set them:
    _family: Family  # which Tensors PyTorch would keep in the same memory
    _frozen: Node  # its node from when it required grad
    _source: tuple[Tensor, Op, Options]  # what this is a view of, and how
    _parameter: builtins.bool  # that it is an nn.Parameter

    def __init__(self, data: Any, dtype: DTypeLike | None = None) -> None:
        self._array = as_array(known(data, "tensor") if isinstance(data, Tensor) else data, dtype)
        self._node = None

    # What it is.

    def dim(self) -> int:
        """How many axes there are; PyTorch's spelling of ``ndim``."""
        return self._array.ndim

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the size of one axis."""
        return self.shape if dim is None else size_of("size", self.shape, dim)

    def numel(self) -> int:
        """How many entries there are."""
        return self._array.size

    @property
    def name(self) -> str | None:
        """The name given to it, for formulas and pictures of the tape."""
        return (self._node or self._as_constant()).name

    def named(self, name: str) -> Tensor:
        """Give it a name, for formulas and pictures of the tape, and return it."""
        if not isinstance(name, str):
            raise TypeError(f"named: a name is a str, not {type(name).__name__}")
        if self._node is None:
            self._constant = Constant(self._array, name)
        else:
            self._node.name = name
        return self

    # What the core leaves to a subclass.

    def _together(self, op: Op, *values: Any) -> Sequence[Tensor]:
        return agree(op, *values)

    @staticmethod
    def _misfit(op: Op, error: ValueError, *shapes: Shape) -> ValueError:
        return misfit(op, error, *shapes)

    @classmethod
    def _accumulated(cls, gradients: dict[Node, Any]) -> list[Change]:
        return accumulated(gradients)

    # Its place on the tape.

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to it."""
        return self._node is not None

    @requires_grad.setter
    def requires_grad(self, requires_grad: bool) -> None:
        self.requires_grad_(requires_grad)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Make a leaf that gradients flow to, or no longer flow to; returns it.

        One that stops keeps its ``.grad``, and gets no more until it starts again; then it also
        gets those of a graph from before. TypeError where the dtype is not a float; RuntimeError
        to turn it off for the result of an op.

        >>> import tinygrad_mlp as tg
        >>> tg.tensor([1.0, 2.0]).requires_grad_()
        tensor([1., 2.], requires_grad=True)
        """
        if requires_grad == self.requires_grad:
            return self
        if not self.is_leaf:
            raise RuntimeError(
                "requires_grad_: only a leaf can stop requiring grad; "
                "use detach() for the value of a result without its graph"
            )
        if self._array.dtype.kind != "f":
            raise TypeError(
                f"requires_grad_: a gradient needs a float dtype, not {self.dtype}; "
                "convert first, with .float() or tensor(..., dtype='float32')"
            )
        name = self.name
        node = self._frozen if hasattr(self, "_frozen") else self._node or leaf(self.shape)
        note_of(node).tensor = ref(self)
        assign([
            (self, "_node", node if requires_grad else None),
            (self, "_frozen", node),
            (node, "keeps_grad", bool(requires_grad)),
        ])  # fmt: skip
        return self if name is None else self.named(name)

    @property
    def is_leaf(self) -> bool:
        """Whether it is not the result of an op on the tape."""
        return self._node is None or self._node.op is None

    @property
    def grad(self) -> Tensor | None:
        """What backward has accumulated here: a Tensor of the same shape and dtype, or None."""
        node = home_of_grad(self)
        return None if node is None else node.grad

    @grad.setter
    def grad(self, grad: Tensor | None) -> None:
        node = home_of_grad(self)
        if grad is None:
            if node is not None:
                node.grad = None
            return
        if not isinstance(grad, Tensor):
            raise TypeError(f"grad: a Tensor or None, not {type(grad).__name__}")
        if (grad.shape, grad.dtype) != (self.shape, self.dtype):
            raise ValueError(
                f"grad: shape {grad.shape} and dtype {grad.dtype} do not fit a Tensor of "
                f"shape {self.shape} and dtype {self.dtype}"
            )
        if node is None:
            raise RuntimeError("grad: this Tensor does not require grad; call requires_grad_()")
        node.grad = grad

    def retain_grad(self) -> None:
        """Have backward keep the gradient of a result in ``.grad``, as it does for leaves."""
        if self._node is None:
            raise RuntimeError("retain_grad: this Tensor does not require grad")
        self._node.keeps_grad = True

    def detach(self) -> Tensor:
        """The same value, off the tape."""
        if current().tracing:
            return run(ops.detached, (self,))
        return related(wrap(self._array), self)

    @property
    def data(self) -> Tensor:
        """The value off the tape; changed in place or assigned to, it is the value here too."""
        return self.detach()

    @data.setter
    def data(self, value: Tensor) -> None:
        if (value.shape, value.dtype) != (self.shape, self.dtype):
            raise ValueError(
                f"data: shape {value.shape} and dtype {value.dtype} do not fit a Tensor of shape "
                f"{self.shape} and dtype {self.dtype}"
            )
        if current().tracing:
            raise RuntimeError("data: a compiled program has no Tensors whose memory to change")
        set_data(self, value)

    backward = core.Tensor.backward

    # Out of the tape.

    def numpy(self, *, force: bool = False) -> ndarray:
        """The value as a read-only array, without a copy; it keeps that value for good.

        RuntimeError if it requires grad, unless ``force``.
        """
        if self.requires_grad and not force:
            raise RuntimeError(
                "numpy: a NumPy array cannot carry the gradient; "
                "use .detach().numpy() for the value alone"
            )
        return super().numpy()

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> ndarray:
        array = self.numpy()
        return array if dtype is None and not copy else np.array(array, dtype, copy=copy)

    def item(self) -> Any:
        """The only entry, as a Python number; ValueError where there are more, or none."""
        if self._array.size != 1:
            raise ValueError(f"item: one entry is needed, and the shape is {self.shape}")
        return known(self, "item").item()

    def tolist(self) -> Any:
        """The entries as nested lists of Python numbers."""
        return known(self, "tolist").tolist()

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self._array.dtype.kind == "f":
            raise TypeError(f"an index is an integer, not a Tensor of {self.dtype}")
        return int(self.item())

    def __bool__(self) -> bool:
        if self._array.size != 1:
            raise ValueError(
                f"the truth value of a Tensor of shape {self.shape} is ambiguous; "
                "use .any() or .all()"
            )
        return bool(known(self, "bool"))

    any = truth(np.any, "Whether any entry is true, of all or over axes.")
    all = truth(np.all, "Whether all entries are true, of all or over axes.")

    def __len__(self) -> int:
        if self._array.ndim == 0:
            raise TypeError("len() of a 0-d Tensor")
        return len(self._array)

    def __iter__(self) -> Iterator[Tensor]:
        if self._array.ndim == 0:
            raise TypeError("iteration over a 0-d Tensor")
        return (shown(self[i], "Unbind0") for i in range(len(self._array)))

    def __contains__(self, value: Any) -> bool:
        found = self == value
        return bool(found.any()) if isinstance(found, Tensor) else found

    __hash__ = object.__hash__

    @property
    def grad_fn(self) -> GradFn | None:
        """What made it, under PyTorch's name; None where no op on the tape did."""
        return None if self.is_leaf else grad_fn(self._node)  # type: ignore[arg-type]

    def __repr__(self) -> str:
        node = self._node
        made = None if node is None or node.op is None else name_of(node)
        printed = format_tensor(self._array, requires_grad=node is not None, grad_fn=made)
        return f"Parameter containing:\n{printed}" if hasattr(self, "_parameter") else printed

    def _repr_html_(self) -> str:
        from ..readers.explain.views.notebook import tensor_html

        return tensor_html(self)

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if self.ndim == 0 else format(repr(self), spec)

    def __reduce__(self) -> Any:
        copying.require_leaf(self)
        parameter = hasattr(self, "_parameter")
        return restore, (super().numpy(), self.requires_grad, self.name, parameter)

    __copy__, __deepcopy__ = copying.shallow, copying.deep

    # Arithmetic.

    __mul__ = mul = multiply = core.Tensor.__mul__
    __neg__ = neg = negative = core.Tensor.__neg__
    __abs__ = abs = absolute = core.Tensor.__abs__

    def __truediv__(self, other: Any) -> Tensor:
        """x / y, entry by entry; whole numbers as float32."""
        return quotient(self, other)

    div = divide = true_divide = __truediv__

    def __rsub__(self, other: Any) -> Tensor:
        x, y = agree(ops.sub, other, self)
        return shown(x - y, "Rsub1")

    def __rtruediv__(self, other: Any) -> Tensor:
        return shown(quotient(other, self), "Mul0")

    def add(self, other: Any, *, alpha: Number = 1) -> Tensor:
        """x + α y, entry by entry."""
        result: Tensor = self + (other if alpha == 1 else scaled("add", other, alpha, self))
        return result

    def sub(self, other: Any, *, alpha: Number = 1) -> Tensor:
        """x − α y, entry by entry."""
        result: Tensor = self - (other if alpha == 1 else scaled("sub", other, alpha, self))
        return result

    subtract = sub

    def __pos__(self) -> Tensor:
        return self

    def __pow__(self, exponent: Any) -> Tensor:
        """x to a power: a number, or a Tensor, which may require grad itself."""
        if not isinstance(exponent, NUMBERS):
            return power(self, exponent)
        p = exponent.item() if isinstance(exponent, np.generic) else exponent
        try:
            if self._array.dtype.kind == "f":
                return core.pow_number(self, (p,))
            if isinstance(p, builtins.float):
                return core.pow_number(self.float(), (p,))
            if p < 0:
                raise ValueError(f"pow: {self.dtype} has no negative powers; use .float() first")
            return core.pow_number(self.long() if self._array.dtype.kind == "b" else self, (p,))
        except OverflowError:
            raise ValueError(f"pow: the exponent does not fit {self.dtype}") from None

    def __rpow__(self, base: Any) -> Tensor:
        return shown(power(base, self), "Pow2")

    pow = __pow__

    def __matmul__(self, other: Any) -> Tensor:
        """The matrix product, batched over leading axes.

        A 1-D operand is a row on the left, a column on the right, and its axis is not in the
        result.
        """
        if type(other) is Tensor and self._array.ndim == 2 == other._array.ndim:
            return matrix_product(self, other)
        return vector_product(self, other)

    def __rmatmul__(self, other: Any) -> Tensor:
        return vector_product(other, self)

    matmul = __matmul__

    def mm(self, other: Tensor) -> Tensor:
        """The product of two matrices."""
        if type(other) is not Tensor:
            self, other = agree(ops.matmul, self, other)
        if self._array.ndim != 2 or other._array.ndim != 2:
            raise ValueError(
                f"mm: two matrices are needed, not shapes {self.shape} and {other.shape}; "
                "matmul takes vectors and batches"
            )
        return matrix_product(self, other)

    # In place, which in_place.py explains.

    __iadd__ = in_place(core.Tensor.__add__, "__iadd__")
    __isub__ = in_place(core.Tensor.__sub__, "__isub__")
    __imul__ = mul_ = in_place(__mul__, "mul_")
    __itruediv__ = div_ = in_place(__truediv__, "div_")
    __ipow__ = pow_ = in_place(__pow__, "pow_")
    add_ = in_place(add, "add_")
    sub_ = in_place(sub, "sub_")

    def __setitem__(self, index: Any, value: Any) -> None:
        """Change a part; the rest, and where gradients come from, stays."""
        entries = indexable(index)
        if len(entries) > 2 and (steps := in_two_steps(entries)) is not None:
            self[steps[0]][steps[1]] = value
            return
        number = not isinstance(value, Tensor)
        if number:
            value = fitting(value, self.dtype, "setitem")
        elif getattr(value, "_source", (None,))[0] is self and is_same_memory(value, self[index]):
            return  # As x[0] += 1 ends, after the part has been changed in place.
        elif owner(value._array) is owner(self._array):
            refuse_overlap("setitem", self[index]._array, value._array)
        set_part(self, entries, value, number)

    def zero_(self) -> Tensor:
        """Set every entry to 0."""
        return become(self, self._replaced_by(0, "Zero0"))

    def fill_(self, value: Number) -> Tensor:
        """Set every entry to one number."""
        return become(self, self._replaced_by(value, "Fill2"))

    def copy_(self, other: Any) -> Tensor:
        """Take over the values of another Tensor, array or number, broadcast to this shape."""
        return become(self, self._replaced_by(other, "CopyBackwards"))

    def _replaced_by(self, other: Any, name: str) -> Tensor:
        if not isinstance(other, Tensor):
            other = fitting(other, self.dtype, "copy_")
        refuse_overlap("copy_", self._array, other._array)
        other = other.expand(self.shape).to(self.dtype)
        if self._node is not None or other._node is not None:
            # As in PyTorch, what is on the tape stays there, with a gradient of zeros.
            other = shown(choose(np.ones((), np.bool), other, self), name)
        copied: Tensor = other
        return copied

    # Comparison, entry by entry: bool Tensors, off the tape.

    def _compare(self, op: Op, *other: Any) -> Tensor:
        return compare(op, self, *other) if other else logic(op, self)

    eq, ne, lt, le, gt, ge = (
        core.Tensor.__eq__, core.Tensor.__ne__, core.Tensor.__lt__, core.Tensor.__le__,
        core.Tensor.__gt__, core.Tensor.__ge__,
    )  # fmt: skip

    # Functions of one variable.

    exp = real(ops.exp, "eˣ of each entry.")
    log = real(ops.log, "The natural logarithm of each entry.")
    log1p = real(ops.log1p, "log(1 + x) of each entry, accurate for x near 0 too.")
    sqrt = real(ops.sqrt, "√x of each entry.")
    sin = real(ops.sin, "The sine of each entry, in radians.")
    cos = real(ops.cos, "The cosine of each entry, in radians.")
    tanh = real(ops.tanh, "The hyperbolic tangent of each entry.")
    sigmoid = real(ops.sigmoid, "σ(x) = 1 / (1 + e⁻ˣ) of each entry, accurate for x ≪ 0 too.")
    relu = unary(ops.relu, "max(x, 0) of each entry; the derivative at 0 is taken as 0.")
    sign = unary(ops.sign, "−1, 0 or 1: the sign of each entry.")

    def square(self) -> Tensor:
        """x² of each entry."""
        return self**2

    def clamp(self, min: Number | None = None, max: Number | None = None) -> Tensor:
        """Each entry, but at least ``min`` and at most ``max``; the bounds are numbers.

        >>> import tinygrad_mlp as tg
        >>> tg.tensor([-2.0, 0.5, 3.0]).clamp(min=-1, max=1)
        tensor([-1.0000,  0.5000,  1.0000])
        """
        for bound in (min, max):
            if not isinstance(bound, (*NUMBERS, type(None))):
                raise TypeError(
                    "clamp: the bounds are numbers; "
                    "for Tensors use maximum(x, low) and minimum(x, high)"
                )
        if min is None and max is None:
            raise ValueError("clamp: give min, max or both")
        # As Python numbers, which do not change the dtype.
        low, high = (b.item() if isinstance(b, np.generic) else b for b in (min, max))
        if self._array.dtype.kind == "f":
            low, high = -np.inf if low is None else low, np.inf if high is None else high
        elif isinstance(low, builtins.float) or isinstance(high, builtins.float):
            return self.float().clamp(low, high)
        elif self._array.dtype.kind in "iu":
            # A bound beyond all that the dtype holds changes nothing; NumPy before 2.1 refuses it.
            info = np.iinfo(self._array.dtype)
            low = None if low is None else builtins.max(low, int(info.min))
            high = None if high is None else builtins.min(high, int(info.max))
        try:
            return clamp(self, (low, high))
        except OverflowError as error:
            raise ValueError(f"clamp: {error}") from None

    clip = clamp

    maximum = binary(ops.maximum, "The larger of two; in a tie each gets half of the gradient.")
    minimum = binary(ops.minimum, "The smaller of two; in a tie each gets half of the gradient.")

    def where(self, condition: Any, other: Any) -> Tensor:
        """This Tensor where the condition holds, the other elsewhere."""
        return choose(condition, self, other)

    # Reductions. ``axis`` and ``dim``, ``keepdims`` and ``keepdim`` are the same.

    sum = reduction(ops.sum, "The sum over one axis, several, or all; of whole numbers in int64.")
    mean = reduction(ops.mean, "The mean over one axis, several, or all; of no entries it is nan.")
    amax = reduction(ops.amax, "The largest entry over axes; ties share the gradient equally.")
    amin = reduction(ops.amin, "The smallest entry over axes; ties share the gradient equally.")

    def max(
        self,
        axis: Any = None,
        keepdims: bool = False,
        *,
        dim: AxisLike = None,
        keepdim: bool = False,
    ) -> Any:
        """The largest entry of all; or over one axis, as (values, indices); or ``maximum``.

        Over one axis the gradient goes to the entry whose index is given, the first in a tie. Of
        several axes, as of all, ``max`` is ``amax``.
        """
        if isinstance(axis, Tensor):
            return self.maximum(axis)
        return extremum(self, "max", axis, dim, builtins.bool(keepdims or keepdim))

    def min(
        self,
        axis: Any = None,
        keepdims: bool = False,
        *,
        dim: AxisLike = None,
        keepdim: bool = False,
    ) -> Any:
        """The smallest entry of all; or over one axis, as (values, indices); or ``minimum``."""
        if isinstance(axis, Tensor):
            return self.minimum(axis)
        return extremum(self, "min", axis, dim, builtins.bool(keepdims or keepdim))

    def softmax(self, dim: int, dtype: DTypeLike | None = None) -> Tensor:
        """eˣ / Σ eˣ along an axis: positive numbers of sum 1, finite for any finite x.

        >>> import tinygrad_mlp as tg
        >>> tg.tensor([0.0, 1000.0]).softmax(0)
        tensor([0., 1.])
        """
        e = below_largest(self, "softmax", dim, dtype).exp()
        return shown(e / e.sum(dim, keepdim=True), "Softmax0")

    def log_softmax(self, dim: int, dtype: DTypeLike | None = None) -> Tensor:
        """The logarithm of softmax along an axis, finite for any finite x.

        >>> import tinygrad_mlp as tg
        >>> tg.tensor([0.0, 1000.0]).log_softmax(0)
        tensor([-1000.,     0.])
        """
        z = below_largest(self, "log_softmax", dim, dtype)
        if z.numel():
            z = shown(z - z.exp().sum(dim, keepdim=True).log(), "LogSoftmax0")
        return z

    def argmax(
        self,
        axis: int | None = None,
        keepdims: bool = False,
        *,
        dim: int | None = None,
        keepdim: bool = False,
    ) -> Tensor:
        """The index of the first largest entry, of all or along an axis."""
        return place_of(np.argmax, self, axis, dim, builtins.bool(keepdims or keepdim))

    def argmin(
        self,
        axis: int | None = None,
        keepdims: bool = False,
        *,
        dim: int | None = None,
        keepdim: bool = False,
    ) -> Tensor:
        """The index of the first smallest entry, of all or along an axis."""
        return place_of(np.argmin, self, axis, dim, builtins.bool(keepdims or keepdim))

    # The same entries in another arrangement.

    def reshape(self, *shape: Any) -> Tensor:
        """The entries in the same order and another shape; one size may be -1, to be worked out."""
        to = as_shape("reshape", shape, unknown=True)
        try:
            made = related(reshape(self, (to,)), self, ops.reshape, to)
            return made if is_part_of(made, self) else shown(made, "UnsafeView0")
        except ValueError:
            raise ValueError(
                f"reshape: {self.numel()} entries of shape {self.shape} do not fill {to}"
            ) from None

    def view(self, *shape: Any) -> Tensor:
        """``reshape`` in the same memory; RuntimeError where that would be a copy."""
        seen = self.reshape(*shape)
        if seen.numel() and not is_part_of(seen, self):
            raise RuntimeError(
                f"view: in memory the entries of shape {self.shape} are in another order, so that "
                f"{seen.shape} is no view of them; use reshape(), which copies"
            )
        return seen

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Tensor:
        """The axes from one to another as one axis."""
        start = as_axis("flatten", self.ndim, start_dim)
        end = as_axis("flatten", self.ndim, end_dim)
        if self.ndim == 0:
            return self.reshape(1)
        if start > end:
            raise ValueError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
        if start == end:
            return self
        middle = int(np.prod(self.shape[start : end + 1]))
        return self.reshape(*self.shape[:start], middle, *self.shape[end + 1 :])

    def squeeze(self, dim: AxisLike = None, *, axis: AxisLike = None) -> Tensor:
        """Without the axes of size 1: all of them, or those named."""
        axes = as_axes("squeeze", self.ndim, axis, dim)
        made = self.reshape(
            tuple(n for a, n in enumerate(self.shape) if n != 1 or (axes and a not in axes))
        )
        given = dim if axis is None else axis
        number = 0 if given is None else 2 if isinstance(given, (tuple, list)) else 1
        return shown(made, f"Squeeze{number}")

    def unsqueeze(self, dim: int | None = None, *, axis: int | None = None) -> Tensor:
        """With a new axis of size 1 at this place."""
        place = as_axis("unsqueeze", self.ndim + 1, dim if axis is None else axis)
        return shown(self.reshape((*self.shape[:place], 1, *self.shape[place:])), "Unsqueeze0")

    def permute(self, *dims: Any) -> Tensor:
        """The axes in another order, which names each of them once."""
        order = as_axes("permute", self.ndim, dims[0] if len(dims) == 1 else dims) or ()
        if len(order) != self.ndim:
            raise ValueError(f"permute: {order} does not name each of {self.ndim} axes once")
        return related(permute(self, (order,)), self, ops.permute, order)

    def transpose(self, dim0: int, dim1: int) -> Tensor:
        """With two axes exchanged."""
        a, b = (as_axis("transpose", self.ndim, d) for d in (dim0, dim1))
        order = list(range(self.ndim))
        if a != b:
            order[a], order[b] = b, a
        made = related(permute(self, (tuple(order),)), self, ops.permute, tuple(order))
        return shown(made, "Transpose0")

    def t(self) -> Tensor:
        """The transpose of a matrix; a vector or a number as it is."""
        if self.ndim > 2:
            raise ValueError(f"t: a matrix is needed, not shape {self.shape}; use mT or permute")
        return shown(self.T, "T0")

    @property
    def T(self) -> Tensor:
        """With the axes in reverse order: the transpose of a matrix."""
        order = tuple(range(self.ndim))[::-1]
        return related(permute(self, (order,)), self, ops.permute, order)

    @property
    def mT(self) -> Tensor:
        """With the last two axes exchanged: the transpose of a batch of matrices."""
        return self.transpose(-2, -1)

    def expand(self, *sizes: Any) -> Tensor:
        """Broadcast to a larger shape, in which -1 keeps the size of an axis."""
        to = as_shape("expand", sizes, unknown=True)
        new_axes = len(to) - self.ndim
        old = (1,) * new_axes + self.shape
        shape = tuple(m if n == -1 else n for m, n in zip(old, to, strict=False))
        fits = all(m in (1, n) for m, n in zip(old, shape, strict=False))
        if new_axes < 0 or -1 in to[:new_axes] or not fits:
            raise ValueError(f"expand: shape {self.shape} does not broadcast to {to}")
        return related(expand(self, (shape,)), self, ops.expand, shape)

    broadcast_to = expand

    def __getitem__(self, index: Any) -> Tensor:
        entries = indexable(index)
        if len(entries) > 2 and (steps := in_two_steps(entries)) is not None:
            return self[steps[0]][steps[1]]
        try:
            part = getitem(self, (entries,))
        except IndexError as error:
            raise IndexError(f"getitem: {error}; the shape is {self.shape}") from None
        if part._array.ndim == 0 and set(map(type, entries)) <= {builtins.int}:
            part._array = self._array[(*entries, ...)]  # which is a view, and x[entries] a copy
        return related(part, self, ops.getitem, entries)

    # Of another dtype.

    def to(
        self,
        target: Any = None,
        /,
        *more: Any,
        dtype: DTypeLike | None = None,
        device: Any = None,
        copy: builtins.bool = False,
        non_blocking: builtins.bool = False,
    ) -> Tensor:
        """With entries of another dtype; gradients come back in this one's.

        Whole numbers do not require grad: nothing flows back through them. As in PyTorch, a device,
        which is the CPU, or a device and a dtype, or a Tensor for its dtype, may stand first, and
        then ``non_blocking``, which changes nothing, and ``copy``. The result is the Tensor itself
        where nothing changes, unless ``copy``.

        >>> import tinygrad_mlp as tg
        >>> tg.tensor([1, 2]).to("cpu", tg.float64)
        tensor([1., 2.], dtype=torch.float64)
        """
        if target is not None:
            if isinstance(target, Tensor):
                dtype = target.dtype
            elif not isinstance(target, np.dtype) and is_device(target):
                device, dtype, more = target, more[0] if more else dtype, more[1:]
            else:
                dtype = target
            copy, *rest = more[1:] or (copy,)
            if rest:
                raise TypeError("to: after the dtype come non_blocking and copy, and no more")
        require_cpu(device)
        target = self.dtype if dtype is None else as_dtype(dtype)
        if target == self.dtype:
            return self.clone() if copy else self
        if target.kind != "f":
            return run(ops.whole, (self,), (target,))
        return cast(self, (target,))

    astype = to

    def float(self) -> Tensor:
        """As float32."""
        return self.to(np.float32)

    def double(self) -> Tensor:
        """As float64."""
        return self.to(np.float64)

    def long(self) -> Tensor:
        """As int64."""
        return self.to(np.int64)

    def bool(self) -> Tensor:
        """As bool."""
        return self.to(np.bool)

    def clone(self) -> Tensor:
        """A copy, on the tape like the result of any op."""
        return shown(cast(self, (self.dtype,)), "Clone0")

    exp_, log_, sqrt_, sin_, cos_, tanh_, sigmoid_, relu_, neg_, abs_, square_, clamp_ = (
        in_place(f, f"{f.__name__}_")
        for f in (exp, log, sqrt, sin, cos, tanh, sigmoid, relu, neg, abs, square, clamp)
    )
    masked_fill_, reciprocal_, rsqrt_, tril_, triu_ = (
        in_place(f, f"{f.__name__}_")
        for f in (Names.masked_fill, Names.reciprocal, Names.rsqrt, Names.tril, Names.triu)
    )

    def detach_(self) -> Tensor:
        """Take it off the tape; RuntimeError for a view, whose source would stay on it."""
        if hasattr(self, "_source"):
            raise RuntimeError("detach_: this is a view, whose source stays; use detach()")
        if current().tracing:
            # The program is to compute the value all the same.
            self._node = run(ops.detached, (self,))._node
        elif self.is_leaf:
            self.requires_grad_(False)
        else:
            self._node = None
        return self

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if name not in absent_names]


absent_names = say_what_is_missing(Tensor)
say_what_they_take(Tensor, (
    "add", "argmax", "argmin", "backward", "clamp", "clone", "flatten", "log_softmax", "max", "min",
    "numpy", "requires_grad_", "softmax", "squeeze", "sub", "to", "transpose", "unsqueeze",
))  # fmt: skip
for _name, _method in vars(Tensor).items():
    # By these Python calls them in its own errors, of a wrong keyword say.
    if "<locals>" in getattr(_method, "__qualname__", "") and not _name.startswith("__"):
        _method.__qualname__ = f"Tensor.{_name}"

div_arrays, pow_tensor = binary(ops.div), core.pow_tensor
matrix_product = binary(ops.matmul)
reshape, permute, getitem, cast = core.reshape, core.permute, core.getitem, core.cast
expand, clamp = with_options(ops.expand), with_options(ops.clamp)
wrap = Tensor._of


def quotient(x: Any, y: Any) -> Tensor:
    if type(x) is not type(y) or x.dtype is not y.dtype or x.dtype.kind != "f":
        x, y = (t if t.dtype.kind == "f" else t.float() for t in agree(ops.div, x, y))
    result: Tensor = div_arrays(x, y)
    return result


def power(x: Any, y: Any) -> Tensor:
    x, y = agree(ops.pow_tensor, x, y)
    if y.dtype.kind == "i" and (y._array < 0).any():
        raise ValueError("pow: whole numbers have no negative powers; use .float() first")
    result: Tensor = pow_tensor(x, y)
    return result


class Extremum(NamedTuple):
    """The largest or smallest entries along an axis, and where along it they are."""

    values: Tensor
    indices: Tensor


# Making Tensors.


def home_of_grad(x: Tensor) -> Node | None:
    """The node that has the Tensor's ``.grad``, if there can be one."""
    return x._node or getattr(x, "_frozen", None)


def restore(array: ndarray, requires_grad: bool, name: str | None, parameter: bool) -> Tensor:
    tensor = Tensor(array).requires_grad_(requires_grad)
    if parameter:
        mark_parameter(tensor)
    return tensor if name is None else tensor.named(name)


def mark_parameter(tensor: Tensor) -> Tensor:
    tensor._parameter = True
    return tensor


def vector_product(x: Any, y: Any) -> Tensor:
    """The matrix product where one of the two may be a vector."""
    x, y = agree(ops.matmul, x, y)
    p, q = x.ndim, y.ndim
    if 0 in (p, q):
        raise ValueError(
            f"matmul: shapes {x.shape} and {y.shape}: a 0-d Tensor has no matrix product; use *"
        )
    if x.shape[-1] != y.shape[-2:][0]:
        matrix_product(x, y)  # which says that they do not fit
    row = x if p > 1 else x.unsqueeze(0)
    column = y if q > 1 else y.unsqueeze(1)
    product: Tensor = matrix_product(row, column)
    if p > 1 and q > 1:
        if p == q == 2:
            return product
        return shown(product, "Clone0" if p == 2 else "UnsafeView0")
    batch = product.shape[:-2]
    made = product.reshape(batch + x.shape[-2:-1] + (y.shape[-1:] if q > 1 else ()))
    names = {(1, 1): "Dot0", (2, 1): "Mv0", (1, 2): "Squeeze4"}
    return shown(made, names.get((p, q), "UnsafeView0"))


def scaled(caller: str, x: Any, factor: Any, like: Tensor) -> Tensor:
    made: Tensor = (x if isinstance(x, Tensor) else constant(x, like.dtype, caller)) * factor
    return made


def choose(condition: Any, x: Any, y: Any) -> Tensor:
    """x where the condition holds, y elsewhere."""
    if not isinstance(condition, Tensor):
        condition = Tensor(condition)
    if condition.dtype != np.bool:
        raise TypeError(
            f"where: the condition's dtype is bool, not {condition.dtype}; compare first"
        )
    if not isinstance(x, Tensor) and not isinstance(y, Tensor):
        x = Tensor(x)
    x, y = agree(ops.where, x, y)
    chosen: Tensor = run(ops.where, (condition, x, y))
    return chosen


def known(x: Tensor, caller: str) -> ndarray:
    """The value, for a caller who needs it now; a program that is being traced has none yet."""
    if current().tracing and x._node is not None:
        raise RuntimeError(
            f"{caller}: this value depends on the arguments of the function that is being compiled "
            "or derived, so the program cannot depend on it; use where(), maximum() and the like"
        )
    return x._array


def extremum(x: Tensor, name: str, axis: Any, dim: Any, keepdims: bool) -> Any:
    axis = dim if axis is None else axis
    numbered = name.title()
    if axis is None or isinstance(axis, (tuple, list)):
        axes = None if axis is None else as_axes(name, x.ndim, axis, None)
        require_entries(name, x.shape, axes)
        found = (x.amax if name == "max" else x.amin)(axes, keepdims)
        return shown(found, f"{numbered}1") if axis is None else found
    place = as_axis(name, x.ndim, axis)
    if x.ndim == 0:
        return Extremum(shown(x.clone(), f"{numbered}0"), wrap(np.array(0)))
    require_entries(name, x.shape, (place,))
    indices = (x.argmax if name == "max" else x.argmin)(place, keepdim=True)
    grid = list(np.ix_(*map(np.arange, indices.shape)))
    grid[place] = indices._array
    values = x[tuple(grid)]
    if not keepdims:
        values, indices = values.squeeze(place), indices.squeeze(place)
    return Extremum(shown(values, f"{numbered}0"), indices)


def below_largest(x: Tensor, name: str, dim: int, dtype: DTypeLike | None) -> Tensor:
    """x minus its largest entry along an axis, which softmax is the same for."""
    x = x if dtype is None else x.to(dtype)
    if x.dtype.kind != "f":
        raise TypeError(f"{name}: a float dtype is needed, not {x.dtype}; use .float() first")
    if x.shape[as_axis(name, x.ndim, dim) :][:1] == (0,):
        return x
    return x - x.detach().amax(dim, keepdim=True)


def place_of(search: Any, x: Tensor, axis: Any, dim: Any, keepdims: bool) -> Tensor:
    axes = as_axes(search.__name__, x.ndim, axis, dim)
    require_entries(search.__name__, x.shape, axes)
    place, *more = axes or (None,)
    if more:
        raise TypeError(f"{search.__name__}: one axis or none is needed, not {axes}")
    return wrap(np.asarray(search(known(x, search.__name__), place, keepdims=keepdims)))


def indexable(index: Any) -> Options:
    entries = (
        known(entry, "getitem") if isinstance(entry, Tensor) else entry
        for entry in (index if isinstance(index, tuple) else (index,))
    )
    return as_index(tuple(entries))


def accumulated(gradients: dict[Node, Any]) -> list[Change]:
    """The changes that add gradients to those that nodes keep."""
    changes: list[Change] = []
    values: Values = {}
    for node, g in gradients.items():
        have = total = node.grad
        if have is None:
            if type(g) is Tensor:
                total = wrap(g._array.copy(), g._node)  # two leaves may get the same g
            elif type(g) is ndarray and 0 not in g.strides:
                total = wrap(g)
            else:
                total = wrap(np.array(g))
        elif type(g) is Tensor:
            total = have + g
        elif have._node is not None:
            total = wrap(np.asarray(have._array + g))
        else:
            # As in PyTorch, .grad stays the same Tensor.
            rewrite(have, np.asarray(values.get(have, have._array) + g), values)
        changes.append((node, "grad", total))
    return changes + changed(values)


# Agreement between the inputs of an op.


def constant(value: Any, dtype: np.dtype[Any], op: str) -> Tensor:
    """A number as a Tensor of this dtype, or of the kind it needs; an array as a Tensor."""
    if isinstance(value, ndarray):
        return Tensor(value)
    if not isinstance(value, NUMBERS):
        raise TypeError(
            f"{op}: a Tensor, an array or a number is needed, not {type(value).__name__}; "
            "make one with tensor(...)"
        )
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and dtype.kind != "f":
        dtype = FLOAT
    elif dtype.kind == "b" and not isinstance(value, bool):
        dtype = np.dtype(np.int64)
    try:
        return wrap(np.array(value, dtype))
    except OverflowError:
        raise ValueError(f"{op}: {value} does not fit {dtype}") from None


def fitting(value: Any, dtype: np.dtype[Any], op: str) -> Tensor:
    """A number or an array as a Tensor whose entries a Tensor of this dtype is to take."""
    made = constant(value, dtype, op)
    value = value.item() if isinstance(value, np.generic) else value
    whole = np.iinfo(dtype) if isinstance(value, float) and dtype.kind in "iu" else None
    if whole is not None and not whole.min <= value <= whole.max:
        raise ValueError(f"{op}: {value} does not fit {dtype}")
    return made


def agree(op: Op, x: Any, y: Any) -> tuple[Tensor, Tensor]:
    """Two inputs as Tensors of one dtype, by PyTorch's rules of promotion.

    A number takes the Tensor's dtype. A 0-d Tensor takes that of one with axes, unless its dtype
    is of a higher kind (bool, int, float). Otherwise the wider dtype wins, any float over any int.
    """
    if not isinstance(x, Tensor):
        x = constant(x, y.dtype, op.name)
    if not isinstance(y, Tensor):
        y = constant(y, x.dtype, op.name)
    dtype = promoted(x, y)
    return x.to(dtype), y.to(dtype)


def promoted(x: Tensor, y: Tensor) -> np.dtype[Any]:
    if (x.ndim == 0) == (y.ndim == 0):
        return wider(x.dtype, y.dtype)
    axes, none = (y.dtype, x.dtype) if x.ndim == 0 else (x.dtype, y.dtype)
    higher = none.kind == "f" != axes.kind or axes.kind == "b"
    return wider(axes, none) if higher else axes


def jointly(op: str, inputs: Sequence[Any]) -> list[Tensor]:
    """Any number of inputs as Tensors of one dtype."""
    like = next((x for x in inputs if isinstance(x, Tensor)), None)
    dtype = FLOAT if like is None else like.dtype
    tensors = [x if isinstance(x, Tensor) else constant(x, dtype, op) for x in inputs]
    common = reduce(wider, (x.dtype for x in tensors))
    return [x.to(common) for x in tensors]
