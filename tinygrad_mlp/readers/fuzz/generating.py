"""Random programs: which ops, on what, with which numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import numpy as np
from numpy import ndarray

from ...core.ops import Shape
from .builders import broadcasts
from .programs import Leaf, Program, Step, result, result_dtype, trace
from .specs import DTYPES, OPS, spec

Choose = Callable[[int], int]  # of n, a number from 0 to n − 1; smaller is simpler


class Maker:
    """A program in the making. Places are in the order in which leaves and steps were made."""

    def __init__(self, choose: Choose, dtypes: Sequence[str]) -> None:
        self.choose = choose
        self.dtypes = dtypes
        self.leaves: dict[int, Leaf] = {}
        self.steps: dict[int, Step] = {}
        self.values: list[ndarray] = []
        self.kinds: list[str] = []  # dtypes

    def pick(self, choices: Sequence[Any]) -> Any:
        return choices[self.choose(len(choices))]

    def shape(self) -> Shape:
        sides = (1, 2, 3, 2, 3, 2, 1, 0) if self.choose(8) == 7 else (1, 2, 3, 2)
        return tuple(self.pick(sides) for _ in range(self.pick((0, 1, 2, 2, 1, 3))))

    def leaf(self, shape: Shape, kind: str = "any", dtype: str | None = None) -> int:
        dtype = dtype or self.pick(self.dtypes)
        array = np.array(self.entries(math.prod(shape), kind), dtype)
        place = len(self.values)
        self.leaves[place] = Leaf(shape, dtype, tuple(array.tolist()), self.choose(8) != 7)
        self.values.append(array.astype(np.float64).reshape(shape))
        self.kinds.append(dtype)
        return place

    def entries(self, n: int, kind: str) -> list[float]:
        if kind == "apart":
            order = sorted(range(n), key=lambda _: self.choose(1 << 16))
            return [(i - n // 2) / 4 for i in order]
        style = self.choose(8)
        if style == 5:
            found = [self.pick((1.0, 0.0, 2.0, -1.0)) for _ in range(n)]
        elif style == 6:
            found = [self.choose(1 << 24) / (1 << 22) - 2 for _ in range(n)]
        else:
            found = [signed(self.choose(17)) / 4 for _ in range(n)]
        if style == 7:
            found = [self.pick(SPECIAL) if self.choose(2) else x for x in found]
        if kind == "any":
            return found
        if kind == "between":
            return [math.floor(x * 4) / 4 + 0.125 for x in found]
        if kind == "inside":
            return [(math.floor(x * 4) % 7 - 3) / 4 for x in found]
        found = [x if abs(x) >= 0.25 else 1.0 for x in found]
        return [abs(x) for x in found] if kind == "positive" else found

    def any(self, kind: str = "any", fresh: bool = False, ndim: int = 0) -> int:
        """Some value there is, or a new leaf."""
        fitting = [i for i, v in enumerate(self.values) if v.ndim >= ndim]
        if not fitting or fresh or self.choose(4) == 3:
            shape = self.shape()
            while len(shape) < ndim:
                shape = (self.pick((2, 1, 3)), *shape)
            return self.leaf(shape, kind)
        # Later values are likelier, so that programs become deep.
        return fitting[-1 - min(self.choose(len(fitting)), self.choose(len(fitting)))]

    def beside(self, shape: Shape, kind: str = "any", fresh: bool = False) -> int:
        """Some value that broadcasts with a shape, or a new leaf that does."""
        fitting = [i for i, v in enumerate(self.values) if broadcasts(v.shape, shape)]
        # With one value to choose from, it is the one that asks: x + x.
        often = 3 if len(fitting) > 1 else 4
        if fitting and not fresh and (self.choose(often) > 0) == (len(fitting) > 1):
            return int(self.pick(fitting))
        like = self.pick((0, 0, 1, 2, 3))
        if like == 1:
            shape = shape[1:]
        elif like == 2:
            shape = tuple(1 if self.choose(2) else n for n in shape)
        elif like == 3 and len(shape) < 3:
            shape = (self.pick((2, 1)), *shape)
        return self.leaf(shape, kind)

    def like(self, shape: Shape, kind: str = "any", fresh: bool = False) -> int:
        """Some value of this shape, or a new leaf."""
        fitting = [i for i, v in enumerate(self.values) if v.shape == shape]
        if fitting and not fresh and self.choose(4) != 3:
            return int(self.pick(fitting))
        return self.leaf(shape, kind)

    def grow(self, op: str) -> None:
        """Add a step of this op, if values can be found for it."""
        for attempt in range(4):
            place = len(self.values)
            try:
                inputs, options = spec(op).build(self, attempt >= 2)
                out = result(op, [self.values[i] for i in inputs], options)
                kinds = [(self.kinds[i], self.values[i].ndim) for i in inputs]
                dtype = result_dtype(op, kinds, options)
            except ValueError:
                del self.values[place:], self.kinds[place:]
                for i in [i for i in self.leaves if i >= place]:
                    del self.leaves[i]
                continue
            self.steps[len(self.values)] = Step(op, inputs, options)
            self.values.append(out)
            self.kinds.append(dtype)
            return

    def program(self) -> Program:
        """What was made, leaves first; its outputs are the steps that no other step uses."""
        used = {j for step in self.steps.values() for j in step.inputs}
        leaves = {i: leaf for i, leaf in self.leaves.items() if i in used}
        if not any(leaf.requires_grad for leaf in leaves.values()):
            first = min(leaves)
            leaves[first] = leaves[first]._replace(requires_grad=True)
        place = {old: new for new, old in enumerate([*leaves, *self.steps])}
        return Program(
            tuple(leaves.values()),
            tuple(
                step._replace(inputs=tuple(place[j] for j in step.inputs))
                for step in self.steps.values()
            ),
            tuple(place[i] for i in self.steps if i not in used),
        )


SPECIAL = (0.0, 1.0, -0.0, -1.0, 20.0, -20.0, 1e-20, -1e-20, 1e-310, 100.0, -100.0, 4.0, -4.0)


def signed(i: int) -> int:
    """0, 1, −1, 2, −2, …"""
    return (i + 1) // 2 if i % 2 else -(i // 2)


def generate(
    choose: Choose | None = None,
    *,
    seed: Any = 0,
    ops: Sequence[str] = OPS,
    most: int = 8,
    dtypes: Sequence[str] = DTYPES,
    part: Callable[[Callable[[], Any]], Any] = lambda make: make(),
) -> Program:
    """A random program of at most ``most`` steps of these ops, with leaves of these dtypes.

    ``choose(n)`` gives numbers from 0 to n − 1; without it, they come from ``seed``. Each leaf that
    a program starts from, and each step, is made by ``part(make)``, which calls ``make``.
    ValueError for an op or a dtype that there is none of.

    >>> from tinygrad_mlp.testing import generate
    >>> generate(seed=0, ops=["sigmoid"], most=1).steps[0].op
    'sigmoid'
    """
    for op in ops:
        spec(op)
    for dtype in dtypes:
        if dtype not in DTYPES:
            raise ValueError(
                f"{dtype!r} is not a dtype of programs; those are: {', '.join(DTYPES)}"
            )
    if not ops or not dtypes:
        raise ValueError("give at least one op and one dtype")
    if choose is None:
        draw = Random(seed).random
        choose = lambda n: int(draw() * n)  # noqa: E731
    maker = Maker(choose, dtypes)
    steps = 1 if len(ops) == 1 or most == 1 else 1 + choose(most)
    if steps > 1 and choose(4) == 3:
        # A few ops again and again, for chains of them.
        ops = [maker.pick(ops) for _ in range(3)]
    for _ in range(choose(3)):
        part(lambda: maker.leaf(maker.shape()))
    for _ in range(steps):
        part(lambda: maker.grow(maker.pick(ops)))
    while not maker.steps:
        maker.grow(maker.pick(ops))
    return maker.program()


def two_layer(choose: Choose, dtypes: Sequence[str] = DTYPES) -> Program:
    """The experiment f = ‖Y − σ(X W1 + b1) W2 − b2‖² at random sizes, biases and numbers."""
    while True:
        program = two_layer_of(choose, dtypes)
        try:
            trace(program)
        except ValueError:
            continue  # too large a loss
        return program


def two_layer_of(choose: Choose, dtypes: Sequence[str]) -> Program:
    maker = Maker(choose, dtypes)
    n, d, h, o = (maker.pick((2, 1, 3, 0) if choose(8) == 7 else (2, 1, 3)) for _ in range(4))
    dtype = maker.pick(dtypes)
    biases = [maker.pick(BIASES[::-1]) for _ in "12"]
    for shape in two_layer_shapes(n, d, h, o, *biases):
        maker.leaf(shape, dtype=dtype)
    leaves = tuple(x._replace(requires_grad=True) for x in maker.leaves.values())
    return Program(leaves, TWO_LAYER, (13,))


BIASES = ("scalar", "vector", "row", "full")


def two_layer_shapes(
    n: int, d: int, h: int, o: int, bias: str, other: str | None = None
) -> tuple[Shape, ...]:
    """The shapes of X, Y, W1, W2, b1 and b2, with biases of one kind or of two."""

    def of(kind: str, k: int) -> Shape:
        return {"scalar": (), "vector": (k,), "row": (1, k), "full": (n, k)}[kind]

    return (n, d), (n, o), (d, h), (h, o), of(bias, h), of(other or bias, o)


TWO_LAYER = (
    Step("matmul", (0, 2), {}),
    Step("add", (6, 4), {}),
    Step("sigmoid", (7,), {}),
    Step("matmul", (8, 3), {}),
    Step("add", (9, 5), {}),
    Step("sub", (1, 10), {}),
    Step("pow", (11,), {"p": 2}),
    Step("sum", (12,), {"axes": None, "keepdim": False}),
)
