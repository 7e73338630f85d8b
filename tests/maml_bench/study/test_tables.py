"""Tables of known numbers, read back cell by cell: headers, the order of columns, and which way up."""

import inspect

import pytest

from maml_bench.study import tables
from maml_bench.study.facts import Fact
from maml_bench.study.findings import frame
from maml_bench.study.text import markdown_table

ABOUT = {"study": "s", "swept": ["problem", "N"], "quantity": "E"}


def row(claim, form, problem, N, value, bound, outcome="holds", evidence="exact", **more):
    found = {"value": value, "lower": 0.9 * value, "upper": 1.1 * value, "bound": bound, "ratio": value / bound}
    about = {"claim": claim, "form": form, "problem": problem, "N": N, "outcome": outcome, "evidence": evidence}
    return ABOUT | about | found | more


REFUSED = ABOUT | {"claim": "prop3", "form": "sharp", "problem": "two", "N": 2, "outcome": "not applicable"}
REFUSED |= {"evidence": "", "reason": "prop3 (sharp) needs a finite tau"}
ROWS = [
    row("prop3", "paper", "one", 1, 1.0, 8.0),
    row("prop3", "paper", "one", 2, 3.0, 75.0, evidence="asymptotic"),
    row("prop3", "sharp", "one", 1, 1.0, 2.0),
    row("prop3", "sharp", "two", 1, 6.0, 3.0, "violated", "certified"),
    REFUSED,
    row("prop6", "sharp", "one", 1, 9.0, 10.0, "not refuted", "search"),
    row("prop6", "sharp", "one", 2, 8.0, 10.0, "inconclusive", "certified"),
    {"claim": "", "quantity": "a curve", "outcome": "", "value": 7.0},
]
TABLE = frame(ROWS)
ATTACKED = frame(
    [
        row("prop6", "paper", "a", 1, 1.0, 4.0, arena="a search", supremum=None, alphaL=0.1, d=2),
        row("prop6", "paper", "a", 2, 1.0, 5.0, arena="a kink", supremum=None, alphaL=0.3, d=3),
        row("prop6", "sharp", "a", 3, 3.0, 4.0, arena="a kink", supremum=0.8, alphaL=0.2, d=1, Q=16),
    ]
)


def read(markdown):
    """The rows of a table in Markdown, the header first, and which columns are right-aligned."""
    lines = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in markdown.splitlines()]
    rule = lines.pop(1)
    assert {len(line) for line in lines} == {len(rule)}
    return lines, [cell.endswith(":") for cell in rule]


EXPECTED = {
    "outcome_table": (
        lambda: tables.outcome_table(TABLE),
        ["claim, form", "holds", "not refuted", "violated", "inconclusive", "not applicable", "exact"]
        + ["smallest ratio", "largest ratio"],
        [
            ["prop3, paper", "2", "0", "0", "0", "0", "1", "0.04", "0.125"],
            ["prop3, sharp", "1", "0", "1", "0", "1", "1", "0.5", "2"],
            ["prop6, sharp", "0", "1", "0", "1", "0", "0", "0.8", "0.9"],
        ],
    ),
    "looseness_table": (
        lambda: tables.looseness_table(TABLE),
        ["claim, form", "problem", "least loose", "most loose", "at"],
        [
            ["prop3, paper", "one", "8", "25", "N = 2"],
            ["prop3, sharp", "one", "2", "2", "N = 1"],
            ["prop3, sharp", "two", "0.5", "0.5", "N = 1"],
            ["prop6, sharp", "one", "1.11", "1.25", "N = 2"],
        ],
    ),
    "ratio_table": (
        lambda: tables.ratio_table(TABLE),
        ["claim", "form", "one", "two", ""],
        [
            ["prop3", "paper", "~0.04", "·", "·"],
            ["prop3", "sharp", "0.5", "≈2 violated", "·"],
            ["prop6", "sharp", "≈0.8 ?", "·", "·"],
        ],
    ),
    "facts_table": (
        lambda: tables.facts_table(
            [Fact("||H^||", "1", "2", False), Fact("b", "3", "3", True), Fact("c", "4", "", None)]
        ),
        ["what", "expected", "found", "agrees"],
        [["‖Ĥ‖", "1", "2", "no"], ["b", "3", "3", "yes"], ["c", "4", "", "undecided"]],
    ),
    "atlas_table": (
        lambda: tables.atlas_table(ATTACKED),
        ["claim, form", "largest found", "supremum", "by", "at", "over the sweep"],
        [
            ["prop6, paper", "0.25", "open, 0.25 to 1", "a search", "N = 1, αL = 0.1, d = 2", "0.2 to 0.25"],
            ["prop6, sharp", "0.75", "0.8", "a kink", "N = 3, αL = 0.2, d = 1, Q = 16", "0.75 to 0.75"],
        ],
    ),
}
WORDS = {
    "summary_sentence": (
        lambda: tables.summary_sentence(TABLE),
        (
            "7 verdicts: 3 `holds`, 1 `not refuted`, 1 `violated`, 1 `inconclusive`, 1 `not applicable`. "
            "**Violated: prop3 (sharp).**"
        ),
    ),
    "where": (lambda: tables.where(TABLE.iloc[1]), "N = 2"),
    "entry": (lambda: tables.entry(TABLE.iloc[5]), "≥0.9"),
    "refusals": (lambda: tables.refusals(TABLE), "- prop3 (sharp) on two: a finite tau\n"),
    "sentences": (
        lambda: tables.sentences(ATTACKED),
        (
            "- **prop6**: the paper's constant (as reconstructed) is 4 to 5 times too large here; no admissible "
            "problem found reaches more than 0.75 of `sharp`.\n"
        ),
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_table_is_read_back_cell_by_cell(name):
    make, header, rows = EXPECTED[name]
    (found, *cells), _ = read(make())
    assert found == header
    assert cells == rows


@pytest.mark.parametrize("name", WORDS)
def test_words_of_a_table_are_read_back(name):
    make, words = WORDS[name]
    assert make() == words


def test_every_table_is_read_back():
    makers = {
        name
        for name, function in inspect.getmembers(tables, inspect.isfunction)
        if function.__module__ == tables.__name__ and inspect.signature(function).return_annotation is str
    }
    assert makers == set(EXPECTED) | set(WORDS)


def test_numbers_are_right_aligned_and_words_are_not():
    lines, right = read(markdown_table(["name", "count", "size", "mixed"], [["a", 1, 0.5, 1], ["b|c", 20, 1e-9, "x"]]))
    assert right == [False, True, True, False]
    assert lines[1:] == [["a", "1", "0.5", "1"], ["b\\|c", "20", "1e-9", "x"]]
