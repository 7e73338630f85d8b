"""What a family and a sampling model state besides the certificate: exact and certified values rest on it.

Most of it is free of chance: what is drawn, or where a descent leads, refutes it or does not. That noise is isotropic,
or Gaussian, and that a mirror image has the law of what it mirrors, is tested on draws at all points and for all tasks
together, Bonferroni-corrected.
"""

import math
from typing import Any

import numpy as np
import scipy

from maml_bench.auditing.derivatives import TOLERANCE
from maml_bench.auditing.lipschitz import steepness
from maml_bench.auditing.result import Row, judged
from maml_bench.auditing.sampling import ELEMENTS, hessian_error
from maml_bench.problems.noise import has_mirror_image, population, states
from maml_bench.search import affordable, lift, random_points, unit

COMPONENTS, HESSIANS, DESCENT = 8, 64, 200


def by_chance(tasks) -> list[str]:
    """Of what is stated, that which is tested by chance; of every noise, that its mirror images have its law."""
    stated = [name for name in ("isotropic", "gaussian") if states(tasks, name)]
    return ["mirrored", *stated] if tasks.regularity.sigma_g > 0 else []


def check(tasks, rng, error: float, draws: int) -> list[Row]:
    """Rows ``bowl``, ``bend``, ``affine gradient``, ``infimum``, ``mirrored``, ``odd``, ``additive``, ``isotropic``,
    ``gaussian``, ``largest noise`` and ``largest Hessian noise``: of these, what is stated. Each of `by_chance` raises
    a false alarm with probability ``error``.
    """
    return [*_family(population(tasks), rng), *_noise(tasks, rng, error, draws)]


def _family(tasks, rng) -> list[Row]:
    rows = []
    w = random_points(tasks, rng, (affordable(tasks, 16), *tasks.batch_shape), largest=10)
    if (bowl := getattr(tasks, "bowl", None)) is not None:
        rows += _bowl(tasks, bowl, w, unit(rng.standard_normal(w.shape)))
    if getattr(tasks, "affine_gradient", False):
        v = rng.standard_normal(w.shape)
        ahead, here, behind = (tasks.grad(w + k * v) for k in (1, 0, -1))
        words = "second differences of the gradient, relative"
        rows.append(_same("affine gradient", words, ahead - 2 * here + behind, ahead, here, behind))
    if (stated := getattr(tasks, "infimum", None)) is not None:
        L = steepness(tasks.regularity)
        for _ in range(DESCENT if L > 0 else 0):
            w = w - tasks.grad(w) / L
        below = np.nan_to_num(stated - tasks.loss(w), nan=-np.inf).max()
        size = np.abs(np.where(np.isfinite(stated), stated, 0.0)).max() + L * (1 + np.nanmax(np.vecdot(w, w)))
        words = f"how far below it a loss is, after {DESCENT} steps of descent"
        rows.append(judged("infimum", words, 0.0, max(below, 0.0), allowance=1e-12 * size))
    return rows


def _bowl(tasks, bowl, w, v) -> list[Row]:
    around, along = w @ bowl.A, v @ bowl.A
    gaps = tasks.grad(w) - (around - bowl.linear.reshape(*tasks.batch_shape, -1)), tasks.hvp(w, v) - along
    claims = bowl.slope.reshape(tasks.batch_shape), np.broadcast_to(bowl.bend, tasks.batch_shape)
    words = "distance of gradients from those of the bowl", "distance of Hessians from the bowl's, along unit vectors"
    rows = []
    for name, text, gap, claimed, size in zip(("bowl", "bend"), words, gaps, claims, (around, along), strict=True):
        found = np.linalg.norm(gap, axis=-1).max(0)
        task = np.unravel_index(np.argmax(found - claimed), tasks.batch_shape)
        rows.append(judged(name, text, claimed[task], found[task], allowance=1e-12 * np.abs(size).max()))
    return rows


def _same(name, words, gap, *sizes) -> Row:
    scale = max(*(float(np.abs(size).max()) for size in sizes), np.finfo(float).tiny)
    return judged(name, words, TOLERANCE, float(np.abs(gap).max()) / scale)


