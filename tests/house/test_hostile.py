"""Arguments that nobody should give: a result, or an exception of a documented kind, soon.

Every public function, class and method is called with arguments from a list of the worst there are.
That happens in a process of its own with little memory, in which each call has ten seconds: what
comes out is a result or a ValueError, TypeError, RuntimeError, IndexError, KeyError, AttributeError
or OSError, with a message, or a MemoryError for what is too large to make.
"""

import contextlib
import gzip
import inspect
import io
import json
import os
import pickle
import random
import reprlib
import resource
import signal
import subprocess
import sys
import traceback
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_mlp as tg
import tinygrad_mlp.testing

DOCUMENTED = (
    ValueError, TypeError, RuntimeError, IndexError, KeyError, AttributeError, OSError, MemoryError,
)  # fmt: skip
# Of these, some are subclasses that tell of a mistake of our own.
MISTAKES = (RecursionError, UnboundLocalError)


SECONDS = 10


class Strange:
    """Not a number, not a list, and of no use."""


class ClaimsToBeAnArray:
    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array(["text"])


class Subclass(np.ndarray):
    pass


class Whole(int):
    pass


class Listed(list):  # type: ignore[type-arg]
    pass


def arrays() -> list[Any]:
    """Arrays of every kind that there is."""
    numbers = np.arange(6.0).reshape(2, 3)
    frozen = numbers.copy()
    frozen.flags.writeable = False
    return [
        numbers,
        numbers.astype("f4"),
        numbers[:, ::2],
        numbers.T,
        numbers[::-1],
        numbers.astype(">f8"),
        numbers.astype(">i2"),
        numbers.astype("f2"),
        numbers.astype(np.longdouble),
        numbers.astype(complex),
        numbers.astype("u8"),
        numbers > 2,
        frozen,
        numbers.view(Subclass),
        np.ma.masked_array(numbers, numbers > 2),
        np.array([1, "a", None], object),
        np.array(["text"]),
        np.array([b"bytes"]),
        np.zeros(2, [("a", "f8"), ("b", "i4")]),
        np.array(["2020-01-01"], "M8[D]"),
        np.array([1], "m8[s]"),
        np.array(1.5),
        np.array(7),
        np.zeros((0,)),
        np.zeros((2, 0, 3)),
        np.array([np.nan, np.inf, -np.inf, 5e-324, 1e308]),
        np.broadcast_to(np.ones(1), (10**3,)),
        np.lib.stride_tricks.as_strided(np.ones(4), (2, 2), (8, 8)),
        np.matrix([[1.0, 2.0]]),
        np.recarray((2,), [("a", "f8")]),
        np.zeros((1,) * 32),
        np.zeros((1,) * 64),
    ]


def others() -> list[Any]:
    cyclic: list[Any] = []
    cyclic.append(cyclic)
    deep: Any = 1.0
    for _ in range(2000):
        deep = [deep]
    w = tg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    used = (w * w).sum()
    used.backward()
    return [
        None, True, False, 0, 1, -1, 2, 3, 2**31, -(2**63), 2**63, 2**64, 10**12, 10**400, 1.5,
        -0.0, 1e-320, 1e308, float("nan"), float("inf"), -float("inf"), 1j, Whole(2),
        np.float32(1.5), np.float64("nan"), np.int8(-1), np.bool(True), np.datetime64("2020"), "",
        "a", "float32", "float128", "mean", "sum", "none", "sum\n\x00", "../up/passwd", "é‮💥",
        "\ud800", "<script>alert(1)</script>", "`rm -rf`", "a" * 10_000, b"bytes", bytearray(3),
        memoryview(b"abc"), [], (), {}, set(), [[1, 2], [3]], [[], [1]], [None], ["a"], [1, "a"],
        [w, w], [w, 1], (w,), [np.ones(2), np.ones(3)], cyclic, deep, Listed([1.0]), range(3),
        range(10**9), (x for x in [1]), iter([]), {"a": w}, {1: 2}, {"params": [w]}, slice(None),
        slice(None, None, 0), ..., int, float, np.float32, np.dtype("f8"), tg.float64, object,
        Strange, Strange(), ClaimsToBeAnArray(), lambda: None, lambda x: x, lambda *x: x[0],
        lambda x: (x * x).sum(), print, w, w.detach(), used, w[0], w.t(), w * 2,
        tg.tensor(1.0), tg.tensor([1, 2]), tg.tensor([True, False]), tg.zeros(0), tg.zeros(2, 0),
        tg.tensor([np.nan, np.inf]), tg.tensor([1.0], dtype="float16"), tg.nn.Linear(2, 2),
        tg.nn.ReLU(), tg.nn.Parameter(tg.ones(2)), tg.optim.SGD([w]), tg.Generator(),
        (-1, -1), (2**40, 2**40), (10**6,) * 4, (1,) * 65, (2, 3), (0,), (-2,), (1.5,), [10**30],
    ]  # fmt: skip


