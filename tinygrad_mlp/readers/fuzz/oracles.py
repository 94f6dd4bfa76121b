"""Other ways to the same derivatives, none of which goes through the tape under test.

An oracle takes a program and answers with its quantities by name: ``x3`` for the value of an
output, ``df/dx0`` for the gradient of f = Σ weights ⊙ output at a leaf, and at order 2 ``d2f/dx0``
for the gradient of Σ weights ⊙ df/dx over all leaves. What it needs is imported when it is chosen.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from ...core.ops import Shape
from ...experiment import two_layer
from ...experiment.bounds import error_bounds
from ...experiment.closed_form import closed_form as by_hand
from . import generating
from .arrays import NUMPY, Arrays
from .programs import Program, run, trace
from .quoted import answers
from .rounding import Jitter

Quantities = dict[str, ndarray]


class Answer(NamedTuple):
    """An oracle's quantities, and for some of them how far off they may be."""

    quantities: Quantities
    errors: Quantities


class Unavailable(RuntimeError):  # noqa: N818 - it is the oracle's state, as StopIteration is
    """An oracle cannot be asked: what it needs is not installed, or it has no such op or order."""


class Oracle(NamedTuple):
    """A way to a program's derivatives: ``answer(program, order, jitter)`` gives an ``Answer``.

    ``run(program, lib, leaves, None, jitter)`` runs a program under a library; a ``Jitter``, if
    there is one, disturbs what it computes, so that the answer shows what rounding can do to it.
    """

    name: str
    answer: Callable[[Program, int, Jitter | None], Answer]
    exact_dtypes: bool = False  # whether it computes in the program's own dtypes


def wanted(program: Program) -> list[int]:
    """The leaves that have a gradient."""
    return [i for i, leaf in enumerate(program.leaves) if leaf.requires_grad]


def weights(shape: Shape) -> ndarray:
    """1, −2, 3, … in this shape, as in ``answers``."""
    n = np.arange(np.prod(shape, dtype=int))
    return np.asarray((n + 1.0) * (1 - 2 * (n % 2))).reshape(shape)


# Libraries with a tape of their own.


def tape_answer(
    lib: Any,
    grad: Callable[..., Any],
    program: Program,
    order: int,
    leaves: Sequence[Any],
    array: Callable[[Any], ndarray],
    after: Callable[[Any], Any] | None = None,
    jitter: Jitter | None = None,
) -> Answer:
    """What a library in PyTorch's manner answers: this package or PyTorch."""
    values = run(program, lib, leaves, after, jitter)
    outputs = {f"x{i}": values[i] for i in program.outputs}
    inputs = {f"x{i}": leaves[i] for i in wanted(program)}
    found = answers(lib, grad, outputs, inputs, order)
    return Answer({name: array(t) for name, t in found.items()}, {})


def tape(lib: Any) -> Callable[..., Answer]:
    """This package, or a copy of it; every value is guarded against being written into."""

    def guard(value: Any) -> None:
        value._array.flags.writeable = False

    def answer(program: Program, order: int = 1) -> Answer:
        leaves = [lib.tensor(x.array(), requires_grad=x.requires_grad) for x in program.leaves]
        return tape_answer(
            lib, lib.grad, program, order, leaves, lambda t: t.detach().numpy(), guard
        )

    return answer


