"""Propositions 1 and 4 in the finite-sum case, against hand computations."""

from dataclasses import replace

import numpy as np
import pytest
from zoo import Understated, assert_mean, at, within_ceiling

from maml_bench import InnerLoop, Setting, check, claims
from maml_bench.adaptation import exact_path
from maml_bench.claims import finite_sum
from maml_bench.claims.constants import constants
from maml_bench.hessians import CentralDifference, FirstOrder, GaussianSmoothing, ZerothOrder
from maml_bench.meta_gradient import meta_objective
from maml_bench.montecarlo.tilted import EnvelopeExceeded
from maml_bench.problems import FiniteSum, Logistic, Quadratic, RankOne, Trigonometric

NAMES = ("finite-prop1", "finite-prop4")


def quadratics(tasks=3, dim=3):
    first = Quadratic.random(dim, tasks, 0)
    return FiniteSum.pair(first, Quadratic(first.A, first.b + np.random.default_rng(1).standard_normal((tasks, dim))))


def test_one_step_by_hand():
    # Task 1: grad l_S = 2w - 1, grad l_T = 2w; task 2: grad l_S = 2w, grad l_T = 2w - 4. From w = 3 with
    # alpha = 1/4 the inner points are 3 - 5/4 = 7/4 and 3/2, the target gradients there 7/2 and -1, halved by
    # I - alpha H: 7/4 and -1/2.
    tasks = FiniteSum.pair(Quadratic([[2.0]], [[1.0], [0.0]]), Quadratic([[2.0]], [[0.0], [4.0]]))
    setting = at(tasks, 3.0, 0.25, 1)
    assert check("finite-prop4", setting, form="local").value == pytest.approx((49 / 16 + 1 / 4) / 2)
    # The meta gradients have the slopes (1/2) 2 (1/2) = 1/2.
    assert check("finite-prop1", setting).value == pytest.approx(0.5)
    names = ["grad_norm", "task_grad_norm", "task_grad_rms", "b", "b_tilde", "sigma"]
    expected = [5 / 8, (6 + 2) / 2, np.sqrt((36 + 4) / 2), (1 + 4) / 2, (1 + 16) / 2, 2.0]
    np.testing.assert_allclose(list(constants(setting, names).values()), expected)


def test_the_meta_gradient_is_that_of_the_target_after_adapting_on_the_support():
    tasks, w = Logistic.random(2, 3, 0), np.array([0.5, -1.0])
    setting = at(tasks, w, 0.5, 3)

    def objective(point):
        return meta_objective(tasks.support, point, 0.5, 3, tasks.target)

    step = 1e-5
    gradient = [(objective(w + step * e) - objective(w - step * e)) / (2 * step) for e in np.eye(2)]
    verdict = check("finite-prop4", setting, form="local")
    assert verdict.value == pytest.approx(np.sum(np.square(gradient), axis=0).mean(), rel=1e-7)
    assert verdict.method == "exact"


@pytest.mark.parametrize("steps", [1, 4])
def test_a_concave_quadratic_attains_the_second_moment(steps):
    # grad l_T(q^N w) = -L q^N w - b = q^N grad l_T(w) + (q^N - 1) b, and both terms are positive.
    tasks = FiniteSum.pair(Quadratic([[-1.5]], [[0.0]]), Quadratic([[-1.5]], [[2.0]]))
    setting = at(tasks, -3.0, 0.1, steps)
    verdict = check("finite-prop4", setting, form="local")
    assert verdict.outcome == "holds"
    assert verdict.ratio == pytest.approx(1, abs=1e-12)
    assert check(claims.get("finite-prop4", "local").scaled(0.999), setting).outcome == "violated"


def test_the_search_finds_the_supremum_of_quadratics():
    setting = at(quadratics(), 1.0, 0.2, 3)
    exact, found = (check("finite-prop1", setting, method=method).value for method in ("exact", "search"))
    assert found == pytest.approx(exact, rel=1e-9)


