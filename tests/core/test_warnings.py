"""Warnings: none of the library's own making; those that the user's numbers cause name the op."""

import asyncio
import io
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
def test_a_warning_that_the_numbers_cause_names_the_op(
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


# On the way back NumPy would name what the VJP is made of: log's divides.
NAMED_BACK: list[tuple[str, str, Callable[[tg.Tensor], Any], float]] = [
    ("log", "divide by zero", lambda x: x.log(), 0.0),
    ("log1p", "divide by zero", lambda x: x.log1p(), -1.0),
    ("sqrt", "divide by zero", lambda x: x.sqrt(), 0.0),
    ("sin", "invalid value", lambda x: x.sin(), float("inf")),
    ("div", "divide by zero", lambda x: x / 0.0, 1.0),
    ("mul", "overflow", lambda x: x * 1e30 * 1e30, 1.0),
    ("mul", "overflow", lambda x: x * 3e38 + x * 3e38, 1.0),  # where the two come together
    ("pow", "divide by zero", lambda x: x**-1.5, 0.0),
    ("cast", "overflow", lambda x: x.to("float64") * 1e300, 1.0),
    ("steep", "divide by zero", tg.op(np.sqrt, lambda g, x: g / x, name="steep"), 0.0),
]


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize(("name", "kind", "function", "number"), NAMED_BACK)
def test_a_warning_in_the_walk_back_names_the_op_and_the_line(
    name: str,
    kind: str,
    function: Callable[[tg.Tensor], Any],
    number: float,
    create_graph: bool,
) -> None:
    y = silently(function, number)
    with pytest.warns(RuntimeWarning, match=f"^{name}, backward: {kind} encountered$") as caught:
        y.backward(create_graph=create_graph)
    assert len(caught) == 1
    assert caught[0].filename == __file__


def test_the_walk_back_does_with_a_report_what_numpy_was_told_to() -> None:
    y = silently(tg.log, 0.0)
    text = "log, backward: divide by zero encountered"
    with np.errstate(divide="ignore"):
        as_error(y)
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError, match=f"^{text}$"):
        y.backward(retain_graph=True)
    with pytest.raises(RuntimeWarning, match=f"^{text}$"):
        as_error(y)
    calls: list[tuple[str, int]] = []
    with np.errstate(divide="call", call=lambda *args: calls.append(args)):
        y.backward(retain_graph=True)
    assert calls == [("divide by zero", 1)]
    log = io.StringIO()
    with np.errstate(divide="log", call=log):
        y.backward(retain_graph=True)
    assert log.getvalue() == f"Warning: {text}\n"


@pytest.mark.parametrize("mode", ["call", "log"])
def test_a_function_to_report_to_that_is_not_there(mode: Any) -> None:
    y = silently(tg.log, 0.0)
    with np.errstate(all=mode), pytest.raises(NameError, match=r"^log, backward: .*seterrcall"):
        y.backward()


def test_printed_reports_of_the_walk_back(capsys: pytest.CaptureFixture[str]) -> None:
    y = silently(tg.log, 0.0)
    with np.errstate(divide="print"):
        y.backward()
    assert capsys.readouterr().err == "Warning: log, backward: divide by zero encountered\n"


def test_underflow_is_reported_only_to_who_asks_for_it() -> None:
    y = silently(lambda x: x * 1e-30 * 1e-30, 1.0)
    as_error(y)
    with np.errstate(under="warn"), pytest.warns(RuntimeWarning, match="^mul, backward: underflow"):
        y.backward()


def test_a_walk_within_a_vjp_reports_its_own_op_as_the_user_wants() -> None:
    inner_y = silently(tg.log, 0.0)

    def vjp(g: Any, x: Any) -> Any:
        inner_y.backward(retain_graph=True)
        return g

    outer = tg.op(lambda x: x + 0, vjp, name="outer")
    y = outer(tg.tensor([1.0], requires_grad=True))
    with pytest.warns(RuntimeWarning, match="^log, backward: divide by zero") as caught:
        y.backward(retain_graph=True)
    assert len(caught) == 1
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError, match="^log, backward"):
        y.backward()


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


def test_a_task_that_outlives_the_walk_that_started_it_reports_without_an_op() -> None:
    """It has the walk's settings for good, as a task takes them over from who starts it."""
    tasks: list[asyncio.Task[None]] = []

    async def divide() -> None:
        await asyncio.sleep(0)
        np.ones(1) / np.zeros(1)

    def vjp(g: Any) -> Any:
        tasks.append(asyncio.get_running_loop().create_task(divide()))
        return g

    async def main() -> None:
        x = tg.ones(1, requires_grad=True)
        tg.op(lambda x: x + 0, vjp, name="plain")(x).sum().backward()
        await tasks[0]

    with pytest.warns(RuntimeWarning, match="^divide by zero encountered$"):
        asyncio.run(main())


def test_a_vjp_without_a_module_is_reported_too() -> None:
    made: dict[str, Any] = {}
    exec("def vjp(g): return 1 / (g - g)", {}, made)
    x = tg.ones(1, requires_grad=True)
    y = tg.op(lambda x: x + 0, made["vjp"], name="plain")(x).sum()
    with pytest.warns(RuntimeWarning, match="^plain, backward: divide by zero encountered"):
        y.backward()
