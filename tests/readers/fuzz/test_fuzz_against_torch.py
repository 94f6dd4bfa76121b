"""Random programs under PyTorch: no difference, and every mistake found."""

import os

import numpy as np
import pytest
import torch
from hypothesis import given
from support import CHECKED

from tinygrad_mlp.readers.fuzz.answers import Unavailable
from tinygrad_mlp.readers.fuzz.mistakes import SECOND_ORDER
from tinygrad_mlp.readers.fuzz.search import run_chunk
from tinygrad_mlp.readers.fuzz.specs import DTYPES
from tinygrad_mlp.readers.fuzz.targets import exponent_0
from tinygrad_mlp.testing import Plan, Program, fuzz, generate, oracle, strategies

pytestmark = pytest.mark.torch

EXAMPLES = {"quick": 1000, "thorough": 10_000, "soak": 2_000_000}
N = EXAMPLES[os.environ.get("HYPOTHESIS_PROFILE", "quick")]


@pytest.mark.parametrize(
    ("order", "n", "dtypes"),
    [(1, N // 2, ("float64",)), (1, N // 2, DTYPES), (2, N // 4, DTYPES)],
)
def test_no_difference(order: int, n: int, dtypes: tuple[str, ...]) -> None:
    report = fuzz(Plan(("torch",), seed=order, order=order, dtypes=dtypes), n)
    assert report.failure is None, report.text
    assert report.coverage.programs == n


@given(strategies.programs())
def test_programs_of_hypothesis(program: Program) -> None:
    assert Plan(("torch",)).failure(program) is None


@pytest.mark.parametrize(("op", "mistake"), CHECKED)
def test_every_mistake_is_found(op: str, mistake: str) -> None:
    if (op, mistake) in SECOND_ORDER:
        pytest.skip("only PyTorch's own wrong second derivatives show it")
    plan = Plan(("torch",), mistake=(op, mistake))
    assert any(run_chunk(plan, start, 100)[1] for start in range(0, 600, 100))


def test_a_difference_of_pytorchs_own() -> None:
    """∂²xʸ/∂x∂y is 1/x at y = 0; PyTorch gives 0 if x comes first, and 1/x if y does."""
    x = torch.tensor(4.0, requires_grad=True)
    y = torch.tensor(0.0, requires_grad=True)
    (by_x,) = torch.autograd.grad(x**y, x, create_graph=True)
    (by_y,) = torch.autograd.grad(x**y, y, create_graph=True)
    assert torch.autograd.grad(by_y, x)[0].item() == 0.25
    assert torch.autograd.grad(by_x, y, allow_unused=True)[0] in (None, 0)
    program = next(p for p in map(pow_of, range(100)) if exponent_0(p))
    with pytest.raises(Unavailable, match="wrong where y is 0"):
        oracle("torch").answer(program, 2, None)


def pow_of(seed: int) -> Program:
    with np.errstate(all="ignore"):
        return generate(seed=seed, ops=["pow_tensor"])