def exponent_0(program: Program) -> bool:
    """Whether a power has an exponent of 0 in it.

    ∂²xʸ/∂x∂y = xʸ⁻¹ (1 + y log x) is 1/x there. PyTorch's ∂xʸ/∂x is 0 where y is 0, and does not
    depend on y; so it has 0 if it differentiates by x first. HIPS autograd's is y x there, and has
    x then.
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
    tensor = tensor.detach()
    return np.asarray((tensor.clone() if tensor._is_zerotensor() else tensor).numpy())


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

    def answer(program: Program, order: int = 1, jitter: Jitter | None = None) -> Answer:
        if order > 1 and exponent_0(program):
            raise Unavailable("PyTorch's second derivatives of x**y are wrong where y is 0")
        if jitter is not None:
            # In float32, rounding would hide what the disturbance does.
            jitter.convert = own
            program = widened(program)
        leaves = [own(leaf.array()).requires_grad_(leaf.requires_grad) for leaf in program.leaves]
        grad = torch.autograd.grad
        return tape_answer(torch, grad, program, order, leaves, array_of, None, jitter)

    return Oracle("torch", answer, exact_dtypes=True)


# Plain arrays, in float64 throughout.


def array_leaves(program: Program) -> list[ndarray]:
    return [leaf.array().astype(np.float64) for leaf in program.leaves]


def weighted(program: Program, values: Sequence[Any], xp: Any = np) -> Any:
    """f = Σ weights ⊙ output."""
    return sum(xp.sum(weights(values[i].shape) * values[i]) for i in program.outputs)


Point = list[Any]  # an array for each leaf
Line = dict[int, ndarray]  # a direction for some leaves
Slope = Callable[[Callable[[Point], Any], Point, Line], tuple[Any, Any]]


def moved(point: Point, along: Line, t: Any) -> Point:
    return [x + t * along[i] if i in along else x for i, x in enumerate(point)]


STEP = 1e-30


def complex_slope(f: Callable[[Point], Any], x: Point, v: Line) -> tuple[float, float]:
    """Im f(x + ihv) / h: for small h the derivative to the last digit, as nothing is subtracted."""
    # What is left of h² shows where the derivative itself is 0.
    return float(np.imag(f(moved(x, v, 1j * STEP))) / STEP), STEP


def finite_slope(f: Callable[[Point], Any], x: Point, v: Line) -> tuple[float, float]:
    """(f(x + hv) − f(x − hv)) / 2h at several steps h, extrapolated to h = 0."""
    return derivative(lambda t: f(moved(x, v, t)), 1 / 128)


def by_slopes(name: str, slope: Slope) -> Oracle:
    """An oracle that knows the derivative of f at x along v, and asks for it along each axis."""

    def answer(program: Program, order: int = 1, jitter: Jitter | None = None) -> Answer:
        leaves, places = array_leaves(program), wanted(program)
        every = {i: weights(leaves[i].shape) for i in places}

        def f(x: Point) -> Any:
            return weighted(program, run(program, NUMPY, x, None, jitter))

        def curvature(v: Line) -> tuple[float, float]:
            worst = 0.0

            def inner(t: float) -> float:
                nonlocal worst
                d, error = slope(f, moved(leaves, v, t), every)
                worst = max(worst, float(error))
                return float(d)

            # The smallest of 5 steps from 1/32 is 1/512, by which errors of f′ are divided.
            d, error = derivative(inner, 1 / 32, 5)
            return d, error + 512 * worst

        with np.errstate(all="ignore"):
            values = run(program, NUMPY, leaves, None, jitter)
            found: Quantities = {f"x{i}": values[i] for i in program.outputs}
            errors: Quantities = {}
            for order_of, name in ((1, "df"), (2, "d2f"))[:order]:
                for i in places:
                    d, e = np.zeros(leaves[i].shape), np.zeros(leaves[i].shape)
                    for at in np.ndindex(d.shape):
                        v = {i: np.zeros(d.shape)}
                        v[i][at] = 1
                        d[at], e[at] = slope(f, leaves, v) if order_of == 1 else curvature(v)
                    found[f"{name}/dx{i}"], errors[f"{name}/dx{i}"] = d, e
        return Answer(found, errors)

    return Oracle(name, answer)


def derivative(
    f: Callable[[float], Any],
    start: float = 1 / 32,
    steps: int = 8,
    eps: float = float(np.finfo(np.float64).eps),
    noise: float = 0.0,
) -> tuple[Any, Any]:
    """f′(0) by central differences at halved steps, extrapolated to step 0, and its error.

    This is Richardson's scheme, in Ridders' form. An entry of the table is taken to be as far off
    as it is from those it was made of, and the best one is returned; where steps are too large or
    rounding too coarse, neighbours differ, and the error says so. ``f`` may return arrays; where it
    computes with another ``eps``, or is off by ``noise`` beyond that, say so.

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
        # A large step may leave the domain, which says nothing of the smaller ones.
        largest = np.maximum(np.abs(ends[0]), np.abs(ends[1]))
        size = np.maximum(size, np.where(np.isfinite(largest), largest, 0.0))
        row = [(ends[0] - ends[1]) / (2 * h)]
        rounding = 4 * (eps * size + noise) / h
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


def closed_form() -> Oracle:
    """The formulas of ``two_layer``, for two-layer programs."""

    def answer(program: Program, order: int = 1, jitter: Jitter | None = None) -> Answer:
        if program.steps != generating.TWO_LAYER or order > 1:
            raise Unavailable("the closed form is of the two-layer network's first derivatives")
        f, gradients = by_hand(*array_leaves(program))
        bound, bounds = error_bounds(*(leaf.array() for leaf in program.leaves))
        found, errors = {"x13": np.asarray(f)}, {"x13": np.asarray(bound)}
        for i in wanted(program)[: len(two_layer.NAMES) * order]:
            name = two_layer.NAMES[i]
            found[f"df/dx{i}"], errors[f"df/dx{i}"] = gradients[name], bounds[name]
        return Answer(found, errors)

    return Oracle("closed-form", answer)


