"""``tinygrad-mlp compare``: one function under this library and under PyTorch."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

import numpy as np

from ..compare import Comparison, compare
from ..compare.libraries import require_torch
from ..experiment import two_layer
from ..experiment.bounds import error_bounds
from . import options
from .functions import Function, running
from .printing import print_json
from .words import not_negative

PARENTS = (
    options.function(),
    options.network(),
    options.drawn(),
    options.output(json="as JSON", full="with --json: every entry, not a few"),
)


def add(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--tolerance",
        type=not_negative,
        metavar="T",
        help="the largest difference that agrees, relative to an array's largest entry"
        " (of FUNCTION √ε of the dtype, half of its digits)",
    )
    parser.add_argument(
        "--seconds", type=not_negative, default=0.5, metavar="S", help="for the timing (0.5)"
    )


def run(parser: ArgumentParser, given: Namespace) -> int:
    """Prints how far the value and each gradient differ, in units in the last
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
    if given.full and not given.json:
        parser.error("--full goes with --json")
    options.refuse_misplaced(parser, given)
    try:
        require_torch()
        found, agree, tolerance = (of_function if given.function else of_network)(given)
    except (ModuleNotFoundError, ValueError, RuntimeError) as error:
        parser.error(str(error))
    if given.json:
        result = found.to_dict(None) if given.full else found.to_dict()
        print_json({**result, "tolerance": tolerance, "agree": agree})
    else:
        print(found)
        if tolerance is not None:
            how_many = "No" if agree else "A"
            print(f"{how_many} difference is above the tolerance, {tolerance:.1e} scaled.")
        print("The two agree." if agree else "The two DISAGREE.")
    return 0 if agree else 1


def of_network(given: Namespace) -> tuple[Comparison, bool, float | None]:
    """The two-layer network, whether rounding explains the differences, and what is tolerated."""
    tensors = two_layer.problem(given.seed, *options.network_of(given), given.dtype)
    arrays = [t.detach().numpy() for t in tensors]
    found = compare(two_layer.loss, *arrays, seed=given.seed, seconds=given.seconds)
    if given.tolerance is not None:
        return found, bool(found.largest.scaled <= given.tolerance), given.tolerance
    bound, bounds = error_bounds(*arrays)
    pairs = [(found.value, bound), *((found.gradients[name], bounds[name]) for name in bounds)]
    # Each is at most the bound from the exact value, so that the two are at most twice that apart.
    return found, all(bool((abs(d.ours - d.theirs) <= 2 * b).all()) for d, b in pairs), None


def of_function(given: Namespace) -> tuple[Comparison, bool, float]:
    """A function of the user's, whether it agrees, and what is tolerated."""
    function = Function(given.function)
    leaves = function.inputs(given.shapes, given.seed, given.dtype)
    arrays, named = function.arranged({name: x.detach().numpy() for name, x in leaves.items()})
    with running(function.place, function.file):
        found = compare(
            function.__wrapped__, *arrays, seed=given.seed, seconds=given.seconds, **named
        )
    tolerance = given.tolerance
    if tolerance is None:
        tolerance = float(np.finfo(given.dtype).eps) ** 0.5
    return found, bool(found.largest.scaled <= tolerance), tolerance
