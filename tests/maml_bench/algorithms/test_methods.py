"""Methods against hand computations and solved systems."""

import numpy as np
import pytest

from maml_bench import InnerLoop, OuterLoop, Setting
from maml_bench.adaptation import exact_path
from maml_bench.algorithms import MAML, NAMED, ImplicitMAML, Reptile, Samples, algorithm
from maml_bench.algorithms.methods import conjugate_gradients
from maml_bench.hessians import CentralDifference, ExactHessian, FirstOrder, GaussianSmoothing, ZerothOrder
from maml_bench.meta_gradient import exact_meta_gradient, meta_objective
from maml_bench.problems import Quadratic, Trigonometric

INNER = InnerLoop(alpha=0.1, steps=3, S=2, D=5, T=7)
TASKS = Trigonometric.random(4, 3, 0)
W = np.linspace(-1, 1, 4)


def gradient(method, hessian, tasks=TASKS, w=W, target=None):
    return method.meta_gradient(tasks, w, INNER, hessian, np.random.default_rng(0), target)


def test_maml_without_noise_is_the_exact_meta_gradient():
    expected = exact_meta_gradient(TASKS, W, INNER.alpha, INNER.steps)
    np.testing.assert_allclose(gradient(MAML(), ExactHessian()), expected, rtol=1e-14)
    np.testing.assert_allclose(gradient(MAML(), CentralDifference(1e-4)), expected, rtol=1e-6)


def test_first_order_maml_is_the_gradient_at_the_end_of_the_path():
    end = exact_path(TASKS, W, INNER.alpha, INNER.steps)[-1]
    np.testing.assert_allclose(gradient(MAML(), FirstOrder()), TASKS.grad(end), rtol=1e-14)


def test_reptile_is_the_mean_gradient_of_the_path():
    path = exact_path(TASKS, W, INNER.alpha, INNER.steps)
    expected = np.mean([TASKS.grad(point) for point in path[:-1]], axis=0)
    np.testing.assert_allclose(gradient(Reptile(), None), expected, rtol=1e-12)


def test_implicit_maml_differentiates_the_regularized_minimizer():
    """Many steps and products: the gradient of ``w -> l_target(argmin_u l(u) + (pull/2) ||u - w||^2)``."""
    rng, pull = np.random.default_rng(1), 2.0
    factor = rng.standard_normal((3, 3))
    support, target = (Quadratic(A, rng.standard_normal((1, 3))) for A in (factor @ factor.T, np.diag([1.0, 2, -1])))
    w = np.array([0.3, -1.0, 0.5])

    def objective(w):
        end = np.linalg.solve(support.A + pull * np.eye(3), support.b[0] + pull * w)
        return target.loss(end)[0]

    method, inner = ImplicitMAML(pull, products=3), InnerLoop(0.05, 2000)
    found = method.meta_gradient(support, w, inner, ExactHessian(), rng, target)[0]
    differences = [(objective(w + e) - objective(w - e)) / 2e-5 for e in 1e-5 * np.eye(3)]
    np.testing.assert_allclose(found, differences, rtol=1e-7)


def test_implicit_maml_after_one_step_by_hand():
    # l = w^2/2 - w from w = 3: u = 3 - 0.1 * 2 = 2.8, grad 1.8; the pull vanishes at w; (1 + 1/4) x = 1.8
    tasks = Quadratic(np.eye(1), np.ones((1, 1)))
    found = ImplicitMAML(pull=4.0).meta_gradient(tasks, np.array([3.0]), InnerLoop(0.1, 1), ExactHessian(), None)
    np.testing.assert_allclose(found, [[1.44]], rtol=1e-14)
    # second step: u = 2.8 - 0.1 (1.8 - 4 * 0.2) = 2.7
    found = ImplicitMAML(pull=4.0).meta_gradient(tasks, np.array([3.0]), InnerLoop(0.1, 2), ExactHessian(), None)
    np.testing.assert_allclose(found, [[1.7 / 1.25]], rtol=1e-14)


def test_conjugate_gradients_solve_many_systems_at_once():
    rng = np.random.default_rng(3)
    factor = rng.standard_normal((5, 4, 4))
    matrix = factor @ factor.swapaxes(-1, -2) + 0.1 * np.eye(4)
    right = rng.standard_normal((5, 4))
    right[0] = 0
    solution = conjugate_gradients(lambda v: np.matvec(matrix, v), right, 4)
    np.testing.assert_allclose(np.matvec(matrix, solution), right, atol=1e-9)
    assert np.array_equal(conjugate_gradients(lambda v: np.matvec(matrix, v), right, 40)[0], np.zeros(4))


