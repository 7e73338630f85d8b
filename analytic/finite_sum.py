r"""The finite-sum case: a support loss for the inner loop, a target loss for the meta gradient.

Source: arXiv 2002.07836, Appendix.

Task i has finite averages :math:`l_{S_i}` and :math:`l_{T_i}`, both L-smooth with :math:`\rho`-Lipschitz Hessians;
the inner path follows full gradients of :math:`l_{S_i}`; :math:`\nabla\mathcal L_i = P_i\nabla l_{T_i}(\tilde w_N)`,
:math:`P_i = \prod(I - \alpha\nabla^2l_{S_i}(\tilde w_j))`. Only the draw of B tasks is random.
:math:`\|\nabla l_{S_i} - \nabla l_{T_i}\| \le b_i`, :math:`b = E b_i`, :math:`\tilde b = E b_i^2`; :math:`\sigma` is
the heterogeneity of the target gradients. Put :math:`g_i = \|\nabla l_{T_i}(w)\|`.

Proofs of the ``sharp`` forms
-----------------------------
*Along the path.* :math:`\|\tilde w_N - w\| \le \alpha(1 + \dots + q^{N-1})\|\nabla l_{S_i}(w)\|`, so
:math:`\|\nabla l_{T_i}(\tilde w_N) - \nabla l_{T_i}(w)\| \le (q^N-1)(g_i + b_i)`, and
:math:`\|\nabla l_{T_i}(\tilde w_N)\| \le q^Ng_i + (q^N-1)b_i`.

*Smoothness.* As in `analytic.smoothness`, :math:`\|P_w-P_u\| \le (\rho/L)q^{N-1}(q^N-1)\|w-u\|`; it multiplies the
last display. So :math:`L_w = q^{2N}L + C_LE g_i + C_bb` with :math:`C_L = (\rho/L)q^{2N-1}(q^N-1)` and
:math:`C_b = (\rho/L)q^{N-1}(q^N-1)^2`.

*Lemma A.* :math:`\|P_i - I\| \le q^N-1`, hence
:math:`\|\nabla\mathcal L_i - \nabla l_{T_i}(w)\| \le q^N(q^N-1)(g_i+b_i) + (q^N-1)g_i = c\,g_i + q^N(q^N-1)b_i`. With
:math:`p = q^N(q^N-1)b` and :math:`x = \|\nabla l_T(w)\|`: :math:`x \le G + p + cE g_i`. As stated,
:math:`Eg_i \le x+\sigma` gives :math:`x \le (G + c\sigma + p)/(1-c)`; ``refined``,
:math:`Eg_i \le \sqrt{x^2+\sigma^2}` gives the sharp Lemma A of `analytic.lemma_a` with G + p in place of G. ``cone``:
:math:`\nabla l_T(\tilde w_{j+1}) = (I - \alpha\bar H_j)\nabla l_T(\tilde w_j) +
\alpha\bar H_j(\nabla l_T - \nabla l_S)(\tilde w_j)`, :math:`\bar H_j` a mean Hessian of :math:`l_T`; so
:math:`\nabla\mathcal L_i` is a product of 2N factors applied to :math:`\nabla l_{T_i}(w)`, plus at most
:math:`q^N\sum_jq^{N-1-j}\alpha Lb_i = q^N(q^N-1)b_i`: the cone form of `analytic.lemma_a` with :math:`(G+p)/\mu` in
place of :math:`G/\mu`.

*Second moment.* :math:`\|\nabla\mathcal L_i\| \le q^N(q^Ng_i + (q^N-1)b_i)` and Minkowski:
:math:`E\|\nabla\mathcal L_i\|^2 \le q^{2N}(q^N\gamma + (q^N-1)\tilde b^{1/2})^2`, :math:`\gamma^2 = x^2+\sigma^2`
bounding :math:`Eg_i^2`; ``local``: :math:`\gamma` measured. Attained by one-dimensional concave quadratics:
:math:`l_S = -(L/2)w^2`, :math:`l_T = -(L/2)w^2 - bw` for w < -b/L.

Convergence
-----------
There is no bias and, as target gradients carry no noise, the mean of the estimate Y is :math:`L_w` itself, so
:math:`E\beta \ge 1/(C_\beta L_w)`; :math:`C_\beta^2L_w^2E\beta^2 \le b_3`, 4 as stated and 2.09 by the two-point law
of `analytic.smoothness` with variance :math:`(3/4)a^2`. With :math:`E\|\nabla\mathcal L_i\|^2 \le a_1G^2 + a_2`,
descent with :math:`L_w` gives

.. math:: \theta_0 = 1 - \frac{b_3}{2C_\beta} - \frac{b_3a_1}{2C_\beta B},\quad
          \theta = \frac{1-c}{C_\beta C_L}\theta_0,\quad
          \phi = \frac{b_3a_2}{2C_\beta^2\Lambda},\quad \chi = (1-c)\frac{q^{2N}L + C_bb}{C_L} + \sigma' + p,

:math:`\xi = 0`, and the end as in `analytic.convergence` (also the limit :math:`\rho \to 0`). ``sharp``,
:math:`\sigma' = \sigma`: by :math:`(x+y)^2 \le (1+t)x^2 + (1+1/t)y^2`, first with :math:`t = q^N-1` for
:math:`q^N\gamma` and the :math:`b_i`, then with the same t for G and p, and
:math:`\gamma^2 \le ((G+p)^2+\sigma^2)/(1-c)^2` (sharp Lemma A),

.. math:: a_1 = \frac{q^{6N}}{(1-c)^2},\qquad
          a_2 = \frac{q^{5N}(q^{3N}(q^N-1)b^2 + \sigma^2)}{(1-c)^2} + q^{3N}(q^N-1)\tilde b .

As :math:`q^{2N} < 2` both are below the paper's :math:`4q^{4N}/(1-c)^2` and
:math:`4q^{8N}(\sigma+b)^2/(1-c)^2 + 2q^{4N}(\sigma^2+\tilde b)`. ``refined``: also :math:`\Lambda = q^{2N}L`,
:math:`b_3 = 2.09` and :math:`\sigma' = \sigma\sqrt{(1-c)/(1+c)}`.

Form ``direct``
---------------
The theorem of `analytic.direct` with the floor :math:`a = q^{2N}L + C_bb` and the shift p. Without bias and for the sum
over tasks with the same t as above, but :math:`\gamma^2 \le \gamma_1^2(G+p)^2 + \sigma^2/(1-\sin\omega)`,

.. math:: M_3 = A^Nq^{4N}\gamma_1^2,\qquad
          M_0 = A^N\big[q^{3N}\big(\gamma_1^2q^{3N}(q^N-1)b^2 + \tfrac{\sigma^2}{1-\sin\omega}\big) +
          q^N(q^N-1)\tilde b\big],

:math:`A = q^2`, and :math:`b_1 = 1`; :math:`(b_2, b_3) = (1.28, 2.09)`, or :math:`(1+\hat v, 1+3\hat v)` with
:math:`\hat v = (C_L\sigma/a)^2/B'` for any :math:`B'`.

Gaussian smoothing (``finite-thm2``)
------------------------------------
The same data at both points leave no noise term: :math:`V = L^2(d+2)/Q`, or its refined form. Directions are fresh at
every step, and the path is not random, so the mean of the product is the product of the means. With A and the excess x
of `analytic.factors` the second moment is at most :math:`A^N(q^N\gamma + (q^N-1)\tilde b^{1/2})^2` (``finite-prop4``,
for the A of every kind of estimator there) and the bias
:math:`x\|\nabla l_{T_i}(\tilde w_N)\|`, over tasks at most :math:`x(q^NE g_i + (q^N-1)b)`.
"""

