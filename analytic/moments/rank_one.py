r"""Rank-one factorization, :math:`l(w) = \frac14\|ww^T - xx^T\|_F^2`: everything is a polynomial.

With the gradient g and the Hessian H at w, which alone know the target x, the Taylor expansion ends at order four:

.. math:: l(w + h) = l(w) + g^Th + \tfrac12 h^THh + \|h\|^2w^Th + \tfrac14\|h\|^4 .

So :math:`D(u) = Hu + \nu(\|u\|^2w + 2(w^Tu)u) + \nu^2\|u\|^2u` and :math:`\delta(u) = \frac12u^THu +
\frac{\nu^2}{4}\|u\|^4` (notation of `analytic.moments.gaussian`). Then :math:`E\|u\|^2 = d`, :math:`E\|u\|^4 =
d(d+2)` give the smoothed loss, its derivatives give the rest, and in :math:`\|D\|^2` the terms odd in u vanish
against the even :math:`u^TWu`:

.. math:: \|D\|^2 \simeq u^TH^2u + \nu^2(\|u\|^4\|w\|^2 + 8\|u\|^2(w^Tu)^2 + 2\|u\|^2u^THu) + \nu^4\|u\|^6 .
"""

import numpy as np

from analytic.moments.gaussian import Monomial, Smoothing, form_moment


def smoothing(loss, grad, hess, w, nu) -> Smoothing:
    """Smoothed loss and moments of the Hessian estimators from the loss, its gradient and its Hessian (d, d) at w (d,).

    The smoothed Hessian is ``H + nu^2 (d+2) I``, the excess ``tr H / 2 + nu^2 d (d+2) / 4``.
    """
    dim, square = len(w), nu**2
    excess = np.trace(hess) / 2 + square * dim * (dim + 2) / 4
    outer, shift = np.outer(w, w), square * (dim + 2) * np.eye(dim)

    def gradient_moment(weight):
        terms = (
            Monomial(1.0, (weight, hess @ hess)),
            Monomial(square * np.vdot(w, w), (weight,), 2),
            Monomial(8 * square, (weight, outer), 1),
            Monomial(2 * square, (weight, hess), 1),
            Monomial(square**2, (weight,), 3),
        )
        return sum(form_moment(term, dim) for term in terms)

    def curvature_moment(polynomial):
        return sum(
            form_moment(Monomial(p.coefficient / 4, (*p.forms, hess, hess), p.power), dim)
            + form_moment(Monomial(p.coefficient * square / 4, (*p.forms, hess), p.power + 2), dim)
            + form_moment(Monomial(p.coefficient * square**2 / 16, p.forms, p.power + 4), dim)
            for p in polynomial
        )

    return Smoothing(
        nu=nu,
        loss=loss + square * excess,
        grad=grad + square * (dim + 2) * w,
        hess=hess + shift,
        excess=excess,
        gradient_moment=gradient_moment,
        curvature_moment=curvature_moment,
        hess_shift=shift,
        excess_shift=square * dim * (dim + 2) / 4,
    )
