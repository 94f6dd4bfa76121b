"""The page that walks a tape, in a real browser."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright
from reference import CANCELS, PRINTED, REFERENCE, as_printed, matches

import tinygrad_mlp as tg
from tinygrad_mlp.experiment import two_layer
from tinygrad_mlp.readers.explain.explaining import Explanation
from tinygrad_mlp.readers.explain.naming import called, names_of
from tinygrad_mlp.readers.explain.views.summary import summary

pytestmark = pytest.mark.browser

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip
DESKTOP, PHONE = {"width": 1400, "height": 950}, {"width": 390, "height": 844}
HOSTILE = "</script><img src=x onerror=\"document.title='owned'\">'`${1}&amp;<!--"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    assert path, "these tests need Chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield found
        found.close()


class Opened:
    """A page of its own for each test, which fails the test if its script fails."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        self.browser = browser
        self.folder = folder
        self.errors: list[str] = []
        self.requests: list[str] = []

    def said(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def __call__(self, explanation: Explanation, size: Any = None, **options: Any) -> Page:
        path = self.folder / "tape.html"
        explanation.save_html(path)
        page = self.browser.new_page(viewport=size or DESKTOP, **options)
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self.said)
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(path.as_uri())
        return page


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Opened]:
    found = Opened(browser, tmp_path)
    yield found
    for context in browser.contexts:
        context.close()
    assert found.errors == []
    # Nothing but the page itself was ever asked for.
    assert [url for url in found.requests if not url.endswith("tape.html")] == []


def experiment() -> Explanation:
    inputs = [t.detach().double().requires_grad_() for t in two_layer.problem()]
    loss, variables = called(two_layer.loss, *inputs)
    return Explanation(loss, names=names_of(variables), title="f = ‖Y − σ(X W1 + b1) W2 − b2‖²")


@pytest.fixture(scope="module")
def reference() -> Explanation:
    return experiment()


def small() -> Explanation:
    x = tg.tensor([[-1.0, 0.0], [0.5, 1.0]], requires_grad=True)
    return tg.explain((x * x.exp()).sum())


def figures(page: Page, name: str) -> list[float]:
    """The figures of a heatmap as its table shows them."""
    figure = page.locator(f'#card figure[data-name="{name}"]')
    figure.locator("summary").click()
    figure.locator("td").nth(1).wait_for()  # the table is made on an event that comes later
    cells = figure.locator("td").all_inner_texts()
    return [float(cell) for cell in cells if cell]


def test_every_step_of_the_reference_run(opened: Opened, reference: Explanation) -> None:
    page = opened(reference)
    total = len(reference.entries) + len(reference.backward) + 1
    assert total == 23
    for place, entry in enumerate(reference.entries):
        assert page.locator("#count").inner_text() == f"{place + 1} / {total}"
        lit = page.locator(".frame.lit")
        assert lit.locator(".name").inner_text() == entry.name.text
        assert page.locator("#rows tr.lit").count() == 1
        assert page.locator("#rows tr.lit th").inner_text() == entry.name.text
        assert page.locator("#rows tr.lit td").nth(1).inner_text() == (entry.op or "leaf")
        facts = page.locator("#card figure").last.locator(".facts").inner_text()
        if entry.shape:
            assert summary(entry.value).range in facts
        if entry.computes is not None:
            math = page.locator("#card .formula math")
            assert math.get_attribute("alttext") == f"{entry.name.text} = {entry.computes.text}"
            assert math.bounding_box()["width"] > 20
            assert page.locator("#card figure").count() == len(entry.inputs) + 1
        page.get_by_label("One step on").click()
    arrived = set()
    for turn, step in enumerate(reference.backward):
        place = len(reference.entries) + turn
        assert page.locator("#count").inner_text() == f"{place + 1} / {total}"
        entry = reference.entries[step.entry]
        assert page.locator("#step-title").inner_text() == f"Back through {entry.op}"
        assert page.locator(".frame.lit .name").inner_text() == entry.name.text
        arriving = page.locator("#card .back").first.locator(".facts").inner_text()
        if entry.shape:
            assert summary(step.arrives).range in arriving
        shown = page.locator("#card .vjp")
        assert shown.count() == len(step.leaves)
        for i, leaving in enumerate(step.leaves):
            rule = f"{leaving.derivative.text} = {leaving.rule.text}"
            math = shown.nth(i).locator(".formula math")
            assert math.get_attribute("alttext") == rule
            assert summary(leaving.cotangent).range in shown.nth(i).locator(".facts").inner_text()
            arrived.add(reference.entries[leaving.entry].name.text)
        # The .grad of each leaf is in view as it accumulates.
        for item in page.locator("#grads li").all():
            name = item.locator("strong").inner_text().removesuffix(".grad")
            text = item.locator("p").inner_text()
            assert ("1 of 1 arrived" if name in arrived else "nothing yet") in text
        page.get_by_label("One step on").click()

    assert page.locator("#count").inner_text() == f"{total} / {total}"
    assert page.get_by_label("One step on").is_disabled()
    loss = page.locator('#card figure[data-name="f"] .facts').inner_text()
    assert matches(float(loss), REFERENCE["loss"], cancels=False)
    for name in two_layer.NAMES:
        gradient = np.array(figures(page, f"∂f/∂{name}")).reshape(REFERENCE["shapes"][name])
        shown = as_printed(name, gradient)
        for i, (figure, printed) in enumerate(zip(shown, PRINTED[name], strict=True)):
            assert matches(figure, printed, (name, i) in CANCELS), (name, i)


