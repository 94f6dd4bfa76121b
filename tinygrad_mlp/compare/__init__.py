"""Side by side with PyTorch: the same function under both libraries."""

from .comparison import Comparison
from .side_by_side import compare

__all__ = ["Comparison", "compare"]
