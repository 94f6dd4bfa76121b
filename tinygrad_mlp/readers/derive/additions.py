"""Sums of several terms: what equals combines, common factors come out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...core.ops import Shape
from .operations import MANY, Operations
from .terms import Term, bare, joint_shape, parts


class Additions(Operations):
    """The third rule."""

    def add(self, shape: Shape, terms: Iterable[Term]) -> Term:
        """The sum of these terms, broadcast to the shape."""
        total: dict[Term, float] = {}  # how often each occurs
        waiting = list(terms)[::-1]
        while waiting:
            x = self.natural(waiting.pop())
            if x.head == "add" and len(total) + len(x.args) <= MANY:
                waiting += x.args[::-1]
                continue
            x = self.item(x, shape)
            c, above, below = parts(x)
            core = self.times(1, above, below, x.shape)
            total[core] = total.get(core, 0) + c
        total = self.factored(self.factored(total, 1), 0)
        found = [(x, c) for x, c in total.items() if c != 0]
        if not found:
            return self.number(0.0, shape)
        # A before Aᵀ, and what has no minus before what has.
        found.sort(key=lambda item: item[0].head == "permute" and item[0].args[0] in total)
        found.insert(0, found.pop(next((i for i, (_, c) in enumerate(found) if c > 0), 0)))
        common = found[0][1]
        if len(found) == 1 or any(x is self.one or abs(c) != abs(common) for x, c in found):
            common = 1.0
        args = tuple(self.scaled(c / common, x) for x, c in found)
        if len(args) > 1:
            inner_shape = joint_shape(args)
            args = (self.make("add", args, (), inner_shape),)
        return self.product(shape, [self.factor(common), *args])

    def factored(self, total: dict[Term, float], last: int) -> dict[Term, float]:
        """A x + B x as (A + B) x or, for ``last`` = 0, x A + x B as x (A + B)."""
        groups: dict[Any, list[Term]] = {}
        for x in total:
            m = bare(x)
            if m.head == "matmul":
                key = (x.shape, m.shape, m.args[last], m.args[1 - last].shape)
                groups.setdefault(key, []).append(x)
        for (shape, inner_shape, common, other_shape), group in groups.items():
            if not 1 < len(group) <= MANY:
                continue
            others = [self.scaled(total[x], bare(x).args[1 - last]) for x in group]
            other = self.add(other_shape, others)
            left, right = (other, common) if last else (common, other)
            x = self.reshape(self.matmul(left, right, inner_shape), shape)
            c, above, below = parts(x)
            merged = self.times(1, above, below, shape)
            items, total = total.items(), {}
            for y, d in items:
                if y is group[0]:
                    y, d = merged, c
                if y not in group:
                    total[y] = total.get(y, 0) + d
        return total
