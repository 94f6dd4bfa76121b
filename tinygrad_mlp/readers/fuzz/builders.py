"""How a program chooses inputs and options for an op."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray

from ...core.ops import Op, Shape, parameters
from .arrays import NUMPY, realised
from .kinks import smooth

if TYPE_CHECKING:
    from .generating import Maker

Options = dict[str, Any]
Built = tuple[tuple[int, ...], Options]  # places of the inputs, and options
Builder = Callable[["Maker", bool], Built]  # with new leaves, or with values there are
Chooser = Callable[["Maker", Shape], Options]  # of options, for a first input of this shape


def broadcasts(a: Shape, b: Shape) -> bool:
    return all(m == n or m == 1 or n == 1 for m, n in zip(a[::-1], b[::-1], strict=False))


# Kinds of numbers, from the most general on, with some of each.
KINDS: dict[str, tuple[float, ...]] = {
    "any": (-2.0, -1.0, -0.25, 0.0, 0.5, 1.0, 2.0),
    "nonzero": (-2.0, -1.0, -0.25, 0.5, 1.0, 2.0),
    "between": (-1.875, -1.125, -0.125, 0.125, 0.625, 1.875),  # the quarters
    "positive": (0.25, 0.5, 1.0, 1.75, 4.0),
    "inside": (-0.75, -0.25, 0.0, 0.5, 0.75),  # of −1 and 1
}


@lru_cache(maxsize=1024)
def kinds_for(row: Op, n: int, options: tuple[Any, ...]) -> tuple[str, ...]:
    """The most general kinds of numbers that are in the domain of a row's n inputs, or mostly."""
    if row.domain is None:
        return ("any",) * n
    options = options[: len(parameters(row.domain)) - n]
    best: tuple[float, tuple[str, ...]] = 0.0, ("positive",) * n
    names = list(KINDS)
    for kinds in sorted(product(names, repeat=n), key=lambda some: sum(map(names.index, some))):
        samples = list(product(*map(KINDS.__getitem__, kinds)))
        fit = [smooth(row.domain, list(map(np.array, some)), options) for some in samples]
        if all(fit):
            return kinds
        best = max(best, (sum(fit) / len(fit), kinds), key=lambda found: found[0])
    return best[1]


def elementwise(row: Op, n: int, choose: Chooser | None = None) -> Builder:
    """Of inputs in the domain, which broadcast with each other or are of one shape."""

    def build(m: Maker, fresh: bool) -> Built:
        options = {} if choose is None else choose(m, ())
        kinds = kinds_for(row, n, tuple(options.values()))
        places = [m.any(kinds[0], fresh)]
        shape = m.values[places[0]].shape
        for kind in kinds[1:]:
            beside = m.beside if row.broadcasts else m.like
            places.append(beside(shape, kind, fresh))
            shape = np.broadcast_shapes(shape, m.values[places[-1]].shape)
        if len(set(kinds)) == 1 and n > 1 and m.choose(2):
            places.reverse()
        return tuple(places), options

    return build


def of_one(choose: Chooser, kind: str = "any", ndim: tuple[int, ...] = (0,)) -> Builder:
    """Of one input of any shape, with so many axes at least, and options that go by the shape."""

    def build(m: Maker, fresh: bool) -> Built:
        x = m.any(kind, fresh, m.pick(ndim))
        return (x,), choose(m, m.values[x].shape)

    return build


def matmul(m: Maker, fresh: bool) -> Built:
    x = m.any(fresh=fresh, ndim=1)
    k = m.values[x].shape[-1]
    vector, lead = m.choose(6) == 5, m.values[x].shape[:-2]

    def fits(v: ndarray) -> bool:
        return v.ndim > 0 and v.shape[-min(2, v.ndim)] == k and broadcasts(v.shape[:-2], lead)

    # PyTorch multiplies matrices of one dtype only.
    dtype = m.kinds[x]
    fitting = [i for i, v in enumerate(m.values) if m.kinds[i] == dtype and fits(v)]
    if fitting and not fresh and m.choose(2):
        return (x, m.pick(fitting)), {}
    shape = (k,) if vector else (k, m.pick((1, 2, 3)))
    if lead and not vector and m.choose(2):
        shape = (m.pick((1, lead[-1])), *shape)
    return (x, m.leaf(shape, dtype=dtype)), {}


