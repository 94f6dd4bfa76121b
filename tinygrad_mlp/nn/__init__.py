"""Layers and losses, and the Module that holds their parameters: PyTorch's ``torch.nn``.

>>> import tinygrad_mlp as tg
>>> _ = tg.manual_seed(0)
>>> net = tg.nn.Sequential(tg.nn.Linear(2, 3), tg.nn.Tanh(), tg.nn.Linear(3, 1))
>>> net(tg.ones(5, 2)).shape
(5, 1)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from math import sqrt
from reprlib import repr as brief
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy import ndarray

from ..core.atomic import assign, carry_out
from ..torch.accepts import FLOAT, as_dtype, as_shape
from ..torch.devices import is_device, require_cpu
from ..torch.hints import absent
from ..torch.random import default_generator
from ..torch.tensor import Tensor, home_of_grad, mark_parameter, wrap
from ..torch.views import Values, changed, moved, rewrite
from . import functional

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

__all__ = [
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "Flatten",
    "Identity",
    "Linear",
    "LogSoftmax",
    "MSELoss",
    "Module",
    "Parameter",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "functional",
]


# Of PyTorch's names that are not here, those whose nearest is not spelled alike.
NEAREST = {
    "BCELoss": "BCEWithLogitsLoss, which takes logits",
    "Dropout": "Identity, which drops nothing",
    "ELU": "ReLU",
    "GELU": "ReLU",
    "L1Loss": "MSELoss",
    "LazyLinear": "Linear, which is told in_features",
    "LeakyReLU": "ReLU",
    "ModuleDict": "Sequential, which takes a dict of names",
    "ModuleList": "Sequential, whose Modules can be indexed and looped over",
    "NLLLoss": "CrossEntropyLoss, which takes logits",
    "SiLU": "Sigmoid, as x * x.sigmoid() is SiLU",
    "Softplus": "functional.logsigmoid, as -logsigmoid(-x) is softplus",
    "init": "Linear, which starts as PyTorch's does; set others by .data",
    "utils": "Parameter, as its .grad may be scaled before optimizer.step()",
}


LAYERS = (
    (
        r"(?i)conv|pool|fold|pixel|upsampl|pad|shuffle|grid|affine|interpolate",
        "Linear, after Flatten",
    ),
    (r"(?i)rnn|lstm|gru|attention|transformer|embedding|bilinear|one_hot|cell", "Linear"),
    (
        r"(?i)loss|entropy|kl_div|nll|distance|similarity|hinge|ctc",
        "CrossEntropyLoss, or MSELoss, BCEWithLogitsLoss",
    ),
    (r"(?i)softm|gumbel", "Softmax"),
    (r"(?i)sigmoid|glu|silu|swish", "Sigmoid"),
    (r"(?i)relu|elu|gelu|mish|shrink|plus|softsign|tanh", "ReLU, or Tanh, Sigmoid"),
    (r"(?i)list|dict|parallel|lazy|container|unflatten", "Sequential"),
    (r"(?i)init|param|buffer|xavier|kaiming|orthogonal", "Parameter"),
    (r"", "Module, which your own layers are made of"),
)


def __getattr__(name: str) -> Any:
    raise absent("nn", name, __all__, NEAREST, LAYERS)


class IsParameter(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor) and hasattr(instance, "_parameter")


class Parameter(metaclass=IsParameter):
    """A Tensor that is trained: a leaf, which a Module lists once it is an attribute of it.

    ``data`` is a Tensor, whose values it shares as in PyTorch, or an array or nested lists, which
    are copied. TypeError where it is not of a float dtype and ``requires_grad``.

    >>> import tinygrad_mlp as tg
    >>> tg.nn.Parameter(tg.tensor([1.0, 2.0]))
    Parameter containing:
    tensor([1., 2.], requires_grad=True)
    """

    # Not a subclass: an op tells a Tensor by its exact type, in a third of the time.
    def __new__(cls, data: Any, requires_grad: bool = True) -> Any:
        made = data.detach() if isinstance(data, Tensor) else Tensor(data)
        return mark_parameter(made.requires_grad_(requires_grad))


class Misfits(NamedTuple):
    """What ``load_state_dict`` did not find a counterpart for."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not any(self):
            return "<All keys matched successfully>"
        return f"Misfits(missing_keys={self[0]}, unexpected_keys={self[1]})"


