"""Each rule of the algebra, and of rows.py, on its own, on terms made by hand."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tinygrad_mlp.core import ops
from tinygrad_mlp.readers.derive.algebra import Algebra
from tinygrad_mlp.readers.derive.names import Names
from tinygrad_mlp.readers.derive.notation import Text
from tinygrad_mlp.readers.derive.rows import apply
from tinygrad_mlp.readers.derive.source import Source
from tinygrad_mlp.readers.derive.terms import Term

SHAPES = {
    **dict.fromkeys("abc", ()),
    **dict.fromkeys("xyz", (3,)),
    **dict.fromkeys("uv", (3, 1)),
    **dict.fromkeys("r", (1, 3)),
    **dict.fromkeys("ABC", (3, 3)),
    "T": (2, 3, 4),
}


class Board:
    """Symbols a to T, with operators between terms that apply the rules."""

    def __init__(self) -> None:
        self.algebra = Algebra()
        self.names = Names()
        self.symbols: dict[str, Term] = {}
        for name, shape in SHAPES.items():
            self.symbols[name] = self.algebra.symbol(name, shape)
            self.names.add(self.symbols[name], name, "x")

    def __getattr__(self, name: str) -> Any:
        if name in SHAPES:
            return self.symbols[name]
        op: Any = getattr(ops, name)

        def made(*args: Any) -> Term:
            terms = tuple(self.number(x) if isinstance(x, float) else x for x in args)
            inputs = [x for x in terms if isinstance(x, Term)]
            # The shape is what the op's forward makes of arrays of these shapes.
            arrays = [np.ones(x.shape, bool if op in LOGIC else float) for x in inputs]
            shape = np.shape(op.forward(*arrays, *terms[len(inputs) :]))
            return apply(self.algebra, op, tuple(inputs), terms[len(inputs) :], shape)

        return made

    def number(self, c: float) -> Term:
        return self.algebra.number(c)

    def t(self, x: Term) -> Term:
        return self.algebra.transpose(x)


LOGIC = (ops.both, ops.either, ops.opposite)
ALL = (None, False)

# A rule, what it is applied to, and what comes out. Without the rule, something else would.
RULES: list[tuple[int, Callable[[Any], Term], str]] = [
    (1, lambda o: o.mul(o.mul(o.x, 2.0), o.mul(o.y, 3.0)), "6 (x ⊙ y)"),
    (1, lambda o: o.mul(o.x, o.mul(o.a, o.y)), "a (x ⊙ y)"),
    (1, lambda o: o.neg(o.mul(o.neg(o.x), o.y)), "x ⊙ y"),
    (1, lambda o: o.div(o.mul(2.0, o.x), o.y), "2 x / y"),
    (1, lambda o: o.div(o.x, 4.0), "¼ x"),
    (1, lambda o: o.matmul(o.mul(2.0, o.A), o.neg(o.B)), "−2 A B"),
    (1, lambda o: o.matmul(o.mul(o.a, o.A), o.div(o.B, o.b)), "a A B / b"),
    (1, lambda o: o.sum(o.mul(o.a, o.x), *ALL), "a Σ x"),
    (1, lambda o: o.mean(o.mul(2.0, o.x), *ALL), "⅔ Σ x"),
    (1, lambda o: o.t(o.mul(o.a, o.A)), "a Aᵀ"),
    (1, lambda o: o.reshape(o.mul(3.0, o.A), (9,)), "3 reshape(A; 9)"),
    (1, lambda o: o.expand(o.mul(3.0, o.r), (3, 3)), "3 𝟏 r"),
    (1, lambda o: o.getitem(o.mul(3.0, o.x), (0,)), "3 x[0]"),
    (1, lambda o: o.sum(o.mul(o.A, o.u), (1,), True), "A 𝟏 ⊙ u"),
    (2, lambda o: o.mul(o.x, 1.0), "x"),
    (2, lambda o: o.add(o.x, 0.0), "x"),
    (2, lambda o: o.mul(o.x, 0.0), "0 𝟏"),
    (2, lambda o: o.div(o.x, 1.0), "x"),
    (2, lambda o: o.add(o.A, o.expand(o.r, (3, 3))), "A + 𝟏 r"),
    (2, lambda o: o.sum(o.expand(o.r, (3, 3)), (0,), True), "3 r"),
    (2, lambda o: o.sum(o.expand(o.a, (3, 3)), *ALL), "9 a"),
    (2, lambda o: o.sum(o.scatter(o.a, (0,), (5,)), *ALL), "a"),
    (2, lambda o: o.sum(o.mul(o.A, o.r), (1,), True), "A rᵀ"),
    (2, lambda o: o.sum(o.mul(o.A, o.x), (1,), False), "A x"),
    (2, lambda o: o.sum(o.mul(o.A, o.u), (0,), False), "Aᵀ u"),
    (2, lambda o: o.sum(o.mul(o.t(o.A), o.u), (0,), True), "uᵀ Aᵀ"),
    (3, lambda o: o.add(o.x, o.x), "2 x"),
    (3, lambda o: o.sub(o.mul(3.0, o.x), o.x), "2 x"),
    (3, lambda o: o.sub(o.x, o.x), "0 𝟏"),
    (3, lambda o: o.mul(o.x, o.x), "x²"),
    (3, lambda o: o.mul(o.pow(o.x, 2), o.x), "x³"),
    (3, lambda o: o.add(o.mul(2.0, o.x), o.mul(2.0, o.y)), "2 (x + y)"),
    (3, lambda o: o.sub(o.neg(o.x), o.y), "−(x + y)"),
    (3, lambda o: o.add(o.matmul(o.A, o.u), o.matmul(o.B, o.u)), "(A + B) u"),
    (3, lambda o: o.add(o.matmul(o.A, o.B), o.matmul(o.A, o.C)), "A (B + C)"),
    (3, lambda o: o.sub(o.matmul(o.A, o.u), o.matmul(o.t(o.A), o.u)), "(A − Aᵀ) u"),
    (4, lambda o: o.t(o.t(o.A)), "A"),
    (4, lambda o: o.permute(o.permute(o.T, (1, 2, 0)), (2, 0, 1)), "T"),
    (4, lambda o: o.reshape(o.reshape(o.T, (6, 4)), (24,)), "reshape(T; 24)"),
    (4, lambda o: o.reshape(o.reshape(o.A, (9,)), (3, 3)), "A"),
    (4, lambda o: o.t(o.matmul(o.r, o.A)), "Aᵀ rᵀ"),
    (4, lambda o: o.t(o.matmul(o.t(o.u), o.A)), "Aᵀ u"),
    (4, lambda o: o.t(o.matmul(o.t(o.A), o.B)), "Bᵀ A"),
    (4, lambda o: o.t(o.matmul(o.A, o.t(o.B))), "B Aᵀ"),
    (4, lambda o: o.t(o.matmul(o.A, o.B)), "(A B)ᵀ"),
    (4, lambda o: o.t(o.matmul(o.t(o.A), o.matmul(o.B, o.t(o.C)))), "C Bᵀ A"),
    (4, lambda o: o.getitem(o.mul(o.expand(o.a, (3,)), 2.0), (slice(0, 2),)), "2 a 𝟏"),
    (4, lambda o: o.getitem(o.A, (..., None)), "reshape(A; 3×3×1)"),
    (4, lambda o: o.scatter(o.u, (..., None), (3,)), "u"),
    (4, lambda o: o.t(o.sum(o.t(o.A), (0, 1), True)), "Σ A"),
    (4, lambda o: o.t(o.sum(o.t(o.A), (0,), True)), "A 𝟏"),
    (4, lambda o: o.matmul(o.A, o.algebra.make("identity", (), (), (3, 3))), "A"),
    (4, lambda o: o.matmul(o.algebra.make("identity", (), (), (3, 3)), o.u), "u"),
    (4, lambda o: o.matmul(o.matmul(o.t(o.u), o.v), o.r), "(uᵀ v) r"),
    (5, lambda o: o.div(o.div(o.x, o.y), o.z), "x / (y ⊙ z)"),
    (5, lambda o: o.div(o.x, o.div(o.y, o.z)), "x ⊙ z / y"),
    (5, lambda o: o.div(o.mul(o.x, o.exp(o.y)), o.exp(o.y)), "x"),
    (5, lambda o: o.div(o.x, o.x), "x / x"),  # it may be 0
    (5, lambda o: o.mul(o.exp(o.x), o.add(o.div(o.y, o.exp(o.x)), o.z)), "y + z ⊙ exp(x)"),
    (5, lambda o: o.div(o.exp(o.x), o.add(1.0, o.exp(o.x))), "σ(x)"),
    (5, lambda o: o.div(o.exp(o.x), o.add(2.0, o.exp(o.x))), "exp(x) / (2 + exp(x))"),
    (5, lambda o: o.div(o.exp(o.x), o.sum(o.exp(o.x), *ALL)), "softmax(x)"),
    (5, lambda o: o.div(o.exp(o.A), o.sum(o.exp(o.A), (1,), True)), "softmax(A)"),
    (5, lambda o: o.div(o.exp(o.A), o.sum(o.exp(o.A), (0,), True)), "exp(A) / (𝟏 𝟏ᵀ exp(A))"),
    (5, lambda o: o.div(*shifted(o)), "softmax(x)"),
    (7, lambda o: o.where(o.not_equal(o.x, o.x), o.x, o.y), "y"),
    (7, lambda o: o.where(o.less_equal(o.x, o.x), o.x, o.y), "x"),
    (7, lambda o: o.where(o.less(o.x, o.z), 0.0, o.y), "y ⊙ 1[x ≥ z]"),
    (7, lambda o: o.opposite(o.opposite(o.both(o.x, o.y))), "x ∧ y"),
    (7, lambda o: o.not_equal(o.relu(o.x), 0.0), "x > 0"),
    (7, lambda o: o.pow(o.where(o.less(o.x, o.z), 1.0, 0.0), 2), "1[x < z]"),
    (7, lambda o: o.where(o.less(o.x, o.z), o.mul(2.0, o.y), 0.0), "2 (y ⊙ 1[x < z])"),
]


def shifted(o: Any) -> tuple[Term, Term]:
    e = o.exp(o.sub(o.x, o.a))
    return e, o.sum(e, *ALL)


@pytest.mark.parametrize(
    ("rule", "made", "expected"), RULES, ids=[f"{rule}: {text}" for rule, _, text in RULES]
)
def test_rule(rule: int, made: Callable[[Any], Term], expected: str) -> None:
    board = Board()
    assert Text(board.names).write(made(board)) == expected


def test_what_has_a_name_goes_by_it() -> None:
    board = Board()
    symbol = board.algebra.symbol("h", (3,))
    board.names.add(symbol, "h", "x")
    board.algebra.define(symbol, board.exp(board.x))
    assert board.exp(board.x) is symbol
    assert Text(board.names).write(board.mul(board.y, board.exp(board.x))) == "y ⊙ h"
    # It is still known to be positive.
    assert board.div(symbol, symbol) is board.algebra.number(1.0, (3,))


@pytest.mark.parametrize(("rule", "made", "expected"), RULES, ids=range(len(RULES)))
def test_no_rule_changes_the_value(rule: int, made: Callable[[Any], Term], expected: str) -> None:
    """What comes out is worth what went in, worked out op by op on arrays without any rule."""
    random = np.random.default_rng(rule)
    # Halves, which are exact in sums and products; and some that are equal to each other.
    values = {name: random.integers(1, 6, shape) / 2 for name, shape in SHAPES.items()}
    if expected == "x ∧ y":
        values = {name: value > 1 for name, value in values.items()}
    board = Board()
    source = Source(board.names, "f", made(board))
    found = source.run({board.symbols[name]: values[name] for name in SHAPES})
    np.testing.assert_allclose(found, made(Plain(values)), rtol=1e-14)


class Plain:
    """The same words as a board's, on arrays."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values
        self.algebra = self

    def __getattr__(self, name: str) -> Any:
        if name in SHAPES:
            return self.values[name]
        op: Any = getattr(ops, name)
        return lambda *args: op.forward(*args)

    def make(self, head: str, args: Any, options: Any, shape: tuple[int, ...]) -> Any:
        return np.eye(shape[0])

    def t(self, x: Any) -> Any:
        return x.T
