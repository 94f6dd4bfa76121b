"""Other ways to the same derivatives, none of which goes through the tape under test.

An oracle takes a program and answers with its quantities by name: ``x3`` for the value of an
output, ``df/dx0`` for the gradient of f = Σ weights ⊙ output at a leaf, and at order 2 ``d2f/dx0``
for the gradient of Σ weights ⊙ df/dx over all leaves. What it needs is imported when it is chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from .. import two_layer
from .programs import NUMPY, TWO_LAYER, Arrays, Jitter, Program, run, trace, weights

Quantities = dict[str, ndarray]


class Answer(NamedTuple):
    """An oracle's quantities, and for some of them how far off they may be."""

    quantities: Quantities
    errors: Quantities


class Unavailable(RuntimeError):  # noqa: N818 - it is the oracle's state, as StopIteration is
    """An oracle cannot be asked: what it needs is not installed, or it has no such op or order."""


class Oracle(NamedTuple):
    """``answer(program, order, jitter)``; a jitter is None or the seed of a ``Jitter``."""

    name: str
    answer: Callable[[Program, int, Any], Answer]
    exact_dtypes: bool = False  # whether it computes in the program's own dtypes


def wanted(program: Program) -> list[int]:
    return [i for i, leaf in enumerate(program.leaves) if leaf.requires_grad]


# Libraries with a tape of their own.


def tape_answer(
    lib: Any,
    grad: Callable[..., Any],
    program: Program,
    order: int,
    leaves: list[Any],
    tensor: Callable[[ndarray], Any],
    array: Callable[[Any], ndarray],
    after: Any = None,
    jitter: Any = None,
) -> Answer:
    """What a library in PyTorch's manner answers: this package or PyTorch."""
    values = run(program, lib, leaves, after, jitter)
    found = {f"x{i}": array(values[i]) for i in program.outputs}
    if order == 0:
        return Answer(found, {})
    places = wanted(program)
    inputs = [leaves[i] for i in places]
    outputs = [values[i] for i in program.outputs if values[i].requires_grad]
    first: Any = [None] * len(inputs)
    if outputs:
        ws = [tensor(weights(tuple(y.shape), dtype_of(y))) for y in outputs]
        first = grad(outputs, inputs, ws, allow_unused=True, create_graph=order > 1)
    for i, d, x in zip(places, first, inputs, strict=True):
        found[f"df/dx{i}"] = zeros(x) if d is None else array(d)
    if order > 1:
        pairs = [d for d in first if d is not None and d.requires_grad]
        second: Any = [None] * len(inputs)
        if pairs:
            ws = [tensor(weights(tuple(d.shape), dtype_of(d))) for d in pairs]
            second = grad(pairs, inputs, ws, allow_unused=True)
        for i, d, x in zip(places, second, inputs, strict=True):
            found[f"d2f/dx{i}"] = zeros(x) if d is None else array(d)
    return Answer(found, {})


def dtype_of(tensor: Any) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def zeros(x: Any) -> ndarray:
    return np.zeros(tuple(x.shape), dtype_of(x))


def tape(lib: Any) -> Callable[..., Answer]:
    """This package, or a copy of it; every value is guarded against being written into."""

    def guard(value: Any) -> None:
        value._array.flags.writeable = False

    def answer(program: Program, order: int = 1, jitter: Any = None) -> Answer:
        leaves = [
            lib.tensor(leaf.array(), requires_grad=leaf.requires_grad) for leaf in program.leaves
        ]
        return tape_answer(
            lib,
            lib.grad,
            program,
            order,
            leaves,
            lib.from_numpy,
            lambda t: t.detach().numpy(),
            guard,
        )

    return answer


def exponent_0(program: Program) -> bool:
    """Whether a power has an exponent of 0 in it.

    ∂²xʸ/∂x∂y = xʸ⁻¹ (1 + y log x) is 1/x there. PyTorch's ∂xʸ/∂x is 0 where y is 0, and does not
    depend on y; so it has 0 if it differentiates by x first.
    """
    if not any(step.op == "pow_tensor" for step in program.steps):
        return False
    values = trace(program).values
    return any(
        bool((values[step.inputs[1]] == 0).any())
        for step in program.steps
        if step.op == "pow_tensor"
    )


def array_of(tensor: Any) -> ndarray:
    """The entries of a Tensor of PyTorch's, some of which are zeros that have no memory."""
    # To ask those for an array, even with force=True, can end the process.
    return zeros(tensor) if tensor._is_zerotensor() else np.asarray(tensor.detach().numpy())


