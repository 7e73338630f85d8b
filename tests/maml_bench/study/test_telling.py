"""Reports and the page: filled from findings, with strict templates."""

import jinja2
import pytest

from maml_bench.study import Fact, Figure, Study, telling
from maml_bench.study.findings import frame
from maml_bench.study.tables import (
    atlas_table,
    entry,
    facts_table,
    looseness_table,
    outcome_table,
    ratio_table,
    refusals,
    sentences,
    summary_sentence,
)
from maml_bench.study.text import markdown_table, number

ROW = {"study": "s", "claim": "prop2-first", "form": "sharp", "problem": "one", "outcome": "holds", "evidence": "exact"}
ROW |= {
    "value": 1.0,
    "lower": 1.0,
    "upper": 1.0,
    "bound": 2.0,
    "ratio": 0.5,
    "N": 3,
    "swept": ["problem", "N"],
    "quantity": "E",
}
VIOLATED = ROW | {"outcome": "violated", "ratio": 2.0, "bound": 0.5, "N": 4, "evidence": "asymptotic"}
REFUSED = {**ROW, "outcome": "not applicable", "reason": "prop2-first (sharp) needs finite tau", "problem": "two"}
REFUSED |= {"evidence": ""} | dict.fromkeys(("value", "lower", "upper", "bound", "ratio"))
TABLE = frame([ROW, VIOLATED, REFUSED])


def test_numbers_and_tables():
    assert number(float("nan")) == "–"
    assert markdown_table(["name", "x"], [["a|b", 1 / 3]]) == "| name | x |\n| --- | ---: |\n| a\\|b | 0.333 |\n"
    assert "| prop2-first, sharp | 1 | 1 | 1 | 1 | 0.5 | 2 |" in outcome_table(TABLE)
    assert "| prop2-first, sharp | one | 0.5 | 2 | N = 3 |" in looseness_table(TABLE)
    assert "| prop2-first | sharp | ~2 violated | · |" in ratio_table(TABLE)
    assert refusals(TABLE) == "- prop2-first (sharp) on two: finite tau\n"
    assert "| w | 1 | 2 | undecided |" in facts_table([Fact("w", "1", "2", None)])
    assert entry(TABLE.iloc[0]) == "0.5"


def test_the_atlas_has_a_row_for_each_form_and_a_sentence_for_each_claim():
    attack = {"arena": "a search", "supremum": None, "alphaL": 0.1, "d": 1}
    rows = [ROW | attack, ROW | attack | {"N": 4, "ratio": 0.25}, ROW | attack | {"form": "paper", "ratio": 0.004}]
    rows += [ROW | attack | {"claim": "prop6", "ratio": 0.9, "supremum": 1.0, "arena": "a kink", "Q": 16}]
    table = frame([*rows, REFUSED | attack, ROW])
    lines = atlas_table(table).splitlines()[2:]
    assert lines[0] == "| prop2-first, sharp | 0.5 | open, 0.5 to 1 | a search | N = 3, αL = 0.1, d = 1 | 0.25 to 0.5 |"
    assert lines[2] == "| prop6, sharp | 0.9 | 1 | a kink | N = 3, αL = 0.1, d = 1, Q = 16 | 0.9 to 0.9 |"
    assert sentences(table) == (
        "- **prop2-first**: the paper's constant (as reconstructed) is 250 times too large here; no admissible problem "
        "found reaches more than 0.5 of `sharp`.\n"
        "- **prop6**: no admissible problem found reaches more than 0.9 of `sharp`.\n"
    )
    cone = ROW | attack | {"form": "cone", "ratio": 1 - 1e-5}
    assert sentences(frame([*rows[:2], rows[2] | {"ratio": 1.0}, cone])) == (
        "- **prop2-first**: the paper's constant (as reconstructed) is attained; reached, to four digits: `cone`; "
        "no admissible problem found reaches more than 0.5 of `sharp`.\n"
    )
    assert sentences(TABLE) == ""


def test_limits_that_are_asymptotic_beside_certified_outcomes_are_counted():
    kinds = [("certified", "asymptotic"), ("certified", "certified"), ("asymptotic", "asymptotic"), ("exact", "exact")]
    rows = frame([ROW | {"evidence": evidence, "limits": limits} for evidence, limits in kinds])
    assert telling.note(rows).endswith("The limits of 1 certified rows are asymptotic: those that decide are wider.")
    assert telling.note(rows[1:]).endswith("a search can refute, never confirm.")


def test_the_summary_counts_and_names_violations():
    assert summary_sentence(TABLE.iloc[:1]) == "1 verdicts: 1 `holds`. No bound is violated."
    assert "**Violated: prop2-first (sharp).**" in summary_sentence(TABLE)


def study(**options):
    return Study("s", "Is it true?", [], {"first": Figure("prop2-first", x="N", across="problem")}, **options)


def test_a_study_without_a_template_is_told_by_the_plain_one(tmp_path):
    (tmp_path / "s").mkdir()
    path = telling.write(study(facts=lambda t: [Fact("a fact", "1", "1", True)]), TABLE.iloc[:2], None, tmp_path / "s")
    text = path.read_text()
    assert text.startswith("# Is it true?")
    assert "| a fact | 1 | 1 | yes |" in text
    assert "(first-1.svg)" in text
    assert (tmp_path / "s" / "first-1.svg").read_text().startswith("<svg")
    assert "1 sampled rows is wrong with probability at most 1e-05" in text


def test_a_template_may_not_ask_for_what_is_not_there(tmp_path):
    template = tmp_path / "t.md"
    template.write_text("# {{ question }}\n{{ answer }}")
    with pytest.raises(jinja2.UndefinedError, match="'answer' is undefined"):
        telling.report(study(), TABLE.iloc[:2], template, {})


def test_derived_rows_reach_facts_and_figures_but_not_the_verdicts():
    def doubled(table):
        return [
            {"claim": "twice", "quantity": "twice", "N": row.N, "value": 2 * row.value} for row in table.itertuples()
        ]

    seen = []
    derived = study(derive=doubled, facts=lambda t: seen.append(set(t["claim"])) or [])
    text = telling.report(derived, TABLE.iloc[:2], None, {})
    assert seen == [{"prop2-first", "twice"}]
    assert text.count("twice") == 0
