"""Requirements of claims, beyond the conditions that a bound checks itself: each gives a reason, or an empty string."""

import math
from collections.abc import Callable

import numpy as np

from maml_bench.adaptation import exact_path
from maml_bench.capabilities import KINDS, kind, stated
from maml_bench.exact import smoothable
from maml_bench.problems.finite_sum import TaskPairs
from maml_bench.problems.noise import states
from maml_bench.problems.protocol import Tasks, outside
from maml_bench.setting import Setting, single, smoothed

LARGEST_MATRIX = 64
"""Largest dimension whose mean d x d matrices are sampled."""


def single_loss(setting: Setting) -> str:
    """The tasks have one loss each."""
    return "" if isinstance(setting.tasks, Tasks) else "tasks with one loss each, not support and target losses"


def two_losses(setting: Setting) -> str:
    """The tasks have a support and a target loss."""
    return "" if isinstance(setting.tasks, TaskPairs) else "tasks with a support and a target loss, such as FiniteSum"


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


def of_kind(wanted: str) -> Callable[[Setting], str]:
    """Requirement of statements about estimators of a kind: the setting's states it, and the numbers of its bounds."""
    words, needed = KINDS[wanted]

    def requires(setting: Setting) -> str:
        hessian, found, name = setting.hessian, kind(setting.hessian), type(setting.hessian).__name__
        if found != wanted:
            given = f"kind = {found!r}" if found else "no kind"
            return f"a Hessian estimator that states kind = {wanted!r} ({words}); {name} states {given}"
        missing = ", ".join(attribute for attribute in needed if not hasattr(hessian, attribute))
        return f"a Hessian estimator of kind {wanted!r} that states {missing}; {name} does not" if missing else ""

    return requires


exact_hessian = of_kind("sampled")
gaussian_smoothing = of_kind("gaussian-smoothing")


def zeroth_order(stein: bool) -> Callable[[Setting], str]:
    """Requirement of statements about the zeroth-order estimator, plain or Stein-corrected."""
    return of_kind("zeroth-order-stein" if stein else "zeroth-order")


def sampled(setting: Setting) -> bool:
    """Whether the estimator is the Hessian of a fresh batch, so that what is known of those holds for it."""
    return kind(setting.hessian) == "sampled"


def known_mean_hessian(setting: Setting) -> str:
    """Requirement of quantities that need the estimator's mean."""
    if states_mean(setting):
        return ""
    name = type(setting.hessian).__name__
    return f"a Hessian estimator that states its mean, mean_hessian(tasks, w) or smoothed_mean(smooth); {name} does not"


def states_mean(setting: Setting) -> bool:
    """Whether the estimator says what its mean is."""
    return any(stated(setting.hessian, name) for name in ("mean_hessian", "smoothed_mean"))


def certified_noise(setting: Setting) -> str:
    """Requirement of bounds on the variance of gradient differences."""
    words = (
        'data="resampled" or "population", or noise that states additive = True: with one batch at both points its '
        "noise does not cancel here, and the bound would need the L of the sampled loss"
    )
    return words if difference_noise(setting) is None else ""


def no_noise(setting: Setting) -> str:
    """Requirement of bounds on the variance that know no sampling noise."""
    words = (
        'exact differences (data="population", or "shared" and noise that states additive = True): the bound has no '
        "term for sampling noise"
    )
    return words if difference_noise(setting) != 0 else ""


def small_or_exact(setting: Setting) -> str:
    """Requirement of mean matrices, where they may have to be sampled."""
    dim = setting.tasks.dim
    if dim <= LARGEST_MATRIX or (states_mean(setting) and smoothable(single(setting), setting.w)):
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
    tasks, data = setting.tasks, smoothed(setting).data
    if data == "population" or noise_free(tasks):
        return 0.0
    if data == "resampled":
        return tasks.regularity.sigma_g
    return 0.0 if states(tasks, "additive") else None
