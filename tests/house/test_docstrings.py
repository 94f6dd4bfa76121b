"""Every example in a docstring is run, and what is public has a docstring."""

import doctest
import inspect
from collections.abc import Iterator
from importlib import import_module
from pkgutil import walk_packages
from types import ModuleType
from typing import Any

import pytest

import tinygrad_mlp

MODULES = [
    import_module(found.name)
    for found in walk_packages(tinygrad_mlp.__path__, "tinygrad_mlp.")
    if not found.name.endswith("__main__")
]


def public(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """What the package exports from this module, and the methods of the classes among it."""
    for name, value in vars(tinygrad_mlp).items():
        if getattr(value, "__module__", None) != module.__name__ or name.startswith("_"):
            continue
        yield name, value
        if inspect.isclass(value):
            own = [c for c in value.__mro__ if c.__module__.startswith("tinygrad_mlp.")]
            members = {k: v for c in reversed(own) for k, v in vars(c).items()}
            for attribute, member in members.items():
                # ``add_`` is __iadd__ by name, and what an operator does needs no docstring.
                hidden = {attribute[0], getattr(member, "__name__", attribute)[0]}
                if "_" not in hidden and (callable(member) or isinstance(member, property)):
                    yield f"{name}.{attribute}", member


@pytest.mark.parametrize("module", [tinygrad_mlp, *MODULES], ids=lambda m: m.__name__)
def test_examples(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


def test_there_are_examples() -> None:
    finder = doctest.DocTestFinder()
    examples = [e for m in MODULES for test in finder.find(m) for e in test.examples]
    assert len(examples) > 50


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.__name__)
def test_what_is_public_has_a_docstring(module: ModuleType) -> None:
    assert inspect.getdoc(module)
    assert [name for name, value in public(module) if not inspect.getdoc(value)] == []


def test_public_finds_functions_methods_and_properties() -> None:
    names = {name for module in MODULES for name, _ in public(module)}
    assert {"tensor", "grad", "Tensor.backward", "Tensor.shape", "no_grad"} <= names
