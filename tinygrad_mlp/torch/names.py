"""More of PyTorch's names for what a Tensor does, each a line or two made of the ops.

None of them has a VJP: the ops that they are made of have.
"""

from __future__ import annotations

import builtins
from inspect import isfunction
from itertools import accumulate
from math import inf, nan
from operator import index as as_int
from reprlib import repr as brief
from typing import Any, NamedTuple

import numpy as np

from . import devices
from .accepts import as_axes, as_axis, as_shape, size_of
from .devices import CPU, require_cpu
from .grad_fn import shown, shown_as
from .hints import say_what_they_take
from .random import source


class Sorted(NamedTuple):
    """Entries in order, and where they were."""

    values: Any
    indices: Any


class Names:
    """Methods of a Tensor that are made of its other methods."""

    __slots__ = ()

    # What it is, and where.

    @property
    def device(self: Any) -> devices.device:
        """Where it is: the CPU."""
        return CPU

    @property
    def is_cuda(self: Any) -> bool:
        """False."""
        return False

    @property
    def itemsize(self: Any) -> builtins.int:
        """The bytes of an entry."""
        return int(self.dtype.itemsize)

    @property
    def nbytes(self: Any) -> builtins.int:
        """The bytes of all entries."""
        return int(self.numel() * self.itemsize)

    def element_size(self: Any) -> builtins.int:
        """The bytes of an entry."""
        return int(self.itemsize)

    def nelement(self: Any) -> builtins.int:
        """How many entries there are."""
        return int(self.numel())

    def ndimension(self: Any) -> builtins.int:
        """How many axes there are."""
        return int(self.ndim)

    def stride(self: Any, dim: builtins.int | None = None) -> Any:
        """How many entries apart in memory the neighbours along each axis are, or along one."""
        strides = tuple(s // self.itemsize for s in self._array.strides)
        return strides if dim is None else strides[as_axis("stride", self.ndim, dim)]

    def is_contiguous(self: Any) -> bool:
        """Whether the entries lie in memory row by row."""
        return bool(self._array.flags.c_contiguous)

    def contiguous(self: Any) -> Any:
        """The same with the entries row by row in memory: itself, or a copy."""
        if self.is_contiguous():
            return self
        return shown(self.reshape(-1).clone().reshape(self.shape), "Clone0")

    def is_floating_point(self: Any) -> bool:
        """Whether the dtype is a float."""
        return bool(self.dtype.kind == "f")

    def cpu(self: Any) -> Any:
        """Itself, which is on the CPU already."""
        return self

    def cuda(self: Any, device: Any = None) -> Any:
        """RuntimeError: there is only the CPU."""
        require_cpu("cuda" if device is None else device)

    # Other dtypes.

    def half(self: Any) -> Any:
        """As float16."""
        return self.to(np.float16)

    def short(self: Any) -> Any:
        """As int16."""
        return self.to(np.int16)

    def int(self: Any) -> Any:
        """As int32."""
        return self.to(np.int32)

    def byte(self: Any) -> Any:
        """As uint8."""
        return self.to(np.uint8)

    def char(self: Any) -> Any:
        """As int8."""
        return self.to(np.int8)

    def type_as(self: Any, other: Any) -> Any:
        """In the dtype of another Tensor."""
        return self.to(other.dtype)

    # Functions of one variable.

    @shown_as("Reciprocal0")
    def reciprocal(self: Any) -> Any:
        """1 / x of each entry."""
        return 1 / self

    @shown_as("Rsqrt0")
    def rsqrt(self: Any) -> Any:
        """1 / √x of each entry."""
        return 1 / self.sqrt()

    @shown_as("Tan0")
    def tan(self: Any) -> Any:
        """The tangent of each entry, in radians."""
        return self.sin() / self.cos()

    @shown_as("Log20")
    def log2(self: Any) -> Any:
        """The logarithm to base 2 of each entry."""
        return self.log() / np.log(2).item()

    @shown_as("Log100")
    def log10(self: Any) -> Any:
        """The logarithm to base 10 of each entry."""
        return self.log() / np.log(10).item()

    def isnan(self: Any) -> Any:
        """Where an entry is not a number."""
        return self != self

    def isinf(self: Any) -> Any:
        """Where an entry is infinite."""
        return self.abs() == inf

    def isfinite(self: Any) -> Any:
        """Where an entry is neither infinite nor not a number."""
        return (self == self) & (self.abs() != inf)

    # Products.

    @shown_as("Dot0")
    def dot(self: Any, tensor: Any) -> Any:
        """The sum of the products of the entries of two vectors."""
        require_axes("dot", (self, 1), (tensor, 1))
        return self @ tensor

    @shown_as("Mv0")
    def mv(self: Any, vec: Any) -> Any:
        """A matrix times a vector."""
        require_axes("mv", (self, 2), (vec, 1))
        return self @ vec

    @shown_as("Bmm0")
    def bmm(self: Any, mat2: Any) -> Any:
        """The matrix products of two batches of matrices."""
        require_axes("bmm", (self, 3), (mat2, 3))
        return self @ mat2

    def outer(self: Any, vec2: Any) -> Any:
        """The products of each entry of a vector with each of another, as a matrix."""
        require_axes("outer", (self, 1), (vec2, 1))
        return self.unsqueeze(1) * vec2

    @shown_as("Addmm0")
    def addmm(self: Any, mat1: Any, mat2: Any, *, beta: float = 1, alpha: float = 1) -> Any:
        """β self + α (mat1 mat2)."""
        product = mat1.mm(mat2)
        scaled = self if beta == 1 else self * beta
        return scaled + (product if alpha == 1 else product * alpha)

    # Reductions.

    @shown_as("Var0")
    def var(
        self: Any,
        dim: Any = None,
        unbiased: bool = True,
        keepdim: bool = False,
        *,
        correction: builtins.int | None = None,
    ) -> Any:
        """The mean square distance from the mean, over n − correction, where 1 is the default."""
        if isinstance(dim, bool):  # as PyTorch, var(False)
            dim, unbiased = None, dim
        if self.dtype.kind != "f":
            raise TypeError(f"var: a float dtype is needed, not {self.dtype}; use .float() first")
        axes = as_axes("var", self.ndim, None, dim)
        sizes = self.shape if axes is None else [self.shape[a] for a in axes]
        n = builtins.int(np.prod(sizes)) - (unbiased if correction is None else correction)
        squares = (self - self.mean(axes, True)) ** 2
        return squares.sum(axes, keepdim) / (n if n > 0 else nan)

    @shown_as("Std0")
    def std(
        self: Any,
        dim: Any = None,
        unbiased: bool = True,
        keepdim: bool = False,
        *,
        correction: builtins.int | None = None,
    ) -> Any:
        """The square root of ``var``; where it is 0, so is its gradient."""
        return root(self.var(dim, unbiased, keepdim, correction=correction))

    @shown_as("LinalgVectorNorm0")
    def norm(self: Any, p: Any = "fro", dim: Any = None, keepdim: bool = False) -> Any:
        """(Σ |x|ᵖ)¹ᐟᵖ for p = 2, which is "fro", 1 or infinity; where it is 0, so is its gradient.

        ValueError for another p.
        """
        if p == 1:
            return self.abs().sum(dim, keepdim)
        if p == inf:
            return self.abs().amax(dim, keepdim)
        if p not in ("fro", 2):
            raise ValueError(f"norm: p is 1, 2, inf or 'fro', not {brief(p)}")
        return root((self * self).sum(dim, keepdim))

    @shown_as("Logsumexp0")
    def logsumexp(self: Any, dim: Any, keepdim: bool = False) -> Any:
        """log Σ eˣ over axes, finite for any finite x."""
        dim = as_axes("logsumexp", self.ndim, None, dim)
        if not self.numel():
            return self.sum(dim, keepdim) - inf  # the logarithm of 0
        largest = self.detach().amax(dim, True)
        largest = largest.where(largest.isfinite(), 0.0)
        total = (self - largest).exp().sum(dim, True).log() + largest
        return total if keepdim else total.squeeze(dim)

    # The same entries in another arrangement, and some of them.

    def view_as(self: Any, other: Any) -> Any:
        """In the shape of another Tensor."""
        return self.view(other.shape)

    def reshape_as(self: Any, other: Any) -> Any:
        """In the shape of another Tensor."""
        return self.reshape(other.shape)

    def expand_as(self: Any, other: Any) -> Any:
        """Broadcast to the shape of another Tensor."""
        return self.expand(other.shape)

    def ravel(self: Any) -> Any:
        """All entries along one axis."""
        return shown(self.reshape(-1), "View0")

    def swapaxes(self: Any, axis0: builtins.int, axis1: builtins.int) -> Any:
        """With two axes exchanged."""
        return self.transpose(axis0, axis1)

    def movedim(self: Any, source: builtins.int, destination: builtins.int) -> Any:
        """With an axis moved to another place."""
        start = as_axis("movedim", self.ndim, source)
        order = [a for a in range(self.ndim) if a != start]
        order.insert(as_axis("movedim", self.ndim, destination), start)
        return self.permute(order)

    @shown_as("Repeat0")
    def repeat(self: Any, *repeats: Any) -> Any:
        """The whole, so many times along each axis."""
        times = as_shape("repeat", repeats)
        if len(times) < self.ndim:
            raise ValueError(f"repeat: {times} has no number for each of {self.ndim} axes")
        old = (1,) * (len(times) - self.ndim) + self.shape
        spaced = self.reshape([n for size in old for n in (1, size)])
        wide = spaced.expand([n for pair in zip(times, old, strict=True) for n in pair])
        return wide.reshape([m * n for m, n in zip(times, old, strict=True)]).clone()

    @shown_as("Flip0")
    def flip(self: Any, *dims: Any) -> Any:
        """With the entries in reverse order along axes."""
        axes = as_axes("flip", self.ndim, dims[0] if len(dims) == 1 else dims) or ()
        reverse = (np.arange(n)[::-1] for n in self.shape)
        return picked(self, {a: r for a, r in enumerate(reverse) if a in axes})

    def select(self: Any, dim: builtins.int, index: builtins.int) -> Any:
        """What is at one place along an axis, without that axis."""
        return self[(slice(None),) * as_axis("select", self.ndim, dim) + (index,)]

    def narrow(self: Any, dim: builtins.int, start: builtins.int, length: builtins.int) -> Any:
        """So many places along an axis, from a start."""
        place = as_axis("narrow", self.ndim, dim)
        n = size_of("narrow", self.shape, dim)
        if not (-n <= start <= n and length >= 0 and start % max(n, 1) + length <= n):
            raise ValueError(f"narrow: {length} places from {start} are not all within {n}")
        start = start + n if start < 0 else start
        return self[(slice(None),) * place + (slice(start, start + length),)]

    def split(self: Any, split_size: Any, dim: builtins.int = 0) -> Any:
        """Parts along an axis: of one size, with a smaller last one, or of the sizes given."""
        n = size_of("split", self.shape, dim)
        if isinstance(split_size, (list, tuple)):
            if sum(split_size) != n:
                raise ValueError(f"split: the sizes {split_size} do not add up to {n}")
            sizes = list(split_size)
        else:
            if split_size < 1:
                raise ValueError(f"split: a size from 1 is needed, not {split_size}")
            sizes = [min(split_size, n - i) for i in range(0, n, split_size)] or [0]
        starts = accumulate(sizes, initial=0)
        parts = tuple(self.narrow(dim, i, size) for i, size in zip(starts, sizes))
        listed = isinstance(split_size, (list, tuple))
        return shown(parts, "SplitWithSizes0" if listed else "Split0")

    def chunk(self: Any, chunks: builtins.int, dim: builtins.int = 0) -> Any:
        """At most so many parts along an axis, of the same size but for the last."""
        chunks = as_int(chunks)
        if chunks < 1:
            raise ValueError(f"chunk: at least 1 part is needed, not {chunks}")
        if chunks >= 2**63:
            raise ValueError("chunk: there cannot be 2**63 parts or more")
        n = size_of("chunk", self.shape, dim)
        return self.split([0] * chunks if n == 0 else -(-n // chunks), dim)

    @shown_as("Unbind0")
    def unbind(self: Any, dim: builtins.int = 0) -> Any:
        """What is at each place along an axis, as a tuple."""
        n = size_of("unbind", self.shape, dim)
        return tuple(self.select(dim, i) for i in range(n))

    def diag(self: Any) -> Any:
        """The diagonal of a matrix, or the matrix with this diagonal and zeros elsewhere."""
        if self.ndim == 1:
            places = np.eye(self.shape[0], dtype=bool)
            return shown(self.expand(self.shape * 2).masked_fill(~places, 0), "DiagEmbed0")
        require_axes("diag", (self, 2))
        places = np.arange(min(self.shape))
        return shown(self[places, places], "DiagonalBackward0_copy")

    @shown_as("Trace0")
    def trace(self: Any) -> Any:
        """The sum of the diagonal of a matrix."""
        return self.diag().sum()

    @shown_as("Tril0")
    def tril(self: Any, diagonal: builtins.int = 0) -> Any:
        """With zeros above the diagonal of a matrix, or of each of a batch."""
        require_matrices("tril", self)
        return self.masked_fill(~below(self, diagonal), 0)

    @shown_as("Triu0")
    def triu(self: Any, diagonal: builtins.int = 0) -> Any:
        """With zeros below the diagonal of a matrix, or of each of a batch."""
        require_matrices("triu", self)
        return self.masked_fill(below(self, as_int(diagonal) - 1), 0)

    @shown_as("IndexSelect0")
    def index_select(self: Any, dim: builtins.int, index: Any) -> Any:
        """What is at the places of an index along an axis."""
        require_axes("index_select", (index, 1))
        return self[(slice(None),) * as_axis("index_select", self.ndim, dim) + (index,)]

    @shown_as("MaskedSelect0")
    def masked_select(self: Any, mask: Any) -> Any:
        """The entries where the mask holds, along one axis."""
        shape = np.broadcast_shapes(self.shape, mask.shape)
        return self.expand(shape)[mask.expand(shape)]

    @shown_as("MaskedFill0")
    def masked_fill(self: Any, mask: Any, value: Any) -> Any:
        """With the value, in this dtype, where the mask holds."""
        if self.dtype.kind != "f":
            value = (
                value.to(self.dtype) if isinstance(value, type(self)) else self.new_tensor(value)
            )
        return self.where(~mask, value)

    @shown_as("Gather0")
    def gather(self: Any, dim: builtins.int, index: Any) -> Any:
        """For each entry of the index, what is at that place along an axis."""
        require_axes("gather", (index, self.ndim))
        if not self.ndim:
            return self.reshape(1).gather(dim, index.reshape(1)).reshape(())
        grid = list(np.indices(index.shape, sparse=True))
        grid[as_axis("gather", self.ndim, dim)] = index
        return self[tuple(grid)]

    def nonzero(self: Any) -> Any:
        """Where entries are not 0: a row of places for each."""
        found = np.argwhere((self != 0).numpy())
        return self.detach().new_tensor(found, dtype=np.int64)

    # Random numbers in place, PyTorch's for the same seed.

    def uniform_(self: Any, low: float = 0, high: float = 1, *, generator: Any = None) -> Any:
        """Become uniform random numbers from ``low`` to ``high``."""
        found = source("uniform_", generator).uniform_between(low, high, self.shape, self.dtype)
        return self.copy_(found)

    def normal_(self: Any, mean: float = 0, std: float = 1, *, generator: Any = None) -> Any:
        """Become normal random numbers of this mean and standard deviation."""
        found = source("normal_", generator).normal_around(mean, std, self.shape, self.dtype)
        return self.copy_(found)

    # Order.

    def argsort(
        self: Any, dim: builtins.int = -1, descending: bool = False, *, stable: bool = True
    ) -> Any:
        """The places of the entries along an axis from the smallest to the largest, or back."""
        array = self.detach().numpy()
        place = as_axis("argsort", self.ndim, dim)
        if not self.ndim:
            return self.new_tensor(0, dtype=np.int64)
        if descending:
            # Of the reverse, so that equals stay in their order.
            back = np.flip(array, place)
            order = self.shape[place] - 1 - np.flip(np.argsort(back, place, kind="stable"), place)
        else:
            order = np.argsort(array, place, kind="stable")
        return self.new_tensor(order, dtype=np.int64)

    def count_nonzero(self: Any, dim: Any = None) -> Any:
        """How many entries are not 0."""
        return (self != 0).sum(dim)

    @shown_as("Sort0")
    def sort(
        self: Any, dim: builtins.int = -1, descending: bool = False, *, stable: bool = True
    ) -> Sorted:
        """The entries along an axis from the smallest to the largest, or back, and their places."""
        indices = self.argsort(dim, descending)
        return Sorted(self.gather(dim, indices) if self.ndim else self.clone(), indices)

    @shown_as("Topk0")
    def topk(
        self: Any,
        k: builtins.int,
        dim: builtins.int = -1,
        largest: bool = True,
        sorted: bool = True,
    ) -> Sorted:
        """The k largest entries along an axis, or smallest, in order, and their places."""
        n = (self.shape or (1,))[as_axis("topk", self.ndim, dim)]
        if not 0 <= k <= n:
            raise ValueError(f"topk: there are {n} entries along the axis, and k is {k}")
        if not self.ndim:
            one = self.argsort() if k else self.argsort().reshape(1)[:0]
            return Sorted(self.reshape(1)[:k].reshape(one.shape), one)
        indices = self.argsort(dim, largest).narrow(dim, 0, k)
        return Sorted(self.gather(dim, indices), indices)

    # Others of the same dtype.

    def new_tensor(self: Any, data: Any, *, dtype: Any = None, requires_grad: bool = False) -> Any:
        """A Tensor of a copy of the data, of this dtype unless told otherwise."""
        made = type(self)(data, self.dtype if dtype is None else dtype)
        return made.requires_grad_(requires_grad)

    def new_full(
        self: Any, size: Any, fill_value: Any, *, dtype: Any = None, requires_grad: bool = False
    ) -> Any:
        """A Tensor of one number, of this dtype unless told otherwise."""
        array = np.full(as_shape("new_full", (size,)), fill_value)
        return self.new_tensor(array, dtype=dtype, requires_grad=requires_grad)

    def new_zeros(self: Any, *size: Any, dtype: Any = None, requires_grad: bool = False) -> Any:
        """A Tensor of zeros, of this dtype unless told otherwise."""
        shape = as_shape("new_zeros", size)
        return self.new_full(shape, 0, dtype=dtype, requires_grad=requires_grad)

    def new_ones(self: Any, *size: Any, dtype: Any = None, requires_grad: bool = False) -> Any:
        """A Tensor of ones, of this dtype unless told otherwise."""
        shape = as_shape("new_ones", size)
        return self.new_full(shape, 1, dtype=dtype, requires_grad=requires_grad)

    # Comparisons of whole Tensors.

    def equal(self: Any, other: Any) -> bool:
        """Whether two Tensors have the same shape and the same entries."""
        return self.shape == other.shape and bool((self == other).all())

    def isclose(
        self: Any, other: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
    ) -> Any:
        """Where |x − y| ≤ atol + rtol |y|."""
        if not isinstance(other, type(self)):
            raise TypeError(f"isclose: a Tensor is needed, not {type(other).__name__}")
        x, y = self.detach().numpy(), other.detach().numpy()
        require_same("isclose", x.dtype, y.dtype)
        return self.detach().new_tensor(np.isclose(x, y, rtol, atol, equal_nan), dtype=bool)

    def allclose(
        self: Any, other: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
    ) -> bool:
        """Whether |x − y| ≤ atol + rtol |y| everywhere."""
        return bool(self.isclose(other, rtol, atol, equal_nan).all())

    def logical_not(self: Any) -> Any:
        """Where an entry is 0 or false."""
        return self == 0

    def logical_and(self: Any, other: Any) -> Any:
        """Where both are neither 0 nor false."""
        return (self != 0) & (other != 0)

    def logical_or(self: Any, other: Any) -> Any:
        """Where one of two is neither 0 nor false."""
        return (self != 0) | (other != 0)

    def logical_xor(self: Any, other: Any) -> Any:
        """Where exactly one of two is neither 0 nor false."""
        return (self != 0) ^ (other != 0)


say_what_they_take(
    Names, [n for n, f in vars(Names).items() if isfunction(f) and not n.startswith("_")]
)


def root(x: Any) -> Any:
    """The square root, whose gradient is 0, PyTorch's choice, where it is 0."""
    zero = x == 0
    return x.where(~zero, 1.0).sqrt().where(~zero, 0.0)


def require_axes(name: str, *given: Any) -> None:
    for x, ndim in given:
        if x.ndim != ndim:
            raise ValueError(f"{name}: {ndim} axes are needed, not those of shape {x.shape}")


def below(x: Any, diagonal: Any) -> Any:
    """Where an entry of a matrix is on a diagonal or below it."""
    n, m = x.shape[-2:]
    return np.tri(n, m, max(-n - 1, min(as_int(diagonal), m + 1)), np.bool)


def require_matrices(name: str, x: Any) -> None:
    if x.ndim < 2:
        raise ValueError(f"{name}: a matrix, or a batch of them, is needed, not shape {x.shape}")


def require_same(name: str, x: Any, y: Any) -> None:
    if x != y:
        raise TypeError(f"{name}: both need the same dtype, not {x} and {y}; convert with to()")


def picked(x: Any, places: dict[int, Any]) -> Any:
    """x with these places, in this order, along some of its axes."""
    for axis, place in places.items():
        x = x[(slice(None),) * axis + (place,)]
    return x
