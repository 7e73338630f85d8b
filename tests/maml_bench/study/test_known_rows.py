"""Tables, notes and comparisons of known rows, read back cell by cell, at both sides of every threshold."""

import json

import numpy as np
import pandas as pd
import pytest

from maml_bench.problems import Quadratic
from maml_bench.study import Fact, Figure, HeatMap, Study, compare, facts, record, telling
from maml_bench.study.answers import answer, counts, form_rows
from maml_bench.study.findings import append, frame
from maml_bench.study.points import inner_loop
from maml_bench.study.tables import (
    atlas_table,
    entry,
    looseness_table,
    outcome_table,
    ratio_table,
    refusals,
    summary_sentence,
    where,
)
from maml_bench.study.text import markdown_table, number, span


def row(ratio=0.5, outcome="holds", evidence="exact", **fields):
    about = {
        "study": "s",
        "claim": "prop3",
        "form": "sharp",
        "problem": "one",
        "quantity": "E",
        "swept": ["problem", "N"],
    }
    found = {"value": 2 * ratio, "lower": 2 * ratio, "upper": 2 * ratio, "bound": 2.0, "ratio": ratio, "N": 1}
    return about | found | {"outcome": outcome, "evidence": evidence, "key": "k", "seconds": 1.0} | fields


REFUSED = row() | dict.fromkeys(("value", "lower", "upper", "bound", "ratio"))
REFUSED |= {"outcome": "not applicable", "evidence": "", "reason": "prop3 (sharp) needs finite rho"}
ROWS = [
    row(0.5, N=1),
    row(0.25, evidence="certified", N=2),
    row(0.75, "not refuted", "search", problem="two"),
    row(0.9, "inconclusive", "asymptotic", problem="two", N=4),
    row(2.0, "violated", "certified", form="paper"),
    row(0.125, form="paper", problem="two", N=8),
    REFUSED | {"problem": "three"},
    REFUSED | {"problem": "four", "reason": "prop3 (sharp) needs finite rho"},
    REFUSED | {"problem": "four", "form": "paper", "reason": "the bound overflows"},
    row(0.1, "", claim="curve", form="") | {"bound": None, "ratio": None},
]
TABLE = frame(ROWS)


def lines(table):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def test_outcomes_are_counted():
    header, rule, sharp, paper = lines(outcome_table(TABLE))
    shown = ["holds", "not refuted", "violated", "inconclusive", "not applicable"]
    assert header == ["claim, form", *shown, "exact", "smallest ratio", "largest ratio"]
    assert rule == ["---", *["---:"] * 8]
    assert sharp == ["prop3, sharp", "2", "1", "0", "1", "2", "1", "0.25", "0.9"]
    assert paper == ["prop3, paper", "1", "0", "1", "0", "1", "1", "0.125", "2"]
    header, _, only = lines(outcome_table(TABLE.iloc[:1]))
    assert header[1:4] == ["holds", "violated", "exact"] and only[1:4] == ["1", "0", "1"]
    assert summary_sentence(TABLE) == (
        "9 verdicts: 3 `holds`, 1 `not refuted`, 1 `violated`, 1 `inconclusive`, 3 `not applicable`. "
        "**Violated: prop3 (paper).**"
    )


def test_ratios_are_marked_by_their_evidence():
    header, _, sharp, paper = lines(ratio_table(TABLE))
    assert header == ["claim", "form", "one", "two", "three", "four"]
    assert sharp == ["prop3", "sharp", "≈0.25", "~0.9 ?", "·", "·"]  # the last row of each problem
    assert paper == ["prop3", "paper", "≈2 violated", "0.125", "·", "·"]
    nothing = row(0.0, value=0.0, bound=0.0)
    assert entry(frame([nothing]).iloc[0]) == "0/0" and entry(frame([nothing | {"value": 1.0}]).iloc[0]) == "/0"
    assert entry(frame([row(0.5, "not refuted", "search")]).iloc[0]) == "≥0.5" and entry(None) == "·"
    late = frame([row(0.5), REFUSED | {"N": 2}])
    assert lines(ratio_table(late))[2][2] == "0.5"  # a refusal hides no ratio


