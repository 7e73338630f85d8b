"""Proposition 7: variance of the gradient-based Gaussian-smoothing Hessian estimator, for each task.

The unit vector of the ``vector`` claims is the direction of the task's gradient at w, `exact_hessians.directions_at`.
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from analytic import statement
from maml_bench.claims.claim import Claim, Measurement, by_cell
from maml_bench.claims.constants import constants
from maml_bench.claims.directions import (
    cells,
    certified_noise,
    direction_floats,
    draw_operator,
    everywhere,
    gaussian_smoothing,
    half_squares,
    known_smoothing,
    matrix,
    no_noise,
)
from maml_bench.claims.exact_hessians import (
    difference_noise,
    directions_at,
    frobenius_variance,
    mean_hessians,
    spectral_deviation,
    vector_variance,
)
from maml_bench.claims.hypotheses import first_reason, single_loss, two_losses
from maml_bench.montecarlo.batches import Draw
from maml_bench.montecarlo.limits import mean, root_mean
from maml_bench.setting import Setting


def vector_squares(setting: Setting) -> Draw:
    """Replicates with the mean E ||(H^ - E H^) v||^2."""
    return half_squares(setting, directions_at(setting))


def frobenius_squares(setting: Setting) -> Draw:
    """Replicates with the mean E ||H^ - E H^||_F^2: half the squared distance of two copies.

    The difference of the copies is ``sum_j left_j right_j' / Q`` over 2Q directions; its norm is taken from two Gram
    matrices if these are smaller than d x d.
    """

    def draw(rng, replicates):
        one, two = draw_operator(setting, replicates, rng), draw_operator(setting, replicates, rng)
        left = np.moveaxis(np.concatenate([one.left, -two.left]), 0, -2)
        right = np.moveaxis(np.concatenate([one.right, two.right]), 0, -2)
        if left.shape[-2] <= left.shape[-1]:
            square = ((left @ left.mT) * (right @ right.mT)).sum((-2, -1))
        else:
            square = ((left.mT @ right) ** 2).sum((-2, -1))
        return by_cell(square / (2 * len(one.left) ** 2), 0)

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

REQUIRES = first_reason(single_loss, gaussian_smoothing, everywhere, certified_noise)

MEASUREMENTS = {
    "prop7-vector": Measurement(
        _WORDS, vector_squares, mean, vector_variance, direction_floats, REQUIRES, constants=seen_constants
    ),
    "prop7-frobenius": Measurement(
        "E ||H^ - E H^||_F^2", frobenius_squares, mean, frobenius_variance, floats, REQUIRES, constants=seen_constants
    ),
    "prop7-spectral": Measurement(
        "(E ||H^ - E H^||^2)^(1/2)",
        spectral_squares,
        root_mean,
        spectral_deviation,
        spectral_floats,
        first_reason(REQUIRES, known_smoothing),
        constants=seen_constants,
    ),
    "finite-prop7-vector": Measurement(
        f"{_WORDS}, support losses",
        support_squares,
        mean,
        lambda setting: vector_variance(support(setting)),
        direction_floats,
        first_reason(two_losses, gaussian_smoothing, everywhere, support_noise),
    ),
}

CLAIMS = tuple(
    Claim(name, form, bound, measurement)
    for name, measurement in MEASUREMENTS.items()
    for form, bound in statement(name).forms.items()
)
