"""The door to exact values: a family of anybody's supplies its own, and what holds for any loss is known without it."""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest
from zoo import at

from analytic.moments.path import PathMoments, stacked
from maml_bench import InnerLoop, Setting, check, claims, exact
from maml_bench.hessians import CentralDifference, GaussianSmoothing, ZerothOrder
from maml_bench.problems import (
    AdditiveGaussian,
    Kink,
    Quadratic,
    RandomPhase,
    RankOne,
    SoftmaxBandit,
    Trigonometric,
    TwoPoint,
)

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


ROOT = Path(exact.__file__).parents[1]
ADDITIVE = AdditiveGaussian(0.5)
SOURCES = {
    "quadratic": Quadratic.random(2, 2, 0).with_noise(ADDITIVE),
    "quadrature": Trigonometric.random(1, 2, 0).with_noise(ADDITIVE),
    "softmax_bandit": SoftmaxBandit.random(3, 2, 0),
    "two_point": Kink.random(2, 2, 0).with_noise(TwoPoint(0.5)),
}


@pytest.mark.parametrize("closed_form", SOURCES)
def test_a_setting_gets_to_the_exact_second_moment_through_few_files(closed_form):
    """At most four files of ours see the setting on its way, and four stand between the claim and the closed form."""
    tasks = SOURCES[closed_form]
    setting, seen, between = Setting(tasks, np.full(tasks.dim, 0.3), INNER), set(), set()

    def look(frame, event, arg):
        if event != "call" or not frame.f_code.co_filename.endswith(f"analytic/moments/{closed_form}.py"):
            return
        way = []
        while frame is not None and frame.f_code.co_name != "check":
            file = Path(frame.f_code.co_filename)
            if file.is_relative_to(ROOT / "maml_bench") or file.is_relative_to(ROOT / "analytic"):
                way.append(file)
                if any(value is setting for value in frame.f_locals.values()):
                    seen.add(file)
            frame = frame.f_back
        claim = max(number for number, file in enumerate(way) if file.parent.name == "claims")
        between.add(frozenset(way[: claim + 1]))

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        assert check("prop4", setting).method == "exact"
    finally:
        sys.setprofile(before)
    assert between and max(map(len, between)) <= 4, between
    assert len(seen) <= 4, seen


def test_a_bad_radius_is_named():
    with pytest.raises(ValueError, match="nu = 0.0: must be a finite number > 0"):
        exact.smoothings(Quadratic.concave(2), np.ones(2), 0.0)


PRECISE = {
    "two points": ("prop3", "sharp", at(Trigonometric.random(2, 2, 0).with_noise(TwoPoint(0.3, 0.4, 0.2)), S=2)),
    "a small gradient": ("prop4", "local", at(Quadratic([[-0.3]], [[-0.21]]).with_noise(TwoPoint(1e-10)), 0.7)),
    "a small distance": ("prop2-second", "sharp", at(Trigonometric.random(2, 1, 0).with_noise(TwoPoint(1e-9)), 7.0)),
    "a bandit": ("prop2-mean", "sharp", at(SoftmaxBandit.random(3, 2, 0), steps=2)),
    "quadrature": ("prop3", "smooth", at(Trigonometric.random(1, 2, 0).with_noise(AdditiveGaussian(0.3)), steps=1)),
    "quadrature with corners": (
        "prop2-first",
        "sharp",
        at(Kink.random(1, 1, 0).with_noise(AdditiveGaussian(1.0)), steps=1),
    ),
    "a quadratic": ("prop2-second", "sharp", at(Quadratic.random(3, 2, 0).with_noise(AdditiveGaussian(0.3)))),
    "smoothed waves": ("zo-vector", "sharp", at(Trigonometric.random(3, 2, 0), hessian=ZerothOrder(0.1, 2))),
    "smoothed corners": ("prop7-vector", "sharp", at(Kink.random(1, 1, 0), hessian=GaussianSmoothing(0.1, 2))),
    "a product of means": ("prop8", "stein", at(RankOne.random(3, 2, 0), 0.1, hessian=ZerothOrder(0.1, 2, True))),
    "a difference": ("hvp-central", "smooth", at(RankOne.random(3, 2, 0), 0.3, hessian=CentralDifference(0.1))),
    "a shift": ("zo-shift", "local", at(Quadratic.random(3, 2, 0), hessian=ZerothOrder(0.1, 2))),
}


@pytest.mark.parametrize("case", PRECISE)
def test_many_digits_are_within_the_error_that_floats_state(case):
    name, form, setting = PRECISE[case]
    measurement = claims.get(name, form).measurement
    value = measurement.exact(setting)
    assert np.all(np.abs(exact.precisely(measurement.exact, setting) - value) <= measurement.error(setting, value))


def test_where_digits_would_be_lost_nothing_is_precise():
    large = at(Quadratic.random(200, 1, 0).with_noise(AdditiveGaussian(0.3)))
    waves = at(Quadratic.random(2, 1, 0).with_noise(RandomPhase(0.3, 1.0)))  # their sigma_g has been rounded
    for setting in (large, waves):
        assert exact.precisely(claims.get("prop2-second").measurement.exact, setting) is None
