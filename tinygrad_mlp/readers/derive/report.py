"""Formulas that were checked, as text, as LaTeX, as NumPy source, and for JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..printable import printable
from .checking import Checked, Derived, Problem


def title(problem: Problem) -> str:
    words = []
    for name, x in problem.about.items():
        if name == "shape":
            words += [f"{letter} = {n}" for letter, n in x.items()]
        elif name == "shapes":
            words += [f"{y} {'×'.join(map(str, shape)) or 'scalar'}" for y, shape in x.items()]
        else:
            words.append(f"seed {x}" if name == "seed" else f"bias {x}" if name == "bias" else x)
    return printable(", ".join(words))


def verdict(result: Derived) -> str:
    wrong = [x.formula.equations()[0][0] for x in result.all() if not x.agree]
    if wrong:
        return f"Not found to agree with the tape: {', '.join(wrong)}"
    return "All agree: what the formulas give is what the tape gives, up to rounding."


def nothing(result: Derived) -> list[str]:
    f = result.f.formula.equations()[0][0]
    return [f"∂{f}/∂{name} = 0, as {f} does not depend on {name}" for name in result.unused]


def text(problem: Problem, result: Derived, steps: bool) -> Iterator[str]:
    shown: dict[str, str] = {}
    for found in result.all():
        first, *others = found.formula.equations()
        yield " = ".join(first)
        yield from (f"    {x} = {y}" for x, y in others if shown.get(x) != y)
        shown.update(others)
        if found is result.f:
            yield f"  {title(problem)}"
        yield f"  {found}"
        if steps:
            yield from (f"  {step}" for step in found.formula.steps)
        yield ""
    for line in nothing(result):
        yield line
        yield ""
    yield verdict(result)


def latex(problem: Problem, result: Derived, steps: bool) -> Iterator[str]:
    """One display, with everything else as comments."""
    shown: dict[str, str] = {}
    yield f"% {title(problem)}"
    yield r"\begin{align*}"
    for found in result.all():
        rows = [(x, y) for x, y in found.formula.equations(latex=True) if shown.get(x) != y]
        lines = [rf"  {x} &= {y} \\" for x, y in rows]
        if found is result.all()[-1]:
            lines[-1] = lines[-1].removesuffix(r" \\")
        yield from lines
        shown.update(rows)
        yield f"  % {found}"
        if steps:
            yield from (f"  % {step}" for step in found.formula.steps)
    yield r"\end{align*}"
    yield from (f"% {line}" for line in [*nothing(result), verdict(result)])


def numpy(problem: Problem, result: Derived, steps: bool) -> Iterator[str]:
    """One module, with everything else as comments."""
    blocks: dict[str, None] = {}  # no helper twice
    for name, found in [(None, result.f), *result.gradients.items()]:
        first, *others = found.formula.equations()
        lines = [" = ".join(first), *(f"    {x} = {y}" for x, y in others), f"  {found}"]
        lines += [f"  {step}" for step in found.formula.steps if steps]
        *helpers, function = found.formula.numpy.rstrip("\n").split("\n\n\n")
        if name is not None:
            function = function.replace("def gradient(", f"def gradient_{name}(", 1)
        blocks |= dict.fromkeys(helpers)
        blocks["\n".join([*(f"# {line}" for line in lines), function])] = None
    yield f"# {title(problem)}"
    yield "\n\n\n".join(blocks)
    yield "\n"
    yield from (f"# {line}" for line in [*nothing(result), verdict(result)])


def as_json(problem: Problem, result: Derived) -> dict[str, Any]:
    def entry(found: Checked) -> dict[str, Any]:
        f = found.formula
        return {
            "shape": list(found.shape),
            "text": str(f),
            "latex": f.latex,
            "numpy": f.numpy,
            "arguments": list(f.arguments),
            "definitions": f.definitions,
            "steps": [step._asdict() for step in f.steps],
            "largest_difference": found.difference,
            "largest_entry": found.entry,
            "agree": found.agree,
        }

    return {
        **problem.about,
        "loss": entry(result.f),
        "gradients": {name: entry(found) for name, found in result.gradients.items()},
        "unused": result.unused,
        "agree": all(found.agree for found in result.all()),
    }
