r"""Kink loss, :math:`l(w) = \sum_kh(w_k - c_k) - b^Tw` with :math:`h''(t) = \rho\min(|t|, r)`.

Here :math:`h(0) = h'(0) = 0`.

Coordinates separate, so every moment is a combination of expectations in one standard normal variable u, of functions
that are polynomials between the points where :math:`t \pm \nu u` crosses -r, 0 or r. They are integrated piece by
piece with a Gauss-Legendre rule that is exact to rounding (`analytic.moments.rules`). The closed forms, such as with
:math:`I(z) = z\Phi(z) + \varphi(z)`, :math:`\Phi(z) = (1 + \mathrm{erf}(z/\sqrt2))/2`,

.. math:: E h''(t + \nu u) = \rho\nu\,[I(\tfrac t\nu) + I(-\tfrac t\nu) - I(\tfrac{t-r}\nu) - I(\tfrac{-t-r}\nu)],

cancel when :math:`\nu` is far from r or t, the rule does not; the tests compare the two in 50 digits.

Notation of `analytic.moments.gaussian`: :math:`D_k` depends on :math:`u_k` alone, so in :math:`E\|D\|^2u^TWu` only
the diagonal of W counts: :math:`\sum_k[W_{kk}E D_k^2u_k^2 + (\mathrm{tr}W - W_{kk})E D_k^2]`. And :math:`\delta =
\sum_k\delta_k(u_k)` is even in each coordinate, so :math:`E\,\delta^2(u^TWu)^i\|u\|^{2j}` (:math:`i, j \le 1`) is a
mixed moment of the sums over k of :math:`(\delta_k, W_{kk}u_k^2, u_k^2)`: moment generating functions of independent
terms multiply.
"""

import math

import numpy as np

from analytic.arguments import shaped, vector
from analytic.moments.gaussian import Smoothing
from analytic.moments.rules import piecewise
from analytic.vocabulary import checked


def loss(center, slope, rho, radius, w) -> float:
    """``sum_k h(w_k - c_k) - slope'w``."""
    t, slope, w = _point(center, slope, rho, radius, w)
    return float(rho * np.sum(_primitive(np.abs(t), radius)) - slope @ w)


def grad(center, slope, rho, radius, w) -> np.ndarray:
    """``h'(w - c) - slope``, (d,)."""
    t, slope, w = _point(center, slope, rho, radius, w)
    return rho * _slope_change(np.zeros_like(t), t, radius) - slope


def hess(center, slope, rho, radius, w) -> np.ndarray:
    """``diag(rho min(|w - c|, r))``, (d, d)."""
    t, slope, w = _point(center, slope, rho, radius, w)
    return np.diag(rho * np.minimum(np.abs(t), radius))


def smoothing(center, slope, rho, radius, w, nu) -> Smoothing:
    """Smoothed loss and moments of the Hessian estimators at w; center, slope, w of shape (d,), rho and radius > 0."""
    t, slope, w = _point(center, slope, rho, radius, w)
    checked({"nu": nu})
    crossings = np.stack([-radius - t, -t, radius - t], axis=-1) / nu
    u, mass = piecewise(np.concatenate([crossings, -crossings], axis=-1))
    shift, at = nu * u, t[:, None]
    slope_change = rho * _slope_change(at, shift, radius)
    difference = slope_change / nu
    # delta_k, (K, nodes); its own breaks are those of t + nu u and of t - nu u
    curvature = rho * _second_difference(at, shift, radius) / (2 * nu**2)
    excess = float(np.sum(mass * curvature))
    tables = [
        [[np.sum(mass[k] * curvature[k] ** a * u[k] ** (2 * n)) for n in range(3)] for a in range(3)]
        for k in range(len(t))
    ]

    def gradient_moment(weight):
        plain, heavy = np.sum(mass * difference**2, axis=1), np.sum(mass * (difference * u) ** 2, axis=1)
        own = np.diag(weight)
        return np.sum(heavy * own + plain * (np.sum(own) - own))

    def curvature_moment(polynomial):
        total = 0.0
        for p in polynomial:
            own = np.diag(p.forms[0]) if p.forms else np.zeros(len(t))
            total += p.coefficient * _mixed_moment(tables, own, 2, len(p.forms), p.power)
        return total

    return Smoothing(
        nu=float(nu),
        loss=loss(center, slope, rho, radius, w) + nu**2 * excess,
        grad=grad(center, slope, rho, radius, w) + np.sum(mass * slope_change, axis=1),
        hess=np.diag(rho * np.sum(mass * np.minimum(np.abs(at + shift), radius), axis=1)),
        excess=excess,
        gradient_moment=gradient_moment,
        curvature_moment=curvature_moment,
    )


