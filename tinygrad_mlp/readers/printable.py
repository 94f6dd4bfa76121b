"""Words from outside, in one line: the name of a file may end a comment, or command a terminal."""


def printable(text: str) -> str:
    r"""The same with escapes for what is not to be printed.

    >>> print(printable("a\nb\x1b[31m.py"))
    a\nb\x1b[31m.py
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
