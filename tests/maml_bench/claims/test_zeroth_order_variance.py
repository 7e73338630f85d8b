"""Variance of the zeroth-order estimators against exact values.

Tests of a mean reject at five standard errors (false alarm about 6e-7 each, by normal approximation). Seeds are
fixed; ten were tried.
"""

import numpy as np
import pytest
from zoo import assert_mean, draws, families, slanted

from maml_bench import InnerLoop, Setting, check, claims
from maml_bench.claims import hessian_draws
from maml_bench.hessians import GaussianSmoothing, ZerothOrder
from maml_bench.problems import (
    AdditiveGaussian,
    Logistic,
    Quadratic,
    RandomPhase,
    SoftmaxBandit,
)

INNER = InnerLoop(alpha=0.05, steps=2)
FAMILIES = families()
NAMES = {False: "zo-vector", True: "zo-stein-vector"}


def setting(tasks, stein=False, data="population", directions=4):
    return Setting(tasks, slanted(tasks.dim), INNER, ZerothOrder(0.4, directions, stein, data))


@pytest.mark.parametrize("stein", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_replicates_have_the_exact_variance_as_mean(family, stein):
    case = setting(FAMILIES[family], stein)
    assert_mean(draws(NAMES[stein], case, 20_000, seed=3), hessian_draws.vector_variance(case), slack=1e-11)


@pytest.mark.parametrize("stein", [False, True])
@pytest.mark.parametrize("dim", [1, 2, 6])
def test_multiple_of_the_identity_misses_the_bound_by_the_squared_mean(dim, stein):
    L, Q = 2.0, 4
    found = check(NAMES[stein], setting(Quadratic(L * np.eye(dim), np.ones((1, dim))), stein))
    lost = L**2 / Q if stein else L**2 * (1 + dim / 2) ** 2 / Q
    assert (found.outcome, found.method) == ("holds", "exact")
    assert found.bound - found.value == pytest.approx(lost, rel=1e-12)


def test_exact_value_on_quadratics():
    tasks = FAMILIES["quadratic"]
    case = setting(tasks)
    v, t1, t2 = hessian_draws.directions_at(case), np.trace(tasks.A), np.sum(tasks.A**2)
    pushed = v @ tasks.A
    form = np.vecdot(v, pushed)
    second = 10 / 4 * (t1**2 + 2 * t2 + 4 * t1 * form + 8 * np.vecdot(pushed, pushed))
    mean = pushed + t1 / 2 * v
    np.testing.assert_allclose(hessian_draws.vector_variance(case), (second - np.vecdot(mean, mean)) / 4)


@pytest.mark.parametrize("stein", [False, True])
@pytest.mark.parametrize(
    "tasks", [*list(FAMILIES.values())[:3], SoftmaxBandit.random(3, 2, 0)], ids=[*list(FAMILIES)[:3], "softmax"]
)
def test_holds_by_sampling(tasks, stein):
    found = check(NAMES[stein], setting(tasks, stein), method="monte-carlo", budget=1_000_000)
    assert (found.outcome, found.method) == ("holds", "monte-carlo")


def test_zeroth_order_needs_many_more_directions_than_gradients():
    for dim in (8, 16, 32):
        tasks = Quadratic.random(dim, 1, 0, low=1.0)
        zeroth = check("zo-vector", setting(tasks)).value
        gradient = check("prop7-vector", Setting(tasks, np.ones(dim), INNER, GaussianSmoothing(0.4, 4))).value
        assert zeroth / gradient > dim**2 / 4


@pytest.mark.by_chance(3e-6)
def test_noise():
    tasks = FAMILIES["trigonometric"]
    cancelled = setting(tasks.with_noise(AdditiveGaussian(1.0)), data="shared")
    assert check("zo-vector", cancelled).value == check("zo-vector", setting(tasks)).value
    sampled = claims.get("zo-vector").measurement.sampled.draw(cancelled)(np.random.default_rng(0), 20_000)
    exact = hessian_draws.vector_variance(cancelled)
    assert np.all(np.abs(sampled.mean(0) - exact) < 5 * sampled.std(0) / np.sqrt(len(sampled)))
    noisy = [
        setting(tasks.with_noise(AdditiveGaussian(1.0)), data="resampled"),
        setting(tasks.with_noise(RandomPhase(1.0, 1.0)), data="shared"),
        setting(Logistic.random(4, 2, 0).support, data="resampled"),
    ]
    for case in noisy:
        found = check("zo-vector", case)
        assert found.outcome == "not applicable"
        assert "no term for sampling noise" in found.reason


def test_requirements():
    tasks = FAMILIES["trigonometric"]
    assert "stein=True" in check("zo-stein-vector", setting(tasks)).reason
    assert "kind = 'zeroth-order'" in check("zo-vector", setting(tasks, stein=True)).reason
    assert "ball of radius" in check("zo-vector", setting(FAMILIES["rank-one"])).reason
    assert "one loss" in check("zo-vector", setting(Logistic.random(3, 2, 0))).reason
