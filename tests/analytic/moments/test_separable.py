"""Losses that are sums over coordinates, by the kink: closed forms in 50 digits, the extremal case, tensor products."""

import mpmath as mp
import numpy as np
import pytest

from analytic.moments import quadratic
from analytic.moments.rules import piecewise
from maml_bench.problems import Kink

RNG = np.random.default_rng(4)
RHO = 1.3
CASES = [
    (t, r, nu)
    for t in (0.0, 1e-6, 0.4, -0.9, 1.0, 37.0)
    for r in (1.0, 50.0)
    for nu in (1e-8, 1e-3, 0.5, 1.0, 40.0, 1e6)
]


def smooth(radius, w, nu, center=0.0, slope=0.0):
    w = np.asarray(w)
    [found] = Kink(center + 0 * w, slope + 0 * w, RHO, radius).smoothings(w[None], nu)
    return found


def plus_moment(n, z):
    """E (z + u)_+^n for standard normal u."""
    if n == 0:
        return mp.ncdf(z)
    lower = plus_moment(n - 2, z) * (n - 1) if n > 1 else mp.npdf(z)
    return z * plus_moment(n - 1, z) + lower


def smoothed(n, t, r, nu):
    """Smoothed derivative of h of order 3 - n, from ramps: h'' = rho (|t| - (|t| - r)_+)."""
    side = (-1) ** (n - 1)
    pieces = [(t, 1), (-t, side), (t - r, -1), (-t - r, -side)]
    return RHO * nu**n / mp.factorial(n) * sum(c * plus_moment(n, x / nu) for x, c in pieces)


@pytest.mark.parametrize(("t", "r", "nu"), CASES)
def test_smoothed_loss_gradient_and_hessian_by_erf(t, r, nu):
    smoothing = smooth(r, [t], nu)
    with mp.workdps(70):
        exact = [smoothed(n, mp.mpf(t), mp.mpf(r), mp.mpf(nu)) for n in (1, 2, 3)]
        y, band = abs(mp.mpf(t)), mp.mpf(r)
        h = mp.mpf(RHO) / 6 * (y**3 - max(y - band, 0) ** 3)
        excess = (exact[2] - h) / mp.mpf(nu) ** 2
        hess, grad, loss, excess = map(float, (*exact, excess))
    assert np.isclose(smoothing.hess[0, 0], hess, rtol=3e-14, atol=0)
    assert np.isclose(smoothing.excess, excess, rtol=3e-14, atol=0)
    assert np.isclose(smoothing.loss, loss, rtol=3e-14, atol=0)
    assert np.isclose(smoothing.grad[0], grad, rtol=3e-14, atol=1e-15 * RHO * r * nu)


@pytest.mark.parametrize(("t", "r", "nu"), [(0.3, 1.0, 0.7), (-1.2, 0.5, 0.2), (2.0, 0.5, 30.0), (1e-3, 1.0, 1e-3)])
def test_variances_in_one_dimension(t, r, nu):
    with mp.workdps(40):
        cuts = sorted({mp.mpf(s * x) for s in (1, -1) for x in ((-r - t) / nu, -t / nu, (r - t) / nu)})
        cuts = [mp.mpf(-16), *(x for x in cuts if abs(x) < 16), mp.mpf(16)]

        def h(y):
            return RHO / mp.mpf(6) * (abs(y) ** 3 - max(abs(y) - r, 0) ** 3)

        def slope(y):
            return RHO / mp.mpf(2) * mp.sign(y) * (y**2 - max(abs(y) - r, 0) ** 2)

        def variance(f):
            first, second = mp.quad(lambda u: f(u) * mp.npdf(u), cuts), mp.quad(lambda u: f(u) ** 2 * mp.npdf(u), cuts)
            return float(second - first**2)

        def bend(u):
            return (h(t + nu * u) + h(t - nu * u) - 2 * h(t)) / (2 * nu**2)

        exact = [
            variance(lambda u: (slope(t + nu * u) - slope(t)) / nu * u),
            variance(lambda u: bend(u) * u**2),
            variance(lambda u: bend(u) * (u**2 - 1)),
        ]
    smoothing = smooth(r, [t], nu)
    for kind, want in zip(("ggs", "zo", "zo_stein"), exact, strict=True):
        assert np.isclose(getattr(smoothing, f"{kind}_vector_variance")(np.ones(1), 1), want, rtol=1e-12, atol=0)
        assert np.isclose(getattr(smoothing, f"{kind}_frobenius_variance")(1), want, rtol=1e-12, atol=0)


def test_two_coordinates_against_the_tensor_rule(brute_moments):
    """The estimators as defined, on the product of two split rules; this mixes the coordinates."""
    center, slope, r, nu = np.array([0.2, -0.1]), np.array([0.4, -2.0]), 0.6, 0.5
    w, v = np.array([0.5, 0.9]), np.array([1.2, -0.7])
    lines = []
    for t in w - center:
        cuts = np.array([-r - t, -t, r - t]) / nu
        lines.append(piecewise(np.concatenate([cuts, -cuts]), 12))
    u = np.stack(np.meshgrid(lines[0][0], lines[1][0], indexing="ij"), axis=-1).reshape(-1, 2)
    mass = np.multiply.outer(lines[0][1], lines[1][1]).ravel()

    def h(y):
        return RHO / 6 * (np.abs(y) ** 3 - np.maximum(np.abs(y) - r, 0) ** 3)

    def loss(p):
        return np.sum(h(p - center), axis=-1) - p @ slope

    def grad(p):
        y = p - center
        return RHO / 2 * np.sign(y) * (y**2 - np.maximum(np.abs(y) - r, 0) ** 2) - slope

    smoothing = smooth(r, w, nu, center, slope)
    brute_moments.check(smoothing, loss, grad, w, nu, v, (u, mass), rtol=1e-10)


def test_at_the_kink_the_bias_is_rho_nu_mean_abs():
    """With a wide band the smoothed Hessian at the kink is rho nu E|u|, the largest value any rho allows."""
    smoothing = smooth(1.0, [0.0], 1e-4)
    assert np.isclose(smoothing.hess[0, 0], RHO * 1e-4 * np.sqrt(2 / np.pi), rtol=1e-13, atol=0)
    # E u^6 / 4 less the squared mean
    want = (RHO * 1e-4) ** 2 * (15 / 4 - 2 / np.pi)
    assert np.isclose(smoothing.ggs_vector_variance(np.ones(1), 1), want, rtol=1e-12, atol=0)


@pytest.mark.parametrize("nu", [1e-8, 1e-12])
def test_tiny_radius_is_the_quadratic_of_its_hessian(nu):
    center, w, v = RNG.normal(size=(3, 3))
    smoothing = smooth(0.5, w, nu, center)
    hess = np.diag(RHO * np.minimum(np.abs(w - center), 0.5))
    limit = quadratic.smoothing(0.0, np.zeros(3), hess, nu)
    for kind in ("ggs", "zo", "zo_stein"):
        name = f"{kind}_vector_variance"
        assert np.isclose(
            getattr(smoothing, name)(v, 2), getattr(limit, name)(v, 2), rtol=1e-6 if nu > 1e-9 else 1e-10, atol=0
        )


def test_far_point_and_huge_radius_stay_finite():
    for t, nu in ((1e100, 1e-8), (1e100, 1e100), (-3.0, 1e60), (1e50, 1.0)):
        smoothing = smooth(1.0, [t], nu)
        assert np.isclose(smoothing.hess[0, 0], RHO, rtol=1e-12, atol=0)
        assert np.isclose(smoothing.excess, RHO / 2, rtol=1e-12, atol=0)
