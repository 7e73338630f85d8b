"""The summary holds every claim in every form on every family."""

import json

import pytest

from maml_bench import claims
from maml_bench.study.run import run
from studies import summary as study


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    directory = tmp_path_factory.mktemp("summary")
    findings = list(run(study.STUDY, directory, quick=True, workers=2))
    return findings, study.tell(findings, directory), directory


def test_every_claim_and_form_is_there_for_every_family(told):
    seen = {(f.verdict.claim, f.verdict.form, f.problem) for f in told[0]}
    assert seen == {(*key, family) for key in claims.CLAIMS for family in study.families()}


def test_every_claim_and_form_applies_to_some_family(told):
    applied = {(f.verdict.claim, f.verdict.form) for f in told[0] if f.verdict.outcome != "not applicable"}
    assert applied == set(claims.CLAIMS)


def test_no_bound_is_violated(told):
    assert not [f for f in told[0] if f.verdict.outcome == "violated"]


def test_extremal_instances_attain_their_bounds(told):
    ratio = {(f.verdict.claim, f.verdict.form, f.problem): f.verdict.ratio for f in told[0]}
    for claim, form in (
        ("prop1", "sharp"),
        ("prop2-second", "sharp"),
        ("prop4", "refined_local"),
        ("prop8", "sharp"),
        ("prop7-vector", "refined"),
    ):
        assert ratio[claim, form, "concave"] == pytest.approx(1, abs=1e-9), (claim, form)


def test_the_table_shows_what_the_rows_say(told):
    findings, report, directory = told
    found = next(f for f in findings if (f.verdict.claim, f.verdict.form, f.problem) == ("prop4", "paper", "quadratic"))
    assert study.entry(found) in report
    rows = [json.loads(line) for line in (directory / "findings.jsonl").read_text().splitlines()]
    assert len(rows) == len(findings)
