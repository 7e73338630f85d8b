"""An audit of anybody's problem: derivatives that agree, unbiased samples, constants that survive an attack."""

import time
from dataclasses import asdict

import numpy as np

from analytic.applicability import Applicability
from analytic.arguments import natural, probability, shown
from analytic.arguments import seed as checked_seed
from maml_bench.auditing import derivatives, estimators, lipschitz, sampling, stated
from maml_bench.auditing.result import Audit, Row
from maml_bench.capabilities import usable
from maml_bench.problems.finite_sum import TaskPairs
from maml_bench.problems.noise import population
from maml_bench.problems.protocol import Tasks, lacking

__all__ = ["Applicability", "Audit", "Row", "audit"]


def audit(tasks, seed: int = 0, error: float = 1e-3, points: int = 512, draws: int = 4096, hessian=None) -> Audit:
    """Check what a problem says of itself.

    Derivatives are compared with each other and with differences of the loss, samples with the population. Every finite
    constant of the certificate is then attacked inside its ball: by random search, and from the best points found by
    ``scipy.optimize``. So is what a family and its sampling model state besides: a bowl, an affine gradient, an
    infimum, noise that is odd, additive, isotropic, Gaussian or bounded, and that ``-sample`` has the law of a sample.
    No violation is no proof; a violation comes with its witness.

    Parameters
    ----------
    tasks : Tasks or TaskPairs
        Of pairs, support and target are audited each, and the distance ``b_i`` of their gradients is attacked.
    seed : int
        The audit is a function of its arguments.
    error : float
        Probability at most (by normal approximation) that a correct sampler is called biased or too noisy, over all
        tests of the audit together. The other checks are free of chance: what they report is a fact.
    points : int
        Random points per attack (fewer where tasks are many or large).
    draws : int
        Replicates per test of a sampler.
    hessian : Hessian estimator, optional
        What it states is attacked, too: its shapes, linearity, independent draws and mean.

    Returns
    -------
    Audit

    Raises
    ------
    ValueError
        If ``tasks`` lacks an attribute of the protocol, or an option is outside its range.

    Examples
    --------
    >>> from maml_bench import audit
    >>> from maml_bench.problems import Quadratic
    >>> audit(Quadratic.concave(2), points=32).passed
    True
    """
    points, draws, error = natural("points", points), natural("draws", draws), probability("error", error)
    if hessian is not None and not usable(hessian):
        raise ValueError(f"hessian = {shown(hessian)}: must have operator(tasks, w, D, rng)")
    share = error if hessian is None else error / 2  # tasks and estimator share it
    started = time.perf_counter()
    rng = np.random.default_rng(checked_seed(seed))
    with np.errstate(all="ignore"):
        if isinstance(tasks, TaskPairs):
            halves = (("support", tasks.support), ("target", tasks.target))
            rows = [
                row.named(f"{name} {row.name}")
                for name, half in halves
                for row in _rows(half, rng, share / 2, points, draws)
            ]
            rows.append(lipschitz.attack_distance(tasks, rng, points))
        elif isinstance(tasks, Tasks):
            rows = _rows(tasks, rng, share, points, draws)
        else:
            lacks = ", ".join(lacking(tasks))
            raise ValueError(f"tasks = {shown(tasks)}: must have the attributes of Tasks or TaskPairs; lacks {lacks}")
        if hessian is not None:
            adapted = tasks.support if isinstance(tasks, TaskPairs) else tasks
            rows += [row.named(f"hessian {row.name}") for row in estimators.check(hessian, adapted, rng, share)]
    return Audit(
        problem=type(population(tasks)).__name__,
        rows=tuple(rows),
        constants=_constants(tasks),
        seed=seed,
        error=error,
        seconds=time.perf_counter() - started,
    )


def _rows(tasks, rng, error, points, draws):
    each, chance = error / 8, len(stated.by_chance(tasks))
    return [
        *derivatives.check(tasks, rng),
        *(lipschitz.attack(tasks, name, rng, points) for name in ("L", "rho", "tau")),
        lipschitz.attack_heterogeneity(tasks, rng, points),
        *sampling.check(tasks, rng, error - chance * each, draws),
        *stated.check(tasks, rng, each, draws),
    ]


def _constants(tasks):
    """The certified constants by name; pairs of tasks also have ``b`` and ``b_tilde``."""
    distances = {name: float(getattr(tasks, name)) for name in ("b", "b_tilde") if isinstance(tasks, TaskPairs)}
    return asdict(tasks.regularity) | distances
