"""Softmax bandit: derivatives by finite differences in 40 digits, moments over every ordered sequence of actions."""

from itertools import product

import mpmath as mp
import numpy as np
import pytest

from analytic.moments import softmax_bandit as bandit

R = np.array([0.3, 1.0, -0.4])
W = np.array([0.5, -0.2, 0.1])
ALPHA = 0.7


def loss_mp(w):
    weight = [mp.exp(x) for x in w]
    return -sum(p * mp.mpf(r) for p, r in zip(weight, R, strict=True)) / sum(weight)


def test_gradient_and_hessian_are_derivatives_of_the_loss():
    with mp.workdps(40):
        point, units = [mp.mpf(x) for x in W], np.eye(3, dtype=int)
        grad = [float(mp.diff(lambda *w: loss_mp(w), tuple(point), tuple(map(int, e)))) for e in units]
        hess = [
            [float(mp.diff(lambda *w: loss_mp(w), tuple(point), tuple(map(int, e + f)))) for f in units] for e in units
        ]
    assert np.isclose(bandit.loss(R, W), float(loss_mp(W)), rtol=1e-14, atol=0)
    np.testing.assert_allclose(bandit.grad(R, W), grad, rtol=1e-12)
    np.testing.assert_allclose(bandit.hess(R, W), hess, rtol=1e-12)


def test_estimates_are_unbiased():
    pi = bandit.policy(W)
    np.testing.assert_allclose(pi @ bandit.action_grads(R, W), bandit.grad(R, W), atol=1e-15)
    np.testing.assert_allclose(np.tensordot(pi, bandit.action_hessians(R, W), 1), bandit.hess(R, W), atol=1e-15)


def batches(w, size):
    """Every ordered batch: its probability, gradient estimate and Hessian estimate."""
    pi, grads, hessians = bandit.policy(w), bandit.action_grads(R, w), bandit.action_hessians(R, w)
    for actions in product(range(3), repeat=size):
        picked = list(actions)
        yield np.prod(pi[picked]), grads[picked].mean(axis=0), hessians[picked].mean(axis=0)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_variances_over_ordered_batches(size):
    v = np.array([0.4, -1.0, 0.3])
    grad, hess = bandit.grad(R, W), bandit.hess(R, W)
    want = np.zeros(4)
    for chance, g, h in batches(W, size):
        off = h - hess
        squares = [np.sum((g - grad) ** 2), np.sum((off @ v) ** 2), np.sum(off**2), np.linalg.norm(off, 2) ** 2]
        want += chance * np.array(squares)
    got = [
        bandit.gradient_variance(R, W, size),
        bandit.hessian_vector_variance(R, W, v, size),
        bandit.hessian_frobenius_variance(R, W, size),
        bandit.hessian_spectral_variance(R, W, size),
    ]
    np.testing.assert_allclose(got, want, rtol=1e-12)


@pytest.mark.parametrize(("steps", "S", "D", "T"), [(1, 2, 1, 2), (1, 1, 3, 1), (2, 1, 1, 2)])
def test_meta_moments_over_ordered_actions(steps, S, D, T):
    """Every sequence of every batch, in the order in which they are drawn."""
    exact = W
    for _ in range(steps):
        exact = exact - ALPHA * bandit.grad(R, exact)
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
    got = bandit.meta_moments(R, W, ALPHA, steps, S, D, T)
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
    np.testing.assert_allclose(bandit.meta_moments(R, W, ALPHA, 2, 1, 1, 1).gradient, want, rtol=1e-12)


def test_large_preferences_do_not_overflow():
    assert np.isclose(bandit.loss(R, np.array([0.0, 5000.0, -5000.0])), -1.0, rtol=1e-12, atol=0)
    assert np.isfinite(bandit.hessian_spectral_variance(R, 1e4 * W, 3))


def test_spectral_variance_of_a_batch_is_not_that_of_one_sample_over_its_size():
    """For a spectral norm the rule "a batch of n divides the variance by n" fails, on either side."""

    def ratio(rewards, w):
        one, two = (bandit.hessian_spectral_variance(rewards, w, n) for n in (1, 2))
        return 2 * two / one

    assert np.isclose(ratio(np.ones(4), np.zeros(4)), 7 / 8, rtol=1e-12, atol=0)
    rewards, w = np.array([-1.6, 0.2, 0.6, 1.1]), np.array([-0.9, -1.5, -1.4, -1.2])
    assert ratio(rewards, w) > 1.1


def test_too_many_paths_is_an_error():
    with pytest.raises(ValueError, match="paths to enumerate"):
        bandit.meta_moments(R, W, ALPHA, 9, 4, 1, 1)
