"""Are the verdicts themselves right? A blind test: problems and claims drawn at random, whose truths are known exactly.

And a table that others computed, with programs of their own, on a family of the same kind.

They are drawn by a seed that is the digest of the code, so no code can have been written with these draws in view. Each
is sampled to the end of a budget, and limits that exclude the truth are counted. What was found is told in
``calibration.md``.
"""

import numpy as np

from maml_bench import InnerLoop, OuterLoop, Setting
from maml_bench.calibration import errors
from maml_bench.hessians import GaussianSmoothing, ZerothOrder
from maml_bench.problems import AdditiveGaussian, Kink, Quadratic, RandomPhase, Trigonometric
from maml_bench.study import Figure, Study, between, curves, pick, sweep
from maml_bench.study.points import inner_loop

CLAIMS = ("prop2-first", "prop2-second", "prop2-mean", "prop3", "prop4", "prop5", "prop6", "prop7-vector")
CLAIMS += ("prop7-frobenius", "zo-vector", "zo-stein-vector", "prop8", "prop8-mean")
LIKE = Trigonometric.random(dim=4, tasks=8, rng=1287).with_noise(AdditiveGaussian(0.5))
TABLE = {  # K, S = T, B, C_beta, αL; E ||grad calL|| and the direct form that were reported
    "I": (1000, 4, 10, 100, 1 / 24, 0.467, 0.626),
    "II": (3000, 100, 50, 100, 1 / 24, 0.176, 0.355),
    "III": (300, 16, 100, 5, 1 / 24, 0.096, 0.286),
    "IV": (1000, 16, 40, 100, 0.8 * (2 ** (1 / 6) - 1), 0.611, 0.869),
}
LEVELS, BUDGETS = (0.05, 0.01, 1e-3, 1e-5), (64, 1024, 4096, 16_384)


def tasks(rng):
    """Tasks of any family with exact values: smooth, kinked, silent ones among others, corners that are seldom met."""
    dim, count = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    family = rng.choice(["quadratic", "silent", "trigonometric", "kink"])
    if family == "quadratic":
        return Quadratic.random(dim, count, rng)
    if family == "silent":
        return Quadratic(np.array([np.zeros((dim, dim)), -np.eye(dim)]), np.zeros((2, dim)))
    return (Trigonometric if family == "trigonometric" else Kink).random(dim, count, rng)


def setting(rng):
    """A problem, a point (of kinks often beyond the corner of a curvature), noise, an inner loop and an estimator."""
    population = tasks(rng)
    noise = rng.choice([AdditiveGaussian(10 ** rng.uniform(-1, 1)), RandomPhase(1.0, 10 ** rng.uniform(-1, 0.5))])
    nu, Q = 10 ** rng.uniform(-1.5, 0), int(rng.choice([1, 2, 8]))
    w = rng.standard_normal(population.dim)
    if isinstance(population, Kink) and rng.random() < 0.5:
        w = population.center[0] + population.radius + rng.uniform(1, 5) * nu
    estimators = (
        GaussianSmoothing(nu, Q, "population"),
        ZerothOrder(nu, Q, False, "population"),
        ZerothOrder(nu, Q, True, "population"),
        None,
    )
    inner = InnerLoop(
        rng.uniform(0.01, 0.3) / population.regularity.L, int(rng.integers(1, 4)), S=int(rng.choice([1, 4]))
    )
    chosen = rng.choice(len(estimators))
    if estimators[chosen] is None:
        return Setting(population.with_noise(noise), w, inner)
    return Setting(population, w, inner, estimators[chosen])


def reported(table):
    """A row of the others' table; their step size was estimated from one task and one sample."""
    K, S, B, C_beta, αL, *_ = table
    inner, outer = inner_loop(LIKE, αL, 3, S=S, D=4, T=S), OuterLoop(K, B, C_beta=C_beta, B_beta=1, D_beta=1)
    return Setting(LIKE, np.array([0.05, -0.25, 0.87, -2.33]), inner, outer=outer)


def facts(t):
    """No kind of evidence is wrong more often than stated; the others' values are ours."""
    table = pick(t, claim="thm1")
    for column, at, near in (("value", -2, 0.03), ("bound", -1, 0.02)):
        theirs = np.array([TABLE[row][at] for row in table["table"]])
        yield between(f"the others' table: our {column} over theirs", table[column] / theirs, 1 - near, 1 + near)
    for evidence in sorted(set(t["evidence"][t["level"].notna()])):
        found = pick(t, evidence=evidence, level=np.isfinite)
        words = f"{evidence}: lower limit of the rate of wrong limits, over the stated level; the largest"
        yield between(words, [(found["lower"] / found["level"]).max()], 0, 1)
        few = found[found["level"] < 5e-3]["wrong"].sum()
        yield between(f"{evidence}: wrong limits at levels of 1e-3 and below", [few], 0, 1)


MEASURE = errors(CLAIMS, setting, BUDGETS)
STUDY = Study(
    "calibration",
    "Are the verdicts themselves right?",
    [
        curves(lambda level: level, MEASURE, {"level": LEVELS}, {"level": LEVELS[:1], "budget": 6}, budget=100),
        sweep(reported, ("thm1",), {"table": TABLE}, {"budget": 64}, forms=("direct",), budget=1024),
    ],
    figures={"wrong": Figure("wrongly violated", x="level", by="evidence", label="share of runs")},
    facts=facts,
)
