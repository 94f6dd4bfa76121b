"""Where a program may go, by the domain of a row, and with which numbers it starts there."""

from typing import Any

import numpy as np
import pytest

from tinygrad_mlp.core import ops
from tinygrad_mlp.core.ops import Op
from tinygrad_mlp.readers.fuzz.builders import kinds_for
from tinygrad_mlp.readers.fuzz.kinks import smooth


@pytest.mark.parametrize(
    ("domain", "near", "far"),
    [
        (lambda x: x != 0, (0.01,), (-0.02,)),
        (lambda x: x > 0, (0.01,), (0.02,)),
        (lambda x: x >= 0, (-0.01,), (0.02,)),
        (lambda x: (x < -1) | (x >= 1), (-1.01,), (1.02,)),
        (lambda x, y: x != y, (1.0, 1.03), (1.0, 1.04)),
        (lambda x, y: x <= y, (1.03, 1.0), (1.0, 1.04)),
        (lambda x: abs(x) < 1, (-0.99,), (-0.98,)),
        (lambda x: abs(x) > 0.5, (0.51,), (-0.52,)),
        (lambda x: np.abs(x) < 1, (-0.99,), (-0.98,)),
        (lambda x: ops.abs(x) < 1, (-0.99,), (-0.98,)),
        (lambda x: x * x < 1, (0.99,), (0.98,)),
        (lambda x: (x == x) | (x > 1), (0.0,), (1.02,)),
    ],
)
def test_a_place_is_in_a_domain_if_all_that_is_near_it_is(domain: Any, near: Any, far: Any) -> None:
    assert smooth(domain, [np.array(x) for x in far])
    assert not smooth(domain, [np.array([2.0, x]) for x in near])
    assert smooth(domain, [np.zeros((0, 2)) for _ in far])


def test_a_bound_that_is_not_there_is_far_from_everything() -> None:
    x = np.array([0.0, 5.0])
    domain = ops.TABLE["clamp"].domain
    assert smooth(domain, [x], (None, 1.0))
    assert not smooth(domain, [x], (None, 5.0))


@pytest.mark.parametrize(
    ("row", "options", "kinds"),
    [
        (ops.sin, (), ("any",)),
        (ops.abs, (), ("nonzero",)),
        (ops.log, (), ("positive",)),
        (ops.div, (), ("any", "nonzero")),
        (ops.maximum, (), ("any", "between")),
        (ops.pow, (2,), ("any",)),
        (ops.pow, (-1,), ("nonzero",)),
        (ops.pow, (0.5,), ("positive",)),
        (Op("arcsin", "arcsin(x)", np.arcsin, domain=lambda x: abs(x) < 1), (), ("inside",)),
        (Op("odd", "odd(x)", np.sin, domain=lambda x: x > 1.5), (), ("positive",)),
    ],
)
def test_numbers_are_of_the_most_general_kind_in_the_domain(
    row: Op, options: tuple[Any, ...], kinds: tuple[str, ...]
) -> None:
    assert kinds_for(row, len(kinds), options) == kinds
