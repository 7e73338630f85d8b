r"""Kink loss, :math:`l(w) = \sum_kh(w_k - c_k) - b^Tw` with :math:`h''(t) = \rho\min(|t|, r)`.

Here :math:`h(0) = h'(0) = 0`.

Coordinates separate, so every moment is a combination of expectations in one standard normal variable u, of functions
that are polynomials between the points where :math:`t \pm \nu u` crosses -r, 0 or r. They are integrated piece by
piece with a Gauss-Legendre rule that is exact to rounding (`analytic.moments.rules`). The closed forms, such as with
:math:`I(z) = z\Phi(z) + \varphi(z)`, :math:`\Phi(z) = (1 + \mathrm{erf}(z/\sqrt2))/2`,

.. math:: E h''(t + \nu u) = \rho\nu\,[I(\tfrac t\nu) + I(-\tfrac t\nu) - I(\tfrac{t-r}\nu) - I(\tfrac{-t-r}\nu)],

cancel when :math:`\nu` is far from r or t, the rule does not; the tests compare the two in 50 digits.

From these integrands `analytic.moments.separable` makes the moments.
"""

import math

import numpy as np

from analytic.arguments import shaped, vector
from analytic.moments.gaussian import Smoothing
from analytic.moments.rules import piecewise
from analytic.moments.separable import assembled
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
    # the second difference's own breaks are those of t + nu u and of t - nu u
    return assembled(
        nu,
        u,
        mass,
        change=rho * _slope_change(at, shift, radius),
        curvature=rho * _second_difference(at, shift, radius) / (2 * nu**2),
        hess=rho * np.minimum(np.abs(at + shift), radius),
        loss=loss(center, slope, rho, radius, w),
        grad=grad(center, slope, rho, radius, w),
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


def _point(center, slope, rho, radius, w):
    w = vector("w", w)
    checked({"rho": rho})
    if not 0 < radius < math.inf:
        raise ValueError(f"radius = {radius}: must be a number > 0")
    return w - shaped("center", center, w.shape), shaped("slope", slope, w.shape), w
