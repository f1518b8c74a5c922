"""The page in a browser: nothing missing, nothing from elsewhere, and the numbers of its data."""

import csv
import io
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.report.contents import all_sections
from harness.report.page import write_page
from harness.studies import questions
from tests.conftest import LONGEST, once
from workloads.captured import captured_trace
from workloads.conditions import DEFAULT_CONDITIONS, find_condition
from workloads.guest import GuestMemory
from workloads.synthesis import make_recipe, synthesize

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
from axe_playwright_python.sync_playwright import Axe  # noqa: E402
from pypdf import PdfReader  # noqa: E402

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "results"
NO_TRACES = shutil.ignore_patterns("traces", "samples", "plots")
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
)  # fmt: skip
LONGEST_MS = LONGEST * 1000  # playwright's own 30 s are reached on a busy machine
SIZES = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
NOT_STORED = [
    name for name in questions() if not (RESULTS / f"amd-epyc-26-2-{name}/{name}.csv").exists()
]
SECTIONS = [section.key for section in all_sections() if section.key not in NOT_STORED]

NEXT_FRAME = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


@pytest.fixture(scope="module")
def page_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return once(tmp_path_factory, "page", make_page) / "report.html"


def make_page(folder: Path) -> None:
    """Write the page of a result with its traces, which are not committed, and its studies."""
    for stored in RESULTS.glob("amd-epyc-26-2*"):
        shutil.copytree(stored, folder / stored.name, ignore=NO_TRACES)
    traces = folder / "amd-epyc-26-2" / "traces"
    for name in DEFAULT_CONDITIONS:
        recipe = make_recipe(find_condition(name), GuestMemory())
        synthesize(recipe, traces / f"{name}-synthetic.trace", lambda *_: None)
        captured = captured_trace(name)
        assert captured
        shutil.copy(captured, traces / f"{name}-captured.trace")
    write_page([folder / "amd-epyc-26-2"], folder / "report.html")


