"""What a Hessian estimator says of itself: shapes, linearity, independent draws, and its stated mean.

Draws are compared over many calls, two replicates a call: what one call shares among its replicates, or among its
tasks, shows as a covariance. Tests rest on the normal approximation, Bonferroni-corrected.
"""

import itertools

import numpy as np
import scipy

from maml_bench.auditing.result import Row, judged, skipped
from maml_bench.search import unit

CALLS = 512
BATCH = 3


def check(hessian, tasks, rng, error: float) -> list[Row]:
    """Rows ``operator``, ``repeatable``, ``linear``, ``columns``, ``independent`` and ``mean``."""
    shape = (2, *tasks.batch_shape, tasks.dim)
    w = np.broadcast_to(rng.standard_normal(tasks.dim), shape)
    v, other = (np.broadcast_to(unit(rng.standard_normal(tasks.dim)), shape) for _ in range(2))
    drawn = hessian.operator(tasks, w, BATCH, rng)
    product = np.asarray(drawn(v))
    words = f"operator(v) has the shape of v, {v.shape}; found {product.shape}"
    rows = [judged("operator", words, 0.0, float(product.shape != v.shape))]
    if product.shape != v.shape:
        return rows
    scale = max(float(np.abs(product).max()), float(np.abs(drawn(other)).max())) or 1.0
    rows.append(_gap("repeatable", "two calls of one draw, relative difference", drawn(v) - product, scale))
    if getattr(hessian, "linear", False):
        rows.append(
            _gap("linear", "sum of two vectors, relative", drawn(v + 2 * other) - product - 2 * drawn(other), scale)
        )
    else:
        rows.append(skipped("linear", "not stated"))
    if getattr(hessian, "columns", False):
        both = np.asarray(drawn(np.stack([v, other])))
        rows.append(_gap("columns", "two vectors at once, relative", both - np.stack([product, drawn(other)]), scale))
    else:
        rows.append(skipped("columns", "not stated"))
    return [*rows, *_sampled(hessian, tasks, w, v, rng, error, scale)]


def _gap(name, words, difference, scale) -> Row:
    return judged(name, words, 1e-7, float(np.abs(difference).max()) / scale)


def _sampled(hessian, tasks, w, v, rng, error, scale):
    found = np.stack([hessian.operator(tasks, w, BATCH, rng)(v) for _ in range(CALLS)])
    found = found.reshape(CALLS, 2, -1, tasks.dim)
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
        independent = judged("independent", words, _quantile(error / 2, len(pairs)), z)
    return [independent, _mean(hessian, tasks, w, v, found, spread, error, scale)]


def _correlation(x, y):
    size = x.std() * y.std()
    return abs(float(np.mean(x * y)) / size) * np.sqrt(len(x)) if size > 0 else 0.0


def _mean(hessian, tasks, w, v, found, spread, error, scale):
    stated = getattr(hessian, "mean_hessian", None)
    if stated is None:
        return skipped("mean", "not stated")
    truth = np.matvec(stated(tasks, w[0]), v[0]).reshape(-1, tasks.dim)
    reach = np.sqrt(np.mean(spread**2, axis=0) / (2 * CALLS)) + 1e-9 * scale
    z = np.abs(found.mean((0, 1)) - truth) / reach
    words = f"stated mean along a vector, in standard errors, {z.size} components"
    return judged("mean", words, _quantile(error / 2, z.size), float(z.max()))


def _quantile(error, count):
    return float(-scipy.special.ndtri(error / (2 * count)))
