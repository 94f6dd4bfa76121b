"""The rules that simplify formulas.

Each method below makes a term of terms that are simple already; nothing is rewritten later, and no
rule walks a whole term. The rules are

1. Numbers and scalars come to the front: out of ⊙, /, sums, matrix products, transposes, reshapes,
   broadcasts and indexing. Out of a sum also comes what is constant along its axes.
2. x ⊙ 1 = x + 0 = x and x ⊙ 0 = 0. Nothing is broadcast that an operand broadcasts anyway, and a
   sum of a broadcast value is a multiple of it; of a scattered one, the sum of it.
3. Equal things combine: x + x = 2 x, x ⊙ x = x², A x + B x = (A + B) x, 2 x + 2 y = 2 (x + y).
4. A transpose of a transpose and a reshape of a reshape are one. A vector is a column, and the
   transpose of a row is a column: (xᵀ A)ᵀ = Aᵀ x; and (Aᵀ B)ᵀ = Bᵀ A. Also A I = A.
5. x / y / z = x / (y ⊙ z). What is never zero, like exp(x), cancels, if need be in each term of a
   sum. exp(x) / (1 + exp(x)) = σ(x) and exp(x) / Σ exp(x) = softmax(x) = softmax(x + c).
6. What has a name goes by it.

and a seventh, for conditions, in ``rows``. They hold for real numbers. So a formula may differ from
the tape in the last digits, and where the tape meets nan or an infinity.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from math import prod
from typing import Any

from ...core import ops
from ...core.ops import Op, Shape
from .terms import (
    Builder,
    Term,
    Terms,
    bare,
    base,
    is_condition,
    is_entered,
    is_ones,
    joint_number,
    joint_shape,
    parts,
    raised,
)

MANY = 16  # sums and products of more than so many terms are left in parts, for time's sake


class Algebra(Builder):
    """Makes terms, simplified."""

    # Products: the first, second and fifth rule.

    def product(self, shape: Shape, factors: Iterable[Term], divisors: Iterable[Term] = ()) -> Term:
        """The factors, multiplied entry by entry, over the divisors; broadcast to the shape."""
        c, up, down = 1.0, list[Term](), list[Term]()
        waiting = [(x, True) for x in factors] + [(x, False) for x in divisors]
        waiting.reverse()
        while waiting:
            x, is_factor = waiting.pop()
            if x.head == "expand":
                x = x.args[0]
            inner = x.args[0] if x.head == "reshape" else x
            k, above, below = parts(inner)
            number = joint_number(c, k, is_factor)
            if number is None or len(inner.args) > MANY:
                (up if is_factor else down).append(self.item(x, shape))
            elif x.head == "number":
                c = number
            elif inner.head == "product" and (
                inner is x or all(a.shape in (inner.shape, ()) for a in inner.args)
            ):
                c = number
                flat = [(a, is_factor) for a in above] + [(a, not is_factor) for a in below]
                waiting += [
                    (self.reshape(a, x.shape) if a.shape == inner.shape else a, side)
                    for a, side in reversed(flat)
                ]
            else:
                (up if is_factor else down).append(self.item(x, shape))
        if c == 0:
            return self.number(c, shape)
        above, below = self.combined(up, down)
        taken_in = self.distributed(shape, c, above, below)
        if taken_in is not None:
            return taken_in
        front = tuple(x for x in above if not x.shape)
        under = tuple(x for x in below if not x.shape)
        above = symbols_first(tuple(x for x in above if x.shape))
        below = tuple(x for x in below if x.shape)
        inner_shape = joint_shape(above + below)
        if inner_shape != shape and (above or below):
            whole = self.expand(self.times(1, above, below, inner_shape), shape)
            k, above, below = parts(whole)
            c *= k
        return self.times(c, front + above, below + under, shape)

    def combined(self, up: list[Term], down: list[Term]) -> tuple[Terms, Terms]:
        """Equal factors as powers, without what cancels, and with σ and softmax by name."""
        for d in down[:]:
            for i, e in enumerate(up):
                name = closed_form(e, d)
                if name is not None:
                    x = self.unshifted(e.args[0]) if name == "softmax" else e.args[0]
                    up[i] = self.make(name, (x,), (), e.shape)
                    down.remove(d)
                    break
        if len(up) + len(down) > MANY:
            return tuple(up), tuple(down)
        above, below = Counter[Term](), Counter[Term]()
        for side, powers in ((up, above), (down, below)):
            for x in side:
                b, p = base(x)
                powers[b] += p
        for x in above.keys() & below.keys():
            if x.positive:
                common = min(above[x], below[x])
                above[x] -= common
                below[x] -= common
        return (
            tuple(self.power(x, p) for x, p in above.items() if p),
            tuple(self.power(x, p) for x, p in below.items() if p),
        )

    def unshifted(self, x: Term) -> Term:
        """An x with the same softmax: without what is constant along the last axis."""
        if x.head != "add":
            return x
        return self.add(x.shape, [a for a in x.args if a.shape[-1:] not in ((), (1,))])

    def distributed(self, shape: Shape, c: float, above: Terms, below: Terms) -> Term | None:
        """The product taken into a sum, if that has a divisor which a factor cancels."""
        for s in above:
            if s.head != "add":
                continue
            divisors = [base(d)[0] for a in s.args for d in parts(a)[2]]
            others = [x for x in above if x is not s]
            found = [base(x)[0] for x in others if base(x)[0].positive]
            if any(e is d or closed_form(e, d) for e in found for d in divisors):
                others.append(self.factor(c))
                return self.add(shape, [self.product(shape, [a, *others], below) for a in s.args])
        return None

    def power(self, x: Term, p: float) -> Term:
        """xᵖ, with the number in x raised by itself: (2 x)³ = 8 x³; and (x²)³ = x⁶."""
        if isinstance(p, float) and p.is_integer() and abs(p) < 2**31:
            p = int(p)
        if p == 1:
            return x
        if p == 0:
            return self.number(1.0, x.shape)
        if x.head == "expand":
            return self.expand(self.power(x.args[0], p), x.shape)
        c, above, below = parts(x)
        whole = isinstance(p, int) and p > 0
        is_real = c > 0 or whole or (isinstance(p, int) and c != 0)
        number = raised(c, p) if is_real else None
        if x.head == "number" and number is not None:
            return self.number(number)
        if whole and c != 1 and number is not None:
            rest = self.power(self.times(1, above, below, x.shape), p)
            return self.product(x.shape, [self.factor(number), rest])
        if whole and x.head == "mask" and x.args[0] is self.one:
            return x
        if whole:
            x, q = base(x)
            p *= q
        return self.make("power", (x,), (p,), x.shape)

    # Sums of several terms: the third rule.

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

    # Scalars, and what is linear: the first rule.

    def scalars(self, x: Term) -> tuple[float, Terms, Terms, Term]:
        """A term as a number, scalar factors and scalar divisors, and what is left of it."""
        if x.head != "product" and x.shape:
            return 1.0, (), (), x
        c, above, below = parts(x)
        front, under = (tuple(a for a in side if not a.shape) for side in (above, below))
        above, below = (tuple(a for a in side if a.shape) for side in (above, below))
        return c, front, under, self.times(1, above, below, x.shape)

    def linear(self, x: Term, shape: Shape, function: Callable[[Term], Term]) -> Term:
        """A linear function of x, with the scalars before it."""
        c, front, under, core = self.scalars(x)
        return self.product(shape, [self.factor(c), *front, function(core)], under)

    def item(self, x: Term, shape: Shape = ()) -> Term:
        """An array of one entry, unless of this shape, as a scalar; others as they are."""
        return self.reshape(x, ()) if prod(x.shape) == 1 and x.shape != shape else x

    def natural(self, x: Term) -> Term:
        """Without the broadcast in it."""
        if is_condition(x):
            return x.args[0] if x.head == "expand" else x
        c, front, under, core = self.scalars(x)
        if core.head != "expand":
            return x
        inner = core.args[0]
        return self.product(inner.shape, [self.factor(c), *front, inner], under)

    # Arrangement: the fourth rule.

    def expand(self, x: Term, shape: Shape) -> Term:
        """x broadcast to the shape; an array of one number has the form c 1."""
        if x.shape == shape:
            return x
        if x.head == "expand":
            return self.expand(x.args[0], shape)
        if is_condition(x):
            return self.make("expand", (x,), (), shape)
        if prod(x.shape) == 1:
            c, front, under = parts(self.item(x))
            return self.times(c, (*front, self.ones(shape)), under, shape)
        if prod(x.shape) == prod(shape):
            return self.reshape(x, shape)
        c, front, under, core = self.scalars(x)
        inner = core.args[0] if core.head == "expand" else core
        return self.times(c, (*front, self.make("expand", (inner,), (), shape)), under, shape)

    def reshape(self, x: Term, shape: Shape) -> Term:
        if x.shape == shape:
            return x
        if not x.shape:
            return self.expand(x, shape)
        return self.linear(x, shape, lambda core: self.reshaped(core, shape))

    def reshaped(self, x: Term, shape: Shape) -> Term:
        """A term without scalars in another shape: if it is a row or a column, by a transpose."""
        n = prod(shape)
        if is_ones(x):
            return self.ones(shape)
        if x.head == "reshape" or (x.head == "permute" and not shape):
            return self.reshape(x.args[0], shape)
        if x.head == "sum":
            (inner,), (axes,) = x.args, x.options
            if shape == ():
                return self.sum(inner, None, ())
            kept = tuple(1 if a in axes else m for a, m in enumerate(inner.shape))
            if shape in (kept, tuple(m for a, m in enumerate(inner.shape) if a not in axes)):
                return self.make("sum", x.args, x.options, shape)
            if kept == (1, n) and shape == (n, 1):
                return self.transpose(self.reshape(x, kept))
        if n == 1 and shape:
            return self.expand(self.reshape(x, ()), shape)
        if (x.shape, shape) == ((n,), (1, n)):
            return self.transpose(self.reshape(x, (n, 1)))
        if (x.shape, shape) == ((1, n), (n,)):
            return self.reshape(self.transpose(x), (n,))
        if {x.shape, shape} == {(1, n), (n, 1)}:
            return self.transpose(x)
        return self.make("reshape", (x,), (), shape)

    def transpose(self, x: Term) -> Term:
        n = len(x.shape)
        return self.permute(x, (*range(n - 2), n - 1, n - 2))

    def permute(self, x: Term, axes: tuple[int, ...]) -> Term:
        if axes == tuple(range(len(axes))):
            return x
        shape = tuple(x.shape[a] for a in axes)
        return self.linear(x, shape, lambda core: self.permuted(core, axes, shape))

    def permuted(self, x: Term, axes: tuple[int, ...], shape: Shape) -> Term:
        """A term without scalars, with other axes; the transpose of a row is taken of its parts."""
        if is_ones(x):
            return self.ones(shape)
        if x.head == "permute":
            return self.permute(x.args[0], tuple(x.options[0][a] for a in axes))
        n = len(shape)
        if axes == (*range(n - 2), n - 1, n - 2) and is_turned(x, shape):
            left, right = x.args
            return self.matmul(self.transpose(right), self.transpose(left), shape)
        if len(shape) == 2 and 1 in shape:
            if x.head == "sum" and x.args[0].head == "permute" and len(x.args[0].shape) == 2:
                return self.sum(x.args[0].args[0], tuple(1 - a for a in x.options[0]), shape)
            if x.head in ("add", "product", "power") and len(x.args) <= MANY:
                args = [
                    self.reshape(a, a.shape[::-1] if len(a.shape) == 2 else (*a.shape, 1))
                    if a.shape
                    else a
                    for a in x.args
                ]
                if x.head == "add":
                    return self.add(shape, args)
                if x.head == "power":
                    return self.power(args[0], x.options[0])
                return self.product(shape, args[: x.options[1]], args[x.options[1] :])
        return self.make("permute", (x,), (axes,), shape)

    # Sums over axes, and matrix products: the first and second rule.

    def sum(self, x: Term, axes: tuple[int, ...] | None, shape: Shape) -> Term:
        """The sum over these axes or all; the shape tells whether they stay, with a size of 1."""
        if not x.shape:
            return x
        over = tuple(range(len(x.shape))) if axes is None else tuple(sorted(axes))
        return self.linear(x, shape, lambda core: self.summed(core, over, shape))

    def summed(self, x: Term, axes: tuple[int, ...], shape: Shape) -> Term:
        """The sum of a term without scalars; what is constant along the axes comes out of it."""
        sizes = x.shape

        def aligned(y: Term) -> Shape:
            return (1,) * (len(sizes) - len(y.shape)) + y.shape

        def reduced(y: Term) -> Term:
            """A part of x that lacks some of the axes, summed over the others."""
            own = tuple(a for a in axes if aligned(y)[a] != 1)
            kept = tuple(1 if a in own else n for a, n in enumerate(aligned(y)))
            y = self.sum(self.reshape(y, aligned(y)), own, kept) if own else y
            is_kept = len(shape) == len(sizes)
            to = kept if is_kept else tuple(n for a, n in enumerate(kept) if a not in axes)
            return self.reshape(y, to)

        if all(sizes[a] == 1 for a in axes):
            return self.reshape(x, shape)
        if x.head == "expand":
            inner = x.args[0]
            times = prod(sizes[a] for a in axes if aligned(inner)[a] == 1)
            return self.product(shape, [self.factor(float(times)), reduced(inner)])
        if x.head is ops.scatter and shape == ():
            return self.sum(x.args[0], None, ())
        _, above, below = parts(x)
        constant = {y for y in (*above, *below) if all(aligned(y)[a] == 1 for a in axes)}
        if constant:
            out = [[reduced(y) for y in side if y in constant] for side in (above, below)]
            rest = [[y for y in side if y not in constant] for side in (above, below)]
            total = self.sum(self.product(sizes, *rest), axes, shape)
            return self.product(shape, [total, *out[0]], out[1])
        if shape == ():
            axes = tuple(range(len(sizes)))
        elif len(shape) == len(sizes):
            axes = tuple(a for a in axes if sizes[a] != 1)
        return self.make("sum", (x,), (axes,), shape)

    def matmul(self, x: Term, y: Term, shape: Shape) -> Term:
        """The matrix product, of stacks of matrices if there are more than two axes."""
        return self.linear(
            x, shape, lambda a: self.linear(y, shape, lambda b: self.multiplied(a, b, shape))
        )

    def multiplied(self, x: Term, y: Term, shape: Shape) -> Term:
        """The product of terms without scalars; one by a 1×1 result is scaled by it instead."""
        if x.head == "identity" and y.shape == shape:
            return y
        if y.head == "identity" and x.shape == shape:
            return x
        if len(x.shape) == len(y.shape) == 2:
            (n, m), (_, k) = x.shape, y.shape
            if (m == n == 1 and not is_entered(x)) or (m == k == 1 and not is_entered(y)):
                return self.product(shape, [x, y])
            if is_ones(x):
                return self.expand(self.sum(y, (0,), (1, k)), shape)
            if is_ones(y):
                return self.expand(self.sum(x, (1,), (n, 1)), shape)
        return self.make("matmul", (x, y), (), shape)

    def elementwise(
        self, head: Op | str, args: Iterable[Term], options: tuple[Any, ...], shape: Shape
    ) -> Term:
        """An op that broadcasts its arguments by itself."""
        args = tuple(map(self.natural, args))
        inner_shape = joint_shape(args)
        return self.expand(self.make(head, args, options, inner_shape), shape)


def is_turned(x: Term, shape: Shape) -> bool:
    """Whether a matrix product reads better as that of its factors' transposes, of this shape."""
    if x.head != "matmul" or (len(shape) == 2 and 1 in shape):
        return x.head == "matmul"
    factors = [x]
    for y in factors:  # grows while it is walked
        if y.head == "matmul" and len(factors) <= MANY:
            factors += y.args
    return len(factors) <= MANY and any(y.head == "permute" for y in factors)


def closed_form(e: Term, d: Term) -> Op | str | None:
    """What e / d is known as."""
    if e.head is not ops.exp:
        return None
    if d.head == "add" and len(d.args) == 2 and e in d.args:
        other = d.args[d.args[0] is e]
        return ops.sigmoid if other.head == "number" and other.options[0] == 1 else None
    last = (len(e.shape) - 1,)
    whole = d.head == "sum" and d.args[0] is e and d.options[0] == last
    return "softmax" if whole and d.shape in ((*e.shape[:-1], 1), ()) else None


def symbols_first(factors: Terms) -> Terms:
    """y ⊙ exp(x), not exp(x) ⊙ y; otherwise the factors keep their order."""

    def is_function(x: Term) -> bool:
        return isinstance(x.head, Op) or x.head in ("softmax", "mask")

    place = next((i for i, x in enumerate(factors) if is_function(x)), len(factors))
    late = [x for x in factors[place:] if x.head == "symbol" and x.definition is None]
    return (*factors[:place], *late, *(x for x in factors[place:] if x not in late))
