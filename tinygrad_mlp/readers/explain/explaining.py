"""``explain``, and what it returns: an explained tape with every way to show it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from ...torch.tensor import Tensor
from ..derive.deriving import derive
from .explanation import ExplainedTape
from .naming import called, leaves_of, names_of
from .views.graph import dot, mermaid
from .views.notebook import tape_html
from .views.page import page
from .views.plain import as_dict
from .views.terminal import lines


class Explanation(ExplainedTape):
    """A tape, explained.

    ``str`` is the table that the terminal shows. In Jupyter it is a table with typeset formulas.
    """

    def __str__(self) -> str:
        return "\n".join(lines(self))

    def __repr__(self) -> str:
        return str(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": str(self), "text/html": tape_html(self)}

    def to_mermaid(self) -> str:
        """The graph as a Mermaid flowchart.

        >>> import tinygrad_mlp as tg
        >>> x = tg.tensor(2.0, requires_grad=True)
        >>> print(tg.explain(x * x).to_mermaid())
        flowchart TD
            n0(["x"])
            n1["f = mul"]
            n0 --> n1
            n0 --> n1
        """
        return mermaid(self)

    def to_dot(self) -> str:
        """The graph in the language of Graphviz.

        >>> import tinygrad_mlp as tg
        >>> x = tg.tensor(2.0, requires_grad=True)
        >>> print(tg.explain(x.exp()).to_dot())
        digraph tape {
            node [shape=box]
            n0 [label="x", shape=ellipse]
            n1 [label="f = exp"]
            n0 -> n1
        }
        """
        return dot(self)

    def to_html(self) -> str:
        """The page that walks the tape: one HTML file, which needs nothing else."""
        return page(self)

    def save_html(self, path: Any) -> None:
        """Write the page to a file; OSError where that cannot be done.

        >>> import tinygrad_mlp as tg
        >>> x = tg.tensor(2.0, requires_grad=True)
        >>> tg.explain(x * x).save_html("tape.html")  # doctest: +SKIP
        """
        Path(path).write_text(self.to_html(), encoding="utf-8", errors="replace")

    def to_dict(self, entries: int | None = 5) -> dict[str, Any]:
        """The same as numbers, lists and dicts, as JSON has them but for nan and infinities.

        Of each array, so many entries row by row; None is all.

        >>> import tinygrad_mlp as tg
        >>> x = tg.tensor([1.0, 2.0], requires_grad=True)
        >>> found = tg.explain((x * x).sum()).to_dict()
        >>> found["leaves"][0]["gradient"]["entries"]
        [2.0, 4.0]
        """
        return as_dict(self, entries)


def explain(
    output: Tensor | Callable[..., Tensor],
    grad_outputs: Any = None,
    *,
    names: Mapping[str, Tensor] | None = None,
    **inputs: Any,
) -> Explanation:
    """The tape of a Tensor, with what flows back along it, step by step.

    ``output`` is a Tensor of one entry, or of any shape with its cotangent in ``grad_outputs``. It
    may also be a function of Tensors, which is called with ``inputs``, as in ``derive``.

    Print what is returned, or let Jupyter show it; ``save_html`` writes a page that walks the tape,
    ``to_mermaid`` and ``to_dot`` give the graph. Tensors go by their names; those that have none by
    the names of the caller's variables, or of the function's; ``names`` gives others, such as
    ``dict(model.named_parameters())``.

    The graph is not released, and ``.grad`` of no Tensor changes. RuntimeError where there is no
    graph, or no longer; ValueError for a wrong shape; TypeError for what is not a Tensor.

    >>> import tinygrad_mlp as tg
    >>> w = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> y = (w * w).sum()
    >>> tg.explain(y)
    Forward
    #    name       op       inputs        shape     range                 norm
    0    w          leaf                   2         1 … 2                 2.236
    1    v1         mul      w, w          2         1 … 4                 4.123
    2    y          sum      v1            a number  5
    <BLANKLINE>
    Back
    2    sum  y = Σ v1
         arrives  ∂y/∂y                                                            1
         leaves   ∂y/∂v1 = ∂y/∂y 𝟏                                  2  1  norm 1.414
    1    mul  v1 = w²
         arrives  ∂y/∂v1                                            2  1  norm 1.414
         leaves   ∂y/∂w = ∂y/∂v1 ⊙ w                            2  1 … 2  norm 2.236
         leaves   ∂y/∂w += ∂y/∂v1 ⊙ w                           2  1 … 2  norm 2.236
    <BLANKLINE>
    What backward() leaves in .grad
    w          2  2 … 4  norm 4.472
    """
    if isinstance(output, Tensor):
        if inputs:
            raise TypeError(f"explain: {next(iter(inputs))}= is for a function, not for a Tensor")
        named, title = [sys._getframe(1).f_locals], ""
    else:
        if not callable(output):
            raise TypeError(f"explain: a Tensor or a function, not {type(output).__name__}")
        title = getattr(output, "__name__", "")
        leaves = leaves_of(inputs)
        output, variables = called(output, **leaves)
        named = [leaves, variables]
    return Explanation(output, grad_outputs, names_of(names or {}, *named), title)


def by_formula(
    function: Callable[..., Tensor], inputs: Mapping[str, Tensor], explanation: ExplainedTape
) -> dict[str, tuple[ndarray, ndarray]]:
    """For each input that a gradient arrives at, it and what the formula of ``derive`` gives.

    TypeError or ValueError where there is no formula that can be evaluated.
    """
    found = ((name, explanation.gradient(x)) for name, x in inputs.items())
    arrived = {name: g for name, g in found if g is not None}
    formulas = derive(function, list(arrived), **inputs)
    values = {name: x.detach().numpy() for name, x in inputs.items()}
    pairs = {}
    for formula, (name, g) in zip(formulas, arrived.items(), strict=True):
        given = {name: values[name] for name in formula.arguments if name in values}
        value = np.broadcast_to(formula(given), g.shape)
        pairs[f"∂{explanation.output.text}/∂{name}"] = g, value
    return pairs
