"""compare, as far as it goes without PyTorch."""

import json
import sys
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_mlp as tg
from tinygrad_mlp.commands import cli
from tinygrad_mlp.compare.comparison import Comparison, duration, size
from tinygrad_mlp.compare.counterparts import under
from tinygrad_mlp.compare.difference import Difference
from tinygrad_mlp.compare.running import names_of

FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)


def test_without_pytorch_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    needed = "PyTorch is not installed: pip install 'tinygrad-mlp[compare]'"
    with pytest.raises(ModuleNotFoundError) as raised:
        tg.compare(lambda x: x, 1.0)
    assert str(raised.value) == needed
    with pytest.raises(SystemExit) as ended:
        cli.main(["compare"])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert error.endswith(f" compare: {needed} (--help says more)\n")
    assert error.count("\n") == 1


@given(
    hnp.arrays(np.float32, 3, elements=FINITE),
    hnp.arrays(np.float32, 3, elements=FINITE),
)
def test_differences_are_the_exact_ones(a: Any, b: Any) -> None:
    found = Difference.between("x", a, b)
    ulps = relative = absolute = Fraction(0)
    for x, y in zip(a.tolist(), b.tolist()):
        apart = abs(Fraction(x) - Fraction(y))
        larger = np.float32(max(abs(x), abs(y)))
        absolute = max(absolute, apart)
        if apart:
            step = Fraction(float(np.nextafter(larger, np.float32(0))))
            below = Fraction(float(larger)) - step
            # At a power of two the next number up is twice as far away as the next one down.
            up = below * 2 if np.frexp(larger)[0] == 0.5 and below > 2.0**-149 else below
            ulps = max(ulps, apart / up)
            relative = max(relative, apart / Fraction(float(larger)))
    assert found.ulps == pytest.approx(float(ulps), rel=1e-15)
    assert found.relative == pytest.approx(float(relative), rel=1e-15)
    assert found.absolute == pytest.approx(float(absolute), rel=1e-15)
    assert found.equal == int((a == b).sum())


INF, NAN = np.inf, np.nan


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ([], [], 0),
        ([0.0], [-0.0], 0),
        ([NAN, INF, -INF], [NAN, INF, -INF], 0),
        ([NAN], [1.0], INF),
        ([1.0], [INF], INF),
        ([INF], [-INF], INF),
        ([1.0, 2.0], [1.0, np.nextafter(2.0, 3.0)], 1),
        ([0.0], [5e-324], 1),
    ],
)
def test_ulps_of_special_values(ours: Any, theirs: Any, expected: float) -> None:
    found = Difference.between("x", np.array(ours, float), np.array(theirs, float))
    assert found.ulps == expected
    assert (found.scaled == 0) == (expected == 0)
    json.dumps(found.to_dict(), allow_nan=False)


def test_whole_numbers_differ_by_whole_numbers() -> None:
    assert Difference.between("x", np.array([1, 2]), np.array([1, 4])).absolute == 2


@pytest.mark.parametrize("theirs", [np.ones(3), np.ones(2, "f4")])
def test_other_shapes_and_dtypes_are_not_compared(theirs: Any) -> None:
    with pytest.raises(ValueError, match="x has shape .* here, and shape .* under PyTorch"):
        Difference.between("x", np.ones(2), theirs)


def helper(x: Any) -> Any:
    return tg.sin(x) if x.ndim else again(x)


def again(x: Any) -> Any:
    return helper(x.reshape(1))


def test_a_function_for_the_library_that_it_is_of_is_the_same_function() -> None:
    scale = 2.0
    library = tg

    def function(x: Any, power: int = 2, *, shift: float = 1.0) -> Any:
        return library.exp(helper(x)) ** power * scale + shift

    x = tg.tensor(0.5)
    assert under(function, "tinygrad_mlp")(x).tolist() == function(x).tolist()
    assert under(tg.sin, "tinygrad_mlp")(x).item() == x.sin().item()


def test_names_of_arrays() -> None:
    assert names_of(lambda x, y=1, *more, z=0: x, 4) == ["x", "y", "more0", "more1"]
    assert names_of(lambda x, y=1: x, 1) == ["x"]
    assert names_of(lambda x, y=1, *, z=0: x, 1, ["z"]) == ["x", "z"]
    with pytest.raises(TypeError, match="the function takes x, y, and 3 arrays are given"):
        names_of(lambda x, y: x, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--full"], "--full goes with --json"),
        (["--tolerance", "-1"], "'-1' is not a number from 0"),
    ],
)
def test_usage_in_one_line(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["compare", *options])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def made_up() -> Comparison:
    one = Difference.between("f", np.float32(1.0), np.float32(1.5))
    times, sizes = {"tinygrad_mlp": 2e-4, "torch": 4e-4}, {"tinygrad_mlp": 1500, "torch": 0}
    return Comparison(
        "<f>(x)", {"x": "float32"}, one, {"<x>": one}, times, sizes, 3, 1,
        {"tinygrad_mlp": "1", "torch": "2"},
    )  # fmt: skip


def test_the_forms_of_a_comparison() -> None:
    found = made_up()
    assert str(found) == repr(found)
    assert "value 1 here, 1.5 there" in str(found)
    assert "time of a call        200 µs   400 µs   0.50" in str(found)
    assert "peak memory           1.5 kB      0 B      -" in str(found)
    page = found._repr_html_()
    assert "<td>∂/∂&lt;x&gt;</td>" in page
    assert "&lt;f&gt;(x)" in page
    assert "<x>" not in page
    assert "<f>" not in page
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert plain["gradients"]["<x>"]["here"] == [1.0]
    assert plain["value"]["absolute"] == 0.5


def test_units() -> None:
    assert [duration(s) for s in (2.5, 0.0021, 3.3e-6)] == ["2.5 s", "2.1 ms", "3.3 µs"]
    assert [size(n) for n in (10, 1500, 2_000_000, 3 * 10**9)] == [
        "10 B",
        "1.5 kB",
        "2.0 MB",
        "3.0 GB",
    ]
