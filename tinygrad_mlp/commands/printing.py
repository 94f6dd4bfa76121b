"""What the commands print and draw alike: JSON, and pairs of gradients."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Iterable
from math import isfinite
from typing import Any

from ..readers.explain.views import plot as picture


def show(lines: Iterable[str], hidden: bool = False) -> None:
    """Print lines, each when it is there; or only have them made."""
    for line in lines:
        if not hidden:
            print(line, flush=True)


def print_json(data: Any) -> None:
    print(json.dumps(finite(data), indent=2, allow_nan=False))


def finite(value: Any) -> Any:
    """The same with None for nan and the infinities, which JSON does not have."""
    if isinstance(value, dict):
        return {key: finite(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [finite(entry) for entry in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def draw(parser: ArgumentParser, path: str, gradients: Any, how: str, title: str) -> None:
    """--plot: pairs of gradients by name, the tape's first, drawn into a file; or bad usage."""
    try:
        picture.save(path, gradients, how, title)
    except OSError as error:
        parser.error(f"argument --plot: {path}: {error.strerror}")
    except (ImportError, ValueError) as error:
        parser.error(f"argument --plot: {error}")
