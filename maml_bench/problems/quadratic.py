"""Quadratic tasks."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analytic.arguments import (
    common_shape,
    finite,
    generator,
    last_axis,
    natural,
    nonnegative,
    settle,
    symmetric,
    vectors,
)
from analytic.brief import brief
from analytic.moments import quadratic as moments
from analytic.moments.gaussian import Smoothing
from analytic.moments.path import PathMoments, stacked
from analytic.regularity import Regularity
from maml_bench.arrays import fits, jets, listed, matvec, random_orthogonal, select
from maml_bench.problems.bowl import Bowl
from maml_bench.problems.noise import NoisyTasks


@dataclass(frozen=True, eq=False)
class Quadratic:
    """``l(w) = w.Aw/2 - b.w``; A may be indefinite or concave.

    Parameters
    ----------
    A : array (..., d, d)
        Symmetric. Leading axes are task axes; without any, all tasks share A.
    b : array (..., d)

    Notes
    -----
    Certificate: ``L`` is the largest spectral norm of the tasks, ``rho = tau = 0``. With a shared A the gradients
    differ by ``b_i - b_mean`` at every w, so ``sigma^2`` is the variance of the b_i; otherwise no sigma holds for
    all w.

    Raises
    ------
    ValueError
        If A is not symmetric, an entry is not finite, or shapes do not match.

    Examples
    --------
    >>> from maml_bench.problems import Quadratic
    >>> tasks = Quadratic(A=np.diag([1.0, -2.0]), b=np.array([[0.0, 0.0], [1.0, 0.0]]))
    >>> tasks.batch_shape, tasks.regularity.L, tasks.regularity.rho
    ((2,), 2.0, 0.0)
    >>> tasks.grad(np.ones(2))
    array([[ 1., -2.],
           [ 0., -2.]])
    """

    __repr__ = brief

    affine_gradient = True

    A: np.ndarray
    b: np.ndarray

    def __post_init__(self):
        settle(self, A=symmetric, b=vectors)
        last_axis("b", self.b, self.A.shape[-1], like="A")
        common_shape(A=self.A.shape[:-2], b=self.b.shape[:-1])

    @classmethod
    def random(cls, dim: int, tasks: int, rng, low: float = -1.0, high: float = 1.0) -> "Quadratic":
        """Tasks that share a random A with eigenvalues in [low, high], both attained if dim >= 2."""
        fits(natural("dim", dim) * max(dim, natural("tasks", tasks)), f"dim = {dim}, tasks = {tasks}")
        if not finite("low", low) <= finite("high", high):
            raise ValueError(f"low = {low}: must be at most high = {high}")
        rng = generator("rng", rng)
        eigenvalues = rng.uniform(low, high, dim)
        eigenvalues[:2] = (low, high)[:dim]
        basis = random_orthogonal(rng, (), dim)
        return cls((basis * eigenvalues) @ basis.T, rng.standard_normal((tasks, dim)))

    @classmethod
    def concave(cls, dim: int, curvature: float = 1.0) -> "Quadratic":
        """One task ``-(curvature/2)||w||^2``, which attains several bounds with equality."""
        fits(natural("dim", dim) ** 2, f"dim = {dim}")
        return cls(-nonnegative("curvature", curvature) * np.eye(dim), np.zeros((1, dim)))

    @property
    def dim(self) -> int:
        return self.A.shape[-1]

    @cached_property
    def batch_shape(self) -> tuple[int, ...]:
        return np.broadcast_shapes(self.A.shape[:-2], self.b.shape[:-1])

    @cached_property
    def regularity(self) -> Regularity:
        curvature = np.linalg.norm(self.A, ord=2, axis=(-2, -1))
        shared = np.all(self.A == self.A.reshape(-1, self.dim, self.dim)[0])
        spread = np.broadcast_to(self.b, (*self.batch_shape, self.dim)).reshape(-1, self.dim)
        sigma = np.sqrt(((spread - spread.mean(0)) ** 2).sum(-1).mean()) if shared else np.inf
        return Regularity(L=curvature.max(), rho=0.0, tau=0.0, sigma=sigma)

    @cached_property
    def infimum(self) -> np.ndarray:
        """The infimum of each task: ``-b.A^(-1)b/2`` if A is positive definite, else -inf."""
        values, vectors = np.linalg.eigh(self.A)
        along = np.matvec(vectors.swapaxes(-1, -2), self.b)
        definite = values[..., :1] > 1e-12 * np.abs(values).max(-1, keepdims=True)
        depth = (along**2 / np.where(definite, values, 1.0)).sum(-1) / 2
        return np.broadcast_to(np.where(definite[..., 0], -depth, -np.inf), self.batch_shape)

    @cached_property
    def bowl(self) -> Bowl | None:
        """A and b, where all tasks share A and it is positive semidefinite."""
        every = self.A.reshape(-1, self.dim, self.dim)
        if np.any(every != every[0]) or np.linalg.eigvalsh(every[0])[0] < 0:
            return None
        linear = listed(self.b, self.batch_shape, 1)
        return Bowl(every[0], linear, np.zeros(len(linear)), 0.0)

    def gradient_gap(self, other: "Quadratic") -> np.ndarray:
        """``||grad l(w) - grad l_other(w)|| = ||b - b_other||`` per task, whatever w,
        for two arrays with the same A.
        """
        ours, theirs = np.broadcast_arrays(self.A, other.A)
        if not np.array_equal(ours, theirs):
            raise ValueError("A must be that of the other tasks: otherwise no bound holds for all w")
        return np.linalg.norm(self.b - other.b, axis=-1)

    def with_noise(self, noise) -> NoisyTasks:
        return NoisyTasks(self, noise)

    def __getitem__(self, index) -> "Quadratic":
        return select(self, index, A=2, b=1)

    def sample(self, rng, w, size) -> None:
        """Without a sampling model every batch is exact."""

    def loss(self, w, sample=None):
        return np.vecdot(w, matvec(self.A, w)) / 2 - np.vecdot(self.b, w)

    def grad(self, w, sample=None):
        return matvec(self.A, w) - self.b

    def hvp(self, w, v, sample=None):
        return np.broadcast_to(matvec(self.A, v), np.broadcast_shapes(w.shape, v.shape, (*self.batch_shape, self.dim)))

    def hess(self, w, sample=None):
        shape = np.broadcast_shapes(w.shape[:-1], self.batch_shape)
        return np.broadcast_to(self.A, (*shape, self.dim, self.dim))

    def path_moments(self, w, inner, noise) -> PathMoments | None:
        """Exact moments under noise of covariance ``(sigma_g^2/d) I`` at every point; the means under any of mean zero,
        in which the path, and the meta gradient given the Hessians, are linear; else None.
        """
        if not getattr(noise, "isotropic", False):
            none = np.zeros((*self.batch_shape, self.dim))
            return PathMoments(path_bias=none, bias=none) if getattr(noise, "additive", False) else None
        A, gradients = listed(self.A, self.batch_shape, 2), listed(self.grad(w), self.batch_shape, 1)
        return stacked([self._moments(*task, inner, noise) for task in zip(A, gradients, strict=True)])

    def _moments(self, A, gradient, inner, noise) -> PathMoments:
        covariance = moments.isotropic(self.dim, noise.sigma_g)
        factor = noise.hessian_factor(A, inner.D) if hasattr(noise, "hessian_factor") else None
        known = factor is not None or noise.sigma_H == 0
        law = inner.alpha, inner.steps, covariance, inner.S, inner.T, factor
        return PathMoments(
            path_bias=np.zeros(self.dim),
            path_second=moments.path_second_moment(A, inner.alpha, inner.steps, covariance, inner.S),
            bias=np.zeros(self.dim),
            second_moment=moments.meta_gradient_second_moment(A, gradient, *law) if known else None,
        )

    def smoothings(self, w, nu) -> list[Smoothing]:
        """The smoothed loss of every task, w with one row a task."""
        return [moments.smoothing(*jet, nu) for jet in jets(self, w)]
