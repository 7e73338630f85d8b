r"""Convergence of multi-step MAML (Theorems 1 and 2 and Corollary 1 of arXiv 2002.07836).

Algorithm: :math:`w^+ = w - \beta\,\frac1B\sum_{i\in B}\hat G_i(w)`, :math:`\beta = 1/(C_\beta Y)` as in
`analytic.smoothness`; :math:`\zeta` is uniform on the first K iterates, :math:`\Delta` the start of the meta
objective less its infimum, :math:`G = \|\nabla\mathcal{L}(w)\|`, :math:`e = E\hat G - \nabla\mathcal{L}(w)`.

Proof
-----
Let :math:`b_1 \le C_\beta L_wE\beta \le b_2` and :math:`C_\beta^2L_w^2E\beta^2 \le b_3` (Lemma B; the paper's values
are 4/5, 2, 4). Descent with :math:`L_w`; :math:`\beta` and the meta gradient are independent given w;
:math:`\langle\nabla\mathcal{L}, E\hat G\rangle \ge (G^2 - \|e\|^2)/2`;
:math:`E\|\frac1B\sum\hat G_i\|^2 \le \frac1BE\|\hat G_i\|^2 + 2G^2 + 2\|e\|^2`:

.. math:: E\mathcal{L}(w^+) \le \mathcal{L}(w) - \frac1{C_\beta L_w}\Big[\frac{b_1}2G^2 - \frac{b_2}2\|e\|^2
          - \frac{b_3}{2C_\beta}\Big(\frac{E\|\hat G_i\|^2}B + 2G^2 + 2\|e\|^2\Big)\Big].

Insert :math:`\|e\|^2 \le (3/S)(C_1^2 + C_2^2G^2 + C_2^2\sigma'^2)` and
:math:`E\|\hat G_i\|^2 \le M_1/T + M_2/S + M_3(G^2+\sigma^2)`, bound :math:`L_w` from below by :math:`\Lambda` in the
terms without G, and from above by Lemma A, :math:`L_w \le (C_L/(1-c))(\chi + G)`,
:math:`\chi = (1-c)q^{2N}L/C_L + \sigma'`. With

.. math:: \theta_0 &= \frac{b_1}4 - \Big(\frac{3b_2}4 + \frac{3b_3}{2C_\beta}\Big)\frac{C_2^2}S
          - \frac{b_3M_3}{4C_\beta B} - \frac{b_3}{2C_\beta}, \qquad \theta = \frac{2(1-c)}{C_\beta C_L}\theta_0,\\
          \xi &= \frac3{C_\beta\Lambda}\Big(\frac{b_2}2 + \frac{b_3}{C_\beta}\Big)(C_1^2 + C_2^2\sigma'^2),\qquad
          \phi = \frac{b_3}{2C_\beta^2\Lambda}\Big(\frac{M_1}T + \frac{M_2}S + M_3\sigma^2\Big)

the sum over the iterates gives :math:`E[G^2/(\chi+G)] \le R = (\Delta/K + \xi/S + \phi/B)/\theta`. As
:math:`x^2/(\chi+x)` is convex, :math:`x = E\|\nabla\mathcal{L}(w_\zeta)\|` has :math:`x^2 \le R(\chi + x)`, that is
:math:`x \le R/2 + (R^2/4 + \chi R)^{1/2}`.

*Limits.* As :math:`\rho \to 0`, :math:`C_L \to 0`: :math:`\chi` and :math:`\theta` tend to infinity and R to 0, but
:math:`r = RL/C_L` and :math:`\chi R = [(1-c)q^{2N} + (C_L/L)\sigma']\,r` stay finite. What is left is the inequality
for the constant :math:`L_w = q^{2N}L`,

.. math:: E\|\nabla\mathcal{L}(w_\zeta)\| \le (E\|\nabla\mathcal{L}(w_\zeta)\|^2)^{1/2} \le
          \Big(\frac{C_\beta q^{2N}L}{2\theta_0}\Big[\frac\Delta K + \frac\xi S + \frac\phi B\Big]\Big)^{1/2},

finite also as :math:`L \to 0`, where :math:`\xi` and :math:`\phi` grow like 1/L. The formulas below are written with
r, R and :math:`P = \chi R`.

Forms of Theorem 1
------------------
- ``paper``: :math:`C_1, C_2, M_1, M_2, M_3` of the paper (`analytic.meta_gradient`), :math:`\Lambda = L`,
  :math:`\sigma' = \sigma`.
- ``sharp``: bias by variant (a) of `analytic.meta_gradient` with Lemma A's :math:`\Gamma = (G+\sigma)/(1-c)`; the
  sharp second moment with :math:`(q^N\gamma + Ls_N)^2 \le 2q^{2N}\gamma^2 + 2L^2s_N^2` and
  :math:`\gamma^2 \le (1+c)(G^2+\sigma^2)/(1-c)^2`, because :math:`(G+c\sigma)^2 \le (1+c)(G^2+c\sigma^2)` and
  :math:`c(1+c) + (1-c)^2 \le 1+c`.
- ``smooth``: as sharp, with the smooth bias: :math:`C_1` and :math:`C_2` are then of order :math:`S^{-1/2}`.
- ``refined``: the refined bias; Lemma A's sharp form, :math:`\gamma \le (G + \sigma')/(1-c)` with
  :math:`\sigma' = \sigma\sqrt{(1-c)/(1+c)}` and :math:`\gamma^2 \le (G^2+\sigma^2)/(1-c)^2`; the refined second
  moment, with :math:`2q^N\gamma\kappa \le t\,q^{2N}\gamma^2 + \kappa Ls_N`, :math:`t = \kappa/(Ls_N) \le 1`;
  :math:`\Lambda = q^{2N}L`; and :math:`(b_1, b_2, b_3) = (8/9, 1.28, 2.11)`, proved in `analytic.smoothness`.

Lemma B's batch sizes are checked when ``B_beta`` and ``D_beta`` are given; otherwise they are taken to be large enough.

Theorem 2 (Gaussian-smoothing Hessians)
---------------------------------------
Given the path the mean of a factor is :math:`I - \alpha\nabla^2l_\nu(w_j)`, still of norm at most q, and its mean
square is at most :math:`A = q^2 + \alpha^2V` with the V of `analytic.gaussian_smoothing` in place of
:math:`\sigma_H^2/D`. If :math:`\|\nabla^2l_\nu - \nabla^2l\| \le h_\nu`, replacing the N factors one by one adds to
the bias at most :math:`N\alpha h_\nu q^{N-1}E\|\nabla l(w_N)\| \le N\alpha h_\nu q^{N-1}(q^Ng + Ls_N)`. :math:`h_\nu`
is :math:`\rho\nu\sqrt d` (``paper``), :math:`\rho\nu E\|u\|` (``sharp``), the smaller of that and 2L (``refined``),
or the smaller of that and :math:`\tau\nu^2d/2` (``smooth``: then :math:`\nu = O(\epsilon^{1/2}/\sqrt d)` suffices
instead of :math:`\nu = O(\epsilon/\sqrt d)`). The paper states its own constants for this theorem with an absolute
constant that could not be reconstructed: ``paper`` here is the reconstruction just described. With
:math:`\alpha = 1/(8NL)` and no noise, :math:`(A/q^2)^N \le \exp((d+2)/(64NQ))`: of the order of d/N directions keep
the second moment bounded.

Form ``direct`` of all of these, and what holds with the zeroth-order estimator, is proved in `analytic.direct` with the
factors of `analytic.factors`; `analytic.without_jensen` has mean squares and a tail in place of the mean, and
`analytic.stall` what the zeroth-order estimator really does to stationary points.

Corollary 1
-----------
:math:`\alpha = 1/(8NL)` and :math:`C_\beta = 100`: then :math:`q^{2N} \le e^{1/4} < 2` for every N, and every
constant above is bounded in N. The number of meta-iterations that brings the bound to :math:`\epsilon` follows from
:math:`R(\chi+\epsilon) = \epsilon^2`: :math:`K = \Delta/(\theta\epsilon^2/(\chi+\epsilon) - \xi/S - \phi/B)`, which
is :math:`O(\epsilon^{-2})` once S, B and T are of the order of :math:`\epsilon^{-2}`.
"""