from functools import cache

import sympy as sp

from analytic.abbreviations import (
    C_L,
    CONE,
    CONE_CONDITION,
    CURVATURE,
    EXCESS,
    GROWTH,
    STEP_CONDITION,
    G,
    L,
    N,
    alpha,
    c,
    cone_lemma,
    gamma,
    mu,
    q,
    rho,
    sigma,
)
from analytic.arguments import known
from analytic.bound import Bound, Condition, Definition, Statement, optional, statement
from analytic.direct import TASK_SQUARE, Direct, Ingredients, Moments, gamma_1, variants
from analytic.factors import A, Factor, factors_of, smoothed
from analytic.functions import Geometric, Least, Quotient
from analytic.gaussian_smoothing import REFINED_VECTOR, VECTOR
from analytic.rate import Convergence, Rate, evaluate, theta_0
from analytic.smoothness import BATCH_CONDITIONS, FLOOR, PAPER_MOMENTS, SHARP_MOMENTS, a, v_hat
from analytic.vocabulary import symbols

B, B_beta, C_beta, b, b_2, g_1, g_2 = symbols("B B_beta C_beta b b_tilde task_grad_norm task_grad_rms")
C_b, p, a_1, a_2 = sp.symbols("C_b p a_1 a_2", nonnegative=True)

