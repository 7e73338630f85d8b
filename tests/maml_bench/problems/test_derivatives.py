"""Every family against 40-digit derivatives of its textbook loss, written down once more."""

import mpmath as mp
import numpy as np
import pytest

from maml_bench.problems import (
    AdditiveGaussian,
    Kink,
    LogisticLoss,
    NoisyTasks,
    Quadratic,
    RandomPhase,
    RankOne,
    SoftmaxBandit,
    Trigonometric,
)

D = 3


def _dot(a, b):
    return mp.fsum(mp.mpf(float(x)) * y for x, y in zip(a, b, strict=True))


def quadratic(t, w):
    return mp.fsum(w[i] * _dot(t.A[i], w) for i in range(D)) / 2 - _dot(t.b, w)


def trigonometric(t, w):
    waves = zip(t.amplitude, t.frequency, t.phase, strict=True)
    return quadratic(t, w) + mp.fsum(float(a) * mp.cos(_dot(v, w) + float(p)) for a, v, p in waves)


def kink(t, w):
    def h(s):
        s, r = abs(s), mp.mpf(t.radius)
        if s <= r:
            return t.rho * s**3 / 6
        return t.rho * (r**3 / 6 + r**2 / 2 * (s - r) + r / 2 * (s - r) ** 2)

    return mp.fsum(h(x - float(c)) for x, c in zip(w, t.center, strict=True)) - _dot(t.slope, w)


def rank_one(t, w):
    x = [mp.mpf(float(v)) for v in t.x]
    return mp.fsum((w[i] * w[j] - x[i] * x[j]) ** 2 for i in range(D) for j in range(D)) / 4


def softmax_bandit(t, w):
    weights = [mp.exp(x) for x in w]
    return -_dot(t.rewards, weights) / mp.fsum(weights)


def logistic(t, w):
    terms = (mp.log1p(mp.exp(-float(y) * _dot(x, w))) for x, y in zip(t.X, t.y, strict=True))
    return mp.fsum(terms) / len(t.y) + t.ridge / 2 * mp.fsum(x**2 for x in w)


def _logistic(rng):
    return LogisticLoss(rng.standard_normal((2, 6, D)), rng.choice([-1, 1], (2, 6)), 0.3)


CASES = {
    "quadratic": (Quadratic.random(D, 2, 1), quadratic),
    "trigonometric": (Trigonometric.random(D, 2, 1), trigonometric),
    "kink": (Kink.random(D, 2, 1, rho=1.3, radius=0.7), kink),
    "rank-one": (RankOne.random(D, 2, 1), rank_one),
    "softmax-bandit": (SoftmaxBandit.random(D, 2, 1), softmax_bandit),
    "logistic": (_logistic(np.random.default_rng(1)), logistic),
}


def _exact(function, w):
    """Loss, gradient and Hessian by 40-digit differentiation."""
    with mp.workdps(40):
        point = tuple(mp.mpf(float(x)) for x in w)

        def order(*axes):
            return tuple(sum(axis == k for axis in axes) for k in range(D))

        def f(*w):
            return function(w)

        gradient = [float(mp.diff(f, point, order(i))) for i in range(D)]
        hessian = [[float(mp.diff(f, point, order(i, j))) for j in range(D)] for i in range(D)]
        return float(f(*point)), np.array(gradient), np.array(hessian)


def _assert_matches(task, function, w, sample=None):
    loss, gradient, hessian = _exact(function, w)
    v = np.array([0.3, -1.1, 0.7])
    scale = 1 + np.abs(hessian).max()
    assert abs(task.loss(w, sample) - loss) < 1e-10 * (1 + abs(loss))
    assert np.abs(task.grad(w, sample) - gradient).max() < 1e-10 * scale
    assert np.abs(task.hess(w, sample) - hessian).max() < 1e-10 * scale
    assert np.abs(task.hvp(w, v, sample) - hessian @ v).max() < 1e-10 * scale


@pytest.mark.parametrize("name", CASES)
def test_population_derivatives(name):
    tasks, function = CASES[name]
    for w in ([0.2, -0.4, 0.9], [-1.7, 0.3, 2.1]):
        _assert_matches(tasks[1], lambda x: function(tasks[1], x), np.array(w))


