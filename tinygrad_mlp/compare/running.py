"""A function and its arrays, run under a library."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from inspect import signature
from typing import Any

import numpy as np
from numpy import ndarray

from ..torch.tensor import Tensor
from .libraries import title


class Run:
    """A function under one of the libraries, on Tensors that it makes anew for each call."""

    def __init__(
        self,
        library: Any,
        function: Callable[..., Any],
        arrays: Sequence[ndarray],
        seed: int,
        keywords: Sequence[str],
    ) -> None:
        self.library = library
        self.function = function
        self.arrays = arrays
        self.seed = seed
        self.keywords = keywords  # of the last of the arrays

    def leaves(self) -> list[Any]:
        made = []
        for a in self.arrays:
            x = self.library.from_numpy(a.copy())
            made.append(x.requires_grad_() if a.dtype.kind == "f" else x)
        return made

    def __call__(self, leaves: list[Any]) -> Any:
        """The function's result, after the walk back from it."""
        n = len(leaves) - len(self.keywords)
        out = self.function(*leaves[:n], **dict(zip(self.keywords, leaves[n:])))
        if getattr(out, "requires_grad", False):
            (out if out.ndim == 0 else out.sum()).backward()
        return out

    def answer(self) -> tuple[ndarray, list[ndarray | None]]:
        """The value, and the gradient of each array where there is one."""
        self.library.manual_seed(self.seed)
        leaves = self.leaves()
        try:
            out = self(leaves)
        except Exception as error:
            error.add_note(f"raised under {title(self.library.__name__)}")
            raise
        if not isinstance(out, self.library.Tensor):
            raise TypeError(f"compare: the function must return a Tensor, not {type(out).__name__}")
        value = np.array(out.detach().numpy())
        return value, [
            None if x.grad is None else np.array(x.grad.detach().numpy()) for x in leaves
        ]


def as_data(name: str, value: Any) -> ndarray:
    """What a Tensor of the value would hold."""
    try:
        return np.array(Tensor(value).detach().numpy())
    except (TypeError, ValueError) as error:
        raise type(error)(f"compare: {name}: {error}") from None


def names_of(function: Callable[..., Any], n: int, keywords: Collection[str] = ()) -> list[str]:
    """The names of the function's parameters that n arrays and those by keyword go to."""
    if not callable(function):
        raise TypeError(f"compare: a function is needed, not {type(function).__name__}")
    try:
        parameters = list(signature(function).parameters.values())
    except (TypeError, ValueError):  # of something built in, or that is no function
        return [*(f"x{i}" for i in range(n)), *keywords]
    try:
        signature(function).bind(*range(n), **dict.fromkeys(keywords))
    except TypeError:
        wanted = ", ".join(p.name for p in parameters) or "none"
        given = f"{n + len(keywords)} arrays are given"
        raise TypeError(f"compare: the function takes {wanted}, and {given}") from None
    names: list[str] = []
    for p in parameters:
        if p.kind is p.VAR_POSITIONAL:
            names += [f"{p.name}{i}" for i in range(n - len(names))]
        elif p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD):
            names.append(p.name)
    return [*names[:n], *keywords]
