r"""Inner path and meta gradient of any smooth loss of one variable, without sampling.

Model: :math:`w_{j+1} = w_j - \alpha(l'(w_j) + \xi_j)`, :math:`\xi_j \sim N(0, \sigma_g^2/S)`, exact Hessians, final
gradient :math:`l'(w_N) + \zeta`, :math:`\zeta \sim N(0, \sigma_g^2/T)`: additive noise, one task.

The expectation over the N noises is a nested rule: every point has as children the points of a rule for its next
noise. With no breaks the rule is Gauss-Hermite, so together they are the tensor rule. Two things are done on paper.
The final noise only adds :math:`\sigma_g^2/T` to the square of the last gradient. And given :math:`w_{N-1}` the error
:math:`e_N = w_N - \tilde w_N` is normal, with mean :math:`\mu` and deviation :math:`s = \alpha\sigma_g/\sqrt S`, so
that

.. math:: E[|e_N|\,|w_{N-1}] = s\sqrt{2/\pi}\,e^{-\mu^2/(2s^2)} + \mu\,\mathrm{erf}\bigl(\mu/(s\sqrt2)\bigr)

leaves a smooth function of the other noises in place of an absolute value.

Breaks. Where the second derivative has corners at known points, each rule is split there (`analytic.moments.rules`).
One split per noise is enough for any N: the later noises are Gaussian and smooth whatever follows, so that the
integrand in :math:`w_j` has no corners but those of l' and l'' at :math:`w_j` itself.
"""

from collections.abc import Callable

import numpy as np

from analytic.digits import as_numbers, erf, is_precise, pi
from analytic.moments.path import PathMoments
from analytic.moments.rules import hermite, piecewise

# Nodes per noise, or per piece of the line when there are breaks, by number of steps.
HERMITE_NODES = {1: 128, 2: 64, 3: 40, 4: 20}
PIECE_NODES = {1: 48, 2: 32, 3: 17, 4: 9}
PANELS, REACH = 2, 9.0


def path_moments(
    grad: Callable, hess: Callable, w, alpha, steps, sigma_g, S, T, breaks=None, nodes: int | None = None
) -> PathMoments:
    """Exact path and meta-gradient moments of losses of one variable; all fields have the shape of the problems.

    Parameters
    ----------
    grad, hess : callable
        First and second derivative, elementwise. They get an array of shape ``problems + (m,)``, m arbitrary, where
        ``problems`` is the broadcast shape of w, alpha, sigma_g, S, T; so parameters that differ between problems
        need one trailing axis of length 1.
    w, alpha, sigma_g, S, T : number or array
        Starting point, inner step size, noise of one sample, batch sizes; arrays are many problems at once.
    steps : int
        N, from 1 to 4 if ``nodes`` are not given.
    breaks : array, optional
        Points, shape ``(B,)`` or ``problems + (B,)``, where ``grad`` or ``hess`` is not smooth.
    nodes : int, optional
        Nodes per noise, or per piece when there are breaks (``B + 2`` pieces a noise); by default those of the tables
        in this file.

    Notes
    -----
    For analytic losses the rule converges fast. With default nodes and a path noise ``alpha sigma_g / sqrt(S)`` of a
    tenth of the length on which the loss varies, every N reaches rounding, which in ``bias``, a difference, is 1e-15
    of the meta gradient; with a third of that length N = 4 is good to 1e-7. Wider noise or doubt: compare two values
    of ``nodes``.

    At a corner that ``breaks`` does not announce Gauss-Hermite converges slowly, with an error in inverse proportion
    to a power of ``nodes``. With ``breaks`` the error at a kink is that of rounding for N <= 2, and relatively of
    order 1e-10 for N = 3 and 1e-4 for N = 4 (1e-6 with 12 nodes a piece).
    """
    w, alpha, sigma_g, S, T = np.broadcast_arrays(*(as_numbers(x) for x in (w, alpha, sigma_g, S, T)))
    if nodes is None:
        nodes = (HERMITE_NODES if breaks is None else PIECE_NODES)[steps]
    breaks = None if breaks is None else np.broadcast_to(breaks, (*w.shape, np.shape(breaks)[-1]))

    rate, spread = alpha[..., None], (alpha * np.sqrt(sigma_g**2 / S))[..., None]
    exact, product = w[..., None], 1.0
    for _ in range(steps):
        product = product * (1 - rate * hess(exact))
        exact = exact - rate * grad(exact)
    gradient = product * grad(exact)

    last_noise = (sigma_g**2 / T)[..., None]

    def forward(here, left):
        """Expectations of (e, |e|, e^2, G, G^2) given the point ``here`` with ``left`` steps to go."""
        centre = here - rate * grad(here)
        points, mass = _children(centre, spread, breaks, nodes)
        shape = points.shape
        flat = points.reshape(*shape[:-2], -1)
        if left == 1:
            final = grad(flat)
            below = [final, final**2 + last_noise]
        else:
            below = forward(flat, left - 1)
        averaged = [np.sum(mass * value.reshape(shape), axis=-1) for value in below]
        if left == 1:
            averaged = [*_normal_moments(centre - exact, spread), *averaged]
        factor = 1 - rate * hess(here)
        averaged[3] = factor * averaged[3]
        averaged[4] = factor**2 * averaged[4]
        return averaged

    bias, first, second, mean, square = forward(w[..., None], steps)
    fields = bias, first, second, gradient, mean - gradient, square
    return PathMoments(*(np.broadcast_to(field, (*w.shape, 1))[..., 0][()] for field in fields))


def _children(centre, spread, breaks, nodes):
    """Next points and their weights, both (..., m, n), from centres (..., m)."""
    if breaks is None:
        points, mass = hermite(nodes, is_precise(centre))
    else:
        # without noise every split is beyond reach or immaterial
        scale = np.maximum(spread, np.finfo(float).tiny ** 0.5)
        points, mass = piecewise((breaks[..., None, :] - centre[..., None]) / scale[..., None], nodes, PANELS, REACH)
    moved = centre[..., None] + spread[..., None] * points
    return moved, np.broadcast_to(mass, moved.shape)


def _normal_moments(mean, deviation):
    """Mean, first absolute and second moment of N(mean, deviation^2)."""
    ratio = mean / np.maximum(deviation, np.finfo(float).tiny ** 0.5)
    ratio = ratio if is_precise(ratio) else np.clip(ratio, -40, 40)
    root = np.sqrt(2 + 0 * ratio)
    absolute = deviation * root / np.sqrt(pi(ratio)) * np.exp(-(ratio**2) / 2) + mean * erf(ratio / root)
    return mean, absolute, mean**2 + deviation**2
