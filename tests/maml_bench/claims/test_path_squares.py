"""Bounds of mean squares for bounded noise: attained where the proof is, never exceeded, and what they decide."""

import numpy as np
import pytest

from maml_bench import InnerLoop, Setting, check, claims
from maml_bench.claims import inner_path, meta_gradient
from maml_bench.claims.path_squares import bias_square, drift_square, fourth_moments, path_squares
from maml_bench.problems import AdditiveGaussian, Quadratic, RandomPhase, SoftmaxBandit, Trigonometric, TwoPoint

pytestmark = pytest.mark.by_chance(1e-7)

COUNT = 4000
SIGMAS = 6.0
"""A sample's mean is so many of its standard errors above the true one with probability below 1e-8."""


def setting(tasks, steps=3, **inner):
    return Setting(
        tasks, np.full(tasks.dim, 0.3), InnerLoop(**{"alpha": 0.15, "steps": steps, "S": 2, "T": 3, **inner})
    )


def waves(seed, amplitude=1.0, kappa=1.5):
    return Trigonometric.random(2, 2, seed).with_noise(RandomPhase(amplitude, kappa))


def assert_below(numbers, bound):
    assert np.all(numbers.mean(0) - SIGMAS * numbers.std(0) / np.sqrt(len(numbers)) <= bound)


def test_the_second_moment_is_attained_by_concave_quadratics():
    case = setting(Quadratic.concave(2, 1.3).with_noise(RandomPhase(0.5, 1.0)), steps=4)
    assert path_squares(case).second[-1] == pytest.approx(inner_path.moments(case).path_second[0], rel=1e-12)


def test_the_fourth_moment_is_attained_by_one_sample_of_one_step():
    # The noise of one sample, a kappa |sin(phase)|, has E x^4 = 3/8 (a kappa)^4 = h^2 sigma_g^2 times 3/4.
    case = setting(Quadratic.concave(1, 1.0).with_noise(RandomPhase(0.5, 2.0)), steps=1, S=1)
    assert path_squares(case).fourth[-1] == pytest.approx(0.15**4 / 2)
    errors = inner_path.capped_squared_distances(case).draw(np.random.default_rng(0), COUNT) ** 2
    assert errors.mean() == pytest.approx(0.15**4 * 3 / 8, rel=0.1)


@pytest.mark.by_chance(1e-3)
def test_the_fourth_moment_is_nearly_attained_by_large_batches_in_one_dimension():
    # They are nearly normal, whose fourth moment is three squares of the second; a relative standard error of 2.5 %.
    case = setting(Quadratic.concave(1, 1.0).with_noise(RandomPhase(0.5, 2.0)), steps=4, S=30)
    fourth = inner_path.squared_distances(case)(np.random.default_rng(0), 5 * COUNT) ** 2
    assert 0.6 < fourth.mean() / path_squares(case).fourth[-1] < 0.8  # 2/3, as odd moments are not known to vanish


def test_a_factor_multiplies_fourth_powers_by_its_own_mean():
    # A Hessian of -1 + b cos(phase), b = 0.5 * 2^2, has errors with m_2 = b^2/2 and h^2 m_2 = b^4/2; x = alpha b.
    case = setting(Quadratic.concave(1, 1.0).with_noise(RandomPhase(0.5, 2.0)), steps=1, S=1, T=1)
    x, q = 0.15 * 2.0, 1.15
    growth = q**4 + 6 * q**2 * x**2 / 2 + 4 * q * x**3 / 2 + x**4 / 2
    square = 1.0 * 1.0 / 2
    last = 0.3 * q + (0.15**4 * square) ** 0.25 + square**0.25
    assert fourth_moments(case) == pytest.approx(growth * last**4)


def test_many_steps_with_noisy_hessians_are_certified():
    """The second moment at ten and twenty steps of the study ``second-moment``, in the form that is sharpest."""
    tasks = Trigonometric.random(5, 4, 2).with_noise(RandomPhase(amplitude=3.0, kappa=1.5))
    for steps in (10, 20):
        case = Setting(tasks, np.ones(5), InnerLoop(0.1 / tasks.regularity.L, steps))
        verdict = check("prop4", case, form="refined_local", confidence=1 - 1e-5)
        assert (verdict.outcome, verdict.evidence) == ("holds", "certified")


def test_small_drifts_are_certified():
    """At the setting of the study ``inner-path`` where the drift is smallest against the path's error."""
    tasks = Trigonometric.random(5, 4, 2).with_noise(RandomPhase(1.0, 1.0))
    for steps, S in ((5, 1), (20, 16)):
        case = Setting(tasks, np.ones(5), InnerLoop(1 / (8 * steps) / tasks.regularity.L, steps, S=S))
        verdict = check("prop2-mean", case, confidence=1 - 1e-5, budget=20_000)
        assert (verdict.outcome, verdict.evidence) == ("holds", "certified")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("S", [1, 5])
