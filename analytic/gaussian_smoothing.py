r"""The gradient-based Gaussian-smoothing Hessian estimator (Propositions 6 and 7 of arXiv 2002.07836).

:math:`\hat H = \frac1Q\sum_j \nu^{-1}(\nabla l(w+\nu u_j) - \nabla l(w))\,u_j^T` with sampled gradients, fresh data
for each point :math:`w + \nu u_j` (the data at w may be shared among directions: its part is uncorrelated between
them because the :math:`u_j` are independent of it). :math:`E\hat H = E\nabla^2l(w+\nu u)` by Stein's identity.

Bias (Proposition 6)
--------------------
:math:`\|E\hat H - \nabla^2l(w)\| \le E\rho\nu\|u\|` (``sharp``) :math:`\le \rho\nu\sqrt d` (``paper``). If the third
derivative is :math:`\tau`-Lipschitz the first order has mean zero and :math:`\tau\nu^2E\|u\|^2/2 = \tau\nu^2d/2`
remains (``smooth``). ``refined``: two Hessians differ by at most 2L, so no more than the smaller of 2L and sharp.
Attained: a Hessian :math:`\rho|t|` in one dimension at its kink (paper/measured is :math:`\sqrt{\pi/2}`), and a
Hessian :math:`\tau t^2/2` for the smooth form.

Variance on a unit vector (Proposition 7)
-----------------------------------------
Let :math:`f(u) = (\nabla l(w+\nu u) - \nabla l(w))/\nu`, :math:`\|f(u)\| \le L\|u\|`, and :math:`\xi` the difference
of the two batch noises, :math:`E\|\xi\|^2 \le 2\sigma_g^2/D` given u. One direction gives
:math:`(f(u) + \xi/\nu)u^Tv`, so the variance is at most

.. math:: V = \frac{L^2E\|u\|^2(u^Tv)^2}{Q} + \frac{2\sigma_g^2E(u^Tv)^2}{QD\nu^2}
            = \frac{L^2(d+2)}{Q} + \frac{2\sigma_g^2}{QD\nu^2}.

This constant cannot be lowered: for :math:`l(w) = (L/2)\sum_kw_k|w_k|` at 0, :math:`f(u) = L(|u_1|,\dots,|u_d|)` has
:math:`\|f(u)\| = L\|u\|` and, being even, :math:`E f(u)u^T = 0`, so nothing is lost by the squared mean. (Its Hessian
jumps; it is the limit of losses whose Hessian turns from -L to L over a width much less than :math:`\nu`.)

``refined``: where :math:`\rho\nu` is small, :math:`f(u) = Hu + r(u)`, :math:`\|r(u)\| \le \rho\nu\|u\|^2/2`, and
standard deviations add: that of :math:`Hu\,u^Tv` is :math:`(\|H\|_F^2 + \|Hv\|^2)^{1/2} \le L\sqrt{d+1}`, that of the
rest at most :math:`(\rho\nu/2)(E\|u\|^6/d)^{1/2} = (\rho\nu/2)\sqrt{(d+2)(d+4)}`. The minimum of this and
:math:`L\sqrt{d+2}` replaces the latter: :math:`l = (L/2)\|w\|^2` attains the one, the loss above the other.

Frobenius norm
--------------
The same with :math:`\|u\|^2` for :math:`(u^Tv)^2`: :math:`L^2E\|u\|^4 = L^2d(d+2)` and noise
:math:`2\sigma_g^2d/(D\nu^2)`, over Q; attained by the same loss. ``refined``: the quadratic part has
:math:`(d+1)\|H\|_F^2 \le L^2d(d+1)`, the rest :math:`(\rho\nu/2)^2E\|u\|^6 = (\rho\nu/2)^2d(d+2)(d+4)`.

Spectral norm
-------------
:math:`\hat H - E\hat H = H(W-I) + (R-ER) + \Xi` with :math:`W = \frac1Q\sum u_ju_j^T`; the last two by their
Frobenius norms. Let :math:`s_{\max}, s_{\min}` be the extreme singular values of the Q x d Gaussian matrix. Davidson
and Szarek: :math:`P(s_{\max} > \sqrt Q+\sqrt d+t)` and :math:`P(s_{\min} < \sqrt Q-\sqrt d-t)` are at most
:math:`e^{-t^2/2}`. So :math:`\|W-I\| \le 2\delta+\delta^2`, :math:`\delta = (\sqrt d+Z)/\sqrt Q`, :math:`Z \ge 0`,
:math:`P(Z>t) \le 2e^{-t^2/2}`, whence :math:`EZ^2 \le 2\ln2+2 < 1.841^2` and
:math:`EZ^4 \le 4\ln^22+8\ln2+8 < 1.984^4`, and by Minkowski :math:`(E\|W-I\|^2)^{1/2} \le 2\Gamma+\Gamma^2`,
:math:`\Gamma = (\sqrt d+2)/\sqrt Q`: the ``sharp`` form.

``refined``, for every Q: let :math:`\Delta = \max(s_{\max}-\sqrt Q, \sqrt Q-s_{\min}) \ge 0`, for Q < d
:math:`\max(s_{\max}-\sqrt Q, \sqrt d)`. Then :math:`\|W-I\| \le (2\sqrt Q\Delta+\Delta^2)/Q` (for Q < d and for
:math:`\Delta > \sqrt Q`, because :math:`1-\lambda_{\min}(W) \le 1`). By Gordon
:math:`Es_{\max} \le \sqrt Q+\sqrt d` and :math:`Es_{\min} \ge \sqrt Q-\sqrt d`, so
:math:`\Delta - \sqrt d \le \max(Z_1,Z_2)` with the centered :math:`Z_1 = s_{\max}-Es_{\max}`,
:math:`Z_2 = Es_{\min}-s_{\min}`, and :math:`E\max(Z_1,Z_2) = \frac12E|Z_1-Z_2|`. As :math:`s_{\max}+s_{\min}` has a
gradient of norm :math:`\sqrt2`, Poincaré gives at most :math:`1/\sqrt2` (in d = 1 both are a chi variable, of
variance at most 1/2; for Q < d there is :math:`\max(Z_1,0)`, at most 1/2). :math:`\Delta` is 1-Lipschitz, and
:math:`\Delta^2` has a gradient of norm :math:`2\Delta`: by Poincaré
:math:`E\Delta^2 \le e = (\sqrt d+1/\sqrt2)^2+1` and :math:`E\Delta^4 \le e^2+4e`, whence by Minkowski
:math:`(E\|W-I\|^2)^{1/2} \le 2\sqrt{e/Q} + \sqrt{e^2+4e}/Q`. For few directions the Frobenius norm is the better bound,
:math:`(d(d+1)/Q)^{1/2}`; the refined form takes the smaller for H, and never more than the refined Frobenius form.

How good these are. Where only L counts (:math:`\rho\nu` large) ``refined`` is the Frobenius form, and for every d and Q
some loss comes near: `maml_bench.problems.Hourglass`, odd, with gradients as long as the point that
point along one axis. (Its Hessian jumps: it is a limit of admissible losses, its mollified ones.) The estimator has
mean 0 and nearly all of its entries in one row, so for Q = 1 the bound is attained, and for every Q the ratio is at
least :math:`(E\max(t, 1-t))^{1/2} > \sqrt{1-1/d}`, :math:`t = u_1^2/\|u\|^2`: 0.905 for d = 2, 0.897 for d = 3, the
least, 0.939 for d = 8. On quadratics, where :math:`\rho = 0`, it is attained in d = 1 by :math:`Lw^2/2` for all Q, and
on :math:`L\|w\|^2/2` both forms tend to being attained as d grows, Q >= d: :math:`s_{\max} - \sqrt Q` is
:math:`\sqrt d(1 + o(1))` (Geman, Silverstein), so :math:`\|W-I\|` is :math:`2\sqrt{d/Q} + d/Q` to first order, which is
what is left of both. Between, for d from 6 to some dozens, quadratics are known to reach 0.62 to 0.9 of it.
"""

