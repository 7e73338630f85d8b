r"""A certified lower bound of the meta objective: what the convergence theorems call its infimum.

The largest of those that are known is taken, each with its proof.

*Task by task.* :math:`\mathcal{L}_i(w) = l_i(\tilde w_N)` is a value of the task's loss, so
:math:`\inf\mathcal{L} \ge E_i\inf l_i`, and families prove an ``infimum`` of their losses.

*Quadratics.* :math:`\tilde w_N = M^Nw + \alpha\sum_{j<N}M^jb`, :math:`M = I - \alpha A`, is affine in w, and so the
meta objective is a quadratic whose minimum is a linear system.

*Quadratics with waves.* Let :math:`l_i(w) \ge \frac12w^TA_iw - b_i\cdot w - h_i` and
:math:`\|\nabla l_i(w) - (A_iw - b_i)\| \le s_i`. A gradient step from u lowers the loss by at most
:math:`\alpha(1+\alpha L/2)\|\nabla l_i(u)\|^2`, and gradients grow by at most q a step, so

.. math:: \mathcal{L}_i(w) \ge l_i(w) - c\,\|\nabla l_i(w)\|^2,\qquad
          c = \alpha\Big(1+\frac{\alpha L}2\Big)\sum_{j<N}q^{2j}.

With :math:`\|\nabla l_i\|^2 \le (1+t)\|A_iw-b_i\|^2 + (1+1/t)s_i^2` the right side is a quadratic for every t > 0; the
best of a grid of t is taken. Its mean over tasks has a much larger minimum than the tasks have by themselves.
"""

import numpy as np

from maml_bench.exact import population
from maml_bench.problems.finite_sum import TaskPairs
from maml_bench.problems.quadratic import Quadratic
from maml_bench.problems.trigonometric import Trigonometric
from maml_bench.setting import Setting, losses

WEIGHTS = np.geomspace(1e-3, 1e3, 121)


def lowest_objective(setting: Setting) -> float:
    """A proved lower bound of the meta objective; -inf where none is known."""
    support, target = map(population, losses(setting))
    found = [np.mean(getattr(target, "infimum", -np.inf))]
    if isinstance(support, Quadratic) and isinstance(target, Quadratic):
        found.append(_after_steps(setting, support, target))
    if isinstance(target, Trigonometric) and not isinstance(setting.tasks, TaskPairs):
        found.append(_with_waves(setting, target))
    return float(max(found))


def _after_steps(setting: Setting, support: Quadratic, target: Quadratic) -> float:
    alpha, N, eye = setting.inner.alpha, setting.inner.steps, np.eye(support.dim)
    step = eye - alpha * support.A
    powers = [np.linalg.matrix_power(step, j) for j in range(N + 1)]
    shift = np.matvec(alpha * sum(powers[:-1]), support.b)
    pull = np.matvec(target.A, shift) - target.b
    constant = np.vecdot(shift, pull - target.b) / 2
    return _minimum(powers[-1] @ target.A @ powers[-1], np.matvec(powers[-1], -pull), constant)


def _with_waves(setting: Setting, tasks: Trigonometric) -> float:
    alpha, N, L = setting.inner.alpha, setting.inner.steps, tasks.regularity.L
    c = alpha * (1 + alpha * L / 2) * np.sum((1 + alpha * L) ** (2 * np.arange(N)))
    depth = np.abs(tasks.amplitude).sum(-1)
    slope = np.sum(tasks.amplitude**2 * np.vecdot(tasks.frequency, tasks.frequency), axis=-1)
    best = -np.inf
    for t in WEIGHTS:
        weight = 2 * c * (1 + t)
        matrix = tasks.A - weight * tasks.A @ tasks.A
        linear = tasks.b - weight * np.matvec(tasks.A, tasks.b)
        constant = -weight / 2 * np.vecdot(tasks.b, tasks.b) - depth - c * (1 + 1 / t) * slope
        best = max(best, _minimum(matrix, linear, constant))
    return best


def _minimum(matrix: np.ndarray, linear: np.ndarray, constant: np.ndarray) -> float:
    """The minimum over w of the mean over tasks of ``w.Mw/2 - v.w + constant``; -inf unless M is positive definite."""
    dim = linear.shape[-1]
    matrix, linear = matrix.reshape(-1, dim, dim).mean(0), linear.reshape(-1, dim).mean(0)
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    if values[0] <= 1e-12 * np.abs(values).max():
        return -np.inf
    along = vectors.T @ linear
    return float(np.mean(constant) - np.sum(along**2 / values) / 2)
