"""Replicates of the inner path and the meta gradient with a ceiling: unbiased, within ceilings that are attained."""

import math
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pytest
from zoo import Understated, assert_mean, at, within_ceiling

from maml_bench import InnerLoop, Setting
from maml_bench.claims import inner_path, meta_gradient, path_envelopes
from maml_bench.exact import moments
from maml_bench.montecarlo.tilted import EnvelopeExceeded
from maml_bench.problems import AdditiveGaussian, Kink, Quadratic, RandomPhase, SoftmaxBandit, Trigonometric, TwoPoint

assert_means = partial(assert_mean, sigmas=5.5)
replicates = within_ceiling


def family(name, dim):
    if name == "trigonometric":
        return Trigonometric.random(dim, 2, 1)
    if name == "kink":
        return Kink(np.zeros((2, dim)), np.array([[1.0], [0.3]]) * np.ones(dim), rho=2.0, radius=0.7)
    return Quadratic(np.array([-1.5 * np.eye(dim), np.diag(np.arange(1.0, dim + 1))]), np.ones((2, dim)))


def setting(tasks, steps=3, **inner):
    return Setting(tasks, np.full(tasks.dim, 0.3), InnerLoop(**{"alpha": 0.1, "steps": steps, "S": 2, "T": 3, **inner}))


CASES = [("trigonometric", 1), ("kink", 1), ("quadratic", 1), ("quadratic", 3)]


@pytest.mark.parametrize(("name", "dim"), CASES)
def test_gaussian_noise(name, dim):
    case = setting(family(name, dim).with_noise(AdditiveGaussian(0.8)), steps=2)
    second = inner_path.capped_squared_distances(case)
    assert_means(replicates(second), moments(case).path_second)
    q = 1 + case.inner.alpha * case.tasks.regularity.L
    assert second.ceiling == pytest.approx(0.01 * (1 + q) ** 2 * 0.64 / 2)
    if dim == 1:
        assert_means(replicates(inner_path.capped_distances(case)), moments(case).path_first)
        drift = replicates(inner_path.capped_drifts(case))
        assert_means(drift, moments(case).path_bias)
    assert_means(replicates(meta_gradient.capped_biases(case)), moments(case).bias)
    assert_means(replicates(meta_gradient.capped_family_bias(case)), moments(case).bias.mean(0, keepdims=True))
    assert_means(replicates(meta_gradient.capped_squares(case)), moments(case).second_moment.mean())


@pytest.mark.parametrize("noise", [RandomPhase(0.8, 1.5)])
def test_bounded_noise(noise):
    case = setting(family("quadratic", 2).with_noise(noise), steps=2)
    second = inner_path.capped_squared_distances(case)
    assert_means(replicates(second), moments(case).path_second)
    q = 1 + case.inner.alpha * case.tasks.regularity.L
    assert second.ceiling == pytest.approx((0.1 * (1 + q) * 1.2) ** 2)
    replicates(inner_path.capped_distances(case))
    assert_means(replicates(inner_path.capped_drifts(case)), 0.0)
    assert_means(replicates(meta_gradient.capped_squares(case)), moments(case).second_moment.mean())


def test_bandits():
    case = setting(SoftmaxBandit(np.array([[0.0, 1.0], [0.4, -1.0]])), steps=2, alpha=0.5, S=1)
    assert_means(replicates(inner_path.capped_squared_distances(case)), moments(case).path_second)
    assert_means(replicates(inner_path.capped_distances(case)), moments(case).path_first)
    assert_means(replicates(meta_gradient.capped_squares(case)), moments(case).second_moment.mean())


def test_one_step_in_one_dimension_attains_its_ceiling():
    case = setting(family("kink", 1).with_noise(AdditiveGaussian(0.8)), steps=1)
    second = inner_path.capped_squared_distances(case)
    np.testing.assert_allclose(replicates(second, count=50), second.ceiling[0])
    first = inner_path.capped_distances(case)
    np.testing.assert_allclose(replicates(first, count=50), first.ceiling[0])


