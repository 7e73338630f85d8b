"""Processor time until a claim is decided, beside plain sampling with Student's limits.

Every claim at the reference setting of the study ``summary``, on trigonometric tasks or, where a claim needs two
losses, on pairs of them; each in the paper's form or, where the paper states none, the first there is. Once with its
bound, and once with the bound moved to where a decision is hard: `GAP` above the true value (below it, where the claim
is a lower bound). The true value is exact, or that of a long run in ``true_values.json`` (`renew`).

Plain sampling is what one would write first: independent replicates, their mean, and Student's limits at the same level
of every cell, looked at whenever their number has doubled. It guarantees nothing: its limits are approximate at every
look, and the error of the looks adds up (`error_of_looks`). So it is the cheaper test, not an equal one.

Where all that is known of replicates is a ceiling b, no limit that is valid can do with few. Let them have the law P
and the mean m, and the bound be M > m. With probability p = (M - m)/(b - m) let a replicate be b instead: the mean is
M, and at most delta may be the chance to say `holds` (of a bound a hair below M). But n replicates are as if of P with
probability (1 - p)^n. So of P it is said after n with probability at most delta/(1 - p)^n; for one run in two that
takes ``n >= log(1/(2 delta)) / -log(1 - p)`` (`needed`), whatever the spread of P, which Student's limits take on
trust.
"""

import copy
import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from threadpoolctl import threadpool_limits

from maml_bench import Setting, check, claims
from maml_bench.adaptation import exact_path, stochastic_path
from maml_bench.claims.claim import Claim, by_measurement
from maml_bench.claims.question import question
from maml_bench.effort import Effort
from maml_bench.exact import smoothings
from maml_bench.meta_gradient import exact_meta_gradient, stochastic_meta_gradient
from maml_bench.montecarlo.sequence import block_generator
from maml_bench.montecarlo.workers import keep_memory
from maml_bench.study.text import number
from maml_bench.verdict import left_side
from studies.summary import CORRECTED, ESTIMATORS, EXACT, FAMILIES, RUNS, SCHEDULE, at

LEVEL, GAP, FIRST = 0.01, 0.03, 64
SECONDS, ROUNDS, ENOUGH = 3.0, 5, 0.5
"""Most time for one decision; most decisions, each with a seed of its own, and the time after which there are enough
of them: their median counts.
"""

VALUES = Path(__file__).with_name("true_values.json")
LONG, CLOSE, RUNS_DRAWN = 20.0, 0.003, 256
"""Seconds of a long run, at most, and how close its limits should be to the value; and replicates of what takes runs of
an algorithm.
"""


def _errors(s, rng, n):
    w = np.broadcast_to(s.w, (n, 1, len(s.w)))
    return stochastic_path(s.tasks, w, s.inner, rng)[-1] - exact_path(s.tasks, s.w, s.inner.alpha, s.inner.steps)[-1]


def _gradients(s, rng, n):
    return stochastic_meta_gradient(s.tasks, np.broadcast_to(s.w, (n, 1, len(s.w))), s.inner, s.hessian, rng)


def _gradient_errors(s, rng, n):
    return _gradients(s, rng, n) - exact_meta_gradient(s.tasks, s.w, s.inner.alpha, s.inner.steps)


def _matrices(s, rng, n, w=None):
    columns, at_w = np.eye(len(s.w)).reshape(-1, 1, 1, len(s.w)), np.broadcast_to(s.w, (n, 1, len(s.w)))
    operator = s.hessian.operator(s.tasks, at_w if w is None else np.broadcast_to(w, (n, *w.shape)), s.inner.D, rng)
    return np.moveaxis(operator(columns), 0, -1)


def _matrix_changes(s, rng, n):
    """The difference of two estimates, over the root of 2: of the same variance as one."""
    return (_matrices(s, rng, n) - _matrices(s, rng, n)) / np.sqrt(2)


def _along_gradient(s, rng, n):
    gradient = s.tasks.grad(s.w)
    return _square(np.matvec(_matrix_changes(s, rng, n), gradient / np.linalg.norm(gradient, axis=-1, keepdims=True)))


def _products(s, rng, n):
    product = unit = np.eye(len(s.w))
    for point in exact_path(s.tasks, s.w, s.inner.alpha, s.inner.steps)[:-1]:
        product = product @ (unit - s.inner.alpha * _matrices(s, rng, n, point))
    return product


