"""Checking a claim: measure the left-hand side until it is decided against the bound, and say what was found."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from analytic.bound import HypothesisError
from maml_bench import checks, claims
from maml_bench.claims.claim import Claim, Measurement
from maml_bench.montecarlo.limits import Limits
from maml_bench.montecarlo.looks import LEAST_BUDGET, Look, block_size, looks
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
        With ``replicates`` as the budget, they reproduce the limits.
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
    method: str = ""
    replicates: int = 0
    seconds: float = 0.0
    seed: int = 0
    confidence: float = 0.99
    reason: str = ""

    def __str__(self) -> str:
        head = f"{self.claim} ({self.form}): {self.outcome}"
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
        An outcome ``holds`` or ``violated`` is wrong with probability at most ``1 - confidence``.
    budget : int
        Most replicates to draw, at least 64.
    seconds : float
        A look that would not end within this time is not begun.
    method : str
        ``exact`` asks for the exact value, ``search`` (for suprema) for the largest value found, ``monte-carlo`` for
        sampling; ``auto`` for the first of them that exists.
    precision : float
        Once decided, draw on until the limits are within this fraction of the value, or out of budget.
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
    seed = checks.seed(seed)
    delta = 1 - checks.probability("confidence", confidence)
    budget = checks.natural("budget", budget)
    checks.positive("precision", min(precision, 1e300))
    if method not in METHODS:
        raise ValueError(f"method = {method!r}: must be one of {', '.join(METHODS)}")
    measurement = chosen[0].measurement
    if any(claim.measurement is not measurement for claim in chosen):
        raise ValueError("claims checked together must share one measurement")

    questions, refusals = {}, {}
    for claim in chosen:
        try:
            questions[claim.form] = _Question(
                claim.right_side(setting), claim.tolerance, measurement.resolution(setting)
            )
        except HypothesisError as error:
            refusals[claim.form] = str(error)
    if questions:
        means = _means(chosen[0], setting, method)
        if any(question.tolerance is not None for question in questions.values()):
            delta /= 2  # either limit can refute an equality
        if means == "monte-carlo":
            if budget < LEAST_BUDGET:
                raise ValueError(f"budget = {budget}: must be at least {LEAST_BUDGET} replicates")
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
        Verdict(claim.name, claim.form, "not applicable", reason=refusals[claim.form], **common)
        if claim.form in refusals
        else _verdict(claim, questions[claim.form], found, common)
        for claim in chosen
    ]


@dataclass(frozen=True)
class _Question:
    """A right side, the tolerance of an equality (None for a bound), and what rounding may add to the left side."""

    bound: np.ndarray
    tolerance: float | None
    resolution: float

    def outcome(self, limits: Limits, rounding: float = 0.0) -> str:
        """Limits refute a bound or an equality by excluding it; they confirm a bound by respecting it,
        an equality by being close.
        """
        slack = self.resolution + rounding * self.bound
        most, least = self.bound + slack, -np.inf
        refuted = limits.lower > most
        if self.tolerance is not None:
            refuted |= limits.upper < self.bound - slack
            most, least = (self.bound * (1 + sign * self.tolerance) + sign * slack for sign in (1, -1))
        if np.any(refuted):
            return "violated"
        return "holds" if np.all((limits.upper <= most) & (limits.lower >= least)) else "inconclusive"


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
    return _Found(Limits(value, value, value), means, 0, reason)


def _sampled(run: Iterator[Look], questions: Sequence[_Question], precision: float) -> _Found:
    """Look until all questions are decided, to the precision asked for, by limits that can be trusted."""
    for look in run:
        decided = all(question.outcome(look.limits) != "inconclusive" for question in questions)
        if decided and not look.dominated and _precise(look.limits, precision):
            return _Found(look.limits, "monte-carlo", look.replicates, "decided")
    if look.dominated:
        reason = "one batch makes up most of the variance, which may be infinite: the limits cannot be trusted"
    else:
        reason = "budget spent" if look.last else "time spent"
    return _Found(look.limits, "monte-carlo", look.replicates, reason, trusted=not look.dominated)


def _verdict(claim: Claim, question: _Question, found: _Found, common: dict) -> Verdict:
    limits = found.limits
    bound = np.broadcast_to(question.bound, limits.value.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = limits.value / bound
    badness = ratio if claim.tolerance is None else np.abs(ratio - 1)
    cell = int(np.argmax(np.nan_to_num(badness, nan=-1.0)))
    rounding = 0.0 if found.method == "monte-carlo" else ROUNDING
    outcome = question.outcome(limits, rounding) if found.trusted else "inconclusive"
    value, lower, upper = (float(side[cell]) for side in (limits.value, limits.lower, limits.upper))
    reason = found.reason
    if outcome == "inconclusive" and found.trusted:
        reason += _outlook(max(upper - value, value - lower), abs(value - float(bound[cell])), found.replicates)
    return Verdict(
        claim.name,
        claim.form,
        outcome,
        value=value,
        lower=lower,
        upper=upper,
        bound=float(bound[cell]),
        ratio=float(ratio[cell]),
        cell=cell,
        method=found.method,
        replicates=found.replicates,
        reason=reason,
        **common,
    )


def _outlook(reach: float, gap: float, replicates: int) -> str:
    """What a larger budget could do: limits shrink with the root of the number of replicates."""
    if gap <= reach / 100:
        return "; the value is too close to the bound to tell them apart"
    needed = replicates * (reach / gap) ** 2
    return f"; about {max(needed, 2 * replicates):.1g} replicates would decide if the value is as measured"


def _precise(limits: Limits, precision: float) -> bool:
    return precision == math.inf or bool(np.all(limits.upper - limits.lower <= 2 * precision * limits.value))