class Module:
    """A function with parameters, which may be made of others.

    A subclass sets Parameters and Modules as attributes in ``__init__``, after
    ``super().__init__()``, and computes in ``forward``; to call the Module is to call that.

    >>> import tinygrad_mlp as tg
    >>> class Scale(tg.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.by = tg.nn.Parameter(tg.tensor(2.0))
    ...
    ...     def forward(self, x):
    ...         return self.by * x
    >>> [name for name, _ in Scale().named_parameters()]
    ['by']
    """

    training: bool

    def __init__(self) -> None:
        # Past __setattr__, which looks in them.
        fresh: dict[str, Any] = {"_parameters": {}, "_buffers": {}, "_modules": {}}
        self.__dict__.update(fresh, training=True)

    def forward(self, *args: Any, **options: Any) -> Any:
        """What the Module computes; a subclass says what."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self.forward(*args, **options)

    # Its parts, which are found by the names of attributes.

    def __setattr__(self, name: str, value: Any) -> None:
        state = self.__dict__
        if "_parameters" not in state:
            raise AttributeError(
                f"{type(self).__name__}: call super().__init__() before attributes are set"
            )
        home = None
        if isinstance(value, Parameter):
            home = state["_parameters"]
        elif isinstance(value, Module):
            home = state["_modules"]
        elif name in state["_parameters"]:
            if value is not None:
                raise TypeError(
                    f"{type(self).__name__}.{name} is a Parameter and cannot become a "
                    f"{type(value).__name__}; assign nn.Parameter(…) or None"
                )
            home = state["_parameters"]
        elif name in state["_modules"] and value is None:
            home = state["_modules"]
        elif name in state["_buffers"] and (value is None or isinstance(value, Tensor)):
            home = state["_buffers"]
        for other in (state["_parameters"], state["_modules"], state["_buffers"], state):
            if other is not home:
                other.pop(name, None)
        if home is None:
            object.__setattr__(self, name, value)
        else:
            home[name] = value

    def __getattr__(self, name: str) -> Any:
        # Called for what is not an ordinary attribute.
        for home in ("_parameters", "_modules", "_buffers"):
            found = self.__dict__.get(home, {})
            if name in found:
                return found[name]
        raise absent(type(self).__name__, name, dir(self))

    def __delattr__(self, name: str) -> None:
        for home in ("_parameters", "_modules", "_buffers"):
            if name in self.__dict__[home]:
                del self.__dict__[home][name]
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        homes = ("_parameters", "_modules", "_buffers")
        parts = (name for home in homes for name in self.__dict__.get(home, ()))
        return sorted({*object.__dir__(self), *parts})

    def register_parameter(self, name: str, parameter: Tensor | None) -> None:
        """Set a Parameter, or None for one that could be there, as an attribute."""
        if parameter is not None and not isinstance(parameter, Parameter):
            raise TypeError(f"register_parameter: nn.Parameter(…), not {type(parameter).__name__}")
        self._parameters[require_name(self, name)] = parameter

    def register_buffer(self, name: str, tensor: Tensor | None) -> None:
        """Set a Tensor that is saved with the Module but not trained as an attribute."""
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(f"register_buffer: a Tensor, not {type(tensor).__name__}")
        self._buffers[require_name(self, name)] = tensor

    def add_module(self, name: str, module: Module | None) -> None:
        """Set a Module as an attribute, under any name without a dot."""
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"add_module: a Module, not {type(module).__name__}")
        self._modules[require_name(self, name)] = module

    def children(self) -> Iterator[Module]:
        """The Modules that are attributes of this one."""
        return (module for _, module in self.named_children())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The Modules that are attributes of this one, with their names."""
        return ((name, module) for name, module in self._modules.items() if module is not None)

    def modules(self) -> Iterator[Module]:
        """This Module and all within it, each once."""
        return (module for _, module in self.named_modules())

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This Module and all within it, each once, with names such as ``layers.0``."""
        return once(self._walk(prefix))

    def _walk(self, prefix: str) -> Iterator[tuple[str, Module]]:
        yield prefix, self
        for name, module in self.named_children():
            yield from module._walk(f"{prefix}.{name}" if prefix else name)

    def parameters(self, recurse: bool = True) -> Iterator[Tensor]:
        """The Parameters of this Module and, unless told otherwise, of all within it."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_parameters(
        self, prefix: str = "", recurse: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """The Parameters, each once, with names such as ``layers.0.weight``."""
        return once(self._tensors("_parameters", prefix, recurse))

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The Tensors that are saved with the Module but not trained."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def named_buffers(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Tensor]]:
        """The Tensors that are saved with the Module but not trained, with their names."""
        return once(self._tensors("_buffers", prefix, recurse))

    def _tensors(self, home: str, prefix: str, recurse: bool) -> Iterator[tuple[str, Tensor]]:
        for place, module in self._walk(prefix) if recurse else [(prefix, self)]:
            for name, tensor in module.__dict__[home].items():
                if tensor is not None:
                    yield (f"{place}.{name}" if place else name), tensor

    # Its state.

    def state_dict(self) -> dict[str, Tensor]:
        """The Parameters and buffers by name, off the tape.

        As in PyTorch they share their values with the Module, and change with it. For a copy to
        keep take ``{name: value.clone() for name, value in net.state_dict().items()}``.
        """
        state: dict[str, Tensor] = {}
        for place, module in self._walk(""):
            for home in ("_parameters", "_buffers"):
                for name, tensor in module.__dict__[home].items():
                    if tensor is not None:
                        state[f"{place}.{name}" if place else name] = tensor.detach()
        return state

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> Misfits:
        """Take over values by name: all of them or, if anything does not fit, none.

        The values are Tensors, arrays, or what has an ``__array__``, as PyTorch's tensors have;
        they are copied and take the dtype that is there. With ``strict`` every name must have its
        counterpart; without, what has none is left out, and returned in two lists.

        TypeError for what is no dict; RuntimeError that lists all that does not fit, with names
        and shapes.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"load_state_dict: a dict, not {type(state_dict).__name__}")
        mine = {}
        for place, module in self._walk(""):
            for home in ("_parameters", "_buffers"):
                for name, tensor in module.__dict__[home].items():
                    if tensor is not None:
                        mine[f"{place}.{name}" if place else name] = tensor
        missing = [name for name in mine if name not in state_dict]
        unexpected = [name for name in state_dict if name not in mine]
        wrong = []
        if strict:
            wrong += [f"{name} is missing" for name in missing]
            wrong += [f"{name} is not a name in this Module" for name in unexpected]
        new = []
        for name, tensor in mine.items():
            if name in missing:
                continue
            try:
                array = loaded(state_dict[name])
            except (TypeError, ValueError, RuntimeError) as error:
                wrong.append(f"{name}: {error}")
                continue
            if array.shape != tensor.shape:
                wrong.append(f"{name} has the shape {array.shape}; {tensor.shape} is needed")
            new.append((tensor, array))
        if wrong:
            raise RuntimeError(
                f"load_state_dict: this does not fit {type(self).__name__}, "
                "which stays as it was:\n  " + "\n  ".join(wrong)
            )
        replace(new)
        return Misfits(missing, unexpected)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Let go of the gradients of all Parameters, or set them to zeros."""
        for parameter in self.parameters():
            zero_grad(parameter, set_to_none)

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        """Have gradients flow to all Parameters, or no longer."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def train(self, mode: bool = True) -> Module:
        """Set ``training`` here and in all Modules within."""
        if not isinstance(mode, bool):
            raise TypeError(f"train: mode is True or False, not {type(mode).__name__}")
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Module:
        """``train(False)``."""
        return self.train(False)

    def apply(self, function: Callable[[Module], Any]) -> Module:
        """Call a function with each Module within, then with this one."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    def to(self, *args: Any, device: Any = None, dtype: DTypeLike | None = None) -> Module:
        """Convert Parameters and buffers of a float dtype to another one, and their gradients.

        A device, a dtype or both, by place or by name; the only device is the CPU. RuntimeError
        for another one, TypeError for a dtype that is not a float.

        >>> import tinygrad_mlp as tg
        >>> tg.nn.Linear(2, 1).to("cpu", tg.float64).weight.dtype
        dtype('float64')
        """
        for given in args:
            if is_device(given):
                device = given
            else:
                dtype = given
        require_cpu(device)
        if dtype is None:
            return self
        target = as_dtype(dtype)
        if target.kind != "f":
            raise TypeError(f"to: a Module has a float dtype, not {target}")
        new: list[tuple[Any, str, Any]] = []
        gone: list[tuple[Any, str]] = []
        for tensor in dict.fromkeys((*self.parameters(), *self.buffers())):
            if tensor.dtype.kind == "f":
                set_anew, unset = moved(tensor, tensor._array.astype(target))
                new += set_anew
                gone += unset
                home = home_of_grad(tensor)
                if home is not None and tensor.grad is not None:
                    new.append((home.tag, "grad", tensor.grad.detach().to(target)))
        assign(new, gone)
        return self

    def float(self) -> Module:
        """``to`` float32."""
        return self.to(np.float32)

    def double(self) -> Module:
        """``to`` float64."""
        return self.to(np.float64)

    def half(self) -> Module:
        """``to`` float16."""
        return self.to(np.float16)

    def cpu(self) -> Module:
        """The Module as it is: there is no other device."""
        return self

    # Its printed form, which is PyTorch's.

    def extra_repr(self) -> str:
        """What stands in the parentheses of the printed form."""
        return ""

    def __repr__(self) -> str:
        children = [
            f"({name}): " + repr(module).replace("\n", "\n  ")
            for name, module in self._modules.items()
        ]
        extra = self.extra_repr()
        if not children:
            return f"{type(self).__name__}({extra})"
        lines = "\n  ".join([extra, *children] if extra else children)
        return f"{type(self).__name__}(\n  {lines}\n)"


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


