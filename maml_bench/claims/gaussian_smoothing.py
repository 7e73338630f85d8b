r"""Propositions 6 and 7: bias and variance of the gradient-based Gaussian-smoothing Hessian estimator, for each task.

The unit vector of the ``vector`` claims is the direction of the task's gradient at w, `hessian_draws.directions_at`.

*The spectral variance.* :math:`X = \|\hat H - E\hat H\|^2` is at most the square F of the Frobenius norm, whose mean
is known where the claim applies. So EX = EF - E(F - X), and both X and F - X are numbers >= 0: bets on the first give
lower limits of EX, and those on the second upper ones, with no envelope and whatever their laws are.
"""

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from analytic.digits import spectral_norm
from maml_bench.arrays import matvec
from maml_bench.claims import hessian_envelopes, variance_envelopes
from maml_bench.claims.claim import EPS, Measurement, Sampling, by_cell, claims_of, either
from maml_bench.claims.constants import constants
from maml_bench.claims.hessian_draws import (
    biases,
    cells,
    direction_floats,
    directional,
    directions_at,
    draw_operator,
    footprint,
    frobenius_variance,
    gradient_scale,
    half_squares,
    matrices,
    matrix,
    matrix_floats,
    mean_hessians,
    mean_shifts,
    residual,
    spectral_deviation,
    squared_distance,
    variances,
    vector_variance,
)
from maml_bench.claims.requirements import (
    certified_noise,
    difference_noise,
    everywhere,
    first_reason,
    gaussian_smoothing,
    known_mean_hessian,
    known_smoothing,
    no_noise,
    of_kind,
    single_loss,
    small_or_exact,
    two_losses,
)
from maml_bench.hessians import DirectionMean
from maml_bench.montecarlo.sequence import Draw
from maml_bench.montecarlo.tilted import Capped
from maml_bench.setting import Setting, paired, single, smoothed

PILOT = 4096


PILOT_SEED = np.random.SeedSequence(0, spawn_key=(2**32 - 1,))  # no block of replicates has this key


def deviations(setting: Setting) -> Draw:
    """Replicates with the mean E H^ - Hess l(w), (d, d).

    A replicate is ``B + (r(u) - B u) u'`` with r(u) the gradient difference less Hu. For any fixed B this has the
    mean of ``r(u) u'``, since ``E u u' = I``. Here B is an estimate, from `PILOT` directions of their own, of the
    regression of r on u. Of an estimator that does not draw along directions: H^ - Hess l(w) itself.
    """
    if not directional(setting):
        return biases(setting)
    slope = _slope(setting)

    def draw(rng, replicates):
        found = residual(setting, setting.w, replicates, rng)
        rest = DirectionMean(found.left - matvec(slope, found.right), found.right)
        return by_cell(slope + matrix(rest), 2)

    return draw


def _slope(setting):
    return matrix(residual(setting, setting.w, 1, np.random.default_rng(PILOT_SEED), PILOT))[0]


def capped_deviations(setting: Setting) -> Capped | None:
    """`deviations` with a ceiling, where one is known."""
    plain = hessian_envelopes.deviations(setting)
    without_bias = plain is None or not np.any(plain.ceiling)
    return plain if without_bias else hessian_envelopes.deviations(setting, slope=_slope(setting))


def bias(setting: Setting) -> np.ndarray | None:
    """||E H^ - Hess l(w)||, spectral, for each task."""
    found = mean_shifts(setting)
    return None if found is None else spectral_norm(found[0])


def bias_error(setting: Setting, value: np.ndarray) -> np.ndarray:
    """What rounding can have added to `bias`."""
    found: Any = mean_shifts(setting)
    return found[1]


def variance_error(setting: Setting, value: np.ndarray) -> np.ndarray:
    """What rounding can have added to a variance, a second moment less the square of a mean (of one direction).

    The moments are traces of products of up to five matrices, in which sums have d terms: some d units in the last
    place of the same traces with absolute values, which Cauchy-Schwarz bounds by products of Frobenius norms. Those
    occur in the moments themselves.
    """
    square = np.linalg.norm(mean_hessians(setting), axis=(-2, -1)) ** 2 / smoothed(setting).directions
    return 512 * EPS * (setting.tasks.dim + 8) * (np.abs(value) + square)


