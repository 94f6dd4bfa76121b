"""A training step as one program: a function, its gradients and the step of an optimiser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from ...core.tape import lock
from ...core.tensor import grad
from ...optim import SGD, Adam, AdamW, Optimizer
from ...optim.optimizer import States
from ...torch.tensor import Tensor
from ...torch.views import Values, rewrite
from .program import Program, program_of, source_of
from .trace import (
    Trace,
    argument,
    argument_names,
    clear,
    given,
    in_brackets,
    nodes_of,
    result_of,
    run_traced,
)

RATES = "lr", "initial_lr"


class Parameter(NamedTuple):
    """A parameter before a step: what is kept of it as arrays, and places of two numbers."""

    tensor: Tensor
    array: ndarray
    options: dict[str, Any]
    kept: dict[str, ndarray]
    rate: int  # of its learning rate among those that there are
    step: int  # of the number of this step among those that there are


class Start(NamedTuple):
    """What a step starts from."""

    state: States  # of the optimiser
    parameters: list[Parameter]
    frozen: list[ndarray]  # parameters that do not require grad
    # The arguments of the program: those of the function, each parameter and what is kept of it,
    # and the learning rates and numbers of steps, one each, however many parameters share it.
    inputs: list[ndarray]
    rates: int
    signature: Any


class Result(NamedTuple):
    """What a program returns for a parameter: its new value, then the arrays to keep."""

    place: int
    kept: list[str]
    counts: bool  # whether the number of the step is kept too


class StepProgram(NamedTuple):
    """A program for a step, what its results are, and the arrays of frozen parameters in it."""

    program: Program
    results: list[Result]
    frozen: list[ndarray]


@dataclass(eq=False)
class TrainingStep:
    """A compiled function, its gradients and the step of an optimiser; ``compile`` makes one."""

    function: Callable[..., Any]
    optimizer: Optimizer
    programs: dict[Any, StepProgram] = field(default_factory=dict, repr=False)
    latest: Program | None = field(default=None, repr=False)

    @property
    def source(self) -> str:
        """The program made last; RuntimeError before the first call."""
        return source_of(self.latest)

    def __reduce__(self) -> Any:
        return training_step, (self.function, self.optimizer)

    def __call__(self, *args: Any) -> Any:
        arrays = given(args)
        with lock:
            start = start_of(self.optimizer, arrays)
            program, results, _ = self.program_for(start, arrays)
            self.latest = program
            value, *found = program(start.inputs)
            settle(self.optimizer, start, results, found)
        return value

    def program_for(self, start: Start, arrays: list[ndarray]) -> StepProgram:
        """The program for a step from there, from a trace if there is none yet."""
        known = self.programs.get(start.signature)
        if known is None or list(map(id, known.frozen)) != list(map(id, start.frozen)):
            trace, results = run_traced(trace_step, self.function, self.optimizer, arrays, start)
            known = StepProgram(program_of(trace), results, start.frozen)
            self.programs[start.signature] = known
        return known


def training_step(function: Callable[..., Any], optimizer: Optimizer) -> TrainingStep:
    """The step of a function and an optimiser; TypeError for one that cannot be traced."""
    # Of these alone: a subclass may do something else in a step.
    kinds = SGD, Adam, AdamW
    if type(optimizer) not in kinds:
        raise TypeError(
            f"compile: the steps of {', '.join(t.__name__ for t in kinds)} can be compiled, not "
            f"those of {type(optimizer).__name__}; leave optimizer out, and call its step()"
        )
    return TrainingStep(function, optimizer)


def start_of(optimizer: Optimizer, arrays: list[ndarray]) -> Start:
    state = optimizer.state
    rates: dict[float, int] = {}
    steps: dict[int, int] = {}
    parameters: list[Parameter] = []
    frozen: list[ndarray] = []
    inputs = list(arrays)
    options = []
    for group in optimizer.param_groups:
        its = optimizer.options(group)
        options.append(repr([v for k, v in its.items() if k not in ("params", *RATES)]))
        rate = rates.setdefault(float(its["lr"]), len(rates))
        for p in group["params"]:
            if not p.requires_grad:
                frozen.append(p._array)
                continue
            have = state.get(p, {})
            step = steps.setdefault(have.get("step", 0) + 1, len(steps))
            kept = {k: v for k, v in have.items() if isinstance(v, ndarray)}
            parameters.append(Parameter(p, p._array, its, kept, rate, step))
            inputs += [parameters[-1].array, *kept.values()]
    inputs += [np.array(float(n)) for n in (*rates, *steps)]
    signature = (
        tuple([(a.shape, a.dtype) for a in inputs]),
        tuple([(id(p.tensor), *p.kept, p.rate, p.step) for p in parameters]),
        tuple(options),
    )
    return Start(state, parameters, frozen, inputs, len(rates), signature)


def settle(optimizer: Optimizer, start: Start, results: list[Result], found: list[ndarray]) -> None:
    """Let what a program found be the values of the parameters and the optimiser's state."""
    values: Values = {}
    after = start.state.copy()
    each = map(np.asarray, found)
    for result in results:
        p = start.parameters[result.place].tensor
        rewrite(p, next(each), values)
        have = start.state.get(p, {})
        after[p] = {**have, **{k: next(each) for k in result.kept}}
        if result.counts:
            after[p]["step"] = have.get("step", 0) + 1
    optimizer.settle(values, after)


