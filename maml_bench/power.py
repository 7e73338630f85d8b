"""Power: how false must a bound be before the bench notices, and how true before it says so?

Multiply a bound by f. A run of the check ends with ``violated`` if f is below the largest lower limit over bound of
all its looks, and with ``holds`` if f is at least the smallest upper limit over bound (looks that cannot be trusted
decide nothing). So one run to the end of the budget gives the outcome for every f at once, and repeated runs give the
probability of each outcome as a function of f.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from maml_bench.claims.claim import Claim
from maml_bench.claims.question import ROUNDING, question
from maml_bench.effort import Effort
from maml_bench.montecarlo.looks import block_size, looks
from maml_bench.montecarlo.workers import Workers
from maml_bench.setting import Setting


@dataclass(frozen=True)
class Rate:
    """A frequency with its two-sided Clopper-Pearson interval."""

    value: float
    lower: float
    upper: float


@dataclass(frozen=True, eq=False)
class Power:
    """Outcomes of repeated runs for every factor on the bound.

    Attributes
    ----------
    noticed : array (runs,)
        A run says ``violated`` if the bound is multiplied by a factor below this.
    confirmed : array (runs,)
        A run says ``holds`` if the bound is multiplied by a factor of at least this.
    replicates : int
        Replicates of one run.
    """

    noticed: np.ndarray
    confirmed: np.ndarray
    replicates: int

    def violated(self, factor: float) -> Rate:
        """How often a run finds the scaled bound violated."""
        return rate(int(np.sum(self.noticed > factor)), len(self.noticed))

    def holds(self, factor: float) -> Rate:
        """How often a run finds that the scaled bound holds."""
        return rate(int(np.sum(self.confirmed <= factor)), len(self.confirmed))

    def noticed_at(self, probability: float) -> float:
        """The largest factor at which at least this share of the runs says ``violated``."""
        return float(np.quantile(self.noticed, 1 - probability, method="lower"))

    def confirmed_at(self, probability: float) -> float:
        """The smallest factor at which at least this share of the runs says ``holds``."""
        return float(np.quantile(self.confirmed, probability, method="higher"))


def rate(successes: int, runs: int, confidence: float = 0.95) -> Rate:
    """A binomial frequency with its Clopper-Pearson interval."""
    interval = scipy.stats.binomtest(int(successes), runs).proportion_ci(confidence, method="exact")
    return Rate(successes / runs, interval.low, interval.high)


def power(
    claim: Claim,
    setting: Setting,
    *,
    seeds: Sequence[int],
    confidence: float = 0.99,
    budget: int = 100_000,
    workers: Workers | int = 1,
) -> Power:
    """Run the check of a claim by sampling to the end of its budget, once for each seed.

    Raises
    ------
    ValueError
        If an argument is outside its range, the claim is not ``measured <= bound``, or the bound is 0.
    HypothesisError
        If the claim does not apply to the setting.
    """
    if len(seeds) == 0:
        raise ValueError("seeds: must not be empty")
    sampled = claim.measurement.sampled
    if claim.sense != "<=" or sampled is None:
        raise ValueError(f"{claim.name} ({claim.form}): power is known for sampled inequalities <= only")
    asked = question(claim, setting)
    if not np.all(asked.bound > 0):
        raise ValueError(f"{claim.name} ({claim.form}): the bound is 0 here, so no factor changes it")
    noticed, confirmed = [], []
    for seed in seeds:
        effort = Effort(seed, confidence, budget, workers=workers)
        run = looks(
            sampled.draw(setting),
            sampled.estimand,
            seed=effort.seed,
            delta=1 - effort.confidence,
            budget=effort.budget,
            size=block_size(sampled.footprint(setting), effort.budget),
            workers=effort.workers,
        )
        below, above = 0.0, np.inf
        for look in run:
            if not look.constant:
                below = max(below, np.max((look.limits.lower - asked.resolution) / asked.bound) / (1 + ROUNDING))
                above = min(above, np.max(look.limits.upper / asked.bound) / (1 + ROUNDING))
        noticed.append(below)
        confirmed.append(above)
    return Power(np.array(noticed), np.array(confirmed), look.replicates)
