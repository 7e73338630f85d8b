"""Propositions 6 and 7: bias and variance of the gradient-based Gaussian-smoothing Hessian estimator, for each task.

The unit vector of the ``vector`` claims is the direction of the task's gradient at w, `hessian_draws.directions_at`.
"""

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from maml_bench.arrays import matvec
from maml_bench.claims.claim import Measurement, Sampling, by_cell, claims_of
from maml_bench.claims.constants import constants
from maml_bench.claims.hessian_draws import (
    cells,
    direction_floats,
    directions_at,
    draw_operator,
    frobenius_variance,
    gradient_scale,
    half_squares,
    hessians,
    matrix,
    matrix_floats,
    mean_hessians,
    residual,
    spectral_deviation,
    squared_distance,
    vector_variance,
)
from maml_bench.claims.requirements import (
    certified_noise,
    difference_noise,
    everywhere,
    first_reason,
    gaussian_smoothing,
    known_smoothing,
    no_noise,
    single_loss,
    small_or_exact,
    two_losses,
)
from maml_bench.hessians import DirectionMean
from maml_bench.montecarlo.batches import Draw
from maml_bench.montecarlo.limits import mean, root_mean, spectral_norm_of_mean
from maml_bench.setting import Setting

PILOT = 4096


PILOT_SEED = np.random.SeedSequence(0, spawn_key=(2**32 - 1,))  # no block of replicates has this key


def deviations(setting: Setting) -> Draw:
    """Replicates with the mean E H^ - Hess l(w), (d, d).

    A replicate is ``B + (r(u) - B u) u'`` with r(u) the gradient difference less Hu. For any fixed B this has the
    mean of ``r(u) u'``, since ``E u u' = I``. Here B is an estimate, from `PILOT` directions of their own, of the
    regression of r on u.
    """
    pilot = residual(setting, setting.w, 1, np.random.default_rng(PILOT_SEED), PILOT)
    slope = matrix(pilot)[0]

    def draw(rng, replicates):
        found = residual(setting, setting.w, replicates, rng)
        rest = DirectionMean(found.left - matvec(slope, found.right), found.right)
        return by_cell(slope + matrix(rest), 2)

    return draw


def bias(setting: Setting) -> np.ndarray | None:
    """||E H^ - Hess l(w)||, spectral, for each task."""
    means = mean_hessians(setting)
    return None if means is None else np.linalg.norm(means - hessians(setting), ord=2, axis=(-2, -1))


def bias_rounding(setting: Setting) -> float:
    """What rounding can add to the bias: of a gradient difference, divided by nu, times a direction."""
    return 4 * np.finfo(float).eps * gradient_scale(setting) * math.sqrt(setting.tasks.dim) / setting.hessian.nu


def vector_squares(setting: Setting) -> Draw:
    """Replicates with the mean E ||(H^ - E H^) v||^2."""
    return half_squares(setting, directions_at(setting))


def frobenius_squares(setting: Setting) -> Draw:
    """Replicates with the mean E ||H^ - E H^||_F^2: half the squared distance of two copies."""

    def draw(rng, replicates):
        one, two = draw_operator(setting, replicates, rng), draw_operator(setting, replicates, rng)
        return by_cell(squared_distance(one, two) / 2, 0)

    return draw


def spectral_squares(setting: Setting) -> Draw:
    """Replicates of ||H^ - E H^||^2, spectral."""
    means = mean_hessians(setting).reshape(*setting.tasks.batch_shape, setting.tasks.dim, setting.tasks.dim)

    def draw(rng, replicates):
        deviation = matrix(draw_operator(setting, replicates, rng)) - means
        return by_cell(np.linalg.eigvalsh(deviation.mT @ deviation)[..., -1], 0)

    return draw


def floats(setting: Setting) -> int:
    """Floats of one replicate, with the matrices of the norm."""
    return direction_floats(setting) + 2 * cells(setting) * setting.tasks.dim * min(
        setting.tasks.dim, 2 * setting.hessian.directions
    )


def spectral_floats(setting: Setting) -> int:
    return direction_floats(setting) + 3 * cells(setting) * setting.tasks.dim**2


def seen_constants(setting: Setting, names: Iterable[str]) -> dict[str, object]:
    """The constants of the bound, with the noise that the differences see: it may be less than the tasks' own."""
    return constants(setting, names) | {"sigma_g": difference_noise(setting)}


def support(setting: Setting) -> Setting:
    """The setting with the support tasks, whose Hessians are estimated."""
    return replace(setting, tasks=setting.tasks.support)


def support_noise(setting: Setting) -> str:
    """Requirement: as `no_noise`, for the support losses."""
    return no_noise(support(setting))


def support_squares(setting: Setting) -> Draw:
    """Replicates with the mean E ||(H^ - E H^) v||^2 for the support losses."""
    return vector_squares(support(setting))


_WORDS = "E ||(H^ - E H^) v||^2 with v along the task's gradient"


_VARIANCE = first_reason(single_loss, gaussian_smoothing, everywhere, certified_noise)


MEASUREMENTS = {
    "prop6": Measurement(
        words="||E H^ - Hess l(w)||",
        requires=first_reason(single_loss, gaussian_smoothing, everywhere, small_or_exact),
        exact=bias,
        sampled=Sampling(deviations, spectral_norm_of_mean, matrix_floats),
        resolution=bias_rounding,
    ),
    "prop7-vector": Measurement(
        words=_WORDS,
        requires=_VARIANCE,
        exact=vector_variance,
        sampled=Sampling(vector_squares, mean, direction_floats),
        constants=seen_constants,
    ),
    "prop7-frobenius": Measurement(
        words="E ||H^ - E H^||_F^2",
        requires=_VARIANCE,
        exact=frobenius_variance,
        sampled=Sampling(frobenius_squares, mean, floats),
        constants=seen_constants,
    ),
    "prop7-spectral": Measurement(
        words="(E ||H^ - E H^||^2)^(1/2)",
        requires=first_reason(_VARIANCE, known_smoothing),
        exact=spectral_deviation,
        sampled=Sampling(spectral_squares, root_mean, spectral_floats),
        constants=seen_constants,
    ),
    "finite-prop7-vector": Measurement(
        words=f"{_WORDS}, support losses",
        requires=first_reason(two_losses, gaussian_smoothing, everywhere, support_noise),
        exact=lambda setting: vector_variance(support(setting)),
        sampled=Sampling(support_squares, mean, direction_floats),
    ),
}


CLAIMS = tuple(claim for name, measurement in MEASUREMENTS.items() for claim in claims_of(name, measurement))
