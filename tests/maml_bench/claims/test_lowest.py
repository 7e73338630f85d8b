"""Lower bounds of losses and of the meta objective: below every value that is found, and equal where known."""

import numpy as np
import pytest
from zoo import at

from maml_bench.claims import lowest
from maml_bench.claims.lowest import lowest_objective
from maml_bench.meta_gradient import meta_objective
from maml_bench.problems import (
    AdditiveGaussian,
    FiniteSum,
    Kink,
    Logistic,
    Quadratic,
    RankOne,
    SoftmaxBandit,
    Trigonometric,
)
from maml_bench.setting import losses

BOUNDED = {
    "quadratic": Quadratic.random(3, 4, 0, low=0.2),
    "trigonometric": Trigonometric.random(3, 4, 1),
    "noisy": Trigonometric.random(2, 3, 2).with_noise(AdditiveGaussian(1.0)),
    "kink": Kink.random(2, 3, 0),
    "bandit": SoftmaxBandit.random(3, 3, 0),
    "logistic": Logistic.random(2, 3, 0),
    "pair": FiniteSum(Trigonometric.random(2, 3, 3), Trigonometric.random(2, 3, 4), 5.0),
    "quadratic pair": FiniteSum(Quadratic.random(2, 3, 3, 0.5), Quadratic.random(2, 3, 4, 0.5), 1.0),
}


def setting(tasks, alpha_L=0.1):
    return at(tasks, 1.0, alpha_L / tasks.regularity.L, 3)


def lowest_found(case):
    """Descent from many starting points; wide points, too."""
    support, target = losses(case)
    alpha, steps, dim = case.inner.alpha, case.inner.steps, case.tasks.dim
    rng = np.random.default_rng(0)

    def value(w):
        return meta_objective(support, w[:, None], alpha, steps, target).mean(-1)

    points = rng.standard_normal((2000, dim)) * np.geomspace(0.1, 20, 2000)[:, None]
    for reach in np.geomspace(2, 1e-3, 25):
        near = (points[:, None] + reach * rng.standard_normal((len(points), 4, dim))).reshape(-1, dim)
        points = np.concatenate([points, near])
        points = points[np.argsort(value(points))[:200]]
    return value(points)[0]


@pytest.mark.parametrize("name", BOUNDED)
@pytest.mark.parametrize("alpha_L", [0.02, 0.3])
def test_no_point_is_lower(name, alpha_L):
    case = setting(BOUNDED[name], alpha_L)
    assert -np.inf < lowest_objective(case) <= lowest_found(case) + 1e-9


def test_on_quadratics_the_bound_is_the_minimum():
    for name in ("quadratic", "quadratic pair"):
        case = setting(BOUNDED[name])
        assert lowest_objective(case) == pytest.approx(lowest_found(case), abs=1e-4)


def test_the_minimum_of_two_lines_by_hand():
    # l = w^2/2 -+ w, one step of 1/2: w~ = (w +- 1)/2, calL_i = ((w -+ 1)^2/4 - 1)/2 averages (w^2 + 1)/8 - 1/2
    tasks = Quadratic(np.eye(1), np.array([[1.0], [-1.0]]))
    assert lowest_objective(at(tasks, 1.0, 0.5, 1)) == pytest.approx(-3 / 8, rel=1e-14)


@pytest.mark.parametrize("name", ["trigonometric", "noisy", "pair"])
@pytest.mark.parametrize("alpha_L", [0.02, 0.3])
def test_in_few_dimensions_waves_are_searched(name, alpha_L):
    case = setting(BOUNDED[name], alpha_L)
    support, target = losses(case)
    start = meta_objective(support, case.w, case.inner.alpha, case.inner.steps, target).mean()
    least = lowest_found(case)
    assert lowest_objective(case) >= least - 0.02 * (start - least)


def test_in_many_dimensions_the_mean_of_waves_is_known_better_than_its_parts():
    tasks = Trigonometric.random(7, 4, 1)
    assert lowest_objective(setting(tasks, 0.02)) > tasks.infimum.mean() + 0.1


def test_one_wave_by_hand(monkeypatch):
    # l = w^2/2 + a cos(v w), one step: x = (1 - alpha) w, off by alpha a v at most, and Ax - b = x: for t < 1 the bound
    # is -a - (alpha a v)^2 / (2 t), and the largest t < 1 of the grid is 10^(-0.05)
    monkeypatch.setattr(lowest, "MOST_DIMENSIONS", 0)
    a, v, alpha = 0.7, 2.0, 0.3
    wave = Trigonometric(np.eye(1), np.zeros((1, 1)), np.full((1, 1), a), np.full((1, 1, 1), v), np.zeros((1, 1)))
    found = lowest_objective(at(wave, 1.0, alpha, 1))
    assert wave.infimum == pytest.approx(-a)
    assert found == pytest.approx(-a)  # the task's own infimum, here
    plain = lowest._waves(wave, wave, 0.0, alpha, 1, (1.0,))
    assert plain == pytest.approx(-a - (alpha * a * v) ** 2 / (2 * 10**-0.05), rel=1e-12)


def test_a_family_that_is_unbounded_or_says_nothing():
    assert lowest_objective(setting(Quadratic.concave(2))) == -np.inf
    assert lowest_objective(setting(Quadratic(np.diag([1.0, 0.0]), np.ones((1, 2))))) == -np.inf


@pytest.mark.parametrize(
    "tasks",
    [
        Quadratic(np.array([np.eye(2), np.diag([1.0, 3.0])]), np.array([[1.0, -2.0], [0.5, 1.0]])),
        Trigonometric.random(2, 3, 5),
        Kink.random(2, 4, 1),
        RankOne.random(2, 3, 0),
        SoftmaxBandit.random(2, 3, 1),
        Logistic.random(2, 3, 1).target,
        Logistic.random(2, 3, 1, ridge=0.0).support,
    ],
    ids=lambda tasks: type(tasks).__name__,
)
def test_the_infimum_of_each_task(tasks):
    rng = np.random.default_rng(0)
    points = rng.standard_normal((4000, 1, 2)) * np.geomspace(0.1, 30, 4000)[:, None, None]
    best = np.full(tasks.batch_shape, np.inf)
    for reach in np.geomspace(1, 1e-3, 12):
        values = tasks.loss(points)
        best = np.minimum(best, values.min(0))
        at = np.take_along_axis(
            np.broadcast_to(points, (len(points), *tasks.batch_shape, 2)), values.argmin(0)[None, :, None], 0
        )
        points = at + reach * rng.standard_normal((2000, *tasks.batch_shape, 2))
    assert tasks.infimum.shape == tasks.batch_shape
    assert np.all(tasks.infimum <= best + 1e-12)
    if isinstance(tasks, Quadratic | Kink | RankOne) or getattr(tasks, "ridge", 0) > 0:
        np.testing.assert_allclose(tasks.infimum, best, atol=1e-5)


def test_the_infimum_of_a_kink_on_either_side_of_its_radius():
    # h' = t^2/2 up to t = 1, then t - 1/2: slope 1/8 at t = 1/2, slope 2 at t = 5/2
    tasks = Kink(np.zeros((2, 1)), np.array([[0.125], [-2.0]]), 1.0, 1.0)
    # h(1/2) = 1/48; h(5/2) = 1/6 + 3/4 + 9/8
    np.testing.assert_allclose(tasks.infimum, [1 / 48 - 1 / 16, 1 / 6 + 3 / 4 + 9 / 8 - 5], rtol=1e-14)
