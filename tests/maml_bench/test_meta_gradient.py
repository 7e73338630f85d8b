"""The meta gradient against hand computations, explicit products, finite differences and exact moments.

Statistical tests reject at five standard errors of the measured mean (false alarm about 6e-7 each, by normal
approximation) and have fixed seeds.
"""

import copy
from dataclasses import dataclass, field

import numpy as np
import pytest
from zoo import assert_mean

from maml_bench.adaptation import InnerLoop, exact_path, stochastic_path
from maml_bench.arrays import FLOATS_IN_CACHE
from maml_bench.hessians import CentralDifference, ExactHessian, FirstOrder, GaussianSmoothing, ZerothOrder
from maml_bench.meta_gradient import exact_meta_gradient, meta_gradient_along, meta_objective, stochastic_meta_gradient
from maml_bench.problems import AdditiveGaussian, Quadratic, RandomPhase, RankOne, Trigonometric
from maml_bench.problems.noise import Mirrored

SEED = 20261
A = np.array([[2.0, 0.5, 0.0], [0.5, 1.0, -0.3], [0.0, -0.3, 0.4]])
B = np.array([0.2, -0.1, 0.5])
W = np.array([0.3, -1.0, 0.7])
ALPHA = 0.3


def quadratic():
    return Quadratic(A, B)


def trigonometric(rng=5):
    return Trigonometric.random(dim=3, tasks=4, rng=rng)


def draws(tasks, inner, hessian, replicates=20_000, **options):
    """Independent meta gradients at W, shape (replicates, ..., d)."""
    points = np.broadcast_to(W, (replicates, *(1,) * len(tasks.batch_shape), 3))
    return stochastic_meta_gradient(tasks, points, inner, hessian, np.random.default_rng(SEED), **options)


@dataclass
class Recording:
    """Tasks that remember every batch: the point it was drawn under, its size, and each evaluation of it."""

    tasks: object
    name: str = "tasks"
    log: list = field(default_factory=list)

    @property
    def dim(self):
        return self.tasks.dim

    @property
    def batch_shape(self):
        return self.tasks.batch_shape

    def sample(self, rng, w, size):
        batch = object()
        self.log.append((self.name, "sample", batch, np.array(w), size))
        return batch

    def grad(self, w, sample=None):
        self.log.append((self.name, "grad", sample, np.array(w), None))
        return self.tasks.grad(w)

    def hvp(self, w, v, sample=None):
        self.log.append((self.name, "hvp", sample, np.array(w), None))
        return self.tasks.hvp(w, v)


@dataclass
class Spy:
    """An estimator that keeps the operators it hands out."""

    estimator: object
    operators: list = field(default_factory=list)

    def operator(self, tasks, w, D, rng):
        self.operators.append(self.estimator.operator(tasks, w, D, rng))
        return self.operators[-1]


# Exact


def test_one_step_on_a_quadratic_by_hand():
    tasks = Quadratic([[2.0, 0.0], [0.0, -1.0]], [1.0, 3.0])
    # grad l(w) = (2, -1) - (1, 3) = (1, -4); w_1 = (1, 1) - 0.5 (1, -4) = (0.5, 3); grad l(w_1) = (0, -6);
    # I - 0.5 A = diag(0, 1.5), so the meta gradient is (0, -9); l(w_1) = 0.25 - 4.5 - 0.5 - 9 = -13.75.
    w = np.array([1.0, 1.0])
    np.testing.assert_allclose(exact_meta_gradient(tasks, w, 0.5, 1), [0.0, -9.0])
    np.testing.assert_allclose(meta_objective(tasks, w, 0.5, 1), -13.75)
    rng = np.random.default_rng(0)
    estimate = stochastic_meta_gradient(tasks, w, InnerLoop(0.5, 1), ExactHessian(), rng)
    np.testing.assert_allclose(estimate, [0.0, -9.0])