class MSELoss(Module):
    """The mean of (x − y)², their sum, or with "none" each: ``functional.mse_loss``.

    >>> import tinygrad_mlp as tg
    >>> tg.nn.MSELoss(reduction="sum")(tg.tensor([1.0, 2.0]), tg.tensor([1.0, 4.0]))
    tensor(4.)
    """

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__()
        functional.require_reduction("MSELoss", reduction)
        self.reduction = reduction

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return functional.mse_loss(input, target, reduction=self.reduction)


class BCEWithLogitsLoss(Module):
    """The loss of a yes or no, for logits: ``functional.binary_cross_entropy_with_logits``.

    >>> import tinygrad_mlp as tg
    >>> tg.nn.BCEWithLogitsLoss()(tg.tensor([0.0]), tg.tensor([1.0]))
    tensor(0.6931)
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        *,
        reduction: str = "mean",
        pos_weight: Tensor | None = None,
    ) -> None:
        super().__init__()
        functional.require_reduction("BCEWithLogitsLoss", reduction)
        self.reduction = reduction
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return functional.binary_cross_entropy_with_logits(
            input, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )


class CrossEntropyLoss(Module):
    """The loss of one class out of several, for logits: ``functional.cross_entropy``.

    >>> import tinygrad_mlp as tg
    >>> tg.nn.CrossEntropyLoss()(tg.tensor([[0.0, 0.0]]), tg.tensor([1]))
    tensor(0.6931)
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        functional.require_reduction("CrossEntropyLoss", reduction)
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index
        self.reduction = reduction
        self.label_smoothing = label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return functional.cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


