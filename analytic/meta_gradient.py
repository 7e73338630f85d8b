r"""Bias and second moment of the stochastic meta gradient (Propositions 3 and 4 of arXiv 2002.07836).

One task: :math:`\hat G = \prod_{j<N}(I - \alpha\hat H_j(w_j))\,\nabla l(w_N; T)` against the exact
:math:`\prod_{j<N}(I-\alpha H(\tilde w_j))\,\nabla l(\tilde w_N)`, with :math:`H = \nabla^2 l`,
:math:`e_j = w_j - \tilde w_j`, :math:`g = \|\nabla l(w)\|`, :math:`v = \nabla l(\tilde w_N)` of norm at most
:math:`q^N g`, and :math:`\delta = \nabla l(w_N) - v`. The quantities s, m, h and :math:`\kappa` are those of
`analytic.inner_path`.

Bias, ``sharp`` and ``local``
-----------------------------
Hessian and final batches are fresh, so given the path the mean of :math:`\hat G` is
:math:`\prod(I-\alpha H(w_j))(v+\delta)`. Write :math:`P` for this product, :math:`\tilde P` for the exact one; both
have norm at most :math:`q^N`, and telescoping over the factors
:math:`\|P - \tilde P\| \le \alpha q^{N-1}\sum_j\|H(w_j) - H(\tilde w_j)\|`.

(a) :math:`P(v+\delta) - \tilde Pv = (P-\tilde P)v + P\delta`, and :math:`E\|\delta\| \le Ls_N` give
:math:`q^N L s_N + \alpha\rho q^{2N-1} g\sum_j s_j`.

(b) :math:`P(v+\delta) - \tilde Pv = (P-\tilde P)(v+\delta) + \tilde P\delta`: the last term enters by its mean alone,
:math:`\|E\delta\| \le Lm_N + (\rho/2)s_N^2`, and :math:`E\|e_j\|\|\delta\| \le L s_js_N` by Cauchy-Schwarz:
:math:`q^N(Lm_N + (\rho/2)s_N^2) + \alpha\rho q^{N-1}(q^Ng + Ls_N)\sum_j s_j`.

Average over tasks: g becomes :math:`E_i\|\nabla l_i(w)\|`, measured (``local``) or at most :math:`\Gamma` by Lemma A
(``sharp``).

Bias, ``refined``
-----------------
Two Hessians differ by at most 2L, so :math:`\rho s_j` may be replaced by :math:`h_j = \min(\rho s_j, 2L)` (also in
the product, :math:`E\min(\rho\|e_j\|, 2L)\,L\|e_N\| \le L h_js_N`), and :math:`\Gamma` by the sharp form of Lemma A.
The bias then stays bounded by the path error however large :math:`\rho` is. At N = 1 it is
:math:`q\min(Ls_1, (\rho/2)s_1^2)`: attained by a loss whose second derivative is -L at w and whose third derivative
is :math:`\rho` near :math:`\tilde w_1`. ``cone``, here and for the second moment: the same with :math:`\gamma` from
the cone form of `analytic.lemma_a`.

Bias, ``smooth``
----------------
With :math:`A_j = I-\alpha H(\tilde w_j)` and :math:`\Delta_j = -\alpha(H(w_j)-H(\tilde w_j))`,

.. math:: P(v+\delta) - \tilde Pv = \tilde P\delta + \sum_j A_{<j}\Delta_jA_{>j}v
          + \sum_j A_{<j}\Delta_j\big[P_{>j}\delta + (P_{>j} - A_{>j})v\big].

The first sum is linear in the perturbation: :math:`\|E\Delta_j\| \le \alpha(\rho m_j + (\tau/2)s_j^2)` by Taylor to
second order. In the second every term is a product of two perturbations, at most
:math:`q^j\alpha\rho\|e_j\|[q^{N-1-j}L\|e_N\| + q^Ng\sum_{i>j}\alpha\rho q^{N-2-j}\|e_i\|]`, in the mean
:math:`\alpha\rho q^{N-1}Ls_js_N + (\alpha\rho)^2q^{2N-2}g\,s_j\sum_{i>j}s_i`. Everything is of order 1/S.

Second moment, ``sharp`` and ``local``
--------------------------------------
Given the path and the later factors,
:math:`E\|(I-\alpha\hat H_j)x\|^2 = \|(I-\alpha H)x\|^2 + \alpha^2E\|(\hat H_j-H)x\|^2 \le A\|x\|^2`,
:math:`A = q^2 + \alpha^2\sigma_H^2/D`. From the left, factor by factor,
:math:`E\|\hat G\|^2 \le A^N(\sigma_g^2/T + E\|v+\delta\|^2)`, and by Minkowski the root of
:math:`E_iE\|v_i+\delta_i\|^2` is at most :math:`q^N\gamma + Ls_N`, with :math:`\gamma` the root mean square over
tasks of :math:`\|\nabla l_i(w)\|`: measured (``local``) or from Lemma A,
:math:`\gamma^2 \le \|\nabla l(w)\|^2 + \sigma^2` (``sharp``).

Second moment, ``refined``
--------------------------
Minkowski spends :math:`2q^N\gamma\,Ls_N`, of order :math:`S^{-1/2}`, on the cross term. But
:math:`E\|v+\delta\|^2 = \|v\|^2 + 2\langle v, E\delta\rangle + E\|\delta\|^2` contains the mean of :math:`\delta`
only, and :math:`\|E\delta\| \le \kappa = \min(Ls_N, Lm_N + (\rho/2)s_N^2)`: so
:math:`A^N(\sigma_g^2/T + q^{2N}\gamma^2 + 2q^N\gamma\kappa + L^2s_N^2)`. The part due to S is of order 1/S, and on
quadratics the cross term is gone. The concave quadratic :math:`-(L/2)\|w\|^2` with additive noise attains it
(``refined_local``) for all N, S, T, d.

Estimated Hessians
------------------
With another estimator of the Hessian than sampling, A and an excess x of the bias are those of `analytic.factors`: the
second moment holds with that A, and the mean of :math:`\hat G` differs from that with exact Hessians by at most
:math:`xE\|\nabla l(w_N)\| \le x(q^Ng + Ls_N)`, which is added to the bias. This is what Theorem 2 is made of.
"""

