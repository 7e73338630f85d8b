"""Gradient differences along Gaussian directions against matrices and moments known by hand.

Statistical tests reject at five standard errors of the measured mean (false alarm about 6e-7 each, by normal
approximation) and have fixed seeds.
"""

import numpy as np
import pytest
from hessian_by_hand import T2, A, V, draws, quadratic
from zoo import assert_mean

from maml_bench.hessians import GaussianSmoothing
from maml_bench.problems import Trigonometric


def test_gaussian_smoothing_on_a_quadratic_is_A_times_the_mean_of_uu():
    H = GaussianSmoothing(0.3, 4, data="population").operator(quadratic(), V, 1, np.random.default_rng(6))
    expected = A @ np.einsum("qi,qj->ij", H.right, H.right) @ V / 4
    np.testing.assert_allclose(H(V), expected, rtol=1e-12)


@pytest.mark.parametrize(("sigma_g", "D"), [(0.0, 1), (0.4, 1), (0.4, 5)])
def test_gaussian_smoothing_has_the_exact_mean_and_variance_on_a_quadratic(sigma_g, D):
    Q, nu = 3, 0.2
    values = draws(GaussianSmoothing(nu, Q), quadratic(sigma_g), D=D)
    assert_mean(values, A @ V)
    noise = 2 * sigma_g**2 * (V @ V) / (Q * D * nu**2)
    variance = (T2 * (V @ V) + (A @ V) @ (A @ V)) / Q + noise
    assert_mean(((values - A @ V) ** 2).sum(-1), variance)


def test_the_noise_averages_out_over_directions_though_they_share_the_batch_at_w():
    # Were the noise terms correlated, the variance would stay away from 0 as Q grows; it is 1/Q of one direction's.
    Q, nu, sigma_g = 100, 0.05, 1.0
    values = draws(GaussianSmoothing(nu, Q), quadratic(sigma_g), replicates=4000)
    variance = (T2 * (V @ V) + (A @ V) @ (A @ V)) / Q + 2 * sigma_g**2 * (V @ V) / (Q * nu**2)
    assert_mean(((values - A @ V) ** 2).sum(-1), variance)


def test_gaussian_smoothing_damps_each_cosine():
    tasks = Trigonometric.random(dim=3, tasks=1, rng=8)[0]
    nu = 0.6
    length = np.linalg.norm(tasks.frequency, axis=-1)
    smooth = Trigonometric(
        tasks.A, tasks.b, tasks.amplitude * np.exp(-((nu * length) ** 2) / 2), tasks.frequency, tasks.phase
    )
    assert_mean(draws(GaussianSmoothing(nu, 4), tasks), smooth.hess(V) @ V)


class Line:
    """Linear losses ``b.w``, whose gradient is the array that they are made of."""

    dim, batch_shape = 2, (3,)

    def __init__(self):
        self.b = np.arange(6.0).reshape(3, 2)

    def sample(self, rng, w, size):
        return None

    def grad(self, w, sample=None):
        return self.b


def test_what_a_family_keeps_is_not_written_over():
    tasks = Line()
    drawn = GaussianSmoothing(0.1, 4).operator(tasks, np.ones((5, 1, 2)), 1, np.random.default_rng(0))
    assert np.array_equal(tasks.b, np.arange(6.0).reshape(3, 2))
    assert np.array_equal(drawn(np.ones(2)), np.zeros((5, 3, 2)))
