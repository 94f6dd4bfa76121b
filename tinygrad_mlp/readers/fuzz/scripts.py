"""A program as a Python script that runs it under PyTorch and under this package."""

from __future__ import annotations

from collections.abc import Callable
from inspect import getsource
from types import FunctionType
from typing import Any

from .oracles import ORACLES, oracle
from .programs import Program, is_entry
from .quoted import answers, called, scatter
from .specs import spec
from .targets import with_torch

SCRIPT = '''\
"""{title}"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import tinygrad_mlp as tg


def run(lib, grad):
{lines}
    found = answers(lib, grad, outputs, inputs, order={order})
    for name, value in found.items():
        print(name, "=", value.tolist())


{helpers}


{other}
print("tinygrad_mlp")
run(tg, tg.grad)
'''

TORCH = """\
try:
    import torch
except ImportError:
    print("PyTorch is not installed: pip install torch")
else:
    print("PyTorch")
    run(torch, torch.autograd.grad)
"""

ORACLE = """\
{imports}
program = Program.from_json({program!r})
print({name!r})
for name, value in oracle({name!r}).answer(program, {order}, None).quantities.items():
    print(name, "=", value.tolist())
"""


def script(program: Program, order: int = 1, note: str = "", by: str | None = None) -> str:
    """A program as a Python script that needs this package, and PyTorch to compare with.

    It prints outputs, gradients and, for ``order=2``, gradients of gradients, under both; or for
    the name of an oracle by that, in PyTorch's place. The note goes into its docstring.

    >>> from tinygrad_mlp.testing import generate, script
    >>> "x1 = x0.exp()" in script(generate(seed=0, ops=["exp"]))
    True
    """
    title = "A program that was found by tinygrad-mlp fuzz."
    if by is not None:
        dtypes = ", ".join(sorted({leaf.dtype for leaf in program.leaves}))
        title += f"\n\nBy {by} {oracle(by).version}".rstrip() + f", with {dtypes}."
    places = [i for i, leaf in enumerate(program.leaves) if leaf.requires_grad]
    written = statements(program)
    helpers: list[Callable[..., Any]] = [
        helper
        for helper in (scatter, called)
        if any(f" {helper.__name__}(" in line for line in written)
    ]
    lines = [
        *written,
        f"outputs = {named(program.outputs)}",
        f"inputs = {named(places)}",
    ]
    return SCRIPT.format(
        title=f"{title}\n\n{quoted(note.strip())}\n" if note else title,
        helpers="\n\n".join(getsource(helper) for helper in (*helpers, answers)).strip(),
        lines="\n".join("    " + line for line in lines),
        order=order,
        other=(TORCH if by in (None, "torch") else asking(program, order, by)).strip(),
    )


def asking(program: Program, order: int, by: str) -> str:
    """The lines that ask an oracle."""
    imports = "from tinygrad_mlp.testing import Program, oracle"
    made = ORACLES.get(by)
    if isinstance(made, FunctionType) and made.__module__ != with_torch.__module__:
        # It is not among those that have a name from the start.
        imports += f", register\nfrom {made.__module__} import {made.__name__}\n\n"
        imports += f"register({by!r}, {made.__name__})"
    return ORACLE.format(imports=imports, program=program.to_json(), name=by, order=order)


def quoted(note: str) -> str:
    """The note as it may stand in a docstring, which it cannot end."""
    lines = note.replace("\\", "\\\\").replace('"', '\\"').split("\n")
    return "\n".join(
        "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line) for line in lines
    )


def named(places: Any) -> str:
    return "{" + ", ".join(f'"x{i}": x{i}' for i in places) + "}"


def statements(program: Program) -> list[str]:
    """The lines that compute: an assignment for each leaf and each step."""
    lines = []
    for i, leaf in enumerate(program.leaves):
        data = f"tensor({leaf.array().tolist()!r}, "
        if 0 in leaf.shape:
            data = f"zeros({leaf.shape}, "
        grad = ".requires_grad_()" * leaf.requires_grad
        lines.append(f"x{i} = lib.{data}dtype=lib.{leaf.dtype}){grad}")
    for i, step in enumerate(program.steps, len(program.leaves)):
        names = [f"x{j}" for j in step.inputs]
        words = dict(zip("xyz", names, strict=False)) | {"xs": f"[{', '.join(names)}]"}
        words |= {name: source(name, value) for name, value in step.options.items()}
        lines.append(f"x{i} = {spec(step.op).written(step.options).format(**words)}")
    return lines


def source(name: str, value: Any) -> str:
    """The value of an option, as a script has it."""
    if name == "dtype":
        return f"lib.{value}"
    if name == "index":
        return f"({''.join(f'{entry(e)}, ' for e in value).rstrip(' ')})"
    return repr(value)


def entry(e: Any) -> str:
    assert is_entry(e)
    if isinstance(e, tuple):
        return repr(slice(*e[1:])) if e[0] == "slice" else f"lib.tensor({list(e[1])})"
    return str(e)
