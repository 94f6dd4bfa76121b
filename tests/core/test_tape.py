"""The tape: what is recorded, walked, accumulated, retained, released and freed."""

import asyncio
import gc
import pickle
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import frozen, leaf, value

import tinygrad_mlp as tg

RELEASED = "released by an earlier backward or grad"


def grads(*tensors: tg.Tensor) -> list[Any]:
    return [None if t.grad is None else t.grad.tolist() for t in tensors]


@contextmanager
def without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


# Accumulation.


def test_every_use_of_a_tensor_counts() -> None:
    x = leaf([2.0, 3.0])
    (x * x * x + x + x).sum().backward()
    assert grads(x) == [[14, 29]]


def test_backward_adds_to_grad() -> None:
    x = leaf([2.0, 3.0])
    (x * 2).sum().backward()
    first = x.grad
    (x * x).sum().backward()
    assert grads(x) == [[6, 8]]
    assert x.grad is first  # as in PyTorch
    x.grad = None
    (x * 2).sum().backward()
    assert grads(x) == [[2, 2]]
    assert first is not None
    assert first.tolist() == [6, 8]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12))
def test_any_graph_of_products_and_sums(steps: list[tuple[int, int]]) -> None:
    """Step k makes a node of two earlier ones; polynomials in x have exact derivatives."""
    x = leaf(1.0)
    nodes, slopes = [x], [(1.0, 1.0)]
    for k, (i, j) in enumerate(steps):
        a, b = min(i, k), min(j, k)
        (u, du), (v, dv) = slopes[a], slopes[b]
        if (i + j) % 2:
            nodes.append(nodes[a] * nodes[b] / 2)
            slopes.append((u * v / 2, (du * v + u * dv) / 2))
        else:
            nodes.append(nodes[a] + nodes[b])
            slopes.append((u + v, du + dv))
    nodes[-1].backward()
    np.testing.assert_allclose([nodes[-1].item(), grads(x)[0]], slopes[-1], rtol=1e-14)


def test_axes_in_front_are_summed_over() -> None:
    x, y = leaf(np.ones(4)), leaf(np.ones((2, 3, 4)))
    (x * y).sum().backward()
    assert grads(x) == [[6] * 4]


def test_diamonds_on_diamonds() -> None:
    """2**40 paths lead to x, but only 80 nodes."""
    x = leaf(1.0)
    y = x
    for _ in range(40):
        y = y + y
    y.backward()
    assert grads(x) == [2.0**40]


def test_many_uses_of_one_array_do_not_change_it() -> None:
    """The cotangents are summed in a buffer; not in the caller's, nor in one that others hold."""
    x, y = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    g = frozen(tg.tensor([10.0, 20.0]))
    s = x + y
    s.retain_grad()
    (s + s + s + x).backward(g)
    assert grads(x, y, s) == [[40, 80], [30, 60], [30, 60]]
    assert g.tolist() == [10, 20]


# Backward.


def test_backward_takes_a_gradient() -> None:
    for g in (np.array([1.0, 10.0]), tg.tensor([1, 10]), [1.0, 10.0], np.array([1, 10], "f4")):
        x = leaf([2.0, 3.0])
        (x * x).backward(g)
        assert grads(x) == [[4, 60]]
        assert x.grad is not None
        assert x.grad.dtype == x.dtype


def test_a_tensor_of_one_entry_needs_no_gradient() -> None:
    for shape in ((), (1,), (1, 1)):
        x = leaf(np.full(shape, 3.0))
        (x * x).backward()
        assert x.grad is not None
        assert (x.grad.shape, x.grad.item()) == (shape, 6)


def test_backward_of_a_leaf_is_its_gradient() -> None:
    x = leaf([2.0, 3.0])
    x.backward([1.0, 2.0])
    x.backward([1.0, 2.0])
    assert grads(x) == [[2, 4]]


def test_a_second_backward_raises() -> None:
    x = leaf([2.0, 3.0])
    y = (x * x).sum()
    y.backward()
    with pytest.raises(RuntimeError, match=f"sum: .*{RELEASED}.*retain_graph=True"):
        y.backward()
    assert grads(x) == [[4, 6]]


