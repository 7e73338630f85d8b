"""Proposition 7 against exact variances, in every combination of norm, family and data.

Tests of a mean reject at five standard errors (false alarm about 6e-7 each, by normal approximation). Seeds are
fixed; ten were tried.
"""

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad
from zoo import assert_mean, draws, families, slanted

from maml_bench import InnerLoop, Setting, check, claims
from maml_bench.claims import gaussian_smoothing, hessian_draws
from maml_bench.hessians import GaussianSmoothing, ZerothOrder
from maml_bench.problems import (
    AdditiveGaussian,
    FiniteSum,
    Logistic,
    Quadratic,
    RandomPhase,
    SoftmaxBandit,
    Trigonometric,
)

INNER = InnerLoop(alpha=0.05, steps=2, D=3)
NAMES = ["prop7-vector", "prop7-frobenius", "prop7-spectral"]
FAMILIES = families()


def setting(tasks, nu=0.4, directions=3, data="resampled"):
    return Setting(tasks, slanted(tasks.dim), INNER, GaussianSmoothing(nu, directions, data=data))


def replicates(name, case):
    return draws(name, case, 20_000, seed=3)


@pytest.mark.parametrize("directions", [1, 3], ids=["gram", "matrix"])
@pytest.mark.parametrize("family", FAMILIES)
def test_replicates_have_the_exact_variance_as_mean(family, directions):
    case = setting(FAMILIES[family], directions=directions)
    assert_mean(replicates("prop7-vector", case), hessian_draws.vector_variance(case), slack=1e-11)
    assert_mean(replicates("prop7-frobenius", case), hessian_draws.frobenius_variance(case), slack=1e-11)


@pytest.mark.parametrize("noise", [AdditiveGaussian(0.3), RandomPhase(0.3, 1.5)], ids=repr)
@pytest.mark.parametrize("data", ["resampled", "population"])
def test_with_noise(noise, data):
    clean = setting(FAMILIES["trigonometric"])
    case = setting(clean.tasks.with_noise(noise), data=data)
    added = 2 * noise.sigma_g**2 / (3 * 3 * 0.4**2) if data == "resampled" else 0.0
    for name, exact, size in [
        ("prop7-vector", hessian_draws.vector_variance, 1),
        ("prop7-frobenius", hessian_draws.frobenius_variance, 4),
    ]:
        np.testing.assert_allclose(exact(case), exact(clean) + size * added, rtol=1e-12)
        assert_mean(replicates(name, case), exact(case))
        assert check(name, case).bound == pytest.approx(check(name, clean).bound + size * added, rel=1e-12)


def test_shared_data_cancel_additive_noise_and_no_other():
    tasks = FAMILIES["trigonometric"]
    clean, shared = setting(tasks), setting(tasks.with_noise(AdditiveGaussian(2.0)), data="shared")
    found, reference = check("prop7-vector", shared), check("prop7-vector", clean)
    assert (found.value, found.bound, found.method) == (reference.value, reference.bound, "exact")
    assert_mean(replicates("prop7-vector", shared), hessian_draws.vector_variance(shared))
    for name in NAMES:
        waves = check(name, setting(tasks.with_noise(RandomPhase(0.3, 1.5)), data="shared"))
        assert waves.outcome == "not applicable"
        assert "sampled loss" in waves.reason


@pytest.mark.parametrize("dim", [1, 2, 7])
def test_multiple_of_the_identity_nearly_attains_the_vector_bound(dim):
    case = setting(Quadratic(-2 * np.eye(dim), np.ones((1, dim))))
    assert check("prop7-vector", case).ratio == pytest.approx((dim + 1) / (dim + 2), rel=1e-12)
    assert check("prop7-frobenius", case).ratio == pytest.approx((dim + 1) / (dim + 2), rel=1e-12)
    for name in ("prop7-vector", "prop7-frobenius"):
        found = check(name, case, form="refined")
        assert (found.outcome, found.ratio) == ("holds", pytest.approx(1, rel=1e-12))


