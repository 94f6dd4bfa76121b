"""The experiment's loss and its six gradients, timed beside what people would use instead.

    python benchmarks/compare.py            time whatever is installed and print the table
    python benchmarks/compare.py --update   and write benchmarks/results.json and README's table

Contenders are the closed form written out in NumPy, the tape, the compiled function, and PyTorch,
JAX, HIPS autograd, MyGrad and scikit-learn where they are installed. All run in one process, on the
same numbers and as many threads, in turns: each round times each of them, in a new order, so that
what slows the machine down slows them all. Given are medians over the rounds, and of the ratios to
the closed form within a round the median and the quartiles. Memory is that of a second call, in a
process of its own for each contender, without the inputs and in units of the N×H activation.
"""

# ruff: noqa: E402
import argparse
import os
import sys

parser = argparse.ArgumentParser(description="Time the experiment beside its alternatives.")
parser.add_argument("--seconds", type=float, default=10, help="for each shape and dtype (10)")
parser.add_argument(
    "--shape", type=int, nargs=4, metavar=tuple("NDHO"), help="times for this shape, and no more"
)
parser.add_argument("--threads", type=int, help="for everybody (as many as there are cores)")
parser.add_argument("--only", nargs="+", metavar="NAME", help="of the contenders, these")
parser.add_argument("--json", action="store_true", help="print JSON, not a table")
parser.add_argument("--plot", metavar="FILE", help="draw time against size; needs matplotlib")
parser.add_argument("--update", action="store_true", help="write results.json and README's table")
parser.add_argument("--memory-of", help=argparse.SUPPRESS)
options = parser.parse_args()
if options.update and (options.shape or options.only):
    parser.error("--update writes all of it: without --shape and --only")
if not 0 <= options.seconds < float("inf"):
    parser.error("--seconds is a number from 0")
if options.threads is not None and options.threads < 1:
    parser.error("--threads is a number from 1")
if min(options.shape or [1]) < 1:
    parser.error("--shape is four numbers from 1")

cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
threads = options.threads or len(cores) or os.cpu_count() or 1
# Read by the libraries when they are imported; XLA counts the cores that it may run on.
for library in ("OMP", "OPENBLAS", "MKL", "VECLIB"):
    os.environ[f"{library}_NUM_THREADS"] = str(threads)
if threads == 1:
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
os.environ["JAX_PLATFORMS"] = "cpu"
if cores:
    os.sched_setaffinity(0, cores[:threads])

import gc
import json
import platform
import random
import subprocess
import tracemalloc
import warnings
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
from numpy import ndarray

import tinygrad_mlp as tg
from tinygrad_mlp.experiment.bounds import error_bounds
from tinygrad_mlp.experiment.two_layer import loss, problem

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
MARKERS = "<!-- benchmarks -->", "<!-- /benchmarks -->"
SHAPES = {  # N D H O, and the biases
    (100, 1, 20, 1): "full",
    (256, 16, 64, 4): "vector",
    (1024, 64, 256, 10): "vector",
    (4096, 256, 512, 10): "vector",
    (4096, 784, 1024, 10): "vector",
}
MEMORY_SHAPE = (4096, 256, 512, 10)
IMPORT = "import, ms over NumPy's"
DTYPES = "float32", "float64"
CHAINS = 10**3, 10**4, 10**5, 10**6

Answer = list[Any]  # the loss and the six gradients; None for those that are not given
Contender = Callable[[], Answer]


# The contenders: each takes the arrays and returns what is timed.


def closed_form(arrays: list[ndarray]) -> Contender:
    x, y, w1, w2, b1, b2 = arrays
    full = b1.shape == (len(x), w1.shape[1])

    def call() -> Answer:
        s = 1 / (1 + np.exp(-(x @ w1 + b1)))
        r = y - (s @ w2 + b2)
        by_y = 2 * r
        by_b2 = -by_y
        by_b1 = by_b2 @ w2.T * s * (1 - s)
        value, by_x, by_w1, by_w2 = (r * r).sum(), by_b1 @ w1.T, x.T @ by_b1, s.T @ by_b2
        if not full:
            by_b1, by_b2 = by_b1.sum(0), by_b2.sum(0)
        return [value, by_x, by_y, by_w1, by_w2, by_b1, by_b2]

    return call


