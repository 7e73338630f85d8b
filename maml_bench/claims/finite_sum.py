r"""Propositions 1 and 4 in the finite-sum case: tasks with a support and a target loss, all means over tasks exact.

The inner path is not random: Hessian estimates are the only source of chance. There is none with full Hessians or none
at all, and on quadratic support losses the second moment of the product is known (`analytic.moments.quadratic`).

Else the replicates of an estimator along directions have a ceiling (`variance_envelopes`, `tilted`). The factors are
independent, and each is applied to a vector that those after it have made: let that be v, of length 1, and
:math:`\|\hat H_qv\|^2 \le g(u_q)` with the root r of the mean for one direction. Then, for :math:`t = \alpha r`,

.. math:: \|(I - \alpha\hat H)v\|^2 \le \Bigl(1 + \frac\alpha Q\sum_q\sqrt{g(u_q)}\Bigr)^2
          \le 1 + t + \Bigl(1 + \frac1t\Bigr)\frac{\alpha^2}Q\sum_qg(u_q) ,

of the mean :math:`(1 + \alpha r)^2` whatever v is. Directions are drawn from the law tilted by this, one factor after
another; so :math:`\|\hat G\|^2`, weighted, is at most :math:`(1 + \alpha r)^{2N}\|\nabla l(w_N)\|^2`.
"""

import math
from dataclasses import replace

import numpy as np

from analytic.moments import quadratic
from maml_bench.adaptation import exact_path
from maml_bench.arrays import listed
from maml_bench.capabilities import kind
from maml_bench.claims import smoothness
from maml_bench.claims.by_estimator import claims_by_estimator
from maml_bench.claims.ceilings import CRUDE
from maml_bench.claims.claim import Measurement, Sampling, claims_of, either
from maml_bench.claims.gaussian_smoothing import support
from maml_bench.claims.hessian_draws import directional, noiseless
from maml_bench.claims.hessian_envelopes import provable
from maml_bench.claims.meta_gradient import gradient_floats
from maml_bench.claims.requirements import exact_path_in_ball, first_reason, two_losses
from maml_bench.claims.variance_envelopes import product_terms, wobbles
from maml_bench.meta_gradient import meta_gradient_along
from maml_bench.montecarlo.rows import squares as lengths
from maml_bench.montecarlo.sequence import Draw
from maml_bench.montecarlo.tilted import Capped, Envelope, factors
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


def capped_squares(setting: Setting) -> Capped | None:
    """`squares` with a ceiling, where one is known that is not crude."""
    adapted, pairs = support(setting), paired(setting)
    if not provable(adapted):
        return None
    hessian, dim, alpha = noiseless(adapted), setting.tasks.dim, setting.inner.alpha
    path = exact_path(pairs.support, setting.w, alpha, setting.inner.steps)
    ends = np.broadcast_to(pairs.target.grad(path[-1]), (*setting.tasks.batch_shape, dim))
    terms, Q = product_terms(adapted), hessian.directions
    t = alpha * math.sqrt(sum(term.mean(dim) for term in terms))
    scale = alpha**2 * (1 + 1 / t) / Q if t else 0.0
    terms = tuple(replace(term, coefficient=scale * term.coefficient) for term in terms)
    envelope = Envelope(dim, terms, weights=(1.0,) * Q, constant=1 + t, exchangeable=True)
    growth = envelope.mean**setting.inner.steps
    if not growth <= CRUDE:
        return None

    def draw(rng, replicates):
        found, v = _split(np.broadcast_to(ends, (replicates, *ends.shape)))
        for point in path[-2::-1]:
            u, G = envelope.draw(rng, v.shape[:-1], v)
            product = v - alpha * hessian.along(pairs.support, np.broadcast_to(point, v.shape), u, 1, rng)(v)

            def rounding(u=u, v=v, G=G):
                error = alpha * wobbles(adapted, u, v).sum(0) / Q
                return error * (2 * np.sqrt(G) + error)

            size, v = _split(product)
            found = found * size * factors(size, G, envelope.mean, rounding)
        return found.reshape(replicates, -1).mean(1, keepdims=True)

    return Capped(draw, growth * np.atleast_1d(lengths(ends).mean()))


def _split(vectors):
    """Squared lengths, and unit vectors along them, any where they are 0."""
    size = lengths(vectors)
    length = np.sqrt(size)[..., None]
    return size, np.where(length > 0, vectors / np.where(length > 0, length, 1.0), np.eye(vectors.shape[-1])[0])


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
        sampled=Sampling(either(capped_squares, squares), "mean", gradient_floats),
    ),
}

CLAIMS = (
    *claims_of("finite-prop1", MEASUREMENTS["finite-prop1"]),
    *claims_by_estimator("finite-prop4", lambda form: MEASUREMENTS["finite-prop4"]),
)
