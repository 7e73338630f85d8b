r"""Smoothness of the meta objective, its meta step size, and Lemma A (Proposition 1 of arXiv 2002.07836).

Notation: :math:`q = 1 + \alpha L`, :math:`c = q^{2N} - 1`, :math:`\mathcal{L}(w) = E_i l_i(\tilde w_N)`, and
:math:`\nabla\mathcal L_i = P_i \nabla l_i(\tilde w_N)` with
:math:`P_i = \prod_{j<N}(I - \alpha\nabla^2 l_i(\tilde w_j))`, of norm at most :math:`q^N`. Since a gradient step
multiplies a gradient by a matrix of norm at most q, :math:`\|\nabla l_i(\tilde w_N)\| \le q^N\|\nabla l_i(w)\|` and
:math:`\|\tilde w_j - \tilde u_j\| \le q^j\|w - u\|`.

Lemma A
-------
How far can the task gradients at w exceed the meta gradient :math:`G = \|\nabla\mathcal{L}(w)\|`?
:math:`\nabla l_i(\tilde w_N)` is a product of N matrices :math:`I - \alpha\bar H`, :math:`\|\bar H\| \le L`, applied to
:math:`\nabla l_i(w)`; with :math:`P_i` there are 2N such factors, so
:math:`\|\nabla\mathcal L_i(w) - \nabla l_i(w)\| \le c\,\|\nabla l_i(w)\|`. Put :math:`x = \|\nabla l(w)\|`. Then
:math:`x \le G + c\,E_i\|\nabla l_i(w)\|`.

*As stated* (``paper``): :math:`E_i\|\nabla l_i(w)\| \le x + \sigma` gives :math:`x \le (G + c\sigma)/(1-c)` and
:math:`E_i\|\nabla l_i(w)\| \le \Gamma = (G+\sigma)/(1-c)`.

*``sharp``.* The task gradients have mean of norm x and variance at most :math:`\sigma^2`, so by Jensen
:math:`(E_i\|\nabla l_i\|)^2 \le E_i\|\nabla l_i\|^2 \le x^2 + \sigma^2`. Hence
:math:`x - G \le c\sqrt{x^2+\sigma^2}`. As c < 1, the left side less the right one increases in x, so x is at most the
root of equality,

.. math:: x \le \frac{G + cR}{1 - c^2},\quad R = \sqrt{G^2 + (1-c^2)\sigma^2},\qquad
          E_i\|\nabla l_i\| \le \gamma = \sqrt{x^2 + \sigma^2} = \frac{cG + R}{1 - c^2},

and the same :math:`\gamma` bounds the root mean square. At a stationary point of the meta objective the first gain is
:math:`\sqrt{(1+c)/(1-c)}`. Since :math:`R \le G + \sqrt{1-c^2}\,\sigma`, also
:math:`\gamma \le G/(1-c) + \sigma/\sqrt{1-c^2}`, and since R and G are at most :math:`\sqrt{G^2+\sigma^2}`,
:math:`\gamma \le \sqrt{G^2+\sigma^2}/(1-c)`: what Theorem 1 uses. For one task (:math:`\sigma = 0`) the concave
quadratic :math:`-(L/2)\|w\|^2` has :math:`G = q^{2N}x`, no equality, as the direction of the change is then
favourable.

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
"""

import numpy as np
import sympy as sp

from analytic.abbreviations import (
    C_L,
    CURVATURE,
    EXCESS,
    GROWTH,
    STEP_CONDITION,
    G,
    L,
    N,
    alpha,
    c,
    q,
    rho,
    sigma,
    sigma_g,
)
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
    Condition("D_beta >= 64 sigma_g^2 C_L^2/a^2 (Lemma B)", D_beta * a**2 >= 64 * sigma_g**2 * C_L**2),
    Condition("B_beta >= 4 C_L^2 sigma^2/(3 a^2) (Lemma B)", B_beta * a**2 >= sp.Rational(4, 3) * sigma**2 * C_L**2),
)
"""Batch sizes for the estimate of the meta step size that Lemma B asks for."""

_HERE = "docstring of analytic.smoothness"
_PAPER = "arXiv 2002.07836, Appendix"
_BETA = (GROWTH, CURVATURE, FLOOR, SMOOTHNESS)

STATEMENTS = (
    statement(
        "lemma-a",
        title="The gradient of the mean task loss, from the meta gradient",
        quantity="||grad l(w)||, the norm of the mean over tasks of the task gradient",
        quantity_latex=r"\|\nabla l(w)\|",
        source="Lemma A",
        paper={
            "formula": (G + c * sigma) / (1 - c),
            "where": (GROWTH, EXCESS),
            "conditions": (STEP_CONDITION,),
            "proof": _PAPER,
        },
        sharp={
            "formula": (G + c * sp.sqrt(G**2 + ((1 - c) * (1 + c)) * sigma**2)) / ((1 - c) * (1 + c)),
            "where": (GROWTH, EXCESS),
            "conditions": (STEP_CONDITION,),
            "proof": _HERE,
        },
    ),
    statement(
        "lemma-a-tasks",
        title="The task gradients, from the meta gradient",
        quantity="E_i ||grad l_i(w)||",
        quantity_latex=r"E_i\|\nabla l_i(w)\|",
        source="Lemma A, consequence",
        remarks="The sharp form also bounds the root mean square over tasks.",
        paper={
            "formula": (G + sigma) / (1 - c),
            "where": (GROWTH, EXCESS),
            "conditions": (STEP_CONDITION,),
            "proof": _PAPER,
        },
        sharp={
            "formula": (c * G + sp.sqrt(G**2 + ((1 - c) * (1 + c)) * sigma**2)) / ((1 - c) * (1 + c)),
            "where": (GROWTH, EXCESS),
            "conditions": (STEP_CONDITION,),
            "proof": _HERE,
        },
    ),
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
