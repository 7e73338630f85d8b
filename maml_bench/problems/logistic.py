"""Logistic regression tasks: a support set to adapt on, a target set to be judged on."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy

from analytic.arguments import common_shape, generator, labels, last_axis, matrices, natural, nonnegative, settle
from analytic.brief import brief
from analytic.regularity import Regularity
from maml_bench.arrays import fits, into, matvec, select, transposed_matvec
from maml_bench.problems.bowl import Bowl
from maml_bench.problems.finite_sum import FiniteSum

NEWTON_STEPS = 12

LARGEST_MARGIN = 700.0
"""A larger one counts as this one: its logistic function, below 1e-304, is 0 for every sum that it enters."""


@dataclass(frozen=True, eq=False)
class LogisticLoss:
    """``l(w) = mean_j log(1 + exp(-y_j x_j.w)) + (ridge/2)||w||^2``; a sample is a batch of points, drawn with
    replacement.

    Parameters
    ----------
    X : array (..., n, d)
        Data; leading axes are task axes. A task whose data are all zero is refused.
    y : array (..., n)
        Labels, -1 or 1.
    ridge : float

    Notes
    -----
    Certificate, valid everywhere; each constant is the largest over tasks. Write ``z_j = y_j x_j``. The derivatives of
    log(1 + exp(-m)) of order 1 to 4 are at most 1, 1/4, 1/(6 sqrt 3) and 1/8 in size, so along a unit vector v

    - ``L = ridge + max ||X'X/n||/4``, attained at w = 0;
    - ``rho``: ``mean_j |x_j.v|^3 <= v' mean_j(|x_j| x_j x_j') v``, whose norm over 6 sqrt 3 is the constant;
    - ``tau``: likewise ``||mean_j |x_j|^2 x_j x_j'||/8``. Both are attained by one data point.

    The gradient is ``ridge w - mean_j p_j z_j`` with p_j in [0, 1]: half the mean of z, plus a remainder of norm at
    most ``G = min(mean |z_j|, ||X||/sqrt n)/2`` (triangle; Cauchy-Schwarz). By Minkowski
    ``sigma <= sd_i(mean z / 2) + (mean_i G_i^2)^(1/2)``.

    One point: a variance is at most the mean squared distance to any centre. Gradients ``-p_j z_j`` about
    ``-t mean z``: the squared distance is convex in p_j, so
    ``sigma_g^2 = mean_j max(|t mean z|^2, |z_j - t mean z|^2)``; the least over a grid of t is taken. Hessians
    ``s_j x_j x_j'``, s_j in [0, 1/4], about ``(t/4) M`` with ``M = X'X/n``, in Frobenius norm:
    ``sigma_H^2 = mean_j max(||t M||^2, ||x_j x_j' - t M||^2)/16``. Both are attained by a point and the origin with
    labels 1, sigma in the limit of many orthogonal tasks of one point each.

    Raises
    ------
    ValueError
        If labels are not -1 or 1, a task's data are all zero, ridge is negative, or shapes do not match.

    Examples
    --------
    >>> from maml_bench.problems import LogisticLoss
    >>> loss = LogisticLoss(X=np.ones((1, 4, 2)), y=np.array([[1.0, 1.0, -1.0, -1.0]]))
    >>> loss.loss(np.zeros(2)).round(6), loss.grad(np.zeros(2))
    (array([0.693147]), array([[0., 0.]]))
    """

    __repr__ = brief

    X: np.ndarray
    y: np.ndarray
    ridge: float = 0.0

    def __post_init__(self):
        settle(self, X=matrices, y=labels, ridge=nonnegative)
        last_axis("y", self.y, self.points, like="the rows of X")
        common_shape(X=self.X.shape[:-2], y=self.y.shape[:-1])
        if not self.X.any(axis=(-2, -1)).all():
            raise ValueError("X: the data of a task are all zero: each task needs a point that is not 0")

    @property
    def dim(self) -> int:
        return self.X.shape[-1]

    @property
    def points(self) -> int:
        """Number of data points of a task."""
        return self.X.shape[-2]

    @cached_property
    def batch_shape(self) -> tuple[int, ...]:
        return np.broadcast_shapes(self.X.shape[:-2], self.y.shape[:-1])

    @cached_property
    def signed(self) -> np.ndarray:
        """``y_j x_j``, shape (..., n, d)."""
        return self.y[..., None] * self.X

    @cached_property
    def regularity(self) -> Regularity:
        length = np.linalg.norm(self.X, axis=-1, keepdims=True)
        return Regularity(
            L=self.ridge + (_top(self.X) / 4).max(),
            rho=(_top(np.sqrt(length) * self.X) / (6 * np.sqrt(3))).max(),
            tau=(_top(length * self.X) / 8).max(),
            sigma=self._heterogeneity(),
            sigma_g=np.sqrt(self._gradient_variance().max()),
            sigma_H=np.sqrt(self._hessian_variance().max()),
        )

    def _heterogeneity(self):
        half = self.signed.mean(-2).reshape(-1, self.dim) / 2
        if len(half) == 1:
            return 0.0
        mean_length = np.linalg.norm(self.signed, axis=-1).mean(-1)
        remainder = np.minimum(mean_length, np.sqrt(_top(self.signed))) / 2
        return np.sqrt(((half - half.mean(0)) ** 2).sum(-1).mean()) + np.sqrt(np.mean(remainder**2))

    def _gradient_variance(self):
        mean = self.signed.mean(-2)
        square, size = np.vecdot(mean, mean)[..., None], np.vecdot(self.signed, self.signed)
        return _least_spread(square, size, np.vecdot(self.signed, mean[..., None, :]))

    def _hessian_variance(self):
        left, values, _ = np.linalg.svd(self.X, full_matrices=False)
        square = ((values**2 / self.points) ** 2).sum(-1)[..., None]
        product = np.matvec(left**2, values**4) / self.points
        return _least_spread(square, np.vecdot(self.X, self.X) ** 2, product) / 16

    @cached_property
    def infimum(self) -> np.ndarray:
        """A lower bound of each task: with a ridge the loss is strongly convex, so that no value is lower than
        ``l(w) - ||grad l(w)||^2 / (2 ridge)``, w after some Newton steps; else 0.
        """
        if self.ridge == 0:
            return np.zeros(self.batch_shape)
        w = np.zeros((*self.batch_shape, self.dim))
        for _ in range(NEWTON_STEPS):
            w = w - np.linalg.solve(self.hess(w), self.grad(w)[..., None])[..., 0]
        gradient = self.grad(w)
        return np.maximum(self.loss(w) - np.vecdot(gradient, gradient) / (2 * self.ridge), 0.0)

    @cached_property
    def bowl(self) -> Bowl:
        """The ridge and half the mean of z, with the bounds on the remainder."""
        every = np.broadcast_to(self.signed, (*self.batch_shape, *self.signed.shape[-2:]))
        every = every.reshape(-1, *every.shape[-2:])
        triangle, cauchy = np.linalg.norm(every, axis=-1).mean(-1), np.sqrt(_top(every))
        A, bend = self.ridge * np.eye(self.dim), self.regularity.L - self.ridge
        return Bowl(A, every.mean(-2) / 2, np.minimum(triangle, cauchy) / 2, bend)

    def gradient_gap(self, other: "LogisticLoss") -> np.ndarray:
        """A bound, per task, on ``||grad l(w) - grad l_other(w)||`` for all w.

        The ridge drops out; left is ``sum_j c_j p_j z_j`` with p_j in [0, 1], c_j = 1/n here and -1/m there: half the
        difference of the means of z, plus a remainder ``sum_j q_j (c_j z_j)`` with ``|q_j| <= 1/2``, bounded by the
        triangle inequality and by Cauchy-Schwarz, whichever is less. Attained where all z are orthogonal and of one
        length.
        """
        if self.ridge != other.ridge:
            raise ValueError(f"ridge = {other.ridge}: must be that of the other set, {self.ridge}, or no bound holds")
        ours, theirs = self.signed / self.points, other.signed / other.points
        batch = common_shape(support=self.batch_shape, target=other.batch_shape)
        terms = np.concatenate([np.broadcast_to(z, (*batch, *z.shape[-2:])) for z in (ours, -theirs)], axis=-2)
        triangle = np.linalg.norm(terms, axis=-1).sum(-1)
        cauchy = np.sqrt(terms.shape[-2]) * np.linalg.norm(terms, ord=2, axis=(-2, -1))
        return (np.linalg.norm(terms.sum(-2), axis=-1) + np.minimum(triangle, cauchy)) / 2

    def __getitem__(self, index) -> "LogisticLoss":
        return select(self, index, X=2, y=1)

    def sample(self, rng: np.random.Generator, w: np.ndarray, size: int) -> "Points":
        """``size`` data points, with replacement, for each leading index of ``w`` and each task."""
        shape = np.broadcast_shapes(w.shape[:-1], self.batch_shape)
        return Points(rng.multinomial(size, np.full(self.points, 1 / self.points), size=shape) / size)

    def _weights(self, sample):
        return 1 / self.points if sample is None else sample.weight

    def _margin(self, w):
        return matvec(self.signed, w)

    def _curvature(self, w, sample):
        """``s(m) s(-m)`` with s the logistic function: ``e/(1 + e)^2``, ``e = exp(-|m|)``."""
        small = self._margin(w)
        np.negative(np.abs(small, out=small), out=small)
        np.exp(small, out=small)
        square = small + 1
        square *= square
        return into(np.multiply, into(np.divide, small, square), self._weights(sample))

    def loss(self, w, sample=None):
        data = (self._weights(sample) * np.logaddexp(0, -self._margin(w))).sum(-1)
        return data + self.ridge / 2 * np.vecdot(w, w)

    def grad(self, w, sample=None):
        share = into(np.multiply, falling(self._margin(w)), self._weights(sample))
        return into(np.subtract, self.ridge * w, transposed_matvec(self.signed, share))

    def hvp(self, w, v, sample=None):
        bent = into(np.multiply, matvec(self.X, v), self._curvature(w, sample))
        return into(np.add, transposed_matvec(self.X, bent), self.ridge * v)

    def hess(self, w, sample=None):
        weighted = self._curvature(w, sample)[..., None] * self.X
        return self.X.swapaxes(-1, -2) @ weighted + self.ridge * np.eye(self.dim)


def falling(margin: np.ndarray) -> np.ndarray:
    """``1/(1 + exp(margin))``, in its place: the logistic function of ``-margin``, by NumPy's exponential, which takes
    many numbers at a time, and to within two units in the last place as long as that does not overflow.
    """
    np.clip(margin, -np.inf, LARGEST_MARGIN, out=margin)  # faster than minimum
    np.exp(margin, out=margin)
    margin += 1
    return np.divide(1, margin, out=margin)


@dataclass(frozen=True, eq=False)
class Points:
    """The share of the batch that each data point has, ``(..., n)``; the mirror image draws them in reverse order."""

    __repr__ = brief

    weight: np.ndarray

    def __neg__(self):
        return Points(self.weight[..., ::-1])


@dataclass(frozen=True, eq=False)
class Logistic:
    """Logistic regression in the finite-sum case; ``support`` and ``target`` are a `LogisticLoss` each.

    Parameters
    ----------
    X, y : array (..., n, d), (..., n)
        Support set; leading axes are task axes.
    X_target, y_target : array (..., m, d), (..., m)
        Target set.
    ridge : float

    Notes
    -----
    Certificate: that of `FiniteSum`, with the constants of `LogisticLoss` and ``b_i`` of `LogisticLoss.gradient_gap`.

    Raises
    ------
    ValueError
        As `LogisticLoss`, for either set; or if the sets differ in dimension or task axes.

    Examples
    --------
    >>> from maml_bench.problems import Logistic
    >>> pairs = Logistic.random(dim=3, tasks=2, rng=0)
    >>> pairs.dim, pairs.batch_shape, bool(pairs.b > 0)
    (3, (2,), True)
    """

    __repr__ = brief

    X: np.ndarray
    y: np.ndarray
    X_target: np.ndarray
    y_target: np.ndarray
    ridge: float = 0.1

    def __post_init__(self):
        settle(self, X=matrices, X_target=matrices, y=labels, y_target=labels)
        last_axis("X_target", self.X_target, self.X.shape[-1], like="X")
        last_axis("y_target", self.y_target, self.X_target.shape[-2], like="the rows of X_target")
        _ = self.pair

    @classmethod
    def random(cls, dim: int, tasks: int, rng, points: int = 10, ridge: float = 0.1) -> "Logistic":
        """Normal data of mean squared norm 1; labels from a logistic model whose parameter varies with the task."""
        floats = 2 * natural("dim", dim) * natural("tasks", tasks) * natural("points", points)
        fits(floats, f"dim = {dim}, tasks = {tasks}, points = {points}")
        rng = generator("rng", rng)
        truth = 3 * (rng.standard_normal(dim) + rng.standard_normal((tasks, 1, dim)) / 2)
        X = rng.standard_normal((2, tasks, points, dim)) / np.sqrt(dim)
        y = np.where(rng.random((2, tasks, points)) < scipy.special.expit(np.vecdot(X, truth)), 1.0, -1.0)
        return cls(X[0], y[0], X[1], y[1], ridge)

    @cached_property
    def pair(self) -> FiniteSum:
        target = LogisticLoss(self.X_target, self.y_target, self.ridge)
        return FiniteSum.pair(LogisticLoss(self.X, self.y, self.ridge), target)

    @property
    def support(self) -> Any:
        return self.pair.support

    @property
    def target(self) -> Any:
        return self.pair.target

    @property
    def b_i(self) -> np.ndarray:
        return self.pair.b_i

    @property
    def b(self) -> float:
        return self.pair.b

    @property
    def b_tilde(self) -> float:
        return self.pair.b_tilde

    @property
    def dim(self) -> int:
        return self.X.shape[-1]

    @property
    def batch_shape(self) -> tuple[int, ...]:
        return self.pair.batch_shape

    @property
    def regularity(self) -> Regularity:
        return self.pair.regularity

    def __getitem__(self, index) -> "Logistic":
        return select(self, index, X=2, y=1, X_target=2, y_target=1)


def _top(X):
    """Largest eigenvalue of ``X'X/n``, per task."""
    return np.linalg.norm(X, ord=2, axis=(-2, -1)) ** 2 / X.shape[-2]


def _least_spread(square, size, product):
    """The least over t of ``mean_j max(|t c|^2, |a_j - t c|^2)``, given ``|c|^2``, ``|a_j|^2`` and ``a_j.c``."""
    t = np.linspace(0, 1, 21)[:, *(None,) * size.ndim]
    return np.maximum(t**2 * square, size - 2 * t * product + t**2 * square).mean(-1).min(0)