@pytest.mark.parametrize("options", [{"retain_graph": True}, {"create_graph": True}])
def test_a_retained_graph_may_be_used_again(options: dict[str, bool]) -> None:
    x = leaf([2.0, 3.0])
    y = (x * x).sum()
    y.backward(**options)
    y.backward(retain_graph=False)
    assert grads(x) == [[8, 12]]
    with pytest.raises(RuntimeError, match=RELEASED):
        y.backward()


def test_create_graph_may_release_what_it_used() -> None:
    x = leaf(2.0)
    y = x**3
    (slope,) = tg.grad(y, x, create_graph=True, retain_graph=False)
    assert slope.item() == 12
    with pytest.raises(RuntimeError, match=RELEASED):
        tg.grad(y, x)


def shared_part() -> tuple[tg.Tensor, tg.Tensor, tg.Tensor, tg.Tensor]:
    """Two losses with a part in common, of which the second reaches x by another way too."""
    x = leaf([3.0])
    shared = x * x
    return x, shared, (shared * 2).sum(), (shared * x).sum()


def test_a_released_part_of_two_losses() -> None:
    x, _, one, two = shared_part()
    one.backward()
    with pytest.raises(RuntimeError, match=RELEASED):
        two.backward()
    assert grads(x) == [[12]]


@pytest.mark.parametrize("create_graph", [False, True])
def test_no_gradient_leaves_out_a_released_path(create_graph: bool) -> None:
    x, _, one, two = shared_part()
    one.backward()
    with pytest.raises(RuntimeError, match=RELEASED):
        two.backward(create_graph=create_graph)
    with pytest.raises(RuntimeError, match=RELEASED):
        tg.grad(two, x, create_graph=create_graph, allow_unused=True)
    assert grads(x) == [[12]]


def test_a_retained_part_of_two_losses() -> None:
    x, _, one, two = shared_part()
    one.backward(retain_graph=True)
    two.backward()
    assert grads(x) == [[12 + 27]]


def test_only_what_was_walked_is_released() -> None:
    """In two stages: from the loss to a result in the middle, and from there to the leaf."""
    x, shared, _, two = shared_part()
    (slope,) = tg.grad(two, shared)
    assert slope.tolist() == [3]
    shared.backward(slope)
    assert grads(x) == [[18]]


def test_what_lies_before_the_inputs_of_grad_may_be_released() -> None:
    _, shared, one, two = shared_part()
    one.backward()
    assert tg.grad(two, shared)[0].tolist() == [3]


def test_what_does_not_lead_to_the_inputs_of_grad_may_be_released() -> None:
    x = leaf(3.0)
    early = x * x
    late = early * 2
    late.backward()
    assert tg.grad(early * late, late)[0].item() == 9


def test_gradients_by_nothing_need_no_graph() -> None:
    y = leaf(3.0) * 2
    y.backward()
    assert tg.grad(y, []) == ()


def test_interior_gradients() -> None:
    x = leaf([2.0, 3.0])
    y = x * x
    z = y * 2
    y.retain_grad()
    y.retain_grad()
    x.retain_grad()
    z.sum().backward(retain_graph=True)
    z.sum().backward()
    assert grads(x, y, z) == [[16, 24], [4, 4], None]


def test_a_root_may_retain_its_gradient() -> None:
    x = leaf(3.0)
    y = x * x
    y.retain_grad()
    y.backward()
    assert grads(x, y) == [6, 1]


def test_a_name_retains_no_gradient() -> None:
    x = leaf(3.0)
    y = (x * x).named("y")
    y.backward()
    assert grads(x, y) == [6, None]


def test_outputs_of_one_source() -> None:
    """In whatever order their positions on the tape, and that of the source, are."""
    x = leaf(3.0)
    y = x * 2
    one, two, three, four = y * 5, y * 7, y * 11, y * 13 * 17
    assert tg.grad((one, two, three, four), x)[0].item() == 488


def test_a_leaf_among_the_outputs() -> None:
    x = leaf(3.0)
    y = x * 5
    late = leaf(2.0)
    assert [d.item() for d in tg.grad((y, late), (x, late))] == [5, 1]


def test_an_output_inside_another_ones_graph() -> None:
    x = leaf(2.0)
    y = x * x
    z = y * x
    assert [d.item() for d in tg.grad((z, y), (y, x), (tg.tensor(1.0), tg.tensor(10.0)))] == [
        12,
        52,
    ]


