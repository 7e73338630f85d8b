"""What studies measure besides verdicts: parts of a bound, and the worst case that a search finds."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace

from analytic import HypothesisError
from analytic.convergence import DIRECT
from maml_bench import claims
from maml_bench.algorithms.rest import resting_point
from maml_bench.algorithms.seeds import known
from maml_bench.auditing import audit
from maml_bench.claims.convergence import outer_constants
from maml_bench.claims.stall import excesses
from maml_bench.extremal import INSTANCES, Instance, Tightness, instance, tightness
from maml_bench.extremal.estimation import ALPHA_L, QUESTIONS, RECORD, STEPS
from maml_bench.extremal.tightness import DECIDING
from maml_bench.hessians import ZerothOrder
from maml_bench.setting import OuterLoop, Setting
from maml_bench.study.cases import Measure
from maml_bench.study.findings import about_setting, about_verdict
from maml_bench.verdict import check

BOUND = "bound of E ||grad calL(w_zeta)||"
PARTS = ("start", "variance", "bias", "value")
SURE = 1e-9
STALL, MANY = "bound of ||grad calL|| at rest", 10**9
ENOUGH = 1 - 1e-6
"""A search ends at this ratio: nothing is left of the bound."""


def parts(statement: str) -> Measure:
    """The direct form of a convergence theorem, and what it would be with its start, variance or bias alone.

    A row for each of `PARTS`; none where the theorem does not apply.
    """

    def measure(point, *, seed: int, budget: int, workers) -> Iterable[dict]:
        direct = DIRECT[statement]
        try:
            found = direct.evaluate(outer_constants(point, direct.bound.arguments))
        except HypothesisError:
            return []
        return [known(BOUND, getattr(found, piece), piece=piece) for piece in PARTS]

    return measure


def stall_bounds(point: Setting, *, seed: int, budget: int, workers) -> Iterable[dict]:
    """Rows: two bounds of ||grad calL|| where the mean of eq. 17, with radii that tend to 0, comes to rest.

    ``floor`` is what `zo-neighbourhood` leaves of its bound with any number of iterations, tasks and directions, and a
    small meta step; no row where it has none. ``shift`` is what `zo-shift` says at the resting point, over its factor.
    ``budget`` is as in `maml_bench.algorithms.rest`.
    """
    direct, hessian = DIRECT["zo-neighbourhood"], ZerothOrder(1e-4, MANY, data="population")
    outer = OuterLoop(MANY, MANY, C_beta=1e6, B_beta=MANY, D_beta=MANY)
    there = replace(point, w=resting_point(point, budget), hessian=hessian, outer=outer)
    factor = (1 - there.inner.alpha * excesses(there).mean()) ** there.inner.steps
    yield known(STALL, claims.get("zo-shift").right_side(there) / abs(factor), piece="shift")
    names = [name for name in direct.bound.arguments if name != "gap"]
    with suppress(HypothesisError):
        yield known(STALL, direct.evaluate(outer_constants(there, names) | {"gap": 0.0}).value, piece="floor")


@dataclass(frozen=True)
class Attack:
    """A form of a claim to be attacked, with alpha L and N if they are given; by an instance where d, Q or S is.

    ``batch`` is S, the samples of an inner gradient.
    """

    claim: str
    form: str
    label: str
    alpha_l: float | None = None
    steps: int | None = None
    dim: int = 1
    directions: int = 1
    batch: int = 1


def nearest(claim: str, form: str) -> Instance | None:
    """The instance of a form, else that of the sharp one."""
    return INSTANCES.get((claim, form)) or INSTANCES.get((claim, "sharp"))


def worst(point: Attack, *, seed: int, budget: int, workers) -> Iterable[dict]:
    """A row: the verdict on the worst case that ``budget`` rounds of a search find, with what is known of it.

    Where d or Q is not 1 the instance of the form, or of the sharp one, stands in for a search. ``refuted`` counts
    constants of the winner that an audit refutes.
    """
    attained = INSTANCES.get((point.claim, point.form))
    if max(point.dim, point.directions) > 1:
        known_as = nearest(point.claim, point.form)
        assert known_as is not None, point
        given = {"dim": point.dim} | ({"directions": point.directions} if point.directions > 1 else {})
        setting = instance(known_as.claim, known_as.form, **given)
        verdict = check(point.claim, setting, form=point.form, budget=DECIDING)
        about = {"arena": known_as.words, "refuted": 0}
    else:
        found = tightness(
            point.claim,
            point.form,
            alpha_l=point.alpha_l,
            steps=point.steps,
            seed=seed,
            seconds=3600,
            rounds=budget,
            enough=ENOUGH,
        )
        setting, verdict = found.setting, found.verdict
        about = {"arena": found.arena, "searched": found.searched, "refuted": refuted(found, seed)}
    about |= {"supremum": attained and attained.supremum, "problem": point.label, "quantity": "measured / bound"}
    return [about_setting(setting) | about_verdict(verdict) | about]


def refuted(found: Tightness, seed: int) -> int:
    """How many constants of the winner an audit refutes.

    An audit of sampled noise accuses one honest problem in a thousand; of hundreds of winners some are. A second one,
    with other draws and an error of `SURE`, decides.
    """
    if not found.audit.violations:
        return 0
    return len(audit(found.setting.tasks, seed=seed + 1, error=SURE).violations)


def in_batches(point: Attack, *, seed: int, budget: int, workers) -> Iterable[dict]:
    """A row for each form of the claim: the instance of the given form, its inner gradients from batches of S."""
    setting = instance(point.claim, point.form, **({"steps": point.steps} if point.steps else {}))
    setting = replace(setting, inner=replace(setting.inner, S=point.batch))
    about = about_setting(setting) | {"problem": point.label, "quantity": f"{point.claim} in batches"}
    return [about_verdict(check(point.claim, setting, form=form)) | about for form in claims.forms(point.claim)]


def estimated(point: tuple[str, str, int], *, seed: int, budget: int, workers) -> Iterable[dict]:
    """A row: what performance estimation found for a question, a class of losses and N, beside our bound."""
    question, losses, steps = point
    value, bound = RECORD[question, losses][STEPS.index(steps)], QUESTIONS[question].ours(ALPHA_L, steps)
    words = f"performance estimation: {QUESTIONS[question].words}"
    found = {"quantity": words, "value": value, "lower": value, "upper": value, "evidence": "search", "bound": bound}
    return [found | {"ratio": value / bound, "problem": f"{losses}, N = {steps}", "alphaL": ALPHA_L, "N": steps}]
