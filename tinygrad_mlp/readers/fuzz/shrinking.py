"""Making a program smaller: fewest ops first, then smallest shapes, then plainest numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, product
from typing import Any

import numpy as np

from ...core.ops import Shape
from .programs import Leaf, Program, Step, trace
from .specs import spec


def cost(program: Program) -> tuple[Any, ...]:
    """What shrinking makes smaller: steps, then entries, then axes, then how plain it all is."""
    leaves, steps, outputs = program
    numbers = [v for leaf in leaves for v in leaf.values]
    return (
        len(steps),
        sum(len(leaf.values) for leaf in leaves),
        len(leaves),
        sum(len(leaf.shape) for leaf in leaves),
        len(outputs),
        sum(leaf.dtype != "float64" for leaf in leaves),
        sum(len(repr(step.options)) for step in steps),
        sum(plainness(v) for v in numbers),
    )


PLAIN = (1.0, 2.0, 3.0, -1.0, 0.5, 0.0)


def plainness(v: float) -> float:
    """0 for 1, more for 2, 3, −1, ½ and 0, and most for a number that takes long to write."""
    if v in PLAIN and repr(v) != "-0.0":
        return PLAIN.index(v)
    return 10 + len(repr(v)) + min(abs(v), 1e3) / 1e3


def shrink(program: Program, fails: Callable[[Program], bool], limit: int = 3000) -> Program:
    """A smaller program for which ``fails`` holds too, found greedily.

    Fewest ops first, then smallest shapes, then plainest numbers. ``fails`` is asked at most
    ``limit`` times, and only about programs that can run.

    >>> from tinygrad_mlp.testing import generate, shrink
    >>> small = shrink(generate(seed=3), lambda program: len(program.steps) > 1)
    >>> len(small.steps)
    2
    """
    seen = {program.to_json()}
    found = True
    while found:
        found = False
        for candidate in smaller(program):
            try:
                if cost(candidate) >= cost(program) or (text := candidate.to_json()) in seen:
                    continue
                seen.add(text)
                trace(candidate)
            except ValueError:
                continue
            limit -= 1
            if limit < 0:
                return program
            if fails(candidate):
                program, found = candidate, True
                break
    return program


def pruned(leaves: Sequence[Leaf], steps: Sequence[Step], outputs: Sequence[int]) -> Program:
    """The same without what no output needs; an output that is a leaf is dropped if others stay."""
    n = len(leaves)
    needed: set[int] = set()
    frontier = [i for i in outputs if i >= n] or list(outputs)[:1]
    keep = list(dict.fromkeys(frontier))
    while frontier:
        i = frontier.pop()
        if i not in needed:
            needed.add(i)
            if i >= n:
                frontier += steps[i - n].inputs
    order = sorted(needed)
    place = {old: new for new, old in enumerate(order)}
    return Program(
        tuple(leaves[i] for i in order if i < n),
        tuple(
            steps[i - n]._replace(inputs=tuple(place[j] for j in steps[i - n].inputs))
            for i in order
            if i >= n
        ),
        tuple(place[i] for i in keep),
    )


def smaller(program: Program) -> Iterator[Program]:
    """Programs that are simpler in one way; not all of them can run."""
    yield from with_fewer_steps(program)
    yield from with_fewer_inputs(program)
    yield from with_smaller_shapes(program)
    yield from with_plainer_options(program)
    yield from with_plainer_numbers(program)


def with_fewer_steps(program: Program) -> Iterator[Program]:
    """One output alone; a step as the output; a step as a leaf; a step left out."""
    leaves, steps, outputs = program
    n = len(leaves)
    places = range(n, n + len(steps))
    for out in dict.fromkeys((*outputs, *places)):
        yield pruned(leaves, steps, [out])
    traced = trace(program)
    for i in reversed(places):
        if len(steps) == 1:
            return
        value = traced.values[i].astype(traced.dtypes[i])
        for plain in (value, np.round(value * 4) / 4):
            leaf = Leaf(value.shape, traced.dtypes[i], tuple(plain.ravel().tolist()))
            yield replaced(program, i, leaf)
    for i in places:
        for j in dict.fromkeys(steps[i - n].inputs):
            bypassed = [
                s._replace(inputs=tuple(j if k == i else k for k in s.inputs)) for s in steps
            ]
            yield pruned(leaves, bypassed, [j if k == i else k for k in outputs])


def with_fewer_inputs(program: Program) -> Iterator[Program]:
    """One less for a step that takes any number; one value for two inputs."""
    leaves, steps, outputs = program
    for i, step in enumerate(steps):
        fewer = []
        for k, old in enumerate(step.inputs):
            if spec(step.op).arity is None and len(step.inputs) > 1:
                fewer.append((*step.inputs[:k], *step.inputs[k + 1 :]))
            fewer += [(*step.inputs[:k], j, *step.inputs[k + 1 :]) for j in step.inputs if j != old]
        for inputs in fewer:
            yield pruned(leaves, swapped(steps, i, step._replace(inputs=inputs)), outputs)


def with_smaller_shapes(program: Program) -> Iterator[Program]:
    """A size everywhere at once, one axis of one leaf, two axes of two, an axis less."""
    leaves, steps, _ = program
    for size in sorted({k for leaf in leaves for k in leaf.shape if k > 1}, reverse=True):
        for to, last in product(range(1, size), (False, True)):
            yield program._replace(
                leaves=tuple(
                    resized(x, tuple(to if k == size else k for k in x.shape), last) for x in leaves
                ),
                steps=tuple(resized_step(s, size, to) for s in steps),
            )
    for i, leaf in enumerate(leaves):
        for a, size in enumerate(leaf.shape):
            before, after = leaf.shape[:a], leaf.shape[a + 1 :]
            for shape in (*((*before, to, *after) for to in range(1, size)), before + after):
                yield with_leaf(program, i, resized(leaf, shape))
                yield with_leaf(program, i, resized(leaf, shape, last=True))
    axes = [(i, a) for i, leaf in enumerate(leaves) for a, n in enumerate(leaf.shape) if n > 1]
    for (i, a), (j, b) in combinations(axes, 2):
        if i != j and leaves[i].shape[a] == leaves[j].shape[b]:
            # Such as those that a product sums over.
            one = with_leaf(program, i, shorter_axis(leaves[i], a))
            yield with_leaf(one, j, shorter_axis(leaves[j], b))
    for a, last in product(range(max(len(leaf.shape) for leaf in leaves)), (False, True)):
        # Counted from the last one, as broadcasting does.
        fewer = tuple(
            resized(x, x.shape[: -1 - a] + x.shape[len(x.shape) - a :], last)
            if len(x.shape) > a
            else x
            for x in leaves
        )
        yield program._replace(leaves=fewer)
        yield program._replace(leaves=fewer, steps=tuple(map(without_axis, steps)))


def with_plainer_options(program: Program) -> Iterator[Program]:
    steps = program.steps
    values = trace(program).values
    for i, step in enumerate(steps):
        shape = values[step.inputs[0]].shape
        for name, value in step.options.items():
            for other in plainer(name, value, shape):
                plain = step._replace(options={**step.options, name: other})
                yield program._replace(steps=tuple(swapped(steps, i, plain)))


def with_plainer_numbers(program: Program) -> Iterator[Program]:
    leaves = program.leaves
    yield program._replace(leaves=tuple(x._replace(dtype="float64") for x in leaves))
    for i, leaf in enumerate(leaves):
        yield with_leaf(program, i, leaf._replace(dtype="float64"))
        n = len(leaf.values)
        for values in ((1.0,) * n, (2.0,) * n, (-1.0,) * n, tuple(k + 1.0 for k in range(n))):
            yield with_leaf(program, i, leaf._replace(values=values))
    for i, leaf in enumerate(leaves):
        for k, v in enumerate(leaf.values):
            for number in (*PLAIN, float(round(v)), round(v * 4) / 4, abs(v)):
                values = (*leaf.values[:k], number, *leaf.values[k + 1 :])
                yield with_leaf(program, i, leaf._replace(values=values))


def replaced(program: Program, i: int, leaf: Leaf) -> Program:
    """The program with a new leaf for a step."""
    n = len(program.leaves)

    def at(j: int) -> int:
        return n if j == i else j + (j >= n)

    steps = [s._replace(inputs=tuple(map(at, s.inputs))) for s in program.steps]
    return pruned([*program.leaves, leaf], steps, [at(j) for j in program.outputs])


def with_leaf(program: Program, i: int, leaf: Leaf) -> Program:
    return program._replace(leaves=(*program.leaves[:i], leaf, *program.leaves[i + 1 :]))


def swapped(steps: Sequence[Step], i: int, step: Step) -> list[Step]:
    return [*steps[:i], step, *steps[i + 1 :]]


def resized(leaf: Leaf, shape: Shape, last: bool = False) -> Leaf:
    """The first of its entries, or the last, in another shape."""
    n = math.prod(shape)
    values = leaf.values[-n:] if last and n else leaf.values[:n]
    return leaf._replace(shape=shape, values=values + (1.0,) * (n - len(values)))


def shorter_axis(leaf: Leaf, a: int) -> Leaf:
    return resized(leaf, (*leaf.shape[:a], leaf.shape[a] - 1, *leaf.shape[a + 1 :]))


def resized_step(step: Step, size: int, to: int) -> Step:
    options = {
        k: tuple(to if n == size else n for n in v) if k in ("to", "shape", "into") else v
        for k, v in step.options.items()
    }
    return step._replace(options=options)


def without_axis(step: Step) -> Step:
    """The step for inputs that have an axis less."""
    options = dict(step.options)
    if "keepdim" in options:
        options.update(axes=None, keepdim=False)
    for name in ("shape", "into", "to"):
        if name in options:
            options[name] = options[name][1:]
    if "axes" in options and options["axes"] is not None:
        options["axes"] = tuple(a for a in options["axes"] if a != len(options["axes"]) - 1)
    return step._replace(options=options)


def plainer(name: str, value: Any, shape: Shape) -> Iterator[Any]:
    """Simpler values for an option of a step whose first input has this shape."""
    yield from PLAINER.get(name, ())
    if isinstance(value, tuple):
        yield from (value[:k] + value[k + 1 :] for k in range(len(value)))
    if name == "axes" and value is not None:
        yield tuple(range(len(shape)))
    elif name in ("to", "shape", "into"):
        yield (math.prod(shape),)
        for k, n in enumerate(value):
            yield from ((*value[:k], m, *value[k + 1 :]) for m in range(1, n))
    elif name == "index":
        for k, e in enumerate(value):
            for other in (0, ("slice", None, None, None), *shorter(e)):
                yield (*value[:k], other, *value[k + 1 :])


PLAINER: dict[str, tuple[Any, ...]] = {
    "p": (2, 3, 0.5),
    "keepdim": (False,),
    "axis": (0,),
    "axes": (None,),
    "low": (None, 0.0),
    "high": (None, 1.0),
    "index": ((0,), (("array", (0, 0)),)),
}


def shorter(e: Any) -> Iterator[Any]:
    """Simpler arrays of places for an entry of an index that is one."""
    if isinstance(e, tuple) and e[0] == "array":
        places = e[1]
        yield from (("array", places[:j] + places[j + 1 :]) for j in range(len(places)))
        yield "array", (0,) * len(places)