def _primitive(y, r):
    """``h(y) / rho`` for y >= 0, a sum of terms of one sign on each side of r."""
    inner, outer = np.minimum(y, r), np.maximum(y, r)
    return np.where(y <= r, inner**3 / 6, r * (3 * outer * (outer - r) + r**2) / 6)


def _slope_change(t, s, r):
    """``(h'(t + s) - h'(t)) / rho``, to full relative precision for small s.

    The part of the way from t to t + s that lies in [-r, r] is ``inside``; there h' is y|y|/2, elsewhere its slope is
    r.
    """
    inside = np.clip(s, -r - t, r - t) - np.clip(0.0, -r - t, r - t)
    start = np.clip(t, -r, r)
    end = start + inside
    one_side = inside * np.abs(start + end)
    change = np.where(start * end >= 0, one_side, np.sign(inside) * (start**2 + end**2))
    return change / 2 + r * (s - inside)


def _second_difference(t, s, r):
    """``(h(t + s) + h(t - s) - 2h(t)) / rho``, to full relative precision.

    Even in t and s, so take both >= 0. Large s: nothing cancels. Small s: h'' is ``|y| - (|y| - r)_+`` if t <= r, else
    ``r - (r - |y|)_+``, and the second difference of ``(y - a)_+^3 / 6`` is ``s^2 (t - a)``, 0 or ``(t - a + s)^3 /
    6``.
    """
    t, s = np.broadcast_arrays(np.abs(t), np.abs(s))
    wide = _primitive(t + s, r) + _primitive(np.abs(s - t), r) - 2 * _primitive(t, r)
    ramp = np.where(s <= t, 6 * t * s**2, 2 * s**3 + 6 * t**2 * s - 2 * t**3)
    near = ramp - np.maximum(s + t - r, 0) ** 3 - np.maximum(s - t - r, 0) ** 3
    x = s - t
    tent = np.where(x >= r, 6 * x * r**2, np.maximum(x + r, 0) ** 3 - 2 * np.maximum(x, 0) ** 3)
    far = 6 * r * s**2 - tent
    return np.where(s >= 2 * t, wide, np.where(t <= r, near, far) / 6)


def _mixed_moment(tables, own, *degrees):
    """``E X^a Y^b Z^c`` for the sums X, Y, Z over k of independent ``(delta_k, own_k u_k^2, u_k^2)``."""
    shape = tuple(n + 1 for n in degrees)
    product = np.zeros(shape)
    product[0, 0, 0] = 1.0
    for table, factor in zip(tables, own, strict=True):
        term = np.empty(shape)
        for a, b, c in np.ndindex(shape):
            scale = math.factorial(a) * math.factorial(b) * math.factorial(c)
            term[a, b, c] = table[a][b + c] * factor**b / scale
        multiplied = np.zeros(shape)
        for a, b, c in np.ndindex(shape):
            part = term[: shape[0] - a, : shape[1] - b, : shape[2] - c]
            multiplied[a:, b:, c:] += product[a, b, c] * part
        product = multiplied
    return product[degrees] * math.prod(map(math.factorial, degrees))


def _point(center, slope, rho, radius, w):
    w = vector("w", w)
    checked({"rho": rho})
    if not 0 < radius < math.inf:
        raise ValueError(f"radius = {radius}: must be a number > 0")
    return w - shaped("center", center, w.shape), shaped("slope", slope, w.shape), w
