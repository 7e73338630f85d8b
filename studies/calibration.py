"""Are the verdicts themselves right? A blind test: problems and claims drawn at random, whose truths are known exactly.

They are drawn by a seed that is the digest of the code, so no code can have been written with these draws in view. Each
is sampled to the end of a budget, and limits that exclude the truth are counted. What was found is told in
``calibration.md``.
"""

import numpy as np

from maml_bench import InnerLoop, Setting, claims
from maml_bench.digest import code_digest
from maml_bench.effort import Effort
from maml_bench.hessians import GaussianSmoothing, ZerothOrder
from maml_bench.power import rate
from maml_bench.problems import AdditiveGaussian, Kink, Quadratic, RandomPhase, Trigonometric
from maml_bench.study import Figure, Study, between, curves, pick
from maml_bench.verdict import sampling

CLAIMS = ("prop2-first", "prop2-second", "prop2-mean", "prop3", "prop4", "prop5", "prop6", "prop7-vector")
CLAIMS += ("prop7-frobenius", "zo-vector", "zo-stein-vector", "prop8", "prop8-mean")
LEVELS, BUDGETS = (0.05, 0.01, 1e-3, 1e-5), (64, 1024, 4096, 16_384)
TINY = 1e-9
"""Relative distance from the truth that counts as rounding."""


def tasks(rng: np.random.Generator):
    """Tasks of any family with exact values: smooth, kinked, silent ones among others, corners that are seldom met."""
    dim, count = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    family = rng.choice(["quadratic", "silent", "trigonometric", "kink"])
    if family == "quadratic":
        return Quadratic.random(dim, count, rng)
    if family == "silent":
        return Quadratic(np.array([np.zeros((dim, dim)), -np.eye(dim)]), np.zeros((2, dim)))
    return (Trigonometric if family == "trigonometric" else Kink).random(dim, count, rng)


def setting(rng: np.random.Generator) -> Setting:
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


def instance(rng: np.random.Generator):
    """A claim with a setting that it applies to, and the exact left side of every cell."""
    while True:
        case, name = setting(rng), str(rng.choice(CLAIMS))
        claim = claims.get(name, claims.forms(name)[-1])
        if not claim.measurement.requires(case):
            truth = claim.measurement.exact(case)
            if truth is not None and np.all(np.isfinite(truth)):
                return claim, case, truth


def errors(level, *, seed, budget, workers):
    """How often limits excluded the truth, for each kind of evidence and side, with 95 % intervals, at a stated level.

    ``budget`` counts instances; each draws a number of replicates of its own.
    """
    rng = np.random.default_rng([int(code_digest()[:8], 16), seed])
    counted: dict[tuple[str, str], list[bool]] = {}
    for _ in range(budget):
        claim, case, truth = instance(rng)
        effort = Effort(int(rng.integers(2**31)), 1 - level, int(rng.choice(BUDGETS)), workers=workers)
        for look in sampling(claim, case, effort):
            limits = look.limits
        slack = TINY * np.abs(truth) + claim.measurement.resolution(case) + claim.measurement.error(case, truth)
        counted.setdefault(("violated", limits.lower_kind), []).append(bool(np.any(limits.lower > truth + slack)))
        worst = np.argmax(truth)  # alone at the full level, as in a claim about this cell
        counted.setdefault(("holds", limits.upper_kind), []).append(
            bool(limits.upper_alone[worst] < truth[worst] - np.broadcast_to(slack, truth.shape)[worst])
        )
    for (outcome, evidence), wrong in counted.items():
        share = rate(sum(wrong), len(wrong))
        yield {"quantity": f"wrongly {outcome}", "evidence": evidence, "value": share.value, "lower": share.lower} | {
            "upper": share.upper,
            "level": level,
            "bound": level,
            "runs": len(wrong),
            "wrong": sum(wrong),
        }


def facts(t):
    """No kind of evidence is wrong more often than stated."""
    for evidence in sorted(set(t["evidence"])):
        found = pick(t, evidence=evidence)
        words = f"{evidence}: lower limit of the rate of wrong limits, over the stated level; the largest"
        yield between(words, [(found["lower"] / found["level"]).max()], 0, 1)
        yield between(
            f"{evidence}: wrong limits at levels of 1e-3 and below", [found[found["level"] < 5e-3]["wrong"].sum()], 0, 1
        )


STUDY = Study(
    "calibration",
    "Are the verdicts themselves right?",
    curves(lambda level: level, errors, {"level": LEVELS}, {"level": LEVELS[:1], "budget": 6}, budget=100),
    figures={"wrong": Figure("wrongly violated", x="level", by="evidence", label="share of runs")},
    facts=facts,
)
