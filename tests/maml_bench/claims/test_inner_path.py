"""Proposition 2: sampled against exact values, and wrong code against the sampled ones."""

import itertools

import numpy as np
import pytest
from scipy import stats
from zoo import assert_mean, assert_same_mean, at, within_ceiling

from maml_bench import InnerLoop, Setting, check, claims
from maml_bench.claims import inner_path
from maml_bench.exact import moments
from maml_bench.problems import AdditiveGaussian, Kink, Quadratic, RandomPhase, SoftmaxBandit, Trigonometric, TwoPoint


def quadratic(steps=4, S=2, dim=3, sigma_g=0.7, alpha=0.2):
    tasks = Quadratic.random(dim, 2, 0).with_noise(AdditiveGaussian(sigma_g))
    return at(tasks, 1.0, alpha, steps, S=S)


def scores(sampler, setting, truth, seeds, replicates=4000):
    """z-scores of sample means against the truth, one for each seed (task 0)."""
    draw = sampler(setting)
    out = []
    for seed in seeds:
        values = draw(np.random.default_rng(seed), replicates)[:, 0]
        out.append((values.mean() - truth[0]) / (values.std(ddof=1) / np.sqrt(replicates)))
    return np.array(out)


@pytest.mark.by_chance(1e-4)
def test_scores_against_the_exact_second_moment_are_standard_normal():
    setting = quadratic()
    z = scores(inner_path.squared_distances, setting, moments(setting).path_second, range(300))
    # Kolmogorov-Smirnov; false alarm 1e-4 but for the skew of a mean of 4000, which is below 0.03.
    assert stats.kstest(z, "norm").pvalue > 1e-4


@pytest.mark.by_chance(1e-9)
@pytest.mark.parametrize("wrong", ["noise by S", "one step too few", "half the step size"])
def test_scores_notice_wrong_code(wrong):
    setting = quadratic()
    truth = moments(setting).path_second
    broken = {
        "noise by S": quadratic(S=4),
        "one step too few": quadratic(steps=3),
        "half the step size": quadratic(alpha=0.1),
    }[wrong]
    z = scores(inner_path.squared_distances, broken, truth, range(20))
    assert stats.kstest(z, "norm").pvalue < 1e-12


@pytest.mark.parametrize("seed", range(3))
def test_the_extremal_quadratic_attains_the_sharp_second_moment(seed):
    rng = np.random.default_rng(seed)
    tasks = Quadratic.concave(dim=rng.integers(1, 30), curvature=rng.uniform(0.1, 5)).with_noise(AdditiveGaussian(2.0))
    setting = at(tasks, rng.standard_normal(tasks.dim), rng.uniform(0.01, 1), 7, S=3)
    verdict = check("prop2-second", setting)
    assert verdict.outcome == "holds"
    assert verdict.method == "exact"
    assert verdict.ratio == pytest.approx(1, abs=1e-12)


def test_first_moment_of_the_extremal_quadratic_is_the_mean_of_a_chi_variable():
    # e_N is Gaussian and isotropic, so E||e|| / s_N = sqrt(2/d) Gamma((d+1)/2) / Gamma(d/2) = sqrt(2/pi) in d = 1.
    tasks = Quadratic.concave(dim=1).with_noise(AdditiveGaussian(1.0))
    setting = at(tasks, 1.0, 0.3, 5)
    verdict = check("prop2-first", setting, budget=200_000, precision=0.005)
    assert verdict.lower / verdict.bound <= np.sqrt(2 / np.pi) <= verdict.upper / verdict.bound


def test_mean_is_zero_on_quadratics_and_replicates_see_it():
    setting = quadratic()
    assert check("prop2-mean", setting).value == 0
    draw = inner_path.drifts(setting)(np.random.default_rng(0), 50)
    assert np.abs(draw).max() < 1e-15
    # Sampled, only rounding is left, which must not pass for a violation of the bound 0; the ceiling is 0 by proof.
    assert check("prop2-mean", setting, method="monte-carlo", budget=1000).outcome == "holds"


