"""Lemma A against worst cases: chains of matrices, and tasks whose constants are exact."""

import numpy as np
import pytest

from analytic import HypothesisError, bound


def test_lemma_a_by_hand():
    # alpha L = 0.25, N = 1: c = 0.5625
    point = {"alpha": 0.25, "steps": 1, "L": 1, "grad_norm": 1, "sigma": 2}
    c = 0.5625
    assert bound("lemma-a", "paper")(**point) == pytest.approx((1 + 2 * c) / (1 - c))
    assert bound("lemma-a-tasks", "paper")(**point) == pytest.approx(3 / (1 - c))
    x = bound("lemma-a")(**point)
    assert x - 1 == pytest.approx(c * np.hypot(x, 2))  # the root of the equation it solves
    assert bound("lemma-a-tasks")(**point) == pytest.approx(np.hypot(x, 2))


def test_lemma_a_holds_for_random_pairs_of_quadratic_tasks_and_is_nearly_met():
    rng = np.random.default_rng(0)
    steps = rng.integers(1, 4, 200_000)
    product = np.expm1(np.log(2) / (2 * steps)) * rng.uniform(0, 1, steps.size)
    curvature = np.clip(rng.uniform(-1.2, 1.2, (2, steps.size)), -1, 1)
    weight = rng.uniform(0, 1, steps.size)
    weight = np.stack([weight, 1 - weight])
    gradient = rng.normal(size=(2, steps.size))
    meta = (weight * (1 - product * curvature) ** (2 * steps) * gradient).sum(0)
    mean = (weight * gradient).sum(0)
    sigma = np.sqrt((weight * (gradient - mean) ** 2).sum(0))
    point = {"alpha": product, "steps": steps, "L": 1.0, "grad_norm": np.abs(meta), "sigma": sigma}
    x, gamma = bound("lemma-a")(**point), bound("lemma-a-tasks")(**point)
    slack = 1 + 1e-9
    assert np.all(np.abs(mean) <= x * slack)
    assert np.all(np.sqrt((weight * gradient**2).sum(0)) <= gamma * slack)
    assert (np.abs(mean) / x).max() > 0.97


def _cone(product, steps):
    """omega and mu of the cone form, written out."""
    omega = 2 * steps * np.arcsin(product)
    return omega, (1 - product**2) ** steps / np.cos(omega)


def _steps(rng, size, largest=9):
    """Numbers of inner steps and products alpha L that the cone form admits, a third of them near its limit."""
    steps = rng.integers(1, largest, size)
    near = np.where(rng.random(size) < 0.3, 1 - 10 ** rng.uniform(-6, -1, size), rng.uniform(0, 1, size))
    return steps, np.sin(np.pi / (4 * steps)) * near


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_no_chain_of_symmetric_matrices_leaves_the_cone(dim):
    rng = np.random.default_rng(dim)
    steps, product = _steps(rng, 20_000)
    start = np.zeros((steps.size, dim))
    start[:, 0] = 1
    vector = start.copy()
    bias = rng.uniform(-1, 1, (steps.size, 1, 1)) * np.eye(dim)  # without it the factors only cancel
    for k in range(2 * steps.max()):
        other = rng.normal(size=(steps.size, dim, dim)) * rng.uniform(0, 1, (steps.size, 1, 1))
        matrix = bias + other + np.swapaxes(other, 1, 2)
        matrix *= (product / np.linalg.norm(matrix, 2, axis=(1, 2)))[:, None, None]
        vector = np.where((k < 2 * steps)[:, None], vector - np.matvec(matrix, vector), vector)
    omega, mu = _cone(product, steps)
    distance = np.linalg.norm(vector - mu[:, None] * start, axis=1)
    assert np.all(distance <= mu * np.sin(omega) * (1 + 1e-9))
    if dim == 2:
        assert (distance / (mu * np.sin(omega))).max() > 0.97


def test_a_chain_that_turns_and_shortens_attains_the_cone():
    for steps, fraction in ((1, 0.5), (3, 0.9), (8, 0.99)):
        product = fraction * np.sin(np.pi / (4 * steps))
        omega, mu = _cone(product, steps)
        turn = np.arcsin(product)
        start = np.array([1.0, 0.0])
        vector = start
        for _ in range(2 * steps):
            target = np.cos(turn) * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ vector
            step = (vector - target) / product  # of the length of the vector: a reflection takes one to the other
            assert np.linalg.norm(step) == pytest.approx(np.linalg.norm(vector))
            normal = vector - step
            reflection = np.eye(2) - 2 * np.outer(normal, normal) / (normal @ normal)
            vector = vector - product * reflection @ vector
        assert np.linalg.norm(vector - mu * start) == pytest.approx(mu * np.sin(omega), rel=1e-12)
        assert np.linalg.norm(vector) == pytest.approx(mu * np.cos(omega), rel=1e-12)