# grad.


def test_grad_leaves_grad_alone() -> None:
    x = leaf([2.0, 3.0])
    y = x * x
    y.retain_grad()
    assert [d.tolist() for d in tg.grad(y.sum(), (x, y, x))] == [[4, 6], [1, 1], [4, 6]]
    assert grads(x, y) == [None, None]


def test_grad_of_several_outputs_is_that_of_their_sum() -> None:
    x = leaf([2.0, 3.0])
    y, z = x * x, x.sum()
    (d,) = tg.grad([y, z, y], [x], [np.array([1.0, 2.0]), None, tg.tensor([10.0, 20.0])])
    assert d.tolist() == [45, 133]
    (d,) = tg.grad(x * x, x, np.array([1.0, 2.0]))
    assert d.tolist() == [4, 12]


def test_unused_inputs() -> None:
    x, w = leaf(2.0), leaf(3.0)
    y = x * x
    assert tg.grad(y, (w, x), allow_unused=True, retain_graph=True)[0] is None
    with pytest.raises(RuntimeError, match=r"do not depend on input 1.*allow_unused=True"):
        tg.grad(y, (x, w), retain_graph=True)
    assert [d.item() for d in tg.grad(y, (x, y))] == [4, 1]


def test_only_what_is_needed_is_computed() -> None:
    def never(g: Any) -> Any:
        raise AssertionError("this VJP leads nowhere that was asked for")

    side = tg.op(lambda x: x, never)
    times = tg.op(lambda x, y: x * y, lambda g, y: g * y, never)
    x, w = leaf(2.0), leaf(3.0)
    assert tg.grad(x * side(w), x)[0].item() == 3
    assert tg.grad(times(x, w), x)[0].item() == 3
    assert tg.grad(times(x, w * 2), x)[0].item() == 6


def test_derivatives_of_derivatives() -> None:
    x = leaf(2.0)
    y = x**5
    for expected in (80, 160, 240, 240, 120):
        (y,) = tg.grad(y, x, create_graph=True)
        assert y.item() == expected


def test_backward_with_a_graph_of_its_own() -> None:
    x = leaf([2.0, 3.0])
    (x**3).sum().backward(create_graph=True)
    assert x.grad is not None
    slope, x.grad = x.grad, None
    (slope * x).sum().backward()
    assert grads(x) == [[36, 81]]


def test_a_gradient_with_a_graph_is_not_changed_by_another_backward() -> None:
    x = leaf(2.0)
    (x**3).backward(create_graph=True)
    slope = x.grad
    assert slope is not None
    (x * 5).backward()
    assert (slope.item(), grads(x)) == (12, [17])
    (x**2).backward(create_graph=True)
    assert x.grad is not None
    assert tg.grad(x.grad, x)[0].item() == 2  # of 17 + 2x


def test_create_graph_records_inside_no_grad_too() -> None:
    x = leaf(2.0)
    y, z = x**3, x**3
    with tg.no_grad():
        (slope,) = tg.grad(y, x, create_graph=True)
        z.backward(create_graph=True)
        assert not tg.is_grad_enabled()
    assert x.grad is not None
    assert tg.grad(slope, x)[0].item() == tg.grad(x.grad, x)[0].item() == 12


def test_the_gradient_may_require_grad() -> None:
    x, g = leaf([2.0, 3.0]), leaf([5.0, 7.0])
    (d,) = tg.grad(x * x, x, g, create_graph=True)
    assert [t.tolist() for t in tg.grad(d.sum(), (x, g))] == [[10, 14], [4, 6]]


# All or nothing.


def faulty() -> tuple[Callable[..., tg.Tensor], list[bool]]:
    """An op whose VJP raises while the list that comes with it is not empty."""
    broken = [True]

    def vjp(g: Any, x: Any) -> Any:
        if broken:
            raise ArithmeticError("the VJP is broken")
        return 2 * x * g

    return tg.op(lambda x: x * x, vjp), broken


