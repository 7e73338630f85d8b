"""The inner loop: N gradient steps on one task, with exact gradients (eq. 1) or stochastic ones (eq. 6)."""

import math
from dataclasses import dataclass

import numpy as np

from analytic.arguments import natural, positive, settle
from maml_bench.arrays import fits
from maml_bench.problems.protocol import Tasks, WithGradients


@dataclass(frozen=True)
class InnerLoop:
    """Parameters of the inner loop.

    Parameters
    ----------
    alpha : float
        Inner step size, > 0.
    steps : int
        N, the number of inner gradient steps.
    S, D, T : int
        Samples per inner gradient, per Hessian estimate, and of the final gradient.

    Examples
    --------
    >>> from maml_bench import InnerLoop
    >>> InnerLoop(alpha=0.05, steps=4, S=2)
    InnerLoop(alpha=0.05, steps=4, S=2, D=1, T=1)
    """

    alpha: float
    steps: int
    S: int = 1
    D: int = 1
    T: int = 1

    def __post_init__(self):
        settle(self, alpha=positive, steps=natural, S=natural, D=natural, T=natural)


def exact_path(tasks: WithGradients, w: np.ndarray, alpha: float, steps: int) -> np.ndarray:
    """Inner path with population gradients (eq. 1 of arXiv 2002.07836).

    Parameters
    ----------
    w : array (..., d)
        Starting points; leading axes broadcast with the tasks.

    Returns
    -------
    array (steps + 1, ..., d)
        The points w_0, ..., w_N, with the broadcast leading axes.
    """
    return _path(tasks, w, alpha, steps, lambda point: None)


def stochastic_path(tasks: Tasks, w: np.ndarray, inner: InnerLoop, rng: np.random.Generator) -> np.ndarray:
    """Inner path with a fresh batch of ``inner.S`` samples at every step (eq. 6 of arXiv 2002.07836).

    Every leading index of ``w`` is an independent run. Shapes as in `exact_path`.
    """
    return _path(tasks, w, inner.alpha, inner.steps, lambda point: tasks.sample(rng, point, inner.S))


def _path(tasks, w, alpha, steps, draw):
    lead = np.broadcast_shapes(np.shape(w)[:-1], tasks.batch_shape)
    fits((steps + 1) * math.prod(lead) * tasks.dim, f"steps = {steps}, an inner path of dimension {tasks.dim}")
    path = np.empty((steps + 1, *lead, tasks.dim), dtype=np.result_type(w, float))
    path[0] = w
    for before, after in zip(path[:-1], path[1:], strict=True):
        np.multiply(tasks.grad(before, draw(before)), -alpha, out=after)
        after += before
    return path
