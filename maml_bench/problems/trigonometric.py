"""Trigonometric tasks: smooth, non-convex, with every derivative bounded."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analytic.arguments import common_shape, generator, last_axis, matrices, natural, settle, symmetric, vectors
from analytic.brief import brief
from analytic.moments import trigonometric as moments
from analytic.moments.gaussian import Smoothing
from analytic.regularity import Regularity
from maml_bench.arrays import fits, into, jets, listed, matvec, random_orthogonal, select, transposed_matvec, unchecked
from maml_bench.problems.bowl import Bowl
from maml_bench.problems.circular import double_cosine, half_sine, sine_rise, squared_sine
from maml_bench.problems.noise import NoisyTasks
from maml_bench.problems.quadratic import Quadratic


@dataclass(frozen=True, eq=False)
class Trigonometric:
    """``l(w) = w.Aw/2 - b.w + sum_k a_k cos(v_k.w + phi_k)`` with a shared positive semidefinite A and orthogonal v_k.

    Parameters
    ----------
    A : array (d, d)
        Symmetric positive semidefinite, shared by all tasks.
    b : array (..., d)
    amplitude, phase : array (..., K)
        a_k and phi_k.
    frequency : array (..., K, d)
        Rows v_k, orthogonal within a task.

    Notes
    -----
    Certificate. The rows v_k are orthogonal, so some w gives the cosines any angles at will, and in the directions
    ``v_k/||v_k||`` they act on separate coordinates. Hence L, rho and tau are attained. L: the Hessian
    ``A - sum_k a_k cos(angle_k) v_k v_k'`` lies between ``A - P`` and ``A + P`` with ``P = sum_k |a_k| v_k v_k'``, and
    reaches both, so L is the largest of the top eigenvalues of ``A + P`` and ``P - A``. Higher derivatives come from
    the cosines alone: ``rho = max |a_k| ||v_k||^3`` and ``tau = max |a_k| ||v_k||^4``. The cosines' gradient of task i
    has norm at most ``G_i = (sum_k a_k^2 ||v_k||^2)^(1/2)``, so by Minkowski
    ``sigma <= sd(b_i) + (mean G_i^2)^(1/2)``; where all tasks share the cosines the second term drops.

    Raises
    ------
    ValueError
        If A is not symmetric positive semidefinite, rows of ``frequency`` are not orthogonal, an entry is not finite,
        or shapes do not match.

    Examples
    --------
    >>> from maml_bench.problems import Trigonometric
    >>> tasks = Trigonometric.random(dim=3, tasks=4, rng=0)
    >>> tasks.grad(np.ones((10, 1, 3))).shape  # ten points, four tasks
    (10, 4, 3)
    """

    __repr__ = brief

    A: np.ndarray
    b: np.ndarray
    amplitude: np.ndarray
    frequency: np.ndarray
    phase: np.ndarray

    def __post_init__(self):
        settle(self, A=symmetric, b=vectors, amplitude=vectors, frequency=matrices, phase=vectors)
        if self.A.ndim != 2:
            raise ValueError(f"A has shape {self.A.shape}: must be one (d, d) matrix, shared by all tasks")
        smallest = np.linalg.eigvalsh(self.A)[0]
        if smallest < -1e-12 * np.abs(self.A).max():
            raise ValueError(f"A has the eigenvalue {smallest:g}: must be positive semidefinite")
        last_axis("b", self.b, self.dim, like="A")
        last_axis("frequency", self.frequency, self.dim, like="A")
        count = self.frequency.shape[-2]
        last_axis("amplitude", self.amplitude, count, like="the rows of frequency")
        last_axis("phase", self.phase, count, like="the rows of frequency")
        common_shape(**{name: value.shape[:-core] for name, (value, core) in self._fields.items()})
        products = self.frequency @ self.frequency.swapaxes(-1, -2)
        squares = np.diagonal(products, axis1=-2, axis2=-1)
        overlap = np.abs(products - squares[..., None] * np.eye(count)).max()
        if overlap > 1e-10 * squares.max():
            raise ValueError(f"frequency: rows must be orthogonal; two have the inner product {overlap:g}")

    @classmethod
    def random(cls, dim: int, tasks: int, rng) -> "Trigonometric":
        """Tasks with d cosines each: ``||v_k||`` in [1, 2], ``|a_k| ||v_k||^2`` in [0.2, 1], and ``||A|| = 1/2``."""
        fits(natural("tasks", tasks) * natural("dim", dim) * dim, f"dim = {dim}, tasks = {tasks}")
        rng = generator("rng", rng)
        basis = random_orthogonal(rng, (), dim)
        A = (basis * (0.5 * np.append(rng.uniform(0, 1, dim - 1), 1.0))) @ basis.T
        length = rng.uniform(1, 2, (tasks, dim))
        return cls(
            A,
            b=rng.standard_normal((tasks, dim)) / np.sqrt(dim),
            amplitude=rng.uniform(0.2, 1, (tasks, dim)) / length**2,
            frequency=length[..., None] * random_orthogonal(rng, (tasks,), dim),
            phase=rng.uniform(0, 2 * np.pi, (tasks, dim)),
        )

    @property
    def _fields(self):
        """Fields that may carry task axes, with the number of axes that describe one task."""
        return {
            "b": (self.b, 1),
            "amplitude": (self.amplitude, 1),
            "frequency": (self.frequency, 2),
            "phase": (self.phase, 1),
        }

    @property
    def dim(self) -> int:
        return self.A.shape[-1]

    @cached_property
    def batch_shape(self) -> tuple[int, ...]:
        return np.broadcast_shapes(*(value.shape[:-core] for value, core in self._fields.values()))

    @cached_property
    def regularity(self) -> Regularity:
        length = np.linalg.norm(self.frequency, axis=-1)
        size = np.abs(self.amplitude)
        slopes = np.broadcast_to(self.b, (*self.batch_shape, self.dim)).reshape(-1, self.dim)
        spread = np.sqrt(((slopes - slopes.mean(0)) ** 2).sum(-1).mean())
        own_cosines = any(value.ndim > core for value, core in list(self._fields.values())[1:])
        several = len(slopes) > 1
        waves = np.sqrt(np.mean(np.sum((size * length) ** 2, axis=-1))) if own_cosines and several else 0.0
        waviness = self.frequency.swapaxes(-1, -2) @ (size[..., None] * self.frequency)
        extremes = [np.linalg.eigvalsh(matrix)[..., -1].max() for matrix in (waviness + self.A, waviness - self.A)]
        return Regularity(
            L=max(*extremes, 0.0),
            rho=(size * length**3).max(),
            tau=(size * length**4).max(),
            sigma=spread + waves,
        )

    @cached_property
    def infimum(self) -> np.ndarray:
        """A lower bound of each task: the minimum of its quadratic less ``sum_k |a_k|``; -inf if A is singular."""
        return Quadratic(self.A, self.b).infimum - np.abs(self.amplitude).sum(-1)

    @cached_property
    def bowl(self) -> Bowl:
        """A and b, with the bounds on what the cosines add."""
        size, square = np.abs(self.amplitude), np.vecdot(self.frequency, self.frequency)
        slope = np.broadcast_to(np.sqrt(np.sum(size**2 * square, axis=-1)), self.batch_shape)
        return Bowl(self.A, listed(self.b, self.batch_shape, 1), slope.reshape(-1), float((size * square).max()))

    def gradient_gap(self, other: "Trigonometric") -> np.ndarray:
        """A bound, per task, on ``||grad l(w) - grad l_other(w)||`` for all w; cosines that differ may add up."""
        if not np.array_equal(self.A, other.A):
            raise ValueError("A must be that of the other tasks: otherwise no bound holds for all w")
        slopes = np.linalg.norm(self.b - other.b, axis=-1)
        ours, theirs = ([value for value, _ in list(tasks._fields.values())[1:]] for tasks in (self, other))
        if all(map(np.array_equal, ours, theirs)):
            return slopes
        squares = (np.sum(t.amplitude**2 * np.vecdot(t.frequency, t.frequency), axis=-1) for t in (self, other))
        return slopes + sum(map(np.sqrt, squares))

    def with_noise(self, noise) -> NoisyTasks:
        return NoisyTasks(self, noise)

    def __getitem__(self, index) -> "Trigonometric":
        return select(self, index, b=1, amplitude=1, frequency=2, phase=1)

    def sample(self, rng, w, size) -> None:
        """Without a sampling model every batch is exact."""

    @cached_property
    def _halves(self):
        return self.frequency / 2, self.phase / 2

    @cached_property
    def _weighted(self):
        """The rows ``2 a_k v_k``: their product with half sines has the amplitudes in it without a pass of its own."""
        return 2 * self.amplitude[..., None] * self.frequency

    def _half(self, w):
        """Half the angle of every cosine."""
        frequency, phase = self._halves
        return into(np.add, matvec(frequency, w), phase)

    def loss(self, w, sample=None):
        smooth = np.vecdot(w, matvec(self.A, w)) / 2 - np.vecdot(self.b, w)
        return smooth + np.vecdot(self.amplitude, double_cosine(self._half(w)))

    def grad(self, w, sample=None):
        waves = transposed_matvec(self._weighted, half_sine(self._half(w)))
        return into(np.subtract, into(np.subtract, matvec(self.A, w), self.b), waves)

    def hvp(self, w, v, sample=None):
        bent = into(np.multiply, matvec(self._halves[0], v), double_cosine(self._half(w)))
        return into(np.subtract, matvec(self.A, v), transposed_matvec(self._weighted, bent))

    def hess(self, w, sample=None):
        bent = double_cosine(self._half(w))[..., None] * self._halves[0]
        return self.A - self._weighted.swapaxes(-1, -2) @ bent

    def gradient_quotients(self, w, nu):
        """``A u - sum_k a_k [sin(angle_k + nu v_k.u) - sin(angle_k)] v_k / nu``, of one part a cosine, see `Tasks`."""
        rise, half = sine_rise(self._half(w), self.amplitude / nu), nu * self._halves[0]

        def combined(waves, u):
            return into(np.subtract, matvec(self.A, u), transposed_matvec(self.frequency, waves))

        return lambda u: rise(matvec(half, u)), combined

    def loss_quotients(self, w, nu):
        """``u.Au/2 - (2/nu^2) sum_k a_k cos(angle_k) sin^2(nu v_k.u/2)``, see `Tasks`."""
        bend = into(np.multiply, double_cosine(self._half(w)), 2 / nu**2 * self.amplitude)
        half = nu * self._halves[0]

        def quotients(u):
            return np.vecdot(u, matvec(self.A / 2, u)) - np.vecdot(squared_sine(matvec(half, u)), bend)

        return quotients

    def smoothings(self, w, nu) -> list[Smoothing]:
        """The smoothed loss of every task, w with one row a task."""
        smooth = unchecked(self, amplitude=self.amplitude * moments.damping(self.frequency, nu))
        at = w.reshape(*self.batch_shape, -1)
        even = self.amplitude * double_cosine(self._half(at))
        odd = 2 * self.amplitude * half_sine(self._half(at))
        waves = (self.frequency, 2), (even, 1), (odd, 1)
        each = zip(*(listed(wave, self.batch_shape, core) for wave, core in waves), strict=True)
        pairs = zip(jets(smooth, w), each, strict=True)
        return [moments.smoothing(*jet, self.A, k, even, odd, nu) for jet, (k, even, odd) in pairs]