def test_the_cone_form_by_hand():
    # alpha L = 1/2, N = 1: omega = pi/3, mu = (3/4)/(1/2) = 3/2
    point = {"alpha": 0.5, "steps": 1, "L": 1, "grad_norm": 3, "sigma": 4}
    x = bound("lemma-a", "cone")(**point)
    assert x == pytest.approx((2 + np.sqrt(0.75) * np.sqrt(4 + 4)) / 0.25)
    assert x - 2 == pytest.approx(np.sqrt(0.75) * np.hypot(x, 4))
    assert bound("lemma-a-tasks", "cone")(**point) == pytest.approx(np.hypot(x, 4))
    with pytest.raises(HypothesisError, match="2N arcsin"):
        bound("lemma-a", "cone")(**(point | {"alpha": 0.7072}))
    assert np.isfinite(bound("lemma-a", "cone")(**(point | {"alpha": 0.7071})))
    with pytest.raises(HypothesisError, match="2N arcsin"):
        bound("prop4", "cone")(**(point | {"alpha": 3.0, "rho": 0, "sigma_g": 1, "sigma_H": 0, "S": 1, "D": 1, "T": 1}))


def test_the_cone_form_admits_steps_up_to_2_3_times_larger():
    steps = np.array([1, 1000])
    ratio = np.sin(np.pi / (4 * steps)) / np.expm1(np.log(2) / (2 * steps))
    assert ratio == pytest.approx([1.7071, 2.2656], abs=1e-3)
    point = {"steps": steps, "L": 1.0, "grad_norm": 1.0, "sigma": 1.0}
    assert np.all(np.isfinite(bound("lemma-a-tasks", "cone")(alpha=0.9999 * np.sin(np.pi / (4 * steps)), **point)))
    with pytest.raises(HypothesisError, match="q"):
        bound("lemma-a-tasks")(alpha=np.expm1(np.log(2) / (2 * steps)) * 1.001, **point)


def test_the_cone_form_holds_for_random_quadratic_tasks_in_the_plane():
    rng = np.random.default_rng(5)
    steps, product = _steps(rng, 100_000)
    power = 2 * steps[:, None]
    angle = rng.uniform(0, np.pi, (steps.size, 2))
    eigen = np.clip(rng.uniform(-1.5, 1.5, (steps.size, 2, 2)), -1, 1) * product[:, None, None]
    weight = rng.uniform(0, 1, steps.size)
    weight = np.stack([weight, 1 - weight], 1)
    gradient = rng.normal(size=(steps.size, 2, 2))
    axis = np.stack([np.cos(angle), np.sin(angle)], -1)
    across = np.stack([-axis[..., 1], axis[..., 0]], -1)
    meta = sum(
        ((1 - eigen[..., k]) ** power * np.vecdot(e, gradient))[..., None] * e for k, e in enumerate((axis, across))
    )
    mean = (weight[..., None] * gradient).sum(1)
    sigma = np.sqrt((weight * ((gradient - mean[:, None]) ** 2).sum(-1)).sum(1))
    norm = np.linalg.norm((weight[..., None] * meta).sum(1), axis=-1)
    point = {"alpha": product, "steps": steps, "L": 1.0, "grad_norm": norm, "sigma": sigma}
    assert np.all(np.linalg.norm(mean, axis=-1) <= bound("lemma-a", "cone")(**point) * (1 + 1e-9))
    root = np.sqrt((weight * (gradient**2).sum(-1)).sum(1))
    assert np.all(root <= bound("lemma-a-tasks", "cone")(**point) * (1 + 1e-9))