from dataclasses import dataclass, replace

import numpy as np
import sympy as sp

from analytic.abbreviations import (
    CURVATURE,
    EXCESS,
    GRADIENT_DRIFT,
    GROWTH,
    HESSIAN_ERROR,
    PATH_DRIFT,
    PATH_ERROR,
    STEP_CONDITION,
    L,
    N,
    S,
    alpha,
    c,
    kappa,
    q,
    s,
    sigma,
    sigma_g,
)
from analytic.arguments import known
from analytic.bound import Bound, Condition, Definition, Statement, optional
from analytic.direct import Direct, estimated, variants
from analytic.factors import SAMPLED, A, Factor, smoothed, zeroth_order
from analytic.functions import Least, Quotient
from analytic.meta_gradient import (
    HESSIAN_ERRORS,
    PAPER_BIAS,
    PAPER_SQUARE,
    PATH_ERRORS,
    bias_pieces,
    smooth_bias_pieces,
)
from analytic.rate import Convergence, Rate, evaluate, theta_0
from analytic.smoothness import BATCH_CONDITIONS, FLOOR, PAPER_MOMENTS, SHARP_MOMENTS
from analytic.vocabulary import symbols

B, T, C_beta = symbols("B T C_beta")
C_1, C_2, M_1, M_2, M_3 = sp.symbols("C_1 C_2 M_1 M_2 M_3", nonnegative=True)

