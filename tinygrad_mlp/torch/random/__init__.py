"""PyTorch's CPU random numbers: the same seed and the same calls give the same numbers.

``stream`` is the engine, MT19937, seeded as ``numpy.random.RandomState`` seeds it; ``uniform``,
``normal`` and ``integers`` make numbers of its 32-bit words as PyTorch 2.13 does, with ``cephes``
for the functions of its kernels. A ``generator`` is what a program draws from, and ``creation`` and
``in_place`` make Tensors.
"""

from .generator import Generator, default_generator, manual_seed

__all__ = ["Generator", "default_generator", "manual_seed"]
