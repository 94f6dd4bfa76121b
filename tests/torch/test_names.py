"""PyTorch's names: what they refuse. That they give PyTorch's results is tested beside PyTorch."""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.torch.nearest import METHODS

X = tg.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
V = tg.tensor([1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: X.t().view(6), RuntimeError, r"view: .* use reshape\(\)"),
        (lambda: X.norm("nuc"), ValueError, "norm: p is 1, 2, inf or 'fro', not 'nuc'"),
        (lambda: X.topk(4), ValueError, "topk: there are 3 entries along the axis, and k is 4"),
        (lambda: V.tril(), ValueError, r"tril: a matrix, .* not shape \(3,\)"),
        (lambda: V.dot(X), ValueError, r"dot: 1 axes are needed, not those of shape \(2, 3\)"),
        (lambda: X.split(0), ValueError, "split: a size from 1 is needed"),
        (lambda: X.split([1, 2]), ValueError, r"split: the sizes \[1, 2\] do not add up to 2"),
        (lambda: X.chunk(0), ValueError, "chunk: at least 1 part"),
        (lambda: tg.zeros(0).chunk(2**63), ValueError, "chunk: there cannot be"),
        (lambda: X.chunk(1.5), TypeError, "cannot be interpreted as an integer"),
        (lambda: X.narrow(1, 2, 5), ValueError, "narrow: 5 places from 2 are not all within 3"),
        (lambda: X.repeat(2), ValueError, "repeat: .* each of 2 axes"),
        (lambda: tg.arange(3).std(), TypeError, "var: a float dtype is needed, not int64"),
        (lambda: tg.isclose(V, 1.0), TypeError, "isclose: a Tensor is needed, not float"),
        (lambda: tg.allclose(V, V.double()), TypeError, "both need the same dtype"),
        (lambda: V.view(3).detach_(), RuntimeError, "detach_: this is a view"),
        (lambda: tg.randint(5, 5, (2,)), ValueError, "no int64 from 5 up to but without 5"),
        (lambda: tg.randperm(-1), ValueError, "randperm: n is 0 or more, not -1"),
        (lambda: tg.normal(0.0, -1.0, (2,)), ValueError, "std is 0 or more, not -1.0"),
        (lambda: tg.normal(V, 1.0, (2,)), TypeError, "normal: mean and std are numbers"),
        (lambda: tg.linspace(0, 1, -1), ValueError, "the number of steps is 0 or more, not -1"),
        (lambda: tg.meshgrid(V, indexing="yx"), ValueError, "indexing is 'ij' or 'xy', not 'yx'"),
        (lambda: tg.zeros(2, device="cuda"), RuntimeError, "everything runs on the CPU"),
        (lambda: V.cuda(), RuntimeError, "everything runs on the CPU"),
        (lambda: tg.device(3), TypeError, "device: a name as 'cpu' is needed, not 3"),
        (lambda: tg.cuda.synchronize(), AttributeError, "everything runs on the CPU"),
        (lambda: V.exp(out=V), TypeError, r"Tensor.exp\(\) got .* 'out'"),
        (lambda: V.sum(out=V), TypeError, "sum: out= is not here; assign the result"),
        (lambda: V.mean(kepdim=1), TypeError, "mean: kepdim= is not here; the nearest is keepdim="),
        (lambda: V.std(out=V), TypeError, "std: out= is not here; assign the result"),
        (lambda: V.clamp(maximum=1), TypeError, "clamp: maximum= is not here; .* max="),
        (lambda: V.clone(memory_format=0), TypeError, r"clone: .* use contiguous\(\)"),
        (lambda: V.softmax(), TypeError, "dim"),
    ],
)  # fmt: skip
def test_refused(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_asking_for_what_is_not_there() -> None:
    assert not hasattr(X, "no_such_method")
    assert getattr(X, "einsum", None) is None
    assert not hasattr(tg, "einsum")
    assert "cumsum" not in dir(X)
    assert "sigmoid" in dir(X)
    with pytest.raises(AttributeError, match="Tensor has no 'cumsum'; the nearest there is: sum"):
        X.cumsum(0)
    with pytest.raises(AttributeError, match="nearest there is: testing.gradcheck"):
        getattr(tg.autograd, "gradcheck")  # noqa: B009


def test_python_adds_no_guess_to_what_is_nearest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in METHODS.split():
        for place in (X, tg):
            try:
                getattr(place, name)
            except AttributeError as error:
                # Its own might be a name that changes the Tensor, as exp_ for expm1.
                sys.__excepthook__(AttributeError, error, None)
                said = capsys.readouterr().err
                assert f"has no {name!r}" in said
                assert "Did you mean" not in said


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("from tinygrad_mlp import Variable", "tensor, with requires_grad=True"),
        ("from tinygrad_mlp import tensr", "nearest there is: tensor"),
        ("import tinygrad_mlp.utils.data", "has no 'utils'; the nearest there is: randperm"),
        ("from tinygrad_mlp.optim import SDG", "nearest there is: SGD"),
        ("from tinygrad_mlp import backends", "nor anything like it"),
        ("import tinygrad_mlp.Tensor", "No module named 'tinygrad_mlp.Tensor'"),
        ("from tinygrad_mlp.core import nothing", "cannot import name 'nothing'"),
    ],
)
def test_an_import_that_fails_says_what_is_nearest(code: str, message: str) -> None:
    with pytest.raises(ImportError, match=message):
        exec(code, {})


