"""One function body under this library and under PyTorch: values, gradients, time and memory."""

from __future__ import annotations

import builtins
import gc
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from inspect import signature
from math import isfinite
from textwrap import wrap
from time import perf_counter
from types import CellType, FunctionType, ModuleType
from typing import Any

import numpy as np
from numpy import ndarray

from ..torch.tensor import Tensor

OURS = __name__.partition(".")[0]
THEIRS = "torch"
FEW = 5  # entries of an array that are shown
NEEDED = "PyTorch is not installed: pip install 'tinygrad-mlp[compare]'"


@dataclass(frozen=True)
class Difference:
    """How far the entries of two arrays of one shape are from each other, at most.

    ``ulps`` counts in units in the last place of the larger of the two entries, ``relative`` is
    to it, and ``scaled`` is to the largest entry of the whole array. All are 0 where two entries
    are equal or both nan, and infinite where only one of the two is finite.

    >>> import numpy as np
    >>> difference = Difference.between("x", np.float32([1.0, 0.1]), np.float32([1.0000001, 0.1]))
    >>> difference.ulps, difference.shape, difference.equal
    (1.0, (2,), 1)
    """

    name: str
    shape: tuple[int, ...]
    ulps: float
    relative: float
    absolute: float
    scaled: float
    equal: int  # how many entries are the same, bit for bit but for the sign of 0
    ours: ndarray = field(repr=False, compare=False)
    theirs: ndarray = field(repr=False, compare=False)

    @classmethod
    def between(cls, name: str, ours: ndarray, theirs: ndarray) -> Difference:
        """Of two arrays; ValueError where their shapes or dtypes differ."""
        if (ours.shape, ours.dtype) != (theirs.shape, theirs.dtype):
            raise ValueError(
                f"compare: {name} has shape {ours.shape} and dtype {ours.dtype} here, and shape "
                f"{theirs.shape} and dtype {theirs.dtype} under PyTorch"
            )
        if not ours.size:
            return cls(name, ours.shape, 0.0, 0.0, 0.0, 0.0, 0, ours, theirs)
        a, b = (x if x.dtype.kind == "f" else x.astype(np.float64) for x in (ours, theirs))
        with np.errstate(all="ignore"):
            same = (a == b) | (np.isnan(a) & np.isnan(b))
            one = np.where(same, 0, np.abs(a.astype(np.longdouble) - b))
            larger = np.maximum(np.abs(a), np.abs(b))
            apart = np.where(same | np.isfinite(one), one, np.inf)
            info = np.finfo(a.dtype)
            # np.spacing has none for the largest number.
            exponent = np.maximum(np.frexp(larger)[1] - 1, info.minexp) - info.nmant
            ulps = np.where(same, 0, apart / np.ldexp(np.longdouble(1), exponent))
            relative = np.where(same, 0, apart / larger)
            largest = np.max(larger, initial=0, where=np.isfinite(larger))
            scaled = np.where(same, 0, apart / (largest or 1))
        worst = (np.where(np.isnan(x), np.inf, x).max() for x in (ulps, relative, apart, scaled))
        by_ulps, by_size, by_itself, by_largest = map(float, worst)
        equal = int(same.sum())
        return cls(name, ours.shape, by_ulps, by_size, by_itself, by_largest, equal, ours, theirs)

    def to_dict(self, most: int | None = FEW) -> dict[str, Any]:
        """The same for JSON, with at most so many of the entries, or with all."""
        return {
            "shape": list(self.shape),
            "ulps": finite(self.ulps),
            "relative": finite(self.relative),
            "absolute": finite(self.absolute),
            "relative_to_largest_entry": finite(self.scaled),
            "equal_entries": self.equal,
            "here": [finite(x) for x in self.ours.ravel()[:most].tolist()],
            "under_torch": [finite(x) for x in self.theirs.ravel()[:most].tolist()],
        }