def trace_step(
    function: Callable[..., Any], optimizer: Optimizer, arrays: list[ndarray], start: Start
) -> tuple[Trace, list[Result]]:
    """The graph of a whole step, and what its results are after the value."""
    arguments = [argument(a) for a in arrays]
    parameters = start.parameters
    kept = [{k: argument(a) for k, a in p.kept.items()} for p in parameters]
    count = len(arrays) + sum(1 + len(k) for k in kept)
    numbers = [argument(a) for a in start.inputs[count:]]
    tensors = [p.tensor for p in parameters]
    labels = labels_of(tensors)
    value = value_of(function, arguments, tensors)
    outputs: list[Tensor | None] = [value]
    titles = ["the value"]
    results = []
    slopes = grad(value, tensors, allow_unused=True)
    for i, (p, g, have) in enumerate(zip(parameters, slopes, kept, strict=True)):
        if g is None:
            continue
        options = {**p.options, "lr": numbers[p.rate]}
        rows = {k: as_row(v) for k, v in have.items()}
        t = numbers[start.rates + p.step]
        new, keep = optimizer.updated(options, as_row(p.tensor), as_row(g), rows, t)
        names = [k for k in keep if k != "step"]
        results.append(Result(i, names, "step" in keep))
        titles += [f"new {x}" for x in (labels[i], *(f"{labels[i]}_{k}" for k in names))]
        outputs += [x.reshape(p.tensor.shape) for x in (new, *(keep[k] for k in names))]
    order = [*arguments]
    names = argument_names(function, len(arrays))
    for label, x, have in zip(labels, tensors, kept):
        order += [x, *have.values()]
        names += [label, *(f"{label}_{k}" for k in have)]
    names += [f"lr{i}" for i in range(start.rates)]
    names += [f"t{i}" for i in range(len(numbers) - start.rates)]
    nodes = nodes_of([*order, *numbers])
    form = in_brackets(len(outputs))
    return Trace(nodes, start.inputs, clear(names), outputs, form, titles), results


def value_of(
    function: Callable[..., Any], arguments: list[Tensor], parameters: list[Tensor]
) -> Tensor:
    value = result_of(function, arguments, [*arguments, *parameters])
    if not isinstance(value, Tensor):
        raise TypeError(f"compile: the function must return a Tensor, not {type(value).__name__}")
    if value.numel() != 1:
        raise ValueError(
            "compile: with an optimizer the function must return one Tensor of one entry, "
            f"not of shape {value.shape}"
        )
    return value


def labels_of(parameters: list[Tensor]) -> list[str]:
    names = [p.name or "" for p in parameters]
    return [n if n.isidentifier() else f"p{i}" for i, n in enumerate(names)]


def as_row(x: Tensor) -> Tensor:
    """x with an axis: a number that has none decides of what dtype a result is."""
    return x.reshape(1) if x.ndim == 0 else x
