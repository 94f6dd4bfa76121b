"""A run that has ended, in lines for a terminal and for JSON."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, isfinite
from statistics import median
from typing import Any

from ..readers.printable import printable
from .loop import OURS, Run
from .session import Plan

LINES = 12  # of the table of epochs


def report(training: Run, ended: str, plan: Plan, full: bool) -> Iterator[str]:
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
        for epoch in shown_epochs(training, full):
            losses = " ".join(f"{h.loss[epoch - 1]:#{width}.5g}" for h in histories)
            best = "  best" if epoch == training.best_epoch else ""
            yield f"{epoch:5} {losses} {histories[0].score[epoch - 1]:10.4f}{best}"
        yield ""
    yield ending(training, ended, plan)
    if training.epoch and len(names) == 1:
        yield (
            f"best {problem.measure} {training.best_score():.4f} in epoch {training.best_epoch}, "
            f"{median(histories[0].seconds) * 1e3:.2f} ms an epoch"
        )
    elif training.epoch:
        yield from comparison(training)
    for what, name in (("state", plan.checkpoint), ("curves", plan.plot)):
        if name:
            yield f"{what} in {printable(name)}"


def ending(training: Run, ended: str, plan: Plan) -> str:
    if ended == "interrupted":
        kept = "; the same command with --resume goes on" if plan.checkpoint else ""
        return f"stopped by Ctrl-C after epoch {training.epoch}{kept}"
    if ended == "patience":
        return f"stopped after epoch {training.epoch}: no better for {plan.patience} epochs"
    if ended == "epochs":
        return f"done: {training.epoch} epochs"
    return f"stopped after epoch {training.epoch}, which is not saved: {ended}"


def comparison(training: Run) -> Iterator[str]:
    """The libraries beside each other."""
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


def as_json(training: Run, ended: str, plan: Plan) -> dict[str, Any]:
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
        "checkpoint": plan.checkpoint,
        "plot": plan.plot,
    }
