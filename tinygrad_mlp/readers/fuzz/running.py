"""A program run under a library: this package, PyTorch, or one that looks like NumPy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .jitter import Jitter
from .programs import Program, evaluated
from .specs import spec


def run(
    program: Program,
    lib: Any,
    leaves: Sequence[Any],
    after: Callable[[Any], Any] | None = None,
    jitter: Jitter | None = None,
) -> list[Any]:
    """All values of a program under a library: the leaves, as given, then each step's result.

    ``lib`` is this package, PyTorch or an ``Arrays``. ``after(value)`` sees every value; ``jitter``
    disturbs them.
    """
    values: list[Any] = list(leaves)
    if jitter is not None:
        jitter.restart()
    if after is not None:
        for x in leaves:
            after(x)
    for step in program.steps:
        xs = [values[i] for i in step.inputs]
        if jitter is not None:
            xs = [jitter(i, x) for i, x in zip(step.inputs, xs, strict=True)]
        out = evaluated(step.op, lib, xs, step.options)
        if jitter is not None:
            if spec(step.op).from_output:
                # Such as 1 − out, which has the rounding error of the 1.
                out = out + jitter.of_slopes(step.inputs[0], xs[0])
            out = jitter(len(values), out)
        if after is not None:
            after(out)
        values.append(out)
    return values
