r"""A certified lower bound of the meta objective: what the convergence theorems call its infimum.

The largest of those that are known is taken, each with its proof.

*Task by task.* :math:`\mathcal{L}_i(w) = l_i(\tilde w_N)` is a value of the task's loss, so
:math:`\inf\mathcal{L} \ge E_i\inf l_i`, and families prove an ``infimum`` of their losses.

*Quadratics.* :math:`\tilde w_N = M^Nw + \alpha\sum_{j<N}M^jb`, :math:`M = I - \alpha A`, is affine in w, and so the
meta objective is a quadratic whose minimum is a linear system.

*Quadratics with waves.* Let :math:`l_i(w) \ge \frac12w^TAw - b_i\cdot w - h_i` and
:math:`\|\nabla l_i(w) - (Aw - b_i)\| \le s_i`, the latter for the loss that is adapted on. Then
:math:`\tilde w_N = x_i + e_i` with the :math:`x_i` of the quadratics and
:math:`\|e_i\| \le \alpha s_i\sum_{j<N}\|M\|^j =: \epsilon_i`, and for every t > 0

.. math:: \mathcal{L}_i(w) \ge \tfrac12x_i^TAx_i - b_i\cdot x_i - h_i + e_i\cdot(Ax_i - b_i)
          \ge \tfrac12x_i^TAx_i - b_i\cdot x_i - h_i - \tfrac t2\|Ax_i-b_i\|^2 - \frac{\epsilon_i^2}{2t},

a quadratic in w; the best of a grid of t, in units of :math:`1/\|A\|`, is taken. Its mean over tasks has a much larger
minimum than the tasks have by themselves.

*Branch and bound* (`maml_bench.claims.bisection`), in up to `MOST_DIMENSIONS` dimensions: where that quadratic exceeds
a value of :math:`\mathcal{L}`, no minimizer is; what is left is an ellipsoid, in a box along its axes. There

.. math:: \nabla^2\mathcal{L} \ge -\Big(q^{2N}E_iL^-_i + C_LE_i\|\nabla l_i(w)\| + C_bb\Big)I,
          \qquad \nabla^2l_i \ge -L^-_iI,\ L^-_i \ge 0,

as :math:`\nabla^2\mathcal{L}_i` is :math:`P\,\nabla^2l_i(\tilde w_N)P^T`, :math:`\|P\| \le q^N`, plus what the
derivative of P contributes, which the proof of Proposition 1 bounds (with :math:`C_b` of its finite-sum form, b = 0 for
tasks with one loss).
"""

from functools import lru_cache

import numpy as np

from maml_bench.adaptation import exact_path
from maml_bench.algorithms.outer_loop import slopes
from maml_bench.claims.bisection import lowest
from maml_bench.meta_gradient import exact_meta_gradient_along, meta_objective
from maml_bench.problems.finite_sum import TaskPairs
from maml_bench.problems.noise import population
from maml_bench.setting import Setting, losses

WEIGHTS = np.geomspace(1e-3, 1e3, 121)
MOST_DIMENSIONS = 5
EVALUATIONS = 400_000
CLOSE = 0.01
"""The search ends when this fraction of the start's height above the least value seen is left open."""

DESCENT = 200


def gap(setting: Setting) -> float:
    """The meta objective at w less a proved lower bound of its infimum; inf where none is known."""
    support, target = losses(setting)
    start = meta_objective(support, setting.w, setting.inner.alpha, setting.inner.steps, target).mean()
    return max(float(start - lowest_objective(setting)), 0.0)


def lowest_objective(setting: Setting) -> float:
    """A proved lower bound of the meta objective; -inf where none is known."""
    support, target = map(population, losses(setting))
    alpha, N = setting.inner.alpha, setting.inner.steps
    found = [np.mean(getattr(target, "infimum", -np.inf))]
    if _state((support, target), "affine_gradient", "A", "b"):
        found.append(_minimum(*_adapted(support, target, alpha, N)))
    if _state((support, target), "A", "b", "amplitude", "frequency"):
        distance = setting.tasks.b if isinstance(setting.tasks, TaskPairs) else 0.0
        found.append(_waves(support, target, distance, alpha, N, tuple(setting.w)))
    return float(max(found))


def _state(pair, *names: str) -> bool:
    """Whether both families state what a lower bound is computed from."""
    return all(hasattr(tasks, name) for tasks in pair for name in names)


