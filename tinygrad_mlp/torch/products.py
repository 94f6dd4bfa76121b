"""Products of vectors and matrices, each for the numbers of axes that its name says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .accepts import require_axes
from .grad_fn import shown_as

if TYPE_CHECKING:
    from .tensor import Tensor


@shown_as("Dot0")
def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """The sum of the products of the entries of two vectors: shapes (n,) and (n,) to ().

    ValueError for other shapes.

    >>> import tinygrad_mlp as tg
    >>> tg.dot(tg.tensor([1.0, 2.0]), tg.tensor([3.0, 4.0]))
    tensor(11.)
    """
    require_axes("dot", (input, 1), (tensor, 1))
    return input @ tensor


@shown_as("Mv0")
def mv(input: Tensor, vec: Tensor) -> Tensor:
    """A matrix times a vector: shapes (n, m) and (m,) to (n,); ValueError for others."""
    require_axes("mv", (input, 2), (vec, 1))
    return input @ vec


@shown_as("Bmm0")
def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """The products of two batches of matrices: shapes (b, n, k) and (b, k, m) to (b, n, m).

    ValueError for other shapes; ``matmul`` broadcasts.
    """
    require_axes("bmm", (input, 3), (mat2, 3))
    return input @ mat2


def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """The products of each entry of a vector with each of another: (n,) and (m,) to (n, m).

    ValueError for other shapes.

    >>> import tinygrad_mlp as tg
    >>> tg.outer(tg.tensor([1.0, 2.0]), tg.tensor([3.0, 4.0]))
    tensor([[3., 4.],
            [6., 8.]])
    """
    require_axes("outer", (input, 1), (vec2, 1))
    return input.unsqueeze(1) * vec2


@shown_as("Addmm0")
def addmm(
    input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    """β input + α (mat1 mat2), in which the input broadcasts to the shape of the product."""
    product = mat1.mm(mat2)
    scaled = input if beta == 1 else input * beta
    return scaled + (product if alpha == 1 else product * alpha)
