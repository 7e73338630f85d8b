"""Requirements of claims, beyond the conditions that a bound checks itself: each gives a reason, or an empty string."""

import math
from collections.abc import Callable
from typing import cast

import numpy as np

from maml_bench.adaptation import exact_path
from maml_bench.exact import smoothable
from maml_bench.hessians import Differences, ExactHessian, GaussianSmoothing, ZerothOrder
from maml_bench.problems.finite_sum import TaskPairs
from maml_bench.problems.noise import AdditiveGaussian, NoisyTasks
from maml_bench.problems.protocol import Tasks, outside
from maml_bench.setting import Setting, single

LARGEST_MATRIX = 64
"""Largest dimension whose mean d x d matrices are sampled."""


def single_loss(setting: Setting) -> str:
    """The tasks have one loss each."""
    return "" if isinstance(setting.tasks, Tasks) else "tasks with one loss each, not support and target losses"


def two_losses(setting: Setting) -> str:
    """The tasks have a support and a target loss."""
    return "" if isinstance(setting.tasks, TaskPairs) else "tasks with a support and a target loss, such as FiniteSum"


def exact_hessian(setting: Setting) -> str:
    """The Hessian estimator is the Hessian of a batch."""
    return "" if isinstance(setting.hessian, ExactHessian) else "the exact Hessian estimator, ExactHessian()"


def exact_path_in_ball(setting: Setting) -> str:
    """The exact inner path does not leave the ball on which the constants are certified."""
    return _path_in_ball(setting, 0.0)


def noisy_path_in_ball(setting: Setting) -> str:
    """No inner path that the noise can produce leaves the ball on which the constants are certified.

    A path whose noise is at most c at each step stays within ``r_j`` of the exact one,
    ``r_{j+1} = (1 + alpha L) r_j + alpha c``, as long as both are inside the ball; so it is enough that the exact
    path keeps this distance from the boundary.
    """
    if math.isfinite(setting.tasks.regularity.radius) and math.isinf(largest_noise(setting.tasks)):
        return "bounded gradient noise on a ball: the certificate holds there only, and this noise can leave any ball"
    return _path_in_ball(setting, largest_noise(setting.tasks))


def _path_in_ball(setting, noise):
    regularity, inner = setting.tasks.regularity, setting.inner
    if math.isinf(regularity.radius):
        return ""
    tasks = setting.tasks.support if isinstance(setting.tasks, TaskPairs) else setting.tasks
    path = exact_path(tasks, setting.w, inner.alpha, inner.steps)
    reach = 0.0
    for step, point in enumerate(path):
        size = np.linalg.norm(point, axis=-1, keepdims=True) + reach
        if outside(setting.tasks, size).any():
            beside = f", and noise can add {reach:.3g}" if reach else ""
            return (
                f"an inner path inside the ball of radius {regularity.radius:g} on which the constants are certified; "
                f"after {step} steps it is at distance {size.max() - reach:.3g}{beside}"
            )
        reach = (1 + inner.alpha * regularity.L) * reach + inner.alpha * noise
    return ""


def largest_noise(tasks) -> float:
    """A bound on the norm of the gradient noise of any sample, which tasks may state; inf where none is known."""
    return 0.0 if tasks.regularity.sigma_g == 0 else getattr(tasks, "largest_noise", math.inf)


def first_reason(*requirements):
    """The requirement that several others hold; the reason is that of the first that does not."""

    def requires(setting: Setting) -> str:
        return next(filter(None, (requirement(setting) for requirement in requirements)), "")

    return requires


def everywhere(setting: Setting) -> str:
    """Requirement of bounds on Gaussian smoothing."""
    radius = setting.tasks.regularity.radius
    words = "constants that hold everywhere, since Gaussian directions leave every ball; these hold on a ball of radius"
    return "" if radius == math.inf else f"{words} {radius:g}"


def gaussian_smoothing(setting: Setting) -> str:
    """Requirement of statements about the gradient-based estimator."""
    found = isinstance(setting.hessian, GaussianSmoothing)
    return "" if found else f"hessian = GaussianSmoothing(...), not {type(setting.hessian).__name__}"


def zeroth_order(stein: bool) -> Callable[[Setting], str]:
    """Requirement of statements about the zeroth-order estimator, plain or Stein-corrected."""

    def requires(setting: Setting) -> str:
        found = setting.hessian
        if isinstance(found, ZerothOrder) and found.baseline == "mean":
            return f"hessian = ZerothOrder(..., stein={stein}) with the baseline l(w) of eq. 17, not baseline='mean'"
        if isinstance(found, ZerothOrder) and found.stein == stein:
            return ""
        given = f"stein={found.stein}" if isinstance(found, ZerothOrder) else type(found).__name__
        return f"hessian = ZerothOrder(..., stein={stein}), not {given}"

    return requires


def certified_noise(setting: Setting) -> str:
    """Requirement of bounds on the variance of gradient differences."""
    words = (
        'data="resampled" or "population": with one batch at both points its noise does not cancel here, '
        "and the bound would need the L of the sampled loss"
    )
    return words if difference_noise(setting) is None else ""


def no_noise(setting: Setting) -> str:
    """Requirement of bounds on the variance that know no sampling noise."""
    words = 'exact differences (data="population", or noise that cancels): the bound has no term for sampling noise'
    return words if difference_noise(setting) != 0 else ""


def small_or_exact(setting: Setting) -> str:
    """Requirement of mean matrices, where they may have to be sampled."""
    dim = setting.tasks.dim
    if dim <= LARGEST_MATRIX or smoothable(single(setting), setting.w):
        return ""
    return f"dim <= {LARGEST_MATRIX} where the mean matrix has to be sampled, not {dim}"


def known_smoothing(setting: Setting) -> str:
    """Requirement of quantities that need E H^ itself."""
    return "" if smoothable(single(setting), setting.w) else "a family whose smoothed Hessian is known exactly"


def noise_free(tasks) -> bool:
    """Whether every sample is the population."""
    return tasks.regularity.sigma_g == 0 == tasks.regularity.sigma_H


def difference_noise(setting: Setting) -> float | None:
    """The sigma_g that gradient differences see: that of fresh batches at two points, or 0 if none is left.

    None for one batch evaluated at several points if its noise depends on the point.
    """
    tasks, data = setting.tasks, cast(Differences, setting.hessian).data
    if data == "population" or noise_free(tasks):
        return 0.0
    if data == "resampled":
        return tasks.regularity.sigma_g
    return 0.0 if isinstance(tasks, NoisyTasks) and isinstance(tasks.noise, AdditiveGaussian) else None
