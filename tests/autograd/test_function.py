"""``autograd.Function``: what it saves keeps its values, and threads may share its graph."""

import threading
import time
from typing import Any

import numpy as np
import pytest
from support import leaf

import tinygrad_mlp as tg


class Weighted(tg.autograd.Function):
    """x times a Tensor that is no input of it, which it keeps in one of several ways."""

    weights: tg.Tensor
    keep: str

    @staticmethod
    def forward(ctx: Any, x: tg.Tensor) -> tg.Tensor:
        w = Weighted.weights
        if Weighted.keep == "saved":
            ctx.save_for_backward(x, w)
        elif Weighted.keep == "attribute":
            ctx.w = w
        else:
            ctx.w = (x, w)
        return x * w

    @staticmethod
    def backward(ctx: Any, g: tg.Tensor) -> tg.Tensor:
        w = ctx.saved_tensors[1] if Weighted.keep == "saved" else ctx.w
        return g * (w[1] if Weighted.keep == "tuple" else w)


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("keep", ["saved", "attribute", "tuple"])
def test_what_is_saved_may_change_in_place_afterwards(
    keep: str, create_graph: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    w = tg.tensor(np.array([3.0, 5.0]))
    monkeypatch.setattr(Weighted, "weights", w, raising=False)
    monkeypatch.setattr(Weighted, "keep", keep, raising=False)
    x = leaf([1.0, 2.0])
    y = Weighted.apply(x).sum()
    w.mul_(10)
    y.backward(create_graph=create_graph)
    assert x.grad is not None
    assert x.grad.tolist() == [3, 5]


def test_a_saved_tensor_that_requires_grad_is_on_the_tape(monkeypatch: pytest.MonkeyPatch) -> None:
    w = leaf([3.0, 5.0])
    monkeypatch.setattr(Weighted, "weights", w, raising=False)
    monkeypatch.setattr(Weighted, "keep", "saved", raising=False)
    x = leaf([1.0, 2.0])
    (slope,) = tg.grad(Weighted.apply(x).sum(), x, create_graph=True)
    assert tg.grad((slope**2).sum(), w)[0].tolist() == [6, 10]


class Product(tg.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: tg.Tensor, b: tg.Tensor) -> tg.Tensor:
        ctx.save_for_backward(a, b)
        ctx.calls = []
        return a * b

    @staticmethod
    def backward(ctx: Any, g: tg.Tensor) -> Any:
        ctx.calls.append(g.item())
        time.sleep(Product.pause)
        a, b = ctx.saved_tensors
        return g * b, g * a

    pause = 0.0


@pytest.mark.parametrize("create_graph", [False, True])
def test_threads_may_share_a_graph_that_is_retained(
    create_graph: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each gets the gradients of its own g, and waits in backward until the others are there."""
    monkeypatch.setattr(Product, "pause", 1e-3)
    a, b = leaf(2.0), leaf(3.0)
    y = Product.apply(a, b)
    found: dict[int, list[Any]] = {k: [] for k in (1, 10, 100)}

    def work(k: int) -> None:
        for _ in range(20):
            g = tg.tensor(np.array(float(k)))
            slopes = tg.grad(y, (a, b), g, retain_graph=True, create_graph=create_graph)
            found[k].append([s.item() for s in slopes])

    threads = [threading.Thread(target=work, args=(k,)) for k in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {k: [[3 * k, 2 * k]] * 20 for k in found}


@pytest.mark.parametrize("create_graph", [False, True])
def test_a_walk_to_one_argument_leaves_nothing_for_the_next(create_graph: bool) -> None:
    a, b, g = leaf(2.0), leaf(3.0), tg.tensor(np.array(1.0))
    y = Product.apply(a, b)
    options: Any = {"retain_graph": True, "create_graph": create_graph}
    assert tg.grad(y, a, g, **options)[0].item() == 3
    g.mul_(5)
    assert tg.grad(y, b, g, **options)[0].item() == 10
    g.requires_grad_()
    tg.grad(tg.grad(y, a, g, retain_graph=True, create_graph=True)[0], g)
    assert tg.grad(tg.grad(y, b, g, create_graph=True)[0], g)[0].item() == 2


@pytest.mark.parametrize("create_graph", [False, True])
def test_nothing_done_in_place_to_a_cotangent_shows_elsewhere(create_graph: bool) -> None:
    kept = tg.tensor(np.array(0.0))

    class InPlace(tg.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: tg.Tensor) -> tg.Tensor:
            return x * 2

        @staticmethod
        def backward(ctx: Any, g: tg.Tensor) -> tg.Tensor:
            g.mul_(2)
            return kept.copy_(g)

    for start in (1.0, 10.0):
        x, y, g = leaf(1.0), leaf(1.0), tg.tensor(np.array(start))
        z = y * 1
        (z + InPlace.apply(z) + InPlace.apply(x) * 3).backward(g, create_graph=create_graph)
        assert (x.grad, y.grad, g) == (6 * start, 3 * start, start)


def test_backward_runs_once_for_all_arguments_and_sees_the_attributes_of_forward() -> None:
    contexts = []

    class Kept(Product):
        @staticmethod
        def forward(ctx: Any, a: tg.Tensor, b: tg.Tensor) -> tg.Tensor:
            contexts.append(ctx)
            return Product.forward(ctx, a, b)

    a, b = leaf(2.0), leaf(3.0)
    y = Kept.apply(a, b)
    y.backward(retain_graph=True)
    y.backward(tg.tensor(np.array(2.0)))
    assert contexts[0].calls == [1, 2]
    assert contexts[0].needs_input_grad == (True, True)
    assert (a.grad, b.grad) == (9, 6)


def test_a_forward_does_not_record_and_leaves_the_mode_as_it_was() -> None:
    class Fails(tg.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: tg.Tensor) -> tg.Tensor:
            assert not (x * x).requires_grad
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Fails.apply(leaf(1.0))
    assert tg.is_grad_enabled()
