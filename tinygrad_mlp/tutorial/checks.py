"""The checks of the tutorial's exercises: they say what is wrong with an answer, and why.

Each takes what the reader wrote, prints a verdict, and returns whether the answer is right. None
raises, whatever the reader's code does, so that a notebook can be run from top to bottom.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

UNFILLED = "There is still a ... in the cell above: write your code in its place, and run the cell."


class AnswerError(Exception):
    """What is wrong with an answer, in words for who gave it."""


def exercise(judge: Callable[..., str]) -> Callable[..., bool]:
    """A check, from a function that returns praise or raises AnswerError."""

    @wraps(judge)
    def verdict(*answer: Any) -> bool:
        try:
            praise = judge(*answer)
        except AnswerError as wrong:
            print(f"✗ {wrong}")
        except Exception as error:
            message = f"Your code raises {type(error).__name__}: {error}"
            print(f"✗ {UNFILLED if unfilled(error) else message}")
        else:
            print(f"✓ {praise}")
            return True
        return False

    return verdict


def unfilled(error: Exception) -> bool:
    """Whether what went wrong is that an Ellipsis was taken for something else."""
    return any(word in str(error) for word in ("ellipsis", "Ellipsis", "dtype object"))


def number(value: Any, what: str, number_class: type | None = None) -> float:
    """The value, where it is a plain number."""
    if value is ...:
        raise AnswerError(UNFILLED)
    if value is None:
        raise AnswerError(f"{what} is None. Is a return missing?")
    if number_class is not None and isinstance(value, number_class):
        raise AnswerError(f"{what} is a Number; a plain number is wanted. Use .value.")
    if isinstance(value, tuple):
        raise AnswerError(f"{what} is a tuple. Is there a comma too many?")
    return float(value)


def near(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-9)


# Notebook 1.


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


# Notebook 2.


def array(value: Any, shape: tuple[int, ...], what: str) -> np.ndarray[Any, Any]:
    """The answer as an array, where it can be one of numbers."""
    if value is ...:
        raise AnswerError(UNFILLED)
    if value is None:
        raise AnswerError(f"{what} is None.")
    found = np.asarray(value, dtype=np.float64)
    if found.shape != shape:
        raise AnswerError(
            f"{what} has the shape {found.shape}, but a gradient has the shape of what it is the "
            f"gradient by: {shape}."
        )
    return found


def close(a: Any, b: Any) -> bool:
    return np.shape(a) == np.shape(b) and np.allclose(a, b, rtol=1e-9, atol=1e-12)


def among(found: Any, right: Any, mistakes: dict[str, Any], what: str) -> None:
    """AnswerError unless the answer is right, with the message of the mistake if it is typical."""
    if close(found, right):
        return
    for message, wrong in mistakes.items():
        if close(found, wrong):
            raise AnswerError(message)
    raise AnswerError(
        f"{what} has the right shape, but other entries. Its first should be "
        f"{np.ravel(right)[0]:.6f}, and yours is {np.ravel(found)[0]:.6f}."
    )


@exercise
def by_w2(answer: Any, s: Any, r: Any) -> str:
    """Notebook 2: ∂f/∂W2."""
    if close(answer, -2 * r.T @ s):
        raise AnswerError(
            "This is the transpose of the gradient. Swap the factors: Sᵀ comes first."
        )
    found = array(answer, (s.shape[1], r.shape[1]), "by_w2")
    right = -2 * s.T @ r
    among(
        found,
        right,
        {
            "The sign is wrong: what arrives at Ŷ is −2R, not 2R. Use by_y_p.": -right,
            "A factor of 2 is missing: the derivative of R² is 2R. Use by_y_p.": right / 2,
            "The factor −2 is missing: what arrives is −2R, not R. Use by_y_p.": right / -2,
        },
        "by_w2",
    )
    return "Right: ∂f/∂W2 = Sᵀ · ∂f/∂Ŷ = −2 SᵀR."


@exercise
def by_h(answer: Any, by_s: Any, s: Any, h: Any) -> str:
    """Notebook 2: ∂f/∂H."""
    among(
        array(answer, s.shape, "by_h"),
        by_s * s * (1 - s),
        {
            "You have passed the sigmoid as if it were not there: multiply by its slope.": by_s,
            "This is the slope alone. It multiplies what arrives, by_s.": s * (1 - s),
            "A factor is missing: σ′ = σ (1 − σ), and you multiply by σ.": by_s * s,
            "A factor is missing: σ′ = σ (1 − σ), and you multiply by 1 − σ.": by_s * (1 - s),
            "The slope is σ(h) (1 − σ(h)), and σ(h) is s; you took h itself.": by_s * h * (1 - h),
        },
        "by_h",
    )
    return "Right: ∂f/∂H = ∂f/∂S ⊙ S ⊙ (1 − S)."


@exercise
def by_b1(answer: Any, by_h: Any) -> str:
    """Notebook 2: ∂f/∂b1."""
    right = by_h.sum(axis=0, keepdims=True)
    if answer is not ... and answer is not None:
        if close(answer, by_h):
            raise AnswerError(
                "This is ∂f/∂(X W1 + b1), one row for each example. The one row of b1 went into "
                "all of them: add them up."
            )
        if close(answer, right[0]):
            raise AnswerError(
                "The numbers are right, but the shape is (5,), and b1 has (1, 5): keepdims=True."
            )
        if close(np.ravel(answer), by_h.sum(axis=1)):
            raise AnswerError(
                "You have added along the rows, axis 1. Add the rows to each other, axis 0."
            )
        if close(np.ravel(answer), [by_h.sum()]):
            raise AnswerError(
                "This is the sum of everything. Add the rows to each other only: axis=0."
            )
    among(
        array(answer, right.shape, "by_b1"),
        right,
        {"This is the mean of the rows. Contributions are added, not averaged.": right / len(by_h)},
        "by_b1",
    )
    return "Right. Used n times, so n contributions are added."


# Notebook 3.


def pulled_back(op: Any, x: Any, g: Any) -> np.ndarray[Any, Any]:
    """What the VJP of an op of one input makes of a cotangent."""
    from .. import grad, tensor

    leaf = tensor(np.asarray(x, np.float64), requires_grad=True)
    (found,) = grad(op(leaf), leaf, tensor(np.asarray(g, np.float64)))
    assert found is not None
    return np.array(found.numpy())


@exercise
def elu(op: Any) -> str:
    """Notebook 3: the VJP of elu."""
    x = np.array([-2.0, -1.0, -0.25, 0.5, 3.0])
    ones = np.ones(5)
    slope = np.where(x > 0, 1.0, np.exp(x))
    value = np.asarray(op(_leaf(x)).detach().numpy())
    if not close(value, np.where(x > 0, x, np.expm1(x))):
        raise AnswerError("The values of elu have changed. Only the VJP is to be mended.")
    found = pulled_back(op, x, ones)
    if close(found, pulled_back(op, x, 3 * ones)):
        raise AnswerError("The VJP gives the same whatever g is: multiply by g.")
    left, right = found[x < 0], found[x > 0]
    if not close(right, slope[x > 0]):
        raise AnswerError(
            f"On the right the slope is 1, but now the VJP says {right[0]:.4f}. "
            "There it was right before."
        )
    among(
        left,
        slope[x < 0],
        {
            "Still the same on the left: out is eˣ − 1, but the slope is eˣ.": np.expm1(x[x < 0]),
            "You subtract 1 where it has to be added: out = eˣ − 1.": np.expm1(x[x < 0]) - 1,
            "This is 1 − out. The slope is eˣ, and out = eˣ − 1.": 1 - np.expm1(x[x < 0]),
            "On the left you have the exponential of out; the slope is eˣ itself.": np.exp(
                np.expm1(x[x < 0])
            ),
        },
        "On the left, the gradient",
    )
    return "Right: eˣ = out + 1."


@exercise
def logsumexp(op: Any) -> str:
    """Notebook 3: the VJP of log-sum-exp."""
    x = np.array([[0.5, -1.0, 2.0], [1.0, 0.0, -0.5], [3.0, 1.5, 0.25]])
    g = np.array([1.0, -2.0, 0.5])
    softmax = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    log = np.log(np.exp(x).sum(axis=1))
    mistakes = {
        "g has one entry for each row, and you multiply the columns by it: g[:, None].": g
        * softmax,
        "The VJP does not use g. Multiply by it, as a column: g[:, None].": softmax,
        "out has one entry for each row: make it a column, out[:, None].": g[:, None]
        * np.exp(x - log),
        "Both g and out have one entry for each row: make columns of them, [:, None].": g
        * np.exp(x - log),
        "This is g eˣ. Divide by the sum of the row, or subtract out first.": g[:, None]
        * np.exp(x),
        "The sign of the exponent is wrong: it is x − out.": g[:, None] * np.exp(log[:, None] - x),
    }
    try:
        found = pulled_back(op, x, g)
        among(found, g[:, None] * softmax, mistakes, "On a 3 × 3 matrix, the gradient")
        pulled_back(op, x[:2], g[:2])
    except ValueError as error:
        raise AnswerError(
            "What the VJP returns must have the shape of x; make columns of g and of out, "
            f"[:, None]. The message was: {error}"
        ) from None
    try:
        from .. import grad

        leaf = _leaf(x)
        (slope,) = grad(op(leaf).sum(), leaf, create_graph=True)
        graph = slope is not None and slope.requires_grad
    except (RuntimeError, TypeError):
        graph = False
    if not graph:
        raise AnswerError(
            "The numbers are right. But use tg.exp in place of np.exp: it works on Tensors "
            "too, so that the VJP can be differentiated again."
        )
    return "Right, for any number of rows and columns."


def _leaf(x: Any) -> Any:
    from .. import tensor

    return tensor(np.asarray(x, np.float64), requires_grad=True)


# Notebook 4.


@exercise
def taylor(function: Any) -> str:
    """Notebook 4: the coefficients of Taylor's polynomials."""
    from ..core import ops

    try:
        sine, exponential = function(ops.sin, 5), function(ops.exp, 5)
    except RuntimeError as error:
        raise AnswerError(
            "There is no graph to take the next derivative of. Ask for it each time: "
            f"create_graph=True. (The message was: {error})"
        ) from None
    for found, derivatives in ((sine, [0.0, 1, 0, -1, 0, 1]), (exponential, [1.0] * 6)):
        if found is None:
            raise AnswerError("taylor returns None. Is the return missing?")
        if len(found) != 6:
            raise AnswerError(f"For order 5 there are 6 coefficients, c₀ to c₅, not {len(found)}.")
        if any(c is ... for c in found):
            raise AnswerError(UNFILLED)
        if any(hasattr(c, "detach") for c in found):
            raise AnswerError("The coefficients should be plain numbers: .item()")
        right = [d / math.factorial(k) for k, d in enumerate(derivatives)]
        mistakes = {
            "These are the derivatives. The coefficients are the derivatives divided by k!.": [
                *derivatives
            ],
            "You divide by k; it should be by k!, math.factorial(k).": [
                d / max(k, 1) for k, d in enumerate(derivatives)
            ],
            "All are the same derivative: put the next one in place of derivative.": [
                derivatives[0] / math.factorial(k) for k in range(6)
            ],
            "You multiply by k!; it should be divided by.": [
                d * math.factorial(k) for k, d in enumerate(derivatives)
            ],
            "They come one too early: c₀ is f(0) itself. First append, then differentiate.": [
                d / math.factorial(k) for k, d in enumerate([*derivatives[1:], derivatives[2]])
            ],
        }
        # The derivatives of exp are all 1, so that it tells fewer mistakes apart than the sine.
        name = "sin" if found is sine else "exp"
        for message, wrong in mistakes.items():
            if close(found, wrong) and not close(found, right):
                raise AnswerError(message)
        if not close(found, right):
            raise AnswerError(f"Of {name} they should begin {right[:4]}, but yours do {found[:4]}.")
    return "Right. Five derivatives, each taken of the one before."


