"""Everything a claim is checked for: tasks, a point, an inner loop, a Hessian estimator, and an outer loop."""

import math
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, cast

import numpy as np

from analytic import arguments
from analytic.arguments import shown
from maml_bench.adaptation import InnerLoop
from maml_bench.capabilities import Directional, Hessian, usable
from maml_bench.hessians import ExactHessian
from maml_bench.problems.finite_sum import TaskPairs
from maml_bench.problems.protocol import Tasks, lacking


@dataclass(frozen=True)
class OuterLoop:
    """Parameters of the meta-iterations ``w <- w - beta * mean over B tasks of the meta gradient`` (eq. 7).

    The B tasks are drawn independently and uniformly, with replacement, so B may exceed their number.

    Parameters
    ----------
    iterations : int
        K, the number of meta-iterations.
    B : int
        Tasks per meta-iteration.
    beta : float
        The meta step size, > 0. Either this or ``C_beta``.
    C_beta : float
        Asks for the step size ``1/(C_beta L^_w)`` of eq. 10, with an estimate L^_w of the smoothness at w.
    B_beta, D_beta : int
        Tasks and gradient samples per task that the estimate is made from, apart from all others; with ``C_beta`` only.
        B and 1 unless given.
    method : object
        What takes the place of eq. 8, such as ``maml_bench.algorithms.Reptile()``; None for eq. 8 itself.
    optimizer : object
        Such as ``maml_bench.algorithms.Adam()``; None for the plain step above.

    Raises
    ------
    ValueError
        If an argument is outside its range, or if both or neither of ``beta`` and ``C_beta`` are given.

    Examples
    --------
    >>> from maml_bench import OuterLoop
    >>> OuterLoop(iterations=100, B=10, beta=0.05).C_beta is None
    True
    >>> OuterLoop(iterations=100, B=10, C_beta=100).D_beta
    1
    """

    iterations: int
    B: int
    _: KW_ONLY
    beta: float | None = None
    C_beta: float | None = None
    B_beta: int | None = None
    D_beta: int | None = None
    method: Any = None  # a `maml_bench.algorithms.Method`, which stands on a higher floor
    optimizer: Any = None

    def __post_init__(self):
        arguments.settle(self, iterations=arguments.natural, B=arguments.natural)
        if (self.beta is None) == (self.C_beta is None):
            number = "neither" if self.beta is None else "both"
            raise ValueError(
                f"beta = {shown(self.beta)}, C_beta = {shown(self.C_beta)}: exactly one must be given, not {number}"
            )
        if self.C_beta is None:
            arguments.settle(self, beta=arguments.positive)
            for name in ("B_beta", "D_beta"):
                if getattr(self, name) is not None:
                    raise ValueError(
                        f"{name} = {shown(getattr(self, name))}: only with C_beta, whose estimate it is for"
                    )
        else:
            arguments.settle(
                self,
                C_beta=arguments.positive,
                B_beta=lambda name, value: arguments.natural(name, self.B if value is None else value),
                D_beta=lambda name, value: arguments.natural(name, 1 if value is None else value),
            )
        for name, attribute in (("method", "meta_gradient"), ("optimizer", "step")):
            part = getattr(self, name)
            if part is not None and not callable(getattr(part, attribute, None)):
                raise ValueError(
                    f"{name} = {shown(part)}: must have a method {attribute}, as those of maml_bench.algorithms"
                )


@dataclass(frozen=True, eq=False)
class Setting:
    """One case to check.

    Parameters
    ----------
    tasks : Tasks or TaskPairs
        The tasks, population or with a sampling model; or tasks with support and target losses (the finite-sum case).
    w : array (d,)
        The meta parameter.
    inner : InnerLoop
    hessian : Hessian estimator
        One of ``maml_bench.hessians``; `ExactHessian` by default.
    outer : OuterLoop, optional
        Needed to run an algorithm, and by the statements about one.

    Raises
    ------
    ValueError
        If ``w`` is not a finite vector of the tasks' dimension, or an argument lacks what the protocol asks for.

    Examples
    --------
    >>> from maml_bench import InnerLoop, Setting
    >>> from maml_bench.problems import AdditiveGaussian, Quadratic
    >>> setting = Setting(Quadratic.concave(2).with_noise(AdditiveGaussian(1.0)), np.ones(2), InnerLoop(0.1, 3))
    >>> setting.hessian, setting.inner.steps
    (ExactHessian(), 3)
    """

    tasks: Tasks | TaskPairs
    w: np.ndarray
    inner: InnerLoop
    hessian: Hessian = field(default_factory=ExactHessian)
    outer: OuterLoop | None = None

    def __post_init__(self):
        if not isinstance(self.tasks, Tasks | TaskPairs):
            lacks = ", ".join(lacking(self.tasks))
            raise ValueError(
                f"tasks = {shown(self.tasks)}: must have the attributes of "
                f"maml_bench.problems.Tasks or TaskPairs; lacks {lacks}"
            )
        if not usable(self.hessian):
            raise ValueError(f"hessian = {shown(self.hessian)}: must have operator(tasks, w, D, rng)")
        if not isinstance(self.inner, InnerLoop):
            raise ValueError(f"inner = {shown(self.inner)}: must be an InnerLoop")
        if not isinstance(self.outer, OuterLoop | None):
            raise ValueError(f"outer = {shown(self.outer)}: must be an OuterLoop or None")
        arguments.settle(self, w=arguments.vector)
        arguments.last_axis("w", self.w, self.tasks.dim, like="tasks.dim")

    def __repr__(self) -> str:
        outer = "" if self.outer is None else f", {self.outer}"
        size = f"d = {self.tasks.dim}, {math.prod(self.tasks.batch_shape)} tasks, |w| = {math.hypot(*self.w):.4g}"
        return f"Setting({_named(self.tasks)}: {size}; {self.inner}, {self.hessian}{outer})"


def given(setting: object) -> Setting:
    """The setting, which is one.

    Raises
    ------
    ValueError
        If it is not.
    """
    if not isinstance(setting, Setting):
        raise ValueError(f"setting = {shown(setting)}: must be a Setting")
    return setting


def _named(tasks) -> str:
    """The family of tasks, without their arrays, and what the samples add."""
    if isinstance(tasks, TaskPairs):
        return f"{type(tasks).__name__} of {_named(tasks.support)} and {_named(tasks.target)}"
    noise, population = getattr(tasks, "noise", None), getattr(tasks, "population", None)
    return type(tasks).__name__ if population is None else f"{_named(population)} with {noise}"


# What a setting holds beyond what every setting has, for code that runs after `requires` of a claim has asked for it.


def single(setting: Setting) -> Tasks:
    """The tasks, which have one loss each."""
    return cast(Tasks, setting.tasks)


def paired(setting: Setting) -> TaskPairs:
    """The tasks, which have a support and a target loss."""
    return cast(TaskPairs, setting.tasks)


def looped(setting: Setting) -> OuterLoop:
    """The outer loop, which is there."""
    return cast(OuterLoop, setting.outer)


def smoothed(setting: Setting) -> Directional:
    """The Hessian estimator, which takes differences along directions."""
    return cast(Directional, setting.hessian)


def losses(setting: Setting) -> tuple[Tasks, Tasks]:
    """The tasks to adapt on and those to be judged on; the same unless tasks have a support and a target loss."""
    tasks = setting.tasks
    return (tasks.support, tasks.target) if isinstance(tasks, TaskPairs) else (tasks, tasks)
