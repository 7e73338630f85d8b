r"""Draws tilted by an envelope: replicates with a ceiling, whose mean is that of replicates without one.

Let :math:`|X| \le G(u)` by a proof, with :math:`EG` known, u Gaussian. Draw u from the law with density
:math:`G/EG` to the Gaussian one. Then :math:`Y = X\,EG/G` has the mean :math:`EX` and :math:`|Y| \le EG`, however
heavy the tail of X is. Every draw checks :math:`|X| \le G`: one that exceeds it proves the envelope wrong.

An envelope here is a constant plus a weighted sum over rows :math:`u_1, \dots, u_m \sim N(0, I_d)`, independent:

.. math:: G = a + \sum_{j,t} b_{jt}\,c_t\|u_j\|^{p_t}\,[(u_j\cdot v)^2].

*Its law.* A mixture: leave everything Gaussian, with probability :math:`a/EG`; else pick a row j and a term t with
probability proportional to their part of :math:`EG`, and tilt this row alone. The density of the mixture is the sum of
the parts, that is :math:`G/EG`. If all rows have the same weight, and X does not change when rows change places, nor
does G, and :math:`X\,EG/G` has the same law whichever row is tilted: then it is always the first.

*A tilted row.* Write :math:`\chi^2_n` for the sum of the squares of n Gaussian numbers. A factor :math:`\|u\|^p` leaves
the angle as it was and multiplies the density of the radius by :math:`r^p`: from :math:`\chi_d` it becomes
:math:`\chi_{d+p}`. A factor :math:`(u\cdot v)^2`, v a unit vector, does that to the component along v alone: its square
was :math:`\chi^2_1` and becomes :math:`\chi^2_3`; its sign and the rest, :math:`\chi^2_{d-1}`, stay. The squared radius
is then :math:`\chi^2_{d+2}` and independent of the angle, since sums of gamma variables are independent of their
shares; so both factors together add p more degrees to it. To add k degrees of freedom to a square is to add the
squares of k more Gaussian numbers. Of two of them the sum is :math:`-2\log U`, U uniform, and of 2n the same with a
product of n independent U; one that is left over is drawn, and if k is no whole number the rest is twice a gamma
variable of half the shape. What is added to the square of the component is added to that of the radius, and a factor of
the radius is one of the component: both are known without another sum over the row.

*Moments.* :math:`E\|u\|^p = 2^{p/2}\,\Gamma(\frac{d+p}2)/\Gamma(\frac d2)`, and :math:`E\|u\|^p(u\cdot v)^2 =
E\|u\|^{p+2}/d` by symmetry.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any

import numpy as np

from maml_bench.montecarlo.rows import FEW, along, put, shift, squares, stretch

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

    def __call__(self, square: np.ndarray, component: Any) -> np.ndarray:
        half = self.power / 2
        power = reduce(np.multiply, [square] * int(half)) if half in range(1, 6) else square**half
        return self.coefficient * power * (component * component) if self.along else self.coefficient * power


def moment(dim: int, power: float) -> float:
    """``E ||u||^power`` for ``u ~ N(0, I)`` in ``dim`` dimensions."""
    return math.exp(power / 2 * math.log(2) + math.lgamma((dim + power) / 2) - math.lgamma(dim / 2))


@dataclass(frozen=True, eq=False)
class Envelope:
    """``G = constant + sum_jt weights_jt term_t(u_j)`` over rows ``u_j ~ N(0, I_d)``.

    Parameters
    ----------
    dim : int
    terms : tuple of Term
    weights : array (m,) or (m, terms)
        For each row, >= 0.
    constant : float or array
        >= 0; an array broadcasts with the leading axes of the rows, from the right.
    exchangeable : bool
        What is drawn does not change when rows change places, and all rows have the same weight.
    """

    dim: int
    terms: tuple[Term, ...]
    weights: np.ndarray | tuple[float, ...] = (1.0,)
    constant: np.ndarray | float = 0.0
    exchangeable: bool = False

    @cached_property
    def _weights(self) -> np.ndarray:
        weights = np.asarray(self.weights, dtype=float).reshape(len(self.weights), -1)
        return np.broadcast_to(weights, (len(weights), len(self.terms)))

    @cached_property
    def _parts(self) -> np.ndarray:
        """The part of E G that each row and term has."""
        return self._weights * [term.mean(self.dim) for term in self.terms]

    @property
    def mean(self) -> np.ndarray | float:
        """E G, the ceiling of what is drawn; shaped like the constant."""
        return self.constant + self._parts.sum()

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
        sizes = squares(rows)
        components = along(rows, np.asarray(v)) if any(term.along for term in self.terms) else None
        if self._parts.any():
            self._tilt(rng, rows, sizes, components, v)
        G: Any = self.constant
        for term, weights in zip(self.terms, self._weights.T, strict=True):
            parts = term(sizes, components)
            G = G + (weights @ parts.reshape(len(weights), -1)).reshape(shape)
        return rows, G

    def _tilt(self, rng, rows, sizes, components, v):
        """Tilt one row at each index, with its square and its component along v."""
        powers, turned = (np.array([getattr(term, name) for term in self.terms]) for name in ("power", "along"))
        parts = len(self._parts) * self._parts[:1] if self.exchangeable else self._parts
        always = not np.any(self.constant)
        state = [rows, sizes] if components is None else [rows, sizes, components]
        if parts.size == 1 and always:
            _add_degrees(rng, [x[0] for x in state], v, powers[0], turned[0])
            return
        shape, count = sizes.shape[1:], sizes[0].size
        mark = (rng.random(shape) * self.mean - self.constant).ravel()
        tilted: Any = slice(None) if always else np.flatnonzero(mark >= 0)
        picked: Any = _places(np.cumsum(parts)[:-1], mark[tilted])
        if len(self.terms) == 1 or len(parts) == 1:
            row, term = (picked, 0) if len(self.terms) == 1 else (0, picked)
        else:
            row, term = np.divmod(picked, len(self.terms))
        chosen = powers[term], turned[term]
        if always and len(parts) == 1:
            _add_degrees(rng, [x[0] for x in state], v, *(x.reshape(shape) for x in chosen))
            return
        place, vectors = row * count + np.arange(count)[tilted], v
        if turned.any() and np.size(v) > self.dim:
            vectors = np.broadcast_to(v, (*shape, self.dim)).reshape(-1, self.dim)[tilted]
        whole = [x.reshape(sizes.size, -1) if x is rows else x.reshape(-1) for x in state]
        taken = [x.take(place, axis=0) for x in whole]
        _add_degrees(rng, taken, vectors, *chosen)
        for x, changed in zip(whole, taken, strict=True):
            put(x, place, changed)


def _places(edges, marks):
    """How many edges are at most each mark."""
    if len(edges) > FEW:
        return np.searchsorted(edges, marks, side="right")
    places = np.zeros(len(marks), dtype=np.int8)
    for edge in edges:
        places += (marks >= edge).view(np.int8)
    return places.astype(np.intp)


def _add_degrees(rng, state, v, power, turned):
    """Add 2 degrees of freedom to the squared component along v, where asked for, then ``power`` to the radius.

    ``state`` holds rows (..., d), their squares (...) and their components along v (...), if a term is along it; all
    are changed in place.
    """
    u, size, *component = state
    longer: list[np.ndarray] = []
    for c in component:
        more = _chi_squares(rng, 2 * turned, size.shape)
        longer.append(np.copysign(np.sqrt(c * c + more), c))
        size += more
    total = size + _chi_squares(rng, power, size.shape)
    factor = np.sqrt(total / size)
    stretch(u, factor)
    for c, tilted in zip(component, longer, strict=True):
        tilted *= factor
        shift(u, tilted - factor * c, v)
        c[...] = tilted
    size[...] = total


def _chi_squares(rng, degrees, shape):
    """Sums of the squares of ``degrees`` Gaussian numbers; of two of them it is -2 log U, U uniform on (0, 1]."""
    degrees = np.asarray(degrees, dtype=float)
    product, least = np.ones(shape), degrees.min(initial=np.inf)
    for pairs in range(2, int(degrees.max(initial=0)) + 1, 2):
        uniform = rng.random(shape)
        if pairs > least:  # where fewer degrees are asked for the factor is 1
            uniform *= degrees >= pairs
        product *= np.subtract(1, uniform, out=uniform)
    total = np.log(product, out=product)
    total *= -2
    left = degrees - 2 * np.floor(degrees / 2)
    if not left.any():
        return total
    if np.all((left == 0) | (left == 1)):
        normal = rng.standard_normal(shape)
        normal *= normal
        normal *= left
        return np.add(total, normal, out=total)
    return total + 2 * rng.standard_gamma(left / 2, shape)


def independent(envelopes: "tuple[Envelope, ...]", rng: np.random.Generator, shape: tuple[int, ...]):
    """Rows for a product of envelopes of one row each: (m, *shape, d), and the product of the G, (*shape)."""
    drawn = [envelope.draw(rng, shape) for envelope in envelopes]
    return np.concatenate([rows for rows, _ in drawn]), np.prod([G for _, G in drawn], axis=0)


@dataclass(frozen=True)
class Capped:
    """A draw whose replicates are bounded by a proof: in size, or in the mean square.

    Attributes
    ----------
    draw : callable
        ``draw(rng, replicates) -> (replicates, cells, ...)``, an array or `Dyads`.
    ceiling : array (cells,) or None
        None of the replicates of a cell exceeds it in size.
    square : array (cells,) or None
        The mean square of the size does not exceed it. Given where the ceiling is none, or so high that this decides
        earlier.
    floor : array (cells,), optional
        Of numbers with a ceiling: none is below it. Without one, none is below 0.
    parts : bool
        The draw gives two numbers >= 0 for each cell, (replicates, cells, 2): the mean of the first is asked for, and
        what it lacks to the ceiling is the mean of the second.
    """

    draw: Callable[[np.random.Generator, int], Any]
    ceiling: np.ndarray | None
    square: np.ndarray | None = None
    floor: np.ndarray | None = None
    parts: bool = False

    @property
    def cells(self) -> int:
        given = self.square if self.ceiling is None else self.ceiling
        return 0 if given is None else len(given)

    def __call__(self, rng: np.random.Generator, replicates: int) -> Any:
        return self.draw(rng, replicates)


def factors(
    size: np.ndarray,
    G: np.ndarray,
    ceiling: np.ndarray | float,
    rounding: Callable[[], np.ndarray | float] = lambda: 0.0,
) -> np.ndarray:
    """``ceiling / G``, or less where rounding makes the size exceed G; 0 where G is.

    Parameters
    ----------
    size, G : array (*shape)
        The norm of what the tilted rows give, and its envelope.
    ceiling : float or array
        E G.
    rounding : callable
        What rounding can add to each size; called only if one exceeds its envelope.

    Raises
    ------
    EnvelopeExceeded
        If a draw exceeds its envelope by more than rounding.
    """
    if np.all(size <= G) and np.all(G > 0):
        return ceiling / G
    excess = size - G * (1 + ROUNDING)
    if np.any(excess > 0):
        excess = np.where(excess > rounding(), excess, 0.0)
    if np.any(excess > 0):
        at = tuple(map(int, np.unravel_index(np.argmax(excess), G.shape)))
        raise EnvelopeExceeded(
            f"draw {at} has the size {size[at]:.17g} and exceeds its envelope {G[at]:.17g}: a constant of the problem "
            "(L, rho, tau, sigma_g) is not what it is certified to be, or the estimator is not what the proof is about"
        )
    return np.divide(ceiling, np.maximum(size, G), out=np.zeros_like(G), where=G > 0)


def bounded(X: np.ndarray, size: np.ndarray, G: np.ndarray, ceiling, rounding=lambda: 0.0) -> np.ndarray:
    """``X * ceiling / G``, whose size is at most the ceiling; X may have more axes than G. See `factors`."""
    found = factors(size, G, ceiling, rounding)
    return X * found.reshape(*G.shape, *(1,) * (X.ndim - G.ndim))


def within(sizes: np.ndarray, ceiling: np.ndarray) -> None:
    """Check the sizes of a block's replicates, (n, cells), against their ceilings (cells,).

    Raises
    ------
    EnvelopeExceeded
        If one exceeds its ceiling by more than rounding.
    """
    wrong = sizes > ceiling * (1 + ROUNDING)
    if np.any(wrong):
        replicate, cell = map(int, np.unravel_index(np.argmax(np.where(wrong, sizes - ceiling, -np.inf)), sizes.shape))
        raise EnvelopeExceeded(
            f"replicate {replicate} of its block has the size {sizes[replicate, cell]:.17g} in cell {cell} and exceeds "
            f"its ceiling {np.broadcast_to(ceiling, sizes.shape)[replicate, cell]:.17g}"
        )