@pytest.mark.parametrize("steps", [3, 8])
def test_mirrored_quadratics_come_near_the_cone_form_at_a_stationary_point(steps):
    # Hessians L times a reflection at the angles +-t, gradients (x, +-y): stationary if (M11, M12) (x, y) = 0
    product = 0.98 * np.expm1(np.log(2) / (2 * steps))
    t = np.linspace(0.01, np.pi - 0.01, 20_001)
    less, more = (1 - product) ** (2 * steps), (1 + product) ** (2 * steps)
    along, cross = (less + more) / 2 + np.cos(t) * (less - more) / 2, np.sin(t) * (less - more) / 2
    measured = np.abs(cross / along).max()  # ||grad l|| at sigma = 1
    point = {"alpha": product, "steps": steps, "L": 1, "grad_norm": 0, "sigma": 1}
    cone, sharp, paper = (bound("lemma-a", form)(**point) for form in ("cone", "sharp", "paper"))
    assert 0.88 < measured / cone < 1
    assert sharp > 5 * measured
    assert paper > 40 * measured


def turned(vector, angle):
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin], [sin, cos]]) @ vector


def reflection(one, other):
    """The symmetric orthogonal matrix with determinant -1 that takes the direction of one vector to the other's."""
    axis = one / np.linalg.norm(one) + other / np.linalg.norm(other)
    return 2 * np.outer(axis, axis) / (axis @ axis) - np.eye(2)


@pytest.mark.parametrize(("steps", "share", "ratio"), [(1, 0.5, 1), (1, 0.98, 1), (2, 0.5, 0.98), (2, 0.9, 0.80)])
def test_quadratics_with_other_hessians_at_the_points_of_the_path(steps, share, ratio):
    """Two mirrored tasks with meta gradient 0, multiplied out, against the cone form; N = 1 attains it."""
    a = share * np.sin(np.pi / (4 * steps))
    phi, theta = np.arcsin(a), np.arctan(np.sinh(steps * np.arctanh(a)))
    gradient = turned(np.array([0.0, 1.0]), -theta - steps * phi)
    growth = ((1 + a) / (1 - a)) ** steps
    first = turned(gradient, -np.arctan(growth**-0.5))  # the eigenvector of 1: the steps turn away from it
    A = 2 * np.outer(first, first) - np.eye(2)
    meta = np.linalg.matrix_power(np.eye(2) - a * A, steps) @ gradient
    for _ in range(steps):
        H = reflection(meta, turned(meta, phi - np.pi / 2))
        assert np.linalg.norm(H, 2) == pytest.approx(1)
        meta = meta - a * (H @ meta)
    assert abs(meta[0]) < 1e-14  # so that of the task with the mirrored meta gradient cancels it
    limit = bound("lemma-a", "cone")(alpha=a, L=1.0, steps=steps, sigma=gradient[1], grad_norm=0.0)
    found = gradient[0] / limit
    assert found == pytest.approx(1, abs=1e-9) if ratio == 1 else ratio < found < ratio + 0.01


def test_a_hessian_at_one_point_costs_little_smoothness_around_it():
    """The Hessian of z'Dz chi(log(|z|/r)/K)/2, chi falling evenly, over A: norms exceed 1 by at most 2.5 ||D||/K."""
    rng = np.random.default_rng(0)
    for K in (10, 1000):
        worst = 0.0
        for _ in range(300):
            A, H = (2 * np.outer(v, v) / (v @ v) - np.eye(2) for v in rng.normal(size=(2, 2)))
            D, e, chi = H - A, turned(np.array([1.0, 0.0]), rng.uniform(0, 6.3)), rng.uniform()
            slope = np.outer(D @ e, e) + np.outer(e, D @ e) + (e @ D @ e) * (np.eye(2) / 2 - np.outer(e, e))
            worst = max(worst, np.linalg.norm(A + chi * D - slope / K, 2) - 1)
        assert 0.1 / K < worst < 5 / K


def test_that_hessian_by_differences():
    """Of the loss itself, at a point where chi has fallen by half."""
    K, D, point = 7.0, np.array([[0.3, -1.2], [-1.2, 0.9]]), np.array([2.0, -1.0])
    scale = np.linalg.norm(point) * np.exp(-K / 2)

    def loss(z):
        return z @ D @ z * (1 - np.log(np.linalg.norm(z) / scale) / K) / 2

    h, e = 1e-4, point / np.linalg.norm(point)
    steps = h * np.eye(2)
    found = [
        [
            (loss(point + p + q) - loss(point + p - q) - loss(point - p + q) + loss(point - p - q)) / (4 * h**2)
            for q in steps
        ]
        for p in steps
    ]
    slope = np.outer(D @ e, e) + np.outer(e, D @ e) + (e @ D @ e) * (np.eye(2) / 2 - np.outer(e, e))
    np.testing.assert_allclose(found, D / 2 - slope / K, atol=1e-6)
