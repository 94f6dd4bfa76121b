"""Runs the tutorial's lessons as Jupyter would, in this process: a cell, and what it shows."""

import ast
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

from tinygrad_mlp.tutorial import blocks


def run_cell(source: str, namespace: dict[str, Any], name: str = "cell") -> str:
    """What a cell prints; if it ends with an expression, its value is shown as in Jupyter."""
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed = StringIO()
    with redirect_stdout(printed):
        exec(compile(tree, name, "exec"), namespace)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), name, "eval"), namespace)
            rich = getattr(value, "_repr_mimebundle_", None)
            if rich is not None:
                assert rich()
            if value is not None:
                print(repr(value))
    return printed.getvalue()


def run(
    lesson: str, answers: dict[str, str] | None = None, namespace: dict[str, Any] | None = None
) -> Iterator[tuple[str, str]]:
    """Run a lesson from the top; each cell's source, and what it prints.

    ``answers`` are what the reader writes into exercises, by name; the names that cells define are
    put into ``namespace``.
    """
    namespace = {} if namespace is None else namespace
    namespace["__name__"] = "__main__"
    cells = [block for block in blocks(lesson) if block.kind in ("code", "exercise")]
    for i, block in enumerate(cells):
        source = (answers or {}).get(block.name, block.source) if block.name else block.source
        try:
            printed = run_cell(source, namespace, f"{lesson}, cell {i + 1}")
        except Exception as error:
            error.add_note(f"in {lesson}, cell {i + 1}:\n{source}")
            raise
        yield source, printed
