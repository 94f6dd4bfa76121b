"""One function body under this library and under PyTorch: values, gradients, time and memory."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from .comparison import Comparison
from .costs import profiled_peak, timed, traced_peak
from .counterparts import under
from .difference import Difference
from .libraries import OURS, THEIRS, require_torch, title
from .running import Run, as_data, names_of


def compare(
    function: Callable[..., Any],
    *arrays: Any,
    seed: int = 0,
    seconds: float = 0.5,
    **inputs: Any,
) -> Comparison:
    """Run one function body under this library and under PyTorch, and say how they differ.

    The arrays, or numbers, or lists, become Tensors of both; those of a float dtype require grad.
    The function takes them, ``inputs`` by their keywords, and returns one Tensor, of any shape: the
    gradients are those of the sum of its entries. Where its body, or a function beside it that it
    calls, names one of the two libraries, as ``torch.sin`` or ``tg.sin``, each run sees its own
    under that name. Both start from ``manual_seed(seed)``. Times are measured in turns, for about
    this many ``seconds``.

    ModuleNotFoundError where PyTorch is not installed; TypeError where the function does not
    return a Tensor; ValueError where the two differ in shape or dtype. What the function raises
    comes with a note that says under which library.

        print(tg.compare(lambda x, w: (x @ w).sigmoid().sum(), np.ones((3, 2)), np.ones((2, 4))))
    """
    torch = require_torch()
    names = names_of(function, len(arrays), inputs)
    data = [as_data(name, a) for name, a in zip(names, [*arrays, *inputs.values()], strict=True)]
    runs = {
        THEIRS: Run(torch, under(function, THEIRS), data, seed, list(inputs)),
        OURS: Run(import_module(OURS), under(function, OURS), data, seed, list(inputs)),
    }
    runs = dict(reversed(runs.items()))
    found = {key: run.answer() for key, run in runs.items()}
    mine, yours = found[OURS], found[THEIRS]
    value = Difference.between("the value", mine[0], yours[0])
    gradients = {}
    for name, a, b in zip(names, mine[1], yours[1], strict=True):
        if (a is None) != (b is None):
            raise ValueError(
                f"compare: the value depends on {name} under {title(OURS if b is None else THEIRS)}"
                " only"
            )
        if a is not None and b is not None:
            gradients[name] = Difference.between(name, a, b)
    rounds, times = timed(runs, seconds)
    return Comparison(
        function=f"{getattr(function, '__name__', 'function')}({', '.join(names)})",
        dtypes={name: a.dtype.name for name, a in zip(names, data, strict=True)},
        value=value,
        gradients=gradients,
        seconds=times,
        peak_bytes={OURS: traced_peak(runs[OURS]), THEIRS: profiled_peak(runs[THEIRS])},
        rounds=rounds,
        threads=torch.get_num_threads(),
        versions={OURS: import_module(OURS).__version__, THEIRS: torch.__version__.split("+")[0]},
    )
