"""Requirements of claims, beyond the conditions that a bound checks itself: each gives a reason, or an empty string."""

import math

import numpy as np

from maml_bench.adaptation import exact_path
from maml_bench.hessians import ExactHessian
from maml_bench.problems.ball import outside
from maml_bench.problems.finite_sum import TaskPairs
from maml_bench.problems.protocol import Tasks
from maml_bench.problems.sampling import NoisyTasks, RandomPhase
from maml_bench.setting import Setting


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
    if math.isfinite(setting.tasks.regularity.radius) and math.isinf(_largest_noise(setting.tasks)):
        return "bounded gradient noise on a ball: the certificate holds there only, and this noise can leave any ball"
    return _path_in_ball(setting, _largest_noise(setting.tasks))


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


def _largest_noise(tasks) -> float:
    """A bound on the norm of the gradient noise of any sample; inf where none is known."""
    if tasks.regularity.sigma_g == 0:
        return 0.0
    if isinstance(tasks, NoisyTasks) and isinstance(tasks.noise, RandomPhase):
        return tasks.noise.amplitude * tasks.noise.kappa
    return math.inf


def first_reason(*requirements):
    """The requirement that several others hold; the reason is that of the first that does not."""

    def requires(setting: Setting) -> str:
        return next(filter(None, (requirement(setting) for requirement in requirements)), "")

    return requires
