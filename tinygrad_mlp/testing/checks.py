"""Whether the gradients of a function, or of an op, are right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from itertools import product
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


def gradcheck(function: Function, inputs: Any) -> bool:
    """Compare the gradients of a function with finite differences, entry by entry.

    ``inputs`` is a Tensor, array or number, or a tuple of them; they are taken in float64. The
    function takes as many Tensors and returns one or a tuple of them, of any shapes. There is no
    tolerance to choose: central differences at several steps, extrapolated to step 0, come with
    an estimate of their own error. True, or else AssertionError that says which gradient is wrong;
    ValueError where the function is not smooth enough to tell.

    >>> import tinygrad_mlp as tg
    >>> from tinygrad_mlp.testing import gradcheck
    >>> gradcheck(lambda x, y: (x * y).sin(), ([1.0, 2.0], [[3.0], [4.0]]))
    True
    """
    import tinygrad_mlp as lib

    return compare(lib, function, arrays_of(lib, inputs), "gradient")


def gradgradcheck(function: Function, inputs: Any) -> bool:
    """``gradcheck`` of the function's gradients: whether its second derivatives are right.

    >>> from tinygrad_mlp.testing import gradgradcheck
    >>> gradgradcheck(lambda x: x.tanh(), [0.5, -1.0])
    True
    """
    import tinygrad_mlp as lib

    return compare_second(lib, function, arrays_of(lib, inputs))


def arrays_of(lib: Any, inputs: Any) -> list[ndarray]:
    given = inputs if isinstance(inputs, tuple) else (inputs,)
    return [np.array(x.detach().numpy() if hasattr(x, "detach") else x, np.float64) for x in given]


def leaves_of(lib: Any, arrays: Sequence[ndarray], dtype: Any = np.float64) -> list[Any]:
    """Leaves that nobody may write into."""
    leaves = [lib.tensor(a.astype(dtype), requires_grad=True) for a in arrays]
    for leaf in leaves:
        leaf._array.flags.writeable = False
    return leaves


def outputs_of(function: Function, leaves: list[Any]) -> list[Any]:
    found = function(*leaves)
    return list(found) if isinstance(found, (tuple, list)) else [found]


def gradients(lib: Any, function: Function, leaves: list[Any], graph: bool = False) -> list[Any]:
    """Of Σ weights ⊙ output, with zeros where the function does not depend on an input."""
    outputs = [y for y in outputs_of(function, leaves) if y.requires_grad]
    found: Sequence[Any] = [None] * len(leaves)
    if outputs:
        ws = [lib.tensor(weights(y.shape).astype(y.dtype)) for y in outputs]
        found = lib.grad(outputs, leaves, ws, create_graph=graph, allow_unused=True)
    return [lib.zeros_like(x) if d is None else d for d, x in zip(found, leaves, strict=True)]


def compare(lib: Any, function: Function, arrays: list[ndarray], what: str) -> bool:
    """Tape against finite differences of Σ weights ⊙ output."""
    arrays = [np.array(a) for a in arrays]
    found = [d.detach().numpy() for d in gradients(lib, function, leaves_of(lib, arrays))]

    def total(moved: list[ndarray]) -> float:
        outputs = outputs_of(function, leaves_of(lib, moved))
        values = [y.detach().numpy() for y in outputs]
        return float(sum(np.sum(weights(v.shape) * v) for v in values))

    for k, x in enumerate(arrays):
        for at in np.ndindex(x.shape):

            def along(t: float, k: int = k, at: Any = at) -> float:
                moved = [np.array(a) for a in arrays]
                moved[k][at] += t
                return total(moved)

            with np.errstate(all="ignore"):
                expected, error = map(float, derivative(along))
            mine = float(found[k][at])
            rounding = 64 * np.finfo(np.float64).eps * (abs(mine) + abs(expected))
            where = f"input {k}{list(at) if at else ''}"
            if not abs(mine - expected) <= SAFETY * error + rounding:
                raise AssertionError(
                    f"the {what} by {where} is {mine!r}, but by finite differences "
                    f"{expected!r} ± {error:.1e}"
                )
            if not error <= UNCLEAR * (1 + abs(expected)):
                raise ValueError(
                    f"finite differences of the {what} by {where} do not settle: {expected!r} ± "
                    f"{error:.1e}; choose inputs away from kinks and poles"
                )
    return True


def compare_second(lib: Any, function: Function, arrays: list[ndarray]) -> bool:
    # Finite differences recompute the gradient, which is a graph of its own each time.
    def slopes(*leaves: Any) -> list[Any]:
        return gradients(lib, function, list(leaves), graph=True)

    return compare(lib, slopes, arrays, "second gradient")


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
        op = op.name
    with np.errstate(all="ignore"):
        if isinstance(op, str):
            failures = dict(row_failures(op, lib, examples, seed))
            name = op
        else:
            name = getattr(op, "__name__", "function")
            failures = dict(function_failures(op, lib, inputs, min(examples, 12), seed))
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
    for example in range(50 * examples):
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


def loss_of(lib: Any, program: Program) -> Function:
    """A program as a function of its leaves, with Σ weights ⊙ output as its result."""

    def loss(*leaves: Any) -> Any:
        values = run(program, lib, leaves)
        parts = [
            (values[i] * lib.tensor(weights(values[i].shape).astype(values[i].dtype))).sum()
            for i in program.outputs
        ]
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total

    return loss


def compiled_form(lib: Any, program: Program) -> str | None:
    """The compiled program gives the right gradients."""

    def answer() -> Any:
        arrays = [leaf.array() for leaf in program.leaves]
        _, found = lib.compile(loss_of(lib, program))(*arrays)
        wanted = {f"df/dx{i}": np.asarray(d) for i, d in enumerate(found)}
        return {**tape(lib)(program, 0).quantities, **wanted}

    return against_complex(program, answer, 1)


def formula(lib: Any, program: Program) -> str | None:
    """The formula of the gradient, run as NumPy source, gives the right gradients."""

    def answer() -> Any:
        names = [f"x{i}" for i in range(len(program.leaves))]
        given = dict(zip(names, (leaf.array() for leaf in program.leaves), strict=True))
        loss = loss_of(lib, program)

        def function(**tensors: Any) -> Any:
            return loss(*(tensors[name] for name in names))

        wrt = [x for x, leaf in zip(names, program.leaves, strict=True) if leaf.requires_grad]
        found = tape(lib)(program, 1).quantities
        derive = import_module(f"{lib.__name__}.derive").derive
        for x in wrt:
            try:
                slope = derive(function, x, **given)
            except RuntimeError as error:
                if "depend" in str(error) or "require" in str(error):
                    continue  # its gradient is 0
                raise
            value = np.asarray(slope(**given))
            found[f"df/d{x}"] = np.broadcast_to(value, given[x].shape)
        return found

    return against_complex(program, answer, 1)


ROW_CHECKS: dict[str, Callable[[Any, Program], str | None]] = {
    "value and VJP": first_order,
    "second order": second_order,
    "dtypes": dtypes,
    "compiled form": compiled_form,
    "formula": formula,
}


# Ops of the user's own, and functions.


def function_failures(
    function: Function, lib: Any, inputs: Any, examples: int, seed: int
) -> Iterator[tuple[str, str]]:
    made: Op | None = getattr(function, "op", None)
    given = [arrays_of(lib, inputs)] if inputs is not None else None
    if given is None:
        if made is None:
            raise ValueError(
                "check_op: give the inputs of a plain function: check_op(function, (x, y))"
            )
        given = list(inputs_for(made, function, lib, examples, seed))
        if not given:
            raise ValueError(
                f"check_op: {made.name} takes none of the random inputs; give inputs=(…) that it "
                "takes"
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
    made: Op, function: Function, lib: Any, examples: int, seed: int
) -> Iterator[list[ndarray]]:
    """Random inputs in the domain, from plain ones on; the last ones have no entries."""
    n = len(made.vjps)
    shapes: list[tuple[Shape, ...]] = [((),) * n, ((2,),) * n, ((2, 3),) * n, ((2, 2),) * n]
    if made.broadcasts:
        shapes += [((2, 3), (3,), (1,), ())[:n], ((2, 1), (1, 3), (3,), ())[:n]]
        shapes += [s[::-1] for s in shapes[-2:]]
    shapes.append(((0,),) * n)
    random = np.random.default_rng(seed)
    for these in shapes:
        for attempt in range(40):
            low = 0.25 if attempt % 2 else -2.0
            arrays = [
                np.round(random.uniform(low, 2, shape) * 64) / 64
                if attempt
                else 0.5 + np.arange(int(np.prod(shape))).reshape(shape) / 4
                for shape in these
            ]
            if in_domain(made, arrays) and takes(function, lib, arrays):
                yield arrays
                if attempt or not all(these):
                    break


def in_domain(made: Op, arrays: list[ndarray]) -> bool:
    if made.domain is None:
        return True
    moved = product(*((x - MARGIN, x, x + MARGIN) for x in arrays))
    return all(bool(np.all(made.domain(*xs))) for xs in moved)


def takes(function: Function, lib: Any, arrays: list[ndarray]) -> bool:
    try:
        found = outputs_of(function, [lib.tensor(a) for a in arrays])
    except (ValueError, IndexError, TypeError):
        return False
    return all(bool(np.isfinite(y.detach().numpy()).all()) for y in found)


def check_value(lib: Any, function: Function, arrays: list[ndarray]) -> None:
    """The same value each time, that of the forward on arrays, and no input written into."""
    before = [a.copy() for a in arrays]
    first = [y.detach().numpy() for y in outputs_of(function, leaves_of(lib, arrays))]
    again = [y.detach().numpy() for y in outputs_of(function, leaves_of(lib, arrays))]
    for a, b in zip(first, again, strict=True):
        assert np.array_equal(a, b, equal_nan=True), f"{a.tolist()}, and then {b.tolist()}"
    for a, b in zip(arrays, before, strict=True):
        assert np.array_equal(a, b), "it writes into its inputs"


def check_first(lib: Any, function: Function, arrays: list[ndarray]) -> None:
    compare(lib, function, arrays, "gradient")


def check_second(lib: Any, function: Function, arrays: list[ndarray]) -> None:
    compare_second(lib, function, arrays)


def check_dtypes(lib: Any, function: Function, arrays: list[ndarray]) -> None:
    for dtype in (np.float32, np.float64):
        leaves = leaves_of(lib, arrays, dtype)
        for k, d in enumerate(gradients(lib, function, leaves)):
            assert d.dtype == dtype, f"{np.dtype(dtype)} inputs, but a {d.dtype} gradient {k}"
            assert d.shape == arrays[k].shape, f"a gradient of shape {d.shape} for input {k}"


def check_compiled(lib: Any, function: Function, arrays: list[ndarray]) -> None:
    def loss(*leaves: Any) -> Any:
        parts = [
            (y * lib.tensor(weights(y.shape))).sum() for y in outputs_of(function, list(leaves))
        ]
        return sum(parts[1:], parts[0])

    _, found = lib.compile(loss)(*arrays)
    mine = gradients(lib, function, leaves_of(lib, arrays))
    for k, (a, b) in enumerate(zip(found, mine, strict=True)):
        same(f"compiled, gradient {k}", np.asarray(a), b.detach().numpy())


def same(what: str, a: ndarray, b: ndarray) -> None:
    largest = float(np.max(np.abs(b), initial=0.0))
    close = np.abs(a - b) <= 1e3 * np.finfo(np.float64).eps * largest
    assert a.shape == b.shape, f"{what}: shape {a.shape}, not {b.shape}"
    assert bool(close.all()), f"{what}: {a.tolist()}, not {b.tolist()}"


FUNCTION_CHECKS: dict[str, Callable[[Any, Function, list[ndarray]], None]] = {
    "value": check_value,
    "VJP": check_first,
    "second order": check_second,
    "dtypes": check_dtypes,
    "compiled form": check_compiled,
}
