"""Sampling models: what one stochastic sample adds to the population loss, and its certified variances.

A model has ``sigma_g``, ``sigma_H`` and ``draw(rng, shape, dim, size)``, or ``draw_at(rng, w, size)`` where its law
depends on the point. It returns a sample with ``loss(w)``, ``grad(w)``, ``hvp(w, v)`` and ``hess(w)``. Where that has
a mirror image ``-sample``, both are used, so it must have the law of the sample: of a `LinearTerm` the sign changes, as
is right for symmetric laws alone; a skewed one takes a sample of its own, `TwoPointTerm` or one without ``__neg__``.

What else a model states is a capability, of one of yours too; nothing asks for its class:

- ``largest_noise``, ``largest_hessian_noise``: no sample's gradient (Hessian) is farther from its mean than this;
- ``isotropic = True``: at every point the gradient noise has mean zero and the covariance ``(sigma_g^2/d) I``;
- ``odd = True``: the mirror image of a sample has the opposite gradient noise at every point;
- ``additive = True``: a sample adds a linear term. Its gradient noise, of mean zero, is the same wherever it is
  evaluated, and its Hessian is exact;
- ``gaussian = True``: ``draw`` returns a `LinearTerm` whose slope has the law ``N(0, sigma_g^2/(d size) I)``;
- ``hessian_factor(A, D)``: what a batch's Hessian noise does to second moments on a quadratic with the matrix A, a
  factor of `analytic.moments.quadratic`;
- ``path_moments(loss, w, inner)``: exact `PathMoments` of population tasks ``loss`` under this noise, or None.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from analytic.arguments import finite, last_axis, nonnegative, positive, settle, shown, vector
from analytic.brief import brief
from analytic.digits import is_precise
from analytic.moments import quadratic, two_point
from analytic.moments.path import PathMoments
from analytic.regularity import Regularity
from maml_bench.problems.circular import cosine, sine

PATHS, PRECISE_PATHS = 2**16, 2**13
"""Most paths of two-point noise that are enumerated, for all tasks together; and with many digits."""


@dataclass(frozen=True)
class AdditiveGaussian:
    """``l(w; xi) = l(w) + xi.w`` with ``xi ~ N(0, (sigma_g^2/d) I)``.

    ``E||grad l(w; xi) - grad l(w)||^2 = sigma_g^2`` at every w, and the Hessian is exact: ``sigma_H = 0``.

    Examples
    --------
    >>> from maml_bench.problems import AdditiveGaussian, Quadratic
    >>> tasks = Quadratic.concave(2).with_noise(AdditiveGaussian(sigma_g=0.5))
    >>> tasks.regularity.sigma_g, tasks.regularity.sigma_H
    (0.5, 0.0)
    """

    isotropic = additive = odd = gaussian = True

    sigma_g: float

    def __post_init__(self):
        settle(self, sigma_g=nonnegative)

    @property
    def sigma_H(self) -> float:
        return 0.0

    @property
    def largest_noise(self) -> float:
        """No sample's gradient is farther from its mean than this."""
        return np.inf if self.sigma_g else 0.0

    @property
    def largest_hessian_noise(self) -> float:
        """No sample's Hessian is farther from its mean than this, in the spectral norm."""
        return 0.0

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...], dim: int, size: int) -> "LinearTerm":
        """The mean of ``size`` samples for each of ``shape`` points; its law is drawn directly."""
        slope = rng.standard_normal((*shape, dim))
        slope *= self.sigma_g / np.sqrt(dim * size)
        return LinearTerm(slope)


@dataclass(frozen=True, eq=False)
class LinearTerm:
    """The perturbation ``slope.w``; ``slope`` has shape (..., d), and a symmetric law."""

    __repr__ = brief

    slope: np.ndarray

    def __neg__(self):
        return LinearTerm(-self.slope)

    def loss(self, w):
        return np.vecdot(self.slope, w)

    def grad(self, w):
        return self.slope

    def hvp(self, w, v):
        """Nothing to add."""

    def hess(self, w):
        """Nothing to add."""


