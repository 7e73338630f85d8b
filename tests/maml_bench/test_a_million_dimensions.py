"""A meta gradient with Gaussian smoothing in a million dimensions: no matrix, no more memory than directions take."""

import tracemalloc
from dataclasses import dataclass

import numpy as np
import pytest

from maml_bench import InnerLoop
from maml_bench.adaptation import exact_path
from maml_bench.hessians import GaussianSmoothing
from maml_bench.meta_gradient import stochastic_meta_gradient
from maml_bench.problems import RankOne

DIM, DIRECTIONS, STEPS, NU = 10**6, 10, 2, 1e-2
ALPHA = 1e-5  # a direction times its product with v is longer than v by the root of d


@dataclass(frozen=True, eq=False)
class DiagonalTrigonometric:
    """``sum_k (c_k w_k^2/2 + cos(w_k + phi_k))``: a user's family, one task."""

    curvature: np.ndarray
    phase: np.ndarray

    batch_shape = ()

    @property
    def dim(self):
        return len(self.curvature)

    def sample(self, rng, w, size):
        return None

    def grad(self, w, sample=None):
        return self.curvature * w - np.sin(w + self.phase)


def diagonal(rng):
    return DiagonalTrigonometric(rng.uniform(0, 1, DIM), rng.uniform(0, 6, DIM))


@pytest.mark.parametrize(
    "tasks", [diagonal, lambda rng: RankOne.random(DIM, 1, rng, radius=3.0)], ids=["diagonal", "rank-one"]
)
def test_a_meta_gradient(tasks):
    rng = np.random.default_rng(0)
    tasks, w = tasks(rng), rng.standard_normal(DIM) / np.sqrt(DIM)
    tracemalloc.start()
    found = stochastic_meta_gradient(
        tasks, w, InnerLoop(ALPHA, STEPS), GaussianSmoothing(NU, DIRECTIONS, "population"), np.random.default_rng(1)
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.4e9  # two sets of directions are 0.16e9; the promise is 2e9

    # The definition, one direction after the other.
    again, path = np.random.default_rng(1), exact_path(tasks, w, ALPHA, STEPS)
    vector = tasks.grad(path[-1])
    for point in path[-2::-1]:
        product, here = np.zeros_like(vector), tasks.grad(point)
        for _ in range(DIRECTIONS):
            u = again.standard_normal(vector.shape)
            product += (tasks.grad(point + NU * u) - here) * np.vecdot(u, vector)[..., None] / (NU * DIRECTIONS)
        vector = vector - ALPHA * product
    np.testing.assert_allclose(found, vector, rtol=1e-9, atol=1e-9 * np.abs(vector).max())
    assert np.linalg.norm(found - tasks.grad(path[-1])) > 1e-3 * np.linalg.norm(found)  # the products count
