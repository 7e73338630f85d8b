"""The meta objective (eq. 2), its gradient (eq. 3) and the stochastic meta gradient (eq. 8), task by task.

Everywhere ``target`` is for tasks with two losses: the inner path and the Hessians are those of ``tasks`` (support),
the objective and its final gradient those of ``target``. Without it the two are the same. Means over tasks are the
caller's.
"""

import numpy as np

from analytic.arguments import one_of
from maml_bench.adaptation import InnerLoop, exact_path, stochastic_path
from maml_bench.arrays import into
from maml_bench.capabilities import Hessian
from maml_bench.problems.protocol import Tasks


def meta_objective(tasks: Tasks, w: np.ndarray, alpha: float, steps: int, target: Tasks | None = None) -> np.ndarray:
    """``l_i(w_N)`` after ``steps`` exact gradient steps from w (eq. 2 of arXiv 2002.07836).

    Parameters
    ----------
    w : array (..., d)
        Leading axes broadcast with the tasks.

    Returns
    -------
    array (...)
        With the broadcast leading axes.
    """
    return (tasks if target is None else target).loss(exact_path(tasks, w, alpha, steps)[-1])


def exact_meta_gradient(
    tasks: Tasks, w: np.ndarray, alpha: float, steps: int, target: Tasks | None = None
) -> np.ndarray:
    """The gradient of `meta_objective` (eq. 3 of arXiv 2002.07836), shape (..., d).

    ``(I - alpha H(w_0)) ... (I - alpha H(w_{N-1})) grad l_i(w_N)``, from the right, one Hessian-vector product a step.
    """
    return exact_meta_gradient_along(tasks, exact_path(tasks, w, alpha, steps), alpha, target)


def exact_meta_gradient_along(tasks: Tasks, path: np.ndarray, alpha: float, target: Tasks | None = None) -> np.ndarray:
    """The exact meta gradient given the exact path (N + 1, ..., d); given a stochastic one, the mean over batches."""
    vector = (tasks if target is None else target).grad(path[-1])
    for point in path[-2::-1]:
        vector = into(np.add, -alpha * tasks.hvp(point, vector), vector)
    return vector


def stochastic_meta_gradient(
    tasks: Tasks,
    w: np.ndarray,
    inner: InnerLoop,
    hessian: Hessian,
    rng: np.random.Generator,
    target: Tasks | None = None,
    final: str = "sampled",
) -> np.ndarray:
    """One stochastic meta gradient for each leading index of w and each task (eq. 8 of arXiv 2002.07836).

    Parameters
    ----------
    w : array (..., d)
        All leading indices are independent of each other.
    hessian : Hessian estimator
        One of ``maml_bench.hessians``. Its data and directions are fresh at every step.
    target, final
        As in `meta_gradient_along`.

    Returns
    -------
    array (..., d)
        With the leading axes of w, broadcast with the tasks.

    Raises
    ------
    ValueError
        If ``final`` is not allowed.
    """
    path = stochastic_path(tasks, w, inner, rng)
    return meta_gradient_along(tasks, path, inner, hessian, rng, target, final)


def meta_gradient_along(
    tasks: Tasks,
    path: np.ndarray,
    inner: InnerLoop,
    hessian: Hessian,
    rng: np.random.Generator,
    target: Tasks | None = None,
    final: str = "sampled",
) -> np.ndarray:
    """The stochastic meta gradient given the inner path: eq. 8 of arXiv 2002.07836 once the batches S_j are spent.

    Parameters
    ----------
    path : array (N + 1, ..., d)
        The points w_0, ..., w_N, as from `maml_bench.adaptation.stochastic_path`.
    final : {"sampled", "mean"}
        ``"mean"`` puts the expectation of the final gradient in place of a batch of ``inner.T`` samples. The final
        gradient enters linearly (unless the Hessian estimator is `CentralDifference`), so the mean stays and the
        variance falls.

    Returns
    -------
    array (..., d)

    Raises
    ------
    ValueError
        If ``final`` is not allowed.
    """
    one_of("final", final, ("sampled", "mean"))
    target = tasks if target is None else target
    vector = target.grad(path[-1], target.sample(rng, path[-1], inner.T) if final == "sampled" else None)
    # The factor of step 0 stands leftmost: the vector meets the last step first.
    for point in path[-2::-1]:
        vector = into(np.add, -inner.alpha * hessian.operator(tasks, point, inner.D, rng)(vector), vector)
    return vector
