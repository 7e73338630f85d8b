"""The hot paths of the bench, each beside its floor: what no program that does the same can leave out.

A floor draws the same random numbers and takes the same special functions of the same arguments, and does nothing
else: no product with a matrix, no sum, no memory but its own. A ratio to the floor says what is left to gain.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy

from maml_bench import InnerLoop
from maml_bench.adaptation import exact_path, stochastic_path
from maml_bench.hessians import ExactHessian, GaussianSmoothing, ZerothOrder
from maml_bench.meta_gradient import exact_meta_gradient, stochastic_meta_gradient
from maml_bench.problems import AdditiveGaussian, Kink, Logistic, RankOne, SoftmaxBandit, Trigonometric

DIM, DIRECTIONS, STEPS, TASKS, REPLICATES = 20, 10, 5, 8, 256


@dataclass(frozen=True)
class HotPath:
    """A path, its floor, and in words what the floor does."""

    run: Callable[[], object]
    floor: Callable[[], object]
    words: str


def _trigonometric(rng):
    tasks = Trigonometric.random(dim=DIM, tasks=TASKS, rng=0)
    noisy, w = tasks.with_noise(AdditiveGaussian(0.5)), np.ones((REPLICATES, 1, DIM))
    inner, point = InnerLoop(0.05, STEPS), np.ones(DIM)
    angles = tasks.frequency @ point + tasks.phase + 0.01 * rng.standard_normal((REPLICATES, TASKS, DIM))
    out, normals = np.empty_like(angles), np.empty((REPLICATES, TASKS, DIM))

    def floor(draws, functions):
        for _ in range(draws):
            rng.standard_normal(out=normals)
        for _ in range(functions):
            np.sin(angles, out=out)

    ggs = GaussianSmoothing(1e-2, DIRECTIONS, "population")
    zo = ZerothOrder(1e-2, DIRECTIONS, data="population")
    return {
        "Gaussian smoothing": HotPath(
            lambda: ggs.operator(tasks, w, 1, rng)(point),
            lambda: floor(DIRECTIONS, DIRECTIONS + 1),
            "Q normals and Q + 1 sines a coordinate",
        ),
        "zeroth order": HotPath(
            lambda: zo.operator(tasks, w, 1, rng)(point),
            lambda: floor(DIRECTIONS, 2 * DIRECTIONS + 1),
            "Q normals and 2Q + 1 cosines a coordinate",
        ),
        "inner path": HotPath(
            lambda: stochastic_path(noisy, w, inner, rng), lambda: floor(STEPS, STEPS), "N normals and N sines"
        ),
        "meta gradient": HotPath(
            lambda: stochastic_meta_gradient(noisy, w, inner, ExactHessian(), rng),
            lambda: floor(2 * STEPS + 1, 2 * STEPS + 1),
            "2N + 1 normals and 2N + 1 sines or cosines",
        ),
    }


def _others(rng):
    w, inner = np.full((REPLICATES, 1, DIM), 0.1), InnerLoop(0.02, STEPS)
    normals = np.empty((REPLICATES, TASKS, DIM))
    rank_one = RankOne.random(dim=DIM, tasks=TASKS, rng=0, radius=5.0).with_noise(AdditiveGaussian(0.1))
    kink = Kink.random(dim=DIM, tasks=TASKS, rng=0).with_noise(AdditiveGaussian(0.1))
    bandit = SoftmaxBandit.random(dim=DIM, tasks=TASKS, rng=0)
    pairs = Logistic.random(dim=DIM, tasks=TASKS, rng=0)
    margins = np.ones((REPLICATES, *pairs.y.shape))

    def draw_normals():
        for _ in range(2 * STEPS + 1):
            rng.standard_normal(out=normals)

    def draw_actions():
        spread = np.broadcast_to(w, (REPLICATES, TASKS, DIM))
        for _ in range(STEPS):
            rng.random((REPLICATES, TASKS, 1))
            np.exp(spread, out=normals)

    def logistic_functions():
        for _ in range(STEPS + 1):
            scipy.special.expit(margins)
        for _ in range(2 * STEPS):
            scipy.special.expit(margins)

    def logistic_gradient():
        return exact_meta_gradient(pairs.support, w, 0.02, STEPS, pairs.target)

    def gradient_of(tasks):
        return lambda: stochastic_meta_gradient(tasks, w, inner, ExactHessian(), rng)

    return {
        "rank-one": HotPath(gradient_of(rank_one), draw_normals, "2N + 1 normals"),
        "kink": HotPath(gradient_of(kink), draw_normals, "2N + 1 normals"),
        "bandit path": HotPath(
            lambda: stochastic_path(bandit, w, inner, rng), draw_actions, "N uniforms, and N exponentials an action"
        ),
        "logistic": HotPath(logistic_gradient, logistic_functions, "3N + 1 logistic functions a data point"),
        "logistic path": HotPath(
            lambda: exact_path(pairs.support, w, 0.02, STEPS),
            lambda: [scipy.special.expit(margins) for _ in range(STEPS)],
            "N logistic functions a data point",
        ),
    }


def hot_paths(seed: int = 0) -> dict[str, HotPath]:
    """All of them, by name."""
    rng = np.random.default_rng(seed)
    return _trigonometric(rng) | _others(rng)
