"""The outer loop: many independent runs of an algorithm at once, with the exact meta gradient along each.

Runs advance in blocks of replicates. A block has the random stream of the `SeedSequence` child with its number, and a
size that depends on the setting alone, so no number of a result depends on the workers, on a pause or on progress
being watched. A replicate whose parameter, or what its optimizer remembers, is no longer finite has diverged: it stands
still at the start, so that arithmetic stays finite, and its records are NaN from then on.
"""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from analytic import arguments
from analytic.brief import brief
from maml_bench.adaptation import exact_path
from maml_bench.algorithms.checkpoint import load, save
from maml_bench.algorithms.methods import MAML, Method
from maml_bench.algorithms.optimizers import SGD
from maml_bench.algorithms.samples import Samples
from maml_bench.arrays import fits
from maml_bench.meta_gradient import exact_meta_gradient_along
from maml_bench.montecarlo.sequence import block_generator
from maml_bench.montecarlo.workers import Workers, as_workers
from maml_bench.problems.finite_sum import FullBatch, TaskPairs
from maml_bench.problems.protocol import Tasks
from maml_bench.setting import Setting, given, looped, losses

LARGEST_BLOCK = 32
"""Most replicates of a block: its arrays should stay in the cache, and two workers share 64 replicates."""

BLOCK_FLOATS = 2**22
SLAB_FLOATS = 2**15
SHORT = 1e-3
"""Inner steps below so much of 1/L are short."""

RECORDS = ("gradient_norm", "objective", "task_gradient_norm")
STAGE_SECONDS, SAVE_SECONDS = 0.5, 5.0


@dataclass(frozen=True, eq=False)
class Run:
    """What a number of independent runs did.

    Attributes
    ----------
    w : array (replicates, d)
        After the last meta-iteration; NaN for a replicate that diverged.
    gradient_norm : array (iterations, replicates)
        Norm of the exact meta gradient over all tasks, at w_0, ..., w_{K-1}; NaN once a replicate has diverged.
    objective : array (iterations, replicates)
        The exact meta objective at the same points.
    task_gradient_norm : array (iterations, replicates)
        The mean over tasks of the norm of the (target) gradient there, on which the smoothness L_w depends.
    diverged : array of bool (replicates,)
    samples : Samples
        What one replicate spends in all its iterations. What the records take is not counted.

    Examples
    --------
    >>> from maml_bench import InnerLoop, OuterLoop, Setting, train
    >>> from maml_bench.problems import Quadratic
    >>> tasks = Quadratic(np.eye(1), np.zeros(1))
    >>> run = train(Setting(tasks, np.ones(1), InnerLoop(0.5, 1), outer=OuterLoop(2, B=1, beta=1.0)))
    >>> run.w, run.gradient_norm[:, 0], run.samples.total
    (array([[0.5625]]), array([0.25  , 0.1875]), 6)
    """

    __repr__ = brief

    w: np.ndarray
    gradient_norm: np.ndarray
    objective: np.ndarray
    task_gradient_norm: np.ndarray
    diverged: np.ndarray
    samples: Samples


@dataclass(frozen=True, eq=False)
class Block:
    """The state of a block of replicates after some iterations."""

    rng: np.random.Generator
    w: np.ndarray
    memory: np.ndarray | None
    diverged: np.ndarray
    gradient_norm: np.ndarray
    objective: np.ndarray
    task_gradient_norm: np.ndarray

    @property
    def done(self) -> int:
        return len(self.gradient_norm)


