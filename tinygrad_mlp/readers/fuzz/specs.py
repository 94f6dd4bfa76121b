"""How a program uses each op of the table: by its row, and what the row does not say.

A program keeps away from the places where a derivative does not exist, so two right answers differ
by rounding alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from ...core.ops import TABLE, Op, parameters
from ...torch.tensor import Tensor
from . import builders
from .arrays import NUMPY, Arrays, on_arrays
from .builders import Builder, Chooser, Options, elementwise, of_one
from .kinks import MARGIN, ahead, smooth

DTYPES = ("float64", "float32")


class Beside(NamedTuple):
    """What a generator needs of an op and the op's row does not say.

    ``text`` is the op as a program has it, with {x}, {y} and {z} for inputs, {xs} for a list of any
    number, and {name} for an option; ``options`` are the names that programs have for them, and
    ``choose(maker, shape)`` chooses them, for a first input of this shape; ``build(maker, fresh)``
    chooses the inputs too. ``smooth(values, options)`` is whether the derivative exists there and
    nearby; ``arrays`` is the name of another method of ``Arrays``.
    """

    text: str = ""
    options: tuple[str, ...] = ()
    choose: Chooser | None = None
    build: Builder | None = None
    smooth: Callable[[list[ndarray], Options], bool] | None = None
    arrays: str = ""
    arity: int | None = None


REDUCED = ("axes", "keepdim")

BESIDE: dict[str, Beside] = {
    "add": Beside("{x} + {y}"),
    "sub": Beside("{x} - {y}"),
    "mul": Beside("{x} * {y}"),
    "div": Beside("{x} / {y}"),
    "neg": Beside("-{x}"),
    "pow": Beside("{x} ** {p}", ("p",), builders.exponent),
    "pow_tensor": Beside("{x} ** {y}"),
    "matmul": Beside("{x} @ {y}", build=builders.matmul),
    "clamp": Beside(options=("low", "high"), choose=builders.limits),
    "where": Beside(
        "lib.where({x} > 0, {y}, {z})",
        build=builders.where,
        smooth=lambda xs, o: bool((np.abs(xs[0]) >= MARGIN).all()),
        arrays="choice",
        arity=3,
    ),
    "amax": Beside(
        options=REDUCED,
        build=of_one(builders.reduced, "apart"),
        smooth=lambda xs, o: ahead(xs[0], o["axes"]),
    ),
    "amin": Beside(
        options=REDUCED,
        build=of_one(builders.reduced, "apart"),
        smooth=lambda xs, o: ahead(-xs[0], o["axes"]),
    ),
    "reshape": Beside(options=("to",), build=of_one(builders.reshaped)),
    "permute": Beside(options=("axes",), build=of_one(builders.permuted, ndim=(2, 1, 3, 0))),
    "expand": Beside(options=("shape",), build=of_one(builders.expanded)),
    "getitem": Beside("{x}[{index}]", ("index",), build=of_one(builders.indexed, ndim=(1, 0, 2))),
    "scatter": Beside(
        "scatter(lib, {x}, {index}, {into})", ("index", "into"), build=builders.scatter
    ),
    "cat": Beside("lib.cat({xs}, {axis})", ("axis",), build=builders.cat),
    "cast": Beside("{x}.to({dtype})", ("dtype",), build=of_one(builders.cast)),
}


class Spec(NamedTuple):
    """How a program uses an op.

    ``text`` is the op in the words that this package and PyTorch share, as ``Beside`` has it;
    ``arity`` is how many inputs there are, None for any number. ``own`` is whether PyTorch may not
    have it. ``from_output`` is whether the derivative of a function of one variable is made of its
    result, and so of the rounding errors of that. The rest is as in ``Beside``.
    """

    row: Op
    text: str
    arity: int | None
    options: tuple[str, ...]
    build: Builder
    smooth: Callable[[list[ndarray], Options], bool]
    method: str
    own: bool
    from_output: bool

    def on_arrays(self, lib: Arrays) -> Callable[..., Any]:
        """The op as a function of arrays: the inputs, or a list of them, then the options."""
        function: Callable[..., Any] = (
            getattr(lib, self.method) if self.method else on_arrays(self.row, lib)
        )
        return function

    def written(self, options: Options) -> str:
        """The text for these options; a reduction over all axes needs none."""
        if not self.own and options == {"axes": None, "keepdim": False}:
            return self.text.partition("({")[0] + "()"
        return self.text


def spec(op: str) -> Spec:
    """How a program uses the op of this name; ValueError where there is none, or none knows how."""
    if op not in TABLE:
        raise ValueError(f"{op!r} is not an op; the ops are: {', '.join(TABLE)}")
    return of_row(TABLE[op])


@lru_cache(maxsize=1024)
def of_row(row: Op) -> Spec:
    beside = BESIDE.get(row.name, Beside())
    arity = None if row.variadic else beside.arity or len(row.vjps)
    options = beside.options
    named = () if row.variadic or beside.arity else row.parameters[len(row.vjps) :]
    choose, build = beside.choose, beside.build
    method = hasattr(Tensor, row.name)
    if named == ("axes", "keepdims"):
        # What a row is given counts axes from the first.
        options, build = REDUCED, build or of_one(partial(builders.reduced, from_last=method))
    elif len(options) != len(named) and build is None:
        raise ValueError(
            f"{row.name}: nothing says how a program chooses {', '.join(named)}; "
            "say it in BESIDE of readers/fuzz/specs.py"
        )
    if row.variadic and build is None:
        raise ValueError(f"{row.name}: say in BESIDE how a program chooses its inputs")
    inputs = ["{x}", "{y}", "{z}"][:arity]

    def is_smooth(xs: list[ndarray], o: Options) -> bool:
        if row.domain is None:
            return True
        return smooth(row.domain, xs, list(o.values())[: len(parameters(row.domain)) - len(xs)])

    found = Spec(
        row,
        beside.text or written(row.name, inputs, options),
        arity,
        options,
        build or elementwise(row, len(row.vjps), choose),
        beside.smooth or is_smooth,
        beside.arrays,
        not beside.text and not method,
        arity == 1 and not named and 0 in row.wants[0],
    )
    if not found.method:
        on_arrays(row, NUMPY)  # which says so where it cannot be had
    return found


def written(name: str, inputs: list[str], options: tuple[str, ...]) -> str:
    """A call of a method of Tensors, or else of the row."""
    words = [*inputs, *(f"{{{option}}}" for option in options)]
    if hasattr(Tensor, name):
        text = f"{words[0]}.{name}({', '.join(words[1:])})"
        return text.replace("{keepdim}", "keepdim={keepdim}")
    return f"called(lib, {name!r})({', '.join(words)})"


OPS = tuple(TABLE)
