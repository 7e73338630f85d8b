"""Checking a claim: measure the left-hand side until it is decided against the bound, and say what was found."""

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from analytic.bound import HypothesisError
from maml_bench import checks, claims
from maml_bench.claims.claim import Claim
from maml_bench.montecarlo.limits import Limits
from maml_bench.montecarlo.looks import LEAST_BUDGET, block_size, looks
from maml_bench.montecarlo.workers import Workers
from maml_bench.setting import Setting

METHODS = ("auto", "exact", "monte-carlo")
ROUNDING = 1e-10
"""Relative allowance for rounding when an exact value is compared with a bound that it may attain."""


@dataclass(frozen=True)
class Verdict:
    """What was found about one claim in one setting.

    Attributes
    ----------
    outcome : str
        ``holds`` (upper <= bound), ``violated`` (lower > bound), ``inconclusive`` or ``not applicable``.
    value, lower, upper : float
        The measured left-hand side of the worst cell (task), with its limits; all equal if computed exactly.
    bound, ratio : float
        The right-hand side for that cell, and value / bound.
    cell : int
        Index of the worst cell: the one of the largest ratio.
    method : str
        ``exact`` or ``monte-carlo``.
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
        ``exact`` asks for the exact value, ``monte-carlo`` for sampling, ``auto`` for the exact value where there is one.
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

    bounds, reasons = {}, {}
    for index, claim in enumerate(chosen):
        try:
            bounds[index] = claim.right_side(setting)
        except HypothesisError as error:
            reasons[index] = str(error)

    exact = measurement.exact(setting) if method != "monte-carlo" and bounds else None
    if method == "exact" and exact is None and bounds:
        raise ValueError(f"method = 'exact': no exact value of {chosen[0].name} is known for these tasks")
    replicates, resolution = 0, measurement.resolution(setting)
    if not bounds:
        limits, ended = None, ""
    elif exact is not None:
        limits, ended = Limits(exact, exact, exact), "computed exactly"
    else:
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
        ended = "budget spent"
        for look in run:
            limits, replicates = look.limits, look.replicates
            decided = all(_outcome(limits, bound + resolution) != "inconclusive" for bound in bounds.values())
            if decided and _precise(limits, precision):
                ended = "decided"
                break

    common = {"seed": seed, "confidence": confidence, "seconds": time.perf_counter() - start}
    verdicts = []
    for index, claim in enumerate(chosen):
        if index in reasons:
            verdicts.append(Verdict(claim.name, claim.form, "not applicable", reason=reasons[index], **common))
            continue
        bound = np.broadcast_to(bounds[index], limits.value.shape)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = limits.value / bound
        cell = int(np.argmax(np.nan_to_num(ratio, nan=-1.0)))
        verdicts.append(
            Verdict(
                claim.name,
                claim.form,
                _outcome(limits, bound * (1 + (0 if exact is None else ROUNDING)) + resolution),
                value=float(limits.value[cell]),
                lower=float(limits.lower[cell]),
                upper=float(limits.upper[cell]),
                bound=float(bound[cell]),
                ratio=float(ratio[cell]),
                cell=cell,
                method="monte-carlo" if exact is None else "exact",
                replicates=replicates,
                reason=ended,
                **common,
            )
        )
    return verdicts


def _outcome(limits: Limits, bound: np.ndarray) -> str:
    if np.any(limits.lower > bound):
        return "violated"
    return "holds" if np.all(limits.upper <= bound) else "inconclusive"


def _precise(limits: Limits, precision: float) -> bool:
    return precision == math.inf or bool(np.all(limits.upper - limits.lower <= 2 * precision * limits.value))

