"""Libraries that run a program and differentiate it: this package, PyTorch, JAX, HIPS autograd."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy import ndarray

from .answers import Answer, Oracle, Unavailable, array_leaves, wanted, weighted, weights
from .arrays import Arrays
from .jitter import Jitter
from .programs import Program, trace
from .quoted import answers
from .running import run
from .specs import spec

# With a tape.


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


def with_torch() -> Oracle:
    torch: Any = needed("torch", "PyTorch", "torch")
    torch.set_num_threads(1)

    def own(array: Any) -> Any:
        # PyTorch warns of a read-only array, such as one that was broadcast.
        return torch.from_numpy(np.array(array))

    def answer(program: Program, order: int = 1, jitter: Jitter | None = None) -> Answer:
        for step in program.steps:
            if spec(step.op).own and not hasattr(torch, step.op):
                raise Unavailable(f"PyTorch has no {step.op}")
        if order > 1 and exponent_0(program):
            raise Unavailable("PyTorch's second derivatives of x**y are wrong where y is 0")
        if jitter is not None:
            # In float32, rounding would hide what the disturbance does.
            jitter.convert = own
            program = widened(program)
        leaves = [own(leaf.array()).requires_grad_(leaf.requires_grad) for leaf in program.leaves]
        grad = torch.autograd.grad
        return tape_answer(torch, grad, program, order, leaves, array_of, None, jitter)

    return Oracle("torch", answer, exact_dtypes=True, version=version("torch"))


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


# Of functions on arrays.


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
            x: list[Any] = list(leaves)
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

    return Oracle(name, answer, version=version(name))


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