def test_inference_mode_decorates_with_and_without_parentheses() -> None:
    w = tg.ones(2, requires_grad=True)
    assert not tg.inference_mode(lambda: (w * 2).requires_grad)()
    assert not tg.inference_mode()(lambda: (w * 2).requires_grad)()
    assert tg.inference_mode(False)(lambda: (w * 2).requires_grad)()


def test_a_norm_of_zero_has_a_gradient_of_zero() -> None:
    x = tg.zeros(3, requires_grad=True)
    x.norm().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0, 0, 0]


def test_a_standard_deviation_of_zero_has_a_gradient_of_zero() -> None:
    x = tg.tensor([[2.0, 2.0], [1.0, 3.0]], requires_grad=True)
    (slope,) = tg.grad(x.std(1, correction=0).sum(), x, create_graph=True)
    assert slope.tolist() == [[0, 0], [-0.5, 0.5]]
    # Of two values it is half of their distance, which is straight.
    assert tg.grad(slope[:, 0].sum(), x)[0].tolist() == [[0, 0], [0, 0]]


def test_what_fills_takes_on_the_dtype() -> None:
    mask = tg.tensor([True, False])
    assert tg.tensor([1, 2**24 + 1]).masked_fill(mask, 2.5).tolist() == [2, 2**24 + 1]
    assert tg.tensor([1, 2]).masked_fill(mask, tg.tensor(2.5)).tolist() == [2, 2]
    assert repr(mask.masked_fill(mask, 0)) == "tensor([False, False])"
    for made in (mask.diag(), mask.diag().tril(), mask.diag().triu()):
        assert repr(made) == "tensor([[ True, False],\n        [False, False]])"


def test_any_and_all_over_axes() -> None:
    x = tg.tensor([[0.0, 2.0], [0.0, 0.0]])
    assert x.any(0).tolist() == [False, True]
    assert tg.any(x, dim=1, keepdim=True).tolist() == [[True], [False]]
    assert x.any((0, 1)).item() is True
    assert (x + 1).all(1).tolist() == [True, True]
    assert tg.ones(2, 0).all(1).tolist() == [True, True]
    assert tg.ones(0, 2).any(0, keepdims=True).tolist() == [[False, False]]


def test_of_no_entries_and_of_no_axes() -> None:
    x = tg.ones(0, 2, requires_grad=True)
    assert x.logsumexp(0).tolist() == [-np.inf, -np.inf]
    assert x.logsumexp(1, keepdim=True).shape == (0, 1)
    assert tg.grad(x.logsumexp(0).sum(), x)[0].shape == (0, 2)
    one = tg.tensor(3.0)
    assert [part.shape for part in one.topk(1)] == [(), ()]
    assert repr(one.gather(0, tg.tensor(0))) == "tensor(3.)"


def test_cat_takes_an_empty_vector_for_nothing() -> None:
    nothing = tg.zeros(0, requires_grad=True)
    for axis in (0, 1, -1):
        joined = tg.cat([nothing, tg.ones(2, 3), nothing], axis)
        assert joined.tolist() == [[1] * 3] * 2
        assert tg.grad(joined.sum(), nothing)[0].shape == (0,)