from functools import cache

import sympy as sp

from analytic.abbreviations import (
    CONE,
    CONE_CONDITION,
    EXCESS,
    GRADIENT_DRIFT,
    GROWTH,
    HESSIAN_ERROR,
    PATH_DRIFT,
    PATH_ERROR,
    STEP_CONDITION,
    TASK_GRADIENT,
    TASK_GRADIENT_CONE,
    TASK_GRADIENT_MEAN,
    TASK_GRADIENT_RMS,
    G,
    Gamma,
    L,
    N,
    S,
    alpha,
    gamma,
    h,
    j,
    kappa,
    m,
    q,
    rho,
    s,
    sigma,
    sigma_g,
)
from analytic.bound import Bound, Statement
from analytic.factors import A, factors_of
from analytic.functions import Geometric, Least, Quotient
from analytic.vocabulary import symbols

tau, T, g_1, g_2 = symbols("tau T task_grad_norm task_grad_rms")

PATH_ERRORS = rho * sp.Sum(s(j), (j, 0, N - 1))
"""What the noise does to the Hessians along the path, from the Lipschitz constant alone."""

HESSIAN_ERRORS = sp.Sum(h(j), (j, 0, N - 1))
"""The same, using that two Hessians differ by at most 2L."""

_drift = L * m(N) + rho / 2 * s(N) ** 2


def bias_pieces(hessian_errors):
    """Variants (a) and (b) of the bias, each as (part free of the task gradient, factor of the task gradient)."""
    factor = alpha * q ** (2 * N - 1) * hessian_errors
    return (q**N * L * s(N), factor), (q**N * _drift + alpha * q ** (N - 1) * L * s(N) * hessian_errors, factor)


def smooth_bias_pieces():
    """The smooth form of the bias: part free of the task gradient, factor of the task gradient."""
    free = q**N * _drift + alpha * q ** (N - 1) * L * s(N) * PATH_ERRORS
    linear = alpha * q ** (2 * N - 1) * sp.Sum(rho * m(j) + tau / 2 * s(j) ** 2, (j, 0, N - 1))
    pairs = (sp.Sum(s(j), (j, 0, N - 1)) ** 2 - sp.Sum(s(j) ** 2, (j, 0, N - 1))) / 2  # of s_i s_j over i > j
    return free, linear + alpha**2 * rho**2 * q ** (2 * N - 2) * pairs


PAPER_BIAS = (q ** (2 * N) * sigma_g, Quotient(q ** (4 * N) * rho * sigma_g, ((2 - q ** (2 * N)) * L) ** 2))
"""C_err1 and C_err2: the bias is at most (C_err1 + C_err2 (G + sigma)) / sqrt(S)."""

