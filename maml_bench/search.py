"""One search: random starts, offspring of the best, ascent; batched, seeded, within a time.

For the audit of constants, for suprema and for the tightness of bounds. The first functions say where an audit looks:
random points of the admitted ball, tasks with the best of them.
"""

import contextlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy

FULL_DIMENSION = 48
"""Up to this dimension the climb is over all coordinates; beyond, over a random subspace through the start."""


def affordable(tasks, wanted: int, elements: int = 2_000_000) -> int:
    """How many points to evaluate at once on all tasks: ``wanted``, unless arrays would pass ``elements`` numbers."""
    return max(2, min(wanted, elements // (math.prod(tasks.batch_shape) * tasks.dim)))


def random_points(tasks, rng, shape: tuple[int, ...], largest: float = 100.0) -> np.ndarray:
    """Points ``(*shape, d)``: at all scales from 0.01 to ``largest``, or everywhere in the ball and on its surface."""
    points = rng.standard_normal((*shape, tasks.dim))
    radius = tasks.regularity.radius
    if math.isinf(radius):
        points *= 10 ** rng.uniform(-2, np.log10(largest), (*shape, 1))
    else:
        points = unit(points) * radius * rng.choice([1e-3, 0.1, 0.5, 0.9, 1.0], (*shape, 1))
    points[(0,) * len(shape)] = 0
    return points


def lift(points: np.ndarray, tasks) -> np.ndarray:
    """Points ``(m, d)``, each for all tasks: ``(m, 1, ..., 1, d)``."""
    return points.reshape(len(points), *(1,) * len(tasks.batch_shape), points.shape[-1])


def inside(w: np.ndarray, radius: float) -> np.ndarray:
    """``w``, drawn back radially to norm ``radius`` where it is longer."""
    if math.isinf(radius):
        return w
    length = np.linalg.norm(w, axis=-1, keepdims=True)
    return w * np.minimum(1, radius / np.maximum(length, np.finfo(float).tiny))


def unit(v: np.ndarray) -> np.ndarray:
    """``v`` scaled to length 1; a zero vector stays zero."""
    length = np.linalg.norm(v, axis=-1, keepdims=True)
    return v / np.where(length > 0, length, 1.0)


def one(tasks, index: tuple[int, ...]):
    return tasks[index] if tasks.batch_shape else tasks


def best_starts(values: np.ndarray, count: int) -> list[tuple[int, ...]]:
    """Indices into ``values (m, *batch)``: the best points of the best tasks first, then the best of the rest."""
    flat = np.nan_to_num(values.reshape(len(values), -1), nan=-np.inf)
    per_task = [(flat[:, k].argmax(), k) for k in np.argsort(-flat.max(0))[:count]]
    overall = [np.unravel_index(k, flat.shape) for k in np.argsort(-flat, axis=None)[:count]]
    chosen = list(dict.fromkeys((int(m), int(k)) for m, k in per_task + overall))[: 2 * count]
    return [(m, *map(int, np.unravel_index(k, values.shape[1:]))) for m, k in chosen]


def basis(rng, *vectors: np.ndarray, extra: int = 14) -> np.ndarray:
    """Orthonormal columns ``(d, k)`` that span the vectors and, in high dimension, ``extra`` random ones besides."""
    dim = len(vectors[0])
    if dim <= FULL_DIMENSION:
        return np.eye(dim)
    extra = extra if dim < 2000 else 2
    return np.linalg.qr(np.stack([*vectors, *rng.standard_normal((extra, dim))], axis=1))[0]


@dataclass(frozen=True)
class Best:
    """The largest value found.

    Attributes
    ----------
    point : array (k,)
    value : float
    evaluations : int
        Points at which the objective was evaluated.
    rounds : int
        Rounds that were begun; going on from there repeats none.
    """

    point: np.ndarray
    value: float
    evaluations: int
    rounds: int


def maximize(
    objective: Callable[[np.ndarray], np.ndarray],
    starts: np.ndarray | Callable[[np.random.Generator], np.ndarray],
    *,
    seed: int = 0,
    rounds: int = 1,
    first_round: int = 0,
    seconds: float = math.inf,
    parents: int = 16,
    children: int = 8,
    generations: int = 0,
    vary: Callable | None = None,
    climbs: int = 1,
    dim: int | None = None,
    enough: float = math.inf,
    progress: Callable[[Best], None] | None = None,
) -> Best:
    """Maximize a function of vectors that is cheap for many of them at once.

    A round evaluates the starts; then, for some generations, the best points have random offspring, ever closer to
    their parents; then quasi-Newton ascent from the best. Rounds have random streams of their own, keyed by their
    numbers, so the result depends on the arguments alone, unless time runs out.

    Parameters
    ----------
    objective : callable
        Maps points ``(m, k)`` to values ``(m,)`` of order one; NaN counts as the least value.
    starts : array (m, k), or callable
        ``starts(rng)`` draws those of a round. From the second round on the best point so far is among them.
    seconds : float
        No batch of points is evaluated after this time, but for the starts of the first round.
    vary : callable
        ``vary(rng, points, reach)`` makes one offspring of each point, ``reach`` falling from 1 to 1e-3; by default
        Gaussian with ``reach`` for a standard deviation.
    climbs : int
        How many of the best points of a round are climbed from.
    dim : int
        As in `climb`; by default k.
    enough : float
        Stop once the value is at least this.
    progress : callable
        Called with the best so far after every round.
    """
    deadline = time.monotonic() + seconds
    best: tuple[float, Any] = (-np.inf, None)
    evaluations, number = 0, first_round

    def values_at(points):
        nonlocal evaluations, best
        evaluations += len(points)
        found = np.nan_to_num(objective(points), nan=-np.inf)
        top = int(np.argmax(found))
        if best[1] is None or found[top] > best[0]:
            best = float(found[top]), points[top].copy()
        return found

    def over():
        return time.monotonic() > deadline or best[0] >= enough

    while number < first_round + rounds and not (best[1] is not None and over()):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number,)))
        points = starts(rng) if callable(starts) else starts
        if best[1] is not None:
            points = np.vstack([points, best[1]])
        values = values_at(points)
        for reach in np.geomspace(1.0, 1e-3, generations):
            if over():
                break
            kept = np.argsort(values)[-parents:]
            points, values = points[kept], values[kept]
            parent = np.repeat(points, children, axis=0)
            moved = vary(rng, parent, reach) if vary else parent + reach * rng.standard_normal(parent.shape)
            points, values = np.vstack([points, moved]), np.concatenate([values, values_at(moved)])
        for start in points[np.argsort(values)[::-1][:climbs]]:
            if over():
                break
            climb(values_at, start, dim or len(start), over)
        number += 1
        if progress:
            progress(Best(best[1], best[0], evaluations, number))
    return Best(best[1], best[0], evaluations, number)


