"""What a Hessian estimator says of itself: shapes, linearity, symmetry, independent draws, its mean and its deviation.

Draws are compared over many calls, two replicates a call: what one call shares among its replicates, or among its
tasks, shows as a covariance. Tests rest on the normal approximation, Bonferroni-corrected.
"""

import itertools
import math

import numpy as np
import scipy

from maml_bench.arrays import listed
from maml_bench.auditing.result import Row, judged, skipped
from maml_bench.capabilities import deviation, drawn, mean_hessian, stated
from maml_bench.problems.noise import population
from maml_bench.search import unit

CALLS, FEWEST = 512, 32
BATCH = 3
LARGEST = 1000
"""Dimension up to which a mean is compared with a matrix."""
FLOATS = 2**26
"""Numbers that all calls together may take before there are fewer of them, and before tasks are left out."""


def check(hessian, tasks, rng, error: float) -> list[Row]:
    """Rows ``operator``, ``repeatable``, ``linear``, ``symmetric``, ``columns``, ``independent``, ``mean``, ``along``,
    ``largest norm``, ``bias`` and ``variance``.
    """
    each = 2 * BATCH * tasks.dim * getattr(hessian, "directions", 1)
    if len(tasks.batch_shape) == 1 and tasks.batch_shape[0] > (most := max(2, FLOATS // (FEWEST * each))):
        tasks = tasks[np.arange(most)]
    calls = max(FEWEST, min(CALLS, FLOATS // (each * math.prod(tasks.batch_shape))))
    shape = (2, *tasks.batch_shape, tasks.dim)
    w = np.broadcast_to(rng.standard_normal(tasks.dim), shape)
    v, other = (np.broadcast_to(unit(rng.standard_normal(tasks.dim)), shape) for _ in range(2))
    applied = drawn(hessian, tasks, w, BATCH, rng)
    product = np.asarray(applied(v))
    words = f"operator(v) has the shape of v, {v.shape}; found {product.shape}"
    rows = [judged("operator", words, 0.0, float(product.shape != v.shape))]
    if product.shape != v.shape:
        return rows
    scale = max(float(np.abs(product).max()), float(np.abs(applied(other)).max())) or 1.0
    rows.append(_gap("repeatable", "two calls of one draw, relative difference", applied(v) - product, scale))
    if getattr(hessian, "linear", False):
        away = [applied(v + k * other) - product - k * applied(other) for k in (2, -2)]
        rows.append(_gap("linear", "sum of two vectors, and difference, relative", np.stack(away), scale))
    else:
        rows.append(skipped("linear", "not stated"))
    if getattr(hessian, "symmetric", False) and getattr(hessian, "linear", False):
        gap = np.vecdot(other, product) - np.vecdot(v, applied(other))
        rows.append(_gap("symmetric", "u.Hv less v.Hu for two unit vectors, relative", gap, scale))
    else:
        rows.append(skipped("symmetric", "not stated"))
    if getattr(hessian, "columns", False):
        both = np.asarray(applied(np.stack([v, other])))
        rows.append(_gap("columns", "two vectors at once, relative", both - np.stack([product, applied(other)]), scale))
    else:
        rows.append(skipped("columns", "not stated"))
    return [*rows, *_sampled(hessian, tasks, w, v, rng, error, scale, calls)]


def _gap(name, words, difference, scale) -> Row:
    return judged(name, words, 1e-7, float(np.abs(difference).max()) / scale)


def _sampled(hessian, tasks, w, v, rng, error, scale, calls):
    error /= 4  # for draws that depend on each other, means, draws along directions, and a deviation
    found = np.stack([hessian.operator(tasks, w, BATCH, rng)(v) for _ in range(calls)])
    found = found.reshape(calls, 2, -1, tasks.dim)
    away = found - found.mean(0)
    spread = away.std(0, ddof=1)
    if spread.max() <= 1e-9 * scale:
        independent = skipped("independent", "nothing is drawn")
    else:
        along = np.einsum("crtd,d->crt", away, v.reshape(-1, tasks.dim)[0])
        pairs = [(along[:, 0, i], along[:, 1, i]) for i in range(along.shape[2])]
        pairs += [(along[:, 0, i], along[:, 0, j]) for i, j in itertools.combinations(range(min(along.shape[2], 8)), 2)]
        z = max(_correlation(*pair) for pair in pairs)
        words = f"covariance of replicates and tasks of one call, in standard errors, {len(pairs)} pairs"
        independent = judged("independent", words, _quantile(error, len(pairs)), z)
    reach = np.sqrt(np.mean(spread**2, axis=0) / (2 * calls)) + 1e-9 * scale
    return [
        independent,
        _mean(hessian, tasks, w, v, found, reach, error),
        _along(hessian, tasks, w, v, rng, found, reach, error),
        _norm(hessian, tasks, w, found),
        *_deviation(hessian, tasks, w, v, found, reach, error),
    ]


def _correlation(x, y):
    size = x.std() * y.std()
    return abs(float(np.mean(x * y)) / size) * np.sqrt(len(x)) if size > 0 else 0.0


def _mean(hessian, tasks, w, v, found, reach, error):
    if tasks.dim > LARGEST:
        return skipped("mean", f"dimension above {LARGEST}")
    means = _stated_mean(hessian, tasks, w[0])
    if means is None:
        return skipped("mean", "not stated, or not known for these tasks")
    truth = np.matvec(means, v[0]).reshape(-1, tasks.dim)
    z = np.abs(found.mean((0, 1)) - truth) / reach
    words = f"stated mean along a vector, in standard errors, {z.size} components"
    return judged("mean", words, _quantile(error, z.size), float(z.max()))


def _stated_mean(hessian, tasks, w):
    """The stated mean at w (*batch_shape, d), (*batch_shape, d, d), or None."""
    if (means := mean_hessian(hessian, tasks, w)) is not None:
        return means
    own, smoothings = stated(hessian, "smoothed_mean"), getattr(population(tasks), "smoothings", None)
    if own is None or smoothings is None:
        return None
    found = smoothings(listed(w, tasks.batch_shape, 1), hessian.nu)
    return found and np.array([own(smooth) for smooth in found]).reshape(*w.shape, tasks.dim)


def _along(hessian, tasks, w, v, rng, found, reach, error):
    """Draws along Gaussian directions have the mean of the operator's own."""
    along = stated(hessian, "along")
    if along is None:
        return skipped("along", "not stated")
    size = (hessian.directions, *w.shape)
    drawn = np.stack([along(tasks, w, rng.standard_normal(size), BATCH, rng)(v) for _ in range(len(found))])
    drawn = drawn.reshape(found.shape)
    both = np.hypot(reach, drawn.std((0, 1)) / np.sqrt(2 * len(found)))
    z = np.abs(drawn.mean((0, 1)) - found.mean((0, 1))) / both
    words = f"mean along Gaussian directions less the operator's, in standard errors, {z.size} components"
    return judged("along", words, _quantile(error, z.size), float(z.max()))


def _norm(hessian, tasks, w, found):
    largest = stated(hessian, "largest_norm")
    if largest is None:
        return skipped("largest norm", "not stated")
    claimed = np.broadcast_to(np.asarray(largest(tasks, w[0]), dtype=float).reshape(-1), found.shape[2])
    sizes = np.linalg.norm(found, axis=-1).max((0, 1))
    task = int(np.argmax(sizes - claimed))
    return judged("largest norm", "what no draw exceeds along a unit vector", claimed[task], sizes[task])


def _deviation(hessian, tasks, w, v, found, reach, error):
    """A stated bias and a stated variance, each attacked at one point and along one vector of each task."""
    numbers = deviation(hessian, tasks, BATCH)
    if numbers is None or tasks.dim > LARGEST:
        reason = "not stated" if numbers is None else f"dimension above {LARGEST}"
        return [skipped("bias", reason), skipped("variance", reason)]
    bias, variance = numbers
    truth = np.matvec(tasks.hess(w[0]), v[0]).reshape(-1, tasks.dim)
    slack = _quantile(error / 2, reach.size)
    away = np.maximum(np.abs(found.mean((0, 1)) - truth) - slack * reach, 0.0)
    squares = np.sum((found[:, 0] - found[:, 1]) ** 2, axis=-1) / 2  # (calls, tasks), of the mean E||(H^ - E H^)v||^2
    spread = squares.mean(0) - _quantile(error / 2, squares.shape[1]) * squares.std(0, ddof=1) / np.sqrt(len(squares))
    words = "at one point along one vector, less its error"
    return [
        judged("bias", f"stated distance of the mean from the Hessian; found {words}", bias, _largest(away)),
        judged("variance", f"stated variance on a unit vector; found {words}", variance, float(spread.max())),
    ]


def _largest(vectors):
    return float(np.linalg.norm(vectors, axis=-1).max())


def _quantile(error, count):
    return float(-scipy.special.ndtri(error / (2 * count)))
