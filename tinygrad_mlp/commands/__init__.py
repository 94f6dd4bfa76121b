"""The commands, each in the module and the function of its name.

A command is a function that adds its options to a parser and returns what then runs, which takes
the options given and returns an exit status. Its docstring is its help. It imports what it needs
when it runs, so that no command waits for what only another one needs.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from importlib import import_module

from .arguments import Run

DEFAULT = "experiment"
NAMES = (DEFAULT, "compare", "derive", "explain", "fuzz", "train", "tutorial")


def command(name: str) -> Callable[[ArgumentParser], Run]:
    """The function that is the command of this name."""
    found: Callable[[ArgumentParser], Run] = getattr(import_module(f"{__name__}.{name}"), name)
    return found
