"""Hessian estimators against matrices and moments known by hand.

Statistical tests reject at five standard errors of the measured mean (false alarm about 6e-7 each, by normal
approximation) and have fixed seeds.
"""

import copy
import tracemalloc
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest
from zoo import assert_mean

from maml_bench import hessians
from maml_bench.hessians import CentralDifference, ExactHessian, FirstOrder, GaussianSmoothing, ZerothOrder
from maml_bench.problems import AdditiveGaussian, Quadratic, RandomPhase, Trigonometric

SEED = 20260
A = np.array([[2.0, 0.5, 0.0], [0.5, 1.0, -0.3], [0.0, -0.3, 0.4]])
V = np.array([0.3, -1.0, 0.7])
T1, T2 = np.trace(A), np.trace(A @ A)
LINEAR = [
    ExactHessian(),
    FirstOrder(),
    GaussianSmoothing(0.1, 3),
    GaussianSmoothing(0.1, 3, data="shared"),
    ZerothOrder(0.1, 3),
    ZerothOrder(0.1, 3, stein=True, data="shared"),
    ZerothOrder(0.1, 3, baseline="mean"),
]


def quadratic(sigma_g=0.0):
    tasks = Quadratic(A, np.array([0.2, -0.1, 0.5]))
    return tasks.with_noise(AdditiveGaussian(sigma_g)) if sigma_g else tasks


def trigonometric(tasks=4, dim=3):
    return Trigonometric.random(dim=dim, tasks=tasks, rng=5).with_noise(RandomPhase(amplitude=0.5, kappa=1.3))


def draws(estimator, tasks, v=V, replicates=20_000, D=1, w=V):
    """Independent values of the estimated Hessian times v at w, shape (replicates, d)."""
    points = np.broadcast_to(w, (replicates, len(w)))
    return estimator.operator(tasks, points, D, np.random.default_rng(SEED))(v)


@dataclass
class Recording:
    """Tasks that count, and remember every batch: the point it was drawn under, its size, where it was evaluated."""

    tasks: object

    def __post_init__(self):
        self.drawn, self.evaluated, self.spent = [], [], Counter()
        self.dim, self.batch_shape = self.tasks.dim, self.tasks.batch_shape

    def _evaluate(self, name, w, sample):
        self.evaluated.append((np.array(w), sample))
        self.spent[name] += w[..., 0].size * (1 if sample is None else self.drawn[sample][1])

    def sample(self, rng, w, size):
        self.drawn.append((np.array(w), size))
        return len(self.drawn) - 1

    def grad(self, w, sample=None):
        self._evaluate("gradient", w, sample)
        return self.tasks.grad(w)

    def loss(self, w, sample=None):
        self._evaluate("function", w, sample)
        return self.tasks.loss(w)

    def hvp(self, w, v, sample=None):
        self._evaluate("hessian_vector", w, sample)
        return self.tasks.hvp(w, v)


# What a draw is


