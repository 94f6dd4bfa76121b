"""Modules: how they find their parts, what they save and load, and what their losses give."""

import copy
import pickle
import warnings
from collections.abc import Callable
from operator import attrgetter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import value

import tinygrad_mlp as tg
from tinygrad_mlp import nn
from tinygrad_mlp.nn import functional
from tinygrad_mlp.torch.nearest import MODULES


class Net(nn.Module):
    """Parts of every kind, at two depths, one of them twice."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(tg.tensor([2.0, 3.0]))
        self.layers = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2))
        self.again = self.layers[0]
        self.register_buffer("count", tg.tensor([1, 2]))
        self.plain = tg.tensor([5.0], requires_grad=True)
        self.number = 7

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        return self.layers(x) * self.scale


NAMES = ["scale", "layers.0.weight", "layers.0.bias", "layers.2.weight", "layers.2.bias"]


def arrays(module: nn.Module) -> dict[str, np.ndarray]:
    return {name: value(t).copy() for name, t in module.state_dict().items()}


def test_parts_are_found_by_their_attributes_each_once() -> None:
    net = Net()
    assert [name for name, _ in net.named_parameters()] == NAMES
    assert all(isinstance(p, nn.Parameter) and p.requires_grad for p in net.parameters())
    assert [name for name, _ in net.named_parameters(recurse=False)] == ["scale"]
    assert [name for name, _ in net.named_buffers()] == ["count"]
    assert [name for name, _ in net.named_modules()] == [
        "", "layers", "layers.0", "layers.1", "layers.2",
    ]  # fmt: skip
    assert [name for name, _ in net.named_children()] == ["layers", "again"]
    # A state has both names of what is there twice, as in PyTorch.
    twice = ["again.weight", "again.bias"]
    assert list(net.state_dict()) == ["scale", "count", *NAMES[1:], *twice]


def test_attributes_can_be_replaced_and_removed() -> None:
    net = Net()
    net.scale = nn.Parameter(tg.tensor([1.0]))
    assert value(net.scale).tolist() == [1.0]
    with pytest.raises(TypeError, match=r"Net.scale is a Parameter .* assign nn.Parameter"):
        net.scale = tg.tensor([1.0])
    net.scale = None
    assert [name for name, _ in net.named_parameters()] == NAMES[1:]
    net.number = nn.ReLU()
    assert "number" in dict(net.named_children())
    net.count = tg.tensor([9])
    assert value(dict(net.named_buffers())["count"]).tolist() == [9]
    net.count = nn.Parameter(tg.tensor([9.0]))
    assert not list(net.buffers())
    assert "count" in dict(net.named_parameters())
    del net.count, net.again
    assert not hasattr(net, "count")
    assert {"layers", "scale", "training"} <= set(dir(net))


def test_a_name_that_is_not_there_is_met_with_the_nearest() -> None:
    net = Net()
    with pytest.raises(AttributeError, match="Net has no 'layer'; the nearest there is: layers"):
        _ = net.layer
    assert not hasattr(net, "__array__")
    assert not hasattr(net, "quite_something_else")

    class Forgetful(nn.Module):
        def __init__(self) -> None:
            self.layer = nn.Linear(1, 1)

    with pytest.raises(AttributeError, match=r"call super\(\).__init__\(\) before"):
        Forgetful()
    with pytest.raises(NotImplementedError, match="Module has no forward"):
        nn.Module()(1)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: m.add_module("a.b", nn.ReLU()), KeyError, "no dot"),
        (lambda m: m.add_module("", nn.ReLU()), KeyError, "not empty"),
        (lambda m: m.add_module("number", nn.ReLU()), KeyError, "already"),
        (lambda m: m.add_module("parameters", nn.ReLU()), KeyError, "already"),
        (lambda m: m.add_module("x", 3), TypeError, "a Module, not int"),
        (lambda m: m.register_buffer("x", 3), TypeError, "a Tensor, not int"),
        (lambda m: m.register_parameter("x", tg.zeros(1)), TypeError, r"nn.Parameter\(…\)"),
        (lambda m: m.to("int64"), TypeError, "a float dtype, not int64"),
        (lambda m: m(tg.zeros(4, 3)), ValueError, r"linear: .* \(4, 3\) .* \(3, 2\) do not fit"),
        (lambda m: nn.MSELoss(reduction="average"), ValueError, "'average' is not one of none"),
        (lambda m: nn.Linear(-1, 2), ValueError, "negative"),
        (
            lambda m: nn.Linear(1, 2, device="cuda"),
            RuntimeError,
            "no 'cuda' here",
        ),
        (lambda m: m.to("cuda"), RuntimeError, "no 'cuda' here"),
        (lambda m: nn.MSELoss("sum"), TypeError, "positional"),
        (lambda m: functional.mse_loss(tg.ones(1), tg.ones(1), "sum"), TypeError, "positional"),
        (lambda m: m.layers[3], IndexError, "there is no Module 3 among 3"),
        (lambda m: nn.Parameter([1, 2]), TypeError, "float dtype"),
    ],
)
def test_bad_input(call: Callable[[nn.Module], Any], error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        call(Net())


def test_sequential_is_a_list() -> None:
    net = nn.Sequential(nn.Linear(1, 2), nn.ReLU()).append(nn.Linear(2, 1))
    assert len(net) == 3
    assert isinstance(net[-1], nn.Linear)
    assert list(net) == [net[0], net[1], net[2]]
    assert list(net[1:]) == [net[1], net[2]]
    assert nn.Sequential(net[0])(tg.ones(1)).shape == (2,)
    named = nn.Sequential({"first": net[0], "then": net[1]})
    assert [name for name, _ in named.named_parameters()] == ["first.weight", "first.bias"]


def test_train_eval_and_apply_reach_all() -> None:
    net = Net()
    assert net.eval() is net
    assert not any(module.training for module in net.modules())
    net.layers.train()
    assert (net.training, net.layers[0].training) == (False, True)
    seen: list[str] = []
    net.apply(lambda module: seen.append(type(module).__name__))
    assert seen == ["Linear", "Tanh", "Linear", "Sequential", "Linear", "Net"]
    net.requires_grad_(False)
    assert not any(p.requires_grad for p in net.parameters())
    assert len(list(net.parameters())) == len(NAMES)


def test_zero_grad() -> None:
    net = Net()
    net(tg.ones(4, 2)).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    gradient = net.scale.grad
    net.zero_grad(set_to_none=False)
    assert net.scale.grad is gradient
    assert not any(value(p.grad).any() for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_dtype_changes_with_the_gradients() -> None:
    net = Net()
    net(tg.ones(4, 2)).sum().backward()
    before = [value(p.grad) for p in net.parameters()]
    assert net.double() is net
    assert {p.dtype for p in net.parameters()} == {np.dtype("f8")}
    assert net.count.dtype == np.int64
    for p, g in zip(net.parameters(), before, strict=True):
        assert value(p.grad).dtype == np.float64
        np.testing.assert_array_equal(value(p.grad), g)
    assert net(tg.ones(4, 2).double()).dtype == np.float64
    assert net.float()(tg.ones(4, 2)).dtype == np.float32


def test_copies_are_networks_of_their_own() -> None:
    net = Net()
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert [name for name, _ in twin.named_parameters()] == NAMES
        assert all(isinstance(p, nn.Parameter) for p in twin.parameters())
        assert twin.again is twin.layers[0]
        with tg.no_grad():
            twin.scale.zero_()
        assert value(net.scale).all()


def test_printed_form() -> None:
    assert repr(nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.Sigmoid(), nn.Softmax(1)))) == (
        "Sequential(\n"
        "  (0): Linear(in_features=2, out_features=3, bias=True)\n"
        "  (1): Sequential(\n"
        "    (0): Sigmoid()\n"
        "    (1): Softmax(dim=1)\n"
        "  )\n"
        ")"
    )


# State.


def test_a_state_is_loaded_in_full() -> None:
    tg.manual_seed(1)
    one, two = Net(), Net()
    assert two.load_state_dict(one.state_dict()) == ([], [])
    for name, array in arrays(one).items():
        np.testing.assert_array_equal(arrays(two)[name], array)
    # A copy: the one does not follow the other.
    with tg.no_grad():
        one.scale.zero_()
    assert value(two.scale).all()
    assert all(p.is_leaf and p.requires_grad for p in two.parameters())
    # In the dtype that is there, from arrays too.
    two.double().load_state_dict(arrays(one))
    assert two.scale.dtype == np.float64


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("layers.2.bias"), "layers.2.bias is missing"),
        (lambda s: s.update(more=tg.zeros(1)), "more is not a name in this Module"),
        (lambda s: s.update({"layers.2.bias": tg.zeros(3)}), r"has the shape \(3,\); \(2,\) is"),
        (lambda s: s.update({"layers.2.bias": [0, 0]}), "an array is needed, not list"),
        (lambda s: s.update({"layers.2.bias": np.array(["a", "b"])}), "dtype <U1"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(
    change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    net = Net()
    before = arrays(net)
    state: dict[str, Any] = {k: v + 1 for k, v in arrays(net).items()}
    change(state)
    with pytest.raises(RuntimeError, match=message):
        net.load_state_dict(state)
    for name, array in arrays(net).items():
        np.testing.assert_array_equal(array, before[name])


def test_what_does_not_fit_is_listed_in_full() -> None:
    with pytest.raises(RuntimeError) as failure:
        nn.Linear(2, 1).load_state_dict({"weight": tg.zeros(3, 1), "biass": tg.zeros(1)})
    lines = str(failure.value).splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["bias", "biass", "weight"]


def test_without_strict_what_has_no_counterpart_is_left_out() -> None:
    net = nn.Linear(2, 1)
    found = net.load_state_dict({"weight": tg.ones(1, 2), "more": tg.zeros(1)}, strict=False)
    assert found.missing_keys == ["bias"]
    assert found.unexpected_keys == ["more"]
    assert value(net.weight).tolist() == [[1, 1]]


def test_a_state_shares_the_values_of_the_network_as_in_pytorch() -> None:
    net = nn.Linear(2, 1)
    state = net.state_dict()
    kept = {name: t.clone() for name, t in state.items()}
    net(tg.ones(2)).sum().backward()
    tg.optim.SGD(net.parameters(), lr=1.0).step()
    for name, p in net.named_parameters():
        np.testing.assert_array_equal(value(state[name]), value(p))
        np.testing.assert_array_equal(value(kept[name]) - 1, value(p))
    net.load_state_dict(kept)
    net.load_state_dict(state)  # which is its own by now
    for name, p in net.named_parameters():
        np.testing.assert_array_equal(value(kept[name]), value(p))


# Parameters, which are Tensors.


def test_a_parameter_is_a_tensor_with_a_mark() -> None:
    p = nn.Parameter([1.0, 2.0])
    assert type(p) is tg.Tensor
    assert isinstance(p, nn.Parameter)
    assert not isinstance(p * 1, nn.Parameter)
    assert not isinstance(tg.tensor(1.0, requires_grad=True), nn.Parameter)
    assert not isinstance(3, nn.Parameter)
    frozen = nn.Parameter(tg.tensor([1.0]), requires_grad=False)
    assert isinstance(frozen, nn.Parameter)
    assert not frozen.requires_grad


def test_a_parameter_shares_the_values_of_its_data() -> None:
    data = tg.ones(2)
    p = nn.Parameter(data)
    with tg.no_grad():
        p += 1
    assert data.tolist() == [2, 2]
    array = np.ones(2)
    q = nn.Parameter(array)
    array[0] = 5
    assert value(q).tolist() == [1, 1]


# Losses, at values known by hand.


def test_losses_at_known_values() -> None:
    x, y = tg.tensor([[1.0, 2.0], [3.0, 5.0]]), tg.tensor([[1.0, 1.0], [1.0, 1.0]])
    assert nn.MSELoss(reduction="none")(x, y).tolist() == [[0, 1], [4, 16]]
    assert nn.MSELoss(reduction="sum")(x, y).item() == 21
    assert nn.MSELoss()(x, y).item() == 5.25
    half = np.log(2)
    logits, classes = tg.zeros(2, 4).double(), tg.tensor([0, 3])
    assert nn.CrossEntropyLoss()(logits, classes).item() == pytest.approx(2 * half, rel=1e-15)
    each = nn.CrossEntropyLoss(reduction="none")(logits, classes)
    np.testing.assert_allclose(value(each), 2 * half, 1e-15)
    binary = nn.BCEWithLogitsLoss(reduction="sum")(tg.zeros(3).double(), tg.tensor([0.0, 0.5, 1]))
    assert binary.item() == pytest.approx(3 * half, rel=1e-15)


@given(x=st.floats(-700, 700), y=st.sampled_from([0.0, 1.0]))
def test_bce_is_accurate_where_the_answer_is_right(x: float, y: float) -> None:
    """Against log1p and exp of the side that does not cancel."""
    logit = tg.tensor(np.array(x), requires_grad=True)
    loss = functional.binary_cross_entropy_with_logits(logit, tg.tensor(np.array(y)))
    wrong = x if y == 0 else -x
    expected = np.log1p(np.exp(-abs(wrong))) + max(wrong, 0)
    np.testing.assert_allclose(loss.item(), expected, 1e-14)
    loss.backward()
    slope = (1 - 2 * y) / (1 + np.exp(-wrong))
    np.testing.assert_allclose(value(logit.grad), slope, 1e-13, 1e-16 if wrong > 0 else 0)


@given(
    logits=st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=2, max_size=5),
    place=st.integers(0, 1),
)
def test_losses_and_their_gradients_are_finite(logits: list[float], place: int) -> None:
    x = tg.tensor([logits], requires_grad=True)
    nn.CrossEntropyLoss()(x, tg.tensor([place])).backward()
    y = tg.tensor(logits, requires_grad=True)
    targets = tg.tensor([float(place)] * len(logits))
    loss = nn.BCEWithLogitsLoss(reduction="none")(y, targets)
    loss.backward(tg.ones(len(logits)))
    for tensor in (x.grad, y.grad, loss):
        assert np.isfinite(value(tensor)).all()
    assert np.abs(value(x.grad)).max() <= 1


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda f: f(tg.zeros(2, 3), tg.tensor([0, 3])), IndexError, "class 3 is not one of 3"),
        (lambda f: f(tg.zeros(2, 3), tg.tensor([0, -1])), IndexError, "class -1"),
        (lambda f: f(tg.zeros(2, 3), tg.tensor([[0], [1]])), ValueError, r"shape \(2, 1\)"),
        (lambda f: f(tg.zeros(2, 3), tg.zeros(2)), ValueError, r"probabilities of shape \(2,\)"),
        (lambda f: f(tg.zeros(2, 3), tg.tensor([True, False])), TypeError, "not bool"),
        (lambda f: f(tg.zeros(()), tg.tensor(0)), ValueError, "logits of shape"),
        (lambda f: f(tg.zeros(1, 3), tg.tensor([0]), tg.ones(2)), ValueError, "for 3 classes"),
        (lambda f: f(tg.zeros(1, 3), tg.tensor([0]), label_smoothing=2), ValueError, "0 to 1"),
        (lambda f: f(tg.zeros(1, 3), tg.zeros(1, 3), ignore_index=1), ValueError, "ignore_index"),
        (lambda f: f(tg.zeros(3), tg.tensor(0), ignore_index="1"), TypeError, "ignore_index is a"),
        (lambda f: f(tg.zeros(3), tg.tensor(0), ignore_index=None), TypeError, "ignore_index is a"),
        (
            lambda f: f(tg.zeros(3), tg.tensor(0), label_smoothing="1"),
            TypeError,
            "is a number, not",
        ),
        (lambda f: f([0.0], tg.tensor(0)), TypeError, r"cross_entropy: .* make one with tensor\("),
        (lambda f: f(tg.zeros(1, 3), [0]), TypeError, r"cross_entropy: .* make one with tensor\("),
        (lambda f: f(tg.zeros(2), tg.tensor(0), [1, 1]), TypeError, "a Tensor, .* not list"),
    ],
)
def test_cross_entropy_refuses(call: Callable[[Any], Any], error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        call(functional.cross_entropy)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: functional.linear(x, tg.ones(1, 2)),
        functional.logsigmoid,
        lambda x: functional.mse_loss(tg.ones(2), x),
        lambda x: functional.mse_loss(x, tg.ones(2)),
        lambda x: functional.binary_cross_entropy_with_logits(tg.ones(2), x),
        lambda x: functional.binary_cross_entropy_with_logits(tg.ones(2), tg.ones(2), x),
        lambda x: functional.binary_cross_entropy_with_logits(tg.ones(2), tg.ones(2), pos_weight=x),
        lambda x: functional.cross_entropy(x, tg.tensor(0)),
        lambda x: functional.cross_entropy(tg.ones(2), tg.tensor(0), x),
    ],
)
def test_an_array_may_stand_for_a_tensor_and_a_list_may_not(call: Callable[[Any], Any]) -> None:
    array = np.array([0.5, 1.0], np.float32)
    assert call(array).tolist() == call(tg.tensor(array)).tolist()
    with pytest.raises(TypeError, match=r"a Tensor, an array or a number is needed, not list"):
        call([0.5, 1.0])


def test_losses_that_broadcast_warn_or_refuse() -> None:
    with pytest.warns(UserWarning, match=r"shape \(2,\) is not the input's, \(2, 1\)"):
        functional.mse_loss(tg.ones(2, 1), tg.ones(2))
    with pytest.raises(ValueError, match=r"shape \(2,\) must be the input's, \(2, 1\)"):
        functional.binary_cross_entropy_with_logits(tg.ones(2, 1), tg.ones(2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        functional.mse_loss(tg.ones(2, 1), tg.ones(2, 1))


# Names.


@pytest.mark.parametrize(
    ("module", "name", "message"),
    [
        (nn, "Conv2d", "nn has no 'Conv2d'; the nearest there is: Linear"),
        (nn, "Lineer", "the nearest there is: Linear"),
        (nn, "NLLLoss", "the nearest there is: CrossEntropyLoss, which takes logits"),
        (functional, "l1_loss", "nn.functional has no 'l1_loss'; the nearest there is: mse_loss"),
        (tg.optim, "RMSprop", "optim has no 'RMSprop'; the nearest there is: Adam"),
        (tg.optim.lr_scheduler, "MultiStepLR", "lr_scheduler has no .* StepLR"),
    ],
)
def test_a_name_of_pytorchs_that_is_not_here_is_met_with_the_nearest(
    module: Any, name: str, message: str
) -> None:
    with pytest.raises(AttributeError, match=message):
        getattr(module, name)


@pytest.mark.parametrize("place", MODULES)
def test_what_is_named_as_nearest_is_there(place: str) -> None:
    module: Any = attrgetter(place)(tg)
    nearest, patterns = MODULES[place]
    assert not [name for name in nearest if hasattr(module, name)]
    for near in (*nearest.values(), *(near for _, near in patterns)):
        for word in near.partition(", ")[0].split(", "):
            known = hasattr(module, word.partition(".")[0])
            assert known or " " in word or "(" in word or word.startswith("p."), word


def test_devices_and_dtypes_are_told_apart() -> None:
    net = nn.Linear(2, 1)
    assert net.to("cpu").cpu().weight.dtype == np.float32
    assert net.to("float64").weight.dtype == np.float64
    assert net.to("cpu", np.float32).weight.dtype == np.float32
    assert net.to(device="cpu", dtype=tg.float64).weight.dtype == np.float64
    assert net.half().weight.dtype == np.float16


def test_modules_of_a_sequential_can_be_exchanged() -> None:
    net = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 1))
    net[1] = nn.Tanh()
    assert isinstance(net[1], nn.Tanh)
    del net[-2]
    assert [name for name, _ in net.named_parameters()][2:] == ["1.weight", "1.bias"]
    assert len(net.extend([nn.ReLU(), nn.ReLU()])) == 4


def test_a_layer_without_inputs_starts_with_a_bias_of_zeros() -> None:
    assert value(nn.Linear(0, 2).bias).tolist() == [0, 0]
