"""Which method gets how far for how many samples? (Algorithms 1 and 2 and the methods of the field)

Every method has the same budget of samples, and a meta step size chosen on a grid by the objective that runs with other
seeds end at. Two problems: trigonometric tasks, and quadratics whose Hessians differ from task to task. Beside the runs
it is computed where the mean of each Hessian estimator comes to rest. What was found is told in ``race.md``.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import root

from maml_bench import InnerLoop, OuterLoop, Setting, train
from maml_bench.algorithms import NAMED, algorithm
from maml_bench.algorithms.outer_loop import iteration_samples
from maml_bench.meta_gradient import exact_meta_gradient, meta_objective, stochastic_meta_gradient
from maml_bench.problems import Quadratic, RandomPhase, Trigonometric
from maml_bench.study import Figure, Study, between, curves, exponent, pick

NOISE = RandomPhase(amplitude=0.5, kappa=1.0)
WAVES, QUADRATICS = "trigonometric", "quadratics"
STEP_SIZES = (0.03, 0.1, 0.3, 1.0, 3.0)
"""Meta step sizes that a method is tried with, times 1/L."""
POINTS, DECILES = 40, (0.1, 0.9)
NORM, OBJECTIVE, REST = "||grad calL||", "calL above the lowest value seen", "||grad calL|| at rest"
EQ17, BASELINE, GGS = "eq. 17", "mean baseline, Q = 10", "GGS"


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


def sized(point, beta, budget):
    """The setting with a meta step size, and with as many meta-iterations as the budget of samples allows."""
    iterations = max(2, budget // iteration_samples(point).total)
    return replace(point, outer=replace(point.outer, beta=beta, iterations=iterations))


def course(point, *, seed, budget, workers):
    """Gradient norm and objective against samples spent: means over 64 runs, deciles for limits."""
    L, tuned = point.tasks.regularity.L, {}
    for beta in (size / L for size in STEP_SIZES):
        last = train(sized(point, beta, budget), 16, seed + 1, workers=workers).objective[-8:].mean()
        tuned[beta] = last if np.isfinite(last) else np.inf
    beta = min(tuned, key=tuned.get)
    run = train(sized(point, beta, budget), 64, seed, workers=workers)
    each, lowest = iteration_samples(point).total, lowest_value(point)
    chosen = np.unique(np.geomspace(1, len(run.objective), POINTS).round().astype(int))
    for quantity, values in ((NORM, run.gradient_norm), (OBJECTIVE, run.objective - lowest)):
        for k in chosen.tolist():
            low, high = np.quantile(values[k - 1], DECILES)
            ends = {"value": values[k - 1].mean(), "lower": low, "upper": high, "replicates": 64}
            yield ends | {"quantity": quantity, "samples": k * each, "beta": beta, "last": bool(k == chosen[-1])}


def lowest_value(point):
    """The least value of the meta objective that descent from the start and from 0 finds."""
    tasks, inner = point.tasks.population, point.inner
    found = []
    for w in (point.w, np.zeros_like(point.w)):
        for _ in range(2000):
            w = w - exact_meta_gradient(tasks, w, inner.alpha, inner.steps).mean(0) / (2 * tasks.regularity.L)
        found.append(meta_objective(tasks, w, inner.alpha, inner.steps).mean())
    return min(found)


@dataclass(frozen=True)
class MeanField:
    """The mean of an estimator as its radius tends to 0: a multiple of the Hessian, and of its trace times I."""

    hessian: float
    trace: float

    def operator(self, tasks, w, D, rng):
        trace = np.trace(tasks.hess(w), axis1=-2, axis2=-1)[..., None]
        return lambda v: self.hessian * tasks.hvp(w, v) + self.trace * trace * v


ESTIMATORS = {EQ17: MeanField(1.0, 0.5), BASELINE: MeanField(0.9, 0.0), GGS: MeanField(1.0, 0.0)}


def resting(estimator, share):
    """Three steps of ``share/(24 L)``, without noise."""
    tasks = TASKS[WAVES]
    return Setting(tasks, np.ones(5), InnerLoop(share / (24 * tasks.regularity.L), 3), estimator)


def at_rest(point, *, seed, budget, workers):
    """||grad calL|| where descent along the mean meta gradient of an estimator comes to rest."""

    def field(w):
        return stochastic_meta_gradient(point.tasks, w, point.inner, point.hessian, None).mean(0)

    w = point.w
    for _ in range(budget):
        w = w - field(w) / (2 * point.tasks.regularity.L)
    w = root(field, w, tol=1e-13).x
    rest = np.linalg.norm(exact_meta_gradient(point.tasks, w, point.inner.alpha, point.inner.steps).mean(0))
    yield {"quantity": REST, "value": rest, "lower": rest, "upper": rest, "evidence": "exact"}


def facts(t):
    """Who stalls where, when the samples are spent."""
    last = pick(t, quantity=NORM, last=True)
    end = {(row.problem, row.method): row.value for row in last.itertuples()}
    rest = {name: pick(t, quantity=REST, estimator=name).sort_values("share") for name in ESTIMATORS}
    share = rest[BASELINE]["value"].to_numpy() / rest[EQ17]["value"].to_numpy()
    worse, alike = (1.5, 1e4), (0.0, 2.0)
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
    ]


STUDY = Study(
    "race",
    "Which method gets how far for how many samples?",
    [
        curves(contestant, course, {"problem": TASKS, "method": tuple(NAMED)}, {"budget": 20_000}, budget=200_000),
        curves(resting, at_rest, {"estimator": ESTIMATORS, "share": (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1)}, budget=200),
    ],
    figures={
        "gradient": Figure(NORM, x="samples", across="problem", by="method"),
        "objective": Figure(OBJECTIVE, x="samples", across="problem", by="method"),
        "rest": Figure(REST, x="share", by="estimator"),
    },
    facts=facts,
)