@pytest.mark.parametrize("steps", [1, 2, 3, 6])
def test_the_exact_meta_gradient_is_the_explicit_product(steps):
    tasks = trigonometric()
    path = exact_path(tasks, W, ALPHA, steps)
    factors = np.eye(3) - ALPHA * tasks.hess(path[:-1])
    vector = tasks.grad(path[-1])[..., None]
    in_order, reversed_order = np.eye(3), np.eye(3)
    for factor in factors:
        in_order, reversed_order = in_order @ factor, factor @ reversed_order
    expected = (in_order @ vector)[..., 0]
    np.testing.assert_allclose(exact_meta_gradient(tasks, W, ALPHA, steps), expected, rtol=1e-12)
    estimate = stochastic_meta_gradient(tasks, W, InnerLoop(ALPHA, steps), ExactHessian(), np.random.default_rng(0))
    np.testing.assert_allclose(estimate, expected, rtol=1e-12)
    if steps > 1:  # The case can tell the two orders apart.
        assert np.abs((reversed_order @ vector)[..., 0] - expected).max() > 1e-3


@pytest.mark.parametrize("steps", [1, 2, 4, 7])
@pytest.mark.parametrize("target", [None, trigonometric(rng=6)], ids=["same", "target"])
def test_the_exact_meta_gradient_is_the_derivative_of_the_meta_objective(steps, target):
    tasks = trigonometric().with_noise(RandomPhase(1.0, 1.0))  # The noise plays no part.
    w = np.random.default_rng(1).standard_normal((5, 4, 3))
    h = 1e-5
    shift = h * np.eye(3).reshape(3, 1, 1, 3)
    difference = meta_objective(tasks, w + shift, ALPHA, steps, target)
    difference = (difference - meta_objective(tasks, w - shift, ALPHA, steps, target)) / (2 * h)
    gradient = exact_meta_gradient(tasks, w, ALPHA, steps, target)
    assert gradient.shape == (5, 4, 3)
    np.testing.assert_allclose(gradient, np.moveaxis(difference, 0, -1), rtol=1e-7, atol=1e-7)


def test_shapes_follow_points_and_tasks():
    tasks = trigonometric().with_noise(RandomPhase(0.3, 1.0))
    inner, rng = InnerLoop(ALPHA, 2, S=2, D=3, T=2), np.random.default_rng(0)
    for hessian in (
        ExactHessian(),
        FirstOrder(),
        GaussianSmoothing(0.1, 2),
        ZerothOrder(0.1, 2),
        CentralDifference(0.1),
    ):
        for shape, expected in [((3,), (4, 3)), ((4, 3), (4, 3)), ((6, 1, 3), (6, 4, 3)), ((2, 6, 4, 3), (2, 6, 4, 3))]:
            estimate = stochastic_meta_gradient(tasks, np.ones(shape), inner, hessian, rng)
            assert estimate.shape == expected
            assert len(np.unique(estimate)) == estimate.size
    assert meta_objective(tasks, np.ones((6, 1, 3)), ALPHA, 2).shape == (6, 4)


def test_first_order_is_the_gradient_at_the_end_of_the_path():
    tasks = trigonometric()
    path = exact_path(tasks, W, ALPHA, 3)
    estimate = stochastic_meta_gradient(tasks, W, InnerLoop(ALPHA, 3), FirstOrder(), np.random.default_rng(0))
    np.testing.assert_allclose(estimate, tasks.grad(path[-1]))


def test_central_difference_comes_close_to_the_exact_meta_gradient():
    tasks = trigonometric()
    rng = np.random.default_rng(0)
    estimate = stochastic_meta_gradient(tasks, W, InnerLoop(ALPHA, 3), CentralDifference(1e-4), rng)
    np.testing.assert_allclose(estimate, exact_meta_gradient(tasks, W, ALPHA, 3), atol=1e-7)


# Which samples go where


@pytest.mark.parametrize("with_target", [False, True])
def test_every_batch_is_fresh_drawn_under_its_point_and_used_once(with_target):
    log = []
    tasks = Recording(trigonometric(), "tasks", log)
    target = Recording(trigonometric(rng=6), "target", log) if with_target else None
    inner = InnerLoop(ALPHA, 3, S=5, D=7, T=11)
    stochastic_meta_gradient(tasks, W, inner, ExactHessian(), np.random.default_rng(0), target)
    path = exact_path(tasks.tasks, W, ALPHA, 3)
    drawn = {id(batch): (name, point, size) for name, kind, batch, point, size in log if kind == "sample"}
    used = [(name, kind, batch, point) for name, kind, batch, point, _ in log if kind != "sample"]
    assert len(drawn) == 2 * 3 + 1
    assert sorted(id(batch) for _, _, batch, _ in used) == sorted(drawn)
    for name, kind, batch, point in used:
        under, at, _ = drawn[id(batch)]
        assert under == name
        np.testing.assert_allclose(point, np.broadcast_to(at, point.shape), rtol=1e-12)
    steps = [int(np.abs(path - point).max(axis=(1, 2)).argmin()) for _, _, _, point in used]
    roles = [(name, kind, drawn[id(batch)][2], step) for (name, kind, batch, _), step in zip(used, steps, strict=True)]
    last = "target" if with_target else "tasks"
    assert roles == [
        *(("tasks", "grad", 5, j) for j in range(3)),
        (last, "grad", 11, 3),
        *(("tasks", "hvp", 7, j) for j in (2, 1, 0)),
    ]


