"""A loss of the length of w alone, whose curvature grows along every ray: the worst case of Proposition 5."""

from dataclasses import dataclass

import numpy as np

from analytic.arguments import natural, positive, settle
from analytic.regularity import Regularity


@dataclass(frozen=True)
class RadialCubic:
    """One task ``l(w) = phi(||w||)`` with ``phi''(r) = rho min(r, radius)``, ``phi(0) = phi'(0) = 0``.

    Parameters
    ----------
    dimension : int
    rho : float
    radius : float
        Length at which the curvature stops growing.

    Notes
    -----
    Certificate, valid everywhere and attained. Along w the Hessian has the eigenvalue phi'', across w phi'/r, a mean of
    phi'' over [0, r]; both are at most ``L = rho radius``. The third derivative along v, with b = cos(angle of v and
    w), is ``phi''' b^3 + 3 b (1 - b^2) (phi'/r)'``. For r < radius that is ``rho (3b - b^3)/2``, at most rho. Beyond,
    phi''' = 0 and ``(phi'/r)' = rho (radius/r)^2/2``: at most ``(3/2) rho max b(1 - b^2) = rho/sqrt(3)``. At the origin
    the Hessian has no derivative, so ``tau = inf``; one task has ``sigma = 0``.

    Raises
    ------
    ValueError
        If dimension is not an integer >= 1, or rho or radius is not positive.
    """

    dimension: int
    rho: float = 1.0
    radius: float = 1.0

    batch_shape = ()

    def __post_init__(self):
        settle(self, dimension=natural, rho=positive, radius=positive)

    @property
    def dim(self) -> int:
        return self.dimension

    @property
    def regularity(self) -> Regularity:
        return Regularity(L=self.rho * self.radius, rho=self.rho, sigma=0.0)

    def __getitem__(self, index):
        raise IndexError("a single task (batch_shape ()) cannot be indexed")

    def sample(self, rng, w, size) -> None:
        """There is no noise."""

    def _phi(self, r):
        r, R = np.asarray(r, dtype=float), self.radius
        beyond = R**3 / 6 + R**2 / 2 * (r - R) + R / 2 * (r - R) ** 2
        return self.rho * np.where(r <= R, r**3 / 6, beyond)

    def _push(self, r):
        """phi'(r)/r."""
        r, R = np.asarray(r, dtype=float), self.radius
        return self.rho * np.where(r <= R, r / 2, R * (1 - R / (2 * np.maximum(r, R))))

    def _bend(self, r):
        """phi''(r)."""
        return self.rho * np.minimum(r, self.radius)

    def loss(self, w, sample=None):
        return self._phi(np.linalg.norm(w, axis=-1))

    def grad(self, w, sample=None):
        return self._push(np.linalg.norm(w, axis=-1, keepdims=True)) * w

    def hvp(self, w, v, sample=None):
        r = np.linalg.norm(w, axis=-1, keepdims=True)
        along = np.vecdot(w, v)[..., None] / np.where(r > 0, r, 1.0) ** 2 * w
        return self._push(r) * v + (self._bend(r) - self._push(r)) * along

    def hess(self, w, sample=None):
        return np.moveaxis(self.hvp(w, np.eye(self.dim).reshape(self.dim, *(1,) * (w.ndim - 1), -1)), 0, -1)

    def smoothings(self, w, nu) -> list | None:
        """The smoothed loss at the origin, exactly; None elsewhere."""
        from analytic.moments import symmetric  # slow to load, and seldom needed

        if np.any(w):
            return None
        parts = self._phi, lambda r: r * self._push(r), self._bend
        return [symmetric.radial(*parts, (self.radius,), self.dim, nu)]
