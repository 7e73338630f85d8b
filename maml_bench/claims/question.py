"""What a claim asks in a setting: a right side, and whether measured limits refute or confirm it."""

from dataclasses import dataclass

import numpy as np

from maml_bench.claims.claim import Claim
from maml_bench.evidence import Outcome
from maml_bench.montecarlo.limits import Limits
from maml_bench.setting import Setting

ROUNDING = 1e-10
"""Relative allowance for rounding when an exact value is compared with a bound that it may attain."""


@dataclass(frozen=True)
class Question:
    """A right side to be compared with limits.

    Attributes
    ----------
    bound : array
        For each cell, or one for all.
    sense : {"<=", ">=", "="}
        How the left side is asserted to compare with the bound.
    tolerance : float
        Relative distance within which the two sides of an equality count as equal.
    resolution : float
        What rounding may add to a sampled value. It can excuse a value beyond the bound, never confirm one.
    """

    bound: np.ndarray
    sense: str
    tolerance: float
    resolution: float

    def refuted(self, limits: Limits, resolution: float | None = None) -> np.ndarray:
        """Cells whose limits exclude the right side by more than rounding."""
        slack = ROUNDING * self.bound + (self.resolution if resolution is None else resolution)
        above, below = limits.lower > self.bound + slack, limits.upper < self.bound - slack
        return {"<=": above, ">=": below, "=": above | below}[self.sense]

    def confirmed(self, limits: Limits) -> np.ndarray:
        """Cells whose limits respect the bound, or are as close to the right side of an equality as is asked."""
        if self.sense == "<=":
            return limits.upper <= self.bound * (1 + ROUNDING)
        if self.sense == ">=":
            return limits.lower >= self.bound * (1 - ROUNDING)
        reach = self.tolerance * self.bound
        return (limits.upper <= self.bound + reach) & (limits.lower >= self.bound - reach) & (self.resolution <= reach)

    def outcome(self, limits: Limits, resolution: float | None = None) -> Outcome:
        if np.any(self.refuted(limits, resolution)):
            return Outcome.VIOLATED
        return Outcome.HOLDS if np.all(self.confirmed(limits)) else Outcome.INCONCLUSIVE

    def badness(self, ratios: np.ndarray) -> np.ndarray:
        """How near each ratio, measured over bound, brings its cell to a violation: the largest is the worst."""
        return {"<=": ratios, ">=": -ratios, "=": np.abs(ratios - 1)}[self.sense]


def question(claim: Claim, setting: Setting) -> Question:
    """What a claim asks in a setting.

    Raises
    ------
    HypothesisError
        If the claim does not apply.
    OverflowError
        If its right side is not a finite number.
    """
    bound = claim.right_side(setting)
    if not np.all(np.isfinite(bound)):
        raise OverflowError(f"{claim.name} ({claim.form}): the bound overflows at these parameters")
    return Question(bound, claim.sense, claim.tolerance, claim.measurement.resolution(setting))
