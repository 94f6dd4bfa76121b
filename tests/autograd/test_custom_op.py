"""Ops of the user's own making."""

import functools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from support import arrays, leaf, value

import tinygrad_mlp as tg

cube = tg.op(lambda x: x**3, lambda g, x: g * 3 * x**2, name="cube", formula="x³")


def test_an_op_as_documented() -> None:
    x = leaf([1.0, 2.0])
    y = cube(x)
    assert (y.tolist(), y.grad_fn.name()) == ([1, 8], "CubeBackward0")
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [3, 12]
    assert cube(x.detach()).requires_grad is False
    assert cube(np.array([2.0])).tolist() == [8]
    assert (cube.__name__, cube.op.name, cube.op.formula) == ("cube", "cube", "x³")


def test_higher_orders() -> None:
    y = x = leaf(2.0)
    y = cube(y)
    for expected in (12, 12, 6):
        (y,) = tg.grad(y, x, create_graph=True)
        assert y.item() == expected
    assert tg.hessian(lambda x: cube(x).sum(), np.array([1.0, 2.0])).tolist() == [[6, 0], [0, 12]]
    assert tg.jvp(cube, np.array([1.0, 2.0]), np.array([1.0, 1.0]))[1].tolist() == [3, 12]


@given(st.data(), hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
def test_three_inputs(data: st.DataObject, shape: tuple[int, ...]) -> None:
    """x y + z, where a VJP names only what it needs, in any order."""
    fma = tg.op(
        lambda x, y, z: x * y + z,
        lambda g, y: g * y,
        lambda g, out, z, x: g * x + 0 * (out - z),
        lambda g: g,
    )
    a, b, c, g = (data.draw(arrays(shape)) for _ in range(4))
    x, y, z = leaf(a), leaf(b), leaf(c)
    out = fma(x, y, z)
    np.testing.assert_array_equal(value(out), a * b + c)
    found = tg.grad(out, (x, y, z), g, create_graph=True)
    for d, expected in zip(found, (g * b, g * a, g), strict=True):
        np.testing.assert_array_equal(value(d), expected)
    # By y and x, of the gradients by x and y.
    np.testing.assert_array_equal(value(tg.grad(found[0], y, b)[0]), g * b)
    np.testing.assert_array_equal(value(tg.grad(found[1], x, a)[0]), g * a)
    constant = fma(x, np.ones(shape), 2.0)
    np.testing.assert_array_equal(value(tg.grad(constant, x, g)[0]), g)


def test_broadcasting() -> None:
    times = tg.op(
        lambda x, y: x * y, lambda g, y: g * y, lambda g, x: g * x, broadcasts=True, name="times"
    )
    x, y = leaf([[1.0], [2.0]]), leaf([3.0, 4.0, 5.0])
    found = tg.grad(times(x, y).sum(), (x, y), create_graph=True)
    assert [d.tolist() for d in found] == [[[12], [12]], [3, 3, 3]]
    assert tg.grad(found[0].sum(), y)[0].tolist() == [2, 2, 2]
    with pytest.raises(ValueError, match=r"times: shapes \(2, 1\) and \(3, 2\) do not broadcast"):
        times(x, tg.ones(3, 2))


def test_options() -> None:
    def scaled(x: Any, by: float = 2.0, shift: float = 0.0) -> Any:
        """x by a number."""
        return x * by + shift

    op = tg.op(scaled, lambda g, by: g * by)
    x = leaf([1.0, 2.0])
    for y, slope in ((op(x), 2), (op(x, 3), 3), (op(x, by=4), 4), (op(x=x, shift=1.0, by=5), 5)):
        assert tg.grad(y, x, np.ones(2), create_graph=True)[0].tolist() == [slope] * 2
    assert op(x, shift=1).tolist() == [3, 5]
    assert (op.__name__, op.__doc__) == ("scaled", "x by a number.")
    assert tg.grad(op(x, tg.tensor(np.array(6.0))), x, np.ones(2))[0].tolist() == [6, 6]
    for wrong in (lambda: op(x, too=1), lambda: op(x, 1, 2, 3), lambda: op()):
        with pytest.raises(TypeError, match=r"^scaled: .*argument"):
            wrong()


def test_functions_of_the_package_in_a_vjp() -> None:
    """They take arrays and Tensors alike, other ops of one's own among them."""
    ramp = tg.op(lambda x: np.maximum(x, 0), lambda g, x: tg.where(x > 0, g, 0) + 0 * tg.relu(x))
    twice = tg.op(lambda x: ramp(x).numpy() * 2, lambda g, x: cube(g) / cube(g) * g + ramp(g) / 1)
    x = leaf([-1.0, 2.0])
    for create_graph in (False, True):
        (d,) = tg.grad(ramp(x) * 3 + x, x, np.ones(2), create_graph=create_graph)
        assert d.tolist() == [1, 4]
        (d,) = tg.grad(twice(x), x, np.ones(2), create_graph=create_graph)
        assert d.tolist() == [2, 2]
        y = x * 1
        last = ramp(y)  # whose cotangent is added to a sum of two arrays
        (d,) = tg.grad(y * 2 + y * 3 + last, x, np.ones(2), create_graph=create_graph)
        assert d.tolist() == [5, 6]


def test_a_vjp_that_is_a_constant() -> None:
    """In a second gradient too, where the cotangents are Tensors."""
    count = tg.op(lambda x: x.sum(), lambda g, shape: np.ones(shape))
    x = leaf([1.0, 2.0])
    (d,) = tg.grad(count(x) + (x * x).sum(), x, create_graph=True)
    assert d.tolist() == [3, 5]
    assert tg.grad(d.sum(), x)[0].tolist() == [2, 2]
    p, q = leaf(np.ones((2, 2))), leaf(np.eye(2))
    (d,) = tg.grad(count(p @ q), p, create_graph=True)
    assert tg.grad(d.sum(), q)[0].tolist() == [[2, 2], [2, 2]]


def test_numpys_ufuncs() -> None:
    exp = tg.op(np.exp, lambda g, out: g * out)
    hypot = tg.op(np.hypot, lambda g, x, out: g * x / out, lambda g, y, out: g * y / out)
    x, y = leaf([3.0]), leaf([4.0])
    assert tg.grad(exp(x), x)[0].item() == np.exp(3.0)
    assert [d.tolist() for d in tg.grad(hypot(x, y), (x, y))] == [[3 / 5], [4 / 5]]
    assert (exp.op.name, hypot.op.formula) == ("exp", "hypot(x, y)")


# What may not be noticed, and is made right.


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_outputs_and_gradients_have_the_dtype_of_the_inputs(dtype: str) -> None:
    op = tg.op(lambda x: x.astype("f8") * 2, lambda g, x: np.asarray(g, "f8") * np.float64(2))
    x = leaf([1.0, 2.0], dtype)
    y = op(x)
    (d,) = tg.grad(y, x, np.ones(2))
    assert (y.dtype, d.dtype) == (np.dtype(dtype), np.dtype(dtype))
    whole = tg.op(lambda x: x > 1, lambda g: g * 0)
    assert whole(x).tolist() == [0, 1]
    assert whole(tg.tensor([1, 2])).dtype == np.bool
    assert tg.op(lambda x, y: x + y, lambda g: g, lambda g: g)(x, tg.tensor([1, 2])).dtype == dtype


def test_buffers_may_be_used_again() -> None:
    """By the forward and by the VJP: their results are copied."""
    buffer = np.zeros(2)
    op = tg.op(
        lambda x: np.multiply(x, 2, out=buffer), lambda g, out: np.multiply(g, out, out=buffer)
    )
    x = leaf([1.0, 2.0])
    y, z = op(x), op(x * 10)
    assert (y.tolist(), z.tolist()) == ([2, 4], [20, 40])
    (y + z).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [2 + 200, 4 + 400]
    buffer[:] = 0
    assert (y.tolist(), x.grad.tolist()) == ([2, 4], [202, 404])


def test_tensors_may_be_used_again_too() -> None:
    """In a VJP that runs on Tensors, a Tensor of which one value may wait while it gets another."""
    kept = tg.tensor(np.array(0.0))

    def vjp(g: Any) -> Any:
        return kept.copy_(g * 2) if isinstance(g, tg.Tensor) else g * 2

    double = tg.op(lambda x: x * 2, vjp)
    x, y = leaf(1.0), leaf(1.0)
    z = double(x) * 1 + double(y) * 10
    assert [d.item() for d in tg.grad(z, (x, y), create_graph=True)] == [2, 20]


def test_a_forward_may_return_its_input() -> None:
    x = leaf([1.0, 2.0])
    same = tg.op(lambda x: x, lambda g: g)
    assert tg.grad(same(x) * x, x, np.ones(2))[0].tolist() == [2, 4]


def test_nothing_done_in_place_to_a_cotangent_shows_elsewhere() -> None:
    def vjp(g: Any) -> Any:
        if isinstance(g, tg.Tensor):
            g *= 2
        return g

    x = leaf([1.0])
    op = tg.op(lambda x: x, vjp)
    y = x * 1
    (d,) = tg.grad(op(y) + y, x, create_graph=True)
    assert d.tolist() == [3]


# Errors.


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: tg.op(lambda x: x), "give a VJP for each input"),
        (lambda: tg.op(lambda x: x, lambda g, y: g), "VJP of x asks for y, which is neither"),
        (lambda: tg.op(lambda x: x, 3), "VJP of x must be a def"),
        (lambda: tg.op(lambda x: x, lambda: 1.0), "VJP of x takes no cotangent"),
        (lambda: tg.op(lambda x: x, lambda g, *, x: g), "x of the VJP of x is not a plain"),
        (lambda: tg.op(lambda x: x, lambda g, *a: g), r"parameter \*a of the VJP of x is not"),
        (lambda: tg.op(lambda x: x, lambda g: g, lambda g: g), "2 VJPs, .* only 1 inputs"),
        (lambda: tg.op(lambda x, *, s=1: x, lambda g: g), "s=1 of the forward is not"),
        (lambda: tg.op(lambda *x: x[0], lambda g: g), r"parameter \*x of the forward is not"),
        (lambda: tg.op(lambda x, **o: x, lambda g: g), r"parameter \*\*o of the forward is not"),
        (lambda: tg.op(abs, lambda g: g), "abs: the forward must be a def"),
        (lambda: tg.op(functools.partial(np.exp), lambda g: g), "the forward must be a def"),
        (lambda: tg.op([].append, lambda g: g), "the forward must be a def"),
    ],
)
def test_errors_of_making(make: Any, match: str) -> None:
    with pytest.raises(TypeError, match=match):
        make()


