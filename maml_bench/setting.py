"""Everything a claim is checked for: tasks, a point, an inner loop and a Hessian estimator."""

from dataclasses import dataclass, field

import numpy as np

from analytic import arguments
from maml_bench.adaptation import InnerLoop
from maml_bench.hessians import ExactHessian
from maml_bench.problems.finite_sum import TaskPairs
from maml_bench.problems.protocol import Tasks


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

    Raises
    ------
    ValueError
        If ``w`` is not a finite vector of the tasks' dimension, or an argument lacks what the protocol asks for.
    """

    tasks: Tasks | TaskPairs
    w: np.ndarray
    inner: InnerLoop
    hessian: object = field(default_factory=ExactHessian)

    def __post_init__(self):
        if not isinstance(self.tasks, Tasks | TaskPairs):
            raise ValueError(
                f"tasks = {self.tasks!r}: must have the attributes of maml_bench.problems.Tasks or TaskPairs"
            )
        if not isinstance(self.inner, InnerLoop):
            raise ValueError(f"inner = {self.inner!r}: must be an InnerLoop")
        object.__setattr__(self, "w", arguments.array("w", self.w, 1, exact=True))
        arguments.last_axis("w", self.w, self.tasks.dim, like="tasks.dim")


def losses(setting: Setting) -> tuple:
    """The tasks to adapt on and those to be judged on; the same unless tasks have a support and a target loss."""
    tasks = setting.tasks
    return (tasks.support, tasks.target) if isinstance(tasks, TaskPairs) else (tasks, tasks)
