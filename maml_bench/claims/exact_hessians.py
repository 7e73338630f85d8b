"""Exact moments of the Hessian estimators that draw Gaussian directions, for each task of a setting.

Which families have them: those with a ``smoothing(...)`` in `analytic.moments`. Nothing here asks whether the bounds
apply, so the values serve on a ball too, where Gaussian directions leave the certificate (`RankOne`).
"""

from functools import singledispatch

import numpy as np

from analytic.moments import kink, quadratic, rank_one, trigonometric
from analytic.moments.gaussian import Smoothing
from maml_bench.adaptation import exact_path
from maml_bench.hessians import GaussianSmoothing, ZerothOrder
from maml_bench.problems.kink import Kink
from maml_bench.problems.quadratic import Quadratic
from maml_bench.problems.rank_one import RankOne
from maml_bench.problems.sampling import AdditiveGaussian, Noise, NoisyTasks
from maml_bench.problems.trigonometric import Trigonometric
from maml_bench.setting import Setting


@singledispatch
def _smooth(tasks, each, w, nu) -> list[Smoothing] | None:
    """The smoothed loss of every task; ``each(field, core)`` and w have one row a task. None: the family has none."""
    return None


@_smooth.register
def _(tasks: Quadratic, each, w, nu):
    return [quadratic.smoothing(*task, nu) for task in zip(each(tasks.A, 2), each(tasks.b, 1), w, strict=True)]


@_smooth.register
def _(tasks: Trigonometric, each, w, nu):
    fields = each(tasks.b, 1), each(tasks.amplitude, 1), each(tasks.frequency, 2), each(tasks.phase, 1), w
    return [trigonometric.smoothing(tasks.A, *task, nu) for task in zip(*fields, strict=True)]


@_smooth.register
def _(tasks: Kink, each, w, nu):
    fields = zip(each(tasks.center, 1), each(tasks.slope, 1), w, strict=True)
    return [kink.smoothing(center, slope, tasks.rho, tasks.radius, at, nu) for center, slope, at in fields]


@_smooth.register
def _(tasks: RankOne, each, w, nu):
    return [rank_one.smoothing(x, at, nu) for x, at in zip(each(tasks.x, 1), w, strict=True)]


def population(tasks):
    """The tasks without their sampling model."""
    return tasks.population if isinstance(tasks, NoisyTasks) else tasks


def smoothable(tasks) -> bool:
    """Whether the smoothed loss is known exactly."""
    return _smooth.dispatch(type(population(tasks))) is not _smooth.dispatch(object)


def smoothings(tasks, w: np.ndarray, nu: float) -> list[Smoothing] | None:
    """The smoothed loss of every task at w (d,) or (*batch_shape, d), in the order of the cells; None where unknown."""

    def each(field, core):
        shape = (*tasks.batch_shape, *field.shape[field.ndim - core :])
        return np.broadcast_to(field, shape).reshape(-1, *shape[len(shape) - core :])

    return _smooth(population(tasks), each, each(w, 1), nu)


def mean_hessians(setting: Setting, w: np.ndarray | None = None) -> np.ndarray | None:
    """E H^ of the setting's estimator at w, for each task: (cells, d, d).

    Sampled gradients and losses have the population values for means, whatever ``data`` says: the sampling model plays
    no part.
    """
    found = smoothings(setting.tasks, setting.w if w is None else w, setting.hessian.nu)
    if found is None:
        return None
    plain = isinstance(setting.hessian, ZerothOrder) and not setting.hessian.stein
    return np.array([smooth.zo_mean if plain else smooth.hess for smooth in found])


def hessians(setting: Setting) -> np.ndarray:
    """The Hessian at w of each task: (cells, d, d)."""
    tasks = setting.tasks
    shape = (*tasks.batch_shape, tasks.dim, tasks.dim)
    return np.broadcast_to(tasks.hess(setting.w), shape).reshape(-1, tasks.dim, tasks.dim)


def bias(setting: Setting) -> np.ndarray | None:
    """||E H^ - Hess l(w)||, spectral, for each task."""
    means = mean_hessians(setting)
    return None if means is None else np.linalg.norm(means - hessians(setting), ord=2, axis=(-2, -1))


def excess_error(setting: Setting) -> np.ndarray | None:
    """|(l_nu(w) - l(w))/nu^2 - tr(Hess l(w))/2| for each task."""
    found = smoothings(setting.tasks, setting.w, setting.hessian.nu)
    if found is None:
        return None
    return np.abs([smooth.excess for smooth in found] - np.trace(hessians(setting), axis1=-2, axis2=-1) / 2)


