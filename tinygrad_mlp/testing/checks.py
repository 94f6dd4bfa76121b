"""Whether the gradients of a function, or of an op, are right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import import_module
from itertools import cycle, islice, product
from typing import Any

import numpy as np
from numpy import ndarray

from .. import ops
from ..ops import Op, Shape
from .generating import generate
from .oracles import derivative, oracle, tape, weights
from .programs import Program, run, trace
from .rounding import difference
from .scripts import statements
from .shrinking import shrink
from .specs import MARGIN

SAFETY = 8  # times the error that finite differences estimate for themselves
UNCLEAR = 1e-3  # of a derivative: with a larger error than that, finite differences say nothing

Function = Callable[..., Any]
RowCheck = Callable[[Any, Program], str | None]  # what is wrong


def gradcheck(function: Function, inputs: Any) -> bool:
    """Compare the gradients of a function with finite differences, entry by entry.

    ``inputs`` is a Tensor, array or number, or a tuple of them; they are taken in float64. The
    function takes as many Tensors and returns one or a tuple of them, of any shapes. There is no
    tolerance to choose: central differences at several steps, extrapolated to step 0, come with
    an estimate of their own error. True, or else AssertionError that says which gradient is wrong;
    ValueError where the function is not smooth enough to tell, TypeError where it returns something
    else.

    >>> import tinygrad_mlp as tg
    >>> from tinygrad_mlp.testing import gradcheck
    >>> gradcheck(lambda x, y: (x * y).sin(), ([1.0, 2.0], [[3.0], [4.0]]))
    True
    """
    import tinygrad_mlp as lib

    check_first(lib, function, arrays_of(inputs))
    return True


def gradgradcheck(function: Function, inputs: Any) -> bool:
    """``gradcheck`` of the function's gradients: whether its second derivatives are right.

    >>> from tinygrad_mlp.testing import gradgradcheck
    >>> gradgradcheck(lambda x: x.tanh(), [0.5, -1.0])
    True
    """
    import tinygrad_mlp as lib

    check_second(lib, function, arrays_of(inputs))
    return True


def arrays_of(inputs: Any) -> list[ndarray]:
    given = inputs if isinstance(inputs, tuple) else (inputs,)
    try:
        return [
            np.array(x.detach().numpy() if hasattr(x, "detach") else x, np.float64) for x in given
        ]
    except OverflowError as error:
        raise ValueError(f"the inputs are checked in float64: {error}") from error


def leaves_of(lib: Any, arrays: Sequence[ndarray], dtype: Any = np.float64) -> list[Any]:
    """Leaves that nobody may write into."""
    leaves = [lib.tensor(a.astype(dtype), requires_grad=True) for a in arrays]
    for leaf in leaves:
        leaf._array.flags.writeable = False
    return leaves


def outputs_of(function: Function, leaves: Sequence[Any]) -> list[Any]:
    found = function(*leaves)
    outputs = list(found) if isinstance(found, (tuple, list)) else [found]
    for y in outputs:
        if not hasattr(y, "requires_grad"):
            raise TypeError(f"the function must return Tensors, not {type(y).__name__}")
    return outputs


def gradients(
    lib: Any, function: Function, leaves: Sequence[Any], graph: bool = False
) -> list[Any]:
    """Of Σ weights ⊙ output, with zeros where the function does not depend on an input."""
    outputs = [y for y in outputs_of(function, leaves) if y.requires_grad]
    found: Sequence[Any] = [None] * len(leaves)
    if outputs:
        ws = [lib.tensor(weights(y.shape).astype(y.dtype)) for y in outputs]
        found = lib.grad(outputs, leaves, ws, create_graph=graph, allow_unused=True)
    return [lib.zeros_like(x) if d is None else d for d, x in zip(found, leaves, strict=True)]


def total(lib: Any, outputs: Sequence[Any]) -> Any:
    """Σ weights ⊙ output, of the outputs of a float dtype."""
    parts = [
        (y * lib.tensor(weights(y.shape).astype(y.dtype))).sum()
        for y in outputs
        if y.dtype.kind == "f"
    ]
    return sum(parts[1:], parts[0])


Gradients = Sequence[ndarray]


def by_tape(lib: Any, function: Function, arrays: Sequence[ndarray]) -> Gradients:
    return [d.detach().numpy() for d in gradients(lib, function, leaves_of(lib, arrays))]


def by_compiled(lib: Any, function: Function, arrays: Sequence[ndarray]) -> Gradients:
    _, found = lib.compile(lambda *xs: total(lib, outputs_of(function, xs)))(*arrays)
    return [np.asarray(d) for d in found]


def by_formula(lib: Any, function: Function, arrays: Sequence[ndarray]) -> Gradients:
    """The formulas of the gradients, run as NumPy source."""
    derive = import_module(f"{lib.__name__}.derive").derive
    given = {f"x{k}": a for k, a in enumerate(arrays)}

    def loss(**xs: Any) -> Any:
        return total(lib, outputs_of(function, list(xs.values())))

    found = []
    for name, x in given.items():
        try:
            slope = derive(loss, name, **given)
        except RuntimeError as error:
            if "depend" not in str(error) and "require" not in str(error):
                raise
            found.append(np.zeros_like(x))
        else:
            found.append(np.broadcast_to(np.asarray(slope(**given)), x.shape))
    return found


def check_first(
    lib: Any, function: Function, arrays: Sequence[ndarray], by: Any = by_tape, what: str = ""
) -> None:
    """The gradients of Σ weights ⊙ output against finite differences of it."""
    with np.errstate(all="ignore"):
        found = by(lib, function, arrays)
    for k, x in enumerate(arrays):
        for at in np.ndindex(x.shape):

            def along(t: float, k: int = k, at: Any = at) -> float:
                moved = [np.array(a) for a in arrays]
                moved[k][at] += t
                return float(total(lib, outputs_of(function, leaves_of(lib, moved))).detach())

            where = f"{what or 'gradient'} by input {k}{list(at) if at else ''}"
            with np.errstate(all="ignore"):
                agree(where, float(found[k][at]), along)


def agree(what: str, mine: float, along: Callable[[float], float]) -> None:
    """A derivative against finite differences of the function along its line."""
    expected, error = map(float, derivative(along))
    rounding = 64 * np.finfo(np.float64).eps * (abs(mine) + abs(expected))
    if abs(mine - expected) <= SAFETY * error + rounding:
        if error <= UNCLEAR * (1 + abs(expected)):
            return
    elif error < np.inf and not is_kink(along):
        raise AssertionError(
            f"the {what} is {mine!r}, but by finite differences {expected!r} ± {error:.1e}"
        )
    raise ValueError(
        f"finite differences of the {what} do not settle: {expected!r} ± {error:.1e}; "
        "choose inputs away from kinks and poles"
    )


def is_kink(along: Callable[[float], float]) -> bool:
    """Whether the slopes on both sides of 0 stay as different as they are, however near to it."""
    middle = along(0.0)
    far, near = (abs(along(h) - 2 * middle + along(-h)) / h for h in (1 / 32, 1 / 1024))
    return near > max(far / 4, 1e-9 * abs(middle))


def check_second(lib: Any, function: Function, arrays: Sequence[ndarray]) -> None:
    # Finite differences recompute the gradient, which is a graph of its own each time.
    def slopes(*leaves: Any) -> list[Any]:
        return gradients(lib, function, list(leaves), graph=True)

    check_first(lib, slopes, arrays, what="second gradient")


# Everything an op must satisfy.


def check_op(
    op: Any, inputs: Any = None, *, examples: int = 40, seed: int = 0, library: Any = None
) -> None:
    """Check all that an op must satisfy; AssertionError with a line for each check that fails.

    ``op`` is the name of a row of the table, an op made by ``tinygrad_mlp.op``, or any function of
    Tensors. Checked are its value, its VJPs and their VJPs, inputs that broadcast, that have no
    entries and that are of other dtypes, that nothing writes into an input, and that the compiled
    form and the formula give the same.

    A row is checked on random programs of that op alone, against the complex step. Anything else
    is checked by finite differences, on random inputs: for an op, arrays of one shape, or of shapes
    that broadcast if it does; or on ``inputs``, a tuple of arrays, which a plain function needs.
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
    import tinygrad_mlp

    lib = library or tinygrad_mlp
    if isinstance(op, Op):
        if ops.TABLE.get(op.name) is not op:
            raise ValueError(f"check_op: {op} is not a row of the table; give the function instead")
        op = op.name
    with np.errstate(all="ignore"):
        if isinstance(op, str):
            failures = dict(row_failures(op, lib, examples, seed))
            name = op
        else:
            name = getattr(op, "__name__", "function")
            failures = dict(function_failures(op, lib, inputs, seed))
    if failures:
        lines = [f"{name}: {check}: {text}" for check, text in failures.items()]
        raise AssertionError("\n".join(lines))