@pytest.fixture(scope="module")
def both_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of results of two CPUs."""
    return once(tmp_path_factory, "both", make_both) / "both.html"


def make_both(folder: Path) -> None:
    names = ("amd-epyc-26-2", "intel-xeon-processor")
    write_page([alone(name, folder / name) for name in names], folder / "both.html")


def alone(name: str, folder: Path) -> Path:
    """Copy a result into ``folder``, without the studies beside it, each of which has a picture."""
    return Path(shutil.copytree(RESULTS / name, folder, ignore=NO_TRACES))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=CHROMIUM, args=list(QUIET), timeout=LONGEST_MS
        )
        yield started
        started.close()


def opened(browser: Any, path: Path, size: str = "desktop", scheme: str = "light") -> Any:
    """Open the page; whatever it says to the console or asks of the network is kept."""
    page = browser.new_context(viewport=SIZES[size], color_scheme=scheme).new_page()
    page.set_default_timeout(LONGEST_MS)
    page.said, page.asked = [], []
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto(path.as_uri())
    return page


@pytest.fixture(scope="module")
def shown(browser: Any, page_path: Path) -> Any:
    """The page as it opens, for tests that look at it: opening one takes seconds."""
    return opened(browser, page_path)


@pytest.mark.parametrize("size", SIZES)
def test_every_section_shows_its_picture(browser: Any, page_path: Path, size: str) -> None:
    page = opened(browser, page_path, size)
    keys = [section.get_attribute("id") for section in page.query_selector_all("section")]
    assert [key for key in keys if key in SECTIONS] == SECTIONS
    for figure in page.query_selector_all("figure"):
        figure.scroll_into_view_if_needed()
        svg = figure.query_selector("svg")
        box = svg.bounding_box()
        assert svg.is_visible()
        assert box["width"] > 300
        assert box["height"] > 100
    # A picture may scroll in its frame; the page does not.
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"]
    assert page.said == []
    assert page.asked == [page_path.as_uri()]


def test_the_first_screen_has_the_answer_and_the_picture(shown: Any) -> None:
    shown.evaluate("scrollTo(0, 0)")
    assert "pay" in shown.text_content("h1")
    assert re.match(
        r"(Yes|In part|No|Undecided): of the letter's four figures", shown.text_content(".answer")
    )
    box = shown.query_selector("#speedups svg").bounding_box()
    assert box["y"] + box["height"] < SIZES["desktop"]["height"]


@pytest.mark.parametrize("key", [key for key in SECTIONS if key not in ("traces", "origins")])
def test_hovering_shows_the_numbers_of_the_data(shown: Any, key: str) -> None:
    with shown.expect_download() as download:
        shown.click(f"#{key} button[data-save=csv]")
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text())))
    marks = shown.query_selector_all(f"#{key} [data-row]")
    assert marks
    for mark in (marks[0], marks[len(marks) // 2], marks[-1]):
        row = rows[int(mark.get_attribute("data-row"))]
        mark.scroll_into_view_if_needed()
        shown.evaluate(NEXT_FRAME)  # scrolling takes the numbers away
        mark.dispatch_event("pointerenter", {"clientX": 40, "clientY": 40})
        told = dict(line.split(": ", 1) for line in shown.text_content("#tip").split("\n"))
        assert shown.is_visible("#tip")
        assert told == {name: row[name] for name in told}
        assert any(re.fullmatch(r"-?[\d.]+(e-?\d+)?", value) for value in told.values())
        mark.dispatch_event("pointerleave")
        assert shown.is_hidden("#tip")
    with shown.expect_download() as download:
        shown.click(f"#{key} button[data-save=svg]")
    assert Path(download.value.path()).read_text().startswith("<svg")


def test_a_real_pointer_finds_a_mark(shown: Any) -> None:
    shown.hover("#speedups [data-row]")
    assert "speedup: " in shown.text_content("#tip")


CONTRAST = """
() => {
  const channel = (v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  // What the filter of pictures in the dark makes of a colour: invert, then turn the hue by 180.
  const turned = ([r, g, b]) => [
    -0.574 * r + 1.43 * g + 0.144 * b, 0.426 * r + 0.43 * g + 0.144 * b,
    0.426 * r + 1.43 * g - 0.856 * b].map((v) => Math.min(1, Math.max(0, v)));
  const seen = (e, c) => {
    const rgb = c.match(/[\\d.]+/g).slice(0, 3).map((v) => v / 255);
    const paper = e.closest(".paper"), filter = paper ? getComputedStyle(paper).filter : "none";
    if (filter === "none") return rgb;
    const share = Number(filter.match(/^invert\\(([\\d.]+)\\) hue-rotate\\(180deg\\)$/)[1]);
    return turned(rgb.map((v) => v * (1 - share) + (1 - v) * share)); };
  const light = (e, c) => { const [r, g, b] = seen(e, c).map(channel);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ground = (e) => { for (; e; e = e.parentElement) {
    const c = getComputedStyle(e).backgroundColor;
    if (c !== "rgba(0, 0, 0, 0)" && c !== "transparent") return c; } return "rgb(255, 255, 255)"; };
  const found = [];
  const kinds = "h1, h2, p, td, th, dt, dd, summary, button, code, svg text";
  for (const e of document.querySelectorAll(kinds)) {
    const text = e.textContent.trim();
    if (!text || !e.getClientRects().length) continue;
    const style = getComputedStyle(e), inside = e.closest("svg");
    if (inside && inside.closest("#density") && !e.closest("[id*=xtick], [id*=ytick]")) continue;
    const a = light(e, inside ? style.fill : style.color), b = light(e, ground(e));
    found.push([text.slice(0, 40), (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)]);
  }
  return found;
}
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_stands_out_from_its_ground(browser: Any, page_path: Path, scheme: str) -> None:
    page = opened(browser, page_path, scheme=scheme)
    page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
    found = page.evaluate(CONTRAST)
    assert len(found) > 300
    # WCAG 2.1, 1.4.3: 4.5 to 1.
    assert [(text, round(ratio, 2)) for text, ratio in found if ratio < 4.5] == []


@pytest.mark.parametrize(
    ("several", "size"),
    [
        (False, "desktop"),
        (True, "phone"),
        pytest.param(False, "phone", marks=pytest.mark.night),
        pytest.param(True, "desktop", marks=pytest.mark.night),
    ],
)
def test_everybody_can_use_it(
    browser: Any, page_path: Path, both_path: Path, several: bool, size: str
) -> None:
    """By the rules of axe-core, which know WCAG: what scrolls could not be reached by keyboard."""
    page = opened(browser, both_path if several else page_path, size)
    found = Axe().run(page)
    broken = [(rule["id"], len(rule["nodes"])) for rule in found.response["violations"]]
    assert broken == []
    assert len(found.response["passes"]) > 15


def test_what_can_be_pressed_says_what_it_is_of(shown: Any) -> None:
    """Every button was called "Data (CSV)", and every fold "the figures"."""
    for kind in ("button", "summary", ".paper", ".scroll"):
        names = [
            element.get_attribute("aria-label") or element.text_content()
            for element in shown.query_selector_all(kind)
        ]
        assert len(names) > 5
        assert len(set(names)) == len(names)


def test_a_phone_shows_the_first_picture_whole(browser: Any, page_path: Path) -> None:
    page = opened(browser, page_path, "phone")
    wide = "document.querySelector('#speedups .paper')"
    assert page.evaluate(f"{wide}.scrollWidth <= {wide}.clientWidth")
    shown = page.text_content("#speedups svg")
    assert all(name in shown for name in ("Cond1", "Cond2", "Cond3", "Cond4"))


BANDS = """
() => [...document.querySelectorAll(".paper svg path, .paper svg rect")].map((e) => {
  const style = getComputedStyle(e);
  return style.fill === "rgb(230, 159, 0)" && Number(style.opacity) < 1 ? Number(style.opacity) : 0;
}).filter(Boolean)
"""


def test_claimed_ranges_stand_out_in_the_dark(browser: Any, page_path: Path) -> None:
    """A tint of white is next to black when light and dark change places."""
    for scheme, least in (("light", 1.2), ("dark", 1.8)):
        page = opened(browser, page_path, scheme=scheme)
        bands = page.evaluate(BANDS)
        assert bands
        ratios = [contrast_of_band(opacity, dark=scheme == "dark") for opacity in bands]
        assert min(ratios) > least


def contrast_of_band(opacity: float, dark: bool) -> float:
    """Return the contrast (WCAG) of an orange band with the white paper, as it is seen."""
    paper = np.ones(3)
    band = opacity * np.array([230, 159, 0]) / 255 + (1 - opacity) * paper
    lights = []
    for colour in (band, paper):
        if dark:  # the filter of the page: invert by 0.91, and turn the hue by 180 degrees
            colour = 0.91 - 0.82 * colour
            turn = [[-0.574, 1.43, 0.144], [0.426, 0.43, 0.144], [0.426, 1.43, -0.856]]
            colour = np.clip(np.array(turn) @ colour, 0, 1)
        linear = np.where(colour <= 0.03928, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
        lights.append(linear @ [0.2126, 0.7152, 0.0722])
    return float((max(lights) + 0.05) / (min(lights) + 0.05))


def test_no_heading_is_printed_without_what_it_is_of(browser: Any, page_path: Path) -> None:
    """Of 18 pages four had a heading, two lines and else nothing, or "Made by" alone."""
    page = opened(browser, page_path)
    titles = [head.text_content() for head in page.query_selector_all("h2")]
    printed = [
        [line.strip() for line in sheet.extract_text().replace("ﬁ", "fi").replace("ﬀ", "ff")
         .replace("ﬂ", "fl").splitlines() if line.strip()]
        for sheet in PdfReader(io.BytesIO(page.pdf(format="A4"))).pages
    ]  # fmt: skip
    assert len(printed) > 5
    assert [len(lines) for lines in printed[:-1] if len(lines) < 15] == []
    seen = [(line, len(lines) - place) for lines in printed for place, line in enumerate(lines)
            if line in titles]  # fmt: skip
    assert {line for line, _ in seen} == set(titles)
    assert [line for line, behind in seen if behind < 12] == []


def test_it_prints_without_cutting_pictures(browser: Any, page_path: Path) -> None:
    page = opened(browser, page_path)
    page.emulate_media(media="print")
    # A4 less margins of 1 cm, at 96 dots an inch.
    page.set_viewport_size({"width": 718, "height": 1047})
    for svg in page.query_selector_all("figure svg"):
        box = svg.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 719
        assert box["height"] <= 1047
    assert not page.is_visible("button")
    assert len(page.pdf(format="A4")) > 50_000


def test_several_results_are_aligned(browser: Any, both_path: Path) -> None:
    assert both_path.stat().st_size < 3_000_000
    page = opened(browser, both_path)
    heads = [cell.text_content() for cell in page.query_selector_all("#aligned th")]
    assert "family 26, model 2" in heads[2]
    assert "Intel" in heads[3]
    # What both have: two traces of each condition, of which one has not the recorded ones.
    lines = page.query_selector_all("#aligned tbody tr")
    assert len(lines) == 8
    assert len(page.query_selector_all("#aligned td.reproduced")) > 0
    assert len(page.query_selector_all("#speedups figure")) == 2
    assert page.said == []


def test_columns_of_cpus_make_room_for_each_other(browser: Any, both_path: Path) -> None:
    page = opened(browser, both_path, "phone")
    frame = page.locator("#aligned .scroll").first
    aside = frame.evaluate("frame => { frame.scrollLeft = 60; return frame.scrollLeft }")
    assert aside == 60  # else all of it is seen
    left = frame.bounding_box()["x"]
    for cell in (frame.locator("th").first, frame.locator("td").first):
        assert cell.bounding_box()["x"] == pytest.approx(left, abs=1)
        ground = cell.evaluate("cell => getComputedStyle(cell).backgroundColor")
        assert not re.search(r"rgba\(.*, 0\)", ground)  # what moves below it is not seen through it
    page.set_viewport_size({"width": 800, "height": 900})
    assert frame.evaluate("frame => frame.scrollWidth <= frame.clientWidth")
    page.close()


def test_names_stay_text(browser: Any, tmp_path: Path) -> None:
    folder = alone("amd-epyc-26-2", tmp_path / "<b>results</b>")
    evil = "<img src=x onerror=alert(1)></script><b>&amp;"
    for name in ("speedups.csv", "snapshots.csv"):
        text = (folder / name).read_text()
        (folder / name).write_text(text.replace("multi_page", evil))
    page = opened(browser, write_page([folder], tmp_path / "evil.html"))
    assert page.said == []
    assert page.query_selector("b") is None
    assert page.query_selector("img") is None
    cells = [cell.text_content() for cell in page.query_selector_all("#speedups td")]
    assert f"{evil} (cc-era)" in cells
