"""Hessian estimators, as operators on a vector: no d x d matrix is ever formed.

Each estimator has one method, ``operator(tasks, w, D, rng)``. It draws everything random once, independently for every
leading index of ``w`` and every task, and returns a function of ``v``. The function may be called several times, and
``v`` may carry extra leading axes (the columns of the identity, say, as ``(d, 1, ..., 1, d)``): all see the same draw.

Where an estimator takes differences between points, ``data`` says which samples they use:

- ``"resampled"``: fresh batches, each drawn under the point where it is evaluated;
- ``"shared"``: one batch, drawn under ``w`` and evaluated at every point (common random numbers), so that noise which
  does not depend on the point cancels;
- ``"population"``: none; the differences are exact.

What else an estimator may state is in `maml_bench.capabilities`.
"""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from math import inf, prod
from typing import Any

import numpy as np

from analytic.arguments import natural, one_of, positive, settle, shown
from maml_bench.arrays import FLOATS_IN_CACHE, into
from maml_bench.capabilities import AlongDirections, CombinedMean, DirectionMean, Operator
from maml_bench.problems.noise import population
from maml_bench.problems.protocol import Tasks

DATA = ("resampled", "shared", "population")

BASELINES = ("point", "mean")

# Temporaries of one block of directions stay near 32 MB. Under "resampled" the blocks order the draws, so changing
# this changes the numbers drawn, not their law.
FLOATS_PER_BLOCK = 2**22


@dataclass(frozen=True)
class ExactHessian:
    """The Hessian of one fresh batch of D samples drawn under w (eq. 8 of arXiv 2002.07836).

    Examples
    --------
    >>> from maml_bench.hessians import ExactHessian
    >>> from maml_bench.problems import Quadratic
    >>> product = ExactHessian().operator(Quadratic.concave(2), np.ones(2), 1, np.random.default_rng(0))
    >>> product(np.array([1.0, 2.0]))
    array([[-1., -2.]])
    """

    kind = "sampled"
    columns = linear = symmetric = True

    def operator(self, tasks: Tasks, w: np.ndarray, D: int, rng: np.random.Generator) -> Operator:
        """``v -> hess l(w; D) v``, shape (..., d); the population Hessian if the tasks have no sampling model."""
        exact = getattr(tasks, "largest_hessian_noise", inf) == 0  # then no batch is needed to know it
        sample = None if exact else tasks.sample(rng, w, D)
        return lambda v: tasks.hvp(w, v, sample)

    def mean_hessian(self, tasks: Tasks, w: np.ndarray) -> np.ndarray:
        """The Hessian, (..., d, d)."""
        return tasks.hess(w)

    def cost(self, D: int) -> dict[str, int]:
        """D Hessian-vector products."""
        return {"hessian_vector": D}


@dataclass(frozen=True)
class FirstOrder:
    """No Hessian at all, as in FO-MAML: the operator is ``v -> 0``.

    Examples
    --------
    >>> from maml_bench.hessians import FirstOrder
    >>> from maml_bench.problems import Quadratic
    >>> FirstOrder().operator(Quadratic.concave(2), np.ones(2), 1, np.random.default_rng(0))(np.array([1.0, 2.0]))
    array([[0., 0.]])
    """

    kind = "first-order"
    columns = linear = symmetric = True

    def operator(self, tasks: Tasks, w: np.ndarray, D: int, rng: np.random.Generator) -> Operator:
        """``v -> 0``, shape (..., d); nothing is drawn."""
        shape = _shape(tasks, w)
        return lambda v: np.zeros(np.broadcast_shapes(shape, v.shape))

    def mean_hessian(self, tasks: Tasks, w: np.ndarray) -> np.ndarray:
        """0, (..., d, d)."""
        return np.zeros((*_shape(tasks, w), tasks.dim))

    def cost(self, D: int) -> dict[str, int]:
        """Nothing."""
        return {}


