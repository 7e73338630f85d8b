"""The largest ratio measured / bound that a search can find for one form of a claim, measured again and audited."""

import contextlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass

import numpy as np

from analytic import arguments
from maml_bench import claims
from maml_bench.auditing import Audit, audit
from maml_bench.claims.claim import Claim
from maml_bench.evidence import Outcome
from maml_bench.extremal.arenas import Arena, arenas
from maml_bench.extremal.instances import INSTANCES, Instance, instance
from maml_bench.search import Best, maximize
from maml_bench.setting import Setting
from maml_bench.verdict import Verdict, check

NAMED = "named instance"
SAMPLES, DECIDING = 512, 2**16
"""Replicates of a candidate that is not measured exactly; most of them of the winner, if these leave it open."""
SLOW = 20_000
"""What `maximize` is told of the size of problems that are measured singly: ascent then takes few steps."""


def source(value) -> str:
    """A setting, or a part of one, as Python code that makes it again: arrays to the last digit.

    The code needs ``import numpy as np`` and the names of ``maml_bench``, ``maml_bench.problems`` and
    ``maml_bench.hessians``.

    Examples
    --------
    >>> from maml_bench import InnerLoop
    >>> from maml_bench.extremal import source
    >>> source(InnerLoop(0.1, 3))
    'InnerLoop(alpha=0.1, steps=3, S=1, D=1, T=1)'
    """
    if isinstance(value, np.ndarray):
        return f"np.array({value.tolist()!r})"
    if is_dataclass(value):
        given = ((field.name, getattr(value, field.name)) for field in fields(value) if field.init)
        return f"{type(value).__name__}({', '.join(f'{name}={source(part)}' for name, part in given)})"
    return repr(value)


@dataclass(frozen=True)
class Tightness:
    """The worst case found.

    Attributes
    ----------
    verdict : Verdict
        The claim checked for the winner, by other code than the search's where both exist: its ratio counts.
    setting : Setting
    audit : Audit
        Of the winner's certificate.
    arena : str
        Where it was found; `NAMED` if no arena had a worse one than the known instance.
    supremum : float or None
        Of the ratio over all admissible problems, where it is known.
    searched : float
        The largest ratio that the arenas had by themselves; NaN if there is none.
    evaluations, rounds : int
        ``rounds`` is where ``first_round`` of another search may go on.
    seconds : float

    Examples
    --------
    >>> from maml_bench.extremal import tightness
    >>> found = tightness("prop2-second", alpha_l=0.1, steps=1, seconds=0.2, rounds=1)
    >>> bool(found.verdict.ratio > 0.99), found.audit.passed
    (True, True)
    """

    verdict: Verdict
    setting: Setting
    audit: Audit
    arena: str
    supremum: float | None
    searched: float
    evaluations: int
    rounds: int
    seconds: float

    @property
    def ratio(self) -> float:
        return self.verdict.ratio

    def as_dict(self) -> dict:
        """What was found, in strings and numbers."""
        own = ("arena", "supremum", "searched", "evaluations", "rounds", "seconds")
        found = {"verdict": self.verdict.as_dict(), "audit": self.audit.passed, "setting": source(self.setting)}
        return {name: getattr(self, name) for name in own} | found

    def __str__(self) -> str:
        known = "not known" if self.supremum is None else f"{self.supremum:g}"
        inner, regularity = self.setting.inner, self.setting.tasks.regularity
        return (
            f"{self.verdict}\n"
            f"largest ratio found {self.ratio:.6g}, by {self.arena}; by search alone {self.searched:.6g}; "
            f"supremum {known}\n"
            f"at d = {self.setting.tasks.dim}, N = {inner.steps}, alpha L = {inner.alpha * regularity.L:.4g}; "
            f"constants {'withstand an audit' if self.audit.passed else 'REFUTED by the audit'}\n"
            f"{self.evaluations} problems in {self.rounds} rounds, {self.seconds:.1f} s"
        )