def where(m: Maker, fresh: bool) -> Built:
    x = m.any(fresh=fresh)
    y = m.beside(m.values[x].shape)
    both = np.broadcast_shapes(m.values[x].shape, m.values[y].shape)
    return (m.beside(both, "nonzero", fresh), x, y), {}


def scatter(m: Maker, fresh: bool) -> Built:
    into = m.shape()
    index = indices(m, into)
    wanted = np.zeros(into)[realised(NUMPY, index)].shape
    fitting = [i for i, v in enumerate(m.values) if v.shape == wanted]
    x = m.pick(fitting) if fitting and not fresh and m.choose(4) else m.leaf(wanted)
    return (x,), {"index": index, "into": into}


def cat(m: Maker, fresh: bool) -> Built:
    x = m.any(fresh=fresh, ndim=1)
    shape = m.values[x].shape
    axis = m.choose(len(shape))
    others = [x]
    for _ in range(m.pick((1, 2, 0))):
        fitting = [
            i
            for i, v in enumerate(m.values)
            if v.ndim == len(shape)
            and v.shape[:axis] + v.shape[axis + 1 :] == shape[:axis] + shape[axis + 1 :]
        ]
        if m.choose(2):
            others.append(m.pick(fitting))
        else:
            others.append(m.leaf((*shape[:axis], m.pick((1, 2, 0)), *shape[axis + 1 :])))
    return tuple(others), {"axis": axis - len(shape) * m.choose(2)}


# Options.


def exponent(m: Maker, shape: Shape) -> Options:
    return {"p": m.pick((2, 3, 1, 0, -1, 0.5, 1.5, -2, 2.0, -0.5))}


def limits(m: Maker, shape: Shape) -> Options:
    low, high = m.pick(((-1.0, 1.0), (0.0, None), (None, 0.5), (-0.5, 2.0), (0, 1)))
    return {"low": low, "high": high}


def reduced(m: Maker, shape: Shape, from_last: bool = True) -> Options:
    ndim = len(shape)
    if ndim == 0 or not m.choose(3):
        return {"axes": None, "keepdim": False}
    axes = tuple(a for a in range(ndim) if m.choose(2)) or (m.choose(ndim),)
    if from_last and m.choose(4) == 3:
        axes = tuple(a - ndim for a in axes)
    return {"axes": axes, "keepdim": bool(m.choose(2))}


def reshaped(m: Maker, shape: Shape) -> Options:
    n = math.prod(shape)
    forms = [(n,), shape[::-1], (1, *shape), (*shape, 1), tuple(k for k in shape if k != 1)]
    if n:
        forms += [(-1,), (n, 1), (-1, *shape[:1])]
    return {"to": m.pick(forms)}


def permuted(m: Maker, shape: Shape) -> Options:
    return {"axes": tuple(sorted(range(len(shape)), key=lambda a: (m.choose(3), -a)))}


def expanded(m: Maker, shape: Shape) -> Options:
    shape = tuple(m.pick((2, 3, 1)) if n == 1 else n for n in shape)
    if m.choose(2) and len(shape) < 3:
        shape = (m.pick((2, 1, 3)), *shape)
    return {"shape": shape}


def indexed(m: Maker, shape: Shape) -> Options:
    return {"index": indices(m, shape)}


def indices(m: Maker, shape: Shape) -> tuple[Any, ...]:
    """An index for this shape that NumPy, PyTorch and this package read alike."""
    index: list[Any] = []
    arrays = 0
    for n in shape[: m.choose(len(shape) + 1)]:
        if m.choose(8) == 7:
            index.append(None)
        kind = m.choose(5)
        if kind <= 1:
            a, b = m.choose(n + 1), m.choose(n + 1)
            index.append(("slice", min(a, b), max(a, b) or None, m.pick((1, 1, 2))))
        elif kind == 2 and n and not arrays:
            index.append(m.choose(n) - n * m.choose(2))
        elif kind == 3 and n and not arrays and not any(isinstance(i, int) for i in index):
            arrays += 1
            index.append(("array", tuple(m.choose(n) for _ in range(m.pick((2, 3, 1))))))
        else:
            index.append(("slice", None, None, None))
    if m.choose(4) == 3:
        index.append("...")
    return tuple(index)


def cast(m: Maker, shape: Shape) -> Options:
    return {"dtype": m.pick(m.dtypes)}
