"""What studies measure besides verdicts: parts of a bound, and the worst case that a search finds."""

from collections.abc import Iterable
from dataclasses import dataclass

from analytic import HypothesisError
from analytic.convergence import DIRECT
from maml_bench.algorithms.seeds import known
from maml_bench.claims.convergence import outer_constants
from maml_bench.extremal import INSTANCES, instance, tightness
from maml_bench.study.cases import Measure
from maml_bench.study.findings import about_setting, about_verdict
from maml_bench.verdict import check

BOUND = "bound of E ||grad calL(w_zeta)||"
PARTS = ("start", "variance", "bias", "value")
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


@dataclass(frozen=True)
class Attack:
    """A form of a claim to be attacked, with alpha L and N if they are given; in several dimensions by an instance."""

    claim: str
    form: str
    label: str
    alpha_l: float | None = None
    steps: int | None = None
    dim: int = 1


def worst(point: Attack, *, seed: int, budget: int, workers) -> Iterable[dict]:
    """A row: the verdict on the worst case that ``budget`` rounds of a search find, with what is known of it.

    In several dimensions the instance of the form, or of the sharp one, stands in for a search. ``refuted`` counts
    constants of the winner that an audit refutes.
    """
    attained = INSTANCES.get((point.claim, point.form))
    nearest = attained or INSTANCES.get((point.claim, "sharp"))
    if point.dim > 1:
        assert nearest is not None, point
        setting = instance(nearest.claim, nearest.form, dim=point.dim)
        verdict, about = check(point.claim, setting, form=point.form), {"arena": nearest.words, "refuted": 0}
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
        about = {"arena": found.arena, "searched": found.searched, "refuted": len(found.audit.violations)}
    about |= {"supremum": attained and attained.supremum, "problem": point.label, "quantity": "measured / bound"}
    return [about_setting(setting) | about_verdict(verdict) | about]
