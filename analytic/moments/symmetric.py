r"""Losses with a symmetry, seen through Gaussian directions from its centre.

At the centre :math:`w = 0` the length r and the direction e of u are independent, and expectations are integrals in
one variable.

*Radial*, :math:`l(w) = \varphi(\|w\|)`: :math:`D = \varphi'(\nu r)e/\nu`, :math:`\delta = [\varphi(\nu r) -
\varphi(0)]/\nu^2`, and the Hessian at :math:`\nu u` has the eigenvalues :math:`\varphi''(\nu r)` along e and
:math:`\varphi'(\nu r)/(\nu r)` across, so its mean is :math:`E[\varphi'' + (d-1)\varphi'/(\nu r)]\,I/d`.
:math:`E\,e^TWe = \mathrm{tr}W/d`.

*Axisymmetric and homogeneous*, :math:`l(w) = \|w\|^kp(t)`, :math:`t = w_1/\|w\|`, p even. With :math:`g = kp - tp'`:
the gradient at e is :math:`ge + p'e_1`, of squared length :math:`g^2 + 2gp't + p'^2`; the Hessian is
:math:`gI + ((k-2)g - tg')ee^T + g'(ee_1^T + e_1e^T) + p''e_1e_1^T`. Everything scales with :math:`(\nu r)^{k-2}`. Over
the directions of one t, :math:`e^TWe` has the mean :math:`t^2W_{11} + (1-t^2)(\mathrm{tr}W - W_{11})/(d-1)`, and t has
the density :math:`\propto (1-t^2)^{(d-3)/2}`.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from scipy.special import gammaln

from analytic.functions import norm_moment
from analytic.moments.gaussian import Smoothing
from analytic.vocabulary import checked

NODES = 800


def radial(phi: Callable, slope: Callable, bend: Callable, breaks, dim: int, nu) -> Smoothing:
    """Moments at 0 of ``phi(||w||)``, from phi, phi' and phi'' at lengths > 0, smooth between the breaks."""
    checked({"nu": nu, "dim": dim})
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


def axisymmetric(degree: int, profile: Any, dim: int, nu) -> Smoothing:
    """Moments at 0 of ``||w||^degree p(w_1/||w||)``, for ``dim >= 2`` and an even polynomial p."""
    checked({"nu": nu, "dim": dim})
    t, mass = _cosines(dim)
    p, slope, bend = (profile.deriv(m)(t) for m in range(3))
    g, g_slope = degree * p - t * slope, (degree - 1) * slope - t * bend
    along = (degree - 2) * g - t * g_slope
    first = mass @ (g + along * t**2 + 2 * g_slope * t + bend)
    trace = mass @ (dim * g + along + 2 * g_slope * t + bend)
    across = (trace - first) / (dim - 1)
    size = nu ** (degree - 2)
    square = g**2 + 2 * g * slope * t + slope**2
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
