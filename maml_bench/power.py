"""Power: how false must a bound be before the bench notices, and how true before it says so?

Multiply a bound by f. A run of the check ends with ``violated`` if f is below the largest lower limit over bound of
its cells, and with ``holds`` if f is at least the largest upper limit over bound. So one run to the end of the budget
gives the outcome for every f at once, and repeated runs give the probability of each outcome as a function of f.
"""

from dataclasses import dataclass, replace

import numpy as np
import scipy

from analytic import arguments
from analytic.brief import brief
from maml_bench import claims
from maml_bench.claims.claim import Claim
from maml_bench.claims.question import ROUNDING, question
from maml_bench.effort import Effort
from maml_bench.montecarlo.workers import Workers
from maml_bench.setting import Setting, given
from maml_bench.verdict import sampling


@dataclass(frozen=True)
class Rate:
    """A frequency with its two-sided Clopper-Pearson interval.

    Examples
    --------
    >>> from maml_bench.power import rate
    >>> rate(9, 10).value
    0.9
    """

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

    Examples
    --------
    >>> from maml_bench import InnerLoop, Setting
    >>> from maml_bench.power import power
    >>> from maml_bench.problems import AdditiveGaussian, Trigonometric
    >>> tasks = Trigonometric.random(dim=2, tasks=1, rng=0).with_noise(AdditiveGaussian(1.0))
    >>> setting = Setting(tasks, np.ones(2), InnerLoop(0.05, 2))
    >>> found = power("prop2-second", setting, runs=3, budget=2000)
    >>> found.violated(1e-3).value, found.holds(1e3).value
    (1.0, 1.0)
    """

    __repr__ = brief

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
    """A binomial frequency with its Clopper-Pearson interval.

    Examples
    --------
    >>> from maml_bench.power import rate
    >>> found = rate(20, 20)
    >>> found.value, round(found.lower, 3)
    (1.0, 0.832)
    """
    interval = scipy.stats.binomtest(int(successes), runs).proportion_ci(confidence, method="exact")
    return Rate(successes / runs, interval.low, interval.high)


def power(
    claim: str | Claim,
    setting: Setting,
    *,
    form: str | None = None,
    runs: int = 20,
    seed: int = 0,
    confidence: float = 0.99,
    budget: int = 100_000,
    workers: Workers | int = 1,
) -> Power:
    """Run the check of a claim by sampling to the end of its budget, ``runs`` times: the first with ``seed``, each
    other with the next one. ``maml-bench power`` has the same arguments.

    Raises
    ------
    ValueError
        If the claim is unknown or not ``measured <= bound``, an argument is outside its range, or the bound is 0.
    HypothesisError
        If the claim does not apply to the setting.

    Examples
    --------
    >>> from maml_bench import InnerLoop, Setting
    >>> from maml_bench.power import power
    >>> from maml_bench.problems import AdditiveGaussian, Trigonometric
    >>> tasks = Trigonometric.random(dim=2, tasks=1, rng=0).with_noise(AdditiveGaussian(1.0))
    >>> setting = Setting(tasks, np.ones(2), InnerLoop(0.05, 2))
    >>> found = power("prop2-second", setting, form="paper", runs=3, budget=2000)
    >>> bool(0 < found.noticed_at(0.9) < found.confirmed_at(0.9))
    True
    """
    claim, first = claims.chosen(claim, form), Effort(seed, confidence, budget, workers=workers)
    if claim.sense != "<=" or claim.measurement.sampled is None:
        raise ValueError(f"{claim.name} ({claim.form}): power is known for sampled inequalities <= only")
    asked = question(claim, given(setting))
    if not np.all(asked.bound > 0):
        raise ValueError(f"{claim.name} ({claim.form}): the bound is 0 here, so no factor changes it")
    noticed, confirmed = [], []
    for number in range(arguments.natural("runs", runs)):
        for look in sampling(claim, setting, replace(first, seed=first.seed + number)):
            limits = look.limits  # they only tighten, so the last ones decide whatever earlier ones did
        noticed.append(np.max((limits.lower - asked.resolution) / asked.bound) / (1 + ROUNDING))
        confirmed.append(np.max((limits.upper_alone + asked.resolution) / asked.bound))
    return Power(np.maximum(noticed, 0.0), np.array(confirmed), look.replicates)