import sympy as sp

from analytic.abbreviations import L, rho, sigma_g
from analytic.bound import Condition, Definition, statement
from analytic.functions import Least, NormMoment
from analytic.vocabulary import symbols

d, nu, tau, Q, D, delta = symbols("dim nu tau directions D delta")
width = sp.Symbol("gamma", positive=True)

_HERE = "docstring of analytic.gaussian_smoothing"
_PAPER = "arXiv 2002.07836, Appendix"

NOISE = 2 * sigma_g**2 / (Q * D * nu**2)
"""Contribution of fresh data at the two points to the variance on a unit vector."""


def smoothing_deviation(linear, remainder, always):
    """Standard deviation for one direction: of the linear part plus the rest, or without any use of rho."""
    return Least(L * sp.sqrt(linear) + rho * nu / 2 * sp.sqrt(remainder), L * sp.sqrt(always))


VECTOR = L**2 * (d + 2) / Q
"""Variance on a unit vector when both gradients see the same data."""

REFINED_VECTOR = smoothing_deviation(d + 1, (d + 2) * (d + 4), d + 2) ** 2 / Q
"""The same, using that a quadratic loss loses the squared mean."""

REFINED_FROBENIUS = smoothing_deviation(d * (d + 1), d * (d + 2) * (d + 4), d * (d + 2)) ** 2 / Q + NOISE * d

