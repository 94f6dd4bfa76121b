"""A user at random against a model that is slow and obviously right.

The rules are what people do with Tensors, in any order: build, reuse, detach, name, change in
place, enter and leave no_grad, write into the arrays they gave and got, go back once or twice,
keep the graph or not, delete, pickle, use threads. The model is plain NumPy: it keeps for each
value its whole Jacobian for every leaf, computed forwards by the chain rule, and which steps a walk
back would go through. From that it knows each gradient, or that there has to be an exception.

What is computed is compared once, where it arises, with a tolerance that follows from how many
roundings there were; the model takes over how it was rounded, and it may never change again.

Hypothesis plays many short lives, and shrinks what it finds; how long a life of its may be is
limited. A seed plays lives as long as one likes.
"""

import copy
import gc
import pickle
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    precondition,
    rule,
)
from support import often_another_thread

import tinygrad_mlp as tg
from tinygrad_mlp.core.tape import Node

N = 3  # entries of every value, and so Jacobians are 3×3
LARGE = 100  # what entries may be, so that nothing overflows however long a life is
STEEP = 1e6  # and what slopes may be
EPSILON = 2.0**-53  # the most that one rounding changes, relative to the number
TINY = 2.0**-1022  # below which it may change more than that


@dataclass(eq=False)
class Step:
    """An op that was recorded: the steps that a walk back from it goes on to."""

    sources: list["Step"]
    released: bool = False

    def all(self) -> list["Step"]:
        found = {self: None}
        waiting = [self]
        while waiting:
            new = [s for s in waiting.pop().sources if s not in found]
            found |= dict.fromkeys(new)
            waiting += new
        return list(found)


@dataclass(eq=False)
class Leaf:
    """What a leaf is to the model: where gradients accumulate."""

    grad: np.ndarray | None = None


# A Jacobian, and beside it the same with all numbers and terms positive: by how much roundings can
# change an entry is a part of the sum of the sizes of its terms.
Slope = np.ndarray  # of shape (2, N, N)


def entrywise(slopes: np.ndarray, sizes: np.ndarray | None = None) -> Slope:
    """The Jacobian of a function of each entry by itself."""
    return np.stack([np.diag(slopes), np.diag(abs(slopes) if sizes is None else sizes)])


SAME = entrywise(np.ones(N))


@dataclass(eq=False)
class Value:
    """A Tensor beside what the model knows of it."""

    tensor: tg.Tensor
    memory: list[np.ndarray]  # its value, in a place that Tensors may share, as those detached do
    # The Jacobian for each leaf that it depends on, and the steps back, where it is on the tape.
    slopes: dict[Leaf, Slope] = field(default_factory=dict)
    step: Step | None = None
    leaf: Leaf | None = None
    # The array it was made from, and those it was seen as, each with what it was then.
    given: np.ndarray | None = None
    seen: list[tuple[np.ndarray, list[float]]] = field(default_factory=list)
    number: int = 0

    @property
    def array(self) -> np.ndarray:
        return self.memory[0]

    @array.setter
    def array(self, array: np.ndarray) -> None:
        self.memory[0] = array

    @property
    def on_tape(self) -> bool:
        return self.leaf is not None or self.step is not None

    @property
    def is_released(self) -> bool:
        return self.step is not None and any(step.released for step in self.step.all())

    def __repr__(self) -> str:
        return f"value {self.number}"


# Each op with its derivatives, entry by entry, which stay moderate however they are nested: those
# of one input are at most 1, and made of terms that are at most 1.
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
values = Bundle("values")  # all Tensors that there are


class Drawn(NamedTuple):
    """Something that a rule is given: how Hypothesis draws it, and how a seed does."""

    strategy: Any
    draw: Callable[[Random, list[Value]], Any]


def one_of(*options: Any) -> Drawn:
    return Drawn(st.sampled_from(options), lambda random, alive: random.choice(options))


QUARTERS = [n / 4 for n in range(-8, 9)]
ARRAY = Drawn(
    st.lists(st.sampled_from(QUARTERS), min_size=N, max_size=N).map(np.array),
    lambda random, alive: np.array(random.choices(QUARTERS, k=N)),
)


def mostly_on_tape(random: Random, alive: list[Value]) -> Value:
    """A value, more often than by chance one that gradients can flow to.

    In a long life nearly everything is off the tape, or came from what was released, otherwise.
    """
    found = [x for x in alive if x.on_tape and not x.is_released]
    return random.choice(found if found and random.random() < 0.8 else alive)


