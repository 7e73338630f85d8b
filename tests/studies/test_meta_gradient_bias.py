"""The study of Proposition 3: rates 1/S and 1/sqrt(S), and no bias on quadratics."""

import pytest

from maml_bench.adaptation import exact_path
from maml_bench.study.facts import measured_slope
from maml_bench.study.run import run
from maml_bench.study.tables import select
from studies import meta_gradient_bias as study


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    directory = tmp_path_factory.mktemp("bias")
    findings = list(run(study.STUDY, directory, quick=True, workers=2))
    return findings, study.tell(findings, directory), directory


@pytest.mark.parametrize("alpha", [0.01, 0.1, 0.3])
def test_the_first_exact_step_ends_on_the_kink(alpha):
    tasks, w = study.kink_at(alpha)
    assert exact_path(tasks, w, alpha, 1)[-1] == pytest.approx(0, abs=1e-14)


def test_nothing_is_violated_and_everything_is_told(told):
    findings, report, directory = told
    assert {f.verdict.outcome for f in findings} <= {"holds", "inconclusive", "not applicable"}
    assert "No bound is violated" in report
    for name in ("batch-size", "steps"):
        assert (directory / f"{name}.svg").stat().st_size > 5000


def test_no_bias_on_quadratics(told):
    assert all(f.verdict.value == 0 for f in select(told[0], "prop3", "sharp", study.QUADRATIC))


def test_rates(told):
    slopes = {
        problem: measured_slope(study._by_batch(told[0], problem), "S").value
        for problem in (study.TRIGONOMETRIC, study.KINK)
    }
    assert slopes[study.TRIGONOMETRIC] == pytest.approx(-1, abs=0.1)
    assert slopes[study.KINK] == pytest.approx(-0.5, abs=0.1)


def test_the_smooth_form_needs_a_third_derivative(told):
    assert {f.verdict.outcome for f in select(told[0], "prop3", "smooth", study.KINK)} == {"not applicable"}
