from dataclasses import replace

import numpy as np
import pytest

from maml_bench.study.run import run
from maml_bench.study.tables import select
from studies import finite_sum
from studies.finite_sum import (
    DIGITS,
    LOGISTIC,
    QUADRATIC,
    SAWTOOTH,
    SECOND_MOMENT,
    SMOOTHNESS,
    STUDY,
    TRIGONOMETRIC,
    VARIANCE,
)


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Findings of the study's ends, and its report."""

    def ends(quick):
        return [cell for cell in STUDY.cells(True) if cell.parameters.get("N") != 20 or cell.parameters["αL"] != "0.1"]

    directory = tmp_path_factory.mktemp("study")
    findings = list(run(replace(STUDY, cells=ends), directory, quick=True))
    return findings, STUDY.tell(findings, directory), directory


def test_nothing_is_violated_and_all_is_told(told):
    findings, report, directory = told
    assert {f.verdict.outcome for f in findings} <= {"holds", "not refuted", "inconclusive"}
    assert "No bound is violated" in report
    for figure in ("steps.svg", "distance.svg", "directions.svg"):
        assert (directory / figure).stat().st_size > 10_000
        assert f"({figure})" in report


def test_concave_pair_by_hand(told):
    """The gradient of the target has norm 1 at w and stretches with the path: ``q^N ((1 + b) q^N - b)``."""
    found = select(told[0], SECOND_MOMENT, "local", QUADRATIC, αL="1/(8N)")
    for f in found:
        stretch = (1 + 1 / (8 * f.parameters["N"])) ** f.parameters["N"]
        b = f.parameters["b"]
        assert f.verdict.value == pytest.approx((stretch * ((1 + b) * stretch - b)) ** 2)
        assert f.verdict.ratio == pytest.approx(1)
    assert len(found) >= 8


def test_sawtooth_pair_attains_the_smoothness_for_every_distance(told):
    q, steps = 1 + 1 / 40, 5
    for f in select(told[0], SMOOTHNESS, "sharp", SAWTOOTH):
        curvature = q ** (2 * steps - 1) * (q**steps - 1)
        shift = q ** (steps - 1) * (q**steps - 1) ** 2
        assert f.verdict.bound == pytest.approx(q ** (2 * steps) + curvature + shift * f.parameters["b"])
        assert 0.999 < f.verdict.ratio <= 1


@pytest.mark.parametrize("pair", [finite_sum.concave_pair, finite_sum.sawtooth_pair, finite_sum.trigonometric_pairs])
def test_the_gradients_of_support_and_target_are_b_apart_and_the_targets_do_not_move(pair):
    sizes = []
    for b in (0.5, 20.0):
        tasks, w = pair(b)
        away = np.linalg.norm(tasks.support.grad(w) - tasks.target.grad(w), axis=-1)
        assert np.allclose(away, b)
        assert tasks.b == pytest.approx(b)
        sizes.append(np.linalg.norm(tasks.target.grad(w), axis=-1))
    assert np.allclose(*sizes)


def test_variance_of_the_concave_pair_by_hand(told):
    for f in select(told[0], VARIANCE, "sharp", QUADRATIC):
        assert f.verdict.value == pytest.approx(6 / f.parameters["Q"])  # (||A||_F^2 + 1)/Q with A = -I, d = 5
        assert f.verdict.ratio == pytest.approx(6 / 7)


def test_without_scikit_learn_the_report_says_so(told, monkeypatch, tmp_path):
    assert {f.problem for f in told[0]} >= {QUADRATIC, SAWTOOTH, TRIGONOMETRIC, LOGISTIC}
    report = STUDY.tell([f for f in told[0] if f.problem != DIGITS], tmp_path)
    assert "scikit-learn is not installed" in report
    assert "scikit-learn is not installed" not in told[1] or DIGITS not in {f.problem for f in told[0]}

    def missing(**options):
        raise ImportError

    monkeypatch.setattr(finite_sum, "digits", missing)
    assert DIGITS not in {cell.problem for cell in STUDY.cells(True)}