_STEP = (GROWTH, EXCESS)
_PATH = (PATH_ERROR, PATH_DRIFT, HESSIAN_ERROR, GRADIENT_DRIFT)
_HERE = "docstring of analytic.convergence"
_PAPER = "arXiv 2002.07836, Appendix; reconstructed"


def _rate(bias, square, where, moments=PAPER_MOMENTS, spread=sigma, floor=sp.S.One) -> Rate:
    """Theorem 1 from its ingredients: (C_1, C_2), (M_1, M_2, M_3), Lemma B's constants, sigma' and Lambda/L."""
    b_1, b_2, b_3 = moments
    return Rate(
        start=(1 - c) * q ** (2 * N),
        spread=spread,
        xi=3 / (C_beta * floor) * (b_2 / 2 + b_3 / C_beta) * (C_1**2 + C_2**2 * spread**2),
        phi=b_3 / (2 * C_beta**2 * floor) * (M_1 / T + M_2 / S + M_3 * sigma**2),
        scale=2 * (1 - c) / C_beta,
        where=(
            *where,
            *(Definition(head, value) for head, value in zip((C_1, C_2, M_1, M_2, M_3), (*bias, *square), strict=True)),
            Definition(
                theta_0,
                b_1 / 4
                - (3 * b_2 / 4 + 3 * b_3 / (2 * C_beta)) * C_2**2 / S
                - b_3 * M_3 / (4 * C_beta * B)
                - b_3 / (2 * C_beta),
            ),
        ),
        conditions=(
            STEP_CONDITION,
            *optional(BATCH_CONDITIONS),
            Condition("theta > 0, that is large enough C_beta, B and S", theta_0 > 0),
        ),
    )


def _sharp_square():
    final = 2 * A**N * q ** (2 * N) * (1 + c) / (1 - c) ** 2
    return A**N * sigma_g**2, 2 * A**N * S * L**2 * s(N) ** 2, final


def _refined_square():
    turn = Quotient(kappa, L * s(N))
    rest = A**N * S * L * s(N) * (L * s(N) + kappa)
    return A**N * sigma_g**2, rest, A**N * (1 + turn) * q ** (2 * N) / (1 - c) ** 2


def _pieces(form):
    """Bias of the form, as (free part, factor of the task gradient); both still to be multiplied by sqrt(S)."""
    if form == "sharp":
        return bias_pieces(PATH_ERRORS)[0]
    if form == "smooth":
        return smooth_bias_pieces()
    (plain, factor), (by_mean, _) = bias_pieces(HESSIAN_ERRORS)
    return Least(plain, by_mean), factor


def _rates(factors: dict[str, Factor]) -> dict[str, Rate]:
    """All forms, for one kind of Hessian."""
    rates = {}
    for form, factor in factors.items():
        more_free, more_factor = factor.excess * L * s(N), factor.excess * q**N
        if form == "paper":
            C1, C2 = PAPER_BIAS
        else:
            free, slope = _pieces(form)
            C1, C2 = sp.sqrt(S) * free, sp.sqrt(S) * slope / (1 - c)
        bias = C1 + sp.sqrt(S) * more_free, C2 + sp.sqrt(S) * more_factor / (1 - c)
        square = {"paper": PAPER_SQUARE, "refined": _refined_square()}.get(form, _sharp_square())
        where = (*_STEP, CURVATURE, FLOOR, *factor.where, *_PATH)
        if form == "refined":
            spread = sigma * sp.sqrt((1 - c) / (1 + c))
            rates[form] = _rate(bias, square, where, SHARP_MOMENTS, spread, floor=q ** (2 * N))
        else:
            rates[form] = _rate(bias, square, where)
    return rates