@pytest.mark.parametrize(
    ("vjp", "error", "match"),
    [
        (lambda g: g[:1], ValueError, r"mine: a VJP returned the shape \(1,\) for .* \(2,\)"),
        (lambda g: g.sum(), ValueError, r"mine: a VJP returned the shape \(\)"),
        (lambda g: np.ones((3, 2)), ValueError, r"mine: a VJP returned the shape \(3, 2\)"),
        (lambda g: g.reshape(1, 2), ValueError, r"mine: a VJP returned the shape \(1, 2\)"),
        (lambda g: None, TypeError, "mine: the VJP of x must return an array, not .* object"),
        (lambda g: g * 1j, TypeError, "mine: the VJP of x must return an array, not .* complex"),
        (lambda g: g.fill(0), ValueError, "mine: the VJP of x writes into its arguments"),
        (lambda g, x: x.fill(0), ValueError, "mine: the VJP of x writes into its arguments"),
        (lambda g, out: out.fill(0), ValueError, "mine: the VJP of x writes into its arguments"),
        (lambda g: g + np.ones(3), ValueError, "could not be broadcast"),
    ],
)
def test_errors_of_vjps(vjp: Any, error: type[Exception], match: str) -> None:
    x = leaf([1.0, 2.0])
    y = tg.op(lambda x: x * 2, vjp, name="mine")(x).sum() + x.sum()
    with pytest.raises(error, match=match):
        y.backward()
    assert x.grad is None


