"""Variance of the zeroth-order Hessian estimators on a unit vector, plain and Stein-corrected, for each task.

The vector is the direction of the task's gradient at w, `exact_hessians.directions_at`.
"""

from analytic import statement
from maml_bench.claims.claim import Claim, Measurement
from maml_bench.claims.directions import direction_floats, everywhere, no_noise, zeroth_order
from maml_bench.claims.exact_hessians import vector_variance
from maml_bench.claims.hypotheses import first_reason, single_loss
from maml_bench.claims.prop5 import rounding as second_difference_rounding
from maml_bench.claims.prop7 import vector_squares
from maml_bench.montecarlo.limits import mean
from maml_bench.setting import Setting


def rounding(setting: Setting) -> float:
    """What rounding can add to the variance: that of a second difference r, which adds r^2 E ||u||^2 (u.v)^2 / Q."""
    return 4 * second_difference_rounding(setting) ** 2 * (setting.tasks.dim + 2) / setting.hessian.directions


def _measurement(stein: bool) -> Measurement:
    requires = first_reason(single_loss, zeroth_order(stein), everywhere, no_noise)
    words = "E ||(H^ - E H^) v||^2 with v along the task's gradient"
    return Measurement(words, vector_squares, mean, vector_variance, direction_floats, requires, rounding)


MEASUREMENTS = {"zo-vector": _measurement(stein=False), "zo-stein-vector": _measurement(stein=True)}

CLAIMS = tuple(
    Claim(name, form, bound, measurement)
    for name, measurement in MEASUREMENTS.items()
    for form, bound in statement(name).forms.items()
)
