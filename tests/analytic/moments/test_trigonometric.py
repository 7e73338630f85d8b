"""Trigonometric: tensor quadrature at moderate radii, 60 digits at small ones, limits at both ends."""

import mpmath as mp
import numpy as np
import pytest

from analytic.moments import quadratic, trigonometric

RNG = np.random.default_rng(3)
KINDS = ("ggs", "zo", "zo_stein")


def instance(dim, waves, size=1.0):
    half = RNG.normal(size=(dim, dim))
    frequency = size * RNG.normal(size=(waves, dim))
    return half + half.T, RNG.normal(size=dim), RNG.normal(size=waves), frequency, RNG.normal(size=waves)


def loss_of(task, w):
    A, b, amplitude, frequency, phase = task
    return np.sum((w @ A) * w, axis=-1) / 2 - w @ b + np.cos(w @ frequency.T + phase) @ amplitude


def grad_of(task, w):
    A, b, amplitude, frequency, phase = task
    return w @ A - b - (amplitude * np.sin(w @ frequency.T + phase)) @ frequency


def hess_of(task, w):
    A, _, amplitude, frequency, phase = task
    return A - (frequency.T * (amplitude * np.cos(frequency @ w + phase))) @ frequency


def smooth(task, w, nu):
    A, b, amplitude, frequency, phase = task
    damped, angle = amplitude * trigonometric.damping(frequency, nu), frequency @ w + phase
    jet = [of((A, b, damped, frequency, phase), w) for of in (loss_of, grad_of, hess_of)]
    return trigonometric.smoothing(*jet, A, frequency, amplitude * np.cos(angle), amplitude * np.sin(angle), nu)


def variances(smoothing, v):
    return np.array(
        [
            value
            for kind in KINDS
            for value in (
                getattr(smoothing, f"{kind}_vector_variance")(v, 1),
                getattr(smoothing, f"{kind}_frobenius_variance")(1),
            )
        ]
    )


@pytest.mark.parametrize(("dim", "waves", "nu"), [(1, 1, 0.8), (2, 3, 0.5), (2, 3, 1.3), (2, 2, 2.5)])
def test_smoothing_against_quadrature(brute_moments, dim, waves, nu):
    task, w, v = instance(dim, waves), RNG.normal(size=dim), RNG.normal(size=dim)
    smoothing = smooth(task, w, nu)
    rule = brute_moments.directions(dim, 90)
    brute_moments.check(smoothing, lambda p: loss_of(task, p), lambda p: grad_of(task, p), w, nu, v, rule, rtol=1e-10)


@pytest.mark.parametrize("nu", ["1e-1", "1e-2", "1e-3", "1e-5"])
def test_small_radius_in_one_dimension_with_sixty_digits(nu):
    """All of it again in d = 1, where a rule of 24 nodes is exact to far more digits than a double holds."""
    task = (np.array([[0.7]]), np.zeros(1), np.array([0.9, -1.7]), np.array([[1.1], [0.6]]), np.array([0.4, -1.0]))
    w = np.array([0.3])
    with mp.workdps(60):
        nodes = [mp.mpf(x) for x in np.polynomial.hermite_e.hermegauss(24)[0]]
        he = [lambda x: mp.hermite(24, x / mp.sqrt(2)), lambda x: mp.hermite(23, x / mp.sqrt(2))]
        nodes = [mp.findroot(he[0], x) for x in nodes]
        mass = [1 / he[1](x) ** 2 for x in nodes]
        radius, A, point = mp.mpf(nu), mp.mpf(task[0][0, 0]), mp.mpf(w[0])
        waves = [tuple(map(mp.mpf, wave)) for wave in zip(task[2], task[3][:, 0], task[4], strict=True)]

        def loss(y):
            return A * y**2 / 2 + sum(a * mp.cos(v * y + p) for a, v, p in waves)

        def grad(y):
            return A * y - sum(a * v * mp.sin(v * y + p) for a, v, p in waves)

        def variance(values):
            mean = sum(m * x for m, x in zip(mass, values, strict=True)) / sum(mass)
            return sum(m * (x - mean) ** 2 for m, x in zip(mass, values, strict=True)) / sum(mass)

        bends = [
            (loss(point + radius * u) + loss(point - radius * u) - 2 * loss(point)) / (2 * radius**2) for u in nodes
        ]
        exact = [
            variance([(grad(point + radius * u) - grad(point)) / radius * u for u in nodes]),
            variance([bend * u**2 for bend, u in zip(bends, nodes, strict=True)]),
            variance([bend * (u**2 - 1) for bend, u in zip(bends, nodes, strict=True)]),
        ]
    smoothing = smooth(task, w, float(nu))
    for value, want in zip(variances(smoothing, np.ones(1))[::2], exact, strict=True):
        assert np.isclose(value, float(want), rtol=3e-14, atol=0)


