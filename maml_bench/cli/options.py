"""Command-line options that describe a problem, and the setting they stand for."""

import click
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

_PROBLEM = (
    click.option("--family", default="quadratic", show_default=True, help=f"Problem family: {', '.join(FAMILIES)}."),
    click.option("--dim", default=5, show_default=True, help="Dimension d (of a bandit: arms)."),
    click.option("--tasks", default=1, show_default=True, help="Number of tasks."),
    click.option("--problem-seed", default=0, show_default=True, help="Seed of the random tasks."),
    click.option(
        "--noise",
        type=click.Choice(["additive", "random-phase", "none"]),
        default="additive",
        show_default=True,
        help="Sampling model; bandits and logistic tasks have their own.",
    ),
    click.option("--sigma-g", default=1.0, show_default=True, help="Noise of one additive gradient sample."),
    click.option("--amplitude", default=1.0, show_default=True, help="Amplitude of the random-phase noise."),
    click.option("--kappa", default=1.0, show_default=True, help="Frequency of the random-phase noise."),
)
_SETTING = (
    click.option("--point", default=1.0, show_default=True, help="Every coordinate of the meta parameter w."),
    click.option("--alpha", default=0.05, show_default=True, help="Inner step size."),
    click.option("--steps", default=4, show_default=True, help="Inner steps N."),
    click.option("--S", "S", default=1, show_default=True, help="Samples per inner gradient."),
    click.option("--D", "D", default=1, show_default=True, help="Samples per Hessian estimate."),
    click.option("--T", "T", default=1, show_default=True, help="Samples of the final gradient."),
    click.option("--hessian", default="exact", show_default=True, help=f"Estimator: {', '.join(HESSIANS)}."),
    click.option("--nu", default=0.01, show_default=True, help="Smoothing radius, or difference step."),
    click.option("--directions", default=10, show_default=True, help="Gaussian directions Q."),
    click.option(
        "--data",
        type=click.Choice(["resampled", "shared", "population"]),
        default="resampled",
        show_default=True,
        help="Samples that the differences of a Hessian estimator use.",
    ),
)


def problem_options(command):
    """Add the options that describe tasks."""
    return _added(command, _PROBLEM)


def setting_options(command):
    """Add the options that describe tasks and what is done with them."""
    return _added(command, (*_PROBLEM, *_SETTING))


def _added(command, options):
    for option in reversed(options):
        command = option(command)
    return command


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