@dataclass(frozen=True)
class RandomPhase:
    """``l(w; z, phi) = l(w) + a cos(z.w + phi)``, z uniform on the sphere of radius kappa, phi uniform on [0, 2 pi).

    Averaging over phi alone gives, at every w, a zero mean and ``sigma_g^2 = a^2 kappa^2 / 2``,
    ``sigma_H^2 = a^2 kappa^4 / 2`` with equality: Assumption 3 is met with equality everywhere.

    Examples
    --------
    >>> from maml_bench.problems import RandomPhase
    >>> noise = RandomPhase(amplitude=2.0, kappa=3.0)
    >>> round(float(noise.sigma_g**2), 12), noise.largest_noise
    (18.0, 6.0)
    """

    isotropic = odd = True

    amplitude: float
    kappa: float

    def __post_init__(self):
        settle(self, amplitude=nonnegative, kappa=positive)

    @property
    def sigma_g(self) -> float:
        return self.amplitude * self.kappa / np.sqrt(2)

    @property
    def sigma_H(self) -> float:
        return self.amplitude * self.kappa**2 / np.sqrt(2)

    @property
    def largest_noise(self) -> float:
        """No sample's gradient is farther from its mean than this."""
        return self.amplitude * self.kappa

    @property
    def largest_hessian_noise(self) -> float:
        """No sample's Hessian is farther from its mean than this, in the spectral norm."""
        return self.amplitude * self.kappa**2

    def hessian_factor(self, A: np.ndarray, D: int) -> quadratic.Factor:
        """What the Hessian of a batch of D does to second moments on a quadratic with the matrix A (d, d)."""
        return quadratic.random_phase_hessian(A, self.amplitude, self.kappa, D)

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...], dim: int, size: int) -> "Waves":
        direction = rng.standard_normal((*shape, size, dim))
        direction *= (self.kappa / np.sqrt(np.vecdot(direction, direction)))[..., None]
        return Waves(self.amplitude, direction, rng.uniform(0, 2 * np.pi, (*shape, size)))


@dataclass(frozen=True, eq=False)
class Waves:
    """The perturbation: the mean over the batch of ``amplitude cos(direction.w + phase)``.

    ``direction`` has shape (..., batch, d), ``phase`` (..., batch).
    """

    __repr__ = brief

    amplitude: float
    direction: np.ndarray
    phase: np.ndarray

    def __neg__(self):
        return Waves(-self.amplitude, self.direction, self.phase)

    def _angle(self, w):
        return np.matvec(self.direction, w) + self.phase

    @property
    def _weight(self):
        return self.amplitude / self.phase.shape[-1]

    def loss(self, w):
        return self._weight * cosine(self._angle(w)).sum(-1)

    def grad(self, w):
        return np.vecmat(-self._weight * sine(self._angle(w)), self.direction)

    def hvp(self, w, v):
        return np.vecmat(-self._weight * cosine(self._angle(w)) * np.matvec(self.direction, v), self.direction)

    def hess(self, w):
        weighted = -self._weight * cosine(self._angle(w))[..., None] * self.direction
        return weighted.swapaxes(-1, -2) @ self.direction


