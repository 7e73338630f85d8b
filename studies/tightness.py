"""How loose is each bound, and can anyone do worse? The largest measured / bound that a search finds.

For each claim and form the adversary (`maml_bench.extremal.tightness`) searches the problems within the hypotheses; the
winner is measured again and its constants are audited. Where the dimension is what matters, the instances that are
known stand in for a search. What was found is told in ``tightness.md``.
"""

import math

from maml_bench import claims
from maml_bench.extremal import INSTANCES
from maml_bench.study import HeatMap, Study, between, curves, pick
from maml_bench.study.measures import Attack, worst

PATHS = ("prop1", "prop2-first", "prop2-second", "prop2-mean", "prop3", "prop4")
SEVERAL = ("lemma-a", "lemma-a-tasks", "finite-lemma-a", "finite-prop4")
SMOOTHED = ("prop5", "prop6", "prop7-vector", "prop7-frobenius", "zo-vector", "zo-stein-vector", "prop8-mean")
SHRINKING, NEAR = "1/(8N)", "0.9 of the limit"
STEP_SIZES = {SHRINKING: lambda N: 1 / (8 * N), NEAR: lambda N: 0.9 * (2 ** (1 / (2 * N)) - 1)}
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


def on_a_path(statement, αL, N):
    """What to search; the drift of the mean begins with the second step."""
    drifts = statement[0] != "prop2-mean" or N > 1
    return Attack(*statement, f"N = {N}, αL = {αL}", STEP_SIZES[αL](N), N) if drifts else None


def in_space(statement, d):
    """The instance that is known in dimension d; in one variable the search has its turn."""
    known = any(row.claim == statement[0] and row.form in (statement[1], "sharp") for row in INSTANCES.values())
    return Attack(*statement, f"d = {d}", dim=d) if d == 1 or known else None


def facts(t):
    """Nothing is exceeded, certificates hold, known suprema are reached, and how far the paper's bounds are from it."""
    reached = t[t["supremum"] == 1].groupby("statement")["ratio"].max()
    space = pick(t, statement="prop6, sharp", d=8)["ratio"]
    found = [
        between("measured / bound, anywhere", t["ratio"].dropna(), 0, 1 + 1e-9),
        between("constants of winners that an audit refutes", [t["refuted"].sum()], 0, 0),
        between(f"largest ratio of the {len(reached)} forms whose supremum is 1", reached, 0.98, 1 + 1e-9),
        between("Proposition 6 (sharp) in d = 8: no instance is known to reach more", space, 0.7, 0.8),
    ]
    for name, factor in LOOSER.items():
        largest = pick(t, claim=name).groupby("form", sort=False)["ratio"].max()
        best = largest.idxmax()
        words = f"{name}: the paper's bound over the worst case found ({best} reaches {largest[best]:.3f})"
        found.append(between(words, [1 / largest["paper"]], factor * (1 - 1e-3)))
    return found


ALONG = {"statement": bounds(*PATHS, *SEVERAL), "αL": tuple(STEP_SIZES), "N": (1, 2, 3)}
AROUND = {"statement": bounds(*SMOOTHED), "d": (1, 2, 8, 64)}
LARGEST = "largest measured / bound"
STUDY = Study(
    "tightness",
    "How loose is each bound, and can anyone do worse?",
    [
        curves(on_a_path, worst, ALONG, {"αL": SHRINKING, "N": 2, "budget": 1}, budget=2),
        curves(in_space, worst, AROUND, {"d": (1, 8), "budget": 1}, budget=2),
    ],
    figures={
        "paths": HeatMap("statement", "problem", where={"claim": (*PATHS, *SEVERAL)}, claim=LARGEST),
        "directions": HeatMap("statement", "problem", where={"claim": SMOOTHED}, claim=LARGEST),
    },
    facts=facts,
)
