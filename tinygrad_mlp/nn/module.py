"""The Module, which holds Parameters and other Modules and finds them by their names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from reprlib import repr as brief
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..core.tape import assign
from ..torch.accepts import as_dtype
from ..torch.devices import is_device, require_cpu
from ..torch.hints import absent
from ..torch.tensor import Tensor, home_of_grad
from ..torch.views import moved
from .parameter import Parameter, loaded, replace, zero_grad

if TYPE_CHECKING:
    from numpy.typing import DTypeLike


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
                    new.append((home, "grad", tensor.grad.detach().to(target)))
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
