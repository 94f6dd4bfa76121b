"""The command compare with words that nobody should give, where PyTorch is there."""

import sys
from pathlib import Path

import pytest
from test_hostile_commands import found_wrong


@pytest.mark.torch
@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory, pipes and /proc are Linux's")
def test_compare_under_every_word(tmp_path: Path) -> None:
    assert found_wrong(tmp_path, 0, 100, "compare") == []