def mean_norm(setting: Setting) -> np.ndarray | None:
    """||E H^||, spectral, for each task."""
    means = mean_hessians(setting)
    return None if means is None else np.linalg.norm(means, ord=2, axis=(-2, -1))


def mean_product_norm(setting: Setting) -> np.ndarray | None:
    """||E prod_j (I - alpha H^(w_j))|| along the exact inner path, for each task.

    The factors are independent, so this is the norm of the product of their means.
    """
    inner, dim = setting.inner, setting.tasks.dim
    product = np.eye(dim)
    for point in exact_path(setting.tasks, setting.w, inner.alpha, inner.steps)[:-1]:
        means = mean_hessians(setting, point)
        if means is None:
            return None
        product = product @ (np.eye(dim) - inner.alpha * means)
    return np.linalg.norm(product, ord=2, axis=(-2, -1))


def noise_free(tasks) -> bool:
    """Whether every sample is the population."""
    return tasks.regularity.sigma_g == 0 == tasks.regularity.sigma_H


def difference_noise(setting: Setting) -> float | None:
    """The sigma_g that gradient differences see: that of fresh batches at two points, or 0 if none is left.

    None for one batch evaluated at several points if its noise depends on the point.
    """
    tasks, data = setting.tasks, setting.hessian.data
    if data == "population" or noise_free(tasks):
        return 0.0
    if data == "resampled":
        return tasks.regularity.sigma_g
    return 0.0 if isinstance(tasks, NoisyTasks) and isinstance(tasks.noise, AdditiveGaussian) else None


def directions_at(setting: Setting) -> np.ndarray:
    """For each task the unit vector that variances are measured on: along its gradient at w, or e_1 where that is zero.

    Shape (*batch_shape, d). The estimators are applied to gradients, and their variance depends on the vector.
    """
    tasks = setting.tasks
    gradient = np.broadcast_to(tasks.grad(setting.w), (*tasks.batch_shape, tasks.dim))
    size = np.linalg.norm(gradient, axis=-1, keepdims=True)
    first = np.eye(tasks.dim)[0]
    return np.where(size > 0, gradient / np.where(size > 0, size, 1.0), first)


def _variances(setting, gaussian, plain, stein) -> np.ndarray | None:
    """One of three functions of (smoothing, unit vector, directions, noise), by the kind of estimator."""
    tasks, hessian = setting.tasks, setting.hessian
    noise = difference_noise(setting)
    # Only the sampling models have the certified variance at every point; other noise stays below it.
    certified = isinstance(tasks, NoisyTasks) and isinstance(tasks.noise, Noise)
    exact_noise = noise == 0 or (noise is not None and certified)
    if not exact_noise or (noise and not isinstance(hessian, GaussianSmoothing)):
        return None
    found = smoothings(tasks, setting.w, hessian.nu)
    if found is None:
        return None
    vectors = directions_at(setting).reshape(-1, tasks.dim)
    chosen = gaussian if isinstance(hessian, GaussianSmoothing) else stein if hessian.stein else plain
    count, D = hessian.directions, setting.inner.D
    return np.array([chosen(smooth, v, count, noise, D) for smooth, v in zip(found, vectors, strict=True)])


def vector_variance(setting: Setting) -> np.ndarray | None:
    """E ||(H^ - E H^) v||^2 of the setting's estimator, for each task, with v from `directions_at`."""
    return _variances(
        setting,
        lambda smooth, v, count, noise, D: smooth.ggs_vector_variance(v, count, noise, D),
        lambda smooth, v, count, noise, D: smooth.zo_vector_variance(v, count),
        lambda smooth, v, count, noise, D: smooth.zo_stein_vector_variance(v, count),
    )


def frobenius_variance(setting: Setting) -> np.ndarray | None:
    """E ||H^ - E H^||_F^2 of the setting's estimator, for each task."""
    return _variances(
        setting,
        lambda smooth, v, count, noise, D: smooth.ggs_frobenius_variance(count, noise, D),
        lambda smooth, v, count, noise, D: smooth.zo_frobenius_variance(count),
        lambda smooth, v, count, noise, D: smooth.zo_stein_frobenius_variance(count),
    )


def spectral_deviation(setting: Setting) -> np.ndarray | None:
    """(E ||H^ - E H^||^2)^(1/2), spectral, for each task: known for d = 1, where all norms are one."""
    if setting.tasks.dim > 1:
        return None
    variance = vector_variance(setting)
    return None if variance is None else np.sqrt(variance)
