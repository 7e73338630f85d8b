"""The tasks and the setting that command-line options stand for."""

import re
from collections.abc import Callable

import numpy as np

from analytic.arguments import natural, seed
from maml_bench import claims
from maml_bench.adaptation import InnerLoop
from maml_bench.algorithms import MAML, SGD, Adam, ImplicitMAML, Reptile
from maml_bench.arrays import fits
from maml_bench.capabilities import Hessian, kind, usable
from maml_bench.claims import Claim
from maml_bench.files import is_file, load
from maml_bench.hessians import CentralDifference, ExactHessian, FirstOrder, GaussianSmoothing, ZerothOrder
from maml_bench.problems import FAMILIES, AdditiveGaussian, RandomPhase, TaskPairs, Tasks
from maml_bench.problems.protocol import lacking
from maml_bench.setting import OuterLoop, Setting

HESSIANS: dict[str, Callable[[float, int, str], Hessian]] = {
    "exact": lambda nu, directions, data: ExactHessian(),
    "first-order": lambda nu, directions, data: FirstOrder(),
    "ggs": lambda nu, directions, data: GaussianSmoothing(nu, directions, data),
    "zo": lambda nu, directions, data: ZerothOrder(nu, directions, False, data),
    "zo-stein": lambda nu, directions, data: ZerothOrder(nu, directions, True, data),
    "zo-mean": lambda nu, directions, data: ZerothOrder(nu, directions, False, data, baseline="mean"),
    "central-difference": lambda nu, directions, data: CentralDifference(nu, data),
}
NU = (1e-150, 1e150)

DENSE = ("quadratic", "trigonometric")
"""Families whose tasks hold a matrix."""

ALGORITHMS = {"maml": MAML, "reptile": Reptile, "imaml": ImplicitMAML}
OPTIMIZERS = {"sgd": SGD, "adam": Adam}


def claim_from(name: str, form: str | None) -> Claim:
    """The claim of a known name and form, that of `claims.get` unless given, or the one of ``FILE.py:object``.

    Raises
    ------
    ValueError
        If it is unknown, or the form is not that of the object.
    """
    if not is_file(name):
        return claims.chosen(name, form)
    found = load(name, "claim", lambda thing: isinstance(thing, Claim), "a claim, as maml_bench.claim makes")
    return claims.chosen(found, form)


def estimator_from(hessian: str, nu: float, directions: int, data: str):
    """The Hessian estimator of a known name, or the one of ``FILE.py:object``.

    Raises
    ------
    ValueError
        If it is unknown or has no operator, or nu is not a radius.
    """
    if is_file(hessian):
        return load(hessian, "hessian", usable, "an estimator with operator(tasks, w, D, rng)")
    if hessian not in HESSIANS:
        raise ValueError(f"unknown hessian {hessian!r}; known: {', '.join(HESSIANS)}, or FILE.py:object")
    if not NU[0] <= nu <= NU[1]:
        raise ValueError(f"nu = {nu}: must be between {NU[0]:g} and {NU[1]:g}, so that its square is a number")
    return HESSIANS[hessian](nu, directions, data)


def tasks_from(family, dim, tasks, problem_seed, noise, sigma_g, amplitude, kappa, problem=None):
    """The tasks that `problem_options` describe; of ``FILE.py:object`` they are taken as they are.

    Raises
    ------
    ValueError
        If the family is unknown, or a value is outside its range.
    """
    if problem is not None:
        begun = lambda thing: not isinstance(thing, type) and any(hasattr(thing, name) for name in ("grad", "support"))
        found = load(problem, "problem", begun, "tasks, with the attributes of maml_bench.problems.Tasks")
        if not isinstance(found, Tasks | TaskPairs):
            raise ValueError(
                f"problem = {problem}: must be tasks; {type(found).__name__} lacks {', '.join(lacking(found))}"
            )
        return found
    if family not in FAMILIES:
        raise ValueError(f"unknown family {family!r}; known: {', '.join(FAMILIES)}")
    entries = natural("dim", dim) ** (2 if family in DENSE else 1)
    fits(natural("tasks", tasks) * entries, f"dim = {dim}, tasks = {tasks}, family {family}")
    problem = FAMILIES[family].random(dim, tasks, seed(problem_seed, "problem-seed"))
    if noise == "none" or not hasattr(problem, "with_noise"):
        return problem
    return problem.with_noise(AdditiveGaussian(sigma_g) if noise == "additive" else RandomPhase(amplitude, kappa))


def options_for(reason: str) -> str:
    """The options that give what a claim lacks; empty where none does.

    Examples
    --------
    >>> from maml_bench.cli.setting import options_for
    >>> options_for("thm1 needs an outer loop: Setting(..., outer=OuterLoop(iterations, B, C_beta=...))")
    '--iterations and --C-beta'
    """
    if wanted := re.search(r"needs a Hessian estimator that states kind = '([\w-]+)'", reason):
        made = {name: make(1.0, 1, "resampled") for name, make in HESSIANS.items()}
        return "--hessian " + " or ".join(name for name, hessian in made.items() if kind(hessian) == wanted[1])
    known = {
        "OuterLoop(iterations, B, C_beta": "--iterations and --C-beta",
        "OuterLoop(iterations, B, beta": "--iterations and --beta or --C-beta",
        "OuterLoop(..., C_beta": "--C-beta",
        "such as FiniteSum": "--family logistic, or --problem FILE.py:object",
    }
    return next((options for words, options in known.items() if words in reason), "")


def setting_from(
    *,
    point,
    alpha,
    steps,
    S,
    D,
    T,
    hessian,
    nu,
    directions,
    data,
    iterations=None,
    B=1,
    beta=None,
    C_beta=None,
    B_beta=None,
    D_beta=None,
    algorithm="maml",
    optimizer="sgd",
    **problem,
) -> Setting:
    """The setting that `setting_options` describe.

    Raises
    ------
    ValueError
        As `tasks_from`, or if the estimator or the algorithm is unknown.
    """
    tasks = tasks_from(**problem)
    estimator = estimator_from(hessian, nu, directions, data)
    inner = InnerLoop(alpha, steps, S=S, D=D, T=T)
    if algorithm not in ALGORITHMS:
        raise ValueError(f"unknown algorithm {algorithm!r}; known: {', '.join(ALGORITHMS)}")
    outer = None
    if iterations is not None:
        parts = {"method": ALGORITHMS[algorithm](), "optimizer": OPTIMIZERS[optimizer]()}
        outer = OuterLoop(iterations, B, beta=beta, C_beta=C_beta, B_beta=B_beta, D_beta=D_beta, **parts)
    return Setting(tasks, np.full(tasks.dim, point), inner, estimator, outer)
