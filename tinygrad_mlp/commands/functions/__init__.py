"""Functions of the user's: found, called by their arguments' names, their errors in one line."""

from .function import Function
from .loading import CodeError, UsageError, load, running

__all__ = ["CodeError", "Function", "UsageError", "load", "running"]
