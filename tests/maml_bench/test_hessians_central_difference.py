"""The central difference along v against products known by hand.

Statistical tests reject at five standard errors of the measured mean (false alarm about 6e-7 each, by normal
approximation) and have fixed seeds.
"""

import numpy as np
from hessian_by_hand import A, V, draws, quadratic
from zoo import assert_mean

from maml_bench.hessians import CentralDifference
from maml_bench.problems import Trigonometric


def test_central_difference_is_exact_on_a_quadratic_and_second_order_elsewhere():
    rng = np.random.default_rng(10)
    H = CentralDifference(0.5).operator(quadratic(sigma_g=1.0), V, 1, rng)
    np.testing.assert_allclose(H(V), A @ V, rtol=1e-12)
    tasks = Trigonometric.random(dim=3, tasks=4, rng=5)
    errors = []
    for delta in (0.02, 0.01):
        error = CentralDifference(delta).operator(tasks, V, 1, rng)(V) - tasks.hvp(V, V)
        errors.append(np.linalg.norm(error, axis=-1))
        assert np.all(errors[-1] <= tasks.regularity.tau * delta**2 * np.linalg.norm(V) ** 3 / 6)
    np.testing.assert_allclose(errors[0] / errors[1], 4, rtol=0.01)


def test_resampled_central_difference_is_a_fixed_function_with_noise_at_both_points():
    sigma_g, delta, D = 0.5, 0.2, 2
    values = draws(CentralDifference(delta, data="resampled"), quadratic(sigma_g), D=D)
    assert_mean(values, A @ V)
    assert_mean(((values - A @ V) ** 2).sum(-1), 2 * sigma_g**2 / (D * 4 * delta**2))
    H = CentralDifference(delta, data="resampled").operator(quadratic(sigma_g), V, D, np.random.default_rng(0))
    np.testing.assert_array_equal(H(V), H(V))
