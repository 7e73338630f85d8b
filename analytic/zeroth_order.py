r"""The zeroth-order Hessian estimator (Propositions 5 and 8 of arXiv 2002.07836).

:math:`\hat H = \frac1Q\sum_j t_j\,u_ju_j^T` with :math:`u_j \sim N(0, I)` and
:math:`t_j = [l(w+\nu u_j) + l(w-\nu u_j) - 2l(w)]/(2\nu^2)`. Let :math:`l_\nu(w) = E\,l(w+\nu u)`.

Mean (Proposition 5)
--------------------
Integration by parts gives :math:`E[l(w+\nu u)(uu^T - I)] = \nu^2\nabla^2l_\nu(w)` (Stein). The law of u is symmetric,
so :math:`E[t\,uu^T] = \nu^{-2}E[(l(w+\nu u) - l(w))uu^T]`, hence exactly

.. math:: E\hat H = \nabla^2l_\nu(w) + \frac{l_\nu(w) - l(w)}{\nu^2}I,\qquad
          \frac{l_\nu - l}{\nu^2} = \tfrac12\operatorname{tr}\nabla^2l(w) + \Delta .

Expand l at w. With a :math:`\rho`-Lipschitz Hessian the remainder after the second order is at most
:math:`\rho\nu^3\|u\|^3/6`: :math:`|\Delta| \le (\rho\nu/6)E\|u\|^3` (``sharp``), and
:math:`E\|u\|^3 \le (E\|u\|^4)^{3/4} = (d(d+2))^{3/4} \le (d+3)^{3/2}` (``paper``). With a :math:`\tau`-Lipschitz
third derivative the third order has mean zero and the remainder after it is at most :math:`\tau\nu^4\|u\|^4/24`:
:math:`|\Delta| \le \tau\nu^2d(d+2)/24` (``smooth``). Both are attained at 0 in every dimension: the sharp one by
:math:`l = (\rho/6)\|w\|^3` (whose third derivative in the direction at angle :math:`\theta` to w is
:math:`\rho(3\cos\theta - \cos^3\theta)/2`, at most :math:`\rho`), the smooth one by :math:`l = (\tau/24)\|w\|^4`.
``refined``: :math:`|l_\nu - l|/\nu^2` and :math:`|\operatorname{tr}\nabla^2l|/2` are both at most :math:`Ld/2` (see the
step size below), so no more than the smaller of :math:`Ld` and sharp, however large the radius.

The constant :math:`\tfrac12\operatorname{tr}\nabla^2l` does not vanish with :math:`\nu`. With :math:`uu^T - I` in
place of :math:`uu^T` (Stein-corrected) the mean is :math:`\nabla^2l_\nu` and there is no such error.

Nor with the sample mean for a baseline, :math:`\hat H = \frac1{Q\nu^2}\sum_j(f_j-\bar f)u_ju_j^T`,
:math:`f_j = \frac12[l(w+\nu u_j)+l(w-\nu u_j)]`, the custom of evolution strategies: this is :math:`1-1/Q` times the
sample covariance of :math:`f/\nu^2` and :math:`uu^T`, which is unbiased for
:math:`\nu^{-2}E[f(u)(uu^T-I)] = \nabla^2l_\nu`. So
its mean is exactly :math:`(1-1/Q)\nabla^2l_\nu` (`mean_estimate_baseline`): the constant error belongs to eq. 17 as
written, not to that program.

Variance for a fixed unit vector
--------------------------------
:math:`|l(w+\nu u) + l(w-\nu u) - 2l(w)| \le L\nu^2\|u\|^2` gives :math:`|t| \le (L/2)\|u\|^2`. Directions are
independent, so the variance of :math:`\hat Hv` is at most :math:`1/Q` times
:math:`E\,t^2\|u\|^2(u^Tv)^2 \le (L^2/4)E\|u\|^6(u^Tv)^2 = (L^2/4)E\|u\|^8/d = (L^2/4)(d+2)(d+4)(d+6)`.
Stein-corrected, :math:`\|uu^Tv - v\|^2 = \|u\|^2(u^Tv)^2 - 2(u^Tv)^2 + 1`, so the mean is at most
:math:`(L^2/4)[(d+2)(d+4)(d+6) - 2(d+2)(d+4) + d(d+2)] = (L^2/4)(d+2)[(d+4)^2 + d]`. The second moments are attained
by :math:`l = (L/2)\|w\|^2`, whose variances fall short by the squared mean, :math:`L^2(1+d/2)^2/Q` and :math:`L^2/Q`.

Step size (Proposition 8)
-------------------------
:math:`\|\nabla^2l_\nu\| \le L` and :math:`|l_\nu - l| \le L\nu^2d/2` (the first order has mean zero), so
:math:`\|E\hat H\| \le L(1+d/2)`. Directions of different inner steps are independent, hence the mean of the product
of the N factors :math:`I-\alpha\hat H` along any path has norm at most :math:`(1+\alpha L(1+d/2))^N`, attained by
:math:`l = -(L/2)\|w\|^2`. For :math:`l = +(L/2)\|w\|^2` the mean of the product is :math:`(1-\alpha L(1+d/2))^N I`
exactly, which grows with N as soon as :math:`\alpha L(1+d/2) > 2`, where the exact product :math:`(1-\alpha L)^N`
still shrinks: the step size has to fall like 1/d.
"""

