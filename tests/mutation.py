"""How many mutants of the core the tests kill: a small change of the code, does any test notice?

    python tests/mutation.py ops                     every mutant of tinygrad_mlp/ops.py
    python tests/mutation.py tensor --sample 100     so many of them, at random
    python tests/mutation.py ops --log FILE          go on from where an earlier run was ended

The mutants are those of cosmic-ray (pip install -e '.[test,mutation]'), which also changes lambdas
at module level. Not counted are those that differ in annotations alone, which nothing evaluates.
Each mutant is tested in a fork of one process that has imported everything but the package, and its
source is put in place as it is imported, so that no file is touched; this needs a system that can
fork. A row of the table of ops meets the tests of that op first; what is left then meets those of
the core. A mutant that takes more than two minutes is killed too. Each survivor is printed with
its line, and with the reason where no test could notice it.
"""

import argparse
import ast
import importlib.util
import json
import os
import random
import re
import resource
import signal
import sys
from difflib import unified_diff
from functools import cache
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
CORE = [
    f"tests/test_{name}.py" for name in ("tape", "tensor", "ops", "functional", "custom_op", "nn")
]
SECONDS = 120
MEMORY = 4 << 30


def places(source: str) -> list[tuple[str, int]]:
    """What can be changed: operators of cosmic-ray, each with a number for every place."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.plugins import get_operator, operator_names

    nodes = list(ast_nodes(get_ast(source)))
    found = []
    for name in sorted(operator_names()):
        if not get_operator(name).arguments():
            operator = get_operator(name)()
            n = sum(len(list(operator.mutation_positions(node))) for node in nodes)
            found += [(name, k) for k in range(n)]
    return found


def mutant(source: str, name: str, place: int) -> str | None:
    """The source with one change; None where nothing that runs differs."""
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    changed: str | None = mutate_code(source, get_operator(name)(), place)
    try:
        same = changed is None or running(changed) == running(source)
    except SyntaxError:
        return None
    return None if same else changed


def running(source: str) -> str:
    """A program without its annotations, which nothing evaluates."""
    return ast.dump(without_annotations(source))


def without_annotations(source: str) -> ast.AST:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            node.returns = None
            for argument in ast.walk(node.args):
                if isinstance(argument, ast.arg):
                    argument.annotation = None
        elif isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None)
    return tree


def changed_lines(source: str, changed: str) -> tuple[int, list[str]]:
    """Where the first difference is, and the lines before and after."""
    diff = list(unified_diff(source.splitlines(), changed.splitlines(), lineterm="", n=0))[2:]
    return int(diff[0].split()[1].split(",")[0][1:]), [line for line in diff if line[0] in "+-"]


def row_at(source: str, line: int) -> str | None:
    """The op whose row is on this line."""
    for node in ast.walk(ast.parse(source)):
        is_row = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "row"
        if is_row and node.lineno <= line <= node.end_lineno:  # type: ignore[attr-defined]
            return str(ast.literal_eval(node.args[0]))  # type: ignore[attr-defined]
    return None


class Put(MetaPathFinder):
    """Gives a module another source when it is imported."""

    def __init__(self, name: str, path: Path, source: str) -> None:
        self.name, self.path, self.source = name, path, source

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name != self.name:
            return None
        spec = importlib.util.spec_from_loader(name, self, origin=str(self.path))  # type: ignore[arg-type]
        if spec is not None:
            spec.has_location = True  # so that the module has a __file__
        return spec

    def create_module(self, spec: Any) -> None:
        return None

    def exec_module(self, module: Any) -> None:
        exec(compile(self.source, str(self.path), "exec"), module.__dict__)


def is_right(op: str) -> bool:
    """What test_rows checks, up to the first thing that is wrong, which is not made smaller."""
    import tinygrad_mlp
    from tinygrad_mlp.testing.checks import ROW_CHECKS, of_one_op

    programs = of_one_op(op, 4, 0)
    return not any(test(tinygrad_mlp, p) for p in programs for test in ROW_CHECKS.values())


def passes(module: str, path: Path, source: str, words: list[str]) -> bool:
    """Whether these tests pass with this source of the module; in a fork."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    try:
        signal.alarm(10 * SECONDS)  # for one that waits for ever
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        sys.meta_path.insert(0, Put(f"tinygrad_mlp.{module}", path, source))
        if words[0] == "check_op":
            os._exit(not all(map(is_right, words[1:])))
        import pytest

        flags = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-W"]
        flags.append("ignore::pytest.PytestAssertRewriteWarning")  # of what is imported already
        os._exit(int(pytest.main([*words, *flags])))
    finally:
        os._exit(1)