def tape(arrays: list[ndarray], library: Any = tg) -> Contender:
    tensors = [library.tensor(a, requires_grad=True) for a in arrays]

    def call() -> Answer:
        for t in tensors:
            t.grad = None
        value = loss(*tensors)
        value.backward()
        return [value.item(), *(t.grad for t in tensors)]

    return call


def compiled(arrays: list[ndarray]) -> Contender:
    step = tg.compile(loss)

    def call() -> Answer:
        value, gradients = step(*arrays)
        return [value, *gradients]

    return call


def pytorch(arrays: list[ndarray]) -> Contender:
    torch = import_module("torch")
    torch.set_num_threads(threads)
    return tape(arrays, torch)


def jax(arrays: list[ndarray]) -> Contender:
    library = import_module("jax")
    library.config.update("jax_enable_x64", True)

    def function(x: Any, y: Any, w1: Any, w2: Any, b1: Any, b2: Any) -> Any:
        return ((y - (library.nn.sigmoid(x @ w1 + b1) @ w2 + b2)) ** 2).sum()

    step = library.jit(library.value_and_grad(function, range(6)))
    inputs = [library.numpy.asarray(a) for a in arrays]

    def call() -> Answer:
        value, gradients = library.block_until_ready(step(*inputs))
        return [value, *gradients]

    return call


def hips_autograd(arrays: list[ndarray]) -> Contender:
    library, anp = import_module("autograd"), import_module("autograd.numpy")

    def function(inputs: Any) -> Any:
        x, y, w1, w2, b1, b2 = inputs
        s = 1 / (1 + anp.exp(-(anp.dot(x, w1) + b1)))
        return anp.sum((y - (anp.dot(s, w2) + b2)) ** 2)

    step, inputs = library.value_and_grad(function), tuple(arrays)

    def call() -> Answer:
        value, gradients = step(inputs)
        return [value, *gradients]

    return call


def mygrad(arrays: list[ndarray]) -> Contender:
    library = import_module("mygrad")
    sigmoid = import_module("mygrad.nnet.activations").sigmoid
    tensors = [library.tensor(a) for a in arrays]

    def call() -> Answer:
        x, y, w1, w2, b1, b2 = tensors
        value = ((y - (sigmoid(x @ w1 + b1) @ w2 + b2)) ** 2).sum()
        value.backward()
        return [value.data, *(t.grad for t in tensors)]

    return call


def scikit_learn(arrays: list[ndarray]) -> Contender:
    """Gives no gradients for x and y, and takes biases as vectors only."""
    from inspect import signature

    x, y, w1, w2, b1, b2 = arrays
    if b1.ndim != 1:
        raise ValueError("biases are vectors")
    model = import_module("sklearn.neural_network").MLPRegressor(
        hidden_layer_sizes=(len(b1),), activation="logistic", alpha=0, solver="sgd"
    )
    model.partial_fit(x[:2], y[:2] if y.shape[1] > 1 else y[:2, 0])
    model.coefs_, model.intercepts_ = [w1, w2], [b1, b2]
    backprop = model._backprop  # there is no public way to its gradients
    weights = [None] if "sample_weight" in signature(backprop).parameters else []
    layers = [np.empty((len(x), n), x.dtype) for n in (len(b1), len(b2))]
    halves = 2 * len(x)  # it takes half of the mean over the rows

    def call() -> Answer:
        found = backprop(
            x, y, *weights, [x, *layers], [None, None], [w1 * 0, w2 * 0], [b1 * 0, b2 * 0]
        )
        value, (by_w1, by_w2), (by_b1, by_b2) = found
        scale = len(b2) * halves if scikit_learn.mean_of_outputs else halves
        return [value * scale, None, None, *(g * halves for g in (by_w1, by_w2, by_b1, by_b2))]

    return call


scikit_learn.mean_of_outputs = True  # type: ignore[attr-defined]

CONTENDERS: dict[str, Callable[[list[ndarray]], Contender]] = {
    "closed form": closed_form,
    "tape": tape,
    "compiled": compiled,
    "PyTorch": pytorch,
    "JAX jit": jax,
    "HIPS autograd": hips_autograd,
    "MyGrad": mygrad,
    "scikit-learn": scikit_learn,
}
PACKAGES = {
    "PyTorch": "torch",
    "JAX jit": "jax",
    "HIPS autograd": "autograd",
    "MyGrad": "mygrad",
    "scikit-learn": "scikit-learn",
}
OURS = "closed form", "tape", "compiled"


