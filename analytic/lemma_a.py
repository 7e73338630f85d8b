r"""Lemma A: the task gradients at w, from the meta gradient (arXiv 2002.07836).

Notation: :math:`q = 1 + \alpha L`, :math:`c = q^{2N} - 1`, :math:`\nabla\mathcal L_i = P_i \nabla l_i(\tilde w_N)` with
:math:`P_i = \prod_{j<N}(I - \alpha\nabla^2 l_i(\tilde w_j))`.

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

Form ``cone``
-------------
The triangle inequality lets every factor push in the direction that harms most, which no path can do: what turns a
vector cannot at the same time shorten it. Let :math:`a = \alpha L`, :math:`n = 2N`, :math:`\phi = \arcsin a`,
:math:`\omega = n\phi`, and assume :math:`\omega < \pi/2` in place of :math:`q^{2N} < 2`: a step size up to 2.3 times
as large. With :math:`\mu = (1-a^2)^N/\cos\omega \ge 1`,

.. math:: \|\nabla\mathcal L_i(w) - \mu\nabla l_i(w)\| \le \mu\sin\omega\,\|\nabla l_i(w)\| .

*Proof.* :math:`\nabla\mathcal L_i` is a product of n factors :math:`I - X_k`, :math:`\|X_k\| \le a`, applied to
:math:`\nabla l_i(w)`; let x be the direction of the latter and its norm 1. Represent a vector y by the complex number
:math:`z = \langle y,x\rangle + i\|y_\perp\|`, where :math:`y_\perp` is the part of y across x. Vectors at a
distance r have numbers at a distance of at most r, so a factor moves z by at most :math:`a|z|`, and
:math:`z_n = \prod(1+\zeta_k)`, :math:`|\zeta_k| \le a`. With :math:`b = \sqrt{1-a^2} = \cos\phi`, squaring
:math:`|\zeta| \le a` shows that :math:`\log(1+\zeta) - \log b` ranges over the
:math:`u + i\psi` with :math:`\cos\psi \ge b\cosh u`. This set is convex, because
:math:`\log\cos\psi - \log\cosh u` is concave; so a sum of n such logarithms is n times one of its points, and
:math:`z_n = b^ne^{n(u+i\psi)}`. On the boundary :math:`F(u) = \log\cos n\psi - \log\cosh nu` has
:math:`F'(u) = n[\tan(n\psi)\tanh(u)/\tan\psi - \tanh nu] \ge 0` for :math:`u \ge 0`, as
:math:`\tan n\psi \ge n\tan\psi` and :math:`\tanh nu \le n\tanh u`; it is even, and
:math:`F(0) = \log\cos\omega`. Hence
:math:`\cos n\psi \ge \cos\omega\cosh nu` on the whole set, which when multiplied out is
:math:`|z_n - \mu| \le \mu\sin\omega`, and :math:`|z_n-\mu|` is the distance of the vectors. :math:`\blacksquare`

Averaged over tasks: :math:`x \le G/\mu + \sin\omega\,E_i\|\nabla l_i(w)\|`. So whatever was derived from c holds with
:math:`\sin\omega` for c and :math:`G/\mu` for G, and is smaller: :math:`\sin n\phi \le n\sin\phi \le q^n - 1 = c`, and
:math:`\mu \ge 1` as :math:`\log\cos` is concave. At a stationary point of the meta objective
:math:`x \le \sigma\tan\omega` and :math:`\gamma \le \sigma/\cos\omega`; in general
:math:`\gamma \le G/(\mu(1-\sin\omega)) + \sigma/\cos\omega`.

The inclusion is attained: a symmetric matrix of norm a takes y to any vector of norm :math:`a\|y\|`, so each factor can
turn by :math:`\phi` in the same sense and shorten by b, which ends at :math:`z_n = b^ne^{i\omega}`, on the boundary.

How near losses come, up to the limit :math:`\omega = \pi/2`. The Hessians *at* the points of the path are as free as
the factors above: near a point p with Hessian A replace l by :math:`l + \frac12z^TDz\,\chi(\log(|z|/r)/K)`,
:math:`z = w-p`, :math:`\chi` falling from 1 to 0. The gradient at p stays, the Hessian there becomes A + D, and around
it is a mixture :math:`A + \chi D` up to :math:`O(\|D\|/K)`: with A and A + D of norm at most L, so are all to first
order, however small the ball :math:`re^K`. So take two tasks that mirror each other in the plane, each a quadratic with
eigenvalues L and -L whose N steps turn the gradient by :math:`\theta = \arctan\sinh(N\operatorname{artanh}a)`, the most
they can, with Hessians at the N points that turn it by :math:`\phi` each, in the same sense. With the gradient at w at
the angle :math:`\pi/2 - \theta - N\phi` to the axis of symmetry the meta gradient is 0, and
:math:`x = \sigma\tan(\theta + N\phi)` against the bound :math:`\sigma\tan2N\phi`. For N = 1 these are equal: *the cone
form is attained for every* :math:`\alpha L`, and no bound can be without its pole. For N from 2 to 8 the ratio is 0.98
at half of the largest :math:`\alpha L`, 0.75 to 0.80 at 0.9 of it, 0.32 to 0.39 at 0.98. (Quadratics alone: 0.87, 0.31
to 0.41, 0.07 to 0.11.) The rest is that no loss turns the gradients of a path of two or more steps by :math:`\phi` each
(`maml_bench.extremal.estimation`). With the same losses for support and target all of this holds for the finite-sum
form.

Only the heterogeneity *at w* enters all forms: :math:`\sigma` may be the constant of Assumption 2 or that at the point.
"""

import sympy as sp

from analytic.abbreviations import CONE, CONE_CONDITION, EXCESS, GROWTH, STEP_CONDITION, G, c, cone_lemma, mu, sigma
from analytic.bound import statement

_HERE = "docstring of analytic.lemma_a"
_PAPER = "arXiv 2002.07836, Appendix"

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
        cone={"formula": cone_lemma(G / mu)[0], "where": CONE, "conditions": (CONE_CONDITION,), "proof": _HERE},
    ),
    statement(
        "lemma-a-tasks",
        title="The task gradients, from the meta gradient",
        quantity="E_i ||grad l_i(w)||",
        quantity_latex=r"E_i\|\nabla l_i(w)\|",
        source="Lemma A, consequence",
        remarks="The forms sharp and cone also bound the root mean square over tasks.",
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
        cone={"formula": cone_lemma(G / mu)[1], "where": CONE, "conditions": (CONE_CONDITION,), "proof": _HERE},
    ),
)
