"""In which order the steps are taken: the one that keeps least in memory."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Collection
from dataclasses import dataclass

from .fusion import Step
from .values import Graph, Value, is_view, size


@dataclass(frozen=True)
class Schedule:
    """Steps in order, and after each the values whose memory is not needed any more."""

    steps: list[Step]
    ending: list[set[Value]]
    root_of: Callable[[Value], Value]  # the value whose memory a view shows; of others, themselves
    kept: frozenset[Value]  # what the program returns, and what it returns views of


def schedule_of(steps: list[Step], graph: Graph) -> Schedule:
    roots: dict[Value, Value] = {}

    def root_of(v: Value) -> Value:
        return roots.get(v, v)

    for step in steps:
        if is_view(step.value):
            roots[step.value] = root_of(step.inputs[0])
    kept = frozenset(root_of(v) for v in graph.outputs if v is not None)
    steps = ordered(steps, root_of, kept)
    last = {root_of(x): step for step in steps for x in step.inputs}
    ending = [
        {r for r in map(root_of, step.inputs) if last[r] is step and r not in kept}
        for step in steps
    ]
    return Schedule(steps, ending, root_of, kept)


def ordered(
    steps: list[Step], root_of: Callable[[Value], Value], kept: Collection[Value]
) -> list[Step]:
    """The steps in the order that keeps least in memory, as far as one step ahead shows."""
    maker = {step.value: step for step in steps}
    waiting = {step: {maker[x] for x in step.inputs if x in maker} for step in steps}
    consumers: dict[Step, list[Step]] = {}
    pending: dict[Value, set[Step]] = {}  # the steps to come that read a value or a view of it
    for step in steps:
        for source in waiting[step]:
            consumers.setdefault(source, []).append(step)
        for x in step.inputs:
            pending.setdefault(root_of(x), set()).add(step)
    place = {step: i for i, step in enumerate(steps)}

    def growth(step: Step, done: Step | None = None) -> int:
        if is_view(step.value):
            return 0
        ending = [
            r
            for r in {root_of(x) for x in step.inputs}
            if r.op is not None and r not in kept and pending[r] <= {step, done}
        ]
        return size(step.value) - sum(map(size, ending))

    def cost(step: Step) -> int:
        after = [s for s in consumers.get(step, ()) if len(waiting[s]) == 1]
        return growth(step) + min([0, *(growth(s, step) for s in after)])

    ready = [step for step in steps if not waiting[step]]
    order = []
    while ready:
        step = min(ready[:16], key=cost)  # of all would take long in a program that is wide
        ready.remove(step)
        order.append(step)
        for x in {root_of(x) for x in step.inputs}:
            pending[x].discard(step)
        for s in consumers.get(step, ()):
            waiting[s].discard(step)
            if not waiting[s]:
                insort(ready, s, key=place.__getitem__)
    return order
