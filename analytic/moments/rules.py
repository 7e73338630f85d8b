r"""Quadrature rules for expectations under N(0, 1): for smooth integrands, and for integrands with known breaks."""

from functools import cache

import numpy as np


@cache
def hermite(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Hermite nodes and weights, exact for polynomials of degree below ``2 * nodes``; weights sum to one."""
    points, weights = np.polynomial.hermite_e.hermegauss(nodes)
    return points, weights / weights.sum()


@cache
def _legendre(nodes):
    return np.polynomial.legendre.leggauss(nodes)


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
    breaks = np.asarray(breaks, dtype=float)
    grid = np.broadcast_to(np.linspace(-reach, reach, panels + 1), (*breaks.shape[:-1], panels + 1))
    edges = np.sort(np.concatenate([grid, np.clip(breaks, -reach, reach)], axis=-1), axis=-1)
    x, weight = _legendre(nodes)
    half = np.diff(edges)[..., None] / 2
    points = edges[..., :-1, None] + half * (1 + x)
    weights = half * weight * np.exp(-(points**2) / 2) / np.sqrt(2 * np.pi)
    shape = (*breaks.shape[:-1], -1)
    return points.reshape(shape), weights.reshape(shape)
