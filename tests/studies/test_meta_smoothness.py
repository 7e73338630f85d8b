from dataclasses import replace

import numpy as np
import pytest

from maml_bench import InnerLoop, Setting, check
from maml_bench.problems.sawtooth import Sawtooth
from maml_bench.study.run import run
from maml_bench.study.tables import select
from studies import meta_smoothness
from studies.meta_smoothness import CONCAVE, CONVEX, SAWTOOTH, SHRINKING, STUDY, TRIGONOMETRIC


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Findings of the quick study and its report."""
    directory = tmp_path_factory.mktemp("study")
    findings = list(run(STUDY, directory, quick=True))
    return findings, STUDY.tell(findings, directory), directory


def test_nothing_is_violated_and_all_is_told(told):
    findings, report, directory = told
    assert {f.verdict.outcome for f in findings} == {"holds", "not refuted"}
    assert "No bound is violated" in report
    for figure in ("steps.svg", "size.svg"):
        assert (directory / figure).stat().st_size > 10_000
        assert f"({figure})" in report


def test_concave_quadratic_has_the_smoothness_q_to_the_2n(told):
    for f in select(told[0], "prop1", "sharp", CONCAVE):
        steps = f.parameters["N"]
        alpha = 1 / (8 * steps) if f.parameters["αL"] == SHRINKING else float(f.parameters["αL"])
        assert f.verdict.value == pytest.approx((1 + alpha) ** (2 * steps))
        assert f.verdict.ratio == pytest.approx(1)


def test_convex_quadratic_gets_smoother_with_every_step(told):
    values = [f.verdict.value for f in select(told[0], "prop1", "sharp", CONVEX, αL="0.3")]
    assert values == sorted(values, reverse=True)
    # The curvature at eigenvalue x after N steps is x (1 - alpha x)^(2N); x runs over [0.1, 1].
    assert values[0] <= max(x * (1 - 0.3 * x) ** 2 for x in np.linspace(0.1, 1, 1000)) * (1 + 1e-6)


def test_sawtooth_attains_the_bound_with_the_gradient_term(told):
    for f in select(told[0], "prop1", "sharp", SAWTOOTH):
        steps = f.parameters["N"]
        alpha = 1 / (8 * steps) if f.parameters["αL"] == SHRINKING else float(f.parameters["αL"])
        q = 1 + alpha
        assert f.verdict.bound == pytest.approx(q ** (2 * steps) + 100 * q ** (2 * steps - 1) * (q**steps - 1))
        assert 0.86 < f.verdict.ratio <= 1
    assert "The gradient term is attained too" in told[1]


@pytest.mark.parametrize("steps", [1, 6])
def test_what_the_sawtooth_misses_is_proportional_to_its_width(steps):
    alpha, missing = 0.1, []
    for width in (0.04, 0.02):
        tasks = Sawtooth.along_path(alpha, steps, slope=100.0, width=width)
        missing.append(1 - check("prop1", Setting(tasks, np.zeros(1), InnerLoop(alpha, steps))).ratio)
    assert missing[0] / missing[1] == pytest.approx(2, rel=0.1)


def test_sawtooth_is_the_integral_of_its_curvature():
    tasks = Sawtooth.along_path(0.05, 5, 100.0, 0.1)
    w = np.random.default_rng(0).uniform(-40, 10, (2000, 1))
    h = 1e-4
    assert np.allclose((tasks.loss(w + h) - tasks.loss(w - h)) / (2 * h), tasks.grad(w)[:, 0], atol=1e-6)
    assert np.allclose((tasks.grad(w + h) - tasks.grad(w - h)) / (2 * h), tasks.hess(w)[..., 0], atol=2 * h)
    assert np.allclose(tasks.hess(tasks.points[:, None]), -1)
    with pytest.raises(ValueError, match="must exceed 2 width"):
        Sawtooth.along_path(0.1, 2, 1.0, 0.1)


def test_smoothness_grows_with_w_on_trigonometric_tasks_only(told):
    growth = {}
    for name, far in meta_smoothness.FAR.items():
        near, *_, last = select(told[0], "prop1", "sharp", far, αL=SHRINKING)
        growth[name] = last.verdict.value / near.verdict.value
        assert last.verdict.bound > 100 * near.verdict.bound
    assert growth[TRIGONOMETRIC] > 50
    assert growth[meta_smoothness.KINK] < 2
    assert "No global constant exists" in told[1]


def test_wording_follows_the_findings(told):
    findings = [
        replace(f, verdict=replace(f.verdict, ratio=f.verdict.ratio / 2)) if f.problem in (CONCAVE, SAWTOOTH) else f
        for f in told[0]
    ]
    report = STUDY.tell(findings, told[2])
    assert "attains it" not in report
    assert "The gradient term is attained too" not in report
