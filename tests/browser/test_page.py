"""The page in a real headless Chromium, at the widths of a phone and of a desk, light and dark.

Needs Debian's chromium and `pip install playwright axe-playwright-python`; `make test-browser` brings both. Where
Chromium is missing the suite says so and does not collect these tests.
"""

import json
import shutil
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

import maml_bench
from maml_bench.cli.studies import STUDIES, load_study, template
from maml_bench.study import load, record, telling
from maml_bench.study.findings import FILE
from maml_bench.study.site import write_index

REPORTS = Path(maml_bench.__file__).parents[1] / "reports"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The committed findings, on a page made by the code as it is."""
    copy = shutil.copytree(REPORTS, tmp_path_factory.mktemp("page") / "reports")
    return write_index(copy, STUDIES).as_uri()


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """Two studies, told anew as if they were quick ones."""
    folder = tmp_path_factory.mktemp("quick")
    for name in ("summary", "meta-gradient-bias"):
        table = load(REPORTS / name)
        (folder / name).mkdir()
        shutil.copy(REPORTS / name / FILE, folder / name)
        record.write(folder / name, quick=True, seed=0)
        telling.write(load_study(name), table, template(name), folder / name)
    return write_index(folder, STUDIES).as_uri()


@pytest.fixture(params=[(390, "light"), (390, "dark"), (1440, "light"), (1440, "dark")], ids=lambda p: f"{p[0]}-{p[1]}")
def page(request, browser, address):
    """The page, at one width and in one scheme; fails where a script complains or anything is asked of a network."""
    width, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme, accept_downloads=True)
    found, complaints = context.new_page(), []
    found.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    found.on("pageerror", lambda error: complaints.append(str(error)))
    found.on("request", lambda asked: complaints.append(asked.url) if asked.url.startswith("http") else None)
    found.goto(address)
    yield found
    assert not complaints
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
    squeezed = page.evaluate(
        """() => [...document.querySelectorAll('caption, p, li, th, td')].filter((e) => e.textContent.length > 20 &&
        e.clientWidth > 0 && e.clientWidth < 60).map((e) => e.outerHTML.slice(0, 100))"""
    )
    assert not squeezed
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    matrix = page.locator(".matrix").bounding_box()
    assert matrix["y"] < 300
    assert matrix["x"] + matrix["width"] <= width


def test_on_a_desk_findings_take_the_whole_width_and_answers_name_the_sharper_form(page):
    """On a phone a row is a card, and the table of answers has the number alone."""
    desk = page.viewport_size["width"] == 1440
    if desk:
        assert (
            page.locator("main").bounding_box()["width"] < 1100 < page.locator("#rows .scroll").bounding_box()["width"]
        )
    forms = page.locator(".matrix .form")
    assert forms.count() > 20 and forms.first.is_visible() == desk


def test_a_quick_page_does_not_pass_for_a_full_one(page, few):
    assert page.locator(".quick").count() == 0
    page.goto(few)
    assert page.locator(".quick").inner_text().startswith("Quick look")
    assert page.title().startswith("Quick look")
    assert page.locator("#study-summary").inner_text().rstrip().endswith("maml-bench study summary --quick")


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
    cells = page.locator("#explorer tbody td[data-label=claim]")
    assert set(cells.all_inner_texts()) == {"prop3"}
    column = page.locator("#explorer tbody td[data-label=ratio]")
    for falling in (False, True):
        page.evaluate("document.querySelector('#explorer th:nth-child(7) button').click()")  # not seen on a phone
        ratios = [float(x) for x in column.all_inner_texts() if x]
        assert len(ratios) > 5
        assert ratios == sorted(ratios, reverse=falling)
    page.fill("input[name=search]", "kink")
    assert 0 < int(count.inner_text().split()[0]) < some
    with page.expect_download() as waiting:
        page.get_by_role("button", name="JSON").click()
    rows = json.loads(Path(waiting.value.path()).read_text())
    assert {row["claim"] for row in rows} == {"prop3"}
    with page.expect_download() as waiting:
        page.get_by_role("button", name="CSV").click()
    assert len(Path(waiting.value.path()).read_text().splitlines()) == len(rows) + 1
    page.locator("a.filter[data-claim=prop4]:not([data-search])").click()
    assert set(cells.all_inner_texts()) == {"prop4"}
    page.get_by_role("button", name="Clear").click()
    assert int(count.inner_text().split()[0]) == total


def test_a_looseness_leads_to_its_row_and_the_command_that_repeats_it(page):
    link = page.locator("a.filter[data-claim=prop3][data-form=sharp]").first
    loose = float(link.inner_text())
    link.click()
    assert page.locator("#count").inner_text().startswith("1 of ")
    row = page.locator("#explorer tbody tr")
    assert 1 / float(row.locator("td[data-label=ratio]").inner_text()) == pytest.approx(loose, rel=0.01)
    command = row.locator("td[data-label=command] code").inner_text()
    assert (
        command
        == f"maml-bench study {row.locator('td[data-label=study]').inner_text()} --row "
        + link.get_attribute("data-search")
    )


def test_other_tables_sort_by_number_and_by_word(page):
    read = "[...document.querySelectorAll('.matrix tbody tr')].map((row) => row.cells[%d].textContent)"
    page.evaluate("document.querySelector('.matrix th:nth-child(2) button').click()")
    exact = [int(x) for x in page.evaluate(read % 1) if x != "·"]
    assert exact == sorted(exact) != sorted(exact, reverse=True)
    page.evaluate("document.querySelector('.matrix th:nth-child(1) button').click()")
    names = page.evaluate(read % 0)
    assert names == sorted(names)


def test_a_link_to_a_proof_unfolds_it(page):
    page.evaluate("location.hash = 'proofs-meta_gradient'")
    proof = page.locator("#proofs-meta_gradient")
    proof.wait_for(state="visible")
    assert proof.locator("math").count() > 50
    assert not [x for x in (":math:", "$", "\\\\") if x in proof.inner_text()]


def test_figures_are_drawn_where_a_statement_shows_them(page):
    page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
    boxes = page.evaluate(
        "[...document.querySelectorAll('.statement figure use')].map((e) => e.getBoundingClientRect().width)"
    )
    assert boxes
    assert min(boxes) > 200


def test_how_fast_the_bench_is_can_be_read_and_sorted(page):
    page.get_by_role("link", name="Speed").click()
    section = page.locator('section[aria-labelledby="speed-title"]')
    boxes = [drawing.bounding_box() for drawing in section.locator("figure svg").all()]
    assert len(boxes) == 2
    for box in boxes:
        assert box["width"] > 250
        assert 0 <= box["x"] <= page.viewport_size["width"] - box["width"]
    column = """(table) => { const heads = [...table.tHead.rows[0].cells].map((head) => head.innerText.trim());
        const at = heads.indexOf("gap, s");
        table.tHead.rows[0].cells[at].querySelector("button").click();
        return [...table.tBodies[0].rows].map((row) => row.cells[at].innerText.trim()) }"""
    table = section.locator("table", has_text="any valid limit needs").first
    cells = table.evaluate(column)
    numbers = [float(cell.removeprefix("> ")) for cell in cells if cell.removeprefix("> ")[0].isdigit()]
    assert numbers == sorted(numbers)
    assert len(numbers) < len(cells)
    assert not any(cell.removeprefix("> ")[0].isdigit() for cell in cells[len(numbers) :])


@pytest.mark.parametrize("page", [(390, "light"), (1440, "dark")], indirect=True, ids=("phone", "desk"))
def test_axe_finds_nothing_serious(page, few):
    """On a page of two studies, with a word for each formula and drawing: axe knows neither, and is slow to say so."""
    page.goto(few)
    assert not page.evaluate("[...document.querySelectorAll('svg[role=img]')].filter((e) => !e.ariaLabel).length")
    page.evaluate("for (const e of document.querySelectorAll('math, svg')) e.replaceWith('drawn')")
    found = Axe().run(page, options={"resultTypes": ["violations"]})
    serious = [v for v in found.response["violations"] if v["impact"] in ("serious", "critical")]
    assert not [(v["id"], v["nodes"][0]["html"][:200]) for v in serious]
