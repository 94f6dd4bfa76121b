"""``tinygrad-mlp derive``: gradients as formulas, each checked against the tape."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

import numpy as np

from ..experiment import two_layer
from ..experiment.bounds import error_bounds
from ..readers.derive import report
from ..readers.derive.checking import Problem, derived
from . import options
from .functions import Function
from .printing import print_json, show
from .words import listed

SAME = 4096  # units in the last place of the largest entry: in float64, 1e-12 of it
PARENTS = (
    options.function(),
    options.network(),
    options.drawn(dtype="float64"),
    options.output(
        json="in every form, as JSON",
        latex="as LaTeX, for amsmath",
        numpy="as source of NumPy functions",
    ),
)


def add(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--positive", action="store_true", help="check it at numbers from 0 to 1, not normal ones"
    )
    parser.add_argument("--wrt", type=listed, metavar="NAME,…", help="for these inputs only")
    parser.add_argument("--steps", action="store_true", help="each use of the chain rule as well")
    parser.add_argument("--expand", action="store_true", help="without the names h_s and Y_p")


def run(parser: ArgumentParser, given: Namespace) -> int:
    """Prints the loss f = ‖Y − σ(X W1 + b1) W2 − b2‖² as a formula, and those of its
    gradients for all six inputs, made from nothing but the VJPs of the ops. Each
    formula is checked: its NumPy form is run on random numbers, and compared with
    the gradient that the tape gives.

    With FILE.py:FUNCTION, that function of Tensors is derived instead; it returns
    a Tensor of one entry. --shapes says what it is called with, and t.named("h")
    in it gives an intermediate Tensor a name. The file is run, so trust it first.

      tinygrad-mlp derive losses.py:ridge --shapes X=5x3 w=3 y=5 lam=scalar

    The exit status is 0 if all formulas agree with the tape, 1 if any does not,
    and 2 where the command could not run.
    """
    options.refuse_misplaced(parser, given, ("shape", "bias", "expand"), ("shapes", "positive"))
    try:
        problem = (of_function if given.function else of_network)(given)
        result = derived(problem, given.wrt)
    except (ValueError, TypeError, RuntimeError, OSError) as error:
        parser.error(str(error))
    if given.json:
        print_json(report.as_json(problem, result))
    else:
        written = report.latex if given.latex else report.numpy if given.numpy else report.text
        show(written(problem, result, given.steps))
    return 0 if all(found.agree for found in result.all()) else 1


def of_network(given: Namespace) -> Problem:
    """The two-layer network; by how much a gradient may differ is known of it."""
    shape, bias = options.network_of(given)
    tensors = two_layer.problem(given.seed, shape, bias, given.dtype)
    arrays = [x.detach().numpy() for x in tensors]
    bound, bounds = error_bounds(*arrays)
    about = {"shape": dict(zip("NDHO", shape, strict=True)), "bias": bias}
    loss = two_layer.loss if given.expand else two_layer.named_loss
    return Problem(
        lambda **inputs: loss(*inputs.values()),
        dict(zip(two_layer.LETTERS, arrays, strict=True)),
        {**about, "dtype": given.dtype, "seed": given.seed},
        lambda name, _: 2 * (bounds[name.lower()] if name else bound),
    )


def of_function(given: Namespace) -> Problem:
    """A function of the user's."""
    function = Function(given.function)
    leaves = function.inputs(given.shapes, given.seed, given.dtype, given.positive)
    about = {"function": given.function, "shapes": {name: x.shape for name, x in leaves.items()}}
    eps = float(np.finfo(given.dtype).eps)
    return Problem(
        function,
        {name: x.detach().numpy() for name, x in leaves.items()},
        {**about, "dtype": given.dtype, "seed": given.seed},
        lambda _, tape: SAME * eps * np.abs(tape).max(initial=0),
    )
