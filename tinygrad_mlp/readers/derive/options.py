"""The options of an op, in forms that are equal where they mean the same."""

from __future__ import annotations

from typing import Any, NamedTuple


class Slice(NamedTuple):
    """A slice."""

    start: int | None
    stop: int | None
    step: int | None


class Listed(tuple[int, ...]):
    """A short list of indices."""

    __slots__ = ()


class Opaque:
    """Anything else."""

    def __init__(self, value: Any) -> None:
        self.value = value
