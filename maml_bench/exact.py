"""Exact left-hand sides: which problems have one, and where `analytic.moments` computes it.

Families: quadratics with Gaussian or random-phase noise; losses of one variable with additive noise, by quadrature;
any tasks with two-point noise, and softmax bandits, where enumeration is affordable; and any tasks without sampling
noise. The smoothed loss: families with a ``smoothing(...)`` in `analytic.moments`; nothing here asks whether the
bounds apply, so the values serve on a ball too, where Gaussian directions leave the certificate (`RankOne`).
"""

import math
from functools import singledispatch

import numpy as np

from analytic.moments import kink, quadratic, quadrature, rank_one, separable, softmax_bandit, trigonometric, two_point
from analytic.moments.gaussian import Smoothing
from maml_bench.meta_gradient import exact_meta_gradient
from maml_bench.problems.kink import Kink
from maml_bench.problems.noise import AdditiveGaussian, Noise, NoisyTasks, RandomPhase, TwoPoint
from maml_bench.problems.piecewise import Piecewise
from maml_bench.problems.quadratic import Quadratic
from maml_bench.problems.rank_one import RankOne
from maml_bench.problems.softmax_bandit import SoftmaxBandit
from maml_bench.problems.trigonometric import Trigonometric
from maml_bench.setting import Setting, losses

QUADRATURE_POINTS = 4_000_000
"""Most points of a quadrature rule, for all tasks together: about a second of work."""


def meta_gradients(setting: Setting) -> np.ndarray:
    """The exact meta gradient of each task at w, shape (tasks, d)."""
    support, target = losses(setting)
    gradients = exact_meta_gradient(support, setting.w, setting.inner.alpha, setting.inner.steps, target)
    return gradients.reshape(-1, setting.tasks.dim)


def task_grad_norms(setting: Setting) -> np.ndarray:
    """The norm of each task's gradient at w, shape (tasks,)."""
    _, target = losses(setting)
    return np.linalg.norm(target.grad(setting.w), axis=-1).reshape(-1)


def path_first_moment(setting: Setting) -> np.ndarray | None:
    """E ||w_N - w~_N|| for each task, in one variable or for small bandits."""
    return _path(setting, "path_first")


def path_second_moment(setting: Setting) -> np.ndarray | None:
    """E ||w_N - w~_N||^2 for each task.

    On noisy quadratics it is the trace of the path's covariance; after one step of any noisy tasks it is
    ``alpha^2 sigma_g^2 / S``, since both sampling models have that variance at every point.
    """
    inner, dim = setting.inner, setting.tasks.dim
    if inner.steps == 1 and _certified_noise(setting):
        return np.full(_cells(setting), inner.alpha**2 * setting.tasks.noise.sigma_g**2 / inner.S)
    if not _noisy_quadratic(setting):
        return _path(setting, "path_second")
    noise = quadratic.isotropic(dim, setting.tasks.noise.sigma_g)
    return np.array(
        [quadratic.path_second_moment(A, inner.alpha, inner.steps, noise, inner.S) for A, _ in _quadratics(setting)]
    )


def path_drift(setting: Setting) -> np.ndarray | None:
    """||E w_N - w~_N|| for each task: 0 where w_N is linear in the noise, as on noisy quadratics and after one step."""
    if setting.inner.steps == 1 and _unbiased(setting) or _linear_path(setting):
        return np.zeros(_cells(setting))
    if moments := _two_point(setting):
        return np.linalg.norm(moments.path_bias, axis=-1).reshape(-1)
    bias = _path(setting, "path_bias")
    return None if bias is None else np.linalg.norm(bias.reshape(_cells(setting), -1), axis=-1)


def _path(setting: Setting, field: str) -> np.ndarray | None:
    """A moment of the inner path for each task, by quadrature or enumeration."""
    if moments := _quadrature(setting, field) or _two_point(setting):
        return getattr(moments, field).reshape(-1)
    bandits = _bandit(setting)
    return None if bandits is None else np.array([getattr(moments, field) for moments in bandits])


def meta_gradient_bias(setting: Setting) -> np.ndarray | None:
    """E G^_i - grad calL_i(w) for each task, shape (tasks, d), with the Hessians of batches."""
    if setting.tasks.regularity.sigma_g == 0 or _linear_path(setting):
        return np.zeros((_cells(setting), setting.tasks.dim))
    if moments := _quadrature(setting, "bias") or _two_point(setting):
        return moments.bias.reshape(-1, setting.tasks.dim)
    bandits = _bandit(setting)
    return None if bandits is None else np.array([moments.bias for moments in bandits])