def installed() -> list[str]:
    names = []
    for name in CONTENDERS:
        if options.only and name not in options.only and name != "closed form":
            continue
        try:
            version(PACKAGES.get(name, "numpy"))
            names.append(name)
        except PackageNotFoundError:
            print(f"{name}: not installed, left out", file=sys.stderr)
    return names


def arrays_for(shape: tuple[int, int, int, int], dtype: str) -> list[ndarray]:
    """The experiment's, with weights that keep the activations of the wide ones in σ's bend."""
    arrays = [np.array(t.detach()) for t in problem(0, shape, SHAPES.get(shape, "full"), dtype)]
    for weights in arrays[2:4]:
        weights /= np.sqrt(np.asarray(len(weights), dtype))
    return arrays


# Time.


def agree(found: dict[str, Contender], arrays: list[ndarray]) -> None:
    """All must give the same answer, within rounding, or their times say nothing."""
    bound, bounds = error_bounds(*arrays)
    expected = found["closed form"]()
    for name, call in found.items():
        for a, b, most in zip(call(), expected, [bound, *bounds.values()], strict=True):
            if a is not None and not np.all(np.abs(np.asarray(a) - np.asarray(b)) <= 2 * most):
                sys.exit(f"{name} gives another answer than the closed form; no times")


def times(found: dict[str, Contender], seconds: float) -> dict[str, list[float]]:
    calls = {}
    for name, call in found.items():
        call()
        start = perf_counter()
        call()
        calls[name] = max(1, int(0.001 / (perf_counter() - start)))
    taken: dict[str, list[float]] = {name: [] for name in found}
    order, end = list(found), perf_counter() + seconds
    while perf_counter() < end or len(taken["closed form"]) < 5:
        random.shuffle(order)
        gc.collect()
        gc.disable()
        for name in order:
            call = found[name]
            call()  # in which the threads of the one before come to rest
            start = perf_counter()
            for _ in range(calls[name]):
                call()
            taken[name].append((perf_counter() - start) / calls[name])
        gc.enable()
    return taken


def quartiles(values: Any) -> list[float]:
    return [float(f"{q:.4g}") for q in np.percentile(values, [25, 50, 75])]


def timed(shape: tuple[int, int, int, int], dtype: str, names: list[str]) -> dict[str, Any]:
    print(f"{shape}, {dtype} ...", file=sys.stderr)
    arrays = arrays_for(shape, dtype)
    found = {}
    for name in names:
        try:
            found[name] = CONTENDERS[name](arrays)
        except ValueError as reason:
            print(f"{name} at {shape}: left out, {reason}", file=sys.stderr)
    agree(found, arrays)
    taken = times(found, options.seconds)
    base = np.array(taken["closed form"])
    return {
        "shape": shape, "biases": SHAPES.get(shape, "full"), "dtype": dtype, "rounds": len(base),
        "microseconds": {name: quartiles(np.array(t) * 1e6) for name, t in taken.items()},
        "ratio": {name: quartiles(np.array(t) / base) for name, t in taken.items()},
    }  # fmt: skip


# Memory: of a process of its own, for the allocators of a used one keep what they have.


