"""The checks of the tutorial's exercises: they say what is wrong with an answer, and why.

Each takes what the reader wrote, prints a verdict, and returns whether the answer is right. None
raises, whatever the reader's code does, so that a notebook can be run from top to bottom.
"""

from .derivatives import hvp, taylor
from .own_op import elu, logsumexp
from .tape import sigmoid, sin, walk
from .training import accuracy, step
from .two_layer import by_b1, by_h, by_w2

__all__ = [
    "accuracy",
    "by_b1",
    "by_h",
    "by_w2",
    "elu",
    "hvp",
    "logsumexp",
    "sigmoid",
    "sin",
    "step",
    "taylor",
    "walk",
]
