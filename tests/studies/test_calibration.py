"""Verdicts are right as often as they say. False alarms: the rate is 5 %,
and a test fails if its Clopper-Pearson interval excludes it.
"""

import dataclasses

import numpy as np
import pytest

from maml_bench.study.findings import FindingsFile
from maml_bench.study.run import run
from studies import calibration as study


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    directory = tmp_path_factory.mktemp("calibration")
    cells = [dataclasses.replace(cell, repeats=100, budget=60_000) for cell in study.cells(quick=True)[:3]]
    findings = list(run(dataclasses.replace(study.STUDY, cells=lambda quick: cells), directory, workers=2))
    return findings, study.tell(findings, directory), directory


def test_truths_are_exact(told):
    assert all(f.verdict.method == "exact" for f in told[0])


def test_false_decisions_are_as_rare_as_stated(told):
    for finding in told[0]:
        found = study.relative(finding)
        for wrong in (found.violated(1.0), found.holds(1 - 1e-9)):
            assert wrong.lower <= 1 - study.CONFIDENCE, finding.verdict.claim


def test_three_percent_are_noticed(told):
    for finding in told[0]:
        found = study.relative(finding)
        assert found.violated(study.TOO_LOW).value >= 0.95, finding.verdict.claim
        assert found.holds(study.TOO_HIGH).value >= 0.95, finding.verdict.claim


def test_repeated_runs_survive_the_file(told):
    findings, report, directory = told
    stored = FindingsFile(directory / "findings.jsonl").load()
    assert all(stored[f.key].repeated == f.repeated and len(f.repeated["noticed"]) == 100 for f in findings)
    assert "stated error rate is kept" in report


def test_variance_reduction_gains_at_least_an_order_of_magnitude():
    gains = {row[0]: float(row[2]) for row in study.gains()}
    assert gains["prop2-mean"] > 1e3
    assert gains["prop3"] > 1e9
    assert gains["prop4"] > 10
    assert gains["prop6"] > 1e9
    assert np.isfinite(list(gains.values())).all()
