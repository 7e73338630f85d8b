"""Hessian estimators: what a draw is, which data it takes, what it costs; each by itself in `test_hessians_...`.

Statistical tests reject at five standard errors of the measured mean (false alarm about 6e-7 each, by normal
approximation) and have fixed seeds.
"""

import copy
import tracemalloc
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest
from hessian_by_hand import T1, T2, A, V, draws, quadratic
from zoo import assert_mean

from maml_bench import hessians
from maml_bench.hessians import CentralDifference, ExactHessian, FirstOrder, GaussianSmoothing, ZerothOrder
from maml_bench.problems import AdditiveGaussian, Quadratic, RandomPhase, Trigonometric

LINEAR = [
    ExactHessian(),
    FirstOrder(),
    GaussianSmoothing(0.1, 3),
    GaussianSmoothing(0.1, 3, data="shared"),
    ZerothOrder(0.1, 3),
    ZerothOrder(0.1, 3, stein=True, data="shared"),
    ZerothOrder(0.1, 3, baseline="mean"),
]


def trigonometric(tasks=4, dim=3):
    return Trigonometric.random(dim=dim, tasks=tasks, rng=5).with_noise(RandomPhase(amplitude=0.5, kappa=1.3))


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
