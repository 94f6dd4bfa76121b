"""In which arrays the values live.

A value whose last use has passed leaves its buffer to the next of the same shape and dtype; an
elementwise op writes over an input it is the last to use. What the program returns is made anew in
each call, unless it is to be reused, and so is what is large.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...core import ops
from ...core.ops import Shape
from .fusion import Step
from .schedule import Schedule
from .values import Value, is_elementwise, is_large, is_view, writes_out

Kind = tuple[Shape, np.dtype[Any]]


@dataclass(frozen=True)
class Line:
    """A step, and the names of the arrays that it works in."""

    step: Step
    name: str
    anew: bool  # whether the array is made here; if not, a buffer or an input is written over
    fixed: bool  # whether it is a view of a buffer, made along with that
    scratch: dict[Value, str]  # what an op needs beside its output, by the value it computes
    gone: list[str]  # names to forget after it


@dataclass
class Memory:
    """Where the values are; as the lines are placed, where they are by then."""

    anew: set[Value]
    lines: list[Line] = field(default_factory=list)
    names: dict[Value, str] = field(default_factory=dict)
    kinds: dict[str, Kind] = field(default_factory=dict)  # of the buffers
    free: dict[Kind, list[str]] = field(default_factory=dict)
    home: dict[Value, str] = field(default_factory=dict)  # buffers that are in use
    fixed: set[Value] = field(default_factory=set)  # views of buffers
    views: dict[str, list[str]] = field(default_factory=dict)  # of the other arrays


def memory_of(schedule: Schedule, reuse: bool) -> Memory:
    memory = Memory(made_anew(schedule, reuse))
    for i, (step, ending) in enumerate(zip(schedule.steps, schedule.ending, strict=True)):
        place = place_view if is_view(step.value) else place_array
        memory.lines.append(place(memory, schedule, i, step, ending))
    return memory


def made_anew(schedule: Schedule, reuse: bool) -> set[Value]:
    """The values for which an array is made in each call."""
    returned = frozenset() if reuse else schedule.kept
    values = [step.value for step in schedule.steps]
    anew = {v for v in values if v in returned or not writes_out(v) or is_large(v)}
    # To be written over one of its inputs, an output needs that to be made anew too.
    for step, ending in zip(reversed(schedule.steps), reversed(schedule.ending)):
        over = overwritten(schedule, step, ending)
        if step.value in anew and over is not None:
            anew.add(over)
    return anew


def overwritten(schedule: Schedule, step: Step, ending: set[Value]) -> Value | None:
    """An input whose array the value may be written into."""
    v = step.value
    if not is_elementwise(v) or v.shape == ():
        return None
    roots = [schedule.root_of(x) for x in step.inputs]
    for x in step.inputs:
        # Another view of that array would be read when part of it is written over already.
        alone = roots.count(x) == step.inputs.count(x)
        alone = alone and not any(p.op is ops.matmul and p.inputs[1] is x for p in step.before)
        if alone and x in ending and x.op is not None and (x.shape, x.dtype) == (v.shape, v.dtype):
            return x
    return None


def place_view(memory: Memory, schedule: Schedule, i: int, step: Step, ending: set[Value]) -> Line:
    v, (x,) = step.value, step.inputs
    name = memory.names[v] = f"view{i}"
    # A buffer stays where it is, so its view is made once. (A reshape may have to copy.)
    fixed = x in memory.home or (x in memory.fixed and v.op is not ops.reshape)
    if fixed:
        memory.fixed.add(v)
    else:
        shown = memory.names.get(schedule.root_of(v), "")
        memory.views.setdefault(shown, []).append(name)
    return Line(step, name, True, fixed, {}, [])


def place_array(memory: Memory, schedule: Schedule, i: int, step: Step, ending: set[Value]) -> Line:
    v = step.value
    anew = v in memory.anew
    over = overwritten(schedule, step, ending)
    if over is not None and (over in memory.anew) >= anew:
        anew = False
        name = memory.names[over]
        if over in memory.home:
            memory.home[v] = memory.home.pop(over)
    elif anew:
        name = f"out{i}"
    else:
        name = memory.home[v] = take(memory, (v.shape, v.dtype))
    memory.names[v] = name
    scratch = scratch_of(memory, step) if step.rows or not anew else {}
    gone = []
    for r in ending:
        if r in memory.home:
            give(memory, memory.home.pop(r))
        elif r in memory.anew and memory.names[r] != name and is_large(r):
            gone += [memory.names[r], *memory.views.get(memory.names[r], ())]
    return Line(step, name, anew, False, scratch, gone)


def scratch_of(memory: Memory, step: Step) -> dict[Value, str]:
    """What ops need beside their output; and places for the values of a block before the last."""
    shape = (step.rows, *step.value.shape[1:]) if step.rows else step.value.shape
    last = {x: v for v in step.values for x in v.inputs}
    held: dict[Value, str] = {}
    scratch = {}
    for v in step.values:
        ends = [x for x in dict.fromkeys(v.inputs) if x in held and last[x] is v]
        if v is not step.value:
            over = next((x for x in ends if x.dtype == v.dtype), None)
            held[v] = take(memory, (shape, v.dtype)) if over is None else held.pop(over)
            memory.names[v] = held[v]
        if v.op is ops.sigmoid:
            scratch[v] = take(memory, (shape, v.dtype))
            give(memory, scratch[v])
        for x in ends:
            if x in held:
                give(memory, held.pop(x))
    return scratch


def take(memory: Memory, kind: Kind) -> str:
    """A buffer that is free by now, or another one."""
    free = memory.free.setdefault(kind, [])
    if free:
        return free.pop()
    name = f"buffer{len(memory.kinds)}"
    memory.kinds[name] = kind
    return name


def give(memory: Memory, name: str) -> None:
    memory.free[memory.kinds[name]].append(name)
