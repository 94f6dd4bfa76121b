"""What to say of a name of PyTorch's that is not here: that it is not, and what is nearest."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

Rules = Sequence[tuple[str, str]]  # patterns of names, and what is nearest to those


def absent(
    module: str,
    name: str,
    there: Iterable[str],
    nearest: Mapping[str, str] | None = None,
    rules: Rules = (),
) -> AttributeError:
    """The error for a name that a module has not.

    ``there`` are the names that it has, of which the one spelled most alike is named, unless
    ``nearest`` knows better, or the name is not much alike and a pattern of ``rules`` is in it.

    >>> absent("optim", "SDG", ["SGD", "Adam"])
    AttributeError("optim has no 'SDG'; the nearest there is: SGD")
    """
    if name.startswith("__"):  # asked for by Python, and never meant for a person
        return AttributeError(f"{module} has no {name!r}")
    names = sorted(n for n in there if not n.startswith("_"))
    known = (nearest or {}).get(name)
    close = known or alike(name, names, 0.8) or ruled(name, rules) or alike(name, names, 0.5)
    hint = f"the nearest there is: {close}" if close else f"there are: {', '.join(names)}"
    return AttributeError(f"{module} has no {name!r}; {hint}")


def alike(name: str, names: Iterable[str], cutoff: float) -> str:
    """The name that is spelled most alike, but for capitals and underscores; "" for none."""
    from difflib import get_close_matches  # which most programs never need

    plain = {n.lower().replace("_", ""): n for n in names}
    close = get_close_matches(name.lower().replace("_", ""), plain, 1, cutoff)
    return plain[close[0]] if close else ""


def ruled(name: str, rules: Rules) -> str:
    """What is nearest by the first rule whose pattern is in the name; "" for none."""
    return next((near for pattern, near in rules if re.search(pattern, name)), "")
