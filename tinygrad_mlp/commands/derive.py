"""``tinygrad-mlp derive``: gradients as formulas, each checked against the tape."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

from .arguments import LARGEST, Run, finite, printable, seed, size, words
from .functions import Function, add_to, refuse_misplaced

if TYPE_CHECKING:
    from numpy import ndarray

    from ..readers.derive.formula import Formula
    from ..torch.tensor import Tensor

INPUTS = ("X", "Y", "W1", "W2", "b1", "b2")
SAME = 4096  # units in the last place of the largest entry: in float64, 1e-12 of it


def derive(parser: ArgumentParser) -> Run:
    """Print gradients as formulas, which the tape derives by itself.

    Prints the loss f = ‖Y − σ(X W1 + b1) W2 − b2‖² as a formula, and those of its
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
    add_to(parser)
    parser.add_argument(
        "--positive", action="store_true", help="check it at numbers from 0 to 1, not normal ones"
    )
    parser.add_argument("--wrt", type=words, metavar="NAME,…", help="for these inputs only")
    parser.add_argument("--steps", action="store_true", help="each use of the chain rule as well")
    written = parser.add_mutually_exclusive_group()
    written.add_argument("--latex", action="store_true", help="as LaTeX, for amsmath")
    written.add_argument("--numpy", action="store_true", help="as source of NumPy functions")
    written.add_argument("--json", action="store_true", help="in every form, as JSON")
    parser.add_argument("--expand", action="store_true", help="without the names h_s and Y_p")
    parser.add_argument(
        "--shape",
        type=size,
        nargs=4,
        metavar=("N", "D", "H", "O"),
        help="rows, inputs, hidden units, outputs (100 1 20 1)",
    )
    parser.add_argument(
        "--bias",
        choices=("full", "row", "vector", "scalar"),
        help="shapes of b1 and b2: N×H and N×O, 1×H and 1×O, H and O, or one number (full)",
    )
    parser.add_argument(
        "--dtype", choices=("float32", "float64"), default="float64", help="(float64)"
    )
    parser.add_argument("--seed", type=seed, default=0, help="of the random numbers (0)")

    def run(options: Namespace) -> int:
        refuse_misplaced(
            parser, options, "shape", "bias", "expand", functions=("shapes", "positive")
        )
        try:
            problem = experiment(options) if options.function is None else of_function(options)
            result = derived(problem, options.wrt)
        except (ValueError, TypeError, RuntimeError, OSError) as error:
            parser.error(str(error))
        if options.json:
            import json

            print(json.dumps(finite(as_json(problem, result)), indent=2, allow_nan=False))
        else:
            written = latex if options.latex else numpy if options.numpy else text
            print("\n".join(written(problem, result, options.steps)))
        return 0 if all(found.agree for found in result.all()) else 1

    return run


class Problem(NamedTuple):
    """What is derived, and what the formulas are checked at."""

    function: Callable[..., Tensor]
    inputs: dict[str, ndarray]
    about: dict[str, Any]
    # How far the gradient for an input, or f for None, may be from the tape's, given that.
    bound: Callable[[str | None, ndarray], Any]


def experiment(options: Namespace) -> Problem:
    """The two-layer network."""
    from ..experiment import two_layer
    from ..experiment.bounds import error_bounds

    n, d, h, o = shape = tuple(options.shape or (100, 1, 20, 1))
    for rows, columns in ((n, d), (n, o), (d, h), (h, o), (n, h)):
        if rows * columns > LARGEST:
            raise ValueError(
                f"--shape: {rows}×{columns} is too large a matrix; choose smaller sizes"
            )
    bias = options.bias or "full"
    arrays = [
        x.detach().numpy() for x in two_layer.problem(options.seed, shape, bias, options.dtype)
    ]
    bound, bounds = error_bounds(*arrays)
    allowed = {name: bounds[name.lower()] for name in INPUTS}

    def network(X: Tensor, Y: Tensor, W1: Tensor, W2: Tensor, b1: Tensor, b2: Tensor) -> Tensor:
        if options.expand:
            return two_layer.loss(X, Y, W1, W2, b1, b2)
        h_s = (X.mm(W1) + b1).sigmoid().named("h_s")
        Y_p = (h_s.mm(W2) + b2).named("Y_p")
        return (Y - Y_p).pow(2).sum()

    return Problem(
        network,
        dict(zip(INPUTS, arrays, strict=True)),
        {"shape": dict(zip("NDHO", shape, strict=True)), "bias": bias, **numbers(options)},
        lambda name, _: 2 * (allowed[name] if name else bound),
    )


