"""What is printed, read back word by word: known numbers in, and these lines out, no more and no fewer."""

import json
import re

import click
import numpy as np
import pytest

from analytic import STATEMENTS, statement
from maml_bench import claims
from maml_bench.algorithms import Run, Samples
from maml_bench.auditing.result import Audit, judged, skipped
from maml_bench.cli import terminal, training
from maml_bench.cli.commands import cli
from maml_bench.cli.progress import print_findings
from maml_bench.evidence import Evidence, Outcome
from maml_bench.power import Power
from maml_bench.study import Study
from maml_bench.study.findings import frame
from maml_bench.verdict import Verdict


@pytest.fixture
def printed(capsys, monkeypatch):
    """The lines that a function prints on 80 columns, without the blanks at their ends."""
    monkeypatch.setenv("COLUMNS", "80")

    def lines(print_, *arguments):
        print_(*arguments)
        return [line.rstrip() for line in capsys.readouterr().out.splitlines()]

    return lines


SAMPLED = Verdict("prop1", "sharp", Outcome.HOLDS, 1.23456789, 1.2, 1.3, 3.7, 1.23456789 / 3.7)
SAMPLED = {**vars(SAMPLED), "evidence": Evidence.CERTIFIED, "method": "monte-carlo", "replicates": 12345}
SAMPLED |= {"seconds": 1.234, "seed": 7, "reason": "limits are close"}


def test_a_verdict(printed):
    assert printed(terminal.print_verdict, Verdict(**SAMPLED)) == [
        "prop1 (sharp): holds",
        "  measured  1.23457 in [1.2, 1.3]",
        "  bound     3.7   measured/bound 0.3337",
        "  certified, 12,345 replicates, seed 7, 1.23 s: limits are close",
    ]
    exact = {"value": 3.14159265, "lower": 3.1416, "upper": 3.1416, "factor": 0.5, "method": "exact"}
    assert printed(terminal.print_verdict, Verdict(**SAMPLED | exact | {"evidence": Evidence.EXACT})) == [
        "prop1 (sharp, bound times 0.5): holds",
        "  measured  3.14159",
        "  bound     3.7   measured/bound 0.3337",
        "  exact, 1.23 s: limits are close",
    ]
    refused = Verdict("prop1", "sharp", Outcome.NOT_APPLICABLE, reason="prop1 (sharp) needs [a] finite rho")
    assert printed(terminal.print_verdict, refused) == [
        "prop1 (sharp): not applicable",
        "  prop1 (sharp) needs [a] finite rho",
    ]


POWER = Power(np.array([0.8, 0.9, 0.9, 0.96]), np.array([1.04, 1.1, 1.1, 1.2]), 5000)
NEVER, ONCE, THRICE, ALWAYS = "0.00 [0.00, 0.60]", "0.25 [0.01, 0.81]", "0.75 [0.19, 0.99]", "1.00 [0.40, 1.00]"
# (1 - p)^4 = 0.025 at 0.60: Clopper and Pearson's limits of 0, 1, 3 and 4 runs of 4


def test_power(printed):
    """The factors are multiples of what half of the runs notice and of what half of them confirm: 0.9 and 1.1."""
    title, header, *rows, last = printed(terminal.print_power, claims.get("prop2-second"), POWER)
    assert title == "prop2-second (sharp), 4 runs of 5,000 replicates"
    assert re.split(" {2,}", header) == ["bound times", "says violated", "says holds"]
    assert [row.split("  ") for row in map(str.strip, rows)] == [
        *([factor, ALWAYS, NEVER] for factor in ("0.45", "0.72")),
        *([factor, THRICE, NEVER] for factor in ("0.81", "0.855", "0.882", "0.891")),
        ["0.9", ONCE, NEVER],
        ["0.995", NEVER, NEVER],
        *([factor, NEVER, THRICE] for factor in ("1.1", "1.111", "1.122", "1.155")),
        *([factor, NEVER, ALWAYS] for factor in ("1.21", "1.375", "2.2")),
    ]
    assert {len(row) for row in (header, *rows)} == {len(header)}  # right-aligned
    assert last == "noticed in 50% of runs: times 0.9 or less; confirmed: 1.1 or more"
    wide = Power(np.linspace(0.5, 0.9, 41) * 2, np.linspace(1.1, 1.5, 41) * 2, 5000)
    *_, median, most = printed(terminal.print_power, claims.get("prop2-second"), wide)
    assert median == "noticed in 50% of runs: times 1.4 or less; confirmed: 2.6 or more"
    assert most == "noticed in 95% of runs: times 1.04 or less; confirmed: 2.96 or more"
    curve = terminal.power_as_dict(claims.get("prop2-second"), wide)["curve"]
    expected = [(1.4 if factor < 1 else 2.6) * factor for factor in terminal.FACTORS]
    assert [point["factor"] for point in curve] == pytest.approx(sorted([*expected, 1.4, (1.4 * 2.6) ** 0.5, 2.6]))
    for point in curve:
        for word in ("violated", "holds"):
            assert point[word]["value"] == getattr(wide, word)(point["factor"]).value