def test_one_entry_fits_a_part_of_one_entry() -> None:
    x = tg.zeros(3, requires_grad=True)
    y = x * 1
    v = tg.tensor([[5.0]], requires_grad=True)
    y[1] = v
    (y * y).sum().backward()
    assert x.grad is not None
    assert v.grad is not None
    assert (y.tolist(), x.grad.tolist(), v.grad.tolist()) == ([0, 5, 0], [0, 0, 0], [[10]])
    z = tg.zeros(3)
    z[1] = tg.tensor([7.0])
    assert z.tolist() == [0, 7, 0]


def test_what_is_converted_shows_what_made_it() -> None:
    x = tg.ones(2, requires_grad=True)
    y = x * 2
    y += tg.ones(2, dtype=tg.float64)
    assert repr(y) == "tensor([3., 3.], grad_fn=<AddBackward0>)"
    assert repr(x.half().mean()) == "tensor(1., dtype=torch.float16, grad_fn=<MeanBackward0>)"
    assert "<MeanBackward1>" in repr(x.half().mean(0))


class Twice(tg.autograd.Function):
    returns: Any = None

    @staticmethod
    def forward(ctx: Any, x: Any, by: float) -> Any:
        return x * by if Twice.returns != "list" else [x]

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return {"one": g, "array": (g.numpy(), None), "none": (None, None)}.get(Twice.returns)


@pytest.mark.parametrize(
    ("returns", "error", "message"),
    [
        ("list", TypeError, r"Twice: forward must return one Tensor, not list; .* cat\(\)"),
        ("one", RuntimeError, "for each of 2 arguments of forward, and returned 1"),
        ("array", TypeError, "Twice: backward must return Tensors or None, not ndarray"),
    ],
)
def test_a_function_that_is_wrong(
    returns: str, error: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Twice, "returns", returns)
    x = tg.ones(2, requires_grad=True)
    with pytest.raises(error, match=message):
        Twice.apply(x, 2.0).sum().backward()
    assert x.grad is None


def test_none_from_a_function_is_a_gradient_of_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Twice, "returns", "none")
    x = tg.ones(2, requires_grad=True)
    Twice.apply(x, 2.0).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0, 0]


def test_a_function_is_not_compiled() -> None:
    step = tg.compile(lambda x: Twice.apply(x, 2.0).sum())
    with pytest.raises(RuntimeError, match=r"Twice: .* make it with op\(\)"):
        step(np.ones(2))


def test_what_was_a_view_keeps_the_memory_that_its_source_left() -> None:
    x = tg.zeros(2, 2)
    row, other = x[0], tg.ones(2, 2)
    x.data = other
    row += 5
    other += 1
    assert row.tolist() == [5, 5]
    assert x.tolist() == [[2, 2], [2, 2]]


def test_data_may_come_back_to_the_memory_that_it_left() -> None:
    x = tg.zeros(3)
    old = x.detach()
    x.data = tg.ones(3)
    x.data = old
    x += 2
    assert old.tolist() == x.tolist() == [2, 2, 2]
    row = tg.zeros(2, 3)
    first, second = row[0], row[1]
    first.data = second
    first += 1
    assert row.tolist() == [[0, 0, 0], [1, 1, 1]]


def test_what_overlaps_is_copied_only_where_the_order_does_not_matter() -> None:
    x = tg.arange(6.0).reshape(2, 3)
    x.copy_(x)
    x[:, 0] = x[:, 1]
    assert x.tolist() == [[1, 1, 2], [4, 4, 5]]
    x[:] = x[0]
    assert x.tolist() == [[1, 1, 2], [1, 1, 2]]
    x[0] = tg.tensor([0.0, 3.0, 2.0])
    square = x[:, :2]
    with pytest.raises(RuntimeError, match=r"copy_: .* clone\(\) the value"):
        square.copy_(square.t())
    with pytest.raises(RuntimeError, match=r"setitem: .* clone\(\) the value"):
        x[0, 1:] = x[0, :-1]
    with pytest.raises(RuntimeError, match=r"setitem: .* clone\(\) the value"):
        x[0, 1:] = x[None, None, 0, :-1]
    x[0, 1:] = x[0, :-1].clone()
    assert x.tolist() == [[0, 0, 3], [1, 1, 2]]
