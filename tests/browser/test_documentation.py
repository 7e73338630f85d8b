"""The documentation as `make docs` builds it: links that lead somewhere, formulas drawn, nothing wider than a phone."""

import re
from pathlib import Path

import pytest
from sphinx.cmd.build import main as sphinx

import maml_bench
from maml_bench.study.typeset import proofs

DOCS = Path(maml_bench.__file__).parents[1] / "docs"
OVERFLOWING = """() => [...document.querySelectorAll('article *')].filter((e) =>
!e.closest('[style*="overflow-x:auto"], pre, .table-wrapper, math, .headerlink') &&
e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.outerHTML.slice(0, 200))"""
PAGES = ("index", "tour", "own", "reference", "theory/meta_gradient", "theory/convergence", "theory/symbols")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs")
    assert sphinx(["-q", "-W", str(DOCS), str(folder)]) == 0
    return folder


def test_every_link_has_a_target_and_nothing_of_latex_or_markup_is_left(built):
    pages = {path: path.read_text() for path in built.rglob("*.html")}
    ids = {path: set(re.findall(r'id="([^"]+)"', text)) for path, text in pages.items()}
    for path, text in pages.items():
        for link in re.findall(r'<a [^>]*href="([^"]*)"', text):
            if not link.startswith("http"):
                file, _, fragment = link.partition("#")
                target = (path.parent / file).resolve() if file else path
                assert target.exists(), (path, link)
                assert not fragment or target.suffix != ".html" or fragment in ids.get(target, ()), (path, link)
        if "_modules" not in path.parts and path.parent.name == "theory":
            shown = re.sub(r"<math.*?</math>", "", text, flags=re.DOTALL)
            assert not re.findall(r":math:|&lt;(?:math|h3)|\\\\[a-z]{3}", shown), path
        assert "mathjax" not in text.lower()
    assert not any(re.search(r'<(?:script|link|img)[^>]*(?:src|href)="http', text) for text in pages.values())
    listed = (built / "theory/convergence.html").read_text()
    for section in ("convergence", "direct", "factors"):
        assert str(proofs(section)).splitlines()[0] in listed


@pytest.mark.parametrize("width", [390, 1440])
def test_nothing_overflows_and_no_script_complains(built, browser, width):
    page, complaints = browser.new_page(viewport={"width": width, "height": 800}), []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    for name in PAGES:
        page.goto((built / f"{name}.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert not page.evaluate(OVERFLOWING), name
        if name.startswith("theory"):
            assert page.evaluate("[...document.querySelectorAll('math')].some((e) => e.clientHeight > 10)")
    page.close()
    assert not complaints