SUPPORT_CURVATURE = Definition(C_b, rho * L * alpha**2 * q ** (N - 1) * Geometric(q, N) ** 2)
"""C_b: how fast the smoothness grows with the support-target distance; (rho/L) q^(N-1) (q^N - 1)^2."""

_paper_curvature = (alpha * rho + Quotient(rho, L) * q ** (N - 1)) * q ** (2 * N)
_SHIFT = Definition(p, q**N * (q**N - 1) * b)
_JENSEN = Condition("b^2 <= b_tilde (mean and mean square of b_i)", b**2 <= b_2 * (1 + sp.Rational(1, 10**9)))
_RMS = Definition(gamma, sp.sqrt(((G + c * sigma + p) / (1 - c)) ** 2 + sigma**2))
_REFINED_RMS = Definition(
    gamma, (c * (G + p) + sp.sqrt((G + p) ** 2 + ((1 - c) * (1 + c)) * sigma**2)) / ((1 - c) * (1 + c))
)

PAPER_SQUARE = (
    4 * q ** (4 * N) / (2 - q ** (2 * N)) ** 2,
    4 * q ** (8 * N) / (2 - q ** (2 * N)) ** 2 * (sigma + b) ** 2 + 2 * q ** (4 * N) * (sigma**2 + b_2),
)
"""A_squ1 and A_squ2: the second moment is at most A_squ1 G^2 + A_squ2."""

_CONE_RMS = Definition(gamma, cone_lemma((G + p) / mu)[1])

SHARP_SQUARE = (
    q ** (6 * N) / (1 - c) ** 2,
    q ** (5 * N) * (q ** (3 * N) * (q**N - 1) * b**2 + sigma**2) / (1 - c) ** 2 + q ** (3 * N) * (q**N - 1) * b_2,
)

_STEP = (GROWTH, EXCESS)
_HERE = "docstring of analytic.finite_sum"
_PAPER = "arXiv 2002.07836, Appendix"

EXACT = Factor((Definition(A, q**2),))
"""Full gradients and Hessians of the support loss."""

_SQUARES = {
    "sharp": (gamma, (*_STEP, _SHIFT, _RMS), (STEP_CONDITION, _JENSEN)),
    "local": (g_2, (GROWTH,), ()),
    "refined": (gamma, (*_STEP, _SHIFT, _REFINED_RMS), (STEP_CONDITION, _JENSEN)),
    "cone": (gamma, (*CONE, GROWTH, _SHIFT, _CONE_RMS), (CONE_CONDITION, _JENSEN)),
}
"""What stands for the root mean square of the task gradients in the second moment, what defines it, its conditions."""


@cache
def second_moment_with(estimator: str) -> dict[str, Bound]:
    """The forms of the second moment for a kind of Hessian estimator: ``"sampled"`` is the statement itself.

    Raises
    ------
    ValueError
        If the kind is unknown; lists those there are.
    """
    bounds = {}
    if estimator == "sampled":
        paper = PAPER_SQUARE[0] * G**2 + PAPER_SQUARE[1]
        bounds["paper"] = Bound("finite-prop4", "paper", paper, (GROWTH,), (STEP_CONDITION, _JENSEN), _PAPER)
    for form, factor in factors_of(estimator, tuple(_SQUARES), EXACT, fresh=False).items():
        task_gradient, where, conditions = _SQUARES[form]
        growth = q ** (2 * N) if factor is EXACT else A**N
        square = growth * (q**N * task_gradient + (q**N - 1) * sp.sqrt(b_2)) ** 2
        bounds[form] = Bound("finite-prop4", form, square, (*where, *factor.where), conditions, _HERE)
    return bounds


def _rate(square, curvatures, moment=PAPER_MOMENTS[2], spread=sigma, floor=sp.S.One) -> Rate:
    return Rate(
        start=(1 - c) * (q ** (2 * N) + Quotient(C_b * b, L)),
        spread=spread + p,
        xi=sp.S.Zero,
        phi=moment * a_2 / (2 * C_beta**2 * floor),
        scale=(1 - c) / C_beta,
        where=(
            *_STEP,
            *curvatures,
            FLOOR,
            _SHIFT,
            Definition(a_1, square[0]),
            Definition(a_2, square[1]),
            Definition(theta_0, 1 - moment / (2 * C_beta) - moment * a_1 / (2 * C_beta * B)),
        ),
        conditions=(
            STEP_CONDITION,
            _JENSEN,
            *optional(BATCH_CONDITIONS[1:]),
            Condition("theta > 0, that is large enough C_beta and B", theta_0 > 0),
        ),
    )


