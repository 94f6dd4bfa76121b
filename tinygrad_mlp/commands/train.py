"""``tinygrad-mlp train``: the two-layer network on real data, alone or beside other libraries."""

from __future__ import annotations

import signal
import sys
import tempfile
from argparse import ArgumentParser, ArgumentTypeError, BooleanOptionalAction, Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from math import inf, isfinite
from pathlib import Path
from statistics import median
from time import monotonic
from typing import TYPE_CHECKING, Any

from .arguments import LARGEST, count, finite, printable, seed, size, words
from .arguments import Run as Command

if TYPE_CHECKING:
    from ..training.loop import Run

RATES = {"adam": 0.01, "sgd": 0.5}
MOMENTUM = 0.9
SAVE_EVERY = 1.0  # seconds
LINES = 12  # of the table of epochs
BAD_USAGE = 2
# Why it ended, and the exit status: 130 is 128 + SIGINT, as shells report it.
ENDINGS = {"epochs": 0, "patience": 0, "interrupted": 130}


def train(parser: ArgumentParser) -> Command:
    """Train the two-layer network on real data.

    Learns classes or numbers from a table of inputs: scikit-learn's digits, its
    diabetes data, or a file of your own. One row in five is held back to validate
    on; the weights that do best there are kept. With --against the same network
    is trained in other libraries too, from the same weights on the same batches.

    A CSV file has one row a line, and names or none in the first; its target is
    the last column unless --target says which. An .npz file has arrays x and y.
    Text, bools and up to 20 different whole numbers are classes, other targets
    numbers, unless --task says which.

    With --checkpoint the state is saved while it trains, at most once a second,
    and at the end. After a kill, the same command with --resume goes on and comes
    to the same numbers, bit for bit. Ctrl-C ends the epoch, saves and stops.

    The exit status is 0 if it trained, 1 if the loss is not finite any more, 2
    where the command could not run or save, and 130 after Ctrl-C.
    """
    add = parser.add_argument
    add("--data", default="digits", metavar="WHAT", help="digits, diabetes, or a file (digits)")
    add("--target", metavar="COLUMN", help="by name or from 1 (the last); of an .npz an array (y)")
    add("--inputs", type=words, metavar="COLUMN,…", help="(all others); of an .npz an array (x)")
    add("--task", choices=("classify", "regress"), help="(what the target looks like)")
    add("--hidden", type=count, default=64, metavar="H", help="hidden units (64)")
    add("--batch", type=count, default=64, metavar="N", help="rows of a batch (64)")
    add("--epochs", type=count, default=200, metavar="N", help="at most so many (200)")
    add(
        "--patience",
        type=size,
        default=30,
        metavar="N",
        help="stop after so many epochs without a better score, 0 for never (30)",
    )
    add("--optimizer", choices=tuple(RATES), default="adam", help="(adam)")
    add("--lr", type=positive, metavar="RATE", help="(0.01; 0.5 for sgd)")
    add("--momentum", type=share, metavar="M", help="of sgd (0.9)")
    add("--dtype", choices=("float32", "float64"), default="float32", help="(float32)")
    add("--seed", type=seed, default=0, help="of the split, the weights and the batches (0)")
    add(
        "--compile",
        action=BooleanOptionalAction,
        default=True,
        help="the gradients as one program, or from the tape (compile)",
    )
    add("--against", type=words, metavar="LIBRARY,…", help="torch, sklearn or both")
    add("--threads", type=count, metavar="N", help="of every library (as many as they choose)")
    add("--checkpoint", metavar="FILE", help="save the state there while it trains")
    add("--resume", action="store_true", help="go on from --checkpoint, if it is there")
    add("--plot", metavar="FILE", help="draw the curves, as .png, .svg or .pdf")
    add("--full", action="store_true", help="every epoch, not some of them")
    add("--json", action="store_true", help="the whole history as JSON")

    def run(options: Namespace) -> int:
        from ..training.loop import DivergedError

        try:
            if options.threads:
                import_module("threadpoolctl")
            training = prepared(options)
        except (ValueError, OSError) as error:
            parser.error(described(error))
        except ImportError as error:
            parser.error(missing(error, options))
        try:
            with threads(options.threads):
                ended = trained(training, options)
        except DivergedError as error:
            print(f"{parser.prog}: {error}", file=sys.stderr)
            return 1
        if options.json:
            import json

            print(json.dumps(finite(as_json(training, ended, options)), indent=2, allow_nan=False))
        else:
            print("\n".join(report(training, ended, options)))
        if options.plot and training.epoch:
            from ..training.plot import plot

            try:
                plot(training, Path(options.plot))
            except OSError as error:
                parser.error(described(error))
        return ENDINGS.get(ended, BAD_USAGE)

    return run


