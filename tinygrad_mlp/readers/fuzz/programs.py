"""Programs over the table of ops, as plain data.

A program is a few leaves with their numbers and a list of steps, each an op on what came before.
As data it can be run under this package, under PyTorch and on plain arrays, printed as a Python
script, kept in a file, and made smaller.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from ...core.ops import Shape
from .arrays import NUMPY, Arrays, realised
from .builders import Options
from .quoted import called, scatter
from .specs import DTYPES, spec

LARGEST = 1e4  # of what a program computes
MOST = 64  # entries of a value
FORMAT = 1


class Leaf(NamedTuple):
    """An input: its shape, its dtype, its entries row by row, and whether it has a gradient."""

    shape: Shape
    dtype: str
    values: tuple[float, ...]
    requires_grad: bool = True

    def array(self) -> ndarray:
        return np.array(self.values, self.dtype).reshape(self.shape)


class Step(NamedTuple):
    """An op, the places of its inputs among the leaves and the steps before it, its options."""

    op: str
    inputs: tuple[int, ...]
    options: Options


class Program(NamedTuple):
    """Leaves, then steps; a value's place is its number in that order. ``outputs`` are places.

    >>> from tinygrad_mlp.testing import generate
    >>> program = generate(seed=3)
    >>> Program.from_json(program.to_json()) == program
    True
    """

    leaves: tuple[Leaf, ...]
    steps: tuple[Step, ...]
    outputs: tuple[int, ...]

    def to_json(self) -> str:
        """The program as JSON, which ``from_json`` reads."""
        return json.dumps(
            {
                "format": FORMAT,
                "leaves": [leaf._asdict() for leaf in self.leaves],
                "steps": [step._asdict() for step in self.steps],
                "outputs": self.outputs,
            },
            allow_nan=False,
        )

    @staticmethod
    def from_json(text: str) -> Program:
        """A program from JSON; ValueError where it is not one that can run."""
        try:
            data = json.loads(text)
            if data["format"] != FORMAT:
                raise ValueError(f"format {data['format']} is not {FORMAT}")
            program = Program(
                tuple(
                    Leaf(
                        tuple(map(whole, x["shape"])),
                        str(x["dtype"]),
                        tuple(map(float, x["values"])),
                        bool(x["requires_grad"]),
                    )
                    for x in data["leaves"]
                ),
                tuple(
                    Step(str(s["op"]), tuple(map(whole, s["inputs"])), frozen(dict(s["options"])))
                    for s in data["steps"]
                ),
                tuple(map(whole, data["outputs"])),
            )
        except (
            KeyError, TypeError, AttributeError, OverflowError, RecursionError, json.JSONDecodeError
        ) as error:  # fmt: skip
            raise ValueError(f"not a program: {type(error).__name__}: {error}") from None
        trace(program)
        return program

    @property
    def size(self) -> tuple[int, int]:
        """How many steps there are, and how many entries the largest leaf has."""
        return len(self.steps), max((len(leaf.values) for leaf in self.leaves), default=0)


def whole(value: Any) -> int:
    if type(value) is not int:
        raise ValueError(f"not a program: {value!r} is not a whole number")
    return value


def frozen(value: Any) -> Any:
    """Lists as tuples, all the way down."""
    if isinstance(value, dict):
        return {str(k): frozen(v) for k, v in value.items()}
    return tuple(map(frozen, value)) if isinstance(value, (list, tuple)) else value


# Running a step.


@cache
def compiled(text: str, options: tuple[str, ...]) -> Callable[..., Any]:
    """An op's text as a function of the library, the inputs and the options."""
    filled = text.format(
        x="xs[0]", y="xs[1]", z="xs[2]", xs="xs", **{k: f"options[{k!r}]" for k in options}
    )
    helpers = {"called": called, "scatter": scatter}
    function: Callable[..., Any] = eval(f"lambda lib, xs, options: {filled}", helpers)
    return function


def evaluated(op: str, lib: Any, xs: list[Any], options: Options) -> Any:
    """An op under a library: this package, PyTorch or an ``Arrays``."""
    how = spec(op)
    if not isinstance(lib, Arrays):
        return compiled(how.written(options), how.options)(lib, xs, prepared(lib, options))
    given = prepared(lib, options)
    return how.on_arrays(lib)(*([xs] if how.arity is None else xs), *map(given.get, how.options))


def prepared(lib: Any, options: Options) -> Options:
    if "index" in options:
        return {**options, "index": realised(lib, options["index"])}
    if "dtype" in options and not isinstance(lib, Arrays):
        return {"dtype": getattr(lib, options["dtype"])}
    return options


# What a program has to be.


