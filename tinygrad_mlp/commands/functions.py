"""A function of the user's, as FILE.py:FUNCTION and --shapes name it, and random arrays for it."""

from __future__ import annotations

import re
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import util
from inspect import Parameter, isfunction, signature, unwrap
from os.path import isfile
from pathlib import Path
from traceback import extract_tb, format_exception
from typing import TYPE_CHECKING, Any, TypeVar

from .arguments import size, too_large

if TYPE_CHECKING:
    from ..torch.tensor import Tensor

T = TypeVar("T")


class UsageError(ValueError):
    """Something the user can put right; the message says how."""


class CodeError(UsageError):
    """What the user's own code raised, in one line.

    ``traceback`` is Python's account of it, from that code on; "" where it did not get so far.
    """

    def __init__(self, message: str, traceback: str) -> None:
        super().__init__(message)
        self.traceback = traceback


def add_to(parser: ArgumentParser) -> None:
    """Add the function and its shapes to a command's arguments."""
    parser.add_argument(
        "function",
        nargs="?",
        type=place,
        metavar="FILE.py:FUNCTION",
        help="a function of yours, or package.module:FUNCTION (the two-layer loss)",
    )
    parser.add_argument(
        "--shapes",
        type=shape,
        nargs="+",
        default=(),
        metavar="SHAPE",
        help="of the function's arguments, in order or by name: 5x3, 3, scalar, X=5x3",
    )


def refuse_misplaced(
    parser: ArgumentParser,
    options: Namespace,
    *networks: str,
    functions: Sequence[str] = ("shapes",),
) -> None:
    """Bad usage if an option of the two-layer network comes with a function, or the reverse."""
    own = options.function is not None
    wrong = " and ".join(f"--{x}" for x in (networks if own else functions) if getattr(options, x))
    if wrong and own:
        parser.error(f"{wrong}: for the two-layer network only; a function takes --shapes")
    if wrong:
        parser.error(f"{wrong}: for a function only; the two-layer network takes --shape")


def place(word: str) -> str:
    """Where a function is: FILE.py:FUNCTION, or package.module:FUNCTION."""
    file, _, name = word.rpartition(":")
    if not file or not name.isidentifier():
        raise ArgumentTypeError(
            f"{word!r} is not of the form FILE.py:FUNCTION or package.module:FUNCTION"
        )
    return word


def shape(word: str) -> tuple[str, tuple[int, ...]]:
    """One of --shapes: the argument's name, or "" where it has none, and its shape.

    >>> shape("5x3"), shape("w=3"), shape("lam=scalar")
    (('', (5, 3)), ('w', (3,)), ('lam', ()))
    """
    name, equals, sizes = word.rpartition("=")
    try:
        if name.isidentifier() != bool(equals):
            raise ArgumentTypeError
        numbers = [] if sizes in ("scalar", "()") else re.split("[x×,]", sizes.removesuffix(","))
        found = tuple(map(size, numbers))
    except (ArgumentTypeError, ValueError):
        raise ArgumentTypeError(
            f"{word!r} is not a shape; write 3x4, or 5 for a vector, or scalar, "
            "or with the argument's name X=3x4"
        ) from None
    if too_large(found):
        raise ArgumentTypeError(f"{word} {too_large(found)}")
    return name, found


@contextmanager
def running(where: str, file: str | None = None) -> Iterator[None]:
    """For code of the user's: what it raises becomes a CodeError, with the line where known.

    ``file`` is the name of the file that it is in; without it, that of the first code on the way
    that is neither this package's nor of the import system. MemoryError passes through.
    """
    package = Path(__file__).parent.parent
    try:
        yield
    except (MemoryError, UsageError):
        raise
    except SystemExit as error:
        raise UsageError(f"{where} exits when it is run") from error
    except Exception as error:
        own = error.__traceback__
        while own is not None:
            name = own.tb_frame.f_code.co_filename
            if name == file if file else name[:1] != "<" and package not in Path(name).parents:
                break
            own = own.tb_next
        lines = [frame.lineno for frame in extract_tb(own) if frame.filename == name]
        words = [where, *(f"line {n}" for n in lines[-1:]), type(error).__name__, str(error)]
        notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
        account = "".join(format_exception(type(error), error, own)) if own else ""
        raise CodeError(" ".join((": ".join(words) + notes).split()), account) from error


def load(place: str) -> Callable[..., Any]:
    """The function that FILE.py:FUNCTION or package.module:FUNCTION names.

    UsageError where there is none, CodeError for what the file itself raises.
    """
    file, _, name = place.rpartition(":")
    path = Path(file)
    if isfile(file):
        spec = util.spec_from_file_location("user_file", path.resolve())
        if spec is None or spec.loader is None:
            raise UsageError(f"{file} is not a Python file")
        # As Python has it for a script.
        sys.path.insert(0, str(path.resolve().parent))
        module = sys.modules[spec.name] = util.module_from_spec(spec)
        with running(file):
            spec.loader.exec_module(module)
    elif path.suffix == ".py" or file.startswith("."):
        raise UsageError(f"there is no file {file}")
    else:
        sys.path.insert(0, "")
        with running(file):
            try:
                __import__(file)  # import_module would be in the account of what that raises
            except ModuleNotFoundError as error:
                if not f"{file}.".startswith(f"{error.name}."):
                    raise
                raise UsageError(
                    f"there is no file {file}, and no module of that name: {error}"
                ) from None
        module = sys.modules[file]
    found = getattr(module, name, None)
    if not callable(found):
        names = [
            n for n, f in vars(module).items()
            if isfunction(f) and f.__module__ == module.__name__
        ]  # fmt: skip
        there = f"the functions there are: {', '.join(names)}" if names else "it has no functions"
        raise UsageError(f"{file} has no function {name!r}; {there}")
    return found  # type: ignore[no-any-return]


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
        from ..torch.creation import rand, randn
        from ..torch.random import manual_seed

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
        from ..torch.tensor import Tensor

        by_place, by_name = self.arranged(inputs)
        with running(self.place, self.file):
            output = self.__wrapped__(*by_place, **by_name)
        if not isinstance(output, Tensor):
            raise UsageError(f"{self.place} must return a Tensor, not {type(output).__name__}")
        return output