def meta_gradient_second_moment(setting: Setting) -> np.ndarray | None:
    """E ||G^_i||^2 for each task, with the Hessians of batches."""
    inner, tasks = setting.inner, setting.tasks
    if tasks.regularity.sigma_g == tasks.regularity.sigma_H == 0:
        return np.sum(meta_gradients(setting) ** 2, axis=-1)
    if _noisy_quadratic(setting):
        noise = tasks.noise
        law = setting.w, inner.alpha, inner.steps, quadratic.isotropic(tasks.dim, noise.sigma_g), inner.S, inner.T
        return np.array(
            [
                quadratic.meta_gradient_second_moment(A, b, *law, _hessian_of_batch(A, noise, inner.D))
                for A, b in _quadratics(setting)
            ]
        )
    if moments := _quadrature(setting, "second_moment") or _two_point(setting):
        return moments.second_moment.reshape(-1)
    bandits = _bandit(setting)
    return None if bandits is None else np.array([moments.second_moment for moments in bandits])


def meta_smoothness(setting: Setting) -> np.ndarray | None:
    """Supremum over u of ``||grad calL(w) - grad calL(u)|| / ||w - u||``: on quadratics,
    where the meta gradient is linear.
    """
    support, target = (getattr(tasks, "population", tasks) for tasks in losses(setting))
    if not (isinstance(support, Quadratic) and isinstance(target, Quadratic)):
        return None
    product = np.linalg.matrix_power(
        np.eye(support.dim) - setting.inner.alpha * _hessians(support), setting.inner.steps
    )
    return np.linalg.norm((product @ _hessians(target) @ product).mean(0), 2)[None]


def _cells(setting: Setting) -> int:
    return math.prod(setting.tasks.batch_shape)


def _certified_noise(setting: Setting) -> bool:
    """The noise is one of those that have their certified variance at every point; of others it is an upper bound."""
    return isinstance(setting.tasks, NoisyTasks) and isinstance(setting.tasks.noise, Noise)


def _unbiased(setting: Setting) -> bool:
    """The noise is one of those that have mean zero at every point."""
    return isinstance(setting.tasks, NoisyTasks) and isinstance(setting.tasks.noise, Noise | TwoPoint)


def _linear_path(setting: Setting) -> bool:
    """The path, and the meta gradient given the Hessians, are linear in noise of mean zero."""
    return _unbiased(setting) and isinstance(setting.tasks.population, Quadratic)


def _noisy_quadratic(setting: Setting) -> bool:
    return _certified_noise(setting) and isinstance(setting.tasks.population, Quadratic)


def _quadratics(setting: Setting):
    """Hessian and linear term of each task of a noisy quadratic family."""
    tasks = setting.tasks.population
    b = np.broadcast_to(tasks.b, (*tasks.batch_shape, tasks.dim)).reshape(-1, tasks.dim)
    return zip(_hessians(tasks), b, strict=True)


def _hessians(tasks: Quadratic) -> np.ndarray:
    return np.broadcast_to(tasks.A, (*tasks.batch_shape, tasks.dim, tasks.dim)).reshape(-1, tasks.dim, tasks.dim)


def _hessian_of_batch(A, noise, D):
    if isinstance(noise, RandomPhase):
        return quadratic.random_phase_hessian(A, noise.amplitude, noise.kappa, D)
    return quadratic.exact_hessian(A)


