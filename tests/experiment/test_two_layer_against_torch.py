"""The experiment under PyTorch: the same function body, the same loss, the same gradients."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy import ndarray

import tinygrad_mlp as tg
from tinygrad_mlp.experiment.bounds import error_bounds
from tinygrad_mlp.experiment.two_layer import BIASES, NAMES, loss, problem

pytestmark = pytest.mark.torch


def gradients(library: Any, inputs: list[ndarray]) -> list[ndarray]:
    """The loss and the six gradients."""
    tensors = [library.tensor(a, requires_grad=True) for a in inputs]
    value = loss(*tensors)
    value.backward()
    return [np.asarray(value.detach()), *(np.asarray(t.grad) for t in tensors)]


@st.composite
def arrays(draw: Any) -> list[ndarray]:
    """Random inputs; no hidden value is below −75, where PyTorch's float32 σ starts to be 0."""
    n, d, h, o = (draw(st.integers(0, 8)) for _ in range(4))
    dtype = draw(st.sampled_from(["float32", "float64"]))
    bias = draw(st.sampled_from(BIASES))
    width = np.dtype(dtype).itemsize * 8
    elements = st.floats(-3, 3, width=width)
    return [
        draw(hnp.arrays(dtype, t.shape, elements=elements)) for t in problem(0, (n, d, h, o), bias)
    ]


def check(inputs: list[ndarray]) -> None:
    bound, bounds = error_bounds(*inputs)
    ours, theirs = gradients(tg, inputs), gradients(torch, inputs)
    allowed = [bound, *(bounds[name] for name in NAMES)]
    for name, a, b, most in zip(("loss", *NAMES), ours, theirs, allowed, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        assert np.all(np.abs(a - b) <= 2 * most), name


@given(arrays())
def test_random_problems(inputs: list[ndarray]) -> None:
    check(inputs)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("shape", [(100, 1, 20, 1), (300, 7, 200, 3), (1, 1, 1, 1)])
def test_drawn_problems(shape: tuple[int, int, int, int], bias: str, dtype: str) -> None:
    check([t.detach().numpy() for t in problem(5, shape, bias, dtype)])


def test_the_reference_run_from_pytorchs_own_numbers() -> None:
    torch.manual_seed(0)
    theirs = [torch.randn(t.shape).numpy() for t in problem()]
    value, *found = gradients(torch, theirs)
    tensors = problem()
    ours = [t.detach().numpy() for t in tensors]
    assert f"{value:.4f}" == f"{loss(*tensors).item():.4f}" == "326.1264"
    for a, b in zip(ours, theirs, strict=True):
        # At most 2 units in the last place, of values below 8.
        np.testing.assert_allclose(a, b, rtol=0, atol=2 * 2**-21)
    check(theirs)
    assert len(found) == 6
