"""How many mutants of the core the tests kill: a small change of the code, does any test notice?

    python tests/mutation.py core/ops                   every mutant of tinygrad_mlp/core/ops.py
    python tests/mutation.py torch/views --sample 100   so many of them, at random
    python tests/mutation.py core/ops --log FILE        go on from where an earlier run was ended

The mutants are those of cosmic-ray (pip install -e '.[test,mutation]'), which also changes lambdas
at module level. Not counted are those that differ in annotations alone, which nothing evaluates.
Each mutant is tested in a fork of one process that has imported everything but the package, and its
source is put in place as it is imported, so that no file is touched; this needs a system that can
fork. A row of the table of ops meets the checks of that op first; what is left then meets those
tests of TESTS that run the changed statement, the quickest first. Which these are is found out at
the start, which takes some minutes, or read from FILE.tests if nothing has changed since. A mutant
that takes more than two minutes is killed too. Each survivor is printed with its line, and with the
reason where no test could notice it.
"""

import argparse
import ast
import gc
import hashlib
import importlib.util
import json
import os
import random
import re
import resource
import signal
import sys
import threading
import time
from difflib import unified_diff
from functools import cache, lru_cache
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from inspect import CO_OPTIMIZED
from pathlib import Path
from tempfile import TemporaryDirectory
from types import CodeType, FunctionType
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
TESTS = [
    "tests/core/test_tape.py", "tests/core/test_ops.py", "tests/torch", "tests/autograd",
    "tests/nn", "tests/optim", "tests/readers/derive", "tests/readers/compile",
    "tests/experiment", "tests/house/test_stateful.py",
]  # fmt: skip
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


@lru_cache(2)
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
    from tinygrad_mlp.testing.rows import ROW_CHECKS, of_one_op

    programs = of_one_op(op, 4, 0)
    return not any(test(tinygrad_mlp, p) for p in programs for test in ROW_CHECKS.values())


