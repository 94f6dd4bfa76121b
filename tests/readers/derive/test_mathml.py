"""Formulas in MathML say what their text says, and are elements that a page can build."""

import re
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from support import weights

import tinygrad_mlp as tg
from tinygrad_mlp.core import ops
from tinygrad_mlp.readers.derive.mathml import grouped, markup
from tinygrad_mlp.readers.derive.names import mathml_of
from tinygrad_mlp.readers.fuzz.programs import Program
from tinygrad_mlp.readers.fuzz.running import run
from tinygrad_mlp.testing.strategies import programs

NUMBER = np.float64(0.5)
SQUARE = np.array([[0.5, 0.25], [1.0, 2.0]])

FORMS: list[tuple[Callable[..., tg.Tensor], Any, str]] = [
    (lambda x: x.exp(), NUMBER, "<mi>exp</mi>(<mi>x</mi>)"),
    (lambda w1: w1.exp(), NUMBER, "<mi>exp</mi>(<msub><mi>w</mi><mn>1</mn></msub>)"),
    (lambda loss: loss * 2.5, NUMBER, "<mn>2.5</mn> <mi>loss</mi>"),
    (
        lambda α: (α + 1).sqrt(),
        NUMBER,
        "<msqrt><mrow><mi>α</mi><mo>+</mo><mn>1</mn></mrow></msqrt>",
    ),
    (
        lambda x: (1 - x) ** 2,
        NUMBER,
        "<msup><mrow>(<mn>1</mn><mo>−</mo><mi>x</mi>)</mrow><mn>2</mn></msup>",
    ),
    (
        lambda x: 1 / (3 * x),
        NUMBER,
        "<mfrac><mfrac><mn>1</mn><mn>3</mn></mfrac><mi>x</mi></mfrac>",
    ),
    (
        lambda w1: w1.T.exp(),
        SQUARE,
        "<mi>exp</mi>(<msubsup><mi>w</mi><mn>1</mn><mi>⊤</mi></msubsup>)",
    ),
    (
        lambda x: x * 1e-5,
        NUMBER,
        "<mn>1</mn><mo>·</mo><msup><mn>10</mn><mrow><mo>−</mo><mn>5</mn></mrow></msup> <mi>x</mi>",
    ),
    (
        lambda x: x.abs().log1p(),
        NUMBER,
        "<mi>log</mi>(<mn>1</mn><mo>+</mo><mrow>|<mi>x</mi>|</mrow>)",
    ),
    (lambda x, y: x**y, NUMBER, "<msup><mi>x</mi><mi>y</mi></msup>"),
    (
        lambda x: (x**2).sum(),
        SQUARE,
        "<msubsup><mrow>‖<mi>x</mi>‖</mrow><mi>F</mi><mn>2</mn></msubsup>",
    ),
    (
        lambda x, y: tg.where(x > 0, x, y),
        NUMBER,
        "<mrow>{<mtable><mtr><mtd><mi>x</mi></mtd><mtd><mi>x</mi><mo>&gt;</mo><mn>0</mn></mtd></mtr>"
        "<mtr><mtd><mi>y</mi></mtd><mtd><mtext>else</mtext></mtd></mtr></mtable></mrow>",
    ),
    (
        lambda x: x.amax(1),
        SQUARE,
        "<mi>max</mi>(<mi>x</mi><mo>;</mo><mn>1</mn>)",
    ),
    (lambda x: x[0, 1:], SQUARE, "<mi>x</mi>[<mn>0</mn><mo>,</mo><mn>1</mn><mo>:</mo>]"),
    (lambda x: x.reshape(4), SQUARE, "<mi>reshape</mi>(<mi>x</mi><mo>;</mo><mn>4</mn>)"),
    (
        lambda x: x.exp().reshape(4, 1),
        SQUARE,
        "<mi>reshape</mi>(<mi>exp</mi>(<mi>x</mi>)<mo>;</mo><mn>4</mn><mo>×</mo><mn>1</mn>)",
    ),
]


@pytest.mark.parametrize(("function", "value", "expected"), FORMS)
def test_forms(function: Callable[..., tg.Tensor], value: Any, expected: str) -> None:
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    formula = tg.formula(function, **dict.fromkeys(names, value))
    text = re.fullmatch(r"<math [^>]*>(.*)</math>", formula.mathml)
    assert text
    # Without what says how wide a space is, whether a bracket grows, and what belongs together.
    found = re.sub(r"<mspace [^>]*></mspace>", " ", text[1])
    found = re.sub(r"<mo[^>]*>([()\[\]{|‖])</mo>", r"\1", found)
    assert re.sub("</?mrow>", "", found) == re.sub("</?mrow>", "", expected)


