"""Layers and losses beside PyTorch's, and weights that go there and back."""

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy import ndarray

import tinygrad_mlp as tg

pytestmark = pytest.mark.torch

LIBRARIES = (tg, torch)
DTYPES = ("float32", "float64")


def value(tensor: Any) -> ndarray:
    return np.asarray(tensor.detach().numpy())


def same(ours: Any, theirs: Any) -> None:
    """Equal bit for bit."""
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    assert ours.tobytes() == theirs.tobytes()


# Layers.


@given(
    seed=st.integers(0, 2**32),
    sizes=st.tuples(st.integers(1, 100), st.integers(1, 100)),
    dtype=st.sampled_from(DTYPES),
    bias=st.booleans(),
)
def test_linear_starts_with_the_same_weights(
    seed: int, sizes: tuple[int, int], dtype: str, bias: bool
) -> None:
    ours, theirs = (
        (lib.manual_seed(seed), lib.nn.Linear(*sizes, bias=bias, dtype=getattr(lib, dtype)))[1]
        for lib in LIBRARIES
    )
    pairs = list(zip(ours.named_parameters(), theirs.named_parameters(), strict=True))
    assert len(pairs) == 1 + bias
    for (name, p), (their_name, q) in pairs:
        assert name == their_name
        same(value(p), value(q))
    # Both streams stand at the same place afterwards.
    same(value(tg.rand(3)), value(torch.rand(3)))


def test_linear_of_64_by_32_has_pytorchs_weights() -> None:
    nets = [(lib.manual_seed(0), lib.nn.Linear(64, 32))[1] for lib in LIBRARIES]
    for p, q in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        same(value(p), value(q))


def network(lib: Any, sizes: tuple[int, ...] = (5, 7, 3), between: str = "Sigmoid") -> Any:
    layers: list[Any] = []
    for m, n in zip(sizes, sizes[1:], strict=False):
        layers += [lib.nn.Linear(m, n), getattr(lib.nn, between)()]
    return lib.nn.Sequential(lib.nn.Flatten(), *layers[:-1]).double()


@pytest.mark.parametrize("between", ["Sigmoid", "Tanh", "ReLU", "Identity"])
def test_a_network_its_gradients_and_its_printed_form(between: str) -> None:
    found = []
    for lib in LIBRARIES:
        lib.manual_seed(3)
        net = network(lib, between=between)
        x = lib.tensor(np.random.RandomState(0).randn(4, 1, 5), requires_grad=True)
        out = net(x)
        (out**2).sum().backward()
        gradients = [value(p.grad) for p in (x, *net.parameters())]
        found.append((repr(net), list(dict(net.named_parameters())), [value(out), *gradients]))
    assert found[0][:2] == found[1][:2]
    for a, b in zip(found[0][2], found[1][2], strict=True):
        np.testing.assert_allclose(a, b, 1e-12, 1e-13)


@pytest.mark.parametrize("name", ["Softmax", "LogSoftmax"])
@given(data=st.data())
def test_softmax(name: str, data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=3)))
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    scale = data.draw(st.sampled_from([1.0, 30.0, 1e4]))
    draw = np.random.RandomState(data.draw(st.integers(0, 99)))
    array, weights = scale * draw.randn(*shape), draw.randn(*shape)
    found = []
    for lib in LIBRARIES:
        x = lib.tensor(array, requires_grad=True)
        out = getattr(lib.nn, name)(dim)(x)
        (out * lib.tensor(weights)).sum().backward()
        found.append((value(out), value(x.grad)))
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, 1e-12, 1e-13)


# Losses: (what makes the loss, input, target) and options.

REDUCTIONS = ("none", "mean", "sum")