def test_directions_are_fresh_at_every_step_task_and_replicate():
    spy = Spy(GaussianSmoothing(0.1, 2))
    stochastic_meta_gradient(trigonometric(), np.ones((5, 1, 3)), InnerLoop(ALPHA, 3), spy, np.random.default_rng(0))
    directions = np.stack([operator.right for operator in spy.operators])
    assert directions.shape == (3, 2, 5, 4, 3)
    assert len(np.unique(directions)) == directions.size


def test_the_mean_of_the_final_gradient_needs_no_batch():
    tasks = Recording(trigonometric())
    inner = InnerLoop(ALPHA, 2, S=5, D=7, T=11)
    stochastic_meta_gradient(tasks, W, inner, ExactHessian(), np.random.default_rng(0), final="mean")
    assert 11 not in {size for _, kind, _, _, size in tasks.log if kind == "sample"}


def test_the_estimate_is_the_path_and_then_the_product_along_it():
    tasks = trigonometric().with_noise(RandomPhase(0.3, 1.0))
    inner, hessian = InnerLoop(ALPHA, 3, S=2), GaussianSmoothing(0.1, 2)
    rng = np.random.default_rng(3)
    twin = copy.deepcopy(rng)
    path = stochastic_path(tasks, W, inner, rng)
    along = meta_gradient_along(tasks, path, inner, hessian, rng)
    np.testing.assert_array_equal(along, stochastic_meta_gradient(tasks, W, inner, hessian, twin))


# Exact moments


def test_on_a_quadratic_mirrored_noise_cancels():
    tasks = quadratic().with_noise(AdditiveGaussian(2.0))
    inner, rng = InnerLoop(ALPHA, 3), np.random.default_rng(4)
    twin = copy.deepcopy(rng)
    plus = stochastic_meta_gradient(tasks, W, inner, ExactHessian(), rng)
    minus = stochastic_meta_gradient(Mirrored(tasks), W, inner, ExactHessian(), twin)
    exact = exact_meta_gradient(tasks, W, ALPHA, 3)
    np.testing.assert_allclose((plus + minus) / 2, exact, rtol=1e-12, atol=1e-12)
    assert np.abs(plus - exact).max() > 1e-2


@pytest.mark.parametrize("final", ["sampled", "mean"])
@pytest.mark.parametrize("hessian", [ExactHessian(), GaussianSmoothing(0.5, 2)], ids=repr)
def test_on_a_quadratic_the_estimate_is_unbiased(hessian, final):
    tasks = quadratic().with_noise(RandomPhase(1.0, 1.0))
    values = draws(tasks, InnerLoop(ALPHA, 3, S=2, D=2, T=2), hessian, final=final)
    assert_mean(values, exact_meta_gradient(tasks, W, ALPHA, 3))


@pytest.mark.parametrize("final", ["sampled", "mean"])
def test_the_noise_of_S_and_T_propagates_exactly(final):
    sigma_g, S, T, steps = 0.8, 2, 5, 3
    tasks = quadratic().with_noise(AdditiveGaussian(sigma_g))
    M, one = np.eye(3) - ALPHA * A, sigma_g**2 / 3 * np.eye(3)
    path = np.zeros((3, 3))
    for _ in range(steps):
        path = M @ path @ M + ALPHA**2 * one / S
    product = np.linalg.matrix_power(M, steps)
    covariance = product @ (A @ path @ A + (one / T if final == "sampled" else 0)) @ product
    values = draws(tasks, InnerLoop(ALPHA, steps, S=S, D=100, T=T), ExactHessian(), final=final)
    errors = values - exact_meta_gradient(tasks, W, ALPHA, steps)
    assert_mean((errors**2).sum(-1), np.trace(covariance))