def test_two_steps_from_a_kink_attain_the_ceiling_of_their_drift():
    # w~_1 on the kink: the second gradient adds rho e|e|/2, even in pairs only through p = 0 ... + alpha rho E_1^2/2.
    tasks = Bowl(np.zeros((1, 1)), np.zeros((1, 1)), rho=2.0, radius=1e3).with_noise(AdditiveGaussian(0.1))
    case = at(tasks, 0.0, 0.1, 2)
    capped = inner_path.capped_drifts(case)
    np.testing.assert_allclose(replicates(capped, count=50), -capped.ceiling[0], rtol=1e-6)


@dataclass(frozen=True, eq=False)
class Bowl(Kink):
    """``h''(t) = rho t`` near the origin: the cubic, whose gradients have no odd part. Certified near the origin."""

    def grad(self, w, sample=None):
        return self.rho * w**2 / 2

    def hvp(self, w, v, sample=None):
        return self.rho * w * v

    @property
    def regularity(self):
        return replace(super().regularity, L=1e-9)


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
@pytest.mark.parametrize("tau", [None, math.inf])
def test_the_envelope_of_pairs_bounds_every_pair(steps, tau):
    """Without the control variate, for noise of any size: each draw checks it, and it stays within a factor of 40."""
    tasks = family("trigonometric", 2)
    if tau:
        tasks = Rough(*(getattr(tasks, name) for name in ("A", "b", "amplitude", "frequency", "phase")))
    for sigma_g in (0.01, 1.0, 30.0):
        case = setting(tasks.with_noise(AdditiveGaussian(sigma_g)), steps=steps)
        capped = meta_gradient.capped_biases(case)
        sizes = np.linalg.norm(replicates(capped, count=500), axis=-1) / capped.ceiling
        assert np.all(sizes <= 1 + 1e-12)


@dataclass(frozen=True, eq=False)
class Rough(Trigonometric):
    """Without a constant for the third derivative."""

    @property
    def regularity(self):
        return replace(super().regularity, tau=math.inf)


def test_a_false_certificate_is_shown():
    tasks = Understated(-3.0 * np.eye(1)[None], np.ones((1, 1))).with_noise(AdditiveGaussian(1.0))
    with pytest.raises(EnvelopeExceeded, match="exceeds its envelope"):
        replicates(inner_path.capped_squared_distances(setting(tasks, steps=3, alpha=0.3)))


def test_unbounded_noise_has_no_ceiling_where_nothing_bends_either():
    # Of one step nothing is left but what is linear in the noise: 0 times an infinite bound is not a number.
    unbounded = Quadratic.concave(2).with_noise(TwoPoint(1.0, skew=1.0, tilt=1.0))
    assert math.isinf(path_envelopes.drift(Setting(unbounded, np.ones(2), InnerLoop(0.1, 1))))


def test_rows_of_the_reach_are_geometric():
    case = setting(family("quadratic", 1).with_noise(AdditiveGaussian(1.0)), steps=3)
    q = 1 + 0.1 * case.tasks.regularity.L
    expected = 0.1 * np.array([[0, 0, 0], [1, 0, 0], [q, 1, 0], [q**2, q, 1]])
    np.testing.assert_allclose(path_envelopes.reach(case), expected)


def test_without_noise_the_ceiling_is_zero():
    case = setting(family("trigonometric", 2))
    for capped in (inner_path.capped_distances(case), inner_path.capped_squared_distances(case)):
        assert not capped.ceiling.any() and not replicates(capped, count=3).any()


@pytest.mark.parametrize("sigma_g", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("seed", range(10))
def test_mirrored_noise_that_leaves_nothing_leaves_its_rounding(sigma_g, seed):
    """After one step the mean over a pair is 0, and so is its envelope; the noise is far larger than the point."""
    tasks = Trigonometric.random(3, 2, seed).with_noise(AdditiveGaussian(sigma_g))
    inner = InnerLoop(0.3, 1, S=4)
    capped = inner_path.capped_drifts(Setting(tasks, np.full(3, 1e-3), inner))
    assert np.all(capped.ceiling == 0)
    assert not capped.draw(np.random.default_rng(seed), 4096).any()
