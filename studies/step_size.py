"""How large may the inner step be when Hessians are estimated from losses alone? (Proposition 8)

Means of the product of N factors I - alpha H^(w_j), with the zeroth-order estimator and with its Stein-corrected form,
whose mean is the exact Hessian where the loss is quadratic. What was found is told in ``step_size.md``.
"""

import numpy as np

from maml_bench import Setting
from maml_bench.hessians import ZerothOrder
from maml_bench.problems import Quadratic, SoftmaxBandit, Trigonometric
from maml_bench.study import Figure, Study, attained, between, bracketed, crossings, equal, exponent, pick, sweep
from maml_bench.study.points import SHRINKING, inner_loop

DOME, BOWL, TRIGONOMETRIC, BANDIT = "dome", "bowl", "trigonometric", "softmax bandit"
FAMILIES = {
    DOME: Quadratic.concave,
    BOWL: lambda d: Quadratic(np.eye(d), np.zeros((1, d))),
    TRIGONOMETRIC: lambda d: Trigonometric.random(d, 1, rng=5),
    BANDIT: lambda d: SoftmaxBandit.random(d, 1, rng=2),
}
FORMS = {"ZO": "sharp", "Stein": "stein"}
RULES = {"1/8": 1 / 8, SHRINKING: None, "1/(8N(1+d/2))": lambda N, d: 1 / (8 * N * (1 + d / 2))}
FINE, WIDE = (tuple((2.0 ** np.arange(low, high, 0.5)).tolist()) for low, high in ((-10, -0.9), (-8, 2.1)))
LIMITS = {BOWL: 1.0, DOME: 2**0.5}
"""Products that are still good: those that do not grow; and those whose square is at most 2, as Theorem 1 asks."""


def setting(problem, hessian, αL, N, d, sweep):
    """One task, without noise, at a point without symmetry."""
    tasks = FAMILIES[problem](d)
    inner = inner_loop(tasks, αL(N, d) if callable(αL) else αL, N)
    return Setting(tasks, np.linspace(-0.5, 1.0, d), inner, ZerothOrder(0.1, 10, stein=hessian == "Stein"))


def along(swept, problem, αL, N, d, quick=None):
    """A sweep, once for each estimator, in the form that speaks of it."""
    axes = {"problem": problem, "αL": αL, "N": N, "d": d, "sweep": swept}
    quick = {"budget": 20_000, "precision": 0.1} | (quick or {})
    return [sweep(setting, ("prop8",), {"hessian": name} | axes, quick, forms=(FORMS[name],)) for name in FORMS]


def theory(problem, hessian, N, d, **_):
    """The step at which |1 - a g| = 1 on the bowl, and (1 + a g)^N = sqrt(2) on the dome; g is 1 + d/2, corrected 1."""
    return (2 if problem == BOWL else LIMITS[DOME] ** (1 / N) - 1) / (1 + d / 2 if hessian == "ZO" else 1)


def largest(t):
    """The largest good step of each grid, between two of its points, and the theory's as the bound."""
    named = {"claim": "largest-step", "form": "theory", "quantity": "largest αL with a good product"}
    for problem, limit in LIMITS.items():
        grids = pick(t, problem=problem, sweep=("grid in d", "grid in N"))
        for about in crossings(grids, "αL", limit, ["problem", "hessian", "N", "d", "sweep"]).to_dict("records"):
            yield named | about | {"bound": theory(**about), "1 + d/2": 1 + about["d"] / 2}


def facts(t):
    """Attained bounds, the converse, and how the largest step falls with d and N."""
    dome = pick(t, problem=DOME, sweep="growth", N=16, d=10).set_index(["hessian", "αL"])["value"]
    bowl = pick(t, problem=BOWL, sweep="converse", N=16).sort_values("αL", kind="stable")
    found = [
        attained("the dome attains both bounds", pick(t, claim="prop8", problem=DOME)),
        equal("dome, αL = 1/8, d = 10, N = 16: mean product with ZO", dome["ZO", "1/8"], 1.75**16),
        equal("the same, corrected", dome["Stein", "1/8"], 1.125**16),
        equal("dome, αL = 1/(8N): ZO", dome["ZO", "1/(8N)"], (1 + 6 / 128) ** 16),
        between("dome, αL = 1/(8N(1+d/2)): ZO stays below e^(1/8)", [dome["ZO", "1/(8N(1+d/2))"]], 1, 1.1332),
    ]
    for row in bowl.itertuples():
        growth = 6 if row.hessian == "ZO" else 1
        words = f"bowl, αL = {row.αL}, d = 10, N = 16: |1 − αL·{growth}|^16, {row.hessian}"
        found.append(equal(words, row.value, abs(1 - float(row.αL) * growth) ** 16))
    steps = pick(t, claim="largest-step")
    found.append(bracketed("share of grids on which the largest step brackets the theory's", steps))
    for hessian, expected in (("ZO", -1), ("Stein", 0)):
        chosen = pick(steps, problem=DOME, hessian=hessian, sweep="grid in d")
        found.append(exponent(f"largest step in 1 + d/2, dome, {hessian}", chosen, "1 + d/2", expected, within=0.25))
    return found


STEPS, SIZES, FEW = (1, 2, 4, 8, 16, 32), (2, 8, 32, 128), {"N": (1, 4, 16)}
STUDY = Study(
    "step-size",
    "How large may the inner step be when Hessians come from losses alone?",
    [
        *along("growth", DOME, RULES, STEPS, 10, FEW),
        *along("growth", (TRIGONOMETRIC, BANDIT), RULES, STEPS, 4, FEW),
        *along("converse", BOWL, {str(a): a for a in (0.2, 0.3, 0.4, 0.6)}, (1, 2, 4, 6, 8, 12, 16), 10, FEW),
        *along("grid in d", BOWL, WIDE, 4, SIZES, {"d": (2, 8, 64)}),
        *along("grid in d", DOME, FINE, 4, SIZES, {"d": (2, 8, 64)}),
        *along("grid in N", DOME, FINE, (1, 4, 16), 8),
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
