"""Importing the package: what waits until it is used, and that nobody can tell.

What was imported cannot be undone, so each test looks at a new interpreter.
"""

import ast
import json
import pickle
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import tinygrad_mlp as tg

PACKAGES = ("tinygrad_mlp", "tinygrad_mlp.autograd", "tinygrad_mlp.optim")
# What most programs never use, or that takes long to import.
STANDARD = {
    "argparse", "ast", "asyncio", "copy", "dataclasses", "decimal", "difflib", "hashlib", "html",
    "json", "logging", "multiprocessing", "numpy.random", "numpy.testing", "numpy.typing",
    "pickle", "secrets", "statistics", "tempfile", "threading", "tracemalloc", "unittest",
}  # fmt: skip
OWN = {
    "autograd.anomaly", "autograd.function", "autograd.own_op", "commands", "compare", "experiment",
    "optim", "readers", "testing", "torch.saving", "training", "tutorial",
}  # fmt: skip


def told(code: str, *args: str) -> Any:
    """What some code prints, as JSON, in a new interpreter."""
    run = [sys.executable, "-W", "error", "-c", code, *args]
    done = subprocess.run(run, capture_output=True, encoding="utf-8", timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def loaded_by(module: str) -> set[str]:
    """The modules that importing one loads which NumPy has not loaded already."""
    code = (
        "import sys, numpy, importlib; before = set(sys.modules)\n"
        "importlib.import_module(sys.argv[1]); new = sorted(set(sys.modules) - before)\n"
        "import json; print(json.dumps(new))"
    )
    return set(told(code, module))


def test_importing_the_package_loads_nothing_that_most_programs_never_use() -> None:
    loaded = loaded_by("tinygrad_mlp")
    assert loaded & STANDARD == set()
    assert loaded & {f"tinygrad_mlp.{name}" for name in OWN} == set()


@pytest.mark.parametrize(
    "package", ["tinygrad_mlp.optim", "tinygrad_mlp.readers.explain", "tinygrad_mlp.readers.derive"]
)
def test_a_package_that_waits_imports_none_of_its_submodules(package: str) -> None:
    # Else a thread that imports it and one that imports a submodule can wait for each other.
    assert not [name for name in loaded_by(package) if name.startswith(f"{package}.")]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_listed_before_it_is_used(package: str) -> None:
    code = (
        "import importlib, json, sys; module = importlib.import_module(sys.argv[1])\n"
        "print(json.dumps(sorted(set(module.__all__) - set(dir(module)))))"
    )
    assert told(code, package) == []


def test_compare_stays_a_function_when_the_package_so_called_is_imported() -> None:
    code = (
        "import json, sys\n"
        "import tinygrad_mlp.compare, tinygrad_mlp as tg\n"
        "from tinygrad_mlp import compare\n"
        "home = sys.modules['tinygrad_mlp.compare']\n"
        "print(json.dumps([type(compare).__name__, compare is tg.compare is home.compare]))"
    )
    assert told(code) == ["function", True]


@pytest.mark.parametrize("first", ["names", "submodules"])
def test_threads_that_use_a_name_first_at_the_same_time_get_the_same_object(first: str) -> None:
    code = """
import json, sys, threading, tinygrad_mlp as tg
sys.setswitchinterval(1e-6)
threads = 8
barrier = threading.Barrier(threads)
found, errors = [], []

def use(turn):
    barrier.wait()
    try:
        if sys.argv[1] == "submodules" and turn % 2:
            import tinygrad_mlp.autograd.functional, tinygrad_mlp.optim.lr_scheduler
            import tinygrad_mlp.readers.explain.views.page
            import tinygrad_mlp.readers.compile, tinygrad_mlp.compare
        places = [(tg, name) for name in tg.__all__]
        for place, name in places[turn * 16:] + places[:turn * 16]:
            getattr(place, name)
        places += [(tg.autograd, name) for name in tg.autograd.__all__]
        places += [(tg.optim, name) for name in tg.optim.__all__]
        found.append([getattr(place, name) for place, name in places])
    except BaseException as error:
        errors.append(repr(error))

running = [threading.Thread(target=use, args=(i,)) for i in range(threads)]
for thread in running: thread.start()
for thread in running: thread.join()
same = all(a is b for one in found for a, b in zip(found[0], one, strict=True))
modules = sorted(m.__name__ for m in found[0] if isinstance(m, type(sys))) if found else []
print(json.dumps([errors, len(found), same, modules]))
"""
    modules = ("autograd", "autograd.functional", "nn", "optim", "optim.lr_scheduler")
    assert told(code, first) == [[], 8, True, [f"tinygrad_mlp.{name}" for name in modules]]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_public_name_is_the_same_however_it_is_reached(package: str) -> None:
    module = import_module(package)
    scope: dict[str, Any] = {}
    exec(f"from {package} import *", scope)
    for name in module.__all__:
        one: dict[str, Any] = {}
        exec(f"from {package} import {name}", one)
        assert getattr(module, name) is one[name] is scope[name]


@pytest.mark.parametrize(
    ("package", "table"), [("tinygrad_mlp", "_LATER"), ("tinygrad_mlp.autograd", "LATER")]
)
def test_who_checks_types_sees_each_name_that_waits_where_it_is(package: str, table: str) -> None:
    module = import_module(package)
    assert module.__file__
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    (checked,) = (
        node.body
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    seen = {
        alias.name: node.module or alias.name
        for node in checked
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert vars(module)[table] == seen


@pytest.mark.parametrize("name", ["Comparison", "compile", "load"])
def test_what_waits_can_be_pickled_and_is_found_where_nothing_was_imported(name: str) -> None:
    code = (
        "import json, pickle, sys; found = pickle.loads(bytes.fromhex(sys.argv[1]))\n"
        "import tinygrad_mlp as tg; print(json.dumps(getattr(tg, sys.argv[2]) is found))"
    )
    assert told(code, pickle.dumps(getattr(tg, name)).hex(), name)


def test_a_name_that_is_not_there_is_said_to_be_missing_before_others_are_used() -> None:
    code = (
        "import json, tinygrad_mlp as tg\n"
        "said = []\n"
        "for place, name in ((tg, 'Compare'), (tg.autograd, 'Functions'), (tg.optim, 'SDG')):\n"
        "    try: getattr(place, name)\n"
        "    except AttributeError as error: said.append(str(error))\n"
        "print(json.dumps(said))"
    )
    assert told(code) == [
        "tinygrad_mlp has no 'Compare'; the nearest there is: compare",
        "tinygrad_mlp.autograd has no 'Functions'; the nearest there is: Function",
        "optim has no 'SDG'; the nearest there is: SGD, or Adam, AdamW",
    ]
