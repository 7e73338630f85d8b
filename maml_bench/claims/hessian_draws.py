r"""Sampling the Hessian estimators: replicates for means, with the noise taken out, and for variances; exact moments.

*Means.* The mean does not depend on the number of directions, and the data noise has mean zero at every point: one
direction and population values keep it. The quadratic at w with the Hessian H has the same estimator with :math:`Hu`
in place of :math:`[\nabla l(w+\nu u)-\nabla l(w)]/\nu` and :math:`u^THu/2` in place of the second difference. Its
mean is known: H, or :math:`H + \frac12\operatorname{tr}(H)I` for the zeroth-order estimator without Stein's
correction. Their difference, the `residual`, is of the order of the bias. Gradient differences are also averaged over
u and -u, which removes their even part and leaves the order :math:`\nu^2`; second differences are even in u by
themselves.

*Variances.* :math:`E\|X-EX\|^2 = \frac12E\|X-Y\|^2` for an independent copy Y: no mean is needed.

All this is about estimators that state how they are drawn along directions (`directional`). Of any other its operator
is applied to vectors, or to the columns of the identity.
"""

import math
from collections.abc import Callable
from dataclasses import is_dataclass, replace
from typing import Any

import numpy as np

from maml_bench.arrays import listed, matvec
from maml_bench.capabilities import AlongDirections, Directional, drawn, kind, mean_hessian, name, stated
from maml_bench.claims.claim import EPS, by_cell
from maml_bench.claims.requirements import LARGEST_MATRIX, difference_noise
from maml_bench.exact import smoothings
from maml_bench.hessians import DirectionMean
from maml_bench.montecarlo.sequence import Draw
from maml_bench.montecarlo.tilted import Capped
from maml_bench.problems.noise import states
from maml_bench.problems.quadratic import Quadratic
from maml_bench.setting import Setting, single, smoothed


def directional(setting: Setting) -> bool:
    """Whether the estimator can be drawn along given Gaussian directions, each as the formula of its kind has it."""
    known = kind(setting.hessian) in ("gaussian-smoothing", "zeroth-order", "zeroth-order-stein")
    return known and stated(setting.hessian, "along") is not None and is_dataclass(setting.hessian)


def noiseless(setting: Setting, directions: int | None = None) -> Directional:
    """The estimator on population values, with another number of directions if one is given."""
    hessian: Any = setting.hessian
    return replace(hessian, data="population", directions=directions or hessian.directions)


def points(setting: Setting, w: np.ndarray, replicates: int) -> np.ndarray:
    """The point w once for each replicate and task, shape (replicates, *batch_shape, d)."""
    return np.broadcast_to(w, (replicates, *setting.tasks.batch_shape, setting.tasks.dim))