def _noise(tasks, rng, error, draws) -> list[Row]:
    points = lift(random_points(tasks, rng, (4,), largest=2), tasks)
    shape = (len(points), *tasks.batch_shape, tasks.dim)
    count = max(16, min(draws, ELEMENTS // math.prod(shape)))
    w = np.broadcast_to(points, (count, *shape))
    sample = tasks.sample(rng, w, 1)
    if sample is None:
        return []
    exact = tasks.grad(w)
    noise = np.broadcast_to(tasks.grad(w, sample) - exact, w.shape)
    rounding = 1e-8 * np.abs(exact).max()  # over the tolerance: far above that of a gradient
    mirrored = np.broadcast_to(tasks.grad(w, -sample) - exact, w.shape) if has_mirror_image(sample) else noise
    sigma_g, chance, rows = tasks.regularity.sigma_g, by_chance(tasks), []
    parts = np.linalg.qr(rng.standard_normal((tasks.dim, min(tasks.dim, COMPONENTS))))[0]
    if "mirrored" in chance:
        found, other = ((x @ parts).reshape(-1, parts.shape[-1]) for x in (noise, mirrored))
        unit_of_noise = sigma_g / math.sqrt(tasks.dim)
        rows.append(_mirrored(found / unit_of_noise, other / unit_of_noise, error))
    if states(tasks, "odd"):
        words = "gradient noise of a sample and of its mirror image, their sum, relative"
        rows.append(_same("odd", words, noise + mirrored, noise, rounding))
    if states(tasks, "additive"):
        away, v = unit(rng.standard_normal(tasks.dim)), unit(rng.standard_normal(tasks.dim))
        moved = tasks.grad(w + away, sample) - tasks.grad(w + away)
        turned = tasks.hvp(w, v, sample) - tasks.hvp(w, v)
        words = "gradient noise at two points, its change, and Hessian noise, relative"
        gap = max(np.abs(moved - noise).max(), np.abs(turned).max())
        rows.append(_same("additive", words, gap, noise, rounding))
    if "isotropic" in chance:
        rows.append(_isotropic((noise @ parts).reshape(-1, parts.shape[-1]), sigma_g**2 / tasks.dim, error))
    if "gaussian" in chance:
        axes = rng.permutation(tasks.dim)[:COMPONENTS]
        rows.append(_gaussian(noise[..., axes].ravel() / (sigma_g / math.sqrt(tasks.dim)), error))
    if math.isfinite(largest := getattr(tasks, "largest_noise", math.inf)):
        size = float(np.linalg.norm(noise, axis=-1).max())
        words = "distance of a one-sample gradient from the mean"
        rows.append(judged("largest noise", words, largest, size, allowance=1e-4 * rounding))
    if math.isfinite(largest := getattr(tasks, "largest_hessian_noise", math.inf)):
        size = math.sqrt(hessian_error(tasks, rng, w[:HESSIANS], 1).max())
        words = "distance of a one-sample Hessian from the mean, spectral norm"
        allowance = 1e-12 * steepness(tasks.regularity)
        rows.append(judged("largest Hessian noise", words, largest, size, allowance=allowance))
    return rows


def _mirrored(parts, others, error) -> Row:
    """Means of bounded functions of components, an odd and an even one, of samples and of their mirror images."""
    found, other = (np.concatenate([np.tanh(x), np.tanh(x) ** 2], axis=-1) for x in (parts, others))
    gap = found - other
    z = np.abs(gap.mean(0)) / (gap.std(0) / math.sqrt(len(gap)) + 1e-9)
    words = "law of noise against that of its mirror image, in standard errors"
    return judged("mirrored", words, -scipy.special.ndtri(error / (2 * z.size)), z.max())


def _isotropic(parts, variance, error) -> Row:
    """Second moments of components; the standard error is no smaller than that of signs."""
    one, other = np.triu_indices(parts.shape[-1])
    products = parts[:, one] * parts[:, other] / variance
    deviation = np.maximum(products.std(0), 1.0) / math.sqrt(len(products))
    z = np.abs(products.mean(0) - (one == other)) / deviation
    limit = -scipy.special.ndtri(error / (2 * z.size))
    return judged("isotropic", "covariance of gradient noise less that stated, in standard errors", limit, z.max())


def _gaussian(components, error) -> Row:
    """The test of Kolmogorov and Smirnov."""
    law: Any = scipy.stats.norm
    distance = scipy.stats.ks_1samp(components, law.cdf).statistic * math.sqrt(len(components))
    words = "largest distance of the law of noise from the normal one, times the root of the draws"
    return judged("gaussian", words, float(scipy.special.kolmogi(error)), float(distance))
