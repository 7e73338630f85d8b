"""How large may the inner step be when Hessians are estimated from losses alone? (Proposition 8)

Means of the product of N factors I - alpha H^(w_j), with the zeroth-order estimator and with its Stein-corrected form,
whose mean is that of gradient differences, and of the exact Hessian where the loss is quadratic. What was found is told
in ``step_size.md``.
"""

import numpy as np

from maml_bench import InnerLoop, Setting
from maml_bench.hessians import ZerothOrder
from maml_bench.problems import Quadratic, SoftmaxBandit, Trigonometric
from maml_bench.study import Figure, Study, attained, between, crossing, equal, exponent, pick, sweep

DOME, BOWL, TRIGONOMETRIC, BANDIT = "dome", "bowl", "trigonometric", "softmax bandit"
FAMILIES = {
    DOME: lambda d: Quadratic.concave(d),
    BOWL: lambda d: Quadratic(np.eye(d), np.zeros((1, d))),
    TRIGONOMETRIC: lambda d: Trigonometric.random(d, 1, rng=5),
    BANDIT: lambda d: SoftmaxBandit.random(d, 1, rng=2),
}
RULES = {
    "1/8": lambda N, d: 1 / 8,
    "1/(8N)": lambda N, d: 1 / (8 * N),
    "1/(8N(1+d/2))": lambda N, d: 1 / (8 * N * (1 + d / 2)),
}
CONVERSE = {str(a): lambda N, d, a=a: a for a in (0.2, 0.3, 0.4, 0.6)}
FINE = {a: lambda N, d, a=a: a for a in (2.0 ** np.arange(-10, -0.9, 0.5)).tolist()}
WIDE = {a: lambda N, d, a=a: a for a in (2.0 ** np.arange(-8, 2.1, 0.5)).tolist()}
LIMITS = {BOWL: 1.0, DOME: 2**0.5}
"""Products that are still good: those that do not grow; and those whose square is at most 2, as Theorem 1 asks."""


def setting(problem, hessian, αL, N, d, sweep):
    """One task, without noise, at a point without symmetry."""
    tasks = FAMILIES[problem](d)
    inner = InnerLoop(αL(N, d) / tasks.regularity.L, N)
    return Setting(tasks, np.linspace(-0.5, 1.0, d), inner, ZerothOrder(0.1, 10, stein=hessian == "Stein"))


def along(swept, problem, αL, N, d, quick=None):
    """A sweep, once for each estimator, in the form that speaks of it."""
    shown = {"problem": problem, "αL": αL, "N": N, "d": d, "sweep": (swept,)}
    quick = {"budget": 20_000, "precision": 0.1} | (quick or {})
    plan = {"ZO": "sharp", "Stein": "stein"}.items()
    return [sweep(setting, ("prop8",), {"hessian": (name,)} | shown, quick, forms=(form,)) for name, form in plan]


def theory(problem, hessian, d, N):
    """The step at which |1 - a g| = 1 on the bowl, and (1 + a g)^N = sqrt(2) on the dome; g is 1 + d/2, corrected 1."""
    growth = 1 + d / 2 if hessian == "ZO" else 1
    return (2 if problem == BOWL else LIMITS[DOME] ** (1 / N) - 1) / growth


def largest(t):
    """The largest good step of each grid, between two of its points, and the theory's as the bound."""
    rows = []
    grid = pick(t, sweep=("grid in d", "grid in N"))
    for (problem, hessian, d, N, swept), chosen in grid.groupby(["problem", "hessian", "d", "N", "sweep"], sort=False):
        low, high = crossing(chosen, "αL", LIMITS[problem])
        about = {"problem": problem, "hessian": hessian, "d": d, "N": N, "sweep": swept, "1 + d/2": 1 + d / 2}
        expected = theory(problem, hessian, d, N)
        found = {"value": (low * high) ** 0.5, "lower": low, "upper": high, "bound": expected, "form": "theory"}
        found |= {"claim": "largest-step", "quantity": "largest αL with a good product"}
        rows.append(about | found)
    return rows


def facts(t):
    """Attained bounds, the converse, and how the largest step falls with d and N."""
    dome = pick(t, problem=DOME, sweep="growth", N=16, d=10).set_index(["hessian", "αL"])["value"]
    bowl = pick(t, problem=BOWL, sweep="converse")
    found = [
        attained("the dome attains both bounds", pick(t, claim="prop8", problem=DOME)),
        equal("dome, αL = 1/8, d = 10, N = 16: mean product with ZO", dome["ZO", "1/8"], 1.75**16),
        equal("the same, corrected", dome["Stein", "1/8"], 1.125**16),
        equal("dome, αL = 1/(8N): ZO", dome["ZO", "1/(8N)"], (1 + 6 / 128) ** 16),
        between("dome, αL = 1/(8N(1+d/2)): ZO stays below e^(1/8)", [dome["ZO", "1/(8N(1+d/2))"]], 1, 1.1332),
    ]
    for label in CONVERSE:
        for hessian, growth in (("ZO", 6), ("Stein", 1)):
            last = pick(bowl, hessian=hessian, αL=label, N=16)["value"].item()
            found.append(
                equal(
                    f"bowl, αL = {label}, d = 10, N = 16: |1 − αL·{growth}|^16, {hessian}",
                    last,
                    abs(1 - float(label) * growth) ** 16,
                )
            )
    steps = pick(t, claim="largest-step")
    inside = (steps["lower"] <= steps["bound"] * (1 + 1e-9)) & (steps["bound"] <= steps["upper"] * (1 + 1e-9))
    found.append(between("share of grids on which the largest step brackets the theory's", [inside.mean()], 1, 1))
    for hessian, expected in (("ZO", -1), ("Stein", 0)):
        chosen = pick(steps, problem=DOME, hessian=hessian, sweep="grid in d")
        found.append(exponent(f"largest step in 1 + d/2, dome, {hessian}", chosen, "1 + d/2", expected, within=0.25))
    return found


STUDY = Study(
    "step-size",
    "How large may the inner step be when Hessians come from losses alone?",
    [
        *along("growth", (DOME,), RULES, (1, 2, 4, 8, 16, 32), (10,), {"N": (1, 4, 16)}),
        *along("growth", (TRIGONOMETRIC, BANDIT), RULES, (1, 2, 4, 8, 16, 32), (4,), {"N": (1, 4, 16)}),
        *along("converse", (BOWL,), CONVERSE, (1, 2, 4, 6, 8, 12, 16), (10,), {"N": (1, 4, 16)}),
        *along("grid in d", (BOWL,), WIDE, (4,), (2, 8, 32, 128), {"d": (2, 8, 64)}),
        *along("grid in d", (DOME,), FINE, (4,), (2, 8, 32, 128), {"d": (2, 8, 64)}),
        *along("grid in N", (DOME,), FINE, (1, 4, 16), (8,)),
    ],
    figures={
        "growth": Figure("prop8", x="N", across="problem", by="αL", where={"sweep": "growth", "hessian": "ZO"}),
        "corrected": Figure("prop8", x="N", across="problem", by="αL", where={"sweep": "growth", "hessian": "Stein"}),
        "converse": Figure("prop8", x="N", across="hessian", by="αL", where={"sweep": "converse"}),
        "largest": Figure("largest-step", x="d", across="problem", by="hessian", where={"sweep": "grid in d"}),
    },
    facts=facts,
    derive=largest,
)
