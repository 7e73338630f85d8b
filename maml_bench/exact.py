"""The one door to exact values: what a problem's left-hand sides are, wherever that can be computed without sampling.

Two functions: `path_moments` for the inner path and the meta gradient, `smoothings` for the loss seen through Gaussian
directions. Both first ask the family, which may have a method

- ``path_moments(w, inner, noise)`` -> `PathMoments` or None: ``noise`` is the sampling model that was added to the
  family (`NoisyTasks`), None for a family that brings its own. A sampling model may have values of its own, too;
- ``smoothings(w, nu)`` -> a list of `Smoothing`, one a task, or None: w has one row a task;
- ``affine_gradient = True``: its gradient is affine in w, as that of a quadratic;
- ``corners()`` -> (..., d, B): the points of each coordinate where second derivatives have corners, so that the
  quadrature can be split there.

Methods, not a table of families here: so a family of a user's own supplies its values where its losses stand, and this
file need not know it. What holds for any loss is done here: noise-free tasks, the first step, losses of one variable
by quadrature, two-point noise by enumeration. Nothing here asks whether bounds apply, so the values serve on a ball
too, where Gaussian directions leave the certificate (`RankOne`).
"""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from analytic.arguments import positive
from analytic.digits import as_floats, in_many_digits, is_precise, spectral_norm
from analytic.moments import quadrature
from analytic.moments.gaussian import Smoothing
from analytic.moments.path import PathMoments
from maml_bench.adaptation import InnerLoop
from maml_bench.arrays import listed
from maml_bench.meta_gradient import exact_meta_gradient
from maml_bench.problems.noise import population, states
from maml_bench.problems.protocol import Tasks
from maml_bench.setting import Setting, losses, single

__all__ = ["PathMoments", "Smoothing", "path_moments", "smoothings"]

QUADRATURE_POINTS, PRECISE_POINTS = 4_000_000, 60_000
"""Most points of a quadrature rule, for all tasks together: about a second of work; and with many digits, ten."""

MOST_PRODUCTS = 2**16
"""Most products in which many digits are kept, counted as those of two matrices for every step of every task."""

AGREEMENT = 1e-10
"""Relative distance of the values of two rules that count as one."""


def path_moments(tasks: Tasks, w: np.ndarray, inner: InnerLoop) -> PathMoments:
    """Exact moments of the stochastic inner path from w (d,) and of the meta gradient with the Hessians of batches.

    Returns
    -------
    PathMoments
        All tasks on one axis; None for every moment that is not known.
    """
    found = PathMoments()
    for source in (_any_loss, _family, _quadrature, _noise):
        if not found.complete:
            moments = source(tasks, w, inner)
            found = found.filled(moments and moments.listed(tasks.dim))
    return found


def smoothings(tasks: Tasks, w: np.ndarray, nu: float) -> list[Smoothing] | None:
    """The smoothed loss of every task at w (d,) or (*batch_shape, d), in the order of the cells; None where unknown.

    The sampling model plays no part.
    """
    own = getattr(population(tasks), "smoothings", None)
    return own and own(listed(w, tasks.batch_shape, 1), positive("nu", nu))


def smoothable(tasks: Tasks, w: np.ndarray) -> bool:
    """Whether the smoothed loss is known exactly at w."""
    return smoothings(tasks, w, 1.0) is not None


# --- of a setting, for claims


@lru_cache(maxsize=4)
def moments(setting: Setting) -> PathMoments:
    """`path_moments` of a setting; the last few are kept, since several claims ask for one setting's."""
    return path_moments(single(setting), setting.w, setting.inner)


def precisely(exact: Callable[[Setting], Any], setting: Setting) -> np.ndarray | None:
    """What ``exact(setting)`` is in many digits (`analytic.digits`), as floats, and None where they cannot be kept.

    The same code runs on numbers that refuse to become floats, so that none of them is lost on the way: a family or an
    estimator of one's own that does arithmetic alone has its values, too.
    """
    tasks = setting.tasks
    if math.prod(tasks.batch_shape) * tasks.dim**3 * setting.inner.steps > MOST_PRODUCTS:
        return None
    try:
        value = exact(in_many_digits(setting, keep=("regularity",)))
        return None if value is None else as_floats(value)
    except (AttributeError, TypeError, ValueError, NotImplementedError):  # somewhere there is need of floats
        return None


def meta_gradients(setting: Setting) -> np.ndarray:
    """The exact meta gradient of each task at w, shape (tasks, d)."""
    support, target = losses(setting)
    gradients = exact_meta_gradient(support, setting.w, setting.inner.alpha, setting.inner.steps, target)
    return gradients.reshape(-1, setting.tasks.dim)


