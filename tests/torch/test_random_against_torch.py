"""The generator beside PyTorch's: any calls in any order give the same numbers."""

from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tinygrad_mlp.torch.random import Generator

pytestmark = pytest.mark.torch

# Without AVX, PyTorch rounds a float32 angle once less: at most one step of 2**-21 below 2 pi,
# times a radius of at most 5.8, and the few units in the last place of its own functions.
SAME_FLOAT32 = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
OTHER_FLOAT32 = 4e-6


class Draw(NamedTuple):
    method: str
    shape: tuple[int, ...]
    dtype: str


def check(draw: Draw, ours: Generator, theirs: torch.Generator) -> None:
    name = {"uniform": "rand", "normal": "randn"}[draw.method]
    dtype = getattr(torch, draw.dtype)
    expected = getattr(torch, name)(draw.shape, dtype=dtype, generator=theirs).numpy()
    actual: NDArray[Any] = getattr(ours, draw.method)(draw.shape, draw.dtype)
    assert (actual.shape, actual.dtype) == (expected.shape, expected.dtype)
    in_blocks = draw.method == "normal" and actual.size >= 16
    if in_blocks and draw.dtype == "float32" and not SAME_FLOAT32:
        np.testing.assert_allclose(actual, expected, rtol=0, atol=OTHER_FLOAT32)
    else:
        assert actual.tobytes() == expected.tobytes()


seeds = st.integers(-(2**63), 2**64 - 1) | st.sampled_from([0, 2**32 - 1, 2**32, -1])
sizes = st.sampled_from([0, 1, 2, 15, 16, 17, 31, 32, 33, 100, 1000]) | st.integers(0, 700)
shapes = sizes.map(lambda n: (n,)) | st.lists(st.integers(0, 7), max_size=4).map(tuple)
draws = st.builds(
    Draw, st.sampled_from(["uniform", "normal"]), shapes, st.sampled_from(["float32", "float64"])
)


@given(seeds, st.lists(draws | seeds, max_size=12))
@example(0, [Draw("normal", (2**15 + 17,), "float32"), Draw("normal", (3,), "float32")])
@example(76519, [Draw("normal", (624,), "float32")])
def test_any_sequence_of_calls(seed: int, calls: list[Draw | int]) -> None:
    ours, theirs = Generator().manual_seed(seed), torch.Generator().manual_seed(seed)
    for call in calls:
        if isinstance(call, Draw):
            check(call, ours, theirs)
        else:
            ours.manual_seed(call)
            theirs.manual_seed(call)
        assert ours.initial_seed() == theirs.initial_seed()


@pytest.mark.parametrize("method", ["uniform", "normal"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_million_values(method: str, dtype: str) -> None:
    check(Draw(method, (1000, 1001), dtype), Generator(), torch.Generator())


def test_many_short_draws() -> None:
    ours, theirs = Generator(), torch.Generator()
    for n in range(500):
        check(Draw("normal", (n % 16,), "float64"), ours, theirs)


def test_new_generators_start_alike() -> None:
    assert Generator().initial_seed() == torch.Generator().initial_seed()


@pytest.mark.parametrize("seed", [2**64, -(2**63) - 1])
def test_seeds_that_both_refuse(seed: int) -> None:
    for generator in (Generator(), torch.Generator()):
        with pytest.raises(ValueError, match="Overflow|not between"):
            generator.manual_seed(seed)
