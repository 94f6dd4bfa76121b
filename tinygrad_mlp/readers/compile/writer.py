"""The text of a program: for each line a statement of NumPy, and what it computes in a comment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from textwrap import wrap
from typing import Any

import numpy as np

from ...core import ops
from .constants import Constants, given, number
from .forms import Target, filled, index_text, statements
from .memory import Line, Memory
from .schedule import Schedule
from .trace import Trace
from .values import Graph, Value, is_broadcast, is_ufunc


@dataclass(frozen=True)
class Source:
    """A program as Python, and what is in scope where it is run."""

    text: str
    scope: dict[str, Any]


@dataclass
class Words:
    """What the values are called: in statements as their arrays are, in comments each by itself."""

    names: dict[Value, str]
    constants: Constants = field(default_factory=lambda: Constants({"np": np}))
    labels: dict[Value, str] = field(default_factory=dict)


def text_of(trace: Trace, graph: Graph, schedule: Schedule, memory: Memory) -> Source:
    words = Words(memory.names)
    making = [f"{name} = {empty(*kind)}" for name, kind in memory.kinds.items()]
    body: list[str] = []
    for line in memory.lines:
        (making if line.fixed else body).extend(written(words, line))
    returns = trace.form.format(*returned(words, graph, schedule))
    if trace.titles:
        pairs = zip(trace.titles, graph.outputs, strict=True)
        said = "; ".join(f"{title}: {label(words, v)}" for title, v in pairs if v is not None)
        body += wrap(said, 92, initial_indent="# ", subsequent_indent="# ")
    buffers = "".join(f"{line.split(' ')[0]}, " for line in making)
    lines = [
        *words.constants.notes,
        "def make_buffers():",
        *(f"    {line}" for line in making),
        f"    return ({buffers})",
        "",
        f"def program(buffers, {', '.join(trace.names)}):",
        *([f"    ({buffers}) = buffers"] if buffers else []),
        *(f"    {line}" for line in body),
        f"    return {returns}",
        "",
    ]
    return Source("\n".join(lines), words.constants.scope)


def empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> str:
    return f"np.empty({shape}, np.{dtype})"


def written(words: Words, line: Line) -> list[str]:
    """The statements of a line."""
    v = line.step.value
    if line.step.rows:
        lines = [f"{line.name} = {empty(v.shape, v.dtype)}"] if line.anew else []
        lines += blocks(words, line)
    else:
        target = Target(v.shape, "" if line.anew else line.name, line.scratch.get(v, ""))
        inputs = operands(words, v, lambda x: name_of(words, x))
        lines = statements(words.constants, v, inputs, target)
        if line.anew:
            lines[0] = f"{line.name} = {lines[0]}"
        if not lines[0].endswith(".T"):
            lines[0] += f"  # {label(words, v)} = {formula(words, v)}, {shape_text(v)}"
    return lines + ([f"del {', '.join(line.gone)}"] if line.gone else [])


def blocks(words: Words, line: Line) -> list[str]:
    """A loop that computes the values of a step some rows at a time."""
    step = line.step
    n, *rest = step.value.shape
    short = "" if n % step.rows == 0 else f"[: {n} - i]"  # the last block is what is left
    cuts: dict[str, str] = {}

    def cut(array: str) -> str:
        return cuts.setdefault(array, f"rows{len(cuts)}")

    def name(x: Value) -> str:
        whole = name_of(words, x)
        if x in step.before:
            return whole + short
        has_rows = len(x.shape) == len(step.value.shape) and x.shape[0] == n
        return cut(whole) if has_rows else whole

    lines = []
    for v in step.values:
        if v.op is ops.matmul:
            inputs = [name(v.inputs[0]), name_of(words, v.inputs[1])]
        else:
            inputs = operands(words, v, name)
        scratch = line.scratch[v] + short if v in line.scratch else ""
        target = Target((step.rows, *rest), name(v), scratch)
        first, *more = statements(words.constants, v, inputs, target)
        lines += [f"{first}  # {label(words, v)} = {formula(words, v)}", *more]
    inputs = [label(words, x) for x in step.inputs]
    head = f"{label(words, step.value)} = a function of {', '.join(inputs)}"
    return [
        f"for i in range(0, {n}, {step.rows}):"
        f"  # {head}, {shape_text(step.value)}, by {step.rows} rows",
        *(f"    {part} = {array}[i : i + {step.rows}]" for array, part in cuts.items()),
        *(f"    {line}" for line in lines),
        f"del {', '.join(cuts.values())}",
    ]


def operands(words: Words, v: Value, name: Callable[[Value], str]) -> list[str]:
    """The names of the inputs; where a ufunc will broadcast it, a number for a constant."""
    names = []
    for i, x in enumerate(v.inputs):
        others = (*v.inputs[:i], *v.inputs[i + 1 :])
        broadcast = is_ufunc(v.op) and any(y.array is None and y.shape == v.shape for y in others)
        single = broadcast and x.number is not None
        names.append(number(words.constants, x.number, x.dtype) if single else name(x))
    return names


def name_of(words: Words, v: Value) -> str:
    """The name of the array of a value."""
    return given(words.constants, v.array) if v.array is not None else words.names.get(v, v.name)


def returned(words: Words, graph: Graph, schedule: Schedule) -> list[str]:
    """What to return for each output: an array of the caller's own, so each root only once."""
    seen: set[Value] = set()
    names = []
    for v in graph.outputs:
        if v is None:
            names.append("None")
            continue
        root = schedule.root_of(v)
        own = root.op is not None and root not in seen and not is_broadcast(v)
        seen.add(root)
        names.append(name_of(words, v) if own else f"{name_of(words, v)}.copy()")
    return names


# Comments.


def label(words: Words, v: Value) -> str:
    """A value's name in the comments, which unlike that of its array is its own."""
    if v.array is not None:
        return f"{v.number:g}" if v.number is not None else name_of(words, v)
    if v.op is None:
        return v.name
    if v.op is ops.permute and len(v.shape) == 2:
        return f"{label(words, v.inputs[0])}ᵀ"
    return words.labels.setdefault(v, f"v{len(words.labels) + 1}")


def formula(words: Words, v: Value) -> str:
    """What a line computes, in the notation of the op's row."""
    assert v.op is not None
    options = [option_text(words, v, o) for o in v.options]
    text = filled(v.op, v.op.formula, [label(words, x) for x in v.inputs], options)
    return " ".join(text.split())


def option_text(words: Words, v: Value, option: Any) -> str:
    if v.op in (ops.getitem, ops.scatter) and option is v.options[0]:
        return index_text(words.constants, option).removesuffix(", ...")
    text = "all" if option is None else repr(option)
    return text if len(text) <= 40 else "…"


def shape_text(v: Value) -> str:
    return "×".join(map(str, v.shape)) or "a number"
