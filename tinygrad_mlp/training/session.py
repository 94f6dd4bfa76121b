"""A run from its start or its checkpoint to its end, with its state saved on the way."""

from __future__ import annotations

import tempfile
from math import inf
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from ..torch.saving import load, require_safetensors, save
from .loop import Run
from .meanwhile import interrupts, progress
from .plot import require_plot

SAVE_EVERY = 1.0  # seconds
# By the module that is missing.
EXTRAS = {"torch": "compare", "matplotlib": "plot", "sklearn": "train", "threadpoolctl": "train"}


class Plan(NamedTuple):
    """How long a run goes, and where its state and its curves go."""

    epochs: int = 200
    patience: int = 30  # epochs without a better score; 0 for any number
    checkpoint: str | None = None
    plot: str | None = None


def check_files(plan: Plan, resume: bool, alone: bool) -> None:
    """See that what is to be written can be, before hours of training; ValueError where not."""
    checkpoint = plan.checkpoint
    if resume and not checkpoint:
        raise ValueError("--resume needs --checkpoint, which says from where")
    for name in filter(None, (checkpoint, plan.plot)):
        if Path(name).is_dir():
            raise ValueError(f"{name}: this is a folder; give the name of a file")
        try:
            tempfile.TemporaryFile(dir=Path(name).parent).close()
        except OSError as error:
            raise ValueError(f"{name}: cannot be written: {error.strerror}") from None
    if plan.plot:
        require_plot(Path(plan.plot))
    if checkpoint:
        require_safetensors()
    if checkpoint and Path(checkpoint).exists():
        if not resume:
            raise ValueError(f"{checkpoint} is there; --resume goes on from it, or remove it first")
        if not alone:
            raise ValueError(f"--against starts from the beginning, and {checkpoint} does not")


def described(error: Exception, own_data: bool = True) -> str:
    """An error in one line; of what is not installed, what to install, or else to do."""
    name = (getattr(error, "name", None) or "").partition(".")[0]
    if isinstance(error, ImportError) and name in EXTRAS:
        own = "; or give --data a file of your own" if name == "sklearn" and own_data else ""
        package = "scikit-learn" if name == "sklearn" else name
        return f"{package} is not installed: pip install 'tinygrad-mlp[{EXTRAS[name]}]'{own}"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or ''}: {error.strerror}".removeprefix(": ")
    return str(error)


def resume(training: Run, checkpoint: str) -> None:
    """Go on from the checkpoint, if it is there; ValueError if it does not fit."""
    if Path(checkpoint).exists():
        try:
            training.restore(load(checkpoint))
        except ValueError as error:
            why = str(error).removeprefix("load: ").removeprefix(f"{checkpoint}: ")
            raise ValueError(f"{checkpoint}: {why}") from None


def trained(training: Run, plan: Plan) -> str:
    """Train to the end; returns why that is.

    "epochs", "patience" or "interrupted"; or, where the state cannot be saved, why.
    """
    saved = -inf
    with interrupts() as interrupted, progress(training, plan.epochs) as show:
        while True:
            waited = training.epoch - training.best_epoch
            ended = (
                "interrupted"
                if interrupted()
                else "patience"
                if plan.patience and waited >= plan.patience
                else "epochs"
                if training.epoch >= plan.epochs
                else ""
            )
            if plan.checkpoint and training.epoch and (ended or monotonic() > saved):
                try:
                    save(training.state(), plan.checkpoint)
                except OSError as error:
                    return described(error)
                saved = monotonic() + SAVE_EVERY
            if ended:
                return ended
            training.advance()
            show()
