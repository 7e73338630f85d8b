"""Theorem 1 as a mean square: E min(||grad calL(w_zeta)||, M)^2, M twice the norm at the start.

A replicate is a whole run, as in `maml_bench.claims.convergence`. It cannot exceed M^2, so its limits are certified.
The other two statements of `analytic.without_jensen` have no claim: the weighted mean square needs L_w at every
iterate, which a run does not keep, and a quantile is not an expectation (the share of iterates above the bound can be
read off a run's norms).
"""

import numpy as np

from maml_bench.algorithms.outer_loop import gradient_norms
from maml_bench.claims.claim import Measurement, Sampling, claims_of
from maml_bench.claims.convergence import (
    bounded_below,
    estimated_step_size,
    outer_constants,
    plain_algorithm,
    run_floats,
    unconfined,
)
from maml_bench.claims.requirements import exact_hessian, first_reason, single_loss
from maml_bench.exact import meta_gradients
from maml_bench.montecarlo.tilted import Capped
from maml_bench.setting import Setting


def level(setting: Setting) -> float:
    """M: twice the norm of the meta gradient at the start."""
    return 2 * float(np.linalg.norm(meta_gradients(setting).mean(0)))


def off_a_stationary_point(setting: Setting) -> str:
    """Requirement of the level: a meta gradient at the start."""
    return "" if level(setting) > 0 else "a start at which the meta gradient is not 0, since it sets the level"


def squares_of_runs(setting: Setting) -> Capped:
    """Replicates of the mean over a run's first K iterates of min(||grad calL(w_k)||, M)^2."""
    top = level(setting)

    def draw(rng, replicates):
        return np.mean(np.minimum(gradient_norms(setting, rng, replicates), top) ** 2, axis=0)[:, None]

    return Capped(draw, np.array([top**2 * (1 + 1e-12)]))


def constants_with_level(setting: Setting, names) -> dict[str, object]:
    """As `outer_constants`, with the level."""
    found = outer_constants(setting, [name for name in names if name != "cap"])
    return found | {"cap": level(setting)} if "cap" in names else found


CAPPED = Measurement(
    words="E min(||grad calL(w_zeta)||, M)^2, M twice the norm at the start, zeta averaged out",
    requires=first_reason(
        single_loss,
        estimated_step_size,
        plain_algorithm,
        exact_hessian,
        unconfined,
        bounded_below,
        off_a_stationary_point,
    ),
    sampled=Sampling(squares_of_runs, "mean", run_floats),
    constants=constants_with_level,
)

CLAIMS = claims_of("thm1-capped", CAPPED)
