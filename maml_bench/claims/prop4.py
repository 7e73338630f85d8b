"""Proposition 4: second moment of the stochastic meta gradient, for the family.

All noise is sampled, in mirrored pairs, which removes from the sample what is odd in the noise:
the terms of first order.
"""

import copy

import numpy as np

from analytic import statement
from maml_bench.claims.claim import Claim, Measurement, footprint
from maml_bench.claims.exact import meta_gradient_second_moment
from maml_bench.claims.hypotheses import exact_hessian, first_reason, noisy_path_in_ball, single_loss
from maml_bench.meta_gradient import stochastic_meta_gradient
from maml_bench.montecarlo.batches import Draw
from maml_bench.montecarlo.limits import mean
from maml_bench.problems.mirrored import Mirrored
from maml_bench.setting import Setting


def squares(setting: Setting) -> Draw:
    """Replicates of ||G^_i||^2, the mean over tasks and over a draw and its mirror image; shape (replicates, 1)."""
    tasks = setting.tasks
    mirrored, leading = Mirrored(tasks), (1,) * len(tasks.batch_shape)

    def one(source, rng, replicates):
        start = np.broadcast_to(setting.w, (replicates, *leading, tasks.dim))
        gradient = stochastic_meta_gradient(source, start, setting.inner, setting.hessian, rng)
        return np.vecdot(gradient, gradient).reshape(replicates, -1).mean(1, keepdims=True)

    def draw(rng, replicates):
        twin = copy.deepcopy(rng)
        return (one(tasks, rng, replicates) + one(mirrored, twin, replicates)) / 2

    return draw


def exact_square(setting: Setting) -> np.ndarray | None:
    """E_i E ||G^_i||^2, one cell."""
    moments = meta_gradient_second_moment(setting)
    return None if moments is None else moments.mean(keepdims=True)


MEASUREMENT = Measurement(
    "E_i E ||G^_i||^2",
    squares,
    mean,
    exact_square,
    footprint,
    first_reason(single_loss, exact_hessian, noisy_path_in_ball),
)

CLAIMS = tuple(Claim("prop4", form, bound, MEASUREMENT) for form, bound in statement("prop4").forms.items())
