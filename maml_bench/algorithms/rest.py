"""Where descent along the mean of a Hessian estimator comes to rest: not where the meta gradient is 0."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy

from maml_bench.algorithms.seeds import known
from maml_bench.capabilities import Operator
from maml_bench.meta_gradient import exact_meta_gradient, stochastic_meta_gradient
from maml_bench.montecarlo.workers import Workers
from maml_bench.problems.protocol import Tasks
from maml_bench.setting import Setting, single

REST = "||grad calL|| at rest"


@dataclass(frozen=True)
class MeanField:
    """The mean of an estimator as its radius tends to 0: a multiple of the Hessian, and of its trace times I."""

    hessian: float
    trace: float

    def operator(self, tasks: Tasks, w: np.ndarray, D: int, rng: np.random.Generator) -> Operator:
        """``v -> (hessian H + trace tr(H) I) v``; nothing is drawn."""
        trace = np.trace(tasks.hess(w), axis1=-2, axis2=-1)[..., None]
        return lambda v: self.hessian * tasks.hvp(w, v) + self.trace * trace * v


def at_rest(point: Setting, *, seed: int, budget: int, workers: Workers | int = 1) -> Iterator[dict]:
    """A row: ||grad calL|| where the mean meta gradient of ``point.hessian`` is 0, for tasks without noise.

    ``budget`` is as in `resting_point`.
    """
    tasks, inner, w = single(point), point.inner, resting_point(point, budget)
    yield known(REST, np.linalg.norm(exact_meta_gradient(tasks, w, inner.alpha, inner.steps).mean(0)))


def resting_point(point: Setting, descents: int) -> np.ndarray:
    """Where the mean meta gradient of ``point.hessian`` is 0, (d,): so many steps of descent, then the root nearby."""
    tasks, rng = single(point), np.random.default_rng(0)  # nothing is drawn

    def field(w):
        return stochastic_meta_gradient(tasks, w, point.inner, point.hessian, rng).mean(0)

    w = point.w
    for _ in range(descents):
        w = w - field(w) / (2 * tasks.regularity.L)
    return scipy.optimize.root(field, w, tol=1e-13).x
