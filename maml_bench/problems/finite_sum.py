"""Tasks with a support and a target loss: the finite-sum case, where no sampling enters the inner loop."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np

from analytic.arguments import array, settle, shown
from analytic.brief import brief
from analytic.regularity import Regularity
from maml_bench.problems.protocol import Tasks


@runtime_checkable
class TaskPairs(Protocol):
    """What the finite-sum statements ask of a problem: adapt on ``support``, be judged on ``target``.

    ``b_i`` holds, for each task, a certified bound on ``||grad support(w) - grad target(w)||`` for all admitted w;
    ``b`` is its mean over tasks and ``b_tilde`` its mean square.

    Examples
    --------
    >>> from maml_bench.problems import Logistic, Quadratic, TaskPairs
    >>> isinstance(Logistic.random(2, 1, 0), TaskPairs), isinstance(Quadratic.concave(2), TaskPairs)
    (True, False)
    """

    @property
    def dim(self) -> int: ...
    @property
    def batch_shape(self) -> tuple[int, ...]: ...
    @property
    def support(self) -> Tasks: ...
    @property
    def target(self) -> Tasks: ...
    @property
    def b_i(self) -> np.ndarray: ...
    @property
    def b(self) -> float: ...
    @property
    def b_tilde(self) -> float: ...
    @property
    def regularity(self) -> Regularity: ...

    def __getitem__(self, index) -> Any: ...


@dataclass(frozen=True, eq=False)
class FiniteSum:
    """Any two task arrays of one shape, with a certified distance between their gradients.

    Parameters
    ----------
    support, target : Tasks
    b_i : array
        Broadcasts to the tasks: a bound on ``||grad support_i(w) - grad target_i(w)||`` for all admitted w.

    Notes
    -----
    ``regularity`` has the larger L, rho and tau and the smaller ball of the two, the sigma of the target (which is the
    one the theory speaks of), and no sampling noise.

    Raises
    ------
    ValueError
        If dimensions or task axes differ, or an entry of b_i is negative or not finite.

    Examples
    --------
    >>> from maml_bench.problems import FiniteSum, Quadratic
    >>> support, target = (Quadratic(np.eye(2), np.full((1, 2), b)) for b in (0.0, 1.0))
    >>> pairs = FiniteSum(support, target, b_i=np.sqrt([2.0]))
    >>> round(pairs.b, 3), round(pairs.b_tilde, 3)
    (1.414, 2.0)
    """

    __repr__ = brief

    support: Tasks
    target: Tasks
    b_i: np.ndarray

    def __post_init__(self):
        _alike(self.support, self.target)
        settle(self, b_i=self._for_each_task)

    def _for_each_task(self, name, value):
        distance = array(name, value, 0)
        if (distance < 0).any():
            raise ValueError(f"{name} contains {distance.min():g}: must be numbers >= 0")
        try:
            return np.broadcast_to(distance, self.batch_shape)
        except ValueError:
            raise ValueError(f"{name} has shape {distance.shape}: must broadcast to {self.batch_shape}") from None

    @classmethod
    def pair(cls, support: Any, target: Any) -> "FiniteSum":
        """Two task arrays of a family that certifies the distance itself, by ``support.gradient_gap(target)``.

        Raises
        ------
        ValueError
            If it does not, or the families differ.
        """
        if not hasattr(support, "gradient_gap"):
            raise ValueError(f"support = {shown(support)}: must state gradient_gap(target); else give b_i")
        if type(target) is not type(support):
            raise ValueError(f"target = {shown(target)}: must be of the family of support, {type(support).__name__}")
        _alike(support, target)
        return cls(support, target, support.gradient_gap(target))

    @property
    def dim(self) -> int:
        return self.support.dim

    @property
    def batch_shape(self) -> tuple[int, ...]:
        return self.support.batch_shape

    @property
    def b(self) -> float:
        return float(np.mean(self.b_i))

    @property
    def b_tilde(self) -> float:
        return float(np.mean(self.b_i**2))

    @cached_property
    def regularity(self) -> Regularity:
        ours, theirs = self.support.regularity, self.target.regularity
        larger = {name: max(getattr(ours, name), getattr(theirs, name)) for name in ("L", "rho", "tau")}
        return Regularity(**larger, sigma=theirs.sigma, radius=min(ours.radius, theirs.radius))

    def __getitem__(self, index) -> "FiniteSum":
        return FiniteSum(self.support[index], self.target[index], self.b_i[index])


def _alike(support, target) -> None:
    """Refuse what is no tasks, or tasks that differ in dimension or axes."""
    for name, part in (("support", support), ("target", target)):
        if not hasattr(part, "batch_shape"):
            raise ValueError(f"{name} = {shown(part)}: must be tasks")
    for name in ("dim", "batch_shape"):
        ours, theirs = getattr(support, name), getattr(target, name)
        if ours != theirs:
            raise ValueError(f"target.{name} = {theirs}: must be that of support, {ours}")


class FullBatch:
    """Tasks of which every batch is all the data: in the finite-sum case only the tasks are drawn."""

    def __init__(self, tasks: Tasks):
        self.tasks = tasks

    def __getattr__(self, name):
        return getattr(self.tasks, name)

    def __getitem__(self, index) -> "FullBatch":
        return FullBatch(self.tasks[index])

    def sample(self, rng, w, size) -> None:
        """Nothing is drawn."""
