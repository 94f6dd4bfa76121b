"""Side by side with PyTorch: the same function under both libraries."""

from .comparison import Comparison, compare

__all__ = ["Comparison", "compare"]
