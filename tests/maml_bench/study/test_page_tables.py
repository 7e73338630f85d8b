"""Every table of the page, and of the page of a comparison, read back cell by cell from known findings."""

import re
from html.parser import HTMLParser

import pytest
from zoo import reported

from analytic import STATEMENTS
from analytic.vocabulary import CONSTANTS
from maml_bench.study import Fact, Figure, Study, compare
from maml_bench.study.site import write_index

ABOUT = {"study": "s", "claim": "prop3", "problem": "one", "quantity": "E", "swept": ["problem", "N"], "family": "Kink"}
ABOUT |= {"part": 0, "parts": 1, "commit": "abc", "date": "2026-01-02", "machine": "one", "versions": "v 1"}


def row(form, N, ratio, outcome="holds", evidence="exact", **fields):
    numbers = {"value": ratio, "lower": ratio, "upper": ratio, "bound": 1.0, "ratio": ratio, "N": N, "seconds": 1.5}
    return ABOUT | numbers | {"form": form, "outcome": outcome, "evidence": evidence, "key": f"{form}{N}"} | fields


ROWS = [
    row("paper", 1, 0.001),
    row("paper", 2, 0.25, evidence="asymptotic"),
    row("sharp", 1, 0.5, evidence="certified"),
    row("sharp", 2, 0.8, "not refuted", "search"),
    row("sharp", 3, 0.4, "inconclusive", "certified"),
    row("sharp", 4, 2.0, "violated", "certified"),
    row("sharp", 5, None, "not applicable", "", lower=None, upper=None, value=None, bound=None, reason="needs more"),
    row("sharp", 1, 0.9, claim="prop6", problem="two", key="other"),
]


class Tables(HTMLParser):
    """The tables of a page: rows of cells, and the label that a narrow screen shows beside each cell."""

    def __init__(self, page):
        super().__init__()
        self.tables, self.labels, self.cell = [], [], None
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        if tag == "table":
            self.tables.append([])
            self.labels.append([])
        elif tag == "tr":
            self.tables[-1].append([])
            self.labels[-1].append([])
        elif tag in ("td", "th"):
            self.cell = ""
            self.labels[-1][-1].append(dict(attributes).get("data-label"))

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.tables[-1][-1].append(" ".join(self.cell.split()))
            self.cell = None

    def handle_data(self, data):
        if self.cell is not None:
            self.cell += data


def written(folder, rows):
    figures = {"first": Figure("prop3", x="N", forms=("paper",))}
    study = Study("s", "Why?", [], figures, facts=lambda table: [Fact("a fact", "1", "2", False)])
    return reported(folder, study, rows)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return Tables(write_index(written(tmp_path_factory.mktemp("page"), ROWS), ("s",)).read_text())


def headed(found, *header):
    """The rows of the tables with this header, whose cells are labelled by it."""
    chosen = [k for k, table in enumerate(found.tables) if table and table[0] == list(header)]
    for k in chosen:
        for labels in found.labels[k][1:]:
            assert all(label in (None, name) for label, name in zip(labels, header, strict=True))
    return [found.tables[k][1:] for k in chosen]


def test_the_answer_in_a_table(found):
    (rows,) = headed(found, "statement", "exact", "cert.", "asym.", "search", "paper", "sharper", "result")
    assert rows == [
        ["prop3", "1", "3", "1", "1", "4–1000", "sharp 0.5", "1 violated"],
        ["prop6", "1", "·", "·", "·", "–", "sharp 1.11", "holds"],
    ]


def test_the_forms_of_each_statement(found):
    header = "form", "checks", "hold", "violated", "open or searched", "not applicable", "least loose", "most loose"
    third, sixth = headed(found, *header)
    assert third == [
        ["paper", "2", "2", "0", "0", "0", "4", "1000"],
        ["sharp", "4", "1", "1", "2", "1", "0.5", "2.5"],
    ]
    assert sixth == [["sharp", "1", "1", "0", "0", "0", "1.11", "1.11"]]


def test_the_tables_of_a_study_s_report(found):
    (facts,) = headed(found, "what", "expected", "found", "agrees")
    assert facts == [["a fact", "1", "2", "no"]]
    outcomes = ["holds", "not refuted", "violated", "inconclusive", "not applicable"]
    (verdicts,) = headed(found, "claim, form", *outcomes, "exact", "smallest ratio", "largest ratio")
    assert verdicts == [
        ["prop3, paper", "2", "0", "0", "0", "0", "1", "0.001", "0.25"],
        ["prop3, sharp", "1", "1", "1", "1", "1", "0", "0.4", "2"],
        ["prop6, sharp", "1", "0", "0", "0", "0", "1", "0.9", "0.9"],
    ]


def test_symbols_and_origins(found):
    (symbols,) = headed(found, "symbol", "name in code", "meaning")
    assert [cells[1] for cells in symbols] == list(CONSTANTS)
    (origins,) = headed(found, "study", "size", "seed", "rows", "commits", "days", "machine and versions")
    assert origins == [["s", "Full run", "3", "8", "commit abc", "2026-01-02", "one; v 1"]]


def test_no_table_of_the_page_is_left_out(found):
    # The findings are filled in by a script, which the tests in a browser read back.
    assert sum(bool(table and table[0]) for table in found.tables) == 1 + 2 + 2 + 2


def test_every_statement_says_what_is_measured_of_it(tmp_path):
    page = write_index(written(tmp_path, ROWS), ("s",)).read_text()
    answers = re.findall(r'<p class="answer">(.*?)</p>', page, re.DOTALL)
    silent = [answer for answer in answers if "Nothing was measured" in answer]
    assert (len(answers), len(silent)) == (len(STATEMENTS), len(STATEMENTS) - 2)


def test_the_page_of_a_comparison(tmp_path):
    changed = [row("paper", 1, 0.001, "violated"), row("paper", 2, 0.2), *ROWS[2:]]
    before, after = written(tmp_path / "a", ROWS), written(tmp_path / "b", changed)
    found = Tables(compare.page(compare.compare(before, after)))
    outcomes, values = headed(found, "claim", "form", "problem", "study", "at", "before", "after")
    assert outcomes == [["prop3", "paper", "one", "s", "N = 1", "holds", "violated"]]
    assert values == [["prop3", "paper", "one", "s", "N = 2", "0.25 of 1", "0.2 of 1"]]
    (seconds,) = headed(found, "study", "before", "after")
    assert seconds == [["s", "12.0", "12.0"]]
    assert len(found.tables) == 3