_FORMS = ("paper", "sharp", "smooth", "refined")

RATES = {
    "thm1": _rates(dict.fromkeys(_FORMS, SAMPLED)),
    "thm2": _rates({form: smoothed(form) for form in _FORMS}),
}
_SCHEDULE = (Definition(alpha, 1 / (8 * N * L)), Definition(C_beta, sp.Integer(100)))
_POSITIVE = Condition("L > 0", sp.StrictGreaterThan(L, 0, evaluate=False))
RATES["cor1"] = {
    form: replace(rate, where=(*_SCHEDULE, *rate.where), conditions=(_POSITIVE, *rate.conditions))
    for form, rate in RATES["thm1"].items()
}

DIRECT = {
    "thm1": variants("thm1", estimated(SAMPLED, SAMPLED)),
    "thm2": variants("thm2", estimated(smoothed("refined"), smoothed("refined smooth"))),
    "zo-neighbourhood": variants(
        "zo-neighbourhood", estimated(zeroth_order("refined"), zeroth_order("refined smooth"))
    ),
}
"""Form ``direct`` of the theorems, and of what holds with the zeroth-order estimator."""

DIRECT["cor1"] = DIRECT["thm1"].at("cor1", _SCHEDULE, _POSITIVE)

FIELDS = {
    name: {form: rate.bounds(name, form, _PAPER if form == "paper" else _HERE) for form, rate in forms.items()}
    for name, forms in RATES.items()
}
"""Every quantity of the theorems as a bound: ``FIELDS["thm1"]["sharp"]["theta"]``."""


def _theorem(name: str, form: str, constants) -> Convergence | Direct:
    if form == "direct":
        return DIRECT[name].evaluate(constants)
    known("form", form, (*_FORMS, "direct"))
    return evaluate(FIELDS[name][form], constants)


def theorem1(form: str = "sharp", **constants) -> Convergence | Direct:
    """Theorem 1 (multi-step MAML with sampled Hessians) at numbers or arrays.

    Parameters
    ----------
    form : {"paper", "sharp", "smooth", "refined", "direct"}
    **constants
        ``alpha, steps, L, rho, sigma, sigma_g, sigma_H, S, D, T, B, C_beta, K, gap``, for smooth also ``tau``, which
        direct takes too; ``B_beta`` and ``D_beta`` if Lemma B's batch sizes are to be checked, or for direct used.

    Returns
    -------
    Convergence or Direct

    Raises
    ------
    HypothesisError
        If ``q^(2N) >= 2`` (direct: ``2N arcsin(alpha L) >= pi/2``), ``theta <= 0`` or Lemma B's batch sizes are too
        small (not for direct).

    Examples
    --------
    >>> from analytic import theorem1
    >>> at = dict(alpha=0.01, steps=2, S=100, D=100, T=100, B=100, K=1000, C_beta=100, L=1.0, rho=1.0)
    >>> at |= dict(sigma=1.0, sigma_g=1.0, sigma_H=1.0, gap=1.0)
    >>> theorem1("direct", **at).value < theorem1("sharp", **at).value < theorem1("paper", **at).value
    True
    """
    return _theorem("thm1", form, constants)


def theorem2(form: str = "sharp", **constants) -> Convergence | Direct:
    """Theorem 2 (Gaussian-smoothing Hessians): as `theorem1` with ``dim, directions, nu`` and without ``sigma_H``.

    Examples
    --------
    >>> from analytic import theorem2
    >>> at = dict(alpha=0.01, steps=2, S=100, D=100, T=100, B=100, K=1000, C_beta=100, L=1.0, rho=1.0)
    >>> at |= dict(sigma=1.0, sigma_g=1.0, sigma_H=1.0, gap=1.0)
    >>> round(theorem2("direct", **at, dim=5, directions=10, nu=1e-3).value, 3)
    0.349
    """
    return _theorem("thm2", form, constants)


