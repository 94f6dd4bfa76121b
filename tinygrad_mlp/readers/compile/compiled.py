"""A function of Tensors, compiled: run once to see its graph, and from then on as a program.

The function is run on Tensors, and so are the VJPs of what it recorded, and if an optimiser is
given, its step. The graph of all that is what ``program`` makes a program of.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Callable
from keyword import iskeyword
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy import ndarray

from ...autograd.derivatives import grad, gradients_of
from ...core.atomic import Change, carry_out
from ...core.ops import Op
from ...core.reports import settings, silent
from ...core.tape import Node, is_tracing, leaf, record, recording, run_with
from ...torch.accepts import as_array
from ...torch.tensor import Tensor, wrap
from ...torch.views import Before, Values, changed, rewrite, undo, watched
from .program import Program, values_of

if TYPE_CHECKING:
    from ...optim import Optimizer


def compile(
    function: Callable[..., Any],
    gradients: bool = True,
    reuse: bool = False,
    optimizer: Optimizer | None = None,
) -> Compiled:
    """Make a program of a function of Tensors and of its gradients.

    After ``step = compile(function)``, call ``value, gradients = step(*arrays)``. ``function``
    takes Tensors and returns a Tensor of one entry; ``step`` takes arrays, Tensors or numbers and
    returns what NumPy would, arrays or 0-d scalars: the value, and a tuple of the gradients with
    respect to the arguments of float dtypes, with None for the others. With ``gradients=False``,
    ``function`` returns a Tensor or a tuple of them, of any shapes, and ``step`` their arrays; it
    may call ``grad`` itself.

    With an ``optimizer``, one of SGD, Adam and AdamW, a whole training step is one program:
    ``value = step(*arrays)`` computes the value and its gradients with respect to the optimiser's
    parameters, which ``function`` uses as it would without being compiled, and changes them and the
    optimiser's state as its ``step()`` would. No ``.grad`` is read or written.

    The function is traced once for each signature, the shapes and dtypes of the arguments. What
    Python does meanwhile is fixed: the way its branches went, how often its loops ran, the numbers
    and Tensors it took from elsewhere, but for the optimiser's parameters and options. So a
    function that asks for a value that depends on an argument (in an ``if``, by ``item()``, as an
    index), draws random numbers, or changes in place an argument or a Tensor that it did not make
    cannot be compiled, and raises RuntimeError that says what to do.

    The results are arrays of their own; with ``reuse`` the next call overwrites them, which saves
    making them anew. Calls from several threads are safe, each working in its own buffers; with
    ``reuse`` they share the results, and each training step starts from what another one left. The
    first call of a signature takes the time and the memory of a tape that can be differentiated
    again, those after it a fraction.

    ``step.source`` is the program, to read.

    TypeError for another optimiser, ValueError for one together with ``reuse`` or without
    gradients. What ``function`` raises, ``step`` raises.

    >>> import tinygrad_mlp as tg
    >>> step = tg.compile(lambda x, y: (x * y).sum())
    >>> step([1.0, 2.0], [3.0, 4.0])
    (np.float32(11.0), (array([3., 4.], dtype=float32), array([1., 2.], dtype=float32)))
    >>> w = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> step = tg.compile(lambda x: (w * x).sum() ** 2, optimizer=tg.optim.SGD([w], lr=0.25))
    >>> step([1.0, 1.0]), step([1.0, 1.0])
    (np.float32(9.0), np.float32(0.0))
    >>> w
    tensor([-0.5000,  0.5000], requires_grad=True)
    """
    if optimizer is None:
        return Compiled(function, gradients, reuse)
    if reuse or not gradients:
        raise ValueError(
            "compile: with an optimizer there is one result, the value, and gradients are needed; "
            "leave gradients and reuse as they are"
        )
    return TrainingStep(function, optimizer)


class Compiled:
    """A compiled function; ``compile`` makes one."""

    def __init__(self, function: Callable[..., Any], gradients: bool, reuse: bool) -> None:
        self.function = function
        self.gradients = gradients
        self.reuse = reuse
        self.programs: dict[Any, Any] = {}
        self.latest: Program | None = None

    @property
    def source(self) -> str:
        """The program made last; RuntimeError before the first call."""
        if self.latest is None:
            raise RuntimeError("source: there is none yet; call the function once with arguments")
        return self.latest.source

    def __reduce__(self) -> Any:
        # The programs stay behind: a copy of their buffers would not have views of one another.
        return Compiled, (self.function, self.gradients, self.reuse)

    def __call__(self, *args: Any) -> Any:
        program = self.latest
        if program is not None and len(args) == program.arity and program.fits(*args):
            return program(args)
        arrays = given(args)
        return self.made(arrays)(arrays)

    def made(self, arrays: list[ndarray]) -> Program:
        """The program for arguments like these, from a trace if there is none yet."""
        signature = tuple((a.shape, a.dtype) for a in arrays)
        program: Program | None = self.programs.get(signature)
        if program is None:
            nodes, results, form = run_with(TRACING, trace, self.function, arrays, self.gradients)
            names = argument_names(self.function, len(arrays))
            lines, outputs = values_of(nodes, results, arrays, names)
            titles = ["the value", *(f"∂/∂{name}" for name in names)] if self.gradients else []
            program = Program(names, arrays, lines, outputs, form, self.reuse, titles)
            # Where several threads come first, each makes one, and one of those is kept.
            program = self.programs.setdefault(signature, program)
        self.latest = program
        return program


def given(args: tuple[Any, ...]) -> list[ndarray]:
    """The arguments of a call as arrays."""
    if is_tracing.get() and any(isinstance(a, Tensor) and a.requires_grad for a in args):
        raise RuntimeError(
            "compile: a compiled function cannot be a part of another function that is being "
            "compiled or derived; call the function that it was made from"
        )
    return [a._array if isinstance(a, Tensor) else as_array(a) for a in args]


def argument_names(function: Callable[..., Any], n: int) -> list[str]:
    """The function's own names for its arguments, where they cannot be mistaken for others."""
    code = getattr(function, "__code__", None)
    names = list(code.co_varnames[: code.co_argcount]) if code else []
    return names if len(names) == n and usable(names) else [f"x{i}" for i in range(n)]


