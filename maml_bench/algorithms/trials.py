"""The first two experiments of arXiv 2002.07836 over many seeds: all methods on the same data, rows for a study."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from maml_bench.adaptation import exact_path
from maml_bench.algorithms.optimizers import SGD, Adam
from maml_bench.algorithms.programs import METHODS, Batch, Collapsed, Program, descend
from maml_bench.algorithms.seeds import best, blocks, checkpoints, generators, row
from maml_bench.montecarlo.workers import Workers, as_workers
from maml_bench.problems.rank_one import RankOne
from maml_bench.problems.sine import NETWORK, SineRegression

TAIL = 0.05
"""The final loss of a seed is the mean over this share of the iterations, the last ones."""
LONGEST, GRID = 10, np.linspace(-5, 5, 41)
"""Inner steps up to which adaptation is followed; inputs at which a fitted curve is shown."""
SMOOTHED = ("ggs", "zeroth-order")
TUNING, HELD_OUT = 2**31, 2**31 + 1
"""Numbers of random streams that no block of reported seeds has."""


@dataclass(frozen=True)
class Trial:
    """An experiment under one protocol.

    Parameters
    ----------
    problem : {"rank-one", "sine"}
    deviations : tuple of str
        What is done differently from the specification, as in `maml_bench.algorithms.programs`.
    methods : tuple of str
        Those to run; each is compared with those before it.
    betas, nus : tuple of float
        Meta step sizes and smoothing radii to choose from, for each method by itself.
    iterations, alpha, steps, directions, tasks : numbers
        As published, unless given.
    tuning : int
        Seeds on which step size and radius are chosen: of those pairs with the least mean loss over all iterations.
        They are not among the seeds that are reported.
    """

    problem: str
    deviations: tuple[str, ...] = ()
    methods: tuple[str, ...] = METHODS
    betas: tuple[float, ...] = (3e-3,)
    nus: tuple[float, ...] = (1e-4, 1e-3, 1e-2, 1e-1)
    iterations: int = 2000
    alpha: float = 0.01
    steps: int = 3
    directions: int = 10
    tasks: int = 10
    tuning: int = 10

    @property
    def dim(self) -> int:
        return NETWORK.dim if self.problem == "sine" else 20


def start(trial: Trial, rng: np.random.Generator, seeds: int) -> np.ndarray:
    """Starting points (seeds, d): Kaiming for the network, variance 2/(d + 1) for the vector."""
    if trial.problem == "sine":
        return NETWORK.initial(rng, (seeds,))
    return rng.standard_normal((seeds, trial.dim)) * np.sqrt(2 / (trial.dim + 1))


def pair(trial: Trial, rng: np.random.Generator, seeds: int, tasks: int, collapsed: bool) -> tuple:
    """Fresh support and target tasks, each (seeds, tasks)."""
    if trial.problem == "sine":
        both = SineRegression.random(rng, (seeds, tasks))
        return SineRegression(both.x[..., :10], both.y[..., :10]), SineRegression(both.x[..., 10:], both.y[..., 10:])
    scale = rng.uniform(0, 0.1, (seeds, tasks, 1))
    x, z = scale * rng.standard_normal((2, seeds, tasks, trial.dim))
    return (Collapsed(x), Collapsed(z)) if collapsed else (RankOne(x, 1.0), RankOne(z, 1.0))


def runs(trial: Trial, method: str, betas, nus, seed: int, block: int, seeds: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean losses (iterations, nus, betas, seeds) of one block of seeds, and the last w (nus, betas, seeds, d).

    All cells of the grid see the same tasks and the same directions.
    """
    data, draws = generators(seed, block, 2)
    collapsed = "collapsed-loss" in trial.deviations
    program = Program(method, frozenset(trial.deviations), trial.alpha, np.reshape(nus, (-1, 1, 1, 1)))
    w = np.broadcast_to(start(trial, data, seeds), (len(nus), len(betas), seeds, trial.dim))
    shape = (1, 1, seeds, trial.tasks, trial.steps, trial.directions, trial.dim)
    fixed = "fixed-directions" in trial.deviations

    def batches() -> Iterator[Batch]:
        along = np.broadcast_to(0.0, shape)
        for k in range(trial.iterations):
            if method in SMOOTHED and not (fixed and k):
                along = draws.standard_normal(shape)
            yield *pair(trial, data, seeds, trial.tasks, collapsed), along

    losses = np.empty((trial.iterations, *w.shape[:-1]))
    optimizer = Adam() if trial.problem == "sine" else SGD()
    for k, (total, point) in enumerate(descend(program, w, batches(), np.reshape(betas, (-1, 1, 1)), optimizer)):
        losses[k], w = total / trial.tasks, point
    return losses, w


