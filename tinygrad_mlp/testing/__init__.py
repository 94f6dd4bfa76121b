"""Checks of gradients: of a function, of an op, and of random programs against other libraries.

>>> from tinygrad_mlp.testing import gradcheck
>>> gradcheck(lambda x: (x * x).sum(), [1.0, 2.0])
True

- ``gradcheck`` and ``gradgradcheck`` compare a function's gradients with finite differences, and
  raise ``Unsettled`` where these do not tell.
- ``check_op`` checks all that an op must satisfy: a row of the table, one of your own, a function.
- ``fuzz`` runs the random programs of a ``Plan`` against oracles, as ``tinygrad-mlp fuzz`` does;
  ``generate`` makes one ``Program``, ``shrink`` makes one smaller, ``script`` writes one as a
  script, ``run`` runs one under any library, and ``oracle`` is another way to its derivatives,
  which for a library of your own is a function that returns an ``Oracle``; ``register`` gives it
  a name.
- ``strategies`` has, for tests with Hypothesis, which only it needs, ``shapes``,
  ``broadcastable_shapes``, ``arrays``, ``tensors``, ``two_layer_problems`` and ``programs``.
"""

from ..readers.fuzz.answers import Answer, Oracle, Unavailable
from ..readers.fuzz.generating import generate
from ..readers.fuzz.oracles import oracle, register
from ..readers.fuzz.plans import Plan
from ..readers.fuzz.programs import Program
from ..readers.fuzz.running import run
from ..readers.fuzz.scripts import script
from ..readers.fuzz.search import Report, fuzz
from ..readers.fuzz.shrinking import shrink
from ..readers.fuzz.specs import OPS
from ..torch.later import first_use
from .check_op import check_op
from .gradcheck import Unsettled, gradcheck, gradgradcheck

__all__ = [
    "Answer",
    "OPS",
    "Oracle",
    "Plan",
    "Program",
    "Report",
    "Unavailable",
    "Unsettled",
    "check_op",
    "fuzz",
    "generate",
    "gradcheck",
    "gradgradcheck",
    "oracle",
    "register",
    "run",
    "script",
    "shrink",
]


def __getattr__(name: str) -> object:
    if name == "strategies":
        return first_use(__name__, name, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
