"""How Tensors are printed. The expected strings are what PyTorch 2.13 prints."""

import math
import time
from collections.abc import Iterator
from textwrap import dedent
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tinygrad_mlp.torch import printing
from tinygrad_mlp.torch.printing import format_tensor, get_printoptions, set_printoptions

INF, NAN = math.inf, math.nan
LARGEST, SMALLEST = 1.7976931348623157e308, 5e-324


@pytest.fixture(autouse=True)
def default_options() -> Iterator[None]:
    yield
    set_printoptions(profile="default")


def f32(values: object) -> NDArray[Any]:
    return np.array(values, dtype="float32")


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        (1.5, "float32", "tensor(1.5000)"),
        (7, "int64", "tensor(7)"),
        (True, "bool", "tensor(True)"),
        ([True, False], "bool", "tensor([ True, False])"),
        ([-128, 7], "int8", "tensor([-128,    7], dtype=torch.int8)"),
        (2**64 - 1, "uint64", "tensor(18446744073709551615, dtype=torch.uint64)"),
        ([10000, 0.5], "float16", "tensor([1.0000e+04, 5.0000e-01], dtype=torch.float16)"),
        ([1, -2, 0], "float32", "tensor([ 1., -2.,  0.])"),
        ([0.1, -0.25], "float32", "tensor([ 0.1000, -0.2500])"),
        ([0.0, -0.0], "float32", "tensor([0., -0.])"),
        ([2, NAN], "float32", "tensor([2., nan])"),
        ([NAN, INF, -INF], "float32", "tensor([nan, inf, -inf])"),
        ([0.5, NAN, -INF], "float32", "tensor([0.5000,    nan,   -inf])"),
        ([1, 1000], "float32", "tensor([   1., 1000.])"),
        ([1, 1001], "float32", "tensor([1.0000e+00, 1.0010e+03])"),
        (1e8, "float32", "tensor(100000000.)"),
        (1.1e8, "float32", "tensor(1.1000e+08)"),
        (1e-4, "float64", "tensor(0.0001, dtype=torch.float64)"),
        (SMALLEST, "float64", "tensor(4.9407e-324, dtype=torch.float64)"),
        (LARGEST, "float64", "tensor(1.7977e+308, dtype=torch.float64)"),
        ([SMALLEST, LARGEST], "float64", "tensor([4.9407e-324, 1.7977e+308], dtype=torch.float64)"),
    ],
)
def test_numbers(values: object, dtype: str, expected: str) -> None:
    assert format_tensor(np.array(values, dtype)) == expected


@pytest.mark.parametrize(
    ("shape", "dtype", "expected"),
    [
        ((0,), "float32", "tensor([])"),
        ((0, 3), "float32", "tensor([], size=(0, 3))"),
        ((0,), "int64", "tensor([], dtype=torch.int64)"),
        ((0,), "bool", "tensor([], dtype=torch.bool)"),
        ((2, 0), "float64", "tensor([], size=(2, 0), dtype=torch.float64)"),
    ],
)
def test_empty(shape: tuple[int, ...], dtype: str, expected: str) -> None:
    assert format_tensor(np.empty(shape, dtype)) == expected


def test_brackets() -> None:
    expected = """\
        tensor([[[0, 1],
                 [2, 3]],

                [[4, 5],
                 [6, 7]]])"""
    assert format_tensor(np.arange(8).reshape(2, 2, 2)) == dedent(expected)


def test_rows_wrap() -> None:
    expected = """\
        tensor([0.0000, 0.1429, 0.2857, 0.4286, 0.5714, 0.7143, 0.8571, 1.0000, 1.1429,
                1.2857, 1.4286, 1.5714, 1.7143, 1.8571])"""
    assert format_tensor(f32(np.arange(14)) / f32(7)) == dedent(expected)


def test_suffixes_wrap() -> None:
    expected = """\
        tensor([ 0.,  1.,  2.,  3.,  4.,  5.,  6.,  7.,  8.,  9., 10., 11.],
               dtype=torch.float64)"""
    assert format_tensor(np.arange(12.0)) == dedent(expected)


def test_suffix_wraps_two_columns_early() -> None:
    set_printoptions(linewidth=37)
    one_line = "tensor([1., 2.], requires_grad=True)"
    assert format_tensor(f32([1, 2]), requires_grad=True) == one_line
    set_printoptions(linewidth=len(one_line))
    two_lines = "tensor([1., 2.],\n       requires_grad=True)"
    assert format_tensor(f32([1, 2]), requires_grad=True) == two_lines


def test_gradient_suffix() -> None:
    x = f32([2, 4])
    assert format_tensor(x, requires_grad=True) == "tensor([2., 4.], requires_grad=True)"
    mul = "tensor([2., 4.], grad_fn=<MulBackward0>)"
    assert format_tensor(x, requires_grad=True, grad_fn="MulBackward0") == mul


