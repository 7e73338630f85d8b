"""Rank-one matrix factorization: polynomial tasks, certified on a ball."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from analytic.arguments import generator, natural, positive, settle, vectors
from analytic.brief import brief
from analytic.moments import rank_one as moments
from analytic.moments.gaussian import Smoothing
from analytic.regularity import Regularity
from maml_bench.arrays import fits, jets, select
from maml_bench.problems.noise import NoisyTasks

_dot: Any = np.vecdot


@dataclass(frozen=True, eq=False)
class RankOne:
    """``l(w) = ||ww' - xx'||_F^2 / 4``, certified on the ball ``||w|| <= radius``. No matrix is formed but by ``hess``.

    Parameters
    ----------
    x : array (..., d)
        Leading axes are task axes.
    radius : float
        Radius of the ball on which the constants hold; ``maml_bench.problems.outside`` tells which points left it.

    Notes
    -----
    Certificate, each constant attained on the ball. The Hessian is ``||w||^2 I + 2ww' - xx'``.

    - L: its eigenvalues are at most ``3||w||^2`` (at w orthogonal to x) and at least ``-||x||^2`` (at w = 0), so
      ``L = max(3 radius^2, max_i ||x_i||^2)``; for d = 1, ``max_i max(|3 radius^2 - x_i^2|, x_i^2)``.
    - rho: with ``e = w - u``, ``s = w + u`` two Hessians differ by ``(e.s)I + es' + se'``, of norm at most
      ``3||e|| ||s|| <= 6 radius ||e||``.
    - tau: the fourth derivative along a unit vector is 6, and a symmetric form has its norm on the diagonal.
    - sigma: gradients deviate from their mean by ``-(x_i x_i' - M)w`` with M the mean of the ``x_i x_i'``, so the
      largest variance on the ball is ``radius^2`` times the top eigenvalue of ``mean_i (x_i x_i')^2 - M^2``, which
      lives on the span of the x_i.

    Raises
    ------
    ValueError
        If an entry of x is not finite, or radius is not positive and finite.

    Examples
    --------
    >>> from maml_bench.problems import RankOne
    >>> tasks = RankOne(x=np.array([[3.0, 4.0]]), radius=6.0)
    >>> tasks.grad(np.array([3.0, 4.0])), tasks.regularity.radius
    (array([[0., 0.]]), 6.0)
    """

    __repr__ = brief

    x: np.ndarray
    radius: float

    def __post_init__(self):
        settle(self, x=vectors, radius=positive)

    @classmethod
    def random(cls, dim: int, tasks: int, rng, radius: float | None = None) -> "RankOne":
        """Tasks with ``x ~ N(0, I/d)``; the radius is twice the largest norm of an x unless given."""
        fits(natural("tasks", tasks) * natural("dim", dim), f"dim = {dim}, tasks = {tasks}")
        x = generator("rng", rng).standard_normal((tasks, dim)) / np.sqrt(dim)
        return cls(x, 2 * np.linalg.norm(x, axis=-1).max() if radius is None else radius)

    @property
    def dim(self) -> int:
        return self.x.shape[-1]

    @property
    def batch_shape(self) -> tuple[int, ...]:
        return self.x.shape[:-1]

    @cached_property
    def regularity(self) -> Regularity:
        square, size = self.radius**2, np.vecdot(self.x, self.x)
        top = np.abs(3 * square - size).max() if self.dim == 1 else 3 * square
        # Columns: the x_i within their span.
        points: Any = np.linalg.qr(self.x.reshape(-1, self.dim).T, mode="r")
        second = points @ points.T / points.shape[1]
        fourth = (points * np.vecdot(points.T, points.T)) @ points.T / points.shape[1]
        variance = np.linalg.eigvalsh(fourth - second @ second)[-1] if points.shape[1] > 1 else 0.0
        return Regularity(
            L=max(top, size.max()),
            rho=6 * self.radius,
            tau=6.0,
            sigma=self.radius * np.sqrt(max(variance, 0.0)),
            radius=self.radius,
        )

    @property
    def infimum(self) -> np.ndarray:
        """The minimum of each task, 0 at w = x."""
        return np.zeros(self.batch_shape)

    def with_noise(self, noise) -> NoisyTasks:
        return NoisyTasks(self, noise)

    def __getitem__(self, index) -> "RankOne":
        return select(self, index, x=1)

    def sample(self, rng, w, size) -> None:
        """Without a sampling model every batch is exact."""

    def loss(self, w, sample=None):
        """``((||w||^2 - ||x||^2)^2 + 2 G)/4`` with G the Gram determinant of w - x and x: accurate near w = x."""
        e = w - self.x
        gram = np.vecdot(e, e) * np.vecdot(self.x, self.x) - np.vecdot(e, self.x) ** 2
        return (np.vecdot(e, w + self.x) ** 2 + 2 * gram) / 4

    def grad(self, w, sample=None):
        return _dot(w, w, keepdims=True) * w - _dot(self.x, w, keepdims=True) * self.x

    def hvp(self, w, v, sample=None):
        along = _dot(w, w, keepdims=True) * v + 2 * _dot(w, v, keepdims=True) * w
        return along - _dot(self.x, v, keepdims=True) * self.x

    def hess(self, w, sample=None):
        outer = np.vecdot(w, w)[..., None, None] * np.eye(self.dim) + 2 * w[..., :, None] * w[..., None, :]
        return outer - self.x[..., :, None] * self.x[..., None, :]

    def smoothings(self, w, nu) -> list[Smoothing]:
        """The smoothed loss of every task, w with one row a task."""
        return [moments.smoothing(*jet, at, nu) for jet, at in zip(jets(self, w), w, strict=True)]
