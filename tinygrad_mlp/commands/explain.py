"""``tinygrad-mlp explain``: the tape, step by step."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from .arguments import LARGEST, Run, finite, plot, printable, seed, size
from .experiment import FEW, FORMULA
from .functions import CodeError, Function, UsageError, add_to, refuse_misplaced


def explain(parser: ArgumentParser) -> Run:
    """Show the tape: what each op computed, and what flows back.

    Shows the tape of the two-layer network's loss f = ‖Y − σ(X W1 + b1) W2 − b2‖²,
    or of a function of yours on random inputs: first forward, op by op; then back,
    with the cotangent that arrives at each op, its VJP as a formula, and what
    leaves for each input; at last the gradients that the leaves are left with.

      tinygrad-mlp explain --html tape.html
      tinygrad-mlp explain path/to/file.py:function --shapes 5x3 3x2 scalar
    """
    add_to(parser)
    printed = parser.add_mutually_exclusive_group()
    printed.add_argument("--step", action="store_true", help="one step for each key pressed")
    parser.add_argument("--html", metavar="FILE", help="write a page that walks the tape")
    parser.add_argument(
        "--plot",
        metavar="FILE",
        help="draw the gradients from the tape, by formula, and their difference",
    )
    printed.add_argument("--mermaid", action="store_true", help="print the graph for Mermaid")
    printed.add_argument("--dot", action="store_true", help="print the graph for Graphviz")
    printed.add_argument("--json", action="store_true", help="print as JSON")
    parser.add_argument(
        "--full", action="store_true", help="with --json, every entry of each array"
    )
    parser.add_argument("--seed", type=seed, default=0, help="of the random numbers (0)")
    parser.add_argument(
        "--shape",
        type=size,
        nargs=4,
        metavar=("N", "D", "H", "O"),
        help="of the two-layer network: rows, inputs, hidden units, outputs (100 1 20 1)",
    )
    parser.add_argument(
        "--bias",
        choices=("full", "row", "vector", "scalar"),
        help="of the two-layer network: shapes of b1 and b2 (full)",
    )
    parser.add_argument(
        "--dtype", choices=("float32", "float64"), default="float32", help="(float32)"
    )

    def run(options: Namespace) -> int:
        return shown(parser, options)

    return run


def shown(parser: ArgumentParser, options: Namespace) -> int:
    import sys

    from ..readers.explain.views import terminal

    if options.step and not (sys.stdin.isatty() and sys.stdout.isatty()):
        parser.error("--step needs a terminal to read keys from; without it the whole tape prints")
    if options.full and not options.json:
        parser.error("--full goes with --json")
    refuse_misplaced(parser, options, "shape", "bias")
    made = (of_two_layer if options.function is None else of_function)(parser, options)
    if made is None:
        return 1
    explanation, gradients, how = made
    said = sys.stderr if options.json or options.mermaid or options.dot else sys.stdout
    if options.html is not None:
        try:
            explanation.save_html(options.html)
        except OSError as error:
            parser.error(f"argument --html: {options.html}: {error.strerror}")
        except ValueError as error:  # a name that no file can have
            parser.error(f"argument --html: {options.html}: {error}")
        print(f"{options.html}: open it in a browser; the keys ← and → step", file=said)
    if options.plot is not None:
        try:
            pairs = gradients()
        except (ValueError, TypeError, RuntimeError) as error:
            parser.error(f"argument --plot: {error}")
        plot(parser, options.plot, pairs, how, explanation.title.partition("\n")[0])
        print(f"{options.plot}: gradients by the tape and by the {how}", file=said)
    if options.json:
        import json

        found = explanation.to_dict(None if options.full else FEW)
        print(json.dumps(finite(found), indent=2, ensure_ascii=False, allow_nan=False))
    elif options.mermaid or options.dot:
        print(explanation.to_mermaid() if options.mermaid else explanation.to_dot())
    elif options.step or (options.html is None and options.plot is None):
        style = terminal.Style(terminal.wants_colours(sys.stdout))
        print(explanation.title, end="\n\n")
        if options.step:
            with terminal.keyboard(sys.stdin) as keys:
                terminal.walk(explanation, keys, sys.stdout, style)
        else:
            for line in terminal.lines(explanation, style):
                print(line)
    return 0


def of_two_layer(parser: ArgumentParser, options: Namespace) -> Any:
    """The experiment's tape, and its gradients by the tape and by the closed form."""
    from ..experiment import two_layer
    from ..experiment.closed_form import closed_form
    from ..readers.explain.explanation import Explanation
    from ..readers.explain.naming import called, names_of

    n, d, h, o = shape = tuple(options.shape or (100, 1, 20, 1))
    bias = options.bias or "full"
    if max(n * d, n * o, d * h, h * o, n * h) > LARGEST:
        parser.error(f"argument --shape: choose sizes that give at most {LARGEST} entries")
    tensors = two_layer.problem(options.seed, shape, bias, options.dtype)
    loss, variables = called(two_layer.loss, *tensors)
    title = (
        f"{FORMULA}\nN = {n}, D = {d}, H = {h}, O = {o}, "
        f"bias {bias}, {options.dtype}, seed {options.seed}"
    )
    explanation = Explanation(loss, names=names_of(variables), title=title)

    def gradients() -> dict[str, tuple[Any, Any]]:
        _, closed = closed_form(*(t.detach().numpy() for t in tensors))
        pairs = zip(explanation.leaves, two_layer.NAMES, strict=True)
        return {leaf.derivative.text: (leaf.gradient, closed[name]) for leaf, name in pairs}

    return explanation, gradients, "closed form"


def of_function(parser: ArgumentParser, options: Namespace) -> Any:
    """The tape of a user's function on random inputs, and gradients by the tape and by formula."""
    import sys

    from ..readers.explain.explanation import Explanation
    from ..readers.explain.naming import called, names_of

    try:
        function = Function(options.function)
        inputs = function.inputs(options.shapes, options.seed, options.dtype)
        output, variables = called(function, **inputs)
    except UsageError as error:
        if not isinstance(error, CodeError) or not error.traceback:
            parser.error(str(error))
        print(error.traceback, end="", file=sys.stderr)
        return None
    arguments = ", ".join(
        f"{name} {'×'.join(map(str, x.shape)) or 'a number'}" for name, x in inputs.items()
    )
    title = f"{printable(options.function)}\n{arguments}, {options.dtype}, seed {options.seed}"
    try:
        explanation = Explanation(output, names=names_of(inputs, variables), title=title)
    except (RuntimeError, ValueError) as error:
        parser.error(str(error).removeprefix("explain: "))
    return explanation, lambda: by_formula(function, inputs, explanation), "formula of derive"


def by_formula(function: Function, inputs: dict[str, Any], explanation: Any) -> dict[str, Any]:
    """For each input that a gradient arrives at, it and what the formula of ``derive`` gives.

    TypeError or ValueError where there is no formula that can be evaluated.
    """
    import numpy as np

    from ..readers.derive.deriving import derive

    arrived = {name: explanation.gradient(x) for name, x in inputs.items()}
    arrived = {name: g for name, g in arrived.items() if g is not None}
    formulas = derive(function, list(arrived), **inputs)
    values = {name: x.detach().numpy() for name, x in inputs.items()}
    found = {}
    for formula, (name, g) in zip(formulas, arrived.items(), strict=True):
        given = {name: values[name] for name in formula.arguments if name in values}
        value = np.broadcast_to(formula(given), g.shape)
        found[f"∂{explanation.output.text}/∂{name}"] = g, value
    return found