def test_exact_values_on_quadratics():
    tasks = FAMILIES["quadratic"]
    case = setting(tasks)
    v = hessian_draws.directions_at(case)
    square = np.linalg.norm(tasks.A) ** 2
    pushed = np.linalg.norm(v @ tasks.A, axis=-1) ** 2
    np.testing.assert_allclose(hessian_draws.vector_variance(case), (square + pushed) / 3)
    np.testing.assert_allclose(hessian_draws.frobenius_variance(case), square * 5 / 3)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", ["sharp", "refined"])
@pytest.mark.parametrize("family", ["quadratic", "trigonometric", "kink"])
def test_holds_by_sampling(family, form, name):
    found = check(name, setting(FAMILIES[family], directions=5), form=form, method="monte-carlo", budget=16_384)
    assert (found.outcome, found.method) == ("holds", "monte-carlo")


def test_sampling_tells_the_refined_constant_from_a_smaller_one():
    case = setting(Quadratic(np.eye(3), np.ones((1, 3))), directions=20)
    smaller = claims.get("prop7-vector", "refined").scaled(0.9)
    assert check(smaller, case, method="monte-carlo").outcome == "violated"


@pytest.mark.by_chance(6e-7)
def test_spectral_against_matrices():
    tasks, directions = Quadratic(np.diag([2.0, -1.0, 0.5]), np.ones((1, 3))), 4
    case = setting(tasks, directions=directions)
    u = np.random.default_rng(0).standard_normal((20_000, directions, 3))
    deviations = tasks.A @ (u.mT @ u / directions - np.eye(3))
    reference = np.linalg.norm(deviations, ord=2, axis=(-2, -1)) ** 2
    values = replicates("prop7-spectral", case)[:, 0, 0]
    error = np.hypot(values.std(), reference.std()) / np.sqrt(20_000)
    assert abs(values.mean() - reference.mean()) < 5 * error


@pytest.mark.by_chance(6e-7)
@pytest.mark.parametrize("directions", [1, 5])
@pytest.mark.parametrize("family", FAMILIES)
def test_spectral_and_what_it_lacks_to_the_frobenius_norm(family, directions):
    case = setting(FAMILIES[family], directions=directions)
    found = replicates("prop7-spectral", case)
    assert_mean(found.sum(-1), hessian_draws.frobenius_variance(case), slack=1e-11)
    assert np.all(found >= 0) and np.all(found[..., 0] >= found.sum(-1) / case.tasks.dim * (1 - 1e-9))


def test_a_spectral_norm_is_told_by_what_it_lacks_to_the_frobenius_norm():
    """One direction on a bowl: uu^T - I has the square norm max((x - 1)^2, 1), x of chi squared, which spreads widely,
    and lacks d - 1 or less to the Frobenius norm, which hardly does.
    """
    found = check("prop7-spectral", setting(Quadratic(np.eye(4), np.ones((1, 4))), directions=1), form="refined")
    density = stats.chi2(4).pdf
    mean = sum(quad(lambda x: max((x - 1) ** 2, 1) * density(x), *ends)[0] for ends in ((0, 2), (2, np.inf)))
    assert found.evidence == "certified" and found.replicates < 2000 and found.lower <= found.value <= found.upper
    assert found.value**2 == pytest.approx(mean, rel=0.02)


def test_a_gap_of_three_percent_of_the_spectral_norm_is_certified_both_ways():
    """The value is that of a long run, to 0.6 % at 1e-6; ten seeds were tried."""
    case = setting(FAMILIES["trigonometric"], directions=8)
    claim = claims.get("prop7-spectral")
    long = check(claim, case, budget=100_000, precision=0.006, confidence=1 - 1e-6)
    assert long.upper - long.lower <= 0.012 * long.value
    for factor, outcome in ((1.03, "holds"), (0.97, "violated")):
        found = check(claim.scaled(claim.factor * factor * long.ratio), case, seed=1)
        assert (found.outcome, found.evidence) == (outcome, "certified")


