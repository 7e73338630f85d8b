r"""Draws tilted by an envelope: replicates with a ceiling, whose mean is that of replicates without one.

Let :math:`|X| \le G(u)` by a proof, with :math:`EG` known, u Gaussian. Draw u from the law with density
:math:`G/EG` to the Gaussian one. Then :math:`Y = X\,EG/G` has the mean :math:`EX` and :math:`|Y| \le EG`, however
heavy the tail of X is. Every draw checks :math:`|X| \le G`: one that exceeds it proves the envelope wrong.

An envelope here is a constant plus a weighted sum over rows :math:`u_1, \dots, u_m \sim N(0, I_d)`, independent:

.. math:: G = a + \sum_j b_j\sum_t c_t\|u_j\|^{p_t}\,[(u_j\cdot v)^2].

*Its law.* A mixture: leave everything Gaussian, with probability :math:`a/EG`; else pick a row j and a term t with
probability proportional to their part of :math:`EG`, and tilt this row alone. The density of the mixture is the sum of
the parts, that is :math:`G/EG`.

*A tilted row.* In polar coordinates the Gaussian law is :math:`r^{d-1}e^{-r^2/2}` times the uniform law of the angle. A
factor :math:`\|u\|^p` makes the radius :math:`\chi_{d+p}`. A factor :math:`(u\cdot v)^2`, v a unit vector, adds 2 to
its degrees of freedom and multiplies the law of the angle by :math:`\theta_1^2`, the squared component along v: it was
Beta(1/2, (d-1)/2) and becomes Beta(3/2, (d-1)/2), or stays 1 if d = 1. The sign of the component and the direction of
the rest are as they were, so they are taken from the Gaussian row.

*Moments.* :math:`E\|u\|^p = 2^{p/2}\,\Gamma(\frac{d+p}2)/\Gamma(\frac d2)`, and :math:`E\|u\|^p(u\cdot v)^2 =
E\|u\|^{p+2}/d` by symmetry.
"""

import math
from dataclasses import dataclass

import numpy as np

ROUNDING = 1e-9
"""Relative excess of an envelope that counts as rounding: some are attained."""


class EnvelopeExceeded(ValueError):
    """A draw proves that an envelope, or the certificate of a problem that it rests on, is wrong."""


@dataclass(frozen=True)
class Term:
    """``coefficient * ||u||^power``, times ``(u.v)^2`` if it is ``along`` a unit vector v."""

    coefficient: float
    power: float
    along: bool = False

    def mean(self, dim: int) -> float:
        """Its expectation for ``u ~ N(0, I)``."""
        power = self.power + 2 * self.along
        return self.coefficient * moment(dim, power) / (dim if self.along else 1)

    def __call__(self, square: np.ndarray, component: np.ndarray | None) -> np.ndarray:
        value = self.coefficient * (square if self.power == 2 else square ** (self.power / 2))
        return value * component**2 if self.along else value


def moment(dim: int, power: float) -> float:
    """``E ||u||^power`` for ``u ~ N(0, I)`` in ``dim`` dimensions."""
    return math.exp(power / 2 * math.log(2) + math.lgamma((dim + power) / 2) - math.lgamma(dim / 2))