# Survivors that no test can tell from the original, by what their line becomes, and why.
EQUIVALENT = {
    r"type\(\w\) == ndarray": "a class is equal to itself alone",
    r"^DOT_MOST = ": "dot and @ give the same product of two matrices in another time",
    r"small = .* x.ndim == 2 == y.ndim and ": "as above",
    r"small = .* x.ndim (!=|<=|>=) 2 == y.ndim and ": "dot and @ agree where y is a matrix",
    r"small = .* x.ndim == 2 > y.ndim and ": "never so, and then it is @",
    r"^SIGMOID = ": "any limit between where 1 + eˣ rounds to eˣ and where eˣ overflows will do",
    r"x.item\(x.argmax\(\)\) (<|==|is) enough": "a limit is put on x more often",
    r"domain=.* (\(x != low\) \* |\(p % 1 <= 0\))": "of bools * is &, and p % 1 is not negative",
    r"\(x != 0\) \+ \(y < 0\)": "of bools + is |",
    r"where\(g \* 0.5, g, x <= y\)": "where x < y it is 0 in the end",
    r"if x.shape < \(\) and|x.shape == \(\) and type\(x\) != ": "broadcast_to gives the same view",
    r"slice\(places\[ ?-1\], ": "there is one place",
}

# Rows that use the helpers of ops.py, and the quick tests of single cases in test_ops.py.
ROWS = [
    "add",
    "matmul",
    "pow",
    "pow_tensor",
    "sigmoid",
    "maximum",
    "sum",
    "mean",
    "amax",
    "expand",
    "getitem",
    "scatter",
    "cat",
]
CASES = [
    "kinks",
    "numbers",
    "ends",
    "mixed",
    "quotients",
    "pole",
    "ask",
    "domains",
    "casts",
    "nothing",
    "means",
    "axes",
    "index",
    "matmul_of",
]


def stages(module: str, source: str, line: int) -> list[list[str]]:
    """Tests to run one after the other, the likeliest to notice first."""
    own = f"tests/test_{module}.py"
    found = []
    if module == "ops":
        row = row_at(source, line)
        found = [["check_op", *([row] if row else ROWS)]]
        found.append([own, "-k", " or ".join([*CASES, *([row] if row else [])])])
    return [
        *found,
        [own],
        [name for name in CORE if name != own],
        ["tests/test_compile.py", "tests/test_derive.py", "tests/test_two_layer.py"],
        ["tests/test_bad_input.py", "tests/test_testing.py", "tests/test_saving.py"],
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("module", help="of tinygrad_mlp, such as ops, tape or tensor")
    parser.add_argument("--sample", type=int, help="only so many mutants, at random")
    parser.add_argument("--part", default="1/1", help="of several that run at once, such as 1/2")
    parser.add_argument(
        "--stages", type=int, default=9, help="no more than so many groups of tests"
    )
    parser.add_argument("--log", type=Path, help="where results are kept as they come")
    options = parser.parse_args()
    os.chdir(ROOT)
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    # The same examples each time.
    os.environ.update(CI="true", HYPOTHESIS_PROFILE=os.environ.get("HYPOTHESIS_PROFILE", "few"))
    for name in ("numpy", "hypothesis.extra.numpy", "_hypothesis_pytestplugin", "_pytest.main"):
        importlib.import_module(name)

    path = ROOT / "tinygrad_mlp" / f"{options.module}.py"
    source = path.read_text(encoding="utf-8")
    chosen = places(source)
    random.Random(0).shuffle(chosen)
    chosen = chosen[: options.sample]
    part, parts = map(int, options.part.split("/"))
    chosen = chosen[part - 1 :: parts]
    lines = options.log.read_text().splitlines() if options.log and options.log.exists() else []
    # How many groups of tests passed; none did where nothing that runs differs; -1 is killed.
    known: dict[str, int] = dict(map(json.loads, lines))
    killed = survived = equivalent = 0

    @cache
    def sound(*words: str) -> bool:
        return passes(options.module, path, source, [*words])

    for operator, place in chosen:
        name = f"{operator.removeprefix('core/')} {place}"
        passed = known.get(name, 0)
        changed = mutant(source, operator, place) if passed >= 0 else None
        if changed is not None:
            line, diff = changed_lines(source, changed)
            for words in stages(options.module, source, line)[passed : options.stages]:
                passed += 1
                if not passes(options.module, path, changed, words):
                    if not sound(*words):
                        sys.exit(f"{' '.join(words)}: these tests fail without any change")
                    passed = -1
                    break
        if options.log and passed != known.get(name):
            with options.log.open("a") as file:
                print(json.dumps([name, passed]), file=file)
        killed += passed < 0
        if passed > 0:
            why = [text for form, text in EQUIVALENT.items() if re.search(form, diff[-1][1:])]
            equivalent += bool(why)
            survived += not why
            print(f"{path.name}:{line}: {name}", *diff, *why, sep="\n    ", flush=True)
    print(
        f"{options.module}: {killed} of {killed + survived} mutants killed, without {equivalent} "
        "that are equivalent"
    )


if __name__ == "__main__":
    main()
