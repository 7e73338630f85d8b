"""Every claim in every form on every family: measured, bound, ratio and verdict in one table.

One reference setting for each family; the other studies sweep. What was found is told in ``summary.md``.
"""

import numpy as np

from maml_bench import InnerLoop, Setting, claims
from maml_bench.hessians import CentralDifference, ExactHessian, GaussianSmoothing, ZerothOrder
from maml_bench.problems import (
    AdditiveGaussian,
    FiniteSum,
    Kink,
    Logistic,
    Quadratic,
    RandomPhase,
    RankOne,
    SoftmaxBandit,
    Trigonometric,
)
from maml_bench.study import Study, between, pick, sweep

ADDITIVE, PHASE = AdditiveGaussian(sigma_g=0.5), RandomPhase(amplitude=0.5, kappa=1.0)
FIRST, SECOND = (Trigonometric.random(dim=4, tasks=4, rng=seed) for seed in (5, 6))
MOVED = Trigonometric(FIRST.A, SECOND.b, FIRST.amplitude, FIRST.frequency, FIRST.phase)
FAMILIES = {
    "quadratic": (Quadratic.random(dim=4, tasks=4, rng=1).with_noise(ADDITIVE), np.ones(4)),
    "concave": (Quadratic.concave(dim=4).with_noise(ADDITIVE), np.ones(4)),
    "trigonometric": (Trigonometric.random(dim=4, tasks=4, rng=2).with_noise(PHASE), np.ones(4)),
    "kink": (Kink.random(dim=4, tasks=4, rng=3).with_noise(ADDITIVE), np.ones(4)),
    "rank-one": (RankOne.random(dim=4, tasks=4, rng=4, radius=3.0).with_noise(PHASE), np.full(4, 0.25)),
    "bandit": (SoftmaxBandit.random(dim=4, tasks=4, rng=5), np.zeros(4)),
    "trig. pairs": (FiniteSum.pair(FIRST, MOVED), np.ones(4)),
    "logistic": (Logistic.random(dim=4, tasks=4, rng=6), np.ones(4)),
}
SMOOTHED = GaussianSmoothing(nu=0.1, directions=8)
PLAIN, CORRECTED = (ZerothOrder(nu=0.1, directions=8, stein=stein, data="population") for stein in (False, True))
ESTIMATORS = {
    "prop6": SMOOTHED,
    "prop7-vector": SMOOTHED,
    "prop7-frobenius": SMOOTHED,
    "prop7-spectral": SMOOTHED,
    "finite-prop7-vector": GaussianSmoothing(nu=0.1, directions=8, data="population"),
    "prop5": PLAIN,
    "prop8": PLAIN,
    "prop8-mean": PLAIN,
    "zo-vector": PLAIN,
    "zo-stein-vector": CORRECTED,
    "hvp-central": CentralDifference(delta=0.1, data="population"),
}
"""The estimator that a claim speaks of; the others are about exact Hessians."""
RUNS = ("lemma-b-first", "lemma-b-second", "thm1", "cor1", "thm2", "zo-neighbourhood", "finite-thm1", "finite-thm2")
NAMES = [name for name in claims.names() if name not in RUNS]
"""Claims about one point; runs of an algorithm have studies of their own."""


def at(estimator):
    """Three inner steps with alpha L = 1/20 and batches of four."""

    def setting(problem):
        tasks, w = problem
        return Setting(tasks, w, InnerLoop(0.05 / tasks.regularity.L, 3, S=4, D=4, T=4), estimator)

    return setting


def asked(name, estimator):
    """A claim's forms, but for those that speak of the Stein-corrected estimator if this one is not, and conversely."""
    stein = [form for form in claims.forms(name) if (form == "stein") == (estimator == CORRECTED)]
    forms = stein if "stein" in claims.forms(name) else claims.forms(name)
    quick = {"budget": 5_000, "precision": 1.0}
    return sweep(at(estimator), (name,), {"problem": FAMILIES}, quick, forms=forms, budget=100_000)


def facts(t):
    """Nothing is violated, every claim applies somewhere, and extremal instances attain their bounds."""
    known = {(row.claim, row.form) for row in t[t["outcome"] != "not applicable"].itertuples()}
    asked = {(row.claim, row.form) for row in t.itertuples()}
    found = [between("claims and forms that apply to no family here", [len(asked - known)], 0, 0)]
    for claim, form in (
        ("prop1", "sharp"),
        ("prop2-second", "sharp"),
        ("prop4", "refined_local"),
        ("prop8", "sharp"),
        ("prop7-vector", "refined"),
    ):
        ratio = pick(t, claim=claim, form=form, problem="concave")["ratio"]
        found.append(between(f"{claim} ({form}) over its bound, concave", ratio, 1 - 1e-9, 1 + 1e-9, "1"))
    return found


STUDY = Study(
    "summary",
    "Every claim on every family",
    [asked(name, ESTIMATORS.get(name, ExactHessian())) for name in NAMES]
    + [asked(name, CORRECTED) for name in ("prop5", "prop8")],
    facts=facts,
)