def row_failures(op: str, lib: Any, examples: int, seed: int) -> Iterator[tuple[str, str]]:
    """The checks of a row that fail, each once, at the smallest program found for it."""
    if op not in ops.TABLE:
        raise ValueError(f"{op!r} is not an op; the ops are: {', '.join(ops.TABLE)}")
    failed: set[str] = set()
    for program in of_one_op(op, examples, seed):
        for check, test in ROW_CHECKS.items():
            # What else fails then comes of the same VJP.
            if check in failed or "value and VJP" in failed:
                continue
            text = test(lib, program)
            if text is not None:
                failed.add(check)
                small = shrink(program, lambda p, test=test: test(lib, p) is not None, 300)  # type: ignore[misc]
                yield check, f"{test(lib, small)}, in {'; '.join(statements(small))}"


def of_one_op(op: str, examples: int, seed: int) -> Iterator[Program]:
    """Programs of this op alone: some at random, then more until all kinds of inputs are there."""
    missing = {"no entries", "broadcast"} if ops.TABLE[op].broadcasts else {"no entries"}
    missing -= {"no entries"} if op in ("amax", "amin") else set()
    for example in range(examples + 2000):
        program = generate(seed=f"{seed}:{example}", ops=[op], most=1)
        traced = trace(program)
        shapes = [traced.values[i].shape for i in program.steps[0].inputs]
        kinds = set()
        if any(0 in shape for shape in shapes):
            kinds.add("no entries")
        if any(s != traced.values[-1].shape for s in shapes) and traced.values[-1].size > 1:
            kinds.add("broadcast")
        if example < examples or kinds & missing:
            missing -= kinds
            yield program
        elif not missing:
            return
    if missing:
        raise AssertionError(f"{op}: no program of it has inputs with {' or '.join(missing)}")


