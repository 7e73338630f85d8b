"""The page: a section for each statement with an answer made from the findings, whole HTML, nothing from a network."""

import json
import math
import re
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest
from zoo import reported

from analytic import STATEMENTS
from maml_bench.study import Figure, Study, compare, record
from maml_bench.study.answers import answer, counts, form_rows, sharper
from maml_bench.study.findings import frame, load
from maml_bench.study.site import MANY, WIDE, _cards, _data, _statement, _Study, write_index

ROW = {"study": "s", "claim": "prop3", "problem": "one", "outcome": "holds", "evidence": "exact", "quantity": "E"}
ROW |= {"part": 0, "parts": 1, "swept": ["problem", "N"], "seconds": 1.0, "family": "Kink"}


def row(form, N, ratio, **fields):
    numbers = {"value": 1.0, "lower": 1.0, "upper": 1.0, "bound": 1 / ratio, "ratio": ratio, "N": N}
    return ROW | numbers | {"form": form, "key": f"{form}{N}"} | fields


ROWS = [
    row("paper", 1, 1e-3),
    row("paper", 2, 1e-6),
    row("sharp", 1, 0.5),
    row("sharp", 2, 0.25, evidence="asymptotic"),
]


def written(folder, rows=ROWS, quick=False, **options):
    """A folder of reports with one study."""
    study = Study("s", "Is it <true>?", [], {"first": Figure("prop3", x="N")}, **options)
    return reported(folder, study, rows, quick)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return write_index(written(tmp_path_factory.mktemp("site")), ("s",)).read_text()


def test_how_fast_the_bench_is_stands_on_the_page_where_it_was_measured(page, tmp_path):
    assert "#speed" not in page
    folder = written(tmp_path)
    (folder / "performance").mkdir()
    (folder / "performance" / "drawn.svg").write_text('<svg viewBox="0 0 10 10"><style>p{}</style></svg>')
    report = "# How fast?\n\n| path | factor |\n| --- | ---: |\n| inner path | 1.50 |\n\n![drawn](drawn.svg)\n"
    (folder / "performance" / "report.md").write_text(report)
    fast = write_index(folder, ("s",)).read_text()
    section = fast.partition('<section id="speed"')[2].partition("</section>")[0]
    assert '<a href="#speed">' in fast
    assert "<h3>How fast?</h3>" in section
    assert '<td data-label="factor" style="text-align:right">1.50</td>' in section
    assert '<svg id="performance-drawn" viewBox="0 0 10 10"></svg>' in section


class Reader(HTMLParser):
    """Collects what the tests ask for."""

    def __init__(self):
        super().__init__()
        self.ids, self.targets, self.sources, self.tags, self.bare = [], [], [], [], []

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.tags.append(tag)
        self.ids += [found["id"]] if "id" in found else []
        for name in ("href", "xlink:href"):
            if found.get(name, "").startswith("#"):
                self.targets.append(found[name][1:])
        self.sources += [found[name] for name in ("src", "href") if found.get(name, "").startswith(("http", "/"))]
        if tag == "th" and "scope" not in found:
            self.bare.append(found)


def test_every_statement_has_a_section_and_every_link_a_target(page):
    reader = Reader()
    reader.feed(page)
    assert set(STATEMENTS) <= set(reader.ids)
    assert {"prop2", "prop7", "lemma-b"} <= set(reader.ids)
    assert len(reader.ids) == len(set(reader.ids))
    assert set(reader.targets) <= set(reader.ids)
    assert reader.tags.count("h1") == 1
    assert not reader.bare
    assert set(reader.sources) == {"https://arxiv.org/abs/2002.07836"}


def test_the_answer_is_made_of_the_findings(page):
    section = page[page.index('id="prop3"') :]
    text = re.sub("<.*?>", "", section[: section.index("</section>")])
    assert "&lt;math" not in page
    assert "Holds in 4 of 4 checks, 3 of them exact or certified." in text
    assert "The paper's constant, as reconstructed, is 1000 to 1e6 times the measured value here." in text
    assert "The form sharp is within a factor of 2 on the worst problem found." in text