@pytest.mark.parametrize("estimator", LINEAR, ids=repr)
def test_an_operator_is_one_fixed_linear_map(estimator):
    tasks = trigonometric()
    rng = np.random.default_rng(0)
    w, x, y = rng.standard_normal((3, 2, 4, 3))
    H = estimator.operator(tasks, w, 2, rng)
    combined = H(2 * x - 3 * y)
    assert combined.shape == (2, 4, 3)
    np.testing.assert_allclose(combined, 2 * H(x) - 3 * H(y), rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(H(x), H(x))


@pytest.mark.parametrize("estimator", [*LINEAR, CentralDifference(0.1)], ids=repr)
def test_an_operator_is_symmetric_and_linear_where_it_says_so_and_only_there(estimator):
    matrix = estimator.operator(quadratic(), V, 1, np.random.default_rng(0))(np.eye(3))
    assert getattr(estimator, "symmetric", False) == np.allclose(matrix, matrix.T, rtol=1e-9, atol=1e-9)
    H = estimator.operator(trigonometric(), np.ones(3), 1, np.random.default_rng(0))
    assert getattr(estimator, "linear", False) == np.allclose(H(3 * V), 3 * H(V), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("estimator", LINEAR, ids=repr)
def test_extra_leading_axes_of_v_see_the_same_draw(estimator):
    tasks = trigonometric()
    rng = np.random.default_rng(1)
    H = estimator.operator(tasks, rng.standard_normal((2, 4, 3)), 2, rng)
    columns = H(np.eye(3).reshape(3, 1, 1, 3))
    assert columns.shape == (3, 2, 4, 3)
    for k in range(3):
        np.testing.assert_allclose(columns[k], H(np.eye(3)[k]), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("estimator", [e for e in LINEAR if e != FirstOrder()] + [CentralDifference(0.1)], ids=repr)
def test_draws_differ_between_replicates_tasks_and_calls(estimator):
    shared = Quadratic(A, np.zeros((4, 3))).with_noise(RandomPhase(0.5, 1.0))
    rng = np.random.default_rng(2)
    w = np.ones((5, 1, 3))
    values = np.concatenate([estimator.operator(shared, w, 2, rng)(V).reshape(-1, 3) for _ in range(2)])
    assert len(np.unique(values[:, 0])) == 40


def test_a_point_without_leading_axes_has_independent_draws_for_the_tasks():
    shared = Quadratic(A, np.zeros((4, 3)))
    values = GaussianSmoothing(0.1, 2).operator(shared, V, 1, np.random.default_rng(3))(V)
    assert values.shape == (4, 3)
    assert len(np.unique(values[:, 0])) == 4


# Exact Hessian, first order


def test_the_exact_hessian_is_that_of_one_batch_of_D_samples():
    tasks = trigonometric()
    w = np.random.default_rng(4).standard_normal((2, 4, 3))
    rng = np.random.default_rng(4)
    sample = tasks.sample(copy.deepcopy(rng), w, 7)
    H = ExactHessian().operator(tasks, w, 7, rng)
    np.testing.assert_allclose(H(V), tasks.hess(w, sample) @ V, rtol=1e-12)
    population = ExactHessian().operator(tasks.population, w, 7, rng)
    np.testing.assert_allclose(population(V), tasks.hess(w) @ V, rtol=1e-12)


def test_first_order_drops_the_hessian():
    H = FirstOrder().operator(trigonometric(), np.ones(3), 1, np.random.default_rng(0))
    np.testing.assert_array_equal(H(V), np.zeros((4, 3)))


# Gaussian smoothing


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


# Zeroth order


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


@pytest.mark.parametrize(
    ("estimator", "one"),
    [
        (GaussianSmoothing(0.2, 3), (A @ V) @ (A @ V) + T2 * (V @ V)),
        (ZerothOrder(0.2, 3), 9 / 4 * ((T1**2 + 2 * T2) * (V @ V) + 4 * T1 * (V @ A @ V) + 8 * V @ A @ A @ V)),
    ],
    ids=repr,
)
def test_the_variance_that_is_stated_on_a_quadratic(estimator, one):
    """Of Q directions one Q-th, in all directions the sum over the axes; noise where it is worked out, else None."""
    (smooth,) = quadratic().smoothings(V[None], 0.2)
    if estimator.kind == "zeroth-order":
        one -= (A @ V + T1 / 2 * V) @ (A @ V + T1 / 2 * V)
    assert estimator.smoothed_variance(smooth, V, 0.0, 2) == pytest.approx(one / 3)
    axes = [estimator.smoothed_variance(smooth, e, 0.0, 2) for e in np.eye(3)]
    assert estimator.smoothed_variance(smooth, None, 0.0, 2) == pytest.approx(sum(axes))
    noisy = estimator.smoothed_variance(smooth, V, 0.5, 2)
    if estimator.kind == "zeroth-order":
        assert noisy is None
    else:
        assert noisy == pytest.approx(one / 3 + 2 * 0.5**2 * (V @ V) / (3 * 2 * 0.2**2))
    assert ZerothOrder(0.2, 3, baseline="mean").smoothed_variance(smooth, V, 0.0, 2) is None


# Central difference


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


# Which data are drawn, and where they are evaluated


def record(estimator, D=6):
    tasks = Recording(quadratic())
    estimator.operator(tasks, V, D, np.random.default_rng(11))(V)
    return tasks


@pytest.mark.parametrize(
    ("estimator", "batches"),
    [
        (GaussianSmoothing(0.1, 4), 2),
        (ZerothOrder(0.1, 4), 3),
        (CentralDifference(0.1, data="resampled"), 2),
    ],
    ids=repr,
)
def test_resampled_data_are_drawn_under_the_points_where_they_are_evaluated(estimator, batches):
    tasks = record(estimator)
    assert len(tasks.drawn) == batches
    assert sorted(sample for _, sample in tasks.evaluated) == list(range(batches))
    for point, sample in tasks.evaluated:
        under, size = tasks.drawn[sample]
        assert size == 6
        np.testing.assert_array_equal(point, under)


def test_the_zeroth_order_batch_at_w_is_fresh_for_each_direction():
    tasks = record(ZerothOrder(0.1, 4))
    assert {point.shape for point, _ in tasks.drawn} == {(4, 3)}


@pytest.mark.parametrize("family", [GaussianSmoothing, ZerothOrder], ids=lambda f: f.__name__)
def test_shared_data_are_drawn_once_under_w(family):
    tasks = record(family(0.1, 4, data="shared"))
    ((under, size),) = tasks.drawn
    np.testing.assert_array_equal(under, V)
    assert size == 6
    assert {sample for _, sample in tasks.evaluated} == {0}


@pytest.mark.parametrize(
    "estimator",
    [
        GaussianSmoothing(0.1, 4, data="population"),
        ZerothOrder(0.1, 4, data="population"),
        CentralDifference(0.1, data="population"),
    ],
    ids=repr,
)
def test_population_data_are_not_drawn(estimator):
    tasks = record(estimator)
    assert tasks.drawn == []
    assert {sample for _, sample in tasks.evaluated} == {None}


@pytest.mark.parametrize("family", [GaussianSmoothing, ZerothOrder], ids=lambda f: f.__name__)
def test_shared_data_cancel_noise_that_does_not_depend_on_the_point(family):
    noisy, exact = (
        draws(family(0.1, 2, data=data), quadratic(sigma_g=5.0), replicates=10) for data in ("shared", "population")
    )
    np.testing.assert_allclose(noisy, exact, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "estimator",
    [
        ExactHessian(),
        FirstOrder(),
        *(
            make(data)
            for make in (
                lambda data: GaussianSmoothing(0.1, 4, data),
                lambda data: ZerothOrder(0.1, 4, data=data),
                lambda data: ZerothOrder(0.1, 4, stein=True, data=data),
                lambda data: ZerothOrder(0.1, 4, data=data, baseline="mean"),
                lambda data: CentralDifference(0.1, data),
            )
            for data in hessians.DATA
        ),
    ],
    ids=repr,
)
def test_the_cost_is_what_one_product_evaluates(estimator):
    assert estimator.cost(6) == record(estimator, 6).spent


# Memory


@pytest.mark.parametrize(
    "estimator", [GaussianSmoothing(0.1, 7, data="shared"), ZerothOrder(0.1, 7, data="shared")], ids=repr
)
def test_the_size_of_blocks_changes_nothing(estimator, monkeypatch):
    tasks, w = trigonometric(), np.ones((5, 1, 3))
    whole = estimator.operator(tasks, w, 2, np.random.default_rng(12))(V)
    monkeypatch.setattr(hessians, "FLOATS_PER_BLOCK", 2 * 5 * 4 * 3)
    blocks = estimator.operator(tasks, w, 2, np.random.default_rng(12))(V)
    np.testing.assert_allclose(blocks, whole, rtol=1e-12)


@pytest.mark.parametrize("data", hessians.DATA)
@pytest.mark.parametrize("family", [GaussianSmoothing, ZerothOrder], ids=lambda f: f.__name__)
def test_blocks_hold_what_a_batch_of_each_direction_takes_or_what_the_cache_does(family, data, monkeypatch):
    """Two directions of three numbers; resampled, with six data for each of these."""
    limits = {"FLOATS_PER_BLOCK": 2 * 3 * 6, "FLOATS_IN_CACHE": 2 * 3}
    for name, limit in limits.items():
        monkeypatch.setattr(hessians, name, limit if (name == "FLOATS_PER_BLOCK") == (data == "resampled") else 10**9)
    lengths = [len(point) for point, _ in record(family(0.1, 5, data=data)).evaluated if point.ndim == 2]
    assert max(lengths) == 2 and sum(lengths) % 5 == 0


@pytest.mark.parametrize("family", [GaussianSmoothing, ZerothOrder], ids=lambda f: f.__name__)
def test_resampled_blocks_have_the_law_of_one_block(family, monkeypatch):
    monkeypatch.setattr(hessians, "FLOATS_PER_BLOCK", 1)
    values = draws(family(0.3, 3), quadratic(sigma_g=0.1), replicates=10_000)
    assert_mean(values, A @ V + (T1 / 2 * V if family is ZerothOrder else 0))


class Sphere:
    """``(1/4)(||w||^2 - 1)^2`` in high dimension."""

    dim, batch_shape = 100_000, ()

    def sample(self, rng, w, size):
        return None

    def loss(self, w, sample=None):
        return (np.vecdot(w, w) - 1) ** 2 / 4

    def grad(self, w, sample=None):
        return (np.vecdot(w, w) - 1)[..., None] * w


@pytest.mark.parametrize("family", [GaussianSmoothing, ZerothOrder], ids=lambda f: f.__name__)
def test_a_hundred_thousand_dimensions_cost_memory_linear_in_Q_and_d(family):
    w = np.ones((1, Sphere.dim)) / np.sqrt(Sphere.dim)
    tracemalloc.start()
    family(1e-3, 10).operator(Sphere(), w, 1, np.random.default_rng(0))(w)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * 10 * Sphere.dim * 8


# Arguments


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GaussianSmoothing(0, 1), "nu = 0: must be a finite number > 0"),
        (lambda: GaussianSmoothing(0.1, 0), "directions = 0: must be an integer >= 1"),
        (lambda: GaussianSmoothing(0.1, 1, data="fresh"), "data = 'fresh': must be one of resampled, shared, pop"),
        (lambda: ZerothOrder(float("nan"), 1), "nu = nan"),
        (lambda: ZerothOrder(0.1, 1.5), "directions = 1.5"),
        (lambda: ZerothOrder(0.1, 1, stein="no"), "stein = 'no': must be True or False"),
        (lambda: ZerothOrder(0.1, 1, data=None), "data = None"),
        (lambda: ZerothOrder(0.1, 1, baseline="zero"), "baseline = 'zero': must be one of point, mean"),
        (lambda: ZerothOrder(0.1, 1, True, baseline="mean"), "stein = True: must be False with baseline = 'mean'"),
        (lambda: CentralDifference(-1), "delta = -1"),
        (lambda: CentralDifference(0.1, data="exact"), "data = 'exact'"),
    ],
)
def test_an_argument_that_is_not_allowed_is_named(make, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        make()


@pytest.mark.parametrize("nu", [1.0, 1e-2])
@pytest.mark.parametrize("shape", [(), (4,), (7, 1), (7, 4)])
@pytest.mark.parametrize("family", [GaussianSmoothing, ZerothOrder], ids=lambda f: f.__name__)
def test_a_family_that_knows_its_differences_gives_those_of_its_gradients_and_losses(family, shape, nu):
    tasks = trigonometric()
    w = np.random.default_rng(1).standard_normal((*shape, 3))
    u = np.random.default_rng(2).standard_normal((5, *np.broadcast_shapes(shape, (4,)), 3))
    estimator = family(nu, 5, data="population")
    found = estimator.along(tasks, w, u, 1, np.random.default_rng(0))
    plain = estimator.along(Recording(tasks), w, u, 1, np.random.default_rng(0))
    np.testing.assert_allclose(found.left, plain.left, rtol=0, atol=1e-14 / nu**2)
    shared = family(nu, 5, data="shared").along(tasks, w, u, 1, np.random.default_rng(0))
    assert np.abs(shared.left - found.left).min() > 1e-9  # that of the tasks without data


@pytest.mark.parametrize("family", [GaussianSmoothing, ZerothOrder], ids=lambda f: f.__name__)
def test_a_family_that_knows_its_differences_loses_no_digits_at_a_small_radius(family):
    # In the limit they are H u and u u'Hu/2; the next term is below 3 rho nu ||u||^2 in size, and plain differences are
    # off by more than that: at this radius they have no digit left.
    tasks, w, u = trigonometric(), np.ones(3), np.random.default_rng(2).standard_normal((5, 4, 3))
    found = family(1e-13, 5, data="population").along(tasks, w, u, 1, np.random.default_rng(0)).left
    pushed = tasks.hvp(w, u)
    limit = pushed if family is GaussianSmoothing else np.vecdot(u, pushed)[..., None] / 2 * u
    np.testing.assert_allclose(found, limit, rtol=0, atol=1e-11)


def test_estimators_are_values():
    assert GaussianSmoothing(0.1, np.int64(3)) == GaussianSmoothing(0.1, 3)
    assert len({ExactHessian(), ExactHessian(), FirstOrder(), ZerothOrder(0.1, 1), ZerothOrder(0.1, 1)}) == 3


@pytest.mark.parametrize("estimator", [GaussianSmoothing(0.1, 3), ZerothOrder(0.1, 3), ZerothOrder(0.1, 3, stein=True)])
def test_directions_may_be_given(estimator):
    tasks = Trigonometric.random(3, 2, 0).with_noise(AdditiveGaussian(0.5))
    w = np.broadcast_to(np.ones(3), (4, 2, 3))
    drawn = estimator.operator(tasks, w, 2, np.random.default_rng(1))
    rng = np.random.default_rng(1)
    given = estimator.along(tasks, w, rng.standard_normal((3, 4, 2, 3)), 2, rng)
    v = np.arange(3.0)
    np.testing.assert_array_equal(drawn(v), given(v))
