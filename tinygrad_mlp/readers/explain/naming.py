"""What a tape's nodes are called where nobody named them: as the variables that hold them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from inspect import unwrap
from types import FrameType
from typing import Any

from ...core.tape import Node
from ...torch.creation import tensor
from ...torch.tensor import Tensor


def names_of(*groups: Mapping[str, Any]) -> dict[Node | int, str]:
    """The first name of each Tensor: by its node, or off the tape by the identity of its array.

    Names with an underscore first are left out; Jupyter keeps what it printed under such names.
    """
    found: dict[Node | int, str] = {}
    for group in groups:
        for name, value in list(group.items()):
            if isinstance(value, Tensor) and not name.startswith("_"):
                found.setdefault(value._node or id(value._array), name)
    return found


def leaves_of(inputs: Mapping[str, Any]) -> dict[str, Tensor]:
    """Arguments as leaves of their own; those of whole numbers need no gradient."""
    tensors = {}
    for name, value in inputs.items():
        x = tensor(value.detach() if isinstance(value, Tensor) else value)
        tensors[name] = x.requires_grad_() if x.dtype.kind == "f" else x
    return tensors


def called(
    function: Callable[..., Any], /, *args: Any, **keywords: Any
) -> tuple[Tensor, dict[str, Any]]:
    """What a function returns, and its local variables as they were then.

    TypeError where it returns anything but a Tensor.
    """
    code = getattr(unwrap(function), "__code__", None)
    variables: dict[str, Any] = {}

    def look(frame: FrameType, event: str, argument: Any) -> None:
        if event == "return" and frame.f_code is code:
            variables.clear()
            variables.update(frame.f_locals)

    # A profiler that is at work already is not disturbed: then there are no names.
    free = sys.getprofile() is None
    if free:
        sys.setprofile(look)
    try:
        output = function(*args, **keywords)
    finally:
        if free:
            sys.setprofile(None)
    if not isinstance(output, Tensor):
        raise TypeError(f"the function must return a Tensor, not {type(output).__name__}")
    return output, variables
