"""Checking a claim: measure the left-hand side until it is decided against the bound, and say what was found."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from analytic.arguments import shown
from analytic.bound import HypothesisError, in_text, table
from maml_bench import claims
from maml_bench.claims.claim import Claim, Measurement
from maml_bench.claims.question import Question, question, weakest
from maml_bench.effort import Effort
from maml_bench.evidence import Evidence, Outcome
from maml_bench.exact import AGREEMENT, precisely
from maml_bench.montecarlo.betting import LEAST
from maml_bench.montecarlo.deadline import TimeUp, within
from maml_bench.montecarlo.estimands import ESTIMANDS, Beside
from maml_bench.montecarlo.limits import Limits
from maml_bench.montecarlo.sequence import Look, block_size, looks
from maml_bench.montecarlo.tilted import Capped
from maml_bench.montecarlo.workers import Workers
from maml_bench.setting import Setting, given

PATIENCE = 1.1
"""A run that does not look at the clock is interrupted after this multiple of its time."""


NO_PROOF = "; asymptotic: nothing is proved that bounds the replicates"
TOO_WIDE = "; asymptotic: what is proved of the replicates decides it only with more of them"

PRECISE = 1e-30
"""What many digits leave of an error of rounding, at most: they are 60, in place of 16."""


@dataclass(frozen=True)
class Verdict:
    """What was found about one claim in one setting.

    Attributes
    ----------
    outcome : Outcome
        For a claim ``measured <= bound``: ``holds`` (upper <= bound, or attained to rounding), ``violated`` (lower >
        bound), ``inconclusive`` or ``not applicable``; mirrored for ``>=``. For an equality ``holds`` if both limits
        are within its tolerance of the right side, ``violated`` if both are beyond it. ``not refuted`` if a search for
        a supremum did not exceed the bound: it can refute, never confirm.
    value, lower, upper : float
        The measured left-hand side of the worst cell (task), with its limits. Those of a sampled value are wrong for
        any cell, at any number of replicates, with probability at most ``1 - confidence`` on each side; `holds` asks
        less of them, each cell by itself, so an upper limit above the bound may accompany it. Those of an exact value
        are its rounding. Of an equality of matrices, the norm of the difference.
    bound, ratio : float
        The right-hand side for that cell, and value / bound.
    cell : int
        Index of the worst cell: the one of the largest ratio (for ``>=`` the smallest, for an equality the farthest
        from 1).
    evidence : Evidence or None
        What the outcome rests on, and the limits, unless ``limits`` says otherwise; None if nothing was measured.
    limits : Evidence or None
        What the limits rest on. Where a ``precision`` is asked for that certified limits do not have, those of the
        normal approximation stand beside an outcome that is certified.
    method : str
        ``exact``, ``search`` or ``monte-carlo``. A search for a supremum gives the largest value found, for value and
        both limits.
    replicates, seconds : int, float
        Replicates drawn and wall time.
    seed, confidence : int, float
        They reproduce the limits: ``check(..., budget=replicates, precision=0)`` draws the same replicates.
    reason : str
        Why the run ended, or which hypothesis fails.

    Examples
    --------
    >>> from maml_bench import InnerLoop, Setting, check
    >>> from maml_bench.problems import AdditiveGaussian, Quadratic
    >>> setting = Setting(Quadratic.concave(2).with_noise(AdditiveGaussian(1.0)), np.ones(2), InnerLoop(0.1, 3))
    >>> verdict = check("prop2-second", setting)
    >>> print(verdict)
    prop2-second (sharp): holds; measured 0.03674, bound 0.03674, ratio 1; exact, computed exactly; attained to rounding
    >>> verdict.outcome == "holds", verdict.evidence == "exact"
    (True, True)
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
    limits: Evidence | None = None
    method: str = ""
    replicates: int = 0
    seconds: float = 0.0
    seed: int = 0
    confidence: float = 0.99
    reason: str = ""

    def __str__(self) -> str:
        scaled = "" if self.factor == 1 else f", bound times {self.factor:g}"
        head = f"{self.claim} ({self.form}{scaled}): {self.outcome}"
        if self.evidence is None:
            return f"{head}; {self.reason}"
        numbers = f"measured {self.value:.4g}{self.limits_in_words}, bound {self.bound:.4g}, ratio {self.ratio:.3g}"
        return f"{head}; {numbers}; {self.evidence}, {self.reason}"

    def __bool__(self):
        raise TypeError('a verdict is not true or false: ask for its outcome, verdict.outcome == "holds"')

    def _repr_html_(self) -> str:
        """The verdict as a table, for notebooks."""
        rows: dict[str, object] = {"outcome": self.outcome, "reason": self.reason}
        if self.evidence is not None:
            factor = "" if self.factor == 1 else f", times {self.factor:g}"
            rows["measured"] = f"{self.value:.6g}{self.limits_in_words}"
            rows["bound"] = f"{self.bound:.6g}{factor}; measured / bound = {self.ratio:.4g}"
            rows["evidence"] = f"{self.evidence}, {self.replicates:,} replicates" if self.replicates else self.evidence
        return table(f"{self.claim} ({self.form})", rows)

    def _repr_latex_(self) -> str:
        """The verdict in a line of LaTeX, for notebooks."""
        head = f"{self.claim} ({self.form}): {self.outcome}; "
        if self.evidence is None:
            return f"${in_text(head + self.reason)}$"
        factor = "" if self.factor == 1 else f", times {self.factor:g}"
        measured = f"{self.value:.6g}{self.limits_in_words}"
        return f"${in_text(f'{head}{measured}, bound {self.bound:.6g}{factor}; {self.evidence}')}$"

    @property
    def limits_in_words(self) -> str:
        """Such as `` in [1.2, 1.3]``, with what they rest on if the outcome rests on more; nothing for one number."""
        lower, upper = f"{self.lower:.4g}", f"{self.upper:.4g}"
        kind = f" ({self.limits})" if self.limits and self.limits != self.evidence else ""
        return "" if lower == upper else f" in [{lower}, {upper}]{kind}"

    def as_dict(self) -> dict:
        """The fields; numbers that do not exist are NaN."""
        return asdict(self)


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

    Examples
    --------
    >>> from maml_bench import InnerLoop, Setting, check
    >>> from maml_bench.problems import AdditiveGaussian, Trigonometric
    >>> tasks = Trigonometric.random(dim=2, tasks=3, rng=0).with_noise(AdditiveGaussian(0.5))
    >>> setting = Setting(tasks, np.ones(2), InnerLoop(alpha=0.05, steps=2, S=4))
    >>> str(check("prop2-second", setting, form="paper", seed=0).outcome)
    'holds'
    """
    claim = claims.chosen(claim, form)
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
    if not isinstance(chosen, list | tuple) or not chosen:
        raise ValueError(f"chosen = {shown(chosen)}: must be a list of claims")
    chosen, setting = [claims.chosen(claim) for claim in chosen], given(setting)
    measurement = chosen[0].measurement
    if any(claim.measurement != measurement for claim in chosen):
        raise ValueError("claims checked together must share one measurement")
    if measurement.target is not None:  # what is measured is the distance to a target that the factor multiplies
        return [_judge([claim], setting, effort)[0] for claim in chosen]
    return _judge(chosen, setting, effort)


def _judge(chosen: Sequence[Claim], setting: Setting, effort: Effort) -> list[Verdict]:
    start = time.perf_counter()
    asked: list[Question | str | None] = [None] * len(chosen)
    found = _Found(None, effort.method, 0, "time spent")
    with np.errstate(over="ignore", invalid="ignore"), suppress(TimeUp), within(PATIENCE * effort.seconds):
        # What overflows is noticed by its value.
        for number, claim in enumerate(chosen):
            asked[number] = _asked(claim, setting)
        questions = [entry for entry in asked if isinstance(entry, Question)]
        if questions:
            found = _measured(chosen[0], setting, questions, replace(effort, seconds=_left(effort, start)))
    common = {"seed": effort.seed, "confidence": effort.confidence, "seconds": time.perf_counter() - start}
    return [_verdict(claim, entry, found, common) for claim, entry in zip(chosen, asked, strict=True)]


def _left(effort, start):
    return max(effort.seconds - (time.perf_counter() - start), 1e-3)


def _asked(claim: Claim, setting: Setting) -> Question | str:
    """The question, or why the claim does not apply."""
    try:
        return question(claim, setting)
    except (HypothesisError, OverflowError) as error:
        return str(error)


@dataclass(frozen=True)
class _Found:
    """A measured left side: limits for each cell, None if time was up before; and how they came about. Asymptotic ones
    ``near`` the value stand beside certified ones that may be wider than the precision asked for.
    """

    limits: Limits | None
    method: str
    replicates: int
    reason: str
    near: Limits | None = None
    precision: float = math.inf

    @property
    def shown(self) -> Limits | None:
        """The limits to be told: certified ones where they are as close as asked for."""
        wide = self.near is not None and not _precise(self.limits, self.precision)
        return self.near if wide else self.limits


def _measured(claim: Claim, setting: Setting, questions: Sequence[Question], effort: Effort) -> _Found:
    """The left side, by the means that the effort asks for."""
    found = _computed(claim, setting, effort.method)
    if found is not None:
        undecided = found.limits is not None and not _decided(questions, found.limits)
        return (undecided and _recomputed(claim.measurement, setting, found)) or found
    run = sampling(claim, setting, effort)
    return _sampled(run, questions, effort)


def sampling(claim: Claim, setting: Setting, effort: Effort) -> Iterator[Look]:
    """Looks at the left side of a claim. Its right side has no part in them."""
    measurement, sampled = claim.measurement, claim.measurement.sampled
    if sampled is None:
        raise ValueError(f"{claim.name} is not an expectation that can be sampled")
    floats = sampled.footprint(setting)
    block_size(0, floats)  # refuses what does not fit into memory
    draw = sampled.draw(setting)
    known = draw if isinstance(draw, Capped) else None
    ceiling, square = (None, None) if known is None else (known.ceiling, known.square)
    cells = draw(np.random.default_rng(0), 1).shape[1] if known is None else known.cells
    if measurement.target is not None:
        square = None  # it is not that of a difference
        draw, ceiling = _less(draw, ceiling, claim.factor * measurement.target(setting))
    level = 1 - effort.confidence
    if claim.sense == "=" and measurement.target is None:
        level /= 2  # either limit can refute it
    make = ESTIMANDS[sampled.estimand]
    if known is not None and (known.parts or known.floor is not None):
        make = partial(make, floor=known.floor, parts=known.parts)
    estimand: Any = make(level, cells, ceiling if square is None else None, square)
    if square is not None and effort.precision < math.inf:  # it decides what it can, but may be too wide for a value
        estimand = Beside(estimand, make(level, cells, None, None))
    return looks(
        draw,
        estimand,
        seed=effort.seed,
        budget=effort.budget,
        floats=floats,
        workers=effort.workers,
        seconds=effort.seconds,
    )


def _less(draw, ceiling, target):
    """Replicates less their asserted mean, and what their Frobenius norm cannot exceed."""
    size = np.linalg.norm(target.reshape(len(target), -1), axis=-1)
    return lambda rng, replicates: draw(rng, replicates) - target, None if ceiling is None else ceiling + size


def _computed(claim: Claim, setting: Setting, method: str) -> _Found | None:
    """What needs no replicates, by the method asked for or the first that exists; None if it is to be sampled.

    Raises
    ------
    ValueError
        If the quantity cannot be measured as asked.
    """
    measurement = claim.measurement
    value = measurement.exact(setting) if method in ("auto", "exact") else None
    if value is not None:
        means, reason, error = "exact", "computed exactly", measurement.error(setting, value)
    elif method == "exact":
        raise ValueError(f"method = 'exact': no exact value of {claim.name} is known for these tasks")
    elif measurement.search and method in ("auto", "search"):
        means, reason, value = "search", "largest value found by a search for the supremum", measurement.search(setting)
        error = np.full(value.shape, measurement.resolution(setting))
    elif measurement.sampled is None or method == "search":
        raise ValueError(f"method = {method!r}: {claim.name} cannot be measured in this way")
    else:
        return None
    if not np.all(np.isfinite(value)):
        raise OverflowError("the measured value overflows: the inner loop diverges at these parameters")
    return _Found(Limits.around(value, error, means), means, 0, reason)


def _recomputed(measurement: Measurement, setting: Setting, found: _Found) -> _Found | None:
    """The value with many digits, which rounding to a float has left; None where there is no way."""
    exactly = found.method == "exact"
    compute = measurement.exact if exactly else measurement.found and measurement.found(setting)
    value = precisely(compute, setting) if compute else None
    if value is None:
        return None
    rounding = measurement.error(setting, value) if exactly else measurement.resolution(setting)
    limits = Limits.around(value, AGREEMENT * np.abs(value) + PRECISE * rounding, found.method)
    return replace(found, limits=limits, reason=f"{found.reason}, in many digits")


def _decided(questions: Sequence[Question], limits: Limits) -> bool:
    return all(asked.outcome(limits) != Outcome.INCONCLUSIVE for asked in questions)


def _sampled(run: Iterator[Look], questions: Sequence[Question], effort: Effort) -> _Found:
    """Look until all questions are decided, to the precision asked for."""
    reason, replicates, limits, precision = "time spent", 0, None, effort.precision
    with suppress(TimeUp):
        for look in run:
            replicates, limits = look.replicates, look.limits
            close = _precise(limits, precision) or _precise(limits.near, precision)
            if close and (_decided(questions, limits) or _hopeless(questions, look, effort.budget)):
                reason = "decided"
                break
            if look.last:
                reason = "budget spent"
    return _Found(limits, "monte-carlo", replicates, reason, limits and limits.near, precision)


def _hopeless(questions: Sequence[Question], look: Look, budget: int) -> bool:
    """Whether asymptotic limits decide, and certified ones do not to the end of the budget, as the root of it goes."""
    limits, share = look.limits, math.sqrt(look.replicates / budget)
    if limits.near is None or not _decided(questions, limits.near):
        return False
    sides = {
        name: limits.value + share * (getattr(limits, name) - limits.value)
        for name in ("lower", "upper", "lower_alone", "upper_alone")
    }
    return not _decided(questions, replace(limits, **sides))


def _verdict(claim: Claim, asked: Question | str | None, found: _Found, common: dict) -> Verdict:
    common = common | {"factor": claim.factor}
    if isinstance(asked, str):
        return Verdict(claim.name, claim.form, Outcome.NOT_APPLICABLE, reason=asked, **common)
    common = common | {"method": found.method, "replicates": found.replicates}
    limits = found.limits
    if asked is None or limits is None:
        return Verdict(claim.name, claim.form, Outcome.INCONCLUSIVE, reason=found.reason, **common)
    bound = np.broadcast_to(asked.bound, limits.value.shape)
    shown = found.shown or limits
    if found.near is not None and asked.outcome(limits) == Outcome.INCONCLUSIVE:
        limits = shown = found.near
    outcome = asked.outcome(limits)
    evidence = asked.evidence(limits, outcome)
    if outcome == Outcome.HOLDS and evidence == Evidence.SEARCH:
        outcome = Outcome.NOT_REFUTED  # a larger value may exist
    cell = _telling_cell(asked, limits, bound, outcome)
    value, lower, upper = (float(side[cell]) for side in (shown.value, shown.lower, shown.upper))
    right = float(bound[cell])
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
        evidence=evidence,
        limits=evidence if shown is limits else weakest(shown.kinds),
        reason=found.reason
        + _remark(asked, limits, outcome, found.replicates, cell)
        + ((NO_PROOF if found.near is None else TOO_WIDE) if evidence == Evidence.ASYMPTOTIC else ""),
        **common,
    )


def _ratio(value: float, bound: float) -> float:
    if bound == 0:
        return math.nan if value == 0 else math.inf
    return value / bound


def _telling_cell(asked: Question, limits: Limits, bound: np.ndarray, outcome: Outcome) -> int:
    """The cell that the verdict reports: of those that decide the outcome, the worst."""
    deciding = np.ones(bound.shape, dtype=bool)
    if outcome == Outcome.VIOLATED:
        deciding = asked.refuted(limits)
    elif outcome == Outcome.INCONCLUSIVE:
        deciding = ~asked.confirmed(limits)
    ratios = np.array([_ratio(v, b) for v, b in zip(limits.value, bound, strict=True)])
    badness = np.nan_to_num(asked.badness(ratios), nan=0.0, posinf=np.inf)
    return int(np.argmax(np.where(deciding, badness, -np.inf)))


def _remark(asked: Question, limits: Limits, outcome: Outcome, replicates: int, cell: int) -> str:
    """What else there is to say of an outcome: a bound attained, rounding in the way, what a larger budget could do."""
    if outcome == Outcome.HOLDS:
        return "; attained to rounding" if asked.tied(limits)[cell] else ""
    if outcome != Outcome.INCONCLUSIVE:
        return ""
    value, lower, upper = (float(side[cell]) for side in (limits.value, limits.lower, limits.upper))
    gap = abs(value - float(np.broadcast_to(asked.bound, limits.value.shape)[cell]))
    reach = max(upper - value, value - lower)
    if not limits.sampled:
        return f"; rounding of up to {reach:.2g} hides on which side of the bound it is"
    if not math.isfinite(reach) and replicates < LEAST:
        return f"; too few replicates for a normal approximation, which needs {LEAST}"
    if not math.isfinite(reach):
        return "; all replicates agree, so that an event too rare to be drawn would not show"
    if gap <= asked.resolution:
        return f"; rounding of up to {asked.resolution:.2g} in replicates hides on which side of the bound it is"
    if gap <= reach / 100:
        return "; the value is too close to the bound to tell them apart"
    needed = replicates * (reach / gap) ** 2
    return f"; about {max(needed, 2 * replicates):.1g} replicates would decide if the value is as measured"


def _precise(limits: Limits | None, precision: float) -> bool:
    return limits is not None and (
        precision == math.inf or bool(np.all(limits.upper - limits.lower <= 2 * precision * limits.value))
    )


def left_side(claim: Claim, setting: Setting, effort: Effort) -> tuple[Limits, Evidence, int]:
    """What a claim measures, whatever its bound: limits, what they rest on, and the replicates that were drawn.

    Raises
    ------
    TimeoutError
        If time was up before there was anything to say.
    """
    found = None
    with np.errstate(over="ignore", invalid="ignore"), suppress(TimeUp), within(PATIENCE * effort.seconds):
        found = _measured(claim, setting, [], effort)
    if found is None or found.limits is None:
        raise TimeoutError(f"seconds = {effort.seconds:g}: too short to measure {claim.name} at all")
    shown = found.shown or found.limits
    return shown, weakest(shown.kinds), found.replicates
