"""Few-shot classification of handwritten digits by the algorithms of finite sums, judged on held-out tasks."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from maml_bench.adaptation import InnerLoop, exact_path
from maml_bench.algorithms.methods import algorithm
from maml_bench.algorithms.outer_loop import train
from maml_bench.algorithms.seeds import best, row
from maml_bench.montecarlo.workers import Workers, as_workers
from maml_bench.problems.digits import digits
from maml_bench.problems.logistic import Logistic
from maml_bench.setting import OuterLoop, Setting

PAIRS = 45
LONGEST, AFTER, FROM_ZERO = 10, " after adaptation", " from 0"
"""Inner steps up to which adaptation is followed; names of what is measured after N, and from 0 in place of w."""
TUNED = ("loss after adaptation, tuning tasks", None)
COMPARED = ("accuracy after adaptation", "loss after adaptation")
C_BETA = 100
"""Of Corollary 1."""


@dataclass(frozen=True)
class DigitsTrial:
    """All methods under one rule for the step sizes.

    Parameters
    ----------
    rule : {"theorem", "tuned"}
        ``"theorem"``: alpha = 1/(8NL) and beta = 1/(C_beta L^_w) with C_beta = 100, as in Corollary 1, with the
        certified constants. ``"tuned"``: the pair of ``alphas`` (times 1/L) and ``betas`` with the least loss after
        adaptation on tasks of its own, on a split that is not reported.
    methods : tuple of str
        Names of `maml_bench.algorithms.NAMED`; the first one is what the others are compared with.
    training : int
        Pairs of digits to learn from; of the rest, half are for tuning and half are held out.
    dim, points, points_target, steps, tasks, iterations : int
        Principal components, support and target points of a task; N, B and K.
    """

    rule: str
    methods: tuple[str, ...]
    alphas: tuple[float, ...] = (0.3, 1.0, 3.0)
    betas: tuple[float, ...] = (0.03, 0.1, 0.3)
    training: int = 25
    dim: int = 16
    points: int = 5
    points_target: int = 20
    steps: int = 3
    tasks: int = 8
    iterations: int = 100


@lru_cache(maxsize=16)
def split(trial: DigitsTrial, seed: int) -> tuple[Logistic, Logistic, Logistic]:
    """Tasks to learn from, to tune on, and held out: no pair of digits is in two of them."""
    every = digits(trial.dim, PAIRS, np.random.default_rng(seed), trial.points, trial.points_target)
    middle = (trial.training + PAIRS) // 2
    return every[: trial.training], every[trial.training : middle], every[middle:]


def judged(tasks: Logistic, w: np.ndarray, alpha: float, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Share of target points told apart, and target loss, after 0, 1, ..., ``steps`` inner steps from w (d,).

    Means over tasks, each (steps + 1,).
    """
    path = exact_path(tasks.support, w, alpha, steps)
    right = (np.vecdot(tasks.target.signed, path[..., None, :]) > 0).mean((-2, -1))
    return right, tasks.target.loss(path).mean(-1)


def setting(trial: DigitsTrial, tasks: Logistic, method: str, step: tuple[float, float] | None) -> Setting:
    """Training from 0: with alpha = step[0]/L and beta = step[1], or without a step as the theorems ask."""
    L = tasks.regularity.L
    alpha = step[0] / L if step else 1 / (8 * trial.steps * L)
    outer = OuterLoop(trial.iterations, trial.tasks, **({"beta": step[1]} if step else {"C_beta": C_BETA}))
    plain = Setting(tasks, np.zeros(tasks.dim), InnerLoop(alpha, trial.steps), outer=outer)
    return algorithm(plain, method, nu=1e-2, directions=10)


def _trained(trial: DigitsTrial, method: str, step, seed: int) -> dict[tuple[str, int | None], float]:
    """What is measured, by quantity and number of inner steps; NaN all of it if the run diverges."""
    learn, tune, held = split(trial, seed)
    chosen = setting(trial, learn, method, step)
    alpha, w = chosen.inner.alpha, train(chosen, 1, seed).w[0]
    lost = not np.isfinite(w).all()
    w = np.zeros_like(w) if lost else w
    found: dict[tuple[str, int | None], Any] = {}
    N = trial.steps
    for start, point in (("", w), (FROM_ZERO, np.zeros_like(w))):
        for name, values in zip(("accuracy", "loss"), judged(held, point, alpha, LONGEST), strict=True):
            found |= {(f"{name}{start}", k): value for k, value in enumerate(values)}
    found |= {(name + AFTER, None): found[name, N] for name in ("accuracy", "loss", "accuracy" + FROM_ZERO)}
    found[TUNED] = judged(tune, w, alpha, N)[1][N]
    ratios = constants(learn, w, alpha, N)
    found |= {(f"{name}, measured over certified", None): ratio for name, ratio in ratios.items()}
    return {name: np.nan if lost else float(value) for name, value in found.items()}


def constants(tasks: Logistic, w: np.ndarray, alpha: float, steps: int) -> dict[str, float]:
    """Largest measured over certified constant on the inner paths from w: L and b_i of the worst task, sigma at w."""
    path = exact_path(tasks.support, w, alpha, steps)
    norms = np.abs(np.linalg.eigvalsh(tasks.support.hess(path))).max()
    gap = np.linalg.norm(tasks.support.grad(path) - tasks.target.grad(path), axis=-1)
    slopes = tasks.target.grad(w)
    spread = np.sqrt(np.square(slopes - slopes.mean(0)).sum(-1).mean())
    certified = tasks.regularity
    return {"L": norms / certified.L, "b_i": (gap / tasks.b_i).max(), "sigma": spread / certified.sigma}


def _chosen(trial: DigitsTrial, method: str, seed: int) -> tuple[float, float] | None:
    if trial.rule == "theorem":
        return None
    grid = [[(a, b) for b in trial.betas] for a in trial.alphas]
    scores = [[_trained(trial, method, step, seed)[TUNED] for step in line] for line in grid]
    i, j = best(np.array(scores)[..., None])
    return grid[i][j]


def measure(trial: DigitsTrial, *, seed: int, budget: int, workers: Workers | int = 1) -> list[dict]:
    """Rows: means over ``budget`` splits, and differences to the first method on the same split."""
    workers = as_workers(workers)
    steps = dict(zip(trial.methods, workers.map([(_chosen, trial, m, seed) for m in trial.methods]), strict=True))
    jobs = [(_trained, trial, m, steps[m], seed + 1 + k) for m in trial.methods for k in range(budget)]
    done = workers.map(jobs)
    rows: list[dict] = []
    first: dict[str, Any] = {}
    for k, method in enumerate(trial.methods):
        mine = done[k * budget : (k + 1) * budget]
        labels = {"method": method}
        if steps[method]:
            labels |= {"alphaL": steps[method][0], "beta": steps[method][1]}
        for name, inner in mine[0]:
            values = np.array([found[name, inner] for found in mine])
            rows.append(row(name, values, **labels, **({} if inner is None else {"step": inner})))
            if name in COMPARED:
                if k:
                    rows.append(row(f"{name}, minus that of {trial.methods[0]}", values - first[name], **labels))
                first.setdefault(name, values)
    return rows