class Traced(NamedTuple):
    """All values of a program, in float64, and the dtypes that they have."""

    values: list[ndarray]
    dtypes: list[str]


def trace(program: Program) -> Traced:
    """All values of a program on plain arrays; ValueError where it cannot run, or near a kink."""
    leaves, steps, outputs = program
    values: list[ndarray] = []
    dtypes: list[str] = []
    for i, leaf in enumerate(leaves):
        if leaf.dtype not in DTYPES:
            raise ValueError(f"leaf {i}: dtype {leaf.dtype!r} is not one of {', '.join(DTYPES)}")
        if any(n < 0 for n in leaf.shape) or math.prod(leaf.shape) != len(leaf.values):
            raise ValueError(f"leaf {i}: {len(leaf.values)} values do not fill {leaf.shape}")
        with np.errstate(over="ignore"):  # what is too large is refused below
            array = leaf.array()
        if not np.isfinite(array).all() or array.ravel().tolist() != list(leaf.values):
            raise ValueError(f"leaf {i}: an entry is not a finite {leaf.dtype}")
        values.append(array.astype(np.float64))
        dtypes.append(leaf.dtype)
    for step in steps:
        place = len(values)
        if not step.inputs or any(not 0 <= i < place for i in step.inputs):
            raise ValueError(f"step {place}: an input is not an earlier value")
        try:
            check_form(step)
            values.append(result(step.op, [values[i] for i in step.inputs], step.options))
            kinds = [(dtypes[i], values[i].ndim) for i in step.inputs]
            dtypes.append(result_dtype(step.op, kinds, step.options))
        except (IndexError, TypeError, ValueError, ArithmeticError) as error:
            raise ValueError(f"step {place}: {step.op}: {error}") from None
    if not outputs or any(not 0 <= i < len(values) for i in outputs):
        raise ValueError("an output is not a value of the program")
    return Traced(values, dtypes)


def wrong_dtype(program: Program, quantities: Mapping[str, ndarray]) -> str | None:
    """Which quantity has another dtype than PyTorch's rules give; a gradient has its leaf's."""
    expected = trace(program).dtypes
    for name, array in quantities.items():
        dtype = expected[int(name.rpartition("x")[2])]
        if array.dtype != dtype:
            return f"{name} is of {array.dtype}, not {dtype}"
    return None


def result(op: str, xs: list[ndarray], options: Options) -> ndarray:
    """An op on arrays; ValueError where its derivative does not exist, or nearly so."""
    if not spec(op).smooth(xs, options):
        raise ValueError("near a kink or a pole")
    with np.errstate(all="ignore"):
        out = np.asarray(evaluated(op, NUMPY, xs, options))
    if out.size > MOST or out.ndim > 4 or not (np.abs(out) <= LARGEST).all():
        raise ValueError("too large")
    return out


def result_dtype(op: str, inputs: list[tuple[str, int]], options: Options) -> str:
    """The dtype by PyTorch's rules: a 0-d input does not count beside one with axes."""
    if op == "cast":
        return str(options["dtype"])
    if op == "matmul" and len({dtype for dtype, _ in inputs}) > 1:
        raise ValueError("PyTorch multiplies matrices of one dtype")
    if op == "where":
        inputs = inputs[1:]
    deciding = [dtype for dtype, ndim in inputs if ndim] if op != "cat" else []
    return "float64" if "float64" in (deciding or [d for d, _ in inputs]) else "float32"


def check_form(step: Step) -> None:
    """ValueError where a step is not one to run, whatever its inputs."""
    how, options = spec(step.op), step.options
    if how.arity not in (None, len(step.inputs)):
        raise ValueError(f"it does not have {len(step.inputs)} inputs")
    if set(options) != set(how.options):
        raise ValueError(f"its options are {', '.join(how.options) or 'none'}")
    if options.get("dtype", DTYPES[0]) not in DTYPES:
        raise ValueError(f"{options['dtype']!r} is not one of {', '.join(DTYPES)}")
    if not all(map(is_entry, options.get("index", ()))):
        raise ValueError(f"{options['index']} is not an index")
    if math.prod(options.get("into", ())) > MOST:
        raise ValueError("too large")
    if options.get("low", 0) is None is options["high"]:
        raise ValueError("give low or high")


def is_entry(e: Any) -> bool:
    """Whether this is an entry of an index, as data."""
    if isinstance(e, tuple):
        kind, *rest = e
        if kind == "slice" and len(rest) == 3:
            return all(n is None or type(n) is int for n in rest) and (rest[2] or 1) > 0
        return kind == "array" and len(rest) == 1 and all(type(n) is int for n in rest[0])
    return e is None or type(e) is int or e == "..."