def second_order(lib: Any, program: Program) -> str | None:
    return against_complex(program, lambda: tape(lib)(program, 2).quantities, 2)


def first_order(lib: Any, program: Program) -> str | None:
    return against_complex(program, lambda: tape(lib)(program, 1).quantities, 1)


def against_complex(program: Program, answer: Callable[[], Any], order: int) -> str | None:
    try:
        mine = answer()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    found = difference(program, mine, oracle("complex"), order)
    return None if found is None else str(found)


def dtypes(lib: Any, program: Program) -> str | None:
    """Values have the dtype that PyTorch's rules give, gradients that of their leaf."""
    try:
        mine = tape(lib)(program, 2).quantities
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    expected = trace(program).dtypes
    for name, array in mine.items():
        dtype = expected[int(name.rpartition("x")[2])]
        if array.dtype != dtype:
            return f"{name} is of {array.dtype}, not {dtype}"
    return None


def of_program(lib: Any, program: Program) -> Function:
    """A program as a function of its leaves."""

    def function(*leaves: Any) -> list[Any]:
        values = run(program, lib, leaves)
        return [values[i] for i in program.outputs]

    return function


def by_other_form(by: Callable[[Any, Function, Sequence[ndarray]], Gradients]) -> RowCheck:
    """The gradients of a program, in another form than the tape's."""

    def test(lib: Any, program: Program) -> str | None:
        def answer() -> Any:
            arrays = [leaf.array() for leaf in program.leaves]
            for array in arrays:
                array.flags.writeable = False
            found = by(lib, of_program(lib, program), arrays)
            slopes = {f"df/dx{i}": d for i, d in enumerate(found)}
            return {**tape(lib)(program, 0).quantities, **slopes}

        return against_complex(program, answer, 1)

    return test


ROW_CHECKS: dict[str, RowCheck] = {
    "value and VJP": first_order,
    "second order": second_order,
    "dtypes": dtypes,
    "compiled form": by_other_form(by_compiled),
    "formula": by_other_form(by_formula),
}


# Ops of the user's own, and functions.


def function_failures(
    function: Function, lib: Any, inputs: Any, seed: int
) -> Iterator[tuple[str, str]]:
    made: Op | None = getattr(function, "op", None)
    given = [arrays_of(inputs)] if inputs is not None else None
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
                f"({reasons[0] if reasons else 'none is in its domain'}); give inputs that it does"
            )
    failed = set()
    for arrays in given:
        for check, test in FUNCTION_CHECKS.items():
            if check not in failed:
                try:
                    test(lib, function, arrays)
                except Exception as error:
                    failed.add(check)
                    kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
                    yield check, f"{kind}{error}"


