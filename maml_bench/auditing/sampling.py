"""Are samples unbiased, and do the certified variances survive an attack?

Tests are one per quantity, point, task and component, Bonferroni-corrected; they rest on the normal approximation. For
bias the standard error is no smaller than the certified one: rare large errors that a run did not see raise no alarm.
"""

import math
from typing import Any

import numpy as np
import scipy

from maml_bench.auditing.lipschitz import steepness
from maml_bench.auditing.result import Row, judged, skipped
from maml_bench.search import basis, best_starts, inside, lift, one, random_points, simplex, unit

ELEMENTS = 1_000_000
EXACT_NORM = 8
COMPONENTS = 32
BATCHES = (1, 4)
SCREENING = 64
EVALUATIONS = 100


def check(tasks, rng, error: float, draws: int) -> list[Row]:
    """Rows ``unbiased``, ``sigma_g`` and ``sigma_H``; together they raise a false alarm with probability ``error``."""
    regularity = tasks.regularity
    if tasks.sample(np.random.default_rng(0), np.zeros((1, tasks.dim)), 1) is None:
        reason = "samples are exact"
        rows = [judged(name, reason, getattr(regularity, name), 0.0) for name in ("sigma_g", "sigma_H")]
        return [skipped("unbiased", reason), *rows]
    return [
        _unbiased(tasks, rng, error / 2, draws),
        _attack(tasks, "sigma_g", gradient_error, rng, error / 4, draws),
        _attack(tasks, "sigma_H", hessian_error, rng, error / 4, draws),
    ]