def of_function(options: Namespace) -> Problem:
    """A function of the user's."""
    import numpy as np

    function = Function(options.function)
    leaves = function.inputs(options.shapes, options.seed, options.dtype, options.positive)
    inputs = {name: x.detach().numpy() for name, x in leaves.items()}
    shapes = {name: x.shape for name, x in inputs.items()}
    eps = float(np.finfo(options.dtype).eps)
    return Problem(
        function,
        inputs,
        {"function": options.function, "shapes": shapes, **numbers(options)},
        lambda _, tape: SAME * eps * np.abs(tape).max(initial=0),
    )


def numbers(options: Namespace) -> dict[str, Any]:
    return {"dtype": options.dtype, "seed": options.seed}


class Checked(NamedTuple):
    """A formula, and how far what it gives is from what the tape gives."""

    formula: Formula
    shape: tuple[int, ...]
    difference: float  # the largest
    entry: float  # the largest, by absolute value
    agree: bool

    def __str__(self) -> str:
        if not isfinite(self.entry):
            return "NOT CHECKED: the tape's answer is not finite; try --positive, or another --seed"
        return (
            f"{'agree' if self.agree else 'DISAGREE'}: largest difference {self.difference:.1e}, "
            f"largest entry {self.entry:.1e}"
        )


class Derived(NamedTuple):
    """The formulas of a function and, by the names of inputs, of its gradients."""

    f: Checked
    gradients: dict[str, Checked]
    unused: list[str]  # inputs that it does not depend on

    def all(self) -> list[Checked]:
        return [self.f, *self.gradients.values()]


def derived(problem: Problem, wrt: list[str] | None) -> Derived:
    """The formulas, checked."""
    import numpy as np

    from .. import derive, formula, grad, tensor

    inputs = problem.inputs
    for name in wrt or ():
        if name not in inputs:
            raise ValueError(f"--wrt: {name!r} is not an input; they are {', '.join(inputs)}")
    with np.errstate(all="ignore"):
        leaves = {name: tensor(x, requires_grad=True) for name, x in inputs.items()}
        value = problem.function(**leaves)
        if not value.requires_grad:
            raise ValueError("the function's result does not depend on any of its inputs")
        gradients = zip(leaves, grad(value, list(leaves.values()), allow_unused=True))
        used = {name: g for name, g in gradients if g is not None}
        chosen = wrt or list(used)

        def check(name: str | None, formula: Formula, tape: Tensor) -> Checked:
            found = tape.numpy()
            return checked(formula, found, inputs, problem.bound(name, found))

        formulas = derive(problem.function, chosen, **inputs)
        return Derived(
            check(None, formula(problem.function, **inputs), value.detach()),
            {x: check(x, f, used[x]) for x, f in zip(chosen, formulas, strict=True)},
            [] if wrt else [name for name in inputs if name not in used],
        )


def checked(formula: Formula, tape: ndarray, inputs: dict[str, ndarray], bound: Any) -> Checked:
    """The formula's NumPy form at these inputs, against the tape's answer."""
    import numpy as np

    mine = np.asarray(formula(inputs))
    difference = np.abs(mine - tape)
    return Checked(
        formula,
        tape.shape,
        float(difference.max(initial=0)),
        float(np.abs(tape).max(initial=0)),
        mine.shape == tape.shape and bool((difference <= bound).all()),
    )


