"""Propositions 1 and 4 in the finite-sum case: tasks with a support and a target loss, all means over tasks exact.

The inner path is not random: Hessian estimates are the only source of chance. There is none with full Hessians or none
at all, and on quadratic support losses the second moment of the product is known (`analytic.moments.quadratic`).
"""

import numpy as np

from analytic.moments import quadratic
from maml_bench.adaptation import exact_path
from maml_bench.arrays import listed
from maml_bench.capabilities import kind
from maml_bench.claims import smoothness
from maml_bench.claims.by_estimator import claims_by_estimator
from maml_bench.claims.claim import Measurement, Sampling, claims_of
from maml_bench.claims.hessian_draws import directional
from maml_bench.claims.meta_gradient import gradient_floats
from maml_bench.claims.requirements import exact_path_in_ball, first_reason, two_losses
from maml_bench.meta_gradient import meta_gradient_along
from maml_bench.montecarlo.sequence import Draw
from maml_bench.problems.finite_sum import FullBatch
from maml_bench.problems.noise import population
from maml_bench.setting import Setting, paired, smoothed

_ON_QUADRATICS = {
    "gaussian-smoothing": quadratic.ggs_hessian,
    "zeroth-order": quadratic.zo_hessian,
    "zeroth-order-stein": quadratic.zo_stein_hessian,
}


def squares(setting: Setting) -> Draw:
    """Replicates of the mean over tasks of ||G^_i||^2, (replicates, 1)."""
    tasks, inner = paired(setting), setting.inner
    support, target = FullBatch(tasks.support), FullBatch(tasks.target)
    path = exact_path(support, setting.w, inner.alpha, inner.steps)[:, None]

    def draw(rng, replicates):
        points = np.broadcast_to(path, (len(path), replicates, *path.shape[2:]))
        gradients = meta_gradient_along(support, points, inner, setting.hessian, rng, target)
        return np.vecdot(gradients, gradients).reshape(replicates, -1).mean(1, keepdims=True)

    return draw


def exact_square(setting: Setting) -> np.ndarray | None:
    """E_i E ||G^_i||^2, one cell, where nothing is random or the support losses are quadratic."""
    tasks, inner, hessian = paired(setting), setting.inner, setting.hessian
    if kind(hessian) in ("sampled", "first-order"):
        return squares(setting)(np.random.default_rng(0), 1)[0]
    support = population(tasks.support)
    if not (getattr(support, "affine_gradient", False) and directional(setting)):
        return None
    ends = exact_path(tasks.support, setting.w, inner.alpha, inner.steps)[-1]
    gradients = tasks.target.grad(ends).reshape(-1, tasks.dim)
    cases = zip(listed(support.hess(setting.w), tasks.batch_shape, 2), gradients, strict=True)
    product = lambda A, v: quadratic.product_moment(
        _ON_QUADRATICS[kind(hessian)](A, smoothed(setting).directions), np.outer(v, v), inner.alpha, inner.steps
    )
    return np.array([np.mean([np.trace(product(A, v)) for A, v in cases])])


MEASUREMENTS = {
    "finite-prop1": smoothness.measurement(two_losses),
    "finite-prop4": Measurement(
        words="E_i E ||G^_i||^2",
        requires=first_reason(two_losses, exact_path_in_ball),
        exact=exact_square,
        sampled=Sampling(squares, "mean", gradient_floats),
    ),
}

CLAIMS = (
    *claims_of("finite-prop1", MEASUREMENTS["finite-prop1"]),
    *claims_by_estimator("finite-prop4", lambda form: MEASUREMENTS["finite-prop4"]),
)