def test_conjugate_gradients_stop_at_nonpositive_curvature():
    matrix = np.array([np.diag([1.0, -2.0]), np.eye(2)])
    right = np.array([[0.0, 1.0], [2.0, 1.0]])
    solution = conjugate_gradients(lambda v: np.matvec(matrix, v), right, 3)
    np.testing.assert_array_equal(solution, [[0, 0], [2, 1]])


@pytest.mark.parametrize(
    ("method", "hessian", "expected"),
    [  # N = 3, S = 2, D = 5, T = 7
        (MAML(), ExactHessian(), Samples(13, 15, 0)),
        (MAML(), FirstOrder(), Samples(13, 0, 0)),
        (MAML(), GaussianSmoothing(0.1, 4), Samples(13 + 3 * 25, 0, 0)),
        (MAML(), GaussianSmoothing(0.1, 4, data="population"), Samples(13 + 3 * 5, 0, 0)),
        (MAML(), CentralDifference(0.1), Samples(13 + 30, 0, 0)),
        (MAML(), ZerothOrder(0.1, 4), Samples(13, 0, 3 * 60)),
        (MAML(), ZerothOrder(0.1, 4, stein=True, data="shared"), Samples(13, 0, 3 * 45)),
        (MAML(), ZerothOrder(0.1, 4, baseline="mean"), Samples(13, 0, 3 * 40)),
        (Reptile(), FirstOrder(), Samples(6, 0, 0)),
        (ImplicitMAML(products=4), ExactHessian(), Samples(13, 20, 0)),
    ],
    ids=repr,
)
def test_samples_by_hand(method, hessian, expected):
    assert method.samples(INNER, hessian) == expected


class Counting:
    """Tasks that count the samples that are evaluated."""

    def __init__(self, tasks):
        self.tasks, self.spent = tasks, Samples()
        self.dim, self.batch_shape = tasks.dim, tasks.batch_shape

    def sample(self, rng, w, size):
        return size

    def _at(self, w, size):
        return int(np.prod(w.shape[:-1])) * size

    def grad(self, w, sample=None):
        self.spent += Samples(gradient=self._at(w, sample))
        return self.tasks.grad(w)

    def hvp(self, w, v, sample=None):
        self.spent += Samples(hessian_vector=self._at(v, sample))
        return self.tasks.hvp(w, v)

    def loss(self, w, sample=None):
        self.spent += Samples(function=self._at(w, sample or 0))
        return self.tasks.loss(w)


@pytest.mark.parametrize("data", ["resampled", "shared"])
@pytest.mark.parametrize("name", NAMED)
def test_what_is_counted_is_what_is_evaluated(name, data):
    method, hessian = NAMED[name](1e-2, 4)
    if hasattr(hessian, "data"):
        hessian = type(hessian)(**{**vars(hessian), "data": data})
    tasks = Counting(TASKS[0])
    method.meta_gradient(tasks, W[None], INNER, hessian, np.random.default_rng(0))
    assert tasks.spent == method.samples(INNER, hessian)


def test_samples_add_up():
    assert 2 * Samples(1, 2, 3) + Samples(gradient=1) == Samples(3, 4, 6)
    assert Samples(3, 4, 6).total == 13


def test_every_named_method_descends():
    """A small step along it lowers the meta objective, at a point where all methods know the way."""
    setting = Setting(TASKS, 3 * W, InnerLoop(0.02, 2), outer=OuterLoop(1, 3, beta=0.1))
    for name in NAMED:
        case = algorithm(setting, name, nu=1e-3, directions=200)
        assert case.outer.beta == 0.1
        rng = np.random.default_rng(0)
        step = case.outer.method.meta_gradient(TASKS, case.w, case.inner, case.hessian, rng)
        before, after = (meta_objective(TASKS, w, 0.02, 2).mean() for w in (case.w, case.w - 0.01 * step.mean(0)))
        assert after < before, name


def test_bad_arguments_are_named():
    setting = Setting(TASKS, W, INNER)
    with pytest.raises(ValueError, match="unknown method 'mamal'; known: maml, fo-maml, hf-maml, ggs-maml"):
        algorithm(setting, "mamal")
    with pytest.raises(ValueError, match="outer = None"):
        algorithm(setting, "maml")
    with pytest.raises(ValueError, match="pull = 0"):
        ImplicitMAML(pull=0)
    with pytest.raises(ValueError, match="products = 0"):
        ImplicitMAML(products=0)
    with pytest.raises(ValueError, match="symmetric"):
        gradient(ImplicitMAML(), GaussianSmoothing(0.1, 2))
