"""What a Hessian estimator may state, and how it is asked: no claim and no measurement asks for its class.

An estimator needs an operator (`Hessian`). What else it states is a capability, of an estimator of yours too:

- ``columns = True``: extra leading axes of ``v`` are served, the columns of the identity, say; without it matrices are
  built column by column;
- ``linear = True``: the operator is linear in ``v``; ``symmetric = True``: it is a symmetric matrix;
- ``kind``: the theory to set it against, one of `KINDS`, with the attributes that its bounds need;
- ``deviation(tasks, D)``: two numbers that hold at every point, by a proof: how far its mean may be from the Hessian
  (spectral norm), and its variance on a unit vector. Propositions 3 and 4 then have bounds for it, without a kind;
- ``mean_hessian(tasks, w)``: its known mean, (..., d, d), or, where that follows from the smoothed loss of a task,
  ``smoothed_mean(smooth)`` and likewise ``smoothed_variance(smooth, v, noise, D)``. Exact values rest on them: where
  they are not stated, what the operator gives is sampled;
- ``largest_norm(tasks, w)``: what the spectral norm of no draw at w exceeds, by a proof; a number, or one a task. It
  makes limits of what is measured certified; every draw is checked;
- ``cost(D)``: evaluations at one sample that a draw and one product take, a dictionary with some of ``gradient``,
  ``hessian_vector`` and ``function``;
- ``along(tasks, w, u, D, rng)``: the operator for given directions u, as a `DirectionMean`, of which ``operator`` takes
  Gaussian ones. Variance is reduced, and directions are drawn so that limits are certified, for an estimator that
  states it and a kind, and is a dataclass with ``directions`` and ``data``.

``deviation`` and what stands below it say how it is drawn. They count where the operator is defined: a class that
overrides ``operator`` alone states none of them (`stated`).
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from analytic.brief import brief
from maml_bench.problems.protocol import Tasks

_DIFFERENCES = ("nu", "directions", "data")

KINDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "sampled": ("the Hessian of a fresh batch, as ExactHessian()", ()),
    "first-order": ("no Hessian, as FirstOrder()", ()),
    "gaussian-smoothing": (
        "gradient differences, unbiased for the Hessian of the smoothed loss, as GaussianSmoothing",
        _DIFFERENCES,
    ),
    "zeroth-order": (
        "second differences of losses, with the mean Hess l_nu + ((l_nu - l)/nu^2) I, as ZerothOrder",
        _DIFFERENCES,
    ),
    "zeroth-order-stein": (
        "second differences of losses, unbiased for the Hessian of the smoothed loss, as ZerothOrder(..., stein=True)",
        _DIFFERENCES,
    ),
    "zeroth-order-mean": (
        "second differences of losses, with the mean (1 - 1/Q) Hess l_nu, as ZerothOrder(..., baseline='mean')",
        _DIFFERENCES,
    ),
    "central-difference": ("a central difference of gradients along v, as CentralDifference", ("delta",)),
}
"""What an estimator says of itself by its ``kind``, and the attributes that are then asked for."""

Operator = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class DirectionMean:
    """The operator ``v -> (1/Q) sum_j left_j (right_j.v) - shift v``.

    Parameters
    ----------
    left, right : array (Q, ..., d)
        ``right`` holds the Gaussian directions; with a known mean of ``u u^T`` they serve as control variates.
    shift : float or array (..., 1)

    Examples
    --------
    >>> from maml_bench.capabilities import DirectionMean
    >>> operator = DirectionMean(left=np.array([[2.0, 0.0]]), right=np.array([[0.0, 1.0]]))
    >>> operator(np.array([5.0, 3.0]))
    array([6., 0.])
    """

    __repr__ = brief

    left: np.ndarray
    right: np.ndarray
    shift: np.ndarray | float = 0.0

    def __call__(self, v: np.ndarray) -> np.ndarray:
        product = _mean(_weights(self.right, v), self.left)
        if np.any(self.shift):
            product -= self.shift * v
        return product


@dataclass(frozen=True, eq=False)
class CombinedMean:
    """`DirectionMean` with the left sides ``combined(parts, right)``, linear: it is applied to means, and to every
    direction only where ``left`` is asked for.

    Parameters
    ----------
    parts : array (Q, ..., k)
    right : array (Q, ..., d)
        The Gaussian directions.
    combined : callable
        Of arrays (..., k) and (..., d), linear in both together, to (..., d).

    Examples
    --------
    >>> from maml_bench.capabilities import CombinedMean
    >>> operator = CombinedMean(np.array([[2.0]]), np.array([[0.0, 1.0]]), lambda parts, u: 3 * u - parts)
    >>> operator.left, operator(np.array([5.0, 3.0]))
    (array([[-2.,  1.]]), array([-6.,  3.]))
    """

    __repr__ = brief

    parts: np.ndarray
    right: np.ndarray
    combined: Callable[[np.ndarray, np.ndarray], np.ndarray]
    shift: ClassVar[float] = 0.0

    @property
    def left(self) -> np.ndarray:
        """The left sides, (Q, ..., d)."""
        return self.combined(self.parts, self.right)

    def __call__(self, v: np.ndarray) -> np.ndarray:
        weights = _weights(self.right, v)
        return self.combined(_mean(weights, self.parts), _mean(weights, self.right))


# The directions become rows of a matrix, so that extra leading axes of v need no axis for the directions and no
# temporary has both. A matrix of one row costs two to four times as much as products of numbers.


def _weights(right, v):
    if len(right) == 1:
        return np.vecdot(right[0], v)[..., None]
    weights = np.matvec(np.moveaxis(right, 0, -2), v)
    weights /= len(right)
    return weights


def _mean(weights, left):
    if len(left) == 1:
        return weights * left[0]
    return np.vecmat(weights, np.moveaxis(left, 0, -2))


class AlongDirections(Protocol):
    """A `DirectionMean` or a `CombinedMean`.

    Examples
    --------
    >>> from maml_bench.capabilities import AlongDirections, DirectionMean
    >>> operator: AlongDirections = DirectionMean(np.eye(2), np.eye(2))
    >>> operator(np.ones(2))
    array([0.5, 0.5])
    """

    @property
    def left(self) -> np.ndarray: ...
    @property
    def right(self) -> np.ndarray: ...
    @property
    def shift(self) -> np.ndarray | float: ...

    def __call__(self, v: np.ndarray) -> np.ndarray: ...


class Hessian(Protocol):
    """Anything with an operator, such as the estimators below or one of a user's own.

    Examples
    --------
    >>> class Zero:
    ...     def operator(self, tasks, w, D, rng):
    ...         return lambda v: 0.0 * v
    >>> from maml_bench import InnerLoop, Setting, measure
    >>> from maml_bench.problems import Quadratic
    >>> measure("hessian-bias", Setting(Quadratic.concave(2), np.ones(2), InnerLoop(0.1, 1), Zero()), budget=256).value
    1.0
    """

    def operator(self, tasks: Tasks, w: np.ndarray, D: int, rng: np.random.Generator) -> Operator: ...


class Directional(Hessian, Protocol):
    """An estimator by differences along directions, with what `KINDS` asks of one.

    Examples
    --------
    >>> from maml_bench.capabilities import Directional
    >>> from maml_bench.hessians import GaussianSmoothing
    >>> from maml_bench.problems import Quadratic
    >>> estimator: Directional = GaussianSmoothing(nu=0.1, directions=3)
    >>> estimator.along(Quadratic.concave(2), np.ones(2), np.ones((3, 1, 2)), 1, np.random.default_rng(0)).right.shape
    (3, 1, 2)
    """

    @property
    def nu(self) -> float: ...
    @property
    def directions(self) -> int: ...
    @property
    def data(self) -> str: ...

    def along(
        self, tasks: Tasks, w: np.ndarray, u: np.ndarray, D: int, rng: np.random.Generator
    ) -> AlongDirections: ...


def usable(hessian: Any) -> bool:
    """Whether a thing has ``operator(tasks, w, D, rng)``.

    Examples
    --------
    >>> from maml_bench.capabilities import usable
    >>> from maml_bench.hessians import FirstOrder
    >>> usable(FirstOrder()), usable(FirstOrder), usable("first-order")
    (True, False, False)
    """
    operator = None if isinstance(hessian, type) else getattr(hessian, "operator", None)
    try:
        return operator is not None and bool(inspect.signature(operator).bind(None, None, 1, None))
    except (TypeError, ValueError):
        return False


def drawn(hessian: Hessian, tasks: Tasks, w: np.ndarray, D: int, rng: np.random.Generator) -> Operator:
    """One draw of an estimator of anybody's.

    Raises
    ------
    ValueError
        If it is not a function.

    Examples
    --------
    >>> from maml_bench.capabilities import drawn
    >>> from maml_bench.hessians import FirstOrder
    >>> from maml_bench.problems import Quadratic
    >>> drawn(FirstOrder(), Quadratic.concave(1), np.ones(1), 1, np.random.default_rng(0))(np.ones(1))
    array([[0.]])
    """
    found = hessian.operator(tasks, w, D, rng)
    if not callable(found):
        raise ValueError(f"hessian = {name(hessian)}: its operator gave {found!r}; it must give a function of v")
    return found


def name(hessian: Hessian) -> str:
    """The class of an estimator, to be named in messages.

    Examples
    --------
    >>> from maml_bench.capabilities import name
    >>> from maml_bench.hessians import FirstOrder
    >>> name(FirstOrder())
    'FirstOrder'
    """
    return type(hessian).__name__


def deviation(hessian: Hessian, tasks: Tasks, D: int) -> tuple[float, float] | None:
    """The stated bias and variance, or None where nothing is stated.

    Raises
    ------
    ValueError
        If it states anything but two numbers >= 0.

    Examples
    --------
    >>> from maml_bench.capabilities import deviation
    >>> from maml_bench.hessians import FirstOrder
    >>> from maml_bench.problems import Quadratic
    >>> deviation(FirstOrder(), Quadratic.concave(1), 1) is None
    True
    """
    own = stated(hessian, "deviation")
    if own is None:
        return None
    found = np.asarray(own(tasks, D), dtype=float)
    if found.shape != (2,) or not np.all(found >= 0):
        raise ValueError(f"hessian = {name(hessian)}: deviation gave {found}; it must give two numbers >= 0")
    return float(found[0]), float(found[1])


def mean_hessian(hessian: Hessian, tasks: Tasks, w: np.ndarray) -> np.ndarray | None:
    """The stated mean at w, ``(*batch_shape, d, d)``, or None where nothing is stated.

    Raises
    ------
    ValueError
        If it has another shape.

    Examples
    --------
    >>> from maml_bench.capabilities import mean_hessian
    >>> from maml_bench.hessians import ExactHessian
    >>> from maml_bench.problems import Quadratic
    >>> mean_hessian(ExactHessian(), Quadratic.concave(1), np.ones(1))
    array([[[-1.]]])
    """
    own = stated(hessian, "mean_hessian")
    if own is None:
        return None
    found = np.asarray(own(tasks, w), dtype=float)
    shape = (*np.broadcast_shapes(w.shape[:-1], tasks.batch_shape), tasks.dim, tasks.dim)
    try:
        return np.broadcast_to(found, shape)
    except ValueError:
        raise ValueError(
            f"hessian = {name(hessian)}: mean_hessian gave an array of shape {found.shape}; it must be {shape}"
        ) from None


def kind(hessian: Hessian) -> str:
    """The kind that an estimator states, or an empty string.

    Examples
    --------
    >>> from maml_bench.capabilities import kind
    >>> from maml_bench.hessians import GaussianSmoothing
    >>> kind(GaussianSmoothing(0.1, 2)), kind(object())
    ('gaussian-smoothing', '')
    """
    return getattr(hessian, "kind", "")


def stated(hessian: Hessian, name: str) -> Any:
    """A capability that says how an estimator is drawn or what its moments are; None where it is not stated.

    It counts if it stands in the class that defines the operator, or in one derived from that: a class that draws in
    a way of its own inherits none.

    Examples
    --------
    >>> from maml_bench.capabilities import stated
    >>> from maml_bench.hessians import GaussianSmoothing
    >>> class Twice(GaussianSmoothing):
    ...     def operator(self, tasks, w, D, rng):
    ...         drawn = super().operator(tasks, w, D, rng)
    ...         return lambda v: 2 * drawn(v)
    >>> stated(GaussianSmoothing(0.1, 2), "along") is None, stated(Twice(0.1, 2), "along") is None
    (False, True)
    """
    if name in getattr(hessian, "__dict__", {}):
        return getattr(hessian, name)
    for parent in type(hessian).__mro__:
        if name in vars(parent):
            return getattr(hessian, name)
        if "operator" in vars(parent):
            break
    return None
