"""Gradients found in two ways, side by side, with their difference, as a picture."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from os import PathLike
from os.path import splitext
from typing import Any

import numpy as np
from numpy import ndarray

from .summary import number, sizes

MOST = 24  # rows of a picture that can still be looked at
MISSING = "--plot needs matplotlib; install it with: pip install 'tinygrad-mlp[plot]'"


def save(
    path: str | PathLike[str],
    gradients: Mapping[str, tuple[ndarray, ndarray]],
    other: str = "closed form",
    title: str = "",
) -> None:
    """Draw pairs of arrays by name, the tape's first, one pair a row; the suffix says the format.

    ImportError where matplotlib is missing, OSError where the file cannot be written, ValueError
    for a format that there is not, or for nothing to draw.
    """
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - an extra
    except ImportError:
        raise ImportError(MISSING) from None

    shown = {name: pair for name, pair in gradients.items() if pair[0].size}
    if not shown:
        raise ValueError("there is nothing to draw, as no gradient has any entries")
    some = list(shown.items())[:MOST]
    figure = Figure(figsize=(11, 0.7 + 2.1 * len(some)), layout="constrained")
    rows = figure.subplots(len(some), 3, squeeze=False)
    for axes, (name, (tape, closed)) in zip(rows, some, strict=True):
        largest = scale(np.stack([tape, closed]).astype(np.float64))
        difference = tape.astype(np.float64) - closed.astype(np.float64)
        for ax, array, limit, what in (
            (axes[0], tape, largest, "tape"),
            (axes[1], closed, largest, other),
            (axes[2], difference, scale(difference), f"difference, at most {most(difference)}"),
        ):
            table = array.reshape(-1, array.shape[-1] if array.ndim else 1)
            if table.shape[1] == 1:
                table = table.T  # a column lies more easily in a row
            image = ax.imshow(
                table,
                aspect="auto",
                cmap="RdBu_r",
                vmin=-limit,
                vmax=limit,
                interpolation="nearest",
            )
            figure.colorbar(image, ax=ax)
            ax.set_title(what, fontsize="medium")
            ax.set_yticks([] if table.shape[0] == 1 else [0, table.shape[0] - 1])
        label = f"{name}\n{sizes(tape.shape)}".replace("$", r"\$")
        axes[0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize="medium")
    more = f" (the first {MOST} of {len(shown)})" if len(shown) > MOST else ""
    figure.suptitle((title + more).replace("$", r"\$"))
    with warnings.catch_warnings():
        # A name may have characters that no font has.
        warnings.filterwarnings("ignore", "Glyph")
        # Without a format, Matplotlib would write beside a name that has no suffix, a folder's say.
        figure.savefig(path, dpi=120, format=splitext(path)[1][1:] or "png")


def scale(x: ndarray) -> float:
    """The largest absolute value that is finite, or 1 where there is none but 0."""
    finite = np.abs(x[np.isfinite(x)])
    return float(finite.max(initial=0.0)) or 1.0


def most(x: Any) -> str:
    return number(float(np.abs(x).max(initial=0.0)))
