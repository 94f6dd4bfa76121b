"""``tinygrad-mlp explain``: the tape, step by step."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import Any

from ..experiment import two_layer
from ..experiment.closed_form import closed_form
from ..experiment.report import FEW
from ..readers.explain.explaining import Explanation, by_formula
from ..readers.explain.naming import called, names_of
from ..readers.explain.views import terminal
from ..readers.printable import printable
from . import options
from .functions import CodeError, Function
from .printing import draw, print_json, show

# The tape of a function, its gradients in two ways, and what the other way is.
Found = tuple[Explanation, Callable[[], dict[str, tuple[Any, Any]]], str]

PARENTS = (
    options.function(),
    options.network(),
    options.drawn(),
    options.output(
        step="one step for each key pressed",
        mermaid="print the graph for Mermaid",
        dot="print the graph for Graphviz",
        json="print as JSON",
        full="with --json, every entry of each array",
        plot="draw the gradients from the tape, by formula, and their difference",
    ),
)


def add(parser: ArgumentParser) -> None:
    parser.add_argument("--html", metavar="FILE", help="write a page that walks the tape")


def run(parser: ArgumentParser, given: Namespace) -> int:
    """Shows the tape of the two-layer network's loss f = ‖Y − σ(X W1 + b1) W2 − b2‖²,
    or of a function of yours on random inputs: first forward, op by op; then back,
    with the cotangent that arrives at each op, its VJP as a formula, and what
    leaves for each input; at last the gradients that the leaves are left with.

      tinygrad-mlp explain --html tape.html
      tinygrad-mlp explain path/to/file.py:function --shapes 5x3 3x2 scalar
    """
    if given.step and not (sys.stdin.isatty() and sys.stdout.isatty()):
        parser.error("--step needs a terminal to read keys from; without it the whole tape prints")
    if given.full and not given.json:
        parser.error("--full goes with --json")
    options.refuse_misplaced(parser, given)
    try:
        explanation, gradients, how = (of_function if given.function else of_network)(given)
    except (RuntimeError, ValueError) as error:
        if isinstance(error, CodeError) and error.traceback:
            print(error.traceback, end="", file=sys.stderr)
            return 1
        parser.error(str(error).removeprefix("explain: "))
    said = sys.stderr if given.json or given.mermaid or given.dot else sys.stdout
    if given.html is not None:
        try:
            explanation.save_html(given.html)
        except (OSError, ValueError) as error:  # ValueError for a name that no file can have
            why = getattr(error, "strerror", None) or error
            parser.error(f"argument --html: {given.html}: {why}")
        print(f"{given.html}: open it in a browser; the keys ← and → step", file=said)
    if given.plot is not None:
        try:
            pairs = gradients()
        except (ValueError, TypeError, RuntimeError) as error:
            parser.error(f"argument --plot: {error}")
        draw(parser, given.plot, pairs, how, explanation.title.partition("\n")[0])
        print(f"{given.plot}: gradients by the tape and by the {how}", file=said)
    if given.json:
        print_json(explanation.to_dict(None if given.full else FEW))
    elif given.mermaid or given.dot:
        print(explanation.to_mermaid() if given.mermaid else explanation.to_dot())
    elif given.step or (given.html is None and given.plot is None):
        print(explanation.title, end="\n\n")
        style = terminal.Style(terminal.wants_colours(sys.stdout))
        if given.step:
            with terminal.keyboard(sys.stdin) as keys:
                terminal.walk(explanation, keys, sys.stdout, style)
        else:
            show(terminal.lines(explanation, style))
    return 0


def of_network(given: Namespace) -> Found:
    """The experiment's tape, and its gradients by the tape and by the closed form."""
    shape, bias = options.network_of(given)
    tensors = two_layer.problem(given.seed, shape, bias, given.dtype)
    loss, variables = called(two_layer.loss, *tensors)
    sizes = ", ".join(f"{letter} = {n}" for letter, n in zip("NDHO", shape, strict=True))
    title = f"{two_layer.FORMULA}\n{sizes}, bias {bias}, {given.dtype}, seed {given.seed}"
    explanation = Explanation(loss, names=names_of(variables), title=title)

    def gradients() -> dict[str, tuple[Any, Any]]:
        _, closed = closed_form(*(t.detach().numpy() for t in tensors))
        pairs = zip(explanation.leaves, two_layer.NAMES, strict=True)
        return {leaf.derivative.text: (leaf.gradient, closed[name]) for leaf, name in pairs}

    return explanation, gradients, "closed form"


def of_function(given: Namespace) -> Found:
    """The tape of a user's function on random inputs, and gradients by the tape and by formula."""
    function = Function(given.function)
    inputs = function.inputs(given.shapes, given.seed, given.dtype)
    output, variables = called(function, **inputs)
    shapes = [f"{name} {'×'.join(map(str, x.shape)) or 'a number'}" for name, x in inputs.items()]
    title = f"{printable(given.function)}\n{', '.join(shapes)}, {given.dtype}, seed {given.seed}"
    explanation = Explanation(output, names=names_of(inputs, variables), title=title)
    return explanation, lambda: by_formula(function, inputs, explanation), "formula of derive"
