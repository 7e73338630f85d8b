"""Where an audit looks: random points of the admitted ball, and hill climbing from the best of them."""

import math

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
        points *= radius * rng.choice([1e-3, 0.1, 0.5, 0.9, 1.0], (*shape, 1))
        points /= np.linalg.norm(points, axis=-1, keepdims=True)
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


def climb(objective, x: np.ndarray, dim: int) -> np.ndarray:
    """A point at least as good as ``x``: quasi-Newton ascent, the gradient by differences in one call.

    Parameters
    ----------
    objective : callable
        Maps points ``(m, k)`` to values ``(m,)`` of order one.
    dim : int
        Size of the space that the k coordinates stand for; the larger, the fewer iterations.
    """
    iterations = min(80, max(3, 10_000_000 // (2 * len(x) * dim)))
    best = [-np.inf, x]

    def descend(at):
        step = 1e-5 * np.maximum(1.0, np.abs(at))
        values = np.nan_to_num(objective(np.vstack([at, at + np.diag(step), at - np.diag(step)])))
        if values[0] > best[0]:
            best[:] = values[0], at.copy()
        forward, backward = values[1 : len(at) + 1], values[len(at) + 1 :]
        return -values[0], -(forward - backward) / (2 * step)

    scipy.optimize.minimize(descend, x, jac=True, method="L-BFGS-B", options={"maxiter": iterations})
    return best[1]