@dataclass(frozen=True)
class Comparison:
    """What ``compare`` found. Printed, it is a table; in a notebook, a table in HTML.

    ``value`` and ``gradients`` are Differences; ``seconds`` and ``peak_bytes`` have for each
    library, by its name, the median time of one call forward and backward, and how much more
    memory than before was in use in such a call at most.
    """

    function: str
    dtypes: dict[str, str]
    value: Difference
    gradients: dict[str, Difference]
    seconds: dict[str, float]
    peak_bytes: dict[str, int]
    rounds: int
    threads: int
    versions: dict[str, str]

    @property
    def largest(self) -> Difference:
        """Of the value and the gradients, the one that differs most for its size."""
        return max([self.value, *self.gradients.values()], key=lambda d: d.scaled)

    def __str__(self) -> str:
        return "\n".join(self.lines())

    __repr__ = __str__

    def heading(self) -> str:
        """What was compared, with what."""
        kinds = ", ".join(dict.fromkeys(self.dtypes.values()))
        libraries = " and ".join(f"{title(k)} {v}" for k, v in self.versions.items())
        return f"{self.function}, {kinds}, under {libraries}"

    def rows(self) -> list[list[str]]:
        """The table of differences, as words: its heading, then a row for each."""
        found = [self.value, *self.gradients.values()]
        names = ["value", *(f"∂/∂{name}" for name in self.gradients)]
        head = ["largest difference", "shape", "ulps", "relative", "absolute", "scaled", "equal"]
        return [head] + [
            [
                name,
                "×".join(map(str, d.shape)) or "a number",
                f"{d.ulps:.0f}" if d.ulps < 1e6 else f"{d.ulps:.0e}",
                f"{d.relative:.1e}",
                f"{d.absolute:.1e}",
                f"{d.scaled:.1e}",
                f"{d.equal} of {int(np.prod(d.shape))}",
            ]
            for name, d in zip(names, found, strict=True)
        ]

    def costs(self) -> list[list[str]]:
        """The table of times and memory, as words."""
        libraries = list(self.seconds)
        first, second = libraries
        times, sizes = self.seconds, self.peak_bytes
        return [
            ["", *map(title, libraries), "ratio"],
            [
                "time of a call",
                *(duration(times[k]) for k in libraries),
                f"{times[first] / times[second]:.2f}" if times[second] else "-",
            ],
            [
                "peak memory",
                *(size(sizes[k]) for k in libraries),
                f"{sizes[first] / sizes[second]:.2f}" if sizes[second] else "-",
            ],
        ]

    def notes(self) -> str:
        """What the figures are."""
        return (
            "Ulps and relative are those of an entry, scaled is to the largest entry. Times are "
            f"medians of {self.rounds} rounds, forward and backward, PyTorch with {self.threads} "
            f"thread{'s' * (self.threads != 1)}; memory is that of arrays and, here, of objects."
        )

    def lines(self) -> Iterator[str]:
        """The tables as lines of at most 80 columns."""
        yield from wrap(self.heading(), 80)
        if self.value.shape == ():
            yield f"value {self.value.ours.item():.9g} here, {self.value.theirs.item():.9g} there"
        yield ""
        yield from aligned(self.rows())
        yield ""
        yield from aligned(self.costs())
        yield ""
        yield from wrap(self.notes(), 80)

    def _repr_html_(self) -> str:
        from html import escape  # most programs need neither this nor tracemalloc

        parts = [f"<p>{escape(self.heading())}</p>"]
        for table in (self.rows(), self.costs()):
            cells = [
                "<tr>" + "".join(f"<{tag}>{escape(word)}</{tag}>" for word in row) + "</tr>"
                for tag, row in zip(["th", *["td"] * len(table)], table)
            ]
            parts.append("<table>" + "".join(cells) + "</table>")
        return "".join([*parts, f"<p>{escape(self.notes())}</p>"])

    def to_dict(self, most: int | None = FEW) -> dict[str, Any]:
        """The same as plain dicts, lists, numbers and strings, for JSON.

        Of each array at most so many entries are in it, or with None all. nan and the infinities,
        which JSON has not, are None.
        """
        return {
            "function": self.function,
            "dtypes": self.dtypes,
            "versions": self.versions,
            "value": self.value.to_dict(most),
            "gradients": {name: d.to_dict(most) for name, d in self.gradients.items()},
            "seconds": self.seconds,
            "peak_bytes": self.peak_bytes,
            "rounds": self.rounds,
            "threads": self.threads,
        }


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


class Run:
    """A function under one of the libraries, on Tensors that it makes anew for each call."""

    def __init__(
        self,
        library: Any,
        function: Callable[..., Any],
        arrays: Sequence[ndarray],
        seed: int,
        keywords: Sequence[str],
    ) -> None:
        self.library = library
        self.function = function
        self.arrays = arrays
        self.seed = seed
        self.keywords = keywords  # of the last of the arrays

    def leaves(self) -> list[Any]:
        made = []
        for a in self.arrays:
            x = self.library.from_numpy(a.copy())
            made.append(x.requires_grad_() if a.dtype.kind == "f" else x)
        return made

    def __call__(self, leaves: list[Any]) -> Any:
        """The function's result, after the walk back from it."""
        n = len(leaves) - len(self.keywords)
        out = self.function(*leaves[:n], **dict(zip(self.keywords, leaves[n:])))
        if getattr(out, "requires_grad", False):
            (out if out.ndim == 0 else out.sum()).backward()
        return out

    def answer(self) -> tuple[ndarray, list[ndarray | None]]:
        """The value, and the gradient of each array where there is one."""
        self.library.manual_seed(self.seed)
        leaves = self.leaves()
        try:
            out = self(leaves)
        except Exception as error:
            error.add_note(f"raised under {title(self.library.__name__)}")
            raise
        if not isinstance(out, self.library.Tensor):
            raise TypeError(f"compare: the function must return a Tensor, not {type(out).__name__}")
        value = np.array(out.detach().numpy())
        return value, [
            None if x.grad is None else np.array(x.grad.detach().numpy()) for x in leaves
        ]


