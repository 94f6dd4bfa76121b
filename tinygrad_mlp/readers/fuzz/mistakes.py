"""Classic mistakes in a VJP, made on purpose: does anything notice?

The mistakes are made in the text of the table's own rows, so that a new row has them too. A broken
op lives in a copy of the package under another name; the package itself stays as it is.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import cache
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

from ...core import ops

PACKAGE = Path(ops.__file__).parent.parent
copies = count()


@cache
def rows() -> dict[str, list[ast.Lambda | ast.expr]]:
    """The VJPs of each row of the table, as they are written."""
    found = {}
    for node in ast.walk(ast.parse((PACKAGE / "core/ops.py").read_text("utf-8"))):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "row"
            and isinstance(node.args[0], ast.Constant)
        ):
            found[str(node.args[0].value)] = list(node.args[3:])
    return found


@cache
def mistakes(op: str) -> dict[str, str]:
    """The classic mistakes there are in the VJPs of an op: names, and the VJP as it then reads.

    ``sign``: the sign of the result; ``factor``: a factor or a divisor left out; ``argument``: one
    argument in place of another; ``transpose``: axes in the wrong order; ``unbroadcast``: a
    broadcast input gets one of its cotangents, and not their sum. The name of the input follows
    where there are two, and a number where there are several such mistakes.

    >>> mistakes("exp")["factor"]
    'lambda g: g'
    """
    found: dict[str, str] = {}
    if op not in ops.TABLE:
        raise ValueError(f"{op!r} is not an op; the ops are: {', '.join(ops.TABLE)}")
    # Of where, the condition has none.
    vjps = {
        x: vjp
        for x, vjp in zip(ops.TABLE[op].parameters, rows()[op])
        if isinstance(vjp, ast.Lambda)
    }
    for x, vjp in vjps.items():
        where = f"-{x}" if len(vjps) > 1 else ""
        for kind, text in variants(vjp):
            name, n = f"{kind}{where}", 2
            while name in found:
                name, n = f"{kind}{where}-{n}", n + 1
            if text not in found.values() or where:
                found[name] = text
    if len({ast.unparse(vjp) for vjp in vjps.values()}) == 2:
        found["swapped"] = "the two VJPs exchanged"
    if ops.TABLE[op].broadcasts:
        found["unbroadcast"] = "one cotangent of each broadcast entry, not their sum"
    return found


def variants(vjp: ast.Lambda) -> Iterator[tuple[str, str]]:
    """The ways to get a VJP wrong."""
    names = [a.arg for a in vjp.args.args]
    nodes = list(ast.walk(vjp.body))
    if not any(isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) for node in nodes):
        yield "sign", edited(vjp, 0, lambda n: ast.UnaryOp(ast.USub(), n))
    for at, node in enumerate(nodes):
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div)):
            if "g" not in used(node.right):
                yield "factor", edited(vjp, at, lambda n: n.left)
            if isinstance(node.op, ast.Mult) and "g" not in used(node.left):
                yield "factor", edited(vjp, at, lambda n: n.right)
        elif isinstance(node, ast.UnaryOp):
            yield "sign", edited(vjp, at, lambda n: n.operand)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
            yield "sign", edited(vjp, at, lambda n: ast.BinOp(n.left, ast.Add(), n.right))
        elif isinstance(node, ast.Attribute) and node.attr == "mT":
            yield "transpose", edited(vjp, at, lambda n: n.value)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            inputs = [
                i
                for i, a in enumerate(node.args)
                if isinstance(a, ast.Name) and a.id in ("g", "x", "y")
            ]
            if node.func.id == "permute":
                yield "transpose", "lambda g, axes: permute(g, axes)"
            elif node.func.id in ("cos", "sin"):
                other = {"cos": "sin", "sin": "cos"}[node.func.id]
                yield "argument", edited(vjp, at, renamed(other))
            elif node.func.id in ("share", "product") and len(inputs) > 1:
                yield "argument", edited(vjp, at, exchanged(*inputs[-2:]))
        elif isinstance(node, ast.Name) and node.id in ("x", "y", "out") and node is not vjp.body:
            for other in ("x", "y", "out"):
                if other != node.id and other in names:
                    yield "argument", edited(vjp, at, named(other))
    if ast.unparse(vjp.body) == "g":
        yield "factor", "lambda g: g * 0.5"


# These change a VJP where no derivative exists, at x ≤ 0 in xʸ, or change nothing.
HARMLESS = {
    ("pow_tensor", "argument-x-5"): "another value only where 1 / x is not finite",
    ("pow_tensor", "argument-y-5"): "another value only for x ≤ 0",
    ("pow_tensor", "argument-y-6"): "another value only for x ≤ 0",
    ("sign", "sign"): "the derivative is 0 with either sign",
}
# This one is seen in ∂²xʸ/∂x∂y at y = 0 alone, where PyTorch is wrong itself.
SECOND_ORDER = {("pow_tensor", "argument-x-4")}


def used(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


def renamed(name: str) -> Callable[[Any], ast.AST]:
    return lambda call: ast.Call(ast.Name(name), call.args, call.keywords)


def named(name: str) -> Callable[[Any], ast.AST]:
    return lambda _: ast.Name(name)


def exchanged(i: int, j: int) -> Callable[[Any], ast.AST]:
    def change(call: Any) -> ast.AST:
        args = list(call.args)
        args[i], args[j] = args[j], args[i]
        return ast.Call(call.func, args, call.keywords)

    return change


def edited(vjp: ast.Lambda, at: int, change: Callable[[Any], ast.AST]) -> str:
    """The text of a VJP with the node at this place of its walk replaced."""
    copy = deepcopy(vjp)
    target = list(ast.walk(copy.body))[at]

    class Edit(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> Any:
            return change(node) if node is target else self.generic_visit(node)

    copy.body = Edit().visit(copy.body)
    # What the VJP no longer uses it does not ask for.
    keep = used(copy.body)
    copy.args.args = [a for a in copy.args.args if a.arg in keep or a.arg == "g"]
    return ast.unparse(ast.fix_missing_locations(copy))


@cache
def broken(op: str, mistake: str) -> ModuleType:
    """A copy of the package in which this op has this mistake.

    ValueError where there is no such op, or no such mistake in it.

    >>> lib = broken("exp", "sign")
    >>> x = lib.tensor(0.0, requires_grad=True)
    >>> lib.grad(x.exp(), x)
    (tensor(-1.),)
    """
    known = mistakes(op)
    if mistake not in known:
        raise ValueError(f"{op} has no mistake {mistake!r}; it has: {', '.join(known)}")
    alias = f"tinygrad_mlp_broken_{next(copies)}"
    spec = spec_from_file_location(
        alias, PACKAGE / "__init__.py", submodule_search_locations=[str(PACKAGE)]
    )
    assert spec is not None
    assert spec.loader is not None
    package = module_from_spec(spec)
    # It stays there: some modules import others only when they are called.
    sys.modules[alias] = package
    table = submodule(alias, "core.ops")
    if mistake == "unbroadcast":
        tape = submodule(alias, "core.tape")
        tape.unbroadcast = first_of_each(op, tape.unbroadcast)  # type: ignore[attr-defined]
    else:
        misread(table, op, mistake)
    spec.loader.exec_module(package)
    return package


def submodule(alias: str, name: str) -> ModuleType:
    return import_module(f"{alias}.{name}")


def misread(table: Any, op: str, mistake: str) -> None:
    """Put a mistake into a row, before anything has read it."""
    row = table.TABLE[op]
    vjps = list(row.vjps)
    if mistake == "swapped":
        made = [*vjps[:-2], *vjps[:-3:-1]]
    else:
        vjp = eval(mistakes(op)[mistake], vars(table))
        x = mistake.partition("-")[2][:1]
        place = row.parameters.index(x) if x in row.parameters else 0
        made = [*vjps[:place], vjp, *vjps[place + 1 :]]
    row.wire(*made)


def first_of_each(op: str, right: Callable[..., Any]) -> Callable[..., Any]:
    """An ``unbroadcast`` that forgets to sum for one op."""

    def wrong(g: Any, shape: tuple[int, ...], made_by: Any) -> Any:
        if made_by.name != op or 0 in g.shape:
            return right(g, shape, made_by)
        extra = g.ndim - len(shape)
        firsts = (slice(0, 1) if n == 1 else slice(None) for n in shape)
        return g[(*(0,) * extra, *firsts)].reshape(shape)

    return wrong
