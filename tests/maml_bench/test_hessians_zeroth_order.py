"""Second differences of losses against matrices and moments known by hand.

Statistical tests reject at five standard errors of the measured mean (false alarm about 6e-7 each, by normal
approximation) and have fixed seeds.
"""

import numpy as np
import pytest
from hessian_by_hand import T1, T2, A, V, draws, quadratic
from zoo import assert_mean

from maml_bench.hessians import ZerothOrder
from maml_bench.problems import AdditiveGaussian, Quadratic, Trigonometric


def test_zeroth_order_on_a_quadratic_is_half_uAu_times_uu():
    rng = np.random.default_rng(9)
    for stein in (False, True):
        H = ZerothOrder(0.3, 4, stein=stein, data="population").operator(quadratic(), V, 1, rng)
        u = H.right
        outer = u[:, :, None] * u[:, None, :] - stein * np.eye(3)
        expected = np.mean((np.vecdot(u, u @ A) / 2)[:, None, None] * outer, axis=0) @ V
        np.testing.assert_allclose(H(V), expected, rtol=1e-10)


def test_zeroth_order_has_a_bias_of_half_the_trace_and_the_exact_second_moment():
    values = draws(ZerothOrder(0.1, 1), quadratic(), replicates=200_000)
    assert_mean(values, A @ V + T1 / 2 * V)
    AV = A @ V
    second = (3 + 6) / 4 * ((T1**2 + 2 * T2) * (V @ V) + 4 * T1 * (V @ AV) + 8 * (AV @ AV))
    assert_mean((values**2).sum(-1), second)


def test_the_variance_of_zeroth_order_falls_like_one_over_Q():
    AV = A @ V
    mean = AV + T1 / 2 * V
    one = (3 + 6) / 4 * ((T1**2 + 2 * T2) * (V @ V) + 4 * T1 * (V @ AV) + 8 * (AV @ AV)) - mean @ mean
    values = draws(ZerothOrder(0.1, 5), quadratic(), replicates=50_000)
    assert_mean(((values - mean) ** 2).sum(-1), one / 5)


def test_the_stein_correction_removes_the_bias_of_zeroth_order():
    assert_mean(draws(ZerothOrder(0.1, 3, stein=True), quadratic(), replicates=50_000), A @ V)


def test_the_baseline_of_evolution_strategies_leaves_the_hessian_of_the_smoothed_loss_times_1_less_1_over_Q():
    tasks = Trigonometric.random(dim=3, tasks=1, rng=8)[0]
    nu, Q = 0.6, 4
    damping = np.exp(-((nu * np.linalg.norm(tasks.frequency, axis=-1)) ** 2) / 2)
    smooth = Trigonometric(tasks.A, tasks.b, tasks.amplitude * damping, tasks.frequency, tasks.phase)
    noisy = tasks.with_noise(AdditiveGaussian(0.5))
    for data in ("resampled", "shared", "population"):
        values = draws(ZerothOrder(nu, Q, data=data, baseline="mean"), noisy, replicates=50_000)
        assert_mean(values, (1 - 1 / Q) * smooth.hess(V) @ V)


def test_the_baseline_of_evolution_strategies_by_hand():
    nu, Q = 0.7, 5
    tasks = Trigonometric.random(dim=3, tasks=1, rng=8)[0]
    drawn = ZerothOrder(nu, Q, baseline="mean").operator(tasks, V, 1, np.random.default_rng(2))
    u = drawn.right
    f = (tasks.loss(V + nu * u) + tasks.loss(V - nu * u)) / 2
    matrix = np.einsum("j,ja,jb->ab", f - f.mean(), u, u) / (Q * nu**2)
    np.testing.assert_allclose(drawn(V), matrix @ V, rtol=1e-10)


@pytest.mark.parametrize("stein", [False, True])
def test_zeroth_order_at_a_large_radius_is_the_smoothed_hessian_plus_a_multiple_of_the_identity(stein):
    tasks = Trigonometric.random(dim=3, tasks=1, rng=8)[0]
    nu = 0.6
    damping = np.exp(-((nu * np.linalg.norm(tasks.frequency, axis=-1)) ** 2) / 2)
    smooth = Trigonometric(tasks.A, tasks.b, tasks.amplitude * damping, tasks.frequency, tasks.phase)
    smoothed_loss = smooth.loss(V) + nu**2 * np.trace(tasks.A) / 2
    multiple = 0 if stein else (smoothed_loss - tasks.loss(V)) / nu**2
    values = draws(ZerothOrder(nu, 2, stein=stein), tasks, replicates=50_000)
    assert_mean(values, smooth.hess(V) @ V + multiple * V)


def test_noise_adds_to_zeroth_order_as_if_every_direction_had_its_own_batches():
    # With l(w; xi) = l(w) + xi.w the noise of one direction is n u (u.v), where given u
    # var n = s^2 (||w + nu u||^2 + ||w - nu u||^2 + 4 ||w||^2) / (4 nu^4), s^2 = sigma_g^2 / (d D).
    # A zero Hessian leaves nothing else; E ||u (u.v)||^2 = (d + 2) ||v||^2 and E ||u||^4 (u.v)^2 = (d+2)(d+4) ||v||^2.
    Q, nu, sigma_g, D, d = 40, 0.5, 0.3, 2, 3
    flat = Quadratic(np.zeros((d, d)), np.zeros(d)).with_noise(AdditiveGaussian(sigma_g))
    values = draws(ZerothOrder(nu, Q), flat, D=D)
    s2 = sigma_g**2 / (d * D)
    variance = s2 * (6 * (V @ V) * (d + 2) + 2 * nu**2 * (d + 2) * (d + 4)) * (V @ V) / (4 * nu**4 * Q)
    assert_mean((values**2).sum(-1), variance)