_WIDTH = Definition(width, (sp.sqrt(d) + 2) / sp.sqrt(Q))
_SPECTRAL_REST = rho * nu / 2 * sp.sqrt(d * (d + 2) * (d + 4) / Q) + sp.sqrt(NOISE * d)
_square = sp.Symbol("e", positive=True)
_SPREAD = Definition(_square, (sp.sqrt(d) + 1 / sp.sqrt(2)) ** 2 + 1)
_CLOSE = 2 * sp.sqrt(_square / Q) + sp.sqrt(_square**2 + 4 * _square) / Q

PAPER_SHAPE = {
    "noise": {"sigma_g": 2, "dim": 1, "directions": -1, "D": -1, "nu": -2},
    "directions": {"L": 2, "dim": 1, "log dim": 1, "directions": -1},
    "curvature": {"rho": 2, "nu": 2, "dim": 3, "directions": -1},
}
"""Exponents of the terms of Proposition 7 as the paper has them, for the squared spectral norm.

The paper gives them up to an absolute constant that could not be reconstructed, so there is no ``paper`` form.
"""

STATEMENTS = (
    statement(
        "prop6",
        title="Bias of the Gaussian-smoothing Hessian estimator",
        quantity="||E H^ - Hess l(w)||",
        quantity_latex=r"\|E\hat H - \nabla^2 l(w)\|",
        source="Proposition 6",
        paper={"formula": rho * nu * sp.sqrt(d), "proof": _PAPER},
        sharp={"formula": rho * nu * NormMoment(1, d), "proof": _HERE},
        smooth={"formula": tau * nu**2 * d / 2, "proof": _HERE},
        refined={"formula": Least(2 * L, rho * nu * NormMoment(1, d)), "proof": _HERE},
    ),
    statement(
        "prop7-vector",
        title="Variance of the Gaussian-smoothing estimator on a unit vector",
        quantity="E ||(H^ - E H^) v||^2, ||v|| = 1",
        quantity_latex=r"E\|(\hat H - E\hat H)v\|^2",
        source="Proposition 7, for one vector",
        sharp={"formula": VECTOR + NOISE, "proof": _HERE},
        refined={"formula": REFINED_VECTOR + NOISE, "proof": _HERE},
    ),
    statement(
        "prop7-frobenius",
        title="Variance of the Gaussian-smoothing estimator, Frobenius norm",
        quantity="E ||H^ - E H^||_F^2",
        quantity_latex=r"E\|\hat H - E\hat H\|_F^2",
        source="Proposition 7, Frobenius norm",
        sharp={"formula": VECTOR * d + NOISE * d, "proof": _HERE},
        refined={"formula": REFINED_FROBENIUS, "proof": _HERE},
    ),
    statement(
        "prop7-spectral",
        title="Root mean square deviation of the Gaussian-smoothing estimator, spectral norm",
        quantity="(E ||H^ - E H^||^2)^(1/2)",
        quantity_latex=r"\left(E\|\hat H - E\hat H\|^2\right)^{1/2}",
        source="Proposition 7, spectral norm",
        remarks="The paper's exponents are analytic.gaussian_smoothing.PAPER_SHAPE.",
        sharp={
            "formula": L * (2 * width + width**2) + _SPECTRAL_REST,
            "where": (_WIDTH,),
            "conditions": (Condition("Q >= d", Q >= d),),
            "proof": _HERE,
        },
        refined={
            "formula": Least(
                L * Least(_CLOSE, sp.sqrt(d * (d + 1) / Q)) + _SPECTRAL_REST,
                sp.sqrt(REFINED_FROBENIUS),
            ),
            "where": (_SPREAD,),
            "proof": _HERE,
        },
    ),
    statement(
        "hvp-central",
        title="Error of the central-difference Hessian-vector product (HF-MAML) on a unit vector",
        quantity="||[grad l(w + delta v) - grad l(w - delta v)]/(2 delta) - Hess l(w) v||, ||v|| = 1",
        quantity_latex=r"\Big\|\frac{\nabla l(w+\delta v) - \nabla l(w-\delta v)}{2\delta} - \nabla^2l(w)v\Big\|",
        source="for comparison",
        remarks="The mean over |t| <= delta of Hess l(w + t v) - Hess l(w), at most rho |t|, or tau t^2/2 by symmetry.",
        sharp={"formula": rho * delta / 2, "proof": _HERE},
        smooth={"formula": tau * delta**2 / 6, "proof": "remark of the statement"},
    ),
)
