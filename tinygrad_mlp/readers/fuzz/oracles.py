"""The ways to a program's derivatives that share nothing with the tape under test, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from importlib import import_module

from .answers import Oracle, Unavailable
from .slopes import by_slopes, complex_slope, finite_slope
from .targets import with_autograd, with_jax, with_torch

ORACLES: dict[str, Callable[[], Oracle]] = {
    "torch": with_torch,
    "jax": with_jax,
    "autograd": with_autograd,
    "complex": partial(by_slopes, "complex", complex_slope),
    "finite": partial(by_slopes, "finite", finite_slope),
}


def register(name: str, make: Callable[[], Oracle]) -> None:
    """Give an oracle a name; ``make``, a function of a module, makes it when it is chosen."""
    ORACLES[name] = make


def know(oracles: Mapping[str, Callable[[], Oracle]]) -> None:
    """Take over the names of another process."""
    ORACLES.update(oracles)


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
