"""A printed Tensor is PyTorch's, character for character."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from tinygrad_mlp.torch.printing import format_tensor, set_printoptions

pytestmark = pytest.mark.torch

INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
FLOATS = ["float16", "float32", "float64"]
ORDINARY = st.floats(-1e3, 1e3)
WHOLE = st.integers(-2000, 2000).map(float)
# Around the places where the notation switches, and what takes no part in that choice.
SPECIAL = st.sampled_from(
    [0.0, -0.0, math.nan, math.inf, -math.inf, 1e-4, 9.9e-5, 1e8, 1.1e8, 0.5, 1.0, 1000.0, 1000.5]
)
VALUES = st.sampled_from(
    [
        ORDINARY,
        WHOLE,
        SPECIAL,
        ORDINARY | SPECIAL,
        WHOLE | SPECIAL,
        st.floats(1e-5, 1e-3),
        st.floats(1e-320, 1e-30),
        st.floats(-1e10, -1e6),
        st.floats(1e6, 1e10).map(math.floor),
        st.floats(1e30),
        st.floats(),
    ]
)
SHAPES = (
    st.lists(st.integers(0, 9), max_size=3)
    | st.lists(st.integers(0, 2), max_size=6)
    | st.sampled_from([[1000], [1001], [40, 26], [3, 400], [400, 3], [7, 1, 150], [11, 10, 10]])
)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "precision": st.integers(0, 20),
        "threshold": st.integers(0, 60) | st.sampled_from([2.5, math.inf]),
        "edgeitems": st.integers(0, 5),
        "linewidth": st.integers(1, 150),
        "profile": st.sampled_from(["default", "short", "full"]),
        "sci_mode": st.booleans(),
    },
)
KEEPS_VALUES: list[Callable[[torch.Tensor], torch.Tensor]] = [
    lambda x: x,
    lambda x: x * 1,
    lambda x: x.unsqueeze(0).squeeze(0),
]


@st.composite
def arrays(draw: st.DrawFn) -> NDArray[Any]:
    """A few drawn values, scattered: those that a summary hides differ from those it shows."""
    dtype = draw(st.sampled_from(["bool", *INTEGERS, *FLOATS * 3]))
    if dtype in FLOATS:
        drawn = draw(st.lists(draw(VALUES), min_size=1, max_size=6))
        with np.errstate(over="ignore"):
            values = np.array(drawn, dtype="float64").astype(dtype)
    else:
        values = draw(hnp.arrays(dtype, st.integers(1, 6)))
    scatter = np.random.default_rng(draw(st.integers(0, 99)))
    array = np.asarray(scatter.choice(values, draw(SHAPES)))
    return array.T if draw(st.booleans()) else array


def set_both(**change: Any) -> None:
    set_printoptions(**change)
    torch.set_printoptions(**change)  # type: ignore[no-untyped-call]


@pytest.fixture(autouse=True)
def default_options() -> Iterator[None]:
    yield
    set_both(profile="default")


@given(arrays(), st.lists(OPTIONS, max_size=2), st.booleans(), st.sampled_from(KEEPS_VALUES))
def test_prints_what_torch_prints(
    array: NDArray[Any],
    changes: list[dict[str, Any]],
    requires_grad: bool,
    op: Callable[[torch.Tensor], torch.Tensor],
) -> None:
    for change in [{"profile": "default"}, *changes]:
        set_both(**change)

    theirs = torch.from_numpy(array)
    if requires_grad and theirs.is_floating_point():
        theirs = op(theirs.requires_grad_())
    grad_fn = None if theirs.grad_fn is None else type(theirs.grad_fn).__name__
    ours = format_tensor(array, requires_grad=theirs.requires_grad, grad_fn=grad_fn)
    assert ours == repr(theirs)
