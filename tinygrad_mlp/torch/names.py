"""The methods of a Tensor that are made of its other methods, listed by the modules they are in."""

from __future__ import annotations

import builtins
from inspect import isfunction
from typing import Self

from numpy import ndarray

from . import arrangement, devices, dtypes, elementwise, products, reductions, selection
from .hints import say_what_they_take
from .random import in_place


class Names:
    """What a Tensor has of these modules. None has a VJP: the ops that they are made of have."""

    __slots__ = ()

    _array: ndarray

    reciprocal = elementwise.reciprocal
    rsqrt = elementwise.rsqrt
    tan = elementwise.tan
    log2 = elementwise.log2
    log10 = elementwise.log10
    isnan = elementwise.isnan
    isinf = elementwise.isinf
    isfinite = elementwise.isfinite
    isclose = elementwise.isclose
    logical_not = elementwise.logical_not
    logical_and = elementwise.logical_and
    logical_or = elementwise.logical_or
    logical_xor = elementwise.logical_xor

    dot = products.dot
    mv = products.mv
    bmm = products.bmm
    outer = products.outer
    addmm = products.addmm

    var = reductions.var
    std = reductions.std
    norm = reductions.norm
    logsumexp = reductions.logsumexp
    trace = reductions.trace
    count_nonzero = reductions.count_nonzero
    equal = reductions.equal
    allclose = reductions.allclose

    stride = arrangement.stride
    is_contiguous = arrangement.is_contiguous
    contiguous = arrangement.contiguous
    view_as = arrangement.view_as
    reshape_as = arrangement.reshape_as
    expand_as = arrangement.expand_as
    ravel = arrangement.ravel
    swapaxes = arrangement.swapaxes
    movedim = arrangement.movedim
    flip = arrangement.flip
    repeat = arrangement.repeat
    narrow = arrangement.narrow
    split = arrangement.split
    chunk = arrangement.chunk
    unbind = arrangement.unbind

    select = selection.select
    index_select = selection.index_select
    gather = selection.gather
    diag = selection.diag
    tril = selection.tril
    triu = selection.triu
    masked_select = selection.masked_select
    masked_fill = selection.masked_fill
    nonzero = selection.nonzero
    argsort = selection.argsort
    sort = selection.sort
    topk = selection.topk

    is_floating_point = dtypes.is_floating_point
    half = dtypes.half
    short = dtypes.short
    int = dtypes.int
    byte = dtypes.byte
    char = dtypes.char
    type_as = dtypes.type_as
    new_tensor = dtypes.new_tensor
    new_full = dtypes.new_full
    new_zeros = dtypes.new_zeros
    new_ones = dtypes.new_ones

    uniform_ = in_place.uniform_
    normal_ = in_place.normal_

    # What it is, and where.

    @property
    def device(self) -> devices.device:
        """Where it is: the CPU."""
        return devices.CPU

    @property
    def is_cuda(self) -> bool:
        """False."""
        return False

    @property
    def itemsize(self) -> builtins.int:
        """The bytes of an entry."""
        return self._array.itemsize

    @property
    def nbytes(self) -> builtins.int:
        """The bytes of all entries."""
        return self._array.nbytes

    def element_size(self) -> builtins.int:
        """The bytes of an entry."""
        return self._array.itemsize

    def nelement(self) -> builtins.int:
        """How many entries there are."""
        return self._array.size

    def ndimension(self) -> builtins.int:
        """How many axes there are."""
        return self._array.ndim

    def cpu(self) -> Self:
        """Itself, which is on the CPU already."""
        return self

    def cuda(self, device: devices.DeviceLike | None = None) -> Self:
        """RuntimeError: there is only the CPU."""
        devices.require_cpu("cuda" if device is None else device)
        return self


say_what_they_take(
    Names, [n for n, f in vars(Names).items() if isfunction(f) and not n.startswith("_")]
)
