"""What to say of a name of PyTorch's that is not here: that it is not, and what is nearest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches


def absent(
    module: str, name: str, there: Iterable[str], nearest: Mapping[str, str] | None = None
) -> AttributeError:
    """The error for a name that a module has not.

    ``there`` are the names that it has, of which the one spelled most alike is named, unless
    ``nearest`` knows better.

    >>> absent("optim", "SDG", ["SGD", "Adam"])
    AttributeError("optim has no 'SDG'; the nearest there is: SGD")
    """
    if name.startswith("__"):  # asked for by Python, and never meant for a person
        return AttributeError(f"{module} has no {name!r}")
    names = [n for n in there if not n.startswith("_")]
    close = (nearest or {}).get(name) or ", ".join(get_close_matches(name, names, 1, 0.5))
    hint = f"the nearest there is: {close}" if close else f"there are: {', '.join(sorted(names))}"
    return AttributeError(f"{module} has no {name!r}; {hint}")
