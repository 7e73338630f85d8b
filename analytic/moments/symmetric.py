r"""Losses with a symmetry, seen through Gaussian directions from its centre.

At the centre :math:`w = 0` the length r and the direction e of u are independent, and expectations are integrals in
one variable.

*Radial*, :math:`l(w) = \varphi(\|w\|)`: :math:`D = \varphi'(\nu r)e/\nu`, :math:`\delta = [\varphi(\nu r) -
\varphi(0)]/\nu^2`, and the Hessian at :math:`\nu u` has the eigenvalues :math:`\varphi''(\nu r)` along e and
:math:`\varphi'(\nu r)/(\nu r)` across, so its mean is :math:`E[\varphi'' + (d-1)\varphi'/(\nu r)]\,I/d`.
:math:`E\,e^TWe = \mathrm{tr}W/d`.

*Axisymmetric and homogeneous*, of degree k: everything scales with :math:`(\nu r)^{k-2}`, and a mean over u is one over
the cosine t of the angle between e and the axis, of density :math:`\propto (1-t^2)^{(d-3)/2}`. Over the directions of
one t, :math:`e^TWe` has the mean :math:`t^2W_{11} + (1-t^2)(\mathrm{tr}W - W_{11})/(d-1)`. The mean Hessian is diagonal
and the same across the axis, one of whose d - 1 entries lies in the plane of e and the axis, the others beyond it.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
from scipy.special import gammaln

from analytic.functions import norm_moment
from analytic.moments.gaussian import Smoothing

NODES = 800


def radial(phi: Callable, slope: Callable, bend: Callable, breaks, dim: int, nu) -> Smoothing:
    """Moments at 0 of ``phi(||w||)``, from phi, phi' and phi'' at lengths > 0, smooth between the breaks."""
    r, mass = _lengths(dim, tuple(np.asarray(breaks, dtype=float) / nu))
    value, push = (phi(nu * r) - phi(np.zeros(1))) / nu**2, slope(nu * r) / nu
    excess = float(mass @ value)

    def average(integrand, weight):
        return float(mass @ (integrand * r**2)) * np.trace(weight) / dim

    def curvature_moment(polynomial):
        total = 0.0
        for p in polynomial:
            integrand = value**2 * r ** (2 * p.power)
            total += p.coefficient * (average(integrand, p.forms[0]) if p.forms else float(mass @ integrand))
        return total

    return Smoothing(
        nu=float(nu),
        loss=float(phi(np.zeros(1))[0]) + nu**2 * excess,
        grad=np.zeros(dim),
        hess=float(mass @ (bend(nu * r) + (dim - 1) * push / r)) / dim * np.eye(dim),
        excess=excess,
        gradient_moment=lambda weight: average(push**2, weight),
        curvature_moment=curvature_moment,
    )


def axisymmetric(degree: int, loss: Callable, grad: Callable, hess: Callable, dim: int, nu) -> Smoothing:
    """Moments at 0 of a loss that is homogeneous, even, and symmetric around the first axis, for ``dim >= 2``.

    Parameters
    ----------
    loss, grad, hess : callable
        The loss and its derivatives in ``min(dim, 3)`` coordinates, at points (m, min(dim, 3)): all others are like the
        third.
    """
    t, mass = _cosines(dim)
    e = np.stack([t, np.sqrt(1 - t**2), 0 * t][: min(dim, 3)], axis=-1)
    p, slope, diagonal = loss(e), grad(e), mass @ np.diagonal(hess(e), axis1=1, axis2=2)
    first, across = diagonal[0], (diagonal[1] + (dim - 2) * diagonal[-1]) / (dim - 1)
    size = nu ** (degree - 2)
    square = np.vecdot(slope, slope)
    excess = size * norm_moment(degree, dim) * float(mass @ p)

    def average(integrand, weight):
        own, rest = weight[0, 0], (np.trace(weight) - weight[0, 0]) / (dim - 1)
        return float(mass @ (integrand * (t**2 * own + (1 - t**2) * rest)))

    def curvature_moment(polynomial):
        total = 0.0
        for term in polynomial:
            power = 2 * degree + 2 * term.power + (2 if term.forms else 0)
            angle = average(p**2, term.forms[0]) if term.forms else float(mass @ p**2)
            total += term.coefficient * size**2 * norm_moment(power, dim) * angle
        return total

    return Smoothing(
        nu=float(nu),
        loss=nu**2 * excess,
        grad=np.zeros(dim),
        hess=size * norm_moment(degree - 2, dim) * np.diag(np.append(first, np.full(dim - 1, across))),
        excess=excess,
        gradient_moment=lambda weight: size**2 * norm_moment(2 * degree, dim) * average(square, weight),
        curvature_moment=curvature_moment,
    )


@cache
def _cosines(dim):
    """Nodes and weights for t = cos(angle), by Gauss-Legendre in the angle."""
    x, weight = np.polynomial.legendre.leggauss(NODES)
    angle = np.pi * (x + 1) / 2
    mass = weight * np.exp((dim - 2) * np.log(np.sin(angle)))
    return np.cos(angle), mass / mass.sum()


@cache
def _lengths(dim, breaks):
    """Nodes and weights for r = ||u||, split at the breaks; its density is negligible 14 away from sqrt(d)."""
    low, high = max(0.0, np.sqrt(dim) - 14), np.sqrt(dim) + 14
    edges = np.unique(np.clip([low, *np.linspace(low, high, 9), *breaks, high], low, high))
    x, weight = np.polynomial.legendre.leggauss(48)
    half = np.diff(edges)[:, None] / 2
    r = (edges[:-1, None] + half * (1 + x)).ravel()
    log_density = (dim - 1) * np.log(r) - r**2 / 2 - (dim / 2 - 1) * np.log(2) - gammaln(dim / 2)
    return r, (half * weight).ravel() * np.exp(log_density)