def climb(objective: Callable, x: np.ndarray, dim: int, over: Callable[[], bool] = lambda: False) -> np.ndarray:
    """A point at least as good as ``x``: quasi-Newton ascent, the gradient by differences in one call.

    Parameters
    ----------
    objective : callable
        Maps points ``(m, k)`` to values ``(m,)`` of order one.
    dim : int
        Size of the space that the k coordinates stand for; the larger, the fewer iterations.
    over : callable
        Whether to stop at once.
    """
    iterations = min(80, max(3, 10_000_000 // (2 * len(x) * dim)))
    best: list[Any] = [-np.inf, x]

    def descend(at):
        if over() or not np.isfinite(at).all():  # a step over a cliff may lead nowhere
            raise StopIteration
        step = 1e-5 * np.maximum(1.0, np.abs(at))
        values = np.nan_to_num(objective(np.vstack([at, at + np.diag(step), at - np.diag(step)])), neginf=-1e300)
        if values[0] > best[0]:
            best[:] = values[0], at.copy()
        forward, backward = values[1 : len(at) + 1], values[len(at) + 1 :]
        return -values[0], -(forward - backward) / (2 * step)

    with contextlib.suppress(StopIteration):
        scipy.optimize.minimize(descend, x, jac=True, method="L-BFGS-B", options={"maxiter": iterations})
    return best[1]


def simplex(objective: Callable[[np.ndarray], float], x: np.ndarray, evaluations: int) -> np.ndarray:
    """Where a simplex search (Nelder-Mead) from ``x`` ends: for objectives too noisy to be differenced."""
    return scipy.optimize.minimize(
        lambda at: -objective(at), x, method="Nelder-Mead", options={"maxfev": evaluations}
    ).x