@pytest.mark.parametrize("create_graph", [False, True])
def test_backward_is_all_or_nothing(create_graph: bool) -> None:
    op, broken = faulty()
    x, w, b = leaf([2.0, 3.0]), leaf([5.0, 7.0]), leaf([1.0, 1.0])
    w.grad = tg.tensor(np.array([100.0, 100.0]))
    before = w.grad
    h = x * w
    h.retain_grad()
    loss = (op(h) + b + w).sum()
    with pytest.raises(ArithmeticError, match="the VJP is broken"):
        loss.backward(create_graph=create_graph)
    assert grads(x, w, b, h) == [None, [100, 100], None, None]
    assert w.grad is before
    broken.clear()
    loss.backward(create_graph=create_graph)
    assert grads(x, w, b, h) == [[100, 294], [141, 227], [1, 1], [20, 42]]


def test_grad_is_all_or_nothing() -> None:
    op, broken = faulty()
    x = leaf(3.0)
    y = op(x * 2) * 5
    with pytest.raises(ArithmeticError, match="the VJP is broken"):
        tg.grad(y, x)
    broken.clear()
    assert tg.grad(y, x)[0].item() == 120


def test_an_unused_input_releases_nothing() -> None:
    x, w = leaf(2.0), leaf(3.0)
    y = x * x
    with pytest.raises(RuntimeError, match="do not depend on input 1"):
        tg.grad(y, (x, w))
    assert tg.grad(y, x)[0].item() == 4


def test_two_leaves_may_share_one_grad() -> None:
    x, y, total = leaf([1.0]), leaf([1.0]), tg.tensor(np.zeros(1))
    x.grad = y.grad = total
    (x * 2 + y * 3).sum().backward()
    assert x.grad is y.grad is total
    assert total.tolist() == [5]


