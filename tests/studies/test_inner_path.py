"""The study of Proposition 2, with small budgets: what it asserts in words follows from its numbers."""

import dataclasses
import math

import pytest

from maml_bench.study.run import run
from maml_bench.study.tables import select
from studies import inner_path as study


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    directory = tmp_path_factory.mktemp("inner-path")
    cells = [
        dataclasses.replace(cell, budget=min(cell.budget, 20_000), precision=math.inf)
        for cell in study.cells(quick=True)
    ]
    findings = list(run(dataclasses.replace(study.STUDY, cells=lambda quick: cells), directory, workers=2))
    return findings, study.tell(findings, directory), directory


def test_nothing_is_violated_and_everything_is_told(told):
    findings, report, directory = told
    assert {f.verdict.outcome for f in findings} <= {"holds", "inconclusive"}
    assert "No bound is violated" in report
    for name in ("second-moment", "first-moment", "mean"):
        assert f"({name}.svg)" in report
        assert (directory / f"{name}.svg").stat().st_size > 5000


def test_the_extremal_quadratic_attains_the_sharp_second_moment_everywhere(told):
    chosen = select(told[0], "prop2-second", "sharp", study.CONCAVE)
    assert len(chosen) == 18
    assert all(f.verdict.method == "exact" and abs(f.verdict.ratio - 1) < 1e-12 for f in chosen)


def test_the_papers_second_moment_is_loose_by_the_factor_that_the_formulas_give(told):
    # On the extremal quadratic: 2 sum x^k / sum q^(2k), x = 1 + 2a + 2a^2, q = 1 + a, here a = 0.3 and N = 20.
    (found,) = select(told[0], "prop2-second", "paper", study.CONCAVE, αL="0.3", N=20, S=1)
    loose = 2 * sum(1.78**k for k in range(20)) / sum(1.69**k for k in range(20))
    assert 1 / found.verdict.ratio == pytest.approx(loose, rel=1e-9)
    assert f"{loose:.3g}" in told[1]


def test_exponents_of_the_first_moment(told):
    # In units of alpha, with alpha L = 1/(8N): near 1/2 for the measured value and the sharp bound,
    # near 1 for the paper's.
    row = next(line for line in told[1].splitlines() if line.startswith(f"| {study.CONCAVE} |"))
    measured, sharp, paper = (float(cell.split()[0]) for cell in row.split("|")[2:5])
    assert measured == pytest.approx(0.52, abs=0.05)
    assert sharp == pytest.approx(0.52, abs=0.005)
    assert paper == pytest.approx(1.02, abs=0.005)
