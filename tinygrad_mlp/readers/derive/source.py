"""How a term is written as Python source that needs NumPy alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from math import inf
from types import EllipsisType
from typing import Any

import numpy as np

from ...core import ops
from ...core.ops import Op, Shape
from .names import Names
from .options import Listed, Opaque, Slice
from .templates import ATOM, CHOICE, JOINED, PRODUCT, SUM, TIGHT, Place
from .terms import Term, Terms, is_ones, parts
from .writing import Notation

Written = tuple[str, int]

HELPERS = {
    "sigmoid": """\
def sigmoid(x):
    e = np.exp(np.minimum(x, 40))
    return e / (1 + e)
""",
    "softmax": """\
def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)
""",
    "scatter": """\
def scatter(x, index, into):
    out = np.zeros(into, np.asarray(x).dtype)
    np.add.at(out, index, x)
    return out
""",
}


class Source(Notation[str]):
    """A function of arrays. Only words that ``names`` finds safe come from outside."""

    longest = 40
    shares = True

    def __init__(self, names: Names, name: str, root: Term) -> None:
        super().__init__(names)
        self.function = name
        self.symbols: dict[Term, str] = {}
        self.bound: dict[str, Any] = {}  # what has no source, by the word that stands for it
        self.flat: dict[Term, Written] = {}  # a row or a column as a vector, to spare reshapes
        self.returns = self.write(root)
        self.arguments = sorted(self.symbols, key=lambda x: x.order)
        words = ", ".join([*(self.symbols[x] for x in self.arguments), *self.bound])
        lines = "".join(f"    {t} = {text}\n" for t, text in self.definitions)
        function = f"def {name}({words}):\n{lines}    return {self.returns}\n"
        helpers = [text for helper, text in HELPERS.items() if f"{helper}(" in function]
        self.text = "\n\n".join(["import numpy as np\n", *helpers, function])

    def run(self, values: Mapping[Term, Any]) -> Any:
        """What the function returns for these values of its arguments."""
        return self.callable(*(values[x] for x in self.arguments), *self.bound.values())

    @cached_property
    def callable(self) -> Callable[..., Any]:
        scope: dict[str, Any] = {}
        exec(self.text, scope)
        function: Callable[..., Any] = scope[self.function]
        return function

    def name_of(self, symbol: Term) -> str:
        return self.symbols.setdefault(symbol, self.names.identifier(symbol))

    def bind(self, key: Any, name: str, value: Any) -> str:
        """A word for something that has no source, which becomes an argument."""
        self.names.add(key, name, "arg")
        word = self.names.identifier(key)
        self.bound[word] = value
        return word

    def name(self, x: Term) -> None:
        t = f"t{len(self.definitions) + 1}"
        if x.shape == (1, 1):
            self.flat.pop(x, None)  # which is a vector or, from an inner product, a scalar
        if x in self.flat:
            self.definitions.append((t, self.flat[x][0]))
            self.flat[x] = t, ATOM
            self.written[x] = f"{t}[:, None]" if x.shape[1] == 1 else f"{t}[None, :]", ATOM
        else:
            self.definitions.append((t, self.written[x][0]))
            self.written[x] = t, ATOM
        self.cut.add(x)

    def form(self, x: Term) -> Written:
        if x.args and len(x.shape) == 2 and 1 in x.shape:
            first, last = x.args[0], x.args[-1]
            if x.head == "reshape" and len(first.shape) == 1:
                self.flat[x] = self.written[first]
            elif x.head == "permute" and first in self.flat:
                self.flat[x] = self.flat[first]
            elif x.head == "matmul":
                left = self.flat.get(first) if x.shape[0] == 1 else self.written[first]
                right = self.flat.get(last) if x.shape[1] == 1 else self.written[last]
                if left and right:
                    self.flat[x] = self.joined("@", left, right)
        return super().form(x)

    def joined(self, sign: str, left: Written, right: Written) -> Written:
        level = JOINED if sign == "@" else PRODUCT
        return f"{self.bracketed(left, level)} {sign} {self.bracketed(right, TIGHT)}", level

    def at(self, x: Term, level: int) -> str:
        text = super().at(x, level)
        return f"np.float64({text})" if x.head == "number" and level == ATOM else text

    def number(self, x: Term) -> Written:
        return self.decimal(x.options[0])

    def decimal(self, c: float) -> Written:
        text = repr(abs(c)) if abs(c) < inf else f"np.{abs(c)!r}"
        return ("-" + text, SUM) if c < 0 else (text, ATOM)

    def add(self, x: Term) -> Written:
        out = ""
        for a in x.args:
            if out and a not in self.cut and parts(a)[0] < 0:
                out += " - " + self.bracketed(self.product(a, -1), PRODUCT)
            else:
                text = self.at(a, PRODUCT if out else SUM)
                if a.head == "number":
                    text = text.removesuffix(".0")
                out += (" + " if out else "") + text
        return out, SUM

    def product(self, x: Term, sign: int = 1) -> Written:
        c, above, below = parts(x)
        c *= sign
        if above and is_ones(above[0]) and not below:
            return f"np.full({x.shape}, {self.decimal(c)[0]})", ATOM
        words = [self.written[a] for a in above]
        under = [self.written[b] for b in below]
        n = 1 / abs(c) if c else 0.0
        if n > 1 and n.is_integer() and words:
            under.insert(0, (repr(int(n)), ATOM))  # x / 3 is rounded once, 0.333… * x twice
        elif abs(c) != 1 or not words:
            words.insert(0, (self.decimal(abs(c))[0].removesuffix(".0"), ATOM))
        text = self.joint(words)
        if under:
            text = self.joined("/", text, self.joint(under))
        return ("-" + self.bracketed(text, PRODUCT), SUM) if c < 0 else text

    def joint(self, words: list[Written]) -> Written:
        text = words[0]
        for w in words[1:]:
            text = self.joined("*", text, w)
        return text

    def power(self, x: Term) -> Written:
        return f"{self.at(x.args[0], ATOM)}**{x.options[0]!r}", TIGHT

    def matmul(self, x: Term) -> Written:
        return self.joined("@", *(self.written[a] for a in x.args))

    def identity(self, x: Term) -> Written:
        return f"np.eye({x.shape[0]})", ATOM

    def permute(self, x: Term) -> Written:
        (axes,) = x.options
        n = len(axes)
        if axes == (*range(n - 2), n - 1, n - 2):
            return self.at(x.args[0], ATOM) + (".T" if n == 2 else ".mT"), ATOM
        return self.by_row(ops.permute, x.args, x.options)

    def reshape(self, x: Term) -> Written:
        (source,) = x.args
        if source in self.flat and len(x.shape) < 2:
            return self.flat[source]
        if x.shape == (*source.shape, 1):
            return self.at(source, ATOM) + "[..., None]", ATOM
        return self.by_row(ops.reshape, x.args, (x.shape,))

    def expand(self, x: Term) -> Written:
        if is_ones(x):
            return f"np.ones({x.shape})", ATOM
        return self.by_row(ops.expand, x.args, (x.shape,))

    def sum(self, x: Term) -> Written:
        (inner,), (axes,) = x.args, x.options
        over = [] if len(axes) == len(inner.shape) else [str(axes[0] if len(axes) == 1 else axes)]
        kept = ["keepdims=True"] if len(x.shape) == len(inner.shape) else []
        return f"{self.at(inner, ATOM)}.sum({', '.join(over + kept)})", ATOM

    def softmax(self, x: Term) -> Written:
        return f"softmax({self.at(x.args[0], CHOICE)})", ATOM

    def mask(self, x: Term) -> Written:
        kept, condition = (self.at(a, CHOICE) for a in x.args)
        return f"np.where({condition}, {kept}, 0.0)", ATOM

    def by_row(
        self, op: Op, args: Terms, options: tuple[Any, ...], shape: Shape | None = None
    ) -> Written:
        if op.numpy is not None or isinstance(op.forward, np.ufunc):
            return super().by_row(op, args, options)
        place = Place("", CHOICE, "")
        listed = [self.at(a, CHOICE) for a in args] + [self.option(v, place) for v in options]
        return f"{self.bind(op, op.name, op.forward)}({', '.join(listed)})", ATOM

    def template_of(self, op: Op) -> str:
        if op.numpy is not None:
            return op.numpy
        return f"np.{op.forward.__name__}({', '.join(op.parameters)})"

    def filled(
        self, op: Op, pieces: Sequence[tuple[str | Place, str | None]], level: int
    ) -> Written:
        return "".join(str(x) if text is None else text for x, text in pieces), level

    def word(self, text: str) -> str:
        return text

    def between(self, sign: str, parts: Iterable[str]) -> str:
        return sign.join(parts)

    def listed(self, parts: Iterable[str]) -> str:
        return ", ".join(parts)

    def parenthesised(self, inside: str) -> str:
        return f"({inside})"

    def in_brackets(self, inside: str) -> str:
        return f"[{inside}]"

    def option(self, value: Any, place: Place) -> str:
        if isinstance(value, (Term, Listed)):
            return super().option(value, place)
        if isinstance(value, Slice):
            return super().option(value, place) if place.before == "[" else f"slice{tuple(value)}"
        if isinstance(value, tuple):
            listed = [self.option(v, place) for v in value]
            if place.before == "[":
                return ", ".join(listed) or "()"
            return f"({', '.join(listed)}{',' * (len(listed) == 1)})"
        if isinstance(value, EllipsisType):
            return "..."
        if isinstance(value, np.dtype):
            return f"np.{value}"
        if isinstance(value, float):
            return self.decimal(value)[0]
        return self.bind(value, "option", value.value) if isinstance(value, Opaque) else repr(value)