def test_dtype_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printing, "DTYPE_PREFIX", "")
    assert format_tensor(np.array(1.5)) == "tensor(1.5000, dtype=float64)"


def test_summary() -> None:
    assert format_tensor(np.arange(1001)) == "tensor([   0,    1,    2,  ...,  998,  999, 1000])"
    wide = """\
        tensor([[   0,    1,    2,  ...,  397,  398,  399],
                [ 400,  401,  402,  ...,  797,  798,  799],
                [ 800,  801,  802,  ..., 1197, 1198, 1199]])"""
    assert format_tensor(np.arange(1200).reshape(3, 400)) == dedent(wide)
    tall = """\
        tensor([[   0,    1,    2],
                [   3,    4,    5],
                [   6,    7,    8],
                ...,
                [1191, 1192, 1193],
                [1194, 1195, 1196],
                [1197, 1198, 1199]])"""
    assert format_tensor(np.arange(1200).reshape(400, 3)) == dedent(tall)


def test_only_what_a_summary_shows_decides_its_layout() -> None:
    x = np.ones(2000, "float32")
    x[1000] = 1e30
    assert format_tensor(x) == "tensor([1., 1., 1.,  ..., 1., 1., 1.])"


def test_a_summary_is_instant() -> None:
    x = np.zeros((10, 1_000_000), "float32")
    start = time.perf_counter()
    format_tensor(x)
    assert time.perf_counter() - start < 1  # looking at every element takes far longer


@pytest.mark.parametrize(
    ("options", "array", "expected"),
    [
        ({"precision": 2}, f32([0.12345]), "tensor([0.12])"),
        ({"threshold": 5}, np.arange(10), "tensor([0, 1, 2,  ..., 7, 8, 9])"),
        ({"threshold": 5, "edgeitems": 1}, np.arange(10), "tensor([0,  ..., 9])"),
        ({"threshold": 5, "edgeitems": 0}, np.ones((2, 3), int), "tensor([...], size=(2, 3))"),
        ({"edgeitems": 0}, np.arange(3), "tensor([0, 1, 2], size=(3,))"),
        ({"linewidth": 19}, np.arange(5), "tensor([0, 1, 2, 3,\n        4])"),
        ({"linewidth": 19}, np.arange(4).reshape(1, 4), "tensor([[0, 1, 2,\n         3]])"),
        ({"sci_mode": True}, f32([1, 20]), "tensor([1.0000e+00, 2.0000e+01])"),
        ({"sci_mode": True}, f32([0]), "tensor([0.])"),
        ({"sci_mode": False}, f32([1e-5, 1]), "tensor([0.0000, 1.0000])"),
        (
            {"profile": "short"},
            f32(np.arange(2000)) / f32(7),
            "tensor([0.00e+00, 1.43e-01,  ..., 2.85e+02, 2.86e+02])",
        ),
    ],
)
def test_options(options: dict[str, Any], array: NDArray[Any], expected: str) -> None:
    set_printoptions(**options)
    assert format_tensor(array) == expected


def test_options_stay_but_sci_mode_does_not() -> None:
    set_printoptions(profile="full", precision=2, sci_mode=True)
    set_printoptions(linewidth=100)
    assert get_printoptions()._asdict() == {
        "precision": 2,
        "threshold": INF,
        "edgeitems": 3,
        "linewidth": 100,
        "sci_mode": None,
    }


@pytest.mark.parametrize(
    ("option", "value", "error", "message"),
    [
        ("precision", -1, ValueError, "precision must be 0 or more, got -1"),
        ("precision", 2.5, TypeError, "precision must be an integer, got 2.5"),
        ("threshold", NAN, ValueError, "threshold must be 0 or more, got nan"),
        ("threshold", "5", TypeError, "threshold must be a number, got '5'"),
        ("edgeitems", True, TypeError, "edgeitems must be an integer, got True"),
        ("linewidth", 0, ValueError, "linewidth must be 1 or more, got 0"),
        ("profile", "long", ValueError, "profile must be default, short or full, got 'long'"),
        ("profile", 3, TypeError, "profile must be a string, got 3"),
        ("sci_mode", 1, TypeError, "sci_mode must be True, False or None, got 1"),
    ],
)
def test_nonsense_options(option: str, value: Any, error: type[Exception], message: str) -> None:
    before = get_printoptions()
    with pytest.raises(error, match=f"^{message}$"):
        set_printoptions(**{option: value})
    assert get_printoptions() is before


@pytest.mark.parametrize("dtype", ["complex64", "object", "datetime64[s]"])
def test_other_dtypes_are_refused(dtype: str) -> None:
    with pytest.raises(TypeError, match="only bool, integers and floats"):
        format_tensor(np.zeros(1, dtype))