@exercise
def hvp(function: Any) -> str:
    """Notebook 4: the Hessian times a vector."""
    from .. import tensor

    x = tensor(np.array([1.0, 2.0, 3.0]), requires_grad=True)
    v = tensor(np.array([1.0, -1.0, 2.0]))

    def cubes(x: Any) -> Any:
        return x[0] * x[1] * x[2] + (x**3).sum()

    product = function(cubes, x, v)
    if product is ...:
        raise AnswerError(UNFILLED)
    if product is None:
        raise AnswerError("hvp returns None. Is a return missing?")
    if isinstance(product, tuple):
        raise AnswerError("grad returns a tuple; hvp should return its one entry: (product,) = …")
    found = array(product.detach().numpy(), (3,), "The product")
    a, b, c = 1.0, 2.0, 3.0
    hessian = np.array([[6 * a, c, b], [c, 6 * b, a], [b, a, 6 * c]])
    gradient = np.array([b * c, a * c, a * b]) + 3 * np.array([a, b, c]) ** 2
    w = np.array([1.0, -1.0, 2.0])
    among(
        found,
        hessian @ w,
        {
            "v is not in it: this is H times ones. Multiply the gradient by v, then sum.": hessian
            @ np.ones(3),
            "This is the gradient times v. Sum it, and differentiate that once more.": gradient * w,
            "You multiply by v after the second gradient; it has to be before.": hessian
            @ np.ones(3)
            * w,
            "This is the gradient, the first derivative.": gradient,
        },
        "The product",
    )
    return "Right. H itself was never there."


