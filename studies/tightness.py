"""How loose is each bound, and can anyone do worse? The largest measured / bound that a search finds.

For each claim and form the adversary (`maml_bench.extremal.tightness`) searches the problems within the hypotheses; the
winner is measured again and its constants are audited. Where d or Q is what matters, the instances that are known stand
in for a search. Batches of S show which forms fall with S as the worst case does; performance estimation
(`maml_bench.extremal.estimation`) stands beside. What was found is told in ``tightness.md``.
"""

import math

from maml_bench import claims
from maml_bench.extremal.estimation import CLASSES, QUESTIONS, STEPS
from maml_bench.study import HeatMap, Study, between, curves, exponent, pick
from maml_bench.study.measures import Attack, estimated, in_batches, nearest, worst

PATHS = ("prop1", "prop2-first", "prop2-second", "prop2-mean", "prop3", "prop4")
SEVERAL = ("lemma-a", "lemma-a-tasks", "finite-lemma-a", "finite-prop1", "finite-prop4")
GAUSSIAN = ("prop7-vector", "prop7-frobenius", "prop7-spectral", "finite-prop7-vector", "zo-vector", "zo-stein-vector")
SMOOTHED = ("prop5", "prop6", *GAUSSIAN, "prop8", "prop8-mean", "hvp-central")
HUNDREDTH, EIGHTH, NEAR = "1/(100N)", "1/(8N)", "0.9 of the limit"
LIMIT = {NEAR: lambda N: 0.9 * (2 ** (1 / (2 * N)) - 1)}
STEP_SIZES = {HUNDREDTH: lambda N: 1 / (100 * N), EIGHTH: lambda N: 1 / (8 * N)} | LIMIT
LOOSER = {"prop2-first": 1.0, "prop2-second": 2.0, "prop3": 10.0, "prop4": 3.0, "finite-prop4": 4.0, "prop5": 1.0}
LOOSER["prop6"] = math.sqrt(math.pi / 2)  # by at least what factor the paper's bound exceeds the worst case found
BATCHED = {"prop2-first, sharp": -1 / 2, "prop2-second, sharp": -1, "prop2-mean, sharp": -1, "prop3, local": -1 / 2}
ONE_STEP = "prop3, smooth"
BATCHED[ONE_STEP] = -1  # exponents in S, of the worst case and of the form


def bounds(*names):
    """Claims with their forms, by the words that the tables show; equalities are no bounds."""
    found = (claims.get(name, form) for name in names for form in claims.forms(name))
    return {f"{one.name}, {one.form}": (one.name, one.form) for one in found if one.sense == "<="}


def on_a_path(statement, αL, N):
    """What to search; the drift of the mean begins with the second step."""
    drifts = statement[0] != "prop2-mean" or N > 1
    return Attack(*statement, f"N = {N}, αL = {αL}", STEP_SIZES[αL](N), N) if drifts else None


def in_space(statement, d, Q):
    """The instance that is known for d and Q; in one variable and for one direction the search has its turn."""
    possible = d * Q == 1 or (nearest(*statement) and (Q == 1 or statement[0] in GAUSSIAN))
    return Attack(*statement, f"d = {d}, Q = {Q}", dim=d, directions=Q) if possible else None


def fixed(batched, S):
    """A worst case of two steps (of one, where that is the instance), its inner gradients from batches of S."""
    return Attack(*batched.split(", "), batched, steps=None if batched == ONE_STEP else 2, batch=S)


def facts(t):
    """Nothing is exceeded, certificates hold, known suprema are reached, and how far the paper's bounds are from it."""
    reached = t[t["supremum"] == 1].groupby("statement")["ratio"].max()
    solved = t[t["question"].notna()]
    ours = solved["losses"].eq("smooth") & solved["question"].ne("turn")
    yield between("measured / bound, anywhere", t["ratio"].dropna(), 0, 1 + 1e-6)
    yield between("constants of winners that an audit refutes", [t["refuted"].sum()], 0, 0)
    yield between(f"largest ratio of the {len(reached)} forms whose supremum is 1", reached, 0.97, 1 + 1e-9)
    yield between("Proposition 6 (sharp), d = 8", pick(t, statement="prop6, sharp", d=8)["ratio"], 0.7, 0.8)
    yield between("PEPit over our constants, all smooth losses", solved[ours]["ratio"], 1 - 2e-6, 1 + 2e-6)
    yield between("PEPit over our constants, convex losses or turns", solved[~ours]["ratio"], 0, 1 + 2e-6)
    for name, factor in LOOSER.items():
        largest = pick(t[t["arena"].notna()], claim=name).groupby("form", sort=False)["ratio"].max()
        best = largest.idxmax()
        words = f"{name}: the paper's bound over the worst case found ({best} reaches {largest[best]:.3f})"
        yield between(words, [1 / largest["paper"]], factor * (1 - 1e-3))
    for name, falls in BATCHED.items():
        rows = pick(t, batched=name)
        own = pick(rows, form=name.split(", ")[1])
        yield exponent(f"S in the worst case of {name}", own, "S", falls)
        yield exponent(f"S in the bound {name}: tight in S", own, "S", falls, side="bound")
    words = "S in the bound prop3, paper: not tight in S where tau is finite"
    yield exponent(words, pick(rows, form="paper"), "S", -1 / 2, side="bound")


ALONG = {"statement": bounds(*PATHS, *SEVERAL), "αL": tuple(STEP_SIZES), "N": (1, 2, 3)}
AROUND = {"statement": bounds(*SMOOTHED), "d": (1, 2, 8, 64), "Q": (1, 16)}
ASKED = {"question": tuple(QUESTIONS), "losses": tuple(CLASSES), "steps": STEPS}
PAIR, LARGEST = {"quantity": "measured / bound"}, "largest measured / bound"
STUDY = Study(
    "tightness",
    "How loose is each bound, and can anyone do worse?",
    [
        curves(on_a_path, worst, ALONG, {"αL": HUNDREDTH, "N": (1, 2), "budget": 1}, budget=2),
        curves(in_space, worst, AROUND, {"d": (1, 8), "Q": 1, "budget": 1}, budget=2),
        curves(fixed, in_batches, {"batched": tuple(BATCHED), "S": (2, 4, 16)}),
        curves(lambda **words: tuple(words.values()), estimated, ASKED),
    ],
    figures={
        "paths": HeatMap("statement", "problem", where={"claim": (*PATHS, *SEVERAL)} | PAIR, claim=LARGEST),
        "directions": HeatMap("statement", "problem", where={"claim": SMOOTHED} | PAIR, claim=LARGEST),
        "estimation": HeatMap("question", "problem", where={"question": ASKED["question"]}, claim="PEPit / our bound"),
    },
    facts=facts,
)
