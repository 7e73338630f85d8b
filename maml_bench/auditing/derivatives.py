"""Do loss, gradient, Hessian-vector product and Hessian belong together, and do tasks index as they say?"""

import math

import numpy as np

from maml_bench.auditing.lipschitz import length_scale, steepness
from maml_bench.auditing.result import Row, judged, skipped
from maml_bench.problems.noise import population
from maml_bench.search import affordable, inside, one, random_points, unit

TOLERANCE = 1e-6
LARGEST_HESSIAN = 200


def check(tasks, rng) -> list[Row]:
    """Rows ``finite``, ``gradient``, ``hvp``, ``hessian`` and ``indexing``; values are relative errors.

    And ``quotients`` of families that state them: estimators take them in place of differences.
    """
    shape = (affordable(tasks, 16), *tasks.batch_shape)
    h = length_scale(tasks.regularity) / 10
    w = inside(random_points(tasks, rng, shape, largest=10), tasks.regularity.radius - 2 * h)
    w[0] = 0.1 * h * rng.standard_normal(w[0].shape)
    v = unit(rng.standard_normal(w.shape))
    far = random_points(tasks, rng, shape)
    values = [tasks.loss(far), tasks.grad(far), tasks.hvp(far, v)]
    bad = float(np.mean([(~np.isfinite(value)).mean() for value in values]))
    gradient, product = tasks.grad(w), tasks.hvp(w, v)
    L = tasks.regularity.L
    curvature = L if math.isfinite(L) else np.linalg.norm(product, axis=-1)
    reach = curvature * (np.linalg.norm(w, axis=-1) + 1)
    steep = np.linalg.norm(gradient, axis=-1) + reach
    slope = _slope(tasks.loss, w, v, h)
    turn = _slope(tasks.grad, w, v, h)
    return [
        judged("finite", "share of values that are not finite", 0.0, bad),
        _agree("gradient", "against differences of the loss", slope - np.vecdot(gradient, v), steep),
        _agree("hvp", "against differences of the gradient", turn - product, steep[..., None]),
        _hessian(tasks, w, v, product, rng),
        _indexing(tasks, w, v),
        *_quotients(population(tasks), w, rng, 10 * h),
    ]


def _slope(function, w, v, h):
    """Candidate derivatives along v, by five-point differences of several step sizes, on a new first axis.

    Across a kink of the Hessian differences are off by rho times the step at most: the shortest makes that 3e-7 L.
    """
    steps = h * np.array([1.0, 0.1, 1e-2, 1e-3, 1e-4, 3e-6])
    return np.stack([_five_point(function, w, v, step) for step in steps])


def _five_point(function, w, v, h):
    near, far = (function(w + k * h * v) - function(w - k * h * v) for k in (1, 2))
    return (8 * near - far) / (12 * h)


def _agree(name, checked, errors, scale) -> Row:
    """The largest error, each measured at the step size that suits it best, relative to ``scale``."""
    tiny = np.finfo(float).tiny
    least = np.nan_to_num(np.abs(errors).min(0), nan=np.inf) / np.maximum(scale, tiny)
    return judged(name, f"{checked}, relative error", TOLERANCE, least.max())


def _hessian(tasks, w, v, product, rng) -> Row:
    if tasks.dim > LARGEST_HESSIAN:
        return skipped("hessian", f"dimension above {LARGEST_HESSIAN}", TOLERANCE)
    w, v, product = w[:4], v[:4], product[:4]
    matrix = np.asarray(tasks.hess(w))
    gaps = [np.abs(np.matvec(matrix, v) - product).max(), np.abs(matrix - matrix.swapaxes(-1, -2)).max()]
    scale = max(np.abs(product).max(), steepness(tasks.regularity), np.finfo(float).tiny)
    drawn = tasks.sample(rng, w, 2)
    if drawn is not None:
        gaps.append(np.abs(np.matvec(tasks.hess(w, drawn), v) - tasks.hvp(w, v, drawn)).max())
        scale = max(scale, tasks.regularity.sigma_H)
    checked = "against Hessian-vector products and its transpose, with and without a sample, relative error"
    return judged("hessian", checked, TOLERANCE, np.max(gaps) / scale)


def _quotients(tasks, w, rng, nu) -> list[Row]:
    """Differences that a family states, against its own loss and gradient at a radius where these lose few digits."""
    u = rng.standard_normal((2, *w.shape))
    pairs = []
    if hasattr(tasks, "gradient_quotients"):
        parts, combined = tasks.gradient_quotients(w, nu)
        pairs.append((combined(parts(u), u), (tasks.grad(w + nu * u) - tasks.grad(w)) / nu))
    if hasattr(tasks, "loss_quotients"):
        second = tasks.loss(w + nu * u) + tasks.loss(w - nu * u) - 2 * tasks.loss(w)
        pairs.append((tasks.loss_quotients(w, nu)(u), second / (2 * nu**2)))
    tiny = np.finfo(float).tiny
    gaps = [np.abs(found - expected).max() / max(np.abs(expected).max(), tiny) for found, expected in pairs]
    checked = "stated differences against those of loss and gradient, relative error"
    return [judged("quotients", checked, TOLERANCE, max(gaps))] if gaps else []


def _indexing(tasks, w, v) -> Row:
    """All tasks at once against the first and the last task alone, at one point alone, and against some of them."""
    shape, gap = tasks.batch_shape, 0.0
    shared = w[(0, *(0,) * len(shape))]
    everything = [tasks.loss(w), tasks.grad(w), tasks.hvp(w, v), np.broadcast_to(tasks.grad(shared), w.shape)]
    for index in {(0,) * len(shape), tuple(size - 1 for size in shape)}:
        task = one(tasks, index)
        if task.batch_shape != ():
            return judged("indexing", f"tasks[{index}] has batch_shape {task.batch_shape}, not ()", 0.0, np.inf)
        for m in (0, len(w) - 1):
            at = (m, *index)
            alone = [task.loss(w[at]), task.grad(w[at]), task.hvp(w[at], v[at]), task.grad(shared)]
            for together, single in zip(everything, alone, strict=True):
                size = max(np.abs(single).max(), np.abs(together[at]).max(), np.finfo(float).tiny)
                gap = max(gap, np.abs(together[at] - single).max() / size)
    if len(shape) == 1:  # as runs gather them
        order = np.array([shape[0] - 1, 0, shape[0] // 2])
        gathered, expected = np.broadcast_to(tasks[order].grad(shared), (3, tasks.dim)), everything[-1][0, order]
        gap = max(gap, np.abs(gathered - expected).max() / max(np.abs(expected).max(), np.finfo(float).tiny))
    return judged("indexing", "all tasks and points at once against one alone, relative difference", TOLERANCE, gap)
