"""The options of optimisers, and optimisers of somebody's own, which have others."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp import optim


def parameters(dtype: str = "float64") -> list[tg.Tensor]:
    arrays = [np.array([1.0, -2.0], dtype), np.array([[0.5]], dtype)]
    return [tg.tensor(a, requires_grad=True) for a in arrays]


def loss(params: list[tg.Tensor]) -> tg.Tensor:
    return sum(((p**2).sum() * (i + 1) for i, p in enumerate(params)), tg.tensor(0.0))


def steps(params: list[tg.Tensor], optimiser: optim.Optimizer, n: int) -> None:
    for _ in range(n):
        optimiser.zero_grad()
        loss(params).backward()
        optimiser.step()


WRONG = ["0.1", b"0.1", None, [0.1], 1j, {}]


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *((optim.SGD, n) for n in ("lr", "momentum", "dampening", "weight_decay")),
        *((k, n) for k in (optim.Adam, optim.AdamW) for n in ("lr", "eps", "weight_decay")),
    ],
)
def test_an_option_that_is_no_number_is_refused(kind: Any, name: str, wrong: Any) -> None:
    w = tg.ones(2, requires_grad=True)
    says = rf"{kind.__name__}: {name} is a number, not .*; convert it first, with float\(\)"
    with pytest.raises(TypeError, match=says):
        kind([w], **{name: wrong})
    with pytest.raises(TypeError, match=says):
        kind([{"params": [w], name: wrong}])
    # It may come later too.
    optimiser = kind([w])
    state = optimiser.state_dict()
    state["param_groups"][0][name] = wrong
    with pytest.raises(TypeError, match=says):
        optimiser.load_state_dict(state)
    optimiser.param_groups[0][name] = wrong
    w.grad = tg.ones(2)
    with pytest.raises(TypeError, match=says):
        optimiser.step()
    with pytest.raises(TypeError, match=says):
        tg.compile(lambda: w.sum(), optimizer=optimiser)()
    assert w.tolist() == [1, 1]


@pytest.mark.parametrize("wrong", [*WRONG, 0.9, (0.9, "0.999"), (None, 0.5), "ab"], ids=repr)
def test_betas_that_are_no_numbers_are_refused(wrong: Any) -> None:
    error = ValueError if wrong in ({}, [0.1], b"0.1") else TypeError
    with pytest.raises(error, match="Adam: betas are two numbers"):
        optim.Adam([tg.ones(2, requires_grad=True)], betas=wrong)


@pytest.mark.parametrize(
    ("kind", "name"), [(optim.SGD, "nesterov"), (optim.SGD, "maximize"), (optim.Adam, "amsgrad")]
)
def test_a_word_is_no_flag(kind: Any, name: str) -> None:
    with pytest.raises(TypeError, match=f"{name} is True or False, not 'no'"):
        kind([tg.ones(2, requires_grad=True)], **{name: "no"})


NUMBERS: dict[str, Callable[[float], Any]] = {
    "Tensor": tg.tensor,
    "Tensor with an axis": lambda x: tg.tensor([x]),
    "Tensor with grad": lambda x: tg.tensor(x, requires_grad=True),
    "array": np.array,
    "scalar": np.float64,
    "float32": np.float32,
}
OPTIONS: list[tuple[Any, dict[str, Any]]] = [
    (optim.SGD, {"lr": 0.25, "momentum": 0.5, "dampening": 0.25, "weight_decay": 0.125}),
    (optim.Adam, {"lr": 0.25, "betas": (0.5, 0.75), "eps": 0.125, "weight_decay": 0.5}),
    (optim.AdamW, {"lr": 0.25, "betas": (0.5, 0.75), "eps": 0.125, "weight_decay": 0.5}),
]


@pytest.mark.parametrize("form", NUMBERS)
@pytest.mark.parametrize(("kind", "options"), OPTIONS)
def test_a_number_may_come_in_any_form(kind: Any, options: dict[str, Any], form: str) -> None:
    """To the same digits and of the same dtype; steps that are compiled, too."""
    make = NUMBERS[form]
    formed = {k: tuple(map(make, v)) if k == "betas" else make(v) for k, v in options.items()}
    found = []
    for given in (options, formed):
        for dtype in ("float32", "float64"):
            params = parameters(dtype)
            optimiser = kind(params, **given)
            steps(params, optimiser, 3)
            step = tg.compile(lambda params=params: loss(params), optimizer=optimiser)
            step()
            arrays = [v for kept in optimiser.state.values() for v in kept.values()]
            digits = [(np.asarray(a).dtype, np.asarray(a).tolist()) for a in arrays]
            found.append([[(p.dtype, p.tolist()) for p in params], digits])
    assert found[:2] == found[2:]


def test_an_option_is_one_number() -> None:
    for several in (tg.tensor([0.1, 0.2]), np.ones(2), tg.zeros(0)):
        with pytest.raises(ValueError, match="SGD: lr is one number, not several, of shape"):
            optim.SGD(parameters(), lr=several)


# Optimisers of somebody's own.


class Momentum(optim.Optimizer):
    """As it may be written under PyTorch, with options that no other has."""

    def __init__(self, params: Any, rate: float = 0.5, how: str = "plain") -> None:
        super().__init__(params, {"rate": rate, "how": how})

    @tg.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if len(state) == 0:
                    state["n"], state["mean"] = 0, tg.zeros_like(p)
                state["n"] += 1
                state["mean"].mul_(0.5).add_(p.grad)
                p.add_(state["mean"], alpha=-group["rate"])


def test_an_optimiser_of_ones_own_has_its_own_options_and_state() -> None:
    params = parameters()
    optimiser = Momentum([{"params": params[:1], "rate": 0.25}, {"params": params[1:]}])
    steps(params, optimiser, 1)
    assert [p.tolist() for p in params] == [[0.5, -1.0], [[-0.5]]]
    assert "how: plain\n    rate: 0.25\n" in repr(optimiser)
    state = optimiser.state_dict()
    heirs = [tg.tensor(p.tolist(), dtype="float64", requires_grad=True) for p in params]
    heir = Momentum([{"params": heirs[:1]}, {"params": heirs[1:]}])
    heir.load_state_dict(state)
    assert heir.param_groups[0]["rate"] == 0.25
    for _ in range(2):
        steps(params, optimiser, 1)
        steps(heirs, heir, 1)
    assert [p.tolist() for p in heirs] == [p.tolist() for p in params]
    assert optimiser.state[params[0]]["n"] == heir.state[heirs[0]]["n"] == 3
    # What was saved is a copy of what was there.
    assert state["state"][0]["n"] == 1
    assert state["state"][0]["mean"].tolist() == [2.0, -4.0]
    assert state["param_groups"][0]["how"] == "plain"


def test_state_of_ones_own_takes_the_dtype_of_its_parameter() -> None:
    one, two = parameters(), parameters("float32")
    optimiser, heir = Momentum(one), Momentum(two)
    steps(one, optimiser, 1)
    heir.load_state_dict(optimiser.state_dict())
    assert heir.state[two[0]]["mean"].dtype == np.float32
    steps(two, heir, 1)
    assert two[0].dtype == np.float32


def test_an_optimiser_of_ones_own_may_have_no_options_at_all() -> None:
    class Halves(optim.Optimizer):
        def __init__(self, params: Any) -> None:
            super().__init__(params, {})

        def updated(self, group: Any, p: Any, g: Any, state: Any, t: Any) -> Any:
            return p - g / 2, {"sum": state.get("sum", 0) + g.sum(), "step": t}

    params = parameters()
    optimiser = Halves(params)
    steps(params, optimiser, 2)
    assert params[0].tolist() == [0.0, 0.0]
    (kept,) = [optimiser.state[p] for p in params[:1]]
    assert (kept["step"], kept["sum"].tolist()) == (2, -2.0)
    heir = Halves(parameters())
    heir.load_state_dict(optimiser.state_dict())
    assert heir.state_dict()["state"][0]["sum"].tolist() == -2.0
    with pytest.raises(TypeError, match="more is not an option"):
        optimiser.add_param_group({"params": [tg.ones(1)], "more": 1})


@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam])
def test_what_is_kept_of_a_parameter_without_axes_is_an_array(kind: Any) -> None:
    """Else a compiled step would not find it; NumPy makes bare numbers of such arrays."""
    found = []
    for compiled in (False, True):
        p = tg.tensor(2.0, requires_grad=True)
        options = {"momentum": 0.5} if kind is optim.SGD else {}
        optimiser = kind([p], lr=0.25, **options)
        for _ in range(2):
            p.grad = tg.tensor(1.0)
            optimiser.step()
        arrays = [v for k, v in optimiser.state[p].items() if k != "step"]
        assert all(type(v) is np.ndarray and v.shape == () for v in arrays)
        if compiled:
            tg.compile(lambda p=p: p * 1, optimizer=optimiser)()
        else:
            optimiser.step()
        found.append(p.item())
    assert found[0] == pytest.approx(found[1], rel=1e-6)