def train(
    setting: Setting,
    replicates: int = 1,
    seed: int = 0,
    *,
    workers: Workers | int = 1,
    checkpoint: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Run:
    """Run the setting's algorithm from w: ``setting.outer.method`` with the setting's inner loop and Hessian estimator.

    Each meta-iteration draws B tasks and takes the step of `OuterLoop`. Tasks with a support and a target loss
    (`TaskPairs`) are adapted with full gradients and judged on the target: the algorithms of the finite-sum case.

    Parameters
    ----------
    setting : Setting
        With an ``outer`` loop.
    replicates : int
        Independent runs. Whole blocks of them are the same for any number.
    workers : Workers or int
        Threads, or what `Workers` says. The result does not depend on it.
    checkpoint : path, optional
        A file that holds the state of the run, written every few seconds and when the run ends, however it ends. If it
        exists, the run goes on from there: the result is the same, bit for bit.
    progress : callable, optional
        ``progress(done, iterations)`` after each stage of about half a second.

    Raises
    ------
    ValueError
        If the setting has no outer loop, an argument is outside its range, C_beta is asked for where the smoothness
        estimate is 0, or the checkpoint is of another run.

    Examples
    --------
    >>> from maml_bench import InnerLoop, OuterLoop, Setting, train
    >>> from maml_bench.problems import Trigonometric
    >>> tasks = Trigonometric.random(dim=2, tasks=3, rng=0)
    >>> setting = Setting(tasks, np.ones(2), InnerLoop(0.05, 2), outer=OuterLoop(iterations=50, B=3, beta=0.1))
    >>> run = train(setting, replicates=4, seed=0)
    >>> run.w.shape, run.gradient_norm.shape
    ((4, 2), (50, 4))
    >>> bool((run.gradient_norm[-1] < run.gradient_norm[0]).all())
    True
    """
    outer = given(setting).outer
    if outer is None:
        raise ValueError("outer = None: training needs an OuterLoop")
    replicates, seed = arguments.natural("replicates", replicates), arguments.seed(seed)
    fits(outer.iterations * replicates, f"iterations = {outer.iterations}, replicates = {replicates}")
    if outer.C_beta is not None and not setting.tasks.regularity.L > 0:
        raise ValueError("C_beta: the step size 1/(C_beta L^_w) needs L > 0; give beta in its place")
    pool = as_workers(workers)
    run = {"setting": setting, "replicates": replicates, "seed": seed}
    blocks = load(checkpoint, run, Block) if checkpoint is not None else None
    blocks = _start(setting, replicates, seed) if blocks is None else blocks
    slab = _slab(setting)
    stage, saved = slab, time.perf_counter()
    try:
        while (done := blocks[0].done) < outer.iterations:
            until, began = min(done + stage, outer.iterations), time.perf_counter()
            blocks = pool.map([(_advance, setting, block, until) for block in blocks])
            if time.perf_counter() - began < STAGE_SECONDS / 2:
                stage *= 2
            if checkpoint is not None and time.perf_counter() - saved > SAVE_SECONDS:
                save(checkpoint, run, blocks)
                saved = time.perf_counter()
            if progress is not None:
                progress(until, outer.iterations)
    finally:
        if checkpoint is not None:
            save(checkpoint, run, blocks)
    return Run(
        w=np.concatenate([np.where(block.diverged[:, None], np.nan, block.w) for block in blocks]),
        **{name: np.concatenate([getattr(block, name) for block in blocks], axis=1) for name in RECORDS},
        diverged=np.concatenate([block.diverged for block in blocks]),
        samples=outer.iterations * iteration_samples(setting),
    )


def iteration_samples(setting: Setting) -> Samples:
    """What one meta-iteration of one replicate spends."""
    outer = looped(setting)
    one = outer.B * _method(setting).samples(setting.inner, setting.hessian)
    return one if outer.B_beta is None or outer.D_beta is None else one + Samples(gradient=outer.B_beta * outer.D_beta)


def gradient_norms(setting: Setting, rng: np.random.Generator, replicates: int) -> np.ndarray:
    """``||grad calL(w_k)||`` along independent runs, (iterations, replicates); NaN where one has diverged."""
    return along(setting, rng, replicates).gradient_norm


def along(setting: Setting, rng: np.random.Generator, replicates: int) -> Block:
    """Independent runs to the end, with their records (iterations, replicates); NaN where one has diverged."""
    return _advance(setting, _fresh(setting, replicates, rng), looped(setting).iterations)


def step_sizes(setting: Setting, rng: np.random.Generator, replicates: int) -> np.ndarray:
    """Independent meta step sizes at w, (replicates,)."""
    w = np.tile(setting.w, (replicates, 1))
    return np.broadcast_to(_step_size(setting)(_Source.of(setting), w, rng), (replicates, 1))[:, 0]


def _method(setting: Setting) -> Method:
    return MAML() if looped(setting).method is None else looped(setting).method


def _optimizer(setting: Setting):
    return SGD() if looped(setting).optimizer is None else looped(setting).optimizer


def _cells(setting: Setting) -> int:
    return math.prod(setting.tasks.batch_shape)


def _start(setting: Setting, replicates: int, seed: int) -> list[Block]:
    inner, Q = setting.inner, getattr(setting.hessian, "directions", 1)
    floats = looped(setting).B * setting.tasks.dim * max(inner.S, inner.D, inner.T, Q)
    size = max(1, min(LARGEST_BLOCK, BLOCK_FLOATS // floats))
    sizes = (min(size, replicates - first) for first in range(0, replicates, size))
    return [_fresh(setting, count, block_generator(seed, number)) for number, count in enumerate(sizes)]


def _fresh(setting: Setting, replicates: int, rng: np.random.Generator) -> Block:
    w = np.tile(setting.w, (replicates, 1))
    nothing = np.empty((0, replicates))
    return Block(rng, w, _optimizer(setting).memory(w), np.zeros(replicates, dtype=bool), nothing, nothing, nothing)


def _slab(setting: Setting) -> int:
    """Iterations whose records are computed together; stages are made of whole slabs, since products of matrices of
    different sizes are rounded differently.
    """
    return max(1, SLAB_FLOATS // (LARGEST_BLOCK * _cells(setting) * setting.tasks.dim))


def _advance(setting: Setting, block: Block, until: int) -> Block:
    """The block after ``until`` iterations; nothing of the one given changes."""
    slab, rng, w, memory, diverged = _slab(setting), copy.deepcopy(block.rng), block.w, block.memory, block.diverged
    source, optimizer, method = _Source.of(setting), _optimizer(setting), _method(setting)
    step_size, share = _step_size(setting), np.full(looped(setting).B, 1 / looped(setting).B)
    records: list[tuple[np.ndarray, ...]] = [tuple(getattr(block, name) for name in RECORDS)]
    with np.errstate(all="ignore"):  # what overflows is noticed by its value
        for first in range(block.done, until, slab):
            points = np.empty((min(slab, until - first), *w.shape))
            lost = np.zeros(points.shape[:-1], dtype=bool)
            for row in range(len(points)):
                points[row], lost[row] = w, diverged
                support, target, w_of_tasks = source.draw(w, looped(setting).B, rng)
                gradients = method.meta_gradient(support, w_of_tasks, setting.inner, setting.hessian, rng, target)
                size = step_size(source, w, rng)
                memory, direction = optimizer.step(memory, np.vecmat(share, gradients), first + row)
                w = w - size * direction
                diverged = diverged | ~np.isfinite(w).all(-1)
                if memory is not None:  # an infinite square would hold the parameter still for ever
                    diverged = diverged | ~np.isfinite(memory).all((0, -1))
                if diverged.any():
                    w[diverged] = setting.w
            records.append(_records(setting, points, lost))
    return Block(rng, w, memory, diverged, *(np.concatenate(parts) for parts in zip(*records, strict=True)))


def _step_size(setting: Setting) -> Callable:
    """The meta step size at w (replicates, d): beta, or 1/(C_beta L^_w), (replicates, 1) (eq. 10)."""
    outer = looped(setting)
    if outer.C_beta is None:
        return lambda source, w, rng: outer.beta
    constant, slope = smoothness(setting)

    def estimated(source, w, rng):
        _, target, points = source.draw(w, outer.B_beta, rng)
        gradients = target.grad(points, target.sample(rng, points, outer.D_beta))
        return 1 / (outer.C_beta * (constant + slope * np.linalg.norm(gradients, axis=-1).mean(-1, keepdims=True)))

    return estimated


def smoothness(setting: Setting) -> tuple[float, float]:
    """``L_w = constant + slope * E_i ||grad l_i(w)||`` (Proposition 1, and its finite-sum form)."""
    regularity, alpha, N = setting.tasks.regularity, setting.inner.alpha, setting.inner.steps
    constant = (1 + alpha * regularity.L) ** (2 * N) * regularity.L
    slope, apart = slopes(regularity.L, regularity.rho, alpha, N)
    if isinstance(setting.tasks, TaskPairs):
        constant += apart * setting.tasks.b
    return constant, slope


def slopes(L: float, rho: float, alpha: float, N: int) -> tuple[float, float]:
    """C_L and C_b of Proposition 1: what L_w grows by with the norms of gradients, and with the distance b of pairs."""
    q = 1 + alpha * L
    growth = alpha * rho * float(np.sum(q ** np.arange(N)))  # (rho/L)(q^N - 1)
    return growth * q ** (2 * N - 1), growth * q ** (N - 1) * (q**N - 1)


def largest_step(setting: Setting) -> float:
    """What 1/(C_beta L^_w) cannot exceed, whatever the estimate: L^_w is at least the constant of `smoothness`."""
    return 1 / (cast(float, looped(setting).C_beta) * smoothness(setting)[0])


@dataclass(frozen=True)
class _Source:
    """Where tasks are drawn from, uniformly and independently."""

    support: Tasks
    target: Tasks
    batch_shape: tuple[int, ...]

    @classmethod
    def of(cls, setting: Setting) -> "_Source":
        shape = setting.tasks.batch_shape
        if isinstance(setting.tasks, TaskPairs):
            return cls(FullBatch(setting.tasks.support), FullBatch(setting.tasks.target), shape)
        return cls(setting.tasks, setting.tasks, shape)

    def draw(self, w: np.ndarray, count: int, rng: np.random.Generator):
        """Support and target of ``count`` tasks for each replicate, and w (replicates, d) once for each of them."""
        support, target = self.support, self.target
        if self.batch_shape:
            flat = rng.integers(math.prod(self.batch_shape), size=(len(w), count))
            index = flat if len(self.batch_shape) == 1 else np.unravel_index(flat, self.batch_shape)
            support = self.support[index]
            target = support if self.target is self.support else self.target[index]
        return support, target, np.broadcast_to(w[:, None], (len(w), count, w.shape[-1]))


def _records(setting: Setting, points: np.ndarray, lost: np.ndarray) -> tuple[np.ndarray, ...]:
    """What `RECORDS` names, at points (iterations, replicates, d)."""
    support, target = losses(setting)
    w = points.reshape(-1, *(1,) * len(setting.tasks.batch_shape), setting.tasks.dim)
    path = exact_path(support, w, setting.inner.alpha, setting.inner.steps)
    gradients = exact_meta_gradient_along(support, path, setting.inner.alpha, target)
    norms = np.linalg.norm(gradients.reshape(len(w), -1, setting.tasks.dim).mean(1), axis=-1)
    objectives = target.loss(path[-1]).reshape(len(w), -1).mean(-1)
    # On the tasks' own path the first step is alpha times the gradient, which a short one has lost digits of.
    whole = support is target and setting.inner.alpha * setting.tasks.regularity.L > SHORT
    slopes = (path[0] - path[1]) / setting.inner.alpha if whole else target.grad(w)
    sizes = np.linalg.norm(slopes, axis=-1).reshape(len(w), -1).mean(-1)
    return tuple(np.where(lost, np.nan, values.reshape(lost.shape)) for values in (norms, objectives, sizes))