@pytest.mark.parametrize("name", ["W1", "h_s", "σ", "a b", "<b>", "{", "^", "\\", "χ2x", "if", ""])
def test_a_name_is_the_name(name: str) -> None:
    element = ElementTree.fromstring(markup(grouped(mathml_of(name))))
    assert "".join(element.itertext()) == {"h_s": "hs", "": '""'}.get(name, name)


def test_what_has_no_shape_of_its_own_is_spelled() -> None:
    assert mathml_of("a\x1b\u2028") == (["mtext", "a\\x1b\\u2028"],)


def test_brackets_grow_only_with_what_is_tall() -> None:
    flat = tg.formula(lambda x: (x + 1).exp(), x=NUMBER).mathml
    assert '<mo stretchy="false">(</mo>' in flat
    tall = tg.formula(lambda x: (1 / x).exp(), x=NUMBER).mathml
    assert "<mo>(</mo>" in tall


def test_a_tensor_called_if_makes_no_choice() -> None:
    pair = tg.op(
        lambda x, y, z: x, lambda g: g, lambda g: g, lambda g: g, formula="x y z", name="pair"
    )
    values = {"a": NUMBER, "if": NUMBER, "else": NUMBER}
    formula = tg.formula(lambda **inputs: pair(*inputs.values()), **values)
    assert "mtable" not in formula.mathml


@pytest.mark.parametrize(
    "template", ["(x", "x)", "|x", "√", "x^", "x | y", "‖x", "[x}", "²x", "x_"]
)
def test_a_template_with_a_loose_end_is_still_written(template: str) -> None:
    odd = tg.op(lambda x, y: x + y, lambda g: g, lambda g: g, formula=template, name="odd")
    formula = tg.formula(lambda x, y: odd(x, y), x=NUMBER, y=NUMBER)
    assert tags(ElementTree.fromstring(formula.mathml)) <= KNOWN


KNOWN = {
    *("math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "mfrac", "msqrt", "msub", "msup"),
    *("msubsup", "mtable", "mtr", "mtd"),
}


def tags(element: ElementTree.Element) -> set[str]:
    return {child.tag for child in element.iter()}


@given(programs(most=5))
def test_random_programs_have_well_formed_elements(program: Program) -> None:
    leaves = [tg.tensor(leaf.array(), requires_grad=True) for leaf in program.leaves]
    output = run(program, tg, leaves)[program.outputs[0]]
    if not output.requires_grad:
        return
    v = tg.tensor(weights(output.shape, dtype=output.dtype))
    used = [x for x in leaves if tg.grad(output, x, v, True, allow_unused=True)[0] is not None]
    for formula in (tg.formula(output), *tg.derive(output, used, v)):
        element = ElementTree.fromstring(formula.mathml)
        assert tags(element) <= KNOWN
        for tag, children in (("mfrac", 2), ("msup", 2), ("msub", 2), ("msubsup", 3), ("msqrt", 1)):
            assert all(len(found) == children for found in element.iter(tag))
        text = "".join(element.itertext())
        assert not re.search(r"\\|textstyle|operatorname|mathrm|mathbf|frac", text)


# An op that is added to the table.


def test_a_row_gives_its_formula_in_every_form() -> None:
    """Nothing but the row is needed: the formula follows from it as text, LaTeX and MathML."""
    row = ops.row(
        "softsign", "softsign(x) / √(1 + x²)", lambda x: x / np.sqrt(1 + x * x),
        lambda g, x: g * ops.softsign_slope(x), numpy="x / np.sqrt(1 + x * x)",
    )  # fmt: skip
    try:
        ops.softsign_slope = lambda x: (1 + x * x) ** -1.5  # type: ignore[attr-defined]
        f = tg.formula(lambda x: row(2 * x), x=SQUARE)
        assert str(f) == "softsign(2 x) / √(1 + (2 x)²)"
        assert r"\operatorname{\mathrm{softsign}}\left(2 \, x\right)" in f.latex
        assert "<mi>softsign</mi>" in f.mathml
        assert "<msqrt>" in f.mathml
        np.testing.assert_allclose(f(x=SQUARE), 2 * SQUARE / np.sqrt(1 + 4 * SQUARE**2))
        slope = tg.derive(lambda x: row(x).sum(), x=SQUARE)
        assert str(slope) == "(x² + 1)^−1.5"
        np.testing.assert_allclose(slope(x=SQUARE), (1 + SQUARE**2) ** -1.5)
    finally:
        del ops.TABLE["softsign"]
        del ops.softsign_slope  # type: ignore[attr-defined]