def positive(word: str) -> float:
    """--lr."""
    try:
        value = float(word)
    except ValueError:
        value = 0.0
    if not 0 < value < inf:
        raise ArgumentTypeError(f"{word!r} is not a number above 0")
    return value


def share(word: str) -> float:
    """--momentum."""
    try:
        value = float(word)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise ArgumentTypeError(f"{word!r} is not a number from 0 to less than 1")
    return value


def described(error: Exception) -> str:
    """An error in one line."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or ''}: {error.strerror}".removeprefix(": ")
    return str(error)


def missing(error: ImportError, options: Namespace) -> str:
    """What to install."""
    name = (error.name or "").partition(".")[0]
    extras = {"torch": "compare", "matplotlib": "plot"}
    extra = extras.get(name, "train" if name in ("sklearn", "threadpoolctl") else None)
    if extra is None:
        return str(error)
    package = "scikit-learn" if name == "sklearn" else name
    own = "; or give --data a file of your own" if name == "sklearn" and not options.against else ""
    return f"{package} is not installed: pip install 'tinygrad-mlp[{extra}]'{own}"


# Before.


def prepared(options: Namespace) -> Run:
    """The run that the options ask for; all that can be wrong with them is found here."""
    from ..torch.saving import load
    from ..training import against
    from ..training.data import problem, table
    from ..training.loop import Run, Settings, network

    names = dict.fromkeys(options.against or ())
    for name in names:
        if name not in against.TRAINERS:
            known = ", ".join(against.TRAINERS)
            raise ValueError(f"--against: {name!r} is not one of {known}")
    if options.momentum is not None and options.optimizer != "sgd":
        raise ValueError(f"--momentum is of --optimizer sgd, not of {options.optimizer}")
    check_files(options)
    found = problem(
        table(options.data, options.inputs, options.target, options.task),
        options.seed,
        options.dtype,
    )
    if options.hidden * max(len(found.x), found.x.shape[1], found.outputs) > LARGEST:
        raise ValueError(f"--hidden: {options.hidden} units make too large a matrix; choose fewer")
    settings = Settings(
        options.hidden,
        options.batch,
        options.optimizer,
        options.lr or RATES[options.optimizer],
        MOMENTUM if options.momentum is None else options.momentum,
        options.dtype,
        options.seed,
        options.compile,
    )
    rivals = {}
    for name in names:
        title, make = against.TRAINERS[name]
        rivals[title] = make(found, settings, network(found, settings))
    training = Run(found, settings, rivals)
    if options.resume and Path(options.checkpoint).exists():
        try:
            training.restore(load(options.checkpoint))
        except ValueError as error:
            why = str(error).removeprefix("load: ").removeprefix(f"{options.checkpoint}: ")
            raise ValueError(f"{options.checkpoint}: {why}") from None
    return training


def check_files(options: Namespace) -> None:
    """See that what is to be written can be, before hours of training."""
    from ..training.plot import require_plot

    checkpoint = options.checkpoint
    if options.resume and not checkpoint:
        raise ValueError("--resume needs --checkpoint, which says from where")
    for name in filter(None, (checkpoint, options.plot)):
        if Path(name).is_dir():
            raise ValueError(f"{name}: this is a folder; give the name of a file")
        try:
            tempfile.TemporaryFile(dir=Path(name).parent).close()
        except OSError as error:
            raise ValueError(f"{name}: cannot be written: {error.strerror}") from None
    if options.plot:
        require_plot(Path(options.plot))
    if checkpoint and Path(checkpoint).exists():
        if not options.resume:
            raise ValueError(f"{checkpoint} is there; --resume goes on from it, or remove it first")
        if options.against:
            raise ValueError(f"--against starts from the beginning, and {checkpoint} does not")


# Meanwhile.


def trained(training: Run, options: Namespace) -> str:
    """Train to the end; returns why that is: one of ``ENDINGS``, or why it could not go on."""
    from ..torch.saving import save

    saved = -inf
    with interrupts() as interrupted, progress(training, options) as show:
        while True:
            waited = training.epoch - training.best_epoch
            ended = (
                "interrupted"
                if interrupted()
                else "patience"
                if options.patience and waited >= options.patience
                else "epochs"
                if training.epoch >= options.epochs
                else ""
            )
            if options.checkpoint and training.epoch and (ended or monotonic() > saved):
                try:
                    save(training.state(), options.checkpoint)
                except OSError as error:
                    return described(error)
                saved = monotonic() + SAVE_EVERY
            if ended:
                return ended
            training.advance()
            show()


@contextmanager
def interrupts() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed, which here stops nothing by itself; a second time it does."""
    pressed: list[int] = []

    def note(number: int, frame: Any) -> None:
        pressed.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    try:
        before = signal.signal(signal.SIGINT, note)
    except ValueError:  # not in the main thread, which alone is told of signals
        yield lambda: False
        return
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def threads(number: int | None) -> Iterator[None]:
    """Have every library compute in so many threads."""
    if number is None:
        yield
        return
    torch = sys.modules.get("torch")
    before = torch and torch.get_num_threads()
    with import_module("threadpoolctl").threadpool_limits(number):
        if torch:
            torch.set_num_threads(number)
        try:
            yield
        finally:
            if torch:
                torch.set_num_threads(before)


