"""The curves of a training: the loss and the validation score by epoch, of each library."""

from __future__ import annotations

import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

from .loop import OURS, Run

FORMATS = (".png", ".svg", ".pdf", ".jpg")
AGG = "matplotlib.backends.backend_agg"

# Drawn over each other where they agree, so each is thinner than the one below it.
STYLES: tuple[dict[str, Any], ...] = (
    {"linewidth": 4, "alpha": 0.4},
    {"linewidth": 1.6},
    {"linewidth": 1.2, "linestyle": "--"},
)


def require_plot(path: Path) -> None:
    """ValueError for a file name whose ending is no format; ImportError without matplotlib."""
    if path.suffix not in FORMATS:
        raise ValueError(f"{path}: a plot's name ends in {', '.join(FORMATS)}")
    import_module(AGG)


def plot(run: Run, path: Path) -> None:
    """Draw a run's curves into a file, whose format is that of its name's ending.

    OSError where it cannot be written.
    """
    figure = import_module("matplotlib.figure").Figure(figsize=(9, 3.6), layout="constrained")
    import_module(AGG).FigureCanvasAgg(figure)  # which draws without a screen
    left, right = figure.subplots(1, 2)
    epochs = range(1, run.epoch + 1)
    for (name, history), style in zip(run.histories.items(), STYLES):
        left.plot(epochs, history.loss, label=name, **style)
        right.plot(epochs, history.score, label=name, **style)
    left.set(xlabel="epoch", ylabel="training loss", yscale="log")
    right.set(xlabel="epoch", ylabel=f"validation {run.problem.measure}")
    right.axvline(run.best_epoch, color="0.6", linewidth=0.8, linestyle=":")
    if len(run.histories) > 1:
        left.legend()
    # The name of a file is no formula, and may have characters that no font has.
    name = run.problem.name.encode(errors="replace").decode()
    title = f"{name}: best {run.best_score(OURS):.4f}, epoch {run.best_epoch}"
    figure.suptitle(title, parse_math=False)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")
        figure.savefig(path, dpi=150)
