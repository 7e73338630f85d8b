r"""Form ``direct`` of the convergence theorems: the inner product taken as it is, and the variance of a mean as it is.

The other forms (`analytic.convergence`) bound :math:`\langle\nabla\mathcal{L}, E\hat G\rangle` by Young's inequality,
which throws away half of :math:`G^2`, and :math:`\|E\hat G\|^2` by :math:`2G^2 + 2\|e\|^2`. Here neither is done; Lemma
A is used in its ``cone`` form; and every ingredient enters by an upper bound that is affine in G or in :math:`G^2`.

Ingredients
-----------
With :math:`\omega, \mu` of `analytic.lemma_a` and a shift p of the meta gradient (0 unless support and target losses
differ): :math:`E_i\|\nabla l_i(w)\| \le \gamma_0 + \gamma_1G`,

.. math:: \gamma_1 = \frac1{\mu(1-\sin\omega)},\qquad \gamma_0 = \frac\sigma{\cos\omega} + \gamma_1p ,

and the mean square, :math:`\gamma^2 = x^2+\sigma^2` with :math:`x - G/\mu = \sin\omega\,\gamma`, obeys
:math:`\gamma^2 \le \gamma_1^2G^2 + \sigma^2/(1-\sin\omega)` (for p = 0): by Young with weight
:math:`t = (1-\sin\omega)/\sin\omega`,
:math:`\gamma^2 \le (1+1/t)(G/\mu)^2 + (1+t)\sin^2\omega\,\gamma^2 + \sigma^2
= \frac{(G/\mu)^2}{1-\sin\omega} + \sin\omega\,\gamma^2 + \sigma^2`. Hence, a bias of at most
:math:`\mathrm{free} + \mathrm{slope}\cdot E_i\|\nabla l_i(w)\|` is :math:`\|e\| \le \epsilon_0+\epsilon_1G`;
:math:`E\|\hat G_i\|^2 \le M_0 + M_3G^2`; and :math:`L_w \le a(r_0 + r_1G)`, where a is the least value of
:math:`L_w`, :math:`r_0 = 1 + (C_L/a)\gamma_0`, :math:`r_1 = (C_L/a)\gamma_1`.

Theorem
-------
Let :math:`b_1 \le C_\beta L_wE\beta \le b_2`, :math:`C_\beta^2L_w^2E\beta^2 \le b_3` (Lemma B),

.. math:: \theta &= b_1 - b_2\epsilon_1 - \frac{b_3}{2C_\beta}
          \Big[\frac{M_3}B + \Big(1-\frac1B\Big)(1+\epsilon_1)^2\Big],\\
          \lambda &= b_2\epsilon_0 + \frac{b_3}{C_\beta}\Big(1-\frac1B\Big)(1+\epsilon_1)\epsilon_0,\qquad
          \eta = \frac{b_3}{2C_\beta}\Big[\frac{M_0}B + \Big(1-\frac1B\Big)\epsilon_0^2\Big],\\
          W &= \frac{aC_\beta\Delta}K + \eta + \frac{\lambda^2}{4\theta}\Big(1-\frac1{r_0+r_1\lambda/\theta}\Big).

If :math:`\theta > 0`, then

.. math:: E\|\nabla\mathcal{L}(w_\zeta)\| \le
          \frac{\lambda + r_1W + \sqrt{(\lambda+r_1W)^2 + 4\theta r_0W}}{2\theta} .

*Proof.* Given w, :math:`\beta` is independent of the B tasks and their samples, which are independent and identically
distributed, so :math:`E\|\frac1B\sum\hat G_i\|^2 = \frac1BE\|\hat G_i\|^2 + (1-\frac1B)\|E\hat G\|^2`, and
:math:`\|E\hat G\| \le G+\|e\|`, :math:`\langle\nabla\mathcal{L},E\hat G\rangle \ge G^2-G\|e\|`. Descent with
:math:`L_w` gives :math:`E\mathcal{L}(w^+) \le \mathcal{L}(w) - (\theta G^2-\lambda G-\eta)/(C_\beta L_w)`, and the mean
over the iterates :math:`E[(\theta G^2-\lambda G-\eta)/L_w] \le C_\beta\Delta/K` at :math:`w_\zeta`. Here
:math:`\eta/L_w \le \eta/a`. Where :math:`\theta G^2-\lambda G \ge 0`, divide by the upper bound of :math:`L_w`. Where
it is negative its size is at most :math:`\lambda^2/4\theta` and :math:`G < \lambda/\theta`; dividing by the upper bound
although :math:`L_w` may be as small as a costs
:math:`\frac{\lambda^2}{4\theta a}(1-\frac1{r_0+r_1\lambda/\theta})` at most. So
:math:`Ef(G) \le W`, :math:`f(x) = (\theta x^2-\lambda x)/(r_0+r_1x)`. f is convex (a positive multiple of
:math:`1/(r_0+r_1x)` plus an affine function; a parabola if :math:`r_1 = 0`), so by Jensen
:math:`f(EG) \le W`, a quadratic inequality. :math:`\blacksquare`

Each term is attained in the limit :math:`\alpha L \to 0` of quadratics: that of the start,
:math:`aC_\beta\Delta/K`, by :math:`(L/2)\|w\|^2` without noise in one step, variance and bias by stationary runs.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp

from analytic.abbreviations import (
    C_L,
    CONE,
    CONE_CONDITION,
    CURVATURE,
    GRADIENT_DRIFT,
    GROWTH,
    HESSIAN_ERROR,
    PATH_DRIFT,
    PATH_ERROR,
    L,
    N,
    kappa,
    mu,
    omega,
    q,
    s,
    sigma,
    sigma_g,
)
from analytic.bound import Bound, Condition, Definition, optional
from analytic.factors import A, Factor
from analytic.functions import Least, Quotient
from analytic.meta_gradient import HESSIAN_ERRORS, bias_pieces, smooth_bias_pieces
from analytic.smoothness import ANY_BATCH_MOMENTS, BATCH_CONDITIONS, ESTIMATE_VARIANCE, FLOOR, SHARP_MOMENTS, a
from analytic.vocabulary import checked, symbols

B, T, K, C_beta, gap, epsilon = symbols("B T K C_beta gap epsilon")
gamma_0, gamma_1, epsilon_0, epsilon_1, M_0, M_3 = sp.symbols(
    "gamma_0 gamma_1 epsilon_0 epsilon_1 M_0 M_3", nonnegative=True
)
r_0, r_1, lam, eta, W = sp.symbols("r_0 r_1 lambda eta W", nonnegative=True)
theta = sp.Symbol("theta", real=True)

TASK_SLOPE = (1 + sp.sin(omega)) / (mu * sp.cos(omega) ** 2)
"""gamma_1 = 1/(mu (1 - sin omega)), without cancellation."""

TASK_SQUARE = (1 + sp.sin(omega)) / sp.cos(omega) ** 2 * sigma**2
"""sigma^2/(1 - sin omega): what the mean square of the task gradients is at most where the meta gradient is 0."""

HERE = "docstring of analytic.direct"
PATH = (GROWTH, *CONE, PATH_ERROR, PATH_DRIFT, HESSIAN_ERROR, GRADIENT_DRIFT)
"""Abbreviations of the ingredients of meta gradients along a stochastic path."""

_best: Any = (
    1 / Least(1 / ANY_BATCH_MOMENTS[0], 1 / SHARP_MOMENTS[0]),
    *map(Least, ANY_BATCH_MOMENTS[1:], SHARP_MOMENTS[1:]),
)
_POSITIVE = Condition("theta > 0, that is large enough C_beta, B and S", theta > 0)


@dataclass(frozen=True)
class Moments:
    """Lemma B in one of its forms: b_1, b_2, b_3, what defines them and what they need."""

    values: tuple[sp.Expr, sp.Expr, sp.Expr]
    where: tuple[Definition, ...] = ()
    conditions: tuple[Condition, ...] = ()


MOMENTS = (
    Moments(SHARP_MOMENTS, (), optional(BATCH_CONDITIONS)),
    Moments(ANY_BATCH_MOMENTS, (ESTIMATE_VARIANCE,)),
    Moments(_best, (ESTIMATE_VARIANCE,), BATCH_CONDITIONS),
)
"""Without batch sizes they are taken to be what Lemma B asks for; with any; and with those, whichever is better."""


@dataclass(frozen=True)
class Ingredients:
    """What the theorem is made of, Lemma B apart.

    Attributes
    ----------
    where : tuple of Definition
        Abbreviations, the floor a and C_L among them.
    free, slope : Expr
        The bias is at most ``free + slope * E_i ||grad l_i(w)||``.
    constant, square : Expr
        M_0 and M_3.
    shift : Expr
        p, by which the norm of the meta gradient is increased before Lemma A.
    conditions : tuple of Condition
    """

    where: tuple[Definition, ...]
    free: sp.Expr
    slope: sp.Expr
    constant: sp.Expr
    square: sp.Expr
    shift: sp.Expr = sp.S.Zero
    conditions: tuple[Condition, ...] = ()

    def descent(self, name: str, moments: Moments) -> "Descent":
        """All that follows from them with the given form of Lemma B."""
        b_1, b_2, b_3 = moments.values
        rest, bend = 1 - 1 / B, Quotient(C_L, a)
        where = (
            *self.where,
            Definition(gamma_1, TASK_SLOPE),
            Definition(gamma_0, sigma / sp.cos(omega) + (gamma_1 * self.shift)),
            Definition(epsilon_0, self.free + self.slope * gamma_0),
            Definition(epsilon_1, self.slope * gamma_1),
            Definition(M_0, self.constant),
            Definition(M_3, self.square),
            Definition(r_0, 1 + bend * gamma_0),
            Definition(r_1, bend * gamma_1),
            *moments.where,
            Definition(theta, b_1 - b_2 * epsilon_1 - b_3 / (2 * C_beta) * (M_3 / B + rest * (1 + epsilon_1) ** 2)),
            Definition(lam, b_2 * epsilon_0 + b_3 / C_beta * rest * (1 + epsilon_1) * epsilon_0),
            Definition(eta, b_3 / (2 * C_beta) * (M_0 / B + rest * epsilon_0**2)),
        )
        conditions = (CONE_CONDITION, *self.conditions, *moments.conditions, _POSITIVE)
        return Descent(name, where, conditions, b_3)


def root(progress, bias=lam):
    """The largest x with theta x^2 - bias x <= (r_0 + r_1 x) progress."""
    linear = bias + r_1 * progress
    return (linear + sp.sqrt(linear**2 + 4 * theta * r_0 * progress)) / (2 * theta)


START = a * C_beta * gap / K
"""What the distance of the start from the infimum contributes to W."""

CONVEX = lam**2 / (4 * theta) * (1 - 1 / (r_0 + r_1 * lam / theta))
"""What it costs that the bracket may be negative where the smoothness is small."""


@dataclass(frozen=True)
class Descent:
    """Theta, lambda and eta with their abbreviations and hypotheses, from which the bounds follow."""

    name: str
    where: tuple[Definition, ...]
    conditions: tuple[Condition, ...]
    b_3: sp.Expr

    def formulas(self) -> dict[str, sp.Expr]:
        """The fields of `Direct`."""
        variance = self.b_3 / (2 * C_beta) * M_0 / B
        return {
            "theta": theta,
            "lam": lam,
            "eta": eta,
            "start": root(START, sp.S.Zero),
            "variance": root(variance, sp.S.Zero),
            "bias": root(eta - variance + CONVEX),
            "value": root(W),
        }

    @cached_property
    def fields(self) -> dict[str, Bound]:
        """The fields of `Direct` as bounds; only ``value`` carries the hypotheses."""
        where = (*self.where, Definition(W, START + eta + CONVEX))
        conditions = {"value": self.conditions}
        return {
            field: Bound(self.name, "direct", formula, where, conditions.get(field, ()), HERE, stepwise=True)
            for field, formula in self.formulas().items()
        }

    @cached_property
    def iterations(self) -> Bound:
        """Meta-iterations after which the bound is at most ``epsilon``."""
        progress, floor = (theta * epsilon**2 - lam * epsilon) / (r_0 + r_1 * epsilon), eta + CONVEX
        reachable = Condition("epsilon above what bias and variance leave (larger S, T, B)", progress > floor)
        formula, conditions = a * C_beta * gap / (progress - floor), (*self.conditions, reachable)
        return Bound(f"{self.name}-iterations", "direct", formula, self.where, conditions, HERE, stepwise=True)


@dataclass(frozen=True)
class Direct:
    """A convergence theorem in form ``direct`` at given constants.

    ``value`` is the bound; ``start``, ``variance`` and ``bias`` are what it would be if only the distance of the start
    from the infimum, only the variance of the meta gradient, or only its bias were there.

    Examples
    --------
    >>> from analytic import theorem1
    >>> at = dict(alpha=0.01, steps=2, S=100, D=100, T=100, B=100, K=1000, C_beta=100, L=1.0, rho=1.0)
    >>> at |= dict(sigma=1.0, sigma_g=1.0, sigma_H=1.0, gap=1.0)
    >>> found = theorem1("direct", **at)
    >>> round(found.theta, 3), round(found.value, 3)
    (0.878, 0.349)
    """

    theta: float
    lam: float
    eta: float
    start: float
    variance: float
    bias: float
    value: float


def estimated(without: Factor, with_tau: Factor) -> tuple[Ingredients, ...]:
    """Ingredients with a Hessian estimator, without and with tau: the refined bias, and then also the smooth one."""
    (plain, slope), (by_mean, _) = bias_pieces(HESSIAN_ERRORS)
    turn = 1 + Quotient(kappa, L * s(N))
    constant = A**N * (sigma_g**2 / T + L * s(N) * (L * s(N) + kappa) + turn * q ** (2 * N) * TASK_SQUARE)
    square = A**N * turn * q ** (2 * N) * gamma_1**2

    def ingredients(bias, factor):
        free, slope = bias
        return Ingredients(
            (*PATH, CURVATURE, FLOOR, *factor.where),
            free + factor.excess * L * s(N),
            slope + factor.excess * q**N,
            constant,
            square,
        )

    refined = Least(plain, by_mean), slope
    return (
        ingredients(refined, without),
        ingredients(refined, with_tau),
        ingredients(smooth_bias_pieces(), with_tau),
    )


@dataclass(frozen=True)
class Variants:
    """The theorem by several routes, of which the one with the smallest bound counts.

    The first route needs the fewest constants; those of the others need not be given.
    """

    routes: tuple[Descent, ...]

    def at(self, name: str, schedule: tuple[Definition, ...], condition: Condition) -> "Variants":
        """The theorem under another name at a schedule, which gives some constants in terms of others."""
        return Variants(
            tuple(
                replace(route, name=name, where=(*schedule, *route.where), conditions=(condition, *route.conditions))
                for route in self.routes
            )
        )

    @cached_property
    def bound(self) -> Bound:
        """The bound of the theorem."""
        return smallest(route.fields["value"] for route in self.routes)

    @cached_property
    def iterations(self) -> Bound:
        """Meta-iterations after which the bound is at most ``epsilon``."""
        return smallest(route.iterations for route in self.routes)

    def evaluate(self, constants) -> Direct:
        """All fields, those of the best route in each cell; hypotheses checked."""
        best, values = self.bound(**constants), checked(constants)
        found: dict[str, Any] = {}
        for route in self.routes:
            if route.fields["value"].known(values):
                chosen = route.fields["value"].judged(values)[0] == best
                for field, bound in route.fields.items():
                    found[field] = np.where(chosen, bound.judged(values)[0], found.get(field, np.nan))
        return Direct(**{field: float(array) if array.ndim == 0 else array for field, array in found.items()})


def smallest(bounds) -> Bound:
    """The first bound, with the rest as alternatives."""
    first, *others = bounds
    return replace(first, others=tuple(others))


def variants(name: str, ingredients: tuple[Ingredients, ...], moments: tuple[Moments, ...] = MOMENTS) -> Variants:
    """Every distinct choice of ingredients with every form of Lemma B."""
    return Variants(tuple(each.descent(name, form) for form in moments for each in dict.fromkeys(ingredients)))