def test_limits_far_apart_have_factors_around_both_and_none_twice(printed):
    """Lower limits of 0 notice nothing, whatever the factor; the table still shows where runs confirm."""
    _, _, *rows, _ = printed(terminal.print_power, claims.get("prop2-second"), Power(np.zeros(4), np.ones(4), 5000))
    assert [row.split()[0] for row in rows] == ["0", "1", "1.01", "1.02", "1.05", "1.1", "1.25", "2"]
    assert [row.endswith(ALWAYS) for row in rows] == [False, *[True] * 7]


def test_brackets_are_printed_as_they_are(printed):
    """Of names and formulas, which rich would take for its markup."""
    _, line = printed(terminal.print_table, ["a", "b"], [["[grad l(w)]/2", "[/x]"]])
    assert line.split() == ["[grad", "l(w)]/2", "[/x]"]
    verdict = Verdict(**SAMPLED | {"claim": "mine [of 2]", "reason": "[in] words"})
    first, *_, last = printed(terminal.print_verdict, verdict)
    assert (first, last.split(": ")[1]) == ("mine [of 2] (sharp): holds", "[in] words")


def test_an_audit(printed):
    constants = {"L": 1.0, "rho": 0.0, "tau": 0.0, "sigma": 0.0, "sigma_g": 2.0, "sigma_H": 0.0, "radius": np.inf}
    rows = (judged("L", "a quotient", 1.0, 0.5), judged("sigma_g", "noise", 2.0, 3.0), skipped("tau", "no [third]"))
    title, header, *lines = printed(terminal.print_audit, Audit("Quadratic", rows, constants, 7, 1e-3, 1.25))
    assert title == "Quadratic: violated (seed 7, 1.2 s)"
    assert header.split() == ["name", "claimed", "found", "ratio", "outcome", "checked"]
    assert [line.split() for line in lines[:3]] == [
        ["L", "1", "0.5", "0.5", "holds", "a", "quotient"],
        ["sigma_g", "2", "3", "1.5", "violated", "noise"],
        ["tau", "–", "–", "–", "not", "checked", "no", "[third]"],
    ]
    text = " ".join(lines[3:])
    applies, _, refused = text.partition("does not apply, sigma_g is refuted: ")
    assert applies.startswith(" applies: lemma-a, ")
    uses = {each.name: [f for f, b in each.forms.items() if "sigma_g" in b.arguments] for each in STATEMENTS.values()}
    names = [
        name if len(forms) == len(STATEMENTS[name].forms) else f"{name} ({', '.join(forms)})"
        for name, forms in uses.items()
        if forms and not name.startswith("finite-")
    ]
    others = " does not apply, speaks of support and target losses: finite-lemma-a, "
    assert refused.startswith(", ".join(names) + others)
    passed = printed(terminal.print_audit, Audit("Quadratic", rows[:1], constants, 7, 1e-3, 1.25))
    assert passed[0] == "Quadratic: no violation found (seed 7, 1.2 s)"


def test_a_statement():
    prop3 = statement("prop3")
    text, latex = (terminal.statement_text(prop3, latex=latex).splitlines() for latex in (False, True))
    assert text[:2] == [f"prop3: {prop3.title}", f"  source: arXiv 2002.07836, {prop3.source}"]
    assert (text[2], latex[2]) == (f"  bounds {prop3.quantity}", f"  bounds {prop3.quantity_latex}")
    assert prop3.quantity != prop3.quantity_latex
    for form, bound in prop3.forms.items():
        at = text.index(f"{form}:")
        assert text[at - 1] == "" and text[at + 1].strip() == bound.text().splitlines()[0].strip()
        assert latex[latex.index(f"{form}:") + 1] == f"    {bound.latex()}"
        ending = [f"  needs {condition.words}" for condition in bound.conditions]
        ending += [f"  constants: {', '.join(bound.arguments)}", f"  proof: {bound.proof}"]
        for lines in (text, latex):
            from_here = lines[lines.index(f"{form}:") :]
            end = from_here.index("") if "" in from_here else len(from_here)
            assert from_here[end - len(ending) : end] == ending