VALUE = Drawn(values, mostly_on_tape)
DELETED = Drawn(consumes(values), lambda random, alive: random.choice(alive[: MOST // 2]))
MOSTLY = one_of(True, True, True, False)


class Rule(NamedTuple):
    play: Callable[..., Any]
    makes: bool  # a value
    arguments: dict[str, Drawn]
    possible: Callable[["User"], bool]


RULES: dict[str, Rule] = {}


def always(user: "User") -> bool:
    return True


def action(
    *, makes: bool = False, possible: Callable[["User"], bool] = always, **arguments: Drawn
) -> Callable[[Callable[..., Any]], Any]:
    """A rule, for Hypothesis and for seeds: whether it makes a value, and what it is given."""

    def register(play: Callable[..., Any]) -> Any:
        RULES[play.__name__] = Rule(play, makes, arguments, possible)
        target: dict[str, Any] = {"target": values} if makes else {}
        strategies = {name: drawn.strategy for name, drawn in arguments.items()}
        return precondition(possible)(rule(**target, **strategies)(play))

    return register


class User(RuleBasedStateMachine):
    """The rules, and how things stand."""

    def __init__(self) -> None:
        super().__init__()
        self.recording = [True]
        self.contexts: list[Any] = []
        self.alive: list[Value] = []
        self.numbers = count()
        self.refused = 0  # how many exceptions there were, all of them predicted
        self.compared = 0  # and how many gradients

    def teardown(self) -> None:
        while self.contexts:
            self.contexts.pop().__exit__(None, None, None)

    @contextmanager
    def refusal(self, kind: Any, match: str | None = None) -> Iterator[None]:
        with pytest.raises(kind, match=match):
            yield
        self.refused += 1

    def made(self, value: Value) -> Value:
        self.alive.append(value)
        value.number = next(self.numbers)
        if not value.on_tape:
            value.slopes = {}
        return value

    def result(self, tensor: tg.Tensor, array: np.ndarray, *parts: tuple[Value, Slope]) -> Value:
        """What an op made of some values, for each of which its Jacobian is given."""
        value = Value(tensor, [rounded(tensor, array)])
        if self.recording[-1] and any(x.on_tape for x, _ in parts):
            value.step = Step([x.step for x, _ in parts if x.step is not None])
            value.slopes = chained(parts)
        return value

    # Building.

    @action(makes=True, array=ARRAY)
    def leaf(self, array: np.ndarray) -> Value:
        given = array.copy()
        tensor, leaf = tg.tensor(given, requires_grad=True), Leaf()
        return self.made(Value(tensor, [array], {leaf: SAME}, leaf=leaf, given=given))

    @action(makes=True, array=ARRAY)
    def constant(self, array: np.ndarray) -> Value:
        given = array.copy()
        return self.made(Value(tg.from_numpy(given), [array], given=given))

    @action(makes=True, x=VALUE, name=one_of(*UNARY))
    def unary(self, x: Value, name: str) -> Value:
        function, slope = UNARY[name]
        made = getattr(x.tensor, name)()
        slopes = entrywise(slope(x.array), np.ones(N))
        return self.made(self.result(made, function(x.array), (x, slopes)))

    @action(makes=True, x=VALUE, y=VALUE, name=one_of(*BINARY))
    def binary(self, x: Value, y: Value, name: str) -> Value:
        function, by_x, by_y = BINARY[name]
        made, array = getattr(x.tensor, name)(y.tensor), function(x.array, y.array)
        slopes = entrywise(by_x(x.array, y.array)), entrywise(by_y(x.array, y.array))
        value = self.result(made, array, (x, slopes[0]), (y, slopes[1]))
        if too_large(value.array, value.slopes):
            value = self.result(made * 0.0, array * 0.0, (value, SAME * 0.0))
        return self.made(value)

    @action(makes=True, x=VALUE)
    def reordered(self, x: Value) -> Value:
        return self.made(self.result(x.tensor[ORDER], x.array[ORDER], (x, SAME[:, ORDER])))

    @action(makes=True, x=VALUE)
    def clone(self, x: Value) -> Value:
        return self.made(self.result(x.tensor.clone(), x.array, (x, SAME)))

    @action(makes=True, x=VALUE)
    def detach(self, x: Value) -> Value:
        """Off the tape, but as in PyTorch in the same memory: changes in place are of both."""
        return self.made(Value(x.tensor.detach(), x.memory))

    @action(makes=True, x=VALUE)
    def copied_off_the_tape(self, x: Value) -> Value:
        return self.made(Value(tg.tensor(x.tensor.detach()), [x.array]))

    @action(x=VALUE)
    def named(self, x: Value) -> None:
        assert x.tensor.named("some name").name == "some name"

    # Modes.

    @action(mode=MOSTLY, possible=lambda self: len(self.contexts) < 4)
    def enter(self, mode: bool) -> None:
        context = tg.enable_grad() if mode else tg.no_grad()
        context.__enter__()
        self.contexts.append(context)
        self.recording.append(mode)

    @action(possible=lambda self: bool(self.contexts))
    def leave(self) -> None:
        self.contexts.pop().__exit__(None, None, None)
        self.recording.pop()

    # Changes.

    @action(x=VALUE, array=ARRAY)
    def add_in_place(self, x: Value, array: np.ndarray) -> None:
        """x += a constant; of the new value the derivative is that of the old."""
        if abs(x.array + array).max() > LARGE:
            return
        if x.leaf is not None and self.recording[-1]:
            with self.refusal(RuntimeError, "a leaf that requires grad"):
                x.tensor += array
            return
        x.tensor += array
        x.array = rounded(x.tensor, x.array + array)
        if self.recording[-1] and x.step is not None:
            x.step = Step([x.step])

    @action(x=VALUE, y=VALUE)
    def multiply_in_place(self, x: Value, y: Value) -> None:
        array = x.array * y.array
        slopes = chained([(x, entrywise(y.array)), (y, entrywise(x.array))])
        if x is y or too_large(array, slopes):
            return
        if x.leaf is not None and self.recording[-1]:
            with self.refusal(RuntimeError, "a leaf that requires grad"):
                x.tensor *= y.tensor
            return
        x.tensor *= y.tensor
        if self.recording[-1] and (x.on_tape or y.on_tape):
            x.step = Step([s for s in (x.step, y.step) if s is not None])
            x.slopes = slopes
        x.array = rounded(x.tensor, array)

    @action(x=VALUE)
    def write_into_what_was_given(self, x: Value) -> None:
        if x.given is not None:
            x.given[:] = 1000  # which nobody may see

    @action(x=VALUE)
    def write_into_what_left(self, x: Value) -> None:
        for array in (x.tensor.detach().numpy(), np.asarray(x.tensor.detach())):
            with self.refusal(ValueError, "read-only"):
                array[0] = 1000
        copied = np.array(x.tensor.detach())
        copied[:] = 1000

    @action(x=VALUE)
    def look(self, x: Value) -> None:
        """What .numpy() returns keeps the value that it has now, whatever happens to x."""
        x.seen = [*x.seen[-2:], (x.tensor.numpy(force=True), x.array.tolist())]

    @action(x=VALUE)
    def forget_the_gradient(self, x: Value) -> None:
        if x.leaf is not None:
            x.tensor.grad = None
            x.leaf.grad = None

    # The walk back.

    def release(self, x: Value) -> None:
        for step in x.step.all() if x.step is not None else ():
            step.released = True
            step.sources = []  # as no walk gets past it

    def gradient(self, x: Value, v: np.ndarray, leaf: Leaf) -> tuple[np.ndarray, np.ndarray]:
        """Of v·x for a leaf, and how far from it roundings can lead.

        Along each way from x to the leaf there are at most a multiplication and an addition for
        each entry at each step, and in the slope at each step some more, here and there.
        """
        slope, size = x.slopes[leaf]
        steps = len(x.step.all()) if x.step is not None else 0
        return v @ slope, 8 * N * (steps + 1) * EPSILON * (abs(v) @ size) + TINY

    def accumulated(self, x: Value, v: np.ndarray, times: int = 1) -> None:
        """After x.tensor.backward(v), once or more often."""
        for y in self.alive:
            if y.leaf is not None and y.leaf in x.slopes:
                (g, within), total = self.gradient(x, v, y.leaf), y.leaf.grad
                for _ in range(times):
                    total = g if total is None else total + g
                    within = within + EPSILON * abs(total)
                y.leaf.grad = self.near(y.tensor.grad, total, times * within)

    def near(self, found: tg.Tensor | None, array: Any, within: np.ndarray) -> np.ndarray:
        """A gradient that was found, which must be near the one that there should be."""
        assert found is not None
        difference = abs(np.array(found.tolist()) - array)
        assert (difference <= within).all(), f"{found} is not {array} within {within}"
        self.compared += 1
        return np.array(found.tolist())

    def go_back(self, x: Value, v: np.ndarray, retain: bool) -> None:
        if not x.on_tape:
            with self.refusal(RuntimeError, "does not require grad"):
                x.tensor.backward(v)
        elif x.is_released:
            with self.refusal(RuntimeError, "released by an earlier"):
                x.tensor.backward(v, retain_graph=retain)
        else:
            given = v.copy()
            x.tensor.backward(given, retain_graph=retain)
            given[:] = 1000
            self.accumulated(x, v)
            if not retain:
                self.release(x)

    @action(x=VALUE, v=ARRAY, retain=MOSTLY)
    def backward(self, x: Value, v: np.ndarray, retain: bool) -> None:
        self.go_back(x, v, retain)

    @action(x=VALUE, v=ARRAY)
    def backward_twice(self, x: Value, v: np.ndarray) -> None:
        self.go_back(x, v, False)
        self.go_back(x, v, False)

    @action(x=VALUE, y=VALUE, v=ARRAY)
    def grad(self, x: Value, y: Value, v: np.ndarray) -> None:
        """By a leaf; .grad stays, as the invariant checks."""
        if y.leaf is None:
            return
        if not x.on_tape:
            with self.refusal(RuntimeError, "does not require grad"):
                tg.grad(x.tensor, y.tensor, v)
        elif x.is_released:
            with self.refusal(RuntimeError):
                tg.grad(x.tensor, y.tensor, v, retain_graph=True)
        elif y.leaf not in x.slopes:
            with self.refusal(RuntimeError, "do not depend on input 0"):
                tg.grad(x.tensor, y.tensor, v, retain_graph=True)
        else:
            (found,) = tg.grad(x.tensor, y.tensor, v, retain_graph=True)
            self.near(found, *self.gradient(x, v, y.leaf))

    @action(x=VALUE)
    def wrong_shape(self, x: Value) -> None:
        with self.refusal((ValueError, RuntimeError)):
            x.tensor.backward(np.ones(N + 1))
        with self.refusal((ValueError, RuntimeError)):
            x.tensor.backward()
        with self.refusal(ValueError, "do not broadcast"):
            x.tensor + np.ones(N + 1)

    @action(x=VALUE, v=ARRAY, threads=one_of(2, 3, 4), retain=MOSTLY)
    def backward_in_threads(self, x: Value, v: np.ndarray, threads: int, retain: bool) -> None:
        """All at once: where the graph is kept the sums are the same in any order, and otherwise
        only one of them can be done."""
        if not x.on_tape or x.is_released:
            return

        def work(_: int) -> bool:
            barrier.wait()
            try:
                x.tensor.backward(v, retain_graph=retain)
            except RuntimeError as error:
                if "released by an earlier" not in str(error):
                    raise
                return False
            return True

        barrier = threading.Barrier(threads, timeout=30)
        with often_another_thread(), ThreadPoolExecutor(threads) as pool:
            done = sum(pool.map(work, range(threads)))
        assert done == (threads if retain or x.step is None else 1)
        self.refused += threads - done
        self.accumulated(x, v, done)
        if not retain:
            self.release(x)

    @action(makes=True, x=VALUE, y=VALUE)
    def op_in_a_thread(self, x: Value, y: Value) -> Value:
        """Where the mode is the thread's own: it records."""
        with ThreadPoolExecutor(1) as pool:
            tensor = pool.submit(lambda: (x.tensor + y.tensor) / 2).result()
        self.recording.append(True)
        value = self.result(tensor, (x.array + y.array) / 2, (x, SAME / 2), (y, SAME / 2))
        self.recording.pop()
        return self.made(value)

    # Copies, and the end.

    @action(makes=True, x=VALUE, how=one_of("pickle", "deepcopy"))
    def another(self, x: Value, how: str) -> Value:
        make: Any = copy.deepcopy if how == "deepcopy" else lambda t: pickle.loads(pickle.dumps(t))
        if x.step is not None:
            with self.refusal(RuntimeError, "only leaves"):
                make(x.tensor)
            return self.made(Value(tg.tensor(x.tensor.detach()), [x.array]))
        value = Value(make(x.tensor), [x.array])
        if x.leaf is not None:
            value.leaf = Leaf(None if how == "pickle" else x.leaf.grad)
            value.slopes = {value.leaf: SAME}
        return self.made(value)

    @action(x=DELETED)
    def delete(self, x: Value) -> None:
        self.alive.remove(x)
        for y in self.alive:
            y.slopes.pop(x.leaf, None)  # of which nobody can ask

    @invariant()
    def all_is_as_the_model_has_it(self) -> None:
        assert tg.is_grad_enabled() == self.recording[-1]
        for x in self.alive:
            assert x.tensor.tolist() == x.array.tolist()
            assert x.tensor.requires_grad == x.on_tape
            assert x.tensor.is_leaf == (x.step is None)
            for array, before in x.seen:
                assert array.tolist() == before
            if x.leaf is None or x.leaf.grad is None:
                assert x.tensor.grad is None
            else:
                assert x.tensor.grad is not None
                assert x.tensor.grad.tolist() == x.leaf.grad.tolist()


def chained(parts: Any) -> dict[Leaf, Slope]:
    """The Jacobians of a function of some values, given its Jacobian for each of them."""
    slopes: dict[Leaf, Slope] = {}
    for x, slope in parts:
        for leaf, inner in x.slopes.items():
            slopes[leaf] = slopes.get(leaf, 0) + slope @ inner
    return slopes


def too_large(array: np.ndarray, slopes: dict[Leaf, Slope]) -> bool:
    return max(abs(array).max() / LARGE, *(s.max() / STEEP for s in slopes.values()), 0) > 1


def rounded(tensor: tg.Tensor, array: np.ndarray) -> np.ndarray:
    """The value of the result of an op, which must be equal but for some roundings."""
    found = np.array(tensor.tolist())
    assert (abs(found - array) <= 8 * EPSILON * abs(array)).all(), f"{tensor} is not {array}"
    return found


class TestUser(User.TestCase):  # type: ignore[misc, valid-type]
    """A short life of each of many users."""

    settings = settings(stateful_step_count=40, suppress_health_check=list(HealthCheck))


# Long lives.

MOST = 20  # values that are alive, so that they do not become ever more


def live(seed: int, rules: int) -> tuple[Counter[str], Counter[str], int]:
    """One life of so many rules, which a seed decides.

    How often each rule was played, how often it ended in predicted exceptions, and how many
    gradients were compared.
    """
    random = Random(seed)
    user = User()
    played: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    last: deque[str] = deque(maxlen=30)
    try:
        for k in range(rules):
            name = random.choice(possible(user))
            arguments = RULES[name].arguments.items()
            given = {n: drawn.draw(random, user.alive) for n, drawn in arguments}
            last.append(f"{k}: {name}({', '.join(f'{n}={g!r}' for n, g in given.items())})")
            before = user.refused
            made = RULES[name].play(user, **given)
            user.all_is_as_the_model_has_it()
            if made is not None:
                last[-1] += f" makes {made!r}"
            played[name] += 1
            refused[name] += user.refused > before
    except BaseException as error:
        error.add_note(f"live({seed}, {k + 1}) fails at rule {k}; the last rules:")
        error.add_note("\n".join(last))
        raise
    finally:
        user.teardown()
    return played, refused, user.compared


def possible(user: User) -> list[str]:
    """The rules that can be played now; who has too many values deletes more often than others."""
    full = len(user.alive) >= MOST
    return ["delete"] * 4 * full + [
        name
        for name, rule in RULES.items()
        if rule.possible(user)
        and (user.alive or not {VALUE, DELETED} & {*rule.arguments.values()})
        and not (full and rule.makes)
    ]


def nodes() -> int:
    """How many there are, once all that is garbage is gone."""
    gc.collect()
    return sum(type(x) is Node for x in gc.get_objects())


def test_a_long_life() -> None:
    before = nodes()
    played, _, compared = live(seed=1, rules=4000)
    assert played.total() == 4000
    assert set(played) == set(RULES)
    assert compared > 200
    assert nodes() <= before


@pytest.mark.soak
def test_longer_lives() -> None:
    before = nodes()
    seeds, rules = range(10), 10_000
    played: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    compared = 0
    for seed in seeds:
        more = live(seed, rules)
        played += more[0]
        refused += more[1]
        compared += more[2]
    assert played.total() == len(seeds) * rules
    assert nodes() <= before
    print(f"\nlives: {len(seeds)}, rules in each: {rules}, gradients compared: {compared}")
    print("rules played, and how many of them ended in a predicted exception:")
    for name, n in played.most_common():
        print(f"{n:7} {refused[name]:7} {name}")
    print(f"{played.total():7} {refused.total():7} in all")