SKIPPED = {
    # They print, or change settings of the process.
    "set_printoptions", "set_num_threads", "set_default_dtype", "set_default_device",
    "set_num_interop_threads",
    # NumPy's own, and what would import PyTorch into so little memory.
    "dtype", "compare",
    # They take as long as they are told to.
    "fuzz", "check_op", "shrink",
    # What a schedule is made of, and not what anybody calls.
    "next",
}  # fmt: skip


def callables() -> Iterator[tuple[str, Any]]:
    """All that is public, with the name to show."""
    for label, home in (
        ("tg", tg), ("nn", tg.nn), ("nn.functional", tg.nn.functional), ("optim", tg.optim),
        ("autograd", tg.autograd), ("autograd.functional", tg.autograd.functional),
        ("optim.lr_scheduler", tg.optim.lr_scheduler), ("Tensor", tg.Tensor),
        ("testing", tg.testing), *((name, type(make())) for name, make in OBJECTS.items()),
    ):  # fmt: skip
        names = getattr(home, "__all__", None) or [
            n for n in dir(home) if not n.startswith("_") or n in OPERATORS
        ]
        for name in names:
            found = getattr(home, name, None)
            own = found is not getattr(tuple, name, None)  # as a named tuple's operators are not
            if callable(found) and name not in SKIPPED and own:
                yield f"{label}.{name}", found


OPERATORS = {
    "__add__", "__mul__", "__truediv__", "__pow__", "__matmul__", "__getitem__", "__setitem__",
    "__eq__", "__lt__", "__and__", "__iadd__", "__ipow__", "__contains__", "__format__",
    "__array__", "__radd__", "__rpow__", "__rmatmul__", "__call__",
}  # fmt: skip


def weight() -> tg.Tensor:
    w = tg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True, name="w")
    (w * w).sum().backward()
    return w


def compiled() -> Any:
    step = tg.compile(lambda x: (x * x).sum())
    step(np.ones(2))
    return step


# Of what is made first, the methods are called with one in front.
OBJECTS: dict[str, Callable[[], Any]] = {
    "Generator": tg.Generator,
    "Linear": lambda: tg.nn.Linear(2, 2),
    "Sequential": lambda: tg.nn.Sequential(tg.nn.Linear(2, 2), tg.nn.Tanh()),
    "SGD": lambda: tg.optim.SGD([weight()], momentum=0.5),
    "Adam": lambda: tg.optim.Adam([weight()]),
    "StepLR": lambda: tg.optim.lr_scheduler.StepLR(tg.optim.SGD([weight()]), 2),
    "Explanation": lambda: tg.explain((weight() * 2).sum()),
    "Formula": lambda: tg.formula(lambda x: (x * x).sum(), x=[1.0, 2.0]),
    "Compiled": compiled,
    "Program": lambda: tg.testing.generate(seed=0),
}


class TooSlowError(BaseException):
    pass


def too_slow(*_: Any) -> None:
    raise TooSlowError


