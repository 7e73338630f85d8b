r"""Losses that are sums over coordinates, :math:`l(w) = \sum_kf_k(w_k)`, seen through Gaussian directions.

In the notation of `analytic.moments.gaussian` :math:`D_k` depends on :math:`u_k` alone, so in
:math:`E\|D\|^2u^TWu` only the diagonal of W counts:
:math:`\sum_k[W_{kk}ED_k^2u_k^2 + (\mathrm{tr}W - W_{kk})ED_k^2]`. And :math:`\delta = \sum_k\delta_k(u_k)` is even in
each coordinate, so :math:`E\,\delta^2(u^TWu)^i\|u\|^{2j}` (:math:`i, j \le 1`) is a mixed moment of the sums over k of
:math:`(\delta_k, W_{kk}u_k^2, u_k^2)`: moment generating functions of independent terms multiply.
"""

import math
from collections.abc import Callable

import numpy as np

from analytic.digits import is_precise
from analytic.moments.gaussian import Smoothing
from analytic.moments.rules import piecewise


def smoothing(
    loss: float, grad: np.ndarray, change: Callable, bend: Callable, hess: Callable, breaks, w, nu
) -> Smoothing:
    """Smoothed loss and moments of the Hessian estimators at w (d,).

    Parameters
    ----------
    loss, grad : float, array (d,)
        The loss and its gradient at w.
    change, bend : callable
        ``f_k'(x + s) - f_k'(x)`` and ``f_k(x + s) + f_k(x - s) - 2 f_k(x)``, at points x (d, 1) and steps s (d, m).
        They cancel where nu is small or x is far; to be exact to rounding there is up to them.
    hess : callable
        ``f_k''`` at points (d, m).
    breaks : array (d, B)
        Points where a piece of ``f_k`` ends. Between them it should be a polynomial, for exactness to rounding.
    """
    at = w[:, None]
    crossings = (breaks - at) / nu
    finer = {"nodes": 64, "reach": 20.0} if is_precise(nu) else {}  # off by less than 1e-60
    u, mass = piecewise(np.concatenate([crossings, -crossings], axis=-1), **finer)
    step = nu * u
    change, curvature = change(at, step), bend(at, step) / (2 * nu**2)
    difference = change / nu
    excess = np.sum(mass * curvature)
    # tables[k, a, n] = E delta_k^a u_k^(2n)
    tables = np.array([[np.sum(mass * curvature**a * u ** (2 * n), axis=-1) for n in range(3)] for a in range(3)])
    tables = np.moveaxis(tables, -1, 0)

    def gradient_moment(weight):
        plain, heavy = np.sum(mass * difference**2, axis=1), np.sum(mass * (difference * u) ** 2, axis=1)
        own = np.diag(weight)
        return np.sum(heavy * own + plain * (np.sum(own) - own))

    def curvature_moment(polynomial):
        total = 0.0
        for p in polynomial:
            own = np.diag(p.forms[0]) if p.forms else np.zeros(len(grad))
            total += p.coefficient * _mixed_moment(tables, own, 2, len(p.forms), p.power)
        return total

    return Smoothing(
        nu=nu,
        loss=loss + nu**2 * excess,
        grad=grad + np.sum(mass * change, axis=1),
        hess=np.diag(np.sum(mass * hess(at + step), axis=1)),
        excess=excess,
        gradient_moment=gradient_moment,
        curvature_moment=curvature_moment,
    )


def _mixed_moment(tables, own, *degrees):
    """``E X^a Y^b Z^c`` for the sums X, Y, Z over k of independent ``(delta_k, own_k u_k^2, u_k^2)``.

    ``tables[k][a][n]`` is ``E delta_k^a u_k^(2n)``.
    """
    shape = tuple(n + 1 for n in degrees)
    product = np.zeros(shape, tables.dtype)
    product[0, 0, 0] = 1
    for table, factor in zip(tables, own, strict=True):
        term = np.empty(shape, tables.dtype)
        for a, b, c in np.ndindex(shape):
            scale = math.factorial(a) * math.factorial(b) * math.factorial(c)
            term[a, b, c] = table[a][b + c] * factor**b / scale
        multiplied = np.zeros(shape, tables.dtype)
        for a, b, c in np.ndindex(shape):
            part = term[: shape[0] - a, : shape[1] - b, : shape[2] - c]
            multiplied[a:, b:, c:] += product[a, b, c] * part
        product = multiplied
    return product[degrees] * math.prod(map(math.factorial, degrees))