class Trace:
    """Which lines of a file each test runs, and how long the test takes, in seconds."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.lines: set[int] = set()
        self.found: dict[str, tuple[float, list[int]]] = {}

    def call(self, frame: Any, event: str, argument: Any) -> Any:
        return self.line if frame.f_code.co_filename == self.path else None

    def line(self, frame: Any, event: str, argument: Any) -> Any:
        self.lines.add(frame.f_lineno)
        return self.line

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: Any) -> Any:
        self.lines = set()
        start = time.perf_counter()
        threading.settrace(self.call)
        sys.settrace(self.call)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            threading.settrace(None)  # type: ignore[arg-type]
            self.found[item.nodeid] = time.perf_counter() - start, sorted(self.lines)


class Chosen:
    """Of the tests that are collected, only these, in this order."""

    def __init__(self, tests: list[str]) -> None:
        self.places = {test: place for place, test in enumerate(tests)}

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items[:] = [item for item in items if item.nodeid in self.places]
        items.sort(key=lambda item: self.places[item.nodeid])


FLAGS = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-W"]
FLAGS.append("ignore::pytest.PytestAssertRewriteWarning")  # of what is imported already


def who_runs(path: Path, kept: Path | None) -> dict[str, tuple[float, list[int]]]:
    """What ``Trace`` found of all tests; kept in a file if nothing has changed since."""
    files = [path, *(f for t in TESTS for f in sorted(Path(t).rglob("*.py")) or [Path(t)])]
    now = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    if kept and kept.exists():
        then, found = json.loads(kept.read_text(encoding="utf-8"))
        if then == now:
            return found  # type: ignore[no-any-return]
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reading)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        trace = Trace(path)
        code = pytest.main([*TESTS, *FLAGS], [trace])
        with os.fdopen(writing, "w") as file:
            json.dump([int(code), trace.found], file)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        code, found = json.load(file)
    os.waitpid(pid, 0)
    if code:
        sys.exit(f"{list(found)[-1]}: fails without any change")
    if kept:
        kept.write_text(json.dumps([now, found]), encoding="utf-8")
    return found  # type: ignore[no-any-return]


def statement(source: str, line: int) -> tuple[range, bool]:
    """The lines of the innermost statement around a line, and whether it is run by calls alone.

    Of a statement with a body these are the lines before it; but of a function, whose defaults are
    made when it is, all of them.
    """
    lines, by_calls = range(line, line + 1), False
    node: ast.AST | None = ast.parse(source)
    inside = False
    while node is not None:
        around, node = node, None
        for child in ast.iter_child_nodes(around):
            body = getattr(child, "body", None)
            if not isinstance(child, (ast.stmt, ast.ExceptHandler)):
                continue
            if not child.lineno <= line <= (child.end_lineno or 0):
                continue
            node, by_calls = child, inside
            lines = range(child.lineno, (child.end_lineno or 0) + 1)
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                inside = inside or line >= child.body[0].lineno
            elif isinstance(body, list) and line < body[0].lineno:
                lines = range(child.lineno, body[0].lineno)
    return lines, by_calls


def limit() -> None:
    signal.alarm(10 * SECONDS)  # for one that waits for ever
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def nested(code: CodeType) -> list[CodeType]:
    return [c for c in code.co_consts if isinstance(c, CodeType)]


def shell(code: CodeType) -> Any:
    """What a code object does, without what those nested in it do."""
    consts = [None if isinstance(c, CodeType) else repr(c) for c in code.co_consts]
    names = code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars
    return code.co_code, consts, names, code.co_exceptiontable, code.co_flags


def identity(code: CodeType) -> Any:
    return code.co_qualname, tuple(code.co_positions())


def replacements(old: CodeType, new: CodeType) -> list[tuple[CodeType, CodeType]] | None:
    """Code objects of functions with those that take their place; None if others differ too."""
    if shell(old) != shell(new) and not old.co_flags & CO_OPTIMIZED:
        return None  # of a module or a class, which has run
    inner = nested(old), nested(new)
    if len(inner[0]) != len(inner[1]) or old.co_freevars != new.co_freevars:
        return None
    found = [] if old == new or not old.co_flags & CO_OPTIMIZED else [(old, new)]
    for pair in zip(*inner, strict=True):
        more = replacements(*pair)
        if more is None:
            return None
        found += more
    return found


class Server:
    """A process that has collected the tests, and puts mutants of functions into forks of itself.

    This takes a tenth of the time of a fresh import of all.
    """

    def __init__(self, path: Path, source: str) -> None:
        self.path, self.code = path, compile(source, str(path), "exec")
        requests, self.ask = os.pipe()
        self.answers, answer = os.pipe()
        if not os.fork():
            try:
                os.close(self.ask)
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, 1)
                os.dup2(null, 2)
                self.requests, self.answer = os.fdopen(requests), answer
                self.imported: set[int] = set()
                trace = Trace(path)
                sys.settrace(trace.call)
                importlib.import_module("tinygrad_mlp")
                sys.settrace(None)
                self.imported = trace.lines
                pytest.main([*TESTS, *FLAGS, "-s"], [self])
            finally:
                os._exit(1)
        os.close(requests)
        os.close(answer)

    def passes(self, changed: str, lines: range, tests: list[str]) -> bool | None:
        """None if it has to be imported afresh."""
        os.write(self.ask, json.dumps([changed, [*lines], tests]).encode() + b"\n")
        return {b"p": True, b"k": False, b"?": None}[os.read(self.answers, 1)]

    def pytest_runtestloop(self, session: Any) -> bool:
        items = {item.nodeid: item for item in session.items}
        functions: dict[Any, list[FunctionType]] = {}
        for f in gc.get_objects():
            if isinstance(f, FunctionType) and f.__code__.co_filename == str(self.path):
                functions.setdefault(identity(f.__code__), []).append(f)
        gc.freeze()
        for request in self.requests:
            changed, lines, tests = json.loads(request)
            try:
                pairs = replacements(self.code, compile(changed, str(self.path), "exec"))
            except SyntaxError:  # such as that of a return in a wrong place, which ast lets pass
                os.write(self.answer, b"k")
                continue
            if pairs is None or not self.imported.isdisjoint(lines):
                os.write(self.answer, b"?")
                continue
            pid = os.fork()
            if pid:
                code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                os.write(self.answer, b"k" if code else b"p")
                continue
            try:
                limit()
                for old, new in pairs:
                    for f in functions.get(identity(old), ()):
                        f.__code__ = new
                chosen = [items[test] for test in tests]
                for item, following in zip(chosen, [*chosen[1:], None]):
                    item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
                    if session.testsfailed:
                        os._exit(1)
                os._exit(0)
            finally:
                os._exit(1)
        return True


def passes(module: str, path: Path, source: str, words: list[str]) -> bool:
    """Whether these tests pass with this source of the module; in a fork."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    try:
        limit()
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        sys.meta_path.insert(0, Put(f"tinygrad_mlp.{module}", path, source))
        if words[0] == "check_op":
            os._exit(not all(map(is_right, words[1:])))
        files = sorted({word.partition("::")[0] for word in words})
        os._exit(int(pytest.main([*files, *FLAGS], [Chosen(words)])))
    finally:
        os._exit(1)


