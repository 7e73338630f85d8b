r"""Softmax bandit, :math:`l(w) = -\sum_a\pi_a(w)r_a`, :math:`\pi = \mathrm{softmax}(w)`: score-function estimates, by
enumeration over actions.

With :math:`\bar r = \pi^Tr` the gradient is :math:`g = -\pi\circ(r - \bar r)` and the Hessian
:math:`\mathrm{diag}(g) - g\pi^T - \pi g^T`: differentiate :math:`\partial\pi_a/\partial w_b = \pi_a(1_{a=b} - \pi_b)`
once more.

One on-policy action :math:`a \sim \pi(w)` gives the estimates :math:`g_a = -r_as_a` and :math:`H_a = -r_a(s_as_a^T +
\nabla^2\log\pi_a)`, with the score :math:`s_a = e_a - \pi` and :math:`\nabla^2\log\pi_a = -(\mathrm{diag}\,\pi -
\pi\pi^T)`, the same for every a. They are unbiased, since :math:`\pi_as_a = \nabla\pi_a` and :math:`\pi_a(s_as_a^T +
\nabla^2\log\pi_a) = \nabla^2\pi_a`. A batch of n divides covariances by n. It does *not* divide :math:`E\|\hat H -
H\|^2` in the spectral norm by n, for which no such identity holds; for a fixed vector v it does divide
:math:`E\|(\hat H - H)v\|^2`.

Meta gradient. Given :math:`w_j`, the next point depends on the batch only through its action counts, which are
multinomial. Write :math:`G_j = (I - \alpha\hat H_j)G_{j+1}`, :math:`G_N = \hat g(w_N)`. The Hessian batch is
independent of the gradient batch given :math:`w_j`, so backwards

.. math:: E[G_j|w_j] = (I - \alpha H)\,E[G_{j+1}|w_j], \qquad
          E[G_jG_j^T|w_j] = (I - \alpha H)W(I - \alpha H) + \frac{\alpha^2}{D}\sum_a\pi_a(H_a - H)W(H_a - H),

with :math:`W = E[G_{j+1}G_{j+1}^T|w_j]`: a finite sum over paths.
"""

from itertools import combinations
from math import comb

import numpy as np
import scipy

from analytic.arguments import shaped, vector
from analytic.moments.path import PathMoments
from analytic.vocabulary import checked

PATH_LIMIT = 500_000


def policy(w) -> np.ndarray:
    """``softmax(w)`` along the last axis."""
    w = np.asarray(w, dtype=float)
    weight = np.exp(w - np.max(w, axis=-1, keepdims=True))
    return weight / np.sum(weight, axis=-1, keepdims=True)


def loss(rewards, w) -> float:
    """Minus the expected reward; rewards and w of shape (d,)."""
    rewards, w = _point(rewards, w)
    return float(-policy(w) @ rewards)


def grad(rewards, w) -> np.ndarray:
    """``-pi * (r - pi'r)``, shape (d,)."""
    return _grad(*_point(rewards, w))


def hess(rewards, w) -> np.ndarray:
    """``diag(g) - g pi' - pi g'`` with the gradient g, shape (d, d)."""
    return _hess(*_point(rewards, w))


def action_grads(rewards, w) -> np.ndarray:
    """Gradient estimate of each action, (actions, d)."""
    return _action_grads(*_point(rewards, w))


def action_hessians(rewards, w) -> np.ndarray:
    """Hessian estimate of each action, (actions, d, d)."""
    return _action_hessians(*_point(rewards, w))


def gradient_covariance(rewards, w, size=1) -> np.ndarray:
    """Covariance of the gradient estimate of a batch of ``size`` actions, (d, d)."""
    rewards, w = _point(rewards, w)
    checked({"S": size})
    return _gradient_covariance(rewards, w) / size


def gradient_variance(rewards, w, size=1) -> float:
    """``E ||g^ - g||^2`` of a batch."""
    return float(np.trace(gradient_covariance(rewards, w, size)))


def hessian_vector_variance(rewards, w, v, size=1) -> float:
    """``E ||(H^ - H) v||^2`` of a batch, v of shape (d,)."""
    rewards, w = _point(rewards, w)
    checked({"D": size})
    off = (_action_hessians(rewards, w) - _hess(rewards, w)) @ shaped("v", v, w.shape)
    return float(policy(w) @ np.sum(off**2, axis=-1) / size)


def hessian_frobenius_variance(rewards, w, size=1) -> float:
    """``E ||H^ - H||_F^2`` of a batch."""
    rewards, w = _point(rewards, w)
    checked({"D": size})
    off = _action_hessians(rewards, w) - _hess(rewards, w)
    return float(policy(w) @ np.sum(off**2, axis=(-2, -1)) / size)


