"""``tinygrad-mlp train``: the two-layer network on real data, alone or beside other libraries."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from importlib import import_module
from pathlib import Path

from ..training import report
from ..training.against import check_names, rivals
from ..training.loop import DivergedError, Run, Settings
from ..training.meanwhile import threads
from ..training.plot import plot
from ..training.problems import problem
from ..training.session import Plan, check_files, described, resume, trained
from ..training.tables import table
from . import options
from .endings import BAD_USAGE, INTERRUPTED
from .printing import print_json, show
from .words import LARGEST, count, listed, positive, share, size

RATES = {"adam": 0.01, "sgd": 0.5}
MOMENTUM = 0.9
# Why it ended, and the exit status.
ENDINGS = {"epochs": 0, "patience": 0, "interrupted": INTERRUPTED}
PARENTS = (
    options.drawn("of the split, the weights and the batches"),
    options.output(
        json="the whole history as JSON",
        full="every epoch, not some of them",
        plot="draw the curves, as .png, .svg or .pdf",
    ),
)


def add(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("--data", default="digits", metavar="WHAT", help="digits, diabetes, or a file (digits)")
    add("--target", metavar="COLUMN", help="by name or from 1 (the last); of an .npz an array (y)")
    add("--inputs", type=listed, metavar="COLUMN,…", help="(all others); of an .npz an array (x)")
    add("--task", choices=("classify", "regress"), help="(what the target looks like)")
    add("--hidden", type=count, default=64, metavar="H", help="hidden units (64)")
    add("--batch", type=count, default=64, metavar="N", help="rows of a batch (64)")
    add("--epochs", type=count, default=200, metavar="N", help="at most so many (200)")
    patience = "stop after so many epochs without a better score, 0 for never (30)"
    add("--patience", type=size, default=30, metavar="N", help=patience)
    add("--optimizer", choices=tuple(RATES), default="adam", help="(adam)")
    add("--lr", type=positive, metavar="RATE", help="(0.01; 0.5 for sgd)")
    add("--momentum", type=share, metavar="M", help="of sgd (0.9)")
    program = "the gradients as one program, or from the tape (compile)"
    add("--compile", action=BooleanOptionalAction, default=True, help=program)
    add("--against", type=listed, default=(), metavar="LIBRARY,…", help="torch, sklearn or both")
    add("--threads", type=count, metavar="N", help="of every library (as many as they choose)")
    add("--checkpoint", metavar="FILE", help="save the state there while it trains")
    add("--resume", action="store_true", help="go on from --checkpoint, if it is there")


def run(parser: ArgumentParser, given: Namespace) -> int:
    """Learns classes or numbers from a table of inputs: scikit-learn's digits, its
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
    plan = Plan(given.epochs, given.patience, given.checkpoint, given.plot)
    try:
        training = prepared(given, plan)
    except (ValueError, OSError, ImportError) as error:
        parser.error(described(error, own_data=not given.against))
    try:
        with threads(given.threads):
            ended = trained(training, plan)
    except DivergedError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    if given.json:
        print_json(report.as_json(training, ended, plan))
    else:
        show(report.report(training, ended, plan, given.full))
    if given.plot and training.epoch:
        plot(training, Path(given.plot))
    return ENDINGS.get(ended, BAD_USAGE)


def prepared(given: Namespace, plan: Plan) -> Run:
    """The run that the options ask for; all that can be wrong with them is found here."""
    if given.threads:
        import_module("threadpoolctl")
    check_names(given.against)
    if given.momentum is not None and given.optimizer != "sgd":
        raise ValueError(f"--momentum is of --optimizer sgd, not of {given.optimizer}")
    check_files(plan, given.resume, alone=not given.against)
    read = table(given.data, given.inputs, given.target, given.task)
    found = problem(read, given.seed, given.dtype)
    if given.hidden * max(len(found.x), found.x.shape[1], found.outputs) > LARGEST:
        raise ValueError(f"--hidden: {given.hidden} units make too large a matrix; choose fewer")
    rate = given.lr or RATES[given.optimizer]
    momentum = MOMENTUM if given.momentum is None else given.momentum
    sizes = given.hidden, given.batch, given.optimizer
    settings = Settings(*sizes, rate, momentum, given.dtype, given.seed, given.compile)
    training = Run(found, settings, rivals(given.against, found, settings))
    if given.resume:
        resume(training, given.checkpoint)
    return training
