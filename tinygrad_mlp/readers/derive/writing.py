"""Terms written one after the other, what is long under names of its own, ops by their rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from types import EllipsisType
from typing import Any, Generic, TypeVar

from ...core.ops import Op, Shape
from .names import Names
from .options import Listed, Opaque, Slice
from .templates import ATOM, CHOICE, TIGHT, Place, template
from .terms import Term, Terms

S = TypeVar("S")  # what a notation writes: text of some kind, or elements


class Notation(Generic[S]):
    """Writes terms, each from what was written of its arguments.

    What is written of a term goes with how tightly its parts hold together. Once a term would be
    longer than ``longest`` names, numbers and signs, what occurs in it twice, and what is so long
    itself, is written once, under the names t1, t2, …
    """

    longest = 100
    shares = False  # whether what occurs twice in a short term gets a name too

    def __init__(self, names: Names) -> None:
        self.names = names
        self.written: dict[Term, tuple[S, int]] = {}
        self.cut: set[Term] = set()
        self.sizes: dict[Term, int] = {}
        self.definitions: list[tuple[S, S]] = []  # of t1, t2, …

    def write(self, root: Term) -> S:
        order = self.reachable(root)
        names = self.to_name(root, order)
        for x in order:
            if x is root or x not in self.written:
                self.written[x] = self.form(x)
            if x in names:
                self.name(x)
        found = self.written.pop(root)[0]
        if root in self.cut:
            self.written[root] = self.name_of(root), ATOM
        return found

    def reachable(self, root: Term) -> list[Term]:
        """The term and what it is made of, that first; not what has been named."""
        seen, found = {root}, [root]
        for x in found:  # grows while it is walked
            if x is root or x not in self.cut:
                new = [a for a in dict.fromkeys(x.args) if a not in seen]
                seen.update(new)
                found.extend(new)
        return sorted(found, key=lambda x: x.order)

    def is_long(self, root: Term) -> bool:
        """Whether the term, if nothing in it had a name, would be longer than ``longest``."""
        new = [root]
        for x in new:  # grows while it is walked
            for a in x.args:
                if a not in self.sizes:
                    self.sizes[a] = 0  # seen
                    new.append(a)
        for x in sorted(new, key=lambda x: x.order):
            self.sizes[x] = min(1 + sum(self.sizes[a] for a in x.args), self.longest + 1)
        return self.sizes[root] > self.longest

    def to_name(self, root: Term, order: list[Term]) -> set[Term]:
        if not self.shares and not self.is_long(root):
            return set()
        sizes: dict[Term, int] = {}
        uses = Counter(a for x in order for a in set(x.args))
        found = set()
        for x in order:
            if x is not root and x in self.cut:
                sizes[x] = 1
                continue
            size = 1 + sum(sizes[a] for a in x.args)
            for a in sorted(set(x.args), key=lambda a: -sizes[a]):
                if size <= self.longest or sizes[a] < 4:
                    break
                found.add(a)
                size -= (sizes[a] - 1) * x.args.count(a)
                sizes[a] = 1
            if uses[x] > 1 and size > 3 and x.head != "reshape":
                found.add(x)
                size = 1
            sizes[x] = size
        return found

    def name(self, x: Term) -> None:
        """Write the term down as a definition, and as a name from now on."""
        self.names.add(x, None, "t")
        self.definitions.append((self.name_of(x), self.written[x][0]))
        self.written[x] = self.name_of(x), ATOM
        self.cut.add(x)

    def at(self, x: Term, level: int) -> S:
        """A term where something as tight as this has to stand."""
        return self.bracketed(self.written[x], level)

    def bracketed(self, written: tuple[S, int], level: int) -> S:
        return written[0] if written[1] >= level else self.parenthesised(written[0])

    def form(self, x: Term) -> tuple[S, int]:
        """A term, of whose arguments all are written."""
        if x.head == "symbol":
            return self.name_of(x), TIGHT if x in self.names.fractions else ATOM
        if isinstance(x.head, Op):
            return self.operation(x, x.head)
        found: tuple[S, int] = getattr(self, x.head)(x)
        return found

    # Ops by their rows.

    def operation(self, x: Term, op: Op) -> tuple[S, int]:
        return self.by_row(op, x.args, x.options)

    def by_row(
        self, op: Op, args: Terms, options: tuple[Any, ...], shape: Shape | None = None
    ) -> tuple[S, int]:
        """An op as its template has it; of this shape, where it broadcasts its arguments."""
        inputs = (args,) if op.variadic else args
        values = dict(zip(op.parameters, (*inputs, *options), strict=False))
        pieces, level = template(self.template_of(op), op.parameters)
        if len(pieces) == 1 and isinstance(pieces[0], Place):
            return self.written[values[pieces[0].parameter]]
        out: list[tuple[str | Place, S | None]] = []
        for piece in pieces:
            if isinstance(piece, str):
                out.append((piece, None))
                continue
            value = values[piece.parameter]
            if value is None and piece.before == ";":  # "; axes" where all axes are meant
                del out[-2:]
            elif value is args:
                out.append((piece, self.listed([self.at(a, CHOICE) for a in args])))
            elif value in args:
                tight = self.tightness(piece)
                fitted = None if shape is None else self.bracketed(self.fitted(value, shape), tight)
                out.append((piece, self.at(value, tight) if fitted is None else fitted))
            else:
                out.append((piece, self.option(value, piece)))
        return self.filled(op, out, level)

    def fitted(self, x: Term, shape: Shape) -> tuple[S, int]:
        """A term where its surroundings have this shape."""
        return self.written[x]

    def tightness(self, place: Place) -> int:
        """How tight the argument at this place of a template has to be."""
        return place.tightness

    def option(self, value: Any, place: Place) -> S:
        if isinstance(value, Listed):
            return self.in_brackets(self.listed([self.word(str(v)) for v in value]))
        if isinstance(value, Slice):
            bounds = [self.word("" if b is None else str(b)) for b in value]
            return self.between(self.word(":"), bounds if value.step is not None else bounds[:2])
        if isinstance(value, tuple):
            options = [self.option(v, place) for v in value]
            if not options:
                return self.word("()")
            is_shape = place.parameter in ("shape", "to", "into")
            return self.between(self.by, options) if is_shape else self.listed(options)
        if isinstance(value, Term):
            return self.name_of(value)
        if isinstance(value, EllipsisType):
            return self.ellipsis
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return self.decimal(float(value))[0]
        return self.other(type(value.value).__name__ if isinstance(value, Opaque) else str(value))

    # What each notation has its own way for.

    by: S
    ellipsis: S

    def name_of(self, symbol: Term) -> S:
        raise NotImplementedError

    def template_of(self, op: Op) -> str:
        raise NotImplementedError

    def filled(
        self, op: Op, pieces: Sequence[tuple[str | Place, S | None]], level: int
    ) -> tuple[S, int]:
        """The template of an op: its pieces, and what is written at its places."""
        raise NotImplementedError

    def decimal(self, c: float) -> tuple[S, int]:
        raise NotImplementedError

    def word(self, text: str) -> S:
        """A whole number, a sign, or nothing."""
        raise NotImplementedError

    def other(self, text: str) -> S:
        """A text that may be anything."""
        raise NotImplementedError

    def between(self, sign: S, parts: Iterable[S]) -> S:
        """The parts, with the sign between them."""
        raise NotImplementedError

    def listed(self, parts: Iterable[S]) -> S:
        raise NotImplementedError

    def parenthesised(self, inside: S) -> S:
        raise NotImplementedError

    def in_brackets(self, inside: S) -> S:
        raise NotImplementedError