def widened(program: Program) -> Program:
    """The same program in float64 throughout."""
    return program._replace(
        leaves=tuple(leaf._replace(dtype="float64") for leaf in program.leaves),
        steps=tuple(
            step._replace(options={"dtype": "float64"}) if step.op == "cast" else step
            for step in program.steps
        ),
    )


def with_torch() -> Oracle:
    torch: Any = needed("torch", "PyTorch", "torch")
    torch.set_num_threads(1)

    def own(array: Any) -> Any:
        # PyTorch warns of a read-only array, such as one that was broadcast.
        return torch.from_numpy(np.array(array))

    def answer(program: Program, order: int = 1, jitter: Any = None) -> Answer:
        if order > 1 and exponent_0(program):
            raise Unavailable("PyTorch's second derivatives of x**y are wrong where y is 0")
        if jitter is not None:
            # In float32, rounding would hide what the disturbance does.
            jitter = Jitter(program, jitter)
            jitter.convert = own
            program = widened(program)
        leaves = [own(leaf.array()).requires_grad_(leaf.requires_grad) for leaf in program.leaves]
        return tape_answer(
            torch,
            torch.autograd.grad,
            program,
            order,
            leaves,
            own,
            array_of,
            None,
            jitter,
        )

    return Oracle("torch", answer, exact_dtypes=True)


# Plain arrays, in float64 throughout.


def weighted(program: Program, values: list[Any], xp: Any = np) -> Any:
    """f = Σ weights ⊙ output."""
    return sum(xp.sum(weights(values[i].shape) * values[i]) for i in program.outputs)


def again(jitter: Jitter | None) -> Jitter | None:
    """The same disturbance in each run of a program."""
    return None if jitter is None else jitter.restart()


def array_leaves(program: Program) -> list[ndarray]:
    return [leaf.array().astype(np.float64) for leaf in program.leaves]


STEP = 1e-30


def complex_step() -> Oracle:
    """Im f(x + ih) / h, which for small h is f′(x) to the last digit, as nothing is subtracted."""

    def answer(program: Program, order: int = 1, jitter: Any = None) -> Answer:
        leaves = array_leaves(program)
        places = wanted(program)
        jitter = None if jitter is None else Jitter(program, jitter)
        with np.errstate(all="ignore"):
            values = run(program, NUMPY, leaves, None, again(jitter))
            found = {f"x{i}": values[i] for i in program.outputs}
            errors: Quantities = {}

            def slope(direction: dict[int, ndarray], base: list[ndarray] = leaves) -> float:
                moved: list[Any] = list(base)
                for i, v in direction.items():
                    moved[i] = base[i] + 1j * STEP * v
                return float(
                    np.imag(weighted(program, run(program, NUMPY, moved, None, again(jitter))))
                    / STEP
                )

            if order > 0:
                for i in places:
                    d = np.zeros(leaves[i].shape)
                    for at in np.ndindex(d.shape):
                        d[at] = slope({i: one_at(d.shape, at)})
                    found[f"df/dx{i}"] = d
                    # What h² leaves, seen where the derivative itself is 0.
                    errors[f"df/dx{i}"] = np.full(d.shape, STEP)
            if order > 1:
                along = {i: weights(leaves[i].shape) for i in places}
                for i in places:
                    d, e = np.zeros(leaves[i].shape), np.zeros(leaves[i].shape)
                    for at in np.ndindex(d.shape):

                        def shifted(t: float, i: int = i, at: Any = at) -> float:
                            base = list(leaves)
                            base[i] = base[i].copy()
                            base[i][at] += t
                            return slope(along, base)

                        d[at], e[at] = derivative(shifted)
                    found[f"d2f/dx{i}"], errors[f"d2f/dx{i}"] = d, e
        return Answer(found, errors)

    return Oracle("complex", answer)


def one_at(shape: tuple[int, ...], at: tuple[int, ...]) -> ndarray:
    one = np.zeros(shape)
    one[at] = 1
    return one


