"""How fast does the bias of the stochastic meta gradient vanish? (Proposition 3)

Sweeps S, N and alpha L over quadratic tasks (no bias), trigonometric tasks (smooth) and a kink that the exact path
meets (the Hessian is Lipschitz and no more). What was found is told in ``meta_gradient_bias.md``.
"""

import numpy as np

from maml_bench import InnerLoop, Setting
from maml_bench.problems import AdditiveGaussian, Kink, Quadratic, RandomPhase, Trigonometric
from maml_bench.study import Figure, Study, between, exponent, pick, sweep
from maml_bench.study.points import SHRINKING, inner_loop

QUADRATIC, TRIGONOMETRIC, KINK = "quadratic", "trigonometric", "kink"
PROBLEMS = {
    QUADRATIC: Quadratic.random(dim=5, tasks=4, rng=1).with_noise(AdditiveGaussian(sigma_g=1.0)),
    TRIGONOMETRIC: Trigonometric.random(dim=3, tasks=4, rng=2).with_noise(RandomPhase(amplitude=1.0, kappa=1.0)),
    KINK: None,
}


def kink_at(alpha):
    """A one-dimensional kink task, and the point from which one exact step of size alpha ends exactly on the kink.

    From ``w = c + t`` the step is ``t -> t - alpha (h'(t) - slope)`` with ``h'(t) = t^2/2`` for ``0 <= t <= 1``;
    t = 1/2 gives the slope.
    """
    start = 0.5
    slope = start**2 / 2 - start / alpha
    return Kink(center=[[0.0]], slope=[[slope]], rho=1.0, radius=1.0), np.array([start])


def setting(problem, αL, N, S):
    """Batches of S samples for everything. After one step the path is only at the kink: no bias by symmetry."""
    if problem is None:
        αL = αL or 1 / (8 * N)
        tasks, w = kink_at(αL)
        tasks = tasks.with_noise(AdditiveGaussian(sigma_g=1.0))
        return Setting(tasks, w, InnerLoop(αL, N, S=S, D=S, T=S)) if N > 1 else None
    return Setting(problem, np.ones(problem.dim), inner_loop(problem, αL, N, S=S, D=S, T=S))


def facts(t):
    """Rates in S, and what becomes of the bias with more steps."""
    sharp = pick(t, form="sharp", αL="0.1", N=3)
    large = pick(sharp, S=lambda S: S >= 16)
    found = [between("bias on quadratics, exact", pick(t, form="sharp", problem=QUADRATIC)["upper"], 0, 0)]
    for problem, expected in ((TRIGONOMETRIC, -1), (KINK, -0.5)):
        found.append(exponent(f"bias in S, {problem}, S ≥ 16", pick(large, problem=problem), "S", expected))
    for form, expected in (("paper", -0.5), ("sharp", -0.5), ("smooth", -1)):
        chosen = pick(t, form=form, problem=TRIGONOMETRIC, αL="0.1", N=3, S=lambda S: S >= 16)
        found.append(exponent(f"the {form} bound in S, trigonometric", chosen, "S", expected, side="bound"))
    refused = (pick(t, form="smooth", problem=KINK)["outcome"] == "not applicable").mean()
    found.append(between("share of kink rows to which `smooth` does not apply", [refused], 1, 1))
    grown = pick(t, form="sharp", problem=TRIGONOMETRIC, αL=("0.04", SHRINKING), S=16).sort_values("N")
    ends = grown.groupby("αL")["value"]
    change = ends.last() / ends.first()
    found.append(between("bias at the largest N over that at N = 1, αL = 0.04", [change["0.04"]], 1.5))
    found.append(between(f"the same with αL = {SHRINKING}", [change[SHRINKING]], 0, 1))
    return found


BATCHES = {"problem": PROBLEMS, "αL": {"0.1": 0.1}, "N": 3, "S": (1, 4, 16, 64, 256, 1024)}
STEPS = {"problem": PROBLEMS, "αL": {"0.04": 0.04, SHRINKING: None}, "N": (1, 2, 3, 5, 8), "S": 16}
QUICK = {"budget": 4_000, "precision": 0.2}
BIASED = (TRIGONOMETRIC, KINK)
STUDY = Study(
    "meta-gradient-bias",
    "How fast does the bias of the stochastic meta gradient vanish?",
    [
        sweep(setting, ("prop3",), BATCHES, QUICK | {"S": (16, 64)}, budget=60_000),
        sweep(setting, ("prop3",), STEPS, QUICK | {"N": (1, 2, 3)}, budget=60_000),
    ],
    figures={
        "batch-size": Figure("prop3", x="S", across="problem", where={"αL": "0.1", "problem": BIASED}),
        "steps": Figure(
            "prop3", x="N", across="problem", by="αL", where={"αL": ("0.04", SHRINKING), "problem": BIASED}
        ),
    },
    facts=facts,
)