# Survivors that no test can tell from the original, by what their line becomes, and why.
EQUIVALENT = {
    r"type\(\w+\) (==|!=) (ndarray|Tensor)\b": "a class is equal to itself alone",
    r"^DOT_MOST = ": "dot and @ give the same product of two matrices in another time",
    r"small = .* x.ndim == 2 == y.ndim and ": "as above",
    r"small = .* x.ndim (!=|<=|>=|<|>) 2 == y.ndim and ": "dot and @ agree where y is a matrix",
    r"small = .* x.ndim == (2 >=? |1 == )y.ndim and ": "only for a vector y, which is never so",
    r"^SIGMOID = ": "any limit between where 1 + eˣ rounds to eˣ and where eˣ overflows will do",
    r"x.item\(x.argmax\(\)\) (<|==|is) enough": "a limit is put on x more often",
    r"domain=.* (\(x != low\)|\(p % 1 == 0\)) \* |\(x >= low\) \* ": "of bools * is &",
    r"domain=.*\(p % 1 <= 0\)": "p % 1 is not negative",
    r"domain=.*\(x > 0\) \+ \(p % 1": "of bools + is |, and where x > 0 what comes after & holds",
    r"domain=.*\(x < 0\)": "where x > 0 the first condition holds",
    r"\((x|y) != 0\) \+ \(|p >= 0\) \+ \(|axes\)\) \+ \(x != x\)": "of bools + is |",
    r"where\(g \* 0.5, g, x <= y\)": "where x < y it is 0 in the end",
    r"if x.shape < \(\) and|x.shape == \(\) and type\(x\) (!=|is not) ": (
        "broadcast_to gives the same view"
    ),
    r"if x.shape <= \(\) and": "no shape is less than that of a number",
    r"slice\(places\[ ?-1\], |slice\(places\[0\], places\[ ?-1\]": "there is one place",
    r"if len\(vjps\) <= 1:": "without VJPs, nothing asks for these names",
    r"^ {16}if (lift is not None|not lift is None):": "in place or not, it is the same sum",
    r"\b[pq] != 1\b": "that of a number has been refused",
    r"if p <= q == 2:|if p == q <= 2:|if p <= 2 else": "they are at least 2 here",
    r"if op == ops\.\w+:": "an op is equal to itself alone",
    r"ndim <= 0\b": "there is no less than no axis",
    r"\*ones\), keepdims=False\)": "reshape gives the shape in any case",
    r"arguments, strict=False\)": "both are as long as what the VJP asks for",
    r"none= ?2\)": "what is divided is 0, or has no terms that it would go to",
    r"^if not TYPE_CHECKING:": "the import takes longer, as test_import.py finds by itself",
    r"kind <= \"b\"": "of the kinds b, f, i and u it is the first",
    r"if x.dtype != y.dtype:": "what agree makes of equal dtypes is what they are",
    r"\(\(node, -1, saved\),\)|which = -1 if op.variadic": "of one VJP, the last is the first",
    r"of\(other\), (0|2), None\)|of\(self\), (-1|1), None\)": "no gradient flows, so none asks",
    r"dtype <= np.float16": "of floats, it can be cast to itself alone",
    r"condition.dtype > np.bool": "a bool can be cast to any other dtype",
    r"len\(entries\) (> 1|>= 2|!= 2) and ": "of two entries none stands between others",
    r"or other._node is None:": "where neither is on the tape, choose gives the values of other",
    r"if start >= end:": "the case of a larger start has been refused",
    r"start is end:|if a is not b:|len\(order\) is not|if p is q": "one object for a small number",
    r"\(x.ndim == 0\) is \(": "of True and of False there is one object",
    r"len\(order\) < ": "no axis is named twice",
    r"dims\[ ?-1\] if len\(dims\) == 1": "there is one",
    r"if n <= -1 else": "a size below -1 has been refused",
    r"part._array.ndim >= 0 and": "where axes are left x[entries] is a view too",
    r"non_blocking: builtins.bool = True": "it changes nothing",
    r"len\(op.vjps\) <= 1 else|len\(op.vjps\) >> 1": "the ops of the table have one or two",
    r"_parameter = False": "whether it is there is what is asked",
    r"name <= \"max\"": "the other name is min",
    r"none.kind <= \"f\" != ": "axes of a higher kind are of the wider dtype",
    r"\"f\" < axes.kind or": "for bools, what follows holds",
}

