"""How large is the stochastic meta gradient in the mean square? (Proposition 4)

Sweeps N and alpha L, and then S, T and D one at a time, over three problems with random-phase noise in gradients and
Hessians: the concave quadratic of one variable, which attains the local refined form; quadratics that share a Hessian;
and trigonometric tasks. On quadratics the left side is exact. What was found is told in ``second_moment.md``.
"""

import numpy as np

from maml_bench import Setting
from maml_bench.problems import Quadratic, RandomPhase, Trigonometric
from maml_bench.study import Figure, Study, attained, between, exponent, near, one_at_a_time, pick, sweep
from maml_bench.study.points import SHRINKING, inner_loop

CONCAVE, QUADRATIC, TRIGONOMETRIC = "concave quadratic", "quadratics", "trigonometric"
NOISE = RandomPhase(amplitude=3.0, kappa=1.5)  # sigma_H = kappa sigma_g
PROBLEMS = {
    CONCAVE: Quadratic.concave(dim=1).with_noise(NOISE),
    QUADRATIC: Quadratic.random(dim=5, tasks=4, rng=1).with_noise(NOISE),
    TRIGONOMETRIC: Trigonometric.random(dim=5, tasks=4, rng=2).with_noise(NOISE),
}
ALPHA_L = {SHRINKING: None, "0.02": 0.02, "0.1": 0.1}
BATCHES = ("S", "T", "D")
QUICK = {"budget": 2_000, "precision": 0.3}


def setting(problem, αL, N, S=1, T=1, D=1, sweep=""):
    """N steps of size alpha L / L from (1, ..., 1)."""
    return Setting(problem, np.ones(problem.dim), inner_loop(problem, αL, N, S=S, D=D, T=T))


def share(t, batch, side):
    """Exponent in a batch size of what a value loses to the next larger batch size: 0, 1, ... of the sizes, 4 apart."""
    values = t.sort_values(batch)[side].to_numpy()
    lost = values[:-1] - values[1:]
    return np.polyfit(np.log(np.sort(t[batch])[:-1]), np.log(lost), 1)[0]


def facts(t):
    """Growth in N, and the share of each batch."""
    concave = pick(t, problem=CONCAVE, form="refined_local")
    fixed = pick(concave, sweep="N", αL="0.1")
    alpha, sigma = 0.1, PROBLEMS[CONCAVE].regularity.sigma_H
    limit = 2 + np.log(1.1**2 + (alpha * sigma) ** 2) / np.log(1.1)
    grown = fixed["value"].max() / fixed["value"].min()
    tame = pick(concave, sweep="N", αL=SHRINKING).sort_values("N")["value"]
    late, q_to_the_n = pick(fixed, N=lambda N: N >= 5), lambda t: 1.1 ** t["N"]
    found = [
        attained("the concave quadratic attains the refined local form", concave),
        between("second moment at the largest N over that at N = 1, concave, αL = 0.1", [grown], 1e3, 1e5),
        between(f"the same with αL = {SHRINKING}", [tame.iloc[-1] / tame.iloc[0]], 0.5, 1.5),
        exponent("the same in q^N, N ≥ 5 (theory for large N)", late, q_to_the_n, limit, within=0.8),
    ]
    for problem, batch in [(problem, batch) for problem in (CONCAVE, QUADRATIC) for batch in BATCHES]:
        value = share(pick(t, problem=problem, sweep=batch, form="local"), batch, "value")
        found.append(near(f"share of {batch}, {problem}: exponent", value, -1))
    for form, expected in (("local", -0.5), ("refined_local", -1.0)):
        value = share(pick(t, problem=QUADRATIC, sweep="S", form=form), "S", "bound")
        found.append(near(f"share of S in the {form} bound: exponent", value, expected))
    paper = pick(t, form="paper", sweep="N", αL="0.1")
    refused = set(paper.loc[paper["outcome"] == "not applicable", "N"])
    found.append(between("N at which q^(2N) < 2 fails at αL = 0.1", refused, 4, 20))
    return found


STEPS = {"problem": PROBLEMS, "αL": ALPHA_L, "N": (1, 2, 3, 5, 10, 20), "sweep": "N"}
ALONE = one_at_a_time(dict.fromkeys(BATCHES, 4), dict.fromkeys(BATCHES, (1, 4, 16, 64, 256)))
FIXED = {"problem": PROBLEMS, "αL": {"0.1": 0.1}, "N": 3}
STUDY = Study(
    "second-moment",
    "How large is the stochastic meta gradient in the mean square?",
    [
        sweep(setting, ("prop4",), STEPS, QUICK | {"N": (1, 5, 20)}, budget=400_000),
        *(
            sweep(setting, ("prop4",), FIXED | axes, QUICK | {batch: (1, 16, 256)}, budget=100_000)
            for batch, axes in ALONE.items()
        ),
    ],
    figures={
        "steps": Figure("prop4", x="N", across="problem", where={"sweep": "N", "αL": "0.1"}),
        "shrinking": Figure("prop4", x="N", across="problem", where={"sweep": "N", "αL": SHRINKING}),
        **{f"batch-{name}": Figure("prop4", x=name, across="problem", where={"sweep": name}) for name in BATCHES},
    },
    facts=facts,
)
