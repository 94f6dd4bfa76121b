"""What to say of PyTorch's names, methods and keywords that are not here: what comes nearest."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from inspect import getattr_static, signature
from typing import NoReturn, ParamSpec, TypeVar

from . import nearest as tables
from .later import first_use

P = ParamSpec("P")
R = TypeVar("R")

# Names.


def absent(
    module: str,
    name: str,
    there: Iterable[str],
    nearest: Mapping[str, str] | None = None,
    rules: Sequence[tuple[str, str]] = (),
) -> AttributeError:
    """The error for a name that a module has not.

    ``there`` are the names that it has, of which the one spelled most alike is named, unless
    ``nearest`` knows better, or the name is not much alike and a pattern of ``rules`` is in it.

    >>> absent("optim", "SDG", ["SGD", "Adam"])
    AttributeError("optim has no 'SDG'; the nearest there is: SGD")
    """
    if name.startswith("__"):  # asked for by Python, and never meant for a person
        return AttributeError(f"{module} has no {name!r}")
    # What changes its Tensor is not near to what does not.
    names = [n for n in sorted(there) if n[0] != "_" and n.endswith("_") <= name.endswith("_")]
    by_rule = (near for pattern, near in rules if re.search(pattern, name))
    close = (nearest or {}).get(name) or alike(name, names, 0.8)
    close = close or next(by_rule, "") or alike(name, names, 0.5)
    hint = f"the nearest there is: {close}" if close else f"there are: {', '.join(names)}"
    return without_more(f"{module} has no {name!r}; {hint}", name)


def without_more(message: str, name: str) -> AttributeError:
    """The error to which Python adds no "Did you mean" of its own, as exp_ for expm1."""
    # It does where it may put in both the name and whose it is.
    return AttributeError(message, name=name)


def alike(name: str, names: Iterable[str], cutoff: float) -> str:
    """The name that is spelled most alike, but for capitals and underscores; "" for none."""
    from difflib import get_close_matches  # which most programs never need

    plain = {n.lower().replace("_", ""): n for n in names}
    close = get_close_matches(name.lower().replace("_", ""), plain, 1, cutoff)
    return plain[close[0]] if close else ""


def missing(module: str, name: str, there: Iterable[str]) -> AttributeError:
    """The error for a name that PyTorch's Tensor has, or ``torch`` itself.

    >>> missing("Tensor", "cumsum", [])
    AttributeError("Tensor has no 'cumsum'; the nearest there is: sum")
    """
    there = set(there)
    stem = name.removesuffix("_")
    near = fitting(tables.NEAREST, name)
    near = near or (f"{stem}, which makes a new one" if stem in there else "")
    near = near or fitting(tables.NEAREST, stem)
    if not near and (why := fitting(tables.NOTHING, name)):
        return without_more(f"{module} has no {name!r}, nor anything like it: {why}", name)
    return absent(module, name, there, {name: near}, [("", tables.OTHERWISE)])


def fitting(table: Mapping[str, str], name: str) -> str:
    """The first row of which a pattern fits the whole name; "" for none."""
    rows = table.items()
    return next((r for r, ps in rows if any(re.fullmatch(p, name) for p in ps.split())), "")


class Missing:
    """A method of PyTorch's that Tensors do not have."""

    # Not Tensor.__getattr__, beside which Python takes longer to find what is there.

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, instance: object, owner: type) -> NoReturn:
        there = (n for n in dir(owner) if not isinstance(getattr_static(owner, n), Missing))
        raise missing("Tensor", self.name, there)


def say_what_is_missing(cls: type) -> frozenset[str]:
    """Have a class meet PyTorch's methods with the nearest that it has; returns their names."""
    names = frozenset(name for name in tables.METHODS.split() if not hasattr(cls, name))
    for name in names:
        setattr(cls, name, Missing(name))
    return names


def module_getattr(module: str, later: Mapping[str, str] | None = None) -> Callable[[str], object]:
    """A ``__getattr__`` for a module of this package that has names of PyTorch's.

    ``later`` are the names that wait for their first use, with the submodules that they are in.
    """

    inner = module.partition(".")[2]

    def getattr_(name: str) -> object:
        if later and name in later:
            return first_use(module, name, later[name])
        found = sys.modules[module]
        if inner in tables.MODULES:
            raise absent(inner, name, found.__all__, *tables.MODULES[inner])
        raise missing(module, name, dir(found))

    return getattr_


class Imports:
    """The last to be asked for a module of this package, who has none but says what is nearest.

    Of ``from package import name``, too, Python asks for a module where it finds no such name.
    """

    @staticmethod
    def find_spec(module: str, path: object = None, target: object = None) -> None:
        parent, _, name = module.rpartition(".")
        package = sys.modules.get(parent)
        ours = parent.partition(".")[0] == __name__.partition(".")[0]
        if ours and "__getattr__" in vars(package) and not name.startswith("_"):
            try:
                getattr(package, name)
            except AttributeError as error:
                # With the whole name, Python would take it for one of its own, and drop it.
                raise ModuleNotFoundError(str(error), name=name) from None


sys.meta_path.append(Imports)

# Keywords.


def says_what_it_takes(function: Callable[P, R]) -> Callable[P, R]:
    """The function, with an error for a keyword of PyTorch's that names the nearest it has."""

    @wraps(function)
    def call(*args: P.args, **options: P.kwargs) -> R:
        try:
            return function(*args, **options)
        except TypeError:
            refuse_unknown(function.__name__, function, options)
            raise

    return call


def say_what_they_take(cls: type, names: Iterable[str]) -> None:
    """Do that for methods of a class."""
    for name in names:
        setattr(cls, name, says_what_it_takes(vars(cls)[name]))


def refuse_unknown(name: str, function: Callable[..., object], given: Iterable[str]) -> None:
    """TypeError for a keyword that a function does not take."""
    taken = signature(function).parameters
    for keyword in given:
        if keyword not in taken:
            raise without(name, keyword, [n for n in taken if n not in ("self", "input")]) from None


def without(function: str, keyword: str, known: Sequence[str]) -> TypeError:
    """The error for a keyword that a function does not take."""
    near = alike(keyword, known, 0.6)
    hint = tables.KEYWORDS.get(keyword) or (f"the nearest is {near}=" if near else "")
    hint = hint or f"it takes {', '.join(known) or 'none'}"
    return TypeError(f"{function}: {keyword}= is not here; {hint}")