def attack(seed: int, calls: int) -> list[str]:
    """Make calls, and say which went wrong."""
    choice = random.Random(seed)
    targets = list(callables())
    wrong: dict[str, str] = {}
    signal.signal(signal.SIGALRM, too_slow)
    signal.signal(signal.SIGPROF, too_slow)
    pool: list[Any] = []
    for k in range(calls):
        label, target = targets[k % len(targets)]
        pool = arrays() + others() if k % 50 == 0 else pool
        args = [choice.choice(pool) for _ in range(choice.choice([0, 1, 1, 2, 2, 3]))]
        if label.startswith("Tensor."):
            own = [x for x in pool if isinstance(x, tg.Tensor)]
            args = [choice.choice(own), *args]
        elif (make := OBJECTS.get(label.partition(".")[0])) is not None:
            args = [make(), *args]
        options = {}
        with contextlib.suppress(ValueError, TypeError):
            names = [
                p.name
                for p in inspect.signature(target).parameters.values()
                if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)
            ][len(args) :]
            if names and choice.random() < 0.5:
                options[choice.choice(names)] = choice.choice(pool)
        # Of the processor, and ten times that on a clock, for what waits.
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        signal.setitimer(signal.ITIMER_REAL, 10 * SECONDS)
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                result = target(*args, **options)
                if isinstance(result, tg.Tensor) and result.numel() < 10**5:
                    repr(result)
                    if result.requires_grad and result.numel() == 1:
                        result.backward(retain_graph=True)
        except BaseException as error:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.setitimer(signal.ITIMER_REAL, 0)
            documented = (*DOCUMENTED, AssertionError) if "gradcheck" in label else DOCUMENTED
            fine = isinstance(error, documented) and not isinstance(error, MISTAKES)
            # What a function raises passes through, and int, of an infinity, raises that.
            called = any(x is int for x in (*args, *options.values()))
            fine |= isinstance(error, OverflowError) and called
            # What NumPy asks of an array it words itself.
            worded = str(error) or isinstance(error, MemoryError) or label == "Tensor.__array__"
            if not fine or not worded:
                last = traceback.extract_tb(error.__traceback__)[-1]
                where = f"{Path(last.filename).name}:{last.lineno}"
                key = f"{label} {type(error).__name__} {where}"
                shown = ", ".join(map(reprlib.repr, [*args, *options.items()]))
                wrong.setdefault(key, f"{key}: {str(error)[:80]} ({shown[:200]})")
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.setitimer(signal.ITIMER_REAL, 0)
            tg.set_grad_enabled(True)  # which one of the calls may have turned off
    return list(wrong.values())


