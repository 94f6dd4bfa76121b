"""A user at random against a model that is slow and obviously right.

The rules are what people do with Tensors, in any order: build, reuse, detach, name, change in
place, enter and leave no_grad, write into the arrays they gave and got, go back once or twice,
keep the graph or not, delete, pickle, use threads. The model is plain NumPy: it keeps for each
value its whole Jacobian for every leaf, computed forwards by the chain rule, and which steps a walk
back would go through. From that it knows each gradient, or that there has to be an exception.
"""

import copy
import pickle
import threading
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
)

import tinygrad_mlp as tg

N = 3  # entries of every value, and so Jacobians are 3×3
COUNT = {"rules": 0}


@dataclass(eq=False)
class Step:
    """An op that was recorded: the steps that a walk back from it goes on to."""

    sources: list["Step"]
    released: bool = False

    def all(self) -> list["Step"]:
        found = [self]
        for step in found:
            found += [s for s in step.sources if s not in found]
        return found


@dataclass(eq=False)
class Leaf:
    """What a leaf is to the model: where gradients accumulate."""

    grad: np.ndarray | None = None


@dataclass(eq=False)
class Value:
    """A Tensor beside what the model knows of it."""

    tensor: tg.Tensor
    memory: list[np.ndarray]  # its value, in a place that Tensors may share, as those detached do
    # The Jacobian for each leaf that it depends on, and the steps back, where it is on the tape.
    slopes: dict[Leaf, np.ndarray] = field(default_factory=dict)
    step: Step | None = None
    leaf: Leaf | None = None

    @property
    def array(self) -> np.ndarray:
        return self.memory[0]

    @array.setter
    def array(self, array: np.ndarray) -> None:
        self.memory[0] = array

    @property
    def on_tape(self) -> bool:
        return self.leaf is not None or self.step is not None


# Each op with its derivatives, entry by entry, which stay moderate however they are nested.
UNARY: dict[str, Any] = {
    "sin": (np.sin, np.cos),
    "cos": (np.cos, lambda x: -np.sin(x)),
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), lambda x: np.exp(-x) / (1 + np.exp(-x)) ** 2),
    "neg": (np.negative, lambda x: -np.ones_like(x)),
}
BINARY: dict[str, Any] = {
    "add": (np.add, lambda x, y: np.ones(N), lambda x, y: np.ones(N)),
    "sub": (np.subtract, lambda x, y: np.ones(N), lambda x, y: -np.ones(N)),
    "mul": (np.multiply, lambda x, y: y, lambda x, y: x),
}
ORDER = [2, 0, 1]  # as x[ORDER] takes entries, in another order than they are in
numbers = st.lists(st.integers(-8, 8).map(lambda n: n / 4), min_size=N, max_size=N).map(np.array)