def require_torch() -> Any:
    """PyTorch; ModuleNotFoundError, which says how to install it, where it is not."""
    # Its profiler would log to stderr when it starts.
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    try:
        return import_module(THEIRS)
    except ModuleNotFoundError as error:
        if error.name != THEIRS:
            raise
        raise ModuleNotFoundError(NEEDED, name=THEIRS) from None


def as_data(name: str, value: Any) -> ndarray:
    """What a Tensor of the value would hold."""
    try:
        return np.array(Tensor(value).detach().numpy())
    except (TypeError, ValueError) as error:
        raise type(error)(f"compare: {name}: {error}") from None


def names_of(function: Callable[..., Any], n: int, keywords: Collection[str] = ()) -> list[str]:
    """The names of the function's parameters that n arrays and those by keyword go to."""
    if not callable(function):
        raise TypeError(f"compare: a function is needed, not {type(function).__name__}")
    try:
        parameters = list(signature(function).parameters.values())
    except (TypeError, ValueError):  # of something built in, or that is no function
        return [*(f"x{i}" for i in range(n)), *keywords]
    try:
        signature(function).bind(*range(n), **dict.fromkeys(keywords))
    except TypeError:
        wanted = ", ".join(p.name for p in parameters) or "none"
        given = f"{n + len(keywords)} arrays are given"
        raise TypeError(f"compare: the function takes {wanted}, and {given}") from None
    names: list[str] = []
    for p in parameters:
        if p.kind is p.VAR_POSITIONAL:
            names += [f"{p.name}{i}" for i in range(n - len(names))]
        elif p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD):
            names.append(p.name)
    return [*names[:n], *keywords]


# The same body under another library.


def under(function: Callable[..., Any], library: str) -> Callable[..., Any]:
    """The function, in which what belongs to either library is this library's."""
    if not isinstance(function, FunctionType):
        found: Callable[..., Any] = counterpart(function, library)
        return found
    return Namespace(function, library).remade(function)


class Namespace(dict[str, Any]):
    """The globals of a function, which give each name as the library has it."""

    def __init__(self, function: FunctionType, library: str) -> None:
        super().__init__(__builtins__=builtins)
        self.library = library
        self.home = function.__globals__
        self.done: dict[int, Any] = {}
        self.update((k, v) for k, v in self.home.items() if k != "__builtins__")
        for name, value in self.home.items():
            if name != "__builtins__":
                self[name] = self.seen(value)

    def seen(self, value: Any) -> Any:
        if isinstance(value, FunctionType) and value.__globals__ is self.home:
            return self.remade(value)
        return counterpart(value, self.library)

    def remade(self, function: FunctionType) -> FunctionType:
        if id(function) in self.done:
            found: FunctionType = self.done[id(function)]
            return found
        cells = tuple(CellType() for _ in function.__closure__ or ())
        made = FunctionType(
            function.__code__, self, function.__name__, function.__defaults__, cells or None
        )
        made.__kwdefaults__ = function.__kwdefaults__
        self.done[id(function)] = made
        for cell, original in zip(cells, function.__closure__ or (), strict=True):
            cell.cell_contents = self.seen(original.cell_contents)
        return made


PARTS = ("", "nn", "nn.functional", "optim", "autograd", "autograd.functional")


def counterpart(value: Any, library: str) -> Any:
    """What a library has in place of a module, function, class or dtype of the other one."""
    other = THEIRS if library == OURS else OURS
    if isinstance(value, ModuleType):
        name, _, inside = value.__name__.partition(".")
        if name != other:
            return value
        try:
            return import_module(f"{library}.{inside}" if inside else library)
        except ImportError:
            return value
    is_dtype = type(value).__name__.lower().endswith("dtype")
    named: Any = str(value).removeprefix("torch.") if is_dtype else getattr(value, "__name__", None)
    if not isinstance(named, str):
        return value
    for part in PARTS:
        try:
            place = import_module(f"{other}.{part}" if part else other)
            if getattr(place, named, None) is value:
                mine = import_module(f"{library}.{part}" if part else library)
                return getattr(mine, named)
        except (ImportError, AttributeError):
            continue
    return value


# Time and memory.


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
    import tracemalloc

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


# In words.


def title(library: str) -> str:
    return "PyTorch" if library == THEIRS else library


def finite(number: float) -> float | None:
    return number if isfinite(number) else None


def duration(seconds: float) -> str:
    for unit, name in ((1, "s"), (1e-3, "ms")):
        if seconds >= unit:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds * 1e6:.3g} µs"


def size(count: int) -> str:
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count} B"


def aligned(rows: list[list[str]]) -> Iterator[str]:
    """Rows of words in columns, the first of them to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        first, *others = (
            word.rjust(w) if i else word.ljust(w)
            for i, (word, w) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join([first, *others]).rstrip()