def _excesses(s, rng, n):
    """(l(w + nu u) - l(w))/nu^2 less half the trace of the Hessian, as a vector of one entry."""
    moved = s.w + s.hessian.nu * rng.standard_normal((n, *s.tasks.batch_shape, len(s.w)))
    trace = np.trace(s.tasks.hess(s.w), axis1=-2, axis2=-1)
    return ((s.tasks.loss(moved) - s.tasks.loss(s.w)) / s.hessian.nu**2 - trace / 2)[..., None]


def _deviations(s, rng, n):
    mean = np.array([smooth.hess for smooth in smoothings(s.tasks, s.w, s.hessian.nu)])
    return np.linalg.norm(_matrices(s, rng, n) - mean, ord=2, axis=(-2, -1)) ** 2


def _square(values, core=1):
    return np.sum(values**2, axis=tuple(range(-core, 0)))


def _of_support(plain):
    return lambda s, rng, n: plain(Setting(s.tasks.support, s.w, s.inner, s.hessian), rng, n)


PLAIN: dict[str, Callable] = {
    "prop2-first": lambda s, rng, n: np.sqrt(_square(_errors(s, rng, n))),
    "prop2-second": lambda s, rng, n: _square(_errors(s, rng, n)),
    "prop2-mean": _errors,
    "prop3": lambda s, rng, n: _gradient_errors(s, rng, n).mean(1, keepdims=True),
    "prop3, smooth": _gradient_errors,
    "prop4": lambda s, rng, n: _square(_gradients(s, rng, n)).mean(1, keepdims=True),
    "prop5": _excesses,
    "prop5, identity": _matrices,
    "prop5, stein": _matrices,
    "zo-vector": _along_gradient,
    "zo-stein-vector": _along_gradient,
    "prop8": _products,
    "prop8, stein": _products,
    "prop8-mean": _matrices,
    "prop6": lambda s, rng, n: _matrices(s, rng, n) - s.tasks.hess(s.w),
    "prop7-vector": _along_gradient,
    "prop7-frobenius": lambda s, rng, n: _square(_matrix_changes(s, rng, n), 2),
    "prop7-spectral": _deviations,
    "finite-prop7-vector": _of_support(_along_gradient),
}
"""``(setting, rng, n) -> (n, cells, ...)``: replicates of numbers, or of vectors or matrices of which the mean's norm
counts. Of the step size, and of runs, a plain replicate is the bench's own.
"""


@dataclass(frozen=True)
class Row:
    """A claim at its reference setting, and plain replicates of what it measures; None where nothing is random."""

    claim: Claim
    setting: Setting
    plain: Callable | None

    @property
    def method(self) -> str:
        measurement = self.claim.measurement
        if measurement.exact(self.setting) is not None:
            return "exact"
        return "search" if measurement.search else "sampled"


def rows() -> dict[str, Row]:
    """All claims, those of one name that measure different things apart."""
    found = {}
    for name in claims.names():
        for place, (claim, *_) in enumerate(by_measurement(claims.get(name, form) for form in claims.forms(name))):
            title = f"{name}, {claim.form}" if place else name
            found[title] = Row(claim, reference(claim), PLAIN.get(title, _as_drawn(claim) if name in RUNS else None))
    return found


def reference(claim: Claim) -> Setting:
    """The setting of a claim in the study ``summary``, on trigonometric tasks or pairs of them."""
    estimator = CORRECTED if claim.form == "stein" else ESTIMATORS.get(claim.name, EXACT)
    point = at(estimator, None, SCHEDULE, batch=16) if claim.name in RUNS else at(estimator)
    found = [point(FAMILIES[problem]) for problem in ("trigonometric", "trig. pairs")]
    return next(setting for setting in found if not claim.measurement.requires(setting))


def _as_drawn(claim):
    sampled = claim.measurement.sampled
    return sampled and (lambda s, rng, n: sampled.draw(s)(rng, n))


@dataclass(frozen=True)
class Decision:
    """One decision: processor time, outcome, what it rests on, and the replicates that were drawn."""

    seconds: float
    outcome: str
    evidence: str
    replicates: int

    @property
    def ended(self) -> bool:
        return self.outcome != "inconclusive"


def by_bench(row: Row, claim: Claim, seed: int, seconds: float = SECONDS, **asked: Any) -> Decision:
    """`check`, as a user calls it for the first time, with processor time for ``seconds``; what is said because time or
    budget is spent is no decision.
    """
    setting, patience = copy.deepcopy(row.setting), seconds * waiting()  # nothing is kept of another setting
    start = time.process_time()
    found = check(claim, setting, seed=seed, confidence=1 - LEVEL, seconds=patience, **asked)
    outcome = "inconclusive" if found.reason.startswith(("time", "budget")) else str(found.outcome)
    return Decision(time.process_time() - start, outcome, str(found.evidence), found.replicates)


