"""Tasks whose Hessian is Lipschitz and nothing better: the worst case of the statements that ask only that much."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analytic.arguments import common_shape, generator, last_axis, natural, positive, settle, vectors
from analytic.brief import brief
from analytic.moments import separable
from analytic.moments.gaussian import Smoothing
from analytic.regularity import Regularity
from maml_bench.arrays import fits, jets, listed, select
from maml_bench.problems.bowl import Bowl, round_bowl
from maml_bench.problems.noise import NoisyTasks
from maml_bench.problems.ramp import Ramp


@dataclass(frozen=True, eq=False)
class Kink:
    """``l(w) = sum_k h(w_k - c_k) - slope.w`` with ``h''(t) = rho min(|t|, radius)`` and ``h(0) = h'(0) = 0``.

    Parameters
    ----------
    center, slope : array (..., d)
        Leading axes are task axes.
    rho : float
        Slope of the curvature beside the kink.
    radius : float
        Distance from the kink at which the curvature stops growing.

    Notes
    -----
    Certificate, valid everywhere and attained. The Hessian is diagonal with entries in ``[0, rho radius]``, each a
    rho-Lipschitz function of its own coordinate, so ``L = rho radius`` and the Lipschitz constant is ``rho``; the
    curvature has a kink, so ``tau = inf``. For sigma, a variance is half the mean square over pairs of tasks. In
    coordinate k the gradients of tasks i, j differ by ``x - (s_i - s_j)``, and x lies between 0 and ``-L (c_i - c_j)``
    because h' increases with slope at most L. A square is convex, so it is largest at an end of that interval:
    ``sigma^2 = (1/2) sum_k mean_ij max((s_i - s_j)^2, (L (c_i - c_j) + s_i - s_j)^2)``. With one center for all tasks
    this is exact; with one slope it is attained as w goes to infinity.

    Raises
    ------
    ValueError
        If an entry is not finite, shapes do not match, or rho or radius is not positive.

    Examples
    --------
    >>> from maml_bench.problems import Kink
    >>> tasks = Kink(center=np.zeros((1, 1)), slope=np.zeros((1, 1)), rho=2.0, radius=1.0)
    >>> tasks.hess(np.array([[0.25], [5.0]]))[:, 0, 0]
    array([0.5, 2. ])
    """

    __repr__ = brief

    center: np.ndarray
    slope: np.ndarray
    rho: float = 1.0
    radius: float = 1.0

    def __post_init__(self):
        settle(self, center=vectors, slope=vectors, rho=positive, radius=positive)
        last_axis("slope", self.slope, self.center.shape[-1], like="center")
        common_shape(center=self.center.shape[:-1], slope=self.slope.shape[:-1])

    @classmethod
    def random(cls, dim: int, tasks: int, rng, rho: float = 1.0, radius: float = 1.0) -> "Kink":
        """Tasks with standard normal centers and slopes of unit size."""
        fits(natural("tasks", tasks) * natural("dim", dim), f"dim = {dim}, tasks = {tasks}")
        rng = generator("rng", rng)
        center = rng.standard_normal((tasks, dim))
        return cls(center, rng.standard_normal((tasks, dim)) / np.sqrt(dim), rho, radius)

    @property
    def dim(self) -> int:
        return self.center.shape[-1]

    @cached_property
    def batch_shape(self) -> tuple[int, ...]:
        return np.broadcast_shapes(self.center.shape[:-1], self.slope.shape[:-1])

    @cached_property
    def regularity(self) -> Regularity:
        L = self.rho * self.radius
        center, slope = (
            np.broadcast_to(field, (*self.batch_shape, self.dim)).reshape(-1, self.dim)
            for field in (self.center, self.slope)
        )
        squares = [
            np.maximum((slope - s) ** 2, (L * (center - c) + slope - s) ** 2).sum()
            for c, s in zip(center, slope, strict=True)
        ]
        return Regularity(L=L, rho=self.rho, sigma=np.sqrt(np.sum(squares) / 2) / len(center))

    @cached_property
    def infimum(self) -> np.ndarray:
        """The minimum of each task: coordinate by coordinate, where h' has the value s of the slope.

        With ``s = rho t^2/2`` at ``t <= radius`` it is ``-(2/3) s t``, else at ``t = s/(rho radius) + radius/2``.
        """
        s, r = np.abs(self.slope), self.radius
        near = np.sqrt(2 * s / self.rho)
        t = np.where(near <= r, near, s / (self.rho * r) + r / 2)
        return np.broadcast_to(self.loss(self.center + np.sign(self.slope) * t), self.batch_shape)

    @cached_property
    def bowl(self) -> Bowl | None:
        """``h'(t) = L t - r(t)``, where r goes from 0 at the kink to ``L radius/2`` at the radius, and stays there."""
        L = self.regularity.L
        linear = listed(L * self.center + self.slope, self.batch_shape, 1)
        return round_bowl(L, linear, np.full(len(linear), np.sqrt(self.dim) * L * self.radius / 2), L)

    def gradient_gap(self, other: "Kink") -> np.ndarray:
        """A bound, per task, on ``||grad l(w) - grad l_other(w)||`` for all w, by the argument of sigma."""
        if (self.rho, self.radius) != (other.rho, other.radius):
            raise ValueError("rho and radius must be those of the other tasks: otherwise no bound holds for all w")
        slope = self.slope - other.slope
        shift = self.rho * self.radius * (self.center - other.center)
        return np.sqrt(np.maximum(slope**2, (shift + slope) ** 2).sum(-1))

    def with_noise(self, noise) -> NoisyTasks:
        return NoisyTasks(self, noise)

    def __getitem__(self, index) -> "Kink":
        return select(self, index, center=1, slope=1)

    def sample(self, rng, w, size) -> None:
        """Without a sampling model every batch is exact."""

    @cached_property
    def ramp(self) -> Ramp:
        return Ramp(self.rho, self.radius)

    def _diagonal(self, w):
        return self.ramp.curvature(w - self.center)

    def loss(self, w, sample=None):
        return self.ramp.value(w - self.center).sum(-1) - np.vecdot(self.slope, w)

    def grad(self, w, sample=None):
        return self.ramp.slope(w - self.center) - self.slope

    def hvp(self, w, v, sample=None):
        shape = np.broadcast_shapes(w.shape, v.shape, (*self.batch_shape, self.dim))
        return np.broadcast_to(self._diagonal(w) * v, shape)

    def hess(self, w, sample=None):
        diagonal = np.broadcast_to(self._diagonal(w), np.broadcast_shapes(w.shape, (*self.batch_shape, self.dim)))
        return diagonal[..., None] * np.eye(self.dim)

    def corners(self) -> np.ndarray:
        """Where the second derivative of each task has corners, ``(..., d, 3)``."""
        return self.center[..., None] + self.ramp.corners

    def smoothings(self, w, nu) -> list[Smoothing]:
        """The smoothed loss of every task, w with one row a task."""
        parts = self.ramp.change, self.ramp.second_difference, self.ramp.curvature
        away = w - listed(self.center, self.batch_shape, 1)
        each = zip(jets(self, w), away, strict=True)
        return [separable.smoothing(loss, grad, *parts, self.ramp.corners, t, nu) for (loss, grad, _), t in each]
