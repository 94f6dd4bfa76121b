"""What a call takes under each library, in time and in memory."""

from __future__ import annotations

import gc
import tracemalloc
from importlib import import_module
from time import perf_counter

import numpy as np

from .libraries import OURS, THEIRS
from .running import Run


def timed(runs: dict[str, Run], seconds: float) -> tuple[int, dict[str, float]]:
    """How many rounds there were, and for each library the median time of a call, in seconds."""
    times: dict[str, list[float]] = {key: [] for key in runs}
    order = list(runs.items())
    end = perf_counter() + seconds
    collecting = gc.isenabled()
    gc.disable()
    try:
        while len(times[OURS]) < 3 or perf_counter() < end:
            for key, run in order:
                leaves = run.leaves()
                start = perf_counter()
                run(leaves)
                times[key].append(perf_counter() - start)
            order.reverse()
    finally:
        if collecting:
            gc.enable()
    return len(times[OURS]), {key: float(np.median(taken)) for key, taken in times.items()}


def traced_peak(run: Run) -> int:
    """The most bytes in use in a call, over those before, by Python's and NumPy's own account."""
    leaves = run.leaves()
    started = not tracemalloc.is_tracing()
    if started:
        tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        run(leaves)
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        if started:
            tracemalloc.stop()


def profiled_peak(run: Run) -> int:
    """The most bytes in use in a call, over those before, by the account of PyTorch's profiler."""
    profile = import_module(f"{THEIRS}.autograd.profiler").profile
    leaves = run.leaves()
    with profile(profile_memory=True) as profiler:
        run(leaves)
    events = [e for e in profiler.kineto_results.events() if e.name() == "[memory]"]
    used = peak = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        used += event.nbytes()
        peak = max(peak, used)
    return peak