_CURVATURES = (CURVATURE, SUPPORT_CURVATURE)
_PAPER_CURVATURES = (Definition(C_L, _paper_curvature), Definition(C_b, _paper_curvature))

RATES = {
    "paper": _rate(PAPER_SQUARE, _PAPER_CURVATURES),
    "sharp": _rate(SHARP_SQUARE, _CURVATURES),
    "refined": _rate(
        SHARP_SQUARE, _CURVATURES, sp.Rational(209, 100), sigma * sp.sqrt((1 - c) / (1 + c)), floor=q ** (2 * N)
    ),
}
FIELDS = {form: rate.bounds("finite-thm1", form, _PAPER if form == "paper" else _HERE) for form, rate in RATES.items()}


_variance = Definition(v_hat, Quotient(C_L, a) ** 2 * sigma**2 / B_beta)
_any, _large = (1 + v_hat, 1 + 3 * v_hat), (SHARP_MOMENTS[1], sp.Rational(209, 100))
MOMENTS = (
    Moments((sp.S.One, *_large), (), optional(BATCH_CONDITIONS[1:])),
    Moments((sp.S.One, *_any), (_variance,)),
    Moments((sp.S.One, *map(Least, _any, _large)), (_variance,), BATCH_CONDITIONS[1:]),
)
"""Lemma B where the target gradients carry no noise."""


def _ingredients(factor: Factor) -> Ingredients:
    """What form direct is made of with a Hessian estimator."""
    more = q**N - 1
    square = gamma_1**2 * q ** (3 * N) * more * b**2 + TASK_SQUARE
    return Ingredients(
        where=(GROWTH, *CONE, *_CURVATURES, Definition(a, q ** (2 * N) * L + C_b * b), _SHIFT, *factor.where),
        free=factor.excess * more * b,
        slope=factor.excess * q**N,
        constant=A**N * (q ** (3 * N) * square + q**N * more * b_2),
        square=A**N * q ** (4 * N) * gamma_1**2,
        shift=p,
        conditions=(_JENSEN,),
    )


DIRECT = {
    "finite-thm1": variants("finite-thm1", (_ingredients(EXACT),), MOMENTS),
    "finite-thm2": variants(
        "finite-thm2",
        tuple(_ingredients(smoothed(form, fresh=False)) for form in ("refined", "refined smooth")),
        MOMENTS,
    ),
}


def finite_theorem2(form: str = "direct", **constants) -> Direct:
    """Theorem 2 (Gaussian-smoothing Hessians) in the finite-sum case, at numbers or arrays.

    Parameters
    ----------
    form : {"direct"}
    **constants
        Those of `finite_theorem1` and ``dim, directions, nu``; ``tau`` where it is known.

    Raises
    ------
    HypothesisError
        If ``2N arcsin(alpha L) >= pi/2``, ``theta <= 0`` or ``b^2 > b_tilde``.

    Examples
    --------
    >>> from analytic import finite_theorem2
    >>> at = dict(alpha=0.01, steps=2, B=100, K=1000, C_beta=100, L=1.0, rho=1.0, sigma=1.0, gap=1.0)
    >>> round(finite_theorem2(**at, b=0.1, b_tilde=0.01, dim=5, directions=10, nu=1e-3).value, 3)
    0.329
    """
    known("form", form, ("direct",))
    return DIRECT["finite-thm2"].evaluate(constants)


def finite_theorem1(form: str = "sharp", **constants) -> Convergence | Direct:
    """Theorem 1 in the finite-sum case, at numbers or arrays.

    Parameters
    ----------
    form : {"paper", "sharp", "refined", "direct"}
    **constants
        ``alpha, steps, L, rho, sigma, b, b_tilde, B, C_beta, K, gap``; ``B_beta`` if Lemma B's batch size is to be
        checked, or for direct used.

    Returns
    -------
    Convergence or Direct

    Raises
    ------
    HypothesisError
        If ``q^(2N) >= 2`` (direct: ``2N arcsin(alpha L) >= pi/2``), ``theta <= 0``, ``b^2 > b_tilde`` or ``B_beta`` is
        too small (not for direct).

    Examples
    --------
    >>> from analytic import finite_theorem1
    >>> at = dict(alpha=0.01, steps=2, B=100, K=1000, C_beta=100, L=1.0, rho=1.0, sigma=1.0, gap=1.0)
    >>> round(finite_theorem1("direct", **at, b=0.1, b_tilde=0.01).value, 3)
    0.329
    """
    if form == "direct":
        return DIRECT["finite-thm1"].evaluate(constants)
    known("form", form, (*FIELDS, "direct"))
    return evaluate(FIELDS[form], constants)