def test_threads_may_share_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if another one comes while a backward adds to .grad, between one leaf and the next."""
    module = sys.modules[tg.Tensor.__module__]
    wrap = module.wrap

    def slow(array: Any, node: Any = None) -> Any:
        time.sleep(1e-4)
        return wrap(array, node)

    monkeypatch.setattr(module, "wrap", slow)
    x, y = leaf(0.0), leaf(0.0)
    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(lambda k: (x * k + y * k).backward(), range(100)):
            pass
    assert grads(x, y) == [99 * 50] * 2


# Recording or not.


def test_contexts_nest() -> None:
    x = leaf(2.0)
    seen = [(x * x).requires_grad]
    with tg.no_grad():
        seen.append((x * x).requires_grad)
        with tg.enable_grad():
            seen.append((x * x).requires_grad)
            with tg.set_grad_enabled(False):
                seen.append((x * x).requires_grad)
            seen.append(tg.is_grad_enabled())
        seen.append((x * x).requires_grad)
    seen.append((x * x).requires_grad)
    assert seen == [True, False, True, False, True, False, True]


def test_a_context_may_be_entered_again() -> None:
    context = tg.no_grad()
    with context, context:
        with tg.enable_grad(), context:
            assert not tg.is_grad_enabled()
        assert not tg.is_grad_enabled()
    assert tg.is_grad_enabled()


def test_a_context_ends_with_an_exception() -> None:
    with pytest.raises(ZeroDivisionError), tg.no_grad():
        1 / 0  # noqa: B018
    assert tg.is_grad_enabled()


def test_what_was_made_under_no_grad() -> None:
    x = leaf(2.0)
    with tg.no_grad():
        y = x * x
        leafy = tg.tensor(1.0, requires_grad=True)
    assert (y.requires_grad, y.is_leaf, y.grad_fn) == (False, True, None)
    assert leafy.requires_grad
    assert tg.grad(x * y, x)[0].item() == 4


def switched(mode: bool) -> Callable[..., Any]:
    """The decorator ``set_grad_enabled(mode)``, made when it is needed, as it acts at once."""
    return lambda function: tg.set_grad_enabled(mode)(function)


@pytest.mark.parametrize("decorate", [tg.no_grad, tg.no_grad(), switched(False)])
def test_decorators(decorate: Any) -> None:
    @decorate
    def recorded(x: tg.Tensor) -> bool:
        """A docstring."""
        return bool((x * x).requires_grad)

    assert recorded(leaf(2.0)) is False
    assert (recorded.__name__, recorded.__doc__) == ("recorded", "A docstring.")
    assert tg.is_grad_enabled()


@pytest.mark.parametrize("decorate", [tg.enable_grad, tg.enable_grad(), switched(True)])
def test_decorators_that_enable(decorate: Any) -> None:
    @decorate
    def recorded(x: tg.Tensor) -> bool:
        return bool((x * x).requires_grad)

    with tg.no_grad():
        assert recorded(leaf(2.0)) is True
        assert not tg.is_grad_enabled()


@pytest.mark.parametrize("decorate", [tg.no_grad, tg.no_grad()])
def test_decorated_functions_may_be_recursive_and_run_in_threads(decorate: Any) -> None:
    x = leaf(2.0)
    barrier = threading.Barrier(4, timeout=30)

    @decorate
    def depth(n: int) -> list[bool]:
        barrier.wait()  # so that all threads are inside at once
        below = depth(n - 1) if n else []
        barrier.wait()
        return [*below, (x * x).requires_grad]

    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(depth, [5] * 4))
        assert runs == [[False] * 6] * 4
        assert list(pool.map(lambda _: tg.is_grad_enabled(), range(4))) == [True] * 4


def test_no_grad_is_per_thread() -> None:
    inside, done = threading.Event(), threading.Event()
    seen = []

    def other() -> None:
        inside.wait(30)
        seen.append(tg.is_grad_enabled())
        done.set()

    thread = threading.Thread(target=other)
    thread.start()
    with tg.no_grad():
        inside.set()
        done.wait(30)
    thread.join()
    assert seen == [True]


def test_no_grad_is_per_asyncio_task() -> None:
    seen: dict[str, list[bool]] = {"off": [], "on": []}

    async def task(name: str, context: Any) -> None:
        with context:
            for _ in range(3):
                await asyncio.sleep(0)
                seen[name].append(tg.is_grad_enabled())

    async def both() -> None:
        await asyncio.gather(task("off", tg.no_grad()), task("on", tg.enable_grad()))
        assert tg.is_grad_enabled()

    asyncio.run(both())
    assert seen == {"off": [False] * 3, "on": [True] * 3}


# Leaves.


def test_leaves_and_results() -> None:
    x = leaf([2.0])
    y = x * 2
    assert (x.is_leaf, y.is_leaf, y.detach().is_leaf, tg.tensor(1).is_leaf) == (
        True, False, True, True,
    )  # fmt: skip
    assert (x.requires_grad, y.requires_grad, y.detach().requires_grad) == (True, True, False)


def test_detach_stops_the_gradient() -> None:
    x = leaf(3.0)
    (x * x.detach()).backward()
    assert grads(x) == [3]


def test_requires_grad_() -> None:
    x = tg.tensor([1.0, 2.0])
    assert x.requires_grad_() is x
    assert x.requires_grad
    (x * x).sum().backward()
    assert x.requires_grad_(np.True_) is x  # type: ignore[arg-type]
    assert grads(x) == [[2, 4]]
    assert x.requires_grad_(False) is x
    assert not x.requires_grad
    x.requires_grad = True
    assert x.requires_grad
    y = x * 2
    assert y.requires_grad_() is y
    with pytest.raises(RuntimeError, match=r"only a leaf can stop.*detach"):
        y.requires_grad_(False)
    for dtype in ("bool", "int64", "uint8"):
        with pytest.raises(TypeError, match=f"a gradient needs a float dtype, not {dtype}"):
            tg.tensor([1, 0], dtype=dtype).requires_grad_()
        with pytest.raises(TypeError, match="float dtype"):
            tg.tensor([1, 0], dtype=dtype, requires_grad=True)


def test_a_leaf_that_is_detached_in_place_keeps_its_grad_and_its_place() -> None:
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    assert x.detach_() is x
    assert not x.requires_grad
    y.backward(retain_graph=True)
    assert x.grad is not None
    assert x.grad.tolist() == [2, 4]
    x.requires_grad_()
    y.backward()
    assert x.grad.tolist() == [4, 8]


def test_who_stops_requiring_grad_keeps_what_it_has() -> None:
    """As in PyTorch: a network is often frozen for a while, with graphs of it left from before."""
    x, y = leaf(3.0), leaf(5.0)
    before = x * y
    (x * x).backward()
    assert x.requires_grad_(False).grad is not None
    assert (grads(x), (x * y).requires_grad, x.is_leaf) == ([6], True, True)
    before.backward(retain_graph=True)
    assert grads(x, y) == [6, 3]
    before.backward(retain_graph=True)
    x.requires_grad_()
    before.backward()
    (x * x).backward()
    assert grads(x, y) == [17, 9]
    x.requires_grad_(False)
    copy = deepcopy(x)
    assert (grads(copy), copy.requires_grad) == ([17], False)
    x.grad = tg.tensor(np.array(1.0))
    assert grads(x.requires_grad_()) == [1]
    x.detach_().grad = None
    assert (x.grad, x.requires_grad) == (None, False)
    z = tg.nn.Parameter(tg.ones(1))
    z.grad = tg.ones(1)
    frozen = tg.nn.Module()
    frozen.z = z.requires_grad_(False)
    assert frozen.double().z.grad.dtype == np.float64


def test_grad_may_be_set() -> None:
    x = leaf([1.0, 2.0])
    x.grad = tg.tensor(np.array([1.0, 1.0]))
    (x * x).sum().backward()
    assert grads(x) == [[3, 5]]
    with pytest.raises(TypeError, match="a Tensor or None, not ndarray"):
        x.grad = np.ones(2)  # type: ignore[assignment]
    with pytest.raises(ValueError, match=r"shape \(3,\).* do not fit .*shape \(2,\)"):
        x.grad = tg.tensor(np.ones(3))
    with pytest.raises(ValueError, match=r"dtype float32 do not fit .*dtype float64"):
        x.grad = tg.ones(2)
    assert grads(x) == [[3, 5]]
    with pytest.raises(RuntimeError, match="does not require grad"):
        tg.ones(2).grad = tg.ones(2)
    # Nothing is what there is already.
    for y in (tg.ones(2), x * 2):
        y.grad = None
        assert y.grad is None
    with pytest.raises(RuntimeError, match="does not require grad"):
        tg.ones(2).retain_grad()


def test_names() -> None:
    x = tg.tensor([1.0], name="x")
    assert x.requires_grad_().name == "x"
    assert x.requires_grad_(False).name == "x"
    y = leaf([1.0]) * 2
    assert (y.name, y.named("y") is y, y.name) == (None, True, "y")
    with pytest.raises(TypeError, match="a name is a str, not int"):
        x.named(1)  # type: ignore[arg-type]


# In place.


def test_a_step_of_gradient_descent() -> None:
    w = leaf([2.0, 3.0])
    for _ in range(2):
        (w * w).sum().backward()
        assert w.grad is not None
        with tg.no_grad():
            w -= 0.25 * w.grad
        w.grad.zero_()
    assert w.tolist() == [0.5, 0.75]
    assert (w.is_leaf, w.requires_grad, grads(w)) == (True, True, [[0, 0]])


IN_PLACE: list[tuple[Any, float]] = [
    (lambda t: t.__iadd__(2), 1),
    (lambda t: t.__isub__(2), 1),
    (lambda t: t.__imul__(3), 3),
    (lambda t: t.__itruediv__(2), 0.5),
    (lambda t: t.__ipow__(2), 2 * 6),
    (lambda t: t.add_(2), 1),
    (lambda t: t.sub_(2), 1),
    (lambda t: t.mul_(3), 3),
    (lambda t: t.div_(2), 0.5),
    (lambda t: t.pow_(2), 2 * 6),
    (lambda t: t.copy_(t * 5), 5),
    (lambda t: t.copy_(tg.tensor(7.0)), 0),
    (lambda t: t.fill_(7), 0),
    (lambda t: t.zero_(), 0),
]


@pytest.mark.parametrize(("change", "slope"), IN_PLACE)
def test_in_place_on_results(change: Any, slope: float) -> None:
    x = leaf(2.0)
    y = x * 3
    z = y * y  # holds the old value of y
    assert change(y) is y
    assert y.requires_grad
    (y + z).backward()
    assert grads(x) == [3 * slope + 36]


@pytest.mark.parametrize(("change", "slope"), IN_PLACE)
def test_in_place_on_a_leaf(change: Any, slope: float) -> None:
    x = leaf(6.0)
    y = x * x
    with pytest.raises(RuntimeError, match=r"while the tape records; do it under no_grad\(\)"):
        change(x)
    assert x.item() == 6
    with tg.no_grad():
        assert change(x) is x
    assert x.is_leaf
    y.backward()  # of the old value
    assert grads(x) == [12]
    plain = tg.tensor(6.0)
    assert change(plain) is plain
    assert plain.item() == x.item()


def test_in_place_with_a_tensor_that_requires_grad() -> None:
    x, total = leaf([2.0, 3.0]), tg.tensor(np.zeros(2))
    for _ in range(3):
        total += x * x
    assert total.requires_grad
    total.sum().backward()
    assert grads(x) == [[12, 18]]


def test_in_place_keeps_shape_and_dtype() -> None:
    x = tg.ones(2)
    x += tg.tensor(np.array([0.1, 0.2]))
    assert x.dtype == np.float32
    with pytest.raises(ValueError, match=r"shape \(3, 2\) is not that of the Tensor, \(2,\)"):
        x += tg.ones(3, 2)
    whole = tg.tensor([1, 2])
    with pytest.raises(TypeError, match="result of float32 does not fit a Tensor of int64"):
        whole += 0.5
    with pytest.raises(TypeError, match=r"float32 does not fit .* int64"):
        whole /= 2
    whole += True
    assert (whole.tolist(), whole.dtype) == ([2, 3], np.int64)


def test_retain_grad_follows_a_change_in_place() -> None:
    x = leaf(2.0)
    y = x * 3
    y.retain_grad()
    y *= 2
    (y * 5).backward()
    assert grads(x, y) == [30, 5]


def test_a_part_that_is_changed_in_place_is_changed_once() -> None:
    """x[0] += 1 changes the part, and then Python assigns it to where it is already."""
    y = leaf([1.0, 2.0]) * 2
    y[0] += 1
    assert (y.tolist(), y.grad_fn.name()) == ([3, 4], "CopySlices")
    assert "CopySlices" not in [f.name() for f, _ in y.grad_fn.next_functions if f is not None]


def test_a_change_in_place_does_not_reach_copies() -> None:
    x = tg.tensor([1.0, 2.0])
    copies = [x.clone(), tg.tensor(x), x + 0, x[[0, 1]]]
    x += 1
    x.zero_()
    assert x.tolist() == [0, 0]
    assert [t.tolist() for t in copies] == [[1, 2]] * 4


# Long graphs.


def test_a_long_chain() -> None:
    x = leaf(1.0)
    y = x
    for _ in range(10**5):
        y = y + 1
    y = y * 2
    assert tg.grad(y, x, retain_graph=True)[0].item() == 2
    y.backward()
    assert grads(x) == [2]


def test_a_chain_of_a_million() -> None:
    """Forward, backward, and freeing a graph that was not released, all without recursion."""
    n = 10**6
    x = leaf(1.0)
    y = x
    with without_collector():
        for _ in range(n):
            y = y + x
        tail = weakref.ref(y)
        y.backward(retain_graph=True)
        assert grads(x) == [n + 1]
        del y
        assert tail() is None
        x.grad = None
        assert gc.collect() == 0


def test_second_derivatives_of_a_long_chain() -> None:
    x = leaf(0.5)
    y = x
    for _ in range(10**4):
        y = y.sin()
    (slope,) = tg.grad(y, x, create_graph=True)
    (curve,) = tg.grad(slope, x)
    assert slope.item() > 0 > curve.item()


# Memory.


def test_an_intermediate_that_nobody_needs_is_freed_at_once() -> None:
    x = leaf(np.ones(10))
    with without_collector():
        y = x + 1
        buffer = weakref.ref(y._array)
        z = y + 1  # needs the shape of y alone
        del y
        assert buffer() is None
        y = z * z  # needs z
        buffer = weakref.ref(z._array)
        del z
        assert buffer() is not None
        y.sum().backward()
        assert buffer() is None


def test_a_graph_is_freed_without_the_collector() -> None:
    with without_collector():
        x = leaf(np.ones((3, 3)))
        y = ((x @ x).sigmoid() * x).amax(0)
        (first,) = tg.grad(y.sum(), x, create_graph=True)
        parts = [weakref.ref(t) for t in (y, first)]
        parts += [weakref.ref(t._array) for t in (y, first)]
        del y, first
        assert [part() for part in parts] == [None] * 4
        (x * x).sum().backward()
        buffer = weakref.ref(x._array)
        del x
        assert buffer() is None
    assert gc.collect() == 0


def test_backward_lets_go_of_what_was_saved() -> None:
    x = leaf(np.ones(10))
    with without_collector():
        y = x * 2
        buffer = weakref.ref(y._array)
        z = (y * y).sum()
        del y
        z.backward()
        assert buffer() is None  # though z is still there


def test_an_exception_in_backward_lets_go_too() -> None:
    op, _ = faulty()
    x = leaf(np.ones(10))
    y = op(x * 2)
    buffer = weakref.ref(y._array)
    z = y.sum()
    del y
    with pytest.raises(ArithmeticError):
        z.backward()
    del z
    gc.collect()  # of the traceback's frames
    assert buffer() is None


# Saved values cannot change.


def test_the_source_of_a_tensor_may_change() -> None:
    source = np.array([2.0, 3.0])
    for make in (tg.tensor, tg.Tensor, tg.from_numpy, lambda a: tg.tensor(tg.tensor(a))):
        source[:] = [2, 3]
        x = make(source).requires_grad_()
        y = (x * x).sum()
        source[:] = 100
        y.backward()
        assert grads(x) == [[4, 6]]


def test_other_arrays_may_change() -> None:
    """Operands, exponents, conditions, indices, their bounds, gradients and options."""

    def scale(x: Any, by: Any, more: Any) -> Any:
        return x * by * more[0]

    scaled = tg.op(scale, lambda g, by, more: g * by * more[0])
    arrays: list[Any] = [
        np.array([2.0, 3.0]), np.array([2.0, 1.0]), np.array([True, False]), np.array([0, 0]),
        np.array([5.0, 7.0]),
    ]  # fmt: skip
    factor, exponent, mask, index, option = arrays
    start, stop, listed, more = np.array(0), tg.tensor(1), [1, 1], [1.0]
    g = np.array([1.0, 10.0])
    x = leaf([2.0, 3.0])
    ys = [
        x * factor,
        x**exponent,
        tg.where(mask, x, 0),
        x[index],
        tg.cat([x[start:stop], x[mask]]),
        x[listed],
        scaled(x, option, more),
    ]
    for array in arrays:
        array[:] = 1
    start += 1
    stop += 1
    listed[:] = [0, 0]
    more[:] = [100.0]
    found = [d.tolist() for y in ys for d in tg.grad(y, x, g)]
    g[:] = 100
    assert found == [[2, 30], [4, 10], [1, 0], [11, 0], [11, 0], [0, 11], [5, 70]]


def test_arrays_that_leave_are_read_only() -> None:
    x = leaf([2.0, 3.0])
    y = x * x
    y.sum().backward(retain_graph=True)
    assert x.grad is not None
    plain = x.detach()
    pickled: list[pickle.PickleBuffer] = []
    pickle.dumps(plain, protocol=5, buffer_callback=pickled.append)
    arrays = (plain.numpy(), np.asarray(plain), y.detach().numpy(), x.grad.numpy())
    for array in (*arrays, np.asarray(pickled[0]).view(np.float64)):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 5
        with pytest.raises(ValueError, match="cannot set WRITEABLE"):
            array.flags.writeable = True
        with pytest.raises((TypeError, ValueError), match=r"read-only|cannot modify"):
            array.base[...] = 5  # type: ignore[index,call-overload]
    copy = np.array(plain)
    copy[0] = 5
    assert plain.tolist() == [2, 3]


def test_the_gradient_given_to_backward_may_change() -> None:
    g = np.array([1.0, 10.0])
    x = leaf([2.0, 3.0])
    (x + 0).backward(g)
    g[:] = 5
    assert grads(x) == [[1, 10]]


def test_a_tensors_gradient_is_its_own() -> None:
    x, y, g = leaf([2.0]), leaf([3.0]), tg.tensor(np.array([1.0]))
    (x + y).backward(g)
    assert x.grad is not None
    x.grad += 5
    assert (grads(x, y), g.tolist()) == ([[6], [1]], [1])
    assert value(x).tolist() == [2]
