"""The studies are data, and small; of the committed findings none is violated, and every fact agrees with them.

No study is run here: `make reference` renews what is committed.
"""

from pathlib import Path

import pytest

import maml_bench
from maml_bench.cli.studies import STUDIES, load_study, template
from maml_bench.study import load, telling

REPORTS = Path(maml_bench.__file__).parents[1] / "reports"
COMMITTED = sorted(path.parent.name for path in REPORTS.glob("*/findings.jsonl"))


def test_there_are_committed_findings():
    assert {"summary", "inner-path", "meta-gradient-bias"} <= set(COMMITTED) <= set(STUDIES)


@pytest.mark.parametrize("name", COMMITTED)
def test_committed_findings(name):
    study, table = load_study(name), load(REPORTS / name)
    assert set(table["study"]) == {name} == {study.name}
    assert not len(table[table["outcome"] == "violated"])
    wrong = [fact for fact in telling.facts(study, table) if fact.agrees is not True]
    assert not wrong
    text = telling.report(study, table, template(name), {figure: [] for figure in study.figures})
    assert text.startswith(f"# {study.question}")
    assert "nan" not in text


@pytest.mark.parametrize("name", STUDIES)
def test_quick_cases_are_fewer_and_no_case_is_there_twice(name):
    study = load_study(name)
    quick, full = study.all_cases(quick=True), study.all_cases()
    assert 0 < len(quick) <= len(full)
    seen = [(str(case.parameters), claim.name, claim.form) for case in full for claim in case.claims]
    assert len(seen) == len(set(seen))


def test_a_study_of_that_name_must_exist():
    with pytest.raises(ValueError, match="unknown study 'nothing'"):
        load_study("nothing")