def _adapted(support, target, alpha: float, N: int, t: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the quadratic parts: ``x.Ax/2 - b.x - (t/2)||Ax - b||^2`` at the end x of the inner path, as a quadratic in w.

    Its matrix, linear part and constant; see `_minimum`.
    """
    step = np.eye(support.dim) - alpha * support.A
    powers = [np.linalg.matrix_power(step, j) for j in range(N + 1)]
    shift = np.matvec(alpha * sum(powers[:-1]), support.b)  # x = step^N w + shift
    slope = np.matvec(target.A, shift) - target.b
    constant = np.vecdot(shift, slope - target.b) / 2 - t / 2 * np.vecdot(slope, slope)
    matrix = powers[-1] @ (target.A - t * target.A @ target.A) @ powers[-1]
    return matrix, np.matvec(powers[-1], t * np.matvec(target.A, slope) - slope), constant


@lru_cache(maxsize=64)
def _waves(support, target, distance: float, alpha: float, N: int, start: tuple) -> float:
    """The lower bound for trigonometric tasks; the start enters only by how close is close enough."""
    depth = np.abs(target.amplitude).sum(-1)
    slope = np.sqrt(np.sum(support.amplitude**2 * np.vecdot(support.frequency, support.frequency), axis=-1))
    step = np.linalg.norm(np.eye(support.dim) - alpha * support.A, 2)
    away = alpha * slope * np.sum(step ** np.arange(N))
    best, below = -np.inf, None
    for t in WEIGHTS / (np.linalg.norm(target.A, 2) or 1.0):
        matrix, linear, constant = _adapted(support, target, alpha, N, t)
        value = _minimum(matrix, linear, constant - depth - away**2 / (2 * t))
        if value > best:
            best, below = value, (matrix, linear.reshape(-1, target.dim).mean(0))
    if below is None or target.dim > MOST_DIMENSIONS:
        return best
    return max(best, _searched(support, target, distance, alpha, N, np.array(start), best, *below))


def _searched(support, target, distance, alpha, N, start, least, matrix, linear) -> float:
    """Branch and bound where ``w.Mw/2 - v.w`` plus a constant, at least ``least``, is below an attained value."""
    L = max(support.regularity.L, target.regularity.L)
    rho = max(support.regularity.rho, target.regularity.rho)
    q = 1 + alpha * L
    axes = tuple(range(1, 1 + len(target.batch_shape)))
    waves = target.frequency.swapaxes(-1, -2) @ (np.abs(target.amplitude)[..., None] * target.frequency)
    concave = np.maximum(np.linalg.eigvalsh(waves - target.A)[..., -1], 0.0).mean()
    C_L, C_b = slopes(L, rho, alpha, N)
    values, vectors = np.linalg.eigh(matrix)

    def function(points, radii):
        w = np.expand_dims(points @ vectors.T, axes)
        path = exact_path(support, w, alpha, N)
        gradients = exact_meta_gradient_along(support, path, alpha, target).mean(axes)
        sizes = np.linalg.norm(target.grad(w), axis=-1).mean(axes) + L * radii
        curvature = q ** (2 * N) * concave + C_L * sizes + C_b * distance
        return target.loss(path[-1]).mean(axes), gradients @ vectors, curvature

    centre = (vectors.T @ linear) / values
    points = np.stack([vectors.T @ start, centre])
    none = np.zeros(len(points))
    height = function(points, none)[0][0]
    for _ in range(DESCENT):
        points = points - function(points, none)[1] / (2 * q ** (2 * N) * L)
    attained = float(np.nanmin([height, *function(points, none)[0]]))
    half = np.sqrt(2 * max(attained - least, 0.0) / values)
    return lowest(function, centre, half, attained, CLOSE * (height - attained), EVALUATIONS)


def _minimum(matrix: np.ndarray, linear: np.ndarray, constant: np.ndarray) -> float:
    """The minimum over w of the mean over tasks of ``w.Mw/2 - v.w + constant``; -inf unless M is positive definite."""
    dim = linear.shape[-1]
    matrix, linear = matrix.reshape(-1, dim, dim).mean(0), linear.reshape(-1, dim).mean(0)
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    if values[0] <= 1e-12 * np.abs(values).max():
        return -np.inf
    along = vectors.T @ linear
    return float(np.mean(constant) - np.sum(along**2 / values) / 2)