def bias_rounding(setting: Setting) -> float:
    """What rounding can add to the bias: of a gradient difference, divided by nu, times a direction."""
    return 8 * np.finfo(float).eps * gradient_scale(setting) * math.sqrt(setting.tasks.dim) / smoothed(setting).nu


def vector_squares(setting: Setting) -> Draw:
    """Replicates with the mean E ||(H^ - E H^) v||^2."""
    return half_squares(setting, directions_at(setting)) if directional(setting) else variances(setting)


def frobenius_squares(setting: Setting) -> Draw:
    """Replicates with the mean E ||H^ - E H^||_F^2: half the squared distance of two copies."""
    if not directional(setting):

        def draw_plain(rng, replicates):
            gap = matrices(setting, replicates, rng) - matrices(setting, replicates, rng)
            return by_cell(np.sum(gap**2, axis=(-2, -1)) / 2, 0)

        return draw_plain

    def draw(rng, replicates):
        one, two = draw_operator(setting, replicates, rng), draw_operator(setting, replicates, rng)
        return by_cell(squared_distance(one, two) / 2, 0)

    return draw


def spectral_parts(setting: Setting) -> Capped | None:
    """Replicates of ||H^ - E H^||^2, spectral, and of what it lacks to the square of the Frobenius norm, where the mean
    of that is known.
    """
    whole, draw = frobenius_variance(setting), deviation_matrices(setting)
    if whole is None:
        return None

    def parts(rng, replicates):
        deviation = draw(rng, replicates)
        first = _spectral_square(deviation)
        second = np.maximum(np.sum(deviation**2, axis=(-2, -1)) - first, 0.0)
        return np.stack([first, second], axis=-1)

    return Capped(parts, whole + variance_error(setting, whole), parts=True)


def spectral_squares(setting: Setting) -> Draw:
    """Replicates of ||H^ - E H^||^2, spectral."""
    draw = deviation_matrices(setting)
    return lambda rng, replicates: _spectral_square(draw(rng, replicates))


def deviation_matrices(setting: Setting) -> Draw:
    """Replicates of H^ - E H^, (d, d)."""
    means = mean_hessians(setting).reshape(*setting.tasks.batch_shape, setting.tasks.dim, setting.tasks.dim)

    def draw(rng, replicates):
        along = directional(setting)
        drawn = matrix(draw_operator(setting, replicates, rng)) if along else matrices(setting, replicates, rng)
        return by_cell(drawn - means, 2)

    return draw


def _spectral_square(deviation):
    return np.linalg.eigvalsh(deviation.mT @ deviation)[..., -1]


def spectral_floats(setting: Setting) -> int:
    return direction_floats(setting) + 3 * cells(setting) * setting.tasks.dim**2


def seen_constants(setting: Setting, names: Iterable[str]) -> dict[str, object]:
    """The constants of the bound, with the noise that the differences see: it may be less than the tasks' own."""
    return constants(setting, names) | {"sigma_g": difference_noise(setting)}


def support(setting: Setting) -> Setting:
    """The setting with the support tasks, whose Hessians are estimated."""
    return replace(setting, tasks=paired(setting).support)


def support_noise(setting: Setting) -> str:
    """Requirement: as `no_noise`, for the support losses."""
    return no_noise(support(setting))


def support_squares(setting: Setting) -> Draw:
    """Replicates with the mean E ||(H^ - E H^) v||^2 for the support losses."""
    return vector_squares(support(setting))


def capped_support_squares(setting: Setting) -> Capped | None:
    """`support_squares` with a ceiling, where one is known."""
    return variance_envelopes.vector_squares(support(setting))


_WORDS = "E ||(H^ - E H^) v||^2 with v along the task's gradient"


_VARIANCE = first_reason(single_loss, gaussian_smoothing, everywhere, certified_noise)


