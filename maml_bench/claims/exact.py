"""Exact left-hand sides: which problems have one, and where `analytic.moments` computes it."""

import math

import numpy as np

from analytic.moments import quadratic
from maml_bench.problems.quadratic import Quadratic
from maml_bench.problems.sampling import AdditiveGaussian, NoisyTasks
from maml_bench.setting import Setting


def _quadratic_with_additive_noise(setting: Setting) -> bool:
    tasks = setting.tasks
    return (
        isinstance(tasks, NoisyTasks)
        and isinstance(tasks.population, Quadratic)
        and isinstance(tasks.noise, AdditiveGaussian)
    )


def _each_task(setting: Setting):
    """The Hessian of each task of a quadratic family."""
    tasks = setting.tasks.population
    return np.broadcast_to(tasks.A, (*tasks.batch_shape, tasks.dim, tasks.dim)).reshape(-1, tasks.dim, tasks.dim)


def _cells(setting: Setting) -> int:
    return math.prod(setting.tasks.batch_shape)


def path_second_moment(setting: Setting) -> np.ndarray | None:
    """E ||w_N - w~_N||^2 for each task.

    On quadratics with additive noise it is the trace of the path's covariance; after one step of any noisy tasks it is
    ``alpha^2 sigma_g^2 / S``, since both sampling models have that variance at every point.
    """
    inner, dim = setting.inner, setting.tasks.dim
    if inner.steps == 1 and isinstance(setting.tasks, NoisyTasks):
        return np.full(_cells(setting), inner.alpha**2 * setting.tasks.noise.sigma_g**2 / inner.S)
    if not _quadratic_with_additive_noise(setting):
        return None
    noise = setting.tasks.noise.sigma_g**2 / dim * np.eye(dim)
    covariances = [quadratic.path_covariance(A, inner.alpha, inner.steps, noise, inner.S) for A in _each_task(setting)]
    return np.trace(np.array(covariances), axis1=-2, axis2=-1)


def path_drift(setting: Setting) -> np.ndarray | None:
    """||E w_N - w~_N|| for each task: 0 where w_N is linear in the noise, as on quadratics with additive noise and after one step."""
    one_step = setting.inner.steps == 1 and isinstance(setting.tasks, NoisyTasks)
    return np.zeros(_cells(setting)) if one_step or _quadratic_with_additive_noise(setting) else None
