"""Formulas of Tensors and of their gradients.

The gradient of a Tensor is a Tensor with a graph of its own, made of the ops that the VJPs used.
Written down, that graph is what a person derives by hand. Nothing here knows a derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from reprlib import repr as brief
from typing import Any

from ...torch.tensor import Tensor
from .formula import Formula, called, formula_of, gradients


def derive(
    output: Tensor | Callable[..., Tensor],
    wrt: Any = None,
    grad_outputs: Any = None,
    **inputs: Any,
) -> Any:
    r"""The gradient of a Tensor as a formula, with respect to one Tensor or to several.

    ``output`` is a Tensor of one entry, or of any shape with its cotangent in ``grad_outputs``.
    ``wrt`` is a Tensor that it was made from, for which there is a ``Formula``, or a sequence of
    them, for which there is a tuple. What has a name, from ``tensor(…, name=)`` or ``named``, goes
    by it, and is not looked into.

    ``output`` may also be a function of Tensors. It is called with ``inputs``, which get the names
    of their keywords; ``wrt`` is then one keyword or several, without it all whose dtype is a
    float. The comparisons in a function are part of the formula; a Tensor does not know which
    comparisons it was made by, and they are constants in its formula.

    The graph is not released, and ``.grad`` of no Tensor changes. RuntimeError where there is no
    graph, or no longer, or the output does not depend on an input; ValueError for a wrong shape, or
    a keyword that there is not; TypeError for what is not a Tensor or a function of Tensors.

    >>> import tinygrad_mlp as tg
    >>> x = tg.tensor([1.0, 2.0], requires_grad=True, name="x")
    >>> A = tg.tensor([[1.0, 2.0], [3.0, 4.0]], name="A")
    >>> gradient = tg.derive(0.5 * (x @ A @ x), x)
    >>> print(gradient)
    ½ (A + Aᵀ) x
    >>> print(gradient.latex)
    \tfrac{1}{2} \, \left(A + A^{\top}\right) \, x
    >>> print(gradient.numpy.splitlines()[-1])
        return (A + A.T) @ x / 2
    >>> tg.derive(lambda w, y: ((w - y) ** 2).sum(), w=[1.0, 2.0], y=[3.0, 4.0])
    (∂f/∂w = 2 (w − y), ∂f/∂y = −2 (w − y))
    """
    if not isinstance(output, Tensor):
        output, tensors = called(output, inputs)
        if wrt is None:
            wrt = [name for name, x in tensors.items() if x.requires_grad]
            wrt = wrt[0] if len(wrt) == 1 else wrt
        for name in [wrt] if isinstance(wrt, str) else wrt:
            if name not in tensors:
                raise ValueError(
                    f"derive: {name!r} is not an input; these are: {', '.join(inputs)}"
                )
        wrt = tensors[wrt] if isinstance(wrt, str) else [tensors[name] for name in wrt]
    elif inputs:
        raise TypeError(f"derive: {next(iter(inputs))}= is for a function, not for a Tensor")
    if wrt is None:
        raise TypeError("derive: give the Tensor, or the Tensors, to derive with respect to")
    if isinstance(wrt, Tensor):
        return gradients(output, (wrt,), grad_outputs)[0]
    several = tuple(wrt) if isinstance(wrt, Iterable) else (wrt,)
    for x in several:
        if not isinstance(x, Tensor):
            raise TypeError(f"derive: wrt is a Tensor or several of them, not {brief(x)}")
    return gradients(output, several, grad_outputs)


def formula(output: Tensor | Callable[..., Tensor], **inputs: Any) -> Formula:
    """A Tensor as a formula of what it was made from; or what a function makes, as in ``derive``.

    RuntimeError where there is no graph, or no longer.

    >>> import tinygrad_mlp as tg
    >>> X, W, Y = [[1.0, 2.0], [3.0, 4.0]], [[5.0], [6.0]], [[7.0], [8.0]]
    >>> tg.formula(lambda X, W, Y: ((Y - X @ W) ** 2).sum(), X=X, W=W, Y=Y)
    f = ‖Y − X W‖²_F
    """
    if not isinstance(output, Tensor):
        output, _ = called(output, inputs)
    elif inputs:
        raise TypeError(f"formula: {next(iter(inputs))}= is for a function, not for a Tensor")
    return formula_of(output)
