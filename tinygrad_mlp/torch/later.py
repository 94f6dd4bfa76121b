"""Names of a package that its submodules have, and whose import waits for their first use.

Such a package has a ``__getattr__``, which Python calls for a name that is not there yet. It must
not import the same submodules itself: where one thread imports a submodule and another at that
moment the package, each would wait for the other.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType


def first_use(package: str, name: str, submodule: str) -> object:
    """What a name of the package stands for, which from then on the package has.

    >>> import tinygrad_mlp as tg
    >>> first_use("tinygrad_mlp", "formula", "readers.derive.deriving") is tg.formula
    True
    """
    found = meant(name, import_module(f".{submodule}", package))
    setattr(sys.modules[package], name, found)
    return found


def meant(name: str, value: object) -> object:
    """Of a module that has a member of this name, such as derive's derive, that; else the value."""
    return vars(value).get(name, value) if isinstance(value, ModuleType) else value


class Package(ModuleType):
    """A package in which a function keeps its name when the submodule so called is imported."""

    # Python sets a submodule as an attribute of its package whenever and by whoever it is imported.
    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, meant(name, value))
