r"""Smoothness of the meta objective and its meta step size (Proposition 1 and Lemma B of arXiv 2002.07836).

Notation: :math:`q = 1 + \alpha L`, :math:`c = q^{2N} - 1`, :math:`\mathcal{L}(w) = E_i l_i(\tilde w_N)`, and
:math:`\nabla\mathcal L_i = P_i \nabla l_i(\tilde w_N)` with
:math:`P_i = \prod_{j<N}(I - \alpha\nabla^2 l_i(\tilde w_j))`, of norm at most :math:`q^N`. Since a gradient step
multiplies a gradient by a matrix of norm at most q, :math:`\|\nabla l_i(\tilde w_N)\| \le q^N\|\nabla l_i(w)\|` and
:math:`\|\tilde w_j - \tilde u_j\| \le q^j\|w - u\|`.

Proposition 1
-------------
Telescoping :math:`P_w - P_u` over its factors, the j-th difference is at most :math:`q^{N-1}\alpha\rho\,q^j\|w-u\|`,
and the sum :math:`\alpha\rho q^{N-1}(1 + q + \dots + q^{N-1})\|w-u\|`. It multiplies :math:`q^N\|\nabla l_i(w)\|`.
The rest is :math:`\|P_u\|\,\|\nabla l_i(\tilde w_N) - \nabla l_i(\tilde u_N)\| \le q^N L q^N\|w-u\|`. So

.. math:: L_w = q^{2N}L + C_L\,E_i\|\nabla l_i(w)\|,\qquad C_L = (\rho/L)\,q^{2N-1}(q^N - 1).

The paper writes :math:`C_L = [q^{N-1}\alpha\rho + (\rho/L)q^N(q^{N-1}-1)]\,q^N`, which is the same number. The
concave quadratic attains :math:`L_w` at every pair of points.

Lemma B
-------
The meta step size is :math:`\beta = 1/(C_\beta Y)` with the estimate
:math:`Y = a + (C_L/B')\sum_i\|\nabla l_i(w; D_L)\|` of :math:`L_w`, :math:`a = q^{2N}L`. Let
:math:`g = E_i\|\nabla l_i(w)\|` and :math:`v = C_L^2(\sigma^2 + \sigma_g^2/D_L)/B'`.

*Mean and variance of Y.* By Jensen :math:`EY \ge L_w`. For the upper side,
:math:`E\|\nabla l_i(w;D_L)\| \le g + \sigma_g/\sqrt{D_L}`, and by Jensen also at most the root of
:math:`E\|\nabla l_i(w;D_L)\|^2 \le g^2 + \sigma^2 + \sigma_g^2/D_L` (the variance of the norms over tasks is at most
:math:`\sigma^2`, because
:math:`E_i\|\nabla l_i\|^2 - (E_i\|\nabla l_i\|)^2 \le E_i\|\nabla l_i\|^2 - \|\nabla l\|^2`). In the same way the
variance of one norm is at most :math:`\sigma^2 + \sigma_g^2/D_L`, so the variance of Y is at most v.

*First moment,* ``sharp``: :math:`E\beta \ge 1/(C_\beta EY)` by Jensen, for any batch sizes.

*Second moment,* ``sharp``: let :math:`f(t) = t^{-2}` (or :math:`t^{-1}`), whose third derivative is negative. Among
laws on :math:`[a,\infty)` with mean :math:`\mu` and variance at most v, :math:`Ef(Y)` is largest for the two-point
law on a and :math:`y = \mu + v/(\mu-a)`: the parabola :math:`\pi` through :math:`(a, f(a))` that touches f at
:math:`y` satisfies :math:`f(t) - \pi(t) = f'''(\eta)(t-a)(t-y)^2/6 \le 0` for :math:`t \ge a`, and is convex, so
:math:`Ef(Y) \le E\pi(Y) \le \pi(\mu) + \tfrac12 \pi'' v`, which is the value of the two-point law. It decreases in
:math:`\mu`: shrinking :math:`Y - a` by a factor lowers mean and variance and raises f. So :math:`\mu = L_w`, with
:math:`\mu - a = C_L g`:

.. math:: C_\beta^2 E\beta^2 \le \frac p{a^2} + \frac{1-p}{y^2},\qquad u = \frac{\sigma^2 + \sigma_g^2/D_L}{B'},\quad
          p = \frac u{u + g^2},\quad y = L_w + C_L\frac ug .

*As stated* (``paper``): with :math:`D_L \ge 64\sigma_g^2C_L^2/a^2` and :math:`B' \ge 4C_L^2\sigma^2/(3a^2)` one has
:math:`EY \le L_w + a/8 \le (9/8)L_w` and :math:`v \le (3/4 + 1/64)a^2 = (49/64)a^2`. So
:math:`C_\beta L_w E\beta \ge 8/9 \ge 4/5`. The two-point values times :math:`L_w` and :math:`L_w^2` are rational
functions of :math:`(L_w-a)/a` whose maxima are 225/176 < 1.28 and 2.1081... < 2.11: so
:math:`C_\beta L_w E\beta \le 1.28` and :math:`C_\beta^2L_w^2E\beta^2 \le 2.11 \le 4`.

*For any batch sizes* (``direct``, since the form of that name of the convergence theorems is what uses it): with
:math:`\hat v = v/a^2 = (C_L/a)^2(\sigma^2 + \sigma_g^2/D_L)/B'`,

.. math:: C_\beta L_wE\beta \ge b_1 = \Big(1 + \frac{C_L\sigma_g}{a\sqrt{D_L}}\Big)^{-1},\quad
          C_\beta L_wE\beta \le b_2 = 1 + \hat v,\quad C_\beta^2L_w^2E\beta^2 \le b_3 = 1 + 3\hat v .

The first is Jensen, :math:`EY \le L_w + C_L\sigma_g/\sqrt{D_L}` and :math:`L_w \ge a`. For the others write
:math:`\mu = EY` and expand exactly,

.. math:: \frac1Y = \frac1\mu - \frac{Y-\mu}{\mu^2} + \frac{(Y-\mu)^2}{\mu^2Y},\qquad
          \frac1{Y^2} = \frac1{\mu^2} - \frac{2(Y-\mu)}{\mu^3} + \frac{(Y-\mu)^2(2Y+\mu)}{\mu^3Y^2};

the quotients with Y decrease in Y and are largest at a, so that
:math:`E\frac1Y \le \frac1\mu(1 + v/(\mu a))` and
:math:`E\frac1{Y^2} \le \frac1{\mu^2}(1 + v(2a+\mu)/(\mu a^2))`; and :math:`\mu \ge L_w \ge a`. Unlike the pointwise
``sharp`` form, :math:`b_1, b_2, b_3` do not depend on w, and they tend to 1 as the batches grow.
"""

