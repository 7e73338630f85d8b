r"""Bandits: inner path and meta gradient from data drawn under the current point, by enumeration over actions.

One action :math:`a \sim \pi(w)` gives unbiased estimates :math:`g_a` and :math:`H_a` of gradient and Hessian. A batch
of n divides their covariances by n, and :math:`E\|(\hat H - H)v\|^2` for a fixed vector v. It does *not* divide
:math:`E\|\hat H - H\|^2` in the spectral norm by n, for which no such identity holds.

Given :math:`w_j`, the next point depends on the batch only through its action counts, which are multinomial. Write
:math:`G_j = (I - \alpha\hat H_j)G_{j+1}`, :math:`G_N = \hat g(w_N)`. The Hessian batch is independent of the gradient
batch given :math:`w_j`, so backwards

.. math:: E[G_j|w_j] = (I - \alpha H)\,E[G_{j+1}|w_j], \qquad
          E[G_jG_j^T|w_j] = (I - \alpha H)W(I - \alpha H) + \frac{\alpha^2}{D}\sum_a\pi_a(H_a - H)W(H_a - H),

with :math:`W = E[G_{j+1}G_{j+1}^T|w_j]`: a finite sum over paths.
"""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np

from analytic.digits import is_precise
from analytic.moments.path import PathMoments
from analytic.moments.rules import log_factorials


def path_moments(
    log_policy: Callable, grad: Callable, hess: Callable, each: Any, w, alpha, steps: int, S: int, D: int, T: int
) -> PathMoments:
    """Exact moments of the stochastic inner path and meta gradient of one task from w (d,).

    There are ``comb(S + A - 1, S) ** steps`` paths, with A actions.

    Parameters
    ----------
    log_policy : callable
        Logarithms of the probabilities of the actions, (..., A) at points (..., d).
    grad, hess : callable
        ``grad(w)`` and ``hess(w)`` of the population; ``grad(w, each)`` and ``hess(w, each)`` the estimates of every
        action alone, from points (..., 1, d) that the actions were drawn under: (..., A, d) and (..., A, d, d).
    each : object
        What makes ``grad`` and ``hess`` return that.
    alpha, steps, S, D, T : inner step size, steps, and actions per inner gradient, Hessian and final gradient
    """

    def policy(here):
        return np.exp(log_policy(here))

    exact, product = w, np.eye(len(w))
    for _ in range(steps):
        product = product @ (np.eye(len(w)) - alpha * hess(exact))
        exact = exact - alpha * grad(exact)
    gradient = product @ grad(exact)

    counts, log_ways = _counts(log_policy(w).shape[-1], S, exactly=is_precise(w))
    points, mass = [w], [np.ones(())]
    for _ in range(steps):
        here = points[-1]
        batch = np.tensordot(counts, grad(here[..., None, :], each), axes=(1, -2)) / S
        points.append(here[..., None, :] - alpha * np.moveaxis(batch, 0, -2))
        mass.append(np.exp(log_ways + log_policy(here) @ counts.T))  # multinomial

    final = grad(points[-1])
    off = grad(points[-1][..., None, :], each) - final[..., None, :]
    covariance = np.einsum("...a,...ai,...aj->...ij", policy(points[-1]), off, off)
    mean, second = final, final[..., :, None] * final[..., None, :] + covariance / T
    distance = points[-1] - exact
    length = np.sqrt(np.vecdot(distance, distance))
    path = np.concatenate([distance, length[..., None], length[..., None] ** 2], axis=-1)
    for here, chance in zip(points[-2::-1], mass[:0:-1], strict=True):
        path = np.einsum("...c,...ci->...i", chance, path)
        mean = np.einsum("...c,...ci->...i", chance, mean)
        second = np.einsum("...c,...cij->...ij", chance, second)
        hessian = hess(here)
        factor = np.eye(len(w)) - alpha * hessian
        off = hess(here[..., None, :], each) - hessian[..., None, :, :]
        spread = np.sum(policy(here)[..., None, None] * (off @ second[..., None, :, :] @ off), axis=-3)
        mean = np.matvec(factor, mean)
        second = factor @ second @ factor + alpha**2 / D * spread
    return PathMoments(
        path_bias=path[:-2],
        path_first=path[-2],
        path_second=path[-1],
        gradient=gradient,
        bias=mean - gradient,
        second_moment=np.trace(second),
    )


def _counts(actions, size, exactly=False):
    """Every vector of action counts of a batch, (C, actions), with the logarithm of its number of orders."""
    # Counts are the gaps between bars among size + actions - 1 places.
    bars = np.array(list(combinations(range(size + actions - 1), actions - 1)))[::-1]
    counts = np.diff(bars, prepend=-1, append=size + actions - 1, axis=1) - 1
    factorials = log_factorials(size, exactly)
    return counts, factorials[size] - np.sum(factorials[counts], axis=1)