def test_looseness_is_bound_over_measured_and_where_it_is_largest():
    header, _, one, two, paper, last = lines(looseness_table(TABLE))
    assert header == ["claim, form", "problem", "least loose", "most loose", "at"]
    assert one == ["prop3, sharp", "one", "2", "4", "N = 2"]
    assert two == ["prop3, sharp", "two", "1.11", "1.33", "N = 1"]
    assert paper[:4] == ["prop3, paper", "one", "0.5", "0.5"]
    assert last == ["prop3, paper", "two", "8", "8", "N = 8"]
    for nothing in ({"lower": 0.0}, {"ratio": 0.0}):
        assert len(lines(looseness_table(frame([row() | nothing])))) == 2
    assert where(frame([row(alphaL=0.12345, swept=["problem", "alphaL", "N"])]).iloc[0]) == "alphaL = 0.123, N = 1"


def test_refusals_are_told_once():
    assert refusals(TABLE) == "- prop3 (sharp) on three, four: finite rho\n- prop3 on four: the bound overflows\n"


def test_an_atlas_names_the_largest():
    rows = [
        row(ratio, arena=f"arena {ratio}", supremum=None, alphaL=0.5, d=d, N=d) for d, ratio in ((1, 0.2), (3, 0.8))
    ]
    rows += [
        row(0.3, form="paper", arena="third", supremum=0.4, d=2),
        row(0.0, form="local", arena="none", supremum=None),
    ]
    _, _, sharp, paper = lines(atlas_table(frame(rows)))
    assert sharp == ["prop3, sharp", "0.8", "open, 0.8 to 1", "arena 0.8", "N = 3, αL = 0.5, d = 3", "0.2 to 0.8"]
    assert paper == ["prop3, paper", "0.3", "0.4", "third", "N = 1, d = 2", "0.3 to 0.3"]


def test_answers_count_what_is_sure():
    table = frame(ROWS[:4])
    text = answer(table, ("sharp",))
    assert text == (
        "**Holds in 2 of 4 checks**, 2 of them exact or certified; not refuted by 1 search; "
        "1 left open by budget or rounding. The form `sharp` is within a factor of 1.11 on the worst problem found."
    )
    assert counts(table) == {"exact": 1, "certified": 1, "asymptotic": 1, "search": 1, "violated": 0, "open": 1}
    (sharp,) = form_rows(frame([*ROWS[:4], *ROWS[6:8]]), ("sharp",))
    assert (sharp.form, sharp.checks, sharp.held, sharp.violated, sharp.open, sharp.refused) == ("sharp", 4, 2, 0, 2, 2)
    assert (sharp.least, sharp.most) == pytest.approx((1 / 0.9, 4))
    for ratio, words in (
        (1.0, "is attained on"),
        (1 - 1e-7, "is attained on"),
        (1 - 1e-5, "is attained, to the digits"),
    ):
        assert f"`sharp` {words}" in answer(frame([row(ratio)]), ("sharp",))
    both = answer(
        frame([row(0.5, form="paper"), row(0.1, form="paper", N=2), row(0.8, form="local"), row(0.4)]),
        ("paper", "sharp", "local"),
    )
    assert "The paper's constant, as reconstructed, is 2 to 10 times the measured value here. The form `local`" in both
    assert "within a factor of 1.25 on" in both


def test_a_note_adds_up_what_may_be_wrong():
    assert "the 3 sampled rows is wrong" in telling.note(TABLE) and "probability 1 at least" in telling.note(TABLE)
    many = frame([row(evidence="certified", N=n) for n in range(1000)])
    assert "with probability at most 1e-05, so all of them are right with probability 0.99 at least" in telling.note(
        many
    )


