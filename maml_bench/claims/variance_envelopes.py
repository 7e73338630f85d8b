r"""Variances of the Hessian estimators: replicates with a ceiling, from two directions, beside what is known exactly.

See `hessian_envelopes` for the terms and the certificates. The mean of Q independent directions has 1/Q of the variance
of one, :math:`\hat H` from here on: two directions u, u' serve for any Q. Write :math:`\|\cdot\|` for the norm of a
matrix applied to the unit vector v, with :math:`W = (u\cdot v)^2`, or for the Frobenius norm, with :math:`W = \|u\|^2`.

*Whole.* The replicate :math:`\frac12\|\hat H - \hat H'\|^2 \le \|\hat H\|^2 + \|\hat H'\|^2`, with :math:`\|\hat H\|^2`
at most

.. math:: L^2\|u\|^2W, \qquad \tfrac{L^2}4\|u\|^6W, \qquad \tfrac{L^2}4\bigl(\|u\|^6W + \|u\|^4\bigr)

for gradient differences, for second differences, and for these with Stein's correction, since :math:`\|u(u\cdot v) -
v\|^2 = \|u\|^2W - 2W + 1`.

*Less the quadratic at w.* Let :math:`\hat H = A + R`, where A is what the same direction makes of the quadratic at w
with the Hessian H: its mean and its variance are known exactly. R of a second difference is even in u, as A is; of a
gradient difference R = M + E with the even part :math:`M = m\,u^T`, m and e as in `hessian_envelopes`: with :math:`s =
s(u)`, :math:`m = \frac12(s(u) - s(-u)) - Hu`, :math:`e = \frac12(s(u) + s(-u))`, :math:`E = e\,u^T`. E is odd, so its
mean is 0 and so are the means of its products with what is even:

.. math:: E\|\hat H - E\hat H\|^2 = E\|A - EA\|^2 + E\bigl[2\langle A - EA, M\rangle + \tfrac12\|M - M'\|^2
          + \|E\|^2\bigr] ,

M itself being R where E = 0. The replicate is the first term, known, plus the bracket, of which every direction has
half: :math:`\langle A - EA, M\rangle + \frac12\|E\|^2`. Its size is at most the sum over both directions of
:math:`\|A - EA\|\|M\| + \|M\|^2 + \frac12\|E\|^2`, small with :math:`\nu`. Let :math:`h = \|H\|` be the spectral
norm, and :math:`\|m\| \le f\|u\|^p`, :math:`\|e\| \le g\|u\|^q`, where

.. math:: \|m\| \le \tfrac{\rho\nu}2\|u\|^2,\ \tfrac{\tau\nu^2}6\|u\|^3,\ 2L\|u\|; \qquad
          \|e\| \le \tfrac{\rho\nu}2\|u\|^2,\ L\|u\| .

*Gradient differences.* :math:`A - EA = H(uu^T - I)`, where :math:`uu^T - I` has the norm :math:`\|u(u\cdot v) - v\| \le
\|u\|\sqrt W + 1`, or at most :math:`\|u\|^2 + \sqrt d`; with :math:`c^2 = 1` or d, :math:`2c\sqrt W \le W + c^2`, so

.. math:: \|A - EA\|\|M\| \le hf\|u\|^p\bigl(\|u\|W + \tfrac12W + \tfrac12c^2\bigr), \qquad
          \|M\|^2 \le f^2\|u\|^{2p}W, \qquad \|E\|^2 \le g^2\|u\|^{2q}W .

*Second differences*, along v. :math:`|c - \frac12u^THu| \le f\|u\|^p`, :math:`k = \|(EA)v\|`. Without correction
:math:`\|M\| \le f\|u\|^{p+1}\sqrt W`, :math:`\|A - EA\| \le \frac h2\|u\|^3\sqrt W + k`, and :math:`2\|u\|\sqrt W \le
\sqrt d\,W + \|u\|^2/\sqrt d`:

.. math:: \|A - EA\|\|M\| \le \tfrac{hf}2\|u\|^{p+4}W + \tfrac{kf}2\|u\|^p\bigl(\sqrt d\,W +
          \|u\|^2/\sqrt d\bigr), \qquad \|M\|^2 \le f^2\|u\|^{2p+2}W ,

and with it, by :math:`\|u(u\cdot v) - v\|^2 \le \|u\|^2W + 1`, also :math:`\frac{hf}2\|u\|^{p+2} + kf\|u\|^p` in the
first and :math:`f^2\|u\|^{2p}` in the second.

*Noise.* The data noise of gradient differences has mean zero given the directions, and its mean square is known:
:math:`2\sigma_g^2/(QD\nu^2)`, times d in the Frobenius norm, is added to population replicates. Where only
:math:`\|\xi\| \le h` is known of the error of one sample, what is added is sampled: batches at w + νu and at w are
independent, so that it is :math:`E[\|\xi(w+\nu u)\|^2W + \|\xi(w)\|^2\,EW]/(QD\nu^2)`. With u from the law tilted
by W that is :math:`EW/(QD\nu^2)` times the mean of :math:`\|\xi(w+\nu u)\|^2 + \|\xi(w)\|^2 \le 2h^2`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from maml_bench.arrays import matvec
from maml_bench.claims.claim import EPS, by_cell
from maml_bench.claims.hessian_draws import (
    cells,
    direction_floats,
    directions_at,
    drawn_along,
    hessians,
    known_mean,
    known_noise,
    left_sides,
    points,
    quadratic_variance,
    squared_distance,
)
from maml_bench.claims.hessian_envelopes import (
    corrected,
    of_gradients,
    provable,
    remainder_orders,
    stein_wobble,
    wobble,
)
from maml_bench.claims.requirements import LARGEST_MATRIX, largest_noise
from maml_bench.montecarlo.rows import along, products, squares
from maml_bench.montecarlo.tilted import Capped, Envelope, Term, bounded
from maml_bench.setting import Setting, single, smoothed


def in_pairs(setting: Setting) -> bool:
    """Whether two directions serve for any number: the noise of the data has a known mean square, or a bound."""
    if not provable(setting):
        return False
    resampled = of_gradients(setting) and smoothed(setting).data == "resampled"
    return known_noise(setting) is not None or (resampled and math.isfinite(largest_noise(setting.tasks)))


def vector_squares(setting: Setting) -> Capped | None:
    """Replicates with the mean ``E ||(H^ - E H^) v||^2``, v from `directions_at`."""
    return _squares(setting, directions_at(setting), product_terms(setting)) if in_pairs(setting) else None


def product_terms(setting: Setting) -> tuple[Term, ...]:
    """The envelope of ``||H^ v||^2`` for one direction and any unit vector v."""
    L = setting.tasks.regularity.L
    if of_gradients(setting):
        return (Term(L**2, 2, along=True),)
    return (Term(L**2 / 4, 6, along=True), *((Term(L**2 / 4, 4),) if corrected(setting) else ()))


def frobenius_squares(setting: Setting) -> Capped | None:
    """Replicates with the mean ``E ||H^ - E H^||_F^2`` of gradient differences."""
    if not (in_pairs(setting) and of_gradients(setting)):
        return None
    return _squares(setting, None, (Term(setting.tasks.regularity.L**2, 4),))


def _squares(setting, v, terms):
    """Of the two kinds of replicates those that are known to be closer together, with the noise of the data."""
    hessian, dim, noise = smoothed(setting), setting.tasks.dim, known_noise(setting)
    added = 2 * (noise or 0.0) ** 2 * (dim if v is None else 1) / (hessian.directions * setting.inner.D * hessian.nu**2)
    envelope, rest = Envelope(dim, terms, weights=(1.0, 1.0), exchangeable=True), remainder(setting, v)
    if rest is not None and 2 * rest.mean < envelope.mean and (known := quadratic_variance(setting, v)) is not None:
        found = _around(setting, v, rest, known, added)
    else:
        found = _whole(setting, v, envelope, added)
    return _plus(found, _of_batches(setting, v)) if noise is None else found


def _of_batches(setting, v):
    """What the noise of batches adds, where a range is all that is known."""
    tasks, hessian, h = setting.tasks, smoothed(setting), largest_noise(setting.tasks)
    tilted = Envelope(tasks.dim, (Term(1.0, 2) if v is None else Term(1.0, 0, along=True),))
    ceiling = 2 * h**2 * tilted.mean / (hessian.directions * setting.inner.D * hessian.nu**2)

    def draw(rng, replicates):
        at = points(setting, setting.w, replicates)
        u, _ = tilted.draw(rng, at.shape[:-1], v)
        errors = (tasks.grad(x, tasks.sample(rng, x, 1)) - tasks.grad(x) for x in (at, at + hessian.nu * u[0]))
        size = np.sum([squares(error) for error in errors], axis=0)
        return by_cell(bounded(size, size, np.full(size.shape, 2 * h**2), ceiling), 0)

    return Capped(draw, np.full(cells(setting), ceiling))


def _plus(one, other):
    """The sum of independent replicates; the others are at least 0."""
    draw = lambda rng, replicates: one.draw(rng, replicates) + other.draw(rng, replicates)
    return Capped(draw, one.ceiling + other.ceiling, floor=one.floor)


def _whole(setting, v, envelope, noise):
    Q, batch = smoothed(setting).directions, setting.tasks.batch_shape

    def draw(rng, replicates):
        u, G = envelope.draw(rng, (replicates, *batch), v)
        one, other = (drawn_along(setting, setting.w, row) for row in (u[:1], u[1:]))
        X = (squared_distance(one, other) if v is None else squares(one(v) - other(v))) / 2

        def rounding():
            error = wobbles(setting, u, v).sum(0)
            return error * (np.sqrt(2 * G) + error / 2)

        return by_cell(bounded(X, X, G, envelope.mean, rounding), 0) / Q + noise

    return Capped(draw, np.full(cells(setting), envelope.mean / Q + noise))


def remainder(setting: Setting, v: np.ndarray | None) -> Envelope | None:
    """The envelope of what two directions add to the variance of the quadratic; None where none is worked out."""
    dim = setting.tasks.dim
    if dim > LARGEST_MATRIX:
        return None
    orders, h = remainder_orders(setting), float(np.linalg.norm(hessians(setting), 2, (-2, -1)).max())
    if of_gradients(setting):
        regularity, nu = setting.tasks.regularity, smoothed(setting).nu
        odd = min(((regularity.rho * nu / 2, 2), (regularity.L, 1)), key=lambda order: Term(*order).mean(dim))
        offers = [_of_gradients(h, f, p, *odd, v is not None, dim) for f, p in orders]
    else:
        k = float(np.linalg.norm(matvec(known_mean(setting, setting.w), directions_at(setting)), axis=-1).max())
        offers = [_of_losses(h, k, f, p, corrected(setting), dim) for f, p in orders]
    envelopes = [Envelope(dim, terms, weights=(1.0, 1.0), exchangeable=True) for terms in offers]
    return min(envelopes, key=lambda envelope: envelope.mean)


def _of_gradients(h, f, p, g, q, vector, dim):
    def times_w(factor, power):
        return Term(factor, power, along=True) if vector else Term(factor, power + 2)

    return (
        times_w(h * f, p + 1),
        times_w(h * f / 2, p),
        Term(h * f / 2 * (1 if vector else dim), p),
        times_w(f**2, 2 * p),
        times_w(g**2 / 2, 2 * q),
    )


def _of_losses(h, k, f, p, stein, dim):
    terms = (
        Term(h * f / 2, p + 4, along=True),
        Term(k * f / 2 * math.sqrt(dim), p, along=True),
        Term(k * f / 2 / math.sqrt(dim), p + 2),
        Term(f**2, 2 * p + 2, along=True),
    )
    more = Term(h * f / 2, p + 2), Term(k * f, p), Term(f**2, 2 * p)
    return (*terms, *more) if stein else terms


@dataclass(frozen=True)
class _Bracket:
    """What both directions add to the variance of the quadratic, (...), with bounds of the norms of A - EA, M and E for
    each direction, (2, ...): rounding is judged by them.
    """

    sum: np.ndarray
    norms: Callable[[], tuple[np.ndarray, np.ndarray, np.ndarray]]

    def wobble(self, errors: np.ndarray) -> np.ndarray:
        """What errors of each direction's M and E can add to the sum."""
        total, (known, even, odd) = errors.sum(0), self.norms()
        return (known * errors).sum(0) + total * (even.sum(0) + odd.sum(0) + total)


