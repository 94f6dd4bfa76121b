"""``tinygrad-mlp compare``: one function under this library and under PyTorch."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from typing import Any

from .arguments import Run, seed, size
from .functions import Function, add_to, refuse_misplaced, running


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
    add_to(parser)
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
        if options.full and not options.json:
            parser.error("--full goes with --json")
        refuse_misplaced(parser, options, "shape", "bias")
        from ..compare.libraries import require_torch

        try:
            require_torch()
            found, agree, tolerance = (of_function if options.function else experiment)(options)
        except (ModuleNotFoundError, ValueError, RuntimeError) as error:
            parser.error(str(error))
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
    from ..compare import compare
    from ..experiment import two_layer
    from ..experiment.bounds import error_bounds

    sizes = tuple(options.shape or (100, 1, 20, 1))
    tensors = two_layer.problem(options.seed, sizes, options.bias or "full", options.dtype)
    arrays = [t.detach().numpy() for t in tensors]
    found = compare(two_layer.loss, *arrays, seed=options.seed, seconds=options.seconds)
    if options.tolerance is not None:
        return found, bool(found.largest.scaled <= options.tolerance), options.tolerance
    bound, bounds = error_bounds(*arrays)
    pairs = [(found.value, bound), *((found.gradients[name], bounds[name]) for name in bounds)]
    # Each is at most the bound from the exact value, so that the two are at most twice that apart.
    return found, all(bool((abs(d.ours - d.theirs) <= 2 * b).all()) for d, b in pairs), None


def of_function(options: Namespace) -> tuple[Any, bool, float]:
    """A function of the user's, whether it agrees, and what is tolerated."""
    import numpy as np

    from ..compare import compare

    function = Function(options.function)
    leaves = function.inputs(options.shapes, options.seed, options.dtype)
    arrays, named = function.arranged({name: x.detach().numpy() for name, x in leaves.items()})
    with running(function.place, function.file):
        found = compare(
            function.__wrapped__, *arrays, seed=options.seed, seconds=options.seconds, **named
        )
    tolerance = options.tolerance
    if tolerance is None:
        tolerance = float(np.finfo(options.dtype).eps) ** 0.5
    return found, bool(found.largest.scaled <= tolerance), tolerance


def positive(word: str) -> float:
    try:
        number = float(word)
    except ValueError:
        number = -1.0
    if not 0 <= number < 1e6:
        raise ArgumentTypeError(f"{word!r} is not a number from 0")
    return number
