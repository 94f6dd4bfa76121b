"""Threads and asyncio tasks: whatever they share, no update is lost and no mode leaks."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from support import leaf, often_another_thread, value

import tinygrad_mlp as tg

THREADS = 8
ROUNDS = [100, pytest.param(10_000, marks=pytest.mark.soak)]


@pytest.fixture(autouse=True)
def taking_turns() -> Iterator[None]:
    with often_another_thread():
        yield


def in_threads(work: Callable[[int], Any], threads: int = THREADS) -> list[Any]:
    """What ``work`` returns in each of several threads that begin together."""
    barrier = threading.Barrier(threads, timeout=30)

    def run(k: int) -> Any:
        barrier.wait()
        return work(k)

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, range(threads)))


@pytest.mark.parametrize("rounds", ROUNDS)
def test_gradients_of_shared_leaves_add_up(rounds: int) -> None:
    """Of whole numbers, which float64 adds exactly."""
    leaves = [leaf(np.zeros(shape)) for shape in ((), (3,), (2, 2))]

    def work(k: int) -> None:
        for i in range(rounds):
            a, b, c = leaves
            (a * (k + 1) + (b * (i % 7)).sum() + c.sum() * k).backward()

    in_threads(work)
    counts = [
        rounds * sum(range(1, THREADS + 1)),
        THREADS * sum(i % 7 for i in range(rounds)),
        rounds * sum(range(THREADS)),
    ]
    for x, n in zip(leaves, counts, strict=True):
        assert x.grad is not None
        assert x.grad.tolist() == np.full(x.shape, float(n)).tolist()


def test_a_large_leaf_is_not_kept_waiting_by_small_ones() -> None:
    """Nobody starts over because of gradients that are none of his."""
    small, large = leaf(0.0), leaf(np.zeros(10**6))
    done = threading.Event()

    def busy(k: int) -> None:
        while not done.is_set():
            (small * 2).backward()

    def work(k: int) -> None:
        if k:
            return busy(k)
        for _ in range(3):
            (large * 2).sum().backward()
        done.set()

    in_threads(work, 3)
    assert large.grad is not None
    assert (value(large.grad) == 6).all()


def test_one_graph_is_walked_once() -> None:
    """Of several threads that call backward on one graph, one succeeds and the others are told."""
    for _ in range(20):
        x = leaf([1.0, 2.0])
        loss = (x * x * x).sum()

        def work(k: int, loss: tg.Tensor = loss) -> str:
            try:
                loss.backward()
            except RuntimeError as error:
                return str(error)
            return "done"

        found = in_threads(work)
        assert found.count("done") == 1
        assert all("released by an earlier backward" in text for text in found if text != "done")
        assert x.grad is not None
        assert x.grad.tolist() == [3, 12]


def test_an_optimiser_is_shared() -> None:
    w = tg.zeros(3, requires_grad=True)
    w.grad = tg.ones(3)
    optimiser = tg.optim.SGD([w], lr=1.0, momentum=0.5)
    in_threads(lambda k: [optimiser.step() for _ in range(25)])
    p = v = 0.0
    for _ in range(25 * THREADS):
        v = 0.5 * v + 1
        p -= v
    assert w.tolist() == [p] * 3


def test_changes_in_place_are_all_made_or_refused() -> None:
    x = tg.zeros(2, 2, dtype="float64")
    row = x[0]

    def work(k: int) -> int:
        made = 0
        for _ in range(50):
            try:
                x.add_(1)
                made += 1
            except RuntimeError as error:
                assert "another thread" in str(error)
        return made

    made = sum(in_threads(work))
    assert x.tolist() == [[made, made]] * 2
    assert row.tolist() == [made, made]


# Modes.


def test_one_context_is_shared_by_threads() -> None:
    off = tg.no_grad()

    def work(k: int) -> bool:
        for _ in range(50):
            assert tg.is_grad_enabled()
            with off:
                assert not tg.is_grad_enabled()
                with tg.enable_grad(), off:
                    assert not tg.is_grad_enabled()
                assert not tg.is_grad_enabled()
        return tg.is_grad_enabled()

    assert in_threads(work) == [True] * THREADS


def test_one_context_is_shared_by_tasks() -> None:
    off = tg.no_grad()
    x = leaf(1.0)

    async def task(k: int) -> list[bool]:
        seen = []
        for _ in range(10):
            with off if k % 2 else tg.enable_grad():
                await asyncio.sleep(0)
                seen.append((x * x).requires_grad)
            await asyncio.sleep(0)
            seen.append((x * x).requires_grad)
        return seen

    async def all_of_them() -> list[list[bool]]:
        return await asyncio.gather(*map(task, range(6)))

    for k, seen in enumerate(asyncio.run(all_of_them())):
        assert seen == [k % 2 == 0, True] * 10


def test_contexts_in_generators_end_in_any_order() -> None:
    def inside() -> Iterator[bool]:
        with tg.no_grad():
            yield tg.is_grad_enabled()

    first, second = inside(), inside()
    assert (next(first), next(second)) == (False, False)
    first.close()
    second.close()
    assert tg.is_grad_enabled()


@pytest.mark.parametrize("off", [tg.no_grad(), tg.no_grad], ids=["no_grad()", "no_grad"])
def test_decorated_generators_and_coroutines(off: Any) -> None:
    """The mode is that of each step of a generator, and not of who takes it.

    A coroutine is made in the mode and, as in PyTorch, runs in that of who awaits it.
    """

    def inside() -> bool:
        return not tg.is_grad_enabled()

    @off
    def generator(end: str) -> Iterator[Any]:
        got = yield inside()
        try:
            got = yield (inside(), got)
        except KeyError as error:
            got = yield (inside(), error)
        finally:
            closed.append(inside())
        return end

    @off
    async def coroutine() -> bool:
        before = inside()
        await asyncio.sleep(0)
        return before and inside()

    closed: list[bool] = []
    error = KeyError("from outside")
    assert generator.__name__ == "generator"
    steps: Any = generator("end")
    assert (next(steps), inside(), steps.send(5), inside()) == (True, False, (True, 5), False)
    with pytest.raises(StopIteration, match="end"):
        next(steps)
    steps = generator("end")
    next(steps), next(steps)
    assert (steps.throw(error), inside()) == ((True, error), False)
    steps.close()
    steps = generator("end")
    next(steps), next(steps)
    with pytest.raises(ValueError, match="again"):
        steps.throw(ValueError("again"))
    assert not inside()

    assert asyncio.run(coroutine()) is False
    assert closed == [True] * 3


# Programs and random numbers.


def test_compiled_steps_are_shared() -> None:
    """From their first call on, in which each thread may trace."""
    for reuse in (False, True):
        step = tg.compile(lambda x: (x * x).sum(), reuse=reuse)

        def work(k: int, step: Any = step, reuse: bool = reuse) -> None:
            x = np.full(5, k + 1.0)
            for _ in range(50):
                f, (g,) = step(x)
                if not reuse:
                    assert f == 5 * (k + 1) ** 2
                    assert (g == 2 * (k + 1)).all()

        in_threads(work)


def test_a_compiled_training_step_is_shared() -> None:
    w = tg.zeros(2, requires_grad=True)
    step = tg.compile(lambda x: (w * x).sum(), optimizer=tg.optim.SGD([w], lr=1.0))
    x = np.ones(2, np.float32)
    in_threads(lambda k: [step(x) for _ in range(25)])
    assert w.tolist() == [-25.0 * THREADS] * 2


def test_generators_are_shared() -> None:
    """Each draw is in one piece, and none comes twice."""
    generator, reference = tg.Generator().manual_seed(1), tg.Generator().manual_seed(1)
    found = in_threads(lambda k: [generator.normal((17,), "float32").tobytes() for _ in range(20)])
    drawn = sorted(piece for pieces in found for piece in pieces)
    assert drawn == sorted(
        reference.normal((17,), "float32").tobytes() for _ in range(20 * THREADS)
    )
    assert (generator.get_state() == reference.get_state()).all()


def test_a_seed_is_taken_between_two_draws() -> None:
    generator = tg.Generator()
    first = generator.manual_seed(5).uniform((3,), "float32").tolist()

    def work(k: int) -> None:
        for _ in range(50):
            generator.manual_seed(5) if k == 0 else generator.uniform((1,), "float32")

    in_threads(work)
    assert generator.manual_seed(5).uniform((3,), "float32").tolist() == first