def test_what_a_study_told_is_written_down(tmp_path):
    figures = {
        "lines": Figure("prop3", x="N", across="problem", forms=("sharp",)),
        "map": HeatMap("form", "problem", claim="c"),
    }
    study = Study("s", "Why?", [], figures, facts=lambda table: [Fact("w", "1", "2", False)])
    stale = tmp_path / "old-1.svg"
    stale.write_text("")
    rows = [row(0.5, N=n, problem=p) for p in ("one", "two") for n in (1, 2)]
    telling.write(study, frame(rows), None, tmp_path)
    told = json.loads((tmp_path / "study.json").read_text())
    assert (told["name"], told["question"]) == ("s", "Why?")
    assert told["facts"] == [{"words": "w", "expected": "1", "found": "2", "agrees": False}]
    assert [(f["name"], f["claim"], len(f["panels"])) for f in told["figures"]] == [
        ("lines", "prop3", 2),
        ("map", "c", 1),
    ]
    drawn = telling.figures(study, frame(rows))
    for figure in told["figures"]:
        for i, (panel, shown) in enumerate(zip(figure["panels"], drawn[figure["name"]], strict=True), 1):
            assert panel == {
                "file": f"{figure['name']}-{i}.svg",
                "title": shown.title,
                "words": shown.words,
                "box": shown.box,
            }
            assert (tmp_path / panel["file"]).exists()
    assert not stale.exists()
    text = (tmp_path / "report.md").read_text()
    assert text.index("lines-1.svg") < text.index("lines-2.svg") < text.index("map-1.svg") < text.index("## Verdicts")
    assert "\n\n\n" not in text and text.endswith(".\n")


def test_two_runs_differ_where_their_limits_exclude_each_other(tmp_path):
    def run(name, **fields):
        folder = tmp_path / name
        folder.mkdir()
        append(
            folder / "findings.jsonl", [row(part=0, commit="c", **fields), row(part=0, key="other", N=2, seconds=3.0)]
        )
        record.write(folder, quick=False, seed=0)
        return folder

    before = run("before", value=1.0, lower=0.9, upper=1.1)
    for name, fields, differ in (
        ("same", {"value": 1.2, "lower": 1.1, "upper": 1.3}, False),
        ("above", {"value": 1.2, "lower": 1.1 + 1e-7, "upper": 1.3}, True),
        ("below", {"value": 0.8, "lower": 0.7, "upper": 0.9 - 1e-7}, True),
        ("rounding", {"value": 1.2, "lower": 1.1 + 1e-10, "upper": 1.3}, False),
        ("bound", {"value": 1.0, "lower": 0.9, "upper": 1.1, "bound": 2 + 1e-8}, True),
        ("near", {"value": 1.0, "lower": 0.9, "upper": 1.1, "bound": 2 + 1e-10}, False),
    ):
        found = compare.compare(before, run(name, **fields))
        assert (found.common, found.only_before, found.only_after, found.outcomes) == (2, 0, 0, [])
        assert (len(found.ratios) == 1) == found.changed == differ, name
        assert found.seconds == [("s", 4.0, 4.0)]
    (change,) = compare.compare(before, tmp_path / "above").ratios
    assert (change.before, change.after) == ("1 [0.9, 1.1] of 2", "1.2 [1.1, 1.3] of 2")
    assert (change.study, change.claim, change.form, change.problem, change.where) == (
        "s",
        "prop3",
        "sharp",
        "one",
        "N = 1",
    )


def test_kinds_of_runs_have_names():
    def kind(*kinds):
        return record.Origin(kinds, ("0",), 1, {"c": 1}, (), (), ())

    assert kind("full").kind == "Full run" and kind("quick").kind == "Quick look"
    assert kind("full", "quick").kind == "Full and quick studies mixed" and kind("x").kind == "Run of unrecorded size"
    assert (kind("quick").options, kind("full").options) == (" --quick", "")
    assert str(kind("full")) == "Full run, seed 0, day unrecorded; 1 rows of commit c."
    assert record.Origin(("full",), ("0", "7"), 1, {}, (), (), ()).options == " --seed 7"


def test_numbers_in_few_characters():
    told = {99_999.0: "99999", 100_000.0: "1e5", 1e5 - 0.5: "100000", 12.5: "12.5", -0.00123456: "-0.00123", 1.0: "1"}
    assert {x: number(x) for x in told} == told
    assert (
        number(None) == number(float("nan")) == "–" and number(1 / 3, 5) == "0.33333" and number(54321.9, 2) == "54000"
    )
    assert (
        span(0.12345, 0.12346) == "0.123"
        and span(1, 2, between="–") == "1–2"
        and span(0.12345, 0.12346, 5) == "0.12345 to 0.12346"
    )
    assert markdown_table(["a", "b"], [["x", 1], ["y", 2.5]]) == "| a | b |\n| --- | ---: |\n| x | 1 |\n| y | 2.5 |\n"