def test_pointing_and_keys_read_cells(opened: Opened) -> None:
    page = opened(small())
    box = page.locator("#card .heat")
    edge = box.bounding_box()
    read = page.locator("#card .read")
    for row, column, expected in ((0, 0, "-1"), (1, 0, "0.5"), (1, 1, "1")):
        x = edge["x"] + edge["width"] * (0.25 + 0.5 * column)
        page.mouse.move(x, edge["y"] + edge["height"] * (0.25 + 0.5 * row))
        assert read.inner_text() == f"[{row}, {column}] = {expected}"
    box.focus()
    page.keyboard.press("ArrowLeft")
    assert read.inner_text() == "[1, 0] = 0.5"
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert read.inner_text() == "[0, 0] = -1"
    assert page.locator("#count").inner_text() == "1 / 8"  # the arrows moved the cell, not the step
    blue, white, _, orange = page.evaluate(
        """() => {
          const canvas = document.querySelector("#card canvas");
          const [w, h] = [canvas.width, canvas.height];
          const at = (x, y) => [...canvas.getContext("2d").getImageData(x, y, 1, 1).data];
          return [at(2, 2), at(w - 3, 2), at(2, h - 3), at(w - 3, h - 3)];
        }"""
    )
    assert blue[2] > blue[0] + 100
    assert white[:3] == [255, 255, 255]
    assert orange[0] > orange[2] + 100


def test_keys_slider_and_buttons_step(opened: Opened) -> None:
    page = opened(small())
    count = page.locator("#count")

    def at() -> int:
        return int(count.inner_text().split(" /")[0])

    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert at() == 3
    page.keyboard.press("ArrowLeft")
    assert at() == 2
    page.keyboard.press("End")
    assert at() == 8
    page.keyboard.press("ArrowRight")
    assert at() == 8
    page.keyboard.press("Home")
    assert at() == 1
    slider = page.locator("#slider")
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert at() == 2  # once, not twice
    assert "2 of 8" in slider.get_attribute("aria-valuetext")
    slider.evaluate("element => { element.value = 6; element.dispatchEvent(new Event('input')) }")
    assert at() == 6
    page.get_by_label("Last step").click()
    assert at() == 8
    page.get_by_label("First step").click()
    assert at() == 1
    page.locator(".frame").nth(2).click()
    assert at() == 3
    page.keyboard.press("End")
    page.locator(".frame").nth(2).click()
    assert page.locator("#step-title").inner_text() == "Back through mul"


def test_play_goes_to_the_end_and_pause_stops(opened: Opened) -> None:
    page = opened(small())
    page.locator("#speed").select_option("16")
    page.locator("#step").focus()
    page.keyboard.press(" ")
    assert page.locator("#play").inner_text() == "Pause"
    expect(page.locator("#count")).to_have_text("8 / 8")
    expect(page.locator("#play")).to_have_text("Play")
    page.locator("#speed").select_option("0.5")
    page.get_by_label("Play", exact=True).click()
    page.get_by_label("Pause").click()
    assert page.locator("#count").inner_text() == "1 / 8"


def test_everything_can_be_reached_by_the_tab_key(opened: Opened) -> None:
    page = opened(small())
    page.keyboard.press("End")
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "document.activeElement.id || document.activeElement.className.split(' ')[0]"
                " || document.activeElement.tagName"
            )
        )
    assert {"skip", "frame", "heat", "SUMMARY", "box", "drawing", "rows"} <= reached
    assert {"first", "back", "play", "slider", "speed"} <= reached


