r"""Replicates with a ceiling for the Hessian estimators: directions drawn from laws tilted by what bounds a replicate.

See `maml_bench.montecarlo.tilted`. The tasks are L-smooth with Hessian Lipschitz constants :math:`\rho` and, of the
third derivative, :math:`\tau`, everywhere; data are population values. One direction u makes the matrix

* of ``gaussian-smoothing``: :math:`s\,u^T` with :math:`s = [\nabla l(w+\nu u) - \nabla l(w)]/\nu`, :math:`\|s\| \le
  L\|u\|`;
* of ``zeroth-order``: :math:`c\,uu^T`, or :math:`c\,(uu^T - I)` with Stein's correction, :math:`c = [l(w+\nu u) +
  l(w-\nu u) - 2l(w)]/(2\nu^2)`, :math:`|c| \le \frac L2\|u\|^2`.

Variances are in `variance_envelopes`.

*Means.* The `residual` takes out the quadratic at w, with the Hessian H. By Taylor, the odd orders cancelling,

.. math:: \|\tfrac12(s(u) - s(-u)) - Hu\| \le \tfrac{\rho\nu}2\|u\|^2,\ \tfrac{\tau\nu^2}6\|u\|^3,\ 2L\|u\|; \qquad
          |c - \tfrac12u^THu| \le \tfrac{\rho\nu}6\|u\|^3,\ \tfrac{\tau\nu^2}{24}\|u\|^4,\ L\|u\|^2 ,

whichever has the smallest mean after multiplication with the norm of u, of :math:`uu^T` or of :math:`uu^T - I` (at
most :math:`\|u\|^2 + 1`, or :math:`\|u\|^2 + \sqrt d` in the Frobenius norm).

*Products.* :math:`\|\prod_j(A_j - \alpha R_j)\| \le \prod_j(\|A_j\| + \alpha g(u_j))` for residuals
:math:`\|R_j\| \le g(u_j)`: an envelope with independent factors, each tilted by itself.
"""

import math
from dataclasses import replace

import numpy as np

from maml_bench.adaptation import exact_path
from maml_bench.arrays import matvec
from maml_bench.capabilities import kind
from maml_bench.claims.claim import by_cell
from maml_bench.claims.hessian_draws import (
    cells,
    directional,
    known_mean,
    matrix,
    residual_along,
)
from maml_bench.hessians import DirectionMean
from maml_bench.montecarlo.matrices import Dyads
from maml_bench.montecarlo.rows import squares, stretch
from maml_bench.montecarlo.tilted import Capped, Envelope, Term, bounded, factors, independent
from maml_bench.setting import Setting, single, smoothed

EPS = 8 * np.finfo(float).eps
"""A loss or a gradient is right to some units in the last place of what it is made of; three make a difference."""


def provable(setting: Setting) -> bool:
    """Whether the proofs above are about the setting's estimator and tasks: an estimator that draws in a way of its own
    is drawn in that way, without a ceiling.
    """
    return directional(setting) and math.isinf(setting.tasks.regularity.radius)


def of_gradients(setting: Setting) -> bool:
    """Whether the estimator takes differences of gradients, not of losses."""
    return kind(setting.hessian) == "gaussian-smoothing"


def corrected(setting: Setting) -> bool:
    """Whether Stein's correction is made."""
    return kind(setting.hessian) == "zeroth-order-stein"


def residual_terms(setting: Setting, spectral: bool = True) -> tuple[Term, ...]:
    """The envelope of the norm of one direction's `residual`, spectral or Frobenius."""
    dim, orders = setting.tasks.dim, remainder_orders(setting)
    if of_gradients(setting):
        offers: list[tuple[Term, ...]] = [(Term(factor, power + 1),) for factor, power in orders]
    else:
        identity = (1.0 if spectral else math.sqrt(dim)) if corrected(setting) else 0.0
        offers = [
            (Term(factor, power + 2), *((Term(factor * identity, power),) if identity else ()))
            for factor, power in orders
        ]
    return min(offers, key=lambda terms: _mean(terms, dim))


def remainder_orders(setting: Setting) -> list[tuple[float, int]]:
    """Bounds ``factor * ||u||^power`` of a difference less that of the quadratic at w: of gradients (the mean along u
    and -u), or of losses.
    """
    regularity, nu = setting.tasks.regularity, smoothed(setting).nu
    rho, tau, L = regularity.rho * nu, regularity.tau * nu**2, regularity.L
    slopes, curvatures = ((rho / 2, 2), (tau / 6, 3), (2 * L, 1)), ((rho / 6, 3), (tau / 24, 4), (L, 2))
    return [order for order in (slopes if of_gradients(setting) else curvatures) if math.isfinite(order[0])]


def _mean(terms, dim):
    return sum(term.mean(dim) for term in terms)


def excesses(setting: Setting) -> Capped | None:
    """Replicates (1 entry) with the mean of a second difference less ``tr(Hess l(w)) / 2``."""
    if not provable(setting):
        return None
    dim = setting.tasks.dim
    offers = [(Term(*order),) for order in remainder_orders(setting)]
    envelope = Envelope(dim, min(offers, key=lambda terms: _mean(terms, dim)))

    def draw(rng, replicates):
        u, G = envelope.draw(rng, (replicates, *setting.tasks.batch_shape))
        found = residual_along(setting, setting.w, u)
        square = np.vecdot(u[0], u[0])
        X = np.vecdot(found.left[0], u[0]) / square

        def rounding():
            return wobble(setting, setting.w, u)[0] / np.sqrt(square)

        return by_cell(bounded(X, np.abs(X), G, envelope.mean, rounding)[..., None], 1)

    return Capped(draw, np.full(cells(setting), envelope.mean))


