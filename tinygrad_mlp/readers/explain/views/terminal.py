"""An explained tape in lines of at most 80 columns, and a walk along it one key at a time."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO
from unicodedata import combining, east_asian_width

from numpy import ndarray

from ..explanation import Backward, Entry, ExplainedTape, Leaf
from .summary import number, sizes, summary

WIDTH = 80
GONE = "no longer held"


class Style:
    """How things are set off from each other: by colours, or not at all."""

    def __init__(self, colours: bool = False) -> None:
        self.colours = colours

    def __call__(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colours and text else text

    def heading(self, text: str) -> str:
        return self(text, "1")

    def op(self, text: str) -> str:
        return self(text, "36")

    def gradient(self, text: str) -> str:
        return self(text, "33")

    def aside(self, text: str) -> str:
        return self(text, "2")


PLAIN = Style()


def wants_colours(stream: TextIO) -> bool:
    """Whether to colour what is written there: on a terminal, unless NO_COLOR says not to."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def width(text: str) -> int:
    """How many columns a text takes."""
    return sum((2 if east_asian_width(c) in "WF" else 1) for c in text if not combining(c))


def fit(text: str, columns: int) -> str:
    """The text in exactly so many columns."""
    if width(text) > columns:
        while width(text) > columns - 1:
            text = text[:-1]
        text += "…"
    return text + " " * (columns - width(text))


def lines(explanation: ExplainedTape, style: Style = PLAIN) -> Iterator[str]:
    """The whole tape: forward, back, and what is left in ``.grad``."""
    yield style.heading("Forward")
    yield style.aside(HEAD)
    for entry in explanation.entries:
        yield forward(entry, style)
    yield ""
    yield style.heading("Back")
    for step in explanation.backward:
        yield from back(explanation, step, style)
    yield ""
    yield style.heading("What backward() leaves in .grad")
    for leaf in explanation.leaves:
        yield left(explanation, leaf, style)


COLUMNS = (4, 10, 8, 13, 9, 21)  # and one more column


def row(*cells: str, style: Style = PLAIN) -> str:
    """Cells in the columns of the table, the last one without an end; the third is the op."""
    fitted = [fit(cell, size) for cell, size in zip(cells, COLUMNS, strict=False)]
    fitted[2] = style.op(fitted[2])
    return " ".join([*fitted, *cells[len(COLUMNS) :]]).rstrip()


HEAD = row("#", "name", "op", "inputs", "shape", "range", "norm")


def forward(entry: Entry, style: Style = PLAIN) -> str:
    """What an entry holds, in one line."""
    values = [GONE, ""]
    if entry.value is not None:
        found = summary(entry.value)
        span = found.range if len(found.range) <= COLUMNS[-1] else found.span(3)
        values = [span, number(found.norm) if entry.shape else ""]
    return row(
        str(entry.place),
        entry.name.text,
        entry.op or "leaf",
        ", ".join(x.name.text for x in entry.inputs),
        sizes(entry.shape),
        *values,
        style=style,
    )


def back(explanation: ExplainedTape, step: Backward, style: Style = PLAIN) -> Iterator[str]:
    """What arrives at a node, and for each input the VJP and what leaves."""
    entry = explanation.entries[step.entry]
    assert entry.computes is not None
    head = f"{step.entry:<4} {style.op(entry.op or '')}  "
    room = WIDTH - 7 - len(entry.op or "")
    yield head + fit(f"{entry.name.text} = {entry.computes.text}", room).rstrip()
    yield from told("arrives  ", step.derivative.text, step.arrives, style)
    if not step.leaves:
        yield "     nothing leaves"
    for leaving in step.leaves:
        sign = "+=" if leaving.adds else "="
        rule = f"{leaving.derivative.text} {sign} {leaving.rule.text}"
        yield from told("leaves   ", rule, leaving.cotangent, style)


def told(label: str, formula: str, array: ndarray, style: Style) -> Iterator[str]:
    """A formula, and behind it or below it the figures of its value."""
    indent, found = 5 + len(label), str(summary(array))
    pieces = wrapped(formula, WIDTH - indent)
    for i, piece in enumerate(pieces):
        start = " " * 5 + (label if i == 0 else " " * len(label)) + style.gradient(piece)
        if i < len(pieces) - 1:
            yield start
        elif indent + width(piece) + 2 + width(found) <= WIDTH:
            yield start + " " * (WIDTH - indent - width(piece) - width(found)) + found
        else:
            yield start
            yield " " * (WIDTH - width(found)) + found


