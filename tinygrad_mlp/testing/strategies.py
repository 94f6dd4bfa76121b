"""Strategies for Hypothesis: shapes, arrays, Tensors, two-layer problems, programs.

They shrink to few axes, small sizes and plain numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from ..core.ops import Shape
from ..readers.fuzz.generating import BIASES, generate, two_layer_shapes
from ..readers.fuzz.programs import Program
from ..readers.fuzz.specs import DTYPES, OPS
from ..torch.tensor import Tensor

try:
    from hypothesis import strategies as st
    from hypothesis.extra import numpy as hnp
except ImportError:
    raise ImportError(
        "tinygrad_mlp.testing.strategies needs Hypothesis; pip install 'tinygrad-mlp[fuzz]'"
    ) from None


def shapes(
    min_dims: int = 0, max_dims: int = 3, min_side: int = 0, max_side: int = 3
) -> st.SearchStrategy[Shape]:
    """Shapes, by default with axes of 0 and of 1 among them.

    >>> from tinygrad_mlp.testing.strategies import shapes
    >>> shapes().validate()
    """
    return hnp.array_shapes(
        min_dims=min_dims, max_dims=max_dims, min_side=min_side, max_side=max_side
    )


def broadcastable_shapes(
    n: int = 2, max_dims: int = 3, min_side: int = 0, max_side: int = 3
) -> st.SearchStrategy[tuple[Shape, ...]]:
    """``n`` shapes that broadcast with each other."""
    return hnp.mutually_broadcastable_shapes(
        num_shapes=n, max_dims=max_dims, min_side=min_side, max_side=max_side
    ).map(lambda found: found.input_shapes)


def numbers(dtype: Any = np.float64, special: bool = False) -> st.SearchStrategy[float]:
    """Numbers of a dtype: quarters from −3 to 3, any from −3 to 3, and where special others.

    The special ones are both zeros, subnormals, the smallest and largest numbers, and those at
    which σ and exp saturate; with neither nan nor infinity among them.
    """
    info = np.finfo(dtype)
    width = 8 * np.dtype(dtype).itemsize
    plain = st.integers(-12, 12).map(lambda i: i / 4)
    found = plain | st.floats(-3, 3, width=width)
    if special:
        edges = [0.0, 1.0, 20.0, 100.0, 750.0, float(info.tiny), float(info.max)]
        edges.append(float(info.smallest_subnormal))
        found |= st.sampled_from([s * x for x in edges for s in (1, -1)])
    return found


@st.composite
def arrays(
    draw: Any,
    shape: Any = None,
    dtype: Any = np.float64,
    elements: st.SearchStrategy[float] | None = None,
    special: bool = False,
) -> ndarray:
    """Arrays of a shape, or of one that a strategy gives; see ``numbers`` for their entries."""
    shape = shapes() if shape is None else shape
    drawn = draw(shape) if isinstance(shape, st.SearchStrategy) else shape
    entries = numbers(dtype, special) if elements is None else elements
    # Where all entries differ, a mistake has fewer places to hide in.
    array: ndarray = draw(hnp.arrays(dtype, drawn, elements=entries, fill=st.nothing()))
    return array


@st.composite
def tensors(draw: Any, /, *args: Any, requires_grad: bool = True, **options: Any) -> Tensor:
    """Leaves, with the arguments of ``arrays``."""
    found = Tensor(draw(arrays(*args, **options)))
    return found.requires_grad_() if requires_grad else found


@st.composite
def two_layer_problems(
    draw: Any, dtype: Any = np.float64, min_side: int = 0, max_side: int = 4
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """x, y, w1, w2, b1, b2 of the experiment, at any sizes, with any kind of biases.

    >>> from tinygrad_mlp.testing.strategies import two_layer_problems
    >>> two_layer_problems().validate()
    """
    side = st.integers(min_side, max_side)
    n, d, h, o = (draw(side) for _ in range(4))
    shapes = two_layer_shapes(n, d, h, o, draw(st.sampled_from(BIASES)))
    x, y, w1, w2, b1, b2 = (draw(tensors(shape, dtype)) for shape in shapes)
    return x, y, w1, w2, b1, b2


@st.composite
def programs(
    draw: Any,
    ops: Sequence[str] = OPS,
    most: int = 8,
    dtypes: Sequence[str] = DTYPES,
) -> Program:
    """Random programs, as ``generate`` makes them of at most ``most`` steps.

    >>> from hypothesis import given
    >>> from tinygrad_mlp.testing.strategies import programs
    >>> @given(programs(ops=["sigmoid", "matmul"]))
    ... def test_programs_run(program):
    ...     assert program.steps
    >>> test_programs_run()
    """
    # Parts that are drawn, though nothing is drawn for them, are parts that Hypothesis leaves out.
    return generate(
        lambda n: draw(st.integers(0, n - 1)) if n > 1 else 0,
        ops=ops,
        most=most,
        dtypes=dtypes,
        part=lambda make: draw(st.builds(make)),
    )
