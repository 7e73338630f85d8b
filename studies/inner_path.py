"""How far does the stochastic inner path stray from the exact one? (Proposition 2)

Crosses N, alpha L and S over three problems: the concave quadratic, which attains the sharp second moment; a random
indefinite quadratic; and trigonometric tasks with random-phase noise. What was found is told in ``inner_path.md``.
"""

import numpy as np

from maml_bench import Setting
from maml_bench.problems import AdditiveGaussian, Quadratic, RandomPhase, Trigonometric
from maml_bench.study import Figure, Study, attained, between, equal, exponent, pick, sweep
from maml_bench.study.points import SHRINKING, inner_loop

CONCAVE, INDEFINITE, TRIGONOMETRIC = "concave quadratic", "indefinite quadratic", "trigonometric"
PROBLEMS = {
    CONCAVE: Quadratic.concave(dim=20).with_noise(AdditiveGaussian(sigma_g=1.0)),
    INDEFINITE: Quadratic.random(dim=5, tasks=1, rng=1).with_noise(AdditiveGaussian(sigma_g=1.0)),
    TRIGONOMETRIC: Trigonometric.random(dim=5, tasks=4, rng=2).with_noise(RandomPhase(amplitude=1.0, kappa=1.0)),
}
ALPHA_L = {SHRINKING: None, "0.05": 0.05, "0.3": 0.3}
AXES = {"problem": PROBLEMS, "αL": ALPHA_L, "N": (1, 2, 5, 10, 20), "S": (1, 4, 16)}
QUICK = {"N": (1, 5, 20), "S": (1, 16), "budget": 10_000, "precision": 0.2}


def setting(problem, αL, N, S):
    """The problem, adapted from (1, ..., 1) with N steps of size alpha L / L; without a value, alpha L = 1/(8N)."""
    return Setting(problem, np.ones(problem.dim), inner_loop(problem, αL, N, S=S))


def facts(t):
    """What Proposition 2 and its sharper form predict."""
    second, first = pick(t, claim="prop2-second"), pick(t, claim="prop2-first")
    extremal = pick(second, problem=CONCAVE)
    paper = pick(extremal, form="paper")
    drift = pick(t, claim="prop2-mean", form="sharp", problem=TRIGONOMETRIC, αL="0.05", N=20)
    found = [
        attained("the concave quadratic attains the sharp second moment", pick(extremal, form="sharp")),
        between("the paper's second moment over the truth, there", 1 / paper["ratio"], 2 * (1 - 1e-9), 5.1),
        equal(
            "the same at αL = 0.3, N = 20, S = 1, from the formulas",
            1 / pick(paper, αL="0.3", N=20, S=1)["ratio"].item(),
            2 * sum(1.78**k for k in range(20)) / sum(1.69**k for k in range(20)),
        ),
        between(
            "first moment over its sharp bound, concave, d = 20",
            pick(first, form="sharp", problem=CONCAVE)["ratio"],
            0.95,
            1,
        ),
        exponent("drift of the mean in S, trigonometric, αL = 0.05, N = 20 (theory: −1)", drift, "S", -1),
        between(
            "drift of the mean on quadratics", pick(t, claim="prop2-mean", problem=(CONCAVE, INDEFINITE))["value"], 0, 0
        ),
    ]
    for form, side, expected in (("sharp", "value", 0.5), ("sharp", "bound", 0.5), ("paper", "bound", 1.0)):
        chosen = pick(first, form=form, problem=CONCAVE, αL=SHRINKING, S=1)
        words = "measured distance" if side == "value" else f"{form} bound"
        found.append(
            exponent(
                f"first moment / α in N, αL = 1/(8N): {words}",
                chosen,
                "N",
                expected,
                side=side,
                scale=lambda t: t["alpha"],
            )
        )
    return found


STUDY = Study(
    "inner-path",
    "How far does the stochastic inner path stray from the exact one?",
    [
        sweep(setting, ("prop2-first", "prop2-second"), AXES, QUICK, budget=40_000),
        sweep(setting, ("prop2-mean",), AXES | {"N": (1, 5, 20)}, QUICK, budget=160_000),
    ],
    figures={
        "second-moment": Figure("prop2-second", x="N", across="problem", by="αL", where={"S": 1}),
        "first-moment": Figure("prop2-first", x="N", across="problem", by="αL", where={"S": 1}),
        "mean": Figure("prop2-mean", x="N", across="S", by="αL", where={"problem": TRIGONOMETRIC}),
    },
    facts=facts,
)
