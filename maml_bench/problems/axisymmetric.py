"""Homogeneous losses that are symmetric around the first axis: the worst cases known of Proposition 6."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.polynomial import Chebyshev

from analytic.arguments import natural, one_of, positive, settle, vector
from analytic.brief import brief
from analytic.regularity import Regularity
from maml_bench.arrays import by_columns, take

ANGLES, TILTS = 16384, 720


@dataclass(frozen=True, eq=False)
class Axisymmetric:
    """One task ``l(w) = ||w||^degree p(t)``, ``t = w_1/||w||``, ``p(cos a) = sum_k c_k cos 2ka``.

    Parameters
    ----------
    dimension : int
        At least 2.
    coefficients : array (K,)
        The c_k.
    degree : 3 or 4

    Notes
    -----
    Certificate. The derivative of order ``degree`` is a function of the direction of w alone, the one before it is
    Lipschitz with the largest size of that form, and lower ones are not (``L = inf``, for degree 4 also ``rho =
    inf``). A symmetric form is largest in size on equal arguments v.

    *Degree 3.* Let ``F(a) = p(cos a)``. In polar coordinates around the axis the Hessian is r times ``[[6F, 2F'],
    [2F', F'' + 3F]]`` in the plane of w and the axis, and r times ``G = 3F + F' cot a`` across. So the third
    derivative along ``v = c (cos b e_r + sin b e_a) + (1 - c^2)^(1/2) e`` (e across) is ``c^3 P + 3c(1 - c^2) R``,
    ``P = 6F cos^3 b + 6F' cos^2 b sin b + 3(F'' + 3F) cos b sin^2 b + (F''' + 7F') sin^3 b``, ``R = G cos b + G' sin
    b``. In c a cubic: its largest size on [0, 1] is at c = 1 or at ``c^2 = R/(3R - P)``. In a and b it is a
    trigonometric polynomial, of degrees n = 2(K - 1) and 3. By M. Riesz' lemma such a polynomial of degree n is at
    least cos(n h) times its maximum within a distance h of the point where that is taken; on grids of m and m' equal
    parts of the circle, some point is within pi/m, so rho is at most the largest value on the grid over ``cos(n pi/m)
    cos(3 pi/m')``.

    *Degree 4.* With K <= 3 the loss is a polynomial, whose fourth derivative along v is 24 l(v), so
    ``tau = 24 max |p|`` exactly; p is a quadratic in ``t^2``, largest in size at 0, 1 or its vertex.

    Raises
    ------
    ValueError
        If dimension is less than 2, degree is not 3 or 4, or there are more than 3 coefficients with degree 4.

    Examples
    --------
    >>> from maml_bench.problems import Axisymmetric
    >>> cubic = Axisymmetric(dimension=3, coefficients=np.array([1.0]))  # ||w||^3
    >>> cubic.loss(np.array([0.0, 3.0, 4.0]))
    array(125.)
    """

    __repr__ = brief

    dimension: int
    coefficients: np.ndarray
    degree: int = 3

    batch_shape = ()

    def __post_init__(self):
        if natural("dimension", self.dimension) < 2:
            raise ValueError(f"dimension = {self.dimension}: must be at least 2")
        settle(self, coefficients=vector)
        one_of("degree", self.degree, (3, 4))
        if self.degree == 4 and len(self.coefficients) > 3:
            raise ValueError(f"coefficients: {len(self.coefficients)} given; with degree 4 at most 3 make a polynomial")

    @classmethod
    def quartic(cls, dimension: int, tau: float = 1.0) -> "Axisymmetric":
        """The quartic polynomial of this symmetry whose smoothed Hessian at 0 is farthest from the one at 0.

        ``(tau/24)(a x^4 + 6b x^2 s^2 + c s^4)``, x the first coordinate and s the length of the others: the entry
        along the axis is ``(tau nu^2/2)(a + (d-1) b)``. With ``y = x^2`` on the unit sphere the form is ``(a - 6b +
        c)y^2 + (6b - 2c)y + c``. For c = -1 its maximum is 1 if ``(6b + 2)^2 = 8(6b + 1 - a)``, that is ``a = 1/2 +
        3b - 9b^2/2``, and ``a + (d-1) b`` is then largest at ``b = (d+2)/9``; from d = 7 on b = 1 = -a is as far as
        the form stays above -1, and ``-x^4 + 6x^2s^2 - s^4`` is left.
        """
        b = min((natural("dimension", dimension) + 2) / 9, 1.0)
        a, c = 1 / 2 + 3 * b - 9 * b**2 / 2, -1.0
        square, linear = a - 6 * b + c, 6 * b - 2 * c
        waves = [c + linear / 2 + 3 * square / 8, linear / 2 + square / 2, square / 8]
        return cls(dimension, positive("tau", tau) / 24 * np.array(waves), 4)

    @property
    def dim(self) -> int:
        return self.dimension

    @cached_property
    def profile(self) -> Chebyshev:
        """p, a polynomial in t."""
        interlaced = np.zeros(2 * len(self.coefficients) - 1)
        interlaced[::2] = self.coefficients
        return Chebyshev(interlaced)

    @cached_property
    def regularity(self) -> Regularity:
        if self.degree == 4:
            c0, c1, c2 = np.pad(self.coefficients, (0, 3 - len(self.coefficients)))
            y = np.array([0.0, 1.0, np.clip((8 * c2 - 2 * c1) / (16 * c2), 0, 1) if c2 else 0.0])
            largest = np.abs(c0 + c1 * (2 * y - 1) + c2 * (8 * y**2 - 8 * y + 1)).max()
            return Regularity(L=np.inf, rho=np.inf, tau=24 * largest, sigma=0.0)
        angle = 2 * np.pi * np.arange(ANGLES // 4 + 1) / ANGLES  # the other quarters mirror this one
        plane, across = directed(self.coefficients @ third_derivative(len(self.coefficients), angle))
        found = [np.abs(plane)]
        if self.dim > 2:
            with np.errstate(divide="ignore", invalid="ignore"):
                square = across / (3 * across - plane)
                c = np.sqrt(square)
                inner = np.where((square > 0) & (square < 1), c**3 * plane + 3 * c * (1 - square) * across, 0.0)
            found.append(np.abs(inner))
        n = 2 * (len(self.coefficients) - 1)
        return Regularity(
            L=np.inf, rho=np.max(found) / (np.cos(n * np.pi / ANGLES) * np.cos(3 * np.pi / TILTS)), sigma=0.0
        )

    def __getitem__(self, index):
        return take(index, self.batch_shape)

    def sample(self, rng, w, size) -> None:
        """There is no noise."""

    def _polar(self, w):
        """||w||, the direction of w (the first axis at the origin) and t."""
        r = np.linalg.norm(w, axis=-1, keepdims=True)
        e = np.where(r > 0, w / np.where(r > 0, r, 1.0), np.eye(self.dim)[0])
        return r, e, e[..., :1]

    def loss(self, w, sample=None):
        r, _, t = self._polar(w)
        return (r**self.degree * self.profile(t))[..., 0]

    def grad(self, w, sample=None):
        r, e, t = self._polar(w)
        slope = self.profile.deriv()(t)
        return r ** (self.degree - 1) * ((self.degree * self.profile(t) - t * slope) * e + slope * np.eye(self.dim)[0])

    def hvp(self, w, v, sample=None):
        r, e, t = self._polar(w)
        k, axis = self.degree, np.eye(self.dim)[0]
        p, slope, bend = (self.profile.deriv(m)(t) for m in range(3))
        g, g_slope = k * p - t * slope, (k - 1) * slope - t * bend
        along, first = np.vecdot(e, v)[..., None], v[..., :1]
        turned = ((k - 2) * g - t * g_slope) * along * e + g_slope * (first * e + along * axis) + bend * first * axis
        return r ** (k - 2) * (g * v + turned)

    def hess(self, w, sample=None):
        return by_columns(self, w)

    def smoothings(self, w, nu) -> list | None:
        """The smoothed loss at the origin, exactly; None elsewhere."""
        from analytic.moments import symmetric  # slow to load, and seldom needed

        few = replace(self, dimension=min(self.dim, 3))
        return None if np.any(w) else [symmetric.axisymmetric(self.degree, few.loss, few.grad, few.hess, self.dim, nu)]


def third_derivative(count: int, angle: np.ndarray) -> np.ndarray:
    """The six coefficients of P and R of the certificate for each basis function ``||w||^3 cos 2ka``, k < count.

    Returns
    -------
    array (6, count, angles)
        ``6F, 6F', 3(F'' + 3F), F''' + 7F', G, G'``.
    """
    k, t = 2 * np.arange(count)[:, None], np.cos(angle)
    F, F1, F2, F3 = (k**m * np.cos(k * angle + m * np.pi / 2) for m in range(4))
    basis = [Chebyshev.basis(int(m)) for m in k[:, 0]]
    slope, bend = (np.array([p.deriv(m)(t) for p in basis]) for m in (1, 2))
    return np.stack(
        [6 * F, 6 * F1, 3 * (F2 + 3 * F), F3 + 7 * F1, 3 * F - t * slope, -np.sin(angle) * (2 * slope - t * bend)]
    )


def directed(six: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """P and R at equally spaced tilts b, from their coefficients (6, ...): two arrays (..., tilts)."""
    b = 2 * np.pi * np.arange(TILTS) / TILTS
    cos, sin = np.cos(b), np.sin(b)
    plane = np.moveaxis(six[:4], 0, -1) @ np.stack([cos**3, cos**2 * sin, cos * sin**2, sin**3])
    return plane, np.moveaxis(six[4:], 0, -1) @ np.stack([cos, sin])
