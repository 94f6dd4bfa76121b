"""Faults at every point: afterwards all is as before, or as it should be after, and works again.

``every_fault`` runs an action again and again, each time with an exception raised one line of this
package later, until the action gets through. Each runs in a context of its own, since nothing is
promised of an interrupt in the moment in which ``no_grad``, say, is entered or left. What is real
beside that: memory that runs out, and SIGKILL, in processes of their own.
"""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from contextvars import copy_context
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
from support import value

import tinygrad_mlp as tg
from tinygrad_mlp.core import tape

PACKAGE = str(Path(tg.__file__).parent)


class InjectedError(Exception):
    """The exception that is injected."""


class Injection:
    """A trace function that raises at the nth line of this package that is run."""

    def __init__(self, n: int, error: type[BaseException]) -> None:
        self.n = n
        self.error = error
        self.seen = 0
        self.where = ""

    def __call__(self, frame: FrameType, event: str, argument: Any) -> Any:
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        if event == "line":
            self.seen += 1
            if self.seen == self.n:
                self.where = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
                raise self.error(self.where)
        return self

    def run(self, action: Callable[[], Any]) -> bool:
        """Whether the fault came before the action was over."""
        before = sys.gettrace()
        sys.settrace(self)
        try:
            copy_context().run(action)
        except (InjectedError, KeyboardInterrupt, MemoryError):
            assert self.where
        finally:
            sys.settrace(before)
            # A trace function can raise where no signal does: behind the last line of a with
            # statement's body, before its end.
            while tape.lock._is_owned():  # type: ignore[attr-defined]
                tape.lock.release()
        return bool(self.where)


def every_fault(
    make: Callable[[], tuple[Callable[[], Any], Callable[[], Any]]],
    *,
    error: type[BaseException] = InjectedError,
    step: int = 1,
) -> int:
    """Check an action under a fault at each line; returns how many there were.

    ``make`` gives a fresh action and a function for the state that it changes. After a fault the
    state must be that from before or that of an action that ran in full; and in the first case the
    action must then succeed.
    """
    action, state = make()
    initial = state()
    action()
    final = state()
    n = 1
    while True:
        action, state = make()
        assert state() == initial
        injection = Injection(n, error)
        if not injection.run(action):
            assert state() == final
            return (n - 1) // step
        found = state()
        if found != final:
            assert found == initial, injection.where
            action()
            assert state() == final, injection.where
        n += step


def digits(x: Any) -> Any:
    """All there is to know about a value, comparable."""
    if isinstance(x, tg.Tensor):
        return None if x is None else (x.shape, x.dtype.str, value(x).tobytes(), digits(x.grad))
    if isinstance(x, np.ndarray):
        return (x.shape, x.dtype.str, x.tobytes())
    if isinstance(x, dict):
        return {k: digits(v) for k, v in x.items()}
    if isinstance(x, list | tuple):
        return [digits(v) for v in x]
    return x


class Problem:
    """A small network with all that training changes, the same each time it is made."""

    def __init__(self, optimiser: str = "Adam", **options: Any) -> None:
        tg.manual_seed(0)
        self.net = tg.nn.Sequential(tg.nn.Linear(2, 3), tg.nn.Tanh(), tg.nn.Linear(3, 1))
        self.x, self.y = tg.ones(4, 2), tg.zeros(4, 1)
        self.extra = tg.tensor([1.0, 2.0], requires_grad=True)
        self.view = self.net[0].weight.detach()[0]  # which moves with the weight
        params = [*self.net.parameters(), self.extra]
        self.optimiser = getattr(tg.optim, optimiser)(params, lr=0.1, **options)
        self.schedule = tg.optim.lr_scheduler.StepLR(self.optimiser, 2)
        self.hidden = self.x

    def forward(self) -> tg.Tensor:
        self.hidden = self.net[0](self.x)
        self.hidden.retain_grad()
        out = self.net[2](self.net[1](self.hidden))
        return ((out - self.y) ** 2).mean() + (self.extra * self.x).sum() * 0.25

    def train(self, steps: int) -> "Problem":
        for _ in range(steps):
            self.optimiser.zero_grad()
            self.forward().backward()
            self.optimiser.step()
        return self

    def state(self) -> Any:
        kept = self.optimiser.state_dict(), self.schedule.state_dict()
        tensors = [*self.net.parameters(), self.extra, self.view, self.hidden.detach()]
        grads = [*self.net.parameters(), self.extra, self.hidden]
        return digits([kept, tensors, [t.grad for t in grads], tg.is_grad_enabled()])


