"""How fast does multi-step MAML converge, and what do the theorems say of it? (Theorems 1 and 2, Corollary 1)

Whole runs are the replicates. Sweeps K, S, T, B, N and C_beta one at a time against all forms of Theorem 1 and the
parts of its direct form; N for shrinking and for fixed alpha, and the size of L; and the directions of Theorem 2. What
was found is told in ``convergence.md``.
"""

import numpy as np

from maml_bench import OuterLoop, Setting
from maml_bench.algorithms.work import ITERATIONS, SAMPLES, work
from maml_bench.hessians import ExactHessian, GaussianSmoothing
from maml_bench.problems import AdditiveGaussian, Kink, Trigonometric
from maml_bench.study import Figure, Study, between, confirmed, curves, exponent, one_at_a_time, pick, sweep
from maml_bench.study.facts import answered, slope
from maml_bench.study.measures import BOUND, PARTS, parts
from maml_bench.study.points import SHRINKING, inner_loop

NOISE = AdditiveGaussian(sigma_g=0.5)
TASKS = Trigonometric.random(dim=4, tasks=8, rng=126)
WAVES = TASKS.with_noise(NOISE)
KINKS = Kink.random(dim=4, tasks=8, rng=0).with_noise(NOISE)
WIDE = Trigonometric.random(dim=16, tasks=8, rng=0).with_noise(NOISE)
BASE = {"K": 300, "S": 4, "T": 4, "B": 10, "N": 3, "C_beta": 100.0}
SWEPT = {"K": (30, 100, 300, 1000), "S": (1, 4, 16, 64), "T": (1, 4, 16, 64), "B": (3, 10, 30, 100)}
SWEPT |= {"N": (1, 2, 4, 8), "C_beta": (5.0, 20.0, 100.0, 400.0)}
EXACT, FIXED = ExactHessian(), "0.1"


def setting(K, S, T, B, N, C_beta, sweep="", problem=WAVES, αL=None, hessian=EXACT):
    """Algorithm 1 or 2 from (1, ..., 1); the step size's own batches are as large as Lemma B asks."""
    inner, outer = inner_loop(problem, αL, N, S=S, D=4, T=T), OuterLoop(K, B, C_beta=C_beta, B_beta=4, D_beta=16)
    return Setting(problem, np.ones(problem.dim), inner, hessian, outer)


def with_directions(Q, N):
    """Algorithm 2 in 16 dimensions."""
    return setting(**BASE | {"N": N, "K": 100}, problem=WIDE, hessian=GaussianSmoothing(1e-2, Q))


def scaled(N, αL, scale):
    """The problem times ``scale``: alpha is divided by it, alpha L is what it was."""
    tasks = Trigonometric(scale * TASKS.A, scale * TASKS.b, scale * TASKS.amplitude, TASKS.frequency, TASKS.phase)
    return setting(**BASE | {"N": N}, problem=tasks.with_noise(AdditiveGaussian(scale * NOISE.sigma_g)), αL=αL)


def facts(t):
    """Iterations and work against N, what dominates the bound, how many directions are enough."""
    shrinking, fixed = (pick(t, αL=αL, scale=1) for αL in (SHRINKING, FIXED))
    growing = slope(pick(fixed, quantity=ITERATIONS), "growth")
    sizes = pick(t, quantity=ITERATIONS, αL=SHRINKING, N=2)["value"]
    pieces = pick(t, quantity=BOUND, piece=PARTS[:3], sweep="K")
    longest = int(pieces["K"].max())
    last = pieces[pieces["K"] == longest]
    bias = pick(t, piece="bias", sweep="bias")
    few, many = (pick(t, claim="thm2", form="direct", N=4, Q=Q)["value"].iloc[0] for Q in (4, 64))
    return [
        confirmed("Theorems 1 and 2, direct", pick(t, claim=("thm1", "thm2"), form="direct")),
        exponent("meta-iterations against N, αL = 1/(8N)", pick(shrinking, quantity=ITERATIONS), "N", 0.0),
        exponent("samples along inner paths against N, αL = 1/(8N)", pick(shrinking, quantity=SAMPLES), "N", 1.0),
        between("exponent of meta-iterations in q^(2N), αL = 0.1", [growing.lower, growing.upper], 1, 3),
        between("meta-iterations for 10 and 1000 times L, over those for L", sizes / sizes.iloc[0], 0.95, 1.05),
        answered(
            f"what dominates the direct form up to K = {longest}", last.loc[last["value"].idxmax(), "piece"], "start"
        ),
        exponent("part of the bias against S, waves", pick(bias, problem="waves"), "S", -1.0),
        exponent("part of the bias against S, kinks", pick(bias, problem="kinks"), "S", -0.5),
        between("E ||grad calL|| with d/N = 4 directions over that with 4d = 64", [few / many], 0.97, 1.03),
    ]


ALONE = [(axes, {"K": 10, name: SWEPT[name][:2]}) for name, axes in one_at_a_time(BASE, SWEPT).items()]
MANY = BASE | {"B": 10**6, "S": (64, 256, 1024, 4096), "problem": {"waves": WAVES, "kinks": KINKS}, "sweep": "bias"}
FASTER = {"αL": {SHRINKING: None, FIXED: 0.1}, "N": (1, 2, 4, 8), "scale": 1}
LARGER = {"αL": {SHRINKING: None}, "N": 2, "scale": (10, 1000)}
STUDY = Study(
    "convergence",
    "How fast does multi-step MAML converge?",
    [
        *(sweep(setting, ("thm1",), axes, quick | {"budget": 64}, budget=1024) for axes, quick in ALONE),
        *(curves(setting, parts("thm1"), axes, quick) for axes, quick in ALONE),
        curves(setting, parts("thm1"), MANY),
        sweep(with_directions, ("thm2",), {"Q": (1, 4, 64), "N": 4}, {"budget": 64}, budget=1024),
        curves(scaled, work, FASTER, {"N": (1, 2), "budget": 2}, budget=32),
        curves(scaled, work, LARGER, {"budget": 2}, budget=32),
    ],
    figures={
        **{name: Figure("thm1", x=name, where={"sweep": name}) for name in SWEPT},
        **{f"parts-{name}": Figure(BOUND, x=name, by="piece", where={"sweep": name}) for name in ("K", "C_beta")},
        "iterations": Figure(ITERATIONS, x="N", by="αL", where={"scale": 1}),
        "samples": Figure(SAMPLES, x="N", by="αL", where={"scale": 1}),
        "directions": Figure("thm2", x="Q"),
    },
    facts=facts,
)