def waiting(spin: float = 0.02) -> float:
    """Wall time over processor time, now: what else the machine has to do stretches it."""
    start, wall = time.process_time(), time.perf_counter()
    while time.process_time() - start < spin:
        pass
    return max(1.0, (time.perf_counter() - wall) / spin)


def by_student(row: Row, claim: Claim, seed: int, seconds: float = SECONDS) -> Decision:
    """Plain sampling, for the first time too."""
    setting, target, values, fresh = copy.deepcopy(row.setting), claim.measurement.target, np.empty(0), FIRST
    start, rng = time.process_time(), block_generator(seed, 0)
    asked = question(claim, setting)
    centre = 0.0 if target is None else claim.factor * target(setting)
    while True:
        drawn = row.plain(setting, rng, fresh) - centre
        drawn = drawn if target is None else drawn.reshape(*drawn.shape[:2], -1)  # the Frobenius norm counts
        values = drawn if not len(values) else np.concatenate([values, drawn])
        fresh = len(values)
        outcome = decided(*student(values), asked.sides, claim.measurement.sampled.estimand == "root of mean")
        spent = time.process_time() - start
        if outcome != "inconclusive" or spent > seconds / 2:  # the next look takes as long again
            return Decision(spent, outcome, "none", len(values))


def student(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean of numbers (n, cells), or the norm of that of vectors or matrices, and the reach of Student's limits."""
    n, core = len(values), tuple(range(1, values.ndim - 1))
    reach = scipy.stats.t.ppf(1 - LEVEL, n - 1) * np.sqrt(values.var(0, ddof=1).sum(core) / n)
    mean = values.mean(0)
    return np.linalg.norm(mean, ord=2, axis=core) if core else mean, reach


def decided(size: np.ndarray, reach: np.ndarray, sides: tuple, root: bool = False) -> str:
    """``violated`` if the limits of a cell are beyond a side, ``holds`` if all are within."""
    lower, upper = size - reach, size + reach
    if root:
        lower, upper = np.sqrt(np.maximum(lower, 0)), np.sqrt(upper)
    least, most = (-math.inf if sides[0] is None else sides[0], math.inf if sides[1] is None else sides[1])
    if np.any(upper < least) or np.any(lower > most):
        return "violated"
    return "holds" if np.all((least <= lower) & (upper <= most)) else "inconclusive"


def true_values(title: str, row: Row) -> tuple[np.ndarray, float | None]:
    """The left side of every cell, and by how much of itself it can be wrong, None for a value of 0: exact, or from the
    long run.
    """
    found = row.claim.measurement.exact(row.setting)
    if found is not None:
        return found, 0.0
    known = json.loads(VALUES.read_text())[title]
    return np.array(known["values"]), known["error"]


def at_gap(title: str, row: Row) -> tuple[Claim | None, str]:
    """The claim with its right side moved to `GAP` from the value of the worst cell, and the outcome that is right; or
    None, and why there is none. Of an equality the right side is moved by `GAP`, of which its tolerance is allowed.
    """
    if row.method == "search":
        return None, "a supremum is not known"
    if row.claim.measurement.target is not None:
        return row.claim.scaled(1 + GAP), "violated"
    values, error = true_values(title, row)
    if error is None or not np.all(values > 0):
        return None, "the value is 0"
    if error > GAP / 3:
        return None, f"the value is known to {100 * error:.0f} % only"
    ratios = values / row.claim.right_side(row.setting)
    factor = (1 - GAP) * ratios.min() if row.claim.sense == ">=" else (1 + GAP) * ratios.max()
    return row.claim.scaled(float(factor)), "holds"


def needed(bound: np.ndarray, mean: np.ndarray, ceiling: np.ndarray) -> int:
    """Replicates that any valid upper limit needs, in one run of two, to be below a bound of every cell: see above."""
    chance = np.min((bound - mean) / (ceiling - mean))
    return math.ceil(math.log(1 / (2 * LEVEL)) / -math.log1p(-chance))


def _needed(title, row, moved):
    """`needed` of a claim, where a ceiling is known of what is drawn; else None."""
    sampled = row.claim.measurement.sampled
    ceiling = getattr(sampled and sampled.draw(row.setting), "ceiling", None)
    if row.method != "sampled" or ceiling is None or (sampled.estimand, row.claim.sense) != ("mean", "<="):
        return None
    return needed(moved.right_side(row.setting), true_values(title, row)[0], ceiling)


def timed(row: Row, claim: Claim, right: str, seconds: float = SECONDS, rounds: int = ROUNDS) -> dict:
    """The median decision of the bench and of plain sampling, by turns with one seed each, and how many were wrong."""
    ours: list[Decision] = []
    plain: list[Decision] = []
    while len(ours) < rounds and sum(decision.seconds for decision in ours + plain) < ENOUGH:
        ours.append(by_bench(row, claim, len(ours), seconds, budget=10**9))
        if row.plain:
            with threadpool_limits(1):  # as `check` does
                plain.append(by_student(row, claim, len(plain), seconds))
    wrong = [sum(d.ended and d.outcome != right for d in decisions) for decisions in (ours, plain)]
    return {
        "ours": asdict(middle(ours)),
        "plain": asdict(middle(plain)) if plain else None,
        "decisions": len(ours),
        "wrong": wrong[0],
        "plain wrong": wrong[1],
    }


def middle(decisions: list[Decision]) -> Decision:
    """The median: what did not end takes longest."""
    return sorted(decisions, key=lambda d: (not d.ended, d.seconds))[(len(decisions) - 1) // 2]


def measured(chosen: Mapping[str, Row], seconds: float = SECONDS, rounds: int = ROUNDS) -> Iterator[tuple[str, dict]]:
    """Title and findings of one row after another: ``method``, and ``bound`` and ``gap``, as `timed` or why not."""
    keep_memory()
    for title, row in chosen.items():
        by_bench(row, row.claim, 0, seconds=0.1)  # what loads at the first use has loaded
        if row.plain:
            by_student(row, row.claim, 0, seconds=0)
        right = "not refuted" if row.method == "search" else "holds"
        found = {"method": row.method, "form": row.claim.form, "bound": timed(row, row.claim, right, seconds, rounds)}
        moved, outcome = at_gap(title, row)
        found["gap"] = timed(row, moved, outcome, seconds, rounds) if moved else outcome
        if moved and found["gap"]["ours"]["outcome"] == "inconclusive":  # without limits that stay wide
            again = by_bench(row, moved, 0, seconds, precision=GAP)
            found["gap"] |= {"asymptotic": asdict(again)} if again.ended else {}
        if moved and (least := _needed(title, row, moved)):
            found["gap"]["needed"] = least
        yield title, found


COLUMNS = (
    *("claim", "evidence", "bound, s", "plain, s", "plain / ours"),
    *("gap, s", "gap, plain, s", "gap, plain / ours", "gap, replicates", "any valid limit needs", "change"),
)


def table(found: Mapping[str, dict], before: Mapping[str, dict]) -> str:
    """The Markdown table: sampled claims first, then exact ones, then suprema."""
    lines = [f"| {' | '.join(COLUMNS)} |", f"| --- | --- |{' ---: |' * (len(COLUMNS) - 2)}"]
    for method in ("sampled", "exact", "search"):
        for title, row in found.items():
            if row["method"] == method:
                change = _change(row, before.get(title, {}))
                cells = (
                    title,
                    _evidence(row),
                    *_cells(row["bound"]),
                    *_cells(row["gap"]),
                    *_replicates(row["gap"]),
                    change,
                )
                lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _evidence(row):
    gap = row["gap"]
    kinds = [row["bound"]["ours"]["evidence"]] + ([gap["ours"]["evidence"]] if isinstance(gap, dict) else [])
    return ", ".join(dict.fromkeys(kinds))


def _cells(found: dict | str) -> tuple[str, str, str]:
    """Seconds of the bench and of plain sampling, and the factor; ``>`` and ``<`` where one did not come to an end."""
    if isinstance(found, str):
        return found, "", ""
    ours, plain, asymptotic = found["ours"], found["plain"], found.get("asymptotic")
    words = f"asymptotic: {_seconds(asymptotic)}; certified: {_seconds(ours)}" if asymptotic else _seconds(ours)
    sign, value = factor(found)
    return words, _seconds(plain) if plain else "", f"{sign} {number(value, 2)}".strip() if value else ""


def _replicates(found: dict | str) -> tuple[str, str]:
    """Those drawn, and those needed by any valid limit, where a ceiling is all that is known."""
    return (str(found["ours"]["replicates"]), str(found["needed"])) if "needed" in found else ("", "")


def _seconds(decision):
    return f"{'> ' if decision['outcome'] == 'inconclusive' else ''}{number(decision['seconds'], 2)}"


def factor(found: dict | str) -> tuple[str, float | None]:
    """Time of plain sampling over ours, after ``>`` where plain sampling and ``<`` where the bench did not come to an
    end; None where neither did, or there is nothing to compare.
    """
    if isinstance(found, str) or found["plain"] is None:
        return "", None
    sides = found.get("asymptotic") or found["ours"], found["plain"]
    ours, plain = (side["outcome"] == "inconclusive" for side in sides)
    if ours and plain:
        return "", None
    return "<" if ours else ">" if plain else "", sides[1]["seconds"] / sides[0]["seconds"]


def _change(row, before):
    """Of the factor, at the gap if it is known there: above 1 the bench has gained on plain sampling."""
    for where in ("gap", "bound"):
        (sign, now), (earlier, then) = factor(row[where]), factor(before.get(where, ""))
        if now and then and not (sign or earlier):
            return f"×{now / then:.2f}"
    return ""


def caption(found: Mapping[str, dict]) -> str:
    """What the table shows, and what the comparison is worth."""
    timings = [part for row in found.values() for part in (row["bound"], row["gap"]) if isinstance(part, dict)]
    decisions = sum(part["decisions"] for part in timings)
    plain = sum(part["decisions"] for part in timings if part["plain"])
    wrong, plain_wrong = (sum(part[name] for part in timings) for name in ("wrong", "plain wrong"))
    return f"""Seconds of processor time until a claim is decided at 1 %, on one thread, at the reference setting of
the study `summary` (trigonometric tasks; pairs of them for `finite-…`): with the paper's bound, or the first form where
the paper states none; and at the gap, with the bound moved to 3 % from the true value, where sampling is hard (an
equality: its right side moved by 3 %, of which 2 % are tolerated). Medians of at most {ROUNDS} seeds; `>`: not decided
in {SECONDS:g} s. `plain / ours` above 1: the bench is faster; `change` is that of this factor, at the gap if it is
known there. Where certified limits that are wide by nature do not decide, the seconds are those of `precision=0.03`,
whose limits are asymptotic. Triangles of the drawing point to where a factor lies that one side did not wait for.

**Plain sampling is no equal: it guarantees nothing.** It takes independent replicates and Student's limits after every
doubling; these are approximate for any law but the normal, and the error of the looks adds up: for normal numbers,
{100 * error_of_looks():.0f} % in twelve looks where 1 % is asked for. Wrong were {plain_wrong} of its {plain} decisions
here, and {wrong} of the bench's {decisions}. Certified limits hold at every look, whatever the law, at a price: none
that is valid for all numbers below the ceiling comes as close to a mean, in one run of two, with fewer replicates than
the table says (proof in `tests/benchmarks/verdict_times.py`). Exact values need no replicate; a search for a supremum
refutes, but never confirms.

"""


def error_of_looks(looks: int = 12, runs: int = 100_000) -> float:
    """How often plain sampling's lower limit is above the mean at one of its looks, for normal numbers, where Student's
    limits are right at each.
    """
    rng, counts = np.random.default_rng(0), FIRST * 2 ** np.arange(looks)
    fresh = np.diff(counts, prepend=0)
    sums = np.cumsum(np.sqrt(fresh) * rng.standard_normal((runs, looks)), axis=1)
    return float(np.mean(np.any(sums > scipy.stats.norm.ppf(1 - LEVEL) * np.sqrt(counts), axis=1)))


def renew(path: Path = VALUES) -> None:
    """Write the true values that are not known exactly, from a seed of their own: the middle of a long run's limits or,
    of runs of an algorithm, their mean with four standard errors.
    """
    found = {}
    for title, row in rows().items():
        if row.method != "sampled" or row.claim.measurement.target is not None:
            continue
        if row.claim.name in RUNS:
            drawn, count = row.plain(row.setting, block_generator(10**6, 0), RUNS_DRAWN), RUNS_DRAWN
            values, reach = drawn.mean(0), 4 * drawn.std(0, ddof=1) / math.sqrt(count)
        else:
            effort = Effort(seed=10**6, budget=10**9, precision=CLOSE, seconds=LONG)
            limits, _, count = left_side(row.claim, row.setting, effort)
            values, reach = limits.value, (limits.upper - limits.lower) / 2
        error = float(np.max(reach / values)) if np.all(values > 0) else None
        found[title] = {"values": values.tolist(), "error": error, "replicates": count}
        print(title, found[title], file=sys.stderr, flush=True)
    path.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    renew()
