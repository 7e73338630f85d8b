"""An odd loss whose gradient is as long as the point and points along one axis: the worst case of Proposition 7."""

from dataclasses import dataclass

import numpy as np

from analytic.arguments import natural, settle
from analytic.functions import norm_moment
from analytic.moments.gaussian import Smoothing
from analytic.regularity import Regularity
from maml_bench.arrays import by_columns, take

NODES = 200


@dataclass(frozen=True)
class Hourglass:
    """One task: with x the first coordinate and y the others, ``x ||y||`` where ``|x| <= ||y||``, else
    ``sign(x) ||w||^2 / 2``.

    Parameters
    ----------
    dimension : int
        At least 2.

    Notes
    -----
    Certificate, valid everywhere and attained: ``L = 1``. Around the axis the Hessian is the identity or its negative.
    Outside, with e = y/||y||, it exchanges the axis and e (eigenvalues 1 and -1) and is ``x/||y||``, of size at most 1,
    across both. On the cone ``|x| = ||y||`` both gradients are ``(||y||, x e)``, so the gradient is continuous. The
    Hessian jumps there: ``rho = tau = inf``. One task has ``sigma = 0``.

    The gradient is even, of length ``||w||``, and its first entry is ``max(|x|, ||y||)``. So for Gaussian directions
    at 0 the Hessian estimator has mean 0, the largest variance on any vector and in the Frobenius norm, ``(d + 2)/Q``
    and ``d (d + 2)/Q``, and nearly all of it in one row: for every Q the mean square of its spectral norm is at least
    that of the row, ``E max(t, 1 - t) d (d + 2)/Q`` with ``t = u_1^2/||u||^2`` and ``E max(t, 1 - t) > 1 - 1/d``.

    Raises
    ------
    ValueError
        If dimension is not an integer >= 2.

    Examples
    --------
    >>> from maml_bench.problems import Hourglass
    >>> Hourglass(2).grad(np.array([[0.0, 2.0], [0.0, -2.0]]))[:, 0]  # even: the same at w and at -w
    array([2., 2.])
    """

    dimension: int

    batch_shape = ()

    def __post_init__(self):
        settle(self, dimension=natural)
        if self.dimension < 2:
            raise ValueError(f"dimension = {self.dimension}: must be at least 2")

    @property
    def dim(self) -> int:
        return self.dimension

    @property
    def regularity(self) -> Regularity:
        return Regularity(L=1.0, rho=np.inf, sigma=0.0)

    def __getitem__(self, index):
        return take(index, self.batch_shape)

    def sample(self, rng, w, size) -> None:
        """There is no noise."""

    @staticmethod
    def _parts(w):
        """x, y, ||y||, and where the point is around the axis."""
        x, y = w[..., :1], w[..., 1:]
        r = np.linalg.norm(y, axis=-1, keepdims=True)
        return x, y, r, np.abs(x) > r

    def loss(self, w, sample=None):
        x, _, r, inside = self._parts(w)
        return np.where(inside, np.sign(x) * (x**2 + r**2) / 2, x * r)[..., 0]

    def grad(self, w, sample=None):
        x, y, r, inside = self._parts(w)
        outside = np.concatenate([r, x / np.where(r > 0, r, 1.0) * y], axis=-1)
        return np.where(inside, np.sign(x) * w, outside)

    def hvp(self, w, v, sample=None):
        x, y, r, inside = self._parts(w)
        r = np.where(r > 0, r, 1.0)
        e = y / r
        along = np.vecdot(e, v[..., 1:])[..., None]
        across = v[..., :1] * e + x / r * (v[..., 1:] - along * e)
        return np.where(inside, np.sign(x) * v, np.concatenate([along, across], axis=-1))

    def hess(self, w, sample=None):
        return by_columns(self, w)

    def row(self, power: float) -> float:
        """``E max(cos a, sin a)^power``, a the angle of a random direction with the axis."""
        node, mass = np.polynomial.legendre.leggauss(NODES)
        angle = np.pi / 8 * np.concatenate([node + 1, node + 3])
        density = np.sin(angle) ** (self.dim - 2) * np.tile(mass, 2)
        return float(np.maximum(np.cos(angle), np.sin(angle)) ** power @ density / density.sum())

    def smoothings(self, w, nu) -> list | None:
        """The smoothed loss at the origin, exactly; None elsewhere."""
        if np.any(w):
            return None
        mean = nu * float(norm_moment(1, self.dim)) * self.row(1)
        return [
            Smoothing(
                nu=float(nu),
                loss=0.0,
                grad=mean * np.eye(self.dim)[0],
                hess=np.zeros((self.dim, self.dim)),
                excess=0.0,
                gradient_moment=lambda weight: (self.dim + 2) * np.trace(weight),
                curvature_moment=lambda polynomial: 0.0,
            )
        ]