@dataclass(frozen=True)
class TwoPoint:
    """``l(w; xi) = l(w) + xi.w``: xi has two values on a line, whose law may depend on the point w it is drawn under.

    ``xi = sigma_g (-s +- sqrt(1 + s^2)) e`` with probabilities ``(1 +- s/sqrt(1 + s^2))/2`` and ``s = skew + tilt
    (e.w - c)``, c the nearest of the centres: mean zero and ``E||xi||^2 = sigma_g^2`` at every w, whatever s, and the
    Hessian is exact (`analytic.moments.two_point`, which also has exact expectations). With s = 0 a fair coin, with
    large s a rare large error against many small ones.

    Parameters
    ----------
    sigma_g : float
    skew, tilt : float
    centers : array (m,)
        Points of the line along e, from the nearest of which the tilt counts.
    direction : array (d,)
        The unit vector e; by default the first axis.

    Raises
    ------
    ValueError
        If an argument is not finite, sigma_g is negative or direction is not of length 1.

    Examples
    --------
    >>> from maml_bench.problems import Quadratic, TwoPoint
    >>> tasks = Quadratic.concave(1).with_noise(TwoPoint(sigma_g=2.0))  # a fair coin: w -> l'(w) +- 2
    >>> sample = tasks.sample(np.random.default_rng(0), np.ones(1), size=1)
    >>> np.abs(tasks.grad(np.ones(1), sample) - tasks.grad(np.ones(1)))
    array([[2.]])
    """

    additive = True

    sigma_g: float
    skew: float = 0.0
    tilt: float = 0.0
    centers: tuple[float, ...] = (0.0,)
    direction: tuple[float, ...] | None = None

    def __post_init__(self):
        settle(self, sigma_g=nonnegative, skew=finite, tilt=finite, centers=_numbers)
        if self.direction is not None:
            settle(self, direction=_numbers)
            length = math.hypot(*self.direction)
            if abs(length - 1) > 1e-12:
                raise ValueError(f"direction has length {length:g}: must be 1")

    @property
    def sigma_H(self) -> float:
        return 0.0

    @property
    def largest_noise(self) -> float:
        """No sample's gradient is farther from its mean than this, if the law does not depend on the point."""
        if self.tilt and self.sigma_g:
            return np.inf
        return self.sigma_g * (abs(self.skew) + math.hypot(1, self.skew))

    @property
    def largest_hessian_noise(self) -> float:
        """No sample's Hessian is farther from its mean than this, in the spectral norm."""
        return 0.0

    def along(self, dim: int) -> np.ndarray:
        """The unit vector e (d,).

        Raises
        ------
        ValueError
            If the direction was given in another dimension.
        """
        if self.direction is None:
            return np.eye(dim)[0]
        last_axis("direction", np.asarray(self.direction), dim, like="the tasks")
        return np.asarray(self.direction)

    def parameter(self, w: np.ndarray) -> np.ndarray:
        """s at points (..., d)."""
        offsets = (w @ self.along(w.shape[-1]))[..., None] - np.asarray(self.centers)
        return self.skew + self.tilt * nearest(offsets)

    def path_moments(self, loss, w: np.ndarray, inner) -> PathMoments | None:
        """Exact moments by enumeration of the paths from w (d,); None if there are too many."""
        most = PRECISE_PATHS if is_precise(w) else PATHS
        if math.prod(loss.batch_shape) * (inner.S + 1) ** inner.steps > most:
            return None
        start = np.broadcast_to(w, (*loss.batch_shape, loss.dim))
        law = start, self.along(loss.dim), inner.alpha, inner.steps, self.sigma_g, inner.S, inner.T
        return two_point.path_moments(loss.grad, loss.hvp, self.parameter, *law)

    def draw_at(self, rng: np.random.Generator, w: np.ndarray, size: int) -> "TwoPointTerm":
        """The mean of ``size`` samples for each point of w (..., d)."""
        values, mass = two_point.outcomes(self.sigma_g, self.parameter(w), size)
        uniform, cumulative = rng.uniform(size=w.shape[:-1]), np.cumsum(mass, axis=0)
        e = self.along(w.shape[-1])

        def slope(level):
            index = np.minimum((level >= cumulative).sum(0), size)
            return np.take_along_axis(values, index[None], axis=0)[0][..., None] * e

        return TwoPointTerm(slope(uniform), slope(1 - uniform))


def nearest(offsets: np.ndarray) -> np.ndarray:
    """Of each point's offsets from the centres (..., m), the smallest (...)."""
    return np.take_along_axis(offsets, np.abs(offsets).argmin(-1, keepdims=True), -1)[..., 0]


@dataclass(frozen=True, eq=False)
class TwoPointTerm(LinearTerm):
    """A linear term whose mirror image is the same quantile from the other end of the law, not of opposite sign."""

    __repr__ = brief

    mirror: np.ndarray

    def __neg__(self):
        return TwoPointTerm(self.mirror, self.slope)


