"""What the bench asks of a problem. Anything with these attributes can be measured."""

from typing import Any, Protocol, runtime_checkable

import numpy as np

from analytic.regularity import Regularity


class Sample(Protocol):
    """Data drawn for a batch of points. It may be evaluated at other points of a broadcastable shape.

    ``-sample``, if there is one, is its mirror image: drawn with the same probability, with the opposite error where
    the error is odd.

    Examples
    --------
    >>> from maml_bench.problems import AdditiveGaussian, Quadratic
    >>> tasks, w = Quadratic.concave(2).with_noise(AdditiveGaussian(1.0)), np.ones(2)
    >>> sample = tasks.sample(np.random.default_rng(0), w, size=1)
    >>> both = tasks.grad(w, sample) + tasks.grad(w, -sample)  # a batch and its mirror image
    >>> np.allclose(both, 2 * tasks.grad(w))
    True
    """

    def __neg__(self) -> "Sample": ...


class WithGradients(Protocol):
    """Tasks as the inner loop sees them."""

    @property
    def dim(self) -> int: ...
    @property
    def batch_shape(self) -> tuple[int, ...]: ...

    def grad(self, w: np.ndarray, sample: Any = None) -> np.ndarray: ...


@runtime_checkable
class Tasks(WithGradients, Protocol):
    """An array of tasks. Points are arrays ``(..., d)`` whose leading axes broadcast, from the right,
    with ``batch_shape``.

    ``sample=None`` asks for the population value. ``regularity`` is certified: it holds for every task, wherever the
    certificate says it does.

    What is proved besides may be stated, and makes verdicts on runs apply, or certified: ``infimum``, a lower bound of
    each task's loss; ``bowl`` (`maml_bench.problems.bowl`); ``largest_noise`` and ``largest_hessian_noise``, what no
    sample's gradient or Hessian is farther than from its mean. What a family knows without cancellation: its
    differences, of directions u with all leading axes of w and the tasks, and one before them. ``loss_quotients(w,
    nu)`` returns the function of u ``[l(w + nu u) + l(w - nu u) - 2 l(w)]/(2 nu^2)``. ``gradient_quotients(w, nu)``
    returns two, ``parts(u)``, (Q, ..., k), and ``combined(parts, u)``, linear: ``combined(parts(u), u)`` is ``[grad l(w
    + nu u) - grad l(w)]/nu``. What is done once for a mean need not be done for every direction.

    Examples
    --------
    >>> from maml_bench.problems import Quadratic, Tasks
    >>> isinstance(Quadratic.concave(2), Tasks), isinstance("quadratic", Tasks)
    (True, False)
    """

    @property
    def regularity(self) -> Regularity: ...

    def loss(self, w: np.ndarray, sample: Any = None) -> np.ndarray: ...
    def hvp(self, w: np.ndarray, v: np.ndarray, sample: Any = None) -> np.ndarray: ...
    def hess(self, w: np.ndarray, sample: Any = None) -> np.ndarray: ...
    def sample(self, rng: np.random.Generator, w: np.ndarray, size: int) -> Any: ...
    def __getitem__(self, index) -> Any: ...


MEMBERS = ("dim", "batch_shape", "regularity", "loss", "grad", "hvp", "hess", "sample", "__getitem__")


def lacking(tasks) -> list[str]:
    """The attributes of the protocol that an object does not have."""
    return [name for name in sorted(MEMBERS) if not hasattr(tasks, name)]


def outside(tasks, w: np.ndarray) -> np.ndarray:
    """Which points lie outside the ball on which ``tasks.regularity`` is certified.

    Returns
    -------
    array of bool (...)
        One entry per leading index of ``w``. Rounding (1e-12, relative) is forgiven; a point with a NaN is outside.

    Examples
    --------
    >>> from maml_bench.problems import RankOne, outside
    >>> outside(RankOne(np.ones((1, 2)), radius=2.0), np.array([[1.0, 1.0], [2.0, 2.0]]))
    array([False,  True])
    """
    radius = tasks.regularity.radius
    return ~(np.linalg.norm(w, axis=-1) <= radius * (1 + 1e-12))
