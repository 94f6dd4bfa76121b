"""The tutorial: five lessons, written in Markdown, that become notebooks.

A lesson is a Markdown file beside this one. Each block of Python in it becomes a cell of code, and
what stands between them cells of text. A block ``python exercise NAME`` is to be completed by the
reader; one ``python solution NAME`` is its solution, which stays in the text, folded away.
``checks`` says what is wrong with an answer.
"""

from . import checks
from .extras import optional
from .lessons import LESSONS, Block, blocks, solution, title
from .notebooks import notebook

__all__ = ["LESSONS", "Block", "blocks", "checks", "notebook", "optional", "solution", "title"]
