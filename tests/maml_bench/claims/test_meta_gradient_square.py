"""Proposition 4: the second moment by sampling against exact values.

Sampled values are compared with exact ones at confidence 1 - 1e-6: that is the false-alarm rate on each side.
Seeds are fixed.
"""

import numpy as np
import pytest
from zoo import NOISES, at

from maml_bench import InnerLoop, Setting, check, claims
from maml_bench.claims import meta_gradient
from maml_bench.claims.constants import meta_gradients
from maml_bench.hessians import GaussianSmoothing, ZerothOrder
from maml_bench.meta_gradient import stochastic_meta_gradient
from maml_bench.problems import (
    AdditiveGaussian,
    Kink,
    Logistic,
    Quadratic,
    RandomPhase,
    RankOne,
    SoftmaxBandit,
    Trigonometric,
)

pytestmark = pytest.mark.by_chance(1e-5)

SEED = 0
CERTAIN = 1 - 1e-6


def assert_sampling_meets_exact(setting, width=0.02):
    """At confidence 1 - 1e-6, with limits no wider than ``width`` of the value on each side."""
    options = {"form": "local", "confidence": CERTAIN, "seed": SEED}
    exact = check("prop4", setting, method="exact", **options)
    sampled = check("prop4", setting, method="monte-carlo", precision=width, budget=2**17, **options)
    assert sampled.lower <= exact.value <= sampled.upper
    assert sampled.upper - sampled.lower <= 2 * width * exact.value


@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES)
def test_one_step_by_hand(noise):
    # d = 1, l = a w^2/2 - b w: G^ = (1 - alpha (a + eta)) (g - alpha a xi + zeta), g = a w_1 - b,
    # with independent eta, xi, zeta of mean zero and variances sigma_H^2/D, sigma_g^2/S, sigma_g^2/T.
    a, b, w, alpha, S, D, T = 1.5, 0.4, 2.0, 0.2, 3, 2, 5
    setting = Setting(Quadratic([[a]], [[b]]).with_noise(noise), np.array([w]), InnerLoop(alpha, 1, S, D, T))
    g = a * (w - alpha * (a * w - b)) - b
    factor = (1 - alpha * a) ** 2 + alpha**2 * noise.sigma_H**2 / D
    square = factor * (g**2 + noise.sigma_g**2 * (alpha**2 * a**2 / S + 1 / T))
    assert check("prop4", setting, form="local").value == pytest.approx(square)
    assert_sampling_meets_exact(setting)


@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES)
@pytest.mark.parametrize("sizes", [{"S": 1, "D": 6, "T": 3}, {"S": 6, "D": 1, "T": 3}, {"S": 3, "D": 6, "T": 1}])
def test_sampling_meets_the_exact_moment_of_quadratics(noise, sizes):
    tasks = Quadratic.random(3, 4, 0).with_noise(noise)
    assert_sampling_meets_exact(Setting(tasks, np.ones(3), InnerLoop(0.5, 3, **sizes)))


def test_tasks_may_differ_in_their_hessians():
    tasks = Quadratic([np.diag([2.0, -1.0]), np.diag([1.0, 3.0])], np.ones((2, 2))).with_noise(NOISES["random-phase"])
    setting = at(tasks, 1.0, 0.2, 3, D=2)
    assert_sampling_meets_exact(setting)
    assert "finite sigma" in check("prop4", setting).reason


@pytest.mark.parametrize(
    "tasks", [Trigonometric.random(1, 3, 0), Kink(np.array([[0.3], [-0.2]]), np.ones((2, 1)))], ids=["smooth", "kink"]
)
def test_sampling_meets_quadrature_in_one_variable(tasks):
    noisy = tasks.with_noise(AdditiveGaussian(1.0))
    assert_sampling_meets_exact(at(noisy, 0.4, 0.3, 2, S=2, T=3), width=0.05)


@pytest.mark.parametrize("sizes", [{"S": 1, "D": 4, "T": 2}, {"S": 4, "D": 1, "T": 8}])
def test_sampling_meets_enumeration_on_bandits(sizes):
    setting = Setting(SoftmaxBandit.random(3, 2, 0), np.array([0.5, 0.0, -1.0]), InnerLoop(3.0, 3, **sizes))
    assert_sampling_meets_exact(setting, width=0.05)


