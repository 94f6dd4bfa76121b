"""Contexts as decorators of functions of every kind: plain ones, generators, and asyncio's."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import ContextDecorator
from functools import wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from types import coroutine
from typing import Any


class Decorator(ContextDecorator):
    """A context that as a decorator holds wherever the function's own code runs, and only there.

    ``contextlib`` leaves it when the function returns, which for a generator or a coroutine is
    before any of it ran. Here a generator is in it for each of its steps, and who takes the steps
    is not, as with PyTorch's ``no_grad``; so is a coroutine, from each await to the next.

    >>> from contextlib import nullcontext
    >>> class Quiet(Decorator, nullcontext):
    ...     pass
    >>> @Quiet()
    ... def numbers():
    ...     yield 1
    >>> list(numbers())
    [1]
    """

    def __call__(self, function: Callable[..., Any]) -> Any:
        if not callable(function):
            name = type(self).__name__
            raise TypeError(f"{name} decorates a function, not {type(function).__name__}")
        run: Callable[..., Any]
        if isgeneratorfunction(function):

            def run(*args: Any, **options: Any) -> Any:
                return steps(self, function(*args, **options))

        elif isasyncgenfunction(function):

            def run(*args: Any, **options: Any) -> Any:
                return async_steps(self, function(*args, **options))

        elif iscoroutinefunction(function):

            async def run(*args: Any, **options: Any) -> Any:
                return await awaited(self, function(*args, **options))

        else:
            return super().__call__(function)
        return wraps(function)(run)


def steps(
    context: Any, generator: Generator[Any, Any, Any] | Coroutine[Any, Any, Any]
) -> Generator[Any, Any, Any]:
    """The generator, or coroutine, each of whose steps is taken in the context."""
    step, given = generator.send, None
    while True:
        try:
            with context:
                value = step(given)
        except StopIteration as end:
            return end.value
        try:
            step, given = generator.send, (yield value)
        except GeneratorExit:
            with context:
                generator.close()
            raise
        except BaseException as error:
            step, given = generator.throw, error


@coroutine
def awaited(context: Any, waiting: Any) -> Generator[Any, Any, Any]:
    return (yield from steps(context, waiting))


async def async_steps(context: Any, generator: AsyncGenerator[Any, Any]) -> Any:
    """The same for a generator with async steps."""
    step, given = generator.asend, None
    while True:
        try:
            value = await awaited(context, step(given))
        except StopAsyncIteration:
            return
        try:
            step, given = generator.asend, (yield value)
        except GeneratorExit:
            await awaited(context, generator.aclose())
            raise
        except BaseException as error:
            step, given = generator.athrow, error
