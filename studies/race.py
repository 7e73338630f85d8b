"""Which method gets how far for how many samples? (Algorithms 1 and 2 and the methods of the field)

Every method has the same budget of samples, and a meta step size chosen on a grid by the objective that runs with other
seeds end at. Two problems: trigonometric tasks, and quadratics whose Hessians differ from task to task. Beside the runs
it is computed where the mean of each Hessian estimator comes to rest. What was found is told in ``race.md``.
"""

import math

import numpy as np

from maml_bench import InnerLoop, OuterLoop, Setting
from maml_bench.algorithms import NAMED, algorithm
from maml_bench.algorithms.race import NORM, OBJECTIVE, course
from maml_bench.algorithms.rest import REST, MeanField, at_rest
from maml_bench.problems import Quadratic, RandomPhase, Trigonometric
from maml_bench.study import Figure, Study, between, curves, exponent, pick
from maml_bench.study.measures import STALL, stall_bounds

NOISE = RandomPhase(amplitude=0.5, kappa=1.0)
WAVES, QUADRATICS = "trigonometric", "quadratics"
SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1)
EQ17, BASELINE, GGS = "eq. 17", "mean baseline, Q = 10", "GGS"
ESTIMATORS = {EQ17: MeanField(1.0, 0.5), BASELINE: MeanField(0.9, 0.0), GGS: MeanField(1.0, 0.0)}


def quadratics():
    """Eight tasks with eigenvalues in [1/4, 1] and Hessians of their own."""
    rng = np.random.default_rng(3)
    bases = np.linalg.qr(rng.standard_normal((8, 5, 5)))[0]
    eigenvalues = rng.uniform(0.25, 1, (8, 5))
    return Quadratic((bases * eigenvalues[:, None]) @ bases.swapaxes(-1, -2), rng.standard_normal((8, 5)))


TASKS = {WAVES: Trigonometric.random(dim=5, tasks=8, rng=7), QUADRATICS: quadratics()}


def contestant(problem, method):
    """Three inner steps of 0.3/L on noisy tasks; the meta step size is still to be chosen."""
    L = problem.regularity.L
    inner = InnerLoop(0.3 / L, 3, S=4, D=4, T=4)
    start = Setting(problem.with_noise(NOISE), np.full(5, 2.0), inner, outer=OuterLoop(1, 10, beta=1 / L))
    return algorithm(start, method, nu=0.1, directions=10)


def resting(estimator, share):
    """Three steps of ``share/(24 L)``, without noise."""
    tasks = TASKS[WAVES]
    return Setting(tasks, np.ones(5), InnerLoop(share / (24 * tasks.regularity.L), 3), estimator)


def facts(t):
    """Who stalls where, when the samples are spent."""
    last = pick(t, quantity=NORM, last=True)
    end = {(row.problem, row.method): row.value for row in last.itertuples()}
    rest = {name: pick(t, quantity=REST, estimator=name).sort_values("share") for name in ESTIMATORS}
    bounds = {
        piece: pick(t, quantity=STALL, piece=piece).sort_values("share")["value"].to_numpy() / rest[EQ17]["value"]
        for piece in ("shift", "floor")
    }
    share = rest[BASELINE]["value"].to_numpy() / rest[EQ17]["value"].to_numpy()
    worse, alike = (1.5, math.inf), (0.0, 2.0)
    expected = {"fo-maml": worse, "reptile": worse, "zo-maml": worse, "hf-maml": alike}
    words = "||grad calL|| of {} at the end over that of maml, {}"
    return [
        *(
            between(words.format(method, problem), [end[problem, method] / end[problem, "maml"]], *limits)
            for problem in TASKS
            for method, limits in expected.items()
        ),
        *(
            between(f"zo-maml over {other}, {problem}", [end[problem, "zo-maml"] / end[problem, other]], 1.2)
            for problem in TASKS
            for other in ("es-maml", "ggs-maml")
        ),
        exponent("distance at rest against α, eq. 17", rest[EQ17], "share", 1.0),
        between("the same, GGS", rest[GGS]["value"], 0, 1e-9),
        between("the same, mean baseline over eq. 17", share, 0, 1),
        between("zo-shift's bound there over the distance, α = 1/16 of 1/(8NL)", bounds["shift"][:1], 1, 1.25),
        between("the floor of zo-neighbourhood over the distance, every α", bounds["floor"], 10, 1300),
    ]


STUDY = Study(
    "race",
    "Which method gets how far for how many samples?",
    [
        curves(contestant, course, {"problem": TASKS, "method": tuple(NAMED)}, {"budget": 20_000}, budget=200_000),
        curves(resting, at_rest, {"estimator": ESTIMATORS, "share": SHARES}, budget=200),
        curves(resting, stall_bounds, {"estimator": {EQ17: ESTIMATORS[EQ17]}, "share": SHARES}, budget=200),
    ],
    figures={
        "gradient": Figure(NORM, x="samples", across="problem", by="method"),
        "objective": Figure(OBJECTIVE, x="samples", across="problem", by="method"),
        "rest": Figure(REST, x="share", by="estimator"),
        "stall": Figure(STALL, x="share", by="piece"),
    },
    facts=facts,
)
