"""Imports point one way: the contracts of pyproject.toml, which the extra ``dev`` can check."""

import pytest
from importlinter.cli import lint_imports
from support import ROOT


def test_imports_point_one_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert lint_imports(no_cache=True, no_logo=True) == 0