@pytest.mark.parametrize("nu", [1e-7, 1e-8, 1e-12])
def test_tiny_radius_is_the_quadratic_of_its_hessian(nu):
    task, w, v = instance(3, 4), RNG.normal(size=3), RNG.normal(size=3)
    smoothing = smooth(task, w, nu)
    limit = quadratic.smoothing(0.0, np.zeros(3), hess_of(task, w), nu)
    np.testing.assert_allclose(smoothing.hess, limit.hess, rtol=1e-12)
    assert np.isclose(smoothing.excess, limit.excess, rtol=1e-12, atol=0)
    np.testing.assert_allclose(variances(smoothing, v), variances(limit, v), rtol=1e-11)


@pytest.mark.parametrize("nu", [1e3, 1e8, 1e50])
def test_huge_radius_leaves_the_quadratic(nu):
    task, w, v = instance(2, 3), RNG.normal(size=2), RNG.normal(size=2)
    task[3][2] = task[3][0]  # equal frequencies: their difference stays when all else is averaged out
    smoothing = smooth(task, w, nu)
    limit = quadratic.smoothing(0.0, np.zeros(2), task[0], nu)
    np.testing.assert_allclose(smoothing.hess, limit.hess)
    np.testing.assert_allclose(variances(smoothing, v), variances(limit, v), rtol=100 / nu**2 + 1e-12)


@pytest.mark.parametrize("nu", [20.0, 1e4, 1e8])
def test_huge_radius_without_a_quadratic_keeps_relative_accuracy(nu):
    """Averaged out, (cos x - 1)^2 is 3/2 and cos x - 1 is -1: delta = c (cos x - 1) / nu^2 remains, however small."""
    task = np.zeros((1, 1)), np.zeros(1), np.array([2.0]), np.array([[0.7]]), np.array([0.5])
    smoothing = smooth(task, np.zeros(1), nu)
    bend = (2 * np.cos(0.5) / nu**2) ** 2
    assert np.isclose(smoothing.zo_vector_variance(np.ones(1), 1), bend * (3 * 1.5 - 1), rtol=1e-9, atol=0)
    assert np.isclose(smoothing.zo_stein_vector_variance(np.ones(1), 1), bend * 2 * 1.5, rtol=1e-9, atol=0)
    # D = -a v (sin(theta + x) - sin theta) / nu, whose mean square is a^2 v^2 (1/2 + sin(theta)^2) / nu^2
    slope = 1.4**2 * (0.5 + np.sin(0.5) ** 2) / nu**2
    assert np.isclose(smoothing.ggs_vector_variance(np.ones(1), 1), slope, rtol=1e-9, atol=0)


def test_two_fast_waves_of_nearly_one_frequency_beat():
    """Averaged out, cos x cos y is cos(x - y) / 2; the polynomial beside it is large at x and y, not at x - y."""
    nu, frequency, amplitude = 1e4, np.array([[0.7], [0.70008]]), np.array([2.0, -1.5])
    smoothing = smooth((np.zeros((1, 1)), np.zeros(1), amplitude, frequency, np.zeros(2)), np.zeros(1), nu)
    t = nu * (frequency[1, 0] - frequency[0, 0])
    beat = (t**4 - 6 * t**2 + 3) * np.exp(-(t**2) / 2) / 2
    fourth = 4.5 * np.sum(amplitude**2) + 2 * np.prod(amplitude) * (3 + beat)
    want = (fourth - np.sum(amplitude) ** 2) / nu**4
    assert np.isclose(smoothing.zo_vector_variance(np.ones(1), 1), want, rtol=1e-9, atol=0)


def test_one_fast_and_one_slow_wave(brute_moments):
    """A pair of waves on the two sides of the switch between the two forms of the same term."""
    task = instance(1, 2)
    task[3][:] = [[1e-4], [1.5]]
    w = np.array([0.2])
    smoothing = smooth(task, w, 1.0)
    rule = brute_moments.directions(1, 90)
    brute_moments.check(
        smoothing, lambda p: loss_of(task, p), lambda p: grad_of(task, p), w, 1.0, np.ones(1), rule, rtol=1e-10
    )
