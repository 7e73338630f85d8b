"""How fast does multi-step MAML converge, and what do the theorems say of it? (Theorems 1 and 2, Corollary 1)

Whole runs are the replicates. Sweeps K, S, T, B, N and C_beta one at a time against all forms of Theorem 1 and the
parts of its direct form; N for shrinking and for fixed alpha, and the size of L; and the directions of Theorem 2. What
was found is told in ``convergence.md``.
"""

import math
from dataclasses import replace

import numpy as np

from analytic import HypothesisError
from analytic.convergence import DIRECT
from maml_bench import InnerLoop, OuterLoop, Setting, train
from maml_bench.claims.convergence import outer_constants
from maml_bench.hessians import ExactHessian, GaussianSmoothing
from maml_bench.problems import AdditiveGaussian, Kink, Trigonometric
from maml_bench.study import Fact, Figure, Study, between, confirmed, curves, exponent, pick, sweep
from maml_bench.study.facts import slope

NOISE = AdditiveGaussian(sigma_g=0.5)
WAVES = Trigonometric.random(dim=4, tasks=8, rng=126)
PROBLEM = WAVES.with_noise(NOISE)
KINKS = Kink.random(dim=4, tasks=8, rng=0).with_noise(NOISE)
WIDE = Trigonometric.random(dim=16, tasks=8, rng=0).with_noise(NOISE)
BASE = {"K": 300, "S": 4, "T": 4, "B": 10, "N": 3, "C_beta": 100.0}
ONE_AT_A_TIME = {
    "K": (30, 100, 300, 1000),
    "S": (1, 4, 16, 64),
    "T": (1, 4, 16, 64),
    "B": (3, 10, 30, 100),
    "N": (1, 2, 4, 8),
    "C_beta": (5.0, 20.0, 100.0, 400.0),
}
SAMPLES = "samples along inner paths"
BOUND, PARTS = "bound of E ||grad calL(w_zeta)||", ("start", "variance", "bias", "value")
SHRINKING, FIXED = "1/(8N)", "0.1"
SHARE, LONGEST = 0.8, 16_000


def setting(K, S, T, B, N, C_beta, sweep="", problem=PROBLEM, αL=None, hessian=None):
    """Algorithm 1 or 2 from (1, ..., 1); the step size's own batches are as large as Lemma B asks."""
    inner = InnerLoop((αL or 1 / (8 * N)) / problem.regularity.L, N, S=S, D=4, T=T)
    outer = OuterLoop(K, B, C_beta=C_beta, B_beta=4, D_beta=16)
    return Setting(problem, np.ones(problem.dim), inner, hessian or ExactHessian(), outer)


def with_directions(Q, N):
    """Algorithm 2 in 16 dimensions."""
    return setting(**BASE | {"N": N, "K": 100}, problem=WIDE, hessian=GaussianSmoothing(1e-2, Q))


def parts(point, *, seed, budget, workers):
    """The direct form, and what it would be if the start, the variance or the bias were all there is."""
    try:
        found = DIRECT["thm1"].evaluate(outer_constants(point, DIRECT["thm1"].bound.arguments))
    except HypothesisError:
        return
    for piece in PARTS:
        value = getattr(found, piece)
        yield {"quantity": BOUND, "piece": piece, "value": value, "lower": value, "upper": value, "evidence": "exact"}


def work(point, *, seed, budget, workers):
    """The first K for which the mean over iterates of ||grad calL|| is a share of its start, and samples until then.

    For the mean over ``budget`` runs, and for its 99 % limits.
    """
    K = 128
    while True:
        run = train(replace(point, outer=replace(point.outer, iterations=K)), budget, seed, workers=workers)
        means = np.cumsum(run.gradient_norm, axis=0) / np.arange(1, K + 1)[:, None]
        reach = 2.6 * means.std(1, ddof=1) / math.sqrt(budget)
        reached = [means.mean(1) + sign * reach <= SHARE * means[0, 0] for sign in (0, -1, 1)]
        if K >= LONGEST or all(r.any() for r in reached):
            break
        K *= 2
    counts = np.array([r.argmax() + 1 if r.any() else K for r in reached])
    on_the_path = point.outer.B * point.inner.steps * (point.inner.S + point.inner.D)
    growth = (1 + point.inner.alpha * point.tasks.regularity.L) ** (2 * point.inner.steps)
    for quantity, each in (("meta-iterations", 1), (SAMPLES, on_the_path)):
        value, lower, upper = (each * counts).tolist()
        limits = {"value": value, "lower": lower, "upper": upper, "evidence": "asymptotic", "replicates": budget}
        yield limits | {"quantity": quantity, "growth": growth}


