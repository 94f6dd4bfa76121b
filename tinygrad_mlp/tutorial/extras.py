"""What a notebook goes on without where it is not installed."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def optional(module: str, install: str) -> Any:
    """A module, or None where it is missing, after saying how to ``install`` it.

    >>> from tinygrad_mlp.tutorial import optional
    >>> optional("math", "math").pi
    3.141592653589793
    >>> optional("no_such_module", "'tinygrad-mlp[plot]'")
    no_such_module is not installed; this notebook goes on without it.
    To have it, run: pip install 'tinygrad-mlp[plot]'
    """
    try:
        return import_module(module)
    except ImportError:
        name = module.partition(".")[0]
        print(f"{name} is not installed; this notebook goes on without it.")
        print(f"To have it, run: pip install {install}")
        return None