@dataclass(frozen=True)
class GaussianSmoothing:
    """Gradient differences along Gaussian directions (eq. 18 of arXiv 2002.07836).

    ``(1/Q) sum_j [grad l(w + nu u_j) - grad l(w)] (u_j.v) / nu`` with ``u_j ~ N(0, I)``; its mean is the Hessian of the
    smoothed loss ``E l(w + nu u)``.

    Parameters
    ----------
    nu : float
        Smoothing radius, > 0. Rounding costs about ``1e-16 ||grad l(w)|| / nu`` per direction, but for population data
        of tasks that know their differences.
    directions : int
        Q, the number of directions.
    data : {"resampled", "shared", "population"}

    Notes
    -----
    With ``"resampled"`` every w + nu u_j has a batch of its own, but one fresh batch at w serves all Q directions.
    Noise still adds no more than ``2 sigma_g^2 / (Q D nu^2) ||v||^2`` to the variance, as if each direction had its
    own: with m the error of the batch at w, the terms ``m (u_j.v)`` share m, yet they are uncorrelated, since the u_j
    are independent of m and of each other and have mean zero. Q + 1 batches do the work of 2Q.

    Raises
    ------
    ValueError
        If ``nu``, ``directions`` or ``data`` is not allowed.

    Examples
    --------
    >>> from maml_bench.hessians import GaussianSmoothing
    >>> from maml_bench.problems import Quadratic
    >>> estimator = GaussianSmoothing(nu=0.1, directions=10_000, data="population")
    >>> product = estimator.operator(Quadratic.concave(2), np.ones(2), 1, np.random.default_rng(0))
    >>> product(np.array([1.0, 2.0])).round(1)
    array([[-1., -2.]])
    """

    kind = "gaussian-smoothing"
    columns = linear = True

    nu: float
    directions: int
    data: str = "resampled"

    def __post_init__(self):
        settle(self, nu=positive, directions=natural)
        one_of("data", self.data, DATA)

    def operator(self, tasks: Tasks, w: np.ndarray, D: int, rng: np.random.Generator) -> AlongDirections:
        """One draw of the estimator, shape (..., d); memory and cost are linear in Q and d."""
        return self.along(tasks, w, rng.standard_normal((self.directions, *_shape(tasks, w))), D, rng)

    def along(self, tasks: Tasks, w: np.ndarray, u: np.ndarray, D: int, rng: np.random.Generator) -> AlongDirections:
        """The estimator for given directions u, shape (Q, ..., d); the data are drawn."""
        own = _own(tasks, "gradient_quotients", self.data)
        if own:
            parts, combined = own(w, self.nu)
            return CombinedMean(_by_blocks(parts, u), u, combined)
        quotients = self._quotients(tasks, w, _batches(self.data, tasks, w, D, rng))
        return DirectionMean(_by_blocks(quotients, u, D, self.data == "resampled"), u)

    def _quotients(self, tasks, w, batch):
        here = tasks.grad(w, batch(w))

        def quotients(u):
            there = self.nu * u
            there += w
            slopes = tasks.grad(there, batch(there))
            # A smaller array may be one that the tasks keep: gradients that do not depend on the point, say.
            own = slopes.shape == there.shape
            slopes = into(np.subtract, slopes, here) if own else np.broadcast_to(slopes, there.shape) - here
            slopes *= 1 / self.nu
            return slopes

        return quotients

    def smoothed_mean(self, smooth: Any) -> np.ndarray:
        """E H^ given the smoothed loss of a task, (d, d): its Hessian."""
        return smooth.hess

    def smoothed_variance(self, smooth: Any, v: np.ndarray | None, noise: float, D: int) -> float:
        """``E ||(H^ - E H^) v||^2``, or without v that of the Frobenius norm; noise is the root mean square of one
        gradient sample's.
        """
        if v is None:
            return smooth.ggs_frobenius_variance(self.directions, noise, D)
        return smooth.ggs_vector_variance(v, self.directions, noise, D)

    def cost(self, D: int) -> dict[str, int]:
        """A batch of gradients a direction, and one at w."""
        return {"gradient": (self.directions + 1) * _size(self.data, D)}