def _blocks(tasks, points: int, draws: int, size: int):
    """Numbers of replicates per block, so that a block's arrays stay small."""
    each = math.prod(tasks.batch_shape) * points * tasks.dim * size
    block = max(1, ELEMENTS // each)
    wanted = max(24, min(draws, 20 * block))
    return [min(block, wanted - start) for start in range(0, wanted, block)]


def _unbiased(tasks, rng, error, draws, size=3) -> Row:
    regularity, dim = tasks.regularity, tasks.dim
    w = lift(random_points(tasks, rng, (4,), largest=2), tasks)
    w = np.broadcast_to(w, (len(w), *tasks.batch_shape, dim))
    v = unit(rng.standard_normal(dim))
    frame = np.eye(dim) if dim <= COMPONENTS else unit(rng.standard_normal((COMPONENTS, dim))).T
    exact = (tasks.loss(w), tasks.grad(w), tasks.hvp(w, v))
    sums, squares, count = 0.0, 0.0, 0
    for block in _blocks(tasks, len(w), draws, size):
        points = np.broadcast_to(w, (block, *w.shape))
        drawn = tasks.sample(rng, points, size)
        loss = (tasks.loss(points, drawn) - exact[0])[..., None]
        gradient = (tasks.grad(points, drawn) - exact[1]) @ frame
        product = (tasks.hvp(points, v, drawn) - exact[2]) @ frame
        errors = _joined((loss, gradient, product), points.shape[:-1])
        sums, squares, count = sums + errors.sum(0), squares + (errors**2).sum(0), count + block
    mean = sums / count
    k = frame.shape[-1]
    certified = np.concatenate([[0.0], np.full(k, regularity.sigma_g), np.full(k, regularity.sigma_H)])
    floor = np.broadcast_to(certified, (*w.shape[:-1], 2 * k + 1)) / np.sqrt(size)
    floor[..., 0] = regularity.sigma_g * np.linalg.norm(w, axis=-1) / np.sqrt(size)  # what the loss adds on the way
    deviation = np.maximum(np.sqrt(np.maximum(squares / count - mean**2, 0)), floor)
    sizes = [np.abs(exact[0]), *(np.linalg.norm(vector, axis=-1) for vector in exact[1:])]
    magnitude = np.repeat(np.stack(np.broadcast_arrays(*sizes), axis=-1), (1, k, k), axis=-1)
    standard_error = deviation / np.sqrt(count) + 1e-12 * (magnitude + np.finfo(float).tiny)
    worst = np.nan_to_num(np.abs(mean) / standard_error, nan=np.inf)
    at = np.unravel_index(worst.argmax(), worst.shape)
    quantity = "loss" if at[-1] == 0 else "gradient" if at[-1] <= k else "Hessian-vector product"
    limit = scipy.stats.norm.isf(error / (2 * worst.size))
    witness = {"w": w[at[:-1]].tolist(), "task": tuple(map(int, at[1:-1])), "quantity": quantity}
    checked = f"largest mean error in standard errors (size-{size} batches); worst: {quantity}"
    return judged("unbiased", checked, limit, worst.max(), witness=witness)


def _joined(parts, shape):
    return np.concatenate([np.broadcast_to(part, (*shape, part.shape[-1])) for part in parts], axis=-1)


def gradient_error(tasks, rng, w, size):
    """Squared distance of one batch gradient from the population's, at each point (..., d)."""
    return ((tasks.grad(w, tasks.sample(rng, w, size)) - tasks.grad(w)) ** 2).sum(-1)


def hessian_error(tasks, rng, w, size):
    """Squared spectral distance of one batch Hessian from the population's; in high dimension, a lower bound on it."""
    drawn = tasks.sample(rng, w, size)
    if tasks.dim <= EXACT_NORM:
        gap = np.broadcast_to(tasks.hess(w, drawn) - tasks.hess(w), (*w.shape, tasks.dim))
        return (np.linalg.eigvalsh(gap) ** 2).max(-1)
    e = unit(rng.standard_normal(w.shape))
    value = np.zeros(w.shape[:-1])
    for _ in range(5):
        change = np.broadcast_to(tasks.hvp(w, e, drawn) - tasks.hvp(w, e), w.shape)
        value = np.maximum(value, (change**2).sum(-1))
        e = unit(change)
    return value


def _mean(tasks, measure, rng, w, draws, size):
    """Mean and standard error of ``size * measure`` at points ``(m, *batch, d)``."""
    sums, squares, count = 0.0, 0.0, 0
    for block in _blocks(tasks, len(w), draws, size):
        value = size * measure(tasks, rng, np.broadcast_to(w, (block, *w.shape)), size)
        sums, squares, count = sums + value.sum(0), squares + (value**2).sum(0), count + block
    mean = sums / count
    return mean, np.sqrt(np.maximum(squares / count - mean**2, 0) / (count - 1))


def _attack(tasks, name, measure, rng, error, draws) -> Row:
    """Search for a point with more noise than ``name`` allows; then measure the best points afresh."""
    claimed, radius = getattr(tasks.regularity, name), tasks.regularity.radius
    shape = (max(4, min(64, ELEMENTS // (SCREENING * math.prod(tasks.batch_shape) * tasks.dim))), *tasks.batch_shape)
    w = random_points(tasks, rng, shape)
    values = _mean(tasks, measure, rng, w, SCREENING, 1)[0]
    finalists = []
    common = min(128, 10 * ELEMENTS // (EVALUATIONS * tasks.dim))  # random numbers that a climb has at every point
    for at in best_starts(values, 3 if common >= 16 else 1):
        finalists.append((at[1:], w[at]))
        if common >= 16:
            task, frame = one(tasks, at[1:]), basis(rng, w[at], extra=4)
            climbed = _climb(task, measure, frame, w[at], radius, rng.integers(2**32), common)
            finalists.append((at[1:], climbed))
    quantile = scipy.stats.norm.isf(error / (len(finalists) * len(BATCHES)))
    best: tuple[float, float, Any] = (-np.inf, 0.0, None)
    for index, point in finalists:
        for size in BATCHES:
            mean, deviation = _mean(one(tasks, index), measure, rng, point[None], draws, size)
            lower = max(float(mean[0] - quantile * deviation[0]), 0.0)
            witness = {"w": point.tolist(), "task": index, "size": size}
            best = max(best, (lower, float(mean[0]), witness), key=lambda entry: entry[0])
    lower, mean, witness = best
    what = "gradient" if name == "sigma_g" else "Hessian"
    if witness is None:
        raise ValueError(f"tasks: the squared error of a one-sample {what} is nowhere finite, {name} = {claimed:g}")
    checked = f"root mean square error of a one-sample {what} (and of {BATCHES[-1]} samples, scaled)"
    allowance = 1e-12 * (steepness(tasks.regularity) * (1 + np.linalg.norm(witness["w"])))
    return judged(name, checked, claimed, np.sqrt(mean), np.sqrt(lower), allowance, witness)


def _climb(task, measure, frame, w, radius, seed, draws):
    """A point with at least about the noise of ``w``, by simplex search with common random numbers."""

    def at(x):
        return inside(frame @ x, radius)

    def noise(x):
        points = np.broadcast_to(at(x), (draws, task.dim))
        return float(np.nan_to_num(measure(task, np.random.default_rng(seed), points, 1).mean()))

    return at(simplex(noise, frame.T @ w, EVALUATIONS))
