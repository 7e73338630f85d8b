"""Propositions 5 and 8, and the variance: the zeroth-order Hessian estimator, plain and Stein-corrected, for each task.

The bounds of Proposition 5 speak of Delta, by which the multiple of the identity in the mean differs from half the
trace of the Hessian. The forms ``identity`` and ``stein`` are equalities: the mean of the plain estimator is
``Hess l_nu + ((l_nu - l)/nu^2) I``, that of the Stein-corrected one ``Hess l_nu``. They are tested in the Frobenius
norm of the deviation from the asserted mean, so that an error in any direction shows.

The unit vector of the variances is the direction of the task's gradient at w, `hessian_draws.directions_at`.
"""

from functools import cache, partial, reduce
from typing import Any

import numpy as np

from analytic.digits import spectral_norm
from maml_bench.adaptation import exact_path
from maml_bench.capabilities import kind
from maml_bench.claims import hessian_envelopes, variance_envelopes
from maml_bench.claims.claim import EPS, Claim, Known, Measurement, Sampling, by_cell, claims_of, either
from maml_bench.claims.gaussian_smoothing import variance_error, vector_squares
from maml_bench.claims.hessian_draws import (
    asserted_means,
    cells,
    directional,
    footprint,
    hessians,
    known_mean,
    loss_scale,
    matrices,
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
from maml_bench.montecarlo.sequence import Draw
from maml_bench.montecarlo.tilted import Capped
from maml_bench.setting import Setting, single, smoothed


def excesses(setting: Setting) -> Draw:
    """Replicates with the mean Delta: the estimator's second difference less u'Hu/2, or, of an estimator that does not
    draw along directions, what its trace says.
    """

    if not directional(setting):  # the trace of E H^ = Hess l_nu + (tr(Hess l)/2 + Delta) I
        smooth: Any = smoothings(single(setting), setting.w, smoothed(setting).nu)
        known = np.array([np.trace(s.hess) for s in smooth]) + setting.tasks.dim * _half_traces(setting)

        def draw_trace(rng, replicates):
            traces = np.trace(by_cell(matrices(setting, replicates, rng), 2), axis1=-2, axis2=-1)
            return ((traces - known) / setting.tasks.dim)[..., None]

        return draw_trace

    def draw(rng, replicates):
        difference = residual(setting, setting.w, replicates, rng)
        u = difference.right[0]
        return by_cell((np.vecdot(difference.left[0], u) / np.vecdot(u, u))[..., None], 1)

    return draw


def rounding(setting: Setting) -> float:
    """What rounding can add to Delta: of a second difference of losses, divided by 2 nu^2."""
    return 8 * np.finfo(float).eps * loss_scale(setting) / (2 * smoothed(setting).nu ** 2)


def mean_size(setting: Setting) -> np.ndarray:
    """||M||_F of the asserted mean, for each task."""
    return np.linalg.norm(asserted_means(setting), axis=(-2, -1))


def excess_error(setting: Setting) -> np.ndarray | None:
    """|(l_nu(w) - l(w))/nu^2 - tr(Hess l(w))/2| for each task."""
    found = _excesses(setting) if directional(setting) else None
    return None if found is None else np.abs(found[0])


def rounding_of_excess(setting: Setting, value: np.ndarray) -> np.ndarray:
    """What rounding can have added to `excess_error`."""
    return _excesses(setting)[1]


def _excesses(setting):
    found = smoothings(single(setting), setting.w, smoothed(setting).nu)
    if found is None:
        return None
    half, spare = _half_traces(setting), 32 * EPS * (setting.tasks.dim + 8)
    known = [smooth.excess_shift is not None for smooth in found]
    shift: list[Any] = [s.excess_shift if k else s.excess - h for s, k, h in zip(found, known, half, strict=True)]
    scale = [abs(x) if k else abs(s.excess) + abs(h) for s, k, h, x in zip(found, known, half, shift, strict=True)]
    return np.array(shift), spare * np.array(scale)


def _half_traces(setting):
    return np.trace(hessians(setting), axis1=-2, axis2=-1) / 2


def known_trace(setting: Setting) -> str:
    """Requirement of Delta: drawn along directions, or read off the trace of draws, less the smoothed Hessian's."""
    return "" if directional(setting) else known_smoothing(setting)


def mean_norm(setting: Setting) -> np.ndarray | None:
    """||E H^||, spectral, for each task."""
    means = mean_hessians(setting)
    return None if means is None else spectral_norm(means)


def mean_product_norm(setting: Setting) -> np.ndarray | None:
    """||E prod_j (I - alpha H^(w_j))|| along the exact inner path, for each task.

    The factors are independent, so this is the norm of the product of their means.
    """
    factors = _mean_factors(setting)
    return None if factors is None else spectral_norm(reduce(np.matmul, factors))


def _mean_factors(setting):
    """The means of the factors, (N, cells, d, d)."""
    inner = setting.inner
    path = exact_path(single(setting), setting.w, inner.alpha, inner.steps)[:-1]
    means = [mean_hessians(setting, point) for point in path]
    return None if any(mean is None for mean in means) else np.eye(setting.tasks.dim) - inner.alpha * np.array(means)


def mean_norm_error(setting: Setting, value: np.ndarray) -> np.ndarray:
    """What rounding can have added to `mean_norm`: the mean is a sum of a smoothed Hessian and a multiple of I."""
    dim = setting.tasks.dim
    return 32 * EPS * (dim + 8) * (value + setting.tasks.regularity.L * (1 + dim / 2))


def product_error(setting: Setting, value: np.ndarray) -> np.ndarray:
    """What rounding can have added to `mean_product_norm`: an error of a factor times the norms of the others.

    The error of a factor is a share of 1 and of the two parts of the mean Hessian that it is made of.
    """
    factors: Any = _mean_factors(setting)
    alpha, dim = setting.inner.alpha, setting.tasks.dim
    sizes = np.linalg.norm(factors, ord=2, axis=(-2, -1))
    parts = setting.tasks.regularity.L * (1 if kind(setting.hessian) == "zeroth-order-stein" else 1 + dim / 2)
    others = np.array([np.prod(np.delete(sizes, j, axis=0), axis=0) for j in range(len(sizes))])
    return 32 * EPS * (dim + 8) * np.sum((sizes + 1 + alpha * parts) * others, axis=0)


def products(setting: Setting) -> Draw:
    """Replicates with the mean E prod_j (I - alpha H^(w_j)), (d, d); the directions of the factors are independent."""
    alpha = setting.inner.alpha
    path = exact_path(single(setting), setting.w, alpha, setting.inner.steps)[:-1]

    if not directional(setting):

        def draw_plain(rng, replicates):
            product = np.eye(setting.tasks.dim)
            for point in path:
                product = product @ (np.eye(setting.tasks.dim) - alpha * matrices(setting, replicates, rng, point))
            return by_cell(product, 2)

        return draw_plain
    factors = [np.eye(setting.tasks.dim) - alpha * known_mean(setting, point) for point in path]

    def draw(rng, replicates):
        product = np.eye(setting.tasks.dim)
        for point, factor in zip(path, factors, strict=True):
            product = product @ (factor - alpha * matrix(residual(setting, point, replicates, rng)))
        return by_cell(product, 2)

    return draw


def estimates(setting: Setting) -> Draw:
    """Replicates with the mean E H^, (d, d)."""
    if not directional(setting):
        return lambda rng, replicates: by_cell(matrices(setting, replicates, rng), 2)
    known = known_mean(setting, setting.w)
    return lambda rng, replicates: by_cell(known + matrix(residual(setting, setting.w, replicates, rng)), 2)


def capped_estimates(setting: Setting, spectral: bool = True) -> Capped | None:
    """`estimates` with a ceiling of their spectral or Frobenius norm, where one is known."""
    return hessian_envelopes.deviations(setting, known_mean(setting, setting.w), spectral)


def asserted(setting: Setting) -> np.ndarray:
    """What E H^ is asserted to be: (cells, d, d)."""
    return asserted_means(setting)


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
    return 4 * rounding(setting) ** 2 * (setting.tasks.dim + 2) / smoothed(setting).directions


@cache
def _deviation(stein: bool) -> Measurement:
    return Measurement(
        words="||E H^ - M||_F, M the asserted mean",
        requires=first_reason(single_loss, zeroth_order(stein), known_smoothing, small_or_exact),
        sampled=Sampling(
            either(partial(capped_estimates, spectral=False), estimates), "norm of mean", footprint(matrix_floats)
        ),
        resolution=rounding_of_mean,
        target=asserted,
    )


def _equality(stein: bool) -> Claim:
    words = "||Hess l_nu||_F" if stein else "||Hess l_nu + ((l_nu - l)/nu^2) I||_F"
    return Claim("prop5", "stein" if stein else "identity", Known(words, mean_size), _deviation(stein), "=")


EXCESS = Measurement(
    words="|(l_nu(w) - l(w))/nu^2 - tr(Hess l(w))/2|",
    requires=first_reason(single_loss, zeroth_order(stein=False), everywhere, known_trace),
    exact=excess_error,
    error=rounding_of_excess,
    sampled=Sampling(
        either(hessian_envelopes.excesses, excesses),
        "norm of mean",
        footprint(lambda setting: 4 * cells(setting) * setting.tasks.dim),
    ),
    resolution=rounding,
)


@cache
def _product(stein: bool) -> Measurement:
    return Measurement(
        words="||E prod_j (I - alpha H^(w_j))|| along the exact path",
        requires=_mean_exists(stein),
        exact=mean_product_norm,
        error=product_error,
        sampled=Sampling(
            either(hessian_envelopes.products, products),
            "spectral norm of mean",
            footprint(lambda setting: 3 * matrix_floats(setting)),
        ),
        resolution=rounding_of_product,
    )


@cache
def _mean(stein: bool) -> Measurement:
    return Measurement(
        words="||E H^||",
        requires=_mean_exists(stein),
        exact=mean_norm,
        error=mean_norm_error,
        sampled=Sampling(either(capped_estimates, estimates), "spectral norm of mean", footprint(matrix_floats)),
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
        error=variance_error,
        sampled=Sampling(
            either(variance_envelopes.vector_squares, vector_squares),
            "mean",
            footprint(variance_envelopes.vector_floats),
        ),
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