def test_answers_tell_violations_searches_and_silence():
    forms = ("sharp",)
    assert answer(frame([]), forms) == "Nothing was measured in this run."
    refused = frame([row("sharp", 1, 0.5, outcome="not applicable")])
    assert answer(refused, forms) == "No check applies in this run."
    violated = frame([row("sharp", 1, 2.0, outcome="violated"), row("sharp", 2, 0.5)])
    assert answer(violated, forms) == "**Violated in 1 of 2 checks**, in the forms `sharp`."
    searched = frame([row("sharp", 1, 1.0, outcome="not refuted", evidence="search")])
    assert answer(searched, forms).startswith("**Not refuted by 1 search**. The form `sharp` is attained")
    open_ = frame([row("sharp", 1, 1.0, outcome="inconclusive"), row("sharp", 2, 0.5)])
    assert "1 left open by budget or rounding" in answer(open_, forms)
    near = frame([row("sharp", 1, 0.9999)])
    assert "`sharp` is attained, to the digits shown, on the worst problem" in answer(near, forms)


def test_counts_and_rows_of_the_forms():
    tally = counts(frame(ROWS))
    assert (tally["exact"], tally["asymptotic"], tally["violated"], tally["open"]) == (3, 1, 0, 0)
    paper, sharp = form_rows(frame(ROWS), ("paper", "sharp"))
    assert (paper.form, paper.checks, paper.held) == ("paper", 2, 2)
    assert (sharp.least, sharp.most) == (2, 4)
    assert (sharp.tightest, sharp.loosest) == ("sharp1", "sharp2")


def test_forms_stand_in_the_order_of_the_theory_and_an_equality_is_not_loose():
    """Also where another study found them in another order; a tolerance of an equality is no bound."""
    found = frame([row("identity", 1, 0.1), row("refined", 1, 0.9), row("sharp", 1, 0.5), row("paper", 1, 0.25)])
    rows = form_rows(found, ("paper", "sharp", "refined"))
    assert [one.form for one in rows] == ["paper", "sharp", "refined", "identity"]
    assert math.isnan(rows[-1].least) and (rows[-1].tightest, rows[-1].held) == ("", 1)
    assert sharper(rows) == rows[2] and sharper(rows[:1]) is None and sharper(rows[3:]) is None


def test_a_lower_bound_is_loose_by_the_measured_value_over_it():
    found = frame([row("paper", 1, 1.25), row("sharp", 1, 1.1), row("sharp", 2, 1.2), row("direct", 1, 1.3)])
    forms = ("paper", "sharp", "direct")
    paper, sharp, direct = form_rows(found, forms, ">=")
    assert (paper.least, sharp.least, sharp.most, direct.least) == (1.25, 1.1, 1.2, 1.3)
    assert (sharp.tightest, sharp.loosest) == ("sharp1", "sharp2")
    text = answer(found, forms, ">=")
    assert "The measured value here is 1.25 times the paper's constant, as reconstructed." in text
    assert text.endswith("The form `sharp` is within a factor of 1.1 on the worst problem found.")


def test_findings_stand_in_the_order_of_the_studies(tmp_path):
    for name in ("a", "b"):
        reported(tmp_path, Study(name, "Why?", []), [row("sharp", 1, 0.5, study=name)])
    page = write_index(tmp_path, ("b", "a")).read_text()
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL).group(1))
    study = data["columns"]["study"]
    assert [study["values"][i] if "values" in study else i for i in study["at"]] == ["b", "a"]
    assert '<a href="#study-b">b</a> Why?' in page


def test_the_page_says_where_it_comes_from_and_carries_its_rows(page):
    assert "Full run" in page
    assert "seed 3" in page
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL).group(1))
    columns = {
        name: [found["values"][i] for i in found["at"]] if "values" in found else found["at"]
        for name, found in data["columns"].items()
    }
    assert columns["ratio"] == [1e-3, 1e-6, 0.5, 0.25]
    assert columns["where"] == ["N = 1", "N = 2"] * 2
    assert columns["K"] == [None] * 4
    assert "values" in data["columns"]["claim"]
    assert data["options"] == {"s": " --seed 3"}
    assert "prefers-color-scheme" in page
    assert '<use href="#s-first-1"' in page


