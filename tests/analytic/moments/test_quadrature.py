"""The one-dimensional engine against closed forms, brute-force tensor rules and known rates."""

import numpy as np
import pytest

from analytic.moments import quadratic
from analytic.moments.quadrature import path_moments
from maml_bench.problems import Kink, Trigonometric

ALPHA, SIGMA, S, T = 0.2, 0.5, 2, 3


def wave_grad(w):
    return 0.8 * w - 1.5 * np.sin(1.1 * w + 0.3)


def wave_hess(w):
    return 0.8 - 1.65 * np.cos(1.1 * w + 0.3)


def brute(xi, mass, grad, hess, w, steps):
    """Every noise, the final one too, as one more axis of a tensor rule."""
    here, exact, product, exact_product = np.full(len(mass), w), w, 1.0, 1.0
    for j in range(steps):
        product, exact_product = product * (1 - ALPHA * hess(here)), exact_product * (1 - ALPHA * hess(exact))
        here = here - ALPHA * (grad(here) + SIGMA / np.sqrt(S) * xi[:, j])
        exact = exact - ALPHA * grad(exact)
    g = product * (grad(here) + SIGMA / np.sqrt(T) * xi[:, steps])
    e = here - exact
    return mass @ e, mass @ e**2, mass @ g - exact_product * grad(exact), mass @ g**2


@pytest.mark.parametrize(("steps", "nodes"), [(1, 40), (2, 30), (3, 14), (4, 9)])
def test_against_a_brute_force_tensor_rule(brute_moments, steps, nodes):
    got = path_moments(wave_grad, wave_hess, 0.4, ALPHA, steps, SIGMA, S, T)
    want = brute(*brute_moments.directions(steps + 1, nodes), wave_grad, wave_hess, 0.4, steps)
    np.testing.assert_allclose(
        [got.path_bias, got.path_second, got.bias, got.second_moment], want, rtol=1e-8, atol=1e-14
    )


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
@pytest.mark.parametrize("curvature", [1.3, -0.9])
def test_quadratic(steps, curvature):
    A, slope = np.array([[curvature]]), np.array([1.2 * curvature - 0.4])
    got = path_moments(lambda p: curvature * p - 0.4, lambda p: curvature + 0 * p, 1.2, ALPHA, steps, SIGMA, S, T)
    noise = np.array([[SIGMA**2]])
    second = quadratic.path_second_moment(A, ALPHA, steps, noise, S)
    assert np.isclose(got.path_second, second, rtol=1e-12, atol=0)
    # the error is normal with mean zero
    assert np.isclose(got.path_first, np.sqrt(2 / np.pi * second), rtol=1e-10, atol=0)
    assert abs(got.path_bias) < 1e-15
    assert abs(got.bias) < 1e-14
    assert np.isclose(got.gradient, quadratic.meta_gradient_mean(A, slope, ALPHA, steps)[0], rtol=1e-13, atol=0)
    moment = quadratic.meta_gradient_second_moment(A, slope, ALPHA, steps, noise, S, T)
    assert np.isclose(got.second_moment, moment, rtol=1e-12, atol=0)


def test_one_step_is_a_smoothed_gradient():
    """After one step the last gradient sees Gaussian noise: its mean is a gradient of the smoothed loss."""
    task = Trigonometric([[0.8]], [0.0], [1.5 / 1.1], [[1.1]], [0.3])
    end = 0.4 - ALPHA * wave_grad(0.4)
    smoothed = task.smoothings(np.array([[end]]), ALPHA * SIGMA / np.sqrt(S))[0].grad[0]
    got = path_moments(wave_grad, wave_hess, 0.4, ALPHA, 1, SIGMA, S, T)
    assert np.isclose(got.bias, (1 - ALPHA * wave_hess(0.4)) * (smoothed - wave_grad(end)), rtol=1e-10, atol=0)


def kink_functions(rho=2.0, r=0.5):
    def grad(w):
        return rho / 2 * np.sign(w) * (w**2 - np.maximum(np.abs(w) - r, 0) ** 2) + 0.3

    return grad, lambda w: rho * np.minimum(np.abs(w), r), np.array([-r, 0.0, r])


def test_kink_with_breaks_is_exact():
    grad, hess, breaks = kink_functions()
    w = 0.1
    end = w - ALPHA * grad(w)
    radius = ALPHA * SIGMA / np.sqrt(S)
    smoothed = Kink([0.0], [-0.3], 2.0, 0.5).smoothings(np.array([[end]]), radius)[0].grad[0]
    got = path_moments(grad, hess, w, ALPHA, 1, SIGMA, S, T, breaks=breaks)
    assert np.isclose(got.bias, (1 - ALPHA * hess(w)) * (smoothed - grad(end)), rtol=1e-12, atol=0)


@pytest.mark.parametrize(("steps", "coarse", "fine", "rtol"), [(2, None, 45, 1e-11), (3, None, 20, 1e-9)])
def test_kink_with_breaks_has_converged(steps, coarse, fine, rtol):
    grad, hess, breaks = kink_functions()
    one, two = (
        path_moments(grad, hess, 0.1, ALPHA, steps, SIGMA, S, T, breaks=breaks, nodes=nodes) for nodes in (coarse, fine)
    )
    for name in ("path_bias", "path_first", "path_second", "bias", "second_moment"):
        assert np.isclose(getattr(one, name), getattr(two, name), rtol=rtol, atol=0), name


def test_many_problems_at_once():
    rng = np.random.default_rng(5)
    size, w, alpha = rng.uniform(0.5, 2, (3, 4)), rng.normal(size=(3, 4)), rng.uniform(0.05, 0.3, (3, 4))
    batch = np.array([1, 2, 5, 9])

    def family(size):
        return lambda p: size * np.sin(p), lambda p: size * np.cos(p)

    whole = path_moments(*family(size[..., None]), w, alpha, 2, SIGMA, batch, T)
    assert whole.bias.shape == (3, 4)
    single = path_moments(*family(size[1, 2]), w[1, 2], alpha[1, 2], 2, SIGMA, 5, T)
    for name in ("path_bias", "path_first", "path_second", "gradient", "bias", "second_moment"):
        assert np.isclose(getattr(whole, name)[1, 2], getattr(single, name), rtol=1e-12, atol=0), name


def test_bias_falls_like_one_over_S_if_smooth_and_like_its_root_at_a_kink():
    sizes = np.array([100, 400])

    def slope(values):
        return np.log(abs(values[1] / values[0])) / np.log(4)

    smooth = path_moments(wave_grad, wave_hess, 0.4, ALPHA, 2, SIGMA, sizes, T)
    assert abs(slope(smooth.bias) + 1) < 0.01
    grad, hess, breaks = kink_functions()
    # a start from which the first exact step lands on the kink
    start = 0.06
    for _ in range(50):
        start = ALPHA * grad(start)
    kinked = path_moments(grad, hess, start, ALPHA, 2, SIGMA, 1000 * sizes, T, breaks=breaks)
    assert abs(slope(kinked.bias) + 0.5) < 0.02


def test_without_noise_nothing_is_random():
    got = path_moments(wave_grad, wave_hess, 0.4, ALPHA, 3, 0.0, S, T)
    assert (abs(got.bias), got.path_first, got.path_second) == (pytest.approx(0, abs=1e-15),) * 3
    assert np.isclose(got.second_moment, got.gradient**2, rtol=1e-12, atol=0)
    grad, hess, breaks = kink_functions()
    got = path_moments(grad, hess, 0.1, ALPHA, 2, 0.0, S, T, breaks=breaks)
    assert abs(got.bias) < 1e-14
