"""Proposition 5: the mean of the zeroth-order Hessian estimator, for each task.

The bounds speak of Delta, by which the multiple of the identity in the mean differs from half the trace of the
Hessian. The forms ``identity`` and ``stein`` are equalities: the mean of the plain estimator is ``Hess l_nu + ((l_nu
- l)/nu^2) I``, that of the Stein-corrected one ``Hess l_nu``. They are tested along the asserted mean M, as ``<E H^,
M>_F / ||M||_F = ||M||_F``, on draws of the estimator as the setting has it: nothing is subtracted.
"""

import math

import numpy as np

from analytic import statement
from maml_bench.claims.claim import Claim, Equality, Measurement, by_cell
from maml_bench.claims.directions import (
    cells,
    direction_floats,
    draw_operator,
    everywhere,
    known_smoothing,
    loss_scale,
    residual,
    zeroth_order,
)
from maml_bench.claims.exact_hessians import excess_error, mean_hessians
from maml_bench.claims.hypotheses import first_reason, single_loss
from maml_bench.linalg import matvec
from maml_bench.montecarlo.batches import Draw
from maml_bench.montecarlo.limits import mean, norm_of_mean
from maml_bench.setting import Setting

TOLERANCE = 0.02
"""Relative distance from the asserted value that counts as equal."""


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


def _equality(stein: bool) -> Claim:
    measurement = Measurement(
        "component of E H^ along its exact value",
        components,
        mean,
        lambda setting: None,
        direction_floats,
        first_reason(single_loss, zeroth_order(stein), known_smoothing),
        component_rounding,
    )
    words = "||Hess l_nu||_F" if stein else "||Hess l_nu + ((l_nu - l)/nu^2) I||_F"
    return Claim("prop5", "stein" if stein else "identity", Equality(words, mean_size, TOLERANCE), measurement)


MEASUREMENT = Measurement(
    "|(l_nu(w) - l(w))/nu^2 - tr(Hess l(w))/2|",
    excesses,
    norm_of_mean,
    excess_error,
    lambda setting: 4 * cells(setting) * setting.tasks.dim,
    first_reason(single_loss, zeroth_order(stein=False), everywhere),
    rounding,
)

CLAIMS = (
    *(Claim("prop5", form, bound, MEASUREMENT) for form, bound in statement("prop5").forms.items()),
    _equality(stein=False),
    _equality(stein=True),
)