def test_without_noise_it_is_the_square_of_the_meta_gradient():
    setting = at(Trigonometric.random(3, 4, 0), 1.0, 0.1, 3)
    square = np.mean([np.sum(meta_gradients(setting)[i] ** 2) for i in range(4)])
    verdict = check("prop4", setting, form="local")
    assert (verdict.method, verdict.value) == ("exact", pytest.approx(square))
    sampled = check("prop4", setting, form="local", method="monte-carlo", budget=64)
    assert sampled.value == pytest.approx(square)


@pytest.mark.parametrize("steps", [1, 3])
def test_the_concave_quadratic_attains_the_refined_form(steps):
    tasks = Quadratic.concave(4, curvature=0.7).with_noise(AdditiveGaussian(2.0))
    setting = at(tasks, 1.0, 0.3, steps, S=2, T=3)
    verdict = check("prop4", setting, form="refined_local")
    assert verdict.ratio == pytest.approx(1, abs=1e-12)
    assert verdict.outcome == "holds"
    assert check(claims.get("prop4", "refined_local").scaled(0.999), setting).outcome == "violated"


@pytest.mark.parametrize("form", claims.forms("prop4"))
def test_every_form_holds_on_a_family_with_noisy_hessians(form):
    tasks = Trigonometric.random(3, 4, 0).with_noise(RandomPhase(0.5, 1.5))
    assert check("prop4", at(tasks, 1.0, 0.05, 3, S=2), form=form).outcome == "holds"


def test_mirrored_pairs_pay_and_keep_the_mean():
    tasks = Trigonometric.random(5, 8, 0).with_noise(RandomPhase(0.5, 1.0))
    setting = at(tasks, 1.0, 0.05, 3, S=64)
    rng = np.random.default_rng(SEED)
    start = np.broadcast_to(setting.w, (1000, 1, 5))
    gradient = stochastic_meta_gradient(tasks, start, setting.inner, setting.hessian, rng)
    plain, pairs = np.sum(gradient**2, -1).mean(1), meta_gradient.squares(setting)(rng, 1000)[:, 0]
    assert plain.var() > 10 * pairs.var()  # measured: 33
    # False alarm 4e-8.
    assert abs(plain.mean() - pairs.mean()) < 5.5 * np.sqrt((plain.var() + pairs.var()) / 1000)


def test_what_the_statement_excludes():
    inner, w = InnerLoop(0.02, 2), np.array([1.0, 0.0, 0.0])
    ball = RankOne.random(3, 2, 0, radius=1.5).with_noise(AdditiveGaussian(0.1))
    assert "bounded gradient noise" in check("prop4", Setting(ball, w, inner), form="local").reason
    shared = Trigonometric.random(3, 2, 0).with_noise(RandomPhase(0.1, 1))
    smoothed = Setting(shared, w, inner, GaussianSmoothing(0.1, 3, data="shared"))
    assert "its noise does not cancel" in check("prop4", smoothed, form="local").reason
    assert "one loss each" in check("prop4", Setting(Logistic.random(3, 2, 0), w, inner)).reason


@pytest.mark.parametrize("directions", [1, 8])
def test_smoothing_multiplies_the_second_moment_by_what_its_directions_add(directions):
    # One step on (L/2)||w||^2 without noise: E||(I - alpha H^)v||^2 = [(1 - aL)^2 + a^2 L^2 (d+1)/Q] ||v||^2, v = grad.
    d, step = 4, 0.3
    tasks = Quadratic(np.eye(d), np.zeros((1, d)))
    setting = at(tasks, 1.0, step, 1, GaussianSmoothing(0.1, directions))
    v = np.linalg.norm((1 - step) * np.ones(d)) ** 2
    truth = ((1 - step) ** 2 + step**2 * (d + 1) / directions) * v
    verdict = check("prop4", setting, form="local", confidence=1 - 1e-6, budget=100_000, precision=0.02)
    assert verdict.outcome == "holds"
    assert verdict.lower <= truth <= verdict.upper
    assert verdict.value == pytest.approx(truth, rel=0.03)


def test_differences_that_have_lost_their_digits_refute_nothing():
    """Losses of 1e13 over nu^2 = 1e-8: what second differences of them say is rounding, 1e7 times the bound."""
    case = at(Kink.random(1, 5, 0), 5e6, 0.1, 1, ZerothOrder(1e-4, 1, stein=True, data="population"))
    found = check("prop4", case, form="local", budget=600)
    assert found.value > 1e3 * found.bound
    assert found.outcome == "inconclusive" and "rounding" in found.reason