def task_grad_norms(setting: Setting) -> np.ndarray:
    """The norm of each task's gradient at w, shape (tasks,)."""
    _, target = losses(setting)
    return np.linalg.norm(target.grad(setting.w), axis=-1).reshape(-1)


def meta_smoothness(setting: Setting) -> np.ndarray | None:
    """Supremum over u of ``||grad calL(w) - grad calL(u)|| / ||w - u||``: on quadratics,
    where the meta gradient is linear.
    """
    support, target = (population(tasks) for tasks in losses(setting))
    if not all(getattr(tasks, "affine_gradient", False) for tasks in (support, target)):
        return None
    adapted, judged = (listed(tasks.hess(setting.w), tasks.batch_shape, 2) for tasks in (support, target))
    product = np.linalg.matrix_power(np.eye(support.dim) - setting.inner.alpha * adapted, setting.inner.steps)
    return np.atleast_1d(spectral_norm((product @ judged @ product).mean(0, keepdims=True)))


# --- sources


def _any_loss(tasks, w, inner) -> PathMoments:
    """What needs no family: there is no bias without gradient noise; one step of certified noise has its variance."""
    known = {}
    if tasks.regularity.sigma_g == 0:
        gradient = exact_meta_gradient(tasks, w, inner.alpha, inner.steps)
        known = {"gradient": gradient, "bias": np.zeros_like(gradient)}
        if tasks.regularity.sigma_H == 0:
            known["second_moment"] = np.sum(gradient**2, axis=-1)
    if inner.steps == 1 and (states(tasks, "isotropic") or states(tasks, "additive")):
        known["path_bias"] = np.zeros((*tasks.batch_shape, tasks.dim))
        if states(tasks, "isotropic"):
            variance = inner.alpha**2 * tasks.noise.sigma_g**2 / inner.S
            known["path_second"] = np.full(tasks.batch_shape, variance)
    return PathMoments(**known)


def _family(tasks, w, inner) -> PathMoments | None:
    own = getattr(population(tasks), "path_moments", None)
    return own and own(w, inner, getattr(tasks, "noise", None))


def _quadrature(tasks, w, inner) -> PathMoments | None:
    """Losses of one variable with additive noise; only what a coarser rule confirms."""
    if not (states(tasks, "gaussian") and tasks.dim == 1):
        return None
    loss = tasks.population
    corners = getattr(loss, "corners", None)
    breaks = corners and _of_one_variable(corners(), tasks.batch_shape)
    table, panels = quadrature.HERMITE_NODES, 1
    if breaks is not None:
        table, panels = quadrature.PIECE_NODES, breaks.shape[-1] + quadrature.PANELS
    nodes = table.get(inner.steps)
    most = PRECISE_POINTS if is_precise(w) else QUADRATURE_POINTS
    if nodes is None or math.prod(tasks.batch_shape) * (nodes * panels) ** inner.steps > most:
        return None

    def derivative(of):
        """A function of points ``(*tasks, m)`` from one of points ``(m, *tasks, 1)``."""
        return lambda x: np.moveaxis(of(np.moveaxis(x, -1, 0)[..., None])[..., 0], 0, -1)

    slope, curvature = derivative(loss.grad), derivative(lambda w: loss.hess(w)[..., 0])
    start = np.broadcast_to(w[0], tasks.batch_shape)
    law = slope, curvature, start, inner.alpha, inner.steps, tasks.noise.sigma_g, inner.S, inner.T
    fine: Any
    fine, coarse = (quadrature.path_moments(*law, breaks=breaks, nodes=n) for n in (nodes, nodes - max(2, nodes // 8)))

    def confirmed(name):
        value, other = getattr(fine, name), getattr(coarse, name)
        gap, size, scale = map(as_floats, (value - other, value, fine.gradient if name == "bias" else value))
        rounding = 0.0 if is_precise(w) else 1e-13 * np.abs(scale)
        return value if np.all(np.abs(gap) <= AGREEMENT * np.abs(size) + rounding) else None

    return PathMoments(**{name: confirmed(name) for name in vars(fine)})


def _of_one_variable(corners, batch_shape):
    """Corners ``(..., 1, B)`` as ``(*batch_shape, B)``."""
    return np.broadcast_to(corners, (*batch_shape, *corners.shape[-2:]))[..., 0, :]


def _noise(tasks, w, inner) -> PathMoments | None:
    """What the sampling model states."""
    own = getattr(getattr(tasks, "noise", None), "path_moments", None)
    return own and own(population(tasks), w, inner)
