"""Assumptions 1-3 of Ji, Yang and Liang (arXiv 2002.07836) as six numbers that a problem certifies."""

import math
from dataclasses import asdict, dataclass

from analytic.arguments import limit, settle


@dataclass(frozen=True)
class Regularity:
    """Constants of Assumptions 1-3, each an upper bound that holds for every task at every admitted point.

    Parameters
    ----------
    L, rho, tau : float
        Lipschitz constants of the gradient, the Hessian and the third derivative of every task loss
        (spectral norms); ``inf`` where there is none, or none is known. Forms whose formula needs it then do not apply.
    sigma : float
        Task heterogeneity: ``E_i ||grad l_i(w) - grad l(w)||^2 <= sigma^2`` for all w; ``inf`` if unbounded.
    sigma_g, sigma_H : float
        Standard deviations of the gradient and of the Hessian (spectral norm) of one sample. A batch of D samples has
        ``E ||(H_D - H) v||^2 <= sigma_H^2 ||v||^2 / D`` for every v, which is all that the theory uses; the mean square
        of the spectral norm itself need not fall like 1/D.
    radius : float
        The constants hold on the ball ``||w|| <= radius``; ``inf`` means everywhere.

    Raises
    ------
    ValueError
        If a constant is NaN or negative, sigma_g or sigma_H is infinite, or two constants contradict each other.

    Examples
    --------
    >>> from analytic import Regularity
    >>> Regularity(L=1.0, rho=0.5).radius
    inf
    """

    L: float
    rho: float
    tau: float = math.inf
    sigma: float = math.inf
    sigma_g: float = 0.0
    sigma_H: float = 0.0
    radius: float = math.inf

    def __post_init__(self):
        settle(self, **dict.fromkeys(asdict(self), limit))
        for name in ("sigma_g", "sigma_H"):
            if math.isinf(getattr(self, name)):
                raise ValueError(f"{name} = inf: must be finite")
        if self.radius == 0:
            raise ValueError("radius = 0: must be > 0 (inf for constants that hold everywhere)")
        if self.L == 0 and self.rho > 0:
            raise ValueError(f"rho = {self.rho} contradicts L = 0: a constant gradient has Hessian 0, so rho must be 0")
        if self.rho == 0 and 0 < self.tau < math.inf:
            raise ValueError(f"tau = {self.tau} contradicts rho = 0: a constant Hessian has third derivative 0")
