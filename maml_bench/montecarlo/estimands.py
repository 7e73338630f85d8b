"""What is estimated from replicates: a mean, its root, or the norm of a mean; with limits for all sample sizes at once.

An estimand is fed block after block. What it keeps of them has a fixed size. Every replicate may be looked at in a
worker, by a `plan` that rests on earlier blocks alone; what comes back is merged in the order of the blocks, so no
number depends on the workers.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from maml_bench.montecarlo.limits import Limits
from maml_bench.montecarlo.mean import Mean, MeanPlan
from maml_bench.montecarlo.norm import Norm, NormPlan


@dataclass(frozen=True)
class Beside:
    """Two estimands of the same numbers: ``certified``, and ``near`` with limits that need no proof."""

    certified: Mean | Norm
    near: Mean | Norm

    def plan(self, block: int) -> "BesidePlan":
        """How block number ``block`` is to be looked at."""
        return BesidePlan(self.certified.plan(block), self.near.plan(block))

    def merge(self, part: tuple) -> None:
        """Take in what a plan made of the next block."""
        self.certified.merge(part[0])
        self.near.merge(part[1])

    def limits(self, last: bool = True) -> Limits:
        """Limits after the blocks so far."""
        return replace(self.certified.limits(last), near=self.near.limits(last))


@dataclass(frozen=True)
class BesidePlan:
    """Reduces a block of values in both ways."""

    certified: MeanPlan | NormPlan
    near: MeanPlan | NormPlan

    def __call__(self, values: np.ndarray) -> tuple:
        return self.certified(values), self.near(values)


def _root_of_mean(level, cells, ceiling, square, **known):
    return Mean(level, cells, ceiling, square, root=True, **known)


def _spectral_norm_of_mean(level, cells, ceiling, square):
    return Norm(level, cells, ceiling, square, spectral=True)


ESTIMANDS: dict[str, Callable[..., Mean | Norm]] = {
    "mean": Mean,
    "root of mean": _root_of_mean,
    "norm of mean": Norm,
    "spectral norm of mean": _spectral_norm_of_mean,
}
"""By name: a function of the level, the number of cells, the ceiling and the bound of the mean square (or None); of a
mean of numbers, or its root, also of the floor, and of whether there are parts."""
