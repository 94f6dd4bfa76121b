"""Warnings: none of the library's own making, and those that the user's numbers cause."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_mlp as tg

F = tg.nn.functional
# Whatever a float may be: signed zeros, subnormal, saturating and huge numbers, and no numbers.
HOSTILE = [
    0.0, -0.0, 1e-45, -1e-45, 1e-30, 1.0, -1.0, 11.5, 40.5, -90.0, 100.0, -110.0, 1e4, -1e4, 3e38,
    -3e38, float("inf"), -float("inf"), float("nan"),
]  # fmt: skip
FINITE = [x for x in HOSTILE if np.isfinite(x) and abs(x) < 1e37]

# Their results are right for every number, so nothing that they do on the way may warn.
SILENT: dict[str, Callable[[Any], Any]] = {
    "sigmoid": lambda x: x.sigmoid(),
    "tanh": lambda x: x.tanh(),
    "relu": lambda x: x.relu(),
    "abs": lambda x: x.abs(),
    "sign": lambda x: x.sign(),
    "clamp": lambda x: x.clamp(-1, 1),
    "maximum": lambda x: x.maximum(0.0),
    "amax": lambda x: x.amax(),
    "max of an axis": lambda x: x.max(0).values,
    "where": lambda x: tg.where(x > 0, x, 0.0),
    "getitem": lambda x: x[[0, 0, 1]],
    "cat": lambda x: tg.cat([x, x]),
    "mean of nothing": lambda x: x[:0].mean(),
    "neg": lambda x: -x,
}
# These are right for every finite number.
SILENT_WHERE_FINITE: dict[str, Callable[[Any], Any]] = {
    "softmax": lambda x: x.softmax(0),
    "log_softmax": lambda x: x.log_softmax(0),
    "logsigmoid": F.logsigmoid,
    "bce": lambda x: F.binary_cross_entropy_with_logits(x, tg.ones(x.shape[0], dtype=x.dtype)),
    "cross_entropy": lambda x: F.cross_entropy(x, tg.tensor(0)),
    "mean": lambda x: x.mean(),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", [*SILENT, *SILENT_WHERE_FINITE])
def test_nothing_of_our_own_making(name: str, dtype: str) -> None:
    function = {**SILENT, **SILENT_WHERE_FINITE}[name]
    numbers = np.array(HOSTILE if name in SILENT else FINITE, dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        x = tg.tensor(numbers, requires_grad=True)
        y = function(x)
        y.backward(np.ones(y.shape, dtype))
        (slope,) = tg.grad(function(x), x, np.ones(y.shape, dtype), create_graph=True)
    assert slope is not None
    np.testing.assert_array_equal(slope.detach(), x.grad)


NAMED: list[tuple[str, Callable[[tg.Tensor], Any], float]] = [
    ("log", lambda x: x.log(), 0.0),
    ("log", lambda x: x.log(), -1.0),
    ("log1p", lambda x: x.log1p(), -1.0),
    ("exp", lambda x: x.exp(), 1e4),
    ("sqrt", lambda x: x.sqrt(), -1.0),
    ("sin", lambda x: x.sin(), float("inf")),
    ("cos", lambda x: x.cos(), float("inf")),
    ("divide", lambda x: 1 / x, 0.0),
    ("multiply", lambda x: x * x, 1e38),
    ("add", lambda x: x + x, 3e38),
    ("subtract", lambda x: x - -x, 3e38),
    ("power", lambda x: x**3, 1e38),
    ("power", lambda x: x**-1.5, 0.0),
    ("cast", lambda x: x.to("float16"), 1e38),
]


@pytest.mark.parametrize(("name", "function", "number"), NAMED)
def test_a_warning_that_the_numbers_cause_is_numpys(
    name: str, function: Callable[[tg.Tensor], Any], number: float
) -> None:
    x = tg.tensor([number], requires_grad=True)
    with pytest.warns(RuntimeWarning, match=f"encountered in {name}$") as caught:
        function(x)
    assert len(caught) == 1


def silently(function: Callable[[tg.Tensor], Any], number: float) -> tg.Tensor:
    with np.errstate(all="ignore"):
        made: tg.Tensor = function(tg.tensor([number], requires_grad=True))
        return made


def as_error(y: tg.Tensor) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y.backward(retain_graph=True)


def test_the_walk_back_does_with_a_report_what_numpy_was_told_to() -> None:
    y = silently(tg.log, 0.0)
    with np.errstate(divide="ignore"):
        as_error(y)
    with pytest.raises(RuntimeWarning, match="divide by zero"):
        as_error(y)
    calls: list[tuple[str, int]] = []
    with np.errstate(divide="call", call=lambda *args: calls.append(args)):
        y.backward(retain_graph=True)
    assert calls == [("divide by zero", 1)]


RAISING: list[tuple[str, Callable[[tg.Tensor], Any], float]] = [
    ("log", lambda x: x.log(), 0.0),
    ("sqrt", lambda x: x.sqrt(), 0.0),
    ("sin", lambda x: x.sin(), float("inf")),
    ("div", lambda x: x / 0.0, 1.0),
    ("mul", lambda x: x * 1e30 * 1e30, 1.0),
    ("steep", tg.op(np.sqrt, lambda g, x: g / x, name="steep"), 0.0),
]


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize(("name", "function", "number"), RAISING)
def test_an_error_in_the_walk_back_notes_the_op(
    name: str, function: Callable[[tg.Tensor], Any], number: float, create_graph: bool
) -> None:
    y = silently(function, number)
    with np.errstate(all="raise"), pytest.raises(FloatingPointError) as raised:
        y.backward(create_graph=create_graph)
    assert raised.value.__notes__ == [f"in the VJP of {name} for input 0"]


def test_numpy_is_as_it_was_after_a_walk_back() -> None:
    before = np.geterr(), np.geterrcall()
    y = silently(tg.log, 0.0)
    with pytest.warns(RuntimeWarning):
        y.backward(retain_graph=True)
    with pytest.raises(RuntimeWarning):
        as_error(y)
    assert (np.geterr(), np.geterrcall()) == before
    with pytest.warns(RuntimeWarning, match="encountered in divide"):
        np.ones(1) / np.zeros(1)
