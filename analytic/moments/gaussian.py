r"""Hessian estimators that draw Gaussian directions: their mean and variance, from a few expectations of the loss.

For directions :math:`u \sim N(0, I)` and the smoothed loss :math:`l_\nu(w) = E\,l(w + \nu u)` put

.. math:: D(u) = [\nabla l(w + \nu u) - \nabla l(w)]/\nu, \qquad
          \delta(u) = [l(w + \nu u) + l(w - \nu u) - 2 l(w)]/(2\nu^2).

The estimators are averages over Q independent directions of

* ``ggs``: :math:`D(u) u^T`, where each direction may evaluate the gradient on fresh batches of size D at both points;
* ``zo``: :math:`\delta(u)\, u u^T`;
* ``zo_stein``: :math:`\delta(u) (u u^T - I)`.

Means
-----
Integration by parts (Stein): :math:`E[f(u)u] = E\nabla f(u)`, and twice, :math:`E[f(u)(uu^T - I)] = E\nabla^2 f(u)`.
Hence :math:`E[D u^T] = \nabla^2 l_\nu(w)`. For :math:`\delta`, u and -u have one law, so :math:`E[\delta (uu^T - I)]
= \nu^{-2} E[(l(w + \nu u) - l(w))(uu^T - I)] = \nabla^2 l_\nu(w)` and :math:`E\delta = (l_\nu(w) - l(w))/\nu^2`, the
``excess``. So ``zo`` has mean :math:`\nabla^2 l_\nu + \mathrm{excess}\cdot I`.

Variances
---------
For a symmetric W, one direction X has :math:`E\,\mathrm{tr}(X W X^T) - \mathrm{tr}(EX\,W\,EX^T)`; the average divides
it by Q. :math:`W = vv^T` gives :math:`E\|(\hat H - E\hat H)v\|^2`, :math:`W = I` the Frobenius variance. Here

* ``ggs``: :math:`\mathrm{tr}(XWX^T) = \|D\|^2\, u^T W u`. Fresh batches add to D a noise of mean zero, independent of
  u, with mean square :math:`2\sigma_g^2/(D\nu^2)`, so they add :math:`2\sigma_g^2\,\mathrm{tr}W/(D\nu^2)`; only the
  *variance* of the noise matters, not its law. One batch at w for all Q directions adds as much as Q batches: its
  noise multiplies the mean of the u, and :math:`E\|Q^{-1}\sum_j u_j^Tv\|^2 = \|v\|^2/Q` all the same;
* ``zo``: :math:`\delta^2\, u^TWu\, \|u\|^2`; ``zo_stein``: :math:`\delta^2 (u^TWu\,\|u\|^2 - 2u^TWu + \mathrm{tr}W)`.

Products of quadratic forms
---------------------------
For u ~ N(m, I) the joint cumulant of :math:`u^TB_1u, \dots, u^TB_ku` (B symmetric) is :math:`\mathrm{tr}K/k + m^TKm`
with :math:`K = 2^{k-1}\sum_\pi B_{\pi1}\cdots B_{\pi k}` over all orders (expand :math:`\log E e^{\sum s_iu^TB_iu}`),
and a moment is the sum over set partitions of products of cumulants. The characteristic function follows with a
complex mean: :math:`E[p(u)e^{it^Tu}] = e^{-\|t\|^2/2} E\,p(u + it)`, that is m = it. With m = 0, length and direction
of u are independent, so a factor :math:`\|u\|^{2k}` beside a form of degree n multiplies by
:math:`(d+n)(d+n+2)\cdots(d+n+2k-2)`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from analytic.brief import brief


@dataclass(frozen=True)
class Monomial:
    """``coefficient * prod_i (u' B_i u) * ||u||^(2 power)``."""

    coefficient: float
    forms: tuple[np.ndarray, ...] = ()
    power: int = 0


Polynomial = tuple[Monomial, ...]


@dataclass(frozen=True)
class Smoothing:
    """A loss seen through Gaussian directions at one point: the smoothed loss and the moments of the Hessian
    estimators.

    Attributes
    ----------
    nu : float
        Smoothing radius.
    loss, grad, hess : float, (d,), (d, d)
        ``l_nu(w)``, ``grad l_nu(w)``, ``hess l_nu(w)``.
    excess : float
        ``(l_nu(w) - l(w)) / nu^2``, without cancellation.
    gradient_moment : callable
        Symmetric (d, d) ``W -> E ||D(u)||^2 u'Wu`` with ``D(u) = (grad l(w + nu u) - grad l(w)) / nu``.
    hess_shift, excess_shift : (d, d) array, float, or None
        ``hess l_nu(w) - hess l(w)`` and ``excess - tr(hess l(w))/2``, where known without cancellation.
    curvature_moment : callable
        Polynomial ``p -> E delta(u)^2 p(u)`` with ``delta(u) = (l(w + nu u) + l(w - nu u) - 2 l(w)) / (2 nu^2)``.
    """

    __repr__ = brief

    nu: float
    loss: float
    grad: np.ndarray
    hess: np.ndarray
    excess: float
    gradient_moment: Callable[[np.ndarray], float]
    curvature_moment: Callable[[Polynomial], float]
    hess_shift: np.ndarray | None = None
    excess_shift: float | None = None

    @property
    def dim(self) -> int:
        return len(self.hess)

    @property
    def ggs_mean(self) -> np.ndarray:
        """Mean of the gradient-difference estimator: the smoothed Hessian, (d, d)."""
        return self.hess

    @property
    def zo_stein_mean(self) -> np.ndarray:
        """Mean of the Stein-corrected zeroth-order estimator: the smoothed Hessian, (d, d)."""
        return self.hess

    @property
    def zo_mean(self) -> np.ndarray:
        """Mean of the zeroth-order estimator: the smoothed Hessian plus ``excess`` times the identity, (d, d)."""
        return self.hess + self.excess * np.eye(self.dim)

    def ggs_vector_variance(self, v, directions, sigma_g=0.0, D=1) -> float:
        """``E ||(H - E H) v||^2`` of the gradient-difference estimator.

        Parameters
        ----------
        v : (d,) array
        directions : int
            Number Q of directions.
        sigma_g, D : float, int
            One-sample standard deviation of the gradient and batch size, fresh batches at both points of every
            direction. ``sigma_g=0`` is the finite-sum case, and that of additive noise with one batch for both
            points.
        """
        return self._ggs_variance(np.outer(v, v), directions, sigma_g, D)

    def ggs_frobenius_variance(self, directions, sigma_g=0.0, D=1) -> float:
        """``E ||H - E H||_F^2`` of the gradient-difference estimator; arguments as in `ggs_vector_variance`."""
        return self._ggs_variance(np.eye(self.dim), directions, sigma_g, D)

    def zo_vector_variance(self, v, directions) -> float:
        """``E ||(H - E H) v||^2`` of the zeroth-order estimator of the population loss.

        Also of the sampled loss if one batch serves the three points of a difference and its noise is linear in w.
        """
        return self._zo_variance(np.outer(v, v), directions)

    def zo_frobenius_variance(self, directions) -> float:
        """``E ||H - E H||_F^2`` of the zeroth-order estimator."""
        return self._zo_variance(np.eye(self.dim), directions)

    def zo_stein_vector_variance(self, v, directions) -> float:
        """``E ||(H - E H) v||^2`` of the Stein-corrected zeroth-order estimator."""
        return self._zo_stein_variance(np.outer(v, v), directions)

    def zo_stein_frobenius_variance(self, directions) -> float:
        """``E ||H - E H||_F^2`` of the Stein-corrected zeroth-order estimator."""
        return self._zo_stein_variance(np.eye(self.dim), directions)

    def _ggs_variance(self, weight, directions, sigma_g, D):
        noise = 2 * (sigma_g / self.nu) ** 2 * np.trace(weight) / D
        return _variance(self.gradient_moment(weight) + noise, self.hess, weight, directions)

    def _zo_variance(self, weight, directions):
        square = self.curvature_moment((Monomial(1.0, (weight,), 1),))
        return _variance(square, self.zo_mean, weight, directions)

    def _zo_stein_variance(self, weight, directions):
        square = self.curvature_moment(
            (Monomial(1.0, (weight,), 1), Monomial(-2.0, (weight,)), Monomial(np.trace(weight)))
        )
        return _variance(square, self.hess, weight, directions)


def _variance(second_moment, mean, weight, directions):
    return (second_moment - np.sum((mean @ weight) * mean)) / directions


def form_moment(monomial: Monomial, dim: int) -> float:
    """``E p(u)`` of one monomial for u ~ N(0, I_dim)."""
    degree = 2 * len(monomial.forms)
    radial = math.prod(dim + degree + 2 * k for k in range(monomial.power))
    return radial * sum(term.constant for term in fourier(monomial) if not term.forms)


@dataclass(frozen=True)
class FourierTerm:
    """``constant * prod_K (-t'Kt)``: a term of the polynomial that multiplies ``exp(-||t||^2/2)``."""

    constant: float
    forms: tuple[np.ndarray, ...]


def fourier(monomial: Monomial) -> list[FourierTerm]:
    """Terms of P in ``E[p(u) exp(i t'u)] = exp(-||t||^2/2) P(t)``, leaving out the factor ``||u||^(2 power)``."""
    cumulants = {}
    terms = []
    for partition in _partitions(list(range(len(monomial.forms)))):
        blocks = []
        for block in map(tuple, partition):
            if block not in cumulants:
                cumulants[block] = _cumulant([monomial.forms[i] for i in block])
            blocks.append(cumulants[block])
        expanded = [FourierTerm(monomial.coefficient, ())]
        for constant, form in blocks:
            expanded = [FourierTerm(term.constant * constant, term.forms) for term in expanded] + [
                FourierTerm(term.constant, (*term.forms, form)) for term in expanded
            ]
        terms += expanded
    return terms


def _cumulant(forms):
    """Joint cumulant of quadratic forms at mean m, as the pair (constant, K): ``constant + m'Km``."""
    products = (np.linalg.multi_dot(order) if len(order) > 1 else order[0] for order in permutations(forms))
    form = 2.0 ** (len(forms) - 1) * sum(products)
    return np.trace(form) / len(forms), form


def _partitions(items):
    """All set partitions of a list."""
    if not items:
        yield []
        return
    first, *rest = items
    for partition in _partitions(rest):
        yield [[first], *partition]
        for k, block in enumerate(partition):
            yield [*partition[:k], [first, *block], *partition[k + 1 :]]
