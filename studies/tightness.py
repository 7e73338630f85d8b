"""How loose is each bound, and can anyone do worse? The largest measured / bound that a search finds.

For each claim and form the adversary (`maml_bench.extremal.tightness`) searches the problems within the hypotheses; the
winner is measured again and its constants are audited. Where the dimension is what matters, the instances that are
known stand in for a search. What was found is told in ``tightness.md``.
"""

import math

from maml_bench import check, claims
from maml_bench.extremal import INSTANCES, instance, tightness
from maml_bench.study import HeatMap, Study, between, curves, pick
from maml_bench.study.findings import about_setting, about_verdict

PATHS = ("prop1", "prop2-first", "prop2-second", "prop2-mean", "prop3", "prop4")
SEVERAL = ("lemma-a", "lemma-a-tasks", "finite-lemma-a", "finite-prop4")
SMOOTHED = ("prop5", "prop6", "prop7-vector", "prop7-frobenius", "zo-vector", "zo-stein-vector", "prop8-mean")
SHRINKING, NEAR = "1/(8N)", "0.9 of the limit"
STEP_SIZES = {SHRINKING: lambda N: 1 / (8 * N), NEAR: lambda N: 0.9 * (2 ** (1 / (2 * N)) - 1)}
ENOUGH = 1 - 1e-6
LOOSER = {  # by at least what factor the paper's constants, as reconstructed, exceed the worst case found, for all N
    "prop2-first": 1.0,
    "prop2-second": 2.0,
    "prop3": 20.0,
    "prop4": 3.0,
    "finite-prop4": 4.0,
    "prop5": 1.0,
    "prop6": math.sqrt(math.pi / 2),
}


def bounds(*names):
    """Claims with their forms, by the words that the tables show; equalities are no bounds."""
    found = (claims.get(name, form) for name in names for form in claims.forms(name))
    return {f"{one.name}, {one.form}": (one.name, one.form) for one in found if one.sense == "<="}


def attacked(statement, αL, N):
    """What to search; the drift of the mean begins with the second step."""
    label = f"N = {N}, αL = {αL}"
    point = {"statement": statement, "alpha_l": STEP_SIZES[αL](N), "steps": N, "label": label}
    return None if statement[0] == "prop2-mean" and N == 1 else point


def instances_in(statement, d):
    """The instance that is known in dimension d; in one variable the search has its turn."""
    known = any(row.claim == statement[0] and row.form in (statement[1], "sharp") for row in INSTANCES.values())
    return {"statement": statement, "d": d, "label": f"d = {d}"} if d == 1 or known else None


def measure(point, *, seed, budget, workers):
    """One row: the verdict on the worst case found, with what is known of it."""
    name, form = point["statement"]
    known = INSTANCES.get((name, form))
    row = known or INSTANCES.get((name, "sharp"))
    if point.get("d", 1) > 1:
        setting = instance(name, row.form, dim=point["d"])
        verdict, about = check(name, setting, form=form), {"arena": row.words, "refuted": 0}
    else:
        fixed = {"alpha_l": point.get("alpha_l"), "steps": point.get("steps")}
        found = tightness(name, form, seed=seed, rounds=budget, seconds=3600, enough=ENOUGH, **fixed)
        setting, verdict = found.setting, found.verdict
        about = {"arena": found.arena, "searched": found.searched, "refuted": len(found.audit.violations)}
    about |= {"supremum": known and known.supremum, "problem": point["label"], "quantity": "measured / bound"}
    yield about_setting(setting) | about_verdict(verdict) | about


def facts(t):
    """Nothing is exceeded, certificates hold, known suprema are reached, and how far the paper's bounds are from it."""
    reached = t[t["supremum"] == 1].groupby("statement")["ratio"].max()
    found = [
        between("measured / bound, anywhere", t["ratio"].dropna(), 0, 1 + 1e-9),
        between("constants of winners that an audit refutes", [t["refuted"].sum()], 0, 0),
        between(f"largest ratio of the {len(reached)} forms whose supremum is 1", reached, 0.98, 1 + 1e-9),
        between(
            "Proposition 6 (sharp) in d = 8: no instance is known to reach more",
            pick(t, statement="prop6, sharp", d=8)["ratio"],
            0.7,
            0.8,
        ),
    ]
    for name, factor in LOOSER.items():
        largest = pick(t, statement=f"{name}, paper")["ratio"].max()
        others = {
            form: pick(t, claim=name, form=form)["ratio"].max()
            for form in claims.forms(name)
            if f"{name}, {form}" in set(t["statement"])
        }
        best = max(others, key=others.get)
        words = f"{name}: the paper's bound over the worst case found ({best} reaches {others[best]:.3f})"
        found.append(between(words, [1 / largest], factor * (1 - 1e-3)))
    return found


STUDY = Study(
    "tightness",
    "How loose is each bound, and can anyone do worse?",
    [
        curves(
            attacked,
            measure,
            {"statement": bounds(*PATHS, *SEVERAL), "αL": tuple(STEP_SIZES), "N": (1, 2, 3)},
            {"αL": (SHRINKING,), "N": (2,), "budget": 1},
            budget=2,
        ),
        curves(
            instances_in,
            measure,
            {"statement": bounds(*SMOOTHED), "d": (1, 2, 8, 64)},
            {"d": (1, 8), "budget": 1},
            budget=2,
        ),
    ],
    figures={
        "paths": HeatMap(
            "statement",
            "problem",
            where={"N": lambda n: n > 0, "claim": (*PATHS, *SEVERAL)},
            claim="largest measured / bound",
        ),
        "directions": HeatMap("statement", "problem", where={"claim": SMOOTHED}, claim="largest measured / bound"),
    },
    facts=facts,
)

if __name__ == "__main__":
    from maml_bench.cli.commands import run_study_script

    run_study_script(__file__)