def status(field: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def memory_of(name: str) -> dict[str, float | None]:
    small = CONTENDERS[name](arrays_for((256, 16, 64, 4), "float32"))
    small(), small()
    arrays = arrays_for(MEMORY_SHAPE, "float32")
    unit = MEMORY_SHAPE[0] * MEMORY_SHAPE[2] * 4
    call = CONTENDERS[name](arrays)
    gc.collect()
    found: dict[str, float | None] = {"process": None, "arrays": None, "first call": None}
    process = Path("/proc/self/clear_refs").exists()
    before = status("VmRSS") if process else 0
    if name in ("closed form", "tape", "compiled", "HIPS autograd", "MyGrad", "scikit-learn"):
        tracemalloc.start()  # NumPy tells it of its arrays; other libraries do not
    call()
    found["first call"] = tracemalloc.get_traced_memory()[1] / unit or None
    gc.collect()
    tracemalloc.reset_peak()
    call()
    found["arrays"] = tracemalloc.get_traced_memory()[1] / unit or None
    tracemalloc.stop()
    if process:
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the peak starts anew
        call()
        found["process"] = (status("VmHWM") - before) / unit
    return {key: value and round(value, 2) for key, value in found.items()}


def memory(names: list[str]) -> dict[str, Any]:
    command = [sys.executable, __file__, "--threads", str(threads), "--memory-of"]
    # Large arrays go back to the system when they are freed, so that peaks can be seen.
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": str(2**17)}
    return {
        name: json.loads(
            subprocess.check_output([*command, name], encoding="utf-8", env=environment)
        )
        for name in names
    }


# Chains, and importing.


def chain(library: Any, n: int) -> Callable[[], Any]:
    x = library.tensor(1.0, requires_grad=True)
    c = library.tensor(1.0)

    def call() -> None:
        y = x
        for _ in range(n):
            y = y * c
        y.backward()

    return call


def chains(names: list[str]) -> dict[str, Any]:
    libraries = {"tape": tg}
    if "PyTorch" in names:
        libraries["PyTorch"] = import_module("torch")
    found: dict[str, Any] = {name: {} for name in libraries}
    for n in CHAINS:
        taken: dict[str, list[float]] = {name: [] for name in libraries}
        for _ in range(max(3, min(50, 200_000 // n))):
            for name, library in libraries.items():
                call = chain(library, n)
                gc.collect()
                start = perf_counter()
                call()
                taken[name].append((perf_counter() - start) / n * 1e6)
        for name in libraries:
            found[name][n] = {"microseconds a node": float(f"{np.median(taken[name]):.3g}")}
        tracemalloc.start()
        chain(tg, n)()
        found["tape"][n]["bytes a node"] = round(tracemalloc.get_traced_memory()[1] / n)
        tracemalloc.stop()
    return found


def import_time() -> float:
    """Milliseconds that importing the package takes where NumPy was imported already."""
    code = (
        "import numpy; from time import perf_counter as t; a = t(); "
        "import tinygrad_mlp; print(t() - a)"
    )
    run = [sys.executable, "-c", code]
    # Of the second time and later ones: the first compiles it, for those that keep what it made.
    with TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPATH": str(HERE.parent), "PYTHONPYCACHEPREFIX": folder}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        taken = [
            float(subprocess.check_output(run, encoding="utf-8", env=environment))
            for _ in range(21)
        ]
    return round(float(np.median(taken[1:])) * 1e3, 1)


# The report.


def measured_on(names: list[str]) -> dict[str, Any]:
    """Where the figures come from: the processor and the versions, not whose machine it is."""
    processor = platform.processor() or platform.machine()
    cpus = Path("/proc/cpuinfo")
    if cpus.exists():
        lines = [
            line
            for line in cpus.read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ]
        processor = lines[0].split(":", 1)[1].strip() if lines else processor
    versions = {"Python": platform.python_version(), "NumPy": np.__version__}
    versions["tinygrad_mlp"] = tg.__version__
    versions |= {n: version(PACKAGES[n]) for n in names if n in PACKAGES}
    try:
        pools = import_module("threadpoolctl").threadpool_info()
        blas = [
            f"{p['internal_api']} {p['version']}, kernels for {p.get('architecture', '?')}"
            for p in pools
            if p["user_api"] == "blas"
        ]
    except ImportError:
        blas, pools = [], []
    for pool in pools:
        if pool["num_threads"] != threads:
            sys.exit(f"{pool['internal_api']} runs {pool['num_threads']} threads, not {threads}")
    return {
        "processor": processor, "system": platform.system(), "cores": len(cores) or os.cpu_count(),
        "threads": threads, "versions": versions, "BLAS": sorted(set(blas)),
        # How many other processes wanted a core in the minute before.
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
    }  # fmt: skip


def everything() -> dict[str, Any]:
    names = installed()
    on = measured_on(names)
    if options.shape:
        shape = tuple(options.shape)
        return {"measured on": on, "times": [timed(shape, dtype, names) for dtype in DTYPES]}
    return {
        "measured on": on,
        "times": [timed(shape, dtype, names) for shape in SHAPES for dtype in DTYPES],
        "memory, N×H at " + "×".join(map(str, MEMORY_SHAPE)): memory(names),
        "chains": chains(names),
        IMPORT: import_time(),
    }


def table(results: dict[str, Any]) -> str:
    """The results as Markdown."""
    on = results["measured on"]
    names = [n for n in CONTENDERS if any(n in case["ratio"] for case in results["times"])]
    lines = [
        "Time for the loss and all six gradients: the closed form in µs, the others as multiples of"
        " it, median (quartiles).",
        "",
        "| N D H O, dtype | " + " | ".join(names) + " |",
        "|---|" + "--:|" * len(names),
    ]
    for case in results["times"]:
        cells = [f"{' '.join(map(str, case['shape']))}, {case['dtype']}"]
        for name in names:
            if name not in case["ratio"]:
                cells.append("")
            elif name == "closed form":
                cells.append(f"{case['microseconds'][name][1]:,.0f} µs")
            else:
                low, middle, high = case["ratio"][name]
                cells.append(f"{middle:.2f} ({low:.2f}–{high:.2f})")
        lines.append(f"| {' | '.join(cells)} |")
    if IMPORT in results:
        lines += [*memory_table(results, names), *chain_table(results)]
        lines += ["", f"Importing takes {results[IMPORT]} ms on top of NumPy."]
    versions = ", ".join(f"{name} {version}" for name, version in on["versions"].items())
    load = on.get("load") or 0
    busy = f" Other programs ran meanwhile, {load:g} at a time." if load > 1 else ""
    given = " scikit-learn gives four of the six gradients." if "scikit-learn" in names else ""
    lines += [
        "",
        f"Measured on {on['processor']}, {on['cores']} cores, {on['threads']} threads for each, "
        f"with {', '.join([versions, *on['BLAS']])}.{busy}{given}",
    ]
    return "\n".join(lines)


def memory_table(results: dict[str, Any], names: list[str]) -> list[str]:
    title = next(key for key in results if key.startswith("memory"))
    kinds = {"arrays": "NumPy arrays", "process": "the process", "first call": "first call"}
    lines = ["", f"Peak {title}:", "", "| | " + " | ".join(names) + " |"]
    lines.append("|---|" + "--:|" * len(names))
    for kind, label in kinds.items():
        row = (results[title].get(name, {}).get(kind) for name in names)
        lines.append(f"| {label} | {' | '.join('' if m is None else f'{m:.1f}' for m in row)} |")
    return lines


def chain_table(results: dict[str, Any]) -> list[str]:
    lines = ["", "Chain of n steps `y = y * c`, forward and backward, for each node:", ""]
    lines += ["| n | " + " | ".join(results["chains"]) + " |"]
    lines += ["|---|" + "--:|" * len(results["chains"])]
    for n in CHAINS:
        row = []
        for found in results["chains"].values():
            node = found.get(n) or found[str(n)]  # a key of JSON is text
            memory = f", {node['bytes a node']} bytes" if "bytes a node" in node else ""
            row.append(f"{node['microseconds a node']:.2f} µs{memory}")
        lines.append(f"| {n:,} | {' | '.join(row)} |")
    return lines


def update(results: dict[str, Any]) -> None:
    before, rest = README.read_text(encoding="utf-8").split(MARKERS[0])
    after = rest.split(MARKERS[1])[1]
    (HERE / "results.json").write_text(
        json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    README.write_text(
        f"{before}{MARKERS[0]}\n{table(results)}\n{MARKERS[1]}{after}", encoding="utf-8"
    )


def require_what_is_asked_for() -> None:
    """End here, and not after all has been timed, where an option cannot be met."""
    unknown = [name for name in options.only or () if name not in CONTENDERS]
    if unknown:
        parser.error(f"--only: no {', '.join(unknown)}; there are {', '.join(CONTENDERS)}")
    if options.plot:
        try:
            import_module("matplotlib")
        except ImportError:
            sys.exit("--plot needs matplotlib: pip install 'tinygrad-mlp[plot]'")
        if not Path(options.plot).parent.is_dir():
            parser.error(f"--plot: there is no folder {Path(options.plot).parent}")


def plot(results: dict[str, Any], path: str) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    cases = [case for case in results["times"] if case["dtype"] == "float32"]
    figure, axes = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
    for name in CONTENDERS:
        points = [
            (np.prod(c["shape"][:3]), c["microseconds"][name][1])
            for c in cases
            if name in c["microseconds"]
        ]
        if points:
            axes.loglog(*zip(*points), "o-", label=name, linewidth=2 if name in OURS else 1)
    axes.set(xlabel="N × D × H", ylabel="µs for the loss and its gradients, float32")
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(path)


def main() -> None:
    warnings.simplefilter("ignore")
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    if options.memory_of:
        print(json.dumps(memory_of(options.memory_of)))
        return
    require_what_is_asked_for()
    results = everything()
    print(json.dumps(results, indent=1, ensure_ascii=False) if options.json else table(results))
    if options.plot:
        plot(results, options.plot)
    if options.update:
        update(results)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("interrupted; nothing was written", file=sys.stderr)
        sys.exit(130)
