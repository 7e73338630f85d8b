"""The studies are data, and small."""

import pytest

from maml_bench.cli.studies import STUDIES, load_study, template


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_is_short_and_quick_cases_are_fewer(name):
    study = load_study(name)
    script = template(name).with_suffix(".py").read_text()
    assert sum(bool(line.strip()) for line in script.splitlines()) <= 145
    assert "from studies" not in script
    quick, full = study.all_cases(quick=True), study.all_cases()
    assert 0 < len(quick) <= len(full)
    seen = [(str(case.parameters), claim.name, claim.form) for case in full for claim in case.claims]
    assert len(seen) == len(set(seen))


def test_a_study_of_that_name_must_exist():
    with pytest.raises(ValueError, match="unknown study 'nothing'"):
        load_study("nothing")