import numpy as np
import sympy as sp

from analytic.abbreviations import GROWTH, L, N, alpha, q, rho
from analytic.bound import statement
from analytic.functions import Least, NormMoment
from analytic.vocabulary import symbols

d, nu, tau, Q = symbols("dim nu tau directions")

ZEROTH_ORDER_VECTOR = L**2 * (d + 2) * (d + 4) * (d + 6) / (4 * Q)
"""Variance on a unit vector."""

STEIN_VECTOR = L**2 * (d + 2) * ((d + 4) ** 2 + d) / (4 * Q)
"""Variance on a unit vector of the Stein-corrected estimator."""

_HERE = "docstring of analytic.zeroth_order"
_PAPER = "arXiv 2002.07836, Appendix"

STATEMENTS = (
    statement(
        "prop5",
        title="Mean of the zeroth-order Hessian estimator",
        quantity="|(l_nu(w) - l(w))/nu^2 - tr(Hess l(w))/2|; the mean is Hess l_nu + ((l_nu - l)/nu^2) I exactly",
        quantity_latex=r"\Big|\frac{l_\nu(w) - l(w)}{\nu^2} - \tfrac12\operatorname{tr}\nabla^2 l(w)\Big|",
        source="Proposition 5",
        remarks="As nu tends to 0 the mean tends to Hess l + tr(Hess l)/2 I: an error that no radius removes.",
        paper={"formula": rho * nu / 6 * (d + 3) ** sp.Rational(3, 2), "proof": _PAPER},
        sharp={"formula": rho * nu / 6 * NormMoment(3, d), "proof": _HERE},
        smooth={"formula": tau * nu**2 * d * (d + 2) / 24, "proof": _HERE},
        refined={"formula": Least(rho * nu / 6 * NormMoment(3, d), L * d), "proof": _HERE},
    ),
    statement(
        "zo-vector",
        title="Variance of the zeroth-order estimator on a unit vector",
        quantity="E ||(H^ - E H^) v||^2, ||v|| = 1",
        quantity_latex=r"E\|(\hat H - E\hat H)v\|^2",
        source="new",
        sharp={"formula": ZEROTH_ORDER_VECTOR, "proof": _HERE},
    ),
    statement(
        "zo-stein-vector",
        title="Variance of the Stein-corrected zeroth-order estimator on a unit vector",
        quantity="E ||(H^ - E H^) v||^2, ||v|| = 1",
        quantity_latex=r"E\|(\hat H - E\hat H)v\|^2",
        source="new",
        sharp={"formula": STEIN_VECTOR, "proof": _HERE},
    ),
    statement(
        "prop8",
        title="Mean of the product of N factors with zeroth-order Hessians",
        quantity="||E prod_j (I - alpha H^(w_j))||, along any path",
        quantity_latex=r"\Big\|E\prod_{j<N}(I - \alpha\hat H(w_j))\Big\|",
        source="Proposition 8",
        remarks="With exact or smoothed Hessians the same product is at most (1 + alpha L)^N.",
        sharp={"formula": (1 + alpha * L * (1 + d / 2)) ** N, "proof": _HERE},
        stein={"formula": q**N, "where": (GROWTH,), "proof": _HERE},
    ),
    statement(
        "prop8-mean",
        title="Norm of the mean of the zeroth-order Hessian estimator",
        quantity="||E H^||",
        quantity_latex=r"\|E\hat H\|",
        source="Proposition 8, in its proof",
        sharp={"formula": L * (1 + d / 2), "proof": _HERE},
    ),
)


def mean_estimate(smoothed_hessian, smoothed_loss, loss, nu):
    """Exact mean of the estimator, ``Hess l_nu + ((l_nu - l)/nu^2) I``.

    Parameters
    ----------
    smoothed_hessian : ndarray, shape (..., d, d)
    smoothed_loss, loss, nu : float or ndarray, shape (...)
    """
    hessian = np.asarray(smoothed_hessian, dtype=float)
    shift = np.asarray((np.asarray(smoothed_loss) - loss) / np.square(nu))
    return hessian + shift[..., None, None] * np.eye(hessian.shape[-1])


def mean_estimate_baseline(smoothed_hessian, directions):
    """Exact mean of the estimator with the sample mean for a baseline, ``(1 - 1/Q) Hess l_nu``, shape (..., d, d)."""
    return (1 - 1 / np.asarray(directions, dtype=float)[..., None, None]) * smoothed_hessian


def mean_factor(alpha, L, dim, steps):
    """Norm of the mean product for ``l = (L/2)||w||^2``: ``|1 - alpha L (1 + d/2)|^N`` (converse of Proposition 8)."""
    return np.abs(1 - np.multiply(alpha, L) * (1 + np.divide(dim, 2))) ** steps


def largest_step(L, dim, steps):
    """Step size below which the bound of Proposition 8 on the squared product is less than 2."""
    return np.expm1(np.log(2) / (2 * np.asarray(steps))) / (L * (1 + np.divide(dim, 2)))
