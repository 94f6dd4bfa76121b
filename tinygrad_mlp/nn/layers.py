"""Layers: Modules that take one Tensor to another, and Sequential, which joins them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray

from ..torch.accepts import FLOAT, as_dtype, as_shape
from ..torch.devices import require_cpu
from ..torch.random import default_generator
from ..torch.tensor import Tensor
from . import functional
from .module import Module
from .parameter import Parameter

if TYPE_CHECKING:
    from numpy.typing import DTypeLike


class Sequential(Module):
    """Modules one after the other, given one by one or as a dict of names.

    >>> import tinygrad_mlp as tg
    >>> tg.nn.Sequential(tg.nn.Flatten(), tg.nn.ReLU())
    Sequential(
      (0): Flatten(start_dim=1, end_dim=-1)
      (1): ReLU()
    )
    """

    def __init__(self, *modules: Any) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            for name, module in modules[0].items():
                self.add_module(name, module)
        else:
            for i, module in enumerate(modules):
                self.add_module(str(i), module)

    def forward(self, input: Any) -> Any:
        """The last Module's output."""
        for module in self._modules.values():
            input = module(input)
        return input

    def append(self, module: Module) -> Sequential:
        """Add a Module at the end; returns the Sequential."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Sequential:
        """Add Modules at the end; returns the Sequential."""
        for module in modules:
            self.append(module)
        return self

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return type(self)(dict(list(self._modules.items())[index]))
        return self._modules[self._name(index)]

    def __setitem__(self, index: int, module: Module) -> None:
        self.add_module(self._name(index), module)

    def __delitem__(self, index: int) -> None:
        del self._modules[self._name(index)]
        # Those after it move up. Names that were given stay.
        names = [str(i) if n.isdecimal() else n for i, n in enumerate(self._modules)]
        self.__dict__["_modules"] = dict(zip(names, self._modules.values()))

    def _name(self, index: int) -> str:
        try:
            names: list[str] = list(self._modules)
            return names[index]
        except IndexError:
            raise IndexError(f"Sequential: there is no Module {index} among {len(self)}") from None


class Linear(Module):
    """x Wᵀ + b, for x of shape (…, in_features), with a weight of (out_features, in_features).

    Weight and bias start uniform within ±1/√in_features, as PyTorch's do: after the same
    ``manual_seed`` they are the same bit for bit.

    >>> import tinygrad_mlp as tg
    >>> _ = tg.manual_seed(0)
    >>> tg.nn.Linear(2, 1).weight
    Parameter containing:
    tensor([[-0.0053,  0.3793]], requires_grad=True)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        require_cpu(device)
        self.in_features, self.out_features = as_shape("Linear", (in_features, out_features))
        kind = as_dtype(dtype or FLOAT)
        # The steps of PyTorch's kaiming_uniform_(a=√5), whose rounding shows in the last bit.
        bound = sqrt(3.0) * (sqrt(2.0 / (1 + sqrt(5) ** 2)) / sqrt(in_features or 1))
        self.weight = Parameter(uniform(bound, (out_features, in_features), kind))
        if bias:
            bound = 1 / sqrt(in_features) if in_features else 0.0
            self.bias = Parameter(uniform(bound, (out_features,), kind))
        else:
            self.register_parameter("bias", None)

    def forward(self, input: Tensor) -> Tensor:
        """x Wᵀ + b."""
        return functional.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """The sizes."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class Identity(Module):
    """x, whatever it is made with."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        """x."""
        return input


class Sigmoid(Module):
    """σ(x) = 1 / (1 + e⁻ˣ) of each entry."""

    def forward(self, input: Tensor) -> Tensor:
        """σ(x)."""
        return input.sigmoid()


class Tanh(Module):
    """tanh x of each entry."""

    def forward(self, input: Tensor) -> Tensor:
        """tanh x."""
        return input.tanh()


class ReLU(Module):
    """max(x, 0) of each entry."""

    def forward(self, input: Tensor) -> Tensor:
        """max(x, 0)."""
        return input.relu()


class Softmax(Module):
    """eˣ / Σ eˣ along an axis."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        """eˣ / Σ eˣ."""
        return input.softmax(self.dim)

    def extra_repr(self) -> str:
        """The axis."""
        return f"dim={self.dim}"


class LogSoftmax(Softmax):
    """The logarithm of softmax along an axis."""

    def forward(self, input: Tensor) -> Tensor:
        """x − log Σ eˣ."""
        return input.log_softmax(self.dim)


class Flatten(Module):
    """The axes from one to another as one axis; by default all but the first, that of the batch."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Tensor) -> Tensor:
        """x of shape (n, …) as (n, m)."""
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        """The axes."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


def uniform(bound: float, shape: tuple[int, ...], dtype: np.dtype[Any]) -> ndarray:
    """Numbers within ± a bound, from PyTorch's stream."""
    if dtype == np.float16:
        return uniform(bound, shape, FLOAT).astype(dtype)
    return np.asarray(default_generator.uniform_between(-bound, bound, shape, dtype))