@dataclass(frozen=True, eq=False)
class NoisyTasks:
    """Population tasks whose samples carry an independent perturbation.

    Examples
    --------
    >>> from maml_bench.problems import NoisyTasks, Quadratic, RandomPhase
    >>> tasks = NoisyTasks(Quadratic.concave(2), RandomPhase(amplitude=1.0, kappa=1.0))
    >>> sample = tasks.sample(np.random.default_rng(0), np.ones(2), size=10)
    >>> bool(np.any(tasks.grad(np.ones(2), sample) != tasks.grad(np.ones(2))))
    True
    """

    __repr__ = brief

    population: Any  # Tasks without noise
    noise: Any

    def __post_init__(self):
        for name, attribute, words in (
            ("population", "batch_shape", "tasks"),
            ("noise", "sigma_g", "a sampling model"),
        ):
            if not hasattr(part := getattr(self, name), attribute):
                raise ValueError(f"{name} = {shown(part)}: must be {words}")

    @property
    def dim(self) -> int:
        return self.population.dim

    @property
    def batch_shape(self) -> tuple[int, ...]:
        return self.population.batch_shape

    @cached_property
    def regularity(self) -> Regularity:
        return replace(self.population.regularity, sigma_g=self.noise.sigma_g, sigma_H=self.noise.sigma_H)

    @property
    def largest_noise(self) -> float:
        return getattr(self.noise, "largest_noise", np.inf)

    @property
    def largest_hessian_noise(self) -> float:
        return getattr(self.noise, "largest_hessian_noise", np.inf)

    def __getitem__(self, index) -> "NoisyTasks":
        return NoisyTasks(self.population[index], self.noise)

    def loss(self, w, sample=None):
        return _plus(self.population.loss(w), sample and sample.loss(w))

    def grad(self, w, sample=None):
        return _plus(self.population.grad(w), sample and sample.grad(w))

    def hvp(self, w, v, sample=None):
        return _plus(self.population.hvp(w, v), sample and sample.hvp(w, v))

    def hess(self, w, sample=None):
        return _plus(self.population.hess(w), sample and sample.hess(w))

    def sample(self, rng: np.random.Generator, w: np.ndarray, size: int):
        """Independent data for each leading index of ``w`` and each task: the mean of ``size`` samples."""
        shape = np.broadcast_shapes(w.shape[:-1], self.batch_shape)
        if hasattr(self.noise, "draw_at"):  # its law depends on the point
            return self.noise.draw_at(rng, np.broadcast_to(w, (*shape, self.dim)), size)
        return self.noise.draw(rng, shape, self.dim, size)


def population(tasks: Any) -> Any:
    """The tasks without their sampling model."""
    return getattr(tasks, "population", tasks)


def states(tasks: Any, capability: str) -> bool:
    """Whether the tasks have a sampling model that states a capability, such as ``isotropic``."""
    return bool(getattr(getattr(tasks, "noise", None), capability, False))


def _plus(value, perturbation):
    return value if perturbation is None else value + perturbation


@dataclass(frozen=True, eq=False)
class Resampled:
    """Tasks whose samples come from ``draw(tasks, rng, w, size)`` in place of their own."""

    tasks: Any
    draw: Callable

    @property
    def dim(self) -> int:
        return self.tasks.dim

    @property
    def batch_shape(self) -> tuple[int, ...]:
        return self.tasks.batch_shape

    @property
    def regularity(self) -> Regularity:
        return self.tasks.regularity

    def __getitem__(self, index) -> "Resampled":
        return Resampled(self.tasks[index], self.draw)

    def loss(self, w, sample=None):
        return self.tasks.loss(w, sample)

    def grad(self, w, sample=None):
        return self.tasks.grad(w, sample)

    def hvp(self, w, v, sample=None):
        return self.tasks.hvp(w, v, sample)

    def hess(self, w, sample=None):
        return self.tasks.hess(w, sample)

    def sample(self, rng, w, size):
        return self.draw(self.tasks, rng, w, size)


def Mirrored(tasks) -> Resampled:
    """Tasks whose samples are ``-sample``: equal in law to the original, with errors of opposite sign.

    Run an algorithm once on ``tasks`` and once on ``Mirrored(tasks)`` with generators in the same state, and average:
    whatever is odd in the noise cancels. A sample without a mirror image stands for itself.
    """
    return Resampled(tasks, _mirror)


def Given(tasks, samples: Iterator[Any]) -> Resampled:
    """Tasks whose samples are given: the first batch drawn is the first of ``samples``, and so on.

    Batches beyond the last are None, the population. It serves one run of an algorithm.
    """
    return Resampled(tasks, lambda *_: next(samples, None))


def _mirror(tasks, rng, w, size):
    drawn = tasks.sample(rng, w, size)
    return -drawn if has_mirror_image(drawn) else drawn


def has_mirror_image(sample: Any) -> bool:
    """Whether ``-sample`` exists."""
    return getattr(sample, "__neg__", None) is not None


def _numbers(name, value):
    return tuple(vector(name, value).tolist())
