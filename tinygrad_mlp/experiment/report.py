"""What ``check`` found, in lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

from .two_layer import FORMULA

FEW = 5  # figures that fit a line of 80 columns


def report(result: dict[str, Any]) -> Iterator[str]:
    """The comparison in lines of at most 80 columns."""
    sizes = ", ".join(f"{name} = {n}" for name, n in result["shape"].items())
    yield FORMULA
    yield f"{sizes}, bias {result['bias']}, {result['dtype']}, seed {result['seed']}"
    yield ""
    yield f"loss {result['loss']:.4f}, by the closed form {result['closed_form_loss']:.4f}"
    for name, found in result["gradients"].items():
        yield ""
        yield f"∂f/∂{name}  {'×'.join(map(str, found['shape'])) or 'a number'}"
        more = len(found["tape"]) < prod(found["shape"])
        yield from figures("tape", found["tape"], more)
        yield from figures("closed form", found["closed_form"], more)
        yield (
            f"  {'agree' if found['agree'] else 'DISAGREE'}: largest difference "
            f"{found['largest_absolute_difference']:.1e}, "
            f"relative {found['largest_relative_difference']:.1e}"
        )
    wrong = [f"∂f/∂{name}" for name, found in result["gradients"].items() if not found["agree"]]
    if not result["loss_agrees"]:
        wrong.insert(0, "the loss")
    yield ""
    if wrong:
        yield f"DISAGREE by more than rounding explains: {', '.join(wrong)}"
    else:
        yield "All agree: no difference is larger than rounding explains."


def figures(label: str, numbers: Sequence[float], more: bool) -> Iterator[str]:
    for start in range(0, max(len(numbers), 1), FEW):
        line = " ".join(f"{x: .4e}" for x in numbers[start : start + FEW])
        yield f"  {label:12}{line}{' …' if more else ''}".rstrip()
        label = ""
