"""A batch is as noisy as its size says, no more and no less; and no sample is farther off than is stated.

Means of 20,000 squares; each is off by five and a half standard errors with probability 4e-8.
"""

import numpy as np
import pytest
import zoo

from maml_bench.problems import AdditiveGaussian, LogisticLoss, RandomPhase, SoftmaxBandit, Trigonometric, TwoPoint
from maml_bench.problems.logistic import Points
from maml_bench.problems.softmax_bandit import Shares, log_policy

DIM = 3
W = zoo.slanted(DIM)
SMOOTH = Trigonometric.random(DIM, 2, 0)
DIRECTION = (0.6, 0.0, 0.8)
NOISES = {
    "additive": AdditiveGaussian(0.7),
    "random-phase": RandomPhase(0.6, 1.4),
    "two-point": TwoPoint(0.7, skew=1.5, tilt=0.8, direction=DIRECTION),
}


def logistic():
    rng = np.random.default_rng(0)
    return LogisticLoss(rng.standard_normal((2, 5, DIM)), rng.choice([-1, 1], (2, 5)), 0.3)


def singles(tasks, w):
    """Every sample of one datum there is, (n, tasks, ...), and its probability."""
    if isinstance(tasks, LogisticLoss):
        return Points(np.eye(tasks.points)[:, None]), np.full(tasks.points, 1 / tasks.points)
    return Shares(np.eye(tasks.dim)[:, None]), np.exp(log_policy(w))


def squares(tasks, w, sample):
    """Squared distances of a batch's gradient and Hessian from the population's, (..., tasks, 2)."""
    gradient, hessian = tasks.grad(w, sample) - tasks.grad(w), tasks.hess(w, sample) - tasks.hess(w)
    return np.stack(np.broadcast_arrays((gradient**2).sum(-1), (hessian**2).sum((-2, -1))), axis=-1)


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES)
def test_the_mean_square_of_added_noise_is_the_certified_one_over_the_size(noise, size):
    """The waves of a random phase have Hessians of rank one, of which the Frobenius norm is the spectral one."""
    tasks, points = SMOOTH.with_noise(noise), np.broadcast_to(W, (20_000, 2, DIM))
    found = squares(tasks, points, tasks.sample(np.random.default_rng(1), points, size))
    zoo.assert_mean(found, np.array([noise.sigma_g, noise.sigma_H]) ** 2 / size, sigmas=5.5)


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("tasks", [SoftmaxBandit.random(DIM, 2, 0), logistic()], ids=["bandit", "logistic"])
def test_the_mean_square_of_a_batch_of_data_is_that_of_one_datum_over_the_size(tasks, size):
    sample, mass = singles(tasks, W)
    one = np.tensordot(mass, squares(tasks, W, sample), 1)
    points = np.broadcast_to(W, (20_000, 2, DIM))
    found = squares(tasks, points, tasks.sample(np.random.default_rng(2), points, size))
    zoo.assert_mean(found, one / size, sigmas=5.5)
    regularity = tasks.regularity
    assert np.all(one[:, 0] <= regularity.sigma_g**2) and np.all(one[:, 1] <= regularity.sigma_H**2)


@pytest.mark.parametrize("size", [1, 4])
def test_the_largest_noise_is_reached_and_not_exceeded(size):
    """Of waves where all phases agree, of two points in the rarer; a Gaussian has none, a tilt has none."""
    w = np.zeros(DIM)
    wave = NOISES["random-phase"]
    drawn = wave.draw(np.random.default_rng(0), (2,), DIM, size)
    same = np.broadcast_to(drawn.direction[:, :1], drawn.direction.shape)
    for phase, name, of in ((np.pi / 2, "largest_noise", 0), (0.0, "largest_hessian_noise", 1)):
        sample = type(drawn)(drawn.amplitude, same, np.full_like(drawn.phase, phase))
        assert squares(SMOOTH.with_noise(wave), w, sample)[:, of] == pytest.approx(getattr(wave, name) ** 2)
    for skew in (1.5, -0.4):
        coin = TwoPoint(0.7, skew, direction=DIRECTION)
        tasks, points = SMOOTH.with_noise(coin), np.zeros((4000, 2, DIM))
        found = squares(tasks, points, tasks.sample(np.random.default_rng(3), points, 1))[..., 0]
        assert found.max() == pytest.approx(coin.largest_noise**2)
    assert NOISES["additive"].largest_noise == NOISES["two-point"].largest_noise == np.inf
    assert AdditiveGaussian(0.0).largest_noise == TwoPoint(0.0, tilt=1.0).largest_noise == 0


def test_the_largest_noise_of_a_bandit():
    """For the worst action under a policy that is sure of the best R/2^(1/2), and R for Hessians.

    What is stated adds the largest mean, sqrt(2)/4 R or L, which is elsewhere: it is not attained.
    """
    tasks = SoftmaxBandit([[0.0, 2.0]])
    ratios = []
    for w in np.linspace([20.0, 0.0], [0.0, 20.0], 401):
        found = np.sqrt(squares(tasks, w, singles(tasks, w)[0]).max((0, 1)))
        ratios.append(found / [tasks.largest_noise, tasks.largest_hessian_noise])
    np.testing.assert_allclose(np.max(ratios, axis=0), [2 / 3, 1 / (1 + 1 / 27**0.5)], rtol=1e-3)
