"""The commands: ``python -m tinygrad_mlp``, or ``tinygrad-mlp`` where it is installed.

A command is a function that adds its options to a parser and returns what then runs, which takes
the options given and returns an exit status. Its docstring is its help, its name its name. It
imports what it needs when it runs, so that no command waits for what only another one needs.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator, Sequence
from inspect import getdoc
from math import isfinite, prod
from pathlib import Path
from typing import Any, NoReturn

from . import __version__

Run = Callable[[Namespace], int]

BAD_USAGE = 2
INTERRUPTED = 130  # 128 + SIGINT, as shells report it
BROKEN_PIPE = 141  # 128 + SIGPIPE

FEW = 5  # figures that fit a line of 80 columns
LARGEST = 10**8  # entries of a matrix, which take some gigabytes and a minute


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
        try:
            result = compared(options.seed, tuple(options.shape), options.bias, options.dtype)
        except MemoryError:
            parser.error("this --shape needs more memory than there is; choose a smaller one")
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
    from . import two_layer

    tensors = two_layer.problem(seed, shape, bias, dtype)
    value = two_layer.loss(*tensors)
    value.backward()
    arrays = [t.detach().numpy() for t in tensors]
    closed_value, closed = two_layer.closed_form(*arrays)
    bound, bounds = two_layer.error_bounds(*arrays)
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
    yield "f = ‖Y − σ(X W1 + b1) W2 − b2‖²"
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


def finite(value: Any) -> Any:
    """The same with None for nan and the infinities, which JSON does not have."""
    if isinstance(value, dict):
        return {key: finite(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [finite(entry) for entry in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def seed(word: str) -> int:
    """--seed, as manual_seed takes it."""
    if not word.removeprefix("-").isdecimal() or not -(2**63) <= int(word) < 2**64:
        raise ArgumentTypeError(f"{word!r} is not a whole number from -2**63 to 2**64 - 1")
    return int(word)


def size(word: str) -> int:
    """One of the numbers of --shape."""
    if not word.isdecimal() or int(word) > LARGEST:
        raise ArgumentTypeError(f"{word!r} is not a size; sizes are whole numbers, 0 to {LARGEST}")
    return int(word)


def fuzz(parser: ArgumentParser) -> Run:
    """Check the gradients of random programs against other libraries.

    Runs random programs over the table of ops and compares values, gradients
    and, with --order 2, gradients of gradients with one or more oracles. What
    differs by more than rounding explains is made as small as it gets, printed,
    and saved as a script. The exit status is 0 if no difference was found, 1 if
    one was, and 2 where the command could not run.

    oracles:
      torch        PyTorch, the default where it is installed
      jax          JAX
      autograd     HIPS autograd
      complex      Im f(x + ih) / h, exact to rounding; else the default
      finite       finite differences, with an error estimate
      closed-form  the two-layer network's gradients, worked out by hand
    """
    parser.add_argument("--against", type=words, metavar="ORACLE,…", help="one oracle or more")
    parser.add_argument("--examples", type=count, default=1000, metavar="N", help="(1000)")
    parser.add_argument("--minutes", type=duration, metavar="M", help="in place of --examples")
    parser.add_argument("--seed", type=seed, default=0, help="of the programs (0)")
    parser.add_argument("--ops", type=words, metavar="OP,…", help="of these ops only")
    parser.add_argument("--order", type=int, choices=(1, 2), default=1, help="of derivatives (1)")
    parser.add_argument(
        "--break",
        dest="mistake",
        metavar="OP[:MISTAKE]",
        help="make a classic mistake in an op's VJP, or each in turn, and see it caught",
    )
    parser.add_argument("--replay", metavar="FILE", help="run a saved program only")
    parser.add_argument(
        "--corpus",
        default="fuzz-failures",
        metavar="FOLDER",
        help="where failures are saved, and replayed from first (fuzz-failures)",
    )
    parser.add_argument("--jobs", type=count, metavar="N", help="processes (one per CPU)")
    parser.add_argument("--json", action="store_true", help="the report as JSON")

    def run(options: Namespace) -> int:
        from .testing.fuzzing import command
        from .testing.oracles import Unavailable

        try:
            return command(options)
        except (Unavailable, ValueError, OSError) as error:
            parser.error(str(error))

    return run


def words(text: str) -> list[str]:
    """Words with commas between them."""
    return text.split(",")


def count(word: str) -> int:
    """A whole number from 1."""
    if not word.isdecimal() or int(word) < 1:
        raise ArgumentTypeError(f"{word!r} is not a whole number from 1")
    return int(word)


def duration(word: str) -> float:
    """A number of minutes."""
    try:
        minutes = float(word)
    except ValueError:
        minutes = 0.0
    if not 0 < minutes < 1e6:
        raise ArgumentTypeError(f"{word!r} is not a number of minutes")
    return minutes


COMMANDS: dict[str, Callable[[ArgumentParser], Run]] = {
    command.__name__: command for command in (experiment, fuzz)
}
DEFAULT = "experiment"


class Parser(ArgumentParser):
    """An ArgumentParser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_USAGE, f"{self.prog}: {message} (--help says more)\n")


def parsed(words: list[str]) -> tuple[Run, Namespace]:
    """The command that the words name, and its options."""
    named = bool(words) and not words[0].startswith("-")
    script = Path(sys.argv[0]).stem == "tinygrad-mlp"
    parser = Parser(
        prog="tinygrad-mlp" if script else "python -m tinygrad_mlp",
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"tinygrad-mlp {__version__}")
    if named and words[0] not in COMMANDS:
        parser.error(f"{words[0]!r} is not a command; the commands are: {', '.join(COMMANDS)}")
    command = COMMANDS[words[0] if named else DEFAULT]
    parser.description = getdoc(command)
    if named:
        parser.prog += f" {words[0]}"
    else:
        lines = [f"  {name:12}{title(each)}" for name, each in COMMANDS.items()]
        parser.epilog = "\n".join(["commands:", *lines, f"\nWithout a command: {DEFAULT}."])
    run = command(parser)
    options, unknown = parser.parse_known_args(words[named:])
    if unknown:
        from difflib import get_close_matches

        near = get_close_matches(unknown[0], parser._option_string_actions, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        parser.error(f"{unknown[0]!r} is not an option{hint}")
    return run, options


def title(command: Callable[..., Any]) -> str:
    return (getdoc(command) or "").partition("\n")[0]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name, or the experiment; returns the exit status.

    ``arguments`` are by default those of the process. SystemExit after --help and --version, and
    after bad usage, which gets one line that says what is wrong.

    >>> from tinygrad_mlp.cli import main
    >>> status = main(["--shape", "2", "1", "3", "1", "--bias", "row"])  # doctest: +ELLIPSIS
    f = ‖Y − σ(X W1 + b1) W2 − b2‖²
    N = 2, D = 1, H = 3, O = 1, bias row, float32, seed 0
    ...
    All agree: no difference is larger than rounding explains.
    """
    # What a terminal's encoding lacks becomes a question mark.
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    try:
        run, options = parsed(list(sys.argv[1:] if arguments is None else arguments))
        status = run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # When Python ends it flushes stdout once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    return status
