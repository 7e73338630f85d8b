"""Proposition 1: smoothness of the meta objective at w.

The left side is a supremum over all u. On quadratics it is a spectral norm. Elsewhere a search gives the largest
ratio ``||grad calL(w) - grad calL(u)|| / ||w - u||`` that it found, each at an actual u: a lower limit. Should it
exceed the bound, the bound is wrong; that it does not, is no proof.
"""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import scipy

from analytic.digits import many_digits
from maml_bench.adaptation import exact_path
from maml_bench.claims.claim import Measurement, claims_of
from maml_bench.claims.requirements import exact_path_in_ball, first_reason, single_loss
from maml_bench.exact import meta_gradients, meta_smoothness
from maml_bench.meta_gradient import exact_meta_gradient
from maml_bench.problems.protocol import outside
from maml_bench.search import Best, maximize, unit
from maml_bench.setting import Setting, losses

SHORTEST, LONGEST = 1e-4, 1e2
"""Distances from w that are tried, in units of `length`."""

EIGENVECTORS, DISTANCES, POWER_STEPS = 8, 19, 5
SMALL = 48
"""Dimension up to which all eigenvectors are computed, and points are climbed from."""

EVALUATIONS, NUMBERS = 8192, 2**21
"""Points u of a search, and numbers that they may amount to over all tasks; the latter rules in high dimension."""

FLOATS = 2**20


def length(setting: Setting) -> float:
    """The length on which Hessians change, L/rho; 1 if they do not."""
    regularity = setting.tasks.regularity
    return regularity.L / regularity.rho if regularity.rho > 0 else 1.0


