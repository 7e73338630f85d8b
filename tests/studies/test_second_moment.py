from dataclasses import replace

import numpy as np
import pytest

from maml_bench.study.run import run
from maml_bench.study.tables import select
from studies.second_moment import CONCAVE, FIXED, QUADRATIC, SHRINKING, STUDY, TRIGONOMETRIC, problems


def small(quick):
    """The quick cells with a tenth of their budget."""
    return [replace(cell, budget=max(500, cell.budget // 10), precision=1.0) for cell in STUDY.cells(True)]


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Findings of the reduced study and its report."""
    directory = tmp_path_factory.mktemp("study")
    findings = list(run(replace(STUDY, cells=small), directory, quick=True))
    return findings, STUDY.tell(findings, directory), directory


def test_nothing_is_violated_and_all_is_told(told):
    findings, report, directory = told
    assert not select([f for f in findings if f.verdict.outcome == "violated"])
    assert "No bound is violated" in report
    for figure in ("steps.svg", "batches.svg"):
        assert (directory / figure).stat().st_size > 10_000
        assert f"({figure})" in report


def test_concave_quadratic_by_hand(told):
    """One variable, ``l = -w^2/2``, w = 1: every factor and the path's variance are explicit."""
    sigma_g, sigma_H = 3 * 1.5 / 2**0.5, 3 * 1.5**2 / 2**0.5
    found = select(told[0], "prop4", "refined_local", CONCAVE)
    for f in found:
        p, steps = f.parameters, f.parameters["N"]
        alpha = 1 / (8 * steps) if p["αL"] == SHRINKING else float(p["αL"])
        q = 1 + alpha
        path = alpha**2 * sigma_g**2 / p["S"] * sum(q ** (2 * j) for j in range(steps))
        factor = q**2 + alpha**2 * sigma_H**2 / p["D"]
        exact = factor**steps * (sigma_g**2 / p["T"] + q ** (2 * steps) + path)
        assert f.verdict.value == pytest.approx(exact)
        assert f.verdict.ratio == pytest.approx(1)
    assert len(found) == 18
    assert "attains the refined local form" in told[1]


def test_bounded_with_shrinking_steps_and_exponential_with_fixed_ones(told):
    for label, least, most in ((SHRINKING, 0.5, 1.5), (FIXED, 1000, 1e5)):
        values = [f.verdict.value for f in select(told[0], "prop4", "local", CONCAVE, sweep="N", αL=label)]
        assert least < values[-1] / values[0] < most


@pytest.mark.parametrize("name", [CONCAVE, QUADRATIC])
def test_the_share_of_s_is_of_order_1_over_s(told, name):
    def lost(form, field):
        values = [getattr(f.verdict, field) for f in select(told[0], "prop4", form, name, sweep="S")]
        return (values[0] - values[1]) / (values[1] - values[2])

    assert lost("local", "value") == pytest.approx(16)
    assert lost("refined_local", "bound") == pytest.approx(16)
    assert lost("local", "bound") < 8


def test_forms_are_ordered_and_say_where_they_do_not_apply(told):
    bounds = {form: [f.verdict.bound for f in select(told[0], "prop4", form)] for form in ("paper", "sharp", "refined")}
    known = np.isfinite(bounds["paper"])
    assert 0 < known.sum() < len(known)
    paper, sharp, refined = (np.array(bounds[form])[known] for form in ("paper", "sharp", "refined"))
    assert np.all(paper >= sharp)
    assert np.all(sharp >= refined)
    # q^(2N) < 2 at alpha L = 0.1 means N <= 3.
    refused = select(told[0], "prop4", "paper", sweep="N", αL=FIXED, N=20)
    assert {f.verdict.outcome for f in refused} == {"not applicable"}


def test_noise_is_as_the_report_says():
    for tasks in problems().values():
        assert tasks.regularity.sigma_H == pytest.approx(1.5 * tasks.regularity.sigma_g)


def test_trigonometric_tasks_are_sampled(told):
    assert {f.verdict.method for f in select(told[0], "prop4", "local", TRIGONOMETRIC)} == {"monte-carlo"}
