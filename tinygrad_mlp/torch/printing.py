"""The printed form of a Tensor: PyTorch's, character for character.

Two runs, one here and one under PyTorch, can then be read side by side or compared with `diff`.
The reference is the output of PyTorch 2.13 on the CPU with its default dtype, float32. This
module knows NumPy arrays only; the Tensor says what to print after the numbers.
"""

from __future__ import annotations

import math
from numbers import Integral, Real
from reprlib import repr as brief
from typing import Any, NamedTuple

import numpy as np

__all__ = ["DTYPE_PREFIX", "PrintOptions", "format_tensor", "get_printoptions", "set_printoptions"]

DTYPE_PREFIX = "torch."
"""What stands before a dtype's name: `dtype=torch.float64`."""

_OPENING = "tensor("


class PrintOptions(NamedTuple):
    """How Tensors are printed; names and defaults are those of `torch.set_printoptions`."""

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_PROFILES: dict[str, dict[str, Any]] = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": math.inf, "edgeitems": 3, "linewidth": 80},
}
_options = PrintOptions()


def get_printoptions() -> PrintOptions:
    """Return the options in force, as an object that never changes.

    >>> get_printoptions().precision
    4
    """
    return _options


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Change how Tensors are printed; the convention is that of `torch.set_printoptions`.

    What is not given stays as it is, except `sci_mode`: every call sets it, and None hands the
    choice back to the numbers. The options are replaced as a whole, all of them or, on an error,
    none, so another thread never prints with half of a change.

    Args:
        precision: digits after the point, 0 or more.
        threshold: Tensors of more elements than this are summarised; `math.inf` for never.
        edgeitems: how many items a summary shows at each end of an axis, 0 or more.
        linewidth: columns to a line, 1 or more.
        profile: "default", "short" or "full", applied before the other arguments.
        sci_mode: scientific notation always (True), never (False) or when it helps (None).

    Raises:
        TypeError: an argument is not of the type above.
        ValueError: a number is out of its range, or there is no such profile.

    >>> set_printoptions(precision=2)
    >>> print(format_tensor(np.float32([0.12345])))
    tensor([0.12])
    >>> set_printoptions(profile="default")
    """
    global _options
    if profile is not None and not isinstance(profile, str):
        raise TypeError(f"profile must be a string, got {brief(profile)}")
    if profile is not None and profile not in _PROFILES:
        raise ValueError(f"profile must be default, short or full, got {brief(profile)}")
    if sci_mode is not None and not isinstance(sci_mode, bool):
        raise TypeError(f"sci_mode must be True, False or None, got {brief(sci_mode)}")
    changes = dict(_PROFILES[profile]) if profile is not None else {}
    for name, value, kind, least in (
        ("precision", precision, Integral, 0),
        ("threshold", threshold, Real, 0),
        ("edgeitems", edgeitems, Integral, 0),
        ("linewidth", linewidth, Integral, 1),
    ):
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, kind):
            wanted = "an integer" if kind is Integral else "a number"
            raise TypeError(f"{name} must be {wanted}, got {brief(value)}")
        if not value >= least:  # written so that NaN is refused
            raise ValueError(f"{name} must be {least} or more, got {brief(value)}")
        changes[name] = int(value) if kind is Integral else value
    _options = _options._replace(**changes, sci_mode=sci_mode)


def format_tensor(
    array: np.ndarray, *, requires_grad: bool = False, grad_fn: str | None = None
) -> str:
    """Return `array` as PyTorch prints a tensor of the same shape, dtype and values.

    As in PyTorch, the dtype is named unless it is float32, int64 or bool, or, if the array is
    empty, unless it is float32; and `grad_fn` takes the place of `requires_grad=True`. Only the
    elements that are printed are looked at.

    Args:
        array: any shape; bool, signed or unsigned integers, float16, float32 or float64.
        requires_grad: whether the Tensor is a leaf that collects a gradient.
        grad_fn: the name of the node that made the Tensor, such as "MulBackward0".

    Raises:
        TypeError: the dtype is another one, for instance complex.

    >>> print(format_tensor(np.array([[1.0, 2.0], [3.0, 4.0]]), requires_grad=True))
    tensor([[1., 2.],
            [3., 4.]], dtype=torch.float64, requires_grad=True)
    >>> print(format_tensor(np.arange(2000), grad_fn="MulBackward0"))
    tensor([   0,    1,    2,  ..., 1997, 1998, 1999], grad_fn=<MulBackward0>)
    """
    dtype = array.dtype
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise TypeError(f"cannot print {dtype}: only bool, integers and floats of up to 64 bits")
    options = _options
    empty = array.size == 0
    suffixes = []
    if (empty and array.ndim != 1) or (not empty and options.edgeitems == 0):
        suffixes.append(f"size={array.shape}")
    if dtype.name not in (("float32",) if empty else ("float32", "int64", "bool")):
        suffixes.append(f"dtype={DTYPE_PREFIX}{dtype.name}")
    if grad_fn is not None:
        suffixes.append(f"grad_fn=<{grad_fn}>")
    elif requires_grad:
        suffixes.append("requires_grad=True")
    return _append(suffixes, _OPENING + _body(array, options), options.linewidth) + ")"


def _body(array: np.ndarray, options: PrintOptions) -> str:
    """Return the numbers in their brackets, with `...` for what a summary leaves out."""
    edge = options.edgeitems
    cut = [array.size > options.threshold and n > 2 * edge for n in array.shape]
    if any(cut):
        shown = ([*range(n)[:edge], *range(n)[max(edge, n - edge) :]] for n in array.shape)
        array = array[np.ix_(*shown)]
    if array.size == 0:
        return "[...]" if any(cut) else "[]"

    values = array.ravel().tolist()
    if array.dtype.kind == "f":
        items, width = _floats(values, options)
    else:
        items = [str(value) for value in values]
        width = max(map(len, items))
    items = [item.rjust(width) for item in items]
    for axis in reversed(range(array.ndim)):  # innermost brackets first
        n, innermost = array.shape[axis], axis == array.ndim - 1
        margin = " " * (len(_OPENING) + axis + 1)
        per_line = max(1, (options.linewidth - len(_OPENING) - axis) // (width + 2))
        groups = []
        for start in range(0, len(items), n):
            group = items[start : start + n]
            if cut[axis]:
                group.insert(edge, " ..." if innermost else "...")
            if innermost:
                group = [", ".join(group[i : i + per_line]) for i in range(0, len(group), per_line)]
            newlines = "\n" * max(1, array.ndim - axis - 1)
            groups.append("[" + ("," + newlines + margin).join(group) + "]")
        items = groups
    return items[0]


def _floats(values: list[float], options: PrintOptions) -> tuple[list[str], int]:
    """Return floats as text, and the width of their column.

    As in PyTorch, zeros, infinities and NaNs have no say in the notation or the width: one -inf
    may stick out of its column.
    """
    deciding = [value for value in values if value != 0 and math.isfinite(value)]
    low = min(map(abs, deciding), default=1.0)
    high = max(map(abs, deciding), default=1.0)
    scientific = high / low > 1000 or high > 1e8 or low < 1e-4
    if options.sci_mode is not None:
        scientific = options.sci_mode and len(deciding) > 0
    whole = all(value.is_integer() for value in deciding)

    def text(value: float) -> str:
        if whole and not scientific:
            return f"{value:.0f}" + "." * math.isfinite(value)
        return f"{value:.{options.precision}{'e' if scientific else 'f'}}"

    return [text(value) for value in values], max((len(text(v)) for v in deciding), default=1)


def _append(suffixes: list[str], text: str, linewidth: int) -> str:
    """Return `text` with the suffixes after it, each on a new line if it does not fit."""
    # PyTorch takes the last line of numbers, and only that, to be two columns longer than it is.
    column = len(text.rpartition("\n")[2]) + 2
    for suffix in suffixes:
        column += len(", " + suffix)
        if column > linewidth:
            text += ",\n" + " " * len(_OPENING) + suffix
            column = len(_OPENING + suffix)
        else:
            text += ", " + suffix
    return text