# Libraries of functions on arrays.


def functional(
    name: str,
    xp: Any,
    grad: Callable[..., Any],
    refuses: Callable[[Program, int], str | None] = lambda program, order: None,
    ready: Callable[..., Any] = lambda function: function,
) -> Oracle:
    """A library that differentiates functions of arrays that look like NumPy's."""
    arrays = Arrays(xp)

    def answer(program: Program, order: int = 1, jitter: Jitter | None = None) -> Answer:
        reason = refuses(program, order)
        if reason is not None:
            raise Unavailable(reason)
        leaves, places = array_leaves(program), wanted(program)

        def values(some: list[Any]) -> list[Any]:
            x: Point = list(leaves)
            for i, value in zip(places, some, strict=True):
                x[i] = value
            return run(program, arrays, x, None, jitter)

        def f(some: list[Any]) -> Any:
            return weighted(program, values(some), xp)

        def pushed(some: list[Any]) -> Any:
            return sum(xp.sum(weights(d.shape) * d) for d in grad(f)(some))

        def all_of_it(some: list[Any]) -> list[Any]:
            outputs = values(some)
            found = [outputs[i] for i in program.outputs]
            for g in (f, pushed)[:order]:
                found += grad(g)(some)
            return found

        names = [f"x{i}" for i in program.outputs]
        names += [f"{d}/dx{i}" for d in ("df", "d2f")[:order] for i in places]
        found = ready(all_of_it)([xp.array(leaves[i]) for i in places])
        return Answer(dict(zip(names, map(np.asarray, found), strict=True)), {})

    return Oracle(name, answer)


def with_jax() -> Oracle:
    jax: Any = needed("jax", "JAX", "jax")
    jax.config.update("jax_enable_x64", True)
    # To compile a whole program takes less time than to compile each of its ops.
    return functional("jax", import_module("jax.numpy"), jax.grad, ready=jax.jit)


def with_autograd() -> Oracle:
    autograd: Any = needed("autograd", "HIPS autograd", "autograd")

    def grad(f: Callable[..., Any]) -> Callable[..., Any]:
        def quiet(x: Any) -> Any:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Output seems independent of input")
                return autograd.grad(f)(x)

        return quiet

    def refuses(program: Program, order: int) -> str | None:
        values = trace(program).values
        if any(
            step.op in ("scatter", "expand")
            or (step.op == "getitem" and values[step.inputs[0]].ndim == 0)
            for step in program.steps
        ):
            return "HIPS autograd has no derivative of scatter, expand, or an index of a number"
        if order > 1 and exponent_0(program):
            return "HIPS autograd's second derivatives of x**y are wrong where y is 0"
        return None

    return functional("autograd", import_module("autograd.numpy"), grad, refuses)


def needed(module: str, name: str, package: str) -> Any:
    """A module, or Unavailable with the command that installs it."""
    try:
        return import_module(module)
    except ImportError:
        raise Unavailable(f"{name} is not installed; pip install {package}") from None


ORACLES: dict[str, Callable[[], Oracle]] = {
    "torch": with_torch,
    "jax": with_jax,
    "autograd": with_autograd,
    "complex": lambda: by_slopes("complex", complex_slope),
    "finite": lambda: by_slopes("finite", finite_slope),
    "closed-form": closed_form,
}


@cache
def oracle(name: str) -> Oracle:
    """The oracle of this name; Unavailable where what it needs is not there.

    The name is one of ``ORACLES``, or for an oracle of your own ``module:function``, a function
    without parameters that returns an ``Oracle``.

    >>> from tinygrad_mlp.testing import generate, oracle
    >>> sorted(oracle("complex").answer(generate(seed=0, ops=["exp"]), 1, None).quantities)
    ['df/dx0', 'x1']
    """
    module, _, function = name.partition(":")
    if function:
        try:
            own = getattr(import_module(module), function)()
        except Exception as error:
            raise Unavailable(f"{name}: {error}") from error
        if not isinstance(own, Oracle):
            raise Unavailable(f"{name} returns {type(own).__name__}, not an Oracle")
        return own._replace(name=name)
    if name not in ORACLES:
        raise Unavailable(f"{name!r} is not an oracle; there are: {', '.join(ORACLES)}")
    return ORACLES[name]()