def test_one_dimension_has_one_norm():
    case = setting(Trigonometric.random(1, 2, 4))
    spectral, vector = check("prop7-spectral", case), check("prop7-vector", case)
    assert spectral.method == "exact"
    assert spectral.value**2 == pytest.approx(vector.value)
    assert hessian_draws.frobenius_variance(case).max() == pytest.approx(vector.value)
    found = check("prop7-spectral", case, method="monte-carlo", budget=16_384, precision=1e-3, confidence=1 - 1e-5)
    assert found.lower <= hessian_draws.spectral_deviation(case)[found.cell] <= found.upper


def test_spectral_needs_a_known_mean_and_for_sharp_enough_directions():
    unknown = check("prop7-spectral", setting(SoftmaxBandit.random(3, 2, 0)))
    assert "smoothed Hessian" in unknown.reason
    few = check("prop7-spectral", setting(FAMILIES["trigonometric"], directions=3), budget=4096)
    assert few.outcome == "not applicable"
    assert "Q >= d" in few.reason


@pytest.mark.parametrize(
    "tasks", [SoftmaxBandit.random(3, 2, 0), Logistic.random(3, 2, 0).support], ids=["softmax", "logistic"]
)
def test_families_without_exact_values(tasks):
    for name in ("prop7-vector", "prop7-frobenius"):
        found = check(name, setting(tasks), budget=16_384)
        assert (found.outcome, found.method) == ("holds", "monte-carlo")


def test_vector_is_along_the_gradient():
    tasks = Quadratic(np.eye(3), [[1.0, 1.0, 1.0], [1.0, 1.0, 4.0]])
    case = Setting(tasks, np.ones(3), INNER, GaussianSmoothing(0.1, 2))
    np.testing.assert_array_equal(hessian_draws.directions_at(case), [[1, 0, 0], [0, 0, -1]])


def test_requirements():
    def reason(case, name="prop7-vector"):
        found = check(name, case)
        assert found.outcome == "not applicable"
        return found.reason

    tasks = FAMILIES["trigonometric"]
    for name in NAMES:
        assert "GaussianSmoothing" in reason(Setting(tasks, np.ones(4), INNER, ZerothOrder(0.1, 2)), name)
        assert "ball of radius" in reason(setting(FAMILIES["rank-one"]), name)
        assert "one loss" in reason(setting(Logistic.random(3, 2, 0)), name)


# Finite sums


def test_finite_sum_on_quadratics():
    A = np.diag([1.0, -0.5, 0.2])
    support, target = (Quadratic(A, np.random.default_rng(k).standard_normal((2, 3))) for k in (0, 1))
    case = setting(FiniteSum.pair(support, target))
    found = check("finite-prop7-vector", case)
    assert found.method == "exact"
    assert found.value == pytest.approx(hessian_draws.vector_variance(setting(support)).max())
    assert found.bound == pytest.approx(1.0 * 5 / 3)
    sampled = check(
        "finite-prop7-vector", case, method="monte-carlo", budget=16_384, precision=1e-3, confidence=1 - 1e-5
    )
    truth = hessian_draws.vector_variance(gaussian_smoothing.support(case))[sampled.cell]
    assert sampled.lower <= truth <= sampled.upper


def test_finite_sum_needs_exact_differences():
    tasks = Logistic.random(3, 2, 0)
    assert check("finite-prop7-vector", setting(tasks, data="population"), budget=16_384).outcome == "holds"
    for data in ("resampled", "shared"):
        found = check("finite-prop7-vector", setting(tasks, data=data))
        assert found.outcome == "not applicable"
        assert "population" in found.reason
    assert "support and a target" in check("finite-prop7-vector", setting(FAMILIES["kink"])).reason
