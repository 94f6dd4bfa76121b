"""PyTorch's CPU random numbers: the same seed and the same calls give the same numbers.

``stream`` is the engine, MT19937, seeded as ``numpy.random.RandomState`` seeds it; ``uniform``,
``normal`` and ``integers`` make numbers of its 32-bit words as PyTorch 2.13 does, with ``cephes``
and ``fused`` for the arithmetic of its kernels. A ``generator`` is what a program draws from.
"""

from .generator import Generator, default_generator, manual_seed

__all__ = ["Generator", "default_generator", "manual_seed"]
