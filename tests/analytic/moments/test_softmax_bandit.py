"""Softmax bandit: derivatives by finite differences in 40 digits, moments over every ordered sequence of actions."""

from itertools import product

import mpmath as mp
import numpy as np
import pytest

from analytic.digits import as_floats, in_many_digits
from analytic.moments import softmax_bandit
from maml_bench import InnerLoop
from maml_bench.problems import SoftmaxBandit
from maml_bench.problems.softmax_bandit import Shares, log_policy

R = np.array([0.3, 1.0, -0.4])
W = np.array([0.5, -0.2, 0.1])
ALPHA = 0.7
BANDIT, EACH = SoftmaxBandit(R), Shares(np.eye(3))


def loss_mp(w):
    weight = [mp.exp(x) for x in w]
    return -sum(p * mp.mpf(r) for p, r in zip(weight, R, strict=True)) / sum(weight)


def test_estimates_are_unbiased():
    pi = np.exp(log_policy(W))
    np.testing.assert_allclose(pi @ BANDIT.grad(W, EACH), BANDIT.grad(W), atol=1e-15)
    np.testing.assert_allclose(np.tensordot(pi, BANDIT.hess(W, EACH), 1), BANDIT.hess(W), atol=1e-15)


def batches(w, size, bandit=BANDIT):
    """Every ordered batch: its probability, gradient estimate and Hessian estimate."""
    each = Shares(np.eye(len(w)))
    pi, grads, hessians = np.exp(log_policy(w)), bandit.grad(w, each), bandit.hess(w, each)
    for actions in product(range(len(w)), repeat=size):
        picked = list(actions)
        yield np.prod(pi[picked]), grads[picked].mean(axis=0), hessians[picked].mean(axis=0)


def moments(*law, w=W):
    return softmax_bandit.path_moments(log_policy, BANDIT.grad, BANDIT.hess, EACH, w, ALPHA, *law)


@pytest.mark.parametrize(("steps", "S", "D", "T"), [(1, 2, 1, 2), (1, 1, 3, 1), (2, 1, 1, 2)])
def test_meta_moments_over_ordered_actions(steps, S, D, T):
    """Every sequence of every batch, in the order in which they are drawn."""
    exact = W
    for _ in range(steps):
        exact = exact - ALPHA * BANDIT.grad(exact)
    mean, second, path = np.zeros(3), np.zeros((3, 3)), np.zeros(5)

    def follow(w, left, chance, product_so_far):
        nonlocal mean, second, path
        if not left:
            e = w - exact
            path += chance * np.array([*e, np.linalg.norm(e), e @ e])
            for p, g, _ in batches(w, T):
                total = product_so_far @ g
                mean, second = mean + chance * p * total, second + chance * p * np.outer(total, total)
            return
        for p, g, _ in batches(w, S):
            for p2, _, h in batches(w, D):
                follow(w - ALPHA * g, left - 1, chance * p * p2, product_so_far @ (np.eye(3) - ALPHA * h))

    follow(W, steps, 1.0, np.eye(3))
    got = moments(steps, S, D, T)
    np.testing.assert_allclose(got.gradient + got.bias, mean, rtol=1e-12)
    np.testing.assert_allclose([*got.path_bias, got.path_first, got.path_second], path, rtol=1e-12, atol=1e-15)
    assert np.isclose(got.second_moment, np.trace(second), rtol=1e-12, atol=0)


def test_meta_gradient_differentiates_the_adapted_loss():
    with mp.workdps(40):

        def adapted(*w):
            w = list(w)
            for _ in range(2):
                weight = [mp.exp(x) for x in w]
                pi = [p / sum(weight) for p in weight]
                mean = sum(p * mp.mpf(r) for p, r in zip(pi, R, strict=True))
                w = [x + mp.mpf(ALPHA) * p * (mp.mpf(r) - mean) for x, p, r in zip(w, pi, R, strict=True)]
            return loss_mp(w)

        point = tuple(mp.mpf(x) for x in W)
        want = [float(mp.diff(adapted, point, tuple(map(int, e)))) for e in np.eye(3, dtype=int)]
    np.testing.assert_allclose(moments(2, 1, 1, 1).gradient, want, rtol=1e-12)


def test_large_preferences_do_not_overflow():
    far = np.array([0.0, 5000.0, -5000.0])
    assert np.isclose(BANDIT.loss(far), -1.0, rtol=1e-12, atol=0)
    assert np.isfinite(moments(2, 2, 1, 1, w=far).second_moment)


def test_spectral_variance_of_a_batch_is_not_that_of_one_sample_over_its_size():
    """For a spectral norm the rule "a batch of n divides the variance by n" fails, on either side."""

    def ratio(rewards, w):
        bandit = SoftmaxBandit(rewards)
        one, two = (
            sum(chance * np.linalg.norm(h - bandit.hess(w), 2) ** 2 for chance, _, h in batches(w, n, bandit))
            for n in (1, 2)
        )
        return 2 * two / one

    # estimates count rewards from the middle of their range, which the last action, never taken, sets to 0
    assert np.isclose(ratio([1.0, 1, 1, 1, -1], np.array([0.0, 0, 0, 0, -800])), 7 / 8, rtol=1e-12, atol=0)
    rewards, w = np.array([-1.6, 0.2, 0.6, 1.1]), np.array([-0.9, -1.5, -1.4, -1.2])
    assert ratio(rewards, w) > 1.1


def test_too_many_paths_are_not_enumerated():
    assert BANDIT.path_moments(W, InnerLoop(ALPHA, 9, S=4), None) is None


def test_what_floats_lose_many_digits_show():
    def bias(alpha, keep=in_many_digits):
        bandit, w, inner = map(keep, (BANDIT, W, InnerLoop(alpha, 1, S=5)))
        return as_floats(bandit.path_moments(w, inner, None).bias * inner.alpha**-2)

    # The bias after one step is alpha^2 times a factor that hardly depends on alpha: with floats it is lost at 1e-12.
    np.testing.assert_allclose(bias(1e-10), bias(1e-12), rtol=1e-8)
    assert not np.allclose(bias(1e-12, keep=lambda x: x), bias(1e-12), rtol=0.1)
