"""A loss of the length of w alone, whose curvature grows along every ray: the worst case of Proposition 5."""

from dataclasses import dataclass

import numpy as np

from analytic.arguments import natural, positive, settle
from analytic.regularity import Regularity
from maml_bench.arrays import by_columns, take
from maml_bench.problems.ramp import Ramp


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

    Examples
    --------
    >>> from maml_bench.problems import RadialCubic
    >>> tasks = RadialCubic(dimension=2, rho=1.0, radius=2.0)
    >>> tasks.regularity.L, round(float(tasks.loss(np.array([0.0, 1.0]))), 6)
    (2.0, 0.166667)
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
        return take(index, self.batch_shape)

    def sample(self, rng, w, size) -> None:
        """There is no noise."""

    @property
    def phi(self) -> Ramp:
        return Ramp(self.rho, self.radius)

    def _polar(self, w):
        """||w||, 1 at the origin in its place, and phi'/||w||."""
        r = np.linalg.norm(w, axis=-1, keepdims=True)
        divisor = np.where(r > 0, r, 1.0)
        return r, divisor, self.phi.slope(r) / divisor

    def loss(self, w, sample=None):
        return self.phi.value(np.linalg.norm(w, axis=-1))

    def grad(self, w, sample=None):
        return self._polar(w)[-1] * w

    def hvp(self, w, v, sample=None):
        r, divisor, push = self._polar(w)
        along = np.vecdot(w, v)[..., None] / divisor**2 * w
        return push * v + (self.phi.curvature(r) - push) * along

    def hess(self, w, sample=None):
        return by_columns(self, w)

    def smoothings(self, w, nu) -> list | None:
        """The smoothed loss at the origin, exactly; None elsewhere."""
        from analytic.moments import symmetric  # slow to load, and seldom needed

        if np.any(w):
            return None
        parts = self.phi.value, self.phi.slope, self.phi.curvature
        return [symmetric.radial(*parts, (self.radius,), self.dim, nu)]
