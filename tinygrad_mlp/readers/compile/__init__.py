"""A graph as a program: straight-line NumPy on buffers that are made once.

A function is run on Tensors, so that its graph is on the tape (``trace``); the nodes become values
(``lowering``), which a few rules make simpler and fewer (``passes``); those that are best computed
together become one step (``fusion``), the steps get an order (``schedule``) and their values arrays
to live in (``memory``); and each step is written as NumPy, by the row of its op (``writer``,
``forms``), which runs as a ``program``.
"""

from .compiled import Compiled, compile
from .training import TrainingStep

__all__ = ["Compiled", "TrainingStep", "compile"]
