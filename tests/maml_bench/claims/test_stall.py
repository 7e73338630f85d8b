"""What zeroth-order Hessians add to the meta gradient: by hand on quadratics, and on waves with vanishing steps."""

import numpy as np
import pytest
from zoo import at

from maml_bench import check, claims
from maml_bench.algorithms.rest import MeanField, at_rest
from maml_bench.hessians import ExactHessian, ZerothOrder
from maml_bench.problems import AdditiveGaussian, Quadratic, Trigonometric
from maml_bench.study.measures import stall_bounds

WAVES = Trigonometric.random(3, 4, 0)


def _setting(tasks, alpha, steps=3, nu=1e-3):
    return at(tasks, 1.0, alpha, steps, ZerothOrder(nu=nu, directions=4))


def test_by_hand():
    # l = +-w^2/2 at w = 1, one step: factors 1 - alpha (a + a/2), exact ones 1 - alpha a, gradients a (1 - alpha a)
    tasks, alpha = Quadratic(np.array([[[1.0]], [[-1.0]]]), np.zeros((2, 1))), 0.1
    verdict = check("zo-shift", _setting(tasks, alpha, 1), form="local")
    mean = ((1 - 0.15) * 0.9 - (1 + 0.15) * 1.1) / 2
    exact = (0.9**2 - 1.1**2) / 2
    assert verdict.value == pytest.approx(abs(mean - exact), rel=1e-12)  # the mean trace is 0: the factor is 1
    assert verdict.outcome == "holds"
    found = claims.get("zo-shift", "local").measurement.constants(_setting(tasks, alpha, 1), ("trace_spread",))
    assert found["trace_spread"] == pytest.approx(0.5)
    assert found["trace_covariance"] == pytest.approx(0.5)  # mean of (a/2) times a


def test_waves_come_near_the_bound_as_the_step_vanishes():
    ratios = []
    for fraction in (1, 0.1, 0.001):
        verdict = check("zo-shift", _setting(WAVES, fraction / (24 * WAVES.regularity.L), nu=1e-5), form="local")
        assert (verdict.outcome, verdict.evidence) == ("holds", "exact")
        ratios.append(verdict.ratio)
    assert ratios[0] < ratios[1] < ratios[2]
    assert ratios[2] > 0.97


def test_what_it_excludes():
    sampled = at(WAVES, 1.0, 0.01, 3, ExactHessian())
    assert "ZerothOrder" in check("zo-shift", sampled, form="local").reason
    noisy = _setting(WAVES.with_noise(AdditiveGaussian(0.5)), 0.01)
    assert check("zo-shift", noisy, form="local").outcome == "not applicable"


def test_where_a_run_stalls_two_bounds_hold_and_one_is_near():
    point = at(WAVES, 1.0, 1 / (16 * 24 * WAVES.regularity.L), 3, MeanField(1.0, 0.5))
    (rest,) = at_rest(point, seed=0, budget=100)
    bounds = {row["piece"]: row["value"] for row in stall_bounds(point, seed=0, budget=100, workers=1)}
    assert rest["value"] <= bounds["shift"] <= 1.5 * rest["value"]
    assert bounds["floor"] > 10 * rest["value"]
