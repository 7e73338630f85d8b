"""Quadratic: closed values, and the meta gradient by quadrature over every random number in it."""

import numpy as np
import pytest

from analytic.moments import quadratic

RNG = np.random.default_rng(1)
A = np.array([[1.0, 0.4], [0.4, -0.7]])
B = np.array([0.3, -1.1])
W = np.array([0.8, 0.5])
V = np.array([-0.6, 1.3])
NOISE = np.array([[0.5, 0.2], [0.2, 0.3]])
ALPHA = 0.3


def loss(w):
    return np.sum((w @ A) * w, axis=-1) / 2 - w @ B


def grad(w):
    return w @ A - B


def path_end(steps):
    w = W
    for _ in range(steps):
        w = w - ALPHA * grad(w)
    return w


def test_smoothing_against_quadrature(brute_moments):
    smoothing = quadratic.smoothing(loss(W), grad(W), A, 0.7)
    brute_moments.check(smoothing, loss, grad, W, 0.7, V, brute_moments.directions(2, 8))


def test_known_closed_forms():
    half = RNG.normal(size=(4, 4))
    a, v, q = half + half.T, RNG.normal(size=4), 3
    d, t1, t2 = 4, np.trace(a), np.sum(a**2)
    smoothing = quadratic.smoothing(0.0, np.zeros(4), a, 1.0)
    np.testing.assert_allclose(smoothing.ggs_vector_variance(v, q), (t2 * v @ v + v @ a @ a @ v) / q)
    np.testing.assert_allclose(smoothing.ggs_frobenius_variance(q), t2 * (d + 1) / q)
    mean = a + t1 / 2 * np.eye(d)
    vector = (d + 6) / 4 * ((t1**2 + 2 * t2) * v @ v + 4 * t1 * v @ a @ v + 8 * v @ a @ a @ v)
    np.testing.assert_allclose(smoothing.zo_vector_variance(v, q), (vector - np.sum((mean @ v) ** 2)) / q)
    frobenius = (d + 4) * (d + 6) / 4 * (t1**2 + 2 * t2)
    np.testing.assert_allclose(smoothing.zo_frobenius_variance(q), (frobenius - np.sum(mean**2)) / q)


def test_stein_second_moment_on_a_multiple_of_the_identity():
    d, size, v = 5, 1.7, RNG.normal(size=5)
    smoothing = quadratic.smoothing(0.0, np.zeros(d), size * np.eye(d), 1.0)
    second = size**2 * (d + 2) * ((d + 4) ** 2 + d) / 4
    np.testing.assert_allclose(smoothing.zo_stein_vector_variance(v, 1), (second - size**2) * v @ v, rtol=1e-12)


def test_path_covariance_unrolled():
    m, covariance = np.eye(2) - ALPHA * A, np.zeros((2, 2))
    for j in range(4):
        move = np.linalg.matrix_power(m, j)
        covariance += ALPHA**2 * move @ NOISE @ move.T / 3
    np.testing.assert_allclose(quadratic.path_covariance(A, ALPHA, 4, NOISE, 3), covariance, rtol=1e-13)
    assert np.isclose(quadratic.path_second_moment(A, ALPHA, 4, NOISE, 3), np.trace(covariance), rtol=1e-13, atol=0)


def test_concave_path_reaches_the_geometric_sum():
    dim, size, sigma_g, steps, batch = 3, 2.0, 0.4, 5, 2
    q = 1 + ALPHA * size
    second = quadratic.path_second_moment(-size * np.eye(dim), ALPHA, steps, quadratic.isotropic(dim, sigma_g), batch)
    assert np.isclose(second, ALPHA**2 * sigma_g**2 / batch * (q ** (2 * steps) - 1) / (q**2 - 1), rtol=1e-13, atol=0)


def test_meta_gradient_differentiates_the_adapted_loss():
    step = 1e-30j  # complex step: no cancellation
    numeric = []
    for unit in np.eye(2):
        w = W + step * unit
        for _ in range(3):
            w = w - ALPHA * (A @ w - B)
        numeric.append((w @ A @ w / 2 - B @ w).imag / step.imag)
    np.testing.assert_allclose(quadratic.meta_gradient_mean(A, grad(W), ALPHA, 3), numeric, rtol=1e-13)