@pytest.mark.skipif(os.name != "posix", reason="limits of memory and time are POSIX's")
@pytest.mark.parametrize("calls", [4000, pytest.param(300_000, marks=pytest.mark.soak)])
def test_every_function_under_every_argument(calls: int, tmp_path: Path) -> None:
    seeds = [0] if calls < 10_000 else range(1, 11)
    for seed in seeds:
        process = subprocess.run(
            [sys.executable, __file__, str(seed), str(calls // len(seeds))],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path(tg.__file__).parent.parent)},
            capture_output=True,
            encoding="utf-8",
            timeout=3000,
        )
        assert process.returncode == 0, process.stderr[-3000:]
        assert json.loads(process.stdout.splitlines()[-1]) == []
    print(f"calls made: {calls}")


def test_a_state_is_a_dict() -> None:
    with pytest.raises(TypeError, match="a dict, not range"):
        tg.nn.Linear(1, 1).load_state_dict(range(10**12))  # type: ignore[arg-type]


# Files. What test_saving.py does to a small one byte by byte is done here in other ways.


def checkpoint(path: Path) -> bytes:
    net = tg.nn.Sequential(tg.nn.Linear(3, 2), tg.nn.Linear(2, 1))
    optimiser = tg.optim.Adam(net.parameters())
    net(tg.ones(1, 3)).sum().backward()
    optimiser.step()
    tg.save({"net": net.state_dict(), "optimiser": optimiser.state_dict(), "epoch": 3}, path)
    return path.read_bytes()


def refused(path: Path) -> None:
    with pytest.raises(ValueError, match=r"^load: ") as caught:
        tg.load(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith("nothing was loaded")


@pytest.mark.parametrize("tries", [2000, pytest.param(200_000, marks=pytest.mark.soak)])
def test_tampered_checkpoints_are_refused(tmp_path: Path, tries: int) -> None:
    """Cut, flipped, cut out, turned round, doubled, and filled with zeros."""
    path = tmp_path / "x"
    data = checkpoint(path)
    size = int.from_bytes(data[:8], "little") + 8
    choice = random.Random(0)
    for _ in range(tries):
        a, b = sorted(choice.sample(range(len(data) + 1), 2))
        spoiled = bytearray(data)
        how = choice.randrange(6)
        if how == 0:
            spoiled = spoiled[:a]
        elif how == 1:
            for _ in range(choice.randint(1, 4)):
                spoiled[choice.randrange(len(data))] ^= 1 << choice.randrange(8)
        elif how == 2:
            del spoiled[a:b]
        elif how == 3:
            spoiled[a:b] = spoiled[a:b][::-1]
        elif how == 4:
            spoiled[a:a] = data[a:b]
        else:
            spoiled[a:b] = bytes(b - a)
        path.write_bytes(spoiled)
        try:
            tg.load(path)
        except ValueError as error:
            assert str(error).startswith("load: ")
        else:
            # The same but for spaces, which have no meaning between the parts of the header.
            assert spoiled[size:] == data[size:]
            assert spoiled[:size].replace(b" ", b"") == data[:size].replace(b" ", b"")
    print(f"files tried: {tries}")


def test_bombs_are_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("data.pkl", bytes(10**8))
    refused(path)
    path.write_bytes(gzip.compress(bytes(10**7)))
    refused(path)
    # Gigabytes of nothing, with no header, and with one that says less.
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    for start in (b"", len(header).to_bytes(8, "little") + header):
        with open(path, "wb") as file:
            file.write(start)
            file.truncate(2**36)
        refused(path)
    path.unlink()
    # Deep JSON, and many digits.
    for text in (b"[" * 10**6, b'{"a":' * 10**5, b"1" * 10**6, b'{"w":' + b"9" * 5000 + b"}"):
        path.write_bytes(len(text).to_bytes(8, "little") + text)
        refused(path)


@pytest.mark.skipif(os.name != "posix", reason="devices and pipes are POSIX's")
def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (Path("/dev/zero"), tmp_path / "pipe"):
        refused(path)
    with pytest.raises(OSError, match="directory"):
        tg.load(tmp_path)


def test_pickles_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x"
    data = pickle.dumps(MakesAFolder(str(tmp_path / "executed")))
    good = checkpoint(tmp_path / "good")
    # By itself, and in the place of Tensors in a good file.
    for content in (data, good[: -len(data)] + data):
        path.write_bytes(content)
        refused(path)
    assert not (tmp_path / "executed").exists()
    pickle.loads(data)
    assert (tmp_path / "executed").exists()


class MakesAFolder:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (self.path,)


def test_checkpoints_of_other_shapes_change_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x"
    checkpoint(path)
    found = tg.load(path)
    net = tg.nn.Sequential(tg.nn.Linear(3, 2), tg.nn.Linear(2, 2))
    optimiser = tg.optim.Adam(net.parameters())
    before = [p.tolist() for p in net.parameters()]
    with pytest.raises(RuntimeError, match="which stays as it was"):
        net.load_state_dict(found["net"])
    with pytest.raises(ValueError, match="is needed"):
        optimiser.load_state_dict(found["optimiser"])
    assert [p.tolist() for p in net.parameters()] == before
    assert optimiser.state == {}


def test_what_contains_itself_is_not_saved(tmp_path: Path) -> None:
    cyclic: list[Any] = []
    cyclic.append(cyclic)
    with pytest.raises(ValueError, match="contains itself"):
        tg.save(cyclic, tmp_path / "x")
    assert os.listdir(tmp_path) == []


NAMES = ["../up", "a/b", "", "\0", "\ud800", "é‮💥", "<b>", "__metadata__", "{x}", "a\nb"]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_key_of_a_file_is_never_a_path(tmp_path: Path, name: str) -> None:
    tg.save({name: tg.ones(1)}, tmp_path / "x")
    assert list(tg.load(tmp_path / "x")) == [name]
    assert os.listdir(tmp_path) == ["x"]


CODE = ["__import__('os').abort()", "x); import os; os.abort()  #", "a b", "lambda", "np"]


@pytest.mark.parametrize("name", [*CODE, *NAMES], ids=ascii)
def test_a_name_is_never_code(name: str) -> None:
    """In a program, whose arguments would have the names of the parameters."""
    w = tg.tensor([1.0, 2.0], requires_grad=True, name=name)
    optimiser = tg.optim.SGD([w], lr=1.0)
    step = tg.compile(lambda x: (w * x).sum(), optimizer=optimiser)
    assert step(np.ones(2, np.float32)) == 3
    assert w.tolist() == [0, 1]
    source = tg.derive((w * w).sum(), wrt=w)
    assert str(source)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (3 * 2**30, 3 * 2**30))
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    print(json.dumps(attack(int(sys.argv[1]), int(sys.argv[2]))))
