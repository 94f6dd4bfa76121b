"""Formulas of Tensors and of their gradients, to print, to read in LaTeX and to run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from reprlib import repr as brief
from typing import Any

import numpy as np

from ...core.tape import Constant, Node, next_position, passages, walk
from ...core.tensor import root_of, seed
from ...torch.creation import tensor
from ...torch.tensor import Tensor
from .mathml import MathML, markup, math
from .notation import Latex, Text
from .reader import Reader, tracing
from .source import Source
from .steps import Journey, Step
from .terms import Term

__all__ = ["Formula", "Step"]


class Formula:
    """A formula, of a gradient or of a Tensor.

    ``str`` is the right-hand side, one line of text. ``repr`` has the left-hand side too and, under
    it, what the names in it stand for: Tensors that have a name and are not leaves and, where a
    formula would be too long, t1, t2, …
    """

    def __init__(
        self,
        reader: Reader,
        tensor: Tensor,
        term: Term,
        left: tuple[str, str],
        journey: Journey | None = None,
        target: Node | None = None,
    ) -> None:
        self.tensor = tensor  # what the formula is of: its value, with its graph
        self._reader = reader
        self._term = term
        self._left = left
        self._journey = journey
        self._target = target

    def __str__(self) -> str:
        return Text(self._reader.names).write(self._term)

    def __repr__(self) -> str:
        return "\n    ".join(f"{left} = {right}" for left, right in self.equations())

    @property
    def definitions(self) -> dict[str, str]:
        """What the names in the formula stand for, as text."""
        return dict(self.equations()[1:])

    @property
    def latex(self) -> str:
        """The right-hand side in LaTeX, for math mode, under amsmath."""
        return Latex(self._reader.names).write(self._term)

    @property
    def mathml(self) -> str:
        """The right-hand side in MathML, as a whole ``<math>`` element."""
        written = MathML(self._reader.names).write(self._term)
        return markup(math(written, str(self)))

    def _repr_latex_(self) -> str:
        rows = r" \\ ".join(f"{left} &= {right}" for left, right in self.equations(latex=True))
        return rf"$\displaystyle \begin{{aligned}} {rows} \end{{aligned}}$"

    def equations(self, latex: bool = False) -> list[tuple[str, str]]:
        """Left-hand and right-hand sides: the formula's, then those of the names in it."""
        names = self._reader.names
        notation = Latex(names) if latex else Text(names)
        lines = [(self._left[latex], notation.write(self._term))]
        terms, seen = [self._term], {self._term}
        for x in terms:  # grows while it is walked
            for y in (*x.args, x.definition):
                if y is not None and y not in seen:
                    seen.add(y)
                    terms.append(y)
        for x in sorted(terms, key=lambda x: -x.order):
            if x.definition is not None:
                lines.append((notation.name_of(x), notation.write(x.definition)))
        return lines + notation.definitions

    @cached_property
    def _source(self) -> Source:
        name = "value" if self._journey is None else "gradient"
        return Source(self._reader.names, name, self._term)

    @property
    def numpy(self) -> str:
        """The source of a function of arrays: of the leaves and the named Tensors that appear.

        After these it takes what was constant and has no name, as c1, c2, …, and the forward of
        each op that has no NumPy notation.
        """
        return self._source.text

    @property
    def arguments(self) -> tuple[str, ...]:
        """What the function of ``numpy`` takes, in order, by the names that the text uses."""
        return tuple(map(self._reader.names.text, self._source.arguments))

    def __call__(self, values: Mapping[str, Any] | None = None, /, **more: Any) -> Any:
        """Call the function of ``numpy`` with these values, by name.

        A constant that is not given has the value it had on the tape; a Tensor that has a name and
        is not a leaf is computed from what defines it. TypeError where any other value is missing.

        >>> import tinygrad_mlp as tg
        >>> slope = tg.derive(lambda x: x**3, x=2.0)
        >>> print(slope(x=10.0))
        300.0
        """
        given, names = {**(values or {}), **more}, self._reader.names
        known: dict[Term, Any] = dict(self._reader.constants)
        needed = list(self._source.arguments)
        sources: dict[Term, Source] = {}
        for x in needed:  # grows while it is walked
            name = names.label(x)
            if name in given:
                known[x] = np.asarray(given[name])
            elif x.definition is not None and x not in sources:
                sources[x] = Source(names, "value", x.definition)
                needed += sources[x].arguments
            elif x not in known and x not in sources:
                raise TypeError(f"the formula needs a value for {name}; it takes {self.arguments}")
        for x in sorted(sources, key=lambda x: x.order):
            known[x] = sources[x].run(known)
        return self._source.run(known)

    @property
    def steps(self) -> tuple[Step, ...]:
        """The derivation, from the output backwards, one use of the chain rule after the other."""
        if self._journey is None or self._target is None:
            return ()
        return tuple(self._journey.steps(self._target))


def formula_of(output: Tensor) -> Formula:
    """A Tensor as a formula of what it was made from."""
    reader = Reader()
    symbol = reader.term(root_of(output, "formula"))
    names = reader.names
    if output.name is None:
        left = names.of_output(None)
    else:
        left = names.text(symbol), names.latex(symbol)
    return Formula(reader, output, symbol.definition or symbol, left)


def gradients(output: Tensor, wrt: tuple[Tensor, ...], grad_outputs: Any) -> tuple[Formula, ...]:
    """The gradients of a Tensor as formulas."""
    root = root_of(output, "derive")
    targets = [root_of(x, "derive") for x in wrt]
    start = seed(output, grad_outputs, "derive")
    reader = Reader()
    if start._node is None:
        # On the tape, so that what the VJPs make of it is a formula and not one more constant.
        name = getattr(grad_outputs, "name", None)
        start = reader.lift(start._array, Constant(start._array, name))
    reader.turn = next_position()
    with tracing():
        keep = passages(set(targets), [root]) | set(targets)
        cotangents, passed = walk({root: start}, keep, reader.lift)
    for i, (x, node) in enumerate(zip(wrt, targets, strict=True)):
        if node not in cotangents:
            what = f"input {i}" if x.name is None else repr(x.name)
            raise RuntimeError(f"derive: the output does not depend on {what}")
    reader.cotangents = {g._node for g in cotangents.values() if g._node is not None}
    terms = [reader.of(cotangents[node]) for node in targets]
    journey = Journey(reader, root, output.name, cotangents, passed)
    return tuple(
        Formula(reader, cotangents[node], term, journey.derivative(node), journey, node)
        for node, term in zip(targets, terms, strict=True)
    )


def called(
    function: Callable[..., Tensor], inputs: Mapping[str, Any]
) -> tuple[Tensor, dict[str, Tensor]]:
    """What a function makes of keyword arguments, and these as Tensors named by their keywords."""
    if not callable(function):
        raise TypeError(f"a Tensor or a function of Tensors is needed, not {brief(function)}")
    tensors = {}
    for name, value in inputs.items():
        x = tensor(value.detach() if isinstance(value, Tensor) else value, name=name)
        tensors[name] = x.requires_grad_() if x.dtype.kind == "f" else x
    with tracing():
        output = function(**tensors)
    if not isinstance(output, Tensor):
        raise TypeError(f"the function must return a Tensor, not {type(output).__name__}")
    return output, tensors
