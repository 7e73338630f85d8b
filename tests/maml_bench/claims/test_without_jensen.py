"""Mean squares and tails of whole runs: by hand on runs that are not random, and with certified limits."""

import numpy as np
import pytest
from zoo import draws, run

from analytic import bound
from maml_bench import check, claims, train
from maml_bench.claims import without_jensen
from maml_bench.problems import AdditiveGaussian, Quadratic, Trigonometric

WAVES = Trigonometric.random(2, 3, 0)
NAMES = ("thm1-square", "thm1-capped", "thm1-tail")


def setting(tasks=WAVES, **outer):
    return run(tasks, 1.5, **({"iterations": 10, "B": 20} | outer))


def value(name, case):
    return draws(name, case, 2, form="direct")[0, 0]


def test_one_run_without_noise_by_hand():
    case = setting(WAVES[:1], iterations=5)
    norms, sizes = train(case).gradient_norm[:, 0], train(case).task_gradient_norm[:, 0]
    cut = 2 * norms[0]
    assert value("thm1-capped", case) == pytest.approx(np.mean(np.minimum(norms, cut) ** 2), rel=1e-12)
    regularity = WAVES[:1].regularity
    constants = {"alpha": case.inner.alpha, "steps": 3, "L": regularity.L, "rho": regularity.rho}
    L_w = bound("prop1", "sharp")(**constants, task_grad_norm=sizes)
    least = bound("prop1", "sharp")(**constants, task_grad_norm=0.0)
    square = claims.get("thm1-square", "direct").right_side(case)
    expected = np.mean(least / L_w * norms**2 + (1 - least / L_w) * square)
    assert value("thm1-square", case) == pytest.approx(expected, rel=1e-12)


def test_a_cut_cuts(monkeypatch):
    case = setting(WAVES[:1], iterations=5)
    monkeypatch.setattr(without_jensen, "level", lambda setting: 0.01)
    assert value("thm1-capped", case) == pytest.approx(1e-4, rel=1e-12)


def test_the_share_of_iterates_beyond_the_bound(monkeypatch):
    case = setting(WAVES[:1], iterations=5)
    norms = np.sort(train(case).gradient_norm[:, 0])
    monkeypatch.setattr(without_jensen, "_bound", lambda name, setting: (norms[2] + norms[3]) / 2)
    assert value("thm1-tail", case) == pytest.approx(2 / 5)


@pytest.mark.parametrize("name", NAMES)
def test_they_hold(name):
    verdict = check(claims.get(name, "direct"), setting(WAVES.with_noise(AdditiveGaussian(0.5))), budget=2048)
    assert verdict.outcome == "holds"
    assert name == "thm1-square" or verdict.evidence == "certified"


def test_a_mean_square_beyond_its_bound_is_noticed():
    case = setting(WAVES.with_noise(AdditiveGaussian(0.5)))
    assert check(claims.get("thm1-capped", "direct").scaled(0.02), case, budget=400).outcome == "violated"


def test_a_start_at_rest_sets_no_level():
    case = setting(Quadratic(np.eye(2), np.array([[1.5, 1.5]])))
    assert "not stationary" in check(claims.get("thm1-capped", "direct"), case).reason


def test_they_need_what_the_theorem_needs():
    case = setting(C_beta=None, B_beta=None, D_beta=None, beta=0.1)
    for name in NAMES:
        assert "1/(C_beta L^_w)" in check(claims.get(name, "direct"), case).reason
    small = setting(C_beta=0.1)
    for name in NAMES:
        assert "theta > 0" in check(claims.get(name, "direct"), small).reason