def wrapped(text: str, columns: int) -> list[str]:
    """The text in lines of at most so many columns, broken at spaces where that can be done."""
    found = [""]
    for word in text.split(" "):
        longer = f"{found[-1]} {word}" if found[-1] else word
        if width(longer) <= columns:
            found[-1] = longer
            continue
        pieces = [""]
        for c in word:
            if width(pieces[-1] + c) > columns:
                pieces.append("")
            pieces[-1] += c
        found = [line for line in found if line] + pieces
    return found


def left(explanation: ExplainedTape, leaf: Leaf, style: Style = PLAIN) -> str:
    name = fit(explanation.entries[leaf.entry].name.text, 10)
    if leaf.after is None:
        return f"{name} nothing: no cotangent arrives"
    added = "" if leaf.before is None or leaf.gradient is None else "  (added to what was there)"
    return f"{name} {style.gradient(str(summary(leaf.after)))}{added}"


# One step for each key.

HELP = "space, → next   ← back   q end"
NEXT = {" ", "\r", "\n", "n", "j", "l", "\x1b[C", "\x1b[B", "\x1bOC", "\x1bOB"}
BACK = {"b", "p", "k", "h", "\x1b[D", "\x1b[A", "\x1bOD", "\x1bOA", "\x7f"}
END = {"q", "Q", "\x1b", "\x04", ""}


def steps(explanation: ExplainedTape, style: Style) -> list[list[str]]:
    """What to show for each key."""
    first = [style.heading("Forward"), style.aside(HEAD)]
    pages = [[*first, forward(entry, style)] for entry in explanation.entries[:1]]
    pages += [[forward(entry, style)] for entry in explanation.entries[1:]]
    for i, step in enumerate(explanation.backward):
        title = ["", style.heading("Back")] if i == 0 else []
        pages.append([*title, *back(explanation, step, style)])
    last = ["", style.heading("What backward() leaves in .grad")]
    pages.append([*last, *(left(explanation, leaf, style) for leaf in explanation.leaves)])
    return pages


def walk(explanation: ExplainedTape, keys: Iterator[str], out: TextIO, style: Style) -> None:
    """Show a step for each key, until the end, a q, or the end of the keys."""
    try:
        show_steps(steps(explanation, style), keys, out, style)
    except KeyboardInterrupt:
        out.write("\r\x1b[K")
        raise


def show_steps(pages: list[list[str]], keys: Iterator[str], out: TextIO, style: Style) -> None:
    place = 0
    while True:
        out.write("\n".join(pages[place]) + "\n")
        if place == len(pages) - 1:
            return
        out.write(style.aside(f"step {place + 1} of {len(pages)}   {HELP}"))
        out.flush()
        moved = place
        while moved == place:
            key = next(keys, "")
            if key in END:
                out.write("\r\x1b[K")
                return
            if key in NEXT:
                moved = place + 1
            elif key in BACK:
                moved = max(place - 1, 0)
        place = moved
        out.write("\r\x1b[K")


@contextmanager
def keyboard(stream: TextIO) -> Iterator[Iterator[str]]:
    """The keys that are pressed, each at once and unseen; arrows come as terminals send them."""
    if sys.platform == "win32":
        yield pressed_on_windows()
    else:
        import termios  # noqa: PLC0415 - which Windows has not
        import tty  # noqa: PLC0415

        descriptor = stream.fileno()
        before: Any = termios.tcgetattr(descriptor)
        try:
            tty.setcbreak(descriptor, termios.TCSADRAIN)
            yield pressed(descriptor)
        finally:
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def pressed(descriptor: int) -> Iterator[str]:
    while key := os.read(descriptor, 1):
        # The rest of an arrow's sequence is there at once; after a bare escape there is nothing.
        while key.startswith(b"\x1b") and select.select([descriptor], [], [], 0.05)[0]:
            key += os.read(descriptor, 1)
            if key[-1:].isalpha() and key[-1:] != b"O":
                break
        yield key.decode(errors="replace")


def pressed_on_windows() -> Iterator[str]:
    import msvcrt  # noqa: PLC0415 - which only Windows has

    getch: Any = msvcrt.getwch  # type: ignore[attr-defined,unused-ignore]
    arrows = {"M": "\x1b[C", "P": "\x1b[B", "K": "\x1b[D", "H": "\x1b[A"}
    while (key := getch()) != "\x03":
        yield arrows.get(getch(), "?") if key in "\x00\xe0" else key
    raise KeyboardInterrupt