def estimates(kind, u, xi):
    """Hessian estimates of single directions, (n, d, d)."""
    outer = u[:, :, None] * u[:, None, :]
    curvature = np.sum((u @ A) * u, axis=1)[:, None, None] / 2
    if kind == "ggs":
        return (u @ A + xi)[:, :, None] * u[:, None, :]
    return curvature * (outer if kind == "zo" else outer - np.eye(2))


def factor(kind, directions, noise):
    if kind == "ggs":
        return quadratic.ggs_hessian(A, directions, noise, D=2, nu=0.5)
    return quadratic.zo_hessian(A, directions) if kind == "zo" else quadratic.zo_stein_hessian(A, directions)


@pytest.mark.parametrize("kind", ["ggs", "zo", "stein"])
def test_one_step_by_quadrature_over_path_direction_and_final_noise(brute_moments, kind):
    points, mass = brute_moments.directions(6, 5)
    xi, u, zeta = points[:, :2], points[:, 2:4], points[:, 4:]
    root = np.linalg.cholesky(NOISE)
    end = W - ALPHA * (A @ W - B + xi @ root.T / np.sqrt(3))
    final = grad(end) + zeta @ root.T / np.sqrt(4)
    hessian = estimates(kind, u, 0.0)
    g = final - ALPHA * np.matvec(hessian, final)
    arguments = (A, grad(W), ALPHA, 1, NOISE, 3, 4, factor(kind, 1, None))
    np.testing.assert_allclose(quadratic.meta_gradient_mean(A, grad(W), ALPHA, 1, arguments[-1]), mass @ g, rtol=1e-12)
    moment = np.einsum("n,ni,nj->ij", mass, g, g)
    np.testing.assert_allclose(quadratic.meta_gradient_moment_matrix(*arguments), moment, rtol=1e-11)
    assert np.isclose(quadratic.meta_gradient_second_moment(*arguments), np.trace(moment), rtol=1e-11, atol=0)


@pytest.mark.parametrize("kind", ["ggs", "zo", "stein"])
def test_two_steps_by_quadrature_over_both_directions(brute_moments, kind):
    points, mass = brute_moments.directions(4, 5)
    first, second = (estimates(kind, points[:, k : k + 2], 0.0) for k in (0, 2))
    final = grad(path_end(2))
    inner = final - ALPHA * second @ final
    g = inner - ALPHA * np.matvec(first, inner)
    hessian = factor(kind, 1, None)
    np.testing.assert_allclose(quadratic.meta_gradient_mean(A, grad(W), ALPHA, 2, hessian), mass @ g, rtol=1e-12)
    moment = np.einsum("n,ni,nj->ij", mass, g, g)
    got = quadratic.meta_gradient_moment_matrix(A, grad(W), ALPHA, 2, np.zeros((2, 2)), 1, 1, hessian)
    np.testing.assert_allclose(got, moment, rtol=1e-11)


@pytest.mark.parametrize("kind", ["ggs", "zo", "stein"])
def test_factor_of_several_directions(brute_moments, kind):
    """Two directions (and the fresh noise of the gradient differences) as one estimator."""
    weight = np.array([[0.7, -0.2], [-0.2, 1.5]])
    points, mass = brute_moments.directions(4, 5)
    hessian = (estimates(kind, points[:, :2], 0.0) + estimates(kind, points[:, 2:], 0.0)) / 2
    got = factor(kind, 2, None)
    np.testing.assert_allclose(got.mean, np.tensordot(mass, hessian, 1), rtol=1e-12, atol=1e-12)
    moment = np.tensordot(mass, hessian @ weight @ np.swapaxes(hessian, 1, 2), 1)
    np.testing.assert_allclose(got.second_moment(weight), moment, rtol=1e-11)


