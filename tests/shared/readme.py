"""What README.md says to run and what it says comes out, for its test and for .ci/run.

    python tests/shared/readme.py command N    the Nth console command, counted from 1
    python tests/shared/readme.py update       put real outputs and the table of ops into README.md

The first needs nothing but Python. In README.md, a console block is a command after a $ and what
it prints; a python block may be followed by a text block, which is what it prints. A line ``...``
stands for any number of lines.
"""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TABLE = re.compile(r"(?<=\n\n)\| op \|.*?(?=\n\n)", re.DOTALL)

# What stands in lines that say how far answers differ, or how long they took.
MACHINE = ("largest difference", "losses differ", "ms an epoch", "times ours")

NUMBER = re.compile(r"-?\d+\.\d+(?:e[+-]\d+)?")
SECONDS = re.compile(r"\d+\.\d+ s\b")


class Example(NamedTuple):
    """Something to run, a shell command or a Python program, and what it prints."""

    language: str
    source: str
    output: str
    span: tuple[int, int]  # of the output in the text


def examples(text: str) -> list[Example]:
    found = []
    fences = list(FENCE.finditer(text))
    for fence, after in zip(fences, [*fences[1:], None], strict=True):
        language, body = fence.groups()
        if language == "console":
            command, _, output = body.removeprefix("$ ").partition("\n")
            span = (fence.end(2) - len(output), fence.end(2))
            found.append(Example(language, command, output, span))
        elif language == "python":
            adjacent = after and not text[fence.end() : after.start()].strip()
            output, span = "", (fence.end(), fence.end())
            if after and adjacent and after[1] == "text":
                output, span = after[2], after.span(2)
            found.append(Example(language, body, output, span))
    return found


def command(number: int) -> str:
    text = README.read_text(encoding="utf-8")
    return [e for e in examples(text) if e.language == "console"][number - 1].source


def run(example: Example) -> str:
    """What the example prints here and now, in the environment that this runs in.

    Of a command that first makes an environment, only the last part is run.
    """
    if example.language == "python":
        words = [sys.executable, "-c", example.source]
    else:
        words = example.source.rpartition(" && ")[2].split()
        assert words[0] == ".venv/bin/tinygrad-mlp", f"readme.py does not know {words[0]}"
        words[:1] = [sys.executable, "-m", "tinygrad_mlp"]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    result = subprocess.run(
        words, cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8", env=environment
    )
    # The status of ``fuzz`` is 1 where it found something.
    assert result.returncode <= ("fuzz" in words), f"{words}: status {result.returncode}"
    return result.stdout


def alike(shown: str, printed: str) -> bool:
    """Equal but for what depends on the machine: last digits, times, how far answers differ."""
    shown, printed = (SECONDS.sub("# s", line) for line in (shown, printed))
    if NUMBER.sub("#", shown).split() != NUMBER.sub("#", printed).split():
        return False
    if any(words in shown for words in MACHINE):
        return True
    pairs = zip(NUMBER.findall(shown), NUMBER.findall(printed), strict=True)
    return all(
        abs(Decimal(a) - Decimal(b)) <= Decimal(1).scaleb(Decimal(a).as_tuple().exponent)
        for a, b in pairs
    )


def matches(shown: Sequence[str], printed: Sequence[str]) -> bool:
    if not shown:
        return not printed
    if shown[0] == "...":
        return any(matches(shown[1:], printed[i:]) for i in range(len(printed) + 1))
    return bool(printed) and alike(shown[0], printed[0]) and matches(shown[1:], printed[1:])


def table() -> str:
    """The table of ops, in Markdown: names and formulas from the ops, VJPs from their source."""
    from tinygrad_mlp.core import ops

    source = Path(ops.__file__).read_text(encoding="utf-8")
    vjps = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "row":
            name, _, _, *rest = node.args
            bodies = [ast.get_source_segment(source, getattr(f, "body", f)) for f in rest]
            vjps[ast.literal_eval(name)] = [" ".join(body.split()) for body in bodies if body]
    lines = ["| op | what it is | the VJP of each input |", "|---|---|---|"]
    for op in ops.TABLE.values():
        formula = op.formula.replace("|", r"\|")
        code = "<br>".join(f"`{body}`" for body in vjps[op.name]).replace("|", r"\|")
        lines.append(f"| {op.name} | {formula} | {code} |")
    return "\n".join(lines)


def update() -> None:
    text = README.read_text(encoding="utf-8")
    for example in reversed(examples(text)):
        start, end = example.span
        if example.output and "..." not in example.output.split("\n"):
            text = text[:start] + run(example) + text[end:]
    README.write_text(TABLE.sub(lambda _: table(), text), encoding="utf-8")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["command", number]:
            print(command(int(number)))
        case ["update"]:
            update()
        case _:
            sys.exit(__doc__)