def test_inner_steps_in_units_of_the_curvature():
    tasks = Quadratic(4 * np.eye(2)[None], np.zeros((1, 2)))
    assert inner_loop(tasks, 0.5, 3, S=2).alpha == 0.125 and inner_loop(tasks, 0.5, 3, S=2).S == 2
    assert inner_loop(tasks, None, 3).alpha == pytest.approx(1 / 24 / 4) and inner_loop(tasks, None, 3).steps == 3


def test_extreme_slopes_have_the_lower_limits_on_one_side_and_the_upper_on_the_other():
    """Weights are below 1 where x spans more than e, above where it spans less; the middle point has none."""
    value, lower, upper = np.ones(3), np.array([0.5, 0.1, 0.25]), np.array([2.0, 9.0, 8.0])
    for span_, x in ((np.log(100), [1, 10, 100]), (np.log(1.44), [1, 1.2, 1.44])):
        found = facts.loglog_slope(x, value, lower, upper)
        assert found.value == pytest.approx(0, abs=1e-12)
        assert found.lower == pytest.approx((np.log(0.25) - np.log(2)) / span_)
        assert found.upper == pytest.approx((np.log(8) - np.log(0.5)) / span_)


def test_facts_at_both_sides_of_their_thresholds():
    at = pd.DataFrame({"ratio": [1.0, 1 - 1e-4]})
    assert facts.attained("x", at, within=1.1e-4).agrees and not facts.attained("x", at, within=0.9e-4).agrees
    assert facts.attained("x", at).found == "2 rows, at most 1.0e-04 away"
    assert facts.attained("x", at, 1e-3).expected == "ratio 1 ± 0.001"
    assert facts.equal("x", 2.002, 2.0, within=1.1e-3).agrees and not facts.equal("x", 2.002, 2.0, within=0.9e-3).agrees
    assert facts.equal("x", -2.002, -2.0, within=1.1e-3).agrees
    assert facts.near("x", 2.09, 2.0).agrees and facts.near("x", 1.91, 2.0).agrees
    assert not facts.near("x", 2.11, 2.0).agrees and not facts.near("x", 1.89, 2.0).agrees
    low, high = facts.between("x", [1, 2], low=1), facts.between("x", [1, 2], high=2)
    assert (low.expected, high.expected, facts.between("x", [1.5], 1, 2).expected) == ("≥ 1", "≤ 2", "1 to 2")
    assert low.agrees and high.agrees and not facts.between("x", [1, 2], low=1.01).agrees
    assert facts.between("x", [3.0], 1, 2, expected="few").expected == "few"
    table = pd.DataFrame({"lower": [1.0], "upper": [2.0]})
    for bound, inside in ((1 - 2e-9, 0), (1 - 0.5e-9, 1), (1.5, 1), (2 + 1e-9, 1), (2 + 3e-9, 0)):
        assert facts.bracketed("x", table.assign(bound=bound)).found == str(inside)
    grid = pd.DataFrame({"x": [1.0, 2.0, 3.0], "upper": [0.5, 1 + 0.5e-9, 1 + 2e-9]})
    assert facts.crossing(grid, "x", 1.0) == (2, 3)
    powers = pd.DataFrame({"N": [1.0, 2.0], "value": [1.0, 2.0], "lower": [1.0, 2.0], "upper": [1.0, 2.0]})
    for expected, agrees in ((0.91, True), (1.09, True), (0.89, False), (1.11, False)):
        assert facts.exponent("x", powers, "N", expected).agrees is agrees
    wide = powers.assign(upper=[1.0, 2.1])
    found = facts.exponent("x", wide, "N", 1.0)
    assert found.found == "1.000 [1.000, 1.070]" and found.expected == "1 ± 0.1" and found.agrees
    assert facts.exponent("x", wide, "N", 0.95).agrees is None
    assert facts.exponent("x", powers, "N", 1.0).found == "1.000"
