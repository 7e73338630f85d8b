"""The tasks and the setting that command-line options stand for."""

import numpy as np

from maml_bench.adaptation import InnerLoop
from maml_bench.hessians import CentralDifference, ExactHessian, FirstOrder, GaussianSmoothing, ZerothOrder
from maml_bench.problems import FAMILIES, AdditiveGaussian, RandomPhase
from maml_bench.setting import Setting

HESSIANS = {
    "exact": lambda nu, directions, data: ExactHessian(),
    "first-order": lambda nu, directions, data: FirstOrder(),
    "ggs": lambda nu, directions, data: GaussianSmoothing(nu, directions, data),
    "zo": lambda nu, directions, data: ZerothOrder(nu, directions, False, data),
    "zo-stein": lambda nu, directions, data: ZerothOrder(nu, directions, True, data),
    "central-difference": lambda nu, directions, data: CentralDifference(nu, data),
}


def tasks_from(family, dim, tasks, problem_seed, noise, sigma_g, amplitude, kappa):
    """The tasks that `problem_options` describe.

    Raises
    ------
    ValueError
        If the family is unknown, or a value is outside its range.
    """
    if family not in FAMILIES:
        raise ValueError(f"unknown family {family!r}; known: {', '.join(FAMILIES)}")
    problem = FAMILIES[family].random(dim, tasks, problem_seed)
    if noise == "none" or not hasattr(problem, "with_noise"):
        return problem
    return problem.with_noise(AdditiveGaussian(sigma_g) if noise == "additive" else RandomPhase(amplitude, kappa))


def setting_from(*, point, alpha, steps, S, D, T, hessian, nu, directions, data, **problem) -> Setting:
    """The setting that `setting_options` describe.

    Raises
    ------
    ValueError
        As `tasks_from`, or if the estimator is unknown.
    """
    if hessian not in HESSIANS:
        raise ValueError(f"unknown hessian {hessian!r}; known: {', '.join(HESSIANS)}")
    tasks = tasks_from(**problem)
    estimator = HESSIANS[hessian](nu, directions, data)
    return Setting(tasks, np.full(tasks.dim, point), InnerLoop(alpha, steps, S=S, D=D, T=T), estimator)
