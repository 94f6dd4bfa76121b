"""How long the page of a tape takes to write and to open, in Chromium.

    python benchmarks/explain_page.py [ENTRIES]     a tape of so many entries (2000)

The page is opened eleven times, each in a fresh context, and the median is given: from the request
to the end of the load event, when the first step is on display. Needs the extra 'browser', and
Debian's chromium.
"""

import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from playwright.sync_api import sync_playwright

import tinygrad_mlp as tg

entries = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
x = tg.randn(20, 20, requires_grad=True)
# A layer is three ops and a leaf.
weights = [tg.randn(20, 20, requires_grad=True) for _ in range((entries - 2) // 4)]
y = x
for w in weights:
    y = ((y @ w) * 0.2).sin()

start = perf_counter()
explanation = tg.explain(y.sum())
text = explanation.to_html()
took = perf_counter() - start
print(f"{len(explanation.entries)} entries, {len(text) / 1e6:.1f} MB, written in {took:.1f} s")

OPENED = "performance.getEntriesByType('navigation')[0].loadEventEnd"
with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
    path = Path(folder) / "tape.html"
    path.write_text(text, encoding="utf-8")
    browser = playwright.chromium.launch(
        executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
    )
    times = []
    for _ in range(11):
        page = browser.new_context(viewport={"width": 1400, "height": 950}).new_page()
        page.goto(path.as_uri())
        times.append(page.evaluate(OPENED) / 1000)
        page.context.close()
    browser.close()
print(f"opens in {statistics.median(times):.2f} s ({min(times):.2f} to {max(times):.2f})")
