"""Proposition 6: bias of the gradient-based Gaussian-smoothing Hessian estimator, for each task."""

import math

import numpy as np

from analytic import statement
from maml_bench.claims.claim import Claim, Measurement, by_cell
from maml_bench.claims.directions import (
    everywhere,
    gaussian_smoothing,
    gradient_scale,
    matrix,
    matrix_floats,
    residual,
    small_or_exact,
)
from maml_bench.claims.exact_hessians import bias
from maml_bench.claims.hypotheses import first_reason, single_loss
from maml_bench.hessians import DirectionMean
from maml_bench.linalg import matvec
from maml_bench.montecarlo.batches import Draw
from maml_bench.montecarlo.limits import spectral_norm_of_mean
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


def rounding(setting: Setting) -> float:
    """What rounding can add to the bias: of a gradient difference, divided by nu, times a direction."""
    return 4 * np.finfo(float).eps * gradient_scale(setting) * math.sqrt(setting.tasks.dim) / setting.hessian.nu


REQUIRES = first_reason(single_loss, gaussian_smoothing, everywhere, small_or_exact)

MEASUREMENT = Measurement(
    "||E H^ - Hess l(w)||", deviations, spectral_norm_of_mean, bias, matrix_floats, REQUIRES, rounding
)

CLAIMS = tuple(Claim("prop6", form, bound, MEASUREMENT) for form, bound in statement("prop6").forms.items())
