"""Which values are computed together, block by block, so that those between need no memory."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from ...core import ops
from . import limits
from .values import Graph, Value, is_elementwise, is_large, is_thin


@dataclass(frozen=True, eq=False)
class Step:
    """A value to compute; or some, in a loop over as many rows at a time, for the last of them."""

    value: Value
    inputs: tuple[Value, ...]
    before: tuple[Value, ...] = ()
    rows: int = 0  # or 0 where there is no loop

    @property
    def values(self) -> tuple[Value, ...]:
        return (*self.before, self.value)


def steps_of(graph: Graph) -> list[Step]:
    """The graph with large values that only feed another of the same shape made along with it."""
    users: dict[Value, list[Value]] = {}
    for v in graph.values:
        for x in v.inputs:
            users.setdefault(x, []).append(v)
    end: dict[Value, Value] = {}
    groups: dict[Value, list[Value]] = {}
    for v in reversed(graph.values):
        if len(v.shape) == 0 or v.shape[0] < 2 or prod(v.shape) < limits.FUSE:
            continue
        thin = is_thin(v) and is_large(v)
        if not thin and not is_elementwise(v):
            continue
        # It can be made along with its users if all of these are made along with the same value.
        ends = {None if is_thin(user) else end.get(user) for user in users.get(v, ())}
        joint = ends.pop() if len(ends) == 1 and v not in graph.outputs else None
        if joint is None or joint.shape != v.shape:
            joint = None if thin else v
        if joint is not None:
            end[v] = joint
            groups.setdefault(joint, []).insert(0, v)
    return [step_of(v, groups.get(v, [])) for v in graph.values if end.get(v, v) is v]


def step_of(v: Value, group: list[Value]) -> Step:
    # σ takes three passes over its array, so that even alone it is faster in blocks.
    if len(group) < 2 and not (group and v.op is ops.sigmoid):
        return Step(v, v.inputs)
    inputs = dict.fromkeys(x for part in group for x in part.inputs if x not in group)
    return Step(v, tuple(inputs), tuple(group[:-1]), rows_of(group))


def rows_of(group: list[Value]) -> int:
    """How many rows a block has, for what it takes to stay in the cache."""
    n, *rest = group[-1].shape
    most = limits.BLOCK // (prod(rest) * group[-1].dtype.itemsize)
    for v in group:
        if v.op is ops.matmul:
            most = min(most, limits.ALONE // max(1, prod(v.inputs[1].shape)))
    # A power of two more often divides n.
    return min(n, 1 << max(1, most).bit_length() - 1)
