"""Meta-learning of policies from episodes: does the zeroth-order Hessian of eq. 17 destabilize it, and by what?

Two problems. `Navigation` is the paper's (Appendix A of arXiv 2002.07836), by the algorithm as written: one inner step,
fresh episodes for every gradient and at every point where a loss is asked for. `SoftmaxBandit` is the control: there
loss, gradient and Hessian of a policy are known, so a run can be repeated with exact losses at all points, which leaves
the error of eq. 17 and takes away the noise, and what is recorded has no error of its own.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from maml_bench.adaptation import InnerLoop
from maml_bench.algorithms.methods import NAMED
from maml_bench.algorithms.seeds import best, blocks, checkpoints, generators, row
from maml_bench.capabilities import Hessian
from maml_bench.meta_gradient import exact_meta_gradient, meta_objective, stochastic_meta_gradient
from maml_bench.montecarlo.workers import Workers, as_workers
from maml_bench.problems.navigation import LINEAR, RELU, Navigation
from maml_bench.problems.softmax_bandit import SoftmaxBandit

TUNING, JUDGES, LOOKS = 2**31, 20, 12
"""The stream of the seeds on which step sizes are chosen; episodes to estimate a return from; records of a run."""


@dataclass(frozen=True)
class PolicyTrial:
    """One method on one problem.

    Parameters
    ----------
    problem : {"navigation", "navigation-relu", "bandit"}
        The linear policy, the released network, or the control with ``arms`` actions.
    method : str
        A name of `maml_bench.algorithms.NAMED`.
    nu : float
        Smoothing radius, where the method has one.
    exact : bool
        Whether differences of losses or gradients take exact values (the control only).
    betas : tuple of float
        Meta step sizes to choose from, by the mean of what is recorded over a run.
    iterations, tasks, episodes, horizon, directions, alpha : numbers
        Per meta-iteration and task; fewer than published, unless given.
    """

    problem: str
    method: str
    nu: float = 1e-2
    exact: bool = False
    betas: tuple[float, ...] = (0.1, 0.3, 1.0)
    iterations: int = 60
    tasks: int = 10
    episodes: int = 10
    horizon: int = 50
    directions: int = 10
    alpha: float = 0.1
    arms: int = 5
    tuning: int = 2

    @property
    def hessian(self) -> Hessian:
        estimator: Any = NAMED[self.method](self.nu, self.directions)[1]
        data = "population" if self.exact else "resampled"
        return replace(estimator, data=data) if hasattr(estimator, "directions") else estimator

    def draw(self, rng: np.random.Generator, lead: tuple[int, ...]) -> Any:
        """Fresh tasks with the axes (*lead, tasks)."""
        if self.problem == "bandit":
            common = np.linspace(0, 1, self.arms)  # what the tasks share, and so what there is to learn
            return SoftmaxBandit(common + rng.uniform(-0.5, 0.5, (*lead, self.tasks, self.arms)))
        policy = RELU if self.problem == "navigation-relu" else LINEAR
        return Navigation(rng.uniform(-0.5, 0.5, (*lead, self.tasks, 2)), policy=policy, horizon=self.horizon)

    def start(self, rng: np.random.Generator, seeds: int) -> np.ndarray:
        """Starting points (seeds, d): zeros, but the network's initial weights."""
        tasks = self.draw(np.random.default_rng(0), ())
        return tasks.initial(rng, (seeds,)) if self.problem == "navigation-relu" else np.zeros((seeds, tasks.dim))


def run(trial: PolicyTrial, betas: tuple[float, ...], seed: int, block: int, seeds: int) -> dict[str, np.ndarray]:
    """Records at `checkpoints` of one block of seeds, each (checkpoints, betas, seeds), taken before the meta step.

    ``before`` and ``after``: the loss of the policy w, and of the adapted one; exact for the control, else from
    `JUDGES` episodes, and the loss is minus the mean reward of a step. ``gradient``: norm of the exact meta gradient
    (the control only). ``hessian``: the mean over tasks of ``||H v|| / ||v||`` with v a gradient at w.
    """
    data, draws = generators(seed, block, 2)
    inner = InnerLoop(trial.alpha, 1, trial.episodes, trial.episodes, trial.episodes)
    first = trial.start(data, seeds)
    w = np.broadcast_to(first, (len(betas), *first.shape))
    alive, at = np.ones(w.shape[:-1], dtype=bool), set(checkpoints(trial.iterations, LOOKS).tolist())
    records: dict[str, list] = {name: [] for name in ("before", "after", "gradient", "hessian")}
    for k in range(1, trial.iterations + 1):
        tasks = trial.draw(data, (seeds,))
        with np.errstate(all="ignore"):
            if k in at:
                for name, value in _record(trial, tasks, w[..., None, :], inner, draws).items():
                    records[name].append(np.where(alive, value, np.nan))
            gradient = stochastic_meta_gradient(tasks, w[..., None, :], inner, trial.hessian, draws).mean(-2)
            w = w - np.reshape(betas, (-1, 1, 1)) * gradient
        # A run that has left the numbers stands still at the start, so that arithmetic stays finite.
        alive = alive & (np.abs(w) < 1e6).all(-1)
        w = np.where(alive[..., None], w, 0.0)
    return {name: np.array(values) for name, values in records.items() if values}


def _record(trial, tasks, w, inner, rng) -> dict[str, np.ndarray]:
    slope = tasks.grad(w, tasks.sample(rng, w, trial.episodes))
    product = trial.hessian.operator(tasks, w, trial.episodes, rng)(slope)
    found = {"hessian": (np.linalg.norm(product, axis=-1) / np.linalg.norm(slope, axis=-1)).mean(-1)}
    if trial.problem == "bandit":
        gradient = exact_meta_gradient(tasks, w, inner.alpha, 1).mean(-2)
        found |= {"before": tasks.loss(w).mean(-1), "gradient": np.linalg.norm(gradient, axis=-1)}
        return found | {"after": meta_objective(tasks, w, inner.alpha, 1).mean(-1)}
    adapted = w - inner.alpha * slope
    for name, point in (("before", w), ("after", adapted)):
        found[name] = -tasks.sample(rng, point, JUDGES).total.mean(-1) / trial.horizon
    return found


def measure(trial: PolicyTrial, *, seed: int, budget: int, workers: Workers | int = 1, block: int = 2) -> list[dict]:
    """Rows of one trial at its best meta step size: the records against iteration, at the end, and their change.

    ``budget`` is the number of seeds, with the same tasks for every trial of a problem at one seed.
    """
    workers = as_workers(workers)
    beta = trial.betas[0]
    if len(trial.betas) > 1:
        beta = trial.betas[best(run(trial, trial.betas, seed, TUNING, trial.tuning)["after"].mean(0))[0]]
    done = workers.map([(run, trial, (beta,), seed, *part) for part in blocks(budget, block)])
    at, labels, rows = checkpoints(trial.iterations, LOOKS), {"beta": beta}, []
    for name in done[0]:
        values = np.concatenate([part[name][:, 0] for part in done], axis=-1)
        rows += [row(name, value, iteration=int(k), **labels) for k, value in zip(at, values, strict=True)]
        rows.append(row(f"{name}, last", values[-1], **labels))
        with np.errstate(invalid="ignore"):
            rows.append(row(f"{name}, last minus first", values[-1] - values[0], **labels))
    return rows