@dataclass(frozen=True)
class ZerothOrder:
    """Second differences of the loss along Gaussian directions (eq. 17 of arXiv 2002.07836).

    ``(1/Q) sum_j c_j u_j (u_j.v)`` with ``u_j ~ N(0, I)`` and
    ``c_j = [l(w + nu u_j) + l(w - nu u_j) - 2 l(w)] / (2 nu^2)``.
    Its mean is the Hessian of the smoothed loss plus a multiple of the identity, which tends to half the trace of the
    Hessian as nu tends to 0. ``stein=True`` puts ``u_j u_j^T - I`` in place of ``u_j u_j^T`` and removes that multiple.
    So does ``baseline="mean"``, the custom of evolution strategies: with ``f_j = [l(w + nu u_j) + l(w - nu u_j)] / 2``
    it subtracts the mean of the f_j where eq. 17 subtracts l(w). Directions are independent of each other, so the mean
    is ``(1 - 1/Q) E (f - E f) u u^T / nu^2``: exactly ``1 - 1/Q`` times the Hessian of the smoothed loss.

    Parameters
    ----------
    nu : float
        Smoothing radius, > 0. The second difference loses digits: c_j is off by about ``1e-16 |l(w)| / nu^2``, which
        exceeds 1e-8 of a loss of order one below ``nu = 1e-4``; not with population data of tasks that know their
        differences.
    directions : int
        Q, the number of directions.
    stein : bool
    data : {"resampled", "shared", "population"}
        With ``"resampled"`` each direction has three batches. Directions sharing a batch at w, as in
        `GaussianSmoothing`, would be correlated, since ``u_j u_j^T`` does not have mean zero: the noise would not
        average out as Q grows. With the mean for a baseline there are two, as l(w) is not needed.
    baseline : {"point", "mean"}
        What is subtracted from the losses. ``"mean"`` excludes ``stein``.

    Raises
    ------
    ValueError
        If an argument is not allowed.

    Examples
    --------
    >>> from maml_bench.hessians import ZerothOrder
    >>> from maml_bench.problems import Quadratic
    >>> rng, tasks = np.random.default_rng(0), Quadratic.concave(2)  # of Hessian -I, and half the trace is -1
    >>> plain, corrected = (ZerothOrder(0.1, 100_000, stein, data="population") for stein in (False, True))
    >>> plain.operator(tasks, np.ones(2), 1, rng)(np.ones(2)).round(1)
    array([[-2., -2.]])
    >>> corrected.operator(tasks, np.ones(2), 1, rng)(np.ones(2)).round(1)
    array([[-1., -1.]])
    """

    columns = linear = symmetric = True

    nu: float
    directions: int
    stein: bool = False
    data: str = "resampled"
    _: KW_ONLY
    baseline: str = "point"

    def __post_init__(self):
        settle(self, nu=positive, directions=natural)
        if not isinstance(self.stein, bool):
            raise ValueError(f"stein = {shown(self.stein)}: must be True or False")
        one_of("data", self.data, DATA), one_of("baseline", self.baseline, BASELINES)
        if self.stein and self.baseline == "mean":
            raise ValueError("stein = True: must be False with baseline = 'mean', which leaves no trace to remove")

    @property
    def kind(self) -> str:
        if self.baseline == "mean":
            return "zeroth-order-mean"
        return "zeroth-order-stein" if self.stein else "zeroth-order"

    def operator(self, tasks: Tasks, w: np.ndarray, D: int, rng: np.random.Generator) -> DirectionMean:
        """One draw of the estimator, shape (..., d); memory and cost are linear in Q and d."""
        return self.along(tasks, w, rng.standard_normal((self.directions, *_shape(tasks, w))), D, rng)

    def along(self, tasks: Tasks, w: np.ndarray, u: np.ndarray, D: int, rng: np.random.Generator) -> DirectionMean:
        """The estimator for given directions u, shape (Q, ..., d); the data are drawn."""
        own = _own(tasks, "loss_quotients", self.data)
        quotients = own(w, self.nu) if own else self._quotients(tasks, w, _batches(self.data, tasks, w, D, rng))
        curvature = _by_blocks(quotients, u, D, self.data == "resampled")
        if self.baseline == "mean":
            curvature -= curvature.mean(0)
        shift = curvature.mean(0)[..., None] if self.stein else 0.0
        return DirectionMean(curvature[..., None] * u, u, shift)

    def _quotients(self, tasks, w, batch):
        middle = None

        def quotients(u):
            nonlocal middle
            step = self.nu * u
            ahead, behind = w + step, w - step
            if self.baseline == "point":
                centre = np.broadcast_to(w, step.shape) if self.data == "resampled" else w
                middle = tasks.loss(centre, batch(centre))
            above, below = tasks.loss(ahead, batch(ahead)), tasks.loss(behind, batch(behind))
            if middle is None:  # a mean for baseline takes it away again: any value near by will do, without data
                middle = above[:1]
            # One-sided differences first: near l(w) they are exact in floating point, a sum of two losses is rounded.
            return ((above - middle) + (below - middle)) / (2 * self.nu**2)

        return quotients

    def smoothed_mean(self, smooth: Any) -> np.ndarray:
        """E H^ given the smoothed loss of a task, (d, d)."""
        if self.baseline == "mean":
            return (1 - 1 / self.directions) * smooth.hess
        return smooth.hess if self.stein else smooth.zo_mean

    def smoothed_variance(self, smooth: Any, v: np.ndarray | None, noise: float, D: int) -> float | None:
        """As `GaussianSmoothing.smoothed_variance`, of losses without noise; else None: it is not worked out."""
        if noise or self.baseline == "mean":
            return None
        stein = "zo_stein" if self.stein else "zo"
        if v is None:
            return getattr(smooth, f"{stein}_frobenius_variance")(self.directions)
        return getattr(smooth, f"{stein}_vector_variance")(v, self.directions)

    def cost(self, D: int) -> dict[str, int]:
        """Two batches of losses a direction, and with l(w) for baseline one at w, or one more a direction."""
        at_w = 0 if self.baseline == "mean" else self.directions if self.data == "resampled" else 1
        return {"function": (2 * self.directions + at_w) * _size(self.data, D)}