@pytest.mark.parametrize(("noise", "gain"), [(AdditiveGaussian(1.0), 20), (RandomPhase(1.0, 1.0), 100)])
def test_without_what_is_linear_in_the_noise_the_mean_is_the_same_and_far_less_noisy(noise, gain):
    tasks = Trigonometric.random(2, 1, 3).with_noise(noise)
    setting = at(tasks, 1.0, 0.1, 3, S=2)
    errors = inner_path._errors(setting)
    plain = errors(tasks, np.random.default_rng(0), 200_000)[:, 0]
    drifts = inner_path.drifts(setting)(np.random.default_rng(1), 20_000)[:, 0]
    assert_same_mean(plain, drifts, sigmas=5)  # of two coordinates: false alarm 1e-6
    assert np.all(drifts.var(0) < plain.var(0) / gain)


@pytest.mark.by_chance(6e-7)
@pytest.mark.parametrize(
    "tasks",
    [SoftmaxBandit.random(3, 2, 0), Kink.random(1, 2, 0).with_noise(TwoPoint(0.5, skew=2.0))],
    ids=["bandit", "two-point"],
)
def test_drifts_have_the_exact_mean(tasks):
    setting = at(tasks, 0.3, 0.2, 2, S=2)
    assert_mean(within_ceiling(inner_path.capped_drifts(setting)), moments(setting).path_bias)


def test_one_task_violating_is_enough():
    setting = quadratic()
    worst = int(np.argmax(moments(setting).path_second))
    claim = claims.get("prop2-second")
    verdict = check(claim.scaled(0.5), setting)
    assert verdict.outcome == "violated"
    assert verdict.cell == worst


@pytest.mark.parametrize(
    ("name", "form", "tasks", "alpha", "S"),
    [
        ("prop2-mean", "refined", SoftmaxBandit.random(2, 5, 0), 1e-4, 1000),
        ("prop2-mean", "refined", Trigonometric.random(2, 3, 0).with_noise(RandomPhase(0.5, 1.0)), 1e-7, 1000),
        ("prop2-second", "sharp", Trigonometric.random(2, 3, 0).with_noise(RandomPhase(0.5, 1.0)), 3e-16, 1),
        ("prop2-second", "sharp", Trigonometric.random(2, 3, 0).with_noise(AdditiveGaussian(0.5)), 3e-16, 1),
        ("prop3", "smooth", Trigonometric.random(2, 3, 0).with_noise(RandomPhase(0.5, 1.0)), 3e-16, 1000),
    ],
)
def test_rounding_refutes_no_bound_however_small(name, form, tasks, alpha, S):
    """Paths whose differences are below their own rounding: a certified mean square is that of what is drawn."""
    found = check(name, at(tasks, 1.0, alpha, 3, S=S), form=form, budget=600, method="monte-carlo")
    assert found.outcome == "inconclusive" and found.lower <= found.value <= found.upper
    assert "rounding" in found.reason


@pytest.mark.parametrize("claim", ["prop2-mean", "prop3"])
@pytest.mark.parametrize("noise", [AdditiveGaussian(40.0), RandomPhase(0.4, 1.0)])
def test_noise_far_larger_than_the_point_is_rounded_too(claim, noise):
    # a quadratic: the drift is 0, and what is left of a replicate is the rounding of the noise, not of the point
    for steps, size in itertools.product((1, 3), (0.0, 1e-12, 1e-5)):
        tasks = Quadratic(np.array([np.zeros((3, 3)), -np.eye(3)]), np.zeros((2, 3))).with_noise(noise)
        case = Setting(tasks, np.full(3, size), InnerLoop(0.2, steps, S=4))
        for form in claims.forms(claim):
            found = check(claim, case, form=form, method="monte-carlo", budget=512, precision=0)
            assert found.outcome != "violated", found
