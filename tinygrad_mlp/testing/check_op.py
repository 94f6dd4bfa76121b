"""Whether an op is right in all that it must satisfy: a row, one of your own, or a function."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy import ndarray

import tinygrad_mlp

from ..core import ops
from ..core.ops import Op
from .forms import Gradients, by_compiled, by_formula, by_tape
from .functions import Function, gradients, inputs_of, leaves_of, outputs_of
from .gradcheck import EPS, Unsettled, check_first, check_second, check_total
from .inputs import inputs_for
from .rows import ROW_CHECKS, row_failures

T = TypeVar("T")
FunctionCheck = Callable[[Any, Function, list[ndarray]], None]


def check_op(
    op: Any,
    inputs: Any = None,
    *,
    checks: Sequence[str] | None = None,
    order: int = 2,
    examples: int = 40,
    seed: int = 0,
    library: Any = None,
) -> None:
    """Check all that an op must satisfy; AssertionError with a line for each check that fails.

    ``op`` is the name of a row of the table, an op made by ``tinygrad_mlp.op``, an
    ``autograd.Function``, or any function of Tensors. Checked are its value, its VJPs and their
    VJPs, inputs that broadcast, that have no entries and that are of other dtypes, that nothing
    writes into an input, and that the compiled form and the formula give the same, if there are
    any: there are none of a Function, or where Python asks for a value. Where a value or a VJP is
    wrong that alone is reported, as the rest comes of it.

    ``checks`` are those to make, by the names in such a line; ``order`` 1 leaves out the VJPs of
    VJPs. ValueError for a check that there is none of.

    A row is checked on random programs of that op alone, against the complex step. Anything else
    is checked by finite differences, on random inputs: for an op, arrays of one shape, or of shapes
    that broadcast if it does; or on ``inputs``, a tuple of arrays, which a plain function needs.
    An op's options come after its inputs, ``check_op(scale, (x, 2.0))``, or by keyword and for
    random inputs, ``check_op(functools.partial(scale, k=2.0))``.
    ``library`` is a copy of this package to use in its place.

    >>> import numpy as np
    >>> import tinygrad_mlp as tg
    >>> from tinygrad_mlp.testing import check_op
    >>> check_op(tg.op(np.arctan, lambda g, x: g / (1 + x * x), name="arctan"))
    >>> check_op(  # doctest: +ELLIPSIS
    ...     tg.op(np.arctan, lambda g, x: g / (1 + x), name="arctan")
    ... )
    Traceback (most recent call last):
    ...
    AssertionError: arctan: VJP: the gradient by input 0 is 0.666...
    """
    lib = library or tinygrad_mlp
    if isinstance(op, Op):
        if ops.TABLE.get(op.name) is not op:
            raise ValueError(f"check_op: {op} is not a row of the table; give the function instead")
        op = op.name
    with np.errstate(all="ignore"), lib.enable_grad():
        if isinstance(op, str):
            of_row = selected(ROW_CHECKS, checks, order)
            failures = dict(row_failures(op, lib, examples, seed, of_row))
            name = op
        else:
            of_function = selected(FUNCTION_CHECKS, checks, order)
            op, inputs = with_options(getattr(op, "apply", op), inputs)
            name = getattr(getattr(op, "__self__", op), "__name__", "function")
            failures = dict(function_failures(op, lib, inputs, seed, of_function))
    if failures:
        lines = [f"{name}: {check}: {text}" for check, text in failures.items()]
        raise AssertionError("\n".join(lines))


def selected(table: Mapping[str, T], names: Sequence[str] | None, order: int) -> dict[str, T]:
    """The checks of these names up to an order, in the order of the table."""
    if order not in (1, 2):
        raise ValueError(f"check_op: order is 1 or 2, not {order!r}")
    for name in names or ():
        if name not in table:
            raise ValueError(f"check_op: {name!r} is not a check; there are: {', '.join(table)}")
    return {
        name: test
        for name, test in table.items()
        if (names is None or name in names) and (order == 2 or name != "second order")
    }


# Ops of the user's own, and functions.


def with_options(function: Function, inputs: Any) -> tuple[Function, Any]:
    """An op whose options are given, as a function of its inputs alone; and these inputs."""
    given = function.keywords if isinstance(function, partial) else {}
    op = function.func if isinstance(function, partial) else function
    made: Op | None = getattr(op, "op", None)
    if made is None:
        return function, inputs
    n = len(made.vjps)
    if isinstance(inputs, tuple) and len(inputs) > n:
        given = given | dict(zip(made.parameters[n:], inputs[n:], strict=False))
        inputs = inputs[:n]
    if given:
        function = partial(op, **given)
        function.op = made  # type: ignore[attr-defined]
        function.__name__ = made.name  # type: ignore[attr-defined]
    return function, inputs


def function_failures(
    function: Function, lib: Any, inputs: Any, seed: int, checks: Mapping[str, FunctionCheck]
) -> Iterator[tuple[str, str]]:
    """The checks of a function that fail, each once, up to a value or a VJP that is wrong."""
    made: Op | None = getattr(function, "op", None)
    given = [inputs_of(lib, function, inputs)] if inputs is not None else None
    if given is None:
        if made is None:
            raise ValueError(
                "check_op: give the inputs of a plain function: check_op(function, (x, y))"
            )
        reasons: list[str] = []
        given = list(inputs_for(made, function, lib, seed, reasons))
        if not any(a.size for arrays in given for a in arrays):
            raise ValueError(
                f"check_op: {made.name} takes none of the random inputs "
                f"({reasons[0] if reasons else 'none is in its domain'}); give inputs that it "
                "does, and its options after them"
            )
    for check, test in checks.items():
        failed = None
        unsettled: str | None = None
        settled = False
        for arrays in given:
            try:
                test(lib, function, arrays)
            except Unsettled as error:
                unsettled = f"ValueError: {error}"
            except Exception as error:
                kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
                random = f", for {', '.join(str(a.tolist()) for a in arrays)}"
                failed = f"{kind}{error}{random if inputs is None else ''}"
                break
            else:
                settled |= any(a.size for a in arrays)
        # A random input may be near a kink; but not all of them.
        if failed is None and not settled:
            failed = unsettled
        if failed is not None:
            yield check, failed
            if check in ("value", "VJP"):
                return


def check_value(lib: Any, function: Function, arrays: Sequence[ndarray]) -> None:
    """The same value each time; for an op, that of its forward on arrays."""
    first, again = (
        [y.detach().numpy() for y in outputs_of(function, leaves_of(lib, arrays))] for _ in "12"
    )
    made = getattr(function, "op", None)
    if made is not None:
        options = getattr(function, "keywords", {})
        names = made.parameters[len(made.vjps) :][: len(options)]
        if options.keys() == set(names):
            again = [np.asarray(made.forward(*arrays, *(options[name] for name in names)))]
    for a, b in zip(first, again, strict=True):
        assert np.array_equal(a, b, equal_nan=True), f"{a.tolist()}, and then {b.tolist()}"


def check_dtypes(lib: Any, function: Function, arrays: Sequence[ndarray]) -> None:
    """float32 gives float32 and float64 gives float64, as outputs and as gradients.

    An op gives the same numbers in both, to within half of the digits of float32.
    """
    found = []
    for dtype in (np.dtype(np.float32), np.dtype(np.float64)):
        narrowed = [a.astype(np.float32) if a.dtype.kind == "f" else a for a in arrays]
        leaves = leaves_of(lib, narrowed, dtype)
        made = hasattr(function, "op")
        outputs = outputs_of(function, leaves) if made else []
        for y in outputs:
            assert y.dtype == dtype, f"{dtype} inputs, but a {y.dtype} output"
        slopes = gradients(lib, function, leaves)
        names = ["output", *(f"gradient by input {k}" for k in range(len(slopes)))]
        found.append(dict(zip(names, [*outputs, *slopes], strict=False)) if made else {})
        for k, d in enumerate(slopes):
            if arrays[k].dtype.kind != "f":
                continue
            assert d.dtype == dtype, f"{dtype} inputs, but a {d.dtype} gradient {k}"
            assert d.shape == arrays[k].shape, f"a gradient of shape {d.shape} for input {k}"
    narrow, wide = found
    for name, y in wide.items():
        a, b = (np.asarray(t.detach().numpy(), np.float64) for t in (narrow[name], y))
        known = np.isfinite(b) & (np.abs(b) < np.finfo(np.float32).max)
        a, b = a[known], b[known]
        allowed = np.sqrt(np.finfo(np.float32).eps) * max(1.0, np.abs(b).max(initial=0.0))
        assert (np.abs(a - b) <= allowed).all(), (
            f"the {name} is {a.tolist()} in float32, but {b.tolist()} in float64"
        )


def form_of(by: Any, lib: Any, function: Function, arrays: Sequence[ndarray]) -> Gradients | None:
    """The gradients in some form; None of a plain function that cannot be traced, and has none."""
    try:
        found: Gradients = by(lib, function, arrays)
    except RuntimeError:
        if by is by_tape or hasattr(function, "op"):
            raise
        return None
    return found


def check_inputs(lib: Any, function: Function, arrays: Sequence[ndarray]) -> None:
    """Nothing writes into what it was given: the leaves, or the arrays of the other forms."""
    before = [a.copy() for a in arrays]
    for by in (by_tape, by_compiled, by_formula):
        form_of(by, lib, function, arrays)
        for k, (a, b) in enumerate(zip(arrays, before, strict=True)):
            assert np.array_equal(a, b), f"input {k} was written into"


def check_form(by: Any, lib: Any, function: Function, arrays: Sequence[ndarray]) -> None:
    """The gradients in another form: those of the tape, or else right by finite differences."""
    found = form_of(by, lib, function, arrays)
    if found is None:
        return
    pairs = zip(by_tape(lib, function, arrays), found, strict=True)
    floats = [(a, b) for a, b in pairs if a.dtype.kind == "f"]
    if not all((np.abs(a - b) <= 64 * EPS * np.abs(a)).all() for a, b in floats):
        check_total(lib, function, arrays, by)


def check_formula(lib: Any, function: Function, arrays: Sequence[ndarray]) -> None:
    check_form(by_formula, lib, function, arrays)
    made = getattr(function, "op", None)
    if made is not None and made.numpy is not None:
        # The gradient of its square has the op itself in it.
        check_form(by_formula, lib, lambda *xs: function(*xs) * function(*xs), arrays)


FUNCTION_CHECKS: dict[str, FunctionCheck] = {
    "value": check_value,
    "VJP": check_first,
    "second order": check_second,
    "dtypes": check_dtypes,
    "no mutation": check_inputs,
    "compiled form": partial(check_form, by_compiled),
    "formula": check_formula,
}