def usable(names: list[str]) -> bool:
    """Whether these cannot be mistaken for names that a program uses itself."""
    own = re.compile(r"np|i|range|buffers|(buffer|const|view|out|rows|v)\d+")
    return not any(own.fullmatch(x) or iskeyword(x) for x in names)


# From a function to its graph.

# With these, everything is recorded, and no value that depends on an argument can be asked for.
# NumPy is silent, for the program, which is run next, reports the same.
TRACING = {recording: True, is_tracing: True, settings: silent}
ARGUMENT = Op("argument", "x", np.positive)  # of a dtype that no gradient flows to


def trace(
    function: Callable[..., Any], arrays: list[ndarray], gradients: bool
) -> tuple[list[Node], list[Tensor | None], str]:
    """The nodes of the arguments, what the program is to return, and in which form."""
    arguments = [argument(a) for a in arrays]
    nodes = nodes_of(arguments)
    result = result_of(function, arguments, arguments)
    results = list(result) if isinstance(result, (tuple, list)) else [result]
    for r in results:
        if not isinstance(r, Tensor):
            raise TypeError(f"compile: the function must return Tensors, not {type(r).__name__}")
    if not gradients:
        single = isinstance(result, Tensor)
        return nodes, results, "{}" if single else "(" + "{}, " * len(results) + ")"
    if len(results) != 1 or results[0].numel() != 1:
        raise ValueError(
            "compile: for gradients the function must return one Tensor of one entry; "
            "pass gradients=False for the outputs alone"
        )
    by = tuple(x for x in arguments if x.dtype.kind == "f")
    found = iter(gradients_of(results[0], by, None, create_graph=True))
    slopes = [next(found) if x.dtype.kind == "f" else None for x in arguments]
    form = "{}, (" + "{}, " * len(slopes) + ")"
    return nodes, results + slopes, form