FAMILIES = {
    "quadratic": quadratics(),
    "logistic": Logistic.random(3, 4, 0),
    "trigonometric": FiniteSum.pair(Trigonometric.random(3, 4, 0), Trigonometric.random(3, 4, 0)),
    "rank-one": FiniteSum(RankOne.random(3, 2, 0, radius=1.0), RankOne.random(3, 2, 1, radius=1.0), 5.0),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("tasks", FAMILIES.values(), ids=FAMILIES)
def test_all_forms_hold(name, tasks):
    setting = at(tasks, 0.3, 0.02, 3)
    for form in claims.forms(name):
        verdict = check(name, setting, form=form)
        assert verdict.outcome == ("holds" if verdict.method == "exact" else "not refuted"), form
        assert 0 < verdict.ratio < 1


def test_what_the_statements_exclude():
    inner, w = InnerLoop(0.02, 3), np.ones(3)
    for name in NAMES:
        assert "support and a target loss" in check(name, Setting(Quadratic.random(3, 2, 0), w, inner)).reason
        assert "ball of radius 1 " in check(name, Setting(FAMILIES["rank-one"], w, inner)).reason
    with pytest.raises(ValueError, match="method = 'monte-carlo': finite-prop1"):
        check("finite-prop1", Setting(FAMILIES["logistic"], w, inner), method="monte-carlo")
    for hessian, words in (
        (CentralDifference(0.1), "states its kind"),
        (ZerothOrder(0.1, 2, baseline="mean"), "zeroth-order-mean"),
    ):
        assert words in check("finite-prop4", Setting(FAMILIES["logistic"], w, inner, hessian)).reason


ESTIMATORS = [GaussianSmoothing(0.1, 20), ZerothOrder(0.1, 20), ZerothOrder(0.1, 20, stein=True), FirstOrder()]


@pytest.mark.parametrize("hessian", ESTIMATORS, ids=lambda h: h.kind)
def test_the_second_moment_with_other_hessians(hessian):
    # exact on quadratics by the moments of Gaussian vectors; limits at 1e-6 a side
    setting = at(quadratics(), np.array([0.3, -0.5, 1.0]), 0.2, 3, hessian)
    exact = check("finite-prop4", setting, form="local")
    local = claims.get("finite-prop4", "local")
    drawn = check(local, setting, method="monte-carlo", budget=20_000, confidence=1 - 2e-6, precision=0)
    assert (exact.method, exact.outcome) == ("exact", "holds")
    slack = 1e-12 * exact.value
    assert drawn.lower - slack <= exact.value <= drawn.upper + slack
    for name in ("logistic", "trigonometric"):
        for form in ("sharp", "local", "refined", "cone"):
            found = check("finite-prop4", at(FAMILIES[name], 0.3 * np.ones(3), 0.02, 3, hessian), form=form)
            assert found.outcome == "holds" and 0 < found.ratio < 1, form


def test_the_second_moment_with_smoothed_hessians_by_hand():
    # one step on l = (3/2) w^2: (1 - alpha 3 mean of u^2)^2 = 1 - 2 a + a^2 (1 + 2/Q), a = 3 alpha, times a target's 4
    tasks = FiniteSum.pair(Quadratic([[3.0]], [[0.0]]), Quadratic([[3.0]], [[2.0]]))
    setting = at(tasks, np.array([20 / 7]), 0.1, 1, GaussianSmoothing(0.1, 5))
    verdict = check("finite-prop4", setting, form="local")
    assert verdict.value == pytest.approx(4**2 * (1 - 0.6 + 0.09 * 1.4))
    q, V = 1.3, 9 * 3 / 5
    growth = q**2 + 0.01 * V
    assert verdict.bound == pytest.approx(growth * (q * (60 / 7 - 2) + (q - 1) * 2) ** 2)


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("hessian", ESTIMATORS[:3], ids=lambda h: h.kind)
def test_tilted_second_moments(hessian, steps):
    """The mean is exact on quadratic support losses; the ceiling is (1 + alpha r)^(2N) times that of the gradients."""
    setting = at(quadratics(), np.array([0.3, -0.5, 1.0]), 0.03, steps, replace(hessian, directions=2))
    capped = finite_sum.capped_squares(setting)
    assert_mean(within_ceiling(capped), finite_sum.exact_square(setting), sigmas=5.5)
    L, dim = setting.tasks.support.regularity.L, 3
    r = {
        "gaussian-smoothing": L * np.sqrt(dim + 2),
        "zeroth-order": L / 2 * np.sqrt((dim + 2) * (dim + 4) * (dim + 6)),
        "zeroth-order-stein": L / 2 * np.sqrt((dim + 2) * ((dim + 4) * (dim + 6) + dim)),
    }[hessian.kind]
    end = exact_path(setting.tasks.support, setting.w, 0.03, steps)[-1]
    square = np.sum(setting.tasks.target.grad(end) ** 2, axis=-1).mean()
    assert capped.ceiling == pytest.approx((1 + 0.03 * r) ** (2 * steps) * square)


def test_second_moments_of_logistic_pairs_are_certified():
    """At the setting of the study ``finite-sum``; and one that is crude is not taken."""
    tasks = Logistic.random(5, 8, 5)
    for directions in (1, 8):
        setting = at(tasks, 1.0, 1 / (8 * tasks.regularity.L), 1, GaussianSmoothing(0.01, directions))
        for form in ("sharp", "local", "refined", "cone"):
            verdict = check("finite-prop4", setting, form=form, confidence=1 - 1e-5)
            assert (verdict.outcome, verdict.evidence) == ("holds", "certified")
        assert check(claims.get("finite-prop4", "local").scaled(0.25), setting).outcome == "violated"
    assert finite_sum.capped_squares(at(tasks, 1.0, 1.0, 9, GaussianSmoothing(0.01, 1))) is None


def test_a_false_certificate_is_shown_by_the_second_moment():
    support = Understated(-1.5 * np.eye(2)[None], np.ones((1, 2)))
    tasks = FiniteSum(support, Quadratic(np.eye(2)[None], np.ones((1, 2))), 5.0)
    with pytest.raises(EnvelopeExceeded, match="exceeds its envelope"):
        within_ceiling(finite_sum.capped_squares(at(tasks, 0.3, 0.1, 1, GaussianSmoothing(0.1, 1))))
