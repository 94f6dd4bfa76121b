"""A function of Tensors, compiled: run once to see its graph, and from then on as a program."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from numpy import ndarray

from .program import Program, program_of, source_of
from .trace import given, run_traced, trace
from .training import TrainingStep, training_step

if TYPE_CHECKING:
    from ...optim import Optimizer


def compile(
    function: Callable[..., Any],
    gradients: bool = True,
    reuse: bool = False,
    optimizer: Optimizer | None = None,
) -> Compiled | TrainingStep:
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
    return training_step(function, optimizer)


@dataclass(eq=False)
class Compiled:
    """A compiled function; ``compile`` makes one."""

    function: Callable[..., Any]
    gradients: bool
    reuse: bool
    programs: dict[Any, Program] = field(default_factory=dict, repr=False)
    latest: Program | None = field(default=None, repr=False)

    @property
    def source(self) -> str:
        """The program made last; RuntimeError before the first call."""
        return source_of(self.latest)

    def __reduce__(self) -> Any:
        # The programs stay behind: a copy of their buffers would not have views of one another.
        return Compiled, (self.function, self.gradients, self.reuse)

    def __call__(self, *args: Any) -> Any:
        program = self.latest
        if program is not None and len(args) == program.arity and program.fits(*args):
            return program(args)
        arrays = given(args)
        self.latest = program = self.program_for(arrays)
        return program(arrays)

    def program_for(self, arrays: list[ndarray]) -> Program:
        """The program for arguments like these, from a trace if there is none yet."""
        signature = tuple((a.shape, a.dtype) for a in arrays)
        program = self.programs.get(signature)
        if program is None:
            graph = run_traced(trace, self.function, arrays, self.gradients)
            # Where several threads come first, each makes one, and one of those is kept.
            program = self.programs.setdefault(signature, program_of(graph, self.reuse))
        return program
