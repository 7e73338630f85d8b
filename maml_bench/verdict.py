"""Checking a claim: measure the left-hand side until it is decided against the bound, and say what was found."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from analytic.bound import HypothesisError
from maml_bench import claims
from maml_bench.claims.claim import Claim, Measurement
from maml_bench.claims.question import Question, question
from maml_bench.effort import Effort
from maml_bench.evidence import Evidence, Outcome
from maml_bench.montecarlo.limits import Limits
from maml_bench.montecarlo.looks import CAUTION, Look, block_size, looks
from maml_bench.montecarlo.workers import Workers
from maml_bench.setting import Setting

EVIDENCE = {"exact": Evidence.EXACT, "search": Evidence.SEARCH, "monte-carlo": Evidence.ASYMPTOTIC}
"""What each method of measuring rests on."""


@dataclass(frozen=True)
class Verdict:
    """What was found about one claim in one setting.

    Attributes
    ----------
    outcome : Outcome
        For a claim ``measured <= bound``: ``holds`` (upper <= bound), ``violated`` (lower > bound), ``inconclusive`` or
        ``not applicable``; mirrored for ``>=``. For an equality ``holds`` if both limits are within its tolerance of
        the right side, ``violated`` if that is outside the limits. ``not refuted`` if a search for a supremum did not
        exceed the bound: it can refute, never confirm.
    value, lower, upper : float
        The measured left-hand side of the worst cell (task), with its limits; all equal if computed exactly.
    bound, ratio : float
        The right-hand side for that cell, and value / bound.
    cell : int
        Index of the worst cell: the one of the largest ratio (for ``>=`` the smallest, for an equality the farthest
        from 1).
    evidence : Evidence or None
        What the value and its limits rest on; None if nothing was measured.
    method : str
        ``exact``, ``search`` or ``monte-carlo``. A search for a supremum gives the largest value found, for value and
        both limits.
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
    outcome: Outcome
    value: float = math.nan
    lower: float = math.nan
    upper: float = math.nan
    bound: float = math.nan
    ratio: float = math.nan
    cell: int = 0
    factor: float = 1.0
    evidence: Evidence | None = None
    method: str = ""
    replicates: int = 0
    seconds: float = 0.0
    seed: int = 0
    confidence: float = 0.99
    reason: str = ""

    def __str__(self) -> str:
        scaled = "" if self.factor == 1 else f", bound times {self.factor:g}"
        head = f"{self.claim} ({self.form}{scaled}): {self.outcome}"
        if self.outcome == Outcome.NOT_APPLICABLE:
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
    form: str | None = None,
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
        Form of the bound, ``sharp`` unless given. A claim has its form already.
    seed, confidence, budget, seconds, method, precision, workers
        See `Effort`.

    Raises
    ------
    ValueError
        For an unknown name, an argument outside its range, or a form that is not the claim's.
    """
    if isinstance(claim, Claim):
        if form not in (None, claim.form):
            raise ValueError(f"form = {form!r}: the claim given is {claim.name} in the form {claim.form!r}")
    else:
        claim = claims.get(claim, form or "sharp")
    effort = Effort(seed, confidence, budget, seconds, precision, method, workers)
    (verdict,) = judge([claim], setting, effort)
    return verdict


def check_all(chosen: Sequence[Claim], setting: Setting, **effort) -> list[Verdict]:
    """Check several claims about one measured quantity (the forms of a bound) on the same replicates.

    Keywords and errors as those of `Effort`; each verdict has the stated confidence by itself.
    """
    return judge(chosen, setting, Effort(**effort))


def judge(chosen: Sequence[Claim], setting: Setting, effort: Effort) -> list[Verdict]:
    """As `check_all`.

    Raises
    ------
    ValueError
        If the claims do not share a measurement, or it cannot be made as asked.
    """
    start = time.perf_counter()
    measurement = chosen[0].measurement
    if any(claim.measurement != measurement for claim in chosen):
        raise ValueError("claims checked together must share one measurement")
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is noticed by its value
        asked = [_asked(claim, setting) for claim in chosen]
        questions = [found for found in asked if isinstance(found, Question)]
        found = _measured(chosen[0], setting, questions, effort) if questions else None
    common = {"seed": effort.seed, "confidence": effort.confidence, "seconds": time.perf_counter() - start}
    return [
        _verdict(claim, entry, found, common)
        if isinstance(entry, Question)
        else Verdict(claim.name, claim.form, Outcome.NOT_APPLICABLE, factor=claim.factor, reason=entry, **common)
        for claim, entry in zip(chosen, asked, strict=True)
    ]


def _asked(claim: Claim, setting: Setting) -> Question | str:
    """The question, or why the claim does not apply."""
    try:
        return question(claim, setting)
    except (HypothesisError, OverflowError) as error:
        return str(error)


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
    impossible = available == "monte-carlo" and measurement.sampled is None
    if impossible or method not in ("auto", available):
        raise ValueError(f"method = {method!r}: {claim.name} cannot be measured in this way")
    return available


def _measured(claim: Claim, setting: Setting, questions: Sequence[Question], effort: Effort) -> _Found:
    """The left side, by the means that the effort asks for."""
    measurement, means = claim.measurement, _means(claim, setting, effort.method)
    if means != "monte-carlo":
        return _computed(measurement, setting, means)
    sampled, delta = measurement.sampled, 1 - effort.confidence
    run = looks(
        sampled.draw(setting),
        sampled.estimand,
        seed=effort.seed,
        delta=delta / 2 if any(asked.sense == "=" for asked in questions) else delta,  # either limit can refute it
        budget=effort.budget,
        size=block_size(sampled.footprint(setting), effort.budget),
        workers=effort.workers,
        seconds=effort.seconds,
    )
    return _sampled(run, questions, effort.precision)


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
        decided = all(asked.outcome(look.limits) != Outcome.INCONCLUSIVE for asked in questions)
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
    outcome = asked.outcome(limits, resolution) if found.trusted else Outcome.INCONCLUSIVE
    evidence = EVIDENCE[found.method]
    if outcome == Outcome.HOLDS and evidence == Evidence.SEARCH:
        outcome = Outcome.NOT_REFUTED  # a larger value may exist
    cell = _telling_cell(asked, limits, bound, outcome, resolution)
    value, lower, upper = (float(side[cell]) for side in (limits.value, limits.lower, limits.upper))
    right = float(bound[cell])
    reason = found.reason
    if outcome == Outcome.INCONCLUSIVE and found.trusted:
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
        evidence=evidence,
        method=found.method,
        replicates=found.replicates,
        reason=reason,
        **common,
    )


def _ratio(value: float, bound: float) -> float:
    if bound == 0:
        return math.nan if value == 0 else math.inf
    return value / bound


def _telling_cell(asked: Question, limits: Limits, bound: np.ndarray, outcome: Outcome, resolution: float) -> int:
    """The cell that the verdict reports: of those that decide the outcome, the worst."""
    deciding = np.ones(bound.shape, dtype=bool)
    if outcome == Outcome.VIOLATED:
        deciding = asked.refuted(limits, resolution)
    elif outcome == Outcome.INCONCLUSIVE and not np.all(asked.confirmed(limits)):
        deciding = ~asked.confirmed(limits)
    ratios = np.array([_ratio(v, b) for v, b in zip(limits.value, bound, strict=True)])
    badness = np.nan_to_num(asked.badness(ratios), nan=0.0, posinf=np.inf)
    return int(np.argmax(np.where(deciding, badness, -np.inf)))


def _outlook(reach: float, gap: float, replicates: int, resolution: float) -> str:
    """What a larger budget could do: limits shrink with the root of the number of replicates."""
    if gap <= max(reach / 100, resolution):
        return "; the value is too close to the bound to tell them apart"
    needed = replicates * (reach / gap) ** 2
    return f"; about {max(needed, 2 * replicates):.1g} replicates would decide if the value is as measured"


def _precise(limits: Limits, precision: float) -> bool:
    return precision == math.inf or bool(np.all(limits.upper - limits.lower <= 2 * precision * limits.value))


def left_side(claim: Claim, setting: Setting, effort: Effort) -> tuple[Limits, Evidence, int]:
    """What a claim measures, whatever its bound: limits, what they rest on, and the replicates that were drawn."""
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is noticed by its value
        found = _measured(claim, setting, [], effort)
    return found.limits, EVIDENCE[found.method], found.replicates
