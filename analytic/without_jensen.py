r"""Theorem 1 without Jensen's inequality: mean squares and quantiles of :math:`G = \|\nabla\mathcal{L}(w_\zeta)\|`.

What is left of form ``direct`` (`analytic.direct`, whose notation and proof this continues) at ordinary settings is
mostly the distance between the mean of G and its root mean square. The descent in fact controls

.. math:: E\,\frac{\theta G^2-\lambda G-\eta}{L_{w_\zeta}} \le \frac{C_\beta\Delta}K ,

:math:`\zeta` uniform on the first K iterates, and three things follow about large values of G. Put
:math:`\Sigma = aC_\beta\Delta/K`, and let :math:`x(c) = (\lambda + \sqrt{\lambda^2+4\theta c})/(2\theta)`, the root of
:math:`\theta x^2-\lambda x = c`.

Mean square, iterates weighted (``thm1-square``)
------------------------------------------------
Draw the iterate with a probability in proportion to :math:`1/L_w`, the step size that the theory gives it: let
:math:`E'Z = E[Z/L_{w_\zeta}]/E[1/L_{w_\zeta}]`. Dividing the display by :math:`E[1/L_{w_\zeta}]`, which by Jensen is at
least :math:`1/E L_{w_\zeta} \ge 1/(a(r_0+r_1EG))`, and with :math:`E'G \le (E'G^2)^{1/2}`,

.. math:: E'\|\nabla\mathcal{L}(w_\zeta)\|^2 \le x^2,\qquad x = x\big(\eta + \Sigma(r_0 + r_1X)\big),

X any bound of EG, such as the one of form ``direct``. Here the variance need not be divided by the smallest possible
:math:`L_w`, nor is anything lost to negative values of the bracket: so x is usually even smaller than X. With Hessians
that do not vary :math:`L_w` is constant, and :math:`E'` is E.

Mean square, cut at a level (``thm1-capped``)
---------------------------------------------
For a level M let :math:`f = \min(G, M)`. Then :math:`E\min(\|\nabla\mathcal{L}(w_\zeta)\|, M)^2 \le x^2` with

.. math:: x = x\Big((r_0+r_1M)\Big[\Sigma + \eta + \frac{\lambda^2}{4\theta}\Big(1-\frac1{r_0+r_1M}\Big)\Big]\Big).

If :math:`M < \lambda/\theta` this is trivial, as :math:`x \ge \lambda/\theta`. Otherwise, with
:math:`\Lambda = a(r_0+r_1M)`,

.. math:: \frac{\theta G^2-\lambda G}{L_w} \ge
          \frac{\theta f^2-\lambda f}\Lambda - \frac{\lambda^2}{4\theta}\Big(\frac1a-\frac1\Lambda\Big):

where the left side is negative, :math:`f = G`, and this is as in `analytic.direct`; where it is not, it is at least
:math:`(\theta G^2-\lambda G)/(a(r_0+r_1G))`, which grows with G, so that G may be lowered to f. Take means;
:math:`Ef \le (Ef^2)^{1/2}`. Where all iterates have :math:`G \le M`, nothing is cut.

A tail (``thm1-tail``)
----------------------
:math:`\psi(G) = (\theta G^2-\lambda G)_+/(r_0+r_1G)` grows with G, and
:math:`E\psi(G) \le \Sigma+\eta+\lambda^2/(4\theta)`, because the negative part of the bracket is at most
:math:`\lambda^2/(4\theta)` and divided by at least a. By Markov's inequality, with a probability of at least
:math:`1-p_f` over the run and :math:`\zeta`, :math:`\psi(G) \le W = (\Sigma+\eta+\lambda^2/(4\theta))/p_f`, that is

.. math:: \|\nabla\mathcal{L}(w_\zeta)\| \le \frac{\lambda+r_1W+\sqrt{(\lambda+r_1W)^2+4\theta r_0W}}{2\theta} .
"""

import sympy as sp

from analytic.bound import Bound, Condition, Definition, Statement
from analytic.convergence import DIRECT
from analytic.direct import CONVEX, START, Descent, Variants, W, eta, lam, r_0, r_1, root, smallest, theta
from analytic.vocabulary import symbols

cap, failure = symbols("cap failure")
X = sp.Symbol("X", nonnegative=True)

_HERE = "docstring of analytic.without_jensen"


def _square(progress):
    """The square of the root of theta x^2 - lambda x = progress."""
    return ((lam + sp.sqrt(lam**2 + 4 * theta * progress)) / (2 * theta)) ** 2


def _capped():
    top = r_0 + r_1 * cap
    return _square(top * (START + eta + lam**2 / (4 * theta) * (1 - 1 / top)))


_MEAN = (Definition(W, START + eta + CONVEX), Definition(X, root(W)))
_MARKOV = (Definition(W, (START + eta + lam**2 / (4 * theta)) / failure),)

_FORMULAS = {
    "square": (_square(eta + START * (r_0 + r_1 * X)), _MEAN, ()),
    "capped": (_capped(), (), ()),
    "tail": (root(W), _MARKOV, (Condition("failure < 1", failure < 1),)),
}
"""Each part with the abbreviations and the hypotheses that it adds to those of the theorem."""


def _bound(theorem: Variants, part: str) -> Bound:
    formula, where, conditions = _FORMULAS[part]

    def of(route: Descent) -> Bound:
        known, hypotheses = (*route.where, *where), (*route.conditions, *conditions)
        return Bound(f"{route.name}-{part}", "direct", formula, known, hypotheses, _HERE, stepwise=True)

    return smallest(of(route) for route in theorem.routes)


STATEMENTS = (
    Statement(
        "thm1-square",
        "Mean square of the meta gradient, iterates weighted by the theory's step size",
        "E[||grad calL(w_zeta)||^2 / L_w] / E[1/L_w] at w = w_zeta, zeta uniform on the first K iterates",
        r"E[\|\nabla\mathcal{L}(w_\zeta)\|^2/L_{w_\zeta}]\,/\,E[1/L_{w_\zeta}]",
        "new; Theorem 1 without Jensen's inequality",
        {"direct": _bound(DIRECT["thm1"], "square")},
        remarks="The plain mean square where Hessians do not vary.",
    ),
    Statement(
        "thm1-capped",
        "Mean square of the meta gradient, cut at a level",
        "E min(||grad calL(w_zeta)||, M)^2, zeta uniform on the first K iterates",
        r"E\min(\|\nabla\mathcal{L}(w_\zeta)\|, M)^2",
        "new; Theorem 1 without Jensen's inequality",
        {"direct": _bound(DIRECT["thm1"], "capped")},
        remarks="The plain mean square where no iterate exceeds the level.",
    ),
    Statement(
        "thm1-tail",
        "What the meta gradient exceeds with a given probability only",
        "the (1 - p)-quantile of ||grad calL(w_zeta)|| over runs and zeta, uniform on the first K iterates",
        r"\mathrm{quantile}_{1-p_f}\,\|\nabla\mathcal{L}(w_\zeta)\|",
        "new; Theorem 1 as a tail",
        {"direct": _bound(DIRECT["thm1"], "tail")},
    ),
)
