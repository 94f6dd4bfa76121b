"""``tinygrad-mlp experiment``: the tape against the closed form on the two-layer network."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

from .arguments import LARGEST, Run, finite, plot, seed, size

FORMULA = "f = ‖Y − σ(X W1 + b1) W2 − b2‖²"
FEW = 5  # figures that fit a line of 80 columns


def experiment(parser: ArgumentParser) -> Run:
    """Compare the tape with the closed form on the two-layer network.

    Prints the loss f = ‖Y − σ(X W1 + b1) W2 − b2‖² of random data and, for each
    of the six inputs, the first few gradients that the tape and the closed form
    give and how far they differ. They agree where no difference is larger than
    rounding can explain. The exit status is 0 if all agree, 1 if any does not,
    and 2 for options that make no sense.
    """
    parser.add_argument("--seed", type=seed, default=0, help="of the random numbers (0)")
    parser.add_argument(
        "--shape",
        type=size,
        nargs=4,
        default=(100, 1, 20, 1),
        metavar=("N", "D", "H", "O"),
        help="rows, inputs, hidden units, outputs (100 1 20 1)",
    )
    parser.add_argument(
        "--bias",
        choices=("full", "row", "vector", "scalar"),
        default="full",
        help="shapes of b1 and b2: N×H and N×O, 1×H and 1×O, H and O, or one number (full)",
    )
    parser.add_argument(
        "--dtype", choices=("float32", "float64"), default="float32", help="(float32)"
    )
    parser.add_argument(
        "--plot",
        metavar="FILE",
        help="draw both gradients and their difference, as PNG, PDF, SVG, …",
    )
    parser.add_argument("--full", action="store_true", help="every figure, not the first few")
    parser.add_argument("--json", action="store_true", help="as JSON, each array row by row")

    def run(options: Namespace) -> int:
        n, d, h, o = options.shape
        for rows, columns in ((n, d), (n, o), (d, h), (h, o), (n, h)):
            if rows * columns > LARGEST:
                parser.error(
                    f"argument --shape: {rows}×{columns} is too large a matrix; "
                    f"choose sizes that give at most {LARGEST} entries"
                )
        result = compared(options.seed, tuple(options.shape), options.bias, options.dtype)
        if options.plot is not None:
            import numpy as np

            pairs = {
                f"∂f/∂{name}": tuple(
                    np.reshape(found[way], found["shape"]) for way in ("tape", "closed_form")
                )
                for name, found in result["gradients"].items()
            }
            plot(parser, options.plot, pairs, "closed form", FORMULA)
        if not options.full:
            for found in result["gradients"].values():
                found["tape"] = found["tape"][:FEW]
                found["closed_form"] = found["closed_form"][:FEW]
        if options.json:
            import json

            print(json.dumps(finite(result), indent=2, allow_nan=False))
        else:
            print("\n".join(report(result)))
        return 0 if result["agree"] else 1

    return run


def compared(seed: int, shape: tuple[int, int, int, int], bias: str, dtype: str) -> dict[str, Any]:
    """The loss and the gradients of the experiment, from the tape and from the closed form."""
    from ..experiment import closed_form, two_layer
    from ..experiment.bounds import error_bounds

    tensors = two_layer.problem(seed, shape, bias, dtype)
    value = two_layer.loss(*tensors)
    value.backward()
    arrays = [t.detach().numpy() for t in tensors]
    closed_value, closed = closed_form.closed_form(*arrays)
    bound, bounds = error_bounds(*arrays)
    gradients = {
        name: comparison(t.grad, closed[name], bounds[name])
        for name, t in zip(two_layer.NAMES, tensors, strict=True)
    }
    loss = comparison(value.detach(), closed_value, bound)
    return {
        "seed": seed,
        "shape": dict(zip("NDHO", shape, strict=True)),
        "bias": bias,
        "dtype": dtype,
        "loss": loss["tape"][0],
        "closed_form_loss": loss["closed_form"][0],
        "loss_agrees": loss["agree"],
        "gradients": gradients,
        "agree": loss["agree"] and all(found["agree"] for found in gradients.values()),
    }


def comparison(tape: Any, closed: Any, bound: Any) -> dict[str, Any]:
    """Two answers, each at most ``bound`` off, and how far they are from each other."""
    import numpy as np

    tape, closed = np.asarray(tape), np.asarray(closed)
    difference = np.abs(tape - closed)
    larger = np.maximum(np.abs(tape), np.abs(closed))
    relative = np.divide(difference, larger, out=np.zeros_like(larger), where=larger != 0)
    return {
        "shape": list(tape.shape),
        "tape": tape.ravel().tolist(),
        "closed_form": closed.ravel().tolist(),
        "largest_absolute_difference": float(difference.max(initial=0)),
        "largest_relative_difference": float(relative.max(initial=0)),
        "agree": tape.shape == closed.shape and bool((difference <= 2 * bound).all()),
    }


def report(result: dict[str, Any]) -> Iterator[str]:
    """The comparison in lines of at most 80 columns."""
    sizes = ", ".join(f"{name} = {n}" for name, n in result["shape"].items())
    yield FORMULA
    yield f"{sizes}, bias {result['bias']}, {result['dtype']}, seed {result['seed']}"
    yield ""
    yield f"loss {result['loss']:.4f}, by the closed form {result['closed_form_loss']:.4f}"
    for name, found in result["gradients"].items():
        yield ""
        yield f"∂f/∂{name}  {'×'.join(map(str, found['shape'])) or 'a number'}"
        more = len(found["tape"]) < prod(found["shape"])
        yield from figures("tape", found["tape"], more)
        yield from figures("closed form", found["closed_form"], more)
        yield (
            f"  {'agree' if found['agree'] else 'DISAGREE'}: largest difference "
            f"{found['largest_absolute_difference']:.1e}, "
            f"relative {found['largest_relative_difference']:.1e}"
        )
    wrong = [f"∂f/∂{name}" for name, found in result["gradients"].items() if not found["agree"]]
    if not result["loss_agrees"]:
        wrong.insert(0, "the loss")
    yield ""
    if wrong:
        yield f"DISAGREE by more than rounding explains: {', '.join(wrong)}"
    else:
        yield "All agree: no difference is larger than rounding explains."


def figures(label: str, numbers: Sequence[float], more: bool) -> Iterator[str]:
    for start in range(0, max(len(numbers), 1), FEW):
        line = " ".join(f"{x: .4e}" for x in numbers[start : start + FEW])
        yield f"  {label:12}{line}{' …' if more else ''}".rstrip()
        label = ""
