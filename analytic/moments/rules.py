r"""Quadrature rules for expectations under N(0, 1): for smooth integrands, and for integrands with known breaks."""

from functools import cache

import numpy as np
import scipy

from analytic.digits import as_numbers, is_precise, many_digits, pi


def log_factorials(size: int, precise: bool = False) -> np.ndarray:
    """Logarithms of 0!, ..., size!, with many digits if wanted."""
    if not precise:
        return scipy.special.gammaln(np.arange(size + 1.0) + 1)
    return np.append(many_digits(0), np.cumsum(np.log(many_digits(np.arange(1, size + 1)))))


@cache
def hermite(nodes: int, precise: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Hermite nodes and weights, exact for polynomials of degree below ``2 * nodes``; weights sum to one."""
    points, weights = np.polynomial.hermite_e.hermegauss(nodes)
    if precise:
        points, before = _refined(points, lambda k, x, p, q: x * p - k * q, lambda x, p, q: nodes * q)
        weights = before**-2
    return points, weights / weights.sum()


@cache
def legendre(nodes: int, precise: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes and weights on [-1, 1], exact for polynomials of degree below ``2 * nodes``."""
    points, weights = np.polynomial.legendre.leggauss(nodes)
    if precise:
        recurrence = lambda k, x, p, q: ((2 * k + 1) * x * p - k * q) / (k + 1)
        points, before = _refined(points, recurrence, lambda x, p, q: nodes * (x * p - q) / (x**2 - 1))
        weights = 2 * (1 - points**2) / (nodes * before) ** 2
    return points, weights


def _refined(points, recurrence, slope):
    """The zeros of an orthogonal polynomial with many digits, by Newton's method, and the polynomial before it there.

    The polynomials obey ``p_(k+1) = recurrence(k, x, p_k, p_(k-1))``; ``slope(x, p_n, p_(n-1))`` is p_n'.
    """
    x = many_digits(points)
    for _ in range(3):  # 16, 32, 64 digits
        before, value = 0 * x, 0 * x + 1
        for k in range(len(x)):
            before, value = value, recurrence(k, x, value, before)
        x = x - value / slope(x, value, before)
    return x, before


def piecewise(breaks, nodes=32, panels=4, reach=13.0) -> tuple[np.ndarray, np.ndarray]:
    """Rule for ``E f(u)``, f smooth between its breaks: Gauss-Legendre on each piece, the density in the weights.

    Parameters
    ----------
    breaks : (..., B) array
        Break points, different in every leading cell if wanted; those beyond the reach are harmless.
    nodes : int
        Nodes in each piece; 32 integrate a polynomial of low degree to rounding.
    panels : int
        Equal panels which the breaks divide further, into ``B + panels`` pieces.
    reach : float
        Where the line is cut off. Beyond 13 even a polynomial of degree 8 adds less than 1e-27.

    Returns
    -------
    points, weights : (..., (B + panels) * nodes) arrays
    """
    breaks = as_numbers(breaks)
    grid = np.broadcast_to(np.linspace(-reach, reach, panels + 1), (*breaks.shape[:-1], panels + 1))
    edges = np.sort(np.concatenate([grid, np.clip(breaks, -reach, reach)], axis=-1), axis=-1)
    x, weight = legendre(nodes, is_precise(breaks))
    half = np.diff(edges)[..., None] / 2
    points = edges[..., :-1, None] + half * (1 + x)
    weights = half * weight * np.exp(-(points**2) / 2) / np.sqrt(2 * pi(breaks))
    shape = (*breaks.shape[:-1], -1)
    return points.reshape(shape), weights.reshape(shape)