class User(RuleBasedStateMachine):
    """The rules; ``values`` are all Tensors that there are."""

    values = Bundle("values")

    def __init__(self) -> None:
        super().__init__()
        self.recording = [True]
        self.contexts: list[Any] = []
        self.alive: list[Value] = []

    def teardown(self) -> None:
        while self.contexts:
            self.contexts.pop().__exit__(None, None, None)

    def made(self, value: Value) -> Value:
        self.alive.append(value)
        if not value.on_tape:
            value.slopes = {}
        return value

    def result(self, tensor: tg.Tensor, array: np.ndarray, *parts: tuple[Value, Any]) -> Value:
        """What an op made of some values, for each of which its Jacobian is given."""
        value = Value(tensor, [array])
        if self.recording[-1] and any(x.on_tape for x, _ in parts):
            value.step = Step([x.step for x, _ in parts if x.step is not None])
            for x, jacobian in parts:
                for leaf, slope in x.slopes.items():
                    value.slopes[leaf] = value.slopes.get(leaf, 0) + jacobian @ slope
        return self.made(value)

    # Building.

    @initialize(target=values, array=numbers)
    def first(self, array: np.ndarray) -> Value:
        return self.leaf(array)

    @rule(target=values, array=numbers)
    def leaf(self, array: np.ndarray) -> Value:
        COUNT["rules"] += 1
        given = array.copy()
        tensor = tg.tensor(given, requires_grad=True)
        given[:] = 1000  # which nobody may see
        value = Value(tensor, [array], leaf=Leaf())
        value.slopes = {value.leaf: np.eye(N)} if value.leaf else {}
        return self.made(value)

    @rule(target=values, array=numbers)
    def constant(self, array: np.ndarray) -> Value:
        COUNT["rules"] += 1
        given = array.copy()
        tensor = tg.from_numpy(given)
        given[:] = 1000
        return self.made(Value(tensor, [array]))

    @rule(target=values, x=values, name=st.sampled_from(sorted(UNARY)))
    def unary(self, x: Value, name: str) -> Value:
        COUNT["rules"] += 1
        function, slope = UNARY[name]
        made = getattr(x.tensor, name)()
        return self.result(made, function(x.array), (x, np.diag(slope(x.array))))

    @rule(target=values, x=values, y=values, name=st.sampled_from(sorted(BINARY)))
    def binary(self, x: Value, y: Value, name: str) -> Value:
        COUNT["rules"] += 1
        function, by_x, by_y = BINARY[name]
        made, array = getattr(x.tensor, name)(y.tensor), function(x.array, y.array)
        jacobians = np.diag(by_x(x.array, y.array)), np.diag(by_y(x.array, y.array))
        if abs(array).max() > 100:  # before numbers become too large to compare
            made, array = made * 0.0, array * 0.0
            jacobians = jacobians[0] * 0.0, jacobians[1] * 0.0
        return self.result(made, array, (x, jacobians[0]), (y, jacobians[1]))

    @rule(target=values, x=values)
    def reordered(self, x: Value) -> Value:
        COUNT["rules"] += 1
        return self.result(x.tensor[ORDER], x.array[ORDER], (x, np.eye(N)[ORDER]))

    @rule(target=values, x=values)
    def clone(self, x: Value) -> Value:
        COUNT["rules"] += 1
        return self.result(x.tensor.clone(), x.array, (x, np.eye(N)))

    @rule(target=values, x=values)
    def detach(self, x: Value) -> Value:
        """Off the tape, but as in PyTorch in the same memory: changes in place are of both."""
        COUNT["rules"] += 1
        return self.made(Value(x.tensor.detach(), x.memory))

    @rule(target=values, x=values)
    def copied_off_the_tape(self, x: Value) -> Value:
        COUNT["rules"] += 1
        return self.made(Value(tg.tensor(x.tensor.detach()), [x.array]))

    @rule(x=values)
    def named(self, x: Value) -> None:
        COUNT["rules"] += 1
        x.tensor.named("some name")

    # Modes.

    @rule(mode=st.booleans())
    @precondition(lambda self: len(self.contexts) < 4)
    def enter(self, mode: bool) -> None:
        COUNT["rules"] += 1
        context = tg.enable_grad() if mode else tg.no_grad()
        context.__enter__()
        self.contexts.append(context)
        self.recording.append(mode)

    @rule()
    @precondition(lambda self: self.contexts)
    def leave(self) -> None:
        COUNT["rules"] += 1
        self.contexts.pop().__exit__(None, None, None)
        self.recording.pop()

    # Changes.

    @rule(x=values, array=numbers)
    def add_in_place(self, x: Value, array: np.ndarray) -> None:
        """x += a constant; of the new value the derivative is that of the old."""
        COUNT["rules"] += 1
        if x.leaf is not None and self.recording[-1]:
            with pytest.raises(RuntimeError, match="a leaf that requires grad"):
                x.tensor += array
            return
        x.tensor += array
        x.array = x.array + array
        if self.recording[-1] and x.step is not None:
            x.step = Step([x.step])

    @rule(x=values, y=values)
    def multiply_in_place(self, x: Value, y: Value) -> None:
        COUNT["rules"] += 1
        if x is y or abs(x.array * y.array).max() > 100:
            return
        if x.leaf is not None and self.recording[-1]:
            with pytest.raises(RuntimeError, match="a leaf that requires grad"):
                x.tensor *= y.tensor
            return
        x.tensor *= y.tensor
        before, other = x.array, y.array
        if self.recording[-1] and (x.on_tape or y.on_tape):
            slopes = {leaf: np.diag(other) @ slope for leaf, slope in x.slopes.items()}
            for leaf, slope in y.slopes.items():
                slopes[leaf] = slopes.get(leaf, 0) + np.diag(before) @ slope
            x.step = Step([s for s in (x.step, y.step) if s is not None])
            x.slopes = slopes
        x.array = before * other

    @rule(x=values)
    def write_into_what_left(self, x: Value) -> None:
        COUNT["rules"] += 1
        for array in (x.tensor.detach().numpy(), np.asarray(x.tensor.detach())):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 1000
        copied = np.array(x.tensor.detach())
        copied[:] = 1000

    @rule(x=values)
    def forget_the_gradient(self, x: Value) -> None:
        COUNT["rules"] += 1
        if x.leaf is not None:
            x.tensor.grad = None
            x.leaf.grad = None

    # The walk back.

    def released(self, x: Value) -> bool:
        return x.step is not None and any(step.released for step in x.step.all())

    def go_back(self, x: Value, v: np.ndarray, retain: bool) -> None:
        if not x.on_tape:
            with pytest.raises(RuntimeError, match="does not require grad"):
                x.tensor.backward(v)
        elif self.released(x):
            with pytest.raises(RuntimeError, match="released by an earlier"):
                x.tensor.backward(v, retain_graph=retain)
        else:
            given = v.copy()
            x.tensor.backward(given, retain_graph=retain)
            given[:] = 1000
            for leaf, slope in x.slopes.items():
                g = v @ slope
                leaf.grad = g if leaf.grad is None else leaf.grad + g
            for step in x.step.all() if x.step is not None and not retain else ():
                step.released = True

    @rule(x=values, v=numbers, retain=st.booleans())
    def backward(self, x: Value, v: np.ndarray, retain: bool) -> None:
        COUNT["rules"] += 1
        self.go_back(x, v, retain)

    @rule(x=values, v=numbers)
    def backward_twice(self, x: Value, v: np.ndarray) -> None:
        COUNT["rules"] += 1
        self.go_back(x, v, False)
        self.go_back(x, v, False)

    @rule(x=values, y=values, v=numbers)
    def grad(self, x: Value, y: Value, v: np.ndarray) -> None:
        """By a leaf; .grad stays, as the invariant checks."""
        COUNT["rules"] += 1
        if y.leaf is None:
            return
        if not x.on_tape:
            with pytest.raises(RuntimeError, match="does not require grad"):
                tg.grad(x.tensor, y.tensor, v)
        elif self.released(x):
            with pytest.raises(RuntimeError):
                tg.grad(x.tensor, y.tensor, v, retain_graph=True)
        elif y.leaf not in x.slopes:
            with pytest.raises(RuntimeError, match="do not depend on input 0"):
                tg.grad(x.tensor, y.tensor, v, retain_graph=True)
        else:
            (found,) = tg.grad(x.tensor, y.tensor, v, retain_graph=True)
            assert found is not None
            close(found, v @ x.slopes[y.leaf])

    @rule(x=values)
    def wrong_shape(self, x: Value) -> None:
        COUNT["rules"] += 1
        with pytest.raises((ValueError, RuntimeError)):
            x.tensor.backward(np.ones(N + 1))
        with pytest.raises((ValueError, RuntimeError)):
            x.tensor.backward()
        with pytest.raises(ValueError, match="do not broadcast"):
            x.tensor + np.ones(N + 1)

    @rule(x=values, v=numbers, threads=st.integers(2, 4))
    def backward_in_threads(self, x: Value, v: np.ndarray, threads: int) -> None:
        """All at once, and each with the graph kept; the sums are the same in any order."""
        COUNT["rules"] += 1
        if not x.on_tape or self.released(x):
            return
        work = [
            threading.Thread(target=x.tensor.backward, args=(v,), kwargs={"retain_graph": True})
            for _ in range(threads)
        ]
        for thread in work:
            thread.start()
        for thread in work:
            thread.join()
        for leaf, slope in x.slopes.items():
            for _ in range(threads):
                g = v @ slope
                leaf.grad = g if leaf.grad is None else leaf.grad + g

    @rule(target=values, x=values, y=values)
    def op_in_a_thread(self, x: Value, y: Value) -> Value:
        """Where the mode is the thread's own: it records."""
        COUNT["rules"] += 1
        made: list[tg.Tensor] = []
        thread = threading.Thread(target=lambda: made.append(x.tensor + y.tensor))
        thread.start()
        thread.join()
        self.recording.append(True)
        value = self.result(made[0], x.array + y.array, (x, np.eye(N)), (y, np.eye(N)))
        self.recording.pop()
        return value

    # Copies, and the end.

    @rule(target=values, x=values, how=st.sampled_from(["pickle", "deepcopy"]))
    def another(self, x: Value, how: str) -> Value:
        COUNT["rules"] += 1
        make: Any = copy.deepcopy if how == "deepcopy" else lambda t: pickle.loads(pickle.dumps(t))
        if x.step is not None:
            with pytest.raises(RuntimeError, match="only leaves"):
                make(x.tensor)
            return self.made(Value(tg.tensor(x.tensor.detach()), [x.array]))
        value = Value(make(x.tensor), [x.array])
        if x.leaf is not None:
            value.leaf = Leaf(None if how == "pickle" else x.leaf.grad)
            value.slopes = {value.leaf: np.eye(N)}
        return self.made(value)

    @rule(x=consumes(values))
    def delete(self, x: Value) -> None:
        COUNT["rules"] += 1
        self.alive.remove(x)

    @invariant()
    def all_is_as_the_model_has_it(self) -> None:
        assert tg.is_grad_enabled() == self.recording[-1]
        for x in self.alive:
            close(x.tensor.detach(), x.array)
            assert x.tensor.requires_grad == x.on_tape
            assert x.tensor.is_leaf == (x.step is None)
            if x.leaf is None or x.leaf.grad is None:
                assert x.tensor.grad is None
            else:
                assert x.tensor.grad is not None
                close(x.tensor.grad, x.leaf.grad)


def close(tensor: tg.Tensor, array: np.ndarray) -> None:
    """Equal but for rounding, of which the two do some in another order."""
    scale = 1e-9 * max(1.0, abs(array).max())
    np.testing.assert_allclose(tensor.numpy(), array, rtol=1e-9, atol=scale)


class TestUser(User.TestCase):  # type: ignore[misc, valid-type]
    """A short life of each of many users."""

    settings = settings(stateful_step_count=40, suppress_health_check=list(HealthCheck))


@pytest.mark.soak
def test_long_lives() -> None:
    """Thousands of rules on end, many times."""
    from hypothesis.stateful import run_state_machine_as_test

    long = settings(
        max_examples=40, stateful_step_count=3000, suppress_health_check=list(HealthCheck)
    )
    COUNT["rules"] = 0
    run_state_machine_as_test(User, settings=long)
    print(f"rules played: {COUNT['rules']}")
    assert COUNT["rules"] > 10_000
