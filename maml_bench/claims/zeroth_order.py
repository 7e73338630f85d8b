"""Propositions 5 and 8, and the variance: the zeroth-order Hessian estimator, plain and Stein-corrected, for each task.

The bounds of Proposition 5 speak of Delta, by which the multiple of the identity in the mean differs from half the
trace of the Hessian. The forms ``identity`` and ``stein`` are equalities: the mean of the plain estimator is
``Hess l_nu + ((l_nu - l)/nu^2) I``, that of the Stein-corrected one ``Hess l_nu``. They are tested along the asserted
mean M, as ``<E H^, M>_F / ||M||_F = ||M||_F``, on draws of the estimator as the setting has it: nothing is subtracted.

The unit vector of the variances is the direction of the task's gradient at w, `hessian_draws.directions_at`.
"""

import math
from functools import cache

import numpy as np

from maml_bench.adaptation import exact_path
from maml_bench.arrays import matvec
from maml_bench.claims.claim import Claim, Known, Measurement, Sampling, by_cell, claims_of
from maml_bench.claims.gaussian_smoothing import vector_squares
from maml_bench.claims.hessian_draws import (
    cells,
    direction_floats,
    draw_operator,
    hessians,
    known_mean,
    loss_scale,
    matrix,
    matrix_floats,
    mean_hessians,
    residual,
    vector_variance,
)
from maml_bench.claims.requirements import (
    everywhere,
    first_reason,
    known_smoothing,
    no_noise,
    single_loss,
    small_or_exact,
    zeroth_order,
)
from maml_bench.exact import smoothings
from maml_bench.montecarlo.batches import Draw
from maml_bench.montecarlo.limits import mean, norm_of_mean, spectral_norm_of_mean
from maml_bench.setting import Setting


def excesses(setting: Setting) -> Draw:
    """Replicates with the mean Delta: the estimator's second difference less u'Hu/2."""

    def draw(rng, replicates):
        difference = residual(setting, setting.w, replicates, rng)
        u = difference.right[0]
        return by_cell((np.vecdot(difference.left[0], u) / np.vecdot(u, u))[..., None], 1)

    return draw


def rounding(setting: Setting) -> float:
    """What rounding can add to Delta: of a second difference of losses, divided by 2 nu^2."""
    return 4 * np.finfo(float).eps * loss_scale(setting) / (2 * setting.hessian.nu**2)


def components(setting: Setting) -> Draw:
    """Replicates of the component of H^ along the asserted mean, <H^, M>_F / ||M||_F."""
    tasks = setting.tasks
    means = mean_hessians(setting).reshape(*tasks.batch_shape, tasks.dim, tasks.dim)
    size = np.linalg.norm(means, axis=(-2, -1), keepdims=True)
    unit = means / np.where(size > 0, size, 1.0)
    trace = np.trace(unit, axis1=-2, axis2=-1)

    def draw(rng, replicates):
        operator = draw_operator(setting, replicates, rng)
        along = np.vecdot(operator.left, matvec(unit, operator.right)).mean(0)
        return by_cell(along - np.asarray(operator.shift)[..., 0] * trace if setting.hessian.stein else along, 0)

    return draw


def component_rounding(setting: Setting) -> float:
    return 2 * rounding(setting) * (math.sqrt(setting.tasks.dim) + math.sqrt(2))


def mean_size(setting: Setting) -> np.ndarray:
    """||M||_F of the asserted mean, for each task."""
    return np.linalg.norm(mean_hessians(setting), axis=(-2, -1))


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


def products(setting: Setting) -> Draw:
    """Replicates with the mean E prod_j (I - alpha H^(w_j)), (d, d); the directions of the factors are independent."""
    alpha = setting.inner.alpha
    path = exact_path(setting.tasks, setting.w, alpha, setting.inner.steps)[:-1]
    factors = [np.eye(setting.tasks.dim) - alpha * known_mean(setting, point) for point in path]

    def draw(rng, replicates):
        product = np.eye(setting.tasks.dim)
        for point, factor in zip(path, factors, strict=True):
            product = product @ (factor - alpha * matrix(residual(setting, point, replicates, rng)))
        return by_cell(product, 2)

    return draw