# Notebook 5.


@exercise
def accuracy(function: Any) -> str:
    """Notebook 5: the share of right answers."""
    scores = np.array([[2.0, 1.0, 0.0], [0.0, 1.0, 5.0], [0.0, 3.0, 1.0], [1.0, 0.5, 0.0]])
    labels = np.array([0, 2, 0, 1])  # of the answers 0, 2, 1 and 0, two are right
    found = function(scores, labels)
    if np.shape(found) != () and found is not ...:
        raise AnswerError("This is one answer for each picture. Take their mean.")
    share = number(found, "What it returns")
    for wrong, message in {
        2.0: "This is how many are right. As a share: divide by how many there are, or use mean().",
        50.0: "This is in percent. The share is a number from 0 to 1.",
    }.items():
        if near(share, wrong):
            raise AnswerError(message)
    if near(share, 0.5) and near(number(function(scores[:3], labels[:3]), "It"), 1 / 3):
        raise AnswerError("This is the share of wrong answers.")
    if not (near(share, 0.5) and near(number(function(scores[:3], labels[:3]), "It"), 2 / 3)):
        raise AnswerError(f"Of four pictures of which two are right it makes {share}, not 0.5.")
    return "Right."


@exercise
def step(function: Any) -> str:
    """Notebook 5: a step of training."""
    from .. import nn, optim, tensor

    x = tensor(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
    target = tensor(np.array([0, 1, 1]))
    net = nn.Linear(2, 2).double()
    weight = np.array([[0.5, -0.25], [0.0, 1.0]])
    net.load_state_dict({"weight": tensor(weight), "bias": tensor(np.zeros(2))})
    optimizer = optim.SGD(net.parameters(), lr=0.1)

    def gradient(weight: Any, bias: Any) -> Any:
        scores = x.numpy() @ weight.T + bias
        p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        p[np.arange(3), target.numpy()] -= 1
        return p.T @ x.numpy() / 3, p.sum(axis=0) / 3

    bias = np.zeros(2)
    scores = x.numpy() @ weight.T
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    expected = -np.log(p[np.arange(3), target.numpy()]).mean()
    for i in (1, 2):
        try:
            loss = function(net, optimizer, x, target)
        except AttributeError as error:
            raise AnswerError(UNFILLED if "ellipsis" in str(error) else str(error)) from None
        if i == 1 and not near(number(loss, "What step returns"), expected):
            raise AnswerError(
                f"The loss that it returns is {loss:.6f}, not {expected:.6f}. It should be "
                "loss_of(net(x), target), before the weights change."
            )
        by_weight, by_bias = gradient(weight, bias)
        after = weight - 0.1 * by_weight
        now = net.weight.detach().numpy().copy()
        if not close(now, after):
            if close(now, weight):
                raise AnswerError(
                    f"In step {i} the weights do not change. Is optimizer.step() missing, or does "
                    "it come before loss.backward(), when there are no gradients yet? Or does "
                    "zero_grad() stand between the two?"
                )
            if i == 2:
                raise AnswerError(
                    "The first step is right, the second is not: it still has the gradients of the "
                    "first. optimizer.zero_grad() is missing, or optimizer.step() comes before "
                    "loss.backward()."
                )
            raise AnswerError(
                "The weights change, but not by lr times the gradient. One of each: "
                "zero_grad, backward, step."
            )
        weight, bias = after, bias - 0.1 * by_bias
    return "Right. Loss, zero_grad, backward, step."