def tightness(
    claim: str | Claim,
    form: str | None = None,
    *,
    alpha_l: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    seconds: float = 15.0,
    rounds: int = 4,
    first_round: int = 0,
    named: bool = True,
    enough: float = math.inf,
    progress: Callable[[str, Best], None] | None = None,
) -> Tightness:
    """Search the problems that meet a claim's hypotheses for the largest measured / bound.

    Parameters
    ----------
    claim : str or Claim
        A name, or a claim such as ``claims.get("prop2-second").scaled(0.9)``, whose form it then is.
    alpha_l, steps : number, optional
        Hold alpha L, with the L that a problem certifies, and N fixed; by default they are searched, N from 1 to 3.
    seed, rounds, first_round
        A search is a function of them: rounds 0 to 3, then ``first_round=4``, look at what rounds 0 to 7 look at.
    seconds : float
        For the search, in all; ends it early. Each arena has an equal share of what is left.
    named : bool
        Whether the known instance takes part.
    enough : float
        Stop at a ratio of this size.
    progress : callable
        Called with the name of the arena and its best after every round.

    Raises
    ------
    ValueError
        If nothing is known to attack the claim with, or an argument is outside its range.

    Examples
    --------
    >>> from maml_bench.extremal import tightness
    >>> str(tightness("prop2-second", "sharp", alpha_l=0.1, steps=1, seconds=0.2, rounds=1).verdict.outcome)
    'holds'
    """
    chosen = claims.chosen(claim, form)
    alpha_l = alpha_l if alpha_l is None else arguments.positive("alpha_l", alpha_l)
    steps = steps if steps is None else arguments.natural("steps", steps)
    arguments.natural("rounds", rounds), arguments.duration("seconds", seconds)
    seed, first_round = arguments.seed(seed), arguments.seed(first_round, "first_round")
    started = time.monotonic()
    candidates, evaluations = [], 0
    spaces = arenas(chosen.name, chosen.form, alpha_l, steps)
    known = instances_of(chosen) if named else []
    if not spaces and not known:
        raise ValueError(f"no problems are known to attack {chosen.name} ({chosen.form}) with")
    for number, arena in enumerate(spaces):
        share = (seconds - (time.monotonic() - started)) / (len(spaces) - number)
        best = _search(arena, chosen, seed, max(share, 0.0), rounds, first_round, enough, progress)
        evaluations += best.evaluations
        if best.value > 0:
            candidates.append((best.value, arena.name, arena.setting(best.point)))
    searched = max((value for value, *_ in candidates), default=math.nan)
    for setting in _settings(known, alpha_l, steps):
        candidates.append((np.nan_to_num(check(chosen, setting, budget=SAMPLES).ratio, nan=-1.0), NAMED, setting))
    if not candidates:
        raise ValueError(f"{chosen.name} ({chosen.form}): it applies to no problem that was tried")
    # What rounding or a coarser rule gave too much is noticed here: the next candidate then has its turn.
    measured = [
        (check(chosen, setting, budget=SAMPLES), name, setting)
        for _, name, setting in sorted(candidates, key=_value)[-3:]
    ]
    verdict, name, setting = max(measured, key=lambda found: np.nan_to_num(found[0].ratio, nan=-1.0))
    if verdict.outcome == Outcome.INCONCLUSIVE:
        verdict = check(chosen, setting, budget=DECIDING)
    tasks = setting.tasks
    return Tightness(
        verdict=verdict,
        setting=setting,
        audit=audit(tasks, seed=seed, points=128, draws=512),
        arena=name,
        supremum=_supremum(chosen),
        searched=searched,
        evaluations=evaluations,
        rounds=first_round + rounds,
        seconds=time.monotonic() - started,
    )


def _value(candidate):
    return candidate[0]


def _supremum(claim: Claim) -> float | None:
    row = INSTANCES.get((claim.name, claim.form))
    return row.supremum / claim.factor if row and row.supremum else None


def instances_of(claim: Claim) -> list[Instance]:
    """The known instance of the claim's form; without one, those of its other forms."""
    own = INSTANCES.get((claim.name, claim.form))
    return [own] if own else [row for row in INSTANCES.values() if row.claim == claim.name]


def _settings(rows: list[Instance], alpha_l, steps) -> list[Setting]:
    """The named instances with the wanted alpha L and N; not those without such arguments, or not for these values."""
    wanted = {name: value for name, value in (("alpha", alpha_l), ("steps", steps)) if value is not None}
    found = []
    for row in rows:
        with contextlib.suppress(ValueError):
            found.append(instance(row.claim, row.form, **wanted))
    return found


def _search(arena: Arena, claim, seed, seconds, rounds, first_round, enough, progress) -> Best:
    def starts(rng):
        points = rng.uniform(-1, 1, (arena.batch, arena.size))
        # a third of all numbers at an end of their range, where extremal problems are
        return np.where(rng.random(points.shape) < 1 / 3, np.sign(points), points)

    def vary(rng, points, reach):
        moved = points + reach * rng.standard_normal(points.shape) * (rng.random(points.shape) < 0.5)
        return np.clip(moved, -1, 1)

    with np.errstate(all="ignore"):
        return maximize(
            lambda x: arena.ratios(claim, x),
            starts,
            seed=seed,
            rounds=rounds,
            first_round=first_round,
            seconds=seconds,
            generations=30,
            parents=max(4, arena.batch // 16),
            children=4 if arena.batch < 512 else 8,
            vary=vary,
            climbs=1,
            dim=SLOW if arena.batch < 512 else None,
            enough=enough,
            progress=progress and (lambda best: progress(arena.name, best)),
        )
