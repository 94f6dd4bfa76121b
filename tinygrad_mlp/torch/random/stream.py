"""The 32-bit words that belong to a seed, one after the other: the engine is MT19937."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Words = NDArray[np.uint32] | NDArray[np.uint64]


class Place(NamedTuple):
    """How many words of a stream have gone by, and the normal number that is kept there."""

    words: int
    kept: float | None


class Stream:
    """The words of a seed, and ``kept``, a normal number that was made together with another."""

    def __init__(self, seed: int, origin: NDArray[np.uint64] | None = None) -> None:
        self.seed = seed
        self.words_gone = 0
        self.kept: float | None = None
        self._origin = origin  # a state to begin with in place of the seed's
        if origin is not None:
            kept = float(origin[2].view(np.float64))
            self.kept = None if math.isnan(kept) else kept

    @cached_property
    def _engine(self) -> np.random.RandomState:
        # Importing numpy.random is slow, so the engine waits for the first draw.
        engine = np.random.RandomState(self.seed % 2**32)
        if self._origin is not None:
            key = self._origin[3:].astype(np.uint32)
            engine.set_state(("MT19937", key, int(self._origin[1]), 0, 0.0))
        for start in range(0, self.words_gone, 2**20):
            engine.bytes(4 * min(2**20, self.words_gone - start))
        return engine

    def place(self) -> Place:
        """Where the stream is."""
        return Place(self.words_gone, self.kept)

    def go_back(self, place: Place) -> None:
        """Be where the stream was, whatever has been drawn since."""
        # To go there from the beginning takes long, but a copy before each draw would take longer.
        self.__dict__.pop("_engine", None)
        self.words_gone, self.kept = place

    def state(self) -> NDArray[np.uint64]:
        """The seed, the place in the engine's key, the number kept, and the key: (627,)."""
        engine = self._engine.get_state(legacy=False)["state"]
        kept = np.float64(math.nan if self.kept is None else self.kept)
        head = [self.seed, engine["pos"], kept.view(np.uint64)]
        return np.array([*head, *engine["key"]], np.uint64)

    def words(self, shape: int | tuple[int, ...], bits: int) -> Words:
        """Whole numbers of 32 bits, a word each, or of 64, two words each, the high one first."""
        drawn = self._engine.randint(0, 2**bits, shape, np.uint32 if bits == 32 else np.uint64)
        self.words_gone += drawn.size * (bits // 32)
        return drawn
