"""Are the verdicts themselves right? A blind test: problems and claims drawn at random, whose truths are known exactly.

They are drawn by a seed that is the digest of the code, so no code can have been written with these draws in view. Each
is sampled to the end of a budget, and limits that exclude the truth are counted. What was found is told in
``calibration.md``.
"""

import numpy as np

from maml_bench import InnerLoop, Setting
from maml_bench.calibration import errors
from maml_bench.hessians import GaussianSmoothing, ZerothOrder
from maml_bench.problems import AdditiveGaussian, Kink, Quadratic, RandomPhase, Trigonometric
from maml_bench.study import Figure, Study, between, curves, pick

CLAIMS = ("prop2-first", "prop2-second", "prop2-mean", "prop3", "prop4", "prop5", "prop6", "prop7-vector")
CLAIMS += ("prop7-frobenius", "zo-vector", "zo-stein-vector", "prop8", "prop8-mean")
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


def facts(t):
    """No kind of evidence is wrong more often than stated."""
    for evidence in sorted(set(t["evidence"])):
        found = pick(t, evidence=evidence)
        words = f"{evidence}: lower limit of the rate of wrong limits, over the stated level; the largest"
        yield between(words, [(found["lower"] / found["level"]).max()], 0, 1)
        few = found[found["level"] < 5e-3]["wrong"].sum()
        yield between(f"{evidence}: wrong limits at levels of 1e-3 and below", [few], 0, 1)


MEASURE = errors(CLAIMS, setting, BUDGETS)
STUDY = Study(
    "calibration",
    "Are the verdicts themselves right?",
    curves(lambda level: level, MEASURE, {"level": LEVELS}, {"level": LEVELS[:1], "budget": 6}, budget=100),
    figures={"wrong": Figure("wrongly violated", x="level", by="evidence", label="share of runs")},
    facts=facts,
)
