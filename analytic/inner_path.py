r"""Distance between the stochastic and the exact inner path (Proposition 2 of arXiv 2002.07836).

Let :math:`e_j = w_j - \tilde w_j` for one task and one starting point, with :math:`q = 1 + \alpha L`.

Proof of the ``sharp`` forms
----------------------------
Write :math:`e_{j+1} = [e_j - \alpha(\nabla l(w_j) - \nabla l(\tilde w_j))] - \alpha\xi_j`, where the batch noise
:math:`\xi_j` has mean zero given :math:`w_j` and :math:`E\|\xi_j\|^2 \le \sigma_g^2/S`.

*Second moment.* The bracket has norm at most :math:`q\|e_j\|` and is uncorrelated with the noise, so
:math:`E\|e_{j+1}\|^2 \le q^2 E\|e_j\|^2 + \alpha^2\sigma_g^2/S`. With :math:`e_0 = 0` the recursion sums to
:math:`s_j^2 = (\alpha^2\sigma_g^2/S)(1 + q^2 + \dots + q^{2(j-1)})`.

*First moment.* Jensen: :math:`E\|e_j\| \le (E\|e_j\|^2)^{1/2} \le s_j`.

*Mean.* Taylor with a :math:`\rho`-Lipschitz Hessian:
:math:`\|\nabla l(w_j) - \nabla l(\tilde w_j) - \nabla^2 l(\tilde w_j)e_j\| \le (\rho/2)\|e_j\|^2`. Take expectations;
the noise drops out, and :math:`\|I - \alpha\nabla^2 l\| \le q`, so
:math:`\|E e_{j+1}\| \le q\|E e_j\| + (\alpha\rho/2)s_j^2`. The recursion
:math:`m_{j+1} = q m_j + (\alpha\rho/2)s_j^2`, :math:`m_0 = 0`, has the solution

.. math:: m_j = \frac{\alpha\rho}{2}\,\frac{\alpha^2\sigma_g^2}{S}\,\frac{(q^j - 1)(q^{j-1} - 1)}{(q-1)(q^2-1)}.

*Mean, ``refined``.* Also :math:`\|E e_j\| \le E\|e_j\| \le s_j`, which is smaller once the noise is large: the minimum.

*What the noise does to gradients and Hessians.* Two Hessians differ by at most :math:`\min(\rho\|e_j\|, 2L)`, concave
in :math:`\|e_j\|`, so by Jensen by at most :math:`h_j = \min(\rho s_j, 2L)` in the mean. The gradient at the end of
the path moves by :math:`\delta` with :math:`\|\delta\| \le L\|e_N\|`, and its mean by at most
:math:`\kappa = \min(L s_N,\; L m_N + (\rho/2)s_N^2)`, the second by Taylor as above.

*First moment, Gaussian noise.* If :math:`\xi_j` is :math:`N(0, \sigma_g^2/(dS)\,I)` whatever :math:`w_j`, then
:math:`E\|e_N\| \le \kappa_ds_N` with :math:`\kappa_d = \sqrt{2/d}\,\Gamma(\frac{d+1}2)/\Gamma(\frac d2) < 1`
(0.798 for d = 1), and no smaller constant will do for any N, d and :math:`\alpha L`. In fact for every t
:math:`P(\|e_j\| > t) \le P(\|g_j\| > t)`, :math:`g_j` being :math:`N(0, (s_j^2/d)I)`, the error on the concave
quadratic: so all moments and quantiles are largest there. Induction: for an isotropic Gaussian Z the chance
:math:`P(\|x+Z\| > t) = F_t(\|x\|)` depends on the length of x alone and increases with it (Anderson's inequality).
The bracket is of length at most :math:`q\|e_j\|` and independent of the noise, hence
:math:`P(\|e_{j+1}\| > t) \le EF_t(q\|e_j\|) \le EF_t(q\|g_j\|) = P(\|g_{j+1}\| > t)`. Other noise of the same
variance does reach :math:`s_N` (`maml_bench.extremal.instances`).

*Tightness.* The concave quadratic :math:`l = -(L/2)\|w\|^2` with additive noise of variance :math:`\sigma_g^2` attains
:math:`s_j^2` for every j and d: there the bracket equals :math:`q e_j`.
"""

import sympy as sp

from analytic.abbreviations import GROWTH, PATH_DRIFT, PATH_ERROR, L, S, alpha, m, q, s, sigma_g
from analytic.bound import statement
from analytic.functions import Geometric, Least
from analytic.vocabulary import symbols

(N,) = symbols("steps")

STATEMENTS = (
    statement(
        "prop2-first",
        title="Distance of the stochastic from the exact inner path, first moment",
        quantity="E ||w_N - w~_N||, for one task",
        quantity_latex=r"E\|w_N - \tilde w_N\|",
        source="Proposition 2, first inequality",
        paper={
            "formula": alpha * sigma_g / sp.sqrt(S) * Geometric(q, N),
            "where": (GROWTH,),
            "proof": "arXiv 2002.07836, Appendix",
        },
        sharp={"formula": s(N), "where": (GROWTH, PATH_ERROR), "proof": "docstring of analytic.inner_path"},
    ),
    statement(
        "prop2-second",
        title="Distance of the stochastic from the exact inner path, second moment",
        quantity="E ||w_N - w~_N||^2, for one task",
        quantity_latex=r"E\|w_N - \tilde w_N\|^2",
        source="Proposition 2, second inequality",
        paper={
            "formula": 2 * alpha**2 * sigma_g**2 / S * Geometric(1 + 2 * alpha * L + 2 * (alpha * L) ** 2, N),
            "proof": "arXiv 2002.07836, Appendix",
        },
        sharp={"formula": s(N) ** 2, "where": (GROWTH, PATH_ERROR), "proof": "docstring of analytic.inner_path"},
    ),
    statement(
        "prop2-mean",
        title="Drift of the mean of the stochastic inner path",
        quantity="||E w_N - w~_N||, for one task",
        quantity_latex=r"\|E w_N - \tilde w_N\|",
        source="new; the paper bounds it by the first moment",
        remarks="Of order 1/S, and 0 on quadratics.",
        sharp={"formula": m(N), "where": (GROWTH, PATH_DRIFT), "proof": "docstring of analytic.inner_path"},
        refined={
            "formula": Least(m(N), s(N)),
            "where": (GROWTH, PATH_ERROR, PATH_DRIFT),
            "proof": "docstring of analytic.inner_path",
        },
    ),
)
