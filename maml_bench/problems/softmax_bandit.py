"""Bandits with a softmax policy: data are drawn under the parameter, as in reinforcement learning."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analytic.arguments import generator, natural, settle, vectors
from analytic.brief import brief
from analytic.digits import is_precise
from analytic.moments import softmax_bandit as moments
from analytic.moments.path import PathMoments, stacked
from analytic.regularity import Regularity
from maml_bench.arrays import fits, into, last_axis_first, running_sums, select, singly
from maml_bench.problems.bowl import Bowl, round_bowl

PATH_LIMIT = 500_000
"""Most paths of action counts to enumerate, for all tasks together: about a second of work."""

PRECISE_LIMIT = 20_000
"""Most of them with many digits: some ten seconds of work."""


@dataclass(frozen=True, eq=False)
class SoftmaxBandit:
    """``l(w) = -sum_a pi_a(w) r_a`` with ``pi = softmax(w)``; the dimension is the number of actions.

    A sample is a batch of actions drawn from ``pi(w)``. At w it gives the score-function estimates with the middle of
    the reward range as baseline; at another point the same actions are weighted by their likelihood ratio, so that
    the estimate stays unbiased and its derivatives stay those of its loss.

    Parameters
    ----------
    rewards : array (..., A)
        At least two actions. Leading axes are task axes.

    Notes
    -----
    Certificate, valid everywhere, with ``R`` the largest reward range ``max_a r_a - min_a r_a`` of a task. Let |v| = 1.
    Derivatives along v are linear in the rewards, so they are largest for rewards in {0, R}; take R = 1. Then
    ``-l = P(a in G) = s(f)`` along v, with s the logistic function and f the difference of the log partition sums of
    G and its complement: f' is the difference x - c of their means of v, f'' that of the variances V, V', f''' and
    f'''' those of the third and fourth cumulants.

    *Lemma.* ``x^2 + 2V <= sum_(a in G) v_a^2``, that is ``I - 2 diag(p) + pp'`` is positive semidefinite for a
    probability vector p. This is plain if all p_a <= 1/2. Otherwise let p_1 = 1 - e > 1/2, v_1 = 1 and
    ``y = sum_(a>1) p_a v_a``; by Cauchy-Schwarz and ``sum_(a>1) p_a^2/(1 - 2p_a) <= e^2/(1 - 2e)`` the form is at
    least ``(y + 1 - e)^2 + y^2 (1 - 2e)/e^2 - (1 - 2e) = (y(1 - e)/e + e)^2``.

    With ``m = V + V'`` it gives ``|f'| <= (2(1 - 2m))^(1/2)``, ``|f''| <= m <= 1/2``; since v has range at most
    2^(1/2), ``|f'''| <= 2^(1/2) m`` and ``|f''''| <= 2m``. The suprema of |s'|, |s''|, |s'''|, |s''''| are 1/4, 1/(6
    sqrt 3), 1/8 and 0.1277. Spectral norms of symmetric forms are attained on the diagonal, so the chain rule yields

    - gradient: ``||grad l|| <= sqrt(2)/4 R`` (at m = 0);
    - ``L = R/(3 sqrt 3)``: for P(G) = p the second derivative is at most ``p(1 - p)(V + (1 - 2p) f'^2)``, linear in V,
      and both ends, ``2p(1 - p)(1 - 2p)`` and ``p(1 - p)/2``, are at most 1/(3 sqrt 3);
    - ``rho = sqrt(2)/4 R``: with a = sqrt(2)/4, b = 1/sqrt 6 the bound is
      ``a(1 - 2m)^(3/2) + b m (1 - 2m)^(1/2) + a m``, and ``(1 - 2m)^(1/2) <= 1 - m`` makes that at most
      ``a - (2a - b) m(1 - m) <= a``;
    - ``tau = 0.603 R``: in the same way at most ``0.511 + 0.727m - 1.438m^2``.

    L, rho and the gradient bound are attained in the limit by two actions, the best and the worst; tau is not known to
    be attained, the two reach ``4 * 0.1277 R``, 85 % of it. Noise, attained by two actions and else as A grows: a
    variance is a convex function of the rewards less the baseline, which are at most R/2 in size. With y = e_a - pi,
    ``E||y||^2 = 1 - |pi|^2 <= 1 - 1/A`` gives ``sigma_g^2 = (R^2/4)(1 - 1/A)``. In Frobenius norm (which bounds the
    spectral one) ``E||yy' - cov||^2 = 1 - 3|pi|^2 - 4|pi|^4 + 6 sum pi_a^3``; with ``sum pi_a^3 <= |pi|^3`` it
    decreases in ``|pi|^2 >= 1/A``, so ``sigma_H^2 = (R^2/4)(1 - 3/A + 6/A^(3/2) - 4/A^2)``. For A = 2 both are known
    exactly: with y = p(1 - p) the variances are ``R^2 y(1 - 4y)/2`` and ``R^2 y(1 - 4y)^2``, at most ``R^2/32`` and
    ``R^2/27``. Heterogeneity: the gradient is linear in the rewards, so the gradient bound applied to a task's rewards
    less their mean over tasks gives ``sigma^2 = mean_i (range of r_i - mean r)^2 / 8``.

    Raises
    ------
    ValueError
        If a reward is not finite or there are fewer than two actions.

    Examples
    --------
    >>> from maml_bench.problems import SoftmaxBandit
    >>> tasks = SoftmaxBandit(rewards=np.array([[1.0, 0.0]]))
    >>> tasks.loss(np.zeros(2)), tasks.grad(np.zeros(2))
    (array([-0.5]), array([[-0.25,  0.25]]))
    """

    __repr__ = brief

    rewards: np.ndarray

    def __post_init__(self):
        settle(self, rewards=vectors)
        if self.dim < 2:
            raise ValueError(f"rewards has shape {self.rewards.shape}: the last axis must have at least 2 actions")

    @classmethod
    def random(cls, dim: int, tasks: int, rng) -> "SoftmaxBandit":
        """``dim`` actions with rewards uniform in [0, 1]."""
        if natural("dim", dim) < 2:
            raise ValueError(f"dim = {dim}: must be at least 2, a bandit's actions")
        fits(natural("tasks", tasks) * natural("dim", dim), f"dim = {dim}, tasks = {tasks}")
        return cls(generator("rng", rng).uniform(0, 1, (tasks, dim)))

    @property
    def dim(self) -> int:
        return self.rewards.shape[-1]

    @property
    def batch_shape(self) -> tuple[int, ...]:
        return self.rewards.shape[:-1]

    @cached_property
    def regularity(self) -> Regularity:
        R, A = np.ptp(self.rewards, axis=-1).max(), self.dim
        spread = np.ptp(self.rewards - self.rewards.reshape(-1, A).mean(0), axis=-1)
        gradient, hessian = (1 - 1 / A) / 4, (1 - 3 / A + 6 / A**1.5 - 4 / A**2) / 4
        if A == 2:
            gradient, hessian = 1 / 32, 1 / 27
        return Regularity(
            L=R / np.sqrt(27),
            rho=R / np.sqrt(8),
            tau=0.603 * R,
            sigma=np.sqrt(np.mean(spread**2) / 8),
            sigma_g=R * np.sqrt(gradient),
            sigma_H=R * np.sqrt(hessian),
        )

    @property
    def largest_noise(self) -> float:
        """No sample drawn under w has a gradient at w farther from its mean than this.

        With the baseline an action's estimate has the norm ``|r_a - b| ||e_a - pi|| <= (R/2) sqrt(2)``, and the mean
        at most ``(sqrt(2)/4) R``.
        """
        return float(0.75 * np.sqrt(2) * np.ptp(self.rewards, axis=-1).max())

    @property
    def largest_hessian_noise(self) -> float:
        """No sample drawn under w has a Hessian at w farther from its mean than this, in the spectral norm.

        With the baseline an action's estimate is ``|r_a - b| <= R/2`` times ``(e_a - pi)(e_a - pi)'`` less
        ``diag(pi) - pi pi'``, both positive semidefinite, of norms at most 2 and 1/2: at most R; the mean is at most L.
        """
        return float(np.ptp(self.rewards, axis=-1).max() + self.regularity.L)

    @property
    def infimum(self) -> np.ndarray:
        """The infimum of each task: minus its largest reward."""
        return -self.rewards.max(-1)

    @cached_property
    def bowl(self) -> Bowl | None:
        """No curvature that lasts: the gradient of a task is at most ``(sqrt(2)/4) R``."""
        slope = np.ptp(self.rewards, axis=-1).reshape(-1) / np.sqrt(8)
        return round_bowl(0.0, np.zeros((len(slope), self.dim)), slope, self.regularity.L)

    def __getitem__(self, index) -> "SoftmaxBandit":
        return select(self, index, rewards=1)

    def sample(self, rng: np.random.Generator, w: np.ndarray, size: int) -> "Actions":
        """``size`` actions drawn from softmax(w), for each leading index of ``w`` and each task."""
        shape = np.broadcast_shapes(w.shape[:-1], self.batch_shape)
        return Actions(w, policy(w), np.asfortranarray(rng.random((*shape, size))))

    @cached_property
    def _below_middle(self):
        return np.asfortranarray(_below_middle(self.rewards))

    def _terms(self, w, sample):
        """The policy, and for each action its share of the loss above minus the baseline."""
        pi = sample.policy if isinstance(sample, Actions) and w is sample.point else policy(w)
        weight = pi if sample is None else sample.weights(w)
        return pi, weight * self._below_middle

    def loss(self, w, sample=None):
        return self._terms(w, sample)[1].sum(-1) - _middle(self.rewards)[..., 0]

    def grad(self, w, sample=None):
        pi, share = self._terms(w, sample)
        return into(np.subtract, share, share.sum(-1, keepdims=True) * pi)

    def hvp(self, w, v, sample=None):
        pi, share = self._terms(w, sample)
        total, mean = share.sum(-1, keepdims=True), (pi * v).sum(-1, keepdims=True)
        return share * (v - mean) - pi * ((share * v).sum(-1, keepdims=True) + total * (v - 2 * mean))

    def hess(self, w, sample=None):
        pi, share = self._terms(w, sample)
        total = share.sum(-1, keepdims=True)[..., None]
        cross = share[..., :, None] * pi[..., None, :]
        outer = pi[..., :, None] * pi[..., None, :]
        diagonal = (share - total[..., 0] * pi)[..., None] * np.eye(self.dim)
        return diagonal - cross - cross.swapaxes(-1, -2) + 2 * total * outer

    def path_moments(self, w, inner, noise) -> PathMoments | None:
        """Exact moments by enumeration of the paths; None if there are too many, or under added noise."""
        paths = math.comb(inner.S + self.dim - 1, inner.S) ** inner.steps
        limit = PRECISE_LIMIT if is_precise(w) else PATH_LIMIT
        if noise is not None or math.prod(self.batch_shape) * paths > limit:
            return None
        law = w, inner.alpha, inner.steps, inner.S, inner.D, inner.T
        each = Shares(np.eye(self.dim))
        return stacked([moments.path_moments(log_policy, task.grad, task.hess, each, *law) for task in singly(self)])


def _middle(rewards):
    """The baseline of estimates: the middle of the range of the rewards."""
    return (rewards.max(-1, keepdims=True) + rewards.min(-1, keepdims=True)) / 2


def _below_middle(rewards):
    return _middle(rewards) - rewards


def policy(w: np.ndarray) -> np.ndarray:
    """Probabilities of the actions; sums over actions are what a bandit's time goes into, so these come last axis first
    in memory.
    """
    odds = last_axis_first(w)
    odds = np.exp(odds - odds.max(-1, keepdims=True))
    return into(np.divide, odds, odds.sum(-1, keepdims=True))


def log_policy(w: np.ndarray) -> np.ndarray:
    """Logarithms of the probabilities of the actions."""
    least = w - w.max(-1, keepdims=True)
    return least - np.log(np.exp(least).sum(-1, keepdims=True))


@dataclass(frozen=True, eq=False)
class Shares:
    """A batch at the point it was drawn under: the share (..., A) of it that each action has."""

    __repr__ = brief

    share: np.ndarray

    def weights(self, w):
        return self.share


@dataclass(frozen=True, eq=False)
class Actions:
    """Actions drawn by inversion of uniform numbers ``(..., batch)``; the mirror image uses ``1 - uniform``."""

    __repr__ = brief

    point: np.ndarray
    policy: np.ndarray
    uniform: np.ndarray

    def __neg__(self):
        return Actions(self.point, self.policy, 1 - self.uniform)

    @cached_property
    def frequency(self) -> np.ndarray:
        """The share of the batch that each action has, shape (..., A)."""
        steps = running_sums(self.policy)[..., :-1]
        below = (self.uniform[..., None, :] < steps[..., None]).mean(-1)
        share = np.empty_like(below, shape=(*below.shape[:-1], self.policy.shape[-1]))
        share[..., :-1], share[..., -1] = below, 1
        share[..., 1:] -= below
        return share

    def weights(self, w):
        """Frequencies times the likelihood ratio of w to the parameter they were drawn under."""
        if w is self.point:
            return self.frequency
        drawn = self.frequency > 0
        ratio = np.exp(np.where(drawn, log_policy(w) - log_policy(self.point), 0.0))
        return self.frequency * ratio