def estimates(setting: Setting) -> Draw:
    """Replicates with the mean E H^, (d, d)."""
    known = known_mean(setting, setting.w)
    return lambda rng, replicates: by_cell(known + matrix(residual(setting, setting.w, replicates, rng)), 2)


def rounding_of_mean(setting: Setting) -> float:
    """What rounding can add to ||E H^||: that of a second difference, times the size of u u' (about d)."""
    return 4 * rounding(setting) * (setting.tasks.dim + 2)


def rounding_of_product(setting: Setting) -> float:
    """What rounding can add to the norm of a product: that of each factor, times the largest that the others can be."""
    alpha, steps, dim = setting.inner.alpha, setting.inner.steps, setting.tasks.dim
    factor = 1 + alpha * setting.tasks.regularity.L * (1 + dim / 2)
    own = alpha * rounding_of_mean(setting) + 16 * np.finfo(float).eps * dim
    return own * steps * float(factor**steps)


def rounding_of_variance(setting: Setting) -> float:
    """What rounding can add to the variance: that of a second difference r, which adds r^2 E ||u||^2 (u.v)^2 / Q."""
    return 4 * rounding(setting) ** 2 * (setting.tasks.dim + 2) / setting.hessian.directions


def _equality(stein: bool) -> Claim:
    measurement = Measurement(
        words="component of E H^ along its exact value",
        requires=first_reason(single_loss, zeroth_order(stein), known_smoothing),
        sampled=Sampling(components, mean, direction_floats),
        resolution=component_rounding,
    )
    words = "||Hess l_nu||_F" if stein else "||Hess l_nu + ((l_nu - l)/nu^2) I||_F"
    return Claim("prop5", "stein" if stein else "identity", Known(words, mean_size), measurement, "=")


EXCESS = Measurement(
    words="|(l_nu(w) - l(w))/nu^2 - tr(Hess l(w))/2|",
    requires=first_reason(single_loss, zeroth_order(stein=False), everywhere),
    exact=excess_error,
    sampled=Sampling(excesses, norm_of_mean, lambda setting: 4 * cells(setting) * setting.tasks.dim),
    resolution=rounding,
)


@cache
def _product(stein: bool) -> Measurement:
    return Measurement(
        words="||E prod_j (I - alpha H^(w_j))|| along the exact path",
        requires=_mean_exists(stein),
        exact=mean_product_norm,
        sampled=Sampling(products, spectral_norm_of_mean, lambda setting: 3 * matrix_floats(setting)),
        resolution=rounding_of_product,
    )


@cache
def _mean(stein: bool) -> Measurement:
    return Measurement(
        words="||E H^||",
        requires=_mean_exists(stein),
        exact=mean_norm,
        sampled=Sampling(estimates, spectral_norm_of_mean, matrix_floats),
        resolution=rounding_of_mean,
    )


def _mean_exists(stein: bool):
    return first_reason(single_loss, zeroth_order(stein), everywhere, small_or_exact)


@cache
def _variance(stein: bool) -> Measurement:
    return Measurement(
        words="E ||(H^ - E H^) v||^2 with v along the task's gradient",
        requires=first_reason(single_loss, zeroth_order(stein), everywhere, no_noise),
        exact=vector_variance,
        sampled=Sampling(vector_squares, mean, direction_floats),
        resolution=rounding_of_variance,
    )


CLAIMS = (
    *claims_of("prop5", EXCESS),
    _equality(stein=False),
    _equality(stein=True),
    *claims_of("zo-vector", _variance(stein=False)),
    *claims_of("zo-stein-vector", _variance(stein=True)),
    *claims_of("prop8", lambda form: _product(stein=form == "stein")),
    *claims_of("prop8-mean", lambda form: _mean(stein=form == "stein")),
)
