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

Corollary 1
-----------
:math:`\alpha = 1/(8NL)` and :math:`C_\beta = 100`: then :math:`q^{2N} \le e^{1/4} < 2` for every N, and every
constant above is bounded in N. The number of meta-iterations that brings the bound to :math:`\epsilon` follows from
:math:`R(\chi+\epsilon) = \epsilon^2`: :math:`K = \Delta/(\theta\epsilon^2/(\chi+\epsilon) - \xi/S - \phi/B)`, which
is :math:`O(\epsilon^{-2})` once S, B and T are of the order of :math:`\epsilon^{-2}`.
"""

from dataclasses import dataclass, replace

import sympy as sp

from analytic.abbreviations import (
    C_L,
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
    rho,
    s,
    sigma,
    sigma_g,
)
from analytic.bound import Bound, Condition, Definition, Statement
from analytic.functions import Least, NormMoment, Quotient
from analytic.gaussian_smoothing import NOISE, REFINED_VECTOR, VECTOR
from analytic.meta_gradient import (
    FACTOR,
    HESSIAN_ERRORS,
    PAPER_BIAS,
    PAPER_SQUARE,
    PATH_ERRORS,
    A,
    bias_pieces,
    smooth_bias_pieces,
)
from analytic.smoothness import BATCH_CONDITIONS, FLOOR
from analytic.vocabulary import symbols

B, T, K, C_beta, gap, epsilon = symbols("B T K C_beta gap epsilon")
d, nu, tau = symbols("dim nu tau")
C_1, C_2, M_1, M_2, M_3, r, R, P, V, h_nu = sp.symbols("C_1 C_2 M_1 M_2 M_3 r R P V h_nu", nonnegative=True)
theta_0 = sp.Symbol("theta_0", real=True)

PAPER_MOMENTS = (sp.Rational(4, 5), sp.Integer(2), sp.Integer(4))
"""Lemma B as stated: C_beta L_w E beta lies between the first two, C_beta^2 L_w^2 E beta^2 is at most the third."""

SHARP_MOMENTS = (sp.Rational(8, 9), sp.Rational(32, 25), sp.Rational(211, 100))
"""The same from the proof in `analytic.smoothness`, under the same batch sizes."""

_STEP = (GROWTH, EXCESS)
_PATH = (PATH_ERROR, PATH_DRIFT, HESSIAN_ERROR, GRADIENT_DRIFT)
_SMOOTHED_FACTOR = Definition(A, q**2 + alpha**2 * V)
_HERE = "docstring of analytic.convergence"
_PAPER = "arXiv 2002.07836, Appendix; reconstructed"


@dataclass(frozen=True)
class Convergence:
    """A convergence theorem at given constants: its intermediate quantities and the final bound ``value``."""

    chi: float
    xi: float
    phi: float
    theta: float
    R: float
    value: float


@dataclass(frozen=True)
class Rate:
    """The formulas of one form of a convergence theorem, from which everything else is derived.

    ``xi`` and ``phi`` are multiplied by L, ``start`` is chi less ``spread``, multiplied by C_L/L, and ``scale`` is
    theta C_L/theta_0: in these units all limits are finite.
    """

    start: sp.Expr
    spread: sp.Expr
    xi: sp.Expr
    phi: sp.Expr
    scale: sp.Expr
    where: tuple[Definition, ...]
    conditions: tuple[Condition, ...]

    def formulas(self) -> dict[str, sp.Expr]:
        """The fields of `Convergence`; ``P`` is chi R."""
        return {
            "chi": self.start / Quotient(C_L, L) + self.spread,
            "xi": Quotient(self.xi, L),
            "phi": Quotient(self.phi, L),
            "theta": Quotient(self.scale * theta_0, C_L),
            "R": R,
            "value": R / 2 + sp.sqrt(R**2 / 4 + P),
        }

    def bounds(self, statement: str, form: str, proof: str) -> dict[str, Bound]:
        """One bound for each field; only ``value`` carries the hypotheses."""
        slope = Quotient(C_L, L)
        where = (
            *self.where,
            Definition(r, (L * gap / K + self.xi / S + self.phi / B) / (self.scale * theta_0)),
            Definition(R, slope * r),
            Definition(P, (self.start + slope * self.spread) * r),
        )
        conditions = {"value": self.conditions}
        return {
            field: _trimmed(Bound(statement, form, formula, where, conditions.get(field, ()), proof))
            for field, formula in self.formulas().items()
        }

    def iterations(self, statement: str, form: str, proof: str) -> Bound:
        """Meta-iterations after which the bound is at most ``epsilon``."""
        weight = self.start + Quotient(C_L, L) * (self.spread + epsilon)
        progress, floor = self.scale * theta_0 * epsilon**2 / weight, self.xi / S + self.phi / B
        reachable = Condition("epsilon above what bias and variance leave (larger S, T, B)", progress > floor)
        conditions = (*self.conditions, reachable)
        return _trimmed(Bound(statement, form, L * gap / (progress - floor), self.where, conditions, proof))


def _trimmed(bound: Bound) -> Bound:
    """The bound without the abbreviations it does not use."""
    used = [bound.formula, *(condition.relation for condition in bound.conditions)]
    kept = []
    for definition in reversed(bound.where):
        head = definition.head
        if any(e.has(head if isinstance(head, sp.Symbol) else head.func) for e in used):
            kept.append(definition)
            used.append(definition.value)
    return replace(bound, where=tuple(reversed(kept)))


def optional(conditions: tuple[Condition, ...]) -> tuple[Condition, ...]:
    """The conditions, checked only where all their constants are given."""
    return tuple(replace(condition, optional=True) for condition in conditions)


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


def _rates(factor, added_bias, extra) -> dict[str, Rate]:
    """All forms, for one kind of Hessian: its mean-square factor A and what it adds to the bias."""
    rates = {}
    for form in ("paper", "sharp", "smooth", "refined"):
        more_free, more_factor = added_bias
        if form == "paper":
            C1, C2 = PAPER_BIAS
        else:
            free, slope = _pieces(form)
            C1, C2 = sp.sqrt(S) * free, sp.sqrt(S) * slope / (1 - c)
        bias = C1 + sp.sqrt(S) * more_free, C2 + sp.sqrt(S) * more_factor / (1 - c)
        square = {"paper": PAPER_SQUARE, "refined": _refined_square()}.get(form, _sharp_square())
        where = (*_STEP, CURVATURE, FLOOR, *extra[form], factor, *_PATH)
        if form == "refined":
            spread = sigma * sp.sqrt((1 - c) / (1 + c))
            rates[form] = _rate(bias, square, where, SHARP_MOMENTS, spread, floor=q ** (2 * N))
        else:
            rates[form] = _rate(bias, square, where)
    return rates


def _smoothing(form) -> tuple[Definition, ...]:
    """V and h_nu of the Gaussian-smoothing estimator."""
    radius = {
        "paper": rho * nu * sp.sqrt(d),
        "sharp": rho * nu * NormMoment(1, d),
        "smooth": Least(rho * nu * NormMoment(1, d), tau * nu**2 * d / 2),
        "refined": Least(2 * L, rho * nu * NormMoment(1, d)),
    }
    return Definition(V, (REFINED_VECTOR if form == "refined" else VECTOR) + NOISE), Definition(h_nu, radius[form])


_FORMS = ("paper", "sharp", "smooth", "refined")
_REPLACED = N * alpha * h_nu * q ** (N - 1)

RATES = {
    "thm1": _rates(FACTOR, (0, 0), {form: () for form in _FORMS}),
    "thm2": _rates(_SMOOTHED_FACTOR, (_REPLACED * L * s(N), _REPLACED * q**N), {f: _smoothing(f) for f in _FORMS}),
}
_SCHEDULE = (Definition(alpha, 1 / (8 * N * L)), Definition(C_beta, sp.Integer(100)))
_POSITIVE = Condition("L > 0", sp.StrictGreaterThan(L, 0, evaluate=False))
RATES["cor1"] = {
    form: replace(rate, where=(*_SCHEDULE, *rate.where), conditions=(_POSITIVE, *rate.conditions))
    for form, rate in RATES["thm1"].items()
}

FIELDS = {
    name: {form: rate.bounds(name, form, _PAPER if form == "paper" else _HERE) for form, rate in forms.items()}
    for name, forms in RATES.items()
}
"""Every quantity of the theorems as a bound: ``FIELDS["thm1"]["sharp"]["theta"]``."""


def evaluate(fields: dict[str, dict[str, Bound]], form: str, constants) -> Convergence:
    """All fields of one form at given constants, hypotheses checked."""
    if form not in fields:
        raise ValueError(f"unknown form {form!r}; known: {', '.join(fields)}")
    value = fields[form]["value"](**constants)
    rest = {name: bound(**constants) for name, bound in fields[form].items() if name != "value"}
    return Convergence(**rest, value=value)


def theorem1(form: str = "sharp", **constants) -> Convergence:
    """Theorem 1 (multi-step MAML with sampled Hessians) at numbers or arrays.

    Parameters
    ----------
    form : {"paper", "sharp", "smooth", "refined"}
    **constants
        ``alpha, steps, L, rho, sigma, sigma_g, sigma_H, S, D, T, B, C_beta, K, gap``, for smooth also ``tau``;
        ``B_beta`` and ``D_beta`` if Lemma B's batch sizes are to be checked.

    Raises
    ------
    HypothesisError
        If ``q^(2N) >= 2``, ``theta <= 0`` or Lemma B's batch sizes are too small.
    """
    return evaluate(FIELDS["thm1"], form, constants)


def theorem2(form: str = "sharp", **constants) -> Convergence:
    """Theorem 2 (Gaussian-smoothing Hessians): as `theorem1` with ``dim, directions, nu`` and without ``sigma_H``."""
    return evaluate(FIELDS["thm2"], form, constants)


def corollary1(form: str = "sharp", **constants) -> Convergence:
    """Theorem 1 at ``alpha = 1/(8 N L)`` and ``C_beta = 100``, which need not be given."""
    return evaluate(FIELDS["cor1"], form, constants)


_NORM = "E ||grad calL(w_zeta)||, zeta uniform on the first K iterates"
_NORM_LATEX = r"E\|\nabla\mathcal{L}(w_\zeta)\|"

STATEMENTS = (
    *(
        Statement(name, title, _NORM, _NORM_LATEX, source, {form: FIELDS[name][form]["value"] for form in _FORMS})
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
        {
            form: rate.iterations("cor1-iterations", form, _PAPER if form == "paper" else _HERE)
            for form, rate in RATES["cor1"].items()
        },
        remarks="Bounded in the number of inner steps N.",
    ),
)
