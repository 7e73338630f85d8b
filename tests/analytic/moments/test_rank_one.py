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
    hess = np.stack([grad_of(x, w + 1e-30j * e).imag / 1e-30 for e in np.eye(dim)])
    smoothing = rank_one.smoothing(loss_of(x, w), grad_of(x, w), hess, w, nu)
    rule = brute_moments.directions(dim, 10)
    brute_moments.check(smoothing, lambda p: loss_of(x, p), lambda p: grad_of(x, p), w, nu, v, rule, rtol=1e-10)
