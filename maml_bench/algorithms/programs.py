"""The methods of arXiv 2002.07836 as its Algorithms 1 and 2 specify them, and as its released program runs them.

A protocol is ``"specified"`` (Algorithms 1 and 2), ``"released"``, or a set of the
deviations that make the difference between the two, each a fact about the released program:

``"collapsed-loss"`` (rank-one)
    The loss is ``(||w||^2 - ||x||^2)^2 / 4``: a product of two vectors is their scalar product, no matrix is formed.
``"one-step-maml"``
    MAML takes one inner step, whatever N, and does not differentiate through it: its meta gradient is that of the
    target loss at ``w - alpha grad l(w; support)``.
``"first-order-maml"``
    MAML takes its N inner steps but does not differentiate through them, so it is first-order MAML.
``"doubled-step"``
    The other three methods take inner steps of ``2 alpha``; the Hessian factors keep ``alpha``.
``"aliased-difference"``
    GGS subtracts ``2 (grad l(w))_1`` from every component of ``grad l(w + nu u)``, in place of ``grad l(w)``.
``"fixed-directions"``
    The directions of the first iteration serve all iterations.

The released rank-one program has all but ``"first-order-maml"``; the released sine program has ``"first-order-maml"``
and ``"fixed-directions"`` only.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from analytic.arguments import shown
from maml_bench.adaptation import exact_path
from maml_bench.algorithms.optimizers import SGD, Adam
from maml_bench.hessians import DirectionMean
from maml_bench.problems.protocol import Tasks

METHODS = ("maml", "first-order", "ggs", "zeroth-order")
SINE_DEVIATIONS = ("one-step-maml", "first-order-maml", "doubled-step", "aliased-difference", "fixed-directions")
RANK_ONE_DEVIATIONS = ("collapsed-loss", *SINE_DEVIATIONS)
RELEASED_RANK_ONE = frozenset(RANK_ONE_DEVIATIONS) - {"first-order-maml"}
RELEASED_SINE = frozenset({"first-order-maml", "fixed-directions"})

Batch = tuple[Tasks, Tasks, np.ndarray]
"""Of one iteration: support tasks, target tasks, directions (..., tasks, steps, Q, d)."""


@dataclass(frozen=True)
class Collapsed:
    """The loss ``(||w||^2 - ||x||^2)^2 / 4``, which sees the length of x only.

    Parameters
    ----------
    x : array (..., d)
        Leading axes are task axes.
    """

    x: np.ndarray

    @property
    def dim(self) -> int:
        return self.x.shape[-1]

    @property
    def batch_shape(self) -> tuple[int, ...]:
        return self.x.shape[:-1]

    def loss(self, w, sample=None):
        return self._excess(w) ** 2 / 4

    def grad(self, w, sample=None):
        return self._excess(w)[..., None] * w

    def hvp(self, w, v, sample=None):
        return self._excess(w)[..., None] * v + 2 * np.vecdot(w, v)[..., None] * w

    def _excess(self, w):
        return np.vecdot(w, w) - np.vecdot(self.x, self.x)


@dataclass(frozen=True)
class Program:
    """A method under a protocol.

    Parameters
    ----------
    method : {"maml", "first-order", "ggs", "zeroth-order"}
    deviations : frozenset of str
    alpha : float
        Inner step size.
    nu : float or array
        Smoothing radius of the last two methods; an array broadcasts with the tasks, that is with (..., tasks).
    """

    method: str
    deviations: frozenset[str]
    alpha: float
    nu: float | np.ndarray

    def meta_gradients(self, support, target, w: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Target losses after adaptation (..., tasks) and meta gradients (..., tasks, d), task by task.

        Parameters
        ----------
        support, target : tasks
            The inner loop and the Hessians are those of ``support``.
        w : array (..., d)
        directions : array (..., tasks, steps, Q, d)
            Gaussian directions; ``steps`` is N for every method, the rest matters to the last two only.
        """
        maml, steps, step = self.method == "maml", directions.shape[-3], self.alpha
        if maml and "one-step-maml" in self.deviations:
            steps = 1
        if not maml and "doubled-step" in self.deviations:
            step = 2 * self.alpha
        path = exact_path(support, w[..., None, :], step, steps)
        vector = target.grad(path[-1])
        losses = target.loss(path[-1])
        if self.method == "first-order" or maml and {"one-step-maml", "first-order-maml"} & self.deviations:
            return losses, vector
        # The factor of step 0 stands leftmost: the vector meets the last step first.
        for j in range(steps - 1, -1, -1):
            along = np.moveaxis(directions[..., j, :, :], -2, 0)
            vector = vector - self.alpha * self._hessian_times(support, path[j], along, vector)
        return losses, vector

    def _hessian_times(self, support, w, u, v):
        """The method's Hessian of the support loss at w, times v; directions ``u`` of shape (Q, ..., tasks, d)."""
        if self.method == "maml":
            return support.hvp(w, v)
        nu = np.asarray(self.nu)[..., None]
        ahead = w + nu * u
        if self.method == "ggs":
            here = support.grad(w)
            if "aliased-difference" in self.deviations:
                here = 2 * here[..., :1]
            return DirectionMean((support.grad(ahead) - here) / nu, u)(v)
        # One-sided differences first: near l(w) they are exact in floating point, a sum of two losses is rounded.
        here = support.loss(w)
        second = (support.loss(ahead) - here) + (support.loss(w - nu * u) - here)
        return DirectionMean((second / (2 * nu[..., 0] ** 2))[..., None] * u, u)(v)


def descend(
    program: Program, w: np.ndarray, batches: Iterable[Batch], beta, optimizer: SGD | Adam
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield, for each batch, the sum over tasks of the target losses after adaptation, and w after the meta step.

    Parameters
    ----------
    w : array (..., d)
        Starting point; leading axes are independent runs.
    batches : iterable of (support, target, directions)
        One an iteration. The first directions serve throughout under ``"fixed-directions"``.
    beta : float or array
        Meta step size; an array broadcasts with w.
    optimizer : object
        Turns the mean of the tasks' meta gradients into a direction to descend along.
    """
    kept: Any = None
    memory: Any = optimizer.memory(w)
    for k, (support, target, directions) in enumerate(batches):
        if "fixed-directions" in program.deviations:
            directions = kept = directions if kept is None else kept
        # A run that diverges is a result: its losses become infinite and then undefined, without a warning.
        with np.errstate(over="ignore", invalid="ignore"):
            losses, gradients = program.meta_gradients(support, target, w, directions)
            total = losses.sum(-1)
            memory, along = optimizer.step(memory, gradients.mean(-2), k)
            w = w - beta * along
        yield total, w


def deviations(protocol, released: frozenset[str], known: tuple[str, ...]) -> frozenset[str]:
    """The set of deviations that a protocol stands for.

    Raises
    ------
    ValueError
        If it is neither ``"specified"`` nor ``"released"`` nor a collection of known deviations.
    """
    if isinstance(protocol, str) and protocol in ("specified", "released"):
        return released if protocol == "released" else frozenset()
    if isinstance(protocol, str) or not isinstance(protocol, Collection):
        raise ValueError(f"protocol = {shown(protocol)}: must be 'specified', 'released' or a set of {listed(known)}")
    for name in protocol:
        if not isinstance(name, str) or name not in known:
            raise ValueError(f"protocol has the unknown deviation {shown(name)}: must be among {listed(known)}")
    return frozenset(protocol)


def listed(names) -> str:
    """Names for an error message."""
    return ", ".join(map(repr, names))