_DRAWS = (
    "Each meta-iteration draws its B tasks independently and with replacement, and for the step size B' further tasks;"
    " gradients are full ones. Batches are those of Lemma B unless the form takes any."
)

STATEMENTS = (
    statement(
        "finite-lemma-a",
        title="The mean target gradient from the meta gradient, finite sums",
        quantity="||grad l_T(w)||",
        quantity_latex=r"\|\nabla l_T(w)\|",
        source="Lemma A in the finite-sum case",
        paper={
            "formula": (G + c * sigma + p) / (1 - c),
            "where": (*_STEP, _SHIFT),
            "conditions": (STEP_CONDITION,),
            "proof": _PAPER,
        },
        sharp={
            "formula": (G + p + c * sp.sqrt((G + p) ** 2 + ((1 - c) * (1 + c)) * sigma**2)) / ((1 - c) * (1 + c)),
            "where": (*_STEP, _SHIFT),
            "conditions": (STEP_CONDITION,),
            "proof": _HERE,
        },
        cone={
            "formula": cone_lemma((G + p) / mu)[0],
            "where": (*CONE, GROWTH, _SHIFT),
            "conditions": (CONE_CONDITION,),
            "proof": _HERE,
        },
    ),
    statement(
        "finite-prop1",
        title="Smoothness of the meta objective, finite sums",
        quantity="||grad calL(w) - grad calL(u)|| / ||w - u||, for every u",
        quantity_latex=r"\|\nabla\mathcal{L}(w) - \nabla\mathcal{L}(u)\| / \|w - u\|",
        source="Proposition 1 in the finite-sum case",
        remarks="task_grad_norm is E_i ||grad l_{T_i}(w)||.",
        paper={
            "formula": q ** (2 * N) * L + C_L * g_1 + C_b * b,
            "where": (GROWTH, *_PAPER_CURVATURES),
            "proof": _PAPER,
        },
        sharp={"formula": q ** (2 * N) * L + C_L * g_1 + C_b * b, "where": (GROWTH, *_CURVATURES), "proof": _HERE},
    ),
    Statement(
        "finite-prop4",
        "Second moment of a task's meta gradient, finite sums",
        "E_i E ||G^_i||^2, with full Hessians E_i ||grad calL_i(w)||^2",
        r"E_iE\|\hat G_i(w)\|^2",
        "Proposition 4 in the finite-sum case",
        second_moment_with("sampled"),
    ),
    Statement(
        "finite-thm1",
        "Convergence of multi-step MAML, finite sums",
        "E ||grad calL(w_zeta)||, zeta uniform on the first K iterates",
        r"E\|\nabla\mathcal{L}(w_\zeta)\|",
        "Theorem 1 in the finite-sum case",
        {form: fields["value"] for form, fields in FIELDS.items()} | {"direct": DIRECT["finite-thm1"].bound},
        _DRAWS,
    ),
    Statement(
        "finite-thm2",
        "Convergence of MAML with Gaussian-smoothing Hessians, finite sums",
        "E ||grad calL(w_zeta)||, zeta uniform on the first K iterates",
        r"E\|\nabla\mathcal{L}(w_\zeta)\|",
        "Theorem 2 in the finite-sum case",
        {"direct": DIRECT["finite-thm2"].bound},
        _DRAWS,
    ),
    statement(
        "finite-prop7-vector",
        title="Variance of the Gaussian-smoothing estimator on a unit vector, same data at both points",
        quantity="E ||(H^ - E H^) v||^2, ||v|| = 1",
        quantity_latex=r"E\|(\hat H - E\hat H)v\|^2",
        source="Proposition 7 in the finite-sum case",
        sharp={"formula": VECTOR, "proof": "docstring of analytic.gaussian_smoothing"},
        refined={"formula": REFINED_VECTOR, "proof": "docstring of analytic.gaussian_smoothing"},
    ),
)
