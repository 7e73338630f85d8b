r"""What a Hessian estimator does to one factor :math:`I - \alpha\hat H` of the meta gradient.

The estimate :math:`\hat G = \prod_{j<N}(I - \alpha\hat H_j(w_j))\,\nabla l(w_N; T)` uses fresh samples and directions
in every factor. Two numbers say all that `analytic.meta_gradient` needs to know of the estimator:

- :math:`A` with :math:`E\|(I-\alpha\hat H)v\|^2 \le A\|v\|^2` for every fixed v: with
  :math:`\|E(I - \alpha\hat H)\| \le q_0` and the variance V on a unit vector, :math:`A = q_0^2 + \alpha^2V`;
- the *excess* x: along any path, replacing the mean of every estimate by the Hessian changes the mean of the product,
  applied to a vector v, by at most :math:`x\|v\|`. If :math:`\|E\hat H - \nabla^2l\| \le h` everywhere, telescope over
  the factors, those on the left with the true Hessian, those on the right with the mean of the estimator:
  :math:`x = \alpha h\sum_jq^jq_0^{N-1-j}`.

The vector is the final gradient, of mean norm at most :math:`q^Ng + Ls_N`, :math:`g = \|\nabla l(w)\|`.

- *Sampled Hessians:* :math:`q_0 = q`, :math:`V = \sigma_H^2/D`, no excess.
- *Gaussian smoothing* (`analytic.gaussian_smoothing`): :math:`E\hat H = \nabla^2l_\nu` is a mean of Hessians, so
  :math:`q_0 = q`, :math:`x = N\alpha hq^{N-1}`, with :math:`h = \rho\nu\sqrt d` (``paper``),
  :math:`\rho\nu E\|u\|` (``sharp``), the smaller of that and 2L (``refined``) or :math:`\tau\nu^2d/2` (``smooth``).
  With the same data at both points V has no noise term.
- *Zeroth order* (`analytic.zeroth_order`): :math:`\|E\hat H\| \le L(1+d/2)`, so
  :math:`q_0 = q_z = 1+\alpha L(1+d/2)`; :math:`E\hat H - \nabla^2l` is
  :math:`\nabla^2l_\nu - \nabla^2l` plus a multiple of I of at most :math:`Ld/2`, so
  :math:`x = \alpha(h+Ld/2)\sum_jq^jq_z^{N-1-j} = \frac{h+Ld/2}{Ld/2}(q_z^N-q^N)`; :math:`V = L^2(d+2)(d+4)(d+6)/(4Q)`.
  Losses are exact.
- *Zeroth order, Stein-corrected:* as Gaussian smoothing, with :math:`V = L^2(d+2)[(d+4)^2+d]/(4Q)`.
- *Stated:* an estimator of anybody's, with :math:`\|E\hat H - \nabla^2l\| \le h` and the variance V given as numbers:
  :math:`q_0 = q + \alpha h`, and as :math:`q_0 - q = \alpha h` the sum is :math:`x = q_0^N - q^N`.
- *First order:* :math:`\hat H = 0`, so :math:`q_0 = A = 1`, :math:`h = L`, and :math:`x = \alpha L\sum_jq^j = q^N - 1`.
"""

from dataclasses import dataclass

import numpy as np
import sympy as sp

from analytic.abbreviations import L, N, alpha, q, rho
from analytic.arguments import known
from analytic.bound import Definition
from analytic.functions import Geometric, Least, NormMoment
from analytic.gaussian_smoothing import NOISE, REFINED_VECTOR, VECTOR
from analytic.vocabulary import symbols
from analytic.zeroth_order import STEIN_VECTOR, ZEROTH_ORDER_VECTOR

d, nu, tau, sigma_H, D = symbols("dim nu tau sigma_H D")
A, q_z = sp.symbols("A q_z", positive=True)
V, h_nu = sp.symbols("V h_nu", nonnegative=True)


@dataclass(frozen=True)
class Factor:
    """The two numbers of an estimator: ``where`` defines A, ``excess`` is x."""

    where: tuple[Definition, ...]
    excess: sp.Expr = sp.S.Zero


SAMPLED = Factor((Definition(A, q**2 + alpha**2 * sigma_H**2 / D),))
FIRST_ORDER = Factor((Definition(A, sp.S.One),), q**N - 1)