def scaled(N, αL, scale):
    """The problem times ``scale``: alpha is divided by it, alpha L is what it was."""
    tasks = Trigonometric(scale * WAVES.A, scale * WAVES.b, scale * WAVES.amplitude, WAVES.frequency, WAVES.phase)
    problem = tasks.with_noise(AdditiveGaussian(scale * NOISE.sigma_g))
    return setting(**BASE | {"N": N}, problem=problem, αL=αL)


def facts(t):
    """Iterations and work against N, what dominates the bound, how many directions are enough."""
    shrinking, fixed = (pick(t, αL=αL, scale=1) for αL in (SHRINKING, FIXED))
    iterations = pick(shrinking, quantity="meta-iterations")
    growing = slope(pick(fixed, quantity="meta-iterations"), "growth")
    found = [
        confirmed("Theorems 1 and 2, direct", pick(t, claim=("thm1", "thm2"), form="direct")),
        exponent("meta-iterations against N, αL = 1/(8N)", iterations, "N", 0.0),
        exponent("samples along inner paths against N, αL = 1/(8N)", pick(shrinking, quantity=SAMPLES), "N", 1.0),
        between("exponent of meta-iterations in q^(2N), αL = 0.1", [growing.lower, growing.upper], 1, 3),
    ]
    sizes = pick(t, quantity="meta-iterations", αL=SHRINKING, N=2)["value"]
    found.append(
        between("meta-iterations for 10 and 1000 times L, over those for L", sizes / sizes.iloc[0], 0.95, 1.05)
    )
    base = pick(t, quantity=BOUND, piece=PARTS[:3], sweep="K")
    largest = base.loc[base["K"] == base["K"].max()].sort_values("value")["piece"].iloc[-1]
    found.append(Fact("what dominates the direct form up to K = 1000", "start", largest, largest == "start"))
    for problem, expected in (("waves", -1.0), ("kinks", -0.5)):
        bias = pick(t, piece="bias", problem=problem, sweep="bias")
        found.append(exponent(f"part of the bias against S, {problem}", bias, "S", expected, side="value"))
    wide = pick(t, claim="thm2", form="direct", N=4)
    few, many = (pick(wide, Q=Q)["value"].iloc[0] for Q in (4, 64))
    found.append(between("E ||grad calL|| with d/N = 4 directions over that with 4d = 64", [few / many], 0.97, 1.03))
    return found


def one_at_a_time(make, name, values):
    """A sweep of one parameter, the others as in `BASE`."""
    axes = {"sweep": (name,)} | {other: values if other == name else (value,) for other, value in BASE.items()}
    return make(axes, {"K": (10,), name: values[:2]})


STUDY = Study(
    "convergence",
    "How fast does multi-step MAML converge?",
    [
        *(
            one_at_a_time(make, name, values)
            for name, values in ONE_AT_A_TIME.items()
            for make in (
                lambda axes, quick: sweep(setting, ("thm1",), axes, quick | {"budget": 64}, budget=1024),
                lambda axes, quick: curves(setting, parts, axes, quick),
            )
        ),
        curves(
            setting,
            parts,
            {"problem": {"waves": PROBLEM, "kinks": KINKS}, "sweep": ("bias",)}
            | {name: (value,) for name, value in (BASE | {"B": 10**6}).items() if name != "S"}
            | {"S": (64, 256, 1024, 4096)},
        ),
        sweep(with_directions, ("thm2",), {"Q": (1, 4, 64), "N": (4,)}, {"budget": 64}, budget=1024),
        curves(
            scaled,
            work,
            {"N": (1, 2, 4, 8), "αL": {SHRINKING: None, FIXED: 0.1}, "scale": (1,)},
            {"N": (1, 2), "budget": 2},
            budget=32,
        ),
        curves(scaled, work, {"N": (2,), "αL": {SHRINKING: None}, "scale": (10, 1000)}, {"budget": 2}, budget=32),
    ],
    figures={
        **{name: Figure("thm1", x=name, where={"sweep": name}) for name in ONE_AT_A_TIME},
        **{f"parts-{name}": Figure(BOUND, x=name, by="piece", where={"sweep": name}) for name in ("K", "C_beta")},
        "iterations": Figure("meta-iterations", x="N", by="αL", where={"scale": 1}),
        "samples": Figure(SAMPLES, x="N", by="αL", where={"scale": 1}),
        "directions": Figure("thm2", x="Q"),
    },
    facts=facts,
)
