"""Problems that many tests share: one of each kind, small, by name."""

import numpy as np

from maml_bench.problems import (
    FAMILIES,
    AdditiveGaussian,
    Kink,
    Logistic,
    Quadratic,
    RandomPhase,
    TaskPairs,
    Trigonometric,
)


def losses(dim: int = 3, tasks: int = 5, seed: int = 0) -> dict:
    """Every family that has one loss a task, the losses of pairs, odd shapes, and both kinds of noise."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((tasks, dim, dim))
    found = {}
    for name, family in FAMILIES.items():
        made = family.random(dim, tasks, seed)
        if isinstance(made, TaskPairs):
            found |= {f"{name} support": made.support, f"{name} target": made.target}
        else:
            found[name] = made
    return found | {
        "quadratic, a matrix a task": Quadratic(A + A.swapaxes(-1, -2), rng.standard_normal((tasks, dim))),
        "trigonometric, seven dimensions": Trigonometric.random(7, tasks, seed),
        "logistic gathered": Logistic.random(dim, tasks, seed)[np.arange(tasks)].target,
        "additive noise": Trigonometric.random(dim, tasks, seed).with_noise(AdditiveGaussian(0.5)),
        "random phase": Kink.random(dim, tasks, seed).with_noise(RandomPhase(0.5, 1.0)),
    }