def left_sides(setting: Setting, w: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Those of the estimator on population values at w for directions u (Q, replicates, *batch_shape, d).

    Replicates are so many directions of one operator: what is worked out at w is worked out once.
    """
    every = u.reshape(-1, *u.shape[2:])
    found = noiseless(setting, len(every)).along(single(setting), w, every, 1, np.random.default_rng(0))
    return found.left.reshape(u.shape)


def drawn_along(setting: Setting, w: np.ndarray, u: np.ndarray) -> AlongDirections:
    """The estimator on population values at w for directions u (Q, replicates, *batch_shape, d)."""
    if kind(setting.hessian) != "zeroth-order-stein":
        return DirectionMean(left_sides(setting, w, u), u)
    at, rng = points(setting, w, u.shape[1]), np.random.default_rng(0)  # a shift is of one replicate
    return noiseless(setting, len(u)).along(single(setting), at, u, 1, rng)


def residual(
    setting: Setting, w: np.ndarray, replicates: int, rng: np.random.Generator, directions: int = 1
) -> DirectionMean:
    """An operator whose mean is that of the setting's estimator at w less `known_mean`, that of the quadratic at w."""
    shape = (directions, replicates, *setting.tasks.batch_shape, setting.tasks.dim)
    return residual_along(setting, w, rng.standard_normal(shape))


def residual_along(setting: Setting, w: np.ndarray, u: np.ndarray) -> DirectionMean:
    """`residual` for given directions (Q, replicates, *batch_shape, d)."""
    drawn, tasks = drawn_along(setting, w, u), single(setting)
    pushed = matvec(tasks.hess(w), u) if tasks.dim <= LARGEST_MATRIX else tasks.hvp(w, u)
    if kind(setting.hessian) == "gaussian-smoothing":
        return DirectionMean((drawn.left - left_sides(setting, w, -u)) / 2 - pushed, u)
    curvature = np.vecdot(u, pushed)[..., None] / 2
    shift = drawn.shift - curvature.mean(0) if kind(setting.hessian) == "zeroth-order-stein" else 0.0
    return DirectionMean(drawn.left - curvature * u, u, shift)


def known_mean(setting: Setting, w: np.ndarray) -> np.ndarray:
    """The mean that `residual` leaves out, (*batch_shape, d, d)."""
    H = single(setting).hess(w)
    if kind(setting.hessian) != "zeroth-order":
        return H
    return H + np.trace(H, axis1=-2, axis2=-1)[..., None, None] / 2 * np.eye(setting.tasks.dim)


def matrix(operator: AlongDirections) -> np.ndarray:
    """The operator as matrices (..., d, d)."""
    left, right = np.moveaxis(operator.left, 0, -1), np.moveaxis(operator.right, 0, -2)
    product = left * right if len(operator.left) == 1 else left @ right / len(operator.left)
    shift = np.asarray(operator.shift)
    return product - shift[..., None] * np.eye(right.shape[-1]) if shift.any() else product


def squared_distance(one: AlongDirections, other: AlongDirections) -> np.ndarray:
    """``||H - H'||_F^2`` of two operators without shift, (...).

    The difference is ``sum_j left_j right_j' / Q`` over 2Q directions; its norm is taken from two Gram matrices if
    these are smaller than d x d.
    """
    left = np.moveaxis(np.concatenate([one.left, -other.left]), 0, -2)
    right = np.moveaxis(np.concatenate([one.right, other.right]), 0, -2)
    if left.shape[-2] <= left.shape[-1]:
        square = ((left @ left.mT) * (right @ right.mT)).sum((-2, -1))
    else:
        square = ((left.mT @ right) ** 2).sum((-2, -1))
    return square / len(one.left) ** 2


def draw_operator(setting: Setting, replicates: int, rng: np.random.Generator, w: np.ndarray | None = None) -> Any:
    """Independent draws of the estimator at w, one a replicate and task, as the setting has it."""
    at = points(setting, setting.w if w is None else w, replicates)
    return drawn(setting.hessian, single(setting), at, setting.inner.D, rng)


def half_squares(setting: Setting, vectors: np.ndarray):
    """Replicates of ``||(H^ - H^') v||^2 / 2`` for independent H^, H^', and one v for each task."""

    def draw(rng, replicates):
        difference = draw_operator(setting, replicates, rng)(vectors) - draw_operator(setting, replicates, rng)(vectors)
        return by_cell(np.vecdot(difference, difference) / 2, 0)

    return draw


def matrices(setting: Setting, replicates: int, rng: np.random.Generator, w: np.ndarray | None = None) -> np.ndarray:
    """Draws of the estimator at w as matrices (replicates, *batch_shape, d, d), by its operator alone.

    Raises
    ------
    ValueError
        If the operator returns another shape than that of its vectors.
    """
    dim, shape = setting.tasks.dim, (replicates, *setting.tasks.batch_shape, setting.tasks.dim)
    operator = draw_operator(setting, replicates, rng, w)
    unit = np.eye(dim)
    if getattr(setting.hessian, "columns", False):
        columns = operator(unit.reshape(dim, *(1,) * (len(shape) - 1), dim))
    else:
        columns = np.stack([applied(setting, operator, np.broadcast_to(e, shape)) for e in unit])
    return np.moveaxis(np.broadcast_to(columns, (dim, *shape)), 0, -1)


def applied(setting: Setting, operator, vectors: np.ndarray) -> np.ndarray:
    """The operator at vectors of its own leading axes, its shape checked."""
    product = np.asarray(operator(vectors))
    if product.shape != vectors.shape:
        raise ValueError(
            f"hessian = {name(setting.hessian)}: its operator gave an array of shape {product.shape} for vectors of "
            f"shape {vectors.shape}; it must be the same"
        )
    return product


def biases(setting: Setting) -> Draw:
    """Replicates of H^ - Hess l(w), (d, d)."""
    known, largest = hessians(setting), largest_norms(setting)

    def draw(rng, replicates):
        return by_cell(matrices(setting, replicates, rng), 2) - known

    return draw if largest is None else Capped(draw, largest + np.linalg.norm(known, 2, axis=(-2, -1)))


def largest_norms(setting: Setting) -> np.ndarray | None:
    """What the estimator states that no draw at w exceeds in the spectral norm, for each task; None if nothing.

    Raises
    ------
    ValueError
        If it states no number >= 0, or not one for each task.
    """
    own = stated(setting.hessian, "largest_norm")
    if own is None:
        return None
    shape = setting.tasks.batch_shape
    largest = np.asarray(own(single(setting), setting.w), dtype=float)
    if largest.shape not in ((), shape) or not np.all(np.isfinite(largest) & (largest >= 0)):
        raise ValueError(
            f"hessian = {name(setting.hessian)}: largest_norm gave {largest}; it must be a finite number >= 0, or one "
            f"for each of the tasks {shape}"
        )
    return np.broadcast_to(largest, shape).reshape(-1)


def variances(setting: Setting) -> Draw:
    """Replicates of ``||(H^ - H^') v||^2 / 2`` for independent H^, H^' and v along the gradient of each task."""
    vectors = directions_at(setting)

    def draw(rng, replicates):
        at = np.broadcast_to(vectors, (replicates, *vectors.shape))
        one, two = (applied(setting, draw_operator(setting, replicates, rng), at) for _ in range(2))
        return by_cell(np.vecdot(one - two, one - two) / 2, 0)

    largest = largest_norms(setting)
    return draw if largest is None else Capped(draw, 2 * largest**2)


def operator_floats(setting: Setting) -> int:
    """Floats of one replicate of a matrix, with the directions that it is made of."""
    tasks, directions = setting.tasks, getattr(setting.hessian, "directions", 1)
    return cells(setting) * tasks.dim * max(4 * tasks.dim, 4 * directions, setting.inner.D)


def footprint(along: Callable[[Setting], int]) -> Callable[[Setting], int]:
    """Floats of one replicate: those of draws along directions, or of matrices by the operator alone."""
    return lambda setting: along(setting) if directional(setting) else operator_floats(setting)


def cells(setting: Setting) -> int:
    return math.prod(setting.tasks.batch_shape)


def direction_floats(setting: Setting) -> int:
    """Floats of one replicate of two copies of the estimator: directions with differences, or the batches at one."""
    return cells(setting) * setting.tasks.dim * max(4 * smoothed(setting).directions, setting.inner.D)


def matrix_floats(setting: Setting) -> int:
    """Floats of one replicate of a mean matrix."""
    return cells(setting) * setting.tasks.dim * (setting.tasks.dim + 8)


def gradient_scale(setting: Setting) -> float:
    """Size of the numbers that a gradient near w is computed from."""
    tasks, w = single(setting), setting.w
    reach, L = np.linalg.norm(w) + smoothed(setting).nu * math.sqrt(tasks.dim), tasks.regularity.L
    if math.isinf(L):  # no constant: the curvature found as far out as the directions go
        e = np.full(tasks.dim, tasks.dim**-0.5)
        L = np.linalg.norm(tasks.hvp(reach * e, e), axis=-1).max()
    return float(np.linalg.norm(tasks.grad(w), axis=-1).max() + L * reach)


def loss_scale(setting: Setting) -> float:
    """Size of the numbers that a loss near w is computed from."""
    return float(np.abs(single(setting).loss(setting.w)).max() + gradient_scale(setting) * np.linalg.norm(setting.w))


def mean_hessians(setting: Setting, w: np.ndarray | None = None) -> Any:
    """E H^ of the setting's estimator at w, for each task: (cells, d, d); None where it is not known.

    An estimator states it, ``mean_hessian(tasks, w)`` or ``smoothed_mean(smooth)``. Sampled gradients and losses have
    the population values for means, whatever ``data`` says: the sampling model plays no part.
    """
    tasks, hessian, w = single(setting), setting.hessian, setting.w if w is None else w
    if (means := mean_hessian(hessian, tasks, w)) is not None:
        return listed(means, tasks.batch_shape, 2)
    if (of_smooth := stated(hessian, "smoothed_mean")) is None:
        return None
    found = smoothings(tasks, w, smoothed(setting).nu)
    return None if found is None else np.array([of_smooth(smooth) for smooth in found])


def asserted_means(setting: Setting) -> np.ndarray:
    """What the theory of the estimator's kind says its mean at w is, (cells, d, d)."""
    found: Any = smoothings(single(setting), setting.w, smoothed(setting).nu)
    plain = kind(setting.hessian) == "zeroth-order"
    return np.array([smooth.zo_mean if plain else smooth.hess for smooth in found])


def mean_shifts(setting: Setting) -> tuple[np.ndarray, np.ndarray] | None:
    """``E H^ - hess l(w)`` of each task, (cells, d, d), and what rounding can have added to its norm.

    Along directions it is ``hess l_nu(w) - hess l(w)``, without cancellation where that is known.
    """
    here, spare = hessians(setting), 32 * EPS * (setting.tasks.dim + 8)
    if not directional(setting):
        means = mean_hessians(setting)
        size = np.linalg.norm(here if means is None else means, axis=(-2, -1)) + np.linalg.norm(here, axis=(-2, -1))
        return None if means is None else (means - here, spare * size)
    found = smoothings(single(setting), setting.w, smoothed(setting).nu)
    if found is None:
        return None
    shifts = np.array(
        [
            smooth.hess - H if smooth.hess_shift is None else smooth.hess_shift
            for smooth, H in zip(found, here, strict=True)
        ]
    )
    scale = [
        np.linalg.norm(shift) if smooth.hess_shift is not None else np.linalg.norm(smooth.hess) + np.linalg.norm(H)
        for smooth, shift, H in zip(found, shifts, here, strict=True)
    ]
    return shifts, spare * np.array(scale)


def hessians(setting: Setting) -> np.ndarray:
    """The Hessian at w of each task: (cells, d, d)."""
    tasks = single(setting)
    shape = (*tasks.batch_shape, tasks.dim, tasks.dim)
    return np.broadcast_to(tasks.hess(setting.w), shape).reshape(-1, tasks.dim, tasks.dim)


def directions_at(setting: Setting) -> np.ndarray:
    """For each task the unit vector that variances are measured on: along its gradient at w, or e_1 where that is zero.

    Shape (*batch_shape, d). The estimators are applied to gradients, and their variance depends on the vector.
    """
    tasks = single(setting)
    gradient = np.broadcast_to(tasks.grad(setting.w), (*tasks.batch_shape, tasks.dim))
    size = np.linalg.norm(gradient, axis=-1, keepdims=True)
    first = np.eye(tasks.dim)[0]
    return np.where(size > 0, gradient / np.where(size > 0, size, 1.0), first)


def known_noise(setting: Setting) -> float | None:
    """The root mean square of the noise of a gradient in the estimator's differences; None where it is not known.

    Only isotropic sampling models have the certified variance at every point; other noise stays below it. What it adds
    to second differences is not worked out.
    """
    noise, tasks = difference_noise(setting), setting.tasks
    if noise is None or (noise and kind(setting.hessian) != "gaussian-smoothing"):
        return None
    return noise if noise == 0 or states(tasks, "isotropic") else None


def _variances(setting, vectors) -> np.ndarray | None:
    """What the estimator states of its variance, along one vector a task or, for None, in the Frobenius norm."""
    tasks, hessian, noise = setting.tasks, setting.hessian, known_noise(setting)
    own = stated(hessian, "smoothed_variance") if stated(hessian, "smoothed_mean") else None
    if noise is None or own is None:
        return None
    found = smoothings(tasks, setting.w, hessian.nu)
    if found is None:
        return None
    known = [own(*pair, noise, setting.inner.D) for pair in zip(found, vectors, strict=True)]
    return None if None in known else np.array(known)


def quadratic_variance(setting: Setting, v: np.ndarray | None) -> np.ndarray | None:
    """The variance of one direction of the estimator on population values, were each loss the quadratic that it is near
    w: along v (*batch_shape, d) or, for None, in the Frobenius norm. For each task; None where it is not worked out.
    """
    H = hessians(setting)
    quadratic = Quadratic((H + H.mT) / 2, np.zeros(H.shape[:-1]))
    near = replace(setting, tasks=quadratic, hessian=noiseless(setting, 1))
    return _variances(near, [None] * len(H) if v is None else v.reshape(-1, setting.tasks.dim))


def vector_variance(setting: Setting) -> np.ndarray | None:
    """E ||(H^ - E H^) v||^2 of the setting's estimator, for each task, with v from `directions_at`."""
    return _variances(setting, directions_at(setting).reshape(-1, setting.tasks.dim))


def frobenius_variance(setting: Setting) -> np.ndarray | None:
    """E ||H^ - E H^||_F^2 of the setting's estimator, for each task."""
    return _variances(setting, [None] * cells(setting))


def spectral_deviation(setting: Setting) -> np.ndarray | None:
    """(E ||H^ - E H^||^2)^(1/2), spectral, for each task: known where the deviation has rank one, so all norms are one.

    That is in one variable, and for one direction if the mean is 0, to rounding, as of an odd loss.
    """
    if setting.tasks.dim > 1:
        if smoothed(setting).directions > 1 or kind(setting.hessian) == "zeroth-order-stein":
            return None
        mean = mean_hessians(setting)
        if mean is None or np.abs(mean).max() > 8 * EPS * setting.tasks.regularity.L:
            return None
    variance = frobenius_variance(setting)
    return None if variance is None else np.sqrt(variance)