def hessian_spectral_variance(rewards, w, size=1) -> float:
    """``E ||H^ - H||^2`` of a batch in the spectral norm, by enumeration over its action counts."""
    rewards, w = _point(rewards, w)
    checked({"D": size})
    counts, log_ways = _counts(len(w), size)
    off = np.tensordot(counts / size, _action_hessians(rewards, w), 1) - _hess(rewards, w)
    return float(_probabilities(counts, log_ways, w) @ np.linalg.norm(off, 2, axis=(-2, -1)) ** 2)


def meta_moments(rewards, w, alpha, steps, S, D, T) -> PathMoments:
    """Exact moments of the stochastic inner path and meta gradient, data drawn under the current point.

    Parameters
    ----------
    rewards, w : (d,) arrays
    alpha, steps, S, D, T : inner step size, steps, and actions per inner gradient, Hessian and final gradient

    Raises
    ------
    ValueError
        If there are more than `PATH_LIMIT` paths of action counts to enumerate.
    """
    rewards, w = _point(rewards, w)
    checked({"alpha": alpha, "steps": steps, "S": S, "D": D, "T": T})
    paths = comb(S + len(w) - 1, S) ** steps
    if paths > PATH_LIMIT:
        raise ValueError(f"S = {S}, steps = {steps}: {paths} paths to enumerate, the limit is {PATH_LIMIT}")

    exact, product = w, np.eye(len(w))
    for _ in range(steps):
        product = product @ (np.eye(len(w)) - alpha * _hess(rewards, exact))
        exact = exact - alpha * _grad(rewards, exact)
    gradient = product @ _grad(rewards, exact)

    counts, log_ways = _counts(len(w), S)
    points, mass = [w], [np.ones(())]
    for _ in range(steps):
        here = points[-1]
        batch = np.tensordot(counts / S, _action_grads(rewards, here), axes=(1, -2))
        points.append(here[..., None, :] - alpha * np.moveaxis(batch, 0, -2))
        mass.append(_probabilities(counts, log_ways, here))

    final = _grad(rewards, points[-1])
    mean, second = final, final[..., :, None] * final[..., None, :] + _gradient_covariance(rewards, points[-1]) / T
    distance = points[-1] - exact
    length = np.linalg.norm(distance, axis=-1)
    path = np.concatenate([distance, length[..., None], length[..., None] ** 2], axis=-1)
    for here, chance in zip(points[-2::-1], mass[:0:-1], strict=True):
        path = np.einsum("...c,...ci->...i", chance, path)
        mean = np.einsum("...c,...ci->...i", chance, mean)
        second = np.einsum("...c,...cij->...ij", chance, second)
        hessian = _hess(rewards, here)
        factor = np.eye(len(w)) - alpha * hessian
        off = _action_hessians(rewards, here) - hessian[..., None, :, :]
        spread = np.sum(policy(here)[..., None, None] * (off @ second[..., None, :, :] @ off), axis=-3)
        mean = np.matvec(factor, mean)
        second = factor @ second @ factor + alpha**2 / D * spread
    return PathMoments(
        path_bias=path[:-2],
        path_first=float(path[-2]),
        path_second=float(path[-1]),
        gradient=gradient,
        bias=mean - gradient,
        second_moment=float(np.trace(second)),
    )


def _grad(rewards, w):
    pi = policy(w)
    return -pi * (rewards - np.sum(pi * rewards, axis=-1, keepdims=True))


def _hess(rewards, w):
    pi, g = policy(w), _grad(rewards, w)
    cross = g[..., :, None] * pi[..., None, :]
    return g[..., None] * np.eye(len(rewards)) - cross - np.swapaxes(cross, -1, -2)


def _scores(w):
    return np.eye(w.shape[-1]) - policy(w)[..., None, :]


def _action_grads(rewards, w):
    return -rewards[:, None] * _scores(w)


def _action_hessians(rewards, w):
    pi, score = policy(w), _scores(w)
    curvature = pi[..., None] * np.eye(len(rewards)) - pi[..., :, None] * pi[..., None, :]
    outer = score[..., :, None] * score[..., None, :]
    return -rewards[:, None, None] * (outer - curvature[..., None, :, :])


def _gradient_covariance(rewards, w):
    off = _action_grads(rewards, w) - _grad(rewards, w)[..., None, :]
    return np.einsum("...a,...ai,...aj->...ij", policy(w), off, off)


def _counts(actions, size):
    """Every vector of action counts of a batch, (C, actions), with the logarithm of its number of orders."""
    # Counts are the gaps between bars among size + actions - 1 places.
    bars = np.array(list(combinations(range(size + actions - 1), actions - 1)))[::-1]
    counts = np.diff(bars, prepend=-1, append=size + actions - 1, axis=1) - 1
    return counts, scipy.special.gammaln(size + 1) - np.sum(scipy.special.gammaln(counts + 1), axis=1)


def _probabilities(counts, log_ways, w):
    """Multinomial probability of each row of counts at every point, (..., C)."""
    return np.exp(log_ways + scipy.special.log_softmax(w, axis=-1) @ counts.T)


def _point(rewards, w):
    rewards = vector("rewards", rewards)
    return rewards, shaped("w", w, rewards.shape)