def changes(setting: Setting, u: np.ndarray) -> np.ndarray:
    """``grad calL(u) - grad calL(w)`` for points u, shape (m, d); 0 where a path from u leaves the certified ball."""
    inner, (support, target) = setting.inner, losses(setting)
    axes = tuple(range(1, 1 + len(setting.tasks.batch_shape)))
    centre = meta_gradients(setting).mean(0)
    ball = math.isfinite(setting.tasks.regularity.radius)
    block = max(1, FLOATS // (setting.tasks.dim * math.prod(setting.tasks.batch_shape)))

    def of(points):
        starts = np.expand_dims(points, axes)
        change = exact_meta_gradient(support, starts, inner.alpha, inner.steps, target).mean(axes) - centre
        if ball:
            path = exact_path(support, starts, inner.alpha, inner.steps)
            change[outside(setting.tasks, path).any((0, *(axis + 1 for axis in axes)))] = 0.0
        return change

    diverging: Any = "ignore" if ball else "warn"  # paths may diverge outside the ball, where nothing is claimed
    with np.errstate(over=diverging, invalid=diverging):
        return np.concatenate([of(u[start : start + block]) for start in range(0, len(u), block)])


def ratios(setting: Setting, u: np.ndarray) -> np.ndarray:
    """``||grad calL(w) - grad calL(u)|| / ||w - u||`` for points u, shape (m, d);
    0 where a path from u leaves the certified ball.
    """
    return np.linalg.norm(changes(setting, u), axis=-1) / np.linalg.norm(u - setting.w, axis=-1)


def largest_ratio(setting: Setting) -> np.ndarray:
    """The largest of `ratios` that a search finds; one cell."""
    return np.array([_best(setting).value])


def found_ratio(setting: Setting) -> Callable[[Setting], np.ndarray]:
    """The ratio at the point where the search found the largest, as a function of settings."""
    step = many_digits(_best(setting).point)
    return lambda precise: ratios(precise, (precise.w + step)[None])


@lru_cache(maxsize=4)
def _best(setting: Setting) -> Best:
    """The largest of `ratios` that a search finds, and the step to it from w.

    Starts: random directions and the leading eigenvectors of the Hessian of the meta objective at w, both ways, each at
    distances on a logarithmic grid. The change of the gradient over a step is a mean of Hessians times the step, so
    power steps, at one distance, lead towards longer changes. Then `maximize` goes on from all of them. A ratio counts
    less what rounding may have added to it, so that it is a lower limit in earnest. Seeds are fixed.
    """
    rng, dim, scale = np.random.default_rng(0), setting.tasks.dim, length(setting)
    blur = rounding_of_change(setting)
    evaluations = min(EVALUATIONS, max(256, NUMBERS // (dim * math.prod(setting.tasks.batch_shape))))
    distances = scale * np.geomspace(SHORTEST, LONGEST, DISTANCES if evaluations > 2048 else 7)[:, None, None]
    leading = _eigenvectors(setting, SHORTEST * scale)
    count = max(4, evaluations // (4 * POWER_STEPS * len(distances)) - len(leading))
    directions = np.concatenate([leading, rng.standard_normal((count, dim))])
    directions = np.broadcast_to(
        unit(np.concatenate([directions, -directions])), (len(distances), 2 * (count + len(leading)), dim)
    )
    tried = [(distances * directions).reshape(-1, dim)]
    for _ in range(POWER_STEPS):
        change = changes(setting, setting.w + tried[-1]).reshape(directions.shape)
        along = np.where(np.vecdot(change, directions) < 0, -1.0, 1.0)[..., None]
        directions = np.where(np.linalg.norm(change, axis=-1, keepdims=True) > 0, along * unit(change), directions)
        tried.append((distances * directions).reshape(-1, dim))

    def vary(rng, steps, reach):
        size = np.linalg.norm(steps, axis=-1, keepdims=True)
        moved = steps + reach * size / np.sqrt(dim) * rng.standard_normal(steps.shape)
        moved *= np.exp(reach * rng.standard_normal((len(steps), 1)))
        return moved * np.maximum(1.0, SHORTEST * scale / np.linalg.norm(moved, axis=-1, keepdims=True))

    def objective(steps):
        size = np.linalg.norm(steps, axis=-1)
        found = ratios(setting, setting.w + steps) - blur / np.maximum(size, SHORTEST * scale / 2)
        return np.where(size >= SHORTEST * scale * (1 - 1e-9), found, 0.0)

    return maximize(
        objective,
        np.concatenate([tried[0], tried[-1]]),
        generations=evaluations // (2 * 16 * 8),
        vary=vary,
        climbs=2 if dim <= SMALL else 0,
    )


def _eigenvectors(setting, step):
    """Leading eigenvectors, as rows, of the Hessian of the meta objective at w, by differences of its gradient."""
    dim = setting.tasks.dim

    def products(directions):
        ahead, behind = np.split(changes(setting, setting.w + step * np.concatenate([directions, -directions])), 2)
        return (ahead - behind) / (2 * step)

    if dim <= SMALL:
        jacobian = products(np.eye(dim))
        values, vectors = np.linalg.eigh(jacobian + jacobian.T)
        return vectors.T[np.argsort(np.abs(values))[-EIGENVECTORS:]]
    operator = scipy.sparse.linalg.LinearOperator((dim, dim), lambda v: products(v.reshape(1, -1))[0], dtype=float)
    start = np.random.default_rng(0).standard_normal(dim)
    try:
        return scipy.sparse.linalg.eigsh(operator, EIGENVECTORS // 2, v0=start, ncv=16, tol=1e-2, maxiter=2)[1].T
    except scipy.sparse.linalg.ArpackNoConvergence as stopped:
        return stopped.eigenvectors.T


def rounding_of_change(setting: Setting) -> float:
    """What rounding can add to the difference of two meta gradients.

    A family may state the ``reach`` of its constants: gradients are computed from distances up to it, however small
    they are themselves.
    """
    tasks = setting.tasks
    reach = max(np.abs(setting.w).max(), getattr(getattr(tasks, "population", tasks), "reach", 0.0))
    scale = np.linalg.norm(meta_gradients(setting), axis=-1).max() + tasks.regularity.L * reach
    return 16 * np.finfo(float).eps * (setting.inner.steps + 1) * float(scale)


def rounding(setting: Setting) -> float:
    """What rounding can add to a ratio, at the shortest distance that is tried."""
    return rounding_of_change(setting) / (SHORTEST * length(setting))


def measurement(losses_needed) -> Measurement:
    """The measurement for tasks with one loss each, or with two."""
    return Measurement(
        words="sup over u of ||grad calL(w) - grad calL(u)|| / ||w - u||",
        requires=first_reason(losses_needed, exact_path_in_ball),
        exact=meta_smoothness,
        search=largest_ratio,
        found=found_ratio,
        resolution=rounding,
    )


CLAIMS = claims_of("prop1", measurement(single_loss))
