"""Products and powers: what equals combines, what is never zero cancels, e / (1 + e) is σ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ...core import ops
from ...core.ops import Op, Shape
from .operations import MANY, Operations
from .terms import Term, Terms, base, joint_number, joint_shape, parts, raised


class Products(Operations):
    """The first, second, third and fifth rule."""

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