def test_no_mean_square_is_exceeded(seed, S):
    for case in (setting(waves(seed), S=S), setting(SoftmaxBandit.random(3, 2, seed), S=S, alpha=1.0)):
        squares, rng = path_squares(case), np.random.default_rng(seed)
        away = inner_path.squared_distances(case)(rng, COUNT)
        assert_below(away, squares.second[-1])
        assert_below(away**2, squares.fourth[-1])
        drift = inner_path.drifts(case)(rng, COUNT)
        assert_below(np.vecdot(drift, drift), drift_square(case))
        gradient = meta_gradient.squares(case)(rng, COUNT)
        assert_below(gradient**2, np.mean(fourth_moments(case)))


@pytest.mark.parametrize("tau", [True, False])
@pytest.mark.parametrize("scale", [0.1, 1.0, 5.0])
def test_the_bias_less_its_control_variate_stays_below_its_mean_square(scale, tau):
    for seed in range(3):
        case = setting(waves(seed, scale), steps=1 + seed)
        if not tau:
            case.tasks.population.__dict__["regularity"] = without_tau(case.tasks.population.regularity)
        capped = meta_gradient.capped_biases(case)
        found = capped.draw(np.random.default_rng(seed), COUNT)
        plain = bias_square(case, np.zeros((1 + seed,) * 2), np.zeros(1 + seed), 0.0)
        assert_below(np.vecdot(found, found), capped.square)
        assert np.all(plain <= capped.square)


def without_tau(regularity):
    from dataclasses import replace

    return replace(regularity, tau=np.inf)


def test_gaussian_noise_is_not_bounded():
    case = setting(Quadratic.concave(2).with_noise(AdditiveGaussian(1.0)))
    assert np.all(np.isinf(path_squares(case).second)) and np.isinf(drift_square(case))
    assert inner_path.capped_distances(case).square is None


def test_bounded_noise_decides_with_certainty_whatever_precision_is_asked_for():
    case = setting(waves(0, 0.5, 1.0), S=16, alpha=0.05)
    for name in ("prop2-first", "prop2-second", "prop2-mean", "prop3", "prop4"):
        verdict = check(name, case, method="monte-carlo", confidence=1 - 1e-5)
        assert (verdict.outcome, verdict.evidence) == ("holds", "certified"), name
        assert check(claims.get(name).scaled(1e-4), case, method="monte-carlo", budget=20_000).outcome != "holds"
    found = check("prop3", case, precision=0.1, budget=5000)
    assert (found.outcome, found.evidence, found.limits) == ("holds", "certified", "asymptotic")
    assert found.upper - found.lower <= 0.2 * found.value and f"{found.upper:.4g}] (asymptotic), bound" in str(found)
    alone = check("prop3", case, budget=found.replicates)
    assert (alone.evidence, alone.limits) == ("certified", "certified") and alone.upper > 2 * found.upper


def test_two_point_noise_is_bounded_unless_its_law_depends_on_the_point():
    # Of the values -s +- sqrt(1 + s^2) one is rare and large; enumeration knows the truth.
    tasks = Quadratic.concave(1, 1.0)
    case = setting(tasks.with_noise(TwoPoint(0.5, skew=2.0)), S=2)
    assert case.tasks.largest_noise == pytest.approx(0.5 * (2 + 5**0.5))
    assert path_squares(case).second[-1] == pytest.approx(inner_path.moments(case).path_second[0])
    verdict = check("prop2-second", case, method="monte-carlo")
    assert verdict.evidence == "certified" and verdict.outcome != "violated"
    tilted = setting(tasks.with_noise(TwoPoint(0.5, skew=2.0, tilt=1.0)))
    assert np.isinf(path_squares(tilted).second[-1])
    assert check("prop2-second", tilted, method="monte-carlo", budget=1000).evidence == "asymptotic"


def test_rare_actions_refute_no_bias_that_is_true():
    # Replicates of a bias under actions of a probability of 1e-4 are far from normal, and mirrored ones do not cancel.
    bandit = setting(SoftmaxBandit(np.array([[0.3, 1.0]])), steps=2, S=1, alpha=2.0)
    case = Setting(bandit.tasks, np.array([0.0, 9.0]), bandit.inner)
    ratio = check("prop3", case, form="local", method="exact").ratio
    for seed in range(10):
        bound = claims.get("prop3", "local").scaled(ratio)
        verdict = check(bound, case, method="monte-carlo", confidence=1 - 1e-5, budget=4096, seed=seed)
        assert verdict.outcome != "violated" and verdict.evidence == "certified"