@pytest.mark.parametrize("noise", [AdditiveGaussian(0.4), RandomPhase(0.6, 1.4)])
def test_noise_derivatives(noise):
    tasks, w = NoisyTasks(Quadratic.random(D, 1, 2), noise)[0], np.array([0.2, -0.4, 0.9])
    drawn = tasks.sample(np.random.default_rng(0), w, 4)

    def loss(x):
        if isinstance(noise, AdditiveGaussian):
            return quadratic(tasks.population, x) + _dot(drawn.slope, x)
        waves = (mp.cos(_dot(z, x) + float(p)) for z, p in zip(drawn.direction, drawn.phase, strict=True))
        return quadratic(tasks.population, x) + mp.mpf(0.6) / 4 * mp.fsum(waves)

    _assert_matches(tasks, loss, w, drawn)


def test_bandit_sample_derivatives_away_from_the_drawing_point():
    task, w0, w = SoftmaxBandit.random(D, 2, 3)[0], np.array([0.5, 0.0, -1.0]), np.array([0.2, -0.4, 0.9])
    drawn = task.sample(np.random.default_rng(0), w0, 5)
    middle = (task.rewards.max() + task.rewards.min()) / 2

    def loss(x):
        ours, theirs = [mp.exp(a) for a in x], [mp.exp(mp.mpf(float(a))) for a in w0]
        ratios = [a / mp.fsum(ours) * mp.fsum(theirs) / b for a, b in zip(ours, theirs, strict=True)]
        return -middle - _dot(drawn.frequency * (task.rewards - middle), ratios)

    _assert_matches(task, loss, w, drawn)


def test_logistic_sample_is_the_mean_over_the_drawn_points():
    tasks, w = CASES["logistic"][0], np.array([0.2, -0.4, 0.9])
    drawn = tasks.sample(np.random.default_rng(0), w, 4)
    np.testing.assert_allclose(drawn.weight.sum(-1), 1)
    counts = np.rint(drawn.weight[1] * 4).astype(int)
    again = LogisticLoss(np.repeat(tasks.X[1], counts, 0), np.repeat(tasks.y[1], counts), 0.3)
    np.testing.assert_allclose(tasks.grad(w, drawn)[1], again.grad(w), atol=1e-14)
    np.testing.assert_allclose(tasks.hess(w, drawn)[1], again.hess(w), atol=1e-14)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("scale", [1e-8, 1e3, 1e6])
def test_no_overflow(name, scale):
    tasks = CASES[name][0]
    w = scale * np.random.default_rng(0).standard_normal((4, 2, D))
    drawn = tasks.sample(np.random.default_rng(0), w, 3)
    for sample in (None, drawn):
        for value in (tasks.loss(w, sample), tasks.grad(w, sample), tasks.hvp(w, w, sample), tasks.hess(w, sample)):
            assert np.isfinite(value).all()


def test_kink_has_hessian_zero_at_the_kink():
    tasks = Kink(np.ones(D), np.zeros(D))
    assert not tasks.hess(np.ones(D)).any() and not tasks.loss(np.ones(D)).any()


def test_rank_one_near_its_factor_keeps_its_digits():
    # w = (1 + e) x: the loss is ((1 + e)^2 - 1)^2 ||x||^4 / 4
    x, e = np.array([3.0, 4.0]), 2.0**-30
    tasks = RankOne(x, 10.0)
    assert np.isclose(tasks.loss((1 + e) * x), (2 * e + e**2) ** 2 * 625 / 4, rtol=1e-8, atol=0)
    assert tasks.loss(-x) == 0.0
    assert np.isclose(RankOne(np.zeros(2), 3.0).loss(np.array([1.0, 2.0])), 25 / 4, rtol=1e-12, atol=0)


def test_rank_one_in_high_dimension_needs_no_matrix():
    tasks = RankOne.random(100_000, 2, 0)
    w = np.full(100_000, 0.001)
    along = 3 * w @ w * w - tasks.x * (tasks.x @ w)[:, None]
    np.testing.assert_allclose(tasks.hvp(w, w), along, atol=1e-15)
    assert tasks.regularity.sigma < 2


@pytest.mark.parametrize("name", CASES)
def test_batches_equal_loops_over_tasks_and_points(name):
    tasks, rng = CASES[name][0], np.random.default_rng(5)
    w, v = rng.standard_normal((2, 4, 2, D))
    together = (tasks.loss(w), tasks.grad(w), tasks.hvp(w, v), tasks.hess(w))
    for m in range(4):
        for t in range(2):
            task, point = tasks[t], w[m, t]
            alone = (task.loss(point), task.grad(point), task.hvp(point, v[m, t]), task.hess(point))
            for batch, single in zip(together, alone, strict=True):
                np.testing.assert_allclose(batch[m, t], single, atol=1e-13)
    assert tasks[[1, 0, 1]].batch_shape == (3,)
    np.testing.assert_allclose(tasks.grad(w[0, 0])[1], tasks[1].grad(w[0, 0]), atol=1e-13)
