"""Quantities to measure without a bound, with any Hessian estimator; one cell a task unless it is a mean over tasks.

An estimator is asked for ``operator(tasks, w, D, rng)`` alone. What else it states (`maml_bench.capabilities`) serves
if it is there.
"""

import math
from typing import Any, cast

import numpy as np

from maml_bench.algorithms.outer_loop import gradient_norms
from maml_bench.capabilities import stated
from maml_bench.claims import hessian_envelopes, inner_path, meta_gradient, variance_envelopes
from maml_bench.claims.claim import EPS, Measurement, Sampling, by_cell, either, footprint, relative_rounding
from maml_bench.claims.convergence import rounding as convergence_rounding
from maml_bench.claims.convergence import run_floats
from maml_bench.claims.hessian_draws import biases, hessians, matrices, mean_hessians, operator_floats, variances
from maml_bench.claims.requirements import first_reason, noise_free, single_loss
from maml_bench.exact import meta_gradients, moments
from maml_bench.meta_gradient import stochastic_meta_gradient
from maml_bench.montecarlo.sequence import Draw
from maml_bench.montecarlo.tilted import Capped
from maml_bench.setting import Setting, single


def fixed(setting: Setting) -> bool:
    """Whether nothing is drawn: central differences of exact gradients."""
    hessian, tasks = setting.hessian, single(setting)
    exact = getattr(hessian, "data", None) == "population" or noise_free(tasks)
    return exact and stated(hessian, "kind") == "central-difference" and math.isfinite(tasks.regularity.L)


def exact_bias(setting: Setting) -> np.ndarray | None:
    """||E H^ - Hess l(w)||, spectral, for each task."""
    means = mean_hessians(setting)
    if means is None and fixed(setting):
        means = by_cell(matrices(setting, 1, np.random.default_rng(0)), 2)[0]
    return None if means is None else np.linalg.norm(means - hessians(setting), ord=2, axis=(-2, -1))


def bias_error(setting: Setting, value: np.ndarray) -> np.ndarray:
    """As `relative_rounding`, and what differences of gradients lose."""
    lost = 0.0
    if fixed(setting):
        tasks, w, delta = single(setting), setting.w, cast(Any, setting.hessian).delta
        size = np.linalg.norm(tasks.grad(w), axis=-1).max() + tasks.regularity.L * (np.linalg.norm(w) + delta)
        lost = 16 * EPS * tasks.dim * float(size) / delta
    return relative_rounding(setting, value) + lost


def _gradients(setting, replicates, rng):
    leading = (1,) * len(setting.tasks.batch_shape)
    start = np.broadcast_to(setting.w, (replicates, *leading, setting.tasks.dim))
    return by_cell(stochastic_meta_gradient(setting.tasks, start, setting.inner, setting.hessian, rng), 1)


def gradient_squares(setting: Setting) -> Draw:
    """Replicates of ||G^_i||^2, (tasks,)."""
    return lambda rng, replicates: np.sum(_gradients(setting, replicates, rng) ** 2, axis=-1)


def capped_gradient_squares(setting: Setting) -> Capped | None:
    """`gradient_squares` with a ceiling, where one is known."""
    return meta_gradient.capped_squares(setting, family=False)


def outer_loop(setting: Setting) -> str:
    """Requirement of what is measured along a run."""
    return "" if setting.outer is not None else "an outer loop: Setting(..., outer=OuterLoop(iterations, B, beta=...))"


def runs(setting: Setting) -> Draw:
    """Replicates of the mean over a run of ||grad calL(w_k)||."""
    return lambda rng, replicates: gradient_norms(setting, rng, replicates).mean(0)[:, None]


QUANTITIES: dict[str, Measurement] = {
    "path-error": Measurement(
        words="E ||w_N - w~_N||^2",
        requires=single_loss,
        exact=lambda setting: moments(setting).path_second,
        error=inner_path.second_error,
        sampled=Sampling(either(inner_path.capped_squared_distances, inner_path.squared_distances), "mean", footprint),
    ),
    "path-drift": Measurement(
        words="||E w_N - w~_N||",
        requires=single_loss,
        exact=inner_path.exact_drift,
        error=inner_path.drift_error,
        sampled=Sampling(either(inner_path.capped_drifts, inner_path.drifts), "norm of mean", footprint),
        resolution=inner_path.rounding,
    ),
    "hessian-bias": Measurement(
        words="||E H^ - Hess l(w)||, spectral",
        requires=single_loss,
        exact=exact_bias,
        error=bias_error,
        sampled=Sampling(either(hessian_envelopes.deviations, biases), "spectral norm of mean", operator_floats),
    ),
    "hessian-variance": Measurement(
        words="E ||(H^ - E H^) v||^2 with v along the task's gradient",
        requires=single_loss,
        sampled=Sampling(either(variance_envelopes.vector_squares, variances), "mean", operator_floats),
    ),
    "meta-gradient-bias": Measurement(
        words="||E G^_i - grad calL_i(w)||",
        requires=single_loss,
        exact=meta_gradient.exact_bias,
        error=meta_gradient.bias_error,
        sampled=Sampling(
            either(meta_gradient.capped_biases, meta_gradient.biases), "norm of mean", meta_gradient.bias_floats
        ),
        resolution=meta_gradient.rounding,
    ),
    "meta-gradient-second-moment": Measurement(
        words="E ||G^_i||^2",
        requires=single_loss,
        exact=meta_gradient.of_batches(lambda setting: moments(setting).second_moment),
        error=meta_gradient.square_error,
        sampled=Sampling(either(capped_gradient_squares, gradient_squares), "mean", meta_gradient.gradient_floats),
    ),
    "meta-gradient-norm": Measurement(
        words="||grad calL(w)||, the mean over tasks",
        requires=lambda setting: "",
        exact=lambda setting: np.atleast_1d(np.linalg.norm(meta_gradients(setting).mean(0))),
    ),
    "convergence": Measurement(
        words="E ||grad calL(w_zeta)||, zeta averaged out",
        requires=first_reason(outer_loop),
        sampled=Sampling(runs, "mean", run_floats),
        resolution=convergence_rounding,
    ),
}
