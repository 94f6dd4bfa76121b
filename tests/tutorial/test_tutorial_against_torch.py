"""The tutorial's second lesson, where PyTorch is installed."""

import re

import notebooks
import pytest

from tinygrad_mlp.tutorial import LESSONS

pytestmark = pytest.mark.torch


def test_pytorch_is_the_third_way() -> None:
    *_, (source, shown) = notebooks.run(LESSONS[1])
    assert "torch.tensor" in source
    assert shown.startswith("tensor(10.2509, dtype=torch.float64, grad_fn=<SumBackward0>)\n")
    differences = re.findall(r"largest difference (\S+)\n", shown)
    assert len(differences) == 6
    # The entries are sums of at most some tens of terms, none larger than 100.
    assert all(float(difference) < 1e-12 for difference in differences)