def test_hostile_names_are_text(opened: Opened) -> None:
    x = tg.tensor([1.0, 2.0], requires_grad=True, name=HOSTILE)
    y = tg.tensor([1.0, 2.0], name="<b>bold</b>")
    explanation = Explanation((x * y).sum(), title=f"{HOSTILE}\n{HOSTILE}")
    page = opened(explanation)
    for _ in range(6):
        assert page.locator("img, b").count() == 0
        assert "owned" not in page.title() or "onerror" in page.title()
        page.keyboard.press("ArrowRight")
    assert page.locator("h1").inner_text() == HOSTILE
    shown = '"' + HOSTILE.replace('"', '\\"') + '"'
    assert page.locator(".frame .name").first.inner_text() == shown
    assert HOSTILE in page.locator("figcaption mtext").first.text_content()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_accessibility(opened: Opened, scheme: str, size: dict[str, int]) -> None:
    loss, variables = called(two_layer.loss, *two_layer.problem(shape=(9, 2, 3, 1)))
    explanation = Explanation(loss, names=names_of(variables), title="A loss\nof nine rows")
    page = opened(explanation, size, color_scheme=scheme)
    for step in (7, 18, 22):
        page.evaluate(f"go({step})")
        page.locator("#card summary").first.click()
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()


def test_a_phone_shows_it_without_scrolling_sideways(
    opened: Opened, reference: Explanation
) -> None:
    page = opened(reference, PHONE)
    for step in range(23):
        page.evaluate(f"go({step})")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        # The lit frame is in view, and the controls are.
        if step < 22:
            box = page.locator(".frame.lit").bounding_box()
            assert 0 <= box["x"] <= PHONE["width"] - box["width"]
        controls = page.locator("#controls").bounding_box()
        assert controls["y"] + controls["height"] <= PHONE["height"]


def test_a_phone_shows_the_name_of_a_leaf_without_a_picture_at_the_edge(opened: Opened) -> None:
    page = opened(small(), PHONE)
    leaf, name = page.locator("#grads li"), page.locator("#grads strong")
    assert name.bounding_box()["x"] - leaf.bounding_box()["x"] < 20
    page.keyboard.press("End")
    picture = page.locator("#grads canvas").bounding_box()
    assert picture["width"] > 10
    assert name.bounding_box()["x"] >= picture["x"] + picture["width"]


def test_dark_and_light_differ_and_change_on_the_spot(opened: Opened) -> None:
    page = opened(small(), color_scheme="light")
    shade = """() => [...document.querySelector("#card canvas").getContext("2d")
        .getImageData(document.querySelector("#card canvas").width - 3, 2, 1, 1).data]"""
    light = page.evaluate(shade)
    page.emulate_media(color_scheme="dark")
    deadline = monotonic() + 10
    while (dark := page.evaluate(shade)) == light and monotonic() < deadline:
        page.wait_for_timeout(20)
    assert sum(dark[:3]) < 150 < sum(light[:3])


def test_a_long_tape(opened: Opened) -> None:
    x = y = tg.tensor(np.linspace(-1, 1, 6).reshape(2, 3), requires_grad=True)
    for _ in range(1000):
        y = (y * 1.0001).sin()
    page = opened(tg.explain(y.sum()))
    assert page.locator("#count").inner_text() == "1 / 4004"
    assert page.locator(".frame").count() == 2002
    page.keyboard.press("End")
    assert page.locator("#count").inner_text() == "4004 / 4004"
    y.sum().backward()
    np.testing.assert_array_equal(figures(page, "∂f/∂x"), np.asarray(x.grad).ravel())
    page.evaluate("go(3000)")
    assert (
        page.locator("#rows tr.lit th").inner_text()
        == page.locator(".frame.lit .name").inner_text()
    )


def test_large_arrays_are_summarised(opened: Opened) -> None:
    x = tg.randn(500, 400, requires_grad=True)
    page = opened(tg.explain((x * x).sum()))
    facts = page.locator("#card .facts").inner_text()
    assert "500×400" in facts
    assert "each cell the mean of up to" in facts
    page.locator("#card .heat").focus()
    assert page.locator("#card .read").inner_text().startswith("rows 0–")
    assert page.locator("#card .read").inner_text().count("mean") == 1


def test_what_nobody_holds_and_empty_arrays(opened: Opened) -> None:
    def loss() -> tg.Tensor:
        gone = tg.tensor([1.0, 2.0], requires_grad=True)
        none = tg.zeros(0, 3, requires_grad=True)
        return (gone + none.sum()).sum()

    page = opened(tg.explain(loss()))
    for _ in range(9):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Home")
    assert "no longer held" in page.locator("#card").inner_text()
