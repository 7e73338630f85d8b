"""Every claim in every form on every family: measured, bound, ratio and verdict in one table.

One reference setting for each family, and one for runs; the other studies sweep. ``summary.md`` tells what was found.
"""

from dataclasses import replace

import numpy as np

from maml_bench import OuterLoop, Setting, claims
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
from maml_bench.study.points import inner_loop

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
EXACT, SHARED = ExactHessian(), replace(SMOOTHED, data="population")
ESTIMATORS = {
    **dict.fromkeys(("prop6", "prop7-vector", "prop7-frobenius", "prop7-spectral", "thm2"), SMOOTHED),
    **dict.fromkeys(("finite-prop7-vector", "finite-thm2"), SHARED),
    **dict.fromkeys(("prop5", "prop8", "prop8-mean", "zo-vector", "zo-shift", "zo-neighbourhood"), PLAIN),
    "zo-stein-vector": CORRECTED,
    "hvp-central": CentralDifference(delta=0.1, data="population"),
}
"""The estimator that a claim speaks of; the others are about exact Hessians."""
RUNS = [n for n in claims.names() if n.startswith(("lemma-b", "thm", "cor1", "finite-thm")) or n == "zo-neighbourhood"]
"""Claims about runs of an algorithm, on the schedule of Corollary 1; the others are about one point."""
SCHEDULE = OuterLoop(30, 50, C_beta=100, B_beta=16, D_beta=64)


def at(estimator, αL=0.05, outer=None, batch=4):
    """Three inner steps on a family, from its point."""

    def setting(problem):
        tasks, w = problem
        return Setting(tasks, w, inner_loop(tasks, αL, 3, S=batch, D=4, T=batch), estimator, outer)

    return setting


def asked(name, estimator):
    """A claim's forms, but for those that speak of the Stein-corrected estimator if this one is not, and conversely."""
    forms = claims.forms(name)
    forms = [form for form in forms if "stein" not in forms or (form == "stein") == (estimator == CORRECTED)]
    point, few, precision, budget = at(estimator), 5_000, 0.05, 100_000
    if name in RUNS:
        point, few, precision, budget = at(estimator, None, SCHEDULE, batch=16), 64, np.inf, 1_000_000
    quick, axes = {"budget": few, "precision": max(1.0, precision)}, {"problem": FAMILIES}
    return sweep(point, (name,), axes, quick, forms=forms, budget=budget, precision=precision)


def facts(t):
    """Nothing is violated, every claim applies somewhere, and extremal instances attain their bounds."""
    known = {(row.claim, row.form) for row in t[t["outcome"] != "not applicable"].itertuples()}
    asked = {(row.claim, row.form) for row in t.itertuples()}
    found = [between("claims and forms that apply to no family here", [len(asked - known)], 0, 0)]
    others = {"prop4": "refined_local", "prop7-vector": "refined"}
    for claim, form in (dict.fromkeys(("prop1", "prop2-second", "prop8"), "sharp") | others).items():
        ratio = pick(t, claim=claim, form=form, problem="concave")["ratio"]
        found.append(between(f"{claim} ({form}) over its bound, concave", ratio, 1 - 1e-9, 1 + 1e-9, "1"))
    return found


STUDY = Study(
    "summary",
    "Every claim on every family",
    [asked(name, ESTIMATORS.get(name, EXACT)) for name in claims.names()]
    + [asked(name, CORRECTED) for name in ("prop5", "prop8")],
    facts=facts,
)
