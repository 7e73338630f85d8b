"""Power: how false must a bound be before the bench notices, and how true before it says so?

Multiply a bound by f. A run ends with ``violated`` at some look if and only if f is below the largest lower
limit over bound of all looks, and with ``holds`` if f is above the smallest upper limit over bound. So one run
to the end of the budget gives the outcome for every f at once, and repeated runs give the probability of each
outcome as a function of f.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from maml_bench import checks
from maml_bench.claims.claim import Claim
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
        return rate(np.sum(self.noticed > factor), len(self.noticed))

    def holds(self, factor: float) -> Rate:
        """How often a run finds that the scaled bound holds."""
        return rate(np.sum(self.confirmed <= factor), len(self.confirmed))

    def noticed_at(self, probability: float) -> float:
        """The largest factor at which at least this share of the runs says ``violated``."""
        return float(np.quantile(self.noticed, 1 - probability, method="lower"))

    def confirmed_at(self, probability: float) -> float:
        """The smallest factor at which at least this share of the runs says ``holds``."""
        return float(np.quantile(self.confirmed, probability, method="higher"))


def rate(successes: int, runs: int, confidence: float = 0.95) -> Rate:
    """A binomial frequency with its Clopper-Pearson interval."""
    interval = stats.binomtest(int(successes), runs).proportion_ci(confidence, method="exact")
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
        If an argument is outside its range, the claim is about an equality, or the bound is 0.
    HypothesisError
        If the claim does not apply to the setting.
    """
    if len(seeds) == 0:
        raise ValueError("seeds: must not be empty")
    if claim.tolerance is not None or claim.measurement.sampler is None:
        raise ValueError(f"{claim.name} ({claim.form}): power is known for sampled inequalities only")
    bound = claim.right_side(setting)
    if not np.all(bound > 0):
        raise ValueError(f"{claim.name} ({claim.form}): the bound is 0 here, so no factor changes it")
    budget = checks.natural("budget", budget)
    noticed, confirmed = [], []
    for seed in seeds:
        run = looks(
            claim.measurement.sampler(setting),
            claim.measurement.estimand,
            seed=checks.seed(seed),
            delta=1 - checks.probability("confidence", confidence),
            budget=budget,
            size=block_size(claim.measurement.footprint(setting), budget),
            workers=workers if isinstance(workers, Workers) else Workers(workers),
        )
        ratios = [
            (np.max(look.limits.lower / bound), np.max(look.limits.upper / bound), look.replicates) for look in run
        ]
        noticed.append(max(lower for lower, _, _ in ratios))
        confirmed.append(min(upper for _, upper, _ in ratios))
    return Power(np.array(noticed), np.array(confirmed), ratios[-1][2])