def _of_slopes(H, u, v, drawn, opposite):
    """The bracket of gradient differences along u and -u.

    With p = Hu, of ``M = m u'`` and ``E = e u'`` only inner products are needed: W, ``p.m``, and that of EA = H with M,
    which is ``p.m`` for all entries and ``(u.v)(Hv.m)`` along v.
    """
    pushed, odd = matvec(H, u), (drawn + opposite) / 2
    even = drawn - odd - pushed
    both = products(pushed, even)
    if v is None:
        W, mixed, centre = squares(u), products(u[0], u[1]), both
    else:
        component = along(u, v)
        W, mixed, centre = component**2, component[0] * component[1], component * along(even, matvec(H, v))
    halves = W * (both + (squares(even) + squares(odd)) / 2) - centre
    root = np.sqrt(W)

    def norms():
        size = np.linalg.norm(H, axis=(-2, -1))
        return tuple(np.sqrt(squares(x)) * root + y for x, y in ((pushed, size), (even, 0.0), (odd, 0.0)))

    return _Bracket(halves.sum(0) - mixed * products(even[0], even[1]), norms)


def _of_curvatures(H, mean, u, v, left, stein):
    """The bracket of second differences: both A and M are multiples of ``uu'``, or of ``uu' - I``, applied to v."""
    square, component = squares(u), along(u, v)
    curvature = products(u, matvec(H, u)) / 2
    excess = products(left, u) / square - curvature
    image, mixed = square * component**2, component[0] * component[1] * products(u[0], u[1])
    centre = component * along(u, mean)
    if stein:
        image, mixed = image - 2 * component**2 + 1, mixed - (component**2).sum(0) + 1
        centre = centre - np.vecdot(mean, v)
    halves = excess * (curvature * image - centre + excess * image / 2)

    def norms():
        root = np.sqrt(np.maximum(image, 0.0))
        return np.abs(curvature) * root + np.sqrt(squares(mean)), np.abs(excess) * root, np.zeros_like(root)

    return _Bracket(halves.sum(0) - excess[0] * excess[1] * mixed, norms)