def uniform(bound: float, shape: tuple[int, ...], dtype: np.dtype[Any]) -> ndarray:
    """Numbers within ± a bound, from PyTorch's stream."""
    if dtype == np.float16:
        return uniform(bound, shape, FLOAT).astype(dtype)
    return np.asarray(default_generator.uniform_between(-bound, bound, shape, dtype))


def loaded(value: Any) -> ndarray:
    """A value of a state_dict as an array of its own."""
    if not hasattr(value, "__array__"):
        raise TypeError(f"a Tensor or an array is needed, not {type(value).__name__}")
    if hasattr(value, "detach"):
        value = value.detach()
    # In two steps, since PyTorch's __array__ does not know of copies.
    array = np.array(np.asarray(value))
    if array.dtype.kind not in "biuf":
        raise TypeError(f"numbers are needed, not entries of dtype {array.dtype}")
    return array


def replace(new: list[tuple[Tensor, ndarray]]) -> None:
    """Give Tensors new values, of their shapes."""
    values: Values = {}
    for tensor, array in new:
        rewrite(tensor, array.astype(tensor.dtype, copy=False), values)
    if not carry_out(changed(values)):
        replace(new)  # another thread was faster


def zero_grad(parameter: Tensor, set_to_none: bool) -> None:
    if set_to_none or parameter.grad is None:
        parameter.grad = None
    elif parameter.grad.requires_grad:
        parameter.grad = wrap(np.zeros_like(parameter.grad._array))
    else:
        parameter.grad.zero_()


def once(pairs: Iterator[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Without what came before under another name."""
    seen: set[int] = set()
    for name, value in pairs:
        if id(value) not in seen:
            seen.add(id(value))
            yield name, value


def require_name(module: Module, name: str) -> str:
    """A name for a part of a Module, where no other attribute may have it."""
    if not isinstance(name, str) or not name or "." in name:
        raise KeyError(
            f"{brief(name)} is not a name for a part; names are not empty and have no dot"
        )
    taken = name not in (*module._parameters, *module._modules, *module._buffers)
    if taken and (name in module.__dict__ or hasattr(type(module), name)):
        raise KeyError(f"{type(module).__name__} has an attribute {name!r} already")
    return name
