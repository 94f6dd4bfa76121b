"""A program run under a library: this package, PyTorch, or one that looks like NumPy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .arrays import Arrays
from .jitter import Jitter
from .programs import Program, compiled, prepared
from .specs import SPECS


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
        spec = SPECS[step.op]
        text = spec.arrays if isinstance(lib, Arrays) else spec.text(step.options)
        function = compiled(text, spec.options)
        xs = [values[i] for i in step.inputs]
        if jitter is not None:
            xs = [jitter(i, x) for i, x in zip(step.inputs, xs, strict=True)]
        out = function(lib, xs, prepared(lib, step.options))
        if jitter is not None:
            if step.op in ("sigmoid", "tanh"):
                # Their derivatives are made of 1 − out, which has the rounding error of the 1.
                out = out + jitter.of_slopes(step.inputs[0], xs[0])
            out = jitter(len(values), out)
        if after is not None:
            after(out)
        values.append(out)
    return values