PAPER_SQUARE = (
    3 * A**N * sigma_g**2,
    6 * A**N * sigma_g**2 * (alpha * L) ** 2 * Geometric(1 + 2 * alpha * L + 2 * (alpha * L) ** 2, N),
    6 * A**N * q ** (2 * N) / (2 - q ** (2 * N)) ** 2,
)
"""C_squ1, C_squ2 and C_squ3: the second moment is at most C_squ1/T + C_squ2/S + C_squ3 (G^2 + sigma^2)."""

_PATH = (GROWTH, PATH_ERROR, PATH_DRIFT, HESSIAN_ERROR, GRADIENT_DRIFT)
_LEMMAS = {
    "paper": ((EXCESS,), (TASK_GRADIENT_MEAN,), (STEP_CONDITION,)),
    "sharp": ((EXCESS,), (TASK_GRADIENT_MEAN, TASK_GRADIENT_RMS), (STEP_CONDITION,)),
    "refined": ((EXCESS,), (TASK_GRADIENT,), (STEP_CONDITION,)),
    "cone": (CONE, (TASK_GRADIENT_CONE,), (CONE_CONDITION,)),
}
"""Forms that bound the task gradients by Lemma A: what that needs, what it gives, and its condition."""

_PAPER = "arXiv 2002.07836, Appendix"
_HERE = "docstring of analytic.meta_gradient"
_FORMS = ("paper", "sharp", "local", "smooth", "refined", "cone", "refined_local")


def _bounds(name, formulas, factors) -> dict[str, Bound]:
    bounds = {}
    for form, formula in formulas.items():
        needs, gives, conditions = _LEMMAS.get(form, ((), (), ()))
        where = (GROWTH, *needs, *factors[form].where, *_PATH, *gives)
        bounds[form] = Bound(name, form, formula, where, conditions, _PAPER if form == "paper" else _HERE)
    return bounds


@cache
def bias_with(estimator: str) -> dict[str, Bound]:
    """The forms of Proposition 3 for a kind of Hessian estimator: ``"sampled"`` is the statement itself.

    Raises
    ------
    ValueError
        If the kind is unknown; lists those there are.
    """
    factors, formulas = factors_of(estimator, _FORMS), {}
    for form, factor in factors.items():
        g = {"paper": Gamma, "sharp": Gamma, "refined": gamma, "cone": gamma}.get(form, g_1)
        if form == "paper":
            plain = (PAPER_BIAS[0] + PAPER_BIAS[1] * (G + sigma)) / sp.sqrt(S)
        elif form == "smooth":
            free, slope = smooth_bias_pieces()
            plain = free + slope * g
        else:
            variants = bias_pieces(PATH_ERRORS if form in ("sharp", "local") else HESSIAN_ERRORS)
            plain = Least(*(free + slope * g for free, slope in variants))
        formulas[form] = plain + factor.excess * (q**N * g + L * s(N))
    return _bounds("prop3", formulas, factors)


@cache
def second_moment_with(estimator: str) -> dict[str, Bound]:
    """The forms of Proposition 4 for a kind of Hessian estimator: as `bias_with`."""
    factors, formulas = factors_of(estimator, _FORMS), {}
    for form in factors:
        g = g_2 if form.endswith("local") else gamma
        if form == "paper":
            formulas[form] = PAPER_SQUARE[0] / T + PAPER_SQUARE[1] / S + PAPER_SQUARE[2] * (G**2 + sigma**2)
        elif form in ("sharp", "local"):
            formulas[form] = A**N * (sigma_g**2 / T + (q**N * g + L * s(N)) ** 2)
        elif form != "smooth":
            final = (q**N * g) ** 2 + 2 * q**N * g * kappa + L**2 * s(N) ** 2
            formulas[form] = A**N * (sigma_g**2 / T + final)
    return _bounds("prop4", formulas, factors)


STATEMENTS = (
    Statement(
        "prop3",
        title="Bias of the stochastic meta gradient",
        quantity="||E G^_i - grad calL||, over tasks; smooth: for one task",
        quantity_latex=r"\|E\hat G - \nabla\mathcal{L}(w)\|",
        source="Proposition 3",
        forms=bias_with("sampled"),
        remarks="0 on quadratics; of order 1/S where tau is finite, of order 1/sqrt(S) at a kink of the Hessian.",
    ),
    Statement(
        "prop4",
        title="Second moment of the stochastic meta gradient",
        quantity="E_i E ||G^_i||^2",
        quantity_latex=r"E_iE\|\hat G_i(w)\|^2",
        source="Proposition 4",
        forms=second_moment_with("sampled"),
    ),
)
