"""The page in a real headless Chromium, at the widths of a phone and of a desk, light and dark.

Needs Debian's chromium and `pip install playwright axe-playwright-python`; `make test-browser` brings both. Where
Chromium is missing the suite says so and does not collect these tests.
"""

import json
import shutil
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

import maml_bench
from maml_bench.cli.studies import STUDIES
from maml_bench.study.site import write_index

REPORTS = Path(maml_bench.__file__).parents[1] / "reports"
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")


@pytest.fixture(scope="module")
def browser(chromium):
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield found
        found.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The committed findings, on a page made by the code as it is."""
    copy = shutil.copytree(REPORTS, tmp_path_factory.mktemp("page") / "reports")
    return write_index(copy, STUDIES).as_uri()


@pytest.fixture(params=[(390, "light"), (390, "dark"), (1440, "light"), (1440, "dark")], ids=lambda p: f"{p[0]}-{p[1]}")
def page(request, browser, address):
    width, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme, accept_downloads=True)
    shown = context.new_page()
    shown.complaints = []
    shown.on("console", lambda message: shown.complaints.append(message.text) if message.type == "error" else None)
    shown.on("pageerror", lambda error: shown.complaints.append(str(error)))
    shown.on("request", lambda asked: shown.complaints.append(asked.url) if asked.url.startswith("http") else None)
    shown.goto(address)
    yield shown
    assert not shown.complaints
    context.close()


def test_nothing_overflows_and_the_answers_are_on_the_first_screen(page):
    width = page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
    wide = page.evaluate(
        """() => [...document.querySelectorAll('main *')].filter((e) => !e.closest('.scroll, svg, math, pre') &&
        e.getBoundingClientRect().right > innerWidth + 1 && e.getBoundingClientRect().width > 0)
        .map((e) => e.tagName + '.' + e.className)"""
    )
    assert not wide
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    matrix = page.locator(".matrix").bounding_box()
    assert matrix["y"] < 300
    assert matrix["x"] + matrix["width"] <= width


def test_dark_is_dark(page):
    color = page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(int(x) for x in color[4:-1].split(",")) / 3
    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    assert (brightness < 60) == dark
    stroke = page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--ink').trim()")
    assert stroke == ("#e6ebf1" if dark else "#1c2430")


def test_filters_sorting_search_and_downloads(page):
    count = page.locator("#count")
    total = int(count.inner_text().split()[0])
    assert total > 1000
    page.select_option("select[name=claim]", "prop3")
    page.select_option("select[name=form]", "paper")
    some = int(count.inner_text().split()[0])
    assert 0 < some < total
    cells = page.locator("#explorer tbody tr td:nth-child(2)")
    assert set(cells.all_inner_texts()) == {"prop3"}
    page.get_by_role("button", name="ratio").click()
    ratios = [float(x) for x in page.locator("#explorer tbody tr td:nth-child(12)").all_inner_texts() if x]
    assert ratios == sorted(ratios)
    page.get_by_role("button", name="ratio").click()
    ratios = [float(x) for x in page.locator("#explorer tbody tr td:nth-child(12)").all_inner_texts() if x]
    assert ratios == sorted(ratios, reverse=True)
    page.fill("input[name=search]", "kink")
    assert 0 < int(count.inner_text().split()[0]) < some
    with page.expect_download() as waiting:
        page.get_by_role("button", name="JSON").click()
    rows = json.loads(Path(waiting.value.path()).read_text())
    assert {row["claim"] for row in rows} == {"prop3"}
    with page.expect_download() as waiting:
        page.get_by_role("button", name="CSV").click()
    assert len(Path(waiting.value.path()).read_text().splitlines()) == len(rows) + 1
    page.locator("a.filter[data-claim=prop4]").click()
    assert set(cells.all_inner_texts()) == {"prop4"}


def test_figures_are_drawn_where_a_statement_shows_them(page):
    page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
    boxes = page.evaluate(
        "[...document.querySelectorAll('.statement figure use')].map((e) => e.getBoundingClientRect().width)"
    )
    assert boxes
    assert min(boxes) > 200


def test_axe_finds_nothing_serious(page):
    found = Axe().run(page)
    serious = [v for v in found.response["violations"] if v["impact"] in ("serious", "critical")]
    assert not [(v["id"], v["nodes"][0]["html"][:200]) for v in serious]
