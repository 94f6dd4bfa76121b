"""What was found, as tables for a terminal and for a notebook, and for JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from textwrap import wrap
from typing import Any

import numpy as np

from .difference import FEW, Difference
from .libraries import title


@dataclass(frozen=True)
class Comparison:
    """What ``compare`` found. Printed, it is a table; in a notebook, a table in HTML.

    ``value`` and ``gradients`` are Differences; ``seconds`` and ``peak_bytes`` have for each
    library, by its name, the median time of one call forward and backward, and how much more
    memory than before was in use in such a call at most.
    """

    function: str
    dtypes: dict[str, str]
    value: Difference
    gradients: dict[str, Difference]
    seconds: dict[str, float]
    peak_bytes: dict[str, int]
    rounds: int
    threads: int
    versions: dict[str, str]

    @property
    def largest(self) -> Difference:
        """Of the value and the gradients, the one that differs most for its size."""
        return max([self.value, *self.gradients.values()], key=lambda d: d.scaled)

    def __str__(self) -> str:
        return "\n".join(self.lines())

    __repr__ = __str__

    def heading(self) -> str:
        """What was compared, with what."""
        kinds = ", ".join(dict.fromkeys(self.dtypes.values()))
        libraries = " and ".join(f"{title(k)} {v}" for k, v in self.versions.items())
        return f"{self.function}, {kinds}, under {libraries}"

    def rows(self) -> list[list[str]]:
        """The table of differences, as words: its heading, then a row for each."""
        found = [self.value, *self.gradients.values()]
        names = ["value", *(f"∂/∂{name}" for name in self.gradients)]
        head = ["largest difference", "shape", "ulps", "relative", "absolute", "scaled", "equal"]
        return [head] + [
            [
                name,
                "×".join(map(str, d.shape)) or "a number",
                f"{d.ulps:.0f}" if d.ulps < 1e6 else f"{d.ulps:.0e}",
                f"{d.relative:.1e}",
                f"{d.absolute:.1e}",
                f"{d.scaled:.1e}",
                f"{d.equal} of {int(np.prod(d.shape))}",
            ]
            for name, d in zip(names, found, strict=True)
        ]

    def costs(self) -> list[list[str]]:
        """The table of times and memory, as words."""
        libraries = list(self.seconds)
        first, second = libraries
        times, sizes = self.seconds, self.peak_bytes
        return [
            ["", *map(title, libraries), "ratio"],
            [
                "time of a call",
                *(duration(times[k]) for k in libraries),
                f"{times[first] / times[second]:.2f}" if times[second] else "-",
            ],
            [
                "peak memory",
                *(size(sizes[k]) for k in libraries),
                f"{sizes[first] / sizes[second]:.2f}" if sizes[second] else "-",
            ],
        ]

    def notes(self) -> str:
        """What the figures are."""
        return (
            "Ulps and relative are those of an entry, scaled is to the largest entry. Times are "
            f"medians of {self.rounds} rounds, forward and backward, PyTorch with {self.threads} "
            f"thread{'s' * (self.threads != 1)}; memory is that of arrays and, here, of objects."
        )

    def lines(self) -> Iterator[str]:
        """The tables as lines of at most 80 columns."""
        yield from wrap(self.heading(), 80)
        if self.value.shape == ():
            yield f"value {self.value.ours.item():.9g} here, {self.value.theirs.item():.9g} there"
        yield ""
        yield from aligned(self.rows())
        yield ""
        yield from aligned(self.costs())
        yield ""
        yield from wrap(self.notes(), 80)

    def _repr_html_(self) -> str:
        parts = [f"<p>{escape(self.heading())}</p>"]
        for table in (self.rows(), self.costs()):
            cells = [
                "<tr>" + "".join(f"<{tag}>{escape(word)}</{tag}>" for word in row) + "</tr>"
                for tag, row in zip(["th", *["td"] * len(table)], table)
            ]
            parts.append("<table>" + "".join(cells) + "</table>")
        return "".join([*parts, f"<p>{escape(self.notes())}</p>"])

    def to_dict(self, most: int | None = FEW) -> dict[str, Any]:
        """The same as plain dicts, lists, numbers and strings, for JSON.

        Of each array at most so many entries are in it, or with None all. nan and the infinities,
        which JSON has not, are None.
        """
        return {
            "function": self.function,
            "dtypes": self.dtypes,
            "versions": self.versions,
            "value": self.value.to_dict(most),
            "gradients": {name: d.to_dict(most) for name, d in self.gradients.items()},
            "seconds": self.seconds,
            "peak_bytes": self.peak_bytes,
            "rounds": self.rounds,
            "threads": self.threads,
        }


def duration(seconds: float) -> str:
    for unit, name in ((1, "s"), (1e-3, "ms")):
        if seconds >= unit:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds * 1e6:.3g} µs"


def size(count: int) -> str:
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count} B"


def aligned(rows: list[list[str]]) -> Iterator[str]:
    """Rows of words in columns, the first of them to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        first, *others = (
            word.rjust(w) if i else word.ljust(w)
            for i, (word, w) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join([first, *others]).rstrip()
