"""The tape, shown: in the terminal, in Jupyter, as a graph, and as a page to step through.

``record`` reads what the tape holds and what flows back, ``rules`` writes the formulas, and
``explanation`` puts both together, for ``terminal``, ``notebook``, ``graph``, ``page`` and ``plot``
to show. ``explain`` is the way in.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ...torch.tensor import Tensor

if TYPE_CHECKING:
    from .explanation import Explanation


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
         leaves   ∂y/∂v1 = ∂y/∂y 1                                  2  1  norm 1.414
    1    mul  v1 = w²
         arrives  ∂y/∂v1                                            2  1  norm 1.414
         leaves   ∂y/∂w = ∂y/∂v1 ⊙ w                            2  1 … 2  norm 2.236
         leaves   ∂y/∂w += ∂y/∂v1 ⊙ w                           2  1 … 2  norm 2.236
    <BLANKLINE>
    What backward() leaves in .grad
    w          2  2 … 4  norm 4.472
    """
    from .explanation import Explanation
    from .naming import called, leaves_of, names_of

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