def derivative(f: Callable[[float], Any], start: float = 1 / 32, steps: int = 8) -> tuple[Any, Any]:
    """f′(0) by central differences at halved steps, extrapolated to step 0, and its error.

    This is Richardson's scheme, in Ridders' form. An entry of the table is taken to be as far off
    as it is from those it was made of, and the best one is returned; where steps are too large or
    rounding too coarse, neighbours differ, and the error says so. ``f`` may return arrays.

    >>> d, error = derivative(lambda t: (1 + t) ** 3)
    >>> bool(abs(d - 3) <= error < 1e-9)
    True
    """
    rows: list[list[Any]] = []
    best: Any = None
    best_error: Any = None
    size: Any = 0.0
    h = start
    for k in range(steps):
        ends = np.asarray(f(h), np.float64), np.asarray(f(-h), np.float64)
        size = np.maximum(size, np.maximum(np.abs(ends[0]), np.abs(ends[1])))
        row = [(ends[0] - ends[1]) / (2 * h)]
        rounding = 4 * np.finfo(np.float64).eps * size / h
        for m in range(1, min(k, 4) + 1):
            row.append(row[-1] + (row[-1] - rows[-1][m - 1]) / (4**m - 1))
            error = np.maximum(np.abs(row[m] - row[m - 1]), np.abs(row[m] - rows[-1][m - 1]))
            error = np.where(np.isfinite(error), error + rounding, np.inf)
            if best is None:
                best, best_error = row[m], error
            else:
                better = error < best_error
                best, best_error = (
                    np.where(better, row[m], best),
                    np.where(better, error, best_error),
                )
        rows.append(row)
        h /= 2
    return best[()], best_error[()]


def finite_differences() -> Oracle:
    """(f(x + h) − f(x − h)) / 2h at several steps h, extrapolated to h = 0."""

    def answer(program: Program, order: int = 1, jitter: Any = None) -> Answer:
        leaves = array_leaves(program)
        places = wanted(program)
        jitter = None if jitter is None else Jitter(program, jitter)

        def f(moves: list[tuple[int, ndarray, float]]) -> float:
            moved = list(leaves)
            for i, v, t in moves:
                moved[i] = moved[i] + t * v
            return float(weighted(program, run(program, NUMPY, moved, None, again(jitter))))

        with np.errstate(all="ignore"):
            values = run(program, NUMPY, leaves, None, again(jitter))
            found = {f"x{i}": values[i] for i in program.outputs}
            errors: Quantities = {}

            def fill(name: str, i: int, slope: Callable[[ndarray], tuple[float, float]]) -> None:
                d, e = np.zeros(leaves[i].shape), np.zeros(leaves[i].shape)
                for at in np.ndindex(d.shape):
                    d[at], e[at] = slope(one_at(d.shape, at))
                found[name], errors[name] = d, e

            for i in places if order > 0 else ():
                fill(f"df/dx{i}", i, lambda v, i=i: derivative(lambda t: f([(i, v, t)])))  # type: ignore[misc]
            along = [(i, weights(leaves[i].shape)) for i in places]

            def twice(i: int, v: ndarray) -> tuple[float, float]:
                worst = 0.0

                def inner(t: float) -> float:
                    nonlocal worst
                    d, e = derivative(
                        lambda s: f([(i, v, t), *((j, w, s) for j, w in along)]), 1 / 128
                    )
                    worst = max(worst, float(e))
                    return float(d)

                d, e = derivative(inner, 1 / 32, 5)
                return d, e + worst * 512

            for i in places if order > 1 else ():
                fill(f"d2f/dx{i}", i, lambda v, i=i: twice(i, v))  # type: ignore[misc]
        return Answer(found, errors)

    return Oracle("finite", answer)


def closed_form() -> Oracle:
    """The formulas of ``two_layer``, for two-layer programs."""

    def answer(program: Program, order: int = 1, jitter: Any = None) -> Answer:
        if program.steps != TWO_LAYER or order > 1:
            raise Unavailable("the closed form is of the two-layer network's first derivatives")
        arrays = array_leaves(program)
        f, gradients = two_layer.closed_form(*arrays)
        found = {"x13": np.asarray(f)}
        errors = {}
        stored = [leaf.array() for leaf in program.leaves]
        bound, bounds = two_layer.error_bounds(*stored)
        errors["x13"] = np.asarray(bound)
        for i in wanted(program):
            name = two_layer.NAMES[i]
            found[f"df/dx{i}"], errors[f"df/dx{i}"] = gradients[name], bounds[name]
        return Answer(found, errors)

    return Oracle("closed-form", answer)


# Libraries of functions on arrays.


def functional(
    name: str, xp: Any, grad: Callable[..., Any], cannot: tuple[str, ...] = ()
) -> Oracle:
    """A library that differentiates functions of arrays that look like NumPy's."""
    arrays = Arrays(xp)

    def answer(program: Program, order: int = 1, jitter: Any = None) -> Answer:
        for step in program.steps:
            if step.op in cannot:
                raise Unavailable(f"{name} has no {step.op} that can be differentiated")
        leaves, places = array_leaves(program), wanted(program)
        jitter = None if jitter is None else Jitter(program, jitter)

        def f(some: list[Any]) -> Any:
            full: list[Any] = list(leaves)
            for i, x in zip(places, some, strict=True):
                full[i] = x
            return weighted(program, run(program, arrays, full, None, again(jitter)), xp)

        some = [xp.array(leaves[i]) for i in places]
        values = run(program, arrays, [xp.array(x) for x in leaves], None, again(jitter))
        found = {f"x{i}": np.asarray(values[i]) for i in program.outputs}
        first = grad(f)

        def pushed(some: list[Any]) -> Any:
            return sum(xp.sum(weights(d.shape) * d) for d in first(some))

        if order > 0:
            found.update((f"df/dx{i}", np.asarray(d)) for i, d in zip(places, first(some)))
        if order > 1:
            found.update((f"d2f/dx{i}", np.asarray(d)) for i, d in zip(places, grad(pushed)(some)))
        return Answer(found, {})

    return Oracle(name, answer)