def _quadrature(setting: Setting, field: str) -> quadrature.PathMoments | None:
    """Moments of tasks of one variable with additive noise; None unless a coarser rule gives the same ``field``."""
    tasks, inner = setting.tasks, setting.inner
    if not (isinstance(tasks, NoisyTasks) and isinstance(tasks.noise, AdditiveGaussian) and tasks.dim == 1):
        return None
    breaks = _corners(tasks.population)
    table, panels = quadrature.HERMITE_NODES, 1
    if breaks is not None:
        table, panels = quadrature.PIECE_NODES, breaks.shape[-1] + quadrature.PANELS
    nodes = table.get(inner.steps)
    if nodes is None or _cells(setting) * (nodes * panels) ** inner.steps > QUADRATURE_POINTS:
        return None

    def derivative(of):
        """A function of points ``(*tasks, m)`` from one of points ``(m, *tasks, 1)``."""
        return lambda x: np.moveaxis(of(np.moveaxis(x, -1, 0)[..., None])[..., 0], 0, -1)

    slope = derivative(tasks.population.grad)
    curvature = derivative(lambda w: tasks.population.hess(w)[..., 0])
    start = np.broadcast_to(setting.w[0], tasks.batch_shape)
    law = slope, curvature, start, inner.alpha, inner.steps, tasks.noise.sigma_g, inner.S, inner.T
    fine, coarse = (quadrature.path_moments(*law, breaks=breaks, nodes=n) for n in (nodes, nodes - max(2, nodes // 8)))
    value, other = getattr(fine, field), getattr(coarse, field)
    rounding = 1e-13 * (np.abs(fine.gradient) if field == "bias" else np.abs(value))
    return fine if np.all(np.abs(value - other) <= 1e-10 * np.abs(value) + rounding) else None


def _corners(tasks) -> np.ndarray | None:
    """Where the second derivative of each task has corners, ``(*tasks, corners)``; None for smooth losses."""
    if isinstance(tasks, Piecewise):
        return np.broadcast_to(tasks.knots, (*tasks.batch_shape, 1, tasks.knots.shape[-1]))[..., 0, :]
    if not isinstance(tasks, Kink):
        return None
    center = np.broadcast_to(tasks.center, (*tasks.batch_shape, 1))
    return center + tasks.radius * np.array([-1.0, 0.0, 1.0])


def _two_point(setting: Setting) -> two_point.TwoPointMoments | None:
    """Moments of tasks with two-point noise; None if there are too many paths to enumerate."""
    tasks, inner = setting.tasks, setting.inner
    if not (isinstance(tasks, NoisyTasks) and isinstance(tasks.noise, TwoPoint)):
        return None
    if _cells(setting) * (inner.S + 1) ** inner.steps > two_point.PATH_LIMIT:
        return None
    noise, loss = tasks.noise, tasks.population
    start = np.broadcast_to(setting.w, (*tasks.batch_shape, tasks.dim))
    law = start, noise.along(tasks.dim), inner.alpha, inner.steps, noise.sigma_g, inner.S, inner.T
    return two_point.path_moments(loss.grad, loss.hvp, noise.parameter, *law)


def _bandit(setting: Setting) -> list[softmax_bandit.MetaMoments] | None:
    """Moments of each bandit; None if there are too many paths to enumerate."""
    tasks, inner = setting.tasks, setting.inner
    if not isinstance(tasks, SoftmaxBandit):
        return None
    if _cells(setting) * math.comb(inner.S + tasks.dim - 1, inner.S) ** inner.steps > softmax_bandit.PATH_LIMIT:
        return None
    # Estimates are made from rewards less a baseline, the middle of their range; gradients and Hessians do not see it.
    middle = (tasks.rewards.max(-1, keepdims=True) + tasks.rewards.min(-1, keepdims=True)) / 2
    rewards = (tasks.rewards - middle).reshape(-1, tasks.dim)
    law = setting.w, inner.alpha, inner.steps, inner.S, inner.D, inner.T
    return [softmax_bandit.meta_moments(r, *law) for r in rewards]


# --- Gaussian smoothing


@singledispatch
def _smooth(tasks, each, w, nu) -> list[Smoothing] | None:
    """The smoothed loss of every task; ``each(field, core)`` and w have one row a task. None: it is not known.

    A family that is not listed here may have a method ``smoothings(w, nu)`` for itself, w with one row a task.
    """
    own = getattr(tasks, "smoothings", None)
    return own and own(w, nu)


@_smooth.register
def _(tasks: Quadratic, each, w, nu):
    return [quadratic.smoothing(*task, nu) for task in zip(each(tasks.A, 2), each(tasks.b, 1), w, strict=True)]


@_smooth.register
def _(tasks: Trigonometric, each, w, nu):
    fields = each(tasks.b, 1), each(tasks.amplitude, 1), each(tasks.frequency, 2), each(tasks.phase, 1), w
    return [trigonometric.smoothing(tasks.A, *task, nu) for task in zip(*fields, strict=True)]


@_smooth.register
def _(tasks: Kink, each, w, nu):
    fields = zip(each(tasks.center, 1), each(tasks.slope, 1), w, strict=True)
    return [kink.smoothing(center, slope, tasks.rho, tasks.radius, at, nu) for center, slope, at in fields]


@_smooth.register
def _(tasks: RankOne, each, w, nu):
    return [rank_one.smoothing(x, at, nu) for x, at in zip(each(tasks.x, 1), w, strict=True)]


@_smooth.register
def _(tasks: Piecewise, each, w, nu):
    def smooth(task, at):
        parts = [lambda x, order=order: task.derivative(order, x.T).T for order in range(3)]
        return separable.smoothing(*parts, task.knots, at, nu)

    alone = [tasks[index] for index in np.ndindex(tasks.batch_shape)] if tasks.batch_shape else [tasks]
    return [smooth(task, at) for task, at in zip(alone, w, strict=True)]


def population(tasks):
    """The tasks without their sampling model."""
    return tasks.population if isinstance(tasks, NoisyTasks) else tasks


def smoothable(tasks, w: np.ndarray) -> bool:
    """Whether the smoothed loss is known exactly at w."""
    listed = _smooth.dispatch(type(population(tasks))) is not _smooth.dispatch(object)
    return listed or smoothings(tasks, w, 1.0) is not None


def smoothings(tasks, w: np.ndarray, nu: float) -> list[Smoothing] | None:
    """The smoothed loss of every task at w (d,) or (*batch_shape, d), in the order of the cells; None where unknown."""

    def each(field, core):
        shape = (*tasks.batch_shape, *field.shape[field.ndim - core :])
        return np.broadcast_to(field, shape).reshape(-1, *shape[len(shape) - core :])

    return _smooth(population(tasks), each, each(w, 1), nu)
