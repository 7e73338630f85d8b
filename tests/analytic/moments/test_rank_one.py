"""Rank one: polynomials, so a tensor rule with few nodes is exact."""

import numpy as np
import pytest

from analytic.moments import rank_one

RNG = np.random.default_rng(2)


def loss_of(x, w):
    gram = w[..., :, None] * w[..., None, :] - np.outer(x, x)
    return np.sum(gram**2, axis=(-2, -1)) / 4


def grad_of(x, w):
    return np.sum(w**2, axis=-1, keepdims=True) * w - (w @ x)[..., None] * x


@pytest.mark.parametrize(("dim", "nu"), [(1, 0.3), (2, 1.4), (3, 0.6)])
def test_smoothing_against_quadrature(brute_moments, dim, nu):
    x, w, v = RNG.normal(size=(3, dim))
    rule = brute_moments.directions(dim, 10)
    brute_moments.check(
        rank_one.smoothing(x, w, nu), lambda p: loss_of(x, p), lambda p: grad_of(x, p), w, nu, v, rule, rtol=1e-10
    )


def test_loss_gradient_and_hessian():
    x, w = RNG.normal(size=(2, 4))
    assert np.isclose(rank_one.loss(x, w), loss_of(x, w), rtol=1e-13, atol=0)
    np.testing.assert_allclose(rank_one.grad(x, w), grad_of(x, w), rtol=1e-13)
    columns = [grad_of(x, w + 1e-30j * e).imag / 1e-30 for e in np.eye(4)]
    np.testing.assert_allclose(rank_one.hess(x, w), columns, rtol=1e-13, atol=1e-13)


def test_loss_near_the_factor_keeps_its_digits():
    x = np.array([3.0, 4.0])
    # w = (1 + e) x: the loss is ((1 + e)^2 - 1)^2 ||x||^4 / 4
    e = 2.0**-30
    assert np.isclose(rank_one.loss(x, (1 + e) * x), (2 * e + e**2) ** 2 * 625 / 4, rtol=1e-8, atol=0)
    assert rank_one.loss(x, -x) == 0.0


def test_zero_target():
    w = np.array([1.0, 2.0])
    assert np.isclose(rank_one.loss(np.zeros(2), w), 25 / 4, rtol=1e-12, atol=0)