@dataclass(frozen=True)
class CentralDifference:
    """A central difference of gradients along v itself, as in HF-MAML.

    ``[grad l(w + delta v) - grad l(w - delta v)] / (2 delta)`` costs two gradients, has no directions and is not linear
    in v: its error is at most ``rho delta ||v||^2 / 2``, or ``tau delta^2 ||v||^3 / 6``.

    Parameters
    ----------
    delta : float
        Step, > 0. Rounding costs about ``1e-16 ||grad l(w)|| / delta``.
    data : {"shared", "resampled", "population"}
        With ``"resampled"`` the points, and so the data drawn under them, depend on v. Every call restarts from the
        same random state: the operator is a fixed function of v, but the entries of an extra leading axis have data
        of their own.

    Raises
    ------
    ValueError
        If ``delta`` or ``data`` is not allowed.

    Examples
    --------
    >>> from maml_bench.hessians import CentralDifference
    >>> from maml_bench.problems import Quadratic
    >>> product = CentralDifference(0.1).operator(Quadratic.concave(2), np.ones(2), 1, np.random.default_rng(0))
    >>> product(np.array([1.0, 2.0])).round(12)
    array([[-1., -2.]])
    """

    kind = "central-difference"
    columns = symmetric = True  # symmetric as far as it is linear in v

    delta: float
    data: str = "shared"

    def __post_init__(self):
        settle(self, delta=positive)
        one_of("data", self.data, DATA)

    def operator(self, tasks: Tasks, w: np.ndarray, D: int, rng: np.random.Generator) -> Operator:
        """One draw of the estimator, shape (..., d)."""
        if self.data == "resampled":
            seed = rng.integers(2**63)
            return lambda v: self._product(tasks, w, v, _batches("resampled", tasks, w, D, np.random.default_rng(seed)))
        batch = _batches(self.data, tasks, w, D, rng)
        return lambda v: self._product(tasks, w, v, batch)

    def _product(self, tasks, w, v, batch):
        ahead, behind = w + self.delta * v, w - self.delta * v
        return (tasks.grad(ahead, batch(ahead)) - tasks.grad(behind, batch(behind))) / (2 * self.delta)

    def cost(self, D: int) -> dict[str, int]:
        """Two batches of gradients."""
        return {"gradient": 2 * _size(self.data, D)}


def _shape(tasks: Tasks, w: np.ndarray) -> tuple[int, ...]:
    return (*np.broadcast_shapes(w.shape[:-1], tasks.batch_shape), tasks.dim)


def _size(data: str, D: int) -> int:
    """Evaluations of one batch; an exact one counts as one."""
    return 1 if data == "population" else D


def _batches(data: str, tasks: Tasks, w: np.ndarray, D: int, rng: np.random.Generator) -> Callable:
    """The function from a point to the batch to evaluate there."""
    if data == "resampled":
        return lambda point: tasks.sample(rng, point, D)
    batch = tasks.sample(rng, w, D) if data == "shared" else None
    return lambda point: batch


def _own(tasks: Tasks, quotients: str, data: str) -> Callable | None:
    """What the family itself knows of its differences (`maml_bench.problems.protocol.Tasks`): those without data."""
    return getattr(population(tasks), quotients, None) if data == "population" else None


def _by_blocks(function: Callable, u: np.ndarray, batch_size: int = 1, resampled: bool = False) -> np.ndarray:
    """A function of the directions by blocks of them; a batch of one may hold ``batch_size`` numbers for each of its
    own.

    Without draws inside the blocks their size changes no number, and temporaries stay in the cache.
    """
    floats = prod(u.shape[1:])
    length = max(1, FLOATS_PER_BLOCK // (floats * batch_size) if resampled else FLOATS_IN_CACHE // floats)
    found = first = function(u[:length])
    if len(u) > length:
        found = np.empty((len(u), *first.shape[1:]))
        found[:length] = first
    for start in range(length, len(u), length):
        found[start : start + length] = function(u[start : start + length])
    return found
