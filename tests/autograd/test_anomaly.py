"""detect_anomaly: the first nan or infinity raises, with the op, its inputs and the user's line."""

import sys
import threading
import warnings
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

import numpy as np
import pytest
from support import leaf

import tinygrad_mlp as tg
from tinygrad_mlp.core import ops, tape

core: Any = sys.modules[tg.Tensor.__module__]

FORWARD: list[tuple[Callable[[tg.Tensor], Any], str]] = [
    (lambda x: x.log(), r"^log: it returned -inf in 1 of 3 entries\n  x: shape \(3,\), float64"),
    (lambda x: (x - 1).log(), r"^log: it returned nan and -inf in 2 of 3 entries"),
    (lambda x: 1 / x, r"^div: it returned inf in 1 of 3 entries\n  x: .*\n  y: .*from 0 to 4"),
    (lambda x: (x * 1000).exp(), r"^exp: it returned inf in 2 of 3 entries\n.*from 0 to 4000"),
    (lambda x: (x * 1e200) * 1e200, r"^mul: .*inf in 2"),
    (
        lambda x: x.reshape(1, 3) @ tg.tensor([[np.inf]] * 3, dtype="float64"),
        r"(?s)^matmul: .*and inf",
    ),
    (lambda x: tg.cat([x, x.log()]), "^log: "),
    (lambda x: tg.op(lambda x: x / 0, lambda g: g, name="mine")(x), "^mine: .*nan and inf"),
]


@pytest.mark.parametrize(("function", "says"), FORWARD)
@pytest.mark.parametrize("recorded", [False, True])
def test_forward(function: Callable[[tg.Tensor], Any], says: str, recorded: bool) -> None:
    x = tg.tensor(np.array([0.0, 1.0, 4.0]), requires_grad=recorded)
    with tg.autograd.detect_anomaly(), pytest.raises(RuntimeError, match=says) as caught:
        function(x)
    assert "test_anomaly.py:" in str(caught.value)
    assert str(caught.value).count("the op was run by") == 1


BACKWARD: list[tuple[Callable[[tg.Tensor], Any], str]] = [
    (lambda x: x.sqrt(), r"^sqrt, backward: its VJP for input 0 returned inf in 1 of 3 entries"),
    (lambda x: x**0.5, r"^pow, backward: .*inf in 1 of 3.*\n  g: .*\n  x: .*from 0 to 4"),
    (lambda x: (x + 1e-200) ** -1 * 1e-200, "^pow, backward: .*-inf"),
]


@pytest.mark.parametrize(("function", "says"), BACKWARD)
@pytest.mark.parametrize("create_graph", [False, True])
def test_backward(function: Callable[[tg.Tensor], Any], says: str, create_graph: bool) -> None:
    x = leaf([0.0, 1.0, 4.0])
    with tg.autograd.detect_anomaly():
        loss = function(x).sum()  # this line
        with pytest.raises(RuntimeError, match=says) as caught:
            loss.backward(create_graph=create_graph)
        with pytest.raises(RuntimeError, match=says):
            tg.grad(loss, x, create_graph=create_graph)
    assert "in test_backward" in str(caught.value) or "in <lambda>" in str(caught.value)
    assert x.grad is None
    # Outside of the context it is as ever, and the graph is still there.
    with np.errstate(all="ignore"):
        loss.backward()
    assert x.grad is not None


def test_the_line_is_that_of_the_forward() -> None:
    x = leaf(0.0)
    with tg.autograd.detect_anomaly():
        root = x.sqrt()  # made here
        other = root * 2
        with pytest.raises(RuntimeError, match=r"x\.sqrt\(\)  # made here$"):
            other.backward()


def test_a_graph_from_outside_of_the_context() -> None:
    y = leaf(0.0).sqrt()
    with (
        tg.autograd.detect_anomaly(),
        pytest.raises(RuntimeError, match="run by code outside of the context"),
    ):
        y.backward()


def test_a_sum_of_gradients_that_overflows() -> None:
    x = leaf(1.0)
    with tg.autograd.detect_anomaly(), pytest.raises(RuntimeError, match="sum of a Tensor's grad"):
        tg.autograd.backward([x * 1e308, x * 1e308])


def test_what_is_finite_passes() -> None:
    x = leaf([-1000.0, 0.0, 1000.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with tg.autograd.detect_anomaly():
            y = x.sigmoid() + x.softmax(0) + x.log_softmax(0) + x.tanh() + x.relu() + x.clamp(min=0)
            y.sum().backward()
    assert x.grad is not None


def test_off_nobody_watches() -> None:
    with tg.autograd.detect_anomaly():
        outer = tape.current().watcher
        with tg.autograd.detect_anomaly(check_nan=False):
            assert tape.current().watcher is None
        assert tape.current().watcher is outer is not None
    assert tape.current().watcher is None
    with pytest.raises(ZeroDivisionError), tg.autograd.detect_anomaly():
        1 / 0  # noqa: B018
    assert tape.current().watcher is None


def test_a_context_leaves_nothing_behind() -> None:
    with tg.autograd.detect_anomaly():
        pass
    before = len(copy_context())
    for _ in range(3):
        with tg.autograd.detect_anomaly():
            pass
    assert len(copy_context()) == before


def test_decorator_and_off_switch() -> None:
    @tg.autograd.detect_anomaly()
    def strict(x: tg.Tensor) -> tg.Tensor:
        with tg.autograd.detect_anomaly(check_nan=False):
            x.log()
        return x.log()

    with pytest.raises(RuntimeError, match="^log: "):
        strict(leaf(0.0))


def test_a_graph_that_is_walked_in_the_context_is_as_it_was_for_others() -> None:
    inside, done = threading.Event(), threading.Event()

    def vjp(g: Any) -> Any:
        if threading.current_thread() is thread:
            inside.set()
            done.wait(60)
        return g * np.inf

    x = leaf(1.0)
    y = tg.op(lambda x: x, vjp)(x) * 1
    errors = []

    def other() -> None:
        with tg.autograd.detect_anomaly():
            try:
                y.backward(retain_graph=True)
            except RuntimeError as error:
                errors.append(str(error))

    thread = threading.Thread(target=other)
    thread.start()
    inside.wait(60)
    assert y._node is not None
    assert y._node.op is ops.mul
    y.backward(retain_graph=True)
    done.set()
    thread.join()
    assert x.grad is not None
    assert x.grad.item() == np.inf
    assert len(errors) == 1


def test_other_threads_are_left_alone() -> None:
    found: list[Any] = []

    def other() -> None:
        with np.errstate(all="ignore"):
            found.append(leaf(0.0).log().item())

    with tg.autograd.detect_anomaly():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert found == [-np.inf]