def central_difference(setting: Setting) -> str:
    """Requirement of statements about the central difference of gradients, both of whose points must be admitted."""
    if reason := of_kind("central-difference")(setting):
        return reason
    radius, reach = setting.tasks.regularity.radius, float(np.linalg.norm(setting.w)) + _central(setting).delta
    words = f"points inside the ball of radius {radius:g}; w - delta v and w + delta v reach {reach:.3g}"
    return words if reach > radius else ""


def _central(setting: Setting) -> Any:
    """The Hessian estimator, which states delta."""
    return setting.hessian


def product_error(setting: Setting) -> np.ndarray:
    """||[grad l(w + delta v) - grad l(w - delta v)]/(2 delta) - Hess l(w) v|| for each task, v along its gradient.

    Where Hessians do not vary it is 0, and what rounding can have made of it counts as that.
    """
    tasks, w, v = single(setting), setting.w, directions_at(setting)
    noisy = getattr(_central(setting), "data", "population") != "population"
    hessian = replace(_central(setting), data="population") if noisy else _central(setting)
    exact = hessian.operator(tasks, w, 1, np.random.default_rng(0))(v)
    found = np.linalg.norm(exact - tasks.hvp(w, v), axis=-1).reshape(-1)
    return np.where(found <= product_rounding(setting, found), 0.0, found) if tasks.regularity.rho == 0 else found


def product_rounding(setting: Setting, value: np.ndarray) -> np.ndarray:
    """Rounding of the difference of two gradients, over 2 delta: no less than L, of which a product has some units."""
    tasks, delta = single(setting), _central(setting).delta
    gradient = float(np.linalg.norm(tasks.grad(setting.w), axis=-1).max())
    scale = gradient + tasks.regularity.L * (float(np.linalg.norm(setting.w)) + delta)
    known = (tasks.regularity.rho == 0) & (value == 0)
    return np.where(known, 0.0, 32 * EPS * (tasks.dim + 32) * scale / delta)


MEASUREMENTS = {
    "prop6": Measurement(
        words="||E H^ - Hess l(w)||",
        requires=first_reason(single_loss, gaussian_smoothing, everywhere, small_or_exact),
        exact=bias,
        error=bias_error,
        sampled=Sampling(either(capped_deviations, deviations), "spectral norm of mean", footprint(matrix_floats)),
        resolution=bias_rounding,
    ),
    "prop7-vector": Measurement(
        words=_WORDS,
        requires=_VARIANCE,
        exact=vector_variance,
        error=variance_error,
        sampled=Sampling(
            either(variance_envelopes.vector_squares, vector_squares),
            "mean",
            footprint(variance_envelopes.vector_floats),
        ),
        constants=seen_constants,
    ),
    "prop7-frobenius": Measurement(
        words="E ||H^ - E H^||_F^2",
        requires=_VARIANCE,
        exact=frobenius_variance,
        error=variance_error,
        sampled=Sampling(
            either(variance_envelopes.frobenius_squares, frobenius_squares),
            "mean",
            footprint(variance_envelopes.frobenius_floats),
        ),
        constants=seen_constants,
    ),
    "prop7-spectral": Measurement(
        words="(E ||H^ - E H^||^2)^(1/2)",
        requires=first_reason(_VARIANCE, known_mean_hessian, known_smoothing),
        exact=spectral_deviation,
        sampled=Sampling(either(spectral_parts, spectral_squares), "root of mean", footprint(spectral_floats)),
        constants=seen_constants,
    ),
    "hvp-central": Measurement(
        words="||[grad l(w + delta v) - grad l(w - delta v)]/(2 delta) - Hess l(w) v||, v along the task's gradient",
        requires=first_reason(single_loss, central_difference),
        exact=product_error,
        error=product_rounding,
    ),
    "finite-prop7-vector": Measurement(
        words=f"{_WORDS}, support losses",
        requires=first_reason(two_losses, gaussian_smoothing, everywhere, support_noise),
        exact=lambda setting: vector_variance(support(setting)),
        error=lambda setting, value: variance_error(support(setting), value),
        sampled=Sampling(
            either(capped_support_squares, support_squares),
            "mean",
            footprint(lambda setting: variance_envelopes.vector_floats(support(setting))),
        ),
    ),
}


CLAIMS = tuple(claim for name, measurement in MEASUREMENTS.items() for claim in claims_of(name, measurement))
