"""Proposition 1: smoothness of the meta objective at w.

The left side is a supremum over all u. On quadratics it is a spectral norm. Elsewhere a search gives the largest
ratio ``||grad calL(w) - grad calL(u)|| / ||w - u||`` that it found, each at an actual u: a lower limit. Should it
exceed the bound, the bound is wrong; that it does not, is no proof.
"""

import math

import numpy as np

from maml_bench.adaptation import exact_path
from maml_bench.claims.claim import Measurement, claims_of
from maml_bench.claims.requirements import exact_path_in_ball, first_reason, single_loss
from maml_bench.exact import meta_gradients, meta_smoothness
from maml_bench.meta_gradient import exact_meta_gradient
from maml_bench.problems.protocol import outside
from maml_bench.setting import Setting, losses

SHORTEST, LONGEST = 1e-4, 1e2
"""Distances from w that are tried, in units of `length`."""

DIRECTIONS, EIGENVECTORS, DISTANCES = 64, 32, 19
GENERATIONS, PARENTS, CHILDREN = 40, 16, 8
FLOATS = 2**20


def length(setting: Setting) -> float:
    """The length on which Hessians change, L/rho; 1 if they do not."""
    regularity = setting.tasks.regularity
    return regularity.L / regularity.rho if regularity.rho > 0 else 1.0


def ratios(setting: Setting, u: np.ndarray) -> np.ndarray:
    """``||grad calL(w) - grad calL(u)|| / ||w - u||`` for points u, shape (m, d);
    0 where a path from u leaves the certified ball.
    """
    inner, (support, target) = setting.inner, losses(setting)
    axes = tuple(range(1, 1 + len(setting.tasks.batch_shape)))
    centre = meta_gradients(setting).mean(0)
    ball = math.isfinite(setting.tasks.regularity.radius)
    block = max(1, FLOATS // (setting.tasks.dim * math.prod(setting.tasks.batch_shape)))

    def of(points):
        starts = np.expand_dims(points, axes)
        gradient = exact_meta_gradient(support, starts, inner.alpha, inner.steps, target).mean(axes)
        ratio = np.linalg.norm(gradient - centre, axis=-1) / np.linalg.norm(points - setting.w, axis=-1)
        if ball:
            path = exact_path(support, starts, inner.alpha, inner.steps)
            ratio[outside(setting.tasks, path).any((0, *(axis + 1 for axis in axes)))] = 0.0
        return ratio

    diverging = "ignore" if ball else "warn"  # paths may diverge outside the ball, where nothing is claimed
    with np.errstate(over=diverging, invalid=diverging):
        return np.concatenate([of(u[start : start + block]) for start in range(0, len(u), block)])


def largest_ratio(setting: Setting) -> np.ndarray:
    """The largest of `ratios` that a search finds; one cell.

    Starts: random directions and the leading eigenvectors of the Hessian of the meta objective at w (by differences),
    both ways, each at distances on a logarithmic grid. Then the best points have random offspring, ever closer to
    their parents. Seeds are fixed.
    """
    rng, dim, unit = np.random.default_rng(0), setting.tasks.dim, length(setting)
    directions = rng.standard_normal((DIRECTIONS, dim))
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    directions = np.concatenate([directions, _eigenvectors(setting, SHORTEST * unit)])
    distances = unit * np.geomspace(SHORTEST, LONGEST, DISTANCES)
    steps = (distances[:, None, None] * np.concatenate([directions, -directions])).reshape(-1, dim)
    found = ratios(setting, setting.w + steps)
    for reach in np.geomspace(1.0, 1e-3, GENERATIONS):
        best = np.argsort(found)[-PARENTS:]
        steps, found = steps[best], found[best]
        size = np.linalg.norm(steps, axis=-1, keepdims=True)
        moved = steps + reach * size / np.sqrt(dim) * rng.standard_normal((CHILDREN, *steps.shape))
        moved *= np.exp(reach * rng.standard_normal((CHILDREN, PARENTS, 1)))
        moved = moved.reshape(-1, dim)
        moved *= np.maximum(1.0, SHORTEST * unit / np.linalg.norm(moved, axis=-1, keepdims=True))
        steps = np.concatenate([steps, moved])
        found = np.concatenate([found, ratios(setting, setting.w + moved)])
    return found.max(keepdims=True)


def _eigenvectors(setting, step):
    inner, (support, target) = setting.inner, losses(setting)
    axes = tuple(range(1, 1 + len(setting.tasks.batch_shape)))
    offsets = step * np.concatenate([np.eye(setting.tasks.dim), -np.eye(setting.tasks.dim)])
    starts = np.expand_dims(setting.w + offsets, axes)
    ahead, behind = np.split(exact_meta_gradient(support, starts, inner.alpha, inner.steps, target).mean(axes), 2)
    jacobian = (ahead - behind) / (2 * step)
    values, vectors = np.linalg.eigh(jacobian + jacobian.T)
    return vectors.T[np.argsort(np.abs(values))[-EIGENVECTORS:]]


def rounding(setting: Setting) -> float:
    """What rounding can add to a ratio, at the shortest distance that is tried."""
    scale = (
        np.linalg.norm(meta_gradients(setting), axis=-1).max() + setting.tasks.regularity.L * np.abs(setting.w).max()
    )
    return 16 * np.finfo(float).eps * (setting.inner.steps + 1) * float(scale) / (SHORTEST * length(setting))


def measurement(losses_needed) -> Measurement:
    """The measurement for tasks with one loss each, or with two."""
    return Measurement(
        words="sup over u of ||grad calL(w) - grad calL(u)|| / ||w - u||",
        requires=first_reason(losses_needed, exact_path_in_ball),
        exact=meta_smoothness,
        search=largest_ratio,
        resolution=rounding,
    )


CLAIMS = claims_of("prop1", measurement(single_loss))