@pytest.mark.parametrize("shape", [(1, 2), (2, 2), (3,), (8, 1)])
def test_a_broadcasting_op_has_its_vjps_checked_too(shape: tuple[int, ...]) -> None:
    wrong = tg.op(
        lambda x, y: x * y, lambda g: np.ones(shape), lambda g, x: g * x, broadcasts=True, name="w"
    )
    x = leaf(np.ones((4, 2)))
    with pytest.raises(ValueError, match=r"w: a VJP returned the shape .* shape \(4, 2\)"):
        wrong(x, np.ones(2)).sum().backward()
    assert x.grad is None


def test_a_backward_inside_of_another_may_release_what_that_walks() -> None:
    outputs: list[tg.Tensor] = []

    def vjp(g: Any) -> Any:
        if outputs:
            outputs.pop().backward()
        return g * 1

    x = leaf(2.0)
    y = tg.op(lambda x: x + 0, vjp, name="nosy")(x) * 3
    outputs.append(y)
    with pytest.raises(RuntimeError, match=r"^mul: this part of the graph was released"):
        y.backward()
    assert x.grad is not None
    assert x.grad.item() == 3  # of the one inside


def test_errors_of_forwards() -> None:
    x = leaf([1.0, 2.0])

    def fill(x: Any) -> Any:
        x[0] = 5
        return x

    with pytest.raises(ValueError, match=r"fill: the forward writes into its arguments.*a copy"):
        tg.op(fill, lambda g: g)(x)
    assert x.tolist() == [1, 2]

    def picky(x: Any, y: Any) -> Any:
        raise ValueError("x must be positive")

    with pytest.raises(ValueError, match=r"^x must be positive$"):
        tg.op(picky, lambda g: g, lambda g: g)(x, tg.ones(3))
    with pytest.raises(TypeError, match=r"custom: the forward must return an array.*object"):
        tg.op(lambda x: None, lambda g: g)(x)
    with pytest.raises(TypeError, match=r"custom: a Tensor, an array or .* needed, not str"):
        tg.op(lambda x: x, lambda g: g)("x")


@pytest.mark.parametrize("text", ["a\nb", "\x1b[31mred", "a\u2028b", "\ud800"])
def test_names_and_formulas_are_printable(text: str) -> None:
    """They stand in pictures of the tape and on the terminal, each within its line."""
    for options in ({"name": text}, {"formula": text}):
        with pytest.raises(ValueError, match="is one line of printable characters") as caught:
            tg.op(lambda x: x * 2, lambda g: g * 2, **options)
        assert str(caught.value).isprintable()
    with pytest.raises(TypeError, match="a name or a formula is a str, not int"):
        tg.op(lambda x: x * 2, lambda g: g * 2, name=3)  # type: ignore[arg-type]


def test_an_option_cannot_require_grad() -> None:
    scale = tg.op(lambda x, by: x * by, lambda g, by: g * by, name="scale")
    x = leaf([1.0, 2.0])
    with pytest.raises(TypeError, match=r"scale: an option has no VJP.*\.detach\(\)"):
        scale(x, x)
    assert tg.grad(scale(x, x.detach()), x, np.ones(2))[0].tolist() == [1, 2]