import numpy as np
import sympy as sp

from analytic.abbreviations import C_L, CURVATURE, GROWTH, L, N, alpha, q, rho, sigma, sigma_g
from analytic.bound import Condition, Definition, statement
from analytic.functions import Geometric, Least, Quotient
from analytic.vocabulary import symbols

g, C_beta, B_beta, D_beta = symbols("task_grad_norm C_beta B_beta D_beta")
a, L_w, y, p, u = sp.symbols("a L_w y p u", nonnegative=True)

FLOOR = Definition(a, q ** (2 * N) * L)
"""a: smallest value that the estimate of the smoothness can take."""

SMOOTHNESS = Definition(L_w, a + C_L * g)
"""L_w: smoothness of the meta objective at w."""

_NORM_ABOVE = Least(g + sigma_g / sp.sqrt(D_beta), sp.sqrt(g**2 + sigma**2 + sigma_g**2 / D_beta))
_TWO_POINT_LAW = (
    Definition(u, (sigma**2 + sigma_g**2 / D_beta) / B_beta),
    Definition(p, Quotient(u, u + g**2)),
    Definition(y, L_w + Quotient(C_L * u, g)),
)

BATCH_CONDITIONS = (
    Condition("D_beta a^2 >= 64 sigma_g^2 C_L^2 (Lemma B)", D_beta * a**2 >= 64 * sigma_g**2 * C_L**2),
    Condition("B_beta a^2 >= 4/3 sigma^2 C_L^2 (Lemma B)", B_beta * a**2 >= sp.Rational(4, 3) * sigma**2 * C_L**2),
)
"""Batch sizes for the estimate of the meta step size that Lemma B asks for."""

PAPER_MOMENTS = (sp.Rational(4, 5), sp.Integer(2), sp.Integer(4))
"""Lemma B as stated: C_beta L_w E beta lies between the first two, C_beta^2 L_w^2 E beta^2 is at most the third."""

