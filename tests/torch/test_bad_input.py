"""Bad input gets a built-in exception that names the op, the shapes or dtypes, and a way out."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
import pytest
from support import leaf

import tinygrad_mlp as tg


def ones(*shape: int, dtype: str = "float32") -> tg.Tensor:
    return tg.tensor(np.ones(shape, dtype), requires_grad=dtype.startswith("f"))


x, row, whole = ones(2, 3), ones(3), ones(2, 3, dtype="int64")
bools = tg.tensor([True, False])
deep: Any = reduce(lambda inner, _: [inner], range(5000), [1.0])

Call = Callable[[], Any]
CASES: list[tuple[str, Call, type[Exception], str]] = [
    # Shapes that do not fit.
    ("matmul", lambda: x @ x, ValueError, r"matmul: shapes \(2, 3\) and \(2, 3\) do not fit.*last"),
    ("vector", lambda: row @ x, ValueError, r"matmul: shapes \(3,\) and \(2, 3\) do not fit"),
    ("short vector", lambda: ones(2) @ x.T, ValueError, r"matmul: shapes \(2,\) and \(3, 2\)"),
    ("batch", lambda: ones(2, 3, 3) @ ones(4, 3, 3), ValueError, r"matmul: .*\(4, 3, 3\) do not"),
    ("0-d matmul", lambda: x @ 2, ValueError, r"matmul: .*\(2, 3\) and \(\).*0-d.* use \*"),
    ("array @", lambda: np.ones((2, 2)) @ x.T, ValueError, r"matmul: .*\(2, 2\) and \(3, 2\)"),
    ("mm", lambda: x.mm(row), ValueError, r"mm: two matrices.*\(2, 3\) and \(3,\).*matmul"),
    ("mm left", lambda: row.mm(x.T), ValueError, r"mm: two matrices.*\(3,\) and \(3, 2\)"),
    ("mm batch left", lambda: ones(2, 3, 3).mm(x.T), ValueError, r"mm: two .*\(2, 3, 3\) and"),
    ("mm batch", lambda: x.mm(ones(2, 3, 3)), ValueError, r"mm: two .*and \(2, 3, 3\)"),
    ("mm of a number", lambda: tg.mm(x, 3), ValueError, r"mm: two matrices.*\(2, 3\) and \(\)"),
    ("t", lambda: ones(1, 2, 3).t(), ValueError, r"t: a matrix is needed.*\(1, 2, 3\).*mT"),
    *(
        (name, call, ValueError, rf"{name}: shapes \(2, 3\) and \(2,\) do not broadcast.*reshape")
        for name, call in {
            "add": lambda: x + ones(2),
            "sub": lambda: x - np.ones(2),
            "mul": lambda: x * ones(2),
            "div": lambda: x / ones(2),
            "pow_tensor": lambda: x ** ones(2),
            "maximum": lambda: x.maximum(ones(2)),
            "minimum": lambda: tg.minimum(x, ones(2)),
            "less": lambda: x < ones(2),
            "equal": lambda: x == np.ones(2),
        }.items()
    ),
    ("where", lambda: tg.where(bools, x, row), ValueError, r"where: shapes \(2,\) .* do not broad"),
    ("reshape", lambda: x.reshape(4), ValueError, r"reshape: 6 entries of shape \(2, 3\).*\(4,\)"),
    (
        "two unknown",
        lambda: x.view(-1, -1),
        ValueError,
        r"reshape: .*\(2, 3\) do not fill \(-1, -1\)",
    ),
    ("negative size", lambda: x.reshape(-2), ValueError, r"reshape: a size is negative in \(-2,\)"),
    ("zeros", lambda: tg.zeros(2, -1), ValueError, r"zeros: a size is negative in \(2, -1\)"),
    ("full", lambda: tg.full((-1,), 2), ValueError, r"full: a size is negative"),
    ("sizes", lambda: tg.ones(2.5), TypeError, r"ones: sizes are ints, not .*2\.5"),
    ("full size", lambda: tg.full(2.5, 1), TypeError, r"full: sizes are ints"),
    ("expand", lambda: x.expand(3, 3), ValueError, r"expand: shape \(2, 3\) .*to \(3, 3\)"),
    ("expand new", lambda: x.expand(-1, 2, 3), ValueError, r"expand: .*\(-1, 2, 3\)"),
    ("expand less", lambda: x.expand(3), ValueError, r"expand: shape \(2, 3\) .*\(3,\)"),
    ("expand by less", lambda: ones(2, 2).expand(2), ValueError, r"expand: .*to \(2,\)"),
    ("cat", lambda: tg.cat([x, row]), ValueError, r"cat: shapes \(2, 3\), \(3,\) must be alike"),
    (
        "cat with 0-d",
        lambda: tg.cat([row, tg.tensor(1.0)]),
        ValueError,
        r"cat: shapes \(3,\), \(\)",
    ),
    ("cat of 0-d", lambda: tg.cat([tg.tensor(1.0)]), ValueError, "cat: .*at least one axis"),
    ("stack", lambda: tg.stack([x, row]), ValueError, r"stack: shapes \(2, 3\), \(3,\) must be eq"),
    # Axes.
    *(
        (
            f"{name} axis",
            lambda name=name: getattr(x, name)(2),
            ValueError,
            rf"^{name}: axis 2 is out",
        )
        for name in ("sum", "mean", "amax", "amin", "max", "min", "argmax", "argmin", "squeeze")
    ),
    ("axis -3", lambda: x.sum(-3), ValueError, "sum: axis -3 is out of range .* 2 axes"),
    ("axis of 0-d", lambda: x.sum().sum(1), ValueError, "sum: axis 1 is out of range .* 0 axes"),
    ("axis twice", lambda: x.sum((0, -2)), ValueError, r"sum: an axis is named twice in \(0, -2\)"),
    ("axis of a float", lambda: x.sum(1.0), TypeError, "sum: an axis is an int, not float"),
    ("axis and dim", lambda: x.sum(0, dim=0), TypeError, "sum: axis and dim are the same"),
    ("argmax of two", lambda: x.argmax((0, 1)), TypeError, "argmax: one axis or none"),
    ("unsqueeze", lambda: x.unsqueeze(3), ValueError, "unsqueeze: axis 3 is out of range"),
    ("transpose", lambda: x.transpose(0, 2), ValueError, "transpose: axis 2 is out of range"),
    ("mT", lambda: row.mT, ValueError, "transpose: axis -2 is out of range .* 1 axes"),
    ("permute", lambda: x.permute(0), ValueError, r"permute: \(0,\) does not name each of 2 axes"),
    ("permute twice", lambda: x.permute(0, 0), ValueError, "permute: an axis is named twice"),
    ("flatten", lambda: x.flatten(1, 0), ValueError, "flatten: start_dim 1 comes after end_dim 0"),
    ("size", lambda: x.size(2), ValueError, "size: axis 2 is out of range"),
    *(
        (
            f"{name} of 0-d",
            lambda name=name, given=given: getattr(ones(), name)(*given),
            ValueError,
            rf"^{name}: a 0-d Tensor has no axis 0; reshape",
        )
        for name, given in (
            ("size", (0,)),
            ("narrow", (0, 0, 1)),
            ("split", (1,)),
            ("chunk", (1,)),
            ("unbind", ()),
        )
    ),
    *(
        (
            f"{name} of 0-d at 1",
            lambda name=name, given=given: getattr(ones(), name)(*given),
            ValueError,
            "axis 1 is out of range .* 0 axes",
        )
        for name, given in (("flatten", (1,)), ("sort", (1,)), ("argsort", (1,)), ("topk", (1, 1)))
    ),
    ("logsumexp", lambda: ones(0).logsumexp(1), ValueError, "^logsumexp: axis 1 is out of range"),
    ("any", lambda: x.any(2), ValueError, "^any: axis 2 is out of range"),
    ("all", lambda: x.all(dim=-3), ValueError, "^all: axis -3 is out of range"),
    ("cat axis", lambda: tg.cat([x], 2), ValueError, "cat: axis 2 is out of range"),
    ("stack axis", lambda: tg.stack([x], 3), ValueError, "^stack: axis 3 is out of range"),
    ("stack below", lambda: tg.stack([x, x], -4), ValueError, "^stack: axis -4 is out of range"),
    *(
        (
            f"{name} of nothing",
            call,
            ValueError,
            rf"^{name}: there is nothing to choose from.*{end}",
        )
        for name, call, end in (
            ("amax", lambda: ones(0).amax(), r"\(0,\)"),
            ("amin", lambda: ones(2, 0).amin(1), r"axes \(1,\) in shape \(2, 0\)"),
            ("max", lambda: ones(0).max(), r"\(0,\)"),
            ("min", lambda: ones(2, 0).min((0, 1)), r"axes \(0, 1\) in shape \(2, 0\)"),
            ("min", lambda: ones(2, 0).min(1), r"axes \(1,\) in shape \(2, 0\)"),
            ("argmax", lambda: ones(0).argmax(), r"\(0,\)"),
            ("argmin", lambda: ones(2, 0).argmin(1), r"\(2, 0\)"),
        )
    ),
    # Indices.
    ("index", lambda: x[2], IndexError, r"getitem: index 2 is out of .*the shape is \(2, 3\)"),
    ("indices", lambda: x[0, 0, 0], IndexError, r"getitem: too many .*the shape is \(2, 3\)"),
    ("array index", lambda: x[[0, 5]], IndexError, r"getitem: index 5 .*the shape is \(2, 3\)"),
    ("mask", lambda: x[tg.tensor([True])], IndexError, r"getitem: bool.*the shape is \(2, 3\)"),
    ("float index", lambda: x[1.0], TypeError, r"getitem: float is not an index"),
    ("float array", lambda: x[np.ones(1)], TypeError, "getitem: an index array .* not float64"),
    ("str index", lambda: x["a"], TypeError, "getitem: str is not an index"),
    # Dtypes and types.
    (
        "requires_grad",
        lambda: tg.tensor([1], requires_grad=True),
        TypeError,
        r"float .*not int64.*\.fl",
    ),
    ("mean", lambda: whole.mean(), TypeError, r"mean: a float dtype .* int64; use \.float\(\)"),
    ("condition", lambda: tg.where(whole, x, x), TypeError, "where: .*bool, not int64; compare"),
    ("mean of bools", lambda: bools.mean(), TypeError, "mean: a float dtype is needed, not bool"),
    ("large bound", lambda: whole.clamp(min=2**70), ValueError, "clamp: Python int"),
    ("force", lambda: x.numpy(True), TypeError, "positional argument"),
    ("bounds", lambda: x.clamp(x), TypeError, "clamp: the bounds are numbers.*maximum"),
    ("no bounds", lambda: x.clamp(), ValueError, "clamp: give min, max or both"),
    ("logic", lambda: x & x, TypeError, "both: bools or whole numbers .*float32 and float32; comp"),
    ("not", lambda: ~x, TypeError, "opposite: bools or whole numbers are needed, not float32"),
    ("bool −", lambda: bools - bools, TypeError, "numpy boolean subtract.* use the"),
    ("−bool", lambda: -bools, TypeError, "numpy boolean negative.* use the"),
    ("negative power", lambda: whole**-1, ValueError, r"pow: int64 .*negative powers; .*\.float"),
    ("powers", lambda: whole ** (whole - 2), ValueError, r"pow: .*negative powers; .*\.float"),
    ("number", lambda: tg.tensor([1], dtype="uint8") + 300, ValueError, "add: 300 .* fit uint8"),
    ("big", lambda: whole * 2**70, ValueError, "mul: 1180591620717411303424 does not fit int64"),
    *(
        (f"add {other!r}", lambda other=other: x + other, TypeError, r"add: .*make one with tensor")
        for other in ("a", None, [1.0, 2.0, 3.0], 1j)
    ),
    ("add left", lambda: [1.0] + x, TypeError, r"add: .*not list; make one with tensor"),  # noqa: RUF005
    ("arange", lambda: tg.arange(2**64, 2**65, 2**62), ValueError, "arange: .* does not fit int64"),
    ("arange", lambda: tg.arange("3"), TypeError, "arange: end is a number, not '3', a str"),
    ("arange", lambda: tg.arange(0, 10**400), ValueError, "arange: .* too large for a float"),
    ("arange", lambda: tg.arange(0, np.nan), ValueError, "arange: steps of 1 .* from 0 to nan"),
    ("arange", lambda: tg.arange(3, 0), ValueError, "arange: steps of 1 do not lead from 3 to 0"),
    ("arange", lambda: tg.arange(0, 3, 0.5, tg.int64), ValueError, "the step 0.5 is 0 in int64"),
    ("arange", lambda: tg.arange(2, dtype=tg.bool), TypeError, r"arange: bools .* \.bool\(\)"),
    ("linspace", lambda: tg.linspace(0, 1, 3.5), TypeError, "linspace: steps is an int, not float"),
    (
        "linspace",
        lambda: tg.linspace(0, 300, 3, tg.int8),
        ValueError,
        "end is 300, which does not fit int8",
    ),
    (
        "linspace",
        lambda: tg.linspace(0, -1, 3, tg.uint8),
        ValueError,
        "end is -1, which does not fit uint8",
    ),
    (
        "linspace",
        lambda: tg.linspace(0, 1e39, 3),
        ValueError,
        r"end is 1e\+39, .* too large for float32",
    ),
    (
        "part",
        lambda: tg.nn.Linear(1, 1).register_buffer(deep, x),
        KeyError,
        "not a name for a part",
    ),
    ("matmul list", lambda: x @ [1.0], TypeError, r"matmul: .*not list; make one with tensor"),
    ("function", lambda: tg.exp([1.0]), TypeError, r"exp: .*not list; make one with tensor"),
    ("cat types", lambda: tg.cat([x, 1]), TypeError, "cat: a list of Tensors is needed"),
    ("cat of one", lambda: tg.cat(x), TypeError, "cat: a list of Tensors is needed"),
    ("cat of none", lambda: tg.cat([]), ValueError, "cat: a list of at least one Tensor"),
    ("stack of none", lambda: tg.stack([]), ValueError, "stack: a list of at least one Tensor"),
    # Data.
    ("ragged", lambda: tg.tensor([[1, 2], [3]]), ValueError, "tensor: .*same length.* ragged"),
    ("ragged", lambda: tg.tensor([[1.0], 2.0]), ValueError, "tensor: .*ragged"),
    ("str", lambda: tg.tensor("1"), TypeError, "tensor: numbers are needed, not str"),
    ("None", lambda: tg.tensor([1, None]), TypeError, "tensor: numbers are needed.* object"),
    ("complex", lambda: tg.tensor([1j]), TypeError, "tensor: numbers are needed.* complex128"),
    ("too large", lambda: tg.tensor(2**64), TypeError, "tensor: numbers are needed.* object"),
    ("uint64", lambda: tg.tensor(2**63), TypeError, "uint64.* is not one of a Tensor's: bool"),
    ("dtype", lambda: tg.tensor(1, dtype="complex64"), TypeError, "complex64.* not one of a Tens"),
    ("no dtype", lambda: tg.ones(1).to("number"), TypeError, "number.* not one of a Tensor's"),
    ("masked", lambda: tg.tensor(np.ma.ones(2)), TypeError, "tensor: a masked array .*fill them"),
    ("from_numpy", lambda: tg.from_numpy([1]), TypeError, "from_numpy: an array is needed, not li"),
    ("arange", lambda: tg.arange(0, 1, 0), ValueError, "arange: the step is 0"),
    ("inf", lambda: whole.masked_fill(bools, float("inf")), ValueError, "inf do not fit int64"),
    ("inf in place", lambda: whole.fill_(float("inf")), ValueError, "inf does not fit int64"),
    ("NumPy's inf", lambda: whole.fill_(np.float32("inf")), ValueError, "inf does not fit int64"),
    ("NumPy's nan", lambda: tg.full((2,), np.float32("nan"), dtype="int8"), ValueError, "nan do n"),
    ("NumPy's int", lambda: tg.tensor([np.int64(300)], dtype="int8"), ValueError, "300 do not fit"),
    ("nan", lambda: whole.__setitem__(0, np.nan), ValueError, "setitem: nan does not fit int64"),
    ("seed", lambda: tg.manual_seed("a"), TypeError, "manual_seed: a seed is an int, not str"),
    ("fit", lambda: tg.tensor([1, 300], dtype="int8"), ValueError, "tensor: .*do not fit int8"),
    # In place.
    ("bool +=", lambda: bools.add_(1), TypeError, "in place: a result of int64 .* Tensor of bool"),
    ("leaf", lambda: ones(2).add_(1), RuntimeError, r"in place: a leaf .*no_grad\(\)"),
    # To Python.
    ("item", lambda: x.item(), ValueError, r"item: one entry is needed, and the shape is \(2, 3\)"),
    ("item of none", lambda: ones(0).item(), ValueError, r"item: one entry is needed.*\(0,\)"),
    ("bool of none", lambda: bool(ones(0)), ValueError, r"truth value of a Tensor of shape \(0,\)"),
    ("float", lambda: float(x), ValueError, r"item: one entry is needed.*\(2, 3\)"),
    ("bool", lambda: bool(x), ValueError, r"truth value .* shape \(2, 3\) is ambiguous; .*any\(\)"),
    ("index of a float", lambda: [1][tg.tensor(0.0)], TypeError, "an integer, not .* float32"),
]


@pytest.mark.parametrize(
    ("call", "error", "match"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_bad_input(call: Call, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        call()


# Backward, after which no gradient has changed.


def graph() -> tuple[list[tg.Tensor], tg.Tensor]:
    a, b = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    a.grad = tg.tensor(np.array([5.0, 5.0]))
    h = a * b
    h.retain_grad()
    return [a, b, h], h * h


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda y: y.backward(), ValueError, r"backward: .*shape \(2,\) needs a gradient.*\.sum"),
        (lambda y: y[:0].backward(), ValueError, r"backward: .*shape \(0,\) needs a gradient"),
        (lambda y: y.backward(np.ones(3)), ValueError, r"backward: .*\(3,\) is not .*\(2,\)"),
        (
            lambda y: y.backward(np.ones((1, 2))),
            ValueError,
            r"backward: .*\(1, 2\) is not .*\(2,\)",
        ),
        (lambda y: y.backward(1.0), ValueError, r"backward: .*\(\) is not .*\(2,\)"),
        (lambda y: y.backward([[1], 2]), ValueError, "ragged"),
        (lambda y: y.backward("one"), TypeError, "numbers are needed, not str"),
        (lambda y: y.detach().sum().backward(), RuntimeError, "backward: .*does not require grad"),
        (lambda y: tg.grad(y, y), ValueError, r"grad: .*shape \(2,\) needs a gradient"),
        (lambda y: tg.grad(y.sum(), y.detach()), RuntimeError, "grad: .*does not require grad"),
        (lambda y: tg.grad("y", y), TypeError, "grad: a Tensor is needed, not str"),
        (lambda y: tg.grad(1.0, y), TypeError, "grad: a Tensor is needed, not float"),
        (lambda y: tg.grad(y.sum(), 1.0), TypeError, "grad: a Tensor is needed, not float"),
        (lambda y: tg.grad(y.sum(), [None]), TypeError, "grad: a Tensor is needed, not NoneType"),
        (lambda y: tg.autograd.backward(["y"]), TypeError, "backward: a Tensor is needed, not str"),
        (lambda y: tg.grad(y, y, [np.ones(2)] * 2), ValueError, "grad: 1 outputs, but 2 grad_out"),
    ],
)
def test_backward_that_cannot_be(call: Any, error: type[Exception], match: str) -> None:
    tensors, y = graph()
    with pytest.raises(error, match=match):
        call(y)
    assert [None if t.grad is None else t.grad.tolist() for t in tensors] == [[5, 5], None, None]
    # And the graph is still there.
    y.sum().backward()
    assert [t.grad is None for t in tensors] == [False] * 3