def residual_size(found: DirectionMean, spectral: bool) -> np.ndarray:
    """The norm of ``left right' - shift I`` for one direction, left along right where there is a shift."""
    left, right = found.left[0], found.right[0]
    product = np.sqrt(squares(left) * squares(right))
    shift = np.asarray(found.shift)
    if not shift.any():
        return product
    signed, shift = np.vecdot(left, right), shift[..., 0]  # the one eigenvalue that is not 0; minus shift, d times
    dim = right.shape[-1]
    if spectral:
        return np.maximum(np.abs(signed - shift), np.abs(shift) if dim > 1 else 0.0)
    return np.sqrt((signed - shift) ** 2 + (dim - 1) * shift**2)


def deviations(
    setting: Setting,
    known: np.ndarray | float = 0.0,
    spectral: bool = True,
    slope: np.ndarray | None = None,
) -> Capped | None:
    """Replicates (d, d) with the mean ``E H^ - known_mean + known``.

    Parameters
    ----------
    known : array (*batch_shape, d, d)
    spectral : bool
        The norm that the ceiling is for.
    slope : array (*batch_shape, d, d), optional
        Of gradient differences, a fixed B: ``B + (r - B u) u'`` has the mean of ``r u'`` for a residual r. The envelope
        grows by ``||B|| ||u||^2``.
    """
    if not provable(setting):
        return None
    terms = residual_terms(setting, spectral)
    if slope is not None:
        terms = (*terms, Term(float(np.linalg.norm(slope, 2, axis=(-2, -1)).max()), 2))
        known = known + slope
    envelope = Envelope(setting.tasks.dim, terms)
    shift = np.broadcast_to(known, (*setting.tasks.batch_shape, setting.tasks.dim, setting.tasks.dim))

    def draw(rng, replicates):
        u, G = envelope.draw(rng, (replicates, *setting.tasks.batch_shape))
        found = _scaled(setting, setting.w, u, G, envelope.mean, spectral, slope)
        if np.any(found.shift):
            return by_cell(matrix(found) + shift, 2)
        return Dyads(by_cell(found.left[0], 1), by_cell(found.right[0], 1), shift.reshape(-1, *shift.shape[-2:]))

    own = np.linalg.norm(shift, 2 if spectral else "fro", axis=(-2, -1)).reshape(-1)
    return Capped(draw, own * (1 + 1e-12) + envelope.mean)


def _scaled(setting, w, u, G, ceiling, spectral=True, slope=None):
    """The residual for one direction, less ``slope u u'``, times ceiling / G."""
    found = residual_along(setting, w, u)
    if slope is not None:
        found = DirectionMean(found.left - matvec(slope, found.right), found.right)

    def rounding():
        identity = 1.0 if spectral else math.sqrt(setting.tasks.dim)
        return wobble(setting, w, u)[0] * np.linalg.norm(u[0], axis=-1) + identity * stein_wobble(setting, w, u)[0]

    factor = factors(residual_size(found, spectral), G, ceiling, rounding)
    stretch(found.left[0], factor)
    return replace(found, shift=found.shift * factor[..., None]) if np.any(found.shift) else found


def products(setting: Setting) -> Capped | None:
    """Replicates (d, d) with the mean ``E prod_j (I - alpha H^(w_j))`` along the exact path."""
    if not provable(setting):
        return None
    alpha, dim, terms = setting.inner.alpha, setting.tasks.dim, residual_terms(setting)
    path = exact_path(single(setting), setting.w, alpha, setting.inner.steps)[:-1]
    factors = [np.eye(dim) - alpha * known_mean(setting, point) for point in path]
    constants = [float(np.linalg.norm(factor, 2, axis=(-2, -1)).max()) * (1 + 1e-12) for factor in factors]
    scaled = tuple(replace(term, coefficient=alpha * term.coefficient) for term in terms)
    envelopes = tuple(Envelope(dim, scaled, constant=constant) for constant in constants)
    ceiling = math.prod(envelope.mean for envelope in envelopes)

    def draw(rng, replicates):
        lead = (replicates, *setting.tasks.batch_shape)
        u, G = independent(envelopes, rng, lead)
        product = np.eye(dim)
        for row, point, factor in zip(u[:, None], path, factors, strict=True):
            g = np.sum([term(squares(row[0]), None) for term in terms], axis=0)
            product = product @ (factor - alpha * g[..., None, None] * matrix(_scaled(setting, point, row, g, 1.0)))
        return by_cell(product * (ceiling / G)[..., None, None], 2)

    return Capped(draw, np.full(cells(setting), ceiling))


def wobble(setting: Setting, w: np.ndarray, u: np.ndarray) -> np.ndarray:
    """What rounding can add to the left factor of each direction, (Q, ...): a gradient difference over nu, or a second
    difference of losses over 2 nu^2 times the length of u.
    """
    tasks, nu = single(setting), smoothed(setting).nu
    length = np.linalg.norm(u, axis=-1)
    reach = np.linalg.norm(w, axis=-1).max() + nu * length
    gradient = np.linalg.norm(tasks.grad(w), axis=-1).max() + tasks.regularity.L * reach
    if of_gradients(setting):
        return EPS * gradient / nu
    return EPS * (np.abs(tasks.loss(w)).max() + gradient * reach) / (2 * nu**2) * length


def stein_wobble(setting: Setting, w: np.ndarray, u: np.ndarray) -> np.ndarray:
    """What rounding can add to the multiple of the identity that Stein's correction subtracts, (Q, ...)."""
    if not corrected(setting):
        return np.zeros(u.shape[:-1])
    return wobble(setting, w, u) / np.linalg.norm(u, axis=-1)