def argument(array: ndarray) -> Tensor:
    """A Tensor that stands for an argument while a function is traced."""
    floats = array.dtype.kind == "f"
    return wrap(array, leaf(array.shape) if floats else record(ARGUMENT, (), array.shape))


def nodes_of(tensors: list[Tensor]) -> list[Node]:
    return [x._node for x in tensors if x._node is not None]


def result_of(function: Callable[..., Any], arguments: list[Tensor], fixed: list[Tensor]) -> Any:
    """What a function returns while it is traced.

    RuntimeError if it changes one of the fixed Tensors, or another that there is after it has
    ended: a program makes new arrays, and would leave that one as it is.
    """
    nodes = nodes_of(fixed)
    seen: list[Before] = []
    watched.set(seen)
    try:
        # Tensors of our own, so that those which only the function had are gone.
        result = bare(function(*arguments))
        if nodes_of(fixed) != nodes:
            raise RuntimeError("compile: the function changes an argument in place")
        if any_left(seen):
            raise RuntimeError(
                "compile: the function changes a Tensor in place that it did not make, or that it "
                "keeps; take that as an argument, and return what it shall become"
            )
    except BaseException:
        undo(seen)
        raise
    return result


def bare(result: Any) -> Any:
    if isinstance(result, (tuple, list)):
        return tuple(map(bare, result))
    return wrap(result._array, result._node) if isinstance(result, Tensor) else result


def any_left(seen: list[Before]) -> bool:
    """Whether one of these Tensors is in use, which one that is in a cycle only seems to be."""

    def left() -> bool:
        return any(known() is not None for known, *_ in seen)

    if not left():
        return False
    gc.collect()
    return left()


# A training step.


class Parameter(NamedTuple):
    """A parameter before a step: what is kept of it as arrays, and places of two numbers."""

    tensor: Tensor
    array: ndarray
    group: dict[str, Any]
    kept: dict[str, ndarray]
    rate: int  # of its learning rate among those that there are
    step: int  # of the number of this step


class Result(NamedTuple):
    """What a program returns for a parameter: its new value, then the arrays to keep."""

    place: int
    kept: list[str]
    counts: bool  # whether the number of the step is kept too


class Traced(NamedTuple):
    """A program for a step, what its results are, and the arrays of frozen parameters in it."""

    program: Program
    results: list[Result]
    frozen: list[ndarray]


