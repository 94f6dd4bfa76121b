"""What docs/CONTRIBUTING.md names is there."""

import re
from pathlib import Path

import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.core import ops

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "CONTRIBUTING.md").read_text(encoding="utf-8")
QUOTED = re.findall(r"`([\w./]+)`", TEXT)
FOLDERS = re.findall(r"`(\w+/)`", "".join(re.findall(r"^\| (`\w+/`.*?) \|", TEXT, re.M)))


def paths() -> list[str]:
    found = [word for word in QUOTED if "/" in word and word not in FOLDERS]
    readers = [
        f"tinygrad_mlp/readers/{word}" for word in ("derive/", "compile/", "explain/", "fuzz/")
    ]
    known = [word for word in found if f"tinygrad_mlp/readers/{word}" not in readers]
    return [*dict.fromkeys(known), *readers, *(f"tinygrad_mlp/{folder}" for folder in FOLDERS)]


@pytest.mark.parametrize("path", paths())
def test_a_path_is_there(path: str) -> None:
    there = ROOT / path
    assert there.is_dir() if path.endswith("/") else there.is_file()


def test_every_folder_of_the_package_is_in_the_map() -> None:
    package = ROOT / "tinygrad_mlp"
    rooms = {f"{p.name}/" for p in package.iterdir() if p.is_dir() and p.name[0] != "_"}
    assert set(FOLDERS) == rooms


def test_ten_changes_have_one_place_each() -> None:
    table = TEXT.partition("## Where a change goes")[2]
    rows = re.findall(r"^\| an? [\w ]+ \| .*`tinygrad_mlp/[\w./]+`", table, re.M)
    assert len(rows) == 10


def test_the_version_is_in_the_changelog() -> None:
    changelog = (ROOT / "docs" / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{tg.__version__}]" in changelog
    assert "## [Unreleased]" in changelog


def test_the_row_of_the_example_is_one() -> None:
    (source,) = re.findall(r"```python\n(.*?)```", TEXT, re.S)
    scope = dict(vars(ops))
    try:
        exec(source, scope)
        assert ops.TABLE["softplus"].formula == "log(1 + exp(x))"
    finally:
        ops.TABLE.pop("softplus", None)
