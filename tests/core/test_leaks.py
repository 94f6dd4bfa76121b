"""Memory: with the garbage collector off, what is no longer needed goes at once."""

import gc
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tinygrad_mlp as tg

# NumPy makes these names anew each time it is asked for an array's address, and CPython's table of
# names, in which they leave gaps, is now and then replaced by another unless somebody holds them.
NAMES = ("data", "descr", "shape", "strides", "typestr", "version")

# The first hundred fill caches; how many there are beyond is for the longer form to show.
STEPS = [400, pytest.param(100_000, marks=pytest.mark.soak)]


@pytest.fixture(autouse=True)
def without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def training(name: str) -> Callable[[], Any]:
    """A step of training, in one of the forms that people write."""
    tg.manual_seed(0)
    net = tg.nn.Sequential(tg.nn.Linear(2, 3), tg.nn.Tanh(), tg.nn.Linear(3, 1))
    x = tg.ones(4, 2)
    if name == "compiled":
        adam = tg.optim.Adam(net.parameters())
        compiled = tg.compile(lambda: (net(x) ** 2).mean(), optimizer=adam)
        return lambda: compiled()
    optimiser = getattr(tg.optim, name.split()[0])(net.parameters(), lr=1e-3)
    schedule = tg.optim.lr_scheduler.ExponentialLR(optimiser, 1.0)

    def step() -> None:
        optimiser.zero_grad(set_to_none="zeros" not in name)
        loss = (net(x) ** 2).mean()
        if "by hand" in name:
            parameters = list(net.parameters())
            for p, g in zip(parameters, tg.grad(loss, parameters), strict=True):
                assert g is not None
                with tg.no_grad():
                    p -= 1e-3 * g
            return
        if "penalty" in name:
            (slope,) = tg.grad(loss, net[0].weight, create_graph=True)
            assert slope is not None
            loss = loss + (slope**2).sum()
        if "views" in name:
            view = net[0].weight.detach()[0]
            loss = loss + view.sum()
        if "refused" in name:
            with pytest.raises(ValueError, match="a gradient of that shape"):
                net(x).backward()
        loss.backward()
        optimiser.step()
        schedule.step()

    return step


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize(
    "name",
    [
        "SGD", "Adam", "Adam zeros", "SGD by hand", "SGD penalty", "Adam views", "SGD refused",
        "compiled",
    ],
)  # fmt: skip
def test_steps_of_training(name: str, steps: int) -> None:
    step = training(name)
    for _ in range(100):
        step()
    tracemalloc.start()
    try:
        step()
        gc.collect()  # which lets go of the memory that CPython keeps for tuples to come
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(steps):
            step()
        assert gc.collect() == 0
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    # The least that a step could leave behind is a reference, of 8 bytes.
    assert after - before < 8 * min(steps, 1000)


@pytest.mark.parametrize("depth", [20_000, pytest.param(1_000_000, marks=pytest.mark.soak)])
def test_deep_graphs_are_freed_without_recursion(depth: int) -> None:
    build_and_free(1)
    gc.collect()  # of what is garbage once, after a function was called for the first time
    build_and_free(depth)
    assert gc.collect() == 0


def build_and_free(depth: int) -> None:
    for release in ("dropped", "backward", "grad"):
        x = tg.tensor(1.0, requires_grad=True)
        y = x
        for _ in range(depth):
            y = y + x
        first = weakref.ref(x._array)
        if release == "backward":
            y.backward()
        elif release == "grad":
            tg.grad(y, x)
        del y, x
        assert first() is None


def test_a_graph_dropped_half_built_is_freed() -> None:
    def half(x: tg.Tensor) -> tg.Tensor:
        h = (x * x).sigmoid()
        parts.append(weakref.ref(h._array))
        return h @ h.reshape(7, 7)  # does not fit

    parts: list[Any] = []
    x = tg.tensor(np.ones(10), requires_grad=True)
    for _ in range(3):
        with pytest.raises(ValueError, match="reshape"):
            half(x)
    gc.collect()  # of the tracebacks' frames
    assert [part() for part in parts] == [None] * 3


def test_views_leave_nothing_behind() -> None:
    x = tg.zeros(10, 10)
    for _ in range(1000):
        x[0].detach().t()
    assert len(x._family) == 1
    view = x[1]
    memory = weakref.ref(x._array)
    x.add_(1)
    assert memory() is None
    del view, x
    assert gc.collect() == 0