def test_the_noise_of_D_multiplies_the_second_moment():
    # A flat loss with waves: the Hessian estimate has mean 0 and E H H^T = (sigma_H^2 / (d D)) I, so each factor
    # multiplies the second moment by exactly 1 + alpha^2 sigma_H^2 / (d D).
    noise, D, steps, d = RandomPhase(2.0, 1.5), 3, 2, 3
    flat = Quadratic(np.zeros((d, d)), B)
    inner = InnerLoop(ALPHA, steps, S=100, D=D, T=100)
    values = draws(flat.with_noise(noise), inner, ExactHessian(), final="mean")
    assert_mean((values**2).sum(-1), (1 + ALPHA**2 * noise.sigma_H**2 / (d * D)) ** steps * (B @ B))


def test_directions_of_two_steps_are_independent_in_the_second_moment():
    # With u u^T in place of its mean I, K = E x x^T becomes M K M + (alpha^2 / Q) A (K + tr(K) I) A in each step, if
    # the step's directions are independent of x; with the directions of another step it would be far larger.
    alpha, steps, Q = 0.6, 3, 1
    tasks = quadratic()
    M = np.eye(3) - alpha * A
    final = tasks.grad(exact_path(tasks, W, alpha, steps)[-1])
    second = np.outer(final, final)
    for _ in range(steps):
        second = M @ second @ M + alpha**2 / Q * A @ (second + np.trace(second) * np.eye(3)) @ A
    values = draws(tasks, InnerLoop(alpha, steps), GaussianSmoothing(0.1, Q), replicates=200_000)
    assert_mean((values**2).sum(-1), np.trace(second))


# Two losses per task


@dataclass
class Counting:
    """Tasks that count the coordinates at which gradients are evaluated, and the most of them at a time."""

    tasks: object
    coordinates: int = 0
    largest: int = 0

    def __getattr__(self, name):
        return getattr(self.tasks, name)

    def grad(self, w, sample=None):
        found = self.tasks.grad(w, sample)
        self.coordinates, self.largest = self.coordinates + found.size, max(self.largest, found.size)
        return found


@pytest.mark.parametrize("name", ["N", "Q", "R", "d", "tasks"])
@pytest.mark.parametrize("factor", [1, 8, 32])
def test_work_is_linear_in_every_parameter_and_a_block_is_of_one_size(name, factor):
    base = {"N": 2, "Q": 3, "R": 40, "d": 20, "tasks": 6}
    N, Q, R, d, tasks = (base | {name: base[name] * factor}).values()
    counting = Counting(RankOne.random(d, tasks, 0).with_noise(AdditiveGaussian(0.1)))
    inner, hessian = InnerLoop(1e-3, N), GaussianSmoothing(1e-2, Q, "shared")
    stochastic_meta_gradient(counting, np.full((R, 1, d), 0.1), inner, hessian, np.random.default_rng(0))
    # N gradients of the path and one at its end; at each step Q along directions and one at the point.
    assert counting.coordinates == R * tasks * d * (N + 1 + N * (Q + 1))
    # Directions share a block only while it stays in the cache.
    assert counting.largest <= max(R * tasks * d, FLOATS_IN_CACHE)


def test_a_target_supplies_the_final_gradient_only():
    support, target = quadratic(), Quadratic(np.diag([1.0, 3.0, -1.0]), -B)
    M = np.eye(3) - ALPHA * A
    w = W
    for _ in range(2):
        w = M @ w + ALPHA * B
    expected = M @ M @ (target.A @ w + B)
    np.testing.assert_allclose(exact_meta_gradient(support, W, ALPHA, 2, target), expected, rtol=1e-12)
    np.testing.assert_allclose(meta_objective(support, W, ALPHA, 2, target), target.loss(w), rtol=1e-12)
    inner, rng = InnerLoop(ALPHA, 2), np.random.default_rng(0)
    estimate = stochastic_meta_gradient(support, W, inner, ExactHessian(), rng, target)
    np.testing.assert_allclose(estimate, expected, rtol=1e-12)


def test_an_unknown_choice_of_final_is_named():
    with pytest.raises(ValueError, match="final = 'exact': must be one of sampled, mean"):
        draws(quadratic(), InnerLoop(ALPHA, 1), ExactHessian(), 1, final="exact")
