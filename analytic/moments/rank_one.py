r"""Rank-one factorization, :math:`l(w) = \frac14\|ww^T - xx^T\|_F^2`: everything is a polynomial.

With :math:`g = \|w\|^2w - (x^Tw)x` and :math:`H = \|w\|^2I + 2ww^T - xx^T` the Taylor expansion ends at order four:

.. math:: l(w + h) = l(w) + g^Th + \tfrac12 h^THh + \|h\|^2w^Th + \tfrac14\|h\|^4 .

So :math:`D(u) = Hu + \nu(\|u\|^2w + 2(w^Tu)u) + \nu^2\|u\|^2u` and :math:`\delta(u) = \frac12u^THu +
\frac{\nu^2}{4}\|u\|^4` (notation of `analytic.moments.gaussian`). Then :math:`E\|u\|^2 = d`, :math:`E\|u\|^4 =
d(d+2)` give the smoothed loss, its derivatives give the rest, and in :math:`\|D\|^2` the terms odd in u vanish
against the even :math:`u^TWu`:

.. math:: \|D\|^2 \simeq u^TH^2u + \nu^2(\|u\|^4\|w\|^2 + 8\|u\|^2(w^Tu)^2 + 2\|u\|^2u^THu) + \nu^4\|u\|^6 .
"""

import numpy as np

from analytic.arguments import shaped, vector
from analytic.moments.gaussian import Monomial, Smoothing, form_moment
from analytic.vocabulary import checked


def loss(x, w) -> float:
    """``||ww' - xx'||_F^2 / 4``; x and w of shape (d,)."""
    x, w = _point(x, w)
    # (||w||^2 - ||x||^2)^2 + 2 (||w||^2 ||x||^2 - (w'x)^2), with every difference taken before squaring
    gap = np.vdot(w - x, w + x)
    away = w * np.vdot(x, x) - x * np.vdot(x, w)
    sine = np.vdot(away, away) / np.vdot(x, x) if np.vdot(x, x) > 0 else 0.0
    return float(gap**2 + 2 * sine) / 4


def grad(x, w) -> np.ndarray:
    """``||w||^2 w - (x'w) x``, shape (d,)."""
    x, w = _point(x, w)
    return np.vdot(w, w) * w - np.vdot(x, w) * x


def hess(x, w) -> np.ndarray:
    """``||w||^2 I + 2 ww' - xx'``, shape (d, d)."""
    x, w = _point(x, w)
    return np.vdot(w, w) * np.eye(len(w)) + 2 * np.outer(w, w) - np.outer(x, x)


def smoothing(x, w, nu) -> Smoothing:
    """Smoothed loss and moments of the Hessian estimators at w; x and w of shape (d,).

    The smoothed Hessian is ``H + nu^2 (d+2) I``, the excess ``tr H / 2 + nu^2 d (d+2) / 4``.
    """
    x, w = _point(x, w)
    checked({"nu": nu})
    dim, curvature, square = len(w), hess(x, w), nu**2
    excess = np.trace(curvature) / 2 + square * dim * (dim + 2) / 4
    outer = np.outer(w, w)

    def gradient_moment(weight):
        terms = (
            Monomial(1.0, (weight, curvature @ curvature)),
            Monomial(square * np.vdot(w, w), (weight,), 2),
            Monomial(8 * square, (weight, outer), 1),
            Monomial(2 * square, (weight, curvature), 1),
            Monomial(square**2, (weight,), 3),
        )
        return sum(form_moment(term, dim) for term in terms)

    def curvature_moment(polynomial):
        return sum(
            form_moment(Monomial(p.coefficient / 4, (*p.forms, curvature, curvature), p.power), dim)
            + form_moment(Monomial(p.coefficient * square / 4, (*p.forms, curvature), p.power + 2), dim)
            + form_moment(Monomial(p.coefficient * square**2 / 16, p.forms, p.power + 4), dim)
            for p in polynomial
        )

    return Smoothing(
        nu=float(nu),
        loss=loss(x, w) + square * excess,
        grad=grad(x, w) + square * (dim + 2) * w,
        hess=curvature + square * (dim + 2) * np.eye(dim),
        excess=float(excess),
        gradient_moment=gradient_moment,
        curvature_moment=curvature_moment,
        hess_shift=square * (dim + 2) * np.eye(dim),
        excess_shift=float(square * dim * (dim + 2) / 4),
    )


def _point(x, w):
    x = vector("x", x)
    return x, shaped("w", w, x.shape)
