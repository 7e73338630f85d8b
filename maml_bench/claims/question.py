"""What a claim asks in a setting: a right side, and whether limits of the left side refute or confirm it.

A claim about several cells is refuted if one cell is, at a level that all cells share. It is confirmed if every cell
is, each at the full level: were the claim false in one cell, confirming it there would already be the error.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from maml_bench.claims.claim import Claim
from maml_bench.evidence import Evidence, Outcome
from maml_bench.montecarlo.limits import Limits
from maml_bench.setting import Setting

ROUNDING = 1e-10
"""Relative rounding of a right side and of the constants that it is evaluated at."""

TIE = 1e-9
"""Limits that contain the right side and are closer together than this fraction of it attain it."""


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
        What rounding may add to a sampled value. It can refute nothing and confirm nothing.
    """

    bound: np.ndarray
    sense: str
    tolerance: float
    resolution: float

    @property
    def sides(self) -> tuple[np.ndarray | None, np.ndarray | None]:
        """The least and the largest value that agree with the claim; None for one that is not limited."""
        reach = self.tolerance * self.bound
        return {"<=": (None, self.bound), ">=": (self.bound, None), "=": (self.bound - reach, self.bound + reach)}[
            self.sense
        ]

    def refuted(self, limits: Limits) -> np.ndarray:
        """Cells whose limits exclude every value that agrees with the claim, by more than rounding."""
        below, above = self._excluded(limits)
        return below | above

    def _excluded(self, limits):
        least, most = self.sides
        slack = ROUNDING * np.abs(self.bound) + self._resolution(limits)
        none = np.zeros(limits.value.shape, dtype=bool)
        below = none if least is None else limits.upper < least - slack
        above = none if most is None else limits.lower > most + slack
        return below, above

    def confirmed(self, limits: Limits) -> np.ndarray:
        """Cells whose limits hold no value that disagrees with the claim, or that attain the right side to rounding."""
        least, most = self.sides
        resolution = self._resolution(limits)
        inside = np.ones(limits.value.shape, dtype=bool)
        if most is not None:
            inside &= limits.upper_alone + resolution <= most
        if least is not None:
            inside &= limits.lower_alone - resolution >= least
        if self.sense == "<=" and limits.ceiling is not None:
            inside |= limits.ceiling <= most  # by proof: rounding of what is drawn has no part in it
        return inside | self.tied(limits)

    def tied(self, limits: Limits) -> np.ndarray:
        """Cells whose limits contain the right side, to its own rounding, and are narrower than `TIE` of it."""
        resolution, size = self._resolution(limits), np.abs(self.bound)
        lower, upper = limits.lower - resolution, limits.upper + resolution
        near = (lower <= self.bound + ROUNDING * size) & (self.bound - ROUNDING * size <= upper)
        return near & (upper - lower <= TIE * size)

    def _resolution(self, limits):
        return self.resolution if limits.sampled else 0.0

    def outcome(self, limits: Limits) -> Outcome:
        if np.any(self.refuted(limits)):
            return Outcome.VIOLATED
        return Outcome.HOLDS if np.all(self.confirmed(limits)) else Outcome.INCONCLUSIVE

    def evidence(self, limits: Limits, outcome: Outcome) -> Evidence:
        """What the outcome rests on: the kind of the limits that decide it, of both if they do not."""
        below, above = (np.any(cells) for cells in self._excluded(limits))
        if outcome == Outcome.VIOLATED:
            kinds = {limits.upper_kind} if below else set()
            kinds |= {limits.lower_kind} if above else set()
        elif outcome == Outcome.HOLDS and self.sense == "<=":
            kinds = {limits.upper_kind}
        elif outcome == Outcome.HOLDS and self.sense == ">=":
            kinds = {limits.lower_kind}
        else:
            kinds = {limits.lower_kind, limits.upper_kind}
        return weakest(kinds)

    def badness(self, ratios: np.ndarray) -> np.ndarray:
        """How near each ratio, measured over bound, brings its cell to a violation: the largest is the worst."""
        return {"<=": ratios, ">=": -ratios, "=": np.abs(ratios - 1)}[self.sense]


def weakest(kinds: Iterable[str]) -> Evidence:
    """The weakest of several kinds of evidence."""
    order = (Evidence.SEARCH, Evidence.ASYMPTOTIC, Evidence.CERTIFIED, Evidence.EXACT)
    return min((Evidence(kind) for kind in kinds), key=order.index)


def question(claim: Claim, setting: Setting) -> Question:
    """What a claim asks in a setting.

    An equality of matrices is asked as a bound: the norm of their difference is at most the tolerance times the norm of
    the right side.

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
    resolution = claim.measurement.resolution(setting)
    if claim.measurement.target is not None:
        return Question(claim.tolerance * bound, "<=", 0.0, resolution)
    return Question(bound, claim.sense, claim.tolerance, resolution)