@contextmanager
def progress(training: Run, options: Namespace) -> Iterator[Callable[[], None]]:
    """A bar on a terminal, nothing elsewhere; what is given is called after each epoch."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    if find_spec("tqdm") is None:
        print("(for a progress bar: pip install 'tinygrad-mlp[train]')", file=sys.stderr)
        yield lambda: None
        return
    tqdm = import_module("tqdm").tqdm
    with tqdm(total=options.epochs, initial=training.epoch, unit="epoch", leave=False) as bar:

        def show() -> None:
            last = next(iter(training.histories.values()))
            bar.set_postfix_str(
                f"loss {last.loss[-1]:.4f}, {training.problem.measure} {last.score[-1]:.4f}, "
                f"best {training.best_score():.4f}",
                refresh=False,
            )
            bar.update()

        yield show


# After.


def report(training: Run, ended: str, options: Namespace) -> Iterator[str]:
    """The run in lines of at most 80 columns."""
    problem, settings = training.problem, training.settings
    names = list(training.histories)
    histories = list(training.histories.values())
    loss = {"regression": "mean squared error", "two classes": "binary cross-entropy"}
    rate = f", momentum {settings.momentum:g}" if settings.optimizer == "sgd" else ""
    yield (
        f"{printable(problem.name)}: {len(problem.x)} rows to train on, "
        f"{len(problem.valid_x)} to validate on"
    )
    yield (
        f"{problem.x.shape[1]} inputs, {settings.hidden} hidden units, {problem.outputs} "
        f"output{'s' * (problem.outputs > 1)}; {loss.get(problem.task, 'cross-entropy')}"
    )
    yield (
        f"{settings.optimizer}, lr {settings.lr:g}{rate}, batches of {settings.batch}, "
        f"{settings.dtype}, seed {settings.seed}"
    )
    yield ""
    if training.epoch:
        measure = problem.measure
        if len(names) == 1:
            yield f"epoch {'loss':>11} {measure:>10}"
        else:
            yield "epoch " + " ".join(f"{name:>14}" for name in names) + f" {measure:>10}"
        width = 11 if len(names) == 1 else 14
        for epoch in shown_epochs(training, options.full):
            losses = " ".join(f"{h.loss[epoch - 1]:#{width}.5g}" for h in histories)
            best = "  best" if epoch == training.best_epoch else ""
            yield f"{epoch:5} {losses} {histories[0].score[epoch - 1]:10.4f}{best}"
        yield ""
    yield ending(training, ended, options)
    if training.epoch and len(names) == 1:
        yield (
            f"best {problem.measure} {training.best_score():.4f} in epoch {training.best_epoch}, "
            f"{median(histories[0].seconds) * 1e3:.2f} ms an epoch"
        )
    elif training.epoch:
        yield from comparison(training)
    for what, name in (("state", options.checkpoint), ("curves", options.plot)):
        if name:
            yield f"{what} in {printable(name)}"


def ending(training: Run, ended: str, options: Namespace) -> str:
    if ended == "interrupted":
        kept = "; the same command with --resume goes on" if options.checkpoint else ""
        return f"stopped by Ctrl-C after epoch {training.epoch}{kept}"
    if ended == "patience":
        return f"stopped after epoch {training.epoch}: no better for {options.patience} epochs"
    if ended == "epochs":
        return f"done: {training.epoch} epochs"
    return f"stopped after epoch {training.epoch}, which is not saved: {ended}"


def comparison(training: Run) -> Iterator[str]:
    """The libraries beside each other."""
    from ..training.loop import OURS

    names, found = list(training.histories), compared(training)
    measure = training.problem.measure
    yield ""
    yield f"{'':24}" + " ".join(f"{name:>14}" for name in names)
    for title, key, form in (
        (f"best {measure}", "best_score", ".4f"),
        (f"{measure} in epoch {training.best_epoch}", "score", ".4f"),
        ("ms an epoch, median", "milliseconds", ".2f"),
        ("times ours", "times_ours", ".2f"),
        ("losses differ from ours", "largest_relative_difference", ".1e"),
    ):
        cells = ("" if name == OURS and "ours" in title else format(found[name][key], form)
                 for name in names)  # fmt: skip
        yield f"{title:24}" + " ".join(f"{cell:>14}" for cell in cells).rstrip()


def compared(training: Run) -> dict[str, dict[str, float]]:
    """Of each library the scores, the time, and how far its losses are from ours."""
    from ..training.loop import OURS

    ours = training.histories[OURS]
    return {
        name: {
            "best_score": max(history.score),
            "score": history.score[training.best_epoch - 1],
            "milliseconds": median(history.seconds) * 1e3,
            "times_ours": median(t / own for t, own in zip(history.seconds, ours.seconds)),
            "largest_relative_difference": max(
                abs(a - b) / max(abs(a), abs(b), 1e-300) if isfinite(a) else inf
                for a, b in zip(history.loss, ours.loss)
            ),
        }
        for name, history in training.histories.items()
    }


def shown_epochs(training: Run, full: bool) -> list[int]:
    """All epochs; or the first, the best, the last and some between, evenly spaced."""
    n = training.epoch
    if full or n <= LINES:
        return list(range(1, n + 1))
    steps = (m * 10**k for k in range(9) for m in (1, 2, 5))
    step = next(s for s in steps if n // s <= LINES - 3)
    return sorted({1, training.best_epoch, n, *range(step, n + 1, step)})


def as_json(training: Run, ended: str, options: Namespace) -> dict[str, Any]:
    """The run as JSON has it."""
    problem = training.problem
    return {
        "data": {
            "name": problem.name,
            "rows": len(problem.x),
            "validation_rows": len(problem.valid_x),
            "inputs": problem.x.shape[1],
            "outputs": problem.outputs,
            "task": problem.task,
            "classes": problem.classes,
            "sha256": problem.digest(),
        },
        "settings": training.settings._asdict(),
        "epochs": training.epoch,
        "ended": ended,
        "measure": problem.measure,
        "best": {"epoch": training.best_epoch, "score": training.best_score()},
        "history": {name: h._asdict() for name, h in training.histories.items()},
        "comparison": compared(training) if training.epoch else {},
        "checkpoint": options.checkpoint,
        "plot": options.plot,
    }
