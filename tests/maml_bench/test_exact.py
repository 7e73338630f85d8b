"""The door to exact values: a family of anybody's supplies its own, and what holds for any loss is known without it."""

import dataclasses

import numpy as np
import pytest

from analytic.moments.path import PathMoments, stacked
from maml_bench import InnerLoop, Setting, check, exact
from maml_bench.hessians import GaussianSmoothing
from maml_bench.problems import AdditiveGaussian, Quadratic, RandomPhase, Trigonometric

INNER = InnerLoop(0.1, 2)


@dataclasses.dataclass(frozen=True, eq=False)
class Own:
    """Somebody's quadratic ``||w||^2``: another class, which supplies what it knows."""

    dim = 2
    batch_shape = ()
    regularity = Quadratic(2 * np.eye(2), np.zeros(2)).regularity

    def __getitem__(self, index): ...
    def sample(self, rng, w, size): ...

    def loss(self, w, sample=None):
        return np.vecdot(w, w)

    def grad(self, w, sample=None):
        return 2 * w

    def hvp(self, w, v, sample=None):
        return np.broadcast_arrays(2 * v, w)[0]

    def hess(self, w, sample=None):
        return np.broadcast_to(2 * np.eye(2), (*w.shape, 2))

    def path_moments(self, w, inner, noise):
        return PathMoments(path_second=np.array(123.0)) if isinstance(noise, AdditiveGaussian) else None

    def smoothings(self, w, nu):
        return Quadratic(2 * np.eye(2), np.zeros(2)).smoothings(w, nu)


def test_a_family_of_one_s_own_supplies_its_values():
    from maml_bench.problems.noise import NoisyTasks

    noisy = NoisyTasks(Own(), AdditiveGaussian(0.5))
    assert exact.path_moments(noisy, np.ones(2), INNER).path_second == [123.0]
    assert exact.path_moments(noisy, np.ones(2), INNER).bias is None
    found = check("prop2-second", Setting(noisy, np.ones(2), INNER))
    assert (found.method, found.value, found.outcome) == ("exact", 123.0, "violated")
    # ||A||_F^2 (d + 1) / Q
    case = Setting(noisy, np.ones(2), INNER, GaussianSmoothing(0.1, 4, "population"))
    assert check("prop7-frobenius", case).value == pytest.approx(8 * 3 / 4)


def test_without_gradient_noise_the_meta_gradient_is_known_for_any_loss():
    tasks = Trigonometric.random(3, 2, 0)
    found = exact.path_moments(tasks, np.ones(3), INNER)
    assert found.bias.shape == (2, 3) and not found.bias.any()
    np.testing.assert_allclose(found.second_moment, np.sum(found.gradient**2, axis=-1))


def test_after_one_step_the_noise_of_any_loss_is_known():
    tasks = Trigonometric.random(3, 2, 0).with_noise(RandomPhase(0.5, 2.0))
    found = exact.path_moments(tasks, np.ones(3), InnerLoop(0.1, 1, S=4))
    np.testing.assert_allclose(found.path_second, 0.01 * 0.5 / 4)
    assert not found.path_bias.any()
    assert found.path_first is None
    assert exact.path_moments(tasks, np.ones(3), INNER) == PathMoments()


def test_moments_fill_and_stack():
    one, two = PathMoments(path_first=np.array(1.0)), PathMoments(path_first=np.array(2.0), bias=np.ones(3))
    assert one.filled(two).path_first == 1
    assert one.filled(two).bias is two.bias
    assert one.filled(None) is one
    np.testing.assert_array_equal(stacked([one, one]).path_first, [1, 1])
    assert stacked([one, one]).bias is None
    assert two.listed(3).bias.shape == (1, 3)


def test_what_one_setting_s_claims_ask_for_is_computed_once(monkeypatch):
    calls = []
    original = exact.path_moments
    monkeypatch.setattr(exact, "path_moments", lambda *law: calls.append(1) or original(*law))
    setting = Setting(Quadratic.concave(2).with_noise(AdditiveGaussian(1.0)), np.ones(2), INNER)
    for name in ("prop2-second", "prop2-mean", "prop3", "prop4"):
        check(name, setting)
    assert len(calls) == 1
