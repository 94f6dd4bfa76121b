"""Whether the gradients of a function, or of an op, are right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import cycle, islice, product
from typing import Any

import numpy as np
from numpy import ndarray

from ..core import ops
from ..core.ops import Op, Shape
from ..readers.fuzz.generating import generate
from ..readers.fuzz.oracles import derivative, oracle, tape, wanted, weights
from ..readers.fuzz.programs import Program, run, trace, wrong_dtype
from ..readers.fuzz.rounding import difference
from ..readers.fuzz.scripts import statements
from ..readers.fuzz.shrinking import shrink
from ..readers.fuzz.specs import MARGIN

SAFETY = 8  # times the error that finite differences estimate for themselves
UNCLEAR = 1e-3  # of a derivative: with a larger error than that, finite differences say nothing
STARTS = tuple(2.0**-k for k in (5, 13, 21, 29, 31))  # of steps, for what varies in smaller ones
EPS = float(np.finfo(np.float64).eps)
LARGE, TOO_LARGE = 3, 10  # between them functions saturate, but have digits left that show it
PATIENCE = 1000  # programs
NOT_FINITE = "it is not finite there"


class Unsettled(ValueError):  # noqa: N818 - it says nothing of what is checked
    """Finite differences cannot tell what the derivative is."""


Function = Callable[..., Any]
RowCheck = Callable[[Any, Program], str | None]  # what is wrong


def gradcheck(function: Function, inputs: Any) -> bool:
    """Compare the gradients of a function with finite differences, entry by entry.

    ``inputs`` is a Tensor, array or number, or a tuple of them; they are taken in float64, apart
    from masks of bools, and from whole numbers where the function takes nothing else, as an index.
    The function takes as many Tensors and returns one or a tuple of them, of any shapes. There is
    no tolerance to choose: central differences at several steps, extrapolated to step 0, come with
    an estimate of their own error. True, or else AssertionError that says which gradient is wrong;
    ValueError where the function is not smooth enough to tell, TypeError where it returns something
    else.

    >>> import tinygrad_mlp as tg
    >>> from tinygrad_mlp.testing import gradcheck
    >>> gradcheck(lambda x, y: (x * y).sin(), ([1.0, 2.0], [[3.0], [4.0]]))
    True
    """
    import tinygrad_mlp as lib

    with lib.enable_grad():
        check_first(lib, function, inputs_of(lib, function, inputs))
    return True


def gradgradcheck(function: Function, inputs: Any) -> bool:
    """``gradcheck`` of the function's gradients: whether its second derivatives are right.

    >>> from tinygrad_mlp.testing import gradgradcheck
    >>> gradgradcheck(lambda x: x.tanh(), [0.5, -1.0])
    True
    """
    import tinygrad_mlp as lib

    with lib.enable_grad():
        check_second(lib, function, inputs_of(lib, function, inputs))
    return True


def given_arrays(inputs: Any) -> list[ndarray]:
    given = inputs if isinstance(inputs, tuple) else (inputs,)
    return [np.asarray(x.detach().numpy() if hasattr(x, "detach") else x) for x in given]


def inputs_of(lib: Any, function: Function, inputs: Any) -> list[ndarray]:
    """The inputs in float64, but those that the function takes only as they are."""
    given = given_arrays(inputs)
    if any(b.dtype.kind == "c" for b in given):
        raise TypeError("the inputs are checked in float64, which has no complex numbers")
    try:
        arrays = [np.array(x, np.float64) for x in given]
    except OverflowError as error:
        raise ValueError(f"the inputs are checked in float64: {error}") from error
    arrays = [b if b.dtype.kind == "b" else a for a, b in zip(arrays, given, strict=True)]
    if any(b.dtype.kind in "iu" for b in given):
        try:
            outputs_of(function, leaves_of(lib, arrays))
        except TypeError:
            if all(b.dtype.kind in "biu" for b in given):
                raise
            arrays = [b if b.dtype.kind in "iu" else a for a, b in zip(arrays, given, strict=True)]
    if not any(a.dtype.kind == "f" for a in arrays):
        raise ValueError("there is no gradient to check: no input is of a float dtype")
    return arrays


def leaves_of(lib: Any, arrays: Sequence[ndarray], dtype: Any = np.float64) -> list[Any]:
    """Leaves that nobody may write into; those of ints and bools have no gradient."""
    leaves = [
        lib.tensor(a.astype(dtype), requires_grad=True) if a.dtype.kind == "f" else lib.tensor(a)
        for a in arrays
    ]
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
    places = [k for k, x in enumerate(leaves) if x.requires_grad]
    found: dict[int, Any] = {}
    if outputs:
        ws = [lib.tensor(weights(y.shape).astype(y.dtype)) for y in outputs]
        of = [leaves[k] for k in places]
        slopes = lib.grad(outputs, of, ws, create_graph=graph, allow_unused=True)
        found = {k: d for k, d in zip(places, slopes, strict=True) if d is not None}
    return [found[k] if k in found else lib.zeros_like(x) for k, x in enumerate(leaves)]


def total(lib: Any, outputs: Sequence[Any]) -> Any:
    """Σ weights ⊙ output, of the outputs of a float dtype."""
    parts = [(y * lib.tensor(weights(y.shape).astype(y.dtype))).sum() for y in floats(outputs)]
    return sum(parts[1:], parts[0])


def floats(outputs: Sequence[Any]) -> list[Any]:
    """The outputs that can have a gradient."""
    found = [y for y in outputs if y.dtype.kind == "f"]
    if not found:
        raise TypeError("the function returns nothing of a float dtype, which alone has gradients")
    return found


Gradients = Sequence[ndarray]


def by_tape(lib: Any, function: Function, arrays: Sequence[ndarray]) -> Gradients:
    return [d.detach().numpy() for d in gradients(lib, function, leaves_of(lib, arrays))]


def by_compiled(lib: Any, function: Function, arrays: Sequence[ndarray]) -> Gradients:
    function, given = of_floats(lib, function, arrays)
    _, found = lib.compile(lambda *xs: total(lib, outputs_of(function, xs)))(*given.values())
    return with_zeros(arrays, dict(zip(given, map(np.asarray, found), strict=True)))


def by_formula(lib: Any, function: Function, arrays: Sequence[ndarray]) -> Gradients:
    """The formulas of the gradients, run as NumPy source."""
    derive = lib.derive
    function, places = of_floats(lib, function, arrays)
    given = {f"x{k}": a for k, a in places.items()}

    def loss(**xs: Any) -> Any:
        return total(lib, outputs_of(function, list(xs.values())))

    found = {}
    for k, x in places.items():
        try:
            slope = derive(loss, f"x{k}", **given)
        except RuntimeError as error:
            if "depend" not in str(error) and "require" not in str(error):
                raise
        else:
            found[k] = np.broadcast_to(np.asarray(slope(**given)), x.shape)
    return with_zeros(arrays, found)


def of_floats(
    lib: Any, function: Function, arrays: Sequence[ndarray]
) -> tuple[Function, dict[int, ndarray]]:
    """The function of its float inputs alone, and these by their places.

    A compiled form and a formula hold for one mask or index, which decides what they are.
    """
    given = {k: a for k, a in enumerate(arrays) if a.dtype.kind == "f"}
    if len(given) == len(arrays):
        return function, given

    def of(*xs: Any) -> Any:
        leaves = leaves_of(lib, arrays)
        for k, x in zip(given, xs, strict=True):
            leaves[k] = x
        return function(*leaves)

    return of, given


def with_zeros(arrays: Sequence[ndarray], found: dict[int, ndarray]) -> Gradients:
    return [found[k] if k in found else np.zeros(a.shape) for k, a in enumerate(arrays)]


def check_first(
    lib: Any,
    function: Function,
    arrays: Sequence[ndarray],
    by: Any = by_tape,
    what: str = "",
    eps: float | None = None,
) -> None:
    """The gradients of Σ weights ⊙ output against finite differences of it."""

    def value(at: Sequence[ndarray]) -> float:
        return float(total(lib, outputs_of(function, leaves_of(lib, at))).detach())

    unclear = None
    with np.errstate(all="ignore"):
        found = by(lib, function, arrays)
        eps = eps or precision(lib, function, arrays)
        noise = None
        for k, x in enumerate(arrays):
            for at in np.ndindex(x.shape if x.dtype.kind == "f" else (0,)):

                def along(t: float, k: int = k, at: Any = at) -> float:
                    moved = [np.array(a) for a in arrays]
                    moved[k][at] += t
                    return value(moved)

                noise = noise_of(value, arrays) if noise is None else noise
                where = f"{what or 'gradient'} by input {k}{list(at) if at else ''}"
                try:
                    agree(where, float(found[k][at]), along, eps, noise)
                except Unsettled as error:
                    unclear = unclear or error
    if unclear is not None:
        raise unclear


def precision(lib: Any, function: Function, arrays: Sequence[ndarray]) -> float:
    """The eps of the coarsest dtype among the outputs."""
    outputs = outputs_of(function, leaves_of(lib, arrays))
    return max([EPS, *(float(np.finfo(y.dtype).eps) for y in floats(outputs))])


def noise_of(value: Callable[[Sequence[ndarray]], float], arrays: Sequence[ndarray]) -> float:
    """How far a value moves when its inputs do by a unit in the last place or two."""
    random = np.random.default_rng(0)
    found = [
        value(
            [
                a * (1 + EPS * random.integers(-2, 3, a.shape)) if a.dtype.kind == "f" else a
                for a in arrays
            ]
        )
        for _ in range(6)
    ]
    spread = max(found) - min(found)
    return spread if np.isfinite(spread) else 0.0


def agree(
    what: str, mine: float, along: Callable[[float], float], eps: float, noise: float
) -> None:
    """A derivative against finite differences of the function along its line.

    Where larger steps do not tell, smaller ones may; and since what varies within a step can look
    smooth, a difference is believed once smaller steps do not contradict it.
    """
    doubt: tuple[float, float] | None = None
    first = ""
    # One that is infinite or nan is right nowhere, however large it is.
    scale = abs(mine) if np.isfinite(mine) else 0.0
    for start in STARTS:
        expected, error = map(float, derivative(along, start, eps=eps, noise=noise))
        first = first or f"{expected!r} ± {error:.1e}"
        rounding = 64 * eps * (scale + abs(expected))
        if doubt is not None and error < np.inf:
            by, off = doubt
            if abs(expected - by) <= SAFETY * (error + off) + rounding:
                raise AssertionError(
                    f"the {what} is {mine!r}, but by finite differences {by!r} ± {off:.1e}"
                )
        doubt = None
        if error <= UNCLEAR * (1 + abs(expected)):
            if abs(mine - expected) <= SAFETY * error + rounding:
                return
            if not is_kink(along, start, eps):
                doubt = expected, error
    raise Unsettled(
        f"finite differences of the {what} do not settle: {first}; "
        "choose inputs away from kinks and poles"
    )


def is_kink(along: Callable[[float], float], start: float, eps: float) -> bool:
    """Whether the slopes on both sides of 0 stay as different as they are, however near to it."""
    middle = along(0.0)
    far, near = (abs(along(h) - 2 * middle + along(-h)) / h for h in (start, start / 32))
    return near > max(far / 4, 1e-9 * abs(middle), 16 * eps * abs(middle) / (start / 32))


def check_second(lib: Any, function: Function, arrays: Sequence[ndarray]) -> None:
    # Finite differences recompute the gradient, which is a graph of its own each time.
    def slopes(*leaves: Any) -> list[Any]:
        return gradients(lib, function, list(leaves), graph=True)

    eps = precision(lib, function, arrays)
    check_first(lib, slopes, arrays, what="second gradient", eps=eps)


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
    import tinygrad_mlp

    lib = library or tinygrad_mlp
    if isinstance(op, Op):
        if ops.TABLE.get(op.name) is not op:
            raise ValueError(f"check_op: {op} is not a row of the table; give the function instead")
        op = op.name
    with np.errstate(all="ignore"), lib.enable_grad():
        if isinstance(op, str):
            failures = dict(row_failures(op, lib, examples, seed))
            name = op
        else:
            op, inputs = with_options(op, inputs)
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
    # Not every op takes both of these.
    large = {(k, sign) for k in range(len(ops.TABLE[op].vjps)) for sign in (-1, 1)}
    for example in range(examples + 2000):
        program = generate(seed=f"{seed}:{example}", ops=[op], most=1)
        traced = trace(program)
        inputs = program.steps[0].inputs
        shapes = [traced.values[i].shape for i in inputs]
        found = set()
        for k, sign in large:
            # In float32, rounding would hide much of it.
            if k < len(inputs) and traced.dtypes[inputs[k]] == "float64":
                x = sign * traced.values[inputs[k]]
                if ((x >= LARGE) & (x <= TOO_LARGE)).any():
                    found.add((k, sign))
        kinds = set()
        if any(0 in shape for shape in shapes):
            kinds.add("no entries")
        if any(s != traced.values[-1].shape for s in shapes) and traced.values[-1].size > 1:
            kinds.add("broadcast")
        if example < examples or kinds & missing or found:
            missing -= kinds
            large -= found
            yield program
        elif not missing and (not large or example > examples + PATIENCE):
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
    return wrong_dtype(program, mine)


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
            slopes = {f"df/dx{i}": found[i] for i in wanted(program)}
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
    function: Function, lib: Any, inputs: Any, seed: int
) -> Iterator[tuple[str, str]]:
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
    failed, settled, unsettled = set(), set(), {}
    for arrays in given:
        for check, test in FUNCTION_CHECKS.items():
            if check not in failed:
                try:
                    test(lib, function, arrays)
                except Unsettled as error:
                    unsettled[check] = f"ValueError: {error}"
                except Exception as error:
                    failed.add(check)
                    kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
                    random = f", for {', '.join(str(a.tolist()) for a in arrays)}"
                    yield check, f"{kind}{error}{random if inputs is None else ''}"
                else:
                    if any(a.size for a in arrays):
                        settled.add(check)
    # A random input may be near a kink; but not all of them.
    for check, text in unsettled.items():
        if check not in failed | settled:
            yield check, text


def inputs_for(
    made: Op, function: Function, lib: Any, seed: int, reasons: list[str]
) -> Iterator[list[ndarray]]:
    """Random inputs in the domain, from plain ones on, some of them without entries.

    For each shape there are plain ones, and some of either sign, or if need be positive; for shapes
    that broadcast, only these.
    Shapes that the op does not take are left out, with the reason in ``reasons``; but those that
    broadcast an op must take if it says that it broadcasts.
    """
    n = len(made.vjps)
    broad: list[tuple[Shape, ...]] = []
    if made.broadcasts and n > 1:
        one_less: list[Shape] = [(), (1,)]
        broad = [((2,),) * k + (one,) + ((2,),) * (n - 1 - k) for one in one_less for k in range(n)]
        for some in ((2, 3), (3,), (1,), ()), ((2, 1), (1, 3), (3,), ()):
            broad.append(tuple(islice(cycle(some), n)))
            broad.append(broad[-1][::-1])
    alike: list[Shape] = [(), (2,), (2, 3), (2, 2), (1,), (2, 1, 2), (0,)]
    random = np.random.default_rng(seed)
    for shapes in (*((shape,) * n for shape in alike), *broad):
        for attempt in range(shapes in broad, 81):
            # None of these is a whole number or half of one, where functions have kinks.
            low = -2.0 if attempt <= 40 else 0.25
            arrays = [
                np.floor(random.uniform(low, 2, shape) * 64) / 64 + 1 / 128
                if attempt
                else 0.5 + np.arange(int(np.prod(shape))).reshape(shape) / 4
                for shape in shapes
            ]
            if in_domain(made, arrays):
                reason = refusal(function, lib, arrays)
                if reason is None or (shapes in broad and reason != NOT_FINITE):
                    yield arrays
                    if attempt or not all(map(np.prod, shapes)):
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
        # To write into what it was given is no way to say no.
        return None if "writes into its arguments" in str(error) else str(error)
    finite = all(np.isfinite(y.detach().numpy()).all() for y in found)
    return None if finite else NOT_FINITE


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


def check_inputs(lib: Any, function: Function, arrays: Sequence[ndarray]) -> None:
    """Nothing writes into what it was given: the leaves, or the arrays of the other forms."""
    before = [a.copy() for a in arrays]
    for by in (by_tape, by_compiled, by_formula):
        by(lib, function, arrays)
        for k, (a, b) in enumerate(zip(arrays, before, strict=True)):
            assert np.array_equal(a, b), f"input {k} was written into"


def check_form(by: Any, lib: Any, function: Function, arrays: Sequence[ndarray]) -> None:
    """The gradients in another form: those of the tape, or else right by finite differences."""
    found = by(lib, function, arrays)
    pairs = zip(by_tape(lib, function, arrays), found, strict=True)
    floats = [(a, b) for a, b in pairs if a.dtype.kind == "f"]
    if not all((np.abs(a - b) <= 64 * EPS * np.abs(a)).all() for a, b in floats):
        check_first(lib, function, arrays, by)


def check_formula(lib: Any, function: Function, arrays: Sequence[ndarray]) -> None:
    check_form(by_formula, lib, function, arrays)
    made = getattr(function, "op", None)
    if made is not None and made.numpy is not None:
        # The gradient of its square has the op itself in it.
        check_form(by_formula, lib, lambda *xs: function(*xs) * function(*xs), arrays)


FUNCTION_CHECKS: dict[str, Callable[[Any, Function, list[ndarray]], None]] = {
    "value": check_value,
    "VJP": check_first,
    "second order": check_second,
    "dtypes": check_dtypes,
    "no mutation": check_inputs,
    "compiled form": partial(check_form, by_compiled),
    "formula": check_formula,
}