def test_json_has_no_word_for_what_is_not_finite(capsys):
    terminal.print_json({"a": [1.5, np.inf, (np.nan, -np.inf)], "b": {"c": None, "d": "nan", "e": True}})
    assert json.loads(capsys.readouterr().out) == {
        "a": [1.5, None, [None, None]],
        "b": {"c": None, "d": "nan", "e": True},
    }


def test_the_course_of_runs(printed):
    """Three runs, of which one diverges at the second of three iterations: means and deciles are of the others."""
    norms = np.array([[1.0, 2.0, 6.0], [0.5, 1.5, np.nan], [0.25, 0.75, np.nan]])
    run = Run(np.zeros((3, 1)), norms, 10 * norms, norms, np.array([False, False, True]), Samples(1234, 0, 5))
    assert training.summary(run)[2] == {
        "iteration": 2,
        "gradient_norm": 0.5,
        "low": pytest.approx(0.3),
        "high": pytest.approx(0.7),
        "objective": 5.0,
        "diverged": 1,
    }
    title, header, *lines = printed(training.print_run, run)
    assert title == "3 runs of 3 meta-iterations"
    assert re.split(" {2,}", header) == ["iteration", "||grad calL||", "10 %", "90 %", "calL", "diverged"]
    assert [line.split() for line in lines[:3]] == [
        ["0", "3", "1.2", "5.2", "30", "0"],
        ["1", "1", "0.6", "1.4", "10", "1"],
        ["2", "0.5", "0.3", "0.7", "5", "1"],
    ]
    assert {len(line) for line in (header, *lines[:3])} == {len(header)}  # right-aligned
    assert lines[3:] == ["samples a run: 1,234 gradient, 5 function", "diverged: 1 of 3 runs"]
    assert "diverged" not in printed(training.print_run, Run(*[norms[:, :2]] * 4, np.zeros(2, bool), Samples(1)))[-1]


def test_a_long_course_is_told_at_ten_iterations():
    norms = np.ones((1000, 2))
    run = Run(np.zeros((2, 1)), norms, norms, norms, np.zeros(2, bool), Samples(1))
    shown = [row["iteration"] + 1 for row in training.summary(run)]
    assert shown == [1, 2, 5, 10, 22, 46, 100, 215, 464, 1000]


def test_a_run_about_to_diverge_may_have_an_infinite_gradient_and_no_objective():
    norms, nothing = np.array([[np.inf, 1.0]]), np.full((1, 2), np.nan)
    (found,) = training.summary(Run(np.zeros((2, 1)), norms, nothing, norms, np.zeros(2, bool), Samples(1)))
    assert found["gradient_norm"] == np.inf and np.isnan(found["objective"]) and found["diverged"] == 0


def row(claim, outcome, ratio):
    return {"claim": claim, "form": "sharp", "outcome": outcome, "ratio": ratio}


def test_what_a_study_found(printed):
    outcomes = ("holds", "holds", "holds", "violated", "violated", "not refuted", "inconclusive", "not applicable")
    rows = [row("prop3", outcome, 0.1 * number) for number, outcome in enumerate(outcomes, 1)]
    study, table = Study("s", "Is it true?", []), frame([*rows, row("curve", "", 9.0), row("prop1", "holds", 0.25)])
    assert printed(print_findings, study, table) == [
        "Is it true?",
        "(least and most: measured over bound)",
        "claim, form   holds  viol.  open  n/a  least  most",
        "prop3, sharp      3      2     2    1    0.1   0.8",
        "prop1, sharp      1      0     0    0   0.25  0.25",
    ]
    assert printed(print_findings, study, frame([row("curve", "", 9.0)])) == []


def test_a_table_is_aligned_as_asked(printed):
    lines = printed(terminal.print_table, ["name", "x"], [["long name", 1 / 3], ["b", 20]], [1], "title")
    assert lines == ["title", "name           x", "long name  0.333", "b             20"]
    assert printed(terminal.print_table, ["n", "x"], [["long", 1 / 3], ["b", 2]]) == [
        "n     x",
        "long  0.333",
        "b     2",
    ]


def test_the_help_of_every_option_says_what_it_does_and_its_default():
    for command in cli.commands.values():
        context = click.Context(command, terminal_width=80)
        for option in command.params:
            if isinstance(option, click.Option):
                _, words = option.get_help_record(context)
                default = option.get_default(context)
                assert option.help, option.opts
                if isinstance(default, int | float | str) and not option.is_flag and default != "":
                    assert f"[default: {default}" in words, (command.name, option.opts)