def inputs_for(
    made: Op, function: Function, lib: Any, seed: int, reasons: list[str]
) -> Iterator[list[ndarray]]:
    """Random inputs in the domain, from plain ones on, some of them without entries.

    Shapes that the op does not take are left out, with the reason in ``reasons``; but those that
    broadcast an op must take if it says that it broadcasts.
    """
    n = len(made.vjps)
    mixed = ((2, 3), (3,), (1,), ()), ((2, 1), (1, 3), (3,), ())
    broad = [tuple(islice(cycle(some), n)) for some in mixed] if made.broadcasts else []
    broad += [shapes[::-1] for shapes in broad]
    alike: list[Shape] = [(), (2,), (2, 3), (2, 2), (0,)]
    random = np.random.default_rng(seed)
    for shapes in (*((shape,) * n for shape in alike), *broad):
        for attempt in range(40):
            low = 0.25 if attempt % 2 else -2.0
            arrays = [
                np.round(random.uniform(low, 2, shape) * 64) / 64
                if attempt
                else 0.5 + np.arange(int(np.prod(shape))).reshape(shape) / 4
                for shape in shapes
            ]
            if in_domain(made, arrays):
                reason = refusal(function, lib, arrays)
                if reason is None or shapes in broad:
                    yield arrays
                    if attempt or not all(shapes):
                        break
                else:
                    reasons.append(reason)


def in_domain(made: Op, arrays: list[ndarray]) -> bool:
    if made.domain is None:
        return True
    moved = product(*((x - MARGIN, x, x + MARGIN) for x in arrays))
    return all(bool(np.all(made.domain(*xs))) for xs in moved)


def refusal(function: Function, lib: Any, arrays: list[ndarray]) -> str | None:
    """Why a function does not take these inputs."""
    try:
        found = outputs_of(function, [lib.tensor(a) for a in arrays])
    except (ValueError, IndexError, TypeError) as error:
        return str(error)
    finite = all(np.isfinite(y.detach().numpy()).all() for y in found)
    return None if finite else "it is not finite there"


def check_value(lib: Any, function: Function, arrays: Sequence[ndarray]) -> None:
    """The same value each time; for an op, that of its forward on arrays."""
    first, again = (
        [y.detach().numpy() for y in outputs_of(function, leaves_of(lib, arrays))] for _ in "12"
    )
    made = getattr(function, "op", None)
    if made is not None:
        again = [np.asarray(made.forward(*arrays))]
    for a, b in zip(first, again, strict=True):
        assert np.array_equal(a, b, equal_nan=True), f"{a.tolist()}, and then {b.tolist()}"


def check_dtypes(lib: Any, function: Function, arrays: Sequence[ndarray]) -> None:
    """float32 gives float32 and float64 gives float64, as outputs and as gradients."""
    for dtype in (np.dtype(np.float32), np.dtype(np.float64)):
        leaves = leaves_of(lib, arrays, dtype)
        made = hasattr(function, "op")
        for y in outputs_of(function, leaves) if made else ():
            assert y.dtype == dtype, f"{dtype} inputs, but a {y.dtype} output"
        for k, d in enumerate(gradients(lib, function, leaves)):
            assert d.dtype == dtype, f"{dtype} inputs, but a {d.dtype} gradient {k}"
            assert d.shape == arrays[k].shape, f"a gradient of shape {d.shape} for input {k}"


def check_inputs(lib: Any, function: Function, arrays: Sequence[ndarray]) -> None:
    """Nothing writes into what it was given: the leaves, or the arrays of the other forms."""
    before = [a.copy() for a in arrays]
    for by in (by_tape, by_compiled, by_formula):
        by(lib, function, arrays)
        for k, (a, b) in enumerate(zip(arrays, before, strict=True)):
            assert np.array_equal(a, b), f"input {k} was written into"


FUNCTION_CHECKS: dict[str, Callable[[Any, Function, list[ndarray]], None]] = {
    "value": check_value,
    "VJP": check_first,
    "second order": check_second,
    "dtypes": check_dtypes,
    "no mutation": check_inputs,
    "compiled form": partial(check_first, by=by_compiled),
    "formula": partial(check_first, by=by_formula),
}
