r"""Sampling the Hessian estimators: replicates for means, with the noise taken out, and for variances; requirements.

*Means.* The mean does not depend on the number of directions, and the data noise has mean zero at every point: one
direction and population values keep it. The quadratic at w with the Hessian H has the same estimator with :math:`Hu`
in place of :math:`[\nabla l(w+\nu u)-\nabla l(w)]/\nu` and :math:`u^THu/2` in place of the second difference. Its
mean is known: H, or :math:`H + \frac12\operatorname{tr}(H)I` for the zeroth-order estimator without Stein's
correction. Their difference, the `residual`, is of the order of the bias. Gradient differences are also averaged over
u and -u, which removes their even part and leaves the order :math:`\nu^2`; second differences are even in u by
themselves.

*Variances.* :math:`E\|X-EX\|^2 = \frac12E\|X-Y\|^2` for an independent copy Y: no mean is needed.
"""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from maml_bench.claims.claim import by_cell
from maml_bench.claims.exact_hessians import difference_noise, smoothable
from maml_bench.hessians import DirectionMean, GaussianSmoothing, ZerothOrder
from maml_bench.setting import Setting

LARGEST_MATRIX = 64
"""Largest dimension whose mean d x d matrices are sampled."""


@dataclass(frozen=True)
class Reflected:
    """A generator whose normal numbers have the opposite sign."""

    rng: np.random.Generator

    def standard_normal(self, size):
        return -self.rng.standard_normal(size)


def points(setting: Setting, w: np.ndarray, replicates: int) -> np.ndarray:
    """The point w once for each replicate and task, shape (replicates, *batch_shape, d)."""
    return np.broadcast_to(w, (replicates, *setting.tasks.batch_shape, setting.tasks.dim))


def residual(
    setting: Setting, w: np.ndarray, replicates: int, rng: np.random.Generator, directions: int = 1
) -> DirectionMean:
    """An operator whose mean is that of the setting's estimator at w less `known_mean`, that of the quadratic at w."""
    tasks = setting.tasks
    at = points(setting, w, replicates)
    one = replace(setting.hessian, directions=directions, data="population")
    twin = Reflected(copy.deepcopy(rng))
    drawn = one.operator(tasks, at, 1, rng)
    u = drawn.right
    pushed = tasks.hvp(at, u)
    if isinstance(one, GaussianSmoothing):
        opposite = one.operator(tasks, at, 1, twin)
        return DirectionMean((drawn.left - opposite.left) / 2 - pushed, u)
    curvature = np.vecdot(u, pushed)[..., None] / 2
    shift = drawn.shift - curvature.mean(0) if one.stein else 0.0
    return DirectionMean(drawn.left - curvature * u, u, shift)


def known_mean(setting: Setting, w: np.ndarray) -> np.ndarray:
    """The mean that `residual` leaves out, (*batch_shape, d, d)."""
    H = setting.tasks.hess(w)
    if isinstance(setting.hessian, GaussianSmoothing) or setting.hessian.stein:
        return H
    return H + np.trace(H, axis1=-2, axis2=-1)[..., None, None] / 2 * np.eye(setting.tasks.dim)


def matrix(operator: DirectionMean) -> np.ndarray:
    """The operator as matrices (..., d, d)."""
    left, right = np.moveaxis(operator.left, 0, -1), np.moveaxis(operator.right, 0, -2)
    product = left * right if len(operator.left) == 1 else left @ right / len(operator.left)
    shift = np.asarray(operator.shift)
    return product - shift[..., None] * np.eye(right.shape[-1]) if shift.any() else product


def draw_operator(setting: Setting, replicates: int, rng: np.random.Generator) -> DirectionMean:
    """Independent draws of the estimator at w, as the setting has it."""
    return setting.hessian.operator(setting.tasks, points(setting, setting.w, replicates), setting.inner.D, rng)


def half_squares(setting: Setting, vectors: np.ndarray):
    """Replicates of ``||(H^ - H^') v||^2 / 2`` for independent H^, H^', and one v for each task."""

    def draw(rng, replicates):
        difference = draw_operator(setting, replicates, rng)(vectors) - draw_operator(setting, replicates, rng)(vectors)
        return by_cell(np.vecdot(difference, difference) / 2, 0)

    return draw


def cells(setting: Setting) -> int:
    return math.prod(setting.tasks.batch_shape)


def direction_floats(setting: Setting) -> int:
    """Floats of one replicate of two copies of the estimator: directions with differences, or the batches at one."""
    return cells(setting) * setting.tasks.dim * max(4 * setting.hessian.directions, setting.inner.D)


def matrix_floats(setting: Setting) -> int:
    """Floats of one replicate of a mean matrix."""
    return cells(setting) * setting.tasks.dim * (setting.tasks.dim + 8)


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
    if dim <= LARGEST_MATRIX or smoothable(setting.tasks):
        return ""
    return f"dim <= {LARGEST_MATRIX} where the mean matrix has to be sampled, not {dim}"


def known_smoothing(setting: Setting) -> str:
    """Requirement of quantities that need E H^ itself."""
    return "" if smoothable(setting.tasks) else "a family whose smoothed Hessian is known exactly"


def gradient_scale(setting: Setting) -> float:
    """Size of the numbers that a gradient near w is computed from."""
    tasks, w = setting.tasks, setting.w
    reach = np.linalg.norm(w) + setting.hessian.nu * math.sqrt(tasks.dim)
    return float(np.linalg.norm(tasks.grad(w), axis=-1).max() + tasks.regularity.L * reach)


def loss_scale(setting: Setting) -> float:
    """Size of the numbers that a loss near w is computed from."""
    return float(np.abs(setting.tasks.loss(setting.w)).max() + gradient_scale(setting) * np.linalg.norm(setting.w))
