"""Each promise of README.md links to the test that holds it, and that test is there."""

import re
from pathlib import Path

from readme import README

ROOT = README.parent
LINK = re.compile(r"\[`(test_\w+)`\]\((tests/[\w/]+\.py)\)")


def promises() -> list[str]:
    text = README.read_text(encoding="utf-8")
    section = re.search(r"^## What we promise\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert section
    return re.findall(r"^- .*?(?=^- |\n\n|\Z)", section[1], re.MULTILINE | re.DOTALL)


def test_every_promise_has_its_test() -> None:
    assert len(promises()) >= 10
    for promise in promises():
        links = LINK.findall(promise)
        assert links, promise
        for name, file in links:
            source = (ROOT / file).read_text(encoding="utf-8")
            if name != Path(file).stem:
                assert re.search(rf"^def {name}\(", source, re.MULTILINE), (name, file)