def test_the_origin_of_every_row_is_told(tmp_path):
    """Two commits, one with changes, on two days; of the second study nothing is on record."""
    rows = [row("sharp", N, 0.5, commit="abc", date="2026-01-02", machine="one") for N in (1, 2)]
    rows += [row("sharp", 3, 0.5, commit="def+", date="2026-01-03", machine="two")]
    folder = written(tmp_path, rows, quick=True)
    made = record.origin(load(folder), [folder / "s"])
    assert str(made) == (
        "Quick look, seed 3, 2026-01-02 to 2026-01-03; 3 rows of commits abc (2 rows), def+ (1 rows); one; two."
    )
    assert made.options == " --quick --seed 3"
    assert (folder / "s" / "report.md").read_text().endswith(f"\n\n{made}\n")
    page = write_index(folder, ()).read_text()
    assert page.index("Quick look") < page.index("<h1>") < page.index('class="quick"')
    assert "commits abc (2 rows), def+ (1 rows)" in page
    (folder / "s" / "run.json").unlink()
    assert "Run of unrecorded size" in write_index(folder, ()).read_text()


def test_a_reports_tables_know_their_columns(page):
    body = page[page.index('id="study-s"') :]
    assert re.search(r'<table class="cards">\s*<thead>\s*<tr>\s*<th scope="col">claim, form</th>', body)
    assert re.search(
        '<td data-label="largest ratio"[^>]*>0.001</td>|<td data-label="largest ratio"[^>]*>0.5</td>', body
    )


@pytest.mark.parametrize(
    ("outcomes", "mark", "words"),
    [
        (("holds", "holds"), "good", "holds"),
        (("not refuted", "not refuted"), "good", "not refuted"),
        (("not refuted", "holds"), "good", "holds"),
        (("holds", "inconclusive"), "warn", "1 open"),
        (("inconclusive", "violated"), "bad", "1 violated"),
    ],
)
def test_a_statement_is_marked_by_its_worst_outcome(outcomes, mark, words):
    kinds = {"not refuted": "search", "holds": "exact", "inconclusive": "certified", "violated": "certified"}
    rows = [row("paper", N, 0.25 * N, outcome=o, evidence=kinds[o]) for N, o in enumerate(outcomes, 1)]
    told = {
        "first": {"claim": "prop3", "panels": [{"file": "first-1.svg", "words": "w", "box": "0 0 1 2"}]},
        "other": {"claim": "prop4", "panels": [{"file": "other-1.svg", "words": "v", "box": "0 0 1 2"}]},
    }
    study = SimpleNamespace(name="s", figures=list(told.values()), identifier=lambda file: f"s-{file}")
    table = frame([*rows, row("paper", 1, 0.5, claim="prop4"), row("paper", 9, 0.5, outcome="not applicable")])
    found = _statement(STATEMENTS["prop3"], table, [study], set())
    assert (found["mark"], found["mark_words"], found["measured"]) == (mark, words, 2)
    assert found["figures"] == [{"id": "s-first-1.svg", "words": "w", "study": "s", "box": "0 0 1 2"}]
    assert (found["paper"], found["sharper"]) == ("2–4", None)
    assert (found["studies"], found["anchor"]) == (["s"], "")
    assert found["source"][0].isupper() and (not found["remarks"] or found["remarks"].endswith("."))
    nothing = _statement(STATEMENTS["prop6"], table, [study], set())
    assert (nothing["paper"], nothing["measured"], nothing["figures"]) == ("–", 0, [])


def test_a_group_of_statements_has_one_anchor():
    seen, table = set(), frame([row("paper", 1, 0.5)])
    anchors = [
        _statement(STATEMENTS[name], table, [], seen)["anchor"] for name in ("prop2-first", "prop2-second", "prop3")
    ]
    assert anchors == ["prop2", "", ""]