SHARP_MOMENTS = (sp.Rational(8, 9), sp.Rational(32, 25), sp.Rational(211, 100))
"""The same from the proof above, under the same batch sizes."""

v_hat = sp.Symbol("v", nonnegative=True)

ESTIMATE_VARIANCE = Definition(v_hat, Quotient(C_L, a) ** 2 * (sigma**2 + sigma_g**2 / D_beta) / B_beta)
"""v: variance of the estimate of the smoothness, relative to a^2."""

ANY_BATCH_MOMENTS = (1 / (1 + Quotient(C_L, a) * sigma_g / sp.sqrt(D_beta)), 1 + v_hat, 1 + 3 * v_hat)
"""Lemma B for any batch sizes: C_beta L_w E beta lies between the first two, the third bounds the second moment."""

_HERE = "docstring of analytic.smoothness"
_PAPER = "arXiv 2002.07836, Appendix"
_BETA = (GROWTH, CURVATURE, FLOOR, SMOOTHNESS)

STATEMENTS = (
    statement(
        "prop1",
        title="Smoothness of the meta objective",
        quantity="||grad calL(w) - grad calL(u)|| / ||w - u||, for every u",
        quantity_latex=r"\|\nabla\mathcal{L}(w) - \nabla\mathcal{L}(u)\| / \|w - u\|",
        source="Proposition 1",
        remarks="task_grad_norm is taken at w, or at u if it is smaller there. The two forms are equal.",
        paper={
            "formula": L_w,
            "where": (
                GROWTH,
                Definition(C_L, (q ** (N - 1) * alpha * rho + alpha * rho * q**N * Geometric(q, N - 1)) * q**N),
                FLOOR,
                SMOOTHNESS,
            ),
            "proof": _PAPER,
        },
        sharp={"formula": L_w, "where": _BETA, "proof": _HERE},
    ),
    statement(
        "lemma-b-first",
        title="First moment of the meta step size",
        quantity="E beta",
        quantity_latex=r"E\beta",
        source="Lemma B, first inequality",
        sense=">=",
        paper={
            "formula": 4 / (5 * C_beta * L_w),
            "where": _BETA,
            "conditions": BATCH_CONDITIONS,
            "proof": _PAPER,
        },
        sharp={"formula": 1 / (C_beta * (a + C_L * _NORM_ABOVE)), "where": (GROWTH, CURVATURE, FLOOR), "proof": _HERE},
        direct={"formula": ANY_BATCH_MOMENTS[0] / (C_beta * L_w), "where": _BETA, "proof": _HERE},
    ),
    statement(
        "lemma-b-second",
        title="Second moment of the meta step size",
        quantity="E beta^2",
        quantity_latex=r"E\beta^2",
        source="Lemma B, second inequality",
        paper={
            "formula": 4 / (C_beta * L_w) ** 2,
            "where": _BETA,
            "conditions": BATCH_CONDITIONS,
            "proof": _PAPER,
        },
        sharp={
            "formula": (Quotient(p, a**2) + Quotient(1 - p, y**2)) / C_beta**2,
            "where": (*_BETA, *_TWO_POINT_LAW),
            "proof": _HERE,
        },
        direct={
            "formula": ANY_BATCH_MOMENTS[2] / (C_beta * L_w) ** 2,
            "where": (*_BETA, ESTIMATE_VARIANCE),
            "proof": _HERE,
        },
    ),
)


def two_point_law(mean, variance, floor):
    """The law on ``[floor, inf)`` of given mean and variance that has an atom at ``floor``.

    Returns
    -------
    atom, weight : ndarray
        The other atom, and the probability of ``floor``. The variance must be 0 where the mean equals the floor.
    """
    mean, variance, floor = (np.asarray(x, dtype=float) for x in (mean, variance, floor))
    distance = mean - floor
    safe = np.where(distance > 0, distance, 1.0)
    atom = np.where(distance > 0, mean + variance / safe, mean)
    weight = np.where(variance > 0, variance / np.where(variance > 0, variance + distance**2, 1.0), 0.0)
    return atom, weight


def inverse_moment(mean, variance, floor, power=2):
    """Largest ``E Y^(-power)`` over laws on ``[floor, inf)`` with the given mean and at most the given variance."""
    atom, weight = two_point_law(mean, variance, floor)
    return weight * np.asarray(floor, dtype=float) ** -power + (1 - weight) * atom**-power