@dataclass(frozen=True)
class Envelope:
    """``G = constant + sum_j weights_j sum_t term_t(u_j)`` over rows ``u_j ~ N(0, I_d)``.

    Parameters
    ----------
    dim : int
    terms : tuple of Term
    weights : tuple of float
        One for each row, >= 0.
    constant : float
        >= 0.
    """

    dim: int
    terms: tuple[Term, ...]
    weights: tuple[float, ...] = (1.0,)
    constant: float = 0.0

    @property
    def mean(self) -> float:
        """E G, the ceiling of what is drawn."""
        return self.constant + math.fsum(self.weights) * math.fsum(term.mean(self.dim) for term in self.terms)

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...], v: np.ndarray | None = None):
        """Rows from the tilted law, and G at them.

        Parameters
        ----------
        shape : tuple
            Leading axes of the rows: every index is an independent draw of all rows.
        v : array (*shape, d) or broadcastable
            Unit vectors, for terms along them.

        Returns
        -------
        rows : array (m, *shape, d)
        G : array (*shape)
        """
        rows = rng.standard_normal((len(self.weights), *shape, self.dim))
        if self.mean > 0:
            self._tilt(rng, rows, v)
        squares = np.vecdot(rows, rows)
        components = np.vecdot(rows, v) if any(term.along for term in self.terms) else None
        values = sum(term(squares, components) for term in self.terms)
        return rows, self.constant + np.tensordot(self.weights, values, axes=1)

    def _tilt(self, rng, rows, v):
        """Replace the radius, and for terms along v the angle, of one row at each index."""
        shape = rows.shape[1:-1]
        parts = [term.mean(self.dim) for term in self.terms]
        chances = np.concatenate([[self.constant], np.outer(self.weights, parts).ravel()])
        steps = np.cumsum(chances)
        picked = np.searchsorted(steps[:-1], rng.random(shape) * steps[-1], side="right") - 1
        tilted = np.flatnonzero(picked.ravel() >= 0)
        row, term = np.divmod(picked.ravel()[tilted], len(self.terms))
        flat = rows.reshape(len(rows), -1, self.dim)
        u = flat[row, tilted]
        degrees = np.array([self.dim + term.power + 2 * term.along for term in self.terms])
        radius = np.sqrt(rng.chisquare(degrees[term]))
        along = np.array([term.along for term in self.terms])[term]
        if along.any() and self.dim > 1:
            vectors = np.broadcast_to(v, (*shape, self.dim)).reshape(-1, self.dim)[tilted[along]]
            u[along] = _turned(rng, u[along], vectors)
        u *= (radius / np.linalg.norm(u, axis=-1))[:, None]
        flat[row, tilted] = u


def _turned(rng, u, v):
    """Unit vectors with the tilted angle to v: signs and the direction of the rest from u."""
    share = rng.beta(1.5, (u.shape[-1] - 1) / 2, len(u))
    component = np.vecdot(u, v)[:, None]
    rest = u - component * v
    rest *= np.sqrt((1 - share) / np.vecdot(rest, rest))[:, None]
    return rest + np.copysign(np.sqrt(share)[:, None], component) * v


def independent(envelopes: "tuple[Envelope, ...]", rng: np.random.Generator, shape: tuple[int, ...]):
    """Rows for a product of envelopes of one row each: (m, *shape, d), and the product of the G, (*shape)."""
    drawn = [envelope.draw(rng, shape) for envelope in envelopes]
    return np.concatenate([rows for rows, _ in drawn]), np.prod([G for _, G in drawn], axis=0)


def bounded(X: np.ndarray, size: np.ndarray, G: np.ndarray, ceiling: float, rounding: float = 0.0) -> np.ndarray:
    """``X * ceiling / G``, whose size is at most the ceiling.

    Parameters
    ----------
    X : array (*shape, ...)
        What the tilted rows give; anything with more axes than G has ``size`` for its norm.
    size, G : array (*shape)
        The norm of X, and its envelope.
    ceiling : float
        E G.
    rounding : float
        What rounding can add to X.

    Raises
    ------
    EnvelopeExceeded
        If a draw exceeds its envelope by more than rounding.
    """
    wrong = size > G * (1 + ROUNDING) + rounding
    if np.any(wrong):
        at = tuple(map(int, np.unravel_index(np.argmax(np.where(wrong, size - G, -np.inf)), G.shape)))
        raise EnvelopeExceeded(
            f"draw {at} has the size {size[at]:.17g} and exceeds its envelope {G[at]:.17g}: a constant of the problem "
            "(L, rho, tau, sigma_g) is not what it is certified to be, or the estimator is not the one it was proved for"
        )
    # What exceeds the envelope by rounding is cut; a draw with G = 0 is 0.
    factor = np.divide(ceiling, np.maximum(size, G), out=np.zeros_like(G), where=G > 0)
    return X * factor.reshape(*G.shape, *(1,) * (X.ndim - G.ndim))