@pytest.mark.parametrize("directions", [2, 3])
def test_the_mean_for_a_baseline(brute_moments, directions):
    weight = np.array([[0.7, -0.2], [-0.2, 1.5]])
    points, mass = brute_moments.directions(2 * directions, 5)
    u = points.reshape(len(points), directions, 2)
    curvature = np.sum((u @ A) * u, axis=2) / 2
    centered = curvature - curvature.mean(1, keepdims=True)
    hessian = np.einsum("nq,nqi,nqj->nij", centered, u, u) / directions
    got = quadratic.zo_baseline_hessian(A, directions)
    np.testing.assert_allclose(np.tensordot(mass, hessian, 1), (1 - 1 / directions) * A, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(got.mean, (1 - 1 / directions) * A, rtol=1e-15)
    moment = np.tensordot(mass, hessian @ weight @ hessian, 1)
    np.testing.assert_allclose(got.second_moment(weight), moment, rtol=1e-11)


def test_one_direction_less_its_own_mean_is_nothing():
    got = quadratic.zo_baseline_hessian(A, 1)
    assert not got.mean.any()
    assert not got.second_moment(np.eye(2)).any()


def test_fresh_noise_of_gradient_differences(brute_moments):
    weight = np.array([[0.7, -0.2], [-0.2, 1.5]])
    points, mass = brute_moments.directions(6, 5)
    root = np.linalg.cholesky(NOISE)
    noise = (points[:, 2:4] - points[:, 4:]) @ root.T / np.sqrt(2) / 0.5  # D = 2, nu = 0.5
    hessian = estimates("ggs", points[:, :2], noise)
    moment = np.tensordot(mass, hessian @ weight @ np.swapaxes(hessian, 1, 2), 1)
    np.testing.assert_allclose(factor("ggs", 1, NOISE).second_moment(weight), moment, rtol=1e-11)


def test_random_phase_by_quadrature_over_angle_and_phase():
    """One step, one sample everywhere: gradient noise, Hessian noise and final noise are all random cosines."""
    amplitude, kappa, n = 0.5, 1.2, 12
    angle = 2 * np.pi * np.arange(n) / n
    z, phi = (part.ravel() for part in np.meshgrid(angle, angle))
    z = kappa * np.stack([np.cos(z), np.sin(z)], axis=1)
    end = W - ALPHA * (grad(W) - amplitude * z * np.sin(z @ W + phi)[:, None])
    outer = z[:, :, None] * z[:, None, :]
    hessian = A - amplitude * np.cos(z @ W + phi)[:, None, None] * outer
    final = grad(end)[:, None] - amplitude * z * np.sin(end @ z.T + phi)[:, :, None]
    g = final[:, :, None] - ALPHA * np.einsum("hij,efj->efhi", hessian, final)
    moment = np.mean(g[..., :, None] * g[..., None, :], axis=(0, 1, 2))
    noise = quadratic.isotropic(2, amplitude * kappa / np.sqrt(2))
    factor = quadratic.random_phase_hessian(A, amplitude, kappa, D=1)
    got = quadratic.meta_gradient_moment_matrix(A, grad(W), ALPHA, 1, noise, 1, 1, factor)
    np.testing.assert_allclose(got, moment, rtol=1e-12)
    # a batch of four divides what the noise adds by four
    exact, four = A @ V[:, None] @ V[None] @ A, quadratic.random_phase_hessian(A, amplitude, kappa, D=4)
    added = [f.second_moment(np.outer(V, V)) - exact for f in (factor, four)]
    np.testing.assert_allclose(added[0], 4 * added[1], rtol=1e-12)


def test_first_order_is_the_final_gradient():
    final = grad(path_end(3))
    hessian = quadratic.first_order(2)
    np.testing.assert_allclose(quadratic.meta_gradient_mean(A, grad(W), ALPHA, 3, hessian), final)
    moment = quadratic.meta_gradient_moment_matrix(A, grad(W), ALPHA, 3, NOISE, 2, 5, hessian)
    spread = A @ quadratic.path_covariance(A, ALPHA, 3, NOISE, 2) @ A + NOISE / 5
    np.testing.assert_allclose(moment, np.outer(final, final) + spread, rtol=1e-13)