ERRORS = (InjectedError, KeyboardInterrupt, MemoryError)
# Each line of a small program, and of a network every so many, or in the longer form each.
STEPS = [29, pytest.param(1, marks=pytest.mark.soak)]


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("error", ERRORS)
def test_backward(error: type[BaseException], again: bool, create_graph: bool) -> None:
    """The first one, which makes .grad, or the next, which adds to it."""

    def make() -> Any:
        x, y = tg.ones(2, requires_grad=True), tg.ones(1, requires_grad=True)
        h = x * y
        h.retain_grad()
        loss = (h * h).sum()
        if again:
            loss.backward(retain_graph=True)
        return lambda: loss.backward(create_graph=create_graph), lambda: grads_of(x, y, h)

    assert every_fault(make, error=error) > 60


def grads_of(*tensors: tg.Tensor) -> Any:
    return digits([t.grad for t in tensors])


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("create_graph", [False, True])
def test_backward_of_a_network(step: int, create_graph: bool) -> None:
    for again in (False, True):

        def make(again: bool = again) -> Any:
            problem = Problem()
            if again:
                problem.forward().backward()
            loss = problem.forward()
            return lambda: loss.backward(create_graph=create_graph), problem.state

        report("backward", every_fault(make, step=step), 100 // step)


FOUND: dict[str, int] = {}


def report(what: str, faults: int, least: int) -> None:
    """For the figures of the longer form: pytest -m soak -s."""
    assert faults > least
    FOUND[what] = FOUND.get(what, 0) + faults
    print(f"{what}: {FOUND[what]} faults")


def test_backward_into_shared_gradients_and_their_views() -> None:
    def make() -> Any:
        x, y, total = tg.ones(2, requires_grad=True), tg.ones(2, requires_grad=True), tg.zeros(2)
        x.grad = y.grad = total
        view = total[0]
        z = (x * 2 + y * 3).sum()
        return z.backward, lambda: digits([x, y, total, view])

    assert every_fault(make) > 30


def test_backward_under_no_grad() -> None:
    def make() -> Any:
        x = tg.ones(2, requires_grad=True)
        loss = (x * x).sum()

        def action() -> None:
            with tg.no_grad():
                loss.backward(create_graph=True)
                assert not tg.is_grad_enabled()

        return action, lambda: digits([x.grad, tg.is_grad_enabled()])

    assert every_fault(make) > 60


@pytest.mark.parametrize("step", STEPS)
def test_forward(step: int) -> None:
    """A forward that did not come to its end has no part in the next."""

    def make() -> Any:
        problem = Problem()
        return lambda: problem.forward().backward(), problem.state

    # What comes of it, after the fault, is what it is without one.
    action, state = make()
    action()
    final = state()
    n = 1
    while True:
        action, state = make()
        if not Injection(n, KeyboardInterrupt).run(action):
            break
        action()
        assert state() == final
        n += step
    report("forward and backward", n // step, 500 // step)


OPTIMISERS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("Adam", {"amsgrad": True}),
    ("AdamW", {}),
]


@pytest.mark.parametrize("step", [2, pytest.param(1, marks=pytest.mark.soak)])
@pytest.mark.parametrize(("name", "options"), OPTIMISERS, ids=str)
def test_optimiser_step(name: str, options: dict[str, Any], step: int) -> None:
    for steps, error in ((0, KeyboardInterrupt), (2, InjectedError)):

        def make(steps: int = steps) -> Any:
            problem = Problem(name, **options).train(steps)
            problem.forward().backward()
            return problem.optimiser.step, problem.state

        report("optimiser step", every_fault(make, error=error, step=step), 50 // step)


@pytest.mark.parametrize("step", STEPS)
def test_optimiser_step_with_a_closure(step: int) -> None:
    """The closure's backward is one thing, the step another: one may be done without the other."""

    def make() -> Any:
        problem = Problem()

        def closure() -> tg.Tensor:
            problem.optimiser.zero_grad()
            loss = problem.forward()
            loss.backward()
            return loss

        def action() -> None:
            with_closure = problem.optimiser.step(closure)
            assert with_closure is not None

        def state() -> Any:
            parameters = [value(p.detach()) for p in problem.net.parameters()]
            return digits([parameters, problem.optimiser.state_dict()])

        return action, state

    report("optimiser step", every_fault(make, step=step), 500 // step)


def test_schedule() -> None:
    def make() -> Any:
        problem = Problem()
        problem.schedule.step()
        return problem.schedule.step, problem.state

    assert every_fault(make) > 5


def test_state_is_loaded_in_full_or_not_at_all() -> None:
    trained = Problem().train(3)
    net, optimiser = trained.net.state_dict(), trained.optimiser.state_dict()

    def of_network() -> Any:
        problem = Problem().train(1)
        return lambda: problem.net.load_state_dict(net), problem.state

    def of_optimiser() -> Any:
        problem = Problem().train(1)
        return lambda: problem.optimiser.load_state_dict(optimiser), problem.state

    assert every_fault(of_network, step=3) > 50
    assert every_fault(of_optimiser, step=3) > 50


def test_changes_in_place_reach_all_views_or_none() -> None:
    changes: list[Callable[[tg.Tensor], Any]] = [
        lambda x: x.add_(1),
        lambda x: x.t().mul_(2),
        lambda x: x[0].zero_(),
        lambda x: x.__setitem__((slice(None), 1), 7.0),
    ]
    for change in changes:
        for recorded in (False, True):

            def make(change: Any = change, recorded: bool = recorded) -> Any:
                w = tg.ones(2, 2, requires_grad=True)
                x = w * 2 if recorded else tg.ones(2, 2)
                seen = [x, x[0], x.t(), x.detach(), x[1, 1]]

                def state() -> Any:
                    slopes = [
                        tg.grad(t.sum(), w, retain_graph=True)[0] if t.requires_grad else None
                        for t in seen
                    ]
                    return digits([[t.detach() for t in seen], slopes])

                return lambda: change(x), state

            assert every_fault(make, step=3 if recorded else 1) > 10


def test_conversion_of_a_network() -> None:
    def make() -> Any:
        problem = Problem()
        problem.forward().backward()
        return problem.net.double, lambda: digits([list(problem.net.parameters()), problem.view])

    assert every_fault(make) > 50


def test_random_numbers() -> None:
    """A draw that fails takes none, and leaves no lock behind."""
    for draw in (
        lambda g: g.normal((3,), "float32"),
        lambda g: g.normal((20,), "float64"),
        lambda g: g.uniform((3,), "float32"),
    ):

        def make(draw: Any = draw) -> Any:
            generator = tg.Generator().manual_seed(3)
            generator.normal((5,), "float64")
            return lambda: draw(generator), lambda: digits(generator.get_state())

        assert every_fault(make) > 10


def test_compile_and_derive() -> None:
    """What is interrupted while it traces leaves nothing of that behind."""

    def loss(x: tg.Tensor) -> tg.Tensor:
        return (x * x).sum()

    x = np.ones(3)
    step = 7  # of about a thousand lines

    def compiled() -> Any:
        run = tg.compile(loss)
        return lambda: run(x), lambda: tape.current().tracing

    assert every_fault(compiled, step=step) > 50
    assert tg.compile(loss)(x)[0] == 3


# Files.


def folder_state(folder: Path) -> Any:
    return {name: (folder / name).read_bytes() for name in os.listdir(folder)}


@pytest.mark.parametrize("error", ERRORS)
def test_save_leaves_the_old_file_or_the_new_one(tmp_path: Path, error: Any) -> None:
    path = tmp_path / "checkpoint"
    path.touch()
    old, new = {"w": tg.ones(2), "epoch": 1}, {"w": tg.zeros(3), "epoch": 2}

    def make() -> Any:
        tg.save(old, path)
        return lambda: tg.save(new, path), lambda: folder_state(tmp_path)

    assert every_fault(make, error=error) > 60


def test_the_first_save_leaves_a_file_or_none(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"

    def make() -> Any:
        path.unlink(missing_ok=True)
        return lambda: tg.save({"w": tg.ones(2)}, path), lambda: folder_state(tmp_path)

    assert every_fault(make) > 50


def test_load_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    tg.save(Problem().train(2).net.state_dict(), path)

    def make() -> Any:
        problem = Problem()
        found: list[Any] = []

        def action() -> None:
            found[:] = [tg.load(path)]

        return action, lambda: digits([problem.state(), found, folder_state(tmp_path)])

    assert every_fault(make, step=3) > 30


# Memory that runs out, and processes that are killed.


def python(program: str, *args: str, **options: Any) -> subprocess.Popen[str]:
    root = str(Path(tg.__file__).parent.parent)
    environment = {**os.environ, "PYTHONPATH": root, "OPENBLAS_NUM_THREADS": "1"}
    # So that each array asks the system for memory, and none gets what another one left.
    environment["MALLOC_MMAP_THRESHOLD_"] = "65536"
    words = [sys.executable, "-c", textwrap.dedent(program), *args]
    return subprocess.Popen(
        words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


MEMORY = """
    import gc, mmap, resource, sys
    import numpy as np
    import tinygrad_mlp as tg

    n, what = 300, sys.argv[1]
    net = tg.nn.Sequential(tg.nn.Linear(n, n), tg.nn.Sigmoid(), tg.nn.Linear(n, n))
    x = tg.ones(n, n)
    def make():
        optimiser = tg.optim.Adam(net.parameters(), lr=0.0)
        optimiser.zero_grad()
        (net(x) ** 2).mean().backward()
        optimiser.step()
        loss = (net(x) ** 2).mean()
        return optimiser, loss
    def state(optimiser):
        arrays = [p.grad._array for p in net.parameters()]
        arrays += [p._array for p in net.parameters()]
        arrays += [v for s in optimiser.state.values() for v in s.values()]
        return [float(np.sum(a)) for a in arrays]
    def action(optimiser, loss):
        if what == "forward":
            (net(x) ** 2).mean()
        elif what == "backward":
            loss.backward()
        elif what == "step":
            optimiser.step()
        elif what == "save":
            tg.save([net.state_dict(), optimiser.state_dict()], sys.argv[2])
        elif what == "load":
            tg.load(sys.argv[2])
    def used():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[0]) * mmap.PAGESIZE
    made = make()
    tg.save([net.state_dict(), made[0].state_dict()], sys.argv[2])
    action(*made)
    refused = passed = 0
    # More and more memory, until three in a row had enough.
    extra = 0
    while passed < 3:
        made = make()
        before = state(made[0])
        gc.collect()
        resource.setrlimit(resource.RLIMIT_AS, (used() + extra, resource.RLIM_INFINITY))
        try:
            action(*made)
            passed += 1
        except MemoryError:
            refused += 1
            passed = 0
            resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
            assert state(made[0]) == before
            action(*made)
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
        tg.load(sys.argv[2])
        extra += int(sys.argv[3])
    print(refused)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads how much memory is used from /proc")
@pytest.mark.parametrize("step", [2**18, pytest.param(2**14, marks=pytest.mark.soak)])
@pytest.mark.parametrize("what", ["forward", "backward", "step", "save", "load"])
def test_memory_that_runs_out(tmp_path: Path, what: str, step: int) -> None:
    process = python(MEMORY, what, str(tmp_path / "checkpoint"), str(step))
    output, errors = process.communicate(timeout=500)
    assert process.returncode == 0, errors
    report(f"MemoryError in {what}", int(output), 0)


TRAINING = """
    import os, sys
    import tinygrad_mlp as tg

    path, steps = sys.argv[1], int(sys.argv[2])
    tg.manual_seed(0)
    net = tg.nn.Sequential(tg.nn.Linear(2, 30), tg.nn.Tanh(), tg.nn.Linear(30, 1))
    optimiser = tg.optim.Adam(net.parameters(), lr=0.01)
    done = 0
    if os.path.exists(path):
        found = tg.load(path)
        net.load_state_dict(found["net"])
        optimiser.load_state_dict(found["optimiser"])
        tg.random.default_generator.set_state(found["random"].numpy().view("u8"))
        done = found["done"]
    print("started", done, flush=True)
    while done < steps:
        x = tg.randn(8, 2)
        optimiser.zero_grad()
        ((net(x) - x.sum(1, keepdims=True)) ** 2).mean().backward()
        optimiser.step()
        done += 1
        state = tg.random.default_generator.get_state().view("i8")
        whole = {"net": net.state_dict(), "optimiser": optimiser.state_dict()}
        tg.save({**whole, "random": state, "done": done}, path)
    print("finished", flush=True)
"""


@pytest.mark.parametrize("kills", [4, pytest.param(200, marks=pytest.mark.soak)])
def test_a_killed_run_resumes_to_the_same_digits(tmp_path: Path, kills: int) -> None:
    steps = str(40 * kills)
    whole = python(TRAINING, str(tmp_path / "whole"), steps)
    assert whole.communicate(timeout=500)[1] == ""
    path = tmp_path / "killed"
    random = np.random.default_rng(0)
    killed = 0
    while True:
        process = python(TRAINING, str(path), steps)
        assert process.stdout is not None
        process.stdout.readline()
        if killed == kills:
            assert process.communicate(timeout=500)[0] == "finished\n"
            break
        time.sleep(random.uniform(0, 0.1))
        process.kill()
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
        if path.exists():
            tg.load(path)
        if process.returncode == 0:
            break
    report("SIGKILL", killed, 0)
    assert path.read_bytes() == (tmp_path / "whole").read_bytes()