# Rows that use the helpers of ops.py.
ROWS = [
    "add", "matmul", "pow", "pow_tensor", "sigmoid", "maximum", "sum", "mean", "amax", "expand",
    "getitem", "scatter", "cat",
]  # fmt: skip


def stages(
    module: str, source: str, line: int, tests: dict[str, tuple[float, list[int]]]
) -> list[list[str]]:
    """Tests to run one group after the other, the likeliest to notice first."""
    found = []
    if module == "core.ops":
        row = row_at(source, line)
        found = [["check_op", *([row] if row else ROWS)]]
    lines, by_calls = statement(source, line)
    quickest = sorted(tests, key=lambda test: tests[test][0])
    near = [test for test in quickest if not {*lines}.isdisjoint(tests[test][1])]
    own = [test for test in near if f"/test_{module.rpartition('.')[2]}" in test]
    rest = quickest if not by_calls else near
    groups = [own, [t for t in near if t not in own], [t for t in rest if t not in near]]
    return [*found, *filter(None, groups)]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("module", help="of tinygrad_mlp, such as core/ops or nn")
    parser.add_argument("--sample", type=int, help="only so many mutants, at random")
    parser.add_argument("--part", default="1/1", help="of several that run at once, such as 1/2")
    parser.add_argument("--log", type=Path, help="where results are kept as they come")
    options = parser.parse_args()
    os.chdir(ROOT)
    sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "shared")]
    # The same examples each time.
    os.environ.update(CI="true", HYPOTHESIS_PROFILE=os.environ.get("HYPOTHESIS_PROFILE", "few"))
    # Of others that run at the same time, none is to clean up here.
    temporary = TemporaryDirectory()
    os.environ["PYTEST_DEBUG_TEMPROOT"] = temporary.name
    for name in ("numpy", "hypothesis.extra.numpy", "_hypothesis_pytestplugin", "_pytest.main"):
        importlib.import_module(name)

    path = ROOT / "tinygrad_mlp" / f"{options.module}.py"
    if not path.exists():
        path = ROOT / "tinygrad_mlp" / options.module / "__init__.py"
    module = options.module.replace("/", ".")
    source = path.read_text(encoding="utf-8")
    chosen = places(source)
    random.Random(0).shuffle(chosen)
    chosen = chosen[: options.sample]
    part, parts = map(int, options.part.split("/"))
    chosen = chosen[part - 1 :: parts]
    lines = (
        options.log.read_text(encoding="utf-8").splitlines()
        if options.log and options.log.exists()
        else []
    )
    # How many groups of tests passed; none did where nothing that runs differs; -1 is killed.
    known: dict[str, int] = dict(map(json.loads, lines))
    killed = survived = equivalent = 0
    tests = who_runs(path, options.log and options.log.with_suffix(".tests"))

    server = Server(path, source)
    if not server.passes(source, range(0), list(tests)):
        sys.exit("the tests fail without any change")

    @cache
    def sound(*words: str) -> bool:
        return passes(module, path, source, [*words])

    for operator, place in chosen:
        name = f"{operator.removeprefix('core/')} {place}"
        passed = known.get(name, 0)
        changed = mutant(source, operator, place) if passed >= 0 else None
        if changed is not None:
            line, diff = changed_lines(source, changed)
            for words in stages(module, source, line, tests)[passed:]:
                passed += 1
                checks = words[0] == "check_op"
                found = (
                    None if checks else server.passes(changed, statement(source, line)[0], words)
                )
                if found is None:
                    found = passes(module, path, changed, words)
                    if not found and not sound(*(words if checks else tests)):
                        sys.exit("imported afresh, the tests fail without any change")
                if not found:
                    passed = -1
                    break
        if options.log and passed != known.get(name):
            with options.log.open("a", encoding="utf-8") as file:
                print(json.dumps([name, passed]), file=file)
        killed += passed < 0
        if changed is not None and passed >= 0:
            why = [text for form, text in EQUIVALENT.items() if re.search(form, diff[-1][1:])]
            equivalent += bool(why)
            survived += not why
            print(f"{path.name}:{line}: {name}", *diff, *why, sep="\n    ", flush=True)
    print(
        f"{module}: {killed} of {killed + survived} mutants killed, without {equivalent} "
        "that are equivalent"
    )


if __name__ == "__main__":
    main()