def title(problem: Problem) -> str:
    words = []
    for name, x in problem.about.items():
        if name == "shape":
            words += [f"{letter} = {n}" for letter, n in x.items()]
        elif name == "shapes":
            words += [f"{y} {'×'.join(map(str, shape)) or 'scalar'}" for y, shape in x.items()]
        else:
            words.append(f"seed {x}" if name == "seed" else f"bias {x}" if name == "bias" else x)
    return printable(", ".join(words))


def verdict(result: Derived) -> str:
    wrong = [x.formula.equations()[0][0] for x in result.all() if not x.agree]
    if wrong:
        return f"Not found to agree with the tape: {', '.join(wrong)}"
    return "All agree: what the formulas give is what the tape gives, up to rounding."


def nothing(result: Derived) -> list[str]:
    f = result.f.formula.equations()[0][0]
    return [f"∂{f}/∂{name} = 0, as {f} does not depend on {name}" for name in result.unused]


def text(problem: Problem, result: Derived, steps: bool) -> Iterator[str]:
    shown: dict[str, str] = {}
    for found in result.all():
        first, *others = found.formula.equations()
        yield " = ".join(first)
        yield from (f"    {x} = {y}" for x, y in others if shown.get(x) != y)
        shown.update(others)
        if found is result.f:
            yield f"  {title(problem)}"
        yield f"  {found}"
        if steps:
            yield from (f"  {step}" for step in found.formula.steps)
        yield ""
    for line in nothing(result):
        yield line
        yield ""
    yield verdict(result)


def latex(problem: Problem, result: Derived, steps: bool) -> Iterator[str]:
    """One display, with everything else as comments."""
    shown: dict[str, str] = {}
    yield f"% {title(problem)}"
    yield r"\begin{align*}"
    for found in result.all():
        rows = [(x, y) for x, y in found.formula.equations(latex=True) if shown.get(x) != y]
        lines = [rf"  {x} &= {y} \\" for x, y in rows]
        if found is result.all()[-1]:
            lines[-1] = lines[-1].removesuffix(r" \\")
        yield from lines
        shown.update(rows)
        yield f"  % {found}"
        if steps:
            yield from (f"  % {step}" for step in found.formula.steps)
    yield r"\end{align*}"
    yield from (f"% {line}" for line in [*nothing(result), verdict(result)])


def numpy(problem: Problem, result: Derived, steps: bool) -> Iterator[str]:
    """One module, with everything else as comments."""
    blocks: dict[str, None] = {}  # no helper twice
    for name, found in [(None, result.f), *result.gradients.items()]:
        first, *others = found.formula.equations()
        lines = [" = ".join(first), *(f"    {x} = {y}" for x, y in others), f"  {found}"]
        lines += [f"  {step}" for step in found.formula.steps if steps]
        *helpers, function = found.formula.numpy.rstrip("\n").split("\n\n\n")
        if name is not None:
            function = function.replace("def gradient(", f"def gradient_{name}(", 1)
        blocks |= dict.fromkeys(helpers)
        blocks["\n".join([*(f"# {line}" for line in lines), function])] = None
    yield f"# {title(problem)}"
    yield "\n\n\n".join(blocks)
    yield "\n"
    yield from (f"# {line}" for line in [*nothing(result), verdict(result)])


def as_json(problem: Problem, result: Derived) -> dict[str, Any]:
    def entry(found: Checked) -> dict[str, Any]:
        f = found.formula
        return {
            "shape": list(found.shape),
            "text": str(f),
            "latex": f.latex,
            "numpy": f.numpy,
            "arguments": list(f.arguments),
            "definitions": f.definitions,
            "steps": [step._asdict() for step in f.steps],
            "largest_difference": found.difference,
            "largest_entry": found.entry,
            "agree": found.agree,
        }

    return {
        **problem.about,
        "loss": entry(result.f),
        "gradients": {name: entry(found) for name, found in result.gradients.items()},
        "unused": result.unused,
        "agree": all(found.agree for found in result.all()),
    }
