"""Cost of Hessian estimates and meta gradients in Q, d and N: run with ``pytest tests/benchmarks --benchmark-enable``.

Each grows linearly in its parameter once the arrays outgrow the overhead of a call.
"""

import numpy as np
import pytest

from maml_bench.adaptation import InnerLoop
from maml_bench.hessians import CentralDifference, ExactHessian, FirstOrder, GaussianSmoothing, ZerothOrder
from maml_bench.meta_gradient import exact_meta_gradient, stochastic_meta_gradient
from maml_bench.problems import AdditiveGaussian, RandomPhase, Trigonometric


class Sphere:
    """``(1/4)(||w||^2 - 1)^2``: gradients linear in d, so that the cost of the estimator shows."""

    batch_shape = ()

    def __init__(self, dim):
        self.dim = dim

    def sample(self, rng, w, size):
        return None

    def loss(self, w, sample=None):
        return (np.vecdot(w, w) - 1) ** 2 / 4

    def grad(self, w, sample=None):
        return (np.vecdot(w, w) - 1)[..., None] * w


@pytest.mark.parametrize("family", [GaussianSmoothing, ZerothOrder], ids=lambda f: f.__name__)
@pytest.mark.parametrize("dim", [1_000, 10_000, 100_000])
def test_dimension(benchmark, family, dim):
    w, rng = np.full((1, dim), dim**-0.5), np.random.default_rng(0)
    product = benchmark(lambda: family(1e-3, 10).operator(Sphere(dim), w, 1, rng)(w))
    assert product.shape == (1, dim)


@pytest.mark.parametrize("family", [GaussianSmoothing, ZerothOrder], ids=lambda f: f.__name__)
@pytest.mark.parametrize("directions", [1, 10, 100])
def test_directions(benchmark, family, directions):
    tasks = Trigonometric.random(dim=8, tasks=4, rng=0).with_noise(AdditiveGaussian(0.1))
    w, rng = np.ones((250, 1, 8)), np.random.default_rng(0)
    product = benchmark(lambda: family(1e-2, directions).operator(tasks, w, 1, rng)(w))
    assert product.shape == (250, 4, 8)


@pytest.mark.parametrize(
    "hessian",
    [ExactHessian(), FirstOrder(), GaussianSmoothing(1e-2, 10), ZerothOrder(1e-2, 10), CentralDifference(1e-2)],
    ids=lambda h: type(h).__name__,
)
@pytest.mark.parametrize("steps", [1, 4, 16])
def test_steps(benchmark, hessian, steps):
    tasks = Trigonometric.random(dim=8, tasks=4, rng=0).with_noise(RandomPhase(0.5, 1.0))
    w, rng, inner = np.ones((250, 1, 8)), np.random.default_rng(0), InnerLoop(0.05, steps, S=2, D=2, T=2)
    gradient = benchmark(lambda: stochastic_meta_gradient(tasks, w, inner, hessian, rng))
    assert gradient.shape == (250, 4, 8)


@pytest.mark.parametrize("steps", [1, 4, 16])
def test_exact_meta_gradient(benchmark, steps):
    tasks = Trigonometric.random(dim=8, tasks=4, rng=0)
    gradient = benchmark(lambda: exact_meta_gradient(tasks, np.ones((250, 1, 8)), 0.05, steps))
    assert gradient.shape == (250, 4, 8)