def _around(setting, v, envelope, known, noise):
    tasks, Q = single(setting), smoothed(setting).directions
    spare = 512 * EPS * (setting.tasks.dim + 8)
    floor, ceiling = ((known * (1 + sign * spare) + sign * envelope.mean) / Q + noise for sign in (-1, 1))
    H: Any = tasks.hess(setting.w)
    mean = None if v is None else matvec(known_mean(setting, setting.w), v)

    def draw(rng, replicates):
        u, G = envelope.draw(rng, (replicates, *tasks.batch_shape), v)
        drawn = left_sides(setting, setting.w, u)
        if of_gradients(setting):
            found = _of_slopes(H, u, v, drawn, left_sides(setting, setting.w, -u))
        else:
            found = _of_curvatures(H, mean, u, v, drawn, corrected(setting))
        X = bounded(found.sum, np.abs(found.sum), G, envelope.mean, lambda: found.wobble(wobbles(setting, u, v)))
        return (known + by_cell(X, 0)) / Q + noise

    return Capped(draw, ceiling, floor=floor)


def wobbles(setting: Setting, u: np.ndarray, v: np.ndarray | None) -> np.ndarray:
    """What rounding can add to the product of each direction's matrix with v, or to the matrix, (Q, ...)."""
    root = np.sqrt(squares(u)) if v is None else np.abs(np.vecdot(u, v))
    return wobble(setting, setting.w, u) * root + stein_wobble(setting, setting.w, u)


def vector_floats(setting: Setting) -> int:
    """Floats of one replicate along a vector: two directions with differences, or as many as the setting has."""
    return 16 * cells(setting) * setting.tasks.dim if in_pairs(setting) else direction_floats(setting)


def frobenius_floats(setting: Setting) -> int:
    """The same in the Frobenius norm, with the small matrices of its distance."""
    dim, directions = setting.tasks.dim, 2 if in_pairs(setting) else 2 * smoothed(setting).directions
    return vector_floats(setting) + cells(setting) * dim * 2 * min(dim, directions)
