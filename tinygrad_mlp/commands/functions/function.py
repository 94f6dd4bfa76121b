"""A function of the user's, called by the names of its arguments, and random arrays for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import Parameter, signature, unwrap
from typing import TypeVar

from ...torch.random import manual_seed
from ...torch.random.creation import rand, randn
from ...torch.tensor import Tensor
from .loading import UsageError, load, running

T = TypeVar("T")


class Function:
    """A function of the user's, which takes Tensors by the names of its arguments.

    UsageError where there is none at that place, or it does not say what its arguments are;
    CodeError for what the file, and when called the function, raises.
    """

    def __init__(self, place: str) -> None:
        self.place = place
        self.__wrapped__ = load(place)
        code = getattr(unwrap(self.__wrapped__), "__code__", None)
        self.file = None if code is None else code.co_filename
        try:
            self.parameters = list(signature(self.__wrapped__).parameters.values())
        except (TypeError, ValueError):
            raise UsageError(f"{place} does not say what its arguments are") from None
        kinds = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
        self.by_place = [p.name for p in self.parameters if p.kind in kinds]
        self.by_keyword = [p.name for p in self.parameters if p.kind is p.KEYWORD_ONLY]

    def inputs(
        self,
        shapes: Sequence[tuple[str, tuple[int, ...]]],
        seed: int,
        dtype: str,
        positive: bool = False,
    ) -> dict[str, Tensor]:
        """Random leaves for the arguments, in the function's order, after ``manual_seed(seed)``.

        They are normal, or with ``positive`` uniform from 0 to 1. The shapes come in that order,
        with "" for a name, or by name. Arguments that have a default may be left out; those of them
        that go by keyword alone get a shape by name alone. Those of ``*xs`` are xs0, xs1, ….
        UsageError where shapes are missing or too many.
        """
        named = {name for name, _ in shapes}
        if len(set(map(bool, named))) > 1:
            raise UsageError(
                "some of --shapes have names and some have none; name all of them or none"
            )
        optional = {p.name for p in self.parameters if p.default is not p.empty}
        by_keyword = [x for x in self.by_keyword if x not in optional or x in named]
        needed = {*self.by_place, *by_keyword} - optional
        more = len(shapes) - len(self.by_place + by_keyword)
        starred = [p.name for p in self.parameters if p.kind is p.VAR_POSITIONAL]
        names = [*self.by_place, *(f"{x}{i}" for x in starred for i in range(more)), *by_keyword]
        given = dict(shapes if all(named) else zip(names, (s for _, s in shapes)))
        if len(given) != len(shapes) or not needed <= given.keys() <= set(names):
            raise UsageError(
                f"{self.place} takes {', '.join(names) or 'no arguments'}, and there "
                f"{'is 1 shape' if len(shapes) == 1 else f'are {len(shapes)} shapes'}; give the "
                "shape of each, as in --shapes 5x3 3 scalar"
            )
        manual_seed(seed)
        draw = rand if positive else randn
        return {
            name: draw(*given[name], dtype=dtype, requires_grad=True)
            for name in names
            if name in given
        }

    def arranged(self, inputs: Mapping[str, T]) -> tuple[list[T], dict[str, T]]:
        """The inputs, which are in the function's order, as it is called: by place, then by name.

        By name are those that go by keyword alone, and those after one that is left out.
        """
        places = iter(self.by_place)
        by_place: list[T] = []
        by_name: dict[str, T] = {}
        for name, x in inputs.items():
            if name in self.by_keyword or next(places, name) != name:
                by_name[name] = x
            else:
                by_place.append(x)
        return by_place, by_name

    def __call__(self, /, **inputs: Tensor) -> Tensor:
        """What the function returns; UsageError where that is not a Tensor."""
        by_place, by_name = self.arranged(inputs)
        with running(self.place, self.file):
            output = self.__wrapped__(*by_place, **by_name)
        if not isinstance(output, Tensor):
            raise UsageError(f"{self.place} must return a Tensor, not {type(output).__name__}")
        return output
