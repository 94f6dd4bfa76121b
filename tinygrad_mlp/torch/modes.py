"""Whether ops are recorded, by PyTorch's names: ``no_grad`` and its kin."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextvars import ContextVar
from functools import wraps
from inspect import isgeneratorfunction
from typing import Any

from ..core.tape import current, mode

# What the mode was before each of the contexts below that this thread or task is inside of: before
# the latest, and the earlier ones in the same form. Threads may share such a context.
Outside = tuple[bool, Any] | None
outside: ContextVar[Outside] = ContextVar("outside", default=None)


def is_grad_enabled() -> bool:
    """Whether ops are recorded, in this thread and asyncio task."""
    return current().recording


def switch(recording: bool) -> None:
    if current().tracing and not recording:
        raise RuntimeError(
            "no_grad: while a function is compiled everything has to be recorded; "
            "use detach() for values that no gradient shall flow through"
        )
    mode.set(current()._replace(recording=recording))


class Recording:
    """A context or a decorator in which ops are recorded, or not; per thread and asyncio task.

    As PyTorch's, it decorates plain functions and generators, of which it holds in each step.
    """

    def __init__(self, mode: bool) -> None:
        self.mode = bool(mode)

    def __enter__(self) -> None:
        before = current().recording
        switch(self.mode)
        outside.set((before, outside.get()))

    def __exit__(self, *exception: object) -> None:
        entered = outside.get()
        assert entered is not None
        before, earlier = entered
        mode.set(current()._replace(recording=before))
        outside.set(earlier)

    def __call__(self, function: Callable[..., Any]) -> Any:
        if not callable(function):
            name = type(self).__name__
            raise TypeError(f"{name} decorates a function, not {type(function).__name__}")
        recording = self.mode

        @wraps(function)
        def call(*args: Any, **options: Any) -> Any:
            if isgeneratorfunction(function):
                return steps(recording, function(*args, **options))
            with Recording(recording):
                return function(*args, **options)

        return call


def steps(recording: bool, generator: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """The generator, each of whose steps is taken in a context, and nothing that comes between."""
    step: Callable[..., Any] = generator.send
    given: Any = None
    while True:
        try:
            with Recording(recording):
                value = step(given)
        except StopIteration as end:
            return end.value
        try:
            step, given = generator.send, (yield value)
        except GeneratorExit:
            with Recording(recording):
                generator.close()
            raise
        except BaseException as error:
            step, given = generator.throw, error


class set_grad_enabled(Recording):
    """Record ops, or do not, from here on; per thread and asyncio task.

    As a context or a decorator, that is so inside of it alone.

    >>> import tinygrad_mlp as tg
    >>> w = tg.tensor(2.0, requires_grad=True)
    >>> with tg.set_grad_enabled(False):
    ...     (w * w).requires_grad
    False
    >>> (w * w).requires_grad
    True
    """

    def __init__(self, mode: bool) -> None:
        super().__init__(mode)
        self.before = current().recording
        switch(self.mode)

    def __enter__(self) -> None:
        switch(self.before)
        super().__enter__()

    def __call__(self, function: Callable[..., Any]) -> Any:
        switch(self.before)
        return super().__call__(function)


class NoParameters(Recording):
    def __new__(cls, function: Callable[..., Any] | None = None) -> Any:
        # As PyTorch, @no_grad and @no_grad() both decorate.
        return super().__new__(cls) if function is None else cls()(function)


class no_grad(NoParameters):
    """A context or a decorator in which nothing is recorded; per thread and asyncio task.

    >>> import tinygrad_mlp as tg
    >>> w = tg.tensor(2.0, requires_grad=True)
    >>> with tg.no_grad():
    ...     w -= 0.5  # w stays a leaf
    >>> w
    tensor(1.5000, requires_grad=True)
    """

    def __init__(self) -> None:
        super().__init__(False)


class enable_grad(NoParameters):
    """A context or a decorator in which ops are recorded, inside of ``no_grad`` too.

    >>> import tinygrad_mlp as tg
    >>> w = tg.tensor(2.0, requires_grad=True)
    >>> with tg.no_grad(), tg.enable_grad():
    ...     (w * w).requires_grad
    True
    """

    def __init__(self) -> None:
        super().__init__(True)