def corollary1(form: str = "sharp", **constants) -> Convergence | Direct:
    """Theorem 1 at ``alpha = 1/(8 N L)`` and ``C_beta = 100``, which need not be given.

    Examples
    --------
    >>> from analytic import corollary1
    >>> at = dict(steps=4, S=100, D=100, T=100, B=100, K=1000, L=1.0, rho=1.0, gap=1.0)
    >>> round(corollary1("direct", **at, sigma=1.0, sigma_g=1.0, sigma_H=1.0).value, 3)
    0.419
    """
    return _theorem("cor1", form, constants)


ITERATIONS = {
    form: rate.iterations("cor1-iterations", form, _PAPER if form == "paper" else _HERE)
    for form, rate in RATES["cor1"].items()
} | {"direct": DIRECT["cor1"].iterations}
"""Meta-iterations that bring the bound of Corollary 1 to epsilon, by form."""


@dataclass(frozen=True)
class Work:
    """What a number of meta-iterations costs: samples of gradients and of Hessians, over all tasks."""

    iterations: float
    gradients: float
    hessians: float


def work(iterations, *, steps, B, S, T, D, B_beta=0, D_beta=0) -> Work:
    """Samples of Algorithm 1: N S + T gradients and N D Hessians a task, and B' D_L gradients for the step size.

    Linear in the number of inner steps N; with S, T and B of the order of epsilon^-2, as the accuracy epsilon asks, the
    N epsilon^-4 gradients and N epsilon^-2 Hessians an iteration of Corollary 1.
    """
    return Work(
        iterations=iterations,
        gradients=iterations * (B * (np.multiply(steps, S) + T) + np.multiply(B_beta, D_beta)),
        hessians=iterations * B * np.multiply(steps, D),
    )


def corollary1_work(form: str = "sharp", **constants) -> Work:
    """Corollary 1 as samples: those of the meta-iterations that bring the bound to ``epsilon``, batches as given.

    Raises
    ------
    HypothesisError
        If the batches leave more than ``epsilon``.
    """
    known("form", form, ITERATIONS)
    names = ("steps", "B", "S", "T", "D", "B_beta", "D_beta")
    counts = {name: np.asarray(constants[name]) for name in names if name in constants}
    return work(np.ceil(ITERATIONS[form](**constants)), **counts)


_NORM = "E ||grad calL(w_zeta)||, zeta uniform on the first K iterates"
_DRAWS = (
    "Each meta-iteration draws its B tasks independently and with replacement, and for the step size B' further tasks"
    " and samples of their own; batches are those of Lemma B unless the form takes any."
)
_NORM_LATEX = r"E\|\nabla\mathcal{L}(w_\zeta)\|"


def _forms(name: str) -> dict[str, Bound]:
    return {form: fields["value"] for form, fields in FIELDS[name].items()} | {"direct": DIRECT[name].bound}


STATEMENTS = (
    *(
        Statement(name, title, _NORM, _NORM_LATEX, source, _forms(name), _DRAWS)
        for name, title, source in (
            ("thm1", "Convergence of multi-step MAML", "Theorem 1"),
            ("thm2", "Convergence of MAML with Gaussian-smoothing Hessians", "Theorem 2"),
            ("cor1", "Convergence at alpha = 1/(8NL), C_beta = 100", "Corollary 1"),
        )
    ),
    Statement(
        "cor1-iterations",
        "Meta-iterations that bring the bound of Corollary 1 to epsilon",
        "meta-iterations K with E ||grad calL(w_zeta)|| <= epsilon",
        r"K",
        "Corollary 1",
        ITERATIONS,
        remarks="No claim of its own: it is the bound of cor1 solved for K. Bounded in the number of inner steps N.",
    ),
    Statement(
        "zo-neighbourhood",
        "Neighbourhood that MAML with zeroth-order Hessians reaches",
        _NORM,
        _NORM_LATEX,
        "new; what Theorem 2 becomes with the estimator of eq. 17",
        {"direct": DIRECT["zo-neighbourhood"].bound},
        remarks="Does not tend to 0 with S, T, B, K and 1/Q: the mean of the estimator is off by tr(Hess l)/2 I.",
    ),
)
