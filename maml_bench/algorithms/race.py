"""Methods with one budget of samples: how far each gets, with a meta step size of its own choice."""

from collections.abc import Iterator
from dataclasses import replace
from typing import cast

import numpy as np

from maml_bench.algorithms.outer_loop import iteration_samples, train
from maml_bench.algorithms.seeds import best, checkpoints
from maml_bench.meta_gradient import exact_meta_gradient, meta_objective
from maml_bench.montecarlo.workers import Workers
from maml_bench.problems.noise import NoisyTasks
from maml_bench.setting import Setting, looped

NORM, OBJECTIVE = "||grad calL||", "calL above the lowest value seen"
STEP_SIZES = (0.03, 0.1, 0.3, 1.0, 3.0)
"""Meta step sizes that a method is tried with, times 1/L."""
RUNS, TUNING, TAIL = 64, 16, 8
"""Runs that are told; others for the choice of a step size, by the objective at their last meta-iterations."""
DECILES = (0.1, 0.9)
DESCENT = 2000


def course(point: Setting, *, seed: int, budget: int, workers: Workers | int = 1) -> Iterator[dict]:
    """Rows: gradient norm and objective against samples spent, means over runs with deciles for limits.

    ``budget`` is the number of samples; the meta step size of ``point`` is replaced.
    """
    sizes = [size / point.tasks.regularity.L for size in STEP_SIZES]
    tried = [train(sized(point, beta, budget), TUNING, seed + 1, workers=workers).objective for beta in sizes]
    beta = sizes[best(np.array([objective[-TAIL:].ravel() for objective in tried]))[0]]
    run = train(sized(point, beta, budget), RUNS, seed, workers=workers)
    each, found = iteration_samples(point).total, {NORM: run.gradient_norm, OBJECTIVE: run.objective - lowest(point)}
    iterations = checkpoints(len(run.objective)).tolist()
    for quantity, values in found.items():
        for k in iterations:
            low, high = np.quantile(values[k - 1], DECILES)
            ends = {"value": values[k - 1].mean(), "lower": low, "upper": high, "replicates": RUNS}
            yield ends | {"quantity": quantity, "samples": k * each, "beta": beta, "last": k == iterations[-1]}


def sized(point: Setting, beta: float, budget: int) -> Setting:
    """The setting with a meta step size, and with as many meta-iterations as the budget of samples allows."""
    iterations = max(2, budget // iteration_samples(point).total)
    return replace(point, outer=replace(looped(point), beta=beta, iterations=iterations))


def lowest(point: Setting) -> float:
    """The least value of the meta objective that descent from the start and from 0 finds."""
    tasks, inner = cast(NoisyTasks, point.tasks).population, point.inner
    found = []
    for w in (point.w, np.zeros_like(point.w)):
        for _ in range(DESCENT):
            w = w - exact_meta_gradient(tasks, w, inner.alpha, inner.steps).mean(0) / (2 * tasks.regularity.L)
        found.append(float(meta_objective(tasks, w, inner.alpha, inner.steps).mean()))
    return min(found)
