"""Checks of gradients: of a function, of an op, and of random programs against other libraries.

>>> from tinygrad_mlp.testing import gradcheck
>>> gradcheck(lambda x: (x * x).sum(), [1.0, 2.0])
True

``strategies`` are for tests with Hypothesis, which only they need.
"""

from .checks import check_op, gradcheck, gradgradcheck
from .fuzzing import Plan, fuzz
from .oracles import Unavailable, oracle
from .programs import Program, generate, shrink

__all__ = [
    "Plan",
    "Program",
    "Unavailable",
    "check_op",
    "fuzz",
    "generate",
    "gradcheck",
    "gradgradcheck",
    "oracle",
    "shrink",
]
