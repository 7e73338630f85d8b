"""Sine regression with a small ReLU network, as in Section 5.2 of arXiv 2002.07836."""

import math
from dataclasses import dataclass

import numpy as np

from analytic.arguments import generator, natural, settle, vectors
from analytic.brief import brief
from maml_bench.arrays import by_blocks, fits
from maml_bench.problems.network import ReluNetwork

NETWORK = ReluNetwork((1, 40, 40, 1))
AMPLITUDE, PHASE, INPUT = (0.1, 5.0), (0.0, np.pi), (-5.0, 5.0)


@dataclass(frozen=True, eq=False)
class SineRegression:
    """Mean squared error of the network 1-40-40-1 on each task's points ``(x, y)``; the parameter has 1761 entries.

    It has ``loss``, ``grad`` and ``hvp`` of every other family, but no certificate: no constants L and rho hold for a
    ReLU network, so no claim can be checked on it.

    Parameters
    ----------
    x, y : array (..., points)
        Leading axes are task axes.

    Raises
    ------
    ValueError
        If an entry is not finite or the shapes differ.

    Examples
    --------
    >>> from maml_bench.problems import SineRegression
    >>> tasks = SineRegression.random(np.random.default_rng(0), 5)
    >>> tasks.batch_shape, tasks.dim
    ((5,), 1761)
    """

    __repr__ = brief

    x: np.ndarray
    y: np.ndarray

    def __post_init__(self):
        settle(self, x=vectors, y=vectors)
        if self.y.shape != self.x.shape:
            raise ValueError(f"y has shape {self.y.shape}: must be that of x, {self.x.shape}")

    @classmethod
    def random(cls, rng: np.random.Generator, size: int | tuple[int, ...], points: int = 20) -> "SineRegression":
        """Tasks ``y = A sin(x - phi)``: A uniform on (0.1, 5), phi on (0, pi), inputs on (-5, 5)."""
        size = tuple(natural("size", one) for one in (size if isinstance(size, tuple) else (size,)))
        fits(math.prod(size) * natural("points", points), f"size = {size}, points = {points}")
        rng = generator("rng", rng)
        amplitude, phase = rng.uniform(*AMPLITUDE, (*size, 1)), rng.uniform(*PHASE, (*size, 1))
        x = rng.uniform(*INPUT, (*size, points))
        return cls(x, amplitude * np.sin(x - phase))

    @property
    def dim(self) -> int:
        return NETWORK.dim

    @property
    def batch_shape(self) -> tuple[int, ...]:
        return self.x.shape[:-1]

    def __getitem__(self, index) -> "SineRegression":
        """The tasks at an index of the task axes."""
        return SineRegression(self.x[index], self.y[index])

    def loss(self, w: np.ndarray, sample=None) -> np.ndarray:
        return np.square(self._residual(NETWORK.value(w, self.x[..., None]))).mean((-2, -1))

    def grad(self, w: np.ndarray, sample=None) -> np.ndarray:
        return self._by_blocks(lambda w: NETWORK.gradient(w, self.x[..., None], self._slope), w)

    def hvp(self, w: np.ndarray, v: np.ndarray, sample=None) -> np.ndarray:
        x, curvature = self.x[..., None], lambda outputs, change: self._scale * change
        return self._by_blocks(lambda w, v: NETWORK.hvp(w, v, x, self._slope, curvature), w, v)

    def _by_blocks(self, function, *points):
        """The function by blocks of the axis before those of the tasks: activations are larger than a cache."""
        lead = np.broadcast_shapes(points[0].shape[:-1], self.batch_shape)
        if max(point.ndim for point in points) <= self.x.ndim:  # there is no such axis
            return function(*points)
        return by_blocks(function, math.prod(lead[1:]) * self.x.shape[-1] * max(NETWORK.widths), *points)

    @property
    def _scale(self):
        return 2 / self.x.shape[-1]

    def _residual(self, outputs):
        return outputs - self.y[..., None]

    def _slope(self, outputs):
        return self._scale * self._residual(outputs)
