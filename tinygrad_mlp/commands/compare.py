"""``tinygrad-mlp compare``: one function under this library and under PyTorch."""

from __future__ import annotations

import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from typing import Any

from .arguments import Run, seed, size, too_large


def compare(parser: ArgumentParser) -> Run:
    """Compare a function here and under PyTorch: numbers, time, memory.

    Prints how far the value and each gradient differ, in units in the last
    place and relatively, and what a call takes in time and memory. Without a
    function it is the two-layer network of the experiment. Your own one is
    named as FILE.py:FUNCTION, with the shape of each array that it takes;
    where it says torch or tinygrad_mlp, each run sees its own library.

    The arrays are those of randn after manual_seed. The exit status is 0 if the
    two agree, 1 if they do not, and 2 where the command could not run. They
    agree if no difference is larger than rounding explains, which is known of
    the experiment, and for your function than --tolerance.

      tinygrad-mlp compare model.py:loss --shapes 100x3 3x2 2
    """
    parser.add_argument("function", nargs="?", metavar="FILE.py:FUNCTION", type=named)
    parser.add_argument(
        "--shapes",
        nargs="+",
        type=shape,
        metavar="SHAPE",
        help="of the arrays that FUNCTION takes: 100x3, 20 for a vector, or scalar",
    )
    parser.add_argument(
        "--shape",
        type=size,
        nargs=4,
        metavar=("N", "D", "H", "O"),
        help="of the experiment: rows, inputs, hidden units, outputs (100 1 20 1)",
    )
    parser.add_argument(
        "--bias",
        choices=("full", "row", "vector", "scalar"),
        help="of the experiment: shapes of b1 and b2 (full)",
    )
    parser.add_argument(
        "--dtype", choices=("float32", "float64"), default="float32", help="(float32)"
    )
    parser.add_argument("--seed", type=seed, default=0, help="of the random numbers (0)")
    parser.add_argument(
        "--tolerance",
        type=positive,
        metavar="T",
        help="the largest difference that agrees, relative to an array's largest entry"
        " (of FUNCTION √ε of the dtype, half of its digits)",
    )
    parser.add_argument(
        "--seconds", type=positive, default=0.5, metavar="S", help="for the timing (0.5)"
    )
    parser.add_argument("--full", action="store_true", help="with --json: every entry, not a few")
    parser.add_argument("--json", action="store_true", help="as JSON")

    def run(options: Namespace) -> int:
        if options.function is None and options.shapes:
            parser.error("argument --shapes: is of FILE.py:FUNCTION; the experiment has --shape")
        if options.function is not None and (options.shape or options.bias):
            parser.error("arguments --shape and --bias: are the experiment's; use --shapes")
        if options.function is not None and not options.shapes:
            parser.error("argument --shapes: say the shape of each array, as 100x3, 20 or scalar")
        from ..compare import require_torch

        try:
            require_torch()
            found, agree, tolerance = (by_name if options.function else experiment)(options)
        except Exception as error:
            parser.error(in_one_line(error))
        if options.json:
            import json

            result = found.to_dict(None if options.full else 5)
            result |= {"tolerance": tolerance, "agree": agree}
            print(json.dumps(result, indent=2, allow_nan=False))
        else:
            print(found)
            if tolerance is not None:
                how_many = "No" if agree else "A"
                print(f"{how_many} difference is above the tolerance, {tolerance:.1e} scaled.")
            print("The two agree." if agree else "The two DISAGREE.")
        return 0 if agree else 1

    return run


def experiment(options: Namespace) -> tuple[Any, bool, float | None]:
    """The two-layer network, whether rounding explains the differences, and what is tolerated."""
    from .. import two_layer
    from ..compare import compare

    sizes = tuple(options.shape or (100, 1, 20, 1))
    tensors = two_layer.problem(options.seed, sizes, options.bias or "full", options.dtype)
    arrays = [t.detach().numpy() for t in tensors]
    found = compare(two_layer.loss, *arrays, seed=options.seed, seconds=options.seconds)
    if options.tolerance is not None:
        return found, bool(found.largest.scaled <= options.tolerance), options.tolerance
    bound, bounds = two_layer.error_bounds(*arrays)
    pairs = [(found.value, bound), *((found.gradients[name], bounds[name]) for name in bounds)]
    # Each is at most the bound from the exact value, so that the two are at most twice that apart.
    return found, all(bool((abs(d.ours - d.theirs) <= 2 * b).all()) for d, b in pairs), None


def by_name(options: Namespace) -> tuple[Any, bool, float]:
    """A function of a file, on random arrays, whether it agrees, and what is tolerated."""
    import numpy as np

    from ..compare import compare
    from ..random import Generator

    function = loaded(*options.function)
    generator = Generator().manual_seed(options.seed)
    arrays = [generator.normal(s, np.dtype(options.dtype)) for s in options.shapes]
    found = compare(function, *arrays, seed=options.seed, seconds=options.seconds)
    tolerance = options.tolerance
    if tolerance is None:
        tolerance = float(np.finfo(options.dtype).eps) ** 0.5
    return found, bool(found.largest.scaled <= tolerance), tolerance


def loaded(file: str, name: str) -> Any:
    """The function of this name in a file of Python."""
    import runpy
    import sys
    from pathlib import Path

    path = Path(file)
    if not path.is_file():
        raise ValueError(f"there is no file {file}")
    sys.path.insert(0, str(path.resolve().parent))
    try:
        there = runpy.run_path(file)
    except SystemExit as error:
        raise ValueError(f"{file} exits when it is run") from error
    if not callable(there.get(name)):
        functions = [n for n, f in there.items() if callable(f) and getattr(f, "__code__", None)]
        hint = f"; its functions are: {', '.join(functions)}" if functions else ""
        raise ValueError(f"{file} has no function {name!r}{hint}")
    return there[name]


def in_one_line(error: Exception) -> str:
    """An error and what was noted with it, as one line."""
    said = " ".join(str(error).split()) or type(error).__name__
    notes = ", ".join(getattr(error, "__notes__", ()))
    if isinstance(error, (ValueError, ModuleNotFoundError)) and not notes:
        return said
    return f"{type(error).__name__}: {said}" + f" ({notes})" * bool(notes)


def named(word: str) -> tuple[str, str]:
    file, _, name = word.rpartition(":")
    if not file or not name.isidentifier():
        raise ArgumentTypeError(f"{word!r} is not of the form FILE.py:FUNCTION")
    return file, name


def shape(word: str) -> tuple[int, ...]:
    """One of --shapes: sizes with x between them."""
    if word in ("scalar", "()"):
        return ()
    if not re.fullmatch(r"\d+([x×,]\d+)*,?", word):
        raise ArgumentTypeError(f"{word!r} is not a shape; write 100x3, 20 or scalar")
    sizes = tuple(int(n) for n in re.findall(r"\d+", word))
    if too_large(sizes):
        raise ArgumentTypeError(f"{word} {too_large(sizes)}")
    return sizes


def positive(word: str) -> float:
    try:
        number = float(word)
    except ValueError:
        number = -1.0
    if not 0 <= number < 1e6:
        raise ArgumentTypeError(f"{word!r} is not a number from 0")
    return number
