"""How smooth is the meta objective? (Proposition 1)

Crosses N and alpha L over six problems, and ||w|| over two, to see whether the smoothness must grow with the task
gradients. On quadratics the left side is exact; elsewhere it is the largest ratio that a search finds. What was found
is told in ``meta_smoothness.md``.
"""

import math

import numpy as np

from maml_bench import InnerLoop, Setting
from maml_bench.claims.smoothness import SHORTEST
from maml_bench.problems import Kink, Piecewise, Quadratic, RankOne, Trigonometric
from maml_bench.study import Figure, Study, attained, between, exponent, pick, sweep
from maml_bench.study.points import SHRINKING, inner_loop

CONCAVE, CONVEX, TRIGONOMETRIC, KINK = "concave quadratic", "convex quadratic", "trigonometric", "kink"
RANK_ONE, SAWTOOTH = "rank-one", "sawtooth"
PROBLEMS = {
    CONCAVE: Quadratic.concave(dim=4),
    CONVEX: Quadratic.random(dim=4, tasks=4, rng=1, low=0.1, high=1.0),
    TRIGONOMETRIC: Trigonometric.random(dim=3, tasks=4, rng=2),
    KINK: Kink.random(dim=3, tasks=4, rng=3),
    RANK_ONE: RankOne.random(dim=3, tasks=4, rng=4),
    SAWTOOTH: None,
}
FAR = {f"{name}, far out": PROBLEMS[name] for name in (TRIGONOMETRIC, KINK)}
ALPHA_L = {SHRINKING: None, "0.05": 0.05, "0.3": 0.3}


def setting(problem, αL, N, size=None):
    """N steps of size alpha L / L from a point of norm ``size``; the sawtooth depends on them (its L is 1).

    Its kinks are as narrow as the search resolves: the end of the path moves by at least `SHORTEST` times q^N.
    """
    if problem is None:
        αL = αL or 1 / (8 * N)
        tasks = Piecewise.sawtooth(αL, N, slope=100.0, width=1.5 * SHORTEST * (1 + αL) ** N)
        return Setting(tasks, np.zeros(1), InnerLoop(αL, N))
    if size is None:
        size = problem.radius / 2 if isinstance(problem, RankOne) else math.sqrt(problem.dim)
    w = np.full(problem.dim, size / math.sqrt(problem.dim))
    return Setting(problem, w, inner_loop(problem, αL, N))


def facts(t):
    """What Proposition 1 predicts of its extremal instances and of harmless tasks."""
    sharp, paper = (pick(t, form=form).reset_index() for form in ("sharp", "paper"))
    convex = pick(sharp, problem=CONVEX, αL="0.3").sort_values("N")
    found = [
        between("the paper's constant over the sharp one", paper["bound"] / sharp["bound"], 1 - 1e-9, 1 + 1e-9, "1"),
        attained("the concave quadratic attains the bound (its gradient term is 0)", pick(sharp, problem=CONCAVE)),
        between(
            "sawtooth over its bound: the gradient term is attained", pick(sharp, problem=SAWTOOTH)["ratio"], 0.86, 1
        ),
        between("the same, closest", [pick(sharp, problem=SAWTOOTH)["ratio"].max()], 0.9995, 1),
        between(
            "convex quadratic, αL = 0.3: growth from N = 1 to N = 20",
            [convex["value"].iloc[-1] / convex["value"].iloc[0]],
            0,
            1,
        ),
    ]
    for name, expected in ((TRIGONOMETRIC, 1), (KINK, 0)):
        far = pick(sharp, problem=f"{name}, far out", αL=SHRINKING, size=lambda size: size >= 100)
        found.append(exponent(f"growth in ‖w‖ from 100 on, {name}", far, "size", expected, within=0.3))
        found.append(exponent(f"growth of the bound there, {name}", far, "size", 1, side="bound"))
    chosen = pick(sharp, problem=CONCAVE, αL="0.3")
    found.append(
        exponent("smoothness in q^N, concave quadratic, αL = 0.3", chosen, lambda t: (1 + t["alphaL"]) ** t["N"], 2)
    )
    return found


STUDY = Study(
    "meta-smoothness",
    "How smooth is the meta objective?",
    [
        sweep(setting, ("prop1",), {"problem": PROBLEMS, "αL": ALPHA_L, "N": (1, 2, 3, 5, 10, 20)}, {"N": (1, 5, 20)}),
        sweep(
            setting,
            ("prop1",),
            {"problem": FAR, "αL": ALPHA_L, "N": (3,), "size": (1.0, 10.0, 100.0, 1e3, 1e4)},
            {"size": (1.0, 100.0, 1e4)},
        ),
    ],
    figures={
        "steps": Figure("prop1", x="N", across="problem", by="αL", where={"problem": tuple(PROBLEMS)}),
        "size": Figure("prop1", x="size", across="problem", by="αL", where={"problem": tuple(FAR)}),
    },
    facts=facts,
)
