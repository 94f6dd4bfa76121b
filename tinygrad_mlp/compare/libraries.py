"""The two libraries: their names, and PyTorch where it is installed."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

OURS = __name__.partition(".")[0]
THEIRS = "torch"
NEEDED = "PyTorch is not installed: pip install 'tinygrad-mlp[compare]'"


def require_torch() -> Any:
    """PyTorch; ModuleNotFoundError, which says how to install it, where it is not."""
    # Its profiler would log to stderr when it starts.
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    try:
        return import_module(THEIRS)
    except ModuleNotFoundError as error:
        if error.name != THEIRS:
            raise
        raise ModuleNotFoundError(NEEDED, name=THEIRS) from None


def title(library: str) -> str:
    return "PyTorch" if library == THEIRS else library
