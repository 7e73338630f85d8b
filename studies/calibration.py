"""Are the verdicts themselves right? A blind test: problems and claims drawn at random, whose truths are known exactly.

They are drawn by a seed that is the digest of the code, so no code can have been written with these draws in view. Each
is sampled to the end of a budget, and limits that exclude the truth are counted. Besides a table that others computed,
with programs of their own, on a family of the same kind. What was found is told in ``calibration.md``.
"""

import numpy as np

from maml_bench import InnerLoop, OuterLoop, Setting
from maml_bench.calibration import errors
from maml_bench.hessians import ExactHessian, GaussianSmoothing, ZerothOrder
from maml_bench.problems import (
    AdditiveGaussian,
    Kink,
    Piecewise,
    Quadratic,
    RandomPhase,
    SoftmaxBandit,
    Trigonometric,
    TwoPoint,
)
from maml_bench.study import Figure, Study, between, curves, pick, sweep
from maml_bench.study.points import inner_loop

CLAIMS = ("prop2-first", "prop2-second", "prop2-mean", "prop3", "prop4", "prop5", "prop6", "prop7-vector")
CLAIMS += ("prop7-frobenius", "prop7-spectral", "zo-vector", "zo-stein-vector", "prop8", "prop8-mean")
LIKE = Trigonometric.random(dim=4, tasks=8, rng=1287).with_noise(AdditiveGaussian(0.5))
TABLE = {  # K, S = T, B, C_beta, αL; E ||grad calL|| and the direct form that were reported
    "I": (1000, 4, 10, 100, 1 / 24, 0.467, 0.626),
    "II": (3000, 100, 50, 100, 1 / 24, 0.176, 0.355),
    "III": (300, 16, 100, 5, 1 / 24, 0.096, 0.286),
    "IV": (1000, 16, 40, 100, 0.8 * (2 ** (1 / 6) - 1), 0.611, 0.869),
}
SHARE = {"x": "level", "by": "evidence", "label": "share of runs"}
LEVELS, BUDGETS = (0.05, 0.01, 1e-3, 1e-5), (64, 1024, 4096, 16_384)


def tasks(rng):
    """Tasks of any family with exact values: smooth, kinked, with rare actions, silent ones among others."""
    dim, count = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    family = (Quadratic, Trigonometric, Kink, Piecewise, SoftmaxBandit, None)[rng.integers(6)]
    if family is None:
        return Quadratic(np.array([np.zeros((dim, dim)), -np.eye(dim)]), np.zeros((2, dim)))
    return family.random(dim + (family is SoftmaxBandit), count, rng)


def setting(rng):
    """A problem, a point (of kinks often beyond the corner of a curvature), noise, an inner loop and an estimator."""
    population, nu, Q = tasks(rng), 10 ** rng.uniform(-1.5, 0), int(rng.choice([1, 2, 8]))
    w, L, bandit = rng.standard_normal(population.dim), population.regularity.L, isinstance(population, SoftmaxBandit)
    if isinstance(population, Kink) and rng.random() < 0.5:
        w = population.center[0] + population.radius + rng.uniform(1, 5) * nu
    inner = InnerLoop(rng.uniform(0.01, 0.3) / L, int(rng.integers(1, 4)), S=int(rng.choice([1, 4])))
    if bandit:  # actions as rare as one in thousands
        return Setting(population, 4 * w, inner)
    scale, skewed = 10 ** rng.uniform(-1, 1), TwoPoint(1.0, skew=3 * rng.standard_normal(), tilt=rng.choice([0, 1]))
    noise = (AdditiveGaussian(scale), RandomPhase(1.0, scale**0.5), skewed)[rng.integers(3)]
    exact = (ZerothOrder(nu, Q, stein, "population") for stein in (False, True))
    estimators = ExactHessian(), GaussianSmoothing(nu, Q), GaussianSmoothing(nu, Q, "population"), *exact
    hessian = estimators[rng.integers(5)]
    exact_differences = getattr(hessian, "data", "") == "population"
    return Setting(population if exact_differences else population.with_noise(noise), w, inner, hessian)


def reported(table):
    """A row of the others' table; their step size was estimated from one task and one sample."""
    K, S, B, C_beta, αL, *_ = table
    inner, outer = inner_loop(LIKE, αL, 3, S=S, D=4, T=S), OuterLoop(K, B, C_beta=C_beta, B_beta=1, D_beta=1)
    return Setting(LIKE, np.array([0.05, -0.25, 0.87, -2.33]), inner, outer=outer)


def facts(t):
    """Certified limits are wrong no more often than stated; how often asymptotic ones are; others' values are ours."""
    table, refined = (pick(t, claim="thm1", form=form, outcome="holds") for form in ("direct", "refined"))
    gains = refined.set_index("table")["bound"] / table.set_index("table")["bound"]
    yield between("refined over direct, ordinary settings to small C_β", gains.dropna(), 1.5, 9.5)
    for column, at, near in (("value", -2, 0.03), ("bound", -1, 0.02)):
        theirs = np.array([TABLE[row][at] for row in table["table"]])
        yield between(f"the others' table: our {column} over theirs", table[column] / theirs, 1 - near, 1 + near)
    for evidence in sorted(set(t["evidence"][t["level"].notna()])):
        found = pick(t, evidence=evidence, level=np.isfinite)
        words = f"{evidence}: lower limit of the rate of wrong limits, over the stated level; the largest"
        most = np.inf if evidence == "asymptotic" else 1
        yield between(words, [(found["lower"] / found["level"]).max()], 0, most)
        few = found[found["level"] < 5e-3]["wrong"].sum()
        yield between(f"{evidence}: wrong limits at levels of 1e-3 and below", [few], 0, 10 * most)


MEASURE = errors(CLAIMS, setting, BUDGETS)
STUDY = Study(
    "calibration",
    "Are the verdicts themselves right?",
    [
        curves(lambda level: level, MEASURE, {"level": LEVELS}, {"level": LEVELS[:1], "budget": 6}, budget=1000),
        sweep(reported, ("thm1",), {"table": TABLE}, {"budget": 64}, forms=("refined", "direct"), budget=1024),
    ],
    figures={name: Figure(f"wrongly {name}", **SHARE) for name in ("violated", "holds")},
    facts=facts,
)
