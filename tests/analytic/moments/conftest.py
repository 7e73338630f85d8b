"""Moments of the Hessian estimators by brute force: every direction of a tensor Gauss-Hermite rule, estimators as
defined."""

from functools import reduce
from types import SimpleNamespace

import numpy as np
import pytest


def directions(dim, nodes):
    """Points (n, dim) and weights (n,) of a tensor Gauss-Hermite rule for N(0, I)."""
    x, weight = np.polynomial.hermite_e.hermegauss(nodes)
    weight = weight / weight.sum()
    points = np.stack(np.meshgrid(*[x] * dim, indexing="ij"), axis=-1).reshape(-1, dim)
    return points, reduce(np.multiply.outer, [weight] * dim).ravel()


def one_direction(loss, grad, w, nu, u):
    """GGS, ZO and Stein-ZO estimates of single directions, each (n, d, d)."""
    difference = (grad(w + nu * u) - grad(w)) / nu
    curvature = (loss(w + nu * u) + loss(w - nu * u) - 2 * loss(w)) / (2 * nu**2)
    outer = u[:, :, None] * u[:, None, :]
    return {
        "ggs": difference[:, :, None] * u[:, None, :],
        "zo": curvature[:, None, None] * outer,
        "zo_stein": curvature[:, None, None] * (outer - np.eye(u.shape[1])),
    }


def check(smoothing, loss, grad, w, nu, v, rule, rtol=1e-11):
    """Every mean and variance of ``smoothing`` against the rule (points, weights)."""
    u, mass = rule
    np.testing.assert_allclose(smoothing.loss, mass @ loss(w + nu * u), rtol=rtol)
    np.testing.assert_allclose(smoothing.grad, mass @ grad(w + nu * u), rtol=rtol, atol=rtol)
    excess = mass @ (loss(w + nu * u) - loss(w)) / nu**2
    np.testing.assert_allclose(smoothing.excess, excess, rtol=rtol, atol=rtol)
    for name, sample in one_direction(loss, grad, w, nu, u).items():
        mean = np.tensordot(mass, sample, 1)
        np.testing.assert_allclose(getattr(smoothing, f"{name}_mean"), mean, rtol=rtol, atol=rtol, err_msg=name)
        off = sample - mean
        vector = mass @ np.sum((off @ v) ** 2, axis=-1) / 7
        frobenius = mass @ np.sum(off**2, axis=(1, 2)) / 7
        got = getattr(smoothing, f"{name}_vector_variance")(v, directions=7)
        np.testing.assert_allclose(got, vector, rtol=10 * rtol, err_msg=f"{name} vector")
        got = getattr(smoothing, f"{name}_frobenius_variance")(directions=7)
        np.testing.assert_allclose(got, frobenius, rtol=10 * rtol, err_msg=f"{name} Frobenius")


@pytest.fixture(scope="session")
def brute_moments():
    """The functions of this file (test modules cannot import each other)."""
    return SimpleNamespace(directions=directions, check=check)