def test_cells_of_the_page_are_short_and_exact():
    rows = [
        row("sharp", N, 0.5, value=value) for N, value in enumerate((1 / 3, 2.0, 1e15, 1e17, 2.0, 2.0, 2.0, 2.0), 1)
    ]
    data = json.loads(_data(frame(rows), {}))["columns"]
    values = (
        [data["value"]["values"][i] for i in data["value"]["at"]] if "values" in data["value"] else data["value"]["at"]
    )
    assert values == [0.3333333, 2, 10**15, 1e17, 2, 2, 2, 2] and isinstance(values[1], int)
    assert "values" in data["claim"] and data["claim"]["values"] == ["prop3"] and data["claim"]["at"] == [0] * 8
    assert data["N"] == {"at": list(range(1, 9))}


def test_what_is_wide_scrolls_by_itself(tmp_path):
    """Drawings wider than the column keep their size, as a table of many columns does; others shrink with the page."""
    for width in (WIDE, WIDE + 0.75):
        (tmp_path / "a.svg").write_text(f'<svg viewBox="0 0 {width} 99"><style>a{{}}</style><g/></svg>')
        figure = _Study(tmp_path).panel("a.svg")
        drawing = f'<svg id="{tmp_path.name}-a" viewBox="0 0 {width} 99"><g/></svg></figure>'
        scroll = ' class="scroll" tabindex="0" style="--width: 361pt"' if width > WIDE else ""
        assert figure == f"<figure{scroll}>{drawing}"
    for columns in (MANY, MANY + 1):
        head, row = "<th>n</th>" * columns, "<td>1</td>" * columns
        html = _cards(f"<p><table><thead><tr>{head}</tr></thead><tbody><tr>{row}</tr></tbody></table></p>")
        assert ('<div class="scroll" tabindex="0"><table class="cards">' in html) == (columns > MANY)
        assert html.count('<td data-label="n">1</td>') == html.count('<th scope="col">n</th>') == columns


def test_what_a_study_says_cannot_break_the_page(tmp_path):
    bad = [row("sharp", 1, 0.5, problem="</script><b>", quantity="<i>")]
    page = write_index(written(tmp_path, bad), ()).read_text()
    assert "<b>" not in page
    assert "</script><b>" not in page


def test_two_runs_are_compared(tmp_path):
    changed = [
        row("paper", 1, 1e-3, outcome="violated"),
        row("paper", 2, 1e-6),
        row("sharp", 1, 0.4),
        row("local", 1, 1.0),
    ]
    before, after = written(tmp_path / "a"), written(tmp_path / "b", changed)
    same, found = compare.compare(before, before), compare.compare(before, after)
    assert not same.changed
    assert found.changed
    assert (found.common, found.only_before, found.only_after) == (3, 1, 1)
    assert [(c.form, c.before, c.after) for c in found.outcomes] == [("paper", "holds", "violated")]
    assert [(c.form, c.before, c.after) for c in found.ratios] == [("sharp", "1 of 2", "1 of 2.5")]
    assert found.seconds == [("s", 4.0, 4.0)]
    text = compare.text(found)
    assert "prop3 (paper) on one, s: N = 1\n    holds -> violated" in text
    assert "    1 of 2 -> 1 of 2.5" in text
    numbers = {"value": 1.23456e-11, "lower": 1.23445e-11, "upper": 1.23478e-11, "bound": 1.43217e-11}
    far = [row("sharp", 1, 0.9, **{name: x * scale for name, x in numbers.items()}) for scale in (1, 1.11)]
    runs = [written(tmp_path / name, [found]) for name, found in zip("cd", far, strict=True)]
    wide = compare.text(compare.compare(*runs))
    assert "    before 1.235e-11 [1.234e-11, 1.235e-11] of 1.432e-11\n    after  1.37e-11 [" in wide
    assert max(map(len, [*text.splitlines(), *wide.splitlines()])) <= 80
    assert 'holds</td><td data-label="after">violated' in compare.page(found)
    with pytest.raises(FileNotFoundError):
        compare.compare(before, tmp_path)