def losses_agree(make: Callable[[Any], Any], input: ndarray, target: ndarray) -> None:
    """The loss, and the gradients of a weighted sum of its entries, by input and float target."""
    found = []
    for lib in LIBRARIES:
        x = lib.tensor(input, requires_grad=True)
        y = lib.tensor(target)
        if target.dtype.kind == "f":
            y.requires_grad_()
        out = make(lib)(x, y)
        weights = np.cos(np.arange(1, math.prod(out.shape) + 1)).reshape(tuple(out.shape))
        (out * lib.tensor(weights)).sum().backward()
        grads = [value(t.grad) for t in (x, y) if t.grad is not None]
        found.append([value(out), *grads])
    assert len(found[0]) == len(found[1])
    for a, b in zip(*found, strict=True):
        # Relative to the largest, since a sum may cancel.
        scale = max([1.0, *np.abs(b[np.isfinite(b)]).ravel()])
        np.testing.assert_allclose(a, b, 1e-12, 1e-13 * scale)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@given(
    shape=st.lists(st.integers(0, 4), max_size=3).map(tuple),
    seed=st.integers(0, 99),
    scale=st.sampled_from([1.0, 1e3, 1e-3]),
)
def test_mse_loss(reduction: str, shape: tuple[int, ...], seed: int, scale: float) -> None:
    draw = np.random.RandomState(seed)
    x, y = np.asarray(scale * draw.randn(*shape)), np.asarray(draw.randn(*shape))
    losses_agree(lambda lib: lib.nn.MSELoss(reduction=reduction), x, y)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@given(
    shape=st.lists(st.integers(0, 4), min_size=1, max_size=3).map(tuple),
    seed=st.integers(0, 99),
    scale=st.sampled_from([0.0, 1.0, 30.0, 1000.0]),
    weighted=st.booleans(),
    positive=st.booleans(),
)
def test_bce_with_logits_loss(
    reduction: str, shape: tuple[int, ...], seed: int, scale: float, weighted: bool, positive: bool
) -> None:
    draw = np.random.RandomState(seed)
    x, y = np.asarray(scale * draw.randn(*shape)), np.asarray(draw.rand(*shape).round(1))
    w, p = draw.rand(*shape), draw.rand(shape[-1]) + 0.5

    def make(lib: Any) -> Any:
        weight = lib.tensor(w) if weighted else None
        pos_weight = lib.tensor(p) if positive else None
        return lib.nn.BCEWithLogitsLoss(weight, reduction=reduction, pos_weight=pos_weight)

    losses_agree(make, x, y)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@given(data=st.data())
def test_cross_entropy_loss(reduction: str, data: st.DataObject) -> None:
    classes = data.draw(st.integers(1, 5))
    batch = data.draw(st.sampled_from([(), (1,), (4,), (3, 2), (2, 1, 3)]))
    shape = (classes,) if not batch else (batch[0], classes, *batch[1:])
    draw = np.random.RandomState(data.draw(st.integers(0, 999)))
    x = data.draw(st.sampled_from([1.0, 30.0, 1000.0])) * draw.randn(*shape)
    probabilities = data.draw(st.booleans())
    ignore_index = data.draw(st.sampled_from([-100] if probabilities else [-100, 0, 2]))
    smoothing = data.draw(st.sampled_from([0.0, 0.1, 1.0]))
    weights = draw.rand(classes) + 0.1 if data.draw(st.booleans()) else None
    if probabilities:
        y = draw.rand(*shape)
    else:
        y = np.asarray(draw.randint(0, classes, batch))
        if ignore_index < 0 and y.size > 1 and data.draw(st.booleans()):
            y.flat[0] = ignore_index
        if reduction == "mean" and (y == ignore_index).all():
            y = np.asarray((y + 1) % classes)  # or it is 0 / 0

    def make(lib: Any) -> Any:
        return lib.nn.CrossEntropyLoss(
            None if weights is None else lib.tensor(weights),
            ignore_index=ignore_index,
            reduction=reduction,
            label_smoothing=smoothing,
        )

    losses_agree(make, x, y)


def test_losses_where_the_maths_ends() -> None:
    inf = np.inf
    for lib in LIBRARIES:
        ce = lib.nn.functional.cross_entropy
        nothing = ce(lib.zeros(2, 3), lib.tensor([-100, -100]))
        assert math.isnan(nothing.item())
        assert ce(lib.tensor([[0.0, -inf]]), lib.tensor([0])).item() == 0
        assert ce(lib.tensor([[0.0, -inf]]), lib.tensor([1])).item() == inf
        mse = lib.nn.functional.mse_loss
        with pytest.warns(UserWarning, match="broadcast"):
            assert mse(lib.ones(2, 1), lib.zeros(2), reduction="sum").item() == 4
        with pytest.raises((IndexError, ValueError)):
            ce(lib.zeros(1, 3), lib.tensor([3]))


# There and back.


def test_weights_go_to_pytorch_and_back() -> None:
    tg.manual_seed(5)
    ours, theirs = network(tg), network(torch)
    x = np.random.RandomState(0).randn(4, 5)
    theirs.load_state_dict({k: torch.tensor(v.numpy()) for k, v in ours.state_dict().items()})
    np.testing.assert_allclose(value(ours(tg.tensor(x))), value(theirs(torch.tensor(x))), 1e-13)
    with torch.no_grad():
        theirs[1].weight.mul_(2)
    back = network(tg)
    back.load_state_dict(theirs.state_dict())
    for p, q in zip(back.parameters(), theirs.parameters(), strict=True):
        same(value(p), value(q))
        assert p.requires_grad


def test_a_file_of_tensors_is_safetensors(tmp_path: Any) -> None:
    safetensors = pytest.importorskip("safetensors.torch")
    net = network(tg)
    tg.save(net.state_dict(), tmp_path / "net.safetensors")
    found = safetensors.load_file(tmp_path / "net.safetensors")
    for name, p in net.state_dict().items():
        same(value(p), value(found[name]))
    safetensors.save_file(found, tmp_path / "theirs.safetensors")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net.load_state_dict(tg.load(tmp_path / "theirs.safetensors"))
