"""A program that runs: its text compiled, and buffers for each call that is under way."""

from __future__ import annotations

import linecache
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from weakref import finalize

from numpy import ndarray

from .fusion import steps_of
from .lowering import graph_of
from .memory import memory_of
from .schedule import schedule_of
from .trace import Trace
from .writer import text_of

next_number = count(1).__next__


@dataclass(eq=False)
class Program:
    """The program for one signature."""

    source: str
    fits: Callable[..., bool]  # whether arguments are of its signature
    make: Callable[[], Any]  # buffers
    run: Callable[..., Any]  # in some buffers, on arguments
    arity: int
    reuse: bool
    idle: list[Any] = field(default_factory=list)  # buffers that no call works in
    owners: set[int] = field(default_factory=set)  # those that results may be in

    def __call__(self, arrays: Sequence[ndarray]) -> Any:
        # Taken and given back in one step each: a second thread that calls meanwhile makes its own.
        try:
            buffers = self.idle.pop()
        except IndexError:
            buffers = self.make()
            if self.reuse:
                self.owners.update(map(id, buffers))
        if self.owners:
            # A result of an earlier call would be written over while it is read.
            arrays = [a.copy() if is_within(a, self.owners) else a for a in arrays]
        result = self.run(buffers, *arrays)
        self.idle.append(buffers)
        return result


def program_of(trace: Trace, reuse: bool = False) -> Program:
    """A program that computes what a function was traced to compute."""
    graph = graph_of(trace)
    schedule = schedule_of(steps_of(graph), graph)
    source = text_of(trace, graph, schedule, memory_of(schedule, reuse))
    # By this name Python finds the line to show in tracebacks.
    file = f"<compiled program {next_number()}>"
    linecache.cache[file] = len(source.text), None, source.text.splitlines(True), file
    exec(compile(source.text, file, "exec"), source.scope)
    make, run = source.scope["make_buffers"], source.scope["program"]
    program = Program(source.text, fits(trace.arrays), make, run, len(trace.arrays), reuse)
    finalize(program, linecache.cache.pop, file, None)
    return program


def source_of(program: Program | None) -> str:
    if program is None:
        raise RuntimeError("source: there is none yet; call the function once with arguments")
    return program.source


def fits(arrays: list[ndarray]) -> Callable[..., bool]:
    """Whether arguments are like these; straight-line code too, for it is tested at each call."""
    tests = [
        f"type(x{i}) is array and x{i}.dtype is dtype{i} and x{i}.shape == {a.shape}"
        for i, a in enumerate(arrays)
    ]
    types = {"array": ndarray, **{f"dtype{i}": a.dtype for i, a in enumerate(arrays)}}
    names = ", ".join(f"x{i}" for i in range(len(arrays)))
    test: Callable[..., bool] = eval(f"lambda {names}: {' and '.join(tests) or True}", types)
    return test


def is_within(array: Any, owners: set[int]) -> bool:
    """Whether an array is one of these or a view of one, by a memoryview or the like too."""
    while array is not None:
        if id(array) in owners:
            return True
        array = array.obj if isinstance(array, memoryview) else getattr(array, "base", None)
    return False
