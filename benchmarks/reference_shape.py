"""How long the loss of the experiment and its six gradients take, at the reference shape.

Contenders: the tape; the closed form written in NumPy for this shape and nothing else; and PyTorch
where it is installed. All run on one thread, on the same numbers, in turns: each round times each
of them once, in a new order, so that what slows the machine down slows all of them. Printed are
medians over the rounds, and medians and quartiles of the ratios within a round.

    python benchmarks/reference_shape.py [--rounds N] [--json]
"""

# ruff: noqa: E402
import os

# NumPy and PyTorch read these when they are imported.
for library in ("OMP", "OPENBLAS", "MKL", "VECLIB"):
    os.environ[f"{library}_NUM_THREADS"] = "1"

import argparse
import gc
import json
import platform
import random
import sys
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
from numpy import ndarray

import tinygrad_mlp as tg
from tinygrad_mlp.two_layer import error_bounds, loss, problem

SHAPE = (100, 1, 20, 1)
CALLS = 20  # in a row, in one measurement

Contender = Callable[[], list[Any]]  # returns the loss and the six gradients


def by_hand(
    x: ndarray, y: ndarray, w1: ndarray, w2: ndarray, b1: ndarray, b2: ndarray
) -> list[Any]:
    s = 1 / (1 + np.exp(-(x @ w1 + b1)))
    r = y - (s @ w2 + b2)
    by_y = 2 * r
    by_b2 = -by_y
    by_b1 = by_b2 @ w2.T * s * (1 - s)
    return [(r * r).sum(), by_b1 @ w1.T, by_y, x.T @ by_b1, s.T @ by_b2, by_b1, by_b2]


def by_library(library: Any, arrays: list[ndarray]) -> Contender:
    tensors = [library.tensor(a, requires_grad=True) for a in arrays]

    def call() -> list[Any]:
        for t in tensors:
            t.grad = None
        value = loss(*tensors)
        value.backward()
        return [value.detach(), *(t.grad for t in tensors)]

    return call


def contenders(arrays: list[ndarray]) -> dict[str, Contender]:
    found: dict[str, Contender] = {
        "closed form in NumPy": lambda: by_hand(*arrays),
        "tape": by_library(tg, arrays),
    }
    try:
        import torch
    except ImportError:
        return found
    torch.set_num_threads(1)
    return {**found, "PyTorch": by_library(torch, arrays)}


def check(found: dict[str, Contender], arrays: list[ndarray]) -> None:
    """All must give the same answer, within rounding, or their times say nothing."""
    bound, bounds = error_bounds(*arrays)
    answers = {name: [np.asarray(a) for a in call()] for name, call in found.items()}
    expected = answers["closed form in NumPy"]
    for name, answer in answers.items():
        for a, b, most in zip(answer, expected, [bound, *bounds.values()], strict=True):
            if not np.all(np.abs(a - b) <= 2 * most):
                sys.exit(f"{name} gives another answer than the closed form; no times")


def measure(found: dict[str, Contender], rounds: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in found}
    order = list(found)
    gc.disable()
    for i in range(rounds + rounds // 10):
        random.shuffle(order)
        for name in order:
            call = found[name]
            start = perf_counter()
            for _ in range(CALLS):
                call()
            took = (perf_counter() - start) / CALLS
            if i >= rounds // 10:  # the first tenth warms up
                times[name].append(took)
        gc.collect()
    gc.enable()
    return times


def summary(times: dict[str, list[float]]) -> dict[str, Any]:
    base = np.array(times["closed form in NumPy"])
    return {
        name: {
            "microseconds": quartiles(np.array(values) * 1e6),
            "ratio": quartiles(np.array(values) / base),
        }
        for name, values in times.items()
    }


def quartiles(values: ndarray) -> dict[str, float]:
    lower, median, upper = np.percentile(values, [25, 50, 75]).tolist()
    return {"lower": lower, "median": median, "upper": upper}


def versions() -> dict[str, str]:
    found = {
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        "tinygrad_mlp": tg.__version__,
    }
    if "torch" in sys.modules:
        found["PyTorch"] = str(sys.modules["torch"].__version__)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the experiment at the reference shape.")
    parser.add_argument("--rounds", type=int, default=300, help="of measurements (300)")
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--json", action="store_true", help="as JSON")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds: 1 or more")
    arrays = [t.detach().numpy().copy() for t in problem(0, SHAPE, "full", options.dtype)]
    found = contenders(arrays)
    check(found, arrays)
    result = summary(measure(found, options.rounds))
    about = {
        "shape": list(SHAPE), "dtype": options.dtype, "rounds": options.rounds, "calls": CALLS,
        "threads": 1, "versions": versions(),
    }  # fmt: skip
    if options.json:
        print(json.dumps({**about, "times": result}, indent=2))
        return
    print(f"The loss and six gradients, N D H O = {' '.join(map(str, SHAPE))}, {options.dtype}")
    print(f"{options.rounds} rounds of {CALLS} calls each, 1 thread")
    print(", ".join(f"{name} {version}" for name, version in versions().items()))
    print(f"\n{'':22}{'median':>10}   ratio: median, quartiles")
    for name, row in result.items():
        t, r = row["microseconds"], row["ratio"]
        ratio = f"{r['median']:.2f}, {r['lower']:.2f} to {r['upper']:.2f}"
        print(f"{name:22}{t['median']:>7.1f} µs   {ratio}")


if __name__ == "__main__":
    main()
