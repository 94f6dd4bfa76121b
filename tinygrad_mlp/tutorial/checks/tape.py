"""Notebook 1: a tape of one's own."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .verdict import AnswerError, exercise, near, number


def op_of_one(op: Callable[..., Any], Number: Any, value: Callable[[float], float]) -> Any:
    """The VJP of an op of one Number, at 0.5, if it leaves on the tape what it should."""
    x = Number(0.5)
    out = op(x)
    if not isinstance(out, Number):
        raise AnswerError(
            f"It should return a Number, not {type(out).__name__}. Is a return missing?"
        )
    if not near(number(out.value, "The value", Number), value(0.5)):
        raise AnswerError(
            f"At x = 0.5 the value is {out.value}, but it should be {value(0.5):.6f}."
        )
    if callable(out.vjps):
        raise AnswerError(
            "The VJPs must be a tuple, even when there is only one. Mind the comma before the "
            "last parenthesis: (lambda g: ...,)"
        )
    if tuple(out.inputs) != (x,) or len(out.vjps) != 1:
        raise AnswerError("There should be one input, x, and one VJP: (x,), (lambda g: ...,)")
    vjp = out.vjps[0]
    return lambda g: number(vjp(g), "What the VJP returns", Number)


def of_slope(vjp: Callable[[float], float], slope: float, mistakes: dict[str, float]) -> None:
    """Check a VJP against the slope; ``mistakes`` are the slopes that typical mistakes give."""
    one, three = vjp(1.0), vjp(3.0)
    if near(one, three):
        raise AnswerError(
            "Your VJP gives the same whatever g is. A VJP turns the cotangent that arrives into "
            "the one that leaves: multiply by g."
        )
    if near(one, slope) and near(three, 3 * slope):
        return
    for message, wrong in mistakes.items():
        if near(one, wrong):
            raise AnswerError(message)
    raise AnswerError(
        f"At x = 0.5, g = 1 becomes {one:.6f}. A nudge of x says that it should become "
        f"{slope:.6f}, and g = 3 three times as much."
    )


@exercise
def sin(op: Any, Number: Any) -> str:
    """Notebook 1: the VJP of the sine."""
    vjp = op_of_one(op, Number, math.sin)
    of_slope(
        vjp,
        math.cos(0.5),
        {
            "The sign is wrong: the derivative of the sine is plus the cosine.": -math.cos(0.5),
            "You multiply by the sine. By its derivative, please.": math.sin(0.5),
            "This is the cosine of g, or of another number than x.value.": math.cos(1.0),
            "You pass g on as it is. When x moves by a little, sin x moves by cos x times that.": 1,
        },
    )
    return "Right. Whatever arrives leaves multiplied by cos x."


@exercise
def sigmoid(op: Any, Number: Any) -> str:
    """Notebook 1: the VJP of σ."""
    out = 1 / (1 + math.exp(-0.5))
    vjp = op_of_one(op, Number, lambda x: 1 / (1 + math.exp(-x)))
    of_slope(
        vjp,
        out * (1 - out),
        {
            "This is x (1 − x). The derivative is out (1 − out), of the result.": 0.25,
            "A factor is missing: σ′ = σ (1 − σ), and this is 1 − σ.": 1 - out,
            "A factor is missing: σ′ = σ (1 − σ), and this is σ.": out,
            "The sign is wrong: σ climbs everywhere, so its slope is positive.": -out * (1 - out),
            "This is σ (1 + σ); it should be σ (1 − σ).": out * (1 + out),
        },
    )
    return "Right, and without another exponential."


@exercise
def walk(answer: Any, Number: Any, tape: list[Any]) -> str:
    """Notebook 1: the walk back along the tape."""
    before = list(tape)
    try:
        tape.clear()
        x, y, z = Number(2.0), Number(3.0), Number(5.0)
        a = x * y
        b = a + x
        f = b * z  # (x y + x) z
        g = answer(f)
        if g is None:
            raise AnswerError("walk returns None. It should return g.")
        if len(tape) != 6:
            raise AnswerError("The walk itself puts Numbers on the tape; work with plain numbers.")
        values = {v: number(g[v], "A cotangent", Number) for v in (f, z, b, a, y, x)}
        if values[f] != 1.0:
            raise AnswerError("The cotangent of f should stay 1: if f moves, f moves as much.")
        if not near(values[b], 5.0) or near(values[a], 1.0):
            raise AnswerError(
                "In f = b · z with z = 5, the cotangent of b should be 5, and in b = a + x that of "
                f"a should be 5 as well; yours are {values[b]} and {values[a]}. Each vjp takes the "
                "cotangent of the number that the step made: g[number]."
            )
        if values[a] == 0.0 or values[y] == 0.0:
            raise AnswerError(
                "Nothing arrives at the first numbers. Go from the end of the tape to its start: "
                "when you pass a number, what it passes on must have arrived already."
            )
        if near(values[x], 15.0) or near(values[x], 5.0):
            raise AnswerError(
                "In (x y + x) z, x is used twice, and one of the contributions is lost. The "
                "second must be added to the first, not put in its place: +="
            )
        expected = {f: 1.0, z: 8.0, b: 5.0, a: 5.0, y: 10.0, x: 20.0}
        for name, v in {"z": z, "a": a, "y": y, "x": x}.items():
            if not near(values[v], expected[v]):
                raise AnswerError(
                    f"Of f = (x y + x) z with x = 2, y = 3, z = 5, the derivative by {name} is "
                    f"{expected[v]}, but you get {values[v]}."
                )
    finally:
        tape[:] = before
    return "Right. From the last number to the first, and what arrives is added."
