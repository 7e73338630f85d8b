"""Checking a claim: measure the left-hand side until it is decided against the bound, and say what was found."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from analytic import arguments
from analytic.bound import HypothesisError
from maml_bench import claims
from maml_bench.claims.claim import Claim, Measurement
from maml_bench.montecarlo.limits import Limits
from maml_bench.montecarlo.looks import CAUTION, Look, block_size, looks
from maml_bench.montecarlo.workers import Workers
from maml_bench.setting import Setting

METHODS = ("auto", "exact", "search", "monte-carlo")
ROUNDING = 1e-10
"""Relative allowance for rounding when an exact value is compared with a bound that it may attain."""


@dataclass(frozen=True)
class Verdict:
    """What was found about one claim in one setting.

    Attributes
    ----------
    outcome : str
        ``holds`` (upper <= bound), ``violated`` (lower > bound), ``inconclusive`` or ``not applicable``. For an
        equality ``holds`` if both limits are within its tolerance of the right side, ``violated`` if that is outside
        the limits.
    value, lower, upper : float
        The measured left-hand side of the worst cell (task), with its limits; all equal if computed exactly.
    bound, ratio : float
        The right-hand side for that cell, and value / bound.
    cell : int
        Index of the worst cell: the one of the largest ratio, for an equality of the ratio farthest from 1.
    method : str
        ``exact``, ``search`` or ``monte-carlo``. A search for a supremum gives the largest value found, for value and
        both limits: with it, ``holds`` says no more than that the search did not exceed the bound.
    replicates, seconds : int, float
        Replicates drawn and wall time.
    seed, confidence : int, float
        They reproduce the limits: ``check(..., budget=replicates, precision=0)`` draws the same replicates and looks
        at them as often.
    reason : str
        Why the run ended, or which hypothesis fails.
    """

    claim: str
    form: str
    outcome: str
    value: float = math.nan
    lower: float = math.nan
    upper: float = math.nan
    bound: float = math.nan
    ratio: float = math.nan
    cell: int = 0
    factor: float = 1.0
    method: str = ""
    replicates: int = 0
    seconds: float = 0.0
    seed: int = 0
    confidence: float = 0.99
    reason: str = ""

    def __str__(self) -> str:
        scaled = "" if self.factor == 1 else f", bound times {self.factor:g}"
        head = f"{self.claim} ({self.form}{scaled}): {self.outcome}"
        if self.outcome == "not applicable":
            return f"{head}; {self.reason}"
        limits = "" if self.lower == self.upper else f" in [{self.lower:.4g}, {self.upper:.4g}]"
        numbers = f"measured {self.value:.4g}{limits}, bound {self.bound:.4g}, ratio {self.ratio:.3g}"
        return f"{head}; {numbers}; {self.method}, {self.reason}"

    def as_dict(self) -> dict:
        """The fields, with None for numbers that do not exist."""
        return {
            name: None if isinstance(value, float) and math.isnan(value) else value
            for name, value in asdict(self).items()
        }


def check(
    claim: str | Claim,
    setting: Setting,
    *,
    form: str = "sharp",
    seed: int = 0,
    confidence: float = 0.99,
    budget: int = 1_000_000,
    seconds: float = math.inf,
    method: str = "auto",
    precision: float = math.inf,
    workers: Workers | int = 1,
) -> Verdict:
    """Check one claim in one setting.

    Parameters
    ----------
    claim : str or Claim
        A name, or a claim such as ``claims.get("prop2-second").scaled(0.9)``.
    form : str
        Form of the bound, if ``claim`` is a name.
    confidence : float
        An outcome ``holds`` or ``violated`` is wrong with probability at most ``1 - confidence``,
        as far as batch means are normal.
    budget : int
        Most replicates to draw, at least 64.
    seconds : float
        A look that would not end within this time is not begun.
    method : str
        ``exact`` asks for the exact value, ``search`` (for suprema) for the largest value found, ``monte-carlo`` for
        sampling; ``auto`` for the first of them that exists.
    precision : float
        Once decided, draw on until the limits are within this fraction of the value, or out of budget; 0 draws all of
        the budget.
    workers : Workers or int
        Threads. The result does not depend on it.

    Raises
    ------
    ValueError
        For an unknown name or an argument outside its range.
    """
    chosen = claim if isinstance(claim, Claim) else claims.get(claim, form)
    (verdict,) = check_all(
        [chosen],
        setting,
        seed=seed,
        confidence=confidence,
        budget=budget,
        seconds=seconds,
        method=method,
        precision=precision,
        workers=workers,
    )
    return verdict


def check_all(
    chosen: Sequence[Claim],
    setting: Setting,
    *,
    seed: int = 0,
    confidence: float = 0.99,
    budget: int = 1_000_000,
    seconds: float = math.inf,
    method: str = "auto",
    precision: float = math.inf,
    workers: Workers | int = 1,
) -> list[Verdict]:
    """Check several claims about one measured quantity (the forms of a bound) on the same replicates.

    Parameters and errors as in `check`; each verdict has the stated confidence by itself.
    """
    start = time.perf_counter()
    seed = arguments.seed(seed)
    delta = 1 - arguments.probability("confidence", confidence)
    budget = arguments.natural("budget", budget)
    arguments.nonnegative("precision", min(precision, 1e300))
    arguments.positive("seconds", min(seconds, 1e300))
    if method not in METHODS:
        raise ValueError(f"method = {method!r}: must be one of {', '.join(METHODS)}")
    measurement = chosen[0].measurement
    if any(claim.measurement is not measurement for claim in chosen):
        raise ValueError("claims checked together must share one measurement")

    questions, refusals = {}, {}
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is noticed by its value
        for claim in chosen:
            try:
                questions[claim.form] = question(claim, setting)
            except (HypothesisError, OverflowError) as error:
                refusals[claim.form] = str(error)
        if questions:
            means = _means(chosen[0], setting, method)
            if any(asked.tolerance is not None for asked in questions.values()):
                delta /= 2  # either limit can refute an equality
            if means == "monte-carlo":
                run = looks(
                    measurement.sampler(setting),
                    measurement.estimand,
                    seed=seed,
                    delta=delta,
                    budget=budget,
                    size=block_size(measurement.footprint(setting), budget),
                    workers=workers if isinstance(workers, Workers) else Workers(workers),
                    seconds=seconds,
                )
                found = _sampled(run, list(questions.values()), precision)
            else:
                found = _computed(measurement, setting, means)

    common = {"seed": seed, "confidence": confidence, "seconds": time.perf_counter() - start}
    return [
        Verdict(claim.name, claim.form, "not applicable", factor=claim.factor, reason=refusals[claim.form], **common)
        if claim.form in refusals
        else _verdict(claim, questions[claim.form], found, common)
        for claim in chosen
    ]


@dataclass(frozen=True)
class Question:
    """A right side to be compared with limits.

    Attributes
    ----------
    bound : array
        For each cell, or one for all.
    tolerance : float or None
        Relative tolerance of an equality; None for a bound.
    resolution : float
        What rounding may add to a sampled value. It can excuse a value above the bound, never confirm one.
    """

    bound: np.ndarray
    tolerance: float | None
    resolution: float

    def refuted(self, limits: Limits, resolution: float | None = None) -> np.ndarray:
        """Cells whose limits exclude the right side by more than rounding."""
        slack = ROUNDING * self.bound + (self.resolution if resolution is None else resolution)
        refuted = limits.lower > self.bound + slack
        return refuted if self.tolerance is None else refuted | (limits.upper < self.bound - slack)

    def confirmed(self, limits: Limits) -> np.ndarray:
        """Cells whose limits respect the bound, or are as close to the right side of an equality as is asked."""
        confirmed = limits.upper <= self.bound * (1 + ROUNDING)
        if self.tolerance is None:
            return confirmed
        reach = self.tolerance * self.bound
        return (limits.upper <= self.bound + reach) & (limits.lower >= self.bound - reach) & (self.resolution <= reach)

    def outcome(self, limits: Limits, resolution: float | None = None) -> str:
        if np.any(self.refuted(limits, resolution)):
            return "violated"
        return "holds" if np.all(self.confirmed(limits)) else "inconclusive"


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
    return Question(bound, claim.tolerance, claim.measurement.resolution(setting))


@dataclass(frozen=True)
class _Found:
    """A measured left side: limits for each cell, how they came about, and whether they can be trusted."""

    limits: Limits
    method: str
    replicates: int
    reason: str
    trusted: bool = True


def _means(claim: Claim, setting: Setting, method: str) -> str:
    """The method to use: the one asked for, or the first that exists.

    Raises
    ------
    ValueError
        If the quantity cannot be measured as asked.
    """
    measurement = claim.measurement
    if method in ("auto", "exact") and measurement.exact(setting) is not None:
        return "exact"
    if method == "exact":
        raise ValueError(f"method = 'exact': no exact value of {claim.name} is known for these tasks")
    available = "search" if measurement.search else "monte-carlo"
    impossible = available == "monte-carlo" and measurement.sampler is None
    if impossible or method not in ("auto", available):
        raise ValueError(f"method = {method!r}: {claim.name} cannot be measured in this way")
    return available


def _computed(measurement: Measurement, setting: Setting, means: str) -> _Found:
    if means == "exact":
        value, reason = measurement.exact(setting), "computed exactly"
    else:
        value, reason = measurement.search(setting), "largest value found by a search for the supremum"
    if not np.all(np.isfinite(value)):
        raise OverflowError("the measured value overflows: the inner loop diverges at these parameters")
    return _Found(Limits(value, value, value), means, 0, reason)


def _sampled(run: Iterator[Look], questions: Sequence[Question], precision: float) -> _Found:
    """Look until all questions are decided, to the precision asked for, by limits that can be trusted."""
    for look in run:
        decided = all(question.outcome(look.limits) != "inconclusive" for question in questions)
        if decided and not look.constant and _precise(look.limits, precision):
            return _Found(look.limits, "monte-carlo", look.replicates, "decided")
    reason = "budget spent" if look.last else "time spent"
    if look.constant:
        reason += "; all batches agree, so an event too rare to be drawn would not show: the limits cannot be trusted"
    elif look.dominated:
        reason += (
            f"; one batch makes up a large part of the variance, which may be infinite: limits {CAUTION} times wider"
        )
    return _Found(look.limits, "monte-carlo", look.replicates, reason, trusted=not look.constant)


def _verdict(claim: Claim, asked: Question, found: _Found, common: dict) -> Verdict:
    limits = found.limits
    bound = np.broadcast_to(asked.bound, limits.value.shape)
    resolution = asked.resolution if found.method == "monte-carlo" else 0.0
    outcome = asked.outcome(limits, resolution) if found.trusted else "inconclusive"
    cell = _telling_cell(asked, limits, bound, outcome, resolution)
    value, lower, upper = (float(side[cell]) for side in (limits.value, limits.lower, limits.upper))
    right = float(bound[cell])
    reason = found.reason
    if outcome == "inconclusive" and found.trusted:
        reason += _outlook(max(upper - value, value - lower), abs(value - right), found.replicates, resolution)
    return Verdict(
        claim.name,
        claim.form,
        outcome,
        value=value,
        lower=lower,
        upper=upper,
        bound=right,
        ratio=_ratio(value, right),
        cell=cell,
        factor=claim.factor,
        method=found.method,
        replicates=found.replicates,
        reason=reason,
        **common,
    )


def _ratio(value: float, bound: float) -> float:
    if bound == 0:
        return math.nan if value == 0 else math.inf
    return value / bound


def _telling_cell(asked: Question, limits: Limits, bound: np.ndarray, outcome: str, resolution: float) -> int:
    """The cell that the verdict reports: of those that decide the outcome, the one with the largest ratio."""
    deciding = np.ones(bound.shape, dtype=bool)
    if outcome == "violated":
        deciding = asked.refuted(limits, resolution)
    elif outcome == "inconclusive" and not np.all(asked.confirmed(limits)):
        deciding = ~asked.confirmed(limits)
    ratios = np.array([_ratio(v, b) for v, b in zip(limits.value, bound, strict=True)])
    badness = ratios if asked.tolerance is None else np.abs(ratios - 1)
    return int(np.argmax(np.where(deciding, np.nan_to_num(badness, nan=0.0, posinf=np.inf), -1.0)))


def _outlook(reach: float, gap: float, replicates: int, resolution: float) -> str:
    """What a larger budget could do: limits shrink with the root of the number of replicates."""
    if gap <= max(reach / 100, resolution):
        return "; the value is too close to the bound to tell them apart"
    needed = replicates * (reach / gap) ** 2
    return f"; about {max(needed, 2 * replicates):.1g} replicates would decide if the value is as measured"


def _precise(limits: Limits, precision: float) -> bool:
    return precision == math.inf or bool(np.all(limits.upper - limits.lower <= 2 * precision * limits.value))