def with_jax() -> Oracle:
    jax: Any = needed("jax", "JAX", "jax")
    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp  # type: ignore[import-not-found,unused-ignore]

    return functional("jax", jnp, jax.grad)


def with_autograd() -> Oracle:
    autograd: Any = needed("autograd", "HIPS autograd", "autograd")
    import autograd.numpy as anp  # type: ignore[import-not-found,import-untyped,unused-ignore]

    return functional("autograd", anp, autograd.grad, cannot=("scatter", "expand"))


def needed(module: str, name: str, package: str) -> Any:
    """A module, or Unavailable with the command that installs it."""
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError:
        raise Unavailable(f"{name} is not installed; pip install {package}") from None


ORACLES: dict[str, Callable[[], Oracle]] = {
    "torch": with_torch,
    "jax": with_jax,
    "autograd": with_autograd,
    "complex": complex_step,
    "finite": finite_differences,
    "closed-form": closed_form,
}


@cache
def oracle(name: str) -> Oracle:
    """The oracle of this name; Unavailable where what it needs is not there.

    >>> sorted(oracle("complex").answer(two_layer_example(), 1, None).quantities)
    ['df/dx0', 'df/dx1', 'df/dx2', 'df/dx3', 'df/dx4', 'df/dx5', 'x13']
    """
    if name not in ORACLES:
        raise Unavailable(f"{name!r} is not an oracle; there are: {', '.join(ORACLES)}")
    return ORACLES[name]()


def two_layer_example() -> Program:
    from .programs import two_layer as make

    return make(lambda n: 0)


# Two answers beside each other.


class Difference(NamedTuple):
    """A quantity on which the tape and an oracle differ by more than rounding explains."""

    quantity: str
    oracle: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.quantity}: {self.found}, but by {self.oracle} {self.expected}"


ROUNDS = 5
SAFETY = 32


def difference(
    program: Program, mine: Quantities, oracle: Oracle, order: int = 1
) -> Difference | None:
    """The first quantity on which an answer and an oracle differ by more than rounding explains.

    What rounding can do is measured: the oracle answers again, with each entry of each intermediate
    result moved by a few units in the last place, at random (stochastic arithmetic, after Vignes).
    """
    theirs = oracle.answer(program, order, None)
    suspicious = []
    coarse = any(leaf.dtype == "float32" for leaf in program.leaves) or any(
        step.options.get("dtype") == "float32" for step in program.steps
    )
    eps = float(np.finfo("float32" if coarse else "float64").eps)
    for name, b in theirs.quantities.items():
        a = mine[name]
        if a.shape != b.shape or (oracle.exact_dtypes and a.dtype != b.dtype):
            return Difference(name, oracle.name, f"{a.dtype}{a.shape}", f"{b.dtype}{b.shape}")
        if a.size == 0:
            continue
        # In most programs rounding is far less than this, and nothing needs to be measured.
        allowed = 16 * eps * np.abs(b) + SAFETY * theirs.errors.get(name, 0.0)
        if not (np.abs(a - b) <= allowed).all():
            suspicious.append(name)
    if not suspicious:
        return None
    moved = [oracle.answer(program, order, seed).quantities for seed in range(ROUNDS)]
    spread = {name: np.ptp([found[name] for found in moved], 0) for name in suspicious}
    for name in suspicious:
        a, b = mine[name].astype(np.float64), theirs.quantities[name].astype(np.float64)
        least = float(np.finfo("float32" if coarse else "float64").tiny) * LARGEST_SLOPE
        allowed = SAFETY * (spread[name] + eps * np.abs(b) + theirs.errors.get(name, 0.0)) + least
        off = ~(np.abs(a - b) <= allowed)
        if off.any():
            at = tuple(map(int, np.argwhere(off)[0]))
            where = f"{name}{list(at)}" if at else name
            return Difference(where, oracle.name, repr(a[at].item()), repr(b[at].item()))
    return None


LARGEST_SLOPE = 1e6  # that an underflow may meet