def _chosen(trial: Trial, method: str, seed: int) -> tuple[float, float]:
    """The meta step size and the radius, on seeds of their own."""
    nus = trial.nus if method in SMOOTHED else trial.nus[:1]
    if len(nus) == len(trial.betas) == 1:
        return trial.betas[0], nus[0]
    losses, _ = runs(trial, method, trial.betas, nus, seed, TUNING, trial.tuning)
    with np.errstate(over="ignore", invalid="ignore"):
        i, j = best(losses.mean(0))
    return trial.betas[j], nus[i]


def adaptation(trial: Trial, w: np.ndarray, seed: int, steps: int, tasks: int = 100) -> np.ndarray:
    """The specified target loss at w (seeds, d) on fresh tasks after 0, 1, ..., ``steps`` inner steps.

    One yardstick for all protocols, and common to all seeds; shape (steps + 1, seeds). After N steps it is the meta
    objective.
    """
    (rng,) = generators(seed, HELD_OUT, 1)
    support, target = pair(trial, rng, 1, tasks, collapsed=False)
    with np.errstate(over="ignore", invalid="ignore"):
        return target.loss(exact_path(support, w[:, None, :], trial.alpha, steps)).mean(-1)


def fits(trial: Trial, w: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """What the network w (seeds, d) makes of ``3 sin(x - 1)`` after N steps on ten evenly spread points of it.

    Shape (inputs, seeds).
    """
    x = np.linspace(-5, 5, 10)
    task = SineRegression(x, 3 * np.sin(x - 1))
    with np.errstate(over="ignore", invalid="ignore"):
        return NETWORK.value(exact_path(task, w, trial.alpha, trial.steps)[-1], inputs[:, None])[..., 0].T


def measure(trial: Trial, *, seed: int, budget: int, workers: Workers | int = 1, block: int = 0) -> list[dict]:
    """Rows: loss against iteration and, held out, against inner steps; final losses, and their differences to each
    method before; for sine regression a fitted curve.

    Differences are paired: in a seed all methods start at the same point and see the same tasks. ``budget`` is the
    number of seeds; ``block`` of them advance together, unless given as many as keep arrays small.
    """
    block = block or (1 if trial.problem == "sine" else 25)
    workers = as_workers(workers)
    chosen = dict(zip(trial.methods, workers.map([(_chosen, trial, m, seed) for m in trial.methods]), strict=True))
    jobs = [
        (runs, trial, method, chosen[method][:1], chosen[method][1:], seed, *part)
        for method in trial.methods
        for part in blocks(budget, block)
    ]
    done = workers.map(jobs)
    count, rows, ends = len(jobs) // len(trial.methods), [], {}
    for k, method in enumerate(trial.methods):
        mine = done[k * count : (k + 1) * count]
        losses = np.concatenate([part[0][:, 0, 0] for part in mine], axis=-1)
        labels = {"method": method, "beta": chosen[method][0]}
        if method in SMOOTHED:
            labels["nu"] = chosen[method][1]
        rows += [row("loss", losses[i - 1], iteration=int(i), **labels) for i in checkpoints(trial.iterations)]
        with np.errstate(over="ignore", invalid="ignore"):
            final = losses[-max(1, int(TAIL * trial.iterations)) :].mean(0)
        w = np.concatenate([part[1][0, 0] for part in mine])
        adapted = adaptation(trial, w, seed, LONGEST)
        rows += [row("loss after adaptation", loss, step=j, **labels) for j, loss in enumerate(adapted)]
        if trial.problem == "sine":
            rows += [row("fit", y, x=x, **labels) for x, y in zip(GRID.tolist(), fits(trial, w, GRID), strict=True)]
        ends[method] = {"final loss": final, "held-out loss": adapted[trial.steps]}
        for quantity, values in ends[method].items():
            rows.append(row(quantity, values, **labels))
            for other in trial.methods[:k]:
                with np.errstate(invalid="ignore"):
                    difference = values - ends[other][quantity]
                rows.append(row(f"{quantity}, minus that of {other}", difference, **labels))
    return rows