bias, variance = symbols("hessian_bias hessian_variance")
STATED = Factor(
    (Definition(A, (q + alpha * bias) ** 2 + alpha**2 * variance),),
    (q + alpha * bias) ** N - q**N,
)

_HESSIAN = Least(2 * L, rho * nu * NormMoment(1, d))
RADIUS = {
    "paper": rho * nu * sp.sqrt(d),
    "sharp": rho * nu * NormMoment(1, d),
    "smooth": Least(rho * nu * NormMoment(1, d), tau * nu**2 * d / 2),
    "refined": _HESSIAN,
    "refined smooth": Least(_HESSIAN, tau * nu**2 * d / 2),
}
"""How far the smoothed Hessian may be from the Hessian, h."""

_ON_PAR = N * alpha * h_nu * q ** (N - 1)


def _factor(variance, radius, mean=q, excess=_ON_PAR, where=()) -> Factor:
    stated = (Definition(V, variance), Definition(h_nu, RADIUS[radius]), *where)
    return Factor((*stated, Definition(A, mean**2 + alpha**2 * V)), excess)


def smoothed(form: str, fresh: bool = True) -> Factor:
    """Gaussian smoothing, by form of h; data are fresh at each of the two points, or the same."""
    refined = form.startswith("refined")
    return _factor((REFINED_VECTOR if refined else VECTOR) + (NOISE if fresh else 0), form)


def zeroth_order(form: str) -> Factor:
    """The zeroth-order estimator on exact losses, by form of h."""
    excess = alpha * (h_nu + L * d / 2) * q ** (N - 1) * Geometric(q_z / q, N)
    return _factor(ZEROTH_ORDER_VECTOR, form, q_z, excess, (Definition(q_z, 1 + alpha * L * (1 + d / 2)),))


def stein(form: str) -> Factor:
    """The Stein-corrected zeroth-order estimator on exact losses, by form of h."""
    return _factor(STEIN_VECTOR, form)


def factors_of(estimator: str, forms: tuple[str, ...], sampled: Factor = SAMPLED, fresh: bool = True):
    """The factor of a kind of Hessian estimator for each form; the paper knows the first two kinds.

    Parameters
    ----------
    sampled : Factor
        That of sampled Hessians, the kind ``"sampled"``.
    fresh : bool
        As in `smoothed`.

    Raises
    ------
    ValueError
        If the kind is unknown; lists those there are.
    """
    radius = {"paper": "paper", "sharp": "sharp", "local": "sharp", "smooth": "smooth"}
    own = tuple(form for form in forms if form != "paper")
    kinds = {
        "sampled": lambda: dict.fromkeys(forms, sampled),
        "gaussian-smoothing": lambda: {form: smoothed(radius.get(form, "refined"), fresh) for form in forms},
        "zeroth-order": lambda: {form: zeroth_order(radius.get(form, "refined")) for form in own},
        "zeroth-order-stein": lambda: {form: stein(radius.get(form, "refined")) for form in own},
        "first-order": lambda: dict.fromkeys(own, FIRST_ORDER),
        "stated": lambda: dict.fromkeys(own, STATED),
    }
    return kinds[known("Hessian estimator", estimator, kinds)]()


def sufficient_directions(alpha, steps, L, dim, growth):
    """Directions of Gaussian smoothing at which ``(A/q^2)^N <= growth``, losses without noise: no need for d log d.

    ``(A/q^2)^N <= exp(N alpha^2 V)`` with ``V = L^2(d+2)/Q``, so ``N (alpha L)^2 (d+2)/log(growth)`` are enough, and at
    ``alpha = 1/(8NL)`` this is ``(d+2)/(64 N log(growth))``: the number falls as the inner loop gets longer.

    Raises
    ------
    ValueError
        If ``growth <= 1``: random directions always add to the second moment.
    """
    if np.any(np.asarray(growth) <= 1):
        raise ValueError(f"growth = {growth}: must be > 1")
    least = np.asarray(steps) * np.multiply(alpha, L) ** 2 * (np.asarray(dim) + 2) / np.log(growth)
    return np.maximum(np.ceil(least), 1)
