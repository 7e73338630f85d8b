"""Losses whose second or third derivative is linear between knots, coordinate by coordinate."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from analytic.arguments import (
    array,
    common_shape,
    generator,
    last_axis,
    matrices,
    natural,
    one_of,
    positive,
    settle,
    vectors,
)
from analytic.brief import brief
from analytic.digits import is_precise
from analytic.moments import separable
from analytic.moments.gaussian import Smoothing
from analytic.moments.rules import legendre
from analytic.regularity import Regularity
from maml_bench.arrays import fits, singly, take, unchecked
from maml_bench.problems.noise import NoisyTasks

MOST_TEETH = 10_000
"""Of a sawtooth: each is found from those before."""


@dataclass(frozen=True, eq=False)
class Piecewise:
    """``l(w) = sum_k f_k(w_k)``, the derivative of f_k of the given order linear between knots and constant beyond.

    Every admissible loss of one variable is a limit of these, so a search over them overlooks no instance with d = 1.

    Parameters
    ----------
    knots, values : array (..., d, K)
        Ascending knots and the values of the derivative there; a repeated knot is a jump. Leading axes are task axes.
    slope : array (..., d)
        ``f_k'(0)``; ``f_k(0) = 0``.
    order : 2 or 3
        Which derivative is given.
    curvature : array (..., d)
        ``f_k''`` on the left of all knots, with ``order=3`` only.

    Notes
    -----
    Certificate, valid everywhere and attained. Coordinates separate, so the Hessian is diagonal and constants are
    those of the worst coordinate. ``order=2``: a function that is linear between knots and constant beyond is largest
    in size at a knot and steepest on a piece, so ``L = max |value|`` and rho is the steepest slope, ``inf`` at a jump;
    ``tau = inf`` unless f'' is constant, for then f''' jumps. ``order=3``: likewise ``rho = max |value|`` and tau the
    steepest slope; f'' is a parabola on each piece, largest in size at a knot or at its vertex, where f''' = 0. One
    task has ``sigma = 0``; for several no sigma is claimed.

    Raises
    ------
    ValueError
        If knots do not ascend, shapes do not match, an entry is not finite, or with ``order=3`` the first or last
        value is not 0 (f'' would be unbounded).

    Examples
    --------
    >>> from maml_bench.problems import Piecewise
    >>> tasks = Piecewise(knots=np.array([[0.0, 1.0]]), values=np.array([[-1.0, 1.0]]), slope=np.zeros((1, 1)))
    >>> tasks.regularity.L, tasks.regularity.rho
    (1.0, 2.0)
    >>> tasks.hess(np.array([0.5]))
    array([[[0.]]])
    """

    __repr__ = brief

    knots: np.ndarray
    values: np.ndarray
    slope: np.ndarray
    order: int = 2
    curvature: Any = 0.0

    def __post_init__(self):
        settle(self, knots=matrices, values=matrices, slope=vectors, curvature=self._for_each_slope)
        one_of("order", self.order, (2, 3))
        if self.knots.shape[-2:] != self.values.shape[-2:]:
            raise ValueError(f"values has shape {self.values.shape}: the last two axes must be those of knots")
        last_axis("slope", self.slope, self.knots.shape[-2], like="knots, the last axis but one")
        common_shape(knots=self.knots.shape[:-2], values=self.values.shape[:-2], slope=self.slope.shape[:-1])
        if (np.diff(self.knots) < 0).any():
            raise ValueError("knots: must ascend")
        if self.order == 3 and self.values[..., [0, -1]].any():
            raise ValueError("values: with order=3 the first and the last must be 0, or the curvature is unbounded")

    def _for_each_slope(self, name, value):
        return np.broadcast_to(array(name, value, 0), self.slope.shape)

    @classmethod
    def random(cls, dim: int, tasks: int, rng, pieces: int = 6) -> "Piecewise":
        """Tasks with standard normal knots, curvatures in [-1, 1] and slopes of unit size."""
        floats = natural("dim", dim) * natural("tasks", tasks) * natural("pieces", pieces)
        fits(floats, f"dim = {dim}, tasks = {tasks}, pieces = {pieces}")
        rng = generator("rng", rng)
        knots = np.sort(rng.standard_normal((tasks, dim, pieces)))
        values = rng.uniform(-1, 1, knots.shape)
        return cls(knots, values, rng.standard_normal((tasks, dim)) / np.sqrt(dim))

    @classmethod
    def sawtooth(cls, alpha: float, steps: int, slope: float, width: float) -> "Piecewise":
        """Curvature -1 at all points of the inner path from 0, rising beside each at the rate 1 up to ``width - 1``.

        For ``width -> 0`` gradients grow by 1 + alpha at every step, and when the start moves, the curvatures at all
        points of the path rise at the rate rho = 1: all terms of the derivative of the meta gradient have one sign,
        and their sum is ``q^(2N) L + (rho/L) q^(2N-1) (q^N - 1) ||l'(0)||``, the L_w of Proposition 1.

        Raises
        ------
        ValueError
            If the teeth overlap: ``alpha slope`` must exceed 2 width. Or for an argument outside its range.
        """
        alpha, slope, width = positive("alpha", alpha), positive("slope", slope), positive("width", width)
        if not alpha * slope > 2 * width:
            raise ValueError(f"alpha slope = {alpha * slope:g}: must exceed 2 width = {2 * width:g}")
        if natural("steps", steps) > MOST_TEETH:
            raise ValueError(f"steps = {steps}: must be at most {MOST_TEETH}")
        points = np.zeros(1)
        try:
            with np.errstate(all="ignore"):  # what overflows is no knot
                for _ in range(steps + 1):
                    knots = (points[::-1, None] + width * np.array([-1.0, 0.0, 1.0])).ravel()
                    values = np.tile([width - 1, -1.0, width - 1], len(points))
                    loss = cls(knots[None], values[None], np.array([slope]))
                    points = np.append(points, points[-1:] - alpha * loss.grad(points[-1:]))
        except ValueError as error:
            words = f"alpha = {alpha:g}, slope = {slope:g}, width = {width:g}"
            raise ValueError(f"{words}: the teeth overlap, or are out of range ({error})") from error
        return loss

    @property
    def reach(self) -> float:
        """The largest distance of a knot from 0: what gradients are computed from."""
        return float(np.abs(self.knots).max())

    @property
    def dim(self) -> int:
        return self.knots.shape[-2]

    @cached_property
    def batch_shape(self) -> tuple[int, ...]:
        return np.broadcast_shapes(self.knots.shape[:-2], self.values.shape[:-2], self.slope.shape[:-1])

    @cached_property
    def constants(self) -> tuple[np.ndarray, ...]:
        """L, rho and tau of each task."""
        widths, rises = np.diff(self.knots), np.diff(self.values)
        with np.errstate(divide="ignore", invalid="ignore"):
            steepest = np.where(rises == 0, 0.0, np.abs(rises) / widths).max((-2, -1), initial=0.0)
        largest = np.abs(self.values).max((-2, -1))
        if self.order == 2:
            found = largest, steepest, np.where(steepest > 0, np.inf, 0.0)
        else:
            c0, c1, c2 = np.moveaxis(self._second, -1, 0)
            turning = np.divide(-c1, 2 * c2, out=np.zeros_like(c1), where=c2 != 0)[..., 1:-1]
            vertex = np.clip(turning, 0, widths)
            inner = c0[..., 1:-1] + vertex * (c1[..., 1:-1] + vertex * c2[..., 1:-1])
            found = np.maximum(np.abs(c0), np.abs(inner).max(-1, keepdims=True)).max((-2, -1)), largest, steepest
        return tuple(np.broadcast_to(value, self.batch_shape) for value in found)

    @cached_property
    def regularity(self) -> Regularity:
        L, rho, tau = (value.max() for value in self.constants)
        several = np.prod(self.batch_shape) > 1
        return Regularity(L=L, rho=rho, tau=tau, sigma=np.inf if several else 0.0)

    @cached_property
    def _second(self) -> np.ndarray:
        """f'' on the K + 1 pieces as a polynomial in the distance from `_base`, (..., d, K + 1, 3), lowest first."""
        knots, values = np.broadcast_arrays(self.knots, self.values)
        widths, rises = np.diff(knots), np.diff(values)
        slopes = np.divide(rises, widths, out=np.zeros_like(rises), where=widths > 0)
        pad = [(0, 0)] * (slopes.ndim - 1) + [(1, 1)]
        if self.order == 2:
            start = np.concatenate([values[..., :1], values], axis=-1)
            return np.stack([start, np.pad(slopes, pad), np.zeros_like(start)], axis=-1)
        rise = np.cumsum(widths * (values[..., 1:] + values[..., :-1]) / 2, axis=-1)
        left = np.broadcast_to(self.curvature, (*self.batch_shape, self.dim))[..., None]
        rise = np.broadcast_to(rise, (*left.shape[:-1], rise.shape[-1]))
        start = np.concatenate([left, left, left + rise], axis=-1)
        linear = np.pad(values[..., :-1], pad)
        return np.stack(np.broadcast_arrays(start, linear, np.pad(slopes, pad) / 2), axis=-1)

    @cached_property
    def _base(self) -> np.ndarray:
        return np.concatenate([self.knots[..., :1], self.knots], axis=-1)

    @cached_property
    def _polynomials(self) -> list[np.ndarray]:
        """Polynomials of f, f' and f'' on the pieces, with the constants that make them continuous."""
        shape = (*self.batch_shape, *self.knots.shape[-2:])
        widths = np.diff(np.broadcast_to(self.knots, shape))
        found = [np.broadcast_to(self._second, (*shape[:-1], shape[-1] + 1, 3))]
        for at_origin in (self.slope, np.zeros_like(self.slope)):
            lower = found[0] / np.arange(1.0, found[0].shape[-1] + 1)
            grown = np.concatenate([np.zeros((*lower.shape[:-1], 1)), lower], axis=-1)
            gains = np.cumsum(_horner(grown[..., 1:-1, :], widths), axis=-1)
            grown[..., 2:, 0] = gains
            origin = np.zeros((*shape[:-2], self.dim))
            grown[..., 0] += (at_origin - self._value(grown, origin))[..., None]
            found.insert(0, grown)
        return found

    def _value(self, polynomials, w):
        """Piecewise polynomials at points (..., d)."""
        w = np.broadcast_to(w, np.broadcast_shapes(w.shape, (*self.batch_shape, self.dim)))
        piece = (w[..., None] >= self.knots).sum(-1)
        cells = int(np.prod(self.batch_shape)) * self.dim
        flat = np.arange(cells), piece.reshape(-1, cells)
        base = np.broadcast_to(self._base, polynomials.shape[:-1]).reshape(cells, -1)[flat].reshape(w.shape)
        chosen = polynomials.reshape(cells, *polynomials.shape[-2:])[flat].reshape(*w.shape, -1)
        return _horner(chosen, w - base)

    def gradient_gap(self, other: "Piecewise") -> np.ndarray:
        """``||grad l(w) - grad l_other(w)||`` per task, whatever w, for two arrays with the same curvature."""
        for name in ("order", "knots", "values", "curvature"):
            if not np.array_equal(getattr(self, name), getattr(other, name)):
                raise ValueError(f"{name} must be that of the other tasks: otherwise no bound holds for all w")
        return np.broadcast_to(np.linalg.norm(self.slope - other.slope, axis=-1), self.batch_shape)

    def with_noise(self, noise) -> NoisyTasks:
        return NoisyTasks(self, noise)

    def __getitem__(self, index) -> "Piecewise":
        fields = take(index, self.batch_shape, (self.knots, 2), (self.values, 2), (self.slope, 1), (self.curvature, 1))
        knots, values, slope, curvature = fields
        return unchecked(self, knots=knots, values=values, slope=slope, curvature=curvature)

    def sample(self, rng, w, size) -> None:
        """Without a sampling model every batch is exact."""

    def derivative(self, order: int, w: np.ndarray) -> np.ndarray:
        """f_k (order 0), its first or its second derivative at every coordinate of w (..., d)."""
        return self._value(self._polynomials[order], w)

    def loss(self, w, sample=None):
        return self.derivative(0, w).sum(-1)

    def grad(self, w, sample=None):
        return self.derivative(1, w)

    def hvp(self, w, v, sample=None):
        return self.derivative(2, w) * v

    def hess(self, w, sample=None):
        return self.derivative(2, w)[..., None] * np.eye(self.dim)

    def corners(self) -> np.ndarray:
        """Where the second derivative of each task has corners, ``(..., d, K)``."""
        return self.knots

    def smoothings(self, w, nu) -> list[Smoothing]:
        """The smoothed loss of every task, w with one row a task."""
        points, mass = legendre(2, is_precise(nu))  # exact for f'' (1 - t), of degree 3

        def smooth(task, at):
            def hess(x):
                return np.moveaxis(task.derivative(2, np.moveaxis(x, 0, -1)), -1, 0)

            def rise(x, s):
                """``f'(x + s) - f'(x)`` and ``f(x + s) - f(x) - s f'(x)``, integrals of f'' from knot to knot: no
                difference loses digits.
                """
                cuts = np.clip((task.knots[:, None] - x[..., None]) / np.where(s == 0, 1, s)[..., None], 0, 1)
                edges = np.sort(np.concatenate([0 * cuts[..., :1], cuts, 0 * cuts[..., :1] + 1], axis=-1))
                half = np.diff(edges)[..., None] / 2
                t = edges[..., :-1, None] + half * (1 + points)
                parts = half * mass * hess(x[..., None, None] + t * s[..., None, None])
                return s * np.sum(parts, axis=(-2, -1)), s**2 * np.sum((1 - t) * parts, axis=(-2, -1))

            def bend(x, s):
                return rise(x, s)[1] + rise(x, -s)[1]

            loss, grad = task.loss(at), task.grad(at)
            return separable.smoothing(loss, grad, lambda x, s: rise(x, s)[0], bend, hess, task.knots, at, nu)

        return [smooth(task, at) for task, at in zip(singly(self), w, strict=True)]


def _horner(coefficients, t):
    value = coefficients[..., -1]
    for k in range(coefficients.shape[-1] - 2, -1, -1):
        value = value * t + coefficients[..., k]
    return value