class TrainingStep(Compiled):
    """A compiled function, its gradients and the step of an optimiser; ``compile`` makes one."""

    def __init__(self, function: Callable[..., Any], optimizer: Optimizer) -> None:
        # optim needs most of the package; who does not train need not wait for it.
        from ...optim.rules import rule_of

        super().__init__(function, True, False)
        self.optimizer = optimizer
        self.rule = rule_of(optimizer)

    def __reduce__(self) -> Any:
        return TrainingStep, (self.function, self.optimizer)

    def __call__(self, *args: Any) -> Any:
        return self.taken(given(args))

    def taken(self, arrays: list[ndarray]) -> Any:
        """Take a step, and return the value it started from."""
        state = self.optimizer.state
        # What a schedule changes and what counts the steps are arguments of the program: one each,
        # however many parameters share it.
        rates: dict[float, int] = {}
        steps: dict[int, int] = {}
        parameters: list[Parameter] = []
        inputs = list(arrays)
        options = []
        frozen: list[ndarray] = []
        for group in self.optimizer.param_groups:
            options.append(repr([v for k, v in group.items() if k not in ("params", *RATES)]))
            rate = rates.setdefault(float(group["lr"]), len(rates))
            for p in group["params"]:
                if p.requires_grad:
                    have = state.get(p, {})
                    step = steps.setdefault(have.get("step", 0) + 1, len(steps))
                    kept = {k: v for k, v in have.items() if isinstance(v, ndarray)}
                    parameters.append(Parameter(p, p._array, group, kept, rate, step))
                    inputs += [parameters[-1].array, *kept.values()]
                else:
                    frozen.append(p._array)
        inputs += [np.array(float(n)) for n in (*rates, *steps)]
        signature = (
            tuple([(a.shape, a.dtype) for a in inputs]),
            tuple([(id(p.tensor), *p.kept, p.rate, p.step) for p in parameters]),
            tuple(options),
        )
        traced = self.programs.get(signature)
        if traced is None or list(map(id, traced.frozen)) != list(map(id, frozen)):
            trace = self.traced
            traced = run_with(TRACING, trace, arrays, inputs, parameters, len(rates), frozen)
            self.programs[signature] = traced
        self.latest = traced.program
        value, *results = traced.program(inputs)
        found = iter(results)
        values: Values = {}
        after = dict(state)
        for result in traced.results:
            p, array = parameters[result.place].tensor, parameters[result.place].array
            rewrite(p, np.asarray(next(found)), values, array)
            # What such a step does not use, momentum that was turned off say, stays.
            new = {**state.get(p, {}), **{k: np.asarray(next(found)) for k in result.kept}}
            if result.counts:
                new["step"] = new.get("step", 0) + 1
            after[p] = new
        changes = [*changed(values), Change(self.optimizer, "state", state, after)]
        # All of it or nothing; if another thread was faster, once more.
        return value if carry_out(changes) else self.taken(arrays)

    def traced(
        self,
        arrays: list[ndarray],
        inputs: list[ndarray],
        parameters: list[Parameter],
        rates: int,
        frozen: list[ndarray],
    ) -> Traced:
        """The program for such a step."""
        arguments = [argument(a) for a in arrays]
        kept = [{k: argument(v) for k, v in p.kept.items()} for p in parameters]
        numbers = [argument(a) for a in inputs[len(arrays) + sum(1 + len(k) for k in kept) :]]
        mine = [p.tensor for p in parameters]
        given_names = [p.name or "" for p in mine]
        labels = [n if n.isidentifier() else f"p{i}" for i, n in enumerate(given_names)]
        value = result_of(self.function, arguments, [*arguments, *mine])
        if not isinstance(value, Tensor):
            raise TypeError(
                f"compile: the function must return a Tensor, not {type(value).__name__}"
            )
        if value.numel() != 1:
            raise ValueError(
                "compile: with an optimizer the function must return one Tensor of one entry, "
                f"not of shape {value.shape}"
            )
        results: list[Tensor | None] = [value]
        titles = ["the value"]
        changes = []
        slopes = grad(value, mine, allow_unused=True)
        for i, (p, g, have) in enumerate(zip(parameters, slopes, kept)):
            if g is None:
                continue
            options = {**p.group, "lr": numbers[p.rate]}
            rows = {k: as_row(v) for k, v in have.items()}
            t = numbers[rates + p.step]
            new, keep = self.rule(options, as_row(p.tensor), as_row(g), rows, t)
            names = [k for k in keep if k != "step"]
            changes.append(Result(i, names, "step" in keep))
            titles += [f"new {x}" for x in (labels[i], *(f"{labels[i]}_{k}" for k in names))]
            results += [x.reshape(p.tensor.shape) for x in (new, *(keep[k] for k in names))]
        order = [*arguments]
        names = argument_names(self.function, len(arrays))
        for label, x, have in zip(labels, mine, kept):
            order += [x, *have.values()]
            names += [label, *(f"{label}_{k}" for k in have)]
        names += [f"lr{i}" for i in range(rates)]
        names += [f"t{i}" for i in range(len(numbers) - rates)]
        if len(set(names)) < len(names) or not usable(names):
            names = [f"x{i}" for i in range(len(names))]
        lines, outputs = values_of(nodes_of([*order, *numbers]), results, inputs, names)
        form = "(" + "{}, " * len(results) + ")"
        program = Program(names, inputs, lines, outputs, form, False, titles)
        return Traced(program, changes, frozen)


RATES = "lr", "initial_lr"


def as_row(x: Tensor) -> Tensor:
    """x with an axis: a number that has none decides of what dtype a result is."""
    return x.reshape(1) if x.ndim == 0 else x
